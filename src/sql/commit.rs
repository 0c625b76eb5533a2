//! The one write, inside a transaction that the engine began and ends.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::cell::{Cell, Kind, Row};
use super::changes::{self, CHANGED};
use super::jobs;
use super::known::{Care, Known, name_cells};
use super::product_codes;
use super::query::{Held, Lookup, Query, Transaction, all, blocks, first};
use super::refused::Refused;
use super::rows::{Insert, deletion};
use super::table::{EVENT, ShownProduct, Snapshots, Table, cells, event_cells, key_cells};
use super::totals::Changes;
use crate::domain::{OrganisationId, StockEvent, StockTakeId, Timestamp};
use crate::store::codec::EncodeError;
use crate::store::{
    ChangeSet, ChangeSetParts, Command, CommandId, CommitError, CommitOutcome, Digest, Entry,
    Facts, Outcome, Record, RecordKey, StoreError, StoreErrorKind, SummedDocument, UniqueName,
    Version, Write, check,
};

/// What stands in the table of commands: a command that was applied, or one that never will be.
enum Remembered {
    Applied(Digest, Outcome),
    Void,
}

/// Applies a change set.
pub(crate) async fn commit<T: Transaction>(
    t: &mut T,
    changes: &ChangeSet,
    care: Care,
) -> Result<CommitOutcome, Refused> {
    let parts = changes.parts();
    let organisation = parts.organisation;
    let command = parts.command;
    // What is hoped for is not waited for.
    let is_sent_ahead = care == Care::Hopeful && changes.size() <= ChangeSet::MAX_SIZE;
    if is_sent_ahead {
        let query = remembering(t, organisation, command)?;
        if !t.expect(query, Some(1)).await? {
            return Err(Refused::Surprised);
        }
    } else if t.run(&remembering(t, organisation, command)?).await? == 0 {
        return match remembered(t, organisation, &command.id).await? {
            Some(Remembered::Applied(digest, outcome)) if digest == command.digest => {
                Ok(CommitOutcome::AlreadyApplied(outcome))
            }
            Some(Remembered::Applied(..)) => Err(CommitError::CommandReused.into()),
            Some(Remembered::Void) => Err(CommitError::Voided.into()),
            None => Err(StoreError::new(StoreErrorKind::Busy, "commit").into()),
        };
    }
    if changes.size() > ChangeSet::MAX_SIZE {
        let limit = ChangeSet::MAX_SIZE;
        return Err(CommitError::TooLarge { limit }.into());
    }
    t.hold(held(&parts, part(&command.id, T::PARTS))).await?;
    let known = Known::look_up(t, &parts, care).await?;
    check(changes, &known)?;
    apply(t, &parts, &known).await?;
    Ok(CommitOutcome::Applied)
}

/// Settles whether a command was applied (R13).
pub(crate) async fn settle<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    id: &CommandId,
    at: Timestamp,
) -> Result<Option<Outcome>, StoreError> {
    let void = [Cell::Null, Cell::Null, at.micros().into()];
    if t.run(&put_command(t, organisation, id, void)).await? > 0 {
        return Ok(None);
    }
    match remembered(t, organisation, id).await? {
        Some(Remembered::Applied(_, outcome)) => Ok(Some(outcome)),
        Some(Remembered::Void) => Ok(None),
        None => Err(StoreError::new(StoreErrorKind::Busy, t.operation())),
    }
}

/// What remembers a command, unless something is remembered of it.
fn remembering<T: Transaction>(
    t: &T,
    organisation: OrganisationId,
    command: &Command,
) -> Result<Query, StoreError> {
    let outcome = Cell::body(&command.outcome);
    let applied = [
        command.digest.as_uuid().into(),
        unwritable(t.operation(), outcome)?,
        command.at.micros().into(),
    ];
    Ok(put_command(t, organisation, &command.id, applied))
}

fn put_command<T: Transaction>(
    t: &T,
    organisation: OrganisationId,
    id: &CommandId,
    rest: [Cell; 3],
) -> Query {
    let mut query =
        t.query("INSERT INTO stk_command (organisation, id, digest, outcome, at) VALUES (");
    query.bind(organisation.as_uuid());
    query.push(", ").bind(id.as_str()).push(", ").bind_all(rest);
    query.push(") ON CONFLICT (organisation, id) DO NOTHING");
    query
}

