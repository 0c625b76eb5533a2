//! Stores whose lists are not right.

use super::prelude::*;
use std::cmp::Reverse;

/// What is wrong with every list of a store.
trait Lists {
    /// What is asked instead.
    fn asked(&self, page: &PageRequest) -> PageRequest {
        page.clone()
    }

    /// What is answered instead.
    fn answered<T>(&self, _: &PageRequest, answer: Page<T>) -> Page<T> {
        answer
    }

    /// What is asked after a failure.
    fn asked_again(&self, _: &PageRequest, _: &StoreError) -> Option<PageRequest> {
        None
    }
}

/// Every list of a store, by what is wrong with it.
macro_rules! lists {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty),* $(,)? } => { $($hooks:tt)* }
    )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            store: MemoryStore,
            $($field: $type,)*
        }

        impl Lists for $name {
            $($hooks)*
        }

        lists!(@methods $name {
            levels_page(organisation: OrganisationId, site: SiteId, filter: &LevelFilter; ) -> Versioned<StockLevel>;
            articles(organisation: OrganisationId, site: SiteId, filter: &ArticleFilter; sort: ArticleSort) -> ArticleView;
            stock_takes(organisation: OrganisationId, site: SiteId, filter: &StockTakeFilter; ) -> Versioned<StockTake>;
            stock_take_items(organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter; sort: ArticleSort) -> StockTakeItemView;
            inventory_counts(organisation: OrganisationId, site: SiteId, filter: &InventoryCountFilter; ) -> Versioned<InventoryCount>;
            inventory_count_items(organisation: OrganisationId, count: InventoryCountId, filter: &InventoryCountItemFilter; ) -> Versioned<InventoryCountItem>;
            stock_adjustments(organisation: OrganisationId, site: SiteId, filter: &StockAdjustmentFilter; ) -> Versioned<StockAdjustment>;
            inventory_orders(organisation: OrganisationId, site: SiteId, filter: &InventoryOrderFilter; ) -> Versioned<InventoryOrder>;
            inventory_order_items(organisation: OrganisationId, order: InventoryOrderId, filter: &InventoryOrderItemFilter; ) -> Versioned<InventoryOrderItem>;
        });
    )+};
    (@methods $name:ident { $(
        $method:ident($($argument:ident: $type:ty),*; $($sort:ident: $by:ty)?) -> $row:ty;
    )+ }) => {
        #[async_trait]
        impl Defect for $name {
            fn inner(&self) -> &MemoryStore {
                &self.store
            }

            $(
                async fn $method(&self, $($argument: $type,)* $($sort: $by,)? page: &PageRequest) -> Read<Page<$row>> {
                    let asked = self.asked(page);
                    let answer = match self.store.$method($($argument,)* $($sort,)? &asked).await {
                        Ok(answer) => answer,
                        Err(error) => {
                            let again = self.asked_again(page, &error).ok_or(error)?;
                            self.store.$method($($argument,)* $($sort,)? &again).await?
                        }
                    };
                    Ok(self.answered(&asked, answer))
                }
            )+
        }
    };
}

/// A cursor that is the number of a row.
fn cursor_of(row: u64) -> Cursor {
    Cursor::from(row.to_string())
}

/// The row that a page begins after.
fn row_of(page: &PageRequest) -> u64 {
    match &page.start {
        PageStart::First => 0,
        PageStart::After(cursor) => cursor.as_str().parse().unwrap_or(u64::MAX),
        PageStart::Skip(rows) => *rows,
    }
}

fn skipping(page: &PageRequest, rows: u64) -> PageRequest {
    PageRequest {
        start: PageStart::Skip(rows),
        ..page.clone()
    }
}

fn end_of<T>(asked: &PageRequest, answer: &Page<T>) -> u64 {
    row_of(asked).saturating_add(u64::try_from(answer.items.len()).unwrap_or(u64::MAX))
}

