//! Where something belongs in the history of a key, and what was known when.

use stocktake::domain::{Cause, StockEventId};

use super::super::amounts::ONE;

/// Five minutes: so far ahead may a movement be dated.
pub(crate) const AHEAD: i64 = 300 * ONE;

/// Where something belongs in the history of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: i64,
    pub(crate) sequence: u64,
    /// Whether the time was stated; what has none of its own belongs where it was recorded.
    pub(crate) timed: bool,
    /// What the clock said.
    pub(crate) clock: i64,
    /// How many moments of knowledge there had been.
    pub(crate) seen: u64,
    /// The number of the last moment of knowledge that was before this one, whatever the clocks said.
    pub(crate) after: u64,
    /// Since which sequence it is known that the clock was ahead.
    pub(crate) ahead_since: Option<u64>,
    /// The earliest time that it said since.
    pub(crate) ahead_by: Option<i64>,
    /// Whether a count found it.
    pub(crate) found: bool,
    /// Of a count that stated its time: how many events the key had had when it was told.
    pub(crate) told: Option<u64>,
}

/// Something that moved.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) id: StockEventId,
    pub(super) moment: Moment,
    pub(super) change: i64,
    /// Until it is taken back.
    pub(super) stands: bool,
    /// Whose knowledge covered it when it was told late: as long as that stands, the level stays.
    pub(super) absorbed_by: Option<Knower>,
}

/// A moment at which it was known how many are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) by: Knower,
    pub(crate) moment: Moment,
    pub(crate) there: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knower {
    /// An absolute value, or the removal of the key.
    Event(StockEventId),
    /// A posted line.
    Line(Cause),
}

impl Knower {
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Event(_) => Cause::Movement,
            Self::Line(cause) => cause,
        }
    }
}

impl Moment {
    /// That of what was recorded as so many's event, at a time that it stated or not, when the clock said something.
    pub(super) const fn of(sequence: u64, (at, timed): (i64, bool), clock: i64) -> Self {
        Self {
            at,
            sequence,
            timed,
            clock,
            seen: 0,
            after: 0,
            ahead_since: None,
            ahead_by: None,
            found: false,
            told: None,
        }
    }

    /// Whether something that belongs there had happened by now: it was in the book, or is dated so.
    pub(super) fn covers(&self, fact: &Moment) -> bool {
        fact.sequence <= self.sequence || self.dates(fact)
    }

    /// Whether something is dated before this moment, as far as the clock could be relied on.
    pub(super) fn dates(&self, fact: &Moment) -> bool {
        (fact.timed || fact.sequence <= self.told.unwrap_or(self.sequence))
            && fact.at <= self.at
            && self.ahead_since.is_none_or(|since| fact.sequence <= since)
    }

    /// Whether the clock says something earlier by now.
    pub(crate) fn is_ahead_of(&self, now: i64) -> bool {
        self.at.min(self.clock) > now
    }
}
