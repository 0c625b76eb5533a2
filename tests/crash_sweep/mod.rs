//! A crash at every storage call of every command: run, fail, heal, ask again with the same key, and end
//! where the undisturbed run ended, once.
//!
//! The sweep runs a command once and counts its calls of the store. Then, for each call and each way to fail
//! there, it runs the command on a fresh shop, asks again once the store is well, lets the clock go past
//! every lease and wait, lets a worker do what is due, and compares everything that is kept.
//!
//! On a store where that takes long, a plain `cargo test` tries one crash in so many of each command; with
//! `STOCKTAKE_TEST_EVERY_CRASH=1` it tries them all.

use std::fmt::Debug;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use stocktake::domain::{
    Cause, Code, Count, CountEntry, JobId, LinePosting, MovementPolicy, PostingOptions, Quantity,
    StockEvent, StockKey, StockLevel, StockTakeDetails, StockTakeId, StockTakeItem,
    StockTakeItemId, StockTakeState, Supplier, Timestamp,
};
use stocktake::jobs::Worker;
use stocktake::service::{
    Caller, CountRequest, Error, IdSource, Movement, NewMovement, NewStockTake, NewStockTakeList,
    Stocktake,
};
use stocktake::store::{
    ArticleSort, ChangeSet, Command, CommandId, Digest, IdempotencyKey, JobQueue, JobState,
    LevelFilter, MAX_PAGE, Outcome, PageRequest, Repository, StockTakeFilter, StockTakeItemFilter,
    StockTakeTotals,
};
use stocktake::testing::{Fault, FaultStore, ManualClock, Shop};
use tempfile::TempDir;
use uuid::Uuid;

use crate::stores::Fresh as _;
use crate::{EVERY, Store};

/// More than any command needs that gets somewhere: it waits for somebody else.
const MANY_WAITS: usize = 100_000;
/// Every way to fail at a call. What hangs is dropped, and a dropped command makes no more calls. Nothing ever ends
/// on a store whose reads are stale for good.
const FAULTS: [(Fault, bool); 15] = [
    (Fault::Before, false),
    (Fault::Before, true),
    (Fault::After, false),
    (Fault::After, true),
    (Fault::Unknown, false),
    (Fault::Unknown, true),
    (Fault::Late, false),
    (Fault::Late, true),
    (Fault::Stale, false),
    (Fault::Busy, false),
    (Fault::Busy, true),
    (Fault::Conflict, false),
    (Fault::Conflict, true),
    (Fault::HangBefore, false),
    (Fault::HangAfter, false),
];

/// The methods that write; no answer of theirs is stale.
const WRITES: [&str; 8] = [
    "commit", "settle", "lease", "extend", "ack", "fail", "requeue", "enqueue",
];

/// Whether a fault at one call of a method does something of its own. Where nothing is unknown, losing the request
/// is being unreachable.
fn matters(fault: Fault, method: &str) -> bool {
    match fault {
        Fault::Conflict | Fault::Unknown | Fault::Late => method == "commit",
        Fault::Stale => !WRITES.contains(&method),
        Fault::Before
        | Fault::After
        | Fault::Busy
        | Fault::HangBefore
        | Fault::HangAfter
        | Fault::Yield => true,
    }
}

/// Enough for a long command: the store is gone, before or after, somebody else is always faster, or the
/// process dies.
const LONG_FAULTS: [(Fault, bool); 5] = [
    (Fault::Before, true),
    (Fault::After, true),
    (Fault::Late, true),
    (Fault::Conflict, true),
    (Fault::HangAfter, false),
];

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Whom a future wakes: the thread that polls it.
struct Poller {
    thread: Thread,
    /// It woke itself: it let others go first, and nobody else is there.
    gave_way: AtomicBool,
    /// Another thread woke it: the store has answered.
    answered: AtomicBool,
}

impl Wake for Poller {
    fn wake(self: Arc<Self>) {
        if thread::current().id() == self.thread.id() {
            self.gave_way.store(true, Ordering::SeqCst);
        } else {
            self.answered.store(true, Ordering::SeqCst);
            self.thread.unpark();
        }
    }
}

