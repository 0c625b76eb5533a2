//! C49, C55 to C59, C61 to C63: jobs, from birth to end (Q1, Q2, Q5 to Q10).

use std::collections::BTreeSet;

use super::checks::{Verdict, applied, commit, ensure, refused, same};
use super::harness::Stage;
use super::leases::{dead, is_lost, lease, leased, none_is_leased, queue, read};
use super::samples::*;
use crate::store::{
    CommitError, CommitOutcome, Conflict, EndedJobs, JobAck, JobKind, JobProgress, JobState,
    LeaseToken, PageRequest, Progress,
};

/// A job is there exactly if its commit is.
pub(super) async fn c49_job_visible_only_after_commit(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 0).await?;
    let mut failing = changes();
    failing.job(job(1, 0, 1));
    failing.insert(site());
    let exists = [Conflict::Exists(crate::store::RecordKey::Site(SITE))];
    refused(&*store, &failing, &exists, "a commit with a job").await?;
    let found = store.job(ORGANISATION, job_id(1)).await?;
    same(found, None, "a job of a commit that was refused")?;
    none_is_leased(&*store, 9, "no job was committed").await?;
    put(&*store, |it| it.job(job(1, 0, 1))).await?;
    same(
        leased(&*store, 9, 99).await?.job,
        job_id(1),
        "the job that is leased",
    )?;
    let mut twice = changes();
    twice.job(job(1, 0, 1));
    twice.job(job(2, 0, 1));
    twice.job(job(2, 0, 1));
    let exist = [1, 2].map(|n| Conflict::JobExists(job_id(n)));
    refused(&*store, &twice, &exist, "jobs that exist").await
}

/// The attempt is counted when the job is leased, so a worker that dies each time uses them up.
pub(super) async fn c55_attempt_counted_at_claim_poison_worker_goes_dead(
    stage: &Stage<'_>,
) -> Verdict {
    let store = queue(stage, &[(1, 0, 3), (2, 50, 1)]).await?;
    let token = leased(&*store, 1, 5).await?;
    store.fail(token, "the first", at(2), Some(at(3))).await?;
    for attempt in 2..=3_i64 {
        let token = leased(&*store, attempt * 10, attempt * 10 + 10).await?;
        same(i64::from(token.attempt), attempt, "the attempt")?;
        same(
            dead(&*store).await?,
            [0; 0],
            "dead jobs while attempts are left",
        )?;
    }
    // The spent one ends on the way to the next one that is due.
    same(
        leased(&*store, 60, 90).await?.job,
        job_id(2),
        "the job that is leased",
    )?;
    same(dead(&*store).await?, [1], "dead jobs")?;
    let job = read(&*store, 1).await?;
    let found = (job.state, job.attempts, job.finished_at);
    same(
        found,
        (JobState::Dead, 3, Some(at(60))),
        "a job whose worker died each time",
    )?;
    same(
        job.last_error.as_deref(),
        Some("the first"),
        "the last error that was told",
    )?;
    let none = queue(stage, &[(1, 0, 0)]).await?;
    none_is_leased(&*none, 1, "the job may not be tried at all").await?;
    same(dead(&*none).await?, [1], "a job that may not be tried")
}

