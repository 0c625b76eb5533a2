//! A store with one defect: the in-memory store, wrapped.

use std::fmt::Debug;

use stocktake::conformance::Harness;

use super::prelude::*;

/// Every method of both traits: once as a method of [`Defect`] that the store inside answers, and once as that
/// of the broken store, which asks its defect.
macro_rules! methods {
    (
        $defect:ident, $broken:ident;
        $($of:ident { $($method:ident($($argument:ident: $type:ty),*) -> $out:ty;)+ })+
    ) => {
        /// What is wrong with a store: the methods that it answers wrongly.
        #[async_trait]
        pub(crate) trait $defect: Debug + Send + Sync + 'static {
            /// The store inside.
            fn inner(&self) -> &MemoryStore;

            /// Another handle, where it is not like the first.
            fn second_handle(&self) -> Option<Arc<dyn Defect>> {
                None
            }

            /// What is left of the store if its process dies, where that is not all of it.
            fn crash_image(&self) -> Option<Arc<dyn Defect>> {
                None
            }

            $($(
                async fn $method(&self, $($argument: $type),*) -> $out {
                    $of::$method(self.inner(), $($argument),*).await
                }
            )+)+
        }

        $(
            #[async_trait]
            impl $of for $broken {
                $(
                    async fn $method(&self, $($argument: $type),*) -> $out {
                        self.0.$method($($argument),*).await
                    }
                )+
            }
        )+
    };
}

/// A store with one defect.
#[derive(Clone, Debug)]
pub(crate) struct BrokenStore(Arc<dyn Defect>);

/// A kind of broken store, for the suite.
pub(crate) struct Broken(pub(crate) fn() -> Arc<dyn Defect>);

impl Harness for Broken {
    type Store = BrokenStore;

    async fn fresh(&self) -> BrokenStore {
        BrokenStore((self.0)())
    }

    async fn second_handle(&self, store: &BrokenStore) -> BrokenStore {
        BrokenStore(store.0.second_handle().unwrap_or_else(|| store.0.clone()))
    }

    async fn crash_image(&self, store: &BrokenStore) -> Option<BrokenStore> {
        let whole = || -> Arc<dyn Defect> { Arc::new(Sound(store.0.inner().fork())) };
        Some(BrokenStore(store.0.crash_image().unwrap_or_else(whole)))
    }
}

/// What nothing is wrong with: the reference, as the same wrapper shows it.
#[derive(Debug, Default)]
pub(crate) struct Sound(pub(crate) MemoryStore);

impl Defect for Sound {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }
}

/// Defects: what they keep beside the store inside, and the methods that they answer.
macro_rules! defects {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty),* $(,)? } => { $($methods:tt)* }
    )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            store: MemoryStore,
            $($field: $type,)*
        }

        #[async_trait]
        impl Defect for $name {
            fn inner(&self) -> &MemoryStore {
                &self.store
            }

            $($methods)*
        }
    )+};
}
pub(crate) use defects;

