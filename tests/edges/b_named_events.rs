//! What a movement names is a claim: it must be there, be of that kind and of what moves, and have that much left.

use stocktake::domain::{
    CostingMethod, InventoryOrderDetails, Ordered, StockEventId, StockKey, Tracking, Value,
};
use stocktake::service::{Error, Movement, NewInventoryOrder, NewOrderItem, ReceiveRequest};

use crate::room::{Room, amount, code, only, receipt, reset, transfer};
use crate::stores::Kind;

fn customer_return(key: &StockKey, quantity: &str, of: StockEventId) -> Movement {
    Movement::CustomerReturn {
        key: key.clone(),
        quantity: amount(quantity),
        of,
    }
}

fn supplier_return(key: &StockKey, quantity: &str, receipt: StockEventId) -> Movement {
    Movement::SupplierReturn {
        key: key.clone(),
        quantity: amount(quantity),
        receipt: Some(receipt),
    }
}

async fn refused(room: &Room, movement: Movement, field: &str, code: &str) {
    let before = room.value().await;
    match room.try_record(movement.clone()).await {
        Err(Error::Invalid(fields)) => {
            let told: Vec<_> = fields.iter().map(|it| (&*it.field, it.code)).collect();
            assert_eq!(told, [(field, code)], "{movement:?}");
        }
        other => panic!("{movement:?}: {other:?}"),
    }
    assert_eq!(room.value().await, before);
}

async fn not_found(room: &Room, movement: Movement) {
    match room.try_record(movement.clone()).await {
        Err(Error::NotFound { what: "event", .. }) => {}
        other => panic!("{movement:?}: {other:?}"),
    }
}

fn unknown() -> StockEventId {
    StockEventId::new(uuid::Uuid::from_u128(77))
}

#[tokio::test]
async fn fault_b1_a_serial_number_that_was_never_sold() {
    let room = Room::with(Kind::Memory, |shop| {
        shop.products[0].tracking = Tracking::Serial;
    })
    .await;
    let unit = |serial: &str| StockKey {
        serial: Some(code(serial)),
        ..room.key(0)
    };
    let (sold, never) = (unit("S-1"), unit("S-2"));
    room.receive(&sold, "1", "5").await;
    let sale = room.issue(&sold, "1").await;
    refused(
        &room,
        customer_return(&never, "1", sale.id),
        "of",
        "another_serial",
    )
    .await;
    // The true one can come back, also to another shelf.
    let back = customer_return(&sold.at(code("RETURNS")), "1", sale.id);
    let back = only(room.record(back).await);
    assert_eq!(back.of, Some(sale.id));
    room.assert_sound().await;
}

#[tokio::test]
async fn fault_b1_of_another_product_variant_or_batch() {
    let room = Room::with(Kind::Memory, |shop| {
        shop.products[0].tracking = Tracking::Batch;
    })
    .await;
    let batch = |batch: &str| StockKey {
        batch: Some(code(batch)),
        ..room.key(0)
    };
    let red = StockKey {
        variant: Some(code("RED")),
        ..room.key(1)
    };
    room.receive(&batch("B-1"), "5", "5").await;
    room.receive(&red, "5", "5").await;
    let of_batch = room.issue(&batch("B-1"), "2").await;
    let of_red = room.issue(&red, "2").await;
    for (key, of, problem) in [
        (batch("B-2"), of_batch.id, "another_batch"),
        (room.key(1), of_red.id, "another_variant"),
        (room.key(2), of_red.id, "not_an_issue"),
    ] {
        refused(&room, customer_return(&key, "1", of), "of", problem).await;
    }
    not_found(&room, customer_return(&red, "1", unknown())).await;
    let received = room.receive(&red, "1", "5").await;
    refused(
        &room,
        customer_return(&red, "1", received.id),
        "of",
        "not_an_issue",
    )
    .await;
    refused(
        &room,
        customer_return(&red, "3", of_red.id),
        "quantity",
        "more_than_left",
    )
    .await;
    room.reverse(of_red.id).await;
    refused(
        &room,
        customer_return(&red, "1", of_red.id),
        "quantity",
        "more_than_left",
    )
    .await;
}

