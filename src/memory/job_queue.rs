//! The queue's side of the store.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::store::{
    Job, JobQueue, Lease, LeaseError, LeaseToken, NewJob, Page, PageRequest, StoreError,
};

#[async_trait]
impl JobQueue for MemoryStore {
    async fn lease(
        &self,
        worker: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        Ok(self.write(|state| state.queue.lease(worker, now, until)))
    }

    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
        held(self.write(|state| state.queue.extend(token, until)))
    }

    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        held(self.write(|state| state.queue.ack(token, now)))
    }

    async fn fail(
        &self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> Result<(), LeaseError> {
        held(self.write(|state| state.queue.fail(token, error, now, retry_at)))
    }

    async fn job(
        &self,
        organisation: OrganisationId,
        id: JobId,
    ) -> Result<Option<Job>, StoreError> {
        Ok(self.read(|state| state.queue.job(organisation, id).cloned()))
    }

    async fn dead_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        self.read(|state| state.queue.dead_page(organisation, page))
    }

    async fn requeue(
        &self,
        organisation: OrganisationId,
        id: JobId,
        run_at: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.write(|state| state.queue.requeue(organisation, id, run_at)))
    }

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
