//! Comparing the library with the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use stocktake::domain::{
    CostingMethod, CountStatus, StockEvent, StockKey, StockTakeId, StockTakeItem, StockTakeItemId,
    StockTakeState,
};
use stocktake::service::Caller;
use stocktake::store::{
    ArticleColumn, ArticleFilter, ArticleSort, Cursor, MAX_PAGE, Page, PageRequest,
    StockTakeItemFilter,
};

use super::super::amounts::{ONE, units_of_sum};
use super::super::stock::Stock;
use super::super::takes::Outcome;
use super::{Case, told, units};

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

    /// Nothing is booked that the model does not know.
    pub(super) async fn look_for_nothing(&self) -> Result<(), String> {
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
        ensure!(
            totals.items == lines
                && totals.counted == counted
                && totals.adjustment_minor == i128::from(model.adjustment()),
            "{lines} lines, {counted} counted, {} of adjustments: {totals:?}",
            model.adjustment()
        );
        let items = self.items(id).await?;
        ensure!(
            items.len() == model.lines.len(),
            "{lines} lines, not {}",
            items.len()
        );
        for (item, line) in &model.lines {
            let actual = items
                .get(item)
                .ok_or_else(|| format!("line {} is missing", line.number))?;
            line.check(actual)
                .map_err(|text| format!("line {} of {id}: {text}", line.number))?;
        }
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

    // ---- pages -----------------------------------------------------------------------------------

    /// Walks over a list by pages of some size: they make the whole list, once.
    pub(super) async fn walk(&mut self) -> Result<(), String> {
        let size = *self.random.pick(&[1, 2, 3, 7, 25]).unwrap_or(&1);
        let viewer = Caller::of(&self.premises.people.viewer);
        let library = self.premises.library.clone();
        let site = usize::try_from(self.random.below(3)).unwrap();
        let here = self.premises.sites[site].id;
        let ids: Vec<StockTakeId> = self
            .takes
            .values()
            .filter(|take| take.state != StockTakeState::Removed)
            .map(|take| take.id)
            .collect();
        let id = self.random.pick(&ids).copied();
        match (self.random.below(4), id) {
            (0, _) => {
                let list = async |page| library.stock_takes().list(&viewer, here, &[], &page).await;
                let (all, walked) = walk(size, list).await?;
                ensure!(all == walked, "takes: {walked:?} is not {all:?}");
            }
            (1, _) => {
                let list = async |page| {
                    library
                        .stock()
                        .levels(&viewer, here, None, None, &page)
                        .await
                };
                let (all, walked) = walk(size, list).await?;
                ensure!(all == walked, "levels: {walked:?} is not {all:?}");
            }
            (2, Some(id)) => {
                let sort = self.sort();
                let filter = ArticleFilter::default();
                let takes = library.stock_takes();
                let list = async |page| {
                    takes
                        .search_articles(&viewer, id, &filter, sort, &page)
                        .await
                        .map(|found| found.page)
                };
                let (all, walked) = walk(size, list).await?;
                ensure!(all == walked, "articles: {walked:?} is not {all:?}");
                let take = &self.takes[&id];
                for found in &all {
                    let item = StockTakeItemId::for_key(id, found.article.level.value.key());
                    ensure!(
                        found.included == take.lines.contains_key(&item),
                        "in the take or not: {found:?}"
                    );
                }
                let stocked = self.stocked(take.site).count();
                ensure!(
                    all.len() == stocked,
                    "{stocked} articles, not {}",
                    all.len()
                );
            }
            (_, Some(id)) => self.walk_items(id, size).await?,
            (_, None) => {}
        }
        Ok(())
    }

    fn sort(&mut self) -> ArticleSort {
        let columns = ArticleColumn::NAMES;
        let column = self.random.pick(columns).map(|(_, column)| *column);
        ArticleSort {
            column: column.unwrap_or_default(),
            descending: self.random.percent(50),
        }
    }

    async fn walk_items(&mut self, id: StockTakeId, size: u32) -> Result<(), String> {
        let sort = self.sort();
        let status = self.random.weighted(&[
            (2, CountStatus::All),
            (1, CountStatus::Counted),
            (1, CountStatus::Uncounted),
        ]);
        let mut filter = StockTakeItemFilter {
            status,
            ..StockTakeItemFilter::default()
        };
        let product = self.random.pick(&self.premises.products).cloned();
        if let Some(product) = product {
            match self.random.below(5) {
                0 => filter.brands.extend(product.brand.map(|brand| brand.id)),
                1 => filter
                    .categories
                    .extend(product.category.map(|category| category.id)),
                2 => filter.name = stocktake::domain::SearchText::new("duct 3").ok(),
                3 => filter.article = Some(product.article_id),
                _ => {}
            }
        }
        self.note(format!("walks over {id} by {size}, {sort:?}, {filter:?}"));
        let viewer = Caller::of(&self.premises.people.viewer);
        let library = self.premises.library.clone();
        let takes = library.stock_takes();
        let list = async |page| takes.items(&viewer, id, &filter, sort, &page).await;
        let (all, walked) = walk(size, list).await?;
        ensure!(all == walked, "lines: {walked:?} is not {all:?}");
        let totals = takes.totals(&viewer, id, &filter).await.map_err(told)?;
        let counted = all.iter().filter(|view| view.item.value.is_counted());
        let counted = u64::try_from(counted.count()).unwrap();
        let minor: i64 = all
            .iter()
            .map(|view| view.item.value.adjustment_minor())
            .sum();
        ensure!(
            totals.items == u64::try_from(all.len()).unwrap()
                && totals.counted == counted
                && totals.adjustment_minor == i128::from(minor),
            "the totals are not those of the lines: {totals:?}"
        );
        let wanted = self.takes[&id].lines.values().filter(|line| {
            let product = &self.products[&line.key.product];
            (match status {
                CountStatus::All => true,
                CountStatus::Counted => line.is_counted(),
                CountStatus::Uncounted => !line.is_counted(),
            }) && (filter.brands.is_empty()
                || product
                    .brand
                    .as_ref()
                    .is_some_and(|brand| filter.brands.contains(&brand.id)))
                && (filter.categories.is_empty()
                    || product
                        .category
                        .as_ref()
                        .is_some_and(|category| filter.categories.contains(&category.id)))
                && (filter.name.is_none() || product.name.as_str().contains("duct 3"))
                && (filter.article.is_none()
                    || filter.article.as_ref() == Some(&product.article_id))
        });
        let wanted = wanted.count();
        ensure!(all.len() == wanted, "{wanted} lines, not {}", all.len());
        Ok(())
    }
}

