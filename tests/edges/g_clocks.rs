//! Clocks that were ahead, and clocks that are coarse.

use stocktake::domain::{
    CostingMethod, MovementPolicy, PostingOptions, StockEvent, StockTakeId, StockTakeItemId,
    Timestamp,
};
use stocktake::service::{CountRequest, NewMovement, NewStockTake};

use crate::room::{Room, amount, issue, only, receipt, reset};
use crate::stores::Kind;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600;

/// A shop with 40 of its first product, received an hour before.
async fn opened(kind: Kind, tolerance_millis: u32) -> Room {
    let room = Room::with(kind, |shop| {
        shop.site.policy.costing = CostingMethod::Fifo;
        shop.site.policy.clock_tolerance_millis = tolerance_millis;
    })
    .await;
    room.receive(&room.key(0), "40", "1").await;
    room.shop.clock.advance_seconds(HOUR);
    room
}

async fn sold(room: &Room, quantity: &str, at: Timestamp) -> Vec<StockEvent> {
    let sale = NewMovement::from(issue(&room.key(0), quantity));
    room.record(sale.at(at)).await
}

/// Counts the first product in a take, as of the time that the device says.
async fn counted_at(room: &Room, take: StockTakeId, quantity: &str, at: Timestamp) {
    let takes = room.shop.stocktake.stock_takes();
    let item = StockTakeItemId::for_key(take, &room.key(0));
    let request = CountRequest {
        counted_at: Some(at),
        ..CountRequest::set(amount(quantity))
    };
    let counted = takes.count(&room.manager, take, item, request).await;
    counted.expect("the line is there");
}

async fn on_hand(room: &Room) -> String {
    let on_hand = room.shop.on_hand(&room.key(0)).await;
    on_hand.expect("it is on stock").to_string()
}

/// Five sales, told with their right times, one by one and some late.
async fn five_sales(room: &Room) {
    for _ in 0..3 {
        room.shop.clock.advance_seconds(60);
        sold(room, "1", room.shop.now()).await;
    }
    room.shop.clock.advance_seconds(60);
    let first = room.shop.now();
    room.shop.clock.advance_seconds(60);
    let second = room.shop.now();
    room.shop.clock.advance_seconds(60);
    sold(room, "1", second).await;
    sold(room, "1", first).await;
}

#[tokio::test]
async fn fault_g_an_absolute_value_from_the_future() {
    for kind in Kind::ALL {
        let room = opened(*kind, 0).await;
        room.shop.clock.advance_seconds(HOUR);
        room.record(reset(&room.key(0), "30", None)).await;
        room.shop.clock.advance_seconds(-HOUR);
        five_sales(&room).await;
        assert_eq!(on_hand(&room).await, "25");
        // The clock of the absolute value passes: it covers nothing by its date all the same.
        let late = room.shop.now();
        room.shop.clock.advance_seconds(2 * HOUR);
        sold(&room, "1", late).await;
        assert_eq!(on_hand(&room).await, "24");
        // Counting again heals, whatever was wrong.
        let take = room.count(&room.key(0), "22").await;
        room.post(take).await;
        assert_eq!(on_hand(&room).await, "22");
        sold(&room, "1", late).await;
        assert_eq!(on_hand(&room).await, "22");
        room.assert_sound().await;
    }
}

#[tokio::test]
async fn fault_g_a_count_from_the_future() {
    let room = opened(Kind::Memory, 0).await;
    room.shop.clock.advance_seconds(HOUR);
    let ahead = room.count(&room.key(0), "30").await;
    room.shop.clock.advance_seconds(-HOUR);
    five_sales(&room).await;
    room.post(ahead).await;
    assert_eq!(on_hand(&room).await, "25");
    five_sales(&room).await;
    assert_eq!(on_hand(&room).await, "20");
    // Counted while the other's time is still to come, and posted when it has passed.
    let again = room.count(&room.key(0), "19").await;
    room.shop.clock.advance_seconds(3 * HOUR);
    room.post(again).await;
    assert_eq!(on_hand(&room).await, "19");
    // What is taken back moves as it did when it was told.
    let late = sold(&room, "1", room.shop.now().later_by(-5 * HOUR * SECOND)).await;
    assert_eq!(on_hand(&room).await, "19");
    room.reverse(late[0].id).await;
    assert_eq!(on_hand(&room).await, "19");
    room.assert_sound().await;
}

