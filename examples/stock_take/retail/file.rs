//! The files as tables, and what can be wrong with them.

use std::fmt;
use std::io;

use chrono::{DateTime, NaiveDateTime, Utc};
use csv::ErrorKind;
use rust_decimal::Decimal;

/// The highest price that is believed.
const HIGHEST_PRICE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// Why the files could not be read.
#[derive(Debug)]
pub(crate) enum RetailError {
    /// A file is missing or cannot be opened.
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The header row lacks a column.
    NoColumn {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
    },
    /// A row is not CSV, not UTF-8, or not as long as the header row.
    Malformed {
        /// The file.
        file: String,
        /// Where the row begins, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A cell does not hold what its column is for.
    Value {
        /// The file.
        file: String,
        /// Where the row begins, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What the cell holds.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The month has no sale, so there is nothing to take stock of.
    NoSales {
        /// The file.
        file: String,
    },
}

impl fmt::Display for RetailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, cause } => write!(f, "cannot read {file}: {cause}"),
            Self::NoColumn { file, column } => {
                write!(f, "{file}, line 1: there is no column {column}")
            }
            Self::Malformed {
                file,
                line,
                problem,
            } => write!(f, "{file}, line {line}: {problem}"),
            Self::Value {
                file,
                line,
                column,
                value,
                wanted,
            } => write!(
                f,
                "{file}, line {line}, column {column}: {value:?} is not {wanted}"
            ),
            Self::NoSales { file } => write!(f, "{file}: there is no sale in it"),
        }
    }
}

impl std::error::Error for RetailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { cause, .. } => Some(cause),
            Self::NoColumn { .. }
            | Self::Malformed { .. }
            | Self::Value { .. }
            | Self::NoSales { .. } => None,
        }
    }
}

/// A file's name and content.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    bytes: &'a [u8],
}

impl<'a> File<'a> {
    pub(super) fn new(name: &'a str, bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            name,
            bytes: bytes.as_ref(),
        }
    }

    /// Hands the named columns of each row to `row`.
    pub(super) fn each<const N: usize>(
        self,
        columns: [&'static str; N],
        mut row: impl FnMut([Cell<'_>; N]) -> Result<(), RetailError>,
    ) -> Result<(), RetailError> {
        let malformed = |cause| self.malformed(&cause);
        let mut reader = csv::Reader::from_reader(self.bytes);
        let header = reader.headers().map_err(malformed)?;
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            *place =
                header
                    .iter()
                    .position(|name| name == column)
                    .ok_or(RetailError::NoColumn {
                        file: self.name.to_owned(),
                        column,
                    })?;
        }
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(malformed)? {
            let byte = record.position().map_or(0, csv::Position::byte);
            let mut cells = columns.map(|column| Cell {
                file: self,
                byte,
                column,
                text: "",
            });
            for (cell, place) in cells.iter_mut().zip(places) {
                cell.text = record.get(place).unwrap_or_default().trim();
            }
            row(cells)?;
        }
        Ok(())
    }

    /// The error that a row cannot be split into cells.
    fn malformed(self, cause: &csv::Error) -> RetailError {
        RetailError::Malformed {
            file: self.name.to_owned(),
            line: cause
                .position()
                .map_or(1, |position| self.line(position.byte())),
            problem: match cause.kind() {
                ErrorKind::UnequalLengths {
                    expected_len, len, ..
                } => format!("{len} cells where the header row has {expected_len}"),
                ErrorKind::Utf8 { err, .. } => err.to_string(),
                _ => cause.to_string(),
            },
        }
    }

    /// The line, from 1, of the row that the reader began at `byte`. The reader's own line number
    /// falls behind in files with CRLF, and it begins a row before the blank lines above it.
    fn line(self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let (above, below) = self.bytes.split_at(byte.min(self.bytes.len()));
        let blank = below.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
        let breaks = above.iter().chain(blank).filter(|b| **b == b'\n').count();
        u64::try_from(breaks).map_or(u64::MAX, |breaks| breaks.saturating_add(1))
    }
}

/// A cell, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    file: File<'a>,
    byte: u64,
    column: &'static str,
    pub(super) text: &'a str,
}

impl Cell<'_> {
    /// The error that this cell is not what was wanted.
    pub(super) fn not(self, wanted: &'static str) -> RetailError {
        RetailError::Value {
            file: self.file.name.to_owned(),
            line: self.file.line(self.byte),
            column: self.column,
            value: self.text.to_owned(),
            wanted,
        }
    }

    /// A price that is small enough to reckon with.
    pub(super) fn price(self) -> Result<Decimal, RetailError> {
        match Decimal::from_str_exact(self.text) {
            Ok(price) if (Decimal::ZERO..=HIGHEST_PRICE).contains(&price) => Ok(price),
            _ => Err(self.not("a price from 0 to 1000000000")),
        }
    }

    /// A 32-bit number, so that no sum over a file overflows.
    pub(super) fn quantity(self) -> Result<i64, RetailError> {
        self.text
            .parse::<i32>()
            .map(i64::from)
            .map_err(|_| self.not("a whole number"))
    }

    pub(super) fn time(self) -> Result<DateTime<Utc>, RetailError> {
        NaiveDateTime::parse_from_str(self.text, "%Y-%m-%d %H:%M:%S")
            .map(|time| time.and_utc())
            .map_err(|_| self.not("a time like 2010-12-01 08:26:00"))
    }

    /// The code of goods in capitals; none for the codes of postage, fees and the like.
    pub(super) fn goods(self) -> Option<String> {
        let (digits, letters) = self.text.split_at_checked(5)?;
        let goods = digits.bytes().all(|byte| byte.is_ascii_digit())
            && letters.len() <= 3
            && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
        goods.then(|| self.text.to_ascii_uppercase())
    }
}
