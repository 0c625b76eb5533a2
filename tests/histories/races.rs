//! What happens at once: two or more callers on the same things, in every order of their storage calls and
//! as real tasks on several threads.
//!
//! A [`Race`] is run twice over. [`Race::explore`] drives its callers on one thread, one storage call at a
//! time, through every schedule with a bounded number of preemptions. [`Race::parallel`] lets them go at a
//! barrier on a runtime of several threads, `STOCKTAKE_RACE_ROUNDS` times.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use stocktake::domain::{
    Code, CountEntry, LedgerEntry, LineOutcome, MovementPolicy, PostingOptions, Quantity, Site,
    SiteId, StockEvent, StockEventKind, StockKey, StockTake, StockTakeId, StockTakeItem,
    StockTakeItemId, StockTakeState, Tracking, Value, ValueSum,
};
use stocktake::jobs::Worker;
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewMovement, NewStockTake, NewStockTakeList,
};
use stocktake::store::{
    ArticleSort, IdempotencyKey, LevelFilter, MAX_PAGE, PageRequest, Repository, StockTakeFilter,
    StockTakeItemFilter,
};
use stocktake::testing::{Fault, FaultStore, Shop};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;

/// A caller; what it was told, without ids.
type Task<T = String> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs a future that waits for nobody.
fn done<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future does not end");
}

fn rounds() -> u32 {
    let rounds = std::env::var("STOCKTAKE_RACE_ROUNDS");
    rounds.map_or(20, |rounds| rounds.parse().unwrap())
}

fn threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap()
}

/// Lets all tasks go at once, and waits for all of them.
async fn together<T: Send + 'static>(tasks: Vec<Task<T>>) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(tasks.len()));
    let started: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                task.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in started {
        results.push(task.await.unwrap());
    }
    results
}

/// A shop on a store whose calls can be made to give way.
struct World {
    store: FaultStore<MemoryStore>,
    shop: Shop,
}

impl World {
    /// With the catalogue and forty of each product.
    fn open() -> Arc<Self> {
        let store = FaultStore::new(MemoryStore::new());
        let shop = Shop::on(Arc::new(store.clone()));
        done(shop.open()).unwrap();
        Arc::new(Self { store, shop })
    }

    /// From now on every storage call lets the others run first.
    fn give_way(&self) {
        self.store.heal();
        self.store.fail_from(1, Fault::Yield);
    }

    fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    fn keyed(&self, key: &str) -> Caller {
        self.manager().with_key(IdempotencyKey::new(key).unwrap())
    }

    fn inner(&self) -> &MemoryStore {
        self.store.inner()
    }

    fn takes(&self) -> Vec<StockTake> {
        let states = StockTakeState::ALL.iter().copied().collect();
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let (filter, page) = (StockTakeFilter { states }, PageRequest::first(MAX_PAGE));
        let takes = done(self.inner().stock_takes(organisation, site, &filter, &page)).unwrap();
        takes.items.into_iter().map(|take| take.value).collect()
    }

    fn take(&self) -> StockTake {
        self.takes().swap_remove(0)
    }

    fn id(&self) -> StockTakeId {
        self.take().id()
    }

    fn item(&self, number: usize) -> StockTakeItemId {
        StockTakeItemId::for_key(self.id(), &self.shop.key(number))
    }

    fn lines(&self) -> Vec<StockTakeItem> {
        let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let (organisation, page) = (self.shop.site.organisation, PageRequest::first(MAX_PAGE));
        let (store, take) = (self.inner(), self.id());
        let lines = done(store.stock_take_items(organisation, take, &filter, sort, &page)).unwrap();
        let lines = lines.items.into_iter();
        lines
            .map(|line| Arc::unwrap_or_clone(line.item.value))
            .collect()
    }

    fn entries(&self, item: StockTakeItemId) -> Vec<CountEntry> {
        let organisation = self.shop.site.organisation;
        done(self.inner().count_entries(organisation, self.id(), item)).unwrap()
    }

    fn ledger(&self) -> Vec<LedgerEntry> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        done(self.inner().ledger(organisation, site, 0, u32::MAX)).unwrap()
    }

    fn events(&self, kind: StockEventKind) -> Vec<StockEvent> {
        let events = self.ledger().into_iter().map(|entry| entry.event);
        events.filter(|event| event.kind == kind).collect()
    }

    fn on_hand(&self, key: &StockKey) -> Quantity {
        let keys = std::slice::from_ref(key);
        let levels = done(self.inner().levels(self.shop.site.organisation, keys)).unwrap();
        levels[0]
            .as_ref()
            .map_or(Quantity::ZERO, |level| level.value.quantity())
    }

    /// Lets leases expire and does what is due; then nothing is dead, and the ledger is sound.
    fn settle(&self) {
        self.store.heal();
        for _ in 0..3 {
            self.shop.clock.advance_seconds(2 * 60 * 60);
            done(self.shop.run_jobs()).unwrap();
        }
        let page = PageRequest::first(10);
        let dead =
            stocktake::store::JobQueue::dead_jobs(self.inner(), self.shop.site.organisation, &page);
        assert_eq!(done(dead).unwrap().items, []);
        let verified = done(
            self.shop
                .stocktake
                .stock()
                .verify(&self.manager(), self.shop.site.id),
        );
        let verified = verified.unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
}

/// Callers that meet.
struct Race {
    prepare: fn() -> Arc<World>,
    callers: fn(&Arc<World>) -> Vec<Task>,
    /// What must hold afterwards, and of what the callers were told.
    check: fn(&World, &[String]),
    /// How often a schedule may take the turn from a caller that could go on.
    preemptions: usize,
}

/// One schedule after another, depth first.
#[derive(Default)]
struct Schedules {
    /// What is chosen at each step: the index among the callers that could go on.
    chosen: Vec<(usize, usize)>,
}

