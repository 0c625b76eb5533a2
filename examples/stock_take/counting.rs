//! The counters: eight people count the shelves at once while the till goes on selling.
//!
//! A count says what lies there, never what should: the counters don't read the book. Most lines are
//! counted once. A few show what else happens: a line is counted wrongly and then again, in two goes, or
//! wrongly without anybody noticing; one count is taken back; and a handful is left out on purpose, because
//! uncounted is not zero.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indicatif::ProgressBar;
use stocktake::domain::{
    CountEntry, CountStatus, DecimalError, Entered, Quantity, StockTakeId, StockTakeItemId,
};
use stocktake::service::{Caller, CountRequest, Error};
use stocktake::store::{
    ArticleColumn, ArticleSort, PageRequest, StockTakeItemFilter, StockTakeItemView,
};
use tokio::task::JoinSet;

use crate::failure::{Checks, Failure};
use crate::pace::Pace;
use crate::screen::Bars;
use crate::shop::{Bay, GiftShop};
use crate::till::{Till, trade};

/// How many lines are read at a time.
const PAGE: u32 = 1_000;
/// How many pieces too many the careless counter writes down: a carton.
pub(crate) const CARTON: i64 = 12;

/// What happens to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It is counted.
    Once,
    /// It is counted wrongly, and again, rightly.
    Again,
    /// Half of it is counted, then the other half.
    InTwoGoes,
    /// It is counted wrongly, and nobody notices.
    Wrongly,
    /// It is counted, and the count is taken back.
    TakenBack,
    /// Nobody counts it.
    LeftOut,
}

/// The lines that are not simply counted once. They are taken from all over the shop.
const SPECIAL: [How; 12] = [
    How::Again,
    How::LeftOut,
    How::InTwoGoes,
    How::LeftOut,
    How::Wrongly,
    How::Again,
    How::LeftOut,
    How::TakenBack,
    How::LeftOut,
    How::InTwoGoes,
    How::LeftOut,
    How::Again,
];

/// A line on somebody's list.
#[derive(Clone, Copy, Debug)]
struct Line {
    bay: usize,
    item: StockTakeItemId,
    how: How,
}

/// What counting came to.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// The numbers of all bays on the list.
    pub(crate) listed: BTreeSet<usize>,
    /// The lines that are counted now, by the number of their bay.
    pub(crate) lines: BTreeMap<usize, StockTakeItemId>,
    /// The one with the mistake that nobody noticed.
    pub(crate) mistaken: Option<(usize, StockTakeItemId)>,
    /// Lines that nobody counted.
    pub(crate) left_out: usize,
    /// Counts that were taken back.
    pub(crate) taken_back: usize,
    /// Lines that were counted more than once.
    pub(crate) repeated: usize,
    /// Articles that lay there and were not on the list.
    pub(crate) found: usize,
    /// Lines that an earlier run had done with.
    pub(crate) done_before: usize,
    /// What people entered, in all.
    pub(crate) entries: usize,
    /// What was checked.
    pub(crate) checks: Checks,
}

/// Counts the whole take while the till sells.
pub(crate) async fn count_while_selling(
    shop: &Arc<GiftShop>,
    take: StockTakeId,
    mut till: Till,
    bars: &Bars,
) -> Result<(Till, Counted), Failure> {
    let lines = list(shop, take).await?;
    let unlisted = unlisted(shop, &lines).await;
    if shop.is_continued {
        till.catch_up().await?;
    }
    // Each has a run of neighbouring shelves.
    let share = lines.len().div_ceil(shop.counters.len()).max(1);
    let shares: Vec<Vec<Line>> = lines.chunks(share).map(<[Line]>::to_vec).collect();
    let sales = trade(shop.month.split().during).len();
    let pace = Pace::new(sales, shares.iter().map(Vec::len).collect());
    pace.sold(till.lines);
    let pace = Arc::new(pace);
    let (selling, counting) = (
        bars.add("selling", sales),
        bars.add("counting", lines.len()),
    );
    selling.set_position(u64::try_from(till.lines).unwrap_or(0));

    let sold = tokio::spawn(sell(till, Arc::clone(&pace), selling.clone()));
    let mut counters = JoinSet::new();
    for (lines, caller) in shares.into_iter().zip(&shop.counters) {
        let counter = Counter {
            shop: Arc::clone(shop),
            caller: caller.clone(),
            take,
            counted: Counted::default(),
        };
        counters.spawn(counter.count_all(lines, Arc::clone(&pace), counting.clone()));
    }
    let mut counted = Counted {
        listed: lines.iter().map(|line| line.bay).collect(),
        ..Counted::default()
    };
    let all_counted = async {
        while let Some(one) = counters.join_next().await {
            counted.add(one??);
        }
        Ok::<(), Failure>(())
    };
    // Whoever fails first is heard, and the others are left where they are.
    let (till, ()) = tokio::try_join!(async { sold.await? }, all_counted)?;
    selling.finish_and_clear();
    counting.finish_and_clear();

    if let Some(caller) = shop.counters.first() {
        let mut finder = Counter {
            shop: Arc::clone(shop),
            caller: caller.clone(),
            take,
            counted,
        };
        for number in unlisted {
            finder.count_unlisted(number).await?;
        }
        counted = finder.counted;
    }
    Ok((till, counted))
}

