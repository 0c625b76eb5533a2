//! The lines of a stock take.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Beginning, Cause, Code, CostLayer, CountEntryId, CountMoment, Currency, DecimalError, Learned,
    Move, Product, Quantity, StockError, StockEventId, StockKey, StockTakeId, StockTakeItemId,
    Timestamp, UnitCost, UserId, Value, ValueSum, Variance,
};

impl StockTakeItemId {
    /// The id of the line of a take for a key. It follows from the two, so that one key has one line,
    /// whoever adds it, however often.
    pub fn for_key(take: StockTakeId, key: &StockKey) -> Self {
        Self::new(Uuid::new_v5(&take.as_uuid(), key.canonical().as_bytes()))
    }
}

/// One line: a key, what is shown of its product, and what was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockTakeItem {
    /// Its id.
    pub id: StockTakeItemId,
    /// Its take.
    pub take: StockTakeId,
    /// Its place in the take: 1, 2, 3 ... in the order of adding.
    pub line: u64,
    /// What is counted.
    pub key: StockKey,
    /// The product as it was when the line was added: renaming it never rewrites a take.
    pub product: Arc<Product>,
    /// What the book said when the line was added, or when the take began if it was being counted already.
    pub began: Beginning,
    /// What was counted; `None` is uncounted, which is never zero.
    pub count: Option<Count>,
    /// What posting made of it.
    pub posting: Option<LinePosting>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What was counted on a line, and against what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many; zero or more.
    pub quantity: Quantity,
    /// What the book said then. Of a count in parts, of its last part.
    pub moment: CountMoment,
    /// The moment of its first part; of what was counted in one go, the same.
    pub first: CountMoment,
    /// Whether its first part was set, and so stands for all that was there: nothing that was counted before it is added.
    pub was_set: bool,
    /// The cost of one unit then, when it was known.
    pub unit_cost: Option<UnitCost>,
    /// The value of the variance in the minor unit: `(quantity - expected) * unit_cost`, rounded once.
    pub adjustment_minor: i64,
    /// Who counted last.
    pub by: UserId,
}

/// One act of counting. All of them are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountEntry {
    /// Its id.
    pub id: CountEntryId,
    /// The take.
    pub take: StockTakeId,
    /// The line.
    pub item: StockTakeItemId,
    /// What was entered.
    pub entered: Entered,
    /// What the line's count was after it; `None` is uncounted.
    pub counted: Option<Quantity>,
    /// What the book said.
    pub book: Quantity,
    /// When it was counted.
    pub at: Timestamp,
    /// When it was told: later, where a device was offline.
    pub recorded_at: Timestamp,
    /// By whom.
    pub by: UserId,
    /// With which device.
    pub device: Option<Code>,
}

/// What a counter enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entered {
    /// So many are there.
    Set(Quantity),
    /// So many more are there.
    Add(Quantity),
    /// Nothing was counted after all.
    Clear,
}

/// Why a count was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountError {
    /// Less than nothing can't be counted.
    #[error("a counted quantity is zero or more, not {quantity}")]
    Negative {
        /// What it would be.
        quantity: Quantity,
    },
    /// A serial number is there or it isn't.
    #[error("a serial number is counted as 0 or 1, not {quantity}")]
    Serial {
        /// What it would be.
        quantity: Quantity,
    },
    /// It would have been counted in the future: the clock of the device is ahead.
    #[error("counted in the future: {counted_at}")]
    FutureDated {
        /// The stated time.
        counted_at: Timestamp,
    },
    /// It would have been counted in a closed period. Count again.
    #[error("the period is closed until {closed_until}")]
    PeriodClosed {
        /// The site's closing date.
        closed_until: Timestamp,
    },
    /// It would have been counted before there was something to count on.
    #[error("counted before it began: {began_at}")]
    BeforeStart {
        /// When the take, or the count, began.
        began_at: Timestamp,
    },
    /// The line has been counted later than that already, and the later count stands.
    #[error("counted again since: {counted_at}")]
    CountedSince {
        /// When.
        counted_at: Timestamp,
    },
    /// The sum or its value leaves the range.
    #[error("the counted quantity, or the value of its variance, would leave its range")]
    OutOfRange,
}

