//! Exports whose files are kept beside the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use stocktake::domain::{
    Actor, JobId, MovementPolicy, OrganisationId, SiteAccess, StockTakeId, StockTakeItemId,
};
use stocktake::files::FolderFiles;
use stocktake::jobs::{Ran, Worker};
use stocktake::service::{Caller, CountRequest, NewStockTake, Retention, Stocktake};
use stocktake::store::{
    ExportForm, FilePart, FileStore, JobState, Repository, RepositoryExt, StockTakeItemFilter,
    StoreError, StoreErrorKind,
};
use stocktake::testing::{ManualClock, SequentialIds, Shop};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::stores::{Kind, Store, Stores};

const HOUR: i64 = 60 * 60;

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

fn shop_over(store: &Store, files: Arc<dyn FileStore>) -> Shop {
    let clock = Arc::new(ManualClock::default());
    let ids = Arc::new(SequentialIds::default());
    let (repository, queue) = (store.repository.clone(), store.queue.clone());
    let stocktake = Stocktake::with(repository, queue, clock.clone(), ids).with_files(files);
    Shop::with(stocktake, clock)
}

async fn with_take(shop: &Shop) -> StockTakeId {
    shop.open().await.unwrap();
    let new = NewStockTake {
        site: shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let takes = shop.stocktake.stock_takes();
    let take = takes.create(&manager(shop), new).await.unwrap();
    shop.run_jobs().await.unwrap();
    take.id()
}

async fn exported(shop: &Shop, take: StockTakeId) -> JobId {
    let (all, form) = (StockTakeItemFilter::default(), ExportForm::default());
    let exports = shop.stocktake.exports();
    exports
        .stock_take(&manager(shop), take, all, form)
        .await
        .unwrap()
}

async fn housekeeping(shop: &Shop) -> u64 {
    let host = Caller::of(&Actor {
        sites: SiteAccess::All,
        ..shop.manager.clone()
    });
    let gone = shop.stocktake.housekeeping(&host, Retention::default());
    gone.await.unwrap().files
}

async fn parts(store: &dyn Repository, shop: &Shop, job: JobId) -> Vec<(usize, bool)> {
    let organisation = shop.manager.organisation;
    let mut parts = Vec::new();
    for number in 0.. {
        let part = store.export_chunk(organisation, job, number).await.unwrap();
        let Some(part) = part else { break };
        parts.push((part.value.bytes.len(), part.value.part.is_some()));
    }
    parts
}

fn folder() -> (TempDir, Arc<FolderFiles>) {
    let folder = tempfile::tempdir().unwrap();
    let files = Arc::new(FolderFiles::open(folder.path()).unwrap());
    (folder, files)
}

/// The same file, of which the store has nothing but the names; who may read it, and until when, is as ever.
#[tokio::test]
async fn s1_12_files_are_kept_in_a_folder_and_go_when_their_time_is_over() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (_folder, files) = folder();
        let shop = shop_over(&store, files.clone());
        let take = with_take(&shop).await;
        let job = exported(&shop, take).await;
        shop.run_jobs().await.unwrap();
        let exports = shop.stocktake.exports();
        let viewer = Caller::of(&shop.viewer);
        let file = exports.file(&viewer, job).await.unwrap().bytes.unwrap();
        assert_eq!(file.split(|byte| *byte == b'\n').count(), 12);
        let part = exports.file_chunk(&viewer, job, 0).await.unwrap();
        assert_eq!(part.as_deref(), Some(&*file));
        assert_eq!(parts(&*store.repository, &shop, job).await, [(0, true)]);
        let organisation = shop.manager.organisation;
        assert_eq!(files.jobs(organisation).await.unwrap(), [job]);
        for reader in [&shop.elsewhere, &shop.stranger] {
            let found = exports.file(&Caller::of(reader), job).await.unwrap_err();
            assert_eq!(found.code(), "not_found", "{}", kind.name());
        }

        // A process that knows of no folder says so, instead of giving half a file.
        let library = shop.stocktake.clone();
        let without = Stocktake::with(
            store.repository.clone(),
            store.queue.clone(),
            shop.clock.clone(),
            Arc::new(SequentialIds::default()),
        );
        let refused = without.exports().file(&viewer, job).await.unwrap_err();
        assert_eq!(refused.code(), "store_misconfigured");

        assert_eq!(housekeeping(&shop).await, 0, "it can be fetched");
        shop.clock.advance_seconds(25 * HOUR);
        let expired = library.exports().file(&viewer, job).await.unwrap_err();
        assert_eq!(expired.code(), "expired");
        shop.clock.advance_seconds(25 * HOUR);
        assert_eq!(housekeeping(&shop).await, 1, "{}", kind.name());
        assert!(files.jobs(organisation).await.unwrap().is_empty());
        let gone = library.exports().file(&viewer, job).await.unwrap_err();
        assert_eq!(gone.code(), "not_found");
    }
}

