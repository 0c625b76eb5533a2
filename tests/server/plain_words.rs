//! Errors and files in people's words.

use serde_json::{Value, json};

use crate::shop::{MANAGER, NOTHING, VIEWER, each_store};

#[test]
fn what_is_expected_is_told_in_people_s_words() {
    each_store(|shop| {
        let list = crate::s4_lists::started(shop, &["SKU-1"]);
        let counted = |at: Value| {
            let body = json!({"articleId": "SKU-1", "addedAmount": 1, "countedAt": at});
            let told = shop
                .list("PUT", &format!("/{list}/articles"))
                .json(&body)
                .gives(422);
            told["errorMessage"].as_str().unwrap().to_owned()
        };
        assert!(counted(json!("noon")).contains("expected a whole number"));
        assert!(counted(json!(1.5)).contains("expected a whole number"));
        let flag = json!({"applyAdjustments": "yes"});
        let path = format!("/inventory-counts/{NOTHING}/complete");
        shop.post_by(MANAGER, &path, &flag).expect(404);
        let new = json!({"name": "count", "type": "SPOT"});
        let count = crate::shop::id(&shop.post("/inventory-counts", &new).gives(201));
        let told = shop.post(&format!("/inventory-counts/{count}/complete"), &flag);
        let told = told.refused(422, "invalid_body");
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains("expected true or false"), "{message}");
    });
}

/// What people are given names people and what happened, in words.
#[test]
fn s1_12_the_ledger_for_people_has_no_words_of_machines() {
    each_store(|shop| {
        let import = json!({"store-1": {"SKU-2": 90}});
        let started = shop.post("/imports/stock", &import).gives(200);
        shop.job(&started["job_id"]);
        let queued = shop
            .get_by(VIEWER, "/stock-events/queue?style=people")
            .gives(200);
        let job = shop.job(&queued["job"]["id"]);
        let file = shop.get_by(VIEWER, job["result"]["url"].as_str().unwrap());
        let text = file.expect(200).text;
        for words in ["set from outside", "received", "Seed file"] {
            assert!(text.contains(words), "{words} in {text}");
        }
        for machine in ["external_reset", "api key", "00000000-0000"] {
            assert!(!text.contains(machine), "{machine} in {text}");
        }
    });
}
