//! Adding lines to a take in chunks, resumable (S1.2, S4.2, S4.3, S4.5, S6.4).

use std::collections::BTreeSet;

use crate::domain::{
    Population, PopulationSource, Stamp, StockKey, StockLevel, StockTake, StockTakeCommand,
    StockTakeId, StockTakeItem, StockTakeItemId,
};
use crate::store::{
    ArticleSort, CommandId, Conflict, Cursor, JobAck, JobProgress, LevelFilter, Outcome,
    PageRequest, PageStart, Progress, RecordKey, RepositoryExt, StockTakeItemFilter, Versioned,
};

use super::call::Step;
use super::pace::Pace;
use super::stock_takes::StockTakes;
use super::{CHUNK, Error, Stocktake};

/// Keys that may become lines, and where the next ones are.
struct Candidates {
    levels: Vec<StockLevel>,
    looked_at: u64,
    total: Option<u64>,
    next: Option<Cursor>,
}

impl StockTakes<'_> {
    /// Adds the lines that are on their way to a take, in this very call.
    pub(super) async fn populated(
        &self,
        stamp: &Stamp,
        take: StockTake,
    ) -> Result<StockTake, Error> {
        if take.items_added() {
            return Ok(take);
        }
        let mut pace = Pace::default();
        while (self.library)
            .populate_step(stamp, take.id(), &mut pace)
            .await?
        {}
        match self.visible(stamp, take.id()).await {
            Ok(read) => Ok(read.value),
            // Removed since: it is told as it was.
            Err(Error::NotFound { .. }) => Ok(take),
            Err(error) => Err(error),
        }
    }
}

impl Stocktake {
    /// Adds the next chunk of the lines that are on their way, if there are any; the take as it was read
    /// before. Whoever else does the same does no harm: each chunk is one commit on the header's version.
    pub(crate) async fn step_population<Part>(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
        pace: &mut Pace<Part>,
    ) -> Result<Versioned<StockTake>, Error> {
        let read = self
            .repository
            .stock_take(stamp.actor.organisation, id)
            .await?;
        let read = read.ok_or(Error::not_found("stock take"))?;
        if is_populating(&read.value) || read.value.run().is_some() {
            pace.begin(read.version)?;
        }
        if let Some(population) = read.value.population()
            && is_populating(&read.value)
        {
            let step = self.populate_chunk(stamp, &read, population).await?;
            pace.note(&step)?;
        }
        Ok(read)
    }

    /// Adds a chunk of lines. Returns whether there are more.
    pub(crate) async fn populate_step(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
        pace: &mut Pace,
    ) -> Result<bool, Error> {
        self.step_population(stamp, id, pace)
            .await
            .map(|read| is_populating(&read.value))
    }

    async fn populate_chunk(
        &self,
        stamp: &Stamp,
        read: &Versioned<StockTake>,
        population: &Population,
    ) -> Result<Step, Error> {
        let take = &read.value;
        let found = self.candidates(take, population).await?;
        let keys = found.levels.iter().map(StockLevel::key);
        let products = self.products_of(take.organisation(), keys).await?;
        let began = self.beginnings(take, &found.levels, stamp).await?;
        let done = population.done.saturating_add(found.looked_at);
        // Keys come and go while they are looked at: at the end there were as many as were.
        let total = match found.next {
            Some(_) => found.total.unwrap_or(population.total).max(done),
            None => done,
        };
        let progress = Progress { done, total };
        let left = found.next.map(|next| Population {
            after: Some(next.as_str().to_owned()),
            done: progress.done,
            total: progress.total,
            ..population.clone()
        });
        let id = CommandId::new(
            "populate",
            format_args!("{}/{}/{}", take.id(), population.job, population.done),
        );
        let mut call = Self::begin_derived(stamp.clone(), id);
        let mut there: BTreeSet<StockTakeItemId> = BTreeSet::new();
        loop {
            let mut line = take.last_line();
            let mut items = Vec::with_capacity(found.levels.len());
            for level in &found.levels {
                let key = level.key();
                // What is no longer kept on stock is counted as long as something of it is there.
                let Some(product) = products
                    .get(&key.product)
                    .filter(|product| product.is_stock || !level.quantity().is_zero())
                else {
                    continue;
                };
                let item = StockTakeItemId::for_key(take.id(), key);
                if !there.contains(&item) {
                    line = line.saturating_add(1);
                    items.push(StockTakeItem::new(
                        take.id(),
                        line,
                        key.clone(),
                        product.clone(),
                        began.get(key).copied().unwrap_or_default(),
                        stamp.at,
                    ));
                }
            }
            let next = take.populate(left.clone(), line, stamp.at)?;
            let step = self.commit(&mut call, Outcome::Done, |changes| {
                for item in items {
                    changes.insert(item);
                }
                changes.update(read.version, next);
                changes.progress(JobProgress {
                    job: population.job,
                    progress,
                });
                if left.is_none() {
                    changes.ack(JobAck::Settled(population.job));
                }
            });
            let step = step.await?;
            let Step::Again(conflicts) = &step else {
                return Ok(step);
            };
            let before = there.len();
            there.extend(conflicts.iter().filter_map(existing_line));
            if there.len() == before || there.len() < conflicts.len() {
                // The header has moved on: begin from it.
                return Ok(step);
            }
        }
    }

    async fn candidates(
        &self,
        take: &StockTake,
        population: &Population,
    ) -> Result<Candidates, Error> {
        let organisation = take.organisation();
        let start = population.after.clone().map_or(PageStart::First, |after| {
            PageStart::After(Cursor::from(after))
        });
        let with_total = population.after.is_none();
        let page = PageRequest {
            start,
            limit: CHUNK,
            with_total,
            reversed: false,
        };
        let place = match &population.source {
            PopulationSource::Stocked => None,
            PopulationSource::StockPlace(place) => Some(place.clone()),
            PopulationSource::CopyOf(source) => {
                let all = StockTakeItemFilter::default();
                let sort = ArticleSort::default();
                let lines = self
                    .repository
                    .stock_take_items(organisation, *source, &all, sort, &page)
                    .await?;
                let keys: Vec<StockKey> = lines
                    .items
                    .iter()
                    .map(|line| line.item.value.key.clone())
                    .collect();
                let levels = self.repository.levels(organisation, &keys).await?;
                let looked_at = count(keys.len());
                let levels = levels.into_iter().flatten().map(|level| level.value);
                let levels = levels.filter(StockLevel::is_stocked);
                return Ok(Candidates {
                    levels: levels.collect(),
                    looked_at,
                    total: lines.total,
                    next: lines.next,
                });
            }
        };
        let filter = LevelFilter {
            place,
            ..LevelFilter::default()
        };
        let levels = self
            .repository
            .levels_page(organisation, take.site(), &filter, &page)
            .await?;
        Ok(Candidates {
            looked_at: count(levels.items.len()),
            levels: levels.items.into_iter().map(|level| level.value).collect(),
            total: levels.total,
            next: levels.next,
        })
    }
}

/// Whether lines are on their way that may still come.
pub(super) fn is_populating(take: &StockTake) -> bool {
    take.population().is_some() && take.allows(StockTakeCommand::Populate).is_ok()
}

pub(super) fn existing_line(conflict: &Conflict) -> Option<StockTakeItemId> {
    if let Conflict::Exists(RecordKey::StockTakeItem(_, item)) = conflict {
        Some(*item)
    } else {
        None
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
