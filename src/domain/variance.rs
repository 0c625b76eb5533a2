//! What a count found against the book.

use serde::{Deserialize, Serialize};

use super::{Currency, DecimalError, Quantity, TransitionError, UnitCost, Value};

/// Counted minus expected, and what that is worth: the one rule, for takes and counts alike.
///
/// Without a known cost a difference is worth nothing.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Currency, Variance};
///
/// let gbp: Currency = "gbp".parse()?;
/// let variance = Variance::of("40".parse()?, "38".parse()?, Some("12.505".parse()?), gbp)?;
/// assert_eq!(variance.quantity().to_string(), "-2");
/// assert_eq!(variance.value().to_string(), "-25.01");
/// assert_eq!((variance.missing_minor(), variance.excess_minor()), (2501, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variance {
    expected: Quantity,
    counted: Quantity,
    quantity: Quantity,
    value: Value,
    minor: i64,
}

impl Variance {
    /// Compares a count with what was expected.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn of(
        expected: Quantity,
        counted: Quantity,
        unit_cost: Option<UnitCost>,
        currency: Currency,
    ) -> Result<Self, DecimalError> {
        let quantity = counted.checked_sub(expected)?;
        let value = match unit_cost {
            Some(cost) => Value::of(quantity, cost, currency)?,
            None => Value::ZERO,
        };
        // What is missing is told without its sign: the magnitude must exist.
        let minor = i64::try_from(value.to_money(currency).minor())
            .ok()
            .filter(|minor| minor.checked_abs().is_some())
            .ok_or(DecimalError::OutOfRange)?;
        Ok(Self {
            expected,
            counted,
            quantity,
            value,
            minor,
        })
    }

    /// The same count against the same book, of which nothing came: it was superseded, or could not be posted.
    #[must_use]
    pub(super) const fn without_effect(self) -> Self {
        Self {
            quantity: Quantity::ZERO,
            value: Value::ZERO,
            minor: 0,
            ..self
        }
    }

    /// What was expected.
    pub const fn expected(&self) -> Quantity {
        self.expected
    }

    /// What was counted.
    pub const fn counted(&self) -> Quantity {
        self.counted
    }

    /// Counted minus expected.
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// What the difference is worth, exactly.
    pub const fn value(&self) -> Value {
        self.value
    }

    /// What the difference is worth in the minor unit, rounded once.
    pub const fn minor(&self) -> i64 {
        self.minor
    }

    /// Whether the count differs from what was expected, whatever that is worth.
    pub const fn is_discrepancy(&self) -> bool {
        !self.quantity.is_zero()
    }

    /// What is missing, in the minor unit; zero or more.
    pub fn missing_minor(&self) -> i64 {
        self.minor.saturating_neg().max(0)
    }

    /// What is there beyond the book, in the minor unit; zero or more.
    pub fn excess_minor(&self) -> i64 {
        self.minor.max(0)
    }
}

impl From<DecimalError> for TransitionError {
    /// An amount that leaves its range refuses the transition that it belongs to.
    fn from(_: DecimalError) -> Self {
        Self::Rule {
            code: "out_of_range",
            message: "an amount would leave its range",
        }
    }
}
