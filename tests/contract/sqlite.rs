//! The SQLite store against the suite.

use std::path::{Path, PathBuf};

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

/// Opens a copy of a store's files as they stand, while the store is open: what is found after its process died. The file
/// with the shared memory of the processes is left out, as a system that starts again leaves it out.
fn open_image(path: &Path) -> SqliteStore {
    let image = path.with_file_name(format!("{}.db", Uuid::new_v4()));
    let journal = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    std::fs::copy(path, &image).expect("the file of an open store is read");
    if journal(path).exists() {
        std::fs::copy(journal(path), journal(&image)).expect("its write-ahead file is read");
    }
    SqliteStore::open(image).expect("a copy of a store's files opens")
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

    async fn crash_image(&self, store: &SqliteStore) -> Option<SqliteStore> {
        Some(open_image(store.path()))
    }
}

stocktake::conformance!(Files::new());
