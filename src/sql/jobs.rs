//! The queue of jobs.

use super::cell::{Cell, Kind, Row, Unreadable};
use super::known::live_lease;
use super::query::{Query, Snapshot, Transaction, blocks, first};
use super::refused::Refused;
use super::table::timestamp;
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::store::{
    EndedJobs, Job, JobAck, JobKind, JobProgress, JobState, Lease, LeaseError, LeaseToken, List,
    MAX_PAGE, NewJob, Page, PageRequest, Progress, StoreError, StoreErrorKind,
};

use super::lists::{Listing, Narrowed};

/// The most bytes of an error message that are kept.
const MOST_ERROR_BYTES: usize = 2_000;

/// The columns that [`read`] reads.
const COLUMNS: &str = "t.organisation, t.id, t.site, t.task, t.requested_by, t.state, t.worker, \
     t.leased_until, t.attempts, t.max_attempts, t.run_at, t.progress_done, t.progress_total, \
     t.last_error, t.created_at, t.finished_at";

fn read(row: &mut Row) -> Result<Job, Unreadable> {
    let organisation = row.id()?;
    let id = row.id()?;
    let site = row.id()?;
    let task = row.body()?;
    let requested_by = row.body()?;
    let state = row.text()?;
    let worker = row.optional_text()?;
    let until = optional_timestamp(row)?;
    let state = match (state.as_str(), worker, until) {
        ("queued", _, _) => JobState::Queued,
        ("running", Some(worker), Some(until)) => JobState::Running { worker, until },
        ("succeeded", _, _) => JobState::Succeeded,
        ("refused", _, _) => JobState::Refused,
        ("dead", _, _) => JobState::Dead,
        (_, _, _) => return Err(Unreadable::Range),
    };
    Ok(Job {
        id,
        organisation,
        site,
        task,
        requested_by,
        state,
        attempts: row.int()?,
        max_attempts: row.int()?,
        run_at: timestamp(row)?,
        progress: Progress {
            done: row.int()?,
            total: row.int()?,
        },
        last_error: row.optional_text()?,
        created_at: timestamp(row)?,
        finished_at: optional_timestamp(row)?,
    })
}

fn optional_timestamp(row: &mut Row) -> Result<Option<Timestamp>, Unreadable> {
    let micros = row.optional_int()?;
    let at = micros.map(Timestamp::from_micros).transpose();
    at.map_err(|_| Unreadable::Range)
}

/// Jobs are born in a commit; one that is there already surprises it.
pub(crate) async fn born<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    jobs: &[NewJob],
    at: Timestamp,
) -> Result<(), Refused> {
    let added = add(t, organisation, jobs, at).await?;
    if added == u64::try_from(jobs.len()).unwrap_or(u64::MAX) {
        Ok(())
    } else {
        Err(Refused::Surprised)
    }
}

/// Adds jobs that are not there yet, and tells how many.
async fn add<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    jobs: &[NewJob],
    at: Timestamp,
) -> Result<u64, StoreError> {
    let mut rows = Vec::with_capacity(jobs.len());
    for job in jobs {
        let NewJob {
            id,
            site,
            task,
            requested_by,
            run_at,
            max_attempts,
        } = job;
        let unwritable = |cause| StoreError::new(StoreErrorKind::Corrupt, "commit").because(cause);
        rows.push(vec![
            Cell::Uuid(id.as_uuid()),
            site.as_uuid().into(),
            Cell::body(task).map_err(unwritable)?,
            Cell::body(requested_by).map_err(unwritable)?,
            run_at.micros().into(),
            run_at.micros().into(),
            (*max_attempts).into(),
            at.micros().into(),
            task.kind().as_str().into(),
        ]);
    }
    let mut added: u64 = 0;
    for block in blocks(T::DIALECT, rows) {
        let mut query = t.query(
            "INSERT INTO stk_job (organisation, state, attempts, leases, progress_done, progress_total, \
             id, site, task, requested_by, run_at, due_at, max_attempts, created_at, kind) SELECT ",
        );
        query.bind(organisation.as_uuid());
        query.push(", 'queued', 0, 0, 0, 0, w.* FROM ");
        let kinds = [
            Kind::Uuid,
            Kind::Uuid,
            Kind::Bytes,
            Kind::Bytes,
            Kind::Int,
            Kind::Int,
            Kind::Int,
            Kind::Int,
            Kind::Text,
        ];
        query.table(&kinds, block);
        query.push(" WHERE true ON CONFLICT DO NOTHING");
        added = added.saturating_add(t.run(&query).await?);
    }
    Ok(added)
}

