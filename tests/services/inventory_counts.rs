//! Inventory counts through the service, row by row of S2. Each test is named by the row it shows.

use std::sync::Arc;

use stocktake::domain::{CountType, InventoryCountState, NamePart, ProductId, StockKey, Tracking};
use stocktake::service::access::Operation;
use stocktake::service::{
    Caller, Error, ErrorKind, InventoryCountSummary, Movement, NewCountItem, StockName,
};
use stocktake::store::{InventoryCountFilter, InventoryCountItemFilter, JobState, PageRequest};
use stocktake::testing::shop;
use uuid::Uuid;

use crate::counting::{
    APPLY, KEEP, add_product, all_items, assert_sound, at, complete, count, counter, found, items,
    keyed, manager, named, opened, q, receipt, record, sale, started,
};

// S2.1

#[tokio::test]
async fn s2_1_get_tells_status_times_and_totals_before_and_after() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let new = counts.get(&counter(&shop), on.id()).await.unwrap();
    assert_eq!(new.count.state(), InventoryCountState::InProgress);
    assert_eq!(new.count.details().kind, CountType::Cycle);
    assert_eq!((new.totals.items(), new.totals.accuracy()), (0, None));

    // 2 of 1.50 are missing, 3 of 2.50 are too many, one product is right.
    count(&shop, &on, 0, "38").await;
    count(&shop, &on, 1, "43").await;
    count(&shop, &on, 2, "40").await;
    shop.clock.advance_seconds(60);
    let before = counts.get(&manager(&shop), on.id()).await.unwrap();
    let after = complete(&shop, &on, APPLY).await.unwrap();
    for totals in [before.totals, after.totals] {
        assert_eq!((totals.items(), totals.discrepancies()), (3, 2));
        assert_eq!((totals.missing_minor(), totals.excess_minor()), (300, 750));
        assert_eq!(totals.net_minor(), 450);
    }
    assert_eq!(after.count.state(), InventoryCountState::Completed);
    assert_eq!(after.count.completed_at(), Some(shop.now()));
    assert!(after.count.started_at() < shop.now());
    assert_eq!(counts.get(&manager(&shop), on.id()).await.unwrap(), after);
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_1_list_is_the_oldest_first_paged_and_filtered() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let mut ids = Vec::new();
    for number in 0..4 {
        shop.clock.advance_seconds(60);
        let on = started(&shop).await;
        ids.push(on.id());
        match number {
            3 => {}
            2 => drop(counts.cancel(&manager(&shop), on.id()).await.unwrap()),
            _ => drop(complete(&shop, &on, KEEP).await.unwrap()),
        }
    }
    let list = async |filter: InventoryCountFilter, page: PageRequest| {
        counts
            .list(&manager(&shop), shop.site.id, &filter, &page)
            .await
            .unwrap()
    };
    let of = |page: &stocktake::store::Page<InventoryCountSummary>| {
        let ids: Vec<_> = page
            .items
            .iter()
            .map(|summary| summary.count.id())
            .collect();
        ids
    };
    let first = list(
        InventoryCountFilter::default(),
        PageRequest::first(3).counted(),
    )
    .await;
    assert_eq!((of(&first), first.total), (ids[..3].to_vec(), Some(4)));
    let rest = PageRequest::after(first.next.unwrap(), 3);
    assert_eq!(
        of(&list(InventoryCountFilter::default(), rest).await),
        &ids[3..]
    );
    for (states, expected) in [
        (vec![InventoryCountState::InProgress], &ids[3..]),
        (vec![InventoryCountState::Cancelled], &ids[2..3]),
        (vec![InventoryCountState::Completed], &ids[..2]),
    ] {
        let filter = InventoryCountFilter {
            states: states.into_iter().collect(),
            ..InventoryCountFilter::default()
        };
        assert_eq!(of(&list(filter, PageRequest::first(10)).await), expected);
    }
    // From the start of the last one on; to is exclusive.
    let now = Some(shop.now());
    let from = InventoryCountFilter {
        from: now,
        ..InventoryCountFilter::default()
    };
    let to = InventoryCountFilter {
        to: now,
        ..InventoryCountFilter::default()
    };
    assert_eq!(of(&list(from, PageRequest::first(10)).await), &ids[3..]);
    assert_eq!(of(&list(to, PageRequest::first(10)).await), &ids[..3]);
}