/// Sells all that is sold in the days of counting.
async fn sell(mut till: Till, pace: Arc<Pace>, bar: ProgressBar) -> Result<Till, Failure> {
    till.sell_invoices(&pace, &bar).await?;
    Ok(till)
}

/// The take's lines in the order of the shelves, and what happens to each.
async fn list(shop: &GiftShop, take: StockTakeId) -> Result<Vec<Line>, Failure> {
    let mut still_to_come: HashMap<&str, i64> = HashMap::new();
    for line in trade(shop.month.split().during) {
        *still_to_come.entry(line.code()).or_default() += line.delta();
    }
    let mut lines = Vec::new();
    let (mut plain, mut astray) = (Vec::new(), Vec::new());
    let known = shop.known_bays();
    for view in lines_of(shop, take, CountStatus::All).await? {
        let item = &view.item.value;
        // What an earlier run found, and put on the list, is found again.
        let bay = shop.bay_of(&item.key);
        let Some((number, bay)) = bay.filter(|(number, _)| known.contains(number)) else {
            continue;
        };
        let to_come = still_to_come.get(bay.article.code.as_str());
        let in_the_end = *bay.goods.lock().await + to_come.copied().unwrap_or(0);
        if bay.unknown.is_some() {
            astray.push(lines.len());
        } else if in_the_end > 0 {
            // What is sold out by the end of the month would show nothing.
            plain.push(lines.len());
        }
        lines.push(Line {
            bay: number,
            item: item.id,
            how: How::Once,
        });
    }
    let among = |index: usize, of: &[usize]| of.get(index * of.len() / SPECIAL.len()).copied();
    for (index, how) in SPECIAL.into_iter().enumerate() {
        if let Some(line) = among(index, &plain).and_then(|line| lines.get_mut(line)) {
            line.how = how;
        }
    }
    // Where several really differ, one stays uncounted: its difference stays.
    if let Some(line) = among(SPECIAL.len() / 2, &astray).and_then(|line| lines.get_mut(line))
        && astray.len() > 1
    {
        line.how = How::LeftOut;
    }
    Ok(lines)
}

/// Reads all lines of a take, in the order of the shelves.
pub(crate) async fn lines_of(
    shop: &GiftShop,
    take: StockTakeId,
    status: CountStatus,
) -> Result<Vec<StockTakeItemView>, Failure> {
    let filter = StockTakeItemFilter {
        status,
        ..StockTakeItemFilter::default()
    };
    let sort = ArticleSort {
        column: ArticleColumn::StockPlaceArticle,
        descending: false,
    };
    let takes = shop.library.stock_takes();
    let mut lines = Vec::new();
    let mut page = PageRequest::first(PAGE);
    loop {
        let read = takes
            .items(&shop.manager, take, &filter, sort, &page)
            .await?;
        lines.extend(read.items);
        match read.next {
            Some(next) => page = PageRequest::after(next, PAGE),
            None => return Ok(lines),
        }
    }
}

/// Shelves with goods that the book has never heard of.
async fn unlisted(shop: &GiftShop, lines: &[Line]) -> Vec<usize> {
    let mut listed = vec![false; shop.bays.len()];
    for line in lines {
        if let Some(listed) = listed.get_mut(line.bay) {
            *listed = true;
        }
    }
    let mut unlisted = Vec::new();
    for (number, (bay, listed)) in shop.bays.iter().zip(listed).enumerate() {
        if !listed && *bay.goods.lock().await > 0 {
            unlisted.push(number);
        }
    }
    unlisted
}

/// One person.
struct Counter {
    shop: Arc<GiftShop>,
    caller: Caller,
    take: StockTakeId,
    counted: Counted,
}

impl Counter {
    /// Counts a run of shelves, abreast of the days.
    async fn count_all(
        mut self,
        lines: Vec<Line>,
        pace: Arc<Pace>,
        bar: ProgressBar,
    ) -> Result<Counted, Failure> {
        for (done, line) in lines.iter().enumerate() {
            pace.may_count(done, lines.len()).await;
            self.count(*line).await?;
            pace.counted();
            bar.inc(1);
        }
        Ok(self.counted)
    }

