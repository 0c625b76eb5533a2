//! What a store keeps as bytes: one form for every store that has no columns for it.
//!
//! A store that keeps values as bytes need not invent how. [`encode`] and [`decode`] write and read every kind of value that the
//! contract has ([`Stored`]), [`encode_record`] and [`decode_record`] any record by its key, and [`RecordKey::to_bytes`] gives
//! the key as bytes that are in the order of the keys. The SQLite and the PostgreSQL store keep their bodies in this form.
//!
//! # The form
//!
//! The first byte is the [version of the form](VERSION). What follows is [MessagePack](https://msgpack.org): a structure
//! is the array of its fields in the order in which they are declared, a variant is its name, with its content if it has any, an
//! id is 16 bytes, a time the number of microseconds since 1970 (UTC), a quantity and a value a decimal number as text.
//!
//! # The promise
//!
//! A release reads what every earlier one has written. Fields are only added, at the end of their structure and with a default;
//! none is moved, renamed or given another meaning, and no variant is renamed. Where that is not enough, the version of the
//! form goes up, and both are read. Bytes of every kind, written once, stand in the tests of this crate and are read there.
//!
//! What a later release wrote is told as such ([`DecodeError::Newer`]): nothing is wrong with it, and it is not to be mended.
//!
//! # Example
//!
//! ```
//! use stocktake::domain::{InventoryCountId, SiteId};
//! use stocktake::store::codec::{DecodeError, decode_record, encode_record};
//! use stocktake::store::{OpenCount, Record};
//! use uuid::Uuid;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let record = Record::from(OpenCount {
//!     site: SiteId::new(Uuid::from_u128(1)),
//!     count: InventoryCountId::new(Uuid::from_u128(2)),
//! });
//! let (key, mut bytes) = (record.key(), encode_record(&record)?);
//! assert_eq!(decode_record(&key, &bytes)?, record);
//!
//! bytes[0] = 200;
//! let refused = decode_record(&key, &bytes);
//! assert!(matches!(refused, Err(DecodeError::Newer { found: 200, .. })));
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize as _, Serialize};

use super::{
    Command, Entry, Export, ExportChunk, ImportChunk, Job, JobTask, NewJob, OpenCount, Outcome,
    Record, RecordKey, SerialMark, TakeSums,
};
use crate::domain::{
    Actor, Beginning, Count, CountEntry, InventoryCount, InventoryCountEntry, InventoryCountItem,
    InventoryOrder, InventoryOrderItem, LinePosting, Product, Site, StockAdjustment, StockEvent,
    StockImport, StockLevel, StockTake, StockTakeItem, Supplier,
};

/// The version of the form that this release writes. It reads this one and every lower one.
pub const VERSION: u8 = 1;

/// A kind of value that stores keep as bytes. The kinds are those of the contract; there are no others.
pub trait Stored: Serialize + DeserializeOwned + sealed::Sealed {
    /// What it is, in words, for errors.
    const KIND: &'static str;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! stored {
    ($($kind:ty: $name:literal),+ $(,)?) => {$(
        impl sealed::Sealed for $kind {}
        impl Stored for $kind {
            const KIND: &'static str = $name;
        }
    )+};
}

stored! {
    Site: "a site",
    Product: "a product",
    Supplier: "a supplier",
    StockTake: "a stock take",
    StockTakeItem: "a line of a stock take",
    InventoryCount: "an inventory count",
    OpenCount: "the mark of a count in progress",
    InventoryCountItem: "a line of an inventory count",
    StockAdjustment: "a stock adjustment",
    InventoryOrder: "an inventory order",
    InventoryOrderItem: "a line of an inventory order",
    StockImport: "a stock import",
    ImportChunk: "a part of an import",
    Export: "an export",
    ExportChunk: "a part of an export",
    StockLevel: "a stock level",
    SerialMark: "the mark of a serial number",
    StockEvent: "a ledger event",
    Entry: "a count entry",
    CountEntry: "a count entry of a stock take",
    InventoryCountEntry: "a count entry of an inventory count",
    Command: "a command",
    Outcome: "the outcome of a command",
    NewJob: "a new job",
    Job: "a job",
    JobTask: "what a job does",
    Actor: "who asked for a job",
    TakeSums: "the sums of a stock take",
    (Beginning, Option<Count>, Option<LinePosting>): "what is known of a line",
}

impl<T: Stored> sealed::Sealed for Arc<T> {}
impl<T: Stored> Stored for Arc<T> {
    const KIND: &'static str = T::KIND;
}

