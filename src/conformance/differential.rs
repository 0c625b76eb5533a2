//! Random commands on the store and on the reference, which must give the same, word for word.

use std::fmt::Debug;

use super::checks::{Verdict, ensure, same};
use super::difference::in_short;
use super::everything::{Everything, Scope};
use super::harness::{Handle, Stage};
use super::questions::ids;
use super::random_commits::Random;
use super::samples::*;
use super::seed::Seed;
use crate::domain::OrganisationId;
use crate::memory::MemoryStore;
use crate::store::{
    ChangeSet, CommitError, CommitOutcome, JobKind, JobQueue as _, LeaseError, MAX_PAGE,
    PageRequest, PageStart, Purge, Repository as _, StoreError, Write,
};

/// How many worlds are made, and how much happens in each.
const WORLDS: u64 = 6;
const STEPS: u64 = 80;

/// The store and the reference, side by side.
struct Pair {
    store: Handle,
    reference: MemoryStore,
    random: Random,
    scope: Scope,
}

/// Whatever is asked, in whatever order, the store answers as the in-memory reference does.
pub(super) async fn r16_random_commands_give_what_the_reference_gives(
    stage: &Stage<'_>,
) -> Verdict {
    let first = Seed::from_environment();
    for seed in first..first + WORLDS {
        let mut pair = Pair {
            store: stage.fresh().await?,
            reference: MemoryStore::new(),
            random: Random::new(seed),
            scope: Scope::shelves(),
        };
        for step in 1..=STEPS {
            let happened = pair.step(step).await;
            happened
                .map_err(|wrong| wrong.at(format_args!("step {step} of STOCKTAKE_SEED={seed}")))?;
        }
    }
    Ok(())
}

/// What a call came to, without what may differ.
fn told<T: Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

fn lease_told(result: &Result<(), LeaseError>) -> &'static str {
    match result {
        Ok(()) => "done",
        Err(LeaseError::Lost) => "lost",
        Err(LeaseError::Store(_)) => "failed",
    }
}

/// What a change set is of, in short.
fn summary(changes: &ChangeSet) -> String {
    let parts = changes.parts();
    let mut all = vec![format!("{}", parts.command.id)];
    all.extend(parts.guards.iter().map(in_short));
    for (key, write) in parts.writes {
        let what = match write {
            Write::Insert(_) => "insert",
            Write::Update { .. } => "update",
            Write::Delete { .. } => "delete",
        };
        all.push(format!("{what} {}", in_short(key)));
    }
    let events = parts
        .events
        .iter()
        .map(|it| in_short(&(it.id, it.sequence)));
    all.extend(events);
    all.extend(parts.jobs.iter().map(|it| in_short(&it.id)));
    all.extend(parts.progress.iter().map(in_short));
    all.extend(parts.acks.iter().map(in_short));
    all.join("; ")
}

