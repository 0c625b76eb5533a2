//! A store that fails when it is told to.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use async_trait::async_trait;

use crate::domain::{
    Code, CountEntry, CountTotals, InventoryCount, InventoryCountEntry, InventoryCountId,
    InventoryCountItem, InventoryCountItemId, InventoryOrder, InventoryOrderId, InventoryOrderItem,
    InventoryOrderItemId, JobId, LedgerEntry, OrganisationId, Product, ProductId, Site, SiteId,
    StockAdjustment, StockAdjustmentId, StockEvent, StockEventId, StockImport, StockImportId,
    StockKey, StockLevel, StockTake, StockTakeId, StockTakeItemId, Supplier, SupplierId, Timestamp,
};
use crate::store::{
    ArticleFilter, ArticleSort, ArticleView, ChangeSet, Command, CommandId, CommitError,
    CommitOutcome, Conflict, CountingView, Export, ExportChunk, ImportChunk, InventoryCountFilter,
    InventoryCountItemFilter, InventoryOrderFilter, InventoryOrderItemFilter, Job, JobQueue, Lease,
    LeaseError, LeaseToken, LevelFilter, NewJob, OpenCount, Outcome, Page, PageRequest, RecordKey,
    Repository, StockAdjustmentFilter, StockTakeFilter, StockTakeItemFilter, StockTakeItemView,
    StockTakeTotals, StoreError, StoreErrorKind, Versioned, Write,
};

/// What goes wrong with a call of a [`FaultStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The store can't be reached: the call has no effect and fails with
    /// [`StoreErrorKind::Unavailable`].
    Before,
    /// The answer is lost: the call has its effect. A commit then fails with
    /// [`CommitError::OutcomeUnknown`], anything else with [`StoreErrorKind::Unavailable`].
    After,
    /// The store is overloaded: the call has no effect and fails with [`StoreErrorKind::Busy`].
    Busy,
    /// Somebody else was faster: a commit is not applied and fails with [`CommitError::Conflict`]. Other
    /// calls pass.
    Conflict,
    /// The call has no effect and never ends: drop its future to cancel it.
    HangBefore,
    /// The call has its effect and never ends: drop its future to cancel it.
    HangAfter,
    /// Nothing goes wrong, but other tasks run first: the call is done when its future is polled again.
    Yield,
}

/// Another store, counting the calls of every storage method, and failing at the call that it is told to.
///
/// Run a piece of work once and ask how many [`calls`](Self::calls) it made; then, for each of them and for
/// each [`Fault`], run it on a fresh store that [fails at](Self::fail_at) that call,
/// [`heal`](Self::heal) the store, try again as a caller would, and compare: that is a crash at every point
/// where one matters. A clone is another handle of the same store with the same faults.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use stocktake::domain::Quantity;
/// use stocktake::memory::MemoryStore;
/// use stocktake::service::{Caller, Movement, NewMovement};
/// use stocktake::store::IdempotencyKey;
/// use stocktake::testing::{Fault, FaultStore, Shop};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = FaultStore::new(MemoryStore::new());
/// let shop = Shop::on(Arc::new(store.clone()));
/// shop.open().await?;
/// let till = |sale: &str| IdempotencyKey::new(sale).map(|key| Caller::of(&shop.service).with_key(key));
/// let one: [NewMovement; 1] = [Movement::Issue { key: shop.key(0), quantity: Quantity::ONE }.into()];
/// let stock = shop.stocktake.stock();
///
/// // The last call of a sale is its commit.
/// store.heal();
/// stock.record(&till("sale-1")?, shop.site.id, &one).await?;
/// let commit = store.calls();
/// assert_eq!(store.log().last(), Some(&"commit"));
///
/// // The connection breaks for good while it is committed: was it sold or not?
/// store.heal();
/// store.fail_from(commit, Fault::After);
/// let lost = stock.record(&till("sale-2")?, shop.site.id, &one).await;
/// assert_eq!(lost.map_err(|error| error.code()), Err("outcome_unknown"));
///
/// // Asked again with the same key, it is sold once.
/// store.heal();
/// stock.record(&till("sale-2")?, shop.site.id, &one).await?;
/// assert_eq!(shop.on_hand(&shop.key(0)).await?, Quantity::from(38));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FaultStore<S>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    inner: S,
    plan: Mutex<Plan>,
}

/// The calls since the store was made or healed, and what is to go wrong.
#[derive(Debug, Default)]
struct Plan {
    log: Vec<&'static str>,
    once: BTreeMap<u64, Fault>,
    from: BTreeMap<u64, Fault>,
}

impl<S> Clone for FaultStore<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> FaultStore<S> {
    /// Wraps a store. Nothing goes wrong yet.
    pub fn new(inner: S) -> Self {
        let plan = Mutex::default();
        Self(Arc::new(Shared { inner, plan }))
    }

