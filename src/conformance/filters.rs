//! C35: what filters let through, and in what order.

use std::collections::BTreeSet;

use super::checks::{Verdict, Wrong, ensure, same};
use super::difference::in_short;
use super::harness::{Stage, Store};
use super::questions::{Question, Row, ids};
use super::records::{COUNT, ORDER};
use super::samples::*;
use super::shelves::{keys, shelves};
use crate::domain::{
    Code, CountStatus, CountTotals, InventoryCountState, InventoryOrderState, LineOutcome, Product,
    SearchText, StockAdjustmentState, StockTakeItem, StockTakeState,
};
use crate::store::{
    ArticleFilter, ArticleSort, InventoryCountFilter, InventoryCountItemFilter,
    InventoryOrderFilter, InventoryOrderItemFilter, LevelFilter, MAX_PAGE, RecordKey,
    StockAdjustmentFilter, StockTakeFilter, StockTakeItemFilter, StockTakeTotals,
};

/// A filter with something set.
fn with<T: Default>(set: impl FnOnce(&mut T)) -> T {
    let mut filter = T::default();
    set(&mut filter);
    filter
}

/// Filters of a take's lines: each condition alone, some together.
pub(super) fn line_filters() -> Vec<StockTakeItemFilter> {
    type Filter = StockTakeItemFilter;
    let mut filters: Vec<Filter> = vec![
        with(|it: &mut Filter| it.brands = [brand(1).id].into()),
        with(|it: &mut Filter| it.brands = [brand(1).id, brand(2).id, brand(99).id].into()),
        with(|it: &mut Filter| it.categories = [category(1).id, category(3).id].into()),
        with(|it: &mut Filter| it.suppliers = [supplier(1).id].into()),
        with(|it: &mut Filter| it.suppliers = [supplier(1).id, supplier(2).id].into()),
        with(|it: &mut Filter| it.status = CountStatus::Counted),
        with(|it: &mut Filter| it.status = CountStatus::Uncounted),
        with(|it: &mut Filter| it.place = Some(code("A"))),
        with(|it: &mut Filter| it.article = Some(code("Soap"))),
        with(|it: &mut Filter| it.batch = Some(code("soap"))),
        with(|it: &mut Filter| it.serial = Some(code("\u{c5}nga"))),
        with(|it: &mut Filter| it.left_over = true),
        with(|it: &mut Filter| {
            it.brands = (1..=3).map(|n| brand(n).id).collect();
            it.categories = (1..=3).map(|n| category(n).id).collect();
            it.status = CountStatus::Counted;
        }),
        with(|it: &mut Filter| {
            it.suppliers = [supplier(1).id, supplier(3).id].into();
            it.name = Some(search("S"));
        }),
    ];
    for text in [
        "soap", "SOAP", "%", "_", "\\", "\u{e5}", "a\u{30a}", "STRASSE", "7", "~",
    ] {
        filters.push(with(|it: &mut Filter| it.name = Some(search(text))));
        filters.push(with(|it: &mut Filter| {
            it.name_or_barcode = Some(search(text));
        }));
    }
    filters
}

/// Lists narrowed by each filter that there is.
pub(super) fn every_filter() -> Vec<Question> {
    let line = ArticleSort::default();
    let mut all: Vec<Question> = line_filters()
        .into_iter()
        .map(|filter| Question::StockTakeItems(TAKE, filter, line))
        .collect();
    for (place, products, with_delisted) in [
        (None, &[][..], false),
        (Some("A"), &[], true),
        (Some("a"), &[], true),
        (None, &[3, 1, 99], true),
        (None, &[2], false),
        (Some("B"), &[1, 2, 3, 4, 5, 6], true),
    ] {
        let filter = LevelFilter {
            place: place.map(code),
            products: products.iter().map(|n| product_id(*n)).collect(),
            with_delisted,
        };
        all.push(Question::Levels(SITE, filter));
    }
    for (text, from) in [
        (Some("soap"), None),
        (Some("%"), None),
        (Some("_"), None),
        (None, Some(1)),
        (Some("s"), Some(2)),
    ] {
        let filter = ArticleFilter {
            name_or_barcode: text.map(search),
            supplier: from.map(|n| supplier(n).id),
            changed_since: None,
        };
        all.push(Question::Articles(SITE, filter, line));
    }
    all.extend(document_filters());
    all
}

