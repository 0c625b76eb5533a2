//! A database that the contract can be kept in: its way to read and to write.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use super::query::{Snapshot, Transaction};
use crate::store::{ChangeSet, CommitError, CommitOutcome, StoreError};

/// A future of an engine's.
pub(crate) type Work<'a, T, F> = Pin<Box<dyn Future<Output = Result<T, F>> + Send + 'a>>;

/// A database that the contract can be kept in.
pub(crate) trait Engine: Debug + Send + Sync + 'static {
    type Snapshot: Snapshot + Send;
    type Transaction: Transaction + Send;

    /// Reads on one snapshot.
    fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl for<'s> FnOnce(&'s mut Self::Snapshot) -> Work<'s, T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Writes in a transaction, which is committed if the work ends well. The work may be done again.
    fn write<T: Send + 'static, F: From<StoreError> + Send + 'static>(
        &self,
        operation: &'static str,
        work: impl for<'t> Fn(&'t mut Self::Transaction) -> Work<'t, T, F> + Send + 'static,
    ) -> impl Future<Output = Result<T, F>> + Send;

    /// Applies a change set.
    fn write_changes(
        &self,
        changes: &ChangeSet,
    ) -> impl Future<Output = Result<CommitOutcome, CommitError>> + Send;
}
