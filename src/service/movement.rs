//! What else moves stock (S6.1), and how a batch of it becomes one commit.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{
    Cause, Change, Code, IncomingCost, Note, Pick, Posting, Product, ProductId, Quantity, Site,
    Stamp, StockEvent, StockEventId, StockEventKind, StockKey, StockLevel, Terms, Timestamp,
    TransitionError, UnitCost, reversal_id,
};
use crate::store::{ChangeSet, Digest, DigestBuilder, Versioned};

use super::{Error, Stocktake};

/// What moves. Quantities are above zero unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// Goods come in.
    Receipt {
        /// Where to.
        key: StockKey,
        /// How many.
        quantity: Quantity,
        /// What one costs; without it they cost what is on hand costs.
        unit_cost: Option<UnitCost>,
    },
    /// Goods leave: sold, used.
    Issue {
        /// Where from.
        key: StockKey,
        /// How many.
        quantity: Quantity,
    },
    /// Goods move within the site, with their cost layers.
    Transfer {
        /// Where from.
        from: StockKey,
        /// Where to.
        to: StockKey,
        /// How many.
        quantity: Quantity,
    },
    /// A customer brings goods back: they come in at the cost they left with.
    CustomerReturn {
        /// Where to.
        key: StockKey,
        /// How many; not more than left.
        quantity: Quantity,
        /// The issue with which they left.
        of: StockEventId,
    },
    /// Goods go back to the supplier: the oldest, or those of a receipt.
    SupplierReturn {
        /// Where from.
        key: StockKey,
        /// How many.
        quantity: Quantity,
        /// The receipt whose layer they are taken from as far as it goes.
        receipt: Option<StockEventId>,
    },
    /// Takes a movement back, once. Of a transfer name the event with which the goods left: both are taken back.
    /// What a count, an order or an import posted is taken back with its document.
    Reversal {
        /// The event.
        of: StockEventId,
    },
    /// So many are there, whatever the book said (zero or more); always an event, also when nothing changes.
    Reset {
        /// Of what.
        key: StockKey,
        /// How many.
        quantity: Quantity,
        /// What one costs that the book did not know.
        unit_cost: Option<UnitCost>,
        /// What the book must have said (S6.3).
        expected: Option<Quantity>,
    },
    /// The book changes by so many, from outside; not zero.
    Adjust {
        /// Of what.
        key: StockKey,
        /// By how many.
        change: Quantity,
        /// What one costs that comes in.
        unit_cost: Option<UnitCost>,
    },
    /// The key is no longer kept on stock: what is left is booked out, and it enters no take until stock
    /// arrives again.
    Remove {
        /// Which.
        key: StockKey,
    },
}

/// A movement with what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMovement {
    /// What moves.
    pub movement: Movement,
    /// When it happened; not ahead, and not in a closed period. Without it, it happens now, after all that is
    /// known. [`Movement::Reset`], [`Movement::Remove`] and [`Movement::Reversal`] take none.
    pub occurred_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<Note>,
    /// The host's reference.
    pub reference: Option<Code>,
}

impl From<Movement> for NewMovement {
    fn from(movement: Movement) -> Self {
        Self {
            movement,
            occurred_at: None,
            reason: None,
            reference: None,
        }
    }
}

impl NewMovement {
    /// The same movement at a stated time.
    #[must_use]
    pub fn at(mut self, occurred_at: Timestamp) -> Self {
        self.occurred_at = Some(occurred_at);
        self
    }

    /// The same movement with a reason.
    #[must_use]
    pub fn because(mut self, reason: Note) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The same movement with the host's reference.
    #[must_use]
    pub fn with_reference(mut self, reference: Code) -> Self {
        self.reference = Some(reference);
        self
    }

    pub(super) fn digest(&self, digest: DigestBuilder) -> DigestBuilder {
        digest.field(format_args!("{self:?}"))
    }

