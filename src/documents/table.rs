//! What a table is, whatever the file: columns with a name for machines and one for people, and typed cells.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::domain::{Currency, Quantity, Timestamp, UnitCost, Value};
use crate::store::{ColumnSum, ExportStyle};

/// What stands in a cell. Amounts are in the currency of the [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing, which is neither zero nor a text.
    Empty,
    /// Words.
    Text(Cow<'a, str>),
    /// An id, an article id, a barcode: what has to stay as it is, also where it looks like a number or a date.
    Code(Cow<'a, str>),
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
    pub fn id(id: Option<impl ToString>) -> Self {
        id.map_or(Self::Empty, |id| Self::Code(id.to_string().into()))
    }

    /// A moment, if there is one.
    pub fn moment(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Empty, Self::Moment)
    }

    /// Its number in a style: amounts in the minor unit for machines, in the major unit for people.
    pub(super) fn number(&self, style: ExportStyle, currency: Currency) -> Option<Decimal> {
        let digits = currency.minor_digits();
        match (self, style) {
            (Self::Empty | Self::Text(_) | Self::Code(_) | Self::Moment(_), _) => None,
            (Self::Quantity(quantity), _) => Some(quantity.to_decimal()),
            (Self::Number(number), _) => Some(*number),
            (Self::UnitCost(cost), ExportStyle::Machines) => Some(cost.in_minor_units(currency)),
            (Self::UnitCost(cost), ExportStyle::People) => {
                let mut cost = cost.to_decimal();
                cost.rescale(cost.scale().max(digits));
                Some(cost)
            }
            (Self::Money(minor), ExportStyle::Machines) => {
                Decimal::try_from_i128_with_scale(*minor, 0).ok()
            }
            (Self::Money(minor), ExportStyle::People) => {
                Decimal::try_from_i128_with_scale(*minor, digits).ok()
            }
            (Self::Value(value), ExportStyle::Machines) => {
                let factor = Decimal::from(10_u32.checked_pow(digits)?);
                // A worth has at most 28 digits, and the point only moves.
                let minor = value.to_decimal().checked_mul(factor)?;
                Some(minor.normalize())
            }
            (Self::Value(value), ExportStyle::People) => {
                let minor = value.to_money(currency).minor();
                Decimal::try_from_i128_with_scale(minor, digits).ok()
            }
        }
    }
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
    /// Whether people are told its sum.
    pub is_summed: bool,
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
            is_summed: false,
            cell,
        }
    }

    /// The same column, with its sum below it.
    #[must_use]
    pub const fn summed(mut self) -> Self {
        self.is_summed = true;
        self
    }

    /// A column of codes that only machines are shown.
    pub const fn for_machines(name: &'static str, cell: for<'a> fn(&'a T) -> Cell<'a>) -> Self {
        Self {
            name: Some(name),
            title: None,
            kind: ColumnKind::Code,
            is_summed: false,
            cell,
        }
    }

    /// A column of words that only people are shown.
    pub const fn for_people(title: &'static str, cell: for<'a> fn(&'a T) -> Cell<'a>) -> Self {
        Self {
            name: None,
            title: Some(title),
            kind: ColumnKind::Text,
            is_summed: false,
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
pub type Facts = Vec<(&'static str, String)>;

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
                let text = |text| Cell::Text(Cow::Borrowed(text));
                out.outstanding(&[text(*word), text(fact.as_str())])?;
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
            if column.is_summed
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
        let is_summed = self.columns.iter().any(|column| column.is_summed);
        if self.style == ExportStyle::Machines || !is_summed {
            return Ok(());
        }
        let nothing = ColumnSum::default();
        let sums = sums.iter().chain(std::iter::repeat(&nothing));
        let cells = self.columns.iter().zip(sums).enumerate();
        let cells = cells.map(|(place, (column, ColumnSum(sum)))| match sum {
            Some(sum) if column.is_summed && column.kind == ColumnKind::Quantity => {
                Cell::Number(sum.normalize())
            }
            Some(sum) if column.is_summed => Cell::Number(*sum),
            _ if place == 0 => Cell::Text("Total".into()),
            _ => Cell::Empty,
        });
        out.outstanding(&cells.collect::<Vec<_>>())
    }
}

/// A moment as people read it: to the second, without the zone, which the heading tells.
pub(super) fn shown(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%d %H:%M:%S").to_string()
}
