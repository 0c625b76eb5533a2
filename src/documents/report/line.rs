//! A line as the report reads it: of a stock take or of an inventory count.

use crate::domain::{
    Currency, InventoryCountItem, LineOutcome, LinePosting, Move, Product, Quantity, StockKey,
    Timestamp, UnitCost, UserId,
};
use crate::store::StockTakeItemView;

/// A line that was counted, or was to be: what the report needs to know of it.
#[derive(Clone, Copy, Debug)]
pub struct ReportLine<'a> {
    pub(super) product: &'a Product,
    pub(super) key: &'a StockKey,
    pub(super) currency: Currency,
    /// What the book said when it was counted; what it says now of a line that was not.
    pub(super) expected: Quantity,
    /// What was counted, also by finishing as zero.
    pub(super) counted: Option<Quantity>,
    /// Counted less expected; nothing for a line that is neither right nor wrong.
    pub(super) variance: Option<Quantity>,
    /// The value of the variance in the minor unit.
    pub(super) minor: i64,
    /// What the count alone came to, in the minor unit, whatever posting made of it.
    pub(super) minor_as_counted: i64,
    pub(super) unit_cost: Option<UnitCost>,
    /// Who counted it last, and when.
    pub(super) by: Option<(UserId, Timestamp)>,
    pub(super) outcome: Option<&'a LineOutcome>,
    pub(super) posting: Option<&'a LinePosting>,
    pub(super) zeroed: bool,
    pub(super) moves: &'a [Move],
    /// By how much stock has moved since a count that is not posted yet.
    pub(super) moved_since: Option<Quantity>,
}

impl<'a> ReportLine<'a> {
    /// A line of a stock take in this currency.
    pub fn of_stock_take(view: &'a StockTakeItemView, currency: Currency) -> Self {
        let item = &*view.item.value;
        let (count, posting) = (item.count.as_ref(), item.posting.as_ref());
        let on_hand = view.on_hand.unwrap_or(Quantity::ZERO);
        let standard = item.product.standard_cost(currency);
        let moved_since = match (count, posting) {
            (Some(count), None) => on_hand.checked_sub(count.moment.book).ok(),
            (Some(_) | None, _) => None,
        };
        Self {
            product: &item.product,
            key: &item.key,
            currency,
            expected: item.expected().unwrap_or(on_hand),
            counted: item.counted_quantity(),
            variance: item.variance(),
            minor: item.adjustment_minor(),
            minor_as_counted: count.map_or(0, |count| count.adjustment_minor),
            unit_cost: count.map_or(standard, |count| count.unit_cost),
            by: count.map(|count| (count.by, count.moment.at)),
            outcome: posting.map(|posting| &posting.outcome),
            posting,
            zeroed: posting.is_some_and(|posting| posting.zeroed),
            moves: posting.map_or(&[][..], |posting| &posting.moves),
            moved_since: moved_since.filter(|moved| !moved.is_zero()),
        }
    }

    /// A line of an inventory count in this currency.
    pub fn of_inventory_count(item: &'a InventoryCountItem, currency: Currency) -> Self {
        let (count, posting) = (&item.counted, item.posting.as_ref());
        let outcome = posting.map(|posting| &posting.outcome);
        let is_compared = match outcome {
            None | Some(LineOutcome::Adjusted | LineOutcome::Confirmed) => true,
            Some(
                LineOutcome::Uncounted
                | LineOutcome::Superseded { .. }
                | LineOutcome::Unposted { .. }
                | LineOutcome::Dismissed,
            ) => false,
        };
        Self {
            product: &item.product,
            key: &item.key,
            currency,
            expected: item.system_quantity(),
            counted: Some(count.quantity),
            variance: is_compared.then_some(item.variance.quantity()),
            minor: item.variance.minor(),
            minor_as_counted: count.adjustment_minor,
            unit_cost: count.unit_cost,
            by: Some((count.by, count.moment.at)),
            outcome,
            posting: None,
            zeroed: false,
            moves: posting.map_or(&[][..], |posting| &posting.moves),
            moved_since: None,
        }
    }
}
