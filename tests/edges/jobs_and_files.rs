//! What jobs and files tell, to whom and for how long; what is thrown away; which jobs a worker takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stocktake::domain::{
    Actor, ImportMode, InventoryOrderDetails, JobId, MovementPolicy, Ordered, Quantity, SearchText,
    Site, SiteAccess, SiteId, StockImportState, StockTakeId, StockTakeItemId, StockTakeState,
};
use stocktake::jobs::{Courier, Ran, Worker};
use stocktake::service::{
    Caller, CountRequest, ErrorKind, ExportLimits, InventoryOrders, NewInventoryOrder,
    NewOrderItem, NewStockTake, OrderLetter, Retention,
};
use stocktake::store::{ExportForm, IdempotencyKey, JobState, StockTakeItemFilter};
use stocktake::testing::Shop;

use super::shops::{all, manager, shop_on};
use super::stores::{Kind, Store, Stores};

const HOUR: i64 = 60 * 60;

async fn opened(store: &Store) -> Shop {
    let shop = shop_on(store);
    shop.open().await.unwrap();
    shop
}

async fn new_take(shop: &Shop) -> StockTakeId {
    let new = NewStockTake {
        site: shop.site.id,
        description: "January".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let takes = shop.stocktake.stock_takes();
    let take = takes.create(&manager(shop), new).await.unwrap().id();
    shop.run_jobs().await.unwrap();
    take
}

async fn exported(shop: &Shop, take: StockTakeId, filter: StockTakeItemFilter) -> JobId {
    let exports = shop.stocktake.exports();
    let job = exports
        .stock_take(&manager(shop), take, filter, ExportForm::default())
        .await;
    job.unwrap()
}

/// Everything of a shop and of another site of its organisation.
fn everywhere(shop: &Shop) -> Actor {
    Actor {
        sites: SiteAccess::All,
        ..shop.manager.clone()
    }
}

fn everything() -> StockTakeItemFilter {
    StockTakeItemFilter::default()
}

/// Only the lines of a brand.
fn of_brand(shop: &Shop, number: usize) -> StockTakeItemFilter {
    let brand = shop.products[number].brand.clone().unwrap();
    StockTakeItemFilter {
        brands: [brand.id].into(),
        ..everything()
    }
}

/// An import of two sites tells of the stock of both: it is for who sees both, its job too.
#[tokio::test]
async fn fault_h3_what_an_import_tells_is_for_who_sees_all_of_its_sites() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let host = Caller::of(&everywhere(&shop));
        let other = Site {
            id: SiteId::new(uuid::Uuid::from_u128(0x77)),
            external_id: "store-2".parse().unwrap(),
            ..shop.site.clone()
        };
        let catalogue = shop.stocktake.catalogue();
        catalogue.put_site(&host, other.clone()).await.unwrap();
        // It would go below zero at the other site, and says how much is there. It is too large to be looked at first.
        let more: Vec<String> = (0..1_000).map(|n| format!(r#""N-{n}": 1"#)).collect();
        let more = more.join(", ");
        let body = format!(r#"{{"store-1": {{"SKU-0": -1, {more}}}, "store-2": {{"SKU-0": -5}}}}"#);
        let imports = shop.stocktake.stock_imports();
        let began = imports
            .begin(&host, ImportMode::Adjustment, body.as_bytes(), false)
            .await;
        let began = began.unwrap();
        shop.run_jobs().await.unwrap();
        let id = began.import.id();
        let told = imports.get(&host, id).await.unwrap();
        assert_eq!(told.state(), StockImportState::Rejected);
        assert_eq!(told.report().problems_total, 1);
        assert!(shop.stocktake.job(&host, began.job).await.is_ok());
        let there = Actor {
            sites: SiteAccess::Only([other.id].into()),
            ..shop.manager.clone()
        };
        for reader in [&shop.manager, &shop.viewer, &there, &shop.stranger] {
            let reader = Caller::of(reader);
            let import = imports.get(&reader, id).await.unwrap_err();
            assert_eq!(import.kind(), ErrorKind::NotFound, "{}", kind.name());
            let job = shop.stocktake.job(&reader, began.job).await.unwrap_err();
            assert_eq!(job.kind(), ErrorKind::NotFound, "{}", kind.name());
        }
    }
}

/// A courier that can't deliver, and says why.
#[derive(Debug)]
struct Lost;

#[async_trait]
impl Courier for Lost {
    async fn send_order(
        &self,
        _: &OrderLetter,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("550 no mailbox of bob@example.com".into())
    }
}

/// A courier that delivers.
#[derive(Debug)]
struct Quick;

#[async_trait]
impl Courier for Quick {
    async fn send_order(
        &self,
        _: &OrderLetter,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

async fn submitted(shop: &Shop) -> JobId {
    let orders = shop.stocktake.inventory_orders();
    let new = NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: None,
            supplier_email: None,
        },
    };
    let order = orders.create(&manager(shop), new).await.unwrap().id();
    let line = NewOrderItem {
        product: shop.products[0].id,
        variant: None,
        ordered: Ordered {
            quantity: Quantity::from(2),
            unit_price_minor: 150,
        },
    };
    orders.add_item(&manager(shop), order, line).await.unwrap();
    let order = orders.submit(&manager(shop), order).await.unwrap();
    InventoryOrders::sending_job(&order).unwrap()
}

/// Who does not look after jobs is told the code of an error, not what was said about it.
#[tokio::test]
async fn fault_h3_the_words_of_an_error_are_for_who_looks_after_jobs() {
    let stores = Stores::of(Kind::Memory);
    let shop = opened(&stores.fresh().await).await;
    let job = submitted(&shop).await;
    let worker = Worker::new(&shop.stocktake, "post").with_courier(Arc::new(Lost));
    assert_eq!(worker.run_once().await.unwrap(), Ran::Failed(job));
    let told = async |reader: &Actor| {
        let job = shop.stocktake.job(&Caller::of(reader), job).await;
        job.unwrap().last_error.unwrap()
    };
    assert!(told(&shop.manager).await.contains("bob@example.com"));
    for reader in [&shop.viewer, &shop.counter, &shop.service] {
        assert_eq!(told(reader).await, "not_sent");
    }
}

/// What was written of a take goes with it, and with the right to see it.
#[tokio::test]
async fn fault_h4_a_file_ends_with_its_take_and_with_the_right_to_see_it() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let take = new_take(&shop).await;
        let job = exported(&shop, take, everything()).await;
        shop.run_jobs().await.unwrap();
        let exports = shop.stocktake.exports();
        let viewer = Caller::of(&shop.viewer);
        assert!(exports.file(&viewer, job).await.unwrap().bytes.is_some());
        assert!(exports.file_chunk(&viewer, job, 0).await.unwrap().is_some());
        // Whoever lost the site has lost the file.
        let moved = Actor {
            sites: SiteAccess::Only(BTreeSet::new()),
            ..shop.viewer.clone()
        };
        for reader in [&moved, &shop.elsewhere, &shop.stranger] {
            let reader = Caller::of(reader);
            let found = exports.file(&reader, job).await.unwrap_err();
            assert_eq!(found.code(), "not_found", "{}", kind.name());
        }
        let takes = shop.stocktake.stock_takes();
        takes.remove(&manager(&shop), take).await.unwrap();
        for reader in [&shop.viewer, &shop.manager] {
            let reader = Caller::of(reader);
            for code in [
                exports.status(&reader, job).await.unwrap_err().code(),
                exports.file(&reader, job).await.unwrap_err().code(),
                exports
                    .file_chunk(&reader, job, 0)
                    .await
                    .unwrap_err()
                    .code(),
            ] {
                assert_eq!(code, "not_found", "{}", kind.name());
            }
        }
    }
}

