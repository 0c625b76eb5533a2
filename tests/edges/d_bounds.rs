//! Sums that are larger than any of their lines: every number that is shown or summed has room for all permitted lines.

use proptest::prelude::{prop_assert_eq, proptest};
use stocktake::domain::{
    AdjustmentType, CompletionOptions, CountTotals, CountType, Currency, InventoryCountDetails,
    InventoryCountId, InventoryOrderDetails, MAX_UNIT_PRICE_MINOR, Money, MovementPolicy, Ordered,
    PostingOptions, Quantity, StockTakeId, StockTakeState, UnitCost, UnitCosts, Value, ValueSum,
    Variance,
};
use stocktake::service::{
    CountRequest, ErrorKind, Movement, NewCountItem, NewInventoryOrder, NewOrderItem,
    NewStockAdjustment, NewStockTake, StockChoice, StockName,
};
use stocktake::store::{
    ArticleSort, InventoryCountFilter, InventoryCountItemFilter, PageRequest, StockTakeItemFilter,
};
use stocktake::testing::Shop;

use crate::certain::certain;
use crate::shops::{manager, shop_on};
use crate::stores::{Kind, Store, Stores};

/// The most that can be counted.
const MOST: &str = "1000000000000";
/// At this cost that is worth 5 * 10^18 pence: two of them are more than 64 bits hold.
const COST: &str = "50000";
const EACH: i128 = 5_000_000_000_000_000_000;
const LINES: usize = 5;

/// A shop on a store, without stock, in which everything costs 50,000.
async fn dear_shop(store: &Store) -> Shop {
    let mut shop = shop_on(store);
    for product in &mut shop.products {
        product.unit_costs = UnitCosts::of(shop.site.currency, COST.parse().unwrap());
    }
    shop.open_empty().await.unwrap();
    shop
}

fn page() -> PageRequest {
    PageRequest::first(100)
}

fn receipt(shop: &Shop, number: usize, quantity: &str) -> Movement {
    Movement::Receipt {
        key: shop.key(number),
        quantity: quantity.parse().unwrap(),
        unit_cost: Some(COST.parse().unwrap()),
    }
}

/// Every level is one piece, so that a take has lines.
async fn stocked(shop: &Shop) {
    for number in 0..LINES {
        let movement = receipt(shop, number, "1");
        let stock = shop.stocktake.stock();
        stock
            .record(&manager(shop), shop.site.id, &[movement.into()])
            .await
            .unwrap();
    }
}

/// A take in which the most that can be is counted on each line.
async fn counted_take(shop: &Shop) -> StockTakeId {
    let takes = shop.stocktake.stock_takes();
    let new = NewStockTake {
        site: shop.site.id,
        description: "Large".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager(shop), new).await.unwrap().id();
    shop.run_jobs().await.unwrap();
    let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    let lines = takes
        .items(&manager(shop), take, &all, sort, &page())
        .await
        .unwrap();
    assert_eq!(lines.items.len(), LINES);
    for line in lines.items {
        let request = CountRequest::set(MOST.parse().unwrap());
        takes
            .count(&manager(shop), take, line.item.value.id, request)
            .await
            .unwrap();
    }
    take
}

/// What a line comes to: all but the piece that was there.
const fn variance_minor() -> i128 {
    EACH - 5_000_000
}

fn lines() -> i128 {
    i128::try_from(LINES).unwrap()
}