    /// The keys that it names itself; of a return or a reversal the event tells the rest.
    fn keys(&self) -> Vec<&StockKey> {
        match &self.movement {
            Movement::Receipt { key, .. }
            | Movement::Issue { key, .. }
            | Movement::CustomerReturn { key, .. }
            | Movement::SupplierReturn { key, .. }
            | Movement::Reset { key, .. }
            | Movement::Adjust { key, .. }
            | Movement::Remove { key } => vec![key],
            Movement::Transfer { from, to, .. } => vec![from, to],
            Movement::Reversal { .. } => Vec::new(),
        }
    }

    /// The event that it refers to.
    const fn refers_to(&self) -> Option<StockEventId> {
        match &self.movement {
            Movement::CustomerReturn { of, .. } | Movement::Reversal { of } => Some(*of),
            Movement::Receipt { .. }
            | Movement::Issue { .. }
            | Movement::Transfer { .. }
            | Movement::SupplierReturn { .. }
            | Movement::Reset { .. }
            | Movement::Adjust { .. }
            | Movement::Remove { .. } => None,
        }
    }

    /// Whether it may state its time.
    const fn may_be_dated(&self) -> bool {
        !matches!(
            self.movement,
            Movement::Reset { .. } | Movement::Remove { .. } | Movement::Reversal { .. }
        )
    }
}

