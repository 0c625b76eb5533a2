//! What is asked for by name, many at a time: the lines to be counted, and the marks of serial numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::checks::{Verdict, Wrong, commit, ensure, refused, same};
use super::harness::{Stage, Store};
use super::races::{Race, rounds};
use super::records::line_id;
use super::samples::*;
use crate::domain::{OrganisationId, ProductId, StockLevel, StockTakeItemId};
use crate::store::{
    CommitError, Conflict, DeletableKey, MAX_PAGE, RecordKey, SerialMark, Versioned,
};

/// How many lines there are: more than a store may ask for at a time.
const LINES: u64 = 240;

/// A view has one answer for each line that was asked for, in their order, whatever they are and however many.
pub(super) async fn r04_a_view_of_many_lines_answers_each_in_order(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, LINES).await?;
    put(&*store, |it| {
        it.insert(take(take_id(1), 2));
        it.insert(level(key(2), "0"));
        it.insert(StockLevel::new(key(3), at(1)));
        it.update(V1, counted(item(2), "1", 0));
    })
    .await?;
    for asked in [
        (1..=LINES).rev().collect(),
        (1..=LINES + 20).filter(|n| n % 7 != 3).collect(),
        vec![2, 999, 2, 3, 2],
        vec![999],
        vec![3],
        vec![],
    ] {
        let ids: Vec<StockTakeItemId> = asked.iter().map(|n| item(*n).id).collect();
        let view = store.counting_view(ORGANISATION, TAKE, &ids).await?;
        let view = view.ok_or("a take that is there has no view")?;
        same(view.take.id(), TAKE, "the take of a view")?;
        same(view.lines.len(), asked.len(), "answers of a view")?;
        for (n, line) in asked.into_iter().zip(view.lines) {
            let Some(line) = line else {
                ensure!(n > LINES, "line {n} is not in a view");
                continue;
            };
            let expected = match n {
                2 => (V1.next(), counted(item(2), "1", 0), Some(true)),
                3 => (V1, item(3), Some(false)),
                _ => (V1, item(n), None),
            };
            let is_stocked = line.level.map(|level| level.is_stocked());
            let found = (line.item.version, (*line.item.value).clone(), is_stocked);
            same(found, expected, &format!("line {n} of a view"))?;
        }
    }
    let ids = [item(1).id, line_id(1)];
    for ids in [&ids[..], &[]] {
        let unknown = store.counting_view(ORGANISATION, take_id(9), ids).await?;
        same(unknown, None, "a view of no take")?;
        let foreign = store.counting_view(STRANGER, TAKE, ids).await?;
        same(foreign, None, "a view of a foreign take")?;
    }
    let other = store.counting_view(ORGANISATION, take_id(1), &ids).await?;
    let other = other.map(|view| view.lines);
    same(other, Some(vec![None, None]), "lines of another take")
}

fn mark(serial: &str, product: Option<u128>, of: u128) -> SerialMark {
    SerialMark {
        serial: code(serial),
        product: product.map(product_id),
        key: key(of).with_serial(code(serial)),
    }
}

fn name(mark: &SerialMark) -> RecordKey {
    RecordKey::SerialMark(mark.serial.clone(), mark.product)
}

async fn marks(
    store: &dyn Store,
    whose: OrganisationId,
    serials: &[&str],
    products: &[u128],
) -> Result<Vec<Versioned<SerialMark>>, Wrong> {
    let serials = serials.iter().map(|serial| code(serial)).collect();
    let products: BTreeSet<ProductId> = products.iter().map(|n| product_id(*n)).collect();
    Ok(store.serial_marks(whose, &serials, &products).await?)
}

