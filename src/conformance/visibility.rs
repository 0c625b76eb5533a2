//! C22 to C25, C27, C28, C45: what is seen, when, by whom, and after what (R4, R5, R10, R12, R14, R18).

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::task::yield_now;

use super::checks::{Verdict, Wrong, applied, commit, ensure, same};
use super::everything::{Everything, Scope};
use super::harness::{Handle, Stage};
use super::races::{Race, rounds};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use super::shelves::fill;
use crate::domain::{Quantity, StockLevel};
use crate::store::{
    ChangeSet, CommitError, CommitOutcome, Guard, JobKind, LevelFilter, PageRequest, RepositoryExt,
    Version,
};

const TASKS: u64 = 6;

/// Polls a commit so often at most, and drops it. Tells whether it was done by then.
async fn cut_off(store: &Handle, changes: &ChangeSet, polls: usize) -> bool {
    let mut future = store.commit(changes);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

/// Dropped at any moment, a commit is applied or not, whole either way, and nothing stays locked.
pub(super) async fn c22_commit_cancel_safety(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 2).await?;
    put(&*store, |it| it.insert(level(key(1), "1"))).await?;
    let other = stage.second_handle(&store).await?;
    for polls in 0..=usize::try_from(rounds()).unwrap_or(50) {
        let version = line_version(&*store, 1).await?;
        let events = store.ledger(ORGANISATION, SITE, 0, 10_000).await?.len();
        let mut changes = changes();
        changes.guard(Guard::Epoch {
            take: TAKE,
            epoch: 1,
        });
        changes.update(version, counted(item(1), "1", 1));
        changes.update(version, counted(item(2), "1", 1));
        changes.update(version, level(key(1), "1"));
        let n = u128::try_from(polls).unwrap_or(0) + 1;
        changes.event(event(n, key(n), 1));
        changes.job(job(n, 0, 1));
        let done = cut_off(&store, &changes, polls).await;
        // The others go on at once: nothing that was dropped stands in their way.
        let settled = other
            .settle(ORGANISATION, &changes.command().id, at(1))
            .await;
        let applied_it = match settled {
            Ok(settled) => settled.is_some(),
            Err(error) => return Err(format!("after a dropped commit: {error:?}").into()),
        };
        ensure!(
            applied_it || !done,
            "a commit that had answered was not applied"
        );
        ensure!(
            polls > 0 || !applied_it,
            "a commit that was never polled was applied"
        );
        let step = u64::from(applied_it);
        let expected = Version::new(version.get() + step);
        same(
            line_version(&*other, 1).await?,
            expected,
            "a line of a dropped commit",
        )?;
        same(
            line_version(&*store, 2).await?,
            expected,
            "another line of it",
        )?;
        let now = store.ledger(ORGANISATION, SITE, 0, 10_000).await?.len();
        same(now - events, usize::from(applied_it), "events of it")?;
        let born = store.job(ORGANISATION, job_id(n)).await?;
        same(born.is_some(), applied_it, "whether its job is there")?;
        let mut next = super::samples::changes();
        next.update(expected, counted(item(1), "1", 1));
        next.update(expected, counted(item(2), "1", 1));
        let level_now = Version::new(version.get() + step);
        next.update(level_now, level(key(1), "1"));
        applied(&*other, &next).await?;
    }
    Ok(())
}

/// What a commit wrote is there for every handle when it returns.
pub(super) async fn c23_read_your_writes_same_and_other_handle(stage: &Stage<'_>) -> Verdict {
    let scope = Scope::shelves();
    let store = stage.fresh().await?;
    let other = stage.second_handle(&store).await?;
    // The other handle has looked already, so that it may have kept what it saw.
    Everything::read(&*other, ORGANISATION, &scope).await?;
    fill(&*store, &mut Sampler::new(23, Filling::Mixed), ORGANISATION).await?;
    let own = Everything::read(&*store, ORGANISATION, &scope).await?;
    let seen = Everything::read(&*other, ORGANISATION, &scope).await?;
    seen.is(&own, "what another handle sees")?;

    let store = shop(stage, 1).await?;
    let other = stage.second_handle(&store).await?;
    for version in 1..=rounds() {
        let writer = if version % 2 == 0 { &store } else { &other };
        let minor = i64::try_from(version).unwrap_or(0);
        let step = Version::new(version);
        put(&**writer, |it| {
            it.update(step, counted(item(1), "1", minor));
        })
        .await?;
        for reader in [&store, &other] {
            let found = totals(&**reader).await?.adjustment_minor;
            same(found, minor.into(), "what a handle sees after a commit")?;
            same(
                line_version(&**reader, 1).await?,
                step.next(),
                "the version it sees",
            )?;
        }
    }
    put(&*other, |it| it.job(job(1, 0, 1))).await?;
    let lease = store.lease("w", JobKind::ALL, at(0), at(1)).await?;
    ensure!(
        lease.is_some(),
        "a job that another handle made is not leased"
    );
    Ok(())
}

