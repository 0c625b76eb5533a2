//! Commands: what makes a commit happen once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::said::{framed, said};
use crate::domain::{
    InventoryCount, InventoryCountItem, InventoryOrder, InventoryOrderItem, JobId, StockAdjustment,
    StockEvent, StockImport, StockTake, StockTakeItem, Timestamp,
};

/// The key under which a commit is remembered: unique within the organisation (clause R12).
///
/// It is made of the operation and either the caller's idempotency key or what the library derives (the
/// document, its round, the chunk), so that a retry is recognised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(Arc<str>);

impl CommandId {
    /// The id of one run of an operation.
    pub fn new(operation: &str, key: impl std::fmt::Display) -> Self {
        Self(format!("{operation}/{key}").into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CommandId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that a caller gives a command, so that sending it again has one effect (S6.3): 1 to 255
/// visible ASCII characters.
///
/// # Example
///
/// ```
/// use stocktake::store::IdempotencyKey;
///
/// assert!(IdempotencyKey::new("till-7/2026-01-05/0001").is_ok());
/// assert!(IdempotencyKey::new("").is_err());
/// assert!(IdempotencyKey::new("two words").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

/// Not a usable idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to 255 visible ASCII characters")]
pub struct InvalidKey;

impl IdempotencyKey {
    /// Takes a key.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`].
    pub fn new(key: &str) -> Result<Self, InvalidKey> {
        let fits = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            Ok(Self(key.into()))
        } else {
            Err(InvalidKey)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fingerprint of a request: equal requests have equal digests, on every machine and in every version
/// of the library that keeps the request's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(Uuid);

impl Digest {
    /// Begins the digest of a request of an operation.
    pub fn of(operation: &str) -> DigestBuilder {
        DigestBuilder(Vec::new()).field(operation)
    }

    /// The digest as a UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Takes a stored digest back.
    pub const fn from_uuid(digest: Uuid) -> Self {
        Self(digest)
    }
}

/// Collects what a digest is made of.
#[derive(Clone, Debug)]
pub struct DigestBuilder(Vec<u8>);

impl DigestBuilder {
    /// Adds a field. Each is preceded by its length, so that `ab` + `c` is not `a` + `bc`.
    #[must_use]
    pub fn field(mut self, field: impl std::fmt::Display) -> Self {
        framed(&mut self.0, field.to_string().as_bytes());
        self
    }

    /// Adds what a request says, field by field under their names. What is absent, false or empty is left out: a field that a
    /// later version adds changes no digest as long as it says nothing, and the order of fields is of no account.
    #[must_use]
    pub fn request(mut self, request: &impl Serialize) -> Self {
        framed(&mut self.0, &said(request));
        self
    }

    /// Adds a field that may be missing; missing differs from empty.
    #[must_use]
    pub fn optional(mut self, field: Option<impl std::fmt::Display>) -> Self {
        if let Some(field) = field {
            self.0.push(1);
            self.field(field)
        } else {
            self.0.push(0);
            self
        }
    }

    /// The digest.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(Uuid::new_v5(&Uuid::NAMESPACE_OID, &self.0))
    }
}

/// What is remembered of a commit, in the commit itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// The fingerprint of the request.
    pub digest: Digest,
    /// What it resulted in: what the same command gets when it is sent again.
    pub outcome: Outcome,
    /// When it was handled; purging goes by it.
    pub at: Timestamp,
}

/// What a command resulted in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing to tell.
    Done,
    /// A stock take.
    StockTake(Arc<StockTake>),
    /// Lines of a stock take.
    StockTakeItems(Arc<[StockTakeItem]>),
    /// An inventory count.
    InventoryCount(Arc<InventoryCount>),
    /// A line of an inventory count.
    InventoryCountItem(Arc<InventoryCountItem>),
    /// A stock adjustment.
    StockAdjustment(Arc<StockAdjustment>),
    /// An inventory order.
    InventoryOrder(Arc<InventoryOrder>),
    /// A line of an inventory order.
    InventoryOrderItem(Arc<InventoryOrderItem>),
    /// A stock import.
    StockImport(Arc<StockImport>),
    /// Ledger events.
    Events(Arc<[StockEvent]>),
    /// So many records.
    Number(u64),
    /// A job.
    Job(JobId),
}

/// Gives each outcome that holds something a way to take it out.
macro_rules! outcomes {
    ($($(#[$doc:meta])* $method:ident: $variant:ident($type:ty)),+ $(,)?) => {
        impl Outcome {
            $(
                $(#[$doc])*
                pub fn $method(self) -> Option<$type> {
                    if let Self::$variant(value) = self { Some(value) } else { None }
                }
            )+
        }
    };
}

outcomes! {
    /// The stock take, if it is one.
    stock_take: StockTake(Arc<StockTake>),
    /// The lines of a stock take, if it is some.
    stock_take_items: StockTakeItems(Arc<[StockTakeItem]>),
    /// The inventory count, if it is one.
    inventory_count: InventoryCount(Arc<InventoryCount>),
    /// The line of an inventory count, if it is one.
    inventory_count_item: InventoryCountItem(Arc<InventoryCountItem>),
    /// The stock adjustment, if it is one.
    stock_adjustment: StockAdjustment(Arc<StockAdjustment>),
    /// The inventory order, if it is one.
    inventory_order: InventoryOrder(Arc<InventoryOrder>),
    /// The line of an inventory order, if it is one.
    inventory_order_item: InventoryOrderItem(Arc<InventoryOrderItem>),
    /// The stock import, if it is one.
    stock_import: StockImport(Arc<StockImport>),
    /// The events, if it is some.
    events: Events(Arc<[StockEvent]>),
    /// The number, if it is one.
    number: Number(u64),
    /// The job, if it is one.
    job: Job(JobId),
}
