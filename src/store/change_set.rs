//! Everything that one commit changes.

use std::collections::BTreeMap;
use std::collections::btree_map;

use serde::{Deserialize, Serialize};

use super::{
    Command, DeletableKey, JobAck, JobProgress, NewJob, Record, RecordKey, Version, Versioned,
    Write,
};
use crate::domain::{
    CountEntry, InventoryCountEntry, InventoryCountId, OrganisationId, Site, SiteId, StockEvent,
    StockTakeId,
};

/// One atomic write: all of it is applied, or nothing (clause R1).
///
/// It holds one write a record. Who writes a record a second time says what it becomes after all; what is expected
/// of it stays what the first write expected:
///
/// | first | then | is in the end |
/// | --- | --- | --- |
/// | insert | insert or update | insert of the last |
/// | insert | delete | nothing: the record is not written, and nothing is expected of it |
/// | update, delete | insert or update | update of the first version to the last record |
/// | update, delete | delete | delete of the first version |
///
/// An adapter takes it apart with [`parts`](Self::parts), and destructures [`ChangeSetParts`] without `..`,
/// so that a new field breaks its build instead of being lost.
///
/// # Example
///
/// ```
/// use stocktake::domain::{OrganisationId, Timestamp};
/// use stocktake::store::{ChangeSet, Command, CommandId, Digest, Outcome};
///
/// let changes = ChangeSet::new(
///     OrganisationId::new(uuid::Uuid::from_u128(1)),
///     Command {
///         id: CommandId::new("example", 1),
///         digest: Digest::of("example").field("a").finish(),
///         outcome: Outcome::Done,
///         at: Timestamp::EPOCH,
///     },
/// );
/// assert_eq!(changes.size(), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    organisation: OrganisationId,
    command: Command,
    guards: Vec<Guard>,
    writes: BTreeMap<RecordKey, Write>,
    events: Vec<StockEvent>,
    entries: Vec<Entry>,
    jobs: Vec<NewJob>,
    progress: Vec<JobProgress>,
    acks: Vec<JobAck>,
}

/// What must be true at the commit, beside the versions of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The take's epoch is still this one: its state has not changed (clause R8).
    Epoch {
        /// The take.
        take: StockTakeId,
        /// The epoch.
        epoch: u64,
    },
    /// The site still has this version: its policy and its closing date hold for what is recorded under them
    /// (clause R8).
    Site {
        /// The site.
        site: SiteId,
        /// The version.
        version: Version,
    },
    /// The count's epoch is still this one (clause R8).
    CountEpoch {
        /// The inventory count.
        count: InventoryCountId,
        /// The epoch.
        epoch: u64,
    },
}

impl Guard {
    /// The site is still as it was read.
    pub fn site(read: &Versioned<Site>) -> Self {
        Self::Site {
            site: read.value.id,
            version: read.version,
        }
    }
}

/// An act of counting, to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// On a line of a stock take.
    StockTake(CountEntry),
    /// On a line of an inventory count.
    InventoryCount(InventoryCountEntry),
}

impl From<CountEntry> for Entry {
    fn from(entry: CountEntry) -> Self {
        Self::StockTake(entry)
    }
}

impl From<InventoryCountEntry> for Entry {
    fn from(entry: InventoryCountEntry) -> Self {
        Self::InventoryCount(entry)
    }
}

/// A change set, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct ChangeSetParts<'a> {
    /// Whose records these are.
    pub organisation: OrganisationId,
    /// The command, to be remembered in the same commit.
    pub command: &'a Command,
    /// What must be true.
    pub guards: &'a [Guard],
    /// One write a record, in the order of keys.
    pub writes: &'a BTreeMap<RecordKey, Write>,
    /// New ledger lines, in order; each gets the next position of its site.
    pub events: &'a [StockEvent],
    /// New count entries, in order.
    pub entries: &'a [Entry],
    /// Jobs that are born, before the next two are looked at: those may be of these jobs.
    pub jobs: &'a [NewJob],
    /// Steps of jobs.
    pub progress: &'a [JobProgress],
    /// Jobs that end.
    pub acks: &'a [JobAck],
}

impl ChangeSet {
    /// The most records, events and entries that every store must accept in one commit (clause R15).
    pub const MAX_SIZE: usize = 60_000;

    /// An empty change set of a command.
    pub const fn new(organisation: OrganisationId, command: Command) -> Self {
        Self {
            organisation,
            command,
            guards: Vec::new(),
            writes: BTreeMap::new(),
            events: Vec::new(),
            entries: Vec::new(),
            jobs: Vec::new(),
            progress: Vec::new(),
            acks: Vec::new(),
        }
    }

    /// Demands something.
    pub fn guard(&mut self, guard: Guard) {
        self.guards.push(guard);
    }

    /// Creates a record. One that this change set writes already keeps what the first write expected of it.
    pub fn insert(&mut self, record: impl Into<Record>) {
        self.write(record.into(), Write::Insert);
    }

    /// Replaces a record that has the expected version. One that this change set writes already keeps what the
    /// first write expected of it.
    pub fn update(&mut self, expected: Version, record: impl Into<Record>) {
        let update = |record| Write::Update { expected, record };
        self.write(record.into(), update);
    }

