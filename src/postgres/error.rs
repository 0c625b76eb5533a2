//! What the database says, in the contract's words.

use std::fmt;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::store::{StoreError, StoreErrorKind};

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Somebody was in the way: nothing was applied, and the transaction is to be done again.
    Again,
    /// One of the library's unique keys was there: to be done again with more care.
    Surprise,
    /// What was prepared is no longer good: to be prepared again.
    Stale,
    /// Of this kind.
    Kind(StoreErrorKind),
    /// The connection is gone, and what was asked last may have been done.
    Lost,
}

impl Meaning {
    pub(super) fn of(error: &Error) -> Self {
        let Some(said) = error.as_db_error() else {
            // The server has not said anything: it did not get the question, or the answer was lost.
            return if error.is_closed() || is_broken(error) {
                Self::Lost
            } else {
                Self::Kind(StoreErrorKind::Corrupt)
            };
        };
        let is_fatal = matches!(
            said.parsed_severity(),
            Some(Severity::Fatal | Severity::Panic)
        );
        if is_fatal {
            return Self::Lost;
        }
        let code = said.code();
        if *code == SqlState::UNIQUE_VIOLATION {
            let is_ours = said.constraint().is_some_and(|it| it.starts_with("stk_"));
            return if is_ours {
                Self::Surprise
            } else {
                Self::Kind(StoreErrorKind::Corrupt)
            };
        }
        match code.code() {
            "40001" | "40P01" => Self::Again,
            "0A000" | "26000" => Self::Stale,
            // Waited too long, or was cancelled; or there is no room for one more.
            "55P03" | "57014" | "53300" => Self::Kind(StoreErrorKind::Busy),
            // It only reads: a standby, or set so.
            "25006" => Self::Kind(StoreErrorKind::Unavailable),
            // Rights, schemas, tables, columns and functions that are missing.
            "42501" | "3F000" | "42P01" | "42703" | "42883" => {
                Self::Kind(StoreErrorKind::Misconfigured)
            }
            code => match code.get(..2) {
                Some("08" | "57" | "58") => Self::Lost,
                Some("53" | "28" | "3D") => Self::Kind(StoreErrorKind::Unavailable),
                Some(_) | None => Self::Kind(StoreErrorKind::Corrupt),
            },
        }
    }

    /// The kind of a failure that is final.
    pub(super) const fn kind(self) -> StoreErrorKind {
        match self {
            Self::Again | Self::Surprise | Self::Stale => StoreErrorKind::Busy,
            Self::Kind(kind) => kind,
            Self::Lost => StoreErrorKind::Unavailable,
        }
    }
}

/// Whether the connection broke, by what caused a failure.
fn is_broken(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// A failure during an operation.
pub(super) fn failed(operation: &'static str, error: &Error) -> StoreError {
    StoreError::new(Meaning::of(error).kind(), operation).because(Said::from(error))
}

/// There is no connection for an operation.
pub(super) fn not_connected(operation: &'static str, error: &PoolError) -> StoreError {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => {
            StoreError::new(StoreErrorKind::Busy, operation).because(NoConnection)
        }
        PoolError::Backend(error) => {
            let kind = if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) {
                StoreErrorKind::Busy
            } else {
                StoreErrorKind::Unavailable
            };
            StoreError::new(kind, operation).because(Said::from(error))
        }
        PoolError::Timeout(_)
        | PoolError::Closed
        | PoolError::NoRuntimeSpecified
        | PoolError::PostCreateHook(_) => {
            StoreError::new(StoreErrorKind::Unavailable, operation).because(NoConnection)
        }
    }
}

/// The pool has no connection to give.
#[derive(Debug, thiserror::Error)]
#[error("the pool gave no connection")]
struct NoConnection;

/// What the database said, without what it may have quoted: statements and data stay in its own log.
#[derive(Debug)]
pub(super) struct Said {
    code: Option<String>,
}

impl From<&Error> for Said {
    fn from(error: &Error) -> Self {
        let code = error.code().map(|code| code.code().to_owned());
        Self { code }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => {
                let meaning = match code.as_str() {
                    "42501" => "permission denied: ",
                    "3F000" => "the schema is missing: ",
                    "42P01" => "a table is missing: ",
                    "42703" => "a column of a table is missing: ",
                    "42883" => "a function is missing: ",
                    _ => "",
                };
                write!(f, "{meaning}the database said {code}")
            }
            None => f.write_str("the connection to the database failed"),
        }
    }
}

impl std::error::Error for Said {}

/// Why a database can't be opened as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The schema's name is not 1 to 40 small letters, digits and underscores that begin with a letter.
    #[error("the name of the schema is not made of small letters, digits and underscores")]
    InvalidSchema,
    /// A later version of the library has written the schema. Update the application.
    #[error("the schema is of version {found}, and {known} is the latest one known")]
    Newer {
        /// The database's.
        found: i64,
        /// The library's.
        known: i64,
    },
    /// The schema was made for the other way to lock. Every process must use the same: leave the option out.
    #[error("the schema was made for another way to lock than the one asked for")]
    OtherLocks,
    /// The schema was made for advisory locks, and the database only pretends to have them. It would not be safe.
    #[error("the database has no advisory locks, and the schema was made for them")]
    NoAdvisoryLocks,
    /// The database can't be reached, read or migrated.
    #[error(transparent)]
    Store(#[from] StoreError),
}
