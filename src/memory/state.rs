//! Everything that the store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::adjustments::Adjustments;
use super::catalogue::Catalogue;
use super::commands::Commands;
use super::counts::Counts;
use super::orders::Orders;
use super::queue::Queue;
use super::serials::Serials;
use super::stock::{Level, Stock, count};
use super::table::Row;
use super::table::Table;
use super::takes::Takes;
use crate::domain::{
    JobId, OrganisationId, Product, ProductId, SiteId, StockImport, StockImportId, StockKey,
};
use crate::store::{
    ArticleColumn, ArticleFilter, ArticleSort, ArticleView, ChangeToken, DeletableKey, Export,
    ExportChunk, ImportChunk, List, Page, PageRequest, Ranked, Record, RecordKey, StoreError,
    Version, Versioned,
};

/// The state behind the lock.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) organisations: BTreeMap<OrganisationId, Organisation>,
    pub(super) queue: Queue,
}

/// What belongs to one organisation; nothing in here refers to another.
#[derive(Clone, Debug, Default)]
pub(super) struct Organisation {
    pub(super) catalogue: Catalogue,
    pub(super) stock: Stock,
    pub(super) serials: Serials,
    pub(super) takes: Takes,
    pub(super) counts: Counts,
    pub(super) adjustments: Adjustments,
    pub(super) orders: Orders,
    pub(super) imports: Table<StockImportId, StockImport>,
    pub(super) import_chunks: Table<(StockImportId, u32), ImportChunk>,
    pub(super) exports: Table<JobId, Export>,
    pub(super) export_chunks: Table<(JobId, u32), ExportChunk>,
    pub(super) commands: Commands,
    /// How many commits there were.
    pub(super) commits: u64,
}

impl Organisation {
    /// The version of a record, if it exists.
    pub(super) fn version(&self, key: &RecordKey) -> Option<Version> {
        match key {
            RecordKey::Site(id) => self.catalogue.site(*id).map(|row| row.version),
            RecordKey::Product(id) => self.catalogue.product(*id).map(|row| row.version),
            RecordKey::Supplier(id) => self.catalogue.supplier(*id).map(|row| row.version),
            RecordKey::StockTake(id) => self.takes.headers.version(*id),
            RecordKey::StockTakeItem(take, id) => {
                self.takes.line(*take, *id).map(|row| row.version)
            }
            RecordKey::InventoryCount(id) => self.counts.headers.version(*id),
            RecordKey::OpenCount(site) => self.counts.open.version(*site),
            RecordKey::InventoryCountItem(count, id) => {
                self.counts.line(*count, *id).map(|row| row.version)
            }
            RecordKey::StockAdjustment(id) => self.adjustments.version(*id),
            RecordKey::InventoryOrder(id) => self.orders.headers.version(*id),
            RecordKey::InventoryOrderItem(order, id) => {
                self.orders.line(*order, *id).map(|row| row.version)
            }
            RecordKey::StockImport(id) => self.imports.version(*id),
            RecordKey::ImportChunk(import, number) => {
                self.import_chunks.version((*import, *number))
            }
            RecordKey::Export(job) => self.exports.version(*job),
            RecordKey::ExportChunk(job, number) => self.export_chunks.version((*job, *number)),
            RecordKey::StockLevel(key) => self.stock.level(key).map(|row| row.version),
            RecordKey::SerialMark(serial, product) => self.serials.version(serial, *product),
        }
    }

    /// A record, if it exists: it is shared out now, and copied by who asks for it.
    pub(super) fn record(&self, key: &RecordKey) -> Option<Shared> {
        match key {
            RecordKey::Site(id) => self.catalogue.site(*id).map(record),
            RecordKey::Product(id) => self.catalogue.product(*id).map(|row| {
                let row = row.clone();
                Box::new(move || Versioned {
                    version: row.version,
                    value: Record::Product(row.value),
                }) as Shared
            }),
            RecordKey::Supplier(id) => self.catalogue.supplier(*id).map(record),
            RecordKey::StockTake(id) => self.takes.headers.get(*id).map(record),
            RecordKey::StockTakeItem(take, id) => self.takes.line(*take, *id).map(record),
            RecordKey::InventoryCount(id) => self.counts.headers.get(*id).map(record),
            RecordKey::OpenCount(site) => self.counts.open.get(*site).map(record),
            RecordKey::InventoryCountItem(count, id) => self.counts.line(*count, *id).map(record),
            RecordKey::StockAdjustment(id) => self.adjustments.get(*id).map(record),
            RecordKey::InventoryOrder(id) => self.orders.headers.get(*id).map(record),
            RecordKey::InventoryOrderItem(order, id) => self.orders.line(*order, *id).map(record),
            RecordKey::StockImport(id) => self.imports.get(*id).map(record),
            RecordKey::ImportChunk(import, number) => {
                self.import_chunks.get((*import, *number)).map(record)
            }
            RecordKey::Export(job) => self.exports.get(*job).map(record),
            RecordKey::ExportChunk(job, number) => {
                self.export_chunks.get((*job, *number)).map(record)
            }
            RecordKey::StockLevel(key) => self.stock.level(key).map(record),
            RecordKey::SerialMark(serial, product) => {
                self.serials.get(serial, *product).map(record)
            }
        }
    }

    /// What tells what changes after this (R19): the number of the next commit.
    pub(super) const fn next_change(&self) -> ChangeToken {
        ChangeToken::new(self.commits.saturating_add(1))
    }

