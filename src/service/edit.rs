//! What becomes of something that may be missing.

use serde::Serialize;

/// What becomes of something that may be missing, when only some of an object's words are changed.
///
/// # Example
///
/// ```
/// use stocktake::service::Edit;
///
/// assert_eq!(Edit::Keep.applied_to(Some("PO-1")), Some("PO-1"));
/// assert_eq!(Edit::Set("PO-2").applied_to(Some("PO-1")), Some("PO-2"));
/// assert_eq!(Edit::Clear.applied_to(Some("PO-1")), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It becomes this.
    Set(T),
    /// It is taken away.
    Clear,
}

impl<T> Edit<T> {
    /// What it is after the edit.
    pub fn applied_to(self, now: Option<T>) -> Option<T> {
        match self {
            Self::Keep => now,
            Self::Set(next) => Some(next),
            Self::Clear => None,
        }
    }
}
