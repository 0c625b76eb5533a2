//! The queue's side of the store.

use async_trait::async_trait;

use super::MemoryStore;
use super::purging::at_most;
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::store::{
    EndedJobs, Job, JobKind, JobQueue, Lease, LeaseError, LeaseToken, NewJob, Page, PageRequest,
    StoreError,
};

#[async_trait]
impl JobQueue for MemoryStore {
    #[inline(never)]
    async fn lease(
        &self,
        worker: &str,
        kinds: &[JobKind],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        Ok(self.write(|state| state.queue.lease(worker, kinds, now, until)))
    }

    #[inline(never)]
    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
        held(self.write(|state| state.queue.extend(token, until)))
    }

    #[inline(never)]
    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        held(self.write(|state| state.queue.ack(token, now)))
    }

    #[inline(never)]
    async fn fail(
        &self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> Result<(), LeaseError> {
        held(self.write(|state| state.queue.fail(token, error, now, retry_at)))
    }

    #[inline(never)]
    async fn release(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        held(self.write(|state| state.queue.release(token, now)))
    }

    #[inline(never)]
    async fn job(
        &self,
        organisation: OrganisationId,
        id: JobId,
    ) -> Result<Option<Job>, StoreError> {
        Ok(self.read(|state| state.queue.job(organisation, id).cloned()))
    }

    #[inline(never)]
    async fn unfinished(
        &self,
        organisation: OrganisationId,
        kind: JobKind,
    ) -> Result<u64, StoreError> {
        Ok(self.read(|state| state.queue.unfinished(organisation, kind)))
    }

    #[inline(never)]
    async fn open_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        self.read(|state| state.queue.open_page(organisation, page))
    }

    #[inline(never)]
    async fn dead_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        self.read(|state| state.queue.dead_page(organisation, page))
    }

    #[inline(never)]
    async fn over_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        self.read(|state| state.queue.over_page(organisation, page))
    }

    #[inline(never)]
    async fn requeue(
        &self,
        organisation: OrganisationId,
        id: JobId,
        run_at: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.write(|state| state.queue.requeue(organisation, id, run_at)))
    }

    #[inline(never)]
    async fn purge_jobs(
        &self,
        organisation: OrganisationId,
        which: EndedJobs,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let most = at_most(limit);
        Ok(self.write(|state| state.queue.purge(organisation, which, before, most)))
    }

    #[inline(never)]
    async fn enqueue(
        &self,
        organisation: OrganisationId,
        job: &NewJob,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(|state| state.queue.add(organisation, job, now));
        Ok(())
    }
}

/// Whether the lease was held, as the contract tells it.
fn held(was_held: bool) -> Result<(), LeaseError> {
    if was_held {
        Ok(())
    } else {
        Err(LeaseError::Lost)
    }
}
