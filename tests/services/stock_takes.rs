//! Stock takes through the service, row by row of S1. Each test is named by the row it shows.

use std::collections::BTreeSet;

use stocktake::domain::{
    CountStatus, Entered, MovementPolicy, PostingOptions, Quantity, SearchText, StockTake,
    StockTakeDetails, StockTakeId, StockTakeItemId, StockTakeState,
};
use stocktake::service::{Caller, CountRequest, Movement, NewStockTake};
use stocktake::store::{
    ArticleSort, IdempotencyKey, JobState, JobTask, PageRequest, StockTakeItemFilter,
    StockTakeItemView,
};
use stocktake::testing::{Shop, shop};

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

async fn opened() -> Shop {
    let shop = shop();
    shop.open().await.unwrap();
    shop
}

fn named(shop: &Shop, description: &str) -> NewStockTake {
    NewStockTake {
        site: shop.site.id,
        description: description.parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    }
}

/// A take with all ten lines.
async fn populated(shop: &Shop) -> StockTake {
    let take = shop
        .stocktake
        .stock_takes()
        .create(&manager(shop), named(shop, "Quarterly"))
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    take
}

async fn lines(
    shop: &Shop,
    take: StockTakeId,
    filter: &StockTakeItemFilter,
) -> Vec<StockTakeItemView> {
    let takes = shop.stocktake.stock_takes();
    let page = PageRequest::first(100);
    takes
        .items(&manager(shop), take, filter, ArticleSort::default(), &page)
        .await
        .unwrap()
        .items
}

async fn first_line(shop: &Shop, take: StockTakeId) -> StockTakeItemId {
    lines(shop, take, &StockTakeItemFilter::default()).await[0]
        .item
        .value
        .id
}

async fn count(shop: &Shop, take: StockTakeId, item: StockTakeItemId, quantity: &str) {
    let request = CountRequest::set(q(quantity));
    shop.stocktake
        .stock_takes()
        .count(&Caller::of(&shop.counter), take, item, request)
        .await
        .unwrap();
}

async fn sell(shop: &Shop, number: usize, quantity: &str) {
    let sale = Movement::Issue {
        key: shop.key(number),
        quantity: q(quantity),
    };
    shop.stocktake
        .stock()
        .record(&manager(shop), shop.site.id, &[sale.into()])
        .await
        .unwrap();
}

#[tokio::test]
async fn s1_1_a_list_is_paged_and_stable_while_takes_are_created() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let mut created = Vec::new();
    for number in 0..7 {
        shop.clock.advance_seconds(1);
        created.push(
            takes
                .create(&manager(&shop), named(&shop, &format!("Take {number}")))
                .await
                .unwrap()
                .id(),
        );
    }
    let mut seen = Vec::new();
    let mut page = PageRequest::first(3).counted();
    loop {
        let list = takes
            .list(&manager(&shop), shop.site.id, &[], &page)
            .await
            .unwrap();
        seen.extend(list.items.iter().map(|summary| summary.take.id()));
        let Some(next) = list.next else { break };
        page = PageRequest::after(next, 3);
        if seen.len() == 3 {
            shop.clock.advance_seconds(1);
            created.push(
                takes
                    .create(&manager(&shop), named(&shop, "Meanwhile"))
                    .await
                    .unwrap()
                    .id(),
            );
        }
    }
    assert_eq!(seen, created, "the oldest first, each exactly once");
}

#[tokio::test]
async fn s1_2_items_are_added_by_a_job_and_counting_may_begin_before_it_is_done() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = takes
        .create(&manager(&shop), named(&shop, "Quarterly"))
        .await
        .unwrap();
    assert_eq!(take.state(), StockTakeState::Ongoing);
    assert_eq!(take.currency().to_string(), "gbp");
    assert_eq!(take.created_by().full_name(), "Dan Johnson");
    assert!(!take.items_added());

    let found = takes
        .add_found(&manager(&shop), take.id(), &shop.key(3))
        .await
        .unwrap();
    count(&shop, take.id(), found, "41").await;
    assert_eq!(shop.run_jobs().await.unwrap(), 1);
    let summary = takes.get(&manager(&shop), take.id()).await.unwrap();
    assert!(summary.take.items_added());
    assert_eq!((summary.totals.items, summary.totals.counted), (10, 1));
}

