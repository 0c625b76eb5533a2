//! Bounded text.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Text of 1 to `MAX` Unicode scalar values (characters, not bytes).
///
/// It is stored as it was given. Text that is empty or only white space is refused, and so are
/// control characters (other than line breaks and tabs in a [`Note`]), U+0000 and the bidirectional
/// overrides that make a text read as something else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize>(Arc<str>);

/// A label that people read: 1 to 255 characters. Names and descriptions.
pub type Label = Text<255>;
/// Free text: 1 to 2,000 characters, line breaks allowed. Notes and reasons.
pub type Note = Text<2000>;
/// A code of the outside world: 1 to 128 characters. Article ids, stock places, batches, serials.
pub type Code = Text<128>;

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Empty, or only white space.
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

impl<const MAX: usize> Text<MAX> {
    /// Takes a text.
    ///
    /// # Errors
    ///
    /// [`TextError`].
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{Label, TextError};
    ///
    /// assert_eq!(Label::new("Räkning №1")?.as_str(), "Räkning №1");
    /// assert_eq!(Label::new(" "), Err(TextError::Empty));
    /// assert!(Label::new("ü".repeat(255)).is_ok());
    /// assert_eq!(Label::new("ü".repeat(256)), Err(TextError::TooLong { max: 255 }));
    /// # Ok::<(), TextError>(())
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, TextError> {
        let text = text.as_ref();
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

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0.as_ref().to_owned()
    }
}

impl<const MAX: usize> std::str::FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl<const MAX: usize> AsRef<str> for Text<MAX> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Text to look for, at most 128 characters: matched as a plain part (no wildcards), whatever the case,
/// in any script.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SearchText(String);

impl fmt::Display for SearchText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SearchText {
    /// Takes what to look for.
    ///
    /// # Errors
    ///
    /// [`TextError`] when it is empty or longer than 128 characters.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Code::new(text.trim()).map(|text| Self(fold(text.as_str())))
    }

    /// Whether it stands somewhere in `text`.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::SearchText;
    ///
    /// assert!(SearchText::new("ÅNGA")?.is_in("Djup ånga 50%"));
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

/// Folds the case away: what [`SearchText`] compares, and what a store keeps to search in.
pub fn fold(text: &str) -> String {
    // Upper, then lower: brings the sharp s and the two small sigmas together.
    text.to_uppercase().to_lowercase()
}
