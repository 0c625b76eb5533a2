//! C49 to C64: the queue.

use stocktake::domain::{SiteAccess, StockTakeId};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    CommitError, CommitOutcome, Conflict, Job, JobAck, JobKind, JobProgress, JobQueue, JobState,
    JobTask, Lease, LeaseError, LeaseToken, PageRequest, Progress, Repository, StoreErrorKind,
};

use super::fixtures::*;

async fn queue(jobs: &[(u128, i64, u32)]) -> MemoryStore {
    let store = MemoryStore::new();
    commit(&store, |it| {
        for (n, due, attempts) in jobs {
            it.job(job(*n, *due, *attempts));
        }
    })
    .await;
    store
}

async fn lease(store: &MemoryStore, now: i64, until: i64) -> Option<Lease> {
    store
        .lease("w", JobKind::ALL, at(now), at(until))
        .await
        .unwrap()
}

async fn leased(store: &MemoryStore, now: i64, until: i64) -> LeaseToken {
    lease(store, now, until).await.unwrap().token
}

async fn read(store: &MemoryStore, n: u128) -> Job {
    store.job(ORGANISATION, job_id(n)).await.unwrap().unwrap()
}

async fn dead(store: &MemoryStore) -> Vec<u128> {
    let page = PageRequest::first(100);
    let page = store.dead_jobs(ORGANISATION, &page).await.unwrap();
    page.items
        .iter()
        .map(|job| job.id.as_uuid().as_u128())
        .collect()
}

/// That a token is good for nothing, and that trying changes nothing.
async fn assert_lost(store: &MemoryStore, token: LeaseToken) {
    let before = store.job(token.organisation, token.job).await.unwrap();
    let lost = |result: Result<(), LeaseError>| matches!(result, Err(LeaseError::Lost));
    assert!(lost(store.extend(token, at(1_000)).await));
    assert!(lost(store.ack(token, at(1_000)).await));
    assert!(lost(
        store.fail(token, "late", at(1_000), Some(at(1_000))).await
    ));
    assert!(lost(store.fail(token, "late", at(1_000), None).await));
    let mut changes = changes();
    changes.ack(JobAck::Leased(token));
    let error = store.commit(&changes).await.unwrap_err();
    assert!(matches!(error, CommitError::LeaseLost(job) if job == token.job));
    assert_eq!(
        store.job(token.organisation, token.job).await.unwrap(),
        before
    );
}

/// Q1.
#[tokio::test]
async fn c49_job_visible_only_after_commit() {
    let store = shop(0).await;
    let mut refused = changes();
    refused.job(job(1, 0, 1));
    refused.insert(site());
    conflicts(&store, &refused).await;
    assert_eq!(store.job(ORGANISATION, job_id(1)).await.unwrap(), None);
    assert!(lease(&store, 9, 99).await.is_none());
    commit(&store, |it| it.job(job(1, 0, 1))).await;
    assert_eq!(leased(&store, 9, 99).await.job, job_id(1));

    let mut twice = changes();
    twice.job(job(1, 0, 1));
    twice.job(job(2, 0, 1));
    twice.job(job(2, 0, 1));
    let expected = [
        Conflict::JobExists(job_id(1)),
        Conflict::JobExists(job_id(2)),
    ];
    assert_eq!(conflicts(&store, &twice).await, expected);
}

/// Q3.
#[tokio::test]
async fn c50_a_lease_is_exclusive() {
    let store = queue(&[(1, 0, 9)]).await;
    let token = leased(&store, 1, 10).await;
    for now in [1, 5, 9] {
        assert!(lease(&store, now, 99).await.is_none());
    }
    let job = read(&store, 1).await;
    let until = at(10);
    assert_eq!(
        job.state,
        JobState::Running {
            worker: "w".to_owned(),
            until
        }
    );
    assert_eq!((token.attempt, job.attempts), (1, 1));
}

/// Q5.
#[tokio::test]
async fn c51_expired_lease_is_reclaimed() {
    let store = queue(&[(1, 0, 9)]).await;
    let first = leased(&store, 1, 10).await;
    let second = leased(&store, 10, 20).await;
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_lost(&store, first).await;
    store.ack(second, at(11)).await.unwrap();
    assert_eq!(read(&store, 1).await.state, JobState::Succeeded);
}

