//! What is read. Each read holds the lock once, so that it sees one committed state (R4).
//!
//! Filters know what they let through, columns know what they sort by, and [`List`] makes pages and cursors: what is left
//! to say is where the rows are, and where each stands in its list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use stocktake::domain::{
    CategoryId, Code, CountEntry, CountTotals, InventoryCount, InventoryCountEntry,
    InventoryCountId, InventoryCountItem, InventoryCountItemId, InventoryOrder, InventoryOrderId,
    InventoryOrderItem, JobId, LedgerEntry, OrganisationId, Product, ProductId, Site, SiteId,
    StockAdjustment, StockEvent, StockEventId, StockKey, StockLevel, StockTake, StockTakeId,
    StockTakeItem, StockTakeItemId, Timestamp,
};
use stocktake::store::{
    ArticleColumn, ArticleFilter, ArticleSort, ArticleView, ChangeSet, ChangeToken, Command,
    CommandId, CommitError, CommitOutcome, CountedLine, CountingView, Entry, InventoryCountFilter,
    InventoryCountItemFilter, InventoryOrderFilter, InventoryOrderItemFilter, LevelFilter, List,
    MAX_PAGE, Outcome, Page, PageRequest, Position, Purge, Ranked, Record, RecordKey, Repository,
    SerialMark, StockAdjustmentFilter, StockTakeFilter, StockTakeItemFilter, StockTakeItemView,
    StockTakeTotals, StockTakeView, StoreError, TakeSums, Unlike, UnlikeEvent, Versioned,
};

use super::{CustomStore, Handled, State};

/// A page of a list that has one order (R9), given its rows, each with where it stands. A store in SQL asks for those
/// after the cursor in the order of their places, one more than the limit.
pub(super) fn page_of<P: Position, R: Clone>(
    list: List,
    request: &PageRequest,
    rows: impl Iterator<Item = (P, R)>,
) -> Result<Page<R>, StoreError> {
    let after = list.after::<P>(request, |_| true)?;
    let rows: BTreeMap<P, R> = rows.collect();
    let total = request.with_total.then_some(rows.len() as u64);
    let rest: Vec<(&P, &R)> = if request.reversed {
        let before = |it: &(&P, &R)| after.as_ref().is_none_or(|after| it.0 < after);
        rows.iter().rev().filter(before).collect()
    } else {
        let behind = |it: &(&P, &R)| after.as_ref().is_none_or(|after| it.0 > after);
        rows.iter().filter(behind).collect()
    };
    Ok(list
        .page(request, rest.into_iter(), total)
        .map(Clone::clone))
}

/// A row to be handed out.
fn owned<T: Clone>(Versioned { version, value }: Versioned<&T>) -> Versioned<T> {
    let value = value.clone();
    Versioned { version, value }
}

/// A row that is handed out shared.
fn shared<T>(Versioned { version, value }: Versioned<T>) -> Versioned<Arc<T>> {
    let value = Arc::new(value);
    Versioned { version, value }
}

impl State {
    fn level(&self, whose: OrganisationId, key: &StockKey) -> Option<Versioned<StockLevel>> {
        self.record(whose, RecordKey::StockLevel(key.clone()))
    }

    /// The ledger of a site.
    fn ledger(&self, whose: OrganisationId, site: SiteId) -> Vec<&LedgerEntry> {
        let entries = self.events.iter();
        let entries = entries.filter(|((of, key, _), _)| *of == whose && key.site == site);
        let mut entries: Vec<_> = entries.map(|(_, entry)| entry).collect();
        entries.sort_by_key(|entry| entry.position);
        entries
    }

    /// The lines of a take that a filter lets through.
    fn lines(
        &self,
        whose: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
    ) -> impl Iterator<Item = Versioned<&StockTakeItem>> {
        let lines = self.all::<StockTakeItem>(whose);
        lines.filter(move |line| line.take == take && filter.matches(line))
    }

    /// What tells what changes after this (R19): the number of the next commit.
    fn next_change(&self, whose: OrganisationId) -> ChangeToken {
        let commits = self.commits.get(&whose).copied();
        ChangeToken::new(commits.unwrap_or_default() + 1)
    }

