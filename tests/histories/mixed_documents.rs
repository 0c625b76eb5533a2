//! Random sequences that mix all five machines (takes, counts, adjustments, orders, imports) with movements, over
//! one ledger. After each step (on a server, after each few) the ledger must agree with every level, value and cost
//! layer, no level may be below zero, and the documents must agree with themselves.
//!
//! `STOCKTAKE_TEST_DOCUMENT_STEPS` tells how many steps there are in all; a failing seed is printed.

#![allow(
    clippy::too_many_lines,
    clippy::similar_names,
    reason = "one `match` over what may happen, in the words of what happens"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use stocktake::domain::{
    AdjustmentType, CompletionOptions, CountType, ImportMode, InventoryCountDetails,
    InventoryCountId, InventoryCountState, InventoryOrderDetails, InventoryOrderId,
    InventoryOrderState, MovementPolicy, Ordered, PostingOptions, Quantity, StockAdjustmentState,
    StockTakeId, StockTakeState,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewCountItem, NewInventoryOrder, NewMovement,
    NewOrderItem, NewStockAdjustment, NewStockTake, ReceiptLine, ReceiveRequest, Stocktake,
};
use stocktake::store::{
    ArticleSort, InventoryCountFilter, InventoryOrderFilter, InventoryOrderItemFilter, PageRequest,
    StockAdjustmentFilter, StockTakeItemFilter,
};
use stocktake::testing::{ManualClock, SequentialIds, Shop};

use crate::stores::{Kind, Stores};

/// Steps of one sequence.
const STEPS: u64 = 250;
/// Steps of a plain `cargo test` in all, in memory.
const ALL_STEPS: u64 = 5_000;
/// Of so many steps, each kind goes through once at least.
const OFTEN: u64 = 1_000;
/// In a file and on a server, where each look is a hundred questions.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
const STEPS_ON_DISK: u64 = 750;
/// On a server, after so many of them everything is looked at: each question is a round trip.
#[cfg(feature = "postgres")]
const LOOK_ON_A_SERVER: u64 = 5;

/// Splitmix64: the same sequence for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// A quantity from nothing to 60, sometimes with a fraction.
    fn quantity(&mut self) -> Quantity {
        let micros = i64::try_from(self.below(60)).unwrap() * 1_000_000;
        let fraction = if self.below(4) == 0 { 250_001 } else { 0 };
        Quantity::from_micros(micros + fraction).unwrap()
    }
}

/// The documents that a step may be about.
#[derive(Default)]
struct Documents {
    takes: Vec<StockTakeId>,
    counts: Vec<InventoryCountId>,
    orders: Vec<InventoryOrderId>,
}

fn page() -> PageRequest {
    PageRequest::first(1_000)
}

