//! C32 to C34, C36: pages and totals (R9, R11).

use std::collections::BTreeSet;

use super::checks::{Verdict, Wrong, ensure, same};
use super::harness::{Handle, Stage};
use super::questions::{Question, Row, ids, lines};
use super::samples::*;
use super::shelves::{every_list, fill, shelves};
use crate::domain::{LineOutcome, SearchText, StockTakeItem};
use crate::store::{
    ArticleColumn, ArticleSort, DeletableKey, MAX_PAGE, PageRequest, PageStart,
    StockTakeItemFilter, StoreErrorKind, Version,
};

const ALL: u32 = MAX_PAGE;

/// Every sort that there is, each column in both directions.
pub(super) fn sorts() -> impl Iterator<Item = ArticleSort> {
    ArticleColumn::NAMES.iter().flat_map(|(_, column)| {
        [false, true].map(|descending| ArticleSort {
            column: *column,
            descending,
        })
    })
}

/// Every list, sorted in every way.
fn every_sorted_list() -> Vec<Question> {
    let mut all = Vec::new();
    for question in every_list() {
        match question {
            Question::Articles(site, filter, _) => {
                all.extend(sorts().map(|sort| Question::Articles(site, filter.clone(), sort)));
            }
            Question::StockTakeItems(take, filter, _) => {
                let of = |sort| Question::StockTakeItems(take, filter.clone(), sort);
                all.extend(sorts().map(of));
            }
            _ => all.push(question),
        }
    }
    all
}

/// Walked by pages of any size, each list is the same, each row is there once, and totals count them.
pub(super) async fn c32_page_walk_complete_disjoint_with_equal_sort_keys(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shelves(stage, 32).await?;
    for question in every_sorted_list() {
        let first = PageRequest::first(ALL).counted();
        let whole = question.page(&*store, ORGANISATION, &first).await?;
        ensure!(
            whole.next.is_none(),
            "{question}: a page after the last row"
        );
        let count = u64::try_from(whole.items.len()).unwrap_or(u64::MAX);
        same(
            whole.total,
            Some(count),
            &format!("{question}: the total of the list"),
        )?;
        ensure!(
            count >= 3,
            "{question}: only {count} rows of those that were written"
        );
        let distinct: BTreeSet<_> = ids(&whole.items).into_iter().collect();
        same(
            distinct.len(),
            whole.items.len(),
            "rows that are there once",
        )?;
        for limit in [1, 2, 3, 5, u32::try_from(count).unwrap_or(ALL)] {
            let walked = question.walk(&*store, ORGANISATION, limit).await?;
            let what = format!("{question}: the list by pages of {limit}");
            same(ids(&walked), ids(&whole.items), &what)?;
            same(walked, whole.items.as_slice(), &what)?;
        }
        // Behind a cursor the total is that of the whole list as well.
        let mut request = PageRequest::first(2).counted();
        for _ in 0..count {
            let page = question.page(&*store, ORGANISATION, &request).await?;
            let what = format!("{question}: the total of a page behind a cursor");
            same(page.total, Some(count), &what)?;
            let Some(next) = page.next else { break };
            request = PageRequest::after(next, 2).counted();
        }
        for skip in 0..=count {
            let request = PageRequest {
                start: PageStart::Skip(skip),
                limit: 2,
                with_total: true,
                reversed: false,
            };
            let page = question.page(&*store, ORGANISATION, &request).await?;
            let from = usize::try_from(skip).unwrap_or(usize::MAX);
            let expected: Vec<_> = whole.items.iter().skip(from).take(2).cloned().collect();
            let what = format!("{question}: two rows after {skip}");
            same(ids(&page.items), ids(&expected), &what)?;
            same(page.total, Some(count), &what)?;
        }
    }
    Ok(())
}

