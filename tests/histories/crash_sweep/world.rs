//! A shop on a store that fails when it is told to.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stocktake::domain::{
    Code, CountEntry, InventoryCount, InventoryOrder, InventoryOrderId, InventoryOrderItem,
    InventoryOrderState, JobId, Quantity, StockAdjustment, StockEvent, StockImport, StockImportId,
    StockLevel, StockTake, StockTakeId, StockTakeItem, StockTakeItemId, StockTakeState, Timestamp,
};
use stocktake::jobs::{Courier, Worker};
use stocktake::service::{Caller, IdSource, InventoryOrders, OrderLetter, Stocktake};
use stocktake::store::{
    ArticleSort, IdempotencyKey, InventoryCountFilter, InventoryOrderFilter,
    InventoryOrderItemFilter, JobQueue as _, JobState, LevelFilter, MAX_PAGE, PageRequest,
    Repository as _, RepositoryExt, StockAdjustmentFilter, StockTakeFilter, StockTakeItemFilter,
    Version, Versioned,
};
use stocktake::testing::{FaultStore, ManualClock, Shop};
use tempfile::TempDir;
use uuid::Uuid;

use super::super::Store;
use super::poll::done;
use crate::stores::{Again, Fresh as _};

pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Ids that count on from a number: the same in every run.
#[derive(Debug)]
pub(super) struct Ids(AtomicU64);

/// The first id.
pub(super) const FIRST_ID: u64 = 1 << 32;

impl IdSource for Ids {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

/// A shop on a store that fails when it is told to.
pub(super) struct World {
    pub(super) store: FaultStore<Store>,
    ids: Arc<Ids>,
    pub(super) shop: Shop,
    pub(super) post: Arc<Post>,
    /// What the command is about, where asking for it again has to mean the same.
    pub(super) meant: OnceCell<Uuid>,
    /// The exports that were asked for: no list tells them.
    exports: RefCell<Vec<JobId>>,
    /// What was there when it was kept.
    known: Known,
    /// What the store is in.
    _folder: Option<TempDir>,
}

/// What no list tells, and its id does.
#[derive(Clone, Default)]
struct Known {
    jobs: Vec<JobId>,
    imports: Vec<StockImportId>,
    /// How many ids were given before.
    ids: u64,
}

/// A world up to a command, to be had again and again: cheaper than doing it all again. What was read there is not
/// known again.
pub(super) struct Kept {
    store: <Store as Again>::Kept,
    now: Timestamp,
    known: Known,
    exports: Vec<JobId>,
    sent: BTreeSet<String>,
}

/// Who brings the orders away.
#[derive(Debug, Default)]
pub(super) struct Post {
    /// What was sent, at least once.
    pub(super) sent: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Courier for Post {
    async fn send_order(
        &self,
        letter: &OrderLetter,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (order, lines) = (&letter.order, letter.items.len());
        let number = order.submissions();
        self.sent
            .lock()
            .unwrap()
            .insert(format!("letter {number} of {lines} lines"));
        Ok(())
    }
}

impl World {
    fn on((store, folder): (Store, Option<TempDir>), known: Known) -> Self {
        let store = FaultStore::new(store);
        let (clock, ids) = (
            Arc::new(ManualClock::default()),
            Arc::new(Ids((FIRST_ID + known.ids).into())),
        );
        let stores = Arc::new(store.clone());
        let stocktake = Stocktake::with(stores.clone(), stores, clock.clone(), ids.clone());
        let shop = Shop::with(stocktake, clock);
        Self {
            store,
            ids,
            shop,
            post: Arc::default(),
            meant: OnceCell::new(),
            exports: RefCell::default(),
            known,
            _folder: folder,
        }
    }

    pub(super) fn new() -> Self {
        Self::on(Store::fresh(), Known::default())
    }

    /// With the catalogue and forty of each product.
    pub(super) fn open() -> Self {
        let world = Self::new();
        done(world.shop.open()).unwrap();
        world
    }

    pub(super) fn kept(&self) -> Kept {
        Kept {
            store: self.inner().kept(),
            now: self.shop.now(),
            known: Known {
                jobs: self.job_ids(),
                imports: self.imports().iter().map(StockImport::id).collect(),
                ids: self.ids.0.load(Ordering::SeqCst) - FIRST_ID,
            },
            exports: self.exports.borrow().clone(),
            sent: self.post.sent.lock().unwrap().clone(),
        }
    }

    pub(super) fn again(kept: &Kept) -> Self {
        let world = Self::on(Store::again(&kept.store), kept.known.clone());
        world.shop.clock.set(kept.now);
        world.exports.replace(kept.exports.clone());
        world.post.sent.lock().unwrap().clone_from(&kept.sent);
        world
    }

