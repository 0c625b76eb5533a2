//! What clients can make the server hold, and for how long.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::app::{Patience, StoreChoice};
use crate::shop::{MANAGER, Shop};

/// Connections that an attack holds at once.
const MANY: usize = 60;
/// As little patience as a loopback connection of a busy machine allows.
const SHORT: Duration = Duration::from_millis(300);

fn connected(address: SocketAddr, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    stream
}

/// All that comes until the server hangs up.
fn answered(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // Being cut off is an end as well.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

fn head(path: &str, token: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

#[test]
fn fault_n1_who_asks_is_known_before_a_body_is_read() {
    let shop = Shop::open(StoreChoice::Memory);
    for path in ["/imports/stock", "/inventory/stock-takes", "/v1/stocktake"] {
        let clients: Vec<_> = (0..MANY)
            .map(|_| connected(shop.address, &head(path, "nobody's", 8 * 1024 * 1024)))
            .collect();
        // Not a byte of the body is sent, and the answer is there.
        for client in clients {
            let answer = answered(client);
            assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
        }
    }
}

#[test]
fn fault_n1_heads_bodies_and_idle_connections_have_their_time() {
    let patience = Patience {
        head: SHORT,
        body: SHORT,
        ..Patience::default()
    };
    let shop = Shop::patient(StoreChoice::Memory, patience);
    // A head that never ends, and a connection on which nothing is asked.
    for begun in ["GET /healthz HTTP/1.1\r\nHost:", ""] {
        let answer = answered(connected(shop.address, begun));
        assert!(!answer.contains(" 200 "), "{begun}: {answer}");
    }
    // A body that stops.
    let mut begun = head("/inventory/stock-takes", MANAGER, 100);
    begun.push('{');
    let answer = answered(connected(shop.address, &begun));
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body_too_slow"), "{answer}");
    // One that is kept open after an answer.
    let idle = connected(shop.address, "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
    let answer = answered(idle);
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 1, "{answer}");
}

#[test]
fn fault_n1_connections_and_what_bodies_hold_together_are_limited() {
    let patience = Patience {
        connections: 4,
        head: SHORT,
        body: SHORT,
        ..Patience::default()
    };
    let shop = Shop::patient(StoreChoice::Memory, patience);
    // All of them are taken by clients that say nothing; they are sent away, and everybody else is answered.
    let silent: Vec<_> = (0..MANY).map(|_| connected(shop.address, "")).collect();
    shop.nobody("GET", "/healthz").expect(200);
    drop(silent);
    // Room for two bodies of a KiB: a larger one waits in vain, without a byte of it being read.
    let patience = Patience {
        bodies_kib: 2,
        body: SHORT,
        ..Patience::default()
    };
    let shop = Shop::patient(StoreChoice::Memory, patience);
    let small = json!({"description": "a"});
    shop.post("/inventory/stock-takes", &small).expect(201);
    let large = head("/inventory/stock-takes", MANAGER, 3 * 1024);
    let clients: Vec<_> = (0..MANY).map(|_| connected(shop.address, &large)).collect();
    for client in clients {
        let answer = answered(client);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.to_lowercase().contains("retry-after: 1"), "{answer}");
    }
    shop.post("/inventory/stock-takes", &small).expect(201);
}
