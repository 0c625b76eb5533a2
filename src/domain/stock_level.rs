//! What is on hand of one stock key, and how a movement changes it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::knowledge::{Covering, Knowledge, dated_until};
use super::revaluation::Revalued;
use super::{
    Cause, Code, CostPart, Costing, CountMoment, Currency, DecimalError, EventLink, Known, Note,
    Pick, Quantity, Site, StockEvent, StockEventId, StockEventKind, StockKey, Timestamp, UnitCost,
    UserId, Valuation, Value,
};

/// On hand, reserved and worth of one stock key.
///
/// *Zero on hand* and *not stocked* differ: a delisted key keeps its record, so that its events go on
/// counting, but [`is_stocked`](Self::is_stocked) is false, it is on no list and enters no take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    key: StockKey,
    pub(super) quantity: Quantity,
    pub(super) reserved: Quantity,
    pub(super) stocked: bool,
    pub(super) sequence: u64,
    pub(super) valuation: Valuation,
    pub(super) knowledge: Knowledge,
    pub(super) updated_at: Timestamp,
}

/// A movement that its host dates further ahead than five minutes is refused: so much may clocks differ.
pub(crate) const FUTURE_TOLERANCE_MICROS: i64 = 5 * 60 * 1_000_000;

/// A change to one key, before it is an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The id of the event to be.
    pub id: StockEventId,
    /// What happens.
    pub kind: StockEventKind,
    /// Signed quantity.
    pub quantity: Quantity,
    /// What comes in costs this; goods that leave ignore it.
    pub cost: IncomingCost,
    /// What leaves first.
    pub pick: Pick,
    /// When it happened, if the command says so.
    pub occurred_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<Note>,
    /// The host's reference.
    pub reference: Option<Code>,
    /// The document.
    pub cause: Cause,
    /// The event that this names: the issue that a customer returns, the receipt that goes back to the supplier.
    pub of: Option<StockEventId>,
    /// The event that this takes back.
    pub reverses: Option<TakesBack>,
}

/// The event that a change takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakesBack {
    /// The event, and where it belongs in the history of the key.
    pub link: EventLink,
    /// By how much it changed the value.
    pub value_change: Value,
}

/// What incoming goods cost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IncomingCost {
    /// As much as what is on hand: the current average, else the last known cost, else the average of the product's
    /// other keys at the site, else the standard cost; refused when nothing is known, unless zero cost is allowed.
    Current,
    /// Nobody knows: they are worth nothing until it is told.
    Unknown,
    /// So much a unit.
    PerUnit(UnitCost),
    /// So much together.
    Total(Value),
    /// So much together, also where the site's method would value them otherwise: they left at this worth and come back.
    Returned(Value),
    /// The very parts that left elsewhere, and what they were worth there under the site's method.
    Parts(Vec<CostPart>, Value),
}

/// What a change must know from outside.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The site, its currency and policy.
    pub site: &'a Site,
    /// The product's standard unit cost.
    pub standard: Option<UnitCost>,
    /// What a unit of the product costs on average at the site's other keys. Only a key that knows no cost itself asks
    /// for it.
    pub elsewhere: Option<UnitCost>,
    /// When it is recorded.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
}

impl Terms<'_> {
    /// How the key is costed.
    pub const fn costing(&self) -> Costing {
        Costing {
            method: self.site.policy.costing,
            currency: self.site.currency,
            standard: self.standard,
        }
    }

    const fn currency(&self) -> Currency {
        self.site.currency
    }

    /// By how much clocks may differ at the site.
    const fn tolerance_millis(&self) -> u32 {
        self.site.policy.clock_tolerance_millis
    }

    /// What a unit costs as far as its key knows nothing: as the product's other keys at the site, else the standard
    /// cost.
    pub fn cost_otherwise(&self) -> Option<UnitCost> {
        self.elsewhere.or(self.standard)
    }
}

