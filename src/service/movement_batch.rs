//! How a batch of movements becomes one commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{
    Cause, Change, Code, DecimalError, IncomingCost, KeyError, Note, OrganisationId, Pick, Posting,
    Product, ProductId, Quantity, Site, Stamp, StockError, StockEvent, StockEventId,
    StockEventKind, StockKey, StockLevel, Terms, TransitionError, UnitCost, Value, reversal_id,
};
use crate::store::{ChangeSet, RepositoryExt, Versioned};

use super::error::{dated, named};
use super::serial_marks::SerialMarks;
use super::site_costs::SiteCosts;
use super::{Error, Movement, NewMovement, Stocktake};

/// A batch on its way to one commit: levels as they were read, and as they become.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    site: &'a Site,
    stamp: &'a Stamp,
    levels: BTreeMap<StockKey, (Option<Versioned<StockLevel>>, StockLevel)>,
    serials: SerialMarks,
    costs: SiteCosts,
    products: BTreeMap<ProductId, Arc<Product>>,
    referred: BTreeMap<StockEventId, StockEvent>,
    /// Events of the keys of reversed events, from those on.
    later: BTreeMap<StockKey, Vec<StockEvent>>,
    /// Keys whose levels are written though nothing moves: so that whoever decides by their events notices.
    touched: BTreeSet<StockKey>,
    events: Vec<StockEvent>,
    /// Where an event stands among them.
    places: BTreeMap<StockEventId, usize>,
}

