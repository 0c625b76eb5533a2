//! The body of a stock import (S5): JSON, read strictly.
//!
//! The reader is our own because the contract is: every number exact (nothing passes through a float),
//! duplicate keys refused, and the path of every mistake told. General JSON readers keep the last of two equal
//! keys, and give numbers as floats.

use std::collections::BTreeSet;

use super::json_number;
use crate::domain::{Code, DecimalError, NamePart, Quantity, TextError};

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// Bytes. Default: 8 MiB.
    pub bytes: usize,
    /// Values. Default: 50,000.
    pub values: usize,
    /// Locations. Default: 1,000.
    pub locations: usize,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            bytes: 8 * 1024 * 1024,
            values: 50_000,
            locations: 1_000,
        }
    }
}

/// What the numbers of a body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportNumbers {
    /// Quantities: zero or more (S5.1).
    Quantities,
    /// Changes: of either sign (S5.2).
    Changes,
    /// Nothing: they must be numbers, any will do (S5.3).
    Ignored,
}

/// A body that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportBody {
    /// The locations, in the order of the body; also those without a value.
    pub locations: Vec<Code>,
    /// The values, in the order of the body.
    pub values: Vec<ImportValue>,
}

/// One value of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportValue {
    /// The location: a site's external id.
    pub location: Code,
    /// The product: an article id.
    pub product: Code,
    /// The variant; `""` in the body is stock of none.
    pub variant: NamePart,
    /// The number.
    pub value: Quantity,
}

/// A mistake in a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ImportBodyError {
    /// Where: a JSON pointer (RFC 6901) to the place; empty for the body itself.
    pub path: String,
    /// The stable code.
    pub code: &'static str,
    /// The same in words.
    pub message: String,
}

/// A name as a step of a JSON pointer (RFC 6901).
pub(crate) fn pointer_to(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The most mistakes that are told one by one.
const MOST_MISTAKES: usize = 100;
/// How deep arrays and objects that do not belong there may nest before the body is given up.
const MOST_DEPTH: usize = 64;

/// Reads a body: location -> product -> number, or location -> product -> variant -> number. Stock of no variant beside
/// stock of variants is named by an empty text: `{"mug": {"": 3, "red": 4}}`.
///
/// A name is a [`Code`]: two spellings that are one code are a duplicate. A byte order mark before the body is passed
/// over. Numbers follow JSON's grammar, exponents included, and must be exact within the bounds of a
/// [`Quantity`].
///
/// # Errors
///
/// Every mistake (at most a hundred of them), each with its path; what can't be read any further ends with
/// one mistake of code `malformed`.
///
/// # Example
///
/// ```
/// use stocktake::documents::{ImportLimits, ImportNumbers, read_import};
///
/// let limits = ImportLimits::default();
/// let body = read_import(br#"{"store-1": {"tea": 7, "mug": {"red": 1.5e1}}}"#, limits, ImportNumbers::Quantities).unwrap();
/// assert_eq!(body.values.len(), 2);
/// assert_eq!(body.values[1].value.to_string(), "15");
///
/// let mistakes = read_import(br#"{"store-1": {"tea": "7", "mug": 1, "mug": 2}}"#, limits, ImportNumbers::Quantities).unwrap_err();
/// let told: Vec<(&str, &str)> = mistakes.iter().map(|it| (it.path.as_str(), it.code)).collect();
/// assert_eq!(told, [("/store-1/tea", "not_a_number"), ("/store-1/mug", "duplicate_key")]);
/// ```
pub fn read_import(
    body: &[u8],
    limits: ImportLimits,
    numbers: ImportNumbers,
) -> Result<ImportBody, Vec<ImportBodyError>> {
    let mut reader = Reader {
        // Windows begins its files with a byte order mark.
        rest: body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body),
        length: body.len(),
        path: Vec::new(),
        limits,
        numbers,
        body: ImportBody::default(),
        mistakes: Vec::new(),
    };
    if body.len() > limits.bytes {
        reader.mistake("too_long", format!("at most {} bytes", limits.bytes));
    } else if let Err(Unreadable(message)) = reader.read_body() {
        reader.mistake(
            "malformed",
            format!("{message} at byte {}", reader.offset()),
        );
    }
    if reader.mistakes.is_empty() {
        Ok(reader.body)
    } else {
        Err(reader.mistakes)
    }
}

