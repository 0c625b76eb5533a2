//! Completing inventory counts through the service (S2.5). Each test is named by the row it shows.

use std::sync::Arc;

use stocktake::domain::{
    AdjustmentType, Cause, CompletionOptions, InventoryCountDetails, InventoryCountState,
    MovementPolicy, StockAdjustmentState, StockEventKind,
};
use stocktake::service::{Error, ErrorKind, Movement, NewMovement};
use stocktake::store::{JobState, PageRequest, StockAdjustmentFilter};

use crate::counting::{
    APPLY, KEEP, all_items, assert_sound, complete, count, counter, found, keyed, manager, named,
    opened, q, record, sale, started,
};

// S2.5

#[tokio::test]
async fn s2_5_completed_without_adjustments_nothing_is_posted() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    count(&shop, &on, 0, "38").await;
    let notes = Some("for the record".parse().unwrap());
    let done = counts
        .complete(&manager(&shop), on.id(), KEEP, notes.clone())
        .await
        .unwrap();
    assert_eq!(done.count.state(), InventoryCountState::Completed);
    assert_eq!(done.count.completion_notes(), notes.as_ref());
    assert_eq!(done.count.completed_by().unwrap().id, shop.manager.user.id);
    let result = done.count.result().unwrap();
    assert_eq!((result.totals.discrepancies(), result.adjusted), (1, 0));
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("40"));
    let adjustments = shop.stocktake.stock_adjustments();
    let all = StockAdjustmentFilter::default();
    let none = adjustments
        .list(&manager(&shop), shop.site.id, &all, &PageRequest::first(10))
        .await
        .unwrap();
    assert!(none.items.is_empty());
    assert!(all_items(&shop, &on).await[0].posting.is_none());
}

#[tokio::test]
async fn s2_5_applied_levels_match_and_each_discrepancy_has_an_approved_record() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    // One far over the limits: completing approves it.
    for (number, quantity) in [(0, "38"), (1, "500"), (2, "40")] {
        shop.clock.advance_seconds(1);
        let item = found(&shop, number, quantity);
        let item = if number == 0 {
            item.because("broken".parse().unwrap())
        } else {
            item
        };
        counts.count(&counter(&shop), on.id(), item).await.unwrap();
    }
    shop.clock.advance_seconds(60);
    let done = complete(&shop, &on, APPLY).await.unwrap();
    let result = done.count.result().unwrap();
    assert_eq!(
        (result.adjusted, result.superseded, result.unposted),
        (2, 0, 0)
    );
    for (number, quantity) in [(0, "38"), (1, "500"), (2, "40")] {
        assert_eq!(shop.on_hand(&shop.key(number)).await.unwrap(), q(quantity));
    }

    let adjustments = shop.stocktake.stock_adjustments();
    let all = StockAdjustmentFilter::default();
    let page = PageRequest::first(10);
    let records = adjustments
        .list(&manager(&shop), shop.site.id, &all, &page)
        .await
        .unwrap()
        .items;
    assert_eq!(records.len(), 2);
    let record = records
        .iter()
        .find(|record| record.key() == &shop.key(0))
        .unwrap();
    assert_eq!(record.state(), StockAdjustmentState::Applied);
    assert_eq!(record.kind(), AdjustmentType::Correction);
    assert_eq!(record.change(), q("-2"));
    assert_eq!(record.reason().as_str(), "broken");
    assert_eq!(record.count(), Some(on.id()));
    assert_eq!(record.decided_by().unwrap().id, shop.manager.user.id);
    let applied = record.applied().unwrap();
    assert_eq!((applied.before, applied.after), (q("40"), q("38")));

    let line = &all_items(&shop, &on).await[0];
    let posting = line.posting.as_ref().unwrap();
    assert_eq!(posting.adjustment, Some(record.id()));
    assert_eq!(posting.event, Some(applied.event));
    let events = shop
        .stocktake
        .stock()
        .key_events(&manager(&shop), &shop.key(0), 1)
        .await
        .unwrap();
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event.kind, StockEventKind::CountVariance);
    assert_eq!(event.cause, Cause::InventoryCount(on.id()));
    assert_eq!(
        event.occurred_at, line.counted.moment.at,
        "when it was counted"
    );
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_5_what_moved_between_the_count_and_completing_stays_moved() {
    let table = [
        (MovementPolicy::KeepMovements, Some("33"), Some("-2")),
        (MovementPolicy::MatchCount, Some("38"), Some("3")),
        (MovementPolicy::RefuseMoved, None, None),
    ];
    for (movement_policy, level, change) in table {
        let shop = opened().await;
        let counts = shop.stocktake.inventory_counts();
        let details = InventoryCountDetails {
            movement_policy,
            ..named("Moving")
        };
        let on = counts
            .start(&manager(&shop), shop.site.id, details)
            .await
            .unwrap();
        count(&shop, &on, 0, "38").await;
        shop.clock.advance_seconds(5);
        record(&shop, sale(&shop, 0, "5")).await;
        let done = complete(&shop, &on, APPLY).await;
        if let (Some(level), Some(change)) = (level, change) {
            done.unwrap();
            let line = &all_items(&shop, &on).await[0];
            let posting = line.posting.as_ref().unwrap();
            assert_eq!((posting.change, posting.moves.len()), (q(change), 1));
            assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q(level));
        } else {
            let Err(Error::CountRefused(refusal)) = done else {
                panic!("{done:?}");
            };
            assert_eq!(refusal.items[0].problem.code(), "moved_since_count");
            assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("35"));
        }
        assert_sound(&shop).await;
    }
}