    pub(super) fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    /// The manager with the key of the command that is tested.
    pub(super) fn keyed(&self) -> Caller {
        self.manager().with_key(key("the-command"))
    }

    pub(super) fn inner(&self) -> &Store {
        self.store.inner()
    }

    pub(super) fn takes(&self) -> Vec<StockTake> {
        let states = StockTakeState::ALL.iter().copied().collect();
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let (filter, page) = (StockTakeFilter { states }, PageRequest::first(MAX_PAGE));
        let takes = done(self.inner().stock_takes(organisation, site, &filter, &page)).unwrap();
        takes.items.into_iter().map(|take| take.value).collect()
    }

    /// The first take.
    pub(super) fn take(&self) -> StockTakeId {
        self.takes()[0].id()
    }

    pub(super) fn item(&self, number: usize) -> StockTakeItemId {
        StockTakeItemId::for_key(self.take(), &self.shop.key(number))
    }

    pub(super) fn lines(&self, take: StockTakeId) -> Vec<Versioned<StockTakeItem>> {
        let filter = StockTakeItemFilter::default();
        let page = PageRequest::first(MAX_PAGE);
        let (organisation, sort) = (self.shop.site.organisation, ArticleSort::default());
        let lines = self
            .inner()
            .stock_take_items(organisation, take, &filter, sort, &page);
        let lines = done(lines).unwrap().items;
        lines
            .into_iter()
            .map(|line| Versioned {
                version: line.item.version,
                value: Arc::unwrap_or_clone(line.item.value),
            })
            .collect()
    }

    pub(super) fn levels(&self) -> Vec<StockLevel> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let filter = LevelFilter {
            with_delisted: true,
            ..LevelFilter::default()
        };
        let page = PageRequest::first(MAX_PAGE);
        let levels = done(self.inner().levels_page(organisation, site, &filter, &page)).unwrap();
        levels.items.into_iter().map(|level| level.value).collect()
    }

    pub(super) fn ledger(&self) -> Vec<StockEvent> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let entries = done(self.inner().ledger(organisation, site, 0, u32::MAX)).unwrap();
        entries.into_iter().map(|entry| entry.event).collect()
    }

    /// Every act of counting a line; each has written the line.
    pub(super) fn entries(&self, item: &Versioned<StockTakeItem>) -> Vec<CountEntry> {
        if item.version == Version::FIRST {
            return Vec::new();
        }
        let item = &item.value;
        let organisation = self.shop.site.organisation;
        done(self.inner().count_entries(organisation, item.take, item.id)).unwrap()
    }

    /// The ids that were given since the world was made, or had again.
    fn new_ids(&self) -> impl Iterator<Item = Uuid> {
        let ids = FIRST_ID + self.known.ids..self.ids.0.load(Ordering::SeqCst);
        ids.map(|id| Uuid::from_u128(id.into()))
    }

    pub(super) fn imports(&self) -> Vec<StockImport> {
        let organisation = self.shop.site.organisation;
        let new = self.new_ids().map(StockImportId::new);
        let ids = self.known.imports.iter().copied().chain(new);
        ids.filter_map(|id| done(self.inner().stock_import(organisation, id)).unwrap())
            .map(|import| import.value)
            .collect()
    }

    /// Every job there is: its id is among those that were given, or follows from what it is of.
    fn job_ids(&self) -> Vec<JobId> {
        let organisation = self.shop.site.organisation;
        let letters = self.orders();
        let letters = letters.iter().filter_map(InventoryOrders::sending_job);
        let imports = self.imports();
        let imports = imports
            .iter()
            .map(|import| JobId::new(Uuid::new_v5(&import.id().as_uuid(), b"job")));
        let ids: BTreeSet<JobId> = (self.known.jobs.iter().copied())
            .chain(self.exports.borrow().iter().copied())
            .chain(letters)
            .chain(imports)
            .chain(self.new_ids().map(JobId::new))
            .collect();
        let there = |id: &JobId| done(self.inner().job(organisation, *id)).unwrap().is_some();
        ids.into_iter().filter(there).collect()
    }

    pub(super) fn jobs(&self) -> Vec<JobState> {
        let organisation = self.shop.site.organisation;
        let ids = self.job_ids().into_iter();
        ids.filter_map(|id| done(self.inner().job(organisation, id)).unwrap())
            .map(|job| job.state)
            .collect()
    }

    /// Remembers an export.
    pub(super) fn exported(&self, job: JobId) -> String {
        self.exports.borrow_mut().push(job);
        format!("{job:?}")
    }

    pub(super) fn last_export(&self) -> JobId {
        *self.exports.borrow().last().unwrap()
    }

