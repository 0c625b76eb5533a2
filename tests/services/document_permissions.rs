//! The permission matrix of counts, adjustments, orders, imports and exports: every public operation, asked by
//! every role, at its own site, from another site, from another organisation, and for what is not there.
//! `bad_input.rs` has the same of stock takes, movements and the catalogue.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use stocktake::documents::ReportOptions;
use stocktake::domain::{
    Actor, AdjustmentType, CompletionOptions, CountType, ImportMode, InventoryCountDetails,
    InventoryCountId, InventoryCountItemId, InventoryOrderDetails, InventoryOrderId,
    InventoryOrderItemId, JobId, MovementPolicy, NamePart, Ordered, ProductId, Quantity, Role,
    SiteId, StockAdjustmentId, StockImportId, StockTakeId,
};
use stocktake::service::access::{ACCESS, Operation, allows};
use stocktake::service::{
    Caller, Error, InventoryOrderAmendment, InventoryOrderUpdate, NewCountItem, NewInventoryOrder,
    NewOrderItem, NewStockAdjustment, NewStockTake, OrderItemUpdate, ReceiveRequest,
};
use stocktake::store::{
    ExportForm, InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter,
    InventoryOrderItemFilter, LevelFilter, PageRequest, StockAdjustmentFilter, StockEventFilter,
    StockTakeItemFilter,
};
use stocktake::testing::{Shop, shop};
use uuid::Uuid;

pub(super) type Asked<'a> = Pin<Box<dyn Future<Output = Result<String, Error>> + 'a>>;

/// What a request names.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) site: SiteId,
    pub(super) product: ProductId,
    pub(super) count: InventoryCountId,
    pub(super) count_item: InventoryCountItemId,
    pub(super) adjustment: StockAdjustmentId,
    pub(super) order: InventoryOrderId,
    pub(super) order_item: InventoryOrderItemId,
    pub(super) take: StockTakeId,
    pub(super) import: StockImportId,
    pub(super) export: JobId,
}

pub(super) struct Row {
    pub(super) name: &'static str,
    operation: Operation,
    pub(super) world: World,
    pub(super) ask: for<'a> fn(&'a Shop, &'a Caller, &'a Names) -> Asked<'a>,
}

/// What is prepared beside the catalogue and the stock.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum World {
    /// Nothing is in progress.
    Calm,
    /// A count with a line, an adjustment that waits, a submitted order, a take with its export, an import.
    Busy,
}

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn page() -> PageRequest {
    PageRequest::first(5)
}

fn details() -> InventoryCountDetails {
    InventoryCountDetails {
        name: "Spring".parse().unwrap(),
        kind: CountType::Full,
        notes: None,
        movement_policy: MovementPolicy::default(),
    }
}

fn applied() -> CompletionOptions {
    CompletionOptions {
        apply_adjustments: true,
        ..CompletionOptions::default()
    }
}

fn order_details() -> InventoryOrderDetails {
    InventoryOrderDetails {
        purchase_order_number: Some("PO-1".parse().unwrap()),
        supplier_email: None,
    }
}

fn theft(names: &Names) -> NewStockAdjustment {
    NewStockAdjustment::of(
        names.product,
        AdjustmentType::Theft,
        q("-1"),
        "gone".parse().unwrap(),
    )
}

fn item(product: ProductId) -> NewOrderItem {
    NewOrderItem {
        product,
        variant: None,
        ordered: Ordered {
            quantity: q("5"),
            unit_price_minor: 100,
        },
    }
}

