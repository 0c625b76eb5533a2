//! What a file of a take's lines costs beside writing the very same cells with the bare writer, in the same run: CSV beside
//! `csv`, workbooks beside `rust_xlsxwriter`, each for machines and for people. The library reads the lines from its store,
//! makes the cells, keeps the file in parts and its progress with them; the writer has its values in memory.
//!
//! `cargo bench --features sqlite,xlsx,pdf --bench exports` writes takes of 1,000, 10,000 and 100,000 lines; a number as
//! argument leaves out larger ones. `-- memory 100000` instead writes and prints a take of so many lines from a SQLite
//! file, and tells how much memory each took at most.

mod bare;
#[path = "../beside/counting.rs"]
mod counting;
#[path = "../beside/peak.rs"]
mod peak;
#[path = "../beside/stock.rs"]
mod stock;

use std::sync::Arc;
use std::time::{Duration, Instant};

use stocktake::domain::{JobId, PostingOptions, StockTakeId};
use stocktake::jobs::Worker;
use stocktake::memory::MemoryStore;
use stocktake::service::{Caller, PrintPolicy, Printed};
use stocktake::sqlite::SqliteStore;
use stocktake::store::{
    CountSheetForm, ExportForm, ExportFormat, ExportStyle, StockTakeItemFilter,
};
use stocktake::testing::{RecordingMailer, Shop};

use counting::count_all;
use stock::{Done, stock_up, take_of};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// How often each is written; the fastest counts.
const ROUNDS: usize = 5;

fn main() -> Done<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let arguments: Vec<String> = std::env::args().collect();
    let asked = arguments.iter().find_map(|it| it.parse::<usize>().ok());
    if arguments.iter().any(|it| it == "memory") {
        return runtime.block_on(memory(asked.unwrap_or(100_000)));
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["lines", "store", "file", "library", "bare writer", "ratio"]);
    for lines in SIZES {
        if asked.is_some_and(|most| lines > most) {
            continue;
        }
        eprintln!("a take of {lines} lines ...");
        let folder = tempfile::tempdir()?;
        let sqlite = SqliteStore::open(folder.path().join("library.db"))?;
        let shops = [
            ("memory", Shop::on(Arc::new(MemoryStore::new()))),
            ("SQLite", Shop::on(Arc::new(sqlite))),
        ];
        for (store, shop) in shops {
            let take = runtime.block_on(counted_take(&shop, lines))?;
            for form in forms() {
                let (ours, theirs) = runtime.block_on(both(&shop, take, form))?;
                table.add_row([
                    lines.to_string(),
                    store.to_owned(),
                    name(form),
                    format!("{ours:.1?}"),
                    format!("{theirs:.1?}"),
                    format!("{:.2}", ours.as_secs_f64() / theirs.as_secs_f64().max(1e-9)),
                ]);
            }
        }
    }
    println!("{table}");
    Ok(())
}

/// A take of so many lines, all counted.
async fn counted_take(shop: &Shop, lines: usize) -> Done<StockTakeId> {
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    stock_up(shop, &manager, lines).await?;
    let take = take_of(shop).await?;
    assert_eq!(count_all(shop, &manager, take).await?, lines);
    Ok(take)
}

fn forms() -> impl Iterator<Item = ExportForm> {
    let formats = [ExportFormat::Csv, ExportFormat::Xlsx].into_iter();
    formats.flat_map(|format| {
        [ExportStyle::Machines, ExportStyle::People].map(|style| ExportForm { format, style })
    })
}

fn name(form: ExportForm) -> String {
    format!("{}, for {}", form.format.as_str(), form.style.as_str())
}

/// How long the library takes, and how long the bare writer for what the library has written.
async fn both(shop: &Shop, take: StockTakeId, form: ExportForm) -> Done<(Duration, Duration)> {
    let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
    let mut cells = None;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let job = exported(shop, take, form).await?;
        ours = ours.min(started.elapsed());
        let bytes = file(shop, job).await?;
        let cells = match &mut cells {
            Some(cells) => cells,
            none => none.insert(bare::Cells::of(form.format, bytes)?),
        };
        let started = Instant::now();
        std::hint::black_box(cells.written()?);
        theirs = theirs.min(started.elapsed());
        // Asking for it again would give the same file, as long as it can be fetched.
        shop.clock.advance_seconds(2 * 24 * 60 * 60);
    }
    Ok((ours, theirs))
}

async fn exported(shop: &Shop, take: StockTakeId, form: ExportForm) -> Done<JobId> {
    let (manager, exports) = (Caller::of(&shop.manager), shop.stocktake.exports());
    let all = StockTakeItemFilter::default();
    let job = exports.stock_take(&manager, take, all, form).await?;
    Worker::new(&shop.stocktake, "bench").run_all_due().await?;
    Ok(job)
}

async fn file(shop: &Shop, job: JobId) -> Done<Vec<u8>> {
    let manager = Caller::of(&shop.manager);
    let file = shop.stocktake.exports().file(&manager, job).await?;
    file.bytes.ok_or_else(|| "the file is not whole".into())
}

/// Writes and prints a take, and tells how much memory each needed.
async fn memory(lines: usize) -> Done<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("library.db"))?;
    let shop = Shop::on(Arc::new(store));
    let take = counted_take(&shop, lines).await?;
    let takes = shop.stocktake.stock_takes();
    let manager = Caller::of(&shop.manager);
    takes
        .submit(&manager, take, PostingOptions::default())
        .await?;
    for form in forms() {
        forget_peak()?;
        let started = Instant::now();
        exported(&shop, take, form).await?;
        peak::report(&name(form), started, lines)?;
    }
    let mut policy = PrintPolicy::default();
    policy.at_once = 0;
    let library = shop.stocktake.clone().with_print_policy(policy);
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&library, "bench").with_mailer(mailer);
    for what in ["count sheet", "receipt"] {
        forget_peak()?;
        let started = Instant::now();
        let printing = library.printing();
        let printed = if what == "receipt" {
            printing.receipt(&manager, take, None).await?
        } else {
            let sheet = CountSheetForm::default();
            printing.count_sheet(&manager, take, sheet, None).await?
        };
        assert!(matches!(printed, Printed::Job(_)));
        worker.run_all_due().await?;
        peak::report(what, started, lines)?;
    }
    Ok(())
}

/// Begins anew: how much memory was held before does not count any more, only what still is.
fn forget_peak() -> Done<()> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}
