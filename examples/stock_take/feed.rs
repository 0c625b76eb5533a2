//! The change feed: a reader that follows the ledger while everything else goes on, as a search index or a
//! web shop would.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use stocktake::domain::{Quantity, StockKey};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::{Checks, Failure};
use crate::shop::GiftShop;

/// How many entries are read at a time.
const PAGE: u32 = 1_000;
/// How long it waits when there is nothing new.
const PAUSE: Duration = Duration::from_millis(5);

/// A reader at work.
#[derive(Debug)]
pub(crate) struct Feed {
    quit: watch::Sender<bool>,
    task: JoinHandle<Result<Followed, Failure>>,
}

/// What it has seen.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// The last position, which is also how many events there were.
    pub(crate) last: u64,
    /// How often it found something new.
    pub(crate) reads: u64,
    /// How many events of each kind.
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    /// What the changes of each key come to.
    pub(crate) sums: HashMap<StockKey, Quantity>,
    /// Whether the positions had no gap.
    pub(crate) checks: Checks,
}

impl Feed {
    /// Begins to read at the beginning.
    pub(crate) fn follow(shop: &Arc<GiftShop>) -> Self {
        let (quit, stopping) = watch::channel(false);
        let task = tokio::spawn(read(Arc::clone(shop), stopping));
        Self { quit, task }
    }

    /// Reads what is left, and tells.
    pub(crate) async fn finish(self) -> Result<Followed, Failure> {
        self.quit.send_replace(true);
        self.task.await?
    }
}

async fn read(
    shop: Arc<GiftShop>,
    mut stopping: watch::Receiver<bool>,
) -> Result<Followed, Failure> {
    let stock = shop.library.stock();
    let mut seen = Followed::default();
    loop {
        // Asked before reading: what was written before the stop is read.
        let last_time = *stopping.borrow_and_update();
        let entries = stock
            .ledger(&shop.manager, shop.site.id, seen.last, PAGE)
            .await?;
        if entries.is_empty() {
            if last_time {
                return Ok(seen);
            }
            tokio::select! {
                _ = stopping.changed() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
            continue;
        }
        seen.reads += 1;
        for entry in entries {
            seen.checks.hold(entry.position == seen.last + 1, || {
                format!("feed: {} came after {}", entry.position, seen.last)
            });
            seen.last = entry.position;
            *seen.kinds.entry(entry.event.kind.as_str()).or_default() += 1;
            let sum = seen.sums.entry(entry.event.key).or_default();
            *sum = sum.checked_add(entry.event.change)?;
        }
    }
}
