//! The lines of stock takes.

use std::sync::Arc;

use super::cell::{Cell, Kind, Row, Unreadable};
use super::changes;
use super::kept_order::{KeptOrder, Ordered, value_cells};
use super::line_filter::{left, lines_along, unhurried};
use super::lists::{Kept, Listing};
use super::query::{Lookup, Snapshot, all, blocks};
use super::reads;
use super::table::{LINE, SNAPSHOT, Shown, line};
use super::totals;
use crate::domain::{
    OrganisationId, Quantity, StockLevel, StockTake, StockTakeId, StockTakeItem, StockTakeItemId,
};
use crate::store::{
    ArticleColumn, ArticleSort, ChangeToken, CountedLine, CountingView, List, Page, PageRequest,
    Ranked, RecordKey, SortValue, StockTakeItemFilter, StockTakeItemView, StockTakeTotals,
    StockTakeView, StoreError, TakeSums, Version, Versioned,
};

/// A line's place: its number and its id.
type Place = (u64, StockTakeItemId);

/// A line that is looked for by the numbers of its take and of itself.
const LINE_OF_TAKE: Lookup<'_> = Lookup {
    table: "stk_stock_take_item",
    alias: "i",
    key: "i.take = w.column2 AND i.id = w.column3",
};

/// The level behind a line, whether it is stocked or not.
const LEVEL: Lookup<'_> = Lookup {
    table: "stk_stock_level",
    alias: "l",
    key: "l.site = i.site AND l.product = i.product AND l.variant = i.variant \
          AND l.place = i.place AND l.batch = i.batch AND l.serial = i.serial",
};

fn quantity(row: &mut Row) -> Result<Option<Quantity>, Unreadable> {
    let micros = row.optional_int()?;
    let quantity = micros.map(Quantity::from_micros).transpose();
    quantity.map_err(|_| Unreadable::Range)
}

fn view(row: &mut Row, shown: &Shown) -> Result<(Place, StockTakeItemView), Unreadable> {
    let item = line(row, shown)?;
    let on_hand = quantity(row)?;
    let reserved = quantity(row)?;
    let place = (item.line, item.id);
    let view = StockTakeItemView {
        item,
        on_hand,
        reserved,
    };
    Ok((place, view))
}

/// The columns that [`view`] reads, after [`LINE`].
const STOCK: &str =
    "CASE l.stocked WHEN 1 THEN l.quantity END, CASE l.stocked WHEN 1 THEN l.reserved END";

/// A take and a page of its lines, all of them or those that have changed since.
pub(crate) async fn take_view<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    (filter, sort, since): (&StockTakeItemFilter, ArticleSort, Option<ChangeToken>),
    request: &PageRequest,
) -> Result<Option<StockTakeView>, StoreError> {
    let header = reads::record(s, organisation, &RecordKey::StockTake(take)).await?;
    let Some(header) = header else {
        return Ok(None);
    };
    let next = changes::next(s, organisation).await?;
    let (items, totals) = if let Some(since) = since {
        let since = (since, since.within(next));
        let page = changed(s, organisation, take, (filter, sort, since), request);
        let (items, sums) = page.await?;
        (items, request.with_total.then_some(sums))
    } else {
        let uncounted = PageRequest {
            with_total: false,
            ..request.clone()
        };
        let asked = ("stock_take_view", filter, sort);
        let mut items = page(s, organisation, take, asked, &uncounted).await?;
        let mut sums = None;
        if request.with_total {
            let found = totals(s, organisation, take, filter).await?;
            items.total = Some(found.items);
            sums = Some(found);
        }
        (items, sums)
    };
    Ok(Some(StockTakeView {
        take: header,
        items,
        totals,
        next,
    }))
}

