//! A store that fails when it is told to.

mod effect;
mod job_queue;
mod repository;

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{ChangeSet, StoreError};
#[cfg(doc)]
use crate::store::{CommitError, StoreErrorKind};

/// What goes wrong with a call of a [`FaultStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The store can't be reached: the call has no effect and fails with
    /// [`StoreErrorKind::Unavailable`].
    Before,
    /// The answer is lost: the call has its effect. A commit then fails with
    /// [`CommitError::OutcomeUnknown`], anything else with [`StoreErrorKind::Unavailable`].
    After,
    /// The request is lost, and nobody can tell: the call has no effect. A commit then fails with
    /// [`CommitError::OutcomeUnknown`], anything else with [`StoreErrorKind::Unavailable`].
    Unknown,
    /// The request is still under way: a commit fails with [`CommitError::OutcomeUnknown`], no read sees it, and it
    /// lands when the next commit, settling or lease begins, if it can (clause R13). Anything else has no effect
    /// and fails with [`StoreErrorKind::Unavailable`].
    Late,
    /// The store is overloaded: the call has no effect and fails with [`StoreErrorKind::Busy`].
    Busy,
    /// Somebody else was faster: a commit is not applied and fails with [`CommitError::Conflict`]. Other
    /// calls pass.
    Conflict,
    /// A name is another's: a commit is not applied and fails with [`CommitError::Conflict`], of a record of it whose name is
    /// [taken](crate::store::Conflict::Taken). Other calls pass.
    Taken,
    /// A read is answered from a cache: as it was answered the last time, through any handle, before this call. A
    /// read that was never made before passes, and so does any other call. Against the contract (R5); only what a
    /// commit expects (R2) protects who decides by it.
    Stale,
    /// The call has no effect and never ends: drop its future to cancel it.
    HangBefore,
    /// The call has its effect and never ends: drop its future to cancel it.
    HangAfter,
    /// Nothing goes wrong, but other tasks run first: the call is done when its future is polled again.
    Yield,
}

/// Another store, counting the calls of every storage method, and failing at the call that it is told to.
///
/// Run a piece of work once and ask how many [`calls`](Self::calls) it made; then, for each of them and for
/// each [`Fault`], run it on a fresh store that [fails at](Self::fail_at) that call,
/// [`heal`](Self::heal) the store, try again as a caller would, and compare: that is a crash at every point
/// where one matters. To cancel a call in the middle, let it hang and drop it, or [yield](Fault::Yield) and drop it
/// when it was polled once. A clone is another handle of the same store with the same faults.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use stocktake::domain::Quantity;
/// use stocktake::memory::MemoryStore;
/// use stocktake::service::{Caller, Movement, NewMovement};
/// use stocktake::store::IdempotencyKey;
/// use stocktake::testing::{Fault, FaultStore, Shop};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = FaultStore::new(MemoryStore::new());
/// let shop = Shop::on(Arc::new(store.clone()));
/// shop.open().await?;
/// let till = |sale: &str| IdempotencyKey::new(sale).map(|key| Caller::of(&shop.service).with_key(key));
/// let one: [NewMovement; 1] = [Movement::Issue { key: shop.key(0), quantity: Quantity::ONE }.into()];
/// let stock = shop.stocktake.stock();
///
/// // The last call of a sale is its commit.
/// store.heal();
/// stock.record(&till("sale-1")?, shop.site.id, &one).await?;
/// let commit = store.calls();
/// assert_eq!(store.log().last(), Some(&"commit"));
///
/// // The connection breaks for good while it is committed: was it sold or not?
/// store.heal();
/// store.fail_from(commit, Fault::After);
/// let lost = stock.record(&till("sale-2")?, shop.site.id, &one).await;
/// assert_eq!(lost.map_err(|error| error.code()), Err("outcome_unknown"));
///
/// // Asked again with the same key, it is sold once.
/// store.heal();
/// stock.record(&till("sale-2")?, shop.site.id, &one).await?;
/// assert_eq!(shop.on_hand(&shop.key(0)).await?, Quantity::from(38));
///
/// // It is still under way when the library sends it again: it is sold once even so.
/// store.heal();
/// store.fail_at(commit, Fault::Late);
/// stock.record(&till("sale-3")?, shop.site.id, &one).await?;
/// assert_eq!(shop.on_hand(&shop.key(0)).await?, Quantity::from(37));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FaultStore<S>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    inner: S,
    plan: Mutex<Plan>,
    answers: Mutex<Answers>,
    /// Change sets whose sender gave up waiting.
    late: Mutex<Vec<ChangeSet>>,
}

