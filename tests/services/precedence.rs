//! What is wrong with a request is told last: nobody at all, then what the actor can't see, then what its role may not do, and
//! only then its fields (RELIABILITY.md, 4.1). Every command that has fields is asked with a wrong one, by each.

use std::pin::Pin;

use stocktake::domain::{
    AdjustmentType, Entered, ImportMode, InventoryOrderDetails, MovementPolicy, NamePart, Ordered,
    Product, ProductId, Quantity, Role, Site, StockTakeDetails, StockTakeItemId, SupplierId,
    Timestamp,
};
use stocktake::service::{
    ArticleName, Caller, CountRequest, Edit, Error, FoundProduct, FoundStock,
    InventoryOrderAmendment, InventoryOrderUpdate, InventoryRequest, NewCountItem,
    NewInventoryOrder, NewOrderItem, NewStockAdjustment, NewStockTakeList, OrderItemUpdate,
    ReceiptLine, ReceiveRequest, StockTakeAmendment,
};
use stocktake::store::{
    ExportForm, ExportFormat, InventoryCountFilter, StockAdjustmentFilter, StockEventFilter,
    StockTakeItemFilter,
};
use stocktake::testing::{Shop, shop};
use uuid::Uuid;

use crate::document_permissions::{Names, World, prepared};

type Asked<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// A request that is wrong, and whether every role may ask for such.
struct Row {
    name: &'static str,
    is_for_all: bool,
    ask: for<'a> fn(&'a Shop, &'a Caller, &'a Names) -> Asked<'a>,
}

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// A date that nobody means.
fn too_late() -> Timestamp {
    Timestamp::from_micros(20_000_000_000_000_000).unwrap()
}

fn nothing() -> Uuid {
    Uuid::from_u128(0xbad)
}

fn details() -> StockTakeDetails {
    StockTakeDetails {
        name: None,
        description: Some("Words".parse().unwrap()),
        due_at: Some(too_late()),
        annual: false,
        movement_policy: MovementPolicy::default(),
    }
}

fn order_details() -> InventoryOrderDetails {
    InventoryOrderDetails {
        purchase_order_number: None,
        supplier_email: Some("not an address".parse().unwrap()),
    }
}

fn line(product: ProductId, quantity: &str) -> NewOrderItem {
    NewOrderItem {
        product,
        variant: None,
        ordered: Ordered {
            quantity: q(quantity),
            unit_price_minor: 1,
        },
    }
}

macro_rules! rows {
    ($($all:ident $name:literal |$shop:ident, $caller:ident, $names:ident| $call:expr;)+) => {
        vec![$(Row {
            name: $name,
            is_for_all: rows!(@ $all),
            ask: |$shop, $caller, $names| Box::pin(async move { $call.await.map(drop) }),
        }),+]
    };
    (@ some) => { false };
    (@ all) => { true };
}