async fn remembered<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    id: &CommandId,
) -> Result<Option<Remembered>, StoreError> {
    let mut query = t.query("SELECT digest, outcome FROM stk_command WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND id = ").bind(id.as_str());
    first(t, &query, |row| match row.optional_uuid()? {
        Some(digest) => {
            let outcome = row.body()?;
            Ok(Remembered::Applied(Digest::from_uuid(digest), outcome))
        }
        None => Ok(Remembered::Void),
    })
    .await
}

/// The record that a guard can be on, by its id: whoever changes it waits for those who are guarded by it.
pub(super) fn guarded(key: &RecordKey) -> Option<Uuid> {
    if let RecordKey::Site(site) = key {
        return Some(site.as_uuid());
    }
    Some(match key.summed()? {
        SummedDocument::StockTake(take) => take.as_uuid(),
        SummedDocument::InventoryCount(count) => count.as_uuid(),
    })
}

/// What a change set reads under guard, and what it changes that others guard.
fn held(parts: &ChangeSetParts<'_>, part: i64) -> Held {
    use crate::store::Guard;
    let shared = parts.guards.iter().map(|guard| match guard {
        Guard::Epoch { take, .. } => take.as_uuid(),
        Guard::Site { site, .. } => site.as_uuid(),
        Guard::CountEpoch { count, .. } => count.as_uuid(),
    });
    let changed = parts.writes.keys().filter_map(guarded);
    Held {
        organisation: parts.organisation,
        part,
        shared: shared.collect(),
        changed: changed.collect(),
    }
}

async fn apply<T: Transaction>(
    t: &mut T,
    parts: &ChangeSetParts<'_>,
    known: &Known,
) -> Result<(), Refused> {
    let ChangeSetParts {
        organisation,
        command,
        guards: _,
        writes,
        events,
        entries,
        jobs,
        progress,
        acks,
    } = *parts;
    let mut totals = Changes::default();
    if writes.keys().any(|key| Table::of(key).is_marked) {
        changes::begin(t, organisation).await?;
    }
    write_names(t, parts, known).await?;
    product_codes::write(t, parts).await?;
    let mut rest = writes.iter().peekable();
    while let Some(first) = rest.next() {
        let table = Table::of(first.0);
        let mut of_table = vec![first];
        while let Some(next) = rest.next_if(|(key, _)| std::ptr::eq(Table::of(key), table)) {
            of_table.push(next);
        }
        write_table(t, organisation, table, &of_table, known, &mut totals).await?;
    }
    totals
        .write(t, organisation, part(&command.id, T::PARTS))
        .await?;
    write_entries(t, organisation, entries).await?;
    jobs::born(t, organisation, jobs, command.at).await?;
    jobs::progressed(t, organisation, progress).await?;
    jobs::ended(t, organisation, acks, command.at).await?;
    // Last, because the position counter is what commits of a site wait for.
    write_events(t, organisation, events).await
}

/// Which part of the totals a command adds to.
fn part(id: &CommandId, parts: u8) -> i64 {
    let sum = id.as_str().bytes().fold(0_u8, u8::wrapping_add);
    i64::from(sum.checked_rem(parts).unwrap_or_default())
}

/// A value that can't be written is a mistake of the library's, not of the database's.
fn unwritable<V>(operation: &'static str, value: Result<V, EncodeError>) -> Result<V, StoreError> {
    value.map_err(|cause| StoreError::new(StoreErrorKind::Corrupt, operation).because(cause))
}

