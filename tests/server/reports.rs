//! Variance reports over HTTP.

use serde_json::json;

use crate::shop::{NOTHING, SITE, STRANGER, Shop, VIEWER, each_store, id, product};

/// What every page is served with, so that it shows itself and does nothing else.
#[track_caller]
fn page(shop: &Shop, path: &str) -> String {
    let answer = shop.get_by(VIEWER, path).expect(200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "no-store");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(policy.ends_with("; frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(answer.text.starts_with("<!DOCTYPE html>"));
    answer.text
}

#[test]
fn a_take_has_a_report_while_it_is_counted_and_when_it_is_posted() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("/inventory/stock-takes/{take}/report");
        assert!(page(shop, &path).contains("Nobody has counted a line yet."));
        let counted = shop.count(&take, "SKU-1", &json!(38));
        let off = counted["adjustment_value"].as_i64().unwrap();
        let exact = format!("<data value=\"-{}.{:02}\">", -off / 100, -off % 100);
        let counting = page(shop, &path);
        assert!(counting.contains("<strong>Being counted</strong>"));
        assert!(counting.contains(&exact), "{exact}");
        assert!(
            counting.contains("Eve"),
            "counters are shown by their names"
        );
        shop.post(&format!("/inventory/stock-takes/{take}/submit"), &json!({}))
            .gives(200);
        let posted = page(shop, &path);
        assert!(posted.contains("<strong>Posted</strong>"));
        assert!(posted.contains(&exact), "{exact}");
    });
}

#[test]
fn a_count_has_a_report() {
    each_store(|shop| {
        let new = json!({"name": "Spot <check>", "type": "SPOT"});
        let count = shop.post(&format!("/inventory-counts?siteId={SITE}"), &new);
        let count = id(&count.gives(201));
        let line = json!({"productId": product(1), "countedQuantity": 38});
        shop.post(&format!("/inventory-counts/{count}/items"), &line)
            .gives(201);
        let page = page(shop, &format!("/inventory-counts/{count}/report"));
        assert!(page.contains("<bdi>Spot &lt;check&gt;</bdi>"));
        assert!(!page.contains("Spot <check>"));
    });
}

#[test]
fn nobody_learns_of_a_report_that_is_not_theirs() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("/inventory/stock-takes/{take}/report");
        shop.get_by(STRANGER, &path).refused(404, "not_found");
        shop.nobody("GET", &path).refused(401, "unauthenticated");
        for path in ["/inventory/stock-takes", "/inventory-counts"] {
            shop.get(&format!("{path}/{NOTHING}/report"))
                .refused(404, "not_found");
        }
    });
}
