//! What the benchmarks share that set the library beside the same work by hand, on whichever database.

pub(crate) mod counting;
mod figures;
mod library;
pub(crate) mod memory;
mod peak;
pub(crate) mod reads;
pub(crate) mod stock;

pub(crate) use figures::{Figures, median, print_table, rounds, spread};
pub(crate) use library::{MOST_IMPORTED, by_library, import_body};
pub(crate) use stock::Done;

/// How many single operations a figure is the median of.
pub(crate) const SAMPLES: usize = 301;
/// How many counts sixteen counters do together.
pub(crate) const CROWD: usize = 1_600;
