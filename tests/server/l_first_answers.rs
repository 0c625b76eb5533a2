//! A request that is sent again after what it was about is gone has its first answer.

use serde_json::{Value, json};

use crate::client::Request;
use crate::s3_orders::{new, ordered};
use crate::s4_lists::{listed, one};
use crate::shop::{COUNTER, Shop, each_store, id, product};

/// Sends every request with a key of its own, removes what they were about, and sends them again.
#[track_caller]
fn again_when_gone(what: &str, requests: Vec<Request>, gone: &Request) {
    let keyed: Vec<Request> = requests
        .into_iter()
        .enumerate()
        .map(|(number, request)| request.once(&format!("{what}/{number}")))
        .collect();
    let first: Vec<_> = keyed.iter().map(Request::send).collect();
    let gone = gone.clone().once(&format!("{what}/gone"));
    let removed = gone.send();
    assert!([200, 204].contains(&removed.status), "{}", removed.text);
    for (request, first) in keyed.iter().zip(&first) {
        assert!(first.status < 300, "{}: {}", request.call(), first.text);
        let again = request.send();
        assert_eq!(
            (again.status, without_progress(&again.text)),
            (first.status, without_progress(&first.text)),
            "{}",
            request.call()
        );
    }
    let again = gone.send();
    assert_eq!((again.status, again.text), (removed.status, removed.text));
}

/// A job goes on between two looks at it.
fn without_progress(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(job) = value.get_mut("job") {
        *job = job["id"].clone();
    }
    value
}

fn takes(shop: &Shop) {
    let take = shop.take();
    let path = format!("/inventory/stock-takes/{take}");
    let line = format!("{path}/items/{}", id(&shop.line(&take, "SKU-1")));
    let other = format!("{path}/items/{}", id(&shop.line(&take, "SKU-2")));
    again_when_gone(
        "line",
        vec![shop.put_by(COUNTER, &line, &json!({"counted_quantity": 38}))],
        &shop.delete(&line),
    );
    again_when_gone(
        "take",
        vec![
            shop.put(&path, &json!({"description": "b"})),
            shop.put_by(COUNTER, &other, &json!({"counted_quantity": 9})),
            shop.put_by(COUNTER, &other, &json!({"counted_quantity": null})),
            shop.post(&format!("{path}/submit"), &json!({})),
        ],
        &shop.delete(&path),
    );
}

fn lists(shop: &Shop) {
    let list = listed(shop, &["SKU-1"]);
    let path = format!("/{list}");
    let put = |rest: &str, body: &Value| shop.list("PUT", &format!("{path}{rest}")).json(body);
    let post = |rest: &str, body: &Value| shop.list("POST", &format!("{path}{rest}")).json(body);
    again_when_gone(
        "list",
        vec![
            put("", &json!({"name": "b"})),
            post("/articles", &json!({"articles": ["SKU-2"]})),
            post("/copy", &json!({})),
            put("/start", &json!({})),
            put(
                "/articles",
                &json!({"articleId": "SKU-1", "addedAmount": 2}),
            ),
            put("/finish", &json!({})),
        ],
        &shop.list("DELETE", &format!("/finished{path}")),
    );
    let named = shop
        .list("POST", "")
        .json(&json!({"name": "c"}))
        .once("list/new");
    let first = named.gives(201);
    let gone = shop.list("DELETE", &format!("/{}", id(&one(&first))));
    again_when_gone("new-list", Vec::new(), &gone);
    assert_eq!(named.gives(201), first);
}

fn orders(shop: &Shop) {
    let (order, items) = ordered(shop, &[(1, 2, 100), (2, 1, 5)]);
    let path = format!("/inventory/orders/{order}");
    let item = |number: usize| format!("{path}/items/{}", items[number]);
    again_when_gone(
        "item",
        vec![shop.put(&item(0), &json!({"quantity": 3}))],
        &shop.delete(&item(0)),
    );
    let added = json!({"product_id": product(1), "quantity": 1, "unit_price": 1});
    again_when_gone(
        "order",
        vec![
            shop.put(&path, &json!({"purchase_order_number": "b"})),
            shop.put(&item(1), &json!({"quantity": 4})),
            shop.post(&format!("{path}/items"), &added),
            shop.post(&format!("{path}/submit"), &json!({})),
        ],
        &shop.delete(&path),
    );
    let named = shop
        .post("/inventory/orders", &new(&json!("z")))
        .once("order/new");
    let first = named.gives(201);
    again_when_gone(
        "new-order",
        Vec::new(),
        &shop.delete(&format!("/inventory/orders/{}", id(&first))),
    );
    assert_eq!(named.gives(201), first);
}

#[test]
fn fault_l4_a_retried_request_has_its_first_answer_when_its_object_is_gone() {
    each_store(|shop| {
        takes(shop);
        lists(shop);
        orders(shop);
    });
}

#[test]
fn a_body_without_fields_changes_nothing() {
    each_store(|shop| {
        let take = shop.take();
        shop.count(&take, "SKU-1", &json!(38));
        let before = shop.line(&take, "SKU-1");
        let path = format!("/inventory/stock-takes/{take}/items/{}", id(&before));
        let same = shop.put_by(COUNTER, &path, &json!({})).gives(200);
        assert_eq!((&same, &shop.line(&take, "SKU-1")), (&before, &before));
        let (order, items) = ordered(shop, &[(1, 2, 100)]);
        let path = format!("/inventory/orders/{order}/items/{}", items[0]);
        let same = shop.put(&path, &json!({})).gives(200);
        assert_eq!(
            (&same["quantity"], &same["unit_price"]),
            (&json!(2), &json!(100))
        );
    });
}
