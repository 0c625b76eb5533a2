//! Currencies of ISO 4217.

use std::fmt;
use std::str::FromStr;

/// A currency of ISO 4217, written in lower case (`gbp`).
///
/// # Example
///
/// ```
/// use stocktake::domain::Currency;
///
/// let pound: Currency = "gbp".parse()?;
/// assert_eq!(pound.minor_digits(), 2);
/// assert_eq!("JPY".parse::<Currency>()?.minor_digits(), 0);
/// # Ok::<(), stocktake::domain::UnknownCurrency>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    minor_digits: u8,
}

/// Not a currency code of ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a currency of ISO 4217")]
pub struct UnknownCurrency;

impl Currency {
    /// Digits between the major and the minor unit: 2 for `gbp`, 0 for `jpy`, 3 for `kwd`.
    pub const fn minor_digits(self) -> u32 {
        self.minor_digits as u32
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut code: [u8; 3] = text.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        code.make_ascii_uppercase();
        let upper = std::str::from_utf8(&code).map_err(|_| UnknownCurrency)?;
        let known = iso_currency::Currency::from_code(upper).ok_or(UnknownCurrency)?;
        // Metals and test codes have no minor unit; four digits are the most that ISO 4217 knows.
        let minor_digits = known.exponent().unwrap_or(0);
        let minor_digits = u8::try_from(minor_digits)
            .ok()
            .filter(|d| *d <= 4)
            .ok_or(UnknownCurrency)?;
        code.make_ascii_lowercase();
        Ok(Self { code, minor_digits })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.code).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