/// The marks of numbers stand by number, then product, those of all products first; of products that are named, or of
/// any.
pub(super) async fn r09_serial_marks_stand_by_number_then_product(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 0).await?;
    // In the order in which they are told, byte by byte; neither folded nor normalised.
    let all = [
        mark("A", Some(2), 1),
        mark("a", None, 2),
        mark("a", Some(1), 3),
        mark("a", Some(2), 4),
        mark("a b", Some(1), 5),
        mark("a%", None, 6),
        mark("e", Some(1), 7),
        mark("\u{e9}", Some(1), 8),
    ];
    put(&*store, |it| {
        for mark in all.iter().rev() {
            it.insert(mark.clone());
        }
    })
    .await?;
    let every = ["\u{e9}", "e", "b", "a%", "a b", "a", "A"];
    for (serials, products, expected) in [
        (&every[..], &[][..], &[0, 1, 2, 3, 4, 5, 6, 7][..]),
        (&every, &[1], &[1, 2, 4, 5, 6, 7]),
        (&every, &[2], &[0, 1, 3, 5]),
        (&every, &[2, 1], &[0, 1, 2, 3, 4, 5, 6, 7]),
        (&every, &[9], &[1, 5]),
        (&["a"], &[], &[1, 2, 3]),
        (&["A"], &[1], &[]),
        (&["b"], &[], &[]),
        (&[], &[], &[]),
        (&[], &[1], &[]),
    ] {
        let found = marks(&*store, ORGANISATION, serials, products).await?;
        let found: Vec<_> = found.into_iter().map(|it| (it.version, it.value)).collect();
        let expected = expected.iter().filter_map(|n| all.get(*n));
        let expected: Vec<_> = expected.map(|mark| (V1, mark.clone())).collect();
        let what = format!("the marks of {serials:?} of {products:?}");
        same(found, expected, &what)?;
        let foreign = marks(&*store, STRANGER, serials, products).await?;
        same(foreign, [], "foreign marks")?;
    }
    for limit in [1, 3, MAX_PAGE] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = store.serial_marks_after(ORGANISATION, after, limit).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.value.serial.clone(), last.value.product));
            ensure!(
                page.len() <= usize::try_from(limit).unwrap_or(usize::MAX)
                    && walked.len() <= all.len(),
                "pages of {limit} marks that go on after {walked:?}"
            );
            walked.extend(page.into_iter().map(|it| it.value));
        }
        same(
            walked,
            all.clone(),
            &format!("all marks, {limit} at a time"),
        )?;
    }
    let foreign = store.serial_marks_after(STRANGER, None, MAX_PAGE).await?;
    same(foreign, [], "all foreign marks")?;
    // More than a store may ask for at a time.
    let many: Vec<String> = (100..350).map(|n| n.to_string()).collect();
    put(&*store, |it| {
        for serial in &many {
            it.insert(mark(serial, Some(1), 1));
        }
    })
    .await?;
    let wanted: Vec<&str> = many.iter().map(String::as_str).rev().collect();
    let found = marks(&*store, ORGANISATION, &wanted, &[]).await?;
    let found: Vec<_> = found.iter().map(|mark| mark.serial.as_str()).collect();
    same(found, many, "the marks of many numbers")
}

/// A number has one mark in a product and one in all of them: of many who make it one wins, and the others are told.
pub(super) async fn r02_one_mark_of_a_serial_number(stage: &Stage<'_>) -> Verdict {
    const TASKS: u64 = 4;
    let store = shop(stage, 0).await?;
    let other = stage.second_handle(&store).await?;
    let expected = [mark("a", None, 1), mark("a", Some(1), 2)];
    for mark in &expected {
        put(&*store, |it| it.insert(mark.clone())).await?;
    }
    for mark in &expected {
        let of = |serial: &str| SerialMark {
            serial: code(serial),
            key: key(9).with_serial(code(serial)),
            ..mark.clone()
        };
        let mut again = changes();
        again.insert(of("a"));
        again.insert(of("b"));
        let exists = Conflict::Exists(name(mark));
        refused(&*other, &again, &[exists], "a second mark of a number").await?;
    }
    let found = marks(&*other, ORGANISATION, &["a", "b"], &[]).await?;
    let found: Vec<_> = found.into_iter().map(|it| it.value).collect();
    same(found, expected, "the marks after the refused ones")?;
    for round in 0..rounds() {
        let serial = format!("race {round}");
        let mut race = Race::new(usize::try_from(TASKS).unwrap_or(1));
        for n in 0..TASKS {
            let store = Arc::clone(if n % 2 == 0 { &store } else { &other });
            let mark = mark(&serial, Some(1), u128::from(n));
            race.enter(async move {
                let mut changes = changes();
                changes.insert(mark.clone());
                match commit(&*store, &changes).await {
                    Ok(_) => Ok(Some(mark)),
                    Err(CommitError::Conflict(_)) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            });
        }
        let won: Vec<_> = race.run().await?.into_iter().flatten().collect();
        let found = marks(&*store, ORGANISATION, &[&serial], &[1]).await?;
        let found: Vec<_> = found.into_iter().map(|it| it.value).collect();
        same(won, found, "those who made the mark")?;
    }
    // A number that is given up is free.
    let mark = mark("a", None, 1);
    let key = || DeletableKey::SerialMark(mark.serial.clone(), mark.product);
    for _ in 1..4 {
        let mut late = changes();
        late.delete(V1.next(), key());
        let stale = Conflict::Stale {
            key: name(&mark),
            actual: V1,
        };
        refused(&*store, &late, &[stale], "a mark of another version").await?;
        put(&*store, |it| it.delete(V1, key())).await?;
        let found = marks(&*other, ORGANISATION, &["a"], &[9]).await?;
        same(found, [], "a mark that was deleted")?;
        put(&*store, |it| it.insert(mark.clone())).await?;
        let found = marks(&*other, ORGANISATION, &["a"], &[9]).await?;
        let found: Vec<_> = found.into_iter().map(|it| (it.version, it.value)).collect();
        same(found, [(V1, mark.clone())], "a mark that came back")?;
    }
    Ok(())
}
