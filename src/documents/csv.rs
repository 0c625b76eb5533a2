//! Tables as comma-separated values, after RFC 4180.

use std::fmt::Write as _;

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
            self.text.push_str(&text.replace('"', "\"\""));
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
    let special = |c: char| matches!(c, '"' | ',' | ';' | '\t' | '\r' | '\n' | '\0');
    text.contains(special) || text.starts_with(' ') || text.ends_with(' ')
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
