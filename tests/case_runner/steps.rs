//! Playing one step: it is read, made as a call of the library, and what it did is kept.

use serde_json::Value;
use stocktake::domain::{Quantity, StockEvent};
use stocktake::service::{Movement, NewMovement};
use stocktake::store::{ChangeSet, Command as Stored, CommandId, CommitError, Digest, Outcome};

use super::calendar::end_of;
use super::commands::Command;
use super::stock_steps::reason_of;
use super::trouble::{Refusal, Tried, Trouble};
use super::words::Words;
use super::world::{Played, World};
use super::{adjustment_steps, count_steps, import_steps, order_steps, row_steps, stock_steps};

/// The steps of this file.
const OPS: &[&str] = &[
    "movement",
    "set_level",
    "set_cost",
    "serialise",
    "reserve",
    "release",
    "read",
    "event_update",
    "parallel",
    "period_close",
    "period_reopen",
    "set_policy",
];

/// Whether the library has a counterpart for a step.
pub(crate) fn is_op(op: &str) -> bool {
    [
        OPS,
        stock_steps::OPS,
        count_steps::OPS,
        adjustment_steps::OPS,
        import_steps::OPS,
        order_steps::OPS,
        row_steps::OPS,
    ]
    .iter()
    .any(|ops| ops.contains(&op))
}

impl World {
    /// Plays the next step. A refusal is kept with it; only what can't be played at all is an error.
    pub(crate) async fn play_step(&mut self, step: &Value) -> Tried<()> {
        let words = Words::of(step)?;
        let op = words.need("op")?;
        if op == "count_open" && words.names("facts") {
            self.bring_in_expected(&words).await?;
        }
        let before = self.picture().await?;
        let known = self.events.len();
        self.clock.advance_seconds(1);
        (self.imported, self.adjusted, self.attempts) = (None, None, Vec::new());
        (self.posted, self.also) = (None, Vec::new());
        let outcome = match self.play_at(&op, &words).await {
            Ok(()) => Ok(()),
            Err(Trouble::Refused(mut refusal)) => {
                refusal.codes.append(&mut self.also);
                if refusal.answers_to("not_found") && self.is_of_some_site(&words)? {
                    // What is of a site that an actor does not see is not there for them.
                    refusal.codes.push("permission_denied");
                }
                Err(refusal)
            }
            Err(other) => return Err(other),
        };
        let was_read = outcome.as_ref().err().is_none_or(|it| !it.while_reading);
        if let (true, Some(field)) = (was_read, words.unread().first()) {
            return Err(Trouble::unsupported(format!("{op}.{field}")));
        }
        let after = self.picture().await?;
        let events: Vec<StockEvent> = self.events.get(known..).unwrap_or_default().to_vec();
        let played = Played {
            op,
            step: step.clone(),
            posted: self.posted.take(),
            outcome,
            attempts: std::mem::take(&mut self.attempts),
            events,
            import: self.imported.take(),
            adjustment: self.adjusted.take(),
            before,
            after,
        };
        self.played.push(played);
        Ok(())
    }

    /// Plays a step, at the instant that it names. Movements state their time; for the rest it is then.
    async fn play_at(&mut self, op: &str, words: &Words) -> Tried<()> {
        let states_time = stock_steps::OPS.contains(&op)
            || ["movement", "order_receive", "order_receive_all"].contains(&op);
        if states_time {
            return self.play(op, words).await;
        }
        let now = self.now();
        let Some(instant) = words.text("at")? else {
            // A date ahead moves the clock; on a past one nothing of this can be done.
            return match self.stated_time(words, true)? {
                None => self.play(op, words).await,
                Some(_) => Err(Trouble::unsupported(format!("{op} on a past date"))),
            };
        };
        let instant = self.calendar.instant(&instant, now)?;
        self.clock.set(instant);
        let done = self.play(op, words).await;
        self.clock.set(now.max(instant));
        done
    }

