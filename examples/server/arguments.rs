//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use super::app::{Options, StoreChoice};

/// How the program is called.
pub(crate) const USAGE: &str = "\
usage: server [--seed FILE] [--db PATH | --postgres URL] [--listen ADDRESS] [--limit NUMBER] [--lease SECONDS]

  --seed FILE       a JSON file with sites, users, products and stock, loaded once
  --db PATH         keep everything in this SQLite file
  --postgres URL    keep everything in this PostgreSQL database
  --listen ADDRESS  where to listen, 127.0.0.1:8080 unless told; port 0 is a free one
  --limit NUMBER    requests a minute and store to the stocktake lists, 200 unless told
  --lease SECONDS   how long a job waits when the process that does it dies, 5 unless told

Without --db and --postgres everything is kept in memory.";

/// What takes a value.
const NAMES: [&str; 6] = [
    "--seed",
    "--db",
    "--postgres",
    "--listen",
    "--limit",
    "--lease",
];

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// How to serve.
    pub(crate) options: Options,
    /// Only tell how the program is called.
    pub(crate) help: bool,
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            options: Options::default(),
            help: false,
        };
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            if name == "--help" || name == "-h" {
                parsed.help = true;
                continue;
            }
            if !NAMES.contains(&name.as_str()) {
                return Err(format!("unknown argument {name}"));
            }
            let value = value
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name} needs a value"))?;
            let options = &mut parsed.options;
            match name.as_str() {
                "--seed" => options.seed = Some(PathBuf::from(value)),
                "--listen" => options.listen = value,
                "--limit" => {
                    let number = value.parse().ok().filter(|number| *number > 0);
                    options.requests_per_minute =
                        number.ok_or("--limit needs a number of one or more")?;
                }
                "--lease" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                    let seconds = seconds.ok_or("--lease needs a number of one or more")?;
                    options.lease = Duration::from_secs(seconds);
                }
                _ if options.store != StoreChoice::Memory => {
                    return Err("one of --db and --postgres, once".to_owned());
                }
                "--db" => options.store = StoreChoice::Sqlite(PathBuf::from(value)),
                _ => options.store = StoreChoice::Postgres(value),
            }
        }
        Ok(parsed)
    }
}
