//! Exports: what was asked for, how far it is, and the parts of its file (S1.12, S3.7).

use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ArticleSort, InventoryCountItemFilter, InventoryOrderItemFilter, LevelFilter,
    StockAdjustmentFilter, StockEventFilter, StockTakeItemFilter,
};
use crate::domain::{InventoryCountId, InventoryOrderId, JobId, SiteId, StockTakeId, Timestamp};

/// An export: what was asked for, under the id of the job that makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The job.
    pub job: JobId,
    /// The site.
    pub site: SiteId,
    /// What is exported.
    pub subject: ExportSubject,
    /// How many parts of the file are kept so far.
    pub chunks: u32,
    /// Where reading goes on behind the last line that is in the file; `None` at the beginning.
    pub after: Option<String>,
    /// How many lines are in the file.
    pub lines: u64,
    /// Whether the file is whole.
    pub complete: bool,
    /// Until when it can be fetched.
    pub expires_at: Timestamp,
    /// In which form.
    #[serde(default)]
    pub form: ExportForm,
    /// Where it is mailed once it is whole, if it is.
    #[serde(default)]
    pub mail_to: Option<String>,
    /// The sums of the columns so far, which people are told at the end.
    #[serde(default)]
    pub sums: Vec<ColumnSum>,
}

/// The sum of a column so far; nothing once it is more than a number holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSum(#[serde(with = "rust_decimal::serde::str_option")] pub Option<Decimal>);

impl Default for ColumnSum {
    fn default() -> Self {
        Self(Some(Decimal::ZERO))
    }
}

impl Export {
    /// A name for the file, safe on every file system.
    pub fn file_name(&self) -> String {
        let name = match &self.subject {
            ExportSubject::StockTake { take, .. } => format!("stock-take-{take}"),
            ExportSubject::InventoryOrder { order, .. } | ExportSubject::OrderSheet { order } => {
                format!("inventory-order-{order}")
            }
            ExportSubject::InventoryCount { count, .. } => format!("inventory-count-{count}"),
            ExportSubject::StockAdjustments { .. } => format!("stock-adjustments-{}", self.site),
            ExportSubject::StockLevels { .. } => format!("stock-levels-{}", self.site),
            ExportSubject::StockEvents { .. } => format!("stock-events-{}", self.site),
            ExportSubject::CountSheet { take, .. } => format!("count-sheet-{take}"),
            ExportSubject::TakeReceipt { take } => format!("receipt-{take}"),
        };
        format!("{name}.{}", self.form.format.extension())
    }
}

/// The form of an export's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExportForm {
    /// The kind of file.
    pub format: ExportFormat,
    /// For whom.
    pub style: ExportStyle,
}

/// A kind of file.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportFormat {
    /// Comma-separated values (RFC 4180), UTF-8.
    #[default]
    Csv,
    /// A workbook of Excel (Office Open XML); only with the feature `xlsx`.
    Xlsx,
    /// A document to print; only with the feature `pdf`, and only of what is printed.
    Pdf,
}

impl ExportFormat {
    /// The stable name, as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Pdf => "pdf",
        }
    }

    /// What the name of such a file ends in.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Pdf => "pdf",
        }
    }

    /// The media type of such a file.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Pdf => "application/pdf",
        }
    }
}

/// For whom a file is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ExportStyle {
    /// For programs: the names of the API as headers, money in minor units, ids.
    #[default]
    Machines,
    /// For people: words as headers, money in major units, names, what it is of on top, totals at the end.
    People,
}

impl ExportStyle {
    /// The stable name, as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Machines => "machines",
            Self::People => "people",
        }
    }
}

/// What an export is of. What is of a site is of the [export's](Export::site).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportSubject {
    /// The lines of a stock take.
    StockTake {
        /// The take.
        take: StockTakeId,
        /// Which lines.
        filter: StockTakeItemFilter,
    },
    /// The lines of an inventory order.
    InventoryOrder {
        /// The order.
        order: InventoryOrderId,
        /// Which lines.
        filter: InventoryOrderItemFilter,
    },
    /// The lines of an inventory count.
    InventoryCount {
        /// The count.
        count: InventoryCountId,
        /// Which lines.
        filter: InventoryCountItemFilter,
    },
    /// The stock adjustments of a site.
    StockAdjustments {
        /// Which of them.
        filter: StockAdjustmentFilter,
    },
    /// The stock levels of a site.
    StockLevels {
        /// Which of them.
        filter: LevelFilter,
    },
    /// The ledger of a site.
    StockEvents {
        /// Which events.
        filter: StockEventFilter,
    },
    /// The sheet that people count a stock take with, to be printed (S4.12).
    CountSheet {
        /// The take.
        take: StockTakeId,
        /// How it is made.
        sheet: CountSheetForm,
    },
    /// The receipt of a finished stock take, to be printed.
    TakeReceipt {
        /// The take.
        take: StockTakeId,
    },
    /// An inventory order as its supplier gets it, to be printed.
    OrderSheet {
        /// The order.
        order: InventoryOrderId,
    },
}

/// How a count sheet is made: blind and in the order in which the lines were added, unless told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountSheetForm {
    /// Whether it says what is expected.
    pub expected: bool,
    /// The order of its lines; sorted by stock place, they stand under their places.
    pub sort: ArticleSort,
}

/// A part of an export's file; the first is number 0. The parts one after the other are the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportChunk {
    /// The job.
    pub job: JobId,
    /// Which part.
    pub number: u32,
    /// The bytes.
    #[serde(with = "raw")]
    pub bytes: Arc<[u8]>,
    /// Where the bytes are, when they are not here: in the [`FileStore`](super::FileStore), under this name.
    #[serde(default)]
    pub part: Option<Uuid>,
}

/// Bytes as bytes, where serde would take them for a list of numbers.
mod raw {
    use std::fmt;
    use std::sync::Arc;

    use serde::de::{Deserializer, SeqAccess, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(
        bytes: &Arc<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<[u8]>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Arc<[u8]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Ok(bytes.into())
        }

        fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
            Ok(bytes.into())
        }

        /// The parts of files were texts once.
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.as_bytes().into())
        }

        /// Forms without bytes have a list of numbers.
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = list.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes.into())
        }
    }
}
