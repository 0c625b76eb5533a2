//! The tables, and how they came to be.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::{OpenError, failed};

/// What each version adds to the one before; the first makes everything. What was released is never changed.
const STEPS: [&str; 1] = [include_str!("schema_1.sql")];

/// Brings the file at a path to the latest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let fail = |error| failed("migrate", error);
    let damaged = |problem| OpenError::Damaged {
        path: path.to_path_buf(),
        problem,
    };
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version(connection).map_err(fail)? == Version::Of(known) {
        return match missing(connection).map_err(fail)? {
            None => Ok(()),
            Some(missing) => Err(damaged(missing)),
        };
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fail)?;
    let found = match version(&transaction).map_err(fail)? {
        Version::Of(found) if found > known => return Err(OpenError::Newer { found, known }),
        Version::Of(found) if found > 0 => found,
        Version::Of(found) => {
            return Err(damaged(format!("table stk_schema says version {found}")));
        }
        Version::Unclear(rows) => return Err(damaged(format!("table stk_schema has {rows} rows"))),
        Version::None => 0,
    };
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

/// What a file says of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// There are no tables.
    None,
    /// This one.
    Of(i64),
    /// It says none, or several.
    Unclear(i64),
}

fn version(connection: &Connection) -> Result<Version, rusqlite::Error> {
    let ours = "SELECT count(*), coalesce(sum(type = 'table' AND name = 'stk_schema'), 0) \
                FROM sqlite_schema WHERE name LIKE 'stk\\_%' ESCAPE '\\'";
    let (all, is_there): (i64, i64) =
        connection.query_row(ours, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if is_there == 0 {
        return Ok(if all == 0 {
            Version::None
        } else {
            Version::Unclear(0)
        });
    }
    let text = "SELECT count(*), coalesce(max(version), 0) FROM stk_schema";
    connection.query_row(text, [], |row| {
        let (rows, version) = (row.get(0)?, row.get(1)?);
        Ok(if rows == 1 {
            Version::Of(version)
        } else {
            Version::Unclear(rows)
        })
    })
}

/// What the latest version has and the file does not.
fn missing(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let mut statement = connection.prepare("SELECT type || ' ' || name FROM sqlite_schema")?;
    let found = statement.query_map([], |row| row.get(0))?;
    let found: BTreeSet<String> = found.collect::<Result<_, _>>()?;
    let missing: Vec<String> = made().filter(|it| !found.contains(it)).collect();
    Ok((!missing.is_empty()).then(|| format!("{} missing", missing.join(", "))))
}

/// What the steps make, as `table stk_site`.
fn made() -> impl Iterator<Item = String> {
    let lines = STEPS.iter().flat_map(|step| step.lines());
    lines.filter_map(|line| {
        let mut words = line.strip_prefix("CREATE ")?.split_whitespace();
        let kind = words.find(|word| *word != "UNIQUE")?.to_lowercase();
        Some(format!("{kind} {}", words.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_steps_make_is_all_that_a_new_file_has() -> Result<(), Box<dyn std::error::Error>> {
        let mut connection = Connection::open_in_memory()?;
        migrate(&mut connection, Path::new("memory"))?;
        let text = "SELECT type || ' ' || name FROM sqlite_schema \
                    WHERE name NOT LIKE 'sqlite%' AND name <> 'stk_schema'";
        let mut statement = connection.prepare(text)?;
        let found = statement.query_map([], |row| row.get(0))?;
        let found = found.collect::<Result<BTreeSet<String>, _>>()?;
        assert!(found.len() > 30, "{found:?}");
        assert_eq!(made().collect::<BTreeSet<String>>(), found);
        Ok(())
    }
}
