//! Running totals of the lines of takes and counts.
//!
//! A total is the sum of its parts, of which there are as many as a store needs for counters not to wait for
//! each other. Sums of money are kept in two columns, of whole 2^32 and of the rest, so that a sum of 64-bit
//! numbers fits and both columns can be added to where they stand.

use std::collections::BTreeMap;

use super::cell::{Cell, Kind, Row};
use super::known::Found;
use super::query::{Snapshot, Transaction, all, blocks};
use super::table::key_cells;
use crate::domain::{
    CountStatus, CountTotals, InventoryCountId, InventoryCountItem, OrganisationId, StockTakeId,
    StockTakeItem,
};
use crate::store::{RecordKey, StockTakeTotals, StoreError, StoreErrorKind, Unlike, Version};

/// The totals that are kept of the lines of a document, and those of the lines.
#[derive(Debug)]
pub(super) struct Sums {
    /// Of a take, whether it is the counted lines that are summed.
    pub(super) is_counted: bool,
    pub(super) kept: Vec<i128>,
    pub(super) due: Vec<i128>,
}

impl Sums {
    pub(super) fn told(&self, key: &RecordKey) -> Option<Unlike> {
        let shown = |sums: &[i128]| {
            let sums: Vec<String> = sums.iter().map(i128::to_string).collect();
            sums.join(", ")
        };
        (self.kept != self.due).then(|| Unlike {
            record: key.clone(),
            what: "totals",
            kept: shown(&self.kept),
            due: shown(&self.due),
        })
    }
}

/// How totals change.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    takes: BTreeMap<(StockTakeId, bool), [i128; 3]>,
    counts: BTreeMap<InventoryCountId, [i128; 4]>,
}

fn add<const N: usize>(sums: &mut [i128; N], sign: i128, values: [i128; N]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = sum.saturating_add(value.saturating_mul(sign));
    }
}

impl Changes {
    /// A line of a take as it was.
    pub(super) fn line_was(&mut self, take: StockTakeId, was: &Found) {
        let counted = was.number(0).is_some();
        let adjustment = i128::from(was.number(1).unwrap_or_default());
        let values = [1, adjustment, i128::from(was.version.get())];
        add(self.takes.entry((take, counted)).or_default(), -1, values);
    }

    /// A line of a take as it is.
    pub(super) fn line_is(&mut self, version: Version, item: &StockTakeItem) {
        let sums = self.takes.entry((item.take, item.is_counted()));
        let adjustment = i128::from(item.adjustment_minor());
        add(
            sums.or_default(),
            1,
            [1, adjustment, i128::from(version.get())],
        );
    }

    /// A line of a count as it was.
    pub(super) fn count_line_was(&mut self, count: InventoryCountId, was: &Found) {
        let [discrepancy, missing, excess] =
            [0, 1, 2].map(|nth| i128::from(was.number(nth).unwrap_or_default()));
        let values = [1, discrepancy, missing, excess];
        add(self.counts.entry(count).or_default(), -1, values);
    }

    /// A line of a count as it is.
    pub(super) fn count_line_is(&mut self, item: &InventoryCountItem) {
        let variance = &item.variance;
        let values = [
            1,
            i128::from(variance.is_discrepancy()),
            i128::from(variance.missing_minor()),
            i128::from(variance.excess_minor()),
        ];
        add(self.counts.entry(item.count).or_default(), 1, values);
    }

    /// Adds the changes to the totals.
    pub(super) async fn write<T: Transaction>(
        self,
        t: &mut T,
        organisation: OrganisationId,
        part: i64,
    ) -> Result<(), StoreError> {
        let takes = self.takes.into_iter().map(|((take, counted), sums)| {
            let [items, adjustment, versions] = sums;
            let [high, low] = halves(adjustment);
            vec![
                take.as_uuid().into(),
                counted.into(),
                narrow(items),
                high,
                low,
                narrow(versions),
            ]
        });
        add_to_takes(t, (organisation, part, takes.collect())).await?;
        let counts = self.counts.into_iter().map(|(count, sums)| {
            let [items, discrepancies, missing, excess] = sums;
            let [missing_high, missing_low] = halves(missing);
            let [excess_high, excess_low] = halves(excess);
            vec![
                count.as_uuid().into(),
                narrow(items),
                narrow(discrepancies),
                missing_high,
                missing_low,
                excess_high,
                excess_low,
            ]
        });
        add_to_counts(t, (organisation, part, counts.collect())).await
    }
}

/// Adds to the totals of a document by how much they are off.
pub(super) async fn correct<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    document: &RecordKey,
    sums: &Sums,
) -> Result<(), StoreError> {
    let off = sums.due.iter().zip(&sums.kept);
    let off: Vec<i128> = off.map(|(due, kept)| due.saturating_sub(*kept)).collect();
    let mut row = key_cells(document);
    match *off.as_slice() {
        [items, adjustment, versions] => {
            let [high, low] = halves(adjustment);
            row.push(sums.is_counted.into());
            row.extend([narrow(items), high, low, narrow(versions)]);
            add_to_takes(t, (organisation, 0, vec![row])).await
        }
        [items, discrepancies, missing, excess] => {
            row.extend([narrow(items), narrow(discrepancies)]);
            row.extend(halves(missing));
            row.extend(halves(excess));
            add_to_counts(t, (organisation, 0, vec![row])).await
        }
        _ => Ok(()),
    }
}

type Rows = (OrganisationId, i64, Vec<Vec<Cell>>);

