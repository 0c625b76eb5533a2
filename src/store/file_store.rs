//! Where the files of jobs may be kept beside the store.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreError;
use crate::domain::{JobId, OrganisationId};

/// Names a part of the file of a job. A part is written once under a new name, so that of two workers that make the same
/// part neither spoils the other's; which parts make the file is kept in the [`Repository`](super::Repository).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePart {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The job.
    pub job: JobId,
    /// Which part.
    pub part: Uuid,
}

/// Keeps the files of jobs somewhere else than in the store: in a folder, in a bucket. Without one they are in the store.
///
/// It belongs to one store: [housekeeping](crate::service::Stocktake::housekeeping) deletes the files of jobs that the store
/// knows nothing of, so that nothing is left behind by what was given up.
///
/// The clauses: a part is there whole or not at all, from the moment that [`put`](Self::put) returns, also after a power
/// failure; nothing crosses an organisation or a job. The feature `conformance` has the cases that each must pass
/// (`conformance::check_file_store`).
#[async_trait]
pub trait FileStore: Debug + Send + Sync + 'static {
    /// Keeps a part. The same part with the same bytes may be put again, when nobody knows whether it was kept.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has kept the whole part or nothing of it.
    async fn put(&self, part: FilePart, bytes: Arc<[u8]>) -> Result<(), StoreError>;

    /// Reads a part: nothing when it is not there.
    async fn get(&self, part: FilePart) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// Deletes every part of a job's file, also what is left of parts that never became whole. Where there is none, it does
    /// nothing.
    async fn delete(&self, organisation: OrganisationId, job: JobId) -> Result<(), StoreError>;

    /// The jobs of an organisation that have any part, in no order, each once. It may name one that has only what is
    /// left of parts that never became whole.
    async fn jobs(&self, organisation: OrganisationId) -> Result<Vec<JobId>, StoreError>;
}
