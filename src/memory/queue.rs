//! The queue of jobs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::merged::{Course, Walk};
use super::stock::count;
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::store::{
    EndedJobs, Job, JobKind, JobProgress, JobState, Lease, LeaseToken, List, NewJob, Page,
    PageRequest, Progress, StoreError,
};

/// The most bytes of an error message that are kept.
const MOST_ERROR_BYTES: usize = 2_000;

/// The jobs of all organisations.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    jobs: HashMap<JobKey, Kept>,
    /// What can be leased, by since when: queued jobs by their time, running ones by the end of their
    /// lease.
    due: BTreeSet<(Timestamp, JobKey)>,
    /// Dead jobs, the oldest first.
    dead: BTreeMap<OrganisationId, BTreeSet<(Timestamp, JobId)>>,
    /// Jobs that succeeded or were refused, by when they ended.
    over: BTreeMap<OrganisationId, BTreeSet<(Timestamp, JobId)>>,
}

/// Job ids are unique within an organisation only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct JobKey {
    job: JobId,
    organisation: OrganisationId,
}

#[derive(Clone, Debug)]
struct Kept {
    job: Job,
    /// How often it was leased, ever: what a token is checked by. A job that is queued again forgets its
    /// attempts, but a token of its earlier life must not come alive again (Q4).
    leases: u32,
}

impl Kept {
    fn end(&mut self, state: JobState, at: Timestamp) {
        self.job.state = state;
        self.job.finished_at = Some(at);
    }

    fn is_spent(&self) -> bool {
        self.job.attempts >= self.job.max_attempts || self.leases == u32::MAX
    }
}

/// Where a job is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    Due(Timestamp),
    Dead(Timestamp),
    Over(Timestamp),
}

impl Listing {
    fn of(job: &Job) -> Self {
        match &job.state {
            JobState::Queued => Self::Due(job.run_at),
            JobState::Running { until, .. } => Self::Due(*until),
            JobState::Dead => Self::Dead(job.created_at),
            JobState::Succeeded | JobState::Refused => {
                Self::Over(job.finished_at.unwrap_or(job.created_at))
            }
        }
    }
}

impl Queue {
    pub(super) fn job(&self, organisation: OrganisationId, job: JobId) -> Option<&Job> {
        let kept = self.jobs.get(&JobKey { job, organisation })?;
        Some(&kept.job)
    }

    /// Whether a token is the one of the live lease.
    pub(super) fn is_held(&self, token: LeaseToken) -> bool {
        self.jobs.get(&JobKey::of(token)).is_some_and(|kept| {
            kept.leases == token.attempt && matches!(kept.job.state, JobState::Running { .. })
        })
    }

    /// Queues a job; one that is there already is left alone.
    pub(super) fn add(&mut self, organisation: OrganisationId, new: &NewJob, now: Timestamp) {
        let NewJob {
            id,
            site,
            task,
            requested_by,
            run_at,
            max_attempts,
        } = new;
        let key = JobKey {
            job: *id,
            organisation,
        };
        if self.jobs.contains_key(&key) {
            return;
        }
        let job = Job {
            id: *id,
            organisation,
            site: *site,
            task: *task,
            requested_by: requested_by.clone(),
            state: JobState::Queued,
            attempts: 0,
            max_attempts: *max_attempts,
            run_at: *run_at,
            progress: Progress::default(),
            last_error: None,
            created_at: now,
            finished_at: None,
        };
        self.list(key, Listing::of(&job));
        self.jobs.insert(key, Kept { job, leases: 0 });
    }

    /// Changes a job and lists it where it belongs then. Tells whether it is there.
    fn change(&mut self, key: JobKey, change: impl FnOnce(&mut Kept)) -> bool {
        let Some(kept) = self.jobs.get_mut(&key) else {
            return false;
        };
        let before = Listing::of(&kept.job);
        change(kept);
        let after = Listing::of(&kept.job);
        if before != after {
            self.unlist(key, before);
            self.list(key, after);
        }
        true
    }

    fn list(&mut self, key: JobKey, listing: Listing) {
        let (ended, at) = match listing {
            Listing::Due(at) => {
                self.due.insert((at, key));
                return;
            }
            Listing::Dead(at) => (&mut self.dead, at),
            Listing::Over(at) => (&mut self.over, at),
        };
        let ended = ended.entry(key.organisation).or_default();
        ended.insert((at, key.job));
    }