/// Polls a future until it has given way so often; `None` when it was dropped before its end, or `hangs`.
fn within<T>(waits: usize, hangs: impl Fn() -> bool, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let poller = Arc::new(Poller {
        thread: thread::current(),
        gave_way: AtomicBool::new(false),
        answered: AtomicBool::new(false),
    });
    let waker = Waker::from(poller.clone());
    let mut left = waits;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if poller.gave_way.swap(false, Ordering::SeqCst) {
            left = left.checked_sub(1).filter(|left| *left > 0)?;
            continue;
        }
        if hangs() {
            return None;
        }
        while !poller.answered.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// What nothing disturbs ends.
fn done<T>(future: impl Future<Output = T>) -> T {
    within(MANY_WAITS, || false, future).expect("the command ends")
}

/// Ids that count on from a number: the same in every run.
#[derive(Debug)]
struct Ids(AtomicU64);

/// The first id.
const FIRST_ID: u64 = 1 << 32;

impl IdSource for Ids {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

/// A shop on a store that fails when it is told to.
struct World {
    store: FaultStore<Store>,
    ids: Arc<Ids>,
    shop: Shop,
    /// What the store is in.
    _folder: Option<TempDir>,
}

impl World {
    fn new() -> Self {
        let (store, folder) = Store::fresh();
        let store = FaultStore::new(store);
        let (clock, ids) = (
            Arc::new(ManualClock::default()),
            Arc::new(Ids(FIRST_ID.into())),
        );
        let stores = Arc::new(store.clone());
        let stocktake = Stocktake::with(stores.clone(), stores, clock.clone(), ids.clone());
        let shop = Shop::with(stocktake, clock);
        Self {
            store,
            ids,
            shop,
            _folder: folder,
        }
    }

    /// With the catalogue and forty of each product.
    fn open() -> Self {
        let world = Self::new();
        done(world.shop.open()).unwrap();
        world
    }

    /// Everything that a well store holds, to be put into a fresh one: cheaper than doing it all again.
    fn copy(&self) -> ChangeSet {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let command = Command {
            id: CommandId::new("copy", site),
            digest: Digest::of("copy").finish(),
            outcome: Outcome::Done,
            at: self.shop.now(),
        };
        let mut changes = ChangeSet::new(organisation, command);
        changes.insert(self.shop.site.clone());
        changes.insert(self.shop.supplier.clone());
        for product in &self.shop.products {
            changes.insert(Arc::new(product.clone()));
        }
        for level in self.levels() {
            changes.insert(level);
        }
        for event in self.ledger() {
            changes.event(event);
        }
        for take in self.takes() {
            for line in self.lines(take.id()) {
                for entry in self.entries(&line) {
                    changes.entry(entry);
                }
                changes.insert(line);
            }
            changes.insert(take);
        }
        changes
    }

    /// A world with everything that another one holds, at the same time.
    fn pasted(changes: &ChangeSet, now: Timestamp) -> Self {
        let world = Self::new();
        done(world.inner().commit(changes)).unwrap();
        world.shop.clock.set(now);
        // Ids that the other world has given.
        world.ids.0.fetch_add(1 << 16, Ordering::SeqCst);
        world
    }

    fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    /// The manager with the key of the command that is tested.
    fn keyed(&self) -> Caller {
        self.manager().with_key(key("the-command"))
    }

    fn inner(&self) -> &Store {
        self.store.inner()
    }

    fn takes(&self) -> Vec<stocktake::domain::StockTake> {
        let states = StockTakeState::ALL.iter().copied().collect();
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let (filter, page) = (StockTakeFilter { states }, PageRequest::first(MAX_PAGE));
        let takes = done(self.inner().stock_takes(organisation, site, &filter, &page)).unwrap();
        takes.items.into_iter().map(|take| take.value).collect()
    }

    /// The first take.
    fn take(&self) -> StockTakeId {
        self.takes()[0].id()
    }

    fn item(&self, number: usize) -> StockTakeItemId {
        StockTakeItemId::for_key(self.take(), &self.shop.key(number))
    }

    fn lines(&self, take: StockTakeId) -> Vec<StockTakeItem> {
        let filter = StockTakeItemFilter::default();
        let page = PageRequest::first(MAX_PAGE);
        let (organisation, sort) = (self.shop.site.organisation, ArticleSort::default());
        let lines = self
            .inner()
            .stock_take_items(organisation, take, &filter, sort, &page);
        let lines = done(lines).unwrap().items;
        lines
            .into_iter()
            .map(|line| Arc::unwrap_or_clone(line.item.value))
            .collect()
    }

    fn levels(&self) -> Vec<StockLevel> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let filter = LevelFilter {
            with_delisted: true,
            ..LevelFilter::default()
        };
        let page = PageRequest::first(MAX_PAGE);
        let levels = done(self.inner().levels_page(organisation, site, &filter, &page)).unwrap();
        levels.items.into_iter().map(|level| level.value).collect()
    }

    fn ledger(&self) -> Vec<StockEvent> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let entries = done(self.inner().ledger(organisation, site, 0, u32::MAX)).unwrap();
        entries.into_iter().map(|entry| entry.event).collect()
    }

    fn entries(&self, item: &StockTakeItem) -> Vec<CountEntry> {
        let organisation = self.shop.site.organisation;
        done(self.inner().count_entries(organisation, item.take, item.id)).unwrap()
    }

    /// Every job there is: their ids are among those that were made.
    fn jobs(&self) -> Vec<JobState> {
        let organisation = self.shop.site.organisation;
        let ids = FIRST_ID..self.ids.0.load(Ordering::SeqCst);
        ids.filter_map(|id| {
            let id = JobId::new(Uuid::from_u128(id.into()));
            done(self.inner().job(organisation, id)).unwrap()
        })
        .map(|job| job.state)
        .collect()
    }

    /// Lets every lease and every wait pass, and does what is due, until nothing is.
    fn drain(&self) {
        let mut idle = 0;
        for _ in 0..50 {
            self.shop.clock.advance_seconds(2 * 60 * 60);
            let ran = done(Worker::new(&self.shop.stocktake, "later").run_all_due()).unwrap();
            idle = if ran == 0 { idle + 1 } else { 0 };
            if idle == 2 {
                return;
            }
        }
        panic!("jobs go on for ever");
    }
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

/// A line, without its ids.
#[derive(Debug, PartialEq)]
struct LineState {
    line: u64,
    key: StockKey,
    count: Option<Count>,
    posting: Option<LinePosting>,
    entries: Vec<String>,
}

/// Everything that is kept, without the ids that come from the id source and without the times of recording.
#[derive(Debug, PartialEq)]
struct State {
    levels: Vec<String>,
    headers: Vec<String>,
    lines: Vec<LineState>,
    events: Vec<String>,
    totals: Vec<StockTakeTotals>,
    catalogue: Vec<String>,
    jobs: usize,
}

fn cause(cause: &Cause) -> String {
    match cause {
        Cause::StockTake { round, .. } => format!("take, round {round}"),
        other => format!("{other:?}"),
    }
}

fn level_state(level: &StockLevel) -> String {
    let valuation = level.valuation();
    let layers: Vec<String> = valuation
        .layers()
        .iter()
        .map(|layer| {
            let left = &layer.left;
            format!(
                "{} of {} at {} = {:?} since {} by {}",
                left.quantity,
                layer.received,
                left.unit_cost,
                left.value,
                left.received_at,
                cause(&left.cause)
            )
        })
        .collect();
    let known = level
        .known()
        .map(|known| (known.at, known.sequence, known.timed, cause(&known.cause)));
    format!(
        "{}: {} ({} reserved, stocked {}), #{}, {:?}/{:?}, last cost {:?}, known {known:?}, {layers:?}",
        level.key(),
        level.quantity(),
        level.reserved(),
        level.is_stocked(),
        level.sequence(),
        valuation.value(),
        valuation.fifo_value(),
        valuation.last_cost(),
    )
}

fn event_state(event: &StockEvent) -> String {
    let link = |link: stocktake::domain::EventLink| (link.sequence, link.occurred_at, link.timed);
    format!(
        "{} #{}: {:?} {} {} -> {} ({:?}) at {} (timed {}) by {}, {:?} {:?}, reverses {:?}, absorbs {:?}",
        event.key,
        event.sequence,
        event.kind,
        event.change,
        event.before,
        event.after,
        event.value_change,
        event.occurred_at,
        event.timed,
        cause(&event.cause),
        event.reason,
        event.reference,
        event.reverses.map(link),
        event.absorbs.map(link),
    )
}

fn entry_state(entry: &CountEntry) -> String {
    format!(
        "{:?} = {:?} against {} at {} by {} with {:?}",
        entry.entered, entry.counted, entry.book, entry.at, entry.by, entry.device
    )
}

impl State {
    fn of(world: &World) -> Self {
        let takes = world.takes();
        let headers = takes.iter().map(|take| {
            format!(
                "{:?} {:?} epoch {} round {} lines {} populating {} running {} result {:?} refusal {:?} by {:?}",
                take.details(),
                take.state(),
                take.epoch(),
                take.round(),
                take.last_line(),
                take.population().is_some(),
                take.run().is_some(),
                take.result(),
                take.refusal().map(|refusal| (refusal.total, &refusal.lines)),
                take.posted_by()
            )
        });
        let lines = takes
            .iter()
            .flat_map(|take| world.lines(take.id()))
            .map(|item| LineState {
                entries: world.entries(&item).iter().map(entry_state).collect(),
                line: item.line,
                key: item.key,
                count: item.count,
                posting: item.posting,
            });
        let all = StockTakeItemFilter::default();
        let organisation = world.shop.site.organisation;
        let totals = takes.iter().map(|take| {
            done(
                world
                    .inner()
                    .stock_take_totals(organisation, take.id(), &all),
            )
            .unwrap()
        });
        let ids: Vec<_> = world
            .shop
            .products
            .iter()
            .map(|product| product.id)
            .collect();
        let products = done(world.inner().products(organisation, &ids)).unwrap();
        let site = done(world.inner().site(organisation, world.shop.site.id)).unwrap();
        let mut events: Vec<StockEvent> = world.ledger();
        events.sort_by(|a, b| (&a.key, a.sequence).cmp(&(&b.key, b.sequence)));
        let jobs = world.jobs();
        for job in &jobs {
            assert_eq!(*job, JobState::Succeeded, "of {jobs:?}");
        }
        Self {
            levels: world.levels().iter().map(level_state).collect(),
            headers: headers.collect(),
            lines: lines.collect(),
            events: events.iter().map(event_state).collect(),
            totals: totals.collect(),
            catalogue: products
                .into_iter()
                .map(|read| format!("{:?}", read.map(|read| read.value)))
                .chain([format!("{:?}", site.map(|read| read.value))])
                .collect(),
            jobs: jobs.len(),
        }
    }

    /// The first difference.
    fn difference(&self, other: &Self) -> Option<String> {
        fn of<T: Debug + PartialEq>(what: &str, a: &[T], b: &[T]) -> Option<String> {
            if a.len() != b.len() {
                return Some(format!("{} {what} instead of {}", b.len(), a.len()));
            }
            let at = a.iter().zip(b).find(|(a, b)| a != b);
            at.map(|(a, b)| format!("{what}: {b:?} instead of {a:?}"))
        }
        of("takes", &self.headers, &other.headers)
            .or_else(|| of("lines", &self.lines, &other.lines))
            .or_else(|| of("levels", &self.levels, &other.levels))
            .or_else(|| of("events", &self.events, &other.events))
            .or_else(|| of("totals", &self.totals, &other.totals))
            .or_else(|| of("catalogue", &self.catalogue, &other.catalogue))
            .or_else(|| of("jobs", &[self.jobs], &[other.jobs]))
    }
}

/// Which crashes are tried: all, or a share of them where each takes long.
#[derive(Default)]
struct Share(u64);

impl Share {
    fn is_due(&mut self) -> bool {
        let every = std::env::var("STOCKTAKE_TEST_EVERY_CRASH");
        let every = every.map_or(EVERY, |text| text.parse().unwrap());
        self.0 += 1;
        (self.0 - 1).is_multiple_of(every)
    }
}

/// A command with its key; what it tells, without ids.
type Commanded = fn(&World) -> Work<'_, Result<String, Error>>;

/// A command that is to survive a crash at every storage call.
struct Sweep {
    name: &'static str,
    /// A fresh shop, up to the command.
    prepare: Box<dyn Fn() -> World>,
    command: Commanded,
    /// After so many waits the command is dropped: it meets nothing but conflicts.
    patience: usize,
    /// Whether every fault is tried, or only those that differ for a long command.
    faults: &'static [(Fault, bool)],
    /// Whether it decides by something that it does not expect to stay so: what it leaves out is decided as of the
    /// moment that it was read. Then a stale read may change what comes out, and breaks nothing all the same.
    decides_once: bool,
}

impl Sweep {
    fn of(name: &'static str, prepare: impl Fn() -> World + 'static, command: Commanded) -> Self {
        Self {
            name,
            prepare: Box::new(prepare),
            command,
            patience: 250,
            faults: &FAULTS,
            decides_once: false,
        }
    }

    /// The same for a command that leaves something out by what it reads.
    fn deciding_once(mut self) -> Self {
        self.decides_once = true;
        self
    }

    /// The same for a command that takes long: fewer faults, and given up soon when it meets but conflicts.
    fn long(mut self) -> Self {
        self.patience = 4;
        self.faults = &LONG_FAULTS;
        self
    }

    /// Runs the command undisturbed: what it told, where it ended, and the calls that it made.
    fn clean(&self) -> (String, State, Vec<&'static str>) {
        let world = (self.prepare)();
        world.store.heal();
        let told = told(done((self.command)(&world)));
        let log = world.store.log();
        world.drain();
        assert_sound(&world);
        (told, State::of(&world), log)
    }

    /// Runs the command into faults, asks again, and tells what is not as in the undisturbed run.
    fn disturbed(
        &self,
        faults: &[(u64, Fault, bool)],
        clean: &(String, State, Vec<&str>),
    ) -> Option<String> {
        let world = (self.prepare)();
        world.store.heal();
        for (call, fault, on) in faults {
            if *on {
                world.store.fail_from(*call, *fault);
            } else {
                world.store.fail_at(*call, *fault);
            }
        }
        let hangs = || world.store.is_hanging();
        let first = within(self.patience, hangs, (self.command)(&world)).map(told);
        world.store.heal();
        let again = told(done((self.command)(&world)));
        world.drain();
        assert_sound(&world);
        if self.decides_once && faults.iter().any(|(_, fault, _)| *fault == Fault::Stale) {
            return None;
        }
        let (expected, state, _) = clean;
        if again != *expected {
            return Some(format!(
                "asked again (first: {first:?}) it told {again:?}, not {expected:?}"
            ));
        }
        state.difference(&State::of(&world))
    }

    /// Runs the command into each fault at each of its calls.
    fn run(&self) {
        let clean = self.clean();
        let mut failures = Vec::new();
        let mut share = Share::default();
        for (call, method) in (1..).zip(&clean.2) {
            for (fault, on) in self.faults {
                if (!on && !matters(*fault, method)) || !share.is_due() {
                    continue;
                }
                if let Some(failure) = self.disturbed(&[(call, *fault, *on)], &clean) {
                    let on = if *on { " and on" } else { "" };
                    failures.push(format!(
                        "{fault:?} at call {call}{on} ({method}): {failure}"
                    ));
                }
            }
        }
        self.report(&failures);
    }

    /// Runs the command into each fault at each of its calls, and never asks again: its job does it, or it was
    /// never begun.
    fn run_abandoned(&self) {
        let (_, state, log) = self.clean();
        let untouched = (self.prepare)();
        untouched.drain();
        let untouched = State::of(&untouched);
        let (mut failures, mut done_by_job) = (Vec::new(), 0);
        let mut share = Share::default();
        for (call, method) in (1..).zip(&log) {
            for (fault, on) in self.faults {
                if *fault == Fault::Stale || (!on && !matters(*fault, method)) || !share.is_due() {
                    continue;
                }
                let world = (self.prepare)();
                world.store.heal();
                if *on {
                    world.store.fail_from(call, *fault);
                } else {
                    world.store.fail_at(call, *fault);
                }
                let hangs = || world.store.is_hanging();
                drop(within(self.patience, hangs, (self.command)(&world)));
                world.store.heal();
                world.drain();
                assert_sound(&world);
                let end = State::of(&world);
                match (state.difference(&end), untouched.difference(&end)) {
                    (None, _) => done_by_job += 1,
                    (Some(_), None) => {}
                    (Some(failure), Some(_)) => {
                        failures.push(format!("{fault:?} at call {call} ({method}): {failure}"));
                    }
                }
            }
        }
        self.report(&failures);
        assert!(done_by_job > 0, "{}", self.name);
    }

    /// Runs the command into pairs of faults: at each call, and at each of the calls soon after it.
    fn run_pairs(&self) {
        let clean = self.clean();
        let calls = u64::try_from(clean.2.len()).unwrap();
        let mut failures = Vec::new();
        let once = [Fault::Before, Fault::After, Fault::Late, Fault::HangAfter];
        let mut share = Share::default();
        for first in 1..=calls {
            for second in first + 1..=first + 6 {
                for one in once {
                    for two in once {
                        if !share.is_due() {
                            continue;
                        }
                        let faults = [(first, one, false), (second, two, false)];
                        if let Some(failure) = self.disturbed(&faults, &clean) {
                            failures.push(format!("{faults:?}: {failure}"));
                        }
                    }
                }
            }
        }
        self.report(&failures);
    }

    fn report(&self, failures: &[String]) {
        let first = &failures[..failures.len().min(6)];
        assert!(
            failures.is_empty(),
            "{}: {} failures:\n{}",
            self.name,
            failures.len(),
            first.join("\n")
        );
    }
}

fn told(result: Result<String, Error>) -> String {
    match result {
        Ok(told) => told,
        Err(error) => format!("error {}", error.code()),
    }
}

fn assert_sound(world: &World) {
    let verified = done(
        world
            .shop
            .stocktake
            .stock()
            .verify(&world.manager(), world.shop.site.id),
    );
    let verified = verified.unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

fn text(something: &impl Debug) -> String {
    format!("{something:?}")
}

/// What a take tells of itself, without ids and times.
fn told_of(take: &stocktake::domain::StockTake) -> String {
    let details = take.details();
    format!(
        "{} {:?} {:?}",
        details.description,
        take.state(),
        take.result()
    )
}

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

fn issue(key: StockKey, quantity: &str) -> NewMovement {
    Movement::Issue {
        key,
        quantity: q(quantity),
    }
    .into()
}

/// A take with ten lines, nothing counted.
fn populated() -> World {
    let world = World::open();
    done(
        world
            .shop
            .stocktake
            .stock_takes()
            .create(&world.manager(), new_take(&world)),
    )
    .unwrap();
    done(world.shop.run_jobs()).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

fn count(world: &World, number: usize, quantity: &str) {
    let takes = world.shop.stocktake.stock_takes();
    let request = CountRequest::set(q(quantity));
    let (take, item) = (world.take(), world.item(number));
    done(takes.count(&world.manager(), take, item, request)).unwrap();
    world.shop.clock.advance_seconds(1);
}

/// A take that was counted while stock moved: less, more, right, zero, moved after, recorded late, superseded.
fn counted() -> World {
    let world = populated();
    for (number, quantity) in [
        (0, "38"),
        (1, "43.5"),
        (2, "40"),
        (3, "0"),
        (4, "39"),
        (5, "40"),
    ] {
        count(&world, number, quantity);
    }
    world.shop.clock.advance_seconds(10);
    let late = world.shop.now().later_by(-60_000_000);
    let reset = Movement::Reset {
        key: world.shop.key(5),
        quantity: q("7"),
        unit_cost: None,
        expected: None,
    };
    let moved = [
        issue(world.shop.key(0), "5"),
        issue(world.shop.key(4), "1").at(late),
        reset.into(),
    ];
    record(&world, &moved);
    world.shop.clock.advance_seconds(60);
    world
}

fn submitted() -> World {
    let world = counted();
    let takes = world.shop.stocktake.stock_takes();
    done(takes.submit(&world.manager(), world.take(), PostingOptions::default())).unwrap();
    // Sold since, and recorded late: absorbed by what the posting knew.
    let late = world.shop.now().later_by(-600_000_000);
    let moved = [
        issue(world.shop.key(0), "1"),
        issue(world.shop.key(1), "2").at(late),
    ];
    record(&world, &moved);
    world.shop.clock.advance_seconds(60);
    world
}

/// A take that was posted and left a line behind: it would have fallen below zero.
fn left_over() -> World {
    let world = populated();
    count(&world, 0, "10");
    count(&world, 1, "41");
    record(&world, &[issue(world.shop.key(0), "39")]);
    let options = PostingOptions {
        skip_unpostable: true,
        ..PostingOptions::default()
    };
    let takes = world.shop.stocktake.stock_takes();
    let take = done(takes.submit(&world.manager(), world.take(), options)).unwrap();
    assert_eq!(take.result().unwrap().unposted, 1);
    world
}

/// The same, and now there is enough.
fn left_over_with_stock() -> World {
    let world = left_over();
    record(&world, &[world.shop.receipt(0, q("50"))]);
    world
}

fn listed() -> World {
    let world = World::open();
    let takes = world.shop.stocktake.stock_takes();
    let list = done(takes.create_list(&world.manager(), new_list(&world, false))).unwrap();
    let articles = ["SKU-1", "SKU-2", "SKU-3"].map(code);
    done(takes.add_articles(&world.manager(), list.id(), &articles)).unwrap();
    let places: Vec<NewMovement> = ["A-1", "A-2"]
        .map(|place| Movement::Receipt {
            key: world.shop.key(1).at(code(place)),
            quantity: q("3"),
            unit_cost: None,
        })
        .map(NewMovement::from)
        .into();
    record(&world, &places);
    world
}

fn submit(world: &World, options: PostingOptions) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.submit(&world.keyed(), world.take(), options).await?;
        Ok(told_of(&take))
    })
}

