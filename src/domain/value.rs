//! What stock is worth, inside the library.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::fixed::{Inner, SCALE, divide_rounded};
use super::{Currency, DecimalError, Money, Quantity, UnitCost, ValueSum};

/// An exact amount in a site's currency (major units), with more digits than money has.
///
/// Inside the library values keep six digits beyond the currency's own; they are rounded
/// once, where an amount leaves the library ([`Value::to_money`]). The range is ±10^17; what a key is worth, and what one line
/// costs, is also at most 9 * 10^18 of the currency's minor unit.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Currency, Quantity, UnitCost, Value};
///
/// let gbp: Currency = "gbp".parse()?;
/// let value = Value::of("3".parse()?, "0.335".parse::<UnitCost>()?, gbp)?;
/// assert_eq!(value.to_string(), "1.005");
/// assert_eq!(value.to_money(gbp).minor(), 101);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(i128);

/// Fraction digits of the representation: six beyond the four that ISO 4217 has at most.
const DIGITS: u32 = Value::DIGITS;
/// Units of the representation in one major unit.
pub(super) const UNIT: i128 = 10_i128.pow(DIGITS);
const MAX: i128 = 10_i128.pow(17) * UNIT;
/// The most that a key may be worth and a line may cost, in the currency's minor unit: what is told of it in 64 bits, also
/// at an average that was rounded, always fits.
const MAX_MINOR: i128 = 9 * 10_i128.pow(18);
/// Digits kept beyond the currency's own.
const EXTRA_DIGITS: u32 = 6;

impl Value {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Fraction digits of [`units`](Self::units).
    pub(crate) const DIGITS: u32 = 10;

    /// How many units of 10^-10.
    pub(crate) const fn units(self) -> i128 {
        self.0
    }

    fn bounded(units: i128) -> Result<Self, DecimalError> {
        if (-MAX..=MAX).contains(&units) {
            Ok(Self(units))
        } else {
            Err(DecimalError::OutOfRange)
        }
    }

    /// How many units the last digit is that is kept for a currency.
    const fn step(currency: Currency) -> i128 {
        let kept = currency.minor_digits().saturating_add(EXTRA_DIGITS);
        10_i128.saturating_pow(DIGITS.saturating_sub(kept))
    }

    /// How many units a quantity is worth at a unit cost, which may be more than a value holds.
    pub(super) fn units_at(quantity: Quantity, cost: UnitCost, currency: Currency) -> Option<i128> {
        // Millionths times millionths are 12 digits; the representation has 10.
        let step = Self::step(currency);
        let product = i128::from(quantity.micros()).checked_mul(i128::from(cost.micros()))?;
        divide_rounded(product, step.checked_mul(100)?)?.checked_mul(step)
    }

    /// Whether it has no more digits than are kept for the currency.
    pub fn is_kept(self, currency: Currency) -> bool {
        self.0.checked_rem(Self::step(currency)) == Some(0)
    }

    /// The value, if a key may be worth so much, or a line cost so much, in a currency.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`] beyond 9 * 10^18 of the minor unit.
    pub(super) fn of_one_line(self, currency: Currency) -> Result<Self, DecimalError> {
        let minor = self.to_money(currency).minor();
        if (-MAX_MINOR..=MAX_MINOR).contains(&minor) {
            Ok(self)
        } else {
            Err(DecimalError::OutOfRange)
        }
    }

