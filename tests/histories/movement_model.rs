//! Stock that moves while it is counted (S6.2), through the service,
//! over random histories of one key: overlapping takes that are posted in any order, absolute values, and
//! movements that are recorded in time, late, or after everything.
//!
//! Two things are true at the end of each history, when every movement has been recorded:
//!
//! - where something is known (by a posted count that was not superseded, or by an absolute value, that was not
//!   taken back) the level is the truth;
//! - where nothing is, or no longer, the level is what the movements alone make of the first book.
//!
//! `STOCKTAKE_TEST_HISTORIES` tells how many histories there are, `STOCKTAKE_SEED` plays one of them again. A
//! history that fails is told in its shortest form that still fails.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stocktake::domain::{
    LineOutcome, MovementPolicy, PostingOptions, Quantity, StockEventId, StockKey, StockTakeId,
    StockTakeItemId, StockTakeState,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewMovement, NewStockTake, NewStockTakeList,
};
use stocktake::testing::{Shop, shop};

/// How many histories a plain `cargo test` plays of each kind.
const HISTORIES: u64 = 2_000;
/// Verifying replays the ledger, which costs: one history in so many does it.
const VERIFIED: u64 = 50;

#[test]
fn the_level_ends_at_the_truth() {
    play_all(Kind::Counting);
}

#[test]
fn what_is_taken_back_is_known_no_longer() {
    play_all(Kind::TakingBack);
}

/// What histories are made of.
#[derive(Clone, Copy)]
enum Kind {
    /// Counts are posted, and stay so.
    Counting,
    /// Posted takes are reopened, and posted again or not; lines are counted again; absolute values are taken
    /// back, and so are movements that never happened.
    TakingBack,
}

/// One act.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Stock moves by so many (out at most what is there).
    Move { change: i64, told: Told, how: u64 },
    /// So many thousandths of the movements that wait to be recorded are recorded, in any order.
    Record { share: u64, order: u64 },
    /// A take of the key is made and counted.
    Count { how: u64 },
    /// A line that is not posted is counted again.
    CountAgain { which: u64 },
    /// A take that is not posted is posted.
    Post { which: u64 },
    /// A posted take is reopened.
    Reopen { which: u64 },
    /// An absolute value is recorded.
    Reset,
    /// An absolute value is taken back.
    TakeBackReset { which: u64 },
    /// A movement is recorded that never happened; with a time, so many seconds ago.
    Mistake {
        change: i64,
        ago: Option<i64>,
        how: u64,
    },
    /// A movement that never happened is taken back.
    Correct { which: u64 },
}

/// When a movement is recorded.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// At once, without a time.
    AtOnce,
    /// At once, stating the time.
    AtOnceWithTime,
    /// Later, stating the time.
    Late,
}

/// A random history.
#[derive(Clone)]
struct History {
    /// What is there at the beginning.
    truth: i64,
    /// What the book says then.
    book: i64,
    steps: Vec<Step>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} are there, the book says {}", self.truth, self.book)?;
        for (at, step) in (1..).zip(&self.steps) {
            writeln!(f, "{at:>4}: {step:?}")?;
        }
        Ok(())
    }
}

