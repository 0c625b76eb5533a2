//! What an operation came to.

use std::collections::BTreeMap;

use stocktake::domain::{
    Entered, PostingOptions, Quantity, StockKey, StockTake, StockTakeId, StockTakeItemId,
    StockTakeState, Timestamp, UnitCost,
};
use stocktake::service::Error;

use super::super::operation::{Answer, OfTake, Operation};
use super::super::stock::{Key, Policy};
use super::super::takes::{Counted, Outcome, Take};
use super::{Case, Job};

impl Case {
    /// An operation was refused: nothing has changed, but that lines have come that were on their way.
    pub(super) async fn refused(
        &mut self,
        operation: &Operation,
        error: &Error,
    ) -> Result<(), String> {
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

    pub(super) async fn done(
        &mut self,
        operation: &Operation,
        answer: Answer,
    ) -> Result<(), String> {
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
            Operation::PutProduct(changed) => {
                self.products.insert(changed.id, (**changed).clone());
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
                    let keys = self.begun(&self.takes[&take.id()], self.countable(*site));
                    self.model_of(take.id())?.add(keys);
                }
                self.look_at_take(take.id()).await
            }
            Operation::OfTake(id, what) => self.done_to_take(*id, what, answer).await,
        }
    }

    pub(super) fn model_of(&mut self, id: StockTakeId) -> Result<&mut Take, String> {
        self.takes.get_mut(&id).ok_or("an unknown take".into())
    }

    pub(super) fn created(
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

    pub(super) async fn done_to_take(
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
                let stocked: Vec<StockKey> = self.countable(take.site).collect();
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
                let keys = self.countable(take.site);
                let keys = keys.filter(|key| key.place.as_ref() == Some(place));
                let keys = self.begun(&take, keys);
                self.model_of(id)?.add(keys);
            }
            OfTake::AddAll => {
                let keys = self.begun(&take, self.countable(take.site));
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
            OfTake::Count(_, request) => {
                let entered = (request.entered, request.counted_at);
                self.counted(&take, entered, &answer)?;
            }
            OfTake::Inventory(request) => {
                let entered = (request.entered, request.counted_at);
                self.counted(&take, entered, &answer)?;
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

    pub(super) fn removed(
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

    pub(super) fn counted(
        &mut self,
        take: &Take,
        (entered, counted_at): (Entered, Option<Timestamp>),
        answer: &Answer,
    ) -> Result<(), String> {
        let Answer::Line(item) = answer else {
            return Err("no line".into());
        };
        let line = take.lines.get(&item.id).ok_or("an unknown line")?;
        let key = self.stock[take.site].key(&line.key);
        let now = self.now();
        let (moment, book) = match counted_at {
            Some(at) => key.counted_at(at.micros()),
            None => (key.counted_now(now), key.level()),
        };
        let cost = item.count.as_ref().and_then(|count| count.unit_cost);
        let counted = |quantity: Quantity, was_set| Counted {
            there: quantity.micros(),
            moment,
            first: moment,
            book,
            was_set,
            cost,
        };
        let count = match (entered, line.count) {
            (Entered::Clear, _) => None,
            (Entered::Set(quantity), _) => Some(counted(quantity, true)),
            (Entered::Add(quantity), None) => Some(counted(quantity, false)),
            (Entered::Add(quantity), Some(before)) => {
                Some(before.with_part(counted(quantity, false), now))
            }
        };
        if count.is_some() {
            let policy = self.policy(take.site, &line.key);
            check_cost(&key, cost, &policy)?;
        }
        let line = self.model_of(take.id)?.lines.get_mut(&item.id);
        line.ok_or("an unknown line")?.count = count;
        *self.entries.entry((take.id, item.id)).or_default() += 1;
        Ok(())
    }

    /// Lines that are on their way come.
    pub(super) fn lines_come(&mut self, id: StockTakeId) {
        let Some(take) = self.takes.get(&id).filter(|take| take.coming) else {
            return;
        };
        let keys = self.begun(take, self.countable(take.site));
        if let Some(take) = self.takes.get_mut(&id) {
            take.coming = false;
            take.add(keys);
        }
        self.jobs.retain(|_, job| job.take != id || job.posts);
    }
}

/// The cost that a count is valued at.
pub(super) fn check_cost(
    key: &Key,
    cost: Option<UnitCost>,
    policy: &Policy<'_>,
) -> Result<(), String> {
    let expected = key.average();
    let known = key.has_cost(key.level(), policy) || policy.site.policy.allow_zero_cost;
    let right = match expected {
        Some(average) => cost.map(UnitCost::micros) == Some(average),
        None => cost.is_none() || known,
    };
    ensure!(right, "valued at {cost:?}, not {expected:?}");
    Ok(())
}

pub(super) fn created(answer: &Answer) -> Result<&StockTake, String> {
    match answer {
        Answer::Take(take) => Ok(take),
        other => Err(format!("no take: {other:?}")),
    }
}
