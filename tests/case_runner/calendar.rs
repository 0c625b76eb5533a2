//! The days of a case: `d+3` is the third day after the day on which the clock begins, `T` is an instant.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta};
use stocktake::domain::Timestamp;

use super::trouble::{Tried, Trouble};

/// Days and instants of one case.
#[derive(Debug)]
pub(crate) struct Calendar {
    /// `d+0`.
    first_day: NaiveDate,
    /// Whether the case says which day it is: then no date moves the clock.
    pub(crate) is_fixed: bool,
    instants: BTreeMap<String, Timestamp>,
}

impl Calendar {
    pub(crate) fn from(now: Timestamp) -> Self {
        Self {
            first_day: now.to_datetime().date_naive(),
            is_fixed: false,
            instants: BTreeMap::new(),
        }
    }

    /// The day that a text names.
    pub(crate) fn day(&self, text: &str) -> Tried<NaiveDate> {
        let unknown = || Trouble::broken(format!("`{text}` is no date"));
        let Some(offset) = text.strip_prefix('d') else {
            let date = text.get(..10).unwrap_or(text);
            return date.parse().map_err(|_| unknown());
        };
        if offset.is_empty() {
            return Ok(self.first_day);
        }
        let days: i64 = offset.parse().map_err(|_| unknown())?;
        let distance = Days::new(days.unsigned_abs());
        let day = if days < 0 {
            self.first_day.checked_sub_days(distance)
        } else {
            self.first_day.checked_add_days(distance)
        };
        day.ok_or_else(unknown)
    }

    /// An instant: a date and time, or a name such as `T` or `T+2` (two seconds later).
    pub(crate) fn instant(&mut self, text: &str, now: Timestamp) -> Tried<Timestamp> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(at.to_utc().into());
        }
        if text.starts_with('d') {
            return self.day(text).map(noon);
        }
        let letters = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+');
        let seconds = text.get(letters.len()..).unwrap_or_default();
        let seconds: i64 = match seconds.trim_start_matches('+') {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| Trouble::broken(format!("`{text}` is no instant")))?,
        };
        let base = *self.instants.entry(letters.to_owned()).or_insert(now);
        Ok(base.later_by(seconds * 1_000_000))
    }
}

/// The middle of a day.
pub(crate) fn noon(day: NaiveDate) -> Timestamp {
    (day.and_time(NaiveTime::MIN) + TimeDelta::hours(12))
        .and_utc()
        .into()
}

/// The morning of a day, when the clock begins.
pub(crate) fn morning(day: NaiveDate) -> Timestamp {
    (day.and_time(NaiveTime::MIN) + TimeDelta::hours(9))
        .and_utc()
        .into()
}

/// The first moment of the day after.
pub(crate) fn end_of(day: NaiveDate) -> Timestamp {
    (day.and_time(NaiveTime::MIN) + TimeDelta::hours(24))
        .and_utc()
        .into()
}

/// The day of a moment.
pub(crate) fn day_of(at: Timestamp) -> NaiveDate {
    at.to_datetime().date_naive()
}
