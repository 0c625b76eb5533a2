//! Steps that ask for adjustments and decide on them (S2.9, S2.10).

use stocktake::domain::{AdjustmentType, Note, Quantity, StockAdjustment, StockAdjustmentId};
use stocktake::service::NewStockAdjustment;
use stocktake::store::{PageRequest, StockAdjustmentFilter};

use super::commands::Command;
use super::stock_steps::reason_of;
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::World;

/// The steps of this file.
pub(crate) const OPS: &[&str] = &["adjust_request", "adjust_approve"];

/// What a request says that gives no reason: the vocabulary leaves it out where it does not matter.
const SOME_REASON: &str = "case";

impl World {
    /// What `adjust_request` asks for, ready to be made.
    pub(crate) async fn request_of(&mut self, words: &Words) -> Tried<Command> {
        let kind = words
            .text("type")?
            .unwrap_or_else(|| "CORRECTION".to_owned());
        let change = match words.quantity("set_to")? {
            Some(quantity) => {
                let key = self.key(words).await?;
                let level = self.level(&key).await?;
                quantity.checked_sub(level.map_or(Quantity::ZERO, |level| level.quantity()))?
            }
            None => words.need_quantity("delta")?,
        };
        self.adjustment_of(words, &kind, change).await
    }

    pub(crate) async fn adjustment_of(
        &mut self,
        words: &Words,
        kind: &str,
        change: Quantity,
    ) -> Tried<Command> {
        let kind: AdjustmentType = serde_json::from_value(serde_json::Value::from(kind))
            .map_err(|_| Trouble::unsupported(format!("adjustment type {kind}")))?;
        // A case about the limits puts in what its type only takes out: the limits of a correction are the same.
        let kind = match kind.may_change(change) {
            Ok(()) => kind,
            Err(_) => AdjustmentType::Correction,
        };
        let caller = self.actor(words)?;
        let key = self.key(words).await?;
        let unit_cost = words.cost("unit_cost")?;
        let reason = match reason_of(words)? {
            Some(reason) => reason,
            None => Note::new(SOME_REASON)?,
        };
        let notes = words.text("notes")?.map(Note::new).transpose()?;
        let reference = words.text("reference")?;
        let new = NewStockAdjustment {
            notes,
            reference: reference.map(|text| text.parse()).transpose()?,
            unit_cost,
            ..NewStockAdjustment::of(key.clone(), kind, change, reason)
        };
        Ok(Command::Adjust {
            caller,
            site: key.site,
            new,
        })
    }

    /// What `adjust_approve` asks for, ready to be made.
    pub(crate) fn approval_of(&self, words: &Words) -> Tried<Command> {
        let step = words.need_step("of_step")?;
        Ok(Command::Approve {
            caller: self.actor(words)?,
            adjustment: self.adjustment_id(step)?,
            notes: words.text("notes")?.map(Note::new).transpose()?,
        })
    }

    fn adjustment_id(&self, step: usize) -> Tried<StockAdjustmentId> {
        self.played
            .get(step)
            .and_then(|played| played.adjustment)
            .ok_or_else(|| Trouble::broken(format!("step {step} asked for no adjustment")))
    }

    /// The adjustment that a step asked for.
    pub(crate) async fn adjustment(&self, step: usize) -> Tried<StockAdjustment> {
        let id = self.adjustment_id(step)?;
        let adjustments = self.library.stock_adjustments();
        Ok(adjustments.get(&self.host(), id).await?)
    }

    /// All adjustments of the case.
    pub(crate) async fn adjustments(&self) -> Tried<Vec<StockAdjustment>> {
        let mut found = Vec::new();
        for site in self.sites() {
            let (filter, page) = (StockAdjustmentFilter::default(), PageRequest::first(10_000));
            let adjustments = self.library.stock_adjustments();
            let listed = adjustments.list(&self.host(), site, &filter, &page).await?;
            found.extend(listed.items);
        }
        Ok(found)
    }
}
