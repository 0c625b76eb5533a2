//! C50 to C54, C60: leases and their tokens (Q3 to Q5).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::checks::{Verdict, Wrong, applied, commit, ensure, same};
use super::harness::{Handle, Stage, Store};
use super::races::{Race, rounds};
use super::samples::*;
use crate::store::{
    CommitError, Job, JobAck, JobKind, JobState, Lease, LeaseError, LeaseToken, PageRequest,
};

/// A store with jobs: their numbers, when they are due, and how often they may be tried.
pub(super) async fn queue(stage: &Stage<'_>, jobs: &[(u128, i64, u32)]) -> Result<Handle, Wrong> {
    let store = stage.fresh().await?;
    put(&*store, |it| {
        for (n, due, attempts) in jobs {
            it.job(job(*n, *due, *attempts));
        }
    })
    .await?;
    Ok(store)
}

pub(super) async fn lease(store: &dyn Store, now: i64, until: i64) -> Result<Option<Lease>, Wrong> {
    Ok(store.lease("w", JobKind::ALL, at(now), at(until)).await?)
}

pub(super) async fn leased(store: &dyn Store, now: i64, until: i64) -> Result<LeaseToken, Wrong> {
    let lease = lease(store, now, until).await?;
    let lease = lease.ok_or_else(|| format!("nothing is leased at {now}, but a job is due"))?;
    Ok(lease.token)
}

pub(super) async fn none_is_leased(store: &dyn Store, now: i64, why: &str) -> Verdict {
    same(
        lease(store, now, now + 1).await?,
        None,
        &format!("a lease at {now}: {why}"),
    )
}

pub(super) async fn read(store: &dyn Store, n: u128) -> Result<Job, Wrong> {
    let job = store.job(ORGANISATION, job_id(n)).await?;
    job.ok_or_else(|| format!("job {n} is not there").into())
}

pub(super) async fn dead(store: &dyn Store) -> Result<Vec<u128>, Wrong> {
    let page = PageRequest::first(100);
    let page = store.dead_jobs(ORGANISATION, &page).await?;
    Ok(page
        .items
        .iter()
        .map(|job| job.id.as_uuid().as_u128())
        .collect())
}

/// That a token is good for nothing, and that trying changes nothing.
pub(super) async fn is_lost(store: &dyn Store, token: LeaseToken, why: &str) -> Verdict {
    let before = store.job(token.organisation, token.job).await?;
    let tries = [
        ("extend", store.extend(token, at(1_000)).await),
        ("ack", store.ack(token, at(1_000)).await),
        (
            "fail",
            store.fail(token, "late", at(1_000), Some(at(1_000))).await,
        ),
        ("give up", store.fail(token, "late", at(1_000), None).await),
    ];
    for (what, tried) in tries {
        let is_lost = matches!(tried, Err(LeaseError::Lost));
        ensure!(is_lost, "{why}: {what} with its token is {tried:?}");
    }
    let mut changes = changes();
    changes.ack(JobAck::Leased(token));
    match commit(store, &changes).await {
        Err(CommitError::LeaseLost(job)) => same(job, token.job, "the job that is lost")?,
        other => return Err(format!("{why}: a commit with its token is {other:?}").into()),
    }
    let after = store.job(token.organisation, token.job).await?;
    same(
        after,
        before,
        &format!("{why}: the job after its token was tried"),
    )
}

/// While a lease is live nobody else gets the job, however many ask.
pub(super) async fn c50_claim_is_exclusive_under_contention(stage: &Stage<'_>) -> Verdict {
    const JOBS: u128 = 40;
    const WORKERS: usize = 6;
    let jobs: Vec<_> = (1..=JOBS).map(|n| (n, 0, 5)).collect();
    let store = queue(stage, &jobs).await?;
    let other = stage.second_handle(&store).await?;
    let clock = Arc::new(AtomicI64::new(1));
    let mut race = Race::new(WORKERS);
    for worker in 0..WORKERS {
        let store = Arc::clone(if worker % 2 == 0 { &store } else { &other });
        race.enter(work(
            store,
            Arc::clone(&clock),
            format!("worker {worker} \u{1F4E6}'"),
        ));
    }
    let (tokens, ended): (Vec<_>, Vec<_>) = race.run().await?.into_iter().unzip();
    let tokens: Vec<_> = tokens.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = tokens.iter().map(|it| (it.job, it.attempt)).collect();
    same(
        distinct.len(),
        tokens.len(),
        "tokens that were given once, of all",
    )?;
    let ended: Vec<_> = ended.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = ended.iter().copied().collect();
    same(
        distinct.len(),
        ended.len(),
        "jobs that were ended once, of all",
    )?;
    for n in 1..=JOBS {
        let job = read(&*store, n).await?;
        ensure!(job.finished_at.is_some(), "a job has not ended: {job:?}");
        ensure!(
            job.attempts <= job.max_attempts,
            "a job was leased too often: {job:?}"
        );
        let given = tokens.iter().filter(|it| it.job == job.id).count();
        same(
            u32::try_from(given).ok(),
            Some(job.attempts),
            "leases of a job, and its attempts",
        )?;
    }
    let store = queue(stage, &[(1, 0, u32::MAX)]).await?;
    let other = stage.second_handle(&store).await?;
    for round in 0..i64::try_from(rounds()).unwrap_or(50) {
        let now = round * 10;
        let mut race = Race::new(WORKERS);
        for worker in 0..WORKERS {
            let store = Arc::clone(if worker % 2 == 0 { &store } else { &other });
            race.enter(async move { lease(&*store, now, now + 10).await });
        }
        let given: Vec<_> = race.run().await?.into_iter().flatten().collect();
        same(given.len(), 1, "leases of one job that was due")?;
        let attempts: Vec<_> = given.iter().map(|it| i64::from(it.token.attempt)).collect();
        same(attempts, [round + 1], "the attempt, one more each time")?;
    }
    Ok(())
}

