//! What callers do who meet.

use std::sync::Arc;

use stocktake::domain::{Code, PostingOptions};
use stocktake::jobs::Worker;
use stocktake::service::{CountRequest, NewMovement};

use super::race::{Task, caller};
use super::world::{World, code, issue, q};

pub(super) fn submit(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes
            .submit(&world.keyed(key), take, PostingOptions::default())
            .await?;
        Ok(format!("posted {:?} {:?}", take.state(), take.result()))
    })
}

pub(super) fn post(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let job = takes
            .post(&world.keyed(key), take, PostingOptions::default())
            .await?;
        Ok(format!("posted by {job}"))
    })
}

pub(super) fn reopen(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let take = takes.reopen(&world.keyed(key), take, None).await?;
        Ok(format!("reopened {:?}", take.state()))
    })
}

pub(super) fn remove(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        world
            .shop
            .stocktake
            .stock_takes()
            .remove(&world.keyed(key), take)
            .await?;
        Ok("removed".to_owned())
    })
}

pub(super) fn delete_item(world: &Arc<World>, number: usize, key: &'static str) -> Task {
    let (take, item) = (world.id(), world.item(number));
    caller(world, move |world| async move {
        world
            .shop
            .stocktake
            .stock_takes()
            .delete_item(&world.keyed(key), take, item)
            .await?;
        Ok("deleted".to_owned())
    })
}

pub(super) fn count_item(
    world: &Arc<World>,
    number: usize,
    request: CountRequest,
    key: &'static str,
) -> Task {
    let (take, item) = (world.id(), world.item(number));
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let item = takes.count(&world.keyed(key), take, item, request).await?;
        Ok(format!(
            "counted {:?}",
            item.count.map(|count| count.quantity)
        ))
    })
}

pub(super) fn count_lines(
    world: &Arc<World>,
    batch: &'static [(usize, &'static str)],
    key: &'static str,
) -> Task {
    let take = world.id();
    let batch = batch.iter();
    let batch: Vec<_> = batch
        .map(|(number, more)| (world.item(*number), CountRequest::add(q(more))))
        .collect();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let items = takes.count_lines(&world.keyed(key), take, &batch).await?;
        let counts = items.into_iter().map(|item| item.count);
        let counts: Vec<_> = counts.map(|count| count.map(|it| it.quantity)).collect();
        Ok(format!("counted {counts:?}"))
    })
}

pub(super) fn sell(
    world: &Arc<World>,
    number: usize,
    quantity: &'static str,
    key: &'static str,
) -> Task {
    let movement = issue(world.shop.key(number), quantity);
    record_one(world, movement, key)
}

pub(super) fn record_one(world: &Arc<World>, movement: NewMovement, key: &'static str) -> Task {
    caller(world, move |world| async move {
        let stock = world.shop.stocktake.stock();
        let events = stock
            .record(&world.keyed(key), world.shop.site.id, &[movement])
            .await?;
        let first = events.first().expect("what was recorded is told");
        Ok(format!("recorded {} {}", first.id, first.after))
    })
}

/// A worker that does what is due, after the clock went on.
pub(super) fn worker(world: &Arc<World>, name: &'static str, after_seconds: i64) -> Task {
    caller(world, move |world| async move {
        tokio::task::yield_now().await;
        world.shop.clock.advance_seconds(after_seconds);
        let worker = Worker::new(&world.shop.stocktake, name);
        worker.run_all_due().await?;
        Ok("worked".to_owned())
    })
}

pub(super) fn add_articles(
    world: &Arc<World>,
    articles: &'static [&'static str],
    key: &'static str,
) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let articles: Vec<Code> = articles.iter().map(|article| code(article)).collect();
        let added = takes
            .add_articles(&world.keyed(key), take, &articles)
            .await?;
        Ok(format!("added {added}"))
    })
}

pub(super) fn remove_article(world: &Arc<World>, article: &'static str, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let takes = world.shop.stocktake.stock_takes();
        let removed = takes
            .remove_article(&world.keyed(key), take, code(article))
            .await?;
        Ok(format!("removed {removed}"))
    })
}

pub(super) fn start(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let take = world
            .shop
            .stocktake
            .stock_takes()
            .start(&world.keyed(key), take)
            .await?;
        Ok(format!("started {:?}", take.state()))
    })
}

pub(super) fn dismiss(world: &Arc<World>, number: usize, key: &'static str) -> Task {
    let (take, item) = (world.id(), world.item(number));
    caller(world, move |world| async move {
        world
            .shop
            .stocktake
            .stock_takes()
            .dismiss(&world.keyed(key), take, item)
            .await?;
        Ok("dismissed".to_owned())
    })
}

pub(super) fn post_left_over(world: &Arc<World>, key: &'static str) -> Task {
    let take = world.id();
    caller(world, move |world| async move {
        let take = world
            .shop
            .stocktake
            .stock_takes()
            .post_left_over(&world.keyed(key), take)
            .await?;
        Ok(format!(
            "posted {:?}",
            take.result().map(|result| result.unposted)
        ))
    })
}
