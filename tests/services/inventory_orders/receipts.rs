//! S3.6: what comes, at what cost, and never more than it may.

use std::collections::BTreeMap;
use std::sync::Arc;

use stocktake::domain::{
    Cause, InventoryOrder, InventoryOrderId, InventoryOrderItemId, InventoryOrderState,
    MAX_UNIT_PRICE_MINOR, NamePart, Quantity, ReceiptPolicy, StockEvent, StockEventKind, StockKey,
    Tracking,
};
use stocktake::service::{
    Caller, Error, ErrorKind, Movement, OrderItemUpdate, ReceiptLine, ReceiveRequest,
};
use stocktake::store::IdempotencyKey;
use stocktake::testing::{Shop, shop};

use super::{draft, items, line, manager, q};

async fn emptied() -> Shop {
    let shop = shop();
    shop.open_empty().await.unwrap();
    shop
}

/// A submitted order with a line for each of the quantities and prices: product 0, 1, 2 ...
async fn ordered(
    shop: &Shop,
    lines: &[(&str, i64)],
) -> (InventoryOrderId, Vec<InventoryOrderItemId>) {
    let (orders, caller) = (shop.stocktake.inventory_orders(), manager(shop));
    let order = draft(shop).await.id();
    let mut items = Vec::new();
    for (number, (quantity, price)) in lines.iter().enumerate() {
        let line = line(shop, number, quantity, *price);
        items.push(orders.add_item(&caller, order, line).await.unwrap().id());
    }
    orders.submit(&caller, order).await.unwrap();
    (order, items)
}

async fn receive(
    shop: &Shop,
    order: InventoryOrderId,
    lines: &[(InventoryOrderItemId, &str)],
) -> Result<InventoryOrder, Error> {
    let lines = lines
        .iter()
        .map(|(item, quantity)| ReceiptLine::of(*item, q(quantity)));
    shop.stocktake
        .inventory_orders()
        .receive(
            &Caller::of(&shop.counter),
            order,
            ReceiveRequest::of(lines.collect()),
        )
        .await
}

async fn receive_all(shop: &Shop, order: InventoryOrderId) -> Result<InventoryOrder, Error> {
    shop.stocktake
        .inventory_orders()
        .receive(&manager(shop), order, ReceiveRequest::all())
        .await
}

async fn events(shop: &Shop) -> Vec<StockEvent> {
    let ledger = shop
        .stocktake
        .stock()
        .ledger(&manager(shop), shop.site.id, 0, 1_000)
        .await;
    ledger
        .unwrap()
        .into_iter()
        .map(|entry| entry.event)
        .collect()
}

async fn assert_sound(shop: &Shop) {
    let found = shop
        .stocktake
        .stock()
        .verify(&manager(shop), shop.site.id)
        .await
        .unwrap();
    assert!(found.is_sound(), "{found:?}");
}

