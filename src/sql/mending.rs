//! Making what stands beside records follow from them again (R22).
//!
//! Rows are locked as a commit locks them, and then read again: what is written is what their records are by then. Totals are
//! not set but added to, by what they are off by at one moment: whatever is counted meanwhile adds to both sides.

use super::commit::guarded;
use super::known::versions;
use super::product_codes;
use super::query::{Held, Transaction, blocks, first};
use super::table::{Table, key_cells};
use super::totals;
use super::unlike::{Off, StoredRow, by_table, columns, ends, names, sums, unlike_end};
use crate::domain::{OrganisationId, SiteId};
use crate::store::{RecordKey, StoreError, Unlike};

/// Makes what stands beside some records follow from them.
pub(crate) async fn mend<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    mut keys: Vec<RecordKey>,
) -> Result<Vec<Unlike>, StoreError> {
    // In their order, as commits write: two that wait for each other would wait for ever.
    keys.sort_unstable();
    keys.dedup();
    let held = Held {
        organisation,
        part: 0,
        shared: Vec::new(),
        changed: keys.iter().filter_map(guarded).collect(),
    };
    t.hold(held).await?;
    let mut mended = Vec::new();
    for (table, keys) in by_table(&keys) {
        for block in blocks(T::DIALECT, keys) {
            mended.append(&mut mend_columns(t, organisation, table, &block).await?);
        }
    }
    mended.append(&mut mend_names(t, organisation, &keys).await?);
    mended.append(&mut product_codes::mend(t, organisation, &keys).await?);
    for key in &keys {
        if let RecordKey::Site(site) = key {
            mended.extend(mend_end(t, organisation, *site).await?);
        }
        for sums in sums(t, organisation, key).await? {
            if let Some(told) = sums.told(key) {
                totals::correct(t, organisation, key, &sums).await?;
                mended.push(told);
            }
        }
    }
    Ok(mended)
}

async fn mend_columns<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    table: &Table,
    keys: &[RecordKey],
) -> Result<Vec<Unlike>, StoreError> {
    if columns(t, organisation, table, keys).await?.is_empty() {
        return Ok(Vec::new());
    }
    versions(t, organisation, table, keys, T::LOCK).await?;
    let off = columns(t, organisation, table, keys).await?;
    for off in &off {
        let row = off
            .row
            .clone()
            .unwrap_or_else(|| StoredRow::of(&off.record));
        let mut query = t.query("UPDATE ");
        query.push(row.table).push(" SET ").push(off.column);
        query.push(" = ").bind(off.due.clone());
        query.push(" WHERE organisation = ");
        query.bind(organisation.as_uuid());
        for (column, cell) in row.key {
            query.push(" AND ").push(column).push(" = ").bind(cell);
        }
        t.run(&query).await?;
    }
    Ok(off.iter().map(Off::told).collect())
}

/// Gives sites and products the names that they have, which are locked so that nobody renames them meanwhile. One that somebody else's name stands in the way of stays unlike.
async fn mend_names<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    keys: &[RecordKey],
) -> Result<Vec<Unlike>, StoreError> {
    let off = names(t, organisation, keys).await?;
    if off.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<RecordKey> = off.into_iter().map(|(off, _)| off.record).collect();
    for (table, keys) in by_table(&keys) {
        for block in blocks(T::DIALECT, keys) {
            versions(t, organisation, table, &block, T::LOCK).await?;
        }
    }
    let off = names(t, organisation, &keys).await?;
    let mut rows = Vec::with_capacity(off.len());
    for (off, name) in off {
        let kind = i64::from(matches!(off.record, RecordKey::Product(_)));
        let holder = key_cells(&off.record);
        let mut query = t.query("DELETE FROM stk_catalogue_name WHERE organisation = ");
        query.bind(organisation.as_uuid());
        query.push(" AND kind = ").bind(kind);
        query.push(" AND holder = ").bind_all(holder.clone());
        t.run(&query).await?;
        rows.push((off, kind, name.into_iter().chain(holder)));
    }
    let mut mended = Vec::new();
    for (off, kind, cells) in rows {
        let mut query = t.query("INSERT INTO stk_catalogue_name (organisation, kind, ");
        query.push("name, likeness, holder) VALUES (");
        query.bind(organisation.as_uuid()).push(", ").bind(kind);
        query.push(", ").bind_all(cells);
        query.push(") ON CONFLICT DO NOTHING");
        if t.run(&query).await? > 0 {
            mended.push(off.told());
        }
    }
    Ok(mended)
}

/// The counter of positions is what commits of a site wait for, so it is locked before the last one is looked for.
async fn mend_end<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    site: SiteId,
) -> Result<Option<Unlike>, StoreError> {
    let (kept, due) = ends(t, organisation, site).await?;
    if kept == due {
        return Ok(None);
    }
    let mut query = t.query("INSERT INTO stk_ledger AS t (organisation, site, last) VALUES (");
    query.bind(organisation.as_uuid());
    query.push(", ").bind(site.as_uuid());
    query.push(", 0) ON CONFLICT (organisation, site) DO UPDATE SET last = t.last RETURNING last");
    first(t, &query, super::cell::Row::int::<i64>).await?;
    let (kept, due) = ends(t, organisation, site).await?;
    if kept == due {
        return Ok(None);
    }
    let mut query = t.query("UPDATE stk_ledger SET last = ");
    query.bind(due).push(" WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    t.run(&query).await?;
    Ok(Some(unlike_end(&RecordKey::Site(site), kept, due)))
}