/// Turned round, each list is exactly the reverse of itself: as a whole, by pages of any size, and after any number of
/// rows; a cursor is good for one direction only.
pub(super) async fn r09_every_list_is_turned_round(stage: &Stage<'_>) -> Verdict {
    let store = shelves(stage, 34).await?;
    for question in every_sorted_list() {
        let mut expected = question.walk(&*store, ORGANISATION, ALL).await?;
        expected.reverse();
        let count = u64::try_from(expected.len()).unwrap_or(u64::MAX);
        let page = async |request: PageRequest| {
            let found = question.page(&*store, ORGANISATION, &request);
            found.await
        };
        for limit in [1, 2, 3, ALL] {
            let what = format!("{question}, turned round, by pages of {limit}");
            let mut walked = Vec::new();
            let mut request = PageRequest::first(limit).reversed().counted();
            loop {
                let found = page(request).await?;
                if walked.is_empty() {
                    same(found.total, Some(count), &what)?;
                }
                walked.extend(found.items);
                ensure!(
                    walked.len() <= expected.len(),
                    "{what}\nexpected: {count} rows\nfound: a walk that goes on and on"
                );
                let Some(next) = found.next else { break };
                request = PageRequest::after(next, limit).reversed();
            }
            same(ids(&walked), ids(&expected), &what)?;
            same(walked, expected.as_slice(), &what)?;
        }
        for skip in 0..=expected.len() {
            let request = PageRequest {
                start: PageStart::Skip(u64::try_from(skip).unwrap_or(u64::MAX)),
                ..PageRequest::first(2).reversed()
            };
            let rows: Vec<_> = expected.iter().skip(skip).take(2).cloned().collect();
            let what = format!("{question}, turned round: two rows after {skip}");
            same(ids(&page(request).await?.items), ids(&rows), &what)?;
        }
        let ways = [
            (PageRequest::first(1), true),
            (PageRequest::first(1).reversed(), false),
        ];
        for (first, is_reversed) in ways {
            let next = page(first).await?.next;
            let next = next.ok_or_else(|| Wrong::from(format!("{question}: one page only")))?;
            let request = PageRequest {
                reversed: is_reversed,
                ..PageRequest::after(next, 1)
            };
            let kind = page(request).await.map_err(|error| error.kind()).err();
            same(
                kind,
                Some(StoreErrorKind::InvalidCursor),
                &format!("{question}: a cursor of the other direction"),
            )?;
        }
    }
    Ok(())
}

/// Limits are cut to 1 and the largest page; beyond the end there is an empty page.
pub(super) async fn c33_page_bounds_and_clamp(stage: &Stage<'_>) -> Verdict {
    let store = shelves(stage, 33).await?;
    let more = shop(stage, 0).await?;
    put(&*more, |it| {
        for n in 1..=u64::from(MAX_PAGE) + 1 {
            it.insert(item(n));
        }
    })
    .await?;
    for question in every_list() {
        let whole = question.walk(&*store, ORGANISATION, ALL).await?;
        let count = whole.len();
        let total = Some(u64::try_from(count).unwrap_or(u64::MAX));
        let beyond = u64::try_from(count).unwrap_or(u64::MAX);
        for (start, limit, rows) in [
            (PageStart::First, 0, 1),
            (PageStart::First, 1, 1),
            (PageStart::First, MAX_PAGE, count),
            (PageStart::First, MAX_PAGE + 1, count),
            (PageStart::First, u32::MAX, count),
            (PageStart::Skip(0), u32::MAX, count),
            (PageStart::Skip(beyond - 1), 1, 1),
            (PageStart::Skip(beyond), 1, 0),
            (PageStart::Skip(i64::MAX.unsigned_abs()), u32::MAX, 0),
            (PageStart::Skip(u64::MAX), u32::MAX, 0),
        ] {
            let request = PageRequest {
                start,
                limit,
                with_total: true,
                reversed: false,
            };
            let page = question.page(&*store, ORGANISATION, &request).await?;
            let what = format!("{question}: rows of {request:?}");
            same(page.items.len(), rows, &what)?;
            same(page.total, total, &what)?;
            let ends = rows == 0 || ids(&page.items).last() == ids(&whole).last();
            same(
                page.next.is_none(),
                ends,
                &format!("{what}: whether it is the last page"),
            )?;
        }
    }
    let question = lines_of_take(StockTakeItemFilter::default(), ArticleSort::default());
    for limit in [MAX_PAGE, MAX_PAGE + 1, u32::MAX] {
        let request = PageRequest::first(limit);
        let page = question.page(&*more, ORGANISATION, &request).await?;
        let most = usize::try_from(MAX_PAGE).unwrap_or(0);
        same(page.items.len(), most, "rows of the largest page")?;
        ensure!(page.next.is_some(), "no page after the largest page");
    }
    Ok(())
}

