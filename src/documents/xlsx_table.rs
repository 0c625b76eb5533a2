//! Tables as workbooks of Excel.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};
use uuid::Uuid;

use super::{Cell, ColumnKind, TableError, TableWriter};
use crate::domain::{Currency, Timestamp};
use crate::store::ExportStyle;

/// The most rows of a sheet.
pub const MAX_SHEET_ROWS: u32 = 1_048_576;
/// The most characters (units of UTF-16) of a cell.
pub const MAX_CELL_CHARACTERS: usize = 32_767;
/// What stands at the end of a text that is too long for a cell.
const CUT: &str = " [cut]";
/// Excel keeps so many digits of a number.
const MOST_DIGITS: u32 = 15;
/// The first day whose number all spreadsheets agree on: 1 March 1900.
const FIRST_DAY: i64 = 61;
/// The number that spreadsheets have for 1 January 1970.
const EPOCH_DAY: i64 = 25_569;

/// Writes a table as a workbook with one sheet. It holds one row in memory: the others are in a temporary file, which
/// is gone when this is dropped.
///
/// Texts are written as texts: no formula, no number, whatever they look like. What a number of Excel would round, which
/// keeps 15 digits, is written as a text, so that nothing changes silently. A text of more than 32,767 characters is
/// cut and ends in `[cut]`; control characters are written as Excel writes them (`_x0001_`). Moments are dates for people and
/// texts, exact to the microsecond, for machines.
pub struct XlsxTable {
    workbook: Workbook,
    sheet: Worksheet,
    style: ExportStyle,
    currency: Currency,
    kinds: Vec<ColumnKind>,
    formats: Formats,
    row: u32,
}

impl fmt::Debug for XlsxTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("XlsxTable").field("rows", &self.row)).finish_non_exhaustive()
    }
}

/// How cells look.
#[derive(Debug)]
struct Formats {
    header: Format,
    bold: Format,
    code: Format,
    wide_number: Format,
    unit_cost: Format,
    money: Format,
    money_sum: Format,
    moment: Format,
}

impl Formats {
    fn new(currency: Currency) -> Self {
        let zeros = |count: u32| "0".repeat(usize::try_from(count).unwrap_or(0));
        let digits = currency.minor_digits();
        let point = if digits == 0 { "" } else { "." };
        let money = format!("#,##0{point}{}", zeros(digits));
        let unit_cost = format!(
            "#,##0.{}{}",
            zeros(digits),
            "#".repeat(usize::try_from(6_u32.saturating_sub(digits)).unwrap_or(0))
        );
        let bold = Format::new().set_bold();
        Self {
            header: bold.clone().set_text_wrap().set_align(FormatAlign::Top),
            code: Format::new().set_num_format("@"),
            wide_number: Format::new()
                .set_num_format("@")
                .set_align(FormatAlign::Right),
            unit_cost: Format::new().set_num_format(unit_cost),
            money_sum: bold.clone().set_num_format(&money),
            money: Format::new().set_num_format(money),
            moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            bold,
        }
    }
}

impl XlsxTable {
    /// An empty workbook, made at a moment, with a sheet of a name.
    ///
    /// # Errors
    ///
    /// [`TableError::Unwritable`] without room for temporary files.
    pub fn new(
        style: ExportStyle,
        currency: Currency,
        name: &str,
        made_at: Timestamp,
    ) -> Result<Self, TableError> {
        let mut workbook = Workbook::new();
        let seconds = made_at.micros().div_euclid(1_000_000);
        let properties = ExcelDateTime::from_timestamp(seconds)
            .map(|at| DocProperties::new().set_creation_datetime(&at));
        if let Ok(properties) = properties {
            workbook.set_properties(&properties);
        }
        let mut sheet = workbook
            .new_worksheet_with_constant_memory()
            .map_err(unwritable)?;
        sheet.set_name(name).map_err(unwritable)?;
        Ok(Self {
            workbook,
            sheet,
            style,
            currency,
            kinds: Vec::new(),
            formats: Formats::new(currency),
            row: 0,
        })
    }

    /// Writes the file, piece by piece as it is packed. It blocks until all of it is taken.
    ///
    /// # Errors
    ///
    /// [`TableError::Unwritable`], also where the taker fails.
    pub fn save_to(self, out: impl Write + Send) -> Result<(), TableError> {
        let Self {
            mut workbook,
            sheet,
            ..
        } = self;
        guarded(move || {
            workbook.push_worksheet(sheet);
            workbook.save_to_writer(out)
        })
    }

    fn write(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell<'_>>,
        bold: bool,
    ) -> Result<(), TableError> {
        if self.row >= MAX_SHEET_ROWS {
            return Err(TableError::TooManyRows {
                limit: MAX_SHEET_ROWS,
            });
        }
        let place = &Place {
            row: self.row,
            style: self.style,
            currency: self.currency,
            formats: &self.formats,
            kinds: &self.kinds,
            bold,
        };
        let sheet = &mut self.sheet;
        guarded(|| {
            (0_u16..)
                .zip(cells)
                .try_for_each(|(column, cell)| place.write(sheet, column, &cell))
        })?;
        self.row = self.row.saturating_add(1);
        Ok(())
    }
}

impl TableWriter for XlsxTable {
    fn columns(&mut self, kinds: &[ColumnKind]) -> Result<(), TableError> {
        self.kinds = kinds.to_vec();
        Ok(())
    }

