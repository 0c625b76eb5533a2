//! What the stock of one key is worth: cost layers, weighted average, standard cost.

use serde::{Deserialize, Serialize};

use super::{
    Cause, CostingMethod, Currency, DecimalError, Quantity, StockEvent, StockEventId, Timestamp,
    UnitCost, Value,
};

/// Goods that came in together and have one cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostPart {
    /// The event that brought them into the organisation's stock, or into this key.
    pub source: StockEventId,
    /// The document behind that event.
    pub cause: Cause,
    /// When they were received: moves from key to key with them.
    pub received_at: Timestamp,
    /// How many.
    pub quantity: Quantity,
    /// What one costs.
    pub unit_cost: UnitCost,
    /// What they cost together: the exact amount, `unit_cost` is only its face.
    pub value: Value,
}

/// What is left of a cost part in a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLayer {
    /// What is left: its quantity and value shrink as goods leave.
    pub left: CostPart,
    /// How many came.
    pub received: Quantity,
}

/// The value of one stock key. It always keeps the layers of first in, first out, and beside them the value
/// under the site's [`CostingMethod`].
///
/// Below zero there are no layers: the value is minus what went out beyond the stock, at the last known
/// cost, and the receipt that settles it books the difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valuation {
    layers: Vec<CostLayer>,
    fifo_value: Value,
    value: Value,
    last_cost: Option<UnitCost>,
}

/// How a key's stock is costed: what a [`Valuation`] must know from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costing {
    /// The site's method.
    pub method: CostingMethod,
    /// The site's currency.
    pub currency: Currency,
    /// The product's standard unit cost.
    pub standard: Option<UnitCost>,
}

/// What leaves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The oldest layer.
    Oldest,
    /// What is left of the named event's layer, then the oldest.
    Layer(StockEventId),
}

impl Valuation {
    /// The layers, oldest first. Their quantities sum to the level, when that is not negative.
    pub fn layers(&self) -> &[CostLayer] {
        &self.layers
    }

    /// The value under the site's costing method.
    pub const fn value(&self) -> Value {
        self.value
    }

    /// The value by first in, first out.
    pub const fn fifo_value(&self) -> Value {
        self.fifo_value
    }

    /// The last known cost of one unit; stays when the key is drained.
    pub const fn last_cost(&self) -> Option<UnitCost> {
        self.last_cost
    }

    /// What one unit is worth now: the average of what is on hand, else the last known cost, else the
    /// standard cost; `None` when nothing is known.
    pub fn current_cost(&self, on_hand: Quantity, standard: Option<UnitCost>) -> Option<UnitCost> {
        if on_hand.is_positive() {
            self.value.per_unit(on_hand).ok()
        } else {
            self.last_cost.or(standard)
        }
    }

    /// Puts goods in: their parts and, where the site's method valued them otherwise when they left elsewhere, what
    /// they were worth. Returns by how much the value changed.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`]; the valuation is then in no defined state and must be dropped.
    pub fn put_in(
        &mut self,
        on_hand: Quantity,
        parts: &[CostPart],
        worth: Option<Value>,
        costing: Costing,
    ) -> Result<Value, DecimalError> {
        let before = self.value;
        let (mut incoming, mut cost) = (Quantity::ZERO, Value::ZERO);
        for part in parts {
            incoming = incoming.checked_add(part.quantity)?;
            cost = cost.checked_add(part.value)?;
            self.last_cost = Some(part.unit_cost);
        }
        cost = worth.unwrap_or(cost);
        if costing.method == CostingMethod::Standard
            && let Some(standard) = costing.standard
        {
            cost = Value::of(incoming, standard, costing.currency)?;
        }
        let short = on_hand.negated().max(Quantity::ZERO);
        let settled = short.min(incoming);
        let kept = incoming.checked_sub(settled)?;
        self.value = if settled.is_zero() {
            self.value.checked_add(cost)?
        } else if kept.is_zero() {
            // A part of the shortage is left; it keeps the cost that it went out with.
            self.value
                .checked_sub(self.value.share(settled, short, costing.currency)?)?
        } else {
            cost.share(kept, incoming, costing.currency)?
        };
        self.put_layers(short, settled, parts, costing.currency)?;
        match costing.method {
            CostingMethod::Fifo => self.value = self.fifo_value,
            CostingMethod::WeightedAverage if kept.is_positive() => {
                self.last_cost = Some(self.value.per_unit(on_hand.checked_add(incoming)?)?);
            }
            CostingMethod::WeightedAverage | CostingMethod::Standard => {}
        }
        self.value.checked_sub(before)
    }

    fn put_layers(
        &mut self,
        short: Quantity,
        settled: Quantity,
        parts: &[CostPart],
        currency: Currency,
    ) -> Result<(), DecimalError> {
        if settled.is_positive() {
            let share = self.fifo_value.share(settled, short, currency)?;
            self.fifo_value = self.fifo_value.checked_sub(share)?;
        }
        let mut to_settle = settled;
        for part in parts {
            let gone = part.quantity.min(to_settle);
            to_settle = to_settle.checked_sub(gone)?;
            let left = part.quantity.checked_sub(gone)?;
            if left.is_positive() {
                let value = part.value.share(left, part.quantity, currency)?;
                self.fifo_value = self.fifo_value.checked_add(value)?;
                // What is told late, or comes back, or from elsewhere, stands where it was received.
                let place = self
                    .layers
                    .partition_point(|layer| layer.left.received_at <= part.received_at);
                let layer = CostLayer {
                    received: part.quantity,
                    left: CostPart {
                        quantity: left,
                        value,
                        ..part.clone()
                    },
                };
                self.layers.insert(place, layer);
            }
        }
        Ok(())
    }

