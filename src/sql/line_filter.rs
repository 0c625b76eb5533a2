//! Which lines of a take a filter leaves, and along which index they are found.
//!
//! Lines are listed in the order of an index, and a page ends where it is full. Where a filter leaves only few of many,
//! that would look through the whole take: then the few are read along an index that leads to them, and sorted.

use super::cell::{Cell, Kind, Row};
use super::lists::Narrowed;
use super::query::{Dialect, FEW, Snapshot, all, along, first};
use super::totals;
use crate::domain::{Code, CountStatus, OrganisationId, SearchText, StockTakeId, fold};
use crate::store::{StockTakeItemFilter, StoreError};

/// What a filter leaves.
#[derive(Debug)]
pub(super) struct Left {
    /// What the database narrows lines to.
    pub(super) narrowed: Narrowed,
    /// Whether each has still to be looked at.
    pub(super) is_looked_at: bool,
    /// Whether these are few, or stand in the order that was asked for as they are found.
    pub(super) are_few: bool,
    /// The index that leads to them, if not that of the lines of a take.
    pub(super) index: Option<&'static str>,
}

/// The lines of a take that a filter leaves, for a list in the order of an index of its own. In the order of `lines` those
/// that are counted, or not, have an index as well.
pub(super) async fn left<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    filter: &StockTakeItemFilter,
    in_order_of_lines: bool,
) -> Result<Left, StoreError> {
    let text = filter.name_or_barcode.as_ref().or(filter.name.as_ref());
    let is_looked_at = !filter.suppliers.is_empty() || text.is_some() || filter.article.is_some();
    let left = |narrowed, are_few, index| Left {
        narrowed,
        is_looked_at,
        are_few,
        index,
    };
    let plain = unhurried(organisation, take, filter, false);
    let few = u64::try_from(FEW).unwrap_or(u64::MAX);
    if text.is_some() {
        // The articles that were ever counted may be many more than the lines of a take.
        let all = totals::of_take(s, organisation, take, CountStatus::All).await?;
        if all.items <= few {
            return Ok(left(plain, true, None));
        }
    }
    if let Some(text) = text
        && let Some(articles) = articles_with(s, organisation, text).await?
    {
        let narrowed = if articles.is_empty() {
            plain.and("1 = 0")
        } else {
            let articles = articles.into_iter().map(Cell::from);
            plain
                .and(ARTICLE.means)
                .among((ARTICLE.column, Kind::Text), articles)
        };
        return Ok(left(narrowed, true, Some(ARTICLE.index)));
    }
    if let Some((key, value)) = key_of(filter)
        && key.leads_to_few(s, (organisation, take), &value).await?
    {
        let narrowed = plain.and(key.means).equal(key.column, value);
        return Ok(left(narrowed, true, Some(key.index)));
    }
    if filter.left_over {
        let index = "stk_stock_take_item_left_over";
        return Ok(left(plain, true, Some(index)));
    }
    let index = match filter.status {
        CountStatus::All => return Ok(left(plain, false, None)),
        CountStatus::Counted => "stk_stock_take_item_counted",
        CountStatus::Uncounted => "stk_stock_take_item_uncounted",
    };
    let are_few = in_order_of_lines
        || totals::of_take(s, organisation, take, filter.status)
            .await?
            .items
            <= few;
    if are_few {
        let narrowed = unhurried(organisation, take, filter, true);
        return Ok(left(narrowed, true, Some(index)));
    }
    Ok(left(plain, false, None))
}

