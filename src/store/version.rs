//! Versions of records.

use serde::{Deserialize, Serialize};

/// The version of a record: what an update must name to be applied (clause R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The version of a record that was inserted for the first time.
    pub const FIRST: Self = Self(1);

    /// Wraps a number.
    pub const fn new(version: u64) -> Self {
        Self(version)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A record as it was read: its value and the version to name when updating it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The version.
    pub version: Version,
    /// The record.
    pub value: T,
}

impl<T> std::ops::Deref for Versioned<T> {
    type Target = T;

    /// The record: what was read is used like the record itself.
    fn deref(&self) -> &T {
        &self.value
    }
}
