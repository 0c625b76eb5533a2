//! stocktake
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

pub mod domain;
pub mod jobs;
pub mod memory;
pub mod service;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
