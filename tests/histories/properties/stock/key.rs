//! One stock key: facts and knowledge, and what they come to.

use std::collections::BTreeSet;

use stocktake::domain::{StockEventId, StockKey};

use super::super::amounts::{ONE, per_unit};
use super::moment::{AHEAD, Fact, Knower, Known, Moment};
use super::{Codes, Policy};

/// A layer of goods: where they came from, how many, what they are worth, and when they were received.
pub(super) type Layer = (StockEventId, i64, i128, i64);

/// What a key had had when a line was added for it, or when its take began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    /// So many events.
    sequence: u64,
    /// Whether the take had begun.
    begun: bool,
    /// So many moments of knowledge.
    known: u64,
    /// What the clock said when the line was added.
    clock: i64,
}

/// One stock key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    pub(super) facts: Vec<Fact>,
    pub(crate) known: Vec<Known>,
    /// How many events it has had.
    pub(crate) sequence: u64,
    /// What the events add up to; the level as it follows from facts and knowledge is [`Key::level`].
    pub(crate) booked: i64,
    pub(crate) stocked: bool,
    /// Whether `stocked` is for the library to decide: something was taken back and nothing is left.
    pub(crate) stocked_open: bool,
    pub(crate) reserved: i64,
    /// Whether anything ever came in.
    pub(super) cost_known: bool,
    pub(crate) layers: Vec<Layer>,
    pub(crate) value: i128,
    /// Every moment of knowledge that there was, also what was taken back: their dates were right all the same.
    pub(super) moments_known: Vec<Moment>,
    /// Of each event, whether it stated its time, its time, and when it was recorded.
    pub(crate) events: Vec<(bool, i64, i64)>,
    /// Of each event, by how much it changed what is there.
    pub(super) changes: Vec<i64>,
    /// Of each event, where it belongs: that of a reversal is of what it takes back.
    pub(super) moments: Vec<Moment>,
    /// When it last changed.
    pub(crate) updated_at: i64,
    pub(super) taken_back: BTreeSet<StockEventId>,
}

impl Key {
    pub(crate) fn last_known(&self) -> Option<&Known> {
        self.known.last()
    }

    /// What must be on hand.
    pub(crate) fn level(&self) -> i64 {
        self.level_by(self.last_known())
    }

    pub(super) fn level_by(&self, known: Option<&Known>) -> i64 {
        let is_absorbed = |fact: &&Fact| {
            let by = fact.absorbed_by;
            by.is_some_and(|by| self.known.iter().any(|known| known.by == by))
        };
        let since: i64 = self
            .facts
            .iter()
            .filter(|fact| fact.stands && !is_absorbed(fact))
            .filter(|fact| known.is_none_or(|known| !self.covers(&known.moment, &fact.moment)))
            .map(|fact| fact.change)
            .sum();
        known.map_or(0, |known| known.there) + since
    }

    /// Whether something had happened by a moment: by itself, or by one that was known before it.
    pub(super) fn covers(&self, moment: &Moment, fact: &Moment) -> bool {
        let earlier = |known: &Moment| known.seen <= moment.after && known.at <= moment.at;
        let mut earlier = self.moments_known.iter().filter(|known| earlier(known));
        moment.covers(fact) || earlier.any(|known| known.covers(fact))
    }

    /// What must be on hand once it is known that so many were there.
    pub(crate) fn level_after(&self, moment: Moment, there: i64) -> i64 {
        let by = Knower::Event(nobody());
        self.level_by(Some(&Known { by, moment, there }))
    }

    /// When something happens that states no time: now, after all that is known.
    pub(super) fn now(&self, now: i64) -> i64 {
        let reliable =
            |known: &&Known| known.moment.ahead_since.is_none() && !known.moment.is_ahead_of(now);
        let known = self.last_known().filter(reliable);
        known.map_or(now, |known| now.max(known.moment.at + 1))
    }

    /// Something is recorded now: what was known later than that was known by a clock that was ahead.
    pub(crate) fn notice(&mut self, now: i64) {
        self.notice_by(now, u64::MAX);
    }

