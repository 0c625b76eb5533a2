//! C01 to C14 and C20 to C24: values, atomicity, versions, epochs, visibility.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use stocktake::domain::{
    Cause, LineOutcome, Note, Price, StockTakeItemId, Tracking, UnitCosts, UnitId,
};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ArticleSort, ChangeSet, CommitError, CommitOutcome, Conflict, DeletableKey, Guard, JobAck,
    JobKind, JobProgress, JobQueue, LeaseToken, Outcome, PageRequest, Progress, RecordKey,
    Repository, RepositoryExt, SerialMark, StockTakeItemFilter, Version, Versioned,
};
use uuid::Uuid;

use super::fixtures::*;

#[tokio::test]
async fn c01_insert_get_round_trips_every_field() {
    let store = MemoryStore::new();
    let mut site = site();
    site.policy.allow_negative = true;
    site.policy.closed_until = Some(at(-5));
    let mut full = product(1);
    full.description = Some(Note::new("line\nbreak").unwrap());
    full.barcodes = vec![barcode("500"), barcode("501")];
    full.brand = Some(brand(1));
    full.category = Some(category(1));
    full.unit = Some(stocktake::domain::Unit {
        id: UnitId::new(Uuid::from_u128(4)),
        name: label("piece"),
        external_id: Some(code("PCE")),
    });
    full.suppliers = vec![sold_by(1), sold_by(2)];
    full.unit_costs = UnitCosts::of("gbp".parse().unwrap(), "12.5".parse().unwrap());
    full.price = Some(Price {
        amount: "19.999999".parse().unwrap(),
        currency: "gbp".parse().unwrap(),
    });
    full.account = Some(code("4000"));
    full.tracking = Tracking::Batch;
    full.stock_warning = Some(quantity("3"));
    full.article_type = -2;
    let full = Arc::new(full);
    let stock_key = key(1)
        .of_variant(code("v"))
        .at(code("A-1"))
        .in_batch(code("b"))
        .with_serial(code("s"));
    let mut line = counted(item(1), "1", 7);
    line.key = stock_key.clone();
    line.product = Arc::clone(&full);
    let superseded = LineOutcome::Superseded {
        known_at: at(9),
        by: Cause::Movement,
    };
    let line = posted(line, superseded, -3, "4");
    let level = level(stock_key.clone(), "1").with_reserved(quantity("0.25"), at(8));
    let take = take(TAKE, 1);
    let entry = entry(1, &line);
    let mut event = event(1, stock_key.clone(), 1);
    event.reason = Some(Note::new("why").unwrap());
    event.reference = Some(code("R-1"));
    event.reverses = Some(event.link());
    let mut changes = changes();
    changes.insert(site.clone());
    changes.insert(supplier(1));
    changes.insert(Arc::clone(&full));
    changes.insert(take.clone());
    changes.insert(line.clone());
    changes.insert(level.clone());
    changes.entry(entry.clone());
    changes.event(event.clone());
    store.commit(&changes).await.unwrap();

    let first = |value| Some(Versioned { version: V1, value });
    let read = store.site(ORGANISATION, SITE).await.unwrap();
    assert_eq!(
        read,
        Some(Versioned {
            version: V1,
            value: site.clone()
        })
    );
    let read = store
        .site_by_external_id(ORGANISATION, &code("store-1"))
        .await
        .unwrap();
    assert_eq!(
        read,
        Some(Versioned {
            version: V1,
            value: site
        })
    );
    let read = store.supplier(ORGANISATION, supplier(1).id).await.unwrap();
    assert_eq!(
        read,
        Some(Versioned {
            version: V1,
            value: supplier(1)
        })
    );
    let read = store.products(ORGANISATION, &[full.id]).await.unwrap();
    assert_eq!(read, [first(Arc::clone(&full))]);
    let articles = [code("none"), full.article_id.clone()];
    let read = store
        .products_by_article(ORGANISATION, &articles)
        .await
        .unwrap();
    assert_eq!(read, [None, first(full)]);
    let keys = [stock_key.clone(), key(1)];
    let read = store.levels(ORGANISATION, &keys).await.unwrap();
    let kept = Versioned {
        version: V1,
        value: level.clone(),
    };
    assert_eq!(read, [Some(kept), None]);
    let read = store.stock_take(ORGANISATION, TAKE).await.unwrap();
    assert_eq!(
        read,
        Some(Versioned {
            version: V1,
            value: take.clone()
        })
    );
    let view = store
        .counting_view(ORGANISATION, TAKE, &[line.id])
        .await
        .unwrap()
        .unwrap();
    let (read, counted) = view.into_line().unwrap();
    assert_eq!(*read.value, take);
    assert_eq!(*counted.item.value, line);
    assert_eq!(
        counted.level.map(|level| (*level.value).clone()),
        Some(level)
    );
    let read = store
        .count_entries(ORGANISATION, TAKE, line.id)
        .await
        .unwrap();
    assert_eq!(read, [entry]);
    let read = store.events(ORGANISATION, &[event.id]).await.unwrap();
    let read = read.into_iter().flatten().next().unwrap();
    assert_eq!((read.position, read.event), (1, event.clone()));
    let read = store
        .events_after(ORGANISATION, &[(stock_key, 0)])
        .await
        .unwrap();
    assert_eq!(read, [event]);
    let read = store
        .command(ORGANISATION, &changes.command().id)
        .await
        .unwrap();
    assert_eq!(read.as_ref(), Some(changes.command()));
    let page = PageRequest::first(5);
    let page = store
        .stock_take_items(
            ORGANISATION,
            TAKE,
            &StockTakeItemFilter::default(),
            ArticleSort::default(),
            &page,
        )
        .await
        .unwrap();
    let row = page.items.first().unwrap();
    assert_eq!(*row.item.value, line);
    assert_eq!(row.on_hand, Some(quantity("1")));
    assert_eq!(row.reserved, Some(quantity("0.25")));
}