// S2.2

#[tokio::test]
async fn s2_2_only_managers_start_complete_and_cancel() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let table = [
        (&shop.viewer, "forbidden"),
        (&shop.counter, "forbidden"),
        (&shop.elsewhere, "not_found"),
        (&shop.stranger, "not_found"),
    ];
    for (actor, code) in table {
        let caller = Caller::of(actor);
        let start = counts.start(&caller, shop.site.id, named("Mine")).await;
        let complete = counts.complete(&caller, on.id(), APPLY, None).await;
        let queued = counts.queue_completion(&caller, on.id(), APPLY, None).await;
        let cancel = counts.cancel(&caller, on.id()).await;
        assert_eq!(start.unwrap_err().code(), code);
        assert_eq!(complete.unwrap_err().code(), code);
        assert_eq!(queued.unwrap_err().code(), code);
        assert_eq!(cancel.unwrap_err().code(), code);
    }
    let nobody = Caller::nobody();
    let start = counts.start(&nobody, shop.site.id, named("Mine")).await;
    assert_eq!(start.unwrap_err().kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn s2_2_a_machine_runs_counts_and_approves_no_adjustment() {
    let shop = opened().await;
    let (counts, machine) = (shop.stocktake.inventory_counts(), Caller::of(&shop.service));
    let on = counts.start(&machine, shop.site.id, named("Night")).await;
    let on = on.unwrap().id();
    let applied = counts.complete(&machine, on, APPLY, None).await;
    let queued = counts.queue_completion(&machine, on, APPLY, None).await;
    for refused in [applied.map(drop), queued.map(drop)] {
        assert!(matches!(
            refused.unwrap_err(),
            Error::Forbidden {
                operation: Operation::ApplyCount
            }
        ));
    }
    let kept = counts.complete(&machine, on, KEEP, None).await.unwrap();
    assert_eq!(kept.count.state(), InventoryCountState::Completed);
    let next = counts.start(&machine, shop.site.id, named("Next")).await;
    counts.cancel(&machine, next.unwrap().id()).await.unwrap();
}

#[tokio::test]
async fn s2_2_a_site_has_one_count_in_progress() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let first = started(&shop).await;
    let second = counts
        .start(&manager(&shop), shop.site.id, named("Second"))
        .await
        .unwrap_err();
    assert_eq!(second.code(), "count_in_progress");
    assert_eq!(second.kind(), ErrorKind::Conflict);

    // Also while it is completing.
    let job = counts
        .queue_completion(&manager(&shop), first.id(), KEEP, None)
        .await
        .unwrap();
    let locked = counts
        .start(&manager(&shop), shop.site.id, named("Second"))
        .await
        .unwrap_err();
    assert_eq!(locked.code(), "count_in_progress");
    shop.run_jobs().await.unwrap();
    let job = shop.stocktake.job(&manager(&shop), job).await.unwrap();
    assert_eq!(job.state, JobState::Succeeded);
    started(&shop).await;
}

