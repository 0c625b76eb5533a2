//! Variance reports: pages for people, beside the documents.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use stocktake::documents::{ReportOptions, VARIANCE_REPORT_POLICY};
use stocktake::domain::{InventoryCountId, StockTakeId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::At;
use super::signed::Signed;
use super::{Failure, Shared};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(of_take))
        .routes(routes!(of_count))
}

/// What was counted on a stock take against what was expected, as a page.
#[utoipa::path(get, path = "/inventory/stock-takes/{stockTakeId}/report", operation_id = "getStockTakeReport",
    tag = "stock takes", params(("stockTakeId" = Uuid, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn of_take(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockTakeId>,
) -> Result<Response, Failure> {
    let (takes, options) = (app.stocktake.stock_takes(), ReportOptions::default());
    let page = takes.variance_report(&signed.caller, id, options).await?;
    shown(page)
}

/// What was counted in an inventory count against what was expected, as a page.
#[utoipa::path(get, path = "/inventory-counts/{id}/report", operation_id = "getInventoryCountReport",
    tag = "inventory counts", params(("id" = Uuid, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn of_count(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryCountId>,
) -> Result<Response, Failure> {
    let (counts, options) = (app.stocktake.inventory_counts(), ReportOptions::default());
    let page = counts.variance_report(&signed.caller, id, options).await?;
    shown(page)
}

/// The page, which a browser may show and nothing else: it runs nothing, asks for nothing, and stands in no other page.
fn shown(page: String) -> Result<Response, Failure> {
    let policy = format!("{VARIANCE_REPORT_POLICY}; frame-ancestors 'none'");
    let policy = HeaderValue::from_str(&policy).map_err(|_| Failure::internal())?;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, page).into_response())
}