async fn add_to_takes<T: Transaction>(t: &mut T, rows: Rows) -> Result<(), StoreError> {
    let columns = ["take", "counted"];
    let sums = ["items", "adjustment_high", "adjustment_low", "versions"];
    add_to(t, "stk_stock_take_total", &columns, &sums, rows).await
}

async fn add_to_counts<T: Transaction>(t: &mut T, rows: Rows) -> Result<(), StoreError> {
    let sums = [
        "items",
        "discrepancies",
        "missing_high",
        "missing_low",
        "excess_high",
        "excess_low",
    ];
    let columns = ["inventory_count"];
    add_to(t, "stk_inventory_count_total", &columns, &sums, rows).await
}

const HALF: i128 = 1 << 32;

/// A sum as whole 2^32 and the rest.
fn halves(sum: i128) -> [Cell; 2] {
    [narrow(sum.div_euclid(HALF)), narrow(sum.rem_euclid(HALF))]
}

pub(crate) fn whole(high: i64, low: i64) -> i128 {
    i128::from(high)
        .saturating_mul(HALF)
        .saturating_add(i128::from(low))
}

fn narrow(sum: i128) -> Cell {
    let end = if sum < 0 { i64::MIN } else { i64::MAX };
    Cell::Int(i64::try_from(sum).unwrap_or(end))
}

async fn add_to<T: Transaction>(
    t: &mut T,
    table: &str,
    columns: &[&str],
    sums: &[&str],
    (organisation, part, rows): Rows,
) -> Result<(), StoreError> {
    let mut kinds = vec![Kind::Uuid];
    kinds.resize(columns.len().saturating_add(sums.len()), Kind::Int);
    for block in blocks(T::DIALECT, rows) {
        let mut query = t.query("INSERT INTO ");
        query.push(table).push(" AS t (organisation, part");
        for column in columns.iter().chain(sums) {
            query.push(", ").push(column);
        }
        query.push(") SELECT ").bind(organisation.as_uuid());
        query.push(", ").bind(part).push(", w.* FROM ");
        query.table(&kinds, block);
        query.push(" WHERE true ON CONFLICT (organisation");
        for column in columns {
            query.push(", ").push(column);
        }
        query.push(", part) DO UPDATE SET ");
        for (nth, sum) in sums.iter().enumerate() {
            let comma = if nth > 0 { ", " } else { "" };
            query.push(&format!("{comma}{sum} = t.{sum} + excluded.{sum}"));
        }
        t.expect(query, None).await?;
    }
    Ok(())
}

/// The totals that are kept of a take's lines.
pub(crate) async fn of_take<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    take: StockTakeId,
    status: CountStatus,
) -> Result<StockTakeTotals, StoreError> {
    let mut query = s.query(
        "SELECT counted, items, adjustment_high, adjustment_low, versions \
         FROM stk_stock_take_total WHERE organisation = ",
    );
    query.bind(organisation.as_uuid());
    query.push(" AND take = ").bind(take.as_uuid());
    let parts = all(s, &query, |row: &mut Row| {
        let counted = row.flag()?;
        let items: i64 = row.int()?;
        let adjustment = whole(row.int()?, row.int()?);
        let versions: i64 = row.int()?;
        Ok((counted, items, adjustment, versions))
    });
    let (mut all, mut counted, mut adjustment, mut versions) = (0_i64, 0_i64, 0_i128, 0_i64);
    for (is_counted, items, adjustment_part, versions_part) in parts.await? {
        let is_wanted = match status {
            CountStatus::All => true,
            CountStatus::Counted => is_counted,
            CountStatus::Uncounted => !is_counted,
        };
        if is_wanted {
            all = all.saturating_add(items);
            adjustment = adjustment.saturating_add(adjustment_part);
            versions = versions.saturating_add(versions_part);
            if is_counted {
                counted = counted.saturating_add(items);
            }
        }
    }
    let corrupt = || StoreError::new(StoreErrorKind::Corrupt, "stock_take_totals");
    let number = |sum: i64| u64::try_from(sum).map_err(|cause| corrupt().because(cause));
    Ok(StockTakeTotals {
        items: number(all)?,
        counted: number(counted)?,
        adjustment_minor: adjustment,
        versions: number(versions)?,
    })
}

/// The totals that are kept of a count's lines.
pub(crate) async fn of_count<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    count: InventoryCountId,
) -> Result<CountTotals, StoreError> {
    let mut query = s.query(
        "SELECT items, discrepancies, missing_high, missing_low, excess_high, excess_low \
         FROM stk_inventory_count_total WHERE organisation = ",
    );
    query.bind(organisation.as_uuid());
    query.push(" AND inventory_count = ").bind(count.as_uuid());
    let parts = all(s, &query, |row: &mut Row| {
        let items: i64 = row.int()?;
        let discrepancies: i64 = row.int()?;
        let missing = whole(row.int()?, row.int()?);
        let excess = whole(row.int()?, row.int()?);
        Ok([
            i128::from(items),
            i128::from(discrepancies),
            missing,
            excess,
        ])
    });
    let mut sums = [0; 4];
    for part in parts.await? {
        add(&mut sums, 1, part);
    }
    let [items, discrepancies, missing, excess] = sums;
    let corrupt = || StoreError::new(StoreErrorKind::Corrupt, "inventory_count_totals");
    let number = |sum: i128| u64::try_from(sum).map_err(|cause| corrupt().because(cause));
    CountTotals::new(number(items)?, number(discrepancies)?, missing, excess)
        .map_err(|cause| corrupt().because(cause))
}