fn post_and_work(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        takes
            .post(&world.keyed(), world.take(), PostingOptions::default())
            .await?;
        world.shop.run_jobs().await?;
        Ok("posted".to_owned())
    })
}

fn reopen(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.reopen(&world.keyed(), world.take(), None).await?;
        Ok(told_of(&take))
    })
}

fn create_and_work(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.create(&world.keyed(), new_take(world)).await?;
        world.shop.run_jobs().await?;
        Ok(told_of(&take))
    })
}

fn create_annual(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes
            .create_list(&world.keyed(), new_list(world, true))
            .await?;
        Ok(format!("{} {}", told_of(&take), take.items_added()))
    })
}

fn post_left_over(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.post_left_over(&world.keyed(), world.take()).await?;
        Ok(told_of(&take))
    })
}

fn add_all_articles(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.add_all_articles(&world.keyed(), world.take()).await?;
        Ok(format!("{} {}", told_of(&take), take.last_line()))
    })
}

#[test]
fn create_survives_a_crash_at_every_call() {
    Sweep::of("create", World::open, create_and_work).run();
    Sweep::of("create a list", World::open, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes
                .create_list(&world.keyed(), new_list(world, false))
                .await?;
            Ok(told_of(&take))
        })
    })
    .run();
    Sweep::of("create the annual list", World::open, create_annual).run();
    Sweep::of("copy", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let copy = takes.copy(&world.keyed(), world.take()).await?;
            Ok(format!("{} {}", told_of(&copy), copy.items_added()))
        })
    })
    .deciding_once()
    .run();
}

