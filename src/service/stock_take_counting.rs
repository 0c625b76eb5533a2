//! Counting lines (S1.10, S4.7).

use std::sync::Arc;

use crate::domain::{
    Code, CountEntry, CountEntryId, CountMoment, Entered, Quantity, StockTakeCommand, StockTakeId,
    StockTakeItem, StockTakeItemId, StockTakeState,
};
use crate::store::{
    ArticleSort, CountingView, Digest, Guard, Outcome, PageRequest, StockTakeItemFilter, Version,
};

use super::access::Operation;
use super::call::{Step, require};
use super::stock_takes::StockTakes;
use super::{Caller, Error};

/// A count of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRequest {
    /// What is entered.
    pub entered: Entered,
    /// The version of the line that the counter saw: with it, a line that somebody else has counted
    /// meanwhile is [`Error::Conflict`]. Without it the last count stands; every entry is kept anyhow.
    pub if_version: Option<Version>,
    /// With which device.
    pub device: Option<Code>,
}

impl CountRequest {
    /// So many are there.
    pub const fn set(quantity: Quantity) -> Self {
        Self {
            entered: Entered::Set(quantity),
            if_version: None,
            device: None,
        }
    }

    /// So many more are there.
    pub const fn add(quantity: Quantity) -> Self {
        Self {
            entered: Entered::Add(quantity),
            if_version: None,
            device: None,
        }
    }

    /// The line is not counted after all.
    pub const fn clear() -> Self {
        Self {
            entered: Entered::Clear,
            if_version: None,
            device: None,
        }
    }
}

/// A count of an article, by what a counter can read off it (S4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryRequest {
    /// The article id.
    pub article: Code,
    /// The batch.
    pub batch: Option<Code>,
    /// The serial number.
    pub serial: Option<Code>,
    /// How many.
    pub amount: Quantity,
    /// Whether they are added to what is counted already (the document's default), or replace it.
    pub add_to_existing: bool,
}

impl StockTakes<'_> {
    /// Counts a line (S1.10). The line keeps what the book said at this moment; what moves later is told
    /// apart when the take is posted.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Count`], [`Error::Transition`] before the start and
    /// once posting has begun, [`Error::Conflict`] with `if_version`; failures of the store.
    pub async fn count(
        &self,
        caller: &Caller,
        id: StockTakeId,
        item: StockTakeItemId,
        request: CountRequest,
    ) -> Result<StockTakeItem, Error> {
        let library = self.library;
        let digest = Digest::of("count")
            .field(id)
            .field(item)
            .field(format_args!("{:?}", request.entered))
            .optional(request.if_version)
            .optional(request.device.as_ref());
        let mut call = library.begin(caller, "count", digest)?;
        let entry_id = CountEntryId::new(library.ids.next());
        loop {
            let view = library
                .repository
                .counting_view(call.organisation(), id, item)
                .await?;
            let view = view
                .filter(|view| {
                    let take = &view.take.value;
                    call.stamp.actor.sees(take.site()) && take.state() != StockTakeState::Removed
                })
                .ok_or(Error::not_found("stock take item"))?;
            call.require(Operation::CountItem)?;
            if let Some(outcome) = library.replay(&call).await? {
                return item_of(outcome);
            }
            view.take.value.allows(StockTakeCommand::Count)?;
            if request
                .if_version
                .is_some_and(|version| version != view.item.version)
            {
                return Err(Error::Conflict);
            }
            let (counted, entry) = counted(&view, &request, &call.stamp, entry_id)?;
            let outcome = Outcome::StockTakeItem(Arc::new(counted.clone()));
            let step = library.commit(&mut call, outcome, |changes| {
                changes.guard(Guard::Epoch {
                    take: id,
                    epoch: view.take.value.epoch(),
                });
                changes.update(view.item.version, counted);
                changes.entry(entry);
            });
            match step.await? {
                Step::Done(outcome) => return item_of(outcome),
                Step::Again(_) if request.if_version.is_some() => return Err(Error::Conflict),
                Step::Again(_) => {}
            }
        }
    }

    /// Counts an article (S4.7): the one line of the take with this article id, batch and serial number.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count), and [`Error::Invalid`] naming the stock places when the article is at
    /// several.
    pub async fn inventory(
        &self,
        caller: &Caller,
        id: StockTakeId,
        request: InventoryRequest,
    ) -> Result<StockTakeItem, Error> {
        let stamp = self.library.stamp(caller)?;
        self.visible(&stamp, id).await?;
        require(&stamp, Operation::CountItem)?;
        let filter = StockTakeItemFilter {
            article: Some(request.article),
            batch: request.batch,
            serial: request.serial,
            ..StockTakeItemFilter::default()
        };
        let (organisation, sort, page) = (
            stamp.actor.organisation,
            ArticleSort::default(),
            PageRequest::first(10),
        );
        let lines = self
            .library
            .repository
            .stock_take_items(organisation, id, &filter, sort, &page)
            .await?;
        let item = match lines.items.as_slice() {
            [] => return Err(Error::not_found("stock take item")),
            [line] => line.item.value.id,
            several => {
                let keys: Vec<String> = several
                    .iter()
                    .map(|line| line.item.value.key.to_string())
                    .collect();
                return Err(Error::invalid(
                    "article",
                    "ambiguous_article",
                    format!("one of: {}", keys.join(", ")),
                ));
            }
        };
        let request = if request.add_to_existing {
            CountRequest::add(request.amount)
        } else {
            CountRequest::set(request.amount)
        };
        self.count(caller, id, item, request).await
    }

    /// Every act of counting a line, the oldest first, with who and when.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    pub async fn count_entries(
        &self,
        caller: &Caller,
        id: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Vec<CountEntry>, Error> {
        let stamp = self.library.stamp(caller)?;
        self.visible(&stamp, id).await?;
        Ok(self
            .library
            .repository
            .count_entries(stamp.actor.organisation, id, item)
            .await?)
    }
}

/// The line after a count, and the entry to keep.
fn counted(
    view: &CountingView,
    request: &CountRequest,
    stamp: &crate::domain::Stamp,
    entry: CountEntryId,
) -> Result<(StockTakeItem, CountEntry), Error> {
    let (take, item) = (&view.take.value, &view.item.value);
    let level = view.level.as_ref().map(|level| &*level.value);
    let moment = CountMoment::of(level, stamp.at);
    let unit_cost = match level {
        Some(level) => level
            .valuation()
            .current_cost(level.quantity(), item.product.unit_cost),
        None => item.product.unit_cost,
    };
    let by = stamp.actor.user.id;
    let next = item.counted(
        request.entered,
        moment,
        unit_cost,
        take.currency(),
        (by, stamp.at),
    )?;
    let entry = CountEntry {
        id: entry,
        take: item.take,
        item: item.id,
        entered: request.entered,
        counted: next.count.as_ref().map(|count| count.quantity),
        book: moment.book,
        at: moment.at,
        by,
        device: request.device.clone(),
    };
    Ok((next, entry))
}

fn item_of(outcome: Outcome) -> Result<StockTakeItem, Error> {
    outcome
        .stock_take_item()
        .map(Arc::unwrap_or_clone)
        .ok_or(Error::KeyReused)
}
