//! Inventory counts and stock adjustments.

use stocktake::domain::{
    AdjustmentType, CompletionOptions, CountType, InventoryCountDetails, InventoryCountId,
    MovementPolicy, StockAdjustmentId,
};
use stocktake::service::{Caller, Error, NewCountItem, NewStockAdjustment};

use super::poll::done;
use super::shops::{TWO_CHUNKS, issue, large, record};
use super::sweep::{Commanded, Sweep};
use super::world::{Work, World, known, q};

fn details() -> InventoryCountDetails {
    InventoryCountDetails {
        name: "Shelf by shelf".parse().unwrap(),
        kind: CountType::Cycle,
        notes: None,
        movement_policy: MovementPolicy::KeepMovements,
    }
}

fn the_count(world: &World) -> InventoryCountId {
    world.counts()[0].id()
}

fn started() -> World {
    let world = World::open();
    let counts = world.shop.stocktake.inventory_counts();
    done(counts.start(&world.manager(), world.shop.site.id, details())).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

/// Less, more, much less, right, and one that was counted twice; one moved after it was counted.
fn under_way() -> World {
    let world = started();
    let counts = world.shop.stocktake.inventory_counts();
    let count = the_count(&world);
    for (number, quantity) in [
        (0, "38"),
        (1, "43.5"),
        (2, "0"),
        (3, "40"),
        (4, "1"),
        (4, "39"),
    ] {
        let item = NewCountItem::of(world.shop.key(number), q(quantity));
        done(counts.count(&world.manager(), count, item)).unwrap();
        world.shop.clock.advance_seconds(1);
    }
    record(&world, &[issue(world.shop.key(0), "5")]);
    world.shop.clock.advance_seconds(60);
    world
}

/// More lines than one commit takes.
fn large_under_way() -> World {
    let world = large(TWO_CHUNKS);
    let counts = world.shop.stocktake.inventory_counts();
    done(counts.start(&world.manager(), world.shop.site.id, details())).unwrap();
    let count = the_count(&world);
    for (level, quantity) in world.levels().iter().zip(["39", "40", "41"].iter().cycle()) {
        let item = NewCountItem::of(level.key().clone(), q(quantity));
        done(counts.count(&world.manager(), count, item)).unwrap();
    }
    world.shop.clock.advance_seconds(60);
    world
}

const APPLY: CompletionOptions = CompletionOptions {
    apply_adjustments: true,
    skip_unpostable: false,
};

fn complete(world: &World, options: CompletionOptions) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let counts = world.shop.stocktake.inventory_counts();
        let summary = counts
            .complete(&world.keyed(), the_count(world), options, None)
            .await?;
        Ok(known(&(summary.count.result(), summary.totals)))
    })
}

fn queue_and_work(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let counts = world.shop.stocktake.inventory_counts();
        let job = counts
            .queue_completion(&world.keyed(), the_count(world), APPLY, None)
            .await?;
        world.shop.run_jobs().await?;
        Ok(known(&job))
    })
}

#[test]
fn counting_a_site_survives_a_crash_at_every_call() {
    Sweep::of("start a count", World::open, |world| {
        Box::pin(async move {
            let counts = world.shop.stocktake.inventory_counts();
            let count = counts
                .start(&world.keyed(), world.shop.site.id, details())
                .await?;
            Ok(known(&count))
        })
    })
    .run();
    Sweep::of("count stock", started, |world| {
        Box::pin(async move {
            let counts = world.shop.stocktake.inventory_counts();
            let item = NewCountItem::of(world.shop.key(3), q("38.25"));
            let item = counts.count(&world.keyed(), the_count(world), item).await?;
            Ok(known(&item))
        })
    })
    .run();
    Sweep::of("count stock again", under_way, |world| {
        Box::pin(async move {
            let counts = world.shop.stocktake.inventory_counts();
            let item = NewCountItem::of(world.shop.key(0), q("30"));
            let item = counts.count(&world.keyed(), the_count(world), item).await?;
            Ok(known(&item))
        })
    })
    .deciding_once()
    .run();
    Sweep::of("cancel", under_way, |world| {
        Box::pin(async move {
            let counts = world.shop.stocktake.inventory_counts();
            let summary = counts.cancel(&world.keyed(), the_count(world)).await?;
            Ok(known(&summary))
        })
    })
    .run();
}

#[test]
fn completing_a_count_survives_a_crash_at_every_call() {
    let apply: Commanded = |world| complete(world, APPLY);
    Sweep::of("complete", under_way, apply)
        .deciding_once()
        .run();
    Sweep::of("complete and keep", under_way, |world| {
        complete(world, CompletionOptions::default())
    })
    .deciding_once()
    .run();
    Sweep::of("complete in the background", under_way, queue_and_work)
        .deciding_once()
        .run();
}

#[test]
fn completing_a_count_survives_two_crashes_and_is_done_by_its_job() {
    let apply: Commanded = |world| complete(world, APPLY);
    Sweep::of("complete", under_way, apply).run_pairs();
    Sweep::of("complete", under_way, apply).run_abandoned();
    Sweep::of("complete in the background", under_way, queue_and_work).run_abandoned();
}

#[test]
fn completing_a_count_in_chunks_survives_a_crash_at_every_call() {
    let apply: Commanded = |world| complete(world, APPLY);
    Sweep::of("complete in chunks", large_under_way, apply)
        .long()
        .run();
}

/// An adjustment that waits for a manager: a counter has asked for it.
fn asked() -> World {
    let world = World::open();
    let adjustments = world.shop.stocktake.stock_adjustments();
    let (counter, site) = (Caller::of(&world.shop.counter), world.shop.site.id);
    done(adjustments.create(&counter, site, new(&world, AdjustmentType::Theft))).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

fn new(world: &World, kind: AdjustmentType) -> NewStockAdjustment {
    let reason = "the lock was broken".parse().unwrap();
    NewStockAdjustment::of(world.shop.key(2), kind, q("-3"), reason)
}

fn the_adjustment(world: &World) -> StockAdjustmentId {
    world.adjustments()[0].id()
}

fn adjust(world: &World, kind: AdjustmentType) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let adjustments = world.shop.stocktake.stock_adjustments();
        let adjustment = adjustments
            .create(&world.keyed(), world.shop.site.id, new(world, kind))
            .await?;
        Ok(known(&adjustment))
    })
}

fn approve(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let adjustments = world.shop.stocktake.stock_adjustments();
        let adjustment = adjustments
            .approve(&world.keyed(), the_adjustment(world), None)
            .await?;
        Ok(known(&adjustment))
    })
}

#[test]
fn adjusting_survives_a_crash_at_every_call() {
    Sweep::of("adjust", World::open, |world| {
        adjust(world, AdjustmentType::Damage)
    })
    .run();
    Sweep::of("ask for an adjustment", World::open, |world| {
        adjust(world, AdjustmentType::Theft)
    })
    .run();
    Sweep::of("approve", asked, approve).run();
    Sweep::of("approve", asked, approve).run_pairs();
    Sweep::of("reject", asked, |world| {
        Box::pin(async move {
            let adjustments = world.shop.stocktake.stock_adjustments();
            let reason = "it was found".parse().unwrap();
            let adjustment = adjustments
                .reject(&world.keyed(), the_adjustment(world), reason)
                .await?;
            Ok(known(&adjustment))
        })
    })
    .run();
}
