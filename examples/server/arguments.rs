//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use super::app::{MailChoice, Options, StoreChoice};

/// How the program is called.
pub(crate) const USAGE: &str = "\
usage: server [--seed FILE] [--db PATH | --postgres URL] [--listen ADDRESS] [--limit NUMBER] [--lease SECONDS]
              [--smtp URL --mail-from ADDRESS | --mail-folder DIR] [--print-at-once NUMBER]

  --seed FILE       a JSON file with sites, users, products and stock, loaded once
  --db PATH         keep everything in this SQLite file
  --postgres URL    keep everything in this PostgreSQL database
  --listen ADDRESS  where to listen, 127.0.0.1:8080 unless told; port 0 is a free one
  --limit NUMBER    requests a minute and store to the stocktake lists, 200 unless told
  --lease SECONDS   how long a job waits when the process that does it dies, 5 unless told
  --smtp URL        send mail over this server: smtps://USER:PASSWORD@HOST, or smtp:// for STARTTLS
  --mail-from ADDRESS     who sends it
  --mail-folder DIR       put mail into this folder instead
  --print-at-once NUMBER  print lists of more articles by a job that mails them, 1000 unless told

Without --smtp and --mail-folder mail is said on the terminal only. Without --db and --postgres everything is kept in memory.";

/// What takes a value.
const NAMES: [&str; 10] = [
    "--seed",
    "--db",
    "--postgres",
    "--listen",
    "--limit",
    "--lease",
    "--smtp",
    "--mail-from",
    "--mail-folder",
    "--print-at-once",
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
        let (mut smtp, mut from, mut folder) = (None, None, None);
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
                "--smtp" => smtp = Some(value),
                "--mail-from" => from = Some(value),
                "--mail-folder" => folder = Some(PathBuf::from(value)),
                "--print-at-once" => {
                    let number = value.parse().ok();
                    options.printed_at_once = number.ok_or("--print-at-once needs a number")?;
                }
                _ if options.store != StoreChoice::Memory => {
                    return Err("one of --db and --postgres, once".to_owned());
                }
                "--db" => options.store = StoreChoice::Sqlite(PathBuf::from(value)),
                _ => options.store = StoreChoice::Postgres(value),
            }
        }
        parsed.options.mail = match (smtp, from, folder) {
            (None, None, None) => MailChoice::Said,
            (None, None, Some(folder)) => MailChoice::Folder(folder),
            (Some(url), Some(from), None) => MailChoice::Smtp(url, from),
            _ => return Err("either --smtp with --mail-from, or --mail-folder".to_owned()),
        };
        Ok(parsed)
    }
}
