//! The lines of takes and orders as tables: what stands in which column, in the words of the documents.

use super::CsvWriter;
use crate::domain::{InventoryOrder, InventoryOrderItem, Quantity, StockTake};
use crate::store::StockTakeItemView;

/// The columns of a take's lines.
const STOCK_TAKE_COLUMNS: &[&str] = &[
    "article_id",
    "product_name",
    "variant",
    "stock_place",
    "batch_id",
    "serial_nr",
    "barcodes",
    "brand",
    "category",
    "suppliers",
    "unit",
    "expected_quantity",
    "counted_quantity",
    "variance_quantity",
    "unit_cost",
    "adjustment_value",
    "currency",
    "status",
    "counted_at",
    "counted_by_id",
    "brand_id",
    "category_id",
    "supplier_ids",
    "product_id",
    "id",
    "stock_take_id",
];

/// The columns of an order's lines.
const INVENTORY_ORDER_COLUMNS: &[&str] = &[
    "article_id",
    "product_name",
    "variant",
    "brand",
    "category",
    "quantity",
    "received_quantity",
    "outstanding_quantity",
    "unit_price",
    "total",
    "currency",
    "brand_id",
    "category_id",
    "product_id",
    "id",
    "inventory_order_id",
];

/// Writes the names of the columns of a take's lines.
pub fn stock_take_header(csv: &mut CsvWriter) {
    header(csv, STOCK_TAKE_COLUMNS);
}

/// Writes a line of a take. What was not counted is empty, never zero; costs and values are in the minor unit,
/// costs with a fraction where they have one.
pub fn stock_take_row(csv: &mut CsvWriter, take: &StockTake, view: &StockTakeItemView) {
    let item = &*view.item.value;
    let (key, product, count) = (&item.key, &item.product, item.count.as_ref());
    let found = item.variance();
    let expected = item.expected().or(view.on_hand).unwrap_or(Quantity::ZERO);
    let unit_cost = count.map_or_else(
        || product.standard_cost(take.currency()),
        |count| count.unit_cost,
    );
    let list = |parts: Vec<String>| parts.join("; ");
    csv.text(product.article_id.as_str())
        .text(product.name.as_str())
        .optional_text(key.variant.as_ref().map(AsRef::as_ref))
        .optional_text(key.place.as_ref().map(AsRef::as_ref))
        .optional_text(key.batch.as_ref().map(AsRef::as_ref))
        .optional_text(key.serial.as_ref().map(AsRef::as_ref))
        .text(&list(
            product
                .barcodes
                .iter()
                .map(|barcode| barcode.value.to_string())
                .collect(),
        ))
        .optional_text(product.brand.as_ref().map(|brand| brand.name.as_str()))
        .optional_text(product.category.as_ref().map(|it| it.name.as_str()))
        .text(&list(
            product
                .suppliers
                .iter()
                .map(|supplier| supplier.name.to_string())
                .collect(),
        ))
        .optional_text(product.unit.as_ref().map(|unit| unit.name.as_str()))
        .number(expected)
        .optional_number(item.counted_quantity())
        .optional_number(found)
        .optional_number(unit_cost.map(|cost| cost.in_minor_units(take.currency())))
        .optional_number(found.map(|_| item.adjustment_minor()))
        .text(&take.currency().to_string())
        .text(if item.is_counted() {
            "counted"
        } else {
            "uncounted"
        })
        .optional_text(count.map(|it| it.moment.at.to_string()).as_deref())
        .optional_text(count.map(|it| it.by.to_string()).as_deref())
        .optional_text(
            product
                .brand
                .as_ref()
                .map(|it| it.id.to_string())
                .as_deref(),
        )
        .optional_text(
            product
                .category
                .as_ref()
                .map(|it| it.id.to_string())
                .as_deref(),
        )
        .text(&list(
            product
                .suppliers
                .iter()
                .map(|supplier| supplier.id.to_string())
                .collect(),
        ))
        .text(&product.id.to_string())
        .text(&item.id.to_string())
        .text(&item.take.to_string())
        .end_row();
}

/// Writes the names of the columns of an order's lines.
pub fn inventory_order_header(csv: &mut CsvWriter) {
    header(csv, INVENTORY_ORDER_COLUMNS);
}

/// Writes a line of an order. Prices are in the minor unit.
pub fn inventory_order_row(csv: &mut CsvWriter, order: &InventoryOrder, item: &InventoryOrderItem) {
    let product = item.product();
    csv.text(product.article_id.as_str())
        .text(product.name.as_str())
        .optional_text(item.variant().map(AsRef::as_ref))
        .optional_text(product.brand.as_ref().map(|brand| brand.name.as_str()))
        .optional_text(product.category.as_ref().map(|it| it.name.as_str()))
        .number(item.ordered().quantity)
        .number(item.received())
        .number(order.outstanding(item))
        .number(item.ordered().unit_price_minor)
        .number(item.total_minor())
        .text(&order.currency().to_string())
        .optional_text(
            product
                .brand
                .as_ref()
                .map(|it| it.id.to_string())
                .as_deref(),
        )
        .optional_text(
            product
                .category
                .as_ref()
                .map(|it| it.id.to_string())
                .as_deref(),
        )
        .text(&product.id.to_string())
        .text(&item.id().to_string())
        .text(&item.order().to_string())
        .end_row();
}

fn header(csv: &mut CsvWriter, columns: &[&str]) {
    for column in columns {
        csv.text(column);
    }
    csv.end_row();
}
