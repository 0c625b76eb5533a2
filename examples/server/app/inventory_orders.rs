//! Inventory orders (S3).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use stocktake::domain::{
    BrandId, CategoryId, InventoryOrder, InventoryOrderDetails, InventoryOrderId,
    InventoryOrderItemId, Label, NamePart, Note, Ordered, ProductId, PurchaseOrderNumber, SiteId,
    SupplierId,
};
use stocktake::service::access::Operation;
use stocktake::service::{
    Edit, InventoryOrderAmendment, NewInventoryOrder, NewOrderItem, OrderItemUpdate, ReceiptLine,
    ReceiveRequest,
};
use stocktake::store::{InventoryOrderFilter, InventoryOrderItemFilter, PageRequest};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Json, Object, OptionalJson, edit, filled, may};
use super::exports::FormQuery;
use super::inventory_order_views::{
    OrderItemList, OrderItemView, OrderList, OrderView, OrderWithItems,
};
use super::jobs::JobAnswer;
use super::number::{Given, Whole};
use super::query::{At, Meta, PageQuery, Parameters, SiteQuery, everything, search};
use super::signed::{Signed, seen};
use super::{Answer, Failure, Reply, Shared, streaming};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, remove))
        .routes(routes!(submit))
        .routes(routes!(receive))
        .routes(routes!(close))
        .routes(routes!(items, add_item))
        .routes(routes!(update_item, delete_item))
        .routes(routes!(export))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct NumberQuery {
    /// A part of the purchase order number.
    #[param(max_length = 128)]
    purchase_order_number: Option<String>,
}

/// An order to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOrderBody {
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, required)]
    purchase_order_number: Option<PurchaseOrderNumber>,
    #[schema(value_type = Uuid)]
    supplier_id: SupplierId,
    /// Null is the supplier's own.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 254, required)]
    supplier_email: Option<Label>,
    #[schema(value_type = Uuid)]
    site_id: SiteId,
}

/// What is changed on an order; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrderUpdate {
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    purchase_order_number: Edit<PurchaseOrderNumber>,
    #[schema(value_type = Option<Uuid>)]
    supplier_id: Option<SupplierId>,
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 254)]
    supplier_email: Edit<Label>,
    /// An order stays at its site.
    #[schema(value_type = Option<Uuid>)]
    site_id: Option<SiteId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ItemQuery {
    /// Any of these ids, separated by commas; none is any.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false)]
    brand_ids: Vec<BrandId>,
    /// Any of these ids, separated by commas; none is any.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false)]
    category_ids: Vec<CategoryId>,
}

/// A line to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewItemBody {
    /// A product that the order's supplier sells.
    #[schema(value_type = Uuid)]
    product_id: ProductId,
    /// A whole number of one or more.
    #[schema(value_type = Whole, minimum = 1, maximum = 1_000_000_000)]
    quantity: Given,
    /// In minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    unit_price: Whole,
}

/// What is changed on a line; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ItemUpdate {
    /// A whole number of one or more.
    #[schema(value_type = Option<Whole>, minimum = 1, maximum = 1_000_000_000)]
    quantity: Option<Given>,
    /// In minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    unit_price: Option<Whole>,
}

/// What has come; without lines, all that is outstanding.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReceiptBody {
    #[schema(value_type = Option<Vec<ReceivedLine>>)]
    items: Option<Vec<Object<ReceivedLine>>>,
}

/// What has come of a line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReceivedLine {
    #[schema(value_type = Uuid)]
    id: InventoryOrderItemId,
    /// Without it, all that is outstanding of the line.
    quantity: Option<Given>,
    /// Where it went; without it, to the site's place for what arrives, or to where the product is kept. `""` is no stock
    /// place.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    stock_place: NamePart,
    /// The variant of what came; without it, that of the line.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    variant: NamePart,
    /// The batch of what came; a product that is tracked by batch needs one.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    batch_id: NamePart,
    /// The serial number of what came; a product that is tracked by serial number needs one.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    serial_nr: NamePart,
}

/// Why the rest will not come.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloseBody {
    #[serde(default, deserialize_with = "filled")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    reason: Option<Note>,
}

