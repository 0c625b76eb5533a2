//! Recomputing what is on hand from the ledger.

use std::collections::BTreeMap;

use crate::domain::{
    Quantity, SerialScope, Site, StockEvent, StockEventId, StockKey, StockLevel, Valuation, Value,
};
use crate::store::{LevelFilter, PageRequest};

use super::serial_marks::SerialMarks;
use super::{CHUNK, Error, Stocktake};

/// What [`Stock::verify`](super::Stock::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Levels that were recomputed.
    pub levels: u64,
    /// Events that they were recomputed from.
    pub events: u64,
    /// What does not agree; empty in a sound ledger.
    pub differences: Vec<Difference>,
}

impl Verification {
    /// Whether everything agrees.
    pub const fn is_sound(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Something that does not agree with the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A key's events don't count 1, 2, 3 ... up to the level's sequence.
    Sequence {
        /// The key.
        key: StockKey,
        /// Where the count breaks.
        at: u64,
    },
    /// An event's before, change and after don't chain.
    Chain {
        /// The key.
        key: StockKey,
        /// Which event.
        at: u64,
    },
    /// The level is not the sum of its events.
    Quantity {
        /// The key.
        key: StockKey,
        /// The sum.
        ledger: Quantity,
        /// The level.
        level: Quantity,
    },
    /// The value is not the sum of the events' changes.
    Value {
        /// The key.
        key: StockKey,
        /// The sum.
        ledger: Value,
        /// The level's.
        level: Value,
    },
    /// The cost layers are not those that the events leave, or they don't sum to the level.
    Layers {
        /// The key.
        key: StockKey,
    },
    /// A decrease did not take the layers that had to leave: the oldest first, or of a return to the supplier those of the
    /// receipt, or of a reversal those that it takes back.
    Order {
        /// The key.
        key: StockKey,
        /// Which event.
        at: u64,
    },
    /// A reversal is not the opposite of an earlier event of its key: of the quantity, or of the value, but for the
    /// difference that it names.
    Reversal {
        /// The key.
        key: StockKey,
        /// Which event.
        at: u64,
    },
    /// What is known of where a serial number is does not agree with the level: a key that holds the unit is not marked
    /// as the one that does, or one that does not hold it is.
    Serial {
        /// The key.
        key: StockKey,
        /// The key that is marked under its product.
        marked: Option<StockKey>,
    },
    /// The positions of the site's ledger have a gap, or events that no level knows.
    Positions {
        /// How many events the ledger has.
        ledger: u64,
        /// How many the levels have had.
        levels: u64,
    },
}

impl Stocktake {
    /// Verifies one site.
    pub(super) async fn verify_site(&self, site: &Site) -> Result<Verification, Error> {
        let mut result = Verification::default();
        let filter = LevelFilter {
            with_delisted: true,
            ..LevelFilter::default()
        };
        let mut page = PageRequest::first(CHUNK);
        loop {
            let levels = self
                .repository
                .levels_page(site.organisation, site.id, &filter, &page)
                .await?;
            let keys: Vec<(StockKey, u64)> = levels
                .items
                .iter()
                .map(|level| (level.value.key().clone(), 0))
                .collect();
            let mut events: BTreeMap<StockKey, Vec<StockEvent>> = BTreeMap::new();
            for event in self
                .repository
                .events_after(site.organisation, &keys)
                .await?
            {
                events.entry(event.key.clone()).or_default().push(event);
            }
            let serials = self
                .serial_marks(
                    site.organisation,
                    keys.iter().map(|(key, _)| key),
                    SerialScope::Product,
                )
                .await?;
            for level in &levels.items {
                result.check_serial(&level.value, &serials);
                let history = events.remove(level.value.key()).unwrap_or_default();
                result.check(site, &level.value, &history);
            }
            match levels.next {
                Some(next) => page = PageRequest::after(next, CHUNK),
                None => break,
            }
        }
        self.verify_positions(site, &mut result).await?;
        Ok(result)
    }

