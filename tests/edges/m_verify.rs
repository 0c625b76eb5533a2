//! The audit finds what is wrong, and nothing else, while stock moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stocktake::domain::{
    AdjustmentType, CountType, InventoryCountDetails, InventoryOrderDetails, InventoryOrderId,
    MovementPolicy, Ordered, Quantity, SiteId, StockEvent, StockKey, StockTakeItemId,
};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use stocktake::service::Rebuild;
use stocktake::service::{
    Caller, CountRequest, DIFFERENCES_TOLD, Difference, Mended, Movement, NewCountItem,
    NewInventoryOrder, NewMovement, NewOrderItem, NewStockAdjustment, NewStockTake, Stocktake,
};
#[cfg(feature = "sqlite")]
use stocktake::sqlite::SqliteStore;
use stocktake::store::{DeletableKey, InventoryOrderItemFilter, PageRequest};
use stocktake::testing::Shop;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::shops::{commit_wrong, manager, shop_on};
#[cfg(feature = "sqlite")]
use crate::stores::Fresh as _;
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
        let (is_over, steps) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (shop, is_over, steps) = (shop.clone(), is_over.clone(), steps.clone());
            writers.spawn(async move {
                while !is_over.load(Ordering::Acquire) {
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
        is_over.store(true, Ordering::Release);
        writers.join_all().await;
        assert!(moved_meanwhile > 0, "{}: nothing moved", kind.name());
        let end = shop.stocktake.stock();
        let end = end.verify(&manager(&shop), shop.site.id).await.unwrap();
        assert!(end.is_sound(), "{}: {end:?}", kind.name());
    }
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
        let committed = commit_wrong(&store, &shop, |changes| {
            changes.event(ahead);
            changes.event(nowhere.clone());
        });
        committed.await.unwrap();
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
    let committed = commit_wrong(&store, &shop, |changes| {
        wrong.for_each(|event| {
            changes.event(event);
        });
    });
    committed.await.unwrap();
    let stock = shop.stocktake.stock();
    let found = stock.verify(&manager(&shop), shop.site.id).await.unwrap();
    assert_eq!(found.found, u64::from(most) + 5);
    assert_eq!(found.differences.len(), DIFFERENCES_TOLD);
    assert!(!found.is_sound());
}

/// Something of every kind that a store keeps more of than the record: a take and a count with lines that are off, an
/// adjustment that waits, an order of a line. Returns the order.
async fn filled(shop: &Shop) -> InventoryOrderId {
    shop.open().await.unwrap();
    let (library, site, manager) = (&shop.stocktake, shop.site.id, manager(shop));
    let take = NewStockTake {
        site,
        description: "Audited".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = library.stock_takes().create(&manager, take).await;
    let take = take.unwrap().id();
    shop.run_jobs().await.unwrap();
    for number in 0..3 {
        let line = StockTakeItemId::for_key(take, &shop.key(number));
        let request = CountRequest::set(38.into());
        let takes = library.stock_takes();
        takes.count(&manager, take, line, request).await.unwrap();
    }
    let details = InventoryCountDetails {
        name: "Audited".parse().unwrap(),
        kind: CountType::Spot,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let counts = library.inventory_counts();
    let count = counts.start(&manager, site, details).await.unwrap().id();
    for (number, quantity) in [(0, 38), (1, 45)] {
        let item = NewCountItem::of(shop.products[number].id, quantity.into());
        counts.count(&manager, count, item).await.unwrap();
    }
    let (change, reason) = (Quantity::ONE.negated(), "gone".parse().unwrap());
    let product = shop.products[1].id;
    let theft = NewStockAdjustment::of(product, AdjustmentType::Theft, change, reason);
    let adjustments = library.stock_adjustments();
    adjustments.create(&manager, site, theft).await.unwrap();
    let new = NewInventoryOrder {
        site,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: None,
            supplier_email: None,
        },
    };
    let orders = library.inventory_orders();
    let order = orders.create(&manager, new).await.unwrap().id();
    // Nothing is on stock of it.
    let mut unstocked = shop.products[0].clone();
    unstocked.id = stocktake::domain::ProductId::new(Uuid::from_u128(0x0dd));
    unstocked.article_id = "UNSTOCKED".parse().unwrap();
    for barcode in &mut unstocked.barcodes {
        barcode.value = "9999999999994".parse().unwrap();
    }
    let catalogue = library.catalogue();
    catalogue
        .put_products(&manager, vec![unstocked])
        .await
        .unwrap();
    for number in 0..2 {
        let line = NewOrderItem {
            product: shop.products[number].id,
            variant: None,
            ordered: Ordered {
                quantity: 3.into(),
                unit_price_minor: 125,
            },
        };
        orders.add_item(&manager, order, line).await.unwrap();
    }
    order
}

/// Each number that the stores in SQL keep beside a record, by table and column, and what the audit calls it.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
const KEPT: [(&str, &str, &str); 26] = [
    ("stk_stock_level", "stocked", "stocked"),
    ("stk_stock_level", "quantity", "quantity"),
    ("stk_stock_level", "reserved", "reserved"),
    ("stk_stock_level", "updated_at", "updated_at"),
    ("stk_ledger", "last", "ledger"),
    ("stk_stock_take", "began_at", "began_at"),
    ("stk_stock_take", "epoch", "epoch"),
    ("stk_stock_take_item", "counted", "counted"),
    ("stk_stock_take_item", "left_over", "left_over"),
    (
        "stk_stock_take_item",
        "adjustment_minor",
        "adjustment_minor",
    ),
    ("stk_stock_take_item", "version", "totals"),
    ("stk_stock_take_total", "items", "totals"),
    ("stk_stock_take_total", "adjustment_high", "totals"),
    ("stk_stock_take_total", "adjustment_low", "totals"),
    ("stk_stock_take_total", "versions", "totals"),
    ("stk_inventory_count", "began_at", "began_at"),
    ("stk_inventory_count", "epoch", "epoch"),
    ("stk_inventory_count_item", "discrepancy", "discrepancy"),
    ("stk_inventory_count_item", "significant", "significant"),
    ("stk_inventory_count_item", "missing_minor", "missing_minor"),
    ("stk_inventory_count_item", "excess_minor", "excess_minor"),
    ("stk_inventory_count_total", "items", "totals"),
    ("stk_inventory_count_total", "missing_high", "totals"),
    ("stk_inventory_count_total", "excess_low", "totals"),
    ("stk_stock_adjustment", "began_at", "began_at"),
    ("stk_inventory_order_item", "line", "line"),
];

/// Damages each number in turn; `run` runs a statement past the store. The audit names it, and rebuilding mends it.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn damaged_and_found(shop: &Shop, run: impl AsyncFn(String)) {
    filled(shop).await;
    let stock = shop.stocktake.stock();
    let verify = async || stock.verify(&manager(shop), shop.site.id).await.unwrap();
    let sound = verify().await;
    assert!(sound.is_sound(), "{sound:?}");
    let numbers = KEPT.iter().map(|(table, column, told)| {
        let statement = format!("UPDATE {table} SET {column} = {column} - 1");
        (statement, *told)
    });
    let names = [
        ("DELETE FROM stk_product_code WHERE kind = 0", "barcodes"),
        ("DELETE FROM stk_product_code WHERE kind = 1", "category"),
        ("UPDATE stk_product_code SET kind = 1 - kind", "category"),
        (
            "UPDATE stk_product_code SET value = value || '?'",
            "barcodes",
        ),
        (
            "UPDATE stk_product_code SET value = 'another' WHERE value = '9999999999994'",
            "barcodes",
        ),
        (
            "DELETE FROM stk_catalogue_name WHERE name = 'UNSTOCKED'",
            "name",
        ),
        ("UPDATE stk_catalogue_name SET name = name || '?'", "name"),
        ("DELETE FROM stk_catalogue_name WHERE kind = 1", "name"),
        (
            "UPDATE stk_catalogue_name SET likeness = likeness || '?'",
            "likeness",
        ),
        ("UPDATE stk_product SET search = 'nothing'", "search"),
        (
            "UPDATE stk_product SET name_order = name_order || '?'",
            "name_order",
        ),
        (
            "UPDATE stk_product_snapshot SET search = 'nothing'",
            "search",
        ),
        (
            "UPDATE stk_product_snapshot SET article_order = article_order || '?'",
            "article_order",
        ),
        (
            "UPDATE stk_stock_take_item SET place_order = place_order || '?'",
            "place_order",
        ),
    ];
    let names = names.map(|(statement, told)| (statement.to_owned(), told));
    for (statement, told) in numbers.chain(names) {
        run(statement.clone()).await;
        let found = verify().await;
        let is_told =
            |it: &Difference| matches!(it, Difference::Beside { what, .. } if *what == told);
        assert!(
            found.differences.iter().any(is_told),
            "{statement}: {found:?}"
        );
        let rebuilt = stock.rebuild(&manager(shop), shop.site.id).await.unwrap();
        assert_eq!(rebuilt.left, 0, "{statement}: {rebuilt:?}");
        let is_changed = |it: &Mended| matches!(it, Mended::Beside { what, before, after, .. } if *what == told && before != after);
        assert!(
            rebuilt.changes.iter().any(is_changed),
            "{statement}: {rebuilt:?}"
        );
        let mended = verify().await;
        assert!(mended.is_sound(), "{statement}: {mended:?}");
        let again = stock.rebuild(&manager(shop), shop.site.id).await.unwrap();
        assert_eq!(again, Rebuild::default(), "{statement}");
    }
    damaged_events(shop, &run).await;
    lost_levels(shop, &run).await;
}

/// What is kept beside events is told, and stays: they are never changed.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn damaged_events(shop: &Shop, run: &impl AsyncFn(String)) {
    let stock = shop.stocktake.stock();
    for column in ["sequence", "change", "on_hand", "recorded_at"] {
        // Away and back, by more than there are events, so that no two are ever alike.
        run(format!(
            "UPDATE stk_stock_event SET {column} = {column} - 900"
        ))
        .await;
        let found = stock.verify(&manager(shop), shop.site.id).await.unwrap();
        let is_told =
            |it: &Difference| matches!(it, Difference::BesideEvent { what, .. } if *what == column);
        assert!(found.differences.iter().any(is_told), "{column}: {found:?}");
        let rebuilt = stock.rebuild(&manager(shop), shop.site.id).await.unwrap();
        assert!(
            rebuilt.differences.iter().any(is_told),
            "{column}: {rebuilt:?}"
        );
        run(format!(
            "UPDATE stk_stock_event SET {column} = {column} + 900"
        ))
        .await;
        let found = stock.verify(&manager(shop), shop.site.id).await.unwrap();
        assert!(found.is_sound(), "{column}: {found:?}");
    }
}

