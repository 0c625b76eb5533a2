//! How much memory a large take needs, from its stock to its posting: the library alone, in this process.

use std::time::Instant;

use stocktake::domain::{PostingOptions, StockTakeId, StockTakeState};
use stocktake::service::Caller;
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::Shop;

use super::Done;
use super::library::{counted, stock_up, take_of};

/// How many counts one commit has.
const BATCH: u32 = 1_000;
/// How much memory a process may have, however large the take is.
const MOST_MIB: u64 = 300;

pub(crate) async fn run(shop: &Shop, lines: usize) -> Done<()> {
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    let started = Instant::now();
    stock_up(shop, &manager, lines).await?;
    report("stock up", started, lines)?;

    let started = Instant::now();
    let take = take_of(shop).await?;
    report("populate", started, lines)?;

    let started = Instant::now();
    assert_eq!(count_all(shop, &manager, take).await?, lines);
    report("count", started, lines)?;

    let started = Instant::now();
    let takes = shop.stocktake.stock_takes();
    let posted = takes
        .submit(&manager, take, PostingOptions::default())
        .await?;
    assert_eq!(posted.state(), StockTakeState::Finished);
    report("post", started, lines)
}

/// Counts everything, as it comes, in batches of a page.
async fn count_all(shop: &Shop, manager: &Caller, take: StockTakeId) -> Done<usize> {
    let takes = shop.stocktake.stock_takes();
    let filter = StockTakeItemFilter::default();
    let mut page = PageRequest::first(BATCH);
    let mut lines = 0;
    loop {
        let found = takes
            .items(manager, take, &filter, ArticleSort::default(), &page)
            .await?;
        let items = found.items.iter().map(|line| line.item.value.id);
        // Most are as they were thought to be.
        let counts: Vec<_> = (0..)
            .zip(items)
            .map(|(nth, item)| (item, counted(if nth % 10 == 0 { 39 } else { 40 })))
            .collect();
        lines += counts.len();
        takes.count_lines(manager, take, &counts).await?;
        match found.next {
            Some(next) => page = PageRequest::after(next, BATCH),
            None => return Ok(lines),
        }
    }
}

/// Tells what was done, and how much memory this process has had at most so far.
fn report(what: &str, started: Instant, lines: usize) -> Done<()> {
    let elapsed = started.elapsed();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|peak| peak.trim().strip_suffix(" kB"))
        .ok_or("the system does not tell the peak of memory")?
        .parse()?;
    let peak = peak / 1_024;
    let each = elapsed / u32::try_from(lines.max(1))?;
    println!("{what}: {lines} lines in {elapsed:.1?} ({each:.1?} each), peak of memory {peak} MiB");
    if peak > MOST_MIB {
        return Err(format!("more than {MOST_MIB} MiB").into());
    }
    Ok(())
}
