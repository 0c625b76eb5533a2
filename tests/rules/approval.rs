//! Who must look at an adjustment before it happens, and how far a count may be off: every boundary.

use crate::certain::certain;
use crate::shop::{at, by, key, note, product, site};
use proptest::prelude::*;
use stocktake::domain::{
    AdjustmentCost, AdjustmentRequest, AdjustmentType, ApprovalPolicy, CompletionOptions,
    CountMoment, CountType, DailyLimit, Found, IncomingCost, InventoryCount, InventoryCountDetails,
    InventoryCountId, InventoryCountItem, JobId, MovementPolicy, Quantity, Stamp, StockAdjustment,
    StockAdjustmentId, StockAdjustmentState, StockEvent, StockEventId, StockLevel, Terms,
    Tolerance, TransitionError, Unapproved, UnitCost, Value, Variance,
};
use uuid::Uuid;

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn value(text: &str) -> Value {
    text.parse().unwrap()
}

/// The code of the rule that refused.
fn code<T: std::fmt::Debug>(result: Result<T, TransitionError>) -> &'static str {
    match result {
        Err(TransitionError::Rule { code, .. }) => code,
        other => panic!("not refused by a rule: {other:?}"),
    }
}

// ---- the rule ----------------------------------------------------------------------------------

#[test]
fn approval_is_needed_strictly_beyond_the_limits() {
    const QUANTITIES: [(&str, bool); 4] = [
        ("0", false),
        ("49.999999", false),
        ("50", false),
        ("50.000001", true),
    ];
    const COSTS: [(&str, bool); 6] = [
        ("0", false),
        ("499.99", false),
        ("500", false),
        ("500.0000000001", true),
        ("500.01", true),
        ("100000000000000000", true),
    ];
    let policy = ApprovalPolicy::default();
    let mut cells = 0;
    for (change, change_is_over) in QUANTITIES {
        for (cost, cost_is_over) in COSTS {
            for (change, cost) in [
                (quantity(change), value(cost)),
                (quantity(change).negated(), value(cost)),
                (quantity(change), value(cost).negated()),
                (quantity(change).negated(), value(cost).negated()),
            ] {
                let significant = change_is_over || cost_is_over;
                assert_eq!(policy.is_significant(change, cost), significant);
                for kind in AdjustmentType::ALL {
                    assert_eq!(
                        policy.requires_approval(*kind, change, cost),
                        significant || *kind == AdjustmentType::Theft,
                        "{kind} {change} {cost}"
                    );
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, QUANTITIES.len() * COSTS.len() * 4 * 6);
}

#[test]
fn the_limits_are_policy() {
    let lax = ApprovalPolicy {
        quantity: Quantity::MAX,
        value: value("100000000000000000"),
        always: [].into(),
        self_approval: true,
        daily: DailyLimit::default(),
    };
    let most = Quantity::MAX.negated();
    assert!(!lax.requires_approval(AdjustmentType::Theft, most, value("-9999999999999999")));
    let strict = ApprovalPolicy {
        quantity: Quantity::ZERO,
        always: [AdjustmentType::Return].into(),
        ..ApprovalPolicy::default()
    };
    let least = quantity("0.000001");
    assert!(strict.requires_approval(AdjustmentType::Damage, least, Value::ZERO));
    assert!(strict.requires_approval(AdjustmentType::Return, Quantity::ZERO, Value::ZERO));
    assert!(!strict.requires_approval(AdjustmentType::Theft, Quantity::ZERO, Value::ZERO));
}

#[test]
fn types_have_the_names_of_the_wire() {
    let names: Vec<_> = AdjustmentType::ALL.iter().map(|it| it.as_str()).collect();
    let wire = [
        "DAMAGE",
        "THEFT",
        "EXPIRED",
        "FOUND",
        "CORRECTION",
        "RETURN",
    ];
    assert_eq!(names, wire);
}

// ---- adjustments -------------------------------------------------------------------------------

fn request(kind: AdjustmentType, change: &str, cost: &str) -> AdjustmentRequest {
    AdjustmentRequest {
        key: key(),
        kind,
        change: quantity(change),
        reason: note("broken in transit"),
        notes: None,
        reference: Some("DR-17".parse().unwrap()),
        cost: AdjustmentCost {
            stated: Some(cost.parse().unwrap()),
            book: Some(UnitCost::ZERO),
            change: None,
        },
        unapproved: Unapproved::default(),
    }
}

fn adjustment(
    request: AdjustmentRequest,
    policy: &ApprovalPolicy,
) -> Result<StockAdjustment, TransitionError> {
    let id = StockAdjustmentId::new(Uuid::from_u128(7));
    StockAdjustment::request(id, &site(), request, policy, &by(1, 0))
}

/// Puts the adjustment through a level of `on_hand`, as a service does.
fn event_of(adjustment: &StockAdjustment, on_hand: &str, stamp: &Stamp) -> StockEvent {
    let site = site();
    let terms = Terms {
        site: &site,
        standard: Some("2".parse().unwrap()),
        elsewhere: None,
        at: stamp.at,
        by: stamp.actor.user.id,
    };
    let opening = adjustment.ledger_change(StockEventId::new(Uuid::from_u128(69)));
    let (level, _) = StockLevel::new(key(), at(0))
        .reset(opening, quantity(on_hand), &terms)
        .unwrap();
    let change = adjustment.ledger_change(StockEventId::new(Uuid::from_u128(70)));
    let (_, events) = level.apply(change, &terms).unwrap();
    events.into_iter().next().unwrap()
}

#[test]
fn an_adjustment_is_judged_when_it_is_asked_for() {
    // The cases of the field: change, cost of one, whether a manager must look.
    for (kind, change, cost, needed) in [
        (AdjustmentType::Damage, "-50", "1", false),
        (AdjustmentType::Damage, "-50.0001", "1", true),
        (AdjustmentType::Correction, "51", "1", true),
        (AdjustmentType::Damage, "-50", "10", false),
        (AdjustmentType::Damage, "-50", "10.01", true),
        (AdjustmentType::Theft, "-1", "1", true),
        (AdjustmentType::Found, "1", "500", false),
        (AdjustmentType::Found, "1", "500.01", true),
    ] {
        let made = adjustment(request(kind, change, cost), &ApprovalPolicy::default()).unwrap();
        assert_eq!(
            made.requires_approval(),
            needed,
            "{kind} {change} at {cost}"
        );
        assert_eq!(made.state(), StockAdjustmentState::Pending);
    }
}

#[test]
fn an_adjustment_that_needs_no_approval_is_applied_at_once() {
    let policy = ApprovalPolicy::default();
    let made = adjustment(request(AdjustmentType::Damage, "-3", "2"), &policy).unwrap();
    let applied = made.apply(&event_of(&made, "100", &by(1, 0))).unwrap();
    let did = *applied.applied().unwrap();
    assert_eq!(applied.state(), StockAdjustmentState::Applied);
    assert_eq!((did.before, did.after), (quantity("100"), quantity("97")));
    assert_eq!(applied.cost_impact_minor(), -600);
    assert_eq!(applied.decided_by(), None);
}

#[test]
fn a_manager_who_did_not_ask_approves_once() {
    let policy = ApprovalPolicy::default();
    let pending = adjustment(request(AdjustmentType::Damage, "-60", "2"), &policy).unwrap();
    let event = event_of(&pending, "100", &by(2, 5));
    assert_eq!(code(pending.apply(&event)), "approval_required");
    assert_eq!(code(pending.may_approve(&by(1, 5))), "self_approval");
    assert_eq!(
        code(pending.approve(&event, None, &by(1, 5))),
        "self_approval"
    );

    let approved = pending
        .approve(&event, Some(note("seen")), &by(2, 5))
        .unwrap();
    let did = *approved.applied().unwrap();
    assert_eq!((did.before, did.after), (quantity("100"), quantity("40")));
    assert_eq!(did.value_change, value("-120"));
    assert_eq!(approved.cost_impact(), value("-120"));
    assert_eq!(approved.decided_by(), Some(&by(2, 5).actor.user));
    assert_eq!(approved.decided_at(), Some(at(5)));
    assert!(matches!(
        approved.approve(&event, None, &by(3, 6)),
        Err(TransitionError::State {
            state: "applied",
            ..
        })
    ));
}

#[test]
fn a_policy_may_let_people_approve_their_own() {
    let policy = ApprovalPolicy {
        self_approval: true,
        ..ApprovalPolicy::default()
    };
    let pending = adjustment(request(AdjustmentType::Theft, "-1", "2"), &policy).unwrap();
    let event = event_of(&pending, "1", &by(1, 5));
    assert!(pending.approve(&event, None, &by(1, 5)).is_ok());
}

#[test]
fn only_its_own_event_applies_an_adjustment() {
    let policy = ApprovalPolicy::default();
    let made = adjustment(request(AdjustmentType::Found, "3", "2"), &policy).unwrap();
    let other = adjustment(request(AdjustmentType::Found, "4", "2"), &policy).unwrap();
    let event = event_of(&other, "1", &by(1, 0));
    assert_eq!(code(made.apply(&event)), "other_event");
    let mut event = event_of(&made, "1", &by(1, 0));
    event.key = key().at("A-01".parse().unwrap());
    assert_eq!(code(made.apply(&event)), "other_event");
}

#[test]
fn what_comes_in_costs_what_was_stated_or_what_the_book_says() {
    let policy = ApprovalPolicy::default();
    let mut found = request(AdjustmentType::Found, "3", "7");
    let stated = adjustment(found.clone(), &policy).unwrap();
    found.cost = AdjustmentCost {
        book: Some("7".parse().unwrap()),
        ..AdjustmentCost::default()
    };
    let by_the_book = adjustment(found, &policy).unwrap();
    assert_eq!(stated.cost_impact(), by_the_book.cost_impact());
    let change_of = |it: &StockAdjustment| it.ledger_change(StockEventId::new(Uuid::nil())).cost;
    let seven = "7".parse().unwrap();
    assert_eq!(change_of(&stated), IncomingCost::PerUnit(seven));
    assert_eq!(change_of(&by_the_book), IncomingCost::Current);
}

#[test]
fn impossible_adjustments_are_refused() {
    let policy = ApprovalPolicy::default();
    let zero = request(AdjustmentType::Correction, "0", "1");
    assert_eq!(code(adjustment(zero, &policy)), "no_change");
    let mut elsewhere = request(AdjustmentType::Correction, "1", "1");
    elsewhere.key.site = Uuid::from_u128(99).into();
    assert_eq!(code(adjustment(elsewhere, &policy)), "other_site");
    let huge = request(AdjustmentType::Correction, "1000000000000", "1000000");
    assert_eq!(code(adjustment(huge, &policy)), "out_of_range");
}

// ---- counts ------------------------------------------------------------------------------------

fn count() -> InventoryCount {
    let details = InventoryCountDetails {
        name: "March".parse().unwrap(),
        kind: CountType::Annual,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let id = InventoryCountId::new(Uuid::from_u128(8));
    InventoryCount::start(id, &site(), details, &by(1, 0))
}

fn found(counted: &str, book: &str) -> Found {
    Found {
        quantity: quantity(counted),
        moment: CountMoment {
            at: at(1),
            clock: at(1),
            known: 0,
            ahead: false,
            stated: false,
            sequence: 1,
            told: 1,
            book: quantity(book),
        },
        unit_cost: Some("20".parse().unwrap()),
        reason: Some(note("empty shelf")),
        notes: None,
    }
}

fn line(counted: &str, book: &str) -> InventoryCountItem {
    let policy = ApprovalPolicy::default();
    let found = found(counted, book);
    InventoryCountItem::new(&count(), key(), product(), found, &policy, &by(1, 1)).unwrap()
}

#[test]
fn a_large_discrepancy_is_flagged() {
    assert!(!line("75", "100").significant, "25 at 20 are 500");
    assert!(line("74.999999", "100").significant);
    let missing = line("10", "100");
    assert_eq!(missing.variance.quantity(), quantity("-90"));
    assert_eq!(missing.counted.adjustment_minor, -180_000);
    let again = missing
        .recounted(
            found("100", "100"),
            count().currency(),
            &ApprovalPolicy::default(),
            &by(2, 2),
        )
        .unwrap();
    assert!(!again.significant && !again.variance.is_discrepancy());
    assert_eq!((again.id, again.created_at), (missing.id, at(1)));
    assert_eq!(again.updated_at, at(2));
}

#[test]
fn what_a_count_adjusts_is_approved_beforehand() {
    let options = CompletionOptions {
        apply_adjustments: true,
        skip_unpostable: true,
    };
    let job = JobId::new(Uuid::from_u128(3));
    let completing = count()
        .begin_completing(options, None, job, &by(4, 2))
        .unwrap();
    let item = line("10", "100");
    let policy = ApprovalPolicy::default();
    let by_hand = adjustment(request(AdjustmentType::Correction, "-90", "20"), &policy).unwrap();
    assert!(by_hand.requires_approval());
    let mut event = event_of(&by_hand, "100", &by(4, 3));
    let made = |count: &InventoryCount, event: &StockEvent| {
        StockAdjustment::of_count(count, &item, event, note("March"), at(3))
    };
    assert_eq!(code(made(&completing, &event)), "other_event");
    event.cause = stocktake::domain::Cause::InventoryCount(completing.id());
    assert!(matches!(
        made(&count(), &event),
        Err(TransitionError::State { .. })
    ));
    let adjustment = made(&completing, &event).unwrap();
    assert_eq!(adjustment.state(), StockAdjustmentState::Applied);
    assert!(!adjustment.requires_approval());
    assert_eq!(adjustment.change(), quantity("-90"));
    assert_eq!(adjustment.cost_impact_minor(), -180_000);
    assert_eq!(adjustment.decided_by(), Some(&by(4, 2).actor.user));
    assert_eq!(adjustment.count(), Some(completing.id()));
    assert_eq!(adjustment.id(), made(&completing, &event).unwrap().id());

    let mut nothing = event.clone();
    nothing.change = Quantity::ZERO;
    assert_eq!(code(made(&completing, &nothing)), "no_change");
    let mut elsewhere = event.clone();
    elsewhere.key = key().at("A-01".parse().unwrap());
    assert_eq!(code(made(&completing, &elsewhere)), "other_event");
    let mut foreign = item.clone();
    foreign.count = InventoryCountId::new(Uuid::from_u128(88));
    let foreign = StockAdjustment::of_count(&completing, &foreign, &event, note("March"), at(3));
    assert_eq!(code(foreign), "other_event");
}

// ---- tolerance ---------------------------------------------------------------------------------

fn percent(limit: &str) -> Tolerance {
    Tolerance {
        percent: Some(quantity(limit)),
        ..Tolerance::default()
    }
}

fn exceeded(tolerance: Tolerance, expected: &str, counted: &str, worth: &str) -> bool {
    tolerance
        .exceeded_by(quantity(expected), quantity(counted), value(worth))
        .unwrap()
}

#[test]
fn tolerance_is_exceeded_strictly_beyond_each_limit() {
    let units = Tolerance {
        quantity: Some(quantity("2")),
        ..Tolerance::default()
    };
    assert!(!exceeded(units, "10", "8", "-1000"));
    assert!(!exceeded(units, "10", "12", "1000"));
    assert!(exceeded(units, "10", "7.999999", "0"));
    assert!(exceeded(units, "10", "12.000001", "0"));

    let worth = Tolerance {
        value: Some(value("200")),
        ..Tolerance::default()
    };
    assert!(!exceeded(worth, "10", "0", "-200"));
    assert!(exceeded(worth, "10", "0", "-200.0000000001"));
    assert!(exceeded(worth, "10", "20", "200.0000000001"));

    // A third of three is exact: nothing is divided.
    assert!(!exceeded(
        percent("33.333333"),
        "300000000",
        "200000001",
        "0"
    ));
    assert!(exceeded(
        percent("33.333333"),
        "300000000",
        "200000000.999999",
        "0"
    ));
    assert!(!exceeded(percent("100"), "3", "0", "0"));
    assert!(!exceeded(percent("100"), "-3", "-6", "0"));
    assert!(exceeded(percent("100"), "-3", "0.000001", "0"));
    assert!(exceeded(percent("0"), "3", "3.000001", "0"));
    assert!(!exceeded(percent("0"), "3", "3", "0"));
}

#[test]
fn what_nobody_expected_exceeds_every_percentage() {
    assert!(exceeded(percent("1000000000000"), "0", "0.000001", "0"));
    assert!(!exceeded(percent("0"), "0", "0", "0"));
    assert!(!exceeded(
        Tolerance::default(),
        "0",
        "1000000000000",
        "1000"
    ));
}

#[test]
fn a_difference_out_of_range_is_an_error() {
    let most = Quantity::MAX;
    let result = Tolerance::default().exceeded_by(most.negated(), most, Value::ZERO);
    assert!(result.is_err());
}

proptest! {
    #![proptest_config(certain(256))]

    #[test]
    fn percent_agrees_with_exact_fractions(
        expected in 0..=1_000_000_000_000_000_i64,
        counted in 0..=1_000_000_000_000_000_i64,
        limit in 0..=200_000_000_i64,
    ) {
        let of = |micros| Quantity::from_micros(micros).unwrap();
        let tolerance = Tolerance { percent: Some(of(limit)), ..Tolerance::default() };
        let told = tolerance.exceeded_by(of(expected), of(counted), Value::ZERO).unwrap();
        // |counted - expected| / expected > limit / 100, the limit being in millionths.
        let off = i128::from(counted.abs_diff(expected));
        let over = off * 100 * 1_000_000 > i128::from(limit) * i128::from(expected);
        prop_assert_eq!(told, over);
    }

    #[test]
    fn a_variance_is_missing_or_excess_and_never_both(
        expected in -1_000_000_000_i64..=1_000_000_000,
        counted in 0..=1_000_000_000_i64,
        cost in 0..=1_000_000_000_i64,
    ) {
        let of = |micros| Quantity::from_micros(micros).unwrap();
        let cost = stocktake::domain::UnitCost::from_micros(cost).unwrap();
        let variance = Variance::of(of(expected), of(counted), Some(cost), site().currency).unwrap();
        prop_assert_eq!(variance.quantity(), of(counted - expected));
        prop_assert!(variance.missing_minor() >= 0 && variance.excess_minor() >= 0);
        prop_assert!(variance.missing_minor() == 0 || variance.excess_minor() == 0);
        prop_assert_eq!(variance.excess_minor() - variance.missing_minor(), variance.minor());
        let back = Variance::of(of(counted), of(expected), Some(cost), site().currency).unwrap();
        prop_assert_eq!(back.missing_minor(), variance.excess_minor());
    }
}
