//! What stands beside records and events (columns, names, sums, the end of a ledger) and does not follow from them.
//!
//! A row is read with its record, and written again in memory: what would stand there now is compared with what does.

use std::collections::BTreeMap;

use super::by_key::{any_record, rows_by_key};
use super::cell::{Cell, Row, Unreadable};
use super::known::name_cells;
use super::product_codes;
use super::query::{Lookup, Query, Snapshot, all, blocks, first};
use super::table::{
    EVENT, SNAPSHOT, Shown, Snapshots, Table, article_order, cells, event_cells, key_cells,
    searched,
};
use super::totals::{self, Sums};
use crate::domain::{
    InventoryCountId, OrganisationId, SiteId, StockEvent, StockTakeId, StockTakeItem,
};
use crate::store::{
    MAX_PAGE, Record, RecordKey, StoreError, StoreErrorKind, SummedDocument, UniqueName, Unlike,
    UnlikeEvent,
};

/// A column of a record's row that is not what it should be.
#[derive(Debug)]
pub(super) struct Off {
    pub(super) record: RecordKey,
    /// Where it stands, if that is not the row of the record.
    pub(super) row: Option<StoredRow>,
    pub(super) column: &'static str,
    pub(super) kept: Cell,
    pub(super) due: Cell,
}

/// A row of a table within its organisation.
#[derive(Clone, Debug)]
pub(super) struct StoredRow {
    pub(super) table: &'static str,
    pub(super) key: Vec<(&'static str, Cell)>,
}

impl StoredRow {
    /// The row of a record.
    pub(super) fn of(record: &RecordKey) -> Self {
        let table = Table::of(record);
        let columns = table.key.iter().map(|(column, _)| *column);
        Self {
            table: table.name,
            key: columns.zip(key_cells(record)).collect(),
        }
    }
}

impl Off {
    pub(super) fn told(&self) -> Unlike {
        Unlike {
            record: self.record.clone(),
            what: self.column,
            kept: self.kept.to_string(),
            due: self.due.to_string(),
        }
    }
}

/// Keys by the table that their records stand in.
pub(super) fn by_table(
    keys: &[RecordKey],
) -> impl Iterator<Item = (&'static Table, Vec<RecordKey>)> {
    let mut by_table: BTreeMap<&str, (&'static Table, Vec<RecordKey>)> = BTreeMap::new();
    for key in keys {
        let table = Table::of(key);
        let entry = by_table.entry(table.name).or_insert((table, Vec::new()));
        entry.1.push(key.clone());
    }
    by_table.into_values()
}

/// What of some records does not agree with what stands beside them.
pub(crate) async fn unlike<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    keys: &[RecordKey],
) -> Result<Vec<Unlike>, StoreError> {
    let mut found = Vec::new();
    for (table, keys) in by_table(keys) {
        for block in blocks(S::DIALECT, keys) {
            let off = columns(s, organisation, table, &block).await?;
            found.extend(off.iter().map(Off::told));
        }
    }
    for (off, _) in names(s, organisation, keys).await? {
        found.push(off.told());
    }
    for off in product_codes::off(s, organisation, keys).await? {
        found.extend(off.told());
    }
    for key in keys {
        if let RecordKey::Site(site) = key {
            let (kept, due) = ends(s, organisation, *site).await?;
            if kept != due {
                found.push(unlike_end(key, kept, due));
            }
        }
        let sums = sums(s, organisation, key).await?;
        found.extend(sums.into_iter().filter_map(|sums| sums.told(key)));
    }
    Ok(found)
}

/// What is told of the end of a site's ledger.
pub(super) fn unlike_end(key: &RecordKey, kept: i64, due: i64) -> Unlike {
    Unlike {
        record: key.clone(),
        what: "ledger",
        kept: kept.to_string(),
        due: due.to_string(),
    }
}

/// The columns of some rows of a table that their records do not have.
pub(super) async fn columns<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    table: &Table,
    keys: &[RecordKey],
) -> Result<Vec<Off>, StoreError> {
    let beside: Vec<&'static str> = table
        .columns
        .iter()
        .map(|(column, _)| *column)
        .filter(|column| *column != "body")
        .collect();
    if beside.is_empty() {
        return Ok(Vec::new());
    }
    let mut columns = String::new();
    for column in &beside {
        columns.extend(["i.", column, ", "]);
    }
    if table.is_of_lines() {
        columns.push_str("i.snapshot, s.article_order, s.search, ");
    }
    columns.push_str(table.record_columns());
    let numbered = keys.iter().enumerate();
    let mut query = rows_by_key(s, (organisation, table), numbered, &columns, "");
    if table.is_of_lines() {
        query.look_beside(organisation, SNAPSHOT);
    }
    query.push(" ORDER BY w.column1");
    let shown = Shown::default();
    let read = all(s, &query, |row| {
        let nth: usize = row.int()?;
        let kept: Result<Vec<Cell>, Unreadable> = beside.iter().map(|_| row.cell()).collect();
        let key = keys.get(nth).ok_or(Unreadable::Range)?;
        let snapshot = if table.is_of_lines() {
            Some((row.cell()?, [row.cell()?, row.cell()?]))
        } else {
            None
        };
        Ok((key, kept?, snapshot, any_record(key, row, &shown)?.value))
    });
    let mut found = Vec::new();
    for (key, kept, snapshot, record) in read.await? {
        if let (Some((id, kept)), Record::StockTakeItem(item)) = (snapshot, &record) {
            found.extend(off_snapshot(key, id, kept, item));
        }
        let due = cells(&record, &mut Snapshots::default()).map_err(|cause| {
            StoreError::new(StoreErrorKind::Corrupt, s.operation()).because(cause)
        })?;
        for ((column, kept), due) in beside.iter().zip(kept).zip(due) {
            // A snapshot's id follows from the form in which it was written, which need not be today's.
            if kept != due && *column != "snapshot" {
                found.push(Off {
                    record: key.clone(),
                    row: None,
                    column,
                    kept,
                    due,
                });
            }
        }
    }
    Ok(found)
}