    async fn play(&mut self, op: &str, words: &Words) -> Tried<()> {
        if row_steps::OPS.contains(&op) {
            return self.play_rows(op, words).await;
        }
        if op == "reverse"
            && let Some(count) = self.posted_by(words)?
        {
            return self.take_back(words, &count).await;
        }
        if let Some(command) = self.command(op, words).await? {
            self.adjusted = command.call(&self.library).await?;
            return Ok(());
        }
        if count_steps::OPS.contains(&op) {
            return self.play_count(op, words).await;
        }
        if import_steps::OPS.contains(&op) {
            return self.import(op, words).await;
        }
        if order_steps::OPS.contains(&op) {
            return self.play_order(op, words).await;
        }
        match op {
            "set_level" => self.set_level(words).await,
            "set_cost" => self.set_cost(words).await,
            "read" => self.read(words).await,
            "event_update" => self.update_event(words).await,
            "parallel" => self.play_at_once(words).await,
            "period_close" => {
                let day = self.calendar.day(&words.need("until")?)?;
                if day >= self.today() {
                    let word = "period_close of a day that is not over (any closing date is taken)";
                    return Err(Trouble::unsupported(word));
                }
                self.policy.closed_until = Some(end_of(day));
                self.keep_policy().await
            }
            "period_reopen" => {
                self.policy.closed_until = None;
                self.keep_policy().await
            }
            "set_policy" => {
                let (policy, value) = (words.need("policy")?, words.need("value")?);
                self.set_policy(&policy, &value).await
            }
            _ => Err(Trouble::unsupported(format!("op {op}"))),
        }
    }

    /// The one call that a step is, if it is one.
    async fn command(&mut self, op: &str, words: &Words) -> Tried<Option<Command>> {
        let command = match op {
            _ if stock_steps::OPS.contains(&op) => {
                if op.ends_with("_via") {
                    // One handle of the store is as good as another.
                    words.either(&["handle", "via"])?;
                }
                self.movements_of(op, words).await?
            }
            "movement" => self.movement(words).await?,
            "serialise" => self.serialise(words).await?,
            "reserve" | "release" => {
                let quantity = words.need_quantity("qty")?;
                Command::Reserve {
                    caller: self.actor(words)?,
                    key: self.key(words).await?,
                    change: if op == "reserve" {
                        quantity
                    } else {
                        quantity.negated()
                    },
                }
            }
            "adjust_request" => self.request_of(words).await?,
            "adjust_approve" => self.approval_of(words)?,
            "order_receive" | "order_receive_all" => self.receipt_of(op, words).await?,
            "order_return" => self.return_of(words).await?,
            _ => return Ok(None),
        };
        Ok(Some(command))
    }

    /// One step, by several tasks at once. It went through if one of them did.
    async fn play_at_once(&mut self, words: &Words) -> Tried<()> {
        let times = words.step("times")?.unwrap_or(2);
        let step = words.inner("step")?;
        let op = step.need("op")?;
        let command = match op.as_str() {
            "count_post" => Some(self.posting_of(&step)?),
            "count_record" => Some(self.counting_of(&step).await?),
            "set_level" => self.command("reset", &step).await?,
            _ if is_op(&op) => self.command(&op, &step).await?,
            _ => None,
        };
        let Some(command) = command else {
            return self.play_in_turn(times, &op, &step).await;
        };
        self.attempts = command.call_at_once(&self.library, times).await?;
        if self.attempts.iter().any(Result::is_ok) {
            return Ok(());
        }
        let refusal = self.attempts.iter().find_map(|it| it.as_ref().err());
        Err(Trouble::Refused(refusal.cloned().unwrap_or_default()))
    }

