//! Where everything is kept: in a SQLite file, or in memory.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stocktake::domain::StockTakeState;
use stocktake::memory::MemoryStore;
use stocktake::sqlite::SqliteStore;
use stocktake::store::{JobQueue, PageRequest, Repository, RepositoryExt, StockTakeFilter};

use crate::arguments::Storage;
use crate::failure::Failure;
use crate::retail;
use crate::screen::line;
use crate::shop::{ORGANISATION, POSTINGS, SITE};

/// An open store.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) queue: Arc<dyn JobQueue>,
    /// Whether an earlier run had begun in it.
    pub(crate) is_continued: bool,
}

impl Opened {
    fn of<S: Repository + JobQueue>(store: Arc<S>, is_continued: bool) -> Self {
        Self {
            repository: store.clone(),
            queue: store,
            is_continued,
        }
    }
}

/// Opens the store.
pub(crate) async fn open(storage: Storage, month: &retail::Shop) -> Result<Opened, Failure> {
    let named = match storage {
        Storage::Memory => return Ok(Opened::of(Arc::new(MemoryStore::new()), false)),
        Storage::File(named) => named,
    };
    let is_named = named.is_some();
    let path = named.unwrap_or_else(|| own_file(month));
    let mut store = open_file(&path)?;
    if is_finished(&store).await? {
        let told = path.display();
        if is_named {
            let told = format!("{told} holds a finished take: remove it, or name another file");
            return Err(Failure::Unfit(told));
        }
        line(format_args!("{told} holds a finished take: begun anew"))?;
        drop(store);
        remove(&path)?;
        store = open_file(&path)?;
    }
    let is_continued = store.site(ORGANISATION, SITE).await?.is_some();
    let told = path.display();
    if is_continued {
        line(format_args!(
            "Kept in {told}: an interrupted run is continued\n"
        ))?;
    } else {
        line(format_args!(
            "Kept in {told}: if this is interrupted, the next run continues\n"
        ))?;
    }
    Ok(Opened::of(Arc::new(store), is_continued))
}

/// A file in the current folder, another one for other data.
fn own_file(month: &retail::Shop) -> PathBuf {
    let opens_at = month.split().opens_at.format("%Y-%m");
    let articles = month.articles.len();
    PathBuf::from(format!("stock_take-{opens_at}-{articles}.db"))
}

fn open_file(path: &Path) -> Result<SqliteStore, Failure> {
    SqliteStore::open(path)
        .map_err(|error| Failure::Unfit(format!("{} can't be opened: {error}", path.display())))
}

/// Whether the take in it has been posted for the last time.
async fn is_finished(store: &SqliteStore) -> Result<bool, Failure> {
    let states = BTreeSet::from([StockTakeState::Finished]);
    let (filter, page) = (StockTakeFilter { states }, PageRequest::first(1));
    let takes = store
        .stock_takes(ORGANISATION, SITE, &filter, &page)
        .await?;
    Ok(takes
        .items
        .iter()
        .any(|take| take.value.round() >= POSTINGS))
}

/// Removes a file, and what SQLite keeps beside it.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = OsString::from(path);
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
