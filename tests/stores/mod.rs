//! A fresh store of each kind that is built in, for the tests that run on all of them.
#![allow(
    dead_code,
    reason = "compiled into each test, and each uses its own part"
)]

#[cfg(feature = "postgres")]
#[path = "../postgres_server/mod.rs"]
pub(crate) mod postgres_server;

use std::sync::Arc;

#[cfg(feature = "postgres")]
use stocktake::conformance::Harness as _;
use stocktake::memory::MemoryStore;
#[cfg(feature = "sqlite")]
use stocktake::sqlite::{Durability, SqliteOptions, SqliteStore};
use stocktake::store::{JobQueue, Repository};
use tempfile::TempDir;

#[cfg(feature = "postgres")]
use postgres_server::Schemas;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Kind {
    /// All that this build has.
    pub(crate) const ALL: &[Self] = &[
        Self::Memory,
        #[cfg(feature = "sqlite")]
        Self::Sqlite,
        #[cfg(feature = "postgres")]
        Self::Postgres,
    ];

    /// Those that live in the process of the test: for what asks for a hundred stores, of which a server makes a few a
    /// second.
    pub(crate) const EMBEDDED: &[Self] = &[
        Self::Memory,
        #[cfg(feature = "sqlite")]
        Self::Sqlite,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
        }
    }
}

/// Where a test gets its stores of one kind. What they leave on a server goes with it.
pub(crate) struct Stores {
    kind: Kind,
    #[cfg(feature = "postgres")]
    schemas: Schemas,
}

impl Stores {
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            #[cfg(feature = "postgres")]
            schemas: Schemas::new(),
        }
    }

    /// A fresh store, on the runtime of whoever asks. One on a server is in a schema that no other store is in as long
    /// as any handle of it is held.
    pub(crate) async fn fresh(&self) -> Store {
        match self.kind {
            Kind::Memory => Store::of(MemoryStore::fresh()),
            #[cfg(feature = "sqlite")]
            Kind::Sqlite => Store::of(SqliteStore::fresh()),
            #[cfg(feature = "postgres")]
            Kind::Postgres => Store::of((self.schemas.fresh().await, None)),
        }
    }
}

/// A store of any kind, and the folder that goes with it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) queue: Arc<dyn JobQueue>,
    _folder: Option<TempDir>,
}

impl Store {
    fn of<S: Repository + JobQueue>((store, folder): (S, Option<TempDir>)) -> Self {
        let store = Arc::new(store);
        Self {
            repository: store.clone(),
            queue: store,
            _folder: folder,
        }
    }
}

/// A store of one kind, fresh, and the folder that it is in, if it is in one.
pub(crate) trait Fresh: Repository + JobQueue + Sized {
    fn fresh() -> (Self, Option<TempDir>);
}

impl Fresh for MemoryStore {
    fn fresh() -> (Self, Option<TempDir>) {
        (Self::new(), None)
    }
}

/// A store that is prepared once, and then had as often as it takes.
pub(crate) trait Again: Fresh {
    type Kept;

    /// What it holds.
    fn kept(&self) -> Self::Kept;

    /// A store of its own that holds the same.
    fn again(kept: &Self::Kept) -> (Self, Option<TempDir>);
}

impl Again for MemoryStore {
    type Kept = Self;

    fn kept(&self) -> Self {
        self.fork()
    }

    fn again(kept: &Self) -> (Self, Option<TempDir>) {
        (kept.fork(), None)
    }
}

#[cfg(feature = "sqlite")]
impl Fresh for SqliteStore {
    fn fresh() -> (Self, Option<TempDir>) {
        let folder = folder();
        (opened(&folder), Some(folder))
    }
}

#[cfg(feature = "sqlite")]
impl Again for SqliteStore {
    /// The bytes of the file.
    type Kept = Vec<u8>;

    fn kept(&self) -> Vec<u8> {
        let beside = rusqlite::Connection::open(self.path()).expect("the file opens twice");
        let all: (bool, i64, i64) = beside
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .expect("what is in the write-ahead file can be moved");
        assert_eq!(
            all,
            (false, 0, 0),
            "nothing is left in the write-ahead file"
        );
        std::fs::read(self.path()).expect("the file can be read")
    }

    fn again(kept: &Vec<u8>) -> (Self, Option<TempDir>) {
        let folder = folder();
        std::fs::write(folder.path().join(FILE), kept).expect("there is room");
        (opened(&folder), Some(folder))
    }
}

#[cfg(feature = "sqlite")]
const FILE: &str = "stock.db";

/// In memory where the system has such a folder: thousands of files are made that nobody wants to keep.
#[cfg(feature = "sqlite")]
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("there is a folder for temporary files")
}

/// Does not wait for the disk: no power is lost in these tests.
#[cfg(feature = "sqlite")]
fn opened(folder: &TempDir) -> SqliteStore {
    let mut options = SqliteOptions::default();
    options.durability = Durability::Deferred;
    options.readers = 1;
    SqliteStore::open_with(folder.path().join(FILE), &options).expect("the file opens")
}
