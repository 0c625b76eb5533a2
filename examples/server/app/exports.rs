//! Exports of what the documents have no queue call for: counts, adjustments, levels and the ledger.

use axum::extract::State;
use serde::Deserialize;
use stocktake::domain::{InventoryCountId, ProductId, SiteId};
use stocktake::store::{
    ExportForm, ExportFormat, ExportStyle, InventoryCountItemFilter, LevelFilter,
    StockAdjustmentFilter, StockEventFilter,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::inventory_counts::{ItemQuery, PeriodQuery, SiteIdQuery};
use super::jobs::JobAnswer;
use super::query::{At, Parameters, from_moment, to_moment};
use super::signed::Signed;
use super::stock::StockQuery;
use super::stock_adjustments::ProductQuery;
use super::{Reply, Shared};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(count))
        .routes(routes!(adjustments))
        .routes(routes!(levels))
        .routes(routes!(events))
}

/// A kind of file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FileFormat {
    Csv,
    Xlsx,
}

/// For whom a file is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FileStyle {
    Machines,
    People,
}

/// The form of a file.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FormQuery {
    /// The kind of file; `csv` unless told. In CSV a text that a spreadsheet would run as a formula has an apostrophe before
    /// it, also for machines: nobody knows what opens the file.
    #[param(inline)]
    format: Option<FileFormat>,
    /// For whom: `machines` (minor units, ids, the names of the API) unless told, or `people` (major units, names, words,
    /// totals).
    #[param(inline)]
    style: Option<FileStyle>,
}

impl FormQuery {
    /// As the library has it.
    pub(super) fn form(self) -> ExportForm {
        ExportForm {
            format: match self.format {
                None | Some(FileFormat::Csv) => ExportFormat::Csv,
                Some(FileFormat::Xlsx) => ExportFormat::Xlsx,
            },
            style: match self.style {
                None | Some(FileStyle::Machines) => ExportStyle::Machines,
                Some(FileStyle::People) => ExportStyle::People,
            },
        }
    }
}

/// Asks for the lines of a count as a file, and tells how far it is.
#[utoipa::path(get, path = "/inventory-counts/{id}/queue", operation_id = "queueInventoryCountExport",
    tag = "inventory counts", params(("id" = Uuid, Path), ItemQuery, FormQuery), responses((status = 200, body = JobAnswer)))]
async fn count(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryCountId>,
    Parameters(query): Parameters<ItemQuery>,
    Parameters(form): Parameters<FormQuery>,
) -> Reply {
    let filter = InventoryCountItemFilter {
        discrepancies: query.discrepancies.unwrap_or(false),
        significant: query.significant.unwrap_or(false),
    };
    let exports = app.stocktake.exports();
    let job = exports
        .inventory_count(&signed.caller, id, filter, form.form())
        .await?;
    JobAnswer::read(&app, &signed.caller, job).await
}

/// Asks for the adjustments of a site as a file, and tells how far it is.
#[utoipa::path(get, path = "/stock-adjustments/queue", operation_id = "queueStockAdjustmentExport",
    tag = "stock adjustments", params(SiteIdQuery, PeriodQuery, ProductQuery, FormQuery),
    responses((status = 200, body = JobAnswer)))]
async fn adjustments(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    Parameters(period): Parameters<PeriodQuery>,
    Parameters(product): Parameters<ProductQuery>,
    Parameters(form): Parameters<FormQuery>,
) -> Reply {
    let site = signed.site("siteId", query.site_id)?;
    let filter = StockAdjustmentFilter {
        from: from_moment("from", period.from.as_ref())?,
        to: to_moment("to", period.to.as_ref())?,
        product: product.product_id,
        ..StockAdjustmentFilter::default()
    };
    let exports = app.stocktake.exports();
    let job = exports
        .stock_adjustments(&signed.caller, site, filter, form.form())
        .await?;
    JobAnswer::read(&app, &signed.caller, job).await
}

/// Asks for the levels of a site as a file, and tells how far it is.
#[utoipa::path(get, path = "/stock-levels/queue", operation_id = "queueStockLevelExport", tag = "stock",
    params(StockQuery, FormQuery), responses((status = 200, body = JobAnswer)))]
async fn levels(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<StockQuery>,
    Parameters(form): Parameters<FormQuery>,
) -> Reply {
    let site: SiteId = signed.site("site_id", query.site_id)?;
    let products: Option<ProductId> = query.product_id;
    let filter = LevelFilter {
        products: products.into_iter().collect(),
        ..LevelFilter::default()
    };
    let exports = app.stocktake.exports();
    let job = exports
        .stock_levels(&signed.caller, site, filter, form.form())
        .await?;
    JobAnswer::read(&app, &signed.caller, job).await
}

/// Asks for the ledger of a site as a file, and tells how far it is.
#[utoipa::path(get, path = "/stock-events/queue", operation_id = "queueStockEventExport", tag = "stock",
    params(StockQuery, PeriodQuery, FormQuery), responses((status = 200, body = JobAnswer)))]
async fn events(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<StockQuery>,
    Parameters(period): Parameters<PeriodQuery>,
    Parameters(form): Parameters<FormQuery>,
) -> Reply {
    let site = signed.site("site_id", query.site_id)?;
    let filter = StockEventFilter {
        product: query.product_id,
        from: from_moment("from", period.from.as_ref())?,
        to: to_moment("to", period.to.as_ref())?,
    };
    let exports = app.stocktake.exports();
    let job = exports
        .stock_events(&signed.caller, site, filter, form.form())
        .await?;
    JobAnswer::read(&app, &signed.caller, job).await
}
