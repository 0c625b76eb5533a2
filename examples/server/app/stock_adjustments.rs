//! Stock adjustments (S2.8 to S2.10).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stocktake::domain::{
    AdjustmentType, Code, InventoryCountId, NamePart, Note, ProductId, StockAdjustment,
    StockAdjustmentId, StockAdjustmentState, UserSummary,
};
use stocktake::service::access::Operation;
use stocktake::service::{Error, NewStockAdjustment, StockName};
use stocktake::store::{Page, PageRequest, StockAdjustmentFilter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Json, OptionalJson, filled};
use super::inventory_counts::{PeriodQuery, SiteIdQuery, text};
use super::number::{Given, Number};
use super::query::{At, OrderQuery, Parameters, from_moment, to_moment};
use super::signed::{Signed, seen};
use super::{Answer, Failure, Reply, Shared, streaming};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(pending))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(of_product))
}

/// An adjustment to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewAdjustmentBody {
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
    #[serde(rename = "type")]
    kind: AdjustmentKind,
    /// Not zero.
    quantity_change: Given,
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: Note,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Note>,
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<Code>,
}

/// The kind of an adjustment, as the document writes it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum AdjustmentKind {
    Damage,
    Theft,
    Expired,
    Found,
    Correction,
    Return,
}

/// An adjustment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AdjustmentView {
    #[schema(value_type = Uuid)]
    id: StockAdjustmentId,
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
    /// `DAMAGE`, `THEFT`, `EXPIRED`, `FOUND`, `CORRECTION` or `RETURN`.
    #[serde(rename = "type")]
    kind: &'static str,
    quantity_change: Number,
    /// Null until it is applied.
    #[schema(required)]
    quantity_before: Option<Number>,
    /// Null until it is applied.
    #[schema(required)]
    quantity_after: Option<Number>,
    reason: String,
    #[schema(required)]
    notes: Option<String>,
    #[schema(required)]
    reference: Option<String>,
    cost_impact: Number,
    requires_approval: bool,
    approved: bool,
    /// `pending`, `applied` or `rejected`.
    status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    /// Who approved or rejected it, by name.
    #[schema(required)]
    decided_by: Option<String>,
    #[schema(format = DateTime, required)]
    decided_at: Option<String>,
    #[schema(required)]
    decision_notes: Option<String>,
    /// The inventory count that made it.
    #[schema(value_type = Option<Uuid>, required)]
    inventory_count_id: Option<InventoryCountId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProductQuery {
    /// Of this product.
    #[param(value_type = Option<Uuid>)]
    pub(super) product_id: Option<ProductId>,
}

/// What an approving manager has to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ApprovalBody {
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Note>,
}

/// Why an adjustment is rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RejectionBody {
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: Note,
}

impl From<AdjustmentKind> for AdjustmentType {
    fn from(kind: AdjustmentKind) -> Self {
        match kind {
            AdjustmentKind::Damage => Self::Damage,
            AdjustmentKind::Theft => Self::Theft,
            AdjustmentKind::Expired => Self::Expired,
            AdjustmentKind::Found => Self::Found,
            AdjustmentKind::Correction => Self::Correction,
            AdjustmentKind::Return => Self::Return,
        }
    }
}

impl AdjustmentView {
    fn of(adjustment: &StockAdjustment) -> Self {
        let (key, applied) = (adjustment.key(), adjustment.applied());
        Self {
            id: adjustment.id(),
            product_id: key.product,
            variant: text(key.variant.as_ref()),
            stock_place: text(key.place.as_ref()),
            batch_id: text(key.batch.as_ref()),
            serial_nr: text(key.serial.as_ref()),
            kind: adjustment.kind().as_str(),
            quantity_change: adjustment.change().into(),
            quantity_before: applied.map(|applied| applied.before.into()),
            quantity_after: applied.map(|applied| applied.after.into()),
            reason: adjustment.reason().to_string(),
            notes: adjustment.notes().map(ToString::to_string),
            reference: adjustment.reference().map(ToString::to_string),
            cost_impact: Number::major(adjustment.cost_impact_minor(), adjustment.currency()),
            requires_approval: adjustment.requires_approval(),
            approved: adjustment.state() == StockAdjustmentState::Applied,
            status: adjustment.state().as_str(),
            created_at: adjustment.created_at().to_string(),
            decided_by: adjustment.decided_by().map(UserSummary::full_name),
            decided_at: adjustment.decided_at().map(|at| at.to_string()),
            decision_notes: adjustment.decision_notes().map(ToString::to_string),
            inventory_count_id: adjustment.count(),
        }
    }
}

/// A bare array of them.
async fn listed<A>(
    order: OrderQuery,
    list: impl Fn(PageRequest) -> A + Clone + Send + Sync + 'static,
) -> Result<Response, Failure>
where
    A: Future<Output = Result<Page<StockAdjustment>, Error>> + Send + 'static,
{
    streaming::pages("[", order.order(), list, AdjustmentView::of, |_| {
        "]".to_owned()
    })
    .await
}