impl Stocktake {
    /// Reads all that a batch of movements needs: a fixed number of reads, however long it is.
    pub(super) async fn read_batch<'a>(
        &self,
        site: &'a Site,
        stamp: &'a Stamp,
        movements: &[NewMovement],
    ) -> Result<Batch<'a>, Error> {
        let organisation = stamp.actor.organisation;
        let named: Vec<StockEventId> = movements
            .iter()
            .filter_map(NewMovement::refers_to)
            .collect();
        // A transfer is taken back with both of its events.
        let halves = named.iter().flat_map(|id| [*id, transfer_in_id(*id)]);
        let mut referred = self.events_at(site, organisation, halves.collect()).await?;
        let mut keys: Vec<StockKey> = movements
            .iter()
            .flat_map(NewMovement::keys)
            .cloned()
            .collect();
        keys.extend(referred.values().map(|event| event.key.clone()));
        keys.sort();
        keys.dedup();
        let products = self.products_of(organisation, keys.iter()).await?;
        // Levels before what became of events: whatever happens to a key after this changes its level, and
        // the commit finds that out.
        let read = self.repository.levels(organisation, &keys).await?;
        let serials = self
            .serial_marks(organisation, &keys, site.policy.serials)
            .await?;
        self.follow_up(site, organisation, &named, &mut referred)
            .await?;
        // What a reversal must know: all that happened to the key since, from the earliest on.
        let mut since: BTreeMap<StockKey, u64> = BTreeMap::new();
        if movements
            .iter()
            .any(|new| matches!(new.movement, Movement::Reversal { .. }))
        {
            for event in referred.values() {
                let before = event.sequence.saturating_sub(1);
                let first = since.entry(event.key.clone()).or_insert(before);
                *first = before.min(*first);
            }
        }
        let after: Vec<(StockKey, u64)> = since.into_iter().collect();
        let mut later: BTreeMap<StockKey, Vec<StockEvent>> = BTreeMap::new();
        if !after.is_empty() {
            for event in self.repository.events_after(organisation, &after).await? {
                later.entry(event.key.clone()).or_default().push(event);
            }
        }
        let levels: BTreeMap<_, (Option<Versioned<StockLevel>>, StockLevel)> = keys
            .into_iter()
            .zip(read)
            .map(|(key, read)| {
                let level = read.as_ref().map_or_else(
                    || StockLevel::new(key.clone(), stamp.at),
                    |read| read.value.clone(),
                );
                (key, (read, level))
            })
            .collect();
        let asks = movements
            .iter()
            .filter_map(|new| new.asks_cost_of(&site.policy));
        let unknown = asks.filter(|key| {
            let level = levels.get(*key);
            level.is_some_and(|(_, level)| !level.knows_cost())
        });
        let unknown = unknown.map(|key| key.product).collect();
        let mut costs = SiteCosts::default();
        let place = (organisation, site.id);
        self.add_site_costs(&mut costs, place, unknown).await?;
        Ok(Batch {
            site,
            stamp,
            levels,
            serials,
            costs,
            products,
            referred,
            later,
            touched: BTreeSet::new(),
            events: Vec::new(),
            places: BTreeMap::new(),
        })
    }

    /// Events of a site.
    async fn events_at(
        &self,
        site: &Site,
        organisation: OrganisationId,
        ids: Vec<StockEventId>,
    ) -> Result<BTreeMap<StockEventId, StockEvent>, Error> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.repository.events(organisation, &ids).await?;
        let found = found
            .into_iter()
            .flatten()
            .filter(|entry| entry.event.key.site == site.id);
        Ok(found.map(|entry| (entry.event.id, entry.event)).collect())
    }

    /// Adds what became of the events that movements name: what was returned of them, what was taken back.
    async fn follow_up(
        &self,
        site: &Site,
        organisation: OrganisationId,
        named: &[StockEventId],
        referred: &mut BTreeMap<StockEventId, StockEvent>,
    ) -> Result<(), Error> {
        let mut wanted: Vec<StockEventId> = named.iter().map(|id| reversal_id(*id)).collect();
        // Returns of an event count 0, 1, 2 ...: they are read a few at a time until one is not there.
        let mut first = 0_u32;
        let mut returned: BTreeSet<StockEventId> = named.iter().copied().collect();
        while !returned.is_empty() {
            let numbers = first..first.saturating_add(RETURNS_AT_ONCE);
            let ids = returned
                .iter()
                .flat_map(|of| numbers.clone().map(|number| return_id(*of, number)));
            wanted.extend(ids.flat_map(|id| [id, reversal_id(id)]));
            referred.extend(
                self.events_at(site, organisation, std::mem::take(&mut wanted))
                    .await?,
            );
            let last = numbers.end.saturating_sub(1);
            returned.retain(|of| referred.contains_key(&return_id(*of, last)));
            first = numbers.end;
        }
        Ok(())
    }

    /// The products of some keys, in one read.
    pub(super) async fn products_of(
        &self,
        organisation: OrganisationId,
        keys: impl Iterator<Item = &StockKey>,
    ) -> Result<BTreeMap<ProductId, Arc<Product>>, Error> {
        let mut ids: Vec<ProductId> = keys.map(|key| key.product).collect();
        ids.sort();
        ids.dedup();
        let read = self.repository.products(organisation, &ids).await?;
        Ok(ids
            .into_iter()
            .zip(read)
            .filter_map(|(id, read)| read.map(|read| (id, read.value)))
            .collect())
    }
}

/// The id of a transfer's incoming event follows from its outgoing one.
fn transfer_in_id(out: StockEventId) -> StockEventId {
    StockEventId::new(Uuid::new_v5(&out.as_uuid(), b"transfer"))
}

/// The id of the next return of an event follows from the event and how many there were, so that two that come
/// at once can't both be the same one.
fn return_id(of: StockEventId, number: u32) -> StockEventId {
    StockEventId::new(Uuid::new_v5(
        &of.as_uuid(),
        format!("return {number}").as_bytes(),
    ))
}

/// How many returns of an event are looked for in one read.
const RETURNS_AT_ONCE: u32 = 8;