/// An order and all of its lines.
async fn with_items(app: &Shared, signed: &Signed, order: &InventoryOrder) -> Reply {
    let (orders, caller) = (app.stocktake.inventory_orders(), &signed.caller);
    let all = &InventoryOrderItemFilter::default();
    let items =
        everything(|page| async move { orders.items(caller, order.id(), all, &page).await })
            .await?;
    Answer::ok(&OrderWithItems::of(order, &items))
}

/// The orders of a site (S3.1).
#[utoipa::path(get, path = "/inventory/orders", operation_id = "listInventoryOrders", tag = "inventory orders",
    params(SiteQuery, NumberQuery, PageQuery), responses((status = 200, body = OrderList)))]
async fn list(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(SiteQuery { site_id }): Parameters<SiteQuery>,
    Parameters(query): Parameters<NumberQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Reply {
    let number = query.purchase_order_number.as_ref();
    let filter = InventoryOrderFilter {
        purchase_order_number: search("purchase_order_number", number)?,
        ..InventoryOrderFilter::default()
    };
    let (orders, rows) = (app.stocktake.inventory_orders(), page.request()?);
    let found = orders.list(&signed.caller, site_id, &filter, &rows).await?;
    let meta = page.meta(&found);
    let data = found.items.iter().map(OrderView::of).collect();
    Answer::ok(&OrderList { data, meta })
}

/// Creates an order (S3.2).
#[utoipa::path(post, path = "/inventory/orders", operation_id = "createInventoryOrder", tag = "inventory orders",
    request_body = NewOrderBody, responses((status = 201, body = OrderView)))]
async fn create(State(app): State<Shared>, signed: Signed, body: Json<NewOrderBody>) -> Reply {
    let nothing = seen(&app, &signed.caller, None);
    let body = body
        .after(nothing, &signed.caller, Operation::EditOrder)
        .await?;
    let new = NewInventoryOrder {
        site: body.site_id,
        supplier: body.supplier_id,
        details: InventoryOrderDetails {
            purchase_order_number: body.purchase_order_number,
            supplier_email: body.supplier_email,
        },
    };
    let order = app
        .stocktake
        .inventory_orders()
        .create(&signed.caller, new)
        .await?;
    Answer::created(&OrderView::of(&order))
}

/// An order (S3.3).
#[utoipa::path(get, path = "/inventory/orders/{orderId}", operation_id = "getInventoryOrder", tag = "inventory orders",
    params(("orderId" = Uuid, Path)), responses((status = 200, body = OrderView)))]
async fn get(State(app): State<Shared>, signed: Signed, At(id): At<InventoryOrderId>) -> Reply {
    let order = app
        .stocktake
        .inventory_orders()
        .get(&signed.caller, id)
        .await?;
    Answer::ok(&OrderView::of(&order))
}

/// Changes an order (S3.3).
#[utoipa::path(put, path = "/inventory/orders/{orderId}", operation_id = "updateInventoryOrder",
    tag = "inventory orders", params(("orderId" = Uuid, Path)), request_body = OrderUpdate,
    responses((status = 200, body = OrderView)))]
async fn update(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryOrderId>,
    body: Json<OrderUpdate>,
) -> Reply {
    let (orders, caller) = (app.stocktake.inventory_orders(), &signed.caller);
    let order = orders.get(caller, id);
    let body = body.after(order, caller, Operation::EditOrder).await?;
    if let Some(named) = body.site_id
        && named != orders.get(caller, id).await?.site()
    {
        may(caller, Operation::EditOrder)?;
        let message = "an order stays at its site";
        return Err(Failure::invalid("site_id", "another_site", message));
    }
    let amendment = InventoryOrderAmendment {
        supplier: body.supplier_id,
        purchase_order_number: body.purchase_order_number,
        supplier_email: body.supplier_email,
    };
    let order = orders.amend(&signed.caller, id, amendment).await?;
    Answer::ok(&OrderView::of(&order))
}

/// Removes an order of which nothing has come (S3.3).
#[utoipa::path(delete, path = "/inventory/orders/{orderId}", operation_id = "deleteInventoryOrder",
    tag = "inventory orders", params(("orderId" = Uuid, Path)), responses((status = 204)))]
