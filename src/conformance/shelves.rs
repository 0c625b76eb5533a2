//! A store with several rows of every list, many of them equal in what lists sort by.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::checks::{Wrong, applied};
use super::harness::{Handle, Stage, Store};
use super::questions::Question;
use super::records::{
    COUNT, IMPORT, ORDER, adjustment_id, count_line_id, line_id, order_line_id, record,
};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use crate::domain::{
    Code, InventoryCountId, InventoryOrderId, LineOutcome, LineProblem, OrganisationId, StockKey,
};
use crate::store::{
    ArticleFilter, ArticleSort, InventoryCountFilter, InventoryCountItemFilter,
    InventoryOrderFilter, InventoryOrderItemFilter, JobKind, LevelFilter, Record, RecordKey,
    StockAdjustmentFilter, StockTakeFilter, StockTakeItemFilter,
};

/// When what is open is due: long after any case is over.
pub(super) const LATER: i64 = 1_000_000_000;

/// How many of each.
pub(super) const ROWS: u128 = 12;

/// A key that has a level, here and there at a stock place.
fn level_key(n: u128) -> StockKey {
    match n % 4 {
        0 => key(n).at(code("A")),
        1 => key(n).at(code("a")),
        2 => key(n).at(code("B")),
        _ => key(n),
    }
}

/// The keys of what stands on the shelves.
pub(super) fn keys() -> Vec<RecordKey> {
    keys_of(ROWS)
}

/// The keys of shelves with so many of each.
pub(super) fn keys_of(rows: u128) -> Vec<RecordKey> {
    let mut keys = vec![
        RecordKey::Site(SITE),
        RecordKey::Supplier(supplier(1).id),
        RecordKey::OpenCount(SITE),
        RecordKey::StockImport(IMPORT),
        RecordKey::ImportChunk(IMPORT, 0),
        RecordKey::Export(job_id(1)),
        RecordKey::ExportChunk(job_id(1), 0),
    ];
    for n in 1..=rows {
        let count = InventoryCountId::new(uuid::Uuid::from_u128(0xC00 + n));
        let order = InventoryOrderId::new(uuid::Uuid::from_u128(0xD00 + n));
        keys.extend([
            RecordKey::Product(product_id(n)),
            RecordKey::StockTake(take_id(n)),
            RecordKey::InventoryCount(count),
            RecordKey::InventoryOrder(order),
            RecordKey::StockAdjustment(adjustment_id(n)),
            RecordKey::StockLevel(level_key(n)),
            RecordKey::StockTakeItem(TAKE, line_id(n)),
            RecordKey::InventoryCountItem(COUNT, count_line_id(n)),
            RecordKey::InventoryOrderItem(ORDER, order_line_id(n)),
        ]);
    }
    for serial in serials() {
        let products = [None, Some(product_id(1)), Some(product_id(2))];
        let marks = products.map(|product| RecordKey::SerialMark(serial.clone(), product));
        keys.extend(marks);
    }
    keys.extend([
        RecordKey::StockTake(TAKE),
        RecordKey::InventoryCount(COUNT),
        RecordKey::InventoryOrder(ORDER),
    ]);
    keys
}

/// The serial numbers that are on hand.
pub(super) fn serials() -> BTreeSet<Code> {
    ["a", "A", "\u{e9}"].map(code).into()
}

/// Makes up the record of a key, with a unique name of its own.
pub(super) fn named(sampler: &mut Sampler, key: &RecordKey) -> Result<Record, Wrong> {
    let mut record = record(sampler, key)?;
    match &mut record {
        Record::Product(product) => {
            let product = Arc::make_mut(product);
            product.article_id = code(&format!("SKU-{:x}", product.id.as_uuid().as_u128()));
        }
        // Every other line is of a key that has a level.
        Record::StockTakeItem(item) if sampler.seed.one_in(2) => {
            item.key = level_key(1 + u128::from(sampler.seed.below(6)));
            if let Some(posting) = &mut item.posting
                && sampler.seed.one_in(3)
            {
                let problem = LineProblem::CostUnknown;
                posting.outcome = LineOutcome::Unposted { problem };
            }
        }
        Record::Site(site) => {
            site.external_id = code(&format!("site-{:x}", site.id.as_uuid().as_u128()));
        }
        _ => {}
    }
    Ok(record)
}

/// Fills the shelves of an organisation.
pub(super) async fn fill(
    store: &dyn Store,
    sampler: &mut Sampler,
    organisation: OrganisationId,
) -> Result<Vec<Record>, Wrong> {
    let mut changes = changes_of(organisation);
    let mut records = Vec::new();
    for key in keys() {
        let record = named(sampler, &key)?;
        records.push(record.clone());
        changes.insert(record);
    }
    for n in 1..=ROWS {
        changes.job(job(n, 0, 1));
        changes.job(job(n + 2 * ROWS, LATER, 1));
        changes.event(event(n, key(n), 1));
        changes.entry(entry(n, &item(1)));
    }
    applied(store, &changes).await?;
    for _ in 1..=ROWS {
        let lease = store.lease("w", JobKind::ALL, at(1), at(2)).await?;
        let lease = lease.ok_or("a job that is due is not leased")?;
        store.fail(lease.token, "x", at(1), None).await?;
    }
    Ok(records)
}

/// A store whose shelves are full.
pub(super) async fn shelves(stage: &Stage<'_>, seed: u64) -> Result<Handle, Wrong> {
    let store = stage.fresh().await?;
    fill(
        &*store,
        &mut Sampler::new(seed, Filling::Mixed),
        ORGANISATION,
    )
    .await?;
    Ok(store)
}

/// Every list of the shelves, unfiltered.
pub(super) fn every_list() -> Vec<Question> {
    let delisted = LevelFilter {
        with_delisted: true,
        ..LevelFilter::default()
    };
    let line = ArticleSort::default();
    vec![
        Question::Levels(SITE, delisted),
        Question::Articles(SITE, ArticleFilter::default(), line),
        Question::StockTakes(SITE, StockTakeFilter::default()),
        Question::StockTakeItems(TAKE, StockTakeItemFilter::default(), line),
        Question::InventoryCounts(SITE, InventoryCountFilter::default()),
        Question::InventoryCountItems(COUNT, InventoryCountItemFilter::default()),
        Question::StockAdjustments(SITE, StockAdjustmentFilter::default()),
        Question::InventoryOrders(SITE, InventoryOrderFilter::default()),
        Question::InventoryOrderItems(ORDER, InventoryOrderItemFilter::default()),
        Question::OpenJobs,
        Question::DeadJobs,
    ]
}
