//! Inventory counts: the header, from the start to the summary (S2.1, S2.2, S2.6, S2.7).

use std::sync::Arc;

use crate::domain::{
    CountTotals, InventoryCount, InventoryCountDetails, InventoryCountId, InventoryCountState,
    SiteId, Stamp, Timestamp, TransitionError,
};
use crate::store::{
    Conflict, DeletableKey, Digest, InventoryCountFilter, OpenCount, Outcome, Page, PageRequest,
    RecordKey, RepositoryExt, Versioned,
};

use super::access::Operation;
use super::call::Step;
use super::each_row::each_row;
use super::error::dated;
use super::{Caller, Error, Pending, Stocktake};

/// Inventory counts (S2.1 to S2.7): a site has one in progress, whoever counts adds what is there, and completing it
/// makes the book match, if that is asked for.
///
/// # Example
///
/// ```
/// use stocktake::domain::{CompletionOptions, CountType, InventoryCountDetails, MovementPolicy};
/// use stocktake::service::{Caller, NewCountItem};
/// # let shop = stocktake::testing::shop();
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # shop.open().await?;
/// # let (stocktake, product) = (&shop.stocktake, shop.products[0].id);
/// # let (manager, counter) = (Caller::of(&shop.manager), Caller::of(&shop.counter));
///
/// let counts = stocktake.inventory_counts();
/// let details = InventoryCountDetails {
///     name: "January".parse()?,
///     kind: CountType::Cycle,
///     notes: None,
///     movement_policy: MovementPolicy::default(),
/// };
/// let count = counts.start(&manager, shop.site.id, details).await?;
///
/// // The book says 40, at 1.50 a piece.
/// let line = counts.count(&counter, count.id(), NewCountItem::of(product, "38".parse()?)).await?;
/// assert_eq!((line.variance.minor(), line.significant), (-300, false));
///
/// let apply = CompletionOptions { apply_adjustments: true, ..CompletionOptions::default() };
/// let done = counts.complete(&manager, count.id(), apply, None).await?;
/// assert_eq!((done.totals.discrepancies(), done.totals.missing_minor()), (1, 300));
/// assert_eq!(shop.on_hand(&shop.key(0)).await?, "38".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct InventoryCounts<'a> {
    pub(super) library: &'a Stocktake,
}

/// A count and its totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryCountSummary {
    /// The count.
    pub count: InventoryCount,
    /// What it came to; before it is completed, what its lines come to so far.
    pub totals: CountTotals,
}

/// Many counts together (S2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountingSummary {
    /// How many counts.
    pub counts: u64,
    /// What they came to.
    pub totals: CountTotals,
}

