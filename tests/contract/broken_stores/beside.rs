//! Stores that take no notice of what a list or a total is of: it is of everything that the organisation has.

use std::cmp::Reverse;

use super::prelude::*;

/// What is known of an organisation's sites and documents: whatever a record that was written names.
#[derive(Debug, Default)]
struct Places {
    sites: Mutex<BTreeSet<SiteId>>,
    takes: Mutex<BTreeSet<StockTakeId>>,
    counts: Mutex<BTreeSet<InventoryCountId>>,
    orders: Mutex<BTreeSet<InventoryOrderId>>,
}

impl Places {
    fn note(&self, changes: &ChangeSet) {
        for key in changes.parts().writes.keys() {
            match key {
                RecordKey::Site(site) | RecordKey::OpenCount(site) => {
                    locked(&self.sites).insert(*site);
                }
                RecordKey::StockLevel(key) => {
                    locked(&self.sites).insert(key.site);
                }
                RecordKey::StockTake(take) => {
                    locked(&self.takes).insert(*take);
                }
                RecordKey::InventoryCount(count) => {
                    locked(&self.counts).insert(*count);
                }
                RecordKey::InventoryOrder(order) => {
                    locked(&self.orders).insert(*order);
                }
                _ => {}
            }
        }
    }
}

/// All that is known, what was asked for among it.
fn with<T: Copy + Ord>(known: &Mutex<BTreeSet<T>>, asked: T) -> BTreeSet<T> {
    let mut all = locked(known).clone();
    all.insert(asked);
    all
}

