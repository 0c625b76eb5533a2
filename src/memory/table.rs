//! Records by their keys.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use crate::store::{Version, Versioned};

/// A record as it is read: shared, so that no copy is made under the lock.
pub(super) type Row<T> = Versioned<Arc<T>>;

/// Records of one kind.
#[derive(Clone, Debug)]
pub(super) struct Table<K, T> {
    rows: HashMap<K, Row<T>>,
}

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
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
                let version = Version::FIRST;
                vacant.insert(Versioned { version, value });
                None
            }
        }
    }

    /// Deletes a record, and gives what it was.
    pub(super) fn delete(&mut self, key: K) -> Option<Arc<T>> {
        self.rows.remove(&key).map(|row| row.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Row<T>)> {
        self.rows.iter()
    }
}
