//! Tables as comma-separated values.

use super::table::shown;
use super::{Cell, ColumnKind, CsvWriter, TableError, TableWriter};
use crate::domain::Currency;
use crate::store::ExportStyle;

/// Writes a table as RFC 4180 has it.
///
/// For machines everything stands as it is, but for the apostrophe before a text that a spreadsheet would run
/// ([`CsvWriter`]). For people the file begins with a byte order mark, without which Excel does not take it for UTF-8,
/// and a text that a spreadsheet would take for a number, a date or a truth has an apostrophe before it as well:
/// otherwise `0017` would be shown as 17, `1E10` as ten thousand million and `12-5` as a day in May. There is no mark that every
/// spreadsheet takes for one and hides; the apostrophe is seen, and nothing is lost. A file in XLSX needs none.
#[derive(Clone, Debug)]
pub struct CsvTable {
    csv: CsvWriter,
    style: ExportStyle,
    currency: Currency,
}

impl CsvTable {
    /// An empty table, or the part of one that goes on behind what was written before.
    pub fn new(style: ExportStyle, currency: Currency) -> Self {
        Self {
            csv: CsvWriter::new(),
            style,
            currency,
        }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.csv.into_text().into_bytes()
    }

    fn text(&mut self, text: &str) {
        if self.style == ExportStyle::People && is_taken_for_data(text) {
            self.csv.shielded(text);
        } else {
            self.csv.text(text);
        }
    }

    fn cell(&mut self, cell: &Cell<'_>) {
        match cell {
            Cell::Text(text) | Cell::Code(text) => self.text(text),
            Cell::Id(id) if self.style == ExportStyle::Machines => {
                self.csv.id(*id);
            }
            Cell::Id(id) => self.text(&id.to_string()),
            Cell::Moment(at) => match self.style {
                ExportStyle::Machines => self.csv.plain(at),
                ExportStyle::People => self.csv.plain(shown(*at)),
            },
            Cell::Empty => {
                self.csv.empty();
            }
            Cell::Number(number) => {
                self.csv.number(*number);
            }
            Cell::Quantity(_) | Cell::UnitCost(_) | Cell::Money(_) | Cell::Value(_) => {
                match cell.scaled(self.style, self.currency) {
                    Some(scaled) => self.csv.scaled(scaled),
                    None => _ = self.csv.empty(),
                }
            }
        }
    }
}

impl TableWriter for CsvTable {
    fn columns(&mut self, _kinds: &[ColumnKind]) -> Result<(), TableError> {
        if self.style == ExportStyle::People {
            self.csv.byte_order_mark();
        }
        Ok(())
    }

    fn header(&mut self, names: &[String]) -> Result<(), TableError> {
        for name in names {
            self.csv.text(name);
        }
        self.csv.end_row();
        Ok(())
    }

    fn outstanding(&mut self, cells: &[Cell<'_>]) -> Result<(), TableError> {
        self.row(&mut cells.iter().cloned())
    }

    fn row(&mut self, cells: &mut dyn Iterator<Item = Cell<'_>>) -> Result<(), TableError> {
        for cell in cells {
            self.cell(&cell);
        }
        self.csv.end_row();
        Ok(())
    }
}

/// Whether a spreadsheet would take a text for something else when it opens it: a number (`0017`, `1E10`, `1,5`, `50 %`,
/// `£3`), a date or a time (`12-5`, `MAR1`, `1 May`, `2 PM`), a truth. It says yes rather once too often. Months are known by their
/// English names.
fn is_taken_for_data(text: &str) -> bool {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return true;
    }
    let has_digit = if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_digit())
    } else {
        text.chars().any(char::is_numeric)
    };
    if !has_digit {
        return false;
    }
    let is_mark = |c: char| {
        c.is_numeric()
            || c.is_whitespace()
            || matches!(
                c,
                '.' | ',' | ':' | ';' | '/' | '-' | '+' | '%' | '(' | ')' | '\''
            )
            || matches!(
                c,
                '$' | '\u{a3}'
                    | '\u{a5}'
                    | '\u{20ac}'
                    | '\u{a2}'
                    | '\u{20b9}'
                    | '\u{20a9}'
                    | '\u{2212}'
                    | '\u{ff0c}'
                    | '\u{ff0e}'
            )
    };
    let mut words = text.split(is_mark).filter(|word| !word.is_empty());
    let Some(word) = words.next() else {
        return true;
    };
    if words.next().is_some() {
        return false;
    }
    // One word beside the digits may be an exponent, half a day or a month.
    let begins = |month: &&str| {
        let begin = month.get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    let is_month = word.len() >= 3 && MONTHS.iter().any(begins);
    // `12a` is noon and `1e5` a number; `A-01` is neither.
    let begins_with_digit = text.chars().find(|c| c.is_alphanumeric());
    let begins_with_digit = begins_with_digit.is_some_and(char::is_numeric);
    let is_mark = ["e", "a", "p", "am", "pm", "d"];
    let is_mark = is_mark.iter().any(|mark| mark.eq_ignore_ascii_case(word));
    is_month || (begins_with_digit && is_mark)
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_change_is_known() {
        for text in [
            "0017",
            "17",
            "1E10",
            "1e-5",
            "12-5",
            "1/2",
            "3:45",
            "50 %",
            "(5)",
            "\u{a3}3",
            "1,000.5",
            "MAR1",
            "Sept 2",
            "1 May",
            "2 PM",
            "12a",
            "true",
            "FALSE",
            "4006381333931",
            " 0017",
            "\u{ff11}\u{ff12}",
            "2026-01-05",
            "1.5E+3",
        ] {
            assert!(is_taken_for_data(text), "{text}");
        }
        for text in [
            "SKU-1",
            "Balm",
            "Mayor",
            "A-01",
            "B12",
            "may",
            "1st floor",
            "12 x 5",
            "",
            "-",
            "e",
        ] {
            assert!(!is_taken_for_data(text), "{text}");
        }
    }
}