impl<'a> InventoryCounts<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Starts a count (S2.2). A site has one in progress at a time, also when two are started at the same instant.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site, [`Error::Forbidden`], [`Error::Transition`] `count_in_progress`,
    /// [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn start<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        details: InventoryCountDetails,
    ) -> Pending<'c, InventoryCount> {
        Box::pin(async move {
            let library = self.library;
            let digest = Digest::of("start_inventory_count")
                .field(site)
                .request(&details);
            let mut call = library.begin(caller, "start_inventory_count", digest)?;
            let site = library.visible_site(&call.stamp, site).await?;
            call.require(Operation::RunCount)?;
            if let Some(outcome) = library.replay(&call).await? {
                return count_of(outcome);
            }
            let id = InventoryCountId::new(library.ids.next());
            let count = InventoryCount::start(id, &site, details, &call.stamp);
            let open = OpenCount {
                site: site.id,
                count: id,
            };
            loop {
                let outcome = Outcome::InventoryCount(Arc::new(count.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.insert(count.clone());
                    changes.insert(open);
                });
                match step.await? {
                    Step::Done(outcome) => return count_of(outcome),
                    Step::Again(conflicts) if conflicts.iter().any(is_open_already) => {
                        return Err(Error::Transition(TransitionError::Rule {
                            code: "count_in_progress",
                            message: "the site has a count in progress",
                        }));
                    }
                    Step::Again(_) => {}
                }
            }
        })
    }

    /// Gives a count up (S2.6): nothing is posted, and the site may start another.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] unless it is in progress,
    /// [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn cancel<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
    ) -> Pending<'c, InventoryCountSummary> {
        Box::pin(async move {
            let library = self.library;
            let operation = "cancel_inventory_count";
            let mut call = library.begin(caller, operation, Digest::of(operation).field(id))?;
            let cancelled = loop {
                let read = self.visible(&call.stamp, id).await?;
                call.require(Operation::RunCount)?;
                if let Some(outcome) = library.replay(&call).await? {
                    break count_of(outcome)?;
                }
                let next = read.value.cancel(&call.stamp)?;
                let open = library.open_mark(&next).await?;
                let outcome = Outcome::InventoryCount(Arc::new(next.clone()));
                let step = library.commit(&mut call, outcome, |changes| {
                    if let Some(open) = open {
                        changes.delete(open.version, DeletableKey::OpenCount(next.site()));
                    }
                    changes.update(read.version, next);
                });
                if let Step::Done(outcome) = step.await? {
                    break count_of(outcome)?;
                }
            };
            self.summary_of(cancelled).await
        })
    }

    /// Reads a count (S2.1).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn get<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
    ) -> Pending<'c, InventoryCountSummary> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let count = self.visible(&stamp, id).await?.value;
            self.summary_of(count).await
        })
    }

    /// A site's counts, the oldest first (S2.1).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site; failures of the store.
    #[inline(never)]
    pub fn list<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        filter: &'c InventoryCountFilter,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<InventoryCountSummary>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.library.visible_site(&stamp, site).await?;
            dated("from", filter.from)?;
            dated("to", filter.to)?;
            let found = self
                .library
                .repository
                .inventory_counts(stamp.actor.organisation, site, filter, page)
                .await?;
            let mut items = Vec::with_capacity(found.items.len());
            for count in found.items {
                items.push(self.summary_of(count.value).await?);
            }
            Ok(Page {
                items,
                total: found.total,
                next: found.next,
            })
        })
    }

    /// What a site's completed counts came to (S2.7): those that were started at or after `from`, and before `to`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site; failures of the store.
    #[inline(never)]
    pub fn summary<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Pending<'c, CountingSummary> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.library.visible_site(&stamp, site).await?;
            dated("from", from)?;
            dated("to", to)?;
            let filter = InventoryCountFilter {
                states: [InventoryCountState::Completed].into(),
                from,
                to,
            };
            let mut summary = CountingSummary::default();
            let (repository, filter) = (&self.library.repository, &filter);
            let organisation = stamp.actor.organisation;
            let read = |page| async move {
                repository
                    .inventory_counts(organisation, site, filter, &page)
                    .await
            };
            each_row(read, |count| {
                if let Some(result) = count.value.result() {
                    summary.counts = summary.counts.saturating_add(1);
                    summary.totals = summary.totals.and(result.totals);
                }
                Ok(())
            })
            .await?;
            Ok(summary)
        })
    }

    /// A count with the totals of its lines, of one moment.
    pub(super) async fn summary_of(
        &self,
        count: InventoryCount,
    ) -> Result<InventoryCountSummary, Error> {
        let repository = &self.library.repository;
        let (organisation, id) = (count.organisation(), count.id());
        let mut count = count;
        loop {
            if let Some(result) = count.result() {
                let totals = result.totals;
                return Ok(InventoryCountSummary { count, totals });
            }
            let totals = repository.inventory_count_totals(organisation, id).await?;
            // Totals that were read between two reads of the same header are of the same moment as it is.
            let again = repository.inventory_count(organisation, id).await?;
            match again.map(|again| again.value) {
                Some(again) if again != count => count = again,
                Some(_) | None => return Ok(InventoryCountSummary { count, totals }),
            }
        }
    }

    /// A count that the actor can see.
    pub(super) async fn visible(
        &self,
        stamp: &Stamp,
        id: InventoryCountId,
    ) -> Result<Versioned<InventoryCount>, Error> {
        let count = self
            .library
            .repository
            .inventory_count(stamp.actor.organisation, id)
            .await?;
        count
            .filter(|count| stamp.actor.sees(count.value.site()))
            .ok_or(Error::not_found("inventory count"))
    }
}

impl Stocktake {
    /// The mark that keeps the count's site from starting another: to be deleted when the count is over.
    pub(super) async fn open_mark(
        &self,
        count: &InventoryCount,
    ) -> Result<Option<Versioned<OpenCount>>, Error> {
        let open = self
            .repository
            .open_count(count.organisation(), count.site())
            .await?;
        Ok(open.filter(|open| open.value.count == count.id()))
    }
}

const fn is_open_already(conflict: &Conflict) -> bool {
    matches!(conflict, Conflict::Exists(RecordKey::OpenCount(_)))
}

fn count_of(outcome: Outcome) -> Result<InventoryCount, Error> {
    outcome
        .inventory_count()
        .map(Arc::unwrap_or_clone)
        .ok_or(Error::KeyReused)
}
