//! Stocktake lists: the lists themselves (S4.1 to S4.4, S4.6, S4.8, S4.9, S4.12).

use serde_json::{Value, json};

use crate::shop::{NOTHING, SITE, Shop, each_store, id};

/// The only list of an answer.
#[track_caller]
pub(crate) fn one(answer: &Value) -> Value {
    let lists = answer["stocktakes"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(lists.len(), 1, "{answer}");
    lists[0].clone()
}

/// A new list with some articles.
#[track_caller]
pub(crate) fn listed(shop: &Shop, articles: &[&str]) -> String {
    let created = shop
        .list("POST", "")
        .json(&json!({"name": "Spring"}))
        .gives(201);
    let list = id(&one(&created));
    if !articles.is_empty() {
        let body = json!({ "articles": articles });
        shop.list("POST", &format!("/{list}/articles"))
            .json(&body)
            .expect(200);
    }
    list
}

/// A list that is being counted.
#[track_caller]
pub(crate) fn started(shop: &Shop, articles: &[&str]) -> String {
    let list = listed(shop, articles);
    shop.list("PUT", &format!("/{list}/start")).expect(200);
    list
}

#[track_caller]
pub(crate) fn counted(shop: &Shop, list: &str, article: &str, amount: &Value) {
    let body = json!({"articleId": article, "addedAmount": amount, "addToExisting": false});
    shop.list("PUT", &format!("/{list}/articles"))
        .json(&body)
        .expect(200);
}

#[track_caller]
fn state(shop: &Shop, list: &str) -> Value {
    one(&shop.list("GET", &format!("/{list}")).gives(200))["state"].clone()
}

#[test]
fn s4_01_lists_are_read_by_state_and_by_id() {
    each_store(|shop| {
        let new = listed(shop, &["SKU-1"]);
        let ongoing = started(shop, &["SKU-1", "SKU-2"]);
        let finished = started(shop, &["SKU-1", "SKU-2"]);
        counted(shop, &finished, "SKU-1", &json!(38));
        shop.list("PUT", &format!("/{finished}/finish")).expect(200);
        for (name, expected) in [
            ("NEW", &new),
            ("ONGOING", &ongoing),
            ("FINISHED", &finished),
        ] {
            let found = shop.list("GET", &format!("/state/{name}")).gives(200);
            let found = one(&found);
            assert_eq!(
                (&found["id"], &found["state"]),
                (&json!(expected), &json!(name))
            );
        }
        for spelled in ["new", "New", "nEW"] {
            let found = shop.list("GET", &format!("/state/{spelled}")).gives(200);
            assert_eq!(one(&found)["id"], json!(new), "{spelled}");
        }
        assert_eq!(
            shop.list("GET", "/state/NEW?page=1").gives(200),
            json!({"stocktakes": []})
        );
        for wrong in [
            "/state/SOME",
            "/state/NEW?limit=0",
            "/state/NEW?page=-1",
            "/state/NEW?limit=x",
        ] {
            assert_eq!(shop.list("GET", wrong).gives(422)["errorCode"], 902_001);
        }
        let open = one(&shop.list("GET", &format!("/{ongoing}")).gives(200));
        let told = [
            ("name", json!("Spring")),
            ("storeId", json!(SITE)),
            ("dueDate", Value::Null),
            ("itemsTotal", json!(2)),
            ("itemsLeft", json!(2)),
            ("annualAccount", json!(false)),
            ("stockValue", Value::Null),
            ("stockValueFIFO", Value::Null),
            ("accounts", Value::Null),
        ];
        for (field, expected) in told {
            assert_eq!(open[field], expected, "{field}");
        }
        // 38 x 12.50 and 100 x 0.335; the first in went out: 28 x 12 + 10 x 14.
        let done = one(&shop
            .list("GET", &format!("/finished/{finished}"))
            .gives(200));
        assert_eq!(
            (&done["stockValue"], &done["stockValueFIFO"]),
            (&json!(508.5), &json!(509.5))
        );
        let accounts =
            json!([{"account": "1460", "value": 476}, {"account": "1470", "value": 33.5}]);
        assert_eq!(done["accounts"], accounts);
        assert_eq!(
            one(&shop.list("GET", &format!("/{finished}")).gives(200)),
            done
        );
        shop.list("GET", &format!("/finished/{ongoing}"))
            .expect(404);
        shop.list("GET", &format!("/{NOTHING}")).expect(404);
    });
}

#[test]
fn s4_02_a_list_is_created_and_an_annual_one_has_everything() {
    each_store(|shop| {
        let body = json!({"name": "Spring", "description": "aisle 3", "dueDate": 1_732_183_464_076_i64,
            "annualAccount": false});
        let created = one(&shop.list("POST", "").json(&body).gives(201));
        let told = (
            &created["state"],
            &created["dueDate"],
            &created["description"],
            &created["itemsTotal"],
        );
        assert_eq!(
            told,
            (
                &json!("NEW"),
                &json!(1_732_183_464_076_i64),
                &json!("aisle 3"),
                &json!(0)
            )
        );
        let annual = json!({"name": "Year", "description": "", "annualAccount": true});
        let annual = one(&shop.list("POST", "/").json(&annual).gives(201));
        assert_eq!(
            (&annual["itemsTotal"], &annual["annualAccount"]),
            (&json!(8), &json!(true))
        );
        for wrong in [
            json!({}),
            json!({"name": ""}),
            json!({"name": "a", "dueDate": "soon"}),
            json!({"name": "a", "dueDate": 9_223_372_036_854_775_807_i64}),
            json!({"name": "a", "other": 1}),
        ] {
            let refused = shop.list("POST", "").json(&wrong).gives(422);
            assert_eq!(refused["errorCode"], 902_011, "{refused}");
        }
    });
}

#[test]
fn s4_03_lists_are_copied_without_their_counts() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU-2"]);
        counted(shop, &list, "SKU-1", &json!(38));
        shop.list("POST", &format!("/finished/{list}/copy"))
            .expect(404);
        let copy = one(&shop.list("POST", &format!("/{list}/copy")).gives(201));
        let told = (
            &copy["name"],
            &copy["state"],
            &copy["itemsTotal"],
            &copy["itemsLeft"],
        );
        assert_eq!(
            told,
            (&json!("Spring"), &json!("NEW"), &json!(2), &json!(2))
        );
        shop.list("PUT", &format!("/{list}/finish")).expect(200);
        let copy = one(&shop
            .list("POST", &format!("/finished/{list}/copy"))
            .gives(201));
        assert_eq!(
            (&copy["state"], &copy["itemsLeft"]),
            (&json!("NEW"), &json!(2))
        );
    });
}

