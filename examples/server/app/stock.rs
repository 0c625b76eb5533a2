//! Levels and the ledger: two reads that no document has, for tests and curiosity.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stocktake::domain::{ProductId, SiteId, StockEvent, StockEventId, StockKey, StockLevel};
use stocktake::store::PageRequest;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::number::Number;
use super::query::{Order, OrderQuery, Parameters};
use super::signed::Signed;
use super::streaming::{self, Part};
use super::{Failure, Shared};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(levels))
        .routes(routes!(events))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StockQuery {
    /// The site; not needed when the user has one.
    #[param(value_type = Option<Uuid>)]
    pub(super) site_id: Option<SiteId>,
    /// Only this product.
    #[param(value_type = Option<Uuid>)]
    pub(super) product_id: Option<ProductId>,
}

/// What is on hand.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is written row by row")]
struct LevelList {
    data: Vec<LevelView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LevelView {
    #[serde(flatten)]
    key: KeyView,
    quantity: Number,
    reserved: Number,
    /// By first in, first out; in major units, exact.
    value: Number,
}

/// The ledger, the oldest first.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is written row by row")]
struct EventList {
    data: Vec<EventView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    #[schema(value_type = Uuid)]
    id: StockEventId,
    #[serde(flatten)]
    key: KeyView,
    kind: &'static str,
    change: Number,
    before: Number,
    after: Number,
    /// In major units, exact.
    unit_cost: Number,
    /// In major units, exact.
    value_change: Number,
    /// How much of that is not the worth of what moved: what a reversal could not take back, or what goods that settled a
    /// shortage cost otherwise. In major units, exact.
    value_difference: Number,
    #[schema(format = DateTime)]
    occurred_at: String,
    #[schema(format = DateTime)]
    recorded_at: String,
    #[schema(required)]
    reference: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    #[schema(value_type = Uuid)]
    site_id: SiteId,
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
}

impl KeyView {
    fn of(key: &StockKey) -> Self {
        let text = |code: &Option<stocktake::domain::Code>| code.as_ref().map(ToString::to_string);
        Self {
            site_id: key.site,
            product_id: key.product,
            variant: text(&key.variant),
            stock_place: text(&key.place),
            batch_id: text(&key.batch),
            serial_nr: text(&key.serial),
        }
    }
}

impl LevelView {
    fn of(level: &StockLevel) -> Self {
        Self {
            key: KeyView::of(level.key()),
            quantity: level.quantity().into(),
            reserved: level.reserved().into(),
            value: level.valuation().fifo_value().into(),
        }
    }
}

impl EventView {
    pub(super) fn of(event: &StockEvent) -> Self {
        Self {
            id: event.id,
            key: KeyView::of(&event.key),
            kind: event.kind.as_str(),
            change: event.change.into(),
            before: event.before.into(),
            after: event.after.into(),
            unit_cost: event.unit_cost.into(),
            value_change: event.value_change.into(),
            value_difference: event.difference.into(),
            occurred_at: event.occurred_at.to_string(),
            recorded_at: event.recorded_at.to_string(),
            reference: event.reference.as_ref().map(ToString::to_string),
        }
    }
}

/// What is on hand of a site, in the order of the keys.
#[utoipa::path(get, path = "/stock-levels", operation_id = "listStockLevels", tag = "stock", params(StockQuery, OrderQuery),
    responses((status = 200, body = LevelList)))]
async fn levels(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<StockQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let site = signed.site("site_id", query.site_id)?;
    let list = move |page: PageRequest| {
        let (app, caller, product) = (Arc::clone(&app), signed.caller.clone(), query.product_id);
        async move {
            let stock = app.stocktake.stock();
            stock.levels(&caller, site, product, None, &page).await
        }
    };
    streaming::pages("{\"data\":[", order.order(), list, LevelView::of, |_| {
        "]}".to_owned()
    })
    .await
}

/// The ledger of a site, in the order in which it was recorded, or the newest first.
#[utoipa::path(get, path = "/stock-events", operation_id = "listStockEvents", tag = "stock", params(StockQuery, OrderQuery),
    responses((status = 200, body = EventList)))]
async fn events(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<StockQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let site = signed.site("site_id", query.site_id)?;
    let read = move |last: Option<u64>| {
        let (app, caller, product) = (Arc::clone(&app), signed.caller.clone(), query.product_id);
        async move {
            let stock = app.stocktake.stock();
            let most = streaming::rows_at_once();
            let entries = match order.order() {
                Order::Asc => stock.ledger(&caller, site, last.unwrap_or(0), most),
                Order::Desc => stock.ledger_back(&caller, site, last, most),
            };
            let entries = entries.await?;
            let next = entries.last().map(|last| Some(last.position));
            let events = entries.iter().map(|entry| &entry.event);
            let events = events.filter(|it| product.is_none_or(|id| id == it.key.product));
            Part::of(events.map(EventView::of), next)
        }
    };
    streaming::rows(None, "{\"data\":[", read, |_| "]}".to_owned()).await
}
