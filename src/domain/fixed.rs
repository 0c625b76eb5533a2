//! Decimal text with at most six fraction digits, held as a count of millionths.
//!
//! The parser is strict on purpose: `Decimal`'s own takes `1e5`, `1_000`, `.5` and `5.`, and silently
//! rounds what does not fit.

use std::fmt;

use rust_decimal::Decimal;

/// Millionths in one.
pub(super) const SCALE: i64 = 1_000_000;
/// Fraction digits.
pub(super) const FRACTION_DIGITS: u32 = 6;
/// The largest magnitude: 10^12, in millionths.
pub(super) const MAX_MICROS: i64 = 1_000_000_000_000 * SCALE;

/// Why a decimal is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// Not `-?digits(.digits)?`: no exponent, no sign `+`, no separators, no bare point.
    #[error("not a decimal number")]
    Syntax,
    /// More than six fraction digits.
    #[error("more than 6 fraction digits")]
    TooPrecise,
    /// Outside of ±10^12 (or below zero where only zero and more is allowed).
    #[error("out of range")]
    OutOfRange,
}

/// Parses `-?\d{1,13}(\.\d{1,6})?` into millionths.
pub(super) fn parse(text: &str) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(DecimalError::Syntax),
        None => (digits, ""),
    };
    if whole.is_empty()
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return Err(DecimalError::Syntax);
    }
    if fraction.len() > FRACTION_DIGITS as usize {
        return Err(DecimalError::TooPrecise);
    }
    if whole.len() > 13 {
        return Err(DecimalError::OutOfRange);
    }
    let mut micros: i64 = 0;
    let padding = std::iter::repeat_n(b'0', FRACTION_DIGITS as usize);
    let all = whole.bytes().chain(
        fraction
            .bytes()
            .chain(padding)
            .take(FRACTION_DIGITS as usize),
    );
    for digit in all {
        micros = micros
            .checked_mul(10)
            .and_then(|m| m.checked_add(i64::from(digit.wrapping_sub(b'0'))))
            .ok_or(DecimalError::OutOfRange)?;
    }
    bounded(if negative {
        micros.checked_neg().ok_or(DecimalError::OutOfRange)?
    } else {
        micros
    })
}

/// Refuses what lies outside of ±10^12.
pub(super) fn bounded(micros: i64) -> Result<i64, DecimalError> {
    if (-MAX_MICROS..=MAX_MICROS).contains(&micros) {
        Ok(micros)
    } else {
        Err(DecimalError::OutOfRange)
    }
}

/// Millionths of an exact decimal; refuses to round.
pub(super) fn from_decimal(value: Decimal) -> Result<i64, DecimalError> {
    let value = value.normalize();
    if value.scale() > FRACTION_DIGITS {
        return Err(DecimalError::TooPrecise);
    }
    let factor = 10_i128
        .checked_pow(FRACTION_DIGITS.saturating_sub(value.scale()))
        .ok_or(DecimalError::OutOfRange)?;
    let micros = value
        .mantissa()
        .checked_mul(factor)
        .ok_or(DecimalError::OutOfRange)?;
    bounded(i64::try_from(micros).map_err(|_| DecimalError::OutOfRange)?)
}

/// Writes so many millionths as a decimal without trailing zeros.
pub(super) fn write(micros: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const SIZE: u64 = SCALE.unsigned_abs();
    if f.width().is_some() || f.precision().is_some() || f.sign_plus() {
        return fmt::Display::fmt(&to_decimal(micros), f);
    }
    let size = micros.unsigned_abs();
    let (whole, mut fraction) = (size / SIZE, size % SIZE);
    let sign = if micros < 0 { "-" } else { "" };
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut digits = FRACTION_DIGITS as usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        digits = digits.saturating_sub(1);
    }
    write!(f, "{sign}{whole}.{fraction:0digits$}")
}

