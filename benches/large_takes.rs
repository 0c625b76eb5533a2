//! Does anything get slower as a take grows? Takes of 1,000, 30,000 and 1,000,000 lines on the in-memory store:
//! each is populated, all its lines are counted, its totals are read, and it is posted. The opponent of every
//! figure is the same work on the take of 1,000 lines, in the same run.
//!
//! `cargo bench --bench large_takes` runs all three; a number as argument leaves out larger takes.

#[path = "beside/stock.rs"]
mod stock;

use std::sync::Arc;
use std::time::{Duration, Instant};

use stocktake::domain::{PostingOptions, Quantity, StockTakeId, StockTakeItemId, StockTakeState};
use stocktake::memory::MemoryStore;
use stocktake::service::{Caller, CountRequest, Stocktake};
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::Shop;

use stock::{Done, stock_up, take_of};

const SIZES: [usize; 3] = [1_000, 30_000, 1_000_000];
/// How many single operations a figure is the median of.
const SAMPLES: usize = 2_001;

struct Figures {
    lines: usize,
    populate: Duration,
    count_each: Duration,
    count_median: Duration,
    totals_median: Duration,
    filtered_median: Duration,
    first_page: Duration,
    last_page: Duration,
    post: Duration,
}

fn main() -> Done<()> {
    let most = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse::<usize>().ok())
        .unwrap_or(usize::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut rows: Vec<Figures> = Vec::new();
    for lines in SIZES.into_iter().filter(|size| *size <= most) {
        println!("a take of {lines} lines ...");
        rows.push(runtime.block_on(measure(lines))?);
    }
    print_table(&rows);
    Ok(())
}

async fn measure(lines: usize) -> Done<Figures> {
    let shop = Shop::on(Arc::new(MemoryStore::new()));
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    stock_up(&shop, &manager, lines).await?;
    let library = &shop.stocktake;
    let takes = library.stock_takes();

    let started = Instant::now();
    let take = take_of(&shop).await?;
    let populate = started.elapsed();

    let items = all_items(library, &manager, take).await?;
    assert_eq!(items.len(), lines);
    let counter = Caller::of(&shop.counter);
    let started = Instant::now();
    for (index, item) in items.iter().enumerate() {
        // Every hundredth line is one short.
        let there = if index % 100 == 0 { 39 } else { 40 };
        takes
            .count(
                &counter,
                take,
                *item,
                CountRequest::set(Quantity::from(there)),
            )
            .await?;
    }
    let count_each = started.elapsed() / u32::try_from(lines).unwrap_or(u32::MAX);

    // Lines spread over the whole take, one by one.
    let step = (lines / SAMPLES).max(1);
    let mut counts = Vec::with_capacity(SAMPLES);
    for sample in 0..SAMPLES {
        let item = items[(sample * step) % lines];
        let started = Instant::now();
        takes
            .count(&counter, take, item, CountRequest::set(Quantity::from(40)))
            .await?;
        counts.push(started.elapsed());
    }
    let all = StockTakeItemFilter::default();
    let brand = StockTakeItemFilter {
        brands: shop
            .products
            .iter()
            .take(1)
            .filter_map(|p| p.brand.as_ref().map(|b| b.id))
            .collect(),
        ..StockTakeItemFilter::default()
    };
    let totals_median = median(&takes, &manager, take, &all).await?;
    let filtered_median = median(&takes, &manager, take, &brand).await?;

    let (first_page, last_page) = pages(&takes, &manager, take, lines).await?;

    let started = Instant::now();
    let posted = takes
        .submit(&manager, take, PostingOptions::default())
        .await?;
    let post = started.elapsed();
    assert_eq!(posted.state(), StockTakeState::Finished);
    let totals = takes.get(&manager, take).await?.totals;
    assert_eq!(totals.counted, totals.items);
    counts.sort_unstable();
    Ok(Figures {
        lines,
        populate,
        count_each,
        count_median: counts[SAMPLES / 2],
        totals_median,
        filtered_median,
        first_page,
        last_page,
        post,
    })
}

/// How long the first page takes, and one at the end.
async fn pages(
    takes: &stocktake::service::StockTakes<'_>,
    manager: &Caller,
    take: StockTakeId,
    lines: usize,
) -> Done<(Duration, Duration)> {
    let all = StockTakeItemFilter::default();
    let started = Instant::now();
    takes
        .items(
            manager,
            take,
            &all,
            ArticleSort::default(),
            &PageRequest::first(25),
        )
        .await?;
    let first_page = started.elapsed();
    let before_last = takes
        .items(
            manager,
            take,
            &all,
            ArticleSort::default(),
            &PageRequest::numbered(skipped_pages(lines), 25),
        )
        .await?;
    let started = Instant::now();
    if let Some(next) = before_last.next {
        takes
            .items(
                manager,
                take,
                &all,
                ArticleSort::default(),
                &PageRequest::after(next, 25),
            )
            .await?;
    }
    let last_page = started.elapsed();
    Ok((first_page, last_page))
}

fn skipped_pages(lines: usize) -> u32 {
    u32::try_from(lines / 25)
        .unwrap_or(u32::MAX)
        .saturating_sub(2)
}

async fn all_items(
    library: &Stocktake,
    manager: &Caller,
    take: StockTakeId,
) -> Done<Vec<StockTakeItemId>> {
    let mut items = Vec::new();
    let mut page = PageRequest::first(10_000);
    loop {
        let filter = StockTakeItemFilter::default();
        let lines = library
            .stock_takes()
            .items(manager, take, &filter, ArticleSort::default(), &page)
            .await?;
        items.extend(lines.items.iter().map(|line| line.item.value.id));
        match lines.next {
            Some(next) => page = PageRequest::after(next, 10_000),
            None => return Ok(items),
        }
    }
}

async fn median(
    takes: &stocktake::service::StockTakes<'_>,
    manager: &Caller,
    take: StockTakeId,
    filter: &StockTakeItemFilter,
) -> Done<Duration> {
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let started = Instant::now();
        std::hint::black_box(takes.totals(manager, take, filter).await?);
        samples.push(started.elapsed());
    }
    samples.sort_unstable();
    Ok(samples[SAMPLES / 2])
}

fn print_table(rows: &[Figures]) {
    let Some(small) = rows.first() else { return };
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["lines", "what", "time", "ratio to 1,000 lines"]);
    for row in rows {
        let whole = |time: Duration| time / u32::try_from(row.lines).unwrap_or(u32::MAX);
        let small_whole = |time: Duration| time / u32::try_from(small.lines).unwrap_or(u32::MAX);
        let figures = [
            (
                "populate, a line",
                whole(row.populate),
                small_whole(small.populate),
            ),
            ("count every line, each", row.count_each, small.count_each),
            (
                "one more count, median",
                row.count_median,
                small.count_median,
            ),
            ("totals, median", row.totals_median, small.totals_median),
            (
                "totals of a brand, median",
                row.filtered_median,
                small.filtered_median,
            ),
            ("first page of 25", row.first_page, small.first_page),
            ("last page of 25", row.last_page, small.last_page),
            ("post, a line", whole(row.post), small_whole(small.post)),
        ];
        for (what, time, opponent) in figures {
            let ratio = time.as_secs_f64() / opponent.as_secs_f64().max(1e-9);
            table.add_row([
                row.lines.to_string(),
                what.to_owned(),
                format!("{time:.2?}"),
                format!("{ratio:.2}"),
            ]);
        }
    }
    println!("{table}");
}
