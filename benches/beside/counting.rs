//! Counting a take.

use stocktake::domain::{Quantity, StockTakeId};
use stocktake::service::{Caller, CountRequest};
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::Shop;

use super::Done;

/// How many counts one commit has.
const BATCH: u32 = 1_000;

pub(crate) fn counted(quantity: i64) -> CountRequest {
    CountRequest::set(Quantity::try_from(quantity).expect("a small number"))
}

/// Counts everything, as it comes, in batches of a page.
pub(crate) async fn count_all(shop: &Shop, manager: &Caller, take: StockTakeId) -> Done<usize> {
    let takes = shop.stocktake.stock_takes();
    let filter = StockTakeItemFilter::default();
    let mut page = PageRequest::first(BATCH);
    let mut lines = 0;
    loop {
        let found = takes
            .items(manager, take, &filter, ArticleSort::default(), &page)
            .await?;
        let items = found.items.iter().map(|line| line.item.value.id);
        // Most are as they were thought to be.
        let counts: Vec<_> = (0..)
            .zip(items)
            .map(|(nth, item)| (item, counted(if nth % 10 == 0 { 39 } else { 40 })))
            .collect();
        lines += counts.len();
        takes.count_lines(manager, take, &counts).await?;
        match found.next {
            Some(next) => page = PageRequest::after(next, BATCH),
            None => return Ok(lines),
        }
    }
}
