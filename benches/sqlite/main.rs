//! The library on a SQLite file against the same work written by hand over `rusqlite`, in the same run: populate, one
//! durable count, sixteen counters at once, counts in batches, post, import, a page deep in the list, totals.
//!
//! `cargo bench --features sqlite --bench sqlite` runs takes of 1,000, 10,000 and 100,000 lines; a number as argument
//! leaves out larger ones, or adds one that is larger (1000000).

mod opponent;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stocktake::domain::ImportMode;
use stocktake::domain::{
    MovementPolicy, PostingOptions, Product, ProductId, Quantity, StockKey, StockTakeId,
    StockTakeItemId, StockTakeState, UnitCost,
};
use stocktake::jobs::Worker;
use stocktake::service::{Caller, CountRequest, Movement, NewMovement, NewStockTake};
use stocktake::sqlite::SqliteStore;
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::Shop;
use uuid::Uuid;

use opponent::{Done, Opponent};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// How many single operations a figure is the median of.
const SAMPLES: usize = 301;
/// How many counts sixteen counters do together.
const CROWD: usize = 1_600;
/// What an import takes at most.
const MOST_IMPORTED: usize = 50_000;

#[derive(Clone, Copy, Default)]
struct Figures {
    populate: Duration,
    count: Duration,
    crowd: Duration,
    batch: Duration,
    post: Duration,
    import: Duration,
    page: Duration,
    totals: Duration,
}

fn main() -> Done<()> {
    let asked = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse::<usize>().ok());
    let mut sizes: Vec<usize> = SIZES
        .into_iter()
        .filter(|size| asked.is_none_or(|most| *size <= most))
        .collect();
    if let Some(asked) = asked.filter(|asked| !SIZES.contains(asked) && *asked > SIZES[0]) {
        sizes.push(asked);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    for lines in sizes {
        eprintln!("a take of {lines} lines ...");
        let folder = tempfile::tempdir()?;
        let theirs = by_hand(&folder.path().join("opponent.db"), lines)?;
        let ours = runtime.block_on(by_library(&folder.path().join("library.db"), lines))?;
        rows.push((lines, ours, theirs));
    }
    print_table(&rows);
    Ok(())
}

fn by_hand(path: &std::path::Path, lines: usize) -> Done<Figures> {
    let mut opponent = Opponent::open(path)?;
    opponent.stock_up(i64::try_from(lines)?)?;
    let take = Uuid::from_u128(9);
    opponent.open_take(take)?;
    let mut figures = Figures {
        populate: timed(|| opponent.populate(take).map(drop))?,
        ..Figures::default()
    };
    let items = opponent.items(take)?;
    let mut samples = Vec::new();
    for item in spread(&items) {
        samples.push(timed(|| opponent.count(take, &[item], 39))?);
    }
    figures.count = median(samples);
    let shared = Arc::new(Mutex::new(opponent));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let shared = Arc::clone(&shared);
            let items = &items;
            scope.spawn(move || {
                for nth in (worker..CROWD).step_by(16) {
                    let item = items[nth * 7 % items.len()];
                    let mut opponent = shared.lock().expect("no counter panics");
                    opponent.count(take, &[item], 38).expect("counting works");
                }
            });
        }
    });
    figures.crowd = started.elapsed();
    let mut opponent = Arc::into_inner(shared)
        .and_then(|shared| shared.into_inner().ok())
        .ok_or("the counters are done")?;
    figures.batch = timed(|| {
        for (number, batch) in items.chunks(100).enumerate() {
            opponent.count(take, batch, if number % 2 == 0 { 40 } else { 39 })?;
        }
        Ok(())
    })?;
    let deep = i64::try_from(lines * 9 / 10)?;
    figures.page = median(repeat(|| opponent.page(take, deep, 100).map(drop))?);
    figures.totals = median(repeat(|| opponent.totals(take).map(drop))?);
    figures.post = timed(|| opponent.post(take))?;
    let body = import_body(lines);
    figures.import = timed(|| opponent.import(body.as_bytes()))?;
    Ok(figures)
}

