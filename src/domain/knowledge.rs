//! When the truth about a stock key was known: what is told late, and dated before such a moment, changes nothing.
//!
//! # A clock that was ahead
//!
//! A moment is known by a clock, and clocks are put right. The rules:
//!
//! 1. A clock that now says an earlier time than it said at a moment was ahead then, by more than the site lets clocks
//!    differ. So was one that said an earlier time to a count that was made when that moment was known already.
//! 2. A moment that a clock knew that was ahead covers what was in the book by then, and nothing by its date from then
//!    on: nobody can tell how its date compares with others. What it had covered by its date before that stays covered.
//! 3. It still came after the moments that were known by then. What was in the book by one of them, or is dated up to one
//!    whose clock was right, had happened by that one, so by this one too. That stays so when that one is taken back: what
//!    it counted was wrong, and not when.
//! 4. So a moment covers whatever one before it covers. Taking it back releases what it absorbed, and what was known
//!    before absorbs its own part of that anew; nothing is found that should have been absorbed and was not.
//! 5. It was no later than any time that the clock said afterwards. So a count that states its own time, from a device,
//!    is newer knowledge if it was made after such a time.
//!
//! For the third rule a key keeps the dates of its last eight moments. It would take a clock that was ahead at all of
//! them, and all of them taken back, to need another.

use serde::{Deserialize, Serialize};

use super::{Cause, CountMoment, EventLink, StockLevel, Terms, Timestamp};

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
    /// time, when the key had had so many events. What is recorded later has not happened by then because of its date,
    /// unless that is up to an earlier moment whose clock was right.
    pub ahead_since: Option<u64>,
    /// The number of the last moment that was known by then: this one came after it, whatever the clocks said.
    #[serde(default)]
    pub seen: u64,
    /// What the clock said when it was found to have been ahead, the earliest time: the moment was no later than that.
    #[serde(default)]
    pub ahead_by: Option<Timestamp>,
    /// Of a count that stated its time, how many events the key had had when it was told; else the same as `sequence`. Of
    /// these, what states no time of its own had happened by then if it was recorded by then.
    #[serde(default)]
    pub told: u64,
}

impl Known {
    /// Whether the clock is known to have been ahead.
    pub const fn is_from_the_future(&self) -> bool {
        self.ahead_since.is_some()
    }
}

/// So many of the last moments of a key keep their dates.
const DATES_KEPT: usize = 8;

/// The date of a moment, also when that has been taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Dated {
    /// The number of the moment.
    number: u64,
    /// When it was.
    at: Timestamp,
    /// What has this sequence, or a lower one, was in the book by then.
    #[serde(default)]
    sequence: u64,
    /// What states a time up to this one had happened by then.
    until: Timestamp,
    /// What the clock said.
    clock: Timestamp,
    /// Since when the clock is known to have been ahead then.
    ahead_since: Option<u64>,
    /// The earliest time that it said since.
    ahead_by: Option<Timestamp>,
    /// How many events the key had had when it was told.
    #[serde(default)]
    told: u64,
}

impl Dated {
    const fn of(known: &Known) -> Self {
        Self {
            number: known.number,
            at: known.at,
            sequence: known.sequence,
            until: known.dated_until,
            clock: known.clock,
            ahead_since: known.ahead_since,
            ahead_by: known.ahead_by,
            told: known.told,
        }
    }

    /// Whether what belongs there had happened by then: it was in the book, or is dated so.
    fn covers(&self, moment: EventLink) -> bool {
        let was_sure = |since| moment.sequence <= since;
        let has_date = moment.timed || moment.sequence <= self.told;
        let is_dated = has_date && moment.occurred_at <= self.until;
        moment.sequence <= self.sequence || (is_dated && self.ahead_since.is_none_or(was_sure))
    }

    /// Takes note of what the clock says when something is recorded on a key that has had `sequence` events.
    fn notice(&mut self, now: Timestamp, tolerance_millis: u32, sequence: u64) {
        if is_set_back(self.at.min(self.clock), now, tolerance_millis) {
            self.ahead_since.get_or_insert(sequence);
            self.ahead_by = Some(self.ahead_by.map_or(now, |by| by.min(now)));
        }
    }
}

