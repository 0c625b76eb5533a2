//! Counts, adjustments, orders, imports and exports in the in-memory store, clause by clause.

use std::collections::BTreeSet;

use crate::documents::{
    adjustment, chunk, commit, conflicts, count, export, first, found, id, import, insert, line_of,
    numbered_product, open, order, order_line, refused, text_to_find, try_commit, walk,
};
use crate::shop::{ORGANISATION, at, by, note, product, site};
use stocktake::domain::{
    ApprovalPolicy, CountEntryId, CountTotals, InventoryCountItem, InventoryCountItemId,
    InventoryOrderState, JobId, OrganisationId, StockAdjustment, StockAdjustmentId,
    StockAdjustmentState,
};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ChangeSet, CommitError, Conflict, Cursor, DeletableKey, ExportChunk, Guard,
    InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter, InventoryOrderItemFilter,
    JobAck, JobKind, JobQueue, JobState, JobTask, LeaseError, NewJob, PageRequest, Record,
    RecordKey, Repository, RepositoryExt, StockAdjustmentFilter, StoreErrorKind, Version,
    Versioned,
};
use uuid::Uuid;

const STRANGER: OrganisationId = OrganisationId::new(Uuid::from_u128(99));

#[tokio::test]
async fn r16_every_record_comes_back_as_it_was_written() {
    let store = MemoryStore::new();
    let (count, order, import) = (count(8, &site(), 1), order(6, &site(), None, 2), import(5));
    let line = line_of(&count, product(), found("38", "40"), 3);
    let device = Some("scanner-1".parse().unwrap());
    let entry = line.entry(CountEntryId::new(id(80)), device, &by(5, 3));
    let adjustment = adjustment(7, &site(), &product(), 4);
    let order_line = order_line(&order, 60, product());
    let job = JobId::new(id(90));
    let part = ExportChunk {
        job,
        number: 0,
        bytes: b"article,quantity\n\xff".as_slice().into(),
        part: None,
    };
    commit(&store, |changes| {
        changes.insert(count.clone());
        changes.insert(open(&count));
        changes.insert(line.clone());
        changes.entry(entry.clone());
        changes.insert(adjustment.clone());
        changes.insert(order.clone());
        changes.insert(order_line.clone());
        changes.insert(import.clone());
        changes.insert(chunk(&import, 1));
        changes.insert(export(job));
        changes.insert(part.clone());
    })
    .await;
    let org = ORGANISATION;
    let read = store.inventory_count(org, count.id()).await.unwrap();
    assert_eq!(read, Some(first(count.clone())));
    let read = store.open_count(org, site().id).await.unwrap();
    assert_eq!(read, Some(first(open(&count))));
    let read = store.inventory_count_item(org, count.id(), line.id).await;
    assert_eq!(read.unwrap(), Some(first(line.clone())));
    let read = store
        .inventory_count_entries(org, count.id(), line.id)
        .await;
    assert_eq!(read.unwrap(), [entry]);
    let read = store.stock_adjustment(org, adjustment.id()).await.unwrap();
    assert_eq!(read, Some(first(adjustment)));
    let read = store.inventory_order(org, order.id()).await.unwrap();
    assert_eq!(read, Some(first(order.clone())));
    let read = store
        .inventory_order_item(org, order.id(), order_line.id())
        .await;
    assert_eq!(read.unwrap(), Some(first(order_line)));
    let read = store.stock_import(org, import.id()).await.unwrap();
    assert_eq!(read, Some(first(import.clone())));
    let read = store.import_chunk(org, import.id(), 1).await.unwrap();
    assert_eq!(read, Some(first(chunk(&import, 1))));
    assert_eq!(store.import_chunk(org, import.id(), 0).await.unwrap(), None);
    let read = store.export(org, job).await.unwrap();
    assert_eq!(read, Some(first(export(job))));
    let read = store.export_chunk(org, job, 0).await.unwrap();
    assert_eq!(read, Some(first(part)));
    assert_eq!(store.export_chunk(org, job, 1).await.unwrap(), None);
}

