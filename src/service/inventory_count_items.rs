//! Counting on an inventory count, and reading its lines (S2.3, S2.4).

use std::sync::Arc;

use crate::domain::{
    Code, CountEntryId, Found, InventoryCount, InventoryCountCommand, InventoryCountEntry,
    InventoryCountId, InventoryCountItem, InventoryCountItemId, Note, Quantity, Stamp, Timestamp,
};
use crate::store::{
    Digest, Guard, InventoryCountItemFilter, Outcome, Page, PageRequest, RepositoryExt, Versioned,
};

use super::access::Operation;
use super::call::{Once, Step};
use super::inventory_counts::InventoryCounts;
use super::{Caller, Error, Pending, StockChoice};

/// What somebody counted (S2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCountItem {
    /// Of what.
    pub stock: StockChoice,
    /// How many; zero or more.
    pub quantity: Quantity,
    /// Why it is off, as far as the counter knows.
    pub reason: Option<Note>,
    /// More about it.
    pub notes: Option<Note>,
    /// With which device.
    pub device: Option<Code>,
    /// When it was counted, where that is not now: a device that was offline tells its counts later. The line is then
    /// compared with the book of that moment.
    pub counted_at: Option<Timestamp>,
}

impl NewCountItem {
    /// So many are there.
    pub fn of(stock: impl Into<StockChoice>, quantity: Quantity) -> Self {
        Self {
            stock: stock.into(),
            quantity,
            reason: None,
            notes: None,
            device: None,
            counted_at: None,
        }
    }

    /// The same, and why it is off.
    #[must_use]
    pub fn because(mut self, reason: Note) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The same, counted at a moment: what a device tells that was offline. Neither in the future nor in a closed period,
    /// nor before the count was started; and the stock has not been counted later than that.
    #[must_use]
    pub const fn at(mut self, counted_at: Timestamp) -> Self {
        self.counted_at = Some(counted_at);
        self
    }
}

impl InventoryCounts<'_> {
    /// Records what was counted (S2.3): it is compared with what the book says of this moment, or of the stated one, and flagged when
    /// the variance is over the limits of the site's approval policy. Counting the same stock again replaces the
    /// line; every entry is kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for an unknown product or one that is kept at
    /// several places, [`Error::Key`], [`Error::Count`], [`Error::Transition`] unless it is in progress,
    /// [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn count<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
        new: NewCountItem,
    ) -> Pending<'c, InventoryCountItem> {
        Box::pin(async move {
            let library = self.library;
            let digest = Digest::of("count_inventory")
                .field(id)
                .request(&new.stock)
                .field(new.quantity)
                .optional(new.reason.as_ref())
                .optional(new.notes.as_ref())
                .optional(new.device.as_ref())
                .optional(new.counted_at);
            let mut call = library.begin(caller, "count_inventory", digest)?;
            let entry_id = CountEntryId::new(library.ids.next());
            loop {
                let seen = self.visible(&call.stamp, id).await;
                let count = match library.once(&call, Operation::CountInventory, seen).await? {
                    Once::First(read) => read.value,
                    Once::Again(outcome) => return item_of(outcome),
                };
                let (read, item) = self.counted(&count, &new, &call.stamp).await?;
                count.allows(InventoryCountCommand::Count)?;
                let entry = item.entry(entry_id, new.device.clone(), &call.stamp);
                let outcome = Outcome::InventoryCountItem(Arc::new(item.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.guard(Guard::CountEpoch {
                        count: id,
                        epoch: count.epoch(),
                    });
                    changes.put(read.as_ref(), item);
                    changes.entry(entry);
                });
                if let Step::Done(outcome) = step.await? {
                    return item_of(outcome);
                }
            }
        })
    }

    /// The line as it was read, if it is there, and as it becomes.
    async fn counted(
        &self,
        count: &InventoryCount,
        new: &NewCountItem,
        stamp: &Stamp,
    ) -> Result<(Option<Versioned<InventoryCountItem>>, InventoryCountItem), Error> {
        let library = self.library;
        let organisation = count.organisation();
        let site = library.site(organisation, count.site()).await?;
        let (key, product) = library
            .chosen_stock(organisation, site.id, &new.stock)
            .await?;
        let levels = library
            .repository
            .levels(organisation, std::slice::from_ref(&key))
            .await?;
        let level = levels.into_iter().flatten().next().map(|read| read.value);
        let place = (organisation, site.id);
        let line = std::iter::once((&key, level.as_ref()));
        let costs = library.counting_costs(place, line).await?;
        let standard = product.standard_cost(site.currency);
        let unit_cost = costs.of_key(&key, level.as_ref(), standard);
        let stated = new.counted_at.map(|at| (level.as_ref(), at));
        let then = library
            .late_counts(place, count.started_at(), stated.into_iter(), stamp)
            .await?;
        let found = Found {
            quantity: new.quantity,
            moment: then.moment(level.as_ref(), new.counted_at)?,
            unit_cost,
            reason: new.reason.clone(),
            notes: new.notes.clone(),
        };
        let item = InventoryCountItemId::for_key(count.id(), &key);
        let read = library
            .repository
            .inventory_count_item(organisation, count.id(), item)
            .await?;
        let policy = &site.policy.approval;
        let next = match &read {
            Some(read) => read
                .value
                .recounted(found, count.currency(), policy, stamp)?,
            None => InventoryCountItem::new(count, key, product, found, policy, stamp)?,
        };
        Ok((read, next))
    }

    /// The lines of a count (S2.4), those counted first first: all, only discrepancies, or only those that are
    /// flagged for review.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store, an invalid cursor among them.
    #[inline(never)]
    pub fn items<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
        filter: &'c InventoryCountItemFilter,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<InventoryCountItem>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            let items = self
                .library
                .repository
                .inventory_count_items(stamp.actor.organisation, id, filter, page)
                .await?;
            Ok(items.map(|item| item.value))
        })
    }

    /// One line by its id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a line of another count; failures of the store.
    #[inline(never)]
    pub fn item<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Pending<'c, InventoryCountItem> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            let item = self
                .library
                .repository
                .inventory_count_item(stamp.actor.organisation, id, item)
                .await?;
            item.map(|item| item.value)
                .ok_or(Error::not_found("inventory count item"))
        })
    }

    /// Every act of counting a line, the oldest first, with who and when.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn entries<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Pending<'c, Vec<InventoryCountEntry>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            Ok(self
                .library
                .repository
                .inventory_count_entries(stamp.actor.organisation, id, item)
                .await?)
        })
    }
}

fn item_of(outcome: Outcome) -> Result<InventoryCountItem, Error> {
    outcome
        .inventory_count_item()
        .map(Arc::unwrap_or_clone)
        .ok_or(Error::KeyReused)
}
