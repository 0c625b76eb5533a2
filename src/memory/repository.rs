//! The repository's side of the store. Rows are shared out under the lock and copied, where the contract
//! hands out copies, after it.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use super::commands::Known;
use super::commit::commit;
use crate::domain::{
    Code, CountEntry, LedgerEntry, OrganisationId, Product, ProductId, Site, SiteId, StockEvent,
    StockEventId, StockKey, StockLevel, StockTake, StockTakeId, StockTakeItemId, Supplier,
    SupplierId, Timestamp,
};
use crate::store::{
    ArticleFilter, ArticleSort, ArticleView, ChangeSet, Command, CommandId, CommitError,
    CommitOutcome, CountingView, LevelFilter, Outcome, Page, PageRequest, Repository,
    StockTakeFilter, StockTakeItemFilter, StockTakeItemView, StockTakeTotals, StoreError,
    Versioned,
};

#[async_trait]
impl Repository for MemoryStore {
    async fn site(
        &self,
        organisation: OrganisationId,
        id: SiteId,
    ) -> Result<Option<Versioned<Site>>, StoreError> {
        let row = self.read_of(organisation, |it| it.catalogue.site(id).cloned());
        Ok(row.map(copied))
    }

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

    async fn products(
        &self,
        organisation: OrganisationId,
        ids: &[ProductId],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            let row = |id: &ProductId| it.catalogue.product(*id).cloned();
            ids.iter().map(row).collect()
        }))
    }

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

    async fn supplier(
        &self,
        organisation: OrganisationId,
        id: SupplierId,
    ) -> Result<Option<Versioned<Supplier>>, StoreError> {
        let row = self.read_of(organisation, |it| it.catalogue.supplier(id).cloned());
        Ok(row.map(copied))
    }

    async fn levels(
        &self,
        organisation: OrganisationId,
        keys: &[StockKey],
    ) -> Result<Vec<Option<Versioned<StockLevel>>>, StoreError> {
        let rows: Vec<_> = self.read_of(organisation, |it| {
            keys.iter()
                .map(|key| it.stock.level(key).cloned())
                .collect()
        });
        Ok(rows.into_iter().map(|row| row.map(copied)).collect())
    }

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

    async fn events_after(
        &self,
        organisation: OrganisationId,
        keys: &[(StockKey, u64)],
    ) -> Result<Vec<StockEvent>, StoreError> {
        let events = self.read_of(organisation, |it| it.stock.events_after(keys));
        Ok(events.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    async fn events(
        &self,
        organisation: OrganisationId,
        ids: &[StockEventId],
    ) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            ids.iter().map(|id| it.stock.event(*id)).collect()
        }))
    }

    async fn ledger(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let events = self.read_of(organisation, |it| it.stock.ledger(site, after, limit));
        let entry = |(position, event)| LedgerEntry {
            position,
            event: Arc::unwrap_or_clone(event),
        };
        Ok(events.into_iter().map(entry).collect())
    }

    async fn stock_take(
        &self,
        organisation: OrganisationId,
        id: StockTakeId,
    ) -> Result<Option<Versioned<StockTake>>, StoreError> {
        let header = self.read_of(organisation, |it| {
            it.takes.get(id).map(|take| take.header.clone())
        });
        Ok(header.map(copied))
    }

    async fn stock_takes(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockTake>>, StoreError> {
        self.read_of(organisation, |it| {
            it.takes.page(organisation, site, filter, page)
        })
        .map(|page| page.map(copied))
    }

    async fn stock_take_items(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<StockTakeItemView>, StoreError> {
        self.read_of(organisation, |it| {
            it.takes
                .lines_page(organisation, take, (filter, sort), page, &it.stock)
        })
    }

    async fn stock_take_totals(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
    ) -> Result<StockTakeTotals, StoreError> {
        self.read_of(organisation, |it| {
            it.takes
                .get(take)
                .map(|take| take.lines.sums(filter))
                .unwrap_or_default()
        })
        .totals()
    }

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

    async fn counting_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Option<CountingView>, StoreError> {
        Ok(self.read_of(organisation, |it| {
            it.takes.counting_view(take, item, &it.stock)
        }))
    }

    async fn count_entries(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Vec<CountEntry>, StoreError> {
        let entries = self.read_of(organisation, |it| {
            it.takes
                .get(take)
                .map(|take| take.lines.entries(item).to_vec())
                .unwrap_or_default()
        });
        Ok(entries.into_iter().map(Arc::unwrap_or_clone).collect())
    }

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

    async fn commit(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        self.write(|state| commit(state, changes))
    }

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

    async fn purge_commands(
        &self,
        organisation: OrganisationId,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            state
                .organisations
                .get_mut(&organisation)
                .map_or(0, |it| it.commands.purge(before))
        }))
    }
}

/// A copy of what is shared.
fn copied<T: Clone>(row: Versioned<Arc<T>>) -> Versioned<T> {
    Versioned {
        version: row.version,
        value: Arc::unwrap_or_clone(row.value),
    }
}