/// A page of the lines that were changed after a token (as it was asked for, and as it is to be taken), and the totals of
/// all of them. They are read in the order in which they were changed, which is that of their index, and sorted here.
async fn changed<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    (filter, sort, (asked, since)): (
        &StockTakeItemFilter,
        ArticleSort,
        (ChangeToken, ChangeToken),
    ),
    request: &PageRequest,
) -> Result<(Page<StockTakeItemView>, StockTakeTotals), StoreError> {
    let narrowed = unhurried(organisation, take, filter, false);
    let narrowed = narrowed.compare("i.changed", ">=", since.get());
    let shown = Shown::default();
    let listing = Listing {
        columns: &format!("i.changed, {LINE}, {STOCK}"),
        from: &lines_along(S::DIALECT, Some("stk_stock_take_item_changed")),
        known_to: None,
        beside: Some(("i", &[SNAPSHOT, LEVEL])),
        order: &["i.changed", "i.line", "i.id"],
        place: |(changed, (line, id)): &(u64, Place)| {
            vec![(*changed).into(), (*line).into(), id.as_uuid().into()]
        },
        read: &|row: &mut Row| {
            let changed = row.int()?;
            let (place, view) = view(row, &shown)?;
            Ok(((changed, place), view))
        },
    };
    let scope = format!("{organisation}/{take}/{asked}");
    let (column, request) = sort.ascending(request);
    let list = List::new("stock_take_view", scope, &(filter, column));
    let mut page = list.sorting::<Place, _, _>(&request)?;
    let mut sums = TakeSums::default();
    let look = |(_, position): (u64, Place), row: StockTakeItemView| {
        if filter.matches(&row.item.value) {
            sums.add(row.item.version, &row.item.value);
            page.push(Ranked {
                value: sort_value(column, &row),
                position,
                row,
            });
        }
        true
    };
    listing.walk(s, &narrowed, look).await?;
    Ok((page.page(), sums.totals()?))
}

/// A page of the lines of a take, for an operation.
pub(crate) async fn page<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    (operation, filter, sort): (&'static str, &StockTakeItemFilter, ArticleSort),
    request: &PageRequest,
) -> Result<Page<StockTakeItemView>, StoreError> {
    let (column, request) = sort.ascending(request);
    let list = List::new(
        operation,
        format!("{organisation}/{take}"),
        &(filter, column),
    );
    let by_lines = column == ArticleColumn::Line;
    let left = left(s, organisation, take, filter, by_lines).await?;
    let shown = Shown::default();
    let from = lines_along(S::DIALECT, left.index);
    let in_order = Listing {
        columns: &format!("{LINE}, {STOCK}"),
        from: &from,
        known_to: None,
        beside: Some(("i", &[SNAPSHOT, LEVEL])),
        order: &["i.line", "i.id"],
        place: |(line, id): &Place| vec![(*line).into(), id.as_uuid().into()],
        read: &|row: &mut Row| view(row, &shown),
    };
    let keep = |view: &StockTakeItemView| filter.matches(&view.item.value);
    let kept: Kept<'_, _> = if left.is_looked_at { Some(&keep) } else { None };
    let counted = request.with_total && filter.is_by_status_only();
    let uncounted = PageRequest {
        with_total: request.with_total && !counted,
        ..request.clone()
    };
    let mut page = match KeptOrder::of(column) {
        _ if by_lines => {
            let after = list.after(&request, |_| true)?;
            let page = in_order.page(s, list, (&left.narrowed, kept), &uncounted, after);
            page.await?
        }
        Some(kept_order) if !left.are_few => {
            let after: Option<(SortValue, Place)> =
                list.after(&request, |(value, _)| kept_order.has(value))?;
            let ordered = lines_ordered(kept_order);
            let narrowed = left.narrowed.and(&ordered.means());
            let listing = Listing {
                from: &ordered.of_table(S::DIALECT, "stk_stock_take_item", "i"),
                order: ordered.columns,
                place: |(value, (line, id)): &(SortValue, Place)| {
                    let mut cells = value_cells(value);
                    cells.push((*line).into());
                    cells.push(id.as_uuid().into());
                    cells
                },
                read: &|row: &mut Row| {
                    let (place, view) = view(row, &shown)?;
                    Ok(((sort_value(column, &view), place), view))
                },
                columns: in_order.columns,
                known_to: None,
                beside: in_order.beside,
            };
            let page = listing.page(s, list, (&narrowed, kept), &uncounted, after);
            page.await?
        }
        _ => {
            let mut page = list.sorting::<Place, _, _>(&uncounted)?;
            let look = |position: Place, row: StockTakeItemView| {
                if keep(&row) {
                    page.push(Ranked {
                        value: sort_value(column, &row),
                        position,
                        row,
                    });
                }
                true
            };
            in_order.walk(s, &left.narrowed, look).await?;
            page.page()
        }
    };
    if counted {
        let totals = totals::of_take(s, organisation, take, filter.status).await?;
        page.total = Some(totals.items);
    }
    Ok(page)
}

