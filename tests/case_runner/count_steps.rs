//! Steps that count: a count of the vocabulary is a stock take of what is kept at its location.
//!
//! Where a case asks for adjustment records, it is an inventory count (S2) instead, which makes them.

use stocktake::domain::{
    CompletionOptions, Entered, InventoryCountId, InventoryCountItem, InventoryCountState,
    PostingOptions, Quantity, StockKey, StockTakeDetails, StockTakeId, StockTakeItemId,
    StockTakeState,
};
use stocktake::service::{Caller, CountRequest, Error, NewCountItem};
use stocktake::store::{
    ArticleSort, InventoryCountItemFilter, PageRequest, StockTakeItemFilter, StockTakeItemView,
};

use super::commands::Command;
use super::trouble::{Tried, Trouble};
use super::words::Words;
use super::world::World;

/// The steps of this file.
pub(crate) const OPS: &[&str] = &[
    "count_open",
    "count_add_line",
    "count_record",
    "count_record_lot",
    "count_record_serial",
    "count_record_untracked",
    "count_serials",
    "count_apply",
    "count_refresh",
    "count_post",
    "count_update",
    "count_unlock",
    "count_back_to_draft",
    "count_delete",
];

/// More lines than any case has.
const ALL: u32 = 10_000;

/// What a count of a case is in the library.
#[derive(Clone, Debug)]
pub(crate) struct CountedAs {
    pub(crate) document: CountDocument,
    /// Where it counts; none for everywhere.
    pub(crate) locations: Vec<String>,
}

impl CountedAs {
    /// The location, where it counts at one only.
    fn location(&self) -> Option<String> {
        match self.locations.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}

/// The document behind a count.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CountDocument {
    Take(StockTakeId),
    Count(InventoryCountId),
}

/// A line of either document.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CountLine {
    pub(crate) expected: Option<Quantity>,
    pub(crate) counted: Option<Quantity>,
    pub(crate) variance: Option<Quantity>,
    pub(crate) variance_minor: Option<i64>,
    pub(crate) significant: Option<bool>,
}

impl World {
    pub(crate) fn counted_as(&self, name: &str) -> Tried<CountedAs> {
        self.counts
            .get(name)
            .cloned()
            .ok_or_else(|| Trouble::broken(format!("there is no count {name}")))
    }

    fn count_named(&self, words: &Words) -> Tried<(String, CountedAs)> {
        let name = words.text("count")?.unwrap_or_else(|| "K".to_owned());
        let counted = self.counted_as(&name)?;
        Ok((name, counted))
    }

    pub(crate) fn take_of(counted: &CountedAs, word: &str) -> Tried<StockTakeId> {
        match counted.document {
            CountDocument::Take(take) => Ok(take),
            CountDocument::Count(_) => Err(Trouble::unsupported(format!(
                "{word} of an inventory count (S2)"
            ))),
        }
    }

    // ---- lines -----------------------------------------------------------------------------------

    pub(crate) async fn take_lines(&self, take: StockTakeId) -> Tried<Vec<StockTakeItemView>> {
        let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let takes = self.library.stock_takes();
        let page = PageRequest::first(ALL);
        let lines = takes
            .items(&self.host(), take, &filter, sort, &page)
            .await?;
        Ok(lines.items)
    }

    pub(crate) async fn document_lines(
        &self,
        count: InventoryCountId,
    ) -> Tried<Vec<InventoryCountItem>> {
        let filter = InventoryCountItemFilter::default();
        let counts = self.library.inventory_counts();
        let page = PageRequest::first(ALL);
        let lines = counts.items(&self.host(), count, &filter, &page).await?;
        Ok(lines.items)
    }

    /// The key of a line: at the count's own location unless it names another. Where neither names one, it is where the
    /// product is kept, if that is one place.
    async fn line_key(&mut self, counted: &CountedAs, words: &Words) -> Tried<StockKey> {
        let location = words.text("location")?.or(counted.location());
        let key = self
            .key_at(words, location.as_deref().unwrap_or("A"))
            .await?;
        if location.is_some() {
            return Ok(key);
        }
        let chosen = self.chosen(words).await?;
        let mut kept = self.levels(Some(key.product)).await?;
        kept.retain(|level| self.is_chosen(&chosen, level.key()));
        match kept.as_slice() {
            [only] => Ok(only.key().clone()),
            _ => Ok(key),
        }
    }