#[test]
fn s4_04_lists_are_changed_and_removed() {
    each_store(|shop| {
        let list = listed(shop, &["SKU-1"]);
        let path = format!("/{list}");
        // A client may send back all that it has read.
        let mut whole = one(&shop.list("GET", &path).gives(200));
        whole["name"] = json!("Autumn");
        whole["dueDate"] = json!(1_732_183_464_077_i64);
        let changed = one(&shop.list("PUT", &path).json(&whole).gives(200));
        assert_eq!(
            (&changed["name"], &changed["dueDate"]),
            (&json!("Autumn"), &whole["dueDate"])
        );
        let changed = one(&shop
            .list("PUT", &path)
            .json(&json!({"dueDate": null}))
            .gives(200));
        assert_eq!(
            (&changed["name"], &changed["dueDate"]),
            (&json!("Autumn"), &Value::Null)
        );
        let refused = shop
            .list("PUT", &path)
            .json(&json!({"name": "x".repeat(256)}))
            .gives(422);
        assert_eq!(
            (&refused["errorCode"], &refused["errorField"]),
            (&json!(902_012), &json!("name"))
        );
        shop.list("DELETE", &format!("/finished/{list}"))
            .expect(404);
        shop.list("DELETE", &path).expect(200);
        shop.list("GET", &path).expect(404);

        let list = started(shop, &["SKU-1"]);
        counted(shop, &list, "SKU-1", &json!(38));
        shop.list("PUT", &format!("/{list}/finish")).expect(200);
        shop.list("DELETE", &format!("/finished/{list}"))
            .expect(200);
        assert_eq!(shop.on_hand(1), 38);
    });
}

