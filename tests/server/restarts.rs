//! The program is ended in the middle of a posting of thousands of lines, and started again: it finishes the posting,
//! each line once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use stocktake::domain::{
    Actor, JobId, OrganisationId, ProductId, Quantity, Role, SiteAccess, SiteId, StockKey,
    StockTakeId, StockTakeItemId, StockTakeState, UserId, UserSummary,
};
use stocktake::service::{Caller, CountRequest, Stocktake};
use stocktake::sqlite::SqliteStore;
use stocktake::store::JobState;
use tempfile::TempDir;
use uuid::Uuid;

use crate::client::Request;
use crate::program::Program;
use crate::shop::{MANAGER, id};

/// Lines of the take: some chunks of what one commit posts.
const LINES: u128 = 3_000;
/// How often the middle is tried to be hit.
const MOST_TRIES: u32 = 20;
/// How often a test asks before it gives up: for many times longer than anything takes.
const MOST_QUESTIONS: u32 = 1_000_000;

const ORGANISATION: Uuid = Uuid::from_u128(1);
const SITE: Uuid = Uuid::from_u128(2);
const USER: Uuid = Uuid::from_u128(3);

fn product(number: u128) -> Uuid {
    Uuid::from_u128((4 << 64) | number)
}

/// What is counted of a product: nothing, what the book says, less, or more.
fn counted(number: u128) -> Option<u32> {
    match number % 5 {
        0 => None,
        1 => Some(10),
        2 => Some(9),
        3 => Some(0),
        _ => Some(12),
    }
}

/// What must be on hand of each product in the end, and what its one variance is, if it has one.
fn expected() -> BTreeMap<String, (i64, Option<i64>)> {
    let row = |number| {
        let counted = i64::from(counted(number).unwrap_or(10));
        let variance = Some(counted - 10).filter(|variance| *variance != 0);
        (product(number).to_string(), (counted, variance))
    };
    (0..LINES).map(row).collect()
}

fn manager() -> Caller {
    Caller::of(&Actor {
        organisation: OrganisationId::new(ORGANISATION),
        user: UserSummary {
            id: UserId::new(USER),
            email: None,
            first_name: "Dan".to_owned(),
            last_name: "Johnson".to_owned(),
        },
        role: Role::Manager,
        sites: SiteAccess::All,
    })
}

/// A folder with a seed file, and a database file with a take that is counted, to be posted.
struct Prepared {
    folder: TempDir,
    take: Uuid,
}

