//! The sheet that people count with.

use std::fmt;

use super::article;
use super::bars::Bars;
use super::block::{Block, Column, Side, columns};
use super::flow::Flow;
use super::head::{self, Fact};
use super::pdf_file;
use super::table;
use super::text::{Setter, Style};
use super::{PrintError, PrintOptions, PrintedPart};
use crate::domain::{Code, Product, Quantity, Site, Stamp, StockTake, StockTakeId, Timestamp};
use crate::store::StockTakeItemView;

/// How a count sheet is printed. The default: A4, blind, in the order in which the lines come.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CountSheetOptions {
    /// Paper and fonts.
    pub print: PrintOptions,
    /// Whether each line says what the book expects, and what was counted so far. Default: no, so that nobody writes down
    /// what is expected, or what somebody else wrote.
    pub expected: bool,
    /// Whether lines stand under the stock place they are at; they must come sorted by it
    /// ([`ArticleColumn::StockPlaceArticle`](crate::store::ArticleColumn::StockPlaceArticle)).
    pub by_place: bool,
}

/// A count sheet that takes lines one after the other, in the order in which they are to be counted.
///
/// Each line has the article's first barcode, or its article id where it has none, as bars that a scanner reads, and a
/// box to write in. On the first page is a code of the take itself.
///
/// # Example
///
/// ```
/// use stocktake::documents::pdf::{CountSheet, CountSheetOptions, PrintError};
/// use stocktake::domain::{Site, Stamp, StockTake};
/// use stocktake::store::StockTakeItemView;
///
/// fn sheet(
///     (take, site): (&StockTake, &Site),
///     pages: impl Iterator<Item = Vec<StockTakeItemView>>,
///     printed: &Stamp,
/// ) -> Result<Vec<u8>, PrintError> {
///     let mut sheet = CountSheet::new(take, site, printed, &CountSheetOptions::default())?;
///     for line in pages.flatten() {
///         sheet.add(&line)?;
///     }
///     sheet.finish()
/// }
/// ```
pub struct CountSheet {
    flow: Flow,
    title: String,
    at: Timestamp,
    take: StockTakeId,
    by_place: bool,
    /// Where the last line is.
    group: Option<Group>,
    table: Table,
    empty: bool,
}

/// The lines of a stock place, or those that are at none.
#[derive(PartialEq, Eq)]
struct Group(Option<Code>);

/// Where the texts of a row begin.
const TOP: f32 = 5.0;

/// The columns of a line.
#[derive(Clone, Copy)]
struct Table {
    line: Column,
    article: Column,
    code: Column,
    expected: Option<Column>,
    counted: Column,
    unit: Column,
}

impl Table {
    fn new(width: f32, expected: bool) -> Self {
        const GAP: f32 = 8.0;
        let (line, code) = ((26.0, Side::Right), (112.0, Side::Middle));
        let (counted, unit) = ((92.0, Side::Left), (36.0, Side::Left));
        let article = (0.0, Side::Left);
        if expected {
            let book = (58.0, Side::Right);
            let all = columns(width, GAP, [line, article, code, book, counted, unit]);
            let [line, article, code, expected, counted, unit] = all;
            Self {
                line,
                article,
                code,
                expected: Some(expected),
                counted,
                unit,
            }
        } else {
            let all = columns(width, GAP, [line, article, code, counted, unit]);
            let [line, article, code, counted, unit] = all;
            Self {
                line,
                article,
                code,
                expected: None,
                counted,
                unit,
            }
        }
    }

    /// The columns and their names.
    fn named(&self) -> Vec<(Column, &'static str)> {
        let mut named = vec![
            (self.line, "Line"),
            (self.article, "Article"),
            (self.code, "Barcode"),
            (self.counted, "Counted"),
            (self.unit, "Unit"),
        ];
        named.extend(self.expected.map(|column| (column, "Expected")));
        named
    }
}

