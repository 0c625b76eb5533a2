//! R19: what changed since is told for every commit, whoever wrote, however slowly, and whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::yield_now;

use super::checks::{Verdict, Wrong, applied, ensure, same};
use super::filters::line_filters;
use super::harness::{Handle, Stage, Store};
use super::races::{Race, rounds};
use super::samples::*;
use super::shelves::shelves;
use crate::domain::{CountStatus, LineOutcome, Product, StockKey, StockTakeId};
use crate::store::{
    ArticleColumn, ArticleFilter, ArticleSort, ChangeSet, ChangeToken, DeletableKey, MAX_PAGE,
    PageRequest, StockTakeItemFilter, StockTakeItemView, StockTakeView, StoreErrorKind, Version,
};

const WRITERS: u64 = 4;

/// A take with all of its lines that a filter lets through, or those that have changed since.
async fn view(
    store: &dyn Store,
    take: StockTakeId,
    (filter, sort): (&StockTakeItemFilter, ArticleSort),
    since: Option<ChangeToken>,
) -> Result<StockTakeView, Wrong> {
    let page = PageRequest::first(MAX_PAGE).counted();
    let view = store
        .stock_take_view(ORGANISATION, take, filter, sort, since, &page)
        .await?;
    view.ok_or_else(|| format!("there is no view of {take}").into())
}

async fn since(
    store: &dyn Store,
    take: StockTakeId,
    since: Option<ChangeToken>,
) -> Result<StockTakeView, Wrong> {
    let all = StockTakeItemFilter::default();
    view(store, take, (&all, ArticleSort::default()), since).await
}

/// Lines by number, with their versions.
fn told(view: &StockTakeView) -> BTreeMap<u64, Version> {
    let lines = view.items.items.iter();
    lines
        .map(|row| (row.item.value.line, row.item.version))
        .collect()
}

/// That the totals are those of the lines that are told.
fn totals_fit(view: &StockTakeView, what: &str) -> Verdict {
    let rows = || view.items.items.iter().map(|row| &row.item);
    let totals = view.totals.ok_or("a counted page has no totals")?;
    let counted = rows().filter(|it| it.value.is_counted()).count();
    let minor: i128 = rows()
        .map(|it| i128::from(it.value.adjustment_minor()))
        .sum();
    let found = (
        totals.items,
        totals.counted,
        totals.adjustment_minor,
        totals.versions,
        view.items.total,
    );
    let rows_told = u64::try_from(view.items.items.len()).unwrap_or(0);
    let expected = (
        rows_told,
        u64::try_from(counted).unwrap_or(0),
        minor,
        rows().map(|it| it.version.get()).sum(),
        Some(rows_told),
    );
    same(found, expected, &format!("the totals of {what}"))
}

