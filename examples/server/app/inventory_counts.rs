//! Inventory counts (S2.1 to S2.7).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stocktake::domain::{
    Code, CompletionOptions, CountTotals, CountType, Currency, InventoryCount,
    InventoryCountDetails, InventoryCountId, InventoryCountItem, InventoryCountItemId,
    InventoryCountState, Label, MovementPolicy, NamePart, Note, ProductId, SiteId,
};
use stocktake::service::access::Operation;
use stocktake::service::{InventoryCountSummary, NewCountItem, StockName};
use stocktake::store::{InventoryCountFilter, InventoryCountItemFilter, PageRequest};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Json, OptionalJson, filled};
use super::number::{Given, Number};
use super::query::{At, OrderQuery, Parameters, from_moment, to_moment};
use super::signed::{Signed, seen};
use super::{Answer, Failure, Reply, Shared, streaming};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(summary))
        .routes(routes!(get))
        .routes(routes!(items, count))
        .routes(routes!(complete))
        .routes(routes!(cancel))
}

/// The site, where the documents name none.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct SiteIdQuery {
    /// The site; not needed when the user has one.
    #[param(value_type = Option<Uuid>)]
    pub(super) site_id: Option<SiteId>,
}

/// A count to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCountBody {
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    name: Label,
    #[serde(rename = "type")]
    kind: CountKind,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Note>,
}

/// A count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CountView {
    #[schema(value_type = Uuid)]
    id: InventoryCountId,
    name: String,
    /// `FULL`, `CYCLE`, `SPOT` or `ANNUAL`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `IN_PROGRESS`, `COMPLETED` or `CANCELLED`.
    status: &'static str,
    #[schema(required)]
    notes: Option<String>,
    #[schema(required)]
    completion_notes: Option<String>,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime, required)]
    completed_at: Option<String>,
    items_counted: u64,
    discrepancies: u64,
    missing_value: Number,
    excess_value: Number,
    net_variance_value: Number,
}

/// What was counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CountItemBody {
    #[schema(value_type = Uuid)]
    product_id: ProductId,
    /// Not in the document: which of several. Null, or nothing, does not say; `""` is stock without one.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    variant: NamePart,
    /// As `variant`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    batch_id: NamePart,
    /// As `variant`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    serial_nr: NamePart,
    #[schema(minimum = 0)]
    counted_quantity: Given,
    /// Not in the document: when it was counted, in ISO 8601, where a device was offline.
    #[schema(value_type = Option<String>, format = DateTime)]
    counted_at: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    reason: Option<Note>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Note>,
}

/// A line of a count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CountItemView {
    #[schema(value_type = Uuid)]
    id: InventoryCountItemId,
    #[schema(value_type = Uuid)]
    product_id: ProductId,
    #[schema(required)]
    variant: Option<String>,
    #[schema(required)]
    stock_place: Option<String>,
    #[schema(required)]
    batch_id: Option<String>,
    #[schema(required)]
    serial_nr: Option<String>,
    system_quantity: Number,
    counted_quantity: Number,
    variance: Number,
    variance_value: Number,
    significant: bool,
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    notes: Option<String>,
    #[schema(format = DateTime)]
    counted_at: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemQuery {
    /// Only lines with a discrepancy.
    pub(super) discrepancies: Option<bool>,
    /// Only lines that are flagged for review.
    pub(super) significant: Option<bool>,
}

/// How a count is completed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CompletionBody {
    /// Whether the book is made to match; it is not, unless told.
    apply_adjustments: Option<bool>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Note>,
}

/// From when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PeriodQuery {
    /// ISO 8601: an instant, or a day in UTC.
    pub(super) from: Option<String>,
    /// ISO 8601: before this instant, or up to the end of a day in UTC.
    pub(super) to: Option<String>,
}

/// Many counts together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SummaryView {
    counts: u64,
    items_counted: u64,
    discrepancies: u64,
    missing_value: Number,
    excess_value: Number,
    net_variance_value: Number,
    /// The fraction of counted lines without a discrepancy; null when nothing was counted.
    #[schema(required)]
    accuracy: Option<Number>,
}

/// The kind of a count, as the document writes it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum CountKind {
    Full,
    Cycle,
    Spot,
    Annual,
}

/// A code as it is shown.
pub(super) fn text(code: Option<&Code>) -> Option<String> {
    code.map(ToString::to_string)
}