#[test]
fn count_survives_a_crash_at_every_call() {
    Sweep::of("count", populated, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let request = CountRequest::set(q("38.25"));
            let item = takes
                .count(&world.keyed(), world.take(), world.item(3), request)
                .await?;
            Ok(text(&item.count))
        })
    })
    .run();
    Sweep::of("count lines", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let batch = [
                (world.item(8), CountRequest::set(q("38.25"))),
                (world.item(0), CountRequest::add(q("2"))),
                (world.item(1), CountRequest::clear()),
                (world.item(8), CountRequest::add(q("1"))),
            ];
            let items = takes
                .count_lines(&world.keyed(), world.take(), &batch)
                .await?;
            let counts: Vec<_> = items.iter().map(|item| &item.count).collect();
            Ok(text(&counts))
        })
    })
    .run();
    Sweep::of("count more", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let request = CountRequest::add(q("2"));
            let item = takes
                .count(&world.keyed(), world.take(), world.item(0), request)
                .await?;
            Ok(text(&item.count))
        })
    })
    .run();
    Sweep::of("un-count", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let request = CountRequest::clear();
            let item = takes
                .count(&world.keyed(), world.take(), world.item(0), request)
                .await?;
            Ok(text(&item.count))
        })
    })
    .run();
}

#[test]
fn submit_survives_a_crash_at_every_call() {
    Sweep::of("submit", counted, |world| {
        submit(world, PostingOptions::default())
    })
    .deciding_once()
    .run();
    Sweep::of("submit, uncounted as zero", counted, |world| {
        let options = PostingOptions {
            zero_uncounted: true,
            ..PostingOptions::default()
        };
        submit(world, options)
    })
    .deciding_once()
    .run();
    Sweep::of("submit nothing", populated, |world| {
        submit(world, PostingOptions::default())
    })
    .deciding_once()
    .run();
}