impl History {
    fn of(kind: Kind, seed: u64) -> Self {
        let mut random = Random::of(seed);
        let truth = 5 + random.below(26);
        let book = truth + random.below(9) - 4;
        let counts = 1 + random.below(4);
        let mut steps = Vec::new();
        for _ in 0..random.below(9) {
            let change = random.below(6) - 2;
            let told = match random.below(10) {
                0..4 => Told::Late,
                4..7 => Told::AtOnce,
                _ => Told::AtOnceWithTime,
            };
            let how = random.next();
            steps.push(Step::Move { change, told, how });
        }
        for _ in 0..counts {
            steps.push(Step::Count { how: random.next() });
            steps.push(Step::Post {
                which: random.next(),
            });
        }
        for _ in 0..random.below(4) {
            let (share, order) = (random.below(1_001).unsigned_abs(), random.next());
            steps.push(Step::Record { share, order });
        }
        match kind {
            Kind::Counting => {
                if random.below(2) == 1 {
                    steps.push(Step::Reset);
                }
            }
            Kind::TakingBack => {
                for _ in 0..random.below(3) {
                    steps.push(Step::Reset);
                }
                for _ in 0..random.below(counts + 2) {
                    let which = random.next();
                    steps.push(Step::Reopen { which });
                }
                for _ in 0..random.below(3) {
                    let which = random.next();
                    steps.push(Step::Post { which });
                }
                for _ in 0..random.below(2) {
                    let which = random.next();
                    steps.push(Step::CountAgain { which });
                }
                for _ in 0..random.below(3) {
                    let which = random.next();
                    steps.push(Step::TakeBackReset { which });
                }
                for _ in 0..random.below(3) {
                    let change = random.below(3) + 1;
                    let ago = (random.below(3) < 2).then(|| random.below(9));
                    let how = random.next();
                    steps.push(Step::Mistake { change, ago, how });
                    let which = random.next();
                    steps.push(Step::Correct { which });
                }
            }
        }
        random.shuffle(&mut steps);
        Self { truth, book, steps }
    }

    /// Plays it on a store of its own.
    fn play(&self, verify: bool) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let mut play = Play::begin(self).await?;
            for step in &self.steps {
                play.step(*step).await?;
            }
            play.end(verify).await
        })
    }

    /// The shortest history that still fails: steps are left out as long as that is so.
    fn shortest_failing(&self, verify: bool) -> Self {
        let mut shortest = self.clone();
        let mut index = 0;
        while index < shortest.steps.len() {
            let mut shorter = shortest.clone();
            shorter.steps.remove(index);
            if shorter.play(verify).is_err() {
                shortest = shorter;
                index = 0;
            } else {
                index += 1;
            }
        }
        shortest
    }
}

/// A take, as the test knows it.
struct Counted {
    take: StockTakeId,
    item: StockTakeItemId,
    at: i64,
    posted: bool,
}

/// A moment at which the truth was known, and by what.
#[derive(Clone, Copy)]
struct Known {
    at: i64,
    by: Knower,
}

#[derive(Clone, Copy, PartialEq)]
enum Knower {
    Take(StockTakeId),
    Reset(StockEventId),
}

/// A history under way: the service, and what should be true of it.
struct Play {
    shop: Shop,
    manager: Caller,
    key: StockKey,
    /// Seconds since the beginning; each step is a second later.
    at: i64,
    truth: i64,
    /// What the movements alone make of the first book.
    moved: i64,
    /// What waits to be recorded.
    late: Vec<(i64, i64)>,
    takes: Vec<Counted>,
    resets: Vec<StockEventId>,
    /// Recorded, but never happened.
    mistakes: Vec<StockEventId>,
    known: Vec<Known>,
}

impl Play {
    async fn begin(history: &History) -> Result<Self, String> {
        let mut shop = shop();
        shop.site.policy.allow_negative = true;
        shop.site.policy.allow_zero_cost = true;
        let manager = Caller::of(&shop.manager);
        let catalogue = shop.stocktake.catalogue();
        let product = shop.products[0].clone();
        catalogue
            .put_site(&manager, shop.site.clone())
            .await
            .map_err(told)?;
        catalogue
            .put_products(&manager, vec![product])
            .await
            .map_err(told)?;
        let play = Self {
            key: shop.key(0),
            manager,
            at: 0,
            truth: history.truth,
            moved: history.book,
            late: Vec::new(),
            takes: Vec::new(),
            resets: Vec::new(),
            mistakes: Vec::new(),
            known: Vec::new(),
            shop,
        };
        let first = play.shop.receipt(0, quantity(history.book));
        play.record(&[first]).await?;
        Ok(play)
    }