/// Q4.
#[tokio::test]
async fn c52_c53_stale_token_cannot_complete_fail_or_extend() {
    // The way by which a lease is lost.
    for way in ["expired", "acked", "failed", "dead", "settled", "requeued"] {
        let store = queue(&[(1, 0, 2)]).await;
        let token = leased(&store, 1, 10).await;
        match way {
            "expired" => drop(lease(&store, 10, 20).await),
            "acked" => store.ack(token, at(2)).await.unwrap(),
            "failed" => store.fail(token, "x", at(2), Some(at(3))).await.unwrap(),
            "dead" | "requeued" => store.fail(token, "x", at(2), None).await.unwrap(),
            _ => commit(&store, |it| it.ack(JobAck::Settled(job_id(1)))).await,
        }
        if way == "requeued" {
            assert!(store.requeue(ORGANISATION, job_id(1), at(3)).await.unwrap());
            assert_lost(&store, token).await;
            // Its attempts begin again, but the tokens of its first life stay dead.
            let again = lease(&store, 4, 30).await.unwrap();
            assert_eq!(again.job.attempts, 1);
            assert_ne!(again.token, token);
        }
        assert_lost(&store, token).await;
    }
    let store = queue(&[(1, 0, 1)]).await;
    let token = leased(&store, 1, 10).await;
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
            organisation: STRANGER,
            ..token
        },
        LeaseToken {
            job: job_id(2),
            ..token
        },
    ] {
        assert_lost(&store, wrong).await;
    }
    store.ack(token, at(2)).await.unwrap();
}

#[tokio::test]
async fn c54_extend_keeps_exclusive() {
    let store = queue(&[(1, 0, 9)]).await;
    let token = leased(&store, 1, 10).await;
    store.extend(token, at(20)).await.unwrap();
    assert!(lease(&store, 15, 99).await.is_none());
    // Not shorter: a clock that went back takes nothing away.
    store.extend(token, at(12)).await.unwrap();
    assert!(lease(&store, 15, 99).await.is_none());
    assert_eq!(leased(&store, 20, 30).await.attempt, 2);
    assert_lost(&store, token).await;
}

/// Q6.
#[tokio::test]
async fn c55_attempt_counted_at_claim_poison_worker_goes_dead() {
    let store = queue(&[(1, 0, 3), (2, 50, 1)]).await;
    for attempt in 1..=3 {
        let token = leased(
            &store,
            i64::from(attempt) * 10,
            i64::from(attempt) * 10 + 10,
        )
        .await;
        assert_eq!(token.attempt, attempt);
    }
    assert_eq!(dead(&store).await, [0; 0]);
    // The spent one ends on the way to the next one that is due.
    assert_eq!(leased(&store, 60, 90).await.job, job_id(2));
    assert_eq!(dead(&store).await, [1]);
    let job = read(&store, 1).await;
    assert_eq!(
        (job.state, job.attempts, job.finished_at),
        (JobState::Dead, 3, Some(at(60)))
    );
    let none = queue(&[(1, 0, 0)]).await;
    assert!(lease(&none, 1, 9).await.is_none());
    assert_eq!(dead(&none).await, [1]);
}

/// Q6 and Q9.
#[tokio::test]
async fn c56_max_attempts_goes_dead_listed_and_requeued_once() {
    let store = queue(&[(2, 0, 2), (1, 0, 2)]).await;
    for now in [1, 2] {
        for _ in 0..2 {
            let token = leased(&store, now, 100).await;
            store
                .fail(token, &format!("at {now}"), at(now), Some(at(now)))
                .await
                .unwrap();
        }
    }
    assert_eq!(dead(&store).await, [1, 2]);
    let job = read(&store, 1).await;
    assert_eq!(job.last_error.as_deref(), Some("at 2"));
    assert_eq!((job.attempts, job.finished_at), (2, Some(at(2))));
    assert!(lease(&store, 99, 100).await.is_none());

    let page = store
        .dead_jobs(ORGANISATION, &PageRequest::first(1).counted())
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.total), (1, Some(2)));
    let next = PageRequest::after(page.next.unwrap(), 1);
    let page = store.dead_jobs(ORGANISATION, &next).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.next), (1, None, None));

    assert!(
        store
            .requeue(ORGANISATION, job_id(1), at(200))
            .await
            .unwrap()
    );
    assert!(!store.requeue(ORGANISATION, job_id(1), at(0)).await.unwrap());
    assert!(!store.requeue(ORGANISATION, job_id(9), at(0)).await.unwrap());
    assert_eq!(dead(&store).await, [2]);
    let job = read(&store, 1).await;
    assert_eq!((job.state, job.attempts), (JobState::Queued, 0));
    assert_eq!((job.run_at, job.finished_at), (at(200), None));
    assert!(lease(&store, 199, 300).await.is_none());
    assert_eq!(lease(&store, 200, 300).await.unwrap().job.attempts, 1);
}

