//! Costs of what an import brought in: its body has none.

use serde_json::{Value, json};

use crate::shop::{COUNTER, VIEWER, each_store};

const COSTS: &str = "/stock-costs";

#[test]
fn s5_04_an_imported_article_comes_to_its_cost_and_a_gain_on_it_is_posted() {
    each_store(|shop| {
        let body = json!({"store-1": {"NEW-1": {"red": 7, "blue": 0}}});
        let started = shop.post("/imports/stock", &body).gives(200);
        shop.job(&started["job_id"]);
        let levels = shop.get("/stock-levels").gives(200);
        let mut levels = levels["data"].as_array().unwrap().iter();
        let new = levels.find(|row| row["variant"] == "red").unwrap();
        let id = &new["product_id"];
        let found = json!({"productId": id, "variant": "red", "type": "FOUND", "quantityChange": 1, "reason": "shelf"});
        let found = || shop.post("/stock-adjustments", &found);
        found().refused(422, "cost_unknown");

        let cost = json!({"articleId": "NEW-1", "variant": "red", "unitCost": 2.5});
        shop.post_by(COUNTER, COSTS, &cost)
            .refused(403, "forbidden");
        shop.post_by(VIEWER, COSTS, &cost).refused(403, "forbidden");
        let told = shop.post(COSTS, &cost).once("cost-1").gives(201);
        assert_eq!(told[0]["kind"], "revaluation");
        assert_eq!(told[0]["value_change"], 17.5);
        assert_eq!(shop.post(COSTS, &cost).once("cost-1").gives(201), told);
        assert_eq!(found().gives(201)["costImpact"], 2.5);
        // What has none on hand knows its cost as well, once it was stated.
        let cost = json!({"productId": id, "variant": "blue", "unitCost": 3});
        shop.post(COSTS, &cost).expect(201);
        let found = json!({"productId": id, "variant": "blue", "type": "FOUND", "quantityChange": 2, "reason": "shelf"});
        assert_eq!(
            shop.post("/stock-adjustments", &found).gives(201)["costImpact"],
            6
        );
    });
}

#[test]
fn s6_15_a_cost_names_its_stock() {
    each_store(|shop| {
        let field = |body: &Value, status: u16, code: &str| {
            let told = shop.post(COSTS, body).refused(status, code);
            told["error"]["fields"][0]["field"].clone()
        };
        let unknown = json!({"articleId": "NOBODY", "unitCost": 1});
        assert_eq!(field(&unknown, 422, "unknown_article"), "articleId");
        let two = json!({"articleId": "SKU-6", "unitCost": 1});
        assert_eq!(field(&two, 422, "ambiguous_stock"), "productId");
        let none = json!({"unitCost": 1});
        assert_eq!(field(&none, 422, "product_required"), "productId");
        let negative = json!({"articleId": "SKU-2", "unitCost": -1});
        assert_eq!(field(&negative, 422, "invalid_number"), "unitCost");
        let words = json!({"articleId": "SKU-2", "unitCost": "1"});
        assert_eq!(field(&words, 422, "invalid_body"), "unitCost");
        shop.post(COSTS, &json!({"articleId": "SKU-8", "unitCost": 1}))
            .expect(404);
    });
}
