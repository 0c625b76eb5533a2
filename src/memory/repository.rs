//! The repository's side of the store. Rows are shared out under the lock and copied, where the contract
//! hands out copies, after it.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use super::commands::Known;
use super::commit::commit;
use super::purging::at_most;
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
    InventoryOrderFilter, InventoryOrderItemFilter, LevelFilter, Outcome, Page, PageRequest, Purge,
    Record, RecordKey, Repository, SerialMark, StockAdjustmentFilter, StockTakeFilter,
    StockTakeItemFilter, StockTakeItemView, StockTakeTotals, StockTakeView, StoreError, Unlike,
    UnlikeEvent, Versioned,
};

#[async_trait]
impl Repository for MemoryStore {
    #[inline(never)]
    async fn get(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned<Record>>>, StoreError> {
        let rows: Vec<_> = self.read_of(organisation, |it| {
            keys.iter().map(|key| it.record(key)).collect()
        });
        Ok(rows.into_iter().map(|row| row.map(|row| row())).collect())
    }

    #[inline(never)]
    async fn site_by_external_id(
        &self,
        organisation: OrganisationId,
        external_id: &Code,
    ) -> Result<Option<Versioned<Site>>, StoreError> {
        let row = self.read_of(organisation, |it| {
            it.catalogue.site_by_external_id(external_id).cloned()
        });
        Ok(row.map(copied))
    }

    #[inline(never)]
    async fn products_by_article(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            let row = |article: &Code| it.catalogue.product_by_article(article).cloned();
            articles.iter().map(row).collect()
        }))
    }

    #[inline(never)]
    async fn articles_like(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Code>>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            let like = |article: &Code| it.catalogue.article_like(article).cloned();
            articles.iter().map(like).collect()
        }))
    }

    #[inline(never)]
    async fn products_by_barcode(
        &self,
        organisation: OrganisationId,
        barcodes: &[Code],
    ) -> Result<Vec<Vec<Versioned<Arc<Product>>>>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            let rows =
                |barcode: &Code| it.catalogue.products_by_barcode(barcode).cloned().collect();
            barcodes.iter().map(rows).collect()
        }))
    }

    #[inline(never)]
    async fn product_ids_after(
        &self,
        organisation: OrganisationId,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductId>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            it.catalogue.product_ids_after(after, limit)
        }))
    }

    #[inline(never)]
    async fn category_sizes(
        &self,
        organisation: OrganisationId,
        categories: &[CategoryId],
    ) -> Result<Vec<u64>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            let size = |category: &CategoryId| it.catalogue.category_size(*category);
            categories.iter().map(size).collect()
        }))
    }

    #[inline(never)]
    async fn serial_marks(
        &self,
        organisation: OrganisationId,
        serials: &BTreeSet<Code>,
        products: &BTreeSet<ProductId>,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
        let marks = self.read_of(organisation, |it| it.serials.of(serials, products));
        Ok(marks.into_iter().map(copied).collect())
    }

    #[inline(never)]
    async fn serial_marks_after(
        &self,
        organisation: OrganisationId,
        after: Option<(Code, Option<ProductId>)>,
        limit: u32,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
        let marks = self.read_of(organisation, |it| it.serials.after(after, limit));
        Ok(marks.into_iter().map(copied).collect())
    }

    #[inline(never)]
    async fn levels_page(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &LevelFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockLevel>>, StoreError> {
        self.read_of(organisation, |it| {
            it.stock.levels_page(organisation, site, filter, page)
        })
        .map(|page| page.map(copied))
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
        self.read_of(organisation, |it| {
            it.articles(organisation, site, (filter, sort), page)
        })
    }

    #[inline(never)]
    async fn change_token(&self, organisation: OrganisationId) -> Result<ChangeToken, StoreError> {
        Ok(self.read_of(organisation, super::state::Organisation::next_change))
    }

    #[inline(never)]
    async fn events_after(
        &self,
        organisation: OrganisationId,
        keys: &[(StockKey, u64)],
    ) -> Result<Vec<StockEvent>, StoreError> {
        let events = self.read_of(organisation, |it| it.stock.events_after(keys));
        Ok(events.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    #[inline(never)]
    async fn events(
        &self,
        organisation: OrganisationId,
        ids: &[StockEventId],
    ) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            ids.iter().map(|id| it.stock.event(*id)).collect()
        }))
    }

    #[inline(never)]
    async fn ledger(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let events = self.read_of(organisation, |it| it.stock.ledger(site, after, limit));
        Ok(events.into_iter().map(entry).collect())
    }

    #[inline(never)]
    async fn ledger_back(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let events = self.read_of(organisation, |it| it.stock.ledger_back(site, before, limit));
        Ok(events.into_iter().map(entry).collect())
    }

    #[inline(never)]
    async fn ledger_by_key(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: Option<(StockKey, u64)>,
        limit: u32,
    ) -> Result<Vec<StockEvent>, StoreError> {
        let events = self.read_of(organisation, |it| {
            it.stock.ledger_by_key(site, after.as_ref(), limit)
        });
        Ok(events.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    #[inline(never)]
    async fn unlike(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Unlike>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            keys.iter().filter_map(|key| it.unlike(key)).collect()
        }))
    }

    /// An event stands in every index as it is.
    #[inline(never)]
    async fn unlike_events(
        &self,
        _: OrganisationId,
        _: SiteId,
        _: u64,
        _: u32,
    ) -> Result<Vec<UnlikeEvent>, StoreError> {
        Ok(Vec::new())
    }

    #[inline(never)]
    async fn mend(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Unlike>, StoreError> {
        Ok(self.write(|state| {
            let Some(it) = state.organisations.get_mut(&organisation) else {
                return Vec::new();
            };
            let unlike: Vec<Unlike> = keys.iter().filter_map(|key| it.unlike(key)).collect();
            for unlike in &unlike {
                it.sum_up(&unlike.record);
            }
            unlike
        }))
    }

    #[inline(never)]
    async fn stock_takes(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockTake>>, StoreError> {
        self.read_of(organisation, |it| {
            it.takes.of_site(organisation, site, filter, page)
        })
        .map(|page| page.map(copied))
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
        let asked = ("stock_take_items", filter, sort);
        self.read_of(organisation, |it| {
            it.takes
                .lines_page(organisation, take, asked, page, &it.stock)
        })
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
        let asked = (filter, sort, since);
        self.read_of(organisation, |it| {
            let now = (&it.stock, it.next_change());
            it.takes.view(organisation, take, asked, page, now)
        })
    }

    #[inline(never)]
    async fn stock_take_totals(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
    ) -> Result<StockTakeTotals, StoreError> {
        self.read_of(organisation, |it| {
            it.takes
                .lines(take)
                .map(|lines| lines.sums(filter))
                .unwrap_or_default()
        })
        .totals()
    }

    #[inline(never)]
    async fn stock_take_item_ids(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        ids: &[StockTakeItemId],
    ) -> Result<Vec<StockTakeItemId>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            let has = |id: &&StockTakeItemId| it.takes.line(take, **id).is_some();
            ids.iter().filter(has).copied().collect()
        }))
    }

    #[inline(never)]
    async fn counting_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        items: &[StockTakeItemId],
    ) -> Result<Option<CountingView>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            it.takes.counting_view(take, items, &it.stock)
        }))
    }

    #[inline(never)]
    async fn count_entries(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Vec<CountEntry>, StoreError> {
        let entries = self.read_of(organisation, |it| {
            it.takes
                .lines(take)
                .map(|lines| lines.entries(item).to_vec())
                .unwrap_or_default()
        });
        Ok(entries.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    #[inline(never)]
    async fn inventory_counts(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryCountFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCount>>, StoreError> {
        self.read_of(organisation, |it| {
            it.counts.of_site(organisation, site, filter, page)
        })
        .map(|page| page.map(copied))
    }

    #[inline(never)]
    async fn inventory_count_items(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        filter: &InventoryCountItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCountItem>>, StoreError> {
        self.read_of(organisation, |it| {
            it.counts.lines_page(organisation, count, *filter, page)
        })
        .map(|page| page.map(copied))
    }

    #[inline(never)]
    async fn inventory_count_totals(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
    ) -> Result<CountTotals, StoreError> {
        self.read_of(organisation, |it| it.counts.totals(count))
    }

    #[inline(never)]
    async fn inventory_count_entries(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Result<Vec<InventoryCountEntry>, StoreError> {
        let entries = self.read_of(organisation, |it| it.counts.entries(count, item).to_vec());
        Ok(entries.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    #[inline(never)]
    async fn stock_adjustments(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockAdjustmentFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockAdjustment>>, StoreError> {
        self.read_of(organisation, |it| {
            it.adjustments.of_site(organisation, site, filter, page)
        })
        .map(|page| page.map(copied))
    }

    #[inline(never)]
    async fn inventory_orders(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryOrderFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrder>>, StoreError> {
        self.read_of(organisation, |it| {
            it.orders.of_site(organisation, site, filter, page)
        })
        .map(|page| page.map(copied))
    }

    #[inline(never)]
    async fn inventory_order_items(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError> {
        self.read_of(organisation, |it| {
            it.orders.lines_page(organisation, order, filter, page)
        })
        .map(|page| page.map(copied))
    }

    #[inline(never)]
    async fn command(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
    ) -> Result<Option<Command>, StoreError> {
        Ok(self.read_of(organisation, |it| match it.commands.get(id) {
            Some(Known::Applied(command)) => Some(command.clone()),
            Some(Known::Void) | None => None,
        }))
    }

    #[inline(never)]
    async fn commit(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        self.write(|state| commit(state, changes))
    }

    #[inline(never)]
    async fn settle(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
        at: Timestamp,
    ) -> Result<Option<Outcome>, StoreError> {
        Ok(self.write(|state| {
            let organisation = state.organisations.entry(organisation).or_default();
            organisation.commands.settle(id, at)
        }))
    }

    #[inline(never)]
    async fn purge(
        &self,
        organisation: OrganisationId,
        what: Purge,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            let organisation = state.organisations.get_mut(&organisation);
            organisation.map_or(0, |it| it.purge(what, before, at_most(limit)))
        }))
    }

    #[inline(never)]
    async fn organisations(
        &self,
        after: Option<OrganisationId>,
        limit: u32,
    ) -> Result<Vec<OrganisationId>, StoreError> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self.read(|state| {
            let found = state.organisations.range((begin, Bound::Unbounded));
            let found = found.filter(|(_, it)| it.catalogue.has_sites());
            found.map(|(id, _)| *id).take(at_most(limit)).collect()
        }))
    }
}

/// An entry of the ledger, copied.
fn entry((position, event): (u64, Arc<StockEvent>)) -> LedgerEntry {
    LedgerEntry {
        position,
        event: Arc::unwrap_or_clone(event),
    }
}

/// A copy of what is shared.
fn copied<T: Clone>(row: Versioned<Arc<T>>) -> Versioned<T> {
    Versioned {
        version: row.version,
        value: Arc::unwrap_or_clone(row.value),
    }
}
