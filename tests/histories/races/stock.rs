//! Stock that is moved from several sides.

use std::sync::Arc;

use stocktake::domain::{Quantity, StockEventKind, StockKey, StockTakeState};
use stocktake::service::Movement;

use super::callers::{record_one, reopen, sell};
use super::postings::assert_reopened_once;
use super::race::{Race, Task, assert_one, assert_same, caller, how_many};
use super::world::{World, code, issue, q, record, submitted, sum};

#[test]
fn one_movement_sent_twice_moves_once() {
    Race {
        prepare: World::open,
        callers: |world| vec![sell(world, 0, "3", "one"), sell(world, 0, "3", "one")],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.on_hand(&world.shop.key(0)), q("37"));
        },
        preemptions: 4,
    }
    .run();
}

#[test]
fn the_last_unit_is_sold_once() {
    Race {
        prepare: || {
            let world = World::open();
            record(&world, &[issue(world.shop.key(0), "39")]);
            world
        },
        callers: |world| {
            vec![
                sell(world, 0, "1", "one"),
                sell(world, 0, "1", "two"),
                sell(world, 0, "1", "three"),
            ]
        },
        check: |world, told| {
            assert_one(told, "recorded", &["error insufficient_stock"]);
            assert_eq!(world.on_hand(&world.shop.key(0)), Quantity::ZERO);
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn an_event_is_taken_back_once() {
    Race {
        prepare: || {
            let world = World::open();
            record(&world, &[issue(world.shop.key(0), "5")]);
            world
        },
        callers: |world| {
            let of = world.events(StockEventKind::Issue)[0].id;
            let reversal = || Movement::Reversal { of }.into();
            vec![
                record_one(world, reversal(), "one"),
                record_one(world, reversal(), "two"),
            ]
        },
        check: |world, told| {
            assert_one(told, "recorded", &["error already_reversed"]);
            assert_eq!(world.on_hand(&world.shop.key(0)), q("40"));
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn goods_come_back_at_most_as_often_as_they_left() {
    Race {
        prepare: || {
            let world = World::open();
            record(&world, &[issue(world.shop.key(0), "5")]);
            world
        },
        callers: |world| {
            let of = world.events(StockEventKind::Issue)[0].id;
            let key = world.shop.key(0);
            let back = || {
                Movement::CustomerReturn {
                    key: key.clone(),
                    quantity: q("3"),
                    of,
                }
                .into()
            };
            vec![
                record_one(world, back(), "one"),
                record_one(world, back(), "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "recorded"), 1, "{told:?}");
            assert_eq!(world.on_hand(&world.shop.key(0)), q("38"));
        },
        preemptions: 3,
    }
    .run();
}

/// A sale of five is taken back by one, and brought back by another, to a stock place.
fn take_back_and_return(world: &Arc<World>, to: StockKey) -> Vec<Task> {
    let of = world.events(StockEventKind::Issue)[0].id;
    let quantity = q("5");
    let back = Movement::CustomerReturn {
        key: to,
        quantity,
        of,
    };
    vec![
        record_one(world, Movement::Reversal { of }.into(), "one"),
        record_one(world, back.into(), "two"),
    ]
}

fn sold() -> Arc<World> {
    let world = World::open();
    record(&world, &[issue(world.shop.key(0), "5")]);
    world
}

#[test]
fn a_sale_is_taken_back_or_returned_but_not_both() {
    Race {
        prepare: sold,
        callers: |world| take_back_and_return(world, world.shop.key(0)),
        check: |world, told| {
            assert_eq!(how_many(told, "recorded"), 1, "{told:?}");
            assert_eq!(world.on_hand(&world.shop.key(0)), q("40"));
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn a_sale_is_taken_back_or_returned_elsewhere_but_not_both() {
    Race {
        prepare: sold,
        callers: |world| take_back_and_return(world, world.shop.key(0).at(code("B-1"))),
        check: |world, told| {
            assert_eq!(how_many(told, "recorded"), 1, "{told:?}");
            let keys = [world.shop.key(0), world.shop.key(0).at(code("B-1"))];
            assert_eq!(sum(keys.iter().map(|key| world.on_hand(key))), q("40"));
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn what_was_found_is_sold_or_taken_back() {
    // One more was found, and 41 are sold: then the finding can't be taken back.
    Race {
        prepare: submitted,
        callers: |world| vec![reopen(world, "one"), sell(world, 1, "41", "two")],
        check: |world, told| {
            let on_hand = world.on_hand(&world.shop.key(1));
            match (told[0].as_str(), told[1].as_str()) {
                ("error lines_refused", sold) if sold.starts_with("recorded") => {
                    assert_eq!(
                        (on_hand, world.take().state()),
                        (q("0"), StockTakeState::Finished)
                    );
                    assert_eq!(world.events(StockEventKind::Reversal).len(), 0);
                }
                ("reopened Ongoing", "error insufficient_stock") => {
                    assert_eq!(on_hand, q("40"));
                    assert_reopened_once(world);
                }
                // Sold after the check: that line keeps its posting.
                ("reopened Ongoing", sold) if sold.starts_with("recorded") => {
                    assert_eq!(on_hand, q("0"));
                    assert_eq!(world.events(StockEventKind::Reversal).len(), 1);
                }
                _ => panic!("{told:?}"),
            }
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn closing_a_period_holds_for_what_is_recorded_after_it() {
    fn close(world: &Arc<World>) -> Task {
        caller(world, |world| async move {
            let mut site = world.shop.site.clone();
            site.policy.closed_until = Some(world.shop.now());
            world
                .shop
                .stocktake
                .catalogue()
                .put_site(&world.keyed("close"), site)
                .await?;
            // The books are closed: what the ledger has now is all there will be before that moment.
            Ok(format!("closed {}", world.ledger().len()))
        })
    }
    Race {
        prepare: || {
            let world = World::open();
            world.shop.clock.advance_seconds(600);
            world
        },
        callers: |world| {
            let yesterday = world.shop.now().later_by(-60_000_000);
            let sale = issue(world.shop.key(0), "1").at(yesterday);
            vec![record_one(world, sale, "one"), close(world)]
        },
        check: |world, told| {
            let events = world.ledger().len();
            assert_eq!(told[1], format!("closed {events}"), "{told:?}");
        },
        preemptions: usize::MAX,
    }
    .run();
}
