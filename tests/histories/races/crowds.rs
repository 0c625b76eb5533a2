//! Many at once, for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stocktake::domain::{
    LedgerEntry, PostingOptions, Quantity, StockEvent, StockEventKind, StockKey, StockTakeItemId,
    Value,
};
use stocktake::service::{Caller, CountRequest, Movement, NewMovement};
use stocktake::store::{
    ArticleSort, LevelFilter, MAX_PAGE, PageRequest, Repository as _, RepositoryExt,
    StockTakeItemFilter,
};

use super::race::{Task, caller, done, how_many, rounds, threads, together};
use super::world::{World, assert_posted_once, code, issue, new_take, q, record, sum};

/// A take of two hundred lines, a thousand on hand of each.
fn wide() -> Arc<World> {
    let world = World::open();
    let receipts: Vec<NewMovement> = (0..190)
        .map(|number| {
            let key = world
                .shop
                .key(number % 10)
                .at(code(&format!("P-{:02}", number / 10)));
            Movement::Receipt {
                key,
                quantity: q("1000"),
                unit_cost: None,
            }
            .into()
        })
        .collect();
    record(&world, &receipts);
    done(
        world
            .shop
            .stocktake
            .stock_takes()
            .create(&world.manager(), new_take(&world)),
    )
    .unwrap();
    done(world.shop.run_jobs()).unwrap();
    world
}

/// Counts some lines, each with a quantity that nobody else enters; tells what was accepted.
fn counter(
    world: &Arc<World>,
    number: usize,
    counted: &Arc<AtomicU64>,
) -> Task<Vec<(StockTakeItemId, Quantity)>> {
    let (world, counted, take, lines) = (
        Arc::clone(world),
        Arc::clone(counted),
        world.id(),
        world.lines(),
    );
    Box::pin(async move {
        let (takes, caller) = (
            world.shop.stocktake.stock_takes(),
            Caller::of(&world.shop.counter),
        );
        let mut accepted = Vec::new();
        for nth in 0..40 {
            let line = &lines[(number * 7 + nth * 11) % lines.len()];
            let unique = i64::try_from(number * 1_000 + nth).unwrap();
            let quantity = Quantity::from_micros(30_000_000 + unique).unwrap();
            world.shop.clock.advance_micros(1);
            match takes
                .count(&caller, take, line.id, CountRequest::set(quantity))
                .await
            {
                Ok(item) => {
                    assert_eq!(item.count.unwrap().quantity, quantity);
                    accepted.push((line.id, quantity));
                }
                Err(error) => assert_eq!(error.code(), "invalid_state"),
            }
            counted.fetch_add(1, Ordering::SeqCst);
        }
        accepted
    })
}

#[test]
fn no_accepted_count_is_lost_while_others_post_and_sell() {
    const COUNTERS: usize = 32;
    let threads = threads();
    let (mut all, mut refused) = (0, 0);
    for round in 0..rounds() {
        let world = wide();
        if round % 2 == 0 {
            world.give_way();
        }
        let counted = Arc::new(AtomicU64::new(0));
        let mut tasks: Vec<Task<Vec<(StockTakeItemId, Quantity)>>> = (0..COUNTERS)
            .map(|number| counter(&world, number, &counted))
            .collect();
        // Somebody posts when most have been counted.
        let (poster, progress, begin) = (
            Arc::clone(&world),
            Arc::clone(&counted),
            u64::from(round % 10) * 120,
        );
        let take = world.id();
        tasks.push(Box::pin(async move {
            while progress.load(Ordering::SeqCst) < begin {
                tokio::task::yield_now().await;
            }
            let takes = poster.shop.stocktake.stock_takes();
            takes
                .submit(&poster.manager(), take, PostingOptions::default())
                .await
                .unwrap();
            Vec::new()
        }));
        let till = Arc::clone(&world);
        let keys: Vec<StockKey> = world.lines().into_iter().map(|line| line.key).collect();
        let opening: BTreeMap<StockKey, Quantity> = keys
            .iter()
            .map(|key| (key.clone(), world.on_hand(key)))
            .collect();
        tasks.push(Box::pin(async move {
            for key in keys.iter().cycle().take(400) {
                let sale = [issue(key.clone(), "1")];
                till.shop.clock.advance_micros(1);
                till.shop
                    .stocktake
                    .stock()
                    .record(&till.manager(), till.shop.site.id, &sale)
                    .await
                    .unwrap();
            }
            Vec::new()
        }));
        let accepted: Vec<_> = threads
            .block_on(together(tasks))
            .into_iter()
            .flatten()
            .collect();
        world.settle();
        all += COUNTERS * 40;
        refused += COUNTERS * 40 - accepted.len();
        assert_posted_once(&world);
        assert_all_accepted_counts_are_posted(&world, &accepted, &opening);
    }
    assert!(
        refused > 0 && refused < all,
        "{refused} of {all} were refused"
    );
}

