//! What a step did: its ledger events, and what they cost.

use rust_decimal::Decimal;
use stocktake::domain::{Cause, StockEvent, StockEventKind};

use super::stock_checks::{compare_layers, differs, expected_layers, half_up, merged};
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::{Played, World};

/// The checks of this file.
pub(crate) const CHECKS: &[&str] = &[
    "value_delta",
    "issue_cost",
    "issue_cost_list",
    "receipt_unit_cost",
    "consumed",
    "cost_correction",
    "movements",
    "movement_count",
    "events",
    "event_count",
    "event_deltas",
    "change_notifications",
    "stock_records_created",
    "adjustment_documents",
];

/// What goods cost that left, each movement for itself.
fn costs_out(events: &[StockEvent]) -> Vec<Decimal> {
    events
        .iter()
        .filter(|event| event.change.is_negative())
        .map(|event| event.value_change.negated().to_decimal())
        .collect()
}

fn moved(events: &[StockEvent]) -> impl Iterator<Item = &StockEvent> {
    events.iter().filter(|event| !event.change.is_zero())
}

/// The library's kind of event behind a word of the vocabulary.
fn kind_named(word: &str) -> Tried<StockEventKind> {
    let own = match word {
        "received" | "receive" => "receipt",
        "issued" | "shipped" => "issue",
        "count" => "count_variance",
        "adjusted" => "external_adjustment",
        "deleted" | "delisted" => "removed",
        other => other,
    };
    serde_json::from_value(serde_json::Value::from(own))
        .map_err(|_| Trouble::unsupported(format!("event type {word}")))
}

/// A line that a check expects among the events of a step.
struct Line {
    words: Words,
    wanted: String,
}

impl World {
    pub(crate) fn played_step(&self, step: usize) -> Tried<&Played> {
        self.played
            .get(step)
            .ok_or_else(|| Trouble::broken(format!("step {step} has not been played")))
    }

    /// The events of the step that a check names, without one those of all steps; narrowed by what else it names.
    async fn events_named(&self, words: &Words) -> Tried<Vec<StockEvent>> {
        let mut events = match words.step("step")? {
            Some(step) => self.played_step(step)?.events.clone(),
            None => self.events.clone(),
        };
        events.retain(|event| !self.opening.contains(&event.id));
        if let Some(kind) = words.text("type")? {
            let kind = kind_named(&kind)?;
            events.retain(|event| event.kind == kind);
        }
        let narrowing = [
            "product",
            "location",
            "locations",
            "lot",
            "batch",
            "serial",
            "variant",
        ];
        if narrowing.iter().any(|field| words.names(field)) {
            let chosen = self.chosen(words).await?;
            let any_product = !words.names("product");
            events.retain(|event| self.is_chosen_of(&chosen, &event.key, any_product));
        }
        Ok(events)
    }