impl Batch<'_> {
    /// Applies one movement after the others. `id` is the id of its (first) event.
    pub(super) fn apply(&mut self, new: &NewMovement, id: StockEventId) -> Result<(), Error> {
        if new.occurred_at.is_some() && !new.may_be_dated() {
            return Err(Error::invalid(
                "occurred_at",
                "time_not_allowed",
                "this movement happens now",
            ));
        }
        dated("occurred_at", new.occurred_at)?;
        let plain = |kind, quantity, cost| change_of(new, id, kind, quantity, cost);
        match &new.movement {
            Movement::Receipt {
                key,
                quantity,
                unit_cost,
            } => {
                let (quantity, cost) = (above_zero(*quantity)?, cost_of(*unit_cost));
                self.change(key, plain(StockEventKind::Receipt, quantity, cost))
            }
            Movement::Issue { key, quantity } => {
                let out = above_zero(*quantity)?.negated();
                let cost = IncomingCost::Current;
                self.change(key, plain(StockEventKind::Issue, out, cost))
            }
            Movement::SupplierReturn {
                key,
                quantity,
                receipt,
            } => {
                let out = above_zero(*quantity)?.negated();
                let change = plain(StockEventKind::SupplierReturn, out, IncomingCost::Current);
                match receipt {
                    Some(receipt) => self.return_receipt(key, *quantity, *receipt, change),
                    None => self.change(key, change),
                }
            }
            Movement::Adjust {
                key,
                change,
                unit_cost,
            } => {
                if change.is_zero() {
                    let message = "the change must not be zero";
                    return Err(Error::invalid("change", "zero_quantity", message));
                }
                let (kind, cost) = (StockEventKind::ExternalAdjustment, cost_of(*unit_cost));
                self.change(key, plain(kind, *change, cost))
            }
            Movement::Transfer { from, to, quantity } => {
                self.transfer(from, to, above_zero(*quantity)?, plain)
            }
            Movement::CustomerReturn { key, quantity, of } => {
                let quantity = above_zero(*quantity)?;
                let (kind, cost) = (StockEventKind::CustomerReturn, IncomingCost::Unknown);
                self.return_issue(key, quantity, *of, plain(kind, quantity, cost))
            }
            Movement::Reset {
                key,
                quantity,
                unit_cost,
                expected,
            } => {
                let (kind, cost) = (StockEventKind::ExternalReset, cost_of(*unit_cost));
                let change = plain(kind, Quantity::ZERO, cost);
                self.reset(key, *quantity, *expected, change)
            }
            Movement::Remove { key } => {
                let (kind, cost) = (StockEventKind::Removed, IncomingCost::Current);
                self.remove(key, plain(kind, Quantity::ZERO, cost))
            }
            Movement::ReceiptAtTotal {
                key,
                quantity,
                total,
            } => {
                let (quantity, total) = (above_zero(*quantity)?, self.total(*total)?);
                let cost = IncomingCost::Total(total);
                self.change(key, plain(StockEventKind::Receipt, quantity, cost))
            }
            Movement::Revalue { key, unit_cost } => {
                let (kind, cost) = (StockEventKind::Revaluation, IncomingCost::Current);
                self.revalue(key, *unit_cost, plain(kind, Quantity::ZERO, cost))
            }
            Movement::Reversal { of } => self.reverse(*of, new.reason.as_ref()),
        }
    }

    /// Goods of a receipt go back to the supplier, out of what is left of its layers.
    fn return_receipt(
        &mut self,
        key: &StockKey,
        quantity: Quantity,
        receipt: StockEventId,
        change: Change,
    ) -> Result<(), Error> {
        let claim = self.claim(key, quantity, receipt, &RECEIPT)?;
        let left = self.level(key)?.valuation().left_of(receipt);
        let left = left.map_err(|error| self.refused(key, error.into()))?;
        if quantity > left {
            return Err(more_than_left(left));
        }
        let change = Change {
            id: claim.id,
            pick: Pick::Layer(receipt),
            of: Some(receipt),
            ..change
        };
        self.change(key, change)
    }

    /// Goods of an issue come back, at their share of what they left with.
    fn return_issue(
        &mut self,
        key: &StockKey,
        quantity: Quantity,
        issue: StockEventId,
        change: Change,
    ) -> Result<(), Error> {
        let claim = self.claim(key, quantity, issue, &ISSUE)?;
        let cost = self.cost_of_share(&claim, quantity);
        let cost = cost.map_err(|error| self.refused(key, error.into()))?;
        let cost = if claim.cost_unknown {
            IncomingCost::Unknown
        } else {
            IncomingCost::Returned(cost)
        };
        let change = Change {
            id: claim.id,
            cost,
            of: Some(issue),
            ..change
        };
        self.change(key, change)
    }

    fn reset(
        &mut self,
        key: &StockKey,
        quantity: Quantity,
        expected: Option<Quantity>,
        change: Change,
    ) -> Result<(), Error> {
        if quantity.is_negative() {
            return Err(Error::invalid(
                "quantity",
                "negative_quantity",
                "an absolute value is zero or more",
            ));
        }
        let actual = self.level(key)?.quantity();
        if let Some(expected) = expected
            && expected != actual
        {
            return Err(Error::Expectation {
                key: Box::new(key.clone()),
                name: self.name_of(key),
                expected,
                actual,
            });
        }
        self.with_level(key, |level, terms| level.reset(change, quantity, terms))
    }

    fn remove(&mut self, key: &StockKey, change: Change) -> Result<(), Error> {
        if !self.level(key)?.is_stocked() {
            return Err(Error::not_found("stock"));
        }
        self.with_level(key, |level, terms| level.delist(change, terms))
    }

    fn revalue(&mut self, key: &StockKey, cost: UnitCost, change: Change) -> Result<(), Error> {
        if !self.level(key)?.is_stocked() {
            return Err(Error::not_found("stock"));
        }
        self.with_level(key, |level, terms| level.restate(change, cost, terms))
    }

    /// What goods cost together: zero or more, with no more digits than are kept.
    fn total(&self, total: Value) -> Result<Value, Error> {
        if total.is_negative() {
            let message = "what goods cost together is zero or more";
            return Err(Error::invalid("total", "negative_total", message));
        }
        if !total.is_kept(self.site.currency) {
            let message = "values keep six digits beyond the currency's own";
            return Err(Error::invalid("total", "too_precise", message));
        }
        Ok(total)
    }

    fn transfer(
        &mut self,
        from: &StockKey,
        to: &StockKey,
        quantity: Quantity,
        plain: impl Fn(StockEventKind, Quantity, IncomingCost) -> Change,
    ) -> Result<(), Error> {
        if from == to {
            return Err(Error::invalid(
                "to",
                "same_key",
                "a transfer needs two keys",
            ));
        }
        let out = plain(
            StockEventKind::TransferOut,
            quantity.negated(),
            IncomingCost::Current,
        );
        let id = out.id;
        self.change(from, out)?;
        let (parts, worth) = self.event(id).map_or_else(Default::default, |event| {
            (event.parts.clone(), event.value_change.negated())
        });
        let into = plain(
            StockEventKind::TransferIn,
            quantity,
            IncomingCost::Parts(parts, worth),
        );
        self.change(
            to,
            Change {
                id: transfer_in_id(id),
                ..into
            },
        )
    }

    /// What was returned of an event and was not taken back again; and how many returns there were.
    fn returned(&self, of: StockEventId) -> Result<(Quantity, u32), StockError> {
        let mut number = 0_u32;
        let mut returned = Quantity::ZERO;
        while let Some(event) = self.event(return_id(of, number)) {
            if !self.is_taken_back(event) {
                returned = returned.checked_add(event.change.abs())?;
            }
            number = number.saturating_add(1);
        }
        Ok((returned, number))
    }

    /// What a return claims of the event that it names: which must be of the right kind, and of what returns, and have
    /// that much left. Whoever claims of the same event at the same time meets at its key.
    fn claim(
        &mut self,
        key: &StockKey,
        quantity: Quantity,
        of: StockEventId,
        named: &Named,
    ) -> Result<Claim, Error> {
        let event = self.event(of).ok_or(Error::not_found("event"))?;
        named.check(event, key)?;
        let in_range = |error| self.refused(key, error);
        let (returned, number) = self.returned(of).map_err(in_range)?;
        let moved = event.change.abs();
        let left = moved.checked_sub(returned);
        let left = left.map_err(|error| in_range(error.into()))?;
        // Of what has been taken back nothing is left.
        let left = if self.is_taken_back(event) {
            Quantity::ZERO
        } else {
            left
        };
        if quantity > left {
            return Err(more_than_left(left));
        }
        let claim = Claim {
            id: return_id(of, number),
            returned,
            moved,
            worth: event.value_change.negated(),
            cost_unknown: event.parts.iter().all(|part| part.cost_unknown),
        };
        let touched = event.key.clone();
        self.touched.insert(touched);
        Ok(claim)
    }

    /// What comes back costs its share of what left; the last one back takes what is left of the cost.
    fn cost_of_share(&self, claim: &Claim, quantity: Quantity) -> Result<Value, DecimalError> {
        let share = |part| claim.worth.share(part, claim.moved, self.site.currency);
        let all = claim.returned.checked_add(quantity)?;
        share(all)?.checked_sub(share(claim.returned)?)
    }

    /// An event that movements refer to, or that an earlier one of the batch made.
    fn event(&self, id: StockEventId) -> Option<&StockEvent> {
        let made = || {
            self.places
                .get(&id)
                .and_then(|place| self.events.get(*place))
        };
        self.referred.get(&id).or_else(made)
    }

    fn is_taken_back(&self, event: &StockEvent) -> bool {
        self.event(reversal_id(event.id)).is_some()
    }

    fn reverse(&mut self, of: StockEventId, reason: Option<&Note>) -> Result<(), Error> {
        let event = self
            .referred
            .get(&of)
            .cloned()
            .ok_or(Error::not_found("event"))?;
        let refused =
            |code, message| Err(Error::Transition(TransitionError::Rule { code, message }));
        let by_document = match event.cause {
            Cause::StockTake { .. } => {
                Some("what a stock take posted is taken back by reopening the take")
            }
            Cause::InventoryCount(_) => {
                Some("what an inventory count posted is put right by counting again")
            }
            Cause::Adjustment(_) => {
                Some("what an adjustment changed is put right by an adjustment the other way")
            }
            Cause::Order { .. } => Some(
                "what an order brought goes back with a return to the supplier that names the receipt",
            ),
            Cause::Import(_) => Some("what an import changed is put right by another import"),
            Cause::Policy => {
                Some("what a change of policy made of a value is put right by a revaluation")
            }
            Cause::Movement => None,
        };
        if let Some(message) = by_document {
            return refused("posted_by_document", message);
        }
        match event.kind {
            StockEventKind::Reversal | StockEventKind::Absorption => {
                return refused(
                    "not_reversible",
                    "a reversal or a counter-event can't be taken back",
                );
            }
            StockEventKind::Revaluation => {
                return refused(
                    "not_reversible",
                    "a revaluation is not taken back: state the right cost",
                );
            }
            StockEventKind::TransferIn => {
                return refused(
                    "not_reversible",
                    "take the outgoing event of the transfer back",
                );
            }
            StockEventKind::Receipt
            | StockEventKind::Issue
            | StockEventKind::TransferOut
            | StockEventKind::CustomerReturn
            | StockEventKind::SupplierReturn
            | StockEventKind::CountVariance
            | StockEventKind::Adjustment
            | StockEventKind::ExternalReset
            | StockEventKind::ExternalAdjustment
            | StockEventKind::Removed => {}
        }
        let (returned, _) = self
            .returned(of)
            .map_err(|error| self.refused(&event.key, error))?;
        if !returned.is_zero() {
            return refused(
                "returned",
                "some of it has been returned; take the return back first",
            );
        }
        // The goods of a transfer leave where they came to before they come back.
        let incoming = self.referred.get(&transfer_in_id(of)).cloned();
        for event in incoming.iter().cloned().chain([event]) {
            let mut later = self.later.get(&event.key).cloned().unwrap_or_default();
            later.extend(
                self.events
                    .iter()
                    .filter(|made| made.key == event.key)
                    .cloned(),
            );
            let taken_back = reversal_id(event.id);
            if self.is_taken_back(&event) || later.iter().any(|event| event.id == taken_back) {
                return refused("already_reversed", "the event has been taken back");
            }
            let back = incoming
                .as_ref()
                .filter(|incoming| incoming.id != event.id)
                .and_then(|incoming| self.event(reversal_id(incoming.id)))
                .cloned();
            let posting = match &back {
                Some(back) => Posting::Transfer { out: &event, back },
                None => Posting::Event(&event),
            };
            self.with_any_level(&event.key, |level, terms| {
                level.take_back(&posting, &later, reason, terms)
            })?;
        }
        Ok(())
    }

    fn refused(&self, key: &StockKey, problem: StockError) -> Error {
        let product = self.products.get(&key.product).map(AsRef::as_ref);
        Error::stock(key, product, self.site, problem)
    }

    fn name_of(&self, key: &StockKey) -> Box<str> {
        let product = self.products.get(&key.product).map(AsRef::as_ref);
        named(key, product, Some(self.site)).into()
    }

    fn misnamed(&self, key: &StockKey, problem: KeyError) -> Error {
        let name = self.name_of(key);
        let key = Box::new(key.clone());
        Error::Key { key, name, problem }
    }

    fn product(&self, key: &StockKey) -> Result<&Product, Error> {
        let product = self.products.get(&key.product);
        product
            .map(|product| &**product)
            .ok_or(Error::not_found("product"))
    }

    fn level(&self, key: &StockKey) -> Result<&StockLevel, Error> {
        if key.site != self.site.id {
            return Err(Error::invalid(
                "key",
                "another_site",
                "all keys of a batch are of its site",
            ));
        }
        self.product(key)?;
        self.levels
            .get(key)
            .map(|(_, level)| level)
            .ok_or(Error::not_found("stock"))
    }

    /// Applies one change of a key that was read, whatever document is behind it.
    pub(super) fn change(&mut self, key: &StockKey, change: Change) -> Result<(), Error> {
        self.with_level(key, |level, terms| level.apply(change, terms))
    }

    /// Changes a level, if what comes in follows the rules of its product.
    fn with_level(
        &mut self,
        key: &StockKey,
        f: impl FnOnce(&StockLevel, &Terms<'_>) -> Result<(StockLevel, Vec<StockEvent>), StockError>,
    ) -> Result<(), Error> {
        let before = self.level(key)?;
        let before = (before.is_stocked(), before.quantity());
        if !before.0 {
            key.check(self.product(key)?)
                .map_err(|problem| self.misnamed(key, problem))?;
        }
        self.with_any_level(key, f)?;
        let (product, after) = (self.product(key)?, self.level(key)?.quantity());
        key.check_change(product, before, after)
            .map_err(|problem| self.misnamed(key, problem))
    }

    /// Changes a level: what is taken back goes where it was, whatever became of the product.
    fn with_any_level(
        &mut self,
        key: &StockKey,
        f: impl FnOnce(&StockLevel, &Terms<'_>) -> Result<(StockLevel, Vec<StockEvent>), StockError>,
    ) -> Result<(), Error> {
        let terms = Terms {
            site: self.site,
            standard: self
                .products
                .get(&key.product)
                .and_then(|product| product.standard_cost(self.site.currency)),
            elsewhere: self.costs.unit_cost(key.site, key.product),
            at: self.stamp.at,
            by: self.stamp.actor.user.id,
        };
        let before = self.level(key)?;
        let (level, events) = f(before, &terms).map_err(|problem| self.refused(key, problem))?;
        let before = before.quantity();
        if let Some((_, before)) = self.levels.get(key) {
            self.costs.changed(before, &level);
        }
        self.serials
            .moved(before, &level, self.site.policy.serials)
            .map_err(|elsewhere| elsewhere.error(&self.stamp.actor))?;
        if let Entry::Occupied(mut entry) = self.levels.entry(key.clone()) {
            entry.get_mut().1 = level;
        }
        for event in events {
            self.places.insert(event.id, self.events.len());
            self.events.push(event);
        }
        Ok(())
    }

    /// The events so far.
    pub(super) fn events(&self) -> &[StockEvent] {
        &self.events
    }

    /// Puts everything that changed into a change set.
    pub(super) fn write(self, changes: &mut ChangeSet) {
        let mut moved: BTreeSet<&StockKey> = self.events.iter().map(|event| &event.key).collect();
        moved.extend(&self.touched);
        for key in moved {
            if let Some((read, level)) = self.levels.get(key) {
                changes.put(read.as_ref(), level.clone());
            }
        }
        for event in self.events {
            changes.event(event);
        }
        self.serials.write(changes);
    }
}

/// What a return claims of the event that it names.
struct Claim {
    /// The id of the return's event.
    id: StockEventId,
    /// How much was returned before.
    returned: Quantity,
    /// How much the event moved.
    moved: Quantity,
    /// What that was worth.
    worth: Value,
    /// Whether nobody knows what it cost.
    cost_unknown: bool,
}

/// A kind of event that returns name.
struct Named {
    /// Where the return names it.
    field: &'static str,
    kind: StockEventKind,
    /// The code when it is of another kind, or of another product.
    other_kind: &'static str,
    /// What to say then.
    message: &'static str,
}

/// What a customer's return names.
const ISSUE: Named = Named {
    field: "of",
    kind: StockEventKind::Issue,
    other_kind: "not_an_issue",
    message: "a customer's return names the issue with which the goods left",
};

/// What a return to the supplier names.
const RECEIPT: Named = Named {
    field: "receipt",
    kind: StockEventKind::Receipt,
    other_kind: "not_a_receipt",
    message: "a return to the supplier names the receipt with which the goods came",
};

impl Named {
    fn error(&self, code: &'static str, message: &str) -> Error {
        Error::invalid(self.field, code, message)
    }

    /// The event must have moved what is returned; where that was does not matter.
    fn check(&self, event: &StockEvent, key: &StockKey) -> Result<(), Error> {
        let moved = &event.key;
        if event.kind != self.kind {
            return Err(self.error(self.other_kind, self.message));
        }
        if moved.product != key.product {
            return Err(self.error(
                self.other_kind,
                "the event that is named moved another product",
            ));
        }
        let parts = [
            ("variant", "another_variant", &moved.variant, &key.variant),
            ("batch", "another_batch", &moved.batch, &key.batch),
            (
                "serial number",
                "another_serial",
                &moved.serial,
                &key.serial,
            ),
        ];
        for (what, code, moved, returned) in parts {
            if moved != returned {
                let moved = moved.as_ref().map_or("none", Code::as_str);
                let message = format!("the event that is named moved another {what}: {moved}");
                return Err(self.error(code, &message));
            }
        }
        Ok(())
    }
}

fn more_than_left(left: Quantity) -> Error {
    let message = format!("no more than {left} of it can be returned");
    Error::invalid("quantity", "more_than_left", message)
}

/// The change that a movement asks for; the goods that leave are the oldest.
fn change_of(
    new: &NewMovement,
    id: StockEventId,
    kind: StockEventKind,
    quantity: Quantity,
    cost: IncomingCost,
) -> Change {
    Change {
        id,
        kind,
        quantity,
        cost,
        pick: Pick::Oldest,
        occurred_at: new.occurred_at,
        reason: new.reason.clone(),
        reference: new.reference.clone(),
        cause: Cause::Movement,
        of: None,
        reverses: None,
    }
}

fn above_zero(quantity: Quantity) -> Result<Quantity, Error> {
    if quantity.is_positive() {
        Ok(quantity)
    } else {
        Err(Error::invalid(
            "quantity",
            "invalid_quantity",
            "the quantity must be above zero",
        ))
    }
}

fn cost_of(unit_cost: Option<UnitCost>) -> IncomingCost {
    unit_cost.map_or(IncomingCost::Current, IncomingCost::PerUnit)
}