/// What covers a movement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Covering {
    /// What is known, as long as which the movement changes nothing.
    pub(super) known: Known,
    /// The time of the moment by which it had happened: of that, or of an earlier one.
    pub(super) at: Timestamp,
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
    /// The dates of the last moments, the oldest first.
    #[serde(default)]
    dates: Vec<Dated>,
}

impl Knowledge {
    /// The last moment.
    pub(super) const fn last(&self) -> Option<&Known> {
        self.last.as_ref()
    }

    /// How many moments there were.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// What was known before something was learned is known again, as far as the posting tells: of the moments that no
    /// posting tells of, how many there were.
    pub(super) fn recall(&mut self, learned: &Learned) {
        self.last = learned.before;
        self.count = learned.number.saturating_sub(1);
    }

    /// Another moment, which gets the next number.
    pub(super) fn learn(&mut self, known: Known) -> Learned {
        let number = self.count.saturating_add(1);
        let known = Known { number, ..known };
        self.dates.push(Dated::of(&known));
        let too_many = self.dates.len().saturating_sub(DATES_KEPT);
        self.dates.drain(..too_many);
        let before = self.last.replace(known);
        self.count = number;
        Learned { number, before }
    }

    /// Takes a moment back: what was known before it is known again, unless a later one stands.
    pub(super) fn forget(&mut self, learned: &Learned) {
        let before = self.standing(learned.before);
        if self.is_last(learned) {
            self.last = before.map(|known| self.as_noticed(known));
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

    /// A moment as it is seen by now: while others were the last, the clock may have told of it too.
    fn as_noticed(&self, known: Known) -> Known {
        let dated = self.dates.iter().find(|it| it.number == known.number);
        let ahead = dated.filter(|dated| dated.ahead_since.is_some());
        ahead.map_or(known, |dated| Known {
            ahead_since: known.ahead_since.or(dated.ahead_since),
            ahead_by: dated.ahead_by,
            ..known
        })
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

    /// What is known, if what belongs there had happened by then: it was in the book already, or is dated so. Of what a
    /// count found, whatever its date, what was posted before this moment was has been reckoned with, and what was later
    /// only what is known after it can have in it.
    pub(super) fn covering(&self, moment: EventLink) -> Option<Covering> {
        let known = self.last?;
        if moment.found {
            let at = known.at;
            return (moment.sequence <= known.posted_at).then_some(Covering { known, at });
        }
        if Dated::of(&known).covers(moment) {
            let at = known.at;
            return Some(Covering { known, at });
        }
        let earlier = self.before(known.seen, known.at);
        let covering = earlier.filter(|dated| dated.covers(moment));
        let at = covering.map(|dated| dated.at).max()?;
        Some(Covering { known, at })
    }

    /// Whether what belongs there had happened by a moment that was known by a time, when there had been so many.
    pub(super) fn by_known(&self, moment: EventLink, (seen, at): (u64, Timestamp)) -> bool {
        self.before(seen, at).any(|dated| dated.covers(moment))
    }

    fn before(&self, seen: u64, at: Timestamp) -> impl Iterator<Item = &Dated> {
        let dates = self.dates.iter();
        dates.filter(move |dated| dated.number <= seen && dated.at <= at)
    }

    /// Takes note of what the clock says when something is recorded on a key that has had `sequence` events.
    pub(super) fn notice(&mut self, now: Timestamp, tolerance_millis: u32, sequence: u64) {
        for dated in &mut self.dates {
            dated.notice(now, tolerance_millis, sequence);
        }
        if let Some(known) = self.last {
            let mut dated = Dated::of(&known);
            dated.notice(now, tolerance_millis, sequence);
            self.last = Some(Known {
                ahead_since: dated.ahead_since,
                ahead_by: dated.ahead_by,
                ..known
            });
        }
    }

    /// Takes note of what the clock said when a count was made, of a key that has had `sequence` events when it is posted.
    pub(super) fn notice_count(
        &mut self,
        moment: &CountMoment,
        tolerance_millis: u32,
        sequence: u64,
    ) {
        if moment.stated {
            // Another clock: of a device.
            return;
        }
        let known = self
            .dates
            .iter_mut()
            .filter(|dated| dated.number <= moment.known);
        for dated in known {
            dated.notice(moment.clock, tolerance_millis, sequence);
        }
        self.last = self.last.map(|known| self.as_noticed(known));
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
