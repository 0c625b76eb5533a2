//! Tables as comma-separated values, after RFC 4180.

use std::fmt::Write as _;

use uuid::Uuid;

use super::table::Scaled;
use crate::domain::{Quantity, UnitCost};

/// Writes rows of cells as RFC 4180 has them: UTF-8, lines end with CR LF, and what needs quotes has them.
///
/// A text that a spreadsheet would take for a formula gets a leading apostrophe, so that nobody's product name
/// is ever run. Numbers are written only from numbers: `-5` stays one.
///
/// # Example
///
/// ```
/// use stocktake::documents::CsvWriter;
///
/// let mut csv = CsvWriter::new();
/// csv.text("Balm, 50 ml").text("=1+1").number(-5).empty().end_row();
/// assert_eq!(csv.into_text(), "\"Balm, 50 ml\",'=1+1,-5,\r\n");
/// ```
#[derive(Clone, Debug, Default)]
pub struct CsvWriter {
    text: String,
    cells_in_row: usize,
    row_begins: usize,
}

/// A number that a cell can hold. Its text is digits, a point and a minus sign, and nothing else.
pub trait CsvNumber: sealed::Sealed + std::fmt::Display + Copy {}

mod sealed {
    pub trait Sealed {}
}

/// Names the types whose text is a plain number.
macro_rules! numbers {
    ($($number:ty),+ $(,)?) => {$(
        impl sealed::Sealed for $number {}
        impl CsvNumber for $number {}
    )+};
}

numbers!(
    i32,
    i64,
    i128,
    u32,
    u64,
    Quantity,
    UnitCost,
    rust_decimal::Decimal
);

impl CsvWriter {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cell of text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let shield = if is_formula(text) { "'" } else { "" };
        self.text_behind(shield, text)
    }

    /// Adds a cell of text with an apostrophe before it, so that no spreadsheet takes it for anything else.
    pub(super) fn shielded(&mut self, text: &str) -> &mut Self {
        self.text_behind("'", text)
    }

    /// Adds a cell with an id, which no spreadsheet runs.
    pub(super) fn id(&mut self, id: Uuid) -> &mut Self {
        self.separate();
        let mut room = Uuid::encode_buffer();
        self.text.push_str(id.hyphenated().encode_lower(&mut room));
        self
    }

    /// Tells programs that ask for it that the file is UTF-8. It comes before everything else.
    pub(super) fn byte_order_mark(&mut self) {
        self.text.push('\u{feff}');
        self.row_begins = self.text.len();
    }

    fn text_behind(&mut self, shield: &str, text: &str) -> &mut Self {
        self.separate();
        if needs_quotes(text) {
            self.text.push('"');
            self.text.push_str(shield);
            for (number, part) in text.split('"').enumerate() {
                if number > 0 {
                    self.text.push_str("\"\"");
                }
                self.text.push_str(part);
            }
            self.text.push('"');
        } else {
            self.text.push_str(shield);
            self.text.push_str(text);
        }
        self
    }

    /// Adds a cell with a number.
    pub fn number(&mut self, number: impl CsvNumber) -> &mut Self {
        self.separate();
        let written = write!(self.text, "{number}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        self
    }

    /// Adds a cell with a number that is given by its digits: a decimal number in between took most of the time of a table.
    pub(super) fn scaled(&mut self, scaled: Scaled) {
        let Scaled {
            number,
            digits,
            least,
        } = scaled;
        self.separate();
        let unit = 10_u128.saturating_pow(digits);
        let size = number.unsigned_abs();
        let whole = size.checked_div(unit).unwrap_or(size);
        let mut fraction = size.checked_rem(unit).unwrap_or(0);
        let mut shown = digits;
        while shown > least && fraction % 10 == 0 {
            fraction /= 10;
            shown = shown.saturating_sub(1);
        }
        let sign = if number < 0 { "-" } else { "" };
        let mut written = write!(self.text, "{sign}{whole}");
        if shown > 0 {
            let width = shown as usize;
            written = written.and_then(|()| write!(self.text, ".{fraction:0width$}"));
        }
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }

    /// Adds a cell with what no spreadsheet takes for a formula, and what needs no quotes.
    pub(super) fn plain(&mut self, what: impl std::fmt::Display) {
        self.separate();
        let written = write!(self.text, "{what}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }

    /// Adds a cell with nothing in it, which is neither zero nor a text.
    pub fn empty(&mut self) -> &mut Self {
        self.separate();
        self
    }

    /// Adds a text, or an empty cell.
    pub fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.empty(),
        }
    }

    /// Adds a number, or an empty cell.
    pub fn optional_number(&mut self, number: Option<impl CsvNumber>) -> &mut Self {
        match number {
            Some(number) => self.number(number),
            None => self.empty(),
        }
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        if self.cells_in_row == 1 && self.text.len() == self.row_begins {
            // A row of one empty cell would read as no row at all.
            self.text.push_str("\"\"");
        }
        self.text.push_str("\r\n");
        self.cells_in_row = 0;
        self.row_begins = self.text.len();
    }

    /// The table.
    pub fn into_text(self) -> String {
        self.text
    }

    fn separate(&mut self) {
        if self.cells_in_row > 0 {
            self.text.push(',');
        }
        self.cells_in_row = self.cells_in_row.saturating_add(1);
    }
}