#[test]
fn submit_survives_two_crashes() {
    let few = || {
        let world = populated();
        count(&world, 0, "38");
        count(&world, 1, "41");
        world
    };
    Sweep::of("submit", few, |world| {
        submit(world, PostingOptions::default())
    })
    .run_pairs();
}

#[test]
fn post_survives_a_crash_at_every_call() {
    Sweep::of("post", counted, post_and_work)
        .deciding_once()
        .run();
    Sweep::of(
        "post while lines are added",
        counted_before_items_are_added,
        post_and_work,
    )
    .run();
}

/// Posting has been asked for before all lines are there.
fn counted_before_items_are_added() -> World {
    let world = World::open();
    let takes = world.shop.stocktake.stock_takes();
    let take = done(takes.create(&world.manager(), new_take(&world)))
        .unwrap()
        .id();
    done(takes.add_found(&world.manager(), take, &world.shop.key(3))).unwrap();
    count(&world, 3, "39");
    world
}

#[test]
fn reopen_survives_a_crash_at_every_call() {
    Sweep::of("reopen", submitted, reopen).run();
}

#[test]
fn posting_left_over_lines_survives_a_crash_at_every_call() {
    Sweep::of("post left over", left_over_with_stock, post_left_over)
        .deciding_once()
        .run();
    Sweep::of("dismiss", left_over, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            takes
                .dismiss(&world.keyed(), world.take(), world.item(0))
                .await?;
            Ok("dismissed".to_owned())
        })
    })
    .run();
}

