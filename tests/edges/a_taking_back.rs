//! Taking back does the opposite to quantity and value.

use stocktake::domain::{CostingMethod, StockEvent, Tracking};
use stocktake::service::{Movement, NewMovement};

use crate::room::{Room, amount, code, issue, only, receipt, reset, transfer, worth};
use crate::stores::Kind;

const METHODS: [CostingMethod; 3] = [
    CostingMethod::Fifo,
    CostingMethod::WeightedAverage,
    CostingMethod::Standard,
];

/// By each method.
async fn rooms(mut test: impl AsyncFnMut(Room, CostingMethod)) {
    for method in METHODS {
        test(Room::of(Kind::Memory, method).await, method).await;
    }
}

fn differences(events: &[StockEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| event.difference.to_string())
        .collect()
}

#[tokio::test]
async fn fault_a1_receipt_at_a_wrong_cost() {
    rooms(async |room, method| {
        let key = room.key(0);
        room.receive(&key, "10", "1").await;
        let before = room.worth(&key).await;
        let wrong = room.receive(&key, "10", "999").await;
        let back = room.reverse(wrong.id).await;
        assert_eq!(room.worth(&key).await, before, "{method:?}");
        assert_eq!(back[0].parts, wrong.parts, "{method:?}");
        assert_eq!(back[0].value_change, wrong.value_change.negated());
        assert_eq!(differences(&back), ["0"], "{method:?}");
        if method == CostingMethod::Fifo {
            assert_eq!(before, worth("10", "10"));
        }
        // What is found now does not cost 999 either.
        let found = Movement::Adjust {
            key: key.clone(),
            change: amount("1"),
            unit_cost: None,
        };
        let found = only(room.record(found).await);
        assert_eq!(found.unit_cost, before_cost(method), "{method:?}");
        room.assert_sound().await;
    })
    .await;
}

fn before_cost(method: CostingMethod) -> stocktake::domain::UnitCost {
    match method {
        CostingMethod::Fifo | CostingMethod::WeightedAverage => "1",
        // The standard cost of the product.
        CostingMethod::Standard => "1.5",
    }
    .parse()
    .expect("a cost")
}

