//! The variance report: what was counted against the book, by line, by reason and by category.

use std::collections::BTreeMap;

use stocktake::domain::{CountStatus, Quantity, StockTakeId, StockTakeItem};
use stocktake::store::{StockTakeItemFilter, StockTakeTotals};

use crate::counting::lines_of;
use crate::failure::{Checks, Failure};
use crate::retail::Reason;
use crate::screen::{clipped, grouped, line, of, pounds, signed, table};
use crate::shop::{Bay, GiftShop};

/// How many lines are told one by one.
const WORST: usize = 15;
/// How much of a name is told.
const NAME: usize = 24;
/// How much of a note is told.
const NOTE: usize = 18;

/// A counted line that differs from the book.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The number of its bay.
    pub(crate) bay: usize,
    /// What was expected.
    expected: Quantity,
    /// What was counted.
    counted: Quantity,
    /// Counted less expected.
    pub(crate) variance: Quantity,
    /// What that is worth, in pence.
    pub(crate) pence: i64,
}

/// Missing and excess, never netted against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    lines: usize,
    missing: i64,
    excess: i64,
}

impl Sum {
    fn add(&mut self, pence: i64) {
        self.lines += 1;
        self.missing += pence.min(0);
        self.excess += pence.max(0);
    }

    fn cells(self) -> [String; 4] {
        [
            grouped(self.lines),
            pounds(self.missing),
            pounds(self.excess),
            pounds(self.missing + self.excess),
        ]
    }
}

/// Where a take stands, in one sentence.
fn progress(totals: &StockTakeTotals) -> String {
    let done = totals.counted * 1_000 / totals.items.max(1);
    format!(
        "Progress: {}, {} counted ({}.{} %), {} uncounted",
        of(totals.items, "line", "lines"),
        grouped(totals.counted),
        done / 10,
        done % 10,
        grouped(totals.uncounted())
    )
}

/// The totals of all lines.
pub(crate) async fn totals(shop: &GiftShop, take: StockTakeId) -> Result<StockTakeTotals, Failure> {
    let takes = shop.library.stock_takes();
    let all = StockTakeItemFilter::default();
    Ok(takes.totals(&shop.manager, take, &all).await?)
}

/// The counted lines that differ, the worst first.
pub(crate) async fn differences(
    shop: &GiftShop,
    take: StockTakeId,
) -> Result<Vec<Difference>, Failure> {
    let mut found = Vec::new();
    for view in lines_of(shop, take, CountStatus::Counted).await? {
        let item: &StockTakeItem = &view.item.value;
        let (Some((bay, _)), Some(count), Some(expected), Some(variance)) = (
            shop.bay_of(&item.key),
            &item.count,
            item.expected(),
            item.variance(),
        ) else {
            continue;
        };
        if !variance.is_zero() {
            found.push(Difference {
                bay,
                expected,
                counted: count.quantity,
                variance,
                pence: item.adjustment_minor(),
            });
        }
    }
    found.sort_by_key(|found| (std::cmp::Reverse(found.pence.unsigned_abs()), found.bay));
    Ok(found)
}

/// Prints the report, and checks that its parts add up to the library's total.
pub(crate) fn print(
    shop: &GiftShop,
    found: &[Difference],
    totals: &StockTakeTotals,
    checks: &mut Checks,
) -> Result<(), Failure> {
    let mut all = Sum::default();
    let mut reasons: BTreeMap<Reason, Sum> = BTreeMap::new();
    let mut categories: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut worst = Vec::new();
    for difference in found {
        let Some(bay) = shop.bays.get(difference.bay) else {
            continue;
        };
        all.add(difference.pence);
        reasons
            .entry(reason(bay))
            .or_default()
            .add(difference.pence);
        categories
            .entry(bay.article.category)
            .or_default()
            .add(difference.pence);
        if worst.len() < WORST {
            worst.push(row(bay, difference));
        }
    }
    let title = format!(
        "Variances: the worst {} of {}",
        grouped(worst.len()),
        of(found.len(), "line", "lines")
    );
    let header = [
        "shelf",
        "article",
        "name",
        "staff's note",
        "expected",
        "counted",
        "variance",
        "value",
    ];
    line(format_args!("\n{}", progress(totals)))?;
    if found.is_empty() {
        return Ok(line("No line differs from the book.")?);
    }
    table(&title, &header, 4, worst)?;

    let header = |what| [what, "lines", "missing", "excess", "net"];
    let rows = |sums: Vec<(String, Sum)>| {
        let total = ("total".to_owned(), all);
        sums.into_iter()
            .chain([total])
            .map(|(name, sum)| [name].into_iter().chain(sum.cells()).collect())
            .collect()
    };
    let by_reason = reasons
        .iter()
        .map(|(reason, sum)| (reason.to_string(), *sum));
    table("By reason", &header("reason"), 4, rows(by_reason.collect()))?;
    let by_category = categories
        .iter()
        .map(|(category, sum)| ((*category).to_owned(), *sum));
    table(
        "By category",
        &header("category"),
        4,
        rows(by_category.collect()),
    )?;

    let net = all.missing + all.excess;
    line(format_args!(
        "\nMissing {}, excess {}, net {}",
        pounds(all.missing),
        pounds(all.excess),
        pounds(net)
    ))?;
    checks.hold(i128::from(net) == totals.adjustment_minor, || {
        let (lines, total) = (pounds(net), pounds(totals.adjustment_minor));
        format!("the lines' variances add up to {lines}, the take's total is {total}")
    });
    Ok(())
}

fn row(bay: &Bay, difference: &Difference) -> Vec<String> {
    let article = &bay.article;
    let noted = bay.unknown.as_ref().map(|unknown| {
        if unknown.note.is_empty() {
            unknown.reason.to_string()
        } else {
            unknown.note.clone()
        }
    });
    vec![
        bay.place().to_owned(),
        article.code.clone(),
        clipped(&article.name, NAME),
        clipped(&noted.unwrap_or_default(), NOTE),
        grouped(difference.expected),
        grouped(difference.counted),
        signed(difference.variance),
        pounds(difference.pence),
    ]
}

/// Why the goods of a bay differ, as far as anybody knows.
fn reason(bay: &Bay) -> Reason {
    bay.unknown
        .as_ref()
        .map_or(Reason::Unexplained, |unknown| unknown.reason)
}
