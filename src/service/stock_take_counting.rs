//! Counting lines (S1.10, S4.7).

use std::collections::BTreeMap;

use crate::domain::{
    Code, CountEntry, CountEntryId, CountError, Entered, Quantity, Stamp, StockTakeCommand,
    StockTakeId, StockTakeItem, StockTakeItemId, Timestamp,
};
use crate::store::{CountingView, Digest, DigestBuilder, Guard, Outcome, Version};

use super::access::Operation;
use super::call::{Once, Step, require};
use super::error::named;
use super::key_history::ToldLate;
use super::site_costs::SiteCosts;
use super::stock_takes::{StockTakes, is_visible};
use super::{ArticleName, Caller, Error, Pending, Stocktake};

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
    /// When it was counted, where that is not now: a device that was offline tells its counts later. The line is then
    /// compared with the book of that moment.
    pub counted_at: Option<Timestamp>,
}

impl CountRequest {
    /// So many are there.
    pub const fn set(quantity: Quantity) -> Self {
        Self {
            entered: Entered::Set(quantity),
            if_version: None,
            device: None,
            counted_at: None,
        }
    }

    /// So many more are there.
    pub const fn add(quantity: Quantity) -> Self {
        Self {
            entered: Entered::Add(quantity),
            if_version: None,
            device: None,
            counted_at: None,
        }
    }

    /// The same, counted at a moment: what a device tells that was offline. Neither in the future nor in a closed period,
    /// nor before the take began; and the line has not been counted later than that.
    #[must_use]
    pub const fn at(mut self, counted_at: Timestamp) -> Self {
        self.counted_at = Some(counted_at);
        self
    }

    /// The line is not counted after all.
    pub const fn clear() -> Self {
        Self {
            entered: Entered::Clear,
            if_version: None,
            device: None,
            counted_at: None,
        }
    }
}

/// A count of an article, by what a counter can read off it (S4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryRequest {
    /// The article, and what tells its lines apart.
    pub article: ArticleName,
    /// How many: added to what is counted already, instead of it, or nothing after all.
    pub entered: Entered,
    /// When it was counted, where that is not now ([`CountRequest::counted_at`]).
    pub counted_at: Option<Timestamp>,
}

/// How many lines of an ambiguous article are told.
const LINES_TOLD: usize = 10;
/// The most counts in one batch.
const MAX_COUNTS: usize = 1_000;

