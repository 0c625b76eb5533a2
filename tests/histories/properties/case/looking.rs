//! Comparing the library with the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use stocktake::domain::{
    CostingMethod, StockEvent, StockKey, StockTakeId, StockTakeItem, StockTakeItemId,
    StockTakeState,
};
use stocktake::service::Caller;
use stocktake::store::{ArticleSort, MAX_PAGE, PageRequest, StockTakeItemFilter};

use super::super::amounts::{ONE, units, units_of_sum};
use super::super::stock::Stock;
use super::super::takes::Outcome;
use super::{Case, told};

impl Case {
    /// What has been booked at a site since the model last looked.
    pub(super) async fn fresh(&self, site: usize) -> Result<Vec<StockEvent>, String> {
        let known = u64::try_from(self.stock[site].ledger.len()).unwrap();
        let stock = self.premises.library.stock();
        let id = self.premises.sites[site].id;
        let entries = stock.ledger(&self.manager(), id, known, 10_000).await;
        let entries = entries.map_err(told)?;
        for (entry, position) in entries.iter().zip(known + 1..) {
            ensure!(
                entry.position == position,
                "position {position} is missing: {entry:?}"
            );
        }
        Ok(entries.into_iter().map(|entry| entry.event).collect())
    }

    /// Nothing is booked that the model does not know. What was is found by whoever looks at its site next, so that a store
    /// that is slow is asked now and then only.
    pub(super) async fn look_for_nothing(&self) -> Result<(), String> {
        if !self.steps.is_multiple_of(self.rarely) {
            return Ok(());
        }
        for site in 0..self.stock.len() {
            let fresh = self.fresh(site).await?;
            ensure!(fresh.is_empty(), "unexpected: {fresh:?}");
        }
        Ok(())
    }

    /// One level: quantity, reserved, sequence, layers, value, and what is known.
    pub(super) async fn look_at_key(&mut self, site: usize, key: &StockKey) -> Result<(), String> {
        let looked = self.compare_key(site, key).await;
        looked.map_err(|problem| format!("{problem}\n{}", self.history(site, key)))
    }

    /// What has happened to a key, for people.
    pub(super) fn history(&self, site: usize, key: &StockKey) -> String {
        let stock = &self.stock[site];
        let mut text = format!("The history of {key}:\n");
        for event in stock.ledger.iter().filter(|event| event.key == *key) {
            let _ = writeln!(
                text,
                "{:>4}: {} {} at {}{}, recorded at {}, {:?} {:?} {:?}",
                event.sequence,
                event.kind.as_str(),
                event.change,
                event.occurred_at,
                if event.timed { "" } else { " (not stated)" },
                event.recorded_at,
                event.cause,
                event.reverses.map(|link| link.sequence),
                event.absorbs.map(|link| link.sequence),
            );
        }
        let _ = writeln!(text, "The model: {:?}", stock.keys.get(key));
        text
    }

    async fn compare_key(&mut self, site: usize, key: &StockKey) -> Result<(), String> {
        let stock = self.premises.library.stock();
        let actual = stock.level(&self.manager(), key).await;
        let model = self.stock[site].keys.entry(key.clone()).or_default();
        let expected = model.level();
        if std::mem::take(&mut model.stocked_open) {
            model.stocked = actual.is_ok();
            ensure!(
                model.stocked || expected == 0,
                "{key}: {expected} are there, and it is not stocked"
            );
        }
        ensure!(
            model.booked == expected,
            "{key}: the events make {}, and {expected} is right",
            model.booked
        );
        let sequence = u64::try_from(model.events.len()).unwrap();
        ensure!(
            model.sequence == sequence,
            "{key}: the model is at {} of {sequence}",
            model.sequence
        );
        let level = match (actual, model.stocked) {
            (Err(error), false) if error.code() == "not_found" => return Ok(()),
            (Ok(level), true) => level,
            (actual, stocked) => return Err(format!("{key}: stocked {stocked}, {actual:?}")),
        };
        ensure!(
            level.quantity().micros() == expected,
            "{key}: {expected} is right: {level:?}"
        );
        ensure!(
            level.reserved().micros() == model.reserved,
            "{key}: {} is reserved: {level:?}",
            model.reserved
        );
        ensure!(
            level.sequence() == sequence,
            "{key}: had {sequence} events: {level:?}"
        );
        let known = level.known().map(|known| (known.at.micros(), known.timed));
        let right = model
            .last_known()
            .map(|known| (known.moment.at, known.moment.timed));
        ensure!(known == right, "{key}: known {known:?}, not {right:?}");
        let valuation = level.valuation();
        let layers: Vec<_> = valuation
            .layers()
            .iter()
            .map(|layer| {
                let left = &layer.left;
                (
                    left.source,
                    left.quantity.micros(),
                    units(left.value),
                    left.received_at.micros(),
                )
            })
            .collect();
        ensure!(
            layers == model.layers,
            "{key}: layers {:?}, not {layers:?}",
            model.layers
        );
        let layered: i64 = layers.iter().map(|(_, quantity, ..)| quantity).sum();
        ensure!(
            layered == expected.max(0),
            "{key}: the layers hold {layered} of {expected}"
        );
        let value = units(valuation.value());
        ensure!(
            value == model.value,
            "{key}: worth {}, not {value}",
            model.value
        );
        let fifo = units(valuation.fifo_value());
        let worth: i128 = layers.iter().map(|(_, _, value, _)| value).sum();
        ensure!(
            expected < 0 || fifo == worth,
            "{key}: the layers are worth {worth}, not {fifo}"
        );
        let costing = self.premises.sites[site].policy.costing;
        ensure!(
            costing != CostingMethod::Fifo || fifo == value,
            "{key}: worth {value} and {fifo}"
        );
        ensure!(
            expected != 0 || (value == 0 && fifo == 0),
            "{key}: nothing is there, and it is worth {value}, {fifo}"
        );
        Ok(())
    }

