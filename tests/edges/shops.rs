//! A shop on a store of any kind.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stocktake::service::{Caller, Stocktake};
use stocktake::store::{
    ChangeSet, Command, CommandId, CommitError, Digest, Outcome, Page, PageRequest,
};
use stocktake::testing::{ManualClock, SequentialIds, Shop};

use super::stores::{Kind, Store, Stores};

/// A shop on a fresh store of its own, with nothing in it.
pub(crate) struct OwnShop {
    shop: Shop,
    _store: Store,
    _stores: Stores,
}

impl OwnShop {
    pub(crate) async fn on(kind: Kind) -> Self {
        let stores = Stores::of(kind);
        let store = stores.fresh().await;
        Self {
            shop: shop_on(&store),
            _store: store,
            _stores: stores,
        }
    }
}

impl Deref for OwnShop {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

impl DerefMut for OwnShop {
    fn deref_mut(&mut self) -> &mut Shop {
        &mut self.shop
    }
}

/// A shop on a store, with nothing in it.
pub(crate) fn shop_on(store: &Store) -> Shop {
    let clock = Arc::new(ManualClock::default());
    let library = Stocktake::with(
        store.repository.clone(),
        store.queue.clone(),
        clock.clone(),
        Arc::new(SequentialIds::default()),
    );
    Shop::with(library, clock)
}

/// Commits past the library, as a program that is wrong would.
pub(crate) async fn commit_wrong(
    store: &Store,
    shop: &Shop,
    fill: impl FnOnce(&mut ChangeSet),
) -> Result<(), CommitError> {
    static WRONG: AtomicU64 = AtomicU64::new(0);
    let command = Command {
        id: CommandId::new("wrong", WRONG.fetch_add(1, Ordering::AcqRel)),
        digest: Digest::of("wrong").finish(),
        outcome: Outcome::Done,
        at: shop.now(),
    };
    let mut changes = ChangeSet::new(shop.manager.organisation, command);
    fill(&mut changes);
    store.repository.commit(&changes).await.map(drop)
}

/// The first page, of whatever size a test has rows.
pub(crate) fn all() -> PageRequest {
    PageRequest::first(1_000)
}

/// The manager of a shop.
pub(crate) fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

/// How many rows a page has.
pub(crate) fn rows<T>(page: &Page<T>) -> usize {
    page.items.len()
}
