//! What a table is, whatever the file: columns with a name for machines and one for people, and typed cells.

use std::borrow::Cow;

use chrono::Timelike as _;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::domain::{Currency, Quantity, Timestamp, UnitCost, Value};
use crate::store::{ColumnSum, ExportStyle};

/// What stands in a cell. Amounts are in the currency of the [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing, which is neither zero nor a text.
    Empty,
    /// Words.
    Text(Cow<'a, str>),
    /// An article id, a barcode: what has to stay as it is, also where it looks like a number or a date.
    Code(Cow<'a, str>),
    /// An id of the library's.
    Id(Uuid),
    /// A quantity.
    Quantity(Quantity),
    /// A plain number.
    Number(Decimal),
    /// The cost of a unit, to six digits of the major unit.
    UnitCost(UnitCost),
    /// An amount in the minor unit.
    Money(i128),
    /// A worth of stock, exact for machines, rounded to the minor unit for people.
    Value(Value),
    /// A moment, to the microsecond for machines, to the second for people.
    Moment(Timestamp),
}

impl<'a> Cell<'a> {
    /// Words, if there are any.
    pub fn words(text: Option<impl Into<Cow<'a, str>>>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.into()))
    }

    /// A code, if there is one.
    pub fn code(text: Option<impl Into<Cow<'a, str>>>) -> Self {
        text.map_or(Self::Empty, |text| Self::Code(text.into()))
    }

    /// An id, if there is one.
    pub fn id(id: Option<impl Into<Uuid>>) -> Self {
        id.map_or(Self::Empty, |id| Self::Id(id.into()))
    }

    /// A moment, if there is one.
    pub fn moment(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Empty, Self::Moment)
    }

    /// Its number in a style: amounts in the minor unit for machines, in the major unit for people.
    pub(super) fn number(&self, style: ExportStyle, currency: Currency) -> Option<Decimal> {
        if let Self::Number(number) = self {
            return Some(*number);
        }
        let Scaled {
            number,
            digits,
            least,
        } = self.scaled(style, currency)?;
        let mut number = Decimal::try_from_i128_with_scale(number, digits).ok()?;
        number.normalize_assign();
        number.rescale(number.scale().max(least));
        Some(number)
    }

    /// The same, of the library's own numbers, by its digits.
    pub(super) fn scaled(&self, style: ExportStyle, currency: Currency) -> Option<Scaled> {
        let digits = currency.minor_digits();
        // In the minor unit the point stands further to the right.
        let minor = |all: u32| all.saturating_sub(digits);
        let (number, digits, least) = match (self, style) {
            (
                Self::Empty
                | Self::Text(_)
                | Self::Code(_)
                | Self::Id(_)
                | Self::Number(_)
                | Self::Moment(_),
                _,
            ) => return None,
            (Self::Quantity(quantity), _) => (quantity.micros().into(), MICROS, 0),
            (Self::UnitCost(cost), ExportStyle::Machines) => {
                (cost.micros().into(), minor(MICROS), 0)
            }
            (Self::UnitCost(cost), ExportStyle::People) => (cost.micros().into(), MICROS, digits),
            (Self::Money(amount), ExportStyle::Machines) => (*amount, 0, 0),
            (Self::Money(amount), ExportStyle::People) => (*amount, digits, digits),
            (Self::Value(value), ExportStyle::Machines) => (value.units(), minor(Value::DIGITS), 0),
            (Self::Value(value), ExportStyle::People) => {
                (value.to_money(currency).minor(), digits, digits)
            }
        };
        Some(Scaled {
            number,
            digits,
            least,
        })
    }
}

/// Digits behind the point of quantities and unit costs.
const MICROS: u32 = 6;

/// A number by its digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scaled {
    pub(super) number: i128,
    /// How many of them are behind the point.
    pub(super) digits: u32,
    /// How many of these are shown also where they are zeros.
    pub(super) least: u32,
}

/// What the cells of a column are, so that they can be shown alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Words.
    Text,
    /// Ids and codes.
    Code,
    /// Quantities and counts.
    Quantity,
    /// Costs of a unit.
    UnitCost,
    /// Amounts.
    Money,
    /// Moments.
    Moment,
}

/// One column: its names, and what stands in it of a line. A column without a name for somebody is not shown to them.
#[derive(Debug)]
pub struct Column<T> {
    /// The API's name.
    pub name: Option<&'static str>,
    /// The name in words.
    pub title: Option<&'static str>,
    /// What its cells are.
    pub kind: ColumnKind,
    /// Of which lines people are told its sum, if they are.
    pub summed: Option<fn(&T) -> bool>,
    /// The cell of a line.
    pub cell: for<'a> fn(&'a T) -> Cell<'a>,
}

impl<T> Column<T> {
    /// A column for everybody.
    pub const fn new(
        name: &'static str,
        title: &'static str,
        kind: ColumnKind,
        cell: for<'a> fn(&'a T) -> Cell<'a>,
    ) -> Self {
        Self {
            name: Some(name),
            title: Some(title),
            kind,
            summed: None,
            cell,
        }
    }

    /// The same column, with its sum below it.
    #[must_use]
    pub const fn summed(self) -> Self {
        self.summed_of(|_| true)
    }

    /// The same column, with the sum of some lines below it.
    #[must_use]
    pub const fn summed_of(mut self, lines: fn(&T) -> bool) -> Self {
        self.summed = Some(lines);
        self
    }

    /// A column of codes that only machines are shown.
    pub const fn for_machines(name: &'static str, cell: for<'a> fn(&'a T) -> Cell<'a>) -> Self {
        Self {
            name: Some(name),
            title: None,
            kind: ColumnKind::Code,
            summed: None,
            cell,
        }
    }

    /// A column of words that only people are shown.
    pub const fn for_people(title: &'static str, cell: for<'a> fn(&'a T) -> Cell<'a>) -> Self {
        Self {
            name: None,
            title: Some(title),
            kind: ColumnKind::Text,
            summed: None,
            cell,
        }
    }

    const fn name_for(&self, style: ExportStyle) -> Option<&'static str> {
        match style {
            ExportStyle::Machines => self.name,
            ExportStyle::People => self.title,
        }
    }
}