    /// The line that some words name, as far as it is there.
    pub(crate) async fn count_line(&mut self, words: &Words) -> Tried<CountLine> {
        let (_, counted) = self.count_named(words)?;
        let key = self.line_key(&counted, words).await?;
        let on_hand = self.level(&key).await?.map(|level| level.quantity());
        match counted.document {
            CountDocument::Take(take) => {
                let lines = self.take_lines(take).await?;
                let Some(line) = lines.iter().find(|line| line.item.value.key == key) else {
                    return Ok(CountLine::default());
                };
                let item = &line.item.value;
                let now = line.on_hand.unwrap_or(Quantity::ZERO);
                Ok(CountLine {
                    expected: item.expected().or(Some(now)),
                    counted: item.counted_quantity(),
                    variance: item.variance(),
                    variance_minor: item.count.as_ref().map(|_| item.adjustment_minor()),
                    significant: None,
                })
            }
            CountDocument::Count(count) => {
                let lines = self.document_lines(count).await?;
                let Some(item) = lines.iter().find(|line| line.key == key) else {
                    return Ok(CountLine {
                        expected: on_hand,
                        ..CountLine::default()
                    });
                };
                Ok(CountLine {
                    expected: Some(item.variance.expected()),
                    counted: Some(item.variance.counted()),
                    variance: Some(item.variance.quantity()),
                    variance_minor: Some(item.variance.minor()),
                    significant: Some(item.significant),
                })
            }
        }
    }

    /// Adds a line for what was found.
    pub(crate) async fn add_line(
        &mut self,
        caller: &Caller,
        name: &str,
        words: &Words,
    ) -> Tried<()> {
        let counted = self.counted_as(name)?;
        let take = Self::take_of(&counted, "count_add_line")?;
        let key = self.line_key(&counted, words).await?;
        let takes = self.library.stock_takes();
        takes.add_found(caller, take, &key).await?;
        Ok(())
    }

