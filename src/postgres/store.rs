//! A store in a database.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use deadpool_postgres::Pool;
use tokio::runtime::Handle;

use super::error::{Meaning, OpenError, not_connected};
use super::options::PostgresOptions;
use super::place::Place;
use super::schema;
use super::session::Session;
use super::wire::{Pooled, Wire};
use crate::sql::{Care, Engine, Refused, Work, commit};
use crate::store::{ChangeSet, CommitError, CommitOutcome, StoreError, StoreErrorKind};

/// How often something is done again because others were in the way.
pub(super) const ATTEMPTS: u8 = 5;

/// A store in a `PostgreSQL` database, over the host's pool of connections. A clone is another handle of the same
/// store.
///
/// It works on the runtime that it is called on, which must be one of tokio's: without one every call fails as
/// [`Unavailable`](StoreErrorKind::Unavailable).
///
/// # Example
///
/// ```no_run
/// use std::sync::Arc;
///
/// use stocktake::postgres::deadpool_postgres::{Manager, Pool};
/// use stocktake::postgres::tokio_postgres::NoTls;
/// use stocktake::postgres::{PostgresOptions, PostgresStore};
/// use stocktake::service::Stocktake;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let config = "postgresql://app@localhost/shop".parse()?;
/// let pool = Pool::builder(Manager::new(config, NoTls)).max_size(16).build()?;
/// let store = PostgresStore::open(pool, PostgresOptions::default()).await?;
/// let stocktake = Stocktake::new(Arc::new(store));
/// # drop(stocktake);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    pub(super) place: Arc<Place>,
}

