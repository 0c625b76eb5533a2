//! What stands beside records (columns, sums, the end of a ledger) and does not follow from them.
//!
//! A row is read with its record, and written again in memory: what would stand there now is compared with what does.

use std::collections::BTreeMap;

use super::cell::{Cell, Row, Unreadable};
use super::known::numbered;
use super::query::{Lookup, Snapshot, all, blocks, first};
use super::table::{LINE, SNAPSHOT, Shown, Snapshots, Table, cells, key_cells, line, tables};
use super::totals;
use crate::domain::{CountStatus, InventoryCountId, OrganisationId, SiteId, StockTakeId};
use crate::store::{Record, RecordKey, StoreError, StoreErrorKind, Unlike};

/// What of some records, in their order, does not agree with what stands beside them.
pub(crate) async fn unlike<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    keys: &[RecordKey],
) -> Result<Vec<Unlike>, StoreError> {
    let mut by_table: BTreeMap<&str, (&Table, Vec<RecordKey>)> = BTreeMap::new();
    for key in keys {
        let table = Table::of(key);
        let entry = by_table.entry(table.name).or_insert((table, Vec::new()));
        entry.1.push(key.clone());
    }
    let mut found = Vec::new();
    for (table, keys) in by_table.into_values() {
        for block in blocks(S::DIALECT, keys) {
            found.append(&mut columns(s, organisation, table, &block).await?);
        }
    }
    for key in keys {
        let (what, is_right) = match key {
            RecordKey::Site(site) => ("ledger", is_end(s, organisation, *site).await?),
            RecordKey::StockTake(take) => ("totals", is_take_total(s, organisation, *take).await?),
            RecordKey::InventoryCount(count) => {
                ("totals", is_count_total(s, organisation, *count).await?)
            }
            RecordKey::Product(_)
            | RecordKey::Supplier(_)
            | RecordKey::StockTakeItem(..)
            | RecordKey::OpenCount(_)
            | RecordKey::InventoryCountItem(..)
            | RecordKey::StockAdjustment(_)
            | RecordKey::InventoryOrder(_)
            | RecordKey::InventoryOrderItem(..)
            | RecordKey::StockImport(_)
            | RecordKey::ImportChunk(..)
            | RecordKey::Export(_)
            | RecordKey::ExportChunk(..)
            | RecordKey::StockLevel(_)
            | RecordKey::SerialMark(..) => continue,
        };
        if !is_right {
            let record = key.clone();
            found.push(Unlike { record, what });
        }
    }
    Ok(found)
}

/// The columns of some rows of a table that their records do not have.
async fn columns<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    table: &Table,
    keys: &[RecordKey],
) -> Result<Vec<Unlike>, StoreError> {
    let is_line = table.name == tables::STOCK_TAKE_ITEM.name;
    let mut query = s.query("SELECT w.column1");
    let beside: Vec<&str> = table
        .columns
        .iter()
        .map(|(column, _)| *column)
        .filter(|column| *column != "body")
        .collect();
    for column in &beside {
        query.push(", i.").push(column);
    }
    query.push(", ").push(if is_line { LINE } else { "i.body" });
    query.push(" FROM ");
    let rows = keys.iter().enumerate().map(|(nth, key)| {
        let mut cells = vec![nth.into()];
        cells.append(&mut key_cells(key));
        cells
    });
    query.table(&numbered(table.key), rows.collect());
    let key = (2_u8..).zip(table.key);
    let key: Vec<String> = key
        .map(|(nth, (column, _))| format!("i.{column} = w.column{nth}"))
        .collect();
    let lookup = Lookup {
        table: table.name,
        alias: "i",
        key: &key.join(" AND "),
    };
    query.find(organisation, lookup, "");
    if is_line {
        query.look_beside(organisation, SNAPSHOT);
    }
    query.push(" ORDER BY w.column1");
    let shown = Shown::default();
    let read = all(s, &query, |row| {
        let nth: usize = row.int()?;
        let kept: Result<Vec<Cell>, Unreadable> = beside.iter().map(|_| row.cell()).collect();
        let key = keys.get(nth).ok_or(Unreadable::Range)?;
        let record = if is_line {
            let line = line(row, &shown)?;
            Some(Record::StockTakeItem(Box::new((*line.value).clone())))
        } else {
            record(key, row)?
        };
        Ok((key, kept?, record))
    });
    let mut found = Vec::new();
    for (key, kept, record) in read.await? {
        let Some(record) = record else { continue };
        let due = cells(&record, &mut Snapshots::default()).map_err(|cause| {
            StoreError::new(StoreErrorKind::Corrupt, s.operation()).because(cause)
        })?;
        for ((column, kept), due) in beside.iter().zip(kept).zip(due) {
            // A snapshot's id follows from the form in which it was written, which need not be today's.
            if kept != due && *column != "snapshot" {
                found.push(Unlike {
                    record: key.clone(),
                    what: column,
                });
            }
        }
    }
    Ok(found)
}

