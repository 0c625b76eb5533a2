//! E: what conflicts again and again. Every step ends, every job ends, and every phase of a document has a way out.

use std::sync::Arc;

use stocktake::domain::{
    Code, CompletionOptions, CountType, ImportMode, InventoryCountDetails, InventoryCountId,
    InventoryCountState, JobId, MovementPolicy, PostingOptions, Product, Quantity,
    StockImportState, StockKey, StockTakeId, StockTakeItemId, StockTakeState,
};
use stocktake::jobs::{Ran, Worker};
use stocktake::memory::MemoryStore;
use stocktake::service::{Caller, CountRequest, NewCountItem, NewStockTake};
use stocktake::store::{ExportForm, JobQueue, JobState, Repository, StockTakeItemFilter};
use stocktake::testing::{Fault, FaultStore, Shop};

use super::shops::{manager, shop_on};
#[cfg(feature = "sqlite")]
use super::stores::Fresh;
use super::stores::{Kind, Store, Stores};

/// A shop on a store of some kind, open.
async fn opened(store: &Store) -> Shop {
    let shop = shop_on(store);
    shop.open().await.unwrap();
    shop
}

async fn state(shop: &Shop, job: JobId) -> JobState {
    let job = shop.stocktake.job(&manager(shop), job).await;
    job.unwrap().state
}

fn has_ended(state: &JobState) -> bool {
    match state {
        JobState::Queued | JobState::Running { .. } => false,
        JobState::Succeeded | JobState::Refused | JobState::Dead => true,
    }
}

/// The product of an article, as a catalogue has it.
async fn product_of(store: &Store, shop: &Shop, article: &str) -> Product {
    let articles: [Code; 1] = [article.parse().unwrap()];
    let organisation = shop.manager.organisation;
    let found = store
        .repository
        .products_by_article(organisation, &articles);
    let found = found.await.unwrap().pop().flatten();
    Product::clone(&found.expect("the article has a product").value)
}

async fn import(shop: &Shop, body: &str) -> (stocktake::domain::StockImportId, JobId) {
    let imports = shop.stocktake.stock_imports();
    let began = imports
        .begin(&manager(shop), ImportMode::Absolute, body.as_bytes(), false)
        .await
        .unwrap();
    (began.import.id(), began.job)
}

/// An article that an import made is renamed; the next import makes it anew, whatever the id of the first follows from.
#[tokio::test]
async fn fault_e1_an_article_that_was_renamed_is_made_anew() {
    const ROUNDS: u32 = 3;
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let mut ids = std::collections::BTreeSet::new();
        for round in 0..ROUNDS {
            // All or nothing, with values before and behind it.
            let body = format!(r#"{{"store-1": {{"SKU-0": 3, "NEW-1": {round}, "SKU-1": 4}}}}"#);
            let (id, job) = import(&shop, &body).await;
            let worker = Worker::new(&shop.stocktake, "worker");
            assert_eq!(worker.run_once().await.unwrap(), Ran::Done(job));
            let import = shop
                .stocktake
                .stock_imports()
                .get(&manager(&shop), id)
                .await;
            let import = import.unwrap();
            assert_eq!(import.state(), StockImportState::Applied, "{}", kind.name());
            let made = product_of(&store, &shop, "NEW-1").await;
            assert!(ids.insert(made.id), "a product of its own each time");
            let key = StockKey::plain(shop.site.id, made.id);
            assert_eq!(shop.on_hand(&key).await.unwrap(), Quantity::from(round));
            // The host gives it another article id.
            let renamed = Product {
                article_id: format!("OLD-{round}").parse().unwrap(),
                ..made
            };
            let catalogue = shop.stocktake.catalogue();
            let renaming = catalogue.put_products(&manager(&shop), vec![renamed]).await;
            renaming.unwrap();
        }
        let verified = shop
            .stocktake
            .stock()
            .verify(&manager(&shop), shop.site.id)
            .await;
        assert!(verified.unwrap().is_sound());
    }
}

type World = (FaultStore<MemoryStore>, Shop);

async fn world() -> World {
    let store = FaultStore::new(MemoryStore::new());
    let shop = Shop::on(Arc::new(store.clone()));
    shop.open().await.unwrap();
    (store, shop)
}

/// A kind of long work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Populating,
    Posting,
    PostingWithSkips,
    Reopening,
    Completing,
    CompletingWithSkips,
    Importing,
    ImportingWithSkips,
    Exporting,
}