#[tokio::test]
async fn s1_3_get_gives_the_take_and_its_totals() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let summary = shop
        .stocktake
        .stock_takes()
        .get(&Caller::of(&shop.viewer), take.id())
        .await
        .unwrap();
    assert_eq!(summary.take.details().title(), "Quarterly");
    assert_eq!(summary.totals.uncounted(), 10);
}

#[tokio::test]
async fn s1_4_the_description_changes_until_posting_begins() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let details = StockTakeDetails {
        description: Some("Spring".parse().unwrap()),
        ..take.details().clone()
    };
    let updated = takes
        .update(&manager(&shop), take.id(), details.clone())
        .await
        .unwrap();
    assert_eq!(updated.details(), &details);
    takes
        .post(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    let refused = takes
        .update(&manager(&shop), take.id(), details)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "invalid_state");
}

#[tokio::test]
async fn s1_5_a_removed_take_is_gone_and_the_ledger_stays() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let before = shop
        .stocktake
        .stock()
        .ledger(&manager(&shop), shop.site.id, 0, 100)
        .await
        .unwrap();
    takes.remove(&manager(&shop), take.id()).await.unwrap();
    assert_eq!(
        takes
            .get(&manager(&shop), take.id())
            .await
            .unwrap_err()
            .code(),
        "not_found"
    );
    let list = takes
        .list(&manager(&shop), shop.site.id, &[], &PageRequest::first(10))
        .await
        .unwrap();
    assert!(list.items.is_empty());
    let after = shop
        .stocktake
        .stock()
        .ledger(&manager(&shop), shop.site.id, 0, 100)
        .await
        .unwrap();
    assert_eq!(before, after);

    let posting = populated(&shop).await;
    takes
        .post(&manager(&shop), posting.id(), PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(
        takes
            .remove(&manager(&shop), posting.id())
            .await
            .unwrap_err()
            .code(),
        "invalid_state"
    );
}

#[tokio::test]
async fn s1_6_post_locks_at_once_and_a_job_does_the_rest() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let line = first_line(&shop, take.id()).await;
    count(&shop, take.id(), line, "39").await;
    let job = takes
        .post(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    let locked = takes.get(&manager(&shop), take.id()).await.unwrap().take;
    assert_eq!(
        (locked.state(), locked.posted_at()),
        (StockTakeState::Posting, None)
    );
    let counter = Caller::of(&shop.counter);
    let refused = takes
        .count(&counter, take.id(), line, CountRequest::set(q("1")))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "invalid_state");
    let queued = shop.stocktake.job(&manager(&shop), job).await.unwrap();
    assert_eq!(
        (queued.state, queued.task),
        (JobState::Queued, JobTask::PostStockTake { take: take.id() })
    );

    shop.clock.advance_seconds(5);
    shop.run_jobs().await.unwrap();
    let done = takes.get(&manager(&shop), take.id()).await.unwrap().take;
    assert_eq!(done.state(), StockTakeState::Finished);
    assert_eq!(done.posted_by().unwrap().id, shop.manager.user.id);
    assert_eq!(done.posted_at(), Some(shop.now()));
    let job = shop.stocktake.job(&manager(&shop), job).await.unwrap();
    assert_eq!(
        (job.state, job.progress.done, job.progress.total),
        (JobState::Succeeded, 10, 10)
    );
}