#[tokio::test]
async fn s2_2_another_site_counts_on_its_own() {
    let shop = opened().await;
    started(&shop).await;
    let elsewhere = Caller::of(&shop.elsewhere);
    let stocktake::domain::SiteAccess::Only(sites) = &shop.elsewhere.sites else {
        panic!("the manager elsewhere sees one site");
    };
    let mut site = shop.site.clone();
    site.id = *sites.first().unwrap();
    site.external_id = "store-2".parse().unwrap();
    let catalogue = shop.stocktake.catalogue();
    catalogue.put_site(&elsewhere, site.clone()).await.unwrap();
    let counts = shop.stocktake.inventory_counts();
    let there = counts
        .start(&elsewhere, site.id, named("There"))
        .await
        .unwrap();
    let unseen = counts.get(&manager(&shop), there.id()).await.unwrap_err();
    assert_eq!(unseen.code(), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s2_2_two_starts_at_the_same_instant() {
    let shop = Arc::new(opened().await);
    for _ in 0..10 {
        let starts: Vec<_> = (0..8)
            .map(|number| {
                let shop = shop.clone();
                tokio::spawn(async move {
                    let counts = shop.stocktake.inventory_counts();
                    let name = named(&format!("Count {number}"));
                    counts.start(&manager(&shop), shop.site.id, name).await
                })
            })
            .collect();
        let mut won = Vec::new();
        for start in starts {
            match start.await.unwrap() {
                Ok(count) => won.push(count),
                Err(error) => assert_eq!(error.code(), "count_in_progress"),
            }
        }
        let [winner] = won.as_slice() else {
            panic!("{} counts were started", won.len());
        };
        let counts = shop.stocktake.inventory_counts();
        counts.cancel(&manager(&shop), winner.id()).await.unwrap();
    }
}

// S2.3

#[tokio::test]
async fn s2_3_a_count_is_compared_with_the_book() {
    let shop = opened().await;
    let on = started(&shop).await;
    let missing = count(&shop, &on, 0, "38").await;
    assert_eq!(missing.system_quantity(), q("40"));
    assert_eq!(missing.variance.quantity(), q("-2"));
    assert_eq!(missing.variance.minor(), -300);
    assert_eq!(missing.counted.by, shop.counter.user.id);
    assert!(!missing.significant);
    let right = count(&shop, &on, 1, "40").await;
    assert!(!right.variance.is_discrepancy());
    let nothing = count(&shop, &on, 2, "0").await;
    assert_eq!(nothing.variance.quantity(), q("-40"));
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("40"));
}

#[tokio::test]
async fn s2_3_counting_again_replaces_the_line_and_keeps_the_history() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let first = count(&shop, &on, 0, "30").await;
    shop.clock.advance_seconds(5);
    record(&shop, sale(&shop, 0, "4")).await;
    let again = found(&shop, 0, "36").because("behind the door".parse().unwrap());
    let again = counts.count(&manager(&shop), on.id(), again).await.unwrap();
    assert_eq!(again.id, first.id);
    assert_eq!(again.system_quantity(), q("36"));
    assert!(!again.variance.is_discrepancy());
    assert_eq!(all_items(&shop, &on).await, [again]);
    let entries = counts
        .entries(&manager(&shop), on.id(), first.id)
        .await
        .unwrap();
    let kept: Vec<_> = entries
        .iter()
        .map(|entry| (entry.counted, entry.book, entry.by))
        .collect();
    assert_eq!(
        kept,
        [
            (q("30"), q("40"), shop.counter.user.id),
            (q("36"), q("36"), shop.manager.user.id)
        ]
    );
    assert_eq!(
        entries[1].reason.as_ref().unwrap().as_str(),
        "behind the door"
    );
}

#[tokio::test]
async fn s2_3_a_discrepancy_over_the_limits_is_flagged_and_exactly_at_them_is_not() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let cheap = add_product(&shop, 1, "0.01", Tracking::None).await;
    let dear = add_product(&shop, 2, "250", Tracking::None).await;
    let table = [
        (cheap, "50", false),
        (cheap, "50.000001", true),
        (dear, "2", false),
        (dear, "2.000001", true),
        (dear, "0", false),
    ];
    for (product, quantity, significant) in table {
        let item = NewCountItem::of(product, q(quantity));
        let item = counts.count(&counter(&shop), on.id(), item).await.unwrap();
        assert_eq!(item.significant, significant, "{quantity} of {product}");
    }
    // The same below the book.
    record(&shop, receipt(&StockKey::plain(shop.site.id, cheap), "100")).await;
    for (quantity, significant) in [("50", false), ("49.999999", true)] {
        let item = NewCountItem::of(cheap, q(quantity));
        let item = counts.count(&counter(&shop), on.id(), item).await.unwrap();
        assert_eq!(item.significant, significant, "{quantity}");
    }
}

#[tokio::test]
async fn s2_3_the_limits_are_the_sites_policy() {
    let mut shop = shop();
    shop.site.policy.approval.quantity = q("1");
    shop.open().await.unwrap();
    let on = started(&shop).await;
    assert!(!count(&shop, &on, 0, "41").await.significant);
    assert!(count(&shop, &on, 0, "42").await.significant);
}