impl<T: Stored> sealed::Sealed for Box<T> {}
impl<T: Stored> Stored for Box<T> {
    const KIND: &'static str = T::KIND;
}

/// A value that can't be written: it has no form. No value that the library makes is one.
#[derive(Debug, thiserror::Error)]
#[error("{kind} can't be written")]
pub struct EncodeError {
    kind: &'static str,
    source: rmp_serde::encode::Error,
}

/// Bytes that can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A later release wrote them. Read them with that one: nothing is wrong with them.
    #[error(
        "{kind} is written in form {found} of a later release, this one knows up to form {VERSION}"
    )]
    Newer {
        /// What was looked for.
        kind: &'static str,
        /// The version of its form.
        found: u8,
    },
    /// They are no such value: cut off, or changed by somebody else.
    #[error("{kind} can't be read")]
    Damaged {
        /// What was looked for.
        kind: &'static str,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// They are such a value and more.
    #[error("{kind} is followed by bytes that are not of it")]
    LeftOver {
        /// What was looked for.
        kind: &'static str,
    },
    /// They are a record of the kind, and of another key.
    #[error("{kind} has another key than the one it is kept under")]
    OtherKey {
        /// What was looked for.
        kind: &'static str,
    },
}

/// A value as bytes.
///
/// # Errors
///
/// [`EncodeError`], which no value that the library makes can cause.
pub fn encode<T: Stored>(value: &T) -> Result<Vec<u8>, EncodeError> {
    written(T::KIND, value)
}

/// What is known of a line, of which the SQL stores keep the rest in columns.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn encode_known(
    began: &Beginning,
    count: Option<&Count>,
    posting: Option<&LinePosting>,
) -> Result<Vec<u8>, EncodeError> {
    type Known = (Beginning, Option<Count>, Option<LinePosting>);
    written(Known::KIND, &(began, count, posting))
}

fn written(kind: &'static str, value: &impl Serialize) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = vec![VERSION];
    match rmp_serde::encode::write(&mut bytes, value) {
        Ok(()) => Ok(bytes),
        Err(source) => Err(EncodeError { kind, source }),
    }
}

/// A value from its bytes.
///
/// # Errors
///
/// [`DecodeError::Newer`], [`DecodeError::Damaged`], [`DecodeError::LeftOver`].
pub fn decode<T: Stored>(bytes: &[u8]) -> Result<T, DecodeError> {
    let kind = T::KIND;
    let damaged = |source| DecodeError::Damaged { kind, source };
    let Some((version, rest)) = bytes.split_first() else {
        return Err(damaged("there are no bytes".into()));
    };
    match *version {
        VERSION => {}
        0 => return Err(damaged("there is no form 0".into())),
        found => return Err(DecodeError::Newer { kind, found }),
    }
    let mut source = rmp_serde::Deserializer::from_read_ref(rest);
    let value = T::deserialize(&mut source).map_err(|cause| damaged(cause.into()))?;
    match IgnoredAny::deserialize(&mut source) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
        Ok(_) | Err(_) => Err(DecodeError::LeftOver { kind }),
    }
}

/// What is done with each kind of record.
macro_rules! records {
    ($($kind:ident),+ $(,)?) => {
        /// A record as bytes. Its key is in them, too.
        ///
        /// # Errors
        ///
        /// As of [`encode`].
        pub fn encode_record(record: &Record) -> Result<Vec<u8>, EncodeError> {
            match record {
                $(Record::$kind(it) => encode(it),)+
            }
        }

        /// A record from its bytes. Its key says of which kind it is.
        ///
        /// # Errors
        ///
        /// As of [`decode`]; [`DecodeError::OtherKey`] if the bytes are those of another record.
        pub fn decode_record(key: &RecordKey, bytes: &[u8]) -> Result<Record, DecodeError> {
            let (kind, record) = match key {
                $(RecordKey::$kind(..) => ($kind::KIND, Record::$kind(decode(bytes)?)),)+
            };
            if record.key() == *key {
                Ok(record)
            } else {
                Err(DecodeError::OtherKey { kind })
            }
        }
    };
}

records! {
    Site,
    Product,
    Supplier,
    StockTake,
    StockTakeItem,
    InventoryCount,
    OpenCount,
    InventoryCountItem,
    StockAdjustment,
    InventoryOrder,
    InventoryOrderItem,
    StockImport,
    ImportChunk,
    Export,
    ExportChunk,
    StockLevel,
    SerialMark,
}