    /// The same, of so many moments of knowledge.
    pub(super) fn notice_by(&mut self, now: i64, many: u64) {
        let sequence = self.sequence;
        let known = self.known.iter_mut().map(|known| &mut known.moment);
        for moment in known.chain(&mut self.moments_known) {
            if moment.seen <= many && moment.is_ahead_of(now) {
                moment.ahead_since.get_or_insert(sequence);
                moment.ahead_by = Some(moment.ahead_by.map_or(now, |by| by.min(now)));
            }
        }
    }

    /// A moment of counting as it is seen now: whether the clock was ahead then.
    pub(crate) fn in_hindsight(&self, moment: &Moment, now: i64) -> Moment {
        let told = moment.told.unwrap_or(moment.sequence);
        let later = self.events.iter().skip(usize_of(told));
        let earliest = later.map(|(_, _, recorded)| *recorded).fold(now, i64::min);
        let (ahead, after) = match moment.told {
            // It was that of a device. What is known of a later time supersedes it, unless its clock tells nothing.
            Some(_) if moment.at > earliest + AHEAD => (true, moment.seen),
            Some(_) => (false, self.learned()),
            None => (moment.is_ahead_of(earliest), moment.after),
        };
        Moment {
            ahead_since: ahead.then_some(told),
            ahead_by: ahead.then_some(earliest),
            clock: if ahead { earliest } else { moment.clock },
            after,
            ..*moment
        }
    }

    /// The moment of a count that is made now.
    pub(crate) fn counted_now(&self, now: i64) -> Moment {
        let known = self.last_known().map_or(0, |known| known.moment.seen);
        Moment {
            seen: known,
            after: known,
            ..Moment::of(self.sequence, (self.now(now), true), now)
        }
    }

    /// The moment of a count that was made at a stated time and is told now, and what the book says of it.
    pub(crate) fn counted_at(&self, at: i64) -> (Moment, i64) {
        let all = 0..self.moments.len();
        let sequence = all.clone().find(|nth| self.happened(*nth, i64::MAX) > at);
        let sequence = sequence.map_or(self.sequence, number);
        let moment = Moment {
            seen: self.last_known().map_or(0, |known| known.moment.seen),
            told: Some(self.sequence),
            ..Moment::of(sequence, (at, true), at)
        };
        let by_then = |nth: &usize| number(*nth) < sequence || moment.covers(&self.moments[*nth]);
        let book = all.filter(by_then).map(|nth| self.changes[nth]).sum();
        (moment, book)
    }

    /// When an event had happened, going by what was recorded by `now`: whatever the clock said, it had when the next was
    /// recorded, or the key was touched otherwise.
    fn happened(&self, nth: usize, now: i64) -> i64 {
        let later = self.events[nth + 1..].iter();
        let later = later.map(|(_, _, recorded)| *recorded);
        let later = later.filter(|recorded| *recorded <= now);
        let dated = self.moments[nth].clock.min(self.events[nth].2 + AHEAD);
        let happened = later.fold(dated, i64::min);
        let by_event = self
            .events
            .last()
            .is_some_and(|last| last.2 == self.updated_at);
        if by_event {
            happened
        } else {
            happened.min(self.updated_at)
        }
    }

    /// What it had had when a line was added: of a take that had begun, when it began.
    pub(crate) fn at_beginning(&self, began_at: Option<i64>, now: i64) -> Beginning {
        let known = self.last_known().map(|known| known.moment);
        let Some(at) = began_at else {
            return Beginning {
                sequence: self.sequence,
                begun: false,
                known: known.map_or(0, |known| known.seen),
                clock: now,
            };
        };
        // What was recorded later than now, was so before the clock was put right.
        let by_right_clock = |nth: &usize| self.updated_at > at && self.events[*nth].2 <= now;
        let mut later = (0..self.moments.len()).filter(by_right_clock);
        let after = later.find(|nth| self.happened(*nth, now) > at);
        let sequence = after.map_or(self.sequence, number);
        let by_then = |known: &Moment| {
            let was_ahead = known.ahead_since.is_some() || known.is_ahead_of(now);
            known.sequence <= sequence && (known.at <= at || was_ahead)
        };
        Beginning {
            sequence,
            begun: true,
            known: known.filter(by_then).map_or(0, |known| known.seen),
            clock: now,
        }
    }

