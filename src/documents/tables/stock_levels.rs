//! The stock levels of a site.

use super::super::{Cell, Column, ColumnKind, Line};
use super::{OfStock, id_columns, product_columns, stock_columns};
use crate::domain::{Currency, Product, StockKey, StockLevel};

/// A level, with its product, if that is known.
#[derive(Clone, Copy, Debug)]
pub struct StockLevelLine<'r> {
    /// The level.
    pub level: &'r StockLevel,
    /// The product as it is now.
    pub product: Option<&'r Product>,
    /// The currency of the site.
    pub currency: Currency,
}

impl OfStock for StockLevelLine<'_> {
    fn product(&self) -> Option<&Product> {
        self.product
    }

    fn key(&self) -> &StockKey {
        self.level.key()
    }
}

impl Line for StockLevelLine<'_> {
    fn columns() -> Vec<Column<Self>> {
        let mut columns = Vec::from(stock_columns());
        columns.extend(product_columns());
        columns.extend([
            Column::<Self>::new("quantity", "On hand", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.level.quantity())
            })
            .summed(),
            Column::<Self>::new("reserved", "Reserved", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.level.reserved())
            })
            .summed(),
            Column::<Self>::new("value", "Value", ColumnKind::Money, |it| {
                Cell::Value(it.level.valuation().value())
            })
            .summed(),
            Column::<Self>::new("fifo_value", "Value by FIFO", ColumnKind::Money, |it| {
                Cell::Value(it.level.valuation().fifo_value())
            })
            .summed(),
            Column::<Self>::for_machines("currency", |it| {
                Cell::words(Some(it.currency.to_string()))
            }),
            Column::<Self>::new("updated_at", "Last changed", ColumnKind::Moment, |it| {
                Cell::Moment(it.level.updated_at())
            }),
        ]);
        columns.extend(id_columns());
        columns.push(Column::<Self>::for_machines("site_id", |it| {
            Cell::id(Some(it.level.key().site))
        }));
        columns
    }
}