#[tokio::test]
async fn c02_get_missing_is_none() {
    let store = shop(1).await;
    let nobody = Uuid::from_u128(0xDEAD);
    let none_line = StockTakeItemId::new(nobody);
    assert!(
        store
            .site(ORGANISATION, nobody.into())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .supplier(ORGANISATION, nobody.into())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .stock_take(ORGANISATION, nobody.into())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .job(ORGANISATION, nobody.into())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        store
            .products(ORGANISATION, &[nobody.into()])
            .await
            .unwrap(),
        [None]
    );
    assert_eq!(
        store.events(ORGANISATION, &[nobody.into()]).await.unwrap(),
        [None]
    );
    assert_eq!(
        store.levels(ORGANISATION, &[key(99)]).await.unwrap(),
        [None]
    );
    let view = store.counting_view(ORGANISATION, TAKE, &[none_line]).await;
    assert_eq!(view.unwrap().unwrap().lines, [None]);
    let entries = store.count_entries(ORGANISATION, TAKE, none_line).await;
    assert!(entries.unwrap().is_empty());
    let ids = [none_line, item(1).id];
    let known = store.stock_take_item_ids(ORGANISATION, TAKE, &ids).await;
    assert_eq!(known.unwrap(), [item(1).id]);
    let command = command("never", "x").id;
    assert!(
        store
            .command(ORGANISATION, &command)
            .await
            .unwrap()
            .is_none()
    );
    let ledger = store.ledger(ORGANISATION, SITE, 0, 10).await.unwrap();
    assert!(ledger.is_empty());
}

