//! A fresh store of each kind that is built in, for the tests that run on all of them.
#![allow(
    dead_code,
    reason = "compiled into each test, and each uses its own part"
)]

#[cfg(feature = "postgres")]
#[path = "../postgres_server/mod.rs"]
mod postgres_server;

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

#[cfg(feature = "sqlite")]
impl Fresh for SqliteStore {
    /// Does not wait for the disk: no power is lost in these tests.
    fn fresh() -> (Self, Option<TempDir>) {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let mut options = SqliteOptions::default();
        options.durability = Durability::Deferred;
        options.readers = 1;
        let store = Self::open_with(folder.path().join("stock.db"), &options);
        (store.expect("a new file opens"), Some(folder))
    }
}