fn document_filters() -> Vec<Question> {
    let mut all = Vec::new();
    let spans = [
        (None, None),
        (Some(0), None),
        (None, Some(1)),
        (Some(0), Some(2)),
    ];
    for state in StockTakeState::ALL {
        let states = BTreeSet::from([*state, StockTakeState::New]);
        all.push(Question::StockTakes(SITE, StockTakeFilter { states }));
    }
    for state in InventoryCountState::ALL {
        for (from, to) in spans {
            let filter = InventoryCountFilter {
                states: BTreeSet::from([*state]),
                from: from.map(at),
                to: to.map(at),
            };
            all.push(Question::InventoryCounts(SITE, filter.clone()));
            let states = BTreeSet::new();
            let any = InventoryCountFilter { states, ..filter };
            all.push(Question::InventoryCounts(SITE, any));
        }
    }
    for state in StockAdjustmentState::ALL {
        for (from, to) in spans {
            for product in [None, Some(product_id(1))] {
                let filter = StockAdjustmentFilter {
                    states: BTreeSet::from([*state]),
                    from: from.map(at),
                    to: to.map(at),
                    product,
                };
                all.push(Question::StockAdjustments(SITE, filter));
            }
        }
    }
    let product = Some(product_id(2));
    let filter = with(|it: &mut StockAdjustmentFilter| it.product = product);
    all.push(Question::StockAdjustments(SITE, filter));
    for state in InventoryOrderState::ALL {
        let states = BTreeSet::from([*state]);
        let filter = with(|it: &mut InventoryOrderFilter| it.states = states);
        all.push(Question::InventoryOrders(SITE, filter));
    }
    for text in ["soap", "%", "_", "7", "\u{e5}"] {
        let number = Some(search(text));
        let filter = with(|it: &mut InventoryOrderFilter| it.purchase_order_number = number);
        all.push(Question::InventoryOrders(SITE, filter));
    }
    for (discrepancies, significant) in [(true, false), (false, true), (true, true)] {
        let filter = InventoryCountItemFilter {
            discrepancies,
            significant,
        };
        all.push(Question::InventoryCountItems(COUNT, filter));
    }
    for (brands, categories) in [(&[1][..], &[][..]), (&[], &[2, 3]), (&[1, 2], &[1, 2])] {
        let filter = InventoryOrderItemFilter {
            brands: brands.iter().map(|n| brand(*n).id).collect(),
            categories: categories.iter().map(|n| category(*n).id).collect(),
        };
        all.push(Question::InventoryOrderItems(ORDER, filter));
    }
    all
}

/// Whether a row passes its list's filter: written from the words of the contract, row by row.
fn is_wanted(question: &Question, row: &Row) -> bool {
    match (question, row) {
        (Question::StockTakeItems(_, filter, _), Row::StockTakeItem(row)) => {
            is_line_wanted(filter, &row.item.value)
        }
        (Question::Levels(_, filter), Row::Level(row)) => {
            (filter.with_delisted || row.is_stocked())
                && is_equal(filter.place.as_ref(), row.key().place.as_ref())
                && is_any(&filter.products, [row.key().product])
        }
        (Question::Articles(_, filter, _), Row::Article(row)) => {
            let product = &row.product;
            let sellers = product.suppliers.iter().map(|it| it.id);
            row.level.is_stocked()
                && is_any(&filter.supplier.into_iter().collect(), sellers)
                && has_text(filter.name_or_barcode.as_ref(), product, true)
        }
        (Question::StockTakes(_, filter), Row::StockTake(row)) => filter.matches(row.state()),
        (Question::InventoryCounts(_, filter), Row::InventoryCount(row)) => {
            is_any(&filter.states, [row.state()])
                && filter.from.is_none_or(|from| row.started_at() >= from)
                && filter.to.is_none_or(|to| row.started_at() < to)
        }
        (Question::InventoryCountItems(_, filter), Row::InventoryCountItem(row)) => {
            (!filter.discrepancies || row.variance.is_discrepancy())
                && (!filter.significant || row.significant)
        }
        (Question::StockAdjustments(_, filter), Row::StockAdjustment(row)) => {
            is_any(&filter.states, [row.state()])
                && filter.from.is_none_or(|from| row.created_at() >= from)
                && filter.to.is_none_or(|to| row.created_at() < to)
                && filter.product.is_none_or(|it| row.key().product == it)
        }
        (Question::InventoryOrders(_, filter), Row::InventoryOrder(row)) => {
            let number = row.purchase_order_number();
            let in_state = if filter.states.is_empty() {
                row.state() != InventoryOrderState::Removed
            } else {
                filter.states.contains(&row.state())
            };
            in_state
                && filter
                    .purchase_order_number
                    .as_ref()
                    .is_none_or(|text| number.is_some_and(|number| text.is_in(number.as_str())))
        }
        (Question::InventoryOrderItems(_, filter), Row::InventoryOrderItem(row)) => {
            let product = row.product();
            is_any(&filter.brands, product.brand.iter().map(|it| it.id))
                && is_any(&filter.categories, product.category.iter().map(|it| it.id))
        }
        (_, _) => true,
    }
}

