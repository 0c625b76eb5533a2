//! Stores whose levels and ledgers are not right.

use super::prelude::*;

/// Gives events the next free places of their keys.
fn renumbered(draft: &mut Draft, taken: &[Conflict]) {
    for event in &mut draft.events {
        if taken.contains(&Conflict::EventExists(event.id)) {
            event.sequence += 1;
        }
    }
}

/// Commits over the levels, as if each event were told to a counter that somebody else has moved.
async fn over_levels(store: &MemoryStore, mut draft: Draft) -> Committed {
    for _ in 0..20 {
        match store.commit(&draft.build()).await {
            Err(CommitError::Conflict(conflicts))
                if conflicts.iter().all(|it| {
                    matches!(
                        it,
                        Conflict::EventExists(_)
                            | Conflict::Stale {
                                key: RecordKey::StockLevel(_),
                                ..
                            }
                    )
                }) =>
            {
                renumbered(&mut draft, &conflicts);
                for conflict in conflicts {
                    if let Conflict::Stale { key, actual } = conflict
                        && let Some(Write::Update { expected, .. }) = draft.writes.get_mut(&key)
                    {
                        *expected = actual;
                    }
                }
            }
            outcome => return outcome,
        }
    }
    in_vain()
}

/// The positions that events were given by a store that counts for itself.
type Positions = Mutex<BTreeMap<StockEventId, u64>>;

fn placed(positions: &Positions, mut entry: LedgerEntry) -> LedgerEntry {
    let given = locked(positions).get(&entry.event.id).copied();
    entry.position = given.unwrap_or(entry.position);
    entry
}

/// A site's ledger by other positions.
async fn by_position(
    store: &MemoryStore,
    positions: &Positions,
    (organisation, site): (OrganisationId, SiteId),
    (after, limit): (u64, u32),
) -> Read<Vec<LedgerEntry>> {
    let all = store.ledger(organisation, site, 0, u32::MAX).await?;
    let mut all: Vec<_> = all.into_iter().map(|it| placed(positions, it)).collect();
    all.sort_by_key(|entry| entry.position);
    all.retain(|entry| entry.position > after);
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(all)
}

