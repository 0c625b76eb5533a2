//! What stock takes (S1) look like.

use serde::Serialize;
use stocktake::domain::{
    Currency, OrganisationId, Product, Quantity, SiteId, StockKey, StockTake, StockTakeId,
    StockTakeItem, StockTakeItemId, StockTakeState, SupplierId, UserId, UserSummary,
};
use stocktake::store::{StockTakeItemView, StockTakeTotals};
use utoipa::ToSchema;
use uuid::Uuid;

use super::number::Number;
use super::query::Meta;

/// A stock take.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockTakeView {
    #[schema(value_type = Uuid)]
    id: StockTakeId,
    description: String,
    /// `in_progress` or `complete`.
    status: &'static str,
    currency: String,
    #[schema(value_type = Uuid)]
    created_by_id: UserId,
    created_by: UserView,
    #[schema(value_type = Option<Uuid>, required)]
    posted_by_id: Option<UserId>,
    #[schema(required)]
    posted_by: Option<UserView>,
    items_added: bool,
    #[schema(value_type = Uuid)]
    site_id: SiteId,
    #[schema(value_type = Uuid)]
    organisation_id: OrganisationId,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime, required)]
    posted_at: Option<String>,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserView {
    #[schema(value_type = Uuid)]
    id: UserId,
    #[schema(required)]
    email: Option<String>,
    first_name: String,
    last_name: String,
    full_name: String,
}

/// A page of stock takes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockTakeList {
    pub(super) data: Vec<StockTakeView>,
    pub(super) meta: Meta,
}

/// A line of a stock take.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockTakeItemRow {
    #[schema(value_type = Uuid)]
    id: StockTakeItemId,
    #[schema(value_type = Uuid)]
    stock_take_id: StockTakeId,
    #[schema(value_type = Uuid)]
    product_id: stocktake::domain::ProductId,
    article_id: String,
    product_name: String,
    #[schema(required)]
    variant: Option<String>,
    #[schema(required)]
    stock_place: Option<String>,
    #[schema(required)]
    batch_id: Option<String>,
    #[schema(required)]
    serial_nr: Option<String>,
    barcodes: Vec<String>,
    #[schema(value_type = Option<Uuid>, required)]
    brand_id: Option<Uuid>,
    #[schema(value_type = Option<Uuid>, required)]
    category_id: Option<Uuid>,
    #[schema(value_type = Vec<Uuid>)]
    supplier_ids: Vec<SupplierId>,
    #[schema(required)]
    unit: Option<String>,
    /// What the book said at the moment of counting; before that, what it says now.
    expected_quantity: Number,
    /// Null while nobody has counted; 0 once finishing counted it as zero.
    #[schema(required)]
    counted_quantity: Option<Number>,
    #[schema(required)]
    variance_quantity: Option<Number>,
    /// In minor units; it may carry a fraction.
    #[schema(required)]
    unit_cost: Option<Number>,
    /// In minor units.
    #[schema(required)]
    adjustment_value: Option<i64>,
    /// `counted` or `uncounted`.
    status: &'static str,
    #[schema(value_type = Option<Uuid>, required)]
    counted_by_id: Option<UserId>,
    #[schema(format = DateTime, required)]
    counted_at: Option<String>,
}

/// A page of lines.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockTakeItemList {
    pub(super) data: Vec<StockTakeItemRow>,
    pub(super) meta: Meta,
}

/// A page of lines, with the totals of all filtered ones.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockTakeItemListV2 {
    pub(super) data: Vec<StockTakeItemRow>,
    pub(super) meta: Meta,
    pub(super) totals: TotalsView,
}

/// The totals of filtered lines.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TotalsView {
    total_items: u64,
    counted: u64,
    uncounted: u64,
    /// In minor units.
    total_adjustment_value: i128,
    currency: String,
}

impl StockTakeView {
    pub(super) fn of(take: &StockTake) -> Self {
        let complete = matches!(
            take.state(),
            StockTakeState::Finished | StockTakeState::Reopening
        );
        Self {
            id: take.id(),
            description: take.details().title().to_owned(),
            status: if complete { "complete" } else { "in_progress" },
            currency: take.currency().to_string(),
            created_by_id: take.created_by().id,
            created_by: UserView::of(take.created_by()),
            posted_by_id: take.posted_by().map(|user| user.id),
            posted_by: take.posted_by().map(UserView::of),
            items_added: take.items_added(),
            site_id: take.site(),
            organisation_id: take.organisation(),
            created_at: take.created_at().to_string(),
            posted_at: take.posted_at().map(|at| at.to_string()),
            updated_at: take.updated_at().to_string(),
        }
    }
}

impl UserView {
    fn of(user: &UserSummary) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            full_name: user.full_name(),
        }
    }
}

impl StockTakeItemRow {
    /// A line as a list gives it.
    pub(super) fn of(view: &StockTakeItemView, currency: Currency) -> Self {
        Self::with(&view.item.value, view.on_hand, currency)
    }

    /// A line, and what is on hand of it now.
    pub(super) fn with(
        item: &StockTakeItem,
        on_hand: Option<Quantity>,
        currency: Currency,
    ) -> Self {
        let (key, product): (&StockKey, &Product) = (&item.key, &item.product);
        let (count, variance) = (item.count.as_ref(), item.variance());
        let unit_cost =
            count.map_or_else(|| product.standard_cost(currency), |count| count.unit_cost);
        let text = |code: &Option<stocktake::domain::Code>| code.as_ref().map(ToString::to_string);
        Self {
            id: item.id,
            stock_take_id: item.take,
            product_id: key.product,
            article_id: product.article_id.to_string(),
            product_name: product.name.to_string(),
            variant: text(&key.variant),
            stock_place: text(&key.place),
            batch_id: text(&key.batch),
            serial_nr: text(&key.serial),
            barcodes: product
                .barcodes
                .iter()
                .map(|it| it.value.to_string())
                .collect(),
            brand_id: product.brand.as_ref().map(|brand| brand.id.as_uuid()),
            category_id: product.category.as_ref().map(|it| it.id.as_uuid()),
            supplier_ids: product.suppliers.iter().map(|it| it.id).collect(),
            unit: product.unit.as_ref().map(|unit| unit.name.to_string()),
            expected_quantity: item.expected().or(on_hand).unwrap_or_default().into(),
            counted_quantity: item.counted_quantity().map(Number::from),
            variance_quantity: variance.map(Number::from),
            unit_cost: unit_cost.map(|cost| Number::minor(cost, currency)),
            adjustment_value: variance.map(|_| item.adjustment_minor()),
            status: if item.is_counted() {
                "counted"
            } else {
                "uncounted"
            },
            counted_by_id: count.map(|count| count.by),
            counted_at: count.map(|count| count.moment.at.to_string()),
        }
    }
}

impl TotalsView {
    pub(super) fn of(totals: &StockTakeTotals, currency: Currency) -> Self {
        Self {
            total_items: totals.items,
            counted: totals.counted,
            uncounted: totals.uncounted(),
            total_adjustment_value: totals.adjustment_minor,
            currency: currency.to_string(),
        }
    }
}
