//! The rule for stock that moves while it is counted (S6.2).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::knowledge::{Knowledge, dated_until, is_set_back};
use super::{
    Count, CountError, DecimalError, EventLink, FUTURE_TOLERANCE_MICROS, Known, LineOutcome,
    LineProblem, Quantity, StockEvent, StockEventId, StockEventKind, StockLevel, Timestamp,
};

/// What a take does about stock that moves while it is counted (S6.2).
///
/// Whatever the policy, a line is not posted when the truth became known after it was counted: by a count that was made
/// later and is posted already, or by an absolute value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementPolicy {
    /// Posts `counted - (book at the count + what was recorded later but had happened by then)`: whatever
    /// moved after the count stays moved. A line that was superseded is told and passed over.
    #[default]
    KeepMovements,
    /// Makes the level match the count, whatever moved since. A line that was superseded is told and passed over.
    MatchCount,
    /// Refuses to post a line whose stock moved after it was counted, between two parts of its count, or that was
    /// superseded, and tells the moves, or what superseded it.
    RefuseMoved,
}

/// The moment at which a line was counted: when, and what the book said.
///
/// The key's own sequence stands for the ledger position: the level and its sequence are one record, so a
/// count reads both in one go, and posting asks for the key's events after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountMoment {
    /// When it was counted. Where nobody said when, it was now, and never before what the key already knew, unless the
    /// clock was ahead then.
    pub at: Timestamp,
    /// What the clock said; if it turned out to have been ahead, the earliest time that it said since.
    pub clock: Timestamp,
    /// The number of the last moment at which the truth about the key was known then, 0 for none
    /// ([`Known::number`](super::Known::number)).
    pub known: u64,
    /// Whether the clock turned out to have been ahead, when the count was posted: the time says nothing then.
    pub ahead: bool,
    /// Whether the counter said when: a device that was offline tells its counts later than it makes them.
    pub stated: bool,
    /// So many of the key's events had all happened by then.
    pub sequence: u64,
    /// So many events the key had had when the count was told: more than `sequence` when it was told late.
    pub told: u64,
    /// What the book said of that moment when the count was told.
    pub book: Quantity,
}

impl CountMoment {
    /// The moment of counting a key now. `None` stands for a key that nothing has happened to.
    pub fn of(level: Option<&StockLevel>, now: Timestamp) -> Self {
        let known = level.and_then(StockLevel::known);
        let sequence = level.map_or(0, StockLevel::sequence);
        let at = known
            .filter(|known| !known.is_from_the_future() && known.clock <= now)
            .map_or(now, |known| now.max(known.at.later_by(1)));
        Self {
            at,
            clock: now,
            known: known.map_or(0, |known| known.number),
            ahead: false,
            stated: false,
            sequence,
            told: sequence,
            book: level.map_or(Quantity::ZERO, StockLevel::quantity),
        }
    }

    /// The moment of a count that was made at a stated time and is told now. `recent` are the key's last events, in
    /// their order: as far back as any that happened after that time.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`].
    pub fn stated(
        level: Option<&StockLevel>,
        recent: &[StockEvent],
        at: Timestamp,
    ) -> Result<Self, DecimalError> {
        let told = level.map_or(0, StockLevel::sequence);
        let first_after = first_after(level, recent, at, None);
        let mut moment = Self {
            at,
            clock: at,
            known: level
                .and_then(StockLevel::known)
                .map_or(0, |known| known.number),
            ahead: false,
            stated: true,
            sequence: first_after.map_or(told, |event| event.sequence.saturating_sub(1)),
            told,
            book: match first_after {
                Some(event) => event.before,
                None => level.map_or(Quantity::ZERO, StockLevel::quantity),
            },
        };
        let later = moment.sequence.saturating_add(1)..=told;
        for event in recent.iter().filter(|it| later.contains(&it.sequence)) {
            if moment.includes(event.moment(), &Dates::until(at)) {
                moment.book = moment.book.checked_add(event.change)?;
            }
        }
        Ok(moment)
    }

    /// Whether it is later than a stated moment, by a clock that has not been put right since.
    pub(super) fn is_later(&self, stated: &Self, now: Timestamp) -> bool {
        let was_ahead = !self.stated && self.at.min(self.clock) > now;
        stated.at < self.at && !was_ahead
    }

