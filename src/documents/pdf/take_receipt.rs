//! What a finished take came to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::article;
use super::block::{Block, Column, Side, columns};
use super::flow::Flow;
use super::head::{self, Fact};
use super::pdf_file;
use super::table;
use super::text::Style;
use super::{PrintError, PrintOptions, PrintedPart};
use crate::domain::{
    Currency, LineOutcome, Money, PostingResult, Quantity, Site, Stamp, StockTake, StockTakeItem,
    Timestamp, UnitCost, UserId,
};
use crate::store::StockTakeItemView;

/// The receipt of a finished take: every line with what was expected, counted and posted, then the totals, the value of
/// the stock, who counted, and a place to sign.
///
/// It takes lines one after the other, in any order. Lines that were not simply counted and posted say why: superseded, not
/// counted, counted as zero, not posted. Totals are those of the posting, whichever lines are printed; the unit costs and
/// values of variances are those of the moment of counting, and the receipt says so, because the ledger has those of the
/// moment of posting. Lines know only the ids of those who counted them: [`unnamed`](Self::unnamed) tells who is printed as an id unless somebody
/// [names](Self::add_names) them.
pub struct TakeReceipt {
    flow: Flow,
    title: String,
    at: Timestamp,
    take: StockTake,
    result: PostingResult,
    people: BTreeMap<UserId, String>,
    /// How many lines each has counted.
    counted_by: BTreeMap<UserId, u64>,
    zeroed: u64,
    lines: u64,
    table: Table,
}

/// The ledger may tell other values than the lines here: goods may have come and gone between counting and posting.
const VALUES_TOLD: &str = "Unit cost and value of a line, and the adjustment, are those of the moment when it was counted. \
    The ledger has what each was posted at, which differs where costs have changed in between. Stock values are those \
    after posting.";

/// The columns of a line.
#[derive(Clone, Copy)]
struct Table {
    line: Column,
    article: Column,
    expected: Column,
    counted: Column,
    variance: Column,
    cost: Column,
    value: Column,
}

impl Table {
    fn new(width: f32) -> Self {
        let number = |width| (width, Side::Right);
        let all = [
            number(26.0),
            (0.0, Side::Left),
            number(58.0),
            number(58.0),
            number(58.0),
            number(58.0),
            number(66.0),
        ];
        let [line, article, expected, counted, variance, cost, value] = columns(width, 8.0, all);
        Self {
            line,
            article,
            expected,
            counted,
            variance,
            cost,
            value,
        }
    }

