//! Stores whose commits are not whole, or look at less than they should.

use super::prelude::*;

defects! {
    /// M01: an update does not look at the version of what it replaces.
    LostUpdate {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            forced(&self.store, Draft::of(changes), |draft, conflict| {
                matches!(conflict, Conflict::Stale { key, .. }
                    if matches!(draft.writes.get(key), Some(Write::Update { .. })))
            })
            .await
        }
    }

    /// M02: looks at what is expected, and then writes, whatever happened in between.
    CheckThenAct { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let draft = Draft::of(changes);
            match refusals(&self.store, &draft).await {
                Err(known) => return known,
                Ok(conflicts) if !conflicts.is_empty() => {
                    return Err(CommitError::Conflict(conflicts));
                }
                Ok(_) => drop(self.meeting.wait().await),
            }
            forced(&self.store, draft, every).await
        }
    }

    /// M03: writes what it can before it looks at the last expectation.
    TornCommit {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let refused = self.store.commit(changes).await;
            if let Err(CommitError::Conflict(conflicts)) = &refused {
                let mut rest = part(&Draft::of(changes));
                for conflict in conflicts {
                    if let Conflict::Exists(key)
                    | Conflict::Missing(key)
                    | Conflict::Stale { key, .. } = conflict
                    {
                        rest.writes.remove(key);
                    }
                }
                rest.acks.clear();
                drop(forced(&self.store, rest, every).await);
            }
            refused
        }
    }

    /// M04: stops at an event that is there already, and keeps what came before it.
    TornEvents {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let refused = self.store.commit(changes).await;
            if let Err(CommitError::Conflict(conflicts)) = &refused
                && let Some(Conflict::EventExists(first)) = conflicts.first()
            {
                let mut earlier = part(&Draft::of(changes));
                let before = earlier.events.iter().position(|event| event.id == *first);
                earlier.events.truncate(before.unwrap_or(0));
                earlier.jobs.clear();
                earlier.acks.clear();
                drop(self.store.commit(&earlier.build()).await);
            }
            refused
        }
    }

    /// M05: lets go of its lock between rows.
    RowByRow { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut last = Draft::of(changes);
            match refusals(&self.store, &last).await {
                Err(known) => return known,
                Ok(conflicts) if !conflicts.is_empty() => {
                    return Err(CommitError::Conflict(conflicts));
                }
                Ok(_) => {}
            }
            let mut bare = Draft::bare(changes);
            let size = last.writes.len().div_ceil(8).max(1);
            let writes: Vec<_> = std::mem::take(&mut last.writes).into_iter().collect();
            for rows in writes.chunks(size) {
                bare.writes = rows.iter().cloned().collect();
                drop(forced(&self.store, part(&bare), every).await);
                self.meeting.wait().await;
            }
            bare.writes.clear();
            let size = last.events.len().div_ceil(8).max(1);
            let events = std::mem::take(&mut last.events);
            for rows in events.chunks(size) {
                bare.events = rows.to_vec();
                drop(forced(&self.store, part(&bare), every).await);
                self.meeting.wait().await;
            }
            last.guards.clear();
            forced(&self.store, last, every).await
        }
    }

    /// M27: jobs are queued after the commit, and lost when it is dropped by then.
    DroppedOutbox { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            if !matches!(refusals(&self.store, &draft).await, Ok(conflicts) if conflicts.is_empty()) {
                return self.store.commit(changes).await;
            }
            let jobs = std::mem::take(&mut draft.jobs);
            let outcome = self.store.commit(&draft.build()).await?;
            if !jobs.is_empty() {
                self.meeting.wait().await;
            }
            for job in &jobs {
                self.store
                    .enqueue(draft.organisation, job, draft.command.at)
                    .await?;
            }
            Ok(outcome)
        }
    }

    /// M28: jobs are queued before the commit, whatever becomes of it.
    EagerOutbox {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for job in std::mem::take(&mut draft.jobs) {
                self.store
                    .enqueue(draft.organisation, &job, draft.command.at)
                    .await?;
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M37: a job that a commit was born with and that was not applied keeps its id taken. The list's mutant is of
    /// unique keys of jobs; here a job has no other key than its id.
    LockedUnique { taken: Mutex<BTreeSet<JobId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let parts = changes.parts();
            let taken = parts.jobs.iter().find(|job| locked(&self.taken).contains(&job.id));
            if let Some(job) = taken {
                return Err(CommitError::Conflict(vec![Conflict::JobExists(job.id)]));
            }
            let outcome = self.store.commit(changes).await;
            if outcome.is_err() {
                locked(&self.taken).extend(parts.jobs.iter().map(|job| job.id));
            }
            outcome
        }
    }

    /// M40: a conflict is told as a failure of the store.
    WrongKind {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store.commit(changes).await.map_err(|error| match error {
                CommitError::Conflict(_) => {
                    StoreError::new(StoreErrorKind::Unavailable, "commit").into()
                }
                error => error,
            })
        }
    }

    /// M42: a commit that is dropped on its way leaves its lock behind.
    CancelLeak { held: AtomicBool } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            for _ in 0..1_000 {
                if !self.held.swap(true, Ordering::SeqCst) {
                    tokio::task::yield_now().await;
                    let outcome = self.store.commit(changes).await;
                    self.held.store(false, Ordering::SeqCst);
                    return outcome;
                }
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
            in_vain()
        }
    }

    /// M47: an insert replaces what is there.
    UpsertOnInsert {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let inserted = Draft::of(changes).writes;
            forced(&self.store, Draft::of(changes), |_, conflict| {
                matches!(conflict, Conflict::Exists(key) | Conflict::Stale { key, .. }
                    if matches!(inserted.get(key), Some(Write::Insert(_))))
            })
            .await
        }
    }

    /// M48: a delete does not look at the version.
    UnversionedDelete {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            forced(&self.store, Draft::of(changes), |draft, conflict| {
                matches!(conflict, Conflict::Stale { key, .. }
                    if matches!(draft.writes.get(key), Some(Write::Delete { .. })))
            })
            .await
        }
    }

    /// M49: guards are looked at when the rows are written already.
    GuardAfterWrite {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let refused = self.store.commit(changes).await;
            if let Err(CommitError::Conflict(conflicts)) = &refused {
                let draft = Draft::of(changes);
                if conflicts.iter().all(|it| draft.is_guard(it)) {
                    let mut rows = part(&draft);
                    rows.acks.clear();
                    drop(forced(&self.store, rows, Draft::is_guard).await);
                }
            }
            refused
        }
    }

    /// M50: the guard on a take's epoch is not looked at.
    EditAfterLock {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            forced(&self.store, Draft::of(changes), |_, conflict| {
                matches!(conflict, Conflict::Epoch { .. })
            })
            .await
        }
    }

    /// M52: whether a record is absent is looked at before the commit.
    TwoOpenCounts { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let draft = Draft::of(changes);
            let opens = draft
                .writes
                .iter()
                .any(|(key, write)| matches!((key, write), (RecordKey::OpenCount(_), Write::Insert(_))));
            if !opens || !matches!(refusals(&self.store, &draft).await, Ok(it) if it.is_empty()) {
                return self.store.commit(changes).await;
            }
            self.meeting.wait().await;
            let inserted = draft.writes.clone();
            forced(&self.store, draft, |_, conflict| {
                matches!(conflict, Conflict::Exists(key) | Conflict::Stale { key, .. }
                    if matches!(key, RecordKey::OpenCount(_)) && inserted.contains_key(key))
            })
            .await
        }
    }

    /// M64: guards are looked at first, and what they guard is written later.
    GuardThenAct { commits: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let draft = Draft::of(changes);
            if !matches!(refusals(&self.store, &draft).await, Ok(it) if it.is_empty()) {
                return self.store.commit(changes).await;
            }
            // Others have turns in between, each another number of them: whenever one of them ends what is guarded, some
            // are here.
            for _ in 0..=self.commits.fetch_add(1, Ordering::SeqCst) % 5 {
                tokio::task::yield_now().await;
            }
            forced(&self.store, draft, Draft::is_guard).await
        }
    }

    /// M65: the guard on a site's version is not looked at.
    NoSiteGuard {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            forced(&self.store, Draft::of(changes), |draft, conflict| {
                matches!(conflict, Conflict::Stale { .. } | Conflict::Missing(_))
                    && draft.is_guard(conflict)
            })
            .await
        }
    }

    /// M66: the guard on an inventory count's epoch is not looked at.
    NoCountGuard {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            forced(&self.store, Draft::of(changes), |_, conflict| {
                matches!(conflict, Conflict::CountEpoch { .. })
            })
            .await
        }
    }

    /// M67: guards on an epoch conflict with each other.
    ExclusiveEpoch { held: Mutex<BTreeSet<StockTakeId>>, meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let guarded = changes.parts().guards.iter().find_map(|guard| match guard {
                Guard::Epoch { take, epoch } => Some((*take, *epoch)),
                _ => None,
            });
            let Some((take, epoch)) = guarded else {
                return self.store.commit(changes).await;
            };
            if !locked(&self.held).insert(take) {
                self.meeting.wait().await;
                let actual = Some(epoch);
                return Err(CommitError::Conflict(vec![Conflict::Epoch { take, actual }]));
            }
            self.meeting.wait().await;
            let outcome = self.store.commit(changes).await;
            locked(&self.held).remove(&take);
            outcome
        }
    }

    /// M68: takes less in one commit than every store must.
    TooSmall {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            const LIMIT: usize = 10_000;
            if changes.size() > LIMIT {
                return Err(CommitError::TooLarge { limit: LIMIT });
            }
            self.store.commit(changes).await
        }
    }

    /// M69: tells only the first conflict.
    FirstConflict {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store.commit(changes).await.map_err(|error| match error {
                CommitError::Conflict(mut conflicts) => {
                    conflicts.truncate(1);
                    CommitError::Conflict(conflicts)
                }
                error => error,
            })
        }
    }

    /// M70: names are not unique: a name that is taken is taken over.
    TakenNames {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            forced(&self.store, Draft::of(changes), |_, conflict| {
                matches!(conflict, Conflict::Taken(_))
            })
            .await
        }
    }

    /// M71: a line needs no document.
    Orphans {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            forced(&self.store, Draft::of(changes), |draft, conflict| {
                matches!(conflict, Conflict::Missing(_)) && draft.is_guard(conflict) && draft.guards.is_empty()
            })
            .await
        }
    }

    /// M72: of what was counted at once only the last act is kept.
    LastEntry {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            draft.entries = draft.entries.pop().into_iter().collect();
            self.store.commit(&draft.build()).await
        }
    }

    /// M113: two commits that lock several levels can wait for each other, and one is told that the store is broken.
    Deadlock { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let is_level = |key: &&RecordKey| matches!(key, RecordKey::StockLevel(_));
            let locks = changes.parts().writes.keys().filter(is_level).count();
            if locks > 1 && self.meeting.wait().await {
                return Err(StoreError::new(StoreErrorKind::Corrupt, "commit").into());
            }
            self.store.commit(changes).await
        }
    }
}

