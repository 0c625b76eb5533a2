//! Files of jobs in a folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::{JobId, OrganisationId};
use crate::store::{FilePart, FileStore, StoreError, StoreErrorKind};

/// Keeps the files of jobs in a folder: `ORGANISATION/JOB/PART`, where each is an id, so that no name leads out of it.
///
/// A part is written under another name, brought to the disk and then renamed. It blocks its thread for as long as the disk
/// takes; where that must not be, use `object_store`'s local file system (feature `object-store`).
///
/// # Example
///
/// ```no_run
/// use std::sync::Arc;
/// use stocktake::files::FolderFiles;
/// # use stocktake::memory::MemoryStore;
/// # use stocktake::service::Stocktake;
///
/// let stocktake = Stocktake::new(Arc::new(MemoryStore::new()))
///     .with_files(Arc::new(FolderFiles::open("/var/lib/shop/files")?));
/// # Ok::<(), stocktake::store::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FolderFiles {
    root: PathBuf,
}

impl FolderFiles {
    /// Files in a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Misconfigured`] when it can't be made or is no folder.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|error| {
            StoreError::new(StoreErrorKind::Misconfigured, "open_folder").because(error)
        })?;
        Ok(Self { root })
    }

    fn organisation(&self, organisation: OrganisationId) -> PathBuf {
        self.root.join(organisation.as_uuid().to_string())
    }

    fn job(&self, organisation: OrganisationId, job: JobId) -> PathBuf {
        self.organisation(organisation)
            .join(job.as_uuid().to_string())
    }

    fn write(&self, part: FilePart, bytes: &[u8]) -> io::Result<()> {
        let folder = self.job(part.organisation, part.job);
        let is_new = !folder.is_dir();
        fs::create_dir_all(&folder)?;
        // A name of its own: two may write the same part, and one that was killed leaves its own behind.
        let unfinished = folder.join(format!("{}.{}", part.part, Uuid::new_v4()));
        let written = write_whole(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, folder.join(part.part.to_string())));
        if let Err(error) = written {
            // It is deleted with the job at the latest.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        sync_folder(&folder)?;
        if is_new {
            sync_folder(&self.organisation(part.organisation))?;
            sync_folder(&self.root)?;
        }
        Ok(())
    }

    fn jobs_in(&self, organisation: OrganisationId) -> io::Result<Vec<JobId>> {
        let Some(entries) = if_there(fs::read_dir(self.organisation(organisation)))? else {
            return Ok(Vec::new());
        };
        let mut jobs = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.parse().ok());
            jobs.extend(id.map(JobId::new));
        }
        Ok(jobs)
    }
}

#[async_trait]
impl FileStore for FolderFiles {
    async fn put(&self, part: FilePart, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        self.write(part, &bytes).map_err(failed("put_file"))
    }

    async fn get(&self, part: FilePart) -> Result<Option<Arc<[u8]>>, StoreError> {
        let path = self
            .job(part.organisation, part.job)
            .join(part.part.to_string());
        let bytes = if_there(fs::read(path)).map_err(failed("get_file"))?;
        Ok(bytes.map(Arc::from))
    }

    async fn delete(&self, organisation: OrganisationId, job: JobId) -> Result<(), StoreError> {
        if_there(fs::remove_dir_all(self.job(organisation, job)))
            .map(drop)
            .map_err(failed("delete_file"))
    }

    async fn jobs(&self, organisation: OrganisationId) -> Result<Vec<JobId>, StoreError> {
        self.jobs_in(organisation).map_err(failed("list_files"))
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Brings the names in a folder to the disk, where folders can be opened for that.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a failure of the file system means: without the right, trying again does not help.
fn failed(operation: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |error| {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied {
            StoreErrorKind::Misconfigured
        } else {
            StoreErrorKind::Unavailable
        };
        StoreError::new(kind, operation).because(error)
    }
}
