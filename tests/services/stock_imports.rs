//! Stock imports, row by row of S5. Each test is named by the row it shows.

use crate::certain::certain;
use proptest::prelude::*;
use rust_decimal::Decimal;
use stocktake::documents::{ImportBodyError, ImportLimits, ImportNumbers, read_import};
use stocktake::domain::{
    ImportMode, MovementPolicy, Quantity, StockEventKind, StockImportState, StockKey,
};
use stocktake::service::{Caller, Error, ImportStarted, Movement, NewStockTake};
use stocktake::store::{IdempotencyKey, JobState};
use stocktake::testing::{Shop, shop};

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn machine(shop: &Shop) -> Caller {
    Caller::of(&shop.service)
}

async fn opened() -> Shop {
    let shop = shop();
    shop.open().await.unwrap();
    shop
}

async fn begin(shop: &Shop, mode: ImportMode, body: &str) -> Result<ImportStarted, Error> {
    shop.stocktake
        .stock_imports()
        .begin(&machine(shop), mode, body.as_bytes(), false)
        .await
}

/// Imports, does the job, and gives the state it ended in.
async fn import(shop: &Shop, mode: ImportMode, body: &str) -> StockImportState {
    let started = begin(shop, mode, body).await.unwrap();
    shop.run_jobs().await.unwrap();
    let import = shop
        .stocktake
        .stock_imports()
        .get(&machine(shop), started.import.id())
        .await
        .unwrap();
    let verified = shop
        .stocktake
        .stock()
        .verify(&Caller::of(&shop.manager), shop.site.id)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{verified:?}");
    import.state()
}

async fn kinds(shop: &Shop, key: &StockKey) -> Vec<(StockEventKind, Quantity)> {
    let events = shop
        .stocktake
        .stock()
        .key_events(&machine(shop), key, 0)
        .await
        .unwrap();
    events
        .iter()
        .map(|event| (event.kind, event.change))
        .collect()
}

#[tokio::test]
async fn s5_1_absolute_values_are_events_also_when_nothing_changes() {
    let shop = opened().await;
    let body = r#"{"store-1": {"SKU-0": 7, "SKU-1": 40, "SKU-2": {"red": 2.5}}}"#;
    assert_eq!(
        import(&shop, ImportMode::Absolute, body).await,
        StockImportState::Applied
    );
    assert_eq!(
        kinds(&shop, &shop.key(0)).await.last(),
        Some(&(StockEventKind::ExternalReset, q("-33")))
    );
    assert_eq!(
        kinds(&shop, &shop.key(1)).await.last(),
        Some(&(StockEventKind::ExternalReset, q("0")))
    );
    let red = shop.key(2).of_variant("red".parse().unwrap());
    assert_eq!(shop.on_hand(&red).await.unwrap(), q("2.5"));
    assert_eq!(
        shop.on_hand(&shop.key(2)).await.unwrap(),
        q("40"),
        "variants are stock of their own"
    );
}

#[tokio::test]
async fn s5_2_adjustments_are_deltas() {
    let shop = opened().await;
    let body = r#"{"store-1": {"SKU-0": -3, "SKU-1": 1e1}}"#;
    assert_eq!(
        import(&shop, ImportMode::Adjustment, body).await,
        StockImportState::Applied
    );
    assert_eq!(
        kinds(&shop, &shop.key(0)).await.last(),
        Some(&(StockEventKind::ExternalAdjustment, q("-3")))
    );
    assert_eq!(shop.on_hand(&shop.key(1)).await.unwrap(), q("50"));
}

#[tokio::test]
async fn s5_3_removed_is_not_zero_and_enters_no_later_take() {
    let shop = opened().await;
    let zero = r#"{"store-1": {"SKU-0": 0}}"#;
    assert_eq!(
        import(&shop, ImportMode::Absolute, zero).await,
        StockImportState::Applied
    );
    let gone = r#"{"store-1": {"SKU-1": 12345678901234567890, "SKU-2": 1, "NEVER": 0}}"#;
    assert_eq!(
        import(&shop, ImportMode::Remove, gone).await,
        StockImportState::Applied
    );
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("0"));
    assert_eq!(
        shop.on_hand(&shop.key(1)).await.unwrap_err().code(),
        "not_found"
    );
    assert_eq!(
        kinds(&shop, &shop.key(1)).await.last(),
        Some(&(StockEventKind::Removed, q("-40")))
    );

    let manager = Caller::of(&shop.manager);
    let items = || async {
        let new = NewStockTake {
            site: shop.site.id,
            description: "After".parse().unwrap(),
            movement_policy: MovementPolicy::default(),
        };
        let take = shop
            .stocktake
            .stock_takes()
            .create(&manager, new)
            .await
            .unwrap();
        shop.run_jobs().await.unwrap();
        shop.stocktake
            .stock_takes()
            .get(&manager, take.id())
            .await
            .unwrap()
            .totals
            .items
    };
    assert_eq!(items().await, 8);
    let back = Movement::Receipt {
        key: shop.key(1),
        quantity: q("1"),
        unit_cost: None,
    };
    shop.stocktake
        .stock()
        .record(&manager, shop.site.id, &[back.into()])
        .await
        .unwrap();
    assert_eq!(items().await, 9, "until stock arrives again");
}

