//! What is kept for a time only, and jobs that are left for others: Q6, Q11, Q12 and R20.

use uuid::Uuid;

use super::checks::{Verdict, Wrong, applied, ensure, same};
use super::harness::{Stage, Store};
use super::leases::{dead, is_lost, leased, queue, read};
use super::samples::*;
use crate::domain::{InventoryOrderId, OrganisationId, StockTakeId};
use crate::store::{
    EndedJobs, Export, ExportChunk, ExportForm, ExportSubject, JobAck, JobKind, JobState, JobTask,
    NewJob, Purge, RepositoryExt, StockTakeItemFilter,
};

fn export(n: u128, expires: i64, chunks: u32) -> Export {
    Export {
        job: job_id(n),
        site: SITE,
        subject: ExportSubject::StockTake {
            take: take_id(1),
            filter: StockTakeItemFilter::default(),
        },
        chunks,
        after: None,
        lines: 0,
        complete: true,
        expires_at: at(expires),
        form: ExportForm::default(),
        mail_to: None,
        sums: Vec::new(),
    }
}

/// Exports of an organisation with their parts.
async fn exported(store: &dyn Store, organisation: OrganisationId, exports: &[Export]) -> Verdict {
    let mut changes = changes_of(organisation);
    for export in exports {
        for number in 0..export.chunks {
            changes.insert(ExportChunk {
                job: export.job,
                number,
                bytes: b"a line".as_slice().into(),
                part: None,
            });
        }
        changes.insert(export.clone());
    }
    applied(store, &changes).await
}

/// How many rows of an export are there.
async fn rows(
    store: &dyn Store,
    organisation: OrganisationId,
    export: &Export,
) -> Result<u32, Wrong> {
    let mut rows = u32::from(store.export(organisation, export.job).await?.is_some());
    for number in 0..export.chunks {
        let part = store.export_chunk(organisation, export.job, number).await?;
        rows = rows.saturating_add(u32::from(part.is_some()));
    }
    Ok(rows)
}

/// At most as many rows as may be, the parts before their export, and nothing that has not expired.
pub(super) async fn r20_expired_exports_go_with_their_parts(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let (old, none, new) = (export(1, 5, 3), export(2, 5, 0), export(3, 6, 2));
    let all = [old.clone(), none.clone(), new.clone()];
    exported(&*store, ORGANISATION, &all).await?;
    exported(&*store, STRANGER, std::slice::from_ref(&old)).await?;
    let purge = async |before, limit| {
        let purged = store.purge(ORGANISATION, Purge::Exports, at(before), limit);
        purged.await
    };
    same(
        purge(5, 10).await?,
        0,
        "rows of exports that expire at that moment",
    )?;
    same(purge(6, 2).await?, 2, "rows, where two may be forgotten")?;
    let left =
        rows(&*store, ORGANISATION, &old).await? + rows(&*store, ORGANISATION, &none).await?;
    same(left, 3, "rows that are left of five")?;
    same(purge(6, 10).await?, 3, "the rows that were left")?;
    same(purge(6, 10).await?, 0, "rows forgotten again")?;
    for (export, expected) in [(&old, 0), (&none, 0), (&new, 3)] {
        let found = rows(&*store, ORGANISATION, export).await?;
        same(found, expected, "rows of an export")?;
    }
    same(
        rows(&*store, STRANGER, &old).await?,
        4,
        "rows of another organisation",
    )?;
    // One that is asked for again begins anew.
    exported(&*store, ORGANISATION, std::slice::from_ref(&old)).await?;
    same(
        rows(&*store, ORGANISATION, &old).await?,
        4,
        "rows of an export that came back",
    )
}

/// Handing back uses up the token, not the attempt.
pub(super) async fn q06_handing_back_costs_no_attempt(stage: &Stage<'_>) -> Verdict {
    let store = queue(stage, &[(1, 0, 2)]).await?;
    let failed = leased(&*store, 1, 9).await?;
    store.fail(failed, "the first", at(2), Some(at(2))).await?;
    for round in 0..5 {
        let token = leased(&*store, 3 + round, 99).await?;
        store.release(token, at(4 + round)).await?;
        is_lost(&*store, token, "a job that was handed back").await?;
        let late = store.release(token, at(50)).await;
        let is_lost = matches!(late, Err(crate::store::LeaseError::Lost));
        ensure!(is_lost, "handed back twice: {late:?}");
        let job = read(&*store, 1).await?;
        let found = (job.state, job.attempts, job.run_at, job.finished_at);
        let expected = (JobState::Queued, 1, at(4 + round), None);
        same(found, expected, "a job that was handed back")?;
        same(
            job.last_error.as_deref(),
            Some("the first"),
            "its last error",
        )?;
    }
    let last = leased(&*store, 60, 99).await?;
    same(last.attempt, 7, "the attempt that the token tells")?;
    store.fail(last, "the last", at(61), Some(at(61))).await?;
    same(
        dead(&*store).await?,
        [1],
        "dead jobs after the second failure",
    )
}

fn job_for(n: u128, due: i64, task: JobTask) -> NewJob {
    NewJob {
        task,
        ..job(n, due, 1)
    }
}

