//! Stock takes: the lines (S1.8 to S1.12).

use serde_json::{Value, json};

use crate::shop::{
    COUNTER, NOTHING, OTHER_SUPPLIER, SITE, STATION, STRANGER, SUPPLIER, Shop, VIEWER, each_store,
    id, product,
};

fn items(take: &str) -> String {
    format!("/inventory/stock-takes/{take}/items")
}

/// The articles of a filtered list.
#[track_caller]
fn articles(shop: &Shop, take: &str, filter: &str) -> Vec<String> {
    let found = shop
        .get(&format!("{}?per_page=250&{filter}", items(take)))
        .gives(200);
    let rows = found["data"].as_array().unwrap().iter();
    rows.map(|row| row["article_id"].as_str().unwrap().to_owned())
        .collect()
}

fn brand(number: u32) -> String {
    format!("00000005-0000-4000-8000-{number:012}")
}

fn category(number: u32) -> String {
    format!("00000006-0000-4000-8000-{number:012}")
}

#[test]
fn s1_08_lines_are_filtered_and_paged() {
    each_store(|shop| {
        let take = shop.take();
        shop.count(&take, "SKU-1", &json!(38));
        assert_eq!(articles(shop, &take, "").len(), 8);
        let (odd, even) = (brand(1), brand(0));
        assert_eq!(
            articles(shop, &take, &format!("brand_ids={odd}")),
            ["SKU-1", "SKU-3", "SKU-7"]
        );
        let both = format!("brand_ids={odd},{even}");
        let repeated = format!("brand_ids[]={odd}&brand_ids[]={even}");
        let escaped = format!("brand_ids%5B%5D={odd}&brand_ids%5B%5D={even}");
        assert_eq!(articles(shop, &take, &both).len(), 7);
        assert_eq!(
            articles(shop, &take, &repeated),
            articles(shop, &take, &both)
        );
        assert_eq!(
            articles(shop, &take, &escaped),
            articles(shop, &take, &both)
        );
        let crossed = format!("category_ids={}&supplier_ids={OTHER_SUPPLIER}", category(1));
        assert_eq!(articles(shop, &take, &crossed), ["SKU-3"]);
        let nobody = format!("supplier_ids={NOTHING}");
        assert!(articles(shop, &take, &nobody).is_empty());
        // Å folds, in any script.
        assert_eq!(articles(shop, &take, "query=%C3%A5NGA"), ["SKU-2"]);
        assert_eq!(articles(shop, &take, "query=").len(), 8);
        assert_eq!(articles(shop, &take, "status=counted"), ["SKU-1"]);
        assert_eq!(articles(shop, &take, "status=uncounted").len(), 7);
        assert_eq!(articles(shop, &take, "status=all").len(), 8);
        let narrow = format!("supplier_ids={SUPPLIER}&status=uncounted&query=bath");
        assert_eq!(articles(shop, &take, &narrow), ["SKU-2"]);

        let page = shop
            .get(&format!("{}?per_page=3&page=3", items(&take)))
            .gives(200);
        assert_eq!(
            page["meta"],
            json!({"page": 3, "per_page": 3, "total": 8, "last_page": 3})
        );
        assert_eq!(page["data"].as_array().unwrap().len(), 2);
        for wrong in [
            "status=some",
            "brand_ids=x",
            "per_page=300",
            "status=all&status=all",
        ] {
            shop.get(&format!("{}?{wrong}", items(&take))).expect(422);
        }
        shop.get_by(STRANGER, &items(&take))
            .refused(404, "not_found");
        shop.get(&items(NOTHING)).refused(404, "not_found");
    });
}

