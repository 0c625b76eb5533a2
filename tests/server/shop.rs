//! A server of its own for each test, with the seed that the example carries.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::{Options, Patience, Server, StoreChoice};
use crate::client::Request;

/// The site of nearly everybody, in pounds.
pub(crate) const SITE: &str = "00000002-0000-4000-8000-000000000001";
/// Another one of the same organisation, in yen.
pub(crate) const STATION: &str = "00000002-0000-4000-8000-000000000002";
/// A supplier of the first site.
pub(crate) const SUPPLIER: &str = "00000004-0000-4000-8000-000000000001";
/// Another one.
pub(crate) const OTHER_SUPPLIER: &str = "00000004-0000-4000-8000-000000000002";
/// What nothing is named by.
pub(crate) const NOTHING: &str = "00000000-0000-4000-8000-00000000dead";

/// Who may do everything.
pub(crate) const MANAGER: &str = "manager-token";
/// Another one.
pub(crate) const ANN: &str = "manager-2-token";
/// Who counts.
pub(crate) const COUNTER: &str = "counter-token";
/// Who looks.
pub(crate) const VIEWER: &str = "viewer-token";
/// A manager of two sites.
pub(crate) const EVERYWHERE: &str = "everywhere-token";
/// A manager of another organisation.
pub(crate) const STRANGER: &str = "stranger-token";

/// How often a test asks again before it gives up.
const MOST_QUESTIONS: u32 = 50_000;

/// A running server.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    store: StoreChoice,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// A file that is not there yet.
pub(crate) fn new_file() -> std::path::PathBuf {
    let name = format!("stocktake-server-{}.db", uuid::Uuid::new_v4());
    std::env::temp_dir().join(name)
}

/// The stores that are built in and need no server of their own.
pub(crate) fn stores() -> Vec<StoreChoice> {
    vec![StoreChoice::Memory, StoreChoice::Sqlite(new_file())]
}

/// Runs a test on every store.
pub(crate) fn each_store(test: impl Fn(&Shop)) {
    for store in stores() {
        test(&Shop::open(store));
    }
}

/// The seed file of the example.
pub(crate) fn seed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/server/seed.json")
}

impl Shop {
    /// Starts a server.
    pub(crate) fn open(store: StoreChoice) -> Self {
        Self::patient(store, Patience::default())
    }

    /// Starts a server that has so much patience with its clients.
    pub(crate) fn patient(store: StoreChoice, patience: Patience) -> Self {
        Self::of(Options {
            store,
            patience,
            ..Options::default()
        })
    }

