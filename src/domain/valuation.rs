//! What the stock of one key is worth: cost layers, weighted average, standard cost.

use serde::{Deserialize, Serialize};

use super::{
    Cause, CostingMethod, Currency, DecimalError, Quantity, StockEvent, StockEventId,
    StockEventKind, Timestamp, UnitCost, ValuationBasis, Value,
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
    /// Whether nobody knows what they cost: they are worth nothing until somebody does, and a revaluation says so.
    /// What is known to have cost nothing is not of unknown cost.
    pub cost_unknown: bool,
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
/// under the site's [`CostingMethod`], and remembers which method that was.
///
/// Goods of unknown cost are worth nothing, and have no part in any average, until a revaluation tells what they
/// cost; a standard cost that values stock is the value of all that is on hand.
///
/// Below zero there are no layers: the value is minus what went out beyond the stock, at the last known
/// cost, and the receipt that settles it books the difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valuation {
    pub(super) layers: Vec<CostLayer>,
    pub(super) fifo_value: Value,
    pub(super) value: Value,
    pub(super) last_cost: Option<UnitCost>,
    pub(super) basis: Option<ValuationBasis>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The oldest layer.
    Oldest,
    /// What is left of the goods that the named event brought, then the oldest.
    Layer(StockEventId),
    /// What is left of these parts, which came in once and are taken back, then the oldest. Under average and standard
    /// cost they leave at this worth: by so much the value changed when they came.
    Back(Vec<CostPart>, Value),
}

/// By how much goods that came in changed the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutIn {
    /// By so much the value changed.
    pub value_change: Value,
    /// How much of that is not the worth of the goods: they settled a shortage that had gone out at another cost.
    pub difference: Value,
}

impl Valuation {
    /// Whether a key may be worth so much: by first in, first out, and by the site's method, which may become that one.
    pub(super) fn check(&self, currency: Currency) -> Result<(), DecimalError> {
        self.value.of_one_line(currency)?;
        self.fifo_value.of_one_line(currency).map(drop)
    }

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

    /// What one unit is worth now: the average of what is on hand and of known cost, else the last known cost; `None`
    /// when the key knows no cost.
    pub fn known_cost(&self, on_hand: Quantity) -> Option<UnitCost> {
        let valued = self.valued(on_hand).ok()?;
        if valued.is_positive() {
            self.value.per_unit(valued).ok()
        } else {
            self.last_cost
        }
    }

    /// What one unit is worth now, else what it costs otherwise: what the product's other keys or its standard cost
    /// tell.
    pub fn current_cost(&self, on_hand: Quantity, otherwise: Option<UnitCost>) -> Option<UnitCost> {
        self.known_cost(on_hand).or(otherwise)
    }