    /// Quantity times unit cost, signed as the quantity is.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn of(
        quantity: Quantity,
        cost: UnitCost,
        currency: Currency,
    ) -> Result<Self, DecimalError> {
        Self::units_at(quantity, cost, currency)
            .ok_or(DecimalError::OutOfRange)
            .and_then(Self::bounded)
    }

    /// The part of this value that belongs to `part` of `whole` units. The whole gets all of it.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`], also when `whole` is zero.
    pub fn share(
        self,
        part: Quantity,
        whole: Quantity,
        currency: Currency,
    ) -> Result<Self, DecimalError> {
        if part == whole && !whole.is_zero() {
            return Ok(self);
        }
        self.share_units(part.micros().into(), whole.micros().into(), currency)
            .ok_or(DecimalError::OutOfRange)
            .and_then(Self::bounded)
    }

    /// The value times `part`, which alone may leave the range, is never made: what each of `whole` gets is, and what
    /// is left over.
    fn share_units(self, part: i128, whole: i128, currency: Currency) -> Option<i128> {
        let sign = [self.0, part, whole]
            .iter()
            .map(|it| it.signum())
            .product::<i128>();
        let (value, part, whole) = (self.0.abs(), part.abs(), whole.abs());
        let step = Self::step(currency);
        // The share is so many units, and so many parts of `whole` of one more.
        let over = value.checked_rem(whole)?.checked_mul(part)?;
        let units = value
            .checked_div(whole)?
            .checked_mul(part)?
            .checked_add(over.checked_div(whole)?)?;
        let rest = units
            .checked_rem(step)?
            .checked_mul(whole)?
            .checked_add(over.checked_rem(whole)?)?;
        let is_half = rest.checked_mul(2)? >= step.checked_mul(whole)?;
        units
            .checked_div(step)?
            .checked_add(i128::from(is_half))?
            .checked_mul(step)?
            .checked_mul(sign)
    }

    /// This value spread over `quantity` units: the cost of one, rounded to six digits, never below zero.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`], also when `quantity` is zero.
    pub fn per_unit(self, quantity: Quantity) -> Result<UnitCost, DecimalError> {
        // Units of 10^-10 over millionths are 10^-4: two more digits make the millionths of a cost.
        let cost = self
            .0
            .checked_mul(i128::from(SCALE))
            .and_then(|n| {
                i128::from(quantity.micros())
                    .checked_mul(10_000)
                    .map(|d| (n, d))
            })
            .and_then(|(n, d)| divide_rounded(n, d))
            .and_then(|micros| i64::try_from(micros).ok())
            .ok_or(DecimalError::OutOfRange)?;
        UnitCost::from_micros(cost.max(0))
    }

    /// The sum.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn checked_add(self, other: Self) -> Result<Self, DecimalError> {
        self.0
            .checked_add(other.0)
            .ok_or(DecimalError::OutOfRange)
            .and_then(Self::bounded)
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
            .and_then(Self::bounded)
    }

    /// The same magnitude with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// The magnitude.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Rounded half away from zero to the currency's minor unit: the one rounding on the way out.
    pub fn to_money(self, currency: Currency) -> Money {
        ValueSum::from(self).to_money(currency)
    }

    /// The exact decimal in major units, without trailing zeros.
    pub fn to_decimal(self) -> Decimal {
        // Within ±10^17 and ten digits the mantissa has at most 28 digits, which `Decimal` holds.
        Decimal::try_from_i128_with_scale(self.0, DIGITS)
            .unwrap_or_default()
            .normalize()
    }

    /// Takes an exact decimal in major units.
    ///
    /// # Errors
    ///
    /// [`DecimalError::TooPrecise`] beyond ten fraction digits, [`DecimalError::OutOfRange`].
    pub fn from_decimal(value: Decimal) -> Result<Self, DecimalError> {
        let value = value.normalize();
        let missing = DIGITS
            .checked_sub(value.scale())
            .ok_or(DecimalError::TooPrecise)?;
        10_i128
            .checked_pow(missing)
            .and_then(|factor| value.mantissa().checked_mul(factor))
            .ok_or(DecimalError::OutOfRange)
            .and_then(Self::bounded)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Value {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if !plain || digits.starts_with('.') || digits.ends_with('.') || digits.len() > 40 {
            return Err(DecimalError::Syntax);
        }
        Decimal::from_str_exact(text)
            .map_err(|_| DecimalError::Syntax)
            .and_then(Self::from_decimal)
    }
}

impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_newtype_struct("Value", &self.0)
        }
    }
}

impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            let units = deserializer.deserialize_newtype_struct("Value", Inner::new())?;
            Self::bounded(units).map_err(serde::de::Error::custom)
        }
    }
}
