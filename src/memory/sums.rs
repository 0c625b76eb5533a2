//! Running totals of lines.

use super::lines::Line;
use crate::domain::{CountStatus, StockTakeItem};
use crate::store::{StockTakeTotals, StoreError, StoreErrorKind};

/// The totals of some lines, counted and uncounted ones apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    counted: Part,
    uncounted: Part,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    lines: u64,
    /// Wide enough for the sum of 2^64 lines; so are the versions.
    adjustment_minor: i128,
    versions: u128,
}

impl Sums {
    fn part(&mut self, item: &StockTakeItem) -> &mut Part {
        if item.count.is_some() {
            &mut self.counted
        } else {
            &mut self.uncounted
        }
    }

    pub(super) fn add(&mut self, line: &Line) {
        let adjustment = i128::from(line.value.adjustment_minor());
        let version = u128::from(line.version.get());
        let part = self.part(&line.value);
        part.lines = part.lines.saturating_add(1);
        part.adjustment_minor = part.adjustment_minor.saturating_add(adjustment);
        part.versions = part.versions.saturating_add(version);
    }

    pub(super) fn remove(&mut self, line: &Line) {
        let adjustment = i128::from(line.value.adjustment_minor());
        let version = u128::from(line.version.get());
        let part = self.part(&line.value);
        part.lines = part.lines.saturating_sub(1);
        part.adjustment_minor = part.adjustment_minor.saturating_sub(adjustment);
        part.versions = part.versions.saturating_sub(version);
    }

    /// One line is replaced by another.
    pub(super) fn replace(&mut self, before: &Line, after: &Line) {
        self.remove(before);
        self.add(after);
    }

    /// These lines and those.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (part, more) in [
            (&mut self.counted, &other.counted),
            (&mut self.uncounted, &other.uncounted),
        ] {
            part.lines = part.lines.saturating_add(more.lines);
            part.adjustment_minor = part.adjustment_minor.saturating_add(more.adjustment_minor);
            part.versions = part.versions.saturating_add(more.versions);
        }
        self
    }

    /// Those with a status only.
    pub(super) fn with(self, status: CountStatus) -> Self {
        let nothing = Part::default();
        match status {
            CountStatus::All => self,
            CountStatus::Counted => Self {
                uncounted: nothing,
                ..self
            },
            CountStatus::Uncounted => Self {
                counted: nothing,
                ..self
            },
        }
    }

    /// How many lines.
    pub(super) fn lines(&self) -> u64 {
        self.counted.lines.saturating_add(self.uncounted.lines)
    }

    /// The totals to hand out, unless a sum does not fit.
    pub(super) fn totals(&self) -> Result<StockTakeTotals, StoreError> {
        let corrupt = |cause: std::num::TryFromIntError| {
            StoreError::new(StoreErrorKind::Corrupt, "stock_take_totals").because(cause)
        };
        let Self { counted, uncounted } = self;
        let adjustment = counted
            .adjustment_minor
            .saturating_add(uncounted.adjustment_minor);
        let versions = counted.versions.saturating_add(uncounted.versions);
        Ok(StockTakeTotals {
            items: self.lines(),
            counted: counted.lines,
            adjustment_minor: i64::try_from(adjustment).map_err(corrupt)?,
            versions: u64::try_from(versions).map_err(corrupt)?,
        })
    }
}
