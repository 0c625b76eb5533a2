//! Events, and what commands resulted in, as JSON.

use crate::domain::StockEvent;
use crate::store::Outcome;

/// A ledger event.
pub(super) fn event(event: &StockEvent) -> Result<super::Cell, serde_json::Error> {
    super::table::json(event)
}

/// What a command resulted in.
pub(super) fn outcome(outcome: &Outcome) -> Result<super::Cell, serde_json::Error> {
    super::table::json(outcome)
}

/// Reads what a command resulted in.
pub(super) fn read_outcome(body: &str) -> Result<Outcome, serde_json::Error> {
    serde_json::from_str(body)
}