impl Schedules {
    /// Drives callers to their ends by the current schedule; beyond it, whoever has the turn goes on.
    fn drive(&mut self, mut callers: Vec<Task>, preemptions: usize) -> Vec<String> {
        let mut context = Context::from_waker(Waker::noop());
        let mut results: Vec<Option<String>> = callers.iter().map(|_| None).collect();
        let (mut turn, mut left, mut step) = (None::<usize>, preemptions, 0);
        loop {
            let mut options: Vec<usize> = (0..callers.len())
                .filter(|at| results[*at].is_none())
                .collect();
            if options.is_empty() {
                return results.into_iter().flatten().collect();
            }
            let goes_on = turn.filter(|turn| options.contains(turn));
            if let Some(turn) = goes_on {
                options.retain(|at| *at != turn && left > 0);
                options.insert(0, turn);
            }
            if step == self.chosen.len() {
                self.chosen.push((0, options.len()));
            }
            let (choice, of) = self.chosen[step];
            assert_eq!(of, options.len(), "the callers are deterministic");
            let next = options[choice];
            if goes_on.is_some_and(|turn| turn != next) {
                left -= 1;
            }
            if let Poll::Ready(told) = callers[next].as_mut().poll(&mut context) {
                results[next] = Some(told);
            }
            (turn, step) = (Some(next), step + 1);
            assert!(step < 10_000, "the callers do not end");
        }
    }

    /// The next schedule, unless this was the last.
    fn next(&mut self) -> bool {
        while let Some((choice, of)) = self.chosen.pop() {
            if choice + 1 < of {
                self.chosen.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

impl Race {
    /// Every schedule; how many there were.
    fn explore(&self) -> u32 {
        let mut schedules = Schedules::default();
        let mut run = 0;
        loop {
            let world = (self.prepare)();
            let callers = (self.callers)(&world);
            world.give_way();
            let told = schedules.drive(callers, self.preemptions);
            let check = std::panic::AssertUnwindSafe(|| {
                world.settle();
                (self.check)(&world, &told);
            });
            if let Err(failure) = std::panic::catch_unwind(check) {
                eprintln!("schedule {run}: {:?}, told {told:?}", schedules.chosen);
                std::panic::resume_unwind(failure);
            }
            run += 1;
            if !schedules.next() {
                return run;
            }
        }
    }

    /// Real tasks.
    fn parallel(&self) {
        let threads = threads();
        for round in 0..rounds() {
            let world = (self.prepare)();
            let callers = (self.callers)(&world);
            if round % 2 == 0 {
                world.give_way();
            }
            let told = threads.block_on(together(callers));
            world.settle();
            (self.check)(&world, &told);
        }
    }

    fn run(&self) {
        self.explore();
        self.parallel();
    }
}

fn told(result: Result<String, Error>) -> String {
    result.unwrap_or_else(|error| format!("error {}", error.code()))
}

/// A caller that does one thing.
fn caller<F, R>(world: &Arc<World>, work: F) -> Task
where
    F: FnOnce(Arc<World>) -> R,
    R: Future<Output = Result<String, Error>> + Send + 'static,
{
    let work = work(Arc::clone(world));
    Box::pin(async move { told(work.await) })
}

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

fn sum(quantities: impl Iterator<Item = Quantity>) -> Quantity {
    quantities.fold(Quantity::ZERO, |sum, more| sum.checked_add(more).unwrap())
}

/// How many were told something that begins so.
fn how_many(told: &[String], begin: &str) -> usize {
    told.iter().filter(|told| told.starts_with(begin)).count()
}

/// Exactly one was told `ok`, and all others one of the refusals.
fn assert_one(told: &[String], ok: &str, refusals: &[&str]) {
    assert_eq!(how_many(told, ok), 1, "{told:?}");
    for one in told {
        assert!(
            one.starts_with(ok) || refusals.contains(&one.as_str()),
            "{told:?}"
        );
    }
}

fn assert_same(told: &[String]) {
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    assert_eq!(how_many(told, "error"), 0, "{told:?}");
}

const INVALID: &str = "error invalid_state";
const NOT_FOUND: &str = "error not_found";

fn new_take(world: &World) -> NewStockTake {
    NewStockTake {
        site: world.shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::KeepMovements,
    }
}

fn new_list(world: &World, annual: bool) -> NewStockTakeList {
    NewStockTakeList {
        site: world.shop.site.id,
        name: "Annual".parse().unwrap(),
        description: None,
        due_at: None,
        annual,
        movement_policy: MovementPolicy::KeepMovements,
    }
}

fn issue(key: StockKey, quantity: &str) -> NewMovement {
    Movement::Issue {
        key,
        quantity: q(quantity),
    }
    .into()
}

fn record(world: &World, movements: &[NewMovement]) -> Vec<StockEvent> {
    let site = world.shop.site.id;
    done(
        world
            .shop
            .stocktake
            .stock()
            .record(&world.manager(), site, movements),
    )
    .unwrap()
}

/// A take whose lines are on their way.
fn created() -> Arc<World> {
    let world = World::open();
    done(
        world
            .shop
            .stocktake
            .stock_takes()
            .create(&world.manager(), new_take(&world)),
    )
    .unwrap();
    world
}

/// A take with ten lines.
fn populated() -> Arc<World> {
    let world = created();
    done(world.shop.run_jobs()).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

fn count(world: &World, number: usize, quantity: &str) {
    let takes = world.shop.stocktake.stock_takes();
    let request = CountRequest::set(q(quantity));
    done(takes.count(&world.manager(), world.id(), world.item(number), request)).unwrap();
}

/// Two short, one too many, one right.
fn counted() -> Arc<World> {
    let world = populated();
    for (number, quantity) in [(0, "38"), (1, "41"), (2, "40")] {
        count(&world, number, quantity);
    }
    world.shop.clock.advance_seconds(60);
    world
}

fn submitted() -> Arc<World> {
    let world = counted();
    let takes = world.shop.stocktake.stock_takes();
    done(takes.submit(&world.manager(), world.id(), PostingOptions::default())).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

/// Posting has begun, and nobody has done anything about it.
fn posting() -> Arc<World> {
    let world = counted();
    let takes = world.shop.stocktake.stock_takes();
    done(takes.post(&world.manager(), world.id(), PostingOptions::default())).unwrap();
    world
}

/// A new list with one line.
fn listed() -> Arc<World> {
    let world = World::open();
    let takes = world.shop.stocktake.stock_takes();
    let list = done(takes.create_list(&world.manager(), new_list(&world, false))).unwrap();
    done(takes.add_articles(&world.manager(), list.id(), &[code("SKU-0")])).unwrap();
    world
}

/// A posted take that left two lines behind, of which one can be posted by now.
fn left_over() -> Arc<World> {
    let world = populated();
    count(&world, 0, "10");
    count(&world, 1, "10");
    record(
        &world,
        &[
            issue(world.shop.key(0), "39"),
            issue(world.shop.key(1), "39"),
        ],
    );
    let options = PostingOptions {
        skip_unpostable: true,
        ..PostingOptions::default()
    };
    let takes = world.shop.stocktake.stock_takes();
    let take = done(takes.submit(&world.manager(), world.id(), options)).unwrap();
    assert_eq!(take.result().unwrap().unposted, 2);
    record(&world, &[world.shop.receipt(0, q("50"))]);
    world
}

fn submit(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes
            .submit(&world.keyed(key), take, PostingOptions::default())
            .await?;
        Ok(format!("posted {:?} {:?}", take.state(), take.result()))
    })
}

fn post(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let job = takes
            .post(&world.keyed(key), take, PostingOptions::default())
            .await?;
        Ok(format!("posted by {job}"))
    })
}

fn reopen(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.reopen(&world.keyed(key), take, None).await?;
        Ok(format!("reopened {:?}", take.state()))
    })
}

