//! Unknown cost is not zero.

use stocktake::domain::{
    AdjustmentType, CompletionOptions, CostingMethod, CountType, ImportMode, InventoryCountDetails,
    MovementPolicy, PostingOptions, Product, Quantity, StockAdjustmentState, StockEvent,
    StockEventKind, StockKey, StockLevel, StockTakeItemId, Tracking, UnitCost, UnitCosts, Value,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewCountItem, NewMovement, NewStockAdjustment,
    NewStockTake, StockChoice,
};
use stocktake::store::{InventoryCountFilter, InventoryCountItemFilter, PageRequest};

use crate::shops::OwnShop;
use crate::stores::Kind;

/// A shop of each kind of store, with its catalogue, without stock; the first two products have no standard cost.
pub(crate) struct Tried {
    pub(crate) kind: Kind,
    pub(crate) shop: OwnShop,
}

impl Tried {
    pub(crate) async fn on(kind: Kind) -> Self {
        let mut shop = OwnShop::on(kind).await;
        for product in shop.products.iter_mut().take(2) {
            product.unit_costs = UnitCosts::default();
        }
        shop.open_empty().await.unwrap();
        Self { kind, shop }
    }

    /// Changes the site's policy from now on.
    pub(crate) async fn policy(&mut self, change: impl FnOnce(&mut stocktake::domain::SitePolicy)) {
        change(&mut self.shop.site.policy);
        let site = self.shop.site.clone();
        let catalogue = self.shop.stocktake.catalogue();
        catalogue.put_site(&self.manager(), site).await.unwrap();
    }

    /// Changes a product from now on.
    pub(crate) async fn product(
        &mut self,
        number: usize,
        change: impl FnOnce(&mut stocktake::domain::Product),
    ) {
        change(&mut self.shop.products[number]);
        let product = self.shop.products[number].clone();
        let catalogue = self.shop.stocktake.catalogue();
        catalogue
            .put_products(&self.manager(), vec![product])
            .await
            .unwrap();
    }

    /// Tells the standard cost of a product.
    pub(crate) async fn standard(&mut self, number: usize, cost: Option<&str>) {
        let currency = self.shop.site.currency;
        self.product(number, |product| {
            product.unit_costs.set(currency, cost.map(made));
        })
        .await;
    }

    pub(crate) fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    pub(crate) async fn tried(
        &self,
        movement: impl Into<NewMovement>,
    ) -> Result<Vec<StockEvent>, Error> {
        let stock = self.shop.stocktake.stock();
        stock
            .record(&self.manager(), self.shop.site.id, &[movement.into()])
            .await
    }

    pub(crate) async fn moved(&self, movement: impl Into<NewMovement>) -> Vec<StockEvent> {
        self.tried(movement).await.unwrap()
    }

    /// `receipt 10@2`.
    pub(crate) async fn receipt(&self, key: &StockKey, quantity: &str, cost: &str) {
        self.moved(Movement::Receipt {
            key: key.clone(),
            quantity: made(quantity),
            unit_cost: Some(made(cost)),
        })
        .await;
    }

    pub(crate) async fn issue(&self, key: &StockKey, quantity: &str) -> Vec<StockEvent> {
        self.moved(Movement::Issue {
            key: key.clone(),
            quantity: made(quantity),
        })
        .await
    }

    pub(crate) async fn import(&self, mode: ImportMode, body: &str) {
        let imports = self.shop.stocktake.stock_imports();
        let service = Caller::of(&self.shop.service);
        let started = imports.begin(&service, mode, body.as_bytes(), false).await;
        let id = started.unwrap().import.id();
        self.shop.run_jobs().await.unwrap();
        let import = imports.get(&service, id).await.unwrap();
        assert_eq!(import.report().failed, 0, "{:?}", import.report());
    }

    pub(crate) async fn level(&self, key: &StockKey) -> StockLevel {
        let stock = self.shop.stocktake.stock();
        stock.level(&self.manager(), key).await.unwrap()
    }

    pub(crate) async fn events(&self, key: &StockKey) -> Vec<StockEvent> {
        let stock = self.shop.stocktake.stock();
        stock.key_events(&self.manager(), key, 0).await.unwrap()
    }