async fn remove(State(app): State<Shared>, signed: Signed, At(id): At<InventoryOrderId>) -> Reply {
    app.stocktake
        .inventory_orders()
        .remove(&signed.caller, id)
        .await?;
    Ok(Answer::nothing())
}

/// Submits an order; a job sends it (S3.5).
#[utoipa::path(post, path = "/inventory/orders/{orderId}/submit", operation_id = "createInventoryOrderSubmission",
    tag = "inventory orders", params(("orderId" = Uuid, Path)), responses((status = 200, body = OrderWithItems)))]
async fn submit(State(app): State<Shared>, signed: Signed, At(id): At<InventoryOrderId>) -> Reply {
    let order = app
        .stocktake
        .inventory_orders()
        .submit(&signed.caller, id)
        .await?;
    with_items(&app, &signed, &order).await
}

/// Receives an order, all that is outstanding or a part of it (S3.6).
#[utoipa::path(post, path = "/inventory/orders/{orderId}/receive", operation_id = "createInventoryOrderReceipt",
    tag = "inventory orders", params(("orderId" = Uuid, Path)), request_body = Option<ReceiptBody>,
    responses((status = 200, body = OrderWithItems)))]
async fn receive(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryOrderId>,
    OptionalJson(body): OptionalJson<ReceiptBody>,
) -> Reply {
    let (orders, caller) = (app.stocktake.inventory_orders(), &signed.caller);
    let order = orders.get(caller, id);
    let body = body.after(order, caller, Operation::ReceiveOrder).await?;
    let line = |Object(it): Object<ReceivedLine>| ReceiptLine {
        item: it.id,
        quantity: it.quantity.map(|Given(quantity)| quantity),
        key: None,
        variant: it.variant,
        place: it.stock_place,
        batch: it.batch_id,
        serial: it.serial_nr,
    };
    let request = ReceiveRequest {
        lines: body
            .items
            .map(|items| items.into_iter().map(line).collect()),
        ..ReceiveRequest::all()
    };
    let order = orders.receive(&signed.caller, id, request).await?;
    with_items(&app, &signed, &order).await
}

/// Gives up what is outstanding (S3.6).
#[utoipa::path(post, path = "/inventory/orders/{orderId}/close", operation_id = "closeInventoryOrder",
    tag = "inventory orders", params(("orderId" = Uuid, Path)), request_body = Option<CloseBody>,
    responses((status = 200, body = OrderWithItems)))]
async fn close(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryOrderId>,
    OptionalJson(body): OptionalJson<CloseBody>,
) -> Reply {
    let (orders, caller) = (app.stocktake.inventory_orders(), &signed.caller);
    let order = orders.get(caller, id);
    let body = body.after(order, caller, Operation::SubmitOrder).await?;
    let order = orders.close_short(&signed.caller, id, body.reason).await?;
    with_items(&app, &signed, &order).await
}

/// The lines of an order (S3.4).
#[utoipa::path(get, path = "/inventory/orders/{orderId}/items", operation_id = "listInventoryOrderItems",
    tag = "inventory orders", params(("orderId" = Uuid, Path), ItemQuery, PageQuery),
    responses((status = 200, body = OrderItemList)))]
async fn items(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryOrderId>,
    Parameters(query): Parameters<ItemQuery>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Response, Failure> {
    let filter = query.filter();
    if page.is_asked() {
        let (orders, rows) = (app.stocktake.inventory_orders(), page.request()?);
        let found = orders.items(&signed.caller, id, &filter, &rows).await?;
        let meta = page.meta(&found);
        let data = found.items.iter().map(OrderItemView::of).collect();
        return Ok(Answer::ok(&OrderItemList { data, meta })?.into_response());
    }
    let order = page.order();
    let list = move |page: PageRequest| {
        let (app, caller, filter) = (Arc::clone(&app), signed.caller.clone(), filter.clone());
        async move {
            let orders = app.stocktake.inventory_orders();
            orders.items(&caller, id, &filter, &page).await
        }
    };
    let behind = |rows| format!("],\"meta\":{}}}", Meta::of_all(rows));
    streaming::pages("{\"data\":[", order, list, OrderItemView::of, behind).await
}

impl ItemQuery {
    fn filter(&self) -> InventoryOrderItemFilter {
        InventoryOrderItemFilter {
            brands: self.brand_ids.iter().copied().collect(),
            categories: self.category_ids.iter().copied().collect(),
        }
    }
}

/// Adds a line (S3.4).
#[utoipa::path(post, path = "/inventory/orders/{orderId}/items", operation_id = "createInventoryOrderItem",
    tag = "inventory orders", params(("orderId" = Uuid, Path)), request_body = NewItemBody,
    responses((status = 201, body = OrderItemView)))]
