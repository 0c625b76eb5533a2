//! Change sets, rewritten.

use super::prelude::*;

/// A change set, open to changes.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) organisation: OrganisationId,
    pub(crate) command: Command,
    pub(crate) guards: Vec<Guard>,
    pub(crate) writes: BTreeMap<RecordKey, Write>,
    pub(crate) events: Vec<StockEvent>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) jobs: Vec<NewJob>,
    pub(crate) progress: Vec<JobProgress>,
    pub(crate) acks: Vec<JobAck>,
}

impl Draft {
    pub(crate) fn of(changes: &ChangeSet) -> Self {
        let ChangeSetParts {
            organisation,
            command,
            guards,
            writes,
            events,
            entries,
            jobs,
            progress,
            acks,
        } = changes.parts();
        Self {
            organisation,
            command: command.clone(),
            guards: guards.to_vec(),
            writes: writes.clone(),
            events: events.to_vec(),
            entries: entries.to_vec(),
            jobs: jobs.to_vec(),
            progress: progress.to_vec(),
            acks: acks.to_vec(),
        }
    }

    /// Nothing but the command.
    pub(crate) fn bare(changes: &ChangeSet) -> Self {
        Self::of(&ChangeSet::new(
            changes.organisation(),
            changes.command().clone(),
        ))
    }

    pub(crate) fn build(&self) -> ChangeSet {
        let mut changes = ChangeSet::new(self.organisation, self.command.clone());
        self.guards.iter().for_each(|guard| changes.guard(*guard));
        for (key, write) in &self.writes {
            match write {
                Write::Insert(record) => changes.insert(record.clone()),
                Write::Update { expected, record } => changes.update(*expected, record.clone()),
                Write::Delete { expected } => {
                    if let Some(key) = DeletableKey::of(key) {
                        changes.delete(*expected, key);
                    }
                }
            }
        }
        self.events
            .iter()
            .for_each(|event| changes.event(event.clone()));
        self.entries
            .iter()
            .for_each(|entry| changes.entry(entry.clone()));
        self.jobs.iter().for_each(|job| changes.job(job.clone()));
        self.progress
            .iter()
            .for_each(|step| changes.progress(*step));
        self.acks.iter().for_each(|ack| changes.ack(*ack));
        changes
    }

    /// Every record that it writes.
    pub(crate) fn records(&mut self) -> impl Iterator<Item = &mut Record> {
        self.writes.values_mut().filter_map(|write| match write {
            Write::Insert(record) | Write::Update { record, .. } => Some(record),
            Write::Delete { .. } => None,
        })
    }

    /// Overlooks a conflict: what could not be is written over, or left out.
    fn overlook(&mut self, conflict: &Conflict) {
        match conflict {
            Conflict::Exists(key) => {
                if let Some(Write::Insert(record)) = self.writes.get(key) {
                    let (expected, record) = (Version::FIRST, record.clone());
                    self.writes
                        .insert(key.clone(), Write::Update { expected, record });
                }
            }
            Conflict::Missing(key) => match self.writes.remove(key) {
                Some(Write::Update { record, .. }) => {
                    self.writes.insert(key.clone(), Write::Insert(record));
                }
                Some(Write::Insert(_) | Write::Delete { .. }) => {}
                None => {
                    self.writes
                        .retain(|line, _| document_of(line).as_ref() != Some(key));
                    self.guards.retain(|guard| !guards(guard, key));
                }
            },
            Conflict::Stale { key, actual } => {
                self.guards.retain(|guard| !guards(guard, key));
                if let Some(Write::Update { expected, .. } | Write::Delete { expected }) =
                    self.writes.get_mut(key)
                {
                    *expected = *actual;
                }
            }
            Conflict::Epoch { take, .. } => self
                .guards
                .retain(|guard| !matches!(guard, Guard::Epoch { take: of, .. } if of == take)),
            Conflict::CountEpoch { count, .. } => self.guards.retain(
                |guard| !matches!(guard, Guard::CountEpoch { count: of, .. } if of == count),
            ),
            Conflict::Taken(key) => drop(self.writes.remove(key)),
            Conflict::EventExists(id) => self.events.retain(|event| event.id != *id),
            Conflict::JobExists(id) => self.jobs.retain(|job| job.id != *id),
        }
    }

    /// Whether a conflict is one of a guard.
    pub(crate) fn is_guard(&self, conflict: &Conflict) -> bool {
        match conflict {
            Conflict::Epoch { .. } | Conflict::CountEpoch { .. } => true,
            Conflict::Stale { key, .. } | Conflict::Missing(key) => !self.writes.contains_key(key),
            Conflict::Exists(_)
            | Conflict::Taken(_)
            | Conflict::EventExists(_)
            | Conflict::JobExists(_) => false,
        }
    }
}

fn guards(guard: &Guard, key: &RecordKey) -> bool {
    matches!((guard, key), (Guard::Site { site, .. }, RecordKey::Site(of)) if site == of)
}

fn document_of(line: &RecordKey) -> Option<RecordKey> {
    match line {
        RecordKey::StockTakeItem(take, _) => Some(RecordKey::StockTake(*take)),
        RecordKey::InventoryCountItem(count, _) => Some(RecordKey::InventoryCount(*count)),
        RecordKey::InventoryOrderItem(order, _) => Some(RecordKey::InventoryOrder(*order)),
        _ => None,
    }
}

/// Any conflict at all.
pub(crate) fn every(_: &Draft, _: &Conflict) -> bool {
    true
}

/// Commits although there are conflicts, if each is of a kind that is overlooked.
pub(crate) async fn forced(
    store: &MemoryStore,
    mut draft: Draft,
    overlooked: impl Fn(&Draft, &Conflict) -> bool + Send,
) -> Committed {
    // One that is overlooked can uncover another; a commit that races may do so again and again.
    for _ in 0..20 {
        match store.commit(&draft.build()).await {
            Err(CommitError::Conflict(conflicts))
                if conflicts.iter().all(|it| overlooked(&draft, it)) =>
            {
                for conflict in &conflicts {
                    draft.overlook(conflict);
                }
            }
            outcome => return outcome,
        }
    }
    in_vain()
}

/// Part of a change set, under an id that nobody knows.
pub(crate) fn part(draft: &Draft) -> Draft {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let mut part = draft.clone();
    part.command.id = CommandId::new(&format!("part {number}"), &draft.command.id);
    part
}

/// What would be refused, with nothing applied: `Ok` for the conflicts, none for a commit that would go well.
pub(crate) async fn refusals(
    store: &MemoryStore,
    draft: &Draft,
) -> Result<Vec<Conflict>, Committed> {
    let nowhere = StockTakeId::new(uuid::Uuid::from_u128(u128::MAX));
    let mut probe = draft.clone();
    probe.guards.push(Guard::Epoch {
        take: nowhere,
        epoch: u64::MAX,
    });
    match store.commit(&probe.build()).await {
        Err(CommitError::Conflict(mut conflicts)) => {
            conflicts.retain(|it| !matches!(it, Conflict::Epoch { take, .. } if *take == nowhere));
            Ok(conflicts)
        }
        other => Err(other),
    }
}

/// A commit that the store gave up.
pub(crate) fn in_vain() -> Committed {
    Err(StoreError::new(StoreErrorKind::Busy, "commit").into())
}
