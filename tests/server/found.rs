//! What is found on the shelf: by any barcode, and also what no list has.

use serde_json::{Value, json};

use crate::s4_lists::{listed, one, started};
use crate::shop::{COUNTER, NOTHING, Shop, VIEWER, each_store, id, product};

/// The barcodes of the balm.
const BARCODES: [&str; 2] = ["4006381333931", "5012345678900"];

fn list(shop: &Shop, method: &'static str, path: &str, body: &Value) -> crate::client::Request {
    shop.list(method, path).json(body)
}

#[test]
fn s4_07_an_article_is_found_by_any_of_its_barcodes() {
    each_store(|shop| {
        for barcode in BARCODES {
            let made = listed(shop, &[barcode]);
            let article = format!("/{made}/articles/{barcode}");
            let found = shop.list("GET", &article).gives(200);
            assert_eq!(found["articleId"], "SKU-1");
            shop.list("DELETE", &article).expect(200);
            shop.list("GET", &article).expect(404);
            list(
                shop,
                "POST",
                &format!("/{made}/articles"),
                &json!({"articles": [barcode]}),
            )
            .expect(200);
            shop.list("PUT", &format!("/{made}/start")).expect(200);
            let count = json!({"articleId": barcode, "addedAmount": 7});
            let counted = list(shop, "PUT", &format!("/{made}/articles"), &count).gives(200);
            assert_eq!(
                (&counted["articleId"], &counted["inventoryAmount"]),
                (&json!("SKU-1"), &json!(7))
            );
        }
        let unknown = json!({"articles": ["5012345678999"]});
        let made = listed(shop, &[]);
        let refused = list(shop, "POST", &format!("/{made}/articles"), &unknown).gives(422);
        assert_eq!(refused["errorData"]["code"], "unknown_article");
    });
}

#[test]
fn s4_07_null_takes_a_count_back() {
    each_store(|shop| {
        let made = started(shop, &["SKU-1"]);
        let articles = format!("/{made}/articles");
        let put = |body: &Value| list(shop, "PUT", &articles, body);
        put(&json!({"articleId": "SKU-1", "addedAmount": 0})).expect(200);
        let cleared = put(&json!({"articleId": "SKU-1", "addedAmount": null})).gives(200);
        assert_eq!(
            (&cleared["inventoried"], &cleared["inventoryAmount"]),
            (&json!(false), &Value::Null)
        );
        let told = one(&shop.list("GET", &format!("/{made}")).gives(200));
        assert_eq!(told["itemsLeft"], 1);
        // Missing is not null.
        put(&json!({"articleId": "SKU-1"})).expect(422);
    });
}

#[test]
fn s4_10_variants_and_stock_places_tell_rows_apart() {
    each_store(|shop| {
        let import = json!({"store-1": {"SKU-8": {"red": 3, "blue": 4}}});
        let import = shop.post("/imports/stock", &import).gives(200);
        shop.job(&import["job_id"]);
        let made = started(shop, &["SKU-8"]);
        let found = shop.list("GET", &format!("/{made}/articles")).gives(200);
        let rows = found["articles"].as_array().unwrap().iter();
        let variants: Vec<&Value> = rows.map(|row| &row["variant"]).collect();
        assert_eq!(variants.len(), 2);
        assert!(variants.contains(&&json!("red")) && variants.contains(&&json!("blue")));
        let article = format!("/{made}/articles/SKU-8");
        shop.list("GET", &article).expect(422);
        let red = shop
            .list("GET", &format!("{article}?variant=red"))
            .gives(200);
        assert_eq!(
            (&red["variant"], &red["amount"]),
            (&json!("red"), &json!(3))
        );
        let put = |body: &Value| list(shop, "PUT", &format!("/{made}/articles"), body);
        put(&json!({"articleId": "SKU-8", "addedAmount": 5})).expect(422);
        let blue =
            put(&json!({"articleId": "SKU-8", "addedAmount": 5, "variant": "blue"})).gives(200);
        assert_eq!(
            (&blue["variant"], &blue["inventoryAmount"]),
            (&json!("blue"), &json!(5))
        );
    });
}