async fn step(
    shop: &Shop,
    random: &mut Random,
    known: &mut Documents,
) -> (&'static str, Result<(), Error>) {
    let library = &shop.stocktake;
    let (manager, counter) = (Caller::of(&shop.manager), Caller::of(&shop.counter));
    let product = random.below(shop.products.len());
    let key = shop.key(product);
    let quantity = random.quantity();
    let take = known.takes.get(random.below(known.takes.len())).copied();
    let count = known.counts.get(random.below(known.counts.len())).copied();
    let order = known
        .orders
        .iter()
        .rev()
        .take(2)
        .nth(random.below(2))
        .copied();
    let what = random.below(20);
    shop.clock
        .advance_seconds(i64::try_from(random.below(120)).unwrap() - 10);
    match (what, take, count, order) {
        (0 | 1, ..) => {
            let movement = if random.below(2) == 0 {
                Movement::Receipt {
                    key,
                    quantity,
                    unit_cost: None,
                }
            } else {
                Movement::Issue { key, quantity }
            };
            let mut new = NewMovement::from(movement);
            if random.below(3) == 0 {
                new = new.at(shop
                    .now()
                    .later_by(-i64::try_from(random.below(300)).unwrap() * 1_000_000));
            }
            (
                "move",
                library
                    .stock()
                    .record(&manager, shop.site.id, &[new])
                    .await
                    .map(drop),
            )
        }
        (2, ..) => {
            let new = NewStockTake {
                site: shop.site.id,
                description: "Mixed".parse().unwrap(),
                movement_policy: MovementPolicy::default(),
            };
            let made = library.stock_takes().create(&manager, new).await;
            known
                .takes
                .extend(made.as_ref().ok().map(stocktake::domain::StockTake::id));
            ("take", made.map(drop))
        }
        (3..=5, Some(take), ..) => {
            let takes = library.stock_takes();
            let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
            let counted = match takes.items(&counter, take, &filter, sort, &page()).await {
                Ok(lines) if !lines.items.is_empty() => {
                    let line = lines.items[random.below(lines.items.len())].item.value.id;
                    takes
                        .count(&counter, take, line, CountRequest::set(quantity))
                        .await
                        .map(drop)
                }
                found => found.map(drop),
            };
            ("count a line", counted)
        }
        (6, Some(take), ..) => {
            let options = PostingOptions {
                zero_uncounted: random.below(9) == 0,
                skip_unpostable: random.below(2) == 0,
            };
            (
                "post",
                library
                    .stock_takes()
                    .submit(&manager, take, options)
                    .await
                    .map(drop),
            )
        }
        (7, Some(take), ..) => (
            "reopen",
            library
                .stock_takes()
                .reopen(&manager, take, None)
                .await
                .map(drop),
        ),
        (8, ..) => {
            let details = InventoryCountDetails {
                name: "Mixed".parse().unwrap(),
                kind: CountType::Spot,
                notes: None,
                movement_policy: MovementPolicy::default(),
            };
            let made = library
                .inventory_counts()
                .start(&manager, shop.site.id, details)
                .await;
            known.counts.extend(
                made.as_ref()
                    .ok()
                    .map(stocktake::domain::InventoryCount::id),
            );
            ("start a count", made.map(drop))
        }
        (9 | 10, _, Some(count), _) => {
            let new = NewCountItem::of(shop.products[product].id, quantity);
            (
                "count an item",
                library
                    .inventory_counts()
                    .count(&counter, count, new)
                    .await
                    .map(drop),
            )
        }
        (11, _, Some(count), _) => {
            let options = CompletionOptions {
                apply_adjustments: random.below(4) != 0,
                skip_unpostable: random.below(2) == 0,
            };
            (
                "complete a count",
                library
                    .inventory_counts()
                    .complete(&manager, count, options, None)
                    .await
                    .map(drop),
            )
        }
        (12, _, Some(count), _) => (
            "cancel a count",
            library
                .inventory_counts()
                .cancel(&manager, count)
                .await
                .map(drop),
        ),
        (13, ..) => {
            let kind = AdjustmentType::ALL[random.below(AdjustmentType::ALL.len())];
            let change = if random.below(2) == 0 {
                quantity
            } else {
                quantity.negated()
            };
            let new = NewStockAdjustment::of(
                shop.products[product].id,
                kind,
                change,
                "mixed".parse().unwrap(),
            );
            (
                "adjust",
                library
                    .stock_adjustments()
                    .create(&counter, shop.site.id, new)
                    .await
                    .map(drop),
            )
        }
        (14, ..) => {
            let pending = library
                .stock_adjustments()
                .pending(&manager, shop.site.id, &page())
                .await
                .unwrap();
            let Some(adjustment) = pending
                .items
                .first()
                .map(stocktake::domain::StockAdjustment::id)
            else {
                return ("decide", Ok(()));
            };
            if random.below(3) == 0 {
                let rejected = library
                    .stock_adjustments()
                    .reject(&manager, adjustment, "no".parse().unwrap())
                    .await;
                ("reject", rejected.map(drop))
            } else {
                (
                    "approve",
                    library
                        .stock_adjustments()
                        .approve(&manager, adjustment, None)
                        .await
                        .map(drop),
                )
            }
        }
        (15, ..) if random.below(4) == 0 => {
            let details = InventoryOrderDetails {
                purchase_order_number: None,
                supplier_email: None,
            };
            let new = NewInventoryOrder {
                site: shop.site.id,
                supplier: shop.supplier.id,
                details,
            };
            let made = library.inventory_orders().create(&manager, new).await;
            known.orders.extend(
                made.as_ref()
                    .ok()
                    .map(stocktake::domain::InventoryOrder::id),
            );
            ("order", made.map(drop))
        }
        (16, .., Some(order)) => {
            let ordered = Ordered {
                quantity,
                unit_price_minor: i64::try_from(random.below(900)).unwrap(),
            };
            let new = NewOrderItem {
                product: shop.products[product].id,
                variant: None,
                ordered,
            };
            (
                "order a line",
                library
                    .inventory_orders()
                    .add_item(&manager, order, new)
                    .await
                    .map(drop),
            )
        }
        (17, .., Some(order)) => {
            let orders = library.inventory_orders();
            if random.below(3) == 0 {
                (
                    "close short",
                    orders.close_short(&manager, order, None).await.map(drop),
                )
            } else {
                (
                    "submit an order",
                    orders.submit(&manager, order).await.map(drop),
                )
            }
        }
        (18, .., Some(order)) => {
            let orders = library.inventory_orders();
            let filter = InventoryOrderItemFilter::default();
            let lines = orders
                .items(&manager, order, &filter, &page())
                .await
                .unwrap()
                .items;
            let line = lines.get(random.below(lines.len()));
            let some = line.map(|line| vec![ReceiptLine::of(line.id(), quantity)]);
            let lines = if random.below(3) == 0 { None } else { some };
            let request = ReceiveRequest {
                lines,
                occurred_at: None,
            };
            (
                "receive",
                orders.receive(&counter, order, request).await.map(drop),
            )
        }
        (19, ..) => {
            let mode = ImportMode::ALL[random.below(ImportMode::ALL.len())];
            let sign = if mode == ImportMode::Adjustment && random.below(2) == 0 {
                "-"
            } else {
                ""
            };
            let body = format!(r#"{{"store-1": {{"SKU-{product}": {sign}{quantity}}}}}"#);
            let service = Caller::of(&shop.service);
            (
                "import",
                library
                    .stock_imports()
                    .begin(&service, mode, body.as_bytes(), false)
                    .await
                    .map(drop),
            )
        }
        _ => {
            let ran = shop.run_jobs().await;
            ("run jobs", ran.map(drop))
        }
    }
}

/// Everything that must hold between two steps.
async fn check(shop: &Shop) {
    let library = &shop.stocktake;
    let manager = Caller::of(&shop.manager);
    let verified = library
        .stock()
        .verify(&manager, shop.site.id)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{verified:?}");
    let levels = library
        .stock()
        .levels(&manager, shop.site.id, None, None, &page())
        .await
        .unwrap();
    assert!(
        levels
            .items
            .iter()
            .all(|level| !level.quantity().is_negative())
    );

    for summary in library
        .stock_takes()
        .list(&manager, shop.site.id, &[], &page())
        .await
        .unwrap()
        .items
    {
        let take = &summary.take;
        let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let lines = library
            .stock_takes()
            .items(&manager, take.id(), &filter, sort, &page())
            .await
            .unwrap()
            .items;
        let counted = lines
            .iter()
            .filter(|line| line.item.value.is_counted())
            .count();
        let minor: i128 = lines
            .iter()
            .map(|line| i128::from(line.item.value.adjustment_minor()))
            .sum();
        let totals = summary.totals;
        assert_eq!(totals.items, u64::try_from(lines.len()).unwrap());
        assert_eq!(
            (totals.counted, totals.adjustment_minor),
            (u64::try_from(counted).unwrap(), minor)
        );
        assert_eq!(
            take.state() == StockTakeState::Finished,
            take.posted_at().is_some()
        );
    }

    let counts = library.inventory_counts();
    let filter = InventoryCountFilter::default();
    let listed = counts
        .list(&manager, shop.site.id, &filter, &page())
        .await
        .unwrap()
        .items;
    let open = listed
        .iter()
        .filter(|it| it.count.state() == InventoryCountState::InProgress)
        .count();
    assert!(open <= 1, "{open} counts are in progress");

    let filter = StockAdjustmentFilter::default();
    let adjustments = library
        .stock_adjustments()
        .list(&manager, shop.site.id, &filter, &page())
        .await
        .unwrap();
    for adjustment in adjustments.items {
        match (adjustment.state(), adjustment.applied()) {
            (StockAdjustmentState::Applied, Some(applied)) => {
                assert_eq!(
                    applied.before.checked_add(adjustment.change()),
                    Ok(applied.after)
                );
            }
            (StockAdjustmentState::Pending | StockAdjustmentState::Rejected, None) => {}
            (state, applied) => panic!("{state}: {applied:?}"),
        }
    }

    let orders = library.inventory_orders();
    let filter = InventoryOrderFilter::default();
    for order in orders
        .list(&manager, shop.site.id, &filter, &page())
        .await
        .unwrap()
        .items
    {
        let all = InventoryOrderItemFilter::default();
        let lines = orders
            .items(&manager, order.id(), &all, &page())
            .await
            .unwrap()
            .items;
        let subtotal: i128 = lines
            .iter()
            .map(|line| i128::from(line.total_minor()))
            .sum();
        assert_eq!(order.subtotal_minor(), subtotal);
        assert_eq!(order.item_count(), u64::try_from(lines.len()).unwrap());
        assert!(
            lines
                .iter()
                .all(|line| line.received() <= line.ordered().quantity),
            "more than was ordered"
        );
        let is_whole = lines.iter().all(|line| line.missing().is_zero());
        let closed = order.closed_short().is_some();
        let received = order.state() == InventoryOrderState::Received;
        assert!(
            !received || is_whole || closed,
            "received, and something is missing"
        );
    }
}

#[tokio::test]
async fn all_five_machines_share_one_sound_ledger() {
    all_share_one_ledger(Kind::Memory, ALL_STEPS, 1).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn all_five_machines_share_one_sound_ledger_in_a_file() {
    all_share_one_ledger(Kind::Sqlite, STEPS_ON_DISK, 1).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn all_five_machines_share_one_sound_ledger_on_a_server() {
    all_share_one_ledger(Kind::Postgres, STEPS_ON_DISK, LOOK_ON_A_SERVER).await;
}

/// Plays so many steps, and looks at everything after each few of them.
async fn all_share_one_ledger(kind: Kind, steps: u64, every: u64) {
    let steps =
        std::env::var("STOCKTAKE_TEST_DOCUMENT_STEPS").map_or(steps, |text| text.parse().unwrap());
    let stores = Stores::of(kind);
    let mut done: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..steps.div_ceil(STEPS) {
        let store = stores.fresh().await;
        let clock = Arc::new(ManualClock::default());
        let library = Stocktake::with(
            store.repository.clone(),
            store.queue.clone(),
            clock.clone(),
            Arc::new(SequentialIds::default()),
        );
        let shop = Shop::with(library, clock);
        shop.open().await.unwrap();
        let mut random = Random(seed);
        let mut known = Documents::default();
        for number in 0..STEPS {
            let (what, result) = step(&shop, &mut random, &mut known).await;
            println!(
                "seed {seed}, step {number}: {what}: {:?}",
                result.as_ref().map_err(Error::code)
            );
            match result {
                Ok(()) => *done.entry(what).or_default() += 1,
                Err(error) => assert!(
                    error.kind().status() < 500,
                    "seed {seed}, step {number}: {what}: {error}"
                ),
            }
            if (number + 1) % every == 0 {
                check(&shop).await;
            }
        }
    }
    // Not vacuous: each kind of step went through, and often.
    let often = (steps / OFTEN).max(1);
    assert_eq!(done.len(), 20, "{done:?}");
    assert!(done.values().all(|times| *times >= often), "{done:?}");
}