/// The index that lines are kept in, in an order.
const fn lines_ordered(order: KeptOrder) -> Ordered {
    match order {
        KeptOrder::Article => Ordered {
            index: "stk_stock_take_item_article_order",
            columns: &["i.article_order", "i.line", "i.id"],
        },
        KeptOrder::Name => Ordered {
            index: "stk_stock_take_item_name_order",
            columns: &["i.name_order", "i.line", "i.id"],
        },
        KeptOrder::Place => Ordered {
            index: "stk_stock_take_item_place_order",
            columns: &["i.place_order", "i.article_order", "i.line", "i.id"],
        },
    }
}

/// What a line sorts by.
fn sort_value(column: ArticleColumn, view: &StockTakeItemView) -> SortValue {
    let item: &StockTakeItem = &view.item.value;
    if item.posting.is_none() && column.shows_stock() {
        let shown = if column == ArticleColumn::Stock {
            view.on_hand
        } else {
            view.reserved
        };
        return shown.map_or(SortValue::Missing, |it| SortValue::Number(it.micros()));
    }
    column.value_of_line(item, None)
}

/// The totals of the lines that a filter lets through.
pub(crate) async fn totals<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    filter: &StockTakeItemFilter,
) -> Result<StockTakeTotals, StoreError> {
    if filter.is_by_status_only() {
        return totals::of_take(s, organisation, take, filter.status).await;
    }
    let left = left(s, organisation, take, filter, true).await?;
    let from = lines_along(S::DIALECT, left.index);
    let shown = Shown::default();
    let mut sums = (0_u64, 0_u64, 0_i128, 0_u64);
    let mut add = |version: Version, is_counted: bool, adjustment: i64| {
        sums.0 = sums.0.saturating_add(1);
        sums.1 = sums.1.saturating_add(u64::from(is_counted));
        sums.2 = sums.2.saturating_add(i128::from(adjustment));
        sums.3 = sums.3.saturating_add(version.get());
        true
    };
    if left.is_looked_at {
        let listing = Listing {
            columns: LINE,
            from: &from,
            known_to: None,
            beside: Some(("i", &[SNAPSHOT])),
            order: &["i.line", "i.id"],
            place: |(line, id): &Place| vec![(*line).into(), id.as_uuid().into()],
            read: &|row: &mut Row| {
                let item = line(row, &shown)?;
                Ok(((item.line, item.id), item))
            },
        };
        let look = |_: Place, row: Versioned<Arc<StockTakeItem>>| {
            let item = &row.value;
            !filter.matches(item) || add(row.version, item.is_counted(), item.adjustment_minor())
        };
        listing.walk(s, &left.narrowed, look).await?;
    } else {
        let listing = Listing {
            columns: "i.line, i.id, i.version, i.counted, i.adjustment_minor",
            from: &from,
            known_to: None,
            beside: None,
            order: &["i.line", "i.id"],
            place: |(line, id): &Place| vec![(*line).into(), id.as_uuid().into()],
            read: &|row: &mut Row| {
                let place = (row.int()?, row.id()?);
                let version = row.version()?;
                let is_counted = row.optional_int()?.is_some();
                Ok((place, (version, is_counted, row.int::<i64>()?)))
            },
        };
        let look = |_: Place, (version, is_counted, adjustment): (Version, bool, i64)| {
            add(version, is_counted, adjustment)
        };
        listing.walk(s, &left.narrowed, look).await?;
    }
    let (items, counted, adjustment, versions) = sums;
    Ok(StockTakeTotals {
        items,
        counted,
        adjustment_minor: adjustment,
        versions,
    })
}

