//! Stock adjustments through the service, row by row of S2. Each test is named by the row it shows.

use std::sync::Arc;

use stocktake::domain::{
    AdjustmentType, Cause, CompletionOptions, CountType, InventoryCountDetails, MovementPolicy,
    Product, ProductId, Quantity, StockAdjustment, StockAdjustmentId, StockAdjustmentState,
    StockEventKind, StockKey, UnitCosts,
};
use stocktake::service::{
    Caller, ErrorKind, Movement, NewCountItem, NewStockAdjustment, StockChoice,
};
use stocktake::store::{IdempotencyKey, Page, PageRequest, StockAdjustmentFilter};
use stocktake::testing::{Shop, shop};
use uuid::Uuid;

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

fn counter(shop: &Shop) -> Caller {
    Caller::of(&shop.counter)
}

async fn opened() -> Shop {
    let shop = shop();
    shop.open().await.unwrap();
    shop
}

fn new(stock: impl Into<StockChoice>, kind: AdjustmentType, change: &str) -> NewStockAdjustment {
    NewStockAdjustment::of(stock, kind, q(change), "because".parse().unwrap())
}

async fn create(shop: &Shop, new: NewStockAdjustment) -> StockAdjustment {
    let adjustments = shop.stocktake.stock_adjustments();
    adjustments
        .create(&counter(shop), shop.site.id, new)
        .await
        .unwrap()
}

/// One that waits for a manager.
async fn stolen(shop: &Shop, number: usize, change: &str) -> StockAdjustment {
    let product = shop.products[number].id;
    let pending = create(shop, new(product, AdjustmentType::Theft, change)).await;
    assert_eq!(pending.state(), StockAdjustmentState::Pending);
    pending
}

async fn approve(
    shop: &Shop,
    id: StockAdjustmentId,
) -> Result<StockAdjustment, stocktake::service::Error> {
    let adjustments = shop.stocktake.stock_adjustments();
    adjustments.approve(&manager(shop), id, None).await
}

async fn record(shop: &Shop, movement: Movement) {
    let stock = shop.stocktake.stock();
    stock
        .record(&manager(shop), shop.site.id, &[movement.into()])
        .await
        .unwrap();
}

async fn add_product(shop: &Shop, number: u128, unit_cost: Option<&str>) -> ProductId {
    let id = ProductId::new(Uuid::from_u128(1_000 + number));
    let article = format!("EXTRA-{number}").parse().unwrap();
    let name = format!("Extra {number}").parse().unwrap();
    let product = Product {
        unit_costs: unit_cost.map_or_else(UnitCosts::default, |cost| {
            UnitCosts::of(shop.site.currency, cost.parse().unwrap())
        }),
        ..Product::new(id, shop.site.organisation, article, name)
    };
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&manager(shop), vec![product])
        .await
        .unwrap();
    id
}

