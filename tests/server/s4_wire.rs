//! Stocktake lists: who asks, error codes, the request limit, XML (S4.13 to S4.15).

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::json;

use crate::client::Request;
use crate::s4_lists::{counted, listed, started};
use crate::shop::{EVERYWHERE, MANAGER, NOTHING, SITE, Shop, VIEWER, each_store, id};

fn document(shop: &Shop, method: &'static str, path: &str) -> Request {
    shop.nobody(method, &format!("/v1/stocktake{path}"))
}

const MANAGER_ID: &str = "00000008-0000-4000-8000-000000000001";

#[test]
fn s4_13_the_document_s_headers_sign_a_request() {
    each_store(|shop| {
        let get = || document(shop, "GET", "/state/NEW");
        get()
            .header("store", "store-1")
            .header("api_key", "machine-key")
            .expect(200);
        let person = || {
            get()
                .header("user_id", MANAGER_ID)
                .header("user_token", MANAGER)
        };
        person().header("store", "store-1").expect(200);
        let unknown = [
            get(),
            get().header("store", "store-1"),
            get().header("api_key", "machine-key"),
            get().header("store", "store-1").header("api_key", "other"),
            get()
                .header("store", "store-1")
                .header("user_id", NOTHING)
                .header("user_token", MANAGER),
            get()
                .header("store", "store-1")
                .header("user_id", MANAGER_ID),
            get().header("Authorization", "Basic abc"),
            get().by("other"),
        ];
        for request in unknown {
            assert_eq!(request.gives(401)["errorCode"], 900_001);
        }
        // Jobs are read like that as well: lists queue some.
        let job = shop.get(&format!(
            "/inventory/stock-takes/{}/queue?site_id={SITE}",
            shop.take()
        ));
        let job = format!("/jobs/{}", id(&job.gives(200)["job"]));
        let job = || shop.nobody("GET", &job).header("api_key", "machine-key");
        job().header("store", "store-1").expect(200);
        job().expect(401);
        // A store that is not theirs does not exist.
        assert_eq!(
            person().header("store", "store-2").gives(404)["errorCode"],
            902_001
        );
        let missing = person().header("store", "store-99").gives(404);
        assert_eq!(missing["errorData"]["code"], "not_found");
        // A bearer user with several sites names one.
        let refused = get().by(EVERYWHERE).gives(422);
        assert_eq!(
            (&refused["errorCode"], &refused["errorField"]),
            (&json!(902_001), &json!("store"))
        );
        get().by(EVERYWHERE).header("store", "store-2").expect(200);
        // Of another store than the named one nothing exists.
        let list = listed(shop, &[]);
        let there = document(shop, "GET", &format!("/{list}")).by(EVERYWHERE);
        there.clone().header("store", "store-1").expect(200);
        there.header("store", "store-2").expect(404);
    });
}

#[test]
fn s4_13_every_failure_has_the_document_s_number_and_the_library_s_code() {
    each_store(|shop| {
        let list = listed(shop, &["SKU-1"]);
        let path = |rest: &str| format!("/{list}{rest}");
        let bad = || json!({"articleId": 7});
        let cases = [
            (
                shop.list("GET", &format!("/{NOTHING}")),
                404,
                902_001,
                "not_found",
            ),
            (
                shop.list("GET", "/state/SOME"),
                422,
                902_001,
                "invalid_parameter",
            ),
            (
                shop.list("POST", "").json(&json!({})),
                422,
                902_011,
                "invalid_body",
            ),
            (
                shop.list("PUT", &path("")).json(&json!({"name": ""})),
                422,
                902_012,
                "invalid_body",
            ),
            (
                shop.list("PUT", &path("/finish")),
                409,
                902_012,
                "invalid_state",
            ),
            (
                shop.list("GET", &path("/articles?limit=0")),
                422,
                902_002,
                "out_of_range",
            ),
            (
                shop.list("GET", &path("/articles/SKU-2")),
                404,
                902_002,
                "not_found",
            ),
            (
                shop.list("PUT", &path("/articles")).json(&bad()),
                422,
                902_003,
                "invalid_body",
            ),
            (
                document(shop, "PUT", &path("/start")).by(VIEWER),
                403,
                900_101,
                "forbidden",
            ),
            (shop.list("GET", "/a/b/c"), 404, 902_001, "not_found"),
            (
                shop.list("PATCH", &path("")),
                405,
                900_101,
                "method_not_allowed",
            ),
        ];
        for (request, status, number, code) in cases {
            let refused = request.gives(status);
            assert_eq!(refused["errorCode"], number, "{refused}");
            assert_eq!(refused["errorData"]["code"], code);
            assert!(refused["errorMessage"].is_string());
            assert!(refused.get("errorField").is_some());
        }
        // What is wrong with no field names none.
        for body in ["[]", "{\"name\": \"a\"", ""] {
            let refused = shop.list("POST", "").text(body).gives(422);
            assert_eq!(refused["errorField"], json!(null), "{refused}");
        }
    });
}