#[test]
fn record_survives_a_crash_at_every_call() {
    Sweep::of(
        "record",
        || {
            let world = World::open();
            let issued = record(
                &world,
                &[issue(world.shop.key(7), "4"), issue(world.shop.key(8), "2")],
            );
            assert_eq!(issued.len(), 2);
            world
        },
        |world| {
            Box::pin(async move {
                let shop = &world.shop;
                let ledger = world.ledger();
                let issued = |number: usize| {
                    let key = shop.key(number);
                    let event = ledger
                        .iter()
                        .find(|event| event.key == key && event.change < Quantity::ZERO);
                    event.unwrap().id
                };
                let movements: Vec<NewMovement> = vec![
                    shop.receipt(0, q("5")),
                    issue(shop.key(1), "3").with_reference(code("till-1")),
                    Movement::Transfer {
                        from: shop.key(2),
                        to: shop.key(2).at(code("A-1")),
                        quantity: q("7"),
                    }
                    .into(),
                    Movement::CustomerReturn {
                        key: shop.key(7),
                        quantity: q("1"),
                        of: issued(7),
                    }
                    .into(),
                    Movement::Reversal { of: issued(8) }.into(),
                    Movement::Reset {
                        key: shop.key(3),
                        quantity: q("12"),
                        unit_cost: None,
                        expected: Some(q("40")),
                    }
                    .into(),
                    Movement::Adjust {
                        key: shop.key(4),
                        change: q("-2.5"),
                        unit_cost: None,
                    }
                    .into(),
                    Movement::Remove { key: shop.key(5) }.into(),
                    issue(shop.key(0), "45"),
                ];
                let events = shop
                    .stocktake
                    .stock()
                    .record(&world.keyed(), shop.site.id, &movements)
                    .await?;
                Ok(events
                    .iter()
                    .map(event_state)
                    .collect::<Vec<_>>()
                    .join("\n"))
            })
        },
    )
    .run();
    Sweep::of("reserve", World::open, |world| {
        Box::pin(async move {
            let stock = world.shop.stocktake.stock();
            stock
                .set_reserved(&world.keyed(), &world.shop.key(0), q("3"))
                .await?;
            Ok("reserved".to_owned())
        })
    })
    .run();
}

