//! The tables, and how they came to be.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::{OpenError, failed};

/// What each version adds to the one before; the first makes everything. What was released is never changed.
const STEPS: [&str; 1] = [include_str!("schema_1.sql")];

/// Brings a file to the latest version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let fail = |error| failed("migrate", error);
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version(connection).map_err(fail)? == Some(known) {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fail)?;
    let found = version(&transaction).map_err(fail)?.unwrap_or_default();
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (number, step) in (1_i64..).zip(STEPS) {
        if number > found {
            transaction.execute_batch(step).map_err(fail)?;
        }
    }
    transaction
        .execute_batch("CREATE TABLE IF NOT EXISTS stk_schema (version INTEGER NOT NULL) STRICT; DELETE FROM stk_schema;")
        .map_err(fail)?;
    transaction
        .execute("INSERT INTO stk_schema (version) VALUES (?1)", [known])
        .map_err(fail)?;
    transaction.commit().map_err(fail)?;
    Ok(())
}

/// The version of the tables; `None` when there are none.
fn version(connection: &Connection) -> Result<Option<i64>, rusqlite::Error> {
    let is_there = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'stk_schema'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    if is_there.is_none() {
        return Ok(None);
    }
    connection
        .query_row("SELECT version FROM stk_schema", [], |row| row.get(0))
        .optional()
}
