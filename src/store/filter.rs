//! What lists can be narrowed to, and how they are ordered.

use std::collections::BTreeSet;

use crate::domain::{
    BrandId, CategoryId, Code, CountStatus, InventoryCountState, InventoryOrderState, Product,
    ProductId, Quantity, SearchText, StockAdjustmentState, StockKey, StockTakeState, SupplierId,
    Timestamp, fold,
};

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

/// Which lines of a take: all conditions hold; within each of the sets, any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Changed after this moment.
    pub changed_after: Option<Timestamp>,
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
    /// Whether it narrows by nothing but whether lines are counted.
    pub fn is_by_status_only(&self) -> bool {
        *self
            == Self {
                status: self.status,
                ..Self::default()
            }
    }
}

/// Which levels of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelFilter {
    /// At this stock place.
    pub place: Option<Code>,
    /// Of any of these products; empty: of any.
    pub products: BTreeSet<ProductId>,
    /// Delisted keys as well.
    pub with_delisted: bool,
}

/// Which articles of a site (S4.11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArticleFilter {
    /// With this in the product's name or in one of its barcodes.
    pub name_or_barcode: Option<SearchText>,
    /// From this supplier.
    pub supplier: Option<SupplierId>,
    /// Changed after this moment.
    pub changed_after: Option<Timestamp>,
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

/// Which lines of an inventory count (S2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InventoryCountItemFilter {
    /// Only those with a variance.
    pub discrepancies: bool,
    /// Only those that are flagged for review.
    pub significant: bool,
}

/// Which stock adjustments (S2.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// Which inventory orders (S3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryOrderFilter {
    /// In any of these states; empty: in any but removed.
    pub states: BTreeSet<InventoryOrderState>,
    /// With this in the purchase order number.
    pub purchase_order_number: Option<SearchText>,
}

/// Which lines of an inventory order (S3.4): both conditions hold; within each of the sets, any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryOrderItemFilter {
    /// Of any of these brands.
    pub brands: BTreeSet<BrandId>,
    /// Of any of these categories.
    pub categories: BTreeSet<CategoryId>,
}

/// Columns that articles and lines can be sorted by: those of the document.
///
/// Texts sort by their case-folded bytes, what is missing comes first, and rows that are equal keep the order
/// of their lines (of their keys, where there are no lines).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ArticleColumn {
    /// `order`: the order in which lines were added.
    #[default]
    Line,
    /// `art`: the article id.
    Article,
    /// `name`.
    Name,
    /// `bundled`.
    Bundled,
    /// `cat`: the category's name.
    Category,
    /// `unit`: the unit's name.
    Unit,
    /// `stock_place`.
    StockPlace,
    /// `stock_place_article`: by stock place, then by article id.
    StockPlaceArticle,
    /// `desc`: the description.
    Description,
    /// `price`.
    Price,
    /// `warning_order`: the quantity to warn below.
    StockWarning,
    /// `stock`: on hand; of a posted line as it was after posting.
    Stock,
    /// `reserved`.
    Reserved,
    /// `supplier`: the first supplier's name.
    Supplier,
    /// `is_stock`.
    IsStock,
    /// `type`: the article type.
    Type,
    /// `status` and `inventoried`: whether it is counted.
    Inventoried,
    /// `active`.
    Active,
}

impl ArticleColumn {
    /// Every column, with its names in the document.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("order", Self::Line),
        ("art", Self::Article),
        ("name", Self::Name),
        ("bundled", Self::Bundled),
        ("cat", Self::Category),
        ("unit", Self::Unit),
        ("stock_place", Self::StockPlace),
        ("stock_place_article", Self::StockPlaceArticle),
        ("desc", Self::Description),
        ("price", Self::Price),
        ("warning_order", Self::StockWarning),
        ("stock", Self::Stock),
        ("reserved", Self::Reserved),
        ("supplier", Self::Supplier),
        ("is_stock", Self::IsStock),
        ("type", Self::Type),
        ("status", Self::Inventoried),
        ("inventoried", Self::Inventoried),
        ("active", Self::Active),
    ];

    /// The column of a name, as the document has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, column)| *column)
    }

    /// What a row sorts by.
    pub fn value(self, row: &ArticleRow<'_>) -> SortValue {
        let text = |text: &str| SortValue::Text(fold(text));
        let or_missing = |value: Option<SortValue>| value.unwrap_or(SortValue::Missing);
        let product = row.product;
        match self {
            Self::Line => SortValue::Missing,
            Self::Article => text(product.article_id.as_str()),
            Self::Name => text(product.name.as_str()),
            Self::Bundled => SortValue::Flag(product.bundled),
            Self::Category => or_missing(product.category.as_ref().map(|c| text(c.name.as_str()))),
            Self::Unit => or_missing(product.unit.as_ref().map(|u| text(u.name.as_str()))),
            Self::StockPlace => or_missing(row.key.place.as_ref().map(|p| text(p.as_str()))),
            Self::StockPlaceArticle => SortValue::Texts(
                row.key.place.as_ref().map(|place| fold(place.as_str())),
                fold(product.article_id.as_str()),
            ),
            Self::Description => or_missing(product.description.as_ref().map(|d| text(d.as_str()))),
            Self::Price => or_missing(product.price.map(|p| SortValue::Number(p.micros()))),
            Self::StockWarning => {
                or_missing(product.stock_warning.map(|q| SortValue::Number(q.micros())))
            }
            Self::Stock => or_missing(row.on_hand.map(|q| SortValue::Number(q.micros()))),
            Self::Reserved => or_missing(row.reserved.map(|q| SortValue::Number(q.micros()))),
            Self::Supplier => or_missing(product.suppliers.first().map(|s| text(s.name.as_str()))),
            Self::IsStock => SortValue::Flag(product.is_stock),
            Self::Type => SortValue::Number(i64::from(product.article_type)),
            Self::Inventoried => SortValue::Flag(row.counted),
            Self::Active => SortValue::Flag(product.active),
        }
    }
}

/// A row to be sorted.
#[derive(Clone, Copy, Debug)]
pub struct ArticleRow<'a> {
    /// Its product.
    pub product: &'a Product,
    /// Its key.
    pub key: &'a StockKey,
    /// On hand.
    pub on_hand: Option<Quantity>,
    /// Reserved.
    pub reserved: Option<Quantity>,
    /// Whether it is counted.
    pub counted: bool,
}

/// What rows are compared by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// Nothing there.
    Missing,
    /// No before yes.
    Flag(bool),
    /// A number; quantities and costs in millionths.
    Number(i64),
    /// A folded text.
    Text(String),
    /// Two folded texts, the first of which may be missing.
    Texts(Option<String>, String),
}

/// A column and a direction. Rows that are equal in the column keep their own order in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ArticleSort {
    /// The column.
    pub column: ArticleColumn,
    /// Largest first.
    pub descending: bool,
}
