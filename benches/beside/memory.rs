//! How much memory a large take needs, from its stock to its posting: the library alone, in this process.

use std::time::Instant;

use stocktake::domain::{PostingOptions, StockTakeState};
use stocktake::service::Caller;
use stocktake::testing::Shop;

use super::Done;
use super::counting::count_all;
use super::peak::report;
use super::stock::{stock_up, take_of};

pub(crate) async fn run(shop: &Shop, lines: usize) -> Done<()> {
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    let started = Instant::now();
    stock_up(shop, &manager, lines).await?;
    report("stock up", started, lines)?;

    let started = Instant::now();
    let take = take_of(shop).await?;
    report("populate", started, lines)?;

    let started = Instant::now();
    assert_eq!(count_all(shop, &manager, take).await?, lines);
    report("count", started, lines)?;

    let started = Instant::now();
    let takes = shop.stocktake.stock_takes();
    let posted = takes
        .submit(&manager, take, PostingOptions::default())
        .await?;
    assert_eq!(posted.state(), StockTakeState::Finished);
    report("post", started, lines)
}
