//! What holds for all documents: who asks, idempotency keys, bodies, paths.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::app::{Options, Server, StoreChoice};
use crate::s4_lists::{listed, one};
use crate::shop::{ANN, NOTHING, SITE, VIEWER, each_store, id, product, seed};

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

#[test]
fn what_is_too_large_is_told_and_not_cut_off() {
    each_store(|shop| {
        let large = format!("{{\"description\": \"{}\"}}", "x".repeat(1024 * 1024));
        shop.post(TAKES, &json!({}))
            .text(&large)
            .refused(413, "body_too_large");
        let huge = vec![b' '; 20 * 1024 * 1024];
        shop.post(TAKES, &json!({}))
            .bytes(&huge)
            .refused(413, "body_too_large");
        let list = shop.list("POST", "").text(&large).gives(413);
        assert_eq!(list["errorCode"], 900_101);
    });
}

#[test]
fn a_body_in_chunks_is_a_body() {
    each_store(|shop| {
        let mut stream = TcpStream::connect(shop.address).unwrap();
        let head = "POST /inventory/stock-takes HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer manager-token\r\n";
        let body = "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n8\r\n{\"descri\r\nc\r\nption\": \"a\"}\r\n0\r\n\r\n";
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    });
}

#[test]
fn no_path_and_no_method_are_answered_like_any_failure() {
    each_store(|shop| {
        shop.get("/").refused(404, "not_found");
        shop.get("/inventory/stock-takes/")
            .refused(404, "not_found");
        let answer = shop.nobody("PATCH", TAKES).expect(405);
        assert_eq!(answer.json()["error"]["code"], "method_not_allowed");
        assert!(answer.header("allow").contains("POST"));
        assert_eq!(
            shop.nobody("GET", "/healthz").gives(200),
            json!({"status": "ok"})
        );
        shop.get(&format!("{TAKES}/%FF%FE"))
            .refused(404, "not_found");
        shop.get(&format!("{TAKES}/{NOTHING}/items?query=%FF"))
            .refused(404, "not_found");
    });
}

#[test]
fn the_same_take_is_in_both_documents() {
    each_store(|shop| {
        let take = shop.take();
        let found = one(&shop.list("GET", &format!("/{take}")).gives(200));
        assert_eq!(
            (&found["state"], &found["itemsTotal"]),
            (&json!("ONGOING"), &json!(8))
        );
        let list = listed(shop, &["SKU-1"]);
        let found = shop.get(&format!("{TAKES}/{list}")).gives(200);
        assert_eq!(
            (&found["description"], &found["status"]),
            (&json!("Spring"), &json!("in_progress"))
        );
    });
}

#[test]
fn a_request_that_is_none_is_answered() {
    each_store(|shop| {
        for garbage in ["garbage\r\n\r\n", "GET /x HTTP/1.1\r\nbad header\r\n\r\n"] {
            let mut stream = TcpStream::connect(shop.address).unwrap();
            stream.write_all(garbage.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
    });
}

#[test]
fn stores_that_do_not_open_are_refused_without_the_password() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let nowhere = std::env::temp_dir().join("no such folder").join("stock.db");
    for store in [
        StoreChoice::Sqlite(nowhere),
        StoreChoice::Postgres("postgres://me:secret@127.0.0.1:1/db".to_owned()),
        StoreChoice::Postgres("secret".to_owned()),
    ] {
        let options = Options {
            store,
            seed: Some(seed()),
            ..Options::default()
        };
        let refused = runtime.block_on(Server::open(&options)).unwrap_err();
        assert!(!refused.contains("secret"), "{refused}");
    }
}