impl Work {
    const ALL: [Self; 9] = [
        Self::Populating,
        Self::Posting,
        Self::PostingWithSkips,
        Self::Reopening,
        Self::Completing,
        Self::CompletingWithSkips,
        Self::Importing,
        Self::ImportingWithSkips,
        Self::Exporting,
    ];

    /// Begins the work; a job is to do it.
    async fn begun(self, (store, shop): &World) -> JobId {
        match self {
            Self::Populating => {
                let take = new_take(shop).await;
                let take = shop.stocktake.stock_takes().get(&manager(shop), take).await;
                take.unwrap().take.population().unwrap().job
            }
            Self::Posting | Self::PostingWithSkips => {
                let take = counted_take(shop).await;
                let options = PostingOptions {
                    skip_unpostable: self == Self::PostingWithSkips,
                    ..PostingOptions::default()
                };
                let takes = shop.stocktake.stock_takes();
                takes.post(&manager(shop), take, options).await.unwrap()
            }
            Self::Reopening => {
                let take = counted_take(shop).await;
                let takes = shop.stocktake.stock_takes();
                let options = PostingOptions::default();
                takes.submit(&manager(shop), take, options).await.unwrap();
                // It begins, and whoever asked for it is gone.
                store.heal();
                store.fail_commits_from(2, Fault::Before);
                let gone = takes.reopen(&manager(shop), take, None).await.unwrap_err();
                assert_eq!(gone.code(), "store_unavailable");
                store.heal();
                let take = takes.get(&manager(shop), take).await.unwrap().take;
                take.run().unwrap().job
            }
            Self::Completing | Self::CompletingWithSkips => {
                let count = counted(shop).await;
                let options = CompletionOptions {
                    apply_adjustments: true,
                    skip_unpostable: self == Self::CompletingWithSkips,
                };
                let counts = shop.stocktake.inventory_counts();
                let queued = counts
                    .queue_completion(&manager(shop), count, options, None)
                    .await;
                queued.unwrap()
            }
            Self::Importing | Self::ImportingWithSkips => {
                let body = br#"{"store-1": {"SKU-0": 3, "NEW-1": 7, "SKU-1": 4}}"#;
                let skips = self == Self::ImportingWithSkips;
                let imports = shop.stocktake.stock_imports();
                let began = imports
                    .begin(&manager(shop), ImportMode::Absolute, body, skips)
                    .await;
                began.unwrap().job
            }
            Self::Exporting => {
                let take = counted_take(shop).await;
                let exports = shop.stocktake.exports();
                let all = StockTakeItemFilter::default();
                exports
                    .stock_take(&manager(shop), take, all, ExportForm::default())
                    .await
                    .unwrap()
            }
        }
    }
}

