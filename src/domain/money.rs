//! Money as the outside sees it.

use serde::{Deserialize, Serialize};

use super::{Currency, DecimalError};

/// An amount of money: whole minor units of one currency (pence, cents, yen).
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
    minor: i64,
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
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing of a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The amount in major units.
    pub fn to_decimal(self) -> rust_decimal::Decimal {
        rust_decimal::Decimal::new(self.minor, self.currency.minor_digits())
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
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}
