//! Playing the events of a key again: what its level should be.

use std::collections::BTreeMap;

use crate::domain::{
    Currency, Quantity, StockEvent, StockEventId, StockKey, StockLevel, Valuation,
};

use super::verification::{Difference, Verification};

/// A key as its events leave it, given a part of them after another.
pub(super) struct Replay {
    key: StockKey,
    quantity: Quantity,
    valuation: Valuation,
    layers_hold: bool,
    sequence: u64,
    /// The last event so far, and what it takes back: whether it was late is told by the next one.
    held: Option<(StockEvent, Option<StockEvent>)>,
    /// Whether the sequence broke: what comes after that is not played.
    is_broken: bool,
}

impl Replay {
    /// A key before its first event.
    pub(super) fn of(key: &StockKey) -> Self {
        Self {
            key: key.clone(),
            quantity: Quantity::ZERO,
            valuation: Valuation::default(),
            layers_hold: true,
            sequence: 0,
            held: None,
            is_broken: false,
        }
    }

    /// Plays the next events of the key. `reversed` are those that they take back.
    pub(super) fn play(
        &mut self,
        events: Vec<StockEvent>,
        reversed: &BTreeMap<StockEventId, StockEvent>,
        currency: Currency,
        result: &mut Verification,
    ) {
        for event in events {
            if self.is_broken {
                return;
            }
            self.sequence = self.sequence.saturating_add(1);
            if event.sequence != self.sequence {
                self.is_broken = true;
                result.tell(Difference::Sequence {
                    key: self.key.clone(),
                    at: self.sequence,
                });
                return;
            }
            if event.before != self.quantity
                || event.before.checked_add(event.change) != Ok(event.after)
            {
                result.tell(Difference::Chain {
                    key: self.key.clone(),
                    at: self.sequence,
                });
            }
            self.quantity = event.after;
            let late = event.absorbs.map(|late| late.event);
            let is_late = |(held, _): &(StockEvent, _)| late == Some(held.id);
            if let Some((held, taken_back)) = self.held.take_if(|held| !is_late(held)) {
                self.value(&held, taken_back.as_ref(), currency, result);
            }
            // A late movement and its counter-event cancel out, and leave the layers as they were.
            self.held = late.is_none().then(|| {
                let taken_back = event.reverses.and_then(|link| reversed.get(&link.event));
                let taken_back = taken_back.filter(|it| it.key == self.key);
                let taken_back = taken_back.cloned();
                (event, taken_back)
            });
        }
    }

    /// Moves the goods of an event through the valuation.
    fn value(
        &mut self,
        event: &StockEvent,
        reversed: Option<&StockEvent>,
        currency: Currency,
        result: &mut Verification,
    ) {
        let (key, at) = (self.key.clone(), event.sequence);
        if event.reverses.is_some() && !is_undone(event, reversed) {
            let key = key.clone();
            result.tell(Difference::Reversal { key, at });
        }
        match self.valuation.replay(event, reversed, currency) {
            Ok(true) => {}
            Ok(false) => result.tell(Difference::Order { key, at }),
            Err(_) => self.layers_hold = false,
        }
    }

    /// Compares a level with what all of its events have left.
    pub(super) fn compare(
        mut self,
        level: &StockLevel,
        currency: Currency,
        result: &mut Verification,
    ) {
        if let Some((held, taken_back)) = self.held.take() {
            self.value(&held, taken_back.as_ref(), currency, result);
        }
        let Self {
            key,
            quantity,
            valuation,
            layers_hold,
            sequence,
            is_broken,
            ..
        } = self;
        result.levels = result.levels.saturating_add(1);
        result.events = result.events.saturating_add(sequence);
        if sequence != level.sequence() && !is_broken {
            let (key, at) = (key.clone(), level.sequence());
            result.tell(Difference::Sequence { key, at });
        }
        if quantity != level.quantity() {
            result.tell(Difference::Quantity {
                key: key.clone(),
                ledger: quantity,
                level: level.quantity(),
            });
        }
        let booked = level.valuation();
        if valuation.value() != booked.value() {
            result.tell(Difference::Value {
                key: key.clone(),
                ledger: valuation.value(),
                level: booked.value(),
            });
        }
        let on_hand = level.quantity().max(Quantity::ZERO);
        if !layers_hold
            || valuation.layers() != booked.layers()
            || valuation.fifo_value() != booked.fifo_value()
            || layered(booked) != Some(on_hand)
        {
            result.tell(Difference::Layers { key });
        }
    }
}

/// Whether a reversal does the opposite to what it takes back, but for the difference that it names.
fn is_undone(event: &StockEvent, reversed: Option<&StockEvent>) -> bool {
    reversed.is_some_and(|reversed| {
        event.change == reversed.change.negated()
            && event.value_change.checked_add(reversed.value_change) == Ok(event.difference)
    })
}

/// What the layers sum to.
fn layered(valuation: &Valuation) -> Option<Quantity> {
    valuation
        .layers()
        .iter()
        .try_fold(Quantity::ZERO, |sum, layer| {
            sum.checked_add(layer.left.quantity).ok()
        })
}