fn remove(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        world
            .shop
            .stocktake
            .stock_takes()
            .remove(&world.keyed(key), take)
            .await?;
        Ok("removed".to_owned())
    })
}

fn delete_item(world: &Arc<World>, number: usize, key: &'static str) -> Task {
    let (take, item) = (world.id(), world.item(number));
    caller(world, move |world| async move {
        world
            .shop
            .stocktake
            .stock_takes()
            .delete_item(&world.keyed(key), take, item)
            .await?;
        Ok("deleted".to_owned())
    })
}

fn count_item(world: &Arc<World>, number: usize, request: CountRequest, key: &'static str) -> Task {
    let (take, item) = (world.id(), world.item(number));
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let item = takes.count(&world.keyed(key), take, item, request).await?;
        Ok(format!(
            "counted {:?}",
            item.count.map(|count| count.quantity)
        ))
    })
}

fn count_lines(
    world: &Arc<World>,
    batch: &'static [(usize, &'static str)],
    key: &'static str,
) -> Task {
    let take = world.id();
    let batch = batch.iter();
    let batch: Vec<_> = batch
        .map(|(number, more)| (world.item(*number), CountRequest::add(q(more))))
        .collect();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let items = takes.count_lines(&world.keyed(key), take, &batch).await?;
        let counts = items.into_iter().map(|item| item.count);
        let counts: Vec<_> = counts.map(|count| count.map(|it| it.quantity)).collect();
        Ok(format!("counted {counts:?}"))
    })
}

fn sell(world: &Arc<World>, number: usize, quantity: &'static str, key: &'static str) -> Task {
    let movement = issue(world.shop.key(number), quantity);
    record_one(world, movement, key)
}

fn record_one(world: &Arc<World>, movement: NewMovement, key: &'static str) -> Task {
    caller(world, move |world| async move {
        let stock = world.shop.stocktake.stock();
        let events = stock
            .record(&world.keyed(key), world.shop.site.id, &[movement])
            .await?;
        let first = events.first().expect("what was recorded is told");
        Ok(format!("recorded {} {}", first.id, first.after))
    })
}

/// A worker that does what is due, after the clock went on.
fn worker(world: &Arc<World>, name: &'static str, after_seconds: i64) -> Task {
    caller(world, move |world| async move {
        tokio::task::yield_now().await;
        world.shop.clock.advance_seconds(after_seconds);
        let worker = Worker::new(&world.shop.stocktake, name);
        worker.run_all_due().await?;
        Ok("worked".to_owned())
    })
}

/// A take that was posted, once: every counted line has its variance in the ledger, and nothing else has.
fn assert_posted_once(world: &World) {
    let take = world.take();
    assert_eq!((take.state(), take.round()), (StockTakeState::Finished, 1));
    assert!(take.posted_at().is_some() && take.run().is_none());
    let variances = world.events(StockEventKind::CountVariance);
    let posted: BTreeMap<_, _> = variances
        .iter()
        .map(|event| (event.key.clone(), event.change))
        .collect();
    assert_eq!(variances.len(), posted.len(), "each line once");
    let mut adjusted = 0;
    for line in world.lines() {
        let posting = line.posting.as_ref().expect("every line is done with");
        let change = posted.get(&line.key).copied().unwrap_or_default();
        assert_eq!(posting.change, change);
        if let Some(count) = &line.count {
            let variance = count.quantity.checked_sub(posting.expected).unwrap();
            assert!(matches!(
                posting.outcome,
                LineOutcome::Adjusted | LineOutcome::Confirmed
            ));
            assert_eq!(posting.change, variance);
        }
        adjusted += u64::from(posting.outcome == LineOutcome::Adjusted);
    }
    assert_eq!(take.result().unwrap().adjusted, adjusted);
    assert_eq!(variances.len(), usize::try_from(adjusted).unwrap());
}

/// Each key once, in lines 1, 2, 3 ...
fn assert_lines_once(world: &World, lines: usize) {
    let all = world.lines();
    let keys: BTreeSet<_> = all.iter().map(|line| line.key.clone()).collect();
    let numbers: BTreeSet<_> = all.iter().map(|line| line.line).collect();
    assert_eq!(
        (all.len(), keys.len(), numbers.len()),
        (lines, lines, lines)
    );
    let take = world.take();
    assert!(take.items_added());
    assert_eq!(take.last_line(), u64::try_from(lines).unwrap());
}

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

fn assert_reopened_once(world: &World) {
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

#[test]
fn one_movement_sent_twice_moves_once() {
    Race {
        prepare: World::open,
        callers: |world| vec![sell(world, 0, "3", "one"), sell(world, 0, "3", "one")],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.on_hand(&world.shop.key(0)), q("37"));
        },
        preemptions: 4,
    }
    .run();
}

#[test]
fn one_creation_sent_twice_creates_once() {
    fn create(world: &Arc<World>) -> Task {
        caller(world, |world| async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes.create(&world.keyed("one"), new_take(&world)).await?;
            Ok(format!("created {} {:?}", take.id(), take.state()))
        })
    }
    Race {
        prepare: World::open,
        callers: |world| vec![create(world), create(world)],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.takes().len(), 1);
            assert_lines_once(world, 10);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_annual_list_sent_twice_is_created_once() {
    fn create(world: &Arc<World>) -> Task {
        caller(world, |world| async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes
                .create_list(&world.keyed("one"), new_list(&world, true))
                .await?;
            Ok(format!(
                "created {} {:?} {}",
                take.id(),
                take.state(),
                take.items_added()
            ))
        })
    }
    Race {
        prepare: World::open,
        callers: |world| vec![create(world), create(world)],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.takes().len(), 1);
            assert_lines_once(world, 10);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn one_removal_sent_twice_tells_both_the_same() {
    Race {
        prepare: counted,
        callers: |world| vec![remove(world, "one"), remove(world, "one")],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.take().state(), StockTakeState::Removed);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_deletion_of_a_line_sent_twice_tells_both_the_same() {
    Race {
        prepare: counted,
        callers: |world| vec![delete_item(world, 0, "one"), delete_item(world, 0, "one")],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.lines().len(), 9);
        },
        preemptions: usize::MAX,
    }
    .run();
}

