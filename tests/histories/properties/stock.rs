//! A model of stock, from the rules: facts and knowledge. The level of a key is what was known last, and what has
//! moved since; nothing here follows the order in which the library books.

use std::collections::{BTreeMap, BTreeSet};

use stocktake::domain::{
    Cause, Code, CostingMethod, Product, ProductId, Site, StockEvent, StockEventId, StockEventKind,
    StockKey, Tracking,
};
use stocktake::service::{Movement, NewMovement};

use super::amounts::{ONE, per_unit, share, units, worth};

/// Stable codes of errors, any of which may be told.
pub(crate) type Codes = Vec<&'static str>;

/// Five minutes: so far ahead may a movement be dated.
const AHEAD: i64 = 300 * ONE;

/// Where something belongs in the history of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: i64,
    pub(crate) sequence: u64,
    /// Whether the time was stated; what has none of its own belongs where it was recorded.
    pub(crate) timed: bool,
    /// What the clock said.
    pub(crate) clock: i64,
    /// How many moments of knowledge there had been.
    pub(crate) seen: u64,
    /// The number of the last moment of knowledge that was before this one, whatever the clocks said.
    pub(crate) after: u64,
    /// Since which sequence it is known that the clock was ahead.
    pub(crate) ahead_since: Option<u64>,
    /// The earliest time that it said since.
    pub(crate) ahead_by: Option<i64>,
}

/// Something that moved.
#[derive(Clone, Debug)]
struct Fact {
    id: StockEventId,
    moment: Moment,
    change: i64,
    /// Until it is taken back.
    stands: bool,
    /// Whose knowledge covered it when it was told late: as long as that stands, the level stays.
    absorbed_by: Option<Knower>,
}

/// A moment at which it was known how many are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) by: Knower,
    pub(crate) moment: Moment,
    pub(crate) there: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knower {
    /// An absolute value, or the removal of the key.
    Event(StockEventId),
    /// A posted line.
    Line(Cause),
}

impl Knower {
    fn cause(self) -> Cause {
        match self {
            Self::Event(_) => Cause::Movement,
            Self::Line(cause) => cause,
        }
    }
}

impl Moment {
    /// Whether something that belongs there had happened by now: it was in the book, or is dated so.
    fn covers(&self, fact: &Moment) -> bool {
        fact.sequence <= self.sequence || self.dates(fact)
    }

    /// Whether something is dated before this moment, as far as the clock could be relied on.
    fn dates(&self, fact: &Moment) -> bool {
        fact.timed
            && fact.at <= self.at
            && self.ahead_since.is_none_or(|since| fact.sequence <= since)
    }

    /// Whether the clock says something earlier by now.
    fn is_ahead_of(&self, now: i64) -> bool {
        self.at.min(self.clock) > now
    }
}

/// A layer of goods: where they came from, how many, what they are worth, and when they were received.
type Layer = (StockEventId, i64, i128, i64);

/// One stock key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    facts: Vec<Fact>,
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
    cost_known: bool,
    pub(crate) layers: Vec<Layer>,
    pub(crate) value: i128,
    /// Every moment of knowledge that there was, also what was taken back: their dates were right all the same.
    moments_known: Vec<Moment>,
    /// Of each event, whether it stated its time, its time, and when it was recorded.
    pub(crate) events: Vec<(bool, i64, i64)>,
    /// Of each event, where it belongs: that of a reversal is of what it takes back.
    moments: Vec<Moment>,
    /// When it last changed.
    pub(crate) updated_at: i64,
    taken_back: BTreeSet<StockEventId>,
}

impl Key {
    pub(crate) fn last_known(&self) -> Option<&Known> {
        self.known.last()
    }

    /// What must be on hand.
    pub(crate) fn level(&self) -> i64 {
        self.level_by(self.last_known())
    }

