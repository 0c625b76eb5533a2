//! The one write: every expectation is checked first, then all of it is applied, which can't fail.

use super::commands;
use super::queue::Queue;
use super::state::{Organisation, State};
use crate::domain::{
    InventoryCountId, JobId, OrganisationId, StockEventId, StockKey, StockTakeId, Timestamp,
};
use crate::store::{
    ChangeSet, ChangeSetParts, CommitError, CommitOutcome, Entry, Facts, JobAck, JobProgress,
    JobState, LeaseToken, NewJob, RecordKey, UniqueName, Version, Write, check,
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
        Some(commands::Known::Applied(command)) if command.digest == parts.command.digest => {
            let outcome = command.outcome.clone();
            return Ok(CommitOutcome::AlreadyApplied(outcome));
        }
        Some(commands::Known::Applied(_)) => return Err(CommitError::CommandReused),
        Some(commands::Known::Void) => return Err(CommitError::Voided),
        None => {}
    }
    let known = Known {
        id: parts.organisation,
        organisation,
        queue: &state.queue,
    };
    check(changes, &known)?;
    apply(state, &parts);
    Ok(CommitOutcome::Applied)
}

/// What is known at the commit.
struct Known<'a> {
    id: OrganisationId,
    organisation: &'a Organisation,
    queue: &'a Queue,
}

impl Facts for Known<'_> {
    fn version(&self, key: &RecordKey) -> Option<Version> {
        self.organisation.version(key)
    }

    fn epoch(&self, take: StockTakeId) -> Option<u64> {
        let header = self.organisation.takes.headers.get(take);
        header.map(|header| header.value.epoch())
    }

    fn count_epoch(&self, count: InventoryCountId) -> Option<u64> {
        let header = self.organisation.counts.headers.get(count);
        header.map(|header| header.value.epoch())
    }

    fn holder_of_name(&self, name: UniqueName<'_>) -> Option<RecordKey> {
        self.organisation.catalogue.holder_of_name(name)
    }

    fn has_event(&self, id: StockEventId) -> bool {
        self.organisation.stock.has_event(id)
    }

    fn has_sequence(&self, key: &StockKey, sequence: u64) -> bool {
        self.organisation.stock.has_sequence(key, sequence)
    }

    fn has_job(&self, id: JobId) -> bool {
        self.queue.job(self.id, id).is_some()
    }

    fn is_held(&self, token: LeaseToken) -> bool {
        self.queue.is_held(token)
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
    organisation.commits = organisation.commits.saturating_add(1);
    for record in writes.values().filter_map(Write::record) {
        organisation.put(record);
    }
    // Last: what is deleted by this commit says nothing to what it inserts (R3).
    for (key, write) in writes {
        if let Write::Delete { .. } = write {
            organisation.delete(key);
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