/// What changes the lines of a take, step by step, and the number of the line that each step changes.
fn steps() -> Vec<(&'static str, u64, ChangeSet)> {
    let v = Version::new;
    let posted_line = || {
        let line = counted(item(2), "1", 5);
        posted(line, LineOutcome::Adjusted, 5, "3")
    };
    let mut steps: Vec<(&'static str, u64, ChangeSet)> = Vec::new();
    let mut step = |what, line, fill: &dyn Fn(&mut ChangeSet)| {
        let mut changes = changes();
        fill(&mut changes);
        steps.push((what, line, changes));
    };
    step("a line that was counted", 1, &|it| {
        it.update(v(1), counted(item(1), "1", 7));
    });
    step("a line that was counted again, to the same", 1, &|it| {
        it.update(v(2), counted(item(1), "1", 7));
    });
    step("a line whose count was taken back", 1, &|it| {
        it.update(v(3), item(1));
    });
    step("a line that was posted", 2, &|it| {
        it.update(v(1), posted_line());
    });
    step("a line whose posting was taken back", 2, &|it| {
        it.update(v(2), counted(item(2), "1", 5));
    });
    step("a line that was added", 4, &|it| it.insert(item(4)));
    step("a line of a commit that deletes another", 3, &|it| {
        it.delete(v(1), DeletableKey::StockTakeItem(TAKE, item(4).id));
        it.update(v(1), counted(item(3), "2", 1));
    });
    step("a line that came back", 4, &|it| it.insert(item(4)));
    step("a line that has moved to another number", 9, &|it| {
        let mut line = item(3);
        line.line = 9;
        it.update(v(2), line);
    });
    steps
}

/// After each change, whoever asks with whichever token of before is told the line as it is. Nothing else than commits
/// counts: not what the clock says, not which handle wrote, not which take the token came with.
pub(super) async fn r19_every_change_after_a_token_is_told(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 3).await?;
    let other_take = take_id(7);
    put(&*store, |it| {
        it.insert(take(other_take, 1));
        it.insert(item_of(other_take, 1));
    })
    .await?;
    let other = stage.second_handle(&store).await?;
    let mut tokens = vec![since(&*store, TAKE, None).await?.next];
    let mut changed: Vec<u64> = Vec::new();
    for (nth, (what, line, changes)) in steps().into_iter().enumerate() {
        let (writer, reader) = if nth % 2 == 0 {
            (&store, &other)
        } else {
            (&other, &store)
        };
        applied(&**writer, &changes).await?;
        changed.push(line);
        let whole = told(&since(&**reader, TAKE, None).await?);
        for (taken, token) in tokens.iter().enumerate() {
            for handle in [reader, writer] {
                let view = since(&**handle, TAKE, Some(*token)).await?;
                let found = told(&view);
                for line in &changed[taken..] {
                    // What is gone by now is not told.
                    let now = whole.get(line);
                    same(found.get(line), now, &format!("{what}: line {line}"))?;
                }
                totals_fit(&view, "what changed")?;
                ensure!(view.next >= *token, "{what}: a token is lower than before");
            }
        }
        // Every second one comes with another take, or alone.
        let token = match nth % 3 {
            0 => since(&**reader, TAKE, Some(tokens[0])).await?.next,
            1 => since(&**reader, other_take, None).await?.next,
            _ => reader.change_token(ORGANISATION).await?,
        };
        let last = tokens.last().copied().unwrap_or_default();
        ensure!(token >= last, "{what}: {token} was given out after {last}");
        tokens.push(token);
    }
    whoever_is_told_everything(&*store).await
}

/// The first token, and those that are ahead of the store; and nothing of what is not there, or is somebody else's.
async fn whoever_is_told_everything(store: &dyn Store) -> Verdict {
    let whole = told(&since(store, TAKE, None).await?);
    let milliseconds = ChangeToken::new(1_732_183_464_079_000);
    for token in [
        ChangeToken::BEGINNING,
        milliseconds,
        ChangeToken::new(u64::MAX),
    ] {
        let found = told(&since(store, TAKE, Some(token)).await?);
        same(&found, &whole, &format!("what is told after {token}"))?;
    }
    let all = StockTakeItemFilter::default();
    let page = PageRequest::first(9);
    let sort = ArticleSort::default();
    for (whose, take) in [(ORGANISATION, take_id(99)), (STRANGER, TAKE)] {
        for token in [None, Some(ChangeToken::BEGINNING)] {
            let found = store
                .stock_take_view(whose, take, &all, sort, token, &page)
                .await?;
            same(found, None, "a view of a take that is not there")?;
        }
    }
    Ok(())
}

/// Pages of what changed are as pages are: filtered, sorted, each line once, and no cursor is good for another token.
pub(super) async fn r19_what_changed_comes_in_pages(stage: &Stage<'_>) -> Verdict {
    const LINES: u64 = 12;
    let store = shop(stage, LINES).await?;
    put(&*store, |it| it.insert(level(key(2), "5"))).await?;
    let token = store.change_token(ORGANISATION).await?;
    for n in (2..=LINES).rev() {
        let minor = i64::try_from(n % 4).unwrap_or(0);
        put(&*store, |it| it.update(V1, counted(item(n), "1", minor))).await?;
    }
    put(&*store, |it| it.update(V1.next(), item(5))).await?;
    let filters = [
        StockTakeItemFilter::default(),
        StockTakeItemFilter {
            status: CountStatus::Counted,
            ..StockTakeItemFilter::default()
        },
        StockTakeItemFilter {
            name: Some(search("product 1")),
            ..StockTakeItemFilter::default()
        },
    ];
    for filter in &filters {
        for (column, descending) in [
            (ArticleColumn::Line, false),
            (ArticleColumn::Line, true),
            (ArticleColumn::Name, false),
            (ArticleColumn::Stock, true),
        ] {
            let sort = ArticleSort { column, descending };
            let whole = view(&*store, TAKE, (filter, sort), None).await?.items.items;
            let changed = view(&*store, TAKE, (filter, sort), Some(token)).await?;
            totals_fit(&changed, "what changed, filtered")?;
            let changed = changed.items.items;
            let order: Vec<&StockTakeItemView> =
                (whole.iter().filter(|it| changed.contains(it))).collect();
            ensure!(
                order.len() == changed.len() && order.iter().copied().eq(&changed),
                "what changed is not in the order of {sort:?}, or is not as the list has it"
            );
            let missing = (whole.iter())
                .find(|row| row.item.value.line != 1 && !changed.contains(row))
                .map(|row| row.item.value.line);
            same(missing, None, "a line that changed and is not told")?;
            for limit in [1, 2, 5] {
                let mut rows = Vec::new();
                let mut page = PageRequest::first(limit);
                loop {
                    let found = store
                        .stock_take_view(ORGANISATION, TAKE, filter, sort, Some(token), &page)
                        .await?;
                    let found = found.ok_or("the take is gone")?;
                    same(found.totals, None, "totals that nobody asked for")?;
                    rows.extend(found.items.items);
                    let Some(next) = found.items.next else { break };
                    ensure!(rows.len() <= changed.len(), "a walk that goes on and on");
                    page = PageRequest::after(next, limit);
                }
                same(&rows, &changed, &format!("{sort:?} by pages of {limit}"))?;
            }
        }
    }
    no_cursor_is_good_elsewhere(&*store, token).await
}

