//! Controls: what a manager must look at can't be made small by saying so, or by halves.

use std::sync::Arc;

use crate::certain::certain;
use proptest::prelude::*;
use stocktake::domain::StockAdjustmentState::{Applied, Pending};
use stocktake::domain::{
    AdjustmentCost, AdjustmentRequest, AdjustmentType, ApprovalPolicy, DailyLimit, Quantity,
    StockAdjustment, StockAdjustmentId, StockAdjustmentState, StockKey, Timestamp, Unapproved,
    UnitCost, Value,
};
use stocktake::service::{Caller, Error, Movement, NewStockAdjustment};
use stocktake::store::StockAdjustmentFilter;
use stocktake::testing::Shop;
use uuid::Uuid;

use super::shops::{all, manager, shop_on};
use super::stores::{Kind, Store, Stores};

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn new(
    key: StockKey,
    kind: AdjustmentType,
    change: &str,
    stated: Option<&str>,
) -> NewStockAdjustment {
    NewStockAdjustment {
        unit_cost: stated.map(|cost| cost.parse().unwrap()),
        ..NewStockAdjustment::of(key, kind, q(change), "as told".parse().unwrap())
    }
}

async fn create(shop: &Shop, new: NewStockAdjustment) -> Result<StockAdjustment, Error> {
    let adjustments = shop.stocktake.stock_adjustments();
    let counter = Caller::of(&shop.counter);
    adjustments.create(&counter, shop.site.id, new).await
}

/// A shop whose product 0 costs 1,000 apiece: 100 of them; and the same of product 1, at 10 and 990.
async fn dear(store: &Store) -> Shop {
    let shop = shop_on(store);
    shop.open_empty().await.unwrap();
    let receipt = |number: usize, quantity: u32, cost: &str| {
        let (key, unit_cost) = (shop.key(number), Some(cost.parse().unwrap()));
        let quantity = quantity.into();
        Movement::Receipt {
            key,
            quantity,
            unit_cost,
        }
        .into()
    };
    let receipts = [
        receipt(0, 100, "1000"),
        receipt(1, 1, "990"),
        receipt(1, 99, "10"),
    ];
    let stock = shop.stocktake.stock();
    stock
        .record(&manager(&shop), shop.site.id, &receipts)
        .await
        .unwrap();
    shop
}

#[tokio::test]
async fn fault_h1_a_stated_cost_makes_no_adjustment_smaller() {
    use AdjustmentType::{Correction, Damage, Found, Return};
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = dear(&store).await;
        let cases = [
            (0, Damage, "-40", Some("0.01"), true),
            (0, Found, "40", Some("0.01"), true),
            (0, Return, "1", Some("0.01"), true),
            // The oldest goes first: it is worth more than the average, and no less.
            (1, Correction, "-1", None, true),
            (1, Correction, "-1", Some("19"), true),
            // More than the book says, if that is what is stated.
            (2, Found, "2", Some("250"), false),
            (2, Found, "2", Some("250.01"), true),
        ];
        for (number, kind_of, change, stated, waits) in cases {
            let asked = new(shop.key(number), kind_of, change, stated);
            let made = create(&shop, asked).await.unwrap();
            let waiting = made.state() == StockAdjustmentState::Pending;
            assert_eq!(waiting, waits, "{kind:?}: {kind_of} {change} at {stated:?}");
        }
        let impact = create(&shop, new(shop.key(0), Damage, "-40", Some("0.01"))).await;
        assert_eq!(impact.unwrap().cost_impact().to_string(), "-40000");
        assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("100"));
    }
}

#[tokio::test]
async fn fault_h1_without_a_known_cost_it_needs_approval() {
    let stores = Stores::of(Kind::Memory);
    let mut shop = shop_on(&stores.fresh().await);
    shop.products[3].unit_costs = stocktake::domain::UnitCosts::default();
    shop.site.policy.allow_zero_cost = true;
    shop.site.policy.allow_negative = true;
    shop.open_empty().await.unwrap();
    for stated in [None, Some("0.01")] {
        let asked = new(shop.key(3), AdjustmentType::Damage, "-1", stated);
        let made = create(&shop, asked).await.unwrap();
        assert!(made.requires_approval(), "{stated:?}");
        assert_eq!(made.state(), StockAdjustmentState::Pending);
    }
}