/// Why stock can't change so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StockError {
    /// The level would fall below zero, which the site does not allow. Move less, or allow it.
    #[error("not enough stock: {on_hand} on hand, change {change}")]
    BelowZero {
        /// What is on hand.
        on_hand: Quantity,
        /// What was asked.
        change: Quantity,
    },
    /// Nothing is known about the cost of what comes in. State a unit cost, or allow zero cost.
    #[error("no cost is known for what comes in")]
    CostUnknown,
    /// A key of one serial number holds one unit or none.
    #[error("a serial number holds one unit or none, not {quantity}")]
    SerialQuantity {
        /// What it would hold.
        quantity: Quantity,
    },
    /// It would have happened in a closed period. Date it later.
    #[error("the period is closed until {closed_until}")]
    PeriodClosed {
        /// The site's closing date.
        closed_until: Timestamp,
    },
    /// It would happen in the future.
    #[error("dated in the future: {occurred_at}")]
    FutureDated {
        /// The stated time.
        occurred_at: Timestamp,
    },
    /// The level, or its value, would leave the range of its type.
    #[error("what is on hand, or its value, would leave its range")]
    OutOfRange,
}

impl From<DecimalError> for StockError {
    fn from(_: DecimalError) -> Self {
        Self::OutOfRange
    }
}

impl StockLevel {
    /// A key that nothing has happened to.
    pub fn new(key: StockKey, at: Timestamp) -> Self {
        Self {
            key,
            quantity: Quantity::ZERO,
            reserved: Quantity::ZERO,
            stocked: false,
            sequence: 0,
            valuation: Valuation::default(),
            knowledge: Knowledge::default(),
            updated_at: at,
        }
    }

    /// The key.
    pub const fn key(&self) -> &StockKey {
        &self.key
    }

    /// On hand.
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// How much of it is promised to somebody.
    pub const fn reserved(&self) -> Quantity {
        self.reserved
    }

