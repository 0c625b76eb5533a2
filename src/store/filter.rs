//! What lists can be narrowed to, and how they are ordered.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::{ChangeToken, DigestBuilder};
use crate::domain::{
    BrandId, CategoryId, Code, CountStatus, InventoryCount, InventoryCountItem,
    InventoryCountState, InventoryOrder, InventoryOrderItem, InventoryOrderState, Product,
    ProductId, SearchText, StockAdjustment, StockAdjustmentState, StockEvent, StockLevel,
    StockTakeItem, StockTakeState, SupplierId, Timestamp,
};

/// The most ids that one condition of a filter takes.
pub const MAX_FILTER_IDS: usize = 100;

/// Why a filter is refused: a condition has more ids than [`MAX_FILTER_IDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {MAX_FILTER_IDS} ids")]
pub struct TooManyIds {
    /// Which condition, as the filter names it.
    pub condition: &'static str,
}

/// Refuses more ids than a filter takes.
fn few<T>(condition: &'static str, ids: &BTreeSet<T>) -> Result<(), TooManyIds> {
    if ids.len() > MAX_FILTER_IDS {
        Err(TooManyIds { condition })
    } else {
        Ok(())
    }
}

/// What a list is narrowed by.
pub trait Filter {
    /// Adds what it narrows by to a digest. A condition that is not set adds nothing, so that one which a
    /// later version of the library adds does not spoil the cursors that are kept in running work.
    #[must_use]
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder;
}

/// Everything.
impl Filter for () {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        digest
    }
}

/// A condition on one value.
fn one(digest: DigestBuilder, name: &str, value: Option<impl Display>) -> DigestBuilder {
    match value {
        Some(value) => digest.field(name).field(value),
        None => digest,
    }
}

/// A condition that any of some values fulfils.
fn any<T: Display>(digest: DigestBuilder, name: &str, values: &BTreeSet<T>) -> DigestBuilder {
    if values.is_empty() {
        return digest;
    }
    let digest = digest.field(name).field(values.len());
    values.iter().fold(digest, DigestBuilder::field)
}

/// Whether any of these is wanted, or anything is.
fn among<T: Ord>(wanted: &BTreeSet<T>, mut of: impl Iterator<Item = T>) -> bool {
    wanted.is_empty() || of.any(|value| wanted.contains(&value))
}

/// Whether a moment lies in a span: from the first on, before the second.
fn spans(from: Option<Timestamp>, to: Option<Timestamp>, at: Timestamp) -> bool {
    from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
}

/// Whether a text stands in a product's name or in one of its barcodes.
fn has_text(text: &SearchText, product: &Product) -> bool {
    let barcodes = product.barcodes.iter();
    text.is_in(product.name.as_str())
        || barcodes.into_iter().any(|it| text.is_in(it.value.as_str()))
}

/// Which stock takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StockTakeFilter {
    /// In any of these states; empty: in any state but removed.
    pub states: BTreeSet<StockTakeState>,
}

impl StockTakeFilter {
    /// Whether a take in this state is meant.
    pub fn matches(&self, state: StockTakeState) -> bool {
        if self.states.is_empty() {
            state != StockTakeState::Removed
        } else {
            self.states.contains(&state)
        }
    }
}

impl Filter for StockTakeFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self { states } = self;
        any(digest, "states", states)
    }
}

/// Which lines of a take: all conditions hold; within each of the sets, any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StockTakeItemFilter {
    /// Of any of these brands.
    pub brands: BTreeSet<BrandId>,
    /// Of any of these categories.
    pub categories: BTreeSet<CategoryId>,
    /// From any of these suppliers.
    pub suppliers: BTreeSet<SupplierId>,
    /// With this in the product's name.
    pub name: Option<SearchText>,
    /// With this in the product's name or in one of its barcodes.
    pub name_or_barcode: Option<SearchText>,
    /// Counted or not.
    pub status: CountStatus,
    /// At this stock place.
    pub place: Option<Code>,
    /// Of this article.
    pub article: Option<Code>,
    /// Of this batch.
    pub batch: Option<Code>,
    /// With this serial number.
    pub serial: Option<Code>,
    /// Only lines that wait to be posted again or dismissed.
    pub left_over: bool,
}

impl StockTakeItemFilter {
    /// Whether it asks for no more than a store is asked.
    ///
    /// # Errors
    ///
    /// [`TooManyIds`].
    pub fn check(&self) -> Result<(), TooManyIds> {
        few("brands", &self.brands)?;
        few("categories", &self.categories)?;
        few("suppliers", &self.suppliers)
    }

    /// Whether it narrows by nothing but whether lines are counted.
    pub fn is_by_status_only(&self) -> bool {
        *self
            == Self {
                status: self.status,
                ..Self::default()
            }
    }

