//! The ledger: each event by itself, and where its goods come from.

use stocktake::domain::{Site, StockEvent, StockEventId, StockEventKind};

use super::super::amounts::units;
use super::moment::Moment;
use super::{Policy, Products, Stock};

impl Stock {
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
            let at = moment.occurred_at.micros();
            // A count had been made when it was posted.
            let clock = if moment.found { at.min(now) } else { at };
            key.moments.push(Moment {
                found: moment.found,
                ..Moment::of(moment.sequence, (at, moment.timed), clock)
            });
            key.changes.push(event.change.micros());
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
pub(super) struct Origin {
    /// The event that is taken back.
    pub(super) reversed: Option<StockEvent>,
    /// With which what comes now had left: here, or at the other key of a transfer.
    pub(super) left: Option<StockEvent>,
}

impl Stock {
    pub(super) fn origin(&self, events: &[StockEvent], index: usize) -> Result<Origin, String> {
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
    pub(super) fn arrival(&self, out: StockEventId) -> Option<&StockEvent> {
        // It comes right after, or after the counter-event of an absorbed outgoing one.
        let after = self.ledger.get(self.places.get(&out)? + 1..)?;
        after
            .iter()
            .find(|event| event.kind == StockEventKind::TransferIn)
    }
}