    /// On hand less reserved.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn available(&self) -> Result<Quantity, DecimalError> {
        self.quantity.checked_sub(self.reserved)
    }

    /// Whether the key is kept on stock here.
    pub const fn is_stocked(&self) -> bool {
        self.stocked
    }

    /// How many events the key has had.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What it is worth.
    pub const fn valuation(&self) -> &Valuation {
        &self.valuation
    }

    /// When it last changed.
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Sets what is reserved.
    #[must_use]
    pub fn with_reserved(mut self, reserved: Quantity, at: Timestamp) -> Self {
        self.reserved = reserved;
        self.updated_at = at;
        self
    }

    /// Applies a movement: the level after it, and its events. A movement that states a time at or before
    /// the last known moment is absorbed: it is booked on its date with a linked counter-event at that
    /// moment, so that history is right and the level stays.
    ///
    /// Before it comes the event of a revaluation, if the site's costing method, or a standard cost that values stock,
    /// changed since the key was last touched: the difference is in no other event.
    ///
    /// # Errors
    ///
    /// [`StockError`]; the level is unchanged.
    pub fn apply(
        &self,
        change: Change,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        if let Some(occurred_at) = change.occurred_at
            && change.reverses.is_none()
            && occurred_at > terms.at.later_by(FUTURE_TOLERANCE_MICROS)
        {
            return Err(StockError::FutureDated { occurred_at });
        }
        let covering = self.covering(&change, terms);
        let (level, mut events) = self.up_to_date(terms)?;
        if let Some(covering) = covering {
            let (next, absorbed) = level.absorb(change, covering, terms)?;
            events.extend(absorbed);
            return Ok((next, events));
        }
        let within_tolerance = change.reverses.is_none()
            && change
                .occurred_at
                .is_some_and(|at| self.is_close_after(at, terms));
        let (next, event) = level.apply_plain(change, terms)?;
        events.push(StockEvent {
            within_tolerance,
            ..event
        });
        Ok((next, events))
    }

    /// What is known, if it knew of a change already. A reversal belongs where the event belongs that it takes back.
    pub(super) fn covering(&self, change: &Change, terms: &Terms<'_>) -> Option<Covering> {
        let belongs = match (change.reverses, change.occurred_at) {
            (Some(back), _) => back.link,
            (None, Some(occurred_at)) => EventLink {
                event: change.id,
                sequence: self.sequence.saturating_add(1),
                occurred_at,
                timed: true,
                found: false,
            },
            (None, None) => return None,
        };
        self.noticing(terms).covering(belongs)
    }

    /// Whether a stated time is one that counts as after what is known only because clocks may differ so much.
    fn is_close_after(&self, at: Timestamp, terms: &Terms<'_>) -> bool {
        let knowledge = self.noticing(terms);
        knowledge.last().is_some_and(|known| {
            known.ahead_since.is_none() && at > known.dated_until && at <= known.at
        })
    }

    /// What is known, in the light of what the clock says now.
    pub(super) fn noticing(&self, terms: &Terms<'_>) -> Knowledge {
        let mut knowledge = self.knowledge.clone();
        knowledge.notice(terms.at, terms.tolerance_millis(), self.sequence);
        knowledge
    }

    /// Applies an absolute value, and remembers that the truth was known now. The cost that it states is also that of
    /// what is on hand at an unknown cost: a revaluation before it says so. The last event is the value's own.
    ///
    /// # Errors
    ///
    /// [`StockError`]; the level is unchanged.
    pub fn reset(
        &self,
        mut change: Change,
        to: Quantity,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let (mut level, mut events) = self.up_to_date(terms)?;
        if let IncomingCost::PerUnit(cost) = change.cost {
            let (costed, event) = level.cost_unknown(cost, change.cause, terms)?;
            level = costed;
            events.extend(event);
        }
        change.quantity = to.checked_sub(level.quantity)?;
        change.occurred_at = None;
        let cause = change.cause;
        let (mut next, mut event) = level.apply_plain(change, terms)?;
        event.learned = Some(next.knowledge.learn(Known {
            number: 0,
            at: event.occurred_at,
            sequence: event.sequence,
            posted_at: event.sequence,
            timed: false,
            cause,
            dated_until: dated_until(event.occurred_at, terms.tolerance_millis()),
            clock: terms.at,
            ahead_since: None,
            seen: next.knowledge.count(),
            ahead_by: None,
            told: event.sequence,
        }));
        events.push(event);
        Ok((next, events))
    }

    /// Applies the variance of a count that was taken at a moment, and remembers that the truth was known
    /// then. Without a variance there is no event; else the last one is the variance.
    ///
    /// # Errors
    ///
    /// [`StockError`]; the level is unchanged.
    pub fn settle(
        &self,
        change: Change,
        moment: CountMoment,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let cause = change.cause;
        let (mut next, events) = if change.quantity.is_zero() {
            (self.clone(), Vec::new())
        } else {
            let change = Change {
                occurred_at: Some(moment.at),
                ..change
            };
            let (level, mut events) = self.up_to_date(terms)?;
            let (next, event) = level.apply_plain(change, terms)?;
            events.push(event);
            (next, events)
        };
        next.updated_at = terms.at;
        next.knowledge = next.noticing(terms);
        let (tolerance, sequence) = (terms.tolerance_millis(), self.sequence);
        next.knowledge.notice_count(&moment, tolerance, sequence);
        // What is known of a time after a stated one would have superseded the count. The time that a clock said which was
        // ahead does not tell what was known before it.
        let seen = if moment.stated && !moment.ahead {
            next.knowledge.count()
        } else {
            moment.known
        };
        next.knowledge.learn(Known {
            number: 0,
            at: moment.at,
            sequence: moment.sequence,
            posted_at: next.sequence,
            timed: true,
            cause,
            dated_until: dated_until(moment.at, terms.tolerance_millis()),
            clock: moment.clock,
            ahead_since: moment.ahead.then_some(moment.told),
            seen,
            ahead_by: moment.ahead.then_some(moment.clock),
            told: moment.told,
        });
        // A stated time may be a little ahead.
        next.knowledge.notice(terms.at, tolerance, next.sequence);
        Ok((next, events))
    }

    /// Delists the key: what is left is booked out, and the key is on no list any more. Nothing stays
    /// reserved.
    ///
    /// # Errors
    ///
    /// [`StockError`]; the level is unchanged.
    pub fn delist(
        &self,
        change: Change,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let (mut next, events) = self.reset(change, Quantity::ZERO, terms)?;
        next.stocked = false;
        next.reserved = Quantity::ZERO;
        Ok((next, events))
    }

    /// What is on hand and of known cost, and its value; nothing below zero.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn of_known_cost(&self) -> Result<(Quantity, Value), DecimalError> {
        let valued = self.valuation.valued(self.quantity)?;
        if valued.is_positive() {
            Ok((valued, self.valuation.value()))
        } else {
            Ok((Quantity::ZERO, Value::ZERO))
        }
    }

    /// Whether the key itself tells what one unit costs.
    pub fn knows_cost(&self) -> bool {
        self.valuation.known_cost(self.quantity).is_some()
    }

    /// What one unit costs here: as the key knows, else as the terms do.
    pub fn unit_cost(&self, terms: &Terms<'_>) -> Option<UnitCost> {
        self.valuation
            .current_cost(self.quantity, terms.cost_otherwise())
    }

    /// When a change happens that does not say when: now, after all that is known, unless the clock was ahead then.
    fn now(&self, terms: &Terms<'_>) -> Timestamp {
        let knowledge = self.noticing(terms);
        let known = knowledge.last().filter(|known| known.ahead_since.is_none());
        known.map_or(terms.at, |known| terms.at.max(known.at.later_by(1)))
    }

    pub(super) fn apply_plain(
        &self,
        change: Change,
        terms: &Terms<'_>,
    ) -> Result<(Self, StockEvent), StockError> {
        self.check_holds(change.quantity, terms)?;
        self.apply_on_the_way(change, terms)
    }

    /// Whether the key may hold what is there after a change.
    pub(super) fn check_holds(
        &self,
        change: Quantity,
        terms: &Terms<'_>,
    ) -> Result<(), StockError> {
        let after = self.quantity.checked_add(change)?;
        if change.is_negative() && after.is_negative() && !terms.site.policy.allow_negative {
            return Err(StockError::BelowZero {
                on_hand: self.quantity,
                change,
            });
        }
        if self.key.serial.is_some() && (after > Quantity::ONE || !after.is_whole()) {
            return Err(StockError::SerialQuantity { quantity: after });
        }
        Ok(())
    }

    /// The same as [`Self::apply_plain`], of a change that others follow in the same commit: whether the key may hold what
    /// is there then is asked when all are done.
    pub(super) fn apply_on_the_way(
        &self,
        change: Change,
        terms: &Terms<'_>,
    ) -> Result<(Self, StockEvent), StockError> {
        let occurred_at = match (change.reverses, change.occurred_at) {
            (None, None) => self.now(terms),
            (None, Some(at)) => at,
            (Some(_), at) => self.reversal_date(at, terms),
        };
        let timed = change
            .reverses
            .map_or(change.occurred_at.is_some(), |back| back.link.timed);
        check_date(occurred_at, terms)?;
        let after = self.quantity.checked_add(change.quantity)?;
        let mut next = self.clone();
        next.knowledge = self.noticing(terms);
        let worth = next.move_goods(&change, occurred_at, terms)?;
        next.valuation.check(terms.currency())?;
        next.quantity = after;
        next.stocked = true;
        next.updated_at = terms.at;
        next.sequence = next.sequence.checked_add(1).ok_or(StockError::OutOfRange)?;
        let event = event_of(change, (self, &next), worth, (occurred_at, timed), terms)?;
        Ok((next, event))
    }

    /// A reversal is dated where the reversed event is, or, when that is closed, where the books open.
    fn reversal_date(&self, reversed: Option<Timestamp>, terms: &Terms<'_>) -> Timestamp {
        match reversed {
            Some(at) => terms
                .site
                .policy
                .closed_until
                .map_or(at, |closed| at.max(closed)),
            None => self.now(terms),
        }
    }

    /// Changes what the key is worth, and nothing else. Without a change of the value or of a layer there is no event,
    /// unless there must be one.
    pub(super) fn revalued(
        &self,
        change: Change,
        always: bool,
        revalue: impl FnOnce(&mut Valuation) -> Result<Revalued, DecimalError>,
        terms: &Terms<'_>,
    ) -> Result<(Self, Option<StockEvent>), StockError> {
        let mut next = self.clone();
        let Revalued {
            change: value_change,
            parts,
        } = revalue(&mut next.valuation)?;
        next.valuation.check(terms.currency())?;
        if value_change.is_zero() && parts.is_empty() && !always {
            return Ok((next, None));
        }
        let occurred_at = self.now(terms);
        check_date(occurred_at, terms)?;
        next.sequence = next.sequence.checked_add(1).ok_or(StockError::OutOfRange)?;
        next.updated_at = terms.at;
        let dated = (occurred_at, false);
        let worth = Worth {
            parts,
            value_change,
            difference: Value::ZERO,
        };
        let mut event = event_of(change, (self, &next), worth, dated, terms)?;
        event.unit_cost = next
            .valuation
            .known_cost(next.quantity)
            .unwrap_or(UnitCost::ZERO);
        Ok((next, Some(event)))
    }

    /// What one unit costs that comes in at no stated cost, or goes out beyond what is there.
    fn current_cost(&self, terms: &Terms<'_>) -> Result<UnitCost, StockError> {
        let free = terms.site.policy.allow_zero_cost.then_some(UnitCost::ZERO);
        self.unit_cost(terms)
            .or(free)
            .ok_or(StockError::CostUnknown)
    }

    /// Moves the goods through the valuation.
    fn move_goods(
        &mut self,
        change: &Change,
        occurred_at: Timestamp,
        terms: &Terms<'_>,
    ) -> Result<Worth, StockError> {
        let costing = terms.costing();
        let blank = CostPart {
            source: change.id,
            cause: change.cause,
            received_at: occurred_at,
            quantity: change.quantity.abs(),
            unit_cost: UnitCost::ZERO,
            value: Value::ZERO,
            cost_unknown: false,
        };
        if change.quantity.is_zero() {
            return Ok(Worth::default());
        }
        let moved = if change.quantity.is_negative() {
            let out = change.quantity.abs();
            let shortage = if out > self.quantity.max(Quantity::ZERO) {
                CostPart {
                    unit_cost: self.current_cost(terms)?,
                    ..blank
                }
            } else {
                blank
            };
            let (on_hand, pick) = (self.quantity, &change.pick);
            let (parts, value_change) = self
                .valuation
                .take_out(on_hand, out, pick, &shortage, costing)?;
            Worth {
                parts,
                value_change,
                difference: Value::ZERO,
            }
        } else {
            let (parts, worth) = self.incoming(change, &blank, terms)?;
            let put_in = self
                .valuation
                .put_in(self.quantity, &parts, worth, costing)?;
            Worth {
                parts,
                value_change: put_in.value_change,
                difference: put_in.difference,
            }
        };
        moved.against(change)
    }

    /// The parts of what comes in, and what they are worth where the site's method has no say in it.
    fn incoming(
        &self,
        change: &Change,
        blank: &CostPart,
        terms: &Terms<'_>,
    ) -> Result<(Vec<CostPart>, Option<Value>), StockError> {
        let together = |value: Value| {
            let unit_cost = value.per_unit(change.quantity)?;
            Ok::<_, StockError>(vec![CostPart {
                unit_cost,
                value,
                ..blank.clone()
            }])
        };
        Ok(match &change.cost {
            IncomingCost::Parts(parts, worth) => (parts.clone(), Some(*worth)),
            IncomingCost::Returned(value) => (together(*value)?, Some(*value)),
            IncomingCost::Total(value) => (together(*value)?, None),
            IncomingCost::PerUnit(cost) => (vec![costed(blank, *cost, terms)?], None),
            IncomingCost::Current => (vec![costed(blank, self.current_cost(terms)?, terms)?], None),
            IncomingCost::Unknown => {
                let unknown = CostPart {
                    cost_unknown: true,
                    ..blank.clone()
                };
                (vec![unknown], None)
            }
        })
    }

    /// What a movement that the level has no part in is worth. A reversal takes back what the event was worth: nothing
    /// of it is in the level.
    fn priced(
        &self,
        change: &Change,
        occurred_at: Timestamp,
        terms: &Terms<'_>,
    ) -> Result<Worth, StockError> {
        let taken_back = match (&change.reverses, &change.cost, &change.pick) {
            (Some(_), IncomingCost::Parts(parts, worth), _) if change.quantity.is_positive() => {
                Some((parts, *worth))
            }
            (Some(_), _, Pick::Back(parts, worth)) if change.quantity.is_negative() => {
                Some((parts, worth.negated()))
            }
            (None | Some(_), _, _) => None,
        };
        match taken_back {
            Some((parts, value_change)) => Worth {
                parts: parts.clone(),
                value_change,
                difference: Value::ZERO,
            }
            .against(change),
            None => self.clone().move_goods(change, occurred_at, terms),
        }
    }

    /// Books a late movement on its date and balances it at the moment that knew better, or, when that is
    /// closed, where the books open. The value stays: what was counted then was costed then.
    pub(super) fn absorb(
        &self,
        change: Change,
        Covering { known, at }: Covering,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let link = change.reverses;
        let occurred_at = link.map_or(change.occurred_at.unwrap_or(terms.at), |_| {
            self.reversal_date(change.occurred_at, terms)
        });
        let timed = link.map_or(change.occurred_at.is_some(), |back| back.link.timed);
        check_date(occurred_at, terms)?;
        let moved = change.quantity.abs();
        if self.key.serial.is_some() && link.is_none() && moved != Quantity::ONE {
            return Err(StockError::SerialQuantity { quantity: moved });
        }
        let worth = self.priced(&change, occurred_at, terms)?;
        let mut between = self.clone();
        between.quantity = self.quantity.checked_add(change.quantity)?;
        between.sequence = self.sequence.checked_add(1).ok_or(StockError::OutOfRange)?;
        let mut next = self.clone();
        next.knowledge = self.noticing(terms);
        next.sequence = between
            .sequence
            .checked_add(1)
            .ok_or(StockError::OutOfRange)?;
        next.updated_at = terms.at;
        let balance = Change {
            id: StockEventId::new(Uuid::new_v5(&change.id.as_uuid(), b"absorption")),
            kind: StockEventKind::Absorption,
            quantity: change.quantity.negated(),
            reason: None,
            cause: known.cause,
            of: None,
            reverses: None,
            ..change.clone()
        };
        let dated = (occurred_at, timed);
        let late = event_of(change, (self, &between), worth.clone(), dated, terms)?;
        let moment = (at.max(occurred_at), true);
        let mut counter = event_of(balance, (&between, &next), worth.negated(), moment, terms)?;
        counter.absorbs = Some(EventLink {
            event: late.id,
            ..late.moment()
        });
        Ok((next, vec![late, counter]))
    }
}

