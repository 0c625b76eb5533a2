//! Keys of records as bytes, for stores that find records by bytes.

use uuid::Uuid;

use super::RecordKey;
use crate::domain::{Code, ProductId, StockKey};

/// Bytes that are no key of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key of a record: {0}")]
pub struct InvalidRecordKey(&'static str);

/// What begins the keys of each kind of record. The order is that of [`RecordKey`].
mod kinds {
    pub(super) const SITE: u8 = 1;
    pub(super) const PRODUCT: u8 = 2;
    pub(super) const SUPPLIER: u8 = 3;
    pub(super) const STOCK_TAKE: u8 = 4;
    pub(super) const STOCK_TAKE_ITEM: u8 = 5;
    pub(super) const INVENTORY_COUNT: u8 = 6;
    pub(super) const OPEN_COUNT: u8 = 7;
    pub(super) const INVENTORY_COUNT_ITEM: u8 = 8;
    pub(super) const STOCK_ADJUSTMENT: u8 = 9;
    pub(super) const INVENTORY_ORDER: u8 = 10;
    pub(super) const INVENTORY_ORDER_ITEM: u8 = 11;
    pub(super) const STOCK_IMPORT: u8 = 12;
    pub(super) const IMPORT_CHUNK: u8 = 13;
    pub(super) const EXPORT: u8 = 14;
    pub(super) const EXPORT_CHUNK: u8 = 15;
    pub(super) const STOCK_LEVEL: u8 = 16;
    pub(super) const SERIAL_MARK: u8 = 17;
}

/// What ends a text. No code has it in it, and it comes before all that a code has in it.
const END: u8 = 0;
const ABSENT: u8 = 0;
const PRESENT: u8 = 1;

impl RecordKey {
    /// The key as bytes that compare as the keys do, also across kinds. A number for the kind comes first; an id is its 16 bytes,
    /// the number of a part 4 bytes, the highest first; a text ends with a zero; what may be absent is a zero, or a one and
    /// itself. This form never changes.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{StockTakeId, StockTakeItemId};
    /// use stocktake::store::RecordKey;
    /// use uuid::Uuid;
    ///
    /// let take = StockTakeId::new(Uuid::from_u128(7));
    /// let line = |n| RecordKey::StockTakeItem(take, StockTakeItemId::new(Uuid::from_u128(n)));
    /// assert!(line(1).to_bytes() < line(2).to_bytes());
    /// assert!(RecordKey::StockTake(take).to_bytes() < line(1).to_bytes());
    /// assert_eq!(RecordKey::from_bytes(&line(1).to_bytes()), Ok(line(1)));
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Site(id) => ids(kinds::SITE, [id.as_uuid()]),
            Self::Product(id) => ids(kinds::PRODUCT, [id.as_uuid()]),
            Self::Supplier(id) => ids(kinds::SUPPLIER, [id.as_uuid()]),
            Self::StockTake(id) => ids(kinds::STOCK_TAKE, [id.as_uuid()]),
            Self::StockTakeItem(of, id) => {
                ids(kinds::STOCK_TAKE_ITEM, [of.as_uuid(), id.as_uuid()])
            }
            Self::InventoryCount(id) => ids(kinds::INVENTORY_COUNT, [id.as_uuid()]),
            Self::OpenCount(id) => ids(kinds::OPEN_COUNT, [id.as_uuid()]),
            Self::InventoryCountItem(of, id) => {
                ids(kinds::INVENTORY_COUNT_ITEM, [of.as_uuid(), id.as_uuid()])
            }
            Self::StockAdjustment(id) => ids(kinds::STOCK_ADJUSTMENT, [id.as_uuid()]),
            Self::InventoryOrder(id) => ids(kinds::INVENTORY_ORDER, [id.as_uuid()]),
            Self::InventoryOrderItem(of, id) => {
                ids(kinds::INVENTORY_ORDER_ITEM, [of.as_uuid(), id.as_uuid()])
            }
            Self::StockImport(id) => ids(kinds::STOCK_IMPORT, [id.as_uuid()]),
            Self::ImportChunk(of, part) => part_of(kinds::IMPORT_CHUNK, of.as_uuid(), *part),
            Self::Export(job) => ids(kinds::EXPORT, [job.as_uuid()]),
            Self::ExportChunk(of, part) => part_of(kinds::EXPORT_CHUNK, of.as_uuid(), *part),
            Self::StockLevel(key) => {
                let StockKey {
                    site,
                    product,
                    variant,
                    place,
                    batch,
                    serial,
                } = key;
                let mut bytes = ids(kinds::STOCK_LEVEL, [site.as_uuid(), product.as_uuid()]);
                for code in [variant, place, batch, serial] {
                    optional(&mut bytes, code.as_ref().map(|it| ended(it.as_str())));
                }
                bytes
            }
            Self::SerialMark(serial, product) => {
                let mut bytes = vec![kinds::SERIAL_MARK];
                bytes.extend(ended(serial.as_str()));
                let product = product.map(|it| it.as_uuid().into_bytes().to_vec());
                optional(&mut bytes, product);
                bytes
            }
        }
    }

    /// The key from its [bytes](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// [`InvalidRecordKey`]: the bytes are no key, are cut off, or are more than a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidRecordKey> {
        let mut left = Left(bytes);
        let key = match left.byte()? {
            kinds::SITE => Self::Site(left.id()?),
            kinds::PRODUCT => Self::Product(left.id()?),
            kinds::SUPPLIER => Self::Supplier(left.id()?),
            kinds::STOCK_TAKE => Self::StockTake(left.id()?),
            kinds::STOCK_TAKE_ITEM => Self::StockTakeItem(left.id()?, left.id()?),
            kinds::INVENTORY_COUNT => Self::InventoryCount(left.id()?),
            kinds::OPEN_COUNT => Self::OpenCount(left.id()?),
            kinds::INVENTORY_COUNT_ITEM => Self::InventoryCountItem(left.id()?, left.id()?),
            kinds::STOCK_ADJUSTMENT => Self::StockAdjustment(left.id()?),
            kinds::INVENTORY_ORDER => Self::InventoryOrder(left.id()?),
            kinds::INVENTORY_ORDER_ITEM => Self::InventoryOrderItem(left.id()?, left.id()?),
            kinds::STOCK_IMPORT => Self::StockImport(left.id()?),
            kinds::IMPORT_CHUNK => Self::ImportChunk(left.id()?, left.part()?),
            kinds::EXPORT => Self::Export(left.id()?),
            kinds::EXPORT_CHUNK => Self::ExportChunk(left.id()?, left.part()?),
            kinds::STOCK_LEVEL => Self::StockLevel(StockKey {
                site: left.id()?,
                product: left.id()?,
                variant: left.optional(Left::code)?,
                place: left.optional(Left::code)?,
                batch: left.optional(Left::code)?,
                serial: left.optional(Left::code)?,
            }),
            kinds::SERIAL_MARK => {
                Self::SerialMark(left.code()?, left.optional(Left::id::<ProductId>)?)
            }
            _ => return Err(InvalidRecordKey("no kind of record has this number")),
        };
        match left.0 {
            [] => Ok(key),
            [..] => Err(InvalidRecordKey("it is followed by other bytes")),
        }
    }
}

