//! Histories in which the clock is ahead for a while, and then put right: from then on what moves at its right time
//! always moves the level, and counting again always heals.

use std::fmt;

use stocktake::domain::{
    LineOutcome, MovementPolicy, PostingOptions, StockKey, StockTakeId, StockTakeItemId,
};
use stocktake::service::{Caller, CountRequest, Movement, NewMovement, NewStockTake};
use stocktake::testing::Shop;

use super::{History, Random, key_history, movement, opened, pick, quantity, told};

/// One act.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Stock moves by so many (out at most what is there). `late`: once the clock is right, it may be told later.
    Move {
        change: i64,
        timed: bool,
        late: bool,
        how: u64,
    },
    /// What waits to be recorded is, in its order or the other way round.
    Record { backwards: bool },
    /// A take of the key is made and counted. `offline`: once the clock is right and something was recorded since, by a
    /// device that tells it later.
    Count { offline: bool },
    /// A count is told, if it waits for it, and its take posted.
    Post { which: u64 },
    /// An absolute value is recorded.
    Reset,
    /// Nothing happens for so many seconds.
    Wait { seconds: i64 },
}

/// A random history.
#[derive(Clone)]
pub(super) struct Mended {
    there: i64,
    book: i64,
    /// By how many seconds the clock is ahead for a while.
    ahead: i64,
    /// What happens before, meanwhile, and after.
    phases: [Vec<Step>; 3],
    /// Whether the last count, which heals, is told by a device.
    heals_offline: bool,
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} are there, the book says {}", self.there, self.book)?;
        for (phase, steps) in self.phases.iter().enumerate() {
            let ahead = if phase == 1 { self.ahead } else { 0 };
            writeln!(f, "  the clock is {ahead} s ahead:")?;
            for step in steps {
                writeln!(f, "    {step:?}")?;
            }
        }
        Ok(())
    }
}

impl Mended {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed);
        let there = 5 + random.below(26);
        let mut phase = |least: i64| {
            let many = least + random.below(7);
            let steps = (0..many).map(|_| match random.below(20) {
                0..8 => Step::Move {
                    change: random.below(6) - 2,
                    timed: random.percent(50),
                    late: random.percent(40),
                    how: random.next(),
                },
                8..10 => Step::Record {
                    backwards: random.percent(50),
                },
                10..13 => Step::Count {
                    offline: random.percent(40),
                },
                13..17 => Step::Post {
                    which: random.next(),
                },
                17..19 => Step::Reset,
                _ => Step::Wait {
                    seconds: random.below(2_000),
                },
            });
            steps.collect()
        };
        Self {
            phases: [phase(0), phase(2), phase(3)],
            there,
            book: there + random.below(9) - 4,
            ahead: 30 + random.below(4_000),
            heals_offline: random.percent(50),
        }
    }
}

impl History for Mended {
    fn len(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }

    fn without(&self, index: usize) -> Self {
        let mut shorter = self.clone();
        let mut index = index;
        for steps in &mut shorter.phases {
            if index < steps.len() {
                steps.remove(index);
                break;
            }
            index -= steps.len();
        }
        shorter
    }

    fn play(&self, verify: bool) -> Result<(), String> {
        super::run(play(self, verify))
    }
}

/// A take, as the test knows it.
struct Counted {
    take: StockTakeId,
    item: StockTakeItemId,
    /// When it was really counted.
    at: i64,
    there: i64,
    told: bool,
}

struct Play {
    shop: Shop,
    manager: Caller,
    key: StockKey,
    /// Seconds since the beginning, by a right clock.
    at: i64,
    there: i64,
    /// What waits to be recorded: when it moved, and by how many.
    late: Vec<(i64, i64)>,
    counts: Vec<Counted>,
    /// When the truth was known.
    known: Option<i64>,
    /// Whether the clock is right again, and whether something was recorded since.
    mended: bool,
    recorded_since: bool,
}

async fn play(history: &Mended, verify: bool) -> Result<(), String> {
    let (shop, manager) = opened(history.book).await?;
    let mut play = Play {
        key: shop.key(0),
        shop,
        manager,
        at: 0,
        there: history.there,
        late: Vec::new(),
        counts: Vec::new(),
        known: None,
        mended: false,
        recorded_since: false,
    };
    for (phase, steps) in history.phases.iter().enumerate() {
        match phase {
            1 => play.shop.clock.advance_seconds(history.ahead),
            2 => {
                play.shop.clock.advance_seconds(-history.ahead);
                play.mended = true;
            }
            _ => {}
        }
        for step in steps {
            play.advance(1);
            play.step(*step).await?;
            play.look(&format!("{step:?}")).await?;
        }
    }
    play.advance(1);
    play.record_late(false).await?;
    play.look("the end").await?;
    play.heal(history.heals_offline).await?;
    if verify {
        let stock = play.shop.stocktake.stock();
        let verified = stock.verify(&play.manager, play.shop.site.id).await;
        let verified = verified.map_err(told)?;
        if !verified.is_sound() {
            return Err(format!("not sound: {:?}", verified.differences));
        }
    }
    Ok(())
}

impl Play {
    fn advance(&mut self, seconds: i64) {
        self.at += seconds;
        self.shop.clock.advance_seconds(seconds);
    }

