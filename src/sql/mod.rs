//! The contract in SQL, whichever engine: what the SQL backends share.
//!
//! An engine gives a [`Snapshot`](query::Snapshot) to read and a [`Transaction`](query::Transaction) to write
//! in; everything else (which tables there are, how records stand in them, what a commit looks up, checks and
//! writes) is here, once. Rows go to and from the database in blocks: a chunk of a thousand lines is a few
//! statements, never one for each line.
//!
//! A commit first remembers its command: on a server that is where a second attempt waits for the first. Then it
//! looks up what it names, checks it like every other store ([`check`](crate::store::check)), and writes.
//! What should be absent is first taken for absent: unique keys tell when it is not, and the commit is done
//! again with everything looked up, so that it can name every conflict.

pub(crate) mod articles;
pub(crate) mod by_key;
mod cell;
pub(crate) mod changes;
pub(crate) mod commit;
pub(crate) mod documents;
mod engine;
mod job_queue;
pub(crate) mod jobs;
mod kept_order;
mod known;
mod line_filter;
mod lists;
pub(crate) mod mending;
pub(crate) mod names;
pub(crate) mod product_codes;
pub(crate) mod purging;
mod query;
pub(crate) mod reads;
mod refused;
mod repository;
mod rows;
pub(crate) mod table;
pub(crate) mod take_lines;
pub(crate) mod totals;
pub(crate) mod unlike;

#[cfg(feature = "postgres")]
pub(crate) use cell::Kind;
pub(crate) use cell::{Cell, Row};
pub(crate) use commit::commit;
pub(crate) use engine::{Engine, Work};
pub(crate) use job_queue::keep_job_queue;
pub(crate) use known::Care;
#[cfg(feature = "postgres")]
pub(crate) use query::Lookup;
pub(crate) use query::{Dialect, Held, Parameter, Query, Snapshot, Transaction};
pub(crate) use refused::Refused;
pub(crate) use repository::keep_repository;