async fn started(shop: &Shop, name: &str) -> InventoryCountId {
    let details = InventoryCountDetails {
        name: name.parse().unwrap(),
        kind: CountType::Spot,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let counts = shop.stocktake.inventory_counts();
    let count = counts.start(&manager(shop), shop.site.id, details).await;
    count.unwrap().id()
}

async fn count_all(shop: &Shop, count: InventoryCountId, how_many: usize) {
    for number in 0..how_many {
        let new = NewCountItem::of(shop.products[number].id, MOST.parse().unwrap());
        let counts = shop.stocktake.inventory_counts();
        counts.count(&manager(shop), count, new).await.unwrap();
    }
}

const APPLY: CompletionOptions = CompletionOptions {
    apply_adjustments: true,
    skip_unpostable: false,
};

#[tokio::test]
async fn fault_d1_the_site_s_takes_can_be_read_however_much_was_counted() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = dear_shop(&store).await;
        stocked(&shop).await;
        let take = counted_take(&shop).await;
        let (takes, manager) = (shop.stocktake.stock_takes(), manager(&shop));
        let all = variance_minor() * lines();
        let read = takes.get(&manager, take).await.unwrap();
        assert_eq!(read.totals.adjustment_minor, all, "{}", kind.name());
        let listed = takes.list(&manager, shop.site.id, &[], &page()).await;
        assert_eq!(listed.unwrap().items[0].totals.adjustment_minor, all);
        let brand = shop.products[0].brand.as_ref().unwrap().id;
        let of_brand = StockTakeItemFilter {
            brands: [brand].into(),
            ..StockTakeItemFilter::default()
        };
        let even = i128::try_from(LINES.div_ceil(2)).unwrap();
        let totals = takes.totals(&manager, take, &of_brand).await.unwrap();
        assert_eq!(totals.adjustment_minor, variance_minor() * even);
    }
}

#[tokio::test]
async fn fault_d2_an_inventory_count_of_large_lines_has_a_way_out() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = dear_shop(&store).await;
        let (counts, manager) = (shop.stocktake.inventory_counts(), manager(&shop));
        let cancelled = started(&shop, "To be cancelled").await;
        count_all(&shop, cancelled, LINES).await;
        let read = counts.get(&manager, cancelled).await.unwrap();
        assert_eq!(read.totals.excess_minor(), EACH * lines());
        let cancelled = counts.cancel(&manager, cancelled).await.unwrap();
        assert_eq!(cancelled.totals.net_minor(), EACH * lines());
        let count = started(&shop, "To be completed").await;
        count_all(&shop, count, LINES).await;
        let items = InventoryCountItemFilter::default();
        let items = counts
            .items(&manager, count, &items, &page())
            .await
            .unwrap();
        assert_eq!(items.items.len(), LINES);
        let done = counts.complete(&manager, count, APPLY, None).await.unwrap();
        assert_eq!(done.totals.excess_minor(), EACH * lines());
        let listed = counts
            .list(
                &manager,
                shop.site.id,
                &InventoryCountFilter::default(),
                &page(),
            )
            .await
            .unwrap();
        assert_eq!(listed.items.len(), 2, "{}", kind.name());
        for number in 0..LINES {
            let on_hand = shop.on_hand(&shop.key(number)).await.unwrap();
            assert_eq!(on_hand.to_string(), MOST);
        }
    }
}

#[tokio::test]
async fn fault_d3_what_is_posted_can_always_be_tallied() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = dear_shop(&store).await;
        stocked(&shop).await;
        let take = counted_take(&shop).await;
        let (takes, manager) = (shop.stocktake.stock_takes(), manager(&shop));
        let done = takes
            .submit(&manager, take, PostingOptions::default())
            .await
            .unwrap();
        assert_eq!(done.state(), StockTakeState::Finished, "{}", kind.name());
        let result = done.result().unwrap();
        assert_eq!(result.adjusted, u64::try_from(LINES).unwrap());
        assert_eq!(result.adjustment_minor, variance_minor() * lines());
        // 5 * 10^16 a line: all of them are beyond what one level may be worth.
        let worth = "250000000000000000";
        assert_eq!(result.fifo_value.to_string(), worth);
        assert_eq!(result.standard_value.to_string(), worth);
        assert_eq!(result.accounts["1460"].to_string(), worth);
        let read = takes.get(&manager, take).await.unwrap();
        assert_eq!(read.take.result(), Some(result));
        let sound = shop.stocktake.stock().verify(&manager, shop.site.id).await;
        assert!(sound.unwrap().is_sound());
        let reopened = takes.reopen(&manager, take, None).await.unwrap();
        assert_eq!(reopened.state(), StockTakeState::Ongoing);
        assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), Quantity::ONE);
    }
}

