//! The acceptance cases: scenarios with numbers from the public tests of other systems, played on this library.
//!
//! `tests/cases/*.json`, and every `*.json` of the folder that `STOCKTAKE_CASES` names when it is set (then only
//! those), on the backend that `STOCKTAKE_CASES_BACKEND` names (memory, unless it says otherwise). Every case that
//! fails is named with its reason, every one that is not supported with the word that the library does not have, and
//! the last line counts them.

mod case_runner;

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use case_runner::{Backend, Report};

/// The folder of the cases.
fn folder() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    env::var_os("STOCKTAKE_CASES").map_or(own, PathBuf::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_holds() -> io::Result<()> {
    let backend = env::var("STOCKTAKE_CASES_BACKEND").unwrap_or_default();
    let backend = Backend::named(&backend).map_err(io::Error::other)?;
    let report = Report::of(&folder(), backend).await?;
    // Not by `println!`, whose output is only shown when a test fails.
    writeln!(io::stdout(), "{report}")?;
    assert!(report.is_good(), "not every case holds: see above");
    Ok(())
}
