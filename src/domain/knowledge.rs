//! When the truth about a stock key was known: what is told late, and dated before such a moment, changes nothing.

use serde::{Deserialize, Serialize};

use super::{Cause, EventLink, StockLevel, Terms, Timestamp};

/// A moment at which the truth about a key was known: by a posted count or an absolute value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The moments of a key count 1, 2, 3 ... in the order in which they are posted.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The key's sequence at that moment: what has one of these, or a lower one, and states no time of its
    /// own, had happened by then.
    pub sequence: u64,
    /// How many events the key had had when that was posted.
    pub posted_at: u64,
    /// Whether that time was stated (a count's is) or it was simply then.
    pub timed: bool,
    /// What knew.
    pub cause: Cause,
    /// What states a time up to this one had happened by then: `at`, or earlier by the site's clock tolerance.
    pub dated_until: Timestamp,
    /// What the clock said, when that is before `at`: two moments of the same instant are told apart by a microsecond.
    pub clock: Timestamp,
    /// Since when the clock is known to have been ahead at that moment: something was recorded after it at an earlier
    /// time, when the key had had so many events. What is recorded later has not happened by then, whatever its date.
    pub ahead_since: Option<u64>,
}

impl Known {
    /// Whether what belongs there had happened by then: it was in the book already, or is dated so. What a count found
    /// later, going by what was known here, is not: whatever its date, only what is known after it can have it in.
    pub(super) fn covers(&self, moment: EventLink) -> bool {
        if moment.found && moment.sequence > self.posted_at {
            return false;
        }
        moment.sequence <= self.sequence
            || (moment.timed
                && moment.occurred_at <= self.dated_until
                && self
                    .ahead_since
                    .is_none_or(|since| moment.sequence <= since))
    }

    /// Whether the clock is known to have been ahead.
    pub const fn is_from_the_future(&self) -> bool {
        self.ahead_since.is_some()
    }
}

/// Up to which stated time a movement counts as before a moment. One that is dated up to `tolerance_millis` before it
/// counts as after it.
pub(super) fn dated_until(at: Timestamp, tolerance_millis: u32) -> Timestamp {
    if tolerance_millis == 0 {
        return at;
    }
    let tolerance = i64::from(tolerance_millis).saturating_mul(1_000);
    at.later_by(tolerance.saturating_add(1).saturating_neg())
}

/// Whether a clock that says `now` was set back since it said `then`, by more than clocks may differ.
pub(super) fn is_set_back(then: Timestamp, now: Timestamp, tolerance_millis: u32) -> bool {
    then > now.later_by(i64::from(tolerance_millis).saturating_mul(1_000))
}

/// What a posting made known. It is kept with the posting (on its event, or on the posted line), so that taking it back
/// finds what was known before: a key itself remembers the last moment only, however often it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// The number of the moment.
    pub number: u64,
    /// What was known before.
    pub before: Option<Known>,
}

/// What a key remembers of moments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Knowledge {
    last: Option<Known>,
    /// How many moments there were.
    count: u64,
    /// What was taken back while a later moment stood, whose posting still names it as what was known before. An entry
    /// goes when that posting is taken back too; postings that stand leave nothing here.
    taken_back: Vec<Learned>,
}

impl Knowledge {
    /// The last moment.
    pub(super) const fn last(&self) -> Option<&Known> {
        self.last.as_ref()
    }

    /// Another moment, which gets the next number.
    pub(super) fn learn(&mut self, known: Known) -> Learned {
        let number = self.count.saturating_add(1);
        let before = self.last.replace(Known { number, ..known });
        self.count = number;
        Learned { number, before }
    }

    /// Takes a moment back: what was known before it is known again, unless a later one stands.
    pub(super) fn forget(&mut self, learned: &Learned) {
        let before = self.standing(learned.before);
        if self.is_last(learned) {
            self.last = before;
            return;
        }
        let is_it = |known: &Known| known.number == learned.number;
        let named = self
            .taken_back
            .iter_mut()
            .find(|other| other.before.as_ref().is_some_and(is_it));
        match named {
            Some(other) => other.before = before,
            None => self.taken_back.push(Learned {
                number: learned.number,
                before,
            }),
        }
    }

    pub(super) fn is_last(&self, learned: &Learned) -> bool {
        self.last
            .as_ref()
            .is_some_and(|known| known.number == learned.number)
    }

    /// What stands of what was known before a posting that is taken back: nobody names the rest any more.
    fn standing(&mut self, mut before: Option<Known>) -> Option<Known> {
        while let Some(known) = before
            && let Some(place) = self
                .taken_back
                .iter()
                .position(|other| other.number == known.number)
        {
            before = self.taken_back.swap_remove(place).before;
        }
        before
    }

    /// Takes note of what the clock says when something is recorded on a key that has had `sequence` events.
    pub(super) fn notice(&mut self, now: Timestamp, tolerance_millis: u32, sequence: u64) {
        if let Some(known) = &mut self.last
            && known.ahead_since.is_none()
            && is_set_back(known.at.min(known.clock), now, tolerance_millis)
        {
            known.ahead_since = Some(sequence);
        }
    }
}

impl StockLevel {
    /// The last moment at which the truth was known.
    pub fn known(&self) -> Option<&Known> {
        self.knowledge.last()
    }

    /// What this level knows that it did not know before, when it was recorded under these terms.
    pub fn learned_since(&self, before: Option<&Self>, terms: &Terms<'_>) -> Option<Learned> {
        let known = self.known()?;
        let before = before.and_then(|before| before.noticing(terms).last);
        let is_new = before.is_none_or(|before| before.number < known.number);
        is_new.then_some(Learned {
            number: known.number,
            before,
        })
    }
}
