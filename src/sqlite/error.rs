//! What SQLite says, in the contract's words.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::store::{StoreError, StoreErrorKind};

/// A failure during an operation.
pub(super) fn failed(operation: &'static str, error: rusqlite::Error) -> StoreError {
    let kind = kind(&error);
    // The text of a statement helps nobody who reads a log.
    let cause = if let rusqlite::Error::SqlInputError { error, msg, .. } = error {
        rusqlite::Error::SqliteFailure(error, Some(msg))
    } else {
        error
    };
    StoreError::new(kind, operation).because(cause)
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

/// Why a path could not be opened, in words of who named it.
pub(super) fn not_opened(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_path_buf();
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let problem = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => return OpenError::NotADatabase { path },
        Some(ErrorCode::CannotOpen) if path.is_dir() => "it is a folder",
        Some(ErrorCode::CannotOpen) if folder.is_some_and(|it| !it.is_dir()) => {
            "its folder is not there"
        }
        Some(ErrorCode::CannotOpen) => "the system does not open it",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "it must not be written",
        Some(_) | None => return OpenError::Store(failed("open", error)),
    };
    OpenError::CannotOpen {
        path,
        problem,
        cause: failed("open", error),
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
    /// The path is empty or `:memory:`. One connection's memory is no store for several; use a
    /// [`MemoryStore`](crate::memory::MemoryStore).
    #[error("{path:?} names no file: a store in memory is a MemoryStore")]
    NoFile {
        /// What was asked for.
        path: PathBuf,
    },
    /// The path is there and can't be opened, or can't be there.
    #[error("{}: {problem}", .path.display())]
    CannotOpen {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: &'static str,
        /// What SQLite said.
        #[source]
        cause: StoreError,
    },
    /// The file holds something else. It was left as it is.
    #[error("{} is not a SQLite database", .path.display())]
    NotADatabase {
        /// Which.
        path: PathBuf,
    },
    /// Something of the schema is gone. Take a backup, or make what is missing as it was; nothing was changed.
    #[error("the schema in {} is damaged: {problem}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is missing, or too much.
        problem: String,
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
