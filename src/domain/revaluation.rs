//! Valuing what is on hand anew, without a movement (S6.15).

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use super::{
    Cause, Change, CostPart, Costing, CostingMethod, Currency, DecimalError, IncomingCost, Pick,
    Quantity, StockError, StockEvent, StockEventId, StockEventKind, StockLevel, Terms, UnitCost,
    Valuation, Value,
};

/// What the value of a stock key is made by: the site's method and, where that is the value, the standard cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValuationBasis {
    /// The cost layers.
    Fifo,
    /// The average of what is on hand.
    WeightedAverage,
    /// The standard cost of the product; without one, the average.
    Standard(Option<UnitCost>),
}

impl Costing {
    /// What the value of a key is made by from now on.
    pub const fn basis(&self) -> ValuationBasis {
        match self.method {
            CostingMethod::Fifo => ValuationBasis::Fifo,
            CostingMethod::WeightedAverage => ValuationBasis::WeightedAverage,
            CostingMethod::Standard => ValuationBasis::Standard(self.standard),
        }
    }
}

/// What a revaluation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revalued {
    /// By how much the value changed.
    pub(super) change: Value,
    /// The layers as they are now, if their costs changed; below zero, what is missing.
    pub(super) parts: Vec<CostPart>,
}

impl Valuation {
    /// What the value was made by when the key was last touched.
    pub const fn basis(&self) -> Option<ValuationBasis> {
        self.basis
    }

    /// Values the key by what it is valued by now, and what is of unknown cost at `unknown`, if that is given.
    pub(super) fn bring_up_to_date(
        &mut self,
        on_hand: Quantity,
        unknown: Option<UnitCost>,
        costing: Costing,
    ) -> Result<Revalued, DecimalError> {
        let before = self.value;
        self.change_basis(on_hand, costing)?;
        let parts = match unknown {
            Some(cost) => self.cost_unknown_at(cost, costing)?,
            None => Vec::new(),
        };
        let change = self.value.checked_sub(before)?;
        Ok(Revalued { change, parts })
    }

    fn change_basis(&mut self, on_hand: Quantity, costing: Costing) -> Result<(), DecimalError> {
        let basis = costing.basis();
        let Some(before) = self.basis.replace(basis).filter(|before| *before != basis) else {
            return Ok(());
        };
        self.value = match (before, basis) {
            (_, ValuationBasis::Standard(Some(standard))) => {
                Value::of(on_hand, standard, costing.currency)?
            }
            (_, ValuationBasis::Fifo) | (ValuationBasis::Standard(Some(_)), _) => self.fifo_value,
            // Both are the average of what is of known cost.
            (
                ValuationBasis::Fifo
                | ValuationBasis::WeightedAverage
                | ValuationBasis::Standard(None),
                ValuationBasis::WeightedAverage | ValuationBasis::Standard(None),
            ) => self.value,
        };
        Ok(())
    }

    /// Tells what the goods of unknown cost cost: the layers as they are then, or none if there are no such goods.
    fn cost_unknown_at(
        &mut self,
        cost: UnitCost,
        costing: Costing,
    ) -> Result<Vec<CostPart>, DecimalError> {
        let mut gained = Value::ZERO;
        let unknown = |left: &CostPart| left.cost_unknown;
        if !self.layers.iter().any(|layer| unknown(&layer.left)) {
            return Ok(Vec::new());
        }
        for layer in &mut self.layers {
            if unknown(&layer.left) {
                layer.left.restate(cost, costing.currency)?;
                gained = gained.checked_add(layer.left.value)?;
            }
        }
        self.fifo_value = self.fifo_value.checked_add(gained)?;
        // Under a standard cost the value is that of all that is on hand, whatever it cost.
        if !matches!(self.basis, Some(ValuationBasis::Standard(Some(_)))) {
            self.value = self.value.checked_add(gained)?;
        }
        self.last_cost = self.last_cost.or(Some(cost));
        Ok(self.parts_left())
    }

    /// Everything on hand costs so much a unit from now on. Below zero, what is missing does. `missing` tells its
    /// source.
    pub(super) fn restate(
        &mut self,
        on_hand: Quantity,
        cost: UnitCost,
        missing: &CostPart,
        costing: Costing,
    ) -> Result<Revalued, DecimalError> {
        let before = self.value;
        for layer in &mut self.layers {
            layer.left.restate(cost, costing.currency)?;
        }
        let mut parts = self.parts_left();
        self.fifo_value = worth(&parts)?;
        if on_hand.is_negative() {
            let mut missing = CostPart {
                quantity: on_hand.negated(),
                ..missing.clone()
            };
            missing.restate(cost, costing.currency)?;
            self.fifo_value = missing.value.negated();
            parts = vec![missing];
        }
        if !matches!(self.basis, Some(ValuationBasis::Standard(Some(_)))) {
            self.value = self.fifo_value;
        }
        self.last_cost = Some(cost);
        let change = self.value.checked_sub(before)?;
        Ok(Revalued { change, parts })
    }