defects! {
    /// M09: a level is written as it was computed, whatever it has become.
    AbsoluteSet {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            over_levels(&self.store, Draft::of(changes)).await
        }
    }

    /// M10: whether a level is as expected is looked at before the commit.
    NoGuard { meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let draft = Draft::of(changes);
            let moves = draft.writes.keys().any(|key| matches!(key, RecordKey::StockLevel(_)));
            if !moves || !matches!(refusals(&self.store, &draft).await, Ok(it) if it.is_empty()) {
                return self.store.commit(changes).await;
            }
            self.meeting.wait().await;
            over_levels(&self.store, draft).await
        }
    }

    /// M51: what a stock take posts replaces the level, whatever moved meanwhile.
    PostOverwritesSale { posting: AtomicBool, sales: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let draft = Draft::of(changes);
            let posts = |event: &StockEvent| matches!(event.cause, Cause::StockTake { .. });
            // Slow on either side, so that a sale comes between what a posting read and what it writes.
            let before = self.sales.load(Ordering::SeqCst);
            let is_posting = draft.events.iter().any(posts);
            if is_posting {
                self.posting.store(true, Ordering::SeqCst);
            }
            for _ in 0..300 {
                let met = if is_posting {
                    self.sales.load(Ordering::SeqCst) > before
                } else {
                    draft.events.is_empty() || self.posting.load(Ordering::SeqCst)
                };
                if met {
                    break;
                }
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
            if is_posting {
                return over_levels(&self.store, draft).await;
            }
            let outcome = self.store.commit(changes).await;
            self.sales.fetch_add(u64::from(!draft.events.is_empty()), Ordering::SeqCst);
            outcome
        }
    }

    /// M11: positions are taken when a commit begins, and shown when it ends.
    SerialSeq { positions: Positions, last: AtomicU64, meeting: Meeting } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let events = changes.parts().events;
            if events.is_empty() {
                return self.store.commit(changes).await;
            }
            for event in events {
                let position = self.last.fetch_add(1, Ordering::SeqCst) + 1;
                locked(&self.positions).entry(event.id).or_insert(position);
            }
            for _ in 0..3 {
                self.meeting.wait().await;
            }
            self.store.commit(changes).await
        }

        async fn ledger(&self, organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Read<Vec<LedgerEntry>> {
            by_position(&self.store, &self.positions, (organisation, site), (after, limit)).await
        }
    }

    /// M73: a commit that fails leaves a gap in the positions.
    GapOnFailure { positions: Positions, last: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            for event in changes.parts().events {
                let position = self.last.fetch_add(1, Ordering::SeqCst) + 1;
                locked(&self.positions).entry(event.id).or_insert(position);
            }
            self.store.commit(changes).await
        }

        async fn ledger(&self, organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Read<Vec<LedgerEntry>> {
            by_position(&self.store, &self.positions, (organisation, site), (after, limit)).await
        }
    }

    /// M74: positions are counted for all sites together.
    SharedPositions { positions: Positions, last: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await?;
            if outcome == CommitOutcome::Applied {
                for event in changes.parts().events {
                    let position = self.last.fetch_add(1, Ordering::SeqCst) + 1;
                    locked(&self.positions).insert(event.id, position);
                }
            }
            Ok(outcome)
        }

        async fn ledger(&self, organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Read<Vec<LedgerEntry>> {
            by_position(&self.store, &self.positions, (organisation, site), (after, limit)).await
        }

        async fn events(&self, organisation: OrganisationId, ids: &[StockEventId]) -> Read<Vec<Option<LedgerEntry>>> {
            let entries = self.store.events(organisation, ids).await?;
            Ok(entries.into_iter().map(|it| it.map(|it| placed(&self.positions, it))).collect())
        }
    }

    /// M350: the ledger from its end back begins with the first entries.
    BackFromTheFront {} => {
        async fn ledger_back(&self, organisation: OrganisationId, site: SiteId, before: Option<u64>, limit: u32) -> Read<Vec<LedgerEntry>> {
            let mut entries = self.store.ledger_back(organisation, site, before, MAX_PAGE).await?;
            entries.reverse();
            entries.truncate(PageRequest::first(limit).bounded_limit());
            Ok(entries)
        }
    }

    /// M351: the ledger from its end back begins with the entry that it is to go on before.
    BeforeIsIn {} => {
        async fn ledger_back(&self, organisation: OrganisationId, site: SiteId, before: Option<u64>, limit: u32) -> Read<Vec<LedgerEntry>> {
            let before = before.map(|before| before.saturating_add(1));
            self.store.ledger_back(organisation, site, before, limit).await
        }
    }

    /// M12: the ledger is ordered by when things happened.
    SeqByOccurredAt {} => {
        async fn ledger(&self, organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Read<Vec<LedgerEntry>> {
            let mut all = self.store.ledger(organisation, site, 0, u32::MAX).await?;
            all.sort_by_key(|entry| (entry.event.occurred_at, entry.position));
            for (position, entry) in (1..).zip(&mut all) {
                entry.position = position;
            }
            all.retain(|entry| entry.position > after);
            all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(all)
        }
    }

    /// M13: an issue does not reach the level.
    DriftingLevel {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for event in &draft.events {
                let key = RecordKey::StockLevel(event.key.clone());
                if event.kind == StockEventKind::Issue
                    && matches!(draft.writes.get(&key), Some(Write::Update { .. }))
                {
                    draft.writes.remove(&key);
                }
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M14: nothing on hand is not stocked.
    ZeroIsRemoved {} => {
        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            let mut found = self.store.get(organisation, keys).await?;
            for found in &mut found {
                let is_nothing = |it: &Versioned<Record>| matches!(&it.value, Record::StockLevel(level) if level.quantity() == Quantity::ZERO);
                if found.as_ref().is_some_and(is_nothing) {
                    *found = None;
                }
            }
            Ok(found)
        }

        async fn levels_page(&self, organisation: OrganisationId, site: SiteId, filter: &LevelFilter, page: &PageRequest) -> Read<Page<Versioned<StockLevel>>> {
            let mut levels = self.store.levels_page(organisation, site, filter, page).await?;
            levels.items.retain(|level| level.value.quantity() != Quantity::ZERO);
            Ok(levels)
        }
    }

    /// M75: what is delisted is listed.
    DelistedListed {} => {
        async fn levels_page(&self, organisation: OrganisationId, site: SiteId, filter: &LevelFilter, page: &PageRequest) -> Read<Page<Versioned<StockLevel>>> {
            let filter = LevelFilter { with_delisted: true, ..filter.clone() };
            self.store.levels_page(organisation, site, &filter, page).await
        }
    }

    /// M53: the events after a sequence begin with it. The list's mutant is of levels as of a position, which this
    /// contract does not have.
    AsOfOffByOne {} => {
        async fn events_after(&self, organisation: OrganisationId, keys: &[(StockKey, u64)]) -> Read<Vec<StockEvent>> {
            let keys: Vec<_> = keys
                .iter()
                .map(|(key, after)| (key.clone(), after.saturating_sub(1)))
                .collect();
            self.store.events_after(organisation, &keys).await
        }
    }

    /// M116: the ledger by key goes on with the next key, whatever is left of the last.
    NextKey {} => {
        async fn ledger_by_key(&self, organisation: OrganisationId, site: SiteId, after: Option<(StockKey, u64)>, limit: u32) -> Read<Vec<StockEvent>> {
            let after = after.map(|(key, _)| (key, u64::MAX));
            self.store.ledger_by_key(organisation, site, after, limit).await
        }
    }

    /// M76: the ledger after a position begins with it.
    LedgerFrom {} => {
        async fn ledger(&self, organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Read<Vec<LedgerEntry>> {
            self.store.ledger(organisation, site, after.saturating_sub(1), limit).await
        }
    }

    /// M54: an event that is appended again replaces the first.
    MutableEvent { replaced: Mutex<BTreeMap<StockEventId, StockEvent>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = forced(&self.store, Draft::of(changes), |_, conflict| {
                matches!(conflict, Conflict::EventExists(_))
            })
            .await;
            if matches!(outcome, Ok(CommitOutcome::Applied)) {
                for event in changes.parts().events {
                    locked(&self.replaced).insert(event.id, event.clone());
                }
            }
            outcome
        }

        async fn events(&self, organisation: OrganisationId, ids: &[StockEventId]) -> Read<Vec<Option<LedgerEntry>>> {
            let mut entries = self.store.events(organisation, ids).await?;
            for entry in entries.iter_mut().flatten() {
                if let Some(event) = locked(&self.replaced).get(&entry.event.id) {
                    entry.event = event.clone();
                }
            }
            Ok(entries)
        }
    }

    /// M77: an event's place within its key is not unique: a second one of a place passes, and is lost.
    SamePlace {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let organisation = changes.organisation();
            let ids: Vec<_> = changes.parts().events.iter().map(|event| event.id).collect();
            let known = self.store.events(organisation, &ids).await?;
            let known: BTreeSet<_> = known.into_iter().flatten().map(|it| it.event.id).collect();
            forced(&self.store, Draft::of(changes), |_, conflict| {
                matches!(conflict, Conflict::EventExists(id) if !known.contains(id))
            })
            .await
        }
    }

    /// M78: the events of keys come in the order of time.
    EventsByTime {} => {
        async fn events_after(&self, organisation: OrganisationId, keys: &[(StockKey, u64)]) -> Read<Vec<StockEvent>> {
            let mut events = self.store.events_after(organisation, keys).await?;
            events.sort_by_key(|event| event.occurred_at);
            events.reverse();
            Ok(events)
        }
    }
}