/// A line of a table: what it takes to fill the columns.
pub trait Line: Sized {
    /// The columns in their order.
    fn columns() -> Vec<Column<Self>>;
}

/// What people read above a table, a row each: a word, and what it is.
pub type Facts = Vec<(&'static str, Cell<'static>)>;

/// Takes the cells of a table, one after the other.
pub trait TableWriter {
    /// Says how the columns are to be shown, before the first row.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    fn columns(&mut self, kinds: &[ColumnKind]) -> Result<(), TableError>;

    /// Writes the row of the columns' names, which stays in sight.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    fn header(&mut self, names: &[String]) -> Result<(), TableError>;

    /// Writes a row that stands out: what is above the table, and the sums below it.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    fn outstanding(&mut self, cells: &[Cell<'_>]) -> Result<(), TableError>;

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    fn row(&mut self, cells: &mut dyn Iterator<Item = Cell<'_>>) -> Result<(), TableError>;
}

/// Why a table can't be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// It has more rows than a sheet takes. Ask for fewer lines, or for CSV.
    #[error("a sheet has at most {limit} rows")]
    TooManyRows {
        /// How many it takes.
        limit: u32,
    },
    /// The file could not be written: no room for temporary files, as a rule.
    #[error("the file can't be written: {0}")]
    Unwritable(String),
}

/// A table of lines in a style.
#[derive(Debug)]
pub struct Table<T> {
    columns: Vec<Column<T>>,
    style: ExportStyle,
    currency: Currency,
}

impl<T: Line> Table<T> {
    /// A table of such lines.
    pub fn new(style: ExportStyle, currency: Currency) -> Self {
        let columns = T::columns().into_iter();
        Self {
            columns: columns.filter(|it| it.name_for(style).is_some()).collect(),
            style,
            currency,
        }
    }

    /// Writes what comes before the lines: for people what it is of, and for everybody the names of the columns.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    pub fn begin(&self, facts: &Facts, out: &mut dyn TableWriter) -> Result<(), TableError> {
        let kinds: Vec<ColumnKind> = self.columns.iter().map(|it| it.kind).collect();
        out.columns(&kinds)?;
        if self.style == ExportStyle::People {
            for (word, fact) in facts {
                out.outstanding(&[Cell::Text(Cow::Borrowed(word)), fact.clone()])?;
            }
            out.outstanding(&[Cell::Empty])?;
        }
        let names = self.columns.iter().map(|column| self.heading(column));
        out.header(&names.collect::<Vec<_>>())
    }

    fn heading(&self, column: &Column<T>) -> String {
        let name = column.name_for(self.style).unwrap_or_default();
        match (self.style, column.kind) {
            (ExportStyle::People, ColumnKind::Money | ColumnKind::UnitCost) => {
                format!("{name} ({})", self.currency)
            }
            (ExportStyle::People, ColumnKind::Moment) => format!("{name} (UTC)"),
            _ => name.to_owned(),
        }
    }

    /// Writes a line, and adds it to the sums.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    pub fn line(
        &self,
        line: &T,
        sums: &mut Vec<ColumnSum>,
        out: &mut dyn TableWriter,
    ) -> Result<(), TableError> {
        if self.style == ExportStyle::People {
            self.add(line, sums);
        }
        out.row(&mut self.columns.iter().map(|column| (column.cell)(line)))
    }

    fn add(&self, line: &T, sums: &mut Vec<ColumnSum>) {
        sums.resize(self.columns.len(), ColumnSum::default());
        for (column, ColumnSum(sum)) in self.columns.iter().zip(sums) {
            if column.summed.is_some_and(|is_summed| is_summed(line))
                && let Some(number) = (column.cell)(line).number(self.style, self.currency)
            {
                *sum = sum.and_then(|sum| sum.checked_add(number));
            }
        }
    }

    /// Writes what comes after the lines: for people the sums, where a column has one.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    pub fn end(&self, sums: &[ColumnSum], out: &mut dyn TableWriter) -> Result<(), TableError> {
        let is_summed = self.columns.iter().any(|column| column.summed.is_some());
        if self.style == ExportStyle::Machines || !is_summed {
            return Ok(());
        }
        let nothing = ColumnSum::default();
        let sums = sums.iter().chain(std::iter::repeat(&nothing));
        let cells = self.columns.iter().zip(sums).enumerate();
        let cells = cells.map(|(place, (column, ColumnSum(sum)))| match sum {
            Some(sum) if column.summed.is_some() && column.kind == ColumnKind::Quantity => {
                Cell::Number(sum.normalize())
            }
            Some(sum) if column.summed.is_some() => Cell::Number(*sum),
            _ if place == 0 => Cell::Text("Total".into()),
            _ => Cell::Empty,
        });
        out.outstanding(&cells.collect::<Vec<_>>())
    }
}

/// A moment as people read it: to the second, without the zone, which the heading tells.
pub(super) fn shown(at: Timestamp) -> String {
    let at = at.to_datetime().naive_utc();
    let (date, time) = (at.date(), at.time());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    format!("{date} {hour:02}:{minute:02}:{second:02}")
}