    /// The earliest time that the clock said since, if it was ahead when it was counted: when something was recorded after
    /// that, or when it is posted. A stated time is not the clock's; but where it has become one in the future since it
    /// was told, it was stated by a clock that was ahead as well.
    fn ahead_by(&self, later: &[StockEvent], now: Now) -> Option<Timestamp> {
        let recorded = later
            .iter()
            .filter(|event| event.sequence > self.told)
            .map(|event| event.recorded_at);
        let earliest = recorded.fold(now.at, Timestamp::min);
        let was_ahead = if self.stated {
            self.at > earliest.later_by(FUTURE_TOLERANCE_MICROS)
        } else {
            is_set_back(self.at.min(self.clock), earliest, now.tolerance_millis)
        };
        was_ahead.then_some(earliest)
    }

    /// The same moment, of a clock that was ahead.
    fn by_clock_ahead(self, ahead_by: Option<Timestamp>) -> Self {
        ahead_by.map_or(self, |clock| Self {
            ahead: true,
            clock,
            ..self
        })
    }

    /// Whether more was known later than this. What was known already when it was counted was not; else the times
    /// tell, as far as the clock could be relied on.
    fn is_superseded_by(&self, known: &Known, is_from_the_future: bool, now: Now) -> bool {
        if self.stated {
            if !known.timed && known.number > self.known {
                // It was made by the time when it was told.
                return true;
            }
            let is_ahead = is_set_back(known.at.min(known.clock), now.at, now.tolerance_millis);
            if !is_from_the_future && let Some(by) = known.ahead_by.or(is_ahead.then_some(now.at)) {
                // It was no later than that.
                return self.at < by;
            }
            let by_then = known.at <= self.at && (known.timed || known.sequence <= self.told);
            let told_since = is_from_the_future && known.number > self.known;
            return told_since || (!by_then && (known.timed || known.sequence > self.sequence));
        }
        let clock_was_ahead = is_from_the_future
            || known.is_from_the_future()
            || is_set_back(known.at.min(known.clock), now.at, now.tolerance_millis);
        known.number > self.known && (!known.timed || clock_was_ahead || known.at > self.at)
    }

    /// Whether something had happened by then.
    fn includes(&self, moment: EventLink, dates: &Dates) -> bool {
        self.had_in_book(moment) || dates.include(moment)
    }

    /// Whether the book had something when the count was told. Its reversal takes it out of the book, whenever that is
    /// dated.
    fn had_in_book(&self, moment: EventLink) -> bool {
        moment.sequence <= self.sequence
            || (moment.sequence <= self.told && moment.occurred_at <= self.at)
    }
}

/// What tells of a thing that it had happened by a count.
#[derive(Debug)]
struct Dates {
    /// It is dated up to this time, unless the clock was ahead.
    until: Option<Timestamp>,
    /// It had happened by a moment that was known by a time, when there had been so many.
    known: Option<(Box<Knowledge>, u64, Timestamp)>,
}

impl Dates {
    const fn until(until: Timestamp) -> Self {
        Self {
            until: Some(until),
            known: None,
        }
    }

    fn include(&self, moment: EventLink) -> bool {
        self.up_to_count(moment) || self.up_to_known(moment)
    }

    /// Whether the count's own time tells, or, of a clock that was ahead, what was known by then.
    fn tell(&self, moment: EventLink) -> bool {
        match self.until {
            Some(_) => self.up_to_count(moment),
            None => self.up_to_known(moment),
        }
    }

    /// What states no time of its own happened when it was recorded, so it is after a count that was told before, whatever
    /// the clock says.
    fn up_to_count(&self, moment: EventLink) -> bool {
        let until = self.until.filter(|_| moment.timed);
        until.is_some_and(|until| moment.occurred_at <= until)
    }

    fn up_to_known(&self, moment: EventLink) -> bool {
        let known = self.known.as_ref();
        known.is_some_and(|(knowledge, seen, at)| knowledge.by_known(moment, (*seen, *at)))
    }
}