/// A batch on its way to one commit: levels as they were read, and as they become.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    site: &'a Site,
    stamp: &'a Stamp,
    levels: BTreeMap<StockKey, (Option<Versioned<StockLevel>>, StockLevel)>,
    products: BTreeMap<ProductId, Arc<Product>>,
    referred: BTreeMap<StockEventId, StockEvent>,
    /// Events of the keys of reversed events, from those on.
    later: BTreeMap<StockKey, Vec<StockEvent>>,
    events: Vec<StockEvent>,
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
        let mut ids: Vec<StockEventId> = movements
            .iter()
            .filter_map(NewMovement::refers_to)
            .collect();
        // A transfer is taken back with both of its events.
        ids.extend(ids.clone().into_iter().map(transfer_in_id));
        let found = if ids.is_empty() {
            Vec::new()
        } else {
            self.repository.events(organisation, &ids).await?
        };
        let referred: BTreeMap<StockEventId, StockEvent> = found
            .into_iter()
            .flatten()
            .filter(|entry| entry.event.key.site == site.id)
            .map(|entry| (entry.event.id, entry.event))
            .collect();
        let mut keys: Vec<StockKey> = movements
            .iter()
            .flat_map(NewMovement::keys)
            .cloned()
            .collect();
        keys.extend(referred.values().map(|event| event.key.clone()));
        keys.sort();
        keys.dedup();
        let after: Vec<(StockKey, u64)> = referred
            .values()
            .map(|event| (event.key.clone(), event.sequence.saturating_sub(1)))
            .collect();
        let mut later: BTreeMap<StockKey, Vec<StockEvent>> = BTreeMap::new();
        if !after.is_empty() {
            for event in self.repository.events_after(organisation, &after).await? {
                later.entry(event.key.clone()).or_default().push(event);
            }
        }
        let products = self.products_of(organisation, keys.iter()).await?;
        let read = self.repository.levels(organisation, &keys).await?;
        let levels = keys
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
        Ok(Batch {
            site,
            stamp,
            levels,
            products,
            referred,
            later,
            events: Vec::new(),
        })
    }

    /// The products of some keys, in one read.
    pub(super) async fn products_of(
        &self,
        organisation: crate::domain::OrganisationId,
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
        let plain = |kind: StockEventKind, quantity: Quantity, cost: IncomingCost| Change {
            id,
            kind,
            quantity,
            cost,
            pick: Pick::Oldest,
            occurred_at: new.occurred_at,
            reason: new.reason.clone(),
            reference: new.reference.clone(),
            cause: Cause::Movement,
            reverses: None,
        };
        match &new.movement {
            Movement::Receipt {
                key,
                quantity,
                unit_cost,
            } => {
                let change = plain(
                    StockEventKind::Receipt,
                    above_zero(*quantity)?,
                    cost_of(*unit_cost),
                );
                self.change(key, change)
            }
            Movement::Issue { key, quantity } => {
                let out = above_zero(*quantity)?.negated();
                self.change(
                    key,
                    plain(StockEventKind::Issue, out, IncomingCost::Current),
                )
            }
            Movement::SupplierReturn {
                key,
                quantity,
                receipt,
            } => {
                let out = above_zero(*quantity)?.negated();
                let change = plain(StockEventKind::SupplierReturn, out, IncomingCost::Current);
                self.change(
                    key,
                    Change {
                        pick: receipt.map_or(Pick::Oldest, Pick::Layer),
                        ..change
                    },
                )
            }
            Movement::Adjust {
                key,
                change,
                unit_cost,
            } => {
                if change.is_zero() {
                    return Err(Error::invalid(
                        "change",
                        "zero_quantity",
                        "the change must not be zero",
                    ));
                }
                self.change(
                    key,
                    plain(
                        StockEventKind::ExternalAdjustment,
                        *change,
                        cost_of(*unit_cost),
                    ),
                )
            }
            Movement::Transfer { from, to, quantity } => {
                self.transfer(from, to, above_zero(*quantity)?, plain)
            }
            Movement::CustomerReturn { key, quantity, of } => {
                let quantity = above_zero(*quantity)?;
                let cost = self.returned_cost(key, quantity, *of)?;
                self.change(key, plain(StockEventKind::CustomerReturn, quantity, cost))
            }
            Movement::Reset {
                key,
                quantity,
                unit_cost,
                expected,
            } => {
                if quantity.is_negative() {
                    return Err(Error::invalid(
                        "quantity",
                        "negative_quantity",
                        "an absolute value is zero or more",
                    ));
                }
                let actual = self.level(key)?.quantity();
                if let Some(expected) = *expected
                    && expected != actual
                {
                    return Err(Error::Expectation { expected, actual });
                }
                let change = plain(
                    StockEventKind::ExternalReset,
                    Quantity::ZERO,
                    cost_of(*unit_cost),
                );
                self.with_level(key, |level, terms| {
                    level
                        .reset(change, *quantity, terms)
                        .map(|(level, event)| (level, vec![event]))
                })
            }
            Movement::Remove { key } => {
                if !self.level(key)?.is_stocked() {
                    return Err(Error::not_found("stock"));
                }
                let change = plain(
                    StockEventKind::Removed,
                    Quantity::ZERO,
                    IncomingCost::Current,
                );
                self.with_level(key, |level, terms| {
                    level
                        .delist(change, terms)
                        .map(|(level, event)| (level, vec![event]))
                })
            }
            Movement::Reversal { of } => self.reverse(*of, new.reason.as_ref()),
        }
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
        let parts = self
            .events
            .iter()
            .rev()
            .find(|event| event.id == id)
            .map_or_else(Vec::new, |event| event.parts.clone());
        let into = plain(
            StockEventKind::TransferIn,
            quantity,
            IncomingCost::Parts(parts),
        );
        self.change(
            to,
            Change {
                id: transfer_in_id(id),
                ..into
            },
        )
    }

    /// What returned goods cost: their share of what left.
    fn returned_cost(
        &self,
        key: &StockKey,
        quantity: Quantity,
        of: StockEventId,
    ) -> Result<IncomingCost, Error> {
        let issue = self.referred.get(&of).ok_or(Error::not_found("event"))?;
        let left = issue.change.negated();
        if issue.kind != StockEventKind::Issue || issue.key.product != key.product {
            return Err(Error::invalid(
                "of",
                "not_an_issue",
                "only what left can come back",
            ));
        }
        if quantity > left {
            return Err(Error::invalid(
                "quantity",
                "more_than_left",
                "more than left can't come back",
            ));
        }
        let cost = issue
            .value_change
            .negated()
            .share(quantity, left, self.site.currency)
            .map_err(|error| Error::stock(key, error.into()))?;
        Ok(IncomingCost::Total(cost))
    }

    fn reverse(&mut self, of: StockEventId, reason: Option<&Note>) -> Result<(), Error> {
        let event = self
            .referred
            .get(&of)
            .cloned()
            .ok_or(Error::not_found("event"))?;
        let refused =
            |code, message| Err(Error::Transition(TransitionError::Rule { code, message }));
        if event.cause != Cause::Movement {
            return refused(
                "posted_by_document",
                "what a document posted is taken back with the document",
            );
        }
        match event.kind {
            StockEventKind::Reversal | StockEventKind::Absorption => {
                return refused(
                    "not_reversible",
                    "a reversal or a counter-event can't be taken back",
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
        // The goods of a transfer leave where they came to before they come back.
        let incoming = self.referred.get(&transfer_in_id(of)).cloned();
        for event in incoming.into_iter().chain([event]) {
            let later = self.later.get(&event.key).cloned().unwrap_or_default();
            let taken_back = reversal_id(event.id);
            if later
                .iter()
                .chain(&self.events)
                .any(|event| event.id == taken_back)
            {
                return refused("already_reversed", "the event has been taken back");
            }
            self.with_level(&event.key, |level, terms| {
                level.take_back(&Posting::Event(&event), &later, reason, terms)
            })?;
        }
        Ok(())
    }

    fn level(&self, key: &StockKey) -> Result<&StockLevel, Error> {
        if key.site != self.site.id {
            return Err(Error::invalid(
                "key",
                "another_site",
                "all keys of a batch are of its site",
            ));
        }
        let product = self
            .products
            .get(&key.product)
            .ok_or(Error::not_found("product"))?;
        key.check(product).map_err(|problem| Error::Key {
            key: Box::new(key.clone()),
            problem,
        })?;
        self.levels
            .get(key)
            .map(|(_, level)| level)
            .ok_or(Error::not_found("stock"))
    }

    fn change(&mut self, key: &StockKey, change: Change) -> Result<(), Error> {
        self.with_level(key, |level, terms| level.apply(change, terms))
    }

    fn with_level(
        &mut self,
        key: &StockKey,
        f: impl FnOnce(
            &StockLevel,
            &Terms<'_>,
        ) -> Result<(StockLevel, Vec<StockEvent>), crate::domain::StockError>,
    ) -> Result<(), Error> {
        let terms = Terms {
            site: self.site,
            standard: self
                .products
                .get(&key.product)
                .and_then(|product| product.unit_cost),
            at: self.stamp.at,
            by: self.stamp.actor.user.id,
        };
        let (level, events) =
            f(self.level(key)?, &terms).map_err(|problem| Error::stock(key, problem))?;
        if let Entry::Occupied(mut entry) = self.levels.entry(key.clone()) {
            entry.get_mut().1 = level;
        }
        self.events.extend(events);
        Ok(())
    }

    /// The events so far.
    pub(super) fn events(&self) -> &[StockEvent] {
        &self.events
    }

    /// Puts everything that changed into a change set.
    pub(super) fn write(self, changes: &mut ChangeSet) {
        let mut moved: Vec<&StockKey> = self.events.iter().map(|event| &event.key).collect();
        moved.sort();
        moved.dedup();
        for key in moved {
            if let Some((read, level)) = self.levels.get(key) {
                changes.put(read.as_ref(), level.clone());
            }
        }
        for event in self.events {
            changes.event(event);
        }
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

/// The digest of a batch.
pub(super) fn batch_digest(
    site: &crate::domain::SiteId,
    movements: &[NewMovement],
) -> DigestBuilder {
    movements
        .iter()
        .fold(Digest::of("record").field(site), |digest, new| {
            new.digest(digest)
        })
}