#[tokio::test]
async fn s3_6_all_that_is_outstanding_comes_in_at_the_ordered_price() {
    let shop = emptied().await;
    let (order, items) = ordered(&shop, &[("10", 199), ("3", 1_250)]).await;
    let received = receive_all(&shop, order).await.unwrap();
    assert_eq!(received.state(), InventoryOrderState::Received);
    assert_eq!(
        (received.outstanding_items(), received.received_at()),
        (0, Some(shop.now()))
    );
    assert_eq!(received.subtotal_minor(), 5_740, "what was ordered stays");
    let events = events(&shop).await;
    assert_eq!(events.len(), 2);
    for (event, (item, quantity, cost)) in events
        .iter()
        .zip([(items[0], "10", "1.99"), (items[1], "3", "12.5")])
    {
        assert_eq!(
            (event.kind, event.change),
            (StockEventKind::Receipt, q(quantity))
        );
        assert_eq!(event.unit_cost, cost.parse().unwrap());
        assert_eq!(event.cause, Cause::Order { order, item });
        assert_eq!(
            event.reference.as_ref().map(ToString::to_string).as_deref(),
            Some("PO123")
        );
    }
    let level = shop
        .stocktake
        .stock()
        .level(&manager(&shop), &shop.key(1))
        .await
        .unwrap();
    let layers = level.valuation().layers();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].left.unit_cost, "12.5".parse().unwrap());
    let again = receive_all(&shop, order).await.unwrap_err();
    assert_eq!(
        (again.kind(), again.code()),
        (ErrorKind::Conflict, "invalid_state")
    );
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_parts_come_in_several_receipts() {
    let shop = emptied().await;
    let (order, items) = ordered(&shop, &[("10", 200), ("5", 300)]).await;
    let first = receive(&shop, order, &[(items[0], "4")]).await.unwrap();
    assert_eq!(
        (first.state(), first.outstanding_items()),
        (InventoryOrderState::Submitted, 2)
    );
    let second = receive(&shop, order, &[(items[0], "6"), (items[1], "1")])
        .await
        .unwrap();
    assert_eq!(
        (second.state(), second.outstanding_items()),
        (InventoryOrderState::Submitted, 1)
    );
    let over = receive(&shop, order, &[(items[0], "1")]).await.unwrap_err();
    assert_eq!(
        (over.kind(), over.code()),
        (ErrorKind::Invalid, "over_receipt")
    );
    let last = receive_all(&shop, order).await.unwrap();
    assert_eq!(last.state(), InventoryOrderState::Received);
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("10"));
    assert_eq!(shop.on_hand(&shop.key(1)).await.unwrap(), q("5"));
    let changes: Vec<Quantity> = events(&shop)
        .await
        .iter()
        .map(|event| event.change)
        .collect();
    assert_eq!(changes, ["4", "6", "1", "4"].map(q));
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_more_than_ordered_comes_only_as_far_as_the_site_tolerates() {
    let mut shop = emptied().await;
    shop.site.policy.receipts = ReceiptPolicy {
        over_receipt_percent: q("10"),
    };
    shop.stocktake
        .catalogue()
        .put_site(&manager(&shop), shop.site.clone())
        .await
        .unwrap();
    let (order, items) = ordered(&shop, &[("10", 200), ("10", 200), ("10", 200)]).await;
    let refused = receive(
        &shop,
        order,
        &[(items[0], "12"), (items[1], "11"), (items[2], "12")],
    )
    .await;
    let Err(Error::Invalid(fields)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(fields.len(), 2, "every line that can't be received is told");
    assert!(fields.iter().all(|field| field.code == "over_receipt"));
    assert!(fields[0].message.starts_with("line 1, SKU-0: "));
    assert!(
        events(&shop).await.is_empty(),
        "it lands whole, or not at all"
    );

    receive(
        &shop,
        order,
        &[(items[0], "11"), (items[1], "9"), (items[2], "10")],
    )
    .await
    .unwrap();
    let over = receive(&shop, order, &[(items[0], "1")]).await.unwrap_err();
    assert_eq!(over.code(), "over_receipt");
    let done = receive(&shop, order, &[(items[1], "2")]).await.unwrap();
    assert_eq!(done.state(), InventoryOrderState::Received);
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_what_is_no_receipt_is_refused() {
    let shop = emptied().await;
    let (order, items) = ordered(&shop, &[("10", 200)]).await;
    for quantity in ["0", "-1"] {
        let refused = receive(&shop, order, &[(items[0], quantity)])
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "invalid_quantity", "{quantity}");
    }
    assert_eq!(
        receive(&shop, order, &[]).await.unwrap_err().code(),
        "nothing_to_receive"
    );
    let (_, others) = ordered(&shop, &[("10", 200)]).await;
    let foreign = receive(&shop, order, &[(items[0], "1"), (others[0], "1")]).await;
    assert_eq!(foreign.unwrap_err().code(), "not_found");
    assert!(events(&shop).await.is_empty());

    let draft = draft(&shop).await.id();
    let refused = receive_all(&shop, draft).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (ErrorKind::Conflict, "invalid_state")
    );
}

#[tokio::test]
async fn s3_6_the_rest_is_closed_short() {
    let shop = emptied().await;
    let orders = shop.stocktake.inventory_orders();
    let (order, items) = ordered(&shop, &[("10", 200)]).await;
    receive(&shop, order, &[(items[0], "4")]).await.unwrap();
    let why = Some("discontinued".parse().unwrap());
    let counter = orders
        .close_short(&Caller::of(&shop.counter), order, why.clone())
        .await;
    assert_eq!(counter.unwrap_err().code(), "forbidden");
    let closed = orders
        .close_short(&manager(&shop), order, why.clone())
        .await
        .unwrap();
    assert_eq!(closed.state(), InventoryOrderState::Received);
    assert_eq!(closed.closed_short().unwrap().reason, why);
    let item = orders.item(&manager(&shop), order, items[0]).await.unwrap();
    assert_eq!(
        (closed.outstanding(&item), item.missing()),
        (q("0"), q("6"))
    );
    let late = receive(&shop, order, &[(items[0], "1")]).await.unwrap_err();
    assert_eq!(late.code(), "invalid_state");
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("4"));
}

