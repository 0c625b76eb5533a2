//! Policies and the catalogue change under stock.

use crate::certain::certain;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use stocktake::domain::{
    AdjustmentType, CostingMethod, ImportMode, Product, SiteAccess, SiteId, StockEvent,
    StockEventKind, StockKey, Tracking, Value,
};
use stocktake::service::{Caller, Movement, NewStockAdjustment, StockChoice};

use crate::k_unknown_cost::{Tried, made, worth};
use crate::stores::Kind;

fn told(events: &[StockEvent]) -> Vec<(StockEventKind, String)> {
    events
        .iter()
        .map(|event| (event.kind, event.value_change.to_string()))
        .collect()
}

#[tokio::test]
async fn fault_i1_a_change_of_method_is_an_event_of_its_own() {
    for kind in Kind::ALL {
        let mut tried = Tried::on(*kind).await;
        tried
            .policy(|policy| policy.costing = CostingMethod::WeightedAverage)
            .await;
        let key = tried.shop.key(0);
        tried.receipt(&key, "10", "1").await;
        tried.receipt(&key, "10", "9").await;
        tried.issue(&key, "10").await;
        tried
            .policy(|policy| policy.costing = CostingMethod::Fifo)
            .await;
        let (value, fifo) = worth(&tried.level(&key).await);
        assert_eq!((value.as_str(), fifo.as_str()), ("50", "90"));
        let events = tried.issue(&key, "1").await;
        assert_eq!(
            told(&events),
            [
                (StockEventKind::Revaluation, "40".to_owned()),
                (StockEventKind::Issue, "-9".to_owned())
            ]
        );
        let (value, fifo) = worth(&tried.level(&key).await);
        assert_eq!((value.as_str(), fifo.as_str()), ("81", "81"));
        tried.sound().await;
    }
}

#[tokio::test]
async fn fault_i1_a_change_of_the_standard_cost_is_an_event_of_its_own() {
    for kind in &[Kind::Memory] {
        let mut tried = Tried::on(*kind).await;
        tried
            .policy(|policy| policy.costing = CostingMethod::Standard)
            .await;
        tried.standard(0, Some("5")).await;
        let key = tried.shop.key(0);
        tried.receipt(&key, "10", "4").await;
        tried.standard(0, Some("6")).await;
        let events = tried.issue(&key, "4").await;
        assert_eq!(
            told(&events),
            [
                (StockEventKind::Revaluation, "10".to_owned()),
                (StockEventKind::Issue, "-24".to_owned())
            ]
        );
        let (value, fifo) = worth(&tried.level(&key).await);
        assert_eq!((value.as_str(), fifo.as_str()), ("36", "24"));
        // Back to what the goods cost.
        tried
            .policy(|policy| policy.costing = CostingMethod::WeightedAverage)
            .await;
        let events = tried.issue(&key, "3").await;
        assert_eq!(
            told(&events),
            [
                (StockEventKind::Revaluation, "-12".to_owned()),
                (StockEventKind::Issue, "-12".to_owned())
            ]
        );
        tried.sound().await;
    }
}

/// What may become of a product, and the form of key that it wants then.
struct Changed {
    what: &'static str,
    change: fn(&mut Product),
    form: fn(StockKey) -> StockKey,
    /// How it was tracked before, and the form of key that it wanted then.
    was: (Tracking, fn(StockKey) -> StockKey),
    /// Why what comes in anew can't come in under the old form.
    refused: Option<&'static str>,
}