#[tokio::test]
async fn s5_4_an_unknown_product_is_created_and_an_unknown_location_refuses_everything() {
    let shop = opened().await;
    let body = r#"{"store-1": {"SKU-0": 1}, "store-9": {"SKU-0": 2}, "store/8": {"SKU-0": 2}}"#;
    let refused = begin(&shop, ImportMode::Absolute, body).await.unwrap_err();
    let Error::Invalid(fields) = &refused else {
        panic!("{refused:?}")
    };
    let told: Vec<(&str, &str)> = fields
        .iter()
        .map(|field| (field.field.as_ref(), field.code))
        .collect();
    assert_eq!(
        told,
        [
            ("/store-9", "unknown_location"),
            ("/store/8", "unknown_location")
        ]
    );
    shop.run_jobs().await.unwrap();
    assert_eq!(
        shop.on_hand(&shop.key(0)).await.unwrap(),
        q("40"),
        "nothing is applied"
    );

    let body = r#"{"store-1": {"NEW-1": 3}}"#;
    assert_eq!(
        import(&shop, ImportMode::Absolute, body).await,
        StockImportState::Applied
    );
    let product = shop
        .stocktake
        .catalogue()
        .product_by_article(&machine(&shop), &"NEW-1".parse().unwrap())
        .await;
    let key = StockKey::plain(shop.site.id, product.unwrap().id);
    assert_eq!(shop.on_hand(&key).await.unwrap(), q("3"));
    assert_eq!(
        import(&shop, ImportMode::Absolute, r#"{"store-1": {"NEW-1": 5}}"#).await,
        StockImportState::Applied
    );
    assert_eq!(shop.on_hand(&key).await.unwrap(), q("5"));
}

#[tokio::test]
async fn s5_4_a_location_without_values_must_exist_as_well() {
    let shop = opened().await;
    for body in [
        r#"{"store-9": {}}"#,
        r#"{"store-1": {"SKU-0": 1}, "store-9": {}}"#,
    ] {
        let refused = begin(&shop, ImportMode::Absolute, body).await.unwrap_err();
        assert_eq!(refused.code(), "unknown_location");
    }
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("40"));
}

#[tokio::test]
async fn s5_5_the_answer_tells_how_many_values_were_parsed_and_a_job_does_the_rest() {
    let shop = opened().await;
    let body = r#"{"store-1": {"p1": 7, "p2": 7, "p3": {"v1": 7, "v2": 7}}}"#;
    let once = machine(&shop).with_key(IdempotencyKey::new("import-1").unwrap());
    let imports = shop.stocktake.stock_imports();
    let started = imports
        .begin(&once, ImportMode::Absolute, body.as_bytes(), false)
        .await
        .unwrap();
    assert_eq!(started.message(), "Import of 4 stock value(s) initiated");
    let spaced = body.replace(':', " : ");
    let again = imports
        .begin(&once, ImportMode::Absolute, spaced.as_bytes(), false)
        .await
        .unwrap();
    assert_eq!(again, started, "the same request, whatever its white space");
    assert_eq!(shop.run_jobs().await.unwrap(), 1);
    let job = shop
        .stocktake
        .job(&machine(&shop), started.job)
        .await
        .unwrap();
    assert_eq!(
        (job.state, job.progress.done, job.progress.total),
        (JobState::Succeeded, 4, 4)
    );
    let import = imports
        .get(&machine(&shop), started.import.id())
        .await
        .unwrap();
    assert_eq!((import.report().applied, import.report().failed), (4, 0));
    let counter = Caller::of(&shop.counter);
    let refused = imports
        .begin(&counter, ImportMode::Absolute, body.as_bytes(), false)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "forbidden");
}

