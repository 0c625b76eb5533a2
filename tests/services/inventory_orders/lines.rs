//! S3.4: the lines, and what they come to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::certain::certain;
use proptest::prelude::*;
use stocktake::domain::{
    InventoryOrderId, InventoryOrderItem, InventoryOrderItemId, MAX_UNIT_PRICE_MINOR, Product,
    ProductId, Quantity,
};
use stocktake::service::{Caller, Error, ErrorKind, NewOrderItem, OrderItemUpdate};
use stocktake::store::{InventoryOrderItemFilter, PageRequest};
use stocktake::testing::{Shop, shop};
use uuid::Uuid;

use super::{add, draft, items, line, manager, opened, q};

#[tokio::test]
async fn s3_4_lines_are_filtered_by_brand_and_category() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let order = draft(&shop).await.id();
    for product in 0..6 {
        add(&shop, order, product).await;
    }
    let brand = |number: usize| shop.products[number].brand.as_ref().unwrap().id;
    let category = |number: usize| shop.products[number].category.as_ref().unwrap().id;
    let count = async |brands: &[usize], categories: &[usize]| {
        let filter = InventoryOrderItemFilter {
            brands: brands.iter().map(|it| brand(*it)).collect(),
            categories: categories.iter().map(|it| category(*it)).collect(),
        };
        let page = PageRequest::first(2).counted();
        let found = orders
            .items(&Caller::of(&shop.viewer), order, &filter, &page)
            .await
            .unwrap();
        assert!(found.items.len() <= 2);
        found.total.unwrap()
    };
    assert_eq!(count(&[], &[]).await, 6);
    assert_eq!(count(&[0], &[]).await, 3);
    assert_eq!(count(&[0, 1], &[1]).await, 3);
    assert_eq!(count(&[0], &[1]).await, 0);
    let numbers: Vec<u64> = items(&shop, order)
        .await
        .iter()
        .map(InventoryOrderItem::line)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn s3_4_quantities_are_whole_and_prices_within_their_range() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let order = draft(&shop).await.id();
    let try_line = async |quantity: &str, price: i64| {
        let new = line(&shop, 0, quantity, price);
        orders
            .add_item(&manager(&shop), order, new)
            .await
            .map_err(|error| {
                assert_eq!(error.kind(), ErrorKind::Invalid);
                error.code()
            })
    };
    for quantity in ["0", "-1", "1.5", "0.000001", "1000000001"] {
        assert_eq!(
            try_line(quantity, 1).await,
            Err("invalid_quantity"),
            "{quantity}"
        );
    }
    for price in [i64::MIN, -1, MAX_UNIT_PRICE_MINOR + 1, i64::MAX] {
        assert_eq!(
            try_line("1", price).await,
            Err("invalid_unit_price"),
            "{price}"
        );
    }
    assert_eq!(
        try_line("1000000000", MAX_UNIT_PRICE_MINOR).await,
        Err("out_of_range")
    );
    assert!(try_line("1", 0).await.is_ok());
    // The largest line that stock can become, and a second one, with which the subtotal is beyond 64 bits.
    let most = 9_000_000_i64;
    for _ in 0..2 {
        let line = try_line(&most.to_string(), MAX_UNIT_PRICE_MINOR).await;
        assert!(line.is_ok());
    }
    let more = try_line(&(most + 1).to_string(), MAX_UNIT_PRICE_MINOR).await;
    assert_eq!(more, Err("out_of_range"));
    let kept = orders.get(&manager(&shop), order).await.unwrap();
    let subtotal = 2 * i128::from(most) * i128::from(MAX_UNIT_PRICE_MINOR);
    assert_eq!(kept.subtotal_minor(), subtotal);
    assert_eq!(kept.item_count(), 3);
}

#[tokio::test]
async fn s3_4_only_products_of_the_orders_supplier_are_ordered() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let order = draft(&shop).await.id();
    let product = |number: u128, article: &str| {
        let id = ProductId::new(Uuid::from_u128(number));
        let (article, name) = (article.parse().unwrap(), article.parse().unwrap());
        Product::new(id, shop.site.organisation, article, name)
    };
    let unlinked = product(4_001, "UNLINKED");
    let mut service = product(4_002, "SERVICE");
    service.suppliers = shop.products[0].suppliers.clone();
    service.is_stock = false;
    let both = vec![unlinked.clone(), service.clone()];
    shop.stocktake
        .catalogue()
        .put_products(&manager(&shop), both)
        .await
        .unwrap();
    let mut told = BTreeSet::new();
    for id in [unlinked.id, ProductId::new(Uuid::from_u128(4_003))] {
        let new = NewOrderItem {
            product: id,
            ..line(&shop, 0, "1", 1)
        };
        let refused = orders
            .add_item(&manager(&shop), order, new)
            .await
            .unwrap_err();
        assert_eq!(
            (refused.kind(), refused.code()),
            (ErrorKind::Invalid, "not_of_supplier")
        );
        told.insert(refused.to_string());
    }
    assert_eq!(told.len(), 1);
    let new = NewOrderItem {
        product: service.id,
        ..line(&shop, 0, "1", 1)
    };
    let refused = orders
        .add_item(&manager(&shop), order, new)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "not_stocked");
}