fn costed(blank: &CostPart, cost: UnitCost, terms: &Terms<'_>) -> Result<CostPart, StockError> {
    let value = Value::of(blank.quantity, cost, terms.currency())?;
    Ok(CostPart {
        unit_cost: cost,
        value,
        ..blank.clone()
    })
}

fn check_date(occurred_at: Timestamp, terms: &Terms<'_>) -> Result<(), StockError> {
    if let Some(closed_until) = terms.site.policy.closed_until
        && occurred_at < closed_until
    {
        return Err(StockError::PeriodClosed { closed_until });
    }
    Ok(())
}

/// What a movement is worth.
#[derive(Clone, Debug, Default)]
struct Worth {
    parts: Vec<CostPart>,
    value_change: Value,
    difference: Value,
}

impl Worth {
    /// Of a reversal, the difference is what it and the event that it takes back don't sum to nothing by.
    fn against(self, change: &Change) -> Result<Self, StockError> {
        let difference = match change.reverses {
            Some(back) => self.value_change.checked_add(back.value_change)?,
            None => self.difference,
        };
        Ok(Self { difference, ..self })
    }

    /// The same the other way round.
    fn negated(self) -> Self {
        Self {
            value_change: self.value_change.negated(),
            difference: self.difference.negated(),
            ..self
        }
    }
}

