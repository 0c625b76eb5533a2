//! What a store keeps, and under which key.

use std::sync::Arc;

use crate::domain::{
    Product, ProductId, Site, SiteId, StockKey, StockLevel, StockTake, StockTakeId, StockTakeItem,
    StockTakeItemId, Supplier, SupplierId,
};

/// Names a record within its organisation. Commits apply and lock records in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// A [`Site`].
    Site(SiteId),
    /// A [`Product`].
    Product(ProductId),
    /// A [`Supplier`].
    Supplier(SupplierId),
    /// A [`StockTake`].
    StockTake(StockTakeId),
    /// A [`StockTakeItem`]: a line is found only under its take.
    StockTakeItem(StockTakeId, StockTakeItemId),
    /// A [`StockLevel`].
    StockLevel(StockKey),
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A site.
    Site(Site),
    /// A product.
    Product(Arc<Product>),
    /// A supplier.
    Supplier(Supplier),
    /// A stock take.
    StockTake(Box<StockTake>),
    /// A line of a stock take.
    StockTakeItem(Box<StockTakeItem>),
    /// A stock level.
    StockLevel(Box<StockLevel>),
}

impl Record {
    /// Its key.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Site(site) => RecordKey::Site(site.id),
            Self::Product(product) => RecordKey::Product(product.id),
            Self::Supplier(supplier) => RecordKey::Supplier(supplier.id),
            Self::StockTake(take) => RecordKey::StockTake(take.id()),
            Self::StockTakeItem(item) => RecordKey::StockTakeItem(item.take, item.id),
            Self::StockLevel(level) => RecordKey::StockLevel(level.key().clone()),
        }
    }
}

macro_rules! records {
    ($($variant:ident: $type:ty => |$value:ident| $wrap:expr),+ $(,)?) => {$(
        impl From<$type> for Record {
            fn from($value: $type) -> Self {
                Self::$variant($wrap)
            }
        }
    )+};
}

records! {
    Site: Site => |site| site,
    Product: Arc<Product> => |product| product,
    Supplier: Supplier => |supplier| supplier,
    StockTake: StockTake => |take| Box::new(take),
    StockTakeItem: StockTakeItem => |item| Box::new(item),
    StockLevel: StockLevel => |level| Box::new(level),
}

/// What happens to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// It must not exist; it is created.
    Insert(Record),
    /// It must have this version; it is replaced.
    Update {
        /// The version it must have.
        expected: super::Version,
        /// What it becomes.
        record: Record,
    },
    /// It must have this version; it is deleted. Only lines of a take are ever deleted.
    Delete {
        /// The version it must have.
        expected: super::Version,
    },
}