    async fn verify_positions(&self, site: &Site, result: &mut Verification) -> Result<(), Error> {
        let mut last = 0_u64;
        let mut counted = 0_u64;
        loop {
            let entries = self
                .repository
                .ledger(site.organisation, site.id, last, CHUNK)
                .await?;
            let Some(end) = entries.last() else { break };
            // A ledger that does not go on is not gap-free either: what was counted tells.
            let goes_on = end.position > last;
            last = end.position;
            counted = counted.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
            if !goes_on {
                break;
            }
        }
        if last != counted || counted != result.events {
            result.differences.push(Difference::Positions {
                ledger: counted,
                levels: result.events,
            });
        }
        Ok(())
    }
}

impl Verification {
    fn check_serial(&mut self, level: &StockLevel, serials: &SerialMarks) {
        let key = level.key();
        let Some(serial) = &key.serial else {
            return;
        };
        let marked = serials.holder(serial, key.product);
        let agrees = if level.quantity().is_positive() {
            marked == Some(key)
        } else {
            !serials.names(key)
        };
        if !agrees {
            self.differences.push(Difference::Serial {
                key: key.clone(),
                marked: marked.cloned(),
            });
        }
    }

    fn check(&mut self, site: &Site, level: &StockLevel, history: &[StockEvent]) {
        self.levels = self.levels.saturating_add(1);
        let key = level.key();
        let mut quantity = Quantity::ZERO;
        let mut valuation = Valuation::default();
        let mut layers_hold = true;
        let mut sequence = 0_u64;
        let by_id: BTreeMap<StockEventId, &StockEvent> =
            history.iter().map(|event| (event.id, event)).collect();
        for (index, event) in history.iter().enumerate() {
            sequence = sequence.saturating_add(1);
            if event.sequence != sequence {
                self.differences.push(Difference::Sequence {
                    key: key.clone(),
                    at: sequence,
                });
                break;
            }
            if event.before != quantity || event.before.checked_add(event.change) != Ok(event.after)
            {
                self.differences.push(Difference::Chain {
                    key: key.clone(),
                    at: sequence,
                });
            }
            quantity = event.after;
            let balanced = index.checked_add(1).and_then(|next| history.get(next));
            let is_late = balanced
                .and_then(|next| next.absorbs)
                .is_some_and(|late| late.event == event.id);
            if is_late || event.absorbs.is_some() {
                // A late movement and its counter-event cancel out, and leave the layers as they were.
                continue;
            }
            let reversed = event
                .reverses
                .and_then(|link| by_id.get(&link.event).copied());
            if event.reverses.is_some() && !is_undone(event, reversed) {
                self.differences.push(Difference::Reversal {
                    key: key.clone(),
                    at: sequence,
                });
            }
            match valuation.replay(event, reversed, site.currency) {
                Ok(true) => {}
                Ok(false) => self.differences.push(Difference::Order {
                    key: key.clone(),
                    at: sequence,
                }),
                Err(_) => layers_hold = false,
            }
        }
        self.events = self.events.saturating_add(sequence);
        if sequence != level.sequence() {
            self.differences.push(Difference::Sequence {
                key: key.clone(),
                at: level.sequence(),
            });
        }
        if quantity != level.quantity() {
            let (ledger, level) = (quantity, level.quantity());
            self.differences.push(Difference::Quantity {
                key: key.clone(),
                ledger,
                level,
            });
        }
        let booked = level.valuation();
        if valuation.value() != booked.value() {
            let (ledger, level) = (valuation.value(), booked.value());
            self.differences.push(Difference::Value {
                key: key.clone(),
                ledger,
                level,
            });
        }
        let on_hand = level.quantity().max(Quantity::ZERO);
        if !layers_hold
            || valuation.layers() != booked.layers()
            || valuation.fifo_value() != booked.fifo_value()
            || layered(booked) != Some(on_hand)
        {
            self.differences
                .push(Difference::Layers { key: key.clone() });
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
