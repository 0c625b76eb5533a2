//! The use cases: load, authorise, decide, commit, and again when somebody else was faster.
//!
//! [`Stocktake`] is the one object that an application keeps. Its parts are grouped by what they work on:
//! [`catalogue`](Stocktake::catalogue), [`stock`](Stocktake::stock),
//! [`stock_takes`](Stocktake::stock_takes). Every call names its [`Caller`]; every failure is an [`Error`]
//! with a [`kind`](Error::kind) that maps onto HTTP and a stable [`code`](Error::code).
//!
//! The order of checks is fixed: who asks, then whether the object exists for the asker, then whether the
//! role may do it, then the request itself, then the state.

pub mod access;
mod article_name;
mod call;
mod caller;
mod catalogue;
mod clock;
mod each_row;
mod edit;
mod error;
mod export_lines;
#[cfg(feature = "xlsx")]
mod export_workbook;
mod export_writing;
mod exports;
mod findings;
mod found_stock;
mod housekeeping;
mod inventory_count_completing;
mod inventory_count_items;
mod inventory_count_posting;
mod inventory_counts;
mod inventory_order_items;
mod inventory_order_receiving;
mod inventory_orders;
mod job_files;
mod key_history;
mod look_ahead;
mod movement;
mod movement_batch;
mod order_letter;
mod order_sending;
mod pace;
#[cfg(feature = "xlsx")]
mod packing;
mod people;
#[cfg(feature = "pdf")]
mod print_writing;
#[cfg(feature = "pdf")]
mod printing;
mod queued_jobs;
mod rebuilding;
mod replay;
mod serial_marks;
mod site_costs;
mod stock;
mod stock_adjustments;
mod stock_import_applying;
mod stock_imports;
mod stock_key_lookup;
mod stock_take_articles;
mod stock_take_chunks;
mod stock_take_counting;
mod stock_take_items;
mod stock_take_lines;
mod stock_take_populating;
mod stock_take_posting;
mod stock_take_reopening;
mod stock_takes;
mod variance_reports;
mod verification;
mod verification_documents;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::domain::{OrganisationId, Site, SiteId, Stamp};
use crate::store::{FileStore, JobQueue, Repository, RepositoryExt, Versioned};

pub use article_name::ArticleName;
pub use caller::Caller;
pub use catalogue::Catalogue;
pub use clock::{Clock, IdSource, SystemClock, TimeOrderedIds};
pub use edit::Edit;
pub use error::{Error, ErrorKind, FieldError, NamedKey};
pub(crate) use export_writing::ExportWork;
pub use exports::{ExportFile, ExportLimits, ExportStatus, Exports};
pub use findings::{DIFFERENCES_TOLD, Difference, Mended, Rebuild, Verification};
pub use found_stock::{FoundProduct, FoundStock};
pub use housekeeping::{Retention, ThrownAway};
pub use inventory_count_items::NewCountItem;
pub use inventory_counts::{CountingSummary, InventoryCountSummary, InventoryCounts};
pub use inventory_order_items::{NewOrderItem, OrderItemUpdate};
pub use inventory_order_receiving::{ReceiptLine, ReceiveRequest};
pub use inventory_orders::{
    InventoryOrderAmendment, InventoryOrderUpdate, InventoryOrders, NewInventoryOrder,
};
pub use movement::{Movement, NewMovement};
pub use order_letter::OrderLetter;
pub(crate) use order_sending::NO_ADDRESS;
pub use order_sending::OrderSending;
pub(crate) use pace::Pace;
pub use people::People;
#[cfg(feature = "pdf")]
pub use printing::{PrintPolicy, Printed, PrintedFile, Printing};

pub use stock::Stock;
pub use stock_adjustments::{NewStockAdjustment, StockAdjustments};
pub use stock_imports::{ImportStarted, StockImports};
pub use stock_key_lookup::{StockChoice, StockName};
pub use stock_take_articles::{FoundArticle, FoundArticles};
pub use stock_take_counting::{CountRequest, InventoryRequest};
pub use stock_takes::{
    NewStockTake, NewStockTakeList, StockTakeAmendment, StockTakeSummary, StockTakes,
};

