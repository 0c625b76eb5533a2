//! The reference store, in memory: what every clause of the contract means, in plain code.
//!
//! [`MemoryStore`] implements [`Repository`](crate::store::Repository) and
//! [`JobQueue`](crate::store::JobQueue) over one state behind one lock. A commit checks everything first,
//! collects every conflict, and then applies, which can't fail: an error leaves nothing half done. No future
//! ever waits, so dropping one leaves the commit applied (it was polled) or not (it was not).
//!
//! It is meant for tests, for trying things out and for small shops that keep their data elsewhere. It is not
//! durable (R18): what it holds is gone with its last handle. Beyond that it takes no short cuts: counting a
//! line costs O(log n), the totals of a take and of an inventory count are kept up to date as they are counted,
//! lists walk the best index for their filter and never sort more rows than they give.
//!
//! It refuses a change set of more than [`ChangeSet::MAX_SIZE`](crate::store::ChangeSet::MAX_SIZE) parts, and hands
//! out the leases of jobs that are due equally long and have one id in two organisations by organisation: what else
//! it does the contract says.

mod adjustments;
mod catalogue;
mod commands;
mod commit;
mod counts;
mod documents;
mod job_queue;
mod lines;
mod mending;
mod merged;
mod orders;
mod purging;
mod queue;
mod repository;
mod serials;
mod state;
mod stock;
mod table;
mod takes;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use self::state::{Organisation, State};
use crate::domain::OrganisationId;

/// A store in memory. A clone is another handle of the same store.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Code, Label, OrganisationId, Site, SiteId, SitePolicy, Timestamp};
/// use stocktake::memory::MemoryStore;
/// use stocktake::store::{
///     ChangeSet, Command, CommandId, CommitOutcome, Digest, Outcome, Repository, RepositoryExt,
/// };
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let organisation = OrganisationId::new(Uuid::from_u128(1));
/// let site = Site {
///     id: SiteId::new(Uuid::from_u128(2)),
///     organisation,
///     external_id: Code::new("S-1")?,
///     name: Label::new("Harbour Street")?,
///     currency: "gbp".parse()?,
///     policy: SitePolicy::default(),
/// };
/// let mut changes = ChangeSet::new(
///     organisation,
///     Command {
///         id: CommandId::new("put_site", site.id),
///         digest: Digest::of("put_site").field(&site.name).finish(),
///         outcome: Outcome::Done,
///         at: Timestamp::EPOCH,
///     },
/// );
/// changes.insert(site.clone());
/// assert_eq!(store.commit(&changes).await?, CommitOutcome::Applied);
///
/// // Sent again, say after a timeout, it is not done twice.
/// let again = store.commit(&changes).await?;
/// assert_eq!(again, CommitOutcome::AlreadyApplied(Outcome::Done));
///
/// // Another handle sees it; another organisation does not.
/// let other_handle = store.clone();
/// let read = other_handle.site(organisation, site.id).await?;
/// assert_eq!(read.map(|read| read.value), Some(site.clone()));
/// let stranger = OrganisationId::new(Uuid::from_u128(9));
/// assert_eq!(store.site(stranger, site.id).await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<RwLock<State>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another store that holds the same and goes its own way from now on. Prepare one store, and try each thing that
    /// may happen next on a fork of it.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use stocktake::memory::MemoryStore;
    /// use stocktake::testing::Shop;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let store = MemoryStore::new();
    /// Shop::on(Arc::new(store.clone())).open().await?;
    ///
    /// let elsewhere = Shop::on(Arc::new(store.fork()));
    /// assert_eq!(elsewhere.on_hand(&elsewhere.key(0)).await?, 40.into());
    /// # Ok::<(), stocktake::service::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            state: Arc::new(RwLock::new(self.read(State::clone))),
        }
    }

    /// Reads one snapshot. A thread that panicked with the lock had changed nothing: changes are applied
    /// without anything that can panic.
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads what belongs to an organisation; of an unknown one, nothing.
    fn read_of<T>(&self, organisation: OrganisationId, read: impl FnOnce(&Organisation) -> T) -> T {
        self.read(|state| match state.organisations.get(&organisation) {
            Some(organisation) => read(organisation),
            None => read(&Organisation::default()),
        })
    }

    fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for MemoryStore {
    /// Nothing of what it holds: that is other people's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