    /// Creates or replaces a record, in the commit that is counted already. The check before it refuses a line whose document is not there.
    pub(super) fn put(&mut self, record: &Record) {
        match record {
            Record::Site(site) => self.catalogue.put_site(site),
            Record::Product(product) => self.catalogue.put_product(self.commits, product),
            Record::Supplier(supplier) => self.catalogue.put_supplier(supplier),
            Record::StockTake(take) => self.takes.headers.put(take),
            Record::StockTakeItem(item) => self.takes.lines_mut(item.take).put(self.commits, item),
            Record::InventoryCount(count) => self.counts.headers.put(count),
            Record::OpenCount(open) => {
                self.counts.open.put(open.site, Arc::new(*open));
            }
            Record::InventoryCountItem(item) => self.counts.put_line(item),
            Record::StockAdjustment(adjustment) => self.adjustments.put(adjustment),
            Record::InventoryOrder(order) => self.orders.headers.put(order),
            Record::InventoryOrderItem(item) => self.orders.put_line(item),
            Record::StockImport(import) => {
                let value = Arc::new(StockImport::clone(import));
                self.imports.put(import.id(), value);
            }
            Record::ImportChunk(chunk) => {
                let value = Arc::new(chunk.clone());
                self.import_chunks.put((chunk.import, chunk.number), value);
            }
            Record::Export(export) => {
                let value = Arc::new(Export::clone(export));
                self.exports.put(export.job, value);
            }
            Record::ExportChunk(chunk) => {
                let value = Arc::new(chunk.clone());
                self.export_chunks.put((chunk.job, chunk.number), value);
            }
            Record::StockLevel(level) => self.stock.put_level(self.commits, level),
            Record::SerialMark(mark) => self.serials.put(mark),
        }
    }

    /// Deletes a record. A change set deletes none of a kind that is never deleted.
    pub(super) fn delete(&mut self, key: &RecordKey) {
        match DeletableKey::of(key) {
            Some(DeletableKey::StockTakeItem(take, id)) => {
                self.takes.lines_mut(take).delete(id);
            }
            Some(DeletableKey::OpenCount(site)) => {
                self.counts.open.delete(site);
            }
            Some(DeletableKey::InventoryOrderItem(order, id)) => {
                self.orders.delete_line(order, id);
            }
            Some(DeletableKey::ImportChunk(import, number)) => {
                self.import_chunks.delete((import, number));
            }
            Some(DeletableKey::ExportChunk(job, number)) => {
                self.export_chunks.delete((job, number));
            }
            Some(DeletableKey::SerialMark(serial, product)) => {
                self.serials.delete(&serial, product);
            }
            None => {}
        }
    }

    /// A site's stocked keys whose product is known.
    pub(super) fn articles(
        &self,
        id: OrganisationId,
        site: SiteId,
        (filter, sort): (&ArticleFilter, ArticleSort),
        request: &PageRequest,
    ) -> Result<Page<ArticleView>, StoreError> {
        let scope = format_args!("{id}/{site}");
        let (column, request) = sort.ascending(request);
        let list = List::new("articles", scope, &(filter, column));
        let page = if column == ArticleColumn::Line {
            let after = list.after::<StockKey>(&request, |key| key.site == site)?;
            let total = request
                .with_total
                .then(|| count(self.stocked_articles(site, filter, None)));
            let row = |(key, level, product)| (key, (level, product));
            if request.reversed {
                let before = |key: &StockKey| after.as_ref().is_none_or(|after| key < after);
                let rows = self.stocked_articles(site, filter, None);
                let mut found: Vec<_> = rows.take_while(|it| before(it.0)).map(row).collect();
                found.reverse();
                list.page(&request, found.into_iter(), total)
            } else {
                let rows = self.stocked_articles(site, filter, after);
                list.page(&request, rows.map(row), total)
            }
        } else {
            let rows = self
                .stocked_articles(site, filter, None)
                .map(|(key, level, product)| Ranked {
                    value: column.value_of_article(&level.value, product),
                    position: key,
                    row: (level, product),
                });
            let mut page = list.sorting::<StockKey, _, _>(&request)?;
            rows.for_each(|row| page.push(row));
            page.page()
        };
        Ok(page.map(|(level, product)| ArticleView {
            level: level.clone(),
            product: Arc::clone(product),
        }))
    }

    fn stocked_articles<'a>(
        &'a self,
        site: SiteId,
        filter: &'a ArticleFilter,
        after: Option<StockKey>,
    ) -> impl Iterator<Item = (&'a StockKey, &'a Level, &'a Arc<Product>)> {
        static ALL: BTreeSet<ProductId> = BTreeSet::new();
        let since = filter.changed_since.map(|it| it.within(self.next_change()));
        let is_changed = move |key: &StockKey| {
            since.is_none_or(|since| {
                let product = self.catalogue.product_changed(key.product);
                self.stock.level_changed(key).max(product) >= since.get()
            })
        };
        self.stock
            .levels_of(site, &ALL, after)
            .filter_map(|(key, level)| {
                let product = self.catalogue.product(key.product)?;
                Some((key, level, &product.value))
            })
            .filter(move |(key, level, product)| {
                filter.matches(&level.value, product) && is_changed(key)
            })
    }
}

/// Copies a row that was shared out.
pub(super) type Shared = Box<dyn FnOnce() -> Versioned<Record> + Send>;

/// A row, to be copied when the lock is not held any more.
fn record<T: Clone + Send + Sync + 'static>(row: &Row<T>) -> Shared
where
    Record: From<T>,
{
    let row = row.clone();
    Box::new(move || Versioned {
        version: row.version,
        value: Record::from(Arc::unwrap_or_clone(row.value)),
    })
}
