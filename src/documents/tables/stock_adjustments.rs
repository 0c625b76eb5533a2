//! The stock adjustments of a site.

use super::super::{Cell, Column, ColumnKind, Line};
use super::{OfStock, code_of, stock_columns};
use crate::domain::{Product, StockAdjustment, StockKey, UserSummary};

/// An adjustment, with its product, if that is known.
#[derive(Clone, Copy, Debug)]
pub struct StockAdjustmentLine<'r> {
    /// The adjustment.
    pub adjustment: &'r StockAdjustment,
    /// The product as it is now.
    pub product: Option<&'r Product>,
}

impl OfStock for StockAdjustmentLine<'_> {
    fn product(&self) -> Option<&Product> {
        self.product
    }

    fn key(&self) -> &StockKey {
        self.adjustment.key()
    }
}

impl Line for StockAdjustmentLine<'_> {
    fn columns() -> Vec<Column<Self>> {
        let mut columns = Vec::from(stock_columns());
        columns.extend([
            Column::<Self>::for_machines("type", |it| {
                Cell::words(Some(it.adjustment.kind().as_str()))
            }),
            Column::<Self>::for_people("Type", |it| {
                Cell::words(Some(it.adjustment.kind().as_str().to_lowercase()))
            }),
            Column::<Self>::new("quantity_change", "Change", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.adjustment.change())
            })
            .summed_of(is_applied),
            Column::<Self>::new("quantity_before", "Before", ColumnKind::Quantity, |it| {
                (it.adjustment.applied()).map_or(Cell::Empty, |it| Cell::Quantity(it.before))
            }),
            Column::<Self>::new("quantity_after", "After", ColumnKind::Quantity, |it| {
                (it.adjustment.applied()).map_or(Cell::Empty, |it| Cell::Quantity(it.after))
            }),
            Column::<Self>::new("cost_impact", "Cost impact", ColumnKind::Money, |it| {
                Cell::Money(it.adjustment.cost_impact_minor().into())
            })
            .summed_of(is_applied),
            Column::<Self>::for_machines("currency", |it| {
                Cell::words(Some(it.adjustment.currency().to_string()))
            }),
            Column::<Self>::new("reason", "Reason", ColumnKind::Text, |it| {
                Cell::words(Some(it.adjustment.reason().as_str()))
            }),
            Column::<Self>::new("notes", "Notes", ColumnKind::Text, |it| {
                Cell::words(it.adjustment.notes().map(AsRef::as_ref))
            }),
            Column::<Self>::new("reference", "Reference", ColumnKind::Code, |it| {
                code_of(it.adjustment.reference())
            }),
            Column::<Self>::new("status", "Status", ColumnKind::Text, |it| {
                Cell::words(Some(it.adjustment.state().as_str()))
            }),
            Column::<Self>::new("created_at", "Asked for", ColumnKind::Moment, |it| {
                Cell::Moment(it.adjustment.created_at())
            }),
            Column::<Self>::for_people("Asked for by", |it| {
                Cell::words(Some(it.adjustment.created_by().shown_name()))
            }),
            Column::<Self>::for_machines("created_by_id", |it| {
                Cell::id(Some(it.adjustment.created_by().id))
            }),
            Column::<Self>::new("decided_at", "Decided", ColumnKind::Moment, |it| {
                Cell::moment(it.adjustment.decided_at())
            }),
            Column::<Self>::for_people("Decided by", |it| {
                Cell::words(it.adjustment.decided_by().map(UserSummary::shown_name))
            }),
            Column::<Self>::for_machines("decided_by_id", |it| {
                Cell::id(it.adjustment.decided_by().map(|it| it.id))
            }),
            Column::<Self>::new(
                "decision_notes",
                "Words on the decision",
                ColumnKind::Text,
                |it| Cell::words(it.adjustment.decision_notes().map(AsRef::as_ref)),
            ),
            Column::<Self>::for_machines("inventory_count_id", |it| {
                Cell::id(it.adjustment.count())
            }),
            Column::<Self>::for_machines("product_id", |it| Cell::id(Some(it.key().product))),
            Column::<Self>::for_machines("site_id", |it| Cell::id(Some(it.adjustment.site()))),
            Column::<Self>::for_machines("id", |it| Cell::id(Some(it.adjustment.id()))),
        ]);
        columns
    }
}

/// What waits or was rejected has changed nothing, and is in no sum.
const fn is_applied(it: &StockAdjustmentLine<'_>) -> bool {
    it.adjustment.applied().is_some()
}