#[test]
fn s4_04_a_description_is_emptied() {
    each_store(|shop| {
        let body = json!({"name": "Spring", "description": "aisle 3"});
        let list = id(&one(&shop.list("POST", "").json(&body).gives(201)));
        let path = format!("/{list}");
        for (emptied, again) in [(json!(""), "aisle 4"), (Value::Null, "aisle 5")] {
            let emptied = json!({ "description": emptied });
            let put = |body: &Value| one(&shop.list("PUT", &path).json(body).gives(200));
            let told = put(&emptied);
            assert_eq!(
                (&told["name"], &told["description"]),
                (&json!("Spring"), &json!(""))
            );
            assert_eq!(put(&json!({"name": "Spring"}))["description"], "");
            assert_eq!(put(&json!({ "description": again }))["description"], again);
        }
        // One that was never described shows no name in its place.
        let bare = listed(shop, &[]);
        let bare = one(&shop.list("GET", &format!("/{bare}")).gives(200));
        assert_eq!(bare["description"], "");
    });
}

#[test]
fn s4_04_a_new_list_that_becomes_the_annual_one_gets_all_articles() {
    each_store(|shop| {
        let list = listed(shop, &["SKU-1"]);
        let path = format!("/{list}");
        let annual = |annual: bool| {
            let body = json!({ "annualAccount": annual });
            one(&shop.list("PUT", &path).json(&body).gives(200))
        };
        let told = annual(true);
        assert_eq!(
            (&told["annualAccount"], &told["itemsTotal"]),
            (&json!(true), &json!(8))
        );
        // Said again it adds nothing, and no longer said it takes nothing away.
        shop.list("DELETE", &format!("{path}/articles/SKU-2"))
            .expect(200);
        assert_eq!(annual(true)["itemsTotal"], 7);
        assert_eq!(annual(false)["itemsTotal"], 7);
        // What is being counted is not put together any more.
        let counting = started(shop, &["SKU-1"]);
        let body = json!({"annualAccount": true});
        let told = shop
            .list("PUT", &format!("/{counting}"))
            .json(&body)
            .gives(200);
        assert_eq!(one(&told)["itemsTotal"], 1);
    });
}

#[test]
fn s4_06_a_list_with_a_line_is_started() {
    each_store(|shop| {
        let empty = listed(shop, &[]);
        let refused = shop.list("PUT", &format!("/{empty}/start")).gives(409);
        assert_eq!(refused["errorCode"], 902_012);
        assert_eq!(refused["errorData"]["code"], "no_lines");
        let list = started(shop, &["SKU-1"]);
        assert_eq!(state(shop, &list), "ONGOING");
        shop.list("PUT", &format!("/{list}/start")).expect(409);
    });
}

#[test]
fn s4_08_finishing_leaves_uncounted_lines_alone_or_counts_them_as_zero() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU-2"]);
        counted(shop, &list, "SKU-1", &json!(38));
        let finish = format!("/{list}/finish");
        shop.list("PUT", &format!("{finish}?zero_unhandled_articles=maybe"))
            .expect(422);
        shop.list("PUT", &finish).expect(200);
        assert_eq!(state(shop, &list), "FINISHED");
        assert_eq!((shop.on_hand(1), shop.on_hand(2)), (json!(38), json!(100)));
        shop.list("PUT", &finish).expect(409);
        let list = started(shop, &["SKU-1", "SKU-2"]);
        counted(shop, &list, "SKU-1", &json!(38));
        shop.list(
            "PUT",
            &format!("/{list}/finish?zero_unhandled_articles=true"),
        )
        .expect(200);
        assert_eq!((shop.on_hand(1), shop.on_hand(2)), (json!(38), json!(0)));
    });
}

#[test]
fn s4_09_a_reopened_list_keeps_its_counts_and_posts_again() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU-2"]);
        counted(shop, &list, "SKU-1", &json!(38));
        let reopen = format!("/finished/{list}/reopen");
        shop.list("PUT", &reopen).expect(409);
        shop.list("PUT", &format!("/{list}/finish")).expect(200);
        let open = one(&shop.list("PUT", &reopen).once("reopen-1").gives(200));
        assert_eq!(
            (&open["state"], &open["itemsLeft"]),
            (&json!("ONGOING"), &json!(1))
        );
        shop.list("PUT", &reopen).once("reopen-1").expect(200);
        assert_eq!(shop.on_hand(1), 40);
        assert_eq!(shop.events(1).last().unwrap()["kind"], "reversal");
        shop.list("PUT", &format!("/{list}/finish")).expect(200);
        assert_eq!(shop.on_hand(1), 38);
    });
}
