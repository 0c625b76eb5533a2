//! The queue, with faults.

use async_trait::async_trait;

use super::FaultStore;
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::store::{
    Job, JobQueue, Lease, LeaseError, LeaseToken, NewJob, Page, PageRequest, Repository, StoreError,
};

/// Any other call, counted and failed as planned.
macro_rules! call {
    ($self:ident.$method:ident($($argument:ident),*)) => {{
        let fault = $self.next(stringify!($method));
        $self.under(fault, stringify!($method), $self.inner().$method($($argument),*)).await
    }};
}

#[async_trait]
impl<S: Repository + JobQueue> JobQueue for FaultStore<S> {
    async fn lease(
        &self,
        worker: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        let fault = self.next("lease");
        self.land_late().await;
        self.under(fault, "lease", self.inner().lease(worker, now, until))
            .await
    }

    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
        call!(self.extend(token, until))
    }

    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        call!(self.ack(token, now))
    }

    async fn fail(
        &self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> Result<(), LeaseError> {
        call!(self.fail(token, error, now, retry_at))
    }

    async fn job(
        &self,
        organisation: OrganisationId,
        id: JobId,
    ) -> Result<Option<Job>, StoreError> {
        let read = self.inner().job(organisation, id);
        self.read("job", format!("{:?}", (organisation, id)), read)
            .await
    }

    async fn dead_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let read = self.inner().dead_jobs(organisation, page);
        self.read("dead_jobs", format!("{:?}", (organisation, page)), read)
            .await
    }

    async fn requeue(
        &self,
        organisation: OrganisationId,
        id: JobId,
        run_at: Timestamp,
    ) -> Result<bool, StoreError> {
        call!(self.requeue(organisation, id, run_at))
    }

    async fn enqueue(
        &self,
        organisation: OrganisationId,
        job: &NewJob,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        call!(self.enqueue(organisation, job, now))
    }
}
