//! Lists of documents, the oldest first.

use super::query::Snapshot;
use super::reads::{Documents, states};
use super::table::tables;
use crate::domain::{
    InventoryCount, InventoryCountState, InventoryOrder, InventoryOrderState, OrganisationId,
    SiteId, StockAdjustment, StockAdjustmentState, StockTake, StockTakeState,
};
use crate::store::{
    InventoryCountFilter, InventoryOrderFilter, List, Page, PageRequest, StockAdjustmentFilter,
    StockTakeFilter, StoreError, Versioned,
};

/// A site's stock takes.
pub(crate) async fn stock_takes<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    filter: &StockTakeFilter,
    request: &PageRequest,
) -> Result<Page<Versioned<StockTake>>, StoreError> {
    let StockTakeFilter { states: asked } = filter;
    let documents = Documents {
        table: &tables::STOCK_TAKE,
        list: List::new("stock_takes", format!("{organisation}/{site}"), filter),
        organisation,
        site,
        states: states(asked, StockTakeState::ALL, Some(StockTakeState::Removed)),
        from: None,
        to: None,
        equal: None,
        kept: None,
    };
    let age = |take: &StockTake| (take.created_at(), take.id());
    documents.page(s, request, age).await
}

/// A site's inventory counts.
pub(crate) async fn inventory_counts<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    filter: &InventoryCountFilter,
    request: &PageRequest,
) -> Result<Page<Versioned<InventoryCount>>, StoreError> {
    let InventoryCountFilter {
        states: asked,
        from,
        to,
    } = filter;
    let scope = format!("{organisation}/{site}");
    let documents = Documents {
        table: &tables::INVENTORY_COUNT,
        list: List::new("inventory_counts", scope, filter),
        organisation,
        site,
        states: states(asked, InventoryCountState::ALL, None),
        from: *from,
        to: *to,
        equal: None,
        kept: None,
    };
    let age = |count: &InventoryCount| (count.started_at(), count.id());
    documents.page(s, request, age).await
}

/// A site's stock adjustments.
pub(crate) async fn stock_adjustments<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    filter: &StockAdjustmentFilter,
    request: &PageRequest,
) -> Result<Page<Versioned<StockAdjustment>>, StoreError> {
    let StockAdjustmentFilter {
        states: asked,
        from,
        to,
        product,
    } = filter;
    let scope = format!("{organisation}/{site}");
    let documents = Documents {
        table: &tables::STOCK_ADJUSTMENT,
        list: List::new("stock_adjustments", scope, filter),
        organisation,
        site,
        states: states(asked, StockAdjustmentState::ALL, None),
        from: *from,
        to: *to,
        equal: product.map(|product| ("t.product", product.as_uuid())),
        kept: None,
    };
    let age = |adjustment: &StockAdjustment| (adjustment.created_at(), adjustment.id());
    documents.page(s, request, age).await
}

/// A site's inventory orders.
pub(crate) async fn inventory_orders<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    filter: &InventoryOrderFilter,
    request: &PageRequest,
) -> Result<Page<Versioned<InventoryOrder>>, StoreError> {
    let InventoryOrderFilter {
        states: asked,
        purchase_order_number,
    } = filter;
    let scope = format!("{organisation}/{site}");
    let keep = |order: &Versioned<InventoryOrder>| filter.matches(order);
    let off_lists = Some(InventoryOrderState::Removed);
    let documents = Documents {
        table: &tables::INVENTORY_ORDER,
        list: List::new("inventory_orders", scope, filter),
        organisation,
        site,
        states: states(asked, InventoryOrderState::ALL, off_lists),
        from: None,
        to: None,
        equal: None,
        kept: if purchase_order_number.is_some() {
            Some(&keep)
        } else {
            None
        },
    };
    let age = |order: &InventoryOrder| (order.created_at(), order.id());
    documents.page(s, request, age).await
}
