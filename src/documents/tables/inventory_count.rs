//! The lines of an inventory count.

use std::collections::BTreeMap;

use super::super::{Cell, Column, ColumnKind, Line};
use super::{OfStock, id_columns, named, product_columns, stock_columns};
use crate::domain::{InventoryCount, InventoryCountItem, Product, StockKey, UserId};

/// A line of a count.
#[derive(Clone, Copy, Debug)]
pub struct InventoryCountLine<'r> {
    /// The count.
    pub count: &'r InventoryCount,
    /// The line.
    pub item: &'r InventoryCountItem,
    /// What those are called who counted.
    pub people: &'r BTreeMap<UserId, String>,
}

impl OfStock for InventoryCountLine<'_> {
    fn product(&self) -> Option<&Product> {
        Some(&self.item.product)
    }

    fn key(&self) -> &StockKey {
        &self.item.key
    }
}

impl Line for InventoryCountLine<'_> {
    fn columns() -> Vec<Column<Self>> {
        let mut columns = Vec::from(stock_columns());
        columns.extend(product_columns());
        columns.extend([
            Column::<Self>::new(
                "system_quantity",
                "In the book",
                ColumnKind::Quantity,
                |it| Cell::Quantity(it.item.variance.expected()),
            )
            .summed(),
            Column::<Self>::new("counted_quantity", "Counted", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.item.counted.quantity)
            })
            .summed(),
            Column::<Self>::new("variance", "Variance", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.item.variance.quantity())
            })
            .summed(),
            Column::<Self>::new("unit_cost", "Unit cost", ColumnKind::UnitCost, |it| {
                it.item
                    .counted
                    .unit_cost
                    .map_or(Cell::Empty, Cell::UnitCost)
            }),
            Column::<Self>::new(
                "variance_value",
                "Value of variance",
                ColumnKind::Money,
                |it| Cell::Money(it.item.variance.minor().into()),
            )
            .summed(),
            Column::<Self>::for_machines("currency", |it| {
                Cell::words(Some(it.count.currency().to_string()))
            }),
            Column::<Self>::new("significant", "To be reviewed", ColumnKind::Text, |it| {
                Cell::words(Some(if it.item.significant { "yes" } else { "no" }))
            }),
            Column::<Self>::new("reason", "Reason", ColumnKind::Text, |it| {
                Cell::words(it.item.reason.as_ref().map(AsRef::as_ref))
            }),
            Column::<Self>::new("notes", "Notes", ColumnKind::Text, |it| {
                Cell::words(it.item.notes.as_ref().map(AsRef::as_ref))
            }),
            Column::<Self>::new("counted_at", "Counted", ColumnKind::Moment, |it| {
                Cell::Moment(it.item.counted.moment.at)
            }),
            Column::<Self>::for_people("Counted by", |it| named(it.people, it.item.counted.by)),
            Column::<Self>::for_machines("counted_by_id", |it| Cell::id(Some(it.item.counted.by))),
        ]);
        columns.extend(id_columns());
        columns.extend([
            Column::<Self>::for_machines("id", |it| Cell::id(Some(it.item.id))),
            Column::<Self>::for_machines("inventory_count_id", |it| Cell::id(Some(it.item.count))),
        ]);
        columns
    }
}
