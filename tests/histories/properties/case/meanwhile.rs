//! Jobs, retries, and a stranger.

use stocktake::domain::StockTakeState;
use stocktake::jobs::{Ran, Worker};
use stocktake::service::{Caller, Error};

use super::super::amounts::ONE;
use super::super::operation::{Answer, OfTake, Operation};
use super::super::takes::Take;
use super::{Answered, Case, told};

impl Case {
    pub(super) async fn run_job(&mut self) -> Result<(), String> {
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
        let job_id = id;
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
                // Its key is good for another one.
                self.answered.retain(|it| it.answer != Answer::Job(job_id));
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
    pub(super) async fn retry(&mut self) -> Result<(), String> {
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
        }
        self.note(format!("again: {:?}", again.operation));
        let sites = &self.premises.sites;
        let result = again.operation.run(&library, sites, &again.caller).await;
        let same = match (&result, &again.answer) {
            // Which line is meant is looked for first, and the take has got another line of the article.
            (Err(error), Answer::Line(_)) if !fresh && by_article => match error.code() {
                "ambiguous_article" | "idempotency_key_reused" => true,
                code => gone && code == "not_found",
            },
            (Err(error), _) if gone => error.code() == "not_found",
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
    pub(super) fn is_gone(&self, answered: &Answered) -> bool {
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
    pub(super) async fn reuse(&mut self) -> Result<(), String> {
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
    pub(super) async fn move_abroad(&mut self) -> Result<(), String> {
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
