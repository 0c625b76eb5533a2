//! C10, C13, C14, C18, C21 and R8: what many tasks at once must not break.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::yield_now;

use super::checks::{Verdict, Wrong, commit, ensure, refused, same};
use super::harness::{Handle, Stage};
use super::races::{Race, rounds};
use super::samples::*;
use crate::domain::StockTake;
use crate::store::{
    CommitError, Conflict, CountingView, Guard, MAX_PAGE, RecordKey, StockTakeItemFilter, Version,
};

/// How many tasks a race has.
const TASKS: u64 = 6;

fn tasks() -> usize {
    usize::try_from(TASKS).unwrap_or(1)
}

/// A flag that readers watch, lowered also when the writer fails.
struct Going(Arc<AtomicBool>);

impl Going {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    fn watch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Posted lines, their totals and their events are seen all or not at all, by every handle, and stay seen.
pub(super) async fn c10_thousand_line_posting_is_seen_whole_or_not(stage: &Stage<'_>) -> Verdict {
    const LINES: u64 = 1_000;
    let store = shop(stage, LINES).await?;
    let going = Going::new();
    let mut readers = Vec::new();
    for handle in [Arc::clone(&store), stage.second_handle(&store).await?] {
        let watched = going.watch();
        readers.push(tokio::spawn(async move {
            let (mut seen, mut position) = (0, 0);
            while watched.load(Ordering::Acquire) {
                let found = totals(&*handle).await?;
                ensure!(
                    found.counted == 0 || found.counted == LINES,
                    "{} of {LINES} lines of one commit are seen",
                    found.counted
                );
                let minor = found.adjustment_minor;
                ensure!(
                    minor % 1_000 == 0,
                    "parts of one commit are summed: {minor}"
                );
                ensure!(minor >= seen, "a total went back from {seen} to {minor}");
                seen = minor;
                let ledger = handle
                    .ledger(ORGANISATION, SITE, position, MAX_PAGE)
                    .await?;
                let new = ledger.len();
                ensure!(
                    new % 1_000 == 0,
                    "{new} of 1000 events of one commit are seen"
                );
                position += u64::try_from(new).unwrap_or(0);
                yield_now().await;
            }
            Ok::<(), Wrong>(())
        }));
    }
    for round in 1_u64..=8 {
        put(&*store, |it| {
            for n in 1..=LINES {
                let minor = i64::try_from(round).unwrap_or(0);
                it.update(Version::new(round), counted(item(n), "1", minor));
                let id = u128::from(round * 10_000 + n);
                it.event(event(id, key(u128::from(n)), round));
            }
        })
        .await?;
        yield_now().await;
    }
    drop(going);
    for reader in readers {
        reader.await??;
    }
    same(
        totals(&*store).await?.adjustment_minor,
        8_000,
        "the total in the end",
    )
}

/// An update must name the version that the record has, and makes it one higher.
pub(super) async fn c13_stale_version_is_conflict_and_version_steps_by_one(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shop(stage, 1).await?;
    let key = RecordKey::StockTakeItem(TAKE, item(1).id);
    for step in 1_u8..=5 {
        let version = Version::new(u64::from(step));
        let minor = i64::from(step);
        put(&*store, |it| {
            it.update(version, counted(item(1), "1", minor));
        })
        .await?;
        for wrong in [version, version.next().next(), Version::new(0)] {
            let mut late = changes();
            late.update(wrong, counted(item(1), "9", 9));
            let stale = Conflict::Stale {
                key: key.clone(),
                actual: version.next(),
            };
            refused(&*store, &late, &[stale], "an update of another version").await?;
        }
        let found = totals(&*store).await?.adjustment_minor;
        same(found, minor.into(), "what the refused updates left")?;
    }
    Ok(())
}

/// Of all who saw the same version one wins, and the others are told.
pub(super) async fn c14_two_counters_same_line_one_wins(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 1).await?;
    let other = stage.second_handle(&store).await?;
    for round in 0..rounds() {
        let version = line_version(&*store, 1).await?;
        let mut race = Race::new(tasks());
        for n in 0..TASKS {
            let store = Arc::clone(if n % 2 == 0 { &store } else { &other });
            let minor = i64::try_from(round * TASKS + n).unwrap_or(0);
            race.enter(async move {
                let mut changes = changes();
                changes.update(version, counted(item(1), "1", minor));
                match commit(&*store, &changes).await {
                    Ok(_) => Ok(Some(i128::from(minor))),
                    Err(CommitError::Conflict(_)) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            });
        }
        let won: Vec<_> = race.run().await?.into_iter().flatten().collect();
        let found = totals(&*store).await?.adjustment_minor;
        same(won, [found], "those whose count was taken")?;
        same(
            line_version(&*store, 1).await?,
            version.next(),
            "the version after",
        )?;
    }
    Ok(())
}

/// Read, add, commit, again on conflict: no increment is lost.
pub(super) async fn c18_parallel_deltas_lose_no_increment(stage: &Stage<'_>) -> Verdict {
    let each = i64::try_from(rounds()).unwrap_or(1);
    let store = shop(stage, 1).await?;
    let other = stage.second_handle(&store).await?;
    let mut race = Race::new(tasks());
    for n in 0..TASKS {
        let store = Arc::clone(if n % 2 == 0 { &store } else { &other });
        race.enter(async move {
            let (mut left, mut conflicts) = (each, 0);
            while left > 0 {
                let view = store
                    .counting_view(ORGANISATION, TAKE, &[item(1).id])
                    .await?;
                let line = view.and_then(CountingView::into_line);
                let read = line.ok_or("the line is gone")?.1.item;
                yield_now().await;
                let mut changes = changes();
                let minor = read.value.adjustment_minor() + 1;
                changes.update(read.version, counted(item(1), "1", minor));
                match commit(&*store, &changes).await {
                    Ok(_) => left -= 1,
                    Err(CommitError::Conflict(_)) => {
                        conflicts += 1;
                        ensure!(
                            conflicts <= each * i64::try_from(TASKS).unwrap_or(0),
                            "more conflicts than there are commits of others"
                        );
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        });
    }
    race.run().await?;
    let expected = each * i64::try_from(TASKS).unwrap_or(0);
    same(
        totals(&*store).await?.adjustment_minor,
        i128::from(expected),
        "the sum of all increments",
    )?;
    let steps = u64::try_from(expected).unwrap_or(0);
    let version = line_version(&*store, 1).await?;
    same(
        version,
        Version::new(steps + 1),
        "the version after so many updates",
    )
}

/// The header, the line and the level of a view, and a page and its total, are of one moment.
pub(super) async fn c21_load_is_one_snapshot(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 1).await?;
    put(&*store, |it| it.insert(level(key(1), "0"))).await?;
    let going = Going::new();
    let mut readers = Vec::new();
    for handle in [Arc::clone(&store), stage.second_handle(&store).await?] {
        let watched = going.watch();
        readers.push(tokio::spawn(read_snapshots(handle, watched)));
    }
    for version in 1..rounds() * 4 {
        let step = Version::new(version);
        put(&*store, |it| {
            it.update(step, take(TAKE, 1));
            it.update(step, counted(item(1), "1", 1));
            it.update(step, level(key(1), "1"));
            it.insert(item(1_000 + version));
        })
        .await?;
        yield_now().await;
    }
    drop(going);
    for reader in readers {
        reader.await??;
    }
    Ok(())
}

async fn read_snapshots(store: Handle, going: Arc<AtomicBool>) -> Verdict {
    let all = StockTakeItemFilter::default();
    let page = crate::store::PageRequest::first(MAX_PAGE).counted();
    while going.load(Ordering::Acquire) {
        // So often that a store may ask for it in parts.
        let asked = [item(1).id; 111];
        let view = store.counting_view(ORGANISATION, TAKE, &asked).await?;
        let view = view.ok_or("the take is gone")?;
        for line in view.lines {
            let line = line.ok_or("the line is gone")?;
            let level = line.level.ok_or("the level is gone")?.version;
            let found = (view.take.version, line.item.version);
            same(
                found,
                (level, level),
                "versions of a take, a line and a level that change together",
            )?;
        }
        let sort = crate::store::ArticleSort::default();
        let lines = store
            .stock_take_items(ORGANISATION, TAKE, &all, sort, &page)
            .await?;
        let rows = u64::try_from(lines.items.len()).unwrap_or(0);
        same(
            lines.total,
            Some(rows),
            "the total of a list that is one page",
        )?;
        let whole = store
            .stock_take_view(ORGANISATION, TAKE, &all, sort, None, &page)
            .await?
            .ok_or("the take is gone")?;
        let told = u64::try_from(whole.items.items.len()).unwrap_or(0);
        let counted = whole.totals.map(|it| it.items);
        same(
            (counted, whole.items.total),
            (Some(told), Some(told)),
            "the totals of a view that is one page",
        )?;
        same(
            whole.take.version.get(),
            told,
            "a take's version and the number of its lines",
        )?;
        let first = lines.items.first().ok_or("the lines are gone")?;
        // Each commit steps the first line, and adds one: they go together.
        same(
            first.item.version.get(),
            rows,
            "a line's version and the number of lines",
        )?;
        yield_now().await;
    }
    Ok(())
}

/// What ends an epoch, and by which guard the others hold on to it.
type Ending = (Guard, fn(StockTake) -> Result<StockTake, Wrong>);

fn guarded(line: u64, version: Version, guard: Guard) -> crate::store::ChangeSet {
    let mut changes = changes();
    changes.guard(guard);
    changes.update(version, counted(item(line), "1", 1));
    changes
}

/// After an epoch's end nothing that was guarded on it applies, however the race went; guards on one epoch don't
/// conflict.
pub(super) async fn r08_no_guarded_commit_applies_after_its_epoch(stage: &Stage<'_>) -> Verdict {
    let ending: Ending = (
        Guard::Epoch {
            take: TAKE,
            epoch: 1,
        },
        |take| Ok(take.remove(&stamp(2))?),
    );
    for _ in 0..rounds().div_ceil(4) {
        let store = shop(stage, TASKS).await?;
        let conflict = Conflict::Epoch {
            take: TAKE,
            actual: Some(2),
        };
        let ended = ending.1(take(TAKE, 1))?;
        let mut end = changes();
        end.guard(ending.0);
        end.update(V1, ended);
        guard_holds(stage, &store, ending.0, end, conflict).await?;
    }
    Ok(())
}

/// The same of a site's version: what is recorded under its policy is recorded before it changes or not at all.
pub(super) async fn r08_no_commit_guarded_on_a_site_applies_after_it_changed(
    stage: &Stage<'_>,
) -> Verdict {
    let guard = Guard::Site {
        site: SITE,
        version: V1,
    };
    for _ in 0..rounds().div_ceil(4) {
        let store = shop(stage, TASKS).await?;
        let mut end = changes();
        let mut closed = site();
        closed.policy.closed_until = Some(at(9));
        end.update(V1, closed);
        let conflict = Conflict::Stale {
            key: RecordKey::Site(SITE),
            actual: V1.next(),
        };
        guard_holds(stage, &store, guard, end, conflict).await?;
    }
    Ok(())
}

/// The same of the epoch of an inventory count.
pub(super) async fn r08_no_commit_guarded_on_a_count_applies_after_its_epoch(
    stage: &Stage<'_>,
) -> Verdict {
    for _ in 0..rounds().div_ceil(4) {
        let store = shop(stage, TASKS).await?;
        let count = count_in_progress();
        let guard = Guard::CountEpoch {
            count: count.id(),
            epoch: count.epoch(),
        };
        put(&*store, |it| it.insert(count.clone())).await?;
        let cancelled = count.cancel(&stamp(3))?;
        let conflict = Conflict::CountEpoch {
            count: count.id(),
            actual: Some(cancelled.epoch()),
        };
        let mut end = changes();
        end.guard(guard);
        end.update(V1, cancelled);
        guard_holds(stage, &store, guard, end, conflict).await?;
    }
    Ok(())
}

/// Each task counts its own line again and again, until what it is guarded on ends.
async fn guard_holds(
    stage: &Stage<'_>,
    store: &Handle,
    guard: Guard,
    end: crate::store::ChangeSet,
    conflict: Conflict,
) -> Verdict {
    let other = stage.second_handle(store).await?;
    let mut race = Race::new(tasks() + 1);
    let ended = Arc::new(AtomicBool::new(false));
    for line in 1..=TASKS {
        let store = Arc::clone(if line % 2 == 0 { store } else { &other });
        let (conflict, ended) = (conflict.clone(), Arc::clone(&ended));
        race.enter(async move {
            let mut version = V1;
            loop {
                let is_over = ended.load(Ordering::Acquire);
                match commit(&*store, &guarded(line, version, guard)).await {
                    Ok(_) => {
                        ensure!(
                            !is_over,
                            "a commit was applied that is guarded on what has ended"
                        );
                        version = version.next();
                    }
                    Err(CommitError::Conflict(found)) => {
                        same(found, [conflict], "the conflict of a guard that fails")?;
                        return Ok(vec![(line, version)]);
                    }
                    Err(error) => return Err(error.into()),
                }
                yield_now().await;
            }
        });
    }
    let ender = Arc::clone(store);
    race.enter(async move {
        for _ in 0..8 {
            yield_now().await;
        }
        commit(&*ender, &end).await?;
        ended.store(true, Ordering::Release);
        let mut then = Vec::new();
        for line in 1..=TASKS {
            then.push((line, line_version(&*ender, line).await?));
        }
        Ok(then)
    });
    // What the one that ended it saw then is what there is in the end, and what each was told.
    for told in race.run().await? {
        for (line, version) in told {
            let found = line_version(&**store, line).await?;
            same(
                found,
                version,
                "a line's version, of what its counter was told",
            )?;
        }
    }
    Ok(())
}

/// Of many who insert one record one does, and the others are told that it exists.
pub(super) async fn r02_one_of_many_inserts_wins(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 0).await?;
    let other = stage.second_handle(&store).await?;
    for round in 0..rounds() {
        let mut race = Race::new(tasks());
        for n in 0..TASKS {
            let store = Arc::clone(if n % 2 == 0 { &store } else { &other });
            race.enter(async move {
                let id = u128::from(round) + 1_000;
                let mut changes = changes();
                // By an id, by a name, by an event or by a job: each is a place that only one can have.
                match round % 4 {
                    0 => changes.insert(supplier(id)),
                    1 => {
                        let name = format!("name {round}");
                        changes.insert(site_of(site_id((id << 8) + u128::from(n)), &name));
                    }
                    2 => changes.event(event(id, key(u128::from(n)), round + 1)),
                    _ => changes.job(job(id, 0, 1)),
                }
                match commit(&*store, &changes).await {
                    Ok(_) => Ok(1),
                    Err(CommitError::Conflict(found)) if found.len() == 1 => Ok(0),
                    Err(error) => Err(error.into()),
                }
            });
        }
        let won: u64 = race.run().await?.into_iter().sum();
        same(won, 1, "those of many who inserted the same")?;
    }
    Ok(())
}

/// Commits that write the same records in opposite orders all end: none waits for another for ever.
pub(super) async fn r04_opposite_orders_do_not_block(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 2).await?;
    put(&*store, |it| {
        it.insert(level(key(1), "1"));
        it.insert(level(key(2), "1"));
    })
    .await?;
    let other = stage.second_handle(&store).await?;
    let each = rounds();
    let mut race = Race::new(2);
    for (store, order) in [(Arc::clone(&store), [1_u64, 2]), (other, [2, 1])] {
        race.enter(async move {
            let mut applied = 0;
            for n in 0..each {
                let version = line_version(&*store, 1).await?;
                let mut changes = changes();
                for line in order {
                    changes.update(version, counted(item(line), "1", 1));
                    changes.update(version, level(key(u128::from(line)), "1"));
                    let id = (u128::from(n) << 16) | u128::from(order[0] << 8 | line);
                    changes.event(event(id, key(id), 1));
                }
                match commit(&*store, &changes).await {
                    Ok(_) => applied += 1,
                    Err(CommitError::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(applied)
        });
    }
    let applied: u64 = race.run().await?.into_iter().sum();
    let version = line_version(&*store, 1).await?;
    same(
        version,
        Version::new(applied + 1),
        "the version after so many commits",
    )?;
    same(
        line_version(&*store, 2).await?,
        version,
        "the version of the other line",
    )
}