    fn header(&mut self, names: &[String]) -> Result<(), TableError> {
        let row = self.row;
        if row >= MAX_SHEET_ROWS {
            return Err(TableError::TooManyRows {
                limit: MAX_SHEET_ROWS,
            });
        }
        let (sheet, kinds, header) = (&mut self.sheet, &self.kinds, &self.formats.header);
        guarded(|| {
            for (column, (name, kind)) in (0_u16..).zip(names.iter().zip(kinds)) {
                sheet.write_string_with_format(row, column, name, header)?;
                let least: u8 = match kind {
                    ColumnKind::Text => 24,
                    ColumnKind::Code => 16,
                    ColumnKind::Quantity => 12,
                    ColumnKind::UnitCost | ColumnKind::Money => 14,
                    ColumnKind::Moment => 20,
                };
                let name = u8::try_from(name.chars().count()).unwrap_or(u8::MAX);
                sheet.set_column_width(column, least.max(name.saturating_add(2).min(40)))?;
            }
            sheet.set_freeze_panes(row.saturating_add(1), 0)?;
            Ok(())
        })?;
        self.row = row.saturating_add(1);
        Ok(())
    }

    fn outstanding(&mut self, cells: &[Cell<'_>]) -> Result<(), TableError> {
        self.write(&mut cells.iter().cloned(), true)
    }

    fn row(&mut self, cells: &mut dyn Iterator<Item = Cell<'_>>) -> Result<(), TableError> {
        self.write(cells, false)
    }
}

/// Where cells go, and how they look there.
struct Place<'a> {
    row: u32,
    style: ExportStyle,
    currency: Currency,
    formats: &'a Formats,
    kinds: &'a [ColumnKind],
    bold: bool,
}

impl Place<'_> {
    fn write(&self, sheet: &mut Worksheet, column: u16, cell: &Cell<'_>) -> Result<(), XlsxError> {
        let (row, formats) = (self.row, self.formats);
        match cell {
            Cell::Empty => {}
            Cell::Text(text) if self.bold => {
                sheet.write_string_with_format(row, column, fitting(text), &formats.bold)?;
            }
            Cell::Text(text) => {
                sheet.write_string(row, column, fitting(text))?;
            }
            Cell::Code(text) => {
                sheet.write_string_with_format(row, column, fitting(text), &formats.code)?;
            }
            Cell::Id(id) => {
                let mut room = Uuid::encode_buffer();
                let id = &*id.hyphenated().encode_lower(&mut room);
                sheet.write_string_with_format(row, column, id, &formats.code)?;
            }
            Cell::Moment(at) => match day_number(*at).filter(|_| self.style == ExportStyle::People)
            {
                Some(days) => {
                    sheet.write_number_with_format(row, column, days, &formats.moment)?;
                }
                None => {
                    sheet.write_string(row, column, at.to_string())?;
                }
            },
            Cell::Quantity(_)
            | Cell::Number(_)
            | Cell::UnitCost(_)
            | Cell::Money(_)
            | Cell::Value(_) => {
                let Some(number) = cell.number(self.style, self.currency) else {
                    return Ok(());
                };
                if let Some(float) = exact(number) {
                    self.write_number(sheet, column, float)?;
                } else {
                    let text = number.to_string();
                    sheet.write_string_with_format(row, column, text, &formats.wide_number)?;
                }
            }
        }
        Ok(())
    }

    fn write_number(
        &self,
        sheet: &mut Worksheet,
        column: u16,
        number: f64,
    ) -> Result<(), XlsxError> {
        let (row, formats) = (self.row, self.formats);
        let kind = self.kinds.get(usize::from(column));
        let is_money = self.style == ExportStyle::People && kind == Some(&ColumnKind::Money);
        let is_cost = self.style == ExportStyle::People && kind == Some(&ColumnKind::UnitCost);
        let format = match (is_money, is_cost, self.bold) {
            (true, _, true) => &formats.money_sum,
            (true, _, false) => &formats.money,
            (false, _, true) => &formats.bold,
            (false, true, false) => &formats.unit_cost,
            (false, false, false) => {
                sheet.write_number(row, column, number)?;
                return Ok(());
            }
        };
        sheet.write_number_with_format(row, column, number, format)?;
        Ok(())
    }
}

/// A number as Excel has it, if that is the same number.
fn exact(number: Decimal) -> Option<f64> {
    let limit = 10_u128.checked_pow(MOST_DIGITS)?;
    let is_short = number.normalize().mantissa().unsigned_abs() < limit;
    // Digits are read, not shifted: reading gives the float that is nearest, which is written with the same digits.
    is_short.then(|| number.to_string().parse().ok()).flatten()
}

/// The day and the part of it, to the second, as spreadsheets count them.
fn day_number(at: Timestamp) -> Option<f64> {
    const SECONDS: i64 = 86_400;
    let seconds = at.micros().div_euclid(1_000_000);
    let day = seconds.div_euclid(SECONDS).saturating_add(EPOCH_DAY);
    let of_day = seconds.rem_euclid(SECONDS).to_f64()?;
    (day >= FIRST_DAY)
        .then_some(day)?
        .to_f64()
        .map(|day| day + of_day / 86_400.0)
}

/// As much of a text as a cell takes.
fn fitting(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_CELL_CHARACTERS || text.encode_utf16().count() <= MAX_CELL_CHARACTERS {
        return Cow::Borrowed(text);
    }
    let mut room = MAX_CELL_CHARACTERS.saturating_sub(CUT.len());
    let fits = |c: &char| match room.checked_sub(c.len_utf16()) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push_str(CUT);
    Cow::Owned(cut)
}

/// Does something of the writer's, which panics where its temporary file can't be written.
fn guarded(work: impl FnOnce() -> Result<(), XlsxError>) -> Result<(), TableError> {
    // What a panic leaves behind is thrown away: the table is not used after an error.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(unwritable),
        Err(_) => Err(TableError::Unwritable(
            "no room for temporary files".to_owned(),
        )),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unwritable(error: XlsxError) -> TableError {
    TableError::Unwritable(error.to_string())
}