    /// The line of a key, added when the take does not have it.
    async fn line_of(
        &self,
        caller: &Caller,
        take: StockTakeId,
        key: &StockKey,
    ) -> Tried<StockTakeItemId> {
        let takes = self.library.stock_takes();
        let item = StockTakeItemId::for_key(take, key);
        match takes.item(caller, take, item).await {
            Ok(_) => Ok(item),
            Err(Error::NotFound { .. }) => Ok(takes.add_found(caller, take, key).await?),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn record(
        &mut self,
        caller: &Caller,
        name: &str,
        words: &Words,
        entered: Entered,
    ) -> Tried<()> {
        let counted = self.counted_as(name)?;
        let key = self.line_key(&counted, words).await?;
        match counted.document {
            CountDocument::Take(take) => {
                let item = self.line_of(caller, take, &key).await?;
                let request = CountRequest {
                    entered,
                    if_version: None,
                    device: None,
                    counted_at: None,
                };
                let takes = self.library.stock_takes();
                takes.count(caller, take, item, request).await?;
            }
            CountDocument::Count(count) => {
                let lines = self.document_lines(count).await?;
                let before = lines
                    .iter()
                    .find(|line| line.key == key)
                    .map_or(Quantity::ZERO, |line| line.variance.counted());
                let quantity = match entered {
                    Entered::Set(quantity) => quantity,
                    Entered::Add(more) => before.checked_add(more)?,
                    Entered::Clear => {
                        return Err(Trouble::unsupported("un-counting in an inventory count"));
                    }
                };
                let counts = self.library.inventory_counts();
                let item = NewCountItem::of(key, quantity);
                counts.count(caller, count, item).await?;
            }
        }
        Ok(())
    }

    // ---- the steps -------------------------------------------------------------------------------

    pub(crate) async fn play_count(&mut self, op: &str, words: &Words) -> Tried<()> {
        let caller = self.actor(words)?;
        match op {
            "count_open" => self.open_counting(&caller, words).await,
            "count_add_line" => {
                let (name, counted) = self.count_named(words)?;
                Self::take_of(&counted, op)?;
                let quantity = words.quantity("qty")?;
                self.add_line(&caller, &name, words).await?;
                match quantity {
                    Some(quantity) => {
                        let entered = Entered::Set(quantity);
                        self.record(&caller, &name, words, entered).await
                    }
                    None => Ok(()),
                }
            }
            "count_record"
            | "count_record_lot"
            | "count_record_serial"
            | "count_record_untracked" => {
                let (name, _) = self.count_named(words)?;
                let entered = entered(words)?;
                self.record(&caller, &name, words, entered).await
            }
            "count_serials" => self.count_serials(&caller, words).await,
            "count_apply" => self.apply_count(&caller, words).await,
            "count_refresh" => self.refresh(&caller, words).await,
            "count_post" => {
                let (name, _) = self.count_named(words)?;
                let options = posting_options(words)?;
                self.posted = Some(name.clone());
                self.post(&caller, &name, options).await
            }
            "count_update" => {
                let (_, counted) = self.count_named(words)?;
                let take = Self::take_of(&counted, op)?;
                self.describe(&caller, take, words).await
            }
            "count_unlock" | "count_back_to_draft" => self.unlock(&caller, op, words).await,
            "count_delete" => {
                let (_, counted) = self.count_named(words)?;
                let take = Self::take_of(&counted, op)?;
                Ok(self.library.stock_takes().remove(&caller, take).await?)
            }
            _ => Err(Trouble::unsupported(format!("op {op}"))),
        }
    }

    /// What `count_post` asks for, ready to be made.
    pub(crate) fn posting_of(&self, words: &Words) -> Tried<Command> {
        let (_, counted) = self.count_named(words)?;
        Ok(Command::Post {
            caller: self.actor(words)?,
            take: Self::take_of(&counted, "count_post at the same time")?,
            options: posting_options(words)?,
        })
    }

    /// What `count_record` asks for, ready to be made.
    pub(crate) async fn counting_of(&mut self, words: &Words) -> Tried<Command> {
        let (_, counted) = self.count_named(words)?;
        let take = Self::take_of(&counted, "count_record at the same time")?;
        let (caller, key) = (self.actor(words)?, self.line_key(&counted, words).await?);
        let item = self.line_of(&caller, take, &key).await?;
        let request = CountRequest {
            entered: entered(words)?,
            if_version: None,
            device: None,
            counted_at: None,
        };
        Ok(Command::Count {
            caller,
            take,
            item,
            request,
        })
    }

    /// Counts one thing and posts it, in a take of its own.
    async fn apply_count(&mut self, caller: &Caller, words: &Words) -> Tried<()> {
        let location = words.text("location")?.unwrap_or_else(|| "A".to_owned());
        let entered = entered(words)?;
        let name = match words.text("count")? {
            Some(name) => name,
            None => format!("applied {}", self.counts.len()),
        };
        let site = self.site(&location)?;
        self.open_count(caller, &name, site, vec![location]).await?;
        self.record(caller, &name, words, entered).await?;
        self.posted = Some(name.clone());
        self.post(caller, &name, PostingOptions::default()).await
    }

    /// Serial numbers that were scanned. Where it is said which are `present`, the others of the product there are not;
    /// and without a count that was opened before, it is counted in one of its own.
    async fn count_serials(&mut self, caller: &Caller, words: &Words) -> Tried<()> {
        let name = words.text("count")?.unwrap_or_else(|| "K".to_owned());
        let location = words.text("location")?;
        if !self.counts.contains_key(&name) {
            let location = location.unwrap_or_else(|| "A".to_owned());
            let site = self.site(&location)?;
            self.open_count(caller, &name, site, vec![location]).await?;
        }
        let present = words.texts("present")?;
        let mut missing = words.texts("missing")?.unwrap_or_default();
        if let Some(present) = &present {
            let counted = self.counted_as(&name)?;
            let at = words.with_default("location", counted.location());
            let levels = self.chosen_levels(&self.chosen(&at).await?).await?;
            let there = levels.iter().filter(|level| level.quantity().is_positive());
            let serials = there.filter_map(|level| level.key().serial.as_ref());
            let others = serials.map(ToString::to_string);
            missing.extend(others.filter(|serial| !present.contains(serial)));
        }
        let found = present.into_iter().chain(words.texts("serials")?).flatten();
        let found = found.map(|serial| (serial, Quantity::ONE));
        let missing = missing.into_iter().map(|serial| (serial, Quantity::ZERO));
        for (serial, quantity) in found.chain(missing) {
            let line = words.with_default("serial", Some(serial));
            self.record(caller, &name, &line, Entered::Set(quantity))
                .await?;
        }
        Ok(())
    }

    /// Counted lines are counted again as they are, so that they are held against what the book says now. Uncounted
    /// ones follow the book anyhow.
    async fn refresh(&mut self, caller: &Caller, words: &Words) -> Tried<()> {
        let (_, counted) = self.count_named(words)?;
        let only = if words.names("product") || words.names("location") {
            Some(self.chosen(words).await?)
        } else {
            None
        };
        let is_asked =
            |world: &Self, key: &StockKey| only.as_ref().is_none_or(|it| world.is_chosen(it, key));
        match counted.document {
            CountDocument::Take(take) => {
                for line in self.take_lines(take).await? {
                    let item = &line.item.value;
                    if let Some(count) = item.count.as_ref().filter(|_| is_asked(self, &item.key)) {
                        let request = CountRequest::set(count.quantity);
                        let takes = self.library.stock_takes();
                        takes.count(caller, take, item.id, request).await?;
                    }
                }
            }
            CountDocument::Count(count) => {
                let mut lines = self.document_lines(count).await?;
                lines.retain(|line| is_asked(self, &line.key));
                for line in lines {
                    let item = NewCountItem::of(line.key, line.variance.counted());
                    let counts = self.library.inventory_counts();
                    counts.count(caller, count, item).await?;
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn post(
        &mut self,
        caller: &Caller,
        name: &str,
        options: PostingOptions,
    ) -> Tried<()> {
        match self.counted_as(name)?.document {
            CountDocument::Take(take) => {
                let takes = self.library.stock_takes();
                takes.submit(caller, take, options).await?;
            }
            CountDocument::Count(count) => {
                if options.zero_uncounted {
                    let word = "uncounted zero in an inventory count (S2)";
                    return Err(Trouble::unsupported(word));
                }
                let completion = CompletionOptions {
                    apply_adjustments: true,
                    ..CompletionOptions::default()
                };
                let counts = self.library.inventory_counts();
                counts.complete(caller, count, completion, None).await?;
            }
        }
        Ok(())
    }

    /// Changes the words on a take.
    async fn describe(&self, caller: &Caller, take: StockTakeId, words: &Words) -> Tried<()> {
        let takes = self.library.stock_takes();
        let details = takes.get(&self.host(), take).await?.take.details().clone();
        let (description, name) = (words.text("description")?, words.text("name")?);
        let details = StockTakeDetails {
            description: match description {
                Some(text) => Some(text.parse()?),
                None => details.description,
            },
            name: match name {
                Some(text) => Some(text.parse()?),
                None => details.name,
            },
            ..details
        };
        takes.update(caller, take, details).await?;
        Ok(())
    }

    /// The way back from a posting is to reopen the take, once the posting that locks it is over.
    async fn unlock(&mut self, caller: &Caller, op: &str, words: &Words) -> Tried<()> {
        let (_, counted) = self.count_named(words)?;
        let take = Self::take_of(&counted, op)?;
        let takes = self.library.stock_takes();
        self.run_jobs().await?;
        let state = takes.get(&self.host(), take).await?.take.state();
        if op == "count_back_to_draft" && state == StockTakeState::Ongoing {
            return Err(Trouble::unsupported(
                "count_back_to_draft of a count in progress",
            ));
        }
        takes.reopen(caller, take, None).await?;
        if words.names("description") || words.names("name") {
            self.describe(caller, take, words).await?;
        }
        Ok(())
    }

    /// The state of a count, in the library's word; `removed` when it is gone.
    pub(crate) async fn count_state(&self, name: &str) -> Tried<String> {
        match self.counted_as(name)?.document {
            CountDocument::Take(take) => {
                match self.library.stock_takes().get(&self.host(), take).await {
                    Ok(summary) => Ok(summary.take.state().to_string()),
                    Err(Error::NotFound { .. }) => Ok(StockTakeState::Removed.to_string()),
                    Err(error) => Err(error.into()),
                }
            }
            CountDocument::Count(count) => {
                let counts = self.library.inventory_counts();
                Ok(counts
                    .get(&self.host(), count)
                    .await?
                    .count
                    .state()
                    .to_string())
            }
        }
    }
}

/// Whether a state of the library is what the vocabulary calls so.
pub(crate) fn is_count_state(own: &str, word: &str) -> bool {
    let own_words: &[&str] = if own == StockTakeState::New.as_str() {
        &["new", "draft", "in_progress"]
    } else if own == StockTakeState::Ongoing.as_str()
        || own == InventoryCountState::InProgress.as_str()
    {
        // The library has no draft of what is being counted: reopened, it is counted again.
        &["in_progress", "ongoing", "open", "draft"]
    } else if own == StockTakeState::Finished.as_str()
        || own == InventoryCountState::Completed.as_str()
    {
        &[
            "complete",
            "completed",
            "finished",
            "finalised",
            "posted",
            "done",
        ]
    } else if own == StockTakeState::Removed.as_str() {
        &["removed", "deleted"]
    } else if own == InventoryCountState::Cancelled.as_str() {
        &["cancelled", "canceled"]
    } else {
        &["locked", "posting"]
    };
    own_words.contains(&word)
}

fn entered(words: &Words) -> Tried<Entered> {
    if words.is_null("qty") {
        return Ok(Entered::Clear);
    }
    let quantity = words.need_quantity("qty")?;
    match words.text("mode")?.as_deref() {
        None | Some("set") => Ok(Entered::Set(quantity)),
        Some("add") => Ok(Entered::Add(quantity)),
        Some(other) => Err(Trouble::unsupported(format!("count_record.mode {other}"))),
    }
}

fn posting_options(words: &Words) -> Tried<PostingOptions> {
    let zero_uncounted = match words.text("uncounted")?.as_deref() {
        None | Some("keep") => false,
        Some("zero") => true,
        Some(other) => return Err(Trouble::unsupported(format!("uncounted {other}"))),
    };
    Ok(PostingOptions {
        zero_uncounted,
        skip_unpostable: words.flag("skip_unpostable")?.unwrap_or(false),
    })
}