async fn assert_sound(shop: &Shop) {
    let verified = shop
        .stocktake
        .stock()
        .verify(&manager(shop), shop.site.id)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

fn ids(page: &Page<StockAdjustment>) -> Vec<StockAdjustmentId> {
    page.items.iter().map(StockAdjustment::id).collect()
}

// S2.8

#[tokio::test]
async fn s2_8_lists_by_time_product_and_what_is_pending() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let mut created = Vec::new();
    for (number, kind) in [
        (0, AdjustmentType::Damage),
        (1, AdjustmentType::Theft),
        (0, AdjustmentType::Correction),
        (0, AdjustmentType::Theft),
    ] {
        shop.clock.advance_seconds(60);
        let adjustment = new(shop.products[number].id, kind, "-1");
        created.push(create(&shop, adjustment).await.id());
    }
    let (site, page) = (shop.site.id, PageRequest::first(10));
    let viewer = Caller::of(&shop.viewer);
    let list = async |filter: StockAdjustmentFilter| {
        ids(&adjustments
            .list(&viewer, site, &filter, &page)
            .await
            .unwrap())
    };
    let any = StockAdjustmentFilter::default;
    assert_eq!(list(any()).await, created);
    let now = Some(shop.now());
    assert_eq!(
        list(StockAdjustmentFilter { from: now, ..any() }).await,
        created[3..]
    );
    assert_eq!(
        list(StockAdjustmentFilter { to: now, ..any() }).await,
        created[..3]
    );
    let product = Some(shop.products[1].id);
    assert_eq!(
        list(StockAdjustmentFilter { product, ..any() }).await,
        created[1..2]
    );
    let unknown = ProductId::new(Uuid::from_u128(77));
    let nothing = StockAdjustmentFilter {
        product: Some(unknown),
        ..any()
    };
    assert!(list(nothing).await.is_empty());

    let pending = adjustments.pending(&viewer, site, &page).await.unwrap();
    assert_eq!(ids(&pending), [created[1], created[3]]);
    approve(&shop, created[1]).await.unwrap();
    let pending = adjustments.pending(&viewer, site, &page).await.unwrap();
    assert_eq!(ids(&pending), [created[3]]);

    let first = shop.products[0].id;
    let of_product = adjustments
        .of_product(&viewer, site, first, &PageRequest::first(2).counted())
        .await
        .unwrap();
    assert_eq!(
        (ids(&of_product), of_product.total),
        (vec![created[0], created[2]], Some(3))
    );
    let page = PageRequest::after(of_product.next.unwrap(), 2);
    let rest = adjustments.of_product(&viewer, site, first, &page).await;
    assert_eq!(ids(&rest.unwrap()), [created[3]]);
    let unknown = adjustments
        .of_product(&viewer, site, unknown, &PageRequest::first(2))
        .await;
    assert_eq!(unknown.unwrap_err().code(), "not_found");
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_8_what_counts_made_is_listed_too() {
    let shop = opened().await;
    let counts = shop.stocktake.inventory_counts();
    let details = InventoryCountDetails {
        name: "Spring".parse().unwrap(),
        kind: CountType::Spot,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let count = counts
        .start(&manager(&shop), shop.site.id, details)
        .await
        .unwrap();
    let product = shop.products[0].id;
    let item = NewCountItem::of(product, q("38"));
    counts
        .count(&manager(&shop), count.id(), item)
        .await
        .unwrap();
    let apply = CompletionOptions {
        apply_adjustments: true,
        ..CompletionOptions::default()
    };
    counts
        .complete(&manager(&shop), count.id(), apply, None)
        .await
        .unwrap();
    let adjustments = shop.stocktake.stock_adjustments();
    let page = PageRequest::first(10);
    let of_product = adjustments
        .of_product(&manager(&shop), shop.site.id, product, &page)
        .await
        .unwrap();
    assert_eq!(of_product.items.len(), 1);
    let read = adjustments
        .get(&manager(&shop), of_product.items[0].id())
        .await
        .unwrap();
    assert_eq!(read.reason().as_str(), "inventory count: Spring");
    let approved = approve(&shop, read.id()).await.unwrap_err();
    assert_eq!(approved.code(), "invalid_state");
}

// S2.9

#[tokio::test]
async fn s2_9_a_small_one_is_applied_at_once() {
    let shop = opened().await;
    let request = NewStockAdjustment {
        notes: Some("aisle 3".parse().unwrap()),
        reference: Some("DR-17".parse().unwrap()),
        ..new(shop.products[0].id, AdjustmentType::Damage, "-2.5")
    };
    let adjustment = create(&shop, request).await;
    assert_eq!(adjustment.state(), StockAdjustmentState::Applied);
    assert!(!adjustment.requires_approval());
    assert_eq!(adjustment.decided_by(), None);
    assert_eq!(adjustment.created_by().id, shop.counter.user.id);
    assert_eq!(adjustment.cost_impact_minor(), -375);
    let applied = adjustment.applied().unwrap();
    assert_eq!((applied.before, applied.after), (q("40"), q("37.5")));
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("37.5"));
    let events = shop
        .stocktake
        .stock()
        .key_events(&manager(&shop), &shop.key(0), 1)
        .await
        .unwrap();
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event.id, applied.event);
    assert_eq!(event.kind, StockEventKind::Adjustment);
    assert_eq!(event.cause, Cause::Adjustment(adjustment.id()));
    assert_eq!(event.reference.as_ref().unwrap().as_str(), "DR-17");
    let adjustments = shop.stocktake.stock_adjustments();
    let read = adjustments.get(&manager(&shop), adjustment.id()).await;
    assert_eq!(read.unwrap(), adjustment);
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_9_exactly_50_and_exactly_500_need_no_approval_and_theft_always_does() {
    let shop = opened().await;
    let cheap = add_product(&shop, 1, Some("0.01")).await;
    let dear = add_product(&shop, 2, Some("250")).await;
    for product in [cheap, dear] {
        let arrival = Movement::Receipt {
            key: StockKey::plain(shop.site.id, product),
            quantity: q("1000"),
            unit_cost: None,
        };
        record(&shop, arrival).await;
    }
    let all = AdjustmentType::ALL
        .iter()
        .filter(|kind| **kind != AdjustmentType::Theft);
    for kind in all {
        let signs = ["", "-"].into_iter().filter(|sign| {
            let one = q(&format!("{sign}1"));
            kind.may_change(one).is_ok()
        });
        for sign in signs {
            for (product, quantity, pending) in [
                (cheap, "50", false),
                (cheap, "50.000001", true),
                (dear, "2", false),
                (dear, "2.000001", true),
            ] {
                let request = new(product, *kind, &format!("{sign}{quantity}"));
                let adjustment = create(&shop, request).await;
                assert_eq!(adjustment.requires_approval(), pending, "{sign}{quantity}");
                let waits = adjustment.state() == StockAdjustmentState::Pending;
                assert_eq!(waits, pending, "{kind} {sign}{quantity}");
                assert_eq!(adjustment.applied().is_none(), pending);
            }
        }
    }
    let one = create(&shop, new(cheap, AdjustmentType::Theft, "-1")).await;
    assert_eq!(one.state(), StockAdjustmentState::Pending);
    assert_eq!(
        shop.on_hand(one.key()).await.unwrap(),
        q("950"),
        "pending ones move nothing"
    );
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_9_a_stated_cost_decides_and_is_booked() {
    let shop = opened().await;
    let product = add_product(&shop, 1, None).await;
    let unknown = new(product, AdjustmentType::Found, "2");
    let adjustments = shop.stocktake.stock_adjustments();
    let refused = adjustments
        .create(&counter(&shop), shop.site.id, unknown.clone())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "cost_unknown");
    let stated = |cost: &str| NewStockAdjustment {
        unit_cost: Some(cost.parse().unwrap()),
        ..unknown.clone()
    };
    let applied = create(&shop, stated("250")).await;
    assert_eq!(applied.applied().unwrap().value_change.to_string(), "500");
    let pending = create(&shop, stated("250.000001")).await;
    assert_eq!(pending.state(), StockAdjustmentState::Pending);
    // Without a stated cost, what the book says.
    let book = create(&shop, new(product, AdjustmentType::Damage, "-1")).await;
    assert_eq!(book.cost_impact_minor(), -25_000);
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_9_the_limits_are_the_sites_policy_and_stay_with_the_adjustment() {
    let mut shop = shop();
    shop.site.policy.approval.quantity = q("1");
    shop.open().await.unwrap();
    let product = shop.products[0].id;
    let pending = create(&shop, new(product, AdjustmentType::Damage, "-2")).await;
    assert_eq!(pending.state(), StockAdjustmentState::Pending);
    let applied = create(&shop, new(product, AdjustmentType::Damage, "-1")).await;
    assert_eq!(applied.state(), StockAdjustmentState::Applied);
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_9_bad_requests_are_refused_and_nothing_is_applied() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let product = shop.products[0].id;
    let shelf = shop.key(0).at("A-01".parse().unwrap());
    record(
        &shop,
        Movement::Receipt {
            key: shelf.clone(),
            quantity: q("1"),
            unit_cost: None,
        },
    )
    .await;
    let mut other_site = shop.key(1);
    other_site.site = stocktake::domain::SiteId::new(Uuid::from_u128(99));
    let unknown = ProductId::new(Uuid::from_u128(77));
    let damage = |stock: StockChoice, change: &str| new(stock, AdjustmentType::Damage, change);
    let table = [
        (damage(shop.key(1).into(), "0"), "zero_quantity", 422),
        (damage(unknown.into(), "-1"), "unknown_product", 422),
        (damage(other_site.into(), "-1"), "another_site", 422),
        (damage(product.into(), "-1"), "ambiguous_stock", 422),
        (
            damage(shop.key(1).into(), "-40.5"),
            "insufficient_stock",
            409,
        ),
    ];
    for (request, code, status) in table {
        let refused = adjustments
            .create(&counter(&shop), shop.site.id, request)
            .await
            .unwrap_err();
        assert_eq!((refused.code(), refused.kind().status()), (code, status));
    }
    let named = adjustments
        .create(&counter(&shop), shop.site.id, damage(product.into(), "-1"))
        .await
        .unwrap_err();
    assert!(
        named
            .to_string()
            .contains("no stock place; stock place A-01"),
        "{named}"
    );
    let at_shelf = create(&shop, damage(shelf.clone().into(), "-1")).await;
    assert_eq!(at_shelf.key(), &shelf);
    let filter = StockAdjustmentFilter::default();
    let all = adjustments
        .list(
            &manager(&shop),
            shop.site.id,
            &filter,
            &PageRequest::first(10),
        )
        .await
        .unwrap();
    assert_eq!(ids(&all), [at_shelf.id()]);
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_9_who_may_ask() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let request = || new(shop.products[0].id, AdjustmentType::Damage, "-1");
    for actor in [&shop.counter, &shop.manager, &shop.service] {
        let caller = Caller::of(actor);
        let created = adjustments.create(&caller, shop.site.id, request()).await;
        assert!(created.is_ok());
    }
    let table = [
        (&shop.viewer, "forbidden"),
        (&shop.elsewhere, "not_found"),
        (&shop.stranger, "not_found"),
    ];
    for (actor, code) in table {
        let caller = Caller::of(actor);
        // The right is asked before the request.
        let bad = new(shop.products[0].id, AdjustmentType::Damage, "0");
        let refused = adjustments.create(&caller, shop.site.id, bad).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    assert_sound(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s2_9_many_at_once_are_all_applied() {
    let shop = Arc::new(opened().await);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let request = new(shop.products[0].id, AdjustmentType::Damage, "-1");
                create(&shop, request).await
            })
        })
        .collect();
    for asked in asking {
        let applied = *asked.await.unwrap().applied().unwrap();
        assert_eq!(applied.before.checked_sub(applied.after), Ok(q("1")));
    }
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("20"));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_9_the_same_key_adjusts_once() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let once = counter(&shop).with_key(IdempotencyKey::new("report-17").unwrap());
    let site = shop.site.id;
    let request = || new(shop.products[0].id, AdjustmentType::Damage, "-1");
    let first = adjustments.create(&once, site, request()).await.unwrap();
    let again = adjustments.create(&once, site, request()).await.unwrap();
    assert_eq!(again, first);
    let other = new(shop.products[0].id, AdjustmentType::Damage, "-2");
    let refused = adjustments.create(&once, site, other).await.unwrap_err();
    assert_eq!(refused.code(), "idempotency_key_reused");
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("39"));
    // A refused request keeps no key.
    let late = counter(&shop).with_key(IdempotencyKey::new("late").unwrap());
    let too_many = || new(shop.products[1].id, AdjustmentType::Damage, "-50");
    let refused = adjustments.create(&late, site, too_many()).await;
    assert_eq!(refused.unwrap_err().code(), "insufficient_stock");
    record(&shop, shop.receipt(1, q("10")).movement).await;
    adjustments.create(&late, site, too_many()).await.unwrap();
    assert_sound(&shop).await;
}

