//! The one place where the store is chosen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stocktake::memory::MemoryStore;
use stocktake::service::Stocktake;
use stocktake::store::{JobQueue, Repository};

/// Where everything is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoreChoice {
    /// In memory: gone with the process.
    #[default]
    Memory,
    /// In a `SQLite` file.
    Sqlite(PathBuf),
    /// In a `PostgreSQL` database.
    Postgres(String),
}

/// A store, and the library over it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) stocktake: Stocktake,
}

impl Opened {
    fn of<S: Repository + JobQueue>(store: Arc<S>) -> Self {
        Self {
            repository: Arc::<S>::clone(&store),
            stocktake: Stocktake::new(store),
        }
    }
}

/// Opens the chosen store, and the library over it.
///
/// # Errors
///
/// What is wrong, in words. The address of a database may hold a password: it is not repeated.
pub(crate) async fn open_store(choice: &StoreChoice) -> Result<Opened, String> {
    match choice {
        StoreChoice::Memory => Ok(Opened::of(Arc::new(MemoryStore::new()))),
        StoreChoice::Sqlite(path) => sqlite(path),
        StoreChoice::Postgres(address) => postgres(address).await,
    }
}

fn sqlite(path: &Path) -> Result<Opened, String> {
    let store = stocktake::sqlite::SqliteStore::open(path);
    let store = store.map_err(|error| format!("{}: {}", path.display(), causes(&error)))?;
    Ok(Opened::of(Arc::new(store)))
}

async fn postgres(address: &str) -> Result<Opened, String> {
    use stocktake::postgres::deadpool_postgres::{Manager, Pool};
    use stocktake::postgres::tokio_postgres::{Config, NoTls};
    use stocktake::postgres::{PostgresOptions, PostgresStore};

    let config: Config = address
        .parse()
        .map_err(|_| "--postgres needs the address of a database".to_owned())?;
    let pool = Pool::builder(Manager::new(config, NoTls))
        .max_size(CONNECTIONS)
        .build()
        .map_err(|error| causes(&error))?;
    let store = PostgresStore::open(pool, PostgresOptions::default()).await;
    let store = store.map_err(|error| causes(&error))?;
    Ok(Opened::of(Arc::new(store)))
}

/// As many as requests and workers that talk to the database at the same time.
const CONNECTIONS: usize = 16;

/// An error and what is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}