#[test]
fn remove_survives_a_crash_at_every_call() {
    for (name, prepare) in [
        ("new", listed as fn() -> World),
        ("ongoing", counted),
        ("finished", submitted),
    ] {
        Sweep::of(name, prepare, |world| {
            Box::pin(async move {
                let takes = world.shop.stocktake.stock_takes();
                takes.remove(&world.keyed(), world.take()).await?;
                Ok("removed".to_owned())
            })
        })
        .run();
    }
}

#[test]
fn putting_a_list_together_survives_a_crash_at_every_call() {
    Sweep::of("add articles", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let articles = ["SKU-1", "SKU-3", "SKU-5", "SKU-6"].map(code);
            let added = takes
                .add_articles(&world.keyed(), world.take(), &articles)
                .await?;
            Ok(text(&added))
        })
    })
    .run();
    Sweep::of("add a stock place", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes
                .add_stock_place(&world.keyed(), world.take(), code("A-1"))
                .await?;
            Ok(format!("{} {}", told_of(&take), take.last_line()))
        })
    })
    .run();
    Sweep::of("add all articles", listed, add_all_articles).run();
    Sweep::of("remove an article", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let removed = takes
                .remove_article(&world.keyed(), world.take(), code("SKU-2"))
                .await?;
            Ok(text(&removed))
        })
    })
    .run();
    Sweep::of("start", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            Ok(told_of(&takes.start(&world.keyed(), world.take()).await?))
        })
    })
    .run();
}

#[test]
fn changing_a_take_survives_a_crash_at_every_call() {
    Sweep::of("add found", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let found = world.shop.key(0).at(code("B-9"));
            takes
                .add_found(&world.keyed(), world.take(), &found)
                .await?;
            Ok("found".to_owned())
        })
    })
    .run();
    Sweep::of("delete a line", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            takes
                .delete_item(&world.keyed(), world.take(), world.item(2))
                .await?;
            Ok("deleted".to_owned())
        })
    })
    .run();
    Sweep::of("update", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let details = StockTakeDetails {
                name: None,
                description: "Yearly".parse().unwrap(),
                due_at: Some(Timestamp::EPOCH),
                annual: true,
                movement_policy: MovementPolicy::RefuseMoved,
            };
            Ok(told_of(
                &takes.update(&world.keyed(), world.take(), details).await?,
            ))
        })
    })
    .run();
}