    /// Whether an article is one that has changed, if such are asked for (R19).
    fn is_changed(&self, whose: OrganisationId, key: &StockKey, filter: &ArticleFilter) -> bool {
        let Some(since) = filter.changed_since else {
            return true;
        };
        let since = since.within(self.next_change(whose)).get();
        let level = RecordKey::StockLevel(key.clone());
        let product = RecordKey::Product(key.product);
        let mut changed = [level, product].into_iter();
        changed.any(|key| {
            self.changed
                .get(&(whose, key))
                .is_some_and(|it| *it >= since)
        })
    }

    /// A page of some lines, sorted, with what is on hand.
    fn page_of_lines<'a>(
        &self,
        list: List,
        (whose, column): (OrganisationId, ArticleColumn),
        page: &PageRequest,
        lines: impl Iterator<Item = Versioned<&'a StockTakeItem>>,
    ) -> Result<Page<StockTakeItemView>, StoreError> {
        let mut sorting = list.sorting::<(u64, StockTakeItemId), _, _>(page)?;
        for line in lines {
            let level = self.level(whose, &line.key);
            let level = level.filter(|level| level.is_stocked());
            let level = level.as_ref().map(|level| &level.value);
            sorting.push(Ranked {
                value: column.value_of_line(&line, level),
                position: (line.line, line.id),
                row: StockTakeItemView {
                    item: shared(owned(line)),
                    on_hand: level.map(StockLevel::quantity),
                    reserved: level.map(StockLevel::reserved),
                },
            });
        }
        Ok(sorting.page())
    }
}