    /// Whether it lets a line through.
    pub fn matches(&self, item: &StockTakeItem) -> bool {
        let Self {
            brands,
            categories,
            suppliers,
            name,
            name_or_barcode,
            status,
            place,
            article,
            batch,
            serial,
            left_over,
        } = self;
        let equal =
            |wanted: &Option<Code>, actual: &Option<Code>| wanted.is_none() || wanted == actual;
        let product = item.product.as_ref();
        let has_status = match status {
            CountStatus::All => true,
            CountStatus::Counted => item.is_counted(),
            CountStatus::Uncounted => !item.is_counted(),
        };
        // The cheap conditions first.
        has_status
            && (!left_over || item.is_left_over())
            && equal(place, &item.key.place)
            && equal(batch, &item.key.batch)
            && equal(serial, &item.key.serial)
            && (article.as_ref()).is_none_or(|article| product.article_id == *article)
            && among(brands, product.brand.iter().map(|it| it.id))
            && among(categories, product.category.iter().map(|it| it.id))
            && among(suppliers, product.suppliers.iter().map(|it| it.id))
            && (name.as_ref()).is_none_or(|text| text.is_in(product.name.as_str()))
            && (name_or_barcode.as_ref()).is_none_or(|text| has_text(text, product))
    }
}

impl Filter for StockTakeItemFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self {
            brands,
            categories,
            suppliers,
            name,
            name_or_barcode,
            status,
            place,
            article,
            batch,
            serial,
            left_over,
        } = self;
        let status = match status {
            CountStatus::All => None,
            CountStatus::Counted => Some("counted"),
            CountStatus::Uncounted => Some("uncounted"),
        };
        let mut digest = any(digest, "brands", brands);
        digest = any(digest, "categories", categories);
        digest = any(digest, "suppliers", suppliers);
        digest = one(digest, "name", name.as_ref());
        digest = one(digest, "name_or_barcode", name_or_barcode.as_ref());
        digest = one(digest, "status", status);
        digest = one(digest, "place", place.as_ref());
        digest = one(digest, "article", article.as_ref());
        digest = one(digest, "batch", batch.as_ref());
        digest = one(digest, "serial", serial.as_ref());
        one(digest, "left_over", left_over.then_some(true))
    }
}

/// Which levels of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LevelFilter {
    /// At this stock place.
    pub place: Option<Code>,
    /// Of any of these products; empty: of any.
    pub products: BTreeSet<ProductId>,
    /// Delisted keys as well.
    pub with_delisted: bool,
}

impl LevelFilter {
    /// Whether it asks for no more than a store is asked.
    ///
    /// # Errors
    ///
    /// [`TooManyIds`].
    pub fn check(&self) -> Result<(), TooManyIds> {
        few("products", &self.products)
    }

    /// Whether it lets a level through.
    pub fn matches(&self, level: &StockLevel) -> bool {
        let Self {
            place,
            products,
            with_delisted,
        } = self;
        let key = level.key();
        (*with_delisted || level.is_stocked())
            && (place.is_none() || key.place == *place)
            && (products.is_empty() || products.contains(&key.product))
    }
}

impl Filter for LevelFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self {
            place,
            products,
            with_delisted,
        } = self;
        let digest = one(digest, "place", place.as_ref());
        let digest = any(digest, "products", products);
        one(digest, "with_delisted", with_delisted.then_some(true))
    }
}

/// Which articles of a site (S4.11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArticleFilter {
    /// With this in the product's name or in one of its barcodes.
    pub name_or_barcode: Option<SearchText>,
    /// From this supplier.
    pub supplier: Option<SupplierId>,
    /// Whose level or product was changed since (R19).
    pub changed_since: Option<ChangeToken>,
}

impl ArticleFilter {
    /// Whether it lets a key and its product through, by what they say. A key that is delisted is no article. When they were
    /// changed the records don't say: that is for the store to look at.
    pub fn matches(&self, level: &StockLevel, product: &Product) -> bool {
        let Self {
            name_or_barcode,
            supplier,
            changed_since: _,
        } = self;
        level.is_stocked()
            && supplier.is_none_or(|id| product.suppliers.iter().any(|one| one.id == id))
            && (name_or_barcode.as_ref()).is_none_or(|text| has_text(text, product))
    }
}

impl Filter for ArticleFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self {
            name_or_barcode,
            supplier,
            changed_since,
        } = self;
        let digest = one(digest, "name_or_barcode", name_or_barcode.as_ref());
        let digest = one(digest, "supplier", *supplier);
        one(digest, "changed_since", *changed_since)
    }
}

/// Which inventory counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryCountFilter {
    /// In any of these states; empty: in any.
    pub states: BTreeSet<InventoryCountState>,
    /// Started at or after this moment.
    pub from: Option<Timestamp>,
    /// Started before this moment.
    pub to: Option<Timestamp>,
}

impl InventoryCountFilter {
    /// Whether it lets a count through.
    pub fn matches(&self, count: &InventoryCount) -> bool {
        let Self { states, from, to } = self;
        among(states, std::iter::once(count.state())) && spans(*from, *to, count.started_at())
    }
}

