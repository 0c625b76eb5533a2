//! What else moves stock (S6.1).

use serde::Serialize;

use crate::domain::{
    Code, Note, Quantity, SiteId, SitePolicy, StockEventId, StockKey, Timestamp, UnitCost, Value,
};
use crate::store::{Digest, DigestBuilder};

/// What moves. Quantities are above zero unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// Goods come in.
    Receipt {
        /// Where to.
        key: StockKey,
        /// How many.
        quantity: Quantity,
        /// What one costs; without it they cost what is on hand costs.
        unit_cost: Option<UnitCost>,
    },
    /// Goods come in at what they cost together (three for 100.00), exactly; what one costs follows.
    ReceiptAtTotal {
        /// Where to.
        key: StockKey,
        /// How many.
        quantity: Quantity,
        /// What they cost together, in the site's currency; zero or more, with at most six digits beyond the
        /// currency's own.
        total: Value,
    },
    /// Goods leave: sold, used.
    Issue {
        /// Where from.
        key: StockKey,
        /// How many.
        quantity: Quantity,
    },
    /// Goods move within the site, with their cost layers.
    Transfer {
        /// Where from.
        from: StockKey,
        /// Where to.
        to: StockKey,
        /// How many.
        quantity: Quantity,
    },
    /// A customer brings goods back, to whatever stock place: they come in at the cost they left with.
    CustomerReturn {
        /// Where to.
        key: StockKey,
        /// How many; not more than left and have not come back.
        quantity: Quantity,
        /// The issue with which they left: of the same product, variant, batch and serial number.
        of: StockEventId,
    },
    /// Goods go back to the supplier: the oldest, or those of a receipt.
    SupplierReturn {
        /// Where from.
        key: StockKey,
        /// How many.
        quantity: Quantity,
        /// The receipt with which they came, also an order's: of the same product, variant, batch and serial number. No
        /// more can go back than is left of it at the key.
        receipt: Option<StockEventId>,
    },
    /// Takes a movement back, once. Of a transfer name the event with which the goods left: both are taken back.
    /// What a document posted is not taken back so: reopen the take, count again, adjust or import the other way, or
    /// return to the supplier what an order brought, naming its receipt.
    Reversal {
        /// The event.
        of: StockEventId,
    },
    /// So many are there, whatever the book said (zero or more); always an event, also when nothing changes.
    Reset {
        /// Of what.
        key: StockKey,
        /// How many.
        quantity: Quantity,
        /// What one costs that the book did not know: what is found, and what is on hand at an unknown cost, which a
        /// revaluation before this event says.
        unit_cost: Option<UnitCost>,
        /// What the book must have said (S6.3).
        expected: Option<Quantity>,
    },
    /// The book changes by so many, from outside; not zero.
    Adjust {
        /// Of what.
        key: StockKey,
        /// By how many.
        change: Quantity,
        /// What one costs that comes in.
        unit_cost: Option<UnitCost>,
    },
    /// All that is on hand costs so much a unit from now on, although nothing moves (S6.15): value and cost layers
    /// change, by an event of its own. So goods of unknown cost come to their cost. Under a standard cost that values
    /// stock, the value stays and only the layers change. It is not taken back: state the right cost again.
    Revalue {
        /// Of what; it must be stocked.
        key: StockKey,
        /// What one costs.
        unit_cost: UnitCost,
    },
    /// The key is no longer kept on stock: what is left is booked out, and it enters no take until stock
    /// arrives again.
    Remove {
        /// Which.
        key: StockKey,
    },
}

/// A movement with what is said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewMovement {
    /// What moves.
    pub movement: Movement,
    /// When it happened; not ahead, and not in a closed period. Without it, it happens now, after all that is
    /// known. [`Movement::Reset`], [`Movement::Remove`], [`Movement::Revalue`] and [`Movement::Reversal`] take none.
    pub occurred_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<Note>,
    /// The host's reference.
    pub reference: Option<Code>,
}

impl From<Movement> for NewMovement {
    fn from(movement: Movement) -> Self {
        Self {
            movement,
            occurred_at: None,
            reason: None,
            reference: None,
        }
    }
}