async fn add_item(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryOrderId>,
    body: Json<NewItemBody>,
) -> Reply {
    let (orders, caller) = (app.stocktake.inventory_orders(), &signed.caller);
    let order = orders.get(caller, id);
    let body = body.after(order, caller, Operation::EditOrder).await?;
    let ordered = Ordered {
        quantity: body.quantity.0,
        unit_price_minor: body.unit_price.0,
    };
    let new = NewOrderItem {
        product: body.product_id,
        variant: None,
        ordered,
    };
    let item = orders.add_item(caller, id, new).await?;
    Answer::created(&OrderItemView::of(&item))
}

/// Changes a line (S3.4).
#[utoipa::path(put, path = "/inventory/orders/{orderId}/items/{orderItemId}", operation_id = "updateInventoryOrderItem",
    tag = "inventory orders", params(("orderId" = Uuid, Path), ("orderItemId" = Uuid, Path)),
    request_body = ItemUpdate, responses((status = 200, body = OrderItemView)))]
async fn update_item(
    State(app): State<Shared>,
    signed: Signed,
    At((id, item)): At<(InventoryOrderId, InventoryOrderItemId)>,
    body: Json<ItemUpdate>,
) -> Reply {
    let (orders, caller) = (app.stocktake.inventory_orders(), &signed.caller);
    let line = orders.item(caller, id, item);
    let body = body.after(line, caller, Operation::EditOrder).await?;
    let update = OrderItemUpdate {
        quantity: body.quantity.map(|Given(quantity)| quantity),
        unit_price_minor: body.unit_price.map(|Whole(price)| price),
    };
    let item = orders.update_item(caller, id, item, update).await?;
    Answer::ok(&OrderItemView::of(&item))
}

/// Deletes a line (S3.4).
#[utoipa::path(delete, path = "/inventory/orders/{orderId}/items/{orderItemId}",
    operation_id = "deleteInventoryOrderItem", tag = "inventory orders",
    params(("orderId" = Uuid, Path), ("orderItemId" = Uuid, Path)), responses((status = 204)))]
async fn delete_item(
    State(app): State<Shared>,
    signed: Signed,
    At((id, item)): At<(InventoryOrderId, InventoryOrderItemId)>,
) -> Reply {
    app.stocktake
        .inventory_orders()
        .delete_item(&signed.caller, id, item)
        .await?;
    Ok(Answer::nothing())
}

/// Asks for the lines as a file, and tells how far it is (S3.7).
#[utoipa::path(get, path = "/inventory/orders/{orderId}/queue", operation_id = "actionQueueInventoryOrderExport",
    tag = "inventory orders", params(("orderId" = Uuid, Path), SiteQuery, ItemQuery, FormQuery),
    responses((status = 200, body = JobAnswer)))]
async fn export(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<InventoryOrderId>,
    Parameters(SiteQuery { site_id }): Parameters<SiteQuery>,
    Parameters(query): Parameters<ItemQuery>,
    Parameters(form): Parameters<FormQuery>,
) -> Reply {
    let order = app
        .stocktake
        .inventory_orders()
        .get(&signed.caller, id)
        .await?;
    if order.site() != site_id {
        return Err(Failure::not_found("inventory order"));
    }
    let exports = app.stocktake.exports();
    let job = exports
        .inventory_order(&signed.caller, id, query.filter(), form.form())
        .await?;
    JobAnswer::read(&app, &signed.caller, job).await
}