impl CountView {
    fn of(found: &InventoryCountSummary) -> Self {
        let (count, totals): (&InventoryCount, CountTotals) = (&found.count, found.totals);
        let money = |minor| Number::major(minor, count.currency());
        let details = count.details();
        Self {
            id: count.id(),
            name: details.name.to_string(),
            kind: details.kind.as_str(),
            status: match count.state() {
                // What is being completed is not completed.
                InventoryCountState::InProgress | InventoryCountState::Completing => "IN_PROGRESS",
                InventoryCountState::Completed => "COMPLETED",
                InventoryCountState::Cancelled => "CANCELLED",
            },
            notes: details.notes.as_ref().map(ToString::to_string),
            completion_notes: count.completion_notes().map(ToString::to_string),
            started_at: count.started_at().to_string(),
            completed_at: count.completed_at().map(|at| at.to_string()),
            items_counted: totals.items(),
            discrepancies: totals.discrepancies(),
            missing_value: money(totals.missing_minor()),
            excess_value: money(totals.excess_minor()),
            net_variance_value: money(totals.net_minor()),
        }
    }
}

impl CountItemView {
    fn of(item: &InventoryCountItem, currency: Currency) -> Self {
        Self {
            id: item.id,
            product_id: item.key.product,
            variant: text(item.key.variant.as_ref()),
            stock_place: text(item.key.place.as_ref()),
            batch_id: text(item.key.batch.as_ref()),
            serial_nr: text(item.key.serial.as_ref()),
            system_quantity: item.system_quantity().into(),
            counted_quantity: item.counted.quantity.into(),
            variance: item.variance.quantity().into(),
            variance_value: Number::major(item.variance.minor(), currency),
            significant: item.significant,
            reason: item.reason.as_ref().map(ToString::to_string),
            notes: item.notes.as_ref().map(ToString::to_string),
            counted_at: item.counted.moment.at.to_string(),
        }
    }
}

/// The counts of a site, the oldest first (S2.1).
#[utoipa::path(get, path = "/inventory-counts", operation_id = "listInventoryCounts", tag = "inventory counts",
    params(SiteIdQuery, OrderQuery), responses((status = 200, body = Vec<CountView>)))]
async fn list(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let site = signed.site("siteId", query.site_id)?;
    let list = move |page: PageRequest| {
        let (app, caller) = (Arc::clone(&app), signed.caller.clone());
        async move {
            let (counts, all) = (
                app.stocktake.inventory_counts(),
                InventoryCountFilter::default(),
            );
            counts.list(&caller, site, &all, &page).await
        }
    };
    streaming::pages("[", order.order(), list, CountView::of, |_| "]".to_owned()).await
}

/// Starts a count (S2.2).
#[utoipa::path(post, path = "/inventory-counts", operation_id = "startInventoryCount", tag = "inventory counts",
    params(SiteIdQuery), request_body = NewCountBody, responses((status = 201, body = CountView)))]
async fn start(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    body: Json<NewCountBody>,
) -> Reply {
    let (caller, site) = (&signed.caller, signed.site("siteId", query.site_id));
    let named = seen(&app, caller, site.as_ref().ok().copied());
    let body = body.and(|body| Ok((site?, body)));
    let (site, body) = body.after(named, caller, Operation::RunCount).await?;
    let details = InventoryCountDetails {
        name: body.name,
        kind: match body.kind {
            CountKind::Full => CountType::Full,
            CountKind::Cycle => CountType::Cycle,
            CountKind::Spot => CountType::Spot,
            CountKind::Annual => CountType::Annual,
        },
        notes: body.notes,
        movement_policy: MovementPolicy::default(),
    };
    let counts = app.stocktake.inventory_counts();
    let count = counts.start(&signed.caller, site, details).await?;
    let totals = CountTotals::default();
    Answer::created(&CountView::of(&InventoryCountSummary { count, totals }))
}

/// What the completed counts of a period came to (S2.7).
#[utoipa::path(get, path = "/inventory-counts/summary", operation_id = "getInventorySummary", tag = "inventory counts",
    params(SiteIdQuery, PeriodQuery), responses((status = 200, body = SummaryView)))]
async fn summary(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    Parameters(period): Parameters<PeriodQuery>,
) -> Reply {
    let site = signed.site("siteId", query.site_id)?;
    let (from, to) = (
        from_moment("from", period.from.as_ref())?,
        to_moment("to", period.to.as_ref())?,
    );
    let currency = app
        .stocktake
        .catalogue()
        .site(&signed.caller, site)
        .await?
        .currency;
    let counts = app.stocktake.inventory_counts();
    let found = counts.summary(&signed.caller, site, from, to).await?;
    let (totals, money) = (found.totals, |minor| Number::major(minor, currency));
    Answer::ok(&SummaryView {
        counts: found.counts,
        items_counted: totals.items(),
        discrepancies: totals.discrepancies(),
        missing_value: money(totals.missing_minor()),
        excess_value: money(totals.excess_minor()),
        net_variance_value: money(totals.net_minor()),
        accuracy: totals.accuracy().map(Number::from),
    })
}