/// A statement about one job.
fn about<T: Snapshot>(
    t: &T,
    organisation: OrganisationId,
    job: JobId,
    set: &[(&str, Cell)],
) -> Query {
    let mut query = t.query("UPDATE stk_job SET ");
    for (nth, (column, value)) in set.iter().enumerate() {
        let comma = if nth > 0 { ", " } else { "" };
        query.push(&format!("{comma}{column} = "));
        query.bind(value.clone());
    }
    query
        .push(" WHERE organisation = ")
        .bind(organisation.as_uuid());
    query.push(" AND id = ").bind(job.as_uuid());
    query
}

/// Notes how far jobs are. What is told late changes nothing (Q9).
pub(crate) async fn progressed<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    steps: &[JobProgress],
) -> Result<(), StoreError> {
    for JobProgress { job, progress } in steps {
        let set = [
            ("progress_done", progress.done.into()),
            ("progress_total", progress.total.into()),
        ];
        let mut query = about(t, organisation, *job, &set);
        query.push(" AND progress_done <= ").bind(progress.done);
        t.expect(query, None).await?;
    }
    Ok(())
}

/// Ends jobs, unless they have ended.
pub(crate) async fn ended<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    acks: &[JobAck],
    at: Timestamp,
) -> Result<(), StoreError> {
    for ack in acks {
        let (job, state) = match ack {
            JobAck::Leased(token) => (token.job, "succeeded"),
            JobAck::Settled(job) => (*job, "succeeded"),
            JobAck::Refused(job) => (*job, "refused"),
        };
        let mut query = about(t, organisation, job, &end(state, at));
        query.push(" AND state IN ('queued', 'running')");
        t.expect(query, None).await?;
    }
    Ok(())
}