const CHANGES: [Changed; 6] = [
    Changed {
        what: "tracked by batch",
        change: |product| product.tracking = Tracking::Batch,
        form: |key| key.in_batch(made("LOT-1")),
        was: (Tracking::None, |key| key),
        refused: Some("batch_required"),
    },
    Changed {
        what: "tracked by serial number",
        change: |product| product.tracking = Tracking::Serial,
        form: |key| key.with_serial(made("S-1")),
        was: (Tracking::None, |key| key),
        refused: Some("serial_required"),
    },
    Changed {
        what: "no longer kept on stock",
        change: |product| product.is_stock = false,
        form: |key| key,
        was: (Tracking::None, |key| key),
        refused: Some("not_stocked"),
    },
    Changed {
        what: "inactive",
        change: |product| product.active = false,
        form: |key| key.at(made("A")),
        was: (Tracking::None, |key| key),
        refused: None,
    },
    Changed {
        what: "renamed",
        change: |product| {
            product.name = made("Another");
            product.article_id = made(&format!("NEW-{}", product.article_id));
        },
        form: |key| key.at(made("A")),
        was: (Tracking::None, |key| key),
        refused: None,
    },
    Changed {
        what: "no longer tracked by batch",
        change: |product| product.tracking = Tracking::None,
        form: |key| StockKey { batch: None, ..key },
        was: (Tracking::Batch, |key| key.in_batch(made("LOT-1"))),
        refused: Some("batch_untracked"),
    },
];