    /// The columns and their names.
    fn named(&self) -> [(Column, &'static str); 7] {
        [
            (self.line, "Line"),
            (self.article, "Article"),
            (self.expected, "Expected"),
            (self.counted, "Counted"),
            (self.variance, "Variance"),
            (self.cost, "Unit cost"),
            (self.value, "Value"),
        ]
    }
}

impl TakeReceipt {
    /// Begins the receipt of a take; `printed` says who prints it and when.
    ///
    /// # Errors
    ///
    /// [`PrintError::NotPosted`] for a take without the result of a posting; [`PrintError::Font`],
    /// [`PrintError::Letters`], [`PrintError::Room`].
    pub fn new(
        take: &StockTake,
        site: &Site,
        printed: &Stamp,
        options: &PrintOptions,
    ) -> Result<Self, PrintError> {
        let result = take.result().ok_or(PrintError::NotPosted)?.clone();
        let description = head::take_title(take);
        let title = format!("Stock take receipt: {description}");
        let running = format!("{title} · {}", site.name);
        let foot = format!("Stock take {}", take.id());
        let mut flow = Flow::new(options, &running, &foot)?;
        put_head(&mut flow, take, site, printed)?;
        let table = Table::new(flow.width());
        let heading = table::heading(&mut flow, &table.named())?;
        let part = PrintedPart::Head("Columns");
        flow.begin_rows(heading, &part)?;
        let known = [Some(take.created_by()), take.posted_by()];
        let known = known.into_iter().flatten();
        let people = known.map(|user| (user.id, user.shown_name())).collect();
        Ok(Self {
            flow,
            title,
            at: printed.at,
            take: take.clone(),
            result,
            people,
            counted_by: BTreeMap::new(),
            zeroed: 0,
            lines: 0,
            table,
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// [`PrintError::Letters`], [`PrintError::Room`]; [`PrintError::OtherDocument`] for a line of another take.
    pub fn add(&mut self, view: &StockTakeItemView) -> Result<(), PrintError> {
        let item = &*view.item.value;
        let article = item.product.article_id.clone();
        if item.take != self.take.id() {
            return Err(PrintError::OtherDocument { article });
        }
        let part = PrintedPart::Article(article);
        let row = self.row(view, &part)?;
        self.flow.put(&row, &part)?;
        self.lines = self.lines.saturating_add(1);
        if let Some(count) = &item.count {
            let lines = self.counted_by.entry(count.by).or_default();
            *lines = lines.saturating_add(1);
        } else if item.is_counted() {
            self.zeroed = self.zeroed.saturating_add(1);
        }
        Ok(())
    }

    /// Who has counted a line and has no name so far: neither created nor posted the take.
    pub fn unnamed(&self) -> BTreeSet<UserId> {
        let counted = self.counted_by.keys().copied();
        counted.filter(|it| !self.people.contains_key(it)).collect()
    }

    /// Says what people are called.
    pub fn add_names(&mut self, names: BTreeMap<UserId, String>) {
        self.people.extend(names);
    }

    fn row(&mut self, view: &StockTakeItemView, part: &PrintedPart) -> Result<Block, PrintError> {
        const TOP: f32 = 4.0;
        let item = &*view.item.value;
        let (table, width) = (self.table, self.flow.width());
        let currency = self.take.currency();
        let mut setter = self.flow.setter(part);
        let mut block = Block::default();

        let mut details = article::details(&item.key, true);
        let unit = item.product.unit.as_ref();
        details.extend(unit.map(|it| ("Unit", it.name.as_str())));
        let product = &item.product;
        let y = article::describe(
            &mut block,
            &mut setter,
            table.article,
            TOP,
            product,
            &details,
        )?;
        if let Some(mark) = mark(item) {
            let lines = setter.wrapped(&mark, Style::bold(7.5), table.article.width)?;
            block.text(table.article, y, lines);
        }

        let variance = item.variance();
        let off = variance.is_some_and(|variance| !variance.is_zero());
        let value = variance.map(|_| Money::new(item.adjustment_minor().into(), currency).major());
        let cost = item.count.as_ref().and_then(|count| count.unit_cost);
        let expected = item.expected().or(view.on_hand);
        let (small, normal) = (Style::regular(7.5).grey(), Style::regular(8.5));
        let found = if off { Style::bold(8.5) } else { normal };
        let numbers = [
            (table.line, Some(item.line.to_string()), small),
            (table.expected, expected.map(|it| it.to_string()), normal),
            (
                table.counted,
                item.counted_quantity().map(|it| it.to_string()),
                normal,
            ),
            (table.variance, variance.map(signed), found),
            (table.cost, cost.map(|it| major(it, currency)), normal),
            (table.value, value, found),
        ];
        for (column, number, style) in numbers {
            let number = number.unwrap_or_else(|| "–".to_owned());
            let lines = setter.number(&number, style, column.width)?;
            block.text(column, TOP + style.lower_than(article::ID), lines);
        }
        Ok(table::end_of_row(block, width))
    }

    /// Puts the totals below the lines, numbers the pages and gives the file.
    ///
    /// # Errors
    ///
    /// [`PrintError::Letters`], [`PrintError::Room`], [`PrintError::Pdf`].
    pub fn finish(mut self) -> Result<Vec<u8>, PrintError> {
        self.flow.end_rows();
        self.put_totals()?;
        self.put_people()?;
        let part = PrintedPart::Head("Signature");
        let lines = head::signatures(&mut self.flow, ["Checked by", "Date", "Signature"])?;
        self.flow.put(&lines, &part)?;
        let (paper, fonts, pages) = self.flow.finish()?;
        pdf_file::write(paper, fonts, pages, self.title, self.at)
    }

    fn put_totals(&mut self) -> Result<(), PrintError> {
        let currency = self.take.currency();
        let result = self.result.clone();
        let money = |minor: i128| Money::new(minor, currency).major();
        let counts = [
            ("Lines adjusted", result.adjusted),
            ("Lines that were right", result.confirmed),
            ("Lines not counted", result.uncounted),
            ("Lines superseded by later knowledge", result.superseded),
            ("Lines that could not be posted", result.unposted),
            ("Lines given up", result.dismissed),
        ];
        let mut rows: Vec<(String, String)> = counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count.to_string()))
            .collect();
        let unit = upper(currency);
        rows.push((
            format!("Adjustment at the costs when counted, {unit}"),
            money(result.adjustment_minor),
        ));
        rows.push((
            format!("Stock value by first in, first out, {unit}"),
            result.fifo_value.to_money(currency).major(),
        ));
        rows.push((
            format!("Stock value at standard cost, {unit}"),
            result.standard_value.to_money(currency).major(),
        ));
        self.put_list("Totals", &rows)?;
        let accounts: Vec<(String, String)> = result
            .accounts
            .iter()
            .map(|(account, value)| {
                let name = if account.is_empty() {
                    "No account"
                } else {
                    account
                };
                (name.to_owned(), value.to_money(currency).major())
            })
            .collect();
        self.put_list(&format!("Stock value by account, {unit}"), &accounts)?;
        self.put_note(VALUES_TOLD)
    }

    fn put_note(&mut self, text: &str) -> Result<(), PrintError> {
        let part = PrintedPart::Head("Totals");
        let [whole] = columns(self.flow.width(), 0.0, [(0.0, Side::Left)]);
        let style = Style::regular(7.5).grey();
        let lines = self.flow.setter(&part).wrapped(text, style, whole.width)?;
        let mut block = Block::default();
        block.text(whole, 6.0, lines);
        self.flow.put(&block, &part)
    }

    fn put_people(&mut self) -> Result<(), PrintError> {
        let lines = |count: u64| {
            let lines = if count == 1 { "line" } else { "lines" };
            format!("{count} {lines}")
        };
        let mut rows: Vec<(String, String)> = self
            .counted_by
            .iter()
            .map(|(user, count)| {
                let name = self.people.get(user).cloned();
                (name.unwrap_or_else(|| user.to_string()), lines(*count))
            })
            .collect();
        if self.zeroed > 0 {
            rows.push(("Nobody, counted as zero".to_owned(), lines(self.zeroed)));
        }
        self.put_list("Counted by", &rows)
    }

    /// Names on the left, numbers on the right.
    fn put_list(&mut self, title: &str, rows: &[(String, String)]) -> Result<(), PrintError> {
        if rows.is_empty() {
            return Ok(());
        }
        let width = (self.flow.width() * 0.6).min(330.0);
        let [name, number] = columns(width, 8.0, [(0.0, Side::Left), (110.0, Side::Right)]);
        let part = PrintedPart::Head("Totals");
        let mut heading = Block::default();
        let lines = self
            .flow
            .setter(&part)
            .wrapped(title, Style::bold(9.5), width)?;
        let [whole] = columns(width, 0.0, [(0.0, Side::Left)]);
        let y = heading.text(whole, 12.0, lines);
        heading.area(0.0, y + 1.0, width, 0.8, 0);
        self.flow.begin_rows(heading, &part)?;
        for (text, value) in rows {
            let mut setter = self.flow.setter(&part);
            let mut row = Block::default();
            let lines = setter.wrapped(text, Style::regular(8.5), name.width)?;
            row.text(name, 3.0, lines);
            let lines = setter.number(value, Style::regular(8.5), number.width)?;
            row.text(number, 3.0, lines);
            let row = table::end_of_row(row, width);
            self.flow.put(&row, &part)?;
        }
        self.flow.end_rows();
        Ok(())
    }
}

impl fmt::Debug for TakeReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeReceipt")
            .field("take", &self.take.id())
            .finish_non_exhaustive()
    }
}

