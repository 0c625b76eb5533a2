//! What a commit demands, checked: the same for every store.

use std::collections::BTreeSet;

use super::{
    ChangeSet, ChangeSetParts, CommitError, Conflict, Entry, Guard, JobAck, LeaseToken, RecordKey,
    UniqueName, Version, Write,
};
use crate::domain::{InventoryCountId, JobId, StockEvent, StockEventId, StockKey, StockTakeId};

/// What a store knows of the organisation that a change set belongs to, at the commit.
///
/// A store answers from its indexes, or from what it has looked up (and locked) for this change set: nothing
/// else is asked than what the change set names.
pub trait Facts {
    /// The version of a record; `None` if it does not exist.
    fn version(&self, key: &RecordKey) -> Option<Version>;

    /// The epoch of a take.
    fn epoch(&self, take: StockTakeId) -> Option<u64>;

    /// The epoch of an inventory count.
    fn count_epoch(&self, count: InventoryCountId) -> Option<u64>;

    /// Which record has a unique name.
    fn holder_of_name(&self, name: UniqueName<'_>) -> Option<RecordKey>;

    /// Whether there is an event with this id.
    fn has_event(&self, id: StockEventId) -> bool;

    /// Whether a key has an event with this sequence.
    fn has_sequence(&self, key: &StockKey, sequence: u64) -> bool;

    /// Whether there is a job with this id.
    fn has_job(&self, id: JobId) -> bool;

    /// Whether a token is that of a live lease of the same organisation's.
    fn is_held(&self, token: LeaseToken) -> bool;
}

/// Checks everything that a change set demands (clauses R2, R3, R7, R8, R15, R17, Q4), except that its command
/// is new (R12), which comes before.
///
/// Facts and writes must be of one moment: nothing may change between this check and the writing.
///
/// # Errors
///
/// [`CommitError::TooLarge`]; [`CommitError::LeaseLost`]; [`CommitError::Conflict`] with everything that was
/// not as expected.
pub fn check(changes: &ChangeSet, facts: &impl Facts) -> Result<(), CommitError> {
    if changes.size() > ChangeSet::MAX_SIZE {
        return Err(CommitError::TooLarge {
            limit: ChangeSet::MAX_SIZE,
        });
    }
    let parts = changes.parts();
    for ack in parts.acks {
        if let JobAck::Leased(token) = ack
            && !(token.organisation == parts.organisation && facts.is_held(*token))
        {
            return Err(CommitError::LeaseLost(token.job));
        }
    }
    let mut conflicts = Vec::new();
    check_guards(facts, &parts, &mut conflicts);
    check_writes(facts, &parts, &mut conflicts);
    check_names(facts, &parts, &mut conflicts);
    check_events(facts, parts.events, &mut conflicts);
    check_jobs(facts, &parts, &mut conflicts);
    if conflicts.is_empty() {
        Ok(())
    } else {
        Err(CommitError::Conflict(conflicts))
    }
}

/// R8.
fn check_guards(facts: &impl Facts, parts: &ChangeSetParts<'_>, conflicts: &mut Vec<Conflict>) {
    for guard in parts.guards {
        match *guard {
            Guard::Epoch { take, epoch } => {
                let actual = facts.epoch(take);
                if actual != Some(epoch) {
                    conflicts.push(Conflict::Epoch { take, actual });
                }
            }
            Guard::Site { site, version } => {
                let key = RecordKey::Site(site);
                match facts.version(&key) {
                    Some(actual) if actual == version => {}
                    Some(actual) => conflicts.push(Conflict::Stale { key, actual }),
                    None => conflicts.push(Conflict::Missing(key)),
                }
            }
            Guard::CountEpoch { count, epoch } => {
                let actual = facts.count_epoch(count);
                if actual != Some(epoch) {
                    conflicts.push(Conflict::CountEpoch { count, actual });
                }
            }
        }
    }
}

/// R2 and R3, and that lines and entries have a document.
fn check_writes(facts: &impl Facts, parts: &ChangeSetParts<'_>, conflicts: &mut Vec<Conflict>) {
    let mut seen = BTreeSet::new();
    let mut must_be_there = |document: RecordKey, conflicts: &mut Vec<Conflict>| {
        if seen.contains(&document) {
            return;
        }
        let is_there = parts.writes.contains_key(&document) || facts.version(&document).is_some();
        seen.insert(document.clone());
        if !is_there {
            conflicts.push(Conflict::Missing(document));
        }
    };
    for (key, write) in parts.writes {
        match (write.expected(), facts.version(key)) {
            (None, None) => {
                if let Some(document) = key.document() {
                    must_be_there(document, conflicts);
                }
            }
            (None, Some(_)) => conflicts.push(Conflict::Exists(key.clone())),
            (Some(_), None) => conflicts.push(Conflict::Missing(key.clone())),
            (Some(expected), Some(actual)) if expected != actual => {
                let key = key.clone();
                conflicts.push(Conflict::Stale { key, actual });
            }
            (Some(_), Some(_)) => {}
        }
    }
    for entry in parts.entries {
        must_be_there(entry.document(), conflicts);
    }
}

/// R17, as the names will be after the commit: two records may swap theirs.
fn check_names(facts: &impl Facts, parts: &ChangeSetParts<'_>, conflicts: &mut Vec<Conflict>) {
    let mut claimed = BTreeSet::new();
    for (key, write) in parts.writes {
        let Some(name) = write.record().and_then(UniqueName::of) else {
            continue;
        };
        let keeps_it = |holder: &RecordKey| {
            let written = parts.writes.get(holder).and_then(Write::record);
            written
                .and_then(UniqueName::of)
                .is_none_or(|its| its == name)
        };
        let holder = facts.holder_of_name(name);
        let is_kept = holder.is_some_and(|holder| holder != *key && keeps_it(&holder));
        if is_kept || !claimed.insert(name) {
            conflicts.push(Conflict::Taken(key.clone()));
        }
    }
}

/// R7.
fn check_events(facts: &impl Facts, events: &[StockEvent], conflicts: &mut Vec<Conflict>) {
    let mut ids = BTreeSet::new();
    let mut places: BTreeSet<(&StockKey, u64)> = BTreeSet::new();
    for event in events {
        let is_new = ids.insert(event.id) && !facts.has_event(event.id);
        let is_next = places.insert((&event.key, event.sequence))
            && !facts.has_sequence(&event.key, event.sequence);
        if !(is_new && is_next) {
            conflicts.push(Conflict::EventExists(event.id));
        }
    }
}

fn check_jobs(facts: &impl Facts, parts: &ChangeSetParts<'_>, conflicts: &mut Vec<Conflict>) {
    let mut ids = BTreeSet::new();
    for job in parts.jobs {
        if facts.has_job(job.id) || !ids.insert(job.id) {
            conflicts.push(Conflict::JobExists(job.id));
        }
    }
}

impl Entry {
    /// The document whose line was counted.
    pub const fn document(&self) -> RecordKey {
        match self {
            Self::StockTake(entry) => RecordKey::StockTake(entry.take),
            Self::InventoryCount(entry) => RecordKey::InventoryCount(entry.count),
        }
    }
}
