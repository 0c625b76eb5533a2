//! Playing the events of a key again: what its level should be, and in what the ledger contradicts itself.

use std::collections::BTreeMap;

use crate::domain::{
    LevelReplay, Quantity, Site, StockEvent, StockEventId, StockKey, StockLevel, Valuation,
};

use super::findings::{Difference, Findings};

/// A key as its events leave it, given a part of them after another.
#[derive(Clone)]
pub(super) struct Replay {
    key: StockKey,
    level: LevelReplay,
    /// Whether each event took from layers that are there.
    layers_hold: bool,
    /// Whether each event begins where the one before it ended.
    is_chained: bool,
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
            level: LevelReplay::of(key.clone()),
            layers_hold: true,
            is_chained: true,
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
        site: &Site,
        result: &mut dyn Findings,
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
            if event.before != self.level.level().quantity()
                || event.before.checked_add(event.change) != Ok(event.after)
            {
                self.is_chained = false;
                result.tell(Difference::Chain {
                    key: self.key.clone(),
                    at: self.sequence,
                });
            }
            let late = event.absorbs.map(|late| late.event);
            let is_late = |(held, _): &(StockEvent, _)| late == Some(held.id);
            if let Some((held, taken_back)) = self.held.take_if(|held| !is_late(held)) {
                self.move_goods(&held, taken_back.as_ref(), site, result);
            }
            self.level.note(&event, site);
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
    fn move_goods(
        &mut self,
        event: &StockEvent,
        reversed: Option<&StockEvent>,
        site: &Site,
        result: &mut dyn Findings,
    ) {
        let (key, at) = (self.key.clone(), event.sequence);
        if event.reverses.is_some() && !is_undone(event, reversed) {
            let key = key.clone();
            result.tell(Difference::Reversal { key, at });
        }
        match self.level.play(event, reversed, site) {
            Ok(true) => {}
            Ok(false) => result.tell(Difference::Order { key, at }),
            Err(_) => self.layers_hold = false,
        }
    }

    /// Moves the goods of the last event, when all have been played.
    pub(super) fn end(&mut self, site: &Site, result: &mut dyn Findings) {
        if let Some((held, taken_back)) = self.held.take() {
            self.move_goods(&held, taken_back.as_ref(), site, result);
        }
    }

    /// Whether a level follows from the events: no two of them contradict each other.
    pub(super) const fn is_whole(&self) -> bool {
        self.layers_hold && self.is_chained && !self.is_broken
    }

    /// How many events there were.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether there was no event.
    pub(super) const fn is_empty(&self) -> bool {
        self.sequence == 0
    }

    /// What the events have left, when all have been played.
    pub(super) fn into_level(self) -> LevelReplay {
        self.level
    }

    /// Compares a level with what all of its events have left.
    pub(super) fn compare(&self, level: &StockLevel, result: &mut dyn Findings) {
        result.looked_at(self.sequence);
        let due = self.level.level();
        if self.sequence != level.sequence() && !self.is_broken {
            let (key, at) = (self.key.clone(), level.sequence());
            result.tell(Difference::Sequence { key, at });
        }
        let key = || self.key.clone();
        if due.quantity() != level.quantity() {
            result.tell(Difference::Quantity {
                key: key(),
                ledger: due.quantity(),
                level: level.quantity(),
            });
        }
        if due.is_stocked() != level.is_stocked() && !self.is_broken {
            result.tell(Difference::Stocked {
                key: key(),
                ledger: due.is_stocked(),
                level: level.is_stocked(),
            });
        }
        let (valuation, booked) = (due.valuation(), level.valuation());
        if valuation.value() != booked.value() {
            result.tell(Difference::Value {
                key: key(),
                ledger: valuation.value(),
                level: booked.value(),
            });
        }
        let on_hand = level.quantity().max(Quantity::ZERO);
        if !self.layers_hold
            || valuation.layers() != booked.layers()
            || valuation.fifo_value() != booked.fifo_value()
            || layered(booked) != Some(on_hand)
        {
            result.tell(Difference::Layers { key: key() });
        }
        if !self.level.is_known_to(level) {
            result.tell(Difference::Knowledge { key: key() });
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
