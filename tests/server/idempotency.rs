//! Idempotency keys, on every call that changes something.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Request;
use crate::s4_lists::one;
use crate::shop::{ANN, SITE, SUPPLIER, Shop, VIEWER, each_store, id, product};

const TAKES: &str = "/inventory/stock-takes";

#[test]
fn an_idempotency_key_is_good_for_one_request() {
    each_store(|shop| {
        let new = |text: &str| json!({ "description": text });
        let create = |body: &Value| shop.post(TAKES, body).once("key-1");
        let first = create(&new("a")).gives(201);
        assert_eq!(create(&new("a")).gives(201), first);
        create(&new("b")).refused(409, "idempotency_key_reused");
        shop.post_by(ANN, TAKES, &new("a"))
            .once("key-1")
            .refused(409, "idempotency_key_reused");
        let list = shop.get(&format!("{TAKES}?site_id={SITE}")).gives(200);
        assert_eq!(list["meta"]["total"], 1);
        // What was refused keeps no key.
        shop.post_by(VIEWER, TAKES, &new("c"))
            .once("key-2")
            .refused(403, "forbidden");
        shop.post(TAKES, &json!({})).once("key-2").expect(422);
        shop.post(TAKES, &new("c")).once("key-2").expect(201);
        for wrong in ["two words", "ü", &"x".repeat(256)] {
            let refused = shop
                .post(TAKES, &new("a"))
                .once(wrong)
                .refused(422, "invalid_idempotency_key");
            assert_eq!(refused["error"]["fields"][0]["field"], "Idempotency-Key");
        }
    });
}

#[test]
fn idempotency_keys_are_honoured_by_every_document() {
    each_store(|shop| {
        let twice = |request: &dyn Fn() -> crate::client::Request, status: u16| {
            let first = request().gives(status);
            assert_eq!(request().gives(status), first);
        };
        let damage =
            json!({"productId": product(1), "type": "DAMAGE", "quantityChange": -1, "reason": "a"});
        twice(
            &|| shop.post("/stock-adjustments", &damage).once("damage"),
            201,
        );
        assert_eq!(shop.on_hand(1), 39);
        let count = json!({"name": "January", "type": "FULL"});
        twice(
            &|| shop.post("/inventory-counts", &count).once("count"),
            201,
        );
        let order = crate::s3_orders::new(&Value::Null);
        twice(
            &|| shop.post("/inventory/orders", &order).once("order"),
            201,
        );
        let list = json!({"name": "Spring"});
        twice(&|| shop.list("POST", "").json(&list).once("list"), 201);
        let take = shop.take();
        let line = id(&shop.line(&take, "SKU-1"));
        let path = format!("{TAKES}/{take}/items/{line}");
        let counted = json!({"counted_quantity": 38});
        twice(&|| shop.put(&path, &counted).once("line"), 200);
        // The first answer, whatever was counted since.
        shop.put(&path, &json!({"counted_quantity": 7})).expect(200);
        let again = shop.put(&path, &counted).once("line").gives(200);
        assert_eq!(again["counted_quantity"], 38);
        assert_eq!(shop.line(&take, "SKU-1")["counted_quantity"], 7);
        let post = format!("{TAKES}/{take}/post");
        let first = shop.post(&post, &json!({})).once("post").gives(200);
        shop.job(&first["job"]["id"]);
        let again = shop.post(&post, &json!({})).once("post").gives(200);
        assert_eq!(again["job"]["id"], first["job"]["id"]);
    });
}

/// Sends requests twice, each with a key of its own, and keeps which calls they were.
#[derive(Debug, Default)]
struct Twice {
    calls: BTreeSet<String>,
}

impl Twice {
    /// The second answer is the first one; with the same key, what is not the same request is refused.
    #[track_caller]
    fn send(&mut self, request: &Request, status: u16, other: Option<Request>) -> Value {
        let call = request.call();
        let keyed = |request: Request| request.once(&format!("twice/{}", self.calls.len()));
        let first = keyed(request.clone()).gives(status);
        let mut again = keyed(request.clone()).gives(status);
        if again["job"].is_object() {
            // A job goes on between two looks at it.
            assert_eq!(again["job"]["id"], first["job"]["id"], "{call}");
            again = first.clone();
        }
        assert_eq!(again, first, "{call}");
        if let Some(other) = other {
            let refused = keyed(other).gives(409);
            let code = refused["errorData"]["code"].as_str();
            let code = code.or(refused["error"]["code"].as_str());
            assert_eq!(code, Some("idempotency_key_reused"), "{call}");
        }
        assert!(self.calls.insert(call.clone()), "{call}");
        first
    }

