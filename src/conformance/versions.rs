//! What versions records have, also when they come back after they were deleted (R3).

use std::sync::Arc;

use super::checks::{Verdict, Wrong, applied, commit, ensure, refused, same};
use super::harness::{Stage, Store};
use super::races::{Race, rounds};
use super::records::{keys_of_every_kind, read, record};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use crate::domain::{OrganisationId, StockTakeId, StockTakeItem};
use crate::store::{
    ArticleSort, CommitError, Conflict, CountingView, DeletableKey, PageRequest, RecordKey,
    StockTakeItemFilter, Version,
};

/// The version of a line of a take; `None` if it is not there.
async fn version_of(
    store: &dyn Store,
    whose: OrganisationId,
    line: &StockTakeItem,
) -> Result<Option<Version>, Wrong> {
    let view = store.counting_view(whose, line.take, &[line.id]).await?;
    let line = view.and_then(CountingView::into_line);
    Ok(line.map(|(_, line)| line.item.version))
}

fn key_of(line: &StockTakeItem) -> DeletableKey {
    DeletableKey::StockTakeItem(line.take, line.id)
}

/// Lines begin above the highest version that a deleted line of their take had, and only above those of earlier commits;
/// those of other takes, and of other organisations, say nothing.
pub(super) async fn r03_lines_that_come_back_begin_above_those_that_were_deleted(
    stage: &Stage<'_>,
) -> Verdict {
    const OTHER: StockTakeId = take_id(1);
    let store = shop(stage, 2).await?;
    let other = stage.second_handle(&store).await?;
    let mut theirs = changes_of(STRANGER);
    theirs.insert(take(TAKE, 1));
    theirs.insert(item(2));
    applied(&*store, &theirs).await?;
    put(&*store, |it| {
        it.insert(take(OTHER, 2));
        it.insert(item_of(OTHER, 2));
    })
    .await?;
    for version in 1..4 {
        put(&*store, |it| {
            it.update(Version::new(version), counted(item(1), "1", 1));
        })
        .await?;
    }
    let is = async |line: &StockTakeItem, expected: u64, what: &str| -> Verdict {
        for handle in [&store, &other] {
            let found = version_of(&**handle, ORGANISATION, line).await?;
            same(found, Some(Version::new(expected)), what)?;
        }
        Ok(())
    };
    is(&item(1), 4, "a line that was counted three times").await?;
    // The highest first, so that the last one that is deleted is not the highest.
    put(&*store, |it| it.delete(Version::new(4), key_of(&item(1)))).await?;
    put(&*other, |it| it.delete(V1, key_of(&item(2)))).await?;
    put(&*store, |it| it.insert(item(2))).await?;
    is(&item(2), 5, "a line that came back").await?;
    let mut held = changes();
    held.update(V1, counted(item(2), "1", 1));
    let stale = Conflict::Stale {
        key: RecordKey::StockTakeItem(TAKE, item(2).id),
        actual: Version::new(5),
    };
    refused(&*store, &held, &[stale], "a count of a line's earlier life").await?;
    put(&*store, |it| it.insert(item(3))).await?;
    is(&item(3), 5, "a line that was never there before").await?;
    put(&*store, |it| {
        it.delete(Version::new(5), key_of(&item(3)));
        it.insert(item(1));
    })
    .await?;
    is(
        &item(1),
        5,
        "a line that came in the commit that deletes another",
    )
    .await?;
    put(&*other, |it| it.insert(item(3))).await?;
    is(&item(3), 6, "a line that came after it").await?;
    put(&*store, |it| it.insert(item_of(OTHER, 3))).await?;
    is(&item_of(OTHER, 3), 1, "a line of another take").await?;
    let mut more = changes_of(STRANGER);
    more.insert(item(3));
    applied(&*store, &more).await?;
    let found = version_of(&*store, STRANGER, &item(3)).await?;
    same(found, Some(V1), "a line of another organisation")?;
    let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    let page = PageRequest::first(9);
    let lines = store.stock_take_items(ORGANISATION, TAKE, &all, sort, &page);
    let lines = lines.await?;
    let versions: Vec<_> = lines.items.iter().map(|it| it.item.version.get()).collect();
    same(
        versions,
        [5, 5, 6],
        "the versions of the lines in their list",
    )?;
    same(
        totals(&*store).await?.versions,
        16,
        "the sum of their versions",
    )
}

/// Whoever brings a line back while it is being deleted gives it a version that it never had.
pub(super) async fn r03_a_line_that_comes_back_beside_its_deletion(stage: &Stage<'_>) -> Verdict {
    const TRIES: u32 = 100_000;
    let store = shop(stage, 1).await?;
    let other = stage.second_handle(&store).await?;
    let mut version = V1;
    for round in 0..rounds() {
        // Each life is longer than the number that was kept before it.
        put(&*store, |it| it.update(version, item(1))).await?;
        version = version.next();
        let mut race = Race::new(2);
        let (deleting, inserting) = if round % 2 == 0 {
            (&store, &other)
        } else {
            (&other, &store)
        };
        let (deleting, inserting) = (Arc::clone(deleting), Arc::clone(inserting));
        race.enter(async move { put(&*deleting, |it| it.delete(version, key_of(&item(1)))).await });
        race.enter(async move {
            for _ in 0..TRIES {
                let mut changes = changes();
                changes.insert(item(1));
                match commit(&*inserting, &changes).await {
                    Ok(_) => return Ok(()),
                    Err(CommitError::Conflict(_)) => tokio::task::yield_now().await,
                    Err(error) => return Err(error.into()),
                }
            }
            Err("a line that was deleted can't be inserted".into())
        });
        race.run().await?;
        let found = version_of(&*store, ORGANISATION, &item(1)).await?;
        same(
            found,
            Some(version.next()),
            "the version of a line that came back",
        )?;
        version = version.next();
    }
    Ok(())
}

/// An update makes the version one higher also when it writes what is there, and then only that version is good.
pub(super) async fn r03_an_update_makes_the_version_one_higher_also_when_nothing_differs(
    stage: &Stage<'_>,
) -> Verdict {
    let store = stage.fresh().await?;
    let mut sampler = Sampler::new(3, Filling::Full);
    let mut records = Vec::new();
    for key in keys_of_every_kind() {
        records.push(record(&mut sampler, &key)?);
    }
    put(&*store, |it| {
        records.iter().cloned().for_each(|record| it.insert(record));
    })
    .await?;
    for record in records {
        let key = record.key();
        put(&*store, |it| it.update(V1, record.clone())).await?;
        let found = read(&*store, ORGANISATION, &key).await?;
        let found = found.and_then(|(version, _)| version);
        ensure!(
            found.is_none_or(|found| found == V1.next()),
            "the version of what was written again as it was\nexpected: {}\nfound: {found:?}",
            V1.next()
        );
        let mut again = changes();
        again.update(V1, record);
        let stale = Conflict::Stale {
            key,
            actual: V1.next(),
        };
        refused(&*store, &again, &[stale], "an update of the version before").await?;
    }
    Ok(())
}
