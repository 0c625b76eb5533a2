//! The queue, with faults.

use async_trait::async_trait;

use super::FaultStore;
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::store::{
    EndedJobs, Job, JobKind, JobQueue, Lease, LeaseError, LeaseToken, NewJob, Page, PageRequest,
    Repository, StoreError,
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
    #[inline(never)]
    async fn lease(
        &self,
        worker: &str,
        kinds: &[JobKind],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        let fault = self.next("lease");
        self.land_late().await;
        let lease = self.inner().lease(worker, kinds, now, until);
        self.under(fault, "lease", lease).await
    }

    #[inline(never)]
    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
        call!(self.extend(token, until))
    }

    #[inline(never)]
    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        call!(self.ack(token, now))
    }

    #[inline(never)]
    async fn fail(
        &self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> Result<(), LeaseError> {
        call!(self.fail(token, error, now, retry_at))
    }

    #[inline(never)]
    async fn release(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        call!(self.release(token, now))
    }

    #[inline(never)]
    async fn job(
        &self,
        organisation: OrganisationId,
        id: JobId,
    ) -> Result<Option<Job>, StoreError> {
        let read = self.inner().job(organisation, id);
        self.read("job", format!("{:?}", (organisation, id)), read)
            .await
    }

    #[inline(never)]
    async fn unfinished(
        &self,
        organisation: OrganisationId,
        kind: JobKind,
    ) -> Result<u64, StoreError> {
        let read = self.inner().unfinished(organisation, kind);
        self.read("unfinished", format!("{:?}", (organisation, kind)), read)
            .await
    }

    #[inline(never)]
    async fn open_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let read = self.inner().open_jobs(organisation, page);
        self.read("open_jobs", format!("{:?}", (organisation, page)), read)
            .await
    }

    #[inline(never)]
    async fn dead_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let read = self.inner().dead_jobs(organisation, page);
        self.read("dead_jobs", format!("{:?}", (organisation, page)), read)
            .await
    }

    #[inline(never)]
    async fn over_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let read = self.inner().over_jobs(organisation, page);
        self.read("over_jobs", format!("{:?}", (organisation, page)), read)
            .await
    }

    #[inline(never)]
    async fn requeue(
        &self,
        organisation: OrganisationId,
        id: JobId,
        run_at: Timestamp,
    ) -> Result<bool, StoreError> {
        call!(self.requeue(organisation, id, run_at))
    }

    #[inline(never)]
    async fn purge_jobs(
        &self,
        organisation: OrganisationId,
        which: EndedJobs,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        call!(self.purge_jobs(organisation, which, before, limit))
    }

    #[inline(never)]
    async fn enqueue(
        &self,
        organisation: OrganisationId,
        job: &NewJob,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        call!(self.enqueue(organisation, job, now))
    }
}