/// The first of a key's last events that happened after a time. Whatever a clock said that was ahead, an event had happened
/// when the next one was recorded, or the key was touched otherwise. What was recorded at a later time than `now`, if that
/// is given, was so before the clock was put right that tells the time: it happened before.
fn first_after<'e>(
    level: Option<&StockLevel>,
    recent: &'e [StockEvent],
    at: Timestamp,
    now: Option<Timestamp>,
) -> Option<&'e StockEvent> {
    let level = level?;
    let mut first = None;
    let touched = level.updated_at();
    let by_event = recent
        .last()
        .is_some_and(|last| last.recorded_at == touched);
    let mut recorded = (!by_event).then_some(touched);
    let happened = recent
        .iter()
        .rev()
        .filter(|it| it.sequence <= level.sequence());
    let by_right_clock = |it: &&StockEvent| now.is_none_or(|now| it.recorded_at <= now);
    for event in happened.filter(by_right_clock) {
        let belongs = event.moment();
        let dated = if belongs.found {
            // The count had been made when it was posted.
            belongs.occurred_at.min(event.recorded_at)
        } else {
            belongs.occurred_at
        };
        // What is taken back may be dated further ahead than what is recorded.
        let dated = dated.min(event.recorded_at.later_by(FUTURE_TOLERANCE_MICROS));
        if recorded.map_or(dated, |recorded| dated.min(recorded)) > at {
            first = Some(event);
        }
        let earliest = recorded.map_or(event.recorded_at, |it| it.min(event.recorded_at));
        recorded = Some(earliest);
    }
    first
}

/// When a line is posted, and by how much clocks may differ at its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What the clock says.
    pub at: Timestamp,
    /// The site's clock tolerance.
    pub tolerance_millis: u32,
}

/// When a count may have been made that states its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountPeriod {
    /// Not before the take, or the count, began.
    pub began_at: Timestamp,
    /// Not in a closed period.
    pub closed_until: Option<Timestamp>,
    /// Not in the future: five minutes are allowed for, by which clocks may differ.
    pub now: Timestamp,
}

impl CountPeriod {
    /// Whether a count may have been made then.
    ///
    /// # Errors
    ///
    /// [`CountError::FutureDated`], [`CountError::PeriodClosed`], [`CountError::BeforeStart`].
    pub fn check(&self, counted_at: Timestamp) -> Result<(), CountError> {
        if counted_at > self.now.later_by(FUTURE_TOLERANCE_MICROS) {
            return Err(CountError::FutureDated { counted_at });
        }
        if let Some(closed_until) = self.closed_until
            && counted_at < closed_until
        {
            return Err(CountError::PeriodClosed { closed_until });
        }
        // A clock that says an earlier time by now was ahead when it began.
        if counted_at < self.began_at && self.began_at <= self.now {
            let began_at = self.began_at;
            return Err(CountError::BeforeStart { began_at });
        }
        Ok(())
    }
}

/// What the book said of a key when a line was added for it: of a take that was being counted already, what it said
/// when the take began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// How many events the key had had.
    pub sequence: u64,
    /// What the book said.
    pub book: Quantity,
    /// Whether the take had begun: what is recorded later and states no time is after its beginning then.
    pub begun: bool,
    /// The number of the last moment at which the truth about the key was known then, 0 for none
    /// ([`Known::number`](super::Known::number)).
    #[serde(default)]
    pub known: u64,
    /// What the clock said when the line was added.
    #[serde(default)]
    pub clock: Option<Timestamp>,
}

impl Beginning {
    /// What the book says now, when the clock says `clock`, for a take that has not begun. `None` stands for a key that
    /// nothing has happened to.
    pub fn now(level: Option<&StockLevel>, clock: Timestamp) -> Self {
        Self {
            sequence: level.map_or(0, StockLevel::sequence),
            book: level.map_or(Quantity::ZERO, StockLevel::quantity),
            begun: false,
            known: level
                .and_then(StockLevel::known)
                .map_or(0, |known| known.number),
            clock: Some(clock),
        }
    }

    /// What the book said when a take began that is being counted, of a line that is added when the clock says `clock`.
    /// `recent` are the key's last events, in their order: as far back as any that happened after that moment.
    pub fn at(
        level: Option<&StockLevel>,
        recent: &[StockEvent],
        at: Timestamp,
        clock: Timestamp,
    ) -> Self {
        let now = Self {
            begun: true,
            ..Self::now(level, clock)
        };
        let first_after = first_after(level, recent, at, Some(clock));
        let began = first_after.map_or(now, |event| Self {
            sequence: event.sequence.saturating_sub(1),
            book: event.before,
            ..now
        });
        let known = level.and_then(StockLevel::known).filter(|known| {
            let was_ahead = known.is_from_the_future() || known.at.min(known.clock) > clock;
            known.sequence <= began.sequence && (known.at <= at || was_ahead)
        });
        Self {
            known: known.map_or(0, |known| known.number),
            ..began
        }
    }