    fn level_by(&self, known: Option<&Known>) -> i64 {
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
    fn covers(&self, moment: &Moment, fact: &Moment) -> bool {
        let earlier = |known: &Moment| known.seen <= moment.after && known.at <= moment.at;
        let mut earlier = self.moments_known.iter().filter(|known| earlier(known));
        moment.covers(fact) || earlier.any(|known| known.dates(fact))
    }

    /// What must be on hand once it is known that so many were there.
    pub(crate) fn level_after(&self, moment: Moment, there: i64) -> i64 {
        let by = Knower::Event(nobody());
        self.level_by(Some(&Known { by, moment, there }))
    }

    /// When something happens that states no time: now, after all that is known.
    fn now(&self, now: i64) -> i64 {
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
    fn notice_by(&mut self, now: i64, many: u64) {
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
        let since = usize::try_from(moment.sequence).unwrap();
        let later = self.events.get(since..).unwrap_or_default();
        let earliest = later
            .iter()
            .map(|(_, _, recorded)| *recorded)
            .fold(now, i64::min);
        let ahead_since = moment.is_ahead_of(earliest).then_some(moment.sequence);
        Moment {
            ahead_since,
            ahead_by: ahead_since.map(|_| now),
            ..*moment
        }
    }

    /// The moment of a count that is made now.
    pub(crate) fn counted_now(&self, now: i64) -> Moment {
        Moment {
            at: self.now(now),
            sequence: self.sequence,
            timed: true,
            clock: now,
            seen: self.last_known().map_or(0, |known| known.moment.seen),
            after: self.last_known().map_or(0, |known| known.moment.seen),
            ahead_since: None,
            ahead_by: None,
        }
    }

    /// How many events it had had when a line was added: of a take that had begun, when it began.
    pub(crate) fn at_beginning(&self, began_at: Option<i64>) -> (u64, bool) {
        let moved = began_at.filter(|began_at| self.updated_at > *began_at);
        let after = moved.and_then(|at| {
            let happened = |nth: &usize| {
                // Whatever the clock said, it had when the next was recorded.
                let later = self.events[nth + 1..].iter().map(|event| event.2);
                later.fold(self.moments[*nth].clock, i64::min)
            };
            (0..self.moments.len()).find(|nth| happened(nth) > at)
        });
        let sequence = after.map_or(self.sequence, |nth| u64::try_from(nth).unwrap());
        (sequence, began_at.is_some())
    }

    /// The moment at which a take began, of a line that was added when there had been so many events.
    pub(crate) fn began(&self, (sequence, begun): (u64, bool), at: i64) -> Moment {
        let timed = true;
        let mut began = Moment {
            at,
            sequence,
            timed,
            clock: at,
            seen: 0,
            after: self.learned(),
            ahead_since: None,
            ahead_by: None,
        };
        while let Some(next) = self.moments.get(usize::try_from(began.sequence).unwrap()) {
            let is_new = next.sequence == began.sequence + 1;
            if !began.covers(next) && (begun || !is_new || next.at >= at) {
                break;
            }
            began.sequence += 1;
        }
        began
    }

    /// How much of what was there at a moment turned out to have been there, because it has left since.
    pub(crate) fn had_left(&self, began: &Moment) -> i64 {
        let since = self.facts.iter().filter(|fact| fact.stands);
        let since = since.filter(|fact| !began.covers(&fact.moment));
        let since: Vec<i64> = since.map(|fact| fact.change).collect();
        let book = self.level() - since.iter().sum::<i64>();
        let left: i64 = since.iter().map(|change| (-change).max(0)).sum();
        left.min(book.max(0))
    }

    /// Whether more was known later than a take began.
    pub(crate) fn supersedes_beginning(&self, began: &Moment, now: i64) -> bool {
        self.last_known().is_some_and(|known| {
            let last = &known.moment;
            let ahead_by = last.ahead_by.or(last.is_ahead_of(now).then_some(now));
            // Unless the clock was ahead when it began, too.
            let began_ahead = self.in_hindsight(began, now).ahead_since.is_some();
            match ahead_by.filter(|_| !began_ahead) {
                // It was known by then.
                _ if last.sequence > began.sequence => true,
                Some(by) => by > began.at,
                None => last.timed && last.at > began.at,
            }
        })
    }

    /// Whether more was known later than this: not what was known already when it was counted.
    pub(crate) fn supersedes(&self, moment: &Moment, now: i64) -> bool {
        self.last_known().is_some_and(|known| {
            let last = &known.moment;
            let ahead = moment.ahead_since.or(last.ahead_since).is_some() || last.is_ahead_of(now);
            last.seen > moment.seen && (!last.timed || ahead || last.at > moment.at)
        })
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
    fn learned(&self) -> u64 {
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

/// The rules that a key is under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) site: &'a Site,
    pub(crate) product: &'a Product,
    /// Whether some of the product is at the site: it tells what one costs.
    pub(crate) elsewhere: bool,
    /// Now.
    pub(crate) now: i64,
}

impl Policy<'_> {
    pub(crate) fn is_closed(&self, at: i64) -> bool {
        self.site
            .policy
            .closed_until
            .is_some_and(|closed| at < closed.micros())
    }
}

/// What a movement comes to.
#[derive(Clone, Debug)]
enum Effect {
    Fact {
        key: StockKey,
        kind: StockEventKind,
        change: i64,
        stated: Option<i64>,
        /// Whether what comes in states no cost.
        free: bool,
        /// What it is worth, when that is known.
        worth: Option<i128>,
        /// The event that it returns goods of.
        returns: Option<StockEventId>,
    },
    Reset {
        key: StockKey,
        there: i64,
        kind: StockEventKind,
        free: bool,
    },
    /// Of one event, or of both events of a transfer: the incoming one first.
    TakeBack(Vec<(StockKey, StockEventId)>),
}

/// The events that the library booked, in order; nothing while it is only asked what would happen.
pub(crate) struct Feed<'a> {
    events: Option<std::iter::Peekable<std::slice::Iter<'a, StockEvent>>>,
}

impl<'a> Feed<'a> {
    pub(crate) const fn dry() -> Self {
        Self { events: None }
    }

    pub(crate) fn of(events: &'a [StockEvent]) -> Self {
        Self {
            events: Some(events.iter().peekable()),
        }
    }

    /// The next event, which must be there; `None` only when dry.
    fn take(&mut self) -> Result<Option<&'a StockEvent>, String> {
        match &mut self.events {
            None => Ok(None),
            Some(events) => events.next().map(Some).ok_or("an event is missing".into()),
        }
    }

    fn take_if(&mut self, which: impl Fn(&StockEvent) -> bool) -> Option<&'a StockEvent> {
        self.events.as_mut()?.next_if(|event| which(event))
    }