/// The decimal of so many millionths, without trailing zeros.
pub(super) fn to_decimal(micros: i64) -> Decimal {
    Decimal::new(micros, FRACTION_DIGITS).normalize()
}

/// Rounds `numerator / denominator` half away from zero; `None` on overflow or division by zero.
pub(super) fn divide_rounded(numerator: i128, denominator: i128) -> Option<i128> {
    let quotient = numerator.checked_div(denominator)?;
    let remainder = numerator.checked_rem(denominator)?;
    let twice = remainder.checked_abs()?.checked_mul(2)?;
    if twice < denominator.checked_abs()? {
        return Some(quotient);
    }
    let away = if (numerator < 0) == (denominator < 0) {
        1
    } else {
        -1
    };
    quotient.checked_add(away)
}

/// Reads the number inside a decimal, where it is not written as text.
pub(super) struct Inner<T>(std::marker::PhantomData<T>);

impl<T> Inner<T> {
    pub(super) const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, T: serde::Deserialize<'de>> serde::de::Visitor<'de> for Inner<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a decimal as a whole number of its smallest units")
    }

    fn visit_newtype_struct<D: serde::Deserializer<'de>>(self, number: D) -> Result<T, D::Error> {
        T::deserialize(number)
    }
}

/// Implements what a bounded decimal of millionths shares with the other one.
macro_rules! fixed_decimal {
    ($name:ident, $lowest:expr) => {
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The largest value: 10^12.
            pub const MAX: Self = Self(crate::domain::fixed::MAX_MICROS);

            /// Takes an exact decimal; nothing is rounded.
            ///
            /// # Errors
            ///
            /// [`DecimalError`](crate::domain::DecimalError) when it has more than six fraction digits or
            /// is out of range.
            pub fn from_decimal(
                value: rust_decimal::Decimal,
            ) -> Result<Self, crate::domain::DecimalError> {
                crate::domain::fixed::from_decimal(value).and_then(Self::from_micros)
            }

            /// Takes a count of millionths.
            ///
            /// # Errors
            ///
            /// [`DecimalError::OutOfRange`](crate::domain::DecimalError::OutOfRange).
            pub fn from_micros(micros: i64) -> Result<Self, crate::domain::DecimalError> {
                let micros = crate::domain::fixed::bounded(micros)?;
                if micros < $lowest {
                    return Err(crate::domain::DecimalError::OutOfRange);
                }
                Ok(Self(micros))
            }

            /// The exact decimal, without trailing zeros.
            pub fn to_decimal(self) -> rust_decimal::Decimal {
                crate::domain::fixed::to_decimal(self.0)
            }

            /// The count of millionths.
            pub const fn micros(self) -> i64 {
                self.0
            }

            /// Whether it is nothing.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::domain::fixed::write(self.0, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.to_decimal())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::domain::DecimalError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                crate::domain::fixed::parse(text).and_then(Self::from_micros)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_newtype_struct(stringify!($name), &self.0)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    let inner = crate::domain::fixed::Inner::new();
                    let micros =
                        deserializer.deserialize_newtype_struct(stringify!($name), inner)?;
                    Self::from_micros(micros).map_err(serde::de::Error::custom)
                }
            }
        }
    };
}
pub(super) use fixed_decimal;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Quantity;

    #[test]
    fn numbers_are_written_as_decimals_are() {
        let sizes = [
            0, 1, 9, 10, 500_000, 999_999, SCALE, 1_500_000, 12_000_010, MAX_MICROS,
        ];
        for micros in sizes.into_iter().flat_map(|size| [size, -size]) {
            let (written, decimal) = (Quantity::from_micros(micros).ok(), to_decimal(micros));
            let written = written.unwrap_or_default();
            assert_eq!(format!("{written}"), format!("{decimal}"));
            assert_eq!(format!("{written:>9}"), format!("{decimal:>9}"));
            assert_eq!(format!("{written:+.2}"), format!("{decimal:+.2}"));
        }
    }
}
