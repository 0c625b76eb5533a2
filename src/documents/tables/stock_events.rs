//! The ledger of a site.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::super::{Cell, Column, ColumnKind, Line};
use super::{OfStock, code_of, named, stock_columns};
use crate::domain::{Currency, LedgerEntry, Product, StockEventKind, StockKey, UserId};

/// An event of the ledger, with its product, if that is known.
#[derive(Clone, Copy, Debug)]
pub struct StockEventLine<'r> {
    /// The event, and its place.
    pub entry: &'r LedgerEntry,
    /// The product as it is now.
    pub product: Option<&'r Product>,
    /// The currency of the site.
    pub currency: Currency,
    /// What those are called who recorded.
    pub people: &'r BTreeMap<UserId, String>,
}

impl OfStock for StockEventLine<'_> {
    fn product(&self) -> Option<&Product> {
        self.product
    }

    fn key(&self) -> &StockKey {
        &self.entry.event.key
    }
}

impl Line for StockEventLine<'_> {
    fn columns() -> Vec<Column<Self>> {
        let mut columns = vec![
            Column::<Self>::new("position", "Number", ColumnKind::Quantity, |it| {
                Cell::Number(Decimal::from(it.entry.position))
            }),
            Column::<Self>::new("occurred_at", "Happened", ColumnKind::Moment, |it| {
                Cell::Moment(it.entry.event.occurred_at)
            }),
        ];
        columns.extend(stock_columns());
        columns.extend([
            Column::<Self>::for_machines("kind", |it| {
                Cell::words(Some(it.entry.event.kind.as_str()))
            }),
            Column::<Self>::for_people("What happened", |it| {
                Cell::words(Some(told(it.entry.event.kind)))
            }),
            Column::<Self>::new("change", "Change", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.entry.event.change)
            })
            .summed(),
            Column::<Self>::new("before", "Before", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.entry.event.before)
            }),
            Column::<Self>::new("after", "After", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.entry.event.after)
            }),
            Column::<Self>::new("unit_cost", "Unit cost", ColumnKind::UnitCost, |it| {
                Cell::UnitCost(it.entry.event.unit_cost)
            }),
            Column::<Self>::new("value_change", "Change of value", ColumnKind::Money, |it| {
                Cell::Value(it.entry.event.value_change)
            })
            .summed(),
            Column::<Self>::for_machines("value_difference", |it| {
                Cell::Value(it.entry.event.difference)
            }),
            Column::<Self>::for_machines("currency", |it| {
                Cell::words(Some(it.currency.to_string()))
            }),
            Column::<Self>::new("reason", "Reason", ColumnKind::Text, |it| {
                Cell::words(it.entry.event.reason.as_ref().map(AsRef::as_ref))
            }),
            Column::<Self>::new("reference", "Reference", ColumnKind::Code, |it| {
                code_of(it.entry.event.reference.as_ref())
            }),
            Column::<Self>::new("recorded_at", "Recorded", ColumnKind::Moment, |it| {
                Cell::Moment(it.entry.event.recorded_at)
            }),
            Column::<Self>::for_people("Recorded by", |it| {
                named(it.people, it.entry.event.recorded_by)
            }),
            Column::<Self>::for_machines("recorded_by_id", |it| {
                Cell::id(Some(it.entry.event.recorded_by))
            }),
            Column::<Self>::for_machines("product_id", |it| Cell::id(Some(it.key().product))),
            Column::<Self>::for_machines("site_id", |it| Cell::id(Some(it.key().site))),
            Column::<Self>::for_machines("id", |it| Cell::id(Some(it.entry.event.id))),
        ]);
        columns
    }
}

/// What happened, as people say it.
const fn told(kind: StockEventKind) -> &'static str {
    match kind {
        StockEventKind::Receipt => "received",
        StockEventKind::Issue => "issued",
        StockEventKind::TransferOut => "moved to another place",
        StockEventKind::TransferIn => "moved from another place",
        StockEventKind::CustomerReturn => "returned by a customer",
        StockEventKind::SupplierReturn => "returned to the supplier",
        StockEventKind::CountVariance => "found by counting",
        StockEventKind::Adjustment => "adjusted",
        StockEventKind::ExternalReset => "set from outside",
        StockEventKind::ExternalAdjustment => "changed from outside",
        StockEventKind::Removed => "no longer kept on stock",
        StockEventKind::Reversal => "taken back",
        StockEventKind::Absorption => "balanced: a count knew of it already",
        StockEventKind::Revaluation => "valued anew",
    }
}