fn rows() -> Vec<Row> {
    rows! {
        some "catalogue.put_site" |s, c, _n| async {
            let mut site = Site::clone(&s.site);
            site.policy.closed_until = Some(too_late());
            s.stocktake.catalogue().put_site(c, site).await
        };
        some "stock.record, nothing" |s, c, n| async { s.stocktake.stock().record(c, n.site, &[]).await };
        some "stock.record, too many" |s, c, n| async {
            let movements = vec![s.receipt(0, q("1")); 10_001];
            s.stocktake.stock().record(c, n.site, &movements).await
        };
        some "stock.record, a product that is not there" |s, c, n| async {
            let mut movement = s.receipt(0, q("1"));
            movement.occurred_at = Some(too_late());
            s.stocktake.stock().record(c, n.site, &[movement]).await
        };
        some "stock.set_reserved" |s, c, _n| async { s.stocktake.stock().set_reserved(c, &s.key(0), q("-1")).await };
        some "takes.create_list" |s, c, n| s.stocktake.stock_takes().create_list(c, NewStockTakeList {
            site: n.site,
            name: "Annual".parse().unwrap(),
            description: None,
            due_at: Some(too_late()),
            annual: false,
            movement_policy: MovementPolicy::default(),
        });
        some "takes.update" |s, c, n| s.stocktake.stock_takes().update(c, n.take, details());
        some "takes.amend" |s, c, n| s.stocktake.stock_takes().amend(c, n.take, StockTakeAmendment {
            due_at: Edit::Set(too_late()),
            ..StockTakeAmendment::default()
        });
        some "takes.add_articles, nothing" |s, c, n| async { s.stocktake.stock_takes().add_articles(c, n.take, &[]).await };
        some "takes.add_articles, too many" |s, c, n| async {
            let articles = vec!["SKU-0".parse().unwrap(); 1_001];
            s.stocktake.stock_takes().add_articles(c, n.take, &articles).await
        };
        some "takes.add_found_stock" |s, c, n| async {
            let article = "nobody's".parse().unwrap();
            let found = FoundStock { product: FoundProduct::Article(article), variant: NamePart::Any, place: NamePart::Any, batch: NamePart::Any, serial: NamePart::Any };
            s.stocktake.stock_takes().add_found_stock(c, n.take, &found).await
        };
        some "takes.count" |s, c, n| async {
            let item = StockTakeItemId::for_key(n.take, &s.key(0));
            s.stocktake.stock_takes().count(c, n.take, item, CountRequest::set(q("-1"))).await
        };
        some "takes.count_lines, nothing" |s, c, n| async { s.stocktake.stock_takes().count_lines(c, n.take, &[]).await };
        some "takes.count_lines, too many" |s, c, n| async {
            let item = StockTakeItemId::for_key(n.take, &s.key(0));
            let counts = vec![(item, CountRequest::set(q("1"))); 1_001];
            s.stocktake.stock_takes().count_lines(c, n.take, &counts).await
        };
        some "takes.inventory" |s, c, n| s.stocktake.stock_takes().inventory(c, n.take, InventoryRequest {
            article: ArticleName::of("SKU-0".parse().unwrap()),
            entered: Entered::Set(q("-1")),
            counted_at: None,
        });
        some "counts.count" |s, c, n| s.stocktake.inventory_counts().count(c, n.count, NewCountItem::of(ProductId::new(nothing()), q("3")));
        some "counts.count, below zero" |s, c, n| s.stocktake.inventory_counts().count(c, n.count, NewCountItem::of(n.product, q("-3")));
        all "counts.list" |s, c, n| async {
            let filter = InventoryCountFilter { from: Some(too_late()), ..InventoryCountFilter::default() };
            s.stocktake.inventory_counts().list(c, n.site, &filter, &stocktake::store::PageRequest::first(5)).await
        };
        all "counts.summary" |s, c, n| s.stocktake.inventory_counts().summary(c, n.site, Some(too_late()), None);
        some "adjustments.create" |s, c, n| s.stocktake.stock_adjustments().create(c, n.site, NewStockAdjustment::of(
            n.product, AdjustmentType::Found, q("0"), "why".parse().unwrap(),
        ));
        some "adjustments.create, a product that is not there" |s, c, n| s.stocktake.stock_adjustments().create(c, n.site, NewStockAdjustment::of(
            ProductId::new(nothing()), AdjustmentType::Found, q("1"), "why".parse().unwrap(),
        ));
        some "orders.create" |s, c, n| s.stocktake.inventory_orders().create(c, NewInventoryOrder {
            site: n.site, supplier: s.supplier.id, details: order_details(),
        });
        some "orders.update" |s, c, n| s.stocktake.inventory_orders().update(c, n.order, InventoryOrderUpdate {
            supplier: None, details: order_details(),
        });
        some "orders.amend" |s, c, n| s.stocktake.inventory_orders().amend(c, n.order, InventoryOrderAmendment {
            supplier: Some(SupplierId::new(nothing())),
            ..InventoryOrderAmendment::default()
        });
        some "orders.add_item" |s, c, n| s.stocktake.inventory_orders().add_item(c, n.order, line(n.product, "0"));
        some "orders.update_item" |s, c, n| s.stocktake.inventory_orders().update_item(c, n.order, n.order_item, OrderItemUpdate {
            quantity: Some(q("0")), unit_price_minor: None,
        });
        some "orders.receive, nothing" |s, c, n| s.stocktake.inventory_orders().receive(c, n.order, ReceiveRequest::of(Vec::new()));
        some "orders.receive, too much" |s, c, n| s.stocktake.inventory_orders().receive(c, n.order, ReceiveRequest::of(vec![
            ReceiptLine::of(n.order_item, q("900")),
        ]));
        all "exports.stock_take" |s, c, n| s.stocktake.exports().stock_take(c, n.take, StockTakeItemFilter::default(), ExportForm {
            format: ExportFormat::Pdf, ..ExportForm::default()
        });
        all "exports.stock_adjustments" |s, c, n| s.stocktake.exports().stock_adjustments(c, n.site, StockAdjustmentFilter {
            from: Some(too_late()), ..StockAdjustmentFilter::default()
        }, ExportForm::default());
        all "exports.stock_events" |s, c, n| s.stocktake.exports().stock_events(c, n.site, StockEventFilter {
            from: Some(too_late()), ..StockEventFilter::default()
        }, ExportForm::default());
    }
}

