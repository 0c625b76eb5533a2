//! Lists turned round: `order=desc` gives the newest first, by pages and as a whole.

use serde_json::{Value, json};

use crate::s3_orders::ordered;
use crate::s4_lists::listed;
use crate::shop::{SITE, STATION, Shop, each_store, id, product};

/// The ids of a list, bare or under a name.
fn ids(found: &Value, under: &str) -> Vec<Value> {
    let rows = if under.is_empty() {
        found
    } else {
        &found[under]
    };
    let rows = rows.as_array().unwrap_or_else(|| panic!("{found}")).iter();
    rows.map(|row| row["id"].clone()).collect()
}

/// Every list of documents or lines with at least three rows, and the name that its rows stand under.
fn lists(shop: &Shop) -> Vec<(String, &'static str)> {
    let takes: Vec<String> = (0..3).map(|_| shop.take()).collect();
    for name in ["January", "February", "March"] {
        let new = json!({"name": name, "type": "SPOT"});
        let count = id(&shop.post("/inventory-counts", &new).gives(201));
        if name == "March" {
            for number in [1, 2, 3] {
                let line = json!({"productId": product(number), "countedQuantity": 1});
                shop.post(&format!("/inventory-counts/{count}/items"), &line)
                    .expect(201);
            }
        } else {
            shop.post(&format!("/inventory-counts/{count}/cancel"), &json!({}))
                .expect(200);
        }
    }
    let counts = shop.get("/inventory-counts").gives(200);
    let count = id(&counts[2]);
    for change in [-1, -2, -3] {
        let body = json!({"productId": product(1), "type": "THEFT", "quantityChange": change, "reason": "a"});
        shop.post("/stock-adjustments", &body).expect(201);
    }
    let (order, _) = ordered(shop, &[(1, 1, 1), (2, 1, 1), (6, 1, 1)]);
    ordered(shop, &[]);
    ordered(shop, &[]);
    for _ in 0..3 {
        listed(shop, &["SKU-1"]);
    }
    let take = &takes[0];
    vec![
        (format!("/inventory/stock-takes?site_id={SITE}&"), "data"),
        (format!("/inventory/stock-takes/{take}/items?"), "data"),
        (format!("/inventory/stock-takes/{take}/items-v2?"), "data"),
        (format!("/inventory/orders?site_id={SITE}&"), "data"),
        (format!("/inventory/orders/{order}/items?"), "data"),
        ("/inventory-counts?".to_owned(), ""),
        (format!("/inventory-counts/{count}/items?"), ""),
        ("/stock-adjustments?".to_owned(), ""),
        ("/stock-adjustments/pending?".to_owned(), ""),
        (format!("/products/{}/stock-adjustments?", product(1)), ""),
        ("/v1/stocktake/state/NEW?".to_owned(), "stocktakes"),
    ]
}

#[test]
fn every_list_is_turned_round() {
    each_store(|shop| {
        for (path, under) in lists(shop) {
            let read = |more: &str| ids(&shop.get(&format!("{path}{more}")).gives(200), under);
            let oldest = read("order=asc");
            assert!(oldest.len() >= 3, "{path}: {oldest:?}");
            assert_eq!(read(""), oldest, "{path}");
            let newest: Vec<Value> = oldest.iter().rev().cloned().collect();
            assert_eq!(read("order=desc"), newest, "{path}");
            shop.get(&format!("{path}order=up")).expect(422);
            let (page, size, first) = match under {
                "data" => ("page", "per_page", 1),
                "stocktakes" => ("page", "limit", 0),
                _ => continue,
            };
            let second = read(&format!("order=desc&{page}={}&{size}=2", first + 1));
            assert_eq!(
                second,
                newest.iter().skip(2).take(2).cloned().collect::<Vec<_>>(),
                "{path}"
            );
        }
        for list in ["stock-levels", "stock-events"] {
            let read = |more: &str| {
                let path = format!("/{list}?site_id={SITE}&{more}");
                shop.get(&path).gives(200)["data"]
                    .as_array()
                    .unwrap()
                    .clone()
            };
            let mut up = read("");
            assert!(up.len() >= 3, "{list}: {up:?}");
            up.reverse();
            assert_eq!(read("order=desc"), up, "{list}");
        }
        shop.get(&format!("/stock-levels?site_id={STATION}"))
            .expect(404);
    });
}
