//! Stock takes: headers, lists of them, and what is asked of their lines.

use std::collections::HashMap;

use super::documents::{Document, Documents, Wanted, states_asked_for};
use super::lines::{Line, Lines, Place};
use super::merged::Course;
use super::stock::Stock;
use super::table::Row;
use crate::domain::{
    OrganisationId, SiteId, StockLevel, StockTake, StockTakeId, StockTakeItem, StockTakeItemId,
    StockTakeState, Timestamp,
};
use crate::store::{
    ArticleColumn, ArticleSort, ChangeToken, CountedLine, CountingView, List, Page, PageRequest,
    Ranked, SortValue, StockTakeFilter, StockTakeItemFilter, StockTakeItemView, StockTakeView,
    StoreError, TakeSums,
};

/// The takes of an organisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Takes {
    pub(super) headers: Documents<StockTake>,
    lines: HashMap<StockTakeId, Lines>,
}

impl Document for StockTake {
    type Id = StockTakeId;
    type Scope = (SiteId, StockTakeState);

    fn id(&self) -> StockTakeId {
        Self::id(self)
    }

    fn began_at(&self) -> Timestamp {
        self.created_at()
    }

    fn scopes(&self) -> impl Iterator<Item = Self::Scope> {
        std::iter::once((self.site(), self.state()))
    }
}

impl Takes {
    /// A take's lines; `None` if it never had any.
    pub(super) fn lines(&self, id: StockTakeId) -> Option<&Lines> {
        self.lines.get(&id)
    }

    /// A take's lines, to be written.
    pub(super) fn lines_mut(&mut self, id: StockTakeId) -> &mut Lines {
        self.lines.entry(id).or_default()
    }

    pub(super) fn line(&self, take: StockTakeId, item: StockTakeItemId) -> Option<&Line> {
        self.lines(take)?.get(item)
    }

    /// A page of a site's takes; removed ones only when they are asked for.
    pub(super) fn of_site(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockTakeFilter,
        request: &PageRequest,
    ) -> Result<Page<Row<StockTake>>, StoreError> {
        let list = List::new("stock_takes", format_args!("{organisation}/{site}"), filter);
        let StockTakeFilter { states } = filter;
        let states = states_asked_for(states, StockTakeState::ALL, |state| {
            state == StockTakeState::Removed
        });
        let wanted = Wanted {
            scopes: states.into_iter().map(|state| (site, state)).collect(),
            from: None,
            to: None,
            keep: None,
        };
        self.headers.page(list, &wanted, request)
    }

    pub(super) fn counting_view(
        &self,
        take: StockTakeId,
        items: &[StockTakeItemId],
        stock: &Stock,
    ) -> Option<CountingView> {
        let header = self.headers.get(take)?;
        let lines = items.iter().map(|item| {
            let item = self.line(take, *item)?;
            Some(CountedLine {
                level: stock.level(&item.value.key).cloned(),
                item: item.clone(),
            })
        });
        Some(CountingView {
            take: header.clone(),
            lines: lines.collect(),
        })
    }

    /// A take with a page of its lines, all of them or those that have changed since; `next` is the number of the next
    /// commit.
    pub(super) fn view(
        &self,
        organisation: OrganisationId,
        id: StockTakeId,
        (filter, sort, since): (&StockTakeItemFilter, ArticleSort, Option<ChangeToken>),
        request: &PageRequest,
        (stock, next): (&Stock, ChangeToken),
    ) -> Result<Option<StockTakeView>, StoreError> {
        let Some(take) = self.headers.get(id) else {
            return Ok(None);
        };
        let none = Lines::default();
        let lines = self.lines(id).unwrap_or(&none);
        let asked = ("stock_take_view", filter, sort);
        let (items, sums) = match since {
            None => {
                let page = self.lines_page(organisation, id, asked, request, stock)?;
                (page, request.with_total.then(|| lines.sums(filter)))
            }
            Some(since) => {
                let scope = format_args!("{organisation}/{id}/{since}");
                let (column, request) = sort.ascending(request);
                let list = List::new("stock_take_view", scope, &(filter, column));
                let mut page = list.sorting::<Place, _, _>(&request)?;
                let mut sums = TakeSums::default();
                for (position, row) in lines.changed(filter, since.within(next).get()) {
                    sums.add(row.version, &row.value);
                    page.push(ranked(column, position, row, stock));
                }
                let page = page.page().map(|line| view(line, stock));
                (page, request.with_total.then_some(sums))
            }
        };
        Ok(Some(StockTakeView {
            take: take.clone(),
            items,
            totals: sums.map(|sums| sums.totals()).transpose()?,
            next,
        }))
    }

    /// Lines of a take, for an operation; none of a take that is not there.
    pub(super) fn lines_page(
        &self,
        organisation: OrganisationId,
        id: StockTakeId,
        (operation, filter, sort): (&'static str, &StockTakeItemFilter, ArticleSort),
        request: &PageRequest,
        stock: &Stock,
    ) -> Result<Page<StockTakeItemView>, StoreError> {
        let scope = format_args!("{organisation}/{id}");
        let none = Lines::default();
        let lines = self.lines(id).unwrap_or(&none);
        let (column, request) = sort.ascending(request);
        let list = List::new(operation, scope, &(filter, column));
        let page = if column == ArticleColumn::Line {
            let after = list.after::<Place>(&request, |_| true)?;
            let total = request.with_total.then(|| lines.sums(filter).lines());
            let from = Course::after(after, request.reversed);
            list.page(&request, lines.matching(filter, from), total)
        } else {
            let rows = lines.matching(filter, Course::after(None, false));
            let rows = rows.map(|(position, row)| ranked(column, position, row, stock));
            let mut page = list.sorting::<Place, _, _>(&request)?;
            rows.for_each(|row| page.push(row));
            page.page()
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

fn ranked<'a>(
    column: ArticleColumn,
    position: &'a Place,
    row: &'a Line,
    stock: &Stock,
) -> Ranked<&'a Place, &'a Line> {
    Ranked {
        value: sort_value(column, &row.value, stock),
        position,
        row,
    }
}

/// What a line sorts by. The level is looked up only for the columns that show it.
fn sort_value(column: ArticleColumn, item: &StockTakeItem, stock: &Stock) -> SortValue {
    let level = column.shows_stock().then(|| stock.stocked(&item.key));
    column.value_of_line(item, level.flatten())
}
