//! What a posting left over.

use stocktake::domain::StockEventKind;

use super::callers::{dismiss, post_left_over};
use super::race::{Race, how_many};
use super::world::{assert_result_is_of_the_lines, left_over};

#[test]
fn dismissing_and_posting_what_was_left_over() {
    Race {
        prepare: left_over,
        callers: |world| {
            vec![
                post_left_over(world, "one"),
                dismiss(world, 0, "two"),
                dismiss(world, 1, "three"),
            ]
        },
        check: |world, told| {
            assert!(
                told[0].starts_with("posted") || told[0] == "error nothing_left_over",
                "{told:?}"
            );
            assert_result_is_of_the_lines(world);
        },
        preemptions: 1,
    }
    .run();
}

#[test]
fn two_post_what_was_left_over_once() {
    Race {
        prepare: left_over,
        callers: |world| vec![post_left_over(world, "one"), post_left_over(world, "two")],
        check: |world, told| {
            assert!(how_many(told, "posted") >= 1, "{told:?}");
            assert_result_is_of_the_lines(world);
            let variances = world.events(StockEventKind::CountVariance);
            assert_eq!(variances.len(), 1);
        },
        preemptions: 2,
    }
    .run();
}
