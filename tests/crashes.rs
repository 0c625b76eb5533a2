//! The crash sweep on the in-memory store.

mod crash_sweep;
mod stores;

use stocktake::memory::MemoryStore as Store;

/// Every crash is tried.
const EVERY: u64 = 1;