lists! {
    /// M15: rows that were made at the same time come in any order.
    UnstableSort { reads: AtomicU64 } => {
        fn answered<T>(&self, _: &PageRequest, mut answer: Page<T>) -> Page<T> {
            if self.reads.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                answer.items.reverse();
            }
            answer
        }
    }

    /// M16: a cursor is the number of a row.
    OffsetCursor {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            skipping(page, row_of(page))
        }

        fn answered<T>(&self, asked: &PageRequest, mut answer: Page<T>) -> Page<T> {
            let end = end_of(asked, &answer);
            answer.next = answer.next.map(|_| cursor_of(end));
            answer
        }
    }

    /// M17: the row of a cursor is given again.
    InclusiveCursor {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            let after = matches!(page.start, PageStart::After(_));
            skipping(page, row_of(page).saturating_sub(u64::from(after)))
        }

        fn answered<T>(&self, asked: &PageRequest, mut answer: Page<T>) -> Page<T> {
            let end = end_of(asked, &answer);
            answer.next = answer.next.map(|_| cursor_of(end));
            answer
        }
    }

    /// M200: lists go in one direction only.
    OneWay {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            PageRequest { reversed: false, ..page.clone() }
        }
    }

    /// M55: where a page begins and ends is reckoned in too few bits.
    PageOverflow {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            let PageStart::Skip(rows) = page.start else {
                return page.clone();
            };
            let bits = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0);
            let end = bits(rows).wrapping_add(page.limit);
            skipping(page, u64::from(end.saturating_sub(page.limit)))
        }
    }

    /// M56: a cursor of another list begins at the beginning.
    UnboundCursor {} => {
        fn asked_again(&self, page: &PageRequest, error: &StoreError) -> Option<PageRequest> {
            let start = PageStart::First;
            (error.kind() == StoreErrorKind::InvalidCursor)
                .then(|| PageRequest { start, ..page.clone() })
        }
    }

    /// M84: a page without a row is an error of nobody, and a limit of nothing gives nothing.
    NoLeastLimit {} => {
        fn answered<T>(&self, asked: &PageRequest, mut answer: Page<T>) -> Page<T> {
            if asked.limit == 0 {
                answer.items.clear();
            }
            answer
        }
    }

    /// M85: a last page has a cursor too: the page after it is empty.
    OnePageMore {} => {
        fn asked_again(&self, page: &PageRequest, _: &StoreError) -> Option<PageRequest> {
            Some(skipping(page, u64::MAX))
        }

        fn answered<T>(&self, _: &PageRequest, mut answer: Page<T>) -> Page<T> {
            if !answer.items.is_empty() {
                answer.next = answer.next.or_else(|| Some(cursor_of(0)));
            }
            answer
        }
    }

    /// M86: the total is that of the page.
    TotalOfPage {} => {
        fn answered<T>(&self, _: &PageRequest, mut answer: Page<T>) -> Page<T> {
            let rows = u64::try_from(answer.items.len()).unwrap_or(u64::MAX);
            answer.total = answer.total.map(|_| rows);
            answer
        }
    }
}