    fn takes(&mut self, shop: &Shop) {
        let described = |text: &str| shop.post(TAKES, &json!({ "description": text }));
        let take = id(&self.send(&described("a"), 201, Some(described("b"))));
        let path = format!("{TAKES}/{take}");
        shop.until(&path, |take| take["items_added"] == true);
        let renamed = |text: &str| shop.put(&path, &json!({ "description": text }));
        self.send(&renamed("c"), 200, Some(renamed("d")));
        let line = format!("{path}/items/{}", id(&shop.line(&take, "SKU-1")));
        let counted = |quantity: u32| shop.put(&line, &json!({ "counted_quantity": quantity }));
        self.send(&counted(38), 200, Some(counted(37)));
        let found = |place: &str| {
            let body = json!({"article_id": "SKU-8", "stock_place": place});
            shop.post(&format!("{path}/items"), &body)
        };
        self.send(&found("C-01"), 201, Some(found("C-02")));
        let post = shop.post(&format!("{path}/post"), &json!({}));
        let other = shop.post(&format!("{TAKES}/{}/post", shop.take()), &json!({}));
        let queued = self.send(&post, 200, Some(other));
        shop.job(&queued["job"]["id"]);
        let submit = |take: &str| shop.post(&format!("{TAKES}/{take}/submit"), &json!({}));
        self.send(&submit(&shop.take()), 200, Some(submit(&shop.take())));
        assert_eq!(shop.events(1).len(), 3);
    }

    fn counts(&mut self, shop: &Shop) {
        let path = "/inventory-counts";
        let named = |name: &str| shop.post(path, &json!({"name": name, "type": "FULL"}));
        let count = id(&self.send(&named("a"), 201, Some(named("b"))));
        let items = format!("{path}/{count}/items");
        let counted = |quantity: u32| {
            let body = json!({"productId": product(2), "countedQuantity": quantity});
            shop.post(&items, &body)
        };
        self.send(&counted(99), 201, Some(counted(98)));
        let completed = |applied: bool| {
            let body = json!({ "applyAdjustments": applied });
            shop.post(&format!("{path}/{count}/complete"), &body)
        };
        self.send(&completed(true), 200, Some(completed(false)));
        assert_eq!(shop.on_hand(2), 99);
        let second = id(&named("c").gives(201));
        let cancelled = |count: &str| shop.post(&format!("{path}/{count}/cancel"), &json!({}));
        self.send(&cancelled(&second), 200, Some(cancelled(&count)));
    }

    fn adjustments(&mut self, shop: &Shop) {
        let path = "/stock-adjustments";
        let changed = |change: i32, kind: &str| {
            let body = json!({"productId": product(3), "type": kind, "quantityChange": change, "reason": "a"});
            shop.post(path, &body)
        };
        let (damage, more) = (changed(-1, "DAMAGE"), changed(-2, "DAMAGE"));
        self.send(&damage, 201, Some(more));
        assert_eq!(shop.on_hand(3), 24);
        let waiting = || id(&changed(-1, "THEFT").gives(201));
        let (first, second) = (waiting(), waiting());
        let approved = |note: &str| {
            let body = json!({ "notes": note });
            shop.post_by(ANN, &format!("{path}/{first}/approve"), &body)
        };
        self.send(&approved("a"), 200, Some(approved("b")));
        assert_eq!(shop.on_hand(3), 23);
        let rejected = |reason: &str| {
            let body = json!({ "reason": reason });
            shop.post_by(ANN, &format!("{path}/{second}/reject"), &body)
        };
        self.send(&rejected("a"), 200, Some(rejected("b")));
    }

    fn orders(&mut self, shop: &Shop) {
        let path = "/inventory/orders";
        let numbered = |number: &str| {
            let body = json!({"purchase_order_number": number, "supplier_id": SUPPLIER, "supplier_email": null,
                "site_id": SITE});
            shop.post(path, &body)
        };
        let order = id(&self.send(&numbered("a"), 201, Some(numbered("b"))));
        let order = format!("{path}/{order}");
        let renamed = |number: &str| shop.put(&order, &json!({ "purchase_order_number": number }));
        self.send(&renamed("c"), 200, Some(renamed("d")));
        let items = format!("{order}/items");
        let added = |quantity: u32| {
            let body = json!({"product_id": product(1), "quantity": quantity, "unit_price": 100});
            shop.post(&items, &body)
        };
        let item = id(&self.send(&added(10), 201, Some(added(11))));
        let changed = |quantity: u32| {
            let body = json!({ "quantity": quantity });
            shop.put(&format!("{items}/{item}"), &body)
        };
        self.send(&changed(12), 200, Some(changed(13)));
        let submit = shop.post(&format!("{order}/submit"), &json!({}));
        self.send(&submit, 200, None);
        let before = shop.on_hand(1).as_i64().unwrap();
        let received = |quantity: u32| {
            let body = json!({"items": [{"id": item, "quantity": quantity}]});
            shop.post(&format!("{order}/receive"), &body)
        };
        self.send(&received(5), 200, Some(received(6)));
        assert_eq!(shop.on_hand(1), before + 5);
        let close = shop.post(&format!("{order}/close"), &json!({}));
        self.send(&close, 200, None);
        let items = shop.get(&items).gives(200);
        assert_eq!(items["meta"]["total"], 1);
    }

