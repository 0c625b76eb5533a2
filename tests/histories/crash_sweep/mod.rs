//! A crash at every storage call of every command: run, fail, heal, ask again with the same key, and end
//! where the undisturbed run ended, once.
//!
//! The sweep runs a command once and counts its calls of the store. Then, for each call and each way to fail
//! there, it runs the command on a shop of its own, asks again once the store is well, lets the clock go past
//! every lease and wait, lets a worker do what is due, and compares everything that is kept.
//!
//! A plain `cargo test` tries one crash in so many of each command; with `STOCKTAKE_TEST_EVERY_CRASH=1` it tries them
//! all, as the gate does.

mod chunks;
mod counts;
mod exchange;
mod lists;
mod orders;
mod poll;
mod shops;
mod state;
mod stock;
mod sweep;
mod takes;
mod world;
