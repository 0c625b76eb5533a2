//! R22: what is kept beside records is made to follow from them, and nothing else changes.

use std::sync::Arc;

use tokio::task::yield_now;

use super::checks::{Verdict, applied, same};
use super::everything::{Everything, Scope};
use super::harness::Stage;
use super::races::{Race, rounds};
use super::records::{full_key, keys_of_every_kind, record};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use crate::store::{RecordKey, StockTakeItemFilter};

/// Where all is as it should be, mending tells nothing and changes nothing: no record, no version, no total, and nothing of
/// another organisation.
pub(super) async fn r22_mending_what_is_right_changes_nothing(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let mut sampler = Sampler::new(22, Filling::Full);
    let mut scope = Scope::shelves();
    scope.keys.extend(keys_of_every_kind());
    let mut written = changes();
    for key in keys_of_every_kind() {
        written.insert(record(&mut sampler, &key)?);
    }
    written.event(event(1, full_key(1), 1));
    applied(&*store, &written).await?;
    let keys = &scope.keys;
    let before = Everything::read(&*store, ORGANISATION, &scope).await?;
    for organisation in [ORGANISATION, STRANGER, ORGANISATION] {
        let told = store.mend(organisation, keys).await?;
        same(told, [], "what was mended where nothing was wrong")?;
    }
    let after = Everything::read(&*store, ORGANISATION, &scope).await?;
    after.is(&before, "what was there before it was mended")
}

/// While lines are counted and stock moves, mending loses nothing and counts nothing twice.
pub(super) async fn r22_mending_among_commits_loses_none(stage: &Stage<'_>) -> Verdict {
    const LINES: u64 = 8;
    let store = shop(stage, LINES).await?;
    let other = stage.second_handle(&store).await?;
    let keys: Vec<RecordKey> = (1..=LINES)
        .map(|n| RecordKey::StockTakeItem(TAKE, item(n).id))
        .chain([RecordKey::StockTake(TAKE), RecordKey::Site(SITE)])
        .collect();
    let mut race = Race::new(3);
    for task in 0..2_u64 {
        let store = Arc::clone(if task == 0 { &store } else { &other });
        race.enter(async move {
            for round in 0..rounds() {
                let n = 1 + task + 2 * (round % (LINES / 2));
                let version = line_version(&*store, n).await?;
                let mut changes = changes();
                let quantity = (round % 7).to_string();
                changes.update(version, counted(item(n), &quantity, 0));
                let id = u128::from(2 * round + task) + 1;
                changes.event(event(id, key(id), 1));
                applied(&*store, &changes).await?;
                yield_now().await;
            }
            Ok(())
        });
    }
    let mending = Arc::clone(&store);
    let of = keys.clone();
    race.enter(async move {
        for _ in 0..rounds() {
            let told = mending.mend(ORGANISATION, &of).await?;
            same(told, [], "what was mended while lines were counted")?;
            yield_now().await;
        }
        Ok(())
    });
    race.run().await?;
    let found = store.unlike(ORGANISATION, &keys).await?;
    same(found, [], "what is unlike its record after a race")?;
    let filter = StockTakeItemFilter::default();
    let totals = store.stock_take_totals(ORGANISATION, TAKE, &filter).await?;
    let expected = (LINES, LINES + 2 * rounds());
    same(
        (totals.items, totals.versions),
        expected,
        "the totals after a race",
    )
}
