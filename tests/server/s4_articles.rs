//! Stocktake lists: their articles (S4.5, S4.7, S4.10, S4.11).

use serde_json::{Value, json};

use crate::s3_orders::ordered;
use crate::s4_lists::{counted, listed, one, started};
use crate::shop::{MANAGER, NOTHING, OTHER_SUPPLIER, Shop, each_store};

/// The articles of a list, in the order in which it gives them.
#[track_caller]
fn articles(shop: &Shop, path: &str) -> Vec<String> {
    let found = shop.list("GET", path).gives(200);
    let rows = found["articles"].as_array().unwrap().iter();
    rows.map(|row| row["articleId"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn s4_05_articles_come_and_go_while_the_list_is_new() {
    each_store(|shop| {
        let list = listed(shop, &[]);
        let total = |method: &'static str, path: &str| {
            let found = shop.list(method, &format!("/{list}{path}")).gives(200);
            one(&found)["itemsTotal"].clone()
        };
        let add = |body: &Value| shop.list("POST", &format!("/{list}/articles")).json(body);
        // At every place where it is stocked.
        assert_eq!(
            one(&add(&json!({"articles": ["SKU-6", "SKU/4"]})).gives(200))["itemsTotal"],
            3
        );
        assert_eq!(total("POST", "/stockplace/A-02"), 5);
        assert_eq!(total("DELETE", "/stockplace/A-02"), 3);
        assert_eq!(total("DELETE", "/articles/SKU/4"), 2);
        assert_eq!(total("POST", "/articles/all"), 8);
        assert_eq!(total("DELETE", "/articles/SKU-1"), 7);
        shop.list("DELETE", &format!("/{list}/articles/SKU-1"))
            .expect(404);
        shop.list("DELETE", &format!("/{list}/stockplace/Z-99"))
            .expect(404);
        for (body, code) in [
            (json!({"articles": ["SKU-99"]}), "unknown_article"),
            (json!({"articles": ["SKU-8"]}), "not_stocked"),
            (json!({"articles": [7]}), "invalid_body"),
            (json!({}), "invalid_body"),
        ] {
            let refused = add(&body).gives(422);
            assert_eq!(refused["errorData"]["code"], code);
            assert_eq!(refused["errorCode"], 902_012);
        }
        shop.list("PUT", &format!("/{list}/start")).expect(200);
        for (method, path) in [
            ("POST", "/articles/all"),
            ("POST", "/stockplace/A-01"),
            ("DELETE", "/articles/SKU-2"),
            ("DELETE", "/stockplace/A-02"),
        ] {
            let refused = shop.list(method, &format!("/{list}{path}")).gives(409);
            assert_eq!(refused["errorData"]["code"], "invalid_state");
        }
    });
}

#[test]
fn s4_07_an_article_is_counted_by_adding_or_setting() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU/4", "SKU-5", "SKU-6"]);
        let path = format!("/{list}/articles");
        let put = |body: Value| shop.list("PUT", &path).json(&body);
        let amount = |body: Value| put(body).gives(200)["inventoryAmount"].clone();
        assert_eq!(amount(json!({"articleId": "SKU-1", "addedAmount": 10})), 10);
        assert_eq!(
            amount(json!({"articleId": "SKU-1", "addedAmount": 2.5, "addToExisting": "true"})),
            12.5
        );
        assert_eq!(
            amount(json!({"articleId": "SKU-1", "addedAmount": -2.5, "addToExisting": true})),
            10
        );
        assert_eq!(
            amount(json!({"articleId": "SKU-1", "addedAmount": 38, "addToExisting": false})),
            38
        );
        assert_eq!(
            amount(json!({"articleId": "SKU/4", "batchId": "LOT-7", "addedAmount": 8})),
            8
        );
        assert_eq!(
            amount(json!({"articleId": "SKU-5", "serialNr": "SN-1", "addedAmount": 1})),
            1
        );
        let at_b = json!({"articleId": "SKU-6", "stockPlace": "B-01", "addedAmount": 5});
        let there = put(at_b).gives(200);
        assert_eq!(
            (&there["stockPlace"], &there["inventoryAmount"]),
            (&json!("B-01"), &json!(5))
        );
        // Sent again with its key, it is added once.
        let more = json!({"articleId": "SKU-1", "addedAmount": 1});
        assert_eq!(
            put(more.clone()).once("add-1").gives(200)["inventoryAmount"],
            39
        );
        assert_eq!(
            put(more.clone()).once("add-1").gives(200)["inventoryAmount"],
            39
        );
        assert_eq!(amount(more), 40);
        for (body, status, code) in [
            (
                json!({"articleId": "SKU-99", "addedAmount": 1}),
                404,
                902_002,
            ),
            (
                json!({"articleId": "SKU/4", "batchId": "LOT-8", "addedAmount": 1}),
                404,
                902_002,
            ),
            (
                json!({"articleId": "SKU-6", "addedAmount": 1}),
                422,
                902_003,
            ),
            (
                json!({"articleId": "SKU-5", "addedAmount": 1}),
                422,
                902_003,
            ),
            (
                json!({"articleId": "SKU-1", "addedAmount": -99}),
                422,
                902_003,
            ),
            (
                json!({"articleId": "SKU-1", "addedAmount": "1"}),
                422,
                902_003,
            ),
            (json!({"articleId": "SKU-1"}), 422, 902_003),
            (
                json!({"articleId": "SKU-1", "addedAmount": 1, "addToExisting": "yes"}),
                422,
                902_003,
            ),
        ] {
            let refused = put(body).gives(status);
            assert_eq!(refused["errorCode"], code, "{refused}");
        }
        let several = put(json!({"articleId": "SKU-6", "addedAmount": 1})).gives(422);
        assert_eq!(several["errorField"], "articleId");
        let field = &several["errorData"]["fields"][0];
        assert_eq!(
            field["message"],
            "one of: stock place A-01; stock place B-01"
        );
        let new = listed(shop, &["SKU-1"]);
        let early = json!({"articleId": "SKU-1", "addedAmount": 1});
        let refused = shop
            .list("PUT", &format!("/{new}/articles"))
            .json(&early)
            .gives(409);
        assert_eq!(refused["errorCode"], 902_003);
    });
}

