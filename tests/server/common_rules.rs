//! What holds for all documents: who asks, idempotency keys, bodies, paths.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::app::{Options, Server, StoreChoice};
use crate::s4_lists::{listed, one};
use crate::shop::{NOTHING, each_store, product, seed};

const TAKES: &str = "/inventory/stock-takes";

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

/// Sends a request from several clients at the same instant; how many were answered with each status.
fn at_once(request: &crate::client::Request) -> BTreeMap<u16, usize> {
    const CLIENTS: usize = 8;
    let together = std::sync::Barrier::new(CLIENTS);
    let ask = || {
        together.wait();
        request.send().status
    };
    let mut answered = BTreeMap::new();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        for client in clients {
            *answered.entry(client.join().unwrap()).or_default() += 1;
        }
    });
    answered
}

#[test]
fn what_may_happen_once_happens_once_when_many_ask_at_the_same_instant() {
    each_store(|shop| {
        let count = shop.post("/inventory-counts", &json!({"name": "a", "type": "SPOT"}));
        assert_eq!(at_once(&count), BTreeMap::from([(201, 1), (409, 7)]));
        let take = shop.take();
        shop.count(&take, "SKU-1", &json!(38));
        let submit = shop.post(&format!("{TAKES}/{take}/submit"), &json!({}));
        assert_eq!(at_once(&submit), BTreeMap::from([(200, 1), (409, 7)]));
        assert_eq!(shop.events(1).len(), 3);
        // With one key they are one request.
        let damage =
            json!({"productId": product(3), "type": "DAMAGE", "quantityChange": -1, "reason": "a"});
        let damage = shop.post("/stock-adjustments", &damage).once("once");
        assert_eq!(at_once(&damage), BTreeMap::from([(201, 8)]));
        assert_eq!(shop.on_hand(3), 24);
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
