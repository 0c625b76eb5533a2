//! The crash sweep on the SQLite store.

#[path = "crash_sweep/mod.rs"]
mod crash_sweep;

use stocktake::sqlite::SqliteStore as Store;

/// One crash in so many is tried, unless all are asked for.
const EVERY: u64 = 31;
