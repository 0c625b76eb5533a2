//! Stock imports (S5).

use serde_json::{Value, json};

use crate::shop::{COUNTER, SITE, STRANGER, Shop, VIEWER, each_store, product};

const IMPORTS: &str = "/imports/stock";

/// Sends an import, and waits for its job.
#[track_caller]
fn imported(shop: &Shop, path: &str, body: &Value) -> Value {
    let started = shop.post(path, body).gives(200);
    assert_eq!(started["status"], "OK");
    shop.job(&started["job_id"])
}

#[track_caller]
fn kinds(shop: &Shop, number: u32) -> Vec<Value> {
    let events = shop.events(number);
    events.iter().map(|event| event["kind"].clone()).collect()
}

#[test]
fn s5_01_absolute_values_become_external_resets() {
    each_store(|shop| {
        let body = json!({"store-1": {"SKU-1": 7, "SKU-2": 100, "SKU-3": {"red": 1.5, "blue": 2}}});
        let job = imported(shop, IMPORTS, &body);
        assert_eq!(
            (&job["kind"], &job["status"]),
            (&json!("import_stock"), &json!("succeeded"))
        );
        assert_eq!((shop.on_hand(1), shop.on_hand(2)), (json!(7), json!(100)));
        // Also when nothing changes.
        assert_eq!(kinds(shop, 2), ["receipt", "external_reset"]);
        let levels = shop
            .get(&format!("/stock-levels?product_id={}", product(3)))
            .gives(200);
        let variants: Vec<&Value> = levels["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["variant"])
            .collect();
        assert!(variants.contains(&&json!("red")) && variants.contains(&&json!("blue")));
        shop.post_by(COUNTER, IMPORTS, &body)
            .refused(403, "forbidden");
        shop.post_by(VIEWER, IMPORTS, &body)
            .refused(403, "forbidden");
        shop.nobody("POST", IMPORTS)
            .json(&body)
            .refused(401, "unauthenticated");
    });
}

#[test]
fn s5_02_adjustments_are_changes() {
    each_store(|shop| {
        let path = format!("{IMPORTS}?adjustment=true");
        imported(
            shop,
            &path,
            &json!({"store-1": {"SKU-1": -3, "SKU-2": 0.5}}),
        );
        assert_eq!(
            (shop.on_hand(1), shop.on_hand(2)),
            (json!(37), json!(100.5))
        );
        assert_eq!(kinds(shop, 1).last(), Some(&json!("external_adjustment")));
        // Below zero nothing of it is applied, and that is told at once.
        let below = json!({"store-1": {"SKU-2": 1, "SKU-1": -38}});
        let refused = shop.post(&path, &below).refused(422, "would_go_negative");
        assert_eq!(refused["error"]["fields"].as_array().unwrap().len(), 1);
        assert_eq!(refused["error"]["fields"][0]["field"], "/store-1/SKU-1");
        assert_eq!(
            (shop.on_hand(1), shop.on_hand(2)),
            (json!(37), json!(100.5))
        );
        shop.post(&format!("{IMPORTS}?adjustment=maybe"), &json!({}))
            .expect(422);
        imported(
            shop,
            &format!("{IMPORTS}?adjustment=false"),
            &json!({"store-1": {"SKU-1": 3}}),
        );
        assert_eq!(shop.on_hand(1), 3);
    });
}

#[test]
fn s5_05_what_can_not_be_applied_is_told_at_once_or_by_the_job() {
    each_store(|shop| {
        let path = format!("{IMPORTS}?adjustment=true");
        // Several keys have the name, and two values would go below zero: all of them are told, by their paths.
        let body =
            json!({"store-1": {"SKU-6": 1, "SKU-1": -41, "SKU-2": 1, "SKU-3": {"a/b~c": -1}}});
        let refused = shop.post(&path, &body).gives(422);
        let fields = refused["error"]["fields"].as_array().unwrap().iter();
        let mut told: Vec<&str> = fields.map(|it| it["field"].as_str().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(
            told,
            ["/store-1/SKU-1", "/store-1/SKU-3/a~1b~0c", "/store-1/SKU-6"]
        );
        assert_eq!(shop.on_hand(2), 100);
        // Nothing is kept of it: the key is free.
        shop.post(&path, &body).once("import-9").expect(422);
        let good = json!({"store-1": {"SKU-2": 1}});
        shop.post(&path, &good).once("import-9").expect(200);
        // What is larger is begun, and its job tells.
        let mut many: serde_json::Map<String, Value> = serde_json::Map::new();
        many.extend((0..1_000).map(|number| (format!("N-{number}"), json!(1))));
        many.insert("SKU-6".to_owned(), json!(1));
        let job = imported(shop, &path, &json!({ "store-1": many }));
        assert_eq!(job["status"], "failed");
        let error = job["error"].as_str().unwrap();
        assert!(
            error.contains("/store-1/SKU-6") && error.contains("ambiguous_stock"),
            "{error}"
        );
    });
}

#[test]
fn s5_03_removed_stock_is_delisted() {
    each_store(|shop| {
        let body = json!({"store-1": {"SKU-1": 0, "SKU-2": 99}});
        let started = shop.delete(IMPORTS).json(&body).gives(200);
        assert_eq!(started["message"], "Import of 2 stock value(s) initiated");
        assert_eq!(shop.job(&started["job_id"])["status"], "succeeded");
        assert_eq!((shop.level(1), shop.level(2)), (Value::Null, Value::Null));
        let last = shop.events(1).pop().unwrap();
        assert_eq!(
            (&last["kind"], &last["after"]),
            (&json!("removed"), &json!(0))
        );
        // Zero is something else: it is sold here, and counted.
        imported(shop, IMPORTS, &json!({"store-1": {"SKU-3": 0}}));
        assert_eq!(shop.on_hand(3), 0);
        let take = shop.take();
        let lines = shop
            .get(&format!("/inventory/stock-takes/{take}/items"))
            .gives(200);
        assert_eq!(lines["meta"]["total"], 6);
        shop.delete_by(VIEWER, IMPORTS)
            .json(&body)
            .refused(403, "forbidden");
    });
}

#[test]
fn s5_04_unknown_products_are_created_unknown_locations_refused() {
    each_store(|shop| {
        let job = imported(shop, IMPORTS, &json!({"store-1": {"NEW-1": 3, "sku-2": 1}}));
        // The created ones are named, and what one of them is spelled like.
        let told = json!({
            "created": ["NEW-1", "sku-2"],
            "created_total": 2,
            "similar": [{"article_id": "sku-2", "known_article_id": "SKU-2"}],
            "similar_total": 1,
        });
        assert_eq!(job["imported"], told);
        let levels = shop.get("/stock-levels").gives(200);
        let found = levels["data"].as_array().unwrap().iter();
        assert_eq!(found.filter(|level| level["quantity"] == 3).count(), 1);
        let body =
            json!({"store-1": {"SKU-1": 1}, "store-2": {"SKU-1": 1}, "store-9": {"SKU-1": 1}});
        let refused = shop.post(IMPORTS, &body).gives(422);
        let fields: Vec<&str> = refused["error"]["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["/store-2", "/store-9"]);
        assert_eq!(shop.on_hand(1), 40);
        // The same name elsewhere is another place.
        let job = shop
            .post_by(STRANGER, IMPORTS, &json!({"store-1": {"SKU-1": 1}}))
            .gives(200);
        let job = format!("/jobs/{}", job["job_id"].as_str().unwrap());
        shop.get(&job).refused(404, "not_found");
        assert_eq!(shop.on_hand(1), 40);
    });
}

#[test]
fn s5_05_the_answer_counts_the_values() {
    each_store(|shop| {
        let body = json!({"store-1": {"SKU-1": 7, "SKU-3": {"red": 1, "blue": 2}}});
        let started = shop.post(IMPORTS, &body).once("import-1").gives(200);
        assert_eq!(started["message"], "Import of 3 stock value(s) initiated");
        assert!(started["job_id"].is_string());
        let again = shop.post(IMPORTS, &body).once("import-1").gives(200);
        assert_eq!(again["job_id"], started["job_id"]);
        // In another order it says the same.
        let reordered = r#"{"store-1": {"SKU-3": {"blue": 2, "red": 1}, "SKU-1": 7.0}}"#;
        let again = shop.post(IMPORTS, &body).text(reordered).once("import-1");
        assert_eq!(again.gives(200)["job_id"], started["job_id"]);
        let other = json!({"store-1": {"SKU-1": 8}});
        shop.post(IMPORTS, &other)
            .once("import-1")
            .refused(409, "idempotency_key_reused");
        // Nothing to take in is told so.
        shop.post(IMPORTS, &json!({"store-1": {}}))
            .refused(422, "nothing_asked");
    });
}

#[test]
fn s5_06_bad_bodies_are_refused_with_the_path() {
    each_store(|shop| {
        for (body, field) in [
            (r#"{"store-1": {"SKU-1": 1, "SKU-1": 2}}"#, "/store-1/SKU-1"),
            (r#"{"store-1": {"SKU-1": 1}, "store-1": {}}"#, "/store-1"),
            (r#"{"store-1": {"SKU-1": NaN}}"#, "/store-1/SKU-1"),
            (r#"{"store-1": {"SKU-1": 1e99}}"#, "/store-1/SKU-1"),
            (r#"{"store-1": {"SKU-1": 1e-9}}"#, "/store-1/SKU-1"),
            (r#"{"store-1": {"SKU-1": -1}}"#, "/store-1/SKU-1"),
            (r#"{"store-1": {"SKU-1": "1"}}"#, "/store-1/SKU-1"),
            (
                r#"{"store-1": {"SKU-1": {"red": {"big": 1}}}}"#,
                "/store-1/SKU-1/red",
            ),
            (r#"{"store-1": 7}"#, "/store-1"),
            (r#"{"store-1": {"": 1}}"#, "/store-1/"),
            ("[]", ""),
            ("", ""),
            ("{", ""),
        ] {
            let refused = shop.post(IMPORTS, &json!({})).text(body).expect(422).json();
            let named = refused["error"]["fields"][0]["field"].as_str().unwrap();
            assert!(named.starts_with(field), "{body}: {refused}");
        }
        let deep = format!(
            "{{\"store-1\": {{\"SKU-1\": {}1{}}}}}",
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        shop.post(IMPORTS, &json!({})).text(&deep).expect(422);
        shop.post(IMPORTS, &json!({}))
            .bytes(b"{\"store-1\": {\"\xff\": 1}}")
            .expect(422);
        let values: Vec<String> = (0..50_001)
            .map(|number| format!("\"A{number}\": 1"))
            .collect();
        let many = format!("{{\"store-1\": {{{}}}}}", values.join(","));
        shop.post(IMPORTS, &json!({}))
            .text(&many)
            .refused(422, "too_many_values");
        let long = format!("{{\"store-1\": {{{} }}}}", " ".repeat(8 * 1024 * 1024));
        shop.post(IMPORTS, &json!({}))
            .text(&long)
            .refused(413, "body_too_large");
        let levels = shop
            .get(&format!("/stock-levels?site_id={SITE}"))
            .gives(200);
        assert_eq!(levels["data"].as_array().unwrap().len(), 8);
        assert_eq!(shop.events(1).len(), 2);
    });
}