    /// Does with a line what happens to it.
    async fn count(&mut self, line: Line) -> Result<(), Failure> {
        let shop = Arc::clone(&self.shop);
        let Some(bay) = shop.bays.get(line.bay) else {
            return Ok(());
        };
        let counted = &mut self.counted;
        match line.how {
            How::Once => {}
            How::Again | How::InTwoGoes => counted.repeated += 1,
            How::Wrongly => counted.mistaken = Some((line.bay, line.item)),
            How::TakenBack => counted.taken_back += 1,
            How::LeftOut => counted.left_out += 1,
        }
        let there = bay.goods.lock().await;
        let before = self.entries_of(line.item).await?;
        let entries = line.how.left(*there, &before)?;
        if entries.is_empty() && !before.is_empty() {
            self.find_done(line);
        }
        let entered = before.len() + entries.len();
        for entry in entries {
            self.enter(line, bay, entry).await?;
        }
        drop(there);
        if entered > 1 {
            let takes = shop.library.stock_takes();
            let kept = takes
                .count_entries(&self.caller, self.take, line.item)
                .await?
                .len();
            self.counted.checks.hold(kept == entered, || {
                let code = &bay.article.code;
                format!("{code}: counted {entered} times, and {kept} entries were kept")
            });
        }
        Ok(())
    }

    /// Puts an article on the list that lies there and is not on it, and counts it.
    async fn count_unlisted(&mut self, number: usize) -> Result<(), Failure> {
        let shop = Arc::clone(&self.shop);
        let Some(bay) = shop.bays.get(number) else {
            return Ok(());
        };
        let there = bay.goods.lock().await;
        let takes = shop.library.stock_takes();
        let mut item = StockTakeItemId::for_key(self.take, &bay.key);
        let before = self.entries_of(item).await?;
        if before.is_empty() {
            item = takes.add_found(&self.caller, self.take, &bay.key).await?;
        }
        self.counted.found += 1;
        self.counted.listed.insert(number);
        let line = Line {
            bay: number,
            item,
            how: How::Once,
        };
        for entry in How::Once.left(*there, &before)? {
            self.enter(line, bay, entry).await?;
        }
        if !before.is_empty() {
            self.find_done(line);
        }
        Ok(())
    }

    /// What an earlier run entered on a line.
    async fn entries_of(&self, item: StockTakeItemId) -> Result<Vec<CountEntry>, Failure> {
        if !self.shop.is_continued {
            return Ok(Vec::new());
        }
        let takes = self.shop.library.stock_takes();
        match takes.count_entries(&self.caller, self.take, item).await {
            Ok(entries) => Ok(entries),
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes a line that an earlier run had done with.
    fn find_done(&mut self, line: Line) {
        self.counted.done_before += 1;
        if line.how != How::TakenBack {
            self.counted.lines.insert(line.bay, line.item);
        }
    }

    /// Enters a count.
    async fn enter(&mut self, line: Line, bay: &Bay, entry: CountRequest) -> Result<(), Failure> {
        let takes = self.shop.library.stock_takes();
        let cleared = entry.entered == Entered::Clear;
        let item = takes
            .count(&self.caller, self.take, line.item, entry)
            .await?;
        let counted = &mut self.counted;
        counted.entries += 1;
        if cleared {
            counted.lines.remove(&line.bay);
        } else {
            counted.lines.insert(line.bay, line.item);
        }
        counted.checks.hold(item.count.is_none() == cleared, || {
            format!("{}: entered, and not kept", bay.article.code)
        });
        Ok(())
    }
}

impl How {
    /// What is entered, when so many are there.
    fn entries(self, there: i64) -> Result<Vec<CountRequest>, DecimalError> {
        let set = |pieces: i64| Quantity::try_from(pieces).map(CountRequest::set);
        let add = |pieces: i64| Quantity::try_from(pieces).map(CountRequest::add);
        Ok(match self {
            Self::Once => vec![set(there)?],
            Self::Again => vec![set(there + 1)?, set(there)?],
            Self::InTwoGoes => vec![set(there / 2)?, add(there - there / 2)?],
            Self::Wrongly => vec![set(there + CARTON)?],
            Self::TakenBack => vec![set(there)?, CountRequest::clear()],
            Self::LeftOut => Vec::new(),
        })
    }

    /// What is left to be entered after what was entered before. Whoever was interrupted between two halves begins
    /// with the first one again: there may be fewer by now.
    fn left(self, there: i64, before: &[CountEntry]) -> Result<Vec<CountRequest>, DecimalError> {
        let mut entries = self.entries(there)?;
        let is_whole = before
            .last()
            .is_some_and(|last| matches!(last.entered, Entered::Add(_)));
        match self {
            Self::InTwoGoes if !is_whole => {}
            Self::InTwoGoes => entries.clear(),
            _ => drop(entries.drain(..before.len().min(entries.len()))),
        }
        Ok(entries)
    }
}

impl Counted {
    fn add(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.mistaken = self.mistaken.or(other.mistaken);
        self.left_out += other.left_out;
        self.taken_back += other.taken_back;
        self.repeated += other.repeated;
        self.found += other.found;
        self.done_before += other.done_before;
        self.entries += other.entries;
        self.checks.add(other.checks);
    }
}
