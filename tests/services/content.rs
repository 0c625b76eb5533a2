//! No answer holds what its reader may not see: every public operation of the tables of permissions is asked by every role that
//! may, in a shop beside which there are another site of its organisation and another organisation, both full of what is
//! told apart from its own by one word. Neither that word nor the id of the other site is in any answer, nor, for who is not
//! shown suppliers' addresses, an address.

use std::sync::Arc;

use stocktake::domain::{
    Actor, AdjustmentType, CountType, InventoryCountDetails, InventoryOrderDetails, JobId,
    MovementPolicy, Named, Ordered, OrganisationId, Product, ProductId, Quantity, Role,
    SerialScope, Site, SiteAccess, SiteId, StockKey, Supplier, SupplierId, Tracking,
};
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, Error, Movement, NewCountItem, NewInventoryOrder, NewMovement, NewOrderItem,
    NewStockAdjustment, NewStockTake,
};
use stocktake::store::{
    ExportForm, InventoryCountItemFilter, InventoryOrderItemFilter, LevelFilter,
    StockAdjustmentFilter, StockEventFilter, StockTakeItemFilter,
};
use stocktake::testing::Shop;
use uuid::Uuid;

use crate::bad_input::{World, operations};
use crate::document_permissions::{Names, World as Documents, prepared, rows};

/// What stands only where nobody of the shop may look.
const SECRET: &str = "SECRET";
/// The address of the shop's own supplier.
const ADDRESS: &str = "hidden@supplier.example";

fn q(units: u32) -> Quantity {
    Quantity::from(units)
}

/// A shop that does not show viewers the addresses of suppliers, on a store of its own.
fn shop() -> (Arc<MemoryStore>, Shop) {
    let store = Arc::new(MemoryStore::new());
    let mut shop = Shop::on(store.clone());
    shop.site.policy.mask_supplier_email = true;
    shop.site.policy.serials = SerialScope::Global;
    shop.supplier.email = Some(ADDRESS.parse().unwrap());
    (store, shop)
}

/// Where another site of the organisation is, and where the site of another organisation is.
const OTHERS: [u128; 2] = [0x5ec1, 0x5ec2];

/// Another site: who may do everything there, its supplier, and a key of it that has forty pieces. All of it says that it is
/// none of the shop's business.
async fn open_another(
    shop: &Shop,
    organisation: OrganisationId,
    id: u128,
) -> (Caller, Supplier, StockKey) {
    let library = &shop.stocktake;
    let boss = Actor {
        organisation,
        sites: SiteAccess::All,
        ..shop.manager.clone()
    };
    let boss = Caller::of(&boss);
    let site = Site {
        id: SiteId::new(Uuid::from_u128(id)),
        organisation,
        external_id: format!("{SECRET}-{id}").parse().unwrap(),
        name: format!("{SECRET} site").parse().unwrap(),
        ..shop.site.clone()
    };
    let supplier = Supplier {
        id: SupplierId::new(Uuid::from_u128(id)),
        organisation,
        site: site.id,
        name: format!("{SECRET} supplier").parse().unwrap(),
        ..shop.supplier.clone()
    };
    let is_foreign = organisation != shop.site.organisation;
    let number = if is_foreign { id } else { 0x5ec0 };
    let product = Product {
        id: ProductId::new(Uuid::from_u128(number)),
        organisation,
        article_id: format!("ONLY-{number}").parse().unwrap(),
        tracking: Tracking::Serial,
        suppliers: vec![Named {
            id: supplier.id,
            name: supplier.name.clone(),
        }],
        ..shop.products[0].clone()
    };
    let catalogue = library.catalogue();
    catalogue.put_site(&boss, site.clone()).await.unwrap();
    catalogue
        .put_supplier(&boss, supplier.clone())
        .await
        .unwrap();
    let sold = Product {
        id: ProductId::new(Uuid::from_u128(number + 0x100)),
        article_id: format!("SOLD-{number}").parse().unwrap(),
        tracking: Tracking::None,
        ..product.clone()
    };
    let products = vec![product.clone(), sold.clone()];
    catalogue.put_products(&boss, products).await.unwrap();
    let key = StockKey::plain(site.id, product.id)
        .at(format!("{SECRET}-PLACE").parse().unwrap())
        .with_serial("SN-1".parse().unwrap());
    let receipt = |key, quantity| NewMovement {
        reason: Some(format!("{SECRET} reason").parse().unwrap()),
        ..Movement::Receipt {
            key,
            quantity,
            unit_cost: None,
        }
        .into()
    };
    let place = format!("{SECRET}-PLACE").parse().unwrap();
    let many = StockKey::plain(site.id, sold.id).at(place);
    let movements = [receipt(key, Quantity::ONE), receipt(many.clone(), q(40))];
    library
        .stock()
        .record(&boss, site.id, &movements)
        .await
        .unwrap();
    (boss, supplier, many)
}

