//! Who may ask for what, call by call: nobody, people of another organisation, and roles that may not.

use serde_json::{Value, json};

use crate::client::Request;
use crate::s3_orders::ordered;
use crate::s4_lists::listed;
use crate::shop::{
    COUNTER, MANAGER, NOTHING, SITE, STRANGER, Shop, VIEWER, each_store, id, product,
};

/// A call on something that is there, with a body that is right.
struct Call {
    method: &'static str,
    path: String,
    body: Value,
    /// Who may do it.
    may: Least,
}

/// The least of the roles that may do something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Viewer,
    Counter,
    Manager,
}

/// Every call that names something by its id.
#[allow(clippy::too_many_lines, reason = "it is a table")]
fn calls(shop: &Shop) -> Vec<Call> {
    let take = shop.take();
    let line = id(&shop.line(&take, "SKU-1"));
    let count = json!({"name": "January", "type": "FULL"});
    let count = id(&shop.post("/inventory-counts", &count).gives(201));
    let theft =
        json!({"productId": product(1), "type": "THEFT", "quantityChange": -1, "reason": "a"});
    let theft = id(&shop.post("/stock-adjustments", &theft).gives(201));
    let (order, items) = ordered(shop, &[(1, 2, 100)]);
    let list = listed(shop, &["SKU-1"]);
    let job = shop.get(&format!(
        "/inventory/stock-takes/{take}/queue?site_id={SITE}"
    ));
    let job = id(&job.gives(200)["job"]);
    let take = format!("/inventory/stock-takes/{take}");
    let order = format!("/inventory/orders/{order}");
    let count = format!("/inventory-counts/{count}");
    let theft = format!("/stock-adjustments/{theft}");
    let list = format!("/v1/stocktake/{list}");
    let item = format!("{order}/items/{}", items[0]);
    let none = || json!({});
    let counted = json!({"productId": product(1), "countedQuantity": 1});
    let ordered = json!({"product_id": product(1), "quantity": 1, "unit_price": 1});
    let inventory = json!({"articleId": "SKU-1", "addedAmount": 1});
    let articles = json!({"articles": ["SKU-2"]});
    let rows: Vec<(&'static str, String, Value, Least)> = vec![
        ("GET", take.clone(), none(), Least::Viewer),
        (
            "PUT",
            take.clone(),
            json!({"description": "a"}),
            Least::Counter,
        ),
        ("DELETE", take.clone(), none(), Least::Manager),
        ("POST", format!("{take}/post"), none(), Least::Manager),
        ("POST", format!("{take}/submit"), none(), Least::Manager),
        ("GET", format!("{take}/items"), none(), Least::Viewer),
        ("GET", format!("{take}/items-v2"), none(), Least::Viewer),
        (
            "PUT",
            format!("{take}/items/{line}"),
            json!({"counted_quantity": 1}),
            Least::Counter,
        ),
        (
            "DELETE",
            format!("{take}/items/{line}"),
            none(),
            Least::Manager,
        ),
        (
            "GET",
            format!("{take}/queue?site_id={SITE}"),
            none(),
            Least::Viewer,
        ),
        ("GET", count.clone(), none(), Least::Viewer),
        ("GET", format!("{count}/items"), none(), Least::Viewer),
        ("POST", format!("{count}/items"), counted, Least::Counter),
        ("POST", format!("{count}/complete"), none(), Least::Manager),
        ("POST", format!("{count}/cancel"), none(), Least::Manager),
        ("POST", format!("{theft}/approve"), none(), Least::Manager),
        (
            "POST",
            format!("{theft}/reject"),
            json!({"reason": "a"}),
            Least::Manager,
        ),
        ("GET", order.clone(), none(), Least::Viewer),
        ("PUT", order.clone(), none(), Least::Manager),
        ("DELETE", order.clone(), none(), Least::Manager),
        ("POST", format!("{order}/submit"), none(), Least::Manager),
        ("POST", format!("{order}/receive"), none(), Least::Counter),
        ("POST", format!("{order}/close"), none(), Least::Manager),
        ("GET", format!("{order}/items"), none(), Least::Viewer),
        ("POST", format!("{order}/items"), ordered, Least::Manager),
        ("PUT", item.clone(), json!({"quantity": 3}), Least::Manager),
        ("DELETE", item, none(), Least::Manager),
        (
            "GET",
            format!("{order}/queue?site_id={SITE}"),
            none(),
            Least::Viewer,
        ),
        ("GET", list.clone(), none(), Least::Viewer),
        ("PUT", list.clone(), json!({"name": "a"}), Least::Counter),
        ("DELETE", list.clone(), none(), Least::Manager),
        ("POST", format!("{list}/copy"), none(), Least::Manager),
        ("PUT", format!("{list}/start"), none(), Least::Manager),
        ("PUT", format!("{list}/finish"), none(), Least::Manager),
        ("GET", format!("{list}/print"), none(), Least::Viewer),
        ("GET", format!("{list}/articles"), none(), Least::Viewer),
        (
            "GET",
            format!("{list}/articles/search"),
            none(),
            Least::Viewer,
        ),
        (
            "GET",
            format!("{list}/articles/SKU-1"),
            none(),
            Least::Viewer,
        ),
        ("POST", format!("{list}/articles"), articles, Least::Counter),
        (
            "POST",
            format!("{list}/articles/all"),
            none(),
            Least::Counter,
        ),
        (
            "POST",
            format!("{list}/stockplace/A-02"),
            none(),
            Least::Counter,
        ),
        ("PUT", format!("{list}/articles"), inventory, Least::Counter),
        (
            "DELETE",
            format!("{list}/articles/SKU-1"),
            none(),
            Least::Counter,
        ),
        (
            "DELETE",
            format!("{list}/stockplace/A-01"),
            none(),
            Least::Counter,
        ),
        ("GET", format!("/jobs/{job}"), none(), Least::Viewer),
    ];
    let call = |(method, path, body, may)| Call {
        method,
        path,
        body,
        may,
    };
    rows.into_iter().map(call).collect()
}

