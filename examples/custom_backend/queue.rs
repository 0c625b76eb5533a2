//! The jobs (Q1 to Q10). They are kept with the records, so that a job can be leased once its commit has landed.

use async_trait::async_trait;
use stocktake::domain::{JobId, OrganisationId, Timestamp};
use stocktake::store::{
    EndedJobs, Job, JobKind, JobProgress, JobQueue, JobState, Lease, LeaseError, LeaseToken, List,
    MAX_PAGE, NewJob, Page, PageRequest, Progress, StoreError,
};

use super::repository::page_of;
use super::{CustomStore, Kept, State};

/// The most bytes of an error that are kept (Q9).
const MAX_ERROR: usize = 2_000;

impl Kept {
    /// Since when it may be leased: a job by its time, a lease once it has expired (Q5, Q7).
    fn due_since(&self) -> Option<Timestamp> {
        match self.job.state {
            JobState::Queued => Some(self.job.run_at),
            JobState::Running { until, .. } => Some(until),
            JobState::Succeeded | JobState::Refused | JobState::Dead => None,
        }
    }

    fn end(&mut self, state: JobState, at: Timestamp) {
        self.job.state = state;
        self.job.finished_at = Some(at);
    }

    fn is_spent(&self) -> bool {
        self.job.attempts >= self.job.max_attempts
    }
}

impl State {
    /// A job is born; one that is there already is left alone (Q2).
    pub(super) fn queue(&mut self, organisation: OrganisationId, new: &NewJob, now: Timestamp) {
        let job = Job {
            id: new.id,
            organisation,
            site: new.site,
            task: new.task,
            requested_by: new.requested_by.clone(),
            state: JobState::Queued,
            attempts: 0,
            max_attempts: new.max_attempts,
            run_at: new.run_at,
            progress: Progress::default(),
            last_error: None,
            created_at: now,
            finished_at: None,
        };
        let kept = Kept { job, leases: 0 };
        self.jobs.entry((organisation, new.id)).or_insert(kept);
    }

    /// Progress only grows (Q9).
    pub(super) fn progress(&mut self, organisation: OrganisationId, step: &JobProgress) {
        if let Some(kept) = self.jobs.get_mut(&(organisation, step.job))
            && step.progress.done >= kept.job.progress.done
        {
            kept.job.progress = step.progress;
        }
    }

    /// What a job was for is done, or refused; one that has ended stays as it is (Q9).
    pub(super) fn end(
        &mut self,
        organisation: OrganisationId,
        job: JobId,
        state: JobState,
        at: Timestamp,
    ) {
        if let Some(kept) = self.jobs.get_mut(&(organisation, job))
            && kept.due_since().is_some()
        {
            kept.end(state, at);
        }
    }

    pub(super) fn is_held(&self, token: LeaseToken) -> bool {
        let kept = self.jobs.get(&(token.organisation, token.job));
        kept.is_some_and(|kept| {
            kept.leases == token.attempt && matches!(kept.job.state, JobState::Running { .. })
        })
    }

    /// The job of a live lease. The clock has no say in that (Q4).
    fn held(&mut self, token: LeaseToken) -> Result<&mut Kept, LeaseError> {
        if !self.is_held(token) {
            return Err(LeaseError::Lost);
        }
        let kept = self.jobs.get_mut(&(token.organisation, token.job));
        kept.ok_or(LeaseError::Lost)
    }

    fn lease(
        &mut self,
        worker: &str,
        kinds: &[JobKind],
        now: Timestamp,
        until: Timestamp,
    ) -> Option<Lease> {
        // The longest due first, of the same age the smaller id (Q8).
        let mut due: Vec<_> = self
            .jobs
            .iter_mut()
            .filter_map(|((whose, id), kept)| Some((kept.due_since()?, *id, *whose, kept)))
            .filter(|(since, _, _, kept)| *since <= now && kinds.contains(&kept.job.task.kind()))
            .collect();
        due.sort_unstable_by_key(|(since, id, whose, _)| (*since, *id, *whose));
        for (_, job, organisation, kept) in due {
            // Its attempts are spent, or its worker died each time (Q6).
            if kept.is_spent() {
                kept.end(JobState::Dead, now);
                continue;
            }
            kept.leases += 1;
            kept.job.attempts += 1;
            kept.job.state = JobState::Running {
                worker: worker.to_owned(),
                until,
            };
            let token = LeaseToken {
                organisation,
                job,
                attempt: kept.leases,
            };
            let job = kept.job.clone();
            return Some(Lease { token, job });
        }
        None
    }
}

