//! What stands in which column of which document, in the words of the API and in those of people.

mod inventory_count;
mod inventory_order;
mod stock_adjustments;
mod stock_events;
mod stock_levels;
mod stock_take;

pub use inventory_count::InventoryCountLine;
pub use inventory_order::InventoryOrderLine;
pub use stock_adjustments::StockAdjustmentLine;
pub use stock_events::StockEventLine;
pub use stock_levels::StockLevelLine;
pub use stock_take::StockTakeLine;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Cell, Column, ColumnKind};
use crate::domain::{Code, Product, StockKey, UserId};

/// A line that is about a product at a place.
trait OfStock {
    /// The product, if it is known (any more).
    fn product(&self) -> Option<&Product>;

    /// What exactly is meant.
    fn key(&self) -> &StockKey;
}

fn code_of(code: Option<&Code>) -> Cell<'_> {
    Cell::code(code.map(Code::as_str))
}

/// What somebody is called, or the id.
fn named(people: &BTreeMap<UserId, String>, user: UserId) -> Cell<'_> {
    people.get(&user).map_or_else(
        || Cell::id(Some(user)),
        |name| Cell::words(Some(name.as_str())),
    )
}

/// Several words in one cell.
fn listed<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<Cow<'a, str>> {
    let mut all = Cow::Borrowed(parts.next()?);
    for part in parts {
        let all = all.to_mut();
        all.push_str("; ");
        all.push_str(part);
    }
    Some(all)
}

/// Which product, and exactly which of it.
fn stock_columns<T: OfStock>() -> [Column<T>; 6] {
    [
        Column::new("article_id", "Article", ColumnKind::Code, |it| {
            code_of(it.product().map(|product| &product.article_id))
        }),
        Column::new("product_name", "Product", ColumnKind::Text, |it| {
            Cell::words(it.product().map(|product| product.name.as_str()))
        }),
        Column::new("variant", "Variant", ColumnKind::Code, |it| {
            code_of(it.key().variant.as_ref())
        }),
        Column::new("stock_place", "Stock place", ColumnKind::Code, |it| {
            code_of(it.key().place.as_ref())
        }),
        Column::new("batch_id", "Batch", ColumnKind::Code, |it| {
            code_of(it.key().batch.as_ref())
        }),
        Column::new("serial_nr", "Serial number", ColumnKind::Code, |it| {
            code_of(it.key().serial.as_ref())
        }),
    ]
}

/// What is known of the product besides.
fn product_columns<T: OfStock>() -> [Column<T>; 5] {
    [
        Column::new("barcodes", "Barcodes", ColumnKind::Code, |it| {
            let barcodes = it
                .product()
                .into_iter()
                .flat_map(|product| &product.barcodes);
            Cell::code(listed(barcodes.map(|barcode| barcode.value.as_str())))
        }),
        Column::new("brand", "Brand", ColumnKind::Text, |it| {
            let brand = it.product().and_then(|product| product.brand.as_ref());
            Cell::words(brand.map(|brand| brand.name.as_str()))
        }),
        Column::new("category", "Category", ColumnKind::Text, |it| {
            let category = it.product().and_then(|product| product.category.as_ref());
            Cell::words(category.map(|category| category.name.as_str()))
        }),
        Column::new("suppliers", "Suppliers", ColumnKind::Text, |it| {
            let suppliers = it.product().into_iter().flat_map(|it| &it.suppliers);
            Cell::words(listed(suppliers.map(|supplier| supplier.name.as_str())))
        }),
        Column::new("unit", "Unit", ColumnKind::Text, |it| {
            let unit = it.product().and_then(|product| product.unit.as_ref());
            Cell::words(unit.map(|unit| unit.name.as_str()))
        }),
    ]
}

/// The ids of what the columns above name.
fn id_columns<T: OfStock>() -> [Column<T>; 4] {
    [
        Column::for_machines("brand_id", |it| {
            Cell::id(
                it.product()
                    .and_then(|it| it.brand.as_ref())
                    .map(|it| it.id),
            )
        }),
        Column::for_machines("category_id", |it| {
            Cell::id(
                it.product()
                    .and_then(|it| it.category.as_ref())
                    .map(|it| it.id),
            )
        }),
        Column::for_machines("supplier_ids", |it| {
            let suppliers = it.product().map_or(&[][..], |it| it.suppliers.as_slice());
            if let [only] = suppliers {
                return Cell::id(Some(only.id));
            }
            let ids: Vec<String> = suppliers.iter().map(|it| it.id.to_string()).collect();
            Cell::code(Some(ids.join("; ")).filter(|ids| !ids.is_empty()))
        }),
        Column::for_machines("product_id", |it| Cell::id(Some(it.key().product))),
    ]
}