/// Nothing of a commit that fails is ever seen, and what was seen stays seen.
pub(super) async fn c24_no_dirty_read_monotonic_reads(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 2).await?;
    let going = Arc::new(AtomicBool::new(true));
    let mut readers = Vec::new();
    for handle in [Arc::clone(&store), stage.second_handle(&store).await?] {
        let going = Arc::clone(&going);
        readers.push(tokio::spawn(async move {
            let mut last = 0;
            while going.load(Ordering::Acquire) {
                let minor = totals(&*handle).await?.adjustment_minor;
                ensure!(
                    minor >= 0,
                    "a total that was never committed is seen: {minor}"
                );
                ensure!(
                    minor >= last,
                    "what was seen is not any more: {last}, then {minor}"
                );
                last = minor;
                let level = handle.levels(ORGANISATION, &[key(1)]).await?;
                same(level, [None], "a level that was never committed")?;
                yield_now().await;
            }
            Ok::<(), Wrong>(())
        }));
    }
    let mut outcome = Ok(());
    for version in 1..=rounds() {
        outcome = one_good_one_bad(&store, version).await;
        if outcome.is_err() {
            break;
        }
    }
    going.store(false, Ordering::Release);
    for reader in readers {
        reader.await??;
    }
    outcome
}

async fn one_good_one_bad(store: &Handle, version: u64) -> Verdict {
    let step = Version::new(version);
    let mut failing = changes();
    failing.update(step, counted(item(1), "1", -1_000_000));
    failing.insert(level(key(1), "1"));
    failing.update(Version::new(99_999), counted(item(2), "1", 1));
    match commit(&**store, &failing).await {
        Err(CommitError::Conflict(_)) => {}
        other => return Err(format!("a stale commit: {other:?}").into()),
    }
    let minor = i64::try_from(version).unwrap_or(0);
    put(&**store, |it| it.update(step, counted(item(1), "1", minor))).await
}