// S2.10

#[tokio::test]
async fn s2_10_approved_it_is_applied_at_that_moment() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let pending = stolen(&shop, 0, "-3").await;
    shop.clock.advance_seconds(60);
    let sale = Movement::Issue {
        key: shop.key(0),
        quantity: q("5"),
    };
    record(&shop, sale).await;
    shop.clock.advance_seconds(60);
    let notes = Some("seen on camera".parse().unwrap());
    let approved = adjustments
        .approve(&manager(&shop), pending.id(), notes.clone())
        .await
        .unwrap();
    assert_eq!(approved.state(), StockAdjustmentState::Applied);
    assert_eq!(approved.decided_by().unwrap().id, shop.manager.user.id);
    assert_eq!(approved.decision_notes(), notes.as_ref());
    let applied = approved.applied().unwrap();
    assert_eq!((applied.before, applied.after), (q("35"), q("32")));
    assert_eq!(applied.at, shop.now());
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("32"));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_10_a_second_decision_changes_nothing_and_says_so() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let pending = stolen(&shop, 0, "-3").await;
    let approved = approve(&shop, pending.id()).await.unwrap();
    let again = approve(&shop, pending.id()).await.unwrap_err();
    assert_eq!(
        (again.code(), again.kind()),
        ("invalid_state", ErrorKind::Conflict)
    );
    let rejected = adjustments
        .reject(&manager(&shop), pending.id(), "no".parse().unwrap())
        .await;
    assert_eq!(rejected.unwrap_err().code(), "invalid_state");
    let read = adjustments.get(&manager(&shop), pending.id()).await;
    assert_eq!(read.unwrap(), approved);
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("37"));
    let applied = create(
        &shop,
        new(shop.products[0].id, AdjustmentType::Damage, "-1"),
    )
    .await;
    let needless = approve(&shop, applied.id()).await.unwrap_err();
    assert_eq!(needless.code(), "invalid_state");
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_10_rejected_with_a_reason_it_moves_nothing() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let pending = stolen(&shop, 0, "-3").await;
    let reason: stocktake::domain::Note = "found again".parse().unwrap();
    let rejected = adjustments
        .reject(&manager(&shop), pending.id(), reason.clone())
        .await
        .unwrap();
    assert_eq!(rejected.state(), StockAdjustmentState::Rejected);
    assert_eq!(rejected.decision_notes(), Some(&reason));
    assert_eq!(rejected.applied(), None);
    let approved = approve(&shop, pending.id()).await.unwrap_err();
    assert_eq!(approved.code(), "invalid_state");
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("40"));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_10_nobody_approves_their_own_unless_the_policy_says_so() {
    for self_approval in [false, true] {
        let mut shop = shop();
        shop.site.policy.approval.self_approval = self_approval;
        shop.open().await.unwrap();
        let adjustments = shop.stocktake.stock_adjustments();
        let own = adjustments
            .create(
                &manager(&shop),
                shop.site.id,
                new(shop.products[0].id, AdjustmentType::Theft, "-1"),
            )
            .await
            .unwrap();
        assert_eq!(own.state(), StockAdjustmentState::Pending);
        let approved = approve(&shop, own.id()).await;
        if self_approval {
            approved.unwrap();
        } else {
            let refused = approved.unwrap_err();
            assert_eq!(refused.code(), "self_approval");
            assert_eq!(refused.kind().status(), 403);
            assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("40"));
        }
        assert_sound(&shop).await;
    }
}

