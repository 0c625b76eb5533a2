//! What a reader keeps who asks again and again what has changed.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A moment between the commits of an organisation: a store gives it out with what it has read, and tells from then on
/// what has changed since (clause R19). It follows commits, not clocks: what was begun before it and committed after it
/// is told.
///
/// To whoever keeps one it is opaque. Its text is a whole number without a sign, so that it can stand where an API has
/// milliseconds; in a store's life it only grows. It is good for every take and site of the organisation that it was
/// given out for, on that store. [`BEGINNING`](Self::BEGINNING) tells everything, and so does a token that is ahead of
/// the store: a moment of a clock, say, or a token from before an older copy of the store was restored. What is told
/// again is harmless.
///
/// # Example
///
/// ```
/// use stocktake::store::ChangeToken;
///
/// let kept: ChangeToken = "1732183464079".parse()?;
/// assert!(kept > ChangeToken::BEGINNING);
/// assert_eq!(kept.to_string(), "1732183464079");
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeToken(u64);

impl ChangeToken {
    /// Before the first commit.
    pub const BEGINNING: Self = Self(0);

    /// The token of a number: of one that was given out, or of what a store counts its commits by.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// From when on a store tells what has changed, given where it stands itself: from here, or, when this is ahead of
    /// it, from the beginning.
    #[must_use]
    pub fn within(self, next: Self) -> Self {
        if self > next { Self::BEGINNING } else { self }
    }
}

impl fmt::Display for ChangeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ChangeToken {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}