#[tokio::test]
async fn fault_a1_whatever_brought_the_goods() {
    rooms(async |room, method| {
        let key = room.key(0);
        room.receive(&key, "10", "1").await;
        let before = room.worth(&key).await;
        let adjust = Movement::Adjust {
            key: key.clone(),
            change: amount("3"),
            unit_cost: Some("999".parse().expect("a cost")),
        };
        for movement in [adjust, reset(&key, "14", Some("999"))] {
            let made = only(room.record(movement.clone()).await);
            let back = room.reverse(made.id).await;
            assert_eq!(room.worth(&key).await, before, "{method:?}: {movement:?}");
            assert_eq!(differences(&back), ["0"], "{method:?}: {movement:?}");
        }
        // A customer's return, at what the goods left with.
        let dear = room.receive(&room.key(1), "2", "500").await;
        let sale = room.issue(&room.key(1), "2").await;
        room.receive(&room.key(1), "4", "2").await;
        let cheap = room.worth(&room.key(1)).await;
        let back = Movement::CustomerReturn {
            key: room.key(1),
            quantity: amount("2"),
            of: sale.id,
        };
        let back = only(room.record(back).await);
        assert_eq!(back.value_change, sale.value_change.negated(), "{method:?}");
        assert_ne!(back.id, dear.id);
        room.reverse(back.id).await;
        assert_eq!(room.worth(&room.key(1)).await, cheap, "{method:?}");
        room.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn fault_a1_reopened_take_that_had_found_something() {
    rooms(async |room, method| {
        let key = room.key(0);
        room.receive(&key, "10", "999").await;
        let take = room.count(&key, "14").await;
        room.post(take).await;
        room.issue(&key, "10").await;
        room.receive(&key, "10", "1").await;
        // Four that were found are left, as the oldest; by first in, first out they leave as what they came.
        let before = room.value().await;
        room.reopen(take).await;
        let events = room
            .shop
            .stocktake
            .stock()
            .key_events(&room.manager, &key, 0)
            .await
            .expect("the events can be read");
        let (found, back) = (&events[1], &events[4]);
        assert_eq!(back.parts, found.parts, "{method:?}");
        assert_eq!(back.difference.to_string(), "0", "{method:?}");
        assert_eq!(
            room.value().await,
            before.checked_sub(found.value_change).expect("in range"),
            "{method:?}"
        );
        room.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn fault_a1_what_has_gone_is_named() {
    for kind in Kind::ALL {
        let room = Room::of(*kind, CostingMethod::Fifo).await;
        let key = room.key(0);
        room.receive(&key, "2", "5").await;
        let wrong = room.receive(&key, "10", "999").await;
        room.receive(&key, "10", "1").await;
        // Two at 5 and four at 999 leave; six at 999 and ten at 1 are left.
        room.issue(&key, "6").await;
        let back = only(room.reverse(wrong.id).await);
        assert_eq!(back.value_change.to_string(), "-5998");
        assert_eq!(back.difference.to_string(), "3992");
        assert_eq!(room.worth(&key).await, worth("6", "6"));
        room.assert_sound().await;
    }
}

#[tokio::test]
async fn fault_a1_a_drained_key_is_worth_nothing() {
    let room = Room::of(Kind::Memory, CostingMethod::WeightedAverage).await;
    let key = room.key(0);
    room.receive(&key, "10", "1").await;
    let wrong = room.receive(&key, "10", "999").await;
    room.issue(&key, "10").await;
    let back = only(room.reverse(wrong.id).await);
    assert_eq!(back.value_change.to_string(), "-5000");
    assert_eq!(back.difference.to_string(), "4990");
    assert_eq!(room.worth(&key).await, worth("0", "0"));
    // One that is left is worth nothing, never less.
    let (other, left) = (room.key(1), "1");
    room.receive(&other, "10", "1").await;
    let wrong = room.receive(&other, "10", "999").await;
    room.issue(&other, "9").await;
    let back = only(room.reverse(wrong.id).await);
    assert_eq!(back.difference.to_string(), "4490");
    assert_eq!(room.worth(&other).await, worth(left, "0"));
    room.assert_sound().await;
}

#[tokio::test]
async fn fault_a2_a_transfer_taken_back_leaves_the_sum() {
    rooms(async |room, method| {
        let (a, b) = (room.key(0), room.key(0).at(crate::room::code("B")));
        room.receive(&b, "5", "9").await;
        room.receive(&a, "5", "1").await;
        let before = (room.worth(&a).await, room.worth(&b).await);
        let all = room.value().await;
        let moved = room.record(transfer(&a, &b, "5")).await;
        assert_eq!(room.value().await, all, "{method:?}");
        let back = room.reverse(moved[0].id).await;
        assert_eq!(room.value().await, all, "{method:?}");
        assert_eq!((room.worth(&a).await, room.worth(&b).await), before);
        assert_eq!(differences(&back), ["0", "0"], "{method:?}");
        room.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn fault_a2_also_when_some_of_it_has_gone() {
    rooms(async |room, method| {
        let (a, b) = (room.key(0), room.key(0).at(crate::room::code("B")));
        room.receive(&a, "5", "1").await;
        let moved = room.record(transfer(&a, &b, "5")).await;
        room.record(issue(&b, "3")).await;
        room.record(receipt(&b, "5", "9")).await;
        let all = room.value().await;
        let back = room.reverse(moved[0].id).await;
        assert_eq!(room.value().await, all, "{method:?}");
        let [from_b, to_a] = back.as_slice() else {
            panic!("two events, not {back:?}");
        };
        assert_eq!(from_b.value_change, to_a.value_change.negated());
        assert_eq!(from_b.difference, to_a.difference.negated());
        if method == CostingMethod::Fifo {
            // Two at 1 and three at 9 come back, of five at 1.
            assert_eq!(room.worth(&a).await, worth("5", "29"));
            assert_eq!(from_b.difference.to_string(), "-24");
        }
        room.assert_sound().await;
    })
    .await;
}

/// So many takes of a key are posted one after the other, and taken back in an order: whatever stands says what is known.
async fn posted_and_taken_back(order: impl Fn(&mut Vec<usize>)) {
    const TAKES: usize = 24;
    for first_kept in [0, 5] {
        let room = Room::of(Kind::Memory, CostingMethod::Fifo).await;
        let key = room.key(0);
        room.receive(&key, "10", "1").await;
        let mut takes = Vec::new();
        let mut known = None;
        for number in 0..TAKES {
            room.shop.clock.advance_seconds(60);
            takes.push(room.count(&key, "10").await);
            if number == first_kept {
                known = Some(room.shop.now());
            }
            room.post(takes[number]).await;
        }
        let known = known.expect("it was counted");
        let mut others: Vec<usize> = (0..TAKES).filter(|number| *number != first_kept).collect();
        order(&mut others);
        for number in others {
            room.reopen(takes[number]).await;
        }
        let late = |at| stocktake::service::NewMovement::from(issue(&key, "1")).at(at);
        room.record(late(known.later_by(-1))).await;
        assert_eq!(room.worth(&key).await, worth("10", "10"));
        room.record(late(known.later_by(1))).await;
        assert_eq!(room.worth(&key).await, worth("9", "9"));
        room.reopen(takes[first_kept]).await;
        assert_eq!(room.worth(&key).await, worth("8", "8"));
        room.assert_sound().await;
    }
}

#[tokio::test]
async fn fault_a3_the_last_first() {
    posted_and_taken_back(|order| order.reverse()).await;
}

#[tokio::test]
async fn fault_a3_the_first_first() {
    posted_and_taken_back(|_| {}).await;
}

#[tokio::test]
async fn fault_a3_in_any_order() {
    posted_and_taken_back(|order| order.sort_by_key(|number| number * 7 % 24)).await;
}

#[tokio::test]
async fn fault_a3_what_is_counted_daily_stays_small() {
    let room = Room::of(Kind::Memory, CostingMethod::Fifo).await;
    let key = room.key(0);
    room.receive(&key, "10", "1").await;
    let size = async || {
        let level = room.shop.stocktake.stock().level(&room.manager, &key).await;
        let level = level.expect("the key is on stock");
        serde_json::to_string(&level).expect("it has a form").len()
    };
    let mut sizes = Vec::new();
    for _ in 0..60 {
        room.shop.clock.advance_seconds(86_400);
        let take = room.count(&key, "10").await;
        room.post(take).await;
        room.record(reset(&key, "10", None)).await;
        sizes.push(size().await);
    }
    // A key keeps the dates of its last eight moments; after them the numbers in it grow by a digit here and there.
    assert!(sizes[59] < sizes[8] + 100, "{sizes:?}");
}

/// On the way to what is left a key would be below zero, or hold a serial number twice, in whatever order its events are
/// taken back: what counts is what is left.
#[tokio::test]
async fn what_is_left_is_judged_and_not_the_way_there() {
    let open = async |tracking| {
        Room::with(Kind::Memory, |shop| {
            shop.products[0].tracking = tracking;
            shop.site.policy.allow_negative = true;
            shop.site.policy.allow_zero_cost = true;
        })
        .await
    };
    let close = async |room: &Room| {
        let mut site = room.shop.site.clone();
        site.policy.allow_negative = false;
        let catalogue = room.shop.stocktake.catalogue();
        let put = catalogue.put_site(&room.manager, site).await;
        put.expect("the policy can be changed");
    };

    let room = open(Tracking::None).await;
    let key = room.key(0);
    let before = room.shop.now();
    room.shop.clock.advance_seconds(60);
    let set = only(room.record(reset(&key, "1", Some("1"))).await);
    let late = NewMovement::from(receipt(&key, "3", "1")).at(before);
    assert_eq!(room.record(late).await.len(), 2);
    room.issue(&key, "6").await;
    close(&room).await;
    room.reverse(set.id).await;
    let on_hand = room.shop.on_hand(&key).await;
    assert_eq!(on_hand.expect("it is on stock"), amount("-3"));
    room.assert_sound().await;

    let room = open(Tracking::Serial).await;
    let key = room.key(0).with_serial(code("S-1"));
    let sold = room.issue(&key, "1").await;
    let set = only(room.record(reset(&key, "1", Some("1"))).await);
    room.reverse(sold.id).await;
    close(&room).await;
    room.reverse(set.id).await;
    let on_hand = room.shop.on_hand(&key).await;
    assert_eq!(on_hand.expect("it is on stock"), amount("0"));
    room.assert_sound().await;
}