impl From<DecimalError> for CountError {
    fn from(_: DecimalError) -> Self {
        Self::OutOfRange
    }
}

/// What posting made of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePosting {
    /// The outcome.
    pub outcome: LineOutcome,
    /// Whether nobody had counted the line and finishing counted it as zero (S4.8). It reads as counted, with 0.
    pub zeroed: bool,
    /// What the count was compared with: what the book said then, late records included; of a line that was zeroed what
    /// was there when the take began and had not left; where the level was made to match, what it said before. The
    /// book for a line that was not counted.
    pub expected: Quantity,
    /// What was posted.
    pub change: Quantity,
    /// Its value in the minor unit, `change * unit_cost`, rounded once.
    pub adjustment_minor: i64,
    /// The ledger event, if there was something to post.
    pub event: Option<StockEventId>,
    /// That the truth was known by it, and what was known before.
    pub learned: Option<Learned>,
    /// What moved after the count.
    pub moves: Vec<Move>,
    /// How many events the key had had before.
    pub sequence: u64,
    /// What was on hand after posting.
    pub on_hand: Quantity,
    /// What was reserved.
    pub reserved: Quantity,
    /// The cost layers after posting.
    pub layers: Vec<CostLayer>,
    /// What is on hand, at standard cost.
    pub standard_value: ValueSum,
    /// What is on hand, by first in, first out.
    pub fifo_value: Value,
}

impl LinePosting {
    /// Whether the line could not be posted, and waits to be posted again or dismissed.
    pub const fn is_left_over(&self) -> bool {
        matches!(self.outcome, LineOutcome::Unposted { .. })
    }

    /// Whether stock moved between two parts of the count: nobody can tell whether what moved was counted already, so
    /// the line may be off by as much, and is worth counting again.
    pub fn moved_between_parts(&self) -> bool {
        self.moves.iter().any(|it| it.between_parts)
    }
}

/// How posting a line ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineOutcome {
    /// A variance was posted.
    Adjusted,
    /// It was right.
    Confirmed,
    /// Nobody counted it; it was left alone.
    Uncounted,
    /// The truth was known later than it was counted; it adjusted nothing.
    Superseded {
        /// When it was known.
        known_at: Timestamp,
        /// By what.
        by: Cause,
    },
    /// It can't be posted as things are; it waits to be posted again or dismissed.
    Unposted {
        /// Why.
        problem: LineProblem,
    },
    /// It could not be posted, and somebody decided that it never will be.
    Dismissed,
}

/// Why a line can't be posted. The code is stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineProblem {
    /// The level would fall below zero.
    #[error("the level would fall below zero: {on_hand} on hand, change {change}")]
    BelowZero {
        /// What is on hand.
        on_hand: Quantity,
        /// What would be posted.
        change: Quantity,
    },
    /// The stock moved after the count, and the take refuses that.
    #[error("the stock moved after it was counted")]
    Moved {
        /// The moves.
        moves: Vec<Move>,
    },
    /// The truth was known later than the line was counted, and the take refuses that.
    #[error("what is there was known later than it was counted: {known_at}")]
    Superseded {
        /// When it was known.
        known_at: Timestamp,
        /// By what.
        by: Cause,
    },
    /// No cost is known for what was found.
    #[error("no cost is known for what was found")]
    CostUnknown,
    /// The count lies in a period that has been closed since.
    #[error("the period of the count is closed until {closed_until}")]
    PeriodClosed {
        /// The closing date.
        closed_until: Timestamp,
    },
    /// A serial number would be there more than once.
    #[error("a serial number would be there {quantity} times")]
    SerialQuantity {
        /// How often.
        quantity: Quantity,
    },
    /// The serial number is on hand elsewhere, and the same document does not count it away from there. Count it
    /// there too, or move the unit.
    #[error("the serial number is on hand elsewhere{}", .at.as_ref().map_or_else(String::new, |at| format!(": {}", at.whereabouts())))]
    SerialElsewhere {
        /// Which key holds it, if that is one of the same site.
        at: Option<Box<StockKey>>,
    },
    /// The level or its value would leave its range.
    #[error("the level would leave its range")]
    OutOfRange,
    /// The posting was given up before it came to this line.
    #[error("the posting was given up before it came to this line")]
    GivenUp,
}

