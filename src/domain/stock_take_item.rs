//! The lines of a stock take.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Code, CostLayer, CountEntryId, CountMoment, Currency, DecimalError, Learned, Move, Product,
    Quantity, StockError, StockEventId, StockKey, StockTakeId, StockTakeItemId, Timestamp,
    UnitCost, UserId, Value, ValueSum, Variance,
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
    /// What the book said then.
    pub moment: CountMoment,
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
    /// When.
    pub at: Timestamp,
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
    /// What was expected at the count, late records included; the book for a line that was not counted.
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
    #[error("the serial number is on hand elsewhere{}", .at.as_ref().map_or_else(String::new, |at| format!(": {at}")))]
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
            unit_cost,
            adjustment_minor: variance.minor(),
            by,
        })
    }
}

impl StockTakeItem {
    /// A line that nobody has counted.
    pub fn new(
        take: StockTakeId,
        line: u64,
        key: StockKey,
        product: Arc<Product>,
        at: Timestamp,
    ) -> Self {
        Self {
            id: StockTakeItemId::for_key(take, &key),
            take,
            line,
            key,
            product,
            count: None,
            posting: None,
            updated_at: at,
        }
    }

    /// Counted minus expected; `None` while uncounted.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn variance(&self) -> Result<Option<Quantity>, DecimalError> {
        match (&self.count, self.expected()) {
            (Some(count), Some(expected)) => count.quantity.checked_sub(expected).map(Some),
            (None, _) | (_, None) => Ok(None),
        }
    }

    /// How much it is off, as far as anybody knows: counted minus expected, and of a line that posting counted as
    /// zero (S4.8), what was posted. `None` on a line that nobody counted, which is never right or wrong.
    pub fn found_variance(&self) -> Option<Quantity> {
        let posted = self.posting.as_ref().filter(|posting| {
            matches!(
                posting.outcome,
                LineOutcome::Adjusted | LineOutcome::Confirmed
            )
        });
        let counted = self.variance().ok().flatten();
        counted.or(posted.map(|posting| posting.change))
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

    /// Enters a count: the line after it.
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
        let before = self
            .count
            .as_ref()
            .map_or(Quantity::ZERO, |count| count.quantity);
        let quantity = match entered {
            Entered::Set(quantity) => Some(quantity),
            Entered::Add(more) => Some(before.checked_add(more)?),
            Entered::Clear => None,
        };
        let count = quantity
            .map(|quantity| Count::of(&self.key, quantity, moment, unit_cost, currency, by));
        Ok(Self {
            count: count.transpose()?,
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