impl StockTakes<'_> {
    /// Counts a line (S1.10). The line keeps what the book said at the moment of counting: now, or the stated one. What
    /// moves later is told apart when the take is posted, and what had happened by then but is told later is too.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Count`], [`Error::Transition`] before the start and
    /// once posting has begun, [`Error::Conflict`] with `if_version`; failures of the store.
    #[inline(never)]
    pub fn count<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        item: StockTakeItemId,
        request: CountRequest,
    ) -> Pending<'c, StockTakeItem> {
        Box::pin(async move {
            let counted = self.count_lines(caller, id, &[(item, request)]).await;
            let counted = counted.map_err(|error| {
                if let Error::Line { problem, .. } = error {
                    *problem
                } else {
                    error
                }
            })?;
            counted.into_iter().next().ok_or(Error::KeyReused)
        })
    }

    /// Counts lines (S1.10), as what a scanner has gathered: up to 1,000 counts that land whole, under one
    /// idempotency key. They count as they would one after the other: a line that is there twice is counted twice.
    /// Returns what each made of its line, in their order.
    ///
    /// All that state no time count at the same moment, and each line gets one new version. `if_version` is that before the batch, for
    /// every count of a line.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] (`nothing_asked`) without a count,
    /// [`Error::TooLarge`], [`Error::KeyReused`], [`Error::Transition`] before the start and once posting has begun; [`Error::Line`] with the first line that is refused, by
    /// [`Error::NotFound`], [`Error::Count`], or [`Error::Conflict`] with `if_version`: then nothing is counted;
    /// [`Error::Conflict`] when others kept being faster; failures of the store.
    #[inline(never)]
    pub fn count_lines<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        counts: &'c [(StockTakeItemId, CountRequest)],
    ) -> Pending<'c, Vec<StockTakeItem>> {
        Box::pin(async move {
            let library = self.library;
            let mut call = library.begin(caller, "count", digest_of(id, counts))?;
            if counts.len() > MAX_COUNTS {
                let seen = self.visible(&call.stamp, id).await;
                return match library.once(&call, Operation::CountItem, seen).await? {
                    Once::First(_) => Err(Error::TooLarge { limit: MAX_COUNTS }),
                    Once::Again(outcome) => items_of(outcome),
                };
            }
            let items: Vec<StockTakeItemId> = counts.iter().map(|(item, _)| *item).collect();
            let entries: Vec<CountEntryId> = counts
                .iter()
                .map(|_| CountEntryId::new(library.ids.next()))
                .collect();
            loop {
                let view = library
                    .repository
                    .counting_view(call.organisation(), id, &items)
                    .await?
                    .filter(|view| is_visible(&call.stamp, &view.take))
                    .ok_or(Error::not_found("stock take"));
                let view = match library.once(&call, Operation::CountItem, view).await? {
                    Once::First(view) => view,
                    Once::Again(outcome) => return items_of(outcome),
                };
                if counts.is_empty() {
                    return Err(Error::nothing_asked("counts"));
                }
                let then = library.told_late(&view, counts, &call.stamp).await?;
                let lines = view.lines.iter().flatten();
                let lines = lines.map(|line| {
                    let level = line.level.as_ref();
                    (&line.item.value.key, level.map(|level| &*level.value))
                });
                let place = (call.organisation(), view.take.site());
                let costs = library.counting_costs(place, lines).await?;
                let known = (&then, &costs);
                let counted = counted(&view, counts, known, &call.stamp, &entries)?;
                let outcome = counted.iter().map(|(_, item, _)| item.clone()).collect();
                let outcome = Outcome::StockTakeItems(outcome);
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.guard(Guard::Epoch {
                        take: id,
                        epoch: view.take.epoch(),
                    });
                    for (version, item, entry) in counted {
                        changes.update(version, item);
                        changes.entry(entry);
                    }
                });
                if let Step::Done(outcome) = step.await? {
                    return items_of(outcome);
                }
            }
        })
    }

    /// Counts an article (S4.7): the one line of the take with this article id or barcode, variant, stock place, batch
    /// and serial number, as far as they are named; or takes its count back.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count), and [`Error::Invalid`] naming what tells the lines apart when there are
    /// several.
    #[inline(never)]
    pub fn inventory<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        request: InventoryRequest,
    ) -> Pending<'c, StockTakeItem> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            require(&stamp, Operation::CountItem)?;
            let organisation = stamp.actor.organisation;
            let lines = self
                .library
                .lines_named(organisation, id, &request.article)
                .await?;
            let item = match lines.as_slice() {
                [] => return Err(Error::not_found("stock take item")),
                [line] => line.item.value.id,
                several => {
                    let keys: Vec<String> = several
                        .iter()
                        .take(LINES_TOLD)
                        .map(|line| line.item.value.key.whereabouts())
                        .collect();
                    return Err(Error::invalid(
                        "article",
                        "ambiguous_article",
                        format!("one of: {}", keys.join("; ")),
                    ));
                }
            };
            let request = CountRequest {
                entered: request.entered,
                if_version: None,
                device: None,
                counted_at: request.counted_at,
            };
            self.count(caller, id, item, request).await
        })
    }

    /// Every act of counting a line, the oldest first, with who and when; also of a line that was deleted, and of a
    /// take that was removed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn count_entries<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        item: StockTakeItemId,
    ) -> Pending<'c, Vec<CountEntry>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.kept(&stamp, id).await?;
            Ok(self
                .library
                .repository
                .count_entries(stamp.actor.organisation, id, item)
                .await?)
        })
    }
}

