//! How much of something.

use super::DecimalError;
use super::fixed::{fixed_decimal, from_decimal};

/// An exact quantity: at most six fraction digits, within ±10^12.
///
/// Sums are exact: what would leave the range is an error, nothing wraps, saturates or rounds.
/// Its text and serialised form is the canonical decimal (`"2.5"`, never `"2.50"` or `"1e3"`).
///
/// # Example
///
/// ```
/// use stocktake::domain::Quantity;
///
/// let counted: Quantity = "38".parse()?;
/// let expected: Quantity = "40.5".parse()?;
/// assert_eq!(counted.checked_sub(expected)?.to_string(), "-2.5");
/// assert!("1e3".parse::<Quantity>().is_err());
/// assert!("0.0000001".parse::<Quantity>().is_err());
/// # Ok::<(), stocktake::domain::DecimalError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

fixed_decimal!(Quantity, i64::MIN);

impl Quantity {
    /// One.
    pub const ONE: Self = Self(super::fixed::SCALE);

    /// The sum.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn checked_add(self, other: Self) -> Result<Self, DecimalError> {
        self.0
            .checked_add(other.0)
            .ok_or(DecimalError::OutOfRange)
            .and_then(Self::from_micros)
    }

    /// The difference.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn checked_sub(self, other: Self) -> Result<Self, DecimalError> {
        self.0
            .checked_sub(other.0)
            .ok_or(DecimalError::OutOfRange)
            .and_then(Self::from_micros)
    }

    /// The same magnitude with the other sign; the range is symmetric, so this always exists.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// The magnitude.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether it is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it has no fraction.
    pub const fn is_whole(self) -> bool {
        matches!(self.0.checked_rem(super::fixed::SCALE), Some(0))
    }
}

impl From<u32> for Quantity {
    fn from(whole: u32) -> Self {
        // u32::MAX is far below the bound, so neither step can leave the range.
        Self(i64::from(whole).saturating_mul(super::fixed::SCALE))
    }
}

impl TryFrom<i64> for Quantity {
    type Error = DecimalError;

    fn try_from(whole: i64) -> Result<Self, Self::Error> {
        from_decimal(rust_decimal::Decimal::from(whole)).map(Self)
    }
}
