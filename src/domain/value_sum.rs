//! What many keys are worth together.

use std::fmt;
use std::str::FromStr;

use super::value::UNIT;
use super::{Currency, DecimalError, Money, Quantity, UnitCost, Value};

/// A sum of values in a site's currency (major units), exact. Where a [`Value`] is what one key may be worth, this is
/// what any number of keys are worth together: 10^14 of them, each worth the most that a quantity times a cost can be,
/// fit.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Value, ValueSum};
///
/// let most: Value = "100000000000000000".parse()?;
/// let sum = ValueSum::ZERO.plus(most).plus(most).minus("0.000001".parse::<Value>()?);
/// assert_eq!(sum.to_string(), "199999999999999999.999999");
/// # Ok::<(), stocktake::domain::DecimalError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueSum {
    /// Whole major units, rounded down.
    whole: i128,
    /// Units of 10^-10 above that, fewer than make one.
    fraction: i128,
}

impl ValueSum {
    /// Nothing.
    pub const ZERO: Self = Self {
        whole: 0,
        fraction: 0,
    };

    fn of_units(whole: i128, units: i128) -> Self {
        Self {
            whole: whole.saturating_add(units.div_euclid(UNIT)),
            fraction: units.rem_euclid(UNIT),
        }
    }

    /// Quantity times unit cost, signed as the quantity is: what stock is worth at a standard cost, which no level has
    /// to hold.
    pub fn at_cost(quantity: Quantity, cost: UnitCost, currency: Currency) -> Self {
        // Neither is more than 10^18 millionths, so nothing here leaves its range.
        Value::units_at(quantity, cost, currency)
            .map_or(Self::ZERO, |units| Self::of_units(0, units))
    }

    /// This and that.
    #[must_use]
    pub fn plus(self, more: impl Into<Self>) -> Self {
        let more = more.into();
        Self::of_units(
            self.whole.saturating_add(more.whole),
            self.fraction.saturating_add(more.fraction),
        )
    }

    /// This without that.
    #[must_use]
    pub fn minus(self, less: impl Into<Self>) -> Self {
        let less = less.into();
        Self::of_units(
            self.whole.saturating_sub(less.whole),
            self.fraction.saturating_sub(less.fraction),
        )
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.whole == 0 && self.fraction == 0
    }

    /// Rounded half away from zero to the currency's minor unit: the one rounding on the way out.
    pub fn to_money(self, currency: Currency) -> Money {
        // Rounded half up above zero; below zero what lies in the middle goes down.
        let digits = currency.minor_digits();
        let minor_in_major = 10_i128.saturating_pow(digits);
        let step = UNIT.checked_div(minor_in_major).unwrap_or(1);
        let twice = self.fraction.saturating_mul(2);
        let down = twice.div_euclid(step.saturating_mul(2));
        let rest = twice.rem_euclid(step.saturating_mul(2));
        let up = rest > step || (rest == step && self.whole >= 0);
        let minor = self
            .whole
            .saturating_mul(minor_in_major)
            .saturating_add(down)
            .saturating_add(i128::from(up));
        Money::new(minor, currency)
    }
}

impl From<Value> for ValueSum {
    fn from(value: Value) -> Self {
        Self::of_units(0, value.units())
    }
}

impl std::iter::Sum<Value> for ValueSum {
    fn sum<I: Iterator<Item = Value>>(values: I) -> Self {
        values.fold(Self::ZERO, Self::plus)
    }
}

impl fmt::Display for ValueSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = if self.whole < 0 && self.fraction > 0 {
            let up = self.whole.saturating_add(1);
            (up, UNIT.saturating_sub(self.fraction))
        } else {
            (self.whole, self.fraction)
        };
        let sign = if self.whole < 0 { "-" } else { "" };
        write!(f, "{sign}{}", whole.unsigned_abs())?;
        if fraction == 0 {
            return Ok(());
        }
        let digits = format!("{fraction:010}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Debug for ValueSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for ValueSum {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return Err(DecimalError::Syntax);
        }
        if fraction.len() > 10 {
            return Err(DecimalError::TooPrecise);
        }
        let number = |text: &str| text.parse::<i128>().map_err(|_| DecimalError::OutOfRange);
        let (whole, fraction) = (number(whole)?, number(&format!("{fraction:0<10}"))?);
        Ok(Self::of_units(
            whole.saturating_mul(sign),
            fraction.saturating_mul(sign),
        ))
    }
}

impl serde::Serialize for ValueSum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("ValueSum", &self.to_string())
    }
}

impl<'de> serde::Deserialize<'de> for ValueSum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inner = super::fixed::Inner::<String>::new();
        let text = deserializer.deserialize_newtype_struct("ValueSum", inner)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(text: &str) -> ValueSum {
        text.parse().unwrap_or_default()
    }

    #[test]
    fn texts_come_back() {
        for text in [
            "0",
            "-0.0000000001",
            "0.5",
            "-1",
            "-1.5",
            "-0.5",
            "173.5",
            "-99999999999999999999999999999999.9999999999",
            "99999999999999999999999999999999.9999999999",
        ] {
            assert_eq!(
                text.parse::<ValueSum>().map(|it| it.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "-", ".5", "5.", "+1", "1e3", "1.00000000001", "--1"] {
            assert!(text.parse::<ValueSum>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_rounded_half_away_from_zero() {
        for (text, currency, minor) in [
            ("1.005", "gbp", 101),
            ("-1.005", "gbp", -101),
            ("1.0049999999", "gbp", 100),
            ("-1.0050000001", "gbp", -101),
            ("-1.0049999999", "gbp", -100),
            ("-0.005", "gbp", -1),
            ("0.5", "jpy", 1),
            ("-0.5", "jpy", -1),
            ("-0.4999999999", "jpy", 0),
            ("1.0005", "kwd", 1_001),
            (
                "1000000000000000000000000.01",
                "gbp",
                100_000_000_000_000_000_000_000_001,
            ),
        ] {
            let money = currency
                .parse()
                .map(|currency| sum(text).to_money(currency).minor());
            assert_eq!(money, Ok(minor), "{text} {currency}");
        }
    }

    #[test]
    fn sums_and_differences_are_exact() {
        let parts = [
            "-0.7",
            "0.3",
            "12.0000000001",
            "-11.6",
            "100000000000000000",
        ];
        let all = parts
            .iter()
            .fold(ValueSum::ZERO, |all, part| all.plus(sum(part)));
        assert_eq!(all.to_string(), "100000000000000000.0000000001");
        let none = parts.iter().fold(all, |rest, part| rest.minus(sum(part)));
        assert!(none.is_zero());
    }

    #[test]
    fn the_largest_stock_at_the_largest_cost_fits() {
        let currency = "clf".parse().map(|currency| {
            let one = ValueSum::at_cost(Quantity::MAX, UnitCost::MAX, currency);
            assert_eq!(one.to_string(), "1000000000000000000000000");
            let less = ValueSum::at_cost(Quantity::MAX.negated(), UnitCost::MAX, currency);
            assert!(one.plus(less).is_zero());
        });
        assert!(currency.is_ok());
    }
}