/// Each way in which stock is touched, after each change of the catalogue.
#[tokio::test]
async fn fault_i2_what_is_there_stays_reachable_whatever_becomes_of_its_product() {
    for kind in Kind::ALL {
        let mut tried = Tried::on(*kind).await;
        for (number, changed) in CHANGES.iter().enumerate() {
            let what = changed.what;
            let (tracking, form) = changed.was;
            let track = |product: &mut Product| product.tracking = tracking;
            tried.product(number, track).await;
            let key = form(tried.shop.key(number));
            tried.receipt(&key, "40", "2").await;
            let sold = tried.issue(&key, "1").await[0].id;
            tried.product(number, changed.change).await;
            let product = tried.shop.products[number].clone();
            let article = product.article_id.as_str();
            let on_hand = async |quantity: &str| {
                let there = tried.shop.on_hand(&key).await.unwrap();
                assert_eq!(there, made(quantity), "{what} on {kind:?}");
            };
            tried.issue(&key, "1").await;
            let back = Movement::SupplierReturn {
                key: key.clone(),
                quantity: made("1"),
                receipt: None,
            };
            tried.moved(back).await;
            on_hand("37").await;
            let body = |value: &str| format!(r#"{{"store-1": {{"{article}": {value}}}}}"#);
            tried.import(ImportMode::Adjustment, &body("-1")).await;
            tried.import(ImportMode::Absolute, &body("35")).await;
            let reset = Movement::Reset {
                key: key.clone(),
                quantity: made("34"),
                unit_cost: None,
                expected: None,
            };
            tried.moved(reset).await;
            on_hand("34").await;
            let adjustments = tried.shop.stocktake.stock_adjustments();
            for stock in [product.id.into(), key.clone().into()] {
                let stock: StockChoice = stock;
                let damage = AdjustmentType::Damage;
                let broken = NewStockAdjustment::of(stock, damage, made("-1"), made("broken"));
                let site = tried.shop.site.id;
                let applied = adjustments.create(&tried.manager(), site, broken).await;
                assert!(applied.unwrap().applied().is_some(), "{what}");
            }
            on_hand("32").await;
            assert!(tried.counted(&key, "30").await, "{what}: in no take");
            tried.count_applied(product.id, "29").await;
            tried.count_applied(key.clone(), "28").await;
            on_hand("28").await;
            let to = (changed.form)(key.clone());
            if to != key {
                let over = Movement::Transfer {
                    from: key.clone(),
                    to,
                    quantity: made("1"),
                };
                tried.moved(over).await;
                on_hand("27").await;
            }
            // What is taken back goes where it was; what comes in anew follows the product as it is now.
            tried.moved(Movement::Reversal { of: sold }).await;
            let more = Movement::Receipt {
                key: key.clone(),
                quantity: made("1"),
                unit_cost: None,
            };
            let more = tried.tried(more).await;
            assert_eq!(more.err().map(|error| error.code()), changed.refused);
            tried.moved(Movement::Remove { key: key.clone() }).await;
            assert!(tried.shop.on_hand(&key).await.is_err(), "{what}");
        }
        tried.sound().await;
    }
}

/// What happens next in a random history of two keys of a product.
#[derive(Clone, Debug)]
enum Next {
    /// The site's method.
    Method(CostingMethod),
    /// The standard cost.
    Standard(Option<u32>),
    /// Whether what is of unknown cost is revalued when that is known.
    RevalueUnknown(bool),
    /// Goods come in at a cost, or at a total.
    In(usize, u32, u32, bool),
    /// An import says how many there are, at no cost.
    Import(u32),
    /// Goods leave.
    Out(usize, u32),
    /// Goods move from one key to the other.
    Over(usize, u32),
    /// What is there costs so much from now on.
    Revalue(usize, u32),
    /// An absolute value that states a cost.
    Reset(usize, u32, u32),
}

fn next() -> impl Strategy<Value = Next> {
    let key = || 0..2_usize;
    prop_oneof![
        2 => prop_oneof![
            Just(CostingMethod::Fifo),
            Just(CostingMethod::WeightedAverage),
            Just(CostingMethod::Standard)
        ]
        .prop_map(Next::Method),
        1 => prop::option::of(1..9_u32).prop_map(Next::Standard),
        1 => any::<bool>().prop_map(Next::RevalueUnknown),
        4 => (key(), 1..20_u32, 0..99_u32, any::<bool>()).prop_map(|(k, n, c, t)| Next::In(k, n, c, t)),
        2 => (0..30_u32).prop_map(Next::Import),
        4 => (key(), 1..15_u32).prop_map(|(k, n)| Next::Out(k, n)),
        2 => (key(), 1..15_u32).prop_map(|(k, n)| Next::Over(k, n)),
        1 => (key(), 0..9_u32).prop_map(|(k, c)| Next::Revalue(k, c)),
        1 => (key(), 0..20_u32, 0..9_u32).prop_map(|(k, n, c)| Next::Reset(k, n, c)),
    ]
}

impl Next {
    /// Lets it happen, as far as the stock allows it; what was booked.
    async fn happen(&self, tried: &mut Tried, keys: &[StockKey; 2]) -> Vec<StockEvent> {
        let movement = match *self {
            Self::Method(method) => {
                tried.policy(|policy| policy.costing = method).await;
                return Vec::new();
            }
            Self::Standard(cost) => {
                let cost = cost.map(|cost| cost.to_string());
                tried.standard(0, cost.as_deref()).await;
                return Vec::new();
            }
            Self::RevalueUnknown(on) => {
                tried.policy(|policy| policy.revalue_unknown = on).await;
                return Vec::new();
            }
            Self::Import(there) => {
                let body = format!(r#"{{"store-1": {{"SKU-0": {{"red": {there}}}}}}}"#);
                tried.import(ImportMode::Absolute, &body).await;
                return Vec::new();
            }
            Self::In(key, many, cost, true) => Movement::ReceiptAtTotal {
                key: keys[key].clone(),
                quantity: many.into(),
                total: made(&cost.to_string()),
            },
            Self::In(key, many, cost, false) => Movement::Receipt {
                key: keys[key].clone(),
                quantity: many.into(),
                unit_cost: Some(made(&cost.to_string())),
            },
            Self::Out(key, many) => Movement::Issue {
                key: keys[key].clone(),
                quantity: many.into(),
            },
            Self::Over(from, many) => Movement::Transfer {
                from: keys[from].clone(),
                to: keys[1 - from].clone(),
                quantity: many.into(),
            },
            Self::Revalue(key, cost) => Movement::Revalue {
                key: keys[key].clone(),
                unit_cost: made(&cost.to_string()),
            },
            Self::Reset(key, there, cost) => Movement::Reset {
                key: keys[key].clone(),
                quantity: there.into(),
                unit_cost: Some(made(&cost.to_string())),
                expected: None,
            },
        };
        // What is not there does not leave.
        tried.tried(movement).await.unwrap_or_default()
    }
}

/// Each event's value change is its own, whatever the policy and the catalogue become on the way: by first in, first out
/// it is what its parts are worth; what moves from key to key takes its value along; a drained key is worth nothing.
async fn holds(tried: &Tried, events: &[StockEvent]) -> Result<(), TestCaseError> {
    let method = tried.shop.site.policy.costing;
    let mut moved_over = Value::ZERO;
    for event in events {
        let parts = event.parts.iter().try_fold(Value::ZERO, |sum, part| {
            prop_assert!(!part.cost_unknown || part.value.is_zero());
            Ok(sum.checked_add(part.value).unwrap())
        })?;
        match event.kind {
            StockEventKind::Revaluation => prop_assert!(event.change.is_zero()),
            _ if method == CostingMethod::Fifo && event.change.is_negative() => {
                prop_assert_eq!(event.value_change, parts.negated());
            }
            _ if method == CostingMethod::Fifo => prop_assert_eq!(event.value_change, parts),
            _ => {}
        }
        if matches!(
            event.kind,
            StockEventKind::TransferOut | StockEventKind::TransferIn
        ) {
            moved_over = moved_over.checked_add(event.value_change).unwrap();
        }
        let level = tried.level(&event.key).await;
        let valuation = level.valuation();
        if level.quantity().is_zero() {
            prop_assert!(valuation.value().is_zero() && valuation.fifo_value().is_zero());
        }
        if method == CostingMethod::Fifo {
            prop_assert_eq!(valuation.value(), valuation.fifo_value());
        }
    }
    prop_assert!(moved_over.is_zero(), "moved {moved_over}: {events:?}");
    Ok(())
}

proptest! {
    #![proptest_config(certain(cases()))]

    #[test]
    fn values_are_sums_whatever_the_policies_become(steps in prop::collection::vec(next(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut tried = Tried::on(Kind::Memory).await;
            let keys = [
                tried.shop.key(0).of_variant(made("red")),
                tried.shop.key(0).at(made("A")),
            ];
            for step in &steps {
                let events = step.happen(&mut tried, &keys).await;
                holds(&tried, &events).await?;
            }
            // The sum of value changes is the value, and the layers are those that the events leave.
            tried.sound().await;
            Ok::<(), TestCaseError>(())
        })?;
    }
}

/// How many histories are tried.
fn cases() -> u32 {
    let asked = std::env::var("STOCKTAKE_TEST_VALUE_HISTORIES").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(64)
}

#[tokio::test]
async fn fault_i3_a_standard_cost_is_of_its_currency() {
    let mut tried = Tried::on(Kind::Memory).await;
    tried.standard(0, Some("10.50")).await;
    // The same product at a site in Japan.
    let mut there = tried.shop.site.clone();
    there.id = SiteId::new(uuid::Uuid::from_u128(81));
    there.external_id = made("store-jp");
    there.currency = made("jpy");
    let mut owner = tried.shop.manager.clone();
    owner.sites = SiteAccess::All;
    let owner = Caller::of(&owner);
    let library = &tried.shop.stocktake;
    library
        .catalogue()
        .put_site(&owner, there.clone())
        .await
        .unwrap();
    let receipt = |site, currency: &str| {
        let product = tried.shop.products[0].clone();
        let key = StockKey::plain(site, product.id);
        let known = product.standard_cost(made(currency));
        let movement = Movement::Receipt {
            key,
            quantity: made("2"),
            unit_cost: None,
        };
        (movement, known)
    };
    let (here, known) = receipt(tried.shop.site.id, "gbp");
    assert_eq!(known, Some(made("10.50")));
    assert_eq!(tried.moved(here).await[0].value_change, made("21"));
    let (abroad, known) = receipt(there.id, "jpy");
    assert_eq!(known, None);
    let stock = library.stock();
    let refused = stock
        .record(&owner, there.id, &[abroad.clone().into()])
        .await;
    assert_eq!(refused.unwrap_err().code(), "cost_unknown");
    let mut product = tried.shop.products[0].clone();
    product.unit_costs.set(there.currency, Some(made("2000")));
    let catalogue = library.catalogue();
    catalogue.put_products(&owner, vec![product]).await.unwrap();
    let came = stock.record(&owner, there.id, &[abroad.into()]).await;
    assert_eq!(came.unwrap()[0].value_change, made("4000"));
    tried.sound().await;
}