defects! {
    /// M330: progress is told also by a commit that is refused.
    TornProgress {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store_with(changes, |draft, bare| bare.progress.clone_from(&draft.progress)).await
        }
    }

    /// M331: an act of counting is kept also of a commit that is refused.
    TornEntries {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store_with(changes, |draft, bare| bare.entries.clone_from(&draft.entries)).await
        }
    }

    /// M332: a commit that is refused settles its jobs.
    TornAcks {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store_with(changes, |draft, bare| {
                let ended = draft.acks.iter().map(|ack| match ack {
                    JobAck::Leased(token) => JobAck::Settled(token.job),
                    ack => *ack,
                });
                bare.acks.extend(ended);
            })
            .await
        }
    }

    /// M333: a commit that is refused deletes what it would have deleted.
    TornDeletions {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store_with(changes, |draft, bare| {
                bare.writes.clone_from(&draft.writes);
                bare.writes.retain(|_, write| write.record().is_none());
            })
            .await
        }
    }

    /// M334: an act of counting needs no document.
    EntriesOfNothing {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            match self.store.commit(changes).await {
                Err(CommitError::Conflict(conflicts)) => {
                    let mut draft = Draft::of(changes);
                    let missing = |entry: &Entry| conflicts.contains(&Conflict::Missing(entry.document()));
                    let documents: BTreeSet<RecordKey> = draft.writes.keys().filter_map(RecordKey::document).collect();
                    draft.entries.retain(|entry| !missing(entry) || documents.contains(&entry.document()));
                    self.store.commit(&draft.build()).await
                }
                outcome => outcome,
            }
        }
    }

    /// M335: of two records that take one name, the first is refused.
    FirstIsTaken {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store.commit(changes).await.map_err(|error| match error {
                CommitError::Conflict(conflicts) => CommitError::Conflict(conflicts.into_iter().map(|conflict| first_of_name(changes, conflict)).collect()),
                error => error,
            })
        }
    }

    /// M336: a name that was given up stays taken.
    NamesStay { names: Mutex<BTreeMap<Code, ProductId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut named = Vec::new();
            for record in Draft::of(changes).records() {
                if let Record::Product(product) = record {
                    let holder = locked(&self.names).get(&product.article_id).copied();
                    if holder.is_some_and(|holder| holder != product.id) {
                        return Err(CommitError::Conflict(vec![Conflict::Taken(record.key())]));
                    }
                    named.push((product.article_id.clone(), product.id));
                }
            }
            let outcome = self.store.commit(changes).await?;
            locked(&self.names).extend(named);
            Ok(outcome)
        }
    }

    /// M337: names that differ by case only are one.
    FoldedNames { names: Mutex<BTreeMap<String, ProductId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut named = Vec::new();
            for record in Draft::of(changes).records() {
                if let Record::Product(product) = record {
                    let name = product.article_id.as_str().to_lowercase();
                    let holder = locked(&self.names).get(&name).copied();
                    if holder.is_some_and(|holder| holder != product.id) {
                        return Err(CommitError::Conflict(vec![Conflict::Taken(record.key())]));
                    }
                    named.push((name, product.id));
                }
            }
            let outcome = self.store.commit(changes).await?;
            locked(&self.names).extend(named);
            Ok(outcome)
        }
    }

    /// M338: what was settled as never is told as used for another request.
    VoidIsReused {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store.commit(changes).await.map_err(|error| match error {
                CommitError::Voided => CommitError::CommandReused,
                error => error,
            })
        }
    }

    /// M339: events come with a level, or not at all.
    NoLevelNoEvent {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            let mut kept = Vec::new();
            for event in draft.events {
                let key = RecordKey::StockLevel(event.key.clone());
                let known = self.store.levels(draft.organisation, std::slice::from_ref(&event.key)).await?;
                if draft.writes.contains_key(&key) || known.iter().any(Option::is_some) {
                    kept.push(event);
                }
            }
            draft.events = kept;
            self.store.commit(&draft.build()).await
        }
    }

    /// M340: sequences have to come in order.
    InOrderOnly {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            for event in changes.parts().events {
                let later = self.store.events_after(changes.organisation(), &[(event.key.clone(), event.sequence)]).await?;
                if !later.is_empty() {
                    return Err(CommitError::Conflict(vec![Conflict::EventExists(event.id)]));
                }
            }
            self.store.commit(changes).await
        }
    }

    /// M341: acts of counting go with their line.
    EntriesGo { gone: Mutex<BTreeSet<StockTakeItemId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await;
            if outcome.is_ok() {
                for (key, write) in changes.parts().writes {
                    if let (RecordKey::StockTakeItem(_, item), None) = (key, write.record()) {
                        locked(&self.gone).insert(*item);
                    }
                }
            }
            outcome
        }

        async fn count_entries(&self, organisation: OrganisationId, take: StockTakeId, item: StockTakeItemId) -> Read<Vec<CountEntry>> {
            if locked(&self.gone).contains(&item) {
                return Ok(Vec::new());
            }
            self.store.count_entries(organisation, take, item).await
        }
    }

    /// M342: two acts of counting with one id are one.
    OneEntryOfAnId {} => {
        async fn count_entries(&self, organisation: OrganisationId, take: StockTakeId, item: StockTakeItemId) -> Read<Vec<CountEntry>> {
            let mut seen = BTreeSet::new();
            let mut entries = self.store.count_entries(organisation, take, item).await?;
            entries.retain(|entry| seen.insert(entry.id));
            Ok(entries)
        }
    }

    /// M343: the digest of a command that was forgotten is still compared.
    RemembersDigests { known: Mutex<BTreeMap<(OrganisationId, CommandId), Digest>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let command = changes.command();
            let name = (changes.organisation(), command.id.clone());
            if locked(&self.known).get(&name).is_some_and(|digest| *digest != command.digest) {
                return Err(CommitError::CommandReused);
            }
            let outcome = self.store.commit(changes).await?;
            locked(&self.known).insert(name, command.digest);
            Ok(outcome)
        }
    }

    /// M344: purging takes what other organisations have as well.
    PurgesForeign { tenants: Mutex<BTreeSet<OrganisationId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            locked(&self.tenants).insert(changes.organisation());
            self.store.commit(changes).await
        }

        async fn purge(&self, organisation: OrganisationId, what: Purge, before: Timestamp, limit: u32) -> Read<u64> {
            let tenants = locked(&self.tenants).clone();
            for other in tenants.into_iter().filter(|other| *other != organisation) {
                self.store.purge(other, what, before, limit).await?;
            }
            self.store.purge(organisation, what, before, limit).await
        }
    }

    /// M345: an export is purged, and its parts stay.
    PartsStay { parts: Mutex<BTreeMap<(JobId, u32), ExportChunk>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            for record in Draft::of(changes).records() {
                if let Record::ExportChunk(chunk) = record {
                    locked(&self.parts).insert((chunk.job, chunk.number), chunk.clone());
                }
            }
            self.store.commit(changes).await
        }

        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            let mut found = self.store.get(organisation, keys).await?;
            for (key, found) in keys.iter().zip(&mut found) {
                if let RecordKey::ExportChunk(job, number) = key
                    && found.is_none()
                {
                    let kept = locked(&self.parts).get(&(*job, *number)).cloned();
                    *found = kept.map(|value| Versioned { version: Version::FIRST, value: value.into() });
                }
            }
            Ok(found)
        }
    }

    /// M346: an export expires at its moment, not after it.
    ExpiresAtMoment {} => {
        async fn purge(&self, organisation: OrganisationId, what: Purge, before: Timestamp, limit: u32) -> Read<u64> {
            let before = if what == Purge::Exports { before.later_by(1) } else { before };
            self.store.purge(organisation, what, before, limit).await
        }
    }

    /// M347: a guard on a take looks at its version, so that counts that change its header are in each other's way.
    EpochIsVersion {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            for guard in changes.parts().guards {
                if let Guard::Epoch { take, epoch } = guard
                    && let Some(header) = self.store.stock_take(changes.organisation(), *take).await?
                    && header.version.get() != *epoch
                {
                    let actual = Some(header.value.epoch());
                    return Err(CommitError::Conflict(vec![Conflict::Epoch { take: *take, actual }]));
                }
            }
            self.store.commit(changes).await
        }
    }
}