/// A job that failed as often as it may is dead and listed, until it is queued again, once.
pub(super) async fn c56_max_attempts_goes_dead_listed_and_requeued_once(
    stage: &Stage<'_>,
) -> Verdict {
    let store = queue(stage, &[(2, 0, 2), (1, 0, 2)]).await?;
    for now in [1, 2] {
        for _ in 0..2 {
            let token = leased(&*store, now, 100).await?;
            let error = format!("at {now}");
            store.fail(token, &error, at(now), Some(at(now))).await?;
        }
    }
    same(
        dead(&*store).await?,
        [1, 2],
        "dead jobs: of the same age by their ids",
    )?;
    let job = read(&*store, 1).await?;
    same(job.last_error.as_deref(), Some("at 2"), "the last error")?;
    same(
        (job.attempts, job.finished_at),
        (2, Some(at(2))),
        "attempts and end of a dead job",
    )?;
    none_is_leased(&*store, 99, "both jobs are dead").await?;
    for (n, expected) in [(1, true), (1, false), (9, false)] {
        let found = store.requeue(ORGANISATION, job_id(n), at(200)).await?;
        same(found, expected, &format!("whether job {n} was dead"))?;
    }
    same(
        dead(&*store).await?,
        [2],
        "dead jobs after one was queued again",
    )?;
    let job = read(&*store, 1).await?;
    let found = (job.state, job.attempts, job.run_at, job.finished_at);
    let expected = (JobState::Queued, 0, at(200), None);
    same(found, expected, "a job that was queued again")?;
    same(
        job.last_error.as_deref(),
        Some("at 2"),
        "why it failed before",
    )?;
    none_is_leased(&*store, 199, "the job is due at 200").await?;
    let again = lease(&*store, 200, 300)
        .await?
        .ok_or("a due job is not leased")?;
    same(
        again.job.attempts,
        1,
        "attempts of a job that was queued again",
    )?;
    let running = store.requeue(ORGANISATION, job_id(1), at(0)).await?;
    ensure!(!running, "a running job was queued again");
    store.ack(again.token, at(201)).await?;
    let over = store.requeue(ORGANISATION, job_id(1), at(0)).await?;
    ensure!(!over, "a job that is over was queued again");
    // The older job first, whatever order they died in.
    for (n, created) in [(5, 7), (6, 3)] {
        store
            .enqueue(ORGANISATION, &super::samples::job(n, 300, 1), at(created))
            .await?;
        let token = leased(&*store, 300, 400).await?;
        store.fail(token, "x", at(300 + created), None).await?;
    }
    same(
        dead(&*store).await?,
        [6, 5, 2],
        "dead jobs, the oldest first",
    )
}

/// Not before its time: neither a new job nor one that failed.
pub(super) async fn c57_backoff_not_before_and_future_job_not_claimed(
    stage: &Stage<'_>,
) -> Verdict {
    let store = queue(stage, &[(1, 5, 9)]).await?;
    none_is_leased(&*store, 4, "the job is due at 5").await?;
    let early = at(5).later_by(-1);
    let found = store.lease("w", JobKind::ALL, early, at(99)).await?;
    same(found, None, "a lease a microsecond before the job is due")?;
    let token = leased(&*store, 5, 99).await?;
    store.fail(token, "x", at(6), Some(at(20))).await?;
    let job = read(&*store, 1).await?;
    same(
        (job.state, job.run_at),
        (JobState::Queued, at(20)),
        "a job that failed",
    )?;
    none_is_leased(&*store, 19, "the job runs again at 20").await?;
    let token = leased(&*store, 20, 99).await?;
    same(token.attempt, 2, "the attempt")?;
    // A time that has passed is the job's time: it has been due since then, so before what became due later.
    put(&*store, |it| it.job(super::samples::job(2, 12, 9))).await?;
    store.fail(token, "x", at(30), Some(at(11))).await?;
    same(
        read(&*store, 1).await?.run_at,
        at(11),
        "when a job runs again that failed",
    )?;
    let token = leased(&*store, 30, 99).await?;
    same(
        token.job,
        job_id(1),
        "the job that has been due since 11, not since 12",
    )?;
    let second = leased(&*store, 30, 99).await?;
    store.ack(second, at(30)).await?;
    // Whoever gives up for good does not come back.
    store.fail(token, "x", at(31), None).await?;
    none_is_leased(&*store, 9_999, "the job was given up").await?;
    same(dead(&*store).await?, [1], "dead jobs")
}

