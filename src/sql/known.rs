//! What a commit must know before it is checked, looked up in batches.

use std::collections::{HashMap, HashSet};

use super::by_key::rows_by_key;
use super::cell::{Cell, Kind, Row, Unreadable};
use super::query::{Lookup, Snapshot, Transaction, all, blocks, first};
use super::table::{Table, stock_key_cells};
use crate::domain::{
    Code, InventoryCountId, JobId, OrganisationId, ProductId, SiteId, StockEventId, StockKey,
    StockTakeId,
};
use crate::store::{
    ChangeSetParts, Facts, Guard, JobAck, LeaseToken, RecordKey, StoreError, UniqueName, Version,
};

/// What was looked up for a change set.
#[derive(Debug, Default)]
pub(super) struct Known {
    rows: HashMap<RecordKey, Found>,
    names: HashMap<(i64, String), RecordKey>,
    events: HashSet<StockEventId>,
    sequences: HashSet<(StockKey, u64)>,
    jobs: HashSet<JobId>,
    /// The live leases of jobs that are acknowledged.
    leases: HashMap<JobId, u32>,
}

/// A record that exists.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) version: Version,
    /// The table's facts.
    pub(super) facts: Vec<Cell>,
}

/// How much is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// What should be absent is taken for absent: the writing tells if it is not.
    Hopeful,
    /// Everything, to name every conflict.
    Thorough,
}

/// The kind of a unique name, and the name.
pub(super) const fn name_cells(name: UniqueName<'_>) -> (i64, &Code) {
    match name {
        UniqueName::Site(name) => (0, name),
        UniqueName::Product(name) => (1, name),
    }
}

impl Known {
    /// Looks up what a change set names.
    pub(super) async fn look_up<T: Transaction>(
        t: &mut T,
        parts: &ChangeSetParts<'_>,
        care: Care,
    ) -> Result<Self, StoreError> {
        let mut known = Self::default();
        let organisation = parts.organisation;
        let mut written = Vec::new();
        let mut named = Vec::new();
        for guard in parts.guards {
            named.push(match *guard {
                Guard::Epoch { take, .. } => RecordKey::StockTake(take),
                Guard::Site { site, .. } => RecordKey::Site(site),
                Guard::CountEpoch { count, .. } => RecordKey::InventoryCount(count),
            });
        }
        for (key, write) in parts.writes {
            if write.expected().is_some() || care == Care::Thorough {
                written.push(key.clone());
            }
            if write.expected().is_none() {
                named.extend(key.document());
            }
        }
        named.extend(
            parts
                .entries
                .iter()
                .map(super::super::store::Entry::document),
        );
        named.sort_unstable();
        named.dedup();
        named.retain(|key| !parts.writes.contains_key(key));
        known.records(t, organisation, named, "").await?;
        known.records(t, organisation, written, T::LOCK).await?;
        known.names(t, parts).await?;
        if care == Care::Thorough {
            known.events(t, parts).await?;
            known.jobs(t, parts).await?;
        }
        known.leases(t, parts).await?;
        Ok(known)
    }

    /// A record that was found.
    pub(super) fn found(&self, key: &RecordKey) -> Option<&Found> {
        self.rows.get(key)
    }

    async fn records<T: Transaction>(
        &mut self,
        t: &mut T,
        organisation: OrganisationId,
        keys: Vec<RecordKey>,
        lock: &str,
    ) -> Result<(), StoreError> {
        let mut rest = keys.into_iter().peekable();
        while let Some(first) = rest.next() {
            let table = Table::of(&first);
            let mut of_table = vec![first];
            while let Some(key) = rest.next_if(|key| std::ptr::eq(Table::of(key), table)) {
                of_table.push(key);
            }
            for block in blocks(T::DIALECT, of_table) {
                let rows = versions(t, organisation, table, &block, lock).await?;
                for (nth, found) in rows {
                    if let Some(key) = block.get(nth) {
                        self.rows.insert(key.clone(), found);
                    }
                }
            }
        }
        Ok(())
    }

    async fn names<T: Transaction>(
        &mut self,
        t: &mut T,
        parts: &ChangeSetParts<'_>,
    ) -> Result<(), StoreError> {
        let names: Vec<_> = (parts.writes.values())
            .filter_map(|write| write.record().and_then(UniqueName::of).map(name_cells))
            .map(|(kind, name)| vec![Cell::Int(kind), name.as_str().into()])
            .collect();
        for block in blocks(T::DIALECT, names) {
            let mut query = t.query("SELECT n.kind, n.name, n.holder FROM ");
            query.table(&[Kind::Int, Kind::Text], block);
            let lookup = Lookup {
                table: "stk_catalogue_name",
                alias: "n",
                key: "n.kind = w.column1 AND n.name = w.column2",
            };
            query.find(parts.organisation, lookup, "");
            let found = all(t, &query, |row| {
                let kind: i64 = row.int()?;
                let name = row.text()?;
                let holder = match kind {
                    0 => RecordKey::Site(row.id::<SiteId>()?),
                    _ => RecordKey::Product(row.id::<ProductId>()?),
                };
                Ok(((kind, name), holder))
            });
            self.names.extend(found.await?);
        }
        Ok(())
    }