/// The calls since the store was made or healed, and what is to go wrong.
#[derive(Debug, Default)]
struct Plan {
    log: Vec<&'static str>,
    once: BTreeMap<u64, Fault>,
    from: BTreeMap<u64, Fault>,
    /// By how many commits there have been, this one included.
    commits_from: BTreeMap<u64, Fault>,
    /// Whether a call has begun to hang.
    hanging: bool,
}

/// The method whose calls are told apart from all others.
const COMMIT: &str = "commit";

/// What each read was answered the last time, by its method and arguments.
type Answers = HashMap<(&'static str, String), Box<dyn Any + Send>>;

impl<S> Clone for FaultStore<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> FaultStore<S> {
    /// Wraps a store. Nothing goes wrong yet.
    pub fn new(inner: S) -> Self {
        Self(Arc::new(Shared {
            inner,
            plan: Mutex::default(),
            answers: Mutex::default(),
            late: Mutex::default(),
        }))
    }

    /// The store inside; its calls are not counted, and do not fail.
    pub fn inner(&self) -> &S {
        &self.0.inner
    }

    /// Fails at one call: 1 is the first one since the store was made or [healed](Self::heal).
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.plan(|plan| plan.once.insert(call, fault));
    }

    /// Fails at a call and at every later one until the store is [healed](Self::heal). What
    /// [`fail_at`](Self::fail_at) says of one of them goes before.
    pub fn fail_from(&self, call: u64, fault: Fault) {
        self.plan(|plan| plan.from.insert(call, fault));
    }

    /// Fails a commit and every later one until the store is [healed](Self::heal), and no other call: 1 is the first
    /// commit since the store was made or healed. What is said of it as a call goes before.
    pub fn fail_commits_from(&self, commit: u64, fault: Fault) {
        self.plan(|plan| plan.commits_from.insert(commit, fault));
    }

    /// How many commits there were since the store was made or [healed](Self::heal).
    pub fn commits(&self) -> u64 {
        self.plan(|plan| plan.commits())
    }

    /// Fails no more, and counts from the beginning again. What is [late](Fault::Late) still lands, and
    /// what was [read](Fault::Stale) stays known.
    pub fn heal(&self) {
        self.plan(|plan| *plan = Plan::default());
    }

    /// How many calls there were since the store was made or [healed](Self::heal).
    pub fn calls(&self) -> u64 {
        self.plan(|plan| plan.calls())
    }

    /// The names of the methods that were called since the store was made or [healed](Self::heal), in order.
    pub fn log(&self) -> Vec<&'static str> {
        self.plan(|plan| plan.log.clone())
    }

    /// Whether a call hangs since the store was made or [healed](Self::heal): whoever waits for it waits for ever,
    /// and its future can be dropped.
    pub fn is_hanging(&self) -> bool {
        self.plan(|plan| plan.hanging)
    }

    fn plan<T>(&self, work: impl FnOnce(&mut Plan) -> T) -> T {
        work(&mut locked(&self.0.plan))
    }

    /// Counts a call, and tells what goes wrong with it.
    fn next(&self, method: &'static str) -> Option<Fault> {
        self.plan(|plan| {
            plan.log.push(method);
            let call = plan.calls();
            let once = plan.once.get(&call).copied();
            let from = |faults: &BTreeMap<u64, Fault>, number: u64| {
                let begun = faults.range(..=number).next_back();
                begun.map(|(_, fault)| *fault)
            };
            once.or_else(|| from(&plan.from, call)).or_else(|| {
                let commits = (method == COMMIT).then(|| plan.commits())?;
                from(&plan.commits_from, commits)
            })
        })
    }

    /// Reads, or fails it, or answers as the last time.
    async fn read<T: Clone + Send + 'static>(
        &self,
        method: &'static str,
        arguments: String,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (fault, read_of) = (self.next(method), (method, arguments));
        if fault == Some(Fault::Stale)
            && let Some(last) = locked(&self.0.answers).get(&read_of)
            && let Some(last) = last.downcast_ref::<T>()
        {
            return Ok(last.clone());
        }
        let answer = self.under(fault, method, read).await?;
        locked(&self.0.answers).insert(read_of, Box::new(answer.clone()));
        Ok(answer)
    }

    fn delay(&self, changes: ChangeSet) {
        locked(&self.0.late).push(changes);
    }

    fn take_late(&self) -> Vec<ChangeSet> {
        std::mem::take(&mut *locked(&self.0.late))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plan {
    fn calls(&self) -> u64 {
        u64::try_from(self.log.len()).unwrap_or(u64::MAX)
    }

    fn commits(&self) -> u64 {
        let commits = self.log.iter().filter(|method| **method == COMMIT);
        u64::try_from(commits.count()).unwrap_or(u64::MAX)
    }
}
