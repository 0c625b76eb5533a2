//! Calls that are ready to be made: once, or by several tasks at the same time.

use std::sync::Arc;

use stocktake::domain::{
    InventoryOrderId, Note, PostingOptions, Quantity, SiteId, StockAdjustmentId, StockKey,
    StockTakeId, StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Error, NewMovement, NewStockAdjustment, ReceiveRequest, Stocktake,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::trouble::{Refusal, Tried, Trouble};

/// A call that is ready to be made.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Record {
        caller: Caller,
        site: SiteId,
        movements: Vec<NewMovement>,
        /// Whether they land together; if not, each for itself.
        atomic: bool,
    },
    /// So much more is reserved, or less.
    Reserve {
        caller: Caller,
        key: StockKey,
        change: Quantity,
    },
    Count {
        caller: Caller,
        take: StockTakeId,
        item: StockTakeItemId,
        request: CountRequest,
    },
    Post {
        caller: Caller,
        take: StockTakeId,
        options: PostingOptions,
    },
    Adjust {
        caller: Caller,
        site: SiteId,
        new: NewStockAdjustment,
    },
    Approve {
        caller: Caller,
        adjustment: StockAdjustmentId,
        notes: Option<Note>,
    },
    Receive {
        caller: Caller,
        order: InventoryOrderId,
        request: ReceiveRequest,
    },
}

impl Command {
    /// Makes the call; of an adjustment it tells which.
    pub(crate) async fn call(
        self,
        library: &Stocktake,
    ) -> Result<Option<StockAdjustmentId>, Error> {
        match self {
            Self::Record {
                caller,
                site,
                movements,
                atomic,
            } => {
                let stock = library.stock();
                if atomic {
                    stock.record(&caller, site, &movements).await?;
                    return Ok(None);
                }
                let mut first = Ok(None);
                for movement in movements {
                    let done = stock.record(&caller, site, &[movement]).await;
                    if let (Err(error), true) = (done, first.is_ok()) {
                        first = Err(error);
                    }
                }
                first
            }
            Self::Reserve {
                caller,
                key,
                change,
            } => {
                let stock = library.stock();
                let reserved = stock.level(&caller, &key).await?.reserved();
                let reserved = reserved.checked_add(change)?;
                stock.set_reserved(&caller, &key, reserved).await?;
                Ok(None)
            }
            Self::Count {
                caller,
                take,
                item,
                request,
            } => {
                let takes = library.stock_takes();
                takes.count(&caller, take, item, request).await?;
                Ok(None)
            }
            Self::Post {
                caller,
                take,
                options,
            } => {
                library.stock_takes().submit(&caller, take, options).await?;
                Ok(None)
            }
            Self::Adjust { caller, site, new } => {
                let adjustments = library.stock_adjustments();
                let made = adjustments.create(&caller, site, new).await?;
                Ok(Some(made.id()))
            }
            Self::Approve {
                caller,
                adjustment,
                notes,
            } => {
                let adjustments = library.stock_adjustments();
                adjustments.approve(&caller, adjustment, notes).await?;
                Ok(Some(adjustment))
            }
            Self::Receive {
                caller,
                order,
                request,
            } => {
                let orders = library.inventory_orders();
                orders.receive(&caller, order, request).await?;
                Ok(None)
            }
        }
    }

    /// Makes the call so many times, all at the same moment.
    pub(crate) async fn call_at_once(
        self,
        library: &Stocktake,
        times: usize,
    ) -> Tried<Vec<Result<(), Refusal>>> {
        let start = Arc::new(Barrier::new(times));
        let mut tasks = JoinSet::new();
        for _ in 0..times {
            let (command, library, start) = (self.clone(), library.clone(), start.clone());
            tasks.spawn(async move {
                start.wait().await;
                let done = command.call(&library).await;
                done.map(drop).map_err(|error| Refusal::of(&error))
            });
        }
        let mut attempts = Vec::with_capacity(times);
        while let Some(done) = tasks.join_next().await {
            attempts.push(done.map_err(|error| Trouble::broken(format!("a task died: {error}")))?);
        }
        Ok(attempts)
    }
}