impl Call {
    fn by(&self, shop: &Shop, token: &str, path: &str) -> Request {
        shop.nobody(self.method, path).by(token).json(&self.body)
    }

    /// The same call on something that is not there.
    fn missing(&self) -> String {
        let ids = self
            .path
            .split(['/', '?'])
            .filter(|part| part.len() == NOTHING.len());
        let ids: Vec<&str> = ids.filter(|part| part.matches('-').count() == 4).collect();
        self.path.replace(ids[0], NOTHING)
    }
}

#[test]
fn what_is_another_organisation_s_is_told_from_what_is_missing_by_nothing() {
    each_store(|shop| {
        for call in calls(shop) {
            let foreign = call.by(shop, STRANGER, &call.path).expect(404);
            let missing = call.by(shop, MANAGER, &call.missing()).expect(404);
            assert_eq!(foreign.text, missing.text, "{} {}", call.method, call.path);
        }
    });
}

#[test]
fn a_role_that_may_not_is_told_so() {
    each_store(|shop| {
        let roles = [(VIEWER, Least::Viewer), (COUNTER, Least::Counter)];
        for call in calls(shop) {
            for (token, role) in roles {
                let request = call.by(shop, token, &call.path);
                if role < call.may {
                    request.expect(403);
                } else if call.method == "GET" {
                    assert!([200, 501].contains(&request.send().status), "{}", call.path);
                }
            }
        }
    });
}

#[test]
fn nobody_gets_anything_but_the_health_and_the_description() {
    each_store(|shop| {
        let api = shop.nobody("GET", "/openapi.json").gives(200);
        for (path, item) in api["paths"].as_object().unwrap() {
            let path = path.split('/').map(|part| match part.strip_prefix('{') {
                Some(_) => NOTHING,
                None => part,
            });
            let path = path.collect::<Vec<_>>().join("/");
            for method in item
                .as_object()
                .unwrap()
                .keys()
                .filter(|_| path != "/healthz")
            {
                let method = ["GET", "POST", "PUT", "DELETE"]
                    .into_iter()
                    .find(|it| it.eq_ignore_ascii_case(method));
                let refused = shop.nobody(method.unwrap(), &path).expect(401);
                assert!(!refused.header("www-authenticate").is_empty());
            }
        }
    });
}
