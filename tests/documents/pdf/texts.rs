//! What is written on the pages, read by a text extractor.

use stocktake::documents::pdf::{
    CountSheet, CountSheetOptions, LackingLetters, OrderSheet, PrintError, PrintOptions,
    PrintedPart, TakeReceipt,
};
use stocktake::domain::{Cause, LineOutcome, PostingResult, StockAdjustmentId};
use stocktake::store::StockTakeItemView;

use super::samples::{
    barcode, line, order, ordered, posted, posted_line, product, site, stamp, take, text,
};

/// The words of each page, with one space between them.
fn pages(pdf: &[u8]) -> Vec<String> {
    pdf_extract::extract_text_from_mem_by_pages(pdf)
        .unwrap()
        .iter()
        .map(|page| page.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn sheet(lines: &[StockTakeItemView], options: &CountSheetOptions) -> Result<Vec<u8>, PrintError> {
    let site = site("gbp");
    let mut sheet = CountSheet::new(&take(&site), &site, &stamp(), options)?;
    for line in lines {
        sheet.add(line)?;
    }
    sheet.finish()
}

#[test]
fn a_count_sheet_says_what_is_counted_and_never_what_is_expected_unless_asked() {
    let mut tea = product(1, "TEA-1", "Green tea");
    tea.barcodes = vec![barcode("4006381333931", "EAN13")];
    let lines = [line(1, tea, |key| {
        key.place = Some(text("A-01"));
        key.batch = Some(text("B77"));
    })];
    let blind = pages(&sheet(&lines, &CountSheetOptions::default()).unwrap());
    let mut options = CountSheetOptions::default();
    options.expected = true;
    let open = pages(&sheet(&lines, &options).unwrap());
    for page in [&blind[0], &open[0]] {
        for words in [
            "COUNT SHEET",
            "January 2026, whole shop",
            "High Street (store-1)",
            "Annual count",
            "2026-01-05 12:00 UTC by Ann Lee",
            "TEA-1",
            "Green tea",
            "Place A-01",
            "Batch B77",
            "4006381333931",
            "0190d5f0-3a2b-7c41-9e57-12ab34cd56ef",
            "Page 1 of 1",
            "pcs",
        ] {
            assert!(page.contains(words), "{words} is missing in {page}");
        }
    }
    assert!(
        !blind[0].contains("Expected") && !blind[0].contains(" 40 "),
        "{}",
        blind[0]
    );
    assert!(open[0].contains("Expected") && open[0].contains(" 40 "));
}

#[test]
fn letters_that_no_font_has_are_named() {
    let lines = [line(1, product(1, "TEA-1", "Tea 🍵 🍵 for you"), |_| {})];
    let error = sheet(&lines, &CountSheetOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no font has '🍵' (U+1F375) of article TEA-1"
    );
    assert!(matches!(
        error,
        PrintError::Letters { letters, of: PrintedPart::Article(id) } if letters == ['🍵'] && id == text("TEA-1")
    ));
}

/// Or they are replaced, where that is asked for: never by a box, and never without a word.
#[test]
fn letters_that_no_font_has_are_replaced_and_named_behind_the_lines() {
    let lines = [
        line(1, product(1, "TEA-1", "Tea 🍵 🍵 for you"), |_| {}),
        line(2, product(2, "TEA-2", "Green tea"), |_| {}),
        line(3, product(3, "TEA-3", "抹茶"), |_| {}),
    ];
    let mut options = CountSheetOptions::default();
    options.print.letters = LackingLetters::Replace;
    let page = pages(&sheet(&lines, &options).unwrap()).remove(0);
    for told in [
        "Tea ? ? for you",
        "Green tea",
        "letters that no font here has",
        "article TEA-1: U+1F375",
        "article TEA-3: U+62B9, U+8336",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    assert!(!page.contains("article TEA-2"), "{page}");
    let whole = sheet(&lines[1..2], &options).unwrap();
    assert_eq!(
        whole,
        sheet(&lines[1..2], &CountSheetOptions::default()).unwrap()
    );
}

#[test]
fn a_receipt_tells_lines_totals_and_people() {
    let site = site("gbp");
    let result = PostingResult {
        adjusted: 1,
        superseded: 1,
        adjustment_minor: -500,
        standard_value: text("1234.565"),
        fifo_value: text("1200.5"),
        accounts: [("1460".to_owned(), text("1200.5"))].into(),
        ..PostingResult::default()
    };
    let take = posted(&take(&site), result);
    let mut receipt = TakeReceipt::new(&take, &site, &stamp(), &PrintOptions::default()).unwrap();
    let tea = line(1, product(1, "TEA-1", "Green tea"), |_| {});
    let counted = posted_line(
        &tea,
        &site,
        Some(("38", "2.5")),
        "40",
        LineOutcome::Adjusted,
    );
    receipt.add(&counted).unwrap();
    let superseded = LineOutcome::Superseded {
        known_at: stamp().at,
        by: Cause::Adjustment(StockAdjustmentId::new(uuid::Uuid::nil())),
    };
    let mug = line(2, product(2, "MUG-1", "Mug"), |_| {});
    let late = posted_line(&mug, &site, Some(("7", "1")), "9", superseded);
    receipt.add(&late).unwrap();
    let page = pages(&receipt.finish().unwrap()).join(" ");
    for words in [
        "STOCK TAKE RECEIPT",
        "2026-01-05 13:00 UTC by Ann Lee",
        "-5.00",
        "1234.57",
        "1200.50",
        "1460",
        "Superseded: the stock was known later",
        "Counted by",
        "2 lines",
        // The ledger has other values where costs changed between counting and posting.
        "Adjustment at the costs when counted, GBP",
        "are those of the moment when it was counted",
        "The ledger has what each was posted at",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
}

#[test]
fn an_order_has_prices_in_the_digits_of_its_currency() {
    for (currency, price, sum) in [
        ("gbp", "19.99", "239.88"),
        ("jpy", "1999", "23988"),
        ("kwd", "1.999", "23.988"),
    ] {
        let site = site(currency);
        let empty = order(&site, Some("PO-7"), "Elemis");
        let (order, item) = ordered(&empty, product(1, "TEA-1", "Green tea"), 12, 1_999);
        let mut sheet = OrderSheet::new(&order, &site, &stamp(), &PrintOptions::default()).unwrap();
        sheet.add(&item).unwrap();
        let page = pages(&sheet.finish().unwrap()).join(" ");
        for words in [
            "PURCHASE ORDER",
            "PO-7",
            "Elemis",
            "orders@example.com",
            "TEA-1",
            price,
            sum,
        ] {
            assert!(page.contains(words), "{words} is missing in {page}");
        }
    }
}
