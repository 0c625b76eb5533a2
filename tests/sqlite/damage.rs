//! Rows that are not what was written: told as such, and never the end of a thread.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use stocktake::domain::{
    AdjustmentType, CountType, ImportMode, InventoryCountDetails, InventoryOrderDetails,
    MovementPolicy, Ordered, PostingOptions, Quantity,
};
use stocktake::service::{
    Caller, CountRequest, Movement, NewCountItem, NewInventoryOrder, NewOrderItem,
    NewStockAdjustment, NewStockTake, Stocktake,
};
use stocktake::store::{
    ArticleFilter, ArticleSort, ChangeToken, ExportForm, InventoryCountFilter,
    InventoryCountItemFilter, InventoryOrderFilter, InventoryOrderItemFilter, JobQueue,
    LevelFilter, PageRequest, Repository, RepositoryExt, StockAdjustmentFilter, StockTakeFilter,
    StockTakeItemFilter, StoreError, StoreErrorKind,
};
use stocktake::testing::{ManualClock, Shop};

use super::{nowhere, open, raw};

/// What is asked for by id.
#[derive(Clone)]
struct Known {
    takes: Vec<stocktake::domain::StockTakeId>,
    count: stocktake::domain::InventoryCountId,
    order: stocktake::domain::InventoryOrderId,
    adjustment: stocktake::domain::StockAdjustmentId,
    import: stocktake::domain::StockImportId,
    jobs: Vec<stocktake::domain::JobId>,
}

/// A serial number that is on hand.
const SERIAL: &str = "sn-1";

/// Receives a unit with a serial number.
async fn put_serial(shop: &Shop) {
    let (library, site) = (&shop.stocktake, shop.site.id);
    let manager = Caller::of(&shop.manager);
    let serial = stocktake::domain::ProductId::new(uuid::Uuid::from_u128(777));
    let product = stocktake::domain::Product {
        id: serial,
        article_id: "SERIAL".parse().unwrap(),
        tracking: stocktake::domain::Tracking::Serial,
        ..shop.products[0].clone()
    };
    let catalogue = library.catalogue();
    catalogue
        .put_products(&manager, vec![product])
        .await
        .unwrap();
    let mut key = stocktake::domain::StockKey::plain(site, serial);
    key.serial = Some(SERIAL.parse().unwrap());
    let receipt = stocktake::service::Movement::Receipt {
        key,
        quantity: Quantity::ONE,
        unit_cost: Some("2.50".parse().unwrap()),
    };
    let stock = library.stock();
    stock
        .record(&manager, site, &[receipt.into()])
        .await
        .unwrap();
}

/// Puts something into every table.
async fn fill(shop: &Shop) -> Known {
    shop.open().await.unwrap();
    let (library, site) = (&shop.stocktake, shop.site.id);
    let manager = Caller::of(&shop.manager);
    let takes = library.stock_takes();
    let new = || NewStockTake {
        site,
        description: "Damaged".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(takes.create(&manager, new()).await.unwrap().id());
    }
    shop.run_jobs().await.unwrap();
    for take in &ids {
        for number in 0..2 {
            let item = stocktake::domain::StockTakeItemId::for_key(*take, &shop.key(number));
            let request = CountRequest::set(Quantity::from(38));
            takes.count(&manager, *take, item, request).await.unwrap();
        }
    }
    takes
        .submit(&manager, ids[0], PostingOptions::default())
        .await
        .unwrap();
    let line = stocktake::domain::StockTakeItemId::for_key(ids[1], &shop.key(5));
    takes.delete_item(&manager, ids[1], line).await.unwrap();

    let details = InventoryCountDetails {
        name: "Damaged".parse().unwrap(),
        kind: CountType::Spot,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let counts = library.inventory_counts();
    let count = counts.start(&manager, site, details).await.unwrap().id();
    let item = NewCountItem::of(shop.products[2].id, Quantity::from(7));
    counts.count(&manager, count, item).await.unwrap();

    let reason = "gone".parse().unwrap();
    let change = Quantity::ONE.negated();
    let adjustment =
        NewStockAdjustment::of(shop.products[1].id, AdjustmentType::Theft, change, reason);
    let adjustments = library.stock_adjustments();
    let adjustment = adjustments
        .create(&manager, site, adjustment)
        .await
        .unwrap()
        .id();

    let orders = library.inventory_orders();
    let new = NewInventoryOrder {
        site,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: Some("PO-1".parse().unwrap()),
            supplier_email: None,
        },
    };
    let order = orders.create(&manager, new).await.unwrap().id();
    let line = NewOrderItem {
        product: shop.products[0].id,
        variant: None,
        ordered: Ordered {
            quantity: Quantity::from(3),
            unit_price_minor: 125,
        },
    };
    orders.add_item(&manager, order, line).await.unwrap();

    let filter = StockTakeItemFilter::default();
    let export = library
        .exports()
        .stock_take(&manager, ids[0], filter, ExportForm::default())
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    let body = br#"{"store-1": {"SKU-0": 7, "NEW": 12.5}}"#;
    let imports = library.stock_imports();
    let import = imports
        .begin(&manager, ImportMode::Absolute, body, false)
        .await
        .unwrap();
    put_serial(shop).await;
    Known {
        takes: ids,
        count,
        order,
        adjustment,
        import: import.import.id(),
        jobs: vec![export, import.job],
    }
}