#[tokio::test]
async fn s1_7_submit_is_done_when_it_returns_and_keeps_what_moved_since() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let line = takes
        .add_found(&manager(&shop), take.id(), &shop.key(0))
        .await
        .unwrap();
    count(&shop, take.id(), line, "38").await;
    sell(&shop, 0, "5").await;
    let posted = takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    let result = posted.result().unwrap();
    assert_eq!(
        (result.adjusted, result.uncounted, result.adjustment_minor),
        (1, 9, -300)
    );
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("33"));
    let line = takes
        .item(&manager(&shop), take.id(), line)
        .await
        .unwrap()
        .item
        .value;
    let posting = line.posting.as_ref().unwrap();
    assert_eq!(
        (posting.expected, posting.change, posting.on_hand),
        (q("40"), q("-2"), q("33"))
    );
    assert_eq!(posting.moves.len(), 1);
    assert!(!posting.moves[0].before_count);
    let refused = takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "invalid_state");
}

#[tokio::test]
async fn s1_7_a_take_with_nothing_counted_posts_nothing_and_is_complete() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let posted = shop
        .stocktake
        .stock_takes()
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(posted.state(), StockTakeState::Finished);
    assert_eq!(posted.result().unwrap().adjusted, 0);
    assert_eq!(
        shop.stocktake
            .stock()
            .key_events(&manager(&shop), &shop.key(0), 0)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn s1_8_lines_are_filtered_by_any_of_and_all_of() {
    let shop = opened().await;
    let take = populated(&shop).await;
    count(&shop, take.id(), first_line(&shop, take.id()).await, "40").await;
    let brand = |number: usize| shop.products[number].brand.as_ref().unwrap().id;
    let category = |number: usize| shop.products[number].category.as_ref().unwrap().id;
    let all = StockTakeItemFilter::default;
    let both = BTreeSet::from([brand(0), brand(1)]);
    let table: [(StockTakeItemFilter, usize); 9] = [
        (all(), 10),
        (
            StockTakeItemFilter {
                brands: BTreeSet::from([brand(0)]),
                ..all()
            },
            5,
        ),
        (
            StockTakeItemFilter {
                brands: both,
                ..all()
            },
            10,
        ),
        (
            StockTakeItemFilter {
                brands: BTreeSet::from([brand(0)]),
                categories: BTreeSet::from([category(1)]),
                ..all()
            },
            0,
        ),
        (
            StockTakeItemFilter {
                suppliers: BTreeSet::from([shop.supplier.id]),
                ..all()
            },
            10,
        ),
        (
            StockTakeItemFilter {
                name: Some(SearchText::new("PRODUCT 3").unwrap()),
                ..all()
            },
            1,
        ),
        (
            StockTakeItemFilter {
                name: Some(SearchText::new("%").unwrap()),
                ..all()
            },
            0,
        ),
        (
            StockTakeItemFilter {
                status: CountStatus::Counted,
                ..all()
            },
            1,
        ),
        (
            StockTakeItemFilter {
                status: CountStatus::Uncounted,
                ..all()
            },
            9,
        ),
    ];
    for (filter, expected) in table {
        assert_eq!(
            lines(&shop, take.id(), &filter).await.len(),
            expected,
            "{filter:?}"
        );
    }
}

#[tokio::test]
async fn s1_9_totals_are_those_of_the_filtered_lines() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let takes = shop.stocktake.stock_takes();
    // 2 of SKU-0 (1.50 each) are missing, 3 of SKU-1 (2.50 each) are too many.
    for (number, quantity) in [(0, "38"), (1, "43")] {
        let line = takes
            .add_found(&manager(&shop), take.id(), &shop.key(number))
            .await
            .unwrap();
        count(&shop, take.id(), line, quantity).await;
    }
    let totals = takes
        .totals(&manager(&shop), take.id(), &StockTakeItemFilter::default())
        .await
        .unwrap();
    assert_eq!(
        (
            totals.items,
            totals.counted,
            totals.uncounted(),
            totals.adjustment_minor
        ),
        (10, 2, 8, 450)
    );
    let brand = shop.products[0].brand.as_ref().unwrap().id;
    let filter = StockTakeItemFilter {
        brands: BTreeSet::from([brand]),
        ..StockTakeItemFilter::default()
    };
    let totals = takes
        .totals(&manager(&shop), take.id(), &filter)
        .await
        .unwrap();
    assert_eq!(
        (totals.items, totals.counted, totals.adjustment_minor),
        (5, 1, -300)
    );
}

