//! Jobs that failed for good are listed, and queued again.

use serde_json::{Value, json};
use stocktake::domain::{
    Actor, JobId, OrganisationId, Role, SiteAccess, StockTakeId, Timestamp, UserId, UserSummary,
};
use stocktake::sqlite::SqliteStore;
use stocktake::store::{JobKind, JobQueue as _, JobTask, NewJob};
use uuid::Uuid;

use crate::app::StoreChoice;
use crate::shop::{COUNTER, MANAGER, NOTHING, SITE, STRANGER, Shop, each_store, id, new_file};

const JOB: &str = "00000000-0000-4000-8000-00000000000a";
const ORGANISATION: &str = "00000001-0000-4000-8000-000000000001";

/// A job of a take that has failed for good, put there while no server runs.
fn dead_job(path: &std::path::Path, take: &str) {
    job(path, take, true);
}

/// A job that a worker of another process has, for a long time.
fn running_job(path: &std::path::Path, take: &str) {
    job(path, take, false);
}

fn job(path: &std::path::Path, take: &str, is_dead: bool) {
    let organisation: OrganisationId = ORGANISATION.parse().unwrap();
    let (at, later) = (
        Timestamp::from_micros(0).unwrap(),
        Timestamp::from_micros(1).unwrap(),
    );
    let task = JobTask::PostStockTake {
        take: take.parse::<StockTakeId>().unwrap(),
    };
    let job = NewJob {
        id: JOB.parse::<JobId>().unwrap(),
        site: SITE.parse().unwrap(),
        task,
        requested_by: Actor {
            organisation,
            user: UserSummary {
                id: UserId::new(Uuid::nil()),
                email: None,
                first_name: String::new(),
                last_name: String::new(),
            },
            role: Role::Manager,
            sites: SiteAccess::All,
        },
        run_at: at,
        max_attempts: 1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(path).unwrap();
        store.enqueue(organisation, &job, at).await.unwrap();
        let lease = store
            .lease("a test", JobKind::ALL, at, later)
            .await
            .unwrap()
            .unwrap();
        if is_dead {
            let failed = store.fail(lease.token, "the printer is on fire", at, None);
            failed.await.unwrap();
        } else {
            let long = Timestamp::from_micros(4_000_000_000_000_000).unwrap();
            store.extend(lease.token, long).await.unwrap();
        }
    });
}

fn listed(shop: &Shop) -> Vec<Value> {
    let jobs = shop.get("/jobs?status=failed").gives(200);
    jobs["data"].as_array().unwrap().clone()
}

#[test]
fn jobs_that_failed_for_good_are_listed_and_queued_again() {
    let path = new_file();
    let mut shop = Shop::open(StoreChoice::Sqlite(path.clone()));
    let take = shop.take();
    assert_eq!(listed(&shop), Vec::<Value>::new());
    shop.close();
    dead_job(&path, &take);
    let shop = Shop::open(StoreChoice::Sqlite(path));
    let jobs = listed(&shop);
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        (id(&jobs[0]), &jobs[0]["status"]),
        (JOB.to_owned(), &json!("failed"))
    );
    assert!(jobs[0]["error"].as_str().unwrap().contains("on fire"));
    shop.get("/jobs?status=over")
        .refused(422, "invalid_parameter");
    for status in ["queued", "running"] {
        let found = shop.get(&format!("/jobs?status={status}")).gives(200);
        assert_eq!(found, json!({"data": []}), "{status}");
    }
    // What is not over: what waits or runs, and what waits for somebody to look after it.
    let open = shop.get("/jobs").gives(200);
    assert_eq!(id(&open["data"][0]), JOB);
    shop.get_by(COUNTER, "/jobs").refused(403, "forbidden");
    assert_eq!(
        shop.get_by(STRANGER, "/jobs").gives(200),
        json!({"data": []})
    );
    let requeue =
        |token: &str, job: &str| shop.post_by(token, &format!("/jobs/{job}/requeue"), &json!({}));
    requeue(STRANGER, JOB).refused(404, "not_found");
    requeue(MANAGER, NOTHING).refused(404, "not_found");
    requeue(COUNTER, JOB).refused(403, "forbidden");
    let queued = requeue(MANAGER, JOB).gives(200);
    assert_eq!(queued["job"]["id"], JOB);
    shop.job(&json!(JOB));
    assert_eq!(listed(&shop), Vec::<Value>::new());
    requeue(MANAGER, JOB).refused(409, "not_dead");
}

#[test]
fn jobs_that_succeeded_are_listed_as_they_ended() {
    each_store(|shop| {
        let takes = [shop.take(), shop.take(), shop.take()];
        let read = |more: &str| {
            let jobs = shop
                .get(&format!("/jobs?status=succeeded{more}"))
                .gives(200);
            jobs["data"].as_array().unwrap().clone()
        };
        let jobs = read("");
        assert_eq!(jobs.len(), takes.len(), "{jobs:?}");
        for job in &jobs {
            assert_eq!(job["kind"], "populate_stock_take", "{job}");
            assert_eq!(job["status"], "succeeded", "{job}");
        }
        let newest: Vec<Value> = jobs.into_iter().rev().collect();
        assert_eq!(read("&order=desc"), newest);
        shop.get_by(COUNTER, "/jobs?status=succeeded")
            .refused(403, "forbidden");
    });
}

#[test]
fn jobs_that_are_open_are_listed() {
    let path = new_file();
    let mut shop = Shop::open(StoreChoice::Sqlite(path.clone()));
    let take = shop.take();
    assert_eq!(shop.get("/jobs").gives(200), json!({"data": []}));
    shop.close();
    running_job(&path, &take);
    let shop = Shop::open(StoreChoice::Sqlite(path));
    for query in ["", "?status=running"] {
        let jobs = shop.get(&format!("/jobs{query}")).gives(200);
        let jobs = jobs["data"].as_array().unwrap();
        assert_eq!(jobs.len(), 1, "{query}");
        assert_eq!(
            (id(&jobs[0]), &jobs[0]["status"]),
            (JOB.to_owned(), &json!("running"))
        );
    }
    assert_eq!(listed(&shop), Vec::<Value>::new());
    assert_eq!(
        shop.get("/jobs?status=queued").gives(200),
        json!({"data": []})
    );
}