/// The whole list in one page, and by pages: first by cursors, then by numbers, which must agree.
async fn walk<T: Clone + PartialEq + std::fmt::Debug>(
    size: u32,
    list: impl AsyncFn(PageRequest) -> Result<Page<T>, stocktake::service::Error>,
) -> Result<(Vec<T>, Vec<T>), String> {
    let all = list(PageRequest::first(MAX_PAGE).counted()).await;
    let all = all.map_err(told)?;
    ensure!(all.next.is_none(), "there is more than all");
    let length = u64::try_from(all.items.len()).unwrap();
    ensure!(
        all.total == Some(length),
        "a total of {:?}, and {length} rows",
        all.total
    );
    let mut walked = Vec::new();
    let mut next: Option<Cursor> = None;
    loop {
        let request = match next.take() {
            None => PageRequest::first(size),
            Some(cursor) => PageRequest::after(cursor, size),
        };
        let page = list(request).await.map_err(told)?;
        ensure!(
            page.items.len() <= usize::try_from(size).unwrap(),
            "a page too long"
        );
        walked.extend(page.items);
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
    }
    for number in 0..3 {
        let page = list(PageRequest::numbered(number, size)).await;
        let page = page.map_err(told)?;
        let size = usize::try_from(size).unwrap();
        let first = usize::try_from(number).unwrap() * size;
        let rows = all.items.iter().skip(first).take(size);
        ensure!(
            page.items.iter().eq(rows),
            "page {number} of {size} rows is not that part of the list"
        );
    }
    Ok((all.items, walked))
}
