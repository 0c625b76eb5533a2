//! What filters let through.

use std::collections::BTreeSet;

use crate::domain::{Code, CountStatus, LineOutcome, Product, SearchText, StockTakeItem};
use crate::store::StockTakeItemFilter;

/// Whether a line waits to be posted again or dismissed.
pub(super) fn is_left_over(item: &StockTakeItem) -> bool {
    item.posting
        .as_ref()
        .is_some_and(|posting| matches!(posting.outcome, LineOutcome::Unposted { .. }))
}

/// Whether any of these is wanted, or anything is.
fn among<Id: Ord>(wanted: &BTreeSet<Id>, mut ids: impl Iterator<Item = Id>) -> bool {
    wanted.is_empty() || ids.any(|id| wanted.contains(&id))
}

/// Whether a filter lets a line through.
pub(super) fn lets_through(filter: &StockTakeItemFilter, item: &StockTakeItem) -> bool {
    let StockTakeItemFilter {
        brands,
        categories,
        suppliers,
        name,
        name_or_barcode,
        status,
        changed_after,
        place,
        article,
        batch,
        serial,
        left_over,
    } = filter;
    let equal = |wanted: &Option<Code>, actual: &Option<Code>| wanted.is_none() || wanted == actual;
    let product = item.product.as_ref();
    // The cheap conditions first.
    (match status {
        CountStatus::All => true,
        CountStatus::Counted => item.count.is_some(),
        CountStatus::Uncounted => item.count.is_none(),
    }) && (!left_over || is_left_over(item))
        && changed_after.is_none_or(|moment| item.updated_at > moment)
        && equal(place, &item.key.place)
        && equal(batch, &item.key.batch)
        && equal(serial, &item.key.serial)
        && article
            .as_ref()
            .is_none_or(|article| product.article_id == *article)
        && among(brands, product.brand.iter().map(|brand| brand.id))
        && among(
            categories,
            product.category.iter().map(|category| category.id),
        )
        && among(
            suppliers,
            product.suppliers.iter().map(|supplier| supplier.id),
        )
        && name
            .as_ref()
            .is_none_or(|text| text.is_in(product.name.as_str()))
        && name_or_barcode
            .as_ref()
            .is_none_or(|text| has_text(text, product))
}

/// Whether a text stands in a product's name or in one of its barcodes.
pub(super) fn has_text(text: &SearchText, product: &Product) -> bool {
    text.is_in(product.name.as_str())
        || product
            .barcodes
            .iter()
            .any(|barcode| text.is_in(barcode.value.as_str()))
}
