//! Inventory counts (S2.1 to S2.7).

use std::thread;

use serde_json::{Value, json};

use crate::shop::{
    ANN, COUNTER, EVERYWHERE, NOTHING, STATION, STRANGER, Shop, VIEWER, each_store, id, product,
};

const COUNTS: &str = "/inventory-counts";

fn new(name: &str) -> Value {
    json!({"name": name, "type": "CYCLE", "notes": "aisle 3"})
}

#[track_caller]
fn started(shop: &Shop) -> String {
    id(&shop.post(COUNTS, &new("January")).gives(201))
}

#[track_caller]
fn counted(shop: &Shop, count: &str, number: u32, quantity: &Value) -> Value {
    let body = json!({"productId": product(number), "countedQuantity": quantity, "reason": "looked twice"});
    shop.post_by(COUNTER, &format!("{COUNTS}/{count}/items"), &body)
        .gives(201)
}

#[test]
fn s2_01_counts_are_listed_and_read() {
    each_store(|shop| {
        let count = started(shop);
        counted(shop, &count, 1, &json!(38));
        counted(shop, &count, 2, &json!(101));
        let list = shop.get_by(VIEWER, COUNTS).gives(200);
        let found = shop.get(&format!("{COUNTS}/{count}")).gives(200);
        assert_eq!(list, json!([found]));
        let told = [
            ("name", json!("January")),
            ("type", json!("CYCLE")),
            ("status", json!("IN_PROGRESS")),
            ("notes", json!("aisle 3")),
            ("completedAt", Value::Null),
            ("itemsCounted", json!(2)),
            ("discrepancies", json!(2)),
            ("missingValue", json!(25)),
            ("excessValue", json!(0.34)),
            ("netVarianceValue", json!(-24.66)),
        ];
        for (field, expected) in told {
            assert_eq!(found[field], expected, "{field}");
        }
        assert!(found["startedAt"].is_string());
        shop.get_by(STRANGER, &format!("{COUNTS}/{count}"))
            .refused(404, "not_found");
        assert_eq!(shop.get_by(STRANGER, COUNTS).gives(200), json!([]));
        shop.get_by(EVERYWHERE, COUNTS)
            .refused(422, "site_required");
        let there = format!("{COUNTS}?siteId={STATION}");
        assert_eq!(shop.get_by(EVERYWHERE, &there).gives(200), json!([]));
        shop.get(&there).refused(404, "not_found");
    });
}

#[test]
fn s2_02_managers_start_one_at_a_time() {
    each_store(|shop| {
        for (who, status) in [(COUNTER, 403), (VIEWER, 403)] {
            shop.post_by(who, COUNTS, &new("a")).expect(status);
        }
        for wrong in [
            json!({"name": "a", "type": "SOME"}),
            json!({"name": "", "type": "FULL"}),
            json!({"type": "FULL"}),
            json!({"name": "a", "type": "FULL", "siteId": STATION}),
        ] {
            shop.post(COUNTS, &wrong).refused(422, "invalid_body");
        }
        // Two at the same instant.
        let statuses: Vec<u16> = thread::scope(|scope| {
            let start = || scope.spawn(|| shop.post(COUNTS, &new("a")).send().status);
            let both = [start(), start()];
            both.map(|one| one.join().unwrap()).into()
        });
        assert!(
            statuses.contains(&201) && statuses.contains(&409),
            "{statuses:?}"
        );
        shop.post(COUNTS, &new("b"))
            .refused(409, "count_in_progress");
        let there = format!("{COUNTS}?siteId={STATION}");
        shop.post_by(EVERYWHERE, &there, &new("c")).expect(201);
    });
}