/// Reads a record that has something beside its body.
fn record(key: &RecordKey, row: &mut Row) -> Result<Option<Record>, Unreadable> {
    Ok(Some(match key {
        RecordKey::StockLevel(_) => Record::StockLevel(row.body()?),
        RecordKey::StockTake(_) => Record::StockTake(row.body()?),
        RecordKey::InventoryCount(_) => Record::InventoryCount(row.body()?),
        RecordKey::InventoryCountItem(..) => Record::InventoryCountItem(row.body()?),
        RecordKey::StockAdjustment(_) => Record::StockAdjustment(row.body()?),
        RecordKey::InventoryOrder(_) => Record::InventoryOrder(row.body()?),
        RecordKey::InventoryOrderItem(..) => Record::InventoryOrderItem(row.body()?),
        RecordKey::StockTakeItem(..)
        | RecordKey::Site(_)
        | RecordKey::Product(_)
        | RecordKey::Supplier(_)
        | RecordKey::OpenCount(_)
        | RecordKey::StockImport(_)
        | RecordKey::ImportChunk(..)
        | RecordKey::Export(_)
        | RecordKey::ExportChunk(..)
        | RecordKey::SerialMark(..) => return Ok(None),
    }))
}

/// Whether what is kept as the end of a site's ledger is its end.
async fn is_end<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
) -> Result<bool, StoreError> {
    let mut query = s.query("SELECT last FROM stk_ledger WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    let kept: Option<i64> = first(s, &query, Row::int).await?;
    let mut query = s.query("SELECT position FROM stk_stock_event WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    query.push(" ORDER BY position DESC LIMIT 1");
    let end: Option<i64> = first(s, &query, Row::int).await?;
    Ok(kept.unwrap_or_default() == end.unwrap_or_default())
}

/// The sum of a column in two halves, so that no sum leaves 64 bits.
fn summed(column: &str) -> String {
    format!(
        "CAST(coalesce(sum({column} >> 32), 0) AS BIGINT), \
         CAST(coalesce(sum({column} & 4294967295), 0) AS BIGINT)"
    )
}

fn sum(row: &mut Row) -> Result<i128, Unreadable> {
    Ok(totals::whole(row.int()?, row.int()?))
}

/// Whether the totals that are kept of a take's lines are those of its lines.
async fn is_take_total<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
) -> Result<bool, StoreError> {
    for (status, is_counted) in [
        (CountStatus::Counted, "counted IS NOT NULL"),
        (CountStatus::Uncounted, "counted IS NULL"),
    ] {
        let mut query = s.query("SELECT count(*), ");
        query.push(&summed("adjustment_minor")).push(", ");
        query.push(&summed("version"));
        query.push(" FROM stk_stock_take_item WHERE organisation = ");
        query.bind(organisation.as_uuid());
        query.push(" AND take = ").bind(take.as_uuid());
        query.push(" AND ").push(is_counted);
        let lines = first(s, &query, |row| {
            let items: u64 = row.int()?;
            Ok((items, sum(row)?, sum(row)?))
        });
        let lines = lines.await?.unwrap_or_default();
        let is_right = match totals::of_take(s, organisation, take, status).await {
            Ok(kept) => lines == (kept.items, kept.adjustment_minor, kept.versions.into()),
            Err(error) if error.kind() == StoreErrorKind::Corrupt => false,
            Err(error) => return Err(error),
        };
        if !is_right {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the totals that are kept of a count's lines are those of its lines.
async fn is_count_total<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    count: InventoryCountId,
) -> Result<bool, StoreError> {
    let mut query = s.query("SELECT count(*), CAST(coalesce(sum(discrepancy), 0) AS BIGINT), ");
    query.push(&summed("missing_minor")).push(", ");
    query.push(&summed("excess_minor"));
    query.push(" FROM stk_inventory_count_item WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND inventory_count = ").bind(count.as_uuid());
    let lines = first(s, &query, |row| {
        let (items, discrepancies): (u64, u64) = (row.int()?, row.int()?);
        Ok((items, discrepancies, sum(row)?, sum(row)?))
    });
    let lines = lines.await?.unwrap_or_default();
    match totals::of_count(s, organisation, count).await {
        Ok(kept) => {
            let (missing, excess) = (kept.missing_minor(), kept.excess_minor());
            Ok(lines == (kept.items(), kept.discrepancies(), missing, excess))
        }
        Err(error) if error.kind() == StoreErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
}
