//! Stock at no place beside stock at places, over HTTP: what is left out does not say, `""` is none.

use serde_json::{Value, json};

use crate::s3_orders::ordered;
use crate::s4_lists::started;
use crate::shop::{COUNTER, Shop, each_store, product};

/// What is on hand of a product at each place.
#[track_caller]
fn places(shop: &Shop, number: u32) -> Vec<(Value, Value)> {
    let path = format!("/stock-levels?product_id={}", product(number));
    let found = shop.get(&path).gives(200);
    let rows = found["data"].as_array().unwrap().iter();
    let told = |row: &Value| (row["stock_place"].clone(), row["quantity"].clone());
    rows.map(told).collect()
}

#[track_caller]
fn holds(shop: &Shop, number: u32, place: &Value, quantity: i32) {
    let found = places(shop, number);
    let wanted = (place.clone(), json!(quantity));
    assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
}

/// Five of the balm, which is on a shelf, at no place.
#[track_caller]
fn some_at_no_place(shop: &Shop) {
    let body = json!({"productId": product(2), "stockPlace": "", "type": "FOUND", "quantityChange": 5, "reason": "till"});
    shop.post("/stock-adjustments", &body).expect(201);
    holds(shop, 2, &Value::Null, 5);
    holds(shop, 2, &json!("A-02"), 100);
}

#[test]
fn s2_09_stock_at_no_place_is_adjusted_beside_stock_at_one() {
    each_store(|shop| {
        some_at_no_place(shop);
        let body = |place: Value| {
            json!({"productId": product(2), "stockPlace": place, "type": "DAMAGE",
            "quantityChange": -1, "reason": "broken"})
        };
        for unsaid in [Value::Null, json!("A-09")] {
            let path = "/stock-adjustments";
            let refused = shop
                .post(path, &body(unsaid.clone()))
                .expect(if unsaid.is_null() { 422 } else { 409 });
            assert!(!refused.text.is_empty());
        }
        shop.post("/stock-adjustments", &body(json!(" ")))
            .expect(201);
        holds(shop, 2, &Value::Null, 4);
    });
}

#[test]
fn s2_03_stock_at_no_place_is_counted_beside_stock_at_one() {
    each_store(|shop| {
        some_at_no_place(shop);
        let new = json!({"name": "count", "type": "SPOT"});
        let count = crate::shop::id(&shop.post("/inventory-counts", &new).gives(201));
        let items = format!("/inventory-counts/{count}/items");
        let unsaid = json!({"productId": product(2), "countedQuantity": 3});
        shop.post(&items, &unsaid).refused(422, "ambiguous_stock");
        let none = json!({"productId": product(2), "stockPlace": "", "countedQuantity": 3});
        let counted = shop.post(&items, &none).gives(201);
        assert_eq!(
            (&counted["systemQuantity"], &counted["stockPlace"]),
            (&json!(5), &Value::Null)
        );
        let apply = json!({"applyAdjustments": true});
        shop.post(&format!("/inventory-counts/{count}/complete"), &apply)
            .expect(200);
        holds(shop, 2, &Value::Null, 3);
        holds(shop, 2, &json!("A-02"), 100);
    });
}

#[test]
fn s3_06_goods_are_received_at_no_place_beside_stock_at_one() {
    each_store(|shop| {
        some_at_no_place(shop);
        let (order, lines) = ordered(shop, &[(2, 6, 35)]);
        let call = |what: &str| format!("/inventory/orders/{order}/{what}");
        shop.post(&call("submit"), &json!({})).expect(200);
        let part = |place: Value| json!({"items": [{"id": lines[0], "quantity": 2, "stock_place": place}]});
        shop.post_by(COUNTER, &call("receive"), &part(Value::Null))
            .refused(422, "ambiguous_stock");
        shop.post_by(COUNTER, &call("receive"), &part(json!("")))
            .expect(200);
        holds(shop, 2, &Value::Null, 7);
    });
}

#[test]
fn s4_07_stock_at_no_place_is_counted_beside_stock_at_one() {
    each_store(|shop| {
        some_at_no_place(shop);
        let list = started(shop, &["SKU-2"]);
        let path = format!("/{list}/articles");
        let body =
            |place: Value| json!({"articleId": "SKU-2", "stockPlace": place, "addedAmount": 4});
        shop.list("PUT", &path).json(&body(Value::Null)).expect(422);
        let counted = shop.list("PUT", &path).json(&body(json!(""))).gives(200);
        assert_eq!(
            (&counted["amount"], &counted["inventoryAmount"]),
            (&json!(5), &json!(4))
        );
        let read = |query: &str| shop.list("GET", &format!("{path}/SKU-2{query}"));
        read("").expect(422);
        assert_eq!(read("?stock_place=").gives(200)["inventoryAmount"], 4);
        assert_eq!(read("?stock_place=A-02").gives(200)["inventoried"], false);
        // As XML is written, an element with nothing in it does not say, one with an empty text does.
        let xml = "<StocktakeArticleRequest><articleId>SKU-2</articleId><stockPlace></stockPlace>\
            <addedAmount>1</addedAmount></StocktakeArticleRequest>";
        let again = shop
            .list("PUT", &path)
            .content_type("application/xml")
            .text(xml);
        assert_eq!(again.gives(200)["inventoryAmount"], 5);
    });
}