/// Conflicts are a set; of several lost leases any may be told.
fn commit_told(result: Result<CommitOutcome, CommitError>) -> String {
    match result {
        Ok(outcome) => format!("{outcome:?}"),
        Err(CommitError::Conflict(conflicts)) => {
            let mut conflicts: Vec<_> = conflicts.iter().map(|it| format!("{it:?}")).collect();
            conflicts.sort();
            conflicts.dedup();
            format!("conflicts: {conflicts:?}")
        }
        Err(CommitError::LeaseLost(_)) => "a lease is lost".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

impl Pair {
    async fn step(&mut self, step: u64) -> Verdict {
        match self.random.seed().below(14) {
            0..=7 => self.commit().await?,
            8 => self.lease().await?,
            9 => self.lease_used().await?,
            10 => self.requeue().await?,
            11 => self.settle().await?,
            12 => self.purge().await?,
            _ => self.pages().await?,
        }
        if step.is_multiple_of(20) {
            self.everything().await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Verdict {
        let changes = self.random.changes(&self.reference).await?;
        self.scope.commands.push(changes.command().id.clone());
        let expected = commit_told(self.reference.commit(&changes).await);
        let found = commit_told(super::checks::commit(&*self.store, &changes).await);
        same(
            found,
            expected,
            &format!("the commit of {}", summary(&changes)),
        )
    }

    async fn lease(&mut self) -> Verdict {
        let (now, until) = self.random.span();
        let expected = self.reference.lease("w", JobKind::ALL, now, until).await?;
        let found = self.store.lease("w", JobKind::ALL, now, until).await?;
        same(&found, &expected, &format!("a lease at {now}"))?;
        self.random.keep(expected.map(|lease| lease.token));
        Ok(())
    }

    async fn lease_used(&mut self) -> Verdict {
        let (now, later) = self.random.span();
        let Some(token) = self.random.token() else {
            return Ok(());
        };
        let retry = (!self.random.seed().one_in(3)).then_some(later);
        let (store, reference) = (&*self.store, &self.reference);
        let (what, found, expected) = match self.random.seed().below(3) {
            0 => (
                "extend",
                store.extend(token, later).await,
                reference.extend(token, later).await,
            ),
            1 => (
                "ack",
                store.ack(token, now).await,
                reference.ack(token, now).await,
            ),
            _ => (
                "fail",
                store.fail(token, "x", now, retry).await,
                reference.fail(token, "x", now, retry).await,
            ),
        };
        let what = format!("{what} with {token:?} at {now}, later {later}");
        same(lease_told(&found), lease_told(&expected), &what)
    }

    async fn requeue(&mut self) -> Verdict {
        let (now, later) = self.random.span();
        let whose = self.random.organisation();
        let id = self.random.job(whose);
        let expected = told(self.reference.requeue(whose, id, later).await);
        let found = told(self.store.requeue(whose, id, later).await);
        same(found, expected, "a job that is queued again")?;
        let new = self.random.new_job(whose);
        let expected = told(self.reference.enqueue(whose, &new, now).await);
        let found = told(self.store.enqueue(whose, &new, now).await);
        same(found, expected, "a relay's job")
    }

    async fn settle(&mut self) -> Verdict {
        let whose = self.random.organisation();
        let (at, _) = self.random.span();
        let id = self.random.known_command().id;
        self.scope.commands.push(id.clone());
        let expected = told(self.reference.settle(whose, &id, at).await);
        let found = told(self.store.settle(whose, &id, at).await);
        same(found, expected, &format!("the settling of {id}"))
    }

    async fn purge(&mut self) -> Verdict {
        let whose = self.random.organisation();
        let (before, _) = self.random.span();
        let expected = told(
            self.reference
                .purge(whose, Purge::Commands, before, MAX_PAGE)
                .await,
        );
        let found = told(
            self.store
                .purge(whose, Purge::Commands, before, MAX_PAGE)
                .await,
        );
        same(
            found,
            expected,
            &format!("commands forgotten before {before}"),
        )
    }

    /// Pages of any list, sorted and filtered in any way, each store with its own cursors.
    async fn pages(&mut self) -> Verdict {
        let reference: Handle = std::sync::Arc::new(self.reference.clone());
        for _ in 0..10 {
            let question = self.random.question();
            let whose = self.random.organisation();
            let limit = u32::try_from(1 + self.random.seed().below(4)).unwrap_or(1);
            let expected = question.walk(&*reference, whose, limit).await?;
            let found = question.walk(&*self.store, whose, limit).await?;
            let what = format!("{question}, by pages of {limit}");
            same(ids(&found), ids(&expected), &what)?;
            same(found, expected.as_slice(), &what)?;
            let request = PageRequest {
                start: PageStart::Skip(self.random.seed().below(6)),
                limit,
                with_total: true,
                reversed: self.random.seed().below(2) == 1,
            };
            let expected = question.page(&*reference, whose, &request).await?;
            let found = question.page(&*self.store, whose, &request).await?;
            let what = format!("{question}: {request:?}");
            let next = (found.next.is_some(), expected.next.is_some());
            ensure!(
                next.0 == next.1,
                "{what}: whether there is a next page: {next:?}"
            );
            same(found.total, expected.total, &what)?;
            same(found.items, expected.items.as_slice(), &what)?;
        }
        for after in 0..3 {
            let keys: Vec<_> = (1..=4).map(|n| (key(5 - n), after)).collect();
            let whose = self.random.organisation();
            let expected = self.reference.events_after(whose, &keys).await?;
            let found = self.store.events_after(whose, &keys).await?;
            same(found, expected, &format!("events after {after}"))?;
        }
        Ok(())
    }

    async fn everything(&mut self) -> Verdict {
        let reference: Handle = std::sync::Arc::new(self.reference.clone());
        for whose in [ORGANISATION, STRANGER] {
            self.everything_of(&reference, whose).await?;
        }
        Ok(())
    }

    async fn everything_of(&self, reference: &Handle, whose: OrganisationId) -> Verdict {
        let expected = Everything::read(&**reference, whose, &self.scope).await?;
        let found = Everything::read(&*self.store, whose, &self.scope).await?;
        found.is(&expected, "beside the reference")
    }
}
