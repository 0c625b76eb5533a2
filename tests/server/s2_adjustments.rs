//! Stock adjustments (S2.8 to S2.10).

use serde_json::{Value, json};

use crate::shop::{
    ANN, COUNTER, MANAGER, NOTHING, STRANGER, Shop, VIEWER, each_store, id, product,
};

const ADJUSTMENTS: &str = "/stock-adjustments";

fn new(number: u32, kind: &str, change: &Value) -> Value {
    json!({"productId": product(number), "type": kind, "quantityChange": change, "reason": "dropped"})
}

#[track_caller]
fn made(shop: &Shop, number: u32, kind: &str, change: &Value) -> Value {
    shop.post_by(COUNTER, ADJUSTMENTS, &new(number, kind, change))
        .gives(201)
}

#[test]
fn s2_08_adjustments_are_listed_by_time_product_and_state() {
    each_store(|shop| {
        let one = made(shop, 1, "DAMAGE", &json!(-2));
        let two = made(shop, 2, "FOUND", &json!(3));
        let waiting = made(shop, 1, "THEFT", &json!(-1));
        let list = |path: &str| shop.get_by(VIEWER, path).gives(200);
        assert_eq!(list(ADJUSTMENTS), json!([one, two, waiting]));
        assert_eq!(list(&format!("{ADJUSTMENTS}/pending")), json!([waiting]));
        assert_eq!(
            list(&format!("{ADJUSTMENTS}?productId={}", product(2))),
            json!([two])
        );
        assert_eq!(
            list(&format!("/products/{}/stock-adjustments", product(1))),
            json!([one, waiting])
        );
        assert_eq!(list(&format!("{ADJUSTMENTS}?from=2199-01-01")), json!([]));
        assert_eq!(
            list(&format!("{ADJUSTMENTS}?to=2199-01-01")),
            json!([one, two, waiting])
        );
        assert_eq!(list(&format!("{ADJUSTMENTS}?to=2020-01-01")), json!([]));
        shop.get(&format!("/products/{NOTHING}/stock-adjustments"))
            .refused(404, "not_found");
        shop.get(&format!("{ADJUSTMENTS}?from=x"))
            .refused(422, "invalid_date");
    });
}

#[test]
fn s2_09_an_adjustment_names_what_tells_several_apart() {
    each_store(|shop| {
        let mut body = new(6, "DAMAGE", &json!(-1));
        shop.post(ADJUSTMENTS, &body)
            .refused(422, "ambiguous_stock");
        body["stockPlace"] = json!("B-01");
        let made = shop.post(ADJUSTMENTS, &body).gives(201);
        let told = [
            ("stockPlace", json!("B-01")),
            ("variant", Value::Null),
            ("batchId", Value::Null),
            ("serialNr", Value::Null),
            ("quantityBefore", json!(5)),
            ("inventoryCountId", Value::Null),
        ];
        for (field, expected) in told {
            assert_eq!(made[field], expected, "{field}");
        }
        let mut gone = new(5, "DAMAGE", &json!(-1));
        gone["serialNr"] = json!("SN-1");
        let made = shop.post(ADJUSTMENTS, &gone).gives(201);
        assert_eq!(
            (
                &made["serialNr"],
                &made["stockPlace"],
                &made["quantityAfter"]
            ),
            (&json!("SN-1"), &json!("B-01"), &json!(0))
        );
    });
}

