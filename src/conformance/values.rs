//! C01 to C06: what is kept comes back as it was (R3, R16).

use std::sync::Arc;

use super::checks::{Verdict, Wrong, applied, refused, same};
use super::harness::{Stage, Store};
use super::records::{full_key, keys_of_every_kind, outcomes, read, record};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use crate::domain::{
    CountEntry, InventoryCountEntry, Note, Quantity, StockEvent, Timestamp, UnitCost, Value,
};
use crate::store::{
    ChangeSet, Command, CommitOutcome, Conflict, DeletableKey, Record, RecordKey, RepositoryExt,
    Version,
};

/// That a record is there, as it was written.
async fn is_kept(store: &dyn Store, expected: &Record, version: Version, what: &str) -> Verdict {
    let key = expected.key();
    let Some((found, value)) = read(store, ORGANISATION, &key).await? else {
        return Err(format!("{what}: {key:?} is not there").into());
    };
    same(&value, expected, what)?;
    same(
        found.unwrap_or(version),
        version,
        "the version of what came back",
    )
}

/// A record of every kind with every field, with none that may be missing, and replaced by another one.
pub(super) async fn c01_insert_get_round_trips_every_field(stage: &Stage<'_>) -> Verdict {
    for (seed, filling) in [
        (1, Filling::Full),
        (2, Filling::Bare),
        (3, Filling::Full),
        (4, Filling::Mixed),
        (5, Filling::Full),
    ] {
        let store = stage.fresh().await?;
        let mut sampler = Sampler::new(seed, filling);
        for version in [Version::FIRST, Version::FIRST.next()] {
            let mut changes = changes();
            let mut written = Vec::new();
            for key in keys_of_every_kind() {
                let record = record(&mut sampler, &key)?;
                written.push(record.clone());
                if version == Version::FIRST {
                    changes.insert(record);
                } else {
                    changes.update(V1, record);
                }
            }
            applied(&*store, &changes).await?;
            for record in &written {
                is_kept(
                    &*store,
                    record,
                    version,
                    "what was written came back otherwise",
                )
                .await?;
            }
        }
    }
    Ok(())
}

/// Records of every kind are like what is kept of them before they are there, once they are, when they are others
/// and when they are gone.
pub(super) async fn r21_what_is_kept_beside_follows_from_every_commit(
    stage: &Stage<'_>,
) -> Verdict {
    let store = stage.fresh().await?;
    let mut sampler = Sampler::new(21, Filling::Full);
    let keys = keys_of_every_kind();
    let none = async |when: &str| {
        for organisation in [ORGANISATION, STRANGER] {
            let found = store.unlike(organisation, &keys).await?;
            same(found, [], &format!("what is unlike its record {when}"))?;
            for after in [0, 1] {
                let found = store.unlike_events(organisation, SITE, after, 9);
                same(
                    found.await?,
                    [],
                    &format!("what is unlike its event {when}"),
                )?;
            }
        }
        Ok::<(), Wrong>(())
    };
    none("while nothing is there").await?;
    let mut written = changes();
    for key in &keys {
        written.insert(record(&mut sampler, key)?);
    }
    for n in 1..=2 {
        written.event(event(n, full_key(n), 1));
    }
    applied(&*store, &written).await?;
    none("once it was inserted").await?;
    let mut replaced = changes();
    for key in &keys {
        replaced.update(V1, record(&mut sampler, key)?);
    }
    applied(&*store, &replaced).await?;
    none("once it was updated").await?;
    for gone in keys.iter().filter_map(DeletableKey::of) {
        put(&*store, |it| it.delete(V1.next(), gone)).await?;
    }
    none("once it was deleted").await
}

