//! What many tasks at once must not break: C10, C14, C18, C21, C24, C27, C45, C50 and R8.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stocktake::domain::StockTakeItem;
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ChangeSet, CommitError, CommitOutcome, Conflict, Guard, JobKind, JobQueue, Repository, Version,
};
use tokio::sync::Barrier;
use tokio::task::{JoinSet, yield_now};

use super::fixtures::*;

const ROUNDS: usize = 30;
const TASKS: u64 = 8;

async fn version_of(store: &MemoryStore, item: &StockTakeItem) -> Version {
    let view = store
        .counting_view(ORGANISATION, item.take, &[item.id])
        .await;
    let (_, line) = view.unwrap().unwrap().into_line().unwrap();
    line.item.version
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c10_c24_a_commit_is_seen_whole_or_not_at_all() {
    const LINES: u64 = 1_000;
    let store = shop(LINES).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..2 {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        readers.spawn(async move {
            let mut last = 0;
            while !stop.load(Ordering::Acquire) {
                let seen = totals(&store).await;
                assert!(seen.counted == 0 || seen.counted == LINES, "{seen:?}");
                assert!(seen.adjustment_minor % 1_000 == 0, "{seen:?}");
                assert!(seen.adjustment_minor >= last, "what was seen stays seen");
                last = seen.adjustment_minor;
                let ledger = store.ledger(ORGANISATION, SITE, 0, u32::MAX).await.unwrap();
                assert_eq!(ledger.len() % 1_000, 0);
                yield_now().await;
            }
        });
    }
    for round in 1_u64..=10 {
        commit(&store, |it| {
            for n in 1..=LINES {
                let value = i64::try_from(round).unwrap();
                it.update(Version::new(round), counted(item(n), "1", value));
                let id = u128::from(round * 10_000 + n);
                it.event(event(id, key(u128::from(n)), round));
            }
        })
        .await;
        yield_now().await;
    }
    stop.store(true, Ordering::Release);
    readers.join_all().await;
    assert_eq!(totals(&store).await.adjustment_minor, 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c14_two_counters_same_line_one_wins() {
    for _ in 0..ROUNDS {
        let store = shop(1).await;
        let barrier = Arc::new(Barrier::new(usize::try_from(TASKS).unwrap()));
        let mut counters = JoinSet::new();
        for n in 0..TASKS {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            counters.spawn(async move {
                let mut changes = changes();
                let value = i64::try_from(n).unwrap();
                changes.update(V1, counted(item(1), "1", value));
                barrier.wait().await;
                store.commit(&changes).await.is_ok()
            });
        }
        let won = counters.join_all().await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        assert_eq!(version_of(&store, &item(1)).await, Version::new(2));
    }
}

/// Read, add, commit, again on conflict: no increment is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c18_parallel_deltas_lose_no_increment() {
    const EACH: i64 = 50;
    let store = shop(1).await;
    commit(&store, |it| it.update(V1, counted(item(1), "0", 0))).await;
    let mut counters = JoinSet::new();
    for _ in 0..TASKS {
        let store = store.clone();
        counters.spawn(async move {
            let mut left = EACH;
            while left > 0 {
                let view = store.counting_view(ORGANISATION, TAKE, &[item(1).id]).await;
                let read = view.unwrap().unwrap().into_line().unwrap().1.item;
                yield_now().await;
                let mut changes = changes();
                let value = read.value.adjustment_minor() + 1;
                changes.update(read.version, counted(item(1), "1", value));
                match store.commit(&changes).await {
                    Ok(outcome) => {
                        assert_eq!(outcome, CommitOutcome::Applied);
                        left -= 1;
                    }
                    Err(error) => assert!(matches!(error, CommitError::Conflict(_))),
                }
            }
        });
    }
    counters.join_all().await;
    let expected = EACH * i64::try_from(TASKS).unwrap();
    assert_eq!(totals(&store).await.adjustment_minor, i128::from(expected));
}

/// The header, the line and the level of a view are of one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c21_load_is_one_snapshot() {
    let store = shop(1).await;
    commit(&store, |it| it.insert(level(key(1), "0"))).await;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let view = store.counting_view(ORGANISATION, TAKE, &[item(1).id]).await;
                let (take, line) = view.unwrap().unwrap().into_line().unwrap();
                let level = line.level.unwrap().version;
                assert_eq!((take.version, line.item.version), (level, level));
                yield_now().await;
            }
        })
    };
    for version in 1..500 {
        let version = Version::new(version);
        commit(&store, |it| {
            it.update(version, take(TAKE, 1));
            it.update(version, counted(item(1), "1", 1));
            it.update(version, level(key(1), "1"));
        })
        .await;
    }
    stop.store(true, Ordering::Release);
    reader.await.unwrap();
}