/// Fills another site with documents of every kind.
async fn fill(shop: &Shop, organisation: OrganisationId, id: u128) {
    let library = &shop.stocktake;
    let (boss, supplier, many) = open_another(shop, organisation, id).await;
    let (site, sold) = (supplier.site, many.product);
    let take = NewStockTake {
        site,
        description: format!("{SECRET} take").parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    library.stock_takes().create(&boss, take).await.unwrap();
    let details = InventoryCountDetails {
        name: format!("{SECRET} count").parse().unwrap(),
        kind: CountType::Full,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let counts = library.inventory_counts();
    let count = counts.start(&boss, site, details).await.unwrap().id();
    let line = NewCountItem::of(sold, q(7));
    counts.count(&boss, count, line).await.unwrap();
    let reason = format!("{SECRET} reason").parse().unwrap();
    let theft = NewStockAdjustment::of(many, AdjustmentType::Theft, "-1".parse().unwrap(), reason);
    let adjustments = library.stock_adjustments();
    adjustments.create(&boss, site, theft).await.unwrap();
    let new = NewInventoryOrder {
        site,
        supplier: supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: Some(format!("{SECRET}-PO").parse().unwrap()),
            supplier_email: None,
        },
    };
    let orders = library.inventory_orders();
    let order = orders.create(&boss, new).await.unwrap().id();
    let line = NewOrderItem {
        product: sold,
        variant: None,
        ordered: Ordered {
            quantity: q(3),
            unit_price_minor: 125,
        },
    };
    orders.add_item(&boss, order, line).await.unwrap();
    orders.submit(&boss, order).await.unwrap();
    let all = StockEventFilter::default();
    let exports = library.exports();
    exports
        .stock_events(&boss, site, all, ExportForm::default())
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
}

/// The other site and the other organisation.
async fn fill_others(shop: &Shop) {
    let organisations = [shop.site.organisation, shop.stranger.organisation];
    for (organisation, id) in organisations.into_iter().zip(OTHERS) {
        fill(shop, organisation, id).await;
    }
}

/// That an answer tells nothing that its reader may not see.
fn is_clean(who: &str, role: Role, answer: &Result<String, Error>) {
    let told = match answer {
        Ok(told) => told.clone(),
        Err(error) => format!("{error}: {error:?}"),
    };
    let others = OTHERS.map(|id| Uuid::from_u128(id).to_string());
    for secret in [SECRET, &others[0], &others[1]] {
        assert!(!told.contains(secret), "{who} {role:?}: {secret} in {told}");
    }
    if role == Role::Viewer {
        assert!(
            !told.contains(ADDRESS),
            "{who} {role:?}: an address in {told}"
        );
    }
}

fn caller(shop: &Shop, role: Role) -> Caller {
    Caller::of(&Actor {
        role,
        ..shop.manager.clone()
    })
}

#[tokio::test]
async fn no_answer_about_takes_stock_and_catalogue_holds_what_its_reader_may_not_see() {
    let mut shown = 0;
    for row in operations() {
        for role in Role::ALL {
            let (store, shop) = shop();
            let world = row.prepare.made(World::of(store, shop)).await;
            let names = world.names(row.prepare).await;
            fill_others(&world.shop).await;
            let by = caller(&world.shop, role);
            let answer = (row.ask)(&world, &by, &names).await;
            is_clean(row.name, role, &answer);
            shown += usize::from(answer.is_ok_and(|told| told.contains(ADDRESS)));
        }
    }
    assert!(shown > 0, "nobody is shown an address");
}

#[tokio::test]
async fn no_answer_about_documents_holds_what_its_reader_may_not_see() {
    let mut shown = 0;
    for row in rows() {
        for role in Role::ALL {
            let (_, shop) = shop();
            let names = prepared(&shop, row.world).await;
            fill_others(&shop).await;
            let answer = (row.ask)(&shop, &caller(&shop, role), &names).await;
            is_clean(row.name, role, &answer);
            shown += usize::from(answer.is_ok_and(|told| told.contains(ADDRESS)));
        }
    }
    assert!(shown > 0, "nobody is shown an address");
}

/// The files that a role may ask for.
async fn files(shop: &Shop, by: &Caller, names: &Names) -> Vec<JobId> {
    let (exports, form) = (shop.stocktake.exports(), ExportForm::default());
    let site = names.site;
    let take = exports.stock_take(by, names.take, StockTakeItemFilter::default(), form);
    let order = exports.inventory_order(by, names.order, InventoryOrderItemFilter::default(), form);
    let count = exports.inventory_count(by, names.count, InventoryCountItemFilter::default(), form);
    let adjusted = exports.stock_adjustments(by, site, StockAdjustmentFilter::default(), form);
    let levels = exports.stock_levels(by, site, LevelFilter::default(), form);
    let events = exports.stock_events(by, site, StockEventFilter::default(), form);
    let mut jobs = Vec::new();
    for asked in [take, order, count, adjusted, levels, events] {
        jobs.push(asked.await.unwrap());
    }
    shop.run_jobs().await.unwrap();
    jobs
}

#[tokio::test]
async fn no_file_holds_what_its_reader_may_not_see() {
    let (_, shop) = shop();
    let names = prepared(&shop, Documents::Busy).await;
    fill_others(&shop).await;
    for role in Role::ALL {
        let by = caller(&shop, role);
        for job in files(&shop, &by, &names).await {
            let file = shop.stocktake.exports().file(&by, job).await.unwrap();
            let text = String::from_utf8(file.bytes.unwrap()).unwrap();
            assert!(text.lines().count() > 1, "{role:?}: {text}");
            is_clean("a file", role, &Ok(text));
        }
    }
}

/// A serial number that another site has is refused, and where it is stays there.
#[tokio::test]
async fn a_serial_number_elsewhere_is_not_told_where() {
    let (_, shop) = shop();
    let _names = prepared(&shop, Documents::Calm).await;
    fill_others(&shop).await;
    let product = Product {
        id: ProductId::new(Uuid::from_u128(77)),
        article_id: "UNIT".parse().unwrap(),
        tracking: Tracking::Serial,
        ..shop.products[0].clone()
    };
    let by = caller(&shop, Role::Manager);
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&by, vec![product.clone()])
        .await
        .unwrap();
    let key = StockKey::plain(shop.site.id, product.id).with_serial("SN-1".parse().unwrap());
    let receipt = Movement::Receipt {
        key,
        quantity: Quantity::ONE,
        unit_cost: None,
    };
    let stock = shop.stocktake.stock();
    let refused = stock.record(&by, shop.site.id, &[receipt.into()]).await;
    let refused = refused.map(|events| format!("{events:?}"));
    assert_eq!(refused.as_ref().unwrap_err().code(), "serial_elsewhere");
    is_clean("a serial number", Role::Manager, &refused);
}