#[tokio::test]
async fn s3_6_minor_units_become_unit_costs_in_every_currency() {
    for (currency, cost) in [("jpy", "1999"), ("kwd", "1.999"), ("gbp", "19.99")] {
        let mut shop = shop();
        shop.site.currency = currency.parse().unwrap();
        shop.open_empty().await.unwrap();
        let (order, _) = ordered(&shop, &[("2", 1_999)]).await;
        receive_all(&shop, order).await.unwrap();
        let events = events(&shop).await;
        assert_eq!(events[0].unit_cost, cost.parse().unwrap(), "{currency}");
        assert_sound(&shop).await;
    }
}

#[tokio::test]
async fn s3_6_a_value_beyond_the_range_is_refused_and_nothing_lands() {
    let mut shop = shop();
    shop.site.currency = "jpy".parse().unwrap();
    shop.open_empty().await.unwrap();
    // As much as a key may be worth is ordered, and something is there already.
    let there = Movement::Receipt {
        key: shop.key(0),
        quantity: q("1"),
        unit_cost: Some("1".parse().unwrap()),
    };
    let stock = shop.stocktake.stock();
    let there = [there.into()];
    stock
        .record(&manager(&shop), shop.site.id, &there)
        .await
        .unwrap();
    let (order, items) = ordered(&shop, &[("100000", MAX_UNIT_PRICE_MINOR)]).await;
    let refused = receive_all(&shop, order).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (ErrorKind::Invalid, "out_of_range")
    );
    assert_eq!(events(&shop).await.len(), 1);
    receive(&shop, order, &[(items[0], "1000")]).await.unwrap();
    assert_eq!(
        events(&shop).await[1].unit_cost.to_string(),
        "1000000000000"
    );
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_goods_go_to_the_only_key_or_the_one_that_is_named() {
    let shop = emptied().await;
    let place = |number: usize, place: &str| shop.key(number).at(place.parse().unwrap());
    let stock: Vec<_> = [place(0, "A"), place(1, "A"), place(1, "B")]
        .map(|key| {
            Movement::Receipt {
                key,
                quantity: q("1"),
                unit_cost: Some("1".parse().unwrap()),
            }
            .into()
        })
        .into();
    shop.stocktake
        .stock()
        .record(&manager(&shop), shop.site.id, &stock)
        .await
        .unwrap();
    let (order, items) = ordered(&shop, &[("10", 200), ("10", 200), ("10", 200)]).await;
    let refused = receive_all(&shop, order).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (ErrorKind::Invalid, "ambiguous_stock")
    );
    let told = refused.to_string();
    assert!(
        told.contains("line 2, SKU-1: one of: stock place A; stock place B"),
        "{told}"
    );

    let named = |key: StockKey| {
        let all = |item| ReceiptLine {
            item,
            quantity: None,
            key: None,
            variant: NamePart::Any,
            place: NamePart::Any,
            batch: NamePart::Any,
            serial: NamePart::Any,
        };
        ReceiveRequest::of(vec![all(items[0]), all(items[1]).to(key), all(items[2])])
    };
    let orders = shop.stocktake.inventory_orders();
    let wrong = orders
        .receive(&manager(&shop), order, named(place(2, "B")))
        .await;
    assert_eq!(wrong.unwrap_err().code(), "another_product");
    orders
        .receive(&manager(&shop), order, named(place(1, "B")))
        .await
        .unwrap();
    for (key, on_hand) in [
        (place(0, "A"), "11"),
        (place(1, "A"), "1"),
        (place(1, "B"), "11"),
        (shop.key(2), "10"),
    ] {
        assert_eq!(shop.on_hand(&key).await.unwrap(), q(on_hand), "{key}");
    }
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_goods_arrive_at_the_site_s_place_unless_they_name_another() {
    let mut shop = shop();
    shop.site.policy.receiving_place = Some("DOCK".parse().unwrap());
    shop.open().await.unwrap();
    let (order, items) = ordered(&shop, &[("10", 200), ("4", 100)]).await;
    let orders = shop.stocktake.inventory_orders();
    let lines = vec![
        ReceiptLine {
            variant: NamePart::Is("red".parse().unwrap()),
            ..ReceiptLine::of(items[0], q("3"))
        },
        ReceiptLine {
            place: NamePart::Is("A-9".parse().unwrap()),
            ..ReceiptLine::of(items[0], q("2"))
        },
    ];
    orders
        .receive(&manager(&shop), order, ReceiveRequest::of(lines))
        .await
        .unwrap();
    orders
        .receive(&manager(&shop), order, ReceiveRequest::all())
        .await
        .unwrap();
    let dock = |product: usize| shop.key(product).at("DOCK".parse().unwrap());
    let red = StockKey {
        variant: Some("red".parse().unwrap()),
        ..dock(0)
    };
    let shelf = shop.key(0).at("A-9".parse().unwrap());
    // The rest of the first line fits the only key of its product at the dock.
    for (key, on_hand) in [(red, "8"), (shelf, "2"), (dock(1), "4")] {
        assert_eq!(shop.on_hand(&key).await.unwrap(), q(on_hand), "{key}");
    }
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_a_part_may_name_only_its_batch_or_its_serial_number() {
    let mut shop = shop();
    shop.products[0].tracking = Tracking::Batch;
    shop.products[1].tracking = Tracking::Serial;
    shop.open_empty().await.unwrap();
    let (order, items) = ordered(&shop, &[("10", 200), ("1", 900)]).await;
    let orders = shop.stocktake.inventory_orders();
    let code = |text: &str| text.parse().unwrap();
    let line = ReceiptLine::of;
    let lines = vec![
        ReceiptLine {
            batch: NamePart::Is(code("B-1")),
            ..line(items[0], q("4"))
        },
        ReceiptLine {
            batch: NamePart::Is(code("B-2")),
            ..line(items[0], q("6"))
        },
        ReceiptLine {
            serial: NamePart::Is(code("SN-1")),
            ..line(items[1], q("1"))
        },
    ];
    let request = ReceiveRequest::of(lines);
    let received = orders.receive(&manager(&shop), order, request).await;
    assert_eq!(received.unwrap().state(), InventoryOrderState::Received);
    let batch = |text: &str| shop.key(0).in_batch(text.parse().unwrap());
    let serial = StockKey {
        serial: Some(code("SN-1")),
        ..shop.key(1)
    };
    for (key, on_hand) in [(batch("B-1"), "4"), (batch("B-2"), "6"), (serial, "1")] {
        assert_eq!(shop.on_hand(&key).await.unwrap(), q(on_hand), "{key}");
    }
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_batches_and_serial_numbers_are_named() {
    let mut shop = shop();
    shop.products[0].tracking = Tracking::Batch;
    shop.products[1].tracking = Tracking::Serial;
    shop.open_empty().await.unwrap();
    let (order, items) = ordered(&shop, &[("10", 200), ("2", 900)]).await;
    let orders = shop.stocktake.inventory_orders();
    let refused = receive_all(&shop, order).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (ErrorKind::Invalid, "batch_required")
    );
    let code = |error: Error| error.code();
    let no_serial = receive(&shop, order, &[(items[1], "1")]).await;
    assert_eq!(no_serial.map_err(code), Err("serial_required"));

    let batch = |text: &str| shop.key(0).in_batch(text.parse().unwrap());
    let serial = |text: &str| shop.key(1).with_serial(text.parse().unwrap());
    let two = ReceiptLine::of(items[1], q("2")).to(serial("S1"));
    let refused = orders
        .receive(&manager(&shop), order, ReceiveRequest::of(vec![two]))
        .await;
    assert_eq!(refused.map_err(code), Err("serial_conflict"));
    let lines = vec![
        ReceiptLine::of(items[0], q("6")).to(batch("B1")),
        ReceiptLine::of(items[0], q("4")).to(batch("B2")),
        ReceiptLine::of(items[1], q("1")).to(serial("S1")),
        ReceiptLine::of(items[1], q("1")).to(serial("S2")),
    ];
    let mut more = lines.clone();
    more.push(ReceiptLine::of(items[0], q("1")).to(batch("B3")));
    let over = orders
        .receive(&manager(&shop), order, ReceiveRequest::of(more))
        .await;
    assert_eq!(
        over.map_err(code),
        Err("over_receipt"),
        "the parts of a line are added up"
    );
    let done = orders
        .receive(&manager(&shop), order, ReceiveRequest::of(lines))
        .await
        .unwrap();
    assert_eq!(done.state(), InventoryOrderState::Received);
    for (key, on_hand) in [
        (batch("B1"), "6"),
        (batch("B2"), "4"),
        (serial("S1"), "1"),
        (serial("S2"), "1"),
    ] {
        assert_eq!(shop.on_hand(&key).await.unwrap(), q(on_hand));
    }
    assert_sound(&shop).await;
}

#[tokio::test]
async fn s3_6_an_edit_never_goes_below_what_has_come() {
    let shop = emptied().await;
    let orders = shop.stocktake.inventory_orders();
    let (order, items) = ordered(&shop, &[("10", 200), ("5", 100)]).await;
    receive(&shop, order, &[(items[0], "4")]).await.unwrap();
    let to = |quantity: &str| OrderItemUpdate {
        quantity: Some(q(quantity)),
        unit_price_minor: None,
    };
    let below = orders
        .update_item(&manager(&shop), order, items[0], to("3"))
        .await
        .unwrap_err();
    assert_eq!(
        (below.kind(), below.code()),
        (ErrorKind::Invalid, "below_received")
    );
    let deleted = orders
        .delete_item(&manager(&shop), order, items[0])
        .await
        .unwrap_err();
    assert_eq!(deleted.code(), "item_received");
    orders
        .update_item(&manager(&shop), order, items[0], to("4"))
        .await
        .unwrap();
    orders
        .delete_item(&manager(&shop), order, items[1])
        .await
        .unwrap();
    let done = orders.get(&manager(&shop), order).await.unwrap();
    assert_eq!(
        done.state(),
        InventoryOrderState::Received,
        "nothing is outstanding any more"
    );
    assert_eq!((done.subtotal_minor(), done.item_count()), (800, 1));
}

#[tokio::test]
async fn s3_6_the_same_key_receives_once() {
    let shop = emptied().await;
    let (order, items) = ordered(&shop, &[("10", 200)]).await;
    let once = manager(&shop).with_key(IdempotencyKey::new("delivery-1").unwrap());
    let request = ReceiveRequest::of(vec![ReceiptLine::of(items[0], q("4"))]);
    let orders = shop.stocktake.inventory_orders();
    let first = orders.receive(&once, order, request.clone()).await.unwrap();
    assert_eq!(orders.receive(&once, order, request).await.unwrap(), first);
    let other = orders
        .receive(&once, order, ReceiveRequest::all())
        .await
        .unwrap_err();
    assert_eq!(other.code(), "idempotency_key_reused");
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("4"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_6_receipts_at_once_never_take_in_more_than_was_ordered() {
    for _ in 0..20 {
        let shop = Arc::new(emptied().await);
        let (order, ids) = ordered(&shop, &[("10", 200), ("10", 300)]).await;
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let (shop, item) = (shop.clone(), ids[number % 2]);
                tokio::spawn(async move {
                    match number {
                        0 | 1 => receive_all(&shop, order).await,
                        _ => receive(&shop, order, &[(item, "4")]).await,
                    }
                })
            })
            .collect();
        let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
        for task in tasks {
            let code = task
                .await
                .unwrap()
                .map_or_else(|error| error.code(), |_| "ok");
            *codes.entry(code).or_default() += 1;
        }
        let expected = ["ok", "over_receipt", "invalid_state"];
        assert!(
            codes.keys().all(|code| expected.contains(code)),
            "{codes:?}"
        );
        let lines = items(&shop, order).await;
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line.received(), q("10"), "{codes:?}");
            assert_eq!(shop.on_hand(&shop.key(number)).await.unwrap(), q("10"));
        }
        assert_sound(&shop).await;
    }
}

