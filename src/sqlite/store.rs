//! A store in a file.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_channel::oneshot;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::commit_in::applied;
use super::error::{OpenError, not_opened};
use super::place::Place;
use super::schema;
use super::session::{Session, finished};
use super::writer::{Failure, Task, write_all};
use crate::sql::{Engine, Work};
use crate::store::{ChangeSet, CommitError, CommitOutcome, StoreError, StoreErrorKind};

/// The first SQLite that can't corrupt a file in write-ahead mode.
const OLDEST: i32 = 3_051_003;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 256;

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it has reached the disk.
    #[default]
    Full,
    /// Earlier: after a loss of power the newest commits may be gone (never half of one). For tests and for what
    /// can be taken in again.
    Deferred,
}

/// The most pages that a file of SQLite's can have.
const MOST_PAGES: i64 = 4_294_967_294;

/// How a file is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// When a commit is acknowledged.
    pub durability: Durability,
    /// How many threads read, at least one.
    pub readers: usize,
    /// How long to wait for another process's write before giving up as busy.
    pub busy_timeout: Duration,
    /// How much of the file each connection keeps in memory, in KiB.
    pub cache_kib: u32,
    /// The most bytes that the tables may take, in whole pages of the file; `None` for as many as the disk has.
    /// What would need more is refused as on a full disk: [`StoreErrorKind::Unavailable`], and nothing of it is
    /// kept. The write-ahead log beside the file is not part of it. A file that is larger already is read, and
    /// takes what fits into its free pages.
    pub max_bytes: Option<u64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            cache_kib: 16 * 1_024,
            max_bytes: None,
        }
    }
}

/// A store in a SQLite file. A clone is another handle of the same store; the file is closed with the last one.
///
/// A file that is deleted, moved away or replaced while it is open takes no commit any more
/// ([`StoreErrorKind::Misconfigured`]): what was written would be in no file that anybody finds. That is looked up right
/// before each commit, on Unix; what happens to the file in the very moment of a commit, to the write-ahead file beside it
/// or to the file's content by another program's hand can't be seen.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
///
/// use stocktake::domain::{OrganisationId, StockTakeId};
/// use stocktake::sqlite::SqliteStore;
/// use stocktake::store::RepositoryExt;
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("stocktake-{}.db", Uuid::new_v4()));
/// let store = SqliteStore::open(&path)?;
/// let organisation = OrganisationId::new(Uuid::from_u128(1));
/// let take = StockTakeId::new(Uuid::from_u128(2));
/// assert_eq!(store.stock_take(organisation, take).await?, None);
/// # drop(store);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<Path>,
    threads: Arc<Threads>,
}

type Reading = Box<dyn FnOnce(&mut Session<Connection>) + Send>;

/// The threads of a store, and how they are told what to do.
struct Threads {
    tasks: Option<Sender<Box<dyn Task>>>,
    readings: Option<Sender<Reading>>,
    writer: Option<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens a file with the default options; one that is not there is made.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, &SqliteOptions::default())
    }

    /// Opens a file; one that is not there is made.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_with(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST {
            let version = rusqlite::version();
            return Err(OpenError::TooOld { version });
        }
        let path = path.as_ref().to_path_buf();
        if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
            return Err(OpenError::NoFile { path });
        }
        // A path is a path: one that begins with `file:` is no URI.
        let file = Path::new(".").join(&path);
        let mut connection = connect(&file, options).map_err(|error| not_opened(&path, error))?;
        schema::migrate(&mut connection, &path)?;
        let place = Place::of(&file)?;
        let (tasks, to_write) = mpsc::channel();
        let (readings, to_read) = mpsc::channel();
        let to_read = Arc::new(Mutex::new(to_read));
        let mut threads = Threads {
            tasks: Some(tasks),
            readings: Some(readings),
            writer: None,
            readers: Vec::new(),
        };
        let writing = move || write_all(Session::new(connection), &place, &to_write);
        threads.writer = Some(start("stocktake-writer", writing)?);
        for _ in 0..options.readers.max(1) {
            let connection = connect(&file, options).map_err(|error| not_opened(&path, error))?;
            let session = Session::new(connection);
            let to_read = Arc::clone(&to_read);
            let reading = move || read_all(session, &to_read);
            let reader = start("stocktake-reader", reading)?;
            threads.readers.push(reader);
        }
        Ok(Self {
            path: path.into(),
            threads: Arc::new(threads),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn written<T, F: From<StoreError>>(
        &self,
        task: Box<dyn Task>,
        answer: oneshot::Receiver<Result<T, F>>,
    ) -> Result<T, F> {
        let sent = self.threads.tasks.as_ref().map(|tasks| tasks.send(task));
        match sent {
            Some(Ok(())) => answer.await.unwrap_or_else(|_| Err(closed().into())),
            Some(Err(_)) | None => Err(closed().into()),
        }
    }
}

fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "closed")
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    // Plans don't hang on the values of parameters: otherwise statements are compiled again for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Deferred => "NORMAL",
    };
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What undoes a statement that fails half way is kept in memory, not in a file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(
        None,
        "cache_size",
        i64::from(options.cache_kib).saturating_neg(),
    )?;
    if let Some(bytes) = options.max_bytes {
        let page: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        // Zero would mean no limit.
        let pages = bytes.checked_div(page.into()).unwrap_or(1).max(1);
        let pages = i64::try_from(pages).unwrap_or(MOST_PAGES).min(MOST_PAGES);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}