/// What is due longest, of the kinds that are asked for; the others stay as they are.
pub(super) async fn q11_only_the_kinds_that_a_worker_can_do(stage: &Stage<'_>) -> Verdict {
    let store = queue(stage, &[]).await?;
    let order = InventoryOrderId::new(Uuid::from_u128(7));
    let take = StockTakeId::new(Uuid::from_u128(8));
    let letter = JobTask::SendInventoryOrder { order };
    let tasks = [letter, JobTask::Export, JobTask::PostStockTake { take }];
    put(&*store, |it| {
        for (n, task) in (1..).zip(tasks) {
            it.job(job_for(n, i64::try_from(n).unwrap_or(0), task));
        }
        // It may not be tried at all: it ends dead when somebody comes who could do it.
        it.job(NewJob {
            max_attempts: 0,
            ..job_for(4, 0, letter)
        });
    })
    .await?;
    let lease = async |kinds: &[JobKind]| -> Result<Option<u128>, Wrong> {
        let lease = store.lease("w", kinds, at(9), at(99)).await?;
        Ok(lease.map(|lease| lease.job.id.as_uuid().as_u128()))
    };
    let unfinished = async |kind| store.unfinished(ORGANISATION, kind).await;
    let letters = JobKind::SendInventoryOrder;
    same(lease(&[]).await?, None, "a lease of no kind")?;
    same(
        lease(&[JobKind::ImportStock]).await?,
        None,
        "a lease of a kind that nobody asked for",
    )?;
    let mine = [JobKind::PostStockTake, JobKind::Export];
    same(lease(&mine).await?, Some(2), "the job of two kinds")?;
    same(lease(&mine).await?, Some(3), "the job of two kinds")?;
    same(lease(&mine).await?, None, "a third job of two kinds")?;
    same(unfinished(letters).await?, 2, "jobs that were left")?;
    same(unfinished(JobKind::Export).await?, 1, "jobs that run")?;
    same(
        unfinished(JobKind::ImportStock).await?,
        0,
        "jobs of a kind that nobody asked for",
    )?;
    same(dead(&*store).await?, [0; 0], "dead jobs")?;
    same(
        read(&*store, 1).await?.state,
        JobState::Queued,
        "a job that was left",
    )?;
    same(lease(JobKind::ALL).await?, Some(1), "the job of any kind")?;
    same(dead(&*store).await?, [4], "dead jobs")?;
    same(unfinished(letters).await?, 1, "jobs that have not ended")?;
    same(
        store.unfinished(STRANGER, letters).await?,
        0,
        "jobs of another organisation",
    )
}

/// Only what has ended, in the way that is meant, before the moment.
pub(super) async fn q12_jobs_that_have_ended_are_purged(stage: &Stage<'_>) -> Verdict {
    // Waiting, running, succeeded, refused and dead.
    let jobs: Vec<_> = (1..=5)
        .map(|n| (n, if n == 1 { 50 } else { 0 }, 1))
        .collect();
    let store = queue(stage, &jobs).await?;
    let mut tokens = Vec::new();
    for _ in 2..=5 {
        tokens.push(leased(&*store, 1, 99).await?);
    }
    let token = |n: u128| {
        let held = tokens.iter().find(|token| token.job == job_id(n));
        held.copied()
            .ok_or_else(|| format!("job {n} was not leased"))
    };
    store.ack(token(3)?, at(10)).await?;
    store.fail(token(5)?, "x", at(10), None).await?;
    put(&*store, |it| it.ack(JobAck::Refused(job_id(4)))).await?;
    let refused = read(&*store, 4).await?.finished_at;
    let after = refused.map_or(at(11), |at| at.max(super::samples::at(10)).later_by(1));
    let purge = async |which, before, limit| {
        let purged = store.purge_jobs(ORGANISATION, which, before, limit);
        purged.await
    };
    for which in [EndedJobs::Over, EndedJobs::Dead] {
        same(
            purge(which, at(-1), 9).await?,
            0,
            "jobs that ended before the first",
        )?;
        let theirs = store.purge_jobs(STRANGER, which, after, 9).await?;
        same(theirs, 0, "jobs of another organisation")?;
    }
    same(
        purge(EndedJobs::Over, after, 1).await?,
        1,
        "jobs, where one may be forgotten",
    )?;
    same(
        purge(EndedJobs::Over, after, 9).await?,
        1,
        "the job that was left",
    )?;
    same(
        purge(EndedJobs::Over, after, 9).await?,
        0,
        "jobs forgotten again",
    )?;
    same(dead(&*store).await?, [5], "dead jobs")?;
    same(
        purge(EndedJobs::Dead, at(10), 9).await?,
        0,
        "jobs that died at that moment",
    )?;
    same(
        purge(EndedJobs::Dead, after, 9).await?,
        1,
        "jobs that died before",
    )?;
    same(dead(&*store).await?, [0; 0], "dead jobs")?;
    for (n, expected) in [(1, true), (2, true), (3, false), (4, false), (5, false)] {
        let found = store.job(ORGANISATION, job_id(n)).await?;
        same(
            found.is_some(),
            expected,
            &format!("whether job {n} is there"),
        )?;
    }
    let again = store.requeue(ORGANISATION, job_id(5), at(60)).await?;
    ensure!(!again, "a job that was purged was queued again");
    // Its id is new again.
    put(&*store, |it| it.job(job(3, 60, 1))).await?;
    same(
        read(&*store, 3).await?.state,
        JobState::Queued,
        "a new job of an old id",
    )
}
