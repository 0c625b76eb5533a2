//! The lines of an inventory count.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ApprovalPolicy, Code, Count, CountEntryId, CountError, CountMoment, Currency, InventoryCount,
    InventoryCountId, InventoryCountItemId, LineOutcome, Move, Note, Product, Quantity, Stamp,
    StockAdjustmentId, StockEventId, StockKey, Timestamp, UnitCost, UserId, Variance,
};

impl InventoryCountItemId {
    /// The id of the line of a count for a key. It follows from the two, so that one key has one line,
    /// whoever counts it, however often.
    pub fn for_key(count: InventoryCountId, key: &StockKey) -> Self {
        Self::new(Uuid::new_v5(&count.as_uuid(), key.canonical().as_bytes()))
    }
}

/// One line: a key, what is shown of its product, and what was counted. A line begins with its first count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryCountItem {
    /// Its id.
    pub id: InventoryCountItemId,
    /// Its count.
    pub count: InventoryCountId,
    /// What is counted.
    pub key: StockKey,
    /// The product as it was when the line began: renaming it never rewrites a count.
    pub product: Arc<Product>,
    /// What was counted last, and when the book said what.
    pub counted: Count,
    /// What was counted against what the book said, and what that is worth. Once it is posted, what had happened
    /// by the count but was recorded later is part of what the book said, and a line that adjusted nothing, because it
    /// was superseded or could not be posted, is not off by anything.
    pub variance: Variance,
    /// Whether the variance is over the limits of the approval policy: flagged for review.
    pub significant: bool,
    /// Why it is off, as far as the counter knows.
    pub reason: Option<Note>,
    /// More about it.
    pub notes: Option<Note>,
    /// What completing made of it.
    pub posting: Option<CountItemPosting>,
    /// When it was counted first.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What somebody found when counting a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many; zero or more.
    pub quantity: Quantity,
    /// What the book said then.
    pub moment: CountMoment,
    /// The cost of one unit then, when it was known.
    pub unit_cost: Option<UnitCost>,
    /// Why it is off.
    pub reason: Option<Note>,
    /// More about it.
    pub notes: Option<Note>,
}

/// What completing a count made of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountItemPosting {
    /// The outcome.
    pub outcome: LineOutcome,
    /// What the count was compared with: what the book said then, late records included; where the level was made to
    /// match, what it said before.
    pub expected: Quantity,
    /// What was posted.
    pub change: Quantity,
    /// Its value in the minor unit, `change * unit_cost`, rounded once.
    pub adjustment_minor: i64,
    /// The ledger event, if there was something to post.
    pub event: Option<StockEventId>,
    /// The record of the adjustment, if there was something to post.
    pub adjustment: Option<StockAdjustmentId>,
    /// What moved after the count.
    pub moves: Vec<Move>,
}

/// One act of counting a line of an inventory count. All of them are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryCountEntry {
    /// Its id.
    pub id: CountEntryId,
    /// The count.
    pub count: InventoryCountId,
    /// The line.
    pub item: InventoryCountItemId,
    /// What was counted.
    pub counted: Quantity,
    /// What the book said.
    pub book: Quantity,
    /// Why it is off.
    pub reason: Option<Note>,
    /// More about it.
    pub notes: Option<Note>,
    /// When it was counted.
    pub at: Timestamp,
    /// When it was told: later, where a device was offline.
    pub recorded_at: Timestamp,
    /// By whom.
    pub by: UserId,
    /// With which device.
    pub device: Option<Code>,
}

impl InventoryCountItem {
    /// A key that is counted for the first time (S2.3). Whether the count still takes counts is for
    /// [`InventoryCount::allows`] to say.
    ///
    /// # Errors
    ///
    /// [`CountError`].
    pub fn new(
        count: &InventoryCount,
        key: StockKey,
        product: Arc<Product>,
        found: Found,
        policy: &ApprovalPolicy,
        stamp: &Stamp,
    ) -> Result<Self, CountError> {
        let currency = count.currency();
        let (counted, variance) = found.judge(&key, currency, stamp.actor.user.id)?;
        Ok(Self {
            id: InventoryCountItemId::for_key(count.id(), &key),
            count: count.id(),
            key,
            product,
            counted,
            variance,
            significant: policy.is_significant(variance.quantity(), variance.value()),
            reason: found.reason,
            notes: found.notes,
            posting: None,
            created_at: stamp.at,
            updated_at: stamp.at,
        })
    }

    /// The same key counted again: the line after it. What was counted before is replaced.
    ///
    /// # Errors
    ///
    /// [`CountError`]; the line is unchanged.
    pub fn recounted(
        &self,
        found: Found,
        currency: Currency,
        policy: &ApprovalPolicy,
        stamp: &Stamp,
    ) -> Result<Self, CountError> {
        self.counted.is_replaced_at(&found.moment, stamp.at)?;
        let (counted, variance) = found.judge(&self.key, currency, stamp.actor.user.id)?;
        Ok(Self {
            counted,
            variance,
            significant: policy.is_significant(variance.quantity(), variance.value()),
            reason: found.reason,
            notes: found.notes,
            updated_at: self.updated_at.max(stamp.at),
            ..self.clone()
        })
    }

    /// What completing its count made of it. The flag for review stays as it was set when it was counted.
    ///
    /// # Errors
    ///
    /// [`CountError::OutOfRange`].
    pub fn posted(
        &self,
        posting: CountItemPosting,
        currency: Currency,
        at: Timestamp,
    ) -> Result<Self, CountError> {
        let Count {
            quantity,
            unit_cost,
            ..
        } = self.counted;
        let variance = match posting.outcome {
            LineOutcome::Adjusted | LineOutcome::Confirmed => {
                Variance::of(posting.expected, quantity, unit_cost, currency)?
            }
            // What was not posted is neither missing nor too much.
            LineOutcome::Uncounted
            | LineOutcome::Superseded { .. }
            | LineOutcome::Unposted { .. }
            | LineOutcome::Dismissed => self.variance.without_effect(),
        };
        Ok(Self {
            variance,
            posting: Some(posting),
            updated_at: self.updated_at.max(at),
            ..self.clone()
        })
    }

    /// What the book said when it was counted; once it is posted, late records included.
    pub const fn system_quantity(&self) -> Quantity {
        self.variance.expected()
    }

    /// The act of counting that made the line what it is, to be kept.
    pub fn entry(
        &self,
        id: CountEntryId,
        device: Option<Code>,
        stamp: &Stamp,
    ) -> InventoryCountEntry {
        InventoryCountEntry {
            id,
            count: self.count,
            item: self.id,
            counted: self.counted.quantity,
            book: self.counted.moment.book,
            reason: self.reason.clone(),
            notes: self.notes.clone(),
            at: self.counted.moment.at,
            recorded_at: stamp.at,
            by: self.counted.by,
            device,
        }
    }
}

impl Found {
    fn judge(
        &self,
        key: &StockKey,
        currency: Currency,
        by: UserId,
    ) -> Result<(Count, Variance), CountError> {
        let Self {
            quantity,
            moment,
            unit_cost,
            ..
        } = *self;
        let variance = Variance::of(moment.book, quantity, unit_cost, currency)?;
        let count = Count::of(key, quantity, moment, unit_cost, currency, by)?;
        Ok((count, variance))
    }
}