/// Reads, each time on one snapshot, until nobody can ask for it any more.
fn read_all(mut session: Session<Connection>, readings: &Mutex<Receiver<Reading>>) {
    loop {
        let next = readings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(reading) => reading(&mut session),
            Err(_) => return,
        }
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, "open").because(error))
}

impl Drop for Threads {
    /// What has been asked for is done first. The writer's connection closes last and alone, so that it takes the
    /// write-ahead file into the database: of two that close at once neither might.
    fn drop(&mut self) {
        self.readings = None;
        for reader in self.readers.drain(..) {
            let ended = reader.join();
            debug_assert!(ended.is_ok(), "no thread of a store panics");
        }
        self.tasks = None;
        if let Some(writer) = self.writer.take() {
            let ended = writer.join();
            debug_assert!(ended.is_ok(), "no thread of a store panics");
        }
    }
}

impl fmt::Debug for SqliteStore {
    /// Nothing of what it holds: that is other people's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

crate::sql::keep_repository!(SqliteStore);
crate::sql::keep_job_queue!(SqliteStore);

impl Engine for SqliteStore {
    type Snapshot = Session<Connection>;
    type Transaction = Session<Connection>;

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl for<'s> FnOnce(&'s mut Session<Connection>) -> Work<'s, T, StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let reading: Reading = Box::new(move |session| {
            if answer.is_canceled() {
                return;
            }
            session.operation = operation;
            let read = |session: &mut Session<Connection>| {
                session.say("BEGIN")?;
                let result = finished(operation, work(session));
                session.say("COMMIT")?;
                result
            };
            let result = read(session);
            if !session.connection.is_autocommit() {
                let undone = session.say("ROLLBACK");
                debug_assert!(undone.is_ok(), "reading leaves nothing to undo");
            }
            // Whoever asked may be gone by now.
            drop(answer.send(result));
        });
        let sent = (self.threads.readings.as_ref()).map(|readings| readings.send(reading));
        match sent {
            Some(Ok(())) => answered.await.unwrap_or_else(|_| Err(closed())),
            Some(Err(_)) | None => Err(closed()),
        }
    }

    async fn write<T: Send + 'static, F: From<StoreError> + Send + 'static>(
        &self,
        operation: &'static str,
        work: impl for<'t> Fn(&'t mut Session<Connection>) -> Work<'t, T, F> + Send + 'static,
    ) -> Result<T, F> {
        let (answer, answered) = oneshot::channel();
        let task = Writing {
            operation,
            work: move |session: &mut Session<Connection>| finished(operation, work(session)),
            unknown: |error: StoreError| F::from(error),
            result: None,
            answer,
        };
        self.written(Box::new(task), answered).await
    }

    async fn write_changes(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        let (answer, answered) = oneshot::channel();
        let changes = changes.clone();
        let task = Writing {
            operation: "commit",
            work: move |session: &mut Session<Connection>| applied(session, &changes),
            unknown: CommitError::OutcomeUnknown,
            result: None,
            answer,
        };
        self.written(Box::new(task), answered).await
    }
}

/// Something to be written, and who waits for it.
struct Writing<W, T, F> {
    operation: &'static str,
    work: W,
    /// What to say when nobody knows whether it was written.
    unknown: fn(StoreError) -> F,
    result: Option<Result<T, F>>,
    answer: oneshot::Sender<Result<T, F>>,
}

impl<W, T, F> Task for Writing<W, T, F>
where
    W: FnMut(&mut Session<Connection>) -> Result<T, F> + Send,
    T: Send,
    F: From<StoreError> + Send,
{
    fn run(&mut self, session: &mut Session<Connection>) -> bool {
        session.operation = self.operation;
        let result = (self.work)(session);
        self.result.insert(result).is_ok()
    }

    fn committed(self: Box<Self>) {
        let result = self.result.unwrap_or_else(|| Err(closed().into()));
        // Whoever asked may be gone by now.
        drop(self.answer.send(result));
    }

    fn failed(self: Box<Self>, failure: Failure) {
        let error = match (failure, self.result) {
            // It would not have been kept anyway.
            (_, Some(Err(error))) => error,
            (Failure::Nothing(error), Some(Ok(_)) | None) => error.into(),
            (Failure::Unknown(error), Some(Ok(_)) | None) => (self.unknown)(error),
        };
        drop(self.answer.send(Err(error)));
    }
}
