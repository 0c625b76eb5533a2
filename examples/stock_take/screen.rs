//! What the terminal shows: a line for each phase, bars while one lasts, tables, and numbers as people
//! write them.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Instant;

use comfy_table::{CellAlignment, Table, TableComponent};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use stocktake::domain::Quantity;

/// How wide a phase's name is.
const NAME: usize = 10;
/// How wide what it tells is.
const TOLD: usize = 84;

/// Prints a line.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints what a phase came to, and how long it took.
pub(crate) fn phase(name: &str, began: Instant, told: &str) -> io::Result<()> {
    let seconds = began.elapsed().as_secs_f64();
    line(format_args!("{name:<NAME$}{told:<TOLD$}{seconds:>6.2} s"))
}

/// Prints more of the phase above.
pub(crate) fn more(told: impl Display) -> io::Result<()> {
    line(format_args!("{:<NAME$}{told}", ""))
}

/// Bars that stand below each other, and are gone when they are done. Without a terminal there are none.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    together: MultiProgress,
}

impl Bars {
    /// A bar of so many steps.
    pub(crate) fn add(&self, name: &'static str, steps: usize) -> ProgressBar {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        let style = ProgressStyle::with_template("{prefix:10}{bar:40} {human_pos} of {human_len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        self.together
            .add(ProgressBar::new(steps))
            .with_style(style)
            .with_prefix(name)
    }
}

/// Prints a table under a title: the first columns are texts, the last `numbers` ones are numbers.
pub(crate) fn table(
    title: &str,
    header: &[&str],
    numbers: usize,
    rows: Vec<Vec<String>>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.set_header(header).add_rows(rows);
    for component in TableComponent::iter() {
        table.remove_style(component);
    }
    for component in [
        TableComponent::HeaderLines,
        TableComponent::MiddleHeaderIntersections,
    ] {
        table.set_style(component, '─');
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    for column in header.len().saturating_sub(numbers)..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    line(format_args!("\n{title}"))?;
    for row in table.lines() {
        line(row.trim_end())?;
    }
    Ok(())
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: impl Display) -> String {
    let text = number.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let whole = digits.split('.').next().unwrap_or_default();
    let fraction = digits.strip_prefix(whole).unwrap_or_default();
    let mut grouped = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// A difference, always with its sign.
pub(crate) fn signed(quantity: Quantity) -> String {
    let sign = if quantity.is_positive() { "+" } else { "" };
    format!("{sign}{}", grouped(quantity))
}

/// Pence as pounds.
pub(crate) fn pounds(pence: impl Into<i128>) -> String {
    let pence = pence.into();
    let sign = if pence < 0 { "-" } else { "" };
    let (whole, pence) = (pence.unsigned_abs() / 100, pence.unsigned_abs() % 100);
    format!("{sign}£{}.{pence:02}", grouped(whole))
}

/// As much of a text as fits, and nothing that a terminal would obey.
pub(crate) fn clipped(text: &str, width: usize) -> String {
    let text = text.replace(char::is_control, " ");
    if text.chars().count() <= width {
        return text;
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `1 line`, `2 lines`.
pub(crate) fn of(number: impl Display, one: &str, many: &str) -> String {
    let number = grouped(number);
    let things = if number == "1" { one } else { many };
    format!("{number} {things}")
}

#[cfg(test)]
mod tests {
    use super::{clipped, grouped, of, pounds};

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for (number, told) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (-123, "-123"),
        ] {
            assert_eq!(grouped(number), told);
        }
        assert_eq!(grouped("1234.5678"), "1,234.5678");
        assert_eq!(pounds(-5), "-£0.05");
        assert_eq!(pounds(123_456), "£1,234.56");
        assert_eq!(pounds(i64::MIN), "-£92,233,720,368,547,758.08");
        assert_eq!(of(1, "line", "lines"), "1 line");
        assert_eq!(of(0, "line", "lines"), "0 lines");
    }

    #[test]
    fn long_texts_are_clipped_by_characters() {
        assert_eq!(clipped("T-LIGHT HOLDER", 14), "T-LIGHT HOLDER");
        assert_eq!(clipped("T-LIGHT HOLDER", 9), "T-LIGHT…");
        assert_eq!(clipped("ÅÄÖÅÄÖ", 4), "ÅÄÖ…");
        assert_eq!(clipped("\u{1b}[2J", 9), " [2J");
    }
}