fn is_equal(wanted: Option<&Code>, actual: Option<&Code>) -> bool {
    wanted.is_none() || wanted == actual
}

/// Whether any of these is wanted, or anything is.
fn is_any<T: Ord>(wanted: &BTreeSet<T>, actual: impl IntoIterator<Item = T>) -> bool {
    wanted.is_empty() || actual.into_iter().any(|it| wanted.contains(&it))
}

fn has_text(text: Option<&SearchText>, product: &Product, in_barcodes: bool) -> bool {
    text.is_none_or(|text| {
        let barcodes = product.barcodes.iter().filter(|_| in_barcodes);
        text.is_in(product.name.as_str())
            || barcodes.into_iter().any(|it| text.is_in(it.value.as_str()))
    })
}

fn is_line_wanted(filter: &StockTakeItemFilter, line: &StockTakeItem) -> bool {
    let product = &line.product;
    let left_over = matches!(
        line.posting.as_ref().map(|it| &it.outcome),
        Some(LineOutcome::Unposted { .. })
    );
    let in_status = match filter.status {
        CountStatus::All => true,
        CountStatus::Counted => line.is_counted(),
        CountStatus::Uncounted => !line.is_counted(),
    };
    in_status
        && is_any(&filter.brands, product.brand.iter().map(|it| it.id))
        && is_any(&filter.categories, product.category.iter().map(|it| it.id))
        && is_any(&filter.suppliers, product.suppliers.iter().map(|it| it.id))
        && has_text(filter.name.as_ref(), product, false)
        && has_text(filter.name_or_barcode.as_ref(), product, true)
        && is_equal(filter.place.as_ref(), line.key.place.as_ref())
        && is_equal(filter.article.as_ref(), Some(&product.article_id))
        && is_equal(filter.batch.as_ref(), line.key.batch.as_ref())
        && is_equal(filter.serial.as_ref(), line.key.serial.as_ref())
        && (!filter.left_over || left_over)
}

/// The whole list that a filter narrows.
fn unfiltered(question: &Question) -> Question {
    match question {
        Question::Levels(site, _) => {
            let filter = with(|it: &mut LevelFilter| it.with_delisted = true);
            Question::Levels(*site, filter)
        }
        Question::Articles(site, _, sort) => {
            Question::Articles(*site, ArticleFilter::default(), *sort)
        }
        Question::StockTakes(site, _) => {
            let states = StockTakeState::ALL.iter().copied().collect();
            Question::StockTakes(*site, StockTakeFilter { states })
        }
        Question::StockTakeItems(take, _, sort) => {
            Question::StockTakeItems(*take, StockTakeItemFilter::default(), *sort)
        }
        Question::InventoryCounts(site, _) => {
            Question::InventoryCounts(*site, InventoryCountFilter::default())
        }
        Question::InventoryCountItems(count, _) => {
            Question::InventoryCountItems(*count, InventoryCountItemFilter::default())
        }
        Question::StockAdjustments(site, _) => {
            Question::StockAdjustments(*site, StockAdjustmentFilter::default())
        }
        Question::InventoryOrders(site, _) => {
            let states = InventoryOrderState::ALL.iter().copied().collect();
            let filter = with(|it: &mut InventoryOrderFilter| it.states = states);
            Question::InventoryOrders(*site, filter)
        }
        Question::InventoryOrderItems(order, _) => {
            Question::InventoryOrderItems(*order, InventoryOrderItemFilter::default())
        }
        Question::OpenJobs => Question::OpenJobs,
        Question::DeadJobs => Question::DeadJobs,
    }
}

/// That a list is of the site or the document that it was asked of: nothing of another is in it, and all of its own is. Of
/// levels, articles are those that are stocked.
fn is_of_its_own(whole: &[Row], what: &str) -> Verdict {
    let own = keys();
    let key = |row: &Row| match row {
        Row::Level(row) => Some(RecordKey::StockLevel(row.key().clone())),
        Row::Article(row) => Some(RecordKey::StockLevel(row.level.key().clone())),
        Row::StockTake(row) => Some(RecordKey::StockTake(row.id())),
        Row::StockTakeItem(row) => Some(RecordKey::StockTakeItem(row.item.take, row.item.id)),
        Row::InventoryCount(row) => Some(RecordKey::InventoryCount(row.id())),
        Row::InventoryCountItem(row) => Some(RecordKey::InventoryCountItem(row.count, row.id)),
        Row::StockAdjustment(row) => Some(RecordKey::StockAdjustment(row.id())),
        Row::InventoryOrder(row) => Some(RecordKey::InventoryOrder(row.id())),
        Row::InventoryOrderItem(row) => Some(RecordKey::InventoryOrderItem(row.order(), row.id())),
        Row::Job(_) => None,
    };
    for row in whole {
        if let Some(key) = key(row) {
            ensure!(
                own.contains(&key),
                "{what}\nexpected: rows of this list\nfound: one of another site or document, {}",
                in_short(&key)
            );
        }
    }
    let (Some(first), false) = (
        whole.first(),
        matches!(whole.first(), Some(Row::Article(_))),
    ) else {
        return Ok(());
    };
    let Some(first) = key(first) else {
        return Ok(());
    };
    let same_kind = |it: &&RecordKey| std::mem::discriminant(*it) == std::mem::discriminant(&first);
    same(
        whole.len(),
        own.iter().filter(same_kind).count(),
        &format!("{what}: rows of the list without its filter"),
    )
}