/// The text is not JSON from here on.
struct Unreadable(&'static str);

/// Reads the value behind a key; the name is missing where the key is not a valid one.
type Each<'e, 'a> = dyn FnMut(&mut Reader<'a>, Option<&NamePart>) -> Result<(), Unreadable> + 'e;

/// What the keys of an object are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// Names.
    Names,
    /// Names, and an empty one for stock that has none.
    Variants,
}

struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    path: Vec<String>,
    limits: ImportLimits,
    numbers: ImportNumbers,
    body: ImportBody,
    mistakes: Vec<ImportBodyError>,
}

impl<'a> Reader<'a> {
    fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    fn mistake(&mut self, code: &'static str, message: impl Into<String>) {
        if self.mistakes.len() < MOST_MISTAKES {
            let path = self.path.iter().map(|key| pointer_to(key));
            self.mistakes.push(ImportBodyError {
                path: path.collect(),
                code,
                message: message.into(),
            });
        }
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// The next byte that is not white space, without taking it.
    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.rest.first().copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Unreadable> {
        self.space();
        if self.take(byte) {
            Ok(())
        } else {
            Err(Unreadable(what))
        }
    }

    fn read_body(&mut self) -> Result<(), Unreadable> {
        if self.peek() == Some(b'{') {
            let mut locations = 0_usize;
            self.object(Keys::Names, &mut |reader, location| {
                let location = location.and_then(NamePart::code);
                locations = locations.saturating_add(1);
                reader.body.locations.extend(location.cloned());
                let most = reader.limits.locations;
                if locations == most.saturating_add(1) {
                    reader.mistake("too_many_locations", format!("at most {most} locations"));
                }
                reader.products(location)
            })?;
        } else {
            self.mistake("wrong_nesting", "the body is an object of locations");
            self.skip()?;
        }
        if self.peek().is_some() {
            return Err(Unreadable("something follows the body"));
        }
        Ok(())
    }

    fn products(&mut self, location: Option<&Code>) -> Result<(), Unreadable> {
        if self.peek() != Some(b'{') {
            self.mistake("wrong_nesting", "a location is an object of products");
            return self.skip();
        }
        self.object(Keys::Names, &mut |reader, product| {
            let product = product.and_then(NamePart::code);
            if reader.peek() != Some(b'{') {
                return reader.value(location, product, &NamePart::Any);
            }
            reader.object(Keys::Variants, &mut |reader, variant| {
                if reader.peek() == Some(b'{') {
                    reader.mistake("too_deep", "a variant is a number");
                    return reader.skip();
                }
                match variant {
                    Some(variant) => reader.value(location, product, variant),
                    None => reader.skip(),
                }
            })
        })
    }

    /// A leaf. `None` for a location or a product stands for a name that is not valid and has been told.
    fn value(
        &mut self,
        location: Option<&Code>,
        product: Option<&Code>,
        variant: &NamePart,
    ) -> Result<(), Unreadable> {
        let Some(b'-' | b'0'..=b'9') = self.peek() else {
            self.mistake("not_a_number", "a number is expected");
            return self.skip();
        };
        let number = self.number()?;
        let value = match number {
            Err(_) if self.numbers == ImportNumbers::Ignored => Quantity::ZERO,
            Ok(value) if value.is_negative() && self.numbers == ImportNumbers::Quantities => {
                self.mistake("negative_quantity", "a quantity is zero or more");
                return Ok(());
            }
            Ok(value) => value,
            Err(DecimalError::TooPrecise) => {
                self.mistake("too_precise", "at most 6 fraction digits");
                return Ok(());
            }
            Err(DecimalError::OutOfRange | DecimalError::Syntax) => {
                self.mistake("out_of_range", "the number is out of range");
                return Ok(());
            }
        };
        if self.body.values.len() == self.limits.values {
            let most = self.limits.values;
            if !self
                .mistakes
                .iter()
                .any(|mistake| mistake.code == "too_many_values")
            {
                self.mistake("too_many_values", format!("at most {most} values"));
            }
            return Ok(());
        }
        if let (Some(location), Some(product)) = (location, product) {
            let (location, product, variant) = (location.clone(), product.clone(), variant.clone());
            self.body.values.push(ImportValue {
                location,
                product,
                variant,
                value,
            });
        }
        Ok(())
    }

    /// An object: hands each key, if it is a valid name, to `each`, which reads the value behind it.
    fn object(&mut self, are: Keys, each: &mut Each<'_, 'a>) -> Result<(), Unreadable> {
        self.expect(b'{', "an object is expected")?;
        let mut keys = BTreeSet::new();
        if self.peek() == Some(b'}') {
            return self.expect(b'}', "");
        }
        loop {
            self.space();
            let key = self.string()?;
            self.expect(b':', "a colon is expected")?;
            self.path.push(shown(&key));
            let name = match NamePart::from_text(Some(&key)) {
                Ok(NamePart::Any | NamePart::Without) if are == Keys::Names => {
                    self.mistake("invalid_name", TextError::Empty.to_string());
                    None
                }
                Ok(name) => Some(name),
                Err(error) => {
                    self.mistake("invalid_name", error.to_string());
                    None
                }
            };
            // Two spellings of one code are the same key.
            let name_text = name.as_ref().and_then(NamePart::as_text);
            let is_new = keys.insert(name_text.map_or(key, str::to_owned));
            if is_new {
                each(self, name.as_ref())?;
            } else {
                self.mistake("duplicate_key", "the key stands there twice");
                self.skip()?;
            }
            self.path.pop();
            match self.peek() {
                Some(b',') => self.expect(b',', "")?,
                Some(b'}') => return self.expect(b'}', ""),
                Some(_) | None => return Err(Unreadable("a comma or a closing brace is expected")),
            }
        }
    }

    fn string(&mut self) -> Result<String, Unreadable> {
        self.expect(b'"', "a key in quotation marks is expected")?;
        let mut bytes = Vec::new();
        loop {
            match self.rest {
                [] => return Err(Unreadable("the text ends inside a string")),
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return String::from_utf8(bytes).map_err(|_| Unreadable("not UTF-8"));
                }
                [b'\\', rest @ ..] => {
                    self.rest = rest;
                    let mut utf8 = [0_u8; 4];
                    bytes.extend_from_slice(self.escape()?.encode_utf8(&mut utf8).as_bytes());
                }
                [0..=0x1f, ..] => return Err(Unreadable("a control character inside a string")),
                [byte, rest @ ..] => {
                    bytes.push(*byte);
                    self.rest = rest;
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let [kind, rest @ ..] = self.rest else {
            return Err(Unreadable("the text ends inside a string"));
        };
        self.rest = rest;
        match kind {
            b'"' => Ok('"'),
            b'\\' => Ok('\\'),
            b'/' => Ok('/'),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => {
                let first = self.hex()?;
                let second = match first {
                    0xd800..=0xdbff if self.take(b'\\') && self.take(b'u') => Some(self.hex()?),
                    _ => None,
                };
                let units = [first, second.unwrap_or(0)];
                let units = if second.is_some() {
                    &units[..]
                } else {
                    units.get(..1).unwrap_or(&units)
                };
                let mut decoded = char::decode_utf16(units.iter().copied());
                match (decoded.next(), decoded.next()) {
                    (Some(Ok(letter)), None) => Ok(letter),
                    (_, _) => Err(Unreadable("half of a surrogate pair")),
                }
            }
            _ => Err(Unreadable("an unknown escape")),
        }
    }

    fn hex(&mut self) -> Result<u16, Unreadable> {
        let digits = self.rest.split_at_checked(4).and_then(|(digits, rest)| {
            let text = std::str::from_utf8(digits)
                .ok()
                .filter(|text| !text.starts_with('+'))?;
            Some((u16::from_str_radix(text, 16).ok()?, rest))
        });
        let (unit, rest) = digits.ok_or(Unreadable("four hexadecimal digits are expected"))?;
        self.rest = rest;
        Ok(unit)
    }

    /// A number by JSON's grammar; the outer error is that it is none, the inner that it is no quantity.
    fn number(&mut self) -> Result<Result<Quantity, DecimalError>, Unreadable> {
        let (number, rest) = json_number::scan(self.rest).map_err(Unreadable)?;
        self.rest = rest;
        Ok(number)
    }

    /// Passes over a value that does not belong there.
    fn skip(&mut self) -> Result<(), Unreadable> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => {
                    depth = depth.saturating_add(1);
                    if depth > MOST_DEPTH {
                        return Err(Unreadable("nested too deep"));
                    }
                    self.rest = self.rest.get(1..).unwrap_or(&[]);
                    continue;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth = depth.saturating_sub(1);
                    self.rest = self.rest.get(1..).unwrap_or(&[]);
                }
                Some(b',' | b':') if depth > 0 => {
                    self.rest = self.rest.get(1..).unwrap_or(&[]);
                    continue;
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => {
                    let _ = self.number()?;
                }
                Some(_) => self.word()?,
                None => return Err(Unreadable("the text ends too early")),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Result<(), Unreadable> {
        for word in [&b"true"[..], b"false", b"null"] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(());
            }
        }
        Err(Unreadable("a value is expected"))
    }
}

/// A key as a path shows it: what is endless is cut.
fn shown(key: &str) -> String {
    key.chars().take(64).collect()
}