/// Whether a spreadsheet would run it: what counts is the first character after white space, in its full-width
/// form as well. Tabs and line breaks hide what comes after them, so they count themselves.
fn is_formula(text: &str) -> bool {
    // Most texts begin with a letter or a digit.
    let first = text.bytes().next();
    if first.is_none_or(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let begins_one = |c: char| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0' | '＝' | '＋' | '－' | '＠'
        )
    };
    let is_invisible = |c: char| {
        c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
    };
    text.chars()
        .find(|c| begins_one(*c) || !is_invisible(*c))
        .is_some_and(begins_one)
}

/// Whether it must be quoted: also for readers that separate by semicolons or tabs, or trim spaces.
fn needs_quotes(text: &str) -> bool {
    let special = |byte| matches!(byte, b'"' | b',' | b';' | b'\t' | b'\r' | b'\n' | b'\0');
    text.bytes().any(special) || text.starts_with(' ') || text.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut csv = CsvWriter::new();
        csv.text(text).end_row();
        csv.into_text().trim_end_matches("\r\n").to_owned()
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_shielded() {
        for begun in ["=", "+", "-", "@", "＝", "＋", "－", "＠"] {
            for before in ["", "\u{a0}", "\u{3000}", "\u{feff}", "\u{200b}"] {
                let text = format!("{before}{begun}1+1");
                assert_eq!(cell(&text), format!("'{text}"));
            }
            assert_eq!(cell(&format!("  {begun}A1")), format!("\"'  {begun}A1\""));
        }
        for begun in ["\t", "\r", "\n", "\0"] {
            assert_eq!(cell(&format!("{begun}=1")), format!("\"'{begun}=1\""));
        }
        assert_eq!(cell("=\"a\",1"), "\"'=\"\"a\"\",1\"");
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["Balm", "a=b", "5 - 3", "O'Neill", "Räkning №1", "1.5", ""] {
            let expected = if text.is_empty() { "\"\"" } else { text };
            assert_eq!(cell(text), expected);
        }
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("a;=b"), "\"a;=b\"");
        assert_eq!(cell("a\nb"), "\"a\nb\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell(" a"), "\" a\"");
    }

    #[test]
    fn numbers_by_their_digits_are_written_as_decimals_are() {
        let sizes = [
            0,
            1,
            9,
            10,
            250,
            999_999,
            1_000_000,
            12_000_010,
            i128::from(u64::MAX),
            i128::from(u64::MAX) * 10 + 7,
            79_228_162_514_264_337_593_543_950_335,
        ];
        for number in sizes.into_iter().flat_map(|size| [size, -size]) {
            for digits in [0, 2, 4, 6, 10] {
                let decimal = rust_decimal::Decimal::try_from_i128_with_scale(number, digits);
                let decimal = decimal.unwrap_or_default();
                for least in [0, 2, digits] {
                    let least = least.min(digits);
                    let mut csv = CsvWriter::new();
                    csv.scaled(Scaled {
                        number,
                        digits,
                        least,
                    });
                    let mut expected = decimal.normalize();
                    let scale = expected.scale().max(least);
                    expected.rescale(scale);
                    let sign = if number < 0 { "-" } else { "" };
                    let expected = expected.abs().to_string();
                    assert_eq!(
                        csv.into_text(),
                        format!("{sign}{expected}"),
                        "{number} {digits}"
                    );
                }
            }
        }
    }

    #[test]
    fn numbers_and_empty_cells_are_neither_quoted_nor_shielded() {
        let mut csv = CsvWriter::new();
        csv.number(-5_i64)
            .optional_number(Some(Quantity::ONE.negated()))
            .optional_number(None::<u64>)
            .optional_text(None)
            .empty()
            .end_row();
        csv.empty().end_row();
        csv.empty().empty().end_row();
        assert_eq!(csv.into_text(), "-5,-1,,,\r\n\"\"\r\n,\r\n");
    }
}