#[tokio::test]
async fn s5_6_one_bad_value_refuses_all_unless_skipping_is_asked() {
    let shop = opened().await;
    let body = r#"{"store-1": {"SKU-0": -1, "SKU-1": -41, "SKU-2": -2}}"#;
    let refused = begin(&shop, ImportMode::Adjustment, body).await;
    assert_eq!(refused.unwrap_err().code(), "would_go_negative");
    // What moves after it was begun is told by the import itself.
    let enough = r#"{"store-1": {"SKU-0": -1, "SKU-1": -40, "SKU-2": -2}}"#;
    let started = begin(&shop, ImportMode::Adjustment, enough).await.unwrap();
    let issue = Movement::Issue {
        key: shop.key(1),
        quantity: q("1"),
    };
    let receipt = Movement::Receipt {
        key: shop.key(1),
        quantity: q("1"),
        unit_cost: Some("1".parse().unwrap()),
    };
    let stock = shop.stocktake.stock();
    let (host, issue) = (machine(&shop), [issue.into()]);
    let issued = stock.record(&host, shop.site.id, &issue);
    issued.await.unwrap();
    shop.run_jobs().await.unwrap();
    let imports = shop.stocktake.stock_imports();
    let import = imports
        .get(&machine(&shop), started.import.id())
        .await
        .unwrap();
    assert_eq!(
        (import.state(), import.report().applied),
        (StockImportState::Rejected, 0)
    );
    let problem = &import.report().problems[0];
    assert_eq!(
        (problem.row, problem.place.as_str(), problem.code.as_str()),
        (1, "/store-1/SKU-1", "would_go_negative")
    );
    let job = shop
        .stocktake
        .job(&machine(&shop), started.job)
        .await
        .unwrap();
    assert_eq!(job.state, JobState::Refused);
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("40"));
    let receipt = [receipt.into()];
    let put_back = stock.record(&host, shop.site.id, &receipt);
    put_back.await.unwrap();

    let skipping = imports
        .begin(
            &machine(&shop),
            ImportMode::Adjustment,
            body.as_bytes(),
            true,
        )
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    let import = imports
        .get(&machine(&shop), skipping.import.id())
        .await
        .unwrap();
    assert_eq!(
        (
            import.state(),
            import.report().applied,
            import.report().failed
        ),
        (StockImportState::Applied, 2, 1)
    );
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("39"));
    assert_eq!(shop.on_hand(&shop.key(1)).await.unwrap(), q("40"));
}

