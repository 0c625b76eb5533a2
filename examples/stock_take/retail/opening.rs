//! When the take opens, and what lay on the shelves when the month began.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::{Happening, Split, StaffCorrection};

/// The midnight before the last fifth, rounded, of the days with sales; one day at least.
pub(super) fn opening_time(happenings: &[Happening]) -> Option<DateTime<Utc>> {
    let days: BTreeSet<NaiveDate> = happenings
        .iter()
        .filter(|happening| matches!(happening, Happening::Sale { .. }))
        .map(|sale| sale.at().date_naive())
        .collect();
    let last = ((days.len() + 2) / 5).max(1);
    let first_counted = days.iter().nth_back(last - 1)?;
    Some(first_counted.and_time(NaiveTime::MIN).and_utc())
}

/// The least opening levels, see [`Shop::opening`].
pub(super) fn opening(split: Split<'_>, corrections: &[StaffCorrection]) -> BTreeMap<String, i64> {
    /// An article's levels over a month that opened at 0.
    #[derive(Default)]
    struct Level {
        /// With the corrections as written.
        written: i64,
        /// With trade alone.
        traded: i64,
        /// The lowest of all levels.
        lowest: i64,
    }
    impl Level {
        fn apply(&mut self, happening: &Happening, found: i64) {
            self.written += happening.delta();
            if !happening.is_correction() {
                self.traded += happening.delta();
            }
            self.low(self.written);
            self.low(self.traded);
            self.low(self.traded + found);
        }
        fn low(&mut self, level: i64) {
            self.lowest = self.lowest.min(level);
        }
    }

    let mut levels: BTreeMap<&str, Level> = BTreeMap::new();
    for happening in split.before {
        levels
            .entry(happening.code())
            .or_default()
            .apply(happening, 0);
    }
    let mut found = BTreeMap::new();
    for correction in corrections {
        let level = levels.entry(&correction.code).or_default();
        level.low(level.traded + correction.delta);
        found.insert(correction.code.as_str(), correction.delta);
    }
    for happening in split.during {
        let code = happening.code();
        let found = found.get(code).copied().unwrap_or(0);
        levels.entry(code).or_default().apply(happening, found);
    }
    levels
        .into_iter()
        .map(|(code, level)| (code.to_owned(), -level.lowest))
        .collect()
}
