//! Bounded text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// Text of 1 to `MAX` Unicode scalar values (characters, not bytes).
///
/// Text that is empty or only white space is refused, and so are control characters (other than line breaks and tabs
/// in a [`Note`]), U+0000 and the bidirectional overrides that make a text read as something else.
///
/// A [`Label`] and a [`Note`] are kept as they were given. A [`Code`] is `CLEANED`, because people copy codes out of
/// spreadsheets and scanners send them with line ends: characters that nobody sees are taken out (byte order marks,
/// zero-width spaces and joiners, soft hyphens, direction marks), letters and their accents are composed (NFC), and
/// white space around it is cut off, no-break spaces too. The rest, case included, stays as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize, const CLEANED: bool = false>(Arc<str>);

/// A label that people read: 1 to 255 characters. Names and descriptions.
pub type Label = Text<255>;
/// Free text: 1 to 2,000 characters, line breaks allowed. Notes and reasons.
pub type Note = Text<2000>;
/// A code of the outside world: 1 to 128 characters, cleaned of what nobody sees ([`Text`]). Article ids, barcodes,
/// stock places, batches, serials, references.
pub type Code = Text<128, true>;

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Empty, or only white space and, in a code, characters that nobody sees.
    #[error("must not be empty")]
    Empty,
    /// More characters than allowed.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The most that is allowed.
        max: usize,
    },
    /// A control character, U+0000 or a bidirectional override.
    #[error("must not contain control characters")]
    Control,
}

/// Long enough for notes: these may have several lines.
const MULTILINE: usize = 2000;

impl<const MAX: usize, const CLEANED: bool> Text<MAX, CLEANED> {
    /// Takes a text.
    ///
    /// # Errors
    ///
    /// [`TextError`].
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{Code, Label, TextError};
    ///
    /// assert_eq!(Label::new("Räkning №1")?.as_str(), "Räkning №1");
    /// assert_eq!(Label::new(" "), Err(TextError::Empty));
    /// assert!(Label::new("ü".repeat(255)).is_ok());
    /// assert_eq!(Label::new("ü".repeat(256)), Err(TextError::TooLong { max: 255 }));
    /// assert_eq!(Code::new("\u{feff}SKU-1\u{a0}\r\n")?.as_str(), "SKU-1");
    /// # Ok::<(), TextError>(())
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, TextError> {
        let cleaned;
        let text = if CLEANED {
            cleaned = clean(text.as_ref());
            &cleaned
        } else {
            text.as_ref()
        };
        if text.trim().is_empty() {
            return Err(TextError::Empty);
        }
        if text.chars().nth(MAX).is_some() {
            return Err(TextError::TooLong { max: MAX });
        }
        let layout = |c: char| MAX >= MULTILINE && matches!(c, '\n' | '\r' | '\t');
        let deceptive = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        if text
            .chars()
            .any(|c| (c.is_control() && !layout(c)) || deceptive(c))
        {
            return Err(TextError::Control);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize, const CLEANED: bool> fmt::Display for Text<MAX, CLEANED> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize, const CLEANED: bool> fmt::Debug for Text<MAX, CLEANED> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl<const MAX: usize, const CLEANED: bool> TryFrom<String> for Text<MAX, CLEANED> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl<const MAX: usize, const CLEANED: bool> From<Text<MAX, CLEANED>> for String {
    fn from(text: Text<MAX, CLEANED>) -> Self {
        text.0.as_ref().to_owned()
    }
}

impl<const MAX: usize, const CLEANED: bool> std::str::FromStr for Text<MAX, CLEANED> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl<const MAX: usize, const CLEANED: bool> AsRef<str> for Text<MAX, CLEANED> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Text<MAX, true> {
    /// What is the same for all spellings that differ only by case, width or another form of the same letters: `sku-1`,
    /// `SKU-1` and its full-width form. Codes that differ are different codes all the same; who creates one is told
    /// of those that look like it.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::Code;
    ///
    /// assert_eq!(Code::new("ＳＫＵ－１")?.likeness(), Code::new("sku-1")?.likeness());
    /// # Ok::<(), stocktake::domain::TextError>(())
    /// ```
    pub fn likeness(&self) -> String {
        let text = self.as_str();
        if text.is_ascii() {
            return text.to_ascii_lowercase();
        }
        let alike: String = lower(text.nfkd()).nfkc().collect();
        clean(&alike).into_owned()
    }
}

/// Text to look for, at most 128 characters: matched as a plain part (no wildcards), whatever the case, in any script,
/// and whether accents are composed with their letters or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SearchText(String);

impl fmt::Display for SearchText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SearchText {
    /// Takes what to look for; it is cleaned as a [`Code`] is.
    ///
    /// # Errors
    ///
    /// [`TextError`] when it is empty or longer than 128 characters.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Code::new(text).map(|text| Self(fold(text.as_str())))
    }

    /// Whether it stands somewhere in `text`.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::SearchText;
    ///
    /// assert!(SearchText::new("ÅNGA")?.is_in("Djup ånga 50%"));
    /// assert!(SearchText::new("ÅNGA")?.is_in("Djup a\u{30a}nga 50%"));
    /// assert!(!SearchText::new("5_%")?.is_in("Djup ånga 50%"));
    /// # Ok::<(), stocktake::domain::TextError>(())
    /// ```
    pub fn is_in(&self, text: &str) -> bool {
        fold(text).contains(&self.0)
    }

    /// The folded text, for a store that keeps folded names beside the names.
    pub fn folded(&self) -> &str {
        &self.0
    }
}

/// Folds the case away, composes letters with their accents and leaves out what nobody sees: what [`SearchText`]
/// compares, and what a store keeps to search in.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    lower(text.chars().filter(|c| !is_invisible(*c)).nfd())
        .nfc()
        .collect()
}

/// Lower, upper, lower, letter by letter: brings the sharp s, small and capital, and the two small sigmas together.
fn lower(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// A code without what nobody sees, composed, and without white space around it.
fn clean(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text.trim());
    }
    let composed: String = text.chars().filter(|c| !is_invisible(*c)).nfc().collect();
    Cow::Owned(composed.trim().to_owned())
}

/// Whether a character shows nothing by itself: what Unicode calls default ignorable, and the marks around annotations.
/// White space and control characters are not meant.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}
