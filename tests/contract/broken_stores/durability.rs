//! Stores that lose what they acknowledged when their process dies.

use super::broken::Sound;
use super::prelude::*;

/// What is on disk: it is told what is to be kept.
#[derive(Debug, Default)]
struct Disk(MemoryStore);

impl Disk {
    fn image(&self) -> Arc<dyn Defect> {
        Arc::new(Sound(self.0.fork()))
    }

    /// Keeps what was committed, changed in some way.
    async fn keep(
        &self,
        outcome: Committed,
        changes: &ChangeSet,
        change: fn(&mut Draft),
    ) -> Committed {
        if matches!(outcome, Ok(CommitOutcome::Applied)) {
            let mut draft = Draft::of(changes);
            change(&mut draft);
            drop(forced(&self.0, draft, every).await);
        }
        outcome
    }
}

/// A store whose disk is told of every call, but for what is changed in commits.
macro_rules! kept {
    ($(#[$doc:meta])* $name:ident: $change:expr, $leases:literal, $voids:literal) => {
        defects! {
            $(#[$doc])*
            $name { disk: Disk } => {
                fn crash_image(&self) -> Option<Arc<dyn Defect>> {
                    Some(self.disk.image())
                }

                async fn commit(&self, changes: &ChangeSet) -> Committed {
                    let outcome = self.store.commit(changes).await;
                    self.disk.keep(outcome, changes, $change).await
                }

                async fn settle(&self, organisation: OrganisationId, id: &CommandId, at: Timestamp) -> Read<Option<Outcome>> {
                    if $voids {
                        drop(self.disk.0.settle(organisation, id, at).await);
                    }
                    self.store.settle(organisation, id, at).await
                }

                async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
                    if $leases {
                        drop(self.disk.0.lease(worker, kinds, now, until).await);
                    }
                    self.store.lease(worker, kinds, now, until).await
                }

                async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
                    if $leases {
                        drop(self.disk.0.fail(token, error, now, retry_at).await);
                    }
                    self.store.fail(token, error, now, retry_at).await
                }
            }
        }
    };
}

kept! {
    /// M214: leases are kept in memory only.
    WithoutLeases: |_| {}, false, true
}

kept! {
    /// M215: what was deleted is there again.
    WithoutDeletions: |draft| draft.writes.retain(|_, write| write.record().is_some()), true, true
}

kept! {
    /// M216: what was settled as never is forgotten.
    WithoutVoids: |_| {}, true, false
}

kept! {
    /// M217: the queue is kept in memory only.
    WithoutJobs: |draft| draft.jobs.clear(), true, true
}

defects! {
    /// M213: writes when it is closed, and not before.
    NeverWrites { disk: Disk } => {
        fn crash_image(&self) -> Option<Arc<dyn Defect>> {
            Some(self.disk.image())
        }
    }
}