#[tokio::test]
async fn s3_4_a_line_of_another_order_is_not_found() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let (one, other) = (draft(&shop).await.id(), draft(&shop).await.id());
    let item = add(&shop, one, 0).await.id();
    let nothing = OrderItemUpdate::default();
    let code = |error: Error| error.code();
    let update = orders
        .update_item(&manager(&shop), other, item, nothing)
        .await;
    assert_eq!(update.map_err(code), Err("not_found"));
    let delete = orders.delete_item(&manager(&shop), other, item).await;
    assert_eq!(delete.map_err(code), Err("not_found"));
    let read = orders.item(&manager(&shop), other, item).await;
    assert_eq!(read.map_err(code), Err("not_found"));
    let same = orders
        .update_item(&manager(&shop), one, item, nothing)
        .await
        .unwrap();
    assert_eq!(
        orders
            .item(&Caller::of(&shop.viewer), one, item)
            .await
            .unwrap(),
        same
    );
}

#[derive(Clone, Debug)]
enum Edit {
    Add(usize, u32, i64),
    Update(usize, Option<u32>, Option<i64>),
    Delete(usize),
    Submit,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let price = || {
        prop_oneof![
            0..5_000_i64,
            Just(MAX_UNIT_PRICE_MINOR),
            Just(i64::MAX),
            Just(-1)
        ]
    };
    let edit = prop_oneof![
        4 => (0..10_usize, 0..2_000_u32, price()).prop_map(|(p, n, c)| Edit::Add(p, n, c)),
        3 => (0..20_usize, prop::option::of(0..50_u32), prop::option::of(price()))
            .prop_map(|(i, n, c)| Edit::Update(i, n, c)),
        2 => (0..20_usize).prop_map(Edit::Delete),
        1 => Just(Edit::Submit),
    ];
    prop::collection::vec(edit, 1..40)
}

async fn apply(shop: &Shop, order: InventoryOrderId, edit: Edit) -> Result<(), Error> {
    let (orders, caller) = (shop.stocktake.inventory_orders(), manager(shop));
    let lines = items(shop, order).await;
    let pick = |number: usize| {
        let chosen = number.checked_rem(lines.len()).map(|it| lines[it].id());
        chosen.unwrap_or(InventoryOrderItemId::new(Uuid::nil()))
    };
    match edit {
        Edit::Add(product, quantity, price) => {
            let new = line(shop, product, &quantity.to_string(), price);
            orders.add_item(&caller, order, new).await.map(drop)
        }
        Edit::Update(number, quantity, price) => {
            let update = OrderItemUpdate {
                quantity: quantity.map(Quantity::from),
                unit_price_minor: price,
            };
            orders
                .update_item(&caller, order, pick(number), update)
                .await
                .map(drop)
        }
        Edit::Delete(number) => orders.delete_item(&caller, order, pick(number)).await,
        Edit::Submit => orders.submit(&caller, order).await.map(drop),
    }
}

proptest! {
    #![proptest_config(certain(64))]

    #[test]
    fn s3_4_subtotal_and_item_count_always_equal_the_lines(edits in edits()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let shop = shop();
            shop.open_empty().await.unwrap();
            let order = draft(&shop).await.id();
            for edit in edits {
                // Refused or not: the sums hold.
                drop(apply(&shop, order, edit).await);
                let header = shop.stocktake.inventory_orders().get(&manager(&shop), order).await.unwrap();
                let lines = items(&shop, order).await;
                let sum: i128 = lines
                    .iter()
                    .map(|it| i128::from(it.ordered().quantity.micros()) / 1_000_000 * i128::from(it.ordered().unit_price_minor))
                    .sum();
                prop_assert_eq!(header.subtotal_minor(), sum);
                prop_assert_eq!(header.item_count(), lines.len() as u64);
                prop_assert_eq!(header.items_added(), !lines.is_empty());
            }
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_4_lines_that_are_added_at_once_are_all_there() {
    let shop = Arc::new(opened().await);
    let order = draft(&shop).await.id();
    let tasks: Vec<_> = (0..20_usize)
        .map(|number| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let item = add(&shop, order, number % 10).await;
                let update = OrderItemUpdate {
                    quantity: Some(q("3")),
                    unit_price_minor: None,
                };
                let orders = shop.stocktake.inventory_orders();
                orders
                    .update_item(&manager(&shop), order, item.id(), update)
                    .await
                    .unwrap();
                if number % 2 == 0 {
                    orders
                        .delete_item(&manager(&shop), order, item.id())
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let header = shop
        .stocktake
        .inventory_orders()
        .get(&manager(&shop), order)
        .await
        .unwrap();
    let lines = items(&shop, order).await;
    assert_eq!((header.item_count(), header.subtotal_minor()), (10, 6_000));
    assert_eq!(
        lines
            .iter()
            .map(InventoryOrderItem::total_minor)
            .sum::<i64>(),
        6_000
    );
    let numbers: BTreeSet<u64> = lines.iter().map(InventoryOrderItem::line).collect();
    assert_eq!(numbers.len(), 10, "each has its own place");
}