fn lines_of_take(filter: StockTakeItemFilter, sort: ArticleSort) -> Question {
    Question::StockTakeItems(TAKE, filter, sort)
}

fn named_line(n: u64, name: &str) -> StockTakeItem {
    let mut line = item(n);
    std::sync::Arc::make_mut(&mut line.product).name = label(name);
    line
}

/// Rows that are there all the time are seen once, also when the cursor's own row goes.
pub(super) async fn c34_cursor_walk_stable_under_insert_and_delete(stage: &Stage<'_>) -> Verdict {
    for column in [
        ArticleColumn::Line,
        ArticleColumn::Name,
        ArticleColumn::Article,
        ArticleColumn::StockPlaceArticle,
        ArticleColumn::Price,
    ] {
        for descending in [false, true] {
            let store = shop(stage, 0).await?;
            walked_while_rows_come_and_go(&store, ArticleSort { column, descending }).await?;
        }
    }
    Ok(())
}

async fn walked_while_rows_come_and_go(store: &Handle, sort: ArticleSort) -> Verdict {
    let names = ["d", "a", "d", "\u{c5}ngstr\u{f6}m", "b", "D", "c d.~", "a"];
    put(&**store, |it| {
        for (n, name) in (100..).zip(names) {
            it.insert(named_line(n, name));
        }
    })
    .await?;
    let mut stays: BTreeSet<u64> = (100..).zip(names).map(|(n, _)| n).collect();
    let question = lines_of_take(StockTakeItemFilter::default(), sort);
    let mut seen = Vec::new();
    let mut request = PageRequest::first(2);
    let mut fresh = 0;
    // What comes behind the cursor is walked as well, so not for ever.
    for _ in 0..60 {
        let page = question.page(&**store, ORGANISATION, &request).await?;
        seen.extend(lines(&page.items));
        let Some(next) = page.next else { break };
        let Some(Row::StockTakeItem(last)) = page.items.last() else {
            return Err("a page without rows tells of another one".into());
        };
        let (line, id, version) = (last.item.line, last.item.id, last.item.version);
        put(&**store, |it| {
            it.delete(version, DeletableKey::StockTakeItem(TAKE, id));
            if fresh < 30 {
                for (name, far) in [("A", 0), ("d", 1_000), ("z", 0)] {
                    fresh += 1;
                    it.insert(named_line(fresh + far, name));
                }
            }
        })
        .await?;
        stays.remove(&line);
        request = PageRequest::after(next, 2);
    }
    for line in stays {
        let times = seen.iter().filter(|it| **it == line).count();
        ensure!(
            times == 1,
            "line {line} was there all the time, and was seen {times} times, by {sort:?}: {seen:?}"
        );
    }
    let distinct: BTreeSet<_> = seen.iter().collect();
    same(distinct.len(), seen.len(), "rows seen once each")
}

/// Two rows that a list can't tell apart but by their ids are two rows.
pub(super) async fn c32_equal_lines_are_walked_once_each(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 0).await?;
    put(&*store, |it| {
        for n in 1..=9 {
            let mut line = item(n);
            line.line = n / 5;
            it.insert(line);
        }
    })
    .await?;
    for descending in [false, true] {
        let sort = ArticleSort {
            column: ArticleColumn::Line,
            descending,
        };
        let question = lines_of_take(StockTakeItemFilter::default(), sort);
        let walked = question.walk(&*store, ORGANISATION, 2).await?;
        let mut expected: Vec<_> = (1..=9).map(|n| (n / 5, item(n).id)).collect();
        expected.sort_unstable();
        if descending {
            expected.reverse();
        }
        let expected: Vec<_> = expected.iter().map(|(_, id)| id.to_string()).collect();
        same(ids(&walked), expected, "lines by line and id")?;
    }
    Ok(())
}

