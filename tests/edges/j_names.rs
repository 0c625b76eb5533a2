//! Names are as people and scanners give them.

use crate::certain::certain;
use proptest::prelude::*;
use stocktake::documents::{ImportLimits, ImportNumbers, read_import};
use stocktake::domain::{
    Code, ImportMode, ImportReport, Label, Product, PurchaseOrderNumber, Quantity, SearchText,
    StockImportState, StockKey, TextError, Tracking, fold,
};
use stocktake::service::{Caller, Movement, NewMovement, NewStockTake};
use stocktake::store::{ArticleFilter, ArticleSort, StockTakeItemFilter};
use stocktake::testing::Shop;
use unicode_normalization::UnicodeNormalization as _;

use super::shops::{all, manager, rows, shop_on};
use super::stores::{Kind, Stores};

/// What people, spreadsheets and scanners make of `Café-0`.
const SPELLINGS: [&str; 9] = [
    "Café-0",
    "Café-0 ",
    " Café-0",
    "\u{a0}Café-0\u{3000}",
    "\u{feff}Café-0",
    "Café\u{200b}-0",
    "Caf\u{ad}é-0\r\n",
    "\u{202a}Café-0\u{202c}",
    "Cafe\u{301}-0",
];

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

async fn opened(stores: &Stores) -> (Shop, super::stores::Store) {
    let store = stores.fresh().await;
    let shop = shop_on(&store);
    shop.open().await.unwrap();
    (shop, store)
}

/// Imports a body as a machine and gives the state it ended in.
async fn import(shop: &Shop, mode: ImportMode, body: &str) -> StockImportState {
    let imports = shop.stocktake.stock_imports();
    let machine = Caller::of(&shop.service);
    let started = imports
        .begin(&machine, mode, body.as_bytes(), false)
        .await
        .unwrap();
    shop.run_jobs().await.unwrap();
    let import = imports.get(&machine, started.import.id()).await.unwrap();
    import.state()
}

#[tokio::test]
async fn fault_j_spellings_of_an_article_are_one_article() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let (shop, _store) = opened(&stores).await;
        let (by, page) = (manager(&shop), all());
        // What is one code here is one on all stores: a server need not try them all.
        let spellings = if matches!(kind, Kind::Memory) {
            &SPELLINGS[..]
        } else {
            &SPELLINGS[6..]
        };
        for spelling in spellings {
            let spelling = spelling.replace("\r\n", "\\r\\n");
            let body = format!("{{\" store-1\\u00a0\": {{\"{spelling}\": 7}}}}");
            let state = import(&shop, ImportMode::Adjustment, &body).await;
            assert_eq!(state, StockImportState::Applied, "{spelling:?} on {kind:?}");
        }
        let catalogue = shop.stocktake.catalogue();
        let article = code("Café-0");
        let product = catalogue.product_by_article(&by, &article).await.unwrap();
        let key = StockKey::plain(shop.site.id, product.id);
        let on_hand = shop.on_hand(&key).await.unwrap();
        let times = u32::try_from(spellings.len()).unwrap();
        assert_eq!(on_hand, Quantity::from(7 * times), "{kind:?}");
        let stock = shop.stocktake.stock();
        let levels = stock.levels(&by, shop.site.id, None, None, &page);
        assert_eq!(rows(&levels.await.unwrap()), 11, "{kind:?}");
        let external = code("\u{feff}store-1");
        let found = catalogue.site_by_external_id(&by, &external);
        assert_eq!(found.await.unwrap().id, shop.site.id);
    }
}

#[tokio::test]
async fn fault_j_spellings_of_a_batch_a_serial_and_a_place_are_one() {
    type Part = fn(StockKey, Code) -> StockKey;
    let parts: [Part; 4] = [
        StockKey::at,
        StockKey::in_batch,
        StockKey::of_variant,
        |key, code| key.at(code.clone()).in_batch(code),
    ];
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let (shop, _store) = opened(&stores).await;
        let by = manager(&shop);
        let tracked = [
            (1, Tracking::Batch),
            (3, Tracking::Batch),
            (5, Tracking::Serial),
        ];
        let tracked = tracked.map(|(number, tracking)| Product {
            tracking,
            ..shop.products[number].clone()
        });
        let catalogue = shop.stocktake.catalogue();
        catalogue.put_products(&by, tracked.into()).await.unwrap();
        for (number, part) in parts.into_iter().enumerate() {
            let receipts: Vec<NewMovement> = SPELLINGS
                .map(|spelling| {
                    Movement::Receipt {
                        key: part(shop.key(number), code(spelling)),
                        quantity: 1.into(),
                        unit_cost: None,
                    }
                    .into()
                })
                .into();
            let stock = shop.stocktake.stock();
            stock.record(&by, shop.site.id, &receipts).await.unwrap();
            let key = part(shop.key(number), code("Café-0"));
            assert_eq!(shop.on_hand(&key).await.unwrap(), 9.into(), "{kind:?}");
        }
        // The second unit of one serial number is refused, however it is spelled.
        let unit = |spelling: &str| -> NewMovement {
            Movement::Receipt {
                key: shop.key(5).with_serial(code(spelling)),
                quantity: 1.into(),
                unit_cost: None,
            }
            .into()
        };
        let stock = shop.stocktake.stock();
        let twice = [unit("SN-1"), unit("\u{feff}SN-1 ")];
        let done = stock.record(&by, shop.site.id, &twice).await;
        assert_eq!(done.unwrap_err().code(), "serial_conflict", "{kind:?}");
    }
}

