//! C37 to C42: rows of another organisation do not exist.

use std::sync::Arc;

use stocktake::domain::StockTakeState;
use stocktake::store::{
    ArticleFilter, ArticleSort, CommitError, Conflict, Cursor, DeletableKey, Guard, JobAck,
    JobKind, JobQueue, LevelFilter, PageRequest, RecordKey, Repository, RepositoryExt,
    StockTakeFilter, StockTakeItemFilter, StockTakeTotals, StoreErrorKind,
};

use super::fixtures::*;

#[tokio::test]
async fn c37_c38_foreign_reads_give_nothing() {
    let store = shop(2).await;
    commit(&store, |it| {
        it.insert(supplier(1));
        it.insert(level(key(1), "1"));
        it.event(event(1, key(1), 1));
        it.entry(entry(1, &item(1)));
        it.job(job(1, 0, 1));
    })
    .await;
    let lease = store
        .lease("w", JobKind::ALL, at(1), at(2))
        .await
        .unwrap()
        .unwrap();
    store.fail(lease.token, "no", at(1), None).await.unwrap();
    let who = STRANGER;
    assert_eq!(store.site(who, SITE).await.unwrap(), None);
    let external_id = code("store-1");
    assert_eq!(
        store.site_by_external_id(who, &external_id).await.unwrap(),
        None
    );
    assert_eq!(store.products(who, &[product_id(1)]).await.unwrap(), [None]);
    let article = [code("SKU-1")];
    assert_eq!(
        store.products_by_article(who, &article).await.unwrap(),
        [None]
    );
    assert_eq!(store.supplier(who, supplier(1).id).await.unwrap(), None);
    assert_eq!(store.levels(who, &[key(1)]).await.unwrap(), [None]);
    assert!(
        store
            .events_after(who, &[(key(1), 0)])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.events(who, &[event_id(1)]).await.unwrap(), [None]);
    assert!(store.ledger(who, SITE, 0, 9).await.unwrap().is_empty());
    assert_eq!(store.stock_take(who, TAKE).await.unwrap(), None);
    assert_eq!(
        store.counting_view(who, TAKE, &[item(1).id]).await.unwrap(),
        None
    );
    assert!(
        store
            .count_entries(who, TAKE, item(1).id)
            .await
            .unwrap()
            .is_empty()
    );
    let ids = [item(1).id];
    assert!(
        store
            .stock_take_item_ids(who, TAKE, &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.job(who, job_id(1)).await.unwrap(), None);
    assert!(!store.requeue(who, job_id(1), at(0)).await.unwrap());
    let items = StockTakeItemFilter::default();
    let totals = store.stock_take_totals(who, TAKE, &items).await.unwrap();
    assert_eq!(totals, StockTakeTotals::default());

    let page = PageRequest::first(9).counted();
    let sort = ArticleSort::default();
    let nothing = (0, Some(0), None);
    let seen = store.dead_jobs(who, &page).await.unwrap();
    assert_eq!((seen.items.len(), seen.total, seen.next), nothing);
    let seen = store
        .stock_takes(who, SITE, &StockTakeFilter::default(), &page)
        .await
        .unwrap();
    assert_eq!((seen.items.len(), seen.total, seen.next), nothing);
    let seen = store
        .stock_take_items(who, TAKE, &items, sort, &page)
        .await
        .unwrap();
    assert_eq!((seen.items.len(), seen.total, seen.next), nothing);
    let seen = store
        .levels_page(who, SITE, &LevelFilter::default(), &page)
        .await
        .unwrap();
    assert_eq!((seen.items.len(), seen.total, seen.next), nothing);
    let seen = store
        .articles(who, SITE, &ArticleFilter::default(), sort, &page)
        .await
        .unwrap();
    assert_eq!((seen.items.len(), seen.total, seen.next), nothing);
}

#[tokio::test]
async fn c39_foreign_writes_conflict_as_with_an_unused_id() {
    let store = shop(1).await;
    commit(&store, |it| {
        it.insert(level(key(1), "1"));
        it.insert(supplier(1));
        it.job(job(1, 0, 1));
    })
    .await;
    let mut changes = changes_of(STRANGER);
    changes.guard(Guard::Epoch {
        take: TAKE,
        epoch: 1,
    });
    changes.update(V1, site());
    changes.update(V1, Arc::new(product(1)));
    changes.update(V1, supplier(1));
    changes.update(V1, take(TAKE, 1));
    changes.update(V1, counted(item(1), "1", 1));
    changes.update(V1, level(key(1), "2"));
    changes.ack(JobAck::Settled(job_id(1)));
    let epoch = Conflict::Epoch {
        take: TAKE,
        actual: None,
    };
    let missing = changes
        .parts()
        .writes
        .keys()
        .cloned()
        .map(Conflict::Missing);
    let expected: Vec<_> = std::iter::once(epoch).chain(missing).collect();
    assert_eq!(conflicts(&store, &changes).await, expected);
    assert_eq!(totals(&store).await.counted, 0);

    let mut line = changes_of(STRANGER);
    line.insert(item(2));
    let missing = Conflict::Missing(RecordKey::StockTake(TAKE));
    assert_eq!(
        conflicts(&store, &line).await,
        std::slice::from_ref(&missing)
    );
    let mut delete = changes_of(STRANGER);
    let line_key = RecordKey::StockTakeItem(TAKE, item(1).id);
    delete.delete(V1, DeletableKey::StockTakeItem(TAKE, item(1).id));
    assert_eq!(
        conflicts(&store, &delete).await,
        [Conflict::Missing(line_key)]
    );
    let mut entered = changes_of(STRANGER);
    entered.entry(entry(1, &item(1)));
    assert_eq!(conflicts(&store, &entered).await, [missing]);

    // Settling a job of somebody else's is settling none.
    let mut settle = changes_of(STRANGER);
    settle.ack(JobAck::Settled(job_id(1)));
    store.commit(&settle).await.unwrap();
    let lease = store
        .lease("w", JobKind::ALL, at(1), at(2))
        .await
        .unwrap()
        .unwrap();
    let mut ack = changes_of(STRANGER);
    ack.ack(JobAck::Leased(lease.token));
    let error = store.commit(&ack).await.unwrap_err();
    assert!(matches!(error, CommitError::LeaseLost(_)));
    store.ack(lease.token, at(1)).await.unwrap();
}

#[tokio::test]
async fn c40_item_under_wrong_parent_is_none() {
    let store = shop(1).await;
    let other = take_id(1);
    commit(&store, |it| it.insert(take(other, 2))).await;
    let id = item(1).id;
    let view = store.counting_view(ORGANISATION, other, &[id]).await;
    assert_eq!(view.unwrap().unwrap().lines, [None]);
    assert!(
        store
            .count_entries(ORGANISATION, other, id)
            .await
            .unwrap()
            .is_empty()
    );
    let ids = store
        .stock_take_item_ids(ORGANISATION, other, &[id])
        .await
        .unwrap();
    assert!(ids.is_empty());
    let mut moved = item(1);
    moved.take = other;
    let mut changes = changes();
    changes.update(V1, moved);
    let key = RecordKey::StockTakeItem(other, id);
    assert_eq!(conflicts(&store, &changes).await, [Conflict::Missing(key)]);
}

#[tokio::test]
async fn c41_same_id_in_two_organisations_coexist() {
    let store = shop(2).await;
    let mut changes = changes_of(STRANGER);
    let mut site = site();
    site.name = label("Elsewhere");
    changes.insert(site);
    changes.insert(take(TAKE, 3));
    changes.insert(counted(item(1), "1", 5));
    changes.insert(Arc::new(product(1)));
    changes.event(event(1, key(1), 1));
    changes.job(job(1, 0, 1));
    store.commit(&changes).await.unwrap();
    commit(&store, |it| it.job(job(1, 0, 1))).await;
    let all = StockTakeItemFilter::default();
    let theirs = store.stock_take_totals(STRANGER, TAKE, &all).await.unwrap();
    assert_eq!((theirs.items, theirs.counted), (1, 1));
    let ours = totals(&store).await;
    assert_eq!((ours.items, ours.counted), (2, 0));
    let site = store.site(ORGANISATION, SITE).await.unwrap().unwrap();
    assert_eq!(site.value.name, label("High Street"));

    // Each has its own job, though the ids are the same.
    let first = store
        .lease("w", JobKind::ALL, at(1), at(5))
        .await
        .unwrap()
        .unwrap();
    let second = store
        .lease("w", JobKind::ALL, at(1), at(5))
        .await
        .unwrap()
        .unwrap();
    assert_ne!(first.token.organisation, second.token.organisation);
    store.ack(first.token, at(2)).await.unwrap();
    let other = store
        .job(second.token.organisation, job_id(1))
        .await
        .unwrap();
    assert_eq!(other.unwrap().finished_at, None);
}

#[tokio::test]
async fn c42_cursor_of_another_list_is_invalid() {
    let store = shop(5).await;
    commit(&store, |it| {
        for n in 1..=5 {
            it.insert(level(key(n), "1"));
        }
        it.insert(take(take_id(1), 2));
        it.insert(take(take_id(2), 3));
    })
    .await;
    let all = StockTakeItemFilter::default();
    let by_status = StockTakeItemFilter {
        status: stocktake::domain::CountStatus::Uncounted,
        ..all.clone()
    };
    let line = ArticleSort::default();
    let by_name = ArticleSort {
        column: stocktake::store::ArticleColumn::Name,
        descending: false,
    };
    let falling = ArticleSort {
        descending: true,
        ..by_name
    };
    let first = PageRequest::first(1);
    let lines =
        async |organisation, take, filter: &StockTakeItemFilter, sort, page: &PageRequest| {
            store
                .stock_take_items(organisation, take, filter, sort, page)
                .await
        };
    let cursor = lines(ORGANISATION, TAKE, &all, line, &first)
        .await
        .unwrap()
        .next
        .unwrap();
    let after = PageRequest::after(cursor.clone(), 1);
    assert_eq!(
        lines(ORGANISATION, TAKE, &all, line, &after)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let named = lines(ORGANISATION, TAKE, &all, by_name, &first)
        .await
        .unwrap()
        .next
        .unwrap();
    let named = PageRequest::after(named, 1);
    for refused in [
        lines(STRANGER, TAKE, &all, line, &after).await,
        lines(ORGANISATION, take_id(1), &all, line, &after).await,
        lines(ORGANISATION, TAKE, &by_status, line, &after).await,
        lines(ORGANISATION, TAKE, &all, by_name, &after).await,
        lines(ORGANISATION, TAKE, &all, falling, &named).await,
        lines(ORGANISATION, TAKE, &all, line, &named).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);
    }
    let levels = LevelFilter::default();
    let refused = store.levels_page(ORGANISATION, SITE, &levels, &after).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);
    let refused = store.dead_jobs(ORGANISATION, &after).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);
    let any = StockTakeFilter::default();
    let takes = store
        .stock_takes(ORGANISATION, SITE, &any, &first)
        .await
        .unwrap();
    let takes = PageRequest::after(takes.next.unwrap(), 1);
    assert!(
        store
            .stock_takes(ORGANISATION, SITE, &any, &takes)
            .await
            .is_ok()
    );
    let removed = StockTakeFilter {
        states: [StockTakeState::Removed].into(),
    };
    let refused = store
        .stock_takes(ORGANISATION, SITE, &removed, &takes)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);
    let articles = ArticleFilter::default();
    let refused = store
        .articles(ORGANISATION, SITE, &articles, line, &after)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);

    let rising = ArticleSort {
        column: stocktake::store::ArticleColumn::Stock,
        descending: false,
    };
    let sorted = store
        .articles(ORGANISATION, SITE, &articles, rising, &first)
        .await
        .unwrap();
    let after_article = PageRequest::after(sorted.next.unwrap(), 1);
    let refused = store
        .articles(ORGANISATION, SITE, &articles, falling, &after_article)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);
    let other_way = ArticleSort {
        descending: true,
        ..rising
    };
    let refused = store
        .articles(ORGANISATION, SITE, &articles, other_way, &after_article)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);

    // One that points into another site.
    let elsewhere = |cursor: Cursor| {
        let text = cursor
            .as_str()
            .replace(&SITE.to_string(), &uuid::Uuid::nil().to_string());
        assert_ne!(text, cursor.as_str());
        PageRequest::after(text.into(), 1)
    };
    let page = store.levels_page(ORGANISATION, SITE, &levels, &first).await;
    let altered = elsewhere(page.unwrap().next.unwrap());
    let refused = store
        .levels_page(ORGANISATION, SITE, &levels, &altered)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);
    let page = store
        .articles(ORGANISATION, SITE, &articles, line, &first)
        .await;
    let altered = elsewhere(page.unwrap().next.unwrap());
    let refused = store
        .articles(ORGANISATION, SITE, &articles, line, &altered)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidCursor);

    // Altered ones.
    for altered in [
        String::new(),
        "x".to_owned(),
        cursor.as_str().replace('.', ""),
        format!("{}x", cursor.as_str()),
        format!("{}.1", cursor.as_str()),
        cursor.as_str().replace(".1.", ".-1."),
    ] {
        let page = PageRequest::after(altered.clone().into(), 1);
        let refused = lines(ORGANISATION, TAKE, &all, line, &page).await;
        assert_eq!(
            refused.unwrap_err().kind(),
            StoreErrorKind::InvalidCursor,
            "{altered}"
        );
    }
}
