//! Reading queued jobs, and giving dead ones another chance.

use crate::domain::{JobId, Stamp};
use crate::store::{Job, JobTask, Page, PageRequest, RepositoryExt};

use super::access::{Operation, allows};
use super::call::require;
use super::{Caller, Error, Pending, Stocktake};

impl Stocktake {
    /// Reads a job: where it stands, and how far it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a job of a site that the actor can't see; failures of the store.
    #[inline(never)]
    pub fn job<'c>(&'c self, caller: &'c Caller, id: JobId) -> Pending<'c, Job> {
        Box::pin(async move {
            let stamp = self.stamp(caller)?;
            let job = self.queue.job(stamp.actor.organisation, id).await?;
            let job = job.ok_or(Error::not_found("job"))?;
            if !self.is_shown(&stamp, &job).await? {
                return Err(Error::not_found("job"));
            }
            Ok(told(job, &stamp))
        })
    }

    /// Whether an actor may see a job: that of its site, and an import's that of all sites that its values are of.
    async fn is_shown(&self, stamp: &Stamp, job: &Job) -> Result<bool, Error> {
        if !stamp.actor.sees(job.site) {
            return Ok(false);
        }
        let JobTask::ImportStock { import } = job.task else {
            return Ok(true);
        };
        let import = self
            .repository
            .stock_import(job.organisation, import)
            .await?;
        Ok(import.is_none_or(|import| import.value.is_shown_to(&stamp.actor)))
    }

    /// The dead jobs of the organisation, the oldest first: those whose attempts are spent. A page may hold
    /// fewer than it could, because jobs of sites that the actor can't see are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; failures of the store.
    #[inline(never)]
    pub fn dead_jobs<'c>(
        &'c self,
        caller: &'c Caller,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<Job>> {
        Box::pin(async move {
            let stamp = self.stamp(caller)?;
            require(&stamp, Operation::ManageJobs)?;
            let jobs = self.queue.dead_jobs(stamp.actor.organisation, page).await?;
            self.shown(&stamp, jobs).await
        })
    }

    /// The jobs of the organisation that have not ended, the oldest first: they wait, or run. A page may hold fewer than it
    /// could, as with [`dead_jobs`](Self::dead_jobs).
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; failures of the store.
    #[inline(never)]
    pub fn open_jobs<'c>(
        &'c self,
        caller: &'c Caller,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<Job>> {
        Box::pin(async move {
            let stamp = self.stamp(caller)?;
            require(&stamp, Operation::ManageJobs)?;
            let jobs = self.queue.open_jobs(stamp.actor.organisation, page).await?;
            self.shown(&stamp, jobs).await
        })
    }

    /// The jobs of the organisation that are over, those that ended first coming first: they succeeded, or were refused. They
    /// are listed until [housekeeping](Self::housekeeping) throws them away. A page may hold fewer than it could, as with
    /// [`dead_jobs`](Self::dead_jobs).
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; failures of the store.
    #[inline(never)]
    pub fn over_jobs<'c>(
        &'c self,
        caller: &'c Caller,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<Job>> {
        Box::pin(async move {
            let stamp = self.stamp(caller)?;
            require(&stamp, Operation::ManageJobs)?;
            let jobs = self.queue.over_jobs(stamp.actor.organisation, page).await?;
            self.shown(&stamp, jobs).await
        })
    }

    /// A page without the jobs that an actor can't see.
    async fn shown(&self, stamp: &Stamp, mut jobs: Page<Job>) -> Result<Page<Job>, Error> {
        let mut shown = Vec::with_capacity(jobs.items.len());
        for job in jobs.items {
            if self.is_shown(stamp, &job).await? {
                shown.push(job);
            }
        }
        jobs.items = shown;
        Ok(jobs)
    }

    /// Queues a dead job again, its attempts forgotten. Tells whether it was dead.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`]; failures of the store.
    #[inline(never)]
    pub fn requeue_job<'c>(&'c self, caller: &'c Caller, id: JobId) -> Pending<'c, bool> {
        Box::pin(async move {
            let stamp = self.stamp(caller)?;
            self.job(caller, id).await?;
            require(&stamp, Operation::ManageJobs)?;
            Ok(self
                .queue
                .requeue(stamp.actor.organisation, id, stamp.at)
                .await?)
        })
    }
}

/// A job as an actor is shown it: whoever does not look after jobs is told the code of an error only, not what a store or a
/// mail server says about it.
pub(super) fn told(mut job: Job, stamp: &Stamp) -> Job {
    if !allows(stamp.actor.role, Operation::ManageJobs) {
        job.last_error = job.last_error.map(|error| {
            let code = error.split_once(':').map_or("failed", |(code, _)| code);
            code.to_owned()
        });
    }
    job
}
