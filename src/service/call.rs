//! One run of a command: its stamp, its key, and its commits.

use std::future::poll_fn;
use std::task::Poll;

use crate::domain::{JobId, OrganisationId, Stamp};
use crate::store::{
    ChangeSet, Command, CommandId, CommitError, CommitOutcome, Conflict, Digest, DigestBuilder,
    JobState, Outcome, RecordKey, Repository, StoreError, StoreErrorKind,
};

use super::access::{Operation, allows};
use super::{Caller, Error, Stocktake};

/// How often a command decides anew after somebody else was faster. Counters on different lines never
/// conflict; this is for hot keys, where one of the writers always wins.
const MAX_CONFLICTS: u32 = 200;
/// How often a command or a job may meet the very same conflict in a row. What it read anew each time is not what its commits find
/// then, and never will be: something is damaged.
const SAME_CONFLICTS: u32 = 5;
/// How often a change set is sent again when its outcome is unknown.
const MAX_RESENDS: u32 = 5;

/// A command under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) stamp: Stamp,
    id: CommandId,
    digest: Digest,
    keyed: bool,
    conflicts: u32,
    met: Met,
}

/// What some work met last, and how often in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Met {
    last: Option<Conflict>,
    times: u32,
}

/// What came of a commit.
#[derive(Debug)]
pub(crate) enum Step {
    /// The command is done, now or before.
    Done(Outcome),
    /// Something was not as it was read: these parts. Decide again.
    Again(Vec<Conflict>),
}

/// Whether a command is sent for the first time.
#[derive(Debug)]
pub(crate) enum Once<T> {
    /// It is: the object that it is about.
    First(T),
    /// It was done before: what it resulted in.
    Again(Outcome),
}

impl Stocktake {
    /// Begins a command.
    pub(crate) fn begin(
        &self,
        caller: &Caller,
        operation: &str,
        request: DigestBuilder,
    ) -> Result<Call, Error> {
        let stamp = self.stamp(caller)?;
        let digest = request.field(stamp.actor.user.id).finish();
        let id = match caller.key() {
            Some(key) => CommandId::new(operation, key),
            None => CommandId::new(operation, self.ids.next()),
        };
        Ok(Call {
            stamp,
            id,
            digest,
            keyed: caller.key().is_some(),
            conflicts: 0,
            met: Met::default(),
        })
    }

    /// Begins a step of a command, or of a job, whose id follows from what it does.
    pub(crate) fn begin_derived(stamp: Stamp, id: CommandId) -> Call {
        let digest = Digest::of("derived").field(&id).finish();
        Call {
            stamp,
            id,
            digest,
            keyed: false,
            conflicts: 0,
            met: Met::default(),
        }
    }

    /// Who asks, and when.
    pub(crate) fn stamp(&self, caller: &Caller) -> Result<Stamp, Error> {
        let actor = caller.actor().cloned().ok_or(Error::Unauthenticated)?;
        Ok(Stamp {
            actor,
            at: self.clock.now(),
        })
    }

    /// What the same command resulted in before.
    pub(crate) async fn replay(&self, call: &Call) -> Result<Option<Outcome>, Error> {
        if !call.keyed {
            return Ok(None);
        }
        match self
            .repository
            .command(call.organisation(), &call.id)
            .await?
        {
            Some(command) if command.digest == call.digest => Ok(Some(command.outcome)),
            Some(_) => Err(Error::KeyReused),
            None => Ok(None),
        }
    }

    /// The job that the same command began before. What was refused in the end is passed over, because a request
    /// that failed keeps no key: the command goes on under an id that follows from the refused job.
    pub(crate) async fn replay_job(
        &self,
        call: &mut Call,
        operation: &str,
    ) -> Result<Option<JobId>, Error> {
        while let Some(Outcome::Job(job)) = self.replay(call).await? {
            let queued = self.queue.job(call.organisation(), job).await?;
            if queued.is_none_or(|queued| queued.state != JobState::Refused) {
                return Ok(Some(job));
            }
            call.id = CommandId::new(&format!("{operation} again"), job);
        }
        Ok(None)
    }

