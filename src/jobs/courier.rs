//! Who brings orders to suppliers.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::service::OrderLetter;

/// Brings orders to suppliers in the host's own way, electronic data interchange say (S3.5). Where orders are mailed, a
/// worker needs none: its [mailer](super::Worker::with_mailer) is enough.
#[async_trait]
pub trait Courier: Debug + Send + Sync + 'static {
    /// Sends an order. It may be asked to send the same one again: when a worker died after sending.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; the job is tried again later.
    async fn send_order(
        &self,
        letter: &OrderLetter,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}
