//! The rule for stock that moves while it is counted (S6.2).

use serde::{Deserialize, Serialize};

use super::{
    DecimalError, EventLink, Quantity, StockEvent, StockEventId, StockEventKind, StockLevel,
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
    /// When it was counted; never before what the key already knew.
    pub at: Timestamp,
    /// How many events the key had had.
    pub sequence: u64,
    /// What the book said.
    pub book: Quantity,
}

impl CountMoment {
    /// The moment of counting a key now. `None` stands for a key that nothing has happened to.
    pub fn of(level: Option<&StockLevel>, now: Timestamp) -> Self {
        level.map_or(
            Self {
                at: now,
                sequence: 0,
                book: Quantity::ZERO,
            },
            |level| Self {
                at: level
                    .known()
                    .map_or(now, |known| now.max(known.at.later_by(1))),
                sequence: level.sequence(),
                book: level.quantity(),
            },
        )
    }

    /// Whether an event that is recorded after this moment had happened by then.
    fn includes(&self, moment: EventLink) -> bool {
        // What the book had, its reversal takes out of the book, whenever that is dated.
        moment.sequence <= self.sequence || (moment.timed && moment.occurred_at <= self.at)
    }
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
) -> Result<Settlement, DecimalError> {
    if let Some(known) = level.and_then(StockLevel::known) {
        let superseded = if known.timed {
            known.at > moment.at
        } else {
            known.sequence > moment.sequence
        };
        if superseded {
            return Ok(Settlement::Superseded { known_at: known.at });
        }
    }
    let mut expected = moment.book;
    let mut moves = Vec::new();
    for event in later {
        let before_count = moment.includes(event.moment());
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
    let change = match policy {
        MovementPolicy::RefuseMoved if moves.iter().any(|it| !it.before_count) => {
            return Ok(Settlement::Moved { moves });
        }
        MovementPolicy::KeepMovements | MovementPolicy::RefuseMoved => {
            counted.checked_sub(expected)?
        }
        MovementPolicy::MatchCount => {
            counted.checked_sub(level.map_or(Quantity::ZERO, StockLevel::quantity))?
        }
    };
    Ok(Settlement::Adjust {
        expected,
        change,
        moves,
    })
}
