//! A process that dies while it completes an inventory count (S2.5, S6.4): the job goes on where it stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use stocktake::domain::{
    CompletionOptions, CountType, InventoryCountDetails, InventoryCountId, InventoryCountState,
    MovementPolicy, Product, ProductId, Quantity, StockKey, Timestamp,
};
use stocktake::jobs::Worker;
use stocktake::service::{Caller, Clock, Movement, NewCountItem, NewMovement, Stocktake};
use stocktake::store::{PageRequest, StockAdjustmentFilter};
use stocktake::testing::{ManualClock, SequentialIds, Shop};
use uuid::Uuid;

use crate::stores::{Kind, Store, Stores};

/// A clock on which whoever looks at the wrong moment dies: the library looks at it before every chunk.
#[derive(Debug)]
struct DeadlyClock {
    clock: Arc<ManualClock>,
    looks_left: AtomicI64,
}

impl Clock for DeadlyClock {
    fn now(&self) -> Timestamp {
        assert_ne!(
            self.looks_left.fetch_sub(1, Ordering::SeqCst),
            0,
            "the process dies"
        );
        self.clock.now()
    }
}

const APPLY: CompletionOptions = CompletionOptions {
    apply_adjustments: true,
    skip_unpostable: false,
};
/// More than two chunks.
const PRODUCTS: u32 = 2_100;

struct Fixture {
    shop: Arc<Shop>,
    deadly: Arc<DeadlyClock>,
    count: InventoryCountId,
    keys: Vec<StockKey>,
    /// What the shop is on.
    _store: Store,
}

