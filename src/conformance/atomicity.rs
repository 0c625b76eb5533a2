//! C07 to C12: all of a commit or nothing (R1, R2), also when it is as large as it may be (R15).

use super::checks::{Verdict, Wrong, applied, commit, ensure, refused, same};
use super::everything::{Everything, Scope};
use super::harness::{Handle, Stage, Store};
use super::records::{COUNT, IMPORT, count_line_id, record};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use crate::domain::{LedgerEntry, SiteId, StockEvent, StockKey};
use crate::store::{
    ChangeSet, CommitError, Conflict, DeletableKey, Guard, JobAck, JobKind, JobProgress, JobState,
    LeaseToken, Progress, RecordKey, RepositoryExt, Version,
};

/// A shop with a job that is leased, an event, a count, and a line that may be deleted.
async fn ready(stage: &Stage<'_>) -> Result<(Handle, LeaseToken), Wrong> {
    let store = shop(stage, 4).await?;
    let mut sampler = Sampler::new(7, Filling::Mixed);
    let count = record(&mut sampler, &RecordKey::InventoryCount(COUNT))?;
    let chunk = record(&mut sampler, &RecordKey::ImportChunk(IMPORT, 0))?;
    put(&*store, |it| {
        it.insert(count);
        it.insert(chunk);
        it.event(event(1, key(1), 1));
        it.job(job(1, 0, 3));
    })
    .await?;
    let lease = store.lease("w", JobKind::ALL, at(1), at(9)).await?;
    Ok((store, lease.ok_or("a due job is not leased")?.token))
}

/// One part of every kind, each as expected.
fn fill(changes: &mut ChangeSet, token: LeaseToken) {
    changes.guard(Guard::Epoch {
        take: TAKE,
        epoch: 1,
    });
    changes.guard(Guard::Site {
        site: SITE,
        version: V1,
    });
    changes.update(V1, counted(item(1), "5", 5));
    changes.delete(V1, DeletableKey::StockTakeItem(TAKE, item(4).id));
    changes.delete(V1, DeletableKey::ImportChunk(IMPORT, 0));
    changes.insert(level(key(1), "1"));
    changes.insert(supplier(1));
    changes.event(event(2, key(1), 2));
    changes.event(event(3, key(2), 1));
    changes.entry(entry(1, &item(1)));
    changes.job(job(2, 0, 3));
    changes.progress(JobProgress {
        job: job_id(1),
        progress: Progress { done: 1, total: 2 },
    });
    changes.ack(JobAck::Leased(token));
}

