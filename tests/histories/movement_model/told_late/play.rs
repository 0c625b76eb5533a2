//! Such a history, done with the library.

use stocktake::domain::{
    Entered, LineOutcome, MovementPolicy, PostingOptions, StockKey, StockTakeId, StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Movement, NewMovement, NewStockTake, NewStockTakeList,
};
use stocktake::testing::Shop;

use super::super::truth::{Counted, Truth, Verdict};
use super::super::{Random, key_history, movement, opened, pick, quantity, share_of, told};
use super::{Step, Told, ToldLate};

/// A take, as the test knows it.
struct Take {
    id: StockTakeId,
    item: StockTakeItemId,
    policy: MovementPolicy,
    began: i64,
    counted: Option<Counted>,
    /// Whether the second place is still to be counted.
    rest: bool,
    /// Counts that the device has made, and not told yet.
    made: Vec<(Entered, i64)>,
    posted: bool,
}

struct Play {
    shop: Shop,
    manager: Caller,
    key: StockKey,
    /// Seconds since the beginning.
    at: i64,
    truth: Truth,
    takes: Vec<Take>,
}

pub(super) async fn play(history: &ToldLate, verify: bool) -> Result<(), String> {
    let (shop, manager) = opened(history.book).await?;
    let mut play = Play {
        key: shop.key(0),
        shop,
        manager,
        at: 0,
        truth: Truth::new(history.there, history.book),
        takes: Vec::new(),
    };
    let mut tied = false;
    for step in &history.steps {
        // A take, a zeroed line and a posting mean what is of their second as well, or not: that is told by properties
        // of their own.
        let may_be_tied = matches!(
            step,
            Step::Count { .. } | Step::CountRest { .. } | Step::Reset | Step::Move { .. }
        );
        if !(tied && may_be_tied) {
            play.advance();
        }
        tied = matches!(step, Step::Move { tied: true, .. });
        play.step(*step).await?;
        play.look(&format!("{step:?}")).await?;
    }
    play.advance();
    play.record_late(1_000, 1).await?;
    play.look("the end").await?;
    let really = play.truth.there[0] + play.truth.there[1];
    if play.truth.is_exact() && play.truth.level() != really {
        return Err(format!("the truth is {really}: {:?}", play.truth));
    }
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
    fn advance(&mut self) {
        self.at += 1;
        self.shop.clock.advance_seconds(1);
    }

    /// The level is what it must be.
    async fn look(&self, after: &str) -> Result<(), String> {
        let level = self.shop.on_hand(&self.key).await.map_err(told)?;
        let right = self.truth.level();
        if level == quantity(right) {
            return Ok(());
        }
        let history = key_history(&self.shop, &self.manager, &self.key).await?;
        Err(format!(
            "at {}, after {after}: {level}, not {right}\n{:?}\n{history}",
            self.at, self.truth
        ))
    }

    async fn record(&self, movements: &[NewMovement]) -> Result<(), String> {
        if movements.is_empty() {
            return Ok(());
        }
        let (stock, site) = (self.shop.stocktake.stock(), self.shop.site.id);
        let recorded = stock.record(&self.manager, site, movements).await;
        recorded.map(drop).map_err(told)
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Move {
                change,
                place,
                told,
                how,
                ..
            } => {
                let late = matches!(told, Told::Late);
                let change = self.truth.moves(self.at, change, place, !late);
                if change == 0 || late {
                    return Ok(());
                }
                let movement = movement(&self.shop, change, how);
                match told {
                    Told::AtOnceWithTime => self.record(&[movement.at(self.shop.now())]).await,
                    Told::AtOnce | Told::Late => self.record(&[movement]).await,
                }
            }
            Step::Record { share, order } => self.record_late(share, order).await,
            Step::Begin { policy, how } => self.begin(policy, how).await,
            Step::Count {
                which,
                parts,
                offline,
            } => {
                let (at, there) = (self.at, self.truth.there);
                let open = self
                    .takes
                    .iter_mut()
                    .filter(|take| !take.posted && take.counted.is_none() && take.began < at);
                let Some(take) = pick(open, which) else {
                    return Ok(());
                };
                let there = if parts { there[0] } else { there[0] + there[1] };
                take.rest = parts;
                take.counted = Some(Counted {
                    first: at,
                    at,
                    there,
                    whole: !parts,
                });
                let id = take.id;
                self.counted(id, Entered::Set(quantity(there)), offline)
                    .await
            }
            Step::CountRest { which, offline } => {
                let (at, there) = (self.at, self.truth.there[1]);
                let open = self.takes.iter_mut().filter(|take| take.rest);
                let Some(take) = pick(open, which) else {
                    return Ok(());
                };
                take.rest = false;
                if let Some(counted) = &mut take.counted {
                    counted.at = at;
                    counted.there += there;
                }
                let offline = offline || !take.made.is_empty();
                let id = take.id;
                self.counted(id, Entered::Add(quantity(there)), offline)
                    .await
            }
            Step::Tell { which } => {
                let open = self.takes.iter_mut().filter(|take| !take.made.is_empty());
                let Some(take) = pick(open, which) else {
                    return Ok(());
                };
                let made = std::mem::take(&mut take.made);
                let (take, item) = (take.id, take.item);
                for (entered, at) in made {
                    let counted_at = self.shop.now().later_by((at - self.at) * 1_000_000);
                    self.tell(take, item, entered, Some(counted_at)).await?;
                }
                Ok(())
            }
            Step::Post { which, zero } => self.post(which, zero).await,
            Step::Reset => {
                let there = self.truth.reset(self.at);
                let reset = Movement::Reset {
                    key: self.key.clone(),
                    quantity: quantity(there),
                    unit_cost: None,
                    expected: None,
                };
                self.record(&[reset.into()]).await
            }
        }
    }

    async fn record_late(&mut self, share: u64, order: u64) -> Result<(), String> {
        let mut waiting = self.truth.waiting();
        Random::of(order).shuffle(&mut waiting);
        waiting.truncate(share_of(waiting.len(), share));
        let mut movements = Vec::new();
        for (index, at, change) in waiting {
            self.truth.recorded(index);
            let then = self.shop.now().later_by((at - self.at) * 1_000_000);
            let how = order.wrapping_add(at.unsigned_abs());
            movements.push(movement(&self.shop, change, how).at(then));
        }
        if order.is_multiple_of(2) {
            return self.record(&movements).await;
        }
        for movement in movements {
            self.record(&[movement]).await?;
        }
        Ok(())
    }

    /// A take of the key, by one of the two ways that there are to one.
    async fn begin(&mut self, movement_policy: MovementPolicy, how: u64) -> Result<(), String> {
        let takes = self.shop.stocktake.stock_takes();
        let (site, manager) = (self.shop.site.id, &self.manager);
        let name = "Count".parse().map_err(|_| "no name")?;
        let id = if how.is_multiple_of(2) {
            let new = NewStockTake {
                site,
                description: name,
                movement_policy,
            };
            let take = takes.create(manager, new).await.map_err(told)?;
            self.shop.run_jobs().await.map_err(told)?;
            take.id()
        } else {
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
        };
        self.takes.push(Take {
            id,
            item: StockTakeItemId::for_key(id, &self.key),
            policy: movement_policy,
            began: self.at,
            counted: None,
            rest: false,
            made: Vec::new(),
            posted: false,
        });
        Ok(())
    }

    /// Something was counted just now.
    async fn counted(
        &mut self,
        id: StockTakeId,
        entered: Entered,
        offline: bool,
    ) -> Result<(), String> {
        let at = self.at;
        let take = self.takes.iter_mut().find(|take| take.id == id);
        let take = take.ok_or("an unknown take")?;
        if offline {
            take.made.push((entered, at));
            return Ok(());
        }
        let (take, item) = (take.id, take.item);
        self.tell(take, item, entered, None).await
    }

    async fn tell(
        &self,
        take: StockTakeId,
        item: StockTakeItemId,
        entered: Entered,
        counted_at: Option<stocktake::domain::Timestamp>,
    ) -> Result<(), String> {
        let request = CountRequest {
            entered,
            if_version: None,
            device: None,
            counted_at,
        };
        let takes = self.shop.stocktake.stock_takes();
        let counted = takes.count(&self.manager, take, item, request).await;
        counted.map(drop).map_err(told)
    }

    async fn post(&mut self, which: u64, zero: bool) -> Result<(), String> {
        let now = self.at;
        let is_ready = |take: &&mut Take| {
            let whole = take.counted.is_some() && take.made.is_empty() && !take.rest;
            !take.posted && (whole || (zero && take.counted.is_none()))
        };
        let Some(take) = pick(self.takes.iter_mut().filter(is_ready), which) else {
            return Ok(());
        };
        let verdict = match &take.counted {
            Some(counted) => self.truth.post(counted, take.policy, now),
            None => self.truth.zero(take.began, take.policy, now),
        };
        take.posted = verdict != Verdict::Refused;
        let (id, item) = (take.id, take.item);
        let takes = self.shop.stocktake.stock_takes();
        let options = PostingOptions {
            zero_uncounted: zero,
            skip_unpostable: false,
        };
        let posted = takes.submit(&self.manager, id, options).await;
        let actual = match posted {
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
        if actual == verdict {
            return Ok(());
        }
        let history = key_history(&self.shop, &self.manager, &self.key).await?;
        Err(format!(
            "posted at {now}: {verdict:?} is right, not {actual:?}\n{:?}\n{history}",
            self.truth
        ))
    }
}