#[tokio::test]
async fn s2_9_losses_go_out_and_finds_come_in() {
    let stores = Stores::of(Kind::Memory);
    let shop = shop_on(&stores.fresh().await);
    shop.open().await.unwrap();
    for kind in AdjustmentType::ALL {
        use AdjustmentType::{Correction, Damage, Expired, Found, Return, Theft};
        let (up, down) = match kind {
            Damage | Theft | Expired => (false, true),
            Found => (true, false),
            Correction | Return => (true, true),
        };
        for (change, allowed) in [("1", up), ("-1", down)] {
            let made = create(&shop, new(shop.key(0), *kind, change, None)).await;
            let refused = made
                .map(drop)
                .map_err(|error| (error.code(), error.to_string()));
            match refused {
                Ok(()) => assert!(allowed, "{kind} {change}"),
                Err((code, told)) => {
                    assert!(!allowed, "{kind} {change}: {told}");
                    assert_eq!(code, "wrong_direction");
                    assert!(told.contains("change: "), "{told}");
                }
            }
        }
    }
}

/// A shop with a limit, and plenty of product 0 at a cost of 10, at a few places.
async fn limited(store: &Store, daily: DailyLimit) -> Shop {
    let mut shop = shop_on(store);
    shop.site.policy.approval.daily = daily;
    shop.open_empty().await.unwrap();
    let receipts: Vec<_> = places(&shop)
        .map(|key| {
            let unit_cost = Some("10".parse().unwrap());
            let quantity = q("1000");
            Movement::Receipt {
                key,
                quantity,
                unit_cost,
            }
            .into()
        })
        .collect();
    let stock = shop.stocktake.stock();
    stock
        .record(&manager(&shop), shop.site.id, &receipts)
        .await
        .unwrap();
    shop
}

fn places(shop: &Shop) -> impl Iterator<Item = StockKey> {
    let key = shop.key(0);
    (0..10).map(move |place| key.clone().at(format!("A-{place}").parse().unwrap()))
}

fn by_quantity(most: &str) -> DailyLimit {
    DailyLimit {
        quantity: Some(q(most)),
        value: None,
    }
}

async fn applied(shop: &Shop) -> usize {
    let filter = StockAdjustmentFilter {
        states: [StockAdjustmentState::Applied].into(),
        ..StockAdjustmentFilter::default()
    };
    let (by, page) = (manager(shop), all());
    let adjustments = shop.stocktake.stock_adjustments();
    let found = adjustments.list(&by, shop.site.id, &filter, &page).await;
    found.unwrap().items.len()
}

#[tokio::test]
async fn fault_h2_ten_halves_do_not_pass_the_daily_limit() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let by_value = DailyLimit {
            quantity: None,
            value: Some("1000".parse().unwrap()),
        };
        for (daily, passed) in [
            (DailyLimit::default(), 10),
            (by_quantity("100"), 2),
            (by_value, 2),
            (by_quantity("149.999999"), 2),
        ] {
            let store = if daily.is_set() {
                &stores.fresh().await
            } else {
                &store
            };
            let shop = limited(store, daily).await;
            for key in places(&shop) {
                let asked = new(key, AdjustmentType::Damage, "-50", None);
                create(&shop, asked).await.unwrap();
            }
            assert_eq!(applied(&shop).await, passed, "{kind:?} {daily:?}");
        }
    }
}

