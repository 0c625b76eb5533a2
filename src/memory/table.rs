//! Records by their keys.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use super::purging::Gone;
use crate::domain::Timestamp;
use crate::store::{Version, Versioned};

/// A record as it is read: shared, so that no copy is made under the lock.
pub(super) type Row<T> = Versioned<Arc<T>>;

/// Records of one kind, with versions that never go back: a record that is inserted after it was deleted goes
/// on where it ended (R3).
#[derive(Clone, Debug)]
pub(super) struct Table<K, T> {
    rows: HashMap<K, Row<T>>,
    /// The last versions of records that were deleted.
    pub(super) gone: Gone<K>,
}

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            gone: Gone::default(),
        }
    }
}

impl<K: Copy + Eq + Hash, T> Table<K, T> {
    pub(super) fn get(&self, key: K) -> Option<&Row<T>> {
        self.rows.get(&key)
    }

    pub(super) fn version(&self, key: K) -> Option<Version> {
        self.get(key).map(|row| row.version)
    }

    /// Creates or replaces a record, and gives what it was.
    pub(super) fn put(&mut self, key: K, value: Arc<T>) -> Option<Arc<T>> {
        match self.rows.entry(key) {
            Entry::Occupied(mut occupied) => {
                let row = occupied.get_mut();
                row.version = row.version.next();
                Some(std::mem::replace(&mut row.value, value))
            }
            Entry::Vacant(vacant) => {
                let version = self.gone.remove(&key).map_or(Version::FIRST, Version::next);
                vacant.insert(Versioned { version, value });
                None
            }
        }
    }

    /// Deletes a record at a moment, remembers its version, and gives what it was.
    pub(super) fn delete(&mut self, key: K, at: Timestamp) -> Option<Arc<T>> {
        let row = self.rows.remove(&key)?;
        self.gone.insert(key, row.version, at);
        Some(row.value)
    }

    /// Forgets a record, its version as well. Tells whether it was there.
    pub(super) fn forget(&mut self, key: K) -> bool {
        self.rows.remove(&key).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Row<T>)> {
        self.rows.iter()
    }
}
