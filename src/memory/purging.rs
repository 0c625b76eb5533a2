//! What is kept for a time only, and how much of it is forgotten at a time.

use super::state::Organisation;
use crate::domain::Timestamp;
use crate::store::{MAX_PAGE, Purge};

/// How many rows are forgotten at a time at most.
pub(super) fn at_most(limit: u32) -> usize {
    usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1)
}

impl Organisation {
    /// Forgets at most so many rows, and tells how many.
    pub(super) fn purge(&mut self, what: Purge, before: Timestamp, most: usize) -> u64 {
        let forgotten = match what {
            Purge::Commands => self.commands.purge(before, most),
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
                let part = self.export_chunks.delete((job, number));
                forgotten = forgotten.saturating_add(usize::from(part.is_some()));
            }
            if forgotten >= most {
                return forgotten;
            }
            let export = self.exports.delete(job);
            forgotten = forgotten.saturating_add(usize::from(export.is_some()));
        }
        forgotten
    }
}
