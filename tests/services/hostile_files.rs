//! Files and prints of a shop in which nothing is as one would wish: codes that look like numbers, dates and formulas, names
//! from right to left, in letters that no font has, or as long as they may be, goods without a cost and below zero, and a
//! currency without a minor unit.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use stocktake::domain::{
    CountType, InventoryCountDetails, InventoryCountId, JobId, MovementPolicy, PostingOptions,
    Product, StockTakeId, StockTakeItemId, UnitCosts,
};
use stocktake::service::{
    Caller, CountRequest, Movement, NewCountItem, NewMovement, NewStockTake, Printed,
};
use stocktake::store::{
    CountSheetForm, ExportForm, ExportFormat, ExportStyle, InventoryCountItemFilter, LevelFilter,
    StockEventFilter, StockTakeItemFilter,
};
use stocktake::testing::{Shop, shop};

const CODES: [&str; 10] = [
    "1E10",
    "0017",
    "-12-5",
    "=cmd()",
    "+1",
    "@SUM(A1)",
    "12-5",
    "a,b;\"c\"",
    "TRUE",
    "\u{5e7}\u{5e4}\u{5d4}-1",
];

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

/// Names as no shop has them, but for what no font has.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "\u{5e7}\u{5e4}\u{5d4} \u{5e9}\u{5d7}\u{5d5}\u{5e8} (2 kg)",
        "\u{642}\u{647}\u{648}\u{629} \u{639}\u{631}\u{628}\u{64a}\u{629}",
        "=HYPERLINK(\"http://example.com\")",
        "1/2",
        "'quoted'",
        "cafe\u{301} \u{2014} \u{a3}5",
        "  - list",
        "gpj.exe",
    ]
    .map(|name| name.trim().to_owned())
    .into();
    names.extend(["W".repeat(255), "\u{5d0}".repeat(255)]);
    names
}

/// The shop in yen, with its products turned into these; half without a cost, one below zero. And a take of the time when
/// nothing was there.
async fn hostile() -> (Shop, StockTakeId) {
    let mut shop = shop();
    shop.site.currency = "jpy".parse().unwrap();
    shop.site.policy.allow_negative = true;
    shop.site.policy.allow_zero_cost = true;
    for ((product, code), name) in shop.products.iter_mut().zip(CODES).zip(names()) {
        product.article_id = code.parse().unwrap();
        product.name = name.parse().unwrap();
        product.unit_costs = UnitCosts::default();
    }
    shop.open_empty().await.unwrap();
    let empty = take(&shop).await;
    let movements: Vec<NewMovement> = (0..10)
        .map(|number| {
            let key = shop.key(number);
            match number {
                9 => Movement::Issue {
                    key,
                    quantity: "2.5".parse().unwrap(),
                }
                .into(),
                _ => Movement::Receipt {
                    key,
                    quantity: 40.into(),
                    unit_cost: (number % 2 == 0).then(|| "123.456789".parse().unwrap()),
                }
                .into(),
            }
        })
        .collect();
    let stock = shop.stocktake.stock();
    stock
        .record(&manager(&shop), shop.site.id, &movements)
        .await
        .unwrap();
    (shop, empty)
}

