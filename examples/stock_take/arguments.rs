//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::Failure;

/// How to use it.
pub(crate) const HELP: &str = "\
A stock take on a month of a gift shop's trade.

Usage: stock_take [--data DIR]

Options:
  --data DIR   read products.csv and lines_2010-12.csv of the Online Retail data set from DIR
               (UCI Machine Learning Repository, DOI 10.24432/C5BW33); without it, the
               environment variable STOCKTAKE_DATA may name DIR, else a small sample is used
  -h, --help   print this";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// How to use it.
    Help,
    /// The story.
    Run {
        /// With the files of this folder.
        data: Option<PathBuf>,
    },
}

impl Request {
    /// Reads the arguments behind the program's name.
    pub(crate) fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut data = None;
        while let Some(argument) = arguments.next() {
            let folder = match argument.to_str() {
                Some("-h" | "--help") => return Ok(Self::Help),
                Some("--data") => arguments.next(),
                Some(argument) if argument.starts_with("--data=") => {
                    argument.strip_prefix("--data=").map(OsString::from)
                }
                Some(_) | None => {
                    return Err(Failure::Arguments(format!(
                        "unknown argument {}; --help tells what there is",
                        argument.display()
                    )));
                }
            };
            let Some(folder) = folder.filter(|folder| !folder.is_empty()) else {
                let told = "--data needs a folder; --help tells more".to_owned();
                return Err(Failure::Arguments(told));
            };
            data = Some(PathBuf::from(folder));
        }
        Ok(Self::Run { data })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::Request;

    fn asked(arguments: &[&str]) -> Result<Request, String> {
        Request::of(arguments.iter().map(OsString::from)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn arguments_are_understood_or_refused() {
        let data = |folder: &str| {
            Ok(Request::Run {
                data: Some(PathBuf::from(folder)),
            })
        };
        assert_eq!(asked(&[]), Ok(Request::Run { data: None }));
        assert_eq!(asked(&["--data", "a b"]), data("a b"));
        assert_eq!(asked(&["--data=x", "--data=y=z"]), data("y=z"));
        assert_eq!(asked(&["--data", "x", "-h"]), Ok(Request::Help));
        for (arguments, told) in [
            (
                &["--dta", "x"][..],
                "unknown argument --dta; --help tells what there is",
            ),
            (&["x"], "unknown argument x; --help tells what there is"),
            (&["--data"], "--data needs a folder; --help tells more"),
            (&["--data="], "--data needs a folder; --help tells more"),
        ] {
            assert_eq!(asked(arguments), Err(told.to_owned()));
        }
    }
}