#[test]
fn fault_j_two_spellings_in_one_body_are_a_duplicate() {
    let cases = [
        (
            r#"{"store-1": {"SKU-0": 1, "SKU-0 ": 2}}"#,
            vec![("/store-1/SKU-0 ", "duplicate_key")],
        ),
        (
            r#"{"store-1": {"caf\u00e9": 1, "cafe\u0301": 2}}"#,
            vec![("/store-1/cafe\u{301}", "duplicate_key")],
        ),
        (
            r#"{"store-1": {}, "\ufeffstore-1": {"mug": 1}}"#,
            vec![("/\u{feff}store-1", "duplicate_key")],
        ),
        (
            r#"{"store-1": {"mug": {"red": 1, "red\u200b": 2, " red": 3}}}"#,
            vec![
                ("/store-1/mug/red\u{200b}", "duplicate_key"),
                ("/store-1/mug/ red", "duplicate_key"),
            ],
        ),
        (
            r#"{"store-1": {"\ufeff\u00a0": 1, "mug": {"\u00ad": 2}}}"#,
            vec![
                ("/store-1/\u{feff}\u{a0}", "invalid_name"),
                ("/store-1/mug/\u{ad}", "invalid_name"),
            ],
        ),
        (r#"{"store-1": {"mug": 1, "Mug": 2, "ｍｕｇ": 3}}"#, vec![]),
    ];
    for (body, expected) in cases {
        let read = read_import(
            body.as_bytes(),
            ImportLimits::default(),
            ImportNumbers::Quantities,
        );
        let mistakes = read.err().unwrap_or_default();
        let told: Vec<(&str, &str)> = mistakes
            .iter()
            .map(|mistake| (mistake.path.as_str(), mistake.code))
            .collect();
        assert_eq!(told, expected, "{body}");
    }
}

#[tokio::test]
async fn fault_j_a_new_article_that_is_spelled_like_a_known_one_is_told() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        let by = manager(&shop);
        let imports = shop.stocktake.stock_imports();
        let report = async |body: String| {
            let begun = imports.begin(&by, ImportMode::Absolute, body.as_bytes(), false);
            let id = begun.await.unwrap().import.id();
            shop.run_jobs().await.unwrap();
            let import = imports.get(&by, id).await.unwrap();
            assert_eq!(import.state(), StockImportState::Applied, "{kind:?}");
            import.report().clone()
        };
        let told = |report: &ImportReport| -> Vec<(String, String)> {
            let similar = report.similar.iter();
            similar
                .map(|it| (it.created.to_string(), it.known.to_string()))
                .collect()
        };
        let pair = |created: &str, known: &str| (created.to_owned(), known.to_owned());
        // One is known as it is, one is new, three look like known ones, and one like another of the same body.
        let body = r#"{"store-1": {"SKU-0": 1, "new": 2, "sku-1": 3, "ＳＫＵ－２": 4, "Sku-3": 5, "NEW": 6}}"#;
        let first = report(body.to_owned()).await;
        assert_eq!(
            told(&first),
            [
                pair("Sku-3", "SKU-3"),
                pair("new", "NEW"),
                pair("sku-1", "SKU-1"),
                pair("ＳＫＵ－２", "SKU-2"),
            ],
            "{kind:?}"
        );
        assert_eq!((first.created_total, first.similar_total), (5, 4));
        let created: Vec<&str> = first.created.iter().map(Code::as_str).collect();
        assert_eq!(created, ["NEW", "Sku-3", "new", "sku-1", "ＳＫＵ－２"]);
        // By now all of them are known.
        let again = report(body.to_owned()).await;
        assert_eq!((again.created_total, again.similar_total), (0, 0));
        // Over several chunks: the numbers are those of all, what is named are the first ones.
        let many: Vec<String> = (0..2_500).map(|n| format!("\"many-{n:04}\": 1")).collect();
        let body = format!("{{\"store-1\": {{{}}}}}", many.join(","));
        let lower = report(body.clone()).await;
        assert_eq!((lower.created_total, lower.similar_total), (2_500, 0));
        let upper = report(body.to_uppercase().replace("STORE", "store")).await;
        assert_eq!((upper.created_total, upper.similar_total), (2_500, 2_500));
        assert_eq!((upper.created.len(), upper.similar.len()), (100, 100));
        assert_eq!(told(&upper)[7], pair("MANY-0007", "many-0007"), "{kind:?}");
        // What is refused has created nothing.
        let body = br#"{"store-1": {"sku-4": 1, "SKU-0": -99}}"#;
        let begun = imports.begin(&by, ImportMode::Adjustment, body, false);
        assert_eq!(
            begun.await.unwrap_err().code(),
            "would_go_negative",
            "{kind:?}"
        );
        let told = report(r#"{"store-1": {"sku-4": 1}}"#.to_owned()).await;
        assert_eq!(told.created_total, 1, "{kind:?}");
    }
}