/// The ack is part of the effect's commit: late workers have no effect, and the effect happens once.
pub(super) async fn c58_complete_is_atomic_with_effects_and_replay_is_noop(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shop(stage, 2).await?;
    put(&*store, |it| it.job(job(1, 0, 9))).await?;
    let first = leased(&*store, 1, 10).await?;
    let effect = |token| {
        let mut changes = changes();
        changes.update(V1, counted(item(1), "1", 1));
        changes.event(event(1, key(1), 1));
        changes.ack(JobAck::Leased(token));
        changes
    };
    let late = effect(first);
    let second = leased(&*store, 10, 20).await?;
    match commit(&*store, &late).await {
        Err(CommitError::LeaseLost(job)) => same(job, job_id(1), "the job that is lost")?,
        other => return Err(format!("the effect of a late worker: {other:?}").into()),
    }
    same(
        totals(&*store).await?.counted,
        0,
        "the effect of a late worker",
    )?;
    let effect = effect(second);
    applied(&*store, &effect).await?;
    let done = read(&*store, 1).await?;
    let found = (done.state, done.finished_at);
    same(
        found,
        (JobState::Succeeded, Some(at(10))),
        "a job that ended in a commit",
    )?;
    // The token is spent, but the replay is recognised before that is looked at.
    let again = commit(&*store, &effect).await?;
    ensure!(
        matches!(again, CommitOutcome::AlreadyApplied(_)),
        "the effect sent again: {again:?}"
    );
    let events = store.ledger(ORGANISATION, SITE, 0, 9).await?.len();
    same(events, 1, "events of an effect that was sent twice")
}

/// Settling ends a job whoever had it; refusing ends it too; what has ended has ended.
pub(super) async fn q09_settling_and_refusing_end_a_job_for_good(stage: &Stage<'_>) -> Verdict {
    let store = queue(stage, &[(1, 0, 9), (2, 0, 9), (3, 0, 1), (5, 0, 9)]).await?;
    let running = leased(&*store, 1, 10).await?;
    same(
        running.job,
        job_id(1),
        "the first of jobs that are due equally long",
    )?;
    put(&*store, |it| {
        it.ack(JobAck::Settled(job_id(1)));
        it.ack(JobAck::Settled(job_id(2)));
        it.ack(JobAck::Settled(job_id(99))); // nobody's
        it.ack(JobAck::Refused(job_id(5)));
        it.job(job(4, 0, 1));
        it.ack(JobAck::Settled(job_id(4))); // born done
    })
    .await?;
    for (n, expected) in [
        (1, JobState::Succeeded),
        (2, JobState::Succeeded),
        (4, JobState::Succeeded),
        (5, JobState::Refused),
    ] {
        let job = read(&*store, n).await?;
        let found = (job.state, job.finished_at);
        same(found, (expected, Some(at(10))), &format!("job {n}"))?;
    }
    is_lost(&*store, running, "the lease of a job that was settled").await?;
    let last = leased(&*store, 1, 10).await?;
    same(last.job, job_id(3), "the one job that is left")?;
    store.fail(last, "x", at(2), None).await?;
    put(&*store, |it| {
        it.ack(JobAck::Settled(job_id(3)));
        it.ack(JobAck::Settled(job_id(5)));
        it.ack(JobAck::Refused(job_id(1)));
    })
    .await?;
    for (n, expected) in [
        (3, JobState::Dead),
        (5, JobState::Refused),
        (1, JobState::Succeeded),
    ] {
        same(
            read(&*store, n).await?.state,
            expected,
            &format!("job {n}, which had ended"),
        )?;
    }
    for n in [1, 2, 4, 5] {
        let again = store.requeue(ORGANISATION, job_id(n), at(0)).await?;
        ensure!(!again, "job {n} was queued again, but it was not dead");
    }
    none_is_leased(&*store, 999, "all jobs have ended").await
}

