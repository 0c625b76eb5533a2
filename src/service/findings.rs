//! What an audit of the ledger finds, and what mending it changes.

use crate::domain::{InventoryOrderId, Quantity, Stamp, StockKey, StockLevel, Value};
use crate::store::RecordKey;

/// How many differences are told one by one.
pub const DIFFERENCES_TOLD: usize = 1_000;

/// What [`Stock::verify`](super::Stock::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Levels that were recomputed.
    pub levels: u64,
    /// Events that they were recomputed from.
    pub events: u64,
    /// How many differences there are.
    pub found: u64,
    /// What does not agree, the first [`DIFFERENCES_TOLD`]; empty in a sound ledger.
    pub differences: Vec<Difference>,
}

impl Verification {
    /// Whether everything agrees.
    pub const fn is_sound(&self) -> bool {
        self.found == 0
    }
}

/// What takes note of what an audit finds.
pub(super) trait Findings: Send {
    /// A difference.
    fn tell(&mut self, difference: Difference);

    /// A level was recomputed from so many events.
    fn looked_at(&mut self, events: u64);

    /// The rebuilding that the audit is a part of, if it is to mend what it finds.
    fn rebuilding(&mut self) -> Option<&mut Rebuilding> {
        None
    }
}

impl Findings for Verification {
    /// Only the first ones are told one by one.
    fn tell(&mut self, difference: Difference) {
        self.found = self.found.saturating_add(1);
        if self.differences.len() < DIFFERENCES_TOLD {
            self.differences.push(difference);
        }
    }

    fn looked_at(&mut self, events: u64) {
        self.levels = self.levels.saturating_add(1);
        self.events = self.events.saturating_add(events);
    }
}

/// Something that does not agree with the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A key's events don't count 1, 2, 3 ... up to the level's sequence.
    Sequence {
        /// The key.
        key: StockKey,
        /// Where the count breaks.
        at: u64,
    },
    /// An event's before, change and after don't chain.
    Chain {
        /// The key.
        key: StockKey,
        /// Which event.
        at: u64,
    },
    /// The level is not the sum of its events.
    Quantity {
        /// The key.
        key: StockKey,
        /// The sum.
        ledger: Quantity,
        /// The level.
        level: Quantity,
    },
    /// Whether the key is kept on stock is not what its last event left.
    Stocked {
        /// The key.
        key: StockKey,
        /// What the last event left.
        ledger: bool,
        /// The level.
        level: bool,
    },
    /// The level does not know of a moment at which the truth was known, as an absolute value in the ledger tells.
    Knowledge {
        /// The key.
        key: StockKey,
    },
    /// The value is not the sum of the events' changes.
    Value {
        /// The key.
        key: StockKey,
        /// The sum.
        ledger: Value,
        /// The level's.
        level: Value,
    },
    /// The cost layers are not those that the events leave, or they don't sum to the level.
    Layers {
        /// The key.
        key: StockKey,
    },
    /// A decrease did not take the layers that had to leave: the oldest first, or of a return to the supplier those of the
    /// receipt, or of a reversal those that it takes back.
    Order {
        /// The key.
        key: StockKey,
        /// Which event.
        at: u64,
    },
    /// A reversal is not the opposite of an earlier event of its key: of the quantity, or of the value, but for the
    /// difference that it names.
    Reversal {
        /// The key.
        key: StockKey,
        /// Which event.
        at: u64,
    },
    /// What is known of where a serial number is does not agree with the level: a key that holds the unit is not marked
    /// as the one that does, or one that does not hold it is, also one that never had a level.
    Serial {
        /// The key.
        key: StockKey,
        /// The key that is marked under its product.
        marked: Option<StockKey>,
    },
    /// A key has events, and no level.
    NoLevel {
        /// The key.
        key: StockKey,
    },
    /// The subtotal or the number of lines of an order is not that of its lines.
    Subtotal {
        /// The order.
        order: InventoryOrderId,
    },
    /// What the store keeps beside a record, for lists, totals and positions, does not follow from it.
    Beside {
        /// The record. A site stands for the end of its ledger.
        record: RecordKey,
        /// What, as the store calls it: a column, `totals`, `ledger`, `name`, `barcodes`.
        what: &'static str,
        /// What is kept, for people to read.
        kept: String,
        /// What should be, for people to read.
        due: String,
    },
    /// What the store keeps beside an event of the ledger, to find it by, does not follow from it.
    BesideEvent {
        /// The position of the event.
        position: u64,
        /// What, as the store calls it: a column.
        what: &'static str,
        /// What is kept, for people to read.
        kept: String,
        /// What should be, for people to read.
        due: String,
    },
    /// The positions of the site's ledger are not 1, 2, 3 ...
    Positions {
        /// The position that should be there, and is not.
        missing: u64,
    },
}

