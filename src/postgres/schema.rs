//! The tables, and how they came to be.

use deadpool_postgres::Pool;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::Locks;
use super::error::{OpenError, failed, not_connected};
use super::locks::has_advisory;
use super::options::{PLANNED_ONCE, Plans, PostgresOptions};
use crate::store::{StoreError, StoreErrorKind};

/// What each version adds to the one before; the first makes everything. What was released is never changed.
const STEPS: [&str; 1] = [include_str!("schema_1.sql")];

/// How often making the schema is tried: two processes that make it at once get in each other's way.
const ATTEMPTS: u8 = 5;

/// What stands in the table of the schema.
struct Found {
    version: i64,
    locks: Locks,
}

/// Brings a schema to the latest version; one that is not there is made. How commits lock in it is decided once, for
/// every process. Where nothing has to be done, nothing but reading is.
pub(super) async fn migrate(pool: &Pool, options: &PostgresOptions) -> Result<Locks, OpenError> {
    if !options.has_valid_schema() {
        return Err(OpenError::InvalidSchema);
    }
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let connect = async || {
        let connection = pool.get().await;
        connection.map_err(|error| not_connected("open", &error))
    };
    let fail = |error: tokio_postgres::Error| OpenError::Store(failed("migrate", &error));
    let mut found = find(&**connect().await?, &options.schema)
        .await
        .map_err(fail)?;
    if found.as_ref().is_none_or(|found| found.version < known) {
        let wanted = match (&found, options.locks) {
            (Some(found), _) => found.locks,
            (None, Some(locks)) => locks,
            (None, None) if has_advisory(pool).await? => Locks::Advisory,
            (None, None) => Locks::Rows,
        };
        let connection = connect().await?;
        let mut attempts = ATTEMPTS;
        let made = loop {
            attempts = attempts.saturating_sub(1);
            let made = make(&connection, options, wanted, known).await;
            match made {
                Ok(made) => break made,
                Err(error) => {
                    let undone = connection.batch_execute("ROLLBACK").await;
                    if undone.is_err() || attempts == 0 || !is_crossed(&error) {
                        return Err(fail(error));
                    }
                }
            }
        };
        found = Some(made);
    }
    let Some(Found { version, locks }) = found else {
        let missing = StoreError::new(StoreErrorKind::Corrupt, "migrate");
        return Err(OpenError::Store(missing));
    };
    if version > known {
        let found = version;
        return Err(OpenError::Newer { found, known });
    }
    if options.locks.is_some_and(|wanted| wanted != locks) {
        return Err(OpenError::OtherLocks);
    }
    // It may have been copied here from another kind of database. One connection can't tell.
    let can_tell = pool.status().max_size >= 2;
    if locks == Locks::Advisory && can_tell && !has_advisory(pool).await? {
        return Err(OpenError::NoAdvisoryLocks);
    }
    Ok(locks)
}

/// How statements can be planned.
pub(super) async fn plans(pool: &Pool, options: &PostgresOptions) -> Result<Plans, StoreError> {
    if !(options.keep_prepared && options.plan_once) {
        return Ok(Plans::AsSet);
    }
    let connection = pool.get().await;
    let connection = connection.map_err(|error| not_connected("open", &error))?;
    let names: Vec<&str> = PLANNED_ONCE.iter().map(|(name, _)| *name).collect();
    let asked = "SELECT name FROM pg_settings WHERE name = ANY($1::text[])";
    let found = connection.query(asked, &[&names]).await;
    let found = found.map_err(|error| failed("open", &error))?;
    Ok(if found.len() == names.len() {
        Plans::Once
    } else {
        Plans::AsSet
    })
}

/// Whether somebody else was making the same at the same time.
fn is_crossed(error: &tokio_postgres::Error) -> bool {
    let crossed = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::INTERNAL_ERROR,
    ];
    error.code().is_some_and(|code| crossed.contains(code))
}

/// What there is of the schema.
async fn find(client: &Client, schema: &str) -> Result<Option<Found>, tokio_postgres::Error> {
    let tables = client
        .query(
            "SELECT 1 FROM information_schema.tables \
             WHERE table_schema = $1::text AND table_name = 'stk_schema'",
            &[&schema],
        )
        .await?;
    if tables.is_empty() {
        return Ok(None);
    }
    let text = format!("SELECT version, locks FROM {schema}.stk_schema WHERE version > 0");
    found(client, &text).await
}

async fn found(client: &Client, text: &str) -> Result<Option<Found>, tokio_postgres::Error> {
    let Some(row) = client.query_opt(text, &[]).await? else {
        return Ok(None);
    };
    let locks: String = row.try_get(1)?;
    Ok(Some(Found {
        version: row.try_get(0)?,
        locks: match locks.as_str() {
            "advisory" => Locks::Advisory,
            _ => Locks::Rows,
        },
    }))
}

/// Makes what is missing, in one transaction, while everybody else who would waits for the one row of its table.
async fn make(
    client: &Client,
    options: &PostgresOptions,
    wanted: Locks,
    known: i64,
) -> Result<Found, tokio_postgres::Error> {
    let schema = &options.schema;
    let is_there = client
        .query(
            "SELECT 1 FROM pg_namespace WHERE nspname = $1::text",
            &[schema],
        )
        .await?;
    if is_there.is_empty() {
        client
            .batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"))
            .await?;
    }
    client
        .batch_execute(&format!(
            "CREATE TABLE IF NOT EXISTS {schema}.stk_schema (\
             only_one BIGINT PRIMARY KEY CHECK (only_one = 1), version BIGINT NOT NULL, locks TEXT NOT NULL)"
        ))
        .await?;
    let locks = match wanted {
        Locks::Advisory => "advisory",
        Locks::Rows => "rows",
    };
    client
        .batch_execute(&format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path = {schema}; \
             INSERT INTO stk_schema (only_one, version, locks) VALUES (1, 0, '{locks}') \
             ON CONFLICT DO NOTHING"
        ))
        .await?;
    let there = found(
        client,
        "SELECT version, locks FROM stk_schema WHERE only_one = 1 FOR UPDATE",
    );
    let mut there = there.await?.unwrap_or(Found {
        version: 0,
        locks: wanted,
    });
    for (number, step) in (1_i64..).zip(STEPS) {
        if number > there.version {
            client.batch_execute(step).await?;
            there.version = number;
        }
    }
    client
        .batch_execute(&format!(
            "UPDATE stk_schema SET version = {} WHERE version < {known}; COMMIT",
            there.version
        ))
        .await?;
    Ok(there)
}
