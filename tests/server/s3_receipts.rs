//! Inventory orders: submitting and receiving (S3.5, S3.6).

use serde_json::{Value, json};

use crate::s3_orders::ordered;
use crate::shop::{COUNTER, MANAGER, NOTHING, VIEWER, each_store};

fn call(order: &str, what: &str) -> String {
    format!("/inventory/orders/{order}/{what}")
}

#[test]
fn s3_05_an_order_is_submitted_and_again_after_an_edit() {
    each_store(|shop| {
        let (empty, _) = ordered(shop, &[]);
        shop.post(&call(&empty, "submit"), &json!({}))
            .refused(409, "no_lines");
        let (order, lines) = ordered(shop, &[(1, 10, 200)]);
        let submit = call(&order, "submit");
        shop.post_by(COUNTER, &submit, &json!({}))
            .refused(403, "forbidden");
        let first = shop.post(&submit, &json!({})).gives(200);
        assert_eq!(first["status"], "submitted");
        assert_eq!(first["items"][0]["quantity"], 10);
        assert_eq!(first["submitted_at"], first["last_submitted_at"]);
        // A letter can get lost: it is sent again.
        let again = shop.post(&submit, &json!({})).gives(200);
        assert_ne!(again["sending_job_id"], first["sending_job_id"]);
        let line = format!("{}/{}", call(&order, "items"), lines[0]);
        shop.put(&line, &json!({"quantity": 12})).expect(200);
        let second = shop.post(&submit, &json!({})).gives(200);
        assert_eq!(second["submitted_at"], first["submitted_at"]);
        assert_ne!(second["last_submitted_at"], first["last_submitted_at"]);
        shop.post(&call(NOTHING, "submit"), &json!({}))
            .refused(404, "not_found");
    });
}

#[test]
fn s3_06_a_receipt_names_what_tells_several_apart() {
    each_store(|shop| {
        let (order, lines) = ordered(shop, &[(6, 10, 200), (8, 4, 100)]);
        shop.post(&call(&order, "submit"), &json!({})).expect(200);
        let receive = call(&order, "receive");
        // The soap is at two places: which of them, nobody said.
        shop.post(&receive, &json!({}))
            .refused(422, "ambiguous_stock");
        let place = json!({"items": [{"id": lines[0], "quantity": 3, "stock_place": "B-01"},
            {"id": lines[1], "quantity": 2, "variant": "red", "stock_place": "C-01"},
            {"id": lines[1], "quantity": 2, "variant": "blue"}]});
        shop.post_by(COUNTER, &receive, &place).expect(200);
        let levels = |number: u32| {
            let path = format!("/stock-levels?product_id={}", crate::shop::product(number));
            let found = shop.get(&path).gives(200);
            let rows = found["data"].as_array().unwrap().iter();
            let told = |row: &Value| {
                (
                    row["variant"].clone(),
                    row["stock_place"].clone(),
                    row["quantity"].clone(),
                )
            };
            rows.map(told).collect::<Vec<_>>()
        };
        assert!(levels(6).contains(&(Value::Null, json!("B-01"), json!(8))));
        assert!(levels(8).contains(&(json!("red"), json!("C-01"), json!(2))));
        assert!(levels(8).contains(&(json!("blue"), Value::Null, json!(2))));
        // No part of a piece comes.
        let half = json!({"items": [{"id": lines[0], "quantity": 1.5, "stock_place": "B-01"}]});
        shop.post(&receive, &half).refused(422, "invalid_quantity");
        let halves = json!({"items": [{"id": lines[0], "quantity": 0.5, "stock_place": "B-01"},
            {"id": lines[0], "quantity": 0.5, "stock_place": "A-01"}]});
        shop.post(&receive, &halves)
            .refused(422, "invalid_quantity");
    });
}

