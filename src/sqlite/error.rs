//! What SQLite says, in the contract's words.

use rusqlite::ErrorCode;

use crate::store::{StoreError, StoreErrorKind};

/// A failure during an operation.
pub(super) fn failed(operation: &'static str, error: rusqlite::Error) -> StoreError {
    StoreError::new(kind(&error), operation).because(error)
}

fn kind(error: &rusqlite::Error) -> StoreErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Busy,
        Some(
            ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport,
        ) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Corrupt,
    }
}

/// Why a file can't be opened as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The SQLite that is linked can corrupt a file in this mode: it has to be 3.51.3 or later.
    #[error("sqlite {version} is too old: 3.51.3 or later is needed")]
    TooOld {
        /// Its version.
        version: &'static str,
    },
    /// A later version of the library has written the file. Update the application.
    #[error("the schema is of version {found}, and {known} is the latest one known")]
    Newer {
        /// The file's.
        found: i64,
        /// The library's.
        known: i64,
    },
    /// The file can't be opened, read or migrated.
    #[error(transparent)]
    Store(#[from] StoreError),
}