impl Filter for InventoryCountFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self { states, from, to } = self;
        let digest = any(digest, "states", states);
        let digest = one(digest, "from", *from);
        one(digest, "to", *to)
    }
}

/// Which lines of an inventory count (S2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InventoryCountItemFilter {
    /// Only those with a variance.
    pub discrepancies: bool,
    /// Only those that are flagged for review.
    pub significant: bool,
}

impl InventoryCountItemFilter {
    /// Whether it lets a line through.
    pub fn matches(&self, item: &InventoryCountItem) -> bool {
        let Self {
            discrepancies,
            significant,
        } = *self;
        (!discrepancies || item.variance.is_discrepancy()) && (!significant || item.significant)
    }
}

impl Filter for InventoryCountItemFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self {
            discrepancies,
            significant,
        } = *self;
        let digest = one(digest, "discrepancies", discrepancies.then_some(true));
        one(digest, "significant", significant.then_some(true))
    }
}

/// Which stock adjustments (S2.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StockAdjustmentFilter {
    /// In any of these states; empty: in any.
    pub states: BTreeSet<StockAdjustmentState>,
    /// Created at or after this moment.
    pub from: Option<Timestamp>,
    /// Created before this moment.
    pub to: Option<Timestamp>,
    /// Of this product.
    pub product: Option<ProductId>,
}

impl StockAdjustmentFilter {
    /// Whether it lets an adjustment through.
    pub fn matches(&self, adjustment: &StockAdjustment) -> bool {
        let Self {
            states,
            from,
            to,
            product,
        } = self;
        among(states, std::iter::once(adjustment.state()))
            && spans(*from, *to, adjustment.created_at())
            && product.is_none_or(|product| adjustment.key().product == product)
    }
}

impl Filter for StockAdjustmentFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self {
            states,
            from,
            to,
            product,
        } = self;
        let digest = any(digest, "states", states);
        let digest = one(digest, "from", *from);
        let digest = one(digest, "to", *to);
        one(digest, "product", *product)
    }
}

/// Which events of a site's ledger: all conditions hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StockEventFilter {
    /// Of this product.
    pub product: Option<ProductId>,
    /// Happened at or after this moment.
    pub from: Option<Timestamp>,
    /// Happened before this moment.
    pub to: Option<Timestamp>,
}

impl StockEventFilter {
    /// Whether it lets an event through.
    pub fn matches(&self, event: &StockEvent) -> bool {
        let Self { product, from, to } = *self;
        spans(from, to, event.occurred_at) && product.is_none_or(|it| event.key.product == it)
    }
}

impl Filter for StockEventFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self { product, from, to } = *self;
        let digest = one(digest, "product", product);
        one(one(digest, "from", from), "to", to)
    }
}

/// Which inventory orders (S3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryOrderFilter {
    /// In any of these states; empty: in any but removed.
    pub states: BTreeSet<InventoryOrderState>,
    /// With this in the purchase order number.
    pub purchase_order_number: Option<SearchText>,
}

impl InventoryOrderFilter {
    /// Whether it lets an order through.
    pub fn matches(&self, order: &InventoryOrder) -> bool {
        let Self {
            states,
            purchase_order_number,
        } = self;
        let state = order.state();
        let has_state = if states.is_empty() {
            state != InventoryOrderState::Removed
        } else {
            states.contains(&state)
        };
        has_state
            && purchase_order_number.as_ref().is_none_or(|text| {
                let number = order.purchase_order_number();
                number.is_some_and(|number| text.is_in(number.as_str()))
            })
    }
}

impl Filter for InventoryOrderFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self {
            states,
            purchase_order_number,
        } = self;
        let digest = any(digest, "states", states);
        let number = purchase_order_number.as_ref();
        one(digest, "purchase_order_number", number)
    }
}

/// Which lines of an inventory order (S3.4): both conditions hold; within each of the sets, any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InventoryOrderItemFilter {
    /// Of any of these brands.
    pub brands: BTreeSet<BrandId>,
    /// Of any of these categories.
    pub categories: BTreeSet<CategoryId>,
}

impl InventoryOrderItemFilter {
    /// Whether it asks for no more than a store is asked.
    ///
    /// # Errors
    ///
    /// [`TooManyIds`].
    pub fn check(&self) -> Result<(), TooManyIds> {
        few("brands", &self.brands)?;
        few("categories", &self.categories)
    }

    /// Whether it lets a line through.
    pub fn matches(&self, item: &InventoryOrderItem) -> bool {
        let Self { brands, categories } = self;
        let product = item.product();
        among(brands, product.brand.iter().map(|it| it.id))
            && among(categories, product.category.iter().map(|it| it.id))
    }
}

impl Filter for InventoryOrderItemFilter {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let Self { brands, categories } = self;
        any(any(digest, "brands", brands), "categories", categories)
    }
}
