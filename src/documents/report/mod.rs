//! The variance report: what was counted against what was expected, as one page to read and to print.
//!
//! The page is HTML that is complete in itself: its style, its charts and its figures are in it, and it asks for nothing
//! from elsewhere. It is made from lines that go by one at a time, so that its memory does not grow with their number.

mod amount;
mod chart;
mod groups;
mod heading;
mod hours;
mod left_out;
mod line;
mod markup;
mod page;
mod ranking;
mod sections;
mod spread;
mod table;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{FixedOffset, Offset as _, Utc};

use crate::domain::{Code, Timestamp, UserId};

use self::groups::Groups;
use self::hours::Hours;
use self::left_out::LeftOut;
use self::ranking::{Ranking, Shown};
use self::spread::Spread;
use self::tally::Tally;

pub use self::heading::ReportHeading;
pub use self::line::ReportLine;
pub use self::page::VARIANCE_REPORT_POLICY;

/// How many of the worst lines are told one by one.
const WORST: usize = 20;

/// What a reader of a report needs beyond what the library knows.
///
/// # Example
///
/// ```
/// use chrono::FixedOffset;
/// use stocktake::documents::ReportOptions;
///
/// let options = FixedOffset::east_opt(2 * 60 * 60).map(|offset| ReportOptions::default().told_in(offset));
/// # assert!(options.is_some());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReportOptions {
    /// In which time the report is told. Default: UTC.
    pub offset: FixedOffset,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self { offset: Utc.fix() }
    }
}

impl ReportOptions {
    /// The same, told in a time other than UTC.
    #[must_use]
    pub const fn told_in(mut self, offset: FixedOffset) -> Self {
        self.offset = offset;
        self
    }
}

/// Reads the lines of a stock take or an inventory count one by one, and makes the page of what they come to.
///
/// All sums are exact: quantities to the millionth, values in whole minor units, each line's rounded once by the library.
/// What is missing and what is too much are summed up apart and shown beside the net. Lines that were superseded, or could
/// not be posted, are neither right nor wrong: they are in no accuracy, and are told by themselves. The same lines in the
/// same order give the same page, byte for byte.
///
/// # Example
///
/// ```
/// use stocktake::documents::{ReportHeading, ReportLine, ReportOptions, VarianceReport};
/// use stocktake::domain::{Site, StockTake, Timestamp};
/// use stocktake::store::StockTakeItemView;
///
/// fn page(take: &StockTake, site: &Site, lines: &[StockTakeItemView], now: Timestamp) -> String {
///     let heading = ReportHeading::of_stock_take(take, site);
///     let mut report = VarianceReport::new(heading, now, ReportOptions::default());
///     for line in lines {
///         report.add(&ReportLine::of_stock_take(line, take.currency()));
///     }
///     report.finish()
/// }
/// # let _ = page;
/// ```
#[derive(Clone, Debug)]
pub struct VarianceReport {
    heading: ReportHeading,
    made_at: Timestamp,
    options: ReportOptions,
    all: Tally,
    worst_by_value: Ranking,
    worst_by_quantity: Ranking,
    categories: Groups<String>,
    brands: Groups<String>,
    accounts: Groups<String>,
    counters: Groups<UserId>,
    hours: Hours,
    spread: Spread,
    left_out: LeftOut,
}

impl VarianceReport {
    /// A report that no line has been added to. `made_at` is the time that it shows as its own.
    pub fn new(heading: ReportHeading, made_at: Timestamp, options: ReportOptions) -> Self {
        let hours = Hours::at(options.offset);
        Self {
            heading,
            made_at,
            options,
            all: Tally::default(),
            worst_by_value: Ranking::of(WORST),
            worst_by_quantity: Ranking::of(WORST),
            categories: Groups::new(),
            brands: Groups::new(),
            accounts: Groups::new(),
            counters: Groups::new(),
            hours,
            spread: Spread::default(),
            left_out: LeftOut::new(),
        }
    }

    /// Adds a line.
    pub fn add(&mut self, line: &ReportLine<'_>) {
        self.all.add(line);
        let product = line.product;
        let category = product.category.as_ref().map(|it| it.name.as_str());
        let brand = product.brand.as_ref().map(|it| it.name.as_str());
        let account = product.account.as_ref().map(Code::as_str);
        for (groups, name) in [
            (&mut self.categories, category),
            (&mut self.brands, brand),
            (&mut self.accounts, account),
        ] {
            groups.of(name).add(line);
        }
        if line.counted.is_some() {
            let counter = line.by.as_ref().map(|(user, _)| user);
            self.counters.of(counter).add(line);
        }
        if let Some((_, at)) = line.by {
            let is_off = line.variance.is_some_and(|variance| !variance.is_zero());
            self.hours.add(at, is_off);
        }
        if let (Some(counted), Some(variance)) = (line.counted, line.variance) {
            self.spread.add(line.expected, counted, line.minor);
            if line.minor != 0 {
                let size = u128::from(line.minor.unsigned_abs());
                self.worst_by_value.add(size, line, || Shown::of(line));
            }
            if !variance.is_zero() {
                let size = u128::from(variance.micros().unsigned_abs());
                self.worst_by_quantity.add(size, line, || Shown::of(line));
            }
        }
        self.left_out.add(line, self.options.offset);
    }

    /// Who has counted a line and has no name so far: is not on the heading.
    pub fn unnamed(&self) -> BTreeSet<UserId> {
        let counted = self.counters.names();
        let unnamed = counted.filter(|it| !self.heading.people.contains_key(it));
        unnamed.copied().collect()
    }

    /// Says what people are called. Who has no name is shown by the id.
    pub fn add_names(&mut self, names: BTreeMap<UserId, String>) {
        self.heading.people.extend(names);
    }

    /// The page: UTF-8, complete in itself. Serve it as `text/html; charset=utf-8`, with
    /// [`VARIANCE_REPORT_POLICY`] as its content security policy.
    pub fn finish(self) -> String {
        page::of(&self)
    }

    /// What somebody is called.
    fn name_of(&self, user: UserId) -> String {
        let name = self.heading.people.get(&user);
        name.cloned().unwrap_or_else(|| user.to_string())
    }
}