/// A place for files that keeps a part and fails to say so.
#[derive(Debug)]
struct Forgetful {
    files: Arc<FolderFiles>,
    fails: AtomicBool,
}

#[async_trait]
impl FileStore for Forgetful {
    async fn put(&self, part: FilePart, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        self.files.put(part, bytes).await?;
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "put_file"));
        }
        Ok(())
    }

    async fn get(&self, part: FilePart) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.files.get(part).await
    }

    async fn delete(&self, organisation: OrganisationId, job: JobId) -> Result<(), StoreError> {
        self.files.delete(organisation, job).await
    }

    async fn jobs(&self, organisation: OrganisationId) -> Result<Vec<JobId>, StoreError> {
        self.files.jobs(organisation).await
    }
}

/// What a job that was given up has left behind goes as well.
#[tokio::test]
async fn s1_12_what_a_job_that_was_given_up_left_goes_as_well() {
    let (_folder, files) = folder();
    let forgetful = Arc::new(Forgetful {
        files: files.clone(),
        fails: AtomicBool::new(true),
    });
    let stores = Stores::of(Kind::Memory);
    let shop = shop_over(&stores.fresh().await, forgetful.clone());
    let take = with_take(&shop).await;
    let job = exported(&shop, take).await;
    let worker = Worker::new(&shop.stocktake, "worker");
    while worker.run_once().await.unwrap() != Ran::Dead(job) {
        shop.clock.advance_seconds(HOUR + HOUR / 4);
    }
    let exports = shop.stocktake.exports();
    let status = exports.status(&manager(&shop), job).await.unwrap();
    assert_eq!(status.job.state, JobState::Dead);
    assert!(!status.export.complete, "no half file");
    let organisation = shop.manager.organisation;
    assert_eq!(files.jobs(organisation).await.unwrap(), [job]);
    shop.clock.advance_seconds(50 * HOUR);
    assert_eq!(housekeeping(&shop).await, 1);
    assert!(files.jobs(organisation).await.unwrap().is_empty());
    // And the next one is whole.
    forgetful.fails.store(false, Ordering::SeqCst);
    let job = exported(&shop, take).await;
    shop.run_jobs().await.unwrap();
    let file = exports.file(&manager(&shop), job).await.unwrap();
    assert!(file.bytes.is_some());
}

/// A place for files whose first part is long on its way.
#[derive(Debug)]
struct Slow {
    files: Arc<FolderFiles>,
    is_first: AtomicBool,
    came: Notify,
    goes_on: Notify,
}

#[async_trait]
impl FileStore for Slow {
    async fn put(&self, part: FilePart, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        if self.is_first.swap(false, Ordering::SeqCst) {
            self.came.notify_one();
            self.goes_on.notified().await;
        }
        self.files.put(part, bytes).await
    }

    async fn get(&self, part: FilePart) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.files.get(part).await
    }

    async fn delete(&self, organisation: OrganisationId, job: JobId) -> Result<(), StoreError> {
        self.files.delete(organisation, job).await
    }

    async fn jobs(&self, organisation: OrganisationId) -> Result<Vec<JobId>, StoreError> {
        self.files.jobs(organisation).await
    }
}

/// A worker that was given up and comes late with its part spoils nothing of the file that another one made.
#[tokio::test]
async fn s1_12_a_part_that_comes_late_spoils_no_file() {
    let (_folder, files) = folder();
    let slow = Arc::new(Slow {
        files,
        is_first: AtomicBool::new(true),
        came: Notify::new(),
        goes_on: Notify::new(),
    });
    let stores = Stores::of(Kind::Memory);
    let shop = shop_over(&stores.fresh().await, slow.clone());
    let take = with_take(&shop).await;
    let job = exported(&shop, take).await;
    let late = Worker::new(&shop.stocktake, "late");
    let late = tokio::spawn(async move { late.run_once().await.unwrap() });
    slow.came.notified().await;
    // It is given up, a line is counted, and somebody else makes the file.
    shop.clock.advance_seconds(HOUR);
    let line = StockTakeItemId::for_key(take, &shop.key(0));
    let takes = shop.stocktake.stock_takes();
    let three = CountRequest::set(3.into());
    takes
        .count(&manager(&shop), take, line, three)
        .await
        .unwrap();
    let heir = Worker::new(&shop.stocktake, "heir");
    assert_eq!(heir.run_once().await.unwrap(), Ran::Done(job));
    let exports = shop.stocktake.exports();
    let read = async || {
        let file = exports.file(&manager(&shop), job).await.unwrap();
        String::from_utf8(file.bytes.unwrap()).unwrap()
    };
    let file = read().await;
    assert!(file.contains(",40,3,-37,"), "{file}");
    slow.goes_on.notify_one();
    assert_eq!(late.await.unwrap(), Ran::Done(job), "it is done already");
    assert_eq!(read().await, file);
}
