//! Reading queued jobs, and giving dead ones another chance.

use crate::domain::JobId;
use crate::store::{Job, Page, PageRequest};

use super::access::Operation;
use super::call::require;
use super::{Caller, Error, Stocktake};

impl Stocktake {
    /// Reads a job: where it stands, and how far it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a job of a site that the actor can't see; failures of the store.
    pub async fn job(&self, caller: &Caller, id: JobId) -> Result<Job, Error> {
        let stamp = self.stamp(caller)?;
        let job = self.queue.job(stamp.actor.organisation, id).await?;
        job.filter(|job| stamp.actor.sees(job.site))
            .ok_or(Error::not_found("job"))
    }

    /// The dead jobs of the organisation, the oldest first: those whose attempts are spent. A page may hold
    /// fewer than it could, because jobs of sites that the actor can't see are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; failures of the store.
    pub async fn dead_jobs(&self, caller: &Caller, page: &PageRequest) -> Result<Page<Job>, Error> {
        let stamp = self.stamp(caller)?;
        require(&stamp, Operation::ManageJobs)?;
        let mut jobs = self.queue.dead_jobs(stamp.actor.organisation, page).await?;
        jobs.items.retain(|job| stamp.actor.sees(job.site));
        Ok(jobs)
    }

    /// Queues a dead job again, its attempts forgotten. Tells whether it was dead.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`]; failures of the store.
    pub async fn requeue_job(&self, caller: &Caller, id: JobId) -> Result<bool, Error> {
        let stamp = self.stamp(caller)?;
        self.job(caller, id).await?;
        require(&stamp, Operation::ManageJobs)?;
        Ok(self
            .queue
            .requeue(stamp.actor.organisation, id, stamp.at)
            .await?)
    }
}