#[tokio::test]
async fn fault_g_a_count_after_one_from_the_future_that_found_nothing() {
    let room = opened(Kind::Memory, 0).await;
    room.shop.clock.advance_seconds(HOUR);
    let ahead = room.count(&room.key(0), "40").await;
    room.post(ahead).await;
    room.shop.clock.advance_seconds(-HOUR);
    let again = room.count(&room.key(0), "39").await;
    room.shop.clock.advance_seconds(2 * HOUR);
    room.post(again).await;
    assert_eq!(on_hand(&room).await, "39");
}

#[tokio::test]
async fn fault_g_two_counts_are_taken_back_whole_when_what_was_known_before_is_dated_later() {
    for kind in Kind::ALL {
        let room = opened(*kind, 0).await;
        room.shop.clock.advance_seconds(HOUR);
        room.record(reset(&room.key(0), "5", None)).await;
        room.shop.clock.advance_seconds(-HOUR);
        let older = room.count(&room.key(0), "8").await;
        room.shop.clock.advance_seconds(2 * HOUR);
        room.post(older).await;
        room.shop.clock.advance_seconds(60);
        let newer = room.count(&room.key(0), "9").await;
        room.post(newer).await;
        room.reopen(older).await;
        assert_eq!(on_hand(&room).await, "9");
        // The absolute value never knew of what the older count found, whatever its date.
        room.reopen(newer).await;
        assert_eq!(on_hand(&room).await, "5", "{kind:?}");
        room.assert_sound().await;
    }
}

#[tokio::test]
async fn fault_g_what_was_absorbed_before_the_clock_was_mended_stays_so() {
    let room = opened(Kind::Memory, 0).await;
    let before = room.shop.now();
    room.shop.clock.advance_seconds(HOUR);
    room.record(reset(&room.key(0), "30", None)).await;
    let absorbed = sold(&room, "1", before).await;
    assert_eq!(absorbed.len(), 2);
    room.shop.clock.advance_seconds(-HOUR);
    room.shop.clock.advance_seconds(60);
    let moved = only(sold(&room, "2", before).await);
    assert_eq!(on_hand(&room).await, "28");
    room.reverse(absorbed[0].id).await;
    assert_eq!(on_hand(&room).await, "28");
    room.reverse(moved.id).await;
    assert_eq!(on_hand(&room).await, "30");
    room.assert_sound().await;
}

#[tokio::test]
async fn fault_g_a_till_that_dates_to_the_whole_second() {
    for (tolerance, left) in [(0, "39"), (1_000, "38")] {
        for posted_first in [false, true] {
            let room = opened(Kind::Memory, tolerance).await;
            let whole = room.shop.now();
            room.shop.clock.advance_micros(400_000);
            let take = room.count(&room.key(0), "39").await;
            room.shop.clock.advance_micros(200_000);
            if posted_first {
                room.post(take).await;
            }
            let sale = sold(&room, "1", whole).await;
            if posted_first {
                assert_eq!(sale[0].within_tolerance, tolerance > 0);
            } else {
                room.post(take).await;
            }
            assert_eq!(
                on_hand(&room).await,
                left,
                "{tolerance}, posted first: {posted_first}"
            );
            // Beyond the tolerance it was before the count.
            let early = whole.later_by(-SECOND);
            let early = sold(&room, "1", early).await;
            assert_eq!((early.len(), early[0].within_tolerance), (2, false));
            room.reverse(sale[0].id).await;
            assert_eq!(on_hand(&room).await, "39");
            room.assert_sound().await;
        }
    }
}

#[tokio::test]
async fn fault_g_what_is_dated_before_a_sure_moment_is_absorbed_whatever_stands_later() {
    for kind in Kind::ALL {
        for reset_goes_first in [false, true] {
            let room = opened(*kind, 0).await;
            let before = room.shop.now().later_by(-60 * SECOND);
            let sure = only(room.record(reset(&room.key(0), "30", None)).await);
            room.shop.clock.advance_seconds(HOUR + 60);
            let ahead = room.count(&room.key(0), "28").await;
            room.post(ahead).await;
            room.shop.clock.advance_seconds(-HOUR);
            // Whoever counted 28 then had seen this sale's gap: the reset had, and that was before.
            let late = sold(&room, "1", before).await;
            assert_eq!(late.len(), 2);
            assert_eq!(late[1].occurred_at, sure.occurred_at);
            let after = room.shop.now();
            assert_eq!(sold(&room, "1", after).await.len(), 1);
            assert_eq!(on_hand(&room).await, "27");
            if reset_goes_first {
                room.reverse(sure.id).await;
                // What the reset knew was wrong, and not when that was.
                assert_eq!(sold(&room, "1", before).await.len(), 2);
                assert_eq!(on_hand(&room).await, "27");
                room.reopen(ahead).await;
                // Of 40, three sales.
                assert_eq!(on_hand(&room).await, "37", "{kind:?}");
            } else {
                room.reopen(ahead).await;
                assert_eq!(on_hand(&room).await, "29", "{kind:?}");
                // And so it is when nothing from the future stands.
                assert_eq!(sold(&room, "1", before).await.len(), 2);
                assert_eq!(on_hand(&room).await, "29");
            }
            room.reverse(late[0].id).await;
            room.assert_sound().await;
        }
    }
}