#[tokio::test]
async fn s5_6_an_import_of_several_chunks_is_all_or_nothing_and_survives_being_stopped() {
    let shop = opened().await;
    let many: Vec<String> = (0..2_500)
        .map(|number| format!(r#""p{number}": {number}"#))
        .collect();
    let body = format!(r#"{{"store-1": {{{}}}}}"#, many.join(", "));
    assert_eq!(
        import(&shop, ImportMode::Absolute, &body).await,
        StockImportState::Applied
    );
    let bad = format!(r#"{{"store-1": {{{}, "SKU-0": -41}}}}"#, many.join(", "));
    let last = shop
        .stocktake
        .stock()
        .ledger(&machine(&shop), shop.site.id, 0, 10_000)
        .await
        .unwrap()
        .len();
    assert_eq!(last, 2_510);
    assert_eq!(
        import(&shop, ImportMode::Adjustment, &bad).await,
        StockImportState::Rejected
    );
    let after = shop
        .stocktake
        .stock()
        .ledger(&machine(&shop), shop.site.id, 0, 10_000)
        .await
        .unwrap()
        .len();
    assert_eq!(
        after, last,
        "the bad value is in the last chunk, and nothing was applied"
    );
}

#[tokio::test]
async fn an_ambiguous_product_is_told_with_its_keys() {
    let shop = opened().await;
    let shelf = shop.key(0).at("A-01".parse().unwrap());
    let manager = Caller::of(&shop.manager);
    let transfer = Movement::Transfer {
        from: shop.key(0),
        to: shelf,
        quantity: q("5"),
    };
    shop.stocktake
        .stock()
        .record(&manager, shop.site.id, &[transfer.into()])
        .await
        .unwrap();
    let refused = begin(&shop, ImportMode::Absolute, r#"{"store-1": {"SKU-0": 1}}"#);
    assert_eq!(refused.await.unwrap_err().code(), "ambiguous_stock");
}

fn mistakes(body: &str) -> Vec<(String, &'static str)> {
    let limits = ImportLimits {
        bytes: 2_000,
        values: 5,
        locations: 2,
    };
    let told = |it: ImportBodyError| (it.path, it.code);
    let read = read_import(body.as_bytes(), limits, ImportNumbers::Quantities);
    read.map_or_else(
        |mistakes| mistakes.into_iter().map(told).collect(),
        |_| Vec::new(),
    )
}

#[test]
fn s5_6_every_mistake_is_told_with_its_path() {
    let deep = format!(
        r#"{{"a": {{"b": {}1{}}}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let long = format!(r#"{{"a": {{"{}": 1}}}}"#, "x".repeat(129));
    let huge = format!(r#"{{"a": {{"b": {}}}}}"#, " ".repeat(2_000));
    let table: &[(&str, &[(&str, &str)])] = &[
        (r"{}", &[]),
        (r#"{"a": {}}"#, &[]),
        (r#" {"a" : {"b" : 7 , "c" : {"d" : 0.5e1}}} "#, &[]),
        (r#"{"a": {"b": 1, "b": 2}}"#, &[("/a/b", "duplicate_key")]),
        (
            r#"{"a": {"b": 1}, "a": {"b": 1}}"#,
            &[("/a", "duplicate_key")],
        ),
        (
            r#"{"a": {"b": {"c": 1, "c": 1}}}"#,
            &[("/a/b/c", "duplicate_key")],
        ),
        (
            r#"{"a": {"b": "1", "c": null, "d": [1], "e": true}}"#,
            &[
                ("/a/b", "not_a_number"),
                ("/a/c", "not_a_number"),
                ("/a/d", "not_a_number"),
                ("/a/e", "not_a_number"),
            ],
        ),
        (r#"{"a": 1}"#, &[("/a", "wrong_nesting")]),
        ("[]", &[("", "wrong_nesting")]),
        (
            r#"{"a": {"b": {"c": {"d": 1}}}}"#,
            &[("/a/b/c", "too_deep")],
        ),
        (&deep, &[("/a/b", "not_a_number"), ("/a/b", "malformed")]),
        (
            r#"{"a": {"b": 0.0000001, "c": 1e-7, "d": 1e13, "e": 1e99999999999999999999}}"#,
            &[
                ("/a/b", "too_precise"),
                ("/a/c", "too_precise"),
                ("/a/d", "out_of_range"),
                ("/a/e", "out_of_range"),
            ],
        ),
        (r#"{"a": {"b": -1}}"#, &[("/a/b", "negative_quantity")]),
        (
            r#"{"a": {"b": NaN}}"#,
            &[("/a/b", "not_a_number"), ("/a/b", "malformed")],
        ),
        (r#"{"a": {"b": 01}}"#, &[("/a/b", "malformed")]),
        (r#"{"a": {"b": 1.}}"#, &[("/a/b", "malformed")]),
        (
            r#"{"a": {"b": +1}}"#,
            &[("/a/b", "not_a_number"), ("/a/b", "malformed")],
        ),
        (r#"{"a": {"b": 1}} x"#, &[("", "malformed")]),
        (r#"{"a": {"b": 1"#, &[("/a", "malformed")]),
        (
            r#"{"a": {"": 1, "\u0000": 1}}"#,
            &[("/a/", "invalid_name"), ("/a/\0", "invalid_name")],
        ),
        (&long, &[("", "invalid_name")]),
        (&huge, &[("", "too_long")]),
        (
            r#"{"x/y~z": {"b": "no"}}"#,
            &[("/x~1y~0z/b", "not_a_number")],
        ),
        (
            r#"{"a": {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1, "6": 1, "7": 1}}"#,
            &[("/a/6", "too_many_values")],
        ),
        (
            r#"{"a": {}, "b": {}, "c": {}}"#,
            &[("/c", "too_many_locations")],
        ),
        (r#"{"\ud83d\ude00": {"\u00e9": 1}}"#, &[]),
        (r#"{"\ud83d": {"b": 1}}"#, &[("", "malformed")]),
    ];
    for (body, expected) in table {
        let told = mistakes(body);
        let codes: Vec<&str> = told.iter().map(|(_, code)| *code).collect();
        let wanted: Vec<&str> = expected.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes, wanted, "{body}");
        if *body != long {
            let paths: Vec<&str> = told.iter().map(|(path, _)| path.as_str()).collect();
            let wanted: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
            assert_eq!(paths, wanted, "{body}");
        }
    }
}

proptest! {
    #![proptest_config(certain(256))]

    /// Numbers are exact, however they are written.
    #[test]
    fn s5_6_numbers_are_exact(micros in -1_000_000_000_000_000_000_i64..=1_000_000_000_000_000_000, shift in -6_i32..6) {
        let quantity = Quantity::from_micros(micros).unwrap();
        let shifted = (0..shift.abs()).fold(quantity.to_decimal(), |value, _| {
            if shift > 0 { value / Decimal::TEN } else { value * Decimal::TEN }
        });
        let body = format!(r#"{{"a": {{"b": {shifted}e{shift}}}}}"#);
        let read = read_import(body.as_bytes(), ImportLimits::default(), ImportNumbers::Changes).unwrap();
        prop_assert_eq!(read.values[0].value, quantity);
    }

    /// Whatever comes in, nothing panics, and no mistake means values.
    #[test]
    fn s5_6_any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_import(&body, ImportLimits::default(), ImportNumbers::Changes);
    }

    /// The same of what looks like a body.
    #[test]
    fn s5_6_any_body_like_text_is_read_or_refused(body in r#"[{}\[\]":,0-9eE.+\-ab\\u ]{0,80}"#) {
        let _ = read_import(body.as_bytes(), ImportLimits::default(), ImportNumbers::Quantities);
    }
}
