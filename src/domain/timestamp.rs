//! Instants.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::DecimalError;

/// An instant in UTC, to the microsecond: what every store keeps exactly.
///
/// # Example
///
/// ```
/// use stocktake::domain::Timestamp;
///
/// let noon: Timestamp = "2026-01-05T12:00:00.0000019Z".parse::<chrono::DateTime<chrono::Utc>>()?.into();
/// assert_eq!(noon.to_string(), "2026-01-05T12:00:00.000001Z");
/// assert!(noon.later_by(1) > noon);
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(DateTime<Utc>);

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(DateTime::<Utc>::UNIX_EPOCH);

    /// The first moment that a request may name: the beginning of the year 1900.
    pub const EARLIEST: Self = Self(DateTime::from_timestamp_nanos(-2_208_988_800_000_000_000));
    /// The first moment that is too late for a request: the beginning of the year 2201.
    pub const TOO_LATE: Self = Self(DateTime::from_timestamp_nanos(7_289_654_400_000_000_000));

    /// Whether a request may name it. A date of another century is a slip of a clock, a unit or a keyboard, and would
    /// stand in the ledger for ever.
    pub fn is_plausible(self) -> bool {
        (Self::EARLIEST..Self::TOO_LATE).contains(&self)
    }

    /// Takes microseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`] when no calendar date exists for it.
    pub fn from_micros(micros: i64) -> Result<Self, DecimalError> {
        DateTime::from_timestamp_micros(micros)
            .map(Self)
            .ok_or(DecimalError::OutOfRange)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// So many microseconds later (earlier, when negative); stays where the calendar ends.
    #[must_use]
    pub fn later_by(self, micros: i64) -> Self {
        self.0
            .checked_add_signed(chrono::TimeDelta::microseconds(micros))
            .map_or(self, Self)
    }

    /// The day (UTC) that it is on: its first moment, and that of the next day, where the calendar has one.
    pub fn day(self) -> (Self, Option<Self>) {
        let into_it = self.micros().rem_euclid(MICROS_A_DAY);
        let begin = self.later_by(into_it.saturating_neg());
        let next = begin.later_by(MICROS_A_DAY);
        (begin, (next > begin).then_some(next))
    }

    /// The date and time.
    pub const fn to_datetime(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Cuts to the microsecond. A leap second counts as the second before it.
    fn from(at: DateTime<Utc>) -> Self {
        DateTime::from_timestamp_micros(at.timestamp_micros()).map_or(Self(at), Self)
    }
}

impl From<Timestamp> for i64 {
    fn from(at: Timestamp) -> Self {
        at.micros()
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = DecimalError;

    fn try_from(micros: i64) -> Result<Self, Self::Error> {
        Self::from_micros(micros)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