#[test]
fn s4_10_articles_are_searched_sorted_and_paged() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU-2", "SKU-3", "SKU/4", "SKU-5"]);
        counted(shop, &list, "SKU-3", &json!(20));
        let path = format!("/{list}/articles");
        let found = shop.list("GET", &path).gives(200);
        let head = (
            &found["page"],
            &found["pages"],
            &found["pageSize"],
            &found["articlesCount"],
        );
        assert_eq!(head, (&json!(0), &json!(1), &json!(25), &json!(5)));
        let balm = &found["articles"][0];
        let told = [
            ("articleId", json!("SKU-1")),
            ("name", json!("Cleansing balm")),
            ("amount", json!(40)),
            ("reserved", json!(0)),
            ("barcode", json!("4006381333931")),
            ("barcodeType", json!("EAN13")),
            ("inventoryAmount", Value::Null),
            ("inventoried", json!(false)),
            ("isStock", json!(true)),
            ("stockPlace", json!("A-01")),
            ("stockWarning", json!(5)),
            ("fifos", Value::Null),
            ("active", json!(true)),
            ("isBundled", json!(false)),
            ("type", json!(3)),
            ("batchId", Value::Null),
        ];
        for (field, expected) in told {
            assert_eq!(balm[field], expected, "{field}");
        }
        assert_eq!(balm["group"]["name"], "Body");
        assert_eq!(balm["unit"]["name"], "pcs");
        let sorted = |sort: &str| articles(shop, &format!("{path}?{sort}"));
        assert_eq!(sorted(""), ["SKU-1", "SKU-2", "SKU-3", "SKU-5", "SKU/4"]);
        assert_eq!(sorted("order=desc")[0], "SKU/4");
        assert_eq!(sorted("sort_column=name")[0], "SKU-1");
        assert_eq!(
            sorted("sort_column=stock&order=desc"),
            ["SKU-2", "SKU-1", "SKU-3", "SKU/4", "SKU-5"]
        );
        assert_eq!(sorted("sort_column=inventoried&order=desc")[0], "SKU-3");
        for column in [
            "art",
            "name",
            "bundled",
            "cat",
            "unit",
            "stock_place",
            "stock_place_article",
            "desc",
            "price",
            "order",
            "warning_order",
            "stock",
            "reserved",
            "supplier",
            "is_stock",
            "type",
            "status",
            "active",
            "inventoried",
        ] {
            assert_eq!(
                sorted(&format!("sort_column={column}")).len(),
                5,
                "{column}"
            );
        }
        assert_eq!(sorted("query=4006381333932"), ["SKU-2"]);
        assert_eq!(sorted("query=%C3%85nga"), ["SKU-2"]);
        assert_eq!(sorted("limit=2&page=1"), ["SKU-3", "SKU-5"]);
        for wrong in ["sort_column=x", "order=up", "limit=0", "page=x", "since=x"] {
            let refused = shop.list("GET", &format!("{path}?{wrong}")).gives(422);
            assert_eq!(refused["errorCode"], 902_002);
        }
        shop.list("GET", &format!("/{NOTHING}/articles"))
            .expect(404);
    });
}

