//! A case under way: each step, what it should come to, and whether it did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use stocktake::domain::{JobId, ProductId, StockKey, StockTakeId, StockTakeItemId};
use stocktake::service::{Caller, Clock as _, Error, Movement};
use stocktake::store::IdempotencyKey;

use super::operation::{Answer, Operation};
use super::random::Random;
use super::shop::Premises;
use super::stock::{Beginning, Codes, Policy, Products, Stock};
use super::takes::Take;
use crate::stores::Stores;

mod choosing;
mod deciding;
mod looking;
mod meanwhile;
mod outcome;
mod posting;
mod refusing;
mod walking;

/// A case.
pub(crate) struct Case {
    premises: Premises,
    random: Random,
    products: Products,
    stock: Vec<Stock>,
    takes: BTreeMap<StockTakeId, Take>,
    jobs: BTreeMap<JobId, Job>,
    /// Commands with a key that were done.
    answered: Vec<Answered>,
    /// How often each line was counted.
    entries: BTreeMap<(StockTakeId, StockTakeItemId), usize>,
    /// While a posting is played: the products that were on hand at its site when it began, which tell what one costs.
    held: Option<BTreeSet<ProductId>>,
    /// What the stranger has of the first key.
    abroad: i64,
    steps: u64,
    /// What a step touched is looked at after each of so many: what it booked is after every one.
    rarely: u64,
    log: VecDeque<String>,
}

struct Job {
    run_at: i64,
    take: StockTakeId,
    posts: bool,
}

#[derive(Clone)]
struct Answered {
    operation: Operation,
    caller: Caller,
    answer: Answer,
    step: u64,
}

/// What an operation should come to.
#[derive(Debug)]
enum Expected {
    Done,
    Refused(Codes),
    Either(Codes),
}

/// Everything is looked at after so many steps.
const LOOK_AT_ALL: u64 = 200;

impl Case {
    pub(crate) async fn begin(stores: &Stores, seed: u64, rarely: u64) -> Result<Self, String> {
        let mut random = Random::of(seed);
        let premises = Premises::open(stores, &mut random).await.map_err(told)?;
        let products = premises
            .products
            .iter()
            .map(|product| (product.id, product.clone()))
            .collect();
        let stock = premises.sites.iter().map(|_| Stock::default()).collect();
        Ok(Self {
            premises,
            random,
            products,
            stock,
            takes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            answered: Vec::new(),
            entries: BTreeMap::new(),
            held: None,
            abroad: 0,
            steps: 0,
            rarely,
            log: VecDeque::new(),
        })
    }

