//! Stock takes: the header (S1.1 to S1.7).

use serde_json::{Value, json};

use crate::shop::{
    ANN, COUNTER, EVERYWHERE, MANAGER, NOTHING, SITE, STATION, STRANGER, VIEWER, each_store, id,
};

const TAKES: &str = "/inventory/stock-takes";

fn described(text: &str) -> Value {
    json!({ "description": text })
}

#[test]
fn s1_01_a_list_is_paged_oldest_first_and_stable() {
    each_store(|shop| {
        for number in 0..5 {
            shop.post(TAKES, &described(&format!("take {number}")))
                .expect(201);
        }
        let page = |number: u32| {
            let path = format!("{TAKES}?site_id={SITE}&per_page=2&page={number}");
            shop.get(&path).gives(200)
        };
        let first = page(1);
        let meta = json!({"page": 1, "per_page": 2, "total": 5, "last_page": 3});
        assert_eq!(first["meta"], meta);
        shop.post(TAKES, &described("take 5")).expect(201);
        let mut seen = Vec::new();
        for number in 1..=3 {
            let found = page(number);
            let rows = found["data"].as_array().unwrap();
            seen.extend(
                rows.iter()
                    .map(|it| it["description"].as_str().unwrap().to_owned()),
            );
        }
        let expected: Vec<String> = (0..6).map(|number| format!("take {number}")).collect();
        assert_eq!(seen, expected);
        assert_eq!(page(4)["data"], json!([]));

        let all = shop.get(&format!("{TAKES}?site_id={SITE}")).gives(200);
        assert_eq!(all["meta"]["per_page"], 25);
        for wrong in [
            "page=0",
            "per_page=0",
            "per_page=251",
            "page=x",
            "page=1.5",
            "page=-1",
        ] {
            let path = format!("{TAKES}?site_id={SITE}&{wrong}");
            let refused = shop.get(&path).gives(422);
            let field = wrong.split('=').next().unwrap();
            assert_eq!(refused["error"]["fields"][0]["field"], field, "{refused}");
        }
        let missing = shop.get(TAKES).gives(422);
        assert_eq!(missing["error"]["fields"][0]["field"], "site_id");
        shop.get(&format!("{TAKES}?site_id={STATION}"))
            .refused(404, "not_found");
        shop.get_by(STRANGER, &format!("{TAKES}?site_id={SITE}"))
            .refused(404, "not_found");
    });
}

#[test]
fn s1_02_a_take_is_created_and_a_job_adds_its_lines() {
    each_store(|shop| {
        let created = shop.post(TAKES, &described("Räkning №1")).gives(201);
        assert_eq!(created["description"], "Räkning №1");
        assert_eq!(created["status"], "in_progress");
        assert_eq!(created["currency"], "gbp");
        assert_eq!(created["items_added"], false);
        assert_eq!(created["created_by"]["full_name"], "Dan Johnson");
        assert_eq!(created["created_by"]["email"], "manager-token@example.com");
        assert_eq!(created["created_by"]["id"], created["created_by_id"]);
        assert_eq!(created["site_id"], SITE);
        assert_eq!(created["posted_at"], Value::Null);
        let path = format!("{TAKES}/{}", id(&created));
        shop.until(&path, |take| take["items_added"] == true);
        let lines = shop.get(&format!("{path}/items")).gives(200);
        assert_eq!(lines["meta"]["total"], 8);

        // Characters, not bytes.
        shop.post(TAKES, &described(&"ü".repeat(255))).expect(201);
        for wrong in ["", "  ", &"ü".repeat(256), "a\u{0}b"] {
            let refused = shop
                .post(TAKES, &described(wrong))
                .refused(422, "invalid_body");
            assert_eq!(refused["error"]["fields"][0]["field"], "description");
        }
        let wrong = [
            json!({}),
            json!({"description": 7}),
            json!({"description": null}),
            json!({"description": "a", "status": "complete"}),
            json!([]),
            json!(["a", null]),
            json!(null),
        ];
        for wrong in wrong {
            shop.post(TAKES, &wrong).refused(422, "invalid_body");
        }
        shop.post_by(VIEWER, TAKES, &described("a"))
            .refused(403, "forbidden");
        shop.post_by(COUNTER, TAKES, &described("a"))
            .refused(403, "forbidden");
        shop.nobody("POST", TAKES)
            .json(&described("a"))
            .refused(401, "unauthenticated");
    });
}

