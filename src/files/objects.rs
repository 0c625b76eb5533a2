//! Files of jobs in an object store.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};

use crate::domain::{JobId, OrganisationId};
use crate::store::{FilePart, FileStore, StoreError, StoreErrorKind};

/// Keeps the files of jobs in an object store (feature `object-store`), under `ORGANISATION/JOB/PART`, behind a prefix if that
/// store has one. A store over a local folder should clean up empty folders after itself.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use object_store::memory::InMemory;
/// use stocktake::files::ObjectFiles;
/// # let stocktake = stocktake::testing::shop().stocktake;
///
/// let stocktake = stocktake.with_files(Arc::new(ObjectFiles::new(Arc::new(InMemory::new()))));
/// # let _ = stocktake;
/// ```
#[derive(Clone, Debug)]
pub struct ObjectFiles {
    store: Arc<dyn ObjectStore>,
}

impl ObjectFiles {
    /// Files in an object store.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl FileStore for ObjectFiles {
    async fn put(&self, part: FilePart, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        self.store
            .put(&path(part), bytes.to_vec().into())
            .await
            .map(drop)
            .map_err(failed("put_file"))
    }

    async fn get(&self, part: FilePart) -> Result<Option<Arc<[u8]>>, StoreError> {
        let found = if_there(self.store.get(&path(part)).await).map_err(failed("get_file"))?;
        let Some(found) = found else {
            return Ok(None);
        };
        let bytes = if_there(found.bytes().await).map_err(failed("get_file"))?;
        Ok(bytes.map(|bytes| Arc::from(&*bytes)))
    }

    async fn delete(&self, organisation: OrganisationId, job: JobId) -> Result<(), StoreError> {
        let failed = failed("delete_file");
        let parts = folder(organisation).join(job.as_uuid().to_string());
        let list = self.store.list_with_delimiter(Some(&parts)).await;
        for part in list.map_err(&failed)?.objects {
            if_there(self.store.delete(&part.location).await).map_err(&failed)?;
        }
        Ok(())
    }

    async fn jobs(&self, organisation: OrganisationId) -> Result<Vec<JobId>, StoreError> {
        let folder = folder(organisation);
        let list = self.store.list_with_delimiter(Some(&folder)).await;
        let list = list.map_err(failed("list_files"))?;
        let names = list.common_prefixes.iter();
        Ok(names
            .filter_map(|path| path.filename()?.parse().ok())
            .map(JobId::new)
            .collect())
    }
}

fn folder(organisation: OrganisationId) -> Path {
    Path::from(organisation.as_uuid().to_string())
}

fn path(part: FilePart) -> Path {
    folder(part.organisation)
        .join(part.job.as_uuid().to_string())
        .join(part.part.to_string())
}

fn if_there<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a failure of the object store means: without the right, or in another's bucket, trying again does not help.
fn failed(operation: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| {
        let is_of_setup = matches!(
            error,
            Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }
                | Error::UnknownConfigurationKey { .. }
                | Error::NotSupported { .. }
                | Error::NotImplemented { .. }
        );
        let kind = if is_of_setup {
            StoreErrorKind::Misconfigured
        } else {
            StoreErrorKind::Unavailable
        };
        StoreError::new(kind, operation).because(error)
    }
}
