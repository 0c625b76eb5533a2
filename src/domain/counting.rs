//! The rule for stock that moves while it is counted (S6.2).

use serde::{Deserialize, Serialize};

use super::knowledge::{dated_until, is_set_back};
use super::{
    DecimalError, EventLink, Known, Quantity, StockEvent, StockEventId, StockEventKind, StockLevel,
    Timestamp,
};

/// What a take does about stock that moves while it is counted (S6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementPolicy {
    /// Posts `counted - (book at the count + what was recorded later but had happened by then)`: whatever
    /// moved after the count stays moved.
    #[default]
    KeepMovements,
    /// Makes the level match the count, whatever moved since.
    MatchCount,
    /// Refuses to post a line whose stock moved after it was counted, and tells the moves.
    RefuseMoved,
}

/// The moment at which a line was counted: when, and what the book said.
///
/// The key's own sequence stands for the ledger position: the level and its sequence are one record, so a
/// count reads both in one go, and posting asks for the key's events after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountMoment {
    /// When it was counted; never before what the key already knew, unless the clock was ahead then.
    pub at: Timestamp,
    /// What the clock said.
    pub clock: Timestamp,
    /// The number of the last moment at which the truth about the key was known then, 0 for none
    /// ([`Known::number`](super::Known::number)).
    pub known: u64,
    /// Whether the clock turned out to have been ahead, when the count was posted: the time says nothing then.
    pub ahead: bool,
    /// How many events the key had had.
    pub sequence: u64,
    /// What the book said.
    pub book: Quantity,
}

impl CountMoment {
    /// The moment of counting a key now. `None` stands for a key that nothing has happened to.
    pub fn of(level: Option<&StockLevel>, now: Timestamp) -> Self {
        let known = level.and_then(StockLevel::known);
        let at = known
            .filter(|known| !known.is_from_the_future() && known.clock <= now)
            .map_or(now, |known| now.max(known.at.later_by(1)));
        Self {
            at,
            clock: now,
            known: known.map_or(0, |known| known.number),
            ahead: false,
            sequence: level.map_or(0, StockLevel::sequence),
            book: level.map_or(Quantity::ZERO, StockLevel::quantity),
        }
    }

    /// Whether the clock was ahead when it was counted: it said an earlier time after that, when something was recorded,
    /// or when it is posted.
    fn is_from_the_future(&self, later: &[StockEvent], now: Now) -> bool {
        let recorded = later
            .iter()
            .filter(|event| event.sequence > self.sequence)
            .map(|event| event.recorded_at);
        let earliest = recorded.fold(now.at, Timestamp::min);
        is_set_back(self.at.min(self.clock), earliest, now.tolerance_millis)
    }

    /// Whether more was known later than this. What was known already when it was counted was not; else the times
    /// tell, as far as the clock could be relied on.
    fn is_superseded_by(&self, known: &Known, is_from_the_future: bool, now: Now) -> bool {
        let clock_was_ahead = is_from_the_future
            || known.is_from_the_future()
            || is_set_back(known.at.min(known.clock), now.at, now.tolerance_millis);
        known.number > self.known && (!known.timed || clock_was_ahead || known.at > self.at)
    }

    /// Whether an event that is recorded after this moment had happened by then. `until` is the time up to which the
    /// date of an event says so; nothing where the clock was ahead.
    fn includes(&self, moment: EventLink, until: Option<Timestamp>) -> bool {
        // What the book had, its reversal takes out of the book, whenever that is dated.
        moment.sequence <= self.sequence
            || (moment.timed && until.is_some_and(|until| moment.occurred_at <= until))
    }
}

/// When a line is posted, and by how much clocks may differ at its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What the clock says.
    pub at: Timestamp,
    /// The site's clock tolerance.
    pub tolerance_millis: u32,
}

/// A movement that a count met: what the plan, the report and a refusal show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The event.
    pub event: StockEventId,
    /// What happened.
    pub kind: StockEventKind,
    /// By how much.
    pub change: Quantity,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Whether it had happened by the time of the count, and so is part of what was expected.
    pub before_count: bool,
}

/// What posting a counted line comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The level changes by the variance.
    Adjust {
        /// What the book said at the count, late records included.
        expected: Quantity,
        /// What to post: with [`MovementPolicy::MatchCount`] the difference to the level as it is now.
        change: Quantity,
        /// The moment at which the truth is known by it.
        moment: CountMoment,
        /// What was recorded after the count.
        moves: Vec<Move>,
    },
    /// The truth was known later than this count, so it adjusts nothing.
    Superseded {
        /// When it was known.
        known_at: Timestamp,
    },
    /// The stock moved, and the policy refuses that.
    Moved {
        /// The moves.
        moves: Vec<Move>,
    },
}

/// Decides what a counted line posts. `later` are the key's events after the moment's sequence.
///
/// # Errors
///
/// [`DecimalError::OutOfRange`].
pub fn settle(
    counted: Quantity,
    moment: &CountMoment,
    level: Option<&StockLevel>,
    later: &[StockEvent],
    policy: MovementPolicy,
    now: Now,
) -> Result<Settlement, DecimalError> {
    let is_from_the_future = moment.is_from_the_future(later, now);
    if let Some(known) = level.and_then(StockLevel::known)
        && moment.is_superseded_by(known, is_from_the_future, now)
    {
        return Ok(Settlement::Superseded { known_at: known.at });
    }
    let until = (!is_from_the_future).then(|| dated_until(moment.at, now.tolerance_millis));
    let mut expected = moment.book;
    let mut moves = Vec::new();
    // A revaluation moves nothing.
    let moved = |event: &&StockEvent| event.kind != StockEventKind::Revaluation;
    for event in later.iter().filter(moved) {
        let before_count = moment.includes(event.moment(), until);
        if before_count {
            expected = expected.checked_add(event.change)?;
        }
        moves.push(Move {
            event: event.id,
            kind: event.kind,
            change: event.change,
            occurred_at: event.occurred_at,
            before_count,
        });
    }
    let mut known_at = CountMoment {
        ahead: is_from_the_future,
        ..*moment
    };
    let change = match policy {
        MovementPolicy::RefuseMoved if moves.iter().any(|it| !it.before_count) => {
            return Ok(Settlement::Moved { moves });
        }
        MovementPolicy::KeepMovements | MovementPolicy::RefuseMoved => {
            counted.checked_sub(expected)?
        }
        MovementPolicy::MatchCount => {
            known_at = CountMoment::of(level, now.at);
            counted.checked_sub(level.map_or(Quantity::ZERO, StockLevel::quantity))?
        }
    };
    Ok(Settlement::Adjust {
        expected,
        change,
        moment: known_at,
        moves,
    })
}
