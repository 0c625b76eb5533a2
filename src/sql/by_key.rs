//! Rows by the keys of their records.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cell::{Kind, Row, Unreadable};
use super::query::{Lookup, Query, Snapshot, all, blocks};
use super::table::{Column, LINE, SNAPSHOT, Shown, Table, key_cells, line, tables};
use crate::domain::OrganisationId;
use crate::store::{Record, RecordKey, StoreError, Versioned};

/// Asks for some rows `i` of a table, each by the key of its record and with a number: for the number, then some columns.
/// `lock` is what keeps the rows from changing.
pub(super) fn rows_by_key<'k, S: Snapshot>(
    s: &S,
    (organisation, table): (OrganisationId, &Table),
    keys: impl Iterator<Item = (usize, &'k RecordKey)>,
    columns: &str,
    lock: &str,
) -> Query {
    let rows = keys.map(|(nth, key)| {
        let mut cells = vec![nth.into()];
        cells.append(&mut key_cells(key));
        cells
    });
    let key = (2_u8..).zip(table.key);
    let key: Vec<String> = key
        .map(|(nth, (column, _))| format!("i.{column} = w.column{nth}"))
        .collect();
    let lookup = Lookup {
        table: table.name,
        alias: "i",
        key: &key.join(" AND "),
    };
    let mut query = s.query("SELECT w.column1, ");
    query.push(columns).push(" FROM ");
    query.table(&numbered(table.key), rows.collect());
    query.find(organisation, lookup, lock);
    query
}

/// The types of some columns with a number before them.
fn numbered(columns: &[Column]) -> Vec<Kind> {
    let kinds = columns.iter().map(|(_, kind)| *kind);
    std::iter::once(Kind::Int).chain(kinds).collect()
}

impl Table {
    /// Whether it has the lines of takes, whose records are not all in their bodies.
    pub(super) fn is_of_lines(&self) -> bool {
        self.name == tables::STOCK_TAKE_ITEM.name
    }

    /// The columns of rows `i` that [`any_record`] reads. Lines are shown with their [`SNAPSHOT`].
    pub(super) fn record_columns(&self) -> &'static str {
        if self.is_of_lines() {
            LINE
        } else {
            "i.version, i.body"
        }
    }
}

/// Records by their keys, one answer for each, in their order: a statement for each table that they stand in.
pub(crate) async fn get<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    keys: &[RecordKey],
) -> Result<Vec<Option<Versioned<Record>>>, StoreError> {
    let mut answers = vec![None; keys.len()];
    let mut by_table: BTreeMap<&str, Vec<(usize, &RecordKey)>> = BTreeMap::new();
    for (nth, key) in keys.iter().enumerate() {
        let asked = by_table.entry(Table::of(key).name).or_default();
        asked.push((nth, key));
    }
    let shown = Shown::default();
    for asked in by_table.into_values() {
        let Some((_, key)) = asked.first() else {
            continue;
        };
        let table = Table::of(key);
        for block in blocks(S::DIALECT, asked) {
            let of = (organisation, table);
            let mut query = rows_by_key(s, of, block.into_iter(), table.record_columns(), "");
            if table.is_of_lines() {
                query.look_beside(organisation, SNAPSHOT);
            }
            let found = all(s, &query, |row| {
                let nth: usize = row.int()?;
                let key = keys.get(nth).ok_or(Unreadable::Range)?;
                Ok((nth, any_record(key, row, &shown)?))
            });
            for (nth, record) in found.await? {
                if let Some(answer) = answers.get_mut(nth) {
                    *answer = Some(record);
                }
            }
        }
    }
    Ok(answers)
}

/// Reads a record, by the kind of its key.
pub(super) fn any_record(
    key: &RecordKey,
    row: &mut Row,
    shown: &Shown,
) -> Result<Versioned<Record>, Unreadable> {
    let mut read = || {
        if let RecordKey::StockTakeItem(..) = key {
            let Versioned { version, value } = line(row, shown)?;
            let value = Record::StockTakeItem(Box::new(Arc::unwrap_or_clone(value)));
            return Ok(Versioned { version, value });
        }
        let version = row.version()?;
        let value = row.record(key)?;
        Ok(Versioned { version, value })
    };
    read().map_err(|cause: Unreadable| cause.of(key))
}
