//! C64: what a job holds comes back as it was; `enqueue` is a relay's (Q2).

use super::checks::{Verdict, ensure, refused, same};
use super::harness::Stage;
use super::sampler::{Filling, Sampler};
use super::samples::*;
use crate::store::{
    Conflict, Job, JobKind, JobState, JobTask, Lease, LeaseToken, NewJob, Progress,
};

/// A task of each kind.
pub(super) fn tasks_of(id: uuid::Uuid) -> [JobTask; JobKind::ALL.len()] {
    [
        JobTask::PopulateStockTake { take: id.into() },
        JobTask::PostStockTake { take: id.into() },
        JobTask::ReopenStockTake { take: id.into() },
        JobTask::CompleteInventoryCount { count: id.into() },
        JobTask::SendInventoryOrder { order: id.into() },
        JobTask::ImportStock { import: id.into() },
        JobTask::Export,
        JobTask::Print,
    ]
}

/// A job of each kind, with the edges of what it may hold.
fn new_jobs(sampler: &mut Sampler) -> Result<Vec<NewJob>, super::checks::Wrong> {
    let id = uuid::Uuid::from_u128(0xFFFF_FFFF_FFFF_FFFF_0000_0000_0000_0001);
    let tasks = tasks_of(id);
    let mut jobs = Vec::new();
    for (n, task) in (1..).zip(tasks) {
        jobs.push(NewJob {
            id: job_id(n),
            site: site_id(n),
            task,
            requested_by: sampler.make(&[])?,
            run_at: at(-7).later_by(i64::try_from(n).unwrap_or(0)),
            max_attempts: if n == 2 { u32::MAX } else { 1 },
        });
    }
    Ok(jobs)
}

fn as_queued(new: &NewJob) -> Job {
    let NewJob {
        id,
        site,
        task,
        requested_by,
        run_at,
        max_attempts,
    } = new.clone();
    Job {
        id,
        organisation: ORGANISATION,
        site,
        task,
        requested_by,
        state: JobState::Queued,
        attempts: 0,
        max_attempts,
        run_at,
        progress: Progress::default(),
        last_error: None,
        created_at: at(10),
        finished_at: None,
    }
}

/// Every kind of job, whoever asked for it; errors are cut to 2,000 bytes between characters.
pub(super) async fn c64_payload_round_trip_and_limits(stage: &Stage<'_>) -> Verdict {
    for (seed, filling) in [(1, Filling::Full), (2, Filling::Bare), (3, Filling::Full)] {
        let store = stage.fresh().await?;
        let jobs = new_jobs(&mut Sampler::new(seed, filling))?;
        put(&*store, |it| {
            jobs.iter().cloned().for_each(|job| it.job(job));
        })
        .await?;
        for new in &jobs {
            let found = store.job(ORGANISATION, new.id).await?;
            let mut expected = as_queued(new);
            same(found, Some(expected.clone()), "a job as it was queued")?;
            let worker = "w \u{1F4E6} 'x' \"y\" %_\\";
            let lease = store.lease(worker, JobKind::ALL, at(1), at(9)).await?;
            expected.attempts = 1;
            expected.state = JobState::Running {
                worker: worker.to_owned(),
                until: at(9),
            };
            let token = LeaseToken {
                organisation: ORGANISATION,
                job: new.id,
                attempt: 1,
            };
            let leased = Lease {
                token,
                job: expected.clone(),
            };
            same(lease, Some(leased), "a job as it was leased")?;
            store.fail(token, "e\u{301} '%_\\\n", at(2), None).await?;
            expected.state = JobState::Dead;
            expected.last_error = Some("e\u{301} '%_\\\n".to_owned());
            expected.finished_at = Some(at(2));
            let found = store.job(ORGANISATION, new.id).await?;
            same(found, Some(expected), "a job that failed")?;
        }
    }
    for (error, length) in [
        ("x".repeat(2_000), 2_000),
        ("x".repeat(2_001), 2_000),
        (format!("x{}", "\u{1F4E6}".repeat(1_000)), 1_997),
        (String::new(), 0),
    ] {
        let store = stage.fresh().await?;
        put(&*store, |it| it.job(job(1, 0, 1))).await?;
        let lease = store.lease("w", JobKind::ALL, at(1), at(2)).await?;
        let token = lease.ok_or("a due job is not leased")?.token;
        store.fail(token, &error, at(1), None).await?;
        let kept = store.job(ORGANISATION, job_id(1)).await?;
        let kept = kept.and_then(|job| job.last_error);
        let kept = kept.ok_or("the error of a dead job is not kept")?;
        same(kept.len(), length, "bytes of an error that are kept")?;
        ensure!(error.starts_with(&kept), "an error was changed to {kept:?}");
    }
    Ok(())
}

/// A relay's job is the commit's, by its id: whoever comes second changes nothing.
pub(super) async fn q02_enqueue_is_idempotent_by_id(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    store.enqueue(ORGANISATION, &job(1, 0, 3), at(5)).await?;
    let mut expected = as_queued(&job(1, 0, 3));
    expected.created_at = at(5);
    let found = store.job(ORGANISATION, job_id(1)).await?;
    same(found, Some(expected), "a job that a relay queued")?;
    let lease = store.lease("w", JobKind::ALL, at(6), at(10)).await?;
    let token = lease.ok_or("a due job is not leased")?.token;
    for state in ["running", "over"] {
        let before = store.job(ORGANISATION, job_id(1)).await?;
        store.enqueue(ORGANISATION, &job(1, 99, 9), at(7)).await?;
        let after = store.job(ORGANISATION, job_id(1)).await?;
        same(
            after,
            before,
            &format!("a {state} job that was queued again by a relay"),
        )?;
        if state == "running" {
            store.ack(token, at(8)).await?;
        }
    }
    let mut born = changes();
    born.job(job(1, 0, 3));
    let exists = [Conflict::JobExists(job_id(1))];
    refused(&*store, &born, &exists, "a commit with a relay's job").await?;
    store.enqueue(STRANGER, &job(1, 0, 3), at(9)).await?;
    let lease = store.lease("w", JobKind::ALL, at(99), at(100)).await?;
    let lease = lease.map(|lease| lease.token.organisation);
    same(lease, Some(STRANGER), "whose job is leased")
}