#[test]
fn s4_10_since_gives_what_changed_after() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU-2"]);
        let path = format!("/{list}/articles");
        let told = |since: i64| {
            let answer = shop
                .list("GET", &format!("{path}?since={since}"))
                .gives(200);
            let next = answer["since"].as_i64().unwrap();
            assert!(next >= since || since > 1_000_000_000, "it only grows");
            (articles(shop, &format!("{path}?since={since}")), next)
        };
        let first = shop.list("GET", &path).gives(200)["since"]
            .as_i64()
            .unwrap();
        // At once, in the millisecond in which the lines were made.
        counted(shop, &list, "SKU-2", &json!(99));
        let (found, second) = told(first);
        assert!(found.contains(&"SKU-2".to_owned()), "{found:?}");
        counted(shop, &list, "SKU-1", &json!(1));
        let (found, third) = told(second);
        assert!(found.contains(&"SKU-1".to_owned()), "{found:?}");
        // From the beginning, and by somebody's clock: too much is harmless.
        for all in [0, -1, 1_732_183_464_079, i64::MAX] {
            assert_eq!(told(all).0, ["SKU-1", "SKU-2"], "since {all}");
        }
        // A later page tells what was asked with: the first one's answer is the one to go on with.
        let page = |number: u32| {
            let path = format!("{path}?since={first}&limit=1&page={number}");
            shop.list("GET", &path).gives(200)
        };
        assert!(page(0)["since"].as_i64().unwrap() >= third);
        assert_eq!(page(1)["since"], first);
        // What is posted changes its lines, and a finished list tells it.
        shop.list("PUT", &format!("/{list}/finish")).expect(200);
        let finished = format!("/finished/{list}/articles?since={third}");
        assert_eq!(articles(shop, &finished), ["SKU-1", "SKU-2"]);
        // So does the search: of what has moved, and of nothing that is not stocked.
        let search = format!("/{list}/articles/search");
        let asked = shop.list("GET", &search).gives(200)["since"]
            .as_i64()
            .unwrap();
        let sold = json!({"productId": crate::shop::product(1), "type": "DAMAGE", "quantityChange": -1, "reason": "a"});
        shop.post("/stock-adjustments", &sold).expect(201);
        let found = articles(shop, &format!("{search}?since={asked}"));
        assert!(found.contains(&"SKU-1".to_owned()), "{found:?}");
    });
}

#[test]
fn s4_10_one_article_is_read_by_what_a_counter_can_see() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU/4", "SKU-5", "SKU-6"]);
        let get = |rest: &str| shop.list("GET", &format!("/{list}/articles/{rest}"));
        assert_eq!(get("SKU-1").gives(200)["name"], "Cleansing balm");
        assert_eq!(get("SKU/4").gives(200)["batchId"], "LOT-7");
        assert_eq!(get("SKU%2F4?batch_id=LOT-7").gives(200)["batchId"], "LOT-7");
        assert_eq!(get("SKU-5?serial_nr=SN-1").gives(200)["serialNr"], "SN-1");
        assert_eq!(get("SKU-5?serial_nr=SN-2").gives(404)["errorCode"], 902_002);
        assert_eq!(get("SKU-2").gives(404)["errorCode"], 902_002);
        // At two stock places.
        assert_eq!(
            get("SKU-6").gives(422)["errorData"]["code"],
            "ambiguous_article"
        );
    });
}

