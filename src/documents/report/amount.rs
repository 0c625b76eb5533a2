//! Sums and shares as people read them, from exact ones: nothing that is shown has been a float.

use crate::domain::{Currency, Money, Quantity, UnitCost};

/// Millionths in one.
const MILLIONTHS: u128 = 1_000_000;

/// A number: exactly, and as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// Digits, a point and a minus sign.
    pub(super) exact: String,
    /// With its thousands apart and a sign as in print.
    pub(super) shown: String,
}

impl Figure {
    /// A number that is what it is.
    fn plain(exact: String) -> Self {
        let shown = grouped(&exact);
        Self { exact, shown }
    }

    /// A difference: also what is above zero has its sign.
    fn difference(exact: String) -> Self {
        let is_nothing = exact.bytes().all(|digit| matches!(digit, b'0' | b'.'));
        let plus = if is_nothing || exact.starts_with('-') {
            ""
        } else {
            "+"
        };
        let shown = format!("{plus}{}", grouped(&exact));
        Self { exact, shown }
    }

    /// How many.
    pub(super) fn number(number: u64) -> Self {
        Self::plain(number.to_string())
    }

    /// A quantity.
    pub(super) fn quantity(quantity: Pieces) -> Self {
        Self::plain(quantity.exact())
    }

    /// By how much something is off.
    pub(super) fn quantity_off(quantity: Pieces) -> Self {
        Self::difference(quantity.exact())
    }

    /// An amount of money, in the major unit.
    pub(super) fn money(minor: i128, currency: Currency) -> Self {
        Self::plain(Money::new(minor, currency).major())
    }

    /// By how much money something is off, in the major unit.
    pub(super) fn money_off(minor: i128, currency: Currency) -> Self {
        Self::difference(Money::new(minor, currency).major())
    }

    /// A cost of one unit: all digits that it has, and at least those of the currency.
    pub(super) fn cost(cost: UnitCost, currency: Currency) -> Self {
        let text = cost.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = usize::try_from(currency.minor_digits()).unwrap_or_default();
        Self::plain(if digits == 0 && fraction.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction:0<digits$}")
        })
    }
}

/// A sum of quantities, wide enough for those of any number of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pieces(i128);

impl Pieces {
    /// Together.
    pub(super) const fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// The difference.
    pub(super) const fn minus(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }

    /// Millionths, to compare and to draw.
    pub(super) const fn millionths(self) -> i128 {
        self.0
    }

    fn exact(self) -> String {
        let all = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = all.checked_div(MILLIONTHS).unwrap_or_default();
        let rest = all.checked_rem(MILLIONTHS).unwrap_or_default();
        if rest == 0 {
            return format!("{sign}{whole}");
        }
        let fraction = format!("{rest:06}");
        format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl From<Quantity> for Pieces {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.micros().into())
    }
}

/// Thousands apart, and the minus sign of print.
fn grouped(exact: &str) -> String {
    let (sign, digits) = match exact.strip_prefix('-') {
        Some(digits) => ("\u{2212}", digits),
        None => ("", exact),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let mut text = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len().saturating_sub(index);
        if index > 0 && left.checked_rem(3) == Some(0) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// What part of a whole something is, in tenths of a percent, rounded; what is not all of it never reads as all, and what
/// is something never reads as nothing. Of nothing there is no part.
pub(super) fn percent(part: i128, whole: i128) -> Option<String> {
    if whole <= 0 || part < 0 {
        return None;
    }
    let half = whole.checked_div(2)?;
    let tenths = part
        .checked_mul(1_000)?
        .checked_add(half)?
        .checked_div(whole)?;
    Some(if tenths == 0 && part > 0 {
        "under 0.1 %".to_owned()
    } else if tenths >= 1_000 && part < whole {
        "over 99.9 %".to_owned()
    } else {
        let (whole, tenth) = (tenths.checked_div(10)?, tenths.checked_rem(10)?);
        format!("{}.{tenth} %", grouped(&whole.to_string()))
    })
}

/// How far a part goes along a line of a length, in hundredths of a percent of it.
pub(super) fn along(part: i128, whole: i128) -> u32 {
    const ALL: i128 = 10_000;
    let along = part
        .max(0)
        .checked_mul(ALL)
        .and_then(|part| part.checked_div(whole));
    along
        .and_then(|along| u32::try_from(along.min(ALL)).ok())
        .unwrap_or(0)
}

/// Hundredths of a percent as a length in a drawing.
pub(super) fn length(hundredths: u32) -> String {
    let (whole, rest) = (hundredths.checked_div(100), hundredths.checked_rem(100));
    format!("{}.{:02}%", whole.unwrap_or(0), rest.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_readable() -> Result<(), Box<dyn std::error::Error>> {
        let (gbp, jpy): (Currency, Currency) = ("gbp".parse()?, "jpy".parse()?);
        let shown = |figure: Figure| (figure.exact, figure.shown);
        let told = |exact: &str, as_shown: &str| (exact.to_owned(), as_shown.to_owned());
        for (figure, expected) in [
            (Figure::number(1_234_567), told("1234567", "1,234,567")),
            (
                Figure::money(-123_456, gbp),
                told("-1234.56", "\u{2212}1,234.56"),
            ),
            (Figure::money_off(123_456, jpy), told("123456", "+123,456")),
            (Figure::money_off(0, gbp), told("0.00", "0.00")),
            (Figure::money_off(-1, gbp), told("-0.01", "\u{2212}0.01")),
            (Figure::cost("2.5".parse()?, gbp), told("2.50", "2.50")),
            (
                Figure::cost("0.333333".parse()?, gbp),
                told("0.333333", "0.333333"),
            ),
            (Figure::cost("1999".parse()?, jpy), told("1999", "1,999")),
            (Figure::quantity_off(Quantity::ONE.into()), told("1", "+1")),
        ] {
            assert_eq!(shown(figure), expected);
        }
        let most = (0..10).fold(Pieces::default(), |sum, _| sum.plus(Quantity::MAX.into()));
        assert_eq!(most.exact(), "10000000000000");
        let small: Quantity = "-1000.000001".parse()?;
        assert_eq!(Figure::quantity(small.into()).shown, "\u{2212}1,000.000001");
        Ok(())
    }

    #[test]
    fn a_part_is_never_all_and_never_nothing() {
        for (part, whole, told) in [
            (0, 10, Some("0.0 %")),
            (10, 10, Some("100.0 %")),
            (9_999, 10_000, Some("over 99.9 %")),
            (1, 10_000, Some("under 0.1 %")),
            (1, 3, Some("33.3 %")),
            (2, 3, Some("66.7 %")),
            (15, 10, Some("150.0 %")),
            (0, 0, None),
            (1, 0, None),
        ] {
            assert_eq!(percent(part, whole).as_deref(), told, "{part} of {whole}");
        }
    }

    #[test]
    fn lengths_stay_on_the_line() {
        assert_eq!(length(along(1, 3)), "33.33%");
        assert_eq!(along(5, 3), 10_000);
        assert_eq!(along(-5, 3), 0);
        assert_eq!(along(5, 0), 0);
        assert_eq!(
            along(i128::MAX, i128::MAX),
            0,
            "beyond what can be counted nothing is drawn"
        );
    }
}