fn event_of(
    change: Change,
    (before, after): (&StockLevel, &StockLevel),
    worth: Worth,
    (occurred_at, timed): (Timestamp, bool),
    terms: &Terms<'_>,
) -> Result<StockEvent, StockError> {
    let Worth {
        parts,
        value_change,
        difference,
    } = worth;
    let mut cost = Value::ZERO;
    for part in &parts {
        cost = cost.checked_add(part.value)?;
    }
    // What leaves is costed by the site's method, what comes in by what it cost.
    let cost = if change.quantity.is_negative() {
        value_change
    } else {
        cost
    };
    let unit_cost = if change.quantity.is_zero() {
        UnitCost::ZERO
    } else {
        cost.abs().per_unit(change.quantity.abs())?
    };
    Ok(StockEvent {
        id: change.id,
        key: after.key.clone(),
        sequence: after.sequence,
        kind: change.kind,
        change: change.quantity,
        before: before.quantity,
        after: after.quantity,
        unit_cost,
        value_change,
        difference,
        parts,
        occurred_at,
        timed,
        recorded_at: terms.at,
        recorded_by: terms.by,
        reason: change.reason,
        reference: change.reference,
        cause: change.cause,
        of: change.of,
        reverses: change.reverses.map(|back| back.link),
        absorbs: None,
        within_tolerance: false,
        learned: None,
    })
}