    pub(crate) async fn check_ledger(&self, check: &str, words: &Words) -> Tried<()> {
        let events = self.events_named(words).await?;
        let events = events.as_slice();
        match check {
            "value_delta" => {
                let changes = events.iter().map(|event| event.value_change.to_decimal());
                self.compare_amount(check, words, changes.sum())
            }
            "issue_cost" => {
                let cost = costs_out(events).into_iter().sum();
                self.compare_amount(check, words, cost)
            }
            "issue_cost_list" => self.check_costs(words, &costs_out(events)),
            "receipt_unit_cost" => {
                let receipt = events.iter().find(|event| event.change.is_positive());
                let receipt = receipt.ok_or_else(|| differs(check, "a receipt", "none"))?;
                let amount = words.either(&["amount", "unit_cost"])?;
                let words = words.with_default("amount", amount);
                self.compare_amount(check, &words, receipt.unit_cost.to_decimal())
            }
            "consumed" => {
                let expected = expected_layers(words)?;
                let parts = events
                    .iter()
                    .filter(|event| event.change.is_negative())
                    .flat_map(|event| &event.parts);
                let parts =
                    parts.map(|part| (part.quantity.to_decimal(), part.unit_cost.to_decimal()));
                compare_layers(check, words, &expected, &merged(parts))
            }
            "cost_correction" => self.check_correction(words),
            "movements" | "change_notifications" => {
                self.check_movements(check, words, events).await
            }
            "movement_count" => Self::compare_count(check, words, moved(events).count()),
            "events" => self.check_events(words, events).await,
            "event_count" => Self::compare_count(check, words, events.len()),
            "event_deltas" => {
                let expected = words.texts("deltas")?.unwrap_or_default();
                let found: Vec<String> = events
                    .iter()
                    .map(|event| event.change.to_string())
                    .collect();
                (expected == found)
                    .then_some(())
                    .ok_or_else(|| differs(check, expected.join(", "), found.join(", ")))
            }
            "stock_records_created" => {
                let created = events.iter().filter(|event| event.sequence == 1);
                Self::compare_count(check, words, created.count())
            }
            "adjustment_documents" => Self::check_documents(words, events),
            _ => Err(Trouble::unsupported(format!("check {check}"))),
        }
    }

    pub(crate) fn compare_count(what: &str, words: &Words, found: usize) -> Tried<()> {
        let expected = words.either(&["value", "count"])?;
        let expected =
            expected.ok_or_else(|| Trouble::broken(format!("{what} expects nothing")))?;
        (expected == found.to_string())
            .then_some(())
            .ok_or_else(|| differs(what, expected, found))
    }

    /// What goods cost that left, exactly or in whole minor units. Booked so, each takes what the running total is
    /// rounded to, so that nothing of the sum is lost.
    fn check_costs(&self, words: &Words, found: &[Decimal]) -> Tried<()> {
        words.text("currency")?;
        let texts = match words.texts("amounts")? {
            Some(texts) => texts,
            None => words.texts("list")?.unwrap_or_default(),
        };
        let expected: Result<Vec<Decimal>, _> = texts.iter().map(|text| text.parse()).collect();
        let mut expected =
            expected.map_err(|_| Trouble::broken("issue_cost_list has no amounts"))?;
        let digits = match words.whole("dp")? {
            Some(digits) => u32::try_from(digits).unwrap_or(0),
            None => self.currency.minor_digits(),
        };
        let mut total = Decimal::ZERO;
        let mut booked: Vec<Decimal> = found
            .iter()
            .map(|cost| {
                let before = half_up(total, digits);
                total += *cost;
                half_up(total, digits) - before
            })
            .collect();
        let mut found = found.to_vec();
        if words.flag("order_may_vary")?.unwrap_or(false) {
            expected.sort();
            booked.sort();
            found.sort();
        }
        (expected == found || expected == booked)
            .then_some(())
            .ok_or_else(|| {
                differs(
                    "issue_cost_list",
                    format!("{expected:?}"),
                    format!("{found:?}"),
                )
            })
    }

    /// What later receipts booked beside what they cost, because they settled what a step had taken below zero.
    fn check_correction(&self, words: &Words) -> Tried<()> {
        let step = words.need_step("of_step")?;
        let keys: Vec<_> = self
            .played_step(step)?
            .events
            .iter()
            .map(|event| &event.key)
            .collect();
        let later = self.played.iter().skip(step + 1).flat_map(|it| &it.events);
        let settling =
            later.filter(|event| event.change.is_positive() && keys.contains(&&event.key));
        let correction = settling.map(|event| {
            let cost: Decimal = event.parts.iter().map(|part| part.value.to_decimal()).sum();
            event.value_change.to_decimal() - cost
        });
        self.compare_amount("cost_correction", words, correction.sum())
    }

