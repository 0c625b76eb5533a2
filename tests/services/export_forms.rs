//! Exports in all forms and of all subjects: workbooks as whole as CSV, for people and for machines.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use calamine::{Data, Reader as _, Xlsx};
use stocktake::domain::{AdjustmentType, JobId, MovementPolicy, StockTakeId};
use stocktake::jobs::{Ran, Worker};
use stocktake::memory::MemoryStore;
use stocktake::service::{Caller, Movement, NewMovement, NewStockAdjustment, NewStockTake};
use stocktake::store::{
    ExportForm, ExportFormat, ExportStyle, JobState, LevelFilter, StockAdjustmentFilter,
    StockEventFilter, StockTakeItemFilter,
};
use stocktake::testing::{Fault, FaultStore, Shop, shop};

const fn form(format: ExportFormat, style: ExportStyle) -> ExportForm {
    ExportForm { format, style }
}

const MACHINES: ExportForm = form(ExportFormat::Xlsx, ExportStyle::Machines);
const PEOPLE: ExportForm = form(ExportFormat::Xlsx, ExportStyle::People);

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

/// A shop with so many stocked places, and a take of them all.
async fn large(places: usize) -> (Shop, StockTakeId) {
    let shop = shop();
    let take = stocked(&shop, places).await;
    (shop, take)
}