/// Any of a set, all of the conditions; texts are looked for as they are; no filter changes the order.
pub(super) async fn c35_filters_or_within_and_across_search_literal(stage: &Stage<'_>) -> Verdict {
    let mut silent = every_filter();
    // Eight stores at least, and as many as it takes for every filter to let something through.
    for seed in 350..400 {
        if seed >= 358 && silent.is_empty() {
            break;
        }
        let store = shelves(stage, seed).await?;
        for question in every_filter() {
            let whole = unfiltered(&question)
                .walk(&*store, ORGANISATION, MAX_PAGE)
                .await?;
            let what = format!("{question} (seed {seed})");
            is_of_its_own(&whole, &what)?;
            let expected: Vec<_> = whole
                .into_iter()
                .filter(|row| is_wanted(&question, row))
                .collect();
            let found = question.walk(&*store, ORGANISATION, MAX_PAGE).await?;
            same(ids(&found), ids(&expected), &what)?;
            if !found.is_empty() {
                silent.retain(|it| *it != question);
            }
            let found = question.walk(&*store, ORGANISATION, 2).await?;
            same(ids(&found), ids(&expected), &format!("{what}, by twos"))?;
        }
    }
    same(silent, [], "filters that let nothing through in any store")
}

/// That the totals of a filter, if it has some, are the sums over its list.
pub(super) async fn totals_are_those_of_the_list(
    store: &dyn Store,
    question: &Question,
) -> Verdict {
    match question {
        Question::StockTakeItems(take, filter, _) => {
            let rows = question.walk(store, ORGANISATION, MAX_PAGE).await?;
            let mut expected = StockTakeTotals::default();
            for row in &rows {
                if let Row::StockTakeItem(row) = row {
                    expected.items += 1;
                    expected.counted += u64::from(row.item.is_counted());
                    expected.adjustment_minor += i128::from(row.item.adjustment_minor());
                    expected.versions += row.item.version.get();
                }
            }
            let found = store.stock_take_totals(ORGANISATION, *take, filter).await?;
            same(found, expected, &format!("the totals of {question}"))
        }
        Question::InventoryCountItems(count, _) => {
            let rows = unfiltered(question)
                .walk(store, ORGANISATION, MAX_PAGE)
                .await?;
            let found = store.inventory_count_totals(ORGANISATION, *count).await?;
            same(found, count_totals(&rows)?, "the totals of a count")
        }
        _ => Ok(()),
    }
}

/// That nothing which the store keeps beside the rows of a list is told to be unlike them (R21).
pub(super) async fn nothing_is_unlike(store: &dyn Store, question: &Question) -> Verdict {
    let mut keys = Vec::new();
    for row in question.walk(store, ORGANISATION, MAX_PAGE).await? {
        match (&row, question) {
            (Row::StockTakeItem(row), Question::StockTakeItems(take, ..)) => {
                keys.push(RecordKey::StockTakeItem(*take, row.item.id));
                keys.push(RecordKey::StockTake(*take));
            }
            (Row::InventoryCountItem(row), Question::InventoryCountItems(count, _)) => {
                keys.push(RecordKey::InventoryCountItem(*count, row.value.id));
                keys.push(RecordKey::InventoryCount(*count));
            }
            (Row::Level(row), _) => keys.push(RecordKey::StockLevel(row.key().clone())),
            (_, _) => {}
        }
    }
    keys.push(RecordKey::Site(SITE));
    let found = store.unlike(ORGANISATION, &keys).await?;
    same(found, [], &format!("what is unlike the rows of {question}"))
}

fn count_totals(rows: &[Row]) -> Result<CountTotals, Wrong> {
    let (mut items, mut discrepancies, mut missing, mut excess) = (0, 0, 0, 0);
    for row in rows {
        if let Row::InventoryCountItem(row) = row {
            items += 1;
            discrepancies += u64::from(row.variance.is_discrepancy());
            missing += i128::from(row.variance.missing_minor());
            excess += i128::from(row.variance.excess_minor());
        }
    }
    Ok(CountTotals::new(items, discrepancies, missing, excess)?)
}