/// A file can be fetched for a day; whoever asks within it gets the same job, and after it another one.
#[tokio::test]
async fn fault_n2_a_file_expires_and_asking_again_makes_another() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let take = new_take(&shop).await;
        let exports = shop.stocktake.exports();
        let mut last = exported(&shop, take, everything()).await;
        let mut made_at = shop.now();
        shop.run_jobs().await.unwrap();
        for step in 1..=30_i64 {
            shop.clock.advance_seconds(7 * HOUR);
            let age = shop.now().micros() - made_at.micros();
            let is_over = age >= 24 * HOUR * 1_000_000;
            let file = exports.file(&manager(&shop), last).await;
            if is_over {
                let over = file.unwrap_err();
                assert_eq!((over.code(), over.kind()), ("expired", ErrorKind::NotFound));
            } else {
                assert!(
                    file.unwrap().bytes.is_some(),
                    "{}, step {step}",
                    kind.name()
                );
            }
            let next = exported(&shop, take, everything()).await;
            assert_eq!(next != last, is_over, "{}, step {step}", kind.name());
            if is_over {
                (last, made_at) = (next, shop.now());
                shop.run_jobs().await.unwrap();
            }
        }
    }
}

/// An organisation has so many exports under way, and no more; an export has so many lines.
#[tokio::test]
async fn fault_n2_exports_are_limited() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let take = new_take(&shop).await;
        let exports = shop.stocktake.exports();
        let filter = |number: u32| StockTakeItemFilter {
            name_or_barcode: Some(SearchText::new(&format!("Product {number}")).unwrap()),
            ..everything()
        };
        for number in 0..10 {
            exported(&shop, take, filter(number)).await;
        }
        let more = exports
            .stock_take(&manager(&shop), take, filter(10), ExportForm::default())
            .await;
        let more = more.unwrap_err();
        assert_eq!((more.code(), more.kind().status()), ("too_many", 429));
        assert!(more.is_retryable());
        // One that is there may be asked for again.
        exported(&shop, take, filter(3)).await;
        shop.run_jobs().await.unwrap();
        exported(&shop, take, filter(10)).await;

        let few = shop.stocktake.clone().with_export_limits(ExportLimits {
            lines: 9,
            active: 1_000,
            ..ExportLimits::default()
        });
        let exports = few.exports();
        let many = exports
            .stock_take(&manager(&shop), take, everything(), ExportForm::default())
            .await;
        let many = many.unwrap_err();
        assert_eq!(many.code(), "too_large", "{}", kind.name());
        let some = of_brand(&shop, 0);
        let some = exports
            .stock_take(&manager(&shop), take, some, ExportForm::default())
            .await;
        some.unwrap();
    }
}

