//! What is damaged in a store ends whatever needs it at once, with an error that names it: no command tries for seconds what
//! can't come right, and no job tries all its attempts. Every public operation of the tables of permissions is asked, with every
//! table damaged in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stocktake::domain::Timestamp;
use stocktake::service::{Caller, Error, IdSource, Stocktake};
use stocktake::sqlite::SqliteStore;
use stocktake::store::{Job, JobQueue as _, JobState, PageRequest, StoreErrorKind};
use stocktake::testing::{FaultStore, ManualClock, Shop};
use uuid::Uuid;

use crate::bad_input::{World, operations};
use crate::document_permissions::{prepared, rows};
use crate::stores::{Again as _, Fresh as _};

/// What is damaged (table, column, and what stands there then), and what an error calls it: as it says here, or as the table
/// with the place in it.
const DAMAGES: &[(&str, &str, &str, &[&str])] = &[
    ("stk_site", "body", "x'00'", &["Site("]),
    (
        "stk_product",
        "body",
        "x'00'",
        &["Product(", "stk_stock_level ("],
    ),
    ("stk_supplier", "body", "x'00'", &["Supplier("]),
    ("stk_stock_level", "body", "x'00'", &["StockLevel("]),
    ("stk_stock_take", "body", "x'00'", &["StockTake("]),
    ("stk_stock_take", "epoch", "-1", &["StockTake(", "take: "]),
    ("stk_stock_take_item", "body", "x'00'", &["StockTakeItem("]),
    (
        "stk_product_snapshot",
        "body",
        "x'00'",
        &["StockTakeItem(", "stk_stock_take_item ("],
    ),
    ("stk_inventory_count", "body", "x'00'", &["InventoryCount("]),
    (
        "stk_inventory_count",
        "epoch",
        "-1",
        &["InventoryCount(", "count: "],
    ),
    (
        "stk_inventory_count_item",
        "body",
        "x'00'",
        &["InventoryCountItem("],
    ),
    ("stk_open_count", "body", "x'00'", &["OpenCount("]),
    (
        "stk_stock_adjustment",
        "body",
        "x'00'",
        &["StockAdjustment("],
    ),
    ("stk_inventory_order", "body", "x'00'", &["InventoryOrder("]),
    (
        "stk_inventory_order_item",
        "body",
        "x'00'",
        &["InventoryOrderItem("],
    ),
    ("stk_stock_import", "body", "x'00'", &["StockImport("]),
    ("stk_export", "body", "x'00'", &["Export("]),
    ("stk_export_chunk", "body", "x'00'", &["ExportChunk("]),
    ("stk_ledger", "last", "0", &["the end of a ledger"]),
];

/// More calls of the store than any operation needs that meets nothing damaged: one that tried again and again would need more.
const MOST_CALLS: u64 = 400;

/// Ids that nothing else has: what was prepared goes on under another shop.
#[derive(Debug)]
struct LaterIds;

impl IdSource for LaterIds {
    fn next(&self) -> Uuid {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u128((7 << 120) | u128::from(number))
    }
}

/// A shop on a copy of what was prepared, at a time.
fn shop_of(store: Arc<FaultStore<SqliteStore>>, at: Timestamp) -> Shop {
    let clock = Arc::new(ManualClock::default());
    let library = Stocktake::with(store.clone(), store, clock.clone(), Arc::new(LaterIds));
    let shop = Shop::with(library, clock);
    shop.clock.advance_micros(at.micros() - shop.now().micros());
    shop
}

/// The failure and what is behind it.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What was found: each operation with what it met, and what is not as it should be.
#[derive(Default)]
struct Sweep {
    met: BTreeMap<&'static str, BTreeSet<&'static str>>,
    wrong: Vec<String>,
}

