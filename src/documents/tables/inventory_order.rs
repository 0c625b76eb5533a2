//! The lines of an inventory order.

use super::super::{Cell, Column, ColumnKind, Line};
use super::code_of;
use crate::domain::{InventoryOrder, InventoryOrderItem};

/// A line of an order.
#[derive(Clone, Copy, Debug)]
pub struct InventoryOrderLine<'r> {
    /// The order.
    pub order: &'r InventoryOrder,
    /// The line.
    pub item: &'r InventoryOrderItem,
}

impl Line for InventoryOrderLine<'_> {
    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::<Self>::new("article_id", "Article", ColumnKind::Code, |it| {
                code_of(Some(&it.item.product().article_id))
            }),
            Column::<Self>::new("product_name", "Product", ColumnKind::Text, |it| {
                Cell::words(Some(it.item.product().name.as_str()))
            }),
            Column::<Self>::new("variant", "Variant", ColumnKind::Code, |it| {
                code_of(it.item.variant())
            }),
            Column::<Self>::new("brand", "Brand", ColumnKind::Text, |it| {
                Cell::words(it.item.product().brand.as_ref().map(|it| it.name.as_str()))
            }),
            Column::<Self>::new("category", "Category", ColumnKind::Text, |it| {
                let category = it.item.product().category.as_ref();
                Cell::words(category.map(|it| it.name.as_str()))
            }),
            Column::<Self>::new("quantity", "Ordered", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.item.ordered().quantity)
            })
            .summed(),
            Column::<Self>::new(
                "received_quantity",
                "Received",
                ColumnKind::Quantity,
                |it| Cell::Quantity(it.item.received()),
            )
            .summed(),
            Column::<Self>::new(
                "outstanding_quantity",
                "Outstanding",
                ColumnKind::Quantity,
                |it| Cell::Quantity(it.order.outstanding(it.item)),
            )
            .summed(),
            Column::<Self>::new("unit_price", "Unit price", ColumnKind::Money, |it| {
                Cell::Money(it.item.ordered().unit_price_minor.into())
            }),
            Column::<Self>::new("total", "Total", ColumnKind::Money, |it| {
                Cell::Money(it.item.total_minor().into())
            })
            .summed(),
            Column::<Self>::for_machines("currency", |it| {
                Cell::words(Some(it.order.currency().to_string()))
            }),
            Column::<Self>::for_machines("brand_id", |it| {
                Cell::id(it.item.product().brand.as_ref().map(|it| it.id))
            }),
            Column::<Self>::for_machines("category_id", |it| {
                Cell::id(it.item.product().category.as_ref().map(|it| it.id))
            }),
            Column::<Self>::for_machines("product_id", |it| Cell::id(Some(it.item.product().id))),
            Column::<Self>::for_machines("id", |it| Cell::id(Some(it.item.id()))),
            Column::<Self>::for_machines("inventory_order_id", |it| {
                Cell::id(Some(it.item.order()))
            }),
        ]
    }
}