/// The conflict of a name, told of the first record that takes it.
fn first_of_name(changes: &ChangeSet, conflict: Conflict) -> Conflict {
    let Conflict::Taken(key) = &conflict else {
        return conflict;
    };
    let parts = changes.parts();
    let name = |write: &Write| match write.record() {
        Some(Record::Product(product)) => Some(product.article_id.clone()),
        _ => None,
    };
    let wanted = parts.writes.get(key).and_then(name);
    let first = parts
        .writes
        .iter()
        .find(|(_, write)| wanted.is_some() && name(write) == wanted);
    Conflict::Taken(first.map_or_else(|| key.clone(), |(key, _)| key.clone()))
}

/// Commits; of one that is refused, a part is committed all the same.
macro_rules! torn {
    ($($name:ident),+) => {$(
        impl $name {
            async fn store_with(&self, changes: &ChangeSet, keep: impl Fn(&Draft, &mut Draft) + Send) -> Committed {
                let refused = self.store.commit(changes).await;
                if matches!(refused, Err(CommitError::Conflict(_))) {
                    let mut bare = Draft::bare(changes);
                    keep(&Draft::of(changes), &mut bare);
                    drop(forced(&self.store, part(&bare), every).await);
                }
                refused
            }
        }
    )+};
}
torn!(TornProgress, TornEntries, TornAcks, TornDeletions);
