//! What inventory orders (S3) look like.

use serde::Serialize;
use stocktake::domain::{
    InventoryOrder, InventoryOrderId, InventoryOrderItem, InventoryOrderItemId, JobId,
    OrganisationId, ProductId, SiteId, SupplierId, UserId,
};
use stocktake::service::InventoryOrders;
use utoipa::ToSchema;
use uuid::Uuid;

use super::number::Number;
use super::query::Meta;

/// An inventory order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderView {
    #[schema(value_type = Uuid)]
    id: InventoryOrderId,
    /// `draft`, `submitted` or `received`.
    status: &'static str,
    #[schema(required)]
    purchase_order_number: Option<String>,
    #[schema(value_type = Uuid)]
    supplier_id: SupplierId,
    supplier_name: String,
    #[schema(required)]
    supplier_email: Option<String>,
    /// In minor units.
    subtotal: i128,
    currency: String,
    /// How many lines.
    item_count: u64,
    items_added: bool,
    #[schema(value_type = Uuid)]
    created_by_id: UserId,
    #[schema(value_type = Uuid)]
    site_id: SiteId,
    #[schema(value_type = Uuid)]
    organisation_id: OrganisationId,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    #[schema(format = DateTime, required)]
    submitted_at: Option<String>,
    #[schema(format = DateTime, required)]
    last_submitted_at: Option<String>,
    /// When it went out to the supplier as it was last submitted; null as long as it has not.
    #[schema(format = DateTime, required)]
    sent_at: Option<String>,
    /// Why it went out without its PDF, if it did.
    #[schema(required)]
    sent_without: Option<String>,
    /// The job that sends it as it was last submitted, or has: `GET /jobs/{id}` tells why it has not gone out.
    #[schema(value_type = Option<Uuid>, required)]
    sending_job_id: Option<JobId>,
}

/// An inventory order with its lines.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderWithItems {
    #[serde(flatten)]
    order: OrderView,
    items: Vec<OrderItemView>,
}

/// A page of inventory orders.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderList {
    pub(super) data: Vec<OrderView>,
    pub(super) meta: Meta,
}

/// A line of an inventory order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderItemView {
    #[schema(value_type = Uuid)]
    id: InventoryOrderItemId,
    #[schema(value_type = Uuid)]
    inventory_order_id: InventoryOrderId,
    #[schema(value_type = Uuid)]
    product_id: ProductId,
    product_name: String,
    quantity: Number,
    received_quantity: Number,
    /// In minor units.
    unit_price: i64,
    /// In minor units.
    total: i64,
    #[schema(value_type = Option<Uuid>, required)]
    brand_id: Option<Uuid>,
    #[schema(value_type = Option<Uuid>, required)]
    category_id: Option<Uuid>,
}

/// A page of lines.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderItemList {
    pub(super) data: Vec<OrderItemView>,
    pub(super) meta: Meta,
}

impl OrderView {
    pub(super) fn of(order: &InventoryOrder) -> Self {
        let supplier = order.supplier();
        Self {
            id: order.id(),
            status: order.state().as_str(),
            purchase_order_number: order.purchase_order_number().map(ToString::to_string),
            supplier_id: supplier.id,
            supplier_name: supplier.name.to_string(),
            supplier_email: supplier.email.as_ref().map(ToString::to_string),
            subtotal: order.subtotal_minor(),
            currency: order.currency().to_string(),
            item_count: order.item_count(),
            items_added: order.items_added(),
            created_by_id: order.created_by().id,
            site_id: order.site(),
            organisation_id: order.organisation(),
            created_at: order.created_at().to_string(),
            updated_at: order.updated_at().to_string(),
            submitted_at: order.submitted_at().map(|at| at.to_string()),
            last_submitted_at: order.last_submitted_at().map(|at| at.to_string()),
            sent_at: order.sent_at().map(|at| at.to_string()),
            sent_without: order.sent_without().map(str::to_owned),
            sending_job_id: InventoryOrders::sending_job(order),
        }
    }
}

impl OrderWithItems {
    pub(super) fn of(order: &InventoryOrder, items: &[InventoryOrderItem]) -> Self {
        Self {
            order: OrderView::of(order),
            items: items.iter().map(OrderItemView::of).collect(),
        }
    }
}

impl OrderItemView {
    pub(super) fn of(item: &InventoryOrderItem) -> Self {
        let (product, ordered) = (item.product(), item.ordered());
        Self {
            id: item.id(),
            inventory_order_id: item.order(),
            product_id: product.id,
            product_name: product.name.to_string(),
            quantity: ordered.quantity.into(),
            received_quantity: item.received().into(),
            unit_price: ordered.unit_price_minor,
            total: item.total_minor(),
            brand_id: product.brand.as_ref().map(|brand| brand.id.as_uuid()),
            category_id: product.category.as_ref().map(|it| it.id.as_uuid()),
        }
    }
}
