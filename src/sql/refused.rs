//! What becomes of a commit that is not applied.

use crate::store::CommitError;

/// Why a change set was not applied. The transaction (or its savepoint) is to be rolled back.
#[derive(Debug)]
pub(crate) enum Refused {
    /// For good.
    For(CommitError),
    /// Something that was taken for absent is there: to be done again with more care.
    Surprised,
}

impl<E: Into<CommitError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::For(error.into())
    }
}