    /// The lines of a take.
    pub(super) async fn items(
        &self,
        id: StockTakeId,
    ) -> Result<BTreeMap<StockTakeItemId, StockTakeItem>, String> {
        let page = PageRequest::first(MAX_PAGE);
        let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let takes = self.premises.library.stock_takes();
        let items = takes
            .items(&self.manager(), id, &filter, sort, &page)
            .await
            .map_err(told)?;
        let items = items
            .items
            .into_iter()
            .map(|view| (view.item.value.id, (*view.item.value).clone()));
        Ok(items.collect())
    }

    /// A take: its state, its lines, its totals, and what its posting came to.
    pub(super) async fn look_at_take(&self, id: StockTakeId) -> Result<(), String> {
        if !self.steps.is_multiple_of(self.rarely) {
            return Ok(());
        }
        let model = &self.takes[&id];
        let takes = self.premises.library.stock_takes();
        let summary = match takes.get(&self.manager(), id).await {
            Err(error) if error.code() == "not_found" => {
                ensure!(
                    model.state == StockTakeState::Removed,
                    "a take is gone: {id}"
                );
                return Ok(());
            }
            other => other.map_err(told)?,
        };
        let (take, totals) = (&summary.take, &summary.totals);
        ensure!(
            take.state() == model.state,
            "not {:?}: {take:?}",
            model.state
        );
        ensure!(
            take.items_added() != model.coming,
            "items on their way: {}, {take:?}",
            model.coming
        );
        let finished = model.state == StockTakeState::Finished;
        ensure!(
            take.posted_at().is_some() == finished && take.posted_by().is_some() == finished,
            "posted is for finished takes: {take:?}"
        );
        let counted = model.counted();
        let lines = u64::try_from(model.lines.len()).unwrap();
        let items = self.items(id).await?;
        for (item, line) in &model.lines {
            let actual = items
                .get(item)
                .ok_or_else(|| format!("line {} is missing", line.number))?;
            line.check(actual)
                .map_err(|text| format!("line {} of {id}: {text}", line.number))?;
        }
        ensure!(
            totals.items == lines
                && totals.counted == counted
                && totals.adjustment_minor == i128::from(model.adjustment()),
            "{lines} lines, {counted} counted, {} of adjustments: {totals:?}",
            model.adjustment()
        );
        ensure!(
            items.len() == model.lines.len(),
            "{lines} lines, not {}",
            items.len()
        );
        let Some(result) = take.result() else {
            ensure!(!finished, "no result: {take:?}");
            return Ok(());
        };
        let came_to = |outcome| {
            let lines = model
                .lines
                .values()
                .filter_map(|line| line.posting.as_ref());
            u64::try_from(lines.filter(|posting| posting.outcome == outcome).count()).unwrap()
        };
        let right = result.adjusted == came_to(Outcome::Adjusted)
            && result.confirmed == came_to(Outcome::Confirmed)
            && result.superseded == came_to(Outcome::Superseded)
            && result.uncounted == came_to(Outcome::Uncounted)
            && result.dismissed == came_to(Outcome::Dismissed)
            && result.unposted == came_to(Outcome::Unposted)
            && result.adjustment_minor == i128::from(model.adjustment());
        ensure!(right, "not what the lines come to: {result:?}");
        let fifo: i128 = items
            .values()
            .filter_map(|item| item.posting.as_ref())
            .map(|posting| units(posting.fifo_value))
            .sum();
        ensure!(
            units_of_sum(result.fifo_value) == fifo,
            "the lines are worth {fifo}: {result:?}"
        );
        let accounts: i128 = result
            .accounts
            .values()
            .map(|value| units_of_sum(*value))
            .sum();
        ensure!(accounts == fifo, "the accounts are worth {accounts}");
        Ok(())
    }

