//! The marks inside cursors: where a row stands in its list, as text.
//!
//! A mark is a row of tokens with dots between them, made of letters, digits, `-`, `_` and `~` only, so that
//! a cursor can stand in a URL or a header as it is. Numbers and ids are written as they are; a text is `t`
//! and its bytes, of which all but letters, digits, `-` and `_` are `~` and two hexadecimal digits; a text
//! that is missing is `-`. A sort value is a letter for its kind (`m`issing, `f`lag, `n`umber, `t`ext, `p`air
//! of texts) and its tokens.
//!
//! A mark holds the last row's place and, in sorted lists, its sort value: the next page begins strictly
//! after it even when the row is gone by then.

use std::fmt::{Display, Write as _};
use std::str::{FromStr, Split};

use super::SortValue;
use crate::domain::{Code, StockKey, Timestamp};

/// Where a row stands in its list's own order.
pub trait Position: Ord {
    /// Writes it down.
    fn write(&self, mark: &mut Mark);

    /// Reads it back; `None` if that is not what was written.
    fn read(tokens: &mut Tokens<'_>) -> Option<Self>
    where
        Self: Sized;
}

/// Where a row stands in a list that is sorted by a value: rows that are equal in it keep their own order.
impl<P: Position> Position for (SortValue, P) {
    fn write(&self, mark: &mut Mark) {
        mark.value(&self.0);
        self.1.write(mark);
    }

    fn read(tokens: &mut Tokens<'_>) -> Option<Self> {
        Some((tokens.value()?, P::read(tokens)?))
    }
}

/// A mark that is being written.
#[derive(Debug, Default)]
pub struct Mark(String);

/// A mark that is being read.
#[derive(Debug)]
pub struct Tokens<'a>(Split<'a, char>);

/// A token is not one that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mark has been altered")]
pub struct Altered;

impl Mark {
    /// The text so far.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn token(&mut self) -> &mut String {
        if !self.0.is_empty() {
            self.0.push('.');
        }
        &mut self.0
    }

    /// Adds a number or an id.
    pub fn plain(&mut self, value: impl Display) {
        let written = write!(self.token(), "{value}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }

    /// Adds a text that may be missing.
    pub fn text(&mut self, text: Option<&str>) {
        let token = self.token();
        let Some(text) = text else {
            token.push('-');
            return;
        };
        token.push('t');
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
                token.push(char::from(byte));
            } else {
                let written = write!(token, "~{byte:02x}");
                debug_assert!(written.is_ok(), "writing to a string does not fail");
            }
        }
    }

    /// Adds a sort value.
    pub fn value(&mut self, value: &SortValue) {
        match value {
            SortValue::Missing => self.plain('m'),
            SortValue::Flag(flag) => {
                self.plain('f');
                self.plain(u8::from(*flag));
            }
            SortValue::Number(number) => {
                self.plain('n');
                self.plain(number);
            }
            SortValue::Text(text) => {
                self.plain('t');
                self.text(Some(text));
            }
            SortValue::Texts(first, second) => {
                self.plain('p');
                self.text(first.as_deref());
                self.text(Some(second));
            }
        }
    }
}

impl<'a> Tokens<'a> {
    /// The tokens of a mark.
    pub fn of(mark: &'a str) -> Self {
        Self(mark.split('.'))
    }

    /// The next token as a number or an id.
    pub fn plain<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    /// The next token as a text that may be missing.
    ///
    /// # Errors
    ///
    /// [`Altered`].
    pub fn text(&mut self) -> Result<Option<String>, Altered> {
        match self.0.next() {
            Some("-") => Ok(None),
            token => token.and_then(unescaped).map(Some).ok_or(Altered),
        }
    }

    fn code(&mut self) -> Result<Option<Code>, Altered> {
        let code = self.text()?.map(Code::new).transpose();
        code.map_err(|_| Altered)
    }

    /// The next tokens as a sort value.
    pub fn value(&mut self) -> Option<SortValue> {
        match self.plain::<char>()? {
            'm' => Some(SortValue::Missing),
            'f' => self.plain::<u8>().map(|flag| SortValue::Flag(flag != 0)),
            'n' => self.plain().map(SortValue::Number),
            't' => self.text().ok()?.map(SortValue::Text),
            'p' => {
                let first = self.text().ok()?;
                let second = self.text().ok()??;
                Some(SortValue::Texts(first, second))
            }
            _ => None,
        }
    }

    /// That nothing is left.
    pub fn end(mut self) -> Option<()> {
        self.0.next().is_none().then_some(())
    }
}

/// The text of a token that [`Mark::text`] wrote.
fn unescaped(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.strip_prefix('t')?.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'~' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

impl Position for StockKey {
    fn write(&self, mark: &mut Mark) {
        mark.plain(self.site);
        mark.plain(self.product);
        for part in [&self.variant, &self.place, &self.batch, &self.serial] {
            mark.text(part.as_ref().map(Code::as_str));
        }
    }

    fn read(tokens: &mut Tokens<'_>) -> Option<Self> {
        Some(Self {
            site: tokens.plain()?,
            product: tokens.plain()?,
            variant: tokens.code().ok()?,
            place: tokens.code().ok()?,
            batch: tokens.code().ok()?,
            serial: tokens.code().ok()?,
        })
    }
}

/// What is listed by age: when it began, and its id.
impl<Id: Ord + Display + FromStr> Position for (Timestamp, Id) {
    fn write(&self, mark: &mut Mark) {
        mark.plain(self.0.micros());
        mark.plain(&self.1);
    }

    fn read(tokens: &mut Tokens<'_>) -> Option<Self> {
        let at = Timestamp::from_micros(tokens.plain()?).ok()?;
        Some((at, tokens.plain()?))
    }
}

/// A line of a document: its number, and its id.
impl<Id: Ord + Display + FromStr> Position for (u64, Id) {
    fn write(&self, mark: &mut Mark) {
        mark.plain(self.0);
        mark.plain(&self.1);
    }

    fn read(tokens: &mut Tokens<'_>) -> Option<Self> {
        Some((tokens.plain()?, tokens.plain()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_are_safe_in_a_url() {
        let values = [
            SortValue::Missing,
            SortValue::Flag(true),
            SortValue::Number(i64::MIN),
            SortValue::Text(String::new()),
            SortValue::Text("a.b~c d/ÅÖ\u{1F4E6}-_%".to_owned()),
            SortValue::Texts(None, "x".to_owned()),
            SortValue::Texts(Some("-".to_owned()), ".".to_owned()),
        ];
        for value in values {
            let mut mark = Mark::default();
            mark.value(&value);
            mark.plain(7);
            let safe = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
            assert!(mark.as_str().chars().all(safe), "{}", mark.as_str());
            let mut tokens = Tokens::of(mark.as_str());
            assert_eq!(tokens.value(), Some(value));
            assert_eq!(tokens.plain::<u8>(), Some(7));
            assert_eq!(tokens.end(), Some(()));
        }
    }

    #[test]
    fn what_was_not_written_is_refused() {
        for mark in [
            "", "x", "f", "f.x", "n.1.5x", "t.-", "t.a", "t.t~", "t.t~0", "t.t~zz", "t.t~ff",
            "p.-.-", "p.-",
        ] {
            let mut tokens = Tokens::of(mark);
            let read = tokens.value().filter(|_| tokens.end().is_some());
            assert_eq!(read, None, "{mark}");
        }
    }
}
