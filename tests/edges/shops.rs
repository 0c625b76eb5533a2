//! A shop on a store of any kind.

use std::sync::Arc;

use stocktake::service::{Caller, Stocktake};
use stocktake::store::{Page, PageRequest};
use stocktake::testing::{ManualClock, SequentialIds, Shop};

use super::stores::Store;

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
