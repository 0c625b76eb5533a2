//! Exports through the service (S1.12, S3.7). Each test is named by the row it shows.

use std::collections::{BTreeMap, BTreeSet};

use stocktake::domain::{
    CountStatus, InventoryOrderDetails, InventoryOrderId, JobId, MovementPolicy, Ordered,
    PostingOptions, Product, ProductId, StockKey, StockTakeId, StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewInventoryOrder, NewMovement, NewOrderItem,
    NewStockTake,
};
use stocktake::store::{
    ArticleSort, ExportForm, ExportFormat, IdempotencyKey, InventoryOrderItemFilter, JobState,
    JobTask, LevelFilter, PageRequest, StockAdjustmentFilter, StockEventFilter,
    StockTakeItemFilter,
};
use stocktake::testing::{Shop, shop};
use uuid::Uuid;

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

async fn take(shop: &Shop) -> StockTakeId {
    let new = NewStockTake {
        site: shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = shop
        .stocktake
        .stock_takes()
        .create(&manager(shop), new)
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    take.id()
}

async fn opened() -> (Shop, StockTakeId) {
    let shop = shop();
    shop.open().await.unwrap();
    let take = take(&shop).await;
    (shop, take)
}

fn line_of(shop: &Shop, take: StockTakeId, number: usize) -> StockTakeItemId {
    StockTakeItemId::for_key(take, &shop.key(number))
}

async fn count(shop: &Shop, take: StockTakeId, number: usize, quantity: &str) {
    let request = CountRequest::set(quantity.parse().unwrap());
    shop.stocktake
        .stock_takes()
        .count(&manager(shop), take, line_of(shop, take, number), request)
        .await
        .unwrap();
}

async fn export(shop: &Shop, take: StockTakeId, filter: StockTakeItemFilter) -> JobId {
    shop.stocktake
        .exports()
        .stock_take(
            &Caller::of(&shop.viewer),
            take,
            filter,
            ExportForm::default(),
        )
        .await
        .unwrap()
}

type Row = BTreeMap<String, String>;

/// The rows of a file, as any reader of RFC 4180 has them.
fn rows(bytes: &[u8]) -> Vec<Row> {
    csv::Reader::from_reader(bytes)
        .deserialize()
        .collect::<Result<_, _>>()
        .unwrap()
}

async fn file(shop: &Shop, job: JobId) -> Vec<Row> {
    shop.run_jobs().await.unwrap();
    let file = shop
        .stocktake
        .exports()
        .file(&manager(shop), job)
        .await
        .unwrap();
    rows(&file.bytes.unwrap())
}

fn all() -> StockTakeItemFilter {
    StockTakeItemFilter::default()
}

#[tokio::test]
async fn s1_12_an_export_is_queued_polled_and_read() {
    let (shop, take) = opened().await;
    count(&shop, take, 0, "38.5").await;
    let exports = shop.stocktake.exports();
    let job = export(&shop, take, all()).await;
    let status = exports.status(&manager(&shop), job).await.unwrap();
    assert_eq!(
        (status.job.state, status.job.task),
        (JobState::Queued, JobTask::Export)
    );
    assert!(!status.export.complete);
    assert_eq!(
        exports.file(&manager(&shop), job).await.unwrap().bytes,
        None
    );
    assert_eq!(
        exports.file_chunk(&manager(&shop), job, 0).await.unwrap(),
        None
    );

    let rows = file(&shop, job).await;
    let status = exports.status(&manager(&shop), job).await.unwrap();
    assert_eq!(status.job.state, JobState::Succeeded);
    assert_eq!(
        (status.job.progress.done, status.job.progress.total),
        (10, 10)
    );
    assert_eq!(status.export.file_name(), format!("stock-take-{take}.csv"));
    assert_eq!(rows.len(), 10);
    let expected = [
        ("article_id", "SKU-0"),
        ("product_name", "Product 0"),
        ("stock_place", ""),
        ("barcodes", "4006381333930"),
        ("brand", "Brand 0"),
        ("suppliers", "Elemis"),
        ("expected_quantity", "40"),
        ("counted_quantity", "38.5"),
        ("variance_quantity", "-1.5"),
        ("unit_cost", "150"),
        ("adjustment_value", "-225"),
        ("currency", "gbp"),
        ("status", "counted"),
        ("counted_at", "2026-01-05T09:00:00Z"),
    ];
    for (column, value) in expected {
        assert_eq!(rows[0][column], value, "{column}");
    }
    assert_eq!(rows[0]["id"], line_of(&shop, take, 0).to_string());
    assert_eq!(rows[0]["counted_by_id"], shop.manager.user.id.to_string());
    assert_eq!(rows[1]["status"], "uncounted");
    assert_eq!(rows[1]["expected_quantity"], "40");
    for column in [
        "counted_quantity",
        "variance_quantity",
        "adjustment_value",
        "counted_at",
    ] {
        assert_eq!(rows[1][column], "", "uncounted is never zero: {column}");
    }
}

#[tokio::test]
async fn s1_12_asking_again_gives_the_same_job_while_no_line_has_changed() {
    let (shop, take) = opened().await;
    let counted = || StockTakeItemFilter {
        status: CountStatus::Counted,
        ..all()
    };
    let first = export(&shop, take, all()).await;
    assert_eq!(export(&shop, take, all()).await, first);
    assert_ne!(
        export(&shop, take, counted()).await,
        first,
        "another filter"
    );
    assert_eq!(shop.run_jobs().await.unwrap(), 2);
    assert_eq!(
        export(&shop, take, all()).await,
        first,
        "also when it is done"
    );
    // Another user gets the same; what moves stock changes no line.
    let exports = shop.stocktake.exports();
    assert_eq!(
        exports
            .stock_take(&manager(&shop), take, all(), ExportForm::default())
            .await
            .unwrap(),
        first
    );
    let sale = Movement::Issue {
        key: shop.key(0),
        quantity: 1.into(),
    };
    shop.stocktake
        .stock()
        .record(&manager(&shop), shop.site.id, &[sale.into()])
        .await
        .unwrap();
    assert_eq!(export(&shop, take, all()).await, first);

    let mut seen = BTreeSet::from([first]);
    let takes = shop.stocktake.stock_takes();
    count(&shop, take, 0, "5").await;
    assert!(
        seen.insert(export(&shop, take, all()).await),
        "after a count"
    );
    count(&shop, take, 0, "6").await;
    assert!(
        seen.insert(export(&shop, take, all()).await),
        "after another one of the same line"
    );
    let clear = CountRequest::clear();
    takes
        .count(&manager(&shop), take, line_of(&shop, take, 0), clear)
        .await
        .unwrap();
    assert!(
        seen.insert(export(&shop, take, all()).await),
        "after clearing it"
    );
    takes
        .delete_item(&manager(&shop), take, line_of(&shop, take, 1))
        .await
        .unwrap();
    assert!(
        seen.insert(export(&shop, take, all()).await),
        "after deleting a line"
    );
    takes
        .submit(&manager(&shop), take, PostingOptions::default())
        .await
        .unwrap();
    assert!(
        seen.insert(export(&shop, take, all()).await),
        "after posting"
    );
    assert_eq!(
        rows(
            &exports
                .file(&manager(&shop), first)
                .await
                .unwrap()
                .bytes
                .unwrap()
        )
        .len(),
        10
    );
}

#[tokio::test]
async fn s1_12_a_key_keeps_its_job_whatever_changes() {
    let (shop, take) = opened().await;
    let exports = shop.stocktake.exports();
    let there = export(&shop, take, all()).await;
    let once = manager(&shop).with_key(IdempotencyKey::new("export-1").unwrap());
    assert_eq!(
        exports
            .stock_take(&once, take, all(), ExportForm::default())
            .await
            .unwrap(),
        there
    );
    count(&shop, take, 0, "5").await;
    assert_eq!(
        exports
            .stock_take(&once, take, all(), ExportForm::default())
            .await
            .unwrap(),
        there
    );
    assert_ne!(export(&shop, take, all()).await, there);
    let left_over = StockTakeItemFilter {
        left_over: true,
        ..all()
    };
    let other = exports
        .stock_take(&once, take, left_over, ExportForm::default())
        .await
        .unwrap_err();
    assert_eq!(other.code(), "idempotency_key_reused");
}

#[tokio::test]
async fn s1_12_an_export_holds_what_the_filter_lists() {
    let (shop, take) = opened().await;
    count(&shop, take, 3, "1").await;
    let brand = shop.products[0].brand.as_ref().unwrap().id;
    let filter = StockTakeItemFilter {
        brands: [brand].into(),
        ..all()
    };
    let job = export(&shop, take, filter).await;
    let articles: Vec<String> = file(&shop, job)
        .await
        .iter()
        .map(|row| row["article_id"].clone())
        .collect();
    assert_eq!(articles, ["SKU-0", "SKU-2", "SKU-4", "SKU-6", "SKU-8"]);
    let none = StockTakeItemFilter {
        left_over: true,
        ..all()
    };
    let job = export(&shop, take, none).await;
    assert!(
        file(&shop, job).await.is_empty(),
        "only the names of the columns"
    );
}

#[tokio::test]
async fn s1_12_posted_lines_say_what_was_posted() {
    let (shop, take) = opened().await;
    count(&shop, take, 0, "39").await;
    let options = PostingOptions {
        zero_uncounted: true,
        ..PostingOptions::default()
    };
    shop.stocktake
        .stock_takes()
        .submit(&manager(&shop), take, options)
        .await
        .unwrap();
    let job = export(&shop, take, all()).await;
    let rows = file(&shop, job).await;
    assert_eq!(
        (
            rows[0]["variance_quantity"].as_str(),
            rows[0]["adjustment_value"].as_str()
        ),
        ("-1", "-150")
    );
    let zeroed = (&rows[1]["counted_quantity"], &rows[1]["status"]);
    assert_eq!((zeroed.0.as_str(), zeroed.1.as_str()), ("0", "counted"));
    assert_eq!(
        (
            rows[1]["variance_quantity"].as_str(),
            rows[1]["adjustment_value"].as_str()
        ),
        ("-40", "-10000")
    );
}

#[tokio::test]
async fn s1_12_no_cell_is_a_formula() {
    let shop = shop();
    shop.open_empty().await.unwrap();
    let names = [
        "=1+1",
        "+A1",
        "-2",
        "@SUM(A1)",
        "  =1",
        "＝1",
        "Balm, \"50\" ml",
        "5 - 3",
    ];
    let mut products = Vec::new();
    let mut stock: Vec<NewMovement> = Vec::new();
    for (number, name) in (0_u128..).zip(names) {
        let id = ProductId::new(Uuid::from_u128(9_000 + number));
        let article = format!("={number}").parse().unwrap();
        products.push(Product::new(
            id,
            shop.site.organisation,
            article,
            name.parse().unwrap(),
        ));
        let key = StockKey::plain(shop.site.id, id).at("-A".parse().unwrap());
        let unit_cost = Some("1".parse().unwrap());
        stock.push(
            Movement::Receipt {
                key,
                quantity: 1.into(),
                unit_cost,
            }
            .into(),
        );
    }
    shop.stocktake
        .catalogue()
        .put_products(&manager(&shop), products)
        .await
        .unwrap();
    shop.stocktake
        .stock()
        .record(&manager(&shop), shop.site.id, &stock)
        .await
        .unwrap();
    let take = take(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let page = PageRequest::first(20);
    let lines = takes
        .items(&manager(&shop), take, &all(), ArticleSort::default(), &page)
        .await
        .unwrap();
    let first = lines.items[0].item.value.id;
    takes
        .count(&manager(&shop), take, first, CountRequest::set(0.into()))
        .await
        .unwrap();
    let job = export(&shop, take, all()).await;
    let rows = file(&shop, job).await;
    let told: Vec<&str> = rows
        .iter()
        .map(|row| row["product_name"].as_str())
        .collect();
    assert_eq!(
        told,
        [
            "'=1+1",
            "'+A1",
            "'-2",
            "'@SUM(A1)",
            "'  =1",
            "'＝1",
            "Balm, \"50\" ml",
            "5 - 3"
        ]
    );
    assert!(
        rows.iter()
            .all(|row| row["article_id"].starts_with("'=") && row["stock_place"] == "'-A")
    );
    assert_eq!(rows[0]["variance_quantity"], "-1", "a number stays one");
}

#[tokio::test]
async fn s1_12_a_large_file_is_written_and_read_in_parts() {
    let shop = shop();
    shop.open_empty().await.unwrap();
    let places: Vec<NewMovement> = (0..2_345)
        .map(|number| {
            let key = shop
                .key(number % 10)
                .at(format!("P-{number:05}").parse().unwrap());
            Movement::Receipt {
                key,
                quantity: 1.into(),
                unit_cost: Some("1".parse().unwrap()),
            }
            .into()
        })
        .collect();
    shop.stocktake
        .stock()
        .record(&manager(&shop), shop.site.id, &places)
        .await
        .unwrap();
    let take = take(&shop).await;
    let job = export(&shop, take, all()).await;
    let rows = file(&shop, job).await;
    let ids: BTreeSet<&String> = rows.iter().map(|row| &row["id"]).collect();
    assert_eq!((rows.len(), ids.len()), (2_345, 2_345));
    let exports = shop.stocktake.exports();
    let status = exports.status(&manager(&shop), job).await.unwrap();
    assert_eq!((status.export.chunks, status.export.lines), (3, 2_345));
    assert_eq!(
        (status.job.progress.done, status.job.progress.total),
        (2_345, 2_345)
    );
    let mut bytes = Vec::new();
    for number in 0.. {
        let Some(part) = exports
            .file_chunk(&manager(&shop), job, number)
            .await
            .unwrap()
        else {
            break;
        };
        bytes.extend_from_slice(&part);
    }
    let whole = exports
        .file(&manager(&shop), job)
        .await
        .unwrap()
        .bytes
        .unwrap();
    assert_eq!(bytes, whole);
    assert_eq!(
        String::from_utf8(whole)
            .unwrap()
            .matches("article_id")
            .count(),
        1
    );
}

#[tokio::test]
async fn s1_12_who_can_not_see_the_site_sees_no_export() {
    let (shop, take) = opened().await;
    let exports = shop.stocktake.exports();
    let job = export(&shop, take, all()).await;
    shop.run_jobs().await.unwrap();
    let code = |error: Error| error.code();
    for stranger in [&shop.elsewhere, &shop.stranger] {
        let caller = Caller::of(stranger);
        assert_eq!(
            exports
                .stock_take(&caller, take, all(), ExportForm::default())
                .await
                .map_err(code),
            Err("not_found")
        );
        assert_eq!(
            exports.status(&caller, job).await.map_err(code),
            Err("not_found")
        );
        assert_eq!(
            exports.file(&caller, job).await.map_err(code),
            Err("not_found")
        );
        assert_eq!(
            exports.file_chunk(&caller, job, 0).await.map_err(code),
            Err("not_found")
        );
    }
    assert_eq!(
        exports.file(&Caller::nobody(), job).await.map_err(code),
        Err("unauthenticated")
    );
    let unknown = JobId::new(Uuid::from_u128(3));
    assert_eq!(
        exports.status(&manager(&shop), unknown).await.map_err(code),
        Err("not_found")
    );
}

#[tokio::test]
async fn s1_12_an_export_of_a_take_that_was_removed_meanwhile_ends() {
    let (shop, take) = opened().await;
    let job = export(&shop, take, all()).await;
    shop.stocktake
        .stock_takes()
        .remove(&manager(&shop), take)
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    let ended = shop.stocktake.job(&manager(&shop), job).await.unwrap();
    assert_eq!(ended.state, JobState::Refused);
    // What is of a take is as far away as the take.
    let exports = shop.stocktake.exports();
    let status = exports.status(&manager(&shop), job).await.map(drop);
    assert_eq!(status.unwrap_err().code(), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s1_12_asked_at_once_there_is_one_job() {
    let (shop, take) = opened().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (library, caller) = (shop.stocktake.clone(), manager(&shop));
            tokio::spawn(async move {
                library
                    .exports()
                    .stock_take(&caller, take, all(), ExportForm::default())
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut jobs = BTreeSet::new();
    for task in tasks {
        jobs.insert(task.await.unwrap());
    }
    assert_eq!(jobs.len(), 1);
    assert_eq!(shop.run_jobs().await.unwrap(), 1);
}

async fn order(shop: &Shop) -> InventoryOrderId {
    let orders = shop.stocktake.inventory_orders();
    let new = NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails::default(),
    };
    let order = orders.create(&manager(shop), new).await.unwrap().id();
    for product in shop.products.iter().take(4) {
        let ordered = Ordered {
            quantity: 10.into(),
            unit_price_minor: 200,
        };
        let line = NewOrderItem {
            product: product.id,
            variant: None,
            ordered,
        };
        orders.add_item(&manager(shop), order, line).await.unwrap();
    }
    order
}

#[tokio::test]
async fn s3_7_an_order_is_exported_and_polled() {
    let (shop, _) = opened().await;
    let order = order(&shop).await;
    let exports = shop.stocktake.exports();
    let viewer = Caller::of(&shop.viewer);
    let every = InventoryOrderItemFilter::default;
    let job = exports
        .inventory_order(&viewer, order, every(), ExportForm::default())
        .await
        .unwrap();
    assert_eq!(
        exports
            .inventory_order(&viewer, order, every(), ExportForm::default())
            .await
            .unwrap(),
        job
    );
    let rows = file(&shop, job).await;
    assert_eq!(rows.len(), 4);
    for (column, value) in [
        ("article_id", "SKU-0"),
        ("quantity", "10"),
        ("received_quantity", "0"),
        ("outstanding_quantity", "10"),
        ("unit_price", "200"),
        ("total", "2000"),
        ("currency", "gbp"),
    ] {
        assert_eq!(rows[0][column], value, "{column}");
    }
    let status = exports.status(&viewer, job).await.unwrap();
    assert_eq!(status.job.state, JobState::Succeeded);
    assert_eq!(
        (status.job.progress.done, status.job.progress.total),
        (4, 4)
    );
    assert_eq!(
        status.export.file_name(),
        format!("inventory-order-{order}.csv")
    );

    shop.stocktake
        .inventory_orders()
        .submit(&manager(&shop), order)
        .await
        .unwrap();
    assert_ne!(
        exports
            .inventory_order(&viewer, order, every(), ExportForm::default())
            .await
            .unwrap(),
        job,
        "the order has changed"
    );
    let foreign = exports
        .inventory_order(
            &Caller::of(&shop.elsewhere),
            order,
            every(),
            ExportForm::default(),
        )
        .await;
    assert_eq!(foreign.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn s3_7_an_export_of_an_order_is_filtered_by_brand_and_category() {
    let (shop, _) = opened().await;
    let order = order(&shop).await;
    let exports = shop.stocktake.exports();
    let brand = shop.products[1].brand.as_ref().unwrap().id;
    let category = shop.products[0].category.as_ref().unwrap().id;
    let odd = InventoryOrderItemFilter {
        brands: [brand].into(),
        ..InventoryOrderItemFilter::default()
    };
    let both = InventoryOrderItemFilter {
        categories: [category].into(),
        ..odd.clone()
    };
    let odd = exports
        .inventory_order(&manager(&shop), order, odd, ExportForm::default())
        .await
        .unwrap();
    let both = exports
        .inventory_order(&manager(&shop), order, both, ExportForm::default())
        .await
        .unwrap();
    let articles: Vec<String> = file(&shop, odd)
        .await
        .iter()
        .map(|row| row["article_id"].clone())
        .collect();
    assert_eq!(articles, ["SKU-1", "SKU-3"]);
    assert!(file(&shop, both).await.is_empty());
}

/// What this build has no writer for is refused when it is asked for, and nothing is queued: a workbook without the feature
/// `xlsx`, and lines as something to print.
#[tokio::test]
async fn s1_12_a_form_that_can_t_be_written_is_refused_at_once() {
    let (shop, take) = opened().await;
    for format in [ExportFormat::Csv, ExportFormat::Xlsx, ExportFormat::Pdf] {
        let has_writer = cfg!(feature = "xlsx") && format == ExportFormat::Xlsx;
        let can = has_writer || format == ExportFormat::Csv;
        let form = ExportForm {
            format,
            ..ExportForm::default()
        };
        let (exports, manager, site) = (shop.stocktake.exports(), manager(&shop), shop.site.id);
        let answers = [
            exports.stock_take(&manager, take, all(), form).await,
            exports
                .stock_levels(&manager, site, LevelFilter::default(), form)
                .await,
            exports
                .stock_events(&manager, site, StockEventFilter::default(), form)
                .await,
            exports
                .stock_adjustments(&manager, site, StockAdjustmentFilter::default(), form)
                .await,
        ];
        for answer in answers {
            match answer {
                Ok(_) => assert!(can, "{format:?}"),
                Err(error) => assert_eq!((error.code(), can), ("format_not_available", false)),
            }
        }
        let first = PageRequest::first(9);
        let open = shop.stocktake.open_jobs(&manager, &first).await.unwrap();
        assert_eq!(open.items.is_empty(), !can, "{format:?}");
        shop.run_jobs().await.unwrap();
    }
}
