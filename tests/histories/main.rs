//! Long histories: random sequences against models, every schedule of a race, every crash of a command. A plain test run
//! plays the small sizes; variables of the environment, which each module names, ask for more.

#![allow(
    clippy::duplicate_mod,
    reason = "the crash sweep is compiled for each store by itself"
)]

#[path = "../stores/mod.rs"]
mod stores;

mod crashes;
#[cfg(feature = "sqlite")]
mod crashes_sqlite;
mod mixed_documents;
mod movement_model;
mod properties;
mod races;
