//! The one write: is it known, is all as expected, then all of it.

use stocktake::domain::{
    InventoryCount, InventoryCountId, JobId, LedgerEntry, OrganisationId, StockEvent, StockEventId,
    StockKey, StockTake, StockTakeId,
};
use stocktake::store::{
    ChangeSet, ChangeSetParts, CommitError, CommitOutcome, Facts, JobAck, JobState, LeaseToken,
    Record, RecordKey, UniqueName, Version, Versioned, Write, check,
};

use super::{Handled, State};

impl State {
    /// Applies a change set, or nothing of it.
    pub(super) fn commit(&mut self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        // Without `..`: what a later version of the library adds must not be lost.
        let ChangeSetParts {
            organisation,
            command,
            guards: _, // `check` looks at them
            writes,
            events,
            entries,
            jobs,
            progress,
            acks,
        } = changes.parts();

        // R12, R13: a command that was handled before anything else.
        if let Some(handled) = self.commands.get(&(organisation, command.id.clone())) {
            return match &handled.command {
                Some(first) if first.digest == command.digest => {
                    Ok(CommitOutcome::AlreadyApplied(first.outcome.clone()))
                }
                Some(_) => Err(CommitError::CommandReused),
                None => Err(CommitError::Voided),
            };
        }
        // All that is demanded, in the words of the contract (R2, R3, R7, R8, R15, R17, Q4).
        let state = self;
        check(
            changes,
            &Known {
                state,
                organisation,
            },
        )?;

        // From here on nothing can fail.
        *state.commits.entry(organisation).or_default() += 1;
        for (key, write) in writes {
            if let Some(record) = write.record() {
                state.put(organisation, key, record.clone());
            }
        }
        // Last: what this commit deletes says nothing to what it inserts (R3).
        for (key, write) in writes {
            if let Write::Delete { expected } = write {
                state.delete(organisation, key, *expected);
            }
        }
        for event in events {
            state.append(organisation, event.clone());
        }
        let entries = entries.iter().map(|entry| (organisation, entry.clone()));
        state.entries.extend(entries);
        // Jobs are born first, so that what the same commit says of them holds.
        for job in jobs {
            state.queue(organisation, job, command.at);
        }
        for step in progress {
            state.progress(organisation, step);
        }
        for ack in acks {
            let (job, ended) = match ack {
                JobAck::Leased(token) => (token.job, JobState::Succeeded),
                JobAck::Settled(job) => (*job, JobState::Succeeded),
                JobAck::Refused(job) => (*job, JobState::Refused),
            };
            state.end(organisation, job, ended, command.at);
        }
        let handled = Handled {
            at: command.at,
            command: Some(command.clone()),
        };
        let key = (organisation, command.id.clone());
        state.commands.insert(key, handled);
        Ok(CommitOutcome::Applied)
    }

    /// Writes a record with its next version (R3).
    fn put(&mut self, organisation: OrganisationId, key: &RecordKey, value: Record) {
        let key = (organisation, key.clone());
        let commit = self.commits.get(&organisation).copied().unwrap_or_default();
        self.changed.insert(key.clone(), commit);
        let mut last = self.records.get(&key).map(|record| record.version);
        if let (None, RecordKey::StockTakeItem(take, _)) = (last, &key.1) {
            last = self.retired.get(&(organisation, *take)).copied();
        }
        let version = last.map_or(Version::FIRST, Version::next);
        self.records.insert(key, Versioned { version, value });
    }

    /// Deletes a record; of a take's line the version is kept, if it is the highest (R3).
    fn delete(&mut self, organisation: OrganisationId, key: &RecordKey, version: Version) {
        self.records.remove(&(organisation, key.clone()));
        if let RecordKey::StockTakeItem(take, _) = key {
            let highest = self.retired.entry((organisation, *take)).or_insert(version);
            *highest = version.max(*highest);
        }
    }

    /// Appends to the ledger, at the next position of the site (R10).
    fn append(&mut self, organisation: OrganisationId, event: StockEvent) {
        let (site, key, sequence) = (event.key.site, event.key.clone(), event.sequence);
        let position = self.positions.entry((organisation, site)).or_default();
        *position += 1;
        let entry = LedgerEntry {
            position: *position,
            event,
        };
        let id = (organisation, entry.event.id);
        self.places.insert(id, (key.clone(), sequence));
        self.events.insert((organisation, key, sequence), entry);
    }
}

/// What is known at the commit, of the organisation whose it is. A store in SQL asks for all that the change set names
/// first, and locks it, and answers from that.
struct Known<'a> {
    state: &'a State,
    organisation: OrganisationId,
}

impl Facts for Known<'_> {
    fn version(&self, key: &RecordKey) -> Option<Version> {
        let record = self.state.records.get(&(self.organisation, key.clone()));
        record.map(|record| record.version)
    }

    fn epoch(&self, take: StockTakeId) -> Option<u64> {
        let key = RecordKey::StockTake(take);
        let take = self.state.record::<StockTake>(self.organisation, key);
        take.map(|take| take.epoch())
    }

    fn count_epoch(&self, count: InventoryCountId) -> Option<u64> {
        let key = RecordKey::InventoryCount(count);
        let count = self.state.record::<InventoryCount>(self.organisation, key);
        count.map(|count| count.epoch())
    }

    fn holder_of_name(&self, name: UniqueName<'_>) -> Option<RecordKey> {
        let mut records = self.state.records.iter();
        let holder = records.find(|((whose, _), record)| {
            *whose == self.organisation && UniqueName::of(&record.value) == Some(name)
        });
        holder.map(|((_, key), _)| key.clone())
    }

    fn has_event(&self, id: StockEventId) -> bool {
        self.state.places.contains_key(&(self.organisation, id))
    }

    fn has_sequence(&self, key: &StockKey, sequence: u64) -> bool {
        let place = (self.organisation, key.clone(), sequence);
        self.state.events.contains_key(&place)
    }

    fn has_job(&self, id: JobId) -> bool {
        self.state.jobs.contains_key(&(self.organisation, id))
    }

    fn is_held(&self, token: LeaseToken) -> bool {
        self.state.is_held(token)
    }
}