#[tokio::test]
async fn r2_r3_an_update_names_the_version_and_makes_it_one_higher() {
    let store = MemoryStore::new();
    let before = adjustment(7, &site(), &product(), 0);
    insert(&store, before.clone()).await;
    let after = before.reject(note("no"), &by(2, 1)).unwrap();
    let key = RecordKey::StockAdjustment(after.id());
    let stale = refused(&store, |it| it.update(Version::new(2), after.clone())).await;
    let actual = Version::FIRST;
    assert_eq!(
        stale,
        [Conflict::Stale {
            key: key.clone(),
            actual
        }]
    );
    let exists = refused(&store, |it| it.insert(after.clone())).await;
    assert_eq!(exists, [Conflict::Exists(key)]);
    commit(&store, |it| it.update(Version::FIRST, after.clone())).await;
    let read = store.stock_adjustment(ORGANISATION, after.id()).await;
    let version = Version::new(2);
    assert_eq!(
        read.unwrap(),
        Some(Versioned {
            version,
            value: after
        })
    );
}

#[tokio::test]
async fn r3_what_is_inserted_again_begins_at_the_first_version() {
    let store = MemoryStore::new();
    let (count, order, import) = (count(8, &site(), 0), order(6, &site(), None, 0), import(5));
    let line = order_line(&order, 60, product());
    let records: [Record; 3] = [
        open(&count).into(),
        line.clone().into(),
        chunk(&import, 0).into(),
    ];
    insert(&store, order.clone()).await;
    // Each life of a record: inserted, updated so often, deleted.
    for updates in [0, 2, 1, 0, 0] {
        let mut expected = Version::FIRST;
        commit(&store, |it| {
            records.iter().cloned().for_each(|record| it.insert(record));
        })
        .await;
        for _ in 0..updates {
            commit(&store, |it| {
                records
                    .iter()
                    .cloned()
                    .for_each(|record| it.update(expected, record));
            })
            .await;
            expected = expected.next();
        }
        let org = ORGANISATION;
        let versions = [
            store
                .open_count(org, site().id)
                .await
                .unwrap()
                .unwrap()
                .version,
            store
                .inventory_order_item(org, order.id(), line.id())
                .await
                .unwrap()
                .unwrap()
                .version,
            store
                .import_chunk(org, import.id(), 0)
                .await
                .unwrap()
                .unwrap()
                .version,
        ];
        assert_eq!(versions, [expected; 3]);
        let delete = |it: &mut ChangeSet, version| {
            for record in &records {
                it.delete(version, DeletableKey::of(&record.key()).unwrap());
            }
        };
        let stale = refused(&store, |it| delete(it, expected.next())).await;
        assert_eq!(stale.len(), 3, "{stale:?}");
        commit(&store, |it| delete(it, expected)).await;
        assert_eq!(store.open_count(org, site().id).await.unwrap(), None);
        assert_eq!(store.import_chunk(org, import.id(), 0).await.unwrap(), None);
        let missing = refused(&store, |it| delete(it, expected)).await;
        assert_eq!(missing.len(), 3, "{missing:?}");
    }
}

#[tokio::test]
async fn lines_and_entries_need_their_document_in_the_store_or_the_commit() {
    let store = MemoryStore::new();
    let (count, order) = (count(8, &site(), 0), order(6, &site(), None, 0));
    let line = line_of(&count, product(), found("1", "2"), 0);
    let entry = line.entry(CountEntryId::new(id(80)), None, &by(5, 0));
    let order_line = order_line(&order, 60, product());
    let both = |it: &mut ChangeSet| {
        it.insert(line.clone());
        it.entry(entry.clone());
        it.entry(entry.clone());
        it.insert(order_line.clone());
    };
    let missing = refused(&store, both).await;
    assert_eq!(
        missing,
        [
            Conflict::Missing(RecordKey::InventoryCount(count.id())),
            Conflict::Missing(RecordKey::InventoryOrder(order.id())),
        ]
    );
    let only_entry = refused(&store, |it| it.entry(entry.clone())).await;
    let key = RecordKey::InventoryCount(count.id());
    assert_eq!(only_entry, [Conflict::Missing(key)]);
    commit(&store, |it| {
        both(it);
        it.insert(count.clone());
        it.insert(order.clone());
    })
    .await;
    commit(&store, |it| it.entry(entry.clone())).await;
    let entries = store.inventory_count_entries(ORGANISATION, count.id(), line.id);
    assert_eq!(entries.await.unwrap().len(), 3);
}