/// Cursors are good for their own list only: not for another kind, parent, filter, order or organisation.
pub(super) async fn c42_cursor_of_other_scope_is_invalid(stage: &Stage<'_>) -> Verdict {
    let store = shelves(stage, 42).await?;
    let mut sampler = super::sampler::Sampler::new(43, super::sampler::Filling::Mixed);
    fill(&*store, &mut sampler, STRANGER).await?;
    let by = |column, descending| ArticleSort { column, descending };
    let mut questions = every_list();
    questions.extend(super::filters::every_filter());
    for sort in [
        by(ArticleColumn::Line, true),
        by(ArticleColumn::Name, false),
        by(ArticleColumn::Name, true),
        by(ArticleColumn::Stock, false),
    ] {
        questions.push(lines_of_take(StockTakeItemFilter::default(), sort));
        let filter = crate::store::ArticleFilter::default();
        questions.push(Question::Articles(SITE, filter, sort));
    }
    let is_refused = async |question: &Question, whose, text: &str| -> Verdict {
        let request = PageRequest::after(text.to_owned().into(), 1);
        match question.page(&*store, whose, &request).await {
            Err(error) if error.kind() == StoreErrorKind::InvalidCursor => Ok(()),
            other => Err(
                format!("{question} took the cursor {text:?} of another list: {other:?}").into(),
            ),
        }
    };
    for question in &questions {
        let first = PageRequest::first(1);
        let page = question.page(&*store, ORGANISATION, &first).await?;
        for nonsense in ["", "x", "0", "\u{1F4E6}", "..", "%", "'"] {
            is_refused(question, ORGANISATION, nonsense).await?;
        }
        let Some(cursor) = page.next else { continue };
        let after = PageRequest::after(cursor.clone(), 1);
        let page = question.page(&*store, ORGANISATION, &after).await?;
        same(page.items.len(), 1, "a cursor of the list's own")?;
        is_refused(question, STRANGER, cursor.as_str()).await?;
        for other in &questions {
            if question != other {
                is_refused(other, ORGANISATION, cursor.as_str()).await?;
            }
        }
        if let Some(elsewhere) = question.elsewhere() {
            is_refused(&elsewhere, ORGANISATION, cursor.as_str()).await?;
        }
    }
    Ok(())
}

/// The totals of a filter are those of the lines that the list gives for it.
pub(super) async fn c36_totals_match_filtered_items(stage: &Stage<'_>) -> Verdict {
    let store = shelves(stage, 36).await?;
    for question in super::filters::every_filter() {
        super::filters::totals_are_those_of_the_list(&*store, &question).await?;
        super::filters::nothing_is_unlike(&*store, &question).await?;
    }
    totals_are_wide(stage).await
}

/// A sum of amounts fits, however large each is: no number of lines makes a total unreadable, or wraps it.
async fn totals_are_wide(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 3).await?;
    let (most, least) = (i128::from(i64::MAX), i128::from(i64::MIN));
    put(&*store, |it| {
        for n in 1..=3 {
            it.update(V1, counted(item(n), "1", i64::MAX));
        }
    })
    .await?;
    let all = totals(&*store).await?.adjustment_minor;
    same(all, 3 * most, "a total beyond 64 bits")?;
    let one = StockTakeItemFilter {
        article: Some(code("SKU-1")),
        ..Default::default()
    };
    let found = store.stock_take_totals(ORGANISATION, TAKE, &one).await?;
    same(found.adjustment_minor, most, "a total of one line")?;
    let several = StockTakeItemFilter {
        name: SearchText::new("Product").ok(),
        ..Default::default()
    };
    let found = store
        .stock_take_totals(ORGANISATION, TAKE, &several)
        .await?;
    let what = "a total beyond 64 bits of the lines of a filter";
    same(found.adjustment_minor, 3 * most, what)?;
    put(&*store, |it| {
        for n in 1..=2 {
            let line = posted(item(n), LineOutcome::Adjusted, i64::MIN, "0");
            it.update(Version::new(2), line);
        }
    })
    .await?;
    let found = totals(&*store).await?;
    let expected = most + 2 * least;
    same(
        found.adjustment_minor,
        expected,
        "a total of both signs beyond 64 bits",
    )?;
    same(
        (found.items, found.counted),
        (3, 1),
        "lines, and those counted",
    )
}
