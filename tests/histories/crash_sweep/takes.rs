//! Stock takes: made, counted, posted, opened again and removed.

use stocktake::domain::{Entered, PostingOptions};
use stocktake::service::{ArticleName, CountRequest, Error, InventoryRequest};

use super::shops::{
    count, counted, counted_before_items_are_added, left_over, left_over_with_stock, listed,
    new_list, new_take, populated, submitted,
};
use super::sweep::{Commanded, Sweep};
use super::world::{Work, World, code, q, text, told_of};

pub(super) fn submit(world: &World, options: PostingOptions) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.submit(&world.keyed(), world.take(), options).await?;
        Ok(told_of(&take))
    })
}

pub(super) fn post_and_work(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        takes
            .post(&world.keyed(), world.take(), PostingOptions::default())
            .await?;
        world.shop.run_jobs().await?;
        Ok("posted".to_owned())
    })
}

pub(super) fn reopen(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.reopen(&world.keyed(), world.take(), None).await?;
        Ok(told_of(&take))
    })
}

pub(super) fn create_and_work(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.create(&world.keyed(), new_take(world)).await?;
        world.shop.run_jobs().await?;
        Ok(told_of(&take))
    })
}

pub(super) fn create_annual(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes
            .create_list(&world.keyed(), new_list(world, true))
            .await?;
        Ok(format!("{} {}", told_of(&take), take.items_added()))
    })
}

pub(super) fn post_left_over(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.post_left_over(&world.keyed(), world.take()).await?;
        Ok(told_of(&take))
    })
}

pub(super) fn add_all_articles(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.add_all_articles(&world.keyed(), world.take()).await?;
        Ok(format!("{} {}", told_of(&take), take.last_line()))
    })
}

#[test]
fn create_survives_a_crash_at_every_call() {
    Sweep::of("create", World::open, create_and_work).run();
    Sweep::of("create a list", World::open, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes
                .create_list(&world.keyed(), new_list(world, false))
                .await?;
            Ok(told_of(&take))
        })
    })
    .run();
    Sweep::of("create the annual list", World::open, create_annual).run();
    Sweep::of("copy", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let copy = takes.copy(&world.keyed(), world.take()).await?;
            Ok(format!("{} {}", told_of(&copy), copy.items_added()))
        })
    })
    .deciding_once()
    .run();
}

#[test]
fn count_survives_a_crash_at_every_call() {
    Sweep::of("count", populated, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let request = CountRequest::set(q("38.25"));
            let item = takes
                .count(&world.keyed(), world.take(), world.item(3), request)
                .await?;
            Ok(text(&item.count))
        })
    })
    .run();
    Sweep::of("count lines", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let batch = [
                (world.item(8), CountRequest::set(q("38.25"))),
                (world.item(0), CountRequest::add(q("2"))),
                (world.item(1), CountRequest::clear()),
                (world.item(8), CountRequest::add(q("1"))),
            ];
            let items = takes
                .count_lines(&world.keyed(), world.take(), &batch)
                .await?;
            let counts: Vec<_> = items.iter().map(|item| &item.count).collect();
            Ok(text(&counts))
        })
    })
    .run();
    Sweep::of("count more", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let request = CountRequest::add(q("2"));
            let item = takes
                .count(&world.keyed(), world.take(), world.item(0), request)
                .await?;
            Ok(text(&item.count))
        })
    })
    .run();
    Sweep::of("count an article", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let request = InventoryRequest {
                article: ArticleName::of(code("SKU-0")),
                entered: Entered::Add(q("2")),
                counted_at: None,
            };
            let item = takes
                .inventory(&world.keyed(), world.take(), request)
                .await?;
            Ok(text(&item.count))
        })
    })
    .run();
    Sweep::of("un-count", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let request = CountRequest::clear();
            let item = takes
                .count(&world.keyed(), world.take(), world.item(0), request)
                .await?;
            Ok(text(&item.count))
        })
    })
    .run();
}

#[test]
fn submit_survives_a_crash_at_every_call() {
    Sweep::of("submit", counted, |world| {
        submit(world, PostingOptions::default())
    })
    .deciding_once()
    .run();
    Sweep::of("submit, uncounted as zero", counted, |world| {
        let options = PostingOptions {
            zero_uncounted: true,
            ..PostingOptions::default()
        };
        submit(world, options)
    })
    .deciding_once()
    .run();
    Sweep::of("submit nothing", populated, |world| {
        submit(world, PostingOptions::default())
    })
    .deciding_once()
    .run();
}

#[test]
fn submit_survives_two_crashes() {
    let few = || {
        let world = populated();
        count(&world, 0, "38");
        count(&world, 1, "41");
        world
    };
    Sweep::of("submit", few, |world| {
        submit(world, PostingOptions::default())
    })
    .run_pairs();
}

#[test]
fn post_survives_a_crash_at_every_call() {
    Sweep::of("post", counted, post_and_work)
        .deciding_once()
        .run();
    Sweep::of(
        "post while lines are added",
        counted_before_items_are_added,
        post_and_work,
    )
    .run();
}

#[test]
fn reopen_survives_a_crash_at_every_call() {
    Sweep::of("reopen", submitted, reopen).run();
}

#[test]
fn posting_left_over_lines_survives_a_crash_at_every_call() {
    Sweep::of("post left over", left_over_with_stock, post_left_over)
        .deciding_once()
        .run();
    Sweep::of("dismiss", left_over, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            takes
                .dismiss(&world.keyed(), world.take(), world.item(0))
                .await?;
            Ok("dismissed".to_owned())
        })
    })
    .run();
}

#[test]
fn remove_survives_a_crash_at_every_call() {
    for (name, prepare) in [
        ("new", listed as fn() -> World),
        ("ongoing", counted),
        ("finished", submitted),
    ] {
        Sweep::of(name, prepare, |world| {
            Box::pin(async move {
                let takes = world.shop.stocktake.stock_takes();
                takes.remove(&world.keyed(), world.take()).await?;
                Ok("removed".to_owned())
            })
        })
        .run();
    }
}

#[test]
fn what_nobody_asks_for_again_is_done_by_its_job_or_was_never_begun() {
    let submit: Commanded = |world| submit(world, PostingOptions::default());
    Sweep::of("submit", counted, submit).run_abandoned();
    Sweep::of("post", counted, post_and_work).run_abandoned();
    Sweep::of("reopen", submitted, reopen).run_abandoned();
    Sweep::of("post left over", left_over_with_stock, post_left_over).run_abandoned();
    Sweep::of("create the annual list", World::open, create_annual).run_abandoned();
    Sweep::of("add all articles", listed, add_all_articles).run_abandoned();
}
