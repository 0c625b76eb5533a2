//! Levels, movements and the ledger.

use crate::domain::{
    Code, LedgerEntry, ProductId, Quantity, SiteId, StockEvent, StockEventId, StockKey, StockLevel,
    UnitCost,
};
use crate::store::{
    Digest, Guard, LevelFilter, Outcome, Page, PageRequest, RepositoryExt, Versioned,
};

use super::access::Operation;
use super::call::{Call, Step, require};
use super::movement::{Movement, NewMovement, batch_digest};
use super::{Caller, Error, FoundStock, Pending, Rebuild, Stocktake, Verification};

/// Levels, movements and the ledger of sites.
#[derive(Clone, Copy, Debug)]
pub struct Stock<'a> {
    stocktake: &'a Stocktake,
}

/// The most movements in one batch.
const MAX_BATCH: usize = 10_000;

impl<'a> Stock<'a> {
    pub(super) const fn of(stocktake: &'a Stocktake) -> Self {
        Self { stocktake }
    }

    /// Records movements at a site, one or a batch of up to 10,000 that lands whole (S6.1): the events, in order.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for an unknown site, product or event, [`Error::Forbidden`], [`Error::Invalid`]
    /// (`nothing_asked` without a movement),
    /// [`Error::Key`], [`Error::Stock`], [`Error::SerialElsewhere`], [`Error::Expectation`], [`Error::Transition`]
    /// for a reversal that is not possible, [`Error::TooLarge`], [`Error::KeyReused`], [`Error::Conflict`]; failures of the store.
    #[inline(never)]
    pub fn record<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        movements: &'c [NewMovement],
    ) -> Pending<'c, Vec<StockEvent>> {
        Box::pin(async move {
            let library = self.stocktake;
            // Without a key nobody can send it again, so nothing needs to be compared.
            let request = match caller.key() {
                Some(_) => batch_digest(&site, movements),
                None => Digest::of("record"),
            };
            let mut call = library.begin(caller, "record", request)?;
            let site = library.visible_site(&call.stamp, site).await?;
            call.require(Operation::MoveStock)?;
            if movements.len() > MAX_BATCH {
                return Err(Error::TooLarge { limit: MAX_BATCH });
            }
            if let Some(outcome) = library.replay(&call).await? {
                return Ok(events_of(outcome));
            }
            if movements.is_empty() {
                return Err(Error::nothing_asked("movements"));
            }
            self.land(&mut call, site.value.id, movements).await
        })
    }

    /// Records movements at a site that the actor has been found to see.
    async fn land(
        &self,
        call: &mut Call,
        id: SiteId,
        movements: &[NewMovement],
    ) -> Result<Vec<StockEvent>, Error> {
        let library = self.stocktake;
        loop {
            // Closing a period holds for what is recorded after it.
            let site = library.visible_site(&call.stamp, id).await?;
            let stamp = call.stamp.clone();
            let mut batch = library.read_batch(&site, &stamp, movements).await?;
            for movement in movements {
                let id = StockEventId::new(library.ids.next());
                if let Err(error) = batch.apply(movement, id) {
                    return Err(library.with_names(call.organisation(), error).await);
                }
            }
            let outcome = Outcome::Events(batch.events().into());
            let step = library.commit(call, outcome, |changes| {
                changes.guard(Guard::site(&site));
                batch.write(changes);
            });
            if let Step::Done(outcome) = step.await? {
                return Ok(events_of(outcome));
            }
        }
    }

    /// States what one of some stock costs ([`Movement::Revalue`]), of which nobody knows more than can be read off it: so what
    /// an import has brought in at an unknown cost comes to its cost, and what is found of it later can be posted. Returns the
    /// event.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record); [`Error::Invalid`] for an article that nobody has (`unknown_article`), a barcode that
    /// several have (`ambiguous_article`), and a name that several keys have (`ambiguous_stock`).
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{ImportMode, NamePart};
    /// use stocktake::service::{Caller, FoundProduct, FoundStock};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let shop = stocktake::testing::shop();
    /// shop.open().await?;
    /// let caller = Caller::of(&shop.manager);
    /// let body = br#"{"store-1": {"NEW-1": 7}}"#;
    /// shop.stocktake.stock_imports().begin(&caller, ImportMode::Absolute, body, false).await?;
    /// shop.run_jobs().await?;
    ///
    /// let new = FoundStock {
    ///     product: FoundProduct::Article("NEW-1".parse()?),
    ///     variant: NamePart::Any,
    ///     place: NamePart::Any,
    ///     batch: NamePart::Any,
    ///     serial: NamePart::Any,
    /// };
    /// let events = shop.stocktake.stock().state_cost(&caller, shop.site.id, &new, "2.5".parse()?).await?;
    /// assert_eq!(events[0].value_change, "17.5".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(never)]
    pub fn state_cost<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        stock: &'c FoundStock,
        unit_cost: UnitCost,
    ) -> Pending<'c, Vec<StockEvent>> {
        Box::pin(async move {
            let library = self.stocktake;
            let digest = Digest::of("state_cost").field(site).request(stock);
            let mut call = library.begin(caller, "state_cost", digest.field(unit_cost))?;
            let site = library.visible_site(&call.stamp, site).await?.value.id;
            call.require(Operation::MoveStock)?;
            if let Some(outcome) = library.replay(&call).await? {
                return Ok(events_of(outcome));
            }
            let key = library.key_found(&call.stamp, site, stock).await?;
            let stated = Movement::Revalue { key, unit_cost };
            self.land(&mut call, site, &[stated.into()]).await
        })
    }

    /// Sets how much of a key is reserved; zero or more, also more than is on hand.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a key that is not stocked, [`Error::Forbidden`], [`Error::Invalid`]; failures of
    /// the store.
    #[inline(never)]
    pub fn set_reserved<'c>(
        &'c self,
        caller: &'c Caller,
        key: &'c StockKey,
        reserved: Quantity,
    ) -> Pending<'c, ()> {
        Box::pin(async move {
            let library = self.stocktake;
            let digest = Digest::of("set_reserved").field(key).field(reserved);
            let mut call = library.begin(caller, "set_reserved", digest)?;
            library.visible_site(&call.stamp, key.site).await?;
            call.require(Operation::MoveStock)?;
            if reserved.is_negative() {
                return Err(Error::invalid(
                    "reserved",
                    "negative_quantity",
                    "reserved is zero or more",
                ));
            }
            loop {
                if library.replay(&call).await?.is_some() {
                    return Ok(());
                }
                let read = self.read_level(&call.stamp, key).await?;
                let next = read.value.clone().with_reserved(reserved, call.stamp.at);
                let step = library.commit(&mut call, Outcome::Done, |changes| {
                    changes.update(read.version, next);
                });
                if let Step::Done(_) = step.await? {
                    return Ok(());
                }
            }
        })
    }

    async fn read_level(
        &self,
        stamp: &crate::domain::Stamp,
        key: &StockKey,
    ) -> Result<Versioned<StockLevel>, Error> {
        let keys = std::slice::from_ref(key);
        let levels = self
            .stocktake
            .repository
            .levels(stamp.actor.organisation, keys)
            .await?;
        levels
            .into_iter()
            .flatten()
            .find(|level| level.value.is_stocked())
            .ok_or(Error::not_found("stock"))
    }

    /// The level of a key. A delisted key has none.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn level<'c>(&'c self, caller: &'c Caller, key: &'c StockKey) -> Pending<'c, StockLevel> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            self.stocktake.visible_site(&stamp, key.site).await?;
            self.read_level(&stamp, key).await.map(|level| level.value)
        })
    }

    /// The levels of a site in the order of their keys; of all products or one, of all stock places or one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn levels<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        product: Option<ProductId>,
        place: Option<Code>,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<StockLevel>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            self.stocktake.visible_site(&stamp, site).await?;
            let filter = LevelFilter {
                place,
                products: product.into_iter().collect(),
                with_delisted: false,
            };
            let levels = self
                .stocktake
                .repository
                .levels_page(stamp.actor.organisation, site, &filter, page)
                .await?;
            Ok(levels.map(|level| level.value))
        })
    }

    /// The events of one key after a sequence, in order; 0 gives all of them.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn key_events<'c>(
        &'c self,
        caller: &'c Caller,
        key: &'c StockKey,
        after: u64,
    ) -> Pending<'c, Vec<StockEvent>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            self.stocktake.visible_site(&stamp, key.site).await?;
            let keys = [(key.clone(), after)];
            Ok(self
                .stocktake
                .repository
                .events_after(stamp.actor.organisation, &keys)
                .await?)
        })
    }

    /// Events by their ids, as a cost layer or a line of a posted take names them, in their order. Events that do
    /// not exist, and those of sites that the actor can't see, are left out.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] beyond 10,000; failures of the store.
    #[inline(never)]
    pub fn events<'c>(
        &'c self,
        caller: &'c Caller,
        ids: &'c [StockEventId],
    ) -> Pending<'c, Vec<LedgerEntry>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            if ids.len() > MAX_BATCH {
                return Err(Error::TooLarge { limit: MAX_BATCH });
            }
            let organisation = stamp.actor.organisation;
            let found = self.stocktake.repository.events(organisation, ids).await?;
            let visible = |entry: &LedgerEntry| stamp.actor.sees(entry.event.key.site);
            Ok(found.into_iter().flatten().filter(visible).collect())
        })
    }

    /// The change feed (S6.11): the ledger of a site after a position, in its one gap-free order. Who keeps
    /// the last position never misses or repeats an event. The limit is cut to 1 and
    /// [`MAX_PAGE`](crate::store::MAX_PAGE).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn ledger<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Pending<'c, Vec<LedgerEntry>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            self.stocktake.visible_site(&stamp, site).await?;
            Ok(self
                .stocktake
                .repository
                .ledger(stamp.actor.organisation, site, after, limit)
                .await?)
        })
    }

    /// The ledger of a site from its end back: the entries before a position, or the last ones, the newest first. The limit is
    /// cut to 1 and [`MAX_PAGE`](crate::store::MAX_PAGE).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn ledger_back<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        before: Option<u64>,
        limit: u32,
    ) -> Pending<'c, Vec<LedgerEntry>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            self.stocktake.visible_site(&stamp, site).await?;
            Ok(self
                .stocktake
                .repository
                .ledger_back(stamp.actor.organisation, site, before, limit)
                .await?)
        })
    }

    /// Recomputes every level of a site, its value and its cost layers, from the ledger, looks at what the store keeps
    /// beside its records and events (columns, totals of documents, what all products of the organisation are found by, the end of the
    /// ledger), and names every difference (S6.10). It can be asked while stock moves:
    /// what is recorded meanwhile is told from what is wrong. In memory it holds one page of levels and one of events, whatever
    /// the size of the ledger, and the first [`DIFFERENCES_TOLD`](super::DIFFERENCES_TOLD) differences.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`]; failures of the store.
    #[inline(never)]
    pub fn verify<'c>(&'c self, caller: &'c Caller, site: SiteId) -> Pending<'c, Verification> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            let site = self.stocktake.visible_site(&stamp, site).await?;
            require(&stamp, Operation::VerifyLedger)?;
            self.stocktake.verify_site(&site).await
        })
    }

    /// Mends what [`verify`](Self::verify) finds, from the ledger, and says what it changed (S6.10): levels (what is on hand,
    /// whether it is stocked, value and cost layers), marks of serial numbers, sums of orders, and what the store keeps beside
    /// its records. The ledger itself is never touched: events that contradict each other, and what is kept beside events, are
    /// told and left.
    ///
    /// What the ledger does not tell stays as it is: what is reserved, and what a level knows of counts. A level that is gone
    /// comes back with nothing reserved, because nothing else says what was: a host that reserves stock states it again
    /// ([`set_reserved`](Self::set_reserved)). Of what was known it knows each absolute value, and of the counts after the last
    /// one those that found a variance; which of these a clock knew that was ahead, it knows from the events that were recorded
    /// after them.
    ///
    /// It can be asked while stock moves, and again after it was interrupted: each key is mended by a commit of its own, which
    /// is decided anew when somebody else was faster, and what is right already is left alone. In memory it holds one page of
    /// levels and one of events, whatever the size of the ledger, and of what it did the first
    /// [`DIFFERENCES_TOLD`](super::DIFFERENCES_TOLD).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Conflict`] for a key that others changed all the time; failures of
    /// the store. What was mended until then stays mended.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use stocktake::memory::MemoryStore;
    /// use stocktake::service::Caller;
    /// use stocktake::testing::Shop;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let shop = Shop::on(Arc::new(MemoryStore::new()));
    /// shop.open().await?;
    /// let manager = Caller::of(&shop.manager);
    ///
    /// let rebuilt = shop.stocktake.stock().rebuild(&manager, shop.site.id).await?;
    ///
    /// assert_eq!((rebuilt.mended, rebuilt.left), (0, 0), "nothing was wrong");
    /// # Ok::<(), stocktake::service::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(never)]
    pub fn rebuild<'c>(&'c self, caller: &'c Caller, site: SiteId) -> Pending<'c, Rebuild> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            let site = self.stocktake.visible_site(&stamp, site).await?;
            require(&stamp, Operation::RebuildStock)?;
            self.stocktake.rebuild_site(&site.value, stamp).await
        })
    }
}

fn events_of(outcome: Outcome) -> Vec<StockEvent> {
    outcome
        .events()
        .map(|events| events.to_vec())
        .unwrap_or_default()
}
