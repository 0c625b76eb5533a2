//! A batch of movements: what it is refused with, and what it does to keys.

use std::collections::BTreeMap;

use stocktake::domain::{Site, StockEventId, StockKey};
use stocktake::service::NewMovement;

use super::super::amounts::{ONE, units};
use super::booking::consume_reversals;
use super::effects::Effect;
use super::feed::Feed;
use super::key::{Key, nobody};
use super::moment::AHEAD;
use super::{Codes, Policy, Products, Return, Stock, key_refusals, serial_of};

/// Stock with a batch on top of it that is not booked yet.
pub(super) struct Staged<'a> {
    pub(super) stock: &'a Stock,
    pub(super) keys: BTreeMap<StockKey, Key>,
    pub(super) returns: Vec<Return>,
    pub(super) site: &'a Site,
    pub(super) products: &'a Products,
    pub(super) now: i64,
}

/// Why a movement is not played.
pub(super) enum NotPlayed {
    /// It must be refused, with one of these.
    Refused(Codes),
    /// The library did something wrong.
    Wrong(String),
}

impl Staged<'_> {
    pub(super) fn key(&self, key: &StockKey) -> Key {
        self.keys
            .get(key)
            .cloned()
            .unwrap_or_else(|| self.stock.key(key))
    }

    pub(super) fn policy(&self, key: &StockKey) -> Policy<'_> {
        let others = self.keys.keys().chain(self.stock.keys.keys());
        let mut others = others.filter(|other| other.product == key.product);
        let elsewhere = others.any(|other| self.key(other).level() > 0);
        Policy {
            elsewhere,
            site: self.site,
            product: &self.products[&key.product],
            now: self.now,
        }
    }

    pub(super) fn play(&mut self, new: &NewMovement, feed: &mut Feed<'_>) -> Result<(), NotPlayed> {
        let (effects, mut codes) = self.effects(new);
        if !codes.is_empty() {
            // What the stock refuses may be told before what is wrong with the other key of a transfer.
            for effect in effects.iter().filter(|effect| self.is_sound(effect)) {
                codes.extend(self.refusals(effect));
            }
            return Err(NotPlayed::Refused(codes));
        }
        for effect in effects {
            let codes = self.refusals(&effect);
            if !codes.is_empty() {
                return Err(NotPlayed::Refused(codes));
            }
            self.apply(&effect, feed).map_err(NotPlayed::Wrong)?;
        }
        Ok(())
    }

    /// Whether what the stock refuses may be told of an effect whose key is refused: it is looked at first where the key is
    /// stocked.
    pub(super) fn is_sound(&self, effect: &Effect) -> bool {
        let stocked = match effect {
            Effect::Fact { key, .. } | Effect::Reset { key, .. } => {
                let model = self.key(key);
                model.stocked || model.stocked_open
            }
            Effect::TakeBack(_) => true,
        };
        stocked || self.key_refusals(effect).is_empty()
    }

    /// What is wrong with the key of an effect: what comes in anew follows the product as it is now.
    pub(super) fn key_refusals(&self, effect: &Effect) -> Codes {
        let (key, after) = match effect {
            Effect::Fact {
                key,
                change,
                stated,
                ..
            } => {
                let mut model = self.key(key);
                model.notice(self.now);
                let change = if model.is_absorbed(*stated) {
                    0
                } else {
                    *change
                };
                (key, model.level() + change)
            }
            Effect::Reset { key, there, .. } => (key, *there),
            Effect::TakeBack(_) => return Codes::new(),
        };
        let model = self.key(key);
        // What is on hand is stocked, also once it is again because something was taken back.
        let stocked = model.stocked || model.level() != 0;
        let there = stocked && after <= model.level().max(0);
        key_refusals(key, self.site, self.products, there)
    }

    /// What a level is refused with because its serial number is elsewhere: at another site, or at another key of this
    /// one, of which some have just become `changed`.
    pub(super) fn elsewhere(
        &self,
        key: &StockKey,
        (before, after): (i64, i64),
        changed: &[(&StockKey, i64)],
    ) -> Codes {
        let level = |other: &StockKey| {
            let changed = changed.iter().find(|(key, _)| *key == other);
            changed.map_or_else(|| self.key(other).level(), |(_, level)| *level)
        };
        let staged = self.keys.keys().filter(|other| *other != key);
        let staged = staged.filter(|other| serial_of(other) == serial_of(key));
        let mut twins = self.stock.twins(key).chain(staged);
        let comes = key.serial.is_some() && before <= 0 && after > 0;
        if comes && (self.stock.is_abroad(key) || twins.any(|other| level(other) > 0)) {
            vec!["serial_elsewhere"]
        } else {
            Codes::new()
        }
    }

    pub(super) fn refusals(&self, effect: &Effect) -> Codes {
        let mut codes = Codes::new();
        match effect {
            Effect::Fact {
                key,
                change,
                stated,
                free,
                ..
            } => {
                let (mut model, policy) = (self.key(key), self.policy(key));
                model.notice(self.now);
                if stated.is_some_and(|at| at > self.now + AHEAD) {
                    codes.push("future_dated");
                }
                if policy.is_closed(stated.unwrap_or(model.now(self.now))) {
                    codes.push("period_closed");
                }
                let level = model.level();
                if model.is_absorbed(*stated) {
                    // It does not change the level now, but may once what is known is taken back.
                    if key.serial.is_some() && change.abs() != ONE {
                        codes.push("serial_conflict");
                    }
                } else {
                    codes.extend(model.refusals(key, level, level + change, &policy));
                    codes.extend(self.elsewhere(key, (level, level + change), &[]));
                }
                let asks = (*change > 0 && *free) || (*change < 0 && level + change < 0);
                if asks && !model.has_cost(level, &policy) {
                    codes.push("cost_unknown");
                }
            }
            Effect::Reset {
                key, there, free, ..
            } => {
                let (mut model, policy) = (self.key(key), self.policy(key));
                model.notice(self.now);
                if policy.is_closed(model.now(self.now)) {
                    codes.push("period_closed");
                }
                let level = model.level();
                if key.serial.is_some() && (*there > ONE || there % ONE != 0) {
                    codes.push("serial_conflict");
                }
                codes.extend(self.elsewhere(key, (level, *there), &[]));
                if *there > level && *free && !model.has_cost(level, &policy) {
                    codes.push("cost_unknown");
                }
            }
            Effect::TakeBack(both) => {
                let mut changed: Vec<(&StockKey, i64)> = Vec::new();
                for (key, id) in both {
                    let (before, policy) = (self.key(key), self.policy(key));
                    let mut after = before.clone();
                    let timed = after.take_back(*id);
                    after.notice(self.now);
                    if !timed && policy.is_closed(after.now(self.now)) {
                        codes.push("period_closed");
                    }
                    let levels = (before.level(), after.level());
                    codes.extend(before.refusals(key, levels.0, levels.1, &policy));
                    codes.extend(self.elsewhere(key, levels, &changed));
                    changed.push((key, levels.1));
                }
            }
        }
        codes
    }

    pub(super) fn apply(&mut self, effect: &Effect, feed: &mut Feed<'_>) -> Result<(), String> {
        let now = self.now;
        match effect {
            Effect::Fact {
                key,
                kind,
                change,
                stated,
                worth,
                returns,
                ..
            } => {
                let mut model = self.key(key);
                let event = model.add_fact(key, (*kind, *change), *stated, now, feed)?;
                if let Some(issue) = returns {
                    self.returns.push(Return {
                        issue: *issue,
                        id: event.map_or(nobody(), |event| event.id),
                        key: key.clone(),
                        change: change.abs(),
                    });
                }
                if let (Some(worth), Some(event)) = (worth, event)
                    && *change > 0
                {
                    let parts: i128 = event.parts.iter().map(|part| units(part.value)).sum();
                    ensure!(parts == *worth, "should be worth {worth}: {event:?}");
                }
                self.keys.insert(key.clone(), model);
            }
            Effect::Reset {
                key, there, kind, ..
            } => {
                let mut model = self.key(key);
                model.add_reset(key, (*kind, *there), now, feed)?;
                self.keys.insert(key.clone(), model);
            }
            Effect::TakeBack(both) => {
                let mut models: Vec<(&StockKey, Key)> = both
                    .iter()
                    .map(|(key, id)| {
                        let mut model = self.key(key);
                        let before = model.level();
                        model.take_back(*id);
                        model.notice(self.now);
                        model.cost_known |= model.level() > before;
                        (key, model)
                    })
                    .collect();
                let ids: Vec<StockEventId> = both.iter().map(|(_, id)| *id).collect();
                let mut lent: Vec<(&StockKey, &mut Key)> = models
                    .iter_mut()
                    .map(|(key, model)| (*key, model))
                    .collect();
                consume_reversals(&mut lent, &ids, feed)?;
                for (key, model) in models {
                    self.keys.insert(key.clone(), model);
                }
            }
        }
        Ok(())
    }
}
