//! Posting, reopening and removing a take while something else happens to it.

use stocktake::domain::{StockEventKind, StockTakeState};
use stocktake::service::{CountRequest, Movement};

use super::callers::{
    count_item, delete_item, post, record_one, remove, reopen, sell, submit, worker,
};
use super::race::{INVALID, NOT_FOUND, Race, assert_one, assert_same, done, how_many};
use super::world::{
    World, assert_lines_once, assert_posted_once, count, counted, created, populated, posting, q,
    submitted,
};

#[test]
fn two_submits_post_once() {
    Race {
        prepare: counted,
        callers: |world| vec![submit(world, "one"), submit(world, "two")],
        check: |world, told| {
            assert_one(told, "posted", &[INVALID]);
            assert_posted_once(world);
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn one_submit_sent_twice_posts_once_and_tells_both_the_same() {
    Race {
        prepare: counted,
        callers: |world| vec![submit(world, "one"), submit(world, "one")],
        check: |world, told| {
            assert_same(told);
            assert_posted_once(world);
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn submit_and_post_post_once() {
    Race {
        prepare: counted,
        callers: |world| {
            vec![
                submit(world, "one"),
                post(world, "two"),
                worker(world, "late", 61),
            ]
        },
        check: |world, told| {
            assert_one(&told[..2], "posted", &[INVALID]);
            assert_posted_once(world);
        },
        preemptions: 1,
    }
    .run();
}

#[test]
fn one_post_sent_twice_is_one_job() {
    Race {
        prepare: counted,
        callers: |world| vec![post(world, "one"), post(world, "one")],
        check: |world, told| {
            assert_same(told);
            assert_posted_once(world);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn two_workers_and_a_submit_post_once() {
    // The second worker comes when the first one's lease has expired.
    Race {
        prepare: posting,
        callers: |world| {
            vec![
                worker(world, "one", 0),
                worker(world, "two", 61),
                submit(world, "late"),
            ]
        },
        check: |world, told| {
            assert_eq!(told, ["worked", "worked", INVALID]);
            assert_posted_once(world);
        },
        preemptions: 1,
    }
    .run();
}

#[test]
fn two_reopenings_reverse_once() {
    Race {
        prepare: submitted,
        callers: |world| vec![reopen(world, "one"), reopen(world, "two")],
        check: |world, told| {
            assert_one(told, "reopened", &[INVALID]);
            assert_reopened_once(world);
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn one_reopening_sent_twice_reverses_once() {
    Race {
        prepare: submitted,
        callers: |world| vec![reopen(world, "one"), reopen(world, "one")],
        check: |world, told| {
            assert_same(told);
            assert_reopened_once(world);
        },
        preemptions: 2,
    }
    .run();
}

pub(super) fn assert_reopened_once(world: &World) {
    assert_eq!(world.take().state(), StockTakeState::Ongoing);
    assert_eq!(world.events(StockEventKind::CountVariance).len(), 2);
    assert_eq!(world.events(StockEventKind::Reversal).len(), 2);
    assert!(world.lines().iter().all(|line| line.posting.is_none()));
    assert_eq!(world.on_hand(&world.shop.key(0)), q("40"));
}

#[test]
fn a_count_while_posting_begins_is_posted_or_refused() {
    Race {
        prepare: counted,
        callers: |world| {
            vec![
                submit(world, "one"),
                count_item(world, 0, CountRequest::set(q("35")), "two"),
            ]
        },
        check: |world, told| {
            assert!(told[0].starts_with("posted"), "{told:?}");
            let expected = if told[1] == INVALID { q("38") } else { q("35") };
            assert_eq!(world.on_hand(&world.shop.key(0)), expected, "{told:?}");
            let entries = world.entries(world.item(0));
            assert_eq!(entries.last().unwrap().counted, Some(expected));
            assert_posted_once(world);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn a_sale_while_posting_stays_sold() {
    Race {
        prepare: counted,
        callers: |world| {
            vec![
                submit(world, "one"),
                sell(world, 0, "5", "two"),
                sell(world, 9, "1", "three"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "error"), 0, "{told:?}");
            assert_eq!(world.on_hand(&world.shop.key(0)), q("33"));
            assert_posted_once(world);
        },
        preemptions: 1,
    }
    .run();
}

#[test]
fn an_absolute_value_while_posting_is_the_truth_before_or_after() {
    Race {
        prepare: counted,
        callers: |world| {
            let key = world.shop.key(0);
            let reset = Movement::Reset {
                key,
                quantity: q("20"),
                unit_cost: None,
                expected: None,
            };
            vec![submit(world, "one"), record_one(world, reset.into(), "two")]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "error"), 0, "{told:?}");
            // The value was set after the count, whenever the count was posted.
            assert_eq!(world.on_hand(&world.shop.key(0)), q("20"), "{told:?}");
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn removing_a_take_and_posting_it_exclude_each_other() {
    Race {
        prepare: counted,
        callers: |world| vec![submit(world, "one"), remove(world, "two")],
        check: |world, told| {
            let variances = world.events(StockEventKind::CountVariance).len();
            match (told[0].as_str(), told[1].as_str()) {
                (NOT_FOUND, "removed") => assert_eq!(variances, 0),
                (posted, INVALID) if posted.starts_with("posted Finished") => {
                    assert_posted_once(world);
                }
                // It was removed after it was posted.
                (posted, "removed") if posted.starts_with("posted") => assert_eq!(variances, 2),
                _ => panic!("{told:?}"),
            }
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn deleting_a_line_and_posting_it_exclude_each_other() {
    Race {
        prepare: counted,
        callers: |world| vec![submit(world, "one"), delete_item(world, 0, "two")],
        check: |world, told| {
            let there = world
                .lines()
                .iter()
                .any(|line| line.key == world.shop.key(0));
            let posted = world.on_hand(&world.shop.key(0)) == q("38");
            match told[1].as_str() {
                "deleted" => assert_eq!((there, posted), (false, false)),
                INVALID => assert_eq!((there, posted), (true, true)),
                other => panic!("{other}"),
            }
            assert_posted_once(world);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn deleting_a_line_and_counting_it() {
    Race {
        prepare: populated,
        callers: |world| {
            vec![
                delete_item(world, 0, "one"),
                count_item(world, 0, CountRequest::set(q("3")), "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(told[0], "deleted");
            let entries = world.entries(world.item(0)).len();
            match told[1].as_str() {
                NOT_FOUND => assert_eq!(entries, 0),
                counted => assert!(counted.starts_with("counted") && entries == 1, "{told:?}"),
            }
            assert_eq!(world.lines().len(), 9);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn removing_a_take_and_counting_it() {
    Race {
        prepare: populated,
        callers: |world| {
            vec![
                remove(world, "one"),
                count_item(world, 0, CountRequest::set(q("3")), "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(told[0], "removed");
            let entries = world.entries(world.item(0)).len();
            match told[1].as_str() {
                NOT_FOUND | INVALID => assert_eq!(entries, 0),
                counted => assert!(counted.starts_with("counted") && entries == 1, "{told:?}"),
            }
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn a_submit_that_comes_while_lines_are_added_waits_for_them() {
    Race {
        prepare: || {
            let world = created();
            let takes = world.shop.stocktake.stock_takes();
            done(takes.add_found(&world.manager(), world.id(), &world.shop.key(3))).unwrap();
            count(&world, 3, "39");
            world
        },
        callers: |world| vec![submit(world, "one"), worker(world, "one", 0)],
        check: |world, told| {
            assert!(told[0].starts_with("posted Finished"), "{told:?}");
            assert_lines_once(world, 10);
            assert_posted_once(world);
        },
        preemptions: 2,
    }
    .run();
}