    /// A stock take of the site counts a key, if it has it: what it posts. Tells whether it has.
    pub(crate) async fn counted(&self, key: &StockKey, quantity: &str) -> bool {
        let takes = self.shop.stocktake.stock_takes();
        let new = NewStockTake {
            site: self.shop.site.id,
            description: made("All"),
            movement_policy: MovementPolicy::default(),
        };
        let manager = self.manager();
        let take = takes.create(&manager, new).await.unwrap().id();
        self.shop.run_jobs().await.unwrap();
        let item = StockTakeItemId::for_key(take, key);
        let request = CountRequest::set(made(quantity));
        let counted = takes.count(&manager, take, item, request).await;
        let has = !matches!(counted, Err(Error::NotFound { .. }));
        if has {
            counted.unwrap();
        }
        let posted = takes.submit(&manager, take, PostingOptions::default());
        posted.await.unwrap();
        has
    }

    /// An inventory count of the site counts this, and is applied.
    pub(crate) async fn count_applied(&self, stock: impl Into<StockChoice>, quantity: &str) {
        let counts = self.shop.stocktake.inventory_counts();
        let manager = self.manager();
        let details = InventoryCountDetails {
            name: made("Spot"),
            kind: CountType::Spot,
            notes: None,
            movement_policy: MovementPolicy::default(),
        };
        let site = self.shop.site.id;
        let count = counts.start(&manager, site, details).await.unwrap().id();
        let found = NewCountItem::of(stock, made(quantity));
        counts.count(&manager, count, found).await.unwrap();
        let applied = CompletionOptions {
            apply_adjustments: true,
            ..CompletionOptions::default()
        };
        counts
            .complete(&manager, count, applied, None)
            .await
            .unwrap();
    }

    /// The ledger is sound, and each key's value is the sum of its events' changes.
    pub(crate) async fn sound(&self) {
        let stock = self.shop.stocktake.stock();
        let site = self.shop.site.id;
        let verified = stock.verify(&self.manager(), site).await.unwrap();
        assert!(verified.is_sound(), "{:?}: {verified:?}", self.kind);
    }
}

/// A constant of a test.
pub(crate) fn made<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn worth(level: &StockLevel) -> (String, String) {
    let valuation = level.valuation();
    (
        valuation.value().to_string(),
        valuation.fifo_value().to_string(),
    )
}

fn both(value: &str) -> (String, String) {
    (value.to_owned(), value.to_owned())
}

