//! How work goes on that is done step by step: how large its next step is, and when it gives up.
//!
//! Each step of long work is one commit on the version of a header. One that meets what somebody else has written is
//! decided anew; a smaller one has better chances. But what conflicts again and again, while the header stays as it was, is
//! nothing that trying mends: the work then ends as conflicting, and its job is tried again later, or is dead.

use crate::store::Version;

use super::look_ahead::Ahead;
use super::{CHUNK, Error};

/// How often a step is decided in vain before it is made smaller.
const TRIES_AT_FULL_SIZE: u32 = 3;
/// How often a step is decided on the same version of the header before the work gives up.
const MOST_TRIES: u32 = 40;

/// How large the steps of some work are, how often the next one has been tried, and what was read ahead for it.
#[derive(Debug)]
pub(crate) struct Pace<Part = ()> {
    limit: u32,
    failed: u32,
    header: Option<Version>,
    tries: u32,
    ahead: Ahead<Part>,
}

impl<Part> Default for Pace<Part> {
    fn default() -> Self {
        Self {
            limit: CHUNK,
            failed: 0,
            header: None,
            tries: 0,
            ahead: Ahead::default(),
        }
    }
}

impl<Part> Pace<Part> {
    /// A step begins on a header of this version.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when so many steps have begun on it that the next one would be in vain as well.
    pub(super) fn begin(&mut self, header: Version) -> Result<(), Error> {
        if self.header != Some(header) {
            (self.header, self.tries) = (Some(header), 0);
        }
        if self.tries >= MOST_TRIES {
            return Err(Error::Conflict);
        }
        self.tries = self.tries.saturating_add(1);
        Ok(())
    }

    /// How many lines the next step may have.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// Takes note of a step: stock that is being sold moves under it, so one that was in vain several times is cut in half.
    pub(super) fn note(&mut self, applied: bool) {
        if applied {
            (self.limit, self.failed) = (CHUNK, 0);
            return;
        }
        self.failed = self.failed.saturating_add(1);
        if self.failed > TRIES_AT_FULL_SIZE {
            self.limit = self.limit.checked_div(2).unwrap_or(1).max(1);
        }
    }

    /// What was read ahead for this version of the header.
    pub(super) fn take_ahead(&mut self, header: Version) -> Option<Part> {
        self.ahead.take(header)
    }

    /// Keeps what was read ahead, if it was, for the version after this one.
    pub(super) fn keep_ahead(&mut self, header: Version, part: Option<Part>) {
        self.ahead.keep(header, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_on_one_version_gives_up_and_what_moves_does_not() {
        let mut pace: Pace = Pace::default();
        let mut header = Version::FIRST;
        for _ in 0..10 {
            for _ in 0..MOST_TRIES {
                assert!(pace.begin(header).is_ok());
            }
            header = header.next();
        }
        for _ in 0..MOST_TRIES {
            assert!(pace.begin(header).is_ok());
        }
        assert!(matches!(pace.begin(header), Err(Error::Conflict)));
    }

    #[test]
    fn steps_shrink_to_one_line_and_grow_back() {
        let mut pace: Pace = Pace::default();
        for _ in 0..TRIES_AT_FULL_SIZE {
            pace.note(false);
            assert_eq!(pace.limit(), CHUNK);
        }
        for _ in 0..20 {
            pace.note(false);
        }
        assert_eq!(pace.limit(), 1);
        pace.note(true);
        assert_eq!(pace.limit(), CHUNK);
    }
}
