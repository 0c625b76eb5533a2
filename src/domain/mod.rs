//! The rules, pure: no clock, no id source, no storage, nothing asynchronous.
//!
//! Values check themselves when they are made; the state machines ([`StockTake`] and the others) have one
//! table each of what leads where; [`StockLevel`] turns a [`Change`] into ledger events; [`settle`] is the
//! rule for stock that moves while it is counted.

mod actor;
mod approval;
mod catalogue;
mod counting;
mod currency;
mod email_address;
mod fixed;
mod id;
mod inventory_count;
mod inventory_count_item;
mod inventory_order;
mod inventory_order_item;
mod knowledge;
mod level_replay;
mod money;
mod name_part;
mod quantity;
mod revaluation;
mod reversal;
mod stamp;
mod stock_adjustment;
mod stock_event;
mod stock_import;
mod stock_key;
mod stock_level;
mod stock_take;
mod stock_take_item;
mod stock_take_run;
mod symbology;
mod text;
mod timestamp;
mod transition;
mod unit_cost;
mod valuation;
mod value;
mod value_sum;
mod variance;

pub use actor::{Actor, Role, SiteAccess, UserSummary};
pub use approval::{ApprovalPolicy, DailyLimit, Tolerance, Unapproved};
pub use catalogue::{
    Barcode, CostingMethod, Named, Price, Product, SerialScope, Site, SitePolicy, Supplier,
    Tracking, Unit, UnitCosts,
};
pub use counting::{
    Beginning, CountMoment, CountPeriod, KeyHistory, Move, MovementPolicy, Now, Settlement, settle,
    settle_uncounted,
};
pub use currency::{Currency, UnknownCurrency};
pub use email_address::is_email_address;
pub use fixed::DecimalError;
pub use id::{
    BrandId, CategoryId, CountEntryId, InventoryCountId, InventoryCountItemId, InventoryOrderId,
    InventoryOrderItemId, JobId, OrganisationId, ProductId, SiteId, StockAdjustmentId,
    StockEventId, StockImportId, StockTakeId, StockTakeItemId, SupplierId, UnitId, UserId,
};
pub use inventory_count::{
    Completion, CompletionOptions, CompletionStage, CountRefusal, CountResult, CountTotals,
    CountType, INVENTORY_COUNT_TRANSITIONS, InventoryCount, InventoryCountCommand,
    InventoryCountDetails, InventoryCountState, RefusedCountItem,
};
pub use inventory_count_item::{CountItemPosting, Found, InventoryCountEntry, InventoryCountItem};
pub use inventory_order::{
    ClosedShort, INVENTORY_ORDER_TRANSITIONS, InventoryOrder, InventoryOrderCommand,
    InventoryOrderDetails, InventoryOrderState, MAX_ORDER_ITEMS, OrderSupplier,
    PurchaseOrderNumber,
};
pub use inventory_order_item::{
    InventoryOrderItem, MAX_ORDERED, MAX_UNIT_PRICE_MINOR, OrderItemError, Ordered, Receipt,
    ReceiptPolicy,
};
pub use knowledge::{Known, Learned};
pub use level_replay::LevelReplay;
pub use money::{Money, MoneyError};
pub use name_part::NamePart;
pub use quantity::Quantity;
pub use revaluation::ValuationBasis;
pub use reversal::{Posting, reversal_id, reversal_of};
pub use stamp::Stamp;
pub use stock_adjustment::{
    AdjustmentCost, AdjustmentRequest, AdjustmentType, AppliedChange, STOCK_ADJUSTMENT_TRANSITIONS,
    StockAdjustment, StockAdjustmentCommand, StockAdjustmentState,
};
pub use stock_event::{Cause, EventLink, LedgerEntry, StockEvent, StockEventKind};
pub use stock_import::{
    IMPORT_PROBLEMS_TOLD, ImportMode, ImportProblem, ImportReport, STOCK_IMPORT_TRANSITIONS,
    SimilarArticle, StockImport, StockImportCommand, StockImportState,
};
pub use stock_key::{KeyError, StockKey};
pub(crate) use stock_level::FUTURE_TOLERANCE_MICROS;
pub use stock_level::{Change, IncomingCost, StockError, StockLevel, TakesBack, Terms};
pub use stock_take::{
    InitialState, STOCK_TAKE_TRANSITIONS, StockTake, StockTakeCommand, StockTakeDetails,
    StockTakePlace, StockTakeState,
};
pub use stock_take_item::{
    Count, CountEntry, CountError, CountStatus, Entered, LineOutcome, LinePosting, LineProblem,
    StockTakeItem, variance_minor,
};
pub use stock_take_run::{
    Population, PopulationSource, PostingOptions, PostingResult, REFUSED_LINES_TOLD, Refusal,
    RefusedLine, Run, RunStage,
};
pub use symbology::{Symbology, ends_in_its_check_digit};
#[cfg(feature = "pdf")]
pub(crate) use text::is_invisible;
pub use text::{Code, Label, Note, SearchText, Text, TextError, fold};
pub use timestamp::Timestamp;
pub use transition::{Edge, Machine, TransitionError};
pub use unit_cost::UnitCost;
pub use valuation::{CostLayer, CostPart, Costing, Pick, PutIn, Valuation};
pub use value::Value;
pub use value_sum::ValueSum;
pub use variance::Variance;