    pub(crate) async fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        let seconds = self.random.weighted(&[
            (30, 0),
            (40, 1),
            (20, 5),
            (4, 600),
            (1, 90_000),
            (3, -3),
            (2, -90),
            (1, -900),
            (1, -10_000),
        ]);
        self.premises.clock.advance_seconds(seconds);
        let result =
            match self
                .random
                .weighted(&[(860, 0), (50, 1), (25, 2), (30, 3), (15, 4), (20, 5)])
            {
                0 => self.operate().await,
                1 => self.run_job().await,
                2 => self.walk().await,
                3 => self.retry().await,
                4 => self.reuse().await,
                _ => self.move_abroad().await,
            };
        result.map_err(|problem| self.tell(&problem))?;
        if self.steps.is_multiple_of(LOOK_AT_ALL) {
            self.look_at_all()
                .await
                .map_err(|problem| self.tell(&problem))?;
        }
        Ok(())
    }

    pub(crate) async fn end(&mut self) -> Result<(), String> {
        self.look_at_all()
            .await
            .map_err(|problem| self.tell(&problem))
    }

    fn tell(&self, problem: &str) -> String {
        let mut text = String::from("The last steps:\n");
        for line in &self.log {
            let _ = writeln!(text, "{line}");
        }
        let _ = writeln!(text, "At step {}: {problem}", self.steps);
        text
    }

    fn note(&mut self, line: String) {
        if self.log.len() >= 12 {
            self.log.pop_front();
        }
        let now = self.now();
        self.log
            .push_back(format!("{} at {now}: {line}", self.steps));
    }

    fn now(&self) -> i64 {
        self.premises.clock.now().micros()
    }

    fn policy(&self, site: usize, key: &StockKey) -> Policy<'_> {
        Policy {
            site: &self.premises.sites[site],
            product: &self.products[&key.product],
            elsewhere: match &self.held {
                Some(held) => held.contains(&key.product),
                None => self.stock[site].holds(key.product),
            },
            now: self.now(),
        }
    }

    fn manager(&self) -> Caller {
        Caller::of(&self.premises.people.manager)
    }

    async fn operate(&mut self) -> Result<(), String> {
        let operation = self.choose().await?;
        let (actor, mut caller) = self.choose_actor(&operation);
        if self.random.percent(33) {
            let key = format!("key-{}", self.steps);
            caller = caller.with_key(IdempotencyKey::new(&key).map_err(|error| error.to_string())?);
        }
        self.look_abroad();
        let expected = self.expected(&operation, actor.as_ref());
        self.note(format!(
            "{operation:?} by {:?}, expected {expected:?}",
            actor.as_ref().map(|actor| (actor.role, &actor.user))
        ));
        let library = self.premises.library.clone();
        let result = operation.run(&library, &self.premises.sites, &caller).await;
        match (&result, &expected) {
            (Ok(_), Expected::Done | Expected::Either(_)) => {}
            (Err(error), Expected::Refused(codes) | Expected::Either(codes))
                if codes.contains(&error.code()) => {}
            (_, _) => {
                let histories = self.histories(&operation);
                return Err(format!(
                    "expected {expected:?}, not {result:?}\n{histories}"
                ));
            }
        }
        match result {
            Ok(answer) => {
                if caller.key().is_some() {
                    let (operation, answer) = (operation.clone(), answer.clone());
                    let step = self.steps;
                    self.answered.push(Answered {
                        operation,
                        caller,
                        answer,
                        step,
                    });
                }
                self.done(&operation, answer).await
            }
            Err(error) => self.refused(&operation, &error).await,
        }
    }

    /// The histories of the keys that an operation is about, for people.
    fn histories(&self, operation: &Operation) -> String {
        let (site, keys) = match operation {
            Operation::Record { site, movements } => {
                let about = |key: &StockKey| {
                    movements.iter().any(|new| match &new.movement {
                        Movement::Reversal { of } => self.stock[*site]
                            .event(*of)
                            .is_some_and(|event| event.key == *key),
                        other => format!("{other:?}").contains(&format!("{key:?}")),
                    })
                };
                let keys = self.stock[*site].keys.keys();
                (*site, keys.filter(|key| about(key)).cloned().collect())
            }
            Operation::OfTake(id, _) => {
                let lines =
                    |take: &Take| take.lines.values().map(|line| line.key.clone()).collect();
                let take = self.takes.get(id);
                (
                    take.map_or(0, |take| take.site),
                    take.map_or_else(Vec::new, lines),
                )
            }
            _ => (0, Vec::new()),
        };
        let keys = keys.iter().take(4);
        keys.map(|key| self.history(site, key)).collect()
    }

    /// The stocked keys of a site, in their order.
    fn stocked(&self, site: usize) -> impl Iterator<Item = StockKey> + use<> {
        let keys = &self.stock[site].keys;
        let stocked: Vec<StockKey> = keys
            .iter()
            .filter(|(_, key)| key.stocked)
            .map(|(key, _)| key.clone())
            .collect();
        stocked.into_iter()
    }

    /// Those of them that takes count: of what is no longer kept on stock, what is there.
    fn countable(&self, site: usize) -> impl Iterator<Item = StockKey> + use<> {
        let there = |key: &StockKey| {
            self.products[&key.product].is_stock || self.stock[site].key(key).level() != 0
        };
        let keys: Vec<StockKey> = self.stocked(site).filter(there).collect();
        keys.into_iter()
    }

    /// Keys that become lines of a take, and what each had had when it began.
    fn begun(
        &self,
        take: &Take,
        keys: impl Iterator<Item = StockKey>,
    ) -> Vec<(StockKey, Beginning)> {
        let stock = &self.stock[take.site];
        let began = |key: StockKey| {
            let began = stock.key(&key).at_beginning(take.began_at, self.now());
            (key, began)
        };
        keys.map(began).collect()
    }

    /// What the other sites have on hand of serial numbers.
    fn look_abroad(&mut self) {
        for here in 0..self.stock.len() {
            let others = self.stock.iter().enumerate();
            let others = others.filter(|(site, _)| *site != here);
            let abroad = others.flat_map(|(_, stock)| stock.serials()).collect();
            self.stock[here].abroad = abroad;
        }
    }
}

fn told(error: Error) -> String {
    format!("{}: {error:?}", error.code())
}