#[test]
fn the_catalogue_survives_a_crash_at_every_call() {
    Sweep::of("put products", World::open, |world| {
        Box::pin(async move {
            let mut products = world.shop.products.clone();
            for product in &mut products {
                product.name = "Renamed".parse().unwrap();
            }
            world
                .shop
                .stocktake
                .catalogue()
                .put_products(&world.keyed(), products)
                .await?;
            Ok("put".to_owned())
        })
    })
    .run();
    Sweep::of("put a site", World::open, |world| {
        Box::pin(async move {
            let mut site = world.shop.site.clone();
            site.name = "Low Street".parse().unwrap();
            world
                .shop
                .stocktake
                .catalogue()
                .put_site(&world.keyed(), site)
                .await?;
            Ok("put".to_owned())
        })
    })
    .run();
    Sweep::of("put a supplier", World::open, |world| {
        Box::pin(async move {
            let supplier = Supplier {
                name: "Somebody else".parse().unwrap(),
                ..world.shop.supplier.clone()
            };
            world
                .shop
                .stocktake
                .catalogue()
                .put_supplier(&world.keyed(), supplier)
                .await?;
            Ok("put".to_owned())
        })
    })
    .run();
}

/// More lines than two chunks take, and more than one takes.
const THREE_CHUNKS: u32 = 2_010;
const TWO_CHUNKS: u32 = 1_005;

/// A shop with so many keys: each product at many stock places.
fn large(keys: u32) -> World {
    let world = World::new();
    done(world.shop.open_empty()).unwrap();
    let receipts: Vec<NewMovement> = (0..keys)
        .map(|number| {
            let product = usize::try_from(number % 10).unwrap();
            let place = code(&format!("P-{:04}", number / 10));
            Movement::Receipt {
                key: world.shop.key(product).at(place),
                quantity: q("40"),
                unit_cost: world.shop.products[product].unit_cost,
            }
            .into()
        })
        .collect();
    record(&world, &receipts);
    world
}

/// The same with a take, of which a line in fifty is counted, some of them right.
fn large_counted(keys: u32) -> World {
    let world = large(keys);
    let takes = world.shop.stocktake.stock_takes();
    done(takes.create(&world.manager(), new_take(&world))).unwrap();
    done(world.shop.run_jobs()).unwrap();
    let lines = world.lines(world.take());
    for (line, more) in lines.iter().step_by(50).zip((0..5).cycle()) {
        let request = CountRequest::set(Quantity::from(38 + more));
        done(takes.count(&world.manager(), line.take, line.id, request)).unwrap();
    }
    world.shop.clock.advance_seconds(60);
    world
}

fn large_submitted(keys: u32) -> World {
    let world = large_counted(keys);
    let takes = world.shop.stocktake.stock_takes();
    let options = PostingOptions::default();
    done(takes.submit(&world.manager(), world.take(), options)).unwrap();
    world
}

/// Prepares a world once and copies it for each run.
fn copied(world: &World) -> impl Fn() -> World + use<> {
    let (changes, now) = (world.copy(), world.shop.now());
    move || World::pasted(&changes, now)
}

#[test]
fn submitting_in_chunks_survives_a_crash_at_every_call() {
    let prepare = copied(&large_counted(THREE_CHUNKS));
    let command: Commanded = |world| submit(world, PostingOptions::default());
    Sweep::of("submit in chunks", prepare, command).long().run();
}

#[test]
fn posting_in_chunks_survives_a_crash_at_every_call() {
    let prepare = copied(&large_counted(TWO_CHUNKS));
    Sweep::of("post in chunks", prepare, post_and_work)
        .long()
        .run();
}

#[test]
fn populating_in_chunks_survives_a_crash_at_every_call() {
    let prepare = copied(&large(TWO_CHUNKS));
    Sweep::of("populate in chunks", prepare, create_and_work)
        .long()
        .run();
}

#[test]
fn reopening_in_chunks_survives_a_crash_at_every_call() {
    let prepare = copied(&large_submitted(TWO_CHUNKS));
    Sweep::of("reopen in chunks", prepare, reopen).long().run();
}

#[test]
fn what_nobody_asks_for_again_is_done_by_its_job_or_was_never_begun() {
    let submit: Commanded = |world| submit(world, PostingOptions::default());
    Sweep::of("submit", counted, submit).run_abandoned();
    Sweep::of("post", counted, post_and_work).run_abandoned();
    Sweep::of("reopen", submitted, reopen).run_abandoned();
    Sweep::of("post left over", left_over_with_stock, post_left_over).run_abandoned();
    Sweep::of("create the annual list", World::open, create_annual).run_abandoned();
    Sweep::of("add all articles", listed, add_all_articles).run_abandoned();
}