#[tokio::test]
async fn s2_10_who_may_decide() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let pending = stolen(&shop, 0, "-3").await;
    let table = [
        (&shop.viewer, "forbidden"),
        (&shop.counter, "forbidden"),
        (&shop.service, "forbidden"),
        (&shop.elsewhere, "not_found"),
        (&shop.stranger, "not_found"),
    ];
    for (actor, code) in table {
        let caller = Caller::of(actor);
        let approved = adjustments.approve(&caller, pending.id(), None).await;
        assert_eq!(approved.unwrap_err().code(), code);
        let reason = "no".parse().unwrap();
        let rejected = adjustments.reject(&caller, pending.id(), reason).await;
        assert_eq!(rejected.unwrap_err().code(), code);
    }
    for actor in [&shop.elsewhere, &shop.stranger] {
        let (caller, page) = (Caller::of(actor), PageRequest::first(10));
        let read = adjustments.get(&caller, pending.id()).await;
        assert_eq!(read.unwrap_err().code(), "not_found");
        let listed = adjustments.pending(&caller, shop.site.id, &page).await;
        assert_eq!(listed.unwrap_err().code(), "not_found");
    }
    let unknown = StockAdjustmentId::new(Uuid::from_u128(77));
    assert_eq!(
        approve(&shop, unknown).await.unwrap_err().code(),
        "not_found"
    );
}