    /// Writes a record as a first write does, or says what one becomes after all.
    fn write(&mut self, record: Record, first: impl FnOnce(Record) -> Write) {
        match self.writes.entry(record.key()) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(first(record));
            }
            btree_map::Entry::Occupied(mut occupied) => {
                let write = match *occupied.get() {
                    Write::Insert(_) => Write::Insert(record),
                    Write::Update { expected, .. } | Write::Delete { expected } => {
                        Write::Update { expected, record }
                    }
                };
                occupied.insert(write);
            }
        }
    }

    /// Creates or replaces a record, by whether it was read.
    pub fn put<T>(&mut self, read: Option<&Versioned<T>>, record: impl Into<Record>) {
        match read {
            Some(read) => self.update(read.version, record),
            None => self.insert(record),
        }
    }

    /// Deletes a record that has the expected version. One that this change set writes already keeps what the
    /// first write expected of it; one that it creates is not written at all.
    pub fn delete(&mut self, expected: Version, key: DeletableKey) {
        match self.writes.entry(key.into()) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Write::Delete { expected });
            }
            btree_map::Entry::Occupied(mut occupied) => match *occupied.get() {
                Write::Insert(_) => {
                    occupied.remove();
                }
                Write::Update { expected, .. } | Write::Delete { expected } => {
                    occupied.insert(Write::Delete { expected });
                }
            },
        }
    }

    /// Appends to the ledger.
    pub fn event(&mut self, event: StockEvent) {
        self.events.push(event);
    }

    /// Keeps an act of counting.
    pub fn entry(&mut self, entry: impl Into<Entry>) {
        self.entries.push(entry.into());
    }

    /// Queues a job.
    pub fn job(&mut self, job: NewJob) {
        self.jobs.push(job);
    }

    /// Tells a job's progress.
    pub fn progress(&mut self, progress: JobProgress) {
        self.progress.push(progress);
    }

    /// Ends a job.
    pub fn ack(&mut self, ack: JobAck) {
        self.acks.push(ack);
    }

    /// Whose records these are.
    pub const fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// The command.
    pub const fn command(&self) -> &Command {
        &self.command
    }

    /// How many records, events and entries it holds.
    pub fn size(&self) -> usize {
        self.writes
            .len()
            .saturating_add(self.events.len())
            .saturating_add(self.entries.len())
    }

    /// Takes it apart.
    pub fn parts(&self) -> ChangeSetParts<'_> {
        let Self {
            organisation,
            command,
            guards,
            writes,
            events,
            entries,
            jobs,
            progress,
            acks,
        } = self;
        ChangeSetParts {
            organisation: *organisation,
            command,
            guards,
            writes,
            events,
            entries,
            jobs,
            progress,
            acks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::store::{CommandId, Digest, OpenCount, Outcome};

    const SITE: SiteId = SiteId::new(uuid::Uuid::from_u128(1));
    const KEY: DeletableKey = DeletableKey::OpenCount(SITE);

    fn record(n: u128) -> OpenCount {
        OpenCount {
            site: SITE,
            count: InventoryCountId::new(uuid::Uuid::from_u128(n)),
        }
    }

    type Step = fn(&mut ChangeSet);

    fn after(steps: [Step; 2]) -> Option<Write> {
        let mut changes = ChangeSet::new(
            OrganisationId::new(uuid::Uuid::nil()),
            Command {
                id: CommandId::new("test", 1),
                digest: Digest::of("test").finish(),
                outcome: Outcome::Done,
                at: Timestamp::EPOCH,
            },
        );
        for step in steps {
            step(&mut changes);
        }
        changes
            .parts()
            .writes
            .get(&RecordKey::OpenCount(SITE))
            .cloned()
    }

    /// The table of the documentation.
    #[test]
    fn a_second_write_keeps_the_expectation_of_the_first() {
        let insert: [Step; 2] = [|it| it.insert(record(1)), |it| it.insert(record(2))];
        let update: [Step; 2] = [
            |it| it.update(Version::new(1), record(1)),
            |it| it.update(Version::new(2), record(2)),
        ];
        let delete: [Step; 2] = [
            |it| it.delete(Version::new(1), KEY),
            |it| it.delete(Version::new(2), KEY),
        ];
        let inserted = Some(Write::Insert(record(2).into()));
        let updated = Some(Write::Update {
            expected: Version::new(1),
            record: record(2).into(),
        });
        let deleted = Some(Write::Delete {
            expected: Version::new(1),
        });
        for (steps, expected) in [
            ([insert[0], insert[1]], &inserted),
            ([insert[0], update[1]], &inserted),
            ([insert[0], delete[1]], &None),
            ([update[0], insert[1]], &updated),
            ([update[0], update[1]], &updated),
            ([update[0], delete[1]], &deleted),
            ([delete[0], insert[1]], &updated),
            ([delete[0], update[1]], &updated),
            ([delete[0], delete[1]], &deleted),
        ] {
            assert_eq!(after(steps), *expected);
        }
    }
}
