//! The one write: every expectation is checked first, then all of it is applied, which can't fail.

use std::collections::BTreeSet;

use super::commands::Known;
use super::queue::Queue;
use super::state::{Organisation, State};
use crate::domain::{Code, OrganisationId, StockEvent, StockKey};
use crate::store::{
    ChangeSet, ChangeSetParts, CommitError, CommitOutcome, Conflict, Guard, JobAck, Record,
    RecordKey, StoreError, StoreErrorKind, Write,
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
    let is_line = |key: &RecordKey| matches!(key, RecordKey::StockTakeItem(..));
    if parts
        .writes
        .iter()
        .any(|(key, write)| is_delete(write) && !is_line(key))
    {
        let error = StoreError::new(StoreErrorKind::Corrupt, "commit");
        return Err(error
            .because("only lines of a take are ever deleted")
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
        let Guard::Epoch { take, epoch } = *guard;
        let actual = organisation
            .takes
            .get(take)
            .map(|take| take.header.value.epoch());
        if actual != Some(epoch) {
            conflicts.push(Conflict::Epoch { take, actual });
        }
    }
}

/// R2 and R3, and that lines and entries have a take.
fn check_writes(
    organisation: &Organisation,
    parts: &ChangeSetParts<'_>,
    conflicts: &mut Vec<Conflict>,
) {
    let mut without_take = BTreeSet::new();
    let mut has_take = |id, conflicts: &mut Vec<Conflict>| {
        let key = RecordKey::StockTake(id);
        let is_there = organisation.takes.get(id).is_some() || parts.writes.contains_key(&key);
        if !is_there && without_take.insert(id) {
            conflicts.push(Conflict::Missing(key));
        }
        is_there
    };
    for (key, write) in parts.writes {
        let actual = organisation.version(key);
        match (write, actual) {
            (Write::Insert(record), None) => {
                if let Record::StockTakeItem(item) = record {
                    has_take(item.take, conflicts);
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
        has_take(entry.take, conflicts);
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
        let Some((record, name)) = named(write) else {
            continue;
        };
        let keeps_it = |holder: &RecordKey| {
            let written = parts.writes.get(holder).and_then(named);
            written.is_none_or(|(_, its)| its == name)
        };
        let holder = organisation.catalogue.holder_of_name(record);
        let is_kept = holder.is_some_and(|holder| holder != *key && keeps_it(&holder));
        let is_site = matches!(record, Record::Site(_));
        if is_kept || !claimed.insert((is_site, name)) {
            conflicts.push(Conflict::Taken(key.clone()));
        }
    }
}

/// What a write leaves behind that has a unique name.
fn named(write: &Write) -> Option<(&Record, &Code)> {
    let record = match write {
        Write::Insert(record) | Write::Update { record, .. } => record,
        Write::Delete { .. } => return None,
    };
    let name = match record {
        Record::Site(site) => &site.external_id,
        Record::Product(product) => &product.article_id,
        Record::Supplier(_)
        | Record::StockTake(_)
        | Record::StockTakeItem(_)
        | Record::StockLevel(_) => return None,
    };
    Some((record, name))
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
        if let Some(take) = organisation.takes.get_mut(entry.take) {
            take.lines.add_entry(entry);
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
    at: crate::domain::Timestamp,
    (jobs, progress, acks): (
        &[crate::store::NewJob],
        &[crate::store::JobProgress],
        &[JobAck],
    ),
) {
    for job in jobs {
        queue.add(organisation, job, at);
    }
    for step in progress {
        queue.progress(organisation, step);
    }
    for ack in acks {
        match ack {
            JobAck::Leased(token) => queue.succeed(organisation, token.job, at),
            JobAck::Settled(job) => queue.succeed(organisation, *job, at),
        }
    }
}