/// What has been kept long enough goes, and nothing else.
#[tokio::test]
async fn fault_n4_housekeeping_throws_away_what_has_been_kept_long_enough() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let host = Caller::of(&everywhere(&shop));
        let take = new_take(&shop).await;
        let takes = shop.stocktake.stock_takes();
        let keyed = |key: &str| manager(&shop).with_key(IdempotencyKey::new(key).unwrap());
        let line = StockTakeItemId::for_key(take, &shop.key(0));
        let count = CountRequest::set(Quantity::from(7));
        takes
            .count(&keyed("a"), take, line, count.clone())
            .await
            .unwrap();
        // A line that is deleted leaves its last version behind.
        let gone = StockTakeItemId::for_key(take, &shop.key(1));
        takes
            .delete_item(&manager(&shop), take, gone)
            .await
            .unwrap();
        let job = exported(&shop, take, everything()).await;
        shop.run_jobs().await.unwrap();
        let retention = Retention::default();
        let keep_house = async || {
            let gone = shop.stocktake.housekeeping(&host, retention).await;
            gone.unwrap()
        };
        assert_eq!(
            keep_house().await,
            stocktake::service::ThrownAway::default()
        );
        let hours = |hours: i64| shop.clock.advance_seconds(hours * HOUR);
        hours(24 + 25);
        let gone = keep_house().await;
        assert_eq!(
            (gone.exports, gone.commands, gone.finished_jobs),
            (2, 0, 0),
            "{}",
            kind.name()
        );
        let file = shop.stocktake.exports().file(&manager(&shop), job).await;
        assert_eq!(file.unwrap_err().code(), "not_found");
        hours(6 * 24);
        let gone = keep_house().await;
        assert!(gone.commands > 0, "{}", kind.name());
        assert_eq!(gone.finished_jobs, 0, "{}", kind.name());
        hours(30 * 24);
        let gone = keep_house().await;
        assert_eq!(
            gone.finished_jobs,
            2,
            "{}: populating, exporting",
            kind.name()
        );
        assert_eq!(
            keep_house().await,
            stocktake::service::ThrownAway::default()
        );
        // What was counted is still there, and the take goes on.
        let take = takes.get(&manager(&shop), take).await.unwrap();
        assert_eq!((take.totals.items, take.totals.counted), (9, 1));
        for who in [&shop.manager, &shop.viewer, &shop.counter, &shop.service] {
            let refused = shop
                .stocktake
                .housekeeping(&Caller::of(who), retention)
                .await;
            assert_eq!(refused.unwrap_err().code(), "forbidden");
        }
    }
}

