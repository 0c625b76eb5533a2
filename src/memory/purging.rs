//! What is kept for a time only: the last versions of what was deleted, and how much is forgotten at a time.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::state::Organisation;
use crate::domain::Timestamp;
use crate::store::{MAX_PAGE, Purge, Version};

/// How many rows are forgotten at a time at most.
pub(super) fn at_most(limit: u32) -> usize {
    usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1)
}

/// The last versions of records that were deleted: one that comes back goes on from there (R3).
#[derive(Clone, Debug)]
pub(super) struct Gone<K> {
    versions: HashMap<K, (Version, Timestamp)>,
    by_time: BTreeMap<Timestamp, Vec<K>>,
}

impl<K> Default for Gone<K> {
    fn default() -> Self {
        Self {
            versions: HashMap::new(),
            by_time: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash> Gone<K> {
    /// Remembers the version of a record that is deleted.
    pub(super) fn insert(&mut self, key: K, version: Version, at: Timestamp) {
        self.by_time.entry(at).or_default().push(key.clone());
        self.versions.insert(key, (version, at));
    }

    /// The last version of a record that comes back.
    pub(super) fn remove(&mut self, key: &K) -> Option<Version> {
        self.versions.remove(key).map(|(version, _)| version)
    }

    /// Forgets at most so many that were deleted before a moment, and tells how many.
    fn forget(&mut self, before: Timestamp, most: usize) -> usize {
        let mut forgotten: usize = 0;
        while forgotten < most
            && let Some(mut oldest) = self.by_time.first_entry()
            && *oldest.key() < before
        {
            let at = *oldest.key();
            let Some(key) = oldest.get_mut().pop() else {
                oldest.remove();
                continue;
            };
            // It may have come back since, and may have been deleted again.
            if self.versions.get(&key).is_some_and(|(_, last)| *last == at) {
                self.versions.remove(&key);
                forgotten = forgotten.saturating_add(1);
            }
        }
        forgotten
    }
}

impl Organisation {
    /// Forgets at most so many rows, and tells how many.
    pub(super) fn purge(&mut self, what: Purge, before: Timestamp, most: usize) -> u64 {
        let forgotten = match what {
            Purge::Commands => self.commands.purge(before, most),
            Purge::DeletedVersions => {
                let mut forgotten: usize = 0;
                self.each_gone(&mut |gone: &mut dyn Forget| {
                    let left = most.saturating_sub(forgotten);
                    forgotten = forgotten.saturating_add(gone.forget(before, left));
                });
                forgotten
            }
            Purge::Exports => self.purge_exports(before, most),
        };
        u64::try_from(forgotten).unwrap_or(u64::MAX)
    }

    fn purge_exports(&mut self, before: Timestamp, most: usize) -> usize {
        let expired = self.exports.iter();
        let expired = expired.filter(|(_, export)| export.value.expires_at < before);
        let expired: Vec<_> = (expired.map(|(job, export)| (*job, export.value.chunks)))
            .take(most)
            .collect();
        let mut forgotten: usize = 0;
        for (job, chunks) in expired {
            for number in 0..chunks {
                if forgotten >= most {
                    return forgotten;
                }
                let part = self.export_chunks.forget((job, number));
                forgotten = forgotten.saturating_add(usize::from(part));
            }
            if forgotten >= most {
                return forgotten;
            }
            let export = self.exports.forget(job);
            forgotten = forgotten.saturating_add(usize::from(export));
        }
        forgotten
    }

    fn each_gone(&mut self, visit: &mut dyn FnMut(&mut dyn Forget)) {
        for lines in self.takes.each_lines() {
            visit(&mut lines.gone);
        }
        for gone in self.orders.each_gone() {
            visit(gone);
        }
        visit(&mut self.counts.open.gone);
        visit(&mut self.import_chunks.gone);
        visit(&mut self.export_chunks.gone);
        visit(&mut self.serials.gone);
    }
}

/// Last versions, whatever of.
trait Forget {
    fn forget(&mut self, before: Timestamp, most: usize) -> usize;
}

impl<K: Clone + Eq + Hash> Forget for Gone<K> {
    fn forget(&mut self, before: Timestamp, most: usize) -> usize {
        Self::forget(self, before, most)
    }
}
