//! C43, C44, C46 to C48: commands and errors (R12, R13).

use std::sync::Arc;

use super::checks::{Verdict, Wrong, applied, commit, ensure, same};
use super::harness::{Stage, Store};
use super::races::{Race, rounds};
use super::samples::*;
use crate::domain::OrganisationId;
use crate::store::{
    ChangeSet, Command, CommandId, CommitError, CommitOutcome, DeletableKey, Digest, JobAck,
    LeaseToken, MAX_PAGE, Outcome, Purge,
};

fn count(command: Command) -> ChangeSet {
    let mut changes = ChangeSet::new(ORGANISATION, command);
    changes.update(V1, counted(item(1), "1", 1));
    changes
}

/// The same command again gives its first outcome, and nothing is applied.
pub(super) async fn c43_replay_returns_first_result_no_effect(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 1).await?;
    let line = counted(item(1), "1", 1);
    let mut first = command("k", "request");
    first.outcome = Outcome::StockTakeItems([line].into());
    applied(&*store, &count(first.clone())).await?;
    // The replay decided differently, against a state that has moved on; it is not looked at.
    let mut replay = command("k", "request");
    replay.outcome = Outcome::Number(7);
    replay.at = at(99);
    let other = stage.second_handle(&store).await?;
    for store in [&store, &other, &store] {
        let again = commit(&**store, &count(replay.clone())).await?;
        let expected = CommitOutcome::AlreadyApplied(first.outcome.clone());
        same(again, expected, "a command that was sent again")?;
    }
    same(totals(&*store).await?.counted, 1, "lines counted")?;
    same(
        line_version(&*store, 1).await?,
        V1.next(),
        "the line's version",
    )?;
    let known = store.command(ORGANISATION, &first.id).await?;
    same(known, Some(first), "what is remembered of the command")
}

/// The command is looked at before anything else: versions, leases and size say nothing to a replay.
pub(super) async fn r12_the_command_is_checked_before_anything_else(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 2).await?;
    let known = command("k", "request");
    applied(&*store, &count(known.clone())).await?;
    let first = CommitOutcome::AlreadyApplied(Outcome::Done);
    let mut hopeless = ChangeSet::new(ORGANISATION, known.clone());
    hopeless.insert(site());
    hopeless.delete(V1, DeletableKey::StockTakeItem(TAKE, item(9).id));
    hopeless.ack(JobAck::Leased(LeaseToken {
        organisation: ORGANISATION,
        job: job_id(9),
        attempt: 1,
    }));
    let again = commit(&*store, &hopeless).await?;
    same(again, first.clone(), "a replay that would conflict")?;
    let mut oversized = ChangeSet::new(ORGANISATION, known);
    for n in 0..=u64::try_from(ChangeSet::MAX_SIZE).unwrap_or(0) {
        oversized.event(event(u128::from(n), key(1), n));
    }
    let again = commit(&*store, &oversized).await?;
    same(again, first, "a replay that would be too large")?;
    let reused = ChangeSet::new(ORGANISATION, command("k", "another"));
    let mut hopeless = reused.clone();
    hopeless.insert(site());
    for reused in [reused, hopeless] {
        match commit(&*store, &reused).await {
            Err(CommitError::CommandReused) => {}
            other => return Err(format!("another request under a known command: {other:?}").into()),
        }
    }
    let ledger = store.ledger(ORGANISATION, SITE, 0, 9).await?;
    same(ledger, [], "the ledger after replays")
}

