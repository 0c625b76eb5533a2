//! The files of jobs beside the store: the cases that every place for them passes, and what the library does with them.

mod broken;
mod exports;

use std::sync::Arc;

use stocktake::conformance::check_file_store;
use stocktake::domain::{JobId, OrganisationId};
use stocktake::files::FolderFiles;
use stocktake::store::{FilePart, FileStore};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_keeps_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = FolderFiles::open(folder.path().join("a/b")).unwrap();
    check_file_store(Arc::new(files)).await.unwrap();
}

#[cfg(feature = "object-store")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_store_keeps_files() {
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;
    use object_store::prefix::PrefixStore;
    use stocktake::files::ObjectFiles;

    let memory = Arc::new(InMemory::new());
    check_file_store(Arc::new(ObjectFiles::new(memory.clone())))
        .await
        .unwrap();
    let behind = PrefixStore::new(memory, "shop/files");
    check_file_store(Arc::new(ObjectFiles::new(Arc::new(behind))))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let local = LocalFileSystem::new_with_prefix(folder.path())
        .unwrap()
        .with_automatic_cleanup(true);
    check_file_store(Arc::new(ObjectFiles::new(Arc::new(local))))
        .await
        .unwrap();
}

/// What a process that was killed left of a part is no part, and goes with its job.
#[tokio::test]
async fn a_part_that_was_never_whole_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let files = FolderFiles::open(folder.path()).unwrap();
    let (organisation, job) = (
        OrganisationId::new(Uuid::from_u128(1)),
        JobId::new(Uuid::from_u128(2)),
    );
    let part = FilePart {
        organisation,
        job,
        part: Uuid::from_u128(3),
    };
    let of_job = folder.path().join(format!("{organisation}/{job}"));
    std::fs::create_dir_all(&of_job).unwrap();
    std::fs::write(of_job.join(format!("{}.unfinished", part.part)), "half").unwrap();
    assert_eq!(files.get(part).await.unwrap(), None);
    assert_eq!(files.jobs(organisation).await.unwrap(), [job]);
    files.put(part, b"whole".as_slice().into()).await.unwrap();
    assert_eq!(
        files.get(part).await.unwrap().as_deref(),
        Some(&b"whole"[..])
    );
    files.delete(organisation, job).await.unwrap();
    assert!(!of_job.exists());
}

#[tokio::test]
async fn a_folder_that_can_t_be_one_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = FolderFiles::open(&file).unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    // The folder is gone while it is in use: nothing is kept, and it is told.
    let open = FolderFiles::open(folder.path().join("files")).unwrap();
    std::fs::remove_dir(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files"), "").unwrap();
    let part = FilePart {
        organisation: OrganisationId::new(Uuid::from_u128(1)),
        job: JobId::new(Uuid::from_u128(2)),
        part: Uuid::from_u128(3),
    };
    let error = open.put(part, Vec::new().into()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}