impl LineProblem {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BelowZero { .. } => "would_go_negative",
            Self::Moved { .. } => "moved_since_count",
            Self::Superseded { .. } => "superseded",
            Self::CostUnknown => "cost_unknown",
            Self::PeriodClosed { .. } => "period_closed",
            Self::SerialQuantity { .. } => "serial_conflict",
            Self::SerialElsewhere { .. } => "serial_elsewhere",
            Self::OutOfRange => "out_of_range",
            Self::GivenUp => "given_up",
        }
    }
}

impl From<StockError> for LineProblem {
    fn from(error: StockError) -> Self {
        match error {
            StockError::BelowZero { on_hand, change } => Self::BelowZero { on_hand, change },
            StockError::CostUnknown => Self::CostUnknown,
            StockError::SerialQuantity { quantity } => Self::SerialQuantity { quantity },
            StockError::PeriodClosed { closed_until } => Self::PeriodClosed { closed_until },
            StockError::FutureDated { .. } | StockError::OutOfRange => Self::OutOfRange,
        }
    }
}

/// Whether a line was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountStatus {
    /// Either.
    #[default]
    All,
    /// Not counted.
    Uncounted,
    /// Counted.
    Counted,
}

impl Count {
    /// Counts a key, for takes and counts alike.
    ///
    /// # Errors
    ///
    /// [`CountError`].
    pub fn of(
        key: &StockKey,
        quantity: Quantity,
        moment: CountMoment,
        unit_cost: Option<UnitCost>,
        currency: Currency,
        by: UserId,
    ) -> Result<Self, CountError> {
        if quantity.is_negative() {
            return Err(CountError::Negative { quantity });
        }
        if key.serial.is_some() && quantity != Quantity::ZERO && quantity != Quantity::ONE {
            return Err(CountError::Serial { quantity });
        }
        let variance = Variance::of(moment.book, quantity, unit_cost, currency)?;
        Ok(Self {
            quantity,
            moment,
            first: moment,
            was_set: true,
            unit_cost,
            adjustment_minor: variance.minor(),
            by,
        })
    }

    /// So many of the key's events are in what the book said at its first part, whatever is told later.
    pub fn known_from(&self) -> u64 {
        self.first.sequence.min(self.moment.sequence)
    }

    /// Whether a count may replace this one by now: one that was made before it, and told later, may not.
    pub(super) fn is_replaced_at(
        &self,
        moment: &CountMoment,
        now: Timestamp,
    ) -> Result<(), CountError> {
        if moment.stated && self.moment.is_later(moment, now) {
            let counted_at = self.moment.at;
            return Err(CountError::CountedSince { counted_at });
        }
        Ok(())
    }

    /// The first and the last moment of the count when a part is added to it now that was counted at a moment.
    fn with_part(
        &self,
        part: CountMoment,
        now: Timestamp,
    ) -> Result<(CountMoment, CountMoment), CountError> {
        if !part.stated || !self.moment.is_later(&part, now) {
            return Ok((self.first, part));
        }
        if !self.first.is_later(&part, now) {
            return Ok((self.first, self.moment));
        }
        if self.was_set {
            let counted_at = self.first.at;
            return Err(CountError::CountedSince { counted_at });
        }
        Ok((part, self.moment))
    }
}

impl StockTakeItem {
    /// The id of the event that it posts in a round. It follows from the line and the round, so that nothing is posted twice.
    pub(crate) fn variance_id(&self, round: u32) -> StockEventId {
        StockEventId::new(Uuid::new_v5(&self.id.as_uuid(), &round.to_be_bytes()))
    }

    /// Whether it posted a variance in a round.
    pub(crate) fn has_posted(&self, round: u32) -> bool {
        let posted = self.posting.as_ref().and_then(|posting| posting.event);
        posted == Some(self.variance_id(round))
    }

