//! What a fault does to a call.

use std::future::{pending, poll_fn};
use std::task::Poll;

use super::{Fault, FaultStore};
use crate::store::{
    ChangeSet, CommitError, CommitOutcome, Conflict, RecordKey, Repository, StoreError,
    StoreErrorKind, Version, Write,
};

impl<S> FaultStore<S> {
    /// Does a call of any method but `commit`, or fails it.
    pub(super) async fn under<T, E: From<StoreError>>(
        &self,
        fault: Option<Fault>,
        method: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let failed = |kind| Err(StoreError::new(kind, method).into());
        match fault {
            None | Some(Fault::Conflict | Fault::Taken | Fault::Stale) => call.await,
            Some(Fault::Before | Fault::Unknown | Fault::Late) => {
                failed(StoreErrorKind::Unavailable)
            }
            Some(Fault::Busy) => failed(StoreErrorKind::Busy),
            Some(Fault::After) => {
                drop(call.await);
                failed(StoreErrorKind::Unavailable)
            }
            Some(Fault::HangBefore) => self.hang().await,
            Some(Fault::HangAfter) => {
                drop(call.await);
                self.hang().await
            }
            Some(Fault::Yield) => {
                give_way().await;
                call.await
            }
        }
    }

    /// Never ends.
    async fn hang<T>(&self) -> T {
        self.plan(|plan| plan.hanging = true);
        pending().await
    }
}

impl<S: Repository> FaultStore<S> {
    /// Commits, or fails it.
    pub(super) async fn commit_under(
        &self,
        fault: Option<Fault>,
        changes: &ChangeSet,
    ) -> Result<CommitOutcome, CommitError> {
        let unknown = || {
            let error = StoreError::new(StoreErrorKind::Unavailable, "commit");
            Err(CommitError::OutcomeUnknown(error))
        };
        let commit = self.inner().commit(changes);
        match fault {
            Some(Fault::Conflict) => {
                Err(CommitError::Conflict(conflict_of(changes, self.commits())))
            }
            Some(Fault::Taken) => Err(CommitError::Conflict(taken_in(changes))),
            Some(Fault::After) => {
                drop(commit.await);
                unknown()
            }
            Some(Fault::Unknown) => unknown(),
            Some(Fault::Late) => {
                self.delay(changes.clone());
                unknown()
            }
            None
            | Some(
                Fault::Before
                | Fault::Busy
                | Fault::HangBefore
                | Fault::HangAfter
                | Fault::Yield
                | Fault::Stale,
            ) => self.under(fault, "commit", commit).await,
        }
    }

    /// Lets what is under way land: whoever commits or settles now comes after it.
    pub(super) async fn land_late(&self) {
        for changes in self.take_late() {
            // Refused or not: nobody waits for the answer any more.
            drop(self.inner().commit(&changes).await);
        }
    }
}

/// Lets other tasks run, on any executor.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A name of a record that a change set writes is taken.
fn taken_in(changes: &ChangeSet) -> Vec<Conflict> {
    let key = changes.parts().writes.keys().next().cloned();
    key.map(Conflict::Taken).into_iter().collect()
}

/// A conflict that a change set could have met: somebody else has written a record as often as there were commits.
fn conflict_of(changes: &ChangeSet, commits: u64) -> Vec<Conflict> {
    let writes = changes.parts().writes;
    let stale = |(key, write): (&RecordKey, &Write)| match write {
        Write::Update { expected, .. } | Write::Delete { expected } => Some(Conflict::Stale {
            key: key.clone(),
            actual: Version::new(expected.get().saturating_add(commits)),
        }),
        Write::Insert(_) => None,
    };
    let exists = || writes.keys().next().cloned().map(Conflict::Exists);
    writes
        .iter()
        .find_map(stale)
        .or_else(exists)
        .into_iter()
        .collect()
}