/// What is not there is no error.
pub(super) async fn c02_get_missing_is_none(stage: &Stage<'_>) -> Verdict {
    let empty = stage.fresh().await?;
    let store = shop(stage, 1).await?;
    for store in [&empty, &store] {
        for key in keys_of_every_kind() {
            if key == RecordKey::StockTake(TAKE) || key == RecordKey::Product(product_id(1)) {
                continue;
            }
            let found = read(&**store, ORGANISATION, &key).await?;
            same(found, None, "a record that was never written")?;
        }
    }
    let store = &*store;
    let unknown = [product_id(9), product_id(1), product_id(9)];
    let found = store.products(ORGANISATION, &unknown).await?;
    let found: Vec<_> = found.iter().map(Option::is_some).collect();
    same(
        found,
        [false, true, false],
        "an answer for each id, in their order",
    )?;
    let articles = [code("SKU-1"), code("sku-1"), code("SKU-9")];
    let found = store.products_by_article(ORGANISATION, &articles).await?;
    let found: Vec<_> = found.iter().map(Option::is_some).collect();
    same(found, [true, false, false], "an answer for each article id")?;
    let found = store
        .events(ORGANISATION, &[event_id(9), event_id(8)])
        .await?;
    same(found, [None, None], "events that never were")?;
    let found = store.levels(ORGANISATION, &[key(1), key(9)]).await?;
    same(
        found,
        [None, None],
        "levels of keys that nothing happened to",
    )?;
    let found = store.events_after(ORGANISATION, &[(key(1), 0)]).await?;
    same(found, [], "events of such a key")?;
    let found = store
        .site_by_external_id(ORGANISATION, &code("none"))
        .await?;
    same(found, None, "the site of an unknown external id")?;
    let found = store.job(ORGANISATION, job_id(9)).await?;
    same(found, None, "an unknown job")?;
    let found = store
        .command(ORGANISATION, &command("never", "x").id)
        .await?;
    same(found, None, "an unknown command")?;
    let found = store.count_entries(ORGANISATION, TAKE, item(9).id).await?;
    same(found, [], "the entries of an unknown line")?;
    let count = super::records::COUNT;
    let line = super::records::count_line_id(9);
    let found = store
        .inventory_count_entries(ORGANISATION, count, line)
        .await?;
    same(found, [], "the entries of an unknown line of a count")?;
    let ids = [item(9).id, item(1).id, item(8).id, item(1).id];
    let found = store.stock_take_item_ids(ORGANISATION, TAKE, &ids).await?;
    same(
        found,
        [ids[1], ids[3]],
        "the known ones among some ids, in their order",
    )
}

/// An insert demands that the record is absent, and leaves what is there.
pub(super) async fn c03_insert_duplicate_id_is_duplicate_and_keeps_original(
    stage: &Stage<'_>,
) -> Verdict {
    let store = stage.fresh().await?;
    let mut sampler = Sampler::new(7, Filling::Full);
    let mut originals = Vec::new();
    let mut first = changes();
    for key in keys_of_every_kind() {
        let record = record(&mut sampler, &key)?;
        originals.push(record.clone());
        first.insert(record);
    }
    applied(&*store, &first).await?;
    for original in &originals {
        let key = original.key();
        let mut again = changes();
        again.insert(record(&mut sampler, &key)?);
        refused(
            &*store,
            &again,
            &[Conflict::Exists(key)],
            "an insert of what is there",
        )
        .await?;
    }
    let mut all = changes();
    for key in keys_of_every_kind() {
        all.insert(record(&mut sampler, &key)?);
    }
    let exist: Vec<_> = keys_of_every_kind()
        .into_iter()
        .map(Conflict::Exists)
        .collect();
    refused(
        &*store,
        &all,
        &exist,
        "an insert of what is there, of every kind",
    )
    .await?;
    for original in &originals {
        is_kept(&*store, original, V1, "a refused insert changed the record").await?;
    }
    Ok(())
}

/// A delete demands the version; what comes back begins at the first one, but a line of a take above all that were deleted.
pub(super) async fn c04_delete_needs_version_then_get_is_none(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let mut sampler = Sampler::new(11, Filling::Full);
    let mut all = changes();
    for key in keys_of_every_kind() {
        all.insert(record(&mut sampler, &key)?);
    }
    applied(&*store, &all).await?;
    let deletable: Vec<_> = keys_of_every_kind()
        .iter()
        .filter_map(DeletableKey::of)
        .collect();
    same(deletable.len(), 7, "keys of kinds that are deleted")?;
    for gone in deletable {
        let key = RecordKey::from(gone.clone());
        let mut version = V1;
        for _ in 0..3 {
            let other = record(&mut sampler, &key)?;
            put(&*store, |it| it.update(version, other)).await?;
            version = version.next();
            let mut stale = changes();
            stale.delete(version.next(), gone.clone());
            let conflict = Conflict::Stale {
                key: key.clone(),
                actual: version,
            };
            refused(&*store, &stale, &[conflict], "a delete of another version").await?;
            put(&*store, |it| it.delete(version, gone.clone())).await?;
            let found = read(&*store, ORGANISATION, &key).await?;
            same(found, None, "a record that was deleted")?;
            let missing = [Conflict::Missing(key.clone())];
            let mut again = changes();
            again.delete(version, gone.clone());
            refused(&*store, &again, &missing, "a delete of what is gone").await?;
            let mut late = changes();
            late.update(version, record(&mut sampler, &key)?);
            refused(&*store, &late, &missing, "an update of what is gone").await?;
            let back = record(&mut sampler, &key)?;
            put(&*store, |it| it.insert(back.clone())).await?;
            let Some((Some(now), found)) = read(&*store, ORGANISATION, &key).await? else {
                return Err(format!("{key:?} did not come back").into());
            };
            same(found, back, "a record that came back")?;
            let expected = match key {
                RecordKey::StockTakeItem(..) => version.next(),
                _ => V1,
            };
            same(now, expected, "the version of what came back")?;
            version = now;
        }
    }
    Ok(())
}