    /// The moment at which the take began, with the book of it as far as it has been recorded by now, and which dates are
    /// those of things that had happened by then.
    fn moment(
        &self,
        began_at: Timestamp,
        key: &KeyHistory<'_>,
    ) -> Result<(CountMoment, Dates), DecimalError> {
        let dates = Dates {
            until: Some(began_at),
            ..key.known_dates(u64::MAX, began_at)
        };
        let moment = self.with_book(began_at, key, &dates)?;
        // What was recorded after a take began tells what the clock said since, whatever it is dated.
        let since = CountMoment {
            told: if self.begun {
                self.sequence
            } else {
                moment.told
            },
            ..moment
        };
        let ahead_by = since.ahead_by(key.later, key.now);
        if ahead_by.is_none() {
            return Ok((moment, dates));
        }
        let dates = key.known_dates(self.known, began_at);
        let moment = self.with_book(began_at, key, &dates)?;
        Ok((moment.by_clock_ahead(ahead_by), dates))
    }

    /// A list begins without writing its lines, so the clock tells what was recorded between a line's adding and that: up
    /// to where it was set back, and nothing if it was set back since. What a count found that is not newer was there.
    fn with_book(
        &self,
        began_at: Timestamp,
        key: &KeyHistory<'_>,
        dates: &Dates,
    ) -> Result<CountMoment, DecimalError> {
        let mut moment = CountMoment {
            at: began_at,
            clock: began_at,
            known: self.known,
            ahead: false,
            stated: false,
            sequence: self.sequence,
            told: self.sequence,
            book: self.book,
        };
        let tolerance = key.now.tolerance_millis;
        let mut clock_tells = !self.begun && !is_set_back(began_at, key.now.at, tolerance);
        let mut recorded = self.clock;
        for event in key.later {
            let belongs = event.moment();
            let was_set_back =
                recorded.is_some_and(|then| is_set_back(then, event.recorded_at, tolerance));
            clock_tells = clock_tells && !was_set_back;
            recorded = Some(event.recorded_at);
            let is_next = event.sequence == moment.sequence.saturating_add(1);
            let was_before =
                clock_tells && belongs.event == event.id && belongs.occurred_at < began_at;
            let includes = belongs.found || moment.includes(belongs, dates);
            if includes || (is_next && was_before) {
                moment.book = moment.book.checked_add(event.change)?;
            }
            let tells = belongs.found || moment.had_in_book(belongs) || dates.tell(belongs);
            if is_next && (tells || was_before) {
                (moment.sequence, moment.told) = (event.sequence, event.sequence);
            }
        }
        Ok(moment)
    }

    /// Whether the truth became known after the take began: a level is not zeroed that was counted since, and, where the
    /// clock was ahead at one of both moments, not where it may have been.
    fn is_older_than(&self, known: &Known, moment: &CountMoment, now: Now) -> bool {
        if known.number <= self.known {
            return false;
        }
        if known.sequence > moment.sequence {
            return true;
        }
        let is_ahead = is_set_back(known.at.min(known.clock), now.at, now.tolerance_millis);
        let ahead_by = known.ahead_by.or(is_ahead.then_some(now.at));
        match (ahead_by, moment.ahead) {
            // It was no later than that.
            (Some(by), false) => moment.at < by,
            (None, true) => known.timed,
            (Some(_), true) | (None, false) => known.timed && known.at > moment.at,
        }
    }
}

/// A movement that a count met: what the plan, the report and a refusal show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The event.
    pub event: StockEventId,
    /// What happened.
    pub kind: StockEventKind,
    /// By how much.
    pub change: Quantity,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Whether it had happened by the time of the count, and so is part of what was expected.
    pub before_count: bool,
    /// Whether it happened between two parts of a count. Nobody can tell whether it is of what was counted already: the
    /// line may be off by as much, and is worth counting again.
    pub between_parts: bool,
}

