//! A file that somebody else is writing.

use std::time::Duration;

use stocktake::sqlite::SqliteStore;
use stocktake::store::{
    CommitError, CommitOutcome, JobKind, JobQueue, Repository, RepositoryExt, StoreErrorKind,
};

use super::{ORGANISATION, added, nowhere, open, quick, raw, site};

#[tokio::test]
async fn a_commit_gives_up_as_busy_and_nothing_of_it_is_kept() {
    let (_folder, path) = nowhere();
    open(&path).commit(&added(1)).await.unwrap();
    let mut options = quick();
    options.busy_timeout = Duration::ZERO;
    let store = SqliteStore::open_with(&path, &options).unwrap();
    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let commits = [added(2), added(3), added(4)];
    for changes in &commits {
        match store.commit(changes).await {
            Err(CommitError::Store(error)) => assert_eq!(error.kind(), StoreErrorKind::Busy),
            other => panic!("{other:?}"),
        }
    }
    let lease = store
        .lease(
            "worker",
            JobKind::ALL,
            super::Timestamp::EPOCH,
            super::Timestamp::EPOCH,
        )
        .await;
    assert_eq!(lease.unwrap_err().kind(), StoreErrorKind::Busy);
    // Reading goes on meanwhile.
    let read = store.site(ORGANISATION, site(1).id).await.unwrap();
    assert_eq!(read.unwrap().value, site(1));
    assert_eq!(store.site(ORGANISATION, site(2).id).await.unwrap(), None);

    other.execute_batch("ROLLBACK").unwrap();
    for changes in &commits {
        assert_eq!(store.commit(changes).await.unwrap(), CommitOutcome::Applied);
    }
    assert!(
        store
            .site(ORGANISATION, site(4).id)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_commit_waits_for_the_other_to_end() {
    let (_folder, path) = nowhere();
    let mut options = quick();
    options.busy_timeout = Duration::from_mins(1);
    let store = SqliteStore::open_with(&path, &options).unwrap();
    let other = raw(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.commit(&added(1)).await }
    });
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), CommitOutcome::Applied);
}
