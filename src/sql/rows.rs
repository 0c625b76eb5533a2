//! Rows that come and go.

use super::cell::{Cell, Kind};
use super::changes::{self, CHANGED};
use super::query::{Query, Transaction};
use super::refused::Refused;
use super::table::Column;
use crate::domain::OrganisationId;

/// Rows that must not be there yet.
pub(super) struct Insert<'a> {
    pub(super) table: &'a str,
    pub(super) columns: &'a [&'a str],
    pub(super) kinds: &'a [Kind],
    /// Whether each row is given the number of this commit.
    pub(super) is_marked: bool,
}

impl Insert<'_> {
    pub(super) async fn run<T: Transaction>(
        &self,
        t: &mut T,
        organisation: OrganisationId,
        rows: Vec<Vec<Cell>>,
    ) -> Result<(), Refused> {
        let expected = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let mut query = self.query(t, organisation, rows);
        query.push(" ON CONFLICT DO NOTHING");
        if t.expect(query, Some(expected)).await? {
            Ok(())
        } else {
            Err(Refused::Surprised)
        }
    }

    pub(super) fn query<T: Transaction>(
        &self,
        t: &T,
        organisation: OrganisationId,
        rows: Vec<Vec<Cell>>,
    ) -> Query {
        let mut query = t.query("INSERT INTO ");
        query.push(self.table).push(" (organisation");
        for column in self.columns {
            query.push(", ").push(column);
        }
        if self.is_marked {
            query.push(", ").push(CHANGED);
        }
        query.push(") SELECT ").bind(organisation.as_uuid());
        query.push(", w.*");
        if self.is_marked {
            query.push(", ");
            changes::number(T::DIALECT, organisation, &mut query);
        }
        query.push(" FROM ");
        query.table(self.kinds, rows).push(" WHERE true");
        query
    }
}

/// The deletion of one row: `PostgreSQL`, while it does not know what a table holds, would look for many in all of it.
pub(super) fn deletion<T: Transaction>(
    t: &T,
    organisation: OrganisationId,
    table: &str,
    key: &[Column],
    values: Vec<Cell>,
) -> Query {
    let mut query = t.query("DELETE FROM ");
    query.push(table).push(" WHERE organisation = ");
    query.bind(organisation.as_uuid());
    for ((column, _), value) in key.iter().zip(values) {
        query.push(" AND ").push(column).push(" = ").bind(value);
    }
    query
}
