//! What is shown agrees with itself: progress, entries, and what asks for nothing.

use stocktake::domain::{CountStatus, ImportMode, MovementPolicy, PostingOptions, StockTakeState};
use stocktake::service::{Caller, CountRequest, Error};
use stocktake::store::{ArticleSort, JobState, PageRequest, Progress, StockTakeItemFilter};

use crate::counted::{World, keyed, q};
use crate::stores::Kind;

const KEEP: MovementPolicy = MovementPolicy::KeepMovements;

/// A take that was finished with zero for what nobody counted, and one without: its lines, their statuses and variances,
/// the totals and the result say the same.
#[tokio::test]
async fn fault_l1_what_finishing_counts_as_zero_reads_as_counted_with_zero() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        let (takes, manager) = (world.takes(), world.manager());
        world.record(world.reset(2, "0")).await;
        world.shop.clock.advance_seconds(60);
        let take = world.started(KEEP, 4).await;
        world.count(take, 0, CountRequest::set(q("38"))).await;
        for zero_uncounted in [false, true] {
            let options = PostingOptions {
                zero_uncounted,
                skip_unpostable: false,
            };
            let posted = world.submit(take, options).await.unwrap();
            let result = posted.result().unwrap().clone();
            let summary = takes.get(&manager, take).await.unwrap();
            let left = if zero_uncounted { 0 } else { 3 };
            assert_eq!(summary.totals.items, 4);
            assert_eq!(
                (summary.totals.uncounted(), result.uncounted),
                (left, left),
                "{}",
                kind.name()
            );
            let posted = (result.adjusted, result.confirmed);
            assert_eq!(posted, if zero_uncounted { (3, 1) } else { (1, 0) });
            let mut sum = 0_i128;
            for number in 0..4 {
                let item = world.item(take, number).await;
                let expected = match number {
                    0 => Some(q("38")),
                    _ => zero_uncounted.then(|| q("0")),
                };
                assert_eq!(item.counted_quantity(), expected, "{number}");
                assert_eq!(item.is_counted(), expected.is_some());
                let posting = item.posting.as_ref().unwrap();
                let change = expected.map(|_| posting.change);
                assert_eq!(item.variance(), change, "{number}");
                if let Some(counted) = expected {
                    let off = counted.checked_sub(item.expected().unwrap());
                    assert_eq!(Some(off.unwrap()), change);
                }
                sum += i128::from(item.adjustment_minor());
            }
            assert_eq!(summary.totals.adjustment_minor, sum);
            assert_eq!(result.adjustment_minor, sum);
            for (status, lines) in [
                (CountStatus::All, 4),
                (CountStatus::Uncounted, left),
                (CountStatus::Counted, 4 - left),
            ] {
                let filter = StockTakeItemFilter {
                    status,
                    ..StockTakeItemFilter::default()
                };
                let (sort, page) = (ArticleSort::default(), PageRequest::first(10));
                let found = takes.items(&manager, take, &filter, sort, &page).await;
                assert_eq!(found.unwrap().items.len() as u64, lines, "{status:?}");
                let totals = takes.totals(&manager, take, &filter).await.unwrap();
                assert_eq!(totals.items, lines, "{status:?}");
            }
            // Its counts are kept, and nobody has counted the others.
            takes.reopen(&manager, take, None).await.unwrap();
            let totals = takes.get(&manager, take).await.unwrap().totals;
            assert_eq!((totals.counted, totals.uncounted()), (1, 3));
            assert_eq!(world.on_hand(1).await, q("40"));
        }
    }
}

/// The progress of a job, once its take is posted, is of the lines that exist.
#[tokio::test]
async fn fault_l2_progress_is_of_the_lines_that_exist() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        let take = world.started(KEEP, 10).await;
        let takes = world.takes();
        let manager = world.manager();
        for number in [3, 7] {
            let line = world.line(take, number);
            takes.delete_item(&manager, take, line).await.unwrap();
        }
        world.count(take, 0, CountRequest::set(q("30"))).await;
        let options = PostingOptions::default();
        let job = takes.post(&manager, take, options).await.unwrap();
        world.shop.run_jobs().await.unwrap();
        let eight = Progress { done: 8, total: 8 };
        let posted = world.shop.stocktake.job(&manager, job).await.unwrap();
        assert_eq!(
            (posted.state, posted.progress),
            (JobState::Succeeded, eight),
            "{}",
            kind.name()
        );
        // Taking it back goes over the same lines, and so does what is left over of them.
        let reopened = takes.reopen(&manager, take, None).await.unwrap();
        assert_eq!(reopened.state(), StockTakeState::Ongoing);
        let again = takes.post(&manager, take, options).await.unwrap();
        world.shop.run_jobs().await.unwrap();
        let posted = world.shop.stocktake.job(&manager, again).await.unwrap();
        assert_eq!(posted.progress, eight, "{}", kind.name());
    }
}