#[test]
fn s1_09_v2_adds_the_totals_of_the_filtered_lines() {
    each_store(|shop| {
        let take = shop.take();
        shop.count(&take, "SKU-1", &json!(38));
        shop.count(&take, "SKU-2", &json!(101));
        let path = format!("/inventory/stock-takes/{take}/items-v2");
        let all = shop.get(&format!("{path}?per_page=1")).gives(200);
        assert_eq!(all["data"].as_array().unwrap().len(), 1);
        // 2 x 12.50 missing (the book's average), 0.335 found and rounded once: -2500 + 34.
        let totals = json!({"total_items": 8, "counted": 2, "uncounted": 6, "total_adjustment_value": -2466,
            "currency": "gbp"});
        assert_eq!(all["totals"], totals);
        let found = shop
            .get(&format!("{path}?query=balm&status=counted"))
            .gives(200);
        let totals = json!({"total_items": 1, "counted": 1, "uncounted": 0, "total_adjustment_value": -2500,
            "currency": "gbp"});
        assert_eq!(found["totals"], totals);
        assert_eq!(found["meta"]["total"], 1);
    });
}

#[test]
fn s1_10_a_line_is_counted_and_uncounted() {
    each_store(|shop| {
        let take = shop.take();
        let line = shop.line(&take, "SKU-1");
        assert_eq!(
            (&line["status"], &line["expected_quantity"]),
            (&json!("uncounted"), &json!(40))
        );
        assert_eq!(line["counted_quantity"], Value::Null);
        assert_eq!(line["stock_place"], "A-01");
        assert_eq!(line["unit_cost"], 1250);
        assert_eq!(line["barcodes"], json!(["4006381333931", "5012345678900"]));
        let path = format!("{}/{}", items(&take), id(&line));
        let counted = shop
            .put_by(COUNTER, &path, &json!({"counted_quantity": 38}))
            .gives(200);
        let told = (
            &counted["counted_quantity"],
            &counted["variance_quantity"],
            &counted["adjustment_value"],
        );
        assert_eq!(told, (&json!(38), &json!(-2), &json!(-2500)));
        assert_eq!(counted["status"], "counted");
        assert!(counted["counted_by_id"].is_string() && counted["counted_at"].is_string());
        assert_eq!(shop.put(&path, &json!({})).gives(200), counted);
        let cleared = shop
            .put(&path, &json!({"counted_quantity": null}))
            .gives(200);
        assert_eq!(
            (&cleared["status"], &cleared["variance_quantity"]),
            (&json!("uncounted"), &Value::Null)
        );
        shop.put(&path, &json!({"counted_quantity": 0})).expect(200);

        let refused = shop.put(&path, &json!({"counted_quantity": -1})).gives(422);
        assert_eq!(refused["error"]["code"], "negative_count");
        assert_eq!(refused["error"]["fields"][0]["field"], "counted_quantity");
        let ahead = json!({"counted_quantity": 1, "counted_at": "2199-01-01T00:00:00Z"});
        let refused = shop.put(&path, &ahead).gives(422);
        assert_eq!(refused["error"]["fields"][0]["field"], "counted_at");
        shop.put_by(VIEWER, &path, &json!({"counted_quantity": 1}))
            .refused(403, "forbidden");
        let elsewhere = format!("{}/{}", items(&shop.take()), id(&line));
        shop.put(&elsewhere, &json!({"counted_quantity": 1}))
            .refused(404, "not_found");
        let serial = format!("{}/{}", items(&take), id(&shop.line(&take, "SKU-5")));
        shop.put(&serial, &json!({"counted_quantity": 2}))
            .refused(422, "serial_conflict");
    });
}

