//! The events that the library booked.

use stocktake::domain::StockEvent;

/// The events that the library booked, in order; nothing while it is only asked what would happen.
pub(crate) struct Feed<'a> {
    pub(super) events: Option<std::iter::Peekable<std::slice::Iter<'a, StockEvent>>>,
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
    pub(super) fn take(&mut self) -> Result<Option<&'a StockEvent>, String> {
        match &mut self.events {
            None => Ok(None),
            Some(events) => events.next().map(Some).ok_or("an event is missing".into()),
        }
    }

    pub(super) fn take_if(
        &mut self,
        which: impl Fn(&StockEvent) -> bool,
    ) -> Option<&'a StockEvent> {
        self.events.as_mut()?.next_if(|event| which(event))
    }

    pub(crate) fn end(mut self) -> Result<(), String> {
        match self.events.as_mut().and_then(Iterator::next) {
            None => Ok(()),
            Some(event) => Err(format!("an event too many: {event:?}")),
        }
    }
}
