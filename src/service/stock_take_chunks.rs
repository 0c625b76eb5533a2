//! What a chunk of a posting, or of its reversal, needs to know: its lines, their levels, and what happened since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    CountStatus, Run, RunStage, Site, StockEvent, StockKey, StockLevel, StockTake, StockTakeItem,
    StockTakeItemId,
};
use crate::store::{
    ArticleSort, Cursor, Page, PageRequest, PageStart, RepositoryExt, StockTakeItemFilter,
    StockTakeItemView, Versioned,
};

use super::serial_marks::SerialMarks;
use super::site_costs::SiteCosts;
use super::{Error, Stocktake};

/// A line as it was read.
pub(super) type Line = Versioned<Arc<StockTakeItem>>;

/// What a chunk of a run needs to know.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(super) lines: Page<StockTakeItemView>,
    /// Lines of other chunks: their keys hold units that lines of this one found. They are dealt with ahead of their
    /// turn if they let go of them, so that a unit that was found elsewhere moves.
    pub(super) ahead: Vec<Line>,
    pub(super) serials: SerialMarks,
    pub(super) costs: SiteCosts,
    pub(super) levels: BTreeMap<StockKey, Versioned<StockLevel>>,
    pub(super) later: BTreeMap<StockKey, Vec<StockEvent>>,
}

impl Chunk {
    /// Every line, and whether it is ahead of its turn. What `brings` the unit of a serial number to its key comes last:
    /// the unit has left its old key by then.
    pub(super) fn in_order(&self, brings: impl Fn(&Line) -> bool) -> Vec<(&Line, bool)> {
        let ahead = self.ahead.iter().map(|line| (line, true));
        let lines = self.lines.items.iter().map(|line| (&line.item, false));
        let mut all: Vec<(&Line, bool)> = ahead.chain(lines).collect();
        all.sort_by_cached_key(|(line, _)| line.value.key.serial.is_some() && brings(line));
        all
    }
}

impl Stocktake {
    /// Reads the next lines of a run, their levels, and what happened to their keys since they were counted: one
    /// query each.
    pub(super) async fn read_chunk(
        &self,
        site: &Site,
        take: &StockTake,
        run: &Run,
        limit: u32,
    ) -> Result<Chunk, Error> {
        let organisation = take.organisation();
        let filter = StockTakeItemFilter {
            left_over: run.stage == RunStage::LeftOver,
            status: match (run.stage, run.options.zero_uncounted) {
                (RunStage::Check, false) => CountStatus::Counted,
                (
                    RunStage::Check
                    | RunStage::Apply
                    | RunStage::LeftOver
                    | RunStage::ReverseCheck
                    | RunStage::Reverse,
                    _,
                ) => CountStatus::All,
            },
            ..StockTakeItemFilter::default()
        };
        let start = run.after.clone().map_or(PageStart::First, |after| {
            PageStart::After(Cursor::from(after))
        });
        let page = PageRequest {
            start,
            limit,
            with_total: false,
            reversed: false,
        };
        let sort = ArticleSort::default();
        let lines = self
            .repository
            .stock_take_items(organisation, take.id(), &filter, sort, &page)
            .await?;
        let keys = lines.items.iter().map(|line| &line.item.value.key);
        let scope = site.policy.serials;
        let marked = self.serial_marks(organisation, keys, scope).await?;
        let ahead = self
            .lines_ahead(take, run, &lines.items, &marked, site)
            .await?;
        let all = || {
            let lines = lines.items.iter().map(|line| &line.item.value);
            lines.chain(ahead.iter().map(|line| &line.value))
        };
        let keys: Vec<StockKey> = all().map(|item| item.key.clone()).collect();
        let found = self.repository.levels(organisation, &keys).await?;
        let serials = self.serial_marks(organisation, &keys, scope).await?;
        let levels: BTreeMap<StockKey, Versioned<StockLevel>> = keys
            .into_iter()
            .zip(found)
            .filter_map(|(key, level)| level.map(|level| (key, level)))
            .collect();
        // What was counted may be found, and so may what was below zero when it is counted as zero.
        let asks = |item: &StockTakeItem| {
            let level = levels.get(&item.key).map(|level| &level.value);
            let settles = item.count.is_some() || run.options.zero_uncounted;
            settles && !level.is_some_and(StockLevel::knows_cost)
        };
        let unknown = all().filter(|item| asks(item));
        let unknown = unknown.map(|item| item.key.product).collect();
        let keys = all().map(|item| &item.key);
        let costs = self.posting_costs(site, unknown, keys).await?;
        let reverses = matches!(run.stage, RunStage::ReverseCheck | RunStage::Reverse);
        let since: Vec<(StockKey, u64)> = all()
            .filter_map(|item| {
                let since = match (&item.count, &item.posting) {
                    (_, posting) if reverses => posting.as_ref()?.sequence,
                    (Some(count), _) => count.known_from(),
                    (None, _) if run.options.zero_uncounted => item.began.sequence,
                    (None, _) => return None,
                };
                let now = levels.get(&item.key)?.value.sequence();
                (now > since).then(|| (item.key.clone(), since))
            })
            .collect();
        let mut later: BTreeMap<StockKey, Vec<StockEvent>> = BTreeMap::new();
        if !since.is_empty() {
            for event in self.repository.events_after(organisation, &since).await? {
                later.entry(event.key.clone()).or_default().push(event);
            }
        }
        Ok(Chunk {
            lines,
            ahead,
            serials,
            costs,
            levels,
            later,
        })
    }

    /// The lines, of other chunks, of the keys that hold what lines of this one found.
    async fn lines_ahead(
        &self,
        take: &StockTake,
        run: &Run,
        lines: &[StockTakeItemView],
        serials: &SerialMarks,
        site: &Site,
    ) -> Result<Vec<Line>, Error> {
        let may_bring = |item: &StockTakeItem| match run.stage {
            RunStage::Check | RunStage::Apply | RunStage::LeftOver => item.count.is_some(),
            RunStage::ReverseCheck | RunStage::Reverse => item.posting.is_some(),
        };
        let here: BTreeSet<StockTakeItemId> = lines.iter().map(|line| line.item.value.id).collect();
        let wanted: BTreeSet<StockTakeItemId> = lines
            .iter()
            .filter(|line| may_bring(&line.item.value))
            .filter_map(|line| serials.elsewhere(&line.item.value.key, site.policy.serials))
            .filter(|at| at.site == site.id)
            .map(|at| StockTakeItemId::for_key(take.id(), at))
            .filter(|id| !here.contains(id))
            .collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<StockTakeItemId> = wanted.into_iter().collect();
        let view = self
            .repository
            .counting_view(take.organisation(), take.id(), &wanted)
            .await?;
        let lines = view.into_iter().flat_map(|view| view.lines).flatten();
        let ahead = lines.map(|line| line.item).filter(|line| match run.stage {
            RunStage::Check | RunStage::ReverseCheck | RunStage::Reverse => true,
            RunStage::Apply => !line.value.has_posted(take.round()),
            RunStage::LeftOver => line.value.is_left_over(),
        });
        Ok(ahead.collect())
    }
}