/// Every question there is; the kinds of the errors.
async fn ask_all(
    store: &(impl Repository + JobQueue),
    shop: &Shop,
    known: &Known,
) -> HashSet<StoreErrorKind> {
    let mut kinds = HashSet::new();
    let page = PageRequest::first(50).counted();
    let (whose, site) = (shop.site.organisation, shop.site.id);
    let keys: Vec<_> = (0..10).map(|number| shop.key(number)).collect();
    let products: Vec<_> = shop.products.iter().map(|product| product.id).collect();
    let articles: Vec<_> = shop
        .products
        .iter()
        .map(|it| it.article_id.clone())
        .collect();
    macro_rules! ask {
        ($($question:expr),* $(,)?) => {
            $(if let Err(error) = $question.await {
                let error: StoreError = error;
                kinds.insert(error.kind());
            })*
        };
    }
    let sort = ArticleSort::default();
    ask!(
        store.site(whose, site),
        store.site_by_external_id(whose, &shop.site.external_id),
        store.products(whose, &products),
        store.products_by_article(whose, &articles),
        store.supplier(whose, shop.supplier.id),
        store.levels(whose, &keys),
        store.levels_page(whose, site, &LevelFilter::default(), &page),
        store.articles(whose, site, &ArticleFilter::default(), sort, &page),
        store.events_after(
            whose,
            &keys.iter().map(|key| (key.clone(), 0)).collect::<Vec<_>>()
        ),
        store.ledger(whose, site, 0, 100),
        store.stock_takes(whose, site, &StockTakeFilter::default(), &page),
        store.inventory_count(whose, known.count),
        store.open_count(whose, site),
        store.inventory_counts(whose, site, &InventoryCountFilter::default(), &page),
        store.inventory_count_totals(whose, known.count),
        store.stock_adjustment(whose, known.adjustment),
        store.stock_adjustments(whose, site, &StockAdjustmentFilter::default(), &page),
        store.inventory_order(whose, known.order),
        store.inventory_orders(whose, site, &InventoryOrderFilter::default(), &page),
        store.inventory_order_items(
            whose,
            known.order,
            &InventoryOrderItemFilter::default(),
            &page
        ),
        store.stock_import(whose, known.import),
        store.import_chunk(whose, known.import, 0),
        store.dead_jobs(whose, &page),
    );
    for take in &known.takes {
        let filter = StockTakeItemFilter::default();
        let since = Some(ChangeToken::BEGINNING);
        ask!(
            store.stock_take(whose, *take),
            store.serial_marks(whose, &[SERIAL.parse().unwrap()].into(), &BTreeSet::new()),
            store.stock_take_items(whose, *take, &filter, sort, &page),
            store.stock_take_totals(whose, *take, &filter),
            store.stock_take_view(whose, *take, &filter, sort, None, &page),
            store.stock_take_view(whose, *take, &filter, sort, since, &page),
        );
        for key in &keys[..2] {
            let item = stocktake::domain::StockTakeItemId::for_key(*take, key);
            ask!(
                store.counting_view(whose, *take, &[item]),
                store.count_entries(whose, *take, item),
                store.stock_take_item_ids(whose, *take, &[item]),
            );
        }
    }
    match store
        .inventory_count_items(
            whose,
            known.count,
            &InventoryCountItemFilter::default(),
            &page,
        )
        .await
    {
        Ok(items) => {
            for item in items.items {
                ask!(store.inventory_count_entries(whose, known.count, item.value.id));
            }
        }
        Err(error) => drop(kinds.insert(error.kind())),
    }
    for job in &known.jobs {
        ask!(
            store.job(whose, *job),
            store.export(whose, *job),
            store.export_chunk(whose, *job, 0),
        );
    }
    kinds
}

