//! The one write: every expectation is checked first, then all of it is applied, which can't fail.

use std::collections::BTreeSet;

use super::catalogue::UniqueName;
use super::commands::Known;
use super::queue::Queue;
use super::state::{Organisation, State};
use crate::domain::{OrganisationId, StockEvent, StockKey, Timestamp};
use crate::store::{
    ChangeSet, ChangeSetParts, CommitError, CommitOutcome, Conflict, Entry, Guard, JobAck,
    JobProgress, JobState, NewJob, RecordKey, StoreError, StoreErrorKind, Write,
};

/// Applies a change set, or nothing of it.
pub(super) fn commit(state: &mut State, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
    let parts = changes.parts();
    let unknown = Organisation::default();
    let organisation = state
        .organisations
        .get(&parts.organisation)
        .unwrap_or(&unknown);
    match organisation.commands.get(&parts.command.id) {
        Some(Known::Applied(command)) if command.digest == parts.command.digest => {
            let outcome = command.outcome.clone();
            return Ok(CommitOutcome::AlreadyApplied(outcome));
        }
        Some(Known::Applied(_)) => return Err(CommitError::CommandReused),
        Some(Known::Void) => return Err(CommitError::Voided),
        None => {}
    }
    if changes.size() > ChangeSet::MAX_SIZE {
        return Err(CommitError::TooLarge {
            limit: ChangeSet::MAX_SIZE,
        });
    }
    check(organisation, &state.queue, &parts)?;
    apply(state, &parts);
    Ok(CommitOutcome::Applied)
}

fn check(
    organisation: &Organisation,
    queue: &Queue,
    parts: &ChangeSetParts<'_>,
) -> Result<(), CommitError> {
    let is_delete = |write: &Write| matches!(write, Write::Delete { .. });
    if parts
        .writes
        .iter()
        .any(|(key, write)| is_delete(write) && !Organisation::is_ever_deleted(key))
    {
        let error = StoreError::new(StoreErrorKind::Corrupt, "commit");
        return Err(error
            .because("records of this kind are never deleted")
            .into());
    }
    for ack in parts.acks {
        if let JobAck::Leased(token) = ack
            && !(token.organisation == parts.organisation && queue.is_held(*token))
        {
            return Err(CommitError::LeaseLost(token.job));
        }
    }
    let mut conflicts = Vec::new();
    check_guards(organisation, parts, &mut conflicts);
    check_writes(organisation, parts, &mut conflicts);
    check_names(organisation, parts, &mut conflicts);
    check_events(organisation, parts.events, &mut conflicts);
    check_jobs(queue, parts, &mut conflicts);
    if conflicts.is_empty() {
        Ok(())
    } else {
        Err(CommitError::Conflict(conflicts))
    }
}

/// R8.
fn check_guards(
    organisation: &Organisation,
    parts: &ChangeSetParts<'_>,
    conflicts: &mut Vec<Conflict>,
) {
    for guard in parts.guards {
        match *guard {
            Guard::Epoch { take, epoch } => {
                let header = organisation.takes.headers.get(take);
                let actual = header.map(|header| header.value.epoch());
                if actual != Some(epoch) {
                    conflicts.push(Conflict::Epoch { take, actual });
                }
            }
            Guard::Site { site, version } => {
                let key = RecordKey::Site(site);
                match organisation.version(&key) {
                    Some(actual) if actual == version => {}
                    Some(actual) => conflicts.push(Conflict::Stale { key, actual }),
                    None => conflicts.push(Conflict::Missing(key)),
                }
            }
            Guard::CountEpoch { count, epoch } => {
                let header = organisation.counts.headers.get(count);
                let actual = header.map(|header| header.value.epoch());
                if actual != Some(epoch) {
                    conflicts.push(Conflict::CountEpoch { count, actual });
                }
            }
        }
    }
}

/// R2 and R3, and that lines and entries have a document.
fn check_writes(
    organisation: &Organisation,
    parts: &ChangeSetParts<'_>,
    conflicts: &mut Vec<Conflict>,
) {
    let mut told = BTreeSet::new();
    let mut must_be_there = |document: RecordKey, conflicts: &mut Vec<Conflict>| {
        let is_there =
            organisation.version(&document).is_some() || parts.writes.contains_key(&document);
        if !is_there && told.insert(document.clone()) {
            conflicts.push(Conflict::Missing(document));
        }
    };
    for (key, write) in parts.writes {
        let actual = organisation.version(key);
        match (write, actual) {
            (Write::Insert(_), None) => {
                if let Some(document) = document_of(key) {
                    must_be_there(document, conflicts);
                }
            }
            (Write::Insert(_), Some(_)) => conflicts.push(Conflict::Exists(key.clone())),
            (Write::Update { .. } | Write::Delete { .. }, None) => {
                conflicts.push(Conflict::Missing(key.clone()));
            }
            (Write::Update { expected, .. } | Write::Delete { expected }, Some(actual)) => {
                if *expected != actual {
                    let key = key.clone();
                    conflicts.push(Conflict::Stale { key, actual });
                }
            }
        }
    }
    for entry in parts.entries {
        let document = match entry {
            Entry::StockTake(entry) => RecordKey::StockTake(entry.take),
            Entry::InventoryCount(entry) => RecordKey::InventoryCount(entry.count),
        };
        must_be_there(document, conflicts);
    }
}