/// The same id with another digest is refused, and changes nothing.
pub(super) async fn c44_same_key_other_payload_is_mismatch(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 2).await?;
    let first = command("k", "one");
    applied(&*store, &count(first.clone())).await?;
    let mut other = ChangeSet::new(ORGANISATION, command("k", "two"));
    other.update(V1, counted(item(2), "1", 1));
    match commit(&*store, &other).await {
        Err(CommitError::CommandReused) => {}
        found => return Err(format!("another request under the same id: {found:?}").into()),
    }
    same(totals(&*store).await?.counted, 1, "lines counted")?;
    let known = store.command(ORGANISATION, &first.id).await?;
    same(
        known,
        Some(first),
        "what is remembered of the first request",
    )?;
    // Ids are texts of their own: case, length and what looks like a pattern matter.
    for id in ["K", "k ", "%", "k/", "\u{1F4E6}", "'"] {
        let changes = ChangeSet::new(ORGANISATION, command(id, id));
        applied(&*store, &changes).await?;
    }
    let other_operation = Command {
        id: CommandId::new("other", "k"),
        digest: Digest::of("other").finish(),
        outcome: Outcome::Done,
        at: at(1),
    };
    applied(&*store, &ChangeSet::new(ORGANISATION, other_operation)).await
}

async fn settled(
    store: &dyn Store,
    whose: OrganisationId,
    id: &CommandId,
) -> Result<Option<Outcome>, Wrong> {
    Ok(store.settle(whose, id, at(11)).await?)
}

/// Asked whether it was applied, the store answers for good; after a never, it never is.
pub(super) async fn c46_resolve_after_unknown_outcome_is_definitive(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 2).await?;
    let done = count(command("applied", "x"));
    applied(&*store, &done).await?;
    let found = settled(&*store, ORGANISATION, &done.command().id).await?;
    same(found, Some(Outcome::Done), "a command that was applied")?;
    let mut late = ChangeSet::new(ORGANISATION, command("late", "x"));
    late.update(V1, counted(item(2), "1", 1));
    let id = &late.command().id;
    let other = stage.second_handle(&store).await?;
    for store in [&store, &other, &store] {
        let found = settled(&**store, ORGANISATION, id).await?;
        same(found, None, "a command that never came")?;
        match commit(&*other, &late).await {
            Err(CommitError::Voided) => {}
            other => return Err(format!("a commit after a never: {other:?}").into()),
        }
        let mut reused = ChangeSet::new(ORGANISATION, command("late", "another"));
        reused.insert(supplier(1));
        match commit(&**store, &reused).await {
            Err(CommitError::Voided) => {}
            other => return Err(format!("another request after a never: {other:?}").into()),
        }
    }
    same(totals(&*store).await?.counted, 1, "lines counted")?;
    let known = store.command(ORGANISATION, id).await?;
    same(
        known,
        None,
        "what is remembered of a command that never came",
    )?;
    let mut elsewhere = ChangeSet::new(STRANGER, late.command().clone());
    elsewhere.insert(supplier(1));
    applied(&*store, &elsewhere).await?;
    settled_in_flight(stage).await
}