    pub(crate) fn end(mut self) -> Result<(), String> {
        match self.events.as_mut().and_then(Iterator::next) {
            None => Ok(()),
            Some(event) => Err(format!("an event too many: {event:?}")),
        }
    }
}

/// A serial number of a product.
pub(crate) type Serial = (ProductId, Code);

/// The serial number of a key.
pub(crate) fn serial_of(key: &StockKey) -> Option<Serial> {
    key.serial.clone().map(|serial| (key.product, serial))
}

/// A site's stock.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    pub(crate) keys: BTreeMap<StockKey, Key>,
    /// Serial numbers that other sites have on hand.
    pub(crate) abroad: BTreeSet<Serial>,
    /// The ledger.
    pub(crate) ledger: Vec<StockEvent>,
    /// By id: where in the ledger.
    places: BTreeMap<StockEventId, usize>,
    /// What was returned.
    returns: Vec<Return>,
}

/// Goods that came back, or went back.
#[derive(Clone, Debug)]
struct Return {
    issue: StockEventId,
    id: StockEventId,
    key: StockKey,
    change: i64,
}

/// Every product by its id.
pub(crate) type Products = BTreeMap<ProductId, Product>;

impl Stock {
    pub(crate) fn key(&self, key: &StockKey) -> Key {
        self.keys.get(key).cloned().unwrap_or_default()
    }

