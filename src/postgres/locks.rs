//! What commits hold, so that no guard changes under them (clause R8).

use std::collections::BTreeMap;

use deadpool_postgres::Pool;
use tokio_postgres::Client;
use uuid::Uuid;

use super::Locks;
use super::error::{failed, not_connected};
use super::place::Place;
use crate::domain::OrganisationId;
use crate::sql::{Cell, Dialect, Held, Kind, Lookup, Query};
use crate::store::StoreError;

/// The statements that hold what a commit holds, each lock in the order in which every commit takes them.
pub(super) fn hold(place: &Place, parts: u8, held: Held) -> Vec<Query> {
    let Held {
        organisation,
        part,
        shared,
        changed,
    } = held;
    if shared.is_empty() && changed.is_empty() {
        return Vec::new();
    }
    // What is changed goes before what is shared: one lock of each.
    let all =
        (shared.into_iter().map(|id| (id, false))).chain(changed.into_iter().map(|id| (id, true)));
    match place.locks {
        Locks::Advisory => {
            let all: BTreeMap<i64, bool> = all
                .map(|(id, is_changed)| {
                    let key = advisory_key(&place.options.schema, organisation.as_uuid(), id);
                    (key, is_changed)
                })
                .collect();
            vec![advisory(all)]
        }
        Locks::Rows => {
            let all: BTreeMap<Uuid, bool> = all.collect();
            let mut rows = Vec::new();
            for (id, is_changed) in all {
                let whole = 0..i64::from(parts);
                let one = part..part.saturating_add(1);
                let parts = if is_changed { whole } else { one };
                rows.extend(parts.map(|part| vec![Cell::Uuid(id), Cell::Int(part)]));
            }
            of_rows(organisation, &rows).into()
        }
    }
}

/// The number of an advisory lock. Two documents of one number wait for each other, and that is all.
fn advisory_key(schema: &str, organisation: Uuid, id: Uuid) -> i64 {
    let schema = Uuid::new_v5(&organisation, schema.as_bytes());
    let (high, _) = Uuid::new_v5(&schema, id.as_bytes()).as_u64_pair();
    i64::from_be_bytes(high.to_be_bytes())
}

fn advisory(all: BTreeMap<i64, bool>) -> Query {
    let rows = all
        .into_iter()
        .map(|(key, is_changed)| vec![Cell::Int(key), is_changed.into()]);
    let mut query = Query::new(
        Dialect::Postgres,
        "SELECT CASE column2 WHEN 1 THEN pg_advisory_xact_lock(column1) \
         ELSE pg_advisory_xact_lock_shared(column1) END FROM ",
    );
    query.table(&[Kind::Int, Kind::Int], rows.collect());
    query
}

/// The rows are made, if they are not there, and then locked, in their order.
fn of_rows(organisation: OrganisationId, rows: &[Vec<Cell>]) -> [Query; 2] {
    let kinds = &[Kind::Uuid, Kind::Int];
    let mut make = Query::new(
        Dialect::Postgres,
        "INSERT INTO stk_hold (organisation, id, part) SELECT ",
    );
    make.bind(organisation.as_uuid());
    make.push(", w.* FROM ").table(kinds, rows.to_vec());
    make.push(" ON CONFLICT DO NOTHING");
    let mut lock = Query::new(Dialect::Postgres, "SELECT 1 FROM ");
    lock.table(kinds, rows.to_vec());
    let lookup = Lookup {
        table: "stk_hold",
        alias: "t",
        key: "t.id = w.column1 AND t.part = w.column2",
    };
    lock.find(organisation, lookup, " FOR UPDATE OF t");
    [make, lock]
}

/// Whether a database has advisory locks, and not only functions of that name: one connection takes a lock, and the
/// other is refused it. Where that can't be told (there is no second connection), it is taken to have none.
pub(super) async fn has_advisory(pool: &Pool) -> Result<bool, StoreError> {
    if pool.status().max_size < 2 {
        return Ok(false);
    }
    let connect = async || {
        let connection = pool.get().await;
        connection.map_err(|error| not_connected("open", &error))
    };
    let (first, second) = (connect().await?, connect().await?);
    let (key, _) = Uuid::new_v4().as_u64_pair();
    let key = i64::from_be_bytes(key.to_be_bytes());
    let is_exclusive = async || -> Result<bool, tokio_postgres::Error> {
        first.batch_execute("BEGIN").await?;
        second.batch_execute("BEGIN").await?;
        let took = "SELECT CASE WHEN pg_try_advisory_xact_lock($1) THEN 1 ELSE 0 END";
        let shares = "SELECT CASE WHEN pg_try_advisory_xact_lock_shared($1) THEN 1 ELSE 0 END";
        Ok(is_one(&first, shares, key).await?
            && !is_one(&second, took, key).await?
            && is_one(&second, shares, key).await?)
    };
    let found = is_exclusive().await;
    for connection in [&first, &second] {
        let undone = connection.batch_execute("ROLLBACK").await;
        undone.map_err(|error| failed("open", &error))?;
    }
    match found {
        Ok(found) => Ok(found),
        // There are no such functions.
        Err(error) if error.as_db_error().is_some() => Ok(false),
        Err(error) => Err(failed("open", &error)),
    }
}

async fn is_one(client: &Client, text: &str, key: i64) -> Result<bool, tokio_postgres::Error> {
    let row = client.query_one(text, &[&key]).await?;
    Ok(row.try_get::<_, i32>(0)? == 1)
}