#[tokio::test]
async fn c03_insert_duplicate_id_is_duplicate_and_keeps_original() {
    let store = shop(1).await;
    commit(&store, |it| {
        it.insert(supplier(1));
        it.insert(level(key(1), "3"));
    })
    .await;
    let mut site = site();
    site.name = label("Other");
    let mut changes = changes();
    changes.insert(site);
    changes.insert(Arc::new(product(1)));
    changes.insert(supplier(1));
    changes.insert(take(TAKE, 99));
    changes.insert(counted(item(1), "5", 5));
    changes.insert(level(key(1), "9"));
    let keys: Vec<_> = changes.parts().writes.keys().cloned().collect();
    let expected: Vec<_> = keys.into_iter().map(Conflict::Exists).collect();
    assert_eq!(conflicts(&store, &changes).await, expected);
    assert_eq!(totals(&store).await.counted, 0);
    let kept = store.site(ORGANISATION, SITE).await.unwrap().unwrap();
    assert_eq!(kept.value.name, label("High Street"));
}

#[tokio::test]
async fn c04_delete_needs_version_then_get_is_none() {
    let store = shop(2).await;
    let line = DeletableKey::StockTakeItem(TAKE, item(1).id);
    let line_key = RecordKey::from(line.clone());
    commit(&store, |it| it.entry(entry(1, &item(1)))).await;
    let mut stale = changes();
    stale.delete(Version::new(7), line.clone());
    let found = conflicts(&store, &stale).await;
    let key = line_key.clone();
    assert_eq!(found, [Conflict::Stale { key, actual: V1 }]);
    commit(&store, |it| it.delete(V1, line.clone())).await;
    assert_eq!(
        line_numbers(&store, &StockTakeItemFilter::default()).await,
        [2]
    );
    assert_eq!(totals(&store).await.items, 1);
    let entries = store.count_entries(ORGANISATION, TAKE, item(1).id).await;
    assert_eq!(entries.unwrap().len(), 1, "entries are kept for good");

    // R3: it comes back with a higher version than it ever had.
    let mut gone = changes();
    gone.update(V1, counted(item(1), "1", 0));
    assert_eq!(
        conflicts(&store, &gone).await,
        [Conflict::Missing(line_key.clone())]
    );
    for round in 1..4 {
        commit(&store, |it| it.insert(item(1))).await;
        let view = store.counting_view(ORGANISATION, TAKE, &[item(1).id]).await;
        let version = view.unwrap().unwrap().into_line().unwrap().1.item.version;
        assert_eq!(version, Version::new(round + 1));
        commit(&store, |it| it.delete(version, line.clone())).await;
    }
}

#[tokio::test]
async fn c05_c06_values_and_texts_round_trip() {
    let store = shop(0).await;
    let texts = [
        "e".to_owned(),
        "\u{e9}".to_owned(),
        "\u{1F4E6} 'quoted' \"twice\" %_\\".to_owned(),
        "ü".repeat(128),
    ];
    let quantities = ["1000000000000", "0.000001", "0", "2.5", "999999.999999"];
    commit(&store, |it| {
        for (n, text) in (1..).zip(&texts) {
            let mut product = product(n);
            product.article_id = code(text);
            it.insert(Arc::new(product));
        }
        for (n, text) in (1..).zip(quantities) {
            let level = level(key(n), "1").with_reserved(quantity(text), at(0).later_by(1));
            it.insert(level);
        }
    })
    .await;
    let articles: Vec<_> = texts.iter().map(|text| code(text)).collect();
    let products = store
        .products_by_article(ORGANISATION, &articles)
        .await
        .unwrap();
    let read: Vec<_> = products
        .iter()
        .flatten()
        .map(|it| it.value.article_id.as_str())
        .collect();
    assert_eq!(read, texts);
    let keys: Vec<_> = (1..=5).map(key).collect();
    let levels = store.levels(ORGANISATION, &keys).await.unwrap();
    let levels: Vec<_> = levels.iter().flatten().collect();
    let read: Vec<_> = levels
        .iter()
        .map(|it| it.value.reserved().to_string())
        .collect();
    assert_eq!(read, quantities);
    assert!(levels.iter().all(|it| it.value.updated_at().micros() == 1));
}