/// Each condition of a lease, varied alone.
pub(super) async fn c59_claim_predicate_each_column(stage: &Stage<'_>) -> Verdict {
    for (due, before, expected) in [
        (0, "nothing", true),
        (1, "nothing", true),
        (2, "nothing", false),
        (0, "running", false),
        (0, "expired", true),
        (0, "succeeded", false),
        (0, "refused", false),
        (0, "dead", false),
        (0, "failed, due", true),
        (0, "failed, not due", false),
    ] {
        let store = queue(stage, &[(1, due, 2)]).await?;
        let token = if before == "nothing" {
            None
        } else {
            let until = if before == "expired" { 1 } else { 9 };
            Some(leased(&*store, 0, until).await?)
        };
        match (before, token) {
            ("succeeded", Some(token)) => store.ack(token, at(0)).await?,
            ("refused", _) => put(&*store, |it| it.ack(JobAck::Refused(job_id(1)))).await?,
            ("dead", Some(token)) => store.fail(token, "x", at(0), None).await?,
            ("failed, due", Some(token)) => store.fail(token, "x", at(0), Some(at(1))).await?,
            ("failed, not due", Some(token)) => {
                store.fail(token, "x", at(0), Some(at(2))).await?;
            }
            (_, _) => {}
        }
        let found = lease(&*store, 1, 9).await?.is_some();
        same(
            found,
            expected,
            &format!("whether a job due at {due} is leased: {before}"),
        )?;
    }
    Ok(())
}

/// A job's id is unique in its organisation; one whose commit was refused keeps nobody out.
pub(super) async fn c61_unique_key_active_states_and_rolled_back_holder(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shop(stage, 0).await?;
    let mut rolled_back = changes();
    rolled_back.job(job(1, 0, 9));
    rolled_back.insert(site());
    let exists = [Conflict::Exists(crate::store::RecordKey::Site(SITE))];
    refused(&*store, &rolled_back, &exists, "a commit with a job").await?;
    put(&*store, |it| it.job(job(1, 0, 9))).await?;
    let is_taken = async |state: &str| {
        let mut again = changes();
        again.job(job(1, 0, 9));
        let exists = [Conflict::JobExists(job_id(1))];
        refused(
            &*store,
            &again,
            &exists,
            &format!("the id of a {state} job"),
        )
        .await
    };
    is_taken("queued").await?;
    let token = leased(&*store, 1, 10).await?;
    is_taken("running").await?;
    store.fail(token, "x", at(2), Some(at(3))).await?;
    is_taken("failed").await?;
    let token = leased(&*store, 3, 10).await?;
    store.fail(token, "x", at(4), None).await?;
    is_taken("dead").await?;
    store.requeue(ORGANISATION, job_id(1), at(5)).await?;
    let token = leased(&*store, 5, 10).await?;
    store.ack(token, at(6)).await?;
    is_taken("succeeded").await?;
    let mut elsewhere = changes_of(STRANGER);
    elsewhere.job(job(1, 0, 9));
    applied(&*store, &elsewhere).await
}

/// The longest due comes first, of those that are due equally long the smaller id, and none starves.
pub(super) async fn c62_no_starvation_behind_undecodable_or_long_jobs(
    stage: &Stage<'_>,
) -> Verdict {
    let store = queue(
        stage,
        &[(1, 5, 9), (2, 3, 9), (3, 4, 9), (5, 5, 9), (4, 5, 9)],
    )
    .await?;
    let late = leased(&*store, 3, 6).await?;
    same(late.job, job_id(2), "the one that is due")?;
    // The lease of 2 runs out at 6; the others have been due longer.
    let mut order = Vec::new();
    while let Some(lease) = lease(&*store, 10, 100).await? {
        order.push(lease.token.job.as_uuid().as_u128());
        ensure!(order.len() < 10, "more leases than jobs: {order:?}");
    }
    same(order, [3, 1, 4, 5, 2], "jobs, the longest due first")?;
    // Of those that are due equally long the smaller id, whosever it is.
    let store = queue(stage, &[(2, 0, 9), (4, 0, 9)]).await?;
    let mut theirs = changes_of(STRANGER);
    for n in [1, 3] {
        theirs.job(job(n, 0, 9));
    }
    applied(&*store, &theirs).await?;
    let mut order = Vec::new();
    while let Some(lease) = lease(&*store, 10, 100).await? {
        order.push(lease.token.job.as_uuid().as_u128());
        ensure!(order.len() < 10, "more leases than jobs: {order:?}");
    }
    same(
        order,
        [1, 2, 3, 4],
        "jobs of two organisations, all due equally long",
    )?;
    // One that fails again and again does not keep the others from their turn.
    let store = queue(stage, &[(1, 0, u32::MAX), (2, 0, 9), (3, 0, 9)]).await?;
    let mut seen = BTreeSet::new();
    for now in 1..=9 {
        let token = leased(&*store, now, 1_000).await?;
        if token.job == job_id(1) {
            store.fail(token, "x", at(now), Some(at(now))).await?;
        }
        seen.insert(token.job);
        if seen.len() == 3 {
            return Ok(());
        }
    }
    Err(format!("of three jobs that are due only {seen:?} were leased, nine times").into())
}