    /// Several tasks of which each takes several calls: one after the other is one of the ways in which they can meet.
    async fn play_in_turn(&mut self, times: usize, op: &str, step: &Words) -> Tried<()> {
        if !is_op(op) || op == "parallel" {
            return Err(Trouble::unsupported(format!("parallel {op}")));
        }
        let mut attempts = Vec::with_capacity(times);
        for _ in 0..times {
            attempts.push(match Box::pin(self.play(op, step)).await {
                Ok(()) => Ok(()),
                Err(Trouble::Refused(refusal)) => Err(refusal),
                Err(other) => return Err(other),
            });
        }
        self.attempts = attempts;
        if self.attempts.iter().any(Result::is_ok) {
            return Ok(());
        }
        let refusal = self.attempts.iter().find_map(|it| it.as_ref().err());
        Err(Trouble::Refused(refusal.cloned().unwrap_or_default()))
    }

    /// The count that the step posted which is to be reversed.
    fn posted_by(&self, words: &Words) -> Tried<Option<String>> {
        let step = words.need_step("of_step")?;
        Ok(self
            .played
            .get(step)
            .and_then(|played| played.posted.clone()))
    }

    /// The way to take a posted count back is to reopen it.
    async fn take_back(&mut self, words: &Words, count: &str) -> Tried<()> {
        let caller = self.actor(words)?;
        let take = Self::take_of(&self.counted_as(count)?, "reverse")?;
        let reason = reason_of(words)?;
        let takes = self.library.stock_takes();
        takes.reopen(&caller, take, reason).await?;
        Ok(())
    }

    /// What a handle reads, it remembers.
    async fn read(&mut self, words: &Words) -> Tried<()> {
        let handle = words.either(&["handle", "via"])?.unwrap_or_default();
        let key = self.key(words).await?;
        let level = self.level(&key).await?;
        let quantity = level.map_or(Quantity::ZERO, |it| it.quantity());
        self.handles
            .entry(handle)
            .or_default()
            .insert(key, quantity);
        Ok(())
    }

    /// The standard cost of a product. What is on hand costs that as well from then on, by a revaluation of each of its
    /// keys: by itself the standard cost values nothing here.
    async fn set_cost(&mut self, words: &Words) -> Tried<()> {
        let product = words.text("product")?.unwrap_or_else(|| "P".to_owned());
        let cost = words.cost("unit_cost")?;
        let (caller, currency) = (self.actor(words)?, self.currency);
        self.change_product(&product, |product| product.unit_costs.set(currency, cost))
            .await?;
        let Some(unit_cost) = cost else {
            return Ok(());
        };
        let chosen = self.chosen(words).await?;
        for level in self.chosen_levels(&chosen).await? {
            let key = level.key().clone();
            if !level.quantity().is_zero() {
                let site = key.site;
                let new = [NewMovement::from(Movement::Revalue { key, unit_cost })];
                self.library.stock().record(&caller, site, &new).await?;
            }
        }
        Ok(())
    }

    /// Nothing of the library changes an event. The only door to the ledger is a commit, and that refuses a second
    /// event of the same id.
    async fn update_event(&mut self, words: &Words) -> Tried<()> {
        let step = words.need_step("of_step")?;
        let delta = words.quantity("delta")?;
        let event = self.events_of(step)?.into_iter().next();
        let mut event =
            event.ok_or_else(|| Trouble::broken(format!("step {step} has no event")))?;
        if let Some(delta) = delta {
            event.after = event.before.checked_add(delta)?;
            event.change = delta;
        }
        let command = Stored {
            id: CommandId::new("event_update", event.id),
            digest: Digest::of("event_update").field(event.id).finish(),
            outcome: Outcome::Done,
            at: self.now(),
        };
        let mut changes = ChangeSet::new(self.organisation, command);
        changes.event(event);
        match self.store.repository.commit(&changes).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict(conflicts)) => Err(Trouble::Refused(Refusal {
                codes: vec!["invalid_state", "conflict"],
                told: format!("the ledger is append-only: {conflicts:?}"),
                ..Refusal::default()
            })),
            Err(error) => Err(Trouble::broken(format!("the store failed: {error}"))),
        }
    }
}