/// Q7.
#[tokio::test]
async fn c57_backoff_not_before_and_future_job_not_claimed() {
    let store = queue(&[(1, 5, 9)]).await;
    assert!(lease(&store, 4, 99).await.is_none());
    let token = leased(&store, 5, 99).await;
    store.fail(token, "x", at(6), Some(at(20))).await.unwrap();
    assert_eq!(read(&store, 1).await.state, JobState::Queued);
    assert!(lease(&store, 19, 99).await.is_none());
    assert_eq!(leased(&store, 20, 99).await.attempt, 2);
    // Whoever gives up for good does not come back.
    let token = LeaseToken {
        attempt: 2,
        ..token
    };
    store.fail(token, "x", at(21), None).await.unwrap();
    assert!(lease(&store, 999, 9_999).await.is_none());
    assert_eq!(dead(&store).await, [1]);
}

/// Q2: the ack is part of the effect's commit.
#[tokio::test]
async fn c58_complete_is_atomic_with_effects_and_replay_is_noop() {
    let store = shop(2).await;
    commit(&store, |it| it.job(job(1, 0, 9))).await;
    let first = leased(&store, 1, 10).await;
    let mut effect = changes();
    effect.update(V1, counted(item(1), "1", 1));
    effect.ack(JobAck::Leased(first));
    // The first worker is late: somebody else has the job, and its effect is refused as a whole.
    let second = leased(&store, 10, 20).await;
    let error = store.commit(&effect).await.unwrap_err();
    assert!(matches!(error, CommitError::LeaseLost(_)));
    assert_eq!(totals(&store).await.counted, 0);

    let mut effect = changes();
    effect.update(V1, counted(item(1), "1", 1));
    effect.ack(JobAck::Leased(second));
    assert_eq!(store.commit(&effect).await.unwrap(), CommitOutcome::Applied);
    let done = read(&store, 1).await;
    assert_eq!(
        (done.state, done.finished_at),
        (JobState::Succeeded, Some(at(10)))
    );
    // The token is spent, but the replay is recognised before that is looked at.
    let again = store.commit(&effect).await.unwrap();
    assert!(matches!(again, CommitOutcome::AlreadyApplied(_)));
    assert_eq!(totals(&store).await.counted, 1);
}

#[tokio::test]
async fn c58_settling_ends_a_job_whoever_did_it() {
    let store = queue(&[(1, 0, 9), (2, 0, 9), (3, 0, 1)]).await;
    let running = leased(&store, 1, 10).await;
    assert_eq!(running.job, job_id(1));
    commit(&store, |it| {
        it.ack(JobAck::Settled(job_id(1)));
        it.ack(JobAck::Settled(job_id(2)));
        it.ack(JobAck::Settled(job_id(99))); // nobody's
        it.job(job(4, 0, 1));
        it.ack(JobAck::Settled(job_id(4))); // born done
    })
    .await;
    for n in [1, 2, 4] {
        assert_eq!(read(&store, n).await.state, JobState::Succeeded);
    }
    assert_lost(&store, running).await;
    let last = leased(&store, 1, 10).await;
    assert_eq!(last.job, job_id(3));
    store.fail(last, "x", at(2), None).await.unwrap();
    commit(&store, |it| it.ack(JobAck::Settled(job_id(3)))).await;
    assert_eq!(
        read(&store, 3).await.state,
        JobState::Dead,
        "what has ended has ended"
    );
    assert!(lease(&store, 999, 1_000).await.is_none());
}

/// Each condition of a lease, varied alone.
#[tokio::test]
async fn c59_claim_predicate_each_column() {
    for (due, prepare, expected) in [
        (0, "nothing", true),
        (1, "nothing", true),
        (2, "nothing", false),
        (0, "running", false),
        (0, "succeeded", false),
        (0, "dead", false),
    ] {
        let store = queue(&[(1, due, 1)]).await;
        match prepare {
            "running" => drop(leased(&store, 0, 9).await),
            "succeeded" => {
                let token = leased(&store, 0, 9).await;
                store.ack(token, at(0)).await.unwrap();
            }
            "dead" => {
                let token = leased(&store, 0, 9).await;
                store.fail(token, "x", at(0), Some(at(0))).await.unwrap();
            }
            _ => {}
        }
        let got = lease(&store, 1, 9).await.is_some();
        assert_eq!(got, expected, "due {due}, {prepare}");
    }
}

/// Q4: clocks decide when, never whether a token is good.
#[tokio::test]
async fn c60_clock_jumps_forward_and_back_never_break_fencing() {
    let store = queue(&[(1, 0, 9)]).await;
    let first = leased(&store, 1, 10).await;
    let second = leased(&store, 1_000_000, 1_000_010).await;
    // The clock goes back: the first token stays dead, and the lease is not given twice.
    assert_lost(&store, first).await;
    assert!(lease(&store, 5, 15).await.is_none());
    store.extend(second, at(6)).await.unwrap();
    // A lease that has run out but was not taken is still the holder's.
    store.extend(second, at(2_000_000)).await.unwrap();
    store.ack(second, at(3)).await.unwrap();
    assert_lost(&store, second).await;
}