    /// Whether some of a product is on hand.
    pub(crate) fn holds(&self, product: ProductId) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|(key, model)| key.product == product && model.level() > 0)
    }

    /// The serial numbers that are on hand.
    pub(crate) fn serials(&self) -> impl Iterator<Item = Serial> {
        let on_hand = self.keys.iter().filter(|(_, model)| model.level() > 0);
        on_hand.filter_map(|(key, _)| serial_of(key))
    }

    /// The other keys of the site with the serial number of a key.
    pub(crate) fn twins(&self, key: &StockKey) -> impl Iterator<Item = &StockKey> {
        let serial = serial_of(key);
        self.keys
            .keys()
            .filter(move |other| *other != key && serial.is_some() && serial_of(other) == serial)
    }

    /// Whether another site has the serial number of a key.
    pub(crate) fn is_abroad(&self, key: &StockKey) -> bool {
        serial_of(key).is_some_and(|serial| self.abroad.contains(&serial))
    }

    pub(crate) fn event(&self, id: StockEventId) -> Option<&StockEvent> {
        self.ledger.get(*self.places.get(&id)?)
    }

    /// What a batch would be refused with, if it would.
    pub(crate) fn would_refuse(
        &self,
        movements: &[NewMovement],
        (site, products, now): (&Site, &Products, i64),
    ) -> Option<Codes> {
        let mut staged = Staged {
            stock: self,
            keys: BTreeMap::new(),
            returns: Vec::new(),
            site,
            products,
            now,
        };
        for movement in movements {
            if let Err(NotPlayed::Refused(codes)) = staged.play(movement, &mut Feed::dry()) {
                return Some(codes);
            }
        }
        None
    }

    /// Applies a batch that the library has booked with these events.
    pub(crate) fn record(
        &mut self,
        movements: &[NewMovement],
        events: &[StockEvent],
        (site, products, now): (&Site, &Products, i64),
    ) -> Result<(), String> {
        let mut staged = Staged {
            stock: self,
            keys: BTreeMap::new(),
            returns: Vec::new(),
            site,
            products,
            now,
        };
        let mut feed = Feed::of(events);
        for movement in movements {
            staged
                .play(movement, &mut feed)
                .map_err(|problem| match problem {
                    NotPlayed::Refused(codes) => format!("booked, and to be refused: {codes:?}"),
                    NotPlayed::Wrong(text) => text,
                })?;
        }
        feed.end()?;
        let Staged { keys, returns, .. } = staged;
        self.keys.extend(keys);
        self.returns.extend(returns);
        Ok(())
    }

    /// Takes what a posted line knew back.
    pub(crate) fn take_back_line(
        &mut self,
        key: &StockKey,
        cause: Cause,
        posted: Option<StockEventId>,
        (feed, now): (&mut Feed<'_>, i64),
    ) -> Result<(), String> {
        let model = self.keys.entry(key.clone()).or_default();
        model.forget(Knower::Line(cause));
        model.notice(now);
        consume_reversals(&mut [(key, model)], posted.as_slice(), feed)
    }

    /// Appends what the library booked to the ledger, and checks each event by itself and its goods.
    pub(crate) fn append(
        &mut self,
        events: &[StockEvent],
        (site, products, now): (&Site, &Products, i64),
    ) -> Result<(), String> {
        for (index, event) in events.iter().enumerate() {
            let partner = events.get(index + 1).and_then(|next| next.absorbs);
            let balanced = partner.is_some_and(|late| late.event == event.id);
            let absorbed = balanced || event.absorbs.is_some();
            let origin = self.origin(events, index)?;
            let key = self.keys.entry(event.key.clone()).or_default();
            let sequence = u64::try_from(key.events.len()).unwrap() + 1;
            ensure!(
                event.sequence == sequence,
                "sequence {sequence} is missing: {event:?}"
            );
            ensure!(
                event.before.micros() == key.booked,
                "before is not {}: {event:?}",
                key.booked
            );
            ensure!(
                event.before.checked_add(event.change) == Ok(event.after),
                "before, change and after don't add up: {event:?}"
            );
            ensure!(
                event.recorded_at.micros() == now,
                "not recorded now: {event:?}"
            );
            let product = products
                .get(&event.key.product)
                .ok_or("an event without a product")?;
            if !absorbed {
                // Costs are asked for before anything is booked only.
                let elsewhere = false;
                let policy = Policy {
                    site,
                    product,
                    elsewhere,
                    now,
                };
                key.move_goods(event, &origin, &policy)
                    .map_err(|text| format!("{text}: {event:?}"))?;
                key.cost_known |= event.change.is_positive();
            }
            key.booked = event.after.micros();
            if let Some(counter) = &event.absorbs
                && let Some(late) = index.checked_sub(1).and_then(|index| events.get(index))
            {
                ensure!(
                    counter.event == late.id
                        && late.parts == event.parts
                        && units(late.value_change) == -units(event.value_change),
                    "a late movement and its counter-event don't sum to nothing: {event:?}"
                );
            }
            if let Some(reversed) = &origin.reversed {
                let sum = units(event.value_change) + units(reversed.value_change);
                ensure!(
                    units(event.difference) == sum,
                    "with what it takes back it comes to {sum}, not its difference: {event:?}"
                );
            }
            key.events
                .push((event.timed, event.occurred_at.micros(), now));
            key.updated_at = event.recorded_at.micros();
            let moment = event.moment();
            key.moments.push(Moment {
                at: moment.occurred_at.micros(),
                sequence: moment.sequence,
                timed: moment.timed,
                // A count had been made when it was posted.
                clock: if moment.found {
                    moment.occurred_at.min(event.recorded_at).micros()
                } else {
                    moment.occurred_at.micros()
                },
                seen: 0,
                after: 0,
                ahead_since: None,
                ahead_by: None,
            });
            ensure!(
                !self.places.contains_key(&event.id),
                "the id is taken: {event:?}"
            );
            self.places.insert(event.id, self.ledger.len());
            self.ledger.push(event.clone());
        }
        Ok(())
    }
}

/// Where what moves comes from.
struct Origin {
    /// The event that is taken back.
    reversed: Option<StockEvent>,
    /// With which what comes now had left: here, or at the other key of a transfer.
    left: Option<StockEvent>,
}

impl Stock {
    fn origin(&self, events: &[StockEvent], index: usize) -> Result<Origin, String> {
        let event = &events[index];
        let reversed = match event.reverses {
            Some(link) => Some(self.event(link.event).ok_or("nothing is taken back")?),
            None => None,
        };
        let comes = event.change.is_positive();
        let left = match (event.kind, reversed) {
            (StockEventKind::TransferIn, _) => events[..index]
                .iter()
                .rfind(|event| event.kind == StockEventKind::TransferOut),
            // What is left where it went to comes back, at what it is worth there.
            (_, Some(out)) if out.kind == StockEventKind::TransferOut => {
                let arrived = self.arrival(out.id).ok_or("nothing had arrived")?;
                let is_it = |event: &&StockEvent| {
                    event.reverses.is_some_and(|link| link.event == arrived.id)
                };
                events.iter().find(is_it)
            }
            (_, reversed) => reversed.filter(|_| comes),
        };
        if let (true, Some(left)) = (comes, left) {
            ensure!(
                left.parts == event.parts,
                "the goods changed on the way: {event:?}, that left with {left:?}"
            );
        }
        Ok(Origin {
            reversed: reversed.cloned(),
            left: left.cloned(),
        })
    }