/// R17: names are given up before they are taken, so that records can swap theirs.
async fn write_names<T: Transaction>(
    t: &mut T,
    parts: &ChangeSetParts<'_>,
    known: &Known,
) -> Result<(), Refused> {
    let organisation = parts.organisation;
    let mut given_up = Vec::new();
    let mut taken = Vec::new();
    for (key, write) in parts.writes {
        let Some(name) = write.record().and_then(UniqueName::of) else {
            continue;
        };
        if known.holder_of_name(name).as_ref() == Some(key) {
            continue;
        }
        let (kind, name) = name_cells(name);
        let holder = key_cells(key).into_iter().next().unwrap_or(Cell::Null);
        if write.expected().is_some() {
            given_up.push(vec![Cell::Int(kind), holder.clone()]);
        }
        let likeness = name.likeness().into();
        taken.push(vec![
            Cell::Int(kind),
            name.as_str().into(),
            holder,
            likeness,
        ]);
    }
    // Two transactions that take the same ones must not wait for each other.
    taken.sort_unstable_by(|a, b| name_order(a).cmp(&name_order(b)));
    for holder in given_up {
        let key = [("kind", Kind::Int), ("holder", Kind::Uuid)];
        let query = deletion(t, organisation, "stk_catalogue_name", &key, holder);
        t.expect(query, None).await?;
    }
    for block in blocks(T::DIALECT, taken) {
        let insert = Insert {
            table: "stk_catalogue_name",
            columns: &["kind", "name", "holder", "likeness"],
            kinds: &[Kind::Int, Kind::Text, Kind::Uuid, Kind::Text],
            is_marked: false,
        };
        insert.run(t, organisation, block).await?;
    }
    Ok(())
}

fn name_order(row: &[Cell]) -> Option<(i64, &str)> {
    match row {
        [Cell::Int(kind), Cell::Text(name), ..] => Some((*kind, name)),
        _ => None,
    }
}

/// Writes the records of one table.
async fn write_table<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    table: &'static Table,
    writes: &[(&RecordKey, &Write)],
    known: &Known,
    totals: &mut Changes,
) -> Result<(), Refused> {
    let inserted = writes
        .iter()
        .filter(|(_, write)| write.expected().is_none());
    let inserted_to: BTreeSet<StockTakeId> = inserted.filter_map(|(key, _)| take_of(key)).collect();
    let retired = self::retired(t, organisation, &inserted_to).await?;
    let mut snapshots = Snapshots::default();
    let mut inserts = Vec::new();
    let mut updates = Vec::new();
    let mut deletes = Vec::new();
    let mut newly_retired: BTreeMap<StockTakeId, Version> = BTreeMap::new();
    for (key, write) in writes {
        let version = match write {
            Write::Insert(_) => take_of(key)
                .and_then(|take| retired.get(&take))
                .map_or(Version::FIRST, |version| version.next()),
            Write::Update { expected, .. } | Write::Delete { expected } => expected.next(),
        };
        if let Some(was) = known.found(key) {
            if let RecordKey::StockTakeItem(take, _) = key {
                totals.line_was(*take, was);
                snapshots.line_was(&was.facts);
            }
            if let RecordKey::InventoryCountItem(count, _) = key {
                totals.count_line_was(*count, was);
            }
        }
        let mut row = key_cells(key);
        let Some(record) = write.record() else {
            if let (Some(take), Some(version)) = (take_of(key), write.expected()) {
                let last = newly_retired.entry(take).or_insert(version);
                *last = version.max(*last);
            }
            deletes.push(row);
            continue;
        };
        if let Record::StockTakeItem(item) = record {
            totals.line_is(version, item);
        }
        if let Record::InventoryCountItem(item) = record {
            totals.count_line_is(item);
        }
        row.push(version.into());
        row.append(&mut unwritable(
            t.operation(),
            cells(record, &mut snapshots),
        )?);
        match write {
            Write::Insert(_) => inserts.push(row),
            Write::Update { .. } | Write::Delete { .. } => updates.push(row),
        }
    }
    write_snapshots(t, organisation, snapshots).await?;
    let mut columns: Vec<&str> = table.key.iter().map(|(name, _)| *name).collect();
    columns.push("version");
    columns.extend(table.columns.iter().map(|(name, _)| *name));
    let mut kinds: Vec<Kind> = table.key.iter().map(|(_, kind)| *kind).collect();
    kinds.push(Kind::Int);
    kinds.extend(table.columns.iter().map(|(_, kind)| *kind));
    let insert = Insert {
        table: table.name,
        columns: &columns,
        kinds: &kinds,
        is_marked: table.is_marked,
    };
    for block in blocks(T::DIALECT, inserts) {
        insert.run(t, organisation, block).await?;
    }
    // Where others write at the same time, an insert may have waited for a deletion: only now is its version known.
    if !T::LOCK.is_empty() && self::retired(t, organisation, &inserted_to).await? != retired {
        return Err(Refused::Surprised);
    }
    for block in blocks(T::DIALECT, updates) {
        let expected = u64::try_from(block.len()).unwrap_or(u64::MAX);
        if T::REWRITES_INDEXES && table.settled > 0 {
            let mut query = insert.query(t, organisation, block.clone());
            overwrite(&mut query, table, table.settled);
            if t.expect(query, Some(expected)).await? {
                continue;
            }
        }
        let mut query = insert.query(t, organisation, block);
        overwrite(&mut query, table, 0);
        t.expect(query, None).await?;
    }
    for key in deletes {
        let query = deletion(t, organisation, table.name, table.key, key);
        t.expect(query, None).await?;
    }
    retire(t, organisation, newly_retired).await?;
    Ok(())
}