/// Settled while the commit is in flight: whatever is answered holds, for the commit and for all who ask later.
async fn settled_in_flight(stage: &Stage<'_>) -> Verdict {
    for round in 0..rounds() {
        let store = shop(stage, 1).await?;
        let other = stage.second_handle(&store).await?;
        let changes = count(command("k", "x"));
        let id = changes.command().id.clone();
        let mut race = Race::new(2);
        let (handle, sent) = (Arc::clone(&store), changes.clone());
        race.enter(async move {
            match commit(&*handle, &sent).await {
                Ok(_) => Ok(true),
                Err(CommitError::Voided) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        let asked = id.clone();
        race.enter(async move {
            if round % 2 == 1 {
                tokio::task::yield_now().await;
            }
            Ok(other.settle(ORGANISATION, &asked, at(11)).await?.is_some())
        });
        let told = race.run().await?;
        let happened = totals(&*store).await?.counted == 1;
        same(
            told,
            [happened; 2],
            "what the commit and the settling told, of what happened",
        )?;
        let later = settled(&*store, ORGANISATION, &id).await?;
        same(later.is_some(), happened, "what is told later")?;
        match commit(&*store, &changes).await {
            Ok(CommitOutcome::AlreadyApplied(_)) if happened => {}
            Err(CommitError::Voided) if !happened => {}
            other => return Err(format!("sent again after it was settled: {other:?}").into()),
        }
    }
    Ok(())
}

/// What was handled before a moment is forgotten, also what was settled as never; the rest is not.
pub(super) async fn c47_purge_respects_retention(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let of = |key: &str, moment| Command {
        at: moment,
        ..command(key, "x")
    };
    let at_once = [
        ("old", at(1)),
        ("older", at(0)),
        ("before 1970", at(-1)),
        ("just before", at(2).later_by(-1)),
        ("kept", at(2)),
        ("new", at(3)),
    ];
    for (key, moment) in at_once {
        applied(&*store, &ChangeSet::new(ORGANISATION, of(key, moment))).await?;
    }
    applied(&*store, &ChangeSet::new(STRANGER, of("old", at(1)))).await?;
    let void = command("void", "x").id;
    let found = store.settle(ORGANISATION, &void, at(1)).await?;
    same(found, None, "a command that never came")?;
    let kept_void = command("kept void", "x").id;
    store.settle(ORGANISATION, &kept_void, at(2)).await?;
    let purge = async |before| {
        store
            .purge(ORGANISATION, Purge::Commands, before, MAX_PAGE)
            .await
    };
    same(purge(at(-1)).await?, 0, "forgotten before the first")?;
    let one = store.purge(ORGANISATION, Purge::Commands, at(2), 1).await?;
    same(one, 1, "forgotten, of several, where one may be")?;
    same(
        purge(at(2)).await?,
        4,
        "forgotten: handled before, not at the moment",
    )?;
    same(purge(at(2)).await?, 0, "forgotten the second time")?;
    for (key, moment) in at_once {
        let known = store.command(ORGANISATION, &command(key, "x").id).await?;
        same(
            known.is_some(),
            moment >= at(2),
            &format!("whether {key} is remembered"),
        )?;
    }
    let known = store.command(STRANGER, &command("old", "x").id).await?;
    ensure!(
        known.is_some(),
        "a command of another organisation was forgotten"
    );
    // What was forgotten is new again, a never as well; what was not is not.
    for key in ["old", "void"] {
        applied(&*store, &ChangeSet::new(ORGANISATION, command(key, "y"))).await?;
    }
    match commit(
        &*store,
        &ChangeSet::new(ORGANISATION, command("kept void", "x")),
    )
    .await
    {
        Err(CommitError::Voided) => Ok(()),
        other => Err(format!("a commit after a never that was kept: {other:?}").into()),
    }
}

/// Errors are of the kind that the contract names, and their texts tell nothing of what is stored.
pub(super) async fn c48_error_kinds_exact_and_text_clean(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 1).await?;
    let mut secret = site_of(site_id(7), "secret-1");
    secret.name = label("secret-2");
    put(&*store, |it| it.insert(secret.clone())).await?;
    let mut conflicting = changes();
    conflicting.insert(secret);
    let lost = LeaseToken {
        organisation: ORGANISATION,
        job: job_id(1),
        attempt: 1,
    };
    let mut leased = changes();
    leased.ack(JobAck::Leased(lost));
    applied(
        &*store,
        &ChangeSet::new(ORGANISATION, command("secret-3", "x")),
    )
    .await?;
    let reused = ChangeSet::new(ORGANISATION, command("secret-3", "y"));
    let page = crate::store::PageRequest::after("secret-4".to_owned().into(), 1);
    let cursor = store.dead_jobs(ORGANISATION, &page).await;
    let texts = [
        text_of(commit(&*store, &conflicting).await.err())?,
        text_of(commit(&*store, &leased).await.err())?,
        text_of(commit(&*store, &reused).await.err())?,
        text_of(cursor.err())?,
        text_of(store.ack(lost, at(1)).await.err())?,
    ];
    for text in texts {
        ensure!(
            !text.contains("secret") && !text.to_lowercase().contains("select"),
            "an error tells what is stored, or how: {text}"
        );
    }
    ensure!(
        !format!("{store:?}").contains("secret"),
        "the store's own text tells what is stored"
    );
    Ok(())
}

fn text_of<E: std::error::Error>(error: Option<E>) -> Result<String, Wrong> {
    let error = error.ok_or("no error where one was due")?;
    Ok(error.to_string())
}