#[tokio::test]
async fn s3_6_goods_that_are_booked_late_are_dated_when_they_came() {
    let shop = emptied().await;
    let (order, _) = ordered(&shop, &[("10", 200)]).await;
    let came = shop.now();
    shop.clock.advance_seconds(3_600);
    let request = |occurred_at| ReceiveRequest {
        lines: None,
        occurred_at: Some(occurred_at),
    };
    let orders = shop.stocktake.inventory_orders();
    let ahead = request(shop.now().later_by(600 * 1_000_000));
    let refused = orders
        .receive(&manager(&shop), order, ahead)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "future_dated");
    orders
        .receive(&manager(&shop), order, request(came))
        .await
        .unwrap();
    let event = &events(&shop).await[0];
    assert_eq!((event.occurred_at, event.recorded_at), (came, shop.now()));
}

#[tokio::test]
async fn s3_6_the_largest_order_comes_in_one_receipt() {
    let shop = emptied().await;
    let (orders, caller) = (shop.stocktake.inventory_orders(), manager(&shop));
    let order = draft(&shop).await.id();
    for number in 0..5_000 {
        let new = line(&shop, number % 10, "1", 100);
        orders.add_item(&caller, order, new).await.unwrap();
    }
    let more = orders
        .add_item(&caller, order, line(&shop, 0, "1", 100))
        .await;
    assert_eq!(more.unwrap_err().code(), "too_many_lines");
    orders.submit(&caller, order).await.unwrap();
    let received = receive_all(&shop, order).await.unwrap();
    assert_eq!(received.state(), InventoryOrderState::Received);
    for number in 0..10 {
        assert_eq!(shop.on_hand(&shop.key(number)).await.unwrap(), q("500"));
    }
    assert_sound(&shop).await;
}