#[tokio::test]
async fn s2_3_batches_are_lines_of_their_own_and_an_ambiguous_product_is_refused() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let product = add_product(&shop, 1, "2", Tracking::Batch).await;
    let caller = counter(&shop);
    let try_count = async |item: NewCountItem| counts.count(&caller, on.id(), item).await;
    let batch = |batch: &str| StockName {
        batch: NamePart::Is(batch.parse().unwrap()),
        ..StockName::of(product)
    };

    // Nothing is there: the batch must be named.
    let unnamed = try_count(NewCountItem::of(product, q("1"))).await;
    assert_eq!(unnamed.unwrap_err().code(), "batch_required");
    let plain = StockKey::plain(shop.site.id, product);
    let a = plain.clone().in_batch("A".parse().unwrap());
    let b = plain.clone().in_batch("B".parse().unwrap());
    record(&shop, receipt(&a, "10")).await;
    // One is there: it is meant.
    let only = try_count(NewCountItem::of(product, q("9"))).await.unwrap();
    assert_eq!(only.key, a);
    record(&shop, receipt(&b, "20")).await;
    let several = try_count(NewCountItem::of(product, q("9")))
        .await
        .unwrap_err();
    assert_eq!(several.code(), "ambiguous_stock");
    assert_eq!(several.kind(), ErrorKind::Invalid);
    assert!(
        several.to_string().contains("batch A; batch B"),
        "{several}"
    );
    let named = try_count(NewCountItem::of(batch("B"), q("21")))
        .await
        .unwrap();
    assert_eq!((&named.key, named.variance.quantity()), (&b, q("1")));
    // A batch that the book has never seen, and a shelf that is named in full.
    let new = try_count(NewCountItem::of(batch("C"), q("3")))
        .await
        .unwrap();
    assert_eq!(new.system_quantity(), q("0"));
    let shelf = a.clone().at("A-01".parse().unwrap());
    let at_shelf = try_count(NewCountItem::of(shelf.clone(), q("5")))
        .await
        .unwrap();
    assert_eq!(at_shelf.key, shelf);
    assert_eq!(all_items(&shop, &on).await.len(), 4);

    complete(&shop, &on, APPLY).await.unwrap();
    let c = plain.in_batch("C".parse().unwrap());
    for (key, quantity) in [(a, "9"), (b, "21"), (c, "3"), (shelf, "5")] {
        assert_eq!(shop.on_hand(&key).await.unwrap(), q(quantity));
    }
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_3_the_only_stock_place_is_meant_and_a_delisted_one_is_none() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let product = add_product(&shop, 1, "2", Tracking::None).await;
    let plain = StockKey::plain(shop.site.id, product);
    let shelf = plain.clone().at("A-01".parse().unwrap());
    record(&shop, receipt(&shelf, "10")).await;
    let item = NewCountItem::of(product, q("9"));
    let line = counts
        .count(&counter(&shop), on.id(), item.clone())
        .await
        .unwrap();
    assert_eq!(line.key, shelf);
    record(&shop, Movement::Remove { key: shelf }).await;
    let line = counts.count(&counter(&shop), on.id(), item).await.unwrap();
    assert_eq!(line.key, plain);
}

#[tokio::test]
async fn s2_3_bad_requests_are_refused_and_leave_nothing() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let serial = add_product(&shop, 1, "2", Tracking::Serial).await;
    let unknown = ProductId::new(Uuid::from_u128(77));
    let number = StockName {
        serial: NamePart::Is("S1".parse().unwrap()),
        ..StockName::of(serial)
    };
    let mut other_site = shop.key(0);
    other_site.site = stocktake::domain::SiteId::new(Uuid::from_u128(99));
    let table = [
        (NewCountItem::of(unknown, q("1")), "unknown_product"),
        (found(&shop, 0, "-1"), "negative_count"),
        (NewCountItem::of(serial, q("1")), "serial_required"),
        (NewCountItem::of(number, q("2")), "serial_conflict"),
        (NewCountItem::of(other_site, q("1")), "another_site"),
    ];
    for (item, code) in table {
        let refused = counts.count(&counter(&shop), on.id(), item).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), code);
        assert_eq!(refused.kind().status(), 422);
    }
    assert!(all_items(&shop, &on).await.is_empty());
}