    fn unlist(&mut self, key: JobKey, listing: Listing) {
        let (ended, at) = match listing {
            Listing::Due(at) => {
                self.due.remove(&(at, key));
                return;
            }
            Listing::Dead(at) => (&mut self.dead, at),
            Listing::Over(at) => (&mut self.over, at),
        };
        if let Some(ended) = ended.get_mut(&key.organisation) {
            ended.remove(&(at, key.job));
        }
    }

    /// Leases the job of some kinds that is due longest. Those on the way whose attempts are spent end dead.
    pub(super) fn lease(
        &mut self,
        worker: &str,
        kinds: &[JobKind],
        now: Timestamp,
        until: Timestamp,
    ) -> Option<Lease> {
        loop {
            let jobs = &self.jobs;
            let is_wanted = |key: &JobKey| {
                let kept = jobs.get(key);
                kept.is_none_or(|kept| kinds.contains(&kept.job.task.kind()))
            };
            let mut due = self.due.iter().take_while(|(since, _)| *since <= now);
            let (since, key) = *due.find(|(_, key)| is_wanted(key))?;
            let mut lease = None;
            let is_there = self.change(key, |kept| {
                if kept.is_spent() {
                    kept.end(JobState::Dead, now);
                    return;
                }
                kept.leases = kept.leases.saturating_add(1);
                kept.job.attempts = kept.job.attempts.saturating_add(1);
                kept.job.state = JobState::Running {
                    worker: worker.to_owned(),
                    until,
                };
                lease = Some(Lease {
                    token: LeaseToken {
                        organisation: key.organisation,
                        job: key.job,
                        attempt: kept.leases,
                    },
                    job: kept.job.clone(),
                });
            });
            if lease.is_some() {
                return lease;
            }
            if !is_there {
                self.due.remove(&(since, key));
            }
        }
    }

    /// Changes a job whose lease is held; tells whether it is.
    fn change_held(&mut self, token: LeaseToken, change: impl FnOnce(&mut Kept)) -> bool {
        self.is_held(token) && self.change(JobKey::of(token), change)
    }

    /// Keeps a lease longer, never shorter.
    pub(super) fn extend(&mut self, token: LeaseToken, longer: Timestamp) -> bool {
        self.change_held(token, |kept| {
            if let JobState::Running { until, .. } = &mut kept.job.state {
                *until = longer.max(*until);
            }
        })
    }

    pub(super) fn ack(&mut self, token: LeaseToken, now: Timestamp) -> bool {
        self.change_held(token, |kept| kept.end(JobState::Succeeded, now))
    }