async fn new_take(shop: &Shop) -> StockTakeId {
    let new = NewStockTake {
        site: shop.site.id,
        description: "January".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let takes = shop.stocktake.stock_takes();
    takes.create(&manager(shop), new).await.unwrap().id()
}

/// A take with two lines that are off.
async fn counted_take(shop: &Shop) -> StockTakeId {
    let take = new_take(shop).await;
    shop.run_jobs().await.unwrap();
    for number in [0, 3] {
        let line = StockTakeItemId::for_key(take, &shop.key(number));
        let request = CountRequest::set(Quantity::from(38));
        let takes = shop.stocktake.stock_takes();
        let counted = takes.count(&manager(shop), take, line, request).await;
        counted.unwrap();
    }
    take
}

/// An inventory count with two lines that are off.
async fn counted(shop: &Shop) -> InventoryCountId {
    let counts = shop.stocktake.inventory_counts();
    let details = InventoryCountDetails {
        name: "January".parse().unwrap(),
        kind: CountType::Cycle,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let count = counts.start(&manager(shop), shop.site.id, details).await;
    let count = count.unwrap().id();
    for number in [0, 3] {
        let line = NewCountItem::of(shop.products[number].id, Quantity::from(38));
        counts.count(&manager(shop), count, line).await.unwrap();
    }
    count
}

/// Does jobs, as a worker that never tires, until one has ended.
async fn worked_off(shop: &Shop, job: JobId) -> JobState {
    let worker = Worker::new(&shop.stocktake, "worker");
    for _ in 0..20 {
        shop.clock.advance_seconds(2 * 60 * 60);
        worker.run_all_due().await.unwrap();
        let state = state(shop, job).await;
        if has_ended(&state) {
            return state;
        }
    }
    panic!("the job goes on for ever");
}

/// Whatever a commit of a job answers from some point on, for ever: the job ends after a bounded number of calls. Then
/// what was in the way is gone, the job is queued again, and it does its work.
#[tokio::test]
async fn fault_e1_a_step_that_conflicts_for_ever_ends() {
    /// Ten attempts of forty tries, each of a dozen calls at most.
    const MOST_CALLS: u64 = 10 * 40 * 12;
    for work in Work::ALL {
        let clean = world().await;
        let job = work.begun(&clean).await;
        clean.0.heal();
        assert_eq!(
            worked_off(&clean.1, job).await,
            JobState::Succeeded,
            "{work:?}"
        );
        let commits = clean.0.commits();
        assert!(commits > 0, "{work:?}");
        let faults = [
            Fault::Conflict,
            Fault::Taken,
            Fault::Before,
            Fault::Busy,
            Fault::Unknown,
        ];
        for fault in faults {
            for commit in 1..=commits {
                let told = format!("{work:?}, {fault:?} from commit {commit} on");
                let (store, shop) = world().await;
                let job = work
                    .begun(&(
                        store.clone(),
                        Shop::with(shop.stocktake.clone(), shop.clock.clone()),
                    ))
                    .await;
                store.heal();
                store.fail_commits_from(commit, fault);
                assert_eq!(worked_off(&shop, job).await, JobState::Dead, "{told}");
                assert!(
                    store.calls() < MOST_CALLS,
                    "{told}: {} calls",
                    store.calls()
                );
                let error = shop.stocktake.job(&manager(&shop), job).await.unwrap();
                assert!(error.last_error.is_some(), "{told}: it says why");
                store.heal();
                let again = shop.stocktake.requeue_job(&manager(&shop), job).await;
                assert!(again.unwrap(), "{told}");
                assert_eq!(worked_off(&shop, job).await, JobState::Succeeded, "{told}");
                let verified = shop
                    .stocktake
                    .stock()
                    .verify(&manager(&shop), shop.site.id)
                    .await;
                assert!(verified.unwrap().is_sound(), "{told}");
                for number in [0, 3] {
                    let on_hand = shop.on_hand(&shop.key(number)).await.unwrap();
                    let expected = clean.1.on_hand(&shop.key(number)).await.unwrap();
                    assert_eq!(on_hand, expected, "{told}");
                }
            }
        }
    }
}

/// Ten lines are gone over, and after seven of them every commit is in vain: the job dies in the middle.
fn dies_after_seven_lines<S>(store: &FaultStore<S>, first: u64) {
    store.heal();
    // What is decided in vain is made smaller each time, down to seven lines.
    store.fail_commits_from(first, Fault::Conflict);
    store.fail_commits_from(first + 10, Fault::Yield);
    store.fail_commits_from(first + 11, Fault::Conflict);
}

async fn on_hand(shop: &Shop) -> Vec<Quantity> {
    let mut all = Vec::new();
    for number in 0..10 {
        all.push(shop.on_hand(&shop.key(number)).await.unwrap());
    }
    all
}

fn q(units: u32) -> Quantity {
    Quantity::from(units)
}

async fn is_sound(shop: &Shop) {
    let stock = shop.stocktake.stock();
    let verified = stock.verify(&manager(shop), shop.site.id).await;
    assert!(verified.unwrap().is_sound());
}

/// A take whose ten lines are all off.
async fn take_of_ten(shop: &Shop) -> StockTakeId {
    let take = new_take(shop).await;
    shop.run_jobs().await.unwrap();
    for number in 0..10 {
        let line = StockTakeItemId::for_key(take, &shop.key(number));
        let request = CountRequest::set(q(38));
        let takes = shop.stocktake.stock_takes();
        takes
            .count(&manager(shop), take, line, request)
            .await
            .unwrap();
    }
    take
}

async fn count_of_ten(shop: &Shop) -> InventoryCountId {
    let counts = shop.stocktake.inventory_counts();
    let details = InventoryCountDetails {
        name: "January".parse().unwrap(),
        kind: CountType::Full,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let count = counts.start(&manager(shop), shop.site.id, details).await;
    let count = count.unwrap().id();
    for product in &shop.products {
        let line = NewCountItem::of(product.id, q(38));
        counts.count(&manager(shop), count, line).await.unwrap();
    }
    count
}

/// What a posting, a reopening, a completion and an import leave behind whose job died in the middle: each is given up, what
/// was done stays done once, and the document goes on.
#[allow(clippy::too_many_lines, reason = "one story, told in its order")]
async fn what_died_in_the_middle_is_got_out_of<S: Repository + JobQueue>(store: S) {
    let store = FaultStore::new(store);
    let shop = Shop::on(Arc::new(store.clone()));
    shop.open().await.unwrap();
    let (takes, host) = (shop.stocktake.stock_takes(), manager(&shop));
    let died = async |job: JobId| {
        assert_eq!(worked_off(&shop, job).await, JobState::Dead);
        store.heal();
    };

    // Posting: the lines that it did not come to are left over, and can be posted or dismissed.
    let take = take_of_ten(&shop).await;
    let job = takes
        .post(&host, take, PostingOptions::default())
        .await
        .unwrap();
    dies_after_seven_lines(&store, 2);
    died(job).await;
    let dead_end = takes.get(&host, take).await.unwrap().take;
    assert_eq!(dead_end.state(), StockTakeState::Posting);
    let counter = Caller::of(&shop.counter);
    let refused = takes.give_up(&counter, take).await.unwrap_err();
    assert_eq!(refused.code(), "forbidden");
    let finished = takes.give_up(&host, take).await.unwrap();
    assert_eq!(finished.state(), StockTakeState::Finished);
    let result = finished.result().unwrap();
    assert_eq!((result.adjusted, result.unposted), (7, 3));
    let expected: Vec<Quantity> = (0..10).map(|n| q(if n < 7 { 38 } else { 40 })).collect();
    assert_eq!(on_hand(&shop).await, expected);
    // The dead job has nothing left to do.
    assert!(shop.stocktake.requeue_job(&host, job).await.unwrap());
    assert_eq!(worked_off(&shop, job).await, JobState::Succeeded);
    assert_eq!(on_hand(&shop).await, expected);
    let posted = takes.post_left_over(&host, take).await.unwrap();
    assert_eq!(posted.result().unwrap().unposted, 0);
    assert_eq!(on_hand(&shop).await, [q(38); 10]);
    is_sound(&shop).await;

    // Reopening: lines that it did not come to keep what they posted, and post nothing more.
    store.heal();
    store.fail_commits_from(2, Fault::Before);
    takes.reopen(&host, take, None).await.unwrap_err();
    store.heal();
    let dead_end = takes.get(&host, take).await.unwrap().take;
    dies_after_seven_lines(&store, 2);
    died(dead_end.run().unwrap().job).await;
    let ongoing = takes.give_up(&host, take).await.unwrap();
    assert_eq!(ongoing.state(), StockTakeState::Ongoing);
    let expected: Vec<Quantity> = (0..10).map(|n| q(if n < 7 { 40 } else { 38 })).collect();
    assert_eq!(on_hand(&shop).await, expected);
    let again = takes
        .submit(&host, take, PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(again.state(), StockTakeState::Finished);
    assert_eq!(on_hand(&shop).await, [q(38); 10]);
    is_sound(&shop).await;

    // Completing: lines that it did not come to are not posted, and the site may start another count.
    for number in 0..10 {
        let more = [shop.receipt(number, q(2))];
        let stock = shop.stocktake.stock();
        stock.record(&host, shop.site.id, &more).await.unwrap();
    }
    let counts = shop.stocktake.inventory_counts();
    let count = count_of_ten(&shop).await;
    let options = CompletionOptions {
        apply_adjustments: true,
        skip_unpostable: false,
    };
    let job = counts
        .queue_completion(&host, count, options, None)
        .await
        .unwrap();
    dies_after_seven_lines(&store, 2);
    died(job).await;
    let cancelled = counts.cancel(&host, count).await.unwrap_err();
    assert_eq!(cancelled.code(), "invalid_state", "something was posted");
    let given_up = counts.give_up(&host, count).await.unwrap();
    assert_eq!(given_up.count.state(), InventoryCountState::Completed);
    let result = given_up.count.result().unwrap();
    assert_eq!((result.adjusted, result.unposted), (7, 3));
    count_of_ten(&shop).await;
    is_sound(&shop).await;

    // Importing: what was applied is told, and nobody goes on with it.
    let values: Vec<String> = (0..10).map(|n| format!("\"SKU-{n}\": 5")).collect();
    let (id, job) = import(&shop, &format!("{{\"store-1\": {{{}}}}}", values.join(","))).await;
    dies_after_seven_lines(&store, 2);
    died(job).await;
    let imports = shop.stocktake.stock_imports();
    let cancelled = imports.cancel(&host, id).await.unwrap();
    assert_eq!(cancelled.state(), StockImportState::Rejected);
    assert_eq!(
        (cancelled.report().applied, cancelled.report().failed),
        (7, 3)
    );
    let told = cancelled.report().message.as_ref().unwrap();
    assert_eq!(
        told.as_str(),
        "stopped by Dan Johnson; 7 of 10 values were applied"
    );
    let five = on_hand(&shop)
        .await
        .iter()
        .filter(|it| **it == q(5))
        .count();
    assert_eq!(five, 7);
    let over = imports.cancel(&host, id).await.unwrap_err();
    assert_eq!(over.code(), "invalid_state");
    is_sound(&shop).await;
}

#[tokio::test]
async fn fault_e2_what_died_in_the_middle_is_got_out_of_in_memory() {
    Box::pin(what_died_in_the_middle_is_got_out_of(MemoryStore::new())).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn fault_e2_what_died_in_the_middle_is_got_out_of_in_a_file() {
    let (store, _folder) = <stocktake::sqlite::SqliteStore as Fresh>::fresh();
    Box::pin(what_died_in_the_middle_is_got_out_of(store)).await;
}

/// What has not changed anything yet is as if it had not begun: each phase, on every store.
#[tokio::test]
async fn fault_e2_every_phase_that_changed_nothing_has_a_way_out() {
    for kind in Kind::ALL {
        let told = kind.name();
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = opened(&store).await;
        let (takes, host) = (shop.stocktake.stock_takes(), manager(&shop));
        let before = on_hand(&shop).await;

        // Lines that are being added: those that are there stay, and no more come.
        let take = new_take(&shop).await;
        let stopped = takes.give_up(&host, take).await.unwrap();
        assert_eq!(
            (stopped.state(), stopped.items_added()),
            (StockTakeState::Ongoing, true)
        );
        shop.run_jobs().await.unwrap();
        assert_eq!(
            takes.get(&host, take).await.unwrap().totals.items,
            0,
            "{told}"
        );
        let nothing = takes.give_up(&host, take).await.unwrap_err();
        assert_eq!(nothing.code(), "nothing_under_way", "{told}");

        // A posting that waits for its lines, then the lines.
        let take = new_take(&shop).await;
        takes
            .post(&host, take, PostingOptions::default())
            .await
            .unwrap();
        let back = takes.give_up(&host, take).await.unwrap();
        assert_eq!(
            (back.state(), back.items_added()),
            (StockTakeState::Ongoing, false)
        );
        assert!(
            takes.give_up(&host, take).await.unwrap().items_added(),
            "{told}"
        );

        // A posting, whether or not lines may be left behind; it can be posted again, once.
        let take = take_of_ten(&shop).await;
        for skip_unpostable in [false, true] {
            let options = PostingOptions {
                skip_unpostable,
                ..PostingOptions::default()
            };
            let job = takes.post(&host, take, options).await.unwrap();
            let back = takes.give_up(&host, take).await.unwrap();
            assert_eq!(back.state(), StockTakeState::Ongoing, "{told}");
            assert_eq!(back.refusal().unwrap().job, job);
            assert!(back.refusal().unwrap().given_up_by.is_some());
            assert_eq!(state(&shop, job).await, JobState::Refused, "{told}");
        }
        shop.run_jobs().await.unwrap();
        assert_eq!(on_hand(&shop).await, before, "{told}");
        takes
            .submit(&host, take, PostingOptions::default())
            .await
            .unwrap();
        assert_eq!(on_hand(&shop).await, [q(38); 10], "{told}");

        // A completion, whatever it does; then the count can be cancelled.
        let counts = shop.stocktake.inventory_counts();
        let count = count_of_ten(&shop).await;
        for (apply_adjustments, skip_unpostable) in [(true, false), (true, true), (false, false)] {
            let options = CompletionOptions {
                apply_adjustments,
                skip_unpostable,
            };
            let queued = counts.queue_completion(&host, count, options, None).await;
            let job = queued.unwrap();
            let back = counts.give_up(&host, count).await.unwrap();
            assert_eq!(
                back.count.state(),
                InventoryCountState::InProgress,
                "{told}"
            );
            assert_eq!(state(&shop, job).await, JobState::Refused, "{told}");
        }
        counts.cancel(&host, count).await.unwrap();

        // An import.
        let (id, job) = import(&shop, r#"{"store-1": {"SKU-0": 3}}"#).await;
        let imports = shop.stocktake.stock_imports();
        let cancelled = imports.cancel(&host, id).await.unwrap();
        assert_eq!(
            (cancelled.report().applied, cancelled.report().failed),
            (0, 1)
        );
        assert_eq!(state(&shop, job).await, JobState::Refused, "{told}");
        shop.run_jobs().await.unwrap();
        assert_eq!(on_hand(&shop).await, [q(38); 10], "{told}");
        is_sound(&shop).await;
    }
}