async fn no_cursor_is_good_elsewhere(store: &dyn Store, token: ChangeToken) -> Verdict {
    let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    let first = PageRequest::first(2);
    let mut cursors = Vec::new();
    for since in [None, Some(token)] {
        let page = store
            .stock_take_view(ORGANISATION, TAKE, &all, sort, since, &first)
            .await?;
        let next = page.and_then(|it| it.items.next);
        cursors.push(next.ok_or("a page of two lines is the last")?);
    }
    let later = store.change_token(ORGANISATION).await?;
    for (cursor, others) in cursors.into_iter().zip([
        [Some(token), Some(later)],
        [None, Some(ChangeToken::BEGINNING)],
    ]) {
        let page = PageRequest::after(cursor, 2);
        for since in others {
            let found = store
                .stock_take_view(ORGANISATION, TAKE, &all, sort, since, &page)
                .await;
            let kind = found.map_err(|error| error.kind());
            let refused = Err(StoreErrorKind::InvalidCursor);
            same(
                kind.map(|_| ()),
                refused,
                "a cursor of another token's list",
            )?;
        }
    }
    Ok(())
}

/// A view without a token gives what the list and the totals give.
pub(super) async fn r19_a_view_is_the_list_with_its_totals(stage: &Stage<'_>) -> Verdict {
    for seed in [190, 191] {
        let store = shelves(stage, seed).await?;
        for filter in line_filters() {
            for column in [ArticleColumn::Line, ArticleColumn::Reserved] {
                let sort = ArticleSort {
                    column,
                    descending: false,
                };
                let page = PageRequest::first(MAX_PAGE).counted();
                let rows = store
                    .stock_take_items(ORGANISATION, TAKE, &filter, sort, &page)
                    .await?;
                let totals = store.stock_take_totals(ORGANISATION, TAKE, &filter).await?;
                let view = view(&*store, TAKE, (&filter, sort), None).await?;
                let what = format!("the view by {filter:?} (seed {seed})");
                same(view.items.items, rows.items, &what)?;
                let found = (view.items.total, view.totals);
                same(found, (rows.total, Some(totals)), &what)?;
            }
        }
    }
    Ok(())
}

