//! What can go wrong in a store.

use crate::domain::{InventoryCountId, JobId, StockEventId, StockTakeId};

use super::{RecordKey, Version};

/// The kinds of failure of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It can't be reached, or is full. Nothing was applied. Try again later.
    Unavailable,
    /// It is overloaded, or gave up waiting for a lock. Nothing was applied. Try again.
    Busy,
    /// What it holds can't be read back. Call somebody.
    Corrupt,
    /// A cursor of another list, or a text that is none. Begin at the first page.
    InvalidCursor,
    /// It is not set up for this: a right, a table or the file itself is missing. Nothing was applied. Trying again does
    /// not help; whoever set it up must.
    Misconfigured,
}

impl std::fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "the store can't be reached, or is full",
            Self::Busy => "the store is busy",
            Self::Corrupt => "what the store holds can't be read back",
            Self::InvalidCursor => "not a cursor of this list",
            Self::Misconfigured => "the store is not set up for this",
        })
    }
}

/// A failure of the store itself. The cause is its source; the message carries no data of any tenant.
#[derive(Debug, thiserror::Error)]
#[error("{kind} ({operation})")]
pub struct StoreError {
    kind: StoreErrorKind,
    operation: &'static str,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// A failure of an operation.
    pub const fn new(kind: StoreErrorKind, operation: &'static str) -> Self {
        Self {
            kind,
            operation,
            source: None,
        }
    }

    /// The same with its cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// What kind of failure.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// In what.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether trying again may help.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Unavailable | StoreErrorKind::Busy
        )
    }
}

/// Why a commit was not applied, or may not have been.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Something was not as expected. Nothing was applied. Read again, decide again, commit again.
    #[error("{} records were not as expected", .0.len())]
    Conflict(Vec<Conflict>),
    /// The command id was used for another request. Nothing was applied. Use another key.
    #[error("the command id was used for another request")]
    CommandReused,
    /// The command was settled as never applied (clause R13). Nothing was applied, nor ever will be under
    /// this id.
    #[error("the command was settled as never applied")]
    Voided,
    /// More than a store takes in one commit. Nothing was applied. Split it.
    #[error("the change set is larger than {limit}")]
    TooLarge {
        /// The most that it takes.
        limit: usize,
    },
    /// The commit would end a job that somebody else has by now. Nothing was applied. Stop working on it.
    #[error("the lease of the job is lost")]
    LeaseLost(JobId),
    /// It may have been applied, or may be still. Send the same change set again.
    #[error("the outcome is unknown")]
    OutcomeUnknown(#[source] StoreError),
    /// The store failed. Nothing was applied.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A record to be created exists.
    Exists(RecordKey),
    /// A record to be changed does not exist; or the document of a line or a count entry to be created.
    Missing(RecordKey),
    /// A record has another version.
    Stale {
        /// Which.
        key: RecordKey,
        /// The version it has.
        actual: Version,
    },
    /// A take's state has changed, or the take is not there.
    Epoch {
        /// Which.
        take: StockTakeId,
        /// The epoch it has.
        actual: Option<u64>,
    },
    /// An inventory count's state has changed, or the count is not there.
    CountEpoch {
        /// Which.
        count: InventoryCountId,
        /// The epoch it has.
        actual: Option<u64>,
    },
    /// An external id or article id is taken by another record.
    Taken(RecordKey),
    /// An event with this id, or with this place in its key's order, exists.
    EventExists(StockEventId),
    /// A job with this id exists.
    JobExists(JobId),
}

/// Why a lease could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Somebody else has the job by now, or it has ended. Stop working on it.
    #[error("the lease is lost")]
    Lost,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
