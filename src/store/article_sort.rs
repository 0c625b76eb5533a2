//! How articles and lines are ordered.

use serde::{Deserialize, Serialize};

use super::{DigestBuilder, Filter, PageRequest};
use crate::domain::{Product, Quantity, StockKey, StockLevel, StockTakeItem, fold};

/// Columns that articles and lines can be sorted by: those of the document.
///
/// Texts sort by their case-folded bytes ([`fold`]), what is missing comes first, and rows that are equal stand in the
/// order of their lines, then of their ids (of their keys, where there are no lines). Descending is the exact reverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArticleColumn {
    /// `order`: the order in which lines were added. A site's articles have none: by this column they stand in
    /// the order of their keys.
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
    /// `stock_place`: by stock place, then by article id, as one walks along the shelves.
    StockPlace,
    /// `stock_place_article`: the same.
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

    /// Its first name in the document.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, column)| *column == self)
            .map_or("order", |(name, _)| name)
    }

    /// What a row sorts by.
    pub fn value(self, row: &ArticleRow<'_>) -> SortValue {
        let text = |text: &str| SortValue::Text(fold(text));
        let or_missing = |value: Option<SortValue>| value.unwrap_or(SortValue::Missing);
        let product = row.product;
        match self {
            Self::Line => or_missing(
                row.line
                    .map(|line| SortValue::Number(i64::try_from(line).unwrap_or(i64::MAX))),
            ),
            Self::Article => text(product.article_id.as_str()),
            Self::Name => text(product.name.as_str()),
            Self::Bundled => SortValue::Flag(product.bundled),
            Self::Category => or_missing(product.category.as_ref().map(|c| text(c.name.as_str()))),
            Self::Unit => or_missing(product.unit.as_ref().map(|u| text(u.name.as_str()))),
            Self::StockPlace | Self::StockPlaceArticle => SortValue::Texts(
                row.key.place.as_ref().map(|place| fold(place.as_str())),
                fold(product.article_id.as_str()),
            ),
            Self::Description => or_missing(product.description.as_ref().map(|d| text(d.as_str()))),
            Self::Price => or_missing(product.price.map(|p| SortValue::Number(p.amount.micros()))),
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
    /// Its line, in a take.
    pub line: Option<u64>,
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

/// A column and a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArticleSort {
    /// The column.
    pub column: ArticleColumn,
    /// Largest first: the exact reverse, also of rows that are equal in the column.
    pub descending: bool,
}

impl ArticleSort {
    /// The same page, of the column in ascending order: what is asked for by descending is that list turned round.
    pub fn ascending(self, request: &PageRequest) -> (ArticleColumn, PageRequest) {
        let request = PageRequest {
            reversed: request.reversed != self.descending,
            ..request.clone()
        };
        (self.column, request)
    }
}

impl ArticleColumn {
    /// What a line of a take sorts by: of a posted line the stock as it was after posting, of any other as it
    /// is. The level may be left out for columns that don't [show stock](Self::shows_stock).
    pub fn value_of_line(self, item: &StockTakeItem, level: Option<&StockLevel>) -> SortValue {
        let (on_hand, reserved) = match &item.posting {
            Some(posting) => (Some(posting.on_hand), Some(posting.reserved)),
            None => level
                .filter(|level| level.is_stocked())
                .map(|level| (level.quantity(), level.reserved()))
                .unzip(),
        };
        self.value(&ArticleRow {
            line: Some(item.line),
            product: &item.product,
            key: &item.key,
            on_hand,
            reserved,
            counted: item.is_counted(),
        })
    }

    /// What a stocked article sorts by.
    pub fn value_of_article(self, level: &StockLevel, product: &Product) -> SortValue {
        self.value(&ArticleRow {
            line: None,
            product,
            key: level.key(),
            on_hand: Some(level.quantity()),
            reserved: Some(level.reserved()),
            counted: false,
        })
    }

    /// Whether it shows what is on hand or reserved, which is not on the line.
    pub const fn shows_stock(self) -> bool {
        matches!(self, Self::Stock | Self::Reserved)
    }
}

/// A list in the order of a column. By lines it is the list itself.
impl<F: Filter> Filter for (&F, ArticleColumn) {
    fn describe(&self, digest: DigestBuilder) -> DigestBuilder {
        let (filter, column) = self;
        let digest = filter.describe(digest);
        if *column == ArticleColumn::Line {
            return digest;
        }
        digest.field("sort").field(column.name())
    }
}