#[test]
fn s1_what_was_found_gets_a_line() {
    each_store(|shop| {
        let take = shop.take();
        let items = format!("/inventory/stock-takes/{take}/items");
        let add = |body: &Value| shop.post_by(COUNTER, &items, body);
        // What nobody knew of, by each of its names; the same key is the same line.
        let first = add(&json!({"article_id": "SKU-8", "stock_place": "C-01"})).gives(201);
        let told = (
            &first["article_id"],
            &first["stock_place"],
            &first["expected_quantity"],
            &first["status"],
        );
        assert_eq!(
            told,
            (
                &json!("SKU-8"),
                &json!("C-01"),
                &json!(0),
                &json!("uncounted")
            )
        );
        for again in [
            json!({"barcode": "4006381333938", "stock_place": "C-01"}),
            json!({"product_id": product(8), "stock_place": "C-01"}),
            json!({"article_id": "4006381333938", "stock_place": "C-01"}),
        ] {
            assert_eq!(add(&again).gives(201)["id"], first["id"], "{again}");
        }
        let other = add(&json!({"article_id": "SKU-8", "stock_place": "C-01", "variant": "red"}))
            .gives(201);
        assert_eq!(other["variant"], "red");
        assert_ne!(other["id"], first["id"]);
        let line = format!("{items}/{}", id(&first));
        shop.put(&line, &json!({"counted_quantity": 2})).expect(200);
        for (wrong, code) in [
            (json!({}), "product_required"),
            (
                json!({"article_id": "SKU-8", "barcode": "4006381333938"}),
                "product_required",
            ),
            (json!({"article_id": "SKU-99"}), "unknown_article"),
            (json!({"barcode": "SKU-8"}), "unknown_article"),
            (json!({"product_id": NOTHING}), "unknown_product"),
            (json!({"article_id": "SKU-6"}), "ambiguous_stock"),
        ] {
            add(&wrong).refused(422, code);
        }
        shop.post_by(VIEWER, &items, &json!({}))
            .refused(403, "forbidden");
        let nowhere = format!("/inventory/stock-takes/{NOTHING}/items");
        shop.post(&nowhere, &json!({})).refused(404, "not_found");
    });
}

#[test]
fn s4_what_was_found_gets_a_row() {
    each_store(|shop| {
        let made = started(shop, &["SKU-1"]);
        let body = json!({"articleId": "4006381333938", "stockPlace": "C-01"});
        let found = list(shop, "POST", &format!("/{made}/items"), &body).gives(201);
        assert_eq!(
            (&found["articleId"], &found["stockPlace"]),
            (&json!("SKU-8"), &json!("C-01"))
        );
        let count = json!({"articleId": "SKU-8", "addedAmount": 2});
        list(shop, "PUT", &format!("/{made}/articles"), &count).expect(200);
        shop.list("PUT", &format!("/{made}/finish")).expect(200);
        assert_eq!(shop.on_hand(8), 2);
    });
}

#[test]
fn s4_13_what_can_not_be_done_has_the_document_s_number() {
    each_store(|shop| {
        let made = listed(shop, &[]);
        let many: Vec<String> = (0..1_001).map(|number| format!("A{number}")).collect();
        let many = list(
            shop,
            "POST",
            &format!("/{made}/articles"),
            &json!({ "articles": many }),
        );
        assert_eq!(many.gives(413)["errorCode"], 902_012);
        let count = json!({"articleId": "SKU-1", "addedAmount": 2});
        let nowhere = list(shop, "PUT", &format!("/{NOTHING}/articles"), &count);
        assert_eq!(nowhere.gives(404)["errorCode"], 902_003);
        let place = format!("/{made}/stockplace/Z-99");
        let (added, removed) = (
            shop.list("POST", &place).gives(404),
            shop.list("DELETE", &place).gives(404),
        );
        assert_eq!(added, removed);
        // Nor is the place known of a list that has something.
        let some = listed(shop, &["SKU-1"]);
        shop.list("POST", &format!("/{some}/stockplace/Z-99"))
            .expect(404);
    });
}

#[test]
fn s4_10_what_the_seed_tells_of_an_article_is_shown() {
    each_store(|shop| {
        let made = listed(shop, &["SKU-1", "SKU-3"]);
        let article = |name: &str| {
            shop.list("GET", &format!("/{made}/articles/{name}"))
                .gives(200)
        };
        let balm = article("SKU-1");
        assert_eq!(balm["unit"]["externalId"], "PCE");
        assert_eq!((&balm["type"], &balm["isStock"]), (&json!(3), &json!(true)));
        assert_eq!(article("SKU-3")["reserved"], 4);
        // Of the eight products of the seed, three are for the body.
        assert_eq!(balm["group"]["articles"], 3);
        let search = format!("/{made}/articles/search?sort_column=price&order=desc");
        let found = shop.list("GET", &search).gives(200);
        assert_eq!(found["articles"][0]["articleId"], "SKU-1");
        assert_eq!(found["articles"][0]["group"]["articles"], 3);
    });
}