/// The document that a record is a line of.
const fn document_of(key: &RecordKey) -> Option<RecordKey> {
    match key {
        RecordKey::StockTakeItem(take, _) => Some(RecordKey::StockTake(*take)),
        RecordKey::InventoryCountItem(count, _) => Some(RecordKey::InventoryCount(*count)),
        RecordKey::InventoryOrderItem(order, _) => Some(RecordKey::InventoryOrder(*order)),
        RecordKey::Site(_)
        | RecordKey::Product(_)
        | RecordKey::Supplier(_)
        | RecordKey::StockTake(_)
        | RecordKey::InventoryCount(_)
        | RecordKey::OpenCount(_)
        | RecordKey::StockAdjustment(_)
        | RecordKey::InventoryOrder(_)
        | RecordKey::StockImport(_)
        | RecordKey::ImportChunk(..)
        | RecordKey::Export(_)
        | RecordKey::ExportChunk(..)
        | RecordKey::StockLevel(_) => None,
    }
}

/// R17, as the names will be after the commit: two records may swap theirs.
fn check_names(
    organisation: &Organisation,
    parts: &ChangeSetParts<'_>,
    conflicts: &mut Vec<Conflict>,
) {
    let mut claimed = BTreeSet::new();
    for (key, write) in parts.writes {
        let Some(name) = named(write) else {
            continue;
        };
        let keeps_it = |holder: &RecordKey| {
            let written = parts.writes.get(holder).and_then(named);
            written.is_none_or(|its| its == name)
        };
        let holder = organisation.catalogue.holder_of_name(name);
        let is_kept = holder.is_some_and(|holder| holder != *key && keeps_it(&holder));
        if is_kept || !claimed.insert(name) {
            conflicts.push(Conflict::Taken(key.clone()));
        }
    }
}

/// The unique name that a write leaves behind.
fn named(write: &Write) -> Option<UniqueName<'_>> {
    match write {
        Write::Insert(record) | Write::Update { record, .. } => UniqueName::of(record),
        Write::Delete { .. } => None,
    }
}

/// R7.
fn check_events(organisation: &Organisation, events: &[StockEvent], conflicts: &mut Vec<Conflict>) {
    let mut ids = BTreeSet::new();
    let mut places: BTreeSet<(&StockKey, u64)> = BTreeSet::new();
    for event in events {
        let is_new = ids.insert(event.id) && !organisation.stock.has_event(event.id);
        let is_next = places.insert((&event.key, event.sequence))
            && !organisation.stock.has_sequence(&event.key, event.sequence);
        if !(is_new && is_next) {
            conflicts.push(Conflict::EventExists(event.id));
        }
    }
}

fn check_jobs(queue: &Queue, parts: &ChangeSetParts<'_>, conflicts: &mut Vec<Conflict>) {
    let mut ids = BTreeSet::new();
    for job in parts.jobs {
        if queue.job(parts.organisation, job.id).is_some() || !ids.insert(job.id) {
            conflicts.push(Conflict::JobExists(job.id));
        }
    }
}

fn apply(state: &mut State, parts: &ChangeSetParts<'_>) {
    let ChangeSetParts {
        organisation: id,
        command,
        guards: _,
        writes,
        events,
        entries,
        jobs,
        progress,
        acks,
    } = *parts;
    let organisation: &mut Organisation = state.organisations.entry(id).or_default();
    for (key, write) in writes {
        match write {
            Write::Insert(record) | Write::Update { record, .. } => organisation.put(record),
            Write::Delete { .. } => organisation.delete(key),
        }
    }
    for event in events {
        organisation.stock.append(event);
    }
    for entry in entries {
        match entry {
            Entry::StockTake(entry) => organisation.takes.lines_mut(entry.take).add_entry(entry),
            Entry::InventoryCount(entry) => organisation.counts.add_entry(entry),
        }
    }
    organisation.commands.remember(command);
    settle_jobs(
        &mut state.queue,
        id,
        parts.command.at,
        (jobs, progress, acks),
    );
}

/// Jobs are born first, so that what the same commit says of them holds.
fn settle_jobs(
    queue: &mut Queue,
    organisation: OrganisationId,
    at: Timestamp,
    (jobs, progress, acks): (&[NewJob], &[JobProgress], &[JobAck]),
) {
    for job in jobs {
        queue.add(organisation, job, at);
    }
    for step in progress {
        queue.progress(organisation, step);
    }
    for ack in acks {
        let (job, state) = match ack {
            JobAck::Leased(token) => (token.job, JobState::Succeeded),
            JobAck::Settled(job) => (*job, JobState::Succeeded),
            JobAck::Refused(job) => (*job, JobState::Refused),
        };
        queue.end(organisation, job, state, at);
    }
}