/// What is known of a key when a line is posted.
#[derive(Clone, Copy, Debug)]
pub struct KeyHistory<'a> {
    /// Its level as it is; nothing for a key that nothing has happened to.
    pub level: Option<&'a StockLevel>,
    /// Its events, from the first one on that was not known when the line was counted, or added.
    pub later: &'a [StockEvent],
    /// Now.
    pub now: Now,
}

/// What posting a line comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The level changes by the variance.
    Adjust {
        /// What the count is compared with: what the book said at the count, late records included; with
        /// [`MovementPolicy::MatchCount`] what it says now.
        expected: Quantity,
        /// What to post: counted less expected.
        change: Quantity,
        /// The moment at which the truth is known by it.
        moment: CountMoment,
        /// What was recorded after the count, or its first part.
        moves: Vec<Move>,
    },
    /// The line adjusts nothing.
    LeftAlone {
        /// Why: it was superseded, or can't be posted.
        outcome: LineOutcome,
        /// What the book said at the count.
        expected: Quantity,
    },
}

/// Decides what a counted line posts.
///
/// # Errors
///
/// [`DecimalError::OutOfRange`].
pub fn settle(
    count: &Count,
    key: &KeyHistory<'_>,
    policy: MovementPolicy,
) -> Result<Settlement, DecimalError> {
    let (first, moment) = (&count.first, &count.moment);
    let ahead_by = moment.ahead_by(key.later, key.now);
    let (by_first, by_last) = (key.dates_by(first), key.dates_by(moment));
    let mut expected = moment.book;
    let mut moves = Vec::new();
    let is_newer = |known: &&Known| moment.is_superseded_by(known, ahead_by.is_some(), key.now);
    let newer = key.known().filter(is_newer);
    let first_ahead = first.ahead_by(key.later, key.now).is_some();
    let is_newer_than_first = |known: &Known| first.is_superseded_by(known, first_ahead, key.now);
    let known_by_first = !key.known().is_some_and(is_newer_than_first);
    // What made known what is not newer, and what took that back, had happened by then, whatever the clocks said.
    let mut by_then: BTreeSet<StockEventId> = BTreeSet::new();
    for event in key.movements() {
        let belongs = event.moment();
        let makes_known = belongs.found || event.is_absolute() || by_then.contains(&belongs.event);
        let was_known = newer.is_none() && makes_known && by_then.insert(event.id);
        let before_count = was_known || moment.includes(belongs, &by_last);
        if before_count && !(event.sequence <= moment.told && moment.had_in_book(belongs)) {
            expected = expected.checked_add(event.change)?;
        }
        let before_first = (was_known && known_by_first) || first.includes(belongs, &by_first);
        let between_parts = before_count && !before_first;
        moves.push(moved(event, before_count, between_parts));
    }
    if let Some(known) = newer {
        return Ok(superseded(known, policy, expected));
    }
    let has_moved = moves.iter().any(|it| !it.before_count || it.between_parts);
    Ok(match policy {
        MovementPolicy::RefuseMoved if has_moved => refused(moves, expected),
        MovementPolicy::KeepMovements | MovementPolicy::RefuseMoved => Settlement::Adjust {
            expected,
            change: count.quantity.checked_sub(expected)?,
            moment: moment.by_clock_ahead(ahead_by),
            moves,
        },
        MovementPolicy::MatchCount => key.matched(count.quantity, moves)?,
    })
}