/// Makes an insert write over the rows that are there: over those columns that come after so many, where these are
/// what they were.
fn overwrite(query: &mut Query, table: &Table, settled: usize) {
    query.push(" ON CONFLICT (organisation");
    for (column, _) in table.key {
        query.push(", ").push(column);
    }
    query.push(") DO UPDATE SET version = excluded.version");
    for (column, _) in table.columns.iter().skip(settled) {
        query.push(&format!(", {column} = excluded.{column}"));
    }
    if table.is_marked {
        query.push(&format!(", {CHANGED} = excluded.{CHANGED}"));
    }
    for (nth, (column, _)) in table.columns.iter().take(settled).enumerate() {
        query.push(if nth > 0 { " AND " } else { " WHERE " });
        query.push(&format!("{}.{column} = excluded.{column}", table.name));
    }
}

/// What lines show of their products, each once.
async fn write_snapshots<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    snapshots: Snapshots,
) -> Result<(), StoreError> {
    // In their order: two transactions that add the same ones must not wait for each other.
    let rows: Vec<Vec<Cell>> = snapshots
        .rows
        .into_iter()
        .map(|((product, id), row)| {
            let ShownProduct {
                article_order,
                search,
                body,
            } = row;
            vec![
                product.into(),
                id.into(),
                article_order.into(),
                search.into(),
                body.into(),
            ]
        })
        .collect();
    for block in blocks(T::DIALECT, rows) {
        let insert = Insert {
            table: "stk_product_snapshot",
            columns: &["product", "id", "article_order", "search", "body"],
            kinds: &[Kind::Uuid, Kind::Uuid, Kind::Text, Kind::Text, Kind::Bytes],
            is_marked: false,
        };
        let mut query = insert.query(t, organisation, block);
        query.push(" ON CONFLICT DO NOTHING");
        t.expect(query, None).await?;
    }
    Ok(())
}

/// The take that a record is a line of.
const fn take_of(key: &RecordKey) -> Option<StockTakeId> {
    if let RecordKey::StockTakeItem(take, _) = key {
        Some(*take)
    } else {
        None
    }
}

/// The highest versions that deleted lines of some takes had (R3).
async fn retired<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    takes: &BTreeSet<StockTakeId>,
) -> Result<BTreeMap<StockTakeId, Version>, StoreError> {
    let mut found = BTreeMap::new();
    for block in blocks(
        T::DIALECT,
        takes
            .iter()
            .map(|take| vec![take.as_uuid().into()])
            .collect(),
    ) {
        let mut query = t.query("SELECT r.take, r.version FROM ");
        query.table(&[Kind::Uuid], block);
        let lookup = Lookup {
            table: "stk_retired",
            alias: "r",
            key: "r.take = w.column1",
        };
        query.find(organisation, lookup, "");
        let read = |row: &mut Row| Ok((row.id()?, row.version()?));
        found.extend(all(t, &query, read).await?);
    }
    Ok(found)
}

/// Remembers the highest versions that lines of some takes had when they were deleted.
async fn retire<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    versions: BTreeMap<StockTakeId, Version>,
) -> Result<(), StoreError> {
    let rows = versions
        .into_iter()
        .map(|(take, version)| vec![take.as_uuid().into(), version.into()]);
    for block in blocks(T::DIALECT, rows.collect()) {
        let insert = Insert {
            table: "stk_retired",
            columns: &["take", "version"],
            kinds: &[Kind::Uuid, Kind::Int],
            is_marked: false,
        };
        let mut query = insert.query(t, organisation, block);
        query.push(
            " ON CONFLICT (organisation, take) DO UPDATE SET version = excluded.version \
             WHERE stk_retired.version < excluded.version",
        );
        t.expect(query, None).await?;
    }
    Ok(())
}