/// Whoever asks is told who counted what, also when the take has been removed since.
#[tokio::test]
async fn fault_l3_the_entries_of_a_removed_take_are_told() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        let take = world.started(KEEP, 2).await;
        let (takes, manager) = (world.takes(), world.manager());
        world.count(take, 0, CountRequest::set(q("30"))).await;
        world.count(take, 0, CountRequest::set(q("31"))).await;
        world.count(take, 1, CountRequest::set(q("40"))).await;
        let (line, deleted) = (world.line(take, 0), world.line(take, 1));
        takes.delete_item(&manager, take, deleted).await.unwrap();
        world.submit(take, PostingOptions::default()).await.unwrap();
        takes.remove(&manager, take).await.unwrap();
        let refused = takes.get(&manager, take).await.unwrap_err();
        assert_eq!(refused.code(), "not_found");
        let counts = [(line, vec![q("30"), q("31")]), (deleted, vec![q("40")])];
        for (line, expected) in counts {
            let entries = takes.count_entries(&manager, take, line).await;
            let told: Vec<_> = entries
                .unwrap()
                .iter()
                .filter_map(|entry| entry.counted)
                .collect();
            assert_eq!(told, expected, "{}", kind.name());
        }
        for nobody in [&world.shop.elsewhere, &world.shop.stranger] {
            let asks = Caller::of(nobody);
            let refused = takes.count_entries(&asks, take, line).await;
            assert_eq!(refused.unwrap_err().code(), "not_found");
        }
        let events = world.shop.stocktake.stock();
        let key = world.shop.key(0);
        let events = events.key_events(&manager, &key, 0).await.unwrap();
        assert_eq!(events.len(), 2, "the receipt and the variance");
    }
}

/// Every command that takes a list of what is to be done refuses an empty one, and keeps nothing of it: its key is
/// free for what was meant. (A receipt of no lines is `nothing_to_receive`.)
#[tokio::test]
async fn fault_l5_what_asks_for_nothing_is_told_so() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        let take = world.started(KEEP, 1).await;
        let list = world.new_list(KEEP).await;
        let (takes, once) = (world.takes(), keyed(&world.manager(), "nothing"));
        let library = &world.shop.stocktake;
        let (stock, imports) = (library.stock(), library.stock_imports());
        let site = world.shop.site.id;
        let position = world.last_position().await;
        let mut refused: Vec<(&str, Option<Error>)> = vec![
            ("movements", stock.record(&once, site, &[]).await.err()),
            ("counts", takes.count_lines(&once, take, &[]).await.err()),
            ("articles", takes.add_articles(&once, list, &[]).await.err()),
        ];
        let products = library.catalogue().put_products(&once, vec![]).await;
        refused.push(("products", products.err()));
        for body in [r"{}", r#"{"store-1": {}}"#, r#"{"store-1": {"SKU-0": {}}}"#] {
            for mode in [
                ImportMode::Absolute,
                ImportMode::Adjustment,
                ImportMode::Remove,
            ] {
                let import = imports.begin(&once, mode, body.as_bytes(), false).await;
                refused.push((body, import.err()));
            }
        }
        for (what, error) in refused {
            let error = error.unwrap_or_else(|| panic!("{what} on {}", kind.name()));
            assert!(matches!(error, Error::Invalid(_)), "{what}: {error:?}");
            assert_eq!(error.code(), "nothing_asked", "{what}: {error}");
        }
        assert_eq!(world.last_position().await, position);
        assert_eq!(world.shop.run_jobs().await.unwrap(), 0);
        // The key was not used up.
        let count = [(world.line(take, 0), CountRequest::set(q("40")))];
        let counted = takes.count_lines(&once, take, &count).await;
        assert_eq!(counted.unwrap().len(), 1);
        let articles = ["SKU-0".parse().unwrap()];
        let added = takes.add_articles(&once, list, &articles).await;
        assert_eq!(added.unwrap(), 1);
    }
}