/// Nothing goes before a day, whatever is asked for; and nothing at all where it is to be kept for ever.
#[tokio::test]
async fn fault_n4_nothing_goes_before_a_day() {
    let stores = Stores::of(Kind::Memory);
    let shop = opened(&stores.fresh().await).await;
    let host = Caller::of(&everywhere(&shop));
    new_take(&shop).await;
    let at_once = Retention {
        commands: Duration::ZERO,
        finished_jobs: Duration::ZERO,
        dead_jobs: Duration::ZERO,
        expired_exports: Duration::ZERO,
    };
    let never = Retention {
        commands: Duration::MAX,
        finished_jobs: Duration::MAX,
        dead_jobs: Duration::MAX,
        expired_exports: Duration::MAX,
    };
    shop.clock.advance_seconds(24 * HOUR);
    let gone = shop.stocktake.housekeeping(&host, at_once).await.unwrap();
    assert_eq!(gone, stocktake::service::ThrownAway::default());
    shop.clock.advance_seconds(1);
    let gone = shop.stocktake.housekeeping(&host, never).await.unwrap();
    assert_eq!(gone, stocktake::service::ThrownAway::default());
    let gone = shop.stocktake.housekeeping(&host, at_once).await.unwrap();
    assert!(gone.commands > 0 && gone.finished_jobs == 1, "{gone:?}");
}

/// A worker keeps house by its clock, for every organisation, when it has nothing else to do.
#[tokio::test]
async fn fault_n4_a_worker_keeps_house_by_its_clock() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let worker = Worker::new(&shop.stocktake, "host")
            .with_housekeeping(Duration::from_hours(6), Retention::default());
        let take = new_take(&shop).await;
        let job = exported(&shop, take, everything()).await;
        let is_there = async || {
            let job = store.queue.job(shop.manager.organisation, job).await;
            job.unwrap().is_some()
        };
        assert_eq!(worker.run_all_due().await.unwrap(), 1);
        // It has just kept house: it does again in six hours.
        shop.clock.advance_seconds(6 * HOUR - 1);
        assert_eq!(worker.run_once().await.unwrap(), Ran::Nothing);
        shop.clock.advance_seconds(31 * 24 * HOUR);
        assert!(is_there().await);
        assert_eq!(worker.run_once().await.unwrap(), Ran::Nothing);
        assert!(!is_there().await, "{}", kind.name());
    }
}

/// A worker without a courier leaves letters to one that has one, however long they wait.
#[tokio::test]
async fn a_worker_without_a_courier_leaves_letters_alone() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let letter = submitted(&shop).await;
        let without = Worker::new(&shop.stocktake, "without");
        for _ in 0..20 {
            assert_eq!(without.run_once().await.unwrap(), Ran::Nothing);
            shop.clock.advance_seconds(HOUR);
        }
        // It does what it can.
        let take = new_take(&shop).await;
        let takes = shop.stocktake.stock_takes();
        let take = takes.get(&manager(&shop), take).await.unwrap().take;
        assert_eq!(take.state(), StockTakeState::Ongoing);
        assert!(take.items_added());
        let job = shop.stocktake.job(&manager(&shop), letter).await.unwrap();
        assert_eq!((job.state, job.attempts), (JobState::Queued, 0));
        let with = Worker::new(&shop.stocktake, "with").with_courier(Arc::new(Quick));
        assert_eq!(with.run_once().await.unwrap(), Ran::Done(letter));
        let dead = shop.stocktake.dead_jobs(&manager(&shop), &all()).await;
        assert!(dead.unwrap().items.is_empty());
    }
}