#[test]
fn fault_j_a_body_may_begin_with_a_byte_order_mark() {
    let limits = ImportLimits::default();
    let marked = "\u{feff} {\"store-1\": {\"SKU-0\": 7}}";
    let read = read_import(marked.as_bytes(), limits, ImportNumbers::Quantities).unwrap();
    assert_eq!(read.values.len(), 1);
    // One is a mark; a second one is not JSON. The place is told as it stands in what was sent.
    let twice = "\u{feff}\u{feff}{}";
    let mistakes = read_import(twice.as_bytes(), limits, ImportNumbers::Quantities).unwrap_err();
    assert!(mistakes[1].message.ends_with("at byte 3"), "{mistakes:?}");
}

#[test]
fn fault_j_what_is_left_of_a_code_must_be_something() {
    for nothing in [
        "",
        " ",
        "\u{a0}\t",
        "\u{feff}",
        "\u{200b} \u{200d}",
        "\u{ad}\u{3164}",
    ] {
        assert_eq!(Code::new(nothing), Err(TextError::Empty), "{nothing:?}");
        assert!(SearchText::new(nothing).is_err(), "{nothing:?}");
        assert!(PurchaseOrderNumber::new(nothing).is_err(), "{nothing:?}");
    }
    // What is cut off does not count, what is inside stays.
    let long = format!("\u{feff} {} \u{200b}", "x".repeat(128));
    assert_eq!(Code::new(long).unwrap().as_str(), "x".repeat(128));
    let inside = "A\u{a0}b  ß\u{ff11}ﬁ";
    assert_eq!(Code::new(inside).unwrap().as_str(), inside);
    // Labels are for people: they stay as they are.
    let label = " Cafe\u{301} \u{1F469}\u{200D}\u{1F52C}";
    assert_eq!(Label::new(label).unwrap().as_str(), label);
    // Requests and stored forms are read by the same rule.
    let read: Code = serde_json::from_str(r#""\ufeff SKU-0\u00a0""#).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), r#""SKU-0""#);
    assert!(serde_json::from_str::<Code>(r#""\u200b""#).is_err());
}

#[tokio::test]
async fn fault_j_a_search_finds_both_spellings() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let mut shop = shop_on(&store);
        for (number, name) in [
            "Café au lait",
            "CAFE\u{301} crème",
            "Cafe noir",
            "Soft\u{ad}café",
        ]
        .into_iter()
        .enumerate()
        {
            shop.products[number].name = name.parse().unwrap();
        }
        shop.open().await.unwrap();
        let (by, page) = (manager(&shop), all());
        let takes = shop.stocktake.stock_takes();
        let take = NewStockTake {
            site: shop.site.id,
            description: "everything".parse().unwrap(),
            movement_policy: stocktake::domain::MovementPolicy::default(),
        };
        let take = takes.create(&by, take).await.unwrap();
        shop.run_jobs().await.unwrap();
        for (text, expected) in [
            ("café", 3),
            ("cafe\u{301}", 3),
            ("\u{feff}CAFÉ ", 3),
            ("softcafé", 1),
            ("cafe", 1),
            ("crème", 1),
            ("cre\u{300}me", 1),
            ("Product", 6),
        ] {
            let text = Some(SearchText::new(text).unwrap());
            let filter = StockTakeItemFilter {
                name: text.clone(),
                ..StockTakeItemFilter::default()
            };
            let sort = ArticleSort::default();
            let found = takes.items(&by, take.id(), &filter, sort, &page);
            assert_eq!(rows(&found.await.unwrap()), expected, "{text:?} {kind:?}");
            let filter = ArticleFilter {
                name_or_barcode: text.clone(),
                ..ArticleFilter::default()
            };
            let found = takes.search_articles(&by, take.id(), &filter, sort, &page);
            assert_eq!(
                rows(&found.await.unwrap().page),
                expected,
                "{text:?} {kind:?}"
            );
        }
    }
}

/// Letters of many scripts, with accents that compose, and some that turn into others.
fn letters() -> impl Strategy<Value = String> {
    let near = proptest::sample::select(vec![
        "a", "A", "e", "\u{301}", "\u{327}", "\u{344}", "\u{345}", "\u{958}", "\u{1e9e}",
        "\u{130}", "\u{3a3}", "\u{3c2}", "\u{2126}", "\u{1100}", "\u{1161}", "\u{11a8}",
        "\u{ff21}", "\u{fb01}", "\u{149}", "\u{390}", "-", " ", "7", "\u{1f80}", "\u{2000}",
    ]);
    let any = any::<char>().prop_filter("a control character is refused", |c| !c.is_control());
    let piece = prop_oneof![4 => near.prop_map(str::to_owned), 1 => any.prop_map(String::from)];
    proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

/// What is put around and into a name without anybody seeing it.
fn decoration() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "\u{feff}", "\u{200b}", "\u{200d}", "\u{ad}", "\u{2060}", "\u{202e}", "\u{200f}",
        "\u{61c}", "\u{fe0f}",
    ])
}

