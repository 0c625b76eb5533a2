//! Values as they stand in a database, whichever engine.

use uuid::Uuid;

use crate::store::codec::{DecodeError, EncodeError, Stored, decode, decode_record, encode};
use crate::store::{Record, RecordKey, StoreError, StoreErrorKind, Version};

/// A value in a row or a parameter of a query. There is no floating point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cell {
    Null,
    /// A number, a flag (0 or 1), a quantity in millionths, or a time in microseconds.
    Int(i64),
    /// A text, or a decimal that is wider than 64 bits.
    Text(String),
    Uuid(Uuid),
    /// A whole record, or what is left of it beside its columns.
    Bytes(Vec<u8>),
}

impl Cell {
    /// A record, or what is left of it beside its columns.
    pub(crate) fn body(value: &impl Stored) -> Result<Self, EncodeError> {
        encode(value).map(Self::Bytes)
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Int(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Uuid(value) => value.fmt(f),
            Self::Bytes(value) => write!(f, "{} bytes", value.len()),
        }
    }
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Uuid,
    Bytes,
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

/// Counters stay far below the end; one that does not is written as the end, and read back so.
impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<Version> for Cell {
    fn from(version: Version) -> Self {
        version.get().into()
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Vec<u8>> for Cell {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Uuid> for Cell {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row that is read from the left to the right.
#[derive(Debug)]
pub(crate) struct Row(std::vec::IntoIter<Cell>);

/// What a row holds is not what was written there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("a column has another type than it should have")]
    Type,
    #[error("a value is out of its range")]
    Range,
    #[error("a record can't be read")]
    Body(#[source] DecodeError),
    #[error("{0}")]
    Of(String, #[source] Box<Self>),
    /// The answer to so many things that were asked for before it.
    #[error("answer {0}")]
    Answer(usize, #[source] Box<Self>),
}

impl Unreadable {
    pub(crate) fn during(self, operation: &'static str) -> StoreError {
        StoreError::new(self.kind(), operation).because(self)
    }

    /// What a later release wrote is sound; whoever runs this one must use that one.
    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Body(DecodeError::Newer { .. }) => StoreErrorKind::Misconfigured,
            Self::Type | Self::Range | Self::Body(_) => StoreErrorKind::Corrupt,
            Self::Of(_, cause) | Self::Answer(_, cause) => cause.kind(),
        }
    }

    /// The same, and which record it is about.
    pub(crate) fn of(self, record: &RecordKey) -> Self {
        self.of_what(&format!("{record:?}"))
    }

    /// The same, and what it is about.
    pub(crate) fn of_what(self, what: &str) -> Self {
        Self::Of(what.to_owned(), Box::new(self))
    }

    /// An answer that can't be read, and what was asked for.
    pub(crate) fn named(
        error: StoreError,
        asked: impl FnOnce(usize) -> Option<String>,
    ) -> StoreError {
        let source = std::error::Error::source(&error);
        let Some(Self::Answer(nth, cause)) = source.and_then(|source| source.downcast_ref()) else {
            return error;
        };
        match asked(*nth) {
            Some(asked) => {
                let named = format!("{asked}: {cause}");
                StoreError::new(error.kind(), error.operation()).because(named)
            }
            None => error,
        }
    }
}

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Self {
        Self::Body(error)
    }
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }

    /// The next value, whatever it is.
    pub(crate) fn cell(&mut self) -> Result<Cell, Unreadable> {
        self.0.next().ok_or(Unreadable::Type)
    }

    pub(crate) fn optional_int(&mut self) -> Result<Option<i64>, Unreadable> {
        match self.cell()? {
            Cell::Null => Ok(None),
            Cell::Int(value) => Ok(Some(value)),
            Cell::Text(_) | Cell::Uuid(_) | Cell::Bytes(_) => Err(Unreadable::Type),
        }
    }

    /// The next number, in the range of its type.
    pub(crate) fn int<T: TryFrom<i64>>(&mut self) -> Result<T, Unreadable> {
        let value = self.optional_int()?.ok_or(Unreadable::Type)?;
        T::try_from(value).map_err(|_| Unreadable::Range)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Unreadable> {
        self.int::<i64>().map(|value| value != 0)
    }

    pub(crate) fn version(&mut self) -> Result<Version, Unreadable> {
        self.int().map(Version::new)
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, Unreadable> {
        match self.cell()? {
            Cell::Null => Ok(None),
            Cell::Text(value) => Ok(Some(value)),
            Cell::Int(_) | Cell::Uuid(_) | Cell::Bytes(_) => Err(Unreadable::Type),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, Unreadable> {
        self.optional_text()?.ok_or(Unreadable::Type)
    }

    pub(crate) fn optional_uuid(&mut self) -> Result<Option<Uuid>, Unreadable> {
        match self.cell()? {
            Cell::Null => Ok(None),
            Cell::Uuid(value) => Ok(Some(value)),
            Cell::Int(_) | Cell::Text(_) | Cell::Bytes(_) => Err(Unreadable::Type),
        }
    }

    /// The next id.
    pub(crate) fn id<T: From<Uuid>>(&mut self) -> Result<T, Unreadable> {
        self.optional_uuid()?.map(T::from).ok_or(Unreadable::Type)
    }

    fn optional_bytes(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(match self.cell()? {
            Cell::Null => None,
            Cell::Bytes(bytes) => Some(bytes),
            // SQLite does not tell sixteen bytes from an id.
            Cell::Uuid(bytes) => Some(bytes.into_bytes().into()),
            Cell::Int(_) | Cell::Text(_) => return Err(Unreadable::Type),
        })
    }

    /// The next record, if there is one.
    pub(crate) fn optional_body<T: Stored>(&mut self) -> Result<Option<T>, Unreadable> {
        let bytes = self.optional_bytes()?;
        Ok(bytes.map(|bytes| decode(&bytes)).transpose()?)
    }

    /// The next record, which stands under this key.
    pub(crate) fn record(&mut self, key: &RecordKey) -> Result<Record, Unreadable> {
        let bytes = self.optional_bytes()?.ok_or(Unreadable::Type)?;
        Ok(decode_record(key, &bytes)?)
    }

    /// The next record.
    pub(crate) fn body<T: Stored>(&mut self) -> Result<T, Unreadable> {
        self.optional_body()?.ok_or(Unreadable::Type)
    }
}