/// What writes: whatever damaged document it meets, it ends with an answer.
async fn command_all(shop: &Shop, known: &Known) -> BTreeSet<&'static str> {
    let (library, site) = (&shop.stocktake, shop.site.id);
    let manager = Caller::of(&shop.manager);
    let takes = library.stock_takes();
    let mut codes = BTreeSet::new();
    macro_rules! command {
        ($($command:expr),* $(,)?) => {
            $(if let Err(error) = $command.await {
                codes.insert(error.code());
            })*
        };
    }
    let sale = Movement::Issue {
        key: shop.key(0),
        quantity: Quantity::ONE,
    };
    let item = stocktake::domain::StockTakeItemId::for_key(known.takes[1], &shop.key(0));
    let again = NewCountItem::of(shop.products[2].id, Quantity::from(8));
    command!(
        library.catalogue().put_site(&manager, shop.site.clone()),
        library
            .catalogue()
            .put_products(&manager, shop.products.clone()),
        library.stock().record(&manager, site, &[sale.into()]),
        takes.count(
            &manager,
            known.takes[1],
            item,
            CountRequest::set(Quantity::ONE)
        ),
        takes.submit(&manager, known.takes[1], PostingOptions::default()),
        takes.reopen(&manager, known.takes[0], None),
        takes.remove(&manager, known.takes[2]),
        library
            .inventory_counts()
            .count(&manager, known.count, again),
        library
            .stock_adjustments()
            .approve(&manager, known.adjustment, None),
        library.inventory_orders().remove(&manager, known.order),
        library.stock().verify(&manager, site),
    );
    if let Err(error) = shop.run_jobs().await {
        codes.insert(error.code());
    }
    codes
}

/// Every column of every table, and what it is declared as.
fn columns(path: &Path) -> BTreeMap<String, Vec<(String, String)>> {
    let connection = raw(path);
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name, c.type FROM pragma_table_list t, pragma_table_info(t.name) c \
             WHERE t.name LIKE 'stk\\_%' ESCAPE '\\' AND t.name <> 'stk_schema'",
        )
        .unwrap();
    let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .unwrap();
    for row in rows {
        let (table, column): (String, (String, String)) = row.unwrap();
        tables.entry(table).or_default().push(column);
    }
    tables
}

/// What is put into a column of this type.
fn garbage(declared: &str) -> &'static [&'static str] {
    match declared {
        "INTEGER" => &["-9223372036854775807 - 1", "-1", "9223372036854775807"],
        "BLOB" => &["x'00'", "zeroblob(16)", "zeroblob(17)"],
        _ => &[
            "''",
            "'{'",
            "'{}'",
            "'null'",
            "'[1]'",
            "CAST(x'ff' AS TEXT)",
        ],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_any_column_is_told_as_corrupt() {
    let (folder, template) = nowhere();
    let store = Arc::new(open(&template));
    let shop = Shop::on(store.clone());
    let known = fill(&shop).await;
    assert_eq!(ask_all(&*store, &shop, &known).await, HashSet::new());
    let now = shop.now();
    drop(shop);
    drop(store);
    // They keep events from being damaged: they go before the garbage comes, and come back after it.
    let triggers: String = raw(&template)
        .query_row(
            "SELECT group_concat(sql || ';', ' ') FROM sqlite_schema WHERE type = 'trigger'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let tables = columns(&template);
    assert!(tables.len() >= 27, "{:?}", tables.keys());
    for table in tables.keys() {
        let rows: i64 = raw(&template)
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap();
        assert!(rows > 0, "nothing is in {table}");
    }

    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    let path = folder.path().join("damaged.db");
    let mut turn = 0;
    for (table, columns) in &tables {
        for (column, declared) in columns {
            // Documents are damaged in every way, and of the other columns each in another one.
            turn += 1;
            let values = garbage(declared);
            let values = match column.as_str() {
                "body" => values,
                _ => &values[turn % values.len()..][..1],
            };
            for value in values {
                fs::copy(&template, &path).unwrap();
                let connection = raw(&path);
                connection
                    .execute_batch(&format!(
                        "PRAGMA synchronous = OFF; \
                         DROP TRIGGER stk_stock_event_stays; DROP TRIGGER stk_stock_event_remains; \
                         UPDATE OR REPLACE {table} SET {column} = {value}; {triggers}"
                    ))
                    .unwrap();
                drop(connection);
                let store = Arc::new(open(&path));
                let clock = Arc::new(ManualClock::default());
                clock.set(now);
                let ids = Arc::new(stocktake::service::TimeOrderedIds);
                let library = Stocktake::with(store.clone(), store.clone(), clock.clone(), ids);
                let shop = Shop::with(library, clock);
                let kinds = ask_all(&*store, &shop, &known).await;
                for kind in &kinds {
                    // A thread that ended would be unavailable.
                    assert_eq!(*kind, StoreErrorKind::Corrupt, "{table}.{column} = {value}");
                }
                if !kinds.is_empty() {
                    told.insert((table.clone(), column.clone()));
                }
                if column != "body" {
                    continue;
                }
                let codes = command_all(&shop, &known).await;
                for code in ["unavailable", "busy", "outcome_unknown"] {
                    assert!(
                        !codes.contains(code),
                        "{table}.{column} = {value}: {codes:?}"
                    );
                }
            }
        }
    }
    // What is read as a document is never taken for another one.
    for (table, columns) in &tables {
        for (column, _) in columns.iter().filter(|(column, _)| column == "body") {
            let column = (table.clone(), column.clone());
            assert!(told.contains(&column), "{column:?} may be anything");
        }
    }
}
