//! The lines of a stock take.

use std::collections::BTreeMap;

use super::super::{Cell, Column, ColumnKind, Line};
use super::{OfStock, id_columns, named, product_columns, stock_columns};
use crate::domain::{Product, Quantity, StockKey, StockTake, StockTakeItem, UserId};
use crate::store::StockTakeItemView;

/// A line of a take. What was not counted is empty, never zero.
#[derive(Clone, Copy, Debug)]
pub struct StockTakeLine<'r> {
    /// The take.
    pub take: &'r StockTake,
    /// The line, with what is on hand now.
    pub view: &'r StockTakeItemView,
    /// What those are called who counted.
    pub people: &'r BTreeMap<UserId, String>,
}

impl StockTakeLine<'_> {
    fn item(&self) -> &StockTakeItem {
        &self.view.item.value
    }
}

impl OfStock for StockTakeLine<'_> {
    fn product(&self) -> Option<&Product> {
        Some(&self.item().product)
    }

    fn key(&self) -> &StockKey {
        &self.item().key
    }
}

impl Line for StockTakeLine<'_> {
    fn columns() -> Vec<Column<Self>> {
        let mut columns = Vec::from(stock_columns());
        columns.extend(product_columns());
        columns.extend([
            Column::<Self>::new(
                "expected_quantity",
                "Expected",
                ColumnKind::Quantity,
                |it| {
                    let expected = it.item().expected().or(it.view.on_hand);
                    Cell::Quantity(expected.unwrap_or(Quantity::ZERO))
                },
            )
            .summed(),
            Column::<Self>::new("counted_quantity", "Counted", ColumnKind::Quantity, |it| {
                (it.item().counted_quantity()).map_or(Cell::Empty, Cell::Quantity)
            })
            .summed(),
            Column::<Self>::new(
                "variance_quantity",
                "Variance",
                ColumnKind::Quantity,
                |it| it.item().variance().map_or(Cell::Empty, Cell::Quantity),
            )
            .summed(),
            Column::<Self>::new("unit_cost", "Unit cost", ColumnKind::UnitCost, |it| {
                let item = it.item();
                let cost = match &item.count {
                    Some(count) => count.unit_cost,
                    None => item.product.standard_cost(it.take.currency()),
                };
                cost.map_or(Cell::Empty, Cell::UnitCost)
            }),
            Column::<Self>::new(
                "adjustment_value",
                "Value of variance",
                ColumnKind::Money,
                |it| {
                    let adjustment = || Cell::Money(it.item().adjustment_minor().into());
                    it.item().variance().map_or(Cell::Empty, |_| adjustment())
                },
            )
            .summed(),
            Column::<Self>::for_machines("currency", |it| {
                Cell::words(Some(it.take.currency().to_string()))
            }),
            Column::<Self>::new("status", "Status", ColumnKind::Text, |it| {
                let counted = it.item().is_counted();
                Cell::words(Some(if counted { "counted" } else { "uncounted" }))
            }),
            Column::<Self>::new("counted_at", "Counted", ColumnKind::Moment, |it| {
                Cell::moment(it.item().count.as_ref().map(|count| count.moment.at))
            }),
            Column::<Self>::for_people("Counted by", |it| {
                let count = it.item().count.as_ref();
                count.map_or(Cell::Empty, |count| named(it.people, count.by))
            }),
            Column::<Self>::for_machines("counted_by_id", |it| {
                Cell::id(it.item().count.as_ref().map(|count| count.by))
            }),
        ]);
        columns.extend(id_columns());
        columns.extend([
            Column::<Self>::for_machines("id", |it| Cell::id(Some(it.item().id))),
            Column::<Self>::for_machines("stock_take_id", |it| Cell::id(Some(it.item().take))),
        ]);
        columns
    }
}
