//! Opening counts: a count of one or several locations is a stock take of what is kept there.

use std::collections::BTreeSet;

use stocktake::domain::{
    CountType, Entered, InventoryCountDetails, PostingOptions, Quantity, SiteId, StockKey,
    StockTakeId,
};
use stocktake::service::{Caller, Movement, NewMovement, NewStockTake, NewStockTakeList};

use super::count_steps::{CountDocument, CountedAs};
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::{Layout, World};

impl World {
    pub(crate) async fn set_up_count(&mut self, words: &Words) -> Tried<()> {
        let name = words.text("count")?.unwrap_or_else(|| "K".to_owned());
        let state = words.text("state")?;
        let mut locations = self.locations_of(words).await?;
        let (site, is_of_all_places) = self.site_of_count(words, &locations).await?;
        if locations.is_empty() && is_of_all_places {
            locations.push("A".to_owned());
        }
        let host = self.host();
        self.open_count(&host, &name, site, locations).await?;
        for line in words.objects("lines")?.unwrap_or_default() {
            self.add_line(&host, &name, &line).await?;
            if let Some(quantity) = line.quantity("counted")? {
                self.record(&host, &name, &line, Entered::Set(quantity))
                    .await?;
            }
        }
        let counted = self.counted_as(&name)?;
        match state.as_deref() {
            // The library has no draft of what can be counted already.
            None | Some("in_progress" | "open" | "ongoing" | "draft" | "new") => Ok(()),
            Some("locked" | "posting") => {
                // Locked is being posted: the job that ends it waits for a worker.
                let take = Self::take_of(&counted, "state locked")?;
                let takes = self.library.stock_takes();
                takes.post(&host, take, PostingOptions::default()).await?;
                Ok(())
            }
            Some("complete" | "completed" | "finished" | "posted") => {
                self.post(&host, &name, PostingOptions::default()).await
            }
            Some(other) => Err(Trouble::unsupported(format!("count state {other}"))),
        }
    }

    /// Opens the count of a step.
    pub(crate) async fn open_counting(&mut self, caller: &Caller, words: &Words) -> Tried<()> {
        let name = words.text("count")?.unwrap_or_else(|| "K".to_owned());
        let locations = self.locations_of(words).await?;
        let (site, _) = self.site_of_count(words, &locations).await?;
        // What the count expects was brought in before the step.
        words.objects("facts")?;
        self.open_count(caller, &name, site, locations).await
    }

    /// The site of a count, and whether it is that of all stock places.
    async fn site_of_count(
        &mut self,
        words: &Words,
        locations: &[String],
    ) -> Tried<(SiteId, bool)> {
        let shelves = self.site(locations.first().map_or("A", String::as_str))?;
        let site = match words.text("site")? {
            Some(name) => self.open_site(&name).await?,
            None => shelves,
        };
        Ok((site, site == shelves))
    }

    /// Where a count counts. What is kept below a location (`A/sub` is below `A`) is counted with it where that is asked.
    async fn locations_of(&self, words: &Words) -> Tried<Vec<String>> {
        let mut named = words.texts("locations")?.unwrap_or_default();
        named.extend(words.text("location")?);
        if !words.flag("include_sublocations")?.unwrap_or(false) {
            return Ok(named);
        }
        let mut all: BTreeSet<String> = named.iter().cloned().collect();
        let kept = self.levels(None).await?;
        let places = kept.iter().map(|level| self.location_of(level.key()));
        all.extend(places.filter(|place| named.iter().any(|above| is_below(place, above))));
        Ok(all.into_iter().collect())
    }

    /// What a count expects that says so itself: it is there before the count is opened.
    pub(crate) async fn bring_in_expected(&mut self, words: &Words) -> Tried<()> {
        let allow_negative = std::mem::replace(&mut self.policy.allow_negative, true);
        self.keep_policy().await?;
        for fact in words.objects("facts")?.unwrap_or_default() {
            let key = self.key(&fact).await?;
            let quantity = match fact.quantity("expected_qty")? {
                Some(quantity) => quantity,
                None => fact.need_quantity("qty")?,
            };
            let level = self.level(&key).await?;
            let now = level.map_or(Quantity::ZERO, |level| level.quantity());
            let change = quantity.checked_sub(now)?;
            let unit_cost = fact.cost("unit_cost")?;
            let site = key.site;
            let movement = if change.is_zero() || quantity.is_zero() {
                Movement::Reset {
                    key,
                    quantity,
                    unit_cost,
                    expected: None,
                }
            } else {
                Movement::Adjust {
                    key,
                    change,
                    unit_cost,
                }
            };
            let stock = self.library.stock();
            stock
                .record(&self.host(), site, &[NewMovement::from(movement)])
                .await?;
        }
        self.policy.allow_negative = allow_negative;
        self.keep_policy().await?;
        self.begin_here().await
    }

    pub(crate) async fn open_count(
        &mut self,
        caller: &Caller,
        name: &str,
        site: SiteId,
        locations: Vec<String>,
    ) -> Tried<()> {
        let document = if self.counts_are_documents {
            let details = InventoryCountDetails {
                name: name.parse()?,
                kind: CountType::Full,
                notes: None,
                movement_policy: self.count_policy,
            };
            let counts = self.library.inventory_counts();
            CountDocument::Count(counts.start(caller, site, details).await?.id())
        } else {
            CountDocument::Take(self.open_take(caller, name, site, &locations).await?)
        };
        let counted = CountedAs {
            document,
            locations,
        };
        self.counts.insert(name.to_owned(), counted);
        Ok(())
    }

    /// A take of stock places is a list of what is kept there. A list without a line can't be started; then it is a
    /// take of the site, whose lines elsewhere are deleted.
    async fn open_take(
        &mut self,
        caller: &Caller,
        name: &str,
        site: SiteId,
        locations: &[String],
    ) -> Tried<StockTakeId> {
        let is_counted = |world: &Self, key: &StockKey| {
            key.site == site
                && (locations.is_empty() || locations.iter().any(|at| world.is_at(key, at)))
        };
        let mut here = self.levels(None).await?;
        here.retain(|level| is_counted(self, level.key()));
        let takes = self.library.stock_takes();
        let are_places = self.layout == Layout::Places;
        if are_places && !locations.is_empty() && !here.is_empty() {
            let list = NewStockTakeList {
                site,
                name: name.parse()?,
                description: None,
                due_at: None,
                annual: false,
                movement_policy: self.count_policy,
            };
            let take = takes.create_list(caller, list).await?.id();
            for location in locations {
                takes
                    .add_stock_place(caller, take, location.parse()?)
                    .await?;
                self.run_jobs().await?;
            }
            takes.start(caller, take).await?;
            return Ok(take);
        }
        let new = NewStockTake {
            site,
            description: name.parse()?,
            movement_policy: self.count_policy,
        };
        let take = takes.create(caller, new).await?.id();
        self.run_jobs().await?;
        for line in self.take_lines(take).await? {
            let item = &line.item.value;
            if !is_counted(self, &item.key) {
                takes.delete_item(&self.host(), take, item.id).await?;
            }
        }
        Ok(take)
    }
}

/// Whether a location is part of another one.
pub(crate) fn is_below(place: &str, above: &str) -> bool {
    place
        .strip_prefix(above)
        .is_some_and(|rest| rest.starts_with('/'))
}