impl Prepared {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("seed.json"), seed().to_string()).unwrap();
        let mut prepared = Self {
            folder,
            take: Uuid::nil(),
        };
        let file = prepared.path("prepared.db");
        let program = prepared.start(&file, "5");
        let new = json!({"description": "thousands of lines"});
        let create = Request::new(program.address, "POST", "/inventory/stock-takes").by(MANAGER);
        let take = id(&create.json(&new).gives(201));
        until(
            &program,
            &format!("/inventory/stock-takes/{take}"),
            |take| take["items_added"] == true,
        );
        assert!(program.terminate().success());
        prepared.take = take.parse().unwrap();
        prepared.count(&file);
        prepared
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, file: &Path, lease: &str) -> Program {
        let arguments: [&OsStr; 4] = [
            "--db".as_ref(),
            file.as_ref(),
            "--lease".as_ref(),
            lease.as_ref(),
        ];
        Program::start(&self.path("seed.json"), &arguments)
    }

    /// Counts as a counter's device would that was offline: many lines at once.
    fn count(&self, file: &Path) {
        let (library, _) = opened(file);
        let take = StockTakeId::new(self.take);
        let counts: Vec<_> = (0..LINES)
            .filter_map(|number| {
                let key = StockKey::plain(SiteId::new(SITE), ProductId::new(product(number)));
                let request = CountRequest::set(Quantity::from(counted(number)?));
                Some((StockTakeItemId::for_key(take, &key), request))
            })
            .collect();
        run(async {
            for batch in counts.chunks(1_000) {
                let takes = library.stock_takes();
                takes.count_lines(&manager(), take, batch).await.unwrap();
            }
        });
    }

    /// Ends the program in the middle of the posting. Returns the file, and the job that posts.
    ///
    /// That it was the middle is read from the file when the program is gone; a posting that was over before is passed
    /// over, and a fresh copy of the file tried.
    fn interrupted(
        &self,
        lease: &str,
        end: impl Fn(Program),
        begin: impl Fn(&Program, Uuid),
        has_begun: impl Fn(&Program) -> bool,
    ) -> PathBuf {
        for number in 0..MOST_TRIES {
            let file = self.path(&format!("{number}.db"));
            // Whoever had it open may still be closing it: a copy that SQLite makes is whole.
            let prepared = rusqlite::Connection::open(self.path("prepared.db")).unwrap();
            let copy = "VACUUM INTO ?1";
            prepared.execute(copy, [file.to_str().unwrap()]).unwrap();
            let program = self.start(&file, lease);
            begin(&program, self.take);
            let is_under_way = (0..MOST_QUESTIONS).any(|_| has_begun(&program));
            assert!(is_under_way, "the posting does not begin");
            end(program);
            if self.is_in_the_middle(&file) {
                return file;
            }
        }
        panic!("the middle is never hit");
    }

    /// Whether some events are there and others are not, and the take is being posted.
    fn is_in_the_middle(&self, file: &Path) -> bool {
        let (library, _) = opened(file);
        let variances = expected().values().filter(|it| it.1.is_some()).count();
        run(async {
            let takes = library.stock_takes();
            let id = StockTakeId::new(self.take);
            let take = takes.get(&manager(), id).await.unwrap().take;
            let stock = library.stock();
            let site = SiteId::new(SITE);
            let (mut posted, mut after) = (0_usize, u64::try_from(LINES).unwrap());
            loop {
                let ledger = stock.ledger(&manager(), site, after, 1_000).await.unwrap();
                let Some(last) = ledger.last() else { break };
                after = last.position;
                posted += ledger.len();
            }
            take.state() == StockTakeState::Posting && (1..variances).contains(&posted)
        })
    }

    /// Asks a program that was started again whether the posting is over, and has done everything once.
    fn is_posted_once(&self, program: Program, file: &Path) {
        let path = format!("/inventory/stock-takes/{}", self.take);
        until(&program, &path, |take| take["status"] == "complete");
        let mut found = BTreeMap::new();
        for level in list(&program, "/stock-levels") {
            let quantity = level["quantity"].as_i64().unwrap();
            found.insert(name(&level["product_id"]), (quantity, None));
        }
        for event in list(&program, "/stock-events") {
            if event["kind"] == "count_variance" {
                assert_eq!(event["before"], 10);
                let product = found.get_mut(&name(&event["product_id"])).unwrap();
                let first = product.1.replace(event["change"].as_i64().unwrap());
                assert_eq!(first, None, "posted twice: {event}");
            }
        }
        assert!(found == expected(), "not every level and variance is right");
        assert!(program.terminate().success());
        let (library, _) = opened(file);
        let verified = run(library.stock().verify(&manager(), SiteId::new(SITE))).unwrap();
        assert!(verified.differences.is_empty(), "{verified:?}");
    }
}

fn seed() -> Value {
    let products: Vec<Value> = (0..LINES)
        .map(|number| {
            json!({"id": product(number), "organisation_id": ORGANISATION, "article_id": format!("SKU-{number}"),
                "name": format!("Product {number}"), "unit_cost": "1.25"})
        })
        .collect();
    let stock: Vec<Value> = (0..LINES)
        .map(|number| {
            json!({"site_id": SITE, "product_id": product(number), "quantity": "10", "unit_cost": "1.25"})
        })
        .collect();
    json!({
        "sites": [{"id": SITE, "organisation_id": ORGANISATION, "external_id": "store-1", "name": "High Street",
            "currency": "gbp"}],
        "users": [{"id": USER, "organisation_id": ORGANISATION, "site_ids": [SITE], "role": "manager",
            "token": MANAGER, "first_name": "Dan", "last_name": "Johnson"}],
        "products": products,
        "stock": stock,
    })
}