#[test]
fn s2_03_a_line_is_counted_against_the_book_and_replaced() {
    each_store(|shop| {
        let count = started(shop);
        let line = counted(shop, &count, 1, &json!(38));
        let told = [
            ("productId", json!(product(1))),
            ("batchId", Value::Null),
            ("systemQuantity", json!(40)),
            ("countedQuantity", json!(38)),
            ("variance", json!(-2)),
            ("varianceValue", json!(-25)),
            ("significant", json!(false)),
            ("reason", json!("looked twice")),
            ("notes", Value::Null),
        ];
        for (field, expected) in told {
            assert_eq!(line[field], expected, "{field}");
        }
        let again = counted(shop, &count, 1, &json!(40.5));
        assert_eq!(
            (&again["id"], &again["variance"]),
            (&line["id"], &json!(0.5))
        );
        // 51 of the hundred: over the limit of fifty.
        assert_eq!(counted(shop, &count, 2, &json!(49))["significant"], true);
        assert_eq!(counted(shop, &count, 2, &json!(50))["significant"], false);

        let items = format!("{COUNTS}/{count}/items");
        let batch = json!({"productId": product(4), "batchId": "LOT-7", "countedQuantity": 8});
        assert_eq!(shop.post(&items, &batch).gives(201)["batchId"], "LOT-7");
        let at_two_places = json!({"productId": product(6), "countedQuantity": 1});
        let refused = shop
            .post(&items, &at_two_places)
            .refused(422, "ambiguous_stock");
        let field = &refused["error"]["fields"][0];
        assert_eq!(field["field"], "productId");
        assert!(field["message"].as_str().unwrap().contains("A-01"));
        let unknown = json!({"productId": NOTHING, "countedQuantity": 1});
        shop.post(&items, &unknown).refused(422, "unknown_product");
        let negative = json!({"productId": product(1), "countedQuantity": -1});
        shop.post(&items, &negative).refused(422, "negative_count");
        let text = json!({"productId": product(1), "countedQuantity": "1"});
        shop.post(&items, &text).refused(422, "invalid_body");
        shop.post_by(VIEWER, &items, &batch)
            .refused(403, "forbidden");
        // Stock that the book has never seen; an empty text is none.
        let new =
            json!({"productId": product(8), "batchId": "", "countedQuantity": 3, "notes": ""});
        assert_eq!(shop.post(&items, &new).gives(201)["notes"], Value::Null);
    });
}

#[test]
fn s2_04_lines_are_listed_all_or_those_that_are_off() {
    each_store(|shop| {
        let count = started(shop);
        counted(shop, &count, 1, &json!(40));
        counted(shop, &count, 3, &json!(24));
        counted(shop, &count, 2, &json!(10));
        let items = |filter: &str| {
            let found = shop
                .get_by(VIEWER, &format!("{COUNTS}/{count}/items?{filter}"))
                .gives(200);
            found.as_array().unwrap().len()
        };
        assert_eq!(items(""), 3);
        assert_eq!(items("discrepancies=true"), 2);
        assert_eq!(items("discrepancies=true&significant=true"), 1);
        assert_eq!(items("significant=true"), 1);
        assert_eq!(items("discrepancies=false"), 3);
        shop.get(&format!("{COUNTS}/{count}/items?discrepancies=maybe"))
            .expect(422);
        shop.get(&format!("{COUNTS}/{NOTHING}/items"))
            .refused(404, "not_found");
    });
}

#[test]
fn s2_05_a_completed_count_is_applied_when_that_is_asked() {
    each_store(|shop| {
        let count = started(shop);
        counted(shop, &count, 1, &json!(38));
        let path = format!("{COUNTS}/{count}/complete");
        shop.post_by(COUNTER, &path, &json!({}))
            .refused(403, "forbidden");
        let kept = shop
            .post(&path, &json!({"notes": "only to know"}))
            .gives(200);
        assert_eq!(kept["status"], "COMPLETED");
        assert_eq!(kept["completionNotes"], "only to know");
        assert!(kept["completedAt"].is_string());
        assert_eq!(shop.on_hand(1), 40);
        shop.post(&path, &json!({})).refused(409, "invalid_state");

        let count = started(shop);
        counted(shop, &count, 1, &json!(38));
        counted(shop, &count, 3, &json!(25));
        let path = format!("{COUNTS}/{count}/complete");
        let done = shop
            .post(&path, &json!({"applyAdjustments": true}))
            .gives(200);
        assert_eq!(
            (&done["discrepancies"], &done["missingValue"]),
            (&json!(1), &json!(25))
        );
        assert_eq!(shop.on_hand(1), 38);
        let adjustments = shop.get("/stock-adjustments").gives(200);
        let [only] = adjustments.as_array().unwrap().as_slice() else {
            panic!("{adjustments}")
        };
        assert_eq!(only["inventoryCountId"], count);
        let told = (
            &only["type"],
            &only["quantityChange"],
            &only["approved"],
            &only["requiresApproval"],
        );
        assert_eq!(
            told,
            (
                &json!("CORRECTION"),
                &json!(-2),
                &json!(true),
                &json!(false)
            )
        );
        // The body may be missing altogether.
        let count = started(shop);
        let path = format!("{COUNTS}/{count}/complete");
        let empty = shop.post(&path, &json!({})).text("").gives(200);
        assert_eq!(empty["itemsCounted"], 0);
    });
}