    fn parts_left(&self) -> Vec<CostPart> {
        self.layers.iter().map(|layer| layer.left.clone()).collect()
    }

    /// Plays a revaluation again: its parts, if it has any, are the layers as they were then.
    pub(super) fn replay_revaluation(&mut self, event: &StockEvent) -> Result<(), DecimalError> {
        if event.parts.is_empty() {
            return Ok(());
        }
        let value = worth(&event.parts)?;
        if event.before.is_negative() {
            self.fifo_value = value.negated();
            return Ok(());
        }
        if self.layers.len() != event.parts.len() {
            return Err(DecimalError::OutOfRange);
        }
        for (layer, part) in self.layers.iter_mut().zip(&event.parts) {
            if layer.left.source != part.source || layer.left.quantity != part.quantity {
                return Err(DecimalError::OutOfRange);
            }
            layer.left = part.clone();
        }
        self.fifo_value = value;
        Ok(())
    }
}

impl StockLevel {
    /// The key as it is valued now, before anything else happens to it, and the event that bears the difference if
    /// there is one: when the site's costing method, or a standard cost that values stock, changed since the key was
    /// last touched, and when goods of unknown cost are to be revalued at the standard cost once that is known.
    ///
    /// Until a key is touched it is shown at the value that it had.
    ///
    /// # Errors
    ///
    /// [`StockError`].
    pub(super) fn up_to_date(
        &self,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let unknown = terms.standard.filter(|_| terms.site.policy.revalue_unknown);
        let (on_hand, costing) = (self.quantity(), terms.costing());
        let (level, event) = self.revalued(
            self.revaluation(Cause::Policy),
            false,
            |valuation| valuation.bring_up_to_date(on_hand, unknown, costing),
            terms,
        )?;
        Ok((level, event.into_iter().collect()))
    }

    /// The key with its goods of unknown cost at a cost that is known now, and the event that says so, if there are
    /// such goods.
    pub(super) fn cost_unknown(
        &self,
        cost: UnitCost,
        cause: Cause,
        terms: &Terms<'_>,
    ) -> Result<(Self, Option<StockEvent>), StockError> {
        let (on_hand, costing) = (self.quantity(), terms.costing());
        self.revalued(
            self.revaluation(cause),
            false,
            |valuation| valuation.bring_up_to_date(on_hand, Some(cost), costing),
            terms,
        )
    }

    /// Revalues the key (S6.15): all that is on hand costs so much a unit from now on, its cost layers too, and what
    /// comes in later at no stated cost. Nothing moves; the last event is the revaluation, also when it changes
    /// nothing. Under a standard cost that is known the value stays that of the standard cost, and only the layers
    /// change.
    ///
    /// # Errors
    ///
    /// [`StockError`]; the level is unchanged.
    pub fn restate(
        &self,
        change: Change,
        cost: UnitCost,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let (level, mut events) = self.up_to_date(terms)?;
        let missing = CostPart {
            source: change.id,
            cause: change.cause,
            received_at: terms.at,
            quantity: Quantity::ZERO,
            unit_cost: cost,
            value: Value::ZERO,
            cost_unknown: false,
        };
        let (on_hand, costing) = (level.quantity(), terms.costing());
        let (next, event) = level.revalued(
            change,
            true,
            |valuation| valuation.restate(on_hand, cost, &missing, costing),
            terms,
        )?;
        events.extend(event);
        Ok((next, events))
    }

    /// A change that moves nothing. Its id follows from the key and its place in the key's order, so that two that
    /// touch the key at once can't both book it.
    fn revaluation(&self, cause: Cause) -> Change {
        let next = self.sequence().saturating_add(1);
        let name = format!("revaluation/{}/{next}", self.key().canonical());
        let site = self.key().site.as_uuid();
        Change {
            id: StockEventId::new(Uuid::new_v5(&site, name.as_bytes())),
            kind: StockEventKind::Revaluation,
            quantity: Quantity::ZERO,
            cost: IncomingCost::Current,
            pick: Pick::Oldest,
            occurred_at: None,
            reason: None,
            reference: None,
            cause,
            of: None,
            reverses: None,
        }
    }
}

impl CostPart {
    /// The same goods at a cost that is known.
    fn restate(&mut self, cost: UnitCost, currency: Currency) -> Result<(), DecimalError> {
        self.unit_cost = cost;
        self.value = Value::of(self.quantity, cost, currency)?;
        self.cost_unknown = false;
        Ok(())
    }
}

fn worth(parts: &[CostPart]) -> Result<Value, DecimalError> {
    parts
        .iter()
        .try_fold(Value::ZERO, |sum, part| sum.checked_add(part.value))
}
