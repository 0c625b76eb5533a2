//! Everything that the store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalogue::Catalogue;
use super::commands::Commands;
use super::filters::has_text;
use super::pages::{List, Ranked};
use super::queue::Queue;
use super::stock::{Level, Stock, count};
use super::takes::Takes;
use crate::domain::{OrganisationId, Product, ProductId, SiteId, StockKey};
use crate::store::{
    ArticleColumn, ArticleFilter, ArticleRow, ArticleSort, ArticleView, Page, PageRequest, Record,
    RecordKey, StoreError, Version,
};

/// The state behind the lock.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) organisations: BTreeMap<OrganisationId, Organisation>,
    pub(super) queue: Queue,
}

/// What belongs to one organisation; nothing in here refers to another.
#[derive(Debug, Default)]
pub(super) struct Organisation {
    pub(super) catalogue: Catalogue,
    pub(super) stock: Stock,
    pub(super) takes: Takes,
    pub(super) commands: Commands,
}

impl Organisation {
    /// The version of a record, if it exists.
    pub(super) fn version(&self, key: &RecordKey) -> Option<Version> {
        match key {
            RecordKey::Site(id) => self.catalogue.site(*id).map(|row| row.version),
            RecordKey::Product(id) => self.catalogue.product(*id).map(|row| row.version),
            RecordKey::Supplier(id) => self.catalogue.supplier(*id).map(|row| row.version),
            RecordKey::StockTake(id) => self.takes.get(*id).map(|take| take.header.version),
            RecordKey::StockTakeItem(take, id) => {
                self.takes.line(*take, *id).map(|row| row.version)
            }
            RecordKey::StockLevel(key) => self.stock.level(key).map(|row| row.version),
        }
    }

    /// Creates or replaces a record. A line whose take is not there is dropped: the check before it refuses
    /// such a commit.
    pub(super) fn put(&mut self, record: &Record) {
        match record {
            Record::Site(site) => self.catalogue.put_site(site),
            Record::Product(product) => self.catalogue.put_product(product),
            Record::Supplier(supplier) => self.catalogue.put_supplier(supplier),
            Record::StockTake(take) => self.takes.put(take),
            Record::StockTakeItem(item) => {
                if let Some(take) = self.takes.get_mut(item.take) {
                    take.lines.put(item);
                }
            }
            Record::StockLevel(level) => self.stock.put_level(level),
        }
    }

    /// Deletes a line; nothing else is ever deleted.
    pub(super) fn delete(&mut self, key: &RecordKey) {
        if let RecordKey::StockTakeItem(take, id) = key
            && let Some(take) = self.takes.get_mut(*take)
        {
            take.lines.delete(*id);
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
        let page = if sort.column == ArticleColumn::Line {
            let list = List::new("articles", scope, filter);
            let after = list.after::<StockKey>(request, |key| key.site == site)?;
            let total = request
                .with_total
                .then(|| count(self.stocked_articles(site, filter, None)));
            let rows = self.stocked_articles(site, filter, after);
            let rows = rows.map(|(key, level, product)| (key, (level, product)));
            list.page(request, rows, total)
        } else {
            let list = List::new("articles", scope, &(filter, sort));
            let rows = self
                .stocked_articles(site, filter, None)
                .map(|(key, level, product)| Ranked {
                    value: sort.column.value(&ArticleRow {
                        product,
                        key,
                        on_hand: Some(level.value.quantity()),
                        reserved: Some(level.value.reserved()),
                        counted: false,
                    }),
                    position: key,
                    row: (level, product),
                });
            list.sorted(request, sort.descending, rows)?
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
        let ArticleFilter {
            name_or_barcode,
            supplier,
            changed_after,
        } = filter;
        self.stock
            .levels_of(site, &ALL, after)
            .filter(|(_, level)| {
                level.value.is_stocked()
                    && changed_after.is_none_or(|moment| level.value.updated_at() > moment)
            })
            .filter_map(|(key, level)| {
                let product = self.catalogue.product(key.product)?;
                Some((key, level, &product.value))
            })
            .filter(|(_, _, product)| {
                supplier.is_none_or(|id| product.suppliers.iter().any(|one| one.id == id))
                    && name_or_barcode
                        .as_ref()
                        .is_none_or(|text| has_text(text, product))
            })
    }
}