    /// The store inside; its calls are not counted, and do not fail.
    pub fn inner(&self) -> &S {
        &self.0.inner
    }

    /// Fails at one call: 1 is the first one since the store was made or [healed](Self::heal).
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.plan(|plan| plan.once.insert(call, fault));
    }

    /// Fails at a call and at every later one until the store is [healed](Self::heal). What
    /// [`fail_at`](Self::fail_at) says of one of them goes before.
    pub fn fail_from(&self, call: u64, fault: Fault) {
        self.plan(|plan| plan.from.insert(call, fault));
    }

    /// Fails no more, and counts from the beginning again.
    pub fn heal(&self) {
        self.plan(|plan| *plan = Plan::default());
    }

    /// How many calls there were since the store was made or [healed](Self::heal).
    pub fn calls(&self) -> u64 {
        self.plan(|plan| plan.calls())
    }

    /// The names of the methods that were called since the store was made or [healed](Self::heal), in order.
    pub fn log(&self) -> Vec<&'static str> {
        self.plan(|plan| plan.log.clone())
    }

    fn plan<T>(&self, work: impl FnOnce(&mut Plan) -> T) -> T {
        let mut plan = self.0.plan.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut plan)
    }

    /// Counts a call, and tells what goes wrong with it.
    fn next(&self, method: &'static str) -> Option<Fault> {
        self.plan(|plan| {
            plan.log.push(method);
            let call = plan.calls();
            let once = plan.once.get(&call).copied();
            once.or_else(|| {
                plan.from
                    .range(..=call)
                    .next_back()
                    .map(|(_, fault)| *fault)
            })
        })
    }

    /// Does a call of any method but `commit`, or fails it.
    async fn call<T, E: From<StoreError>>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let failed = |kind| Err(StoreError::new(kind, method).into());
        match self.next(method) {
            None | Some(Fault::Conflict) => call.await,
            Some(Fault::Before) => failed(StoreErrorKind::Unavailable),
            Some(Fault::Busy) => failed(StoreErrorKind::Busy),
            Some(Fault::After) => {
                drop(call.await);
                failed(StoreErrorKind::Unavailable)
            }
            Some(Fault::HangBefore) => pending().await,
            Some(Fault::HangAfter) => {
                drop(call.await);
                pending().await
            }
            Some(Fault::Yield) => {
                give_way().await;
                call.await
            }
        }
    }
}

impl Plan {
    fn calls(&self) -> u64 {
        u64::try_from(self.log.len()).unwrap_or(u64::MAX)
    }
}

/// Lets other tasks run, on any executor.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A conflict that a change set could have met.
fn conflict_of(changes: &ChangeSet) -> Vec<Conflict> {
    let writes = changes.parts().writes;
    let stale = |(key, write): (&RecordKey, &Write)| match write {
        Write::Update { expected, .. } | Write::Delete { expected } => Some(Conflict::Stale {
            key: key.clone(),
            actual: expected.next(),
        }),
        Write::Insert(_) => None,
    };
    let exists = || writes.keys().next().cloned().map(Conflict::Exists);
    writes
        .iter()
        .find_map(stale)
        .or_else(exists)
        .into_iter()
        .collect()
}

#[async_trait]
impl<S: Repository + JobQueue> Repository for FaultStore<S> {
    async fn site(
        &self,
        organisation: OrganisationId,
        id: SiteId,
    ) -> Result<Option<Versioned<Site>>, StoreError> {
        self.call("site", self.inner().site(organisation, id)).await
    }

    async fn site_by_external_id(
        &self,
        organisation: OrganisationId,
        external_id: &Code,
    ) -> Result<Option<Versioned<Site>>, StoreError> {
        self.call(
            "site_by_external_id",
            self.inner().site_by_external_id(organisation, external_id),
        )
        .await
    }

    async fn products(
        &self,
        organisation: OrganisationId,
        ids: &[ProductId],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
        self.call("products", self.inner().products(organisation, ids))
            .await
    }

    async fn products_by_article(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
        self.call(
            "products_by_article",
            self.inner().products_by_article(organisation, articles),
        )
        .await
    }

    async fn supplier(
        &self,
        organisation: OrganisationId,
        id: SupplierId,
    ) -> Result<Option<Versioned<Supplier>>, StoreError> {
        self.call("supplier", self.inner().supplier(organisation, id))
            .await
    }

    async fn levels(
        &self,
        organisation: OrganisationId,
        keys: &[StockKey],
    ) -> Result<Vec<Option<Versioned<StockLevel>>>, StoreError> {
        self.call("levels", self.inner().levels(organisation, keys))
            .await
    }

