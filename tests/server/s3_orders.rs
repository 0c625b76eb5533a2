//! Inventory orders: header, lines, export (S3.1 to S3.4, S3.7).

use serde_json::{Value, json};

use crate::shop::{
    COUNTER, NOTHING, OTHER_SUPPLIER, SITE, STATION, STRANGER, SUPPLIER, Shop, VIEWER, each_store,
    id, product,
};

const ORDERS: &str = "/inventory/orders";

pub(crate) fn new(number: &Value) -> Value {
    json!({"purchase_order_number": number, "supplier_id": SUPPLIER, "supplier_email": null, "site_id": SITE})
}

/// An order with lines of so many of some products, at a price.
#[track_caller]
pub(crate) fn ordered(shop: &Shop, lines: &[(u32, u32, u32)]) -> (String, Vec<String>) {
    let order = id(&shop.post(ORDERS, &new(&json!("PO123"))).gives(201));
    let line = |(number, quantity, price): &(u32, u32, u32)| {
        let body =
            json!({"product_id": product(*number), "quantity": quantity, "unit_price": price});
        id(&shop
            .post(&format!("{ORDERS}/{order}/items"), &body)
            .gives(201))
    };
    let lines = lines.iter().map(line).collect();
    (order, lines)
}

#[test]
fn s3_01_orders_are_listed_and_searched() {
    each_store(|shop| {
        for number in [json!("PO-1"), json!("PO-2"), json!("AB-1"), Value::Null] {
            shop.post(ORDERS, &new(&number)).expect(201);
        }
        let list = |filter: &str| {
            let found = shop
                .get_by(VIEWER, &format!("{ORDERS}?site_id={SITE}&{filter}"))
                .gives(200);
            let rows = found["data"].as_array().unwrap().iter();
            rows.map(|row| row["purchase_order_number"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            list(""),
            [json!("PO-1"), json!("PO-2"), json!("AB-1"), Value::Null]
        );
        assert_eq!(list("purchase_order_number=po-"), ["PO-1", "PO-2"]);
        assert_eq!(list("purchase_order_number=%25"), [] as [Value; 0]);
        assert_eq!(list("per_page=1&page=2"), ["PO-2"]);
        shop.get(ORDERS).expect(422);
        shop.get(&format!("{ORDERS}?site_id={SITE}&per_page=0"))
            .refused(422, "out_of_range");
        shop.get_by(STRANGER, &format!("{ORDERS}?site_id={SITE}"))
            .refused(404, "not_found");
    });
}

#[test]
fn s3_02_an_order_is_created_for_a_supplier_of_the_site() {
    each_store(|shop| {
        let order = shop.post(ORDERS, &new(&json!("PO123"))).gives(201);
        let told = [
            ("status", json!("draft")),
            ("purchase_order_number", json!("PO123")),
            ("supplier_id", json!(SUPPLIER)),
            ("supplier_name", json!("Elemis")),
            ("supplier_email", json!("orders@example.com")),
            ("subtotal", json!(0)),
            ("currency", json!("gbp")),
            ("item_count", json!(0)),
            ("items_added", json!(false)),
            ("site_id", json!(SITE)),
            ("submitted_at", Value::Null),
            ("last_submitted_at", Value::Null),
        ];
        for (field, expected) in told {
            assert_eq!(order[field], expected, "{field}");
        }
        let mut with_email = new(&Value::Null);
        with_email["supplier_email"] = json!("other@example.com");
        assert_eq!(
            shop.post(ORDERS, &with_email).gives(201)["supplier_email"],
            "other@example.com"
        );

        let wrong = |field: &str, value: Value, code: &str| {
            let mut body = new(&Value::Null);
            body[field] = value;
            let refused = shop.post(ORDERS, &body).refused(422, code);
            assert_eq!(refused["error"]["fields"][0]["field"], field, "{refused}");
        };
        wrong("supplier_id", json!(NOTHING), "unknown_supplier");
        wrong("supplier_email", json!("a@b\r\nBcc: c@d"), "invalid_body");
        wrong("supplier_email", json!("nobody"), "invalid_email");
        wrong(
            "purchase_order_number",
            json!("x".repeat(65)),
            "invalid_body",
        );
        wrong("purchase_order_number", json!(7), "invalid_body");
        wrong("currency", json!("eur"), "invalid_body");
        for missing in [
            "purchase_order_number",
            "supplier_id",
            "supplier_email",
            "site_id",
        ] {
            let mut body = new(&Value::Null);
            body.as_object_mut().unwrap().remove(missing);
            let refused = shop.post(ORDERS, &body).refused(422, "invalid_body");
            assert_eq!(refused["error"]["fields"][0]["field"], missing);
        }
        let mut elsewhere = new(&Value::Null);
        elsewhere["site_id"] = json!(STATION);
        shop.post(ORDERS, &elsewhere).refused(404, "not_found");
        shop.post_by(COUNTER, ORDERS, &new(&Value::Null))
            .refused(403, "forbidden");
    });
}

#[test]
fn s3_03_an_order_is_read_changed_and_removed() {
    each_store(|shop| {
        let (order, _) = ordered(shop, &[]);
        let path = format!("{ORDERS}/{order}");
        let changed = shop
            .put(&path, &json!({"purchase_order_number": "PO-9"}))
            .gives(200);
        assert_eq!(changed["purchase_order_number"], "PO-9");
        assert_eq!(changed["supplier_email"], "orders@example.com");
        let changed = shop.put(
            &path,
            &json!({"supplier_id": OTHER_SUPPLIER, "supplier_email": "w@example.com"}),
        );
        assert_eq!(changed.gives(200)["supplier_name"], "Weleda");
        let changed = shop
            .put(
                &path,
                &json!({"purchase_order_number": null, "supplier_email": null}),
            )
            .gives(200);
        assert_eq!(
            (
                &changed["purchase_order_number"],
                &changed["supplier_email"]
            ),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(shop.put(&path, &json!({})).gives(200), changed);
        assert_eq!(shop.get(&path).gives(200), changed);
        shop.put(&path, &json!({"site_id": STATION}))
            .refused(422, "another_site");
        shop.put(&path, &json!({"status": "received"}))
            .refused(422, "invalid_body");
        shop.put_by(VIEWER, &path, &json!({}))
            .refused(403, "forbidden");
        shop.get_by(STRANGER, &path).refused(404, "not_found");

        shop.delete_by(COUNTER, &path).refused(403, "forbidden");
        shop.delete(&path).expect(204);
        shop.get(&path).refused(404, "not_found");
        let (order, _) = ordered(shop, &[(1, 2, 100)]);
        let path = format!("{ORDERS}/{order}");
        shop.post(&format!("{path}/submit"), &json!({})).expect(200);
        shop.post(&format!("{path}/receive"), &json!({}))
            .expect(200);
        shop.delete(&path).expect(409);
    });
}

#[test]
fn s3_04_lines_are_whole_numbers_of_the_supplier_s_products() {
    each_store(|shop| {
        let (order, lines) = ordered(shop, &[(1, 10, 200), (2, 3, 0)]);
        let (path, items) = (
            format!("{ORDERS}/{order}"),
            format!("{ORDERS}/{order}/items"),
        );
        let read = shop.get(&path).gives(200);
        let told = (&read["subtotal"], &read["item_count"], &read["items_added"]);
        assert_eq!(told, (&json!(2000), &json!(2), &json!(true)));
        let found = shop.get_by(VIEWER, &items).gives(200);
        let first = &found["data"][0];
        let told = (
            &first["inventory_order_id"],
            &first["product_name"],
            &first["total"],
        );
        assert_eq!(
            told,
            (&json!(order), &json!("Cleansing balm"), &json!(2000))
        );
        assert_eq!(
            (&first["received_quantity"], &first["unit_price"]),
            (&json!(0), &json!(200))
        );
        let of_brand = format!("{items}?brand_ids=00000005-0000-4000-8000-000000000001");
        assert_eq!(shop.get(&of_brand).gives(200)["meta"]["total"], 1);
        let of_category = format!("{items}?category_ids={NOTHING}");
        assert_eq!(shop.get(&of_category).gives(200)["data"], json!([]));

        let line = format!("{items}/{}", lines[0]);
        let changed = shop.put(&line, &json!({"quantity": 4})).gives(200);
        assert_eq!(
            (&changed["total"], &changed["unit_price"]),
            (&json!(800), &json!(200))
        );
        assert_eq!(shop.put(&line, &json!({})).gives(200)["total"], 800);
        assert_eq!(
            shop.put(&line, &json!({"unit_price": 1e2})).gives(200)["total"],
            400
        );
        assert_eq!(shop.get(&path).gives(200)["subtotal"], 400);
        shop.delete(&format!("{items}/{}", lines[1])).expect(204);
        assert_eq!(shop.get(&path).gives(200)["item_count"], 1);
        shop.delete(&format!("{items}/{}", lines[1]))
            .refused(404, "not_found");

        let wrong = |quantity: Value, price: Value, number: u32, field: &str| {
            let body =
                json!({"product_id": product(number), "quantity": quantity, "unit_price": price});
            let refused = shop.post(&items, &body).gives(422);
            assert_eq!(refused["error"]["fields"][0]["field"], field, "{refused}");
        };
        wrong(json!(0), json!(1), 1, "quantity");
        wrong(json!(1.5), json!(1), 1, "quantity");
        wrong(json!(-1), json!(1), 1, "quantity");
        wrong(json!(1), json!(-1), 1, "unit_price");
        wrong(json!(1), json!(0.5), 1, "unit_price");
        wrong(json!("1"), json!(1), 1, "quantity");
        // Of another supplier, or of nobody.
        wrong(json!(1), json!(1), 3, "product_id");
        wrong(json!(1), json!(1), 5, "product_id");
        shop.put(&line, &json!({"quantity": 0})).expect(422);
        let body = json!({"product_id": product(1), "quantity": 1, "unit_price": 1});
        shop.post_by(COUNTER, &items, &body)
            .refused(403, "forbidden");
        shop.post(&format!("{ORDERS}/{NOTHING}/items"), &body)
            .refused(404, "not_found");
    });
}

#[test]
fn s3_07_an_order_is_exported() {
    each_store(|shop| {
        let (order, _) = ordered(shop, &[(1, 10, 200), (2, 3, 0)]);
        let path = format!("{ORDERS}/{order}/queue");
        let asked = format!("{path}?site_id={SITE}");
        let queued = shop.get_by(VIEWER, &asked).gives(200);
        let done = shop.job(&queued["job"]["id"]);
        let file = shop
            .get(done["result"]["url"].as_str().unwrap())
            .expect(200);
        assert_eq!(file.text.lines().count(), 3);
        assert_eq!(
            shop.get(&asked).gives(200)["job"]["id"],
            queued["job"]["id"]
        );
        let filtered = format!("{asked}&brand_ids=00000005-0000-4000-8000-000000000001");
        let done = shop.job(&shop.get(&filtered).gives(200)["job"]["id"]);
        assert_eq!(done["progress"]["done"], 1);
        shop.get(&path).expect(400);
        shop.get(&format!("{asked}&brand_ids=x")).expect(400);
        shop.get(&format!("{path}?site_id={STATION}"))
            .refused(404, "not_found");
    });
}