    /// Where the truth is known, the level is it, but for what has moved since and is not recorded.
    async fn look(&self, after: &str) -> Result<(), String> {
        let Some(known) = self.known else {
            return Ok(());
        };
        let since = self.late.iter().filter(|(at, _)| *at > known);
        let right = self.there - since.map(|(_, change)| change).sum::<i64>();
        let level = self.shop.on_hand(&self.key).await.map_err(told)?;
        if level == quantity(right) {
            return Ok(());
        }
        let history = key_history(&self.shop, &self.manager, &self.key).await?;
        let at = self.at;
        Err(format!(
            "at {at}, after {after}: {level}, not {right}, known at {known}\n{history}"
        ))
    }

    async fn record(&mut self, movement: NewMovement) -> Result<(), String> {
        self.recorded_since = self.mended;
        let (stock, site) = (self.shop.stocktake.stock(), self.shop.site.id);
        let recorded = stock.record(&self.manager, site, &[movement]).await;
        recorded.map(drop).map_err(told)
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Move {
                change,
                timed,
                late,
                how,
            } => {
                let change = change.max(-self.there);
                if change == 0 {
                    return Ok(());
                }
                self.there += change;
                if late && self.mended {
                    self.late.push((self.at, change));
                    return Ok(());
                }
                let movement = movement(&self.shop, change, how);
                let now = self.shop.now();
                let movement = if timed { movement.at(now) } else { movement };
                self.record(movement).await
            }
            Step::Record { backwards } => self.record_late(backwards).await,
            Step::Count { offline } => {
                let offline = offline && self.recorded_since;
                self.count(offline).await
            }
            Step::Post { which } => self.post(which).await.map(drop),
            Step::Reset => {
                self.known = Some(self.at);
                let reset = Movement::Reset {
                    key: self.key.clone(),
                    quantity: quantity(self.there),
                    unit_cost: None,
                    expected: None,
                };
                self.record(reset.into()).await
            }
            Step::Wait { seconds } => {
                // Nobody can tell that a clock was ahead whose time has passed before anybody looked.
                if !self.mended || self.recorded_since {
                    self.advance(seconds);
                }
                Ok(())
            }
        }
    }

    async fn record_late(&mut self, backwards: bool) -> Result<(), String> {
        let mut late = std::mem::take(&mut self.late);
        if backwards {
            late.reverse();
        }
        for (at, change) in late {
            let then = self.shop.now().later_by((at - self.at) * 1_000_000);
            let movement = movement(&self.shop, change, at.unsigned_abs()).at(then);
            self.record(movement).await?;
        }
        Ok(())
    }

    async fn count(&mut self, offline: bool) -> Result<(), String> {
        let takes = self.shop.stocktake.stock_takes();
        let new = NewStockTake {
            site: self.shop.site.id,
            description: "Count".parse().map_err(|_| "no description")?,
            movement_policy: MovementPolicy::KeepMovements,
        };
        let take = takes.create(&self.manager, new).await.map_err(told)?.id();
        self.shop.run_jobs().await.map_err(told)?;
        let item = StockTakeItemId::for_key(take, &self.key);
        if !offline {
            let request = CountRequest::set(quantity(self.there));
            let counted = takes.count(&self.manager, take, item, request).await;
            counted.map_err(told)?;
        }
        self.counts.push(Counted {
            take,
            item,
            at: self.at,
            there: self.there,
            told: !offline,
        });
        Ok(())
    }

    /// Posts a count. Whether it is newer knowledge.
    async fn post(&mut self, which: u64) -> Result<bool, String> {
        let places: Vec<usize> = (0..self.counts.len()).collect();
        let Some(place) = pick(places.into_iter(), which) else {
            return Ok(false);
        };
        let counted = self.counts.swap_remove(place);
        let (take, item) = (counted.take, counted.item);
        let takes = self.shop.stocktake.stock_takes();
        if !counted.told {
            let then = self.shop.now().later_by((counted.at - self.at) * 1_000_000);
            let request = CountRequest {
                counted_at: Some(then),
                ..CountRequest::set(quantity(counted.there))
            };
            let told_late = takes.count(&self.manager, take, item, request).await;
            told_late.map_err(told)?;
        }
        let options = PostingOptions::default();
        let posted = takes.submit(&self.manager, take, options).await;
        posted.map_err(told)?;
        let line = takes.item(&self.manager, take, item).await.map_err(told)?;
        let posting = line.item.value.posting.as_ref();
        match posting.map(|posting| &posting.outcome) {
            Some(LineOutcome::Superseded { .. }) => Ok(false),
            Some(LineOutcome::Adjusted | LineOutcome::Confirmed) => {
                if self.known.is_some_and(|known| known > counted.at) {
                    return Err(format!("older than what is known: of {}", counted.at));
                }
                self.known = Some(counted.at);
                Ok(true)
            }
            other => Err(format!("posted as {other:?}")),
        }
    }

    /// Something is recorded that never happened, and the key is counted again.
    async fn heal(&mut self, offline: bool) -> Result<(), String> {
        self.advance(1);
        let mistake = movement(&self.shop, 2, 1);
        self.record(mistake).await?;
        self.advance(1);
        self.counts.clear();
        self.count(offline).await?;
        self.advance(1);
        if !self.post(0).await? {
            return Err("counting again is superseded".into());
        }
        self.look("counting again").await?;
        self.advance(1);
        self.there += 1;
        let right = movement(&self.shop, 1, 1).at(self.shop.now());
        self.record(right).await?;
        self.look("a movement after that").await
    }
}
