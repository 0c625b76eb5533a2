//! Stores that forget commands, or know them wrongly.

use super::prelude::*;

defects! {
    /// M24: a command is remembered after its commit.
    IdemSeparate { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let draft = Draft::of(changes);
            match refusals(&self.store, &draft).await {
                Err(known) => return known,
                Ok(conflicts) if !conflicts.is_empty() => {
                    return Err(CommitError::Conflict(conflicts));
                }
                Ok(_) => drop(self.meeting.wait().await),
            }
            self.store.commit(&part(&draft).build()).await?;
            self.store.commit(&Draft::bare(changes).build()).await?;
            Ok(CommitOutcome::Applied)
        }
    }

    /// M25: the digest of a command is not compared.
    IdemNoHash {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            match self.store.commit(changes).await {
                Err(CommitError::CommandReused) => {
                    let id = &changes.command().id;
                    let known = self.store.command(changes.organisation(), id).await?;
                    let outcome = known.map_or(Outcome::Done, |known| known.outcome);
                    Ok(CommitOutcome::AlreadyApplied(outcome))
                }
                outcome => outcome,
            }
        }
    }

    /// M26: a commit that is refused is remembered.
    IdemOnFailure {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await;
            if matches!(outcome, Err(CommitError::Conflict(_))) {
                self.store.commit(&Draft::bare(changes).build()).await?;
            }
            outcome
        }
    }

    /// M94: a command is looked at after everything else.
    ConflictFirst {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await;
            if matches!(outcome, Ok(CommitOutcome::AlreadyApplied(_)) | Err(CommitError::CommandReused)) {
                let conflicts = refusals(&self.store, &part(&Draft::of(changes))).await;
                if let Ok(conflicts) = conflicts
                    && !conflicts.is_empty()
                {
                    return Err(CommitError::Conflict(conflicts));
                }
            }
            outcome
        }
    }

    /// M95: what a command resulted in is told from the last one that was sent.
    LastOutcome {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            Ok(match self.store.commit(changes).await? {
                CommitOutcome::AlreadyApplied(_) => {
                    CommitOutcome::AlreadyApplied(changes.command().outcome.clone())
                }
                CommitOutcome::Applied => CommitOutcome::Applied,
            })
        }
    }

    /// M57: a replay gives the result of before, and applies it all again.
    ReplayReapplies {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await;
            if matches!(outcome, Ok(CommitOutcome::AlreadyApplied(_))) {
                let again = part(&Draft::of(changes));
                drop(forced(&self.store, again, every).await);
            }
            outcome
        }
    }

    /// M41: the answer to a commit is lost, now and then, and that is told as a commit that failed.
    UnknownAsFailed { commits: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await?;
            let applied = outcome == CommitOutcome::Applied;
            if applied && self.commits.fetch_add(1, Ordering::SeqCst) % 4 == 3 {
                return Err(StoreError::new(StoreErrorKind::Unavailable, "commit").into());
            }
            Ok(outcome)
        }
    }

    /// M44: purging forgets everything.
    EagerPurge {} => {
        async fn purge(&self, organisation: OrganisationId, what: Purge, before: Timestamp, limit: u32) -> Read<u64> {
            let later = before.later_by(i64::from(i32::MAX) * 1_000_000);
            self.store.purge(organisation, what, later, limit).await
        }
    }

    /// M96: purging forgets what was handled at the very moment.
    PurgeOffByOne {} => {
        async fn purge(&self, organisation: OrganisationId, what: Purge, before: Timestamp, limit: u32) -> Read<u64> {
            self.store.purge(organisation, what, before.later_by(1), limit).await
        }
    }

    /// M97: purging forgets nothing.
    NoPurge {} => {
        async fn purge(&self, _: OrganisationId, _: Purge, _: Timestamp, _: u32) -> Read<u64> {
            Ok(0)
        }
    }

    /// M63: settling is reading: a commit that comes later is applied after "never".
    OptimisticResolve {} => {
        async fn settle(&self, organisation: OrganisationId, id: &CommandId, _: Timestamp) -> Read<Option<Outcome>> {
            let known = self.store.command(organisation, id).await?;
            Ok(known.map(|known| known.outcome))
        }
    }

    /// M98: settling does not stop a commit that was under way already.
    LateBoat { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let under_way = refusals(&self.store, &Draft::of(changes)).await.is_ok();
            self.meeting.wait().await;
            match self.store.commit(changes).await {
                Err(CommitError::Voided) if under_way => {
                    self.store.commit(&part(&Draft::of(changes)).build()).await
                }
                outcome => outcome,
            }
        }

        async fn settle(&self, organisation: OrganisationId, id: &CommandId, at: Timestamp) -> Read<Option<Outcome>> {
            self.meeting.wait().await;
            self.store.settle(organisation, id, at).await
        }
    }

    /// M99: settling says "never" of what was applied.
    NeverSettled {} => {
        async fn settle(&self, organisation: OrganisationId, id: &CommandId, at: Timestamp) -> Read<Option<Outcome>> {
            self.store.settle(organisation, id, at).await.map(|_| None)
        }
    }

    /// M180: a purge forgets all at once.
    PurgeUnbounded {} => {
        async fn purge(&self, organisation: OrganisationId, what: Purge, before: Timestamp, _: u32) -> Read<u64> {
            self.store.purge(organisation, what, before, MAX_PAGE).await
        }
    }

    /// M181: exports are never purged.
    ExportsStay {} => {
        async fn purge(&self, organisation: OrganisationId, what: Purge, before: Timestamp, limit: u32) -> Read<u64> {
            if what == Purge::Exports {
                return Ok(0);
            }
            self.store.purge(organisation, what, before, limit).await
        }
    }
}