impl CountSheet {
    /// Begins a sheet of a take; `printed` says who prints it and when.
    ///
    /// # Errors
    ///
    /// [`PrintError::Font`], [`PrintError::Letters`], [`PrintError::Room`].
    pub fn new(
        take: &StockTake,
        site: &Site,
        printed: &Stamp,
        options: &CountSheetOptions,
    ) -> Result<Self, PrintError> {
        let description = head::take_title(take);
        let title = format!("Count sheet: {description}");
        let running = format!("{title} · {}", site.name);
        let foot = format!("Stock take {}", take.id());
        let mut flow = Flow::new(&options.print, &running, &foot)?;
        put_head(&mut flow, take, site, printed)?;
        let table = Table::new(flow.width(), options.expected);
        let heading = table::heading(&mut flow, &table.named())?;
        let part = PrintedPart::Head("Columns");
        flow.begin_rows(heading, &part)?;
        Ok(Self {
            flow,
            title,
            at: printed.at,
            take: take.id(),
            by_place: options.by_place,
            group: None,
            table,
            empty: true,
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// [`PrintError::Letters`], [`PrintError::Room`]; [`PrintError::OtherDocument`] for a line of another take.
    pub fn add(&mut self, view: &StockTakeItemView) -> Result<(), PrintError> {
        let item = &*view.item.value;
        let part = PrintedPart::Article(item.product.article_id.clone());
        if item.take != self.take {
            return Err(PrintError::OtherDocument {
                article: item.product.article_id.clone(),
            });
        }
        self.empty = false;
        let row = self.row(view, &part)?;
        let group = Group(item.key.place.clone());
        if self.by_place && self.group.as_ref() != Some(&group) {
            self.group = Some(group);
            let place = item.key.place.as_ref();
            let name = place.map_or("No stock place", Code::as_str);
            let group = self.group(name, &part)?;
            let again = self.group(&format!("{name} (continued)"), &part)?;
            return self.flow.begin_group(&group, again, &row, &part);
        }
        self.flow.put(&row, &part)
    }

    fn group(&mut self, name: &str, part: &PrintedPart) -> Result<Block, PrintError> {
        let width = self.flow.width();
        let [column] = columns(width - 12.0, 0.0, [(0.0, Side::Left)]);
        let column = Column { x: 6.0, ..column };
        let style = Style::bold(9.5);
        let lines = self.flow.setter(part).wrapped(name, style, column.width)?;
        let mut text = Block::default();
        let end = text.text(column, 4.0, lines);
        let mut block = Block::default();
        block.area(0.0, 0.0, width, end + 4.0, 230);
        block.marks.extend(text.marks);
        Ok(block)
    }

    fn row(&mut self, view: &StockTakeItemView, part: &PrintedPart) -> Result<Block, PrintError> {
        let item = &*view.item.value;
        let (table, width, by_place) = (self.table, self.flow.width(), self.by_place);
        let mut setter = self.flow.setter(part);
        let mut block = Block::default();

        let small = Style::regular(7.5).grey();
        let lines = setter.number(&item.line.to_string(), small, table.line.width)?;
        block.text(table.line, TOP + small.lower_than(article::ID), lines);

        let mut details = article::details(&item.key, !by_place);
        // On a blind sheet nobody reads what somebody else counted, either.
        let so_far = item.counted_quantity().filter(|_| table.expected.is_some());
        let so_far = so_far.map(|counted| counted.to_string());
        details.extend(so_far.as_ref().map(|it| ("Counted so far:", it.as_str())));
        let product = &item.product;
        article::describe(
            &mut block,
            &mut setter,
            table.article,
            TOP,
            product,
            &details,
        )?;

        if let Some(column) = table.expected {
            let expected = item.expected().or(view.on_hand).unwrap_or(Quantity::ZERO);
            let style = Style::regular(10.0);
            let lines = setter.number(&expected.to_string(), style, column.width)?;
            block.text(column, TOP + style.lower_than(article::ID), lines);
        }
        if let Some(unit) = &product.unit {
            let style = Style::regular(8.0);
            let lines = setter.wrapped(unit.name.as_str(), style, table.unit.width)?;
            block.text(table.unit, TOP + style.lower_than(article::ID), lines);
        }
        let below = put_code(&mut block, &mut setter, table, product)?;
        let height = (block.height - TOP + 2.0).clamp(24.0, 32.0);
        block.frame(table.counted.x, TOP - 1.0, table.counted.width, height);
        if let Some(below) = below {
            block = block.with_room(4.0).below(below);
        }
        Ok(table::end_of_row(block, width))
    }

    /// Numbers the pages and gives the file.
    ///
    /// # Errors
    ///
    /// [`PrintError::Pdf`].
    pub fn finish(mut self) -> Result<Vec<u8>, PrintError> {
        if self.empty {
            let part = PrintedPart::Head("Lines");
            let [column] = columns(self.flow.width(), 0.0, [(0.0, Side::Left)]);
            let line = self
                .flow
                .setter(&part)
                .line("No lines.", Style::regular(9.0))?;
            let mut block = Block::default();
            block.text(column, 6.0, vec![line]);
            self.flow.put(&block, &part)?;
        }
        let (paper, fonts, pages) = self.flow.finish()?;
        pdf_file::write(paper, fonts, pages, self.title, self.at)
    }
}

impl fmt::Debug for CountSheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountSheet")
            .field("take", &self.take)
            .finish_non_exhaustive()
    }
}

/// Puts what a scanner reads beside the article: the first barcode, or the article id. What is too wide to stand there is
/// given back, to stand below the line.
fn put_code(
    block: &mut Block,
    setter: &mut Setter<'_>,
    table: Table,
    product: &Product,
) -> Result<Option<Block>, PrintError> {
    let id = product.article_id.as_str();
    let (text, bars) = product.barcodes.first().map_or_else(
        || (id, Bars::code_128(id)),
        |barcode| (barcode.value.as_str(), Bars::of(barcode)),
    );
    let letters = Style::regular(7.0);
    let below = Column {
        x: table.article.x,
        width: table.unit.x + table.unit.width - table.article.x,
        side: Side::Left,
    };
    if let Some((bars, size)) = bars.as_ref().and_then(|it| it.fitting(table.code.width)) {
        let y = block.bars(table.code, TOP, bars, size);
        let lines = setter.wrapped(text, letters, table.code.width)?;
        block.text(table.code, y + 1.0, lines);
        return Ok(None);
    }
    if let Some((bars, size)) = bars.as_ref().and_then(|it| it.fitting(below.width)) {
        let mut strip = Block::default();
        let under = Column {
            x: below.x + size.inset,
            ..below
        };
        let y = strip.bars(below, 0.0, bars, size);
        let lines = setter.wrapped(text, letters, below.width - size.inset)?;
        strip.text(under, y + 1.0, lines);
        return Ok(Some(strip));
    }
    // No bars can say it, or none that would fit on the page: its letters still tell which article is meant.
    let lines = setter.wrapped(text, letters, table.code.width)?;
    block.text(table.code, TOP, lines);
    Ok(None)
}

/// The head of the first page: what is counted, by whom, and the code of the take.
fn put_head(
    flow: &mut Flow,
    take: &StockTake,
    site: &Site,
    printed: &Stamp,
) -> Result<(), PrintError> {
    let details = take.details();
    let part = PrintedPart::Head("Head");
    let title = head::title(flow, "COUNT SHEET", head::take_title(take))?;
    flow.put(&title, &part)?;

    let mut known = vec![Fact::site(site)];
    known.extend(head::take_name(take));
    known.extend(
        details
            .due_at
            .map(|due| Fact::new("Due", head::minute(due))),
    );
    known.push(Fact::done("Created", take.created_at(), take.created_by()));
    known.push(Fact::printed(printed));
    let width = flow.width();
    let facts = head::facts(flow, width, &known)?;
    flow.put(&facts.with_room(8.0), &part)?;

    let id = take.id().to_string();
    let [column] = columns(width, 0.0, [(0.0, Side::Left)]);
    let bars = Bars::code_128(&id);
    if let Some((bars, size)) = bars.as_ref().and_then(|bars| bars.fitting(width)) {
        let mut block = Block::default();
        let y = block.bars(column, 0.0, bars, size);
        let text = flow.setter(&part).line(&id, Style::regular(7.0))?;
        let below = Column {
            x: size.inset,
            ..column
        };
        block.text(below, y + 1.0, vec![text]);
        flow.put(&block.with_room(2.0), &part)?;
    }
    let lines = head::signatures(flow, ["Counted by", "Date and time", "Signature"])?;
    flow.put(&lines.with_room(12.0), &part)
}
