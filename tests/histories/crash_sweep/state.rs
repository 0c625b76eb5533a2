//! Everything that is kept, to be compared.

use std::fmt::Debug;

use stocktake::domain::{Cause, Count, CountEntry, LinePosting, StockEvent, StockKey, StockLevel};
use stocktake::store::{
    InventoryCountItemFilter, JobState, MAX_PAGE, PageRequest, Repository as _, RepositoryExt,
    StockTakeItemFilter, StockTakeTotals,
};

use super::poll::done;
use super::world::{World, known, plain};

/// A line, without its ids.
#[derive(Debug, PartialEq)]
pub(super) struct LineState {
    line: u64,
    key: StockKey,
    count: Option<Count>,
    posting: Option<LinePosting>,
    entries: Vec<String>,
}

/// Everything that is kept, without the ids that come from the id source and without the times of recording.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    levels: Vec<String>,
    headers: Vec<String>,
    lines: Vec<LineState>,
    events: Vec<String>,
    totals: Vec<StockTakeTotals>,
    catalogue: Vec<String>,
    /// Counts, adjustments, orders, imports, exports and letters.
    documents: Vec<String>,
    jobs: Vec<JobState>,
}

pub(super) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::StockTake { round, .. } => format!("take, round {round}"),
        other => known(other),
    }
}

pub(super) fn level_state(level: &StockLevel) -> String {
    let valuation = level.valuation();
    let layers: Vec<String> = valuation
        .layers()
        .iter()
        .map(|layer| {
            let left = &layer.left;
            format!(
                "{} of {} at {} = {:?} since {} by {}",
                left.quantity,
                layer.received,
                left.unit_cost,
                left.value,
                left.received_at,
                cause(&left.cause)
            )
        })
        .collect();
    let known = level
        .known()
        .map(|known| (known.at, known.sequence, known.timed, cause(&known.cause)));
    format!(
        "{}: {} ({} reserved, stocked {}), #{}, {:?}/{:?}, last cost {:?}, known {known:?}, {layers:?}",
        level.key(),
        level.quantity(),
        level.reserved(),
        level.is_stocked(),
        level.sequence(),
        valuation.value(),
        valuation.fifo_value(),
        valuation.last_cost(),
    )
}

pub(super) fn event_state(event: &StockEvent) -> String {
    let link = |link: stocktake::domain::EventLink| (link.sequence, link.occurred_at, link.timed);
    format!(
        "{} #{}: {:?} {} {} -> {} ({:?}) at {} (timed {}) by {}, {:?} {:?}, reverses {:?}, absorbs {:?}",
        event.key,
        event.sequence,
        event.kind,
        event.change,
        event.before,
        event.after,
        event.value_change,
        event.occurred_at,
        event.timed,
        cause(&event.cause),
        event.reason,
        event.reference,
        event.reverses.map(link),
        event.absorbs.map(link),
    )
}

pub(super) fn entry_state(entry: &CountEntry) -> String {
    format!(
        "{:?} = {:?} against {} at {} by {} with {:?}",
        entry.entered, entry.counted, entry.book, entry.at, entry.by, entry.device
    )
}