#[tokio::test]
async fn fault_g_a_clock_turns_out_to_have_been_ahead_at_a_moment_that_a_later_one_hides() {
    let room = opened(Kind::Memory, 0).await;
    room.shop.clock.advance_seconds(HOUR);
    room.record(reset(&room.key(0), "30", None)).await;
    room.shop.clock.advance_seconds(60);
    let ahead = room.count(&room.key(0), "28").await;
    room.post(ahead).await;
    room.shop.clock.advance_seconds(-HOUR);
    let right = room.shop.now();
    sold(&room, "1", right).await;
    // When its own time passes, the absolute value is known again: it never covered the sale.
    room.shop.clock.advance_seconds(2 * HOUR);
    room.reopen(ahead).await;
    assert_eq!(on_hand(&room).await, "29");
    sold(&room, "1", right).await;
    assert_eq!(on_hand(&room).await, "28");
    room.assert_sound().await;
}

#[tokio::test]
async fn fault_g_a_count_tells_that_the_clock_was_ahead_before_it() {
    let room = opened(Kind::Memory, 0).await;
    room.shop.clock.advance_seconds(HOUR);
    room.record(reset(&room.key(0), "30", None)).await;
    room.shop.clock.advance_seconds(-HOUR);
    let count = room.count(&room.key(0), "30").await;
    room.shop.clock.advance_seconds(60);
    let between = room.shop.now();
    room.shop.clock.advance_seconds(2 * HOUR);
    // Nobody looks at the clock before its own time has passed; the count did.
    room.post(count).await;
    sold(&room, "1", between).await;
    assert_eq!(on_hand(&room).await, "29");
    room.reopen(count).await;
    assert_eq!(on_hand(&room).await, "29");
    room.assert_sound().await;
}

async fn take(room: &Room, movement_policy: MovementPolicy) -> StockTakeId {
    let new = NewStockTake {
        site: room.shop.site.id,
        description: "Take".parse().expect("a description"),
        movement_policy,
    };
    let takes = room.shop.stocktake.stock_takes();
    let take = takes.create(&room.manager, new).await;
    room.shop.run_jobs().await.expect("the items are added");
    take.expect("a new take").id()
}

/// The time that a clock said which was ahead does not tell what was known before a take began by it: what was counted after
/// that, and taken back, is not of before.
#[tokio::test]
async fn what_was_known_after_a_take_began_ahead_is_not_of_before() {
    let room = opened(Kind::Memory, 0).await;
    let takes = room.shop.stocktake.stock_takes();
    room.shop.clock.advance_seconds(HOUR);
    let ahead = take(&room, MovementPolicy::KeepMovements).await;
    room.shop.clock.advance_seconds(60 - HOUR);
    room.record(receipt(&room.key(0), "3", "1")).await;
    let right = take(&room, MovementPolicy::KeepMovements).await;
    room.shop.clock.advance_seconds(20);
    let came = room.shop.now();
    room.shop.clock.advance_seconds(20);
    let item = StockTakeItemId::for_key(right, &room.key(0));
    let request = CountRequest::set(amount("45"));
    let counted = takes.count(&room.manager, right, item, request).await;
    counted.expect("the line is there");
    room.shop.clock.advance_seconds(20);
    room.post(right).await;
    room.reopen(right).await;
    let late = NewMovement::from(receipt(&room.key(0), "2", "1"));
    room.record(late.at(came)).await;
    let options = PostingOptions {
        zero_uncounted: true,
        skip_unpostable: false,
    };
    let posted = takes.submit(&room.manager, ahead, options).await;
    posted.expect("the take is posted");
    assert_eq!(on_hand(&room).await, "5");
    room.assert_sound().await;
}

