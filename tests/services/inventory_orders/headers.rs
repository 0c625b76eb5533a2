//! S3.1 to S3.3: listing, creating, changing and removing orders.

use std::collections::BTreeSet;

use stocktake::domain::{
    InventoryOrder, InventoryOrderId, InventoryOrderState, Role, SearchText, Supplier, SupplierId,
};
use stocktake::service::{
    Caller, Error, ErrorKind, InventoryOrderUpdate, NewInventoryOrder, ReceiveRequest,
};
use stocktake::store::{IdempotencyKey, InventoryOrderFilter, PageRequest};
use uuid::Uuid;

use super::{add, draft, line, manager, new_order, numbered, opened, other_site};

#[tokio::test]
async fn s3_1_orders_are_searched_by_number_and_paged_oldest_first() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let mut created = Vec::new();
    for number in [
        Some("PO-1"),
        None,
        Some("po-2"),
        Some("Räkning 7"),
        Some("PO_3"),
    ] {
        shop.clock.advance_seconds(1);
        let order = orders
            .create(&manager(&shop), new_order(&shop, number))
            .await;
        created.push(order.unwrap().id());
    }
    let all = InventoryOrderFilter::default();
    let viewer = Caller::of(&shop.viewer);
    let (mut seen, mut page) = (Vec::new(), PageRequest::first(2).counted());
    loop {
        let found = orders
            .list(&viewer, shop.site.id, &all, &page)
            .await
            .unwrap();
        seen.extend(found.items.iter().map(InventoryOrder::id));
        let Some(next) = found.next else { break };
        page = PageRequest::after(next, 2);
    }
    assert_eq!(seen, created);

    for (search, expected) in [
        ("Po-", vec![created[0], created[2]]),
        ("RÄKNING", vec![created[3]]),
        ("o_", vec![created[4]]),
        ("%", vec![]),
    ] {
        let filter = InventoryOrderFilter {
            purchase_order_number: Some(SearchText::new(search).unwrap()),
            ..all.clone()
        };
        let page = PageRequest::numbered(0, 25);
        let found = orders
            .list(&viewer, shop.site.id, &filter, &page)
            .await
            .unwrap();
        let ids: Vec<_> = found.items.iter().map(InventoryOrder::id).collect();
        assert_eq!(ids, expected, "{search}");
        assert_eq!(found.total, Some(expected.len() as u64));
    }

    orders.remove(&manager(&shop), created[1]).await.unwrap();
    for states in [BTreeSet::new(), [InventoryOrderState::Draft].into()] {
        let filter = InventoryOrderFilter {
            states,
            ..all.clone()
        };
        let found = orders
            .list(&viewer, shop.site.id, &filter, &PageRequest::first(9))
            .await;
        assert_eq!(found.unwrap().items.len(), 4);
    }
    let removed = InventoryOrderFilter {
        states: [InventoryOrderState::Removed].into(),
        ..all.clone()
    };
    let found = orders
        .list(&viewer, shop.site.id, &removed, &PageRequest::first(9))
        .await;
    assert!(found.unwrap().items.is_empty());
    for nobody in [&shop.elsewhere, &shop.stranger] {
        let found = orders
            .list(
                &Caller::of(nobody),
                shop.site.id,
                &all,
                &PageRequest::first(9),
            )
            .await;
        assert_eq!(found.unwrap_err().code(), "not_found");
    }
}

#[tokio::test]
async fn s3_2_a_new_order_takes_the_suppliers_name_and_address() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let order = draft(&shop).await;
    assert_eq!(order.state(), InventoryOrderState::Draft);
    assert_eq!(order.supplier().name.as_str(), "Elemis");
    assert_eq!(order.supplier().email, shop.supplier.email);
    assert_eq!(order.currency().to_string(), "gbp");
    assert_eq!(order.created_by().full_name(), "Dan Johnson");
    assert_eq!((order.subtotal_minor(), order.item_count()), (0, 0));
    assert!(!order.items_added());
    assert_eq!(
        (order.submitted_at(), order.last_submitted_at()),
        (None, None)
    );

    let mut named = new_order(&shop, None);
    named.details.supplier_email = Some("orders+uk@example.co.uk".parse().unwrap());
    let order = orders.create(&manager(&shop), named.clone()).await.unwrap();
    assert_eq!(order.purchase_order_number(), None);
    assert_eq!(order.supplier().email, named.details.supplier_email);

    for bad in [
        "nobody",
        "@example.com",
        "a@",
        "a@b@c",
        "a@b, c@d",
        "A <a@b>",
        "a@b\u{2028}x",
    ] {
        named.details.supplier_email = Some(bad.parse().unwrap());
        let refused = orders.create(&manager(&shop), named.clone()).await;
        assert_eq!(refused.unwrap_err().code(), "invalid_email", "{bad}");
    }
    assert!(
        "a@b.c\r\nBcc: d@e"
            .parse::<stocktake::domain::Label>()
            .is_err()
    );
}

