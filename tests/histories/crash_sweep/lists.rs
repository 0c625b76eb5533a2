//! Lists that are put together by hand, and the words on a take.

use stocktake::domain::{MovementPolicy, StockTakeDetails, Timestamp};
use stocktake::service::{Edit, StockTakeAmendment};

use super::poll::done;
use super::shops::{counted, listed};
use super::sweep::Sweep;
use super::takes::add_all_articles;
use super::world::{World, code, text, told_of};

fn listed_with_a_place() -> World {
    let world = listed();
    let takes = world.shop.stocktake.stock_takes();
    done(takes.add_stock_place(&world.manager(), world.take(), code("A-1"))).unwrap();
    world
}

#[test]
fn putting_a_list_together_survives_a_crash_at_every_call() {
    Sweep::of("add articles", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let articles = ["SKU-1", "SKU-3", "SKU-5", "SKU-6"].map(code);
            let added = takes
                .add_articles(&world.keyed(), world.take(), &articles)
                .await?;
            Ok(text(&added))
        })
    })
    .run();
    Sweep::of("add a stock place", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes
                .add_stock_place(&world.keyed(), world.take(), code("A-1"))
                .await?;
            Ok(format!("{} {}", told_of(&take), take.last_line()))
        })
    })
    .run();
    Sweep::of("add all articles", listed, add_all_articles).run();
    Sweep::of("remove an article", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let removed = takes
                .remove_article(&world.keyed(), world.take(), code("SKU-2"))
                .await?;
            Ok(text(&removed))
        })
    })
    .run();
    Sweep::of("remove a stock place", listed_with_a_place, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let removed = takes
                .remove_stock_place(&world.keyed(), world.take(), code("A-1"))
                .await?;
            Ok(text(&removed))
        })
    })
    .run();
    Sweep::of("start", listed, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            Ok(told_of(&takes.start(&world.keyed(), world.take()).await?))
        })
    })
    .run();
}

#[test]
fn changing_a_take_survives_a_crash_at_every_call() {
    Sweep::of("add found", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let found = world.shop.key(0).at(code("B-9"));
            takes
                .add_found(&world.keyed(), world.take(), &found)
                .await?;
            Ok("found".to_owned())
        })
    })
    .run();
    Sweep::of("delete a line", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            takes
                .delete_item(&world.keyed(), world.take(), world.item(2))
                .await?;
            Ok("deleted".to_owned())
        })
    })
    .run();
    Sweep::of("update", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let details = StockTakeDetails {
                name: None,
                description: Some("Yearly".parse().unwrap()),
                due_at: Some(Timestamp::EPOCH),
                annual: true,
                movement_policy: MovementPolicy::RefuseMoved,
            };
            Ok(told_of(
                &takes.update(&world.keyed(), world.take(), details).await?,
            ))
        })
    })
    .run();
    Sweep::of("amend", counted, |world| {
        Box::pin(async move {
            let takes = world.shop.stocktake.stock_takes();
            let amendment = StockTakeAmendment {
                description: Edit::Set("Monthly".parse().unwrap()),
                due_at: Edit::Set(Timestamp::EPOCH),
                ..StockTakeAmendment::default()
            };
            Ok(told_of(
                &takes.amend(&world.keyed(), world.take(), amendment).await?,
            ))
        })
    })
    .run();
}