#[test]
fn s4_14_a_store_is_asked_two_hundred_times_a_minute_at_most() {
    each_store(|shop| {
        let get = |store: &str| {
            document(shop, "GET", "/state/NEW")
                .by(EVERYWHERE)
                .header("store", store)
        };
        // Who is not let in counts for nobody.
        document(shop, "GET", "/state/NEW").expect(401);
        for _ in 0..200 {
            get("store-1").expect(200);
        }
        let refused = get("store-1").expect(429);
        assert_eq!(refused.json()["errorCode"], 900_429);
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        // Another store, and the other documents, have not been asked.
        get("store-2").expect(200);
        shop.get("/inventory-counts").expect(200);
    });
}

/// The names of the elements of a document, each with its depth; and its texts.
fn elements(xml: &str) -> (Vec<(usize, String)>, Vec<String>) {
    let (mut reader, mut depth) = (Reader::from_str(xml), 0);
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    loop {
        let name = |name: &str| name.to_owned();
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                names.push((depth, name(start.name().as_ref())));
                depth += 1;
            }
            Event::Empty(empty) => names.push((depth, name(empty.name().as_ref()))),
            Event::End(_) => depth -= 1,
            Event::Text(text) => texts.push(text.to_string()),
            Event::GeneralRef(reference) => texts.push(format!("&{};", &*reference)),
            Event::Eof => return (names, texts),
            _ => (),
        }
    }
}

#[test]
fn s4_15_bodies_are_read_in_xml_as_it_is_written() {
    each_store(|shop| {
        let send = |method, path: &str, xml: &str| {
            let request = shop.list(method, path).bytes(xml.as_bytes());
            request.content_type("application/xml; charset=utf-8")
        };
        let new = "<?xml version=\"1.0\"?><Stocktake><name>A &amp; B &#x31;</name><description/>\
            <dueDate>1732183464076</dueDate><annualAccount>false</annualAccount></Stocktake>";
        let made = send("POST", "", new).gives(201);
        let made = &made["stocktakes"][0];
        assert_eq!(
            (&made["name"], &made["dueDate"]),
            (&json!("A & B 1"), &json!(1_732_183_464_076_i64))
        );
        let list = format!("/{}", id(made));
        let ids = "<ArticleIds><articles><article>SKU-1</article><article>SKU-2</article></articles></ArticleIds>";
        send("POST", &format!("{list}/articles"), ids).expect(200);
        shop.list("PUT", &format!("{list}/start")).expect(200);
        let count = "<StocktakeArticleRequest><articleId>SKU-1</articleId><addedAmount>7.5</addedAmount>\
            <addToExisting>true</addToExisting></StocktakeArticleRequest>";
        let counted = send("PUT", &format!("{list}/articles"), count).gives(200);
        assert_eq!(counted["inventoryAmount"], 7.5);
        // What a list looks like in XML may be sent back.
        let read = shop
            .list("GET", &list)
            .header("Accept", "application/xml")
            .expect(200);
        let begin = read.text.find("<stocktake>").unwrap();
        let end = read.text.find("</stocktakes>").unwrap();
        let whole = read.text[begin..end].replace("A &amp; B", "C");
        assert_eq!(
            send("PUT", &list, &whole).gives(200)["stocktakes"][0]["name"],
            "C 1"
        );
        for wrong in [
            "<a",
            "<ArticleIds><articles><other>1</other></articles></ArticleIds>",
            "{}",
        ] {
            let refused = send("POST", &format!("{list}/articles"), wrong).gives(422);
            assert_eq!(refused["errorCode"], 902_012, "{wrong}");
        }
    });
}