#[test]
fn s1_02_the_site_is_named_in_the_body_or_the_query_or_is_the_only_one() {
    each_store(|shop| {
        let new = described("a");
        shop.post_by(EVERYWHERE, TAKES, &new)
            .refused(422, "site_required");
        let in_body = json!({"description": "a", "site_id": STATION});
        let take = shop.post_by(EVERYWHERE, TAKES, &in_body).gives(201);
        assert_eq!(
            (&take["site_id"], &take["currency"]),
            (&json!(STATION), &json!("jpy"))
        );
        let in_query = format!("{TAKES}?site_id={STATION}");
        let take = shop.post_by(EVERYWHERE, &in_query, &new).gives(201);
        assert_eq!(take["site_id"], STATION);
        shop.post(&in_query, &new).refused(404, "not_found");
    });
}

#[test]
fn s1_03_a_take_is_read_by_those_who_see_its_site() {
    each_store(|shop| {
        let path = format!("{TAKES}/{}", shop.take());
        assert_eq!(
            shop.get_by(VIEWER, &path).gives(200),
            shop.get(&path).gives(200)
        );
        let foreign = shop.get_by(STRANGER, &path).expect(404);
        let missing = shop.get(&format!("{TAKES}/{NOTHING}")).expect(404);
        assert_eq!(foreign.text, missing.text);
        shop.get(&format!("{TAKES}/none")).refused(404, "not_found");
        shop.nobody("GET", &path).refused(401, "unauthenticated");
        shop.nobody("GET", &path)
            .by("no such token")
            .refused(401, "unauthenticated");
    });
}

#[test]
fn s1_04_the_description_changes_until_posting_begins() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("{TAKES}/{take}");
        let changed = shop.put_by(COUNTER, &path, &described("Second")).gives(200);
        assert_eq!(changed["description"], "Second");
        assert_eq!(
            shop.put(&path, &json!({})).gives(200)["description"],
            "Second"
        );
        shop.put(&path, &described("")).refused(422, "invalid_body");
        shop.put_by(VIEWER, &path, &described("a"))
            .refused(403, "forbidden");
        shop.put(&format!("{TAKES}/{NOTHING}"), &described("a"))
            .refused(404, "not_found");
        shop.post(&format!("{path}/submit"), &json!({})).expect(200);
        shop.put(&path, &described("Third"))
            .refused(409, "invalid_state");
    });
}

#[test]
fn s1_05_a_removed_take_is_gone_and_the_ledger_stays() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("{TAKES}/{take}");
        shop.count(&take, "SKU-1", &json!(38));
        shop.post(&format!("{path}/submit"), &json!({})).expect(200);
        shop.delete_by(COUNTER, &path).refused(403, "forbidden");
        assert_eq!(shop.delete(&path).expect(204).text, "");
        shop.get(&path).refused(404, "not_found");
        shop.delete(&path).refused(404, "not_found");
        let list = shop.get(&format!("{TAKES}?site_id={SITE}")).gives(200);
        assert_eq!(list["data"], json!([]));
        assert_eq!(shop.on_hand(1), 38);
        assert_eq!(shop.events(1).len(), 3);
    });
}

