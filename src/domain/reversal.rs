//! Taking back what a document posted on one key.

use uuid::Uuid;

use super::knowledge::Covering;
use super::{
    Cause, Change, EventLink, IncomingCost, Known, Learned, Note, Pick, StockError, StockEvent,
    StockEventId, StockEventKind, StockLevel, TakesBack, Terms,
};

/// The id of the event that takes another one back. It follows from that event, so that nothing is taken
/// back twice, however often and by whomever it is tried.
pub fn reversal_id(event: StockEventId) -> StockEventId {
    StockEventId::new(Uuid::new_v5(&event.as_uuid(), b"reversal"))
}

/// The change that takes an event back: what left comes back with its very cost parts, and of what came leaves what is
/// left, then the oldest.
pub fn reversal_of(event: &StockEvent, reason: Option<Note>) -> Change {
    Change {
        id: reversal_id(event.id),
        kind: StockEventKind::Reversal,
        quantity: event.change.negated(),
        cost: IncomingCost::Parts(event.parts.clone(), event.value_change.negated()),
        pick: Pick::Back(event.parts.clone(), event.value_change),
        occurred_at: event.timed.then_some(event.occurred_at),
        reason,
        reference: event.reference.clone(),
        cause: event.cause,
        of: None,
        reverses: Some(TakesBack {
            // Of an absorption, where the late movement belongs that it balances.
            link: EventLink {
                event: event.id,
                ..event.moment()
            },
            value_change: event.value_change,
        }),
    }
}

impl StockLevel {
    /// Takes back what a document posted on this key, and what it knew: the level forgets that the truth was
    /// known then, the posted event is reversed, and late movements that were absorbed only because of that
    /// knowledge move the level after all. `events` are the key's events from the posting on.
    ///
    /// # Errors
    ///
    /// [`StockError`]; the level is unchanged.
    pub fn take_back(
        &self,
        posting: &Posting<'_>,
        events: &[StockEvent],
        reason: Option<&Note>,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let learned = posting.learned();
        let (mut level, mut made) = self.up_to_date(terms)?;
        // What was known last knew more than what was known before, also of the same instant.
        let was_last = learned.is_some_and(|learned| level.knowledge.is_last(&learned));
        if let Some(learned) = &learned {
            level.knowledge.forget(learned);
            level.knowledge = level.noticing(terms);
        }
        let is_taken_back = |event: &StockEvent| {
            let id = reversal_id(event.id);
            events.iter().any(|event| event.id == id)
        };
        let mut left: Vec<(&StockEvent, Part)> = events
            .iter()
            .filter(|event| !is_taken_back(event))
            .filter_map(|event| posting.part(event).map(|part| (event, part)))
            .collect();
        // One after the other, but what the key can't hold yet waits: on the way to what is left it is not to fall below
        // zero, nor to hold a serial number twice. Where there is no such way, what comes back comes before what goes, and
        // whether the key may hold it is asked of what is left.
        while !left.is_empty() {
            let step = |(event, part): &(&StockEvent, Part), way| {
                let mut change = reversal_of(event, reason.cloned());
                if let Posting::Transfer { back, .. } = posting {
                    let worth = back.value_change.negated();
                    change.cost = IncomingCost::Parts(back.parts.clone(), worth);
                }
                let known = level.known().filter(|_| !was_last).copied();
                level.take_back_one(change, *part, known, way, terms)
            };
            let mut refused = None;
            let mut taken = first_done(&left, |it| step(it, Way::Checked), &mut refused);
            if taken.is_none() {
                left.sort_by_key(|(event, _)| event.change.is_positive());
                taken = first_done(&left, |it| step(it, Way::Open), &mut refused);
            }
            let Some((index, (next, events))) = taken else {
                return Err(refused.unwrap_or(StockError::OutOfRange));
            };
            left.remove(index);
            level = next;
            made.extend(events);
        }
        let change = level.quantity.checked_sub(self.quantity)?;
        if !change.is_zero() {
            self.check_holds(change, terms)?;
        }
        Ok((level, made))
    }

