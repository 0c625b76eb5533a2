//! Taking back what a document posted on one key.

use uuid::Uuid;

use super::{
    Cause, Change, EventLink, IncomingCost, Known, Note, Pick, StockError, StockEvent,
    StockEventId, StockEventKind, StockLevel, Terms,
};

/// The id of the event that takes another one back. It follows from that event, so that nothing is taken
/// back twice, however often and by whomever it is tried.
pub fn reversal_id(event: StockEventId) -> StockEventId {
    StockEventId::new(Uuid::new_v5(&event.as_uuid(), b"reversal"))
}

/// The change that takes an event back: what left comes back with its very cost parts, what came leaves
/// oldest first.
pub fn reversal_of(event: &StockEvent, reason: Option<Note>) -> Change {
    Change {
        id: reversal_id(event.id),
        kind: StockEventKind::Reversal,
        quantity: event.change.negated(),
        cost: IncomingCost::Parts(event.parts.clone()),
        pick: Pick::Oldest,
        occurred_at: None,
        reason,
        reference: event.reference.clone(),
        cause: event.cause,
        reverses: Some(event.link()),
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
        let mut level = self.forget(|known| match posting {
            Posting::Count(cause) => known.cause == *cause,
            Posting::Event(event) => !known.timed && known.sequence == event.sequence,
        });
        let mut made = Vec::new();
        let taken = |id: StockEventId, made: &[StockEvent]| {
            let id = reversal_id(id);
            events.iter().chain(made).any(|event| event.id == id)
        };
        for event in events {
            let posted = match posting {
                Posting::Count(cause) => {
                    event.cause == *cause && event.kind == StockEventKind::CountVariance
                }
                Posting::Event(reset) => event.id == reset.id,
            };
            let absorbed = event.absorbs.filter(|_| match posting {
                Posting::Count(cause) => event.cause == *cause,
                Posting::Event(reset) => {
                    event.cause == reset.cause && event.occurred_at == reset.occurred_at
                }
            });
            if taken(event.id, &made) || !(posted || absorbed.is_some()) {
                continue;
            }
            let change = reversal_of(event, reason.cloned());
            let (next, events) = match absorbed {
                Some(late) => level.release(change, late, terms)?,
                None => level.apply(change, terms)?,
            };
            level = next;
            made.extend(events);
        }
        Ok((level, made))
    }

    /// Takes an absorption back. When what is still known covers the late movement as well, it is absorbed
    /// anew, for that: taking that back will find it.
    fn release(
        &self,
        change: Change,
        late: EventLink,
        terms: &Terms<'_>,
    ) -> Result<(Self, Vec<StockEvent>), StockError> {
        let covers = |known: &&Known| {
            if late.timed {
                late.occurred_at <= known.at
            } else {
                late.sequence <= known.sequence
            }
        };
        let Some(known) = self.known().filter(covers) else {
            let (next, event) = self.apply_plain(change, terms)?;
            return Ok((next, vec![event]));
        };
        let (next, mut events) = self.absorb(change, *known, terms)?;
        if let [taken, counter] = events.as_mut_slice() {
            counter.absorbs = Some(EventLink {
                event: taken.id,
                ..late
            });
        }
        Ok((next, events))
    }
}

/// What is taken back.
#[derive(Clone, Copy, Debug)]
pub enum Posting<'a> {
    /// What the counted line behind this cause posted, if anything.
    Count(Cause),
    /// An event, and what it knew if it was an absolute value.
    Event(&'a StockEvent),
}