    fn lists(&mut self, shop: &Shop) {
        let named = |name: &str| shop.list("POST", "").json(&json!({ "name": name }));
        let list = id(&one(&self.send(&named("a"), 201, Some(named("b")))));
        let list = |method, rest: &str| shop.list(method, &format!("/{list}{rest}"));
        let added = |article: &str| list("POST", "/articles").json(&json!({"articles": [article]}));
        self.send(&added("SKU-1"), 200, Some(added("SKU-2")));
        let (place, other) = (
            list("POST", "/stockplace/A-02"),
            list("POST", "/stockplace/B-01"),
        );
        self.send(&place, 200, Some(other));
        self.send(&list("POST", "/articles/all"), 200, None);
        let renamed = |name: &str| list("PUT", "").json(&json!({ "name": name }));
        self.send(&renamed("c"), 200, Some(renamed("d")));
        self.send(&list("POST", "/copy"), 201, None);
        self.send(&list("PUT", "/start"), 200, None);
        let found = |place: &str| {
            let body = json!({"articleId": "SKU-8", "stockPlace": place});
            list("POST", "/items").json(&body)
        };
        self.send(&found("C-01"), 201, Some(found("C-02")));
        let counted = |amount: u32| {
            let body = json!({"articleId": "SKU-7", "addedAmount": amount});
            list("PUT", "/articles").json(&body)
        };
        let first = self.send(&counted(2), 200, Some(counted(3)));
        assert_eq!(first["inventoryAmount"], 2);
        let finish = |zero: bool| {
            let rest = format!("/finish?zero_unhandled_articles={zero}");
            list("PUT", &rest)
        };
        self.send(&finish(false), 200, Some(finish(true)));
        assert_eq!(shop.on_hand(7), 2);
        let finished = one(&list("GET", "").gives(200));
        let path = format!("/finished/{}", id(&finished));
        let copy = shop.list("POST", &format!("{path}/copy"));
        self.send(&copy, 201, None);
        let reopen = shop.list("PUT", &format!("{path}/reopen"));
        self.send(&reopen, 200, None);
        assert_eq!(shop.on_hand(7), 0);
        let new = shop.list("GET", "/state/NEW").gives(200);
        assert_eq!(new["stocktakes"].as_array().unwrap().len(), 2);
    }

    fn imports(&mut self, shop: &Shop) {
        let values = |value: i32| {
            let body = json!({"store-1": {"SKU-3": value}});
            shop.post("/imports/stock?adjustment=true", &body)
        };
        let started = self.send(&values(-3), 200, Some(values(-4)));
        shop.job(&started["job_id"]);
        assert_eq!(shop.on_hand(3), 20);
        let cost = |cost: i32| {
            let body = json!({"articleId": "SKU-3", "unitCost": cost});
            shop.post("/stock-costs", &body)
        };
        self.send(&cost(9), 201, Some(cost(8)));
    }
}

#[test]
fn every_post_and_put_is_done_once_with_a_key() {
    each_store(|shop| {
        let mut twice = Twice::default();
        twice.takes(shop);
        twice.counts(shop);
        twice.adjustments(shop);
        twice.orders(shop);
        twice.lists(shop);
        twice.imports(shop);
        let api = shop.nobody("GET", "/openapi.json").gives(200);
        let mut every = BTreeSet::new();
        for (path, calls) in api["paths"].as_object().unwrap() {
            for method in ["post", "put"] {
                if calls.get(method).is_some() {
                    every.insert(format!("{method} {path}"));
                }
            }
        }
        // It is of jobs that failed for good, which no request makes: `jobs` shows it.
        every.remove("post /jobs/{id}/requeue");
        assert_eq!(twice.calls, every);
    });
}
