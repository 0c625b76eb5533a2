//! How work goes on that is done step by step: how large its next step is, and when it gives up.
//!
//! Each step of long work is one commit on the version of a header. One that meets what somebody else has written is
//! decided anew; a smaller one has better chances. But what conflicts again and again, while the header stays as it was, is
//! nothing that trying mends: the work then ends as conflicting, and its job is tried again later, or is dead. What meets the
//! very same conflict a few times in a row ends at once, because something is damaged.

use crate::store::Version;

use super::call::{Met, Step};
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
    met: Met,
    ahead: Ahead<Part>,
}

impl<Part> Default for Pace<Part> {
    fn default() -> Self {
        Self {
            limit: CHUNK,
            failed: 0,
            header: None,
            tries: 0,
            met: Met::default(),
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
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when what was in the way is damaged.
    pub(super) fn note(&mut self, step: &Step) -> Result<(), Error> {
        let conflicts = match step {
            Step::Done(_) => {
                (self.limit, self.failed, self.met) = (CHUNK, 0, Met::default());
                return Ok(());
            }
            Step::Again(conflicts) => conflicts,
        };
        self.failed = self.failed.saturating_add(1);
        if self.failed > TRIES_AT_FULL_SIZE {
            self.limit = self.limit.checked_div(2).unwrap_or(1).max(1);
        }
        self.met.note(conflicts)
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
    use crate::domain::SiteId;
    use crate::store::{Conflict, Outcome, RecordKey, StoreErrorKind};

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

    /// Somebody has changed a site since: the so-manieth time.
    fn in_vain(time: u64) -> Step {
        let key = RecordKey::Site(SiteId::new(uuid::Uuid::nil()));
        let actual = Version::new(time);
        Step::Again(vec![Conflict::Stale { key, actual }])
    }

    #[test]
    fn steps_shrink_to_one_line_and_grow_back() {
        let mut pace: Pace = Pace::default();
        for time in 0..TRIES_AT_FULL_SIZE {
            assert!(pace.note(&in_vain(time.into())).is_ok());
            assert_eq!(pace.limit(), CHUNK);
        }
        for time in 10..30 {
            assert!(pace.note(&in_vain(time)).is_ok());
        }
        assert_eq!(pace.limit(), 1);
        assert!(pace.note(&Step::Done(Outcome::Done)).is_ok());
        assert_eq!(pace.limit(), CHUNK);
    }

    #[test]
    fn what_meets_the_same_again_and_again_is_damaged() {
        let mut pace: Pace = Pace::default();
        let is_damaged = |noted: Result<(), Error>| {
            let Err(error) = noted else { return false };
            assert!(matches!(&error, Error::Store(it) if it.kind() == StoreErrorKind::Corrupt));
            true
        };
        for times in [4, 1] {
            for _ in 0..times {
                assert!(!is_damaged(pace.note(&in_vain(1))));
            }
            // Something else between is no more than that.
            assert!(!is_damaged(pace.note(&in_vain(2))));
        }
        let noted = (0..5).map(|_| is_damaged(pace.note(&in_vain(3))));
        assert_eq!(
            noted.collect::<Vec<_>>(),
            [false, false, false, false, true]
        );
    }
}