#[test]
fn s2_06_a_cancelled_count_posts_nothing_and_makes_room() {
    each_store(|shop| {
        let count = started(shop);
        counted(shop, &count, 1, &json!(38));
        let path = format!("{COUNTS}/{count}/cancel");
        shop.post_by(COUNTER, &path, &json!({}))
            .refused(403, "forbidden");
        assert_eq!(
            shop.post(&path, &json!({})).gives(200)["status"],
            "CANCELLED"
        );
        assert_eq!(shop.on_hand(1), 40);
        shop.post(&path, &json!({})).refused(409, "invalid_state");
        let items = format!("{COUNTS}/{count}/items");
        let late = json!({"productId": product(1), "countedQuantity": 1});
        shop.post(&items, &late).refused(409, "invalid_state");
        started(shop);
    });
}

#[test]
fn s2_03_a_count_names_what_tells_several_apart() {
    each_store(|shop| {
        let count = started(shop);
        let items = format!("{COUNTS}/{count}/items");
        let count = |more: &Value| {
            let mut body = json!({"productId": product(6), "countedQuantity": 4});
            let fields = body.as_object_mut().unwrap();
            fields.extend(more.as_object().unwrap().clone());
            shop.post(&items, &body)
        };
        count(&json!({})).refused(422, "ambiguous_stock");
        let item = count(&json!({"stockPlace": "B-01"})).gives(201);
        let told = [
            ("stockPlace", json!("B-01")),
            ("variant", Value::Null),
            ("serialNr", Value::Null),
            ("systemQuantity", json!(5)),
            ("variance", json!(-1)),
        ];
        for (field, expected) in told {
            assert_eq!(item[field], expected, "{field}");
        }
        // What is named is meant, also where nothing is yet.
        let item = count(&json!({"stockPlace": "C-09", "variant": "rose"})).gives(201);
        assert_eq!(
            (
                &item["stockPlace"],
                &item["variant"],
                &item["systemQuantity"]
            ),
            (&json!("C-09"), &json!("rose"), &json!(0))
        );
        let serial = json!({"productId": product(5), "countedQuantity": 1, "serialNr": "SN-1"});
        let item = shop.post(&items, &serial).gives(201);
        assert_eq!(
            (
                &item["serialNr"],
                &item["stockPlace"],
                &item["systemQuantity"]
            ),
            (&json!("SN-1"), &json!("B-01"), &json!(1))
        );
    });
}

#[test]
fn s2_07_accuracy_is_rounded() {
    each_store(|shop| {
        let count = started(shop);
        counted(shop, &count, 1, &json!(40));
        counted(shop, &count, 2, &json!(100));
        counted(shop, &count, 3, &json!(1));
        shop.post(&format!("{COUNTS}/{count}/complete"), &json!({}))
            .expect(200);
        let summary = shop.get(&format!("{COUNTS}/summary")).expect(200);
        assert!(
            summary.text.contains(r#""accuracy":0.666667"#),
            "{}",
            summary.text
        );
    });
}

#[test]
fn s2_07_completed_counts_are_summed_up() {
    each_store(|shop| {
        let nothing = shop.get(&format!("{COUNTS}/summary")).gives(200);
        assert_eq!(
            (&nothing["counts"], &nothing["accuracy"]),
            (&json!(0), &Value::Null)
        );
        for (one, two) in [(38, 25), (40, 26)] {
            let count = started(shop);
            counted(shop, &count, 1, &json!(one));
            counted(shop, &count, 3, &json!(two));
            shop.post_by(ANN, &format!("{COUNTS}/{count}/complete"), &json!({}))
                .expect(200);
        }
        started(shop);
        let all = json!({"counts": 2, "itemsCounted": 4, "discrepancies": 2, "missingValue": 25,
            "excessValue": 4, "netVarianceValue": -21, "accuracy": 0.5});
        let summary = |period: &str| shop.get(&format!("{COUNTS}/summary?{period}")).gives(200);
        assert_eq!(summary(""), all);
        assert_eq!(summary("from=2020-01-01&to=2199-12-31"), all);
        assert_eq!(
            summary("from=2020-01-01T00:00:00Z&to=2199-12-31T23:59:59%2B02:00"),
            all
        );
        assert_eq!(summary("to=2020-01-01")["counts"], 0);
        assert_eq!(summary("from=2199-01-01T00:00:00")["counts"], 0);
        // A time without a zone is in UTC, with or without seconds.
        for from in [
            "2026-01-01T10:00",
            "2026-01-01T10:00:00",
            "2026-01-01T10:00:00.5",
        ] {
            let path = format!("{COUNTS}/summary?from={from}");
            assert_eq!(shop.get(&path).gives(200)["counts"], 2, "{from}");
        }
        shop.get(&format!("{COUNTS}/summary?from=yesterday"))
            .refused(422, "invalid_date");
    });
}
