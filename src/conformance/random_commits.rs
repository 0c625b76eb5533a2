//! Random change sets, most of which make sense.

use std::sync::Arc;

use super::checks::Wrong;
use super::filters::every_filter;
use super::harness::Handle;
use super::lists::sorts;
use super::questions::Question;
use super::records::{COUNT, count_line_id, line_id, outcomes, read, record};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use super::seed::Seed;
use super::shelves::{every_list, keys, named};
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::memory::MemoryStore;
use crate::store::{
    ChangeSet, Command, DeletableKey, Guard, JobAck, JobProgress, LeaseToken, NewJob, Progress,
    RecordKey, RepositoryExt, Version,
};

/// What is made up for both stores.
pub(super) struct Random {
    sampler: Sampler,
    /// Goes forward, and now and then back.
    now: i64,
    /// How many commands there were.
    commands: u64,
    /// What was committed, to be sent again.
    sent: Vec<ChangeSet>,
    tokens: Vec<LeaseToken>,
}

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            sampler: Sampler::new(seed, Filling::Mixed),
            now: 0,
            commands: 0,
            sent: Vec::new(),
            tokens: Vec::new(),
        }
    }

    pub(super) const fn seed(&mut self) -> &mut Seed {
        &mut self.sampler.seed
    }

    /// A moment, and a later one.
    pub(super) fn span(&mut self) -> (Timestamp, Timestamp) {
        let step = i64::try_from(self.seed().below(6)).unwrap_or(0);
        self.now += step - 1;
        (at(self.now), at(self.now + step))
    }

    pub(super) const fn organisation(&mut self) -> OrganisationId {
        if self.seed().one_in(5) {
            STRANGER
        } else {
            ORGANISATION
        }
    }

    /// Organisations have jobs of their own, so that which of two is due first is never open.
    pub(super) fn job(&mut self, whose: OrganisationId) -> JobId {
        let n = 1 + u128::from(self.seed().below(6));
        job_id(if whose == ORGANISATION { n } else { n + 6 })
    }

    pub(super) fn new_job(&mut self, whose: OrganisationId) -> NewJob {
        let due = i64::try_from(self.seed().below(6)).unwrap_or(0);
        let attempts = u32::try_from(self.seed().below(4)).unwrap_or(0);
        NewJob {
            id: self.job(whose),
            ..job(1, self.now + due - 2, attempts)
        }
    }

    pub(super) fn keep(&mut self, token: Option<LeaseToken>) {
        self.tokens.extend(token);
    }

    /// A token that was given once, or one that may never have been.
    pub(super) fn token(&mut self) -> Option<LeaseToken> {
        let token = self.sampler.seed.pick(&self.tokens).copied()?;
        let attempt = if self.seed().one_in(4) {
            token.attempt + 1
        } else {
            token.attempt
        };
        Some(LeaseToken { attempt, ..token })
    }

    /// A command that there was, or one that there may be.
    pub(super) fn known_command(&mut self) -> Command {
        let commands = self.commands + 2;
        let n = self.seed().below(commands);
        self.command(n)
    }

    fn command(&mut self, n: u64) -> Command {
        let request = if self.seed().one_in(4) { "y" } else { "x" };
        Command {
            at: at(self.now),
            ..command(&format!("random {n}"), request)
        }
    }

    /// A list in any order, narrowed in any way.
    pub(super) fn question(&mut self) -> Question {
        let mut all = every_list();
        all.extend(every_filter());
        let sorts: Vec<_> = sorts().collect();
        let seed = self.seed();
        let sort = seed.pick(&sorts).copied().unwrap_or_default();
        match seed.pick(&all).cloned() {
            Some(Question::StockTakeItems(take, filter, _)) => {
                Question::StockTakeItems(take, filter, sort)
            }
            Some(Question::Articles(site, filter, _)) => Question::Articles(site, filter, sort),
            Some(question) => question,
            None => Question::DeadJobs,
        }
    }

    /// A change set for the state that the reference is in.
    pub(super) async fn changes(&mut self, reference: &MemoryStore) -> Result<ChangeSet, Wrong> {
        if self.seed().one_in(10)
            && let Some(again) = self.sampler.seed.pick(&self.sent)
        {
            return Ok(again.clone());
        }
        self.span();
        let whose = self.organisation();
        let reference: Handle = Arc::new(reference.clone());
        let mut changes = ChangeSet::new(whose, self.new_command()?);
        // Mostly one part that may be wrong among many that are right, so that most commits are applied.
        for _ in 0..self.seed().below(8) {
            self.write(&reference, whose, &mut changes).await?;
        }
        if self.seed().one_in(2) {
            self.guard(&reference, whose, &mut changes).await?;
        }
        self.ledger_parts(&mut changes);
        self.job_parts(whose, &mut changes);
        self.sent.push(changes.clone());
        Ok(changes)
    }

    fn new_command(&mut self) -> Result<Command, Wrong> {
        if self.seed().one_in(12) {
            return Ok(self.known_command());
        }
        self.commands += 1;
        let outcomes = outcomes(&mut self.sampler)?;
        let outcome = self.sampler.seed.pick(&outcomes).cloned();
        let n = self.commands;
        let known = self.command(n);
        Ok(Command {
            outcome: outcome.unwrap_or(crate::store::Outcome::Done),
            ..known
        })
    }

    async fn write(
        &mut self,
        reference: &Handle,
        whose: OrganisationId,
        changes: &mut ChangeSet,
    ) -> Result<(), Wrong> {
        let keys = keys();
        let Some(key) = self.sampler.seed.pick(&keys).cloned() else {
            return Ok(());
        };
        let known = read(&**reference, whose, &key).await?;
        let version = known.as_ref().map(|(version, _)| version.unwrap_or(V1));
        // Now and then the version, or the very existence, is not as it is.
        let is_wrong = self.seed().one_in(25);
        let expected = match (version, is_wrong) {
            (Some(version), false) => Some(version),
            (Some(version), true) if self.seed().one_in(2) => Some(version.next()),
            (None, true) => Some(V1),
            (Some(_), true) | (None, false) => None,
        };
        let record = if self.seed().one_in(5) {
            // Its name may be somebody else's.
            record(&mut self.sampler, &key)?
        } else {
            named(&mut self.sampler, &key)?
        };
        self.document_first(reference, whose, &key, changes).await?;
        match (expected, DeletableKey::of(&key)) {
            (None, _) => changes.insert(record),
            (Some(version), Some(key)) if self.seed().one_in(4) => changes.delete(version, key),
            (Some(version), _) => changes.update(version, record),
        }
        Ok(())
    }

    /// Mostly a line comes with its document.
    async fn document_first(
        &mut self,
        reference: &Handle,
        whose: OrganisationId,
        key: &RecordKey,
        changes: &mut ChangeSet,
    ) -> Result<(), Wrong> {
        let document = match key {
            RecordKey::StockTakeItem(take, _) => RecordKey::StockTake(*take),
            RecordKey::InventoryCountItem(count, _) => RecordKey::InventoryCount(*count),
            RecordKey::InventoryOrderItem(order, _) => RecordKey::InventoryOrder(*order),
            _ => return Ok(()),
        };
        if read(&**reference, whose, &document).await?.is_none() && !self.seed().one_in(10) {
            changes.insert(record(&mut self.sampler, &document)?);
        }
        Ok(())
    }

    async fn guard(
        &mut self,
        reference: &Handle,
        whose: OrganisationId,
        changes: &mut ChangeSet,
    ) -> Result<(), Wrong> {
        let off = u64::from(self.seed().one_in(12));
        match self.seed().below(3) {
            0 => {
                let take = reference.stock_take(whose, TAKE).await?;
                if let Some(take) = take {
                    let epoch = take.epoch() + off;
                    changes.guard(Guard::Epoch { take: TAKE, epoch });
                }
            }
            1 => {
                let count = reference.inventory_count(whose, COUNT).await?;
                if let Some(count) = count {
                    let epoch = count.epoch() + off;
                    changes.guard(Guard::CountEpoch {
                        count: COUNT,
                        epoch,
                    });
                }
            }
            _ => {
                let site = reference.site(whose, SITE).await?;
                let version = site.map_or(0, |site| site.version.get());
                if version > 0 || off > 0 {
                    let version = Version::new(version + off);
                    changes.guard(Guard::Site {
                        site: SITE,
                        version,
                    });
                }
            }
        }
        Ok(())
    }

    fn ledger_parts(&mut self, changes: &mut ChangeSet) {
        for _ in 0..self.seed().below(3) {
            // Wide enough that most are new.
            let id = 1 + u128::from(self.seed().below(300));
            let n = 1 + u128::from(self.seed().below(4));
            let sequence = 1 + self.seed().below(100);
            changes.event(event(id, key(n), sequence));
        }
        if self.seed().one_in(6) {
            let id = u128::from(self.seed().below(4));
            let mut entry = entry(id, &item(1));
            entry.item = line_id(1 + id);
            changes.entry(entry);
        }
        if self.seed().one_in(8) {
            let made = self.sampler.make(&[("count", COUNT.as_uuid())]);
            if let Ok(entry) = made {
                let mut entry: crate::domain::InventoryCountEntry = entry;
                entry.item = count_line_id(1 + u128::from(self.seed().below(4)));
                changes.entry(entry);
            }
        }
    }

    fn job_parts(&mut self, whose: OrganisationId, changes: &mut ChangeSet) {
        if self.seed().one_in(4) {
            let new = self.new_job(whose);
            changes.job(new);
        }
        if self.seed().one_in(4) {
            let progress = Progress {
                done: self.seed().below(5),
                total: self.seed().below(9),
            };
            let job = self.job(whose);
            changes.progress(JobProgress { job, progress });
        }
        if self.seed().one_in(8) {
            let job = self.job(whose);
            let settled = self.seed().one_in(2);
            changes.ack(if settled {
                JobAck::Settled(job)
            } else {
                JobAck::Refused(job)
            });
        }
        if self.seed().one_in(12)
            && let Some(token) = self.token()
        {
            changes.ack(JobAck::Leased(token));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{
        CommitError, CommitOutcome, Conflict, JobKind, JobQueue as _, Repository as _,
    };

    fn kind(conflict: &Conflict) -> &'static str {
        match conflict {
            Conflict::Exists(_) => "exists",
            Conflict::Missing(_) => "missing",
            Conflict::Stale { .. } => "stale",
            Conflict::Epoch { .. } => "epoch",
            Conflict::CountEpoch { .. } => "count epoch",
            Conflict::Taken(_) => "taken",
            Conflict::EventExists(_) => "event exists",
            Conflict::JobExists(_) => "job exists",
        }
    }

    /// A random walk that refuses everything, or meets no conflict, would show nothing.
    #[tokio::test]
    async fn random_commits_are_of_every_kind() -> Result<(), Wrong> {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for seed in 1..=20 {
            let store = MemoryStore::new();
            let mut random = Random::new(seed);
            for _ in 0..60 {
                let changes = random.changes(&store).await?;
                let (now, until) = random.span();
                let lease = store.lease("w", JobKind::ALL, now, until).await?;
                random.keep(lease.map(|lease| lease.token));
                match store.commit(&changes).await {
                    Ok(CommitOutcome::Applied) => *seen.entry("applied").or_default() += 1,
                    Ok(CommitOutcome::AlreadyApplied(_)) => *seen.entry("again").or_default() += 1,
                    Err(CommitError::Conflict(conflicts)) => {
                        for conflict in &conflicts {
                            *seen.entry(kind(conflict)).or_default() += 1;
                        }
                    }
                    Err(CommitError::CommandReused) => *seen.entry("reused").or_default() += 1,
                    Err(CommitError::LeaseLost(_)) => *seen.entry("lost").or_default() += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        assert!(seen["applied"] >= 400, "{seen:?}");
        assert_eq!(seen.len(), 12, "{seen:?}");
        Ok(())
    }
}
