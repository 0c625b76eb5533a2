//! The acceptance cases: scenarios with numbers from the public tests of other systems, played on this library.
//!
//! `tests/cases/*.json`, and every `*.json` of the folder that `STOCKTAKE_CASES` names when it is set (then only
//! those), on every backend that is built in, or on the one that `STOCKTAKE_CASES_BACKEND` names. Every case that
//! fails is named with its reason, every one that is not supported with the word that the library does not have, and
//! the last line counts them.

mod case_runner;
mod stores;

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use case_runner::Report;
use stores::{Kind, Stores};

/// The folder of the cases.
fn folder() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    env::var_os("STOCKTAKE_CASES").map_or(own, PathBuf::from)
}

/// The stores that are asked for: all that this build has, unless one is named.
fn kinds(named: Option<&str>) -> Result<Vec<Kind>, String> {
    let Some(name) = named.filter(|name| !name.is_empty()) else {
        return Ok(Kind::ALL.to_vec());
    };
    let kind = Kind::ALL.iter().find(|kind| kind.name() == name);
    kind.map(|kind| vec![*kind]).ok_or_else(|| {
        let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let all = all.join(", ");
        format!("STOCKTAKE_CASES_BACKEND={name}: this build has no such backend; it has {all}")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_holds() -> io::Result<()> {
    let named = env::var("STOCKTAKE_CASES_BACKEND").ok();
    let mut is_good = true;
    for kind in kinds(named.as_deref()).map_err(io::Error::other)? {
        let report = Report::of(&folder(), &Stores::of(kind)).await?;
        // Not by `println!`, whose output is only shown when a test fails.
        writeln!(io::stdout(), "{report} on {}", kind.name())?;
        is_good &= report.is_good();
    }
    assert!(is_good, "not every case holds: see above");
    Ok(())
}

#[test]
fn a_backend_that_is_not_there_is_told() {
    assert_eq!(kinds(None).as_deref(), Ok(Kind::ALL));
    assert_eq!(kinds(Some("")).as_deref(), Ok(Kind::ALL));
    assert_eq!(kinds(Some("memory")).as_deref(), Ok(&[Kind::Memory][..]));
    let told = kinds(Some("paper")).unwrap_err();
    assert!(
        told.starts_with("STOCKTAKE_CASES_BACKEND=paper: "),
        "{told}"
    );
}