#[test]
fn s4_10_a_finished_list_shows_its_layers() {
    each_store(|shop| {
        let (order, _) = ordered(shop, &[(1, 5, 1500)]);
        shop.post(&format!("/inventory/orders/{order}/submit"), &json!({}))
            .expect(200);
        shop.post(&format!("/inventory/orders/{order}/receive"), &json!({}))
            .expect(200);
        let list = started(shop, &["SKU-1"]);
        counted(shop, &list, "SKU-1", &json!(43));
        shop.list("GET", &format!("/finished/{list}/articles"))
            .expect(404);
        shop.list("PUT", &format!("/{list}/finish")).expect(200);
        // What moves later does not touch what the list shows.
        let sold = json!({"productId": crate::shop::product(1), "type": "DAMAGE", "quantityChange": -1, "reason": "a"});
        shop.post("/stock-adjustments", &sold).expect(201);
        let found = shop
            .list("GET", &format!("/finished/{list}/articles"))
            .gives(200);
        let article = &found["articles"][0];
        assert_eq!(
            (&article["amount"], &article["inventoryAmount"]),
            (&json!(43), &json!(43))
        );
        let fifos = article["fifos"].as_array().unwrap();
        let layer = |number: usize| {
            let fifo = &fifos[number];
            (
                fifo["amount"].clone(),
                fifo["amountInStock"].clone(),
                fifo["purchasePrice"].clone(),
            )
        };
        assert_eq!(fifos.len(), 3);
        assert_eq!(layer(0), (json!(30), json!(28), json!(12)));
        assert_eq!(layer(1), (json!(10), json!(10), json!(14)));
        assert_eq!(layer(2), (json!(5), json!(5), json!(15)));
        let bought = &fifos[2];
        assert_eq!(
            (&bought["supplierName"], &bought["poRef"]),
            (&json!("Elemis"), &json!("PO123"))
        );
        assert_eq!(
            (&bought["supplierOrderId"], &bought["userName"]),
            (&json!(order), &json!("Dan Johnson"))
        );
        assert_eq!(fifos[0]["supplierName"], Value::Null);
        let one = shop
            .list("GET", &format!("/{list}/articles/SKU-1"))
            .gives(200);
        assert_eq!(&one, article);
    });
}

#[test]
fn s4_11_the_store_s_articles_are_searched() {
    each_store(|shop| {
        let list = listed(shop, &["SKU-1"]);
        let path = format!("/{list}/articles/search");
        let found = shop.list("GET", &path).gives(200);
        assert_eq!(found["articlesCount"], 8);
        let first = &found["articles"][0];
        let told = (
            &first["articleId"],
            &first["includedInStocktake"],
            &first["bundled"],
            &first["amount"],
        );
        assert_eq!(
            told,
            (&json!("SKU-1"), &json!(true), &json!(false), &json!(40))
        );
        assert_eq!(found["articles"][1]["includedInStocktake"], false);
        let of_supplier = format!("{path}?supplier_id={OTHER_SUPPLIER}");
        assert_eq!(articles(shop, &of_supplier), ["SKU-3"]);
        assert_eq!(
            articles(shop, &format!("{path}?query=soap")),
            ["SKU-6", "SKU-6"]
        );
        assert_eq!(
            articles(
                shop,
                &format!("{path}?limit=1&page=1&order=desc&sort_column=stock")
            )
            .len(),
            1
        );
        shop.list("GET", &format!("{path}?supplier_id=x"))
            .expect(422);
        let finished = shop
            .list("GET", &format!("/{NOTHING}/articles/search"))
            .by(MANAGER);
        finished.expect(404);
    });
}