async fn take(shop: &Shop) -> StockTakeId {
    let new = NewStockTake {
        site: shop.site.id,
        description: "=1+1 \u{5e7}\u{5e4}\u{5d4}".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let takes = shop.stocktake.stock_takes();
    let take = takes.create(&manager(shop), new).await.unwrap();
    shop.run_jobs().await.unwrap();
    take.id()
}

async fn count(shop: &Shop, take: StockTakeId) {
    for (number, quantity) in [
        (0, "38"),
        (1, "0"),
        (2, "40.000001"),
        (3, "999999999"),
        (9, "0"),
    ] {
        let line = StockTakeItemId::for_key(take, &shop.key(number));
        let request = CountRequest::set(quantity.parse().unwrap());
        let takes = shop.stocktake.stock_takes();
        takes
            .count(&manager(shop), take, line, request)
            .await
            .unwrap();
    }
}

/// An inventory count of everything.
async fn counted(shop: &Shop) -> InventoryCountId {
    let counts = shop.stocktake.inventory_counts();
    let details = InventoryCountDetails {
        name: "@Spring".parse().unwrap(),
        kind: CountType::Spot,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let count = counts
        .start(&manager(shop), shop.site.id, details)
        .await
        .unwrap();
    for number in 0..CODES.len() {
        let item = NewCountItem {
            reason: Some("=broken".parse().unwrap()),
            ..NewCountItem::of(shop.key(number), 41.into())
        };
        counts
            .count(&manager(shop), count.id(), item)
            .await
            .unwrap();
    }
    count.id()
}

/// The jobs that write all lines that tell every article.
async fn asked(
    shop: &Shop,
    take: StockTakeId,
    count: InventoryCountId,
    form: ExportForm,
) -> [JobId; 4] {
    let (manager, site, exports) = (manager(shop), shop.site.id, shop.stocktake.exports());
    let lines = exports.stock_take(&manager, take, StockTakeItemFilter::default(), form);
    let counted = InventoryCountItemFilter::default();
    let counted = exports.inventory_count(&manager, count, counted, form);
    let levels = exports.stock_levels(&manager, site, LevelFilter::default(), form);
    let ledger = exports.stock_events(&manager, site, StockEventFilter::default(), form);
    [
        lines.await.unwrap(),
        counted.await.unwrap(),
        levels.await.unwrap(),
        ledger.await.unwrap(),
    ]
}

/// The cells of a file, as its field's readers have them.
fn cells(form: ExportForm, bytes: Vec<u8>) -> Vec<Vec<String>> {
    if form.format == ExportFormat::Csv {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).flexible(true).from_reader(bytes);
        let rows = reader.records().map(|row| row.unwrap());
        return rows
            .map(|row| row.iter().map(str::to_owned).collect())
            .collect();
    }
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    let formulas = book.worksheet_formula("Stock take");
    assert!(formulas.is_err() || formulas.unwrap().is_empty());
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let text = |cell: &Data| match cell {
        Data::Empty => String::new(),
        other => other.to_string(),
    };
    range
        .rows()
        .map(|row| row.iter().map(text).collect())
        .collect()
}

fn is_article(cell: &str) -> bool {
    cell == "article_id" || cell == "Article"
}

#[expect(clippy::ptr_arg, reason = "it is asked of rows")]
fn is_header(row: &Vec<String>) -> bool {
    row.iter().any(|cell| is_article(cell))
}

fn forms() -> impl Iterator<Item = ExportForm> {
    [ExportFormat::Csv, ExportFormat::Xlsx]
        .into_iter()
        .flat_map(|format| {
            [ExportStyle::Machines, ExportStyle::People].map(|style| ExportForm { format, style })
        })
}

#[tokio::test]
async fn every_file_keeps_what_is_in_it() {
    let (shop, empty) = hostile().await;
    let take = take(&shop).await;
    count(&shop, take).await;
    let counted = counted(&shop).await;
    for form in forms() {
        let nothing = (shop.stocktake.exports())
            .stock_take(&manager(&shop), empty, StockTakeItemFilter::default(), form)
            .await
            .unwrap();
        shop.run_jobs().await.unwrap();
        let file = shop
            .stocktake
            .exports()
            .file(&manager(&shop), nothing)
            .await;
        let rows = cells(form, file.unwrap().bytes.unwrap());
        let lines = rows.iter().skip_while(|row| !is_header(row)).skip(1);
        assert!(
            lines
                .flatten()
                .all(|it| it.is_empty() || it == "Total" || it == "0")
        );
        for job in asked(&shop, take, counted, form).await {
            shop.run_jobs().await.unwrap();
            let file = shop.stocktake.exports().file(&manager(&shop), job).await;
            let rows = cells(form, file.unwrap().bytes.unwrap());
            let header = rows.iter().position(is_header);
            let header = header.unwrap_or_else(|| panic!("{form:?}: {rows:?}"));
            let column = rows[header]
                .iter()
                .position(|cell| is_article(cell))
                .unwrap();
            let lines = rows.iter().skip(header + 1).take(CODES.len());
            let found: Vec<&str> = lines.map(|row| row[column].as_str()).collect();
            for code in CODES {
                // In a text file an apostrophe keeps a spreadsheet from taking it for something else.
                let shielded = format!("'{code}");
                let is_kept = |cell: &&str| *cell == code || *cell == shielded;
                assert!(found.iter().any(is_kept), "{form:?}: {code} in {found:?}");
                if form.format == ExportFormat::Xlsx {
                    assert!(found.contains(&code), "{form:?}: {code} in {found:?}");
                }
            }
        }
    }
}

/// What is printed has every code; letters that no font has are told, with the article that they stand in.
#[tokio::test]
async fn every_print_has_every_code_or_says_why_not() {
    let (shop, empty) = hostile().await;
    let take = take(&shop).await;
    count(&shop, take).await;
    let printing = shop.stocktake.printing();
    let sheet = CountSheetForm {
        expected: true,
        ..CountSheetForm::default()
    };
    for (take, codes) in [(empty, &[][..]), (take, &CODES[..9])] {
        let printed = printing
            .count_sheet(&manager(&shop), take, sheet, None)
            .await;
        let text = text(printed.unwrap());
        for code in codes {
            assert!(text.contains(code), "{code} in {text}");
        }
        let takes = shop.stocktake.stock_takes();
        takes
            .submit(&manager(&shop), take, PostingOptions::default())
            .await
            .unwrap();
        let printed = printing.receipt(&manager(&shop), take, None).await;
        let text = self::text(printed.unwrap());
        for code in codes {
            assert!(text.contains(code), "{code} in {text}");
        }
    }
    let tea = Product {
        name: "\u{62b9}\u{8336}".parse().unwrap(),
        ..shop.products[0].clone()
    };
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&manager(&shop), vec![tea])
        .await
        .unwrap();
    let take = self::take(&shop).await;
    let refused = printing
        .count_sheet(&manager(&shop), take, sheet, None)
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), "letters_missing");
    let told = refused.to_string();
    assert!(told.contains("U+62B9") && told.contains("1E10"), "{told}");
}

fn text(printed: Printed) -> String {
    let Printed::File(file) = printed else {
        panic!("it is printed at once");
    };
    pdf_extract::extract_text_from_mem(&file.bytes).unwrap()
}
