//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::Failure;

/// How to use it.
pub(crate) const HELP: &str = "\
A stock take on a month of a gift shop's trade.

Usage: stock_take [--data DIR] [--database FILE | --memory] [--files DIR]

Options:
  --data DIR   read products.csv and lines_2010-12.csv of the Online Retail data set from DIR
               (UCI Machine Learning Repository, DOI 10.24432/C5BW33); without it, the
               environment variable STOCKTAKE_DATA may name DIR, else a small sample is used
  --database FILE
               keep everything in the SQLite file FILE, which is made if it is not there; without it,
               in a file in the current folder. A take that was interrupted is continued; one that
               is finished is begun anew, unless FILE was named
  --memory     keep everything in memory
  --files DIR  write the files of the take to DIR; without it, to stock_take_files
  -h, --help   print this";

/// Where files are written, unless it is told.
const FILES: &str = "stock_take_files";

/// Where everything is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// In memory.
    Memory,
    /// In this file, or in one of the example's own choice.
    File(Option<PathBuf>),
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// How to use it.
    Help,
    /// The story.
    Run {
        /// With the files of this folder.
        data: Option<PathBuf>,
        /// Kept there.
        storage: Storage,
        /// With its files written to this folder.
        files: PathBuf,
    },
}

impl Request {
    /// Reads the arguments behind the program's name.
    pub(crate) fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let (mut data, mut database, mut files, mut memory) = (None, None, None, false);
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.to_str() {
                Some("-h" | "--help") => return Ok(Self::Help),
                Some("--memory") => {
                    memory = true;
                    continue;
                }
                Some(option @ ("--data" | "--database" | "--files")) => (option, arguments.next()),
                Some(option) => match option.split_once('=') {
                    Some((name @ ("--data" | "--database" | "--files"), value)) => {
                        (name, Some(value.into()))
                    }
                    Some(_) | None => return Err(unknown(&argument)),
                },
                None => return Err(unknown(&argument)),
            };
            let (what, place) = match name {
                "--data" => ("folder", &mut data),
                "--files" => ("folder", &mut files),
                _ => ("file", &mut database),
            };
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                let told = format!("{name} needs a {what}; --help tells more");
                return Err(Failure::Arguments(told));
            };
            *place = Some(PathBuf::from(value));
        }
        let storage = match (memory, database) {
            (true, Some(_)) => {
                let told = "--memory and --database exclude each other".to_owned();
                return Err(Failure::Arguments(told));
            }
            (true, None) => Storage::Memory,
            (false, database) => Storage::File(database),
        };
        let files = files.unwrap_or_else(|| PathBuf::from(FILES));
        Ok(Self::Run {
            data,
            storage,
            files,
        })
    }
}

fn unknown(argument: &OsString) -> Failure {
    let argument = argument.display();
    Failure::Arguments(format!(
        "unknown argument {argument}; --help tells what there is"
    ))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::{FILES, Request, Storage};

    fn asked(arguments: &[&str]) -> Result<Request, String> {
        Request::of(arguments.iter().map(OsString::from)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn arguments_are_understood_or_refused() {
        let data = |folder: &str| {
            Ok(Request::Run {
                data: Some(PathBuf::from(folder)),
                storage: Storage::File(None),
                files: PathBuf::from(FILES),
            })
        };
        let kept = |storage| {
            Ok(Request::Run {
                data: None,
                storage,
                files: PathBuf::from(FILES),
            })
        };
        assert_eq!(asked(&[]), kept(Storage::File(None)));
        assert_eq!(asked(&["--memory"]), kept(Storage::Memory));
        let file = || kept(Storage::File(Some(PathBuf::from("a b.db"))));
        assert_eq!(asked(&["--database", "a b.db"]), file());
        assert_eq!(asked(&["--database=a b.db"]), file());
        assert_eq!(asked(&["--data", "a b"]), data("a b"));
        assert_eq!(asked(&["--data=x", "--data=y=z"]), data("y=z"));
        assert_eq!(asked(&["--data", "x", "-h"]), Ok(Request::Help));
        let written = Request::Run {
            data: None,
            storage: Storage::Memory,
            files: PathBuf::from("a b"),
        };
        assert_eq!(asked(&["--files=a b", "--memory"]), Ok(written));
        for (arguments, told) in [
            (
                &["--dta", "x"][..],
                "unknown argument --dta; --help tells what there is",
            ),
            (&["x"], "unknown argument x; --help tells what there is"),
            (&["--data"], "--data needs a folder; --help tells more"),
            (&["--data="], "--data needs a folder; --help tells more"),
            (&["--files"], "--files needs a folder; --help tells more"),
            (
                &["--database"],
                "--database needs a file; --help tells more",
            ),
            (
                &["--memory", "--database=x"],
                "--memory and --database exclude each other",
            ),
        ] {
            assert_eq!(asked(arguments), Err(told.to_owned()));
        }
    }
}