#[test]
fn s2_09_an_adjustment_is_applied_at_once_or_waits_for_a_manager() {
    each_store(|shop| {
        let body = json!({"productId": product(1), "type": "DAMAGE", "quantityChange": -2, "reason": "dropped",
            "notes": "by the door", "reference": "DR-17"});
        let made = shop.post_by(COUNTER, ADJUSTMENTS, &body).gives(201);
        let told = [
            ("quantityBefore", json!(40)),
            ("quantityAfter", json!(38)),
            ("quantityChange", json!(-2)),
            ("type", json!("DAMAGE")),
            ("reason", json!("dropped")),
            ("notes", json!("by the door")),
            ("reference", json!("DR-17")),
            ("costImpact", json!(-25)),
            ("requiresApproval", json!(false)),
            ("approved", json!(true)),
            ("status", json!("applied")),
        ];
        for (field, expected) in told {
            assert_eq!(made[field], expected, "{field}");
        }
        assert_eq!(shop.events(1).last().unwrap()["reference"], "DR-17");

        // Exactly fifty pieces and exactly five hundred pounds need nobody; theft always does.
        for (number, kind, change, waits) in [
            (2, "EXPIRED", json!(-50), false),
            (2, "CORRECTION", json!(50), false),
            (2, "CORRECTION", json!(50.000_001), true),
            (2, "FOUND", json!(51), true),
            (8, "FOUND", json!(50), false),
            (8, "RETURN", json!(50.1), true),
            (7, "FOUND", json!(1), true),
            (3, "THEFT", json!(-0.5), true),
        ] {
            let made = self::made(shop, number, kind, &change);
            assert_eq!(made["requiresApproval"], waits, "{kind} {change}");
            let status = if waits { "pending" } else { "applied" };
            assert_eq!(
                (&made["status"], &made["approved"]),
                (&json!(status), &json!(!waits))
            );
            assert_eq!(made["quantityBefore"].is_null(), waits);
        }
        shop.post(ADJUSTMENTS, &new(1, "DAMAGE", &json!(0)))
            .refused(422, "zero_quantity");
        shop.post(ADJUSTMENTS, &new(1, "LOST", &json!(1)))
            .refused(422, "invalid_body");
        shop.post(ADJUSTMENTS, &new(1, "DAMAGE", &json!(-39)))
            .refused(409, "insufficient_stock");
        let silent = json!({"productId": product(1), "type": "DAMAGE", "quantityChange": -1});
        let refused = shop.post(ADJUSTMENTS, &silent).refused(422, "invalid_body");
        assert_eq!(refused["error"]["fields"][0]["field"], "reason");
        shop.post_by(VIEWER, ADJUSTMENTS, &new(1, "DAMAGE", &json!(-1)))
            .refused(403, "forbidden");
        let batch = json!({"productId": product(4), "batchId": "LOT-7", "type": "DAMAGE", "quantityChange": -1,
            "reason": "broken"});
        assert_eq!(
            shop.post(ADJUSTMENTS, &batch).gives(201)["quantityAfter"],
            7
        );
        shop.post(ADJUSTMENTS, &new(6, "DAMAGE", &json!(-1)))
            .refused(422, "ambiguous_stock");
    });
}

#[test]
fn s2_10_a_manager_approves_once_or_rejects() {
    each_store(|shop| {
        let waiting = id(&made(shop, 1, "THEFT", &json!(-3)));
        let path = format!("{ADJUSTMENTS}/{waiting}");
        made(shop, 1, "DAMAGE", &json!(-1));
        let (approve, notes) = (format!("{path}/approve"), json!({"notes": "seen on tape"}));
        shop.post_by(COUNTER, &approve, &notes)
            .refused(403, "forbidden");
        shop.post_by(STRANGER, &approve, &notes)
            .refused(404, "not_found");
        let approved = shop.post(&approve, &notes).gives(200);
        let told = (
            &approved["status"],
            &approved["quantityBefore"],
            &approved["quantityAfter"],
        );
        assert_eq!(told, (&json!("applied"), &json!(39), &json!(36)));
        let decided = (&approved["decidedBy"], &approved["decisionNotes"]);
        assert_eq!(decided, (&json!("Dan Johnson"), &json!("seen on tape")));
        assert!(approved["decidedAt"].is_string());
        let events = shop.events(1).len();
        shop.post_by(ANN, &approve, &notes)
            .refused(409, "invalid_state");
        assert_eq!(shop.events(1).len(), events);

        // Nobody approves their own.
        let own = id(&shop
            .post_by(MANAGER, ADJUSTMENTS, &new(1, "THEFT", &json!(-1)))
            .gives(201));
        let own = format!("{ADJUSTMENTS}/{own}");
        shop.post_by(MANAGER, &format!("{own}/approve"), &json!({}))
            .refused(403, "self_approval");
        shop.post_by(ANN, &format!("{own}/reject"), &json!({}))
            .refused(422, "invalid_body");
        let rejected = shop
            .post_by(
                ANN,
                &format!("{own}/reject"),
                &json!({"reason": "found again"}),
            )
            .gives(200);
        assert_eq!(
            (&rejected["status"], &rejected["approved"]),
            (&json!("rejected"), &json!(false))
        );
        assert_eq!(
            (&rejected["decidedBy"], &rejected["decisionNotes"]),
            (&json!("Ann Lee"), &json!("found again"))
        );
        shop.post_by(ANN, &format!("{own}/approve"), &json!({}))
            .refused(409, "invalid_state");
        assert_eq!(shop.on_hand(1), 36);
    });
}