/// What is put into a change set that is not as expected, and the conflict of it.
type Flaw = (&'static str, fn(&mut ChangeSet), Conflict);

fn flaws() -> Vec<Flaw> {
    let line = |n: u64| RecordKey::StockTakeItem(TAKE, item(n).id);
    vec![
        (
            "a stale update",
            |it| it.update(Version::new(2), counted(item(3), "5", 5)),
            Conflict::Stale {
                key: line(3),
                actual: V1,
            },
        ),
        (
            "a stale delete",
            |it| {
                it.delete(
                    Version::new(9),
                    DeletableKey::StockTakeItem(TAKE, item(3).id),
                );
            },
            Conflict::Stale {
                key: line(3),
                actual: V1,
            },
        ),
        (
            "an insert of what is there",
            |it| it.insert(item(3)),
            Conflict::Exists(line(3)),
        ),
        (
            "an update of what is not there",
            |it| it.update(V1, item(9)),
            Conflict::Missing(line(9)),
        ),
        (
            "a line without its take",
            |it| it.insert(item_of(take_id(3), 1)),
            Conflict::Missing(RecordKey::StockTake(take_id(3))),
        ),
        (
            "an entry without its take",
            |it| it.entry(entry(2, &item_of(take_id(3), 1))),
            Conflict::Missing(RecordKey::StockTake(take_id(3))),
        ),
        (
            "a taken name",
            |it| it.insert(site_of(site_id(3), "store-1")),
            Conflict::Taken(RecordKey::Site(site_id(3))),
        ),
        (
            "an event's id that is there",
            |it| it.event(event(1, key(3), 1)),
            Conflict::EventExists(event_id(1)),
        ),
        (
            "an event's id twice",
            |it| it.event(event(3, key(3), 1)),
            Conflict::EventExists(event_id(3)),
        ),
        (
            "an event's place that is there",
            |it| it.event(event(4, key(1), 1)),
            Conflict::EventExists(event_id(4)),
        ),
        (
            "an event's place twice",
            |it| it.event(event(4, key(1), 2)),
            Conflict::EventExists(event_id(4)),
        ),
        (
            "a job that is there",
            |it| it.job(job(1, 0, 1)),
            Conflict::JobExists(job_id(1)),
        ),
        (
            "a job twice",
            |it| it.job(job(2, 0, 1)),
            Conflict::JobExists(job_id(2)),
        ),
    ]
}

fn guard_flaws() -> Vec<Flaw> {
    vec![
        (
            "another epoch",
            |it| {
                it.guard(Guard::Epoch {
                    take: TAKE,
                    epoch: 2,
                });
            },
            Conflict::Epoch {
                take: TAKE,
                actual: Some(1),
            },
        ),
        (
            "the epoch of no take",
            |it| {
                it.guard(Guard::Epoch {
                    take: take_id(3),
                    epoch: 1,
                });
            },
            Conflict::Epoch {
                take: take_id(3),
                actual: None,
            },
        ),
        (
            "another version of a site",
            |it| {
                it.guard(Guard::Site {
                    site: SITE,
                    version: Version::new(2),
                });
            },
            Conflict::Stale {
                key: RecordKey::Site(SITE),
                actual: V1,
            },
        ),
        (
            "the version of no site",
            |it| {
                it.guard(Guard::Site {
                    site: site_id(3),
                    version: V1,
                });
            },
            Conflict::Missing(RecordKey::Site(site_id(3))),
        ),
        (
            "the epoch of no count",
            |it| {
                it.guard(Guard::CountEpoch {
                    count: crate::domain::InventoryCountId::new(uuid::Uuid::from_u128(3)),
                    epoch: 1,
                });
            },
            Conflict::CountEpoch {
                count: crate::domain::InventoryCountId::new(uuid::Uuid::from_u128(3)),
                actual: None,
            },
        ),
    ]
}

/// That a change set with a flaw changes nothing, and says what was not as expected.
async fn nothing_applies(stage: &Stage<'_>, flaws: &[Flaw]) -> Verdict {
    let (store, token) = ready(stage).await?;
    let mut scope = Scope::shop();
    let mut tried = Vec::new();
    for (what, flaw, conflict) in flaws {
        let mut changes = changes();
        fill(&mut changes, token);
        flaw(&mut changes);
        scope.commands.push(changes.command().id.clone());
        tried.push((what, changes, conflict));
    }
    let before = Everything::read(&*store, ORGANISATION, &scope).await?;
    for (what, changes, conflict) in &tried {
        refused(&*store, changes, std::slice::from_ref(conflict), what).await?;
        let after = Everything::read(&*store, ORGANISATION, &scope).await?;
        after.is(
            &before,
            &format!("a commit that was refused for {what} left something behind"),
        )?;
    }
    Ok(())
}

/// Whatever is not as expected, and wherever it stands: nothing is applied, and all of it is told.
pub(super) async fn c07_conflict_on_last_expectation_applies_nothing(stage: &Stage<'_>) -> Verdict {
    nothing_applies(stage, &flaws()).await?;
    let (store, token) = ready(stage).await?;
    let mut all = changes();
    fill(&mut all, token);
    let mut expected = Vec::new();
    for (what, flaw, conflict) in flaws().into_iter().chain(guard_flaws()) {
        // One record is written once: a second flaw on it would replace the first.
        if what != "a stale delete" && what != "an insert of what is there" {
            flaw(&mut all);
            expected.push(conflict);
        }
    }
    refused(
        &*store,
        &all,
        &expected,
        "everything that was not as expected",
    )
    .await
}

/// An event that is there, late in a batch of good ones.
pub(super) async fn c08_duplicate_event_late_in_batch_applies_nothing(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shop(stage, 1).await?;
    put(&*store, |it| it.event(event(1, key(1), 1))).await?;
    for late in [
        event(1, key(9), 9),
        event(99, key(1), 1),
        event(5, key(9), 9),
    ] {
        let mut batch = changes();
        for n in 2..=60 {
            batch.event(event(n, key(n), 1));
        }
        batch.event(late.clone());
        let conflict = [Conflict::EventExists(late.id)];
        refused(
            &*store,
            &batch,
            &conflict,
            "a batch whose last event is there",
        )
        .await?;
        let ledger = store.ledger(ORGANISATION, SITE, 0, 100).await?;
        same(ledger.len(), 1, "events after a refused batch")?;
        let found = store.events_after(ORGANISATION, &[(key(2), 0)]).await?;
        same(found, [], "the events of a key of the refused batch")?;
    }
    Ok(())
}

/// A guard that fails lets nothing through.
pub(super) async fn c09_guard_failure_applies_nothing(stage: &Stage<'_>) -> Verdict {
    nothing_applies(stage, &guard_flaws()).await?;
    let (store, token) = ready(stage).await?;
    let scope = Scope::shop();
    let epoch = store.inventory_count(ORGANISATION, COUNT).await?;
    let epoch = epoch.ok_or("the count is not there")?.epoch();
    let mut wrong = changes();
    fill(&mut wrong, token);
    wrong.guard(Guard::CountEpoch {
        count: COUNT,
        epoch: epoch + 1,
    });
    let before = Everything::read(&*store, ORGANISATION, &scope).await?;
    let conflict = Conflict::CountEpoch {
        count: COUNT,
        actual: Some(epoch),
    };
    refused(&*store, &wrong, &[conflict], "another epoch of a count").await?;
    let after = Everything::read(&*store, ORGANISATION, &scope).await?;
    after.is(&before, "a commit with another epoch of a count")?;
    // A header that was written again in the same epoch is no other epoch.
    put(&*store, |it| it.update(V1, take(TAKE, 1))).await?;
    let mut right = changes();
    fill(&mut right, token);
    right.guard(Guard::CountEpoch {
        count: COUNT,
        epoch,
    });
    applied(&*store, &right).await
}

/// What is there after the good parts are applied.
async fn all_is_there(store: &dyn Store, changes: &ChangeSet) -> Result<[bool; 10], Wrong> {
    let known = store.command(ORGANISATION, &changes.command().id).await?;
    let born = store.job(ORGANISATION, job_id(2)).await?;
    let worked = store.job(ORGANISATION, job_id(1)).await?;
    let worked = worked.ok_or("the job that is worked on is gone")?;
    let entries = store.count_entries(ORGANISATION, TAKE, item(1).id).await?;
    let levels = store.levels(ORGANISATION, &[key(1)]).await?;
    let ledger = store.ledger(ORGANISATION, SITE, 0, 9).await?;
    let totals = totals(store).await?;
    let chunk = store.import_chunk(ORGANISATION, IMPORT, 0).await?;
    let supplier = store.supplier(ORGANISATION, supplier(1).id).await?;
    Ok([
        known.is_some(),
        born.is_some(),
        worked.progress.done == 1,
        worked.state == JobState::Succeeded,
        entries.len() == 1,
        levels.iter().flatten().count() == 1,
        ledger.len() == 3,
        totals.counted == 1 && totals.items == 3,
        chunk.is_none(),
        supplier.is_some(),
    ])
}

/// Records, events, entries, jobs, progress, the ack and the command: together.
pub(super) async fn c11_entity_events_levels_jobs_commit_together(stage: &Stage<'_>) -> Verdict {
    let (store, token) = ready(stage).await?;
    let mut changes = changes();
    fill(&mut changes, token);
    let found = all_is_there(&*store, &changes).await?;
    same(found, [false; 10], "parts of a commit that was not made")?;
    applied(&*store, &changes).await?;
    let found = all_is_there(&*store, &changes).await?;
    same(found, [true; 10], "parts of a commit that was made")?;
    let entry_of_count = store
        .inventory_count_entries(ORGANISATION, COUNT, count_line_id(1))
        .await?;
    same(entry_of_count, [], "entries that nobody wrote")
}

/// A commit that fails leaves no job and burns no key: the same command is good for the corrected change set.
pub(super) async fn c12_failed_commit_leaves_no_job_and_no_idempotency_record(
    stage: &Stage<'_>,
) -> Verdict {
    for (what, flaw, conflict) in flaws().into_iter().chain(guard_flaws()) {
        let (store, token) = ready(stage).await?;
        let mut failing = changes();
        fill(&mut failing, token);
        flaw(&mut failing);
        refused(&*store, &failing, &[conflict], what).await?;
        let known = store.command(ORGANISATION, &failing.command().id).await?;
        same(known, None, "a command whose commit was refused")?;
        let born = store.job(ORGANISATION, job_id(2)).await?;
        same(born, None, "a job of a commit that was refused")?;
        let lease = store.lease("w", JobKind::ALL, at(2), at(3)).await?;
        ensure!(
            lease.is_none(),
            "a job of a refused commit is leased: {lease:?}"
        );
        let mut corrected = ChangeSet::new(ORGANISATION, failing.command().clone());
        fill(&mut corrected, token);
        applied(&*store, &corrected).await?;
    }
    Ok(())
}

/// A lost lease is told before conflicts, and nothing is applied.
pub(super) async fn r02_a_lost_lease_goes_before_conflicts(stage: &Stage<'_>) -> Verdict {
    let (store, token) = ready(stage).await?;
    let scope = Scope::shop();
    let before = Everything::read(&*store, ORGANISATION, &scope).await?;
    let stale = LeaseToken {
        attempt: token.attempt + 1,
        ..token
    };
    for with_conflict in [false, true] {
        let mut changes = changes();
        fill(&mut changes, token);
        changes.ack(JobAck::Leased(stale));
        if with_conflict {
            changes.update(V1, counted(item(9), "1", 1));
        }
        match commit(&*store, &changes).await {
            Err(CommitError::LeaseLost(job)) => same(job, job_id(1), "the job that is lost")?,
            other => return Err(format!("a commit with a stale lease: {other:?}").into()),
        }
        let after = Everything::read(&*store, ORGANISATION, &scope).await?;
        after.is(&before, "a commit with a stale lease left something behind")?;
    }
    Ok(())
}

/// The largest change set that every store takes: exactly so many records, events and entries.
pub(super) async fn r15_the_largest_change_set_is_accepted(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 0).await?;
    let most = u64::try_from(ChangeSet::MAX_SIZE).unwrap_or(0);
    let mut largest = changes();
    for n in 1..=most / 4 {
        largest.insert(item(n));
        largest.event(event(u128::from(n), key(u128::from(n)), 1));
        largest.insert(level(key(u128::from(n)), "1"));
        largest.entry(entry(u128::from(n), &item(n)));
    }
    same(
        largest.size(),
        ChangeSet::MAX_SIZE,
        "the size of the largest change set",
    )?;
    applied(&*store, &largest).await?;
    let found = totals(&*store).await?;
    same(found.items, most / 4, "lines of the largest commit")?;
    let last = store.ledger(ORGANISATION, SITE, most / 4 - 1, 9).await?;
    let last: Vec<_> = last
        .iter()
        .map(|entry: &LedgerEntry| entry.position)
        .collect();
    same(last, [most / 4], "the last position of the largest commit")?;
    // A larger one is taken whole, or refused as too large and not at all.
    let mut larger = changes();
    let elsewhere = SiteId::new(uuid::Uuid::from_u128(0x52));
    for n in 1..=most + 1 {
        let mut event: StockEvent = event(u128::from(n) << 32, key(1), n);
        event.key = StockKey::plain(elsewhere, product_id(1));
        larger.event(event);
    }
    let outcome = commit(&*store, &larger).await;
    let there = store.ledger(ORGANISATION, elsewhere, 0, 9).await?.len();
    let known = store.command(ORGANISATION, &larger.command().id).await?;
    match outcome {
        Ok(_) => ensure!(
            there == 9 && known.is_some(),
            "a larger commit is not there"
        ),
        Err(CommitError::TooLarge { limit }) => {
            ensure!(
                limit >= ChangeSet::MAX_SIZE,
                "the store takes only {limit} parts"
            );
            ensure!(there == 0, "{there} events of a commit that was too large");
            same(known, None, "the command of a commit that was too large")?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
