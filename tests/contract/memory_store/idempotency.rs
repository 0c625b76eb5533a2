//! C43 to C48: commands.

use stocktake::memory::MemoryStore;
use stocktake::store::{
    ChangeSet, Command, CommitError, CommitOutcome, MAX_PAGE, Outcome, Purge, Repository,
};

use super::fixtures::*;

fn count(command: Command) -> ChangeSet {
    let mut changes = ChangeSet::new(ORGANISATION, command);
    changes.update(V1, counted(item(1), "1", 1));
    changes
}

#[tokio::test]
async fn c43_replay_returns_first_result_no_effect() {
    let store = shop(1).await;
    let line = counted(item(1), "1", 1);
    let mut first = command("k", "request");
    first.outcome = Outcome::StockTakeItems([line].into());
    assert_eq!(
        store.commit(&count(first.clone())).await.unwrap(),
        CommitOutcome::Applied
    );
    // The replay decided differently, against a state that has moved on; it is not looked at.
    let mut replay = command("k", "request");
    replay.outcome = Outcome::Number(7);
    replay.at = at(99);
    for _ in 0..3 {
        let again = store.commit(&count(replay.clone())).await.unwrap();
        assert_eq!(again, CommitOutcome::AlreadyApplied(first.outcome.clone()));
    }
    assert_eq!(totals(&store).await.counted, 1);
    assert_eq!(
        store.command(ORGANISATION, &first.id).await.unwrap(),
        Some(first)
    );
}

#[tokio::test]
async fn c43_the_command_is_checked_before_anything_else() {
    let store = shop(1).await;
    let command = command("k", "request");
    store.commit(&count(command.clone())).await.unwrap();
    let mut oversized = ChangeSet::new(ORGANISATION, command);
    for n in 0..=ChangeSet::MAX_SIZE {
        let n = u64::try_from(n).unwrap();
        oversized.event(event(u128::from(n), key(1), n));
    }
    let again = store.commit(&oversized).await.unwrap();
    assert_eq!(again, CommitOutcome::AlreadyApplied(Outcome::Done));
}

#[tokio::test]
async fn c44_same_key_other_payload_is_mismatch() {
    let store = shop(1).await;
    store.commit(&count(command("k", "one"))).await.unwrap();
    let error = store.commit(&count(command("k", "two"))).await.unwrap_err();
    assert!(matches!(error, CommitError::CommandReused));
    assert_eq!(totals(&store).await.counted, 1);
}

#[tokio::test]
async fn c46_settling_is_definitive() {
    let store = shop(1).await;
    let applied = count(command("applied", "x"));
    store.commit(&applied).await.unwrap();
    let settled = store
        .settle(ORGANISATION, &applied.command().id, at(11))
        .await;
    assert_eq!(settled.unwrap(), Some(Outcome::Done));

    // One that has not landed never will, however often it is sent.
    let late = count(command("late", "x"));
    for _ in 0..2 {
        let settled = store.settle(ORGANISATION, &late.command().id, at(11)).await;
        assert_eq!(settled.unwrap(), None);
        let error = store.commit(&late).await.unwrap_err();
        assert!(matches!(error, CommitError::Voided));
    }
    let known = store.command(ORGANISATION, &late.command().id).await;
    assert_eq!(known.unwrap(), None);
    // Under another organisation the id is another one.
    let mut elsewhere = ChangeSet::new(STRANGER, late.command().clone());
    elsewhere.insert(supplier(1));
    assert_eq!(
        store.commit(&elsewhere).await.unwrap(),
        CommitOutcome::Applied
    );
}

#[tokio::test]
async fn c47_purge_respects_retention() {
    let store = MemoryStore::new();
    for (key, second) in [("old", 1), ("older", 0), ("kept", 2), ("new", 3)] {
        let mut command = command(key, "x");
        command.at = at(second);
        store
            .commit(&ChangeSet::new(ORGANISATION, command))
            .await
            .unwrap();
    }
    let mut foreign = command("old", "x");
    foreign.at = at(1);
    store
        .commit(&ChangeSet::new(STRANGER, foreign))
        .await
        .unwrap();
    store
        .settle(ORGANISATION, &command("void", "x").id, at(1))
        .await
        .unwrap();

    let purge = async |before| {
        store
            .purge(ORGANISATION, Purge::Commands, at(before), MAX_PAGE)
            .await
            .unwrap()
    };
    assert_eq!(purge(0).await, 0);
    assert_eq!(purge(2).await, 3, "handled before, not at the moment");
    assert_eq!(purge(2).await, 0);
    let known = async |organisation, key: &str| {
        let id = command(key, "x").id;
        store.command(organisation, &id).await.unwrap().is_some()
    };
    assert!(!known(ORGANISATION, "old").await);
    assert!(!known(ORGANISATION, "older").await);
    assert!(known(ORGANISATION, "kept").await);
    assert!(known(ORGANISATION, "new").await);
    assert!(known(STRANGER, "old").await);
    assert_eq!(
        store
            .purge(STRANGER, Purge::Commands, at(9), MAX_PAGE)
            .await
            .unwrap(),
        1
    );
}

/// Nothing of what is stored stands in an error's text.
#[tokio::test]
async fn c48_error_texts_are_clean() {
    let store = shop(1).await;
    let mut changes = changes();
    changes.insert(site());
    let error = store.commit(&changes).await.unwrap_err();
    assert_eq!(error.to_string(), "1 records were not as expected");
}
