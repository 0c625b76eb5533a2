//! The goods of an event: out of which layers, into which, and what they are worth by the site's method.

use stocktake::domain::{CostingMethod, StockEvent, StockEventId, StockEventKind};

use super::super::amounts::{share, units, worth};
use super::Policy;
use super::key::{Key, Layer};
use super::ledger::Origin;

impl Key {
    /// Moves the goods of an event through the layers, and checks which they are and what they are worth.
    pub(super) fn move_goods(
        &mut self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
    ) -> Result<(), String> {
        let change = event.change.micros();
        let before = event.before.micros();
        let of_parts: i128 = event.parts.iter().map(|part| units(part.value)).sum();
        let moved: i64 = event.parts.iter().map(|part| part.quantity.micros()).sum();
        ensure!(moved == change.abs(), "the parts don't sum to the change");
        let value = self.value;
        let worth = if change < 0 {
            let beyond = self.take_goods(event, origin, policy)?;
            self.worth_out(event, origin, policy, of_parts - beyond)
                .map(|covered| value - covered - beyond)?
        } else if change > 0 {
            let short = (-before).max(0);
            self.put_goods(event, short.min(change));
            self.worth_in(event, origin, policy, of_parts)?
        } else {
            value
        };
        let changed = worth - value;
        ensure!(
            units(event.value_change) == changed,
            "the value should change by {changed}, from {value} to {worth}"
        );
        self.value = worth;
        Ok(())
    }

    /// What goods that come in make a key worth, by the site's method.
    pub(super) fn worth_in(
        &self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
        of_parts: i128,
    ) -> Result<i128, String> {
        let (change, before) = (event.change.micros(), event.before.micros());
        let costing = policy.site.policy.costing;
        let standard = policy
            .product
            .standard_cost(policy.site.currency)
            .filter(|_| costing == CostingMethod::Standard)
            .filter(|_| event.kind != StockEventKind::CustomerReturn)
            .map(|cost| worth(change, cost));
        // What comes back, or from elsewhere, brings what it was worth there; by first in, first out its parts say that.
        let cost = match &origin.left {
            Some(left) if costing != CostingMethod::Fifo => -units(left.value_change),
            Some(_) => of_parts,
            None => standard.unwrap_or(of_parts),
        };
        let short = (-before).max(0);
        let settled = short.min(change);
        let kept = change - settled;
        let value = if settled == 0 {
            self.value + cost
        } else if kept == 0 {
            // What is still short is so at what it went out with.
            self.value - share(self.value, settled, short)
        } else if costing == CostingMethod::Fifo {
            self.layers.iter().map(|layer| layer.2).sum()
        } else {
            share(cost, kept, change)
        };
        if origin.reversed.is_none() {
            // What settles a shortage books what it turned out to cost.
            let difference = value - self.value - cost;
            ensure!(
                units(event.difference) == difference,
                "the difference should be {difference}"
            );
        }
        Ok(value)
    }

    /// What of a key's value leaves with goods that were there, by the site's method. `of_layers` is what the layers say.
    pub(super) fn worth_out(
        &self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
        of_layers: i128,
    ) -> Result<i128, String> {
        let (moved, before) = (-event.change.micros(), event.before.micros());
        let covered = moved.min(before.max(0));
        if origin.reversed.is_none() {
            ensure!(
                event.difference.is_zero(),
                "goods that left left no difference"
            );
        }
        Ok(match (policy.site.policy.costing, &origin.reversed) {
            (CostingMethod::Fifo, _) => of_layers,
            (CostingMethod::WeightedAverage | CostingMethod::Standard, _) if covered == 0 => 0,
            // What is taken back leaves at what it came with, but a drained key is worth nothing, and no key less.
            (CostingMethod::WeightedAverage | CostingMethod::Standard, Some(reversed))
                if covered < before =>
            {
                units(reversed.value_change).clamp(0, self.value)
            }
            (CostingMethod::WeightedAverage | CostingMethod::Standard, _) => {
                share(self.value, covered, before)
            }
        })
    }

