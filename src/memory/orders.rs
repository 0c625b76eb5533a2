//! Inventory orders and their lines.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::documents::{Document, Documents, Wanted, states_asked_for};
use super::merged::{Course, Walk};
use super::stock::count;
use super::table::{Row, Table};
use crate::domain::{
    InventoryOrder, InventoryOrderId, InventoryOrderItem, InventoryOrderItemId,
    InventoryOrderState, OrganisationId, SiteId, Timestamp,
};
use crate::store::{
    InventoryOrderFilter, InventoryOrderItemFilter, List, Page, PageRequest, StoreError,
};

/// The orders of an organisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    pub(super) headers: Documents<InventoryOrder>,
    lines: HashMap<InventoryOrderId, OrderLines>,
}

/// The lines of an order.
#[derive(Clone, Debug, Default)]
struct OrderLines {
    rows: Table<InventoryOrderItemId, InventoryOrderItem>,
    places: BTreeSet<Place>,
}

/// Where a line stands in its order; the id makes the order total whatever is written.
type Place = (u64, InventoryOrderItemId);

fn place(item: &InventoryOrderItem) -> Place {
    (item.line(), item.id())
}

impl Document for InventoryOrder {
    type Id = InventoryOrderId;
    type Scope = (SiteId, InventoryOrderState);

    fn id(&self) -> InventoryOrderId {
        Self::id(self)
    }

    fn began_at(&self) -> Timestamp {
        self.created_at()
    }

    fn scopes(&self) -> impl Iterator<Item = Self::Scope> {
        std::iter::once((self.site(), self.state()))
    }
}

impl Orders {
    /// A page of a site's orders; removed ones only when they are asked for.
    pub(super) fn of_site(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryOrderFilter,
        request: &PageRequest,
    ) -> Result<Page<Row<InventoryOrder>>, StoreError> {
        let scope = format_args!("{organisation}/{site}");
        let list = List::new("inventory_orders", scope, filter);
        let InventoryOrderFilter {
            states,
            purchase_order_number,
        } = filter;
        let states = states_asked_for(states, InventoryOrderState::ALL, |state| {
            state == InventoryOrderState::Removed
        });
        let has_number = |order: &InventoryOrder| filter.matches(order);
        let wanted = Wanted {
            scopes: states.into_iter().map(|state| (site, state)).collect(),
            from: None,
            to: None,
            keep: (purchase_order_number.is_some()).then_some(&has_number),
        };
        self.headers.page(list, &wanted, request)
    }

    pub(super) fn line(
        &self,
        order: InventoryOrderId,
        id: InventoryOrderItemId,
    ) -> Option<&Row<InventoryOrderItem>> {
        self.lines.get(&order)?.rows.get(id)
    }

    /// Creates or replaces a line.
    pub(super) fn put_line(&mut self, item: &InventoryOrderItem) {
        let lines = self.lines.entry(item.order()).or_default();
        if let Some(before) = lines.rows.put(item.id(), Arc::new(item.clone())) {
            lines.places.remove(&place(&before));
        }
        lines.places.insert(place(item));
    }

    /// Deletes a line.
    pub(super) fn delete_line(&mut self, order: InventoryOrderId, id: InventoryOrderItemId) {
        if let Some(lines) = self.lines.get_mut(&order)
            && let Some(before) = lines.rows.delete(id)
        {
            lines.places.remove(&place(&before));
        }
    }

    /// A page of an order's lines; none of an order that is not there. An order has a few thousand lines at
    /// most, so these need no index but their order.
    pub(super) fn lines_page(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        request: &PageRequest,
    ) -> Result<Page<Row<InventoryOrderItem>>, StoreError> {
        let scope = format_args!("{organisation}/{order}");
        let list = List::new("inventory_order_items", scope, filter);
        let after = list.after::<Place>(request, |_| true)?;
        let rows = |from: Course<Place>| {
            self.lines
                .get(&order)
                .into_iter()
                .flat_map(move |lines| {
                    let places = Walk::of(&lines.places, &from);
                    places.filter_map(|place| lines.rows.get(place.1).map(|row| (place, row)))
                })
                .filter(|(_, row)| filter.matches(&row.value))
        };
        let total = request
            .with_total
            .then(|| count(rows(Course::after(None, false))));
        let from = Course::after(after, request.reversed);
        let page = list.page(request, rows(from), total);
        Ok(page.map(Clone::clone))
    }
}