#[test]
fn s1_06_post_locks_at_once_and_a_job_does_the_rest() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("{TAKES}/{take}");
        shop.count(&take, "SKU-1", &json!(38));
        let line = id(&shop.line(&take, "SKU-1"));
        shop.post_by(COUNTER, &format!("{path}/post"), &json!({}))
            .refused(403, "forbidden");
        let queued = shop.post(&format!("{path}/post"), &json!({})).gives(200);
        assert_eq!(queued["job"]["kind"], "post_stock_take");
        let again = json!({"counted_quantity": 1});
        shop.put(&format!("{path}/items/{line}"), &again)
            .refused(409, "invalid_state");
        let job = shop.job(&queued["job"]["id"]);
        assert_eq!(
            (&job["status"], &job["error"]),
            (&json!("succeeded"), &Value::Null)
        );
        assert_eq!(job["progress"]["done"], job["progress"]["total"]);
        let posted = shop.get(&path).gives(200);
        assert_eq!(posted["status"], "complete");
        assert_eq!(posted["posted_by"]["full_name"], "Dan Johnson");
        assert_eq!(posted["posted_by_id"], posted["posted_by"]["id"]);
        assert!(posted["posted_at"].is_string());
        assert_eq!(shop.on_hand(1), 38);
        let events = shop.events(1);
        let last = events.last().unwrap();
        let told = (
            &last["kind"],
            &last["change"],
            &last["before"],
            &last["after"],
        );
        assert_eq!(
            told,
            (&json!("count_variance"), &json!(-2), &json!(40), &json!(38))
        );
        shop.post(&format!("{path}/post"), &json!({}))
            .refused(409, "invalid_state");
        assert_eq!(shop.events(1).len(), events.len());
    });
}

#[test]
fn s1_07_submit_is_done_when_it_answers() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("{TAKES}/{take}/submit");
        shop.count(&take, "SKU-2", &json!(90.5));
        shop.post_by(VIEWER, &path, &json!({}))
            .refused(403, "forbidden");
        let posted = shop
            .post_by(ANN, &path, &json!({}))
            .once("submit-1")
            .gives(200);
        assert_eq!(posted["status"], "complete");
        assert_eq!(posted["posted_by"]["full_name"], "Ann Lee");
        assert_eq!(shop.on_hand(2), 90.5);
        // Sent again, it is done once; another one is refused.
        let again = shop
            .post_by(ANN, &path, &json!({}))
            .once("submit-1")
            .gives(200);
        assert_eq!(again["posted_at"], posted["posted_at"]);
        shop.post_by(MANAGER, &path, &json!({}))
            .refused(409, "invalid_state");
        assert_eq!(shop.events(2).len(), 2);
    });
}

#[test]
fn s1_07_what_can_t_be_posted_is_told_and_nothing_is() {
    each_store(|shop| {
        let take = shop.take();
        // 35 are missing, but by the time of posting only 2 are left to be missing.
        shop.count(&take, "SKU-1", &json!(5));
        let adjustment = json!({"productId": crate::shop::product(1), "type": "DAMAGE", "quantityChange": -38,
            "reason": "flood"});
        shop.post("/stock-adjustments", &adjustment).expect(201);
        let refused = shop
            .post(&format!("{TAKES}/{take}/submit"), &json!({}))
            .refused(409, "lines_refused");
        let field = &refused["error"]["fields"][0];
        assert_eq!(field["field"], id(&shop.line(&take, "SKU-1")));
        assert!(
            field["message"]
                .as_str()
                .unwrap()
                .starts_with("would_go_negative")
        );
        let told = field["message"].as_str().unwrap();
        assert!(told.ends_with("(SKU-1, stock place A-01)"), "{told}");
        assert_eq!(shop.on_hand(1), 2);
        assert_eq!(
            shop.get(&format!("{TAKES}/{take}")).gives(200)["status"],
            "in_progress"
        );
        // In the background the job says the same.
        let queued = shop
            .post(&format!("{TAKES}/{take}/post"), &json!({}))
            .gives(200);
        let job = shop.job(&queued["job"]["id"]);
        assert_eq!(job["status"], "failed");
        let told = "1 line can't be posted: SKU-1, stock place A-01: ";
        assert!(job["error"].as_str().unwrap().contains(told), "{job}");
        let failed = shop.get("/jobs?status=failed").gives(200);
        let mut jobs = failed["data"].as_array().unwrap().iter();
        assert!(jobs.any(|it| it["id"] == job["id"]), "{failed}");
    });
}