/// A page of rows, each with where it stands.
fn paged<P: Position, R: Clone>(
    list: &List,
    request: &PageRequest,
    rows: &BTreeMap<P, R>,
) -> Read<Page<R>> {
    let after = list.after::<P>(request, |_| true)?;
    let total = request
        .with_total
        .then_some(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    let is_left = |place: &P| {
        after.as_ref().is_none_or(|after| {
            if request.reversed {
                place < after
            } else {
                place > after
            }
        })
    };
    let mut left: Vec<(&P, &R)> = rows.iter().filter(|(place, _)| is_left(place)).collect();
    if request.reversed {
        left.reverse();
    }
    Ok(list
        .page(request, left.into_iter(), total)
        .map(Clone::clone))
}

/// Lists that are of every parent.
macro_rules! of_all {
    ($(
        $(#[$doc:meta])*
        $name:ident: $method:ident($known:ident: $parent:ty, $filter:ty) -> $row:ty, $place:expr;
    )+) => {
        defects! {$(
            $(#[$doc])*
            $name { places: Places } => {
                async fn commit(&self, changes: &ChangeSet) -> Committed {
                    self.places.note(changes);
                    self.store.commit(changes).await
                }

                async fn $method(&self, organisation: OrganisationId, asked: $parent, filter: &$filter, page: &PageRequest) -> Read<Page<$row>> {
                    let list = List::new(stringify!($method), format!("{organisation}/{asked}"), filter);
                    let mut rows = BTreeMap::new();
                    for parent in with(&self.places.$known, asked) {
                        let all = PageRequest::first(MAX_PAGE);
                        let found = self.store.$method(organisation, parent, filter, &all).await?;
                        rows.extend(found.items.into_iter().map(|row| (($place)(&row), row)));
                    }
                    paged(&list, page, &rows)
                }
            }
        )+}
    };
}

of_all! {
    /// M220: the levels of a site are those of all sites.
    LevelsOfAllSites: levels_page(sites: SiteId, LevelFilter) -> Versioned<StockLevel>, |row: &Versioned<StockLevel>| row.value.key().clone();
    /// M221: the takes of a site are those of all sites.
    TakesOfAllSites: stock_takes(sites: SiteId, StockTakeFilter) -> Versioned<StockTake>, |row: &Versioned<StockTake>| (row.value.created_at(), row.value.id());
    /// M222: the counts of a site are those of all sites.
    CountsOfAllSites: inventory_counts(sites: SiteId, InventoryCountFilter) -> Versioned<InventoryCount>, |row: &Versioned<InventoryCount>| (row.value.started_at(), row.value.id());
    /// M223: the adjustments of a site are those of all sites.
    AdjustmentsOfAllSites: stock_adjustments(sites: SiteId, StockAdjustmentFilter) -> Versioned<StockAdjustment>, |row: &Versioned<StockAdjustment>| (row.value.created_at(), row.value.id());
    /// M224: the orders of a site are those of all sites.
    OrdersOfAllSites: inventory_orders(sites: SiteId, InventoryOrderFilter) -> Versioned<InventoryOrder>, |row: &Versioned<InventoryOrder>| (row.value.created_at(), row.value.id());
    /// M225: the lines of a count are those of all counts.
    LinesOfAllCounts: inventory_count_items(counts: InventoryCountId, InventoryCountItemFilter) -> Versioned<InventoryCountItem>, |row: &Versioned<InventoryCountItem>| (row.value.created_at, row.value.id);
    /// M226: the lines of an order are those of all orders.
    LinesOfAllOrders: inventory_order_items(orders: InventoryOrderId, InventoryOrderItemFilter) -> Versioned<InventoryOrderItem>, |row: &Versioned<InventoryOrderItem>| (row.value.line(), row.value.id());
}

defects! {
    /// M227: the lines of a take are those of all takes.
    LinesOfAllTakes { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn stock_take_items(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<StockTakeItemView>> {
            if sort != ArticleSort::default() {
                return self.store.stock_take_items(organisation, take, filter, sort, page).await;
            }
            let list = List::new("stock_take_items", format!("{organisation}/{take}"), filter);
            let mut rows = BTreeMap::new();
            for parent in with(&self.places.takes, take) {
                let all = PageRequest::first(MAX_PAGE);
                let found = self.store.stock_take_items(organisation, parent, filter, sort, &all).await?;
                rows.extend(found.items.into_iter().map(|row| ((row.item.value.line, row.item.value.id), row)));
            }
            paged(&list, page, &rows)
        }
    }

    /// M228: the articles of a site are those of all sites.
    ArticlesOfAllSites { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn articles(&self, organisation: OrganisationId, site: SiteId, filter: &ArticleFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<ArticleView>> {
            if sort.column != ArticleColumn::Line {
                return self.store.articles(organisation, site, filter, sort, page).await;
            }
            let list = List::new("articles", format!("{organisation}/{site}"), filter);
            let mut rows = BTreeMap::new();
            for parent in with(&self.places.sites, site) {
                let all = PageRequest::first(MAX_PAGE);
                let found = self.store.articles(organisation, parent, filter, sort, &all).await?;
                rows.extend(found.items.into_iter().map(|row| (row.level.value.key().clone(), row)));
            }
            paged(&list, page, &rows)
        }
    }

    /// M229: the totals of a take are those of all takes.
    TotalsOfAllTakes { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn stock_take_totals(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter) -> Read<StockTakeTotals> {
            let mut sum = StockTakeTotals::default();
            for parent in with(&self.places.takes, take) {
                let totals = self.store.stock_take_totals(organisation, parent, filter).await?;
                sum.items += totals.items;
                sum.counted += totals.counted;
                sum.adjustment_minor += totals.adjustment_minor;
                sum.versions += totals.versions;
            }
            Ok(sum)
        }
    }

    /// M230: the totals of a count are those of the last count that has lines.
    TotalsOfAnyCount { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn inventory_count_totals(&self, organisation: OrganisationId, count: InventoryCountId) -> Read<CountTotals> {
            let mut found = self.store.inventory_count_totals(organisation, count).await?;
            for parent in with(&self.places.counts, count) {
                let totals = self.store.inventory_count_totals(organisation, parent).await?;
                if totals != CountTotals::default() {
                    found = totals;
                }
            }
            Ok(found)
        }
    }

    /// M231: the totals in a view of a take's lines are those of all takes.
    ViewTotalsOfAllTakes { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let view = self.store.stock_take_view(organisation, take, filter, sort, since, page).await?;
            let mut items = 0;
            for parent in with(&self.places.takes, take) {
                items += self.store.stock_take_totals(organisation, parent, filter).await?.items;
            }
            Ok(view.map(|mut view| {
                if let Some(totals) = &mut view.totals {
                    totals.items = items;
                }
                view
            }))
        }
    }

    /// M232: the ledger of a site by its keys is that of all sites.
    KeysOfAllSites { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn ledger_by_key(&self, organisation: OrganisationId, site: SiteId, after: Option<(StockKey, u64)>, limit: u32) -> Read<Vec<StockEvent>> {
            let mut events = Vec::new();
            for parent in with(&self.places.sites, site) {
                events.extend(self.store.ledger_by_key(organisation, parent, None, MAX_PAGE).await?);
            }
            events.retain(|event| after.as_ref().is_none_or(|after| (&event.key, event.sequence) > (&after.0, after.1)));
            events.truncate(PageRequest::first(limit).bounded_limit());
            Ok(events)
        }
    }

    /// M233: the ledger of a site is that of all sites.
    LedgerOfAllSites { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn ledger(&self, organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Read<Vec<LedgerEntry>> {
            let mut entries = Vec::new();
            for parent in with(&self.places.sites, site) {
                entries.extend(self.store.ledger(organisation, parent, after, MAX_PAGE).await?);
            }
            entries.sort_by_key(|entry| entry.position);
            entries.truncate(PageRequest::first(limit).bounded_limit());
            Ok(entries)
        }
    }

    /// M352: the ledger of a site from its end back is that of all sites.
    LedgerBackOfAllSites { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn ledger_back(&self, organisation: OrganisationId, site: SiteId, before: Option<u64>, limit: u32) -> Read<Vec<LedgerEntry>> {
            let mut entries = Vec::new();
            for parent in with(&self.places.sites, site) {
                entries.extend(self.store.ledger_back(organisation, parent, before, MAX_PAGE).await?);
            }
            entries.sort_by_key(|entry| Reverse(entry.position));
            entries.truncate(PageRequest::first(limit).bounded_limit());
            Ok(entries)
        }
    }

    /// M234: acts of counting a line are those of all takes that have a line of that id.
    EntriesOfAllTakes { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn count_entries(&self, organisation: OrganisationId, take: StockTakeId, item: StockTakeItemId) -> Read<Vec<CountEntry>> {
            let mut entries = Vec::new();
            for parent in with(&self.places.takes, take) {
                entries.extend(self.store.count_entries(organisation, parent, item).await?);
            }
            Ok(entries)
        }
    }

    /// M235: acts of counting a line of a count are those of all counts that have a line of that id.
    EntriesOfAllCounts { places: Places } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.places.note(changes);
            self.store.commit(changes).await
        }

        async fn inventory_count_entries(&self, organisation: OrganisationId, count: InventoryCountId, item: InventoryCountItemId) -> Read<Vec<InventoryCountEntry>> {
            let mut entries = Vec::new();
            for parent in with(&self.places.counts, count) {
                entries.extend(self.store.inventory_count_entries(organisation, parent, item).await?);
            }
            Ok(entries)
        }
    }

    /// M236: jobs that have not ended are those of all kinds.
    UnfinishedOfAllKinds {} => {
        async fn unfinished(&self, organisation: OrganisationId, _: JobKind) -> Read<u64> {
            let mut all = 0;
            for kind in JobKind::ALL {
                all += self.store.unfinished(organisation, *kind).await?;
            }
            Ok(all)
        }
    }
}

/// An argument that is used more than once.
fn again<T: Clone>(argument: &T) -> T {
    argument.clone()
}

/// What is answered when nothing of one's own is found: what another organisation has.
macro_rules! leaks {
    ($(
        $id:literal $name:ident: $method:ident($($argument:ident: $type:ty),*) -> $out:ty;
    )+) => {
        defects! {$(
            #[doc = concat!($id, ": what another organisation has is found, where nothing of one's own is (`", stringify!($method), "`).")]
            $name { tenants: Mutex<BTreeSet<OrganisationId>> } => {
                async fn commit(&self, changes: &ChangeSet) -> Committed {
                    locked(&self.tenants).insert(changes.organisation());
                    self.store.commit(changes).await
                }

                async fn $method(&self, organisation: OrganisationId, $($argument: $type),*) -> Read<$out> {
                    let tenants = locked(&self.tenants).clone();
                    let mut found = self.store.$method(organisation, $(again(&$argument)),*).await?;
                    for other in tenants {
                        if found.is_nothing() {
                            found = self.store.$method(other, $(again(&$argument)),*).await?;
                        }
                    }
                    Ok(found)
                }
            }
        )+}
    };
}

/// Whether an answer says that there is nothing.
trait Nothing {
    fn is_nothing(&self) -> bool;
}

impl<T> Nothing for Option<T> {
    fn is_nothing(&self) -> bool {
        self.is_none()
    }
}

impl<T: Nothing> Nothing for Vec<T> {
    fn is_nothing(&self) -> bool {
        self.iter().all(Nothing::is_nothing)
    }
}

impl Nothing for u64 {
    fn is_nothing(&self) -> bool {
        *self == 0
    }
}

/// Things that are something when they are there.
macro_rules! something {
    ($($type:ty),+) => {$(
        impl Nothing for $type {
            fn is_nothing(&self) -> bool {
                false
            }
        }
    )+};
}

something!(
    Versioned<Arc<Product>>,
    Versioned<SerialMark>,
    StockEvent,
    LedgerEntry,
    CountEntry,
    InventoryCountEntry,
    StockTakeItemId
);

impl<T> Nothing for Page<T> {
    fn is_nothing(&self) -> bool {
        self.items.is_empty() && self.next.is_none()
    }
}

leaks! {
    "M240" LeakySiteByName: site_by_external_id(external_id: &Code) -> Option<Versioned<Site>>;
    "M242" LeakyArticleIds: products_by_article(articles: &[Code]) -> Vec<Option<Versioned<Arc<Product>>>>;
    "M243" LeakyLikeness: articles_like(articles: &[Code]) -> Vec<Option<Code>>;
    "M244" LeakyBarcodes: products_by_barcode(barcodes: &[Code]) -> Vec<Vec<Versioned<Arc<Product>>>>;
    "M245" LeakyCategories: category_sizes(categories: &[CategoryId]) -> Vec<u64>;
    "M248" LeakyMarks: serial_marks(serials: &BTreeSet<Code>, products: &BTreeSet<ProductId>) -> Vec<Versioned<SerialMark>>;
    "M249" LeakyMarksAfter: serial_marks_after(after: Option<(Code, Option<ProductId>)>, limit: u32) -> Vec<Versioned<SerialMark>>;
    "M250" LeakyEventsAfter: events_after(keys: &[(StockKey, u64)]) -> Vec<StockEvent>;
    "M251" LeakyEvents: events(ids: &[StockEventId]) -> Vec<Option<LedgerEntry>>;
    "M252" LeakyLedger: ledger(site: SiteId, after: u64, limit: u32) -> Vec<LedgerEntry>;
    "M353" LeakyLedgerBack: ledger_back(site: SiteId, before: Option<u64>, limit: u32) -> Vec<LedgerEntry>;
    "M253" LeakyLedgerByKey: ledger_by_key(site: SiteId, after: Option<(StockKey, u64)>, limit: u32) -> Vec<StockEvent>;
    "M254" LeakyLevelsPage: levels_page(site: SiteId, filter: &LevelFilter, page: &PageRequest) -> Page<Versioned<StockLevel>>;
    "M255" LeakyArticles: articles(site: SiteId, filter: &ArticleFilter, sort: ArticleSort, page: &PageRequest) -> Page<ArticleView>;
    "M256" LeakyLines: stock_take_items(take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Page<StockTakeItemView>;
    "M257" LeakyView: stock_take_view(take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Option<StockTakeView>;
    "M258" LeakyLineIds: stock_take_item_ids(take: StockTakeId, ids: &[StockTakeItemId]) -> Vec<StockTakeItemId>;
    "M259" LeakyCountingView: counting_view(take: StockTakeId, items: &[StockTakeItemId]) -> Option<CountingView>;
    "M260" LeakyEntries: count_entries(take: StockTakeId, item: StockTakeItemId) -> Vec<CountEntry>;
    "M263" LeakyCounts: inventory_counts(site: SiteId, filter: &InventoryCountFilter, page: &PageRequest) -> Page<Versioned<InventoryCount>>;
    "M265" LeakyCountLines: inventory_count_items(count: InventoryCountId, filter: &InventoryCountItemFilter, page: &PageRequest) -> Page<Versioned<InventoryCountItem>>;
    "M266" LeakyCountEntries: inventory_count_entries(count: InventoryCountId, item: InventoryCountItemId) -> Vec<InventoryCountEntry>;
    "M268" LeakyAdjustments: stock_adjustments(site: SiteId, filter: &StockAdjustmentFilter, page: &PageRequest) -> Page<Versioned<StockAdjustment>>;
    "M270" LeakyOrders: inventory_orders(site: SiteId, filter: &InventoryOrderFilter, page: &PageRequest) -> Page<Versioned<InventoryOrder>>;
    "M272" LeakyOrderLines: inventory_order_items(order: InventoryOrderId, filter: &InventoryOrderItemFilter, page: &PageRequest) -> Page<Versioned<InventoryOrderItem>>;
    "M277" LeakyCommand: command(id: &CommandId) -> Option<Command>;
    "M278" LeakyUnfinished: unfinished(kind: JobKind) -> u64;
    "M279" LeakyOpenJobs: open_jobs(page: &PageRequest) -> Page<Job>;
    "M280" LeakyDeadJobs: dead_jobs(page: &PageRequest) -> Page<Job>;
}

/// Records of a kind that are read by their id alone: where there is none of one's own, what another organisation has is found.
macro_rules! leaky_records {
    ($($id:literal $name:ident: $kind:ident;)+) => {
        defects! {$(
            #[doc = concat!($id, ": a `", stringify!($kind), "` is read by its id alone.")]
            $name { tenants: Mutex<BTreeSet<OrganisationId>> } => {
                async fn commit(&self, changes: &ChangeSet) -> Committed {
                    locked(&self.tenants).insert(changes.organisation());
                    self.store.commit(changes).await
                }

                async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
                    let tenants = locked(&self.tenants).clone();
                    let mut found = self.store.get(organisation, keys).await?;
                    for other in tenants {
                        let theirs = self.store.get(other, keys).await?;
                        for ((key, own), their) in keys.iter().zip(&mut found).zip(theirs) {
                            if own.is_none() && matches!(key, RecordKey::$kind { .. }) {
                                *own = their;
                            }
                        }
                    }
                    Ok(found)
                }
            }
        )+}
    };
}

leaky_records! {
    "M241" LeakyProducts: Product;
    "M246" LeakySupplier: Supplier;
    "M247" LeakyLevels: StockLevel;
    "M261" LeakyCount: InventoryCount;
    "M262" LeakyOpenCount: OpenCount;
    "M264" LeakyCountLine: InventoryCountItem;
    "M267" LeakyAdjustment: StockAdjustment;
    "M269" LeakyOrder: InventoryOrder;
    "M271" LeakyOrderLine: InventoryOrderItem;
    "M273" LeakyImport: StockImport;
    "M274" LeakyImportChunk: ImportChunk;
    "M275" LeakyExport: Export;
    "M276" LeakyExportChunk: ExportChunk;
}