/// A count (S2.1).
#[utoipa::path(get, path = "/inventory-counts/{id}", operation_id = "getInventoryCount", tag = "inventory counts",
    params(("id" = Uuid, Path)), responses((status = 200, body = CountView)))]
async fn get(State(app): State<Shared>, signed: Signed, At(id): At<InventoryCountId>) -> Reply {
    let found = app
        .stocktake
        .inventory_counts()
        .get(&signed.caller, id)
        .await?;
    Answer::ok(&CountView::of(&found))
}

/// Records what was counted (S2.3).
#[utoipa::path(post, path = "/inventory-counts/{id}/items", operation_id = "addCountItem", tag = "inventory counts",
    params(("id" = Uuid, Path)), request_body = CountItemBody, responses((status = 201, body = CountItemView)))]
async fn count(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryCountId>,
    body: Json<CountItemBody>,
) -> Reply {
    let (counts, caller) = (app.stocktake.inventory_counts(), &signed.caller);
    let count = counts.get(caller, id);
    let body = body.after(count, caller, Operation::CountInventory).await?;
    let stock = StockName {
        variant: body.variant,
        place: body.stock_place,
        batch: body.batch_id,
        serial: body.serial_nr,
        ..StockName::of(body.product_id)
    };
    let new = NewCountItem {
        reason: body.reason,
        notes: body.notes,
        counted_at: from_moment("countedAt", body.counted_at.as_ref())?,
        ..NewCountItem::of(stock, body.counted_quantity.0)
    };
    let item = counts.count(&signed.caller, id, new).await?;
    let currency = counts.get(&signed.caller, id).await?.count.currency();
    Answer::created(&CountItemView::of(&item, currency))
}

/// The lines of a count (S2.4).
#[utoipa::path(get, path = "/inventory-counts/{id}/items", operation_id = "getCountItems", tag = "inventory counts",
    params(("id" = Uuid, Path), ItemQuery, OrderQuery), responses((status = 200, body = Vec<CountItemView>)))]
async fn items(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryCountId>,
    Parameters(query): Parameters<ItemQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let filter = InventoryCountItemFilter {
        discrepancies: query.discrepancies.unwrap_or(false),
        significant: query.significant.unwrap_or(false),
    };
    let counts = app.stocktake.inventory_counts();
    let currency = counts.get(&signed.caller, id).await?.count.currency();
    let list = move |page: PageRequest| {
        let (app, caller) = (Arc::clone(&app), signed.caller.clone());
        async move {
            let counts = app.stocktake.inventory_counts();
            counts.items(&caller, id, &filter, &page).await
        }
    };
    let shown = move |item: &InventoryCountItem| CountItemView::of(item, currency);
    streaming::pages("[", order.order(), list, shown, |_| "]".to_owned()).await
}

/// Completes a count, with or without adjustments (S2.5).
#[utoipa::path(post, path = "/inventory-counts/{id}/complete", operation_id = "completeInventoryCount",
    tag = "inventory counts", params(("id" = Uuid, Path)), request_body = Option<CompletionBody>,
    responses((status = 200, body = CountView)))]
async fn complete(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryCountId>,
    OptionalJson(body): OptionalJson<CompletionBody>,
) -> Reply {
    let (counts, caller) = (app.stocktake.inventory_counts(), &signed.caller);
    let count = counts.get(caller, id);
    let body = body.after(count, caller, Operation::RunCount).await?;
    let options = CompletionOptions {
        apply_adjustments: body.apply_adjustments.unwrap_or(false),
        ..CompletionOptions::default()
    };
    let found = counts
        .complete(&signed.caller, id, options, body.notes)
        .await?;
    Answer::ok(&CountView::of(&found))
}

/// Gives a count up (S2.6).
#[utoipa::path(post, path = "/inventory-counts/{id}/cancel", operation_id = "cancelInventoryCount",
    tag = "inventory counts", params(("id" = Uuid, Path)), responses((status = 200, body = CountView)))]
async fn cancel(State(app): State<Shared>, signed: Signed, At(id): At<InventoryCountId>) -> Reply {
    let found = app
        .stocktake
        .inventory_counts()
        .cancel(&signed.caller, id)
        .await?;
    Answer::ok(&CountView::of(&found))
}