#[tokio::test]
async fn fault_d4_a_period_of_counts_that_are_in_range_is_in_range() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = dear_shop(&store).await;
        let (counts, manager) = (shop.stocktake.inventory_counts(), manager(&shop));
        for name in ["First", "Second", "Third"] {
            let count = started(&shop, name).await;
            count_all(&shop, count, 1).await;
            let options = CompletionOptions::default();
            counts
                .complete(&manager, count, options, None)
                .await
                .unwrap();
        }
        let all = counts
            .summary(&manager, shop.site.id, None, None)
            .await
            .unwrap();
        assert_eq!((all.counts, all.totals.items()), (3, 3), "{}", kind.name());
        assert_eq!(all.totals.excess_minor(), 3 * EACH);
        assert_eq!(all.totals.net_minor(), 3 * EACH);
    }
}

#[tokio::test]
async fn fault_d_what_a_line_cannot_hold_is_refused_where_it_enters() {
    let store = Stores::of(Kind::Memory).fresh().await;
    let shop = dear_shop(&store).await;
    let manager = manager(&shop);
    let too_dear: UnitCost = "100001".parse().unwrap();
    let most: Quantity = MOST.parse().unwrap();
    let (stock, key) = (shop.stocktake.stock(), shop.key(0));
    let receipt = Movement::Receipt {
        key: key.clone(),
        quantity: most,
        unit_cost: Some(too_dear),
    };
    let refused = stock
        .record(&manager, shop.site.id, &[receipt.into()])
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    let new = NewStockAdjustment {
        stock: StockChoice::Named(StockName::of(shop.products[0].id)),
        kind: AdjustmentType::Found,
        change: most,
        reason: "Found".parse().unwrap(),
        notes: None,
        reference: None,
        unit_cost: Some(too_dear),
    };
    let adjustments = shop.stocktake.stock_adjustments();
    let refused = adjustments
        .create(&manager, shop.site.id, new)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let found = stock
        .levels(&manager, shop.site.id, None, None, &page())
        .await
        .unwrap();
    assert!(found.items.is_empty(), "nothing was left half done");
}

#[tokio::test]
async fn fault_d_a_part_of_the_largest_stock_can_leave() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = dear_shop(&store).await;
        let (stock, manager, key) = (shop.stocktake.stock(), manager(&shop), shop.key(0));
        let arrival = receipt(&shop, 0, MOST);
        let issue = |quantity: &str| Movement::Issue {
            key: key.clone(),
            quantity: quantity.parse().unwrap(),
        };
        stock
            .record(&manager, shop.site.id, &[arrival.into()])
            .await
            .unwrap();
        for quantity in ["333333333333.333333", "0.000001", "666666666666.666666"] {
            stock
                .record(&manager, shop.site.id, &[issue(quantity).into()])
                .await
                .unwrap();
        }
        let left = stock.level(&manager, &key).await.unwrap();
        assert!(left.quantity().is_zero() && left.valuation().value().is_zero());
        let sound = stock.verify(&manager, shop.site.id).await.unwrap();
        assert!(sound.is_sound(), "{}", kind.name());
    }
}

#[tokio::test]
async fn fault_d_the_subtotal_of_permitted_lines_fits() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = dear_shop(&store).await;
        let (orders, manager) = (shop.stocktake.inventory_orders(), manager(&shop));
        let new = NewInventoryOrder {
            site: shop.site.id,
            supplier: shop.supplier.id,
            details: InventoryOrderDetails {
                purchase_order_number: None,
                supplier_email: None,
            },
        };
        let order = orders.create(&manager, new).await.unwrap().id();
        let ordered = Ordered {
            quantity: 9_000_000_u32.into(),
            unit_price_minor: MAX_UNIT_PRICE_MINOR,
        };
        for number in 0..3 {
            let new = NewOrderItem {
                product: shop.products[number].id,
                variant: None,
                ordered,
            };
            orders.add_item(&manager, order, new).await.unwrap();
        }
        let read = orders.get(&manager, order).await.unwrap();
        assert_eq!(read.subtotal_minor(), 27_000_000_000_000_000_000);
        assert_eq!(read.item_count(), 3, "{}", kind.name());
    }
}