    async fn record(&self, movements: &[NewMovement]) -> Result<Vec<StockEventId>, String> {
        if movements.is_empty() {
            return Ok(Vec::new());
        }
        let stock = self.shop.stocktake.stock();
        let events = stock
            .record(&self.manager, self.shop.site.id, movements)
            .await;
        Ok(events
            .map_err(told)?
            .into_iter()
            .map(|event| event.id)
            .collect())
    }

    /// The movement that changes the stock by so many, in one of its forms.
    fn movement(&self, change: i64, how: u64) -> NewMovement {
        let key = self.key.clone();
        let unit_cost = how
            .is_multiple_of(2)
            .then(|| self.shop.products[0].standard_cost(self.shop.site.currency))
            .flatten();
        let amount = quantity(change.abs());
        let movement = match (how % 3, change > 0) {
            (0, _) => Movement::Adjust {
                key,
                change: quantity(change),
                unit_cost,
            },
            (_, true) => Movement::Receipt {
                key,
                quantity: amount,
                unit_cost,
            },
            (_, false) => Movement::Issue {
                key,
                quantity: amount,
            },
        };
        movement.into()
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        self.at += 1;
        self.shop.clock.advance_seconds(1);
        match step {
            Step::Move { change, told, how } => {
                let change = change.max(-self.truth);
                if change == 0 {
                    return Ok(());
                }
                self.truth += change;
                self.moved += change;
                let movement = self.movement(change, how);
                match told {
                    Told::AtOnce => self.record(&[movement]).await.map(drop),
                    Told::AtOnceWithTime => {
                        self.record(&[movement.at(self.shop.now())]).await.map(drop)
                    }
                    Told::Late => {
                        self.late.push((self.at, change));
                        Ok(())
                    }
                }
            }
            Step::Record { share, order } => self.record_late(share, order).await,
            Step::Count { how } => self.count(how).await,
            Step::CountAgain { which } => {
                let truth = quantity(self.truth);
                let at = self.at;
                let open = self.takes.iter_mut().filter(|take| !take.posted);
                let Some(take) = pick(open, which) else {
                    return Ok(());
                };
                take.at = at;
                let (take, item) = (take.take, take.item);
                let takes = self.shop.stocktake.stock_takes();
                let counted = takes.count(&self.manager, take, item, CountRequest::set(truth));
                counted.await.map(drop).map_err(told)
            }
            Step::Post { which } => self.post(which).await,
            Step::Reopen { which } => {
                let posted = self.takes.iter_mut().filter(|take| take.posted);
                let Some(take) = pick(posted, which) else {
                    return Ok(());
                };
                take.posted = false;
                let take = take.take;
                self.known.retain(|known| known.by != Knower::Take(take));
                let takes = self.shop.stocktake.stock_takes();
                let reopened = takes.reopen(&self.manager, take, None).await;
                reopened.map(drop).map_err(told)
            }
            Step::Reset => {
                let reset = Movement::Reset {
                    key: self.key.clone(),
                    quantity: quantity(self.truth),
                    unit_cost: None,
                    expected: None,
                };
                let events = self.record(&[reset.into()]).await?;
                let event = events[0];
                self.resets.push(event);
                self.known.push(Known {
                    at: self.at,
                    by: Knower::Reset(event),
                });
                Ok(())
            }
            Step::TakeBackReset { which } => {
                let Some(event) = pick(self.resets.iter(), which).copied() else {
                    return Ok(());
                };
                self.resets.retain(|reset| *reset != event);
                self.known.retain(|known| known.by != Knower::Reset(event));
                self.take_back(event).await
            }
            Step::Mistake { change, ago, how } => {
                let mut movement = self.movement(change, how);
                if let Some(ago) = ago {
                    let seconds = ago.min(self.at - 1);
                    movement = movement.at(self.shop.now().later_by(-seconds * 1_000_000));
                }
                let events = self.record(&[movement]).await?;
                self.mistakes.push(events[0]);
                Ok(())
            }
            Step::Correct { which } => {
                let Some(event) = pick(self.mistakes.iter(), which).copied() else {
                    return Ok(());
                };
                self.mistakes.retain(|mistake| *mistake != event);
                self.take_back(event).await
            }
        }
    }