/// The adjustments of a site, the oldest first (S2.8).
#[utoipa::path(get, path = "/stock-adjustments", operation_id = "listStockAdjustments", tag = "stock adjustments",
    params(SiteIdQuery, PeriodQuery, ProductQuery, OrderQuery), responses((status = 200, body = Vec<AdjustmentView>)))]
async fn list(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    Parameters(period): Parameters<PeriodQuery>,
    Parameters(product): Parameters<ProductQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let site = signed.site("siteId", query.site_id)?;
    let filter = StockAdjustmentFilter {
        from: from_moment("from", period.from.as_ref())?,
        to: to_moment("to", period.to.as_ref())?,
        product: product.product_id,
        ..StockAdjustmentFilter::default()
    };
    listed(order, move |page| {
        let (app, caller, filter) = (Arc::clone(&app), signed.caller.clone(), filter.clone());
        async move {
            let adjustments = app.stocktake.stock_adjustments();
            adjustments.list(&caller, site, &filter, &page).await
        }
    })
    .await
}

/// Makes an adjustment, or asks for one (S2.9).
#[utoipa::path(post, path = "/stock-adjustments", operation_id = "createStockAdjustment", tag = "stock adjustments",
    params(SiteIdQuery), request_body = NewAdjustmentBody, responses((status = 201, body = AdjustmentView)))]
async fn create(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    body: Json<NewAdjustmentBody>,
) -> Reply {
    let (caller, site) = (&signed.caller, signed.site("siteId", query.site_id));
    let named = seen(&app, caller, site.as_ref().ok().copied());
    let body = body.and(|body| Ok((site?, body)));
    let (site, body) = body
        .after(named, caller, Operation::CreateAdjustment)
        .await?;
    let stock = StockName {
        variant: body.variant,
        place: body.stock_place,
        batch: body.batch_id,
        serial: body.serial_nr,
        ..StockName::of(body.product_id)
    };
    let change = body.quantity_change.0;
    let new = NewStockAdjustment {
        notes: body.notes,
        reference: body.reference,
        ..NewStockAdjustment::of(stock, body.kind.into(), change, body.reason)
    };
    let adjustments = app.stocktake.stock_adjustments();
    let made = adjustments.create(&signed.caller, site, new).await?;
    Answer::created(&AdjustmentView::of(&made))
}

/// The adjustments that wait for a manager (S2.8).
#[utoipa::path(get, path = "/stock-adjustments/pending", operation_id = "listPendingApprovals",
    tag = "stock adjustments", params(SiteIdQuery, OrderQuery), responses((status = 200, body = Vec<AdjustmentView>)))]
async fn pending(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<SiteIdQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let site = signed.site("siteId", query.site_id)?;
    listed(order, move |page| {
        let (app, caller) = (Arc::clone(&app), signed.caller.clone());
        async move {
            let adjustments = app.stocktake.stock_adjustments();
            adjustments.pending(&caller, site, &page).await
        }
    })
    .await
}

/// Approves an adjustment (S2.10).
#[utoipa::path(post, path = "/stock-adjustments/{id}/approve", operation_id = "approveStockAdjustment",
    tag = "stock adjustments", params(("id" = Uuid, Path)), request_body = Option<ApprovalBody>,
    responses((status = 200, body = AdjustmentView)))]
async fn approve(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockAdjustmentId>,
    OptionalJson(body): OptionalJson<ApprovalBody>,
) -> Reply {
    let (adjustments, caller) = (app.stocktake.stock_adjustments(), &signed.caller);
    let waiting = adjustments.get(caller, id);
    let body = body
        .after(waiting, caller, Operation::DecideAdjustment)
        .await?;
    let approved = adjustments.approve(&signed.caller, id, body.notes).await?;
    Answer::ok(&AdjustmentView::of(&approved))
}

/// Rejects an adjustment (S2.10).
#[utoipa::path(post, path = "/stock-adjustments/{id}/reject", operation_id = "rejectStockAdjustment",
    tag = "stock adjustments", params(("id" = Uuid, Path)), request_body = RejectionBody,
    responses((status = 200, body = AdjustmentView)))]
async fn reject(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<StockAdjustmentId>,
    body: Json<RejectionBody>,
) -> Reply {
    let (adjustments, caller) = (app.stocktake.stock_adjustments(), &signed.caller);
    let waiting = adjustments.get(caller, id);
    let body = body
        .after(waiting, caller, Operation::DecideAdjustment)
        .await?;
    let rejected = adjustments.reject(&signed.caller, id, body.reason).await?;
    Answer::ok(&AdjustmentView::of(&rejected))
}

/// The adjustments of one product (S2.8).
#[utoipa::path(get, path = "/products/{id}/stock-adjustments", operation_id = "listProductAdjustments",
    tag = "stock adjustments", params(("id" = Uuid, Path), SiteIdQuery, OrderQuery),
    responses((status = 200, body = Vec<AdjustmentView>)))]
async fn of_product(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<ProductId>,
    Parameters(query): Parameters<SiteIdQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let site = signed.site("siteId", query.site_id)?;
    listed(order, move |page| {
        let (app, caller) = (Arc::clone(&app), signed.caller.clone());
        async move {
            let adjustments = app.stocktake.stock_adjustments();
            adjustments.of_product(&caller, site, id, &page).await
        }
    })
    .await
}