    /// A line that nobody has counted.
    pub fn new(
        take: StockTakeId,
        line: u64,
        key: StockKey,
        product: Arc<Product>,
        began: Beginning,
        at: Timestamp,
    ) -> Self {
        Self {
            id: StockTakeItemId::for_key(take, &key),
            take,
            line,
            key,
            product,
            began,
            count: None,
            posting: None,
            updated_at: at,
        }
    }

    /// What was counted. A line that nobody counted reads as counted with zero when finishing has counted it so (S4.8).
    pub fn counted_quantity(&self) -> Option<Quantity> {
        let zeroed = self.posting.as_ref().is_some_and(|posting| posting.zeroed);
        let count = self.count.as_ref().map(|count| count.quantity);
        count.or(zeroed.then_some(Quantity::ZERO))
    }

    /// Whether it is counted, by somebody or as zero by finishing.
    pub fn is_counted(&self) -> bool {
        self.counted_quantity().is_some()
    }

    /// How much it is off: counted minus expected. `None` on a line that is not counted, which is never right or wrong,
    /// and on one whose posting adjusted nothing, because it was superseded or could not be posted.
    pub fn variance(&self) -> Option<Quantity> {
        let Some(posting) = &self.posting else {
            let count = self.count.as_ref()?;
            // Who counted it has seen that it is in range.
            return count.quantity.checked_sub(count.moment.book).ok();
        };
        match posting.outcome {
            LineOutcome::Adjusted | LineOutcome::Confirmed => Some(posting.change),
            LineOutcome::Uncounted
            | LineOutcome::Superseded { .. }
            | LineOutcome::Unposted { .. }
            | LineOutcome::Dismissed => None,
        }
    }

    /// What the book said when the line was counted, or posted; `None` before: it is what it says now.
    pub fn expected(&self) -> Option<Quantity> {
        let posted = self.posting.as_ref().map(|posting| posting.expected);
        posted.or(self.count.as_ref().map(|count| count.moment.book))
    }

    /// Whether it waits to be posted again or dismissed.
    pub fn is_left_over(&self) -> bool {
        self.posting.as_ref().is_some_and(LinePosting::is_left_over)
    }

    /// The value of the variance in the minor unit: as counted, and once posted as posted.
    pub fn adjustment_minor(&self) -> i64 {
        match (&self.posting, &self.count) {
            (Some(posting), _) => posting.adjustment_minor,
            (None, Some(count)) => count.adjustment_minor,
            (None, None) => 0,
        }
    }

    /// Enters a count: the line after it. What is set begins anew; what is added is a part more, whenever it is told.
    ///
    /// # Errors
    ///
    /// [`CountError`]; the line is unchanged.
    pub fn counted(
        &self,
        entered: Entered,
        moment: CountMoment,
        unit_cost: Option<UnitCost>,
        currency: Currency,
        (by, at): (UserId, Timestamp),
    ) -> Result<Self, CountError> {
        let before = self.count.as_ref();
        let count =
            |quantity, moment| Count::of(&self.key, quantity, moment, unit_cost, currency, by);
        let count = match (entered, before) {
            (Entered::Clear, None) => None,
            (Entered::Clear, Some(before)) => {
                before.is_replaced_at(&moment, at)?;
                None
            }
            (Entered::Set(quantity), before) => {
                before.map_or(Ok(()), |before| before.is_replaced_at(&moment, at))?;
                Some(count(quantity, moment)?)
            }
            (Entered::Add(more), None) => Some(Count {
                was_set: false,
                ..count(more, moment)?
            }),
            (Entered::Add(more), Some(before)) => {
                let (first, last) = before.with_part(moment, at)?;
                Some(Count {
                    first,
                    was_set: before.was_set,
                    ..count(before.quantity.checked_add(more)?, last)?
                })
            }
        };
        Ok(Self {
            count,
            updated_at: at,
            ..self.clone()
        })
    }
}

/// The value of a variance in the minor unit: variance times unit cost, rounded once. Without a known cost
/// it is worth nothing.
///
/// # Errors
///
/// [`DecimalError::OutOfRange`].
pub fn variance_minor(
    variance: Quantity,
    unit_cost: Option<UnitCost>,
    currency: Currency,
) -> Result<i64, DecimalError> {
    Variance::of(Quantity::ZERO, variance, unit_cost, currency).map(|worth| worth.minor())
}