methods! {
    Defect, BrokenStore;
    Repository {
        get(organisation: OrganisationId, keys: &[RecordKey]) -> Result<Vec<Option<Versioned<Record>>>, StoreError>;
        site_by_external_id(organisation: OrganisationId, external_id: &Code) -> Result<Option<Versioned<Site>>, StoreError>;
        products_by_article(organisation: OrganisationId, articles: &[Code]) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError>;
        articles_like(organisation: OrganisationId, articles: &[Code]) -> Result<Vec<Option<Code>>, StoreError>;
        products_by_barcode(organisation: OrganisationId, barcodes: &[Code]) -> Result<Vec<Vec<Versioned<Arc<Product>>>>, StoreError>;
        product_ids_after(organisation: OrganisationId, after: Option<ProductId>, limit: u32) -> Result<Vec<ProductId>, StoreError>;
        category_sizes(organisation: OrganisationId, categories: &[CategoryId]) -> Result<Vec<u64>, StoreError>;
        serial_marks(organisation: OrganisationId, serials: &BTreeSet<Code>, products: &BTreeSet<ProductId>) -> Result<Vec<Versioned<SerialMark>>, StoreError>;
        levels_page(organisation: OrganisationId, site: SiteId, filter: &LevelFilter, page: &PageRequest) -> Result<Page<Versioned<StockLevel>>, StoreError>;
        articles(organisation: OrganisationId, site: SiteId, filter: &ArticleFilter, sort: ArticleSort, page: &PageRequest) -> Result<Page<ArticleView>, StoreError>;
        ledger_back(organisation: OrganisationId, site: SiteId, before: Option<u64>, limit: u32) -> Result<Vec<LedgerEntry>, StoreError>;
        ledger_by_key(organisation: OrganisationId, site: SiteId, after: Option<(StockKey, u64)>, limit: u32) -> Result<Vec<StockEvent>, StoreError>;
        unlike(organisation: OrganisationId, keys: &[RecordKey]) -> Result<Vec<Unlike>, StoreError>;
        unlike_events(organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Result<Vec<UnlikeEvent>, StoreError>;
        mend(organisation: OrganisationId, keys: &[RecordKey]) -> Result<Vec<Unlike>, StoreError>;
        serial_marks_after(organisation: OrganisationId, after: Option<(Code, Option<ProductId>)>, limit: u32) -> Result<Vec<Versioned<SerialMark>>, StoreError>;
        change_token(organisation: OrganisationId) -> Result<ChangeToken, StoreError>;
        events_after(organisation: OrganisationId, keys: &[(StockKey, u64)]) -> Result<Vec<StockEvent>, StoreError>;
        events(organisation: OrganisationId, ids: &[StockEventId]) -> Result<Vec<Option<LedgerEntry>>, StoreError>;
        ledger(organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Result<Vec<LedgerEntry>, StoreError>;
        stock_takes(organisation: OrganisationId, site: SiteId, filter: &StockTakeFilter, page: &PageRequest) -> Result<Page<Versioned<StockTake>>, StoreError>;
        stock_take_items(organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Result<Page<StockTakeItemView>, StoreError>;
        stock_take_totals(organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter) -> Result<StockTakeTotals, StoreError>;
        stock_take_view(organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Result<Option<StockTakeView>, StoreError>;
        stock_take_item_ids(organisation: OrganisationId, take: StockTakeId, ids: &[StockTakeItemId]) -> Result<Vec<StockTakeItemId>, StoreError>;
        counting_view(organisation: OrganisationId, take: StockTakeId, items: &[StockTakeItemId]) -> Result<Option<CountingView>, StoreError>;
        count_entries(organisation: OrganisationId, take: StockTakeId, item: StockTakeItemId) -> Result<Vec<CountEntry>, StoreError>;
        inventory_counts(organisation: OrganisationId, site: SiteId, filter: &InventoryCountFilter, page: &PageRequest) -> Result<Page<Versioned<InventoryCount>>, StoreError>;
        inventory_count_items(organisation: OrganisationId, count: InventoryCountId, filter: &InventoryCountItemFilter, page: &PageRequest) -> Result<Page<Versioned<InventoryCountItem>>, StoreError>;
        inventory_count_totals(organisation: OrganisationId, count: InventoryCountId) -> Result<CountTotals, StoreError>;
        inventory_count_entries(organisation: OrganisationId, count: InventoryCountId, item: InventoryCountItemId) -> Result<Vec<InventoryCountEntry>, StoreError>;
        stock_adjustments(organisation: OrganisationId, site: SiteId, filter: &StockAdjustmentFilter, page: &PageRequest) -> Result<Page<Versioned<StockAdjustment>>, StoreError>;
        inventory_orders(organisation: OrganisationId, site: SiteId, filter: &InventoryOrderFilter, page: &PageRequest) -> Result<Page<Versioned<InventoryOrder>>, StoreError>;
        inventory_order_items(organisation: OrganisationId, order: InventoryOrderId, filter: &InventoryOrderItemFilter, page: &PageRequest) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError>;
        command(organisation: OrganisationId, id: &CommandId) -> Result<Option<Command>, StoreError>;
        commit(changes: &ChangeSet) -> Result<CommitOutcome, CommitError>;
        settle(organisation: OrganisationId, id: &CommandId, at: Timestamp) -> Result<Option<Outcome>, StoreError>;
        purge(organisation: OrganisationId, what: Purge, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
        organisations(after: Option<OrganisationId>, limit: u32) -> Result<Vec<OrganisationId>, StoreError>;
    }
    JobQueue {
        lease(worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Result<Option<Lease>, StoreError>;
        extend(token: LeaseToken, until: Timestamp) -> Result<(), LeaseError>;
        ack(token: LeaseToken, now: Timestamp) -> Result<(), LeaseError>;
        fail(token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError>;
        release(token: LeaseToken, now: Timestamp) -> Result<(), LeaseError>;
        job(organisation: OrganisationId, id: JobId) -> Result<Option<Job>, StoreError>;
        unfinished(organisation: OrganisationId, kind: JobKind) -> Result<u64, StoreError>;
        open_jobs(organisation: OrganisationId, page: &PageRequest) -> Result<Page<Job>, StoreError>;
        dead_jobs(organisation: OrganisationId, page: &PageRequest) -> Result<Page<Job>, StoreError>;
        over_jobs(organisation: OrganisationId, page: &PageRequest) -> Result<Page<Job>, StoreError>;
        requeue(organisation: OrganisationId, id: JobId, run_at: Timestamp) -> Result<bool, StoreError>;
        purge_jobs(organisation: OrganisationId, which: EndedJobs, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
        enqueue(organisation: OrganisationId, job: &NewJob, now: Timestamp) -> Result<(), StoreError>;
    }
}
