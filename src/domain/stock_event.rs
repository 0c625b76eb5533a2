//! The lines of the ledger.

use serde::{Deserialize, Serialize};

use super::{
    Code, CostPart, InventoryCountId, InventoryOrderId, InventoryOrderItemId, Learned, Note,
    Quantity, StockAdjustmentId, StockEventId, StockImportId, StockKey, StockTakeId,
    StockTakeItemId, Timestamp, UnitCost, UserId, Value,
};

/// One immutable line of the ledger. A correction is another line; nothing here is ever changed.
///
/// The ledger has two orders: `sequence` counts the events of one stock key, and the
/// [`LedgerEntry`] around a stored event counts those of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockEvent {
    /// Its id.
    pub id: StockEventId,
    /// What moved.
    pub key: StockKey,
    /// The place in the key's own order: 1, 2, 3 ... without a gap.
    pub sequence: u64,
    /// What happened.
    pub kind: StockEventKind,
    /// By how much the level changed; negative is out, zero is possible (an absolute value that was right).
    pub change: Quantity,
    /// The level before.
    pub before: Quantity,
    /// The level after: `before + change`.
    pub after: Quantity,
    /// The cost of one unit of what moved, rounded to six digits; nothing for a change of nothing. Of a revaluation,
    /// what one unit on hand is worth from then on.
    pub unit_cost: UnitCost,
    /// By how much the key's value changed, under the site's costing method.
    pub value_change: Value,
    /// How much of `value_change` is not the worth of what moved; nothing as a rule.
    ///
    /// Of a reversal: what it and the event that it takes back don't sum to nothing by. A receipt of 10 at 999.00, one of
    /// which has been sold, is taken back with the nine that are left and one of the oldest: what that one cost less than
    /// 999.00 could not be taken back, and is named here. Below zero: the oldest had cost more.
    ///
    /// Of what came in to a key that was below zero: what the goods that had gone out beyond the stock were booked at, less
    /// what they turned out to cost.
    pub difference: Value,
    /// The cost parts that came in, or left, by first in, first out. Of a revaluation, the key's layers as it left
    /// them (below zero, what is missing); none if it changed the value only.
    pub parts: Vec<CostPart>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Whether the command stated that time. What did not happened when it was recorded, after all that
    /// was recorded before, whatever the clock said.
    pub timed: bool,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who recorded it.
    pub recorded_by: UserId,
    /// Why.
    pub reason: Option<Note>,
    /// The host's reference (a receipt number, a damage report).
    pub reference: Option<Code>,
    /// The document behind it.
    pub cause: Cause,
    /// The event that this one names: of a customer's return the issue, of a return to the supplier the receipt, if it
    /// named one.
    pub of: Option<StockEventId>,
    /// The event that this one takes back.
    pub reverses: Option<EventLink>,
    /// The late movement that this one balances, because a later count knew better.
    pub absorbs: Option<EventLink>,
    /// Whether it is dated before what was known of the key when it was recorded, but within the site's clock tolerance
    /// ([`SitePolicy::clock_tolerance_millis`](super::SitePolicy::clock_tolerance_millis)), so that it counts as after it.
    pub within_tolerance: bool,
    /// Of an absolute value: that the truth was known by it, and what was known before.
    pub learned: Option<Learned>,
}

impl StockEvent {
    /// A link to this event.
    pub const fn link(&self) -> EventLink {
        EventLink {
            event: self.id,
            sequence: self.sequence,
            occurred_at: self.occurred_at,
            timed: self.timed,
            found: matches!(self.kind, StockEventKind::CountVariance),
        }
    }

    /// Whether it made an absolute value known.
    pub(super) const fn is_absolute(&self) -> bool {
        matches!(
            self.kind,
            StockEventKind::ExternalReset | StockEventKind::Removed
        )
    }

    /// Where the event belongs in the key's history: a reversal belongs where the event belongs that it
    /// takes back.
    pub fn moment(&self) -> EventLink {
        self.absorbs.or(self.reverses).unwrap_or(self.link())
    }
}

/// A stored event and its position in the ledger of its site: 1, 2, 3 ... without a gap, in the order of
/// commits (S6.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The position.
    pub position: u64,
    /// The event.
    pub event: StockEvent,
}

/// What an event keeps of the event that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLink {
    /// The event.
    pub event: StockEventId,
    /// Its place in the key's order.
    pub sequence: u64,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Whether it stated that time.
    pub timed: bool,
    /// Whether nothing moved: it is the variance that a count found.
    pub found: bool,
}

/// What happened to stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StockEventKind {
    /// Goods came in.
    Receipt,
    /// Goods left: sold or used.
    Issue,
    /// Goods left for another key of the same site.
    TransferOut,
    /// Goods came from another key of the same site.
    TransferIn,
    /// A customer brought goods back, at the cost they left with.
    CustomerReturn,
    /// Goods went back to the supplier.
    SupplierReturn,
    /// A stock take or count found a variance.
    CountVariance,
    /// An approved adjustment (S2.9).
    Adjustment,
    /// An absolute value from outside (S5.1), also when nothing changed.
    ExternalReset,
    /// A change from outside (S5.2).
    ExternalAdjustment,
    /// The key was delisted; what was left is booked out.
    Removed,
    /// Takes another event back.
    Reversal,
    /// Balances a movement that was recorded late, at a time that a count already knew.
    Absorption,
    /// Nothing moved, but what is on hand is worth more or less (S6.15): a cost was stated, or the site's costing
    /// method or a standard cost that values stock changed.
    Revaluation,
}

impl StockEventKind {
    /// The stable name, as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Issue => "issue",
            Self::TransferOut => "transfer_out",
            Self::TransferIn => "transfer_in",
            Self::CustomerReturn => "customer_return",
            Self::SupplierReturn => "supplier_return",
            Self::CountVariance => "count_variance",
            Self::Adjustment => "adjustment",
            Self::ExternalReset => "external_reset",
            Self::ExternalAdjustment => "external_adjustment",
            Self::Removed => "removed",
            Self::Reversal => "reversal",
            Self::Absorption => "absorption",
            Self::Revaluation => "revaluation",
        }
    }
}

/// The document that caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A movement that the host recorded (S6.1).
    Movement,
    /// A line of a stock take, in one of its postings.
    StockTake {
        /// The take.
        take: StockTakeId,
        /// The line.
        item: StockTakeItemId,
        /// The posting: 1 for the first, one more after each reopening.
        round: u32,
    },
    /// An inventory count (S2.5).
    InventoryCount(InventoryCountId),
    /// A stock adjustment (S2.9).
    Adjustment(StockAdjustmentId),
    /// A receipt of an inventory order (S3.6).
    Order {
        /// The order.
        order: InventoryOrderId,
        /// The line.
        item: InventoryOrderItemId,
    },
    /// A stock import (S5).
    Import(StockImportId),
    /// No document: the site's costing method or a standard cost changed, and this key was touched next (S6.15).
    Policy,
}