    pub(super) fn put_goods(&mut self, event: &StockEvent, settled: i64) {
        let mut to_settle = settled;
        for part in &event.parts {
            let quantity = part.quantity.micros();
            let gone = quantity.min(to_settle);
            to_settle -= gone;
            let left = quantity - gone;
            if left > 0 {
                let value = share(units(part.value), left, quantity);
                // The oldest first, by when they were received, whenever that was told.
                let received = part.received_at.micros();
                let place = self
                    .layers
                    .partition_point(|(_, _, _, since)| *since <= received);
                self.layers
                    .insert(place, (part.source, left, value, received));
            }
        }
    }

    /// Takes the goods of an event out of their layers: those that it names as far as they are left, then the oldest.
    /// Tells what those are worth that were not there.
    pub(super) fn take_goods(
        &mut self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
    ) -> Result<i128, String> {
        let mut claims = claims(event, origin);
        let mut needed = -event.change.micros();
        // What is beyond the stock carries on at what the stock cost.
        let is_fifo = policy.site.policy.costing == CostingMethod::Fifo;
        let mut cost = self.average().filter(|_| !is_fifo);
        for part in &event.parts {
            let taken = part.quantity.micros();
            if part.source == event.id {
                ensure!(
                    self.layers.is_empty() && taken == needed,
                    "goods left on credit while some were there"
                );
                let beyond = worth(taken, part.unit_cost);
                ensure!(
                    units(part.value) == beyond
                        && cost.is_none_or(|cost| part.unit_cost.micros() == cost),
                    "what is beyond the stock should cost {cost:?} each"
                );
                return Ok(beyond);
            }
            claims.retain(|claim| claim.left > 0 && claim.layer(&self.layers).is_some());
            let (place, most) = match claims.first_mut() {
                Some(claim) => {
                    let most = needed.min(claim.left);
                    claim.left -= taken;
                    (claim.layer(&self.layers), most)
                }
                None => (Some(0), needed),
            };
            let is_it = |layer: &Layer| {
                layer.0 == part.source
                    && taken == most.min(layer.1)
                    && units(part.value) == share(layer.2, taken, layer.1)
            };
            let place = place.filter(|place| self.layers.get(*place).is_some_and(is_it));
            let place = place.ok_or_else(|| format!("not the right goods left: {part:?}"))?;
            let (_, quantity, value, _) = &mut self.layers[place];
            *quantity -= taken;
            *value -= units(part.value);
            needed -= taken;
            if *quantity == 0 {
                ensure!(*value == 0, "value is left of a layer that is gone");
                self.layers.remove(place);
            }
            if is_fifo {
                cost = Some(part.unit_cost.micros());
            }
        }
        ensure!(needed == 0, "{needed} are missing");
        Ok(0)
    }
}

/// Goods that leave before others do.
struct Claim {
    source: StockEventId,
    /// As they had come: a layer that still is so is theirs. The oldest one of their source is, else.
    whole: Option<(i64, i128)>,
    /// How many are still to leave.
    left: i64,
}

impl Claim {
    fn layer(&self, layers: &[Layer]) -> Option<usize> {
        let is_of = |layer: &&Layer| layer.0 == self.source;
        let is_whole = |layer: &Layer| is_of(&layer) && self.whole == Some((layer.1, layer.2));
        let whole = layers.iter().position(is_whole);
        whole.or_else(|| layers.iter().position(|layer| is_of(&layer)))
    }
}

/// The goods that an event names, in their order.
fn claims(event: &StockEvent, origin: &Origin) -> Vec<Claim> {
    match (&origin.reversed, event.of) {
        // What is taken back leaves out of the very layers that it brought.
        (Some(reversed), _) => {
            let brought = reversed.parts.iter().map(|part| Claim {
                source: part.source,
                whole: Some((part.quantity.micros(), units(part.value))),
                left: part.quantity.micros(),
            });
            brought.collect()
        }
        (None, Some(receipt)) if event.kind == StockEventKind::SupplierReturn => vec![Claim {
            source: receipt,
            whole: None,
            left: -event.change.micros(),
        }],
        (None, _) => Vec::new(),
    }
}