/// What cleaning, folding or likening a second time would change, if anything.
fn changes_again(text: &str) -> Option<String> {
    if fold(&fold(text)) != fold(text) {
        return Some(format!("folded: {text:?}"));
    }
    let code = Code::new(text).ok()?;
    if Code::new(code.as_str()).as_ref() != Ok(&code) {
        return Some(format!("cleaned: {text:?}"));
    }
    if !SearchText::new(text).is_ok_and(|it| it.is_in(text)) {
        return Some(format!("not found in itself: {text:?}"));
    }
    // One letter may stand for a whole sentence, which is no code any more, or for nothing but white space.
    let likeness = code.likeness();
    let again = Code::new(&likeness).ok()?.likeness();
    (again != likeness).then(|| format!("likened: {text:?}, {likeness:?}, {again:?}"))
}

#[test]
fn every_letter_is_cleaned_at_once() {
    let changes = |c: &char| {
        let same =
            |mut of: Box<dyn Iterator<Item = char>>| of.next() == Some(*c) && of.next().is_none();
        let decomposed = std::iter::once(*c).nfkd();
        let cased = [
            Box::new(c.to_lowercase()) as Box<dyn Iterator<Item = char>>,
            Box::new(c.to_uppercase()),
        ];
        c.is_whitespace() || !same(Box::new(decomposed)) || !cased.into_iter().all(same)
    };
    let letters = ('\0'..=char::MAX)
        .filter(|c| !c.is_control())
        .filter(changes);
    let mut tried = 0;
    let spelled: Vec<String> = letters
        .inspect(|_| tried += 1)
        .flat_map(|c| {
            [
                format!("{c}"),
                format!("a{c}"),
                format!("{c}a"),
                format!("a{c}\u{301}"),
            ]
        })
        .filter_map(|text| changes_again(&text))
        .collect();
    assert!(tried > 15_000, "{tried} letters");
    assert!(
        spelled.is_empty(),
        "{} of them, first {:?}",
        spelled.len(),
        spelled.first()
    );
}

proptest! {
    #![proptest_config(certain(256))]

    #[test]
    fn cleaning_a_code_twice_is_cleaning_it_once(text in letters()) {
        prop_assert_eq!(changes_again(&text), None);
    }

    #[test]
    fn decorations_of_a_name_all_mean_the_same_key(
        text in letters(),
        inside in proptest::collection::vec((any::<prop::sample::Index>(), decoration()), 0..4),
        around in proptest::sample::select(vec!["", " ", "\u{a0}", "\u{3000}\r\n", "\t"]),
    ) {
        let plain = Code::new(&text);
        let mut letters: Vec<String> = text.chars().map(String::from).collect();
        for (place, mark) in inside {
            let place = place.index(letters.len());
            letters[place].push_str(mark);
        }
        let decorated = format!("{around}{}{around}", letters.concat());
        prop_assert_eq!(Code::new(decorated), plain);
    }
}
