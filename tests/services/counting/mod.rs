//! A count in the ready-made shop, for tests of inventory counts.
#![allow(
    dead_code,
    reason = "compiled into each test, and each uses its own part"
)]

use stocktake::domain::{
    CompletionOptions, CountType, InventoryCount, InventoryCountDetails, InventoryCountItem,
    MovementPolicy, Product, ProductId, Quantity, StockKey, Timestamp, Tracking,
};
use stocktake::service::{
    Caller, Error, InventoryCountSummary, Movement, NewCountItem, NewMovement,
};
use stocktake::store::{IdempotencyKey, InventoryCountItemFilter, PageRequest};
use stocktake::testing::{Shop, shop};
use uuid::Uuid;

pub(crate) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

pub(crate) fn counter(shop: &Shop) -> Caller {
    Caller::of(&shop.counter)
}

pub(crate) fn keyed(caller: Caller, key: &str) -> Caller {
    caller.with_key(IdempotencyKey::new(key).unwrap())
}

pub(crate) async fn opened() -> Shop {
    let shop = shop();
    shop.open().await.unwrap();
    shop
}

pub(crate) fn named(name: &str) -> InventoryCountDetails {
    InventoryCountDetails {
        name: name.parse().unwrap(),
        kind: CountType::Cycle,
        notes: None,
        movement_policy: MovementPolicy::default(),
    }
}

pub(crate) async fn started(shop: &Shop) -> InventoryCount {
    let counts = shop.stocktake.inventory_counts();
    let site = shop.site.id;
    counts
        .start(&manager(shop), site, named("January"))
        .await
        .unwrap()
}

pub(crate) fn found(shop: &Shop, number: usize, quantity: &str) -> NewCountItem {
    NewCountItem::of(shop.products[number].id, q(quantity))
}

pub(crate) async fn count(
    shop: &Shop,
    on: &InventoryCount,
    number: usize,
    quantity: &str,
) -> InventoryCountItem {
    let counts = shop.stocktake.inventory_counts();
    // Lines are listed in the order of their first counts.
    shop.clock.advance_micros(1);
    counts
        .count(&counter(shop), on.id(), found(shop, number, quantity))
        .await
        .unwrap()
}

pub(crate) async fn record(shop: &Shop, movement: impl Into<NewMovement>) {
    shop.stocktake
        .stock()
        .record(&manager(shop), shop.site.id, &[movement.into()])
        .await
        .unwrap();
}

pub(crate) fn sale(shop: &Shop, number: usize, quantity: &str) -> Movement {
    Movement::Issue {
        key: shop.key(number),
        quantity: q(quantity),
    }
}

pub(crate) const APPLY: CompletionOptions = CompletionOptions {
    apply_adjustments: true,
    skip_unpostable: false,
};
pub(crate) const KEEP: CompletionOptions = CompletionOptions {
    apply_adjustments: false,
    skip_unpostable: false,
};

pub(crate) async fn complete(
    shop: &Shop,
    on: &InventoryCount,
    options: CompletionOptions,
) -> Result<InventoryCountSummary, Error> {
    let counts = shop.stocktake.inventory_counts();
    counts
        .complete(&manager(shop), on.id(), options, None)
        .await
}

pub(crate) async fn items(
    shop: &Shop,
    on: &InventoryCount,
    filter: InventoryCountItemFilter,
) -> Vec<InventoryCountItem> {
    let page = PageRequest::first(10_000);
    let counts = shop.stocktake.inventory_counts();
    counts
        .items(&manager(shop), on.id(), &filter, &page)
        .await
        .unwrap()
        .items
}

pub(crate) async fn all_items(shop: &Shop, on: &InventoryCount) -> Vec<InventoryCountItem> {
    items(shop, on, InventoryCountItemFilter::default()).await
}

pub(crate) async fn assert_sound(shop: &Shop) {
    let verified = shop
        .stocktake
        .stock()
        .verify(&manager(shop), shop.site.id)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap()
        .into()
}

/// A product with a unit cost, of which there is nothing.
pub(crate) async fn add_product(
    shop: &Shop,
    number: u128,
    unit_cost: &str,
    tracking: Tracking,
) -> ProductId {
    let id = ProductId::new(Uuid::from_u128(1_000 + number));
    let article = format!("EXTRA-{number}").parse().unwrap();
    let name = format!("Extra {number}").parse().unwrap();
    let product = Product {
        unit_costs: stocktake::domain::UnitCosts::of(
            "gbp".parse().unwrap(),
            unit_cost.parse().unwrap(),
        ),
        tracking,
        ..Product::new(id, shop.site.organisation, article, name)
    };
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&manager(shop), vec![product])
        .await
        .unwrap();
    id
}

pub(crate) fn receipt(key: &StockKey, quantity: &str) -> Movement {
    Movement::Receipt {
        key: key.clone(),
        quantity: q(quantity),
        unit_cost: None,
    }
}