/// Works until nothing is due for long; each third lease is left to expire.
async fn work(
    store: Handle,
    clock: Arc<AtomicI64>,
    name: String,
) -> Result<(Vec<LeaseToken>, Vec<crate::domain::JobId>), Wrong> {
    let (mut tokens, mut ended, mut idle) = (Vec::new(), Vec::new(), 0);
    while idle < 50 {
        let now = clock.fetch_add(1, Ordering::AcqRel);
        let Some(lease) = store
            .lease(&name, JobKind::ALL, at(now), at(now + 5))
            .await?
        else {
            idle += 1;
            tokio::task::yield_now().await;
            continue;
        };
        let expected = JobState::Running {
            worker: name.clone(),
            until: at(now + 5),
        };
        same(&lease.job.state, &expected, "the state of a leased job")?;
        tokens.push(lease.token);
        ensure!(tokens.len() <= 100_000, "leases that go on and on");
        if lease.token.attempt % 3 != 1 || tokens.len() % 2 == 0 {
            tokio::task::yield_now().await;
            match store.ack(lease.token, at(now)).await {
                Ok(()) => ended.push(lease.token.job),
                Err(LeaseError::Lost) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok((tokens, ended))
}

/// At the end that it was given a lease has expired, and is leased again by the very call.
pub(super) async fn c51_expired_lease_is_reclaimed(stage: &Stage<'_>) -> Verdict {
    let store = queue(stage, &[(1, 0, 9)]).await?;
    let first = leased(&*store, 1, 10).await?;
    for now in [1, 5, 9] {
        none_is_leased(&*store, now, "the lease is live until 10").await?;
    }
    let second = leased(&*store, 10, 20).await?;
    same(
        (first.attempt, second.attempt),
        (1, 2),
        "attempts of two leases",
    )?;
    is_lost(&*store, first, "a lease that expired and was taken").await?;
    store.ack(second, at(11)).await?;
    same(
        read(&*store, 1).await?.state,
        JobState::Succeeded,
        "an acknowledged job",
    )
}

/// Each way by which a lease is lost, for good.
pub(super) async fn c52_stale_token_cannot_complete_fail_or_extend(stage: &Stage<'_>) -> Verdict {
    for way in [
        "acked",
        "failed",
        "dead",
        "settled",
        "refused",
        "queued again",
        "in a commit",
    ] {
        let store = queue(stage, &[(1, 0, 2)]).await?;
        let token = leased(&*store, 1, 10).await?;
        let end = |ack| async move {
            let mut changes = changes();
            changes.ack(ack);
            changes
        };
        match way {
            "acked" => store.ack(token, at(2)).await?,
            "failed" => store.fail(token, "x", at(2), Some(at(3))).await?,
            "settled" => applied(&*store, &end(JobAck::Settled(job_id(1))).await).await?,
            "refused" => applied(&*store, &end(JobAck::Refused(job_id(1))).await).await?,
            "in a commit" => applied(&*store, &end(JobAck::Leased(token)).await).await?,
            _ => store.fail(token, "x", at(2), None).await?,
        }
        is_lost(&*store, token, way).await?;
        if way == "queued again" {
            let again = store.requeue(ORGANISATION, job_id(1), at(3)).await?;
            ensure!(again, "a dead job was not queued again");
            is_lost(&*store, token, way).await?;
            // Its attempts begin again, but the tokens of its first life stay dead.
            let again = lease(&*store, 4, 30).await?.ok_or("nothing is leased")?;
            same(again.job.attempts, 1, "attempts after it was queued again")?;
            ensure!(
                again.token.attempt > token.attempt,
                "a token of a second life is one of the first: {:?}",
                again.token
            );
            is_lost(&*store, token, way).await?;
        }
    }
    let store = queue(stage, &[(1, 0, 1)]).await?;
    let token = leased(&*store, 1, 10).await?;
    for wrong in [
        LeaseToken {
            attempt: 0,
            ..token
        },
        LeaseToken {
            attempt: 2,
            ..token
        },
        LeaseToken {
            attempt: u32::MAX,
            ..token
        },
        LeaseToken {
            organisation: STRANGER,
            ..token
        },
        LeaseToken {
            job: job_id(2),
            ..token
        },
    ] {
        is_lost(&*store, wrong, "a token that was never given").await?;
    }
    store.ack(token, at(2)).await?;
    Ok(())
}

/// Who takes over expired leases ends nothing that has ended, and takes nothing that was taken since.
pub(super) async fn c53_reaper_cannot_overwrite_completed_or_reclaimed(
    stage: &Stage<'_>,
) -> Verdict {
    let store = queue(stage, &[(1, 0, 9)]).await?;
    let token = leased(&*store, 1, 10).await?;
    store.ack(token, at(2)).await?;
    none_is_leased(&*store, 10, "the job has ended").await?;
    none_is_leased(&*store, 1_000, "the job has ended").await?;
    let job = read(&*store, 1).await?;
    same(
        (job.state, job.finished_at),
        (JobState::Succeeded, Some(at(2))),
        "a job that ended before its lease expired",
    )?;
    // Taken over and acknowledged at once: exactly one of the two has it.
    for round in 0..rounds() {
        let store = queue(stage, &[(1, 0, 9)]).await?;
        let other = stage.second_handle(&store).await?;
        let token = leased(&*store, 1, 10).await?;
        let mut race = Race::new(2);
        let worker = Arc::clone(&store);
        race.enter(async move {
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            match worker.ack(token, at(10)).await {
                Ok(()) => Ok(true),
                Err(LeaseError::Lost) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        race.enter(async move { Ok(lease(&*other, 10, 20).await?.is_some()) });
        let told = race.run().await?;
        let winners = told.iter().filter(|won| **won).count();
        same(
            winners,
            1,
            "those who had the job, of its worker and the one who took it over",
        )?;
        let state = read(&*store, 1).await?.state;
        let ended = state == JobState::Succeeded;
        same(
            Some(&ended),
            told.first(),
            &format!("whether the worker ended it: {state:?}"),
        )?;
    }
    Ok(())
}

/// A lease is kept longer, never shorter.
pub(super) async fn c54_extend_keeps_exclusive(stage: &Stage<'_>) -> Verdict {
    let store = queue(stage, &[(1, 0, 9)]).await?;
    let token = leased(&*store, 1, 10).await?;
    store.extend(token, at(20)).await?;
    none_is_leased(&*store, 15, "the lease was extended until 20").await?;
    store.extend(token, at(12)).await?;
    none_is_leased(&*store, 15, "a lease does not get shorter").await?;
    let JobState::Running { until, .. } = read(&*store, 1).await?.state else {
        return Err("a leased job is not running".into());
    };
    same(until, at(20), "until when it is leased")?;
    same(
        leased(&*store, 20, 30).await?.attempt,
        2,
        "the attempt after it expired",
    )?;
    is_lost(&*store, token, "an extended lease that expired").await
}

/// Clocks decide when a job may be leased, never whether a token is good.
pub(super) async fn c60_clock_jumps_forward_and_back_never_break_fencing(
    stage: &Stage<'_>,
) -> Verdict {
    let store = queue(stage, &[(1, 0, 9)]).await?;
    let first = leased(&*store, 1, 10).await?;
    let second = leased(&*store, 1_000_000, 1_000_010).await?;
    // The clock goes back: the first token stays dead, and the lease is not given twice.
    is_lost(&*store, first, "the clock went back").await?;
    let before_its_end = store.ack(first, at(5)).await;
    ensure!(
        matches!(before_its_end, Err(LeaseError::Lost)),
        "a token that was good until 10 is {before_its_end:?} at 5, after another lease"
    );
    none_is_leased(&*store, 5, "the lease is live, by any clock before its end").await?;
    store.extend(second, at(6)).await?;
    // A lease that has run out but was not taken is still the holder's.
    store.extend(second, at(2_000_000)).await?;
    store.ack(second, at(3)).await?;
    is_lost(&*store, second, "a lease that was acknowledged").await?;
    let store = queue(stage, &[(1, 0, 9)]).await?;
    let late = leased(&*store, 1, 10).await?;
    let mut effect = changes();
    effect.ack(JobAck::Leased(late));
    applied(&*store, &effect).await?;
    let store = queue(stage, &[(1, -5_000, 9)]).await?;
    let token = leased(&*store, -4_000, -3_000).await?;
    none_is_leased(&*store, -3_001, "a lease before 1970 is a lease").await?;
    store.fail(token, "x", at(-3_500), Some(at(-2_000))).await?;
    none_is_leased(&*store, -2_001, "the job is due later").await?;
    same(leased(&*store, -2_000, 0).await?.attempt, 2, "the attempt")
}
