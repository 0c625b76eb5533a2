//! Files that can be opened, and those that can't.

use std::fs;

use stocktake::sqlite::{OpenError, SqliteStore};
use stocktake::store::{Repository, RepositoryExt, StoreErrorKind};

use super::{ORGANISATION, added, nowhere, open, raw, site};

fn why(path: impl AsRef<std::path::Path>) -> OpenError {
    SqliteStore::open(path).unwrap_err()
}

fn kind(error: &OpenError) -> Option<StoreErrorKind> {
    match error {
        OpenError::Store(error) => Some(error.kind()),
        OpenError::CannotOpen { cause, .. } => Some(cause.kind()),
        _ => None,
    }
}

#[test]
fn what_is_not_a_database_is_not_opened_and_stays_as_it_is() {
    let (_folder, path) = nowhere();
    let garbage = "not a database, and longer than the header of one would be\n".repeat(100);
    fs::write(&path, &garbage).unwrap();
    let error = why(&path);
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), garbage);
}

#[test]
fn a_folder_is_not_a_file() {
    let (folder, path) = nowhere();
    let error = why(folder.path());
    assert_eq!(kind(&error), Some(StoreErrorKind::Unavailable), "{error:?}");
    let error = why(path.join("no/such/folder.db"));
    assert_eq!(kind(&error), Some(StoreErrorKind::Unavailable), "{error:?}");
}

#[test]
fn a_file_that_can_not_be_written_is_not_opened() {
    let (_folder, path) = nowhere();
    drop(open(&path));
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    // Whoever may write everything may write this too.
    let can_be_written = fs::OpenOptions::new().append(true).open(&path).is_ok();
    let opened = SqliteStore::open(&path);
    assert_eq!(opened.is_ok(), can_be_written);
    if let Err(error) = opened {
        assert_eq!(kind(&error), Some(StoreErrorKind::Unavailable), "{error:?}");
    }
}

#[tokio::test]
async fn a_file_of_a_later_version_is_not_touched() {
    let (_folder, path) = nowhere();
    open(&path).commit(&added(1)).await.unwrap();
    let known: i64 = raw(&path)
        .query_row("SELECT version FROM stk_schema", [], |row| row.get(0))
        .unwrap();
    raw(&path)
        .execute("UPDATE stk_schema SET version = version + 1", [])
        .unwrap();
    let error = why(&path);
    let is_newer = matches!(error, OpenError::Newer { found, known: own } if found == known + 1 && own == known);
    assert!(is_newer, "{error:?}");
    raw(&path)
        .execute("UPDATE stk_schema SET version = version - 1", [])
        .unwrap();
    let read = open(&path).site(ORGANISATION, site(1).id).await.unwrap();
    assert_eq!(read.unwrap().value, site(1));
}

#[tokio::test]
async fn a_host_keeps_its_own_tables_in_the_file() {
    let (_folder, path) = nowhere();
    raw(&path)
        .execute_batch("CREATE TABLE host (note TEXT); INSERT INTO host VALUES ('mine')")
        .unwrap();
    open(&path).commit(&added(1)).await.unwrap();
    let note: String = raw(&path)
        .query_row("SELECT note FROM host", [], |row| row.get(0))
        .unwrap();
    assert_eq!(note, "mine");
    let foreign: Vec<String> = raw(&path)
        .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'stk\\_%' ESCAPE '\\'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .filter(|name: &String| !name.starts_with("sqlite_"))
        .collect();
    assert_eq!(foreign, ["host"]);
}

#[test]
fn many_may_open_a_new_file_at_once() {
    let (_folder, path) = nowhere();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| drop(open(&path)));
        }
    });
    super::assert_intact(&path);
}
