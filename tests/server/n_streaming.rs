//! Long answers are written as they are read.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::s3_orders::ordered;
use crate::shop::{SITE, Shop, each_store};

/// More articles than are read at once, and more than a page has.
const ARTICLES: usize = 1_100;

/// A site that stocks so many articles more.
fn stocked(shop: &Shop) {
    let mut body = String::from("{\"store-1\":{");
    for number in 0..ARTICLES {
        let comma = if number == 0 { "" } else { "," };
        write!(body, "{comma}\"NEW-{number:04}\":1").unwrap();
    }
    body.push_str("}}");
    let started = shop
        .post("/imports/stock", &json!({}))
        .text(&body)
        .gives(200);
    assert_eq!(shop.job(&started["job_id"])["status"], "succeeded");
}

fn rows(answer: &Value) -> usize {
    answer["data"].as_array().unwrap().len()
}

#[test]
fn fault_n3_long_lists_and_files_are_streamed_and_whole() {
    each_store(|shop| {
        let begun = shop.get("/stock-levels").gives(200);
        let events = rows(&shop.get("/stock-events").gives(200));
        stocked(shop);
        for (path, before) in [("/stock-levels", rows(&begun)), ("/stock-events", events)] {
            let answer = shop.get(path).expect(200);
            // No length is known when the answer begins.
            assert_eq!(answer.header("transfer-encoding"), "chunked", "{path}");
            assert_eq!(rows(&answer.json()), before + ARTICLES, "{path}");
        }
        let take = format!("/inventory/stock-takes/{}", shop.take());
        let all = shop.get(&format!("{take}/items-v2")).expect(200);
        assert_eq!(all.header("transfer-encoding"), "chunked");
        let all = all.json();
        let paged = shop
            .get(&format!("{take}/items-v2?page=1&per_page=250"))
            .gives(200);
        assert_eq!(rows(&paged), 250);
        assert_eq!(json!(rows(&all)), all["totals"]["total_items"]);
        assert_eq!(all["totals"], paged["totals"]);
        assert_eq!(all["meta"]["total"], paged["meta"]["total"]);
        assert_eq!(all["meta"]["last_page"], 1);
        let first: Vec<Value> = all["data"].as_array().unwrap()[..250].to_vec();
        assert_eq!(json!(first), paged["data"]);
        let queued = shop.get(&format!("{take}/queue?site_id={SITE}")).gives(200);
        assert_eq!(queued.get("posting"), None);
        let job = &queued["job"]["id"];
        assert_eq!(shop.job(job)["status"], "succeeded");
        let file = shop
            .get(&format!("/jobs/{}/file", job.as_str().unwrap()))
            .expect(200);
        assert_eq!(file.header("transfer-encoding"), "chunked");
        assert_eq!(file.text.lines().count(), rows(&all) + 1);
        // A narrow list is as it was: in order, and nothing between the rows but a comma.
        let none = shop
            .get(&format!("{take}/items-v2?query=nothing-is-called-so"))
            .gives(200);
        assert_eq!((rows(&none), &none["meta"]["total"]), (0, &json!(0)));
        let (order, items) = ordered(shop, &[(1, 2, 100), (2, 1, 5)]);
        let lines = shop
            .get(&format!("/inventory/orders/{order}/items"))
            .gives(200);
        assert_eq!(
            (rows(&lines), &lines["meta"]["total"]),
            (items.len(), &json!(2))
        );
    });
}

/// How often a long answer is asked for while others count.
const LOOKS: usize = 8;

/// A long answer is read in parts, and lines are counted meanwhile: its totals are those of its rows all the same.
#[test]
fn fault_f_the_totals_of_a_long_answer_are_those_of_its_rows_while_others_count() {
    each_store(|shop| {
        stocked(shop);
        let take = format!("/inventory/stock-takes/{}", shop.take());
        let lines = shop
            .get(&format!("{take}/items-v2?page=1&per_page=100"))
            .gives(200);
        let ids: Vec<&str> = lines["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap())
            .collect();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut counts = ids.iter().cycle().zip(0_u32..5_000);
                while !is_over.load(Ordering::Acquire)
                    && let Some((id, number)) = counts.next()
                {
                    let body = if number % 3 == 2 {
                        json!({"counted_quantity": null})
                    } else {
                        json!({"counted_quantity": number % 2})
                    };
                    shop.put(&format!("{take}/items/{id}"), &body).gives(200);
                }
            });
            for _ in 0..LOOKS {
                let all = shop.get(&format!("{take}/items-v2")).gives(200);
                let rows = all["data"].as_array().unwrap();
                let counted = rows.iter().filter(|row| row["status"] == "counted").count();
                let value: i64 = rows
                    .iter()
                    .filter_map(|row| row["adjustment_value"].as_i64())
                    .sum();
                let totals = &all["totals"];
                assert_eq!(totals["total_items"], json!(rows.len()));
                assert_eq!(totals["counted"], json!(counted));
                assert_eq!(totals["uncounted"], json!(rows.len() - counted));
                assert_eq!(totals["total_adjustment_value"], json!(value));
            }
            is_over.store(true, Ordering::Release);
        });
    });
}
