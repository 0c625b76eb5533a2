//! Such a history, done with the library.

use stocktake::domain::{
    LineOutcome, MovementPolicy, PostingOptions, StockKey, StockTakeId, StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Movement, NewMovement, NewStockTake, NewStockTakeList,
};
use stocktake::testing::Shop;

use super::super::truth::{Counted, Truth, Verdict};
use super::super::{key_history, movement, opened, pick, quantity, told};
use super::{Mended, Step};

/// Which clock it was that said when.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// Whether it was ahead.
    ahead: bool,
    /// How many moments of knowledge there had been; nothing of a device, which can't know.
    learned: Option<u64>,
}

/// A take, as the test knows it.
struct Take {
    id: StockTakeId,
    item: StockTakeItemId,
    policy: MovementPolicy,
    /// Whether it is a list, which begins without a word to its lines.
    list: bool,
    began: i64,
    began_said: Said,
    counted: Option<(Counted, Said)>,
    /// Whether a device is still to tell the count.
    waits: bool,
}

struct Play {
    shop: Shop,
    manager: Caller,
    key: StockKey,
    /// Seconds since the beginning, by a right clock.
    at: i64,
    truth: Truth,
    takes: Vec<Take>,
    /// How many moments of knowledge there were.
    learned: u64,
    /// Whether the last of them was by the clock when it was ahead.
    known_ahead: bool,
    /// Whether that was of a list of which nothing was counted.
    known_of_list: bool,
    /// Before the clock is ahead, while it is, and when it is right again.
    phase: usize,
    /// Whether something was recorded since it is right again.
    recorded_since: bool,
    /// By how many seconds it is ahead for a while.
    ahead: i64,
    /// The times that it said of what was looked at while it was ahead.
    said_ahead: Vec<i64>,
}