macro_rules! rows {
    ($($operation:ident $world:ident $name:literal |$shop:ident, $caller:ident, $names:ident| $call:expr;)+) => {
        vec![$(Row {
            name: $name,
            operation: Operation::$operation,
            world: World::$world,
            ask: |$shop, $caller, $names| Box::pin(async move { $call.await.map(|answer| format!("{answer:?}")) }),
        }),+]
    };
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = rows! {
        RunCount Calm "counts.start" |s, c, n| s.stocktake.inventory_counts().start(c, n.site, details());
        RunCount Busy "counts.cancel" |s, c, n| s.stocktake.inventory_counts().cancel(c, n.count);
        RunCount Busy "counts.complete" |s, c, n| s.stocktake.inventory_counts().complete(c, n.count, CompletionOptions::default(), None);
        RunCount Busy "counts.queue_completion" |s, c, n| s.stocktake.inventory_counts().queue_completion(c, n.count, CompletionOptions::default(), None);
        RunCount Busy "counts.give_up" |s, c, n| async {
            s.stocktake.inventory_counts().queue_completion(c, n.count, CompletionOptions::default(), None).await?;
            s.stocktake.inventory_counts().give_up(c, n.count).await
        };
        ApplyCount Busy "counts.complete, applied" |s, c, n| s.stocktake.inventory_counts().complete(c, n.count, applied(), None);
        ApplyCount Busy "counts.queue_completion, applied" |s, c, n| s.stocktake.inventory_counts().queue_completion(c, n.count, applied(), None);
        CountInventory Busy "counts.count" |s, c, n| s.stocktake.inventory_counts().count(c, n.count, NewCountItem::of(n.product, q("3")));
        Read Busy "counts.get" |s, c, n| s.stocktake.inventory_counts().get(c, n.count);
        Read Busy "counts.variance_report" |s, c, n| s.stocktake.inventory_counts().variance_report(c, n.count, ReportOptions::default());
        Read Busy "counts.list" |s, c, n| async { s.stocktake.inventory_counts().list(c, n.site, &InventoryCountFilter::default(), &page()).await };
        Read Busy "counts.summary" |s, c, n| s.stocktake.inventory_counts().summary(c, n.site, None, None);
        Read Busy "counts.items" |s, c, n| async { s.stocktake.inventory_counts().items(c, n.count, &InventoryCountItemFilter::default(), &page()).await };
        Read Busy "counts.item" |s, c, n| s.stocktake.inventory_counts().item(c, n.count, n.count_item);
        Read Busy "counts.entries" |s, c, n| s.stocktake.inventory_counts().entries(c, n.count, n.count_item);
        CreateAdjustment Calm "adjustments.create" |s, c, n| s.stocktake.stock_adjustments().create(c, n.site, theft(n));
        DecideAdjustment Busy "adjustments.approve" |s, c, n| s.stocktake.stock_adjustments().approve(c, n.adjustment, None);
        DecideAdjustment Busy "adjustments.reject" |s, c, n| s.stocktake.stock_adjustments().reject(c, n.adjustment, "no".parse().unwrap());
        Read Busy "adjustments.get" |s, c, n| s.stocktake.stock_adjustments().get(c, n.adjustment);
        Read Busy "adjustments.list" |s, c, n| async { s.stocktake.stock_adjustments().list(c, n.site, &StockAdjustmentFilter::default(), &page()).await };
        Read Busy "adjustments.pending" |s, c, n| async { s.stocktake.stock_adjustments().pending(c, n.site, &page()).await };
        Read Busy "adjustments.of_product" |s, c, n| async { s.stocktake.stock_adjustments().of_product(c, n.site, n.product, &page()).await };
        ImportStock Calm "imports.begin" |s, c, n| async {
            let location = if n.site == s.site.id { "store-1" } else { "store-99" };
            let body = format!(r#"{{"{location}": {{"SKU-0": 7}}}}"#);
            s.stocktake.stock_imports().begin(c, ImportMode::Absolute, body.as_bytes(), false).await
        };
        ImportStock Calm "imports.begin_at" |s, c, n| async {
            let location = if n.site == s.site.id { "store-1" } else { "store-99" };
            let body = format!(r#"{{"{location}": {{"SKU-0": 7}}}}"#);
            s.stocktake.stock_imports().begin_at(c, ImportMode::Absolute, body.as_bytes(), false, NamePart::Without).await
        };
        Read Busy "imports.get" |s, c, n| s.stocktake.stock_imports().get(c, n.import);
        Export Busy "exports.stock_take" |s, c, n| s.stocktake.exports().stock_take(c, n.take, StockTakeItemFilter::default(), ExportForm::default());
        Export Busy "exports.inventory_order" |s, c, n| s.stocktake.exports().inventory_order(c, n.order, InventoryOrderItemFilter::default(), ExportForm::default());
        Export Busy "exports.inventory_count" |s, c, n| s.stocktake.exports().inventory_count(c, n.count, InventoryCountItemFilter::default(), ExportForm::default());
        Export Busy "exports.stock_adjustments" |s, c, n| s.stocktake.exports().stock_adjustments(c, n.site, StockAdjustmentFilter::default(), ExportForm::default());
        Export Busy "exports.stock_levels" |s, c, n| s.stocktake.exports().stock_levels(c, n.site, LevelFilter::default(), ExportForm::default());
        Export Busy "exports.stock_events" |s, c, n| s.stocktake.exports().stock_events(c, n.site, StockEventFilter::default(), ExportForm::default());
        Read Busy "exports.status" |s, c, n| s.stocktake.exports().status(c, n.export);
        Read Busy "exports.file" |s, c, n| s.stocktake.exports().file(c, n.export);
        Read Busy "exports.file_chunk" |s, c, n| s.stocktake.exports().file_chunk(c, n.export, 0);
    };
    rows.extend(rows! {
        EditOrder Calm "orders.create" |s, c, n| s.stocktake.inventory_orders().create(c, NewInventoryOrder {
            site: n.site, supplier: s.supplier.id, details: order_details(),
        });
        EditOrder Busy "orders.amend" |s, c, n| s.stocktake.inventory_orders().amend(c, n.order, InventoryOrderAmendment::default());
        EditOrder Busy "orders.update" |s, c, n| s.stocktake.inventory_orders().update(c, n.order, InventoryOrderUpdate {
            supplier: None, details: order_details(),
        });
        EditOrder Busy "orders.remove" |s, c, n| s.stocktake.inventory_orders().remove(c, n.order);
        EditOrder Busy "orders.add_item" |s, c, n| s.stocktake.inventory_orders().add_item(c, n.order, item(s.products[1].id));
        EditOrder Busy "orders.update_item" |s, c, n| s.stocktake.inventory_orders().update_item(c, n.order, n.order_item, OrderItemUpdate {
            quantity: Some(q("6")), unit_price_minor: None,
        });
        EditOrder Busy "orders.delete_item" |s, c, n| s.stocktake.inventory_orders().delete_item(c, n.order, n.order_item);
        SubmitOrder Busy "orders.submit" |s, c, n| s.stocktake.inventory_orders().submit(c, n.order);
        SubmitOrder Busy "orders.close_short" |s, c, n| s.stocktake.inventory_orders().close_short(c, n.order, None);
        ReceiveOrder Busy "orders.receive" |s, c, n| s.stocktake.inventory_orders().receive(c, n.order, ReceiveRequest::default());
        Read Busy "orders.sending" |s, c, n| s.stocktake.inventory_orders().sending(c, n.order);
        Read Busy "orders.get" |s, c, n| s.stocktake.inventory_orders().get(c, n.order);
        Read Busy "orders.list" |s, c, n| async { s.stocktake.inventory_orders().list(c, n.site, &InventoryOrderFilter::default(), &page()).await };
        Read Busy "orders.items" |s, c, n| async { s.stocktake.inventory_orders().items(c, n.order, &InventoryOrderItemFilter::default(), &page()).await };
        Read Busy "orders.item" |s, c, n| s.stocktake.inventory_orders().item(c, n.order, n.order_item);
    });
    rows
}

/// What is not there.
fn missing(shop: &Shop) -> Names {
    let nothing = Uuid::from_u128(0xdead);
    Names {
        site: SiteId::new(nothing),
        product: shop.products[0].id,
        count: InventoryCountId::new(nothing),
        count_item: InventoryCountItemId::new(nothing),
        adjustment: StockAdjustmentId::new(nothing),
        order: InventoryOrderId::new(nothing),
        order_item: InventoryOrderItemId::new(nothing),
        take: StockTakeId::new(nothing),
        import: StockImportId::new(nothing),
        export: JobId::new(nothing),
    }
}

/// A shop with what the world has, and the names of it.
async fn prepare(world: World) -> (Shop, Names) {
    let shop = shop();
    let names = prepared(&shop, world).await;
    (shop, names)
}

/// Puts into a shop what the world has: the names of it.
pub(super) async fn prepared(shop: &Shop, world: World) -> Names {
    shop.open().await.unwrap();
    let mut names = Names {
        site: shop.site.id,
        ..missing(shop)
    };
    if world == World::Busy {
        // By somebody who is none of those who ask: nobody approves their own adjustment.
        let boss = Actor {
            user: shop.elsewhere.user.clone(),
            ..shop.manager.clone()
        };
        let boss = Caller::of(&boss);
        let library = &shop.stocktake;
        names.count = library
            .inventory_counts()
            .start(&boss, shop.site.id, details())
            .await
            .unwrap()
            .id();
        let counted = NewCountItem::of(shop.products[0].id, q("39"));
        names.count_item = library
            .inventory_counts()
            .count(&boss, names.count, counted)
            .await
            .unwrap()
            .id;
        names.adjustment = library
            .stock_adjustments()
            .create(&boss, shop.site.id, theft(&names))
            .await
            .unwrap()
            .id();
        let new = NewInventoryOrder {
            site: shop.site.id,
            supplier: shop.supplier.id,
            details: order_details(),
        };
        let orders = library.inventory_orders();
        names.order = orders.create(&boss, new).await.unwrap().id();
        for product in [2, 3] {
            let line = orders
                .add_item(&boss, names.order, item(shop.products[product].id))
                .await
                .unwrap();
            names.order_item = line.id();
        }
        orders.submit(&boss, names.order).await.unwrap();
        // Edited since, so that it can be submitted again.
        let update = OrderItemUpdate {
            quantity: Some(q("7")),
            unit_price_minor: None,
        };
        orders
            .update_item(&boss, names.order, names.order_item, update)
            .await
            .unwrap();
        let new = NewStockTake {
            site: shop.site.id,
            description: "Everything".parse().unwrap(),
            movement_policy: MovementPolicy::default(),
        };
        names.take = library.stock_takes().create(&boss, new).await.unwrap().id();
        let filter = StockTakeItemFilter::default();
        names.export = library
            .exports()
            .stock_take(&boss, names.take, filter, ExportForm::default())
            .await
            .unwrap();
        let body = br#"{"store-1": {"SKU-9": 7}}"#;
        let started = library
            .stock_imports()
            .begin(&boss, ImportMode::Absolute, body, false)
            .await
            .unwrap();
        names.import = started.import.id();
        shop.run_jobs().await.unwrap();
    }
    names
}

/// One cell: the ledger's last position and the answer must be as the table says.
async fn cell(
    row: &Row,
    actor: impl Fn(&Shop) -> Actor,
    is_missing: bool,
    expected: Option<&str>,
) -> String {
    let (shop, names) = prepare(row.world).await;
    let names = if is_missing { missing(&shop) } else { names };
    let actor = actor(&shop);
    let before = shop
        .stocktake
        .stock()
        .ledger(&Caller::of(&shop.manager), shop.site.id, 0, 100)
        .await
        .unwrap();
    let answer = (row.ask)(&shop, &Caller::of(&actor), &names).await;
    let who = format!("{} by {:?} (missing: {is_missing})", row.name, actor.role);
    match (answer, expected) {
        (Ok(_), None) => String::new(),
        (Err(error), Some(code)) => {
            assert_eq!(error.code(), code, "{who}: {error}");
            let manager = Caller::of(&shop.manager);
            let after = shop
                .stocktake
                .stock()
                .ledger(&manager, shop.site.id, 0, 100)
                .await
                .unwrap();
            assert_eq!(before, after, "{who} changed something");
            error.to_string()
        }
        (answer, expected) => panic!("{who}: {answer:?}, not {expected:?}"),
    }
}

#[tokio::test]
async fn every_operation_of_the_documents_is_for_the_roles_and_sites_of_the_table() {
    let rows = rows();
    for row in &rows {
        for role in Role::ALL {
            let as_role = |actor: &Actor| Actor {
                role,
                ..actor.clone()
            };
            let own = (!allows(role, row.operation)).then_some("forbidden");
            cell(row, |shop| as_role(&shop.manager), false, own).await;
            // An import has no site of its own: its locations are told from one another in the body.
            let unseen = match (row.operation, own) {
                (Operation::ImportStock, Some(forbidden)) => forbidden,
                (Operation::ImportStock, None) => "unknown_location",
                _ => "not_found",
            };
            let elsewhere = cell(row, |shop| as_role(&shop.elsewhere), false, Some(unseen)).await;
            let foreign = cell(row, |shop| as_role(&shop.stranger), false, Some(unseen)).await;
            assert_eq!(elsewhere, foreign, "{}", row.name);
            let absent = cell(row, |shop| as_role(&shop.manager), true, Some(unseen)).await;
            if row.operation != Operation::ImportStock {
                assert_eq!(absent, foreign, "{}: by the very words", row.name);
            }
        }
    }
    let asked: BTreeSet<Operation> = rows.iter().map(|row| row.operation).collect();
    let of_documents: BTreeSet<Operation> = ACCESS
        .iter()
        .map(|(operation, _)| *operation)
        .filter(|operation| *operation >= Operation::RunCount && *operation <= Operation::Export)
        .chain([Operation::Read])
        .collect();
    assert_eq!(asked, of_documents);
}

#[test]
fn the_table_is_this_one() {
    use Operation as O;
    // Who may: viewer, counter, manager, service.
    let expected = [
        ("VCMS", [O::Read, O::Export, O::Print].as_slice()),
        // Who counts by a sheet counts blind.
        ("V-MS", &[O::PrintExpected]),
        (
            "-CMS",
            &[
                O::UpdateStockTake,
                O::EditStockTakeItems,
                O::CountItem,
                O::CountInventory,
                O::CreateAdjustment,
                O::ReceiveOrder,
            ],
        ),
        (
            "--MS",
            &[
                O::EditCatalogue,
                O::MoveStock,
                O::CreateStockTake,
                O::CopyStockTake,
                O::RemoveStockTake,
                O::StartStockTake,
                O::DeleteStockTakeItem,
                O::PostStockTake,
                O::ReopenStockTake,
                O::RunCount,
                O::EditOrder,
                O::ImportStock,
            ],
        ),
        // What is an approval, or a look at the whole, is no machine's.
        (
            "--M-",
            &[
                O::VerifyLedger,
                O::RebuildStock,
                O::ApplyCount,
                O::DecideAdjustment,
                O::SubmitOrder,
                O::ManageJobs,
            ],
        ),
    ];
    let expected: BTreeSet<(Operation, [bool; 4])> = expected
        .iter()
        .flat_map(|(who, operations)| {
            let may = ["V", "C", "M", "S"].map(|role| who.contains(role));
            operations.iter().map(move |operation| (*operation, may))
        })
        .collect();
    assert_eq!(ACCESS.iter().copied().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn nobody_is_told_anything_of_the_documents() {
    for row in rows() {
        let (shop, names) = prepare(row.world).await;
        let error = (row.ask)(&shop, &Caller::nobody(), &names)
            .await
            .expect_err(row.name);
        assert_eq!(error.code(), "unauthenticated", "{}", row.name);
    }
}
