//! Where the parts of files are kept: in the store, or in a place of the host's.

use std::sync::Arc;

use crate::domain::{JobId, OrganisationId};
use crate::store::{ExportChunk, FilePart, FileStore, RepositoryExt, StoreError, StoreErrorKind};

use super::{Error, Stocktake};

impl Stocktake {
    /// The same library with a place for the files of jobs beside the store: a [folder](crate::files::FolderFiles), or any
    /// other [`FileStore`]. Files that were made before are still read from where they are. Every process over the same
    /// store needs the same place.
    #[must_use]
    pub fn with_files(mut self, files: Arc<dyn FileStore>) -> Self {
        self.files = Some(files);
        self
    }

    /// Keeps a part of a file, under a name that no other part has; it counts from when the chunk is committed.
    pub(super) async fn keep_part(
        &self,
        organisation: OrganisationId,
        job: JobId,
        number: u32,
        bytes: Arc<[u8]>,
    ) -> Result<ExportChunk, Error> {
        let Some(files) = &self.files else {
            return Ok(ExportChunk {
                job,
                number,
                bytes,
                part: None,
            });
        };
        let part = self.ids.next();
        let name = FilePart {
            organisation,
            job,
            part,
        };
        files.put(name, bytes).await.map_err(Error::Store)?;
        Ok(ExportChunk {
            job,
            number,
            bytes: Arc::default(),
            part: Some(part),
        })
    }

    /// The bytes of a part, from where they are.
    pub(super) async fn read_part(
        &self,
        organisation: OrganisationId,
        chunk: ExportChunk,
    ) -> Result<Arc<[u8]>, Error> {
        let Some(part) = chunk.part else {
            return Ok(chunk.bytes);
        };
        let Some(files) = &self.files else {
            let kind = StoreErrorKind::Misconfigured;
            let why = "the file is kept in a place that this process was not given";
            return Err(Error::Store(
                StoreError::new(kind, "read_part").because(why),
            ));
        };
        let name = FilePart {
            organisation,
            job: chunk.job,
            part,
        };
        if let Some(bytes) = files.get(name).await.map_err(Error::Store)? {
            return Ok(bytes);
        }
        // Housekeeping deletes the export, and then its file.
        if self
            .repository
            .export(organisation, chunk.job)
            .await?
            .is_none()
        {
            return Err(Error::not_found("export"));
        }
        let kind = StoreErrorKind::Corrupt;
        let why = "a part of the file is gone";
        Err(Error::Store(
            StoreError::new(kind, "read_part").because(why),
        ))
    }

    /// Deletes the files of jobs whose exports are not kept any more, also what is left of jobs that were given up. Tells of
    /// how many jobs.
    pub(super) async fn delete_left_files(
        &self,
        organisation: OrganisationId,
    ) -> Result<u64, StoreError> {
        let Some(files) = &self.files else {
            return Ok(0);
        };
        let mut deleted = 0_u64;
        for job in files.jobs(organisation).await? {
            // The export is there before the first part of its file.
            if self.repository.export(organisation, job).await?.is_none() {
                files.delete(organisation, job).await?;
                deleted = deleted.saturating_add(1);
            }
        }
        Ok(deleted)
    }
}
