//! What a posting came to, and what taking it back did.

use std::collections::BTreeMap;

use stocktake::domain::{Cause, StockEvent, StockKey, StockTakeId, StockTakeState, UnitCost};

use super::super::amounts::pence;
use super::super::stock::{Feed, Knower, Known};
use super::super::takes::{Outcome, Posted, Verdict};
use super::{Case, told};

impl Case {
    /// Books what a posting came to.
    pub(super) async fn posted(&mut self, id: StockTakeId, left_over: bool) -> Result<(), String> {
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
                                "line {} of {}, {:?}, posted as {actual:?}: {text}\n{}",
                                line.number, line.key, line.count, history
                            )
                        })?;
                }
            }
            if let Some(line) = take.lines.get_mut(&item) {
                line.posting = Some(posting);
            }
        }
        if let (Err(text), Some(last)) = (feed.end(), events.last()) {
            return Err(format!("{text}\n{}", self.history(take.site, &last.key)));
        }
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

    pub(super) async fn reopened(&mut self, id: StockTakeId) -> Result<(), String> {
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
    pub(super) async fn book(&mut self, site: usize, events: &[StockEvent]) -> Result<(), String> {
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
}
