//! When an adjustment needs a manager, and when a count is off by too much.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::fixed::SCALE;
use super::{AdjustmentType, DecimalError, Quantity, Value};

/// The largest change that needs no approval, unless a policy says otherwise.
const QUANTITY: u32 = 50;
/// The largest cost impact that needs none, in major units.
const VALUE: u32 = 500;
/// A percentage is a number of these.
const PERCENT: i128 = 100;

/// When an adjustment needs a manager's approval (S2.9), and when a discrepancy is flagged for review (S2.3).
///
/// A limit is what still passes: exactly at it needs no approval, anything over it does, in either direction.
///
/// # Example
///
/// ```
/// use stocktake::domain::{AdjustmentType, ApprovalPolicy, Value};
///
/// let policy = ApprovalPolicy::default();
/// let damaged = |change: &str| {
///     let change = change.parse()?;
///     let needed = policy.requires_approval(AdjustmentType::Damage, change, Value::ZERO);
///     Ok::<_, stocktake::domain::DecimalError>(needed)
/// };
/// assert!(!damaged("-50")?);
/// assert!(damaged("-50.000001")?);
/// # Ok::<(), stocktake::domain::DecimalError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalPolicy {
    /// The largest change that needs none. Default: 50.
    pub quantity: Quantity,
    /// The largest cost impact that needs none, in major units of the site's currency. Default: 500, whatever the currency
    /// is: a site whose unit is worth much less, or more, states its own.
    pub value: Value,
    /// The types that always need one. Default: theft.
    pub always: BTreeSet<AdjustmentType>,
    /// Whether who asked may approve. Default: no.
    pub self_approval: bool,
    /// What one person's adjustments of a product may come to in a day before the next needs an approval, so that
    /// nobody passes a limit by halves. Default: no limit.
    pub daily: DailyLimit,
}

/// What one person may adjust of a product, at a site and in a day (UTC), without anybody's approval.
///
/// Sizes are summed, whatever their sign: taking ten out and putting ten in are twenty. What a manager approved, or
/// turned down, does not count, nor what waits: somebody looks at that. Exactly at a limit needs no approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyLimit {
    /// The most units.
    pub quantity: Option<Quantity>,
    /// The most cost impact, in the site's currency.
    pub value: Option<Value>,
}

/// What one person has adjusted of a product, at a site and in a day, without anybody's approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unapproved {
    /// In units.
    pub quantity: Quantity,
    /// By cost impact.
    pub value: Value,
}

impl Unapproved {
    /// The same with one more.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn and(self, change: Quantity, cost_impact: Value) -> Result<Self, DecimalError> {
        Ok(Self {
            quantity: self.quantity.checked_add(change.abs())?,
            value: self.value.checked_add(cost_impact.abs())?,
        })
    }
}

impl DailyLimit {
    /// Whether there is any.
    pub const fn is_set(&self) -> bool {
        self.quantity.is_some() || self.value.is_some()
    }

    /// Whether it is passed.
    pub fn is_passed_by(&self, sum: Unapproved) -> bool {
        self.quantity.is_some_and(|most| sum.quantity > most)
            || self.value.is_some_and(|most| sum.value > most)
    }
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            quantity: Quantity::from(QUANTITY),
            // It fits; if it did not, everything would need an approval.
            value: Value::from_decimal(Decimal::from(VALUE)).unwrap_or(Value::ZERO),
            always: BTreeSet::from([AdjustmentType::Theft]),
            self_approval: false,
            daily: DailyLimit::default(),
        }
    }
}

impl ApprovalPolicy {
    /// Whether an adjustment needs a manager's approval.
    pub fn requires_approval(
        &self,
        kind: AdjustmentType,
        change: Quantity,
        cost_impact: Value,
    ) -> bool {
        self.always.contains(&kind) || self.is_significant(change, cost_impact)
    }

    /// Whether a change, or what it is worth, is over the limits, whatever its type.
    pub fn is_significant(&self, change: Quantity, cost_impact: Value) -> bool {
        change.abs() > self.quantity || cost_impact.abs() > self.value
    }
}

/// How far a count may be off (S6.6). A limit that is not set never stops anything; exactly at a limit passes.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Quantity, Tolerance, Value};
///
/// let tolerance = Tolerance { percent: Some(Quantity::from(10)), ..Tolerance::default() };
/// let [ten, eleven, twelve] = [10, 11, 12].map(Quantity::from);
/// assert!(!tolerance.exceeded_by(ten, eleven, Value::ZERO)?);
/// assert!(tolerance.exceeded_by(ten, twelve, Value::ZERO)?);
/// // What nobody expected is off by more than any percentage.
/// assert!(tolerance.exceeded_by(Quantity::ZERO, Quantity::ONE, Value::ZERO)?);
/// # Ok::<(), stocktake::domain::DecimalError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tolerance {
    /// The largest difference in units.
    pub quantity: Option<Quantity>,
    /// The largest difference in percent of what was expected.
    pub percent: Option<Quantity>,
    /// The largest difference in value, in the site's currency.
    pub value: Option<Value>,
}

impl Tolerance {
    /// Whether a count is off by more than a limit.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`] when the difference leaves the range.
    pub fn exceeded_by(
        &self,
        expected: Quantity,
        counted: Quantity,
        variance_value: Value,
    ) -> Result<bool, DecimalError> {
        let difference = counted.checked_sub(expected)?.abs();
        let over_percent = match self.percent {
            Some(percent) => is_over_percent(difference, expected.abs(), percent)?,
            None => false,
        };
        Ok(over_percent
            || self.quantity.is_some_and(|most| difference > most)
            || self.value.is_some_and(|most| variance_value.abs() > most))
    }
}

/// Whether `part` is more than `percent` of `whole`: compared by multiplication, so that nothing is rounded
/// and nothing is divided by zero.
pub(super) fn is_over_percent(
    part: Quantity,
    whole: Quantity,
    percent: Quantity,
) -> Result<bool, DecimalError> {
    // Both sides in millionths of millionths of a percent.
    let part = i128::from(part.micros())
        .checked_mul(PERCENT)
        .and_then(|part| part.checked_mul(i128::from(SCALE)));
    let most = i128::from(whole.micros()).checked_mul(i128::from(percent.micros()));
    match (part, most) {
        (Some(part), Some(most)) => Ok(part > most),
        (None, _) | (_, None) => Err(DecimalError::OutOfRange),
    }
}