#[tokio::test]
async fn r8_a_guard_on_a_counts_epoch_holds_exactly_while_the_state_does() {
    let store = MemoryStore::new();
    let counting = count(8, &site(), 0);
    let guard = |epoch| Guard::CountEpoch {
        count: counting.id(),
        epoch,
    };
    let conflict = |actual| Conflict::CountEpoch {
        count: counting.id(),
        actual,
    };
    let unknown = refused(&store, |it| it.guard(guard(1))).await;
    assert_eq!(unknown, [conflict(None)]);
    insert(&store, counting.clone()).await;
    let line = line_of(&counting, product(), found("1", "2"), 0);
    commit(&store, |it| {
        it.guard(guard(1));
        it.insert(line.clone());
    })
    .await;
    let cancelled = counting.cancel(&by(1, 1)).unwrap();
    commit(&store, |it| {
        it.guard(guard(1));
        it.update(Version::FIRST, cancelled.clone());
    })
    .await;
    let late = refused(&store, |it| {
        it.guard(guard(1));
        it.update(Version::FIRST, line.clone());
    });
    assert_eq!(late.await, [conflict(Some(2))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r4_one_of_many_tasks_opens_the_count_of_a_site() {
    for _ in 0..20 {
        let store = MemoryStore::new();
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let store = store.clone();
                let count = count(number, &site(), 0);
                tokio::spawn(async move {
                    let opened = try_commit(&store, ORGANISATION, |it| {
                        it.insert(count.clone());
                        it.insert(open(&count));
                    });
                    match opened.await {
                        Ok(_) => Some(count.id()),
                        Err(CommitError::Conflict(conflicts)) => {
                            let key = RecordKey::OpenCount(site().id);
                            assert_eq!(conflicts, [Conflict::Exists(key)]);
                            None
                        }
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        let mut opened = Vec::new();
        for task in tasks {
            opened.extend(task.await.unwrap());
        }
        let open = store.open_count(ORGANISATION, site().id).await.unwrap();
        assert_eq!(opened, [open.unwrap().value.count]);
        let filter = InventoryCountFilter::default();
        let counts = walk(5, |page| {
            let (store, filter) = (&store, &filter);
            async move {
                store
                    .inventory_counts(ORGANISATION, site().id, filter, &page)
                    .await
            }
        });
        assert_eq!(counts.await.len(), 1);
    }
}

#[tokio::test]
async fn r6_rows_of_another_organisation_do_not_exist() {
    let store = MemoryStore::new();
    let (count, order, import) = (count(8, &site(), 1), order(6, &site(), None, 2), import(5));
    let adjustment = adjustment(7, &site(), &product(), 4);
    let line = line_of(&count, product(), found("38", "40"), 3);
    let order_line = order_line(&order, 60, product());
    let job = JobId::new(id(90));
    let records: Vec<Record> = vec![
        count.clone().into(),
        open(&count).into(),
        line.clone().into(),
        adjustment.clone().into(),
        order.clone().into(),
        order_line.clone().into(),
        import.clone().into(),
        chunk(&import, 0).into(),
        export(job).into(),
    ];
    commit(&store, |it| {
        records.iter().cloned().for_each(|record| it.insert(record));
    })
    .await;
    let page = PageRequest::first(10).counted();
    let (org, here) = (STRANGER, site().id);
    let read = store.inventory_count(org, count.id()).await.unwrap();
    assert_eq!(read, None);
    assert_eq!(store.open_count(org, here).await.unwrap(), None);
    let counts = InventoryCountFilter::default();
    let list = store.inventory_counts(org, here, &counts, &page).await;
    assert_eq!(list.unwrap().total, Some(0));
    let totals = store.inventory_count_totals(org, count.id()).await;
    assert_eq!(totals.unwrap(), CountTotals::default());
    let lines = InventoryCountItemFilter::default();
    let list = store
        .inventory_count_items(org, count.id(), &lines, &page)
        .await;
    assert_eq!(list.unwrap().total, Some(0));
    let adjustments = StockAdjustmentFilter::default();
    let list = store
        .stock_adjustments(org, here, &adjustments, &page)
        .await;
    assert_eq!(list.unwrap().total, Some(0));
    let orders = InventoryOrderFilter::default();
    let list = store.inventory_orders(org, here, &orders, &page).await;
    assert_eq!(list.unwrap().total, Some(0));
    let lines = InventoryOrderItemFilter::default();
    let list = store
        .inventory_order_items(org, order.id(), &lines, &page)
        .await;
    assert_eq!(list.unwrap().total, Some(0));
    assert_eq!(store.stock_import(org, import.id()).await.unwrap(), None);
    assert_eq!(store.import_chunk(org, import.id(), 0).await.unwrap(), None);
    assert_eq!(store.export(org, job).await.unwrap(), None);

    // Writes conflict as with ids that were never used.
    let updates = try_commit(&store, STRANGER, |it| {
        for record in &records {
            it.update(Version::FIRST, record.clone());
        }
    });
    let missing: BTreeSet<RecordKey> = conflicts(updates.await)
        .into_iter()
        .map(|conflict| match conflict {
            Conflict::Missing(key) => key,
            other => panic!("{other:?}"),
        })
        .collect();
    let keys: BTreeSet<RecordKey> = records.iter().map(Record::key).collect();
    assert_eq!(missing, keys);
    let lines = try_commit(&store, STRANGER, |it| {
        it.insert(line.clone());
        it.insert(order_line.clone());
    });
    assert_eq!(conflicts(lines.await).len(), 2);
}

#[tokio::test]
async fn r11_totals_fit_however_large_their_lines_are() {
    let store = MemoryStore::new();
    let count = count(8, &site(), 0);
    insert(&store, count.clone()).await;
    let mut huge = found("0", "900000000000");
    huge.unit_cost = Some("100000".parse().unwrap());
    let lines: Vec<_> = (1..=2)
        .map(|number| line_of(&count, numbered_product(number), huge.clone(), 0))
        .collect();
    commit(&store, |it| {
        lines.iter().cloned().for_each(|line| it.insert(line));
    })
    .await;
    let totals = || store.inventory_count_totals(ORGANISATION, count.id());
    let large = totals().await.unwrap();
    assert_eq!(large.missing_minor(), 18_000_000_000_000_000_000);
    assert_eq!(large.excess_minor(), 0);
    let policy = ApprovalPolicy::default();
    let recounted = lines[0]
        .recounted(found("1", "2"), count.currency(), &policy, &by(5, 1))
        .unwrap();
    commit(&store, |it| it.update(Version::FIRST, recounted.clone())).await;
    let expected = CountTotals::default()
        .with(&recounted.variance)
        .with(&lines[1].variance);
    assert_eq!(totals().await.unwrap(), expected);
}

#[tokio::test]
async fn removed_orders_are_on_no_list_unless_asked_for_but_are_read() {
    let store = MemoryStore::new();
    let kept = order(6, &site(), Some("PO-2024/17"), 0);
    let gone = order(7, &site(), Some("PO-2024/18"), 1)
        .remove(&by(1, 2))
        .unwrap();
    insert(&store, kept.clone()).await;
    insert(&store, gone.clone()).await;
    let found = async |states: &[InventoryOrderState], text: Option<&str>| {
        let filter = InventoryOrderFilter {
            states: states.iter().copied().collect(),
            purchase_order_number: text.map(text_to_find),
        };
        let (store, filter) = (&store, &filter);
        let rows = walk(1, |page| async move {
            store
                .inventory_orders(ORGANISATION, site().id, filter, &page)
                .await
        });
        let ids = rows.await.into_iter().map(|row| row.value.id());
        ids.collect::<Vec<_>>()
    };
    let (draft, removed) = (InventoryOrderState::Draft, InventoryOrderState::Removed);
    assert_eq!(found(&[], None).await, [kept.id()]);
    assert_eq!(found(&[removed], None).await, [gone.id()]);
    assert_eq!(found(&[draft, removed], None).await, [kept.id(), gone.id()]);
    assert_eq!(found(&[], Some("po-2024")).await, [kept.id()]);
    assert_eq!(found(&[], Some("18")).await, []);
    assert_eq!(found(&[draft, removed], Some("/18")).await, [gone.id()]);
    let read = store.inventory_order(ORGANISATION, gone.id()).await;
    assert_eq!(read.unwrap(), Some(first(gone)));
}

#[tokio::test]
async fn r9_a_cursor_is_good_for_its_own_list_only() {
    let store = MemoryStore::new();
    for number in 1..=4 {
        insert(&store, adjustment(number, &site(), &product(), 10)).await;
    }
    let list = async |filter: &StockAdjustmentFilter, cursor: Cursor| {
        let page = PageRequest::after(cursor, 2);
        store
            .stock_adjustments(ORGANISATION, site().id, filter, &page)
            .await
            .map(|page| page.items.len())
            .map_err(|error| error.kind())
    };
    let filter = StockAdjustmentFilter {
        from: Some(at(10)),
        to: Some(at(11)),
        ..StockAdjustmentFilter::default()
    };
    let page = PageRequest::first(2);
    let read = store.stock_adjustments(ORGANISATION, site().id, &filter, &page);
    let cursor = read.await.unwrap().next.unwrap();
    assert_eq!(list(&filter, cursor.clone()).await, Ok(2));
    let other = StockAdjustmentFilter::default();
    let invalid = Err(StoreErrorKind::InvalidCursor);
    assert_eq!(list(&other, cursor.clone()).await, invalid);
    // Altered to a place that the list can't have.
    for moment in [at(9), at(11), at(-1_000_000)] {
        let text = cursor.as_str().replacen(
            &format!(".{}.", at(10).micros()),
            &format!(".{}.", moment.micros()),
            1,
        );
        assert_eq!(list(&filter, Cursor::from(text)).await, invalid);
    }
    let text = format!("{}x", cursor.as_str());
    assert_eq!(list(&filter, Cursor::from(text)).await, invalid);
    // A window that is the wrong way round is empty.
    let crossed = StockAdjustmentFilter {
        from: Some(at(11)),
        to: Some(at(9)),
        ..StockAdjustmentFilter::default()
    };
    let read = store.stock_adjustments(ORGANISATION, site().id, &crossed, &page);
    assert_eq!(read.await.unwrap().items, []);
    // Beyond the end.
    let beyond = PageRequest::numbered(9, 2);
    let read = store.stock_adjustments(ORGANISATION, site().id, &other, &beyond);
    let read = read.await.unwrap();
    assert_eq!(
        (read.items.len(), read.total, read.next),
        (0, Some(4), None)
    );
}

#[tokio::test]
async fn r9_rows_that_stay_are_seen_once_while_others_come_and_go() {
    let store = MemoryStore::new();
    let ids = [1, 2, 3, 4, 5, 6];
    for number in ids {
        insert(&store, adjustment(number, &site(), &product(), 10)).await;
    }
    let filter = StockAdjustmentFilter {
        states: BTreeSet::from([StockAdjustmentState::Pending]),
        ..StockAdjustmentFilter::default()
    };
    let mut request = PageRequest::first(2);
    let mut seen = Vec::new();
    let mut turn = 0_u128;
    loop {
        let page = store
            .stock_adjustments(ORGANISATION, site().id, &filter, &request)
            .await
            .unwrap();
        seen.extend(page.items.into_iter().map(|row| row.value));
        let Some(next) = page.next else { break };
        // The row that the cursor stands on leaves the list, and one comes before it.
        let last = seen.last().unwrap();
        let rejected = last.reject(note("no"), &by(2, 20)).unwrap();
        commit(&store, |it| it.update(Version::FIRST, rejected)).await;
        insert(&store, adjustment(100 + turn, &site(), &product(), 9)).await;
        turn += 1;
        request = PageRequest::after(next, 2);
    }
    let seen: Vec<_> = seen.iter().map(StockAdjustment::id).collect();
    let expected = ids.map(|number| StockAdjustmentId::new(id(number)));
    assert_eq!(seen, expected);
}

// ---- refused jobs ------------------------------------------------------------------------------

fn new_job(number: u128) -> NewJob {
    NewJob {
        id: JobId::new(id(number)),
        site: site().id,
        task: JobTask::Export,
        requested_by: by(1, 0).actor,
        run_at: at(0),
        max_attempts: 1,
    }
}

#[tokio::test]
async fn a_refused_job_is_over_and_neither_dead_nor_leased_again() {
    let store = MemoryStore::new();
    let (leased, queued) = (new_job(1), new_job(2));
    let later = NewJob {
        run_at: at(5),
        ..queued.clone()
    };
    commit(&store, |it| {
        it.job(leased.clone());
        it.job(later);
    })
    .await;
    let lease = store
        .lease("w", JobKind::ALL, at(1), at(60))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lease.token.job, leased.id);
    commit(&store, |it| {
        it.ack(JobAck::Refused(leased.id));
        it.ack(JobAck::Refused(queued.id));
        it.ack(JobAck::Refused(JobId::new(id(404))));
    })
    .await;
    for job in [leased.id, queued.id] {
        let read = store.job(ORGANISATION, job).await.unwrap().unwrap();
        assert_eq!(read.state, JobState::Refused);
        assert_eq!(read.finished_at, Some(at(0)));
        let requeued = store.requeue(ORGANISATION, job, at(9)).await.unwrap();
        assert!(!requeued);
    }
    let extended = store.extend(lease.token, at(99)).await;
    assert!(matches!(extended, Err(LeaseError::Lost)));
    let lost = try_commit(&store, ORGANISATION, |it| {
        it.ack(JobAck::Leased(lease.token));
    });
    assert!(matches!(lost.await, Err(CommitError::LeaseLost(job)) if job == leased.id));
    assert_eq!(
        store
            .lease("w", JobKind::ALL, at(1_000), at(2_000))
            .await
            .unwrap(),
        None
    );
    let dead = store.dead_jobs(ORGANISATION, &PageRequest::first(9)).await;
    assert_eq!(dead.unwrap().items, []);
}

#[tokio::test]
async fn a_job_that_has_ended_is_not_refused_any_more() {
    let store = MemoryStore::new();
    let (done, dead) = (new_job(1), new_job(2));
    commit(&store, |it| {
        it.job(done.clone());
        it.job(dead.clone());
        it.ack(JobAck::Settled(done.id));
    })
    .await;
    let lease = store
        .lease("w", JobKind::ALL, at(1), at(60))
        .await
        .unwrap()
        .unwrap();
    store.fail(lease.token, "no", at(2), None).await.unwrap();
    commit(&store, |it| {
        it.ack(JobAck::Refused(done.id));
        it.ack(JobAck::Refused(dead.id));
    })
    .await;
    for (job, state) in [(done.id, JobState::Succeeded), (dead.id, JobState::Dead)] {
        let read = store.job(ORGANISATION, job).await.unwrap().unwrap();
        assert_eq!(read.state, state);
    }
}

#[tokio::test]
async fn r15_a_commit_of_the_largest_size_is_applied_and_listed() {
    let store = MemoryStore::new();
    let count = count(8, &site(), 0);
    insert(&store, count.clone()).await;
    let template = line_of(&count, product(), found("1", "2"), 0);
    commit(&store, |it| {
        for number in 0..ChangeSet::MAX_SIZE as u128 {
            it.insert(InventoryCountItem {
                id: InventoryCountItemId::new(id(number)),
                ..template.clone()
            });
        }
    })
    .await;
    let filter = InventoryCountItemFilter::default();
    let rows = walk(10_000, |page| {
        let (store, count, filter) = (&store, &count, &filter);
        async move {
            store
                .inventory_count_items(ORGANISATION, count.id(), filter, &page)
                .await
        }
    });
    assert_eq!(rows.await.len(), ChangeSet::MAX_SIZE);
    let totals = store.inventory_count_totals(ORGANISATION, count.id()).await;
    assert_eq!(totals.unwrap().discrepancies(), ChangeSet::MAX_SIZE as u64);
}
