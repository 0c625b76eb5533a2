//! What a count comes to, from the first line to its completion; and what an import tells of itself.

use crate::shop::{ORGANISATION, at, by, key, note, product, site};
use stocktake::domain::{
    ApprovalPolicy, CompletionOptions, CompletionStage, CountEntryId, CountError, CountMoment,
    CountResult, CountTotals, CountType, Found, ImportMode, ImportProblem, InventoryCount,
    InventoryCountDetails, InventoryCountId, InventoryCountItem, InventoryCountItemId,
    InventoryCountState, JobId, LineProblem, MovementPolicy, Quantity, RefusedCountItem,
    StockImport, StockImportId, StockImportState, StockKey, TransitionError, Variance,
};
use uuid::Uuid;

fn count() -> InventoryCount {
    let details = InventoryCountDetails {
        name: "March".parse().unwrap(),
        kind: CountType::Cycle,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let id = InventoryCountId::new(Uuid::from_u128(8));
    InventoryCount::start(id, &site(), details, &by(1, 0))
}

fn job() -> JobId {
    JobId::new(Uuid::from_u128(3))
}

fn line(key: StockKey, counted: &str, book: &str) -> Result<InventoryCountItem, CountError> {
    let found = Found {
        quantity: counted.parse().unwrap(),
        moment: CountMoment {
            at: at(1),
            clock: at(1),
            known: 0,
            ahead: false,
            stated: false,
            sequence: 1,
            told: 1,
            book: book.parse().unwrap(),
        },
        unit_cost: product().standard_cost("gbp".parse().unwrap()),
        reason: Some(note("mixed up")),
        notes: None,
    };
    let policy = ApprovalPolicy::default();
    InventoryCountItem::new(&count(), key, product(), found, &policy, &by(5, 1))
}

/// The code of the rule that refused.
fn code<T: std::fmt::Debug>(result: Result<T, TransitionError>) -> &'static str {
    match result {
        Err(TransitionError::Rule { code, .. }) => code,
        other => panic!("not refused by a rule: {other:?}"),
    }
}

#[test]
fn a_line_keeps_what_was_counted_against_what() {
    let line = line(key(), "38", "40").unwrap();
    assert_eq!(line.id, InventoryCountItemId::for_key(count().id(), &key()));
    assert_eq!(line.system_quantity(), Quantity::from(40));
    assert_eq!(line.variance.missing_minor(), 2_500);
    assert_eq!(line.counted.adjustment_minor, -2_500);
    let entry = line.entry(CountEntryId::new(Uuid::from_u128(1)), None, &by(5, 1));
    assert_eq!(entry.counted, Quantity::from(38));
    assert_eq!(entry.book, Quantity::from(40));
    assert_eq!((entry.at, entry.by), (at(1), by(5, 1).actor.user.id));
    assert_eq!(entry.reason, Some(note("mixed up")));
}

#[test]
fn impossible_counts_are_refused() {
    let negative = line(key(), "-0.000001", "1").unwrap_err();
    assert!(matches!(negative, CountError::Negative { .. }));
    let serial = || key().with_serial("S-1".parse().unwrap());
    assert!(matches!(
        line(serial(), "2", "1"),
        Err(CountError::Serial { .. })
    ));
    assert!(matches!(
        line(serial(), "0.5", "1"),
        Err(CountError::Serial { .. })
    ));
    assert!(line(serial(), "0", "1").is_ok());
    let huge = line(key(), "1000000000000", "-1");
    assert_eq!(huge, Err(CountError::OutOfRange));
}

#[test]
fn a_variance_whose_magnitude_does_not_exist_is_an_error() {
    let of = |counted: &str, cost: &str| {
        let (counted, cost) = (counted.parse().unwrap(), cost.parse().unwrap());
        Variance::of(Quantity::ZERO, counted, Some(cost), site().currency)
    };
    // This is worth i64::MIN pence: it would fit, but what is missing is told without the sign.
    assert!(of("-9007199254.740992", "10240000").is_err());
    assert!(of("-9007199254.740991", "10240000").is_ok());
    assert!(of("-1000000000000", "1000000000000").is_err());
}

#[test]
fn net_never_hides_gross() {
    let mut totals = CountTotals::default();
    for counted in ["8", "10", "12"] {
        totals = totals.with(&line(key(), counted, "10").unwrap().variance);
    }
    assert_eq!((totals.items(), totals.discrepancies()), (3, 2));
    assert_eq!(
        (totals.missing_minor(), totals.excess_minor()),
        (2_500, 2_500)
    );
    assert_eq!(totals.net_minor(), 0);
    // Rounded, not cut.
    for (lines, discrepancies, accuracy) in
        [(3, 1, "0.666667"), (3, 2, "0.333333"), (8, 1, "0.875")]
    {
        let totals = CountTotals::new(lines, discrepancies, 1, 0).unwrap();
        assert_eq!(totals.accuracy().unwrap().to_string(), accuracy);
    }
    assert_eq!(
        CountTotals::new(3, 0, 0, 0).unwrap().accuracy(),
        Some(1.into())
    );
    assert_eq!(CountTotals::default().accuracy(), None);
}