#[tokio::test]
async fn fault_b2_a_return_names_its_receipt() {
    for kind in Kind::ALL {
        let room = Room::of(*kind, CostingMethod::Fifo).await;
        let (key, other) = (room.key(0), room.key(1));
        room.receive(&key, "10", "1").await;
        let dear = room.receive(&key, "4", "9").await;
        let elsewhere = room.receive(&other, "10", "1").await;
        let sale = room.issue(&key, "1").await;
        not_found(&room, supplier_return(&key, "1", unknown())).await;
        for (of, problem) in [(elsewhere.id, "not_a_receipt"), (sale.id, "not_a_receipt")] {
            refused(&room, supplier_return(&key, "1", of), "receipt", problem).await;
        }
        let five = supplier_return(&key, "5", dear.id);
        refused(&room, five, "quantity", "more_than_left").await;
        let back = only(room.record(supplier_return(&key, "3", dear.id)).await);
        assert_eq!(back.of, Some(dear.id));
        assert_eq!(back.value_change.to_string(), "-27");
        let two = supplier_return(&key, "2", dear.id);
        refused(&room, two.clone(), "quantity", "more_than_left").await;
        // What has gone back is not taken back as received, before the return is.
        let taken_back = Movement::Reversal { of: dear.id };
        let problem = room
            .try_record(taken_back)
            .await
            .expect_err("it is claimed");
        assert_eq!(problem.code(), "returned");
        room.reverse(back.id).await;
        room.record(two).await;
        room.assert_sound().await;
    }
}

#[tokio::test]
async fn fault_b2_what_is_left_of_it_is_where_it_went() {
    let room = Room::of(Kind::Memory, CostingMethod::Fifo).await;
    let (shelf, store) = (room.key(0), room.key(0).at(code("STORE")));
    let received = room.receive(&shelf, "5", "2").await;
    room.record(transfer(&shelf, &store, "3")).await;
    let three = supplier_return(&shelf, "3", received.id);
    refused(&room, three, "quantity", "more_than_left").await;
    room.record(supplier_return(&store, "3", received.id)).await;
    room.record(supplier_return(&shelf, "2", received.id)).await;
    assert_eq!(room.value().await, Value::ZERO);
    room.assert_sound().await;
}

#[tokio::test]
async fn fault_b2_a_return_told_late_claims_all_the_same() {
    let room = Room::of(Kind::Memory, CostingMethod::Fifo).await;
    let key = room.key(0);
    let received = room.receive(&key, "5", "2").await;
    room.shop.clock.advance_seconds(60);
    let then = room.shop.now();
    room.shop.clock.advance_seconds(60);
    room.record(reset(&key, "5", None)).await;
    let late = |quantity| {
        let movement = supplier_return(&key, quantity, received.id);
        stocktake::service::NewMovement::from(movement).at(then)
    };
    room.record(late("4")).await;
    let problem = room.try_record(late("2")).await.expect_err("one is left");
    assert_eq!(problem.code(), "more_than_left");
}

#[tokio::test]
async fn fault_b2_an_orders_receipt_is_one() {
    let room = Room::with(Kind::Memory, |_| {}).await;
    let catalogue = room.shop.stocktake.catalogue();
    let supplier = room.shop.supplier.clone();
    let put = catalogue.put_supplier(&room.manager, supplier).await;
    put.expect("the supplier is there");
    let orders = room.shop.stocktake.inventory_orders();
    let new = NewInventoryOrder {
        site: room.shop.site.id,
        supplier: room.shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: None,
            supplier_email: None,
        },
    };
    let order = orders.create(&room.manager, new).await.expect("an order");
    let item = NewOrderItem {
        product: room.shop.products[0].id,
        variant: None,
        ordered: Ordered {
            quantity: amount("5"),
            unit_price_minor: 200,
        },
    };
    let added = orders.add_item(&room.manager, order.id(), item).await;
    added.expect("a line");
    let submitted = orders.submit(&room.manager, order.id()).await;
    submitted.expect("it is submitted");
    let all = ReceiveRequest::default();
    let received = orders.receive(&room.manager, order.id(), all).await;
    received.expect("it is received");
    let key = room.key(0);
    let stock = room.shop.stocktake.stock();
    let events = stock.key_events(&room.manager, &key, 0).await;
    let event = only(events.expect("the events can be read"));
    room.record(receipt(&key, "5", "9")).await;
    let six = supplier_return(&key, "6", event.id);
    refused(&room, six, "quantity", "more_than_left").await;
    room.record(supplier_return(&key, "5", event.id)).await;
    room.assert_sound().await;
}
