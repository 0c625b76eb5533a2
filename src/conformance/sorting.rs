//! In what order lists stand (R9).

use super::checks::{Verdict, Wrong, same};
use super::harness::Stage;
use super::questions::{Question, Row, ids};
use super::samples::*;
use super::shelves::shelves;
use crate::domain::StockTakeState;
use crate::store::{
    ArticleFilter, ArticleRow, ArticleSort, SortValue, StockTakeFilter, StockTakeItemFilter,
    StockTakeItemView,
};

/// Every column sorts as it says, ties in the order of lines or keys; descending is the exact reverse.
pub(super) async fn r09_sorted_by_every_column_with_ties(stage: &Stage<'_>) -> Verdict {
    for seed in [90, 91, 92] {
        let store = shelves(stage, seed).await?;
        for sort in super::lists::sorts() {
            let lines = StockTakeItemFilter::default();
            let articles = ArticleFilter::default();
            for question in [
                Question::StockTakeItems(TAKE, lines, sort),
                Question::Articles(SITE, articles, sort),
            ] {
                let found = question.walk(&*store, ORGANISATION, 3).await?;
                let mut expected = found.clone();
                expected.sort_by_key(place);
                // The sort is stable, so rows that are equal keep their own order.
                expected.sort_by_key(|row| value(sort, row));
                if sort.descending {
                    expected.reverse();
                }
                let what = format!("{question} (seed {seed})");
                same(ids(&found), ids(&expected), &what)?;
            }
        }
    }
    Ok(())
}

/// Where a row stands in its list's own order.
fn place(row: &Row) -> (Option<crate::domain::StockKey>, u64, Option<uuid::Uuid>) {
    match row {
        Row::Article(row) => (Some(row.level.key().clone()), 0, None),
        Row::StockTakeItem(row) => (None, row.item.line, Some(row.item.id.as_uuid())),
        _ => (None, 0, None),
    }
}

/// What a row sorts by.
fn value(sort: ArticleSort, row: &Row) -> SortValue {
    match row {
        Row::Article(row) => sort.column.value(&ArticleRow {
            line: None,
            product: &row.product,
            key: row.level.key(),
            on_hand: Some(row.level.quantity()),
            reserved: Some(row.level.reserved()),
            counted: false,
        }),
        Row::StockTakeItem(row) => {
            let StockTakeItemView {
                item,
                on_hand,
                reserved,
            } = row.as_ref();
            let posted = item.posting.as_ref();
            sort.column.value(&ArticleRow {
                line: Some(item.line),
                product: &item.product,
                key: &item.key,
                on_hand: posted.map_or(*on_hand, |it| Some(it.on_hand)),
                reserved: posted.map_or(*reserved, |it| Some(it.reserved)),
                counted: item.is_counted(),
            })
        }
        _ => SortValue::Missing,
    }
}

/// The documents of a site stand by age, then by id; those that changed their site or time move.
pub(super) async fn r09_documents_are_listed_by_age_then_id(stage: &Stage<'_>) -> Verdict {
    let store = shelves(stage, 93).await?;
    for question in super::shelves::every_list() {
        let found = question.walk(&*store, ORGANISATION, 3).await?;
        let mut expected = found.clone();
        expected.sort_by_key(age);
        same(ids(&found), ids(&expected), &format!("{question}"))?;
    }
    let store = shop(stage, 0).await?;
    put(&*store, |it| {
        for (n, second) in [(9, 0), (3, 5), (2, 5), (4, 7)] {
            it.insert(take(take_id(n), second));
        }
    })
    .await?;
    let ids_of = async |site| -> Result<Vec<u128>, Wrong> {
        let question = Question::StockTakes(site, StockTakeFilter::default());
        let found = question.walk(&*store, ORGANISATION, 2).await?;
        let id = |row: &Row| match row {
            Row::StockTake(row) => row.id().as_uuid().as_u128(),
            _ => 0,
        };
        Ok(found.iter().map(id).collect())
    };
    let own = TAKE.as_uuid().as_u128();
    same(
        ids_of(SITE).await?,
        [9, own, 2, 3, 4],
        "takes by age, then by id",
    )?;
    put(&*store, |it| it.update(V1, take(TAKE, 9))).await?;
    same(
        ids_of(SITE).await?,
        [9, 2, 3, 4, own],
        "a take whose time changed",
    )?;
    put(&*store, |it| {
        it.update(V1, take_at(take_id(2), site_id(2), 5));
    })
    .await?;
    same(
        ids_of(SITE).await?,
        [9, 3, 4, own],
        "a site that a take left",
    )?;
    same(ids_of(site_id(2)).await?, [2], "the site that it went to")?;
    let removed = take(take_id(3), 5).remove(&stamp(8))?;
    put(&*store, |it| it.update(V1, removed)).await?;
    let left = ids_of(SITE).await?;
    same(left, [9, 4, own], "takes that nobody removed")?;
    let removed = StockTakeFilter {
        states: [StockTakeState::Removed].into(),
    };
    let found = Question::StockTakes(SITE, removed);
    let found = found.walk(&*store, ORGANISATION, 2).await?;
    same(
        ids(&found),
        [take_id(3).to_string()],
        "removed takes, asked for",
    )
}

/// By what a list is ordered, of its own.
fn age(row: &Row) -> (Option<crate::domain::StockKey>, i64, Option<uuid::Uuid>) {
    let (began_at, id) = match row {
        Row::StockTake(row) => (row.created_at().micros(), row.id().as_uuid()),
        Row::InventoryCount(row) => (row.started_at().micros(), row.id().as_uuid()),
        Row::InventoryCountItem(row) => (row.created_at.micros(), row.id.as_uuid()),
        Row::StockAdjustment(row) => (row.created_at().micros(), row.id().as_uuid()),
        Row::InventoryOrder(row) => (row.created_at().micros(), row.id().as_uuid()),
        Row::InventoryOrderItem(row) => {
            let line = i64::try_from(row.line()).unwrap_or(i64::MAX);
            (line, row.id().as_uuid())
        }
        Row::Job(row) => (row.created_at.micros(), row.id.as_uuid()),
        Row::Level(row) => return (Some(row.key().clone()), 0, None),
        Row::Article(row) => return (Some(row.level.key().clone()), 0, None),
        Row::StockTakeItem(row) => {
            let line = i64::try_from(row.item.line).unwrap_or(i64::MAX);
            (line, row.item.id.as_uuid())
        }
    };
    (None, began_at, Some(id))
}