/// Quantities, costs and values, to the last digit, at both ends.
pub(super) async fn c05_decimal_and_money_round_trip_exactly(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 1).await?;
    let quantities = [
        "1000000000000",
        "-1000000000000",
        "999999999999.999999",
        "-999999999999.999999",
        "0.000001",
        "-0.000001",
        "0.1",
        "0",
        "2.5",
        "9007199254.740993", // 2^53 + 1 millionths
    ];
    let values = [
        "99999999999999999.9999999999",
        "-99999999999999999.9999999999",
        "100000000000000000",
        "-100000000000000000",
        "0.0000000001",
        "-0.0000000001",
        "0",
        "900719.9254740993",
    ];
    let mut number = 0;
    for text in quantities {
        number += 1;
        let exact: Quantity = made(text);
        let mut moved = event(number, key(number), 1);
        moved.change = exact;
        moved.before = exact;
        moved.after = exact;
        if let Ok(cost) = text.parse::<UnitCost>() {
            moved.unit_cost = cost;
        }
        let level = level(key(number), "1").with_reserved(exact, at(1));
        put(&*store, |it| {
            it.event(moved.clone());
            it.insert(level.clone());
        })
        .await?;
        let found = event_of(&*store, number).await?;
        same(found, moved, "a quantity in the ledger")?;
        is_kept(&*store, &level.into(), V1, "a quantity of a level").await?;
    }
    for text in values {
        number += 1;
        let exact: Value = made(text);
        let mut moved = event(number, key(number), 1);
        moved.value_change = exact;
        put(&*store, |it| it.event(moved.clone())).await?;
        same(
            event_of(&*store, number).await?,
            moved,
            "a value in the ledger",
        )?;
    }
    for minor in [i64::MAX, i64::MIN, -1, 0, 9_007_199_254_740_993] {
        let line = counted(item(1), "1", minor);
        let version = line_version(&*store, 1).await?;
        put(&*store, |it| it.update(version, line.clone())).await?;
        let sum = totals(&*store).await?.adjustment_minor;
        same(sum, minor.into(), "an amount in the minor unit")?;
    }
    Ok(())
}

async fn event_of(store: &dyn Store, n: u128) -> Result<StockEvent, super::checks::Wrong> {
    let found = store.events(ORGANISATION, &[event_id(n)]).await?;
    let found = found.into_iter().flatten().next();
    found
        .map(|entry| entry.event)
        .ok_or_else(|| "an event that was committed is not there".into())
}

/// Times to the microsecond, before 1970 and at the ends of the calendar; texts as they were given.
pub(super) async fn c06_timestamp_micros_and_text_round_trip(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let times = [
        0,
        1,
        -1,
        999_999,
        -999_999,
        -1_000_001,
        1_767_603_600_123_456,
        -62_135_596_800_000_001,  // before the year 1
        -210_866_803_200_000_001, // before 4713 B. C.
        -8_334_600_000_000_000_001,
        8_210_260_000_000_000_001,
    ];
    let mut number = 0;
    for micros in times {
        number += 1;
        let time = Timestamp::from_micros(micros)?;
        let mut moved = event(number, key(number), 1);
        moved.occurred_at = time;
        moved.recorded_at = time;
        put(&*store, |it| it.event(moved.clone())).await?;
        same(
            event_of(&*store, number).await?,
            moved,
            "a time in the ledger",
        )?;
    }
    let texts = [
        "e\u{301}".to_owned(),
        // Another code than the one before, whose accent is composed with its letter.
        "\u{e9} composed".to_owned(),
        "E\u{301}".to_owned(),
        "\u{1F4E6} 'quoted' \"twice\" %_\\ \u{1F468}\u{200D}\u{1F469}".to_owned(),
        " space around ".to_owned(),
        "case".to_owned(),
        "CASE".to_owned(),
        "007".to_owned(),
        "7".to_owned(),
        "\u{10FFFD}\u{FEFF}".to_owned(),
        "\u{1F4E6}".repeat(128),
    ];
    for (n, text) in (1..).zip(&texts) {
        let mut product = product(n);
        product.article_id = code(text);
        product.name = label(&format!("{text}{}", "\u{1F4E6}".repeat(127)));
        product.description = Some(made::<Note>(&format!(
            "{text}\n\t\r\n{}",
            "x".repeat(1_860)
        )));
        put(&*store, |it| it.insert(Arc::new(product.clone()))).await?;
        let found = store
            .products_by_article(ORGANISATION, &[code(text)])
            .await?;
        let found = found.into_iter().flatten().next().map(|it| it.value);
        same(
            found,
            Some(Arc::new(product)),
            "the product of an article id",
        )?;
    }
    Ok(())
}

