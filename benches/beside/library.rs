//! The library's part.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use stocktake::domain::{ImportMode, PostingOptions, StockTakeId, StockTakeItemId, StockTakeState};
use stocktake::jobs::Worker;
use stocktake::service::Caller;
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::Shop;

use super::counting::counted;
use super::stock::{stock_up, take_of};
use super::{CROWD, Done, Figures, SAMPLES, median, rounds, spread};

/// What an import takes at most.
pub(crate) const MOST_IMPORTED: usize = 50_000;

/// A take of so many lines, counted in batches of so many, in a shop that nothing is in yet. What has become large since
/// the database last looked at its tables, it looks at when it is told to.
pub(crate) async fn by_library(
    shop: Arc<Shop>,
    (lines, batch): (usize, usize),
    look: impl AsyncFn() -> Done<()>,
) -> Done<Figures> {
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    stock_up(&shop, &manager, lines).await?;
    look().await?;
    let takes = shop.stocktake.stock_takes();
    let mut figures = Figures::default();
    let started = Instant::now();
    let take = take_of(&shop).await?;
    figures.populate = started.elapsed();
    look().await?;

    let items = all_items(&shop, &manager, take).await?;
    assert_eq!(items.len(), lines);
    let counter = Caller::of(&shop.counter);
    let mut samples = Vec::new();
    for item in spread(&items) {
        let started = Instant::now();
        takes.count(&counter, take, item, counted(39)).await?;
        samples.push(started.elapsed());
    }
    figures.count = median(samples);

    let items = Arc::new(items);
    let started = Instant::now();
    let mut counters = tokio::task::JoinSet::new();
    for worker in 0..16 {
        let (shop, items) = (Arc::clone(&shop), Arc::clone(&items));
        counters.spawn(async move {
            let counter = Caller::of(&shop.counter);
            for nth in (worker..CROWD).step_by(16) {
                let item = items[nth * 7 % items.len()];
                let takes = shop.stocktake.stock_takes();
                takes.count(&counter, take, item, counted(38)).await?;
            }
            Ok::<(), stocktake::service::Error>(())
        });
    }
    while let Some(counter) = counters.join_next().await {
        counter??;
    }
    figures.crowd = started.elapsed();

    let started = Instant::now();
    let rounds = rounds(items.len());
    let batches = (0..rounds).flat_map(|_| items.chunks(batch));
    for (number, batch) in batches.enumerate() {
        let quantity = if number % 2 == 0 { 40 } else { 39 };
        let counts: Vec<_> = batch
            .iter()
            .map(|item| (*item, counted(quantity)))
            .collect();
        takes.count_lines(&counter, take, &counts).await?;
    }
    figures.batch = started.elapsed() / rounds;

    let deep = u32::try_from(lines * 9 / 10 / 100)?;
    let all = StockTakeItemFilter::default();
    let sort = ArticleSort::default();
    let before = PageRequest::numbered(deep.saturating_sub(1), 100);
    let next = takes.items(&manager, take, &all, sort, &before).await?.next;
    let page = PageRequest::after(next.ok_or("there are lines left")?, 100);
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        let started = Instant::now();
        takes.items(&manager, take, &all, sort, &page).await?;
        samples.push(started.elapsed());
    }
    figures.page = median(samples);
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        let started = Instant::now();
        takes.totals(&manager, take, &all).await?;
        samples.push(started.elapsed());
    }
    figures.totals = median(samples);

    let started = Instant::now();
    let posted = takes
        .submit(&manager, take, PostingOptions::default())
        .await?;
    figures.post = started.elapsed();
    assert_eq!(posted.state(), StockTakeState::Finished);

    let body = import_body(lines);
    let started = Instant::now();
    let imports = shop.stocktake.stock_imports();
    imports
        .begin(&manager, ImportMode::Absolute, body.as_bytes(), false)
        .await?;
    Worker::new(&shop.stocktake, "bench").run_all_due().await?;
    figures.import = started.elapsed();
    Ok(figures)
}

/// Every article of the shop set to 41, as far as an import takes them.
pub(crate) fn import_body(lines: usize) -> String {
    let mut body = String::from("{\"store-1\":{");
    for number in 0..lines.min(MOST_IMPORTED) {
        let comma = if number > 0 { "," } else { "" };
        write!(body, "{comma}\"BULK-{number:07}\":41").expect("writing to a string works");
    }
    body.push_str("}}");
    body
}

async fn all_items(shop: &Shop, manager: &Caller, take: StockTakeId) -> Done<Vec<StockTakeItemId>> {
    let mut items = Vec::new();
    let mut page = PageRequest::first(10_000);
    loop {
        let filter = StockTakeItemFilter::default();
        let takes = shop.stocktake.stock_takes();
        let lines = takes
            .items(manager, take, &filter, ArticleSort::default(), &page)
            .await?;
        items.extend(lines.items.iter().map(|line| line.item.value.id));
        match lines.next {
            Some(next) => page = PageRequest::after(next, 10_000),
            None => return Ok(items),
        }
    }
}
