//! Quantities in millionths, and what they are worth in units of 10^-10, as plain integers: the model counts for
//! itself.

use stocktake::domain::{Quantity, Timestamp, UnitCost, Value, ValueSum};

pub(crate) const ONE: i64 = 1_000_000;

/// Values keep six digits beyond the two of the pound: a step is so many units.
const STEP: i128 = 100;

pub(crate) fn units(value: Value) -> i128 {
    let mut decimal = value.to_decimal();
    decimal.rescale(10);
    decimal.mantissa()
}

/// The units of a sum, which here is not beyond what one value can be.
pub(crate) fn units_of_sum(sum: ValueSum) -> i128 {
    sum.to_string().parse().map_or(i128::MAX, units)
}

/// Half away from zero.
fn rounded(numerator: i128, denominator: i128) -> i128 {
    let (magnitude, sign) = (numerator.abs(), numerator.signum() * denominator.signum());
    let denominator = denominator.abs();
    sign * ((2 * magnitude + denominator) / (2 * denominator))
}

/// Quantity times cost.
pub(crate) fn worth(micros: i64, cost: UnitCost) -> i128 {
    let product = i128::from(micros) * i128::from(cost.micros());
    rounded(product, 100 * STEP) * STEP
}

/// What belongs to a part of a whole.
pub(crate) fn share(value: i128, part: i64, whole: i64) -> i128 {
    if part == whole {
        return value;
    }
    rounded(value * i128::from(part), i128::from(whole) * STEP) * STEP
}

/// What one unit costs, in millionths.
pub(crate) fn per_unit(value: i128, micros: i64) -> i64 {
    let cost = rounded(value * i128::from(ONE), i128::from(micros) * 10_000);
    i64::try_from(cost.max(0)).unwrap()
}

/// Quantity times cost, in pence.
pub(crate) fn pence(micros: i64, cost: Option<UnitCost>) -> i64 {
    let value = cost.map_or(0, |cost| worth(micros, cost));
    i64::try_from(rounded(value, 100_000_000)).unwrap()
}

pub(crate) fn quantity(micros: i64) -> Quantity {
    Quantity::from_micros(micros).unwrap()
}

pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}
