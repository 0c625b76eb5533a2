//! Money as the outside sees it.

use serde::{Deserialize, Serialize};

use super::{Currency, DecimalError};

/// An amount of money: whole minor units of one currency (pence, cents, yen). It is wide enough for the sum of any
/// number of lines.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Currency, Money};
///
/// let gbp: Currency = "gbp".parse()?;
/// let total = Money::new(1250, gbp).checked_add(Money::new(-50, gbp))?;
/// assert_eq!(total.minor(), 1200);
/// assert_eq!(total.to_string(), "12.00 gbp");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    minor: i128,
    currency: Currency,
}

/// Why two amounts could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// They are of two currencies (invariant I19). Convert before adding: the library never does.
    #[error("amounts of two currencies")]
    CurrencyMismatch,
    /// The sum does not fit.
    #[error(transparent)]
    Range(#[from] DecimalError),
}

impl Money {
    /// So many minor units.
    pub const fn new(minor: i128, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing of a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The minor units.
    pub const fn minor(self) -> i128 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The amount in major units, as text, with all digits that the currency has.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::Money;
    ///
    /// assert_eq!(Money::new(-5, "gbp".parse()?).major(), "-0.05");
    /// assert_eq!(Money::new(1_999, "jpy".parse()?).major(), "1999");
    /// # Ok::<(), stocktake::domain::UnknownCurrency>(())
    /// ```
    pub fn major(self) -> String {
        let digits = self.currency.minor_digits();
        let minor_in_major = 10_u128.saturating_pow(digits);
        let minor = self.minor.unsigned_abs();
        let sign = if self.minor < 0 { "-" } else { "" };
        let whole = minor.checked_div(minor_in_major).unwrap_or_default();
        match (digits, minor.checked_rem(minor_in_major)) {
            (1.., Some(rest)) => {
                let width = usize::try_from(digits).unwrap_or_default();
                format!("{sign}{whole}.{rest:0width$}")
            }
            (_, _) => format!("{sign}{whole}"),
        }
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    ///
    /// [`MoneyError`] when the currencies differ or the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(DecimalError::OutOfRange)?;
        Ok(Self::new(minor, self.currency))
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.major(), self.currency)
    }
}