impl Sweep {
    /// Asks with each table damaged in turn.
    async fn ask(
        &mut self,
        name: &'static str,
        (kept, at): (&Vec<u8>, Timestamp),
        ask: impl AsyncFn(Arc<FaultStore<SqliteStore>>, Shop) -> Result<String, Error>,
    ) {
        for (table, column, value, names) in DAMAGES {
            let (store, _folder) = SqliteStore::again(kept);
            let beside = rusqlite::Connection::open(store.path()).unwrap();
            let damage = format!("UPDATE {table} SET {column} = {value}");
            if beside.execute(&damage, []).unwrap() == 0 {
                continue;
            }
            drop(beside);
            let what = format!("{name} with {table}.{column} damaged");
            let store = Arc::new(FaultStore::new(store));
            let shop = shop_of(store.clone(), at);
            let answer = ask(store.clone(), shop_of(store.clone(), at)).await;
            let by_table = [format!("{table} ("), format!("{table} of the name ")];
            let by_table = by_table.iter().map(String::as_str);
            let names: Vec<&str> = names.iter().copied().chain(by_table).collect();
            let is_named = |told: &str| names.iter().any(|name| told.contains(name));
            if let Err(error) = &answer {
                let is_corrupt =
                    matches!(error, Error::Store(it) if it.kind() == StoreErrorKind::Corrupt);
                if !is_corrupt || error.is_retryable() || !is_named(&told(error)) {
                    self.wrong.push(format!("{what}: {}", told(error)));
                }
                self.met.entry(name).or_default().insert(table);
            }
            // What was left to a job, also of an operation that failed.
            shop.clock.advance_seconds(60);
            if let Err(error) = shop.run_jobs().await {
                self.wrong.push(format!("{what}: jobs: {}", told(&error)));
            }
            for job in ended(&store, &shop).await {
                let error = job.last_error.clone().unwrap_or_default();
                let is_over = job.state == JobState::Dead && job.attempts == 1;
                if !is_over || !is_named(&error) {
                    let told = format!("{what}: {:?} {:?}", job.task, job.state);
                    self.wrong
                        .push(format!("{told}, {}: {error}", job.attempts));
                }
                self.met.entry(name).or_default().insert(table);
            }
            if store.calls() > MOST_CALLS {
                self.wrong.push(format!("{what}: {} calls", store.calls()));
            }
        }
    }
}

/// The jobs that somebody tried, and that did not succeed.
async fn ended(store: &FaultStore<SqliteStore>, shop: &Shop) -> Vec<Job> {
    let (organisation, page) = (shop.manager.organisation, PageRequest::first(100));
    let mut jobs = store.open_jobs(organisation, &page).await.unwrap().items;
    jobs.extend(store.dead_jobs(organisation, &page).await.unwrap().items);
    jobs.retain(|job| job.attempts > 0);
    jobs
}

/// What needs nothing that stands in a damaged table.
const NEED_NOTHING: &[&str] = &["catalogue.category_sizes"];

#[tokio::test]
async fn damaged_rows_end_whatever_needs_them_at_once() {
    let mut sweep = Sweep::default();
    let mut names = BTreeSet::new();
    for row in operations() {
        let (store, _folder) = SqliteStore::fresh();
        let store = Arc::new(store);
        let world = World::of(store.clone(), Shop::on(store.clone()));
        let world = row.prepare.made(world).await;
        let asked_of = world.names(row.prepare).await;
        let kept = store.kept();
        let at = world.shop.now();
        sweep
            .ask(row.name, (&kept, at), async |store, shop| {
                let caller = Caller::of(&shop.manager);
                let world = World::of(store, shop);
                (row.ask)(&world, &caller, &asked_of).await
            })
            .await;
        names.insert(row.name);
    }
    for row in rows() {
        let (store, _folder) = SqliteStore::fresh();
        let store = Arc::new(store);
        let shop = Shop::on(store.clone());
        let asked_of = prepared(&shop, row.world).await;
        let kept = store.kept();
        sweep
            .ask(row.name, (&kept, shop.now()), async |_, shop| {
                let caller = Caller::of(&shop.manager);
                (row.ask)(&shop, &caller, &asked_of).await
            })
            .await;
        names.insert(row.name);
    }
    let wrong = sweep.wrong.join("\n");
    assert!(wrong.is_empty(), "{}:\n{wrong}", sweep.wrong.len());
    let met: BTreeSet<&str> = sweep.met.keys().copied().collect();
    let need_nothing: Vec<&str> = names.difference(&met).copied().collect();
    assert_eq!(need_nothing, NEED_NOTHING);
    let tables: BTreeSet<&str> = sweep.met.values().flatten().copied().collect();
    let all: BTreeSet<&str> = DAMAGES.iter().map(|(table, ..)| *table).collect();
    assert_eq!(tables, all, "each damage is met by something");
}