    /// Starts a server with options of its own, on the seed of the example.
    pub(crate) fn of(options: Options) -> Self {
        let options = Options {
            seed: Some(seed()),
            listen: "127.0.0.1:0".to_owned(),
            ..options
        };
        let store = options.store.clone();
        let (opened, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let serving = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::open(&options).await.unwrap();
                opened.send(server.address().unwrap()).unwrap();
                // Dropped without a word is a stop as well.
                let stop = async { drop(stopped.await) };
                server.run(stop).await;
            });
        });
        Self {
            address: address.recv().unwrap(),
            store,
            stop: Some(stop),
            serving: Some(serving),
        }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn close(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            serving.join().unwrap();
        }
    }

    fn request(&self, method: &'static str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// A read by the manager.
    pub(crate) fn get(&self, path: &str) -> Request {
        self.get_by(MANAGER, path)
    }

    pub(crate) fn get_by(&self, token: &str, path: &str) -> Request {
        self.request("GET", path).by(token)
    }

    /// The stock takes of the site.
    pub(crate) fn take_list(&self) -> Request {
        self.get(&format!("/inventory/stock-takes?site_id={SITE}"))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Request {
        self.post_by(MANAGER, path, body)
    }

    pub(crate) fn post_by(&self, token: &str, path: &str, body: &Value) -> Request {
        self.request("POST", path).by(token).json(body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Request {
        self.put_by(MANAGER, path, body)
    }

    pub(crate) fn put_by(&self, token: &str, path: &str, body: &Value) -> Request {
        self.request("PUT", path).by(token).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Request {
        self.delete_by(MANAGER, path)
    }

    pub(crate) fn delete_by(&self, token: &str, path: &str) -> Request {
        self.request("DELETE", path).by(token)
    }

    /// A request by nobody.
    pub(crate) fn nobody(&self, method: &'static str, path: &str) -> Request {
        self.request(method, path)
    }

    /// A request to the stocktake lists by the manager, under the path that their document begins with.
    pub(crate) fn list(&self, method: &'static str, path: &str) -> Request {
        self.request(method, &format!("/v1/stocktake{path}"))
            .by(MANAGER)
    }

    /// Asks again until it is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..MOST_QUESTIONS {
            let found = self.get(path).gives(200);
            if is_so(&found) {
                return found;
            }
            std::thread::yield_now();
        }
        panic!("{path} never is as it should be");
    }

    /// Waits for a job to be over.
    #[track_caller]
    pub(crate) fn job(&self, id: &Value) -> Value {
        let path = format!("/jobs/{}", id.as_str().unwrap());
        self.until(&path, |job| {
            job["status"] == "succeeded" || job["status"] == "failed"
        })
    }

    /// A stock take whose lines are all there.
    #[track_caller]
    pub(crate) fn take(&self) -> String {
        let new = json!({"description": "Quarterly retail count"});
        let take = self.post("/inventory/stock-takes", &new).gives(201);
        let path = format!("/inventory/stock-takes/{}", id(&take));
        self.until(&path, |take| take["items_added"] == true);
        id(&take)
    }

    /// The line of an article on a stock take.
    #[track_caller]
    pub(crate) fn line(&self, take: &str, article: &str) -> Value {
        let path = format!("/inventory/stock-takes/{take}/items?per_page=250");
        let lines = self.get(&path).gives(200);
        let mut lines = lines["data"].as_array().unwrap().iter();
        let line = lines.find(|line| line["article_id"] == article);
        line.unwrap_or_else(|| panic!("no line of {article}"))
            .clone()
    }

    /// Counts an article on a stock take.
    #[track_caller]
    pub(crate) fn count(&self, take: &str, article: &str, quantity: &Value) -> Value {
        let line = id(&self.line(take, article));
        let path = format!("/inventory/stock-takes/{take}/items/{line}");
        let body = json!({"counted_quantity": quantity});
        self.put_by(COUNTER, &path, &body).gives(200)
    }

    /// The level of a product, wherever it is kept; null when it is not.
    #[track_caller]
    pub(crate) fn level(&self, product: u32) -> Value {
        let path = format!("/stock-levels?product_id={}", self::product(product));
        let levels = self.get(&path).gives(200);
        levels["data"][0].clone()
    }

    /// What is on hand of a product at its first place.
    #[track_caller]
    pub(crate) fn on_hand(&self, product: u32) -> Value {
        self.level(product)["quantity"].clone()
    }

    /// The ledger of a product.
    #[track_caller]
    pub(crate) fn events(&self, product: u32) -> Vec<Value> {
        let path = format!("/stock-events?product_id={}", self::product(product));
        let events = self.get(&path).gives(200);
        events["data"].as_array().unwrap().clone()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let ended = serving.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
        if let StoreChoice::Sqlite(path) = &self.store {
            remove_file(path);
        }
    }
}

/// The id of a product of the seed.
pub(crate) fn product(number: u32) -> String {
    format!("00000003-0000-4000-8000-{number:012}")
}

/// The id of an object.
#[track_caller]
pub(crate) fn id(object: &Value) -> String {
    object["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{object}"))
        .to_owned()
}

/// Removes a database file; what was open with it may be gone already.
pub(crate) fn remove_file(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = path.to_path_buf().into_os_string();
        path.push(suffix);
        let _ = std::fs::remove_file(path);
    }
}
