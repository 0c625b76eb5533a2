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

    /// The same store, closed and opened again, as after the death of the process; `None` of a store that promises
    /// no durability (R18).
    fn reopen(&self, store: Self::Store) -> impl Future<Output = Option<Self::Store>> + Send;
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
    async fn reopen(&self, store: Handle) -> Option<Option<Handle>>;
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

    async fn reopen(&self, store: Handle) -> Option<Option<Handle>> {
        let store: Arc<dyn Any + Send + Sync> = store;
        let store = Arc::into_inner(store.downcast::<H::Store>().ok()?)?;
        let reopened = Harness::reopen(self, store).await;
        Some(reopened.map(|store| -> Handle { Arc::new(store) }))
    }
}

/// What a case plays on.
pub(super) struct Stage<'a>(&'a dyn Ground);

impl<'a> Stage<'a> {
    pub(super) fn new(harness: &'a impl Harness) -> Self {
        Self(harness)
    }

    /// An empty store.
    pub(super) async fn fresh(&self) -> Handle {
        self.0.fresh().await
    }

    /// Another handle of a store.
    pub(super) async fn second_handle(&self, store: &Handle) -> Result<Handle, Wrong> {
        let handle = self.0.second_handle(store).await;
        handle.ok_or_else(|| "the case asked for a handle of another harness's store".into())
    }

    /// The store after its process died; `None` of one that is not durable.
    pub(super) async fn reopen(&self, store: Handle) -> Result<Option<Handle>, Wrong> {
        let reopened = self.0.reopen(store).await;
        reopened.ok_or_else(|| "the case still holds a store that it wants reopened".into())
    }
}