impl Stocktake {
    /// What counts of a take must know that state their own time.
    async fn told_late(
        &self,
        view: &CountingView,
        counts: &[(StockTakeItemId, CountRequest)],
        stamp: &Stamp,
    ) -> Result<ToldLate, Error> {
        let lines = counts.iter().zip(&view.lines);
        let stated = lines.filter_map(|((_, request), line)| {
            let level = line.as_ref().and_then(|line| line.level.as_ref());
            Some((level.map(|level| &*level.value), request.counted_at?))
        });
        let take = &view.take;
        let began_at = take.began_at().unwrap_or(take.created_at());
        self.late_counts((take.organisation(), take.site()), began_at, stated, stamp)
            .await
    }
}

fn digest_of(take: StockTakeId, counts: &[(StockTakeItemId, CountRequest)]) -> DigestBuilder {
    let digest = Digest::of("count").field(take);
    counts.iter().fold(digest, |digest, (item, request)| {
        let CountRequest {
            entered,
            if_version,
            device,
            counted_at,
        } = request;
        digest
            .field(item)
            .request(entered)
            .optional(*if_version)
            .optional(device.as_ref())
            .optional(*counted_at)
    })
}

/// The version of a line as it was read, the line after a count, and the entry to keep.
type Counted = (Version, StockTakeItem, CountEntry);

/// Counts lines one after the other.
fn counted(
    view: &CountingView,
    counts: &[(StockTakeItemId, CountRequest)],
    (then, costs): (&ToldLate, &SiteCosts),
    stamp: &Stamp,
    entries: &[CountEntryId],
) -> Result<Vec<Counted>, Error> {
    let mut now: BTreeMap<StockTakeItemId, StockTakeItem> = BTreeMap::new();
    let counts = counts.iter().zip(&view.lines).zip(entries).enumerate();
    let counted = counts.map(|(index, (((id, request), line), entry))| {
        let line = line.as_ref();
        let refused = |problem| Error::Line {
            index,
            item: *id,
            name: line.map_or_else(Box::default, |line| {
                let item = &line.item.value;
                named(&item.key, Some(&item.product), None).into()
            }),
            problem: Box::new(problem),
        };
        let line = line.ok_or_else(|| refused(Error::not_found("stock take item")))?;
        view.take.allows(StockTakeCommand::Count)?;
        let version = line.item.version;
        if request.if_version.is_some_and(|seen| seen != version) {
            return Err(refused(Error::Conflict));
        }
        let item = now.get(id).unwrap_or(&line.item.value);
        let level = line.level.as_ref().map(|level| &*level.value);
        let counted = || -> Result<_, CountError> {
            let moment = then.moment(level, request.counted_at)?;
            let currency = view.take.currency();
            let standard = item.product.standard_cost(currency);
            let unit_cost = costs.of_key(&item.key, level, standard);
            let by = (stamp.actor.user.id, stamp.at);
            let next = item.counted(request.entered, moment, unit_cost, currency, by)?;
            Ok((moment, next))
        };
        let (moment, next) = counted().map_err(|problem| refused(problem.into()))?;
        let entry = CountEntry {
            id: *entry,
            take: next.take,
            item: next.id,
            entered: request.entered,
            counted: next.count.as_ref().map(|count| count.quantity),
            book: moment.book,
            at: moment.at,
            recorded_at: stamp.at,
            by: stamp.actor.user.id,
            device: request.device.clone(),
        };
        now.insert(*id, next.clone());
        Ok((version, next, entry))
    });
    counted.collect()
}

fn items_of(outcome: Outcome) -> Result<Vec<StockTakeItem>, Error> {
    let items = outcome.stock_take_items().ok_or(Error::KeyReused)?;
    Ok(items.to_vec())
}
