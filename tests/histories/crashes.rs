//! The crash sweep on the in-memory store.

#[path = "crash_sweep/mod.rs"]
mod crash_sweep;

use stocktake::memory::MemoryStore as Store;

/// One crash in so many is tried, unless all are asked for.
const EVERY: u64 = 7;