/// The lines of a take that a filter leaves, where no index of theirs is to be gone along.
pub(super) fn unhurried(
    organisation: OrganisationId,
    take: StockTakeId,
    filter: &StockTakeItemFilter,
    along_status: bool,
) -> Narrowed {
    let StockTakeItemFilter {
        brands,
        categories,
        suppliers: _,
        name: _,
        name_or_barcode: _,
        status,
        place,
        article,
        batch,
        serial,
        left_over,
    } = filter;
    let mut narrowed = Narrowed::of("i", organisation).equal("i.take", take.as_uuid());
    // An index is not gone along by what is computed.
    narrowed = match (status, along_status) {
        (CountStatus::All, _) => narrowed,
        (CountStatus::Counted, true) => narrowed.and("i.counted IS NOT NULL"),
        (CountStatus::Counted, false) => narrowed.and("+i.counted IS NOT NULL"),
        (CountStatus::Uncounted, true) => narrowed.and("i.counted IS NULL"),
        (CountStatus::Uncounted, false) => narrowed.and("+i.counted IS NULL"),
    };
    for (column, value) in [("i.place", place), ("i.batch", batch), ("i.serial", serial)] {
        if let Some(value) = value {
            narrowed = narrowed.equal(column, value.as_str());
        }
    }
    if let Some(article) = article {
        narrowed = narrowed.equal("i.article_order", fold(article.as_str()));
    }
    if *left_over {
        narrowed = narrowed.and("i.left_over = 1");
    }
    if !brands.is_empty() {
        let brands = brands.iter().map(|it| it.as_uuid().into());
        narrowed = narrowed.among(("i.brand", Kind::Uuid), brands);
    }
    if !categories.is_empty() {
        let categories = categories.iter().map(|it| it.as_uuid().into());
        narrowed = narrowed.among(("i.category", Kind::Uuid), categories);
    }
    narrowed
}

/// What lines of a take are found by along an index.
struct Key {
    column: &'static str,
    /// What a query says that means the index.
    means: &'static str,
    index: &'static str,
}

const SERIAL: Key = Key {
    column: "i.serial",
    means: "i.serial <> ''",
    index: "stk_stock_take_item_serial",
};
const BATCH: Key = Key {
    column: "i.batch",
    means: "i.batch <> ''",
    index: "stk_stock_take_item_batch",
};
const ARTICLE: Key = Key {
    column: "i.article_order",
    means: "i.article_order IS NOT NULL",
    index: "stk_stock_take_item_article_order",
};
const PLACE: Key = Key {
    column: "i.place_order",
    means: "i.place_order IS NOT NULL",
    index: "stk_stock_take_item_place_order",
};

/// What a filter names that tells most, and its value.
fn key_of(filter: &StockTakeItemFilter) -> Option<(Key, Cell)> {
    let StockTakeItemFilter {
        serial,
        batch,
        article,
        place,
        ..
    } = filter;
    let exact = |value: &Code| Cell::from(value.as_str());
    let folded = |value: &Code| Cell::from(fold(value.as_str()));
    if let Some(serial) = serial {
        Some((SERIAL, exact(serial)))
    } else if let Some(batch) = batch {
        Some((BATCH, exact(batch)))
    } else if let Some(article) = article {
        Some((ARTICLE, folded(article)))
    } else {
        place.as_ref().map(|place| (PLACE, folded(place)))
    }
}

impl Key {
    /// Whether few lines of a take have a value.
    async fn leads_to_few<S: Snapshot>(
        &self,
        s: &mut S,
        (organisation, take): (OrganisationId, StockTakeId),
        value: &Cell,
    ) -> Result<bool, StoreError> {
        let mut query = s.query("SELECT count(*) FROM (SELECT 1 AS one FROM ");
        query.push(&lines_along(S::DIALECT, Some(self.index)));
        query.push(" WHERE i.organisation = ");
        query.bind(organisation.as_uuid());
        query.push(" AND i.take = ").bind(take.as_uuid());
        query.push(&format!(" AND {} AND {} = ", self.means, self.column));
        query.bind(value.clone()).push(" LIMIT ");
        query.bind(FEW.saturating_add(1)).push(") AS found");
        let found: Option<usize> = first(s, &query, Row::int).await?;
        Ok(found.is_none_or(|found| found <= FEW))
    }
}

/// Lines `i`, read along an index.
pub(super) fn lines_along(dialect: Dialect, index: Option<&str>) -> String {
    along(dialect, "stk_stock_take_item", "i", index)
}

/// The articles of an organisation whose name or barcode a text stands in, as lines have shown them; nothing if these are
/// not few.
async fn articles_with<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    text: &SearchText,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut query = s.query("SELECT DISTINCT s.article_order FROM stk_product_snapshot AS s");
    query
        .push(" WHERE s.organisation = ")
        .bind(organisation.as_uuid());
    query.push(" AND ");
    query.contains("s.search", text);
    query.push(" LIMIT ").bind(FEW.saturating_add(1));
    let found = all(s, &query, |row: &mut Row| row.text()).await?;
    Ok((found.len() <= FEW).then_some(found))
}