#[tokio::test]
async fn s2_10_without_enough_stock_it_waits_on() {
    let shop = opened().await;
    let pending = stolen(&shop, 0, "-41").await;
    let refused = approve(&shop, pending.id()).await.unwrap_err();
    assert_eq!(refused.code(), "insufficient_stock");
    record(&shop, shop.receipt(0, q("1")).movement).await;
    let approved = approve(&shop, pending.id()).await.unwrap();
    assert_eq!(approved.applied().unwrap().after, q("0"));
    assert_sound(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s2_10_of_many_approvals_at_once_one_is_applied() {
    let shop = Arc::new(opened().await);
    for round in 1..=10_u32 {
        let pending = stolen(&shop, 0, "-1").await;
        let deciding: Vec<_> = (0..6)
            .map(|number| {
                let (shop, id) = (shop.clone(), pending.id());
                tokio::spawn(async move {
                    if number == 0 {
                        let adjustments = shop.stocktake.stock_adjustments();
                        let reason = "no".parse().unwrap();
                        adjustments.reject(&manager(&shop), id, reason).await
                    } else {
                        approve(&shop, id).await
                    }
                })
            })
            .collect();
        let mut decided = Vec::new();
        for one in deciding {
            match one.await.unwrap() {
                Ok(adjustment) => decided.push(adjustment),
                Err(error) => assert_eq!(error.code(), "invalid_state"),
            }
        }
        let [one] = decided.as_slice() else {
            panic!("{} decisions", decided.len());
        };
        if one.state() == StockAdjustmentState::Rejected {
            // The rounds are told by the level: make up for it.
            let pending = stolen(&shop, 0, "-1").await;
            approve(&shop, pending.id()).await.unwrap();
        }
        let left = Quantity::from(40 - round);
        assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), left);
    }
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s2_10_the_same_key_decides_once() {
    let shop = opened().await;
    let adjustments = shop.stocktake.stock_adjustments();
    let once = manager(&shop).with_key(IdempotencyKey::new("ok").unwrap());
    let pending = stolen(&shop, 0, "-3").await;
    let first = adjustments
        .approve(&once, pending.id(), None)
        .await
        .unwrap();
    let again = adjustments
        .approve(&once, pending.id(), None)
        .await
        .unwrap();
    assert_eq!(again, first);
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("37"));
    assert_sound(&shop).await;
}