#[test]
fn s3_06_an_order_is_received_whole_in_parts_or_closed_short() {
    each_store(|shop| {
        let (order, lines) = ordered(shop, &[(1, 10, 1400), (2, 6, 35)]);
        let receive = call(&order, "receive");
        shop.post(&receive, &json!({})).expect(409);
        shop.post(&call(&order, "submit"), &json!({})).expect(200);
        shop.post_by(VIEWER, &receive, &json!({}))
            .refused(403, "forbidden");
        let part = json!({"items": [{"id": lines[0], "quantity": 4}]});
        let first = shop
            .post_by(COUNTER, &receive, &part)
            .once("receipt-1")
            .gives(200);
        assert_eq!(first["status"], "submitted");
        assert_eq!(first["items"][0]["received_quantity"], 4);
        // Sent again with its key it comes once.
        shop.post_by(COUNTER, &receive, &part)
            .once("receipt-1")
            .expect(200);
        assert_eq!(shop.on_hand(1), 44);
        let events = shop.events(1);
        let last = events.last().unwrap();
        let told = (&last["kind"], &last["unit_cost"], &last["value_change"]);
        assert_eq!(told, (&json!("receipt"), &json!(14), &json!(56)));

        let too_many = json!({"items": [{"id": lines[0], "quantity": 7}]});
        shop.post(&receive, &too_many).refused(422, "over_receipt");
        for wrong in [
            json!({"items": [{"id": lines[0], "quantity": 0}]}),
            json!({"items": [{"id": lines[0], "quantity": -1}]}),
            json!({"items": [{"quantity": 1}]}),
            json!({"items": 7}),
            json!({"items": [[lines[0], 1]]}),
            json!([null]),
            json!({"lines": []}),
        ] {
            shop.post(&receive, &wrong).expect(422);
        }
        let foreign = json!({"items": [{"id": NOTHING, "quantity": 1}]});
        shop.post(&receive, &foreign).refused(404, "not_found");
        let rest = shop.post(&receive, &Value::Null).text("").gives(200);
        assert_eq!(rest["status"], "received");
        assert_eq!((shop.on_hand(1), shop.on_hand(2)), (json!(50), json!(106)));
        shop.post(&receive, &json!({})).expect(409);

        let (order, lines) = ordered(shop, &[(1, 10, 1400)]);
        shop.post(&call(&order, "close"), &json!({})).expect(409);
        shop.post(&call(&order, "submit"), &json!({})).expect(200);
        let part = json!({"items": [{"id": lines[0], "quantity": 3}]});
        shop.post(&call(&order, "receive"), &part).expect(200);
        shop.post_by(COUNTER, &call(&order, "close"), &json!({}))
            .refused(403, "forbidden");
        let closed = shop
            .post_by(
                MANAGER,
                &call(&order, "close"),
                &json!({"reason": "sold out"}),
            )
            .gives(200);
        assert_eq!(closed["status"], "received");
        assert_eq!(closed["items"][0]["received_quantity"], 3);
        assert_eq!(shop.on_hand(1), 53);
    });
}

#[test]
fn s3_06_what_is_tracked_by_batch_comes_in_a_batch_that_is_named() {
    each_store(|shop| {
        let (order, lines) = ordered(shop, &[(4, 10, 2900)]);
        let receive = call(&order, "receive");
        shop.post(&call(&order, "submit"), &json!({})).expect(200);
        let refused = shop
            .post(&receive, &json!({}))
            .refused(422, "batch_required");
        assert_eq!(refused["error"]["fields"][0]["field"], "batch_id");
        let parts = json!({"items": [{"id": lines[0], "quantity": 6, "batch_id": "LOT-8"},
            {"id": lines[0], "quantity": 4, "batch_id": "LOT-7", "serial_nr": null}]});
        let received = shop.post(&receive, &parts).gives(200);
        assert_eq!(received["status"], "received");
        let path = format!("/stock-levels?product_id={}", crate::shop::product(4));
        let levels = shop.get(&path).gives(200);
        let mut found: Vec<(&str, &Value)> = levels["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|level| (level["batch_id"].as_str().unwrap(), &level["quantity"]))
            .collect();
        found.sort_by_key(|(batch, _)| *batch);
        // The known batch goes to its shelf.
        assert_eq!(found, [("LOT-7", &json!(12)), ("LOT-8", &json!(6))]);
    });
}