/// Many write, quickly and slowly, and some ask again and again: at the end each has been told every line as it is, though
/// each line was written only once.
pub(super) async fn r19_who_asks_again_misses_no_commit(stage: &Stage<'_>) -> Verdict {
    let each = rounds();
    let lines = each * WRITERS;
    let store = shop(stage, lines).await?;
    put(&*store, |it| {
        (1..=lines).for_each(|n| it.insert(level(key(u128::from(n)), "1")));
    })
    .await?;
    let other = stage.second_handle(&store).await?;
    let mut race = Race::new(usize::try_from(WRITERS).unwrap_or(1) + 3);
    let writers = Arc::new(());
    let writing = Arc::downgrade(&writers);
    for task in 0..WRITERS {
        let store = Arc::clone(if task % 2 == 0 { &store } else { &other });
        let writer = Arc::clone(&writers);
        race.enter(async move {
            for n in 0..each {
                let line = task * each + n + 1;
                let mut changes = changes();
                changes.update(V1, counted(item(line), "1", 1));
                changes.update(V1, level(key(u128::from(line)), "1"));
                // Some take longer than others.
                for more in 0..(line % 5) * 7 {
                    let id = (u128::from(line) << 32) | u128::from(more);
                    changes.event(event(id, key(1_000_000 + id), 1));
                }
                applied(&*store, &changes).await?;
                // Readers have their turn between commits, also on one thread and whoever of them begins.
                yield_now().await;
            }
            drop(writer);
            Ok(())
        });
    }
    drop(writers);
    for reader in [&store, &other] {
        let (reader, writing) = (Arc::clone(reader), writing.clone());
        race.enter(async move {
            let first = since(&*reader, TAKE, None).await?;
            totals_fit(&first, "all lines while others write")?;
            let (mut token, mut found) = (first.next, told(&first));
            loop {
                // Before it is asked: what was written by then has to be told now.
                let is_written = writing.strong_count() == 0;
                let view = since(&*reader, TAKE, Some(token)).await?;
                totals_fit(&view, "what changed while others write")?;
                ensure!(view.next >= token, "{} after {token}", view.next);
                found.extend(told(&view));
                token = view.next;
                if is_written {
                    let missed = (1..=lines).find(|n| found.get(n) != Some(&V1.next()));
                    return same(missed, None, "a line that was counted and is not told");
                }
                yield_now().await;
            }
        });
    }
    let reader = Arc::clone(&other);
    race.enter(async move {
        let mut found: BTreeMap<StockKey, Version> = BTreeMap::new();
        let mut token = ChangeToken::BEGINNING;
        loop {
            let is_written = writing.strong_count() == 0;
            let next = reader.change_token(ORGANISATION).await?;
            ensure!(next >= token, "{next} after {token}");
            found.extend(articles_since(&reader, token).await?);
            token = next;
            if is_written {
                let level = |n| found.get(&key(u128::from(n)));
                let missed = (1..=lines).find(|n| level(*n) != Some(&V1.next()));
                return same(missed, None, "a level that was written and is not told");
            }
            yield_now().await;
        }
    });
    race.run().await.map(drop)
}

async fn articles_since(
    store: &Handle,
    since: ChangeToken,
) -> Result<BTreeMap<StockKey, Version>, Wrong> {
    let filter = ArticleFilter {
        changed_since: Some(since),
        ..ArticleFilter::default()
    };
    let page = PageRequest::first(MAX_PAGE);
    let sort = ArticleSort::default();
    let found = store
        .articles(ORGANISATION, SITE, &filter, sort, &page)
        .await?;
    let rows = found.items.into_iter();
    Ok(rows
        .map(|row| (row.level.value.key().clone(), row.level.version))
        .collect())
}

/// An article is told when its level changes, and when its product does; what has changed elsewhere tells nothing of it.
pub(super) async fn r19_an_article_changes_with_its_level_and_its_product(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shop(stage, 3).await?;
    put(&*store, |it| {
        (1..=3).for_each(|n| it.insert(level(key(n), "1")));
    })
    .await?;
    let other = stage.second_handle(&store).await?;
    let token = store.change_token(ORGANISATION).await?;
    put(&*other, |it| it.update(V1, level(key(2), "4"))).await?;
    let between = other.change_token(ORGANISATION).await?;
    put(&*store, |it| {
        let renamed = Product {
            name: label("Renamed"),
            ..product(3)
        };
        it.update(V1, Arc::new(renamed));
    })
    .await?;
    for handle in [&store, &other] {
        let found = articles_since(handle, token).await?;
        same(found.get(&key(2)), Some(&V1.next()), "a level that changed")?;
        same(found.get(&key(3)), Some(&V1), "a product that changed")?;
        let found = articles_since(handle, between).await?;
        same(found.get(&key(3)), Some(&V1), "what changed last")?;
        for all in [ChangeToken::BEGINNING, ChangeToken::new(u64::MAX)] {
            same(articles_since(handle, all).await?.len(), 3, "all articles")?;
        }
    }
    let theirs = store.change_token(STRANGER).await?;
    let filter = ArticleFilter {
        changed_since: Some(ChangeToken::BEGINNING.max(theirs.min(token))),
        ..ArticleFilter::default()
    };
    let page = PageRequest::first(9);
    let sort = ArticleSort::default();
    let found = store.articles(STRANGER, SITE, &filter, sort, &page).await?;
    same(found.items, [], "articles of a stranger")
}
