//! Histories in which what was posted is taken back, or not.

use std::fmt;

use stocktake::domain::{
    LineOutcome, MovementPolicy, PostingOptions, StockEventId, StockKey, StockTakeId,
    StockTakeItemId, StockTakeState,
};
use stocktake::service::{
    Caller, CountRequest, Movement, NewMovement, NewStockTake, NewStockTakeList,
};
use stocktake::testing::Shop;

use super::{History, Random, key_history, movement, opened, pick, quantity, share_of, told};

/// What histories are made of.
#[derive(Clone, Copy)]
pub(super) enum Kind {
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
pub(super) struct Reopened {
    /// What is there at the beginning.
    truth: i64,
    /// What the book says then.
    book: i64,
    steps: Vec<Step>,
}

impl fmt::Display for Reopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} are there, the book says {}", self.truth, self.book)?;
        for (at, step) in (1..).zip(&self.steps) {
            writeln!(f, "{at:>4}: {step:?}")?;
        }
        Ok(())
    }
}

impl Reopened {
    pub(super) fn of(kind: Kind, seed: u64) -> Self {
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
}

impl History for Reopened {
    fn len(&self) -> usize {
        self.steps.len()
    }

    fn without(&self, index: usize) -> Self {
        let mut shorter = self.clone();
        shorter.steps.remove(index);
        shorter
    }

    /// Plays it on a store of its own.
    fn play(&self, verify: bool) -> Result<(), String> {
        super::run(async {
            let mut play = Play::begin(self).await?;
            for step in &self.steps {
                play.step(*step).await?;
            }
            play.end(verify).await
        })
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
    async fn begin(history: &Reopened) -> Result<Self, String> {
        let (shop, manager) = opened(history.book).await?;
        Ok(Self {
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
        })
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
                let movement = movement(&self.shop, change, how);
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
                let mut movement = movement(&self.shop, change, how);
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
        let many = share_of(self.late.len(), share);
        let rest = self.late.split_off(many);
        let now = self.at;
        let movements: Vec<NewMovement> = std::mem::replace(&mut self.late, rest)
            .into_iter()
            .map(|(at, change)| {
                let then = self.shop.now().later_by((at - now) * 1_000_000);
                let how = order.wrapping_add(at.unsigned_abs());
                movement(&self.shop, change, how).at(then)
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
            let history = key_history(&self.shop, &self.manager, &self.key).await?;
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