impl Difference {
    /// The stock key that it is about.
    pub(super) const fn key(&self) -> Option<&StockKey> {
        match self {
            Self::Sequence { key, .. }
            | Self::Chain { key, .. }
            | Self::Quantity { key, .. }
            | Self::Stocked { key, .. }
            | Self::Knowledge { key }
            | Self::Value { key, .. }
            | Self::Layers { key }
            | Self::Order { key, .. }
            | Self::Reversal { key, .. }
            | Self::Serial { key, .. }
            | Self::NoLevel { key } => Some(key),
            Self::Subtotal { .. }
            | Self::Beside { .. }
            | Self::BesideEvent { .. }
            | Self::Positions { .. } => None,
        }
    }
}

/// What [`Stock::rebuild`](super::Stock::rebuild) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// How much was mended.
    pub mended: u64,
    /// What was mended, the first [`DIFFERENCES_TOLD`]: what was there, and what is there now.
    pub changes: Vec<Mended>,
    /// How many differences are left, because they don't follow from the ledger.
    pub left: u64,
    /// What is left, the first [`DIFFERENCES_TOLD`]: events that contradict each other, and what is kept beside events,
    /// which are never changed.
    pub differences: Vec<Difference>,
}

/// Something that was mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mended {
    /// The level of a key.
    Level {
        /// What of it did not follow from the ledger.
        differences: Vec<Difference>,
        /// What was there.
        before: Option<Box<StockLevel>>,
        /// What is there now.
        after: Box<StockLevel>,
    },
    /// Where a serial number is said to be on hand.
    Serial {
        /// The key that was said to hold it, and does not, or that holds it, and was not said to.
        key: StockKey,
        /// The key that was marked under its product.
        before: Option<StockKey>,
        /// The key that is now.
        after: Option<StockKey>,
    },
    /// The sums of an order's lines.
    Order {
        /// The order.
        order: InventoryOrderId,
        /// The number of lines and the subtotal in minor units that it had.
        before: (u64, i128),
        /// The number of lines and the subtotal in minor units that it has now.
        after: (u64, i128),
    },
    /// What the store keeps beside a record, for lists, totals and positions.
    Beside {
        /// The record. A site stands also for the end of its ledger.
        record: RecordKey,
        /// What, as the store calls it: a column, `totals`, `ledger`, `name`, `barcodes`.
        what: &'static str,
        /// What was there, for people to read.
        before: String,
        /// What is there now, for people to read.
        after: String,
    },
}

/// A rebuilding under way.
pub(super) struct Rebuilding {
    pub(super) stamp: Stamp,
    pub(super) result: Rebuild,
}

impl Rebuilding {
    /// Takes note of what was mended; only the first are told one by one.
    pub(super) fn mended(&mut self, mended: Mended) {
        self.result.mended = self.result.mended.saturating_add(1);
        if self.result.changes.len() < DIFFERENCES_TOLD {
            self.result.changes.push(mended);
        }
    }
}

impl Findings for Rebuilding {
    /// What is told to a rebuilding is what it leaves.
    fn tell(&mut self, difference: Difference) {
        self.result.left = self.result.left.saturating_add(1);
        if self.result.differences.len() < DIFFERENCES_TOLD {
            self.result.differences.push(difference);
        }
    }

    fn looked_at(&mut self, _: u64) {}

    fn rebuilding(&mut self) -> Option<&mut Rebuilding> {
        Some(self)
    }
}