#[test]
fn totals_that_cannot_be_are_errors() {
    assert!(CountTotals::new(1, 2, 0, 0).is_err());
    assert!(CountTotals::new(1, 1, -1, 0).is_err());
    assert!(CountTotals::new(1, 1, 0, -1).is_err());
    let most = i128::from(i64::MAX);
    assert!(CountTotals::new(1, 1, most + 1, 0).is_err());
    assert!(CountTotals::new(1, 1, 0, most + 1).is_err());
    let all = CountTotals::new(1, 1, most, most).unwrap();
    let missing = CountTotals::new(1, 1, most, 0).unwrap();
    let sum = all.and(missing);
    assert_eq!((sum.items(), sum.discrepancies()), (2, 2));
    assert_eq!((sum.missing_minor(), sum.excess_minor()), (2 * most, most));
    assert_eq!(sum.net_minor(), -most);
}

#[test]
fn what_is_posted_is_checked_first() {
    let begin = |apply_adjustments, skip_unpostable| {
        let options = CompletionOptions {
            apply_adjustments,
            skip_unpostable,
        };
        let begun = count().begin_completing(options, None, job(), &by(4, 2));
        begun.unwrap().completion().unwrap().stage
    };
    assert_eq!(begin(true, false), CompletionStage::Check);
    assert_eq!(begin(true, true), CompletionStage::Apply);
    assert_eq!(begin(false, false), CompletionStage::Apply);
    assert_eq!(begin(false, true), CompletionStage::Apply);
}

#[test]
fn a_completion_is_given_up_before_it_posts_and_finished_after() {
    let options = CompletionOptions {
        apply_adjustments: true,
        skip_unpostable: false,
    };
    let checking = count()
        .begin_completing(options, Some(note("done")), job(), &by(4, 2))
        .unwrap();
    assert_eq!((checking.epoch(), checking.round()), (2, 1));
    assert_eq!(code(checking.finish_completing(at(3))), "posting_not_begun");

    let mut completion = checking.completion().unwrap().clone();
    completion.refused_total = 1;
    completion.refused.push(RefusedCountItem {
        name: "SKU-1".into(),
        item: InventoryCountItemId::for_key(checking.id(), &key()),
        key: key(),
        problem: LineProblem::CostUnknown,
    });
    let refused = checking.advance(completion.clone(), at(3)).unwrap();
    let again = refused.abandon_completing(at(4)).unwrap();
    assert_eq!(again.state(), InventoryCountState::InProgress);
    assert_eq!(again.refusal().unwrap().total, 1);
    assert_eq!((again.epoch(), again.completion()), (3, None));

    completion.stage = CompletionStage::Apply;
    completion.tally = CountResult {
        totals: CountTotals::new(2, 1, 2_500, 0).unwrap(),
        adjusted: 1,
        ..CountResult::default()
    };
    let applying = checking.advance(completion, at(5)).unwrap();
    assert_eq!(code(applying.abandon_completing(at(6))), "run_has_begun");
    let done = applying.finish_completing(at(6)).unwrap();
    assert_eq!(done.result().unwrap().totals.missing_minor(), 2_500);
    assert_eq!(done.completed_by(), Some(&by(4, 2).actor.user));
    assert_eq!(done.completed_at(), Some(at(6)));
    assert_eq!(done.completion_notes(), Some(&note("done")));
    assert_eq!(done.completion(), None);
}

#[test]
fn an_import_counts_its_values() {
    let id = StockImportId::new(Uuid::from_u128(5));
    let new = StockImport::create(id, ORGANISATION, ImportMode::Adjustment, 3, &by(1, 0));
    assert_eq!(code(new.apply(at(1))), "values_left");
    assert_eq!(code(new.advance(3, problems(1), at(1))), "too_many_values");
    let half = new.advance(1, problems(0), at(1)).unwrap();
    let report = half
        .reject(note("no such place"), at(2))
        .unwrap()
        .report()
        .clone();
    assert_eq!((report.applied, report.failed), (1, 2));
    let done = half
        .advance(1, problems(1), at(2))
        .unwrap()
        .apply(at(3))
        .unwrap();
    assert_eq!(done.state(), StockImportState::Applied);
    assert_eq!(done.finished_at(), Some(at(3)));
}

/// So many values that can't be applied.
fn problems(number: u64) -> Vec<ImportProblem> {
    let problem = |row| ImportProblem {
        row,
        place: "store-1/SKU-1".to_owned(),
        code: "out_of_range".to_owned(),
        message: "out of range".to_owned(),
    };
    (0..number).map(problem).collect()
}