    async fn levels_page(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &LevelFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockLevel>>, StoreError> {
        self.call(
            "levels_page",
            self.inner().levels_page(organisation, site, filter, page),
        )
        .await
    }

    async fn articles(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &ArticleFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<ArticleView>, StoreError> {
        self.call(
            "articles",
            self.inner()
                .articles(organisation, site, filter, sort, page),
        )
        .await
    }

    async fn events_after(
        &self,
        organisation: OrganisationId,
        keys: &[(StockKey, u64)],
    ) -> Result<Vec<StockEvent>, StoreError> {
        self.call(
            "events_after",
            self.inner().events_after(organisation, keys),
        )
        .await
    }

    async fn events(
        &self,
        organisation: OrganisationId,
        ids: &[StockEventId],
    ) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        self.call("events", self.inner().events(organisation, ids))
            .await
    }

    async fn ledger(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.call(
            "ledger",
            self.inner().ledger(organisation, site, after, limit),
        )
        .await
    }

    async fn stock_take(
        &self,
        organisation: OrganisationId,
        id: StockTakeId,
    ) -> Result<Option<Versioned<StockTake>>, StoreError> {
        self.call("stock_take", self.inner().stock_take(organisation, id))
            .await
    }

    async fn stock_takes(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockTake>>, StoreError> {
        self.call(
            "stock_takes",
            self.inner().stock_takes(organisation, site, filter, page),
        )
        .await
    }

    async fn stock_take_items(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<StockTakeItemView>, StoreError> {
        self.call(
            "stock_take_items",
            self.inner()
                .stock_take_items(organisation, take, filter, sort, page),
        )
        .await
    }

    async fn stock_take_totals(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
    ) -> Result<StockTakeTotals, StoreError> {
        self.call(
            "stock_take_totals",
            self.inner().stock_take_totals(organisation, take, filter),
        )
        .await
    }

    async fn stock_take_item_ids(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        ids: &[StockTakeItemId],
    ) -> Result<Vec<StockTakeItemId>, StoreError> {
        self.call(
            "stock_take_item_ids",
            self.inner().stock_take_item_ids(organisation, take, ids),
        )
        .await
    }

    async fn counting_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Option<CountingView>, StoreError> {
        self.call(
            "counting_view",
            self.inner().counting_view(organisation, take, item),
        )
        .await
    }

    async fn count_entries(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Vec<CountEntry>, StoreError> {
        self.call(
            "count_entries",
            self.inner().count_entries(organisation, take, item),
        )
        .await
    }

    async fn inventory_count(
        &self,
        organisation: OrganisationId,
        id: InventoryCountId,
    ) -> Result<Option<Versioned<InventoryCount>>, StoreError> {
        self.call(
            "inventory_count",
            self.inner().inventory_count(organisation, id),
        )
        .await
    }

    async fn open_count(
        &self,
        organisation: OrganisationId,
        site: SiteId,
    ) -> Result<Option<Versioned<OpenCount>>, StoreError> {
        self.call("open_count", self.inner().open_count(organisation, site))
            .await
    }

    async fn inventory_counts(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryCountFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCount>>, StoreError> {
        self.call(
            "inventory_counts",
            self.inner()
                .inventory_counts(organisation, site, filter, page),
        )
        .await
    }

    async fn inventory_count_item(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Result<Option<Versioned<InventoryCountItem>>, StoreError> {
        self.call(
            "inventory_count_item",
            self.inner().inventory_count_item(organisation, count, item),
        )
        .await
    }

    async fn inventory_count_items(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        filter: &InventoryCountItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCountItem>>, StoreError> {
        self.call(
            "inventory_count_items",
            self.inner()
                .inventory_count_items(organisation, count, filter, page),
        )
        .await
    }

    async fn inventory_count_totals(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
    ) -> Result<CountTotals, StoreError> {
        self.call(
            "inventory_count_totals",
            self.inner().inventory_count_totals(organisation, count),
        )
        .await
    }

    async fn inventory_count_entries(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Result<Vec<InventoryCountEntry>, StoreError> {
        self.call(
            "inventory_count_entries",
            self.inner()
                .inventory_count_entries(organisation, count, item),
        )
        .await
    }

    async fn stock_adjustment(
        &self,
        organisation: OrganisationId,
        id: StockAdjustmentId,
    ) -> Result<Option<Versioned<StockAdjustment>>, StoreError> {
        self.call(
            "stock_adjustment",
            self.inner().stock_adjustment(organisation, id),
        )
        .await
    }

    async fn stock_adjustments(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockAdjustmentFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockAdjustment>>, StoreError> {
        self.call(
            "stock_adjustments",
            self.inner()
                .stock_adjustments(organisation, site, filter, page),
        )
        .await
    }

    async fn inventory_order(
        &self,
        organisation: OrganisationId,
        id: InventoryOrderId,
    ) -> Result<Option<Versioned<InventoryOrder>>, StoreError> {
        self.call(
            "inventory_order",
            self.inner().inventory_order(organisation, id),
        )
        .await
    }

    async fn inventory_orders(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryOrderFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrder>>, StoreError> {
        self.call(
            "inventory_orders",
            self.inner()
                .inventory_orders(organisation, site, filter, page),
        )
        .await
    }

    async fn inventory_order_item(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        item: InventoryOrderItemId,
    ) -> Result<Option<Versioned<InventoryOrderItem>>, StoreError> {
        self.call(
            "inventory_order_item",
            self.inner().inventory_order_item(organisation, order, item),
        )
        .await
    }

    async fn inventory_order_items(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError> {
        self.call(
            "inventory_order_items",
            self.inner()
                .inventory_order_items(organisation, order, filter, page),
        )
        .await
    }

    async fn stock_import(
        &self,
        organisation: OrganisationId,
        id: StockImportId,
    ) -> Result<Option<Versioned<StockImport>>, StoreError> {
        self.call("stock_import", self.inner().stock_import(organisation, id))
            .await
    }

    async fn import_chunk(
        &self,
        organisation: OrganisationId,
        import: StockImportId,
        number: u32,
    ) -> Result<Option<Versioned<ImportChunk>>, StoreError> {
        self.call(
            "import_chunk",
            self.inner().import_chunk(organisation, import, number),
        )
        .await
    }

    async fn export(
        &self,
        organisation: OrganisationId,
        job: JobId,
    ) -> Result<Option<Versioned<Export>>, StoreError> {
        self.call("export", self.inner().export(organisation, job))
            .await
    }

    async fn export_chunk(
        &self,
        organisation: OrganisationId,
        job: JobId,
        number: u32,
    ) -> Result<Option<ExportChunk>, StoreError> {
        self.call(
            "export_chunk",
            self.inner().export_chunk(organisation, job, number),
        )
        .await
    }

    async fn command(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
    ) -> Result<Option<Command>, StoreError> {
        self.call("command", self.inner().command(organisation, id))
            .await
    }

    async fn commit(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        let unknown = || {
            let error = StoreError::new(StoreErrorKind::Unavailable, "commit");
            Err(CommitError::OutcomeUnknown(error))
        };
        let commit = self.inner().commit(changes);
        match self.next("commit") {
            None => commit.await,
            Some(Fault::Before) => {
                Err(StoreError::new(StoreErrorKind::Unavailable, "commit").into())
            }
            Some(Fault::Busy) => Err(StoreError::new(StoreErrorKind::Busy, "commit").into()),
            Some(Fault::Conflict) => Err(CommitError::Conflict(conflict_of(changes))),
            Some(Fault::After) => {
                drop(commit.await);
                unknown()
            }
            Some(Fault::HangBefore) => pending().await,
            Some(Fault::HangAfter) => {
                drop(commit.await);
                pending().await
            }
            Some(Fault::Yield) => {
                give_way().await;
                commit.await
            }
        }
    }

    async fn settle(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
        at: Timestamp,
    ) -> Result<Option<Outcome>, StoreError> {
        self.call("settle", self.inner().settle(organisation, id, at))
            .await
    }

    async fn purge_commands(
        &self,
        organisation: OrganisationId,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        self.call(
            "purge_commands",
            self.inner().purge_commands(organisation, before),
        )
        .await
    }
}

#[async_trait]
impl<S: Repository + JobQueue> JobQueue for FaultStore<S> {
    async fn lease(
        &self,
        worker: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        self.call("lease", self.inner().lease(worker, now, until))
            .await
    }

    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
        self.call("extend", self.inner().extend(token, until)).await
    }

    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        self.call("ack", self.inner().ack(token, now)).await
    }

    async fn fail(
        &self,
        token: LeaseToken,
        error: &str,
        now: Timestamp,
        retry_at: Option<Timestamp>,
    ) -> Result<(), LeaseError> {
        self.call("fail", self.inner().fail(token, error, now, retry_at))
            .await
    }

    async fn job(
        &self,
        organisation: OrganisationId,
        id: JobId,
    ) -> Result<Option<Job>, StoreError> {
        self.call("job", self.inner().job(organisation, id)).await
    }

    async fn dead_jobs(
        &self,
        organisation: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        self.call("dead_jobs", self.inner().dead_jobs(organisation, page))
            .await
    }

    async fn requeue(
        &self,
        organisation: OrganisationId,
        id: JobId,
        run_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.call("requeue", self.inner().requeue(organisation, id, run_at))
            .await
    }

    async fn enqueue(
        &self,
        organisation: OrganisationId,
        job: &NewJob,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.call("enqueue", self.inner().enqueue(organisation, job, now))
            .await
    }
}
