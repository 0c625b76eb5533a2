//! What a name says of one part of a stock key.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Code, TextError};

/// What a name says of one part of a stock key: its variant, stock place, batch or serial number.
///
/// Leaving a part out and saying that there is none are two things: stock at no stock place can stand beside stock of the
/// same product on a shelf. Written down (in bodies, files and stores) they are nothing at all (null) and the empty text.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Code, NamePart};
///
/// let shelf: Code = "A-01".parse()?;
/// assert!(NamePart::Any.fits(Some(&shelf)) && NamePart::Any.fits(None));
/// assert!(NamePart::Without.fits(None) && !NamePart::Without.fits(Some(&shelf)));
/// assert_eq!(NamePart::from_text(Some("A-01"))?, NamePart::Is(shelf));
/// assert_eq!(NamePart::from_text(Some(""))?, NamePart::Without);
/// assert_eq!(NamePart::from_text(None)?, NamePart::Any);
/// # Ok::<(), stocktake::domain::TextError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamePart {
    /// It is not named: it may be anything, also none.
    #[default]
    Any,
    /// There is none: stock at no stock place, of no variant, of no batch, without a serial number.
    Without,
    /// It is this.
    Is(Code),
}

impl NamePart {
    /// Reads the written form: nothing is [`Any`](Self::Any), an empty text is [`Without`](Self::Without).
    ///
    /// # Errors
    ///
    /// [`TextError`] for a text that is no code.
    pub fn from_text(text: Option<&str>) -> Result<Self, TextError> {
        match text {
            None => Ok(Self::Any),
            Some(text) if text.trim().is_empty() => Ok(Self::Without),
            Some(text) => Code::new(text).map(Self::Is),
        }
    }

    /// The written form.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Any => None,
            Self::Without => Some(""),
            Self::Is(code) => Some(code.as_str()),
        }
    }

    /// What is named, if something is.
    pub const fn code(&self) -> Option<&Code> {
        match self {
            Self::Any | Self::Without => None,
            Self::Is(code) => Some(code),
        }
    }

    /// Whether nothing is said.
    pub const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether a key with this part is meant.
    pub fn fits(&self, part: Option<&Code>) -> bool {
        match self {
            Self::Any => true,
            Self::Without => part.is_none(),
            Self::Is(code) => part == Some(code),
        }
    }

    /// This, or where it says nothing, the other.
    #[must_use]
    pub fn or(&self, other: Option<&Code>) -> Self {
        match (self, other) {
            (Self::Any, Some(code)) => Self::Is(code.clone()),
            (said, _) => said.clone(),
        }
    }
}

impl From<Code> for NamePart {
    fn from(code: Code) -> Self {
        Self::Is(code)
    }
}

impl Serialize for NamePart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_text().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NamePart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Option<String>>::deserialize(deserializer)?;
        Self::from_text(text.as_deref()).map_err(serde::de::Error::custom)
    }
}