impl PostgresStore {
    /// Opens a database over the host's pool. The schema is made, and brought to the library's version, when it is
    /// not there or older; that takes the right to make tables, which nothing else does.
    ///
    /// Give the pool a time limit for waiting: a call waits for a connection as long as the pool does.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open(pool: Pool, options: PostgresOptions) -> Result<Self, OpenError> {
        let locks = schema::migrate(&pool, &options).await?;
        let plans = schema::plans(&pool, &options).await?;
        let place = Arc::new(Place::new(options, locks, plans));
        Ok(Self { pool, place })
    }

    /// The host's pool.
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How it was opened.
    pub fn options(&self) -> &PostgresOptions {
        &self.place.options
    }

    async fn session(&self, operation: &'static str) -> Result<Session<Pooled>, StoreError> {
        let connection = self.pool.get().await;
        let connection = connection.map_err(|error| not_connected(operation, &error))?;
        let keep_prepared = self.place.options.keep_prepared;
        let pooled = Pooled {
            connection,
            keep_prepared,
        };
        Ok(Session::new(pooled, Arc::clone(&self.place), operation))
    }

    async fn written<T: Send, F: From<StoreError> + Send>(
        &self,
        operation: &'static str,
        work: impl for<'t> Fn(&'t mut Session<Pooled>) -> Work<'t, T, F> + Send + 'static,
    ) -> Result<T, F> {
        let mut patience = Patience::new();
        loop {
            let mut session = self.session(operation).await?;
            session.begin_writing();
            let error = match work(&mut session).await {
                Ok(value) => match session.commit().await {
                    Ok(()) => return Ok(value),
                    Err(error) => error.into(),
                },
                Err(error) => error,
            };
            session.undo().await;
            if !patience.is_worth_it(session.meaning) {
                return Err(error);
            }
        }
    }

    async fn applied(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        let mut patience = Patience::new();
        let mut care = Care::Hopeful;
        loop {
            let mut session = self.session("commit").await?;
            session.begin_writing();
            let refused = match commit(&mut session, changes, care).await {
                Ok(CommitOutcome::AlreadyApplied(outcome)) => {
                    session.undo().await;
                    return Ok(CommitOutcome::AlreadyApplied(outcome));
                }
                Ok(CommitOutcome::Applied) => match session.commit().await {
                    Ok(()) => return Ok(CommitOutcome::Applied),
                    Err(error) if session.is_in_doubt() => {
                        return Err(CommitError::OutcomeUnknown(error));
                    }
                    Err(error) => Refused::For(error.into()),
                },
                Err(refused) => refused,
            };
            session.undo().await;
            let meaning = session.meaning;
            drop(session);
            match next(refused, meaning, care, &mut patience) {
                Ok(next) => care = next,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Applies a change set in a transaction that somebody else ends.
pub(super) async fn finished<W: Wire>(
    session: &mut Session<W>,
    changes: &ChangeSet,
    care: Care,
) -> Result<CommitOutcome, Refused> {
    let outcome = commit(session, changes, care).await?;
    session.finish().await?;
    Ok(outcome)
}

/// With how much care a change set that was refused is tried again; the error, if it is not.
pub(super) fn next(
    refused: Refused,
    meaning: Option<Meaning>,
    care: Care,
    patience: &mut Patience,
) -> Result<Care, CommitError> {
    match refused {
        Refused::Surprised if patience.is_worth_it(Some(Meaning::Surprise)) => Ok(Care::Thorough),
        Refused::Surprised => Err(StoreError::new(StoreErrorKind::Busy, "commit").into()),
        Refused::For(CommitError::Conflict(_)) if care == Care::Hopeful => Ok(Care::Thorough),
        Refused::For(error) => {
            if !patience.is_worth_it(meaning) {
                return Err(error);
            }
            if meaning == Some(Meaning::Surprise) {
                return Ok(Care::Thorough);
            }
            Ok(care)
        }
    }
}

/// How often more something is tried.
pub(super) struct Patience(u8);

impl Patience {
    pub(super) const fn new() -> Self {
        Self(ATTEMPTS)
    }

    /// Whether to try again after a failure of this meaning.
    pub(super) const fn is_worth_it(&mut self, meaning: Option<Meaning>) -> bool {
        self.0 = self.0.saturating_sub(1);
        let may_help = matches!(
            meaning,
            Some(Meaning::Again | Meaning::Surprise | Meaning::Stale)
        );
        may_help && self.0 > 0
    }
}

/// Work that goes on when whoever asked for it has gone: no transaction is left half way.
async fn on_its_own<T: Send + 'static, F: From<StoreError> + Send + 'static>(
    operation: &'static str,
    work: impl Future<Output = Result<T, F>> + Send + 'static,
    lost: impl Fn(StoreError) -> F,
) -> Result<T, F> {
    let unavailable = StoreError::new(StoreErrorKind::Unavailable, operation);
    let Ok(runtime) = Handle::try_current() else {
        return Err(unavailable.into());
    };
    // Only a runtime that shuts down drops a task.
    (runtime.spawn(work).await).unwrap_or_else(|cause| Err(lost(unavailable.because(cause))))
}

crate::sql::keep_repository!(PostgresStore);
crate::sql::keep_job_queue!(PostgresStore);

impl Engine for PostgresStore {
    type Snapshot = Session<Pooled>;
    type Transaction = Session<Pooled>;

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl for<'s> FnOnce(&'s mut Session<Pooled>) -> Work<'s, T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if Handle::try_current().is_err() {
            return Err(StoreError::new(StoreErrorKind::Unavailable, operation));
        }
        let mut session = self.session(operation).await?;
        session.begin_reading();
        let result = work(&mut session).await;
        session.end_reading();
        result
    }

    async fn write<T: Send + 'static, F: From<StoreError> + Send + 'static>(
        &self,
        operation: &'static str,
        work: impl for<'t> Fn(&'t mut Session<Pooled>) -> Work<'t, T, F> + Send + 'static,
    ) -> Result<T, F> {
        let store = self.clone();
        let work = async move { store.written(operation, work).await };
        on_its_own(operation, work, F::from).await
    }

    async fn write_changes(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
        let store = self.clone();
        let changes = changes.clone();
        let work = async move { store.applied(&changes).await };
        on_its_own("commit", work, CommitError::OutcomeUnknown).await
    }
}

impl fmt::Debug for PostgresStore {
    /// Nothing of what it holds: that is other people's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}
