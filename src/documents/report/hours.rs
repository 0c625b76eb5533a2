//! How counting went on over time, in columns that are as wide as they have to be.

use std::collections::BTreeMap;

use chrono::FixedOffset;

use crate::domain::Timestamp;

/// Microseconds in an hour.
const HOUR: i64 = 3_600 * 1_000_000;
/// How many hours a column may be wide: each is some of the one before it.
const WIDTHS: [i64; 8] = [1, 2, 6, 24, 7 * 24, 28 * 24, 364 * 24, 3_640 * 24];
/// More columns than these can't be told apart.
const MOST_COLUMNS: i64 = 48;

/// Counted lines by the time of their counts. The width of a column follows from the first and the last count, whatever the
/// order in which they are added.
#[derive(Clone, Debug)]
pub(super) struct Hours {
    offset: FixedOffset,
    /// Which of the widths.
    width: usize,
    columns: BTreeMap<i64, Column>,
}

/// What was counted in a column's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    /// Lines.
    pub(super) lines: u64,
    /// Of these, off.
    pub(super) off: u64,
}

impl Hours {
    pub(super) const fn at(offset: FixedOffset) -> Self {
        Self {
            offset,
            width: 0,
            columns: BTreeMap::new(),
        }
    }

    /// Adds a counted line.
    pub(super) fn add(&mut self, at: Timestamp, is_off: bool) {
        let local = at.micros().saturating_add(self.ahead());
        let number = local.div_euclid(self.width_micros());
        let column = self.columns.entry(number).or_default();
        column.lines = column.lines.saturating_add(1);
        column.off = column.off.saturating_add(u64::from(is_off));
        while self.span() > MOST_COLUMNS && self.width.saturating_add(1) < WIDTHS.len() {
            self.widen();
        }
    }

    /// How many hours a column is wide.
    pub(super) fn width_hours(&self) -> i64 {
        WIDTHS.get(self.width).copied().unwrap_or(1)
    }

    /// All columns from the first count to the last, also those in which nothing was counted, with the time at which each
    /// begins.
    pub(super) fn columns(&self) -> Vec<(Timestamp, Column)> {
        let (Some((first, _)), Some((last, _))) = (
            self.columns.first_key_value(),
            self.columns.last_key_value(),
        ) else {
            return Vec::new();
        };
        let begins = |number: i64| {
            let local = number.saturating_mul(self.width_micros());
            Timestamp::EPOCH.later_by(local.saturating_sub(self.ahead()))
        };
        (*first..=*last)
            .map(|number| {
                (
                    begins(number),
                    self.columns.get(&number).copied().unwrap_or_default(),
                )
            })
            .collect()
    }

    fn widen(&mut self) {
        let narrow = self.width_hours();
        self.width = self.width.saturating_add(1);
        let factor = self.width_hours().checked_div(narrow).unwrap_or(1);
        for (number, column) in std::mem::take(&mut self.columns) {
            let wide = self.columns.entry(number.div_euclid(factor)).or_default();
            wide.lines = wide.lines.saturating_add(column.lines);
            wide.off = wide.off.saturating_add(column.off);
        }
    }

    fn span(&self) -> i64 {
        let first = self
            .columns
            .first_key_value()
            .map_or(0, |(number, _)| *number);
        let last = self
            .columns
            .last_key_value()
            .map_or(0, |(number, _)| *number);
        last.saturating_sub(first).saturating_add(1)
    }

    fn width_micros(&self) -> i64 {
        self.width_hours().saturating_mul(HOUR)
    }

    /// By how many microseconds local time is ahead.
    fn ahead(&self) -> i64 {
        i64::from(self.offset.local_minus_utc()).saturating_mul(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns_of(times: &[i64]) -> Result<(i64, Vec<u64>), crate::domain::DecimalError> {
        let mut hours =
            Hours::at(FixedOffset::east_opt(1_800).ok_or(crate::domain::DecimalError::OutOfRange)?);
        for minutes in times {
            hours.add(
                Timestamp::from_micros(minutes.saturating_mul(60_000_000))?,
                false,
            );
        }
        let columns = hours.columns();
        Ok((
            hours.width_hours(),
            columns.iter().map(|(_, column)| column.lines).collect(),
        ))
    }

    #[test]
    fn hours_are_local_and_without_gaps() -> Result<(), crate::domain::DecimalError> {
        assert_eq!(columns_of(&[])?, (1, vec![]));
        assert_eq!(columns_of(&[29, 30, 89, 150])?, (1, vec![1, 2, 0, 1]));
        Ok(())
    }

    #[test]
    fn columns_widen_whatever_the_order() -> Result<(), crate::domain::DecimalError> {
        let mut times: Vec<i64> = (0..200).map(|hour| hour * 60).collect();
        let forward = columns_of(&times)?;
        times.reverse();
        assert_eq!(columns_of(&times)?, forward);
        assert_eq!(forward.0, 6);
        assert_eq!(forward.1.iter().sum::<u64>(), 200);
        let ages = columns_of(&[-36_000_000, 120_000_000])?;
        assert_eq!((ages.0, ages.1.iter().sum::<u64>()), (3_640 * 24, 2));
        Ok(())
    }
}
