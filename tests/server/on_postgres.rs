//! The program on PostgreSQL, in a database of its own: a whole take.

use std::ffi::OsStr;

use serde_json::json;
use stocktake::postgres::tokio_postgres::{Config, NoTls};

use crate::client::Request;
use crate::program::Program;
use crate::shop::{COUNTER, MANAGER, SITE, id, product, seed};

/// A database that goes with the test.
struct Database {
    server: String,
    name: String,
}

impl Database {
    fn new() -> Self {
        let server = std::env::var("STOCKTAKE_POSTGRES_URL")
            .unwrap_or_else(|_| "postgresql://postgres@127.0.0.1:5432/test".to_owned());
        let name = format!("server_{}", uuid::Uuid::new_v4().simple());
        let database = Self { server, name };
        database.execute(&format!("CREATE DATABASE {}", database.name));
        database
    }

    /// Where the program finds it.
    fn url(&self) -> String {
        let (address, query) = match self.server.split_once('?') {
            Some((address, query)) => (address, format!("?{query}")),
            None => (self.server.as_str(), String::new()),
        };
        let (server, _) = address.rsplit_once('/').unwrap();
        format!("{server}/{}{query}", self.name)
    }

    fn execute(&self, statement: &str) {
        let config: Config = self.server.parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let (client, connection) = config.connect(NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(statement).await.unwrap();
        });
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A test that failed for want of a server has nothing to drop.
        if !std::thread::panicking() {
            self.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// How often the test asks before it gives up.
const MOST_QUESTIONS: u32 = 100_000;

#[test]
fn s1_a_whole_take_on_postgres_and_again_after_a_restart() {
    let database = Database::new();
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let arguments: [&OsStr; 6] = [
            "--postgres".as_ref(),
            url.as_ref(),
            "--mail-folder".as_ref(),
            folder.path().as_os_str(),
            "--print-at-once=5".as_ref(),
            "--limit=1000000".as_ref(),
        ];
        Program::start(&seed(), &arguments)
    };
    let server = start();
    let ask = |method, path: &str| Request::new(server.address, method, path).by(MANAGER);
    let new = json!({"description": "Quarterly"});
    let take = ask("POST", "/inventory/stock-takes").json(&new).gives(201);
    let path = format!("/inventory/stock-takes/{}", id(&take));
    let is = |path: &str, field: &str, value: serde_json::Value| {
        (0..MOST_QUESTIONS).any(|_| ask("GET", path).gives(200)[field] == value)
    };
    assert!(is(&path, "items_added", json!(true)));
    let lines = ask("GET", &format!("{path}/items?query=balm")).gives(200);
    assert_eq!(lines["meta"]["total"], 1);
    let line = format!("{path}/items/{}", id(&lines["data"][0]));
    let counted = Request::new(server.address, "PUT", &line)
        .by(COUNTER)
        .json(&json!({"counted_quantity": 38}));
    assert_eq!(counted.gives(200)["adjustment_value"], -2500);
    let queued = ask("POST", &format!("{path}/post")).once("1").gives(200);
    let job = format!("/jobs/{}", id(&queued["job"]));
    assert!(is(&job, "status", json!("succeeded")));
    assert_eq!(ask("GET", &path).gives(200)["status"], "complete");
    let export = ask("GET", &format!("{path}/queue?site_id={SITE}")).gives(200);
    let export = format!("/jobs/{}", id(&export["job"]));
    assert!(is(&export, "status", json!("succeeded")));
    let file = ask("GET", &format!("{export}/file")).expect(200);
    assert_eq!(file.text.lines().count(), 9);
    // Its receipt has more lines than are printed at once: it is mailed.
    let receipt = format!("/v1/stocktake/finished/{}/receipt/print", id(&take));
    let printed = ask("GET", &receipt).gives(202);
    let printed = format!("/jobs/{}", id(&printed["job"]));
    assert!(is(&printed, "status", json!("succeeded")));
    let file = ask("GET", &format!("{printed}/file")).expect(200);
    assert!(file.bytes.starts_with(b"%PDF"));
    let mailed = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(mailed.count(), 2, "the words and the file");
    assert!(server.terminate().success());

    let server = start();
    let get = |path: &str| {
        Request::new(server.address, "GET", path)
            .by(MANAGER)
            .gives(200)
    };
    let events = get(&format!("/stock-events?product_id={}", product(1)));
    let last = events["data"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["kind"], &last["change"], &last["after"]),
        (&json!("count_variance"), &json!(-2), &json!(38))
    );
    assert_eq!(get(&path)["status"], "complete");
    assert!(server.terminate().success());
}
