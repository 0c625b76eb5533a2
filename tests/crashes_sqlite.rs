//! The crash sweep on the SQLite store.
#![cfg(feature = "sqlite")]

mod crash_sweep;
mod stores;

use stocktake::sqlite::SqliteStore as Store;

/// One crash in so many is tried, unless all are asked for.
const EVERY: u64 = 31;
