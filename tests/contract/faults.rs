//! What each fault of a store that fails on demand does to a commit and to a read.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use stocktake::domain::{Code, Label, OrganisationId, Site, SiteId, SitePolicy, Timestamp};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ChangeSet, Command, CommandId, CommitError, CommitOutcome, Digest, Outcome, Repository,
    RepositoryExt, StoreError, StoreErrorKind, Version,
};
use stocktake::testing::{Fault, FaultStore};
use uuid::Uuid;

const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(1));
const SITE: SiteId = SiteId::new(Uuid::from_u128(2));

/// Polls twice: what ends at all ends then.
fn ended<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}

fn site(name: &str) -> Site {
    Site {
        id: SITE,
        organisation: ORGANISATION,
        external_id: Code::new("store-1").unwrap(),
        name: Label::new(name).unwrap(),
        currency: "gbp".parse().unwrap(),
        policy: SitePolicy::default(),
    }
}

fn naming(name: &str, expected: Option<Version>) -> ChangeSet {
    let command = Command {
        id: CommandId::new("name", name),
        digest: Digest::of(name).finish(),
        outcome: Outcome::Done,
        at: Timestamp::EPOCH,
    };
    let mut changes = ChangeSet::new(ORGANISATION, command);
    match expected {
        Some(expected) => changes.update(expected, site(name)),
        None => changes.insert(site(name)),
    }
    changes
}

fn name(store: &impl Repository) -> Option<String> {
    let read = ended(store.site(ORGANISATION, SITE)).unwrap().unwrap();
    read.map(|site| site.value.name.as_str().to_owned())
}

/// A store with a site, read once and renamed since: call 1 is the next one.
fn store() -> FaultStore<MemoryStore> {
    let store = FaultStore::new(MemoryStore::new());
    ended(store.commit(&naming("Old", None))).unwrap().unwrap();
    assert_eq!(name(&store), Some("Old".to_owned()));
    let renamed = naming("Now", Some(Version::FIRST));
    ended(store.commit(&renamed)).unwrap().unwrap();
    store.heal();
    store
}

fn told(outcome: Option<Result<CommitOutcome, CommitError>>) -> &'static str {
    match outcome {
        None => "nothing",
        Some(Ok(CommitOutcome::Applied)) => "applied",
        Some(Ok(CommitOutcome::AlreadyApplied(_))) => "applied before",
        Some(Err(CommitError::Conflict(_))) => "conflict",
        Some(Err(CommitError::OutcomeUnknown(_))) => "unknown",
        Some(Err(CommitError::Store(error))) => kind(&error),
        Some(Err(error)) => panic!("{error}"),
    }
}

fn kind(error: &StoreError) -> &'static str {
    match error.kind() {
        StoreErrorKind::Unavailable => "unavailable",
        StoreErrorKind::Busy => "busy",
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn a_commit_is_failed_as_told_and_lands_as_told() {
    // What the commit tells, whether it is there then, and what it tells when it is sent again.
    let table = [
        (Fault::Before, "unavailable", "Now", "applied"),
        (Fault::After, "unknown", "New", "applied before"),
        (Fault::Unknown, "unknown", "Now", "applied"),
        (Fault::Late, "unknown", "Now", "applied before"),
        (Fault::Busy, "busy", "Now", "applied"),
        (Fault::Conflict, "conflict", "Now", "applied"),
        (Fault::Stale, "applied", "New", "applied before"),
        (Fault::HangBefore, "nothing", "Now", "applied"),
        (Fault::HangAfter, "nothing", "New", "applied before"),
        (Fault::Yield, "applied", "New", "applied before"),
    ];
    for (fault, expected, then, again) in table {
        let store = store();
        store.fail_at(1, fault);
        let commit = naming("New", Some(Version::FIRST.next()));
        assert_eq!(told(ended(store.commit(&commit))), expected, "{fault:?}");
        assert_eq!(name(store.inner()).as_deref(), Some(then), "{fault:?}");
        store.heal();
        let outcome = ended(store.commit(&commit));
        assert_eq!(told(outcome), again, "{fault:?}, sent again");
        assert_eq!(name(&store).as_deref(), Some("New"), "{fault:?}");
    }
}

#[test]
fn a_read_is_failed_as_told() {
    let table = [
        (Fault::Before, Some(Err("unavailable"))),
        (Fault::After, Some(Err("unavailable"))),
        (Fault::Unknown, Some(Err("unavailable"))),
        (Fault::Late, Some(Err("unavailable"))),
        (Fault::Busy, Some(Err("busy"))),
        (Fault::Conflict, Some(Ok("Now"))),
        (Fault::Stale, Some(Ok("Old"))),
        (Fault::HangBefore, None),
        (Fault::HangAfter, None),
        (Fault::Yield, Some(Ok("Now"))),
    ];
    for (fault, expected) in table {
        let store = store();
        store.fail_at(1, fault);
        let read = ended(store.site(ORGANISATION, SITE));
        let told = read.map(|read| match read {
            Ok(site) => Ok(site.unwrap().value.name.as_str().to_owned()),
            Err(error) => Err(kind(&error)),
        });
        let expected = expected.map(|read| read.map(str::to_owned));
        assert_eq!(told, expected, "{fault:?}");
        assert_eq!(name(&store).as_deref(), Some("Now"), "{fault:?}, again");
    }
}

#[test]
fn what_is_late_is_settled_as_applied_and_lands_once() {
    let store = store();
    store.fail_at(1, Fault::Late);
    let commit = naming("New", Some(Version::FIRST.next()));
    assert_eq!(told(ended(store.commit(&commit))), "unknown");
    assert_eq!(name(&store).as_deref(), Some("Now"));
    let settled = store.settle(ORGANISATION, &commit.command().id, Timestamp::EPOCH);
    assert_eq!(ended(settled).unwrap().unwrap(), Some(Outcome::Done));
    assert_eq!(name(&store).as_deref(), Some("New"));
    assert_eq!(told(ended(store.commit(&commit))), "applied before");
}

#[test]
fn what_is_late_yields_to_what_was_faster() {
    let store = store();
    let before = Version::FIRST.next();
    // Another connection, whose commits do not wait for what is under way.
    store.fail_at(1, Fault::Late);
    assert_eq!(
        told(ended(store.commit(&naming("New", Some(before))))),
        "unknown"
    );
    let faster = naming("Faster", Some(before));
    assert_eq!(told(ended(store.inner().commit(&faster))), "applied");
    let next = naming("Next", Some(before.next()));
    assert_eq!(told(ended(store.commit(&next))), "applied");
    assert_eq!(name(&store).as_deref(), Some("Next"));
}
