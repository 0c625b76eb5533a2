//! Barcodes, read back from the bars that are drawn.

use rxing::BarcodeFormat;
use rxing::helpers::detect_in_luma;
use stocktake::documents::pdf::{CountSheet, CountSheetOptions};
use stocktake::domain::Barcode;

use super::drawn::{Drawn, Place, read};
use super::samples::{barcode, line, product, site, stamp, take};

/// The pages of a blind sheet with a line for each article.
fn sheet(articles: &[(&str, Option<Barcode>)]) -> Vec<Drawn> {
    let site = site("gbp");
    let mut sheet =
        CountSheet::new(&take(&site), &site, &stamp(), &CountSheetOptions::default()).unwrap();
    for (number, (article, barcode)) in (1..).zip(articles) {
        let mut product = product(number, article, "Green tea");
        product.barcodes = barcode.iter().cloned().collect();
        sheet.add(&line(number.into(), product, |_| {})).unwrap();
    }
    read(&sheet.finish().unwrap())
}

/// What a scanner reads of a code as a printer of so many dots to the inch prints it: a dot is black where its middle is.
fn scan(bars: &[Place], dpi: f64) -> (String, BarcodeFormat) {
    const HEIGHT: u32 = 20;
    let dot = 72.0 / dpi;
    // Seven modules of white, the least quiet zone there is, of which a scanner must find the code.
    let module = bars.iter().map(Place::width).fold(f64::MAX, f64::min);
    let left = bars[0].left - 7.0 * module;
    let right = bars.last().unwrap().right + 7.0 * module;
    let row: Vec<u8> = (0_u32..10_000)
        .map(|number| left + (f64::from(number) + 0.5) * dot)
        .take_while(|middle| *middle < right)
        .map(|middle| {
            let black = bars
                .iter()
                .any(|bar| (bar.left..bar.right).contains(&middle));
            if black { 0 } else { 255 }
        })
        .collect();
    let picture = row.repeat(HEIGHT.try_into().unwrap());
    let read = detect_in_luma(picture, row.len().try_into().unwrap(), HEIGHT, None)
        .unwrap_or_else(|error| panic!("not read at {dpi} dpi: {error:?}"));
    (read.getText().to_owned(), *read.getBarcodeFormat())
}

#[test]
fn every_symbology_is_read_back_at_300_and_203_dpi() {
    let cases = [
        ("4006381333931", "EAN13", BarcodeFormat::EAN_13),
        ("9781234567897", "ISBN", BarcodeFormat::EAN_13),
        ("96385074", "EAN-8", BarcodeFormat::EAN_8),
        ("036000291452", "UPC_A", BarcodeFormat::UPC_A),
        ("4006381333931", "Code 128", BarcodeFormat::CODE_128),
        ("4006381333932", "EAN13", BarcodeFormat::CODE_128),
        ("A", "CODE128", BarcodeFormat::CODE_128),
        ("7", "CODE128", BarcodeFormat::CODE_128),
        ("12345", "CODE128", BarcodeFormat::CODE_128),
        ("1234567", "CODE128", BarcodeFormat::CODE_128),
        ("AB12345678CD", "CODE128", BarcodeFormat::CODE_128),
        ("AB1234567CD", "CODE128", BarcodeFormat::CODE_128),
        ("ABC12345", "CODE128", BarcodeFormat::CODE_128),
        ("0012-34 5", "CODE128", BarcodeFormat::CODE_128),
        (r##"a!"#$%&'()*+,-./"##, "CODE128", BarcodeFormat::CODE_128),
        (r":;<=>?@[\]^_`{|}~", "CODE128", BarcodeFormat::CODE_128),
        (
            "(01)04006381333931(10)B77",
            "CODE128",
            BarcodeFormat::CODE_128,
        ),
        (
            "LONG-CODE-1234567890-ABCDEFGHIJ-and-more",
            "CODE128",
            BarcodeFormat::CODE_128,
        ),
    ];
    let articles: Vec<_> = cases
        .iter()
        .map(|(value, symbology, _)| ("SKU-1", Some(barcode(value, symbology))))
        .collect();
    let pages = sheet(&articles);
    let codes: Vec<_> = pages.iter().flat_map(|page| &page.codes).collect();
    let (take, codes) = codes.split_first().unwrap();
    let id = "0190d5f0-3a2b-7c41-9e57-12ab34cd56ef";
    assert_eq!(codes.len(), cases.len());
    for dpi in [300.0, 203.0, 600.0] {
        assert_eq!(scan(take, dpi), (id.to_owned(), BarcodeFormat::CODE_128));
        for (bars, (value, _, format)) in codes.iter().zip(cases) {
            assert_eq!(scan(bars, dpi), (value.to_owned(), format), "at {dpi} dpi");
        }
    }
}

/// Whole dots at 300 dpi, 0.25 mm or more to a module, at least 7 mm high, and white where it must be.
#[test]
fn bars_are_whole_dots_wide_high_enough_and_stand_free() {
    let pages = sheet(&[
        ("SKU-1", Some(barcode("4006381333931", "EAN13"))),
        ("SKU-2", Some(barcode("96385074", "EAN8"))),
        ("SKU-3", Some(barcode("036000291452", "UPCA"))),
        ("SKU-4", None),
        (
            "SKU-5",
            Some(barcode("LONG-CODE-1234567890-ABCDEFGHIJ", "CODE128")),
        ),
    ]);
    let page = &pages[0];
    let quiet = [
        (10.0, 10.0),
        (11.0, 7.0),
        (7.0, 7.0),
        (9.0, 9.0),
        (10.0, 10.0),
        (10.0, 10.0),
    ];
    let codes = &page.codes;
    assert_eq!(codes.len(), quiet.len());
    for (bars, (before, after)) in codes.iter().zip(quiet) {
        let module = bars.iter().map(Place::width).fold(f64::MAX, f64::min);
        for bar in bars {
            for edge in [bar.left, bar.right] {
                let dots = edge / 0.24;
                assert!((dots - dots.round()).abs() < 0.02, "{edge} is no whole dot");
            }
            assert!(bar.height() > 19.8);
        }
        assert!(module > 0.71, "{module}");
        let zone = Place {
            left: bars[0].left - before * module,
            right: bars.last().unwrap().right + after * module,
            top: bars[0].top,
            bottom: bars[0].bottom,
        };
        let others = page.codes.iter().filter(|it| *it != bars).flatten();
        let others = others.chain(&page.rules).chain(&page.grounds);
        let letters = page.letters.iter().map(|letter| &letter.place);
        for mark in others.chain(letters) {
            assert!(mark.shared(&zone) < 0.01, "{mark:?} in {zone:?}");
        }
    }
}

#[test]
fn what_no_bars_can_say_is_printed_as_text() {
    let long = "W".repeat(128);
    let pages = sheet(&[
        ("SKU-1", Some(barcode("Ünïcode-99", "CODE128"))),
        ("SKU-2", Some(barcode(&long, "CODE128"))),
    ]);
    assert_eq!(pages[0].codes.len(), 1, "that of the take");
    let letters = pages[0].letters();
    assert!(letters.contains("Ünïcode-99") && letters.contains(&long));
}