#[async_trait]
impl Repository for CustomStore {
    async fn get(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned<Record>>>, StoreError> {
        let state = self.state();
        let answer = |key: &RecordKey| state.get(organisation, key);
        Ok(keys.iter().map(answer).collect())
    }

    async fn site_by_external_id(
        &self,
        organisation: OrganisationId,
        external_id: &Code,
    ) -> Result<Option<Versioned<Site>>, StoreError> {
        let state = self.state();
        let mut sites = state.all::<Site>(organisation);
        Ok(sites.find(|it| it.external_id == *external_id).map(owned))
    }

    async fn products_by_article(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
        let state = self.state();
        let product = |article: &Code| {
            let mut products = state.all::<Product>(organisation);
            let product = products.find(|it| it.article_id == *article);
            product.map(owned).map(shared)
        };
        Ok(articles.iter().map(product).collect())
    }

    async fn articles_like(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Code>>, StoreError> {
        let state = self.state();
        let known: Vec<&Code> = state
            .all::<Product>(organisation)
            .map(|product| &product.article_id)
            .collect();
        let like = |article: &Code| {
            let (known, likeness) = (known.iter(), article.likeness());
            let alike = known.filter(|it| **it != article && it.likeness() == likeness);
            alike.min().map(|it| Code::clone(it))
        };
        Ok(articles.iter().map(like).collect())
    }

    async fn products_by_barcode(
        &self,
        organisation: OrganisationId,
        barcodes: &[Code],
    ) -> Result<Vec<Vec<Versioned<Arc<Product>>>>, StoreError> {
        let state = self.state();
        let products = |barcode: &Code| {
            let products = state.all::<Product>(organisation);
            let has_it = |it: &&Product| it.barcodes.iter().any(|its| its.value == *barcode);
            let mut found: Vec<_> = products
                .filter(|it| has_it(it))
                .map(|it| shared(owned(it)))
                .collect();
            found.sort_by_key(|product| product.id);
            found
        };
        Ok(barcodes.iter().map(products).collect())
    }

    async fn product_ids_after(
        &self,
        organisation: OrganisationId,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductId>, StoreError> {
        let state = self.state();
        let ids = state.all::<Product>(organisation).map(|it| it.id);
        let mut ids: Vec<_> = ids
            .filter(|id| after.is_none_or(|after| *id > after))
            .collect();
        ids.sort_unstable();
        ids.truncate(usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1));
        Ok(ids)
    }

    async fn category_sizes(
        &self,
        organisation: OrganisationId,
        categories: &[CategoryId],
    ) -> Result<Vec<u64>, StoreError> {
        let state = self.state();
        let size = |id: &CategoryId| {
            let products = state.all::<Product>(organisation);
            let of = products.filter(|it| it.category.as_ref().is_some_and(|its| its.id == *id));
            u64::try_from(of.count()).unwrap_or(u64::MAX)
        };
        Ok(categories.iter().map(size).collect())
    }

    async fn serial_marks(
        &self,
        organisation: OrganisationId,
        serials: &BTreeSet<Code>,
        products: &BTreeSet<ProductId>,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
        let state = self.state();
        let marks = state.all::<SerialMark>(organisation).filter(|mark| {
            let is_any = products.is_empty() || mark.product.is_none();
            let is_named = mark.product.is_some_and(|it| products.contains(&it));
            serials.contains(&mark.serial) && (is_any || is_named)
        });
        let mut marks: Vec<_> = marks.map(owned).collect();
        marks.sort_by_key(|mark| (mark.serial.clone(), mark.product));
        Ok(marks)
    }

    async fn serial_marks_after(
        &self,
        organisation: OrganisationId,
        after: Option<(Code, Option<ProductId>)>,
        limit: u32,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
        let state = self.state();
        let name = |mark: &SerialMark| (mark.serial.clone(), mark.product);
        let marks = state.all::<SerialMark>(organisation);
        let mut marks: Vec<_> = marks
            .filter(|mark| after.as_ref().is_none_or(|after| name(mark.value) > *after))
            .map(owned)
            .collect();
        marks.sort_by_key(|mark| name(&mark.value));
        marks.truncate(usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1));
        Ok(marks)
    }

    async fn levels_page(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &LevelFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockLevel>>, StoreError> {
        let state = self.state();
        let levels = state.all::<StockLevel>(organisation);
        let levels = levels.filter(|it| it.key().site == site && filter.matches(it));
        let list = List::new("levels_page", format_args!("{organisation}/{site}"), filter);
        page_of(list, page, levels.map(|it| (it.key().clone(), owned(it))))
    }

    async fn articles(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &ArticleFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<ArticleView>, StoreError> {
        let state = self.state();
        let scope = format_args!("{organisation}/{site}");
        let (column, page) = sort.ascending(page);
        let list = List::new("articles", scope, &(filter, column));
        let mut sorting = list.sorting::<StockKey, _, _>(&page)?;
        for level in state.all::<StockLevel>(organisation) {
            let product = RecordKey::Product(level.key().product);
            let product = state.record::<Product>(organisation, product);
            let product = product.filter(|it| filter.matches(&level, it));
            let product = product.filter(|_| state.is_changed(organisation, level.key(), filter));
            if let Some(product) = product.filter(|_| level.key().site == site) {
                sorting.push(Ranked {
                    value: column.value_of_article(&level, &product),
                    position: level.key().clone(),
                    row: ArticleView {
                        level: shared(owned(level)),
                        product: Arc::new(product.value),
                    },
                });
            }
        }
        Ok(sorting.page())
    }

    async fn change_token(&self, organisation: OrganisationId) -> Result<ChangeToken, StoreError> {
        Ok(self.state().next_change(organisation))
    }

    async fn events_after(
        &self,
        organisation: OrganisationId,
        keys: &[(StockKey, u64)],
    ) -> Result<Vec<StockEvent>, StoreError> {
        let mut wanted: BTreeMap<&StockKey, u64> = BTreeMap::new();
        for (key, after) in keys {
            let lowest = wanted.entry(key).or_insert(*after);
            *lowest = (*after).min(*lowest);
        }
        let state = self.state();
        let events = wanted.into_iter().flat_map(|(key, after)| {
            let all = (organisation, key.clone(), 0)..=(organisation, key.clone(), u64::MAX);
            let events = state.events.range(all);
            events.filter(move |((.., sequence), _)| *sequence > after)
        });
        Ok(events.map(|(_, entry)| entry.event.clone()).collect())
    }

    async fn events(
        &self,
        organisation: OrganisationId,
        ids: &[StockEventId],
    ) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        let state = self.state();
        let event = |id: &StockEventId| {
            let (key, sequence) = state.places.get(&(organisation, *id))?;
            let place = (organisation, key.clone(), *sequence);
            state.events.get(&place).cloned()
        };
        Ok(ids.iter().map(event).collect())
    }

    async fn ledger(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let state = self.state();
        let entries = state.ledger(organisation, site).into_iter();
        let entries = entries.filter(|entry| entry.position > after);
        let limit = limit.clamp(1, MAX_PAGE) as usize;
        Ok(entries.take(limit).cloned().collect())
    }

    async fn ledger_back(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let state = self.state();
        let entries = state.ledger(organisation, site).into_iter().rev();
        let entries = entries.filter(|entry| before.is_none_or(|before| entry.position < before));
        let limit = limit.clamp(1, MAX_PAGE) as usize;
        Ok(entries.take(limit).cloned().collect())
    }

    async fn ledger_by_key(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: Option<(StockKey, u64)>,
        limit: u32,
    ) -> Result<Vec<StockEvent>, StoreError> {
        let state = self.state();
        let is_after = |key: &StockKey, sequence: u64| {
            let place = after.as_ref().map(|(key, sequence)| (key, *sequence));
            place.is_none_or(|place| (key, sequence) > place)
        };
        let events = state.events.iter().filter(|((whose, key, sequence), _)| {
            *whose == organisation && key.site == site && is_after(key, *sequence)
        });
        let limit = usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1);
        let events = events.take(limit);
        Ok(events.map(|(_, entry)| entry.event.clone()).collect())
    }

    /// Every list and every total is made of the records when it is asked for: nothing is kept beside them.
    async fn unlike(&self, _: OrganisationId, _: &[RecordKey]) -> Result<Vec<Unlike>, StoreError> {
        Ok(Vec::new())
    }

    async fn unlike_events(
        &self,
        _: OrganisationId,
        _: SiteId,
        _: u64,
        _: u32,
    ) -> Result<Vec<UnlikeEvent>, StoreError> {
        Ok(Vec::new())
    }

    async fn mend(&self, _: OrganisationId, _: &[RecordKey]) -> Result<Vec<Unlike>, StoreError> {
        Ok(Vec::new())
    }

    async fn stock_takes(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockTake>>, StoreError> {
        let state = self.state();
        let takes = state.all::<StockTake>(organisation);
        let takes = takes.filter(|it| it.site() == site && filter.matches(it.state()));
        let list = List::new("stock_takes", format_args!("{organisation}/{site}"), filter);
        page_of(
            list,
            page,
            takes.map(|it| ((it.created_at(), it.id()), owned(it))),
        )
    }

    async fn stock_take_items(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<StockTakeItemView>, StoreError> {
        let state = self.state();
        let scope = format_args!("{organisation}/{take}");
        let (column, page) = sort.ascending(page);
        let list = List::new("stock_take_items", scope, &(filter, column));
        let lines = state.lines(organisation, take, filter);
        state.page_of_lines(list, (organisation, column), &page, lines)
    }

    /// The page, the totals and the token are of one moment, because the lock is held once.
    async fn stock_take_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        since: Option<ChangeToken>,
        page: &PageRequest,
    ) -> Result<Option<StockTakeView>, StoreError> {
        let state = self.state();
        let Some(header) = state.record(organisation, RecordKey::StockTake(take)) else {
            return Ok(None);
        };
        let next = state.next_change(organisation);
        let from = since.map_or(0, |since| since.within(next).get());
        let lines = || {
            let lines = state.lines(organisation, take, filter);
            lines.filter(|line| {
                let key = (organisation, RecordKey::StockTakeItem(take, line.id));
                state.changed.get(&key).is_some_and(|it| *it >= from)
            })
        };
        let scope = format!("{organisation}/{take}/{since:?}");
        let (column, page) = sort.ascending(page);
        let list = List::new("stock_take_view", scope, &(filter, column));
        let totals = page.with_total.then(|| {
            let mut sums = TakeSums::default();
            lines().for_each(|line| sums.add(line.version, line.value));
            sums.totals()
        });
        Ok(Some(StockTakeView {
            take: shared(header),
            items: state.page_of_lines(list, (organisation, column), &page, lines())?,
            totals: totals.transpose()?,
            next,
        }))
    }

    /// A store for large takes keeps the [`TakeSums`] of each take and changes them with its lines: in parts, or they
    /// are a row that all counters wait for.
    async fn stock_take_totals(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
    ) -> Result<StockTakeTotals, StoreError> {
        let state = self.state();
        let mut sums = TakeSums::default();
        for line in state.lines(organisation, take, filter) {
            sums.add(line.version, line.value);
        }
        sums.totals()
    }

    async fn stock_take_item_ids(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        ids: &[StockTakeItemId],
    ) -> Result<Vec<StockTakeItemId>, StoreError> {
        let state = self.state();
        let is_there = |id: &&StockTakeItemId| {
            let key = RecordKey::StockTakeItem(take, **id);
            state.records.contains_key(&(organisation, key))
        };
        Ok(ids.iter().filter(is_there).copied().collect())
    }

    async fn counting_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        items: &[StockTakeItemId],
    ) -> Result<Option<CountingView>, StoreError> {
        let state = self.state();
        let header = state.record(organisation, RecordKey::StockTake(take));
        let line = |id: &StockTakeItemId| {
            let key = RecordKey::StockTakeItem(take, *id);
            let item = shared(state.record::<StockTakeItem>(organisation, key)?);
            let level = state.level(organisation, &item.key).map(shared);
            Some(CountedLine { item, level })
        };
        Ok(header.map(|header| CountingView {
            take: shared(header),
            lines: items.iter().map(line).collect(),
        }))
    }

    async fn count_entries(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Vec<CountEntry>, StoreError> {
        let state = self.state();
        let entries = state
            .entries
            .iter()
            .filter_map(|(whose, entry)| match entry {
                Entry::StockTake(entry) if *whose == organisation => Some(entry),
                _ => None,
            });
        let entries = entries.filter(|entry| entry.take == take && entry.item == item);
        Ok(entries.cloned().collect())
    }

    async fn inventory_counts(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryCountFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCount>>, StoreError> {
        let state = self.state();
        let counts = state.all::<InventoryCount>(organisation);
        let counts = counts.filter(|it| it.site() == site && filter.matches(it));
        let scope = format_args!("{organisation}/{site}");
        let list = List::new("inventory_counts", scope, filter);
        page_of(
            list,
            page,
            counts.map(|it| ((it.started_at(), it.id()), owned(it))),
        )
    }

    async fn inventory_count_items(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        filter: &InventoryCountItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCountItem>>, StoreError> {
        let state = self.state();
        let items = state.all::<InventoryCountItem>(organisation);
        let items = items.filter(|it| it.count == count && filter.matches(it));
        let scope = format_args!("{organisation}/{count}");
        let list = List::new("inventory_count_items", scope, filter);
        page_of(
            list,
            page,
            items.map(|it| ((it.created_at, it.id), owned(it))),
        )
    }

    async fn inventory_count_totals(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
    ) -> Result<CountTotals, StoreError> {
        let state = self.state();
        let items = state.all::<InventoryCountItem>(organisation);
        Ok(items
            .filter(|item| item.count == count)
            .fold(CountTotals::default(), |totals, item| {
                totals.with(&item.variance)
            }))
    }

    async fn inventory_count_entries(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Result<Vec<InventoryCountEntry>, StoreError> {
        let state = self.state();
        let entries = state
            .entries
            .iter()
            .filter_map(|(whose, entry)| match entry {
                Entry::InventoryCount(entry) if *whose == organisation => Some(entry),
                _ => None,
            });
        let entries = entries.filter(|entry| entry.count == count && entry.item == item);
        Ok(entries.cloned().collect())
    }

    async fn stock_adjustments(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockAdjustmentFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockAdjustment>>, StoreError> {
        let state = self.state();
        let all = state.all::<StockAdjustment>(organisation);
        let all = all.filter(|it| it.site() == site && filter.matches(it));
        let scope = format_args!("{organisation}/{site}");
        let list = List::new("stock_adjustments", scope, filter);
        page_of(
            list,
            page,
            all.map(|it| ((it.created_at(), it.id()), owned(it))),
        )
    }

    async fn inventory_orders(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryOrderFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrder>>, StoreError> {
        let state = self.state();
        let orders = state.all::<InventoryOrder>(organisation);
        let orders = orders.filter(|it| it.site() == site && filter.matches(it));
        let scope = format_args!("{organisation}/{site}");
        let list = List::new("inventory_orders", scope, filter);
        page_of(
            list,
            page,
            orders.map(|it| ((it.created_at(), it.id()), owned(it))),
        )
    }

    async fn inventory_order_items(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError> {
        let state = self.state();
        let items = state.all::<InventoryOrderItem>(organisation);
        let items = items.filter(|it| it.order() == order && filter.matches(it));
        let scope = format_args!("{organisation}/{order}");
        let list = List::new("inventory_order_items", scope, filter);
        page_of(
            list,
            page,
            items.map(|it| ((it.line(), it.id()), owned(it))),
        )
    }

    async fn command(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
    ) -> Result<Option<Command>, StoreError> {
        let state = self.state();
        let handled = state.commands.get(&(organisation, id.clone()));
        Ok(handled.and_then(|handled| handled.command.clone()))
    }

    async fn commit(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        self.state().commit(changes)
    }

    /// No commit is ever in flight while the lock is held: a store where one can be has to wait for it, say by inserting
    /// the command itself.
    async fn settle(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
        at: Timestamp,
    ) -> Result<Option<Outcome>, StoreError> {
        let mut state = self.state();
        let never = Handled { at, command: None };
        let handled = state.commands.entry((organisation, id.clone()));
        let command = handled.or_insert(never).command.as_ref();
        Ok(command.map(|command| command.outcome.clone()))
    }

    async fn purge(
        &self,
        organisation: OrganisationId,
        what: Purge,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let most = u64::from(limit.clamp(1, MAX_PAGE));
        let mut left = most;
        let mut goes = |is_old: bool| {
            let goes = is_old && left > 0;
            left -= u64::from(goes);
            goes
        };
        let mut state = self.state();
        match what {
            Purge::Commands => state
                .commands
                .retain(|(whose, _), handled| !goes(*whose == organisation && handled.at < before)),
            Purge::Exports => {
                let is_expired = |record: &Record| match record {
                    Record::Export(export) if export.expires_at < before => Some(export.job),
                    _ => None,
                };
                let mine = state
                    .records
                    .iter()
                    .filter(|((whose, _), _)| *whose == organisation);
                let expired: BTreeSet<JobId> = mine
                    .filter_map(|(_, record)| is_expired(&record.value))
                    .collect();
                // The parts first: an export without its parts can't be found any more.
                state.records.retain(|(whose, key), _| match key {
                    RecordKey::ExportChunk(job, _) => {
                        !goes(*whose == organisation && expired.contains(job))
                    }
                    _ => true,
                });
                state.records.retain(|(whose, key), _| match key {
                    RecordKey::Export(job) => {
                        !goes(*whose == organisation && expired.contains(job))
                    }
                    _ => true,
                });
            }
            // What a later version of the library keeps for a time only, this store keeps.
            _ => {}
        }
        Ok(most - left)
    }

    async fn organisations(
        &self,
        after: Option<OrganisationId>,
        limit: u32,
    ) -> Result<Vec<OrganisationId>, StoreError> {
        let most = limit.clamp(1, MAX_PAGE) as usize;
        let state = self.state();
        let with_sites = state.records.keys().filter_map(|(whose, key)| match key {
            RecordKey::Site(_) if after.is_none_or(|after| *whose > after) => Some(*whose),
            _ => None,
        });
        let found: BTreeSet<OrganisationId> = with_sites.collect();
        Ok(found.into_iter().take(most).collect())
    }
}
