//! Reading and writing, with faults.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::FaultStore;
use crate::domain::{
    CategoryId, Code, CountEntry, CountTotals, InventoryCount, InventoryCountEntry,
    InventoryCountId, InventoryCountItem, InventoryCountItemId, InventoryOrder, InventoryOrderId,
    InventoryOrderItem, LedgerEntry, OrganisationId, Product, ProductId, Site, SiteId,
    StockAdjustment, StockEvent, StockEventId, StockKey, StockLevel, StockTake, StockTakeId,
    StockTakeItemId, Timestamp,
};
use crate::store::{
    ArticleFilter, ArticleSort, ArticleView, ChangeSet, ChangeToken, Command, CommandId,
    CommitError, CommitOutcome, CountingView, InventoryCountFilter, InventoryCountItemFilter,
    InventoryOrderFilter, InventoryOrderItemFilter, JobQueue, LevelFilter, Outcome, Page,
    PageRequest, Purge, Record, RecordKey, Repository, SerialMark, StockAdjustmentFilter,
    StockTakeFilter, StockTakeItemFilter, StockTakeItemView, StockTakeTotals, StockTakeView,
    StoreError, Unlike, UnlikeEvent, Versioned,
};

/// A read, counted, remembered and failed as planned.
macro_rules! read {
    ($self:ident.$method:ident($($argument:ident),*)) => {
        $self
            .read(
                stringify!($method),
                format!("{:?}", ($(&$argument,)*)),
                $self.inner().$method($($argument),*),
            )
            .await
    };
}

