//! F: what every place for files keeps.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::case::Failure;
use super::checks::{Verdict, Wrong};
use crate::domain::{JobId, OrganisationId};
use crate::store::{FilePart, FileStore};

/// How many writers meet.
const WRITERS: u128 = 8;
/// More than goes into one buffer of anything.
const LARGE: usize = 3_000_000;

/// Checks that a place for files ([`FileStore`]) keeps its clauses. It may hold other files: every case works under
/// organisations of its own, and leaves what it has put there.
///
/// # Errors
///
/// [`Failure`]: the first case that does not pass, and what was wrong.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use stocktake::conformance::check_file_store;
/// use stocktake::files::FolderFiles;
///
/// # tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?.block_on(async {
/// let folder = tempfile::tempdir()?;
/// check_file_store(Arc::new(FolderFiles::open(folder.path())?)).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn check_file_store(files: Arc<dyn FileStore>) -> Result<(), Failure> {
    let told = |case, clause| {
        move |wrong: Wrong| Failure {
            case,
            clause,
            message: wrong.0,
        }
    };
    a_part_reads_as_it_was_put(&*files)
        .await
        .map_err(told("a_part_reads_as_it_was_put", "F1"))?;
    nothing_mixes(&*files)
        .await
        .map_err(told("nothing_mixes", "F2"))?;
    deleting_is_of_one_job(&*files)
        .await
        .map_err(told("deleting_is_of_one_job", "F3"))?;
    jobs_are_listed(&*files)
        .await
        .map_err(told("jobs_are_listed", "F4"))?;
    a_part_is_whole_or_not_there(files)
        .await
        .map_err(told("a_part_is_whole_or_not_there", "F5"))
}

async fn a_part_reads_as_it_was_put(files: &dyn FileStore) -> Verdict {
    let (organisation, job) = ids();
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(LARGE).collect();
    for bytes in [&b""[..], b"a", b"\0\r\n\xff", &every_byte, &large] {
        let part = part(organisation, job, Uuid::new_v4());
        told(files.get(part).await?.is_none(), "a part is there unput")?;
        // Who does not know whether it was kept puts it again.
        for _ in 0..2 {
            files.put(part, bytes.into()).await?;
            let read = files.get(part).await?;
            told(read.as_deref() == Some(bytes), "a part reads otherwise")?;
        }
    }
    Ok(())
}

async fn nothing_mixes(files: &dyn FileStore) -> Verdict {
    let ((ours, job), (theirs, other)) = (ids(), ids());
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    let mut parts = Vec::new();
    for organisation in [ours, theirs] {
        for job in [job, other] {
            parts.extend([one, two].map(|id| part(organisation, job, id)));
        }
    }
    let bytes = |part: FilePart| format!("{part:?}").into_bytes();
    for part in &parts {
        files.put(*part, bytes(*part).into()).await?;
    }
    for part in parts {
        let read = files.get(part).await?;
        let is_its_own = read.as_deref() == Some(&*bytes(part));
        told(is_its_own, "a part reads as another one")?;
    }
    Ok(())
}

async fn deleting_is_of_one_job(files: &dyn FileStore) -> Verdict {
    let ((ours, job), (theirs, other)) = (ids(), ids());
    let kept = [(ours, other), (theirs, job)];
    let put = async |organisation, job| {
        let mut parts = Vec::new();
        for _ in 0..3 {
            let part = part(organisation, job, Uuid::new_v4());
            files.put(part, b"bytes".as_slice().into()).await?;
            parts.push(part);
        }
        Ok::<_, Wrong>(parts)
    };
    let gone = put(ours, job).await?;
    let mut left = Vec::new();
    for (organisation, job) in kept {
        left.extend(put(organisation, job).await?);
    }
    // Again, when nobody knows whether it was done.
    for _ in 0..2 {
        files.delete(ours, job).await?;
        for part in &gone {
            told(files.get(*part).await?.is_none(), "a part is left")?;
        }
        for part in &left {
            let is_there = files.get(*part).await?.is_some();
            told(is_there, "a part of another job is gone")?;
        }
    }
    // A job that is queued again has a file again.
    for part in put(ours, job).await? {
        let is_there = files.get(part).await?.is_some();
        told(is_there, "a part that was put after deleting is not there")?;
    }
    Ok(())
}

async fn jobs_are_listed(files: &dyn FileStore) -> Verdict {
    let ((ours, _), (theirs, _)) = (ids(), ids());
    let listed = async |organisation| {
        let jobs = files.jobs(organisation).await?;
        let set: BTreeSet<JobId> = jobs.iter().copied().collect();
        told(set.len() == jobs.len(), "a job is listed twice")?;
        Ok::<_, Wrong>(set)
    };
    told(listed(ours).await?.is_empty(), "a job is listed of nothing")?;
    let mut jobs = BTreeSet::new();
    for _ in 0..5 {
        let (_, job) = ids();
        for _ in 0..2 {
            let part = part(ours, job, Uuid::new_v4());
            files.put(part, b"bytes".as_slice().into()).await?;
        }
        jobs.insert(job);
    }
    told(listed(ours).await? == jobs, "other jobs are listed")?;
    told(listed(theirs).await?.is_empty(), "another's job is listed")?;
    let first = jobs.pop_first().ok_or("no job")?;
    files.delete(ours, first).await?;
    told(listed(ours).await? == jobs, "a deleted job is listed")
}

async fn a_part_is_whole_or_not_there(files: Arc<dyn FileStore>) -> Verdict {
    let (organisation, job) = ids();
    let part = part(organisation, job, Uuid::new_v4());
    let bytes: Arc<[u8]> = (0..=u8::MAX).cycle().take(LARGE).collect();
    let mut tasks = Vec::new();
    for _ in 0..WRITERS {
        let (files, bytes) = (files.clone(), bytes.clone());
        tasks.push(tokio::spawn(async move { files.put(part, bytes).await }));
    }
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        if let Some(read) = files.get(part).await? {
            told(read == bytes, "a part was read that is not whole")?;
        }
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await??;
    }
    let read = files.get(part).await?;
    told(read.as_ref() == Some(&bytes), "a part is not whole")
}

/// An organisation and a job that nobody has.
fn ids() -> (OrganisationId, JobId) {
    (
        OrganisationId::new(Uuid::new_v4()),
        JobId::new(Uuid::new_v4()),
    )
}

const fn part(organisation: OrganisationId, job: JobId, part: Uuid) -> FilePart {
    FilePart {
        organisation,
        job,
        part,
    }
}

fn told(holds: bool, message: &str) -> Verdict {
    if holds { Ok(()) } else { Err(message.into()) }
}
