//! Inventory orders through the service, row by row of S3. Each test is named by the row it shows.

mod headers;
mod lines;
mod receipts;
mod sending;

use stocktake::domain::{
    InventoryOrder, InventoryOrderDetails, InventoryOrderId, InventoryOrderItem, Ordered, Quantity,
    Site, SiteId, SitePolicy, Supplier, SupplierId,
};
use stocktake::service::{Caller, NewInventoryOrder, NewOrderItem};
use stocktake::store::{InventoryOrderItemFilter, PageRequest};
use stocktake::testing::{Shop, shop};
use uuid::Uuid;

pub(crate) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

pub(crate) async fn opened() -> Shop {
    let shop = shop();
    shop.open().await.unwrap();
    shop
}

pub(crate) fn numbered(number: Option<&str>) -> InventoryOrderDetails {
    InventoryOrderDetails {
        purchase_order_number: number.map(|number| number.parse().unwrap()),
        supplier_email: None,
    }
}

pub(crate) fn new_order(shop: &Shop, number: Option<&str>) -> NewInventoryOrder {
    NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: numbered(number),
    }
}

pub(crate) async fn draft(shop: &Shop) -> InventoryOrder {
    shop.stocktake
        .inventory_orders()
        .create(&manager(shop), new_order(shop, Some("PO123")))
        .await
        .unwrap()
}

pub(crate) fn line(shop: &Shop, product: usize, quantity: &str, price: i64) -> NewOrderItem {
    NewOrderItem {
        product: shop.products[product].id,
        variant: None,
        ordered: Ordered {
            quantity: q(quantity),
            unit_price_minor: price,
        },
    }
}

pub(crate) async fn add(
    shop: &Shop,
    order: InventoryOrderId,
    product: usize,
) -> InventoryOrderItem {
    shop.stocktake
        .inventory_orders()
        .add_item(&manager(shop), order, line(shop, product, "10", 200))
        .await
        .unwrap()
}

pub(crate) async fn items(shop: &Shop, order: InventoryOrderId) -> Vec<InventoryOrderItem> {
    let all = InventoryOrderItemFilter::default();
    shop.stocktake
        .inventory_orders()
        .items(&manager(shop), order, &all, &PageRequest::first(100))
        .await
        .unwrap()
        .items
}

/// Another site of the organisation with a supplier of its own, which only `elsewhere` sees.
pub(crate) async fn other_site(shop: &Shop) -> Supplier {
    let there = Caller::of(&shop.elsewhere);
    let site = Site {
        id: SiteId::new(Uuid::from_u128((2 << 96) | 2)),
        external_id: "store-2".parse().unwrap(),
        name: "Low Street".parse().unwrap(),
        policy: SitePolicy::default(),
        ..shop.site.clone()
    };
    let supplier = Supplier {
        id: SupplierId::new(Uuid::from_u128(77)),
        site: site.id,
        ..shop.supplier.clone()
    };
    let catalogue = shop.stocktake.catalogue();
    catalogue.put_site(&there, site).await.unwrap();
    catalogue
        .put_supplier(&there, supplier.clone())
        .await
        .unwrap();
    supplier
}
