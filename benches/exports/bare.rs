//! The opponent: the bare writers, given the values of a file that the library has written. It makes the text of numbers and ids
//! as it writes, as who has them in memory does; texts and moments are texts already.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use rust_decimal::Decimal;
use rust_xlsxwriter::{Workbook, XlsxError};
use stocktake::store::ExportFormat;
use uuid::Uuid;

use super::Done;

/// The values of a file.
pub(crate) enum Cells {
    Csv(Vec<Vec<Value>>),
    Xlsx(Vec<Vec<Cell>>),
}

/// A value that becomes a text.
pub(crate) enum Value {
    Text(String),
    Number(Decimal),
    Id(Uuid),
}

/// A cell of a workbook.
pub(crate) enum Cell {
    Empty,
    Text(String),
    Number(f64),
}

impl Value {
    fn of(text: &str) -> Self {
        let number: Option<Decimal> = text.parse().ok();
        if let Some(number) = number.filter(|number| number.to_string() == text) {
            return Self::Number(number);
        }
        text.parse()
            .map_or_else(|_| Self::Text(text.to_owned()), Self::Id)
    }
}

impl Cells {
    /// Those of a file.
    pub(crate) fn of(format: ExportFormat, bytes: Vec<u8>) -> Done<Self> {
        if format == ExportFormat::Csv {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(bytes.as_slice());
            let mut rows = Vec::new();
            for row in reader.records() {
                rows.push(row?.iter().map(Value::of).collect());
            }
            return Ok(Self::Csv(rows));
        }
        let mut workbook = Xlsx::new(Cursor::new(bytes))?;
        let sheet = workbook.worksheet_range_at(0).ok_or("there is a sheet")??;
        let cell = |cell: &Data| match cell {
            Data::Empty => Ok(Cell::Empty),
            Data::String(text) => Ok(Cell::Text(text.clone())),
            Data::Float(number) => Ok(Cell::Number(*number)),
            Data::DateTime(at) => Ok(Cell::Number(at.as_f64())),
            other => Err(format!("the library writes no such cell: {other:?}")),
        };
        let rows = sheet.rows().map(|row| row.iter().map(cell).collect());
        Ok(Self::Xlsx(rows.collect::<Result<_, _>>()?))
    }

    /// The file, written by the bare writer.
    pub(crate) fn written(&self) -> Done<Vec<u8>> {
        match self {
            Self::Csv(rows) => {
                let mut writer = csv::WriterBuilder::new()
                    .flexible(true)
                    .terminator(csv::Terminator::CRLF)
                    .from_writer(Vec::new());
                for row in rows {
                    for value in row {
                        match value {
                            Value::Text(text) => writer.write_field(text)?,
                            Value::Number(number) => writer.write_field(number.to_string())?,
                            Value::Id(id) => writer.write_field(
                                id.hyphenated().encode_lower(&mut Uuid::encode_buffer()),
                            )?,
                        }
                    }
                    writer.write_record(None::<&[u8]>)?;
                }
                Ok(writer.into_inner()?)
            }
            Self::Xlsx(rows) => Ok(workbook(rows)?),
        }
    }
}

fn workbook(rows: &[Vec<Cell>]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet_with_constant_memory()?;
    for (row, cells) in (0_u32..).zip(rows) {
        for (column, cell) in (0_u16..).zip(cells) {
            match cell {
                Cell::Empty => {}
                Cell::Text(text) => {
                    sheet.write_string(row, column, text)?;
                }
                Cell::Number(number) => {
                    sheet.write_number(row, column, *number)?;
                }
            }
        }
    }
    workbook.save_to_buffer()
}