async fn by_library(path: &std::path::Path, lines: usize) -> Done<Figures> {
    let store = Arc::new(SqliteStore::open(path)?);
    let shop = Arc::new(Shop::on(store));
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    stock_up(&shop, &manager, lines).await?;
    let takes = shop.stocktake.stock_takes();
    let new = NewStockTake {
        site: shop.site.id,
        description: "Everything".parse()?,
        movement_policy: MovementPolicy::default(),
    };
    let mut figures = Figures::default();
    let started = Instant::now();
    let take = takes.create(&manager, new).await?.id();
    Worker::new(&shop.stocktake, "bench").run_all_due().await?;
    figures.populate = started.elapsed();

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
    for (number, batch) in items.chunks(100).enumerate() {
        let quantity = if number % 2 == 0 { 40 } else { 39 };
        let batch: Vec<_> = batch
            .iter()
            .map(|item| (*item, counted(quantity)))
            .collect();
        takes.count_lines(&counter, take, &batch).await?;
    }
    figures.batch = started.elapsed();

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

fn counted(quantity: i64) -> CountRequest {
    CountRequest::set(Quantity::try_from(quantity).expect("a small number"))
}

/// Every article of the shop set to 41, as far as an import takes them.
fn import_body(lines: usize) -> String {
    let mut body = String::from("{\"store-1\":{");
    for number in 0..lines.min(MOST_IMPORTED) {
        let comma = if number > 0 { "," } else { "" };
        write!(body, "{comma}\"BULK-{number:07}\":41").expect("writing to a string works");
    }
    body.push_str("}}");
    body
}

/// Lines from all over the take.
fn spread<T: Copy>(items: &[T]) -> impl Iterator<Item = T> {
    let step = (items.len() / SAMPLES).max(1);
    (0..SAMPLES).map(move |nth| items[nth * step % items.len()])
}

fn timed(work: impl FnOnce() -> Done<()>) -> Done<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}

fn repeat(mut work: impl FnMut() -> Done<()>) -> Done<Vec<Duration>> {
    (0..SAMPLES).map(|_| timed(&mut work)).collect()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

/// Products that look like the shop's first one, and forty of each.
async fn stock_up(shop: &Shop, manager: &Caller, lines: usize) -> Done<()> {
    let like = &shop.products[0];
    let unit_cost: UnitCost = "2.50".parse()?;
    for first in (0..lines).step_by(1_000) {
        let mut products = Vec::with_capacity(1_000);
        let mut movements: Vec<NewMovement> = Vec::with_capacity(1_000);
        for number in first..lines.min(first + 1_000) {
            let id = ProductId::new(Uuid::from_u128((0xbe << 96) | number as u128));
            products.push(Product {
                id,
                article_id: format!("BULK-{number:07}").parse()?,
                name: format!("Bulk article {number}").parse()?,
                brand: shop.products[number % 10].brand.clone(),
                ..like.clone()
            });
            let receipt = Movement::Receipt {
                key: StockKey::plain(shop.site.id, id),
                quantity: Quantity::from(40),
                unit_cost: Some(unit_cost),
            };
            movements.push(receipt.into());
        }
        let catalogue = shop.stocktake.catalogue();
        catalogue.put_products(manager, products).await?;
        let stock = shop.stocktake.stock();
        stock.record(manager, shop.site.id, &movements).await?;
    }
    Ok(())
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

fn print_table(rows: &[(usize, Figures, Figures)]) {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "lines",
        "what",
        "library",
        "by hand",
        "ratio",
        "to 1,000 lines",
    ]);
    let Some((_, first, _)) = rows.first() else {
        return;
    };
    for (lines, ours, theirs) in rows {
        let each = |time: Duration, of: usize| time / u32::try_from(of.max(1)).unwrap_or(u32::MAX);
        let imported = (*lines).min(MOST_IMPORTED);
        let figures = [
            (
                "populate, a line",
                each(ours.populate, *lines),
                each(theirs.populate, *lines),
                None,
            ),
            (
                "one durable count",
                ours.count,
                theirs.count,
                Some(first.count),
            ),
            (
                "16 counters, a count",
                each(ours.crowd, CROWD),
                each(theirs.crowd, CROWD),
                None,
            ),
            (
                "batches of 100, a count",
                each(ours.batch, *lines),
                each(theirs.batch, *lines),
                None,
            ),
            (
                "post, a line",
                each(ours.post, *lines),
                each(theirs.post, *lines),
                None,
            ),
            (
                "import, a value",
                each(ours.import, imported),
                each(theirs.import, imported),
                None,
            ),
            (
                "a deep page of 100",
                ours.page,
                theirs.page,
                Some(first.page),
            ),
            ("totals", ours.totals, theirs.totals, Some(first.totals)),
        ];
        for (what, ours, theirs, small) in figures {
            let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-9);
            table.add_row([
                lines.to_string(),
                what.to_owned(),
                format!("{ours:.1?}"),
                format!("{theirs:.1?}"),
                format!("{:.2}", ratio(ours, theirs)),
                small.map_or_else(String::new, |small| format!("{:.2}", ratio(ours, small))),
            ]);
        }
    }
    println!("{table}");
}
