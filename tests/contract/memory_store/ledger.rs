//! C26 to C31: the ledger and its two orders.

use stocktake::domain::{SiteId, StockEvent, StockEventKind, StockKey};
use stocktake::memory::MemoryStore;
use stocktake::store::{LevelFilter, PageRequest, Repository, RepositoryExt};
use uuid::Uuid;

use super::fixtures::*;

async fn positions(store: &MemoryStore, site: SiteId, after: u64, limit: u32) -> Vec<(u64, u128)> {
    let ledger = store
        .ledger(ORGANISATION, site, after, limit)
        .await
        .unwrap();
    ledger
        .iter()
        .map(|entry| (entry.position, entry.event.id.as_uuid().as_u128()))
        .collect()
}

#[tokio::test]
async fn c26_backdated_event_does_not_reorder_the_ledger() {
    let store = MemoryStore::new();
    let mut late = event(2, key(1), 2);
    late.occurred_at = at(-1_000);
    late.recorded_at = at(-1_000);
    commit(&store, |it| it.event(event(1, key(1), 1))).await;
    commit(&store, |it| it.event(late)).await;
    commit(&store, |it| it.event(event(3, key(2), 1))).await;
    assert_eq!(
        positions(&store, SITE, 0, 9).await,
        [(1, 1), (2, 2), (3, 3)]
    );
}

#[tokio::test]
async fn c27_positions_are_gap_free_for_each_site() {
    let store = MemoryStore::new();
    let other = SiteId::new(Uuid::from_u128(0x52));
    let there = |n: u128| StockKey::plain(other, product_id(n));
    commit(&store, |it| {
        it.event(event(1, key(1), 1));
        it.event(event(2, there(1), 1));
        it.event(event(3, key(2), 1));
    })
    .await;
    // A refused commit uses up no position.
    let mut refused = changes();
    refused.event(event(9, key(3), 1));
    refused.event(event(3, key(3), 2));
    conflicts(&store, &refused).await;
    commit(&store, |it| {
        it.event(event(5, there(2), 1));
        it.event(event(4, key(3), 1));
    })
    .await;
    assert_eq!(
        positions(&store, SITE, 0, 9).await,
        [(1, 1), (2, 3), (3, 4)]
    );
    assert_eq!(positions(&store, other, 0, 9).await, [(1, 2), (2, 5)]);
    assert_eq!(positions(&store, SITE, 1, 1).await, [(2, 3)]);
    // The limit is that of a page: at least one.
    assert_eq!(positions(&store, SITE, 0, 0).await, [(1, 1)]);
    for (after, limit) in [(3, 9), (u64::MAX, 9)] {
        assert_eq!(positions(&store, SITE, after, limit).await, []);
    }
    let ids = [event_id(4), event_id(9), event_id(2)];
    let read = store.events(ORGANISATION, &ids).await.unwrap();
    let read: Vec<_> = read
        .iter()
        .map(|it| it.as_ref().map(|it| it.position))
        .collect();
    assert_eq!(read, [Some(3), None, Some(1)]);
}

#[tokio::test]
async fn c29_events_of_keys_after_a_sequence() {
    let store = MemoryStore::new();
    commit(&store, |it| {
        for sequence in 1..=3 {
            for n in [2, 1] {
                let id = u128::from(sequence) * 10 + n;
                it.event(event(id, key(n), sequence));
            }
        }
    })
    .await;
    let read = async |keys: &[(StockKey, u64)]| {
        let events = store.events_after(ORGANISATION, keys).await.unwrap();
        let place = |event: &StockEvent| (event.key.product.as_uuid().as_u128(), event.sequence);
        events.iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!(
        read(&[(key(2), 1), (key(1), 2)]).await,
        [(1, 3), (2, 2), (2, 3)]
    );
    assert_eq!(read(&[(key(1), 3), (key(9), 0)]).await, []);
    assert_eq!(read(&[]).await, []);
    // Asked for twice, an event still comes once.
    assert_eq!(read(&[(key(1), 2), (key(1), 1)]).await, [(1, 2), (1, 3)]);
}

/// Sequences are the caller's; the order is theirs even when they were not written in it.
#[tokio::test]
async fn c29_sequences_order_a_key_whatever_came_first() {
    let store = MemoryStore::new();
    for sequence in [2, 4, 1, 3] {
        commit(&store, |it| {
            it.event(event(u128::from(sequence), key(1), sequence));
        })
        .await;
    }
    let read = store
        .events_after(ORGANISATION, &[(key(1), 1)])
        .await
        .unwrap();
    let read: Vec<_> = read.iter().map(|event| event.sequence).collect();
    assert_eq!(read, [2, 3, 4]);
    assert_eq!(
        positions(&store, SITE, 0, 9).await,
        [(1, 2), (2, 4), (3, 1), (4, 3)]
    );
}

#[tokio::test]
async fn c30_event_immutable_and_id_unique() {
    let store = MemoryStore::new();
    commit(&store, |it| it.event(event(1, key(1), 1))).await;
    let mut other = event(1, key(1), 2);
    other.kind = StockEventKind::Issue;
    let mut changes = changes();
    changes.event(other);
    conflicts(&store, &changes).await;
    let read = store.events(ORGANISATION, &[event_id(1)]).await.unwrap();
    let read = read.into_iter().flatten().next().unwrap();
    assert_eq!(read.event, event(1, key(1), 1));
    // In another organisation the id, and the place, are free.
    let mut elsewhere = changes_of(STRANGER);
    elsewhere.event(event(1, key(1), 1));
    store.commit(&elsewhere).await.unwrap();
}

/// A key that nothing is left of is still stocked; a delisted one is not, but keeps its record.
#[tokio::test]
async fn c31_removed_is_not_zero() {
    let store = shop(3).await;
    let empty = level(key(1), "0");
    let delisted = stocktake::domain::StockLevel::new(key(2), at(1));
    assert!(!delisted.is_stocked());
    commit(&store, |it| {
        it.insert(empty);
        it.insert(delisted);
    })
    .await;
    let levels = store
        .levels(ORGANISATION, &[key(1), key(2), key(3)])
        .await
        .unwrap();
    let known: Vec<_> = levels.iter().map(Option::is_some).collect();
    assert_eq!(known, [true, true, false]);
    let list = async |with_delisted| {
        let filter = LevelFilter {
            with_delisted,
            ..LevelFilter::default()
        };
        let page = PageRequest::first(9).counted();
        let page = store
            .levels_page(ORGANISATION, SITE, &filter, &page)
            .await
            .unwrap();
        (page.items.len(), page.total)
    };
    assert_eq!(list(false).await, (1, Some(1)));
    assert_eq!(list(true).await, (2, Some(2)));
    let page = PageRequest::first(9);
    let page = store
        .stock_take_items(
            ORGANISATION,
            TAKE,
            &stocktake::store::StockTakeItemFilter::default(),
            stocktake::store::ArticleSort::default(),
            &page,
        )
        .await
        .unwrap();
    let on_hand: Vec<_> = page.items.iter().map(|row| row.on_hand).collect();
    assert_eq!(on_hand, [Some(quantity("0")), None, None]);
    let view = store
        .counting_view(ORGANISATION, TAKE, &[item(2).id])
        .await
        .unwrap();
    assert!(view.unwrap().into_line().unwrap().1.level.is_some());
}
