//! Whether a path still leads to the file that was opened.

use std::path::{Path, PathBuf};

use super::error::OpenError;
use crate::store::{StoreError, StoreErrorKind};

/// A path, and which file it led to.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: Option<Identity>,
}

/// The device and the number of a file on it.
type Identity = (u64, u64);

/// The file is not where it was.
#[derive(Debug, thiserror::Error)]
#[error("the file was deleted, moved away or replaced while it was open")]
struct Gone;

impl Place {
    /// Where a file is that has just been opened.
    pub(super) fn of(path: &Path) -> Result<Self, OpenError> {
        // The folder that is worked in may change.
        let path = std::path::absolute(path).map_err(|error| unreadable(error, "open"))?;
        let file = identity(&path).map_err(|error| unreadable(error, "open"))?;
        Ok(Self { path, file })
    }

    /// Whether the file is still there.
    pub(super) fn check(&self, operation: &'static str) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(found) if found == self.file => Ok(()),
            Ok(_) | Err(_) => {
                let gone = StoreError::new(StoreErrorKind::Misconfigured, operation);
                Err(gone.because(Gone))
            }
        }
    }
}

fn unreadable(error: std::io::Error, operation: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, operation).because(error)
}

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path)?;
    Ok(Some((found.dev(), found.ino())))
}

/// Elsewhere an open file can't be deleted or replaced.
#[cfg(not(unix))]
fn identity(_: &Path) -> std::io::Result<Option<Identity>> {
    Ok(None)
}
