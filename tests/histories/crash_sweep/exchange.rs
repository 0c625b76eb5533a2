//! What comes in and goes out as files, and jobs that are queued again.

use std::fmt::Write as _;

use stocktake::domain::ImportMode;
use stocktake::service::Error;
use stocktake::store::{
    ExportForm, InventoryOrderItemFilter, JobKind, JobQueue as _, StockTakeItemFilter,
};

use super::orders::{sent, the_order};
use super::poll::done;
use super::shops::{TWO_CHUNKS, counted};
use super::sweep::{Commanded, Sweep};
use super::world::{Work, World};

const VALUES: &str =
    r#"{"store-1": {"SKU-0": 7, "SKU-1": 40, "SKU-2": {"red": 2.5}, "SKU-3": 12.25}}"#;

fn import<'a>(world: &'a World, mode: ImportMode, body: &str) -> Work<'a, Result<String, Error>> {
    let body = body.to_owned();
    Box::pin(async move {
        let imports = world.shop.stocktake.stock_imports();
        let started = imports
            .begin(&world.keyed(), mode, body.as_bytes(), false)
            .await?;
        world.shop.run_jobs().await?;
        Ok(started.message())
    })
}

/// More values than one commit takes: variants of the ten products.
fn many_values() -> String {
    let mut body = r#"{"store-1": {"#.to_owned();
    for product in 0..10 {
        let comma = if product == 0 { "" } else { ", " };
        write!(body, r#"{comma}"SKU-{product}": {{"#).unwrap();
        for variant in 0..TWO_CHUNKS.div_ceil(10) {
            let comma = if variant == 0 { "" } else { ", " };
            write!(body, r#"{comma}"v{variant}": {variant}.5"#).unwrap();
        }
        body.push('}');
    }
    body.push_str("}}");
    body
}

const SET: Commanded = |world| import(world, ImportMode::Absolute, VALUES);

#[test]
fn importing_survives_a_crash_at_every_call() {
    Sweep::of("import values", World::open, SET)
        .whenever()
        .run();
    Sweep::of("import changes", World::open, |world| {
        import(world, ImportMode::Adjustment, VALUES)
    })
    .whenever()
    .run();
    Sweep::of("import removals", World::open, |world| {
        let body = r#"{"store-1": {"SKU-0": 0, "SKU-4": 0}}"#;
        import(world, ImportMode::Remove, body)
    })
    .whenever()
    .run();
    Sweep::of("import what is refused", World::open, |world| {
        let body = r#"{"store-1": {"SKU-0": 1, "SKU-UNKNOWN": 2}}"#;
        import(world, ImportMode::Absolute, body)
    })
    .whenever()
    .run();
}

#[test]
fn importing_survives_two_crashes_and_is_done_by_its_job() {
    Sweep::of("import values", World::open, SET)
        .whenever()
        .run_pairs();
    Sweep::of("import values", World::open, SET)
        .whenever()
        .run_abandoned();
}

#[test]
fn importing_in_chunks_survives_a_crash_at_every_call() {
    Sweep::of("import in chunks", World::open, |world| {
        import(world, ImportMode::Absolute, &many_values())
    })
    .long()
    .whenever()
    .run();
}

fn export_take(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let exports = world.shop.stocktake.exports();
        let all = StockTakeItemFilter::default();
        let job = exports
            .stock_take(&world.keyed(), world.take(), all, ExportForm::default())
            .await?;
        let told = world.exported(job);
        world.shop.run_jobs().await?;
        Ok(told)
    })
}

#[test]
fn exporting_survives_a_crash_at_every_call() {
    // Which export it is follows from what is read of the take; one that is read as missing is a job that ends dead,
    // and is queued again by whoever asks again.
    Sweep::of("export a take", counted, export_take)
        .deciding_once()
        .run();
    Sweep::of("export an order", sent, |world| {
        Box::pin(async move {
            let exports = world.shop.stocktake.exports();
            let all = InventoryOrderItemFilter::default();
            let job = exports
                .inventory_order(&world.keyed(), the_order(world), all, ExportForm::default())
                .await?;
            let told = world.exported(job);
            world.shop.run_jobs().await?;
            Ok(told)
        })
    })
    .deciding_once()
    .run();
}

/// A workbook can't go on in the middle: what an attempt left behind is removed, and no half file is ever read.
#[cfg(feature = "xlsx")]
#[test]
fn exporting_a_workbook_survives_a_crash_at_every_call() {
    Sweep::of("export a take as a workbook", counted, |world| {
        Box::pin(async move {
            let exports = world.shop.stocktake.exports();
            let (all, form) = (StockTakeItemFilter::default(), people());
            let job = exports
                .stock_take(&world.keyed(), world.take(), all, form)
                .await?;
            let told = world.exported(job);
            world.shop.run_jobs().await?;
            let file = exports.file(&world.manager(), job).await?;
            assert_eq!(file.export.complete, file.bytes.is_some());
            Ok(told)
        })
    })
    .deciding_once()
    .run();
}

#[cfg(feature = "xlsx")]
fn people() -> ExportForm {
    ExportForm {
        format: stocktake::store::ExportFormat::Xlsx,
        style: stocktake::store::ExportStyle::People,
    }
}

/// An export whose attempts are spent.
fn dead() -> World {
    let world = counted();
    let exports = world.shop.stocktake.exports();
    let all = StockTakeItemFilter::default();
    let job = done(exports.stock_take(&world.manager(), world.take(), all, ExportForm::default()))
        .unwrap();
    world.exported(job);
    let (now, until) = (world.shop.now(), world.shop.now().later_by(60_000_000));
    let lease = done(world.inner().lease("unlucky", JobKind::ALL, now, until)).unwrap();
    let token = lease.unwrap().token;
    done(world.inner().fail(token, "the disk was full", now, None)).unwrap();
    world
}

#[test]
fn queueing_a_dead_job_again_survives_a_crash_at_every_call() {
    Sweep::of("queue again", dead, |world| {
        Box::pin(async move {
            let job = world.last_export();
            // Whether it was dead is told once: the first time it may have been lost.
            world
                .shop
                .stocktake
                .requeue_job(&world.manager(), job)
                .await?;
            Ok("queued again".to_owned())
        })
    })
    .run();
    Sweep::of("export what is dead again", dead, export_take)
        .deciding_once()
        .run();
}
