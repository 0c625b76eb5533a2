//! Changing some of the words on a take or an order, and reading events by their ids.

use stocktake::domain::{
    InventoryOrderDetails, MovementPolicy, StockTakeDetails, StockTakeId, Timestamp,
};
use stocktake::service::{
    Caller, Edit, InventoryOrderAmendment, NewInventoryOrder, NewStockTakeList, StockTakeAmendment,
};
use stocktake::store::IdempotencyKey;
use stocktake::testing::{Shop, shop};

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

async fn list(shop: &Shop) -> StockTakeId {
    let new = NewStockTakeList {
        site: shop.site.id,
        name: "Spring".parse().unwrap(),
        description: Some("aisle 3".parse().unwrap()),
        due_at: Some(Timestamp::EPOCH),
        annual: false,
        movement_policy: MovementPolicy::MatchCount,
    };
    let takes = shop.stocktake.stock_takes();
    takes.create_list(&manager(shop), new).await.unwrap().id()
}

fn amended(change: impl FnOnce(&mut StockTakeAmendment)) -> StockTakeAmendment {
    let mut amendment = StockTakeAmendment::default();
    change(&mut amendment);
    amendment
}

#[tokio::test]
async fn s4_4_what_is_not_amended_stays() {
    let shop = shop();
    shop.open().await.unwrap();
    let (takes, manager, id) = (
        shop.stocktake.stock_takes(),
        manager(&shop),
        list(&shop).await,
    );
    let before = takes
        .get(&manager, id)
        .await
        .unwrap()
        .take
        .details()
        .clone();
    let same = takes
        .amend(&manager, id, StockTakeAmendment::default())
        .await;
    assert_eq!(*same.unwrap().details(), before);
    let cases = [
        (
            amended(|it| it.name = Some("Autumn".parse().unwrap())),
            StockTakeDetails {
                name: Some("Autumn".parse().unwrap()),
                ..before.clone()
            },
        ),
        (
            amended(|it| it.description = Edit::Set("aisle 4".parse().unwrap())),
            StockTakeDetails {
                description: Some("aisle 4".parse().unwrap()),
                ..before.clone()
            },
        ),
        (
            amended(|it| it.description = Edit::Clear),
            StockTakeDetails {
                description: None,
                ..before.clone()
            },
        ),
        (
            amended(|it| it.due_at = Edit::Clear),
            StockTakeDetails {
                due_at: None,
                ..before.clone()
            },
        ),
        (
            amended(|it| it.due_at = Edit::Set(Timestamp::EPOCH.later_by(1))),
            StockTakeDetails {
                due_at: Some(Timestamp::EPOCH.later_by(1)),
                ..before.clone()
            },
        ),
        (
            amended(|it| it.annual = Some(true)),
            StockTakeDetails {
                annual: true,
                ..before.clone()
            },
        ),
    ];
    for (amendment, expected) in cases {
        let id = list(&shop).await;
        let take = takes.amend(&manager, id, amendment).await.unwrap();
        assert_eq!(*take.details(), expected);
    }
}

#[tokio::test]
async fn s4_4_an_amendment_is_refused_like_any_update_and_done_once() {
    let shop = shop();
    shop.open().await.unwrap();
    let (takes, id) = (shop.stocktake.stock_takes(), list(&shop).await);
    let change = |name: &str| amended(|it| it.name = Some(name.parse().unwrap()));
    for (who, code) in [
        (Caller::nobody(), "unauthenticated"),
        (Caller::of(&shop.viewer), "forbidden"),
        (Caller::of(&shop.elsewhere), "not_found"),
        (Caller::of(&shop.stranger), "not_found"),
    ] {
        let refused = takes.amend(&who, id, change("Autumn")).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let once = manager(&shop).with_key(IdempotencyKey::new("amend-1").unwrap());
    takes.amend(&once, id, change("Autumn")).await.unwrap();
    takes
        .amend(&manager(&shop), id, change("Winter"))
        .await
        .unwrap();
    let first = takes.amend(&once, id, change("Autumn")).await.unwrap();
    assert_eq!(first.details().name, Some("Autumn".parse().unwrap()));
    let now = takes.get(&manager(&shop), id).await.unwrap().take;
    assert_eq!(now.details().name, Some("Winter".parse().unwrap()));
    let reused = takes.amend(&once, id, change("Summer")).await.unwrap_err();
    assert_eq!(reused.code(), "idempotency_key_reused");
}

#[tokio::test]
async fn s3_3_what_is_not_amended_on_an_order_stays() {
    let shop = shop();
    shop.open_empty().await.unwrap();
    let (orders, manager) = (shop.stocktake.inventory_orders(), manager(&shop));
    let new = NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: Some("PO-1".parse().unwrap()),
            supplier_email: Some("sales@example.com".parse().unwrap()),
        },
    };
    let id = orders.create(&manager, new).await.unwrap().id();
    let amend = async |amendment: InventoryOrderAmendment| {
        let order = orders.amend(&manager, id, amendment).await.unwrap();
        let number = order.purchase_order_number().map(ToString::to_string);
        let email = order.supplier().email.as_ref().map(ToString::to_string);
        (number.unwrap_or_default(), email.unwrap_or_default())
    };
    let told = |number: &str, email: &str| (number.to_owned(), email.to_owned());
    let nothing = InventoryOrderAmendment::default;
    assert_eq!(amend(nothing()).await, told("PO-1", "sales@example.com"));
    let number = InventoryOrderAmendment {
        purchase_order_number: Edit::Set("PO-2".parse().unwrap()),
        ..nothing()
    };
    assert_eq!(amend(number).await, told("PO-2", "sales@example.com"));
    let same_supplier = InventoryOrderAmendment {
        supplier: Some(shop.supplier.id),
        ..nothing()
    };
    assert_eq!(
        amend(same_supplier).await,
        told("PO-2", "sales@example.com")
    );
    let cleared = InventoryOrderAmendment {
        purchase_order_number: Edit::Clear,
        supplier_email: Edit::Clear,
        ..nothing()
    };
    assert_eq!(amend(cleared).await, told("", "orders@example.com"));
    let wrong = InventoryOrderAmendment {
        supplier_email: Edit::Set("nobody".parse().unwrap()),
        ..nothing()
    };
    let refused = orders.amend(&manager, id, wrong).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_email");
    let viewer = Caller::of(&shop.viewer);
    let refused = orders.amend(&viewer, id, nothing()).await.unwrap_err();
    assert_eq!(refused.code(), "forbidden");
}

#[tokio::test]
async fn events_are_read_by_their_ids_where_they_can_be_seen() {
    let shop = shop();
    shop.open().await.unwrap();
    let stock = shop.stocktake.stock();
    let (manager, key) = (manager(&shop), shop.key(3));
    let events = stock.key_events(&manager, &key, 0).await.unwrap();
    let known: Vec<_> = events.iter().map(|event| event.id).collect();
    let found = stock.events(&manager, &known).await.unwrap();
    assert_eq!(
        found.into_iter().map(|it| it.event).collect::<Vec<_>>(),
        events
    );
    let unknown = stocktake::domain::StockEventId::new(uuid::Uuid::nil());
    assert_eq!(stock.events(&manager, &[unknown]).await.unwrap(), []);
    for who in [&shop.elsewhere, &shop.stranger] {
        assert_eq!(stock.events(&Caller::of(who), &known).await.unwrap(), []);
    }
    let too_many = vec![unknown; 10_001];
    let refused = stock.events(&manager, &too_many).await.unwrap_err();
    assert_eq!(refused.code(), "too_large");
}