/// Who is told what of a wrong request: the code, of each who asks.
async fn told(shop: &Shop, names: &Names, row: &Row) -> [&'static str; 5] {
    let mut viewer = shop.manager.clone();
    viewer.role = Role::Viewer;
    let mut told = [""; 5];
    let callers = [
        Caller::nobody(),
        Caller::of(&shop.stranger),
        Caller::of(&shop.elsewhere),
        Caller::of(&viewer),
        Caller::of(&shop.manager),
    ];
    for (told, caller) in told.iter_mut().zip(callers) {
        let answer = (row.ask)(shop, &caller, names).await;
        *told = answer.expect_err(row.name).code();
    }
    told
}

#[tokio::test]
async fn fields_are_looked_at_last() {
    let shop = shop();
    let names = prepared(&shop, World::Busy).await;
    for row in rows() {
        let [nobody, stranger, elsewhere, viewer, manager] = told(&shop, &names, &row).await;
        let known = ["unauthenticated", "not_found", "forbidden"];
        assert_eq!(nobody, known[0], "{}", row.name);
        assert_eq!(stranger, known[1], "{}", row.name);
        assert_eq!(elsewhere, known[1], "{}", row.name);
        assert!(!known.contains(&manager), "{}: {manager}", row.name);
        let expected = if row.is_for_all { manager } else { known[2] };
        assert_eq!(viewer, expected, "{}", row.name);
    }
}

/// The catalogue's products are everybody's of the organisation, and an import names its sites in its body.
#[tokio::test]
async fn fields_of_what_is_of_no_site_are_looked_at_after_the_role() {
    let shop = shop();
    let _names = prepared(&shop, World::Calm).await;
    let mut viewer = shop.manager.clone();
    viewer.role = Role::Viewer;
    let (viewer, manager) = (Caller::of(&viewer), Caller::of(&shop.manager));
    let catalogue = shop.stocktake.catalogue();
    let imports = shop.stocktake.stock_imports();
    for (caller, products, import) in [
        (Caller::nobody(), "unauthenticated", "unauthenticated"),
        (viewer, "forbidden", "forbidden"),
        (manager, "nothing_asked", "malformed"),
    ] {
        let none: Vec<Product> = Vec::new();
        let refused = catalogue.put_products(&caller, none).await.unwrap_err();
        assert_eq!(refused.code(), products);
        let begun = imports.begin(&caller, ImportMode::Absolute, b"{", false);
        assert_eq!(begun.await.unwrap_err().code(), import);
    }
}
