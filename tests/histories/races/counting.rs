//! Counters who meet.

use stocktake::domain::StockEventKind;
use stocktake::service::CountRequest;

use super::callers::{count_item, count_lines, submit};
use super::race::{INVALID, Race, assert_same, how_many};
use super::world::{populated, q};

#[test]
fn counters_of_one_line_lose_no_entry() {
    Race {
        prepare: populated,
        callers: |world| {
            vec![
                count_item(world, 0, CountRequest::add(q("1")), "one"),
                count_item(world, 0, CountRequest::add(q("2")), "two"),
                count_item(world, 0, CountRequest::add(q("4")), "three"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "counted"), 3, "{told:?}");
            let line = world.lines().swap_remove(0);
            assert_eq!(line.count.unwrap().quantity, q("7"));
            let entries = world.entries(world.item(0));
            assert_eq!(entries.len(), 3);
            assert_eq!(entries[2].counted, Some(q("7")));
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn batches_that_meet_are_counted_one_after_the_other() {
    Race {
        prepare: populated,
        callers: |world| {
            vec![
                count_lines(world, &[(0, "1"), (1, "1"), (0, "1")], "one"),
                count_lines(world, &[(2, "8"), (1, "8"), (0, "8")], "two"),
                count_item(world, 1, CountRequest::add(q("64")), "three"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "counted"), 3, "{told:?}");
            let lines = world.lines();
            let counted = lines[..3].iter().map(|line| line.count.as_ref());
            let counted: Vec<_> = counted.map(|count| count.unwrap().quantity).collect();
            assert_eq!(counted, [q("10"), q("73"), q("8")]);
            let entries = world.entries(world.item(0));
            let sums: Vec<_> = entries.iter().map(|entry| entry.counted).collect();
            let one = [q("1"), q("2"), q("10")].map(Some);
            let two = [q("8"), q("9"), q("10")].map(Some);
            assert!(sums == one || sums == two, "{sums:?}");
            assert_eq!(world.entries(world.item(1)).len(), 3);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn a_batch_while_posting_begins_is_posted_or_refused_whole() {
    Race {
        prepare: populated,
        callers: |world| {
            vec![
                submit(world, "one"),
                count_lines(world, &[(0, "1"), (1, "2")], "two"),
            ]
        },
        check: |world, told| {
            let posted = world.events(StockEventKind::CountVariance).len();
            let expected = if told[1] == INVALID { 0 } else { 2 };
            assert_eq!(posted, expected, "{told:?}");
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn counters_of_different_lines_never_meet() {
    Race {
        prepare: populated,
        callers: |world| {
            vec![
                count_item(world, 0, CountRequest::set(q("1")), "one"),
                count_item(world, 1, CountRequest::set(q("2")), "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "counted"), 2);
            let commits = world.events(StockEventKind::CountVariance).len();
            assert_eq!(commits, 0);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_count_sent_twice_counts_once() {
    Race {
        prepare: populated,
        callers: |world| {
            let add = CountRequest::add(q("2"));
            vec![
                count_item(world, 0, add.clone(), "one"),
                count_item(world, 0, add, "one"),
            ]
        },
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.entries(world.item(0)).len(), 1);
            assert_eq!(world.lines()[0].count.as_ref().unwrap().quantity, q("2"));
        },
        preemptions: usize::MAX,
    }
    .run();
}
