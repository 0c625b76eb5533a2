//! What tells a worker that time has passed.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

/// Waits. The library starts no threads and has no timer of its own: the host gives it the one of its runtime.
#[async_trait]
pub trait Timer: Debug + Send + Sync + 'static {
    /// Returns when so much time has passed. It may be dropped before.
    ///
    /// # Cancel safety
    ///
    /// Must do nothing but wait: the worker drops it when its work is done.
    async fn wait(&self, time: Duration);
}