    async fn take_back(&self, of: StockEventId) -> Result<(), String> {
        let reversal = Movement::Reversal { of };
        self.record(&[reversal.into()]).await.map(drop)
    }

    async fn record_late(&mut self, share: u64, order: u64) -> Result<(), String> {
        Random::of(order).shuffle(&mut self.late);
        let many = usize::try_from(share).unwrap_or(usize::MAX) * (self.late.len() + 1) / 1_001;
        let rest = self.late.split_off(many.min(self.late.len()));
        let now = self.at;
        let movements: Vec<NewMovement> = std::mem::replace(&mut self.late, rest)
            .into_iter()
            .map(|(at, change)| {
                let then = self.shop.now().later_by((at - now) * 1_000_000);
                self.movement(change, order.wrapping_add(at.unsigned_abs()))
                    .at(then)
            })
            .collect();
        if order.is_multiple_of(2) {
            return self.record(&movements).await.map(drop);
        }
        for movement in movements {
            self.record(&[movement]).await?;
        }
        Ok(())
    }

    /// A take of the key, by one of the two ways that there are to one.
    async fn count(&mut self, how: u64) -> Result<(), String> {
        let takes = self.shop.stocktake.stock_takes();
        let site = self.shop.site.id;
        let movement_policy = MovementPolicy::KeepMovements;
        let take = if how.is_multiple_of(2) {
            let description = "Count".parse().map_err(|_| "no description")?;
            let new = NewStockTake {
                site,
                description,
                movement_policy,
            };
            let take = takes.create(&self.manager, new).await.map_err(told)?;
            self.shop.run_jobs().await.map_err(told)?;
            take.id()
        } else {
            let new = NewStockTakeList {
                site,
                name: "Count".parse().map_err(|_| "no name")?,
                description: None,
                due_at: None,
                annual: false,
                movement_policy,
            };
            let take = takes
                .create_list(&self.manager, new)
                .await
                .map_err(told)?
                .id();
            let article = self.shop.products[0].article_id.clone();
            takes
                .add_articles(&self.manager, take, &[article])
                .await
                .map_err(told)?;
            takes.start(&self.manager, take).await.map_err(told)?;
            take
        };
        let item = StockTakeItemId::for_key(take, &self.key);
        let request = CountRequest::set(quantity(self.truth));
        takes
            .count(&self.manager, take, item, request)
            .await
            .map_err(told)?;
        self.takes.push(Counted {
            take,
            item,
            at: self.at,
            posted: false,
        });
        Ok(())
    }

    async fn post(&mut self, which: u64) -> Result<(), String> {
        let open = self.takes.iter_mut().filter(|take| !take.posted);
        let Some(counted) = pick(open, which) else {
            return Ok(());
        };
        counted.posted = true;
        let (take, item, at) = (counted.take, counted.item, counted.at);
        let superseded = self.known.iter().any(|known| known.at > at);
        if !superseded {
            let by = Knower::Take(take);
            self.known.push(Known { at, by });
        }
        let takes = self.shop.stocktake.stock_takes();
        let options = PostingOptions::default();
        if which % 4 < 3 {
            takes
                .submit(&self.manager, take, options)
                .await
                .map_err(told)?;
        } else {
            takes
                .post(&self.manager, take, options)
                .await
                .map_err(told)?;
            self.shop.run_jobs().await.map_err(told)?;
        }
        let state = takes.get(&self.manager, take).await.map_err(told)?;
        if state.take.state() != StockTakeState::Finished {
            return Err(format!(
                "posted at {}, and it is {:?}",
                self.at,
                state.take.state()
            ));
        }
        let line = takes.item(&self.manager, take, item).await.map_err(told)?;
        let outcome = line
            .item
            .value
            .posting
            .as_ref()
            .map(|posting| &posting.outcome);
        let said = matches!(outcome, Some(LineOutcome::Superseded { .. }));
        if said == superseded {
            Ok(())
        } else {
            Err(format!(
                "counted at {at}, posted at {}: superseded {superseded}, not {outcome:?}",
                self.at
            ))
        }
    }