impl NewMovement {
    /// The same movement at a stated time.
    #[must_use]
    pub fn at(mut self, occurred_at: Timestamp) -> Self {
        self.occurred_at = Some(occurred_at);
        self
    }

    /// The same movement with a reason.
    #[must_use]
    pub fn because(mut self, reason: Note) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The same movement with the host's reference.
    #[must_use]
    pub fn with_reference(mut self, reference: Code) -> Self {
        self.reference = Some(reference);
        self
    }

    pub(super) fn digest(&self, digest: DigestBuilder) -> DigestBuilder {
        digest.request(self)
    }

    /// The keys that it names itself; of a return or a reversal the event tells the rest.
    pub(super) fn keys(&self) -> Vec<&StockKey> {
        match &self.movement {
            Movement::Receipt { key, .. }
            | Movement::ReceiptAtTotal { key, .. }
            | Movement::Revalue { key, .. }
            | Movement::Issue { key, .. }
            | Movement::CustomerReturn { key, .. }
            | Movement::SupplierReturn { key, .. }
            | Movement::Reset { key, .. }
            | Movement::Adjust { key, .. }
            | Movement::Remove { key } => vec![key],
            Movement::Transfer { from, to, .. } => vec![from, to],
            Movement::Reversal { .. } => Vec::new(),
        }
    }

    /// The key whose cost it goes by: of what comes in at no stated cost, or may go out beyond what is there.
    pub(super) const fn asks_cost_of(&self, policy: &SitePolicy) -> Option<&StockKey> {
        // What happened before the key was counted goes out of the book and comes back into it, also of nothing.
        let goes_below = policy.allow_negative || self.occurred_at.is_some();
        match &self.movement {
            Movement::Receipt { key, unit_cost, .. } | Movement::Reset { key, unit_cost, .. }
                if unit_cost.is_none() =>
            {
                Some(key)
            }
            Movement::Adjust {
                key,
                change,
                unit_cost,
            } if (change.is_positive() && unit_cost.is_none())
                || (change.is_negative() && goes_below) =>
            {
                Some(key)
            }
            // What is removed may be below zero, also where nothing may fall there any more.
            Movement::Remove { key } => Some(key),
            Movement::Issue { key, .. }
            | Movement::SupplierReturn { key, .. }
            | Movement::Transfer { from: key, .. }
                if goes_below =>
            {
                Some(key)
            }
            Movement::Receipt { .. }
            | Movement::ReceiptAtTotal { .. }
            | Movement::Revalue { .. }
            | Movement::Issue { .. }
            | Movement::Transfer { .. }
            | Movement::CustomerReturn { .. }
            | Movement::SupplierReturn { .. }
            | Movement::Reversal { .. }
            | Movement::Reset { .. }
            | Movement::Adjust { .. } => None,
        }
    }

    /// The event that it refers to.
    pub(super) const fn refers_to(&self) -> Option<StockEventId> {
        match &self.movement {
            Movement::CustomerReturn { of, .. } | Movement::Reversal { of } => Some(*of),
            Movement::SupplierReturn { receipt, .. } => *receipt,
            Movement::Receipt { .. }
            | Movement::ReceiptAtTotal { .. }
            | Movement::Revalue { .. }
            | Movement::Issue { .. }
            | Movement::Transfer { .. }
            | Movement::Reset { .. }
            | Movement::Adjust { .. }
            | Movement::Remove { .. } => None,
        }
    }

    /// Whether it may state its time.
    pub(super) const fn may_be_dated(&self) -> bool {
        !matches!(
            self.movement,
            Movement::Reset { .. }
                | Movement::Remove { .. }
                | Movement::Reversal { .. }
                | Movement::Revalue { .. }
        )
    }
}

/// The digest of a batch.
pub(super) fn batch_digest(site: &SiteId, movements: &[NewMovement]) -> DigestBuilder {
    movements
        .iter()
        .fold(Digest::of("record").field(site), |digest, new| {
            new.digest(digest)
        })
}
