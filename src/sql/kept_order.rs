//! The columns of lists whose order is kept in an index.

use super::cell::Cell;
use super::query::{Dialect, along};
use crate::store::{ArticleColumn, SortValue};

/// A column whose order is kept, of lines and of articles, or of lines only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeptOrder {
    Article,
    Name,
    /// By stock place, then by article: of lines only.
    Place,
}

/// An index, and the columns of its order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordered {
    pub(super) index: &'static str,
    pub(super) columns: &'static [&'static str],
}

impl KeptOrder {
    pub(super) const fn of(column: ArticleColumn) -> Option<Self> {
        match column {
            ArticleColumn::Article => Some(Self::Article),
            ArticleColumn::Name => Some(Self::Name),
            ArticleColumn::StockPlace | ArticleColumn::StockPlaceArticle => Some(Self::Place),
            ArticleColumn::Line
            | ArticleColumn::Bundled
            | ArticleColumn::Category
            | ArticleColumn::Unit
            | ArticleColumn::Description
            | ArticleColumn::Price
            | ArticleColumn::StockWarning
            | ArticleColumn::Stock
            | ArticleColumn::Reserved
            | ArticleColumn::Supplier
            | ArticleColumn::IsStock
            | ArticleColumn::Type
            | ArticleColumn::Inventoried
            | ArticleColumn::Active => None,
        }
    }

    /// Whether a value is one of the column.
    pub(super) const fn has(self, value: &SortValue) -> bool {
        match self {
            Self::Article | Self::Name => matches!(value, SortValue::Text(_)),
            Self::Place => matches!(value, SortValue::Texts(..)),
        }
    }
}

impl Ordered {
    /// What a query says that means the index.
    pub(super) fn means(self) -> String {
        let first = self.columns.first().copied().unwrap_or_default();
        format!("{first} IS NOT NULL")
    }

    /// A table, read in this order.
    pub(super) fn of_table(self, dialect: Dialect, table: &str, alias: &str) -> String {
        along(dialect, table, alias, Some(self.index))
    }
}

/// A value as it stands in an index.
pub(super) fn value_cells(value: &SortValue) -> Vec<Cell> {
    match value {
        SortValue::Missing => vec!["".into()],
        SortValue::Flag(flag) => vec![(*flag).into()],
        SortValue::Number(number) => vec![(*number).into()],
        SortValue::Text(text) => vec![text.as_str().into()],
        SortValue::Texts(first, second) => {
            let first = first.as_deref().unwrap_or_default();
            vec![first.into(), second.as_str().into()]
        }
    }
}