/// What stands beside what a line shows of its product, and does not follow from it.
fn off_snapshot(
    key: &RecordKey,
    id: Cell,
    kept: [Cell; 2],
    item: &StockTakeItem,
) -> impl Iterator<Item = Off> {
    let due = [article_order(&item.product), searched(&item.product)].map(Cell::from);
    let columns = ["article_order", "search"].into_iter().zip(kept).zip(due);
    let row = StoredRow {
        table: "stk_product_snapshot",
        key: vec![("product", item.key.product.as_uuid().into()), ("id", id)],
    };
    columns
        .filter(|((_, kept), due)| kept != due)
        .map(move |((column, kept), due)| Off {
            record: key.clone(),
            row: Some(row.clone()),
            column,
            kept,
            due,
        })
}

/// The unique names of some sites and products that are kept otherwise than these have them, and how they should be: name and
/// likeness.
pub(super) async fn names<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    keys: &[RecordKey],
) -> Result<Vec<(Off, [Cell; 2])>, StoreError> {
    let mut off = Vec::new();
    for (table, keys) in by_table(keys) {
        let kind: i64 = match keys.first() {
            Some(RecordKey::Site(_)) => 0,
            Some(RecordKey::Product(_)) => 1,
            Some(_) | None => continue,
        };
        for block in blocks(S::DIALECT, keys) {
            let numbered = block.iter().enumerate();
            let columns = "i.version, i.body, n.name, n.likeness";
            let mut query = rows_by_key(s, (organisation, table), numbered, columns, "");
            let name = Lookup {
                table: "stk_catalogue_name",
                alias: "n",
                key: &format!("n.kind = {kind} AND n.holder = w.column2"),
            };
            query.look_beside(organisation, name);
            query.push(" ORDER BY w.column1");
            let read = all(s, &query, |row| {
                let key = block.get(row.int::<usize>()?).ok_or(Unreadable::Range)?;
                let record = any_record(key, row, &Shown::default())?.value;
                Ok((key, record, [row.cell()?, row.cell()?]))
            });
            for (key, record, kept) in read.await? {
                let Some(name) = UniqueName::of(&record) else {
                    continue;
                };
                let (_, name) = name_cells(name);
                let due = [Cell::from(name.as_str()), name.likeness().into()];
                let columns = ["name", "likeness"].into_iter().zip(kept).zip(due.clone());
                let mut differing = columns.filter(|((_, kept), due)| kept != due);
                if let Some(((column, kept), is_due)) = differing.next() {
                    let record = key.clone();
                    let told = Off {
                        record,
                        row: None,
                        column,
                        kept,
                        due: is_due,
                    };
                    off.push((told, due));
                }
            }
        }
    }
    Ok(off)
}

