//! The audit finds what is wrong, and nothing else, while stock moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stocktake::domain::{Quantity, SiteId, StockEvent, StockKey};
use stocktake::service::{Caller, DIFFERENCES_TOLD, Difference, Movement, NewMovement, Stocktake};
use stocktake::store::{ChangeSet, Command, CommandId, Digest, Outcome};
use stocktake::testing::Shop;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::shops::{manager, shop_on};
use crate::stores::{Kind, Stores};

/// How many writers move stock, and how often the audit looks meanwhile.
const WRITERS: usize = 4;
const LOOKS: usize = 12;

/// A key of a product, each writer's own and one that they share, some of which come anew all the time.
fn key_of(shop: &Shop, writer: usize, step: u64) -> StockKey {
    let key = shop.key(usize::try_from(step % 3).unwrap_or(0));
    match step % 4 {
        0 => key,
        1 => key.at(format!("bay-{writer}").parse().unwrap()),
        _ => key.at(format!("new-{writer}-{step}").parse().unwrap()),
    }
}

async fn writes(library: Stocktake, caller: Caller, site: SiteId, key: StockKey) {
    let receipt = Movement::Receipt {
        key: key.clone(),
        quantity: Quantity::from(5),
        unit_cost: Some("2.50".parse().unwrap()),
    };
    let issue = Movement::Issue {
        key,
        quantity: Quantity::from(2),
    };
    let batch = [receipt.into(), issue.into()];
    // A store that is too busy says so; what was not recorded is not wrong.
    let _ = library.stock().record(&caller, site, &batch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_m1_a_sound_store_is_sound_while_stock_moves() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = Arc::new(shop_on(&store));
        shop.open().await.unwrap();
        let (stop, steps) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (shop, stop, steps) = (shop.clone(), stop.clone(), steps.clone());
            writers.spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    let step = steps.fetch_add(1, Ordering::AcqRel);
                    let key = key_of(&shop, writer, step);
                    let library = shop.stocktake.clone();
                    writes(library, manager(&shop), shop.site.id, key).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut moved_meanwhile = 0;
        for _ in 0..LOOKS {
            let before = steps.load(Ordering::Acquire);
            let found = shop
                .stocktake
                .stock()
                .verify(&manager(&shop), shop.site.id)
                .await
                .unwrap();
            assert!(found.is_sound(), "{}: {found:?}", kind.name());
            moved_meanwhile += steps.load(Ordering::Acquire) - before;
            while steps.load(Ordering::Acquire) < before + 3 {
                tokio::task::yield_now().await;
            }
        }
        stop.store(true, Ordering::Release);
        writers.join_all().await;
        assert!(moved_meanwhile > 0, "{}: nothing moved", kind.name());
        let end = shop.stocktake.stock();
        let end = end.verify(&manager(&shop), shop.site.id).await.unwrap();
        assert!(end.is_sound(), "{}: {end:?}", kind.name());
    }
}

/// Writes events past the library, as a program that is wrong would.
async fn put_events(shop: &Shop, store: &crate::stores::Store, events: Vec<StockEvent>, n: u32) {
    let command = Command {
        id: CommandId::new("wrong", n),
        digest: Digest::of("wrong").field(n).finish(),
        outcome: Outcome::Done,
        at: shop.now(),
    };
    let mut changes = ChangeSet::new(shop.manager.organisation, command);
    for event in events {
        changes.event(event);
    }
    store.repository.commit(&changes).await.unwrap();
}

/// An event of the ledger.
async fn an_event(shop: &Shop) -> StockEvent {
    let stock = shop.stocktake.stock();
    let ledger = stock.ledger(&manager(shop), shop.site.id, 0, 1).await;
    ledger.unwrap().remove(0).event
}

#[tokio::test]
async fn fault_m1_events_that_no_level_knows_are_still_found() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        let event = an_event(&shop).await;
        let ahead = StockEvent {
            id: Uuid::from_u128(1).into(),
            sequence: event.sequence + 1,
            before: event.after,
            after: event.after.checked_add(event.change).unwrap(),
            ..event.clone()
        };
        let nowhere = StockEvent {
            id: Uuid::from_u128(2).into(),
            key: shop.key(3).at("nowhere".parse().unwrap()),
            ..event.clone()
        };
        put_events(&shop, &store, vec![ahead, nowhere.clone()], 1).await;
        let stock = shop.stocktake.stock();
        let found = stock.verify(&manager(&shop), shop.site.id).await.unwrap();
        let expected = [
            Difference::Sequence {
                key: event.key,
                at: event.sequence + 1,
            },
            Difference::NoLevel { key: nowhere.key },
        ];
        assert_eq!(found.found, 2, "{}: {found:?}", kind.name());
        for difference in expected {
            assert!(found.differences.contains(&difference), "{found:?}");
        }
    }
}

#[tokio::test]
async fn fault_m3_a_key_of_more_events_than_a_page_is_read_in_parts() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        let stock = shop.stocktake.stock();
        // Late movements and the counter-events that absorb them: the pairs begin with the fourth event, so that one is on
        // both sides of the thousandth.
        let (key, at) = (shop.key(0), shop.now().later_by(-60_000_000));
        let issue = |quantity: &str| Movement::Issue {
            key: key.clone(),
            quantity: quantity.parse().unwrap(),
        };
        let reset = Movement::Reset {
            key: key.clone(),
            quantity: Quantity::from(30),
            unit_cost: None,
            expected: None,
        };
        let first = [issue("1").into(), reset.into()];
        stock
            .record(&manager(&shop), shop.site.id, &first)
            .await
            .unwrap();
        for _ in 0..2 {
            let late = || NewMovement::from(issue("0.25")).at(at);
            let batch: Vec<_> = (0..600).map(|_| late()).collect();
            stock
                .record(&manager(&shop), shop.site.id, &batch)
                .await
                .unwrap();
        }
        let found = stock.verify(&manager(&shop), shop.site.id).await.unwrap();
        assert!(found.is_sound(), "{}: {found:?}", kind.name());
        assert_eq!(found.levels, 10);
        let events = stock.key_events(&manager(&shop), &key, 0).await.unwrap();
        assert!(events[1_000].absorbs.is_some(), "a pair is torn apart");
        assert_eq!(found.events, 9 + 3 + 2_400, "{}", kind.name());
    }
}

#[tokio::test]
async fn fault_m3_differences_are_counted_and_the_first_are_told() {
    let store = Stores::of(Kind::Memory).fresh().await;
    let shop = shop_on(&store);
    shop.open().await.unwrap();
    let event = an_event(&shop).await;
    let most = u32::try_from(DIFFERENCES_TOLD).unwrap();
    let wrong = (0..most + 5).map(|number| StockEvent {
        id: Uuid::from_u128(u128::from(number) + 1).into(),
        key: shop.key(3).at(format!("nowhere-{number}").parse().unwrap()),
        ..event.clone()
    });
    put_events(&shop, &store, wrong.collect(), 1).await;
    let stock = shop.stocktake.stock();
    let found = stock.verify(&manager(&shop), shop.site.id).await.unwrap();
    assert_eq!(found.found, u64::from(most) + 5);
    assert_eq!(found.differences.len(), DIFFERENCES_TOLD);
    assert!(!found.is_sound());
}