    /// Everything.
    pub(super) async fn look_at_all(&mut self) -> Result<(), String> {
        for site in 0..self.stock.len() {
            self.look_at_site(site).await?;
            let keys: Vec<StockKey> = self.stock[site].keys.keys().cloned().collect();
            for key in keys {
                self.look_at_key(site, &key).await?;
            }
        }
        let mut serials = BTreeSet::new();
        for serial in self.stock.iter().flat_map(Stock::serials) {
            ensure!(
                serials.insert(serial.clone()),
                "on hand at two keys: {serial:?}"
            );
        }
        let ids: Vec<StockTakeId> = self.takes.keys().copied().collect();
        for id in ids {
            self.look_at_take(id).await?;
        }
        self.look_at_entries().await?;
        let stock = self.premises.library.stock();
        let stranger = Caller::of(&self.premises.people.stranger);
        let abroad = stock.level(&stranger, &self.premises.keys[0][0]).await;
        let abroad = abroad.map_or(0, |level| level.quantity().micros());
        ensure!(
            abroad == self.abroad,
            "the stranger has {}, not {abroad}",
            self.abroad
        );
        let feed = stock
            .ledger(&stranger, self.premises.sites[0].id, 0, 10_000)
            .await
            .map_err(told)?;
        let received = usize::try_from(self.abroad / ONE).unwrap();
        ensure!(
            feed.len() == received,
            "the stranger's ledger has {} events",
            feed.len()
        );
        Ok(())
    }

    async fn look_at_site(&self, site: usize) -> Result<(), String> {
        let (stock, here) = (self.premises.library.stock(), &self.premises.sites[site]);
        let verified = stock.verify(&self.manager(), here.id).await.map_err(told)?;
        ensure!(
            verified.is_sound(),
            "the ledger is not sound: {:?}",
            verified.differences
        );
        let ledger = stock
            .ledger(&self.manager(), here.id, 0, 10_000)
            .await
            .map_err(told)?;
        let model = &self.stock[site].ledger;
        ensure!(
            ledger.len() == model.len(),
            "the ledger has {} events",
            ledger.len()
        );
        for (entry, event) in ledger.iter().zip(model) {
            ensure!(
                entry.event == *event,
                "an event was changed: {event:?}, now {entry:?}"
            );
        }
        let page = PageRequest::first(MAX_PAGE);
        let levels = stock
            .levels(&self.manager(), here.id, None, None, &page)
            .await
            .map_err(told)?;
        let keys: Vec<&StockKey> = levels
            .items
            .iter()
            .map(stocktake::domain::StockLevel::key)
            .collect();
        let stocked: Vec<StockKey> = self.stocked(site).collect();
        ensure!(
            keys == stocked.iter().collect::<Vec<_>>(),
            "stocked {stocked:?}, not {keys:?}"
        );
        let takes = self.premises.library.stock_takes();
        let listed = takes
            .list(&self.manager(), here.id, &[], &page)
            .await
            .map_err(told)?;
        let mut listed: Vec<StockTakeId> = listed.items.iter().map(|take| take.take.id()).collect();
        listed.sort();
        let known = self
            .takes
            .values()
            .filter(|take| take.site == site && take.state != StockTakeState::Removed);
        let known: Vec<StockTakeId> = known.map(|take| take.id).collect();
        ensure!(listed == known, "takes {known:?}, not {listed:?}");
        Ok(())
    }

    async fn look_at_entries(&self) -> Result<(), String> {
        let takes = self.premises.library.stock_takes();
        for ((take, item), times) in &self.entries {
            if self.takes[take].state == StockTakeState::Removed {
                continue;
            }
            let entries = takes.count_entries(&self.manager(), *take, *item).await;
            let entries = entries.map_err(told)?;
            ensure!(
                entries.len() == *times,
                "counted {times} times, {} entries",
                entries.len()
            );
        }
        Ok(())
    }
}