    async fn events<T: Transaction>(
        &mut self,
        t: &mut T,
        parts: &ChangeSetParts<'_>,
    ) -> Result<(), StoreError> {
        let ids = (parts.events.iter()).map(|event| vec![event.id.as_uuid().into()]);
        for block in blocks(T::DIALECT, ids.collect()) {
            let mut query = t.query("SELECT e.id FROM ");
            query.table(&[Kind::Uuid], block);
            let lookup = Lookup {
                table: "stk_stock_event",
                alias: "e",
                key: "e.id = w.column1",
            };
            query.find(parts.organisation, lookup, "");
            self.events
                .extend(all(t, &query, Row::id::<StockEventId>).await?);
        }
        let places: Vec<_> = parts.events.iter().collect();
        for block in blocks(T::DIALECT, places) {
            let cells = block.iter().enumerate().map(|(nth, event)| {
                let mut cells = vec![nth.into()];
                cells.append(&mut stock_key_cells(&event.key));
                cells.push(event.sequence.into());
                cells
            });
            let mut query = t.query("SELECT w.column1 FROM ");
            let [site, product, variant, place, batch, serial] = KEY_KINDS;
            let kinds = [
                Kind::Int,
                site,
                product,
                variant,
                place,
                batch,
                serial,
                Kind::Int,
            ];
            query.table(&kinds, cells.collect());
            let lookup = Lookup {
                table: "stk_stock_event",
                alias: "e",
                key: "e.site = w.column2 AND e.product = w.column3 AND e.variant = w.column4 \
                      AND e.place = w.column5 AND e.batch = w.column6 AND e.serial = w.column7 \
                      AND e.sequence = w.column8",
            };
            query.find(parts.organisation, lookup, "");
            for nth in all(t, &query, Row::int::<usize>).await? {
                if let Some(event) = block.get(nth) {
                    self.sequences.insert((event.key.clone(), event.sequence));
                }
            }
        }
        Ok(())
    }

    async fn jobs<T: Transaction>(
        &mut self,
        t: &mut T,
        parts: &ChangeSetParts<'_>,
    ) -> Result<(), StoreError> {
        let ids = (parts.jobs.iter()).map(|job| vec![job.id.as_uuid().into()]);
        for block in blocks(T::DIALECT, ids.collect()) {
            let mut query = t.query("SELECT j.id FROM ");
            query.table(&[Kind::Uuid], block);
            let lookup = Lookup {
                table: "stk_job",
                alias: "j",
                key: "j.id = w.column1",
            };
            query.find(parts.organisation, lookup, "");
            self.jobs.extend(all(t, &query, Row::id::<JobId>).await?);
        }
        Ok(())
    }

    async fn leases<T: Transaction>(
        &mut self,
        t: &mut T,
        parts: &ChangeSetParts<'_>,
    ) -> Result<(), StoreError> {
        for ack in parts.acks {
            let JobAck::Leased(token) = ack else { continue };
            let held = live_lease(t, *token).await?;
            self.leases.extend(held.map(|attempt| (token.job, attempt)));
        }
        Ok(())
    }
}

/// The attempt of a job's live lease.
pub(super) async fn live_lease<T: Transaction>(
    t: &mut T,
    token: LeaseToken,
) -> Result<Option<u32>, StoreError> {
    let mut query = t.query("SELECT t.leases FROM stk_job AS t WHERE t.organisation = ");
    query.bind(token.organisation.as_uuid());
    query.push(" AND t.id = ").bind(token.job.as_uuid());
    query.push(" AND t.state = 'running'").push(T::LOCK);
    first(t, &query, Row::int).await
}

const KEY_KINDS: [Kind; 6] = [
    Kind::Uuid,
    Kind::Uuid,
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Text,
];

/// The records of one table that exist, each with its place among the keys.
pub(super) async fn versions<T: Snapshot>(
    t: &mut T,
    organisation: OrganisationId,
    table: &Table,
    keys: &[RecordKey],
    lock: &str,
) -> Result<Vec<(usize, Found)>, StoreError> {
    let mut columns = "i.version".to_owned();
    for fact in table.facts {
        columns.extend([", i.", fact]);
    }
    let keys = keys.iter().enumerate();
    let mut query = rows_by_key(t, (organisation, table), keys, &columns, lock);
    query.push(" ORDER BY 1");
    all(t, &query, |row| {
        let nth = row.int()?;
        let version = row.version()?;
        let facts: Result<_, Unreadable> = table.facts.iter().map(|_| row.cell()).collect();
        let facts = facts?;
        Ok((nth, Found { version, facts }))
    })
    .await
}

impl Facts for Known {
    fn version(&self, key: &RecordKey) -> Option<Version> {
        self.found(key).map(|found| found.version)
    }

    fn epoch(&self, take: StockTakeId) -> Option<u64> {
        self.found(&RecordKey::StockTake(take))
            .and_then(Found::epoch)
    }

    fn count_epoch(&self, count: InventoryCountId) -> Option<u64> {
        self.found(&RecordKey::InventoryCount(count))
            .and_then(Found::epoch)
    }

    fn holder_of_name(&self, name: UniqueName<'_>) -> Option<RecordKey> {
        let (kind, name) = name_cells(name);
        self.names.get(&(kind, name.as_str().to_owned())).cloned()
    }

    fn has_event(&self, id: StockEventId) -> bool {
        self.events.contains(&id)
    }

    fn has_sequence(&self, key: &StockKey, sequence: u64) -> bool {
        !self.sequences.is_empty() && self.sequences.contains(&(key.clone(), sequence))
    }

    fn has_job(&self, id: JobId) -> bool {
        self.jobs.contains(&id)
    }

    fn is_held(&self, token: LeaseToken) -> bool {
        self.leases.get(&token.job) == Some(&token.attempt)
    }
}

impl Found {
    fn epoch(&self) -> Option<u64> {
        self.number(0).and_then(|epoch| u64::try_from(epoch).ok())
    }

    /// A fact that is a number, if it is there.
    pub(super) fn number(&self, nth: usize) -> Option<i64> {
        match self.facts.get(nth) {
            Some(Cell::Int(value)) => Some(*value),
            Some(Cell::Null | Cell::Text(_) | Cell::Uuid(_) | Cell::Bytes(_)) | None => None,
        }
    }
}
