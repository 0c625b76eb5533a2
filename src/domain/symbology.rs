//! In which bars a barcode stands.

use super::Barcode;

/// How a barcode is drawn: in the bars that the retail codes have, if it is one, otherwise as Code 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symbology {
    /// Thirteen digits, the last of which checks the others.
    Ean13,
    /// Eight digits, the last of which checks the others.
    Ean8,
    /// Twelve digits, the last of which checks the others.
    UpcA,
    /// Any letters of ASCII.
    Code128,
}

impl Barcode {
    /// The bars to draw it in.
    ///
    /// A code that is said to be Code 128 stays so. Any other is taken by its digits: thirteen, twelve or eight of
    /// them, the last of which checks the others, are EAN-13, UPC-A and EAN-8; what they are said to be does not
    /// matter, because catalogues are often wrong about it and a scanner reads the digits. Everything else, with a wrong
    /// check digit too, is Code 128, which reads back as exactly the text that is known.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{Barcode, Symbology};
    ///
    /// let barcode = |value: &str, symbology: &str| -> Result<Barcode, stocktake::domain::TextError> {
    ///     Ok(Barcode { value: value.parse()?, symbology: symbology.parse()? })
    /// };
    /// assert_eq!(barcode("4006381333931", "EAN13")?.drawn_as(), Symbology::Ean13);
    /// assert_eq!(barcode("4006381333932", "EAN13")?.drawn_as(), Symbology::Code128);
    /// assert_eq!(barcode("4006381333931", "Code 128")?.drawn_as(), Symbology::Code128);
    /// # Ok::<(), stocktake::domain::TextError>(())
    /// ```
    pub fn drawn_as(&self) -> Symbology {
        let said: String = self
            .symbology
            .as_str()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        if said == "CODE128" || !ends_in_its_check_digit(self.value.as_str()) {
            return Symbology::Code128;
        }
        match self.value.as_str().len() {
            13 => Symbology::Ean13,
            12 => Symbology::UpcA,
            8 => Symbology::Ean8,
            _ => Symbology::Code128,
        }
    }
}

/// Whether a text is digits of which the last checks the others, as in all codes of GS1 (GTIN, SSCC): counted from the
/// right, every second digit is taken three times, and the sum is a multiple of ten.
///
/// # Example
///
/// ```
/// use stocktake::domain::ends_in_its_check_digit;
///
/// assert!(ends_in_its_check_digit("4006381333931"));
/// assert!(!ends_in_its_check_digit("4006381333930"));
/// assert!(!ends_in_its_check_digit("SKU-1"));
/// ```
pub fn ends_in_its_check_digit(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
    let weights = [1_u64, 3].into_iter().cycle();
    digits
        .filter(|digits| digits.len() > 1)
        .is_some_and(|digits| {
            let sum: u64 = digits
                .into_iter()
                .rev()
                .zip(weights)
                .map(|(digit, weight)| u64::from(digit).saturating_mul(weight))
                .fold(0, u64::saturating_add);
            sum.is_multiple_of(10)
        })
}
