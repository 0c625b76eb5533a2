//! What tells a worker that time has passed.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

/// Waits. The library starts no threads and has no timer of its own: the host gives it the one of its runtime.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use stocktake::jobs::{Timer, Worker};
///
/// #[derive(Debug)]
/// struct Tokio;
///
/// #[async_trait::async_trait]
/// impl Timer for Tokio {
///     async fn wait(&self, time: Duration) {
///         tokio::time::sleep(time).await;
///     }
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// # let shop = stocktake::testing::shop();
/// let worker = Worker::new(&shop.stocktake, "worker-1")
///     .with_lease(Duration::from_secs(5))
///     .with_timer(Arc::new(Tokio));
/// assert_eq!(worker.run_all_due().await?, 0);
/// # Ok::<(), stocktake::store::StoreError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait Timer: Debug + Send + Sync + 'static {
    /// Returns when so much time has passed. It may be dropped before.
    ///
    /// # Cancel safety
    ///
    /// Must do nothing but wait: the worker drops it when its work is done.
    async fn wait(&self, time: Duration);
}