async fn stocked(shop: &Shop, places: usize) -> StockTakeId {
    shop.open_empty().await.unwrap();
    let places: Vec<NewMovement> = (0..places)
        .map(|number| {
            let place = format!("P-{number:05}").parse().unwrap();
            Movement::Receipt {
                key: shop.key(number % 10).at(place),
                quantity: 1.into(),
                unit_cost: Some("1".parse().unwrap()),
            }
            .into()
        })
        .collect();
    let stock = shop.stocktake.stock();
    stock
        .record(&manager(shop), shop.site.id, &places)
        .await
        .unwrap();
    let new = NewStockTake {
        site: shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = shop
        .stocktake
        .stock_takes()
        .create(&manager(shop), new)
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    take.id()
}

async fn bytes_of(shop: &Shop, job: JobId) -> Vec<u8> {
    shop.run_jobs().await.unwrap();
    let file = shop
        .stocktake
        .exports()
        .file(&manager(shop), job)
        .await
        .unwrap();
    assert_eq!(file.job.state, JobState::Succeeded);
    file.bytes.unwrap()
}

fn sheet(bytes: Vec<u8>) -> Vec<Vec<Data>> {
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    range.rows().map(<[Data]>::to_vec).collect()
}

fn shown(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn s1_12_a_workbook_has_what_the_csv_has() {
    let (shop, take) = large(2_345).await;
    let exports = shop.stocktake.exports();
    let all = StockTakeItemFilter::default;
    let ask = |form| {
        let manager = manager(&shop);
        async move {
            exports
                .stock_take(&manager, take, all(), form)
                .await
                .unwrap()
        }
    };
    let (plain, workbook) = (ask(ExportForm::default()).await, ask(MACHINES).await);
    assert_ne!(plain, workbook);
    assert_eq!(ask(MACHINES).await, workbook, "no line has changed");
    let plain = bytes_of(&shop, plain).await;
    let found = sheet(bytes_of(&shop, workbook).await);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(plain.as_slice());
    let expected = reader.records().map(|row| row.unwrap());
    let mut rows = 0;
    for (row, expected) in found.iter().zip(expected) {
        let row: Vec<String> = row.iter().map(shown).collect();
        assert_eq!(row, expected.iter().collect::<Vec<_>>());
        rows += 1;
    }
    assert_eq!(rows, 2_346);
    let status = exports.status(&manager(&shop), workbook).await.unwrap();
    assert_eq!(
        (status.export.lines, status.job.progress.done),
        (2_345, 2_345)
    );
    assert_eq!(status.export.file_name(), format!("stock-take-{take}.xlsx"));
}

/// A worker that dies in the middle leaves nothing that can be read, and the next one leaves nothing of it behind.
#[tokio::test]
async fn s1_12_what_is_not_whole_is_never_read_and_is_written_anew() {
    let store = Arc::new(FaultStore::new(MemoryStore::new()));
    let shop = Shop::on(Arc::clone(&store));
    let take = stocked(&shop, 10_000).await;
    let exports = shop.stocktake.exports();
    let all = StockTakeItemFilter::default();
    let job = exports
        .stock_take(&manager(&shop), take, all, PEOPLE)
        .await
        .unwrap();
    let mut halves = 0;
    // Each attempt gets further before the store is gone.
    for commits in [1, 9, 11, 13, 14] {
        store.fail_commits_from(store.commits() + commits, Fault::Before);
        let worker = Worker::new(&shop.stocktake, "unlucky");
        assert_eq!(worker.run_once().await.unwrap(), Ran::Failed(job));
        store.heal();
        let status = exports.status(&manager(&shop), job).await.unwrap();
        assert!(!status.export.complete);
        halves += u32::from(status.export.chunks > 0);
        let file = exports.file(&manager(&shop), job).await.unwrap();
        assert_eq!(file.bytes, None);
        assert_eq!(
            exports.file_chunk(&manager(&shop), job, 0).await.unwrap(),
            None
        );
        shop.clock.advance_seconds(2 * 60 * 60);
    }
    assert!(halves > 0, "no attempt got far enough");
    let found = sheet(bytes_of(&shop, job).await);
    assert!(found.len() > 10_000);
}

#[tokio::test]
async fn people_are_told_what_it_is_of_and_what_it_comes_to() {
    let (shop, take) = large(12).await;
    let exports = shop.stocktake.exports();
    let all = StockTakeItemFilter::default();
    for format in [ExportFormat::Xlsx, ExportFormat::Csv] {
        let form = form(format, ExportStyle::People);
        let job = exports
            .stock_take(&manager(&shop), take, all.clone(), form)
            .await
            .unwrap();
        let bytes = bytes_of(&shop, job).await;
        let rows: Vec<Vec<String>> = if format == ExportFormat::Xlsx {
            let rows = sheet(bytes).into_iter();
            rows.map(|row| row.iter().map(shown).collect()).collect()
        } else {
            let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap();
            let mut reader = csv::ReaderBuilder::new();
            let mut reader = reader.has_headers(false).flexible(true).from_reader(text);
            let rows = reader.records().map(|row| row.unwrap());
            rows.map(|row| row.iter().map(str::to_owned).collect())
                .collect()
        };
        assert_eq!(rows[0][..2], ["Stock take", "Quarterly"]);
        assert_eq!(rows[1][..2], ["Site", shop.site.name.as_str()]);
        let created = rows.iter().find(|row| row[0] == "Created (UTC)").unwrap();
        let moment = match format {
            ExportFormat::Xlsx => "46027.375",
            _ => "2026-01-05 09:00:00",
        };
        assert_eq!(created[1], moment, "a moment, not a text");
        let header = rows.iter().position(|row| row[0] == "Article").unwrap();
        let at = |word: &str| rows[header].iter().position(|it| it == word).unwrap();
        assert!(!rows[header].iter().any(|it| it.ends_with("_id")));
        assert_eq!(rows.len(), header + 1 + 12 + 1);
        let sums = rows.last().unwrap();
        assert_eq!(
            (sums[0].as_str(), sums[at("Expected")].as_str()),
            ("Total", "12")
        );
        let unit_cost = format!("Unit cost ({})", shop.site.currency);
        assert!(!rows[header + 1][at(&unit_cost)].is_empty());
    }
}

#[tokio::test]
async fn what_is_of_a_site_is_exported_as_it_is_listed() {
    let (shop, _) = large(30).await;
    let (exports, site, by) = (shop.stocktake.exports(), shop.site.id, manager(&shop));
    for form in [MACHINES, PEOPLE] {
        let above = if form.style == ExportStyle::People {
            5
        } else {
            1
        };
        let levels = exports
            .stock_levels(&by, site, LevelFilter::default(), form)
            .await
            .unwrap();
        let again = exports
            .stock_levels(&by, site, LevelFilter::default(), form)
            .await
            .unwrap();
        assert_ne!(levels, again, "a site's stock may have changed");
        assert_eq!(
            sheet(bytes_of(&shop, levels).await).len(),
            above + 30 + usize::from(above > 1)
        );
        let one = StockEventFilter {
            product: Some(shop.products[3].id),
            ..StockEventFilter::default()
        };
        let events = exports.stock_events(&by, site, one, form).await.unwrap();
        assert_eq!(
            sheet(bytes_of(&shop, events).await).len(),
            above + 3 + usize::from(above > 1)
        );
        let none = StockAdjustmentFilter::default();
        let adjustments = exports
            .stock_adjustments(&by, site, none, form)
            .await
            .unwrap();
        assert_eq!(
            sheet(bytes_of(&shop, adjustments).await).len(),
            above + usize::from(above > 1)
        );
    }
}

/// The sums below adjustments are of what has changed something: not of what waits or was rejected.
#[tokio::test]
async fn only_adjustments_that_were_applied_are_summed() {
    let shop = shop();
    shop.open().await.unwrap();
    let (by, site, adjustments) = (
        manager(&shop),
        shop.site.id,
        shop.stocktake.stock_adjustments(),
    );
    let counter = Caller::of(&shop.counter);
    let of = |change: &str| {
        let reason = "counted".parse().unwrap();
        let (kind, change) = (AdjustmentType::Correction, change.parse().unwrap());
        NewStockAdjustment::of(shop.key(0), kind, change, reason)
    };
    adjustments.create(&counter, site, of("-2")).await.unwrap();
    let rejected = adjustments.create(&counter, site, of("100")).await.unwrap();
    let reason = "typed twice".parse().unwrap();
    adjustments
        .reject(&by, rejected.id(), reason)
        .await
        .unwrap();
    adjustments.create(&counter, site, of("90")).await.unwrap();
    let exports = shop.stocktake.exports();
    let none = StockAdjustmentFilter::default();
    let job = exports.stock_adjustments(&by, site, none, PEOPLE).await;
    let rows = sheet(bytes_of(&shop, job.unwrap()).await);
    let column = rows
        .iter()
        .find_map(|row| row.iter().position(|cell| *cell == "Change"));
    let last = rows.last().unwrap();
    assert_eq!(last[column.unwrap()], Data::Float(-2.0), "{rows:?}");
}

/// A lease that is as short as it can be does not keep a workbook from being written by a worker alone.
#[tokio::test]
async fn a_short_lease_is_enough_without_a_timer() {
    let (shop, take) = large(100).await;
    let exports = shop.stocktake.exports();
    let all = StockTakeItemFilter::default();
    let job = exports
        .stock_take(&manager(&shop), take, all, MACHINES)
        .await
        .unwrap();
    let worker = Worker::new(&shop.stocktake, "hasty").with_lease(Duration::from_millis(1));
    assert_eq!(worker.run_once().await.unwrap(), Ran::Done(job));
    assert_eq!(sheet(bytes_of(&shop, job).await).len(), 101);
}