#[async_trait]
impl JobQueue for CustomStore {
    async fn lease(
        &self,
        worker: &str,
        kinds: &[JobKind],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        Ok(self.state().lease(worker, kinds, now, until))
    }

    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
        // Never shorter (Q5).
        if let JobState::Running { until: end, .. } = &mut self.state().held(token)?.job.state {
            *end = until.max(*end);
        }
        Ok(())
    }

    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        self.state().held(token)?.end(JobState::Succeeded, now);
        Ok(())
    }

    async fn fail(
        &self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> Result<(), LeaseError> {
        let mut state = self.state();
        let kept = state.held(token)?;
        kept.job.last_error = Some(error[..error.floor_char_boundary(MAX_ERROR)].to_owned());
        match retry_at {
            Some(retry_at) if !kept.is_spent() => {
                kept.job.state = JobState::Queued;
                kept.job.run_at = retry_at;
            }
            _ => kept.end(JobState::Dead, now),
        }
        Ok(())
    }

    async fn release(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        let mut state = self.state();
        let kept = state.held(token)?;
        kept.job.attempts -= 1;
        kept.job.state = JobState::Queued;
        kept.job.run_at = now;
        Ok(())
    }

    async fn job(
        &self,
        organisation: OrganisationId,
        id: JobId,
    ) -> Result<Option<Job>, StoreError> {
        let state = self.state();
        let kept = state.jobs.get(&(organisation, id));
        Ok(kept.map(|kept| kept.job.clone()))
    }

    async fn unfinished(
        &self,
        organisation: OrganisationId,
        kind: JobKind,
    ) -> Result<u64, StoreError> {
        let state = self.state();
        let waiting = state.jobs.iter().filter(|((whose, _), kept)| {
            *whose == organisation && kept.job.task.kind() == kind && kept.due_since().is_some()
        });
        Ok(waiting.count() as u64)
    }

    async fn open_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let state = self.state();
        let open = state
            .jobs
            .iter()
            .filter(|((whose, _), kept)| *whose == organisation && kept.due_since().is_some());
        let open = open.map(|(_, kept)| &kept.job);
        let list = List::new("open_jobs", organisation, &());
        page_of(
            list,
            page,
            open.map(|job| ((job.created_at, job.id), job.clone())),
        )
    }

    async fn dead_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let state = self.state();
        let jobs = state.jobs.values().map(|kept| &kept.job);
        let dead =
            jobs.filter(|job| job.organisation == organisation && job.state == JobState::Dead);
        let list = List::new("dead_jobs", organisation, &());
        page_of(
            list,
            page,
            dead.map(|job| ((job.created_at, job.id), job.clone())),
        )
    }

    async fn over_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let state = self.state();
        let jobs = state.jobs.values().map(|kept| &kept.job);
        let over = jobs.filter(|job| {
            job.organisation == organisation
                && matches!(job.state, JobState::Succeeded | JobState::Refused)
        });
        let list = List::new("over_jobs", organisation, &());
        let ended = |job: &Job| (job.finished_at.unwrap_or(job.created_at), job.id);
        page_of(list, page, over.map(|job| (ended(job), job.clone())))
    }

    async fn requeue(
        &self,
        organisation: OrganisationId,
        id: JobId,
        run_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let kept = state.jobs.get_mut(&(organisation, id));
        let Some(kept) = kept.filter(|kept| kept.job.state == JobState::Dead) else {
            return Ok(false);
        };
        // Its leases go on counting, so that no old token comes alive again (Q4).
        kept.job.state = JobState::Queued;
        kept.job.attempts = 0;
        kept.job.run_at = run_at;
        kept.job.finished_at = None;
        Ok(true)
    }

    async fn purge_jobs(
        &self,
        organisation: OrganisationId,
        which: EndedJobs,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut left = u64::from(limit.clamp(1, MAX_PAGE));
        let most = left;
        self.state().jobs.retain(|(whose, _), kept| {
            let is_meant = match kept.job.state {
                JobState::Succeeded | JobState::Refused => which == EndedJobs::Over,
                JobState::Dead => which == EndedJobs::Dead,
                JobState::Queued | JobState::Running { .. } => false,
            };
            let is_old = kept.job.finished_at.is_some_and(|at| at < before);
            let goes = *whose == organisation && is_meant && is_old && left > 0;
            left -= u64::from(goes);
            !goes
        });
        Ok(most - left)
    }

    async fn enqueue(
        &self,
        organisation: OrganisationId,
        job: &NewJob,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.state().queue(organisation, job, now);
        Ok(())
    }
}
