//! The crash sweep on the in-memory store.

mod crash_sweep;
mod stores;

use stocktake::memory::MemoryStore as Store;

/// One crash in so many is tried, unless all are asked for.
const EVERY: u64 = 7;
