//! What stands beside everything that a case writes, and must never be told of it.
//!
//! Every store of the suite holds them before a case begins: a neighbour, who is another organisation and uses the very
//! ids that the cases use; and, in the cases' own organisation, another site with documents of every kind, whose lines have
//! the ids of the cases' lines. So a list, a total or a search that forgets what it is of finds too much, whichever
//! case asks.

use std::sync::OnceLock;

use super::checks::{Verdict, Wrong, applied};
use super::harness::Store;
use super::records::{COUNT, count_line_id, line_id, order_line_id, record_at};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use super::shelves::{LATER, keys_of, named};
use crate::domain::{
    Code, InventoryCountEntry, InventoryCountId, InventoryOrderId, JobId, OrganisationId, SiteId,
    StockAdjustmentId, StockImportId, StockKey, StockTakeId,
};
use crate::store::{ChangeSet, Command, Record, RecordKey};

/// Another organisation, with the ids of the cases.
pub(super) const NEIGHBOUR: OrganisationId = OrganisationId::new(uuid::Uuid::from_u128(0xDE));

/// Another site of the cases' organisation.
const ELSEWHERE: SiteId = SiteId::new(uuid::Uuid::from_u128(0x5DEC));

/// How many of each.
const ROWS: u128 = 3;

/// An id that no case uses.
const fn own(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0xDEC0_0000 + n)
}

/// Puts the decoys into a store.
pub(super) async fn lay(store: &dyn Store) -> Verdict {
    static DECOYS: OnceLock<[ChangeSet; 2]> = OnceLock::new();
    let decoys = if let Some(made) = DECOYS.get() {
        made
    } else {
        let made = [neighbours()?, elsewhere()?];
        DECOYS.get_or_init(|| made)
    };
    for changes in decoys {
        applied(store, changes)
            .await
            .map_err(|wrong| wrong.at("the beginning: a commit with records of every kind"))?;
    }
    Ok(())
}

/// A command that nobody purges: what cases purge is older.
fn command_of(key: &str) -> Command {
    Command {
        at: at(LATER),
        ..command(key, "decoys")
    }
}

/// The cases' own ids, in another organisation.
fn neighbours() -> Result<ChangeSet, Wrong> {
    let mut sampler = Sampler::new(0xDEC0, Filling::Mixed);
    let mut changes = ChangeSet::new(NEIGHBOUR, command_of("a neighbour's"));
    for key in keys_of(ROWS) {
        changes.insert(named(&mut sampler, &key)?);
    }
    for n in 1..=ROWS {
        let line = u64::try_from(n).unwrap_or(0);
        changes.insert(counted(item(line), "7", 700));
        changes.event(event(n, key(n), 1));
        changes.entry(entry(n, &item(line)));
        changes.job(job(n, LATER, 1));
        changes.entry(counting(&mut sampler, COUNT, n)?);
    }
    Ok(changes)
}

/// An act of counting a line of a count.
fn counting(
    sampler: &mut Sampler,
    count: InventoryCountId,
    line: u128,
) -> Result<InventoryCountEntry, Wrong> {
    let mut counted: InventoryCountEntry = sampler.make(&[("count", count.as_uuid())])?;
    counted.item = count_line_id(line);
    Ok(counted)
}

/// Documents of another site, with lines of the cases' ids.
fn elsewhere() -> Result<ChangeSet, Wrong> {
    let mut sampler = Sampler::new(0xDEC1, Filling::Mixed);
    let mut changes = ChangeSet::new(ORGANISATION, command_of("elsewhere"));
    changes.insert(site_of(ELSEWHERE, "a site beside it"));
    let (take, count) = (StockTakeId::new(own(1)), InventoryCountId::new(own(1)));
    let (order, import) = (InventoryOrderId::new(own(1)), StockImportId::new(own(1)));
    let job = JobId::new(own(1));
    let mut keys = vec![
        RecordKey::OpenCount(ELSEWHERE),
        RecordKey::StockImport(import),
        RecordKey::ImportChunk(import, 0),
        RecordKey::Export(job),
        RecordKey::ExportChunk(job, 0),
    ];
    for n in 1..=ROWS {
        keys.extend([
            RecordKey::StockTake(StockTakeId::new(own(n))),
            RecordKey::InventoryCount(InventoryCountId::new(own(n))),
            RecordKey::InventoryOrder(InventoryOrderId::new(own(n))),
            RecordKey::StockAdjustment(StockAdjustmentId::new(own(n))),
            RecordKey::StockLevel(key_elsewhere(n)),
            RecordKey::StockTakeItem(take, line_id(n)),
            RecordKey::InventoryCountItem(count, count_line_id(n)),
            RecordKey::InventoryOrderItem(order, order_line_id(n)),
        ]);
    }
    for key in keys {
        let mut record = record_at(&mut sampler, &key, ELSEWHERE)?;
        if let Record::Export(export) = &mut record {
            export.expires_at = at(LATER);
        }
        changes.insert(record);
    }
    for n in 1..=ROWS {
        let mut line = counted(item(u64::try_from(n).unwrap_or(0)), "7", 700);
        line.take = take;
        let mut second = entry(n, &line);
        second.item = line_id(n);
        changes.entry(second);
        changes.entry(entry(n, &line));
        changes.insert(line);
        changes.event(event(own(n).as_u128(), key_elsewhere(n), 1));
        changes.entry(counting(&mut sampler, count, n)?);
    }
    Ok(changes)
}

/// A key of the same product at the other site, on stock.
fn key_elsewhere(n: u128) -> StockKey {
    let key = StockKey::plain(ELSEWHERE, product_id(n));
    if n == 1 { key } else { key.at(place(n)) }
}

fn place(n: u128) -> Code {
    code(if n == 2 { "A" } else { "B" })
}