    /// Takes one event of a posting back.
    fn take_back_one(
        &self,
        change: Change,
        part: Part,
        known: Option<Known>,
        way: Way,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let covering = match (part, known) {
            (Part::Absorption(late), _) => return self.release(change, late, way, terms),
            (Part::Posted { knew: false }, _) => self.covering(&change, terms),
            (Part::Posted { knew: true }, known) => known.map(|known| Covering {
                known,
                at: known.at,
            }),
        };
        match covering {
            Some(covering) => self.absorb(change, covering, terms),
            None => self.take_back_plainly(change, way, terms),
        }
    }

    fn take_back_plainly(
        &self,
        change: Change,
        way: Way,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let (next, event) = match way {
            Way::Checked => self.apply_plain(change, terms)?,
            Way::Open => self.apply_on_the_way(change, terms)?,
        };
        Ok((next, vec![event]))
    }

    /// Takes an absorption back. When what is still known covers the late movement as well, it is absorbed
    /// anew, for that: taking that back will find it.
    fn release(
        &self,
        change: Change,
        late: EventLink,
        way: Way,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let Some(covering) = self.knowledge.covering(late) else {
            return self.take_back_plainly(change, way, terms);
        };
        let (next, mut events) = self.absorb(change, covering, terms)?;
        if let [taken, counter] = events.as_mut_slice() {
            counter.absorbs = Some(EventLink {
                event: taken.id,
                ..late
            });
        }
        Ok((next, events))
    }
}

/// Whether each step of taking back must leave what a key may hold.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// It must.
    Checked,
    /// What is left in the end must be.
    Open,
}

/// A level after a step, and the events of that.
type Step = (StockLevel, Vec<StockEvent>);

/// The first that can be done, and where it is; else why the first one can't, unless that is told already.
fn first_done<T>(
    of: &[T],
    step: impl Fn(&T) -> Result<Step, StockError>,
    refused: &mut Option<StockError>,
) -> Option<(usize, Step)> {
    for (index, it) in of.iter().enumerate() {
        match step(it) {
            Ok(done) => return Some((index, done)),
            Err(error) => *refused = refused.or(Some(error)),
        }
    }
    None
}

/// What an event is to what is taken back.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// It was posted.
    Posted {
        /// Whether the truth was known with it.
        knew: bool,
    },
    /// It balances this late movement, because the truth was known.
    Absorption(EventLink),
}

impl Posting<'_> {
    /// What it made known.
    const fn learned(&self) -> Option<Learned> {
        match self {
            Posting::Count { learned, .. } => *learned,
            Posting::Event(event) => event.learned,
            Posting::Transfer { .. } => None,
        }
    }

    /// What an event is to this posting, if anything.
    fn part(&self, event: &StockEvent) -> Option<Part> {
        let (posted, knew, cause) = match self {
            Posting::Count { cause, .. } => {
                let posted = event.cause == *cause && event.kind == StockEventKind::CountVariance;
                (posted, true, *cause)
            }
            Posting::Event(reset) => {
                let knew = matches!(
                    reset.kind,
                    StockEventKind::ExternalReset | StockEventKind::Removed
                );
                (event.id == reset.id, knew, reset.cause)
            }
            Posting::Transfer { out, .. } => (event.id == out.id, false, out.cause),
        };
        if posted {
            return Some(Part::Posted { knew });
        }
        event
            .absorbs
            .filter(|_| knew && event.cause == cause)
            .map(Part::Absorption)
    }
}

/// What is taken back.
#[derive(Clone, Copy, Debug)]
pub enum Posting<'a> {
    /// What the counted line behind this cause posted, if anything.
    Count {
        /// The line and its posting.
        cause: Cause,
        /// What it made known, as the line keeps it.
        learned: Option<Learned>,
    },
    /// An event, and what it knew if it was an absolute value.
    Event(&'a StockEvent),
    /// The goods of a transfer, at the key that they left. What is there now where they went to comes back, at what it is
    /// worth there: so that no value comes from nowhere, nor goes there.
    Transfer {
        /// The event with which they left.
        out: &'a StockEvent,
        /// The reversal of the event with which they came.
        back: &'a StockEvent,
    },
}