#[tokio::test]
async fn fault_h2_the_limit_is_of_a_person_a_product_and_a_day() {
    let stores = Stores::of(Kind::Memory);
    let shop = limited(&stores.fresh().await, by_quantity("100")).await;
    let first = places(&shop).next().unwrap();
    let asked = |change: &str| new(first.clone(), AdjustmentType::Correction, change, None);
    let state = async |change: &str| create(&shop, asked(change)).await.unwrap().state();
    assert_eq!(state("-50").await, Applied);
    // In and out are no way around it.
    assert_eq!(state("49").await, Applied);
    assert_eq!(state("-2").await, Pending);
    // What waits does not count.
    assert_eq!(state("-1").await, Applied);
    assert_eq!(state("0.000001").await, Pending);
    // Another product, another person, another day.
    let other = new(shop.key(1), AdjustmentType::Found, "50", None);
    assert_eq!(create(&shop, other).await.unwrap().state(), Applied);
    let adjustments = shop.stocktake.stock_adjustments();
    let by = manager(&shop);
    let own = adjustments.create(&by, shop.site.id, asked("-50")).await;
    assert_eq!(own.unwrap().state(), Applied);
    let (_, tomorrow) = shop.now().day();
    let left = tomorrow.unwrap().micros() - shop.now().micros();
    shop.clock.advance_micros(left - 1);
    assert_eq!(state("-1").await, Pending);
    shop.clock.advance_micros(1);
    assert_eq!(state("-50").await, Applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_h2_ten_at_once_do_not_pass_it_either() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = Arc::new(limited(&store, by_quantity("100")).await);
        let asked = places(&shop).map(|key| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move {
                create(&shop, new(key, AdjustmentType::Damage, "-50", None)).await
            })
        });
        for asked in asked.collect::<Vec<_>>() {
            asked.await.unwrap().unwrap();
        }
        assert_eq!(applied(&shop).await, 2, "{kind:?}");
    }
}

fn costs() -> impl Strategy<Value = Option<UnitCost>> {
    proptest::option::of(
        (0_i64..2_000_000_000).prop_map(|micros| {
            UnitCost::from_decimal(rust_decimal::Decimal::new(micros, 6)).unwrap()
        }),
    )
}

proptest! {
    #![proptest_config(certain(256))]

    /// Whatever is stated, an adjustment that needs approval by the book needs it still.
    #[test]
    fn stating_a_cost_never_frees_from_an_approval(
        stated in costs(),
        book in costs(),
        change in -100_i64..100,
    ) {
        prop_assume!(change != 0);
        let shop = stocktake::testing::shop();
        let judged = |stated| {
            let request = AdjustmentRequest {
                key: shop.key(0),
                kind: AdjustmentType::Correction,
                change: Quantity::from_decimal(change.into()).unwrap(),
                reason: "as told".parse().unwrap(),
                notes: None,
                reference: None,
                cost: AdjustmentCost { stated, book, change: None },
                unapproved: Unapproved::default(),
            };
            let id = StockAdjustmentId::new(Uuid::from_u128(1));
            let stamp = stocktake::domain::Stamp { actor: shop.counter.clone(), at: shop.now() };
            StockAdjustment::request(id, &shop.site, request, &ApprovalPolicy::default(), &stamp).unwrap()
        };
        let (by_book, with_stated) = (judged(None), judged(stated));
        prop_assert!(with_stated.cost_impact().abs() >= by_book.cost_impact().abs());
        if book.is_some() || change < 0 {
            prop_assert!(with_stated.requires_approval() >= by_book.requires_approval());
        }
    }

    /// Every moment is on exactly one day, which is as long as a day.
    #[test]
    fn a_moment_is_on_its_day(micros in -62_000_000_000_000_000_i64..100_000_000_000_000_000) {
        let at = Timestamp::from_micros(micros).unwrap();
        let (from, to) = at.day();
        let to = to.unwrap();
        prop_assert!(from <= at && at < to);
        prop_assert_eq!(to.micros() - from.micros(), 86_400_000_000);
        prop_assert_eq!(from.day().0, from);
        prop_assert_eq!(to.day().0, to);
    }
}

#[test]
fn a_daily_limit_is_what_still_passes() {
    let limit = by_quantity("10");
    let sum = Unapproved::default().and(q("-10"), Value::ZERO).unwrap();
    assert!(!limit.is_passed_by(sum));
    assert!(limit.is_passed_by(sum.and(q("0.000001"), Value::ZERO).unwrap()));
    assert!(!DailyLimit::default().is_passed_by(sum));
}