/// What a durable store acknowledged is there after its process died, right after the answer and without having closed anything:
/// records, events, jobs, leases, commands and what was settled as never, and what was deleted is not. Of others nothing is
/// asked.
pub(super) async fn c25_a_crash_keeps_what_was_acknowledged(stage: &Stage<'_>) -> Verdict {
    let mut scope = Scope::shelves();
    let store = stage.fresh().await?;
    if stage.crash_image(&store).await?.is_none() {
        return Ok(());
    }
    fill(&*store, &mut Sampler::new(25, Filling::Mixed), ORGANISATION).await?;
    let last = changes();
    scope.commands.push(last.command().id.clone());
    applied(&*store, &last).await?;
    let void = command("never", "x");
    store.settle(ORGANISATION, &void.id, at(1)).await?;
    put(&*store, |it| it.job(job(60, 0, 3))).await?;
    let lease = store.lease("w", JobKind::ALL, at(1), at(100)).await?;
    let token = lease.ok_or("a due job is not leased")?.token;
    // The first store is still open, so what it keeps to itself is lost.
    let crashed = async |store: &Handle| -> Result<Handle, Wrong> {
        let image = stage.crash_image(store).await?;
        image.ok_or_else(|| "a store that is durable now and then".into())
    };
    let image = crashed(&store).await?;
    let before = Everything::read(&*store, ORGANISATION, &scope).await?;
    let after = Everything::read(&*image, ORGANISATION, &scope).await?;
    after.is(&before, "what was there before the process died")?;
    // What is left goes on, and dies in its turn.
    put(&*image, |it| it.event(event(899, key(899), 1))).await?;
    let again = crashed(&image).await?;
    let events = again.events_after(ORGANISATION, &[(key(899), 0)]).await?;
    same(
        events.len(),
        1,
        "events of what went on after a crash, after another one",
    )?;
    // Each commit alone: also the last one before a death, and one that deletes.
    for n in 1..=5 {
        put(&*store, |it| {
            it.insert(item(n));
            it.event(event(900 + u128::from(n), key(900), n));
        })
        .await?;
        let image = crashed(&store).await?;
        let events = image.events_after(ORGANISATION, &[(key(900), 0)]).await?;
        let what = format!("events after {n} commits, each acknowledged before the process died");
        same(events.len(), usize::try_from(n).unwrap_or(0), &what)?;
        same(
            line_version(&*image, n).await?,
            V1,
            "the line that was inserted last",
        )?;
    }
    let gone = crate::store::DeletableKey::StockTakeItem(TAKE, item(5).id);
    put(&*store, |it| it.delete(V1, gone)).await?;
    let store = crashed(&store).await?;
    ensure!(
        line_version(&*store, 5).await.is_err(),
        "a line that was deleted is there after the process died"
    );
    let again = commit(&*store, &last).await?;
    let known = CommitOutcome::AlreadyApplied(last.command().outcome.clone());
    same(again, known, "the last command, sent again")?;
    match commit(&*store, &ChangeSet::new(ORGANISATION, void)).await {
        Err(CommitError::Voided) => {}
        other => return Err(format!("a commit after a never: {other:?}").into()),
    }
    let lease = store.lease("w", JobKind::ALL, at(2), at(3)).await?;
    same(lease, None, "a lease of a job that is leased")?;
    store.ack(token, at(2)).await?;
    Ok(())
}

/// Who tails the ledger finds no gap, and never a position that it has passed.
pub(super) async fn c27_seq_strictly_increasing_no_late_small_seq(stage: &Stage<'_>) -> Verdict {
    let each = rounds();
    let store = stage.fresh().await?;
    let other = stage.second_handle(&store).await?;
    let mut race = Race::new(usize::try_from(TASKS).unwrap_or(1) + 2);
    let of_one: u64 = (0..each).map(events_of).sum();
    let writers = Arc::new(());
    let writing = Arc::downgrade(&writers);
    for task in 0..TASKS {
        let store = Arc::clone(if task % 2 == 0 { &store } else { &other });
        let writer = Arc::clone(&writers);
        race.enter(async move {
            for n in 0..each {
                let mut changes = changes();
                for part in 0..events_of(n) {
                    let id = (u128::from(task) << 64) | (u128::from(n) << 8) | u128::from(part);
                    changes.event(event(id, key(u128::from(task * 100 + part)), n + 1));
                }
                applied(&*store, &changes).await?;
            }
            drop(writer);
            Ok(())
        });
    }
    drop(writers);
    for tail in [Arc::clone(&store), Arc::clone(&other)] {
        let writing = writing.clone();
        race.enter(async move {
            let mut seen = BTreeSet::new();
            let mut position = 0;
            while position < of_one * TASKS {
                let is_written = writing.strong_count() == 0;
                let entries = tail.ledger(ORGANISATION, SITE, position, 17).await?;
                ensure!(
                    !(is_written && entries.is_empty()),
                    "the ledger ends at {position}, and everything was written"
                );
                for entry in entries {
                    same(
                        entry.position,
                        position + 1,
                        "the position after the last one seen",
                    )?;
                    position = entry.position;
                    ensure!(
                        seen.insert(entry.event.id),
                        "an event in two positions: {entry:?}"
                    );
                }
                yield_now().await;
            }
            Ok(())
        });
    }
    race.run().await?;
    let beyond = store.ledger(ORGANISATION, SITE, of_one * TASKS, 9).await?;
    same(beyond, [], "entries after the last one")
}

/// Small commits and large ones, so that some are slow.
const fn events_of(n: u64) -> u64 {
    if n.is_multiple_of(5) { 30 } else { 1 + n % 3 }
}