    pub(super) fn fail(
        &mut self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> bool {
        self.change_held(token, |kept| {
            let end = error.floor_char_boundary(MOST_ERROR_BYTES);
            kept.job.last_error = error.get(..end).map(str::to_owned);
            match retry_at {
                Some(retry_at) if !kept.is_spent() => {
                    kept.job.state = JobState::Queued;
                    kept.job.run_at = retry_at;
                }
                Some(_) | None => kept.end(JobState::Dead, now),
            }
        })
    }

    /// How many jobs of a kind wait or run.
    pub(super) fn unfinished(&self, organisation: OrganisationId, kind: JobKind) -> u64 {
        let due = self.due.iter();
        let due = due.filter(|(_, key)| key.organisation == organisation);
        count(due.filter(|(_, key)| {
            let kept = self.jobs.get(key);
            kept.is_some_and(|kept| kept.job.task.kind() == kind)
        }))
    }

    /// Hands a job back whose attempt does not count.
    pub(super) fn release(&mut self, token: LeaseToken, now: Timestamp) -> bool {
        self.change_held(token, |kept| {
            kept.job.attempts = kept.job.attempts.saturating_sub(1);
            kept.job.state = JobState::Queued;
            kept.job.run_at = now;
        })
    }

    /// Forgets jobs that ended before a moment, at most so many.
    pub(super) fn purge(
        &mut self,
        organisation: OrganisationId,
        which: EndedJobs,
        before: Timestamp,
        limit: usize,
    ) -> u64 {
        let is_old = |(key, kept): &(&JobKey, &Kept)| {
            let is_meant = match kept.job.state {
                JobState::Queued | JobState::Running { .. } => false,
                JobState::Succeeded | JobState::Refused => which == EndedJobs::Over,
                JobState::Dead => which == EndedJobs::Dead,
            };
            let ended = kept.job.finished_at;
            key.organisation == organisation && is_meant && ended.is_some_and(|at| at < before)
        };
        let old = self.jobs.iter().filter(is_old).take(limit);
        let old: Vec<JobKey> = old.map(|(key, _)| *key).collect();
        for key in &old {
            if let Some(kept) = self.jobs.remove(key) {
                self.unlist(*key, Listing::of(&kept.job));
            }
        }
        count(old.into_iter())
    }

    /// Ends a job as succeeded or refused, unless it has ended.
    pub(super) fn end(
        &mut self,
        organisation: OrganisationId,
        job: JobId,
        state: JobState,
        at: Timestamp,
    ) {
        self.change(JobKey { job, organisation }, |kept| match kept.job.state {
            JobState::Queued | JobState::Running { .. } => kept.end(state, at),
            JobState::Succeeded | JobState::Refused | JobState::Dead => {}
        });
    }

    /// Notes how far a job is. What is told late changes nothing (Q9).
    pub(super) fn progress(&mut self, organisation: OrganisationId, step: &JobProgress) {
        let JobProgress { job, progress } = *step;
        self.change(JobKey { job, organisation }, |kept| {
            if progress.done >= kept.job.progress.done {
                kept.job.progress = progress;
            }
        });
    }

    /// Queues a dead job again; tells whether it was dead.
    pub(super) fn requeue(
        &mut self,
        organisation: OrganisationId,
        job: JobId,
        run_at: Timestamp,
    ) -> bool {
        let mut was_dead = false;
        self.change(JobKey { job, organisation }, |kept| {
            was_dead = kept.job.state == JobState::Dead;
            if was_dead {
                kept.job.state = JobState::Queued;
                kept.job.attempts = 0;
                kept.job.run_at = run_at;
                kept.job.finished_at = None;
            }
        });
        was_dead
    }

    /// What waits or runs, the oldest first.
    pub(super) fn open_page(
        &self,
        organisation: OrganisationId,
        request: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let list = List::new("open_jobs", organisation, &());
        let after = list.after::<(Timestamp, JobId)>(request, |_| true)?;
        let open = self.due.iter().map(|(_, key)| key);
        let open = open.filter(|key| key.organisation == organisation);
        let open = open.filter_map(|key| self.job(organisation, key.job));
        let open: BTreeSet<(Timestamp, JobId)> = open.map(|job| (job.created_at, job.id)).collect();
        let total = request.with_total.then(|| count(open.iter()));
        let from = Course::after(after, request.reversed);
        let rows = Walk::of(&open, &from)
            .filter_map(|age| self.job(organisation, age.1).map(|job| (age, job)));
        Ok(list.page(request, rows, total).map(Clone::clone))
    }

    pub(super) fn dead_page(
        &self,
        organisation: OrganisationId,
        request: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let list = List::new("dead_jobs", organisation, &());
        self.ended_page(list, organisation, &self.dead, request)
    }

    /// What succeeded or was refused, in the order in which it ended.
    pub(super) fn over_page(
        &self,
        organisation: OrganisationId,
        request: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let list = List::new("over_jobs", organisation, &());
        self.ended_page(list, organisation, &self.over, request)
    }

    fn ended_page(
        &self,
        list: List,
        organisation: OrganisationId,
        ended: &BTreeMap<OrganisationId, BTreeSet<(Timestamp, JobId)>>,
        request: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let after = list.after::<(Timestamp, JobId)>(request, |_| true)?;
        let nothing = BTreeSet::new();
        let ended = ended.get(&organisation).unwrap_or(&nothing);
        let total = request.with_total.then(|| count(ended.iter()));
        let from = Course::after(after, request.reversed);
        let rows = Walk::of(ended, &from)
            .filter_map(|age| self.job(organisation, age.1).map(|job| (age, job)));
        Ok(list.page(request, rows, total).map(Clone::clone))
    }
}

impl JobKey {
    const fn of(token: LeaseToken) -> Self {
        Self {
            job: token.job,
            organisation: token.organisation,
        }
    }
}
