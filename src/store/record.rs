//! What a store keeps, and under which key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Export, ExportChunk};
use crate::domain::{
    Code, InventoryCount, InventoryCountId, InventoryCountItem, InventoryCountItemId,
    InventoryOrder, InventoryOrderId, InventoryOrderItem, InventoryOrderItemId, JobId, NamePart,
    Product, ProductId, Quantity, Site, SiteId, StockAdjustment, StockAdjustmentId, StockImport,
    StockImportId, StockKey, StockLevel, StockTake, StockTakeId, StockTakeItem, StockTakeItemId,
    Supplier, SupplierId,
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
    /// An [`InventoryCount`].
    InventoryCount(InventoryCountId),
    /// The site's one count in progress ([`OpenCount`]).
    OpenCount(SiteId),
    /// An [`InventoryCountItem`]: a line is found only under its count.
    InventoryCountItem(InventoryCountId, InventoryCountItemId),
    /// A [`StockAdjustment`].
    StockAdjustment(StockAdjustmentId),
    /// An [`InventoryOrder`].
    InventoryOrder(InventoryOrderId),
    /// An [`InventoryOrderItem`]: a line is found only under its order.
    InventoryOrderItem(InventoryOrderId, InventoryOrderItemId),
    /// A [`StockImport`].
    StockImport(StockImportId),
    /// A part of an import's values ([`ImportChunk`]).
    ImportChunk(StockImportId, u32),
    /// An [`Export`].
    Export(JobId),
    /// A part of an export's file ([`ExportChunk`]).
    ExportChunk(JobId, u32),
    /// A [`StockLevel`].
    StockLevel(StockKey),
    /// The mark of a serial number that is on hand ([`SerialMark`]): of a product, or, without one, of all products.
    SerialMark(Code, Option<ProductId>),
}

/// A document that keeps sums of its lines beside them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SummedDocument {
    StockTake(StockTakeId),
    InventoryCount(InventoryCountId),
}

impl RecordKey {
    /// The document that this is, if it keeps sums of its lines.
    pub(crate) const fn summed(&self) -> Option<SummedDocument> {
        match self {
            Self::StockTake(take) => Some(SummedDocument::StockTake(*take)),
            Self::InventoryCount(count) => Some(SummedDocument::InventoryCount(*count)),
            Self::Site(_)
            | Self::Product(_)
            | Self::Supplier(_)
            | Self::StockTakeItem(..)
            | Self::OpenCount(_)
            | Self::InventoryCountItem(..)
            | Self::StockAdjustment(_)
            | Self::InventoryOrder(_)
            | Self::InventoryOrderItem(..)
            | Self::StockImport(_)
            | Self::ImportChunk(..)
            | Self::Export(_)
            | Self::ExportChunk(..)
            | Self::StockLevel(_)
            | Self::SerialMark(..) => None,
        }
    }

    /// The document that a record is a line of: a line can't be created without it.
    pub const fn document(&self) -> Option<Self> {
        match self {
            Self::StockTakeItem(take, _) => Some(Self::StockTake(*take)),
            Self::InventoryCountItem(count, _) => Some(Self::InventoryCount(*count)),
            Self::InventoryOrderItem(order, _) => Some(Self::InventoryOrder(*order)),
            Self::Site(_)
            | Self::Product(_)
            | Self::Supplier(_)
            | Self::StockTake(_)
            | Self::InventoryCount(_)
            | Self::OpenCount(_)
            | Self::StockAdjustment(_)
            | Self::InventoryOrder(_)
            | Self::StockImport(_)
            | Self::ImportChunk(..)
            | Self::Export(_)
            | Self::ExportChunk(..)
            | Self::StockLevel(_)
            | Self::SerialMark(..) => None,
        }
    }
}

/// Names a record of a kind that is deleted at all. No record of any other kind ever is: a document that is
/// removed or cancelled stays, and says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeletableKey {
    /// A line of a stock take.
    StockTakeItem(StockTakeId, StockTakeItemId),
    /// The mark of a site's count in progress.
    OpenCount(SiteId),
    /// A line of an inventory order.
    InventoryOrderItem(InventoryOrderId, InventoryOrderItemId),
    /// A part of the values of an import.
    ImportChunk(StockImportId, u32),
    /// A part of an export's file.
    ExportChunk(JobId, u32),
    /// The mark of a serial number that is on hand.
    SerialMark(Code, Option<ProductId>),
}

