//! Stores that show what is not committed, or not yet, or not any more.

use super::broken::Sound;
use super::prelude::*;

/// A copy that is one commit behind.
#[derive(Clone, Debug, Default)]
struct Copy {
    store: MemoryStore,
    next: Arc<Mutex<Option<ChangeSet>>>,
}

impl Copy {
    /// Is told a commit, and does the one before.
    async fn follow(&self, changes: &ChangeSet) {
        let mut draft = Draft::of(changes);
        for ack in &mut draft.acks {
            if let JobAck::Leased(token) = ack {
                *ack = JobAck::Settled(token.job);
            }
        }
        let before = locked(&self.next).replace(draft.build());
        if let Some(before) = before {
            drop(self.store.commit(&before).await);
        }
    }

    async fn commit(&self, first: &MemoryStore, changes: &ChangeSet) -> Committed {
        let outcome = first.commit(changes).await?;
        if outcome == CommitOutcome::Applied {
            self.follow(changes).await;
        }
        Ok(outcome)
    }
}

/// A handle that reads a copy.
#[derive(Debug)]
struct Cached {
    first: MemoryStore,
    copy: Copy,
}

#[async_trait]
impl Defect for Cached {
    fn inner(&self) -> &MemoryStore {
        &self.copy.store
    }

    async fn commit(&self, changes: &ChangeSet) -> Committed {
        self.copy.commit(&self.first, changes).await
    }

    async fn lease(
        &self,
        worker: &str,
        kinds: &[JobKind],
        now: Timestamp,
        until: Timestamp,
    ) -> Read<Option<Lease>> {
        self.first.lease(worker, kinds, now, until).await
    }

    async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
        self.first.ack(token, now).await
    }

    async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
        self.first.extend(token, until).await
    }
}

/// What is read of some records while they are being written.
type Pending = Mutex<BTreeMap<RecordKey, (u64, Record)>>;

/// Forgets what was pending, also when the commit is dropped.
struct Unseen<'a>(&'a Pending, u64);

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        locked(self.0).retain(|_, (commit, _)| *commit != self.1);
    }
}

/// Waits until a counter goes on, or gives up.
pub(crate) async fn until_more(counter: &AtomicU64) {
    let before = counter.load(Ordering::SeqCst);
    for _ in 0..200 {
        if counter.load(Ordering::SeqCst) != before {
            return;
        }
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
}

defects! {
    /// M06: a second handle reads a copy that is one commit behind.
    StaleRead { copy: Copy } => {
        fn second_handle(&self) -> Option<Arc<dyn Defect>> {
            let (first, copy) = (self.store.clone(), self.copy.clone());
            Some(Arc::new(Cached { first, copy }))
        }

        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.copy.commit(&self.store, changes).await
        }
    }

    /// M43: the last commit is gone when the process dies.
    Amnesia { copy: Copy } => {
        fn crash_image(&self) -> Option<Arc<dyn Defect>> {
            Some(Arc::new(Sound(self.copy.store.fork())))
        }

        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.copy.commit(&self.store, changes).await
        }
    }

    /// M83: every third read goes to a copy that is one commit behind.
    FlipFlop { copy: Copy, reads: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.copy.commit(&self.store, changes).await
        }

        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            let copied = self.reads.fetch_add(1, Ordering::SeqCst) % 3 == 1;
            let store = if copied { &self.copy.store } else { &self.store };
            store.get(organisation, keys).await
        }

        async fn stock_take_totals(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter) -> Read<StockTakeTotals> {
            let copied = self.reads.fetch_add(1, Ordering::SeqCst) % 3 == 1;
            let store = if copied { &self.copy.store } else { &self.store };
            store.stock_take_totals(organisation, take, filter).await
        }

        async fn counting_view(&self, organisation: OrganisationId, take: StockTakeId, items: &[StockTakeItemId]) -> Read<Option<CountingView>> {
            let copied = self.reads.fetch_add(1, Ordering::SeqCst) % 3 == 1;
            let store = if copied { &self.copy.store } else { &self.store };
            store.counting_view(organisation, take, items).await
        }
    }

    /// M07: what is being written is read before it is committed, and also when it is refused.
    DirtyRead { pending: Pending, commits: AtomicU64, reads: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let commit = self.commits.fetch_add(1, Ordering::SeqCst);
            for record in Draft::of(changes).records() {
                locked(&self.pending).insert(record.key(), (commit, record.clone()));
            }
            let _unseen = Unseen(&self.pending, commit);
            until_more(&self.reads).await;
            self.store.commit(changes).await
        }

        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            if keys.iter().any(|key| matches!(key, RecordKey::StockLevel(_))) {
                self.reads.fetch_add(1, Ordering::SeqCst);
            }
            let mut read = self.store.get(organisation, keys).await?;
            for (key, read) in keys.iter().zip(&mut read) {
                let Some((_, pending)) = locked(&self.pending).get(key).cloned() else {
                    continue;
                };
                let is_new = matches!(pending, Record::StockLevel(_));
                let version = read.as_ref().map(|read| read.version);
                if let Some(version) = version.or(is_new.then_some(Version::FIRST)) {
                    *read = Some(Versioned { version, value: pending });
                }
            }
            Ok(read)
        }

        async fn counting_view(&self, organisation: OrganisationId, take: StockTakeId, items: &[StockTakeItemId]) -> Read<Option<CountingView>> {
            let mut read = self.store.counting_view(organisation, take, items).await?;
            for (item, line) in items.iter().zip(read.iter_mut().flat_map(|read| &mut read.lines)) {
                let key = RecordKey::StockTakeItem(take, *item);
                if let Some((_, Record::StockTakeItem(pending))) = locked(&self.pending).get(&key)
                    && let Some(line) = line
                {
                    line.item.value = Arc::new((**pending).clone());
                }
            }
            Ok(read)
        }
    }

    /// M08: what belongs together is read one after the other.
    SplitSnapshot { commits: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await;
            self.commits.fetch_add(1, Ordering::SeqCst);
            outcome
        }

        async fn counting_view(&self, organisation: OrganisationId, take: StockTakeId, items: &[StockTakeItemId]) -> Read<Option<CountingView>> {
            let first = self.store.counting_view(organisation, take, items).await?;
            until_more(&self.commits).await;
            let second = self.store.counting_view(organisation, take, items).await?;
            Ok(match (first, second) {
                (Some(first), Some(second)) => Some(CountingView { take: first.take, ..second }),
                (_, second) => second,
            })
        }

        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            let mut read = Vec::new();
            for key in keys {
                read.extend(self.store.get(organisation, std::slice::from_ref(key)).await?);
                until_more(&self.commits).await;
            }
            Ok(read)
        }

        async fn stock_take_items(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<StockTakeItemView>> {
            let counted = self.store.stock_take_items(organisation, take, filter, sort, page).await?;
            until_more(&self.commits).await;
            let rows = self.store.stock_take_items(organisation, take, filter, sort, page).await?;
            Ok(Page { total: counted.total, ..rows })
        }
    }
}
