//! The consumer's side of the queue.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{
    EndedJobs, Job, JobKind, Lease, LeaseError, LeaseToken, NewJob, Page, PageRequest, StoreError,
};
use crate::domain::{JobId, OrganisationId, Timestamp};

/// A queue of jobs. Time is an argument: safety never depends on it (clause Q4).
///
/// The clauses are in the [room's documentation](crate::store).
#[async_trait]
pub trait JobQueue: Debug + Send + Sync + 'static {
    /// Leases the next due job of some kinds, of any organisation, until a moment: the one that is due longest. Jobs of
    /// other kinds are left as they are, for workers that can do them. A lease that ended at `now` or before has expired, and is leased again by this very call; a job whose attempts are spent
    /// ends dead here.
    ///
    /// # Contract
    ///
    /// Q3 (one live lease), Q4 (fencing), Q5 (expiry), Q6 (attempts), Q7 (not before its time), Q8 (order), Q11 (kinds).
    async fn lease(
        &self,
        worker: &str,
        kinds: &[JobKind],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError>;

    /// Keeps a lease longer; a moment before its end leaves it as it is. A lease that has run out but was not
    /// taken is still its holder's.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Lost`] with a stale token; nothing has changed.
    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError>;

    /// Ends a job well. A handler that commits ends it in its commit instead
    /// ([`JobAck`](super::JobAck)).
    ///
    /// # Errors
    ///
    /// [`LeaseError::Lost`] with a stale token; nothing has changed.
    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError>;

    /// Gives a job back: it runs again at `retry_at`, or ends dead when that is `None` or its attempts are
    /// spent. The error is kept, cut to 2,000 bytes between characters.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Lost`] with a stale token; nothing has changed.
    async fn fail(
        &self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> Result<(), LeaseError>;

    /// Hands a job back that its holder does not finish, though nothing went wrong: it is due at `now` again, and the attempt
    /// does not count against its limit. Its last error stays.
    ///
    /// # Contract
    ///
    /// Q6.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Lost`] with a stale token; nothing has changed.
    async fn release(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError>;

    /// Reads a job.
    async fn job(&self, organisation: OrganisationId, id: JobId)
    -> Result<Option<Job>, StoreError>;

    /// How many jobs of a kind an organisation has that have not ended: they wait, or run.
    ///
    /// # Contract
    ///
    /// Q11.
    async fn unfinished(
        &self,
        organisation: OrganisationId,
        kind: JobKind,
    ) -> Result<u64, StoreError>;

    /// The jobs of an organisation that have not ended, the oldest first by when they were born, then by id: they wait, or
    /// run.
    ///
    /// # Contract
    ///
    /// Q11.
    async fn open_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError>;

    /// The dead jobs of an organisation, the oldest first by when they were born, then by id.
    async fn dead_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError>;

    /// The jobs of an organisation that are over, those that ended first coming first, then by id: they succeeded, or were
    /// refused.
    ///
    /// # Contract
    ///
    /// Q11.
    async fn over_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError>;

    /// Queues a dead job again with its attempts forgotten; its progress and its last error stay. Tells whether it was
    /// dead; any other is left alone.
    async fn requeue(
        &self,
        organisation: OrganisationId,
        id: JobId,
        run_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Forgets jobs of an organisation that ended before a moment, at most so many (cut to 1 and
    /// [`MAX_PAGE`](super::MAX_PAGE)), and tells how many; fewer than the limit are the last ones.
    ///
    /// # Contract
    ///
    /// Q12.
    async fn purge_jobs(
        &self,
        organisation: OrganisationId,
        which: EndedJobs,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Takes a job over from another store's outbox; a job that is there already is left alone. Nobody but
    /// a relay calls this: jobs are born in commits.
    ///
    /// # Contract
    ///
    /// Q2: idempotent by the job's id.
    async fn enqueue(
        &self,
        organisation: OrganisationId,
        job: &NewJob,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