impl DeletableKey {
    /// The same key, if it is of a kind that is deleted at all.
    pub fn of(key: &RecordKey) -> Option<Self> {
        match key {
            RecordKey::StockTakeItem(take, id) => Some(Self::StockTakeItem(*take, *id)),
            RecordKey::OpenCount(site) => Some(Self::OpenCount(*site)),
            RecordKey::InventoryOrderItem(order, id) => Some(Self::InventoryOrderItem(*order, *id)),
            RecordKey::ImportChunk(import, number) => Some(Self::ImportChunk(*import, *number)),
            RecordKey::ExportChunk(job, number) => Some(Self::ExportChunk(*job, *number)),
            RecordKey::SerialMark(serial, product) => {
                Some(Self::SerialMark(serial.clone(), *product))
            }
            RecordKey::Site(_)
            | RecordKey::Product(_)
            | RecordKey::Supplier(_)
            | RecordKey::StockTake(_)
            | RecordKey::InventoryCount(_)
            | RecordKey::InventoryCountItem(..)
            | RecordKey::StockAdjustment(_)
            | RecordKey::InventoryOrder(_)
            | RecordKey::StockImport(_)
            | RecordKey::Export(_)
            | RecordKey::StockLevel(_) => None,
        }
    }
}

impl From<DeletableKey> for RecordKey {
    fn from(key: DeletableKey) -> Self {
        match key {
            DeletableKey::StockTakeItem(take, id) => Self::StockTakeItem(take, id),
            DeletableKey::OpenCount(site) => Self::OpenCount(site),
            DeletableKey::InventoryOrderItem(order, id) => Self::InventoryOrderItem(order, id),
            DeletableKey::ImportChunk(import, number) => Self::ImportChunk(import, number),
            DeletableKey::ExportChunk(job, number) => Self::ExportChunk(job, number),
            DeletableKey::SerialMark(serial, product) => Self::SerialMark(serial, product),
        }
    }
}

/// A name that only one record of its kind has within its organisation (clause R17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UniqueName<'a> {
    /// A site's external id.
    Site(&'a Code),
    /// A product's article id.
    Product(&'a Code),
}

impl<'a> UniqueName<'a> {
    /// The unique name of a record, if its kind has one.
    pub fn of(record: &'a Record) -> Option<Self> {
        match record {
            Record::Site(site) => Some(Self::Site(&site.external_id)),
            Record::Product(product) => Some(Self::Product(&product.article_id)),
            Record::Supplier(_)
            | Record::StockTake(_)
            | Record::StockTakeItem(_)
            | Record::InventoryCount(_)
            | Record::OpenCount(_)
            | Record::InventoryCountItem(_)
            | Record::StockAdjustment(_)
            | Record::InventoryOrder(_)
            | Record::InventoryOrderItem(_)
            | Record::StockImport(_)
            | Record::ImportChunk(_)
            | Record::Export(_)
            | Record::ExportChunk(_)
            | Record::StockLevel(_)
            | Record::SerialMark(_) => None,
        }
    }
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
    /// An inventory count.
    InventoryCount(Box<InventoryCount>),
    /// The site's one count in progress.
    OpenCount(OpenCount),
    /// A line of an inventory count.
    InventoryCountItem(Box<InventoryCountItem>),
    /// A stock adjustment.
    StockAdjustment(Box<StockAdjustment>),
    /// An inventory order.
    InventoryOrder(Box<InventoryOrder>),
    /// A line of an inventory order.
    InventoryOrderItem(Box<InventoryOrderItem>),
    /// A stock import.
    StockImport(Box<StockImport>),
    /// A part of an import's values.
    ImportChunk(ImportChunk),
    /// An export.
    Export(Box<Export>),
    /// A part of an export's file.
    ExportChunk(ExportChunk),
    /// A stock level.
    StockLevel(Box<StockLevel>),
    /// The mark of a serial number that is on hand.
    SerialMark(Box<SerialMark>),
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
            Self::InventoryCount(count) => RecordKey::InventoryCount(count.id()),
            Self::OpenCount(open) => RecordKey::OpenCount(open.site),
            Self::InventoryCountItem(item) => RecordKey::InventoryCountItem(item.count, item.id),
            Self::StockAdjustment(adjustment) => RecordKey::StockAdjustment(adjustment.id()),
            Self::InventoryOrder(order) => RecordKey::InventoryOrder(order.id()),
            Self::InventoryOrderItem(item) => {
                RecordKey::InventoryOrderItem(item.order(), item.id())
            }
            Self::StockImport(import) => RecordKey::StockImport(import.id()),
            Self::ImportChunk(chunk) => RecordKey::ImportChunk(chunk.import, chunk.number),
            Self::Export(export) => RecordKey::Export(export.job),
            Self::ExportChunk(chunk) => RecordKey::ExportChunk(chunk.job, chunk.number),
            Self::StockLevel(level) => RecordKey::StockLevel(level.key().clone()),
            Self::SerialMark(mark) => RecordKey::SerialMark(mark.serial.clone(), mark.product),
        }
    }
}

