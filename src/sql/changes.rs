//! What changed since (R19): rows that are told so bear the number of the transaction that wrote them last.
//!
//! In SQLite one transaction writes at a time, so the commits of an organisation are counted, and the next number tells
//! what comes after a snapshot. On a server such a counter would be a row that all counters wait for. There the number is
//! that of the server's own transaction, and what comes after a snapshot is everything from the oldest transaction on
//! that was running when it was taken: a transaction with a smaller number is over by then, and in the snapshot.

use super::query::{Dialect, Query, Snapshot, Transaction, first};
use crate::domain::OrganisationId;
use crate::store::{ChangeToken, StoreError};

/// The column.
pub(super) const CHANGED: &str = "changed";

/// The token of a snapshot.
pub(crate) async fn next<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
) -> Result<ChangeToken, StoreError> {
    let query = match S::DIALECT {
        Dialect::Sqlite => {
            let mut query = s.query("SELECT last + 1 FROM stk_change WHERE organisation = ");
            query.bind(organisation.as_uuid());
            query
        }
        Dialect::Postgres => {
            s.query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        }
    };
    let number = first(s, &query, super::Row::int).await?;
    // Nothing was ever written: the first commit has the number 1.
    Ok(ChangeToken::new(number.unwrap_or(1)))
}

/// Counts a commit, where commits are counted.
pub(crate) async fn begin<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
) -> Result<(), StoreError> {
    if T::DIALECT == Dialect::Postgres {
        return Ok(());
    }
    let mut query = t.query("INSERT INTO stk_change (organisation, last) VALUES (");
    query.bind(organisation.as_uuid());
    query.push(", 1) ON CONFLICT (organisation) DO UPDATE SET last = last + 1");
    t.expect(query, None).await.map(drop)
}

/// Writes the number of this transaction, as a value of a row.
pub(crate) fn number(dialect: Dialect, organisation: OrganisationId, query: &mut Query) {
    match dialect {
        Dialect::Sqlite => {
            query.push("(SELECT last FROM stk_change WHERE organisation = ");
            query.bind(organisation.as_uuid()).push(")");
        }
        Dialect::Postgres => {
            query.push("pg_current_xact_id()::text::bigint");
        }
    }
}
