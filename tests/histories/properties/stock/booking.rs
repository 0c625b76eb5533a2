//! What a movement, an absolute value, a posted line and a reversal do to a key, and with which events.

use stocktake::domain::{Cause, StockEvent, StockEventId, StockEventKind, StockKey};

use super::feed::Feed;
use super::key::{Key, nobody};
use super::moment::{Fact, Knower, Known, Moment};

/// Reads the events of something that is taken back. Which events those are is the library's choice, as long as
/// each is reversed once, what was to be reversed is, and the level is right afterwards.
pub(super) fn consume_reversals(
    keys: &mut [(&StockKey, &mut Key)],
    wanted: &[StockEventId],
    feed: &mut Feed<'_>,
) -> Result<(), String> {
    if feed.events.is_none() {
        for (_, model) in keys.iter_mut() {
            model.sequence += 1;
            model.stocked_open = true;
            model.taken_back.extend(wanted);
        }
    }
    let is_one = |event: &StockEvent| {
        matches!(
            event.kind,
            StockEventKind::Reversal | StockEventKind::Absorption
        )
    };
    let of_key = |event: &StockEvent, keys: &[(&StockKey, &mut Key)]| {
        keys.iter().position(|(key, _)| **key == event.key)
    };
    let mut left = wanted.to_vec();
    while let Some(event) = feed.take_if(|event| is_one(event) && of_key(event, keys).is_some()) {
        let place = of_key(event, keys).ok_or("an event of another key")?;
        let model = &mut *keys[place].1;
        model.sequence += 1;
        model.stocked_open = true;
        if let Some(link) = event.reverses {
            ensure!(
                model.taken_back.insert(link.event),
                "reversed twice: {event:?}"
            );
            if let Some(place) = left.iter().position(|id| *id == link.event) {
                left.remove(place);
            }
        }
    }
    ensure!(
        feed.events.is_none() || left.is_empty(),
        "not reversed: {left:?}"
    );
    Ok(())
}

impl Key {
    pub(super) fn is_absorbed(&self, stated: Option<i64>) -> bool {
        let (Some(at), Some(known)) = (stated, self.last_known()) else {
            return false;
        };
        let fact = Moment::of(self.sequence + 1, (at, true), at);
        self.covers(&known.moment, &fact)
    }

    pub(super) fn add_fact<'a>(
        &mut self,
        key: &StockKey,
        (kind, change): (StockEventKind, i64),
        stated: Option<i64>,
        now: i64,
        feed: &mut Feed<'a>,
    ) -> Result<Option<&'a StockEvent>, String> {
        self.notice(now);
        let absorbed = self.is_absorbed(stated);
        let at = stated.unwrap_or(self.now(now));
        let absorbed_by = self.last_known().map(|known| known.by);
        let absorbed_by = absorbed_by.filter(|_| absorbed);
        let cause = absorbed_by.map(Knower::cause);
        self.sequence += 1;
        let moment = Moment::of(self.sequence, (at, stated.is_some()), now);
        let event = feed.take()?;
        if let Some(event) = event {
            ensure!(
                event.key == *key
                    && event.kind == kind
                    && event.change.micros() == change
                    && event.occurred_at.micros() == at
                    && event.timed == moment.timed
                    && event.cause == Cause::Movement
                    && event.reverses.is_none(),
                "expected {kind:?} {change} at {at}: {event:?}"
            );
        }
        let id = event.map_or(nobody(), |event| event.id);
        self.facts.push(Fact {
            id,
            moment,
            change,
            stands: true,
            absorbed_by,
        });
        if absorbed {
            self.sequence += 1;
            if let Some(counter) = feed.take()? {
                ensure!(
                    counter.key == *key
                        && counter.kind == StockEventKind::Absorption
                        && counter.change.micros() == -change
                        && counter.absorbs.is_some_and(|late| late.event == id)
                        && Some(counter.cause) == cause,
                    "expected the counter-event of {id}: {counter:?}"
                );
            }
        } else {
            self.stocked = true;
            self.cost_known |= change > 0;
        }
        Ok(event)
    }

    pub(super) fn add_reset(
        &mut self,
        key: &StockKey,
        (kind, there): (StockEventKind, i64),
        now: i64,
        feed: &mut Feed<'_>,
    ) -> Result<(), String> {
        self.notice(now);
        let (at, change) = (self.now(now), there - self.level());
        self.sequence += 1;
        let event = feed.take()?;
        if let Some(event) = event {
            ensure!(
                event.key == *key
                    && event.kind == kind
                    && event.change.micros() == change
                    && event.occurred_at.micros() == at
                    && !event.timed,
                "expected {kind:?} {change} at {at}: {event:?}"
            );
        }
        self.cost_known |= change > 0;
        self.stocked = kind != StockEventKind::Removed;
        if !self.stocked {
            self.reserved = 0;
        }
        self.learn(Known {
            by: Knower::Event(event.map_or(nobody(), |event| event.id)),
            moment: Moment {
                after: self.learned(),
                ..Moment::of(self.sequence, (at, false), now)
            },
            there,
        });
        Ok(())
    }

    /// Books the variance of a posted line, and what it knew.
    pub(crate) fn post_line(
        &mut self,
        key: &StockKey,
        known: Known,
        (feed, now): (&mut Feed<'_>, i64),
    ) -> Result<Option<StockEventId>, String> {
        self.notice(now);
        let change = self.level_after(known.moment, known.there) - self.level();
        if known.moment.told.is_none() {
            // The clock of the count had seen these.
            self.notice_by(known.moment.clock, known.moment.seen);
        }
        let mut id = None;
        if change != 0 {
            self.sequence += 1;
            self.stocked = true;
            if let Some(event) = feed.take()? {
                ensure!(
                    event.key == *key
                        && event.kind == StockEventKind::CountVariance
                        && event.change.micros() == change
                        && event.occurred_at.micros() == known.moment.at
                        && event.cause == known.by.cause(),
                    "expected a variance of {change} at {}: {event:?}",
                    known.moment.at
                );
                id = Some(event.id);
            }
        }
        self.learn(known);
        self.notice(now);
        Ok(id)
    }

    /// Takes a movement back, and what it knew. Tells whether it had stated its time.
    pub(super) fn take_back(&mut self, id: StockEventId) -> bool {
        self.forget(Knower::Event(id));
        let mut timed = false;
        for fact in self.facts.iter_mut().filter(|fact| fact.id == id) {
            fact.stands = false;
            timed = fact.moment.timed;
        }
        timed
    }
}