/// What a line may be at its corners: the largest and the smallest quantity, cost and value.
const CORNERS: [(&str, &str); 8] = [
    ("1000000000000", "92000"),
    ("-1000000000000", "92000"),
    ("1000000000000", "0.000001"),
    ("0.000001", "1000000000000"),
    ("-0.000001", "0.000001"),
    ("92000", "1000000000000"),
    ("-92000", "999999999999.999999"),
    ("0.5", "0.01"),
];

#[test]
fn fault_d_every_sum_of_permitted_lines_fits_at_the_corners() {
    // As many lines as nobody will ever count.
    let many = 1_000_000_i128;
    for currency in ["jpy", "gbp", "kwd", "clf"] {
        let currency: Currency = currency.parse().unwrap();
        for (quantity, cost) in CORNERS {
            let (quantity, cost) = (quantity.parse::<Quantity>(), cost.parse::<UnitCost>());
            let (quantity, cost) = (quantity.unwrap(), cost.unwrap());
            let Ok(one) = Variance::of(Quantity::ZERO, quantity, Some(cost), currency) else {
                // Beyond what a line may be: pounds fit, what has more digits does not.
                assert!(currency.minor_digits() > 2);
                continue;
            };
            let (mut sum, mut worth) = (
                CountTotals::default().with(&one),
                ValueSum::from(one.value()),
            );
            // Twenty doublings: a million lines and more.
            for _ in 0..20 {
                sum = sum.and(sum);
                worth = worth.plus(worth);
            }
            let lines = 1_i128 << 20;
            assert!(lines > many);
            assert_eq!(sum.net_minor(), i128::from(one.minor()) * lines);
            let exact = worth.to_money(currency).minor();
            let rounding = exact - i128::from(one.minor()) * lines;
            assert!(rounding.abs() <= lines / 2, "{rounding}");
            let back: ValueSum = worth.to_string().parse().unwrap();
            assert_eq!(back, worth);
        }
    }
}

proptest! {
    #![proptest_config(certain(256))]

    /// A sum of values is the sum of their units, and its amount that of one division.
    #[test]
    fn sums_of_values_are_exact(values in proptest::collection::vec(-1_000_000_000_000_000_000_i64..1_000_000_000_000_000_000, 1..20)) {
        let currency: Currency = "gbp".parse().unwrap();
        // Units of 10^-8: 10^10 of them are the most that a value is made of here.
        let decimal = |units: i64| rust_decimal::Decimal::new(units, 8);
        let sum: ValueSum = values.iter().map(|units| Value::from_decimal(decimal(*units)).unwrap()).sum();
        let units: i128 = values.iter().map(|units| i128::from(*units)).sum();
        let half_away = (2 * units.abs() + 1_000_000) / 2_000_000 * units.signum();
        prop_assert_eq!(sum.to_money(currency), Money::new(half_away, currency));
        let back = values.iter().fold(sum, |rest, units| rest.minus(Value::from_decimal(decimal(*units)).unwrap()));
        prop_assert_eq!(back, ValueSum::ZERO);
    }

    /// A share is what one exact division gives, also where the value times the part is beyond all types.
    #[test]
    fn shares_are_exact(value in 0_i64..10_000_000_000_000_000, part in 1_i64..1_000_000_000_000_000_000, more in 0_i64..1_000_000_000_000_000_000) {
        let currency: Currency = "jpy".parse().unwrap();
        let whole = part.saturating_add(more).min(1_000_000_000_000_000_000);
        let quantity = |micros| Quantity::from_micros(micros).unwrap();
        let share = Value::from_decimal(value.into()).unwrap().share(quantity(part), quantity(whole), currency).unwrap();
        // In millionths, as they are kept for yen; with 256 bits it would be one line.
        let rest = Value::from_decimal(value.into()).unwrap().checked_sub(share).unwrap();
        let other = Value::from_decimal(value.into()).unwrap().share(quantity(whole - part), quantity(whole), currency);
        let other = if whole == part { Value::ZERO } else { other.unwrap() };
        let apart = rest.checked_sub(other).unwrap().abs();
        prop_assert_eq!(apart <= "0.000001".parse().unwrap(), true);
    }
}