    /// Takes goods out: the parts that left, and by how much the value changed. What goes beyond the stock
    /// is one more part, at the last known cost, under the id `source`.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`]; the valuation is then in no defined state and must be dropped.
    pub fn take_out(
        &mut self,
        on_hand: Quantity,
        quantity: Quantity,
        pick: Pick,
        shortage: &CostPart,
        costing: Costing,
    ) -> Result<(Vec<CostPart>, Value), DecimalError> {
        let before = self.value;
        let covered = quantity.min(on_hand.max(Quantity::ZERO));
        let short = quantity.checked_sub(covered)?;
        let beyond_cost = self
            .current_cost(on_hand, costing.standard)
            .unwrap_or(UnitCost::ZERO);
        if covered.is_positive() {
            self.value =
                self.value
                    .checked_sub(self.value.share(covered, on_hand, costing.currency)?)?;
        }
        let mut parts = self.take_layers(covered, pick, costing.currency)?;
        if short.is_positive() {
            // First in, first out carries on at the cost of the last that left.
            let cost = match costing.method {
                CostingMethod::Fifo => parts.last().map_or(beyond_cost, |part| part.unit_cost),
                CostingMethod::WeightedAverage | CostingMethod::Standard => beyond_cost,
            };
            let value = Value::of(short, cost, costing.currency)?;
            self.value = self.value.checked_sub(value)?;
            self.fifo_value = self.fifo_value.checked_sub(value)?;
            parts.push(CostPart {
                quantity: short,
                unit_cost: cost,
                value,
                ..shortage.clone()
            });
        }
        if costing.method == CostingMethod::Fifo {
            self.value = self.fifo_value;
        }
        Ok((parts, self.value.checked_sub(before)?))
    }

    /// Plays a ledger event again: what came in is layered, what left is taken from the layers that its
    /// parts name. Returns whether the oldest layers left first. The value under the site's method is the
    /// sum of the events' changes.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`], also when a part names a layer that is not there.
    pub fn replay(&mut self, event: &StockEvent, currency: Currency) -> Result<bool, DecimalError> {
        self.value = self.value.checked_add(event.value_change)?;
        if event.change.is_positive() {
            let short = event.before.negated().max(Quantity::ZERO);
            self.put_layers(short, short.min(event.change), &event.parts, currency)?;
            return Ok(true);
        }
        let mut oldest_first = true;
        for part in &event.parts {
            let found = self
                .layers
                .iter()
                .position(|layer| layer.left.source == part.source);
            match found.and_then(|index| self.layers.get_mut(index)) {
                Some(layer) => {
                    oldest_first &= found == Some(0);
                    layer.left.quantity = layer.left.quantity.checked_sub(part.quantity)?;
                    layer.left.value = layer.left.value.checked_sub(part.value)?;
                    if layer.left.quantity.is_negative() {
                        return Err(DecimalError::OutOfRange);
                    }
                }
                // What went out beyond the stock has the event itself as its source.
                None if part.source == event.id => {}
                None => return Err(DecimalError::OutOfRange),
            }
            self.fifo_value = self.fifo_value.checked_sub(part.value)?;
            self.layers.retain(|layer| !layer.left.quantity.is_zero());
        }
        Ok(oldest_first)
    }

    fn take_layers(
        &mut self,
        quantity: Quantity,
        pick: Pick,
        currency: Currency,
    ) -> Result<Vec<CostPart>, DecimalError> {
        let mut parts = Vec::new();
        let mut needed = quantity;
        if let Pick::Layer(source) = pick
            && let Some(named) = self
                .layers
                .iter_mut()
                .find(|layer| layer.left.source == source)
        {
            needed = needed.checked_sub(take_from(named, needed, currency, &mut parts)?)?;
        }
        for layer in &mut self.layers {
            if needed.is_zero() {
                break;
            }
            needed = needed.checked_sub(take_from(layer, needed, currency, &mut parts)?)?;
        }
        self.layers.retain(|layer| !layer.left.quantity.is_zero());
        for part in &parts {
            self.fifo_value = self.fifo_value.checked_sub(part.value)?;
        }
        Ok(parts)
    }
}

/// Takes up to `needed` units from a layer; the last unit takes what value is left.
fn take_from(
    layer: &mut CostLayer,
    needed: Quantity,
    currency: Currency,
    parts: &mut Vec<CostPart>,
) -> Result<Quantity, DecimalError> {
    let taken = needed.min(layer.left.quantity);
    if taken.is_zero() {
        return Ok(taken);
    }
    let value = layer
        .left
        .value
        .share(taken, layer.left.quantity, currency)?;
    layer.left.quantity = layer.left.quantity.checked_sub(taken)?;
    layer.left.value = layer.left.value.checked_sub(value)?;
    parts.push(CostPart {
        quantity: taken,
        value,
        ..layer.left.clone()
    });
    Ok(taken)
}