fn assert_all_accepted_counts_are_posted(
    world: &World,
    accepted: &[(StockTakeItemId, Quantity)],
    opening: &BTreeMap<StockKey, Quantity>,
) {
    let mut of_line: BTreeMap<StockTakeItemId, BTreeSet<Quantity>> = BTreeMap::new();
    for (item, quantity) in accepted {
        of_line.entry(*item).or_default().insert(*quantity);
    }
    let (sold, posted) = (
        world.events(StockEventKind::Issue),
        world.events(StockEventKind::CountVariance),
    );
    let changes = |events: &[StockEvent], key: &StockKey| {
        sum(events
            .iter()
            .filter(|event| event.key == *key)
            .map(|event| event.change))
    };
    for line in world.lines() {
        let entries = world.entries(line.id);
        let kept: BTreeSet<_> = entries.iter().filter_map(|entry| entry.counted).collect();
        assert_eq!(kept, of_line.remove(&line.id).unwrap_or_default());
        assert_eq!(entries.len(), kept.len());
        let last = entries.last().and_then(|entry| entry.counted);
        assert_eq!(line.count.as_ref().map(|count| count.quantity), last);
        let posting = line.posting.as_ref().unwrap();
        if let Some(count) = &line.count {
            // Sales state no time: what was recorded after the count moved after it.
            assert_eq!(posting.expected, count.moment.book);
        }
        let level = opening[&line.key]
            .checked_add(changes(&sold, &line.key))
            .and_then(|level| level.checked_add(changes(&posted, &line.key)))
            .unwrap();
        assert_eq!(world.on_hand(&line.key), level);
    }
    assert_eq!(of_line.len(), 0);
}

#[test]
fn many_sell_the_last_units_and_never_more() {
    let threads = threads();
    for round in 0..rounds() {
        let world = World::open();
        if round % 2 == 0 {
            world.give_way();
        }
        let tasks: Vec<Task> = (0..60)
            .map(|_| {
                caller(&world, |world| async move {
                    let (sale, stock) = (
                        [issue(world.shop.key(0), "1")],
                        world.shop.stocktake.stock(),
                    );
                    stock
                        .record(&world.manager(), world.shop.site.id, &sale)
                        .await?;
                    Ok("sold".to_owned())
                })
            })
            .collect();
        let told = threads.block_on(together(tasks));
        world.settle();
        assert_eq!(how_many(&told, "sold"), 40, "{told:?}");
        assert_eq!(how_many(&told, "error insufficient_stock"), 20, "{told:?}");
        assert_eq!(world.on_hand(&world.shop.key(0)), Quantity::ZERO);
        assert!(
            world
                .ledger()
                .iter()
                .all(|entry| !entry.event.after.is_negative())
        );
    }
}

#[test]
fn the_feed_is_read_without_a_gap_or_a_repetition_while_it_is_written() {
    const WRITERS: usize = 8;
    const SALES: usize = 25;
    let threads = threads();
    for round in 0..rounds() {
        let world = World::open();
        if round % 2 == 0 {
            world.give_way();
        }
        let (ended, writing) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(WRITERS as u64)),
        );
        let mut tasks: Vec<Task<Vec<LedgerEntry>>> = Vec::new();
        for writer in 0..WRITERS {
            let (world, ended, writing) =
                (Arc::clone(&world), Arc::clone(&ended), Arc::clone(&writing));
            tasks.push(Box::pin(async move {
                for sale in 0..SALES {
                    // Two keys in one batch, every other one dated back.
                    let late = world
                        .shop
                        .now()
                        .later_by(-1_000_000 * i64::try_from(sale).unwrap());
                    let mut moved = [
                        Movement::Adjust {
                            key: world.shop.key(writer),
                            change: q("1"),
                            unit_cost: None,
                        }
                        .into(),
                        Movement::Adjust {
                            key: world.shop.key(9),
                            change: q("1"),
                            unit_cost: None,
                        }
                        .into(),
                    ];
                    if sale % 2 == 0 {
                        moved = moved.map(|moved: NewMovement| moved.at(late));
                    }
                    world
                        .shop
                        .stocktake
                        .stock()
                        .record(&world.manager(), world.shop.site.id, &moved)
                        .await
                        .unwrap();
                }
                if writing.fetch_sub(1, Ordering::SeqCst) == 1 {
                    ended.store(true, Ordering::SeqCst);
                }
                Vec::new()
            }));
        }
        for reader in 0..3_u32 {
            let (world, ended) = (Arc::clone(&world), Arc::clone(&ended));
            tasks.push(Box::pin(async move {
                let mut read: Vec<LedgerEntry> = Vec::new();
                loop {
                    let is_over = ended.load(Ordering::SeqCst);
                    let after = read.last().map_or(0, |entry| entry.position);
                    let stock = world.shop.stocktake.stock();
                    let (manager, limit) = (world.manager(), 1 + reader * 10);
                    let page = stock.ledger(&manager, world.shop.site.id, after, limit);
                    let page = page.await.unwrap();
                    if page.is_empty() && is_over {
                        return read;
                    }
                    read.extend(page);
                    tokio::task::yield_now().await;
                }
            }));
        }
        let read = threads.block_on(together(tasks));
        world.settle();
        let ledger = world.ledger();
        assert_eq!(ledger.len(), 10 + WRITERS * SALES * 2);
        assert!(
            ledger
                .iter()
                .zip(1..)
                .all(|(entry, position)| entry.position == position)
        );
        for read in &read[WRITERS..] {
            assert!(*read == ledger, "a reader missed or repeated something");
        }
    }
}

