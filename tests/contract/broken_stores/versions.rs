//! Stores whose versions are not right.

use super::prelude::*;

/// A line of a take.
type Name = (OrganisationId, StockTakeId, StockTakeItemId);

/// By how much the versions of lines are higher inside than they are told.
#[derive(Debug, Default)]
struct Lives {
    offsets: Mutex<BTreeMap<Name, u64>>,
    /// The version that a line had when it was deleted, as it was told.
    last: Mutex<BTreeMap<Name, Version>>,
}

impl Lives {
    fn offset(&self, name: Name) -> u64 {
        locked(&self.offsets).get(&name).copied().unwrap_or(0)
    }

    fn told(&self, name: Name, inside: Version) -> Version {
        Version::new(inside.get() - self.offset(name))
    }

    /// Commits, and gives the lines that are inserted versions of this store's own.
    async fn commit(
        &self,
        store: &MemoryStore,
        changes: &ChangeSet,
        first: impl Fn(Option<Version>) -> Version + Send,
    ) -> Committed {
        let whose = changes.organisation();
        let mut draft = Draft::of(changes);
        let (mut born, mut gone) = (Vec::new(), Vec::new());
        for (key, write) in &mut draft.writes {
            let RecordKey::StockTakeItem(take, item) = key else {
                continue;
            };
            let name = (whose, *take, *item);
            match write {
                Write::Insert(_) => born.push(name),
                Write::Update { expected, .. } => {
                    *expected = Version::new(expected.get() + self.offset(name));
                }
                Write::Delete { expected } => {
                    gone.push((name, *expected));
                    *expected = Version::new(expected.get() + self.offset(name));
                }
            }
        }
        let outcome = store
            .commit(&draft.build())
            .await
            .map_err(|error| match error {
                CommitError::Conflict(mut conflicts) => {
                    for conflict in &mut conflicts {
                        if let Conflict::Stale {
                            key: RecordKey::StockTakeItem(take, item),
                            actual,
                        } = conflict
                        {
                            *actual = self.told((whose, *take, *item), *actual);
                        }
                    }
                    CommitError::Conflict(conflicts)
                }
                error => error,
            })?;
        if outcome != CommitOutcome::Applied {
            return Ok(outcome);
        }
        for name in born {
            let view = store.counting_view(whose, name.1, &[name.2]).await?;
            if let Some((_, line)) = view.and_then(CountingView::into_line) {
                let begins = first(locked(&self.last).get(&name).copied());
                let offset = line.item.version.get().saturating_sub(begins.get());
                locked(&self.offsets).insert(name, offset);
            }
        }
        locked(&self.last).extend(gone);
        Ok(outcome)
    }

    fn view(&self, whose: OrganisationId, view: Option<CountingView>) -> Option<CountingView> {
        let mut view = view?;
        for line in view.lines.iter_mut().flatten() {
            let name = (whose, line.item.value.take, line.item.value.id);
            line.item.version = self.told(name, line.item.version);
        }
        Some(view)
    }
}

defects! {
    /// M82: a line that comes back after it was deleted begins with the first version again.
    RecycledVersion { lives: Lives } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.lives.commit(&self.store, changes, |_| Version::FIRST).await
        }

        async fn counting_view(&self, organisation: OrganisationId, take: StockTakeId, items: &[StockTakeItemId]) -> Read<Option<CountingView>> {
            let view = self.store.counting_view(organisation, take, items).await?;
            Ok(self.lives.view(organisation, view))
        }
    }

    /// M210: a line that comes back goes on from its own last version, and every deleted line is remembered for ever.
    OwnLastVersion { lives: Lives } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let first = |last: Option<Version>| last.map_or(Version::FIRST, Version::next);
            self.lives.commit(&self.store, changes, first).await
        }

        async fn counting_view(&self, organisation: OrganisationId, take: StockTakeId, items: &[StockTakeItemId]) -> Read<Option<CountingView>> {
            let view = self.store.counting_view(organisation, take, items).await?;
            Ok(self.lives.view(organisation, view))
        }
    }

    /// M211: what a commit deletes counts for what the same commit inserts.
    SameCommit {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut deletes = Draft::of(changes);
            let mut rest = Draft::of(changes);
            if !matches!(refusals(&self.store, &rest).await, Ok(conflicts) if conflicts.is_empty()) {
                return self.store.commit(changes).await;
            }
            deletes.writes.retain(|_, write| write.record().is_none());
            rest.writes.retain(|_, write| write.record().is_some());
            let mut bare = Draft::bare(changes);
            bare.writes = deletes.writes;
            self.store.commit(&part(&bare).build()).await?;
            self.store.commit(&rest.build()).await
        }
    }

    /// M212: an update that changes nothing is none.
    SameIsNothing {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for site in draft.writes.clone().into_keys() {
                if let RecordKey::Site(id) = site
                    && let Some(Write::Update { expected, record }) = draft.writes.get(&site)
                    && let Some(known) = self.store.site(changes.organisation(), id).await?
                    && known.version == *expected
                    && Record::Site(known.value) == *record
                {
                    draft.writes.remove(&site);
                }
            }
            self.store.commit(&draft.build()).await
        }
    }
}
