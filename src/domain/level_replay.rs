//! Playing the events of a stock key again: what its level should be (S6.10).

use std::collections::VecDeque;

use super::knowledge::dated_until;
use super::{
    Costing, DecimalError, Known, Quantity, Site, StockEvent, StockEventKind, StockKey, StockLevel,
    Timestamp, Valuation, ValuationBasis, Value,
};

/// How many of the last events are remembered by when they were recorded, so that what a count knew can be told.
const REMEMBERED: usize = 1_000;

/// The level of a key as its events leave it, one after the other in the order of their sequences.
///
/// The ledger tells what is on hand, whether the key is stocked, its value and its layers exactly. It does not tell what is
/// reserved. Of what was known it tells each absolute value and what was known before it; of the counts that were posted
/// after the last absolute value only those that found a variance. Which of these moments a clock knew that was ahead follows
/// from the times at which later events were recorded, as far as the site's clock tolerance is still what it was.
#[derive(Clone, Debug)]
pub struct LevelReplay {
    level: StockLevel,
    /// The highest number of a known moment that an event tells.
    told: u64,
    recent: VecDeque<(Timestamp, u64)>,
}

impl LevelReplay {
    /// A key before its first event.
    pub fn of(key: StockKey) -> Self {
        Self {
            level: StockLevel::new(key, Timestamp::EPOCH),
            told: 0,
            recent: VecDeque::new(),
        }
    }

    /// The level so far. What the ledger does not tell is nothing in it.
    pub const fn level(&self) -> &StockLevel {
        &self.level
    }

    /// Takes note of the next event: of every one, before its goods are moved or it turns out to be absorbed.
    pub fn note(&mut self, event: &StockEvent, site: &Site) {
        let tolerance = site.policy.clock_tolerance_millis;
        let (now, before) = (event.recorded_at, self.level.sequence);
        self.level.knowledge.notice(now, tolerance, before);
        self.level.quantity = event.after;
        self.level.sequence = event.sequence;
        self.level.updated_at = event.recorded_at;
        if self.recent.len() >= REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((event.recorded_at, event.sequence));
    }

    /// Moves the goods of an event that is not absorbed, and no absorption; `reversed` is the event that it takes back.
    /// Returns whether the layers left that had to leave ([`Valuation::replay`]).
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`], also when it takes from a layer that is not there.
    pub fn play(
        &mut self,
        event: &StockEvent,
        reversed: Option<&StockEvent>,
        site: &Site,
    ) -> Result<bool, DecimalError> {
        if event.kind != StockEventKind::Revaluation {
            self.level.stocked = event.kind != StockEventKind::Removed;
        }
        self.learn(event, reversed, site);
        let comes = event.change.is_positive() || event.kind == StockEventKind::Revaluation;
        let of_known_cost = event.parts.iter().rfind(|part| comes && !part.cost_unknown);
        if let Some(part) = of_known_cost {
            self.level.valuation.last_cost = Some(part.unit_cost);
        }
        self.level.valuation.replay(event, reversed, site.currency)
    }

    fn learn(&mut self, event: &StockEvent, reversed: Option<&StockEvent>, site: &Site) {
        if let Some(taken_back) = reversed.and_then(|reversed| reversed.learned.as_ref()) {
            self.level.knowledge.forget(taken_back);
        }
        let tolerance = site.policy.clock_tolerance_millis;
        let known = Known {
            number: 0,
            at: event.occurred_at,
            sequence: event.sequence,
            posted_at: event.sequence,
            timed: false,
            cause: event.cause,
            dated_until: dated_until(event.occurred_at, tolerance),
            clock: event.recorded_at,
            ahead_since: None,
            ahead_by: None,
            told: event.sequence,
            seen: self.level.knowledge.count(),
        };
        if let Some(learned) = &event.learned {
            self.told = self.told.max(learned.number);
            self.level.knowledge.recall(learned);
            let seen = self.level.knowledge.count();
            self.level.knowledge.learn(Known { seen, ..known });
        } else if event.kind == StockEventKind::CountVariance && event.timed {
            let sequence = self.recorded_by(event.occurred_at);
            self.level.knowledge.learn(Known {
                sequence,
                told: sequence,
                timed: true,
                ..known
            });
            // A stated time may be a little ahead.
            let (now, after) = (event.recorded_at, event.sequence);
            self.level.knowledge.notice(now, tolerance, after);
        }
    }

    /// The sequence of the last event that was recorded by a moment.
    fn recorded_by(&self, at: Timestamp) -> u64 {
        let by_then = self
            .recent
            .iter()
            .rev()
            .find(|(recorded, _)| *recorded <= at);
        let before_all = self
            .recent
            .front()
            .map_or(0, |(_, first)| first.saturating_sub(1));
        by_then.map_or(before_all, |(_, sequence)| *sequence)
    }

    /// Whether a level knows of every moment that the ledger tells of.
    pub fn is_known_to(&self, level: &StockLevel) -> bool {
        level.knowledge.count() >= self.told
    }

    /// The level as it should be, given the one that is kept: what is reserved, what its value was made by and what was
    /// known are taken from there, as far as they agree with the ledger.
    pub fn restored(mut self, kept: Option<&StockLevel>, costing: Costing) -> StockLevel {
        if let Some(kept) = kept {
            if self.is_known_to(kept) {
                self.level.knowledge = kept.knowledge.clone();
            }
            if kept.sequence == self.level.sequence {
                self.level.updated_at = kept.updated_at;
            }
            self.level.reserved = if self.level.stocked {
                kept.reserved
            } else {
                Quantity::ZERO
            };
            self.level.valuation.last_cost = kept.valuation.last_cost;
        }
        let valuation = &mut self.level.valuation;
        let basis = kept
            .and_then(|kept| kept.valuation.basis)
            .filter(|basis| is_made_by(valuation, self.level.quantity, *basis, costing));
        let likely = || likely_basis(valuation, self.level.quantity, costing);
        valuation.basis = Some(basis.unwrap_or_else(likely));
        self.level
    }
}

/// What the value of a key is made by when nobody knows: what the site goes by, if the value can come from that. Else the
/// average, so that whoever touches the key next books the difference.
fn likely_basis(valuation: &Valuation, on_hand: Quantity, costing: Costing) -> ValuationBasis {
    let basis = costing.basis();
    if is_made_by(valuation, on_hand, basis, costing) {
        basis
    } else {
        ValuationBasis::WeightedAverage
    }
}

fn is_made_by(
    valuation: &Valuation,
    on_hand: Quantity,
    basis: ValuationBasis,
    costing: Costing,
) -> bool {
    match basis {
        ValuationBasis::Fifo => valuation.value() == valuation.fifo_value(),
        ValuationBasis::Standard(Some(cost)) => {
            Value::of(on_hand, cost, costing.currency) == Ok(valuation.value())
        }
        ValuationBasis::WeightedAverage | ValuationBasis::Standard(None) => true,
    }
}
