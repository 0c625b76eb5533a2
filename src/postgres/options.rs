//! How a database is opened as a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How commits keep each other's guards from changing (clause R8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// By advisory locks: one round trip for all, and fair to whoever changes a document that many count on.
    /// `PostgreSQL` has them. A database that speaks its protocol may only pretend to, or not know them.
    Advisory,
    /// By rows of a table, sixteen for each document: whoever counts locks one of them, whoever changes the
    /// document all. For databases without advisory locks.
    Rows,
}

/// Somebody who is told the text of each statement.
pub type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// How a database is opened.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use stocktake::postgres::PostgresOptions;
///
/// let mut options = PostgresOptions::default();
/// options.schema = "inventory".to_owned();
/// options.lock_timeout = Duration::from_secs(2);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// The schema that the tables are in: 1 to 40 small letters, digits and underscores that begin with a letter. It is
    /// made if it is not there.
    pub schema: String,
    /// How guards are kept. `None`: what the schema was made for; when it is made, what a check of the database
    /// shows it to have.
    pub locks: Option<Locks>,
    /// How long a statement waits for others before it gives up as busy. At least a millisecond.
    pub lock_timeout: Duration,
    /// How long a statement may take before it gives up as busy. At least a millisecond.
    pub statement_timeout: Duration,
    /// How long the server keeps a transaction whose client says nothing. At least a millisecond.
    pub idle_timeout: Duration,
    /// Whether each connection keeps its statements prepared. Turn it off behind a pooler that gives each
    /// transaction another connection and does not keep track of prepared statements.
    pub keep_prepared: bool,
    /// Whether each connection plans a statement that it keeps prepared once, and not anew for the values of each call:
    /// planning takes longer than a count. Turn it off where the tables are in hundreds of local partitions, which a
    /// plan for any value looks through. Without effect on a server that has not all settings that it takes.
    pub plan_once: bool,
    /// Is told the text of each statement (`$1`, `$2` ... where values go, so it carries nobody's data).
    pub on_statement: Option<Listener>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "stocktake".to_owned(),
            locks: None,
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            keep_prepared: true,
            plan_once: true,
            on_statement: None,
        }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            schema,
            locks,
            lock_timeout,
            statement_timeout,
            idle_timeout,
            keep_prepared,
            plan_once,
            on_statement,
        } = self;
        f.debug_struct("PostgresOptions")
            .field("schema", schema)
            .field("locks", locks)
            .field("lock_timeout", lock_timeout)
            .field("statement_timeout", statement_timeout)
            .field("idle_timeout", idle_timeout)
            .field("keep_prepared", keep_prepared)
            .field("plan_once", plan_once)
            .field("on_statement", &on_statement.is_some())
            .finish()
    }
}

/// How statements are planned whose plans are kept: what tables hold when that happens must not matter. A look-up goes by
/// an index even if one page is all there is today; a list goes along the index that has its order, and not through
/// everything that it might be narrowed to.
pub(super) const PLANNED_ONCE: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_sort", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
];

/// How the server plans statements that are kept prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plans {
    /// When they are first used, for any values.
    Once,
    /// As the server is set to.
    AsSet,
}

impl PostgresOptions {
    /// Whether the schema's name is one.
    pub(super) fn has_valid_schema(&self) -> bool {
        let name = self.schema.as_bytes();
        let is_first = name.first().is_some_and(u8::is_ascii_lowercase);
        let is_rest = |it: &u8| it.is_ascii_lowercase() || it.is_ascii_digit() || *it == b'_';
        is_first && name.len() <= 40 && name.iter().all(is_rest)
    }

    /// What begins a transaction that writes.
    pub(super) fn begin_writing(&self, plans: Plans) -> String {
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {}",
            self.settings(plans)
        )
    }

    /// What begins a transaction that reads one snapshot.
    pub(super) fn begin_reading(&self, plans: Plans) -> String {
        format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}",
            self.settings(plans)
        )
    }

    /// For this transaction only: the connection is the host's, and behind a pooler another one each time.
    fn settings(&self, plans: Plans) -> String {
        let plans: String = match plans {
            Plans::Once => PLANNED_ONCE
                .map(|(name, value)| format!("; SET LOCAL {name} = {value}"))
                .concat(),
            Plans::AsSet => String::new(),
        };
        let millis = |it: Duration| it.as_millis().clamp(1, 2_000_000_000);
        format!(
            "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}{plans}",
            millis(self.lock_timeout),
            millis(self.statement_timeout),
            millis(self.idle_timeout),
        )
    }
}
