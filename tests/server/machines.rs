//! What machines do with their keys: whole stock takes, counts and imports, and no approval.

use serde_json::{Value, json};

use crate::client::Request;
use crate::shop::{SITE, Shop, each_store, id, product};

/// A key of the seed that has no role: it runs the shop.
const MACHINE: &str = "machine-key";
/// One that counts.
const SCANNER: &str = "scanner-key";
/// One that looks.
const SCREEN: &str = "screen-key";

fn by(shop: &Shop, key: &str, method: &'static str, path: &str, body: &Value) -> Request {
    let request = shop.nobody(method, path).header("store", "store-1");
    request.header("api_key", key).json(body)
}

fn machine(shop: &Shop, method: &'static str, path: &str, body: &Value) -> Request {
    by(shop, MACHINE, method, path, body)
}

#[test]
fn a_machine_runs_a_whole_list() {
    each_store(|shop| {
        let none = json!({});
        let list = |method, path: &str, body: &Value| {
            machine(shop, method, &format!("/v1/stocktake{path}"), body)
        };
        let made = list("POST", "", &json!({"name": "Night"})).gives(201);
        let made = format!("/{}", id(&made["stocktakes"][0]));
        let articles = json!({"articles": ["SKU-1"]});
        list("POST", &format!("{made}/articles"), &articles).expect(200);
        list("PUT", &format!("{made}/start"), &none).expect(200);
        let count = json!({"articleId": "SKU-1", "addedAmount": 7});
        list("PUT", &format!("{made}/articles"), &count).expect(200);
        list("PUT", &format!("{made}/finish"), &none).expect(200);
        assert_eq!(shop.on_hand(1), 7);
        list("POST", &format!("/finished{made}/copy"), &none).expect(201);
        list("PUT", &format!("/finished{made}/reopen"), &none).expect(200);
        assert_eq!(shop.on_hand(1), 40);
        list("PUT", &format!("{made}/finish"), &none).expect(200);
        list("DELETE", &format!("/finished{made}"), &none).expect(200);
        assert_eq!(shop.on_hand(1), 7);
    });
}

#[test]
fn a_machine_uses_its_key_on_every_path() {
    each_store(|shop| {
        let ask = |method, path: &str, body: &Value| machine(shop, method, path, body);
        let none = json!({});
        let new = json!({"description": "Night"});
        let take = id(&ask("POST", "/inventory/stock-takes", &new).gives(201));
        let take = format!("/inventory/stock-takes/{take}");
        shop.until(&take, |take| take["items_added"] == true);
        ask("GET", &format!("{take}/items-v2"), &none).expect(200);
        ask("POST", &format!("{take}/submit"), &none).expect(200);
        ask("DELETE", &take, &none).expect(204);

        let count = json!({"name": "Night", "type": "SPOT"});
        let count = id(&ask("POST", "/inventory-counts", &count).gives(201));
        let count = format!("/inventory-counts/{count}");
        let counted = json!({"productId": product(1), "countedQuantity": 3});
        ask("POST", &format!("{count}/items"), &counted).expect(201);
        // Applied, each adjustment is approved by whoever completes: that is a person.
        let complete = format!("{count}/complete");
        ask("POST", &complete, &json!({"applyAdjustments": true})).refused(403, "forbidden");
        ask("POST", &complete, &none).expect(200);

        let import = ask("POST", "/imports/stock", &json!({"store-1": {"SKU-1": 9}}));
        assert_eq!(
            shop.job(&import.gives(200)["job_id"])["status"],
            "succeeded"
        );
        assert_eq!(shop.on_hand(1), 9);
        ask("GET", &format!("/stock-levels?site_id={SITE}"), &none).expect(200);

        let theft =
            json!({"productId": product(1), "type": "THEFT", "quantityChange": -1, "reason": "a"});
        let theft = id(&ask("POST", "/stock-adjustments", &theft).gives(201));
        let approve = format!("/stock-adjustments/{theft}/approve");
        ask("POST", &approve, &none).refused(403, "forbidden");
    });
}

#[test]
fn a_key_has_the_role_that_the_seed_gives_it() {
    each_store(|shop| {
        let new = json!({"name": "Night"});
        let list = machine(shop, "POST", "/v1/stocktake", &new).gives(201);
        let list = format!("/v1/stocktake/{}", id(&list["stocktakes"][0]));
        let articles = format!("{list}/articles");
        let more = json!({"articles": ["SKU-1"]});
        by(shop, SCREEN, "POST", &articles, &more).expect(403);
        by(shop, SCREEN, "GET", &articles, &json!({})).expect(200);
        by(shop, SCANNER, "POST", &articles, &more).expect(200);
        let start = format!("{list}/start");
        by(shop, SCANNER, "PUT", &start, &json!({})).expect(403);
        by(shop, MACHINE, "PUT", &start, &json!({})).expect(200);
    });
}