/// Levels that are gone come back as they were.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn lost_levels(shop: &Shop, run: &impl AsyncFn(String)) {
    let stock = shop.stocktake.stock();
    let levels = async || {
        let (manager, page) = (manager(shop), PageRequest::first(100));
        let levels = stock.levels(&manager, shop.site.id, None, None, &page);
        levels.await.unwrap().items
    };
    let before = levels().await;
    run("DELETE FROM stk_stock_level".to_owned()).await;
    let found = stock.verify(&manager(shop), shop.site.id).await.unwrap();
    assert_eq!(
        found.found,
        u64::try_from(before.len()).unwrap(),
        "{found:?}"
    );
    let rebuilt = stock.rebuild(&manager(shop), shop.site.id).await.unwrap();
    assert_eq!(
        (rebuilt.mended, rebuilt.left),
        (found.found, 0),
        "{rebuilt:?}"
    );
    assert_eq!(levels().await, before);
    let found = stock.verify(&manager(shop), shop.site.id).await.unwrap();
    assert!(found.is_sound(), "{found:?}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn fault_m2_what_sqlite_keeps_beside_records_is_looked_at() {
    let (store, _folder) = SqliteStore::fresh();
    let beside = rusqlite::Connection::open(store.path()).unwrap();
    beside
        .execute("DROP TRIGGER stk_stock_event_stays", [])
        .unwrap();
    let shop = Shop::on(Arc::new(store));
    damaged_and_found(&shop, async |statement| {
        let rows = beside.execute(&statement, []).unwrap();
        assert!(rows > 0, "{statement}");
    })
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn fault_m2_what_postgresql_keeps_beside_records_is_looked_at() {
    use stocktake::conformance::Harness as _;

    let schemas = crate::stores::postgres_server::Schemas::new();
    let store = schemas.fresh().await;
    let schema = store.options().schema.clone();
    let pool = crate::stores::postgres_server::pool(1);
    let beside = pool.get().await.unwrap();
    let open = format!("ALTER TABLE {schema}.stk_stock_event DISABLE TRIGGER USER");
    beside.execute(&open, &[]).await.unwrap();
    let shop = Shop::on(Arc::new(store));
    damaged_and_found(&shop, async |statement| {
        let statement = statement.replacen("stk_", &format!("{schema}.stk_"), 1);
        let rows = beside.execute(&statement, &[]).await.unwrap();
        assert!(rows > 0, "{statement}");
    })
    .await;
}

#[tokio::test]
async fn fault_m2_a_subtotal_that_is_not_its_lines_is_found() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        let order = filled(&shop).await;
        let organisation = shop.manager.organisation;
        let all = InventoryOrderItemFilter::default();
        let lines = store
            .repository
            .inventory_order_items(organisation, order, &all, &PageRequest::first(1))
            .await
            .unwrap();
        let line = &lines.items[0];
        let key = DeletableKey::InventoryOrderItem(order, line.value.id());
        let committed = commit_wrong(&store, &shop, |it| it.delete(line.version, key));
        committed.await.unwrap();
        let stock = shop.stocktake.stock();
        let found = stock.verify(&manager(&shop), shop.site.id).await.unwrap();
        let expected = [Difference::Subtotal { order }];
        assert_eq!(found.differences, expected, "{}", kind.name());
        let rebuilt = stock.rebuild(&manager(&shop), shop.site.id).await.unwrap();
        let (before, after) = ((2, 750), (1, 375));
        let expected = [Mended::Order {
            order,
            before,
            after,
        }];
        assert_eq!(rebuilt.changes, expected, "{}", kind.name());
        let found = stock.verify(&manager(&shop), shop.site.id).await.unwrap();
        assert!(found.is_sound(), "{}: {found:?}", kind.name());
    }
}