fn opened(file: &Path) -> (Stocktake, Arc<SqliteStore>) {
    let store = Arc::new(SqliteStore::open(file).unwrap());
    (Stocktake::new(store.clone()), store)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}

fn get(program: &Program, path: &str) -> Value {
    Request::new(program.address, "GET", path)
        .by(MANAGER)
        .gives(200)
}

fn list(program: &Program, path: &str) -> Vec<Value> {
    get(program, path)["data"].as_array().unwrap().clone()
}

fn name(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn until(program: &Program, path: &str, is_so: impl Fn(&Value) -> bool) {
    let found = (0..MOST_QUESTIONS).any(|_| is_so(&get(program, path)));
    assert!(found, "{path} never is as it should be");
}

fn posting(program: &Program, take: Uuid, how: &str) -> Request {
    let path = format!("/inventory/stock-takes/{take}/{how}");
    Request::new(program.address, "POST", &path).by(MANAGER)
}

/// Posts in the background, and remembers the job.
fn post(job: &std::cell::Cell<Option<Uuid>>) -> impl Fn(&Program, Uuid) {
    |program, take| {
        let queued = posting(program, take, "post").once("1").gives(200);
        job.set(Some(name(&queued["job"]["id"]).parse().unwrap()));
    }
}

fn has_progress(job: &std::cell::Cell<Option<Uuid>>) -> impl Fn(&Program) -> bool {
    |program| get(program, &format!("/jobs/{}", job.get().unwrap()))["progress"]["done"] != 0
}

fn job_state(file: &Path, job: &std::cell::Cell<Option<Uuid>>) -> JobState {
    let (library, _) = opened(file);
    let job = JobId::new(job.get().unwrap());
    run(library.job(&manager(), job)).unwrap().state
}

#[test]
fn s1_06_a_posting_goes_on_by_itself_after_the_program_was_killed() {
    let (prepared, job) = (Prepared::new(), std::cell::Cell::new(None));
    let file = prepared.interrupted("1", Program::kill, post(&job), has_progress(&job));
    // The dead process has the job still.
    assert!(matches!(job_state(&file, &job), JobState::Running { .. }));
    let again = prepared.start(&file, "1");
    until(&again, &format!("/jobs/{}", job.get().unwrap()), |job| {
        job["status"] == "succeeded"
    });
    // Asked for again it is the same posting, and another one is refused.
    let queued = posting(&again, prepared.take, "post").once("1").gives(200);
    assert_eq!(name(&queued["job"]["id"]), job.get().unwrap().to_string());
    let other = posting(&again, prepared.take, "post").once("2");
    other.refused(409, "invalid_state");
    prepared.is_posted_once(again, &file);
}

#[test]
fn s1_06_a_program_that_is_told_to_stop_hands_the_posting_to_the_next_one() {
    let (prepared, job) = (Prepared::new(), std::cell::Cell::new(None));
    let stop = |program: Program| assert!(program.terminate().success());
    // Nobody could wait for the end of this lease.
    let file = prepared.interrupted("86400", stop, post(&job), has_progress(&job));
    assert_eq!(job_state(&file, &job), JobState::Queued);
    let again = prepared.start(&file, "86400");
    prepared.is_posted_once(again, &file);
    assert_eq!(job_state(&file, &job), JobState::Succeeded);
}

#[test]
fn s1_07_a_submission_that_was_cut_off_is_finished_when_it_is_sent_again() {
    let prepared = Prepared::new();
    let file = prepared.interrupted(
        "1",
        Program::kill,
        |program, take| {
            let request = posting(program, take, "submit").once("1");
            std::thread::spawn(move || request.send_in_vain());
        },
        |program| {
            let path = format!("/stock-events?product_id={}", product(2));
            list(program, &path).len() > 1
        },
    );
    let again = prepared.start(&file, "1");
    let posted = posting(&again, prepared.take, "submit")
        .once("1")
        .gives(200);
    assert_eq!(posted["status"], "complete");
    prepared.is_posted_once(again, &file);
}