    /// How many of what is on hand are of unknown cost.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn of_unknown_cost(&self) -> Result<Quantity, DecimalError> {
        let unknown = self.layers.iter().filter(|layer| layer.left.cost_unknown);
        unknown.into_iter().try_fold(Quantity::ZERO, |sum, layer| {
            sum.checked_add(layer.left.quantity)
        })
    }

    /// How many units the value is the value of: all of what is on hand under a standard cost, else what is of known
    /// cost.
    pub(super) fn valued(&self, on_hand: Quantity) -> Result<Quantity, DecimalError> {
        match self.basis {
            Some(ValuationBasis::Standard(Some(_))) => Ok(on_hand),
            Some(
                ValuationBasis::Fifo
                | ValuationBasis::WeightedAverage
                | ValuationBasis::Standard(None),
            )
            | None => on_hand.checked_sub(self.of_unknown_cost()?),
        }
    }

    /// Puts goods in: their parts and, of goods that come from elsewhere or come back, what they were worth there by the
    /// site's method, which they keep. Returns by how much the value changed.
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
    ) -> Result<PutIn, DecimalError> {
        let before = self.value;
        self.basis = Some(costing.basis());
        let (mut incoming, mut cost) = (Quantity::ZERO, Value::ZERO);
        for part in parts {
            incoming = incoming.checked_add(part.quantity)?;
            cost = cost.checked_add(part.value)?;
            if !part.cost_unknown {
                self.last_cost = Some(part.unit_cost);
            }
        }
        if let Some(worth) = worth {
            cost = worth;
        } else if costing.method == CostingMethod::Standard
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
            match (
                self.valued_of(parts, kept)?,
                self.valued_of(parts, incoming)?,
            ) {
                (_, whole) if whole.is_zero() => Value::ZERO,
                (part, whole) => cost.share(part, whole, costing.currency)?,
            }
        };
        self.put_layers(short, settled, parts, costing.currency)?;
        match costing.method {
            CostingMethod::Fifo => self.value = self.fifo_value,
            CostingMethod::WeightedAverage if kept.is_positive() => {
                let valued = self.valued(on_hand.checked_add(incoming)?)?;
                if valued.is_positive() {
                    self.last_cost = Some(self.value.per_unit(valued)?);
                }
            }
            CostingMethod::WeightedAverage | CostingMethod::Standard => {}
        }
        let value_change = self.value.checked_sub(before)?;
        Ok(PutIn {
            value_change,
            difference: value_change.checked_sub(cost)?,
        })
    }

    /// How many of the last `kept` units of some parts have a value.
    fn valued_of(&self, parts: &[CostPart], kept: Quantity) -> Result<Quantity, DecimalError> {
        if let Some(ValuationBasis::Standard(Some(_))) = self.basis {
            return Ok(kept);
        }
        let (mut left, mut valued) = (kept, Quantity::ZERO);
        for part in parts.iter().rev() {
            let of_part = part.quantity.min(left);
            left = left.checked_sub(of_part)?;
            if !part.cost_unknown {
                valued = valued.checked_add(of_part)?;
            }
        }
        Ok(valued)
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
    /// is one more part, as `shortage` tells: it names the source and the cost of one unit.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`]; the valuation is then in no defined state and must be dropped.
    pub fn take_out(
        &mut self,
        on_hand: Quantity,
        quantity: Quantity,
        pick: &Pick,
        shortage: &CostPart,
        costing: Costing,
    ) -> Result<(Vec<CostPart>, Value), DecimalError> {
        let before = self.value;
        self.basis = Some(costing.basis());
        let covered = quantity.min(on_hand.max(Quantity::ZERO));
        let short = quantity.checked_sub(covered)?;
        let valued = self.valued(on_hand)?;
        let mut parts = self.take_layers(covered, pick, costing.currency)?;
        let out = self.valued_of(&parts, covered)?;
        if out.is_positive() {
            let unknown = |brought: &[CostPart]| brought.iter().any(|part| part.cost_unknown);
            let worth = match pick {
                // A value below zero on what is left would be worth nothing to anybody. What was worth nothing for want of
                // a cost has its share of what is known since.
                Pick::Back(brought, worth) if out < valued && !unknown(brought) => {
                    (*worth).min(self.value).max(Value::ZERO)
                }
                Pick::Oldest | Pick::Layer(_) | Pick::Back(..) => {
                    self.value.share(out, valued, costing.currency)?
                }
            };
            self.value = self.value.checked_sub(worth)?;
        }
        if short.is_positive() {
            // First in, first out carries on at the cost of the last that left.
            let last = parts.last().filter(|part| !part.cost_unknown);
            let cost = match (costing.method, last) {
                (CostingMethod::Fifo, Some(last)) => last.unit_cost,
                (
                    CostingMethod::Fifo | CostingMethod::WeightedAverage | CostingMethod::Standard,
                    _,
                ) => shortage.unit_cost,
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
        if let Pick::Back(back, _) = pick {
            self.forget_cost(on_hand.checked_sub(quantity)?, back, costing)?;
        }
        Ok((parts, self.value.checked_sub(before)?))
    }

    /// What is taken back says nothing about cost any more: the last known cost is that of what is left, or, when nothing
    /// is left, the standard cost if there is one.
    fn forget_cost(
        &mut self,
        left: Quantity,
        back: &[CostPart],
        costing: Costing,
    ) -> Result<(), DecimalError> {
        if left.is_positive() {
            self.last_cost = Some(self.value.per_unit(left)?);
        } else if costing.standard.is_some()
            && back
                .iter()
                .any(|part| self.last_cost == Some(part.unit_cost))
        {
            self.last_cost = None;
        }
        Ok(())
    }

    /// Plays a ledger event again: what came in is layered, what left is taken from the layers that its
    /// parts name. Returns whether those are the ones that had to leave: the oldest, or of a return to the supplier
    /// those of the receipt, or of a reversal those that `reversed`, the event that it takes back, had brought. The value
    /// under the site's method is the sum of the events' changes.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`], also when a part names a layer that is not there.
    pub fn replay(
        &mut self,
        event: &StockEvent,
        reversed: Option<&StockEvent>,
        currency: Currency,
    ) -> Result<bool, DecimalError> {
        self.value = self.value.checked_add(event.value_change)?;
        if event.kind == StockEventKind::Revaluation {
            self.replay_revaluation(event)?;
            return Ok(true);
        }
        if event.change.is_positive() {
            let short = event.before.negated().max(Quantity::ZERO);
            self.put_layers(short, short.min(event.change), &event.parts, currency)?;
            return Ok(true);
        }
        // What went out beyond the stock has the event itself as its source.
        let (beyond, layered): (Vec<&CostPart>, Vec<&CostPart>) =
            event.parts.iter().partition(|part| part.source == event.id);
        for part in beyond {
            self.fifo_value = self.fifo_value.checked_sub(part.value)?;
        }
        let mut quantity = Quantity::ZERO;
        for part in &layered {
            quantity = quantity.checked_add(part.quantity)?;
        }
        let pick = match (reversed, event.of) {
            (Some(reversed), _) => Pick::Back(reversed.parts.clone(), reversed.value_change),
            (None, Some(receipt)) if event.kind == StockEventKind::SupplierReturn => {
                Pick::Layer(receipt)
            }
            (None, _) => Pick::Oldest,
        };
        let mut by_rule = self.clone();
        let taken = by_rule.take_layers(quantity, &pick, currency)?;
        if taken.iter().eq(layered.iter().copied()) {
            *self = by_rule;
            return Ok(true);
        }
        for part in layered {
            let index = self.place_of(part).ok_or(DecimalError::OutOfRange)?;
            let layer = self.layers.get_mut(index).ok_or(DecimalError::OutOfRange)?;
            layer.left.quantity = layer.left.quantity.checked_sub(part.quantity)?;
            layer.left.value = layer.left.value.checked_sub(part.value)?;
            if layer.left.quantity.is_negative() {
                return Err(DecimalError::OutOfRange);
            }
            self.fifo_value = self.fifo_value.checked_sub(part.value)?;
            self.layers.retain(|layer| !layer.left.quantity.is_zero());
        }
        Ok(false)
    }

    /// Where the layer of a part is: one that is the part exactly, else the oldest of its source.
    fn place_of(&self, part: &CostPart) -> Option<usize> {
        let is_of = |layer: &CostLayer| layer.left.source == part.source;
        let whole = |layer: &CostLayer| {
            is_of(layer) && layer.left.quantity == part.quantity && layer.left.value == part.value
        };
        let exact = self.layers.iter().position(whole);
        exact.or_else(|| self.layers.iter().position(is_of))
    }

    fn take_layers(
        &mut self,
        quantity: Quantity,
        pick: &Pick,
        currency: Currency,
    ) -> Result<Vec<CostPart>, DecimalError> {
        let mut parts = Vec::new();
        let mut needed = quantity;
        match pick {
            Pick::Oldest => {}
            Pick::Layer(source) => {
                for layer in &mut self.layers {
                    if layer.left.source == *source {
                        needed =
                            needed.checked_sub(take_from(layer, needed, currency, &mut parts)?)?;
                    }
                }
            }
            Pick::Back(back, _) => {
                for part in back {
                    let mut of_part = part.quantity.min(needed);
                    while of_part.is_positive()
                        && let Some(index) = self.place_of(part)
                        && let Some(layer) = self.layers.get_mut(index)
                    {
                        let taken = take_from(layer, of_part, currency, &mut parts)?;
                        of_part = of_part.checked_sub(taken)?;
                        needed = needed.checked_sub(taken)?;
                        self.layers.retain(|layer| !layer.left.quantity.is_zero());
                    }
                }
            }
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

    /// How much is left here of the goods that an event brought.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn left_of(&self, source: StockEventId) -> Result<Quantity, DecimalError> {
        self.layers
            .iter()
            .filter(|layer| layer.left.source == source)
            .try_fold(Quantity::ZERO, |sum, layer| {
                sum.checked_add(layer.left.quantity)
            })
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
