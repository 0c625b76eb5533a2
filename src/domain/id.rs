//! Identifiers: one type for each kind of thing, so that they can't be mixed up.

/// Declares identifier types over a UUID.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Wraps a UUID.
            pub const fn new(id: uuid::Uuid) -> Self {
                Self(id)
            }

            /// The UUID inside.
            pub const fn as_uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// The tenant. Nothing read or written ever crosses it.
    OrganisationId,
    /// One shop or warehouse of an organisation.
    SiteId,
    /// A product of an organisation.
    ProductId,
    /// A supplier of a site.
    SupplierId,
    /// A brand, as the host names it.
    BrandId,
    /// A category, as the host names it.
    CategoryId,
    /// A unit of measure, as the host names it.
    UnitId,
    /// A person or a machine that acts.
    UserId,
    /// A stock take.
    StockTakeId,
    /// A line of a stock take; derived from the take and the stock key
    /// ([`StockTakeItemId::for_key`](crate::domain::StockTakeItemId::for_key)).
    StockTakeItemId,
    /// One act of counting, kept for good.
    CountEntryId,
    /// An inventory count (S2).
    InventoryCountId,
    /// A line of an inventory count.
    InventoryCountItemId,
    /// A stock adjustment (S2.8 to S2.10).
    StockAdjustmentId,
    /// An inventory order (S3).
    InventoryOrderId,
    /// A line of an inventory order.
    InventoryOrderItemId,
    /// A stock import (S5).
    StockImportId,
    /// A line of the ledger.
    StockEventId,
    /// A queued job.
    JobId,
}