#[tokio::test]
async fn s1_10_null_uncounts_and_every_entry_is_kept() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let line = first_line(&shop, take.id()).await;
    let counter = Caller::of(&shop.counter);
    for request in [
        CountRequest::set(q("0")),
        CountRequest::add(q("2.5")),
        CountRequest::clear(),
    ] {
        shop.clock.advance_seconds(1);
        takes
            .count(&counter, take.id(), line, request)
            .await
            .unwrap();
    }
    let item = takes
        .item(&manager(&shop), take.id(), line)
        .await
        .unwrap()
        .item
        .value;
    assert_eq!(item.count, None, "uncounted is not zero");
    let entries = takes
        .count_entries(&manager(&shop), take.id(), line)
        .await
        .unwrap();
    let entered: Vec<(Entered, Option<Quantity>)> =
        entries.iter().map(|e| (e.entered, e.counted)).collect();
    assert_eq!(
        entered,
        [
            (Entered::Set(q("0")), Some(q("0"))),
            (Entered::Add(q("2.5")), Some(q("2.5"))),
            (Entered::Clear, None)
        ]
    );
    assert!(entries.iter().all(|entry| entry.by == shop.counter.user.id));
    assert!(entries.is_sorted_by_key(|entry| entry.at));
}

#[tokio::test]
async fn s1_11_a_line_is_deleted_until_posting_begins() {
    let shop = opened().await;
    let take = populated(&shop).await;
    let takes = shop.stocktake.stock_takes();
    let line = first_line(&shop, take.id()).await;
    takes
        .delete_item(&manager(&shop), take.id(), line)
        .await
        .unwrap();
    assert_eq!(
        takes
            .item(&manager(&shop), take.id(), line)
            .await
            .unwrap_err()
            .code(),
        "not_found"
    );
    assert_eq!(
        lines(&shop, take.id(), &StockTakeItemFilter::default())
            .await
            .len(),
        9
    );
    let other = first_line(&shop, take.id()).await;
    takes
        .post(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    let refused = takes
        .delete_item(&manager(&shop), take.id(), other)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "invalid_state");
}

