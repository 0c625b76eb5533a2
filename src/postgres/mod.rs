//! For many machines: a store in a `PostgreSQL` database.
//!
//! [`PostgresStore`] implements [`Repository`](crate::store::Repository) and [`JobQueue`](crate::store::JobQueue) over
//! the host's own pool of connections, whatever TLS and roles it uses. Any number of processes may use one database.
//!
//! # How it is correct
//!
//! Everything holds at `READ COMMITTED`; nothing leans on `SERIALIZABLE`.
//!
//! - A commit inserts the row of its command first. A second attempt of the same command waits there for the first one,
//!   also when the first one's client is long gone, and so does [`settle`](crate::store::Repository::settle).
//! - Guards are held by locks ([`Locks`]): shared by whoever counts, alone by whoever changes the document.
//! - Rows that are changed are locked in the order of their keys, and judged as they stand then. What is to be new is
//!   inserted; when something of it is there, the unique key tells, and the commit is done again with everything looked
//!   up. The position counter of a site comes last, and the last writes are sent together with `COMMIT`: others wait for
//!   the counter no longer than the server needs.
//! - What failed because others were in the way (`40001`, `40P01`) is done again, five times at most, and then is
//!   [`Busy`](crate::store::StoreErrorKind::Busy). A connection that is lost before `COMMIT` was sent has written nothing
//!   ([`Unavailable`](crate::store::StoreErrorKind::Unavailable)); one that is lost after it makes the commit
//!   [`OutcomeUnknown`](crate::store::CommitError::OutcomeUnknown).
//! - Commits run in tasks of their own: a caller that gives up leaves no transaction open.
//! - A read is one snapshot: a transaction at `REPEATABLE READ`, of which the beginning goes with the first statement
//!   and for the end of which nobody waits.
//! - What changed since (R19) goes by the ids of transactions, all 64 bits of them, which never begin anew: a row bears that of
//!   the transaction that wrote it last, and a token is the oldest one that was running when its snapshot was taken. So
//!   counters share nothing, and nothing that lands late is missed. A transaction that runs for long, anybody's on that
//!   server, makes readers hear the same lines again until it ends. Where tables are copied to a server that has had fewer
//!   transactions, what was copied is told again and again until it has caught up, and tokens of the old server are no
//!   good any more: let readers begin with [`BEGINNING`](crate::store::ChangeToken::BEGINNING) then, as after any
//!   backup that was put back.
//!
//! Each transaction sets its own limits (`SET LOCAL`), and each statement names the schema: nothing is left on a connection
//! that goes back to the pool, and a pooler may give every transaction another one.
//!
//! # What it keeps
//!
//! Tables that begin with `stk_`, in a schema of their own ([`PostgresOptions::schema`]). Quantities are whole millionths
//! and times microseconds. No sequence, no trigger, no extension, no foreign key. Every key and index begins with
//! the organisation, but for the index by which jobs are leased, and every statement but that one names one: tables can be
//! spread by it.
//!
//! What was acknowledged is as durable as the server makes it: the library leaves `synchronous_commit` as the host
//! has set it.
//!
//! # A transaction of the host's
//!
//! [`PostgresStore::commit_in`] applies a change set inside a transaction of the host's, so that the host's rows and the
//! library's are written together.

mod commit_in;
mod error;
mod locks;
mod options;
mod place;
mod schema;
mod session;
mod store;
mod wire;

pub use deadpool_postgres;
pub use error::OpenError;
pub use options::{Listener, Locks, PostgresOptions};
pub use store::PostgresStore;
pub use tokio_postgres;