/// A count of many products, of each of which one is missing.
async fn counted(stores: &Stores, products: u32) -> Fixture {
    let store = stores.fresh().await;
    let clock = Arc::new(ManualClock::default());
    let deadly = Arc::new(DeadlyClock {
        clock: clock.clone(),
        looks_left: AtomicI64::new(-1),
    });
    let ids = Arc::new(SequentialIds::default());
    let library = Stocktake::with(
        store.repository.clone(),
        store.queue.clone(),
        deadly.clone(),
        ids,
    );
    let shop = Arc::new(Shop::with(library, clock));
    shop.open_empty().await.unwrap();
    let manager = Caller::of(&shop.manager);
    let many: Vec<Product> = (0..products)
        .map(|number| {
            let id = ProductId::new(Uuid::from_u128(10_000 + u128::from(number)));
            let article = format!("MANY-{number}").parse().unwrap();
            let name = format!("Many {number}").parse().unwrap();
            Product {
                unit_costs: stocktake::domain::UnitCosts::of(
                    "gbp".parse().unwrap(),
                    "1".parse().unwrap(),
                ),
                ..Product::new(id, shop.site.organisation, article, name)
            }
        })
        .collect();
    let keys: Vec<StockKey> = many
        .iter()
        .map(|product| StockKey::plain(shop.site.id, product.id))
        .collect();
    let catalogue = shop.stocktake.catalogue();
    catalogue.put_products(&manager, many).await.unwrap();
    let arrivals: Vec<NewMovement> = keys
        .iter()
        .map(|key| {
            Movement::Receipt {
                key: key.clone(),
                quantity: Quantity::from(10),
                unit_cost: None,
            }
            .into()
        })
        .collect();
    let stock = shop.stocktake.stock();
    stock
        .record(&manager, shop.site.id, &arrivals)
        .await
        .unwrap();
    let counts = shop.stocktake.inventory_counts();
    let details = InventoryCountDetails {
        name: "Crashing".parse().unwrap(),
        kind: CountType::Full,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let count = counts.start(&manager, shop.site.id, details).await.unwrap();
    for key in &keys {
        let item = NewCountItem::of(key.clone(), Quantity::from(9));
        counts.count(&manager, count.id(), item).await.unwrap();
    }
    Fixture {
        count: count.id(),
        shop,
        deadly,
        keys,
        _store: store,
    }
}

impl Fixture {
    async fn state(&self) -> InventoryCountState {
        let counts = self.shop.stocktake.inventory_counts();
        let summary = counts
            .get(&Caller::of(&self.shop.manager), self.count)
            .await
            .unwrap();
        summary.count.state()
    }

    /// Everything was posted, once.
    async fn assert_posted_once(&self) {
        assert_eq!(self.state().await, InventoryCountState::Completed);
        let shop = &self.shop;
        let manager = Caller::of(&shop.manager);
        let lines = self.keys.len();
        let ledger = shop.stocktake.stock();
        let ledger = ledger
            .ledger(&manager, shop.site.id, 0, 10_000)
            .await
            .unwrap();
        assert_eq!(ledger.len(), lines * 2);
        for key in &self.keys {
            assert_eq!(shop.on_hand(key).await.unwrap(), Quantity::from(9));
        }
        let adjustments = shop.stocktake.stock_adjustments();
        let filter = StockAdjustmentFilter::default();
        let page = PageRequest::first(1).counted();
        let records = adjustments
            .list(&manager, shop.site.id, &filter, &page)
            .await
            .unwrap();
        assert_eq!(records.total, Some(lines as u64));
        let verified = shop.stocktake.stock().verify(&manager, shop.site.id).await;
        assert!(verified.unwrap().is_sound());
    }
}

#[tokio::test]
async fn s2_5_whoever_dies_while_completing_the_job_goes_on() {
    for kind in Kind::EMBEDDED {
        the_job_goes_on(&Stores::of(*kind)).await;
    }
}

async fn the_job_goes_on(stores: &Stores) {
    let mut deaths = 0;
    for looks in 0.. {
        let fixture = counted(stores, 3).await;
        fixture.deadly.looks_left.store(looks, Ordering::SeqCst);
        let (shop, count) = (fixture.shop.clone(), fixture.count);
        let completing = tokio::spawn(async move {
            let counts = shop.stocktake.inventory_counts();
            let manager = Caller::of(&shop.manager);
            counts.complete(&manager, count, APPLY, None).await
        });
        let ended = completing.await;
        fixture.deadly.looks_left.store(-1, Ordering::SeqCst);
        if let Ok(done) = ended {
            done.unwrap();
            fixture.assert_posted_once().await;
            break;
        }
        deaths += 1;
        fixture.shop.clock.advance_seconds(120);
        fixture.shop.run_jobs().await.unwrap();
        if fixture.state().await == InventoryCountState::InProgress {
            // It died before it began: nothing has happened, and it can be asked for again.
            assert_eq!(looks, 0);
            let counts = fixture.shop.stocktake.inventory_counts();
            let manager = Caller::of(&fixture.shop.manager);
            counts.complete(&manager, count, APPLY, None).await.unwrap();
        }
        fixture.assert_posted_once().await;
    }
    assert!(deaths >= 3, "it died {deaths} times");
}

#[tokio::test]
async fn s6_4_a_worker_that_dies_between_chunks_is_followed_by_another() {
    for kind in Kind::EMBEDDED {
        another_follows(&Stores::of(*kind)).await;
    }
}

async fn another_follows(stores: &Stores) {
    let fixture = counted(stores, PRODUCTS).await;
    let counts = fixture.shop.stocktake.inventory_counts();
    let manager = Caller::of(&fixture.shop.manager);
    let job = counts
        .queue_completion(&manager, fixture.count, APPLY, None)
        .await
        .unwrap();
    // Each worker gets a little further before it dies.
    let (mut deaths, mut seen) = (0, Vec::new());
    while fixture.state().await != InventoryCountState::Completed {
        fixture.deadly.looks_left.store(4, Ordering::SeqCst);
        let shop = fixture.shop.clone();
        let working = tokio::spawn(async move {
            let worker = Worker::new(&shop.stocktake, "mortal");
            worker.run_all_due().await.unwrap()
        });
        deaths += u32::from(working.await.is_err());
        fixture.deadly.looks_left.store(-1, Ordering::SeqCst);
        fixture.shop.clock.advance_seconds(120);
        let progress = fixture.shop.stocktake.job(&manager, job).await;
        seen.push(progress.unwrap().progress.done);
    }
    assert!(deaths >= 2, "workers died {deaths} times");
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&u64::from(PRODUCTS)));
    fixture.assert_posted_once().await;
}