#[tokio::test]
async fn s6_2_the_policies_of_a_take_differ_in_what_moved_after_the_count() {
    for (policy, expected) in [
        (MovementPolicy::KeepMovements, Ok("33")),
        (MovementPolicy::MatchCount, Ok("38")),
        (MovementPolicy::RefuseMoved, Err("lines_refused")),
    ] {
        let shop = opened().await;
        let takes = shop.stocktake.stock_takes();
        let new = NewStockTake {
            movement_policy: policy,
            ..named(&shop, "Policy")
        };
        let take = takes.create(&manager(&shop), new).await.unwrap();
        let line = takes
            .add_found(&manager(&shop), take.id(), &shop.key(0))
            .await
            .unwrap();
        count(&shop, take.id(), line, "38").await;
        sell(&shop, 0, "5").await;
        let posted = takes
            .submit(&manager(&shop), take.id(), PostingOptions::default())
            .await;
        match (posted, expected) {
            (Ok(_), Ok(level)) => assert_eq!(
                shop.on_hand(&shop.key(0)).await.unwrap(),
                q(level),
                "{policy:?}"
            ),
            (Err(error), Err(code)) => {
                assert_eq!(error.code(), code);
                let take = takes.get(&manager(&shop), take.id()).await.unwrap().take;
                assert_eq!(take.state(), StockTakeState::Ongoing);
                let refusal = take.refusal().unwrap();
                assert_eq!(
                    (refusal.total, refusal.lines[0].problem.code()),
                    (1, "moved_since_count")
                );
                assert_eq!(
                    shop.on_hand(&shop.key(0)).await.unwrap(),
                    q("35"),
                    "nothing was posted"
                );
            }
            (other, _) => panic!("{policy:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn s6_2_a_line_that_is_left_behind_is_posted_or_dismissed_afterwards() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = populated(&shop).await;
    for number in [0, 1] {
        let line = takes
            .add_found(&manager(&shop), take.id(), &shop.key(number))
            .await
            .unwrap();
        count(&shop, take.id(), line, "0").await;
        // Counted as gone, then sold: the variance would take the level below zero.
        sell(&shop, number, "40").await;
    }
    let refused = takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "lines_refused");
    let skip = PostingOptions {
        skip_unpostable: true,
        ..PostingOptions::default()
    };
    let posted = takes
        .submit(&manager(&shop), take.id(), skip)
        .await
        .unwrap();
    assert_eq!(posted.result().unwrap().unposted, 2);
    let filter = StockTakeItemFilter {
        left_over: true,
        ..StockTakeItemFilter::default()
    };
    let left = lines(&shop, take.id(), &filter).await;
    assert_eq!(left.len(), 2);

    takes
        .dismiss(&manager(&shop), take.id(), left[0].item.value.id)
        .await
        .unwrap();
    let key = left[1].item.value.key.clone();
    let receipt = Movement::Receipt {
        key: key.clone(),
        quantity: q("50"),
        unit_cost: None,
    };
    shop.stocktake
        .stock()
        .record(&manager(&shop), shop.site.id, &[receipt.into()])
        .await
        .unwrap();
    let again = takes
        .post_left_over(&manager(&shop), take.id())
        .await
        .unwrap();
    assert_eq!(
        (
            again.result().unwrap().unposted,
            again.result().unwrap().adjusted
        ),
        (0, 1)
    );
    assert_eq!(shop.on_hand(&key).await.unwrap(), q("10"));
    assert!(lines(&shop, take.id(), &filter).await.is_empty());
    let verified = shop
        .stocktake
        .stock()
        .verify(&manager(&shop), shop.site.id)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

#[tokio::test]
async fn s6_3_the_same_key_gives_the_first_result_and_another_request_is_refused() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let once = manager(&shop).with_key(IdempotencyKey::new("once").unwrap());
    let first = takes
        .create(&once, named(&shop, "Quarterly"))
        .await
        .unwrap();
    assert_eq!(
        takes
            .create(&once, named(&shop, "Quarterly"))
            .await
            .unwrap(),
        first
    );
    assert_eq!(
        takes
            .create(&once, named(&shop, "Other"))
            .await
            .unwrap_err()
            .code(),
        "idempotency_key_reused"
    );
    let list = takes
        .list(&manager(&shop), shop.site.id, &[], &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(list.items.len(), 1);
}

#[tokio::test]
async fn s6_3_a_refused_posting_keeps_no_key() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = populated(&shop).await;
    let line = takes
        .add_found(&manager(&shop), take.id(), &shop.key(0))
        .await
        .unwrap();
    count(&shop, take.id(), line, "0").await;
    sell(&shop, 0, "40").await;
    let once = manager(&shop).with_key(IdempotencyKey::new("post").unwrap());
    for _ in 0..3 {
        let refused = takes
            .submit(&once, take.id(), PostingOptions::default())
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "lines_refused");
    }
    count(&shop, take.id(), line, "0").await;
    let posted = takes
        .submit(&once, take.id(), PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(posted.state(), StockTakeState::Finished);
    assert_eq!(
        takes
            .submit(&once, take.id(), PostingOptions::default())
            .await
            .unwrap(),
        posted
    );
}