#[test]
fn goods_that_move_both_ways_at_once_are_all_there() {
    let threads = threads();
    for round in 0..rounds() {
        let world = World::open();
        let (here, there) = (world.shop.key(0), world.shop.key(0).at(code("B-1")));
        let receipt = |quantity: &str, unit_cost: &str, key: &StockKey| {
            let unit_cost = Some(unit_cost.parse().unwrap());
            NewMovement::from(Movement::Receipt {
                key: key.clone(),
                quantity: q(quantity),
                unit_cost,
            })
        };
        record(
            &world,
            &[
                receipt("60", "3.333333", &here),
                receipt("77", "0.1", &there),
            ],
        );
        let value = || {
            let keys = [here.clone(), there.clone()];
            let levels = done(world.inner().levels(world.shop.site.organisation, &keys)).unwrap();
            levels.into_iter().flatten().fold(
                (Quantity::ZERO, Value::ZERO),
                |(quantity, value), level| {
                    let quantity = quantity.checked_add(level.value.quantity()).unwrap();
                    (
                        quantity,
                        value.checked_add(level.value.valuation().value()).unwrap(),
                    )
                },
            )
        };
        let before = value();
        if round % 2 == 0 {
            world.give_way();
        }
        let tasks: Vec<Task> = (0..16_u32)
            .map(|number| {
                let (from, to) = if number % 2 == 0 {
                    (&here, &there)
                } else {
                    (&there, &here)
                };
                let (from, to) = (from.clone(), to.clone());
                caller(&world, move |world| async move {
                    for nth in 0..5 {
                        let quantity =
                            Quantity::from_micros(i64::from(number + 1) * 700_001 + nth).unwrap();
                        let transfer = Movement::Transfer {
                            from: from.clone(),
                            to: to.clone(),
                            quantity,
                        };
                        let stock = world.shop.stocktake.stock();
                        stock
                            .record(&world.manager(), world.shop.site.id, &[transfer.into()])
                            .await?;
                    }
                    Ok("moved".to_owned())
                })
            })
            .collect();
        let told = threads.block_on(together(tasks));
        assert!(
            told.iter()
                .all(|told| told == "moved" || told == "error insufficient_stock"),
            "{told:?}"
        );
        world.settle();
        assert_eq!(value(), before);
    }
}

#[test]
fn lists_can_be_walked_while_lines_come_and_go() {
    let threads = threads();
    for _ in 0..rounds() {
        let world = wide();
        world.give_way();
        let lines = world.lines();
        let stay: BTreeSet<StockTakeItemId> = lines.iter().step_by(2).map(|line| line.id).collect();
        let go: Vec<StockTakeItemId> = lines
            .iter()
            .skip(1)
            .step_by(2)
            .map(|line| line.id)
            .collect();
        let take = world.id();
        let deleting = caller(&world, move |world| async move {
            for item in go {
                world
                    .shop
                    .stocktake
                    .stock_takes()
                    .delete_item(&world.manager(), take, item)
                    .await?;
            }
            Ok("deleted".to_owned())
        });
        let walking = caller(&world, move |world| async move {
            let (takes, manager) = (world.shop.stocktake.stock_takes(), world.manager());
            let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
            let mut page = PageRequest::first(7);
            let mut seen = Vec::new();
            loop {
                let lines = takes.items(&manager, take, &filter, sort, &page).await?;
                seen.extend(lines.items.iter().map(|line| line.item.value.id));
                match lines.next {
                    Some(next) => page = PageRequest::after(next, 7),
                    None => break,
                }
            }
            let once: BTreeSet<StockTakeItemId> = seen.iter().copied().collect();
            assert_eq!(once.len(), seen.len());
            assert!(stay.is_subset(&once));
            Ok("walked".to_owned())
        });
        let told = threads.block_on(together(vec![deleting, walking]));
        assert_eq!(told, ["deleted", "walked"]);
        world.settle();
        assert_eq!(world.lines().len(), 100);
        let filter = LevelFilter::default();
        let page = PageRequest::first(MAX_PAGE);
        let (organisation, site) = (world.shop.site.organisation, world.shop.site.id);
        assert_eq!(
            done(
                world
                    .inner()
                    .levels_page(organisation, site, &filter, &page)
            )
            .unwrap()
            .items
            .len(),
            200
        );
    }
}