#[tokio::test]
async fn c07_conflict_on_last_expectation_applies_nothing() {
    let store = shop(3).await;
    let mut changes = changes();
    changes.guard(Guard::Epoch {
        take: TAKE,
        epoch: 9,
    });
    changes.guard(Guard::Epoch {
        take: take_id(1),
        epoch: 1,
    });
    changes.update(V1, counted(item(1), "5", 5));
    changes.update(Version::new(2), counted(item(2), "5", 5));
    changes.insert(item(3));
    let mut elsewhere = item(4);
    elsewhere.take = take_id(2);
    changes.insert(elsewhere.clone());
    let mut unknown = item(5);
    unknown.id = StockTakeItemId::new(Uuid::from_u128(1));
    changes.update(V1, unknown.clone());
    changes.insert(level(key(1), "1"));
    changes.event(event(1, key(1), 1));
    changes.entry(entry(1, &elsewhere));
    let line = |id| RecordKey::StockTakeItem(TAKE, id);
    let found = conflicts(&store, &changes).await;
    // Every part that was not as expected is told: the guards first, then the records by their keys.
    assert_eq!(
        found.get(..2),
        Some(
            &[
                Conflict::Epoch {
                    take: TAKE,
                    actual: Some(1)
                },
                Conflict::Epoch {
                    take: take_id(1),
                    actual: None
                },
            ][..]
        )
    );
    assert_eq!(found.len(), 6);
    for conflict in [
        Conflict::Stale {
            key: line(item(2).id),
            actual: V1,
        },
        Conflict::Exists(line(item(3).id)),
        Conflict::Missing(RecordKey::StockTake(take_id(2))),
        Conflict::Missing(line(unknown.id)),
    ] {
        assert!(found.contains(&conflict), "{conflict:?}");
    }
    assert_eq!(totals(&store).await.counted, 0);
    assert_eq!(store.levels(ORGANISATION, &[key(1)]).await.unwrap(), [None]);
    assert!(
        store
            .ledger(ORGANISATION, SITE, 0, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn c08_duplicate_event_late_in_batch_applies_nothing() {
    let store = shop(1).await;
    commit(&store, |it| it.event(event(1, key(1), 1))).await;
    for late in [
        vec![event(1, key(1), 9)],                      // the id
        vec![event(9, key(1), 1)],                      // the place
        vec![event(8, key(1), 8), event(8, key(2), 8)], // the id, among themselves
        vec![event(8, key(1), 8), event(9, key(1), 8)], // the place, among themselves
    ] {
        let mut changes = changes();
        changes.update(V1, counted(item(1), "5", 5));
        changes.event(event(7, key(2), 1));
        let last = late.last().unwrap().id;
        for event in late {
            changes.event(event);
        }
        assert_eq!(
            conflicts(&store, &changes).await,
            [Conflict::EventExists(last)]
        );
        assert_eq!(totals(&store).await.counted, 0);
        assert_eq!(
            store.ledger(ORGANISATION, SITE, 0, 9).await.unwrap().len(),
            1
        );
        assert_eq!(
            store.events(ORGANISATION, &[event_id(7)]).await.unwrap(),
            [None]
        );
    }
}

#[tokio::test]
async fn c09_guard_failure_applies_nothing() {
    let store = shop(1).await;
    let mut changes = changes();
    changes.guard(Guard::Epoch {
        take: TAKE,
        epoch: 2,
    });
    changes.update(V1, counted(item(1), "5", 5));
    changes.insert(level(key(1), "1"));
    let actual = Some(1);
    assert_eq!(
        conflicts(&store, &changes).await,
        [Conflict::Epoch { take: TAKE, actual }]
    );
    assert_eq!(totals(&store).await.counted, 0);
    assert_eq!(store.levels(ORGANISATION, &[key(1)]).await.unwrap(), [None]);
}

#[tokio::test]
async fn c11_c12_everything_commits_together_or_not_at_all() {
    let store = shop(1).await;
    commit(&store, |it| it.job(job(1, 0, 3))).await;
    let lease = store
        .lease("w", JobKind::ALL, at(1), at(9))
        .await
        .unwrap()
        .unwrap();
    let fill = |changes: &mut ChangeSet| {
        changes.update(V1, counted(item(1), "5", 5));
        changes.insert(level(key(1), "1"));
        changes.event(event(1, key(1), 1));
        changes.entry(entry(1, &item(1)));
        changes.job(job(2, 0, 3));
        let progress = Progress { done: 1, total: 2 };
        changes.progress(JobProgress {
            job: job_id(1),
            progress,
        });
        changes.ack(JobAck::Leased(lease.token));
    };
    let mut failing = changes();
    fill(&mut failing);
    failing.insert(site());
    assert_eq!(
        conflicts(&store, &failing).await,
        [Conflict::Exists(RecordKey::Site(SITE))]
    );
    let seen = async || {
        let command = store
            .command(ORGANISATION, &failing.command().id)
            .await
            .unwrap();
        let born = store.job(ORGANISATION, job_id(2)).await.unwrap();
        let worked = store.job(ORGANISATION, job_id(1)).await.unwrap().unwrap();
        let entries = store
            .count_entries(ORGANISATION, TAKE, item(1).id)
            .await
            .unwrap();
        let level = store.levels(ORGANISATION, &[key(1)]).await.unwrap();
        let ledger = store.ledger(ORGANISATION, SITE, 0, 9).await.unwrap();
        [
            command.is_some(),
            born.is_some(),
            worked.progress.done == 1,
            worked.finished_at.is_some(),
            !entries.is_empty(),
            level.iter().flatten().count() == 1,
            ledger.len() == 1,
            totals(&store).await.counted == 1,
        ]
    };
    assert_eq!(seen().await, [false; 8]);

    // A failed commit burns no key: the same command is good for the corrected change set.
    let mut changes = ChangeSet::new(ORGANISATION, failing.command().clone());
    fill(&mut changes);
    store.commit(&changes).await.unwrap();
    assert_eq!(seen().await, [true; 8]);
}

#[tokio::test]
async fn c13_stale_version_is_conflict_and_version_steps_by_one() {
    let store = shop(1).await;
    for n in 1_i64..5 {
        let version = Version::new(n.unsigned_abs());
        commit(&store, |it| it.update(version, counted(item(1), "1", n))).await;
        let mut changes = changes();
        changes.update(version, counted(item(1), "9", 9));
        let key = RecordKey::StockTakeItem(TAKE, item(1).id);
        let actual = version.next();
        assert_eq!(
            conflicts(&store, &changes).await,
            [Conflict::Stale { key, actual }]
        );
        assert_eq!(totals(&store).await.adjustment_minor, i128::from(n));
    }
    let site_key = RecordKey::Site(SITE);
    commit(&store, |it| it.update(V1, site())).await;
    let mut changes = changes();
    changes.update(V1, site());
    let actual = V1.next();
    assert_eq!(
        conflicts(&store, &changes).await,
        [Conflict::Stale {
            key: site_key,
            actual
        }]
    );
}

/// R8: guards don't contend with each other, an epoch's end is final, and the header's other changes
/// don't end it.
#[tokio::test]
async fn c20_epochs() {
    let store = shop(3).await;
    let guard = Guard::Epoch {
        take: TAKE,
        epoch: 1,
    };
    let count = |n: u64| {
        let mut changes = changes();
        changes.guard(guard);
        changes.update(V1, counted(item(n), "1", 1));
        changes
    };
    let (first, second, third) = (count(1), count(2), count(3));
    assert_eq!(store.commit(&first).await.unwrap(), CommitOutcome::Applied);
    let header = take(TAKE, 1);
    let words = header.update(header.details().clone(), &stamp(5)).unwrap();
    commit(&store, |it| it.update(V1, words.clone())).await;
    assert_eq!(store.commit(&second).await.unwrap(), CommitOutcome::Applied);
    let removed = words.remove(&stamp(6)).unwrap();
    commit(&store, |it| {
        it.guard(guard);
        it.update(V1.next(), removed);
    })
    .await;
    let actual = Some(2);
    assert_eq!(
        conflicts(&store, &third).await,
        [Conflict::Epoch { take: TAKE, actual }]
    );
    assert_eq!(totals(&store).await.counted, 2);
}

#[tokio::test]
async fn c22_a_dropped_commit_is_applied_or_not() {
    let store = shop(1).await;
    let mut changes = changes();
    changes.update(V1, counted(item(1), "5", 5));
    drop(store.commit(&changes));
    assert_eq!(totals(&store).await.counted, 0, "never polled");
    {
        let mut future = store.commit(&changes);
        let poll = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(poll, Poll::Ready(Ok(CommitOutcome::Applied))));
    }
    assert_eq!(totals(&store).await.counted, 1, "polled once");
    let again = store.commit(&changes).await.unwrap();
    assert_eq!(again, CommitOutcome::AlreadyApplied(Outcome::Done));
}

#[tokio::test]
async fn c23_read_your_writes_same_and_other_handle() {
    let store = shop(1).await;
    let other = store.clone();
    commit(&store, |it| it.update(V1, counted(item(1), "5", 5))).await;
    assert_eq!(totals(&other).await, totals(&store).await);
    assert_eq!(totals(&other).await.counted, 1);
    commit(&other, |it| it.job(job(1, 0, 1))).await;
    assert!(
        store
            .lease("w", JobKind::ALL, at(0), at(1))
            .await
            .unwrap()
            .is_some()
    );
}

/// R15.
#[tokio::test]
async fn a_change_set_of_the_largest_size_is_accepted() {
    let store = shop(0).await;
    let most = u64::try_from(ChangeSet::MAX_SIZE).unwrap();
    let mut changes = changes();
    for n in 1..=most / 2 {
        changes.insert(item(n));
        changes.event(event(u128::from(n), key(u128::from(n)), 1));
    }
    assert_eq!(changes.size(), ChangeSet::MAX_SIZE);
    let mut larger = ChangeSet::new(ORGANISATION, command("larger", "x"));
    for n in 1..=most + 1 {
        larger.event(event(u128::from(n), key(1), n));
    }
    let error = store.commit(&larger).await.unwrap_err();
    assert!(matches!(error, CommitError::TooLarge { limit } if limit == ChangeSet::MAX_SIZE));
    assert_eq!(
        store.commit(&changes).await.unwrap(),
        CommitOutcome::Applied
    );
    assert_eq!(totals(&store).await.items, most / 2);
    let known = store.command(ORGANISATION, &larger.command().id).await;
    assert!(known.unwrap().is_none());
}

/// R3, of the marks of serial numbers, and which of them are read.
#[tokio::test]
async fn marks_of_serial_numbers() {
    let store = shop(0).await;
    let mark = |serial: &str, product: Option<u128>, of: u128| SerialMark {
        serial: code(serial),
        product: product.map(product_id),
        key: key(of).with_serial(code(serial)),
    };
    let all = [
        mark("a", None, 1),
        mark("a", Some(1), 1),
        mark("a", Some(2), 2),
        mark("b", Some(1), 1),
    ];
    commit(&store, |it| {
        all.iter().cloned().for_each(|mark| it.insert(mark));
    })
    .await;
    let read = async |serials: &[&str], products: &[u128]| {
        let serials = serials.iter().map(|text| code(text)).collect();
        let products = products.iter().copied().map(product_id).collect();
        let marks = store.serial_marks(ORGANISATION, &serials, &products).await;
        let marks = marks.unwrap().into_iter();
        marks
            .map(|mark| (mark.value, mark.version.get()))
            .collect::<Vec<_>>()
    };
    let of = |which: &[usize]| {
        which
            .iter()
            .map(|at| (all[*at].clone(), 1))
            .collect::<Vec<_>>()
    };
    assert_eq!(read(&["a", "b", "c"], &[]).await, of(&[0, 1, 2, 3]));
    assert_eq!(read(&["a"], &[2]).await, of(&[0, 2]));
    assert_eq!(read(&["b"], &[2]).await, []);
    assert_eq!(read(&[], &[]).await, []);
    let marks = store
        .serial_marks(STRANGER, &[code("a")].into(), &[].into())
        .await;
    assert_eq!(marks.unwrap(), []);

    let name = DeletableKey::SerialMark(code("a"), Some(product_id(1)));
    let refused = async |write: &dyn Fn(&mut ChangeSet)| {
        let mut changes = changes();
        write(&mut changes);
        conflicts(&store, &changes).await
    };
    let second = refused(&|it| it.insert(mark("a", Some(1), 3))).await;
    assert_eq!(second, [Conflict::Exists(name.clone().into())]);
    commit(&store, |it| it.update(V1, mark("a", Some(1), 3))).await;
    assert_eq!(read(&["a"], &[1]).await[1], (mark("a", Some(1), 3), 2));
    commit(&store, |it| it.delete(V1.next(), name.clone())).await;
    let missing = refused(&|it| it.delete(V1.next(), name.clone())).await;
    assert_eq!(missing, [Conflict::Missing(name.into())]);
    commit(&store, |it| it.insert(mark("a", Some(1), 1))).await;
    assert_eq!(read(&["a"], &[1]).await[1], (mark("a", Some(1), 1), 1));
}

/// R17, as the names are after the commit.
#[tokio::test]
async fn unique_names() {
    let store = shop(0).await;
    let named = |n: u128, name: &str| {
        let mut product = product(n);
        product.article_id = code(name);
        Arc::new(product)
    };
    let taken = |n: u128| Conflict::Taken(RecordKey::Product(product_id(n)));
    commit(&store, |it| {
        it.insert(named(1, "a"));
        it.insert(named(2, "b"));
    })
    .await;

    let mut insert = changes();
    insert.insert(named(3, "a"));
    assert_eq!(conflicts(&store, &insert).await, [taken(3)]);
    let mut update = changes();
    update.update(V1, named(2, "a"));
    assert_eq!(conflicts(&store, &update).await, [taken(2)]);
    let mut two = changes();
    two.insert(named(3, "c"));
    two.insert(named(4, "c"));
    assert_eq!(conflicts(&store, &two).await, [taken(4)]);
    let mut other_site = site();
    other_site.id = stocktake::domain::SiteId::new(Uuid::from_u128(9));
    let mut site_too = changes();
    site_too.insert(other_site.clone());
    let key = RecordKey::Site(other_site.id);
    assert_eq!(conflicts(&store, &site_too).await, [Conflict::Taken(key)]);

    let holders = async || {
        let wanted = ["a", "b", "c"].map(code);
        let found = store.products_by_article(ORGANISATION, &wanted).await;
        found
            .unwrap()
            .into_iter()
            .map(|it| it.map(|it| it.value.id.as_uuid().as_u128()))
            .collect::<Vec<_>>()
    };
    // Two may swap, and a name that is given up is free, also within one commit.
    commit(&store, |it| {
        it.update(V1, named(1, "b"));
        it.update(V1, named(2, "a"));
    })
    .await;
    assert_eq!(holders().await, [Some(2), Some(1), None]);
    commit(&store, |it| it.update(V1.next(), named(1, "c"))).await;
    assert_eq!(holders().await, [Some(2), None, Some(1)]);
    commit(&store, |it| {
        it.update(V1.next(), named(2, "b"));
        it.insert(named(3, "a"));
    })
    .await;
    assert_eq!(holders().await, [Some(3), Some(2), Some(1)]);
}

#[tokio::test]
async fn a_lost_lease_comes_before_conflicts_and_after_size() {
    let store = shop(1).await;
    let token = LeaseToken {
        organisation: ORGANISATION,
        job: job_id(1),
        attempt: 1,
    };
    let mut changes = changes();
    changes.insert(site());
    changes.ack(JobAck::Leased(token));
    let error = store.commit(&changes).await.unwrap_err();
    assert!(matches!(error, CommitError::LeaseLost(id) if id == job_id(1)));
}

#[test]
fn debug_shows_no_data() {
    assert_eq!(format!("{:?}", MemoryStore::new()), "MemoryStore { .. }");
}