    /// The moment at which a take began, of a line that was added when there had been so much.
    pub(crate) fn began(&self, line: Beginning, at: i64, now: i64) -> Moment {
        let began = self.began_by(line, at, now, false);
        // What was recorded after a take began tells what the clock said since, whatever it is dated.
        let told = line.begun.then_some(line.sequence);
        let since = Moment {
            sequence: told.unwrap_or(began.sequence),
            ..began
        };
        let seen = self.in_hindsight(&since, now);
        if seen.ahead_since.is_none() {
            return began;
        }
        let began = self.began_by(line, at, now, true);
        Moment {
            ahead_since: Some(began.sequence),
            ahead_by: seen.ahead_by,
            clock: seen.clock,
            ..began
        }
    }

    fn began_by(&self, line: Beginning, at: i64, now: i64, ahead: bool) -> Moment {
        let mut began = Moment {
            after: if ahead { line.known } else { self.learned() },
            ahead_since: ahead.then_some(line.sequence),
            ..Moment::of(line.sequence, (at, true), at)
        };
        // Up to where the clock was set back it tells what was recorded before the take began, unless it was since.
        let mut clock_tells = !line.begun && at <= now;
        let mut recorded = line.clock;
        for (nth, next) in (0..).zip(&self.moments).skip(usize_of(line.sequence)) {
            clock_tells = clock_tells && self.events[usize_of(nth)].2 >= recorded;
            recorded = self.events[usize_of(nth)].2;
            let is_new = next.sequence == nth + 1;
            // Only of a clock that was ahead it is asked what was known by then: another tells by itself.
            let covered = if ahead {
                self.covers(&began, next)
            } else {
                began.covers(next)
            };
            let before = next.found || covered || (clock_tells && is_new && next.at < at);
            if before && began.sequence == nth {
                began.sequence += 1;
            }
        }
        began
    }

    /// How much of what was there at a moment turned out to have been there, because it has left since.
    pub(crate) fn had_left(&self, began: &Moment) -> i64 {
        let since = self.facts.iter().filter(|fact| fact.stands);
        let since = since.filter(|fact| !self.covers(began, &fact.moment));
        let since: Vec<i64> = since.map(|fact| fact.change).collect();
        let book = self.level() - since.iter().sum::<i64>();
        let left: i64 = since.iter().map(|change| (-change).max(0)).sum();
        left.min(book.max(0))
    }

    /// Whether more was known later than a take began, or may have been: a clock was ahead at one of both moments.
    pub(crate) fn supersedes_beginning(&self, line: Beginning, began: &Moment, now: i64) -> bool {
        self.last_known().is_some_and(|known| {
            let last = &known.moment;
            let ahead_by = last.ahead_by.or(last.is_ahead_of(now).then_some(now));
            if last.seen <= line.known {
                return false;
            }
            match (ahead_by, began.ahead_since) {
                _ if last.sequence > began.sequence => true,
                // It was known by then.
                (Some(by), None) => by > began.at,
                (None, Some(_)) => last.timed,
                (_, _) => last.timed && last.at > began.at,
            }
        })
    }