/// Every kind of outcome, every act of counting and every kind of event.
pub(super) async fn r16_outcomes_entries_and_events_round_trip(stage: &Stage<'_>) -> Verdict {
    for (seed, filling) in [(1, Filling::Full), (2, Filling::Bare), (3, Filling::Full)] {
        let store = shop(stage, 1).await?;
        let mut sampler = Sampler::new(seed, filling);
        for (n, outcome) in (0..).zip(outcomes(&mut sampler)?) {
            let mut known = command(&format!("{n} \u{1F4E6} '%_\\"), "request");
            known.at = Timestamp::from_micros(-1 - n)?;
            known.outcome = outcome;
            outcome_comes_back(&*store, &known).await?;
        }
        entries_come_back(&*store, &mut sampler).await?;
        let mut moved = Vec::new();
        for sequence in 1..=20 {
            let mut event: StockEvent = sampler.make_of(&full_key(1))?;
            event.sequence = sequence;
            moved.push(event);
        }
        put(&*store, |it| {
            moved.iter().cloned().for_each(|event| it.event(event));
        })
        .await?;
        let found = store
            .events_after(ORGANISATION, &[(full_key(1), 0)])
            .await?;
        same(found, moved, "the events of a key")?;
    }
    Ok(())
}

async fn outcome_comes_back(store: &dyn Store, known: &Command) -> Verdict {
    let changes = ChangeSet::new(ORGANISATION, known.clone());
    applied(store, &changes).await?;
    let again = super::checks::commit(store, &changes).await?;
    let expected = CommitOutcome::AlreadyApplied(known.outcome.clone());
    same(
        again,
        expected,
        "the outcome of a command that is sent again",
    )?;
    let found = store.command(ORGANISATION, &known.id).await?;
    same(found.as_ref(), Some(known), "a remembered command")?;
    let settled = store.settle(ORGANISATION, &known.id, at(99)).await?;
    same(settled, Some(known.outcome.clone()), "a settled command")
}

async fn entries_come_back(store: &dyn Store, sampler: &mut Sampler) -> Verdict {
    use super::records::{COUNT, count_line_id, line_id};
    let header = RecordKey::InventoryCount(COUNT);
    let header = record(sampler, &header)?;
    put(store, |it| it.insert(header)).await?;
    let mut counted = Vec::new();
    let mut found = Vec::new();
    for _ in 0..4 {
        let mut entry: CountEntry = sampler.make(&[("take", TAKE.as_uuid())])?;
        entry.item = line_id(1);
        counted.push(entry);
        let mut entry: InventoryCountEntry = sampler.make(&[("count", COUNT.as_uuid())])?;
        entry.item = count_line_id(1);
        found.push(entry);
    }
    // An id of an entry says nothing to the store: two of the same are two entries.
    counted.extend(counted.first().cloned());
    found.extend(found.first().cloned());
    put(store, |it| {
        counted.iter().cloned().for_each(|entry| it.entry(entry));
        found.iter().cloned().for_each(|entry| it.entry(entry));
    })
    .await?;
    let kept = store.count_entries(ORGANISATION, TAKE, line_id(1)).await?;
    same(
        kept,
        counted,
        "the entries of a line, in the order of writing",
    )?;
    let kept = store
        .inventory_count_entries(ORGANISATION, COUNT, count_line_id(1))
        .await?;
    same(kept, found, "the entries of a line of a count")
}
