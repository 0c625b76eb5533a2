//! The totals that are kept beside the lines of documents: whether they are theirs, and made anew.

use super::lines::Lines;
use super::state::Organisation;
use crate::store::{RecordKey, SummedDocument, Unlike};

impl Organisation {
    /// What of a record is unlike what is kept beside it (R21).
    pub(super) fn unlike(&self, key: &RecordKey) -> Option<Unlike> {
        let sums = match key.summed()? {
            SummedDocument::StockTake(take) => self.takes.lines(take).map(Lines::kept_and_due),
            SummedDocument::InventoryCount(count) => self.counts.kept_and_due(count),
        };
        let (kept, due) = sums.filter(|(kept, due)| kept != due)?;
        Some(Unlike {
            record: key.clone(),
            what: "totals",
            kept,
            due,
        })
    }

    /// Makes the totals of a document's lines anew (R22).
    pub(super) fn sum_up(&mut self, key: &RecordKey) {
        match key.summed() {
            Some(SummedDocument::StockTake(take)) => self.takes.lines_mut(take).sum_up(),
            Some(SummedDocument::InventoryCount(count)) => self.counts.sum_up(count),
            None => {}
        }
    }
}