/// Decides what a line posts that nobody counted, when finishing counts such lines as zero: it loses what was there
/// when the take began and has not left since. What came in since stays.
///
/// # Errors
///
/// [`DecimalError::OutOfRange`].
pub fn settle_uncounted(
    began: &Beginning,
    began_at: Timestamp,
    key: &KeyHistory<'_>,
    policy: MovementPolicy,
) -> Result<Settlement, DecimalError> {
    let (moment, dates) = began.moment(began_at, key)?;
    let book = moment.book;
    if let Some(known) = key.known()
        && began.is_older_than(known, &moment, key.now)
    {
        return Ok(superseded(known, policy, book));
    }
    let mut moves = Vec::new();
    // What came of each movement since: what was taken back, or absorbed, comes to nothing, and so does an absorption
    // that was taken back itself.
    let mut answered: BTreeMap<StockEventId, StockEventId> = BTreeMap::new();
    let mut since: BTreeMap<StockEventId, Quantity> = BTreeMap::new();
    for event in key.movements() {
        let belongs = event.moment();
        let before_count = belongs.found || moment.includes(belongs, &dates);
        if !before_count {
            let movement = answered.get(&belongs.event).copied();
            let movement = movement.unwrap_or(belongs.event);
            answered.insert(event.id, movement);
            let sum = since.entry(movement).or_default();
            *sum = sum.checked_add(event.change)?;
        }
        moves.push(moved(event, before_count, false));
    }
    let mut left = Quantity::ZERO;
    for sum in since.values().filter(|sum| sum.is_negative()) {
        left = left.checked_sub(*sum)?;
    }
    let expected = if book.is_negative() {
        book
    } else {
        book.checked_sub(left)?.max(Quantity::ZERO)
    };
    let has_moved = moves.iter().any(|it| !it.before_count);
    Ok(match policy {
        MovementPolicy::RefuseMoved if has_moved => refused(moves, book),
        MovementPolicy::KeepMovements | MovementPolicy::RefuseMoved => Settlement::Adjust {
            expected,
            change: expected.negated(),
            // What is known now of the key came before, whatever the order in which it was posted.
            moment: CountMoment {
                stated: true,
                ..moment
            },
            moves,
        },
        MovementPolicy::MatchCount => key.matched(Quantity::ZERO, moves)?,
    })
}

impl KeyHistory<'_> {
    fn known(&self) -> Option<&Known> {
        self.level.and_then(StockLevel::known)
    }

    /// Which dates are those of things that had happened by a count.
    fn dates_by(&self, moment: &CountMoment) -> Dates {
        if moment.ahead_by(self.later, self.now).is_some() {
            return self.known_dates(moment.known, moment.at);
        }
        let until = dated_until(moment.at, self.now.tolerance_millis);
        if !moment.stated {
            // What had happened by what was known then, the book had.
            return Dates::until(until);
        }
        // What is known of a time up to this one came before, also where it is known since.
        Dates {
            until: Some(until),
            ..self.known_dates(u64::MAX, moment.at)
        }
    }

    /// Those up to a moment that was known by a time, when there had been so many.
    fn known_dates(&self, seen: u64, at: Timestamp) -> Dates {
        let mut knowledge = Knowledge::default();
        if let Some(level) = self.level {
            knowledge.clone_from(&level.knowledge);
            let tolerance = self.now.tolerance_millis;
            knowledge.notice(self.now.at, tolerance, level.sequence());
        }
        Dates {
            until: None,
            known: Some((Box::new(knowledge), seen, at)),
        }
    }

    /// Its later events but for revaluations, which move nothing.
    fn movements(&self) -> impl Iterator<Item = &StockEvent> {
        let moved = |event: &&StockEvent| event.kind != StockEventKind::Revaluation;
        self.later.iter().filter(moved)
    }

    /// The level becomes what was counted, whatever it is.
    fn matched(&self, counted: Quantity, moves: Vec<Move>) -> Result<Settlement, DecimalError> {
        let expected = self.level.map_or(Quantity::ZERO, StockLevel::quantity);
        Ok(Settlement::Adjust {
            expected,
            change: counted.checked_sub(expected)?,
            moment: CountMoment::of(self.level, self.now.at),
            moves,
        })
    }
}

fn moved(event: &StockEvent, before_count: bool, between_parts: bool) -> Move {
    Move {
        event: event.id,
        kind: event.kind,
        change: event.change,
        occurred_at: event.occurred_at,
        before_count,
        between_parts,
    }
}

fn refused(moves: Vec<Move>, expected: Quantity) -> Settlement {
    let problem = LineProblem::Moved { moves };
    Settlement::LeftAlone {
        outcome: LineOutcome::Unposted { problem },
        expected,
    }
}

fn superseded(known: &Known, policy: MovementPolicy, expected: Quantity) -> Settlement {
    let (known_at, by) = (known.at, known.cause);
    let outcome = match policy {
        MovementPolicy::KeepMovements | MovementPolicy::MatchCount => {
            LineOutcome::Superseded { known_at, by }
        }
        MovementPolicy::RefuseMoved => LineOutcome::Unposted {
            problem: LineProblem::Superseded { known_at, by },
        },
    };
    Settlement::LeftAlone { outcome, expected }
}