#[test]
fn s1_10_quantities_are_exact_and_strictly_read() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("{}/{}", items(&take), id(&shop.line(&take, "SKU-2")));
        let put = |number: &str| {
            let body = format!("{{\"counted_quantity\": {number}}}");
            shop.put(&path, &json!({})).text(&body).send()
        };
        for (number, shown) in [
            ("123456789012.123456", "123456789012.123456"),
            ("0.1", "0.1"),
            ("1e3", "1000"),
            ("1.50", "1.5"),
            ("25E-2", "0.25"),
            ("1000000000000", "1000000000000"),
        ] {
            let answer = put(number);
            assert_eq!(answer.status, 200, "{}", answer.text);
            let expected = format!("\"counted_quantity\":{shown},");
            assert!(answer.text.contains(&expected), "{number}: {}", answer.text);
        }
        let wrong = [
            "\"7\"",
            "NaN",
            "1e400",
            "1e-7",
            "0.1234567",
            "01",
            "+1",
            ".5",
            "5.",
            "1_0",
            "true",
            "[1]",
            "1000000000000.000001",
            "7, \"counted_quantity\": 8",
            "7, \"other\": 8",
            "7} {",
            "7,",
        ];
        for number in wrong {
            let answer = put(number);
            assert_eq!(answer.status, 422, "{number}: {}", answer.text);
            assert_eq!(answer.json()["error"]["code"], "invalid_body", "{number}");
        }
        assert_eq!(
            shop.line(&take, "SKU-2")["counted_quantity"],
            1_000_000_000_000_i64
        );
    });
}

#[test]
fn s1_11_a_line_is_deleted_until_posting_begins() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("{}/{}", items(&take), id(&shop.line(&take, "SKU-1")));
        shop.delete_by(COUNTER, &path).refused(403, "forbidden");
        shop.delete(&path).expect(204);
        shop.delete(&path).refused(404, "not_found");
        assert_eq!(articles(shop, &take, "").len(), 7);
        let other = format!("{}/{}", items(&take), id(&shop.line(&take, "SKU-2")));
        shop.post(&format!("/inventory/stock-takes/{take}/submit"), &json!({}))
            .expect(200);
        shop.delete(&other).refused(409, "invalid_state");
    });
}

#[test]
fn s1_12_an_export_is_queued_once_and_polled() {
    each_store(|shop| {
        let take = shop.take();
        let path = format!("/inventory/stock-takes/{take}/queue?site_id={SITE}");
        let queued = shop.get_by(VIEWER, &path).gives(200);
        assert_eq!(queued["job"]["kind"], "export");
        let done = shop.job(&queued["job"]["id"]);
        assert_eq!(done["status"], "succeeded");
        assert_eq!(done["progress"], json!({"done": 8, "total": 8}));
        let url = done["result"]["url"].as_str().unwrap();
        let file = shop.get(url).expect(200);
        assert!(file.header("content-type").starts_with("text/csv"));
        assert!(file.header("content-disposition").contains(".csv"));
        assert_eq!(file.text.lines().count(), 9);
        // The same lines give the same job, another form, another filter or a count another one.
        assert_eq!(shop.get(&path).gives(200)["job"]["id"], queued["job"]["id"]);
        let filtered = shop.get(&format!("{path}&status=counted")).gives(200);
        assert_ne!(filtered["job"]["id"], queued["job"]["id"]);
        shop.count(&take, "SKU-1", &json!(1));
        assert_ne!(shop.get(&path).gives(200)["job"]["id"], queued["job"]["id"]);

        let queue = format!("/inventory/stock-takes/{take}/queue");
        shop.get(&queue).refused(400, "invalid_parameter");
        shop.get(&format!("{path}&status=some"))
            .refused(400, "invalid_parameter");
        shop.get(&format!("{queue}?site_id={STATION}"))
            .refused(404, "not_found");
        shop.get_by(STRANGER, &path).refused(404, "not_found");
        shop.get_by(STRANGER, url).refused(404, "not_found");
        shop.get(&format!("{path}&format=pdf"))
            .refused(400, "invalid_parameter");
        shop.get(&format!("/jobs/{NOTHING}"))
            .refused(404, "not_found");
        shop.get(&format!("/jobs/{NOTHING}/file"))
            .refused(404, "not_found");
    });
}

/// The rows of a workbook's one sheet.
fn rows(bytes: &[u8]) -> Vec<Vec<calamine::Data>> {
    use calamine::Reader as _;
    let mut book: calamine::Xlsx<_> =
        calamine::open_workbook_from_rs(std::io::Cursor::new(bytes)).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    range.rows().map(<[calamine::Data]>::to_vec).collect()
}