    /// Records what is left, and looks.
    async fn end(&mut self, verify: bool) -> Result<(), String> {
        self.at += 1;
        self.shop.clock.advance_seconds(1);
        self.record_late(1_000, 1).await?;
        if !self.late.is_empty() {
            return Err("not everything is recorded".into());
        }
        for mistake in std::mem::take(&mut self.mistakes) {
            self.take_back(mistake).await?;
        }
        let level = self.shop.on_hand(&self.key).await.map_err(told)?;
        let (expected, why) = if self.known.is_empty() {
            (self.moved, "nothing is known: first book and movements")
        } else {
            (self.truth, "the truth is known")
        };
        if level != quantity(expected) {
            let events = self
                .shop
                .stocktake
                .stock()
                .key_events(&self.manager, &self.key, 0)
                .await;
            let events = events.map_err(told)?;
            let lines = events.iter().map(|event| {
                let (kind, change) = (event.kind.as_str(), event.change);
                let (sequence, occurred_at, timed) =
                    (event.sequence, event.occurred_at, event.timed);
                format!("{sequence:>4}: {kind} {change} of {occurred_at} (timed: {timed})")
            });
            let history = lines.collect::<Vec<_>>().join("\n");
            let text = format!("the level is {level}, not {expected} ({why})\n{history}");
            return Err(text);
        }
        if verify {
            let stock = self.shop.stocktake.stock();
            let verified = stock.verify(&self.manager, self.shop.site.id).await;
            let verified = verified.map_err(told)?;
            if !verified.is_sound() {
                return Err(format!(
                    "the ledger is not sound: {:?}",
                    verified.differences
                ));
            }
        }
        Ok(())
    }
}

/// Plays as many histories as are asked for, on all cores.
fn play_all(kind: Kind) {
    let (first, end) = match number_from("STOCKTAKE_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (
            0,
            number_from("STOCKTAKE_TEST_HISTORIES").unwrap_or(HISTORIES),
        ),
    };
    let next = AtomicU64::new(first);
    let stop = AtomicBool::new(false);
    let failed = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let played = History::of(kind, seed).play(seed.is_multiple_of(VERIFIED));
                    if played.is_err() {
                        stop.store(true, Ordering::Relaxed);
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some(seed) = failed.into_iter().min() {
        let verify = seed.is_multiple_of(VERIFIED);
        let history = History::of(kind, seed).shortest_failing(verify);
        let problem = history.play(verify).err().unwrap_or_default();
        panic!("STOCKTAKE_SEED={seed} fails. The shortest form of it:\n{history}{problem}");
    }
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap())
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn told(error: Error) -> String {
    format!("{}: {error}", error.code())
}

fn quantity(whole: i64) -> Quantity {
    Quantity::try_from(whole).unwrap()
}

/// One of them, if there is any.
fn pick<T>(of: impl Iterator<Item = T>, which: u64) -> Option<T> {
    let mut all: Vec<T> = of.collect();
    if all.is_empty() {
        return None;
    }
    let index = usize::try_from(which >> 8).unwrap() % all.len();
    Some(all.swap_remove(index))
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Zero or more, less than the bound.
    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % bound.unsigned_abs()).unwrap()
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let bound = i64::try_from(last).unwrap() + 1;
            all.swap(last, usize::try_from(self.below(bound)).unwrap());
        }
    }
}