pub(super) async fn play(history: &Mended, verify: bool) -> Result<(), String> {
    let (shop, manager) = opened(history.book).await?;
    let mut play = Play {
        key: shop.key(0),
        shop,
        manager,
        at: 0,
        truth: Truth::new([history.there, 0], history.book),
        takes: Vec::new(),
        learned: 0,
        known_ahead: false,
        known_of_list: false,
        phase: 0,
        recorded_since: false,
        ahead: history.ahead,
        said_ahead: Vec::new(),
    };
    for (phase, steps) in history.phases.iter().enumerate() {
        match phase {
            1 => play.shop.clock.advance_seconds(history.ahead),
            2 => play.shop.clock.advance_seconds(-history.ahead),
            _ => {}
        }
        play.phase = phase;
        for step in steps {
            if !play.pass_a_second().await? {
                return Ok(());
            }
            if phase == 1 {
                play.said_ahead.push(play.at + history.ahead);
            }
            play.step(*step).await?;
            play.look(&format!("{step:?}")).await?;
        }
    }
    if !play.pass_a_second().await? {
        return Ok(());
    }
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

    /// Nobody can tell that a clock was ahead whose time has passed before anybody looked: it may as well have been right,
    /// and put forward after that. So somebody looks in the second before that; where there is none, the history is over,
    /// and this tells so.
    async fn pass_a_second(&mut self) -> Result<bool, String> {
        let unseen = self.is_mended() && !self.recorded_since;
        if unseen && self.said_ahead.contains(&(self.at + 1)) {
            return Ok(false);
        }
        let looks = unseen && self.said_ahead.contains(&(self.at + 2));
        self.advance(1);
        if looks {
            self.truth.moves(self.at, 1, 0, true);
            let looked = movement(&self.shop, 1, 1);
            self.record(looked).await?;
            self.advance(1);
        }
        Ok(true)
    }

    fn is_ahead(&self) -> bool {
        self.phase == 1
    }

    fn is_mended(&self) -> bool {
        self.phase == 2
    }

    /// What the clock says now.
    fn said(&self) -> Said {
        Said {
            ahead: self.is_ahead(),
            learned: Some(self.learned),
        }
    }

    /// The level is what it must be.
    async fn look(&self, after: &str) -> Result<(), String> {
        let level = self.shop.on_hand(&self.key).await.map_err(told)?;
        let right = self.truth.level();
        if level == quantity(right) {
            return Ok(());
        }
        self.wrong(&format!("after {after}: {level}, not {right}"))
            .await
    }

    async fn wrong(&self, what: &str) -> Result<(), String> {
        let history = key_history(&self.shop, &self.manager, &self.key).await?;
        Err(format!(
            "at {}, {what}\n{:?}\n{history}",
            self.at, self.truth
        ))
    }

    async fn record(&mut self, movement: NewMovement) -> Result<(), String> {
        self.recorded_since = self.is_mended();
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
                let late = late && self.is_mended();
                let change = self.truth.moves(self.at, change, 0, !late);
                if change == 0 || late {
                    return Ok(());
                }
                let movement = movement(&self.shop, change, how);
                let now = self.shop.now();
                let movement = if timed { movement.at(now) } else { movement };
                self.record(movement).await
            }
            Step::Record { backwards } => self.record_late(backwards).await,
            Step::Begin { policy, list } => self.begin(policy, list).await,
            Step::Count { which, offline } => {
                let offline = offline && self.recorded_since;
                let uncounted = self.takes.iter().enumerate();
                let uncounted = uncounted.filter(|(_, take)| take.counted.is_none());
                let uncounted = uncounted.map(|(place, _)| place);
                let place = match pick(uncounted, which) {
                    Some(place) if !which.is_multiple_of(3) => place,
                    Some(_) | None => {
                        let policy = MovementPolicy::KeepMovements;
                        self.begin(policy, which.is_multiple_of(2)).await?;
                        self.takes.len() - 1
                    }
                };
                self.count(place, offline).await
            }
            Step::Post { which, zero } => {
                let ready = self.takes.iter().enumerate();
                let ready = ready.filter(|(_, take)| zero || take.counted.is_some());
                match pick(ready.map(|(place, _)| place), which) {
                    Some(place) => self.post(place).await.map(drop),
                    None => Ok(()),
                }
            }
            Step::Reset => {
                let there = self.truth.reset(self.at);
                self.learn(self.is_ahead());
                let reset = Movement::Reset {
                    key: self.key.clone(),
                    quantity: quantity(there),
                    unit_cost: None,
                    expected: None,
                };
                self.record(reset.into()).await
            }
            Step::Wait { seconds } => {
                // Nobody can tell that a clock was ahead whose time has passed before anybody looked.
                if !self.is_mended() || self.recorded_since {
                    self.advance(seconds);
                }
                Ok(())
            }
        }
    }

    fn learn(&mut self, ahead: bool) {
        self.learned += 1;
        self.known_ahead = ahead;
        self.known_of_list = false;
    }

    async fn record_late(&mut self, backwards: bool) -> Result<(), String> {
        let mut late = self.truth.waiting();
        if backwards {
            late.reverse();
        }
        for (index, at, change) in late {
            self.truth.recorded(index);
            let then = self.shop.now().later_by((at - self.at) * 1_000_000);
            let movement = movement(&self.shop, change, at.unsigned_abs()).at(then);
            self.record(movement).await?;
        }
        Ok(())
    }

    /// A take of the key, by one of the two ways that there are to one.
    async fn begin(&mut self, movement_policy: MovementPolicy, list: bool) -> Result<(), String> {
        let takes = self.shop.stocktake.stock_takes();
        let (site, manager) = (self.shop.site.id, &self.manager);
        let name = "Count".parse().map_err(|_| "no name")?;
        let id = if list {
            let new = NewStockTakeList {
                site,
                name,
                description: None,
                due_at: None,
                annual: false,
                movement_policy,
            };
            let take = takes.create_list(manager, new).await.map_err(told)?;
            let articles = [self.shop.products[0].article_id.clone()];
            let added = takes.add_articles(manager, take.id(), &articles).await;
            added.map_err(told)?;
            takes.start(manager, take.id()).await.map_err(told)?;
            take.id()
        } else {
            let new = NewStockTake {
                site,
                description: name,
                movement_policy,
            };
            let take = takes.create(manager, new).await.map_err(told)?;
            self.shop.run_jobs().await.map_err(told)?;
            take.id()
        };
        self.takes.push(Take {
            id,
            item: StockTakeItemId::for_key(id, &self.key),
            policy: movement_policy,
            list,
            began: self.at,
            began_said: self.said(),
            counted: None,
            waits: false,
        });
        Ok(())
    }

    async fn count(&mut self, place: usize, offline: bool) -> Result<(), String> {
        let (at, there, said) = (self.at, self.truth.there[0], self.said());
        let take = &mut self.takes[place];
        let counted = Counted {
            first: at,
            at,
            there,
            whole: true,
        };
        let learned = said.learned.filter(|_| !offline);
        take.counted = Some((counted, Said { learned, ..said }));
        take.waits = offline;
        if offline {
            return Ok(());
        }
        let (id, item) = (take.id, take.item);
        let request = CountRequest::set(quantity(there));
        let takes = self.shop.stocktake.stock_takes();
        let counted = takes.count(&self.manager, id, item, request).await;
        counted.map(drop).map_err(told)
    }

    /// Whether nobody can tell which was first: what is known, or the moment of a line. When a list began is not told by what
    /// was recorded since, so it may have after what a device counted.
    fn is_doubtful(&self, said: Said) -> bool {
        let ahead = said.ahead || self.known_ahead;
        let newer = said.learned.map(|learned| self.learned > learned);
        ahead && newer.unwrap_or(self.known_of_list)
    }

    /// Whether nobody can tell what had moved when a list began of which nothing was counted: by a clock that was ahead, whose
    /// time has passed. Its lines tell that the clock was set back, but not whether before it began or after.
    fn is_lost(&self, take: &Take) -> bool {
        let ahead = take.list && take.counted.is_none() && take.began_said.ahead;
        ahead && self.is_mended() && self.at >= take.began + self.ahead
    }

    /// Posts a take, and tells what its line came to.
    async fn post(&mut self, place: usize) -> Result<Verdict, String> {
        let take = &self.takes[place];
        if self.is_lost(take) {
            self.takes.swap_remove(place);
            return Ok(Verdict::Refused);
        }
        let (id, item, policy) = (take.id, take.item, take.policy);
        let is_list = take.list && take.counted.is_none();
        let takes = self.shop.stocktake.stock_takes();
        if let Some((counted, _)) = take.counted.as_ref().filter(|_| take.waits) {
            let counted_at = self.shop.now().later_by((counted.at - self.at) * 1_000_000);
            let request = CountRequest {
                counted_at: Some(counted_at),
                ..CountRequest::set(quantity(counted.there))
            };
            match takes.count(&self.manager, id, item, request).await {
                Ok(_) => {}
                // Nobody can tell that the clock was ahead when it began, whose time has passed.
                Err(error) if error.code() == "before_start" && take.began_said.ahead => {
                    self.takes.swap_remove(place);
                    return Ok(Verdict::Refused);
                }
                Err(error) => return Err(told(error)),
            }
        }
        let mut truth = self.truth.clone();
        let (expected, said) = match &take.counted {
            Some((counted, said)) => (truth.post(counted, policy, self.at), *said),
            None => (truth.zero(take.began, policy, self.at), take.began_said),
        };
        let options = PostingOptions {
            zero_uncounted: true,
            skip_unpostable: false,
        };
        let actual = match takes.submit(&self.manager, id, options).await {
            Err(error) if error.code() == "lines_refused" => Verdict::Refused,
            Err(error) => return Err(told(error)),
            Ok(_) => {
                let line = takes.item(&self.manager, id, item).await.map_err(told)?;
                let posting = line.item.value.posting.as_ref();
                match posting.map(|posting| &posting.outcome) {
                    Some(LineOutcome::Superseded { .. }) => Verdict::Superseded,
                    Some(LineOutcome::Adjusted | LineOutcome::Confirmed) => Verdict::Posted,
                    other => return Err(format!("posted as {other:?}")),
                }
            }
        };
        let doubtful = expected == Verdict::Posted && self.is_doubtful(said);
        if actual == expected {
            self.truth = truth;
            if actual == Verdict::Posted {
                let by_now = policy == MovementPolicy::MatchCount;
                self.learn(if by_now { self.is_ahead() } else { said.ahead });
                self.known_of_list = is_list && !by_now;
            }
        } else if !doubtful {
            let what = format!("{expected:?} is right, not {actual:?}, said {said:?}");
            self.wrong(&what).await?;
        }
        let take = &mut self.takes[place];
        take.waits = false;
        if actual != Verdict::Refused {
            self.takes.swap_remove(place);
        }
        Ok(actual)
    }

    /// Something is recorded that never happened, and the key is counted again.
    async fn heal(&mut self, offline: bool) -> Result<(), String> {
        self.advance(1);
        self.truth.mistake(self.at, 2);
        let mistake = movement(&self.shop, 2, 1);
        self.record(mistake).await?;
        self.advance(1);
        self.begin(MovementPolicy::KeepMovements, false).await?;
        let place = self.takes.len() - 1;
        self.count(place, offline).await?;
        self.advance(1);
        if self.post(place).await? != Verdict::Posted {
            return Err("counting again is superseded".into());
        }
        self.look("counting again").await?;
        self.advance(1);
        self.truth.moves(self.at, 1, 0, true);
        let right = movement(&self.shop, 1, 1).at(self.shop.now());
        self.record(right).await?;
        self.look("a movement after that").await?;
        let really = self.truth.there[0];
        if self.truth.level() == really {
            return Ok(());
        }
        Err(format!("the truth is {really}: {:?}", self.truth))
    }
}