/// Jobs are read within their organisation, and progress only grows.
pub(super) async fn c63_job_status_is_scoped(stage: &Stage<'_>) -> Verdict {
    let store = queue(stage, &[(1, 0, 9)]).await?;
    let found = store.job(STRANGER, job_id(1)).await?;
    same(found, None, "a foreign job")?;
    let steps = [
        ((0, 10), (0, 10)),
        ((4, 10), (4, 10)),
        ((2, 99), (4, 10)), // told late
        ((4, 12), (4, 12)),
        ((12, 12), (12, 12)),
        ((i64::MAX.unsigned_abs(), 0), (i64::MAX.unsigned_abs(), 0)),
    ];
    for ((done, total), expected) in steps {
        let progress = Progress { done, total };
        put(&*store, |it| {
            for job in [job_id(1), job_id(9)] {
                it.progress(JobProgress { job, progress });
            }
        })
        .await?;
        let found = read(&*store, 1).await?.progress;
        same((found.done, found.total), expected, "the progress")?;
    }
    let lease = lease(&*store, 1, 2)
        .await?
        .ok_or("a due job is not leased")?;
    let found = lease.job.progress.done;
    same(
        found,
        i64::MAX.unsigned_abs(),
        "the progress of a job that is leased",
    )?;
    store.fail(lease.token, "x", at(1), None).await?;
    let page = PageRequest::first(9).counted();
    let found = store.dead_jobs(STRANGER, &page).await?;
    same(
        (found.items, found.total),
        (Vec::new(), Some(0)),
        "foreign dead jobs",
    )
}

/// What waits or runs is listed, the oldest first, by pages in both directions; what has ended is not, nor is another
/// organisation's.
pub(super) async fn q11_open_jobs_are_listed_until_they_end(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    put(&*store, |it| {
        for n in [3, 1, 2, 4] {
            it.job(job(n, 0, 1));
        }
    })
    .await?;
    let open = async |whose, request: PageRequest| -> Result<_, super::checks::Wrong> {
        let found = store.open_jobs(whose, &request).await?;
        let ids: Vec<_> = found.items.iter().map(|job| job.id).collect();
        Ok((ids, found.total, found.next))
    };
    let ids = |numbers: &[u128]| numbers.iter().map(|n| job_id(*n)).collect::<Vec<_>>();
    let all = PageRequest::first(9).counted();
    let (found, total, next) = open(ORGANISATION, all.clone()).await?;
    let told = (found, total, next.is_some());
    same(told, (ids(&[1, 2, 3, 4]), Some(4), false), "jobs that wait")?;
    // One runs, one is dead, one is done.
    for _ in 0..3 {
        store.lease("w", JobKind::ALL, at(1), at(9)).await?;
    }
    let token = |n: u128| LeaseToken {
        organisation: ORGANISATION,
        job: job_id(n),
        attempt: 1,
    };
    store.fail(token(2), "x", at(1), None).await?;
    store.ack(token(3), at(1)).await?;
    let (found, total, _) = open(ORGANISATION, all.clone()).await?;
    same(
        (found, total),
        (ids(&[1, 4]), Some(2)),
        "jobs that are open",
    )?;
    let (found, _, next) = open(ORGANISATION, PageRequest::first(1).reversed()).await?;
    same(found, ids(&[4]), "the newest open job")?;
    let next = next.ok_or("there is one more")?;
    let (found, _, next) = open(ORGANISATION, PageRequest::after(next, 1).reversed()).await?;
    same((found, next), (ids(&[1]), None), "the one before it")?;
    let (found, total, _) = open(STRANGER, all).await?;
    same((found, total), (Vec::new(), Some(0)), "foreign open jobs")
}