/// A variance with its sign, also when it is a surplus.
fn signed(quantity: Quantity) -> String {
    if quantity.is_positive() {
        format!("+{quantity}")
    } else {
        quantity.to_string()
    }
}

/// A unit cost with at least the digits that its currency has.
fn major(cost: UnitCost, currency: Currency) -> String {
    let digits = usize::try_from(currency.minor_digits()).unwrap_or_default();
    let text = cost.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if digits == 0 && fraction.is_empty() {
        return text;
    }
    format!("{whole}.{fraction:0<digits$}")
}

/// The currency as people write it.
pub(super) fn upper(currency: Currency) -> String {
    currency.to_string().to_uppercase()
}

/// What is to be said of a line that was not simply counted and posted.
fn mark(item: &StockTakeItem) -> Option<String> {
    let Some(posting) = &item.posting else {
        return Some("Not in the posting".to_owned());
    };
    match &posting.outcome {
        LineOutcome::Uncounted => Some("Not counted, left as it was".to_owned()),
        LineOutcome::Superseded { known_at, .. } => Some(format!(
            "Superseded: the stock was known later, {}; nothing adjusted",
            head::minute(*known_at)
        )),
        LineOutcome::Unposted { problem } => Some(format!("Not posted: {problem}")),
        LineOutcome::Dismissed => Some("Not posted, given up".to_owned()),
        LineOutcome::Adjusted | LineOutcome::Confirmed if posting.zeroed => {
            Some("Nobody counted it: counted as zero".to_owned())
        }
        LineOutcome::Adjusted | LineOutcome::Confirmed if posting.moved_between_parts() => {
            Some("Stock moved between two parts of the count: worth counting again".to_owned())
        }
        LineOutcome::Adjusted | LineOutcome::Confirmed => None,
    }
}

/// The head of the first page: what was counted, by whom, when.
fn put_head(
    flow: &mut Flow,
    take: &StockTake,
    site: &Site,
    printed: &Stamp,
) -> Result<(), PrintError> {
    let part = PrintedPart::Head("Head");
    let title = head::title(flow, "STOCK TAKE RECEIPT", head::take_title(take))?;
    flow.put(&title, &part)?;
    let mut known = vec![Fact::site(site)];
    known.extend(head::take_name(take));
    known.push(Fact::done("Created", take.created_at(), take.created_by()));
    if let (Some(at), Some(by)) = (take.posted_at(), take.posted_by()) {
        known.push(Fact::done("Posted", at, by));
    }
    known.push(Fact::new("Values in", upper(take.currency())));
    known.push(Fact::printed(printed));
    let width = flow.width();
    let facts = head::facts(flow, width, &known)?;
    flow.put(&facts.with_room(12.0), &part)
}
