//! What stock costs, where nobody has told: an import has no costs in its body. No document has it.

use axum::extract::State;
use serde::Deserialize;
use stocktake::domain::{Code, NamePart, ProductId, UnitCost};
use stocktake::service::access::Operation;
use stocktake::service::{FoundProduct, FoundStock};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Json, filled};
use super::inventory_counts::SiteIdQuery;
use super::number::Given;
use super::query::Parameters;
use super::signed::{Signed, seen};
use super::stock::EventView;
use super::{Answer, Failure, Reply, Shared};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(state_cost))
}

/// What one of some stock costs: of a product by one of `productId`, `articleId` and `barcode`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CostBody {
    #[schema(value_type = Option<Uuid>)]
    product_id: Option<ProductId>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 128)]
    article_id: Option<Code>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 128)]
    barcode: Option<Code>,
    /// Which of several. Null, or nothing, does not say; `""` is stock without one.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    variant: NamePart,
    /// As `variant`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
    /// As `variant`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    batch_id: NamePart,
    /// As `variant`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    serial_nr: NamePart,
    /// What one costs, in the major unit of the site's currency.
    #[schema(minimum = 0)]
    unit_cost: Given,
}

impl CostBody {
    fn stock(self) -> Result<(FoundStock, UnitCost), Failure> {
        let product = match (self.product_id, self.article_id, self.barcode) {
            (Some(id), None, None) => FoundProduct::Id(id),
            (None, Some(article), None) => FoundProduct::Article(article),
            (None, None, Some(barcode)) => FoundProduct::Barcode(barcode),
            (_, _, _) => {
                let message = "name one of productId, articleId and barcode";
                return Err(Failure::invalid("productId", "product_required", message));
            }
        };
        let stock = FoundStock {
            product,
            variant: self.variant,
            place: self.stock_place,
            batch: self.batch_id,
            serial: self.serial_nr,
        };
        let unit_cost = UnitCost::from_decimal(self.unit_cost.0.to_decimal());
        let unit_cost =
            unit_cost.map_err(|wrong| Failure::invalid("unitCost", "invalid_number", wrong))?;
        Ok((stock, unit_cost))
    }
}

/// States what some stock costs (S6.15): so an article that an import has created comes to its cost, and what is found of it
/// can be posted.
#[utoipa::path(post, path = "/stock-costs", operation_id = "stateStockCost", tag = "stock", params(SiteIdQuery),
    request_body = CostBody, responses((status = 201, body = Vec<EventView>)))]
async fn state_cost(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    body: Json<CostBody>,
) -> Reply {
    let (caller, site) = (&signed.caller, signed.site("siteId", query.site_id));
    let named = seen(&app, caller, site.as_ref().ok().copied());
    let body = body.and(|body| Ok((site?, body.stock()?)));
    let (site, (stock, unit_cost)) = body.after(named, caller, Operation::MoveStock).await?;
    let stock_of = app.stocktake.stock();
    let events = stock_of.state_cost(caller, site, &stock, unit_cost).await?;
    let told: Vec<EventView> = events.iter().map(EventView::of).collect();
    Answer::created(&told)
}