/// What the end of a job sets.
fn end(state: &str, at: Timestamp) -> [(&'static str, Cell); 3] {
    [
        ("state", state.into()),
        ("due_at", Cell::Null),
        ("finished_at", at.micros().into()),
    ]
}

/// Leases the job of some kinds that is due longest. Those on the way whose attempts are spent end dead.
pub(crate) async fn lease<T: Transaction>(
    t: &mut T,
    worker: &str,
    kinds: &[JobKind],
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Lease>, StoreError> {
    if kinds.is_empty() {
        return Ok(None);
    }
    let any = JobKind::ALL.iter().all(|kind| kinds.contains(kind));
    loop {
        let mut query = t.query("SELECT ");
        query
            .push(COLUMNS)
            .push(", t.leases FROM stk_job AS t WHERE t.due_at <= ");
        query.bind(now.micros());
        if !any {
            let kinds = kinds.iter().map(|kind| kind.as_str().into());
            query
                .push(" AND t.kind")
                .is_any_of(Kind::Text, kinds.collect());
        }
        query
            .push(" ORDER BY t.due_at, t.id, t.organisation LIMIT 1")
            .push(T::SKIP_LOCKED);
        let due = first(t, &query, |row| {
            let job = read(row)?;
            let leases: u32 = row.int()?;
            Ok((job, leases))
        });
        let Some((mut job, leases)) = due.await? else {
            return Ok(None);
        };
        if job.attempts >= job.max_attempts || leases == u32::MAX {
            let query = about(t, job.organisation, job.id, &end("dead", now));
            t.run(&query).await?;
            continue;
        }
        let attempt = leases.saturating_add(1);
        job.attempts = job.attempts.saturating_add(1);
        job.state = JobState::Running {
            worker: worker.to_owned(),
            until,
        };
        let set = [
            ("state", "running".into()),
            ("worker", worker.into()),
            ("leased_until", until.micros().into()),
            ("due_at", until.micros().into()),
            ("attempts", job.attempts.into()),
            ("leases", attempt.into()),
        ];
        let query = about(t, job.organisation, job.id, &set);
        t.run(&query).await?;
        return Ok(Some(Lease {
            token: LeaseToken {
                organisation: job.organisation,
                job: job.id,
                attempt,
            },
            job,
        }));
    }
}

/// That a token is that of the live lease.
async fn held<T: Transaction>(t: &mut T, token: LeaseToken) -> Result<(), LeaseError> {
    if live_lease(t, token).await? == Some(token.attempt) {
        Ok(())
    } else {
        Err(LeaseError::Lost)
    }
}

/// Keeps a lease longer, never shorter.
pub(crate) async fn extend<T: Transaction>(
    t: &mut T,
    token: LeaseToken,
    until: Timestamp,
) -> Result<(), LeaseError> {
    held(t, token).await?;
    let set = [
        ("leased_until", until.micros().into()),
        ("due_at", until.micros().into()),
    ];
    let mut query = about(t, token.organisation, token.job, &set);
    query.push(" AND leased_until < ").bind(until.micros());
    t.run(&query).await?;
    Ok(())
}

/// Ends a job well.
pub(crate) async fn ack<T: Transaction>(
    t: &mut T,
    token: LeaseToken,
    now: Timestamp,
) -> Result<(), LeaseError> {
    held(t, token).await?;
    let query = about(t, token.organisation, token.job, &end("succeeded", now));
    t.run(&query).await?;
    Ok(())
}

/// Gives a job back.
pub(crate) async fn fail<T: Transaction>(
    t: &mut T,
    token: LeaseToken,
    error: &str,
    now: Timestamp,
    retry_at: Option<Timestamp>,
) -> Result<(), LeaseError> {
    held(t, token).await?;
    let mut query = t.query(
        "SELECT t.attempts, t.max_attempts, t.leases FROM stk_job AS t WHERE t.organisation = ",
    );
    query.bind(token.organisation.as_uuid());
    query.push(" AND t.id = ").bind(token.job.as_uuid());
    let spent = first(t, &query, |row| {
        let (attempts, most): (u32, u32) = (row.int()?, row.int()?);
        let leases: u32 = row.int()?;
        Ok(attempts >= most || leases == u32::MAX)
    });
    let is_spent = spent.await?.unwrap_or(true);
    let kept = error.get(..error.floor_char_boundary(MOST_ERROR_BYTES));
    let mut set: Vec<(&str, Cell)> = vec![("last_error", kept.map(str::to_owned).into())];
    match retry_at {
        Some(retry_at) if !is_spent => set.extend([
            ("state", "queued".into()),
            ("run_at", retry_at.micros().into()),
            ("due_at", retry_at.micros().into()),
        ]),
        Some(_) | None => set.extend(end("dead", now)),
    }
    let query = about(t, token.organisation, token.job, &set);
    t.run(&query).await?;
    Ok(())
}

/// Hands a job back whose attempt does not count.
pub(crate) async fn release<T: Transaction>(
    t: &mut T,
    token: LeaseToken,
    now: Timestamp,
) -> Result<(), LeaseError> {
    held(t, token).await?;
    let mut query =
        t.query("UPDATE stk_job SET attempts = attempts - 1, state = 'queued', run_at = ");
    query
        .bind(now.micros())
        .push(", due_at = ")
        .bind(now.micros());
    query
        .push(" WHERE organisation = ")
        .bind(token.organisation.as_uuid());
    query.push(" AND id = ").bind(token.job.as_uuid());
    t.run(&query).await?;
    Ok(())
}

/// Forgets jobs that ended before a moment, at most so many.
pub(crate) async fn purge<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    which: EndedJobs,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let states = match which {
        EndedJobs::Over => "('succeeded', 'refused')",
        EndedJobs::Dead => "('dead')",
    };
    // Said twice: one that is queued again meanwhile is no longer meant.
    let mut query = t.query("DELETE FROM stk_job WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(&format!(
        " AND state IN {states} AND id IN (SELECT o.id FROM stk_job AS o WHERE o.organisation = "
    ));
    query.bind(organisation.as_uuid());
    query.push(" AND o.finished_at < ").bind(before.micros());
    query.push(&format!(
        " AND o.state IN {states} ORDER BY o.finished_at LIMIT "
    ));
    query.bind(i64::from(limit.clamp(1, MAX_PAGE))).push(")");
    t.run(&query).await
}