/// R8: after an epoch's end nothing that was guarded on it applies, however the race went.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_guarded_commit_applies_after_its_epoch() {
    for _ in 0..ROUNDS {
        let store = shop(TASKS).await;
        let barrier = Arc::new(Barrier::new(usize::try_from(TASKS).unwrap() + 1));
        let mut counters = JoinSet::new();
        for line in 1..=TASKS {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            // Each counts its own line again and again, until the epoch stops it.
            counters.spawn(async move {
                barrier.wait().await;
                let mut version = V1;
                loop {
                    let mut changes = changes();
                    changes.guard(Guard::Epoch {
                        take: TAKE,
                        epoch: 1,
                    });
                    changes.update(version, counted(item(line), "1", 1));
                    match store.commit(&changes).await {
                        Ok(_) => version = version.next(),
                        Err(CommitError::Conflict(conflicts)) => {
                            let actual = Some(2);
                            assert_eq!(conflicts, [Conflict::Epoch { take: TAKE, actual }]);
                            break (line, version);
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                    yield_now().await;
                }
            });
        }
        barrier.wait().await;
        for _ in 0..20 {
            yield_now().await;
        }
        let ended = take(TAKE, 1).remove(&stamp(2)).unwrap();
        commit(&store, |it| {
            it.guard(Guard::Epoch {
                take: TAKE,
                epoch: 1,
            });
            it.update(V1, ended);
        })
        .await;
        let mut at_the_end = Vec::new();
        for line in 1..=TASKS {
            at_the_end.push((line, version_of(&store, &item(line)).await));
        }
        let mut told = counters.join_all().await;
        told.sort_unstable();
        // What each was told is what was there when the epoch ended, and nothing came after.
        assert_eq!(told, at_the_end);
        for (line, version) in told {
            assert_eq!(version_of(&store, &item(line)).await, version);
        }
    }
}

/// R10: whoever tails the ledger never finds a position that it has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c27_a_tailing_reader_sees_no_gap() {
    const EACH: u64 = 200;
    let store = MemoryStore::new();
    let mut writers = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..EACH {
                let mut changes = changes();
                for part in 0..=(n % 3) {
                    let id = (u128::from(task) << 64) | (u128::from(n) << 8) | u128::from(part);
                    let key = key(u128::from(task * 10 + part));
                    changes.event(event(id, key, n + 1));
                }
                store.commit(&changes).await.unwrap();
                if n % 7 == task % 7 {
                    yield_now().await;
                }
            }
        });
    }
    let of_one: u64 = (0..EACH).map(|n| n % 3 + 1).sum();
    let all = of_one * TASKS;
    let mut seen = BTreeSet::new();
    let mut position = 0;
    while position < all {
        let entries = store
            .ledger(ORGANISATION, SITE, position, 17)
            .await
            .unwrap();
        for entry in entries {
            assert_eq!(entry.position, position + 1);
            position = entry.position;
            assert!(seen.insert(entry.event.id));
        }
        yield_now().await;
    }
    writers.join_all().await;
    let beyond = store.ledger(ORGANISATION, SITE, position, 9).await.unwrap();
    assert!(beyond.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c45_concurrent_same_key_one_effect() {
    for round in 0..ROUNDS {
        let store = shop(1).await;
        let barrier = Arc::new(Barrier::new(usize::try_from(TASKS).unwrap()));
        let mut senders = JoinSet::new();
        for n in 0..TASKS {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            senders.spawn(async move {
                let command = command(&format!("same-{round}"), "x");
                let mut changes = ChangeSet::new(ORGANISATION, command.clone());
                changes.update(V1, counted(item(1), "1", 1));
                barrier.wait().await;
                if n == 0 && round % 2 == 1 {
                    // Somebody asks in the middle: then it is settled for everybody.
                    let settled = store
                        .settle(ORGANISATION, &command.id, at(1))
                        .await
                        .unwrap();
                    return settled.is_some();
                }
                match store.commit(&changes).await {
                    Ok(_) => true,
                    Err(CommitError::Voided) => false,
                    Err(error) => panic!("{error:?}"),
                }
            });
        }
        let applied = senders.join_all().await;
        let happened = totals(&store).await.counted == 1;
        // All of them tell the same, and it is what happened.
        assert!(
            applied.iter().all(|applied| *applied == happened),
            "{applied:?}"
        );
        assert!(happened || round % 2 == 1);
        if happened {
            assert_eq!(version_of(&store, &item(1)).await, Version::new(2));
        }
    }
}

/// Q3, Q4 and Q6 with workers that die: a clock of the test's own runs on, so that leases expire all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c50_leases_are_exclusive_under_contention() {
    const JOBS: u128 = 60;
    let store = MemoryStore::new();
    commit(&store, |it| {
        for n in 0..JOBS {
            it.job(job(n, 0, 5));
        }
    })
    .await;
    let clock = Arc::new(AtomicU64::new(1));
    let mut workers = JoinSet::new();
    for worker in 0..TASKS {
        let (store, clock) = (store.clone(), Arc::clone(&clock));
        workers.spawn(async move {
            let mut leases = Vec::new();
            let mut acked = Vec::new();
            let mut idle = 0;
            while idle < 50 {
                let now = i64::try_from(clock.fetch_add(1, Ordering::AcqRel)).unwrap();
                let name = format!("worker {worker}");
                let Some(lease) = store
                    .lease(&name, JobKind::ALL, at(now), at(now + 5))
                    .await
                    .unwrap()
                else {
                    idle += 1;
                    yield_now().await;
                    continue;
                };
                leases.push(lease.token);
                // Each third lease is left to expire.
                if lease.token.attempt % 3 != 1 || leases.len() % 2 == 0 {
                    yield_now().await;
                    if store.ack(lease.token, at(now)).await.is_ok() {
                        acked.push(lease.token.job);
                    }
                }
            }
            (leases, acked)
        });
    }
    let (leases, acked): (Vec<_>, Vec<_>) = workers.join_all().await.into_iter().unzip();
    let leases: Vec<_> = leases.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = leases.iter().map(|it| (it.job, it.attempt)).collect();
    assert_eq!(distinct.len(), leases.len(), "each token was given once");
    let acked: Vec<_> = acked.into_iter().flatten().collect();
    let ended: BTreeSet<_> = acked.iter().copied().collect();
    assert_eq!(ended.len(), acked.len(), "each job ended once");
    for n in 0..JOBS {
        let job = store.job(ORGANISATION, job_id(n)).await.unwrap().unwrap();
        assert!(job.finished_at.is_some(), "{job:?}");
        assert!(job.attempts <= job.max_attempts);
    }
}