#[tokio::test]
async fn s3_2_a_supplier_of_another_site_is_as_unknown_as_none() {
    let shop = opened().await;
    let other = other_site(&shop).await;
    let orders = shop.stocktake.inventory_orders();
    let mut told = BTreeSet::new();
    for supplier in [other.id, SupplierId::new(Uuid::from_u128(999))] {
        let new = NewInventoryOrder {
            supplier,
            ..new_order(&shop, None)
        };
        let refused = orders.create(&manager(&shop), new).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.code()),
            (ErrorKind::Invalid, "unknown_supplier")
        );
        told.insert(refused.to_string());
    }
    assert_eq!(told.len(), 1, "the two are told apart by nothing");
}

#[tokio::test]
async fn s3_2_who_may_not_is_told_after_who_can_not_see() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let new = || new_order(&shop, None);
    let code = |result: Result<InventoryOrder, Error>| result.unwrap_err().code();
    assert_eq!(
        code(orders.create(&Caller::nobody(), new()).await),
        "unauthenticated"
    );
    assert_eq!(
        code(orders.create(&Caller::of(&shop.elsewhere), new()).await),
        "not_found"
    );
    assert_eq!(
        code(orders.create(&Caller::of(&shop.stranger), new()).await),
        "not_found"
    );
    assert_eq!(
        code(orders.create(&Caller::of(&shop.counter), new()).await),
        "forbidden"
    );
    assert!(
        orders
            .create(&Caller::of(&shop.service), new())
            .await
            .is_ok()
    );

    let order = draft(&shop).await.id();
    for stranger in [&shop.elsewhere, &shop.stranger] {
        let caller = Caller::of(stranger);
        assert_eq!(code(orders.get(&caller, order).await), "not_found");
        assert_eq!(code(orders.submit(&caller, order).await), "not_found");
        assert_eq!(
            code(orders.close_short(&caller, order, None).await),
            "not_found"
        );
        let receive = orders.receive(&caller, order, ReceiveRequest::all()).await;
        assert_eq!(code(receive), "not_found");
        assert_eq!(
            orders.remove(&caller, order).await.unwrap_err().code(),
            "not_found"
        );
    }
    assert!(orders.get(&Caller::of(&shop.viewer), order).await.is_ok());
    assert_eq!(
        code(orders.submit(&Caller::of(&shop.service), order).await),
        "forbidden"
    );
    let receive = orders
        .receive(&Caller::of(&shop.viewer), order, ReceiveRequest::all())
        .await;
    assert_eq!(code(receive), "forbidden");
    let missing = InventoryOrderId::new(Uuid::from_u128(5));
    assert_eq!(
        code(orders.submit(&Caller::of(&shop.viewer), missing).await),
        "not_found"
    );
}

#[tokio::test]
async fn s3_2_the_same_key_creates_one_order() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let once = manager(&shop).with_key(IdempotencyKey::new("order-1").unwrap());
    let first = orders
        .create(&once, new_order(&shop, Some("PO1")))
        .await
        .unwrap();
    let again = orders
        .create(&once, new_order(&shop, Some("PO1")))
        .await
        .unwrap();
    assert_eq!(first, again);
    let other = orders.create(&once, new_order(&shop, Some("PO2"))).await;
    assert_eq!(other.unwrap_err().code(), "idempotency_key_reused");

    let added = orders
        .add_item(&once, first.id(), line(&shop, 0, "1", 5))
        .await
        .unwrap();
    let same = orders
        .add_item(&once, first.id(), line(&shop, 0, "1", 5))
        .await
        .unwrap();
    assert_eq!(added, same);
    orders
        .delete_item(&once, first.id(), added.id())
        .await
        .unwrap();
    orders
        .delete_item(&once, first.id(), added.id())
        .await
        .unwrap();
    orders.remove(&once, first.id()).await.unwrap();
    orders.remove(&once, first.id()).await.unwrap();
}

