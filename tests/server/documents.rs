//! The description of the service covers the documents.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::shop::each_store;

/// Every call of the five documents, and of the few that the wire adds.
const CALLS: &str = "
get /inventory/stock-takes
post /inventory/stock-takes
get /inventory/stock-takes/{stockTakeId}
put /inventory/stock-takes/{stockTakeId}
delete /inventory/stock-takes/{stockTakeId}
post /inventory/stock-takes/{stockTakeId}/post
get /inventory/stock-takes/{stockTakeId}/items
put /inventory/stock-takes/{stockTakeId}/items/{stockTakeItemId}
delete /inventory/stock-takes/{stockTakeId}/items/{stockTakeItemId}
get /inventory/stock-takes/{stockTakeId}/queue
get /inventory/stock-takes/{stockTakeId}/items-v2
get /inventory/stock-takes/{stockTakeId}/report
post /inventory/stock-takes/{stockTakeId}/submit
get /inventory-counts
post /inventory-counts
get /inventory-counts/summary
get /inventory-counts/{id}
get /inventory-counts/{id}/items
get /inventory-counts/{id}/report
post /inventory-counts/{id}/items
post /inventory-counts/{id}/complete
post /inventory-counts/{id}/cancel
get /stock-adjustments
post /stock-adjustments
get /stock-adjustments/pending
post /stock-adjustments/{id}/approve
post /stock-adjustments/{id}/reject
get /products/{id}/stock-adjustments
get /inventory/orders
post /inventory/orders
get /inventory/orders/{orderId}
put /inventory/orders/{orderId}
delete /inventory/orders/{orderId}
post /inventory/orders/{orderId}/submit
post /inventory/orders/{orderId}/receive
post /inventory/orders/{orderId}/close
get /inventory/orders/{orderId}/items
post /inventory/orders/{orderId}/items
post /inventory/stock-takes/{stockTakeId}/items
put /inventory/orders/{orderId}/items/{orderItemId}
delete /inventory/orders/{orderId}/items/{orderItemId}
get /inventory/orders/{orderId}/queue
get /v1/stocktake/state/{state}
get /v1/stocktake/{id}
get /v1/stocktake/finished/{id}
get /v1/stocktake/finished/{id}/receipt/print
get /v1/stocktake/{id}/print
post /v1/stocktake
post /v1/stocktake/{id}/copy
post /v1/stocktake/finished/{id}/copy
put /v1/stocktake/{id}
put /v1/stocktake/{id}/start
put /v1/stocktake/{id}/finish
put /v1/stocktake/finished/{id}/reopen
delete /v1/stocktake/{id}
delete /v1/stocktake/finished/{id}
get /v1/stocktake/finished/{id}/articles
get /v1/stocktake/{id}/articles
get /v1/stocktake/{id}/articles/search
get /v1/stocktake/{id}/articles/{article_id}
post /v1/stocktake/{id}/articles
post /v1/stocktake/{id}/items
post /v1/stocktake/{id}/stockplace/{stockplace}
post /v1/stocktake/{id}/articles/all
put /v1/stocktake/{id}/articles
delete /v1/stocktake/{id}/articles/{article_id}
delete /v1/stocktake/{id}/stockplace/{stockplace}
post /imports/stock
delete /imports/stock
get /jobs
get /jobs/{id}
get /jobs/{id}/file
post /jobs/{id}/requeue
get /stock-levels
get /stock-events
post /stock-costs
get /inventory-counts/{id}/queue
get /stock-adjustments/queue
get /stock-levels/queue
get /stock-events/queue
get /healthz
";

#[test]
fn every_call_of_the_documents_is_described_and_nothing_else() {
    each_store(|shop| {
        let api = shop.nobody("GET", "/openapi.json").gives(200);
        let methods = ["get", "post", "put", "delete", "patch"];
        let mut described = BTreeSet::new();
        for (path, item) in api["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                assert!(methods.contains(&method.as_str()), "{path}: {method}");
                described.insert(format!("{method} {path}"));
            }
        }
        let expected: BTreeSet<String> = CALLS.trim().lines().map(str::to_owned).collect();
        assert_eq!(described, expected);
    });
}

/// Every reference inside a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(reference.to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => (),
    }
}

#[test]
fn the_description_holds_together() {
    each_store(|shop| {
        let api = shop.nobody("GET", "/openapi.json").gives(200);
        let mut found = BTreeSet::new();
        references(&api, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(api.pointer(pointer).is_some(), "{reference}");
        }
        assert_eq!(api["openapi"], "3.1.0");
        assert!(api["info"]["title"].is_string() && api["info"]["version"].is_string());
        let mut ids = BTreeSet::new();
        for (path, item) in api["paths"].as_object().unwrap() {
            for (method, call) in item.as_object().unwrap() {
                let id = call["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id}");
                let parameters = call["parameters"].as_array().cloned().unwrap_or_default();
                for part in path.split('/').filter_map(|it| it.strip_prefix('{')) {
                    let name = part.trim_end_matches('}');
                    let is_it = |it: &Value| it["name"] == name && it["in"] == "path";
                    assert!(parameters.iter().any(is_it), "{method} {path}: {name}");
                }
                let answers = call["responses"].as_object().unwrap();
                let described = |it: &Value| it["description"].is_string();
                assert!(answers.values().all(described), "{method} {path}");
                assert!(
                    path == "/healthz" || answers.contains_key("401"),
                    "{method} {path}"
                );
            }
        }
    });
}
