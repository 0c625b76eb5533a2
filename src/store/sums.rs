//! Running totals of the lines of a take.

use serde::{Deserialize, Serialize};

use super::{StockTakeTotals, StoreError, StoreErrorKind, Version};
use crate::domain::{CountStatus, StockTakeItem};

/// The totals of some lines of a take, counted and uncounted ones apart, so that a change of a line is an
/// addition and a subtraction. Wide enough for any number of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeSums {
    counted: Part,
    uncounted: Part,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    lines: u64,
    /// Wide enough for the sum of 2^64 lines; so are the versions.
    adjustment_minor: i128,
    versions: u128,
}

impl TakeSums {
    fn part(&mut self, item: &StockTakeItem) -> &mut Part {
        if item.is_counted() {
            &mut self.counted
        } else {
            &mut self.uncounted
        }
    }

    /// A line more.
    pub fn add(&mut self, version: Version, item: &StockTakeItem) {
        let adjustment = i128::from(item.adjustment_minor());
        let version = u128::from(version.get());
        let part = self.part(item);
        part.lines = part.lines.saturating_add(1);
        part.adjustment_minor = part.adjustment_minor.saturating_add(adjustment);
        part.versions = part.versions.saturating_add(version);
    }

    /// A line less.
    pub fn remove(&mut self, version: Version, item: &StockTakeItem) {
        let adjustment = i128::from(item.adjustment_minor());
        let version = u128::from(version.get());
        let part = self.part(item);
        part.lines = part.lines.saturating_sub(1);
        part.adjustment_minor = part.adjustment_minor.saturating_sub(adjustment);
        part.versions = part.versions.saturating_sub(version);
    }

    /// These lines and those.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
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
    #[must_use]
    pub fn with(self, status: CountStatus) -> Self {
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
    pub fn lines(&self) -> u64 {
        self.counted.lines.saturating_add(self.uncounted.lines)
    }

    /// The totals to hand out.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Corrupt`] when a sum does not fit.
    pub fn totals(&self) -> Result<StockTakeTotals, StoreError> {
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
            adjustment_minor: adjustment,
            versions: u64::try_from(versions).map_err(corrupt)?,
        })
    }
}