fn add_articles(world: &Arc<World>, articles: &'static [&'static str], key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let articles: Vec<Code> = articles.iter().map(|article| code(article)).collect();
        let added = takes
            .add_articles(&world.keyed(key), take, &articles)
            .await?;
        Ok(format!("added {added}"))
    })
}

fn remove_article(world: &Arc<World>, article: &'static str, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let removed = takes
            .remove_article(&world.keyed(key), take, code(article))
            .await?;
        Ok(format!("removed {removed}"))
    })
}

fn start(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let take = world
            .shop
            .stocktake
            .stock_takes()
            .start(&world.keyed(key), take)
            .await?;
        Ok(format!("started {:?}", take.state()))
    })
}

#[test]
fn one_addition_of_articles_sent_twice_adds_once() {
    Race {
        prepare: listed,
        callers: |world| {
            let articles = &["SKU-0", "SKU-1", "SKU-2"];
            vec![
                add_articles(world, articles, "one"),
                add_articles(world, articles, "one"),
            ]
        },
        check: |world, told| {
            assert_same(told);
            assert_eq!(told[0], "added 2");
            assert_lines_once(world, 3);
        },
        preemptions: 4,
    }
    .run();
}

#[test]
fn additions_of_articles_that_overlap_add_each_once() {
    Race {
        prepare: listed,
        callers: |world| {
            vec![
                add_articles(world, &["SKU-1", "SKU-2"], "one"),
                add_articles(world, &["SKU-2", "SKU-3"], "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "error"), 0, "{told:?}");
            assert_lines_once(world, 4);
        },
        preemptions: 4,
    }
    .run();
}

#[test]
fn starting_and_adding_articles() {
    Race {
        prepare: listed,
        callers: |world| vec![start(world, "one"), add_articles(world, &["SKU-1"], "two")],
        check: |world, told| {
            assert_eq!(told[0], "started Ongoing");
            match told[1].as_str() {
                "added 1" => assert_lines_once(world, 2),
                INVALID => assert_lines_once(world, 1),
                other => panic!("{other}"),
            }
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn starting_and_removing_the_last_line() {
    Race {
        prepare: listed,
        callers: |world| vec![start(world, "one"), remove_article(world, "SKU-0", "two")],
        check: |world, told| {
            let lines = world.lines().len();
            match world.take().state() {
                StockTakeState::New => assert_eq!((lines, told[0].as_str()), (0, "error no_lines")),
                // S4.6: what is started has a line.
                state => assert_eq!((state, lines), (StockTakeState::Ongoing, 1), "{told:?}"),
            }
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_start_sent_twice_starts_once() {
    Race {
        prepare: listed,
        callers: |world| vec![start(world, "one"), start(world, "one")],
        check: |_, told| assert_same(told),
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn two_workers_add_each_line_once() {
    Race {
        prepare: created,
        callers: |world| vec![worker(world, "one", 0), worker(world, "two", 61)],
        check: |world, told| {
            assert_eq!(told, ["worked", "worked"]);
            assert_lines_once(world, 10);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn what_is_found_while_lines_are_added_is_there_once() {
    fn find(world: &Arc<World>, number: usize, key: &'static str) -> Task {
        let (take, found) = (world.id(), world.shop.key(number));
        caller(world, move |world| async move {
            let takes = world.shop.stocktake.stock_takes();
            takes.add_found(&world.keyed(key), take, &found).await?;
            Ok("found".to_owned())
        })
    }
    Race {
        prepare: created,
        callers: |world| {
            vec![
                worker(world, "one", 0),
                find(world, 3, "one"),
                find(world, 3, "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "error"), 0, "{told:?}");
            assert_lines_once(world, 10);
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn the_last_unit_is_sold_once() {
    Race {
        prepare: || {
            let world = World::open();
            record(&world, &[issue(world.shop.key(0), "39")]);
            world
        },
        callers: |world| {
            vec![
                sell(world, 0, "1", "one"),
                sell(world, 0, "1", "two"),
                sell(world, 0, "1", "three"),
            ]
        },
        check: |world, told| {
            assert_one(told, "recorded", &["error insufficient_stock"]);
            assert_eq!(world.on_hand(&world.shop.key(0)), Quantity::ZERO);
        },
        preemptions: 2,
    }
    .run();
}

#[test]
fn an_event_is_taken_back_once() {
    Race {
        prepare: || {
            let world = World::open();
            record(&world, &[issue(world.shop.key(0), "5")]);
            world
        },
        callers: |world| {
            let of = world.events(StockEventKind::Issue)[0].id;
            let reversal = || Movement::Reversal { of }.into();
            vec![
                record_one(world, reversal(), "one"),
                record_one(world, reversal(), "two"),
            ]
        },
        check: |world, told| {
            assert_one(told, "recorded", &["error already_reversed"]);
            assert_eq!(world.on_hand(&world.shop.key(0)), q("40"));
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn goods_come_back_at_most_as_often_as_they_left() {
    Race {
        prepare: || {
            let world = World::open();
            record(&world, &[issue(world.shop.key(0), "5")]);
            world
        },
        callers: |world| {
            let of = world.events(StockEventKind::Issue)[0].id;
            let key = world.shop.key(0);
            let back = || {
                Movement::CustomerReturn {
                    key: key.clone(),
                    quantity: q("3"),
                    of,
                }
                .into()
            };
            vec![
                record_one(world, back(), "one"),
                record_one(world, back(), "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "recorded"), 1, "{told:?}");
            assert_eq!(world.on_hand(&world.shop.key(0)), q("38"));
        },
        preemptions: 3,
    }
    .run();
}

/// A sale of five is taken back by one, and brought back by another, to a stock place.
fn take_back_and_return(world: &Arc<World>, to: StockKey) -> Vec<Task> {
    let of = world.events(StockEventKind::Issue)[0].id;
    let quantity = q("5");
    let back = Movement::CustomerReturn {
        key: to,
        quantity,
        of,
    };
    vec![
        record_one(world, Movement::Reversal { of }.into(), "one"),
        record_one(world, back.into(), "two"),
    ]
}

fn sold() -> Arc<World> {
    let world = World::open();
    record(&world, &[issue(world.shop.key(0), "5")]);
    world
}

#[test]
fn a_sale_is_taken_back_or_returned_but_not_both() {
    Race {
        prepare: sold,
        callers: |world| take_back_and_return(world, world.shop.key(0)),
        check: |world, told| {
            assert_eq!(how_many(told, "recorded"), 1, "{told:?}");
            assert_eq!(world.on_hand(&world.shop.key(0)), q("40"));
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn a_sale_is_taken_back_or_returned_elsewhere_but_not_both() {
    Race {
        prepare: sold,
        callers: |world| take_back_and_return(world, world.shop.key(0).at(code("B-1"))),
        check: |world, told| {
            assert_eq!(how_many(told, "recorded"), 1, "{told:?}");
            let keys = [world.shop.key(0), world.shop.key(0).at(code("B-1"))];
            assert_eq!(sum(keys.iter().map(|key| world.on_hand(key))), q("40"));
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn what_was_found_is_sold_or_taken_back() {
    // One more was found, and 41 are sold: then the finding can't be taken back.
    Race {
        prepare: submitted,
        callers: |world| vec![reopen(world, "one"), sell(world, 1, "41", "two")],
        check: |world, told| {
            let on_hand = world.on_hand(&world.shop.key(1));
            match (told[0].as_str(), told[1].as_str()) {
                ("error lines_refused", sold) if sold.starts_with("recorded") => {
                    assert_eq!(
                        (on_hand, world.take().state()),
                        (q("0"), StockTakeState::Finished)
                    );
                    assert_eq!(world.events(StockEventKind::Reversal).len(), 0);
                }
                ("reopened Ongoing", "error insufficient_stock") => {
                    assert_eq!(on_hand, q("40"));
                    assert_reopened_once(world);
                }
                // Sold after the check: that line keeps its posting.
                ("reopened Ongoing", sold) if sold.starts_with("recorded") => {
                    assert_eq!(on_hand, q("0"));
                    assert_eq!(world.events(StockEventKind::Reversal).len(), 1);
                }
                _ => panic!("{told:?}"),
            }
        },
        preemptions: 2,
    }
    .run();
}

fn dismiss(world: &Arc<World>, number: usize, key: &'static str) -> Task {
    let (take, item) = (world.id(), world.item(number));
    caller(world, move |world| async move {
        world
            .shop
            .stocktake
            .stock_takes()
            .dismiss(&world.keyed(key), take, item)
            .await?;
        Ok("dismissed".to_owned())
    })
}

fn post_left_over(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let take = world
            .shop
            .stocktake
            .stock_takes()
            .post_left_over(&world.keyed(key), take)
            .await?;
        Ok(format!(
            "posted {:?}",
            take.result().map(|result| result.unposted)
        ))
    })
}

/// The header's numbers are those of the lines.
fn assert_result_is_of_the_lines(world: &World) {
    let (take, lines) = (world.take(), world.lines());
    let result = take.result().unwrap();
    let number = |is: fn(&LineOutcome) -> bool| {
        let postings = lines.iter().filter_map(|line| line.posting.as_ref());
        u64::try_from(postings.filter(|posting| is(&posting.outcome)).count()).unwrap()
    };
    assert_eq!(
        result.unposted,
        number(|outcome| matches!(outcome, LineOutcome::Unposted { .. }))
    );
    assert_eq!(
        result.adjusted,
        number(|outcome| matches!(outcome, LineOutcome::Adjusted))
    );
    assert_eq!(
        result.confirmed,
        number(|outcome| matches!(outcome, LineOutcome::Confirmed))
    );
    assert_eq!(
        result.uncounted,
        number(|outcome| matches!(outcome, LineOutcome::Uncounted))
    );
    assert_eq!(
        result.dismissed,
        number(|outcome| matches!(outcome, LineOutcome::Dismissed))
    );
    let minor: i64 = lines.iter().map(StockTakeItem::adjustment_minor).sum();
    assert_eq!(result.adjustment_minor, i128::from(minor));
    let sum_of = |value: fn(&stocktake::domain::LinePosting) -> ValueSum| {
        let postings = lines.iter().filter_map(|line| line.posting.as_ref());
        postings.fold(ValueSum::ZERO, |sum, posting| sum.plus(value(posting)))
    };
    assert_eq!(
        result.fifo_value,
        sum_of(|posting| posting.fifo_value.into())
    );
    assert_eq!(
        result.standard_value,
        sum_of(|posting| posting.standard_value)
    );
}

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

#[test]
fn closing_a_period_holds_for_what_is_recorded_after_it() {
    fn close(world: &Arc<World>) -> Task {
        caller(world, |world| async move {
            let mut site = world.shop.site.clone();
            site.policy.closed_until = Some(world.shop.now());
            world
                .shop
                .stocktake
                .catalogue()
                .put_site(&world.keyed("close"), site)
                .await?;
            // The books are closed: what the ledger has now is all there will be before that moment.
            Ok(format!("closed {}", world.ledger().len()))
        })
    }
    Race {
        prepare: || {
            let world = World::open();
            world.shop.clock.advance_seconds(600);
            world
        },
        callers: |world| {
            let yesterday = world.shop.now().later_by(-60_000_000);
            let sale = issue(world.shop.key(0), "1").at(yesterday);
            vec![record_one(world, sale, "one"), close(world)]
        },
        check: |world, told| {
            let events = world.ledger().len();
            assert_eq!(told[1], format!("closed {events}"), "{told:?}");
        },
        preemptions: usize::MAX,
    }
    .run();
}

/// A take of two hundred lines, a thousand on hand of each.
fn wide() -> Arc<World> {
    let world = World::open();
    let receipts: Vec<NewMovement> = (0..190)
        .map(|number| {
            let key = world
                .shop
                .key(number % 10)
                .at(code(&format!("P-{:02}", number / 10)));
            Movement::Receipt {
                key,
                quantity: q("1000"),
                unit_cost: None,
            }
            .into()
        })
        .collect();
    record(&world, &receipts);
    done(
        world
            .shop
            .stocktake
            .stock_takes()
            .create(&world.manager(), new_take(&world)),
    )
    .unwrap();
    done(world.shop.run_jobs()).unwrap();
    world
}

/// Counts some lines, each with a quantity that nobody else enters; tells what was accepted.
fn counter(
    world: &Arc<World>,
    number: usize,
    counted: &Arc<AtomicU64>,
) -> Task<Vec<(StockTakeItemId, Quantity)>> {
    let (world, counted, take, lines) = (
        Arc::clone(world),
        Arc::clone(counted),
        world.id(),
        world.lines(),
    );
    Box::pin(async move {
        let (takes, caller) = (
            world.shop.stocktake.stock_takes(),
            Caller::of(&world.shop.counter),
        );
        let mut accepted = Vec::new();
        for nth in 0..40 {
            let line = &lines[(number * 7 + nth * 11) % lines.len()];
            let unique = i64::try_from(number * 1_000 + nth).unwrap();
            let quantity = Quantity::from_micros(30_000_000 + unique).unwrap();
            world.shop.clock.advance_micros(1);
            match takes
                .count(&caller, take, line.id, CountRequest::set(quantity))
                .await
            {
                Ok(item) => {
                    assert_eq!(item.count.unwrap().quantity, quantity);
                    accepted.push((line.id, quantity));
                }
                Err(error) => assert_eq!(error.code(), "invalid_state"),
            }
            counted.fetch_add(1, Ordering::SeqCst);
        }
        accepted
    })
}

#[test]
fn no_accepted_count_is_lost_while_others_post_and_sell() {
    const COUNTERS: usize = 32;
    let threads = threads();
    let (mut all, mut refused) = (0, 0);
    for round in 0..rounds() {
        let world = wide();
        if round % 2 == 0 {
            world.give_way();
        }
        let counted = Arc::new(AtomicU64::new(0));
        let mut tasks: Vec<Task<Vec<(StockTakeItemId, Quantity)>>> = (0..COUNTERS)
            .map(|number| counter(&world, number, &counted))
            .collect();
        // Somebody posts when most have been counted.
        let (poster, progress, begin) = (
            Arc::clone(&world),
            Arc::clone(&counted),
            u64::from(round % 10) * 120,
        );
        let take = world.id();
        tasks.push(Box::pin(async move {
            while progress.load(Ordering::SeqCst) < begin {
                tokio::task::yield_now().await;
            }
            let takes = poster.shop.stocktake.stock_takes();
            takes
                .submit(&poster.manager(), take, PostingOptions::default())
                .await
                .unwrap();
            Vec::new()
        }));
        let till = Arc::clone(&world);
        let keys: Vec<StockKey> = world.lines().into_iter().map(|line| line.key).collect();
        let opening: BTreeMap<StockKey, Quantity> = keys
            .iter()
            .map(|key| (key.clone(), world.on_hand(key)))
            .collect();
        tasks.push(Box::pin(async move {
            for key in keys.iter().cycle().take(400) {
                let sale = [issue(key.clone(), "1")];
                till.shop.clock.advance_micros(1);
                till.shop
                    .stocktake
                    .stock()
                    .record(&till.manager(), till.shop.site.id, &sale)
                    .await
                    .unwrap();
            }
            Vec::new()
        }));
        let accepted: Vec<_> = threads
            .block_on(together(tasks))
            .into_iter()
            .flatten()
            .collect();
        world.settle();
        all += COUNTERS * 40;
        refused += COUNTERS * 40 - accepted.len();
        assert_posted_once(&world);
        assert_all_accepted_counts_are_posted(&world, &accepted, &opening);
    }
    assert!(
        refused > 0 && refused < all,
        "{refused} of {all} were refused"
    );
}

fn assert_all_accepted_counts_are_posted(
    world: &World,
    accepted: &[(StockTakeItemId, Quantity)],
    opening: &BTreeMap<StockKey, Quantity>,
) {
    let mut of_line: BTreeMap<StockTakeItemId, BTreeSet<Quantity>> = BTreeMap::new();
    for (item, quantity) in accepted {
        of_line.entry(*item).or_default().insert(*quantity);
    }
    let (sold, posted) = (
        world.events(StockEventKind::Issue),
        world.events(StockEventKind::CountVariance),
    );
    let changes = |events: &[StockEvent], key: &StockKey| {
        sum(events
            .iter()
            .filter(|event| event.key == *key)
            .map(|event| event.change))
    };
    for line in world.lines() {
        let entries = world.entries(line.id);
        let kept: BTreeSet<_> = entries.iter().filter_map(|entry| entry.counted).collect();
        assert_eq!(kept, of_line.remove(&line.id).unwrap_or_default());
        assert_eq!(entries.len(), kept.len());
        let last = entries.last().and_then(|entry| entry.counted);
        assert_eq!(line.count.as_ref().map(|count| count.quantity), last);
        let posting = line.posting.as_ref().unwrap();
        if let Some(count) = &line.count {
            // Sales state no time: what was recorded after the count moved after it.
            assert_eq!(posting.expected, count.moment.book);
        }
        let level = opening[&line.key]
            .checked_add(changes(&sold, &line.key))
            .and_then(|level| level.checked_add(changes(&posted, &line.key)))
            .unwrap();
        assert_eq!(world.on_hand(&line.key), level);
    }
    assert_eq!(of_line.len(), 0);
}

#[test]
fn many_sell_the_last_units_and_never_more() {
    let threads = threads();
    for round in 0..rounds() {
        let world = World::open();
        if round % 2 == 0 {
            world.give_way();
        }
        let tasks: Vec<Task> = (0..60)
            .map(|_| {
                caller(&world, |world| async move {
                    let (sale, stock) = (
                        [issue(world.shop.key(0), "1")],
                        world.shop.stocktake.stock(),
                    );
                    stock
                        .record(&world.manager(), world.shop.site.id, &sale)
                        .await?;
                    Ok("sold".to_owned())
                })
            })
            .collect();
        let told = threads.block_on(together(tasks));
        world.settle();
        assert_eq!(how_many(&told, "sold"), 40, "{told:?}");
        assert_eq!(how_many(&told, "error insufficient_stock"), 20, "{told:?}");
        assert_eq!(world.on_hand(&world.shop.key(0)), Quantity::ZERO);
        assert!(
            world
                .ledger()
                .iter()
                .all(|entry| !entry.event.after.is_negative())
        );
    }
}

#[test]
fn the_feed_is_read_without_a_gap_or_a_repetition_while_it_is_written() {
    const WRITERS: usize = 8;
    const SALES: usize = 25;
    let threads = threads();
    for round in 0..rounds() {
        let world = World::open();
        if round % 2 == 0 {
            world.give_way();
        }
        let (ended, writing) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(WRITERS as u64)),
        );
        let mut tasks: Vec<Task<Vec<LedgerEntry>>> = Vec::new();
        for writer in 0..WRITERS {
            let (world, ended, writing) =
                (Arc::clone(&world), Arc::clone(&ended), Arc::clone(&writing));
            tasks.push(Box::pin(async move {
                for sale in 0..SALES {
                    // Two keys in one batch, every other one dated back.
                    let late = world
                        .shop
                        .now()
                        .later_by(-1_000_000 * i64::try_from(sale).unwrap());
                    let mut moved = [
                        Movement::Adjust {
                            key: world.shop.key(writer),
                            change: q("1"),
                            unit_cost: None,
                        }
                        .into(),
                        Movement::Adjust {
                            key: world.shop.key(9),
                            change: q("1"),
                            unit_cost: None,
                        }
                        .into(),
                    ];
                    if sale % 2 == 0 {
                        moved = moved.map(|moved: NewMovement| moved.at(late));
                    }
                    world
                        .shop
                        .stocktake
                        .stock()
                        .record(&world.manager(), world.shop.site.id, &moved)
                        .await
                        .unwrap();
                }
                if writing.fetch_sub(1, Ordering::SeqCst) == 1 {
                    ended.store(true, Ordering::SeqCst);
                }
                Vec::new()
            }));
        }
        for reader in 0..3_u32 {
            let (world, ended) = (Arc::clone(&world), Arc::clone(&ended));
            tasks.push(Box::pin(async move {
                let mut read: Vec<LedgerEntry> = Vec::new();
                loop {
                    let is_over = ended.load(Ordering::SeqCst);
                    let after = read.last().map_or(0, |entry| entry.position);
                    let stock = world.shop.stocktake.stock();
                    let (manager, limit) = (world.manager(), 1 + reader * 10);
                    let page = stock.ledger(&manager, world.shop.site.id, after, limit);
                    let page = page.await.unwrap();
                    if page.is_empty() && is_over {
                        return read;
                    }
                    read.extend(page);
                    tokio::task::yield_now().await;
                }
            }));
        }
        let read = threads.block_on(together(tasks));
        world.settle();
        let ledger = world.ledger();
        assert_eq!(ledger.len(), 10 + WRITERS * SALES * 2);
        assert!(
            ledger
                .iter()
                .zip(1..)
                .all(|(entry, position)| entry.position == position)
        );
        for read in &read[WRITERS..] {
            assert!(*read == ledger, "a reader missed or repeated something");
        }
    }
}

#[test]
fn goods_that_move_both_ways_at_once_are_all_there() {
    let threads = threads();
    for round in 0..rounds() {
        let world = World::open();
        let (here, there) = (world.shop.key(0), world.shop.key(0).at(code("B-1")));
        let receipt = |quantity: &str, unit_cost: &str, key: &StockKey| {
            let unit_cost = Some(unit_cost.parse().unwrap());
            NewMovement::from(Movement::Receipt {
                key: key.clone(),
                quantity: q(quantity),
                unit_cost,
            })
        };
        record(
            &world,
            &[
                receipt("60", "3.333333", &here),
                receipt("77", "0.1", &there),
            ],
        );
        let value = || {
            let keys = [here.clone(), there.clone()];
            let levels = done(world.inner().levels(world.shop.site.organisation, &keys)).unwrap();
            levels.into_iter().flatten().fold(
                (Quantity::ZERO, Value::ZERO),
                |(quantity, value), level| {
                    let quantity = quantity.checked_add(level.value.quantity()).unwrap();
                    (
                        quantity,
                        value.checked_add(level.value.valuation().value()).unwrap(),
                    )
                },
            )
        };
        let before = value();
        if round % 2 == 0 {
            world.give_way();
        }
        let tasks: Vec<Task> = (0..16_u32)
            .map(|number| {
                let (from, to) = if number % 2 == 0 {
                    (&here, &there)
                } else {
                    (&there, &here)
                };
                let (from, to) = (from.clone(), to.clone());
                caller(&world, move |world| async move {
                    for nth in 0..5 {
                        let quantity =
                            Quantity::from_micros(i64::from(number + 1) * 700_001 + nth).unwrap();
                        let transfer = Movement::Transfer {
                            from: from.clone(),
                            to: to.clone(),
                            quantity,
                        };
                        let stock = world.shop.stocktake.stock();
                        stock
                            .record(&world.manager(), world.shop.site.id, &[transfer.into()])
                            .await?;
                    }
                    Ok("moved".to_owned())
                })
            })
            .collect();
        let told = threads.block_on(together(tasks));
        assert!(
            told.iter()
                .all(|told| told == "moved" || told == "error insufficient_stock"),
            "{told:?}"
        );
        world.settle();
        assert_eq!(value(), before);
    }
}

#[test]
fn lists_can_be_walked_while_lines_come_and_go() {
    let threads = threads();
    for _ in 0..rounds() {
        let world = wide();
        world.give_way();
        let lines = world.lines();
        let stay: BTreeSet<StockTakeItemId> = lines.iter().step_by(2).map(|line| line.id).collect();
        let go: Vec<StockTakeItemId> = lines
            .iter()
            .skip(1)
            .step_by(2)
            .map(|line| line.id)
            .collect();
        let take = world.id();
        let deleting = caller(&world, move |world| async move {
            for item in go {
                world
                    .shop
                    .stocktake
                    .stock_takes()
                    .delete_item(&world.manager(), take, item)
                    .await?;
            }
            Ok("deleted".to_owned())
        });
        let walking = caller(&world, move |world| async move {
            let (takes, manager) = (world.shop.stocktake.stock_takes(), world.manager());
            let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
            let mut page = PageRequest::first(7);
            let mut seen = Vec::new();
            loop {
                let lines = takes.items(&manager, take, &filter, sort, &page).await?;
                seen.extend(lines.items.iter().map(|line| line.item.value.id));
                match lines.next {
                    Some(next) => page = PageRequest::after(next, 7),
                    None => break,
                }
            }
            let once: BTreeSet<StockTakeItemId> = seen.iter().copied().collect();
            assert_eq!(once.len(), seen.len());
            assert!(stay.is_subset(&once));
            Ok("walked".to_owned())
        });
        let told = threads.block_on(together(vec![deleting, walking]));
        assert_eq!(told, ["deleted", "walked"]);
        world.settle();
        assert_eq!(world.lines().len(), 100);
        let filter = LevelFilter::default();
        let page = PageRequest::first(MAX_PAGE);
        let (organisation, site) = (world.shop.site.organisation, world.shop.site.id);
        assert_eq!(
            done(
                world
                    .inner()
                    .levels_page(organisation, site, &filter, &page)
            )
            .unwrap()
            .items
            .len(),
            200
        );
    }
}

/// The key of the one serial number of a shop, at a place of a site.
fn serial_key(world: &World, site: SiteId, place: &str) -> StockKey {
    StockKey::plain(site, world.shop.products[9].id)
        .at(code(place))
        .with_serial(code("X"))
}

/// A second site, and a product that is told apart by serial numbers.
fn with_serials() -> Arc<World> {
    let world = World::open();
    let catalogue = world.shop.stocktake.catalogue();
    let mut product = world.shop.products[9].clone();
    product.tracking = Tracking::Serial;
    done(catalogue.put_products(&world.manager(), vec![product])).unwrap();
    let site = Site {
        id: other_site(),
        external_id: code("store-2"),
        ..world.shop.site.clone()
    };
    let there = Caller::of(&world.shop.elsewhere);
    done(catalogue.put_site(&there, site)).unwrap();
    world
}

/// The site that `elsewhere` sees.
fn other_site() -> SiteId {
    SiteId::new(uuid::Uuid::from_u128((2 << 96) | 2))
}

/// Receives the serial number at a place of a site, by somebody who sees that site.
fn receive_serial(world: &Arc<World>, site: SiteId, place: &'static str) -> Task {
    caller(world, move |world| async move {
        let actor = if site == other_site() {
            &world.shop.elsewhere
        } else {
            &world.shop.manager
        };
        let receipt = Movement::Receipt {
            key: serial_key(&world, site, place),
            quantity: q("1"),
            unit_cost: None,
        };
        let stock = world.shop.stocktake.stock();
        stock
            .record(&Caller::of(actor), site, &[receipt.into()])
            .await?;
        Ok(format!("received at {place}"))
    })
}

/// Where the serial number is: at one key, whatever happened.
fn assert_at_one_key(world: &World) {
    let here = world.shop.site.id;
    let keys = [(here, "A"), (here, "B"), (other_site(), "A")];
    let keys = keys.map(|(site, place)| serial_key(world, site, place));
    assert_eq!(sum(keys.iter().map(|key| world.on_hand(key))), q("1"));
    let there = Caller::of(&world.shop.elsewhere);
    let stock = world.shop.stocktake.stock();
    let verified = done(stock.verify(&there, other_site())).unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

#[test]
fn one_serial_number_comes_to_one_of_two_places() {
    Race {
        prepare: with_serials,
        callers: |world| {
            let here = world.shop.site.id;
            vec![
                receive_serial(world, here, "A"),
                receive_serial(world, here, "B"),
            ]
        },
        check: |world, told| {
            assert_one(told, "received", &["error serial_elsewhere"]);
            assert_at_one_key(world);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn one_serial_number_comes_to_one_of_two_sites() {
    Race {
        prepare: with_serials,
        callers: |world| {
            vec![
                receive_serial(world, world.shop.site.id, "A"),
                receive_serial(world, other_site(), "A"),
            ]
        },
        check: |world, told| {
            assert_one(told, "received", &["error serial_elsewhere"]);
            assert_at_one_key(world);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn a_serial_number_that_moves_is_never_at_two_keys() {
    Race {
        prepare: || {
            let world = with_serials();
            let key = serial_key(&world, world.shop.site.id, "A");
            let receipt = Movement::Receipt {
                key,
                quantity: q("1"),
                unit_cost: None,
            };
            record(&world, &[receipt.into()]);
            world
        },
        callers: |world| {
            let here = world.shop.site.id;
            let [from, to] = ["A", "B"].map(|place| serial_key(world, here, place));
            let transfer = Movement::Transfer {
                from: from.clone(),
                to,
                quantity: q("1"),
            };
            vec![
                record_one(world, transfer.into(), "transfer"),
                record_one(world, issue(from, "1"), "issue"),
                receive_serial(world, other_site(), "A"),
            ]
        },
        check: |world, told| {
            // Moved, or sold from where it was; sold, it may have come back at the other site.
            let gone = how_many(&told[1..2], "recorded") == 1;
            assert_eq!(how_many(&told[..1], "recorded"), usize::from(!gone));
            let back = how_many(&told[2..], "received") == 1;
            assert!(gone || !back, "{told:?}");
            if !gone || back {
                assert_at_one_key(world);
            }
        },
        preemptions: 2,
    }
    .run();
}

/// A take that makes the level match the count, and a unit that comes in meanwhile.
#[test]
fn a_serial_number_that_comes_while_a_take_misses_it_leaves_no_trace() {
    Race {
        prepare: || {
            let world = with_serials();
            let key = serial_key(&world, world.shop.site.id, "A");
            let receipt = Movement::Receipt {
                key: key.clone(),
                quantity: q("1"),
                unit_cost: None,
            };
            record(&world, &[receipt.into(), issue(key.clone(), "1")]);
            let takes = world.shop.stocktake.stock_takes();
            let new = NewStockTake {
                movement_policy: MovementPolicy::MatchCount,
                ..new_take(&world)
            };
            done(takes.create(&world.manager(), new)).unwrap();
            done(world.shop.run_jobs()).unwrap();
            let item = StockTakeItemId::for_key(world.id(), &key);
            let nothing = CountRequest::set(Quantity::ZERO);
            done(takes.count(&world.manager(), world.id(), item, nothing)).unwrap();
            world
        },
        callers: |world| {
            let here = world.shop.site.id;
            vec![submit(world, "submit"), receive_serial(world, here, "A")]
        },
        // That the marks agree with the levels is looked at after each race.
        check: |world, told| {
            assert_eq!(how_many(&told[1..], "received"), 1);
            let key = serial_key(world, world.shop.site.id, "A");
            assert!(world.on_hand(&key) <= q("1"));
        },
        preemptions: 3,
    }
    .run();
}