#[tokio::test]
async fn s2_3_who_may_count() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    for actor in [&shop.counter, &shop.manager, &shop.service] {
        let item = found(&shop, 0, "40");
        let line = counts.count(&Caller::of(actor), on.id(), item).await;
        assert!(line.is_ok());
    }
    let table = [
        (&shop.viewer, "forbidden"),
        (&shop.elsewhere, "not_found"),
        (&shop.stranger, "not_found"),
    ];
    for (actor, code) in table {
        // The right is asked before the request.
        let refused = counts
            .count(&Caller::of(actor), on.id(), found(&shop, 0, "-1"))
            .await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let (line, caller) = (all_items(&shop, &on).await, Caller::of(&shop.stranger));
    let line = line[0].id;
    let filter = InventoryCountItemFilter::default();
    let page = PageRequest::first(10);
    let refusals = [
        counts.get(&caller, on.id()).await.err(),
        counts.items(&caller, on.id(), &filter, &page).await.err(),
        counts.item(&caller, on.id(), line).await.err(),
        counts.entries(&caller, on.id(), line).await.err(),
    ];
    for refused in refusals {
        assert_eq!(refused.unwrap().code(), "not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s2_3_counters_on_one_line_lose_no_entry() {
    let shop = Arc::new(opened().await);
    let on = started(&shop).await;
    let counting: Vec<_> = (0..24)
        .map(|number: usize| {
            let (shop, on) = (shop.clone(), on.clone());
            tokio::spawn(async move { count(&shop, &on, number % 2, &number.to_string()).await })
        })
        .collect();
    let mut lines = Vec::new();
    for line in counting {
        lines.push(line.await.unwrap());
    }
    let there = all_items(&shop, &on).await;
    assert_eq!(there.len(), 2);
    let counts = shop.stocktake.inventory_counts();
    for line in there {
        let entries = counts
            .entries(&manager(&shop), on.id(), line.id)
            .await
            .unwrap();
        assert_eq!(entries.len(), 12);
        assert_eq!(entries.last().unwrap().counted, line.counted.quantity);
    }
}

#[tokio::test]
async fn s2_3_the_same_key_counts_once() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    let once = keyed(counter(&shop), "scan-1");
    let first = counts.count(&once, on.id(), found(&shop, 0, "38")).await;
    let first = first.unwrap();
    count(&shop, &on, 0, "39").await;
    let again = counts.count(&once, on.id(), found(&shop, 0, "38")).await;
    assert_eq!(again.unwrap(), first);
    let other = counts.count(&once, on.id(), found(&shop, 0, "37")).await;
    assert_eq!(other.unwrap_err().code(), "idempotency_key_reused");
    let entries = counts.entries(&manager(&shop), on.id(), first.id).await;
    assert_eq!(entries.unwrap().len(), 2);

    let start = keyed(manager(&shop), "start");
    let cancel = keyed(manager(&shop), "cancel");
    let cancelled = counts.cancel(&cancel, on.id()).await.unwrap();
    assert_eq!(counts.cancel(&cancel, on.id()).await.unwrap(), cancelled);
    let site = shop.site.id;
    let second = counts.start(&start, site, named("Second")).await.unwrap();
    let replayed = counts.start(&start, site, named("Second")).await.unwrap();
    assert_eq!(replayed, second);
}

// S2.4

#[tokio::test]
async fn s2_4_all_lines_or_discrepancies_or_flagged_ones() {
    let shop = opened().await;
    let on = started(&shop).await;
    for (number, quantity) in [(0, "40"), (1, "38"), (2, "140"), (3, "40")] {
        count(&shop, &on, number, quantity).await;
    }
    let table = [
        (false, false, vec![0, 1, 2, 3]),
        (true, false, vec![1, 2]),
        (false, true, vec![2]),
        (true, true, vec![2]),
    ];
    for (discrepancies, significant, expected) in table {
        let filter = InventoryCountItemFilter {
            discrepancies,
            significant,
        };
        let lines = items(&shop, &on, filter).await;
        let keys: Vec<_> = lines.into_iter().map(|line| line.key).collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|number| shop.key(number))
            .collect();
        assert_eq!(keys, expected);
    }
    let counts = shop.stocktake.inventory_counts();
    let filter = InventoryCountItemFilter::default();
    let page = PageRequest::first(3).counted();
    let first = counts
        .items(&manager(&shop), on.id(), &filter, &page)
        .await
        .unwrap();
    assert_eq!((first.items.len(), first.total), (3, Some(4)));
    let page = PageRequest::after(first.next.unwrap(), 3);
    let rest = counts
        .items(&manager(&shop), on.id(), &filter, &page)
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
}