defects! {
    /// M18: a text that is searched for is a pattern: `%` is anything.
    LikeWildcard {} => {
        async fn stock_take_items(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<StockTakeItemView>> {
            let is_pattern = |text: &Option<SearchText>| {
                text.as_ref().is_some_and(|text| format!("{text:?}").contains(['%', '_']))
            };
            let mut filter = filter.clone();
            if is_pattern(&filter.name) {
                filter.name = None;
            }
            if is_pattern(&filter.name_or_barcode) {
                filter.name_or_barcode = None;
            }
            self.store.stock_take_items(organisation, take, &filter, sort, page).await
        }
    }

    /// M19: totals do not look at the filter.
    LeakyTotals {} => {
        async fn stock_take_totals(&self, organisation: OrganisationId, take: StockTakeId, _: &StockTakeItemFilter) -> Read<StockTakeTotals> {
            self.store.stock_take_totals(organisation, take, &StockTakeItemFilter::default()).await
        }
    }

    /// M115: totals are kept in 64 bits.
    NarrowTotals {} => {
        async fn stock_take_totals(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter) -> Read<StockTakeTotals> {
            let totals = self.store.stock_take_totals(organisation, take, filter).await?;
            let low = totals.adjustment_minor.rem_euclid(1 << 64);
            let adjustment_minor = if low >= 1 << 63 { low - (1 << 64) } else { low };
            Ok(StockTakeTotals { adjustment_minor, ..totals })
        }
    }

    /// M87: of several brands only one is looked at.
    FirstBrand {} => {
        async fn stock_take_items(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<StockTakeItemView>> {
            let mut filter = filter.clone();
            filter.brands = filter.brands.into_iter().take(1).collect();
            self.store.stock_take_items(organisation, take, &filter, sort, page).await
        }
    }

    /// M88: removed takes are listed although nobody asked for them.
    RemovedListed {} => {
        async fn stock_takes(&self, organisation: OrganisationId, site: SiteId, filter: &StockTakeFilter, page: &PageRequest) -> Read<Page<Versioned<StockTake>>> {
            let mut filter = filter.clone();
            if filter.states.is_empty() {
                filter.states = StockTakeState::ALL.iter().copied().collect();
            }
            self.store.stock_takes(organisation, site, &filter, page).await
        }
    }

    /// M89: largest first keeps rows that are equal in the order of their lines.
    KeptTies {} => {
        async fn stock_take_items(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<StockTakeItemView>> {
            if sort.descending && page.start == PageStart::First {
                let up = ArticleSort { descending: false, ..sort };
                let all = PageRequest { limit: MAX_PAGE, ..page.clone() };
                let mut all = self.store.stock_take_items(organisation, take, filter, up, &all).await?;
                let down = self.store.stock_take_items(organisation, take, filter, sort, page).await?;
                all.items.sort_by_key(|row| Reverse(sort.column.value_of_line(&row.item.value, None)));
                all.items.truncate(down.items.len());
                return Ok(Page { items: all.items, ..down });
            }
            self.store.stock_take_items(organisation, take, filter, sort, page).await
        }
    }

    /// M90: what is on hand is of the time when the line was added.
    OldOnHand {} => {
        async fn stock_take_items(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<StockTakeItemView>> {
            let mut lines = self.store.stock_take_items(organisation, take, filter, sort, page).await?;
            for line in &mut lines.items {
                line.on_hand = None;
                line.reserved = None;
            }
            Ok(lines)
        }
    }
}

lists! {
    /// M310: the total counts the rows from the cursor on.
    TotalAfterCursor {} => {
        fn answered<T>(&self, asked: &PageRequest, mut answer: Page<T>) -> Page<T> {
            if let PageStart::After(_) = asked.start {
                let rows = u64::try_from(answer.items.len()).unwrap_or(u64::MAX);
                answer.total = answer.total.map(|total| total.min(rows + u64::from(answer.next.is_some())));
            }
            answer
        }
    }

    /// M311: a page beyond the end is an error.
    BeyondIsError {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            match page.start {
                PageStart::Skip(rows) if rows > i64::MAX.unsigned_abs() => {
                    PageRequest { start: PageStart::After(cursor_of(rows)), ..page.clone() }
                }
                _ => page.clone(),
            }
        }
    }

    /// M312: a total is told also to who did not ask for it.
    AlwaysTotal {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            PageRequest { with_total: true, ..page.clone() }
        }
    }

    /// M313: a page has one row more than was asked for.
    OneRowMore {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            PageRequest { limit: page.limit.saturating_add(1), ..page.clone() }
        }
    }

    /// M314: a page that is turned round begins at the beginning when it goes on after a cursor.
    TurnedBegins {} => {
        fn asked(&self, page: &PageRequest) -> PageRequest {
            match page.start {
                PageStart::After(_) if page.reversed => PageRequest { start: PageStart::First, ..page.clone() },
                _ => page.clone(),
            }
        }
    }
}

defects! {
    /// M315: the texts of names are compared with the case that they are written in.
    CaseMatters {} => {
        async fn stock_take_items(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<StockTakeItemView>> {
            let mut found = self.store.stock_take_items(organisation, take, filter, sort, page).await?;
            if let Some(text) = &filter.name {
                let text = format!("{text:?}");
                let text = text.trim_start_matches("SearchText(\"").trim_end_matches("\")").to_owned();
                found.items.retain(|row| row.item.value.product.name.as_str().contains(&text));
            }
            Ok(found)
        }
    }

    /// M316: conditions are alternatives: of two that are set, one will do.
    AnyCondition {} => {
        async fn levels_page(&self, organisation: OrganisationId, site: SiteId, filter: &LevelFilter, page: &PageRequest) -> Read<Page<Versioned<StockLevel>>> {
            let mut filter = filter.clone();
            if filter.place.is_some() {
                filter.products.clear();
            }
            self.store.levels_page(organisation, site, &filter, page).await
        }
    }

    /// M317: a span of time has its end in it.
    EndIsIn {} => {
        async fn inventory_counts(&self, organisation: OrganisationId, site: SiteId, filter: &InventoryCountFilter, page: &PageRequest) -> Read<Page<Versioned<InventoryCount>>> {
            let filter = InventoryCountFilter { to: filter.to.map(|to| to.later_by(1)), ..filter.clone() };
            self.store.inventory_counts(organisation, site, &filter, page).await
        }
    }

    /// M318: removed orders are listed although nobody asked for them.
    RemovedOrders {} => {
        async fn inventory_orders(&self, organisation: OrganisationId, site: SiteId, filter: &InventoryOrderFilter, page: &PageRequest) -> Read<Page<Versioned<InventoryOrder>>> {
            let mut filter = filter.clone();
            if filter.states.is_empty() {
                filter.states = InventoryOrderState::ALL.iter().copied().collect();
            }
            self.store.inventory_orders(organisation, site, &filter, page).await
        }
    }

    /// M319: what is missing and what is in excess is one sum.
    CountTotalsMixed {} => {
        async fn inventory_count_totals(&self, organisation: OrganisationId, count: InventoryCountId) -> Read<CountTotals> {
            let totals = self.store.inventory_count_totals(organisation, count).await?;
            let mixed = CountTotals::new(totals.items(), totals.discrepancies(), totals.excess_minor(), totals.missing_minor());
            Ok(mixed.unwrap_or(totals))
        }
    }

    /// M320: the totals of a take still have in them what was deleted.
    DeletedCounts { deleted: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await;
            if outcome.is_ok() {
                let gone = changes.parts().writes.iter().filter(|(key, write)| {
                    matches!(key, RecordKey::StockTakeItem(..)) && write.record().is_none()
                });
                self.deleted.fetch_add(u64::try_from(gone.count()).unwrap_or(0), Ordering::SeqCst);
            }
            outcome
        }

        async fn stock_take_totals(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter) -> Read<StockTakeTotals> {
            let totals = self.store.stock_take_totals(organisation, take, filter).await?;
            Ok(StockTakeTotals { items: totals.items + self.deleted.load(Ordering::SeqCst), ..totals })
        }
    }
}
