//! What one unit costs.

use super::fixed::fixed_decimal;

/// The cost of one unit in the site's currency (major units): exact, zero or more, at most six
/// fraction digits, at most 10^12.
///
/// # Example
///
/// ```
/// use stocktake::domain::UnitCost;
///
/// let cost: UnitCost = "12.50".parse()?;
/// assert_eq!(cost.to_string(), "12.5");
/// assert!("-1".parse::<UnitCost>().is_err());
/// # Ok::<(), stocktake::domain::DecimalError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitCost(i64);

fixed_decimal!(UnitCost, 0);
