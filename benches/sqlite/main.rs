//! The library on a SQLite file against the same work written by hand over `rusqlite`, in the same run: populate, one
//! durable count, sixteen counters at once, counts in batches, post, import, a page deep in the list, totals.
//!
//! `cargo bench --features sqlite --bench sqlite` runs takes of 1,000, 10,000 and 100,000 lines; a number as argument
//! leaves out larger ones. `-- memory 1000000` instead takes so many lines through populating, counting and posting
//! with the library alone, and tells how much memory each took at most. `-- reads` asks takes of these sizes, with the library
//! alone, what people ask while they count, and tells whether it takes longer as they grow.

#[path = "../beside/mod.rs"]
mod beside;
mod opponent;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stocktake::sqlite::SqliteStore;
use stocktake::testing::Shop;
use uuid::Uuid;

use beside::{
    CROWD, Done, Figures, SAMPLES, by_library, import_body, median, memory, print_table, reads,
    rounds, spread,
};
use opponent::Opponent;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// How many counts one commit has.
const BATCH: usize = 100;

fn main() -> Done<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let arguments: Vec<String> = std::env::args().collect();
    let asked = arguments.iter().find_map(|it| it.parse::<usize>().ok());
    if arguments.iter().any(|it| it == "memory") {
        let folder = tempfile::tempdir()?;
        let shop = Shop::on(Arc::new(SqliteStore::open(
            folder.path().join("library.db"),
        )?));
        return runtime.block_on(memory::run(&shop, asked.unwrap_or(1_000_000)));
    }
    if arguments.iter().any(|it| it == "reads") {
        let mut rows = Vec::new();
        for lines in SIZES
            .into_iter()
            .filter(|lines| asked.is_none_or(|most| *lines <= most))
        {
            let folder = tempfile::tempdir()?;
            let file = folder.path().join("library.db");
            let shop = Shop::on(Arc::new(SqliteStore::open(&file)?));
            let answers = runtime.block_on(reads::measure(&shop, lines, async || Ok(())))?;
            rows.push((lines, answers));
            drop(shop);
            eprintln!(
                "{lines} lines in a file of {} bytes",
                std::fs::metadata(file)?.len()
            );
        }
        reads::print_table(&rows);
        return Ok(());
    }
    let mut rows = Vec::new();
    for lines in SIZES {
        if asked.is_some_and(|most| lines > most) {
            continue;
        }
        eprintln!("a take of {lines} lines ...");
        let folder = tempfile::tempdir()?;
        let theirs = by_hand(&folder.path().join("opponent.db"), lines)?;
        let store = Arc::new(SqliteStore::open(folder.path().join("library.db"))?);
        let shop = Arc::new(Shop::on(store));
        let ours = runtime.block_on(by_library(shop, (lines, BATCH), async || Ok(())))?;
        rows.push((lines, ours, theirs));
    }
    print_table(&rows, BATCH);
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
    let rounds = rounds(items.len());
    figures.batch = timed(|| {
        let batches = (0..rounds).flat_map(|_| items.chunks(BATCH));
        for (number, batch) in batches.enumerate() {
            opponent.count(take, batch, if number % 2 == 0 { 40 } else { 39 })?;
        }
        Ok(())
    })? / rounds;
    let deep = i64::try_from(lines * 9 / 10)?;
    figures.page = median(repeat(|| opponent.page(take, deep, 100).map(drop))?);
    figures.totals = median(repeat(|| opponent.totals(take).map(drop))?);
    figures.post = timed(|| opponent.post(take))?;
    let body = import_body(lines);
    figures.import = timed(|| opponent.import(body.as_bytes()))?;
    Ok(figures)
}

fn timed(work: impl FnOnce() -> Done<()>) -> Done<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}

fn repeat(mut work: impl FnMut() -> Done<()>) -> Done<Vec<Duration>> {
    (0..SAMPLES).map(|_| timed(&mut work)).collect()
}
