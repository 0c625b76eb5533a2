//! Stock takes: headers, lists of them, and what is asked of their lines.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::groups::Slot;
use super::lines::{Line, Lines};
use super::pages::{List, Ranked};
use super::stock::{Stock, count};
use crate::domain::{
    OrganisationId, Quantity, SiteId, StockLevel, StockTake, StockTakeId, StockTakeItem,
    StockTakeItemId, Timestamp,
};
use crate::store::{
    ArticleColumn, ArticleRow, ArticleSort, CountingView, Page, PageRequest, SortValue,
    StockTakeFilter, StockTakeItemFilter, StockTakeItemView, StoreError, Version, Versioned,
};

/// A header as it is read.
pub(super) type Header = Versioned<Arc<StockTake>>;

/// The takes of an organisation.
#[derive(Debug, Default)]
pub(super) struct Takes {
    takes: BTreeMap<StockTakeId, Take>,
    /// Each site's, the oldest first.
    by_age: BTreeMap<SiteId, BTreeSet<(Timestamp, StockTakeId)>>,
}

/// A take and its lines.
#[derive(Debug)]
pub(super) struct Take {
    pub(super) header: Header,
    pub(super) lines: Lines,
}

impl Takes {
    pub(super) fn get(&self, id: StockTakeId) -> Option<&Take> {
        self.takes.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: StockTakeId) -> Option<&mut Take> {
        self.takes.get_mut(&id)
    }

    pub(super) fn line(&self, take: StockTakeId, item: StockTakeItemId) -> Option<&Line> {
        self.get(take)?.lines.get(item)
    }

    /// Creates or replaces a header.
    pub(super) fn put(&mut self, take: &StockTake) {
        let value = Arc::new(take.clone());
        let age = (take.created_at(), take.id());
        let before = if let Some(known) = self.takes.get_mut(&take.id()) {
            known.header.version = known.header.version.next();
            Some(std::mem::replace(&mut known.header.value, value))
        } else {
            let header = Versioned {
                version: Version::FIRST,
                value,
            };
            let lines = Lines::default();
            self.takes.insert(take.id(), Take { header, lines });
            None
        };
        let before = before.map(|before| (before.site(), (before.created_at(), before.id())));
        if before == Some((take.site(), age)) {
            return;
        }
        if let Some((site, age)) = before
            && let Some(ages) = self.by_age.get_mut(&site)
        {
            ages.remove(&age);
        }
        self.by_age.entry(take.site()).or_default().insert(age);
    }

    pub(super) fn page(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        request: &PageRequest,
    ) -> Result<Page<Header>, StoreError> {
        let list = List::new("stock_takes", format_args!("{organisation}/{site}"), filter);
        let after = list.after::<(Timestamp, StockTakeId)>(request, |_| true)?;
        let rows = |after: Bound<(Timestamp, StockTakeId)>| {
            self.by_age
                .get(&site)
                .into_iter()
                .flat_map(move |ages| ages.range((after, Bound::Unbounded)))
                .filter_map(|age| self.get(age.1).map(|take| (age, &take.header)))
                .filter(|(_, header)| filter.matches(header.value.state()))
        };
        let total = request.with_total.then(|| count(rows(Bound::Unbounded)));
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = list.page(request, rows(begin), total);
        Ok(page.map(Clone::clone))
    }

    pub(super) fn counting_view(
        &self,
        take: StockTakeId,
        item: StockTakeItemId,
        stock: &Stock,
    ) -> Option<CountingView> {
        let take = self.get(take)?;
        let item = take.lines.get(item)?;
        Some(CountingView {
            take: take.header.clone(),
            level: stock.level(&item.value.key).cloned(),
            item: item.clone(),
        })
    }

    /// Lines of a take; none of a take that is not there.
    pub(super) fn lines_page(
        &self,
        organisation: OrganisationId,
        id: StockTakeId,
        (filter, sort): (&StockTakeItemFilter, ArticleSort),
        request: &PageRequest,
        stock: &Stock,
    ) -> Result<Page<StockTakeItemView>, StoreError> {
        let scope = format_args!("{organisation}/{id}");
        let none = Lines::default();
        let lines = self.get(id).map_or(&none, |take| &take.lines);
        let page = if sort.column == ArticleColumn::Line {
            // Ties keep their order in both directions, so the direction says nothing here.
            let list = List::new("stock_take_items", scope, filter);
            let after = list.after::<Slot>(request, |_| true)?;
            let total = request.with_total.then(|| lines.sums(filter).lines());
            list.page(request, lines.matching(filter, after), total)
        } else {
            let list = List::new("stock_take_items", scope, &(filter, sort));
            let rows = lines.matching(filter, None).map(|(position, row)| Ranked {
                value: sort_value(sort.column, &row.value, stock),
                position,
                row,
            });
            list.sorted(request, sort.descending, rows)?
        };
        Ok(page.map(|line| view(line, stock)))
    }
}

fn view(line: &Line, stock: &Stock) -> StockTakeItemView {
    let level = stock.stocked(&line.value.key);
    StockTakeItemView {
        item: line.clone(),
        on_hand: level.map(StockLevel::quantity),
        reserved: level.map(StockLevel::reserved),
    }
}

/// What a line sorts by. The level is looked up only for the columns that show it.
fn sort_value(column: ArticleColumn, item: &StockTakeItem, stock: &Stock) -> SortValue {
    let (on_hand, reserved) = if matches!(column, ArticleColumn::Stock | ArticleColumn::Reserved) {
        stock_shown(item, stock)
    } else {
        (None, None)
    };
    column.value(&ArticleRow {
        product: &item.product,
        key: &item.key,
        on_hand,
        reserved,
        counted: item.count.is_some(),
    })
}

/// On hand and reserved: of a posted line as they were after posting, of any other as they are.
fn stock_shown(item: &StockTakeItem, stock: &Stock) -> (Option<Quantity>, Option<Quantity>) {
    match &item.posting {
        Some(posting) => (Some(posting.on_hand), Some(posting.reserved)),
        None => stock
            .stocked(&item.key)
            .map(|level| (level.quantity(), level.reserved()))
            .unzip(),
    }
}
