//! The store under test.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;

use super::checks::Wrong;
use crate::store::{JobQueue, Repository};

/// How to make the stores that are tested. A case asks for one or two; cases run side by side.
pub trait Harness: Send + Sync {
    /// The store, as an application uses it: at its default configuration.
    type Store: Repository + JobQueue;

    /// An empty store that shares nothing with any other.
    fn fresh(&self) -> impl Future<Output = Self::Store> + Send;

    /// Another handle of the same store, as another process of the application has it: with a connection, and
    /// whatever it caches, of its own.
    fn second_handle(&self, store: &Self::Store) -> impl Future<Output = Self::Store> + Send;

    /// What is found after the death of the process that holds this store, if it died at this moment: another store, on
    /// what was left, while this one is still open. `None` of a store that promises no durability (R18).
    ///
    /// Nothing may be asked of the store for it: no flush, no checkpoint, no close, and it is not dropped. Otherwise a store
    /// that writes only when it is closed would seem durable. No call is on its way when the suite asks.
    ///
    /// - A store in files: a copy of its files as they stand now, opened. Copy all that a process would find, the journal or
    ///   write-ahead file as well as the data. What only the dead process had (locks, shared memory) is left out.
    /// - A store on a server: connections of its own, by a client that shares nothing with the first one. The server
    ///   outlives its clients.
    ///
    /// It shows the death of a process, not the loss of power: what a disk has really kept no test can see.
    fn crash_image(&self, store: &Self::Store) -> impl Future<Output = Option<Self::Store>> + Send;
}

/// Both sides of a store.
pub(super) trait Store: Repository + JobQueue + Any {}

impl<S: Repository + JobQueue> Store for S {}

/// A store that cases share among tasks.
pub(super) type Handle = Arc<dyn Store>;

/// A harness, whatever its store is, so that cases are compiled once.
#[async_trait]
trait Ground: Send + Sync {
    async fn fresh(&self) -> Handle;
    async fn second_handle(&self, store: &Handle) -> Option<Handle>;
    async fn crash_image(&self, store: &Handle) -> Option<Option<Handle>>;
}

#[async_trait]
impl<H: Harness> Ground for H {
    async fn fresh(&self) -> Handle {
        Arc::new(Harness::fresh(self).await)
    }

    async fn second_handle(&self, store: &Handle) -> Option<Handle> {
        let store: &dyn Any = store.as_ref();
        let store = store.downcast_ref::<H::Store>()?;
        Some(Arc::new(Harness::second_handle(self, store).await))
    }

    async fn crash_image(&self, store: &Handle) -> Option<Option<Handle>> {
        let store: &dyn Any = store.as_ref();
        let store = store.downcast_ref::<H::Store>()?;
        let image = Harness::crash_image(self, store).await;
        Some(image.map(|store| -> Handle { Arc::new(store) }))
    }
}

/// What a case plays on.
pub(super) struct Stage<'a>(&'a dyn Ground);

impl<'a> Stage<'a> {
    pub(super) fn new(harness: &'a impl Harness) -> Self {
        Self(harness)
    }

    /// A store with nothing in it but what is not the case's: the [decoys](super::decoys).
    pub(super) async fn fresh(&self) -> Result<Handle, Wrong> {
        let store = self.bare().await;
        super::decoys::lay(&*store).await?;
        Ok(store)
    }

    /// An empty store.
    pub(super) async fn bare(&self) -> Handle {
        self.0.fresh().await
    }

    /// Another handle of a store.
    pub(super) async fn second_handle(&self, store: &Handle) -> Result<Handle, Wrong> {
        let handle = self.0.second_handle(store).await;
        handle.ok_or_else(|| "the case asked for a handle of another harness's store".into())
    }

    /// What is left of the store if its process dies now; `None` of one that is not durable.
    pub(super) async fn crash_image(&self, store: &Handle) -> Result<Option<Handle>, Wrong> {
        let image = self.0.crash_image(store).await;
        image.ok_or_else(|| "the case asked for what is left of another harness's store".into())
    }
}
