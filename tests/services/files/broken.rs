//! The cases find what is wrong: each broken place for files fails one of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stocktake::conformance::check_file_store;
use stocktake::domain::{JobId, OrganisationId};
use stocktake::store::{FilePart, FileStore, StoreError};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    AppendsWhatIsPutAgain,
    TakesEmptyForMissing,
    ForgetsTheOrganisation,
    ForgetsTheJob,
    DeletesOneOnly,
    DeletesTheOrganisation,
    FailsToDeleteNothing,
    ListsEveryones,
    ListsJobsTwice,
    ListsWhatIsGone,
    WritesInTwoSteps,
}

#[derive(Debug)]
struct InMemory {
    bug: Bug,
    parts: Mutex<BTreeMap<FilePart, Vec<u8>>>,
    jobs: Mutex<Vec<FilePart>>,
    is_read: AtomicBool,
}

impl InMemory {
    fn key(&self, mut part: FilePart) -> FilePart {
        let nobody = uuid::Uuid::nil();
        match self.bug {
            Bug::ForgetsTheOrganisation => part.organisation = OrganisationId::new(nobody),
            Bug::ForgetsTheJob => part.job = JobId::new(nobody),
            _ => {}
        }
        part
    }
}

#[async_trait]
impl FileStore for InMemory {
    async fn put(&self, part: FilePart, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        self.jobs.lock().unwrap().push(part);
        let part = self.key(part);
        if self.bug == Bug::WritesInTwoSteps {
            let half = bytes[..bytes.len() / 2].to_vec();
            self.parts.lock().unwrap().insert(part, half);
            // Until somebody has read the half.
            self.is_read.store(false, Ordering::SeqCst);
            for _ in 0..100_000 {
                if self.is_read.load(Ordering::SeqCst) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let mut parts = self.parts.lock().unwrap();
        if self.bug == Bug::AppendsWhatIsPutAgain {
            parts.entry(part).or_default().extend_from_slice(&bytes);
        } else {
            parts.insert(part, bytes.to_vec());
        }
        Ok(())
    }

    async fn get(&self, part: FilePart) -> Result<Option<Arc<[u8]>>, StoreError> {
        let parts = self.parts.lock().unwrap();
        let found = parts
            .get(&self.key(part))
            .filter(|bytes| self.bug != Bug::TakesEmptyForMissing || !bytes.is_empty());
        self.is_read.store(found.is_some(), Ordering::SeqCst);
        Ok(found.map(|bytes| bytes.as_slice().into()))
    }

    async fn delete(&self, organisation: OrganisationId, job: JobId) -> Result<(), StoreError> {
        let mut parts = self.parts.lock().unwrap();
        let before = parts.len();
        let mut is_first = true;
        parts.retain(|part, _| {
            let goes = part.organisation == organisation
                && (part.job == job || self.bug == Bug::DeletesTheOrganisation)
                && (is_first || self.bug != Bug::DeletesOneOnly);
            is_first &= !goes;
            !goes
        });
        if self.bug == Bug::FailsToDeleteNothing && parts.len() == before {
            let kind = stocktake::store::StoreErrorKind::Unavailable;
            return Err(StoreError::new(kind, "delete_file"));
        }
        if self.bug != Bug::ListsWhatIsGone {
            let mut jobs = self.jobs.lock().unwrap();
            jobs.retain(|it| (it.organisation, it.job) != (organisation, job));
        }
        Ok(())
    }

    async fn jobs(&self, organisation: OrganisationId) -> Result<Vec<JobId>, StoreError> {
        let jobs = self.jobs.lock().unwrap();
        let everyones = self.bug == Bug::ListsEveryones;
        let mut found: Vec<JobId> = jobs
            .iter()
            .filter(|part| everyones || part.organisation == organisation)
            .map(|part| part.job)
            .collect();
        if self.bug != Bug::ListsJobsTwice {
            found.sort_unstable();
            found.dedup();
        }
        Ok(found)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_place_for_files_fails_a_case() {
    for (bug, clause) in [
        (Bug::None, None),
        (Bug::AppendsWhatIsPutAgain, Some("F1")),
        (Bug::TakesEmptyForMissing, Some("F1")),
        (Bug::ForgetsTheOrganisation, Some("F2")),
        (Bug::ForgetsTheJob, Some("F2")),
        (Bug::DeletesOneOnly, Some("F3")),
        (Bug::DeletesTheOrganisation, Some("F3")),
        (Bug::FailsToDeleteNothing, Some("F3")),
        (Bug::ListsEveryones, Some("F4")),
        (Bug::ListsJobsTwice, Some("F4")),
        (Bug::ListsWhatIsGone, Some("F4")),
        (Bug::WritesInTwoSteps, Some("F5")),
    ] {
        let files = InMemory {
            bug,
            parts: Mutex::default(),
            jobs: Mutex::default(),
            is_read: AtomicBool::new(false),
        };
        let found = check_file_store(Arc::new(files)).await.err();
        assert_eq!(
            found.as_ref().map(|it| it.clause),
            clause,
            "{bug:?}: {found:?}"
        );
    }
}