fn ids<const N: usize>(kind: u8, ids: [Uuid; N]) -> Vec<u8> {
    let mut bytes = vec![kind];
    for id in ids {
        bytes.extend_from_slice(id.as_bytes());
    }
    bytes
}

fn part_of(kind: u8, of: Uuid, part: u32) -> Vec<u8> {
    let mut bytes = ids(kind, [of]);
    bytes.extend_from_slice(&part.to_be_bytes());
    bytes
}

fn ended(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(END);
    bytes
}

fn optional(bytes: &mut Vec<u8>, value: Option<Vec<u8>>) {
    match value {
        None => bytes.push(ABSENT),
        Some(value) => {
            bytes.push(PRESENT);
            bytes.extend(value);
        }
    }
}

/// The bytes of a key that were not read yet.
struct Left<'a>(&'a [u8]);

impl Left<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidRecordKey> {
        let cut = InvalidRecordKey("it is cut off");
        let (found, rest) = self.0.split_first_chunk().ok_or(cut)?;
        self.0 = rest;
        Ok(*found)
    }

    fn byte(&mut self) -> Result<u8, InvalidRecordKey> {
        self.array().map(u8::from_be_bytes)
    }

    fn part(&mut self) -> Result<u32, InvalidRecordKey> {
        self.array().map(u32::from_be_bytes)
    }

    fn id<T: From<Uuid>>(&mut self) -> Result<T, InvalidRecordKey> {
        self.array().map(|id| Uuid::from_bytes(id).into())
    }

    fn code(&mut self) -> Result<Code, InvalidRecordKey> {
        let end = self.0.iter().position(|byte| *byte == END);
        let end = end.ok_or(InvalidRecordKey("a text has no end"))?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        let code = std::str::from_utf8(text).ok().and_then(|text| {
            let code = Code::new(text).ok()?;
            (code.as_str() == text).then_some(code)
        });
        code.ok_or(InvalidRecordKey("a text is no code"))
    }

    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, InvalidRecordKey>,
    ) -> Result<Option<T>, InvalidRecordKey> {
        match self.byte()? {
            ABSENT => Ok(None),
            PRESENT => read(self).map(Some),
            _ => Err(InvalidRecordKey("a part is neither there nor absent")),
        }
    }
}