#[tokio::test]
async fn s3_3_words_and_supplier_change_while_nothing_stands_against_it() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let other = other_site(&shop).await;
    let here = Supplier {
        id: SupplierId::new(Uuid::from_u128(78)),
        name: "Balms Ltd".parse().unwrap(),
        email: None,
        ..shop.supplier.clone()
    };
    shop.stocktake
        .catalogue()
        .put_supplier(&manager(&shop), here.clone())
        .await
        .unwrap();
    let order = draft(&shop).await;
    let update = |supplier| InventoryOrderUpdate {
        supplier,
        details: numbered(None),
    };
    let changed = orders
        .update(&manager(&shop), order.id(), update(Some(here.id)))
        .await
        .unwrap();
    assert_eq!(changed.supplier().name, here.name);
    assert_eq!(
        (changed.purchase_order_number(), &changed.supplier().email),
        (None, &None)
    );
    let refused = orders
        .update(&manager(&shop), order.id(), update(Some(other.id)))
        .await;
    assert_eq!(refused.unwrap_err().code(), "unknown_supplier");

    let back = update(Some(shop.supplier.id));
    orders
        .update(&manager(&shop), order.id(), back.clone())
        .await
        .unwrap();
    add(&shop, order.id(), 0).await;
    let refused = orders
        .update(&manager(&shop), order.id(), update(Some(here.id)))
        .await;
    assert_eq!(refused.unwrap_err().code(), "supplier_has_lines");
    orders
        .update(&manager(&shop), order.id(), update(None))
        .await
        .unwrap();
}

#[tokio::test]
async fn s3_3_an_order_with_anything_received_is_not_deleted() {
    let shop = opened().await;
    let orders = shop.stocktake.inventory_orders();
    let order = draft(&shop).await.id();
    add(&shop, order, 0).await;
    orders.submit(&manager(&shop), order).await.unwrap();
    orders
        .receive(&manager(&shop), order, ReceiveRequest::all())
        .await
        .unwrap();
    let refused = orders.remove(&manager(&shop), order).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (ErrorKind::Conflict, "order_received")
    );

    let other = draft(&shop).await.id();
    orders.remove(&manager(&shop), other).await.unwrap();
    assert_eq!(
        orders.get(&manager(&shop), other).await.unwrap_err().code(),
        "not_found"
    );
    assert_eq!(
        orders
            .remove(&manager(&shop), other)
            .await
            .unwrap_err()
            .code(),
        "not_found"
    );
}

/// The supplier's address is masked for viewers, where the site says so.
#[tokio::test]
async fn s3_3_a_site_may_show_viewers_no_addresses() {
    let shop = opened().await;
    let (orders, catalogue) = (
        shop.stocktake.inventory_orders(),
        shop.stocktake.catalogue(),
    );
    let mut details = numbered(Some("PO-1"));
    details.supplier_email = Some("desk@example.com".parse().unwrap());
    let new = NewInventoryOrder {
        details,
        ..new_order(&shop, None)
    };
    let order = orders.create(&manager(&shop), new).await.unwrap();
    let seen = async |caller: &Caller| {
        let order = orders.get(caller, order.id()).await.unwrap();
        let (all, page) = (InventoryOrderFilter::default(), PageRequest::first(1));
        let listed = orders
            .list(caller, shop.site.id, &all, &page)
            .await
            .unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&order));
        let supplier = catalogue.supplier(caller, shop.supplier.id).await.unwrap();
        let emails = [supplier.email, order.supplier().email.clone()];
        emails.map(|email| email.map(|email| email.to_string()))
    };
    let all = ["orders@example.com", "desk@example.com"].map(|email| Some(email.to_owned()));
    for masks in [false, true] {
        let mut site = shop.site.clone();
        site.policy.mask_supplier_email = masks;
        catalogue.put_site(&manager(&shop), site).await.unwrap();
        for actor in [&shop.manager, &shop.counter, &shop.viewer, &shop.service] {
            let hidden = masks && actor.role == Role::Viewer;
            let expected = if hidden { [None, None] } else { all.clone() };
            assert_eq!(seen(&Caller::of(actor)).await, expected, "{:?}", actor.role);
        }
    }
}