    /// Each expected line is one movement, and there is no other. What does not change is no movement; a host that
    /// reads the change feed skips it, so it is no notification either.
    async fn check_movements(
        &self,
        check: &str,
        words: &Words,
        events: &[StockEvent],
    ) -> Tried<()> {
        let mut left: Vec<&StockEvent> = moved(events).collect();
        let mut found = Vec::new();
        for event in &left {
            let name = self.name_of(event.key.product).await?;
            let at = self.location_of(&event.key);
            found.push(format!("{name}@{at} {}", event.change));
        }
        let found = format!("[{}]", found.join(", "));
        for words in words.need_objects("lines")? {
            let line = Line {
                wanted: format!("{:?}", words.raw("delta")),
                words,
            };
            let mut position = None;
            for (index, event) in left.iter().enumerate() {
                if self.is_line(&line, event).await? {
                    position = Some(index);
                    break;
                }
            }
            match position {
                Some(index) => drop(left.remove(index)),
                None => return Err(differs(check, format!("a line of {}", line.wanted), found)),
            }
        }
        left.is_empty()
            .then_some(())
            .ok_or_else(|| differs(check, "no other line", found))
    }

    async fn is_line(&self, line: &Line, event: &StockEvent) -> Tried<bool> {
        let words = &line.words;
        let chosen = self.chosen(words).await?;
        let same =
            |expected: Option<Decimal>, found: Decimal| expected.is_none_or(|it| it == found);
        let kind = words
            .text("type")?
            .map(|word| kind_named(&word))
            .transpose()?;
        Ok(self.is_chosen(&chosen, &event.key)
            && kind.is_none_or(|kind| kind == event.kind)
            && same(words.decimal("delta")?, event.change.to_decimal())
            && same(words.decimal("qty_before")?, event.before.to_decimal())
            && same(words.decimal("qty_after")?, event.after.to_decimal()))
    }

    /// So many events of each type, and no others.
    async fn check_events(&self, words: &Words, events: &[StockEvent]) -> Tried<()> {
        let mut expected_total = 0;
        for line in words.need_objects("lines")? {
            let kind = line
                .text("type")?
                .map(|word| kind_named(&word))
                .transpose()?;
            let expected = line.step("count")?.unwrap_or(1);
            expected_total += expected;
            let mut found = 0;
            for event in events {
                let of_product = if line.names("product") {
                    let chosen = self.chosen(&line).await?;
                    self.is_chosen(&chosen, &event.key)
                } else {
                    true
                };
                let delta = line.decimal("delta")?;
                let of_delta = delta.is_none_or(|delta| delta == event.change.to_decimal());
                if of_product && of_delta && kind.is_none_or(|kind| kind == event.kind) {
                    found += 1;
                }
            }
            if found != expected {
                let kind = kind.map_or("event", StockEventKind::as_str);
                return Err(differs("events", format!("{expected} {kind}"), found));
            }
        }
        (expected_total == events.len())
            .then_some(())
            .ok_or_else(|| differs("events", expected_total, events.len()))
    }

    /// The posting of a count is one document: it counts on a side where it booked something.
    fn check_documents(words: &Words, events: &[StockEvent]) -> Tried<()> {
        let sides = [("increase", false), ("decrease", true)];
        for (side, negative) in sides {
            let mut documents: Vec<String> = events
                .iter()
                .filter(|event| event.change.is_negative() == negative && !event.change.is_zero())
                // Taking a posting back is not posting.
                .filter(|event| event.kind != StockEventKind::Reversal)
                .filter_map(|event| match event.cause {
                    Cause::StockTake { take, round, .. } => Some(format!("{take}/{round}")),
                    Cause::InventoryCount(count) => Some(count.to_string()),
                    Cause::Adjustment(adjustment) => Some(adjustment.to_string()),
                    _ => None,
                })
                .collect();
            documents.sort();
            documents.dedup();
            let expected = words.step(side)?.unwrap_or(0);
            if documents.len() != expected {
                return Err(differs(
                    format!("{side} documents"),
                    expected,
                    documents.len(),
                ));
            }
        }
        Ok(())
    }
}
