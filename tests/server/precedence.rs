//! What is told first when several things are wrong: who asks, whether they see it, whether they may, and only then what is
//! wrong with what they ask.

use serde_json::{Value, json};

use crate::client::Request;
use crate::s3_orders::ordered;
use crate::s4_lists::listed;
use crate::shop::{
    COUNTER, EVERYWHERE, MANAGER, NOTHING, SITE, STRANGER, SUPPLIER, Shop, VIEWER, each_store, id,
    product,
};

/// A call with a body, one field of which breaks a rule.
struct Call {
    method: &'static str,
    path: String,
    wrong: Value,
    /// Whether a counter may do it.
    counter_may: bool,
}

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
    let item = &items[0];
    let long = "x".repeat(3_000);
    let rows = vec![
        (
            "PUT",
            format!("/inventory/stock-takes/{take}"),
            json!({"description": ""}),
            true,
        ),
        (
            "PUT",
            format!("/inventory/stock-takes/{take}/items/{line}"),
            json!({"counted_quantity": "many"}),
            true,
        ),
        (
            "PUT",
            format!("/inventory/stock-takes/{take}/items/{line}"),
            json!({"counted_quantity": -1}),
            true,
        ),
        (
            "POST",
            format!("/inventory-counts/{count}/items"),
            json!({"productId": product(1), "countedQuantity": -1}),
            true,
        ),
        (
            "POST",
            format!("/inventory-counts/{count}/items"),
            json!({"productId": 7}),
            true,
        ),
        (
            "POST",
            format!("/inventory-counts/{count}/complete"),
            json!({"notes": long}),
            false,
        ),
        (
            "POST",
            format!("/stock-adjustments/{theft}/approve"),
            json!({"notes": long}),
            false,
        ),
        (
            "POST",
            format!("/stock-adjustments/{theft}/reject"),
            json!({"reason": ""}),
            false,
        ),
        (
            "PUT",
            format!("/inventory/orders/{order}"),
            json!({"purchase_order_number": long}),
            false,
        ),
        (
            "PUT",
            format!("/inventory/orders/{order}"),
            json!({"site_id": NOTHING}),
            false,
        ),
        (
            "POST",
            format!("/inventory/orders/{order}/items"),
            json!({"product_id": product(1), "quantity": 0, "unit_price": 1}),
            false,
        ),
        (
            "POST",
            format!("/inventory/orders/{order}/items"),
            json!({"product_id": product(1)}),
            false,
        ),
        (
            "PUT",
            format!("/inventory/orders/{order}/items/{item}"),
            json!({"quantity": 1.5, "unit_price": -1}),
            false,
        ),
        (
            "POST",
            format!("/inventory/orders/{order}/receive"),
            json!({"items": []}),
            true,
        ),
        (
            "POST",
            format!("/inventory/orders/{order}/receive"),
            json!({"colour": "red"}),
            true,
        ),
        (
            "POST",
            format!("/inventory/orders/{order}/close"),
            json!({"reason": long}),
            false,
        ),
        (
            "PUT",
            format!("/v1/stocktake/{list}"),
            json!({"name": ""}),
            true,
        ),
        (
            "PUT",
            format!("/v1/stocktake/{list}"),
            json!({"description": long}),
            true,
        ),
        (
            "PUT",
            format!("/v1/stocktake/{list}"),
            json!({"dueDate": i64::MAX}),
            true,
        ),
        (
            "POST",
            format!("/v1/stocktake/{list}/articles"),
            json!({"articles": [""]}),
            true,
        ),
        (
            "PUT",
            format!("/v1/stocktake/{list}/articles"),
            json!({"articleId": "SKU-1", "addedAmount": "2x"}),
            true,
        ),
        (
            "PUT",
            format!("/v1/stocktake/{list}/articles"),
            json!({"articleId": "SKU-1", "addedAmount": 2, "stockPlace": long}),
            true,
        ),
    ];
    let call = |(method, path, wrong, counter_may)| Call {
        method,
        path,
        wrong,
        counter_may,
    };
    rows.into_iter().map(call).collect()
}

impl Call {
    fn by(&self, shop: &Shop, token: &str, path: &str) -> Request {
        shop.nobody(self.method, path).by(token).json(&self.wrong)
    }

    /// The same on something that is not there, whichever of the ids in the path is meant.
    fn missing(&self) -> Vec<String> {
        let ids = self.path.split('/').filter(|it| it.len() == NOTHING.len());
        ids.map(|id| self.path.replace(id, NOTHING)).collect()
    }
}

#[test]
fn what_is_wrong_with_a_field_is_told_after_who_sees_it_and_who_may() {
    each_store(|shop| {
        for call in calls(shop) {
            let told = format!("{} {} {}", call.method, call.path, call.wrong);
            let status = |token: &str, path: &str| call.by(shop, token, path).send().status;
            assert_eq!(status("nobody's", &call.path), 401, "{told}");
            assert_eq!(status(STRANGER, &call.path), 404, "{told}");
            for path in call.missing() {
                assert_eq!(status(MANAGER, &path), 404, "{told}");
            }
            assert_eq!(status(VIEWER, &call.path), 403, "{told}");
            let counter = if call.counter_may { 422 } else { 403 };
            assert_eq!(status(COUNTER, &call.path), counter, "{told}");
            assert!([409, 422].contains(&status(MANAGER, &call.path)), "{told}");
            // What is no JSON is told before anything is looked for.
            let broken = shop.nobody(call.method, &call.missing()[0]).by(MANAGER);
            assert_eq!(broken.text("{").send().status, 422, "{told}");
        }
    });
}

#[test]
fn what_is_created_is_refused_in_the_same_order() {
    each_store(|shop| {
        let order = json!({"purchase_order_number": "", "supplier_id": SUPPLIER, "supplier_email": null,
            "site_id": SITE});
        let calls = [
            (
                format!("/inventory/stock-takes?site_id={SITE}"),
                json!({"description": ""}),
            ),
            (
                "/inventory/stock-takes".to_owned(),
                json!({"description": ""}),
            ),
            (
                format!("/inventory-counts?siteId={SITE}"),
                json!({"name": "", "type": "FULL"}),
            ),
            ("/inventory/orders".to_owned(), order),
            ("/v1/stocktake".to_owned(), json!({"name": ""})),
            (
                "/imports/stock".to_owned(),
                json!({"store-1": {"SKU-1": "x"}}),
            ),
        ];
        for (path, wrong) in calls {
            let by = |token: &str| shop.post_by(token, &path, &wrong).send().status;
            assert_eq!(by("nobody's"), 401, "{path}");
            assert_eq!(by(VIEWER), 403, "{path}");
            assert_eq!(by(COUNTER), 403, "{path}");
            assert_eq!(by(MANAGER), 422, "{path}");
            if path.contains('?') {
                assert_eq!(by(STRANGER), 404, "{path}");
            }
        }
        // Who has several sites and names none is told so, if they may do it at all.
        let named = json!({"name": "a", "type": "FULL"});
        shop.post_by(EVERYWHERE, "/inventory-counts", &named)
            .refused(422, "site_required");
    });
}