/// Which of these lines a take has, in their order.
pub(crate) async fn ids<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    ids: &[StockTakeItemId],
) -> Result<Vec<StockTakeItemId>, StoreError> {
    let mut found = Vec::new();
    for block in blocks(S::DIALECT, ids.to_vec()) {
        let mut query = s.query("SELECT i.id FROM ");
        query.table(&[Kind::Int, Kind::Uuid, Kind::Uuid], lines_of(take, block));
        query.find(organisation, LINE_OF_TAKE, "");
        query.push(" ORDER BY w.column1");
        found.append(&mut all(s, &query, Row::id).await?);
    }
    Ok(found)
}

/// What [`LINE_OF_TAKE`] looks for, numbered.
fn lines_of(take: StockTakeId, items: Vec<StockTakeItemId>) -> Vec<Vec<Cell>> {
    let rows = (0_usize..).zip(items);
    rows.map(|(nth, id)| vec![nth.into(), take.as_uuid().into(), id.as_uuid().into()])
        .collect()
}

/// What counting lines needs to know: one statement a block. The header comes with the first line of each.
pub(crate) async fn counting_view<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    items: &[StockTakeItemId],
) -> Result<Option<CountingView>, StoreError> {
    if items.is_empty() {
        let header = reads::record(s, organisation, &RecordKey::StockTake(take)).await?;
        let lines = Vec::new();
        return Ok(header.map(|take| CountingView { take, lines }));
    }
    let shown = Shown::default();
    let mut header = None;
    let mut lines = Vec::with_capacity(items.len());
    for block in blocks(S::DIALECT, items.to_vec()) {
        let mut query = s.query("SELECT h.version, CASE WHEN w.column1 = 0 THEN h.body END, ");
        query.push("l.version, l.body, i.id, ").push(LINE);
        query.push(" FROM stk_stock_take AS h CROSS JOIN ");
        query.table(&[Kind::Int, Kind::Uuid, Kind::Uuid], lines_of(take, block));
        for table in [LINE_OF_TAKE, SNAPSHOT, LEVEL] {
            query.look_beside(organisation, table);
        }
        query
            .push(" WHERE h.organisation = ")
            .bind(organisation.as_uuid());
        query.push(" AND h.id = ").bind(take.as_uuid());
        query.push(" ORDER BY w.column1");
        let found = all(s, &query, |row| counted_line(row, take, &shown)).await?;
        if found.is_empty() {
            return Ok(None);
        }
        for (take, line) in found {
            header = header.or(take);
            lines.push(line);
        }
    }
    Ok(header.map(|take| CountingView { take, lines }))
}

/// The take, in the row that has it, and the line with its level.
type LineOfTake = (Option<Versioned<Arc<StockTake>>>, Option<CountedLine>);

fn counted_line(row: &mut Row, take: StockTakeId, shown: &Shown) -> Result<LineOfTake, Unreadable> {
    let of_take = |cause: Unreadable| cause.of(&RecordKey::StockTake(take));
    let version = row.version()?;
    let header = row.optional_body().map_err(of_take)?;
    let header = header.map(|value| Versioned { version, value });
    let version = row.optional_int()?.map(u64::try_from).transpose();
    let version = version.map_err(|_| Unreadable::Range)?.map(Version::new);
    let level: Result<Option<Arc<StockLevel>>, Unreadable> = row.optional_body();
    let Some(id) = row.optional_uuid()? else {
        return Ok((header, None));
    };
    let id = StockTakeItemId::new(id);
    let of_line = |cause: Unreadable| cause.of(&RecordKey::StockTakeItem(take, id));
    let item = line(row, shown).map_err(of_line)?;
    let key = &item.value.key;
    let level = level.map_err(|cause| cause.of(&RecordKey::StockLevel(key.clone())))?;
    let level = version
        .zip(level)
        .map(|(version, value)| Versioned { version, value });
    Ok((header, Some(CountedLine { item, level })))
}