/// A count of one part, by a device, that is told after a take which began before it was zeroed: that is known by then, and
/// did not move between the count's parts.
#[tokio::test]
async fn what_is_not_newer_than_a_count_did_not_move_between_its_parts() {
    let room = opened(Kind::Memory, 0).await;
    let takes = room.shop.stocktake.stock_takes();
    let refusing = take(&room, MovementPolicy::RefuseMoved).await;
    room.shop.clock.advance_seconds(300);
    let ahead = take(&room, MovementPolicy::KeepMovements).await;
    room.shop.clock.advance_seconds(-299);
    sold(&room, "2", room.shop.now()).await;
    room.shop.clock.advance_seconds(1);
    let told_for = room.shop.now();
    room.shop.clock.advance_seconds(1);
    let options = PostingOptions {
        zero_uncounted: true,
        skip_unpostable: false,
    };
    let zeroed = takes.submit(&room.manager, ahead, options).await;
    zeroed.expect("the take is posted");
    assert_eq!(on_hand(&room).await, "0");
    room.shop.clock.advance_seconds(1);
    counted_at(&room, refusing, "38", told_for).await;
    room.post(refusing).await;
    assert_eq!(on_hand(&room).await, "38");
    room.assert_sound().await;
}

/// A sale was recorded by a clock that was ahead. What was counted then had it in the book, so a later count of a device has.
#[tokio::test]
async fn fault_g_what_the_book_had_by_a_count_it_had_by_a_later_one_of_a_device() {
    for kind in Kind::ALL {
        let room = opened(*kind, 0).await;
        room.shop.clock.advance_seconds(4 * HOUR);
        room.record(issue(&room.key(0), "5")).await;
        room.shop.clock.advance_seconds(60 - 4 * HOUR);
        let device = take(&room, MovementPolicy::KeepMovements).await;
        let right = room.count(&room.key(0), "35").await;
        room.shop.clock.advance_seconds(60);
        counted_at(&room, device, "35", room.shop.now()).await;
        room.post(right).await;
        room.post(device).await;
        assert_eq!(on_hand(&room).await, "35", "{kind:?}");
        room.reopen(device).await;
        assert_eq!(on_hand(&room).await, "35", "{kind:?}");
        room.assert_sound().await;
    }
}

/// A device's clock is ahead by less than clocks may be. By its time it counted after somebody else had, who had seen the
/// sale.
#[tokio::test]
async fn fault_g_what_had_happened_by_a_count_had_by_a_later_one_that_was_told_before() {
    for kind in Kind::ALL {
        let room = opened(*kind, 0).await;
        let device = take(&room, MovementPolicy::KeepMovements).await;
        let ahead = room.shop.now().later_by(200 * SECOND);
        counted_at(&room, device, "34", ahead).await;
        room.shop.clock.advance_seconds(1);
        room.record(issue(&room.key(0), "5")).await;
        room.shop.clock.advance_seconds(1);
        let right = room.count(&room.key(0), "35").await;
        room.post(right).await;
        room.post(device).await;
        assert_eq!(on_hand(&room).await, "34", "{kind:?}");
        room.reopen(device).await;
        assert_eq!(on_hand(&room).await, "35", "{kind:?}");
        room.assert_sound().await;
    }
}

/// What a count found by a clock that was ahead was reckoned with when a device's count was posted. Both that count and
/// the one after the device's are taken back: what the device counted is there.
#[tokio::test]
async fn fault_g_what_was_found_before_a_later_count_is_taken_back_without_a_change() {
    for kind in Kind::ALL {
        let room = opened(*kind, 0).await;
        room.shop.clock.advance_seconds(HOUR);
        let ahead = room.count(&room.key(0), "39").await;
        room.post(ahead).await;
        room.shop.clock.advance_seconds(-HOUR);
        let device = take(&room, MovementPolicy::KeepMovements).await;
        counted_at(&room, device, "41", room.shop.now().later_by(200 * SECOND)).await;
        room.post(device).await;
        assert_eq!(on_hand(&room).await, "41", "{kind:?}");
        room.shop.clock.advance_seconds(100);
        let after = room.count(&room.key(0), "40").await;
        room.post(after).await;
        room.reopen(ahead).await;
        assert_eq!(on_hand(&room).await, "40", "{kind:?}");
        room.reopen(after).await;
        assert_eq!(on_hand(&room).await, "41", "{kind:?}");
        room.assert_sound().await;
    }
}