impl State {
    pub(super) fn of(world: &World) -> Self {
        let takes = world.takes();
        let headers = takes.iter().map(|take| {
            format!(
                "{:?} {:?} epoch {} round {} lines {} populating {} running {} result {:?} refusal {:?} by {:?}",
                take.details(),
                take.state(),
                take.epoch(),
                take.round(),
                take.last_line(),
                take.population().is_some(),
                take.run().is_some(),
                take.result(),
                take.refusal().map(|refusal| (refusal.total, &refusal.lines)),
                take.posted_by()
            )
        });
        let lines = takes
            .iter()
            .flat_map(|take| world.lines(take.id()))
            .map(|item| LineState {
                entries: world.entries(&item).iter().map(entry_state).collect(),
                line: item.value.line,
                key: item.value.key,
                count: item.value.count,
                posting: item.value.posting,
            });
        let all = StockTakeItemFilter::default();
        let organisation = world.shop.site.organisation;
        let totals = takes.iter().map(|take| {
            done(
                world
                    .inner()
                    .stock_take_totals(organisation, take.id(), &all),
            )
            .unwrap()
        });
        let ids: Vec<_> = world
            .shop
            .products
            .iter()
            .map(|product| product.id)
            .collect();
        let products = done(world.inner().products(organisation, &ids)).unwrap();
        let site = done(world.inner().site(organisation, world.shop.site.id)).unwrap();
        let mut events: Vec<StockEvent> = world.ledger();
        events.sort_by(|a, b| (&a.key, a.sequence).cmp(&(&b.key, b.sequence)));
        let mut jobs = world.jobs();
        jobs.sort_by_key(|job| format!("{job:?}"));
        Self {
            levels: world.levels().iter().map(level_state).collect(),
            headers: headers.collect(),
            lines: lines.collect(),
            events: events.iter().map(event_state).collect(),
            totals: totals.collect(),
            catalogue: products
                .into_iter()
                .map(|read| format!("{:?}", read.map(|read| read.value)))
                .chain([format!("{:?}", site.map(|read| read.value))])
                .collect(),
            documents: documents(world),
            jobs,
        }
    }

    /// Whether nothing is left to be done, and nothing was given up.
    pub(super) fn is_done(&self) -> bool {
        self.jobs.iter().all(|job| *job == JobState::Succeeded)
    }

    /// The same, whenever it happened.
    pub(super) fn whenever(mut self) -> Self {
        for text in self.levels.iter_mut().chain(&mut self.events) {
            *text = plain(text);
        }
        self
    }

    /// The first difference.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        fn of<T: Debug + PartialEq>(what: &str, a: &[T], b: &[T]) -> Option<String> {
            if a.len() != b.len() {
                return Some(format!("{} {what} instead of {}", b.len(), a.len()));
            }
            let at = a.iter().zip(b).find(|(a, b)| a != b);
            at.map(|(a, b)| format!("{what}: {b:?} instead of {a:?}"))
        }
        of("takes", &self.headers, &other.headers)
            .or_else(|| of("lines", &self.lines, &other.lines))
            .or_else(|| of("levels", &self.levels, &other.levels))
            .or_else(|| of("events", &self.events, &other.events))
            .or_else(|| of("totals", &self.totals, &other.totals))
            .or_else(|| of("catalogue", &self.catalogue, &other.catalogue))
            .or_else(|| of("documents", &self.documents, &other.documents))
            .or_else(|| of("jobs", &self.jobs, &other.jobs))
    }
}

fn documents(world: &World) -> Vec<String> {
    let (organisation, site) = (world.shop.site.organisation, world.shop.site.id);
    let page = PageRequest::first(MAX_PAGE);
    let mut documents = Vec::new();
    let open = done(world.inner().open_count(organisation, site)).unwrap();
    documents.push(format!("a count is open: {}", open.is_some()));
    for count in world.counts() {
        documents.push(known(&count));
        let all = InventoryCountItemFilter::default();
        let lines = world
            .inner()
            .inventory_count_items(organisation, count.id(), &all, &page);
        for line in done(lines).unwrap().items {
            let entries =
                world
                    .inner()
                    .inventory_count_entries(organisation, count.id(), line.value.id);
            documents.push(known(&line.value));
            documents.push(known(&done(entries).unwrap()));
        }
    }
    // Those of the same instant are listed by their ids, and these are new in each run.
    let mut adjustments: Vec<String> = world.adjustments().iter().map(known).collect();
    adjustments.sort();
    documents.extend(adjustments);
    for order in world.orders() {
        documents.push(known(&order));
        documents.extend(world.order_lines(order.id()).iter().map(known));
    }
    documents.extend(world.imports().iter().map(known));
    documents.extend(world.files());
    documents.extend(world.post.sent.lock().unwrap().iter().cloned());
    documents
}
