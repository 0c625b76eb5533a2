//! Several handles of one file, several writers of one store, and a store that goes while it is asked.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use stocktake::domain::Quantity;
use stocktake::service::{Caller, Movement, Stocktake, TimeOrderedIds};
use stocktake::sqlite::{Durability, SqliteStore};
use stocktake::store::{CommitError, CommitOutcome, Repository, RepositoryExt};
use stocktake::testing::{ManualClock, Shop};

use super::{ORGANISATION, added, assert_intact, changes, nowhere, open, quick, site};

/// A commit that fails takes nothing with it, however many share its transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commits_at_once_each_land_or_fail_by_themselves() {
    let (_folder, path) = nowhere();
    let store = open(&path);
    store.commit(&added(1)).await.unwrap();
    let mut commits = tokio::task::JoinSet::new();
    for number in 2..300_u128 {
        let store = store.clone();
        commits.spawn(async move {
            let mut changes = changes(number);
            changes.insert(site(number));
            if number % 3 == 0 {
                // Is there already: nothing of this one is kept.
                changes.insert(site(1));
            }
            (number, store.commit(&changes).await)
        });
    }
    while let Some(ended) = commits.join_next().await {
        let (number, result) = ended.unwrap();
        let is_there = store.site(ORGANISATION, site(number).id).await.unwrap();
        if number % 3 == 0 {
            assert!(
                matches!(result, Err(CommitError::Conflict(_))),
                "{result:?}"
            );
            assert_eq!(is_there, None);
        } else {
            assert_eq!(result.unwrap(), CommitOutcome::Applied);
            assert_eq!(is_there.unwrap().value, site(number));
        }
    }
    drop(store);
    assert_intact(&path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_of_one_file_sell_each_unit_once() {
    let (_folder, path) = nowhere();
    let shops: Vec<Arc<Shop>> = (0..2)
        .map(|_| {
            let (store, clock) = (Arc::new(open(&path)), Arc::new(ManualClock::default()));
            let ids = Arc::new(TimeOrderedIds);
            let library = Stocktake::with(store.clone(), store, clock.clone(), ids);
            Arc::new(Shop::with(library, clock))
        })
        .collect();
    shops[0].open().await.unwrap();
    let mut sales = tokio::task::JoinSet::new();
    // Forty are there, and fifty are asked for.
    for number in 0..50 {
        let shop = Arc::clone(&shops[number % 2]);
        sales.spawn(async move {
            let sale = Movement::Issue {
                key: shop.key(0),
                quantity: Quantity::ONE,
            };
            let caller = Caller::of(&shop.service);
            let (stock, site) = (shop.stocktake.stock(), shop.site.id);
            stock
                .record(&caller, site, &[sale.into()])
                .await
                .map_err(|error| error.code())
        });
    }
    let (mut sold, mut refused) = (0, Vec::new());
    while let Some(ended) = sales.join_next().await {
        match ended.unwrap() {
            Ok(_) => sold += 1,
            Err(code) => refused.push(code),
        }
    }
    assert_eq!((sold, refused.len()), (40, 10), "{refused:?}");
    for shop in &shops {
        assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), Quantity::ZERO);
        let manager = Caller::of(&shop.manager);
        let verified = shop
            .stocktake
            .stock()
            .verify(&manager, shop.site.id)
            .await
            .unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
}

/// What has been asked for is done, though nobody waits for it, and though the store is let go of.
#[tokio::test]
async fn commits_that_wait_are_done_before_the_file_is_closed() {
    for durability in [Durability::Full, Durability::Deferred] {
        let (_folder, path) = nowhere();
        let mut options = quick();
        options.durability = durability;
        let store = SqliteStore::open_with(&path, &options).unwrap();
        for number in 1..=200 {
            let changes = added(number);
            let mut asked = pin!(store.commit(&changes));
            // Asked for, and given up at once.
            drop(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        }
        drop(store);
        let store = open(&path);
        for number in 1..=200 {
            let read = store.site(ORGANISATION, site(number).id).await.unwrap();
            assert_eq!(read.unwrap().value, site(number));
        }
    }
}
