//! Change sets in a transaction of the host's.

use rusqlite::{Connection, TransactionBehavior};
use stocktake::sqlite::{self, rusqlite};
use stocktake::store::{CommitError, CommitOutcome, Conflict, Repository, RepositoryExt};

use super::{ORGANISATION, added, changes, nowhere, open, raw, site};

fn host(path: &std::path::Path) -> Connection {
    let mut connection = raw(path);
    sqlite::migrate(&mut connection).unwrap();
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS host (note TEXT NOT NULL)")
        .unwrap();
    connection
}

fn begin(connection: &mut Connection) -> rusqlite::Transaction<'_> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    transaction.unwrap()
}

fn note(connection: &Connection, note: &str) {
    connection
        .execute("INSERT INTO host VALUES (?1)", [note])
        .unwrap();
}

fn notes(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT note FROM host ORDER BY note")
        .unwrap();
    let notes = statement.query_map([], |row| row.get(0)).unwrap();
    notes.map(Result::unwrap).collect()
}

#[tokio::test]
async fn the_hosts_rows_and_the_librarys_land_together() {
    let (_folder, path) = nowhere();
    let mut connection = host(&path);
    let store = open(&path);

    let transaction = begin(&mut connection);
    note(&transaction, "kept");
    assert_eq!(
        sqlite::commit_in(&transaction, &added(1)).unwrap(),
        CommitOutcome::Applied
    );
    assert_eq!(store.site(ORGANISATION, site(1).id).await.unwrap(), None);
    transaction.commit().unwrap();
    let read = store.site(ORGANISATION, site(1).id).await.unwrap();
    assert_eq!(read.unwrap().value, site(1));

    let transaction = begin(&mut connection);
    note(&transaction, "given up");
    assert_eq!(
        sqlite::commit_in(&transaction, &added(2)).unwrap(),
        CommitOutcome::Applied
    );
    transaction.rollback().unwrap();
    assert_eq!(store.site(ORGANISATION, site(2).id).await.unwrap(), None);
    assert_eq!(notes(&connection), ["kept"]);
    // Given up, the command was never given: it can be given again, to the store as well.
    assert_eq!(
        store.commit(&added(2)).await.unwrap(),
        CommitOutcome::Applied
    );
}

#[tokio::test]
async fn a_refused_change_set_leaves_the_transaction_to_the_host() {
    let (_folder, path) = nowhere();
    let mut connection = host(&path);
    let store = open(&path);
    store.commit(&added(1)).await.unwrap();

    let transaction = begin(&mut connection);
    note(&transaction, "before");
    let mut clash = changes("clash");
    clash.insert(site(2));
    clash.insert(site(1));
    let refused = sqlite::commit_in(&transaction, &clash);
    let conflicts = match refused {
        Err(CommitError::Conflict(conflicts)) => conflicts,
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(conflicts[..], [Conflict::Exists(_)]),
        "{conflicts:?}"
    );
    note(&transaction, "after");
    assert_eq!(
        sqlite::commit_in(&transaction, &added(3)).unwrap(),
        CommitOutcome::Applied
    );
    transaction.commit().unwrap();

    assert_eq!(notes(&connection), ["after", "before"]);
    assert_eq!(store.site(ORGANISATION, site(2).id).await.unwrap(), None);
    assert!(
        store
            .site(ORGANISATION, site(3).id)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_command_is_done_once_whoever_gives_it() {
    let (_folder, path) = nowhere();
    let mut connection = host(&path);
    let store = open(&path);
    store.commit(&added(1)).await.unwrap();
    let transaction = begin(&mut connection);
    let again = sqlite::commit_in(&transaction, &added(1)).unwrap();
    assert!(
        matches!(again, CommitOutcome::AlreadyApplied(_)),
        "{again:?}"
    );
    assert_eq!(
        sqlite::commit_in(&transaction, &added(2)).unwrap(),
        CommitOutcome::Applied
    );
    let again = sqlite::commit_in(&transaction, &added(2)).unwrap();
    assert!(
        matches!(again, CommitOutcome::AlreadyApplied(_)),
        "{again:?}"
    );
    transaction.commit().unwrap();
    let again = store.commit(&added(2)).await.unwrap();
    assert!(
        matches!(again, CommitOutcome::AlreadyApplied(_)),
        "{again:?}"
    );
}