    /// Whether a command that is about an object is sent for the first time: it is asked after the object was looked
    /// for. One that was done before has its first result, also when the object is gone since; otherwise a missing
    /// object is told before what the role may not do.
    pub(crate) async fn once<T>(
        &self,
        call: &Call,
        operation: Operation,
        object: Result<T, Error>,
    ) -> Result<Once<T>, Error> {
        let object = match object {
            Ok(object) => object,
            Err(gone @ Error::NotFound { .. }) => {
                return match self.replay(call).await {
                    Ok(Some(outcome)) => Ok(Once::Again(outcome)),
                    Ok(None) | Err(Error::KeyReused) => Err(gone),
                    Err(error) => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        call.require(operation)?;
        Ok(match self.replay(call).await? {
            Some(outcome) => Once::Again(outcome),
            None => Once::First(object),
        })
    }

    /// What a command removed it can't see any more when it is sent again: then it is done.
    pub(crate) async fn done_if_gone(
        &self,
        call: &Call,
        result: Result<(), Error>,
    ) -> Result<(), Error> {
        match result {
            Err(Error::NotFound { .. }) if matches!(self.replay(call).await, Ok(Some(_))) => Ok(()),
            result => result,
        }
    }

    /// Commits what was decided. `outcome` is what the caller gets, and what a replay gets.
    pub(crate) async fn commit(
        &self,
        call: &mut Call,
        outcome: Outcome,
        fill: impl FnOnce(&mut ChangeSet),
    ) -> Result<Step, Error> {
        let step = self.attempt(call, outcome, fill).await?;
        if let Step::Again(conflicts) = &step {
            taken(conflicts)?;
        }
        Ok(step)
    }

    /// The same, for who chooses another name when one is taken.
    pub(super) async fn attempt(
        &self,
        call: &mut Call,
        outcome: Outcome,
        fill: impl FnOnce(&mut ChangeSet),
    ) -> Result<Step, Error> {
        let command = Command {
            id: call.id.clone(),
            digest: call.digest,
            // Without a key nobody can ask again, so nothing needs to be kept.
            outcome: if call.keyed {
                outcome.clone()
            } else {
                Outcome::Done
            },
            at: call.stamp.at,
        };
        let mut changes = ChangeSet::new(call.organisation(), command);
        fill(&mut changes);
        match commit_settled(&*self.repository, &changes).await {
            Ok(CommitOutcome::Applied) => Ok(Step::Done(outcome)),
            Ok(CommitOutcome::AlreadyApplied(first)) => {
                Ok(Step::Done(if call.keyed { first } else { outcome }))
            }
            Err(CommitError::Conflict(conflicts)) => {
                call.conflicts = call.conflicts.saturating_add(1);
                if call.conflicts > MAX_CONFLICTS {
                    return Err(Error::Conflict);
                }
                call.met.note(&conflicts)?;
                yield_once().await;
                Ok(Step::Again(conflicts))
            }
            Err(CommitError::CommandReused | CommitError::Voided) => Err(Error::KeyReused),
            Err(CommitError::TooLarge { limit }) => Err(Error::TooLarge { limit }),
            Err(CommitError::LeaseLost(_)) => Err(Error::Conflict),
            Err(CommitError::OutcomeUnknown(error)) => Err(Error::OutcomeUnknown(error)),
            Err(CommitError::Store(error)) => Err(Error::Store(error)),
        }
    }
}

impl Call {
    /// Whose command it is.
    pub(crate) const fn organisation(&self) -> OrganisationId {
        self.stamp.actor.organisation
    }

    /// Refuses what the actor's role may not do. To be asked when it is clear that the actor can see the
    /// object.
    pub(crate) fn require(&self, operation: Operation) -> Result<(), Error> {
        require(&self.stamp, operation)
    }
}

impl Met {
    /// Takes note of a conflict. Who was faster has changed what is read next, so the same one again and again is none: what
    /// is kept does not agree with itself. The first of several is enough to tell: it comes again with what it is about,
    /// however much else is tried with it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] of what is corrupt, which names it.
    pub(super) fn note(&mut self, conflicts: &[Conflict]) -> Result<(), Error> {
        let now = conflicts.first();
        let is_same = match (&self.last, now) {
            // Events get a new id each time.
            (Some(Conflict::EventExists(_)), Some(Conflict::EventExists(_))) => true,
            (Some(last), Some(now)) => last == now,
            (_, _) => false,
        };
        self.times = if is_same {
            self.times.saturating_add(1)
        } else {
            1
        };
        if !is_same {
            self.last = now.cloned();
        }
        match &self.last {
            Some(last) if self.times >= SAME_CONFLICTS => {
                let damaged = Damaged(last.clone());
                let error = StoreError::new(StoreErrorKind::Corrupt, "commit").because(damaged);
                Err(Error::Store(error))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What is read of a record is not what a commit finds.
#[derive(Debug, thiserror::Error)]
#[error("what is kept beside a record does not follow from it: {0:?}")]
struct Damaged(Conflict);

/// Refuses what the role may not do.
pub(crate) fn require(stamp: &Stamp, operation: Operation) -> Result<(), Error> {
    if allows(stamp.actor.role, operation) {
        Ok(())
    } else {
        Err(Error::Forbidden { operation })
    }
}

/// Sends a change set until it is known whether it was applied.
async fn commit_settled(
    repository: &dyn Repository,
    changes: &ChangeSet,
) -> Result<CommitOutcome, CommitError> {
    let mut resends = 0_u32;
    loop {
        match repository.commit(changes).await {
            Err(CommitError::OutcomeUnknown(_)) if resends < MAX_RESENDS => {
                resends = resends.saturating_add(1);
                yield_once().await;
            }
            settled => return settled,
        }
    }
}

/// A name that is taken stays taken, however often one tries.
fn taken(conflicts: &[Conflict]) -> Result<(), Error> {
    for conflict in conflicts {
        if let Conflict::Taken(key) = conflict {
            let what = if matches!(key, RecordKey::Site(_)) {
                "external id"
            } else {
                "article id"
            };
            return Err(Error::Taken { what });
        }
    }
    Ok(())
}

/// Lets other tasks run, on any executor.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