/// Q8.
#[tokio::test]
async fn c62_the_longest_due_comes_first_and_none_starves() {
    let store = queue(&[(1, 5, 9), (2, 3, 9), (3, 4, 9)]).await;
    let late = leased(&store, 3, 6).await;
    assert_eq!(late.job, job_id(2));
    // The lease of 2 runs out at 6; 3 and 1 have been due longer.
    let mut order = Vec::new();
    while let Some(lease) = lease(&store, 10, 100).await {
        order.push(lease.token.job.as_uuid().as_u128());
    }
    assert_eq!(order, [3, 1, 2]);

    // One that fails again and again does not keep the others from their turn.
    let store = queue(&[(1, 0, u32::MAX), (2, 0, 9), (3, 0, 9)]).await;
    let mut seen = std::collections::BTreeSet::new();
    for now in 1..=6 {
        let token = leased(&store, now, 1_000).await;
        if token.job == job_id(1) {
            store
                .fail(token, "x", at(now), Some(at(now)))
                .await
                .unwrap();
        }
        seen.insert(token.job);
        if seen.len() == 3 {
            break;
        }
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn c63_progress_only_grows() {
    let store = queue(&[(1, 0, 9)]).await;
    let steps = [
        ((0, 10), (0, 10)),
        ((4, 10), (4, 10)),
        ((2, 99), (4, 10)), // told late
        ((4, 12), (4, 12)),
        ((12, 12), (12, 12)),
    ];
    for ((done, total), expected) in steps {
        let progress = Progress { done, total };
        commit(&store, |it| {
            it.progress(JobProgress {
                job: job_id(1),
                progress,
            });
            it.progress(JobProgress {
                job: job_id(9),
                progress,
            }); // nobody's
        })
        .await;
        let seen = read(&store, 1).await.progress;
        assert_eq!((seen.done, seen.total), expected);
    }
    let lease = lease(&store, 1, 2).await.unwrap();
    assert_eq!(lease.job.progress.done, 12);
}

#[tokio::test]
async fn c64_job_round_trip_and_limits() {
    let store = MemoryStore::new();
    let take = StockTakeId::new(uuid::Uuid::from_u128(77));
    let mut new = job(1, 7, 4);
    new.task = JobTask::ReopenStockTake { take };
    new.requested_by.sites = SiteAccess::Only([SITE].into());
    commit(&store, |it| it.job(new.clone())).await;
    let expected = Job {
        id: new.id,
        organisation: ORGANISATION,
        site: new.site,
        task: new.task,
        requested_by: new.requested_by.clone(),
        state: JobState::Queued,
        attempts: 0,
        max_attempts: 4,
        run_at: at(7),
        progress: Progress::default(),
        last_error: None,
        created_at: at(10),
        finished_at: None,
    };
    assert_eq!(read(&store, 1).await, expected);
    // Errors are cut to bytes, between characters.
    for (error, length) in [
        ("x".repeat(2_000), 2_000),
        ("x".repeat(2_001), 2_000),
        (format!("x{}", "\u{1F4E6}".repeat(1_000)), 1_997),
        (String::new(), 0),
    ] {
        let store = queue(&[(1, 0, 1)]).await;
        let token = leased(&store, 1, 2).await;
        store.fail(token, &error, at(1), None).await.unwrap();
        let kept = read(&store, 1).await.last_error.unwrap();
        assert_eq!(kept.len(), length);
        assert!(error.starts_with(&kept));
    }
}

/// Q2.
#[tokio::test]
async fn enqueue_is_idempotent_by_id() {
    let store = MemoryStore::new();
    store
        .enqueue(ORGANISATION, &job(1, 0, 3), at(5))
        .await
        .unwrap();
    let token = leased(&store, 6, 10).await;
    store
        .enqueue(ORGANISATION, &job(1, 99, 9), at(7))
        .await
        .unwrap();
    let job = read(&store, 1).await;
    assert_eq!((job.max_attempts, job.created_at), (3, at(5)));
    store.ack(token, at(8)).await.unwrap();
    store
        .enqueue(ORGANISATION, &self::job(1, 0, 3), at(9))
        .await
        .unwrap();
    assert!(lease(&store, 99, 100).await.is_none());
    // The relay's and the commit's are the same ids.
    let mut changes = changes();
    changes.job(self::job(1, 0, 3));
    let exists = Conflict::JobExists(job_id(1));
    assert_eq!(conflicts(&store, &changes).await, [exists]);
    let page = PageRequest::after("x".to_owned().into(), 1);
    let error = store.dead_jobs(ORGANISATION, &page).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InvalidCursor);
}