macro_rules! records {
    ($($variant:ident: $type:ty => |$value:ident| $wrap:expr, $unwrap:expr);+ $(;)?) => {$(
        impl From<$type> for Record {
            fn from($value: $type) -> Self {
                Self::$variant($wrap)
            }
        }

        /// The record, if it is of this kind; otherwise it is given back.
        impl TryFrom<Record> for $type {
            type Error = Record;

            fn try_from(record: Record) -> Result<Self, Record> {
                match record {
                    Record::$variant($value) => Ok($unwrap),
                    other => Err(other),
                }
            }
        }
    )+};
}

records! {
    Site: Site => |site| site, site;
    Product: Arc<Product> => |product| product, product;
    Supplier: Supplier => |supplier| supplier, supplier;
    StockTake: StockTake => |take| Box::new(take), *take;
    StockTakeItem: StockTakeItem => |item| Box::new(item), *item;
    InventoryCount: InventoryCount => |count| Box::new(count), *count;
    OpenCount: OpenCount => |open| open, open;
    InventoryCountItem: InventoryCountItem => |item| Box::new(item), *item;
    StockAdjustment: StockAdjustment => |adjustment| Box::new(adjustment), *adjustment;
    InventoryOrder: InventoryOrder => |order| Box::new(order), *order;
    InventoryOrderItem: InventoryOrderItem => |item| Box::new(item), *item;
    StockImport: StockImport => |import| Box::new(import), *import;
    ImportChunk: ImportChunk => |chunk| chunk, chunk;
    Export: Export => |export| Box::new(export), *export;
    ExportChunk: ExportChunk => |chunk| chunk, chunk;
    StockLevel: StockLevel => |level| Box::new(level), *level;
    SerialMark: SerialMark => |mark| Box::new(mark), *mark;
}

/// The mark of a site's count in progress: it is there while the count is, so that a second one can't be
/// inserted (S2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCount {
    /// The site.
    pub site: SiteId,
    /// The count.
    pub count: InventoryCountId,
}

/// The mark of a serial number that is on hand: it is there while a key holds the unit, so that a second key of the
/// organisation can't. It has no guard or clause of its own: inserts, updates and deletes are judged like any other.
///
/// A unit has one mark under its product, and where the site says so
/// ([`SerialScope::Global`](crate::domain::SerialScope)) a second one under no product, which is the same for all
/// products. Mind that a unique index of SQL takes two rows without a product for different ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialMark {
    /// The serial number.
    pub serial: Code,
    /// The product that it is unique in; without one, it is unique in all of them.
    pub product: Option<ProductId>,
    /// The key that holds the unit.
    pub key: StockKey,
}

/// A part of an import's values, in the order of the body; the first is number 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportChunk {
    /// The import.
    pub import: StockImportId,
    /// Which part.
    pub number: u32,
    /// The values.
    pub rows: Vec<ImportRow>,
}

/// One value of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRow {
    /// The site that the location names.
    pub site: SiteId,
    /// The article id of the product; it may be one that does not exist yet.
    pub article: Code,
    /// The variant.
    pub variant: NamePart,
    /// The number.
    pub value: Quantity,
    /// The stock place.
    #[serde(default)]
    pub place: NamePart,
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
    /// It must have this version; it is deleted. Its key is a [`DeletableKey`]: a change set has no other deletes.
    Delete {
        /// The version it must have.
        expected: super::Version,
    },
}

impl Write {
    /// The record that it leaves behind.
    pub const fn record(&self) -> Option<&Record> {
        match self {
            Self::Insert(record) | Self::Update { record, .. } => Some(record),
            Self::Delete { .. } => None,
        }
    }

    /// The version that it demands; an insert demands none.
    pub const fn expected(&self) -> Option<super::Version> {
        match self {
            Self::Insert(_) => None,
            Self::Update { expected, .. } | Self::Delete { expected } => Some(*expected),
        }
    }
}