#[test]
fn s1_12_workbooks_for_people_and_for_machines() {
    each_store(|shop| {
        let take = shop.take();
        shop.count(&take, "SKU-1", &json!(1));
        let path = format!("/inventory/stock-takes/{take}/queue?site_id={SITE}");
        let mut jobs = vec![shop.get(&path).gives(200)["job"]["id"].clone()];
        for (style, lines, first) in [
            ("people", 8 + 8, "Stock take"),
            ("machines", 9, "article_id"),
        ] {
            let queued = shop
                .get(&format!("{path}&format=xlsx&style={style}"))
                .gives(200);
            assert!(!jobs.contains(&queued["job"]["id"]));
            let done = shop.job(&queued["job"]["id"]);
            jobs.push(queued["job"]["id"].clone());
            assert_eq!(done["status"], "succeeded");
            let file = shop
                .get(done["result"]["url"].as_str().unwrap())
                .expect(200);
            assert_eq!(
                file.header("content-type"),
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            );
            let name = format!("attachment; filename=\"stock-take-{take}.xlsx\"");
            assert_eq!(file.header("content-disposition"), name);
            let rows = rows(&file.bytes);
            assert_eq!(rows[0][0], calamine::Data::String(first.to_owned()));
            assert_eq!(rows.len(), lines, "{rows:?}");
        }
        let queued = shop.get(&format!("{path}&style=people")).gives(200);
        let done = shop.job(&queued["job"]["id"]);
        let file = shop
            .get(done["result"]["url"].as_str().unwrap())
            .expect(200);
        assert!(file.text.starts_with("\u{feff}Stock take,"));
        assert!(file.text.contains("Unit cost (gbp)"));
        shop.get(&format!("{path}&style=some"))
            .refused(400, "invalid_parameter");
    });
}

#[test]
fn what_the_documents_have_no_queue_call_for_is_exported_as_well() {
    each_store(|shop| {
        let count = shop
            .post(
                "/inventory-counts",
                &json!({"name": "Cellar", "type": "CYCLE"}),
            )
            .expect(201)
            .json();
        let count = count["id"].as_str().unwrap().to_owned();
        shop.post(
            &format!("/inventory-counts/{count}/items"),
            &json!({"productId": product(1), "countedQuantity": 1}),
        )
        .expect(201);
        for (path, least) in [
            (
                format!("/inventory-counts/{count}/queue?discrepancies=true"),
                2,
            ),
            ("/stock-adjustments/queue?from=2020-01-01".to_owned(), 1),
            (format!("/stock-levels/queue?site_id={SITE}"), 2),
            (
                format!("/stock-events/queue?site_id={SITE}&to=2100-01-01"),
                2,
            ),
        ] {
            for form in ["format=csv", "format=xlsx&style=people"] {
                let sign = if path.contains('?') { '&' } else { '?' };
                let queued = shop
                    .get_by(VIEWER, &format!("{path}{sign}{form}"))
                    .gives(200);
                let done = shop.job(&queued["job"]["id"]);
                assert_eq!(done["status"], "succeeded", "{path} {form}");
                let url = done["result"]["url"].as_str().unwrap();
                let file = shop.get(url).expect(200);
                let lines = if form == "format=csv" {
                    file.text.lines().count()
                } else {
                    rows(&file.bytes).len() - 6
                };
                assert!(lines >= least, "{path} {form}: {lines}");
                shop.get_by(STRANGER, url).refused(404, "not_found");
            }
            let sign = if path.contains('?') { '&' } else { '?' };
            shop.get(&format!("{path}{sign}format=doc"))
                .refused(400, "invalid_parameter");
        }
        shop.get_by(STRANGER, &format!("/inventory-counts/{count}/queue"))
            .refused(404, "not_found");
        shop.get_by(STRANGER, &format!("/stock-levels/queue?site_id={SITE}"))
            .refused(404, "not_found");
        shop.get("/stock-events/queue?from=someday")
            .refused(400, "invalid_date");
    });
}