/// Queues a dead job again; tells whether it was dead.
pub(crate) async fn requeue<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    job: JobId,
    run_at: Timestamp,
) -> Result<bool, StoreError> {
    let set = [
        ("state", "queued".into()),
        ("attempts", Cell::Int(0)),
        ("run_at", run_at.micros().into()),
        ("due_at", run_at.micros().into()),
        ("finished_at", Cell::Null),
    ];
    let mut query = about(t, organisation, job, &set);
    query.push(" AND state = 'dead'");
    Ok(t.run(&query).await? > 0)
}

/// Takes a job over; one that is there is left alone.
pub(crate) async fn enqueue<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    job: &NewJob,
    now: Timestamp,
) -> Result<(), StoreError> {
    add(t, organisation, std::slice::from_ref(job), now).await?;
    Ok(())
}

/// Reads a job.
pub(crate) async fn job<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    id: JobId,
) -> Result<Option<Job>, StoreError> {
    let mut query = s.query("SELECT ");
    query
        .push(COLUMNS)
        .push(" FROM stk_job AS t WHERE t.organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND t.id = ").bind(id.as_uuid());
    first(s, &query, read).await
}

/// How many jobs of a kind wait or run.
pub(crate) async fn unfinished<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    kind: JobKind,
) -> Result<u64, StoreError> {
    let mut query = s.query("SELECT COUNT(*) FROM stk_job AS t WHERE t.organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND t.kind = ").bind(kind.as_str());
    query.push(" AND t.due_at IS NOT NULL");
    Ok(first(s, &query, Row::int).await?.unwrap_or(0))
}

/// A page of the jobs that have not ended, the oldest first.
pub(crate) async fn open_jobs<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    request: &PageRequest,
) -> Result<Page<Job>, StoreError> {
    const OPEN: JobList = JobList {
        operation: "open_jobs",
        condition: "t.due_at IS NOT NULL",
        order: &["t.created_at", "t.id"],
        at: |job| job.created_at,
    };
    OPEN.page(s, organisation, request).await
}

/// A page of dead jobs, the oldest first.
pub(crate) async fn dead_jobs<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    request: &PageRequest,
) -> Result<Page<Job>, StoreError> {
    const DEAD: JobList = JobList {
        operation: "dead_jobs",
        condition: "t.state = 'dead'",
        order: &["t.created_at", "t.id"],
        at: |job| job.created_at,
    };
    DEAD.page(s, organisation, request).await
}

/// A page of the jobs that succeeded or were refused, in the order in which they ended.
pub(crate) async fn over_jobs<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    request: &PageRequest,
) -> Result<Page<Job>, StoreError> {
    const OVER: JobList = JobList {
        operation: "over_jobs",
        condition: "t.finished_at IS NOT NULL AND t.state IN ('succeeded', 'refused')",
        order: &["t.finished_at", "t.id"],
        at: |job| job.finished_at.unwrap_or(job.created_at),
    };
    OVER.page(s, organisation, request).await
}

/// A list of jobs.
struct JobList {
    operation: &'static str,
    condition: &'static str,
    /// A moment of theirs, and their ids.
    order: &'static [&'static str],
    at: fn(&Job) -> Timestamp,
}

impl JobList {
    async fn page<S: Snapshot>(
        &self,
        s: &mut S,
        organisation: OrganisationId,
        request: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let list = List::new(self.operation, organisation, &());
        let at = self.at;
        let listing = Listing {
            columns: COLUMNS,
            from: "stk_job AS t",
            known_to: None,
            beside: None,
            order: self.order,
            place: |(at, id): &(Timestamp, JobId)| vec![at.micros().into(), id.as_uuid().into()],
            read: &move |row: &mut Row| {
                let job = read(row)?;
                Ok(((at(&job), job.id), job))
            },
        };
        let narrowed = Narrowed::of("t", organisation).and(self.condition);
        let after = list.after(request, |_| true)?;
        listing
            .page(s, list, (&narrowed, None), request, after)
            .await
    }
}