    /// Whether more was known later than this: not what was known already when it was counted.
    pub(crate) fn supersedes(&self, moment: &Moment, now: i64) -> bool {
        let Some(Known { moment: last, .. }) = self.last_known() else {
            return false;
        };
        let ahead_by = last.ahead_by.or(last.is_ahead_of(now).then_some(now));
        match (moment.told, ahead_by) {
            // It was made by the time when it was told.
            (Some(_), _) if !last.timed && last.seen > moment.seen => true,
            // It was no later than that.
            (Some(_), Some(by)) if moment.ahead_since.is_none() => moment.at < by,
            (Some(told), _) => {
                let by_then = last.at <= moment.at && (last.timed || last.sequence <= told);
                let told_since = moment.ahead_since.is_some() && last.seen > moment.seen;
                told_since || (!by_then && (last.timed || last.sequence > moment.sequence))
            }
            (None, _) => {
                let ahead =
                    moment.ahead_since.or(last.ahead_since).is_some() || last.is_ahead_of(now);
                last.seen > moment.seen && (!last.timed || ahead || last.at > moment.at)
            }
        }
    }

    /// Whether a movement stands that happened after a moment, and was recorded after it.
    pub(crate) fn moved_since(&self, moment: &Moment) -> bool {
        self.facts
            .iter()
            .any(|fact| fact.stands && !self.covers(moment, &fact.moment))
    }

    /// Whether anything at all was recorded after a moment that is not dated before it.
    pub(crate) fn stirred_since(&self, moment: &Moment) -> bool {
        let since = usize::try_from(moment.sequence).unwrap();
        let later = self.events.get(since..).unwrap_or_default();
        let ahead = moment.ahead_since.is_some();
        let after = |(timed, at, _): &(bool, i64, i64)| !timed || *at > moment.at || ahead;
        later.iter().any(after)
    }

    /// Whether it is known what an increase costs that states no cost, and what goes out beyond what is there.
    pub(crate) fn has_cost(&self, on_hand: i64, policy: &Policy<'_>) -> bool {
        on_hand > 0
            || self.cost_known
            || policy.elsewhere
            || policy.product.standard_cost(policy.site.currency).is_some()
            || policy.site.policy.allow_zero_cost
    }

    /// The cost that a count is valued at, as far as it can be told without the last known cost.
    pub(crate) fn average(&self) -> Option<i64> {
        (self.booked > 0).then(|| per_unit(self.value, self.booked))
    }

    /// Forgets what a document knew, and tells whether it knew anything.
    pub(crate) fn forget(&mut self, by: Knower) -> bool {
        let before = self.known.len();
        self.known.retain(|known| known.by != by);
        let last = self.known.last().copied();
        let covering = |fact: &Fact| {
            let covers = |known: &Known| self.covers(&known.moment, &fact.moment);
            last.filter(covers).map(|known| known.by)
        };
        let of_it = |fact: &Fact| fact.absorbed_by == Some(by);
        let absorbed = self.facts.iter().map(|fact| {
            if of_it(fact) {
                covering(fact)
            } else {
                fact.absorbed_by
            }
        });
        let absorbed: Vec<Option<Knower>> = absorbed.collect();
        for (fact, by) in self.facts.iter_mut().zip(absorbed) {
            fact.absorbed_by = by;
        }
        self.known.len() < before
    }

    pub(crate) fn learn(&mut self, mut known: Known) {
        known.moment.seen = self.learned() + 1;
        self.known.push(known);
        self.moments_known.push(known.moment);
    }

    /// How many moments of knowledge there were.
    pub(super) fn learned(&self) -> u64 {
        u64::try_from(self.moments_known.len()).unwrap()
    }

    /// What a change that is not absorbed runs into.
    pub(crate) fn refusals(
        &self,
        key: &StockKey,
        before: i64,
        after: i64,
        policy: &Policy<'_>,
    ) -> Codes {
        let mut codes = Codes::new();
        if after < before && after < 0 && !policy.site.policy.allow_negative {
            codes.push("insufficient_stock");
        }
        if key.serial.is_some() && after != before && (after > ONE || after % ONE != 0) {
            codes.push("serial_conflict");
        }
        codes
    }
}

pub(super) fn nobody() -> StockEventId {
    StockEventId::new(uuid::Uuid::nil())
}

fn number(nth: usize) -> u64 {
    u64::try_from(nth).unwrap()
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap()
}