/// How many lines one commit of a long operation works on.
pub(crate) const CHUNK: u32 = 1_000;

/// The library, over one store.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use stocktake::memory::MemoryStore;
/// use stocktake::service::Stocktake;
///
/// let stocktake = Stocktake::new(Arc::new(MemoryStore::new()));
/// # let _ = stocktake;
/// ```
#[derive(Clone, Debug)]
pub struct Stocktake {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) export_limits: ExportLimits,
    pub(crate) files: Option<Arc<dyn FileStore>>,
    people: Option<Arc<dyn People>>,
    #[cfg(feature = "pdf")]
    pub(crate) print_policy: PrintPolicy,
}

impl Stocktake {
    /// The library over a store that is both repository and queue, with the system's clock.
    pub fn new<S: Repository + JobQueue>(store: Arc<S>) -> Self {
        Self::with(
            store.clone(),
            store,
            Arc::new(SystemClock),
            Arc::new(TimeOrderedIds),
        )
    }

    /// The library with everything of the host's choice.
    pub fn with(
        repository: Arc<dyn Repository>,
        queue: Arc<dyn JobQueue>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self {
            repository,
            queue,
            clock,
            ids,
            export_limits: ExportLimits::default(),
            files: None,
            people: None,
            #[cfg(feature = "pdf")]
            print_policy: PrintPolicy::default(),
        }
    }

    /// The same library with other limits of exports: as many lines and as many at a time as usual, or fewer.
    #[must_use]
    pub fn with_export_limits(mut self, limits: ExportLimits) -> Self {
        self.export_limits = limits.within_bounds();
        self
    }

    /// Sites, products and suppliers.
    pub const fn catalogue(&self) -> Catalogue<'_> {
        Catalogue::of(self)
    }

    /// Levels, movements and the ledger.
    pub const fn stock(&self) -> Stock<'_> {
        Stock::of(self)
    }

    /// Stock takes (S1) and stocktake lists (S4): one thing, two documents.
    pub const fn stock_takes(&self) -> StockTakes<'_> {
        StockTakes::of(self)
    }

    /// Inventory counts (S2.1 to S2.7).
    pub const fn inventory_counts(&self) -> InventoryCounts<'_> {
        InventoryCounts::of(self)
    }

    /// Stock adjustments (S2.8 to S2.10).
    pub const fn stock_adjustments(&self) -> StockAdjustments<'_> {
        StockAdjustments::of(self)
    }

    /// Inventory orders (S3).
    pub const fn inventory_orders(&self) -> InventoryOrders<'_> {
        InventoryOrders::of(self)
    }

    /// Stock imports (S5).
    pub const fn stock_imports(&self) -> StockImports<'_> {
        StockImports::of(self)
    }

    /// Exports (S1.12, S3.7).
    pub const fn exports(&self) -> Exports<'_> {
        Exports::of(self)
    }

    /// A site that the actor can see.
    pub(crate) async fn visible_site(
        &self,
        stamp: &Stamp,
        id: SiteId,
    ) -> Result<Versioned<Site>, Error> {
        if !stamp.actor.sees(id) {
            return Err(Error::not_found("site"));
        }
        self.site(stamp.actor.organisation, id).await
    }

    /// A site, whoever asks.
    pub(crate) async fn site(
        &self,
        organisation: OrganisationId,
        id: SiteId,
    ) -> Result<Versioned<Site>, Error> {
        let site = self.repository.site(organisation, id).await?;
        site.ok_or(Error::not_found("site"))
    }
}

/// A call of the library's that is under way: what it comes to, when it is awaited. Nothing happens before that.
///
/// It is made here, in the library, and boxed: a program that awaits it does not compile the work behind it once more.
pub type Pending<'c, T, E = Error> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;