/// At every moment the level is the sum of its key's events.
pub(super) async fn c28_sum_of_deltas_equals_level_anytime(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    put(&*store, |it| it.insert(StockLevel::new(key(1), at(0)))).await?;
    let other = stage.second_handle(&store).await?;
    let each = rounds();
    let mut race = Race::new(4);
    for task in 0..3_u64 {
        let store = Arc::clone(if task % 2 == 0 { &store } else { &other });
        race.enter(async move {
            let (mut left, mut conflicts) = (each, 0);
            while left > 0 {
                let id = (u128::from(task) << 64) | u128::from(left);
                if sold(&store, id, if left.is_multiple_of(3) { "2" } else { "-1" }).await? {
                    left -= 1;
                } else {
                    conflicts += 1;
                    ensure!(
                        conflicts <= each * 2,
                        "more conflicts than there are commits of others"
                    );
                }
                yield_now().await;
            }
            Ok(())
        });
    }
    race.enter(async move {
        for _ in 0..each {
            let level = level_now(&other).await?;
            let events = other.events_after(ORGANISATION, &[(key(1), 0)]).await?;
            let mut sum = Quantity::ZERO;
            for (sequence, event) in (1..).zip(&events) {
                same(event.sequence, sequence, "the place of an event")?;
                same(event.before, sum, "what was there before an event")?;
                sum = sum.checked_add(event.change)?;
                // Events may have come since the level was read, never the other way round.
                if sequence == level.1.sequence() {
                    same(sum, level.1.quantity(), "the sum of the events of a level")?;
                }
            }
            let known = level.1.sequence() <= u64::try_from(events.len()).unwrap_or(0);
            ensure!(known, "a level is ahead of its events");
            yield_now().await;
        }
        Ok(())
    });
    race.run().await?;
    let last = level_now(&store).await?.1.sequence();
    same(last, each * 3, "how many events the key had")?;
    let filter = LevelFilter::default();
    let page = PageRequest::first(9);
    let levels = store
        .levels_page(ORGANISATION, SITE, &filter, &page)
        .await?;
    same(levels.items.len(), 1, "levels of the site")
}

async fn level_now(store: &Handle) -> Result<(Version, StockLevel), Wrong> {
    let found = store.levels(ORGANISATION, &[key(1)]).await?;
    let found = found.into_iter().flatten().next();
    let found = found.ok_or("a level that was written is not there")?;
    Ok((found.version, found.value))
}

/// A movement on what was just read; tells whether nobody else was faster.
async fn sold(store: &Handle, id: u128, by: &str) -> Result<bool, Wrong> {
    let (version, level) = level_now(store).await?;
    let (next, event) = moved(&level, id, by);
    let mut changes = changes();
    changes.update(version, next);
    changes.event(event);
    match commit(&**store, &changes).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Of many who send one command, one is applied, and all are told the same.
pub(super) async fn c45_concurrent_same_key_one_effect(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 1).await?;
    let other = stage.second_handle(&store).await?;
    for round in 0..rounds() {
        let version = line_version(&*store, 1).await?;
        let mut race = Race::new(usize::try_from(TASKS).unwrap_or(1));
        for n in 0..TASKS {
            let store = Arc::clone(if n % 2 == 0 { &store } else { &other });
            race.enter(async move {
                let command = command(&format!("same-{round}"), "x");
                let mut changes = ChangeSet::new(ORGANISATION, command);
                changes.update(version, counted(item(1), "1", 1));
                let id = u128::from(round * TASKS + n) + 1;
                changes.event(event(id, key(id), 1));
                Ok(commit(&*store, &changes).await? == CommitOutcome::Applied)
            });
        }
        let applied = race.run().await?;
        let applied = applied.iter().filter(|applied| **applied).count();
        same(
            applied,
            1,
            "those of many who sent one command that were applied",
        )?;
        same(
            line_version(&*store, 1).await?,
            version.next(),
            "the version after",
        )?;
        let events = store.ledger(ORGANISATION, SITE, round, 9).await?.len();
        same(events, 1, "events of one command")?;
    }
    Ok(())
}
