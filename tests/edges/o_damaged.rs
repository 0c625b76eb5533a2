//! A row that can't be read ends what needs it at once, with an error that names the record: no command tries for seconds what
//! can't come right, and no job tries all its attempts.

use std::sync::Arc;

use stocktake::domain::{
    AdjustmentType, CountType, ImportMode, InventoryCountDetails, InventoryOrderDetails, JobId,
    MovementPolicy, Ordered, PostingOptions, Quantity, StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewCountItem, NewInventoryOrder, NewOrderItem,
    NewStockAdjustment, NewStockTake,
};
use stocktake::store::{JobQueue, JobState, Repository, StoreErrorKind};
use stocktake::testing::Shop;

use crate::shops::manager;

/// The documents of a shop.
struct Documents {
    take: stocktake::domain::StockTakeId,
    count: stocktake::domain::InventoryCountId,
    adjustment: stocktake::domain::StockAdjustmentId,
    order: stocktake::domain::InventoryOrderId,
}

async fn documents(shop: &Shop) -> Documents {
    shop.open().await.unwrap();
    let (library, site, manager) = (&shop.stocktake, shop.site.id, manager(shop));
    let take = NewStockTake {
        site,
        description: "Damaged".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = library.stock_takes().create(&manager, take).await;
    let take = take.unwrap().id();
    shop.run_jobs().await.unwrap();
    let line = StockTakeItemId::for_key(take, &shop.key(0));
    let request = CountRequest::set(38.into());
    let takes = library.stock_takes();
    takes.count(&manager, take, line, request).await.unwrap();
    let details = InventoryCountDetails {
        name: "Damaged".parse().unwrap(),
        kind: CountType::Spot,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let counts = library.inventory_counts();
    let count = counts.start(&manager, site, details).await.unwrap().id();
    let (change, reason) = (Quantity::ONE.negated(), "gone".parse().unwrap());
    let product = shop.products[1].id;
    let theft = NewStockAdjustment::of(product, AdjustmentType::Theft, change, reason);
    let adjustments = library.stock_adjustments();
    let adjustment = adjustments.create(&manager, site, theft).await.unwrap();
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
    let line = NewOrderItem {
        product: shop.products[0].id,
        variant: None,
        ordered: Ordered {
            quantity: 3.into(),
            unit_price_minor: 125,
        },
    };
    orders.add_item(&manager, order, line).await.unwrap();
    Documents {
        take,
        count,
        adjustment: adjustment.id(),
        order,
    }
}

/// What is asked for when something is damaged.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Issue,
    Count,
    Describe,
    Submit,
    RemoveTake,
    CountInventory,
    Cancel,
    Approve,
    SubmitOrder,
    RemoveOrder,
    /// A job that posts the take.
    Post,
    /// A job that completes the count.
    Complete,
    /// A job that imports.
    Import,
}

/// What is damaged (table, column, whether it is the body), what is asked for then, and what the error names.
const DAMAGES: &[(&str, &str, Asked, &str)] = &[
    ("stk_site", "body", Asked::Issue, "Site"),
    ("stk_product", "body", Asked::Issue, "Product"),
    ("stk_stock_level", "body", Asked::Issue, "StockLevel"),
    ("stk_stock_take", "body", Asked::Count, "StockTake"),
    ("stk_stock_take", "epoch", Asked::Count, "take"),
    ("stk_stock_take", "body", Asked::Describe, "StockTake"),
    ("stk_stock_take", "body", Asked::Submit, "StockTake"),
    ("stk_stock_take", "body", Asked::RemoveTake, "StockTake"),
    ("stk_stock_level", "body", Asked::Submit, "StockLevel"),
    (
        "stk_inventory_count",
        "body",
        Asked::CountInventory,
        "InventoryCount",
    ),
    (
        "stk_inventory_count",
        "epoch",
        Asked::CountInventory,
        "count",
    ),
    (
        "stk_inventory_count",
        "body",
        Asked::Cancel,
        "InventoryCount",
    ),
    (
        "stk_stock_adjustment",
        "body",
        Asked::Approve,
        "StockAdjustment",
    ),
    ("stk_stock_level", "body", Asked::Approve, "StockLevel"),
    (
        "stk_inventory_order",
        "body",
        Asked::SubmitOrder,
        "InventoryOrder",
    ),
    (
        "stk_inventory_order",
        "body",
        Asked::RemoveOrder,
        "InventoryOrder",
    ),
    ("stk_stock_level", "body", Asked::Post, "StockLevel"),
    ("stk_site", "body", Asked::Post, "Site"),
    ("stk_stock_level", "body", Asked::Complete, "StockLevel"),
    (
        "stk_stock_level",
        "body",
        Asked::Import,
        "stk_stock_level (",
    ),
];

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

/// Asks for what is no job.
async fn ask(shop: &Shop, at: &Documents, asked: Asked) -> Result<(), Error> {
    let (library, site, manager) = (&shop.stocktake, shop.site.id, manager(shop));
    let (takes, counts) = (library.stock_takes(), library.inventory_counts());
    let line = StockTakeItemId::for_key(at.take, &shop.key(0));
    let options = PostingOptions::default();
    match asked {
        Asked::Issue => {
            let issue = Movement::Issue {
                key: shop.key(0),
                quantity: Quantity::ONE,
            };
            let stock = library.stock();
            stock
                .record(&manager, site, &[issue.into()])
                .await
                .map(drop)
        }
        Asked::Count => {
            let request = CountRequest::set(37.into());
            takes
                .count(&manager, at.take, line, request)
                .await
                .map(drop)
        }
        Asked::Describe => {
            let description = "Again".parse().unwrap();
            let details = stocktake::domain::StockTakeDetails {
                name: None,
                description: Some(description),
                due_at: None,
                annual: false,
                movement_policy: MovementPolicy::default(),
            };
            takes.update(&manager, at.take, details).await.map(drop)
        }
        Asked::Submit => takes.submit(&manager, at.take, options).await.map(drop),
        Asked::RemoveTake => takes.remove(&manager, at.take).await.map(drop),
        Asked::CountInventory => {
            let item = NewCountItem::of(shop.products[2].id, 7.into());
            counts.count(&manager, at.count, item).await.map(drop)
        }
        Asked::Cancel => counts.cancel(&manager, at.count).await.map(drop),
        Asked::Approve => {
            let mut other = shop.manager.clone();
            other.user.id = stocktake::domain::UserId::new(uuid::Uuid::from_u128(99));
            let adjustments = library.stock_adjustments();
            let other = Caller::of(&other);
            let approved = adjustments.approve(&other, at.adjustment, None);
            approved.await.map(drop)
        }
        Asked::SubmitOrder => library
            .inventory_orders()
            .submit(&manager, at.order)
            .await
            .map(drop),
        Asked::RemoveOrder => library
            .inventory_orders()
            .remove(&manager, at.order)
            .await
            .map(drop),
        Asked::Post | Asked::Complete | Asked::Import => Ok(()),
    }
}

/// What is asked before the damage comes, because its job meets it.
async fn asked_before(shop: &Shop, at: &Documents, asked: Asked) -> Option<JobId> {
    let (library, manager) = (&shop.stocktake, manager(shop));
    match asked {
        Asked::Post => {
            let takes = library.stock_takes();
            let options = PostingOptions::default();
            Some(takes.post(&manager, at.take, options).await.unwrap())
        }
        Asked::Complete => {
            let counts = library.inventory_counts();
            let item = NewCountItem::of(shop.products[0].id, 7.into());
            counts.count(&manager, at.count, item).await.unwrap();
            let options = stocktake::domain::CompletionOptions {
                apply_adjustments: true,
                ..stocktake::domain::CompletionOptions::default()
            };
            let job = counts.queue_completion(&manager, at.count, options, None);
            Some(job.await.unwrap())
        }
        Asked::Import => {
            let body = format!(
                r#"{{"{}":{{"{}":7}}}}"#,
                shop.site.external_id, shop.products[0].article_id
            );
            let imports = library.stock_imports();
            let begun = imports.begin(&manager, ImportMode::Absolute, body.as_bytes(), false);
            Some(begun.await.unwrap().job)
        }
        Asked::Issue
        | Asked::Count
        | Asked::Describe
        | Asked::Submit
        | Asked::RemoveTake
        | Asked::CountInventory
        | Asked::Cancel
        | Asked::Approve
        | Asked::SubmitOrder
        | Asked::RemoveOrder => None,
    }
}

async fn damaged<S: Repository + JobQueue>(
    store: Arc<S>,
    (table, column, asked, named): (&str, &str, Asked, &str),
    run: impl AsyncFn(String),
    garbage: &str,
) {
    let what = format!("{table}.{column}, {asked:?}");
    let shop = Shop::on(store.clone());
    let at = documents(&shop).await;
    let job = asked_before(&shop, &at, asked).await;
    let value = if column == "body" { garbage } else { "-1" };
    run(format!("UPDATE {table} SET {column} = {value}")).await;
    let Some(job) = job else {
        let error = ask(&shop, &at, asked).await.unwrap_err();
        let is_corrupt = matches!(&error, Error::Store(it) if it.kind() == StoreErrorKind::Corrupt);
        assert!(is_corrupt && !error.is_retryable(), "{what}: {error:?}");
        assert!(told(&error).contains(named), "{what}: {}", told(&error));
        return;
    };
    shop.run_jobs().await.unwrap();
    let ended = store
        .job(shop.manager.organisation, job)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (ended.state.clone(), ended.attempts),
        (JobState::Dead, 1),
        "{what}: {ended:?}"
    );
    let error = ended.last_error.unwrap_or_default();
    assert!(error.contains(named), "{what}: {error}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn damaged_rows_end_at_once_on_sqlite() {
    use crate::stores::Fresh as _;

    for damage in DAMAGES {
        let (store, _folder) = stocktake::sqlite::SqliteStore::fresh();
        let beside = rusqlite::Connection::open(store.path()).unwrap();
        let run = async |statement: String| {
            assert!(beside.execute(&statement, []).unwrap() > 0, "{statement}");
        };
        damaged(Arc::new(store), *damage, run, "x'00'").await;
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn damaged_rows_end_at_once_on_postgresql() {
    use stocktake::conformance::Harness as _;

    let schemas = crate::stores::postgres_server::Schemas::new();
    let pool = crate::stores::postgres_server::pool(1);
    let beside = pool.get().await.unwrap();
    for damage in DAMAGES {
        let store = schemas.fresh().await;
        let schema = store.options().schema.clone();
        let run = async |statement: String| {
            let statement = statement.replacen("stk_", &format!("{schema}.stk_"), 1);
            assert!(
                beside.execute(&statement, &[]).await.unwrap() > 0,
                "{statement}"
            );
        };
        damaged(Arc::new(store), *damage, run, "'\\x00'::bytea").await;
    }
}