    /// With which event the goods came that left with another.
    fn arrival(&self, out: StockEventId) -> Option<&StockEvent> {
        // It comes right after, or after the counter-event of an absorbed outgoing one.
        let after = self.ledger.get(self.places.get(&out)? + 1..)?;
        after
            .iter()
            .find(|event| event.kind == StockEventKind::TransferIn)
    }
}

/// What is wrong with a key.
pub(crate) fn key_refusals(key: &StockKey, site: &Site, products: &Products) -> Codes {
    if key.site != site.id {
        return vec!["another_site"];
    }
    let Some(product) = products.get(&key.product) else {
        return vec!["not_found"];
    };
    if !product.is_stock {
        return vec!["not_stocked"];
    }
    match product.tracking {
        Tracking::Batch if key.batch.is_none() => vec!["batch_required"],
        Tracking::Serial if key.serial.is_none() => vec!["serial_required"],
        Tracking::None | Tracking::Batch | Tracking::Serial => Codes::new(),
    }
}

/// Stock with a batch on top of it that is not booked yet.
struct Staged<'a> {
    stock: &'a Stock,
    keys: BTreeMap<StockKey, Key>,
    returns: Vec<Return>,
    site: &'a Site,
    products: &'a Products,
    now: i64,
}

/// Why a movement is not played.
enum NotPlayed {
    /// It must be refused, with one of these.
    Refused(Codes),
    /// The library did something wrong.
    Wrong(String),
}

