//! Reading and writing: the contract of a store.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    ArticleFilter, ArticleSort, ChangeSet, ChangeToken, Command, CommandId, CommitError,
    InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter, InventoryOrderItemFilter,
    LevelFilter, Outcome, Page, PageRequest, Record, RecordKey, SerialMark, StockAdjustmentFilter,
    StockTakeFilter, StockTakeItemFilter, StoreError, Versioned,
};
use crate::domain::{
    CategoryId, Code, CountEntry, CountTotals, InventoryCount, InventoryCountEntry,
    InventoryCountId, InventoryCountItem, InventoryCountItemId, InventoryOrder, InventoryOrderId,
    InventoryOrderItem, LedgerEntry, OrganisationId, Product, ProductId, Quantity, Site, SiteId,
    StockAdjustment, StockEvent, StockEventId, StockKey, StockLevel, StockTake, StockTakeId,
    StockTakeItem, StockTakeItemId, Timestamp,
};

/// A store of records and of the ledger.
///
/// The clauses are in the [room's documentation](crate::store); every method also keeps R4 (one read is one
/// committed snapshot), R5 (what was committed is seen at once, through every handle), R6 (rows of another
/// organisation do not exist) and R14 (dropping the future is safe at any moment). Absent is `Ok(None)` or a
/// row less, `Err` is the store's failure only.
///
/// No method has a default: a default that carries a guarantee is a hole.
#[async_trait]
pub trait Repository: Debug + Send + Sync + 'static {
    /// Records by their keys: one answer for each, in their order; one that is asked for twice is told twice. A level is told
    /// also when it is delisted, a document also when it is removed. [`RepositoryExt`](super::RepositoryExt) has this for
    /// each kind.
    async fn get(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned<Record>>>, StoreError>;

    /// The site with an external id.
    async fn site_by_external_id(
        &self,
        organisation: OrganisationId,
        external_id: &Code,
    ) -> Result<Option<Versioned<Site>>, StoreError>;

    /// Products by article id: one answer for each, in their order.
    async fn products_by_article(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError>;

    /// Article ids of products that are spelled like these, but not the same: they differ by case, width or another form of
    /// the same letters ([`Code::likeness`]). One answer for each, in their order; of several the first in the order of
    /// codes. A catalogue may be large, and an import asks for a thousand at once: look them up by their likeness.
    async fn articles_like(
        &self,
        organisation: OrganisationId,
        articles: &[Code],
    ) -> Result<Vec<Option<Code>>, StoreError>;

    /// Products by barcode: for each, those that have it, by id. Several products may share one.
    async fn products_by_barcode(
        &self,
        organisation: OrganisationId,
        barcodes: &[Code],
    ) -> Result<Vec<Vec<Versioned<Arc<Product>>>>, StoreError>;

    /// The ids of all products in their order: those after one, or from the first on; at most so many, cut to 1 and
    /// [`MAX_PAGE`](super::MAX_PAGE) as the limit of a page is. It is how an audit finds products that nothing is on stock of.
    async fn product_ids_after(
        &self,
        organisation: OrganisationId,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductId>, StoreError>;

    /// How many products are of each category, in the order of these.
    async fn category_sizes(
        &self,
        organisation: OrganisationId,
        categories: &[CategoryId],
    ) -> Result<Vec<u64>, StoreError>;

    /// The marks of serial numbers that are on hand: those of some products (of any, if none is named), and those that
    /// hold for all products. One for each mark that is there, in the order of numbers; of one number, that of all
    /// products first.
    async fn serial_marks(
        &self,
        organisation: OrganisationId,
        serials: &BTreeSet<Code>,
        products: &BTreeSet<ProductId>,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError>;

    /// All marks of serial numbers, in the order of numbers and, of one number, of products, that of all products first:
    /// those after one, or from the first on; at most so many, cut to 1 and [`MAX_PAGE`](super::MAX_PAGE) as the limit of a
    /// page is. It is how an audit finds marks of which no level tells.
    async fn serial_marks_after(
        &self,
        organisation: OrganisationId,
        after: Option<(Code, Option<ProductId>)>,
        limit: u32,
    ) -> Result<Vec<Versioned<SerialMark>>, StoreError>;

    /// A site's levels in the order of their keys.
    async fn levels_page(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &LevelFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockLevel>>, StoreError>;

    /// A site's stocked articles, a row for each stocked key whose product is known (S4.11).
    async fn articles(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &ArticleFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<ArticleView>, StoreError>;

    /// The token of now: what was committed until it is given is before it, and so is not told to who asks with it, unless
    /// told again. Ask for it before what it is to go with is read, not after.
    ///
    /// # Contract
    ///
    /// R19.
    async fn change_token(&self, organisation: OrganisationId) -> Result<ChangeToken, StoreError>;

    /// The events of some keys, each after a sequence, ordered by key and sequence. Of a key that is asked for
    /// twice, those after the lower sequence, once.
    async fn events_after(
        &self,
        organisation: OrganisationId,
        keys: &[(StockKey, u64)],
    ) -> Result<Vec<StockEvent>, StoreError>;

    /// Events by id: one answer for each, in their order.
    async fn events(
        &self,
        organisation: OrganisationId,
        ids: &[StockEventId],
    ) -> Result<Vec<Option<LedgerEntry>>, StoreError>;

    /// The ledger of a site after a position, in the order of positions: at most so many entries, cut to 1 and
    /// [`MAX_PAGE`](super::MAX_PAGE) as the limit of a page is.
    ///
    /// # Contract
    ///
    /// R10: who has seen a position never later finds a smaller one.
    async fn ledger(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError>;

    /// The [`ledger`](Self::ledger) from its end back: the entries before a position, or the last ones, the newest first; at most
    /// so many, cut as there.
    async fn ledger_back(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreError>;

    /// The events of a site in the order of their keys and, of a key, of their sequences: those after an event's key and
    /// sequence, or all; at most so many, cut to 1 and [`MAX_PAGE`](super::MAX_PAGE) as the limit of a page is. It is the
    /// [`ledger`](Self::ledger) as an audit reads it, key by key.
    async fn ledger_by_key(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: Option<(StockKey, u64)>,
        limit: u32,
    ) -> Result<Vec<StockEvent>, StoreError>;

    /// What the store keeps beside some records, for lists, totals and positions, and that does not follow from them:
    /// what of these records is unlike what is kept of it. A site stands also for the end of its ledger, a take or a count
    /// for the totals of its lines, a site or a product for its unique name, a product also for what else it is found by (its
    /// barcodes and its category); a record that is not there is like itself.
    ///
    /// # Contract
    ///
    /// R21.
    async fn unlike(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Unlike>, StoreError>;

    /// What the store keeps beside the events of a site, and that does not follow from them, in the order of positions: of
    /// the events after a position, at most so many of them (cut as [`ledger`](Self::ledger) cuts it). Nothing mends it,
    /// because events are never changed.
    ///
    /// # Contract
    ///
    /// R21.
    async fn unlike_events(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<UnlikeEvent>, StoreError>;

    /// Makes what is kept beside some records follow from them again, and tells what it changed: what
    /// [`unlike`](Self::unlike) would have told. Records, versions and events stay as they are. Totals are those of what is
    /// kept of the lines, so lines are to be mended before their document.
    ///
    /// # Contract
    ///
    /// R22.
    async fn mend(
        &self,
        organisation: OrganisationId,
        keys: &[RecordKey],
    ) -> Result<Vec<Unlike>, StoreError>;

    /// A site's stock takes, the oldest first.
    async fn stock_takes(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockTake>>, StoreError>;

    /// The lines of a take, with what is on hand now.
    async fn stock_take_items(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        page: &PageRequest,
    ) -> Result<Page<StockTakeItemView>, StoreError>;

    /// The totals of a take's lines.
    ///
    /// # Contract
    ///
    /// R11: the totals of the lines that [`stock_take_items`](Self::stock_take_items) would give for the same
    /// filter. Without a filter, or by status only, they cost the same for a large take and a small one.
    async fn stock_take_totals(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
    ) -> Result<StockTakeTotals, StoreError>;

    /// A take and a page of its lines, with their totals when the page is to be counted, all of one snapshot: what an
    /// answer needs whose parts must agree. Given a token, only the lines that have changed since it was given out.
    /// Nothing of a take that is not there.
    ///
    /// # Contract
    ///
    /// R19: no line that a commit changed after the token is left out. R11: the totals are those of exactly the lines
    /// that are listed; without a token, and without a filter or by status only, they cost the same for a large take and
    /// a small one.
    async fn stock_take_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        since: Option<ChangeToken>,
        page: &PageRequest,
    ) -> Result<Option<StockTakeView>, StoreError>;

    /// Which of these lines a take has, in the order in which they are asked for; one that is asked for twice is
    /// told twice.
    async fn stock_take_item_ids(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        ids: &[StockTakeItemId],
    ) -> Result<Vec<StockTakeItemId>, StoreError>;

    /// What counting lines needs to know: the take, and for each id, in their order, the line with its level, if
    /// the take has it; all in one snapshot. Nothing of a take that is not there; of no ids, the take alone. One that
    /// is asked for twice is told twice.
    async fn counting_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        items: &[StockTakeItemId],
    ) -> Result<Option<CountingView>, StoreError>;

    /// Every act of counting a line, in the order in which they were committed; none of a line that is not known.
    /// They stay when the line is deleted.
    async fn count_entries(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Vec<CountEntry>, StoreError>;

    /// A site's inventory counts, the oldest first.
    async fn inventory_counts(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryCountFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCount>>, StoreError>;

    /// The lines of an inventory count, those counted first first.
    async fn inventory_count_items(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        filter: &InventoryCountItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryCountItem>>, StoreError>;

    /// The totals of all lines of an inventory count (R11).
    async fn inventory_count_totals(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
    ) -> Result<CountTotals, StoreError>;

    /// Every act of counting a line of an inventory count, in the order in which they were committed; none of a
    /// line that is not known.
    async fn inventory_count_entries(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Result<Vec<InventoryCountEntry>, StoreError>;

    /// A site's stock adjustments, the oldest first.
    async fn stock_adjustments(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockAdjustmentFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<StockAdjustment>>, StoreError>;

    /// A site's inventory orders, the oldest first.
    async fn inventory_orders(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryOrderFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrder>>, StoreError>;

    /// The lines of an inventory order in their order.
    async fn inventory_order_items(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        page: &PageRequest,
    ) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError>;

    /// What is remembered of a command that was applied; one that was settled as never applied is not known.
    async fn command(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
    ) -> Result<Option<Command>, StoreError>;

    /// The only write.
    ///
    /// # Contract
    ///
    /// R1 (all or nothing), R2 (every expectation is evaluated at the commit), R3 (versions), R7 (the ledger's
    /// keys), R8 (epoch guards), R10 (positions), R12 (idempotency), R13 (unknown outcomes), R15 (size).
    ///
    /// # Cancel safety
    ///
    /// Dropped at any moment, the change set is applied or not, whole either way.
    ///
    /// # Errors
    ///
    /// [`CommitError`]; only [`CommitError::OutcomeUnknown`] leaves open whether it was applied.
    async fn commit(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError>;

    /// Settles whether a command was applied: what it resulted in, or `None` for never, and then it never
    /// will be.
    ///
    /// # Contract
    ///
    /// R13: contends with a commit that is still in flight.
    async fn settle(
        &self,
        organisation: OrganisationId,
        id: &CommandId,
        at: Timestamp,
    ) -> Result<Option<Outcome>, StoreError>;

    /// Forgets what is kept for a time only, as far as its time was before a moment (not at it): at most so many rows (cut
    /// to 1 and [`MAX_PAGE`](super::MAX_PAGE)), any of them. Tells how many; fewer than the limit are the last ones.
    /// [`Purge`] says what there is, and what its time is.
    ///
    /// # Contract
    ///
    /// R20.
    async fn purge(
        &self,
        organisation: OrganisationId,
        what: Purge,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// The organisations that have a site, in the order of their ids, after one: at most so many (cut to 1 and
    /// [`MAX_PAGE`](super::MAX_PAGE)). It is for what a host does for all of them, such as purging; nobody who acts for one
    /// organisation gets to it.
    async fn organisations(
        &self,
        after: Option<OrganisationId>,
        limit: u32,
    ) -> Result<Vec<OrganisationId>, StoreError>;
}

/// What is kept for a time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purge {
    /// Commands, by when they were handled. What was settled as never applied is forgotten and counted as well: from then on
    /// a commit that is still on its way could land (R13), so the host keeps commands longer than any commit can take.
    /// Seven days is usual.
    Commands,
    /// Exports and the parts of their files, by when they expire. A part is a row of its own; an export goes after its
    /// parts.
    Exports,
}

impl Purge {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Commands, Self::Exports];
}

/// Something that a store keeps beside a record, and that does not follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlike {
    /// The record.
    pub record: RecordKey,
    /// What is unlike it, as the store calls it: a column, `totals`, `ledger`, `name`.
    pub what: &'static str,
    /// What is kept, for people to read.
    pub kept: String,
    /// What should be, for people to read.
    pub due: String,
}

/// Something that a store keeps beside an event, and that does not follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlikeEvent {
    /// The position of the event in the ledger of its site.
    pub position: u64,
    /// What is unlike it, as the store calls it: a column.
    pub what: &'static str,
    /// What is kept, for people to read.
    pub kept: String,
    /// What should be, for people to read.
    pub due: String,
}

/// How a commit went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It was applied now.
    Applied,
    /// The same command had been applied before: its outcome then. Nothing was applied now.
    AlreadyApplied(Outcome),
}

/// A line and the level behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockTakeItemView {
    /// The line.
    pub item: Versioned<Arc<StockTakeItem>>,
    /// What is on hand now; nothing for a key that is not stocked.
    pub on_hand: Option<Quantity>,
    /// What of it is reserved.
    pub reserved: Option<Quantity>,
}

/// A take and a page of its lines, of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockTakeView {
    /// The take.
    pub take: Versioned<Arc<StockTake>>,
    /// The page.
    pub items: Page<StockTakeItemView>,
    /// The totals of all lines that are listed, if the page was to be counted.
    pub totals: Option<StockTakeTotals>,
    /// What to ask with next for what changes after this.
    pub next: ChangeToken,
}

/// What counting lines needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountingView {
    /// The take.
    pub take: Versioned<Arc<StockTake>>,
    /// One answer for each line that was asked for, in their order.
    pub lines: Vec<Option<CountedLine>>,
}

/// A line to be counted, and the level behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedLine {
    /// The line.
    pub item: Versioned<Arc<StockTakeItem>>,
    /// The level of its key, if anything ever happened to it.
    pub level: Option<Versioned<Arc<StockLevel>>>,
}

impl CountingView {
    /// The take and the line of a view of one line; `None` if the take does not have it.
    pub fn into_line(self) -> Option<(Versioned<Arc<StockTake>>, CountedLine)> {
        let line = self.lines.into_iter().next().flatten()?;
        Some((self.take, line))
    }
}

/// The totals of a list of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockTakeTotals {
    /// Lines.
    pub items: u64,
    /// Of these, counted.
    pub counted: u64,
    /// The sum of the lines' adjustments, each rounded to the minor unit.
    pub adjustment_minor: i128,
    /// The sum of the lines' versions: with the number of lines and the take's last line it tells whether any
    /// line has changed.
    pub versions: u64,
}

impl StockTakeTotals {
    /// Lines that are not counted.
    pub const fn uncounted(&self) -> u64 {
        self.items.saturating_sub(self.counted)
    }
}

/// A stocked key and its product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArticleView {
    /// The level.
    pub level: Versioned<Arc<StockLevel>>,
    /// The product as it is now.
    pub product: Arc<Product>,
}