#[tokio::test]
async fn s2_5_what_had_happened_by_the_count_is_no_discrepancy_when_it_is_recorded_late() {
    let shop = opened().await;
    let on = started(&shop).await;
    let sold_at = shop.now();
    shop.clock.advance_seconds(60);
    let line = count(&shop, &on, 0, "38").await;
    assert!(line.variance.is_discrepancy());
    let sale = NewMovement::from(sale(&shop, 0, "2")).at(sold_at);
    record(&shop, sale).await;
    let done = complete(&shop, &on, APPLY).await.unwrap();
    assert_eq!((done.totals.items(), done.totals.discrepancies()), (1, 0));
    let line = &all_items(&shop, &on).await[0];
    assert_eq!(line.system_quantity(), q("38"));
    assert!(!line.variance.is_discrepancy());
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("38"));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_5_a_count_older_than_what_is_known_adjusts_nothing() {
    let shop = opened().await;
    let on = started(&shop).await;
    count(&shop, &on, 0, "38").await;
    shop.clock.advance_seconds(5);
    let reset = Movement::Reset {
        key: shop.key(0),
        quantity: q("12"),
        unit_cost: None,
        expected: None,
    };
    record(&shop, reset).await;
    let done = complete(&shop, &on, APPLY).await.unwrap();
    let result = done.count.result().unwrap();
    assert_eq!((result.adjusted, result.superseded), (0, 1));
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("12"));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_5_lines_that_cannot_be_posted_refuse_it_all_or_are_left_behind() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    count(&shop, &on, 0, "0").await;
    count(&shop, &on, 1, "38").await;
    // Counted as gone, then sold: the variance would take the level below zero.
    record(&shop, sale(&shop, 0, "40")).await;
    let key = keyed(manager(&shop), "complete");
    for _ in 0..3 {
        let refused = counts.complete(&key, on.id(), APPLY, None).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), "lines_refused");
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        let Error::CountRefused(refusal) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(refusal.total, 1);
        assert_eq!(refusal.items[0].key, shop.key(0));
        assert_eq!(refusal.items[0].problem.code(), "would_go_negative");
    }
    let summary = counts.get(&manager(&shop), on.id()).await.unwrap();
    assert_eq!(summary.count.state(), InventoryCountState::InProgress);
    assert_eq!(
        shop.on_hand(&shop.key(1)).await.unwrap(),
        q("40"),
        "nothing was posted"
    );

    let job = counts
        .queue_completion(&manager(&shop), on.id(), APPLY, None)
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    let job = shop.stocktake.job(&manager(&shop), job).await.unwrap();
    assert_eq!(job.state, JobState::Refused);

    let skip = CompletionOptions {
        skip_unpostable: true,
        ..APPLY
    };
    let done = complete(&shop, &on, skip).await.unwrap();
    let result = done.count.result().unwrap();
    assert_eq!((result.adjusted, result.unposted), (1, 1));
    assert_eq!(shop.on_hand(&shop.key(1)).await.unwrap(), q("38"));
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("0"));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_5_a_refused_completion_keeps_no_key_and_a_done_one_does() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    count(&shop, &on, 0, "0").await;
    record(&shop, sale(&shop, 0, "40")).await;
    let key = keyed(manager(&shop), "complete");
    let refused = counts.complete(&key, on.id(), APPLY, None).await;
    assert_eq!(refused.unwrap_err().code(), "lines_refused");
    count(&shop, &on, 0, "0").await;
    let done = counts.complete(&key, on.id(), APPLY, None).await.unwrap();
    let again = counts.complete(&key, on.id(), APPLY, None).await.unwrap();
    assert_eq!(again, done);
    let other = counts.complete(&key, on.id(), KEEP, None).await;
    assert_eq!(other.unwrap_err().code(), "idempotency_key_reused");
    let unkeyed = complete(&shop, &on, APPLY).await.unwrap_err();
    assert_eq!(unkeyed.code(), "invalid_state");
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_5_a_count_that_is_completing_or_over_takes_no_counts() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    count(&shop, &on, 0, "38").await;
    counts
        .queue_completion(&manager(&shop), on.id(), APPLY, None)
        .await
        .unwrap();
    for _ in 0..2 {
        let refused = counts
            .count(&counter(&shop), on.id(), found(&shop, 0, "1"))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "invalid_state");
        let cancelled = counts.cancel(&manager(&shop), on.id()).await;
        assert_eq!(cancelled.unwrap_err().code(), "invalid_state");
        shop.run_jobs().await.unwrap();
    }
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("38"));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_5_a_count_with_nothing_counted_is_completed() {
    let shop = opened().await;
    for options in [KEEP, APPLY] {
        let on = started(&shop).await;
        let done = complete(&shop, &on, options).await.unwrap();
        assert_eq!(done.count.state(), InventoryCountState::Completed);
        assert_eq!(done.totals.items(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s2_5_a_count_recorded_while_completing_begins_is_posted_or_refused() {
    for _ in 0..10 {
        let shop = Arc::new(opened().await);
        let on = started(&shop).await;
        let counting: Vec<_> = (0..10)
            .map(|number: usize| {
                let (shop, on) = (shop.clone(), on.clone());
                tokio::spawn(async move {
                    let counts = shop.stocktake.inventory_counts();
                    let item = found(&shop, number, "35");
                    counts.count(&counter(&shop), on.id(), item).await
                })
            })
            .collect();
        let completing: Vec<_> = (0..2)
            .map(|_| {
                let (shop, on) = (shop.clone(), on.clone());
                tokio::spawn(async move { complete(&shop, &on, APPLY).await })
            })
            .collect();
        let mut counted = 0;
        for (number, line) in counting.into_iter().enumerate() {
            let expected = match line.await.unwrap() {
                Ok(_) => {
                    counted += 1;
                    "35"
                }
                Err(error) => {
                    assert_eq!(error.code(), "invalid_state");
                    "40"
                }
            };
            // Whoever completes may still be at it.
            let counts = shop.stocktake.inventory_counts();
            loop {
                let now = counts.get(&manager(&shop), on.id()).await.unwrap();
                if now.count.state() == InventoryCountState::Completed {
                    break;
                }
                tokio::task::yield_now().await;
            }
            assert_eq!(shop.on_hand(&shop.key(number)).await.unwrap(), q(expected));
        }
        let mut completed = 0;
        for one in completing {
            match one.await.unwrap() {
                Ok(done) => {
                    completed += 1;
                    assert_eq!(done.count.result().unwrap().adjusted, counted);
                }
                Err(error) => assert_eq!(error.code(), "invalid_state"),
            }
        }
        assert_eq!(completed, 1);
        assert_sound(&shop).await;
    }
}