#[test]
fn s5_01_values_of_one_place_or_of_none_are_imported() {
    each_store(|shop| {
        some_at_no_place(shop);
        let body = |value: i32| json!({"store-1": {"SKU-2": value}});
        let imported = |path: &str, value: i32| {
            let started = shop.post(path, &body(value)).gives(200);
            assert_eq!(shop.job(&started["job_id"])["status"], "succeeded");
        };
        shop.post("/imports/stock", &body(1))
            .refused(422, "ambiguous_stock");
        imported("/imports/stock?stock_place=", 6);
        imported("/imports/stock?stock_place=A-02&adjustment=true", -10);
        imported("/imports/stock?stock_place=C-07", 1);
        for (place, quantity) in [(Value::Null, 6), (json!("A-02"), 90), (json!("C-07"), 1)] {
            holds(shop, 2, &place, quantity);
        }
        let gone = shop.delete("/imports/stock?stock_place=").json(&body(0));
        let gone = gone.gives(200);
        shop.job(&gone["job_id"]);
        let left = places(shop, 2);
        assert!(left.iter().all(|(place, _)| !place.is_null()), "{left:?}");
    });
}

#[test]
fn s5_01_stock_of_no_variant_is_imported_beside_variants() {
    each_store(|shop| {
        let body = json!({"store-1": {"SKU-8": {"red": 4, "": 3}}});
        let started = shop.post("/imports/stock", &body).gives(200);
        assert_eq!(started["message"], "Import of 2 stock value(s) initiated");
        shop.job(&started["job_id"]);
        let twice = r#"{"store-1": {"SKU-8": {"": 1, " ": 2}}}"#;
        let twice = shop.post("/imports/stock", &json!({})).text(twice);
        twice.refused(422, "duplicate_key");
        let path = format!("/stock-levels?product_id={}", product(8));
        let found = shop.get(&path).gives(200);
        let rows = found["data"].as_array().unwrap().iter();
        let told: Vec<(Value, Value)> = rows
            .map(|row| (row["variant"].clone(), row["quantity"].clone()))
            .collect();
        assert_eq!(told, [(Value::Null, json!(3)), (json!("red"), json!(4))]);
    });
}

/// The seed's soap is at two places; the one that was emptied is not meant any more.
#[test]
fn s2_09_an_empty_place_does_not_make_the_other_ambiguous() {
    each_store(|shop| {
        let body = |place: Value, change: i32| {
            json!({"productId": product(6), "stockPlace": place, "type": "CORRECTION",
            "quantityChange": change, "reason": "moved"})
        };
        let path = "/stock-adjustments";
        shop.post(path, &body(json!("B-01"), -5)).expect(201);
        shop.post(path, &body(Value::Null, -2)).expect(201);
        holds(shop, 6, &json!("A-01"), 18);
        holds(shop, 6, &json!("B-01"), 0);
    });
}

/// What nobody tracks has no batches and no numbers: stock under one would be stock that its plain name does not mean.
#[test]
fn s2_03_s2_09_s3_06_batches_and_serial_numbers_of_untracked_products_are_refused() {
    each_store(|shop| {
        let (order, lines) = ordered(shop, &[(2, 6, 35)]);
        let call = |what: &str| format!("/inventory/orders/{order}/{what}");
        shop.post(&call("submit"), &json!({})).expect(200);
        let new = json!({"name": "count", "type": "SPOT"});
        let count = crate::shop::id(&shop.post("/inventory-counts", &new).gives(201));
        let take = shop.take();
        for (camel, snake, code) in [
            ("batchId", "batch_id", "batch_untracked"),
            ("serialNr", "serial_nr", "serial_untracked"),
        ] {
            let refused = |path: &str, body: &Value, field: &str| {
                let told = shop.post(path, body).refused(422, code);
                assert_eq!(told["error"]["fields"][0]["field"], field, "{path}: {told}");
            };
            let count = format!("/inventory-counts/{count}/items");
            let body = json!({"productId": product(2), camel: "X-1", "countedQuantity": 1});
            refused(&count, &body, camel);
            let body = json!({"productId": product(2), camel: "X-1", "type": "FOUND", "quantityChange": 1, "reason": "r"});
            refused("/stock-adjustments", &body, camel);
            let body = json!({"items": [{"id": lines[0], "quantity": 1, snake: "X-1"}]});
            refused(&call("receive"), &body, snake);
            let body = json!({"article_id": "SKU-2", snake: "X-1"});
            refused(
                &format!("/inventory/stock-takes/{take}/items"),
                &body,
                snake,
            );
        }
    });
}
