//! Numbers as JSON writes them, exactly: nothing passes through a float.

use crate::domain::{DecimalError, Quantity};

/// What was scanned, and the text behind it.
type Scanned<'a> = (Result<Quantity, DecimalError>, &'a [u8]);

/// Reads a number as JSON writes it, exponents included; it must be exact within the bounds of a [`Quantity`].
///
/// # Errors
///
/// [`DecimalError::Syntax`] for what JSON does not take for a number (white space around it among that),
/// [`DecimalError::TooPrecise`], [`DecimalError::OutOfRange`].
///
/// # Example
///
/// ```
/// use stocktake::documents::read_number;
/// use stocktake::domain::DecimalError;
///
/// assert_eq!(read_number("1.5e1")?.to_string(), "15");
/// assert_eq!(read_number("123456789012.123456")?.to_string(), "123456789012.123456");
/// assert_eq!(read_number("0.1e-6"), Err(DecimalError::TooPrecise));
/// assert_eq!(read_number("+1"), Err(DecimalError::Syntax));
/// # Ok::<(), DecimalError>(())
/// ```
pub fn read_number(text: &str) -> Result<Quantity, DecimalError> {
    match scan(text.as_bytes()) {
        Ok((number, [])) => number,
        Ok(_) | Err(_) => Err(DecimalError::Syntax),
    }
}

/// Scans the number that a text begins with; the outer error is that there is none, the inner that it is no
/// quantity.
pub(super) fn scan(text: &[u8]) -> Result<Scanned<'_>, &'static str> {
    let (negative, rest) = after(text, b"-");
    let (whole, rest) = digits(rest);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
        return Err("a number is expected");
    }
    let (fraction, rest) = match after(rest, b".") {
        (true, rest) => match digits(rest) {
            ([], _) => return Err("digits are expected behind the point"),
            fraction => fraction,
        },
        (false, rest) => (&[][..], rest),
    };
    let (exponent, rest) = match after(rest, b"eE") {
        (true, rest) => exponent(rest)?,
        (false, rest) => (Some(0), rest),
    };
    Ok((exact(negative, whole, fraction, exponent), rest))
}

/// The exponent; `None` when it is beyond every bound.
fn exponent(text: &[u8]) -> Result<(Option<i64>, &[u8]), &'static str> {
    let (below, rest) = after(text, b"-");
    let rest = if below { rest } else { after(rest, b"+").1 };
    let (digits, rest) = digits(rest);
    if digits.is_empty() {
        return Err("digits are expected in the exponent");
    }
    let size = std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let signed = size.map(|size| if below { size.saturating_neg() } else { size });
    Ok((signed, rest))
}

/// Whether the text begins with one of some characters, and what follows it.
fn after<'a>(text: &'a [u8], any: &[u8]) -> (bool, &'a [u8]) {
    match text {
        [first, rest @ ..] if any.contains(first) => (true, rest),
        _ => (false, text),
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((&[], text))
}

/// The exact quantity of digits and an exponent; `None` stands for an exponent beyond every bound.
fn exact(
    negative: bool,
    whole: &[u8],
    fraction: &[u8],
    exponent: Option<i64>,
) -> Result<Quantity, DecimalError> {
    let digits: Vec<u8> = whole
        .iter()
        .chain(fraction)
        .copied()
        .skip_while(|digit| *digit == b'0')
        .collect();
    let significant = digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |last| last.saturating_add(1));
    let Some(mantissa) = digits
        .get(..significant)
        .filter(|digits| !digits.is_empty())
    else {
        return Ok(Quantity::ZERO);
    };
    let dropped = digits.len().saturating_sub(significant);
    let shift = i64::try_from(dropped)
        .ok()
        .zip(i64::try_from(fraction.len()).ok())
        .zip(exponent)
        .and_then(|((dropped, fraction), exponent)| {
            exponent.checked_add(dropped)?.checked_sub(fraction)
        })
        .ok_or(DecimalError::OutOfRange)?;
    // Millionths: six places to the left of where the point is.
    let places = shift.checked_add(6).ok_or(DecimalError::OutOfRange)?;
    let places = u32::try_from(places).map_err(|_| DecimalError::TooPrecise)?;
    let mut micros: i64 = 0;
    for digit in mantissa {
        micros = micros
            .checked_mul(10)
            .and_then(|micros| micros.checked_add(i64::from(digit.wrapping_sub(b'0'))))
            .ok_or(DecimalError::OutOfRange)?;
    }
    let micros = 10_i64
        .checked_pow(places)
        .and_then(|power| micros.checked_mul(power))
        .ok_or(DecimalError::OutOfRange)?;
    Quantity::from_micros(if negative {
        micros.saturating_neg()
    } else {
        micros
    })
}
