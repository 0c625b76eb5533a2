//! The embedded default: a store in one SQLite file.
//!
//! [`SqliteStore`] implements [`Repository`](crate::store::Repository) and [`JobQueue`](crate::store::JobQueue)
//! over one database file, in write-ahead mode. One thread writes: it takes every commit that has piled up
//! while the disk was busy into one transaction, each on a savepoint of its own, so that many counters share
//! one wait for the disk and the failure of one commit touches no other. A few threads read, each on one
//! snapshot. No async runtime is needed, and no call blocks the caller's thread.
//!
//! # What is in the file
//!
//! Tables that begin with `stk_`, so that a host can keep its own tables in the same file. Quantities are whole
//! millionths and times microseconds: nothing is ever a floating-point number. The tables are made, and brought
//! to the version of the library, when the file is opened.
//!
//! # What it stands
//!
//! What was acknowledged has reached the disk (`synchronous=FULL`), unless
//! [`Durability::Deferred`] was asked for. The death of the process at any moment loses nothing acknowledged and
//! leaves nothing half done. Against a loss of power it is as good as the disk: one that says "written" before it
//! is can lose the end, or worse. The file must be on a local file system. Several processes may open one file:
//! they wait for each other's writes.
//!
//! A file that is put back from a backup has counted fewer commits: let those who ask what changed since (R19) begin with
//! [`BEGINNING`](crate::store::ChangeToken::BEGINNING) then.
//!
//! # A transaction of the host's
//!
//! [`commit_in`] applies a change set inside a transaction on the host's own connection to the same file, so that
//! the host's rows and the library's are written together.

mod commit_in;
mod error;
mod place;
#[cfg(test)]
mod plans;
mod schema;
mod session;
mod store;
mod writer;

pub use commit_in::{commit_in, migrate};
pub use error::OpenError;
pub use rusqlite;
pub use store::{Durability, SqliteOptions, SqliteStore};