// S2.6

#[tokio::test]
async fn s2_6_a_cancelled_count_posts_nothing_and_frees_the_site() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let on = started(&shop).await;
    count(&shop, &on, 0, "38").await;
    let cancelled = counts.cancel(&manager(&shop), on.id()).await.unwrap();
    assert_eq!(cancelled.count.state(), InventoryCountState::Cancelled);
    assert_eq!(
        cancelled.count.cancelled_by().unwrap().id,
        shop.manager.user.id
    );
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("40"));
    let again = counts.cancel(&manager(&shop), on.id()).await.unwrap_err();
    assert_eq!(again.code(), "invalid_state");
    let completed = complete(&shop, &on, APPLY).await.unwrap_err();
    assert_eq!(completed.code(), "invalid_state");
    let counted = counts
        .count(&counter(&shop), on.id(), found(&shop, 0, "38"))
        .await;
    assert_eq!(counted.unwrap_err().code(), "invalid_state");
    let next = started(&shop).await;
    complete(&shop, &next, APPLY).await.unwrap();
    started(&shop).await;
    assert_sound(&shop).await;
}

// S2.7

#[tokio::test]
async fn s2_7_the_summary_adds_up_what_was_completed() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let site = shop.site.id;
    let mut starts = Vec::new();
    // The first: 2 of 1.50 missing; the second: 3 of 2.50 too many, one right; the third is cancelled.
    for (number, counted) in [(0, "38"), (1, "43"), (2, "0")] {
        shop.clock.advance_seconds(3_600);
        starts.push(shop.now());
        let on = started(&shop).await;
        count(&shop, &on, number, counted).await;
        match number {
            0 => drop(complete(&shop, &on, KEEP).await.unwrap()),
            1 => {
                count(&shop, &on, 3, "40").await;
                complete(&shop, &on, APPLY).await.unwrap();
            }
            _ => drop(counts.cancel(&manager(&shop), on.id()).await.unwrap()),
        }
    }
    let open = started(&shop).await;
    count(&shop, &open, 5, "1").await;
    let summary = async |from, to| {
        let viewer = Caller::of(&shop.viewer);
        counts.summary(&viewer, site, from, to).await.unwrap()
    };
    let all = summary(None, None).await;
    assert_eq!((all.counts, all.totals.items()), (2, 3));
    assert_eq!(all.totals.discrepancies(), 2);
    assert_eq!(
        (all.totals.missing_minor(), all.totals.excess_minor()),
        (300, 750)
    );
    assert_eq!(all.totals.net_minor(), 450);
    assert_eq!(all.totals.accuracy().unwrap().to_string(), "0.333333");
    assert_eq!(summary(Some(starts[1]), None).await.counts, 1);
    assert_eq!(summary(None, Some(starts[1])).await.counts, 1);
    assert_eq!(
        summary(Some(starts[0]), Some(starts[1]))
            .await
            .totals
            .missing_minor(),
        300
    );
    let long_ago = summary(None, Some(at("2020-01-01T00:00:00Z"))).await;
    assert_eq!((long_ago.counts, long_ago.totals.accuracy()), (0, None));
    let hidden = counts
        .summary(&Caller::of(&shop.stranger), site, None, None)
        .await;
    assert_eq!(hidden.unwrap_err().code(), "not_found");
    assert_sound(&shop).await;
}
