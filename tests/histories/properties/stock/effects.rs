//! What a movement comes to.

use stocktake::domain::{Cause, StockEvent, StockEventId, StockEventKind, StockKey};
use stocktake::service::{Movement, NewMovement};

use super::super::amounts::{share, units, worth};
use super::Codes;
use super::staged::Staged;

/// What a movement comes to.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Fact {
        key: StockKey,
        kind: StockEventKind,
        change: i64,
        stated: Option<i64>,
        /// Whether what comes in states no cost.
        free: bool,
        /// What it is worth, when that is known.
        worth: Option<i128>,
        /// The event that it returns goods of.
        returns: Option<StockEventId>,
    },
    Reset {
        key: StockKey,
        there: i64,
        kind: StockEventKind,
        free: bool,
    },
    /// Of one event, or of both events of a transfer: the incoming one first.
    TakeBack(Vec<(StockKey, StockEventId)>),
}

impl Staged<'_> {
    /// What a movement comes to, and what the request is refused with.
    pub(super) fn effects(&self, new: &NewMovement) -> (Vec<Effect>, Codes) {
        let mut codes = Codes::new();
        let stated = new.occurred_at.map(stocktake::domain::Timestamp::micros);
        let dateable = !matches!(
            new.movement,
            Movement::Reset { .. } | Movement::Remove { .. } | Movement::Reversal { .. }
        );
        if stated.is_some() && !dateable {
            codes.push("time_not_allowed");
        }
        let mut above_zero = |micros: i64| {
            if micros <= 0 {
                codes.push("invalid_quantity");
            }
        };
        let fact = |key: &StockKey, kind, change, free, worth| Effect::Fact {
            key: key.clone(),
            kind,
            change,
            stated,
            free,
            worth,
            returns: match &new.movement {
                Movement::CustomerReturn { of, .. } => Some(*of),
                Movement::SupplierReturn { receipt, .. } => *receipt,
                _ => None,
            },
        };
        let mut effects = Vec::new();
        match &new.movement {
            Movement::Receipt {
                key,
                quantity,
                unit_cost,
            } => {
                above_zero(quantity.micros());
                let (kind, change) = (StockEventKind::Receipt, quantity.micros());
                let worth = unit_cost.map(|cost| worth(change, cost));
                effects.push(fact(key, kind, change, worth.is_none(), worth));
            }
            Movement::ReceiptAtTotal {
                key,
                quantity,
                total,
            } => {
                above_zero(quantity.micros());
                let (kind, change) = (StockEventKind::Receipt, quantity.micros());
                effects.push(fact(key, kind, change, false, Some(units(*total))));
            }
            Movement::Revalue { .. } => unreachable!("revaluations have a property of their own"),
            Movement::Issue { key, quantity } => {
                above_zero(quantity.micros());
                let change = -quantity.micros();
                effects.push(fact(key, StockEventKind::Issue, change, false, None));
            }
            Movement::SupplierReturn {
                key,
                quantity,
                receipt,
            } => {
                above_zero(quantity.micros());
                let change = -quantity.micros();
                if let Some(receipt) = receipt {
                    match self.stock.event(*receipt) {
                        None => codes.push("not_found"),
                        Some(event) => {
                            let kind = (StockEventKind::Receipt, "not_a_receipt");
                            codes.extend(named(event, kind, key));
                            let layers = self.key(key).layers;
                            let of_it = layers.iter().filter(|layer| layer.0 == *receipt);
                            let here: i64 = of_it.map(|layer| layer.1).sum();
                            let unclaimed = event.change.micros() - self.came_back(*receipt);
                            let taken_back = self.key(&event.key).taken_back.contains(receipt);
                            if taken_back || -change > here.min(unclaimed) {
                                codes.push("more_than_left");
                            }
                        }
                    }
                }
                let kind = StockEventKind::SupplierReturn;
                effects.push(fact(key, kind, change, false, None));
            }
            Movement::Transfer { from, to, quantity } => {
                above_zero(quantity.micros());
                if from == to {
                    codes.push("same_key");
                }
                let change = quantity.micros();
                let (out, into) = (StockEventKind::TransferOut, StockEventKind::TransferIn);
                effects.push(fact(from, out, -change, false, None));
                effects.push(fact(to, into, change, false, None));
            }
            Movement::CustomerReturn { key, quantity, of } => {
                above_zero(quantity.micros());
                let change = quantity.micros();
                let mut worth = None;
                match self.stock.event(*of) {
                    None => codes.push("not_found"),
                    Some(issue) => {
                        let left = -issue.change.micros();
                        let wrong = named(issue, (StockEventKind::Issue, "not_an_issue"), key);
                        if wrong.is_empty() {
                            let back = self.came_back(*of);
                            let taken_back = self.key(&issue.key).taken_back.contains(of);
                            if taken_back || back + change > left {
                                codes.push("more_than_left");
                            }
                            // The last one back takes what is left of the cost.
                            let cost = -units(issue.value_change);
                            let before = share(cost, back, left);
                            worth = Some(share(cost, back + change, left) - before);
                        } else {
                            codes.extend(wrong);
                        }
                    }
                }
                let kind = StockEventKind::CustomerReturn;
                effects.push(fact(key, kind, change, false, worth));
            }
            Movement::Adjust {
                key,
                change,
                unit_cost,
            } => {
                if change.is_zero() {
                    codes.push("zero_quantity");
                }
                let (kind, change) = (StockEventKind::ExternalAdjustment, change.micros());
                let worth = unit_cost.map(|cost| worth(change, cost));
                effects.push(fact(key, kind, change, worth.is_none(), worth));
            }
            Movement::Reset {
                key,
                quantity,
                unit_cost,
                expected,
            } => {
                if quantity.is_negative() {
                    codes.push("negative_quantity");
                }
                let actual = self.key(key).level();
                if expected.is_some_and(|expected| expected.micros() != actual) {
                    codes.push("expectation_failed");
                }
                effects.push(Effect::Reset {
                    key: key.clone(),
                    there: quantity.micros(),
                    kind: StockEventKind::ExternalReset,
                    free: unit_cost.is_none(),
                });
            }
            Movement::Remove { key } => {
                if !self.key(key).stocked {
                    codes.push("not_found");
                }
                effects.push(Effect::Reset {
                    key: key.clone(),
                    there: 0,
                    kind: StockEventKind::Removed,
                    free: true,
                });
            }
            Movement::Reversal { of } => match self.reversal(*of) {
                Ok(effect) => effects.push(effect),
                Err(refused) => codes.extend(refused),
            },
        }
        for effect in &effects {
            codes.extend(self.key_refusals(effect));
        }
        (effects, codes)
    }

    /// How many of an issue have come back, and stay so.
    pub(super) fn came_back(&self, issue: StockEventId) -> i64 {
        let all = self.stock.returns.iter().chain(&self.returns);
        all.filter(|one| one.issue == issue)
            .filter(|one| !self.key(&one.key).taken_back.contains(&one.id))
            .map(|one| one.change)
            .sum()
    }

    pub(super) fn reversal(&self, of: StockEventId) -> Result<Effect, Codes> {
        let Some(event) = self.stock.event(of) else {
            return Err(vec!["not_found"]);
        };
        if event.cause != Cause::Movement {
            return Err(vec!["posted_by_document"]);
        }
        if matches!(
            event.kind,
            StockEventKind::Reversal | StockEventKind::Absorption | StockEventKind::TransferIn
        ) {
            return Err(vec!["not_reversible"]);
        }
        let mut codes = Codes::new();
        if self.key(&event.key).taken_back.contains(&of) {
            codes.push("already_reversed");
        }
        if self.came_back(of) != 0 {
            codes.push("returned");
        }
        if !codes.is_empty() {
            return Err(codes);
        }
        let mut both = vec![(event.key.clone(), of)];
        if event.kind == StockEventKind::TransferOut {
            let incoming = self.stock.arrival(of).ok_or_else(Codes::new)?;
            both.insert(0, (incoming.key.clone(), incoming.id));
        }
        Ok(Effect::TakeBack(both))
    }
}

/// What is wrong with the event that a return names.
pub(super) fn named(
    event: &StockEvent,
    (kind, not_one): (StockEventKind, &'static str),
    key: &StockKey,
) -> Codes {
    let moved = &event.key;
    let mut codes = Codes::new();
    if event.kind != kind || moved.product != key.product {
        codes.push(not_one);
    }
    for (same, code) in [
        (moved.variant == key.variant, "another_variant"),
        (moved.batch == key.batch, "another_batch"),
        (moved.serial == key.serial, "another_serial"),
    ] {
        if !same {
            codes.push(code);
        }
    }
    codes
}
