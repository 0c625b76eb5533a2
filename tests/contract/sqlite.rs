//! The SQLite store against the suite.

use stocktake::conformance::Harness;
use stocktake::sqlite::SqliteStore;
use tempfile::TempDir;
use uuid::Uuid;

/// Stores in files of a folder that goes with the test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is a folder for temporary files"))
    }
}

impl Harness for Files {
    type Store = SqliteStore;

    async fn fresh(&self) -> SqliteStore {
        let path = self.0.path().join(format!("{}.db", Uuid::new_v4()));
        SqliteStore::open(path).expect("a new file opens")
    }

    async fn second_handle(&self, store: &SqliteStore) -> SqliteStore {
        SqliteStore::open(store.path()).expect("an open file opens once more")
    }

    async fn reopen(&self, store: SqliteStore) -> Option<SqliteStore> {
        let path = store.path().to_path_buf();
        drop(store);
        Some(SqliteStore::open(path).expect("a closed file opens again"))
    }
}

stocktake::conformance!(Files::new());
