//! Every list of a store, asked in one way.

use std::sync::Arc;

use super::checks::{Wrong, ensure};
use super::difference::in_short;
use super::harness::Store;
use crate::domain::{
    InventoryCount, InventoryCountId, InventoryCountItem, InventoryOrder, InventoryOrderId,
    InventoryOrderItem, OrganisationId, SiteId, StockAdjustment, StockLevel, StockTake,
    StockTakeId,
};
use crate::store::{
    ArticleFilter, ArticleSort, ArticleView, InventoryCountFilter, InventoryCountItemFilter,
    InventoryOrderFilter, InventoryOrderItemFilter, Job, LevelFilter, Page, PageRequest,
    StockAdjustmentFilter, StockTakeFilter, StockTakeItemFilter, StockTakeItemView, StoreError,
    Versioned,
};

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Levels(SiteId, LevelFilter),
    Articles(SiteId, ArticleFilter, ArticleSort),
    StockTakes(SiteId, StockTakeFilter),
    StockTakeItems(StockTakeId, StockTakeItemFilter, ArticleSort),
    InventoryCounts(SiteId, InventoryCountFilter),
    InventoryCountItems(InventoryCountId, InventoryCountItemFilter),
    StockAdjustments(SiteId, StockAdjustmentFilter),
    InventoryOrders(SiteId, InventoryOrderFilter),
    InventoryOrderItems(InventoryOrderId, InventoryOrderItemFilter),
    OpenJobs,
    DeadJobs,
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&in_short(self))
    }
}

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Level(Box<Versioned<StockLevel>>),
    Article(Box<ArticleView>),
    StockTake(Box<Versioned<StockTake>>),
    StockTakeItem(Box<StockTakeItemView>),
    InventoryCount(Box<Versioned<InventoryCount>>),
    InventoryCountItem(Box<Versioned<InventoryCountItem>>),
    StockAdjustment(Box<Versioned<StockAdjustment>>),
    InventoryOrder(Box<Versioned<InventoryOrder>>),
    InventoryOrderItem(Box<Versioned<InventoryOrderItem>>),
    Job(Box<Job>),
}

impl Row {
    /// What tells the row from the others of its list, in short.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Level(row) => row.value.key().to_string(),
            Self::Article(row) => row.level.value.key().to_string(),
            Self::StockTake(row) => row.value.id().to_string(),
            Self::StockTakeItem(row) => row.item.value.id.to_string(),
            Self::InventoryCount(row) => row.value.id().to_string(),
            Self::InventoryCountItem(row) => row.value.id.to_string(),
            Self::StockAdjustment(row) => row.value.id().to_string(),
            Self::InventoryOrder(row) => row.value.id().to_string(),
            Self::InventoryOrderItem(row) => row.value.id().to_string(),
            Self::Job(row) => row.id.to_string(),
        }
    }
}

impl Question {
    /// The same list of another parent: site, document or, where there is none, nothing.
    pub(super) fn elsewhere(&self) -> Option<Self> {
        let id = uuid::Uuid::from_u128(0xE15E);
        let mut other = self.clone();
        match &mut other {
            Self::Levels(site, _)
            | Self::Articles(site, ..)
            | Self::StockTakes(site, _)
            | Self::InventoryCounts(site, _)
            | Self::StockAdjustments(site, _)
            | Self::InventoryOrders(site, _) => *site = id.into(),
            Self::StockTakeItems(take, ..) => *take = id.into(),
            Self::InventoryCountItems(count, _) => *count = id.into(),
            Self::InventoryOrderItems(order, _) => *order = id.into(),
            Self::OpenJobs | Self::DeadJobs => return None,
        }
        Some(other)
    }

    /// A page of it.
    pub(super) async fn page(
        &self,
        store: &dyn Store,
        whose: OrganisationId,
        page: &PageRequest,
    ) -> Result<Page<Row>, StoreError> {
        /// As rows of any list.
        fn rows<T>(page: Page<T>, row: fn(Box<T>) -> Row) -> Page<Row> {
            page.map(|it| row(Box::new(it)))
        }
        Ok(match self {
            Self::Levels(site, filter) => rows(
                store.levels_page(whose, *site, filter, page).await?,
                Row::Level,
            ),
            Self::Articles(site, filter, sort) => rows(
                store.articles(whose, *site, filter, *sort, page).await?,
                Row::Article,
            ),
            Self::StockTakes(site, filter) => rows(
                store.stock_takes(whose, *site, filter, page).await?,
                Row::StockTake,
            ),
            Self::StockTakeItems(take, filter, sort) => rows(
                store
                    .stock_take_items(whose, *take, filter, *sort, page)
                    .await?,
                Row::StockTakeItem,
            ),
            Self::InventoryCounts(site, filter) => rows(
                store.inventory_counts(whose, *site, filter, page).await?,
                Row::InventoryCount,
            ),
            Self::InventoryCountItems(count, filter) => rows(
                store
                    .inventory_count_items(whose, *count, filter, page)
                    .await?,
                Row::InventoryCountItem,
            ),
            Self::StockAdjustments(site, filter) => rows(
                store.stock_adjustments(whose, *site, filter, page).await?,
                Row::StockAdjustment,
            ),
            Self::InventoryOrders(site, filter) => rows(
                store.inventory_orders(whose, *site, filter, page).await?,
                Row::InventoryOrder,
            ),
            Self::InventoryOrderItems(order, filter) => rows(
                store
                    .inventory_order_items(whose, *order, filter, page)
                    .await?,
                Row::InventoryOrderItem,
            ),
            Self::OpenJobs => rows(store.open_jobs(whose, page).await?, Row::Job),
            Self::DeadJobs => rows(store.dead_jobs(whose, page).await?, Row::Job),
        })
    }

    /// All of it, walked by cursors with pages of a size. Each page is held to what pages are.
    pub(super) async fn walk(
        &self,
        store: &dyn Store,
        whose: OrganisationId,
        limit: u32,
    ) -> Result<Vec<Row>, Wrong> {
        let mut rows = Vec::new();
        let mut request = PageRequest::first(limit);
        loop {
            let page = self.page(store, whose, &request).await?;
            ensure!(
                page.items.len() <= request.bounded_limit(),
                "{self}: a page of {} rows, asked for {limit}",
                page.items.len()
            );
            ensure!(
                page.total.is_none(),
                "{self}: a total that nobody asked for"
            );
            ensure!(
                page.next.is_none() || !page.items.is_empty(),
                "{self}: an empty page with another one after it"
            );
            rows.extend(page.items);
            ensure!(rows.len() <= 10_000, "{self}: a walk that goes on and on");
            let Some(next) = page.next else {
                return Ok(rows);
            };
            request = PageRequest::after(next, limit);
        }
    }
}

/// That the rows of a list are these.
pub(super) fn ids(rows: &[Row]) -> Vec<String> {
    rows.iter().map(Row::id).collect()
}

/// The line of a row of a take's lines.
pub(super) fn lines(rows: &[Row]) -> Vec<u64> {
    rows.iter()
        .filter_map(|row| match row {
            Row::StockTakeItem(row) => Some(Arc::as_ref(&row.item.value).line),
            _ => None,
        })
        .collect()
}
