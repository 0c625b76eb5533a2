//! A case under way: each step, what it should come to, and whether it did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use stocktake::domain::{
    Actor, Cause, Entered, JobId, PostingOptions, ProductId, Refusal, StockEvent, StockKey,
    StockTake, StockTakeId, StockTakeItemId, StockTakeState, UnitCost,
};
use stocktake::jobs::{Ran, Worker};
use stocktake::service::{Caller, Clock as _, Error, Movement};
use stocktake::store::IdempotencyKey;

use super::amounts::{ONE, pence, units};
use super::operation::{Answer, OfTake, Operation};
use super::random::Random;
use super::shop::Premises;
use super::stock::{Codes, Feed, Key, Knower, Known, Policy, Products, Stock};
use super::takes::{Counted, Elsewhere, Line, Outcome, Posted, Take, Verdict};
use crate::stores::Stores;

mod choosing;
mod looking;

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
    pub(crate) async fn begin(stores: &Stores, seed: u64) -> Result<Self, String> {
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

    // ---- one operation ---------------------------------------------------------------------------

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

    /// What an operation should come to, in the order of checks: who asks, whether it exists for the asker,
    /// whether the role may do it, then the request and the state.
    fn expected(&self, operation: &Operation, actor: Option<&Actor>) -> Expected {
        let refused = |code| Expected::Refused(vec![code]);
        let Some(actor) = actor else {
            return refused("unauthenticated");
        };
        let (site, take) = match operation {
            Operation::OfTake(id, _) => match self.takes.get(id) {
                Some(take) if take.state != StockTakeState::Removed => (take.site, Some(take)),
                Some(_) | None => return refused("not_found"),
            },
            Operation::Record { site, .. }
            | Operation::Reserve { site, .. }
            | Operation::PutSite { site, .. }
            | Operation::CreateTake { site, .. }
            | Operation::CreateList { site, .. } => (*site, None),
        };
        let here = &self.premises.sites[site];
        if actor.organisation != here.organisation || !actor.sees(here.id) {
            return refused("not_found");
        }
        let mut codes = match (operation, take) {
            (Operation::OfTake(_, what), Some(take)) => self.refusals_of_take(take, what),
            (_, _) => self.refusals_of_site(operation, site),
        };
        if !operation.is_allowed(actor.role) {
            // What is missing may be told before what is forbidden, never the other way round.
            codes.1.retain(|code| *code == "not_found");
            codes.1.push("forbidden");
            return Expected::Refused(codes.1);
        }
        match codes {
            (false, codes) if codes.is_empty() => Expected::Done,
            (false, codes) => Expected::Refused(codes),
            (true, codes) => Expected::Either(codes),
        }
    }

    /// What an operation on a site is refused with, and whether that is unsure.
    fn refusals_of_site(&self, operation: &Operation, site: usize) -> (bool, Codes) {
        let here = &self.premises.sites[site];
        let codes = match operation {
            Operation::Record { movements, .. } => self.stock[site]
                .would_refuse(movements, (here, &self.products, self.now()))
                .unwrap_or_default(),
            Operation::Reserve { key, micros, .. } => {
                let mut codes = Codes::new();
                if *micros < 0 {
                    codes.push("negative_quantity");
                }
                if !self.stock[site].key(key).stocked {
                    codes.push("not_found");
                }
                codes
            }
            Operation::PutSite { .. }
            | Operation::CreateTake { .. }
            | Operation::CreateList { .. }
            | Operation::OfTake(..) => Codes::new(),
        };
        (false, codes)
    }

    /// What an operation on a take is refused with, and whether that is unsure.
    fn refusals_of_take(&self, take: &Take, what: &OfTake) -> (bool, Codes) {
        use StockTakeState::{Finished, New, Ongoing};
        let mut codes = Codes::new();
        let states: &[StockTakeState] = match what {
            OfTake::Copy => &[New, Ongoing, StockTakeState::Posting, Finished],
            OfTake::Update(_) => &[New, Ongoing],
            OfTake::Start
            | OfTake::AddArticles(_)
            | OfTake::AddPlace(_)
            | OfTake::AddAll
            | OfTake::RemoveArticle(_)
            | OfTake::RemovePlace(_) => &[New],
            OfTake::Remove => &[New, Ongoing, Finished],
            OfTake::AddFound(_)
            | OfTake::DeleteItem(_)
            | OfTake::Count(..)
            | OfTake::Inventory(_)
            | OfTake::Post(_)
            | OfTake::Submit(_) => &[Ongoing],
            OfTake::PostLeftOver | OfTake::Dismiss(_) | OfTake::Reopen(_) => &[Finished],
        };
        let allowed = states.contains(&take.state);
        if !allowed {
            codes.push("invalid_state");
        }
        let mut unsure = false;
        match what {
            OfTake::Copy
            | OfTake::Update(_)
            | OfTake::Remove
            | OfTake::AddAll
            | OfTake::Post(_) => {}
            OfTake::AddPlace(place) => {
                let mut places = self.stocked(take.site).map(|key| key.place);
                if !places.any(|it| it.as_ref() == Some(place)) {
                    codes.push("not_found");
                }
            }
            OfTake::Start => {
                if take.lines.is_empty() {
                    codes.push("no_lines");
                }
            }
            OfTake::AddArticles(articles) => {
                if articles.is_empty() {
                    codes.push("nothing_asked");
                }
                codes.extend(self.refused_articles(take, articles));
            }
            OfTake::RemoveArticle(article) => {
                let is_it = |key: &StockKey| {
                    self.products[&key.product].article_id.as_str() == article.as_str()
                };
                if !take.lines.values().any(|line| is_it(&line.key)) {
                    codes.push("not_found");
                }
            }
            OfTake::RemovePlace(place) => {
                let is_it = |key: &StockKey| key.place.as_ref() == Some(place);
                if !take.lines.values().any(|line| is_it(&line.key)) {
                    codes.push("not_found");
                }
            }
            OfTake::AddFound(key) => {
                let here = &self.premises.sites[take.site];
                codes.extend(super::stock::key_refusals(key, here, &self.products));
            }
            OfTake::DeleteItem(item) => {
                if !take.lines.contains_key(item) {
                    codes.push("not_found");
                }
            }
            OfTake::Count(item, entered, version) => {
                codes.extend(self.refused_count(take, *item, *entered));
                if version.is_some() {
                    // Whether it is the line's version was looked at when it was chosen.
                    unsure = codes.is_empty();
                    codes.push("conflict");
                }
            }
            OfTake::Inventory(request) => {
                let lines: Vec<StockTakeItemId> = take
                    .lines
                    .iter()
                    .filter(|(_, line)| {
                        let key = &line.key;
                        let name = &request.article;
                        self.products[&key.product].article_id == name.article
                            && (name.batch.is_none() || name.batch == key.batch)
                            && (name.serial.is_none() || name.serial == key.serial)
                    })
                    .map(|(id, _)| *id)
                    .collect();
                match lines.as_slice() {
                    [] => codes.push("not_found"),
                    [item] => {
                        let entered = request.entered;
                        codes.extend(self.refused_count(take, *item, entered));
                    }
                    _ => codes.push("ambiguous_article"),
                }
            }
            OfTake::Submit(options) => {
                if allowed {
                    let mut whole = take.clone();
                    if whole.coming {
                        whole.add(self.begun(take, self.stocked(whole.site)));
                    }
                    let (must, may) = self.unpostable(&whole, *options, false);
                    if !options.skip_unpostable && may > 0 {
                        unsure = must == 0;
                        codes.push("lines_refused");
                    }
                }
            }
            OfTake::PostLeftOver => {
                if take.unposted() == 0 {
                    codes.push("nothing_left_over");
                }
            }
            OfTake::Dismiss(item) => {
                if take.unposted() == 0 {
                    codes.push("nothing_left_over");
                }
                let line = take.lines.get(item);
                if !line.is_some_and(|line| take.is_due(line, true)) {
                    codes.push("not_found");
                }
            }
            OfTake::Reopen(_) => {
                if allowed && !self.reopens(take) {
                    codes.push("lines_refused");
                }
            }
        }
        (unsure, codes)
    }

    fn refused_articles(&self, take: &Take, articles: &[stocktake::domain::Code]) -> Codes {
        let mut codes = Codes::new();
        for article in articles {
            let product = self
                .products
                .values()
                .find(|product| product.article_id == *article);
            match product {
                None => codes.push("unknown_article"),
                Some(product) => {
                    if !self.stocked(take.site).any(|key| key.product == product.id) {
                        codes.push("not_stocked");
                    }
                }
            }
        }
        codes
    }

    fn refused_count(&self, take: &Take, item: StockTakeItemId, entered: Entered) -> Codes {
        let Some(line) = take.lines.get(&item) else {
            return vec!["not_found"];
        };
        let before = line.count.map_or(0, |count| count.there);
        let mut codes = Codes::new();
        let there = match entered {
            Entered::Set(quantity) => quantity.micros(),
            Entered::Add(quantity) => before + quantity.micros(),
            Entered::Clear => return codes,
        };
        if there < 0 {
            codes.push("negative_count");
        }
        if line.key.serial.is_some() && there != 0 && there != ONE {
            codes.push("serial_conflict");
        }
        codes
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

    /// Keys that become lines of a take, and what each had had when it began.
    fn begun(
        &self,
        take: &Take,
        keys: impl Iterator<Item = StockKey>,
    ) -> Vec<(StockKey, (u64, bool))> {
        let stock = &self.stock[take.site];
        let began = |key: StockKey| {
            let began = stock.key(&key).at_beginning(take.began_at);
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

    /// What a line comes to when it is posted now. `after` is what lines before it will have made of their keys, and
    /// whether that is sure.
    fn verdict(
        &self,
        (take, line): (&Take, &Line),
        options: PostingOptions,
        after: &BTreeMap<StockKey, (i64, bool)>,
    ) -> Verdict {
        let stock = &self.stock[take.site];
        let mut elsewhere = Elsewhere::No;
        for twin in stock.twins(&line.key) {
            let live = || (stock.key(twin).level(), true);
            let (level, sure) = after.get(twin).copied().unwrap_or_else(live);
            match (level > 0, sure) {
                (_, false) if elsewhere == Elsewhere::No => elsewhere = Elsewhere::Unsure,
                (true, true) => elsewhere = Elsewhere::Yes,
                (_, _) => {}
            }
        }
        if stock.is_abroad(&line.key) {
            elsewhere = Elsewhere::Yes;
        }
        let key = stock.key(&line.key);
        let policy = self.policy(take.site, &line.key);
        take.verdict(line, &key, &policy, options.zero_uncounted, elsewhere)
    }

    /// The lines that a posting goes over, in the order in which it decides them: what brings the unit of a serial number
    /// comes last.
    fn due(
        &self,
        take: &Take,
        options: PostingOptions,
        left_over: bool,
    ) -> Vec<(StockTakeItemId, Line)> {
        let mut lines = take.in_order();
        lines.retain(|(_, line)| take.is_due(line, left_over));
        lines.sort_by_cached_key(|(_, line)| {
            let key = self.stock[take.site].key(&line.key);
            let policy = self.policy(take.site, &line.key);
            let zero = options.zero_uncounted;
            let alone = take.verdict(line, &key, &policy, zero, Elsewhere::No);
            line.key.serial.is_some() && key.level() <= 0 && after(&key, &alone).0 > 0
        });
        lines
    }

    /// What each line comes to when a take is posted now.
    fn verdicts(
        &self,
        take: &Take,
        options: PostingOptions,
        left_over: bool,
    ) -> Vec<(StockTakeItemId, Line, Verdict)> {
        let mut changed = BTreeMap::new();
        let lines = self.due(take, options, left_over).into_iter();
        let decided = lines.map(|(item, line)| {
            let verdict = self.verdict((take, &line), options, &changed);
            if line.key.serial.is_some() {
                let key = self.stock[take.site].key(&line.key);
                changed.insert(line.key.clone(), after(&key, &verdict));
            }
            (item, line, verdict)
        });
        decided.collect()
    }

    /// How many lines can't be posted, and how many may not be postable.
    fn unpostable(&self, take: &Take, options: PostingOptions, left_over: bool) -> (usize, usize) {
        let (mut must, mut may) = (0, 0);
        for (_, _, verdict) in self.verdicts(take, options, left_over) {
            match verdict {
                Verdict::Refused(_) => {
                    must += 1;
                    may += 1;
                }
                Verdict::Unsure { .. } => may += 1,
                Verdict::Known { .. } | Verdict::Superseded | Verdict::LeftAlone => {}
            }
        }
        (must, may)
    }

    /// Whether a posting can be taken back.
    fn reopens(&self, take: &Take) -> bool {
        let mut changed: BTreeMap<StockKey, i64> = BTreeMap::new();
        self.taken_back(take).into_iter().all(|(_, line)| {
            let (before, after) = self.without_posting(take, &line);
            let key = self.stock[take.site].key(&line.key);
            let policy = self.policy(take.site, &line.key);
            let stock = &self.stock[take.site];
            let level = |key: &StockKey| {
                let changed = changed.get(key).copied();
                changed.unwrap_or_else(|| stock.key(key).level())
            };
            let comes = line.key.serial.is_some() && before <= 0 && after > 0;
            let mut twins = stock.twins(&line.key);
            let elsewhere = stock.is_abroad(&line.key) || twins.any(|twin| level(twin) > 0);
            changed.insert(line.key.clone(), after);
            key.refusals(&line.key, before, after, &policy).is_empty() && !(comes && elsewhere)
        })
    }

    /// What is on hand of a line's key, and what will be when its posting is taken back.
    fn without_posting(&self, take: &Take, line: &Line) -> (i64, i64) {
        let before = self.stock[take.site].key(&line.key);
        let mut after = before.clone();
        if let Some(posting) = &line.posting {
            after.forget(Knower::Line(posting.cause));
        }
        (before.level(), after.level())
    }

    /// The lines of a take in the order in which their postings are taken back: what brings the unit of a serial number
    /// comes last.
    fn taken_back(&self, take: &Take) -> Vec<(StockTakeItemId, Line)> {
        let mut lines = take.in_order();
        lines.sort_by_cached_key(|(_, line)| {
            let (before, after) = self.without_posting(take, line);
            line.key.serial.is_some() && before <= 0 && after > 0
        });
        lines
    }

    // ---- what it came to -------------------------------------------------------------------------

    /// An operation was refused: nothing has changed, but that lines have come that were on their way.
    async fn refused(&mut self, operation: &Operation, error: &Error) -> Result<(), String> {
        if let (Operation::OfTake(id, OfTake::Submit(options)), Error::Refused(refusal)) =
            (operation, error)
        {
            self.lines_come(*id);
            self.check_refusal(*id, *options, refusal)?;
        }
        self.look_for_nothing().await?;
        match operation {
            Operation::OfTake(id, _) if self.takes.contains_key(id) => self.look_at_take(*id).await,
            Operation::Record { site, movements } => {
                let keys = self.stock[*site].keys.keys();
                let named = movements.iter().map(|new| format!("{new:?}"));
                let named = named.collect::<Vec<_>>().concat();
                let touched: Vec<StockKey> = keys
                    .filter(|key| named.contains(&format!("{key:?}")))
                    .cloned()
                    .collect();
                for key in touched {
                    self.look_at_key(*site, &key).await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_refusal(
        &self,
        id: StockTakeId,
        options: PostingOptions,
        refusal: &Refusal,
    ) -> Result<(), String> {
        let take = &self.takes[&id];
        for (item, line, verdict) in self.verdicts(take, options, false) {
            let told = refusal.lines.iter().find(|line| line.item == item);
            match (&verdict, told) {
                (Verdict::Refused(codes), Some(told)) if codes.contains(&told.problem.code()) => {}
                (Verdict::Unsure { .. }, _)
                | (Verdict::Known { .. } | Verdict::Superseded | Verdict::LeftAlone, None) => {}
                (_, told) => {
                    return Err(format!(
                        "line {}: {verdict:?}, refused: {told:?}",
                        line.number
                    ));
                }
            }
        }
        Ok(())
    }

    async fn done(&mut self, operation: &Operation, answer: Answer) -> Result<(), String> {
        match operation {
            Operation::Record { site, movements } => {
                let Answer::Events(told) = answer else {
                    return Err("no events".into());
                };
                let events = self.fresh(*site).await?;
                ensure!(told == events, "told {told:?}, booked {events:?}");
                let now = self.now();
                let terms = (&self.premises.sites[*site], &self.products, now);
                self.stock[*site].record(movements, &events, terms)?;
                self.book(*site, &events).await
            }
            Operation::Reserve { site, key, micros } => {
                let now = self.now();
                let model = self.stock[*site].keys.entry(key.clone()).or_default();
                model.reserved = *micros;
                model.updated_at = now;
                self.look_at_key(*site, key).await
            }
            Operation::PutSite { site, changed } => {
                self.premises.sites[*site] = (**changed).clone();
                self.look_for_nothing().await
            }
            Operation::CreateTake { site, policy, .. } => {
                let take = created(&answer)?;
                self.created(take, *site, *policy, StockTakeState::Ongoing)?;
                let population = take.population().ok_or("nothing is on its way")?;
                let job = Job {
                    run_at: self.now(),
                    take: take.id(),
                    posts: false,
                };
                self.jobs.insert(population.job, job);
                self.model_of(take.id())?.coming = true;
                self.look_at_take(take.id()).await
            }
            Operation::CreateList {
                site,
                policy,
                annual,
                ..
            } => {
                let take = created(&answer)?;
                self.created(take, *site, *policy, StockTakeState::New)?;
                if *annual {
                    let keys = self.begun(&self.takes[&take.id()], self.stocked(*site));
                    self.model_of(take.id())?.add(keys);
                }
                self.look_at_take(take.id()).await
            }
            Operation::OfTake(id, what) => self.done_to_take(*id, what, answer).await,
        }
    }

    fn model_of(&mut self, id: StockTakeId) -> Result<&mut Take, String> {
        self.takes.get_mut(&id).ok_or("an unknown take".into())
    }

    fn created(
        &mut self,
        take: &StockTake,
        site: usize,
        policy: stocktake::domain::MovementPolicy,
        state: StockTakeState,
    ) -> Result<(), String> {
        ensure!(
            !self.takes.contains_key(&take.id()),
            "the id is taken: {take:?}"
        );
        let model = Take {
            id: take.id(),
            site,
            state,
            policy,
            lines: BTreeMap::new(),
            coming: false,
            options: PostingOptions::default(),
            last_line: 0,
            began_at: (state == StockTakeState::Ongoing).then(|| self.now()),
        };
        self.takes.insert(take.id(), model);
        Ok(())
    }

    async fn done_to_take(
        &mut self,
        id: StockTakeId,
        what: &OfTake,
        answer: Answer,
    ) -> Result<(), String> {
        let take = self.takes[&id].clone();
        match what {
            OfTake::Copy => {
                let copy = created(&answer)?;
                self.created(copy, take.site, take.policy, StockTakeState::New)?;
                let stocked: Vec<StockKey> = self.stocked(take.site).collect();
                let keys = take.in_order().into_iter().map(|(_, line)| line.key);
                let keys = keys.filter(|key| stocked.contains(key));
                let keys = self.begun(&self.takes[&copy.id()], keys);
                self.model_of(copy.id())?.add(keys);
                self.look_at_take(copy.id()).await?;
            }
            OfTake::Update(text) => {
                let updated = created(&answer)?;
                let is_told = updated.details().title() == *text;
                ensure!(is_told, "not updated: {updated:?}");
            }
            OfTake::Start => {
                let now = self.now();
                let model = self.model_of(id)?;
                model.state = StockTakeState::Ongoing;
                model.began_at = Some(now);
            }
            OfTake::Remove => self.model_of(id)?.state = StockTakeState::Removed,
            OfTake::AddArticles(articles) => {
                let products: Vec<_> = self
                    .products
                    .values()
                    .filter(|product| articles.contains(&product.article_id))
                    .map(|product| product.id)
                    .collect();
                let keys = self.stocked(take.site);
                let keys = keys.filter(|key| products.contains(&key.product));
                let keys = self.begun(&take, keys);
                let added = self.model_of(id)?.add(keys);
                ensure!(
                    answer == Answer::Number(added),
                    "{added} were added, not {answer:?}"
                );
            }
            OfTake::AddPlace(place) => {
                let keys = self.stocked(take.site);
                let keys = keys.filter(|key| key.place.as_ref() == Some(place));
                let keys = self.begun(&take, keys);
                self.model_of(id)?.add(keys);
            }
            OfTake::AddAll => {
                let keys = self.begun(&take, self.stocked(take.site));
                self.model_of(id)?.add(keys);
            }
            OfTake::RemoveArticle(article) => {
                let products = self.products.clone();
                let is_it = |key: &StockKey| products[&key.product].article_id == *article;
                self.removed(id, is_it, &answer)?;
            }
            OfTake::RemovePlace(place) => {
                self.removed(id, |key| key.place.as_ref() == Some(place), &answer)?;
            }
            OfTake::AddFound(key) => {
                let found = self.begun(&take, std::iter::once(key.clone()));
                self.model_of(id)?.add(found);
                let item = StockTakeItemId::for_key(id, key);
                ensure!(answer == Answer::Item(item), "another line: {answer:?}");
            }
            OfTake::DeleteItem(item) => {
                self.model_of(id)?.lines.remove(item);
            }
            OfTake::Count(_, entered, _) => self.counted(&take, *entered, &answer)?,
            OfTake::Inventory(request) => {
                self.counted(&take, request.entered, &answer)?;
            }
            OfTake::Post(options) => {
                let Answer::Job(job) = answer else {
                    return Err("no job".into());
                };
                let run_at = self.now();
                self.jobs.insert(
                    job,
                    Job {
                        run_at,
                        take: id,
                        posts: true,
                    },
                );
                let model = self.model_of(id)?;
                model.state = StockTakeState::Posting;
                model.options = *options;
            }
            OfTake::Submit(options) => {
                self.lines_come(id);
                self.model_of(id)?.options = *options;
                self.posted(id, false).await?;
            }
            OfTake::PostLeftOver => self.posted(id, true).await?,
            OfTake::Dismiss(item) => {
                let line = self.model_of(id)?.lines.get_mut(item);
                let posting = line.and_then(|line| line.posting.as_mut());
                posting.ok_or("no posting")?.outcome = Outcome::Dismissed;
            }
            OfTake::Reopen(_) => self.reopened(id).await?,
        }
        self.look_for_nothing().await?;
        self.look_at_take(id).await
    }

    fn removed(
        &mut self,
        id: StockTakeId,
        which: impl Fn(&StockKey) -> bool,
        answer: &Answer,
    ) -> Result<(), String> {
        let lines = &mut self.model_of(id)?.lines;
        let before = lines.len();
        lines.retain(|_, line| !which(&line.key));
        let gone = u64::try_from(before - lines.len()).unwrap();
        ensure!(
            *answer == Answer::Number(gone),
            "{gone} were removed, not {answer:?}"
        );
        Ok(())
    }

    fn counted(&mut self, take: &Take, entered: Entered, answer: &Answer) -> Result<(), String> {
        let Answer::Line(item) = answer else {
            return Err("no line".into());
        };
        let line = take.lines.get(&item.id).ok_or("an unknown line")?;
        let key = self.stock[take.site].key(&line.key);
        let first = line.count.map(|count| count.first);
        let first = first.filter(|_| matches!(entered, Entered::Add(_)));
        let before = line.count.map_or(0, |count| count.there);
        let there = match entered {
            Entered::Set(quantity) => Some(quantity.micros()),
            Entered::Add(quantity) => Some(before + quantity.micros()),
            Entered::Clear => None,
        };
        let cost = item.count.as_ref().and_then(|count| count.unit_cost);
        if there.is_some() {
            let policy = self.policy(take.site, &line.key);
            check_cost(&key, cost, &policy)?;
        }
        let moment = key.counted_now(self.now());
        let count = there.map(|there| Counted {
            there,
            moment,
            first: first.unwrap_or(moment),
            book: key.level(),
            cost,
        });
        let line = self.model_of(take.id)?.lines.get_mut(&item.id);
        line.ok_or("an unknown line")?.count = count;
        *self.entries.entry((take.id, item.id)).or_default() += 1;
        Ok(())
    }

    /// Lines that are on their way come.
    fn lines_come(&mut self, id: StockTakeId) {
        let Some(take) = self.takes.get(&id).filter(|take| take.coming) else {
            return;
        };
        let keys = self.begun(take, self.stocked(take.site));
        if let Some(take) = self.takes.get_mut(&id) {
            take.coming = false;
            take.add(keys);
        }
        self.jobs.retain(|_, job| job.take != id || job.posts);
    }

    /// Books what a posting came to.
    async fn posted(&mut self, id: StockTakeId, left_over: bool) -> Result<(), String> {
        let mut take = self.takes[&id].clone();
        let events = self.fresh(take.site).await?;
        let items = self.items(id).await?;
        let takes = self.premises.library.stock_takes();
        let round = takes.get(&self.manager(), id).await.map_err(told)?;
        let round = round.take.round();
        let mut feed = Feed::of(&events);
        let now = self.now();
        let products = self.products.keys().copied();
        let stock = &self.stock[take.site];
        self.held = Some(products.filter(|product| stock.holds(*product)).collect());
        for (item, line) in self.due(&take, take.options, left_over) {
            let key = self.stock[take.site].key(&line.key);
            let verdict = self.verdict((&take, &line), take.options, &BTreeMap::new());
            let actual = items.get(&item).and_then(|item| item.posting.as_ref());
            let actual = actual.ok_or_else(|| format!("line {} is not posted", line.number))?;
            let cause = Cause::StockTake {
                take: id,
                item,
                round,
            };
            let mut posting = Posted {
                outcome: Outcome::Uncounted,
                zeroed: line.count.is_none() && take.options.zero_uncounted,
                change: 0,
                event: None,
                cause,
                minor: 0,
            };
            let unposted = Outcome::from(&actual.outcome) == Outcome::Unposted;
            match verdict {
                Verdict::Superseded => posting.outcome = Outcome::Superseded,
                Verdict::LeftAlone => {}
                Verdict::Refused(codes) => {
                    posting.outcome = Outcome::Unposted;
                    if let stocktake::domain::LineOutcome::Unposted { problem } = &actual.outcome {
                        ensure!(
                            codes.contains(&problem.code()),
                            "expected {codes:?}: {problem:?}"
                        );
                    }
                }
                Verdict::Unsure { .. }
                    if unposted && (left_over || take.options.skip_unpostable) =>
                {
                    posting.outcome = Outcome::Unposted;
                }
                Verdict::Known { moment, there } | Verdict::Unsure { moment, there } => {
                    let known = Known {
                        by: Knower::Line(cause),
                        moment,
                        there,
                    };
                    let before = key.level();
                    posting.change = key.level_after(moment, there) - before;
                    posting.outcome = if posting.change == 0 {
                        Outcome::Confirmed
                    } else {
                        Outcome::Adjusted
                    };
                    posting.minor = match (&line.count, key.average()) {
                        (Some(count), _) => pence(posting.change, count.cost),
                        (None, Some(average)) => {
                            pence(posting.change, UnitCost::from_micros(average).ok())
                        }
                        (None, None) => actual.adjustment_minor,
                    };
                    let history = self.history(take.site, &line.key);
                    let stock = &mut self.stock[take.site];
                    let model = stock.keys.entry(line.key.clone()).or_default();
                    model.updated_at = now;
                    posting.event = model
                        .post_line(&line.key, known, (&mut feed, now))
                        .map_err(|text| {
                            format!(
                                "line {} of {}, posted as {actual:?}: {text}\n{}",
                                line.number, line.key, history
                            )
                        })?;
                }
            }
            if let Some(line) = take.lines.get_mut(&item) {
                line.posting = Some(posting);
            }
        }
        feed.end()?;
        self.held = None;
        take.state = StockTakeState::Finished;
        let keys: Vec<StockKey> = take.lines.values().map(|line| line.key.clone()).collect();
        let site = take.site;
        self.takes.insert(id, take);
        self.book(site, &events).await?;
        for key in keys {
            self.look_at_key(site, &key).await?;
        }
        Ok(())
    }

    async fn reopened(&mut self, id: StockTakeId) -> Result<(), String> {
        let mut take = self.takes[&id].clone();
        let events = self.fresh(take.site).await?;
        let now = self.now();
        let mut feed = Feed::of(&events);
        let mut keys = Vec::new();
        for (item, line) in self.taken_back(&take) {
            let Some(posting) = &line.posting else {
                continue;
            };
            if matches!(posting.outcome, Outcome::Adjusted | Outcome::Confirmed) {
                self.stock[take.site]
                    .take_back_line(&line.key, posting.cause, posting.event, (&mut feed, now))
                    .map_err(|text| format!("line {}: {text}", line.number))?;
            }
            keys.push(line.key.clone());
            if let Some(line) = take.lines.get_mut(&item) {
                line.posting = None;
            }
        }
        feed.end()?;
        take.state = StockTakeState::Ongoing;
        let site = take.site;
        self.takes.insert(id, take);
        self.book(site, &events).await?;
        for key in keys {
            self.look_at_key(site, &key).await?;
        }
        Ok(())
    }

    /// Appends events to the model's ledger, and looks at their keys.
    async fn book(&mut self, site: usize, events: &[StockEvent]) -> Result<(), String> {
        let now = self.now();
        let terms = (&self.premises.sites[site], &self.products, now);
        self.stock[site].append(events, terms)?;
        let mut keys: Vec<StockKey> = events.iter().map(|event| event.key.clone()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            self.look_at_key(site, &key).await?;
        }
        self.look_for_nothing().await
    }

    // ---- jobs, retries, strangers ----------------------------------------------------------------

    async fn run_job(&mut self) -> Result<(), String> {
        self.look_abroad();
        let ran = Worker::new(&self.premises.library, "worker")
            .run_once()
            .await;
        let ran = ran.map_err(|error| error.to_string())?;
        self.note(format!("a job: {ran:?}"));
        let now = self.now();
        let id = match ran {
            Ran::Nothing => {
                let due = self.jobs.values().any(|job| job.run_at <= now);
                ensure!(!due, "a job is due, and nothing was done");
                return Ok(());
            }
            Ran::Done(id) => id,
            other => return Err(format!("the job was not done: {other:?}")),
        };
        let job = self.jobs.remove(&id).ok_or("a job that was over")?;
        ensure!(job.run_at <= now, "the job was not due");
        let id = job.take;
        if self.takes[&id].state == StockTakeState::Removed {
            return self.look_for_nothing().await;
        }
        self.lines_come(id);
        if job.posts {
            let (must, may) = {
                let take = &self.takes[&id];
                self.unpostable(take, take.options, false)
            };
            let takes = self.premises.library.stock_takes();
            let actual = takes.get(&self.manager(), id).await.map_err(told)?.take;
            let options = self.takes[&id].options;
            let refused = match (options.skip_unpostable, must, may) {
                (true, _, _) | (_, _, 0) => false,
                (false, 0, _) => actual.state() == StockTakeState::Ongoing,
                (false, _, _) => true,
            };
            if refused {
                self.model_of(id)?.state = StockTakeState::Ongoing;
                let refusal = actual.refusal().ok_or("no refusal")?;
                self.check_refusal(id, options, refusal)?;
            } else {
                self.posted(id, false).await?;
            }
        }
        self.look_for_nothing().await?;
        self.look_at_take(id).await
    }

    /// Asks again for something that was done: the same answer, and nothing happens.
    async fn retry(&mut self) -> Result<(), String> {
        let recent = self.answered.len().saturating_sub(40);
        let newest = self.answered.last().cloned();
        let again = if self.random.percent(60) {
            newest
        } else {
            self.random.pick(&self.answered[recent..]).cloned()
        };
        let Some(again) = again else { return Ok(()) };
        let fresh = again.step + 1 == self.steps;
        let library = self.premises.library.clone();
        let gone = self.is_gone(&again);
        let by_article = matches!(&again.operation, Operation::OfTake(_, OfTake::Inventory(_)));
        if let Operation::OfTake(id, _) = &again.operation {
            let state = self.takes[id].state;
            if state == StockTakeState::Posting && !fresh {
                // Who asks again for a posting helps with the one that is under way.
                return Ok(());
            }
            if let (StockTakeState::Ongoing, Operation::OfTake(_, OfTake::Post(_))) =
                (state, &again.operation)
            {
                // Of a posting that was refused in the background, the key is good for another one.
                return Ok(());
            }
        }
        self.note(format!("again: {:?}", again.operation));
        let sites = &self.premises.sites;
        let result = again.operation.run(&library, sites, &again.caller).await;
        let same = match (&result, &again.answer) {
            (Err(error), _) if gone => error.code() == "not_found",
            // Which line is meant is looked for first, and the take has got another line of the article.
            (Err(error), Answer::Line(_)) if !fresh && by_article => {
                matches!(error.code(), "ambiguous_article" | "idempotency_key_reused")
            }
            (Ok(Answer::Take(now)), Answer::Take(then)) if !fresh => now.id() == then.id(),
            (Ok(now), then) => now == then,
            (Err(_), _) => false,
        };
        ensure!(same, "first {:?}, then {result:?}", again.answer);
        self.look_for_nothing().await?;
        if let Operation::OfTake(id, _) = &again.operation {
            return self.look_at_take(*id).await;
        }
        Ok(())
    }

    /// Whether the take or the line that a command was about is no longer there.
    fn is_gone(&self, answered: &Answered) -> bool {
        let is_removed = |id| {
            let take: Option<&Take> = self.takes.get(id);
            take.is_none_or(|take| take.state == StockTakeState::Removed)
        };
        let of_it = match &answered.operation {
            Operation::OfTake(id, _) if is_removed(id) => true,
            Operation::OfTake(id, what) => match (what, &answered.answer) {
                (OfTake::Count(item, ..), _) => !self.takes[id].lines.contains_key(item),
                (OfTake::Inventory(_), Answer::Line(line)) => {
                    !self.takes[id].lines.contains_key(&line.id)
                }
                (_, _) => false,
            },
            _ => false,
        };
        of_it || matches!(&answered.answer, Answer::Take(take) if is_removed(&take.id()))
    }

    /// Uses a key for another request.
    async fn reuse(&mut self) -> Result<(), String> {
        let Some(last) = self.answered.last().cloned() else {
            return Ok(());
        };
        let Some(other) = last.operation.altered() else {
            return Ok(());
        };
        if self.is_gone(&last) {
            return Ok(());
        }
        self.note(format!("with the key of another request: {other:?}"));
        let library = self.premises.library.clone();
        let result = other
            .run(&library, &self.premises.sites, &last.caller)
            .await;
        let code = result.as_ref().map_err(Error::code);
        ensure!(code.err() == Some("idempotency_key_reused"), "{result:?}");
        self.look_for_nothing().await
    }

    /// The stranger moves stock of keys that look like ours.
    async fn move_abroad(&mut self) -> Result<(), String> {
        let caller = Caller::of(&self.premises.people.stranger);
        let key = self.premises.keys[0][0].clone();
        let unit_cost = self.premises.products[0].standard_cost("gbp".parse().unwrap());
        let quantity = stocktake::domain::Quantity::ONE;
        let receipt = stocktake::service::Movement::Receipt {
            key,
            quantity,
            unit_cost,
        };
        self.note("the stranger receives one".into());
        let site = self.premises.sites[0].id;
        let stock = self.premises.library.stock();
        stock
            .record(&caller, site, &[receipt.into()])
            .await
            .map_err(told)?;
        self.abroad += ONE;
        self.look_for_nothing().await
    }
}

/// What is on hand of a key after a line of it was posted, and whether that is sure.
fn after(key: &Key, verdict: &Verdict) -> (i64, bool) {
    match verdict {
        Verdict::Known { moment, there } => (key.level_after(*moment, *there), true),
        Verdict::Unsure { moment, there } => {
            let after = key.level_after(*moment, *there);
            (after, after == key.level())
        }
        Verdict::Superseded | Verdict::LeftAlone | Verdict::Refused(_) => (key.level(), true),
    }
}

/// The cost that a count is valued at.
fn check_cost(key: &Key, cost: Option<UnitCost>, policy: &Policy<'_>) -> Result<(), String> {
    let expected = key.average();
    let known = key.has_cost(key.level(), policy) || policy.site.policy.allow_zero_cost;
    let right = match expected {
        Some(average) => cost.map(UnitCost::micros) == Some(average),
        None => cost.is_none() || known,
    };
    ensure!(right, "valued at {cost:?}, not {expected:?}");
    Ok(())
}

fn created(answer: &Answer) -> Result<&StockTake, String> {
    match answer {
        Answer::Take(take) => Ok(take),
        other => Err(format!("no take: {other:?}")),
    }
}

fn told(error: Error) -> String {
    format!("{}: {error:?}", error.code())
}