/// What succeeded or was refused is listed in the order in which it ended, of the same moment by id, by pages in both
/// directions; what waits, runs or is dead is not, nor is another organisation's.
pub(super) async fn q11_jobs_that_are_over_are_listed_as_they_ended(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    put(&*store, |it| {
        for n in [1, 2, 3, 4, 5] {
            it.job(job(n, 0, 1));
        }
    })
    .await?;
    let over = async |whose, request: PageRequest| -> Result<_, super::checks::Wrong> {
        let found = store.over_jobs(whose, &request).await?;
        let ids: Vec<_> = found.items.iter().map(|job| job.id).collect();
        Ok((ids, found.total, found.next))
    };
    let ids = |numbers: &[u128]| numbers.iter().map(|n| job_id(*n)).collect::<Vec<_>>();
    let all = PageRequest::first(9).counted();
    let (found, total, _) = over(ORGANISATION, all.clone()).await?;
    same((found, total), (Vec::new(), Some(0)), "what waits as over")?;
    for _ in 0..4 {
        store.lease("w", JobKind::ALL, at(1), at(9)).await?;
    }
    let token = |n: u128| LeaseToken {
        organisation: ORGANISATION,
        job: job_id(n),
        attempt: 1,
    };
    // One is dead, one runs, one waits; of two that ended in the same moment the id tells which comes first.
    store.fail(token(4), "x", at(1), None).await?;
    store.ack(token(3), at(2)).await?;
    store.ack(token(1), at(3)).await?;
    put(&*store, |it| it.ack(JobAck::Refused(job_id(2)))).await?;
    let (found, total, _) = over(ORGANISATION, all.clone()).await?;
    let mut expected = ids(&[3, 1]);
    // When it was refused is told by its commit.
    let refused = store.job(ORGANISATION, job_id(2)).await?;
    let ended = refused.and_then(|job| job.finished_at);
    let place = if ended.is_some_and(|ended| ended < at(2)) {
        0
    } else {
        2
    };
    expected.insert(place, job_id(2));
    same(
        (found, total),
        (expected.clone(), Some(3)),
        "jobs that are over",
    )?;
    let newest = expected.iter().rev().copied().collect::<Vec<_>>();
    let (found, _, next) = over(ORGANISATION, PageRequest::first(2).reversed()).await?;
    same(Some(found.as_slice()), newest.get(..2), "the last two")?;
    let next = next.ok_or("there is one more")?;
    let (found, _, next) = over(ORGANISATION, PageRequest::after(next, 2).reversed()).await?;
    same(
        (Some(found.as_slice()), next),
        (newest.get(2..), None),
        "the one before them",
    )?;
    let purged = store.purge_jobs(ORGANISATION, EndedJobs::Over, at(3), 9);
    purged.await?;
    let (found, _, _) = over(ORGANISATION, all.clone()).await?;
    let kept = expected.iter().copied().filter(|id| {
        *id == job_id(1) || (*id == job_id(2) && ended.is_some_and(|ended| ended >= at(3)))
    });
    same(found, kept.collect::<Vec<_>>(), "what was not purged")?;
    let (found, total, _) = over(STRANGER, all).await?;
    same((found, total), (Vec::new(), Some(0)), "foreign jobs")
}