impl Staged<'_> {
    fn key(&self, key: &StockKey) -> Key {
        self.keys
            .get(key)
            .cloned()
            .unwrap_or_else(|| self.stock.key(key))
    }

    fn policy(&self, key: &StockKey) -> Policy<'_> {
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

    fn play(&mut self, new: &NewMovement, feed: &mut Feed<'_>) -> Result<(), NotPlayed> {
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

    fn is_sound(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Fact { key, .. } | Effect::Reset { key, .. } => {
                key_refusals(key, self.site, self.products).is_empty()
            }
            Effect::TakeBack(_) => true,
        }
    }

    /// What a movement comes to, and what the request is refused with.
    fn effects(&self, new: &NewMovement) -> (Vec<Effect>, Codes) {
        let mut codes = Codes::new();
        let stated = new.occurred_at.map(stocktake::domain::Timestamp::micros);
        let dateable = !matches!(
            new.movement,
            Movement::Reset { .. } | Movement::Remove { .. } | Movement::Reversal { .. }
        );
        if stated.is_some() && !dateable {
            codes.push("time_not_allowed");
        }
        let mut above_zero = |micros: i64| {
            if micros <= 0 {
                codes.push("invalid_quantity");
            }
        };
        let fact = |key: &StockKey, kind, change, free, worth| Effect::Fact {
            key: key.clone(),
            kind,
            change,
            stated,
            free,
            worth,
            returns: match &new.movement {
                Movement::CustomerReturn { of, .. } => Some(*of),
                Movement::SupplierReturn { receipt, .. } => *receipt,
                _ => None,
            },
        };
        let mut effects = Vec::new();
        match &new.movement {
            Movement::Receipt {
                key,
                quantity,
                unit_cost,
            } => {
                above_zero(quantity.micros());
                let (kind, change) = (StockEventKind::Receipt, quantity.micros());
                let worth = unit_cost.map(|cost| worth(change, cost));
                effects.push(fact(key, kind, change, worth.is_none(), worth));
            }
            Movement::ReceiptAtTotal {
                key,
                quantity,
                total,
            } => {
                above_zero(quantity.micros());
                let (kind, change) = (StockEventKind::Receipt, quantity.micros());
                effects.push(fact(key, kind, change, false, Some(units(*total))));
            }
            Movement::Revalue { .. } => unreachable!("revaluations have a property of their own"),
            Movement::Issue { key, quantity } => {
                above_zero(quantity.micros());
                let change = -quantity.micros();
                effects.push(fact(key, StockEventKind::Issue, change, false, None));
            }
            Movement::SupplierReturn {
                key,
                quantity,
                receipt,
            } => {
                above_zero(quantity.micros());
                let change = -quantity.micros();
                if let Some(receipt) = receipt {
                    match self.stock.event(*receipt) {
                        None => codes.push("not_found"),
                        Some(event) => {
                            let kind = (StockEventKind::Receipt, "not_a_receipt");
                            codes.extend(named(event, kind, key));
                            let layers = self.key(key).layers;
                            let of_it = layers.iter().filter(|layer| layer.0 == *receipt);
                            let here: i64 = of_it.map(|layer| layer.1).sum();
                            let unclaimed = event.change.micros() - self.came_back(*receipt);
                            let taken_back = self.key(&event.key).taken_back.contains(receipt);
                            if taken_back || -change > here.min(unclaimed) {
                                codes.push("more_than_left");
                            }
                        }
                    }
                }
                let kind = StockEventKind::SupplierReturn;
                effects.push(fact(key, kind, change, false, None));
            }
            Movement::Transfer { from, to, quantity } => {
                above_zero(quantity.micros());
                if from == to {
                    codes.push("same_key");
                }
                let change = quantity.micros();
                let (out, into) = (StockEventKind::TransferOut, StockEventKind::TransferIn);
                effects.push(fact(from, out, -change, false, None));
                effects.push(fact(to, into, change, false, None));
            }
            Movement::CustomerReturn { key, quantity, of } => {
                above_zero(quantity.micros());
                let change = quantity.micros();
                let mut worth = None;
                match self.stock.event(*of) {
                    None => codes.push("not_found"),
                    Some(issue) => {
                        let left = -issue.change.micros();
                        let wrong = named(issue, (StockEventKind::Issue, "not_an_issue"), key);
                        if wrong.is_empty() {
                            let back = self.came_back(*of);
                            let taken_back = self.key(&issue.key).taken_back.contains(of);
                            if taken_back || back + change > left {
                                codes.push("more_than_left");
                            }
                            // The last one back takes what is left of the cost.
                            let cost = -units(issue.value_change);
                            let before = share(cost, back, left);
                            worth = Some(share(cost, back + change, left) - before);
                        } else {
                            codes.extend(wrong);
                        }
                    }
                }
                let kind = StockEventKind::CustomerReturn;
                effects.push(fact(key, kind, change, false, worth));
            }
            Movement::Adjust {
                key,
                change,
                unit_cost,
            } => {
                if change.is_zero() {
                    codes.push("zero_quantity");
                }
                let (kind, change) = (StockEventKind::ExternalAdjustment, change.micros());
                let worth = unit_cost.map(|cost| worth(change, cost));
                effects.push(fact(key, kind, change, worth.is_none(), worth));
            }
            Movement::Reset {
                key,
                quantity,
                unit_cost,
                expected,
            } => {
                if quantity.is_negative() {
                    codes.push("negative_quantity");
                }
                let actual = self.key(key).level();
                if expected.is_some_and(|expected| expected.micros() != actual) {
                    codes.push("expectation_failed");
                }
                effects.push(Effect::Reset {
                    key: key.clone(),
                    there: quantity.micros(),
                    kind: StockEventKind::ExternalReset,
                    free: unit_cost.is_none(),
                });
            }
            Movement::Remove { key } => {
                if !self.key(key).stocked {
                    codes.push("not_found");
                }
                effects.push(Effect::Reset {
                    key: key.clone(),
                    there: 0,
                    kind: StockEventKind::Removed,
                    free: true,
                });
            }
            Movement::Reversal { of } => match self.reversal(*of) {
                Ok(effect) => effects.push(effect),
                Err(refused) => codes.extend(refused),
            },
        }
        for effect in &effects {
            if let Effect::Fact { key, .. } | Effect::Reset { key, .. } = effect {
                codes.extend(key_refusals(key, self.site, self.products));
            }
        }
        (effects, codes)
    }

    /// How many of an issue have come back, and stay so.
    fn came_back(&self, issue: StockEventId) -> i64 {
        let all = self.stock.returns.iter().chain(&self.returns);
        all.filter(|one| one.issue == issue)
            .filter(|one| !self.key(&one.key).taken_back.contains(&one.id))
            .map(|one| one.change)
            .sum()
    }

    fn reversal(&self, of: StockEventId) -> Result<Effect, Codes> {
        let Some(event) = self.stock.event(of) else {
            return Err(vec!["not_found"]);
        };
        if event.cause != Cause::Movement {
            return Err(vec!["posted_by_document"]);
        }
        if matches!(
            event.kind,
            StockEventKind::Reversal | StockEventKind::Absorption | StockEventKind::TransferIn
        ) {
            return Err(vec!["not_reversible"]);
        }
        let mut codes = Codes::new();
        if self.key(&event.key).taken_back.contains(&of) {
            codes.push("already_reversed");
        }
        if self.came_back(of) != 0 {
            codes.push("returned");
        }
        if !codes.is_empty() {
            return Err(codes);
        }
        let mut both = vec![(event.key.clone(), of)];
        if event.kind == StockEventKind::TransferOut {
            let incoming = self.stock.arrival(of).ok_or_else(Codes::new)?;
            both.insert(0, (incoming.key.clone(), incoming.id));
        }
        Ok(Effect::TakeBack(both))
    }

    /// What a level is refused with because its serial number is elsewhere: at another site, or at another key of this
    /// one, of which some have just become `changed`.
    fn elsewhere(
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

    fn refusals(&self, effect: &Effect) -> Codes {
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

    fn apply(&mut self, effect: &Effect, feed: &mut Feed<'_>) -> Result<(), String> {
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

/// What is wrong with the event that a return names.
fn named(
    event: &StockEvent,
    (kind, not_one): (StockEventKind, &'static str),
    key: &StockKey,
) -> Codes {
    let moved = &event.key;
    let mut codes = Codes::new();
    if event.kind != kind || moved.product != key.product {
        codes.push(not_one);
    }
    for (same, code) in [
        (moved.variant == key.variant, "another_variant"),
        (moved.batch == key.batch, "another_batch"),
        (moved.serial == key.serial, "another_serial"),
    ] {
        if !same {
            codes.push(code);
        }
    }
    codes
}

/// Reads the events of something that is taken back. Which events those are is the library's choice, as long as
/// each is reversed once, what was to be reversed is, and the level is right afterwards.
fn consume_reversals(
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
    fn is_absorbed(&self, stated: Option<i64>) -> bool {
        let (Some(at), Some(known)) = (stated, self.last_known()) else {
            return false;
        };
        let fact = Moment {
            at,
            sequence: self.sequence + 1,
            timed: true,
            clock: at,
            seen: 0,
            after: 0,
            ahead_since: None,
            ahead_by: None,
        };
        self.covers(&known.moment, &fact)
    }

    fn add_fact<'a>(
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
        let moment = Moment {
            at,
            sequence: self.sequence,
            timed: stated.is_some(),
            clock: now,
            seen: 0,
            after: 0,
            ahead_since: None,
            ahead_by: None,
        };
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

    fn add_reset(
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
                at,
                sequence: self.sequence,
                timed: false,
                clock: now,
                seen: 0,
                after: self.learned(),
                ahead_since: None,
                ahead_by: None,
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
        // The clock of the count had seen these.
        self.notice_by(known.moment.clock, known.moment.seen);
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
    fn take_back(&mut self, id: StockEventId) -> bool {
        self.forget(Knower::Event(id));
        let mut timed = false;
        for fact in self.facts.iter_mut().filter(|fact| fact.id == id) {
            fact.stands = false;
            timed = fact.moment.timed;
        }
        timed
    }

    /// Moves the goods of an event through the layers, and checks which they are and what they are worth.
    fn move_goods(
        &mut self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
    ) -> Result<(), String> {
        let change = event.change.micros();
        let before = event.before.micros();
        let of_parts: i128 = event.parts.iter().map(|part| units(part.value)).sum();
        let moved: i64 = event.parts.iter().map(|part| part.quantity.micros()).sum();
        ensure!(moved == change.abs(), "the parts don't sum to the change");
        let value = self.value;
        let worth = if change < 0 {
            let beyond = self.take_goods(event, origin, policy)?;
            self.worth_out(event, origin, policy, of_parts - beyond)
                .map(|covered| value - covered - beyond)?
        } else if change > 0 {
            let short = (-before).max(0);
            self.put_goods(event, short.min(change));
            self.worth_in(event, origin, policy, of_parts)?
        } else {
            value
        };
        let changed = worth - value;
        ensure!(
            units(event.value_change) == changed,
            "the value should change by {changed}, from {value} to {worth}"
        );
        self.value = worth;
        Ok(())
    }

    /// What goods that come in make a key worth, by the site's method.
    fn worth_in(
        &self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
        of_parts: i128,
    ) -> Result<i128, String> {
        let (change, before) = (event.change.micros(), event.before.micros());
        let costing = policy.site.policy.costing;
        let standard = policy
            .product
            .standard_cost(policy.site.currency)
            .filter(|_| costing == CostingMethod::Standard)
            .filter(|_| event.kind != StockEventKind::CustomerReturn)
            .map(|cost| worth(change, cost));
        // What comes back, or from elsewhere, brings what it was worth there; by first in, first out its parts say that.
        let cost = match &origin.left {
            Some(left) if costing != CostingMethod::Fifo => -units(left.value_change),
            Some(_) => of_parts,
            None => standard.unwrap_or(of_parts),
        };
        let short = (-before).max(0);
        let settled = short.min(change);
        let kept = change - settled;
        let value = if settled == 0 {
            self.value + cost
        } else if kept == 0 {
            // What is still short is so at what it went out with.
            self.value - share(self.value, settled, short)
        } else if costing == CostingMethod::Fifo {
            self.layers.iter().map(|layer| layer.2).sum()
        } else {
            share(cost, kept, change)
        };
        if origin.reversed.is_none() {
            // What settles a shortage books what it turned out to cost.
            let difference = value - self.value - cost;
            ensure!(
                units(event.difference) == difference,
                "the difference should be {difference}"
            );
        }
        Ok(value)
    }

    /// What of a key's value leaves with goods that were there, by the site's method. `of_layers` is what the layers say.
    fn worth_out(
        &self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
        of_layers: i128,
    ) -> Result<i128, String> {
        let (moved, before) = (-event.change.micros(), event.before.micros());
        let covered = moved.min(before.max(0));
        if origin.reversed.is_none() {
            ensure!(
                event.difference.is_zero(),
                "goods that left left no difference"
            );
        }
        Ok(match (policy.site.policy.costing, &origin.reversed) {
            (CostingMethod::Fifo, _) => of_layers,
            (CostingMethod::WeightedAverage | CostingMethod::Standard, _) if covered == 0 => 0,
            // What is taken back leaves at what it came with, but a drained key is worth nothing, and no key less.
            (CostingMethod::WeightedAverage | CostingMethod::Standard, Some(reversed))
                if covered < before =>
            {
                units(reversed.value_change).clamp(0, self.value)
            }
            (CostingMethod::WeightedAverage | CostingMethod::Standard, _) => {
                share(self.value, covered, before)
            }
        })
    }

    fn put_goods(&mut self, event: &StockEvent, settled: i64) {
        let mut to_settle = settled;
        for part in &event.parts {
            let quantity = part.quantity.micros();
            let gone = quantity.min(to_settle);
            to_settle -= gone;
            let left = quantity - gone;
            if left > 0 {
                let value = share(units(part.value), left, quantity);
                // The oldest first, by when they were received, whenever that was told.
                let received = part.received_at.micros();
                let place = self
                    .layers
                    .partition_point(|(_, _, _, since)| *since <= received);
                self.layers
                    .insert(place, (part.source, left, value, received));
            }
        }
    }

    /// Takes the goods of an event out of their layers: those that it names as far as they are left, then the oldest.
    /// Tells what those are worth that were not there.
    fn take_goods(
        &mut self,
        event: &StockEvent,
        origin: &Origin,
        policy: &Policy<'_>,
    ) -> Result<i128, String> {
        let mut named: Vec<(StockEventId, i64)> = match (&origin.reversed, event.of) {
            // What is taken back leaves out of the very layers that it brought.
            (Some(reversed), _) => {
                let parts = reversed.parts.iter();
                parts
                    .map(|part| (part.source, part.quantity.micros()))
                    .collect()
            }
            (None, Some(receipt)) if event.kind == StockEventKind::SupplierReturn => {
                vec![(receipt, -event.change.micros())]
            }
            (None, _) => Vec::new(),
        };
        let mut needed = -event.change.micros();
        // What is beyond the stock carries on at what the stock cost.
        let is_fifo = policy.site.policy.costing == CostingMethod::Fifo;
        let mut cost = self.average().filter(|_| !is_fifo);
        for part in &event.parts {
            let taken = part.quantity.micros();
            if part.source == event.id {
                ensure!(
                    self.layers.is_empty() && taken == needed,
                    "goods left on credit while some were there"
                );
                let beyond = worth(taken, part.unit_cost);
                ensure!(
                    units(part.value) == beyond
                        && cost.is_none_or(|cost| part.unit_cost.micros() == cost),
                    "what is beyond the stock should cost {cost:?} each"
                );
                return Ok(beyond);
            }
            named.retain(|(source, left)| {
                *left > 0 && self.layers.iter().any(|layer| layer.0 == *source)
            });
            let others = named.iter().all(|(source, _)| *source != part.source);
            ensure!(
                named.is_empty() || !others,
                "others left than those that are named, some of which are there: {named:?}"
            );
            let claim = named.iter_mut().find(|(source, _)| *source == part.source);
            let most = claim.as_ref().map_or(needed, |(_, left)| needed.min(*left));
            // Goods of one receipt may have come here in several goes.
            let is_it = |layer: &Layer| {
                layer.0 == part.source
                    && taken == most.min(layer.1)
                    && units(part.value) == share(layer.2, taken, layer.1)
            };
            let place = match claim {
                Some((_, left)) => {
                    *left -= taken;
                    let whole = |layer: &Layer| layer.1 == taken && is_it(layer);
                    let mut layers = self.layers.iter();
                    let whole = layers.position(whole);
                    whole.or_else(|| self.layers.iter().position(is_it))
                }
                None => self.layers.first().filter(|layer| is_it(layer)).map(|_| 0),
            };
            let place = place.ok_or_else(|| format!("not the right goods left: {part:?}"))?;
            let (_, quantity, value, _) = &mut self.layers[place];
            *quantity -= taken;
            *value -= units(part.value);
            needed -= taken;
            if *quantity == 0 {
                ensure!(*value == 0, "value is left of a layer that is gone");
                self.layers.remove(place);
            }
            if is_fifo {
                cost = Some(part.unit_cost.micros());
            }
        }
        ensure!(needed == 0, "{needed} are missing");
        Ok(0)
    }
}

fn nobody() -> StockEventId {
    StockEventId::new(uuid::Uuid::nil())
}