#[tokio::test]
async fn fault_k1_an_import_at_no_cost_says_so_and_is_revalued_by_stating_one() {
    for kind in Kind::ALL {
        let mut tried = Tried::on(*kind).await;
        let key = tried.shop.key(0);
        tried
            .import(ImportMode::Absolute, r#"{"store-1": {"SKU-0": 100}}"#)
            .await;
        let level = tried.level(&key).await;
        assert_eq!(worth(&level), both("0"));
        assert_eq!(level.valuation().of_unknown_cost(), Ok(made("100")));
        assert_eq!(level.valuation().known_cost(level.quantity()), None);
        let events = tried.events(&key).await;
        assert!(events[0].parts[0].cost_unknown);
        // What comes once a cost is known costs that; what came before waits for somebody to say it.
        tried.standard(0, Some("7")).await;
        tried
            .import(ImportMode::Absolute, r#"{"store-1": {"SKU-0": 110}}"#)
            .await;
        let level = tried.level(&key).await;
        assert_eq!(worth(&level), both("70"));
        assert_eq!(level.valuation().of_unknown_cost(), Ok(made("100")));
        let costs = level.valuation().known_cost(level.quantity());
        assert_eq!(costs, Some(made("7")));
        let events = tried
            .moved(Movement::Revalue {
                key: key.clone(),
                unit_cost: made("7"),
            })
            .await;
        let [event] = events.as_slice() else {
            panic!("one event: {events:?}")
        };
        assert_eq!(event.kind, StockEventKind::Revaluation);
        assert_eq!(event.change, Quantity::ZERO);
        assert_eq!(event.value_change, made::<Value>("700"));
        assert_eq!(event.unit_cost, made::<UnitCost>("7"));
        let level = tried.level(&key).await;
        assert_eq!(worth(&level), both("770"));
        assert_eq!(level.valuation().of_unknown_cost(), Ok(Quantity::ZERO));
        let out = tried.issue(&key, "110").await;
        assert_eq!(out[0].value_change, made::<Value>("-770"));
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_k1_a_site_may_revalue_when_the_standard_cost_is_first_known() {
    for kind in &[Kind::Memory] {
        let mut tried = Tried::on(*kind).await;
        tried.policy(|policy| policy.revalue_unknown = true).await;
        let key = tried.shop.key(0);
        tried
            .import(ImportMode::Absolute, r#"{"store-1": {"SKU-0": 100}}"#)
            .await;
        tried.standard(0, Some("7")).await;
        // Until it is touched it is shown as it was.
        assert_eq!(worth(&tried.level(&key).await), both("0"));
        let events = tried.issue(&key, "10").await;
        let told: Vec<(StockEventKind, String)> = events
            .iter()
            .map(|event| (event.kind, event.value_change.to_string()))
            .collect();
        assert_eq!(
            told,
            [
                (StockEventKind::Revaluation, "700".to_owned()),
                (StockEventKind::Issue, "-70".to_owned())
            ]
        );
        // Once: a later standard cost values nothing anew.
        tried.standard(0, Some("8")).await;
        assert_eq!(tried.issue(&key, "10").await.len(), 1);
        assert_eq!(worth(&tried.level(&key).await), both("560"));
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_k1_a_reset_that_states_a_cost_tells_what_was_unknown() {
    for kind in &[Kind::Memory] {
        let tried = Tried::on(*kind).await;
        let key = tried.shop.key(0);
        tried
            .import(ImportMode::Absolute, r#"{"store-1": {"SKU-0": 100}}"#)
            .await;
        let events = tried
            .moved(Movement::Reset {
                key: key.clone(),
                quantity: made("100"),
                unit_cost: Some(made("7")),
                expected: None,
            })
            .await;
        let told: Vec<(StockEventKind, String)> = events
            .iter()
            .map(|event| (event.kind, event.value_change.to_string()))
            .collect();
        assert_eq!(
            told,
            [
                (StockEventKind::Revaluation, "700".to_owned()),
                (StockEventKind::ExternalReset, "0".to_owned())
            ]
        );
        assert_eq!(worth(&tried.level(&key).await), both("700"));
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_k1_what_costs_nothing_by_policy_is_of_known_cost() {
    let mut tried = Tried::on(Kind::Memory).await;
    tried.policy(|policy| policy.allow_zero_cost = true).await;
    let key = tried.shop.key(0);
    tried
        .import(ImportMode::Absolute, r#"{"store-1": {"SKU-0": 100}}"#)
        .await;
    let level = tried.level(&key).await;
    assert_eq!(level.valuation().of_unknown_cost(), Ok(Quantity::ZERO));
    let costs = level.valuation().known_cost(level.quantity());
    assert_eq!(costs, Some(UnitCost::ZERO));
    tried.sound().await;
}

#[tokio::test]
async fn fault_k1_a_theft_of_goods_of_unknown_cost_needs_approval() {
    let mut tried = Tried::on(Kind::Memory).await;
    tried.policy(|policy| policy.approval.always.clear()).await;
    tried
        .import(ImportMode::Absolute, r#"{"store-1": {"SKU-0": 30}}"#)
        .await;
    let counter = Caller::of(&tried.shop.counter);
    let adjustments = tried.shop.stocktake.stock_adjustments();
    for kind in [AdjustmentType::Theft, AdjustmentType::Damage] {
        let product = tried.shop.products[0].id;
        let asked = NewStockAdjustment::of(product, kind, made("-10"), made("gone"));
        let asked = adjustments
            .create(&counter, tried.shop.site.id, asked)
            .await;
        let asked = asked.unwrap();
        assert_eq!(asked.state(), StockAdjustmentState::Pending, "{kind:?}");
        assert_eq!(asked.unit_cost(), None);
    }
    tried.sound().await;
}

#[tokio::test]
async fn fault_k3_three_for_a_hundred_cost_a_hundred() {
    for kind in &[Kind::Memory] {
        let tried = Tried::on(*kind).await;
        let key = tried.shop.key(2);
        let three = |total: &str| Movement::ReceiptAtTotal {
            key: key.clone(),
            quantity: made("3"),
            total: made(total),
        };
        let received = tried.moved(three("100.00")).await;
        assert_eq!(received[0].value_change, made::<Value>("100"));
        assert_eq!(received[0].unit_cost, made::<UnitCost>("33.333333"));
        tried.moved(three("100.00")).await;
        assert_eq!(worth(&tried.level(&key).await), both("200"));
        let mut out = Value::ZERO;
        for _ in 0..6 {
            let event = &tried.issue(&key, "1").await[0];
            out = out.checked_add(event.value_change).unwrap();
        }
        assert_eq!(out, made::<Value>("-200"));
        for (total, code) in [("-1", "negative_total"), ("0.000000001", "too_precise")] {
            let refused = tried.tried(three(total)).await.unwrap_err();
            assert!(matches!(refused, Error::Invalid(_)), "{refused:?}");
            assert!(format!("{refused:?}").contains(code), "{refused:?}");
        }
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_k2_what_is_found_costs_what_the_products_other_keys_cost() {
    for kind in Kind::ALL {
        let mut tried = Tried::on(*kind).await;
        tried
            .policy(|policy| {
                policy.costing = CostingMethod::WeightedAverage;
                policy.allow_negative = true;
            })
            .await;
        let by_batch = |product: &mut Product| product.tracking = Tracking::Batch;
        tried.product(0, by_batch).await;
        let batch = |name: &str| tried.shop.key(0).in_batch(made(name));
        tried.receipt(&batch("one"), "10", "5").await;
        tried.receipt(&batch("two"), "10", "9").await;
        // By a movement, a counted reset, an adjustment, a posted take, and out beyond what never was.
        let found = |key: StockKey| Movement::Adjust {
            key,
            change: made("1"),
            unit_cost: None,
        };
        let event = &tried.moved(found(batch("three"))).await[0];
        assert_eq!(event.value_change, made::<Value>("7"), "{kind:?}");
        let reset = Movement::Reset {
            key: batch("four"),
            quantity: made("1"),
            unit_cost: None,
            expected: None,
        };
        assert_eq!(tried.moved(reset).await[0].value_change, made("7"));
        let asked = NewStockAdjustment::of(
            batch("five"),
            AdjustmentType::Found,
            made("1"),
            made("behind the shelf"),
        );
        let adjustments = tried.shop.stocktake.stock_adjustments();
        let asked = adjustments
            .create(&tried.manager(), tried.shop.site.id, asked)
            .await;
        assert_eq!(asked.unwrap().applied().unwrap().value_change, made("7"));
        assert_eq!(
            tried.issue(&batch("six"), "1").await[0].value_change,
            made("-7")
        );
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_k2_counts_and_imports_find_at_the_cost_of_the_other_keys() {
    for kind in Kind::ALL {
        let tried = Tried::on(*kind).await;
        let (manager, site) = (tried.manager(), tried.shop.site.id);
        let place = |name: &str| tried.shop.key(0).at(made(name));
        tried.receipt(&place("A"), "10", "5").await;
        tried.receipt(&place("B"), "10", "9").await;
        let takes = tried.shop.stocktake.stock_takes();
        let new = NewStockTake {
            site,
            description: made("Spot"),
            movement_policy: MovementPolicy::default(),
        };
        let take = takes.create(&manager, new).await.unwrap();
        tried.shop.run_jobs().await.unwrap();
        let item = takes.add_found(&manager, take.id(), &place("C")).await;
        let item = item.unwrap();
        let two = CountRequest::set(made("2"));
        let counted = takes.count(&manager, take.id(), item, two).await.unwrap();
        // What is shown before it is posted is what is posted.
        let count = counted.count.unwrap();
        assert_eq!(count.unit_cost, Some(made("7")), "{kind:?}");
        assert_eq!(count.adjustment_minor, 1_400);
        let posted = takes.submit(&manager, take.id(), PostingOptions::default());
        posted.await.unwrap();
        assert_eq!(worth(&tried.level(&place("C")).await), both("14"));
        tried.count_applied(place("D"), "2").await;
        assert_eq!(worth(&tried.level(&place("D")).await), both("14"));
        let counts = tried.shop.stocktake.inventory_counts();
        let (all, page) = (InventoryCountFilter::default(), PageRequest::first(10));
        let started = counts.list(&manager, site, &all, &page).await.unwrap();
        let count = started.items[0].count.id();
        let all = InventoryCountItemFilter::default();
        let lines = counts.items(&manager, count, &all, &page).await;
        let line = lines.unwrap().items.remove(0);
        assert_eq!(line.counted.unit_cost, Some(made("7")), "{kind:?}");
        assert_eq!(line.variance.minor(), 1_400);
        // An import names no place; a variant is a key of its own.
        let body = r#"{"store-1": {"SKU-0": {"red": 2}}}"#;
        tried.import(ImportMode::Absolute, body).await;
        let red = tried.shop.key(0).of_variant(made("red"));
        assert_eq!(worth(&tried.level(&red).await), both("14"));
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_k2_what_is_below_zero_is_counted_as_zero_at_the_cost_of_the_other_keys() {
    for kind in Kind::ALL {
        let mut tried = Tried::on(*kind).await;
        tried.policy(|policy| policy.allow_negative = true).await;
        let place = |name: &str| tried.shop.key(0).at(made(name));
        let (here, there) = (place("A"), place("B"));
        tried.receipt(&there, "10", "5").await;
        tried.issue(&here, "1").await;
        let takes = tried.shop.stocktake.stock_takes();
        let new = NewStockTake {
            site: tried.shop.site.id,
            description: made("All"),
            movement_policy: MovementPolicy::default(),
        };
        let take = takes.create(&tried.manager(), new).await.unwrap().id();
        tried.shop.run_jobs().await.unwrap();
        let item = StockTakeItemId::for_key(take, &there);
        let all = CountRequest::set(made("10"));
        let counted = takes.count(&tried.manager(), take, item, all).await;
        counted.unwrap();
        let options = PostingOptions {
            zero_uncounted: true,
            ..PostingOptions::default()
        };
        let posted = takes.submit(&tried.manager(), take, options).await;
        assert!(posted.is_ok(), "{kind:?}: {posted:?}");
        assert_eq!(tried.level(&here).await.quantity(), Quantity::ZERO);
        assert_eq!(worth(&tried.level(&here).await), both("0"));
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_k2_with_no_cost_anywhere_it_is_refused_unless_zero_is_allowed() {
    let mut tried = Tried::on(Kind::Memory).await;
    tried.policy(|policy| policy.allow_negative = true).await;
    let key = tried.shop.key(0);
    let out = || Movement::Issue {
        key: key.clone(),
        quantity: made("1"),
    };
    let found = || Movement::Adjust {
        key: key.clone(),
        change: made("1"),
        unit_cost: None,
    };
    for movement in [out(), found()] {
        let refused = tried.tried(movement).await.unwrap_err();
        assert_eq!(refused.code(), "cost_unknown");
    }
    // The standard cost comes last.
    tried.standard(0, Some("3")).await;
    assert_eq!(tried.moved(out()).await[0].value_change, made("-3"));
    tried.policy(|policy| policy.allow_zero_cost = true).await;
    let other = tried.shop.key(1);
    assert_eq!(tried.issue(&other, "1").await[0].value_change, Value::ZERO);
    tried.sound().await;
}

/// A key fell below zero while that was allowed. What settles it when it is removed costs what the product's other keys do,
/// whatever is allowed by then.
#[tokio::test]
async fn what_is_removed_below_zero_costs_what_other_keys_do() {
    let mut tried = Tried::on(Kind::Memory).await;
    tried
        .policy(|policy| {
            policy.allow_negative = true;
            policy.allow_zero_cost = true;
        })
        .await;
    let key = tried.shop.key(0);
    tried.issue(&key, "3").await;
    tried.receipt(&key.clone().at(made("A")), "10", "7").await;
    tried
        .policy(|policy| {
            policy.allow_negative = false;
            policy.allow_zero_cost = false;
        })
        .await;
    let removed = tried.moved(Movement::Remove { key }).await;
    assert_eq!(removed[0].unit_cost, made("7"));
    tried.sound().await;
}

/// Nothing may go below zero, and a key was counted as empty. What had gone out of it before that changes nothing on hand,
/// but the ledger tells what it was worth: what the product's other keys say.
#[tokio::test]
async fn what_went_out_before_a_key_was_counted_as_empty_costs_what_other_keys_do() {
    let ways: [fn(StockKey) -> Movement; 4] = [
        |key| Movement::Issue {
            quantity: made("2"),
            key,
        },
        |key| Movement::Adjust {
            change: made("-2"),
            unit_cost: None,
            key,
        },
        |key| Movement::Transfer {
            to: key.clone().at(made("A")),
            quantity: made("2"),
            from: key,
        },
        |key| Movement::SupplierReturn {
            quantity: made("2"),
            receipt: None,
            key,
        },
    ];
    for way in ways {
        let mut tried = Tried::on(Kind::Memory).await;
        tried.policy(|policy| policy.allow_negative = false).await;
        let key = tried.shop.key(0);
        tried.receipt(&key.clone().at(made("A")), "10", "7").await;
        let before = tried.shop.now();
        tried.shop.clock.advance_seconds(60);
        tried
            .moved(Movement::Reset {
                key: key.clone(),
                quantity: Quantity::ZERO,
                unit_cost: None,
                expected: None,
            })
            .await;
        let late = NewMovement::from(way(key)).at(before);
        let events = tried.moved(late).await;
        assert_eq!(events[0].value_change, made("-14"), "{:?}", events[0].kind);
        tried.sound().await;
    }
}
