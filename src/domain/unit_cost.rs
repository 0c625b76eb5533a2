//! What one unit costs.

use rust_decimal::Decimal;

use super::Currency;
use super::fixed::{FRACTION_DIGITS, fixed_decimal};

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

impl UnitCost {
    /// The same in the currency's minor unit, exactly; it may have a fraction there.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::UnitCost;
    ///
    /// let cost: UnitCost = "0.335".parse()?;
    /// assert_eq!(cost.in_minor_units("gbp".parse()?).to_string(), "33.5");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_minor_units(self, currency: Currency) -> Decimal {
        // A cost has at most 19 digits in all, and a currency adds at most 4: that always fits.
        10_i128
            .checked_pow(currency.minor_digits())
            .and_then(|minor| i128::from(self.0).checked_mul(minor))
            .and_then(|micros| Decimal::try_from_i128_with_scale(micros, FRACTION_DIGITS).ok())
            .unwrap_or_default()
            .normalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_told_in_minor_units_exactly() {
        for (cost, currency, expected) in [
            ("12.50", "gbp", "1250"),
            ("0.335", "gbp", "33.5"),
            ("0.000001", "gbp", "0.0001"),
            ("1999", "jpy", "1999"),
            ("1.999", "kwd", "1999"),
            ("0", "gbp", "0"),
        ] {
            let cost: UnitCost = cost.parse().unwrap_or_default();
            let minor = currency
                .parse()
                .map(|currency| cost.in_minor_units(currency).to_string());
            assert_eq!(minor.as_deref(), Ok(expected));
        }
        let most = "jpy"
            .parse()
            .map(|jpy| UnitCost::MAX.in_minor_units(jpy).to_string());
        assert_eq!(most.as_deref(), Ok("1000000000000"));
    }
}
