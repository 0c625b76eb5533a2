//! Clocks that were ahead, and clocks that are coarse.

use stocktake::domain::{CostingMethod, StockEvent, Timestamp};
use stocktake::service::NewMovement;

use crate::room::{Room, issue, only, reset};
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