#[async_trait]
impl<S: Repository + JobQueue> Repository for FaultStore<S> {
    #[inline(never)]
    async fn get(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned<Record>>>, StoreError> {
        read!(self.get(organisation, keys))
    }

    #[inline(never)]
    async fn site_by_external_id(
        &self,
        organisation: OrganisationId,
        external_id: &Code,
    ) -> Result<Option<Versioned<Site>>, StoreError> {
        read!(self.site_by_external_id(organisation, external_id))
    }

    #[inline(never)]
    async fn products_by_article(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
        read!(self.products_by_article(organisation, articles))
    }

    #[inline(never)]
    async fn articles_like(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Code>>, StoreError> {
        read!(self.articles_like(organisation, articles))
    }

    #[inline(never)]
    async fn products_by_barcode(
        &self,
        organisation: OrganisationId,
        barcodes: &[Code],
    ) -> Result<Vec<Vec<Versioned<Arc<Product>>>>, StoreError> {
        read!(self.products_by_barcode(organisation, barcodes))
    }

    #[inline(never)]
    async fn product_ids_after(
        &self,
        organisation: OrganisationId,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductId>, StoreError> {
        read!(self.product_ids_after(organisation, after, limit))
    }

    #[inline(never)]
    async fn category_sizes(
        &self,
        organisation: OrganisationId,
        categories: &[CategoryId],
    ) -> Result<Vec<u64>, StoreError> {
        read!(self.category_sizes(organisation, categories))
    }

    #[inline(never)]
    async fn serial_marks(
        &self,
        organisation: OrganisationId,
        serials: &BTreeSet<Code>,
        products: &BTreeSet<ProductId>,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
        read!(self.serial_marks(organisation, serials, products))
    }

    #[inline(never)]
    async fn serial_marks_after(
        &self,
        organisation: OrganisationId,
        after: Option<(Code, Option<ProductId>)>,
        limit: u32,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
        read!(self.serial_marks_after(organisation, after, limit))
    }

    #[inline(never)]
    async fn levels_page(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &LevelFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockLevel>>, StoreError> {
        read!(self.levels_page(organisation, site, filter, page))
    }

    #[inline(never)]
    async fn articles(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &ArticleFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<ArticleView>, StoreError> {
        read!(self.articles(organisation, site, filter, sort, page))
    }

    #[inline(never)]
    async fn change_token(&self, organisation: OrganisationId) -> Result<ChangeToken, StoreError> {
        read!(self.change_token(organisation))
    }

    #[inline(never)]
    async fn events_after(
        &self,
        organisation: OrganisationId,
        keys: &[(StockKey, u64)],
    ) -> Result<Vec<StockEvent>, StoreError> {
        read!(self.events_after(organisation, keys))
    }

    #[inline(never)]
    async fn events(
        &self,
        organisation: OrganisationId,
        ids: &[StockEventId],
    ) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        read!(self.events(organisation, ids))
    }

    #[inline(never)]
    async fn ledger(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        read!(self.ledger(organisation, site, after, limit))
    }

    #[inline(never)]
    async fn ledger_back(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        read!(self.ledger_back(organisation, site, before, limit))
    }

    #[inline(never)]
    async fn ledger_by_key(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: Option<(StockKey, u64)>,
        limit: u32,
    ) -> Result<Vec<StockEvent>, StoreError> {
        read!(self.ledger_by_key(organisation, site, after, limit))
    }

    #[inline(never)]
    async fn unlike(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Unlike>, StoreError> {
        read!(self.unlike(organisation, keys))
    }

    #[inline(never)]
    async fn unlike_events(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<UnlikeEvent>, StoreError> {
        read!(self.unlike_events(organisation, site, after, limit))
    }

    #[inline(never)]
    async fn mend(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Unlike>, StoreError> {
        let fault = self.next("mend");
        let mend = self.inner().mend(organisation, keys);
        self.under(fault, "mend", mend).await
    }

    #[inline(never)]
    async fn stock_takes(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockTake>>, StoreError> {
        read!(self.stock_takes(organisation, site, filter, page))
    }

    #[inline(never)]
    async fn stock_take_items(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<StockTakeItemView>, StoreError> {
        read!(self.stock_take_items(organisation, take, filter, sort, page))
    }

    #[inline(never)]
    async fn stock_take_totals(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
    ) -> Result<StockTakeTotals, StoreError> {
        read!(self.stock_take_totals(organisation, take, filter))
    }

    #[inline(never)]
    async fn stock_take_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        since: Option<ChangeToken>,
        page: &PageRequest,
    ) -> Result<Option<StockTakeView>, StoreError> {
        read!(self.stock_take_view(organisation, take, filter, sort, since, page))
    }

    #[inline(never)]
    async fn stock_take_item_ids(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        ids: &[StockTakeItemId],
    ) -> Result<Vec<StockTakeItemId>, StoreError> {
        read!(self.stock_take_item_ids(organisation, take, ids))
    }

    #[inline(never)]
    async fn counting_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        items: &[StockTakeItemId],
    ) -> Result<Option<CountingView>, StoreError> {
        read!(self.counting_view(organisation, take, items))
    }

    #[inline(never)]
    async fn count_entries(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Vec<CountEntry>, StoreError> {
        read!(self.count_entries(organisation, take, item))
    }

    #[inline(never)]
    async fn inventory_counts(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryCountFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCount>>, StoreError> {
        read!(self.inventory_counts(organisation, site, filter, page))
    }

    #[inline(never)]
    async fn inventory_count_items(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        filter: &InventoryCountItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCountItem>>, StoreError> {
        read!(self.inventory_count_items(organisation, count, filter, page))
    }

    #[inline(never)]
    async fn inventory_count_totals(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
    ) -> Result<CountTotals, StoreError> {
        read!(self.inventory_count_totals(organisation, count))
    }

    #[inline(never)]
    async fn inventory_count_entries(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Result<Vec<InventoryCountEntry>, StoreError> {
        read!(self.inventory_count_entries(organisation, count, item))
    }

    #[inline(never)]
    async fn stock_adjustments(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockAdjustmentFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockAdjustment>>, StoreError> {
        read!(self.stock_adjustments(organisation, site, filter, page))
    }

    #[inline(never)]
    async fn inventory_orders(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryOrderFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrder>>, StoreError> {
        read!(self.inventory_orders(organisation, site, filter, page))
    }

    #[inline(never)]
    async fn inventory_order_items(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError> {
        read!(self.inventory_order_items(organisation, order, filter, page))
    }

    #[inline(never)]
    async fn command(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
    ) -> Result<Option<Command>, StoreError> {
        read!(self.command(organisation, id))
    }

    #[inline(never)]
    async fn commit(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        let fault = self.next("commit");
        self.land_late().await;
        self.commit_under(fault, changes).await
    }

    #[inline(never)]
    async fn settle(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
        at: Timestamp,
    ) -> Result<Option<Outcome>, StoreError> {
        let fault = self.next("settle");
        self.land_late().await;
        let settle = self.inner().settle(organisation, id, at);
        self.under(fault, "settle", settle).await
    }

    #[inline(never)]
    async fn purge(
        &self,
        organisation: OrganisationId,
        what: Purge,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let fault = self.next("purge");
        let purge = self.inner().purge(organisation, what, before, limit);
        self.under(fault, "purge", purge).await
    }

    #[inline(never)]
    async fn organisations(
        &self,
        after: Option<OrganisationId>,
        limit: u32,
    ) -> Result<Vec<OrganisationId>, StoreError> {
        read!(self.organisations(after, limit))
    }
}
