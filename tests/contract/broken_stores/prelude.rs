//! What every broken store is made with.

pub(crate) use std::collections::{BTreeMap, BTreeSet};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use async_trait::async_trait;
pub(crate) use stocktake::domain::*;
pub(crate) use stocktake::memory::MemoryStore;
pub(crate) use stocktake::store::*;

pub(crate) use super::broken::{Defect, defects};
pub(crate) use super::draft::{Draft, every, forced, in_vain, part, refusals};
pub(crate) use super::meeting::Meeting;

/// What a commit gives.
pub(crate) type Committed = Result<CommitOutcome, CommitError>;

/// What a read gives.
pub(crate) type Read<T> = Result<T, StoreError>;

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