/// What is kept beside the events of a site, those after a position, that they do not have.
pub(crate) async fn events<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    (after, limit): (u64, u32),
) -> Result<Vec<UnlikeEvent>, StoreError> {
    let mut query = s.query("SELECT position");
    for (column, _) in EVENT {
        query.push(", ").push(column);
    }
    query.push(", body FROM stk_stock_event WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    query.push(" AND position > ").bind(after);
    query.push(" ORDER BY position LIMIT ");
    query.bind(limit.clamp(1, MAX_PAGE));
    let rows = all(s, &query, |row| {
        let position: u64 = row.int()?;
        let kept: Result<Vec<Cell>, Unreadable> = EVENT.iter().map(|_| row.cell()).collect();
        let event: StockEvent = row.body()?;
        Ok((position, kept?, event_cells(&event)))
    });
    let mut found = Vec::new();
    for (position, kept, due) in rows.await? {
        for (((what, _), kept), due) in EVENT.iter().zip(kept).zip(due) {
            if kept != due {
                found.push(UnlikeEvent {
                    position,
                    what,
                    kept: kept.to_string(),
                    due: due.to_string(),
                });
            }
        }
    }
    Ok(found)
}

/// What is kept as the end of a site's ledger, and its end.
pub(super) async fn ends<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
) -> Result<(i64, i64), StoreError> {
    let mut query = s.query("SELECT last FROM stk_ledger WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    let kept: Option<i64> = first(s, &query, Row::int).await?;
    let mut query = s.query("SELECT position FROM stk_stock_event WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    query.push(" ORDER BY position DESC LIMIT 1");
    let end: Option<i64> = first(s, &query, Row::int).await?;
    Ok((kept.unwrap_or_default(), end.unwrap_or_default()))
}

/// The totals of a document's lines: of a take those of the counted ones and those of the others. Both sides are read by
/// one statement, so that they are of one moment wherever it is asked.
pub(super) async fn sums<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    document: &RecordKey,
) -> Result<Vec<Sums>, StoreError> {
    match document.summed() {
        Some(SummedDocument::StockTake(take)) => Ok(vec![
            take_sums(s, organisation, take, true).await?,
            take_sums(s, organisation, take, false).await?,
        ]),
        Some(SummedDocument::InventoryCount(count)) => {
            Ok(vec![count_sums(s, organisation, count).await?])
        }
        None => Ok(Vec::new()),
    }
}

/// The sum of a column in two halves, so that no sum leaves 64 bits.
fn halved(column: &str, name: &str) -> String {
    format!(
        "CAST(coalesce(sum({column} >> 32), 0) AS BIGINT) AS {name}_high, \
         CAST(coalesce(sum({column} & 4294967295), 0) AS BIGINT) AS {name}_low"
    )
}

/// The sum of a column that is one number.
fn summed(column: &str) -> String {
    format!("CAST(coalesce(sum({column}), 0) AS BIGINT) AS {column}")
}

fn sum(row: &mut Row) -> Result<i128, Unreadable> {
    Ok(totals::whole(row.int()?, row.int()?))
}

fn of_document<'q>(
    query: &'q mut Query,
    organisation: OrganisationId,
    key: &RecordKey,
) -> &'q mut Query {
    let column = if matches!(key, RecordKey::StockTake(_)) {
        " AND take = "
    } else {
        " AND inventory_count = "
    };
    query
        .push(" WHERE organisation = ")
        .bind(organisation.as_uuid());
    query.push(column).bind_all(key_cells(key))
}

async fn take_sums<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    is_counted: bool,
) -> Result<Sums, StoreError> {
    let key = RecordKey::StockTake(take);
    let mut query = s.query("SELECT l.*, t.* FROM (SELECT count(*) AS lines, ");
    query.push(&halved("adjustment_minor", "line")).push(", ");
    query.push(&halved("version", "version"));
    query.push(" FROM stk_stock_take_item");
    of_document(&mut query, organisation, &key);
    query.push(if is_counted {
        " AND counted IS NOT NULL"
    } else {
        " AND counted IS NULL"
    });
    query.push(") AS l CROSS JOIN (SELECT ");
    let kept = ["items", "adjustment_high", "adjustment_low", "versions"].map(summed);
    query
        .push(&kept.join(", "))
        .push(" FROM stk_stock_take_total");
    of_document(&mut query, organisation, &key);
    query
        .push(" AND counted = ")
        .bind(is_counted)
        .push(") AS t");
    let read = |row: &mut Row| {
        let due = vec![row.int::<i64>()?.into(), sum(row)?, sum(row)?];
        let kept = vec![
            row.int::<i64>()?.into(),
            sum(row)?,
            row.int::<i64>()?.into(),
        ];
        Ok((kept, due))
    };
    let (kept, due) = first(s, &query, read).await?.unwrap_or_default();
    Ok(Sums {
        is_counted,
        kept,
        due,
    })
}

async fn count_sums<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    count: InventoryCountId,
) -> Result<Sums, StoreError> {
    let key = RecordKey::InventoryCount(count);
    let mut query = s.query("SELECT l.*, t.* FROM (SELECT count(*) AS lines, ");
    query.push(&summed("discrepancy")).push(", ");
    query.push(&halved("missing_minor", "missing")).push(", ");
    query.push(&halved("excess_minor", "excess"));
    query.push(" FROM stk_inventory_count_item");
    of_document(&mut query, organisation, &key);
    query.push(") AS l CROSS JOIN (SELECT ");
    let kept = [
        "items",
        "discrepancies",
        "missing_high",
        "missing_low",
        "excess_high",
        "excess_low",
    ];
    query.push(&kept.map(summed).join(", "));
    query.push(" FROM stk_inventory_count_total");
    of_document(&mut query, organisation, &key).push(") AS t");
    let read = |row: &mut Row| {
        let mut side = || {
            let (lines, discrepancies): (i64, i64) = (row.int()?, row.int()?);
            Ok::<_, Unreadable>(vec![
                lines.into(),
                discrepancies.into(),
                sum(row)?,
                sum(row)?,
            ])
        };
        let due = side()?;
        Ok((side()?, due))
    };
    let (kept, due) = first(s, &query, read).await?.unwrap_or_default();
    Ok(Sums {
        is_counted: false,
        kept,
        due,
    })
}
