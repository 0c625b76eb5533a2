//! How long the one waits who begins to post a take that many count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stocktake::domain::PostingOptions;
use stocktake::service::{Caller, Error};
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::Shop;

use crate::beside::counting::counted;
use crate::beside::stock::{stock_up, take_of};
use crate::beside::{Done, median};

pub(crate) const COUNTERS: usize = 24;
const ROUNDS: usize = 11;
/// What they have counted, together, when the posting begins.
const BEFORE: usize = 480;
const LINES: usize = 1_000;

pub(crate) async fn run(shop: &Arc<Shop>) -> Done<()> {
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    stock_up(shop, &manager, LINES).await?;
    let (mut waits, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (wait, rate) = round(shop, &manager).await?;
        waits.push(wait);
        rates.push(rate);
    }
    waits.sort_unstable();
    let longest = waits.last().copied().unwrap_or_default();
    println!(
        "beginning to post under {COUNTERS} busy counters waits {:.1?} (median of {ROUNDS}), {longest:.1?} at most; \
         a count of one of them takes {:.1?}",
        median(waits),
        median(rates),
    );
    Ok(())
}

/// How long the posting waited to begin, and how long a count took.
async fn round(shop: &Arc<Shop>, manager: &Caller) -> Done<(Duration, Duration)> {
    let take = take_of(shop).await?;
    let takes = shop.stocktake.stock_takes();
    let filter = StockTakeItemFilter::default();
    let first = PageRequest::first(u32::try_from(LINES)?);
    let lines = takes.items(manager, take, &filter, ArticleSort::default(), &first);
    let lines = lines.await?.items.into_iter();
    let items: Arc<[_]> = lines.map(|line| line.item.value.id).collect();
    let done = Arc::new(AtomicUsize::new(0));
    let busy = Arc::new(tokio::sync::Notify::new());
    let started = Instant::now();
    let mut counters = tokio::task::JoinSet::new();
    for counter in 0..COUNTERS {
        let (shop, items) = (Arc::clone(shop), Arc::clone(&items));
        let (done, busy) = (Arc::clone(&done), Arc::clone(&busy));
        counters.spawn(async move {
            let caller = Caller::of(&shop.counter);
            let takes = shop.stocktake.stock_takes();
            for nth in (counter..).step_by(COUNTERS) {
                let item = items[nth % items.len()];
                match takes.count(&caller, take, item, counted(39)).await {
                    Ok(_) => {}
                    Err(Error::Transition(_)) => break,
                    Err(error) => return Err(error),
                }
                if done.fetch_add(1, Ordering::SeqCst) + 1 == BEFORE {
                    busy.notify_one();
                }
            }
            Ok(())
        });
    }
    tokio::select! {
        () = busy.notified() => {}
        Some(ended) = counters.join_next() => {
            ended??;
            return Err("a counter stopped before the posting began".into());
        }
    }
    let rate = started.elapsed() * u32::try_from(COUNTERS)? / u32::try_from(BEFORE)?;
    let begins = Instant::now();
    takes.post(manager, take, PostingOptions::default()).await?;
    let wait = begins.elapsed();
    while let Some(counter) = counters.join_next().await {
        counter??;
    }
    stocktake::jobs::Worker::new(&shop.stocktake, "bench")
        .run_all_due()
        .await?;
    Ok((wait, rate))
}