#[test]
fn s4_15_the_same_resources_in_xml() {
    each_store(|shop| {
        let list = started(shop, &["SKU-1", "SKU-2"]);
        counted(shop, &list, "SKU-1", &json!(38.25));
        let xml = |request: Request| request.header("Accept", "application/xml");
        let name = json!({"name": "A & <B>"});
        let renamed = xml(shop.list("PUT", &format!("/{list}")).json(&name)).expect(200);
        assert_eq!(renamed.header("content-type"), "application/xml");
        let (names, texts) = elements(&renamed.text);
        let heads: Vec<&str> = names
            .iter()
            .take(4)
            .map(|(_, name)| name.as_str())
            .collect();
        assert_eq!(
            heads,
            ["StocktakesResponse", "stocktakes", "stocktake", "id"]
        );
        assert!(
            renamed.text.contains("<name>A &amp; &lt;B&gt;</name>"),
            "{}",
            renamed.text
        );
        assert!(texts.contains(&list));

        // Whatever is in JSON is in XML, under the same names.
        let path = format!("/{list}/articles");
        let json = shop.list("GET", &path).gives(200);
        let (names, _) = elements(&xml(shop.list("GET", &path)).expect(200).text);
        let at = |depth: usize| names.iter().filter(move |(it, _)| *it == depth);
        assert_eq!(names[0].1, "StocktakeArticlesResponse");
        let heads: Vec<&str> = at(1).map(|(_, name)| name.as_str()).collect();
        let keys = json.as_object().unwrap();
        assert_eq!(heads.len(), keys.len());
        assert!(heads.iter().all(|name| keys.contains_key(*name)));
        assert!(at(2).all(|(_, name)| name == "article"));
        let fields = json["articles"][0].as_object().unwrap();
        assert_eq!(at(3).count(), 2 * fields.len());
        assert!(at(3).all(|(_, name)| fields.contains_key(name)));

        shop.list("PUT", &format!("/{list}/finish")).expect(200);
        let finished = xml(shop.list("GET", &format!("/finished/{list}/articles"))).expect(200);
        assert!(
            finished.text.contains("<fifos><fifo><id>"),
            "{}",
            finished.text
        );
        assert!(
            finished
                .text
                .contains("<inventoryAmount>38.25</inventoryAmount>")
        );
        let done = xml(shop.list("GET", &format!("/finished/{list}"))).expect(200);
        assert!(
            done.text
                .contains("<accounts><account><account>1460</account>"),
            "{}",
            done.text
        );

        let refused = xml(shop.list("GET", "/state/SOME")).expect(422);
        assert!(
            refused
                .text
                .contains("<Error><errorCode>902001</errorCode>"),
            "{}",
            refused.text
        );
        let preferred = shop
            .list("GET", &path)
            .header("Accept", "application/xml;q=0.5, application/json");
        assert_eq!(
            preferred.expect(200).header("content-type"),
            "application/json"
        );
        // The other documents have JSON only.
        let other = shop
            .get("/inventory-counts")
            .header("Accept", "application/xml")
            .expect(200);
        assert_eq!(other.header("content-type"), "application/json");
    });
}
