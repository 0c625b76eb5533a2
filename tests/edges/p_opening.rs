//! Opening a SQLite file: what is no store is told, and a store that has lost its file says so.
#![cfg(feature = "sqlite")]

use std::fs;
use std::path::{Path, PathBuf};

use stocktake::domain::OrganisationId;
use stocktake::sqlite::{OpenError, SqliteStore};
use stocktake::store::{
    ChangeSet, Command, CommandId, CommitError, Digest, Outcome, Repository, StoreErrorKind,
};
use stocktake::testing::shop;
use tempfile::TempDir;

fn nowhere() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let path = folder.path().join("stock.db");
    (folder, path)
}

fn why(path: impl AsRef<Path>) -> String {
    let error = SqliteStore::open(path).unwrap_err();
    let told = error.to_string();
    assert!(
        !told.contains("CREATE") && told.lines().count() == 1,
        "{told}"
    );
    told
}

fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn adding(number: u32) -> ChangeSet {
    let shop = shop();
    let organisation: OrganisationId = shop.site.organisation;
    let command = Command {
        id: CommandId::new("test", number),
        digest: Digest::of("test").finish(),
        outcome: Outcome::Done,
        at: shop.now(),
    };
    let mut changes = ChangeSet::new(organisation, command);
    let mut site = shop.site;
    site.id = uuid::Uuid::from_u128(number.into()).into();
    site.external_id = format!("store-{number}").parse().unwrap();
    changes.insert(site);
    changes
}

#[test]
fn fault_p_memory_is_no_file() {
    for path in ["", ":memory:"] {
        let error = SqliteStore::open(path).unwrap_err();
        assert!(matches!(error, OpenError::NoFile { .. }), "{error:?}");
        assert!(error.to_string().contains("MemoryStore"), "{error}");
    }
}

#[tokio::test]
async fn fault_p_a_path_is_no_uri() {
    let (folder, path) = nowhere();
    let named = folder.path().join("file:stock.db?mode=memory");
    let store = SqliteStore::open(&named).unwrap();
    store.commit(&adding(1)).await.unwrap();
    assert_eq!(store.path(), named);
    drop(store);
    assert!(named.exists());
    assert!(!path.exists());
    // From where one stands, too: it would be opened in memory, and nothing would be there.
    let relative = format!("file:{}?mode=memory", uuid::Uuid::new_v4());
    drop(SqliteStore::open(&relative).unwrap());
    let was_there = Path::new(".").join(&relative).exists();
    fs::remove_file(Path::new(".").join(&relative)).unwrap();
    assert!(was_there);
}

#[test]
fn fault_p_a_schema_that_lacks_something_is_damaged() {
    let (_folder, path) = nowhere();
    drop(SqliteStore::open(&path).unwrap());
    let ours: Vec<(String, String)> = raw(&path)
        .prepare(
            "SELECT type, name FROM sqlite_schema WHERE name LIKE 'stk%' AND name <> 'stk_schema'",
        )
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(ours.len() > 30);
    let whole = fs::read(&path).unwrap();
    for (kind, name) in ours {
        fs::write(&path, &whole).unwrap();
        raw(&path)
            .execute_batch(&format!("DROP {kind} {name}"))
            .unwrap();
        let told = why(&path);
        assert!(told.contains(&format!("{kind} {name}")), "{told}");
        assert!(told.contains(&path.display().to_string()), "{told}");
    }
}

#[test]
fn fault_p_a_version_that_is_not_one_is_damage() {
    let (_folder, path) = nowhere();
    drop(SqliteStore::open(&path).unwrap());
    let whole = fs::read(&path).unwrap();
    for (change, expected) in [
        (
            "INSERT INTO stk_schema (version) VALUES (1)",
            "stk_schema has 2 rows",
        ),
        ("DELETE FROM stk_schema", "stk_schema has 0 rows"),
        ("DROP TABLE stk_schema", "stk_schema has 0 rows"),
        (
            "UPDATE stk_schema SET version = 0",
            "stk_schema says version 0",
        ),
        (
            "UPDATE stk_schema SET version = -1",
            "stk_schema says version -1",
        ),
    ] {
        fs::write(&path, &whole).unwrap();
        raw(&path).execute_batch(change).unwrap();
        let told = why(&path);
        assert!(told.contains(expected), "{change}: {told}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn fault_p_a_file_that_is_gone_takes_no_commit() {
    type Loss = fn(&Path);
    let losses: [Loss; 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::rename(path, path.with_extension("old")).unwrap(),
        |path| {
            fs::rename(path, path.with_extension("old")).unwrap();
            fs::copy(path.with_extension("old"), path).unwrap();
        },
    ];
    for lose in losses {
        let (_folder, path) = nowhere();
        let store = SqliteStore::open(&path).unwrap();
        store.commit(&adding(1)).await.unwrap();
        lose(&path);
        let refused = store.commit(&adding(2)).await.unwrap_err();
        let CommitError::Store(error) = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
        assert!(!error.is_retryable());
        let cause = std::error::Error::source(error).unwrap().to_string();
        assert!(cause.contains("deleted"), "{cause}");
    }
    // One that is put back goes on.
    let (_folder, path) = nowhere();
    let store = SqliteStore::open(&path).unwrap();
    let aside = path.with_extension("old");
    fs::rename(&path, &aside).unwrap();
    assert!(store.commit(&adding(1)).await.is_err());
    fs::rename(&aside, &path).unwrap();
    store.commit(&adding(1)).await.unwrap();
}

#[test]
fn fault_o_opening_tells_the_path_and_what_is_wrong() {
    let (folder, path) = nowhere();
    fs::write(
        &path,
        "not a database, and longer than a header\n".repeat(100),
    )
    .unwrap();
    let shown = path.display().to_string();
    assert_eq!(why(&path), format!("{shown} is not a SQLite database"));
    let missing = folder.path().join("no/such.db");
    assert_eq!(
        why(&missing),
        format!("{}: its folder is not there", missing.display())
    );
    let told = why(folder.path());
    assert_eq!(told, format!("{}: it is a folder", folder.path().display()));
}