    /// The files of the exports.
    pub(super) fn files(&self) -> Vec<String> {
        let jobs: BTreeSet<JobId> = self.exports.borrow().iter().copied().collect();
        let exports = self.shop.stocktake.exports();
        let manager = self.manager();
        let files = jobs
            .into_iter()
            .map(|job| done(exports.file(&manager, job)).unwrap().bytes)
            .map(|bytes| bytes.as_deref().map(shown));
        files.map(|file| format!("{file:?}")).collect()
    }

    pub(super) fn counts(&self) -> Vec<InventoryCount> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let (filter, page) = (
            InventoryCountFilter::default(),
            PageRequest::first(MAX_PAGE),
        );
        let counts = self
            .inner()
            .inventory_counts(organisation, site, &filter, &page);
        let counts = done(counts).unwrap().items;
        counts.into_iter().map(|count| count.value).collect()
    }

    pub(super) fn adjustments(&self) -> Vec<StockAdjustment> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let (filter, page) = (
            StockAdjustmentFilter::default(),
            PageRequest::first(MAX_PAGE),
        );
        let adjustments = self
            .inner()
            .stock_adjustments(organisation, site, &filter, &page);
        let adjustments = done(adjustments).unwrap().items;
        adjustments.into_iter().map(|it| it.value).collect()
    }

    pub(super) fn orders(&self) -> Vec<InventoryOrder> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let states = InventoryOrderState::ALL.iter().copied().collect();
        let filter = InventoryOrderFilter {
            states,
            ..InventoryOrderFilter::default()
        };
        let page = PageRequest::first(MAX_PAGE);
        let orders = self
            .inner()
            .inventory_orders(organisation, site, &filter, &page);
        let orders = done(orders).unwrap().items;
        orders.into_iter().map(|order| order.value).collect()
    }

    pub(super) fn order_lines(&self, order: InventoryOrderId) -> Vec<InventoryOrderItem> {
        let organisation = self.shop.site.organisation;
        let (filter, page) = (
            InventoryOrderItemFilter::default(),
            PageRequest::first(MAX_PAGE),
        );
        let lines = self
            .inner()
            .inventory_order_items(organisation, order, &filter, &page);
        let lines = done(lines).unwrap().items;
        lines.into_iter().map(|line| line.value).collect()
    }

    /// Whoever does the jobs.
    pub(super) fn worker(&self, name: &str) -> Worker {
        Worker::new(&self.shop.stocktake, name).with_courier(self.post.clone())
    }

    /// Lets every lease and every wait pass, and does what is due, until nothing is.
    pub(super) fn drain(&self) {
        let mut idle = 0;
        for _ in 0..50 {
            self.shop.clock.advance_seconds(2 * 60 * 60);
            let ran = done(self.worker("later").run_all_due()).unwrap();
            idle = if ran == 0 { idle + 1 } else { 0 };
            if idle == 2 {
                return;
            }
        }
        panic!("jobs go on for ever");
    }
}

/// What stands in a file: a workbook also says when it was made.
fn shown(bytes: &[u8]) -> String {
    #[cfg(feature = "xlsx")]
    if bytes.starts_with(b"PK") {
        use calamine::Reader as _;
        let mut book: calamine::Xlsx<_> =
            calamine::open_workbook_from_rs(std::io::Cursor::new(bytes)).unwrap();
        let cells = book.worksheet_range_at(0).unwrap().unwrap();
        return format!("{:?}", cells.rows().collect::<Vec<_>>());
    }
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

pub(super) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(super) fn code(text: &str) -> Code {
    text.parse().unwrap()
}

pub(super) fn text(something: &impl Debug) -> String {
    format!("{something:?}")
}

/// What a take tells of itself, without ids and times.
pub(super) fn told_of(take: &StockTake) -> String {
    let details = take.details();
    format!("{} {:?} {:?}", details.title(), take.state(), take.result())
}

/// Something as text, without the ids that come from the id source or follow from one, and without times: a command
/// that was asked for again has other ones.
pub(super) fn known(something: &impl Debug) -> String {
    plain(&format!("{something:?}"))
}

pub(super) fn plain(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '_');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let end = end.max(first.len_utf8() * usize::from(!is_part(first)));
        let (word, after) = rest.split_at(end);
        shown.push_str(match Uuid::parse_str(word) {
            Ok(id) if id.as_u128() >> 96 == 0 || id.as_u128() >> 100 > 0 => "an id",
            Err(_) if is_time(word) => "then",
            Ok(_) | Err(_) => word,
        });
        rest = after;
    }
    shown
}

fn is_time(word: &str) -> bool {
    word.len() >= 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T'
}