/// Entries are numbered along their lines, in the order in which they come.
async fn write_entries<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    entries: &[Entry],
) -> Result<(), Refused> {
    for (table, rows) in [
        ("stk_count_entry", entry_rows(t.operation(), entries, true)?),
        (
            "stk_inventory_count_entry",
            entry_rows(t.operation(), entries, false)?,
        ),
    ] {
        for block in blocks(T::DIALECT, rows) {
            let expected = u64::try_from(block.len()).unwrap_or(u64::MAX);
            let mut query = t.query("INSERT INTO ");
            query.push(table);
            query.push(" (organisation, document, item, number, id, body) SELECT ");
            query.bind(organisation.as_uuid());
            query.push(", w.column1, w.column2, w.column3 + COALESCE((SELECT max(e.number) FROM ");
            query.push(table).push(" AS e WHERE e.organisation = ");
            query.bind(organisation.as_uuid());
            query.push(
                " AND e.document = w.column1 AND e.item = w.column2), 0), w.column4, w.column5 FROM ",
            );
            let kinds = [Kind::Uuid, Kind::Uuid, Kind::Int, Kind::Uuid, Kind::Bytes];
            query.table(&kinds, block);
            query.push(" WHERE true ON CONFLICT DO NOTHING");
            if !t.expect(query, Some(expected)).await? {
                return Err(Refused::Surprised);
            }
        }
    }
    Ok(())
}

fn entry_rows(
    operation: &'static str,
    entries: &[Entry],
    of_takes: bool,
) -> Result<Vec<Vec<Cell>>, StoreError> {
    let mut numbers: BTreeMap<(Uuid, Uuid), i64> = BTreeMap::new();
    let mut rows = Vec::new();
    for entry in entries {
        let (document, item, id, body) = match entry {
            Entry::StockTake(it) if of_takes => {
                (it.take.as_uuid(), it.item.as_uuid(), it.id, Cell::body(it))
            }
            Entry::InventoryCount(it) if !of_takes => {
                (it.count.as_uuid(), it.item.as_uuid(), it.id, Cell::body(it))
            }
            Entry::StockTake(_) | Entry::InventoryCount(_) => continue,
        };
        let number = numbers.entry((document, item)).or_default();
        *number = number.saturating_add(1);
        rows.push(vec![
            document.into(),
            item.into(),
            (*number).into(),
            id.as_uuid().into(),
            unwritable(operation, body)?,
        ]);
    }
    Ok(rows)
}

/// Events get the next positions of their sites, in their order (R10).
async fn write_events<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    events: &[StockEvent],
) -> Result<(), Refused> {
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for event in events {
        let count = counts.entry(event.key.site.as_uuid()).or_default();
        *count = count.saturating_add(1);
    }
    let mut next: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (site, count) in counts {
        let mut query = t.query("INSERT INTO stk_ledger AS t (organisation, site, last) VALUES (");
        query.bind(organisation.as_uuid());
        query.push(", ").bind(site);
        query.push(", ").bind(count);
        query.push(
            ") ON CONFLICT (organisation, site) DO UPDATE SET last = t.last + excluded.last \
             RETURNING last",
        );
        let last = first(t, &query, Row::int::<i64>).await?;
        let last = last.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, t.operation()))?;
        next.insert(site, last.saturating_sub(count));
    }
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let position = next.entry(event.key.site.as_uuid()).or_default();
        *position = position.saturating_add(1);
        let mut row = vec![Cell::Int(*position)];
        row.append(&mut event_cells(event));
        row.push(unwritable(t.operation(), Cell::body(event))?);
        rows.push(row);
    }
    let ends = [("position", Kind::Int), ("body", Kind::Bytes)];
    let columns = || ends[..1].iter().chain(EVENT).chain(&ends[1..]);
    let names: Vec<&str> = columns().map(|(name, _)| *name).collect();
    let kinds: Vec<Kind> = columns().map(|(_, kind)| *kind).collect();
    let insert = Insert {
        table: "stk_stock_event",
        columns: &names,
        kinds: &kinds,
        is_marked: false,
    };
    for block in blocks(T::DIALECT, rows) {
        insert.run(t, organisation, block).await?;
    }
    Ok(())
}
