//! Whatever is printed, nothing lies over something else, leaves the page or gets lost.

use crate::certain::certain;
use proptest::prelude::*;
use stocktake::documents::pdf::{
    CountSheet, CountSheetOptions, OrderSheet, Paper, PrintError, PrintOptions, TakeReceipt,
};
use stocktake::domain::{Label, LineOutcome, LineProblem, PostingResult, Product, Unit, UnitId};
use stocktake::store::StockTakeItemView;

use super::drawn::{Drawn, read};
use super::samples::{
    barcode, line, order, ordered, posted, posted_line, product, site, stamp, take, take_called,
    text,
};

/// Nothing on a page lies over something else or leaves its margins.
fn check(pages: &[Drawn]) {
    for (number, page) in (1..).zip(pages) {
        let (left, right) = (34.0 - 0.5, page.width - 34.0 + 0.5);
        let (top, bottom) = (34.0 - 0.5, page.height - 34.0 + 0.5);
        // Marks that stand on other letters have no width of their own.
        let letters: Vec<_> = page
            .letters
            .iter()
            .filter(|letter| letter.place.width() > 0.3 && !letter.text.trim().is_empty())
            .collect();
        let areas: Vec<_> = page.codes.iter().flatten().chain(&page.rules).collect();
        for place in areas
            .iter()
            .copied()
            .chain(&page.grounds)
            .chain(letters.iter().map(|letter| &letter.place))
        {
            assert!(
                place.left > left
                    && place.right < right
                    && place.top > top
                    && place.bottom < bottom,
                "page {number}: {place:?} is beyond the margin"
            );
        }
        for (at, letter) in letters.iter().enumerate() {
            let size = letter.place.width() * letter.place.height();
            for area in &areas {
                assert!(
                    letter.place.shared(area) < 0.1 * size,
                    "page {number}: {letter:?} on {area:?}"
                );
            }
            for other in letters.iter().skip(at + 1) {
                let least = size.min(other.place.width() * other.place.height());
                assert!(
                    letter.place.shared(&other.place) < 0.35 * least,
                    "page {number}: {letter:?} on {other:?}"
                );
            }
        }
    }
}

fn options() -> Vec<CountSheetOptions> {
    let choices = [(false, false), (true, false), (false, true), (true, true)];
    choices
        .into_iter()
        .map(|(expected, by_place)| {
            let mut options = CountSheetOptions::default();
            options.expected = expected;
            options.by_place = by_place;
            options.print.paper = if by_place { Paper::Letter } else { Paper::A4 };
            options
        })
        .collect()
}

fn sheet(
    description: &str,
    lines: &[StockTakeItemView],
    options: &CountSheetOptions,
) -> Result<Vec<Drawn>, PrintError> {
    let site = site("gbp");
    let take = take_called(&site, description);
    let mut sheet = CountSheet::new(&take, &site, &stamp(), options)?;
    for line in lines {
        sheet.add(line)?;
    }
    Ok(read(&sheet.finish()?))
}

/// The checks above see what they are for.
#[test]
fn what_lies_over_something_is_seen() {
    let pages = sheet("January", &[widest_line(1)], &options()[2]).unwrap();
    assert!(pages.iter().any(|page| !page.grounds.is_empty()));
    let spoils: [fn(&mut Drawn); 4] = [
        |page| page.letters[3].place = page.letters[20].place,
        |page| page.rules[0] = page.letters[20].place,
        |page| page.codes[0][0] = page.letters[20].place,
        |page| page.letters[20].place.right = page.width,
    ];
    for spoil in spoils {
        let mut pages = sheet("January", &[widest_line(1)], &options()[2]).unwrap();
        spoil(&mut pages[0]);
        assert!(std::panic::catch_unwind(|| check(&pages)).is_err());
    }
}

#[test]
fn characters_that_nobody_sees_are_no_trouble() {
    for name in [
        "\u{200f}",
        "\u{200d}\u{301}",
        "\u{61c}a\u{200e}",
        "\u{fe0f}\u{feff}",
        "a\u{2028}b\u{3000}c",
    ] {
        let pages = sheet(
            name,
            &[line(1, product(1, "SKU-1", name), |_| {})],
            &options()[0],
        );
        check(&pages.unwrap());
    }
}

#[test]
fn a_text_without_end_is_refused_by_name() {
    let mut stamp = stamp();
    stamp.actor.user.first_name = "Ann ".repeat(100_000);
    let site = site("gbp");
    let made = CountSheet::new(&take(&site), &site, &stamp, &options()[0]);
    assert_eq!(
        made.unwrap_err().to_string(),
        "\"Printed\" does not fit on a page"
    );
}

/// The widest letters in every field, as many as it takes.
fn widest() -> Product {
    let wide = |count: usize| "W".repeat(count);
    let mut widest = product(1, &wide(128), &wide(255));
    widest.unit = Some(Unit {
        id: UnitId::new(uuid::Uuid::nil()),
        name: text(&wide(255)),
        external_id: None,
    });
    widest.barcodes = vec![barcode(&wide(128), "CODE128")];
    widest
}

fn widest_line(number: u64) -> StockTakeItemView {
    let wide = text::<stocktake::domain::Code>(&"W".repeat(128));
    let mut line = line(number, widest(), |key| {
        key.variant = Some(wide.clone());
        key.place = Some(wide.clone());
        key.batch = Some(wide.clone());
        key.serial = Some(wide.clone());
    });
    line.on_hand = Some("-999999999999.999999".parse().unwrap());
    line
}

#[test]
fn the_longest_texts_and_numbers_fit_and_none_is_lost() {
    for options in options() {
        let lines = [widest_line(1), widest_line(2)];
        let pages = sheet(&"W".repeat(255), &lines, &options).unwrap();
        check(&pages);
        let letters: String = pages.iter().map(Drawn::letters).collect();
        assert!(letters.contains(&"W".repeat(255 + 128)), "id and name");
        assert!(!options.expected || letters.contains("-999999999999.999999"));
    }
}

#[test]
fn receipts_and_orders_with_the_longest_texts_and_numbers_fit() {
    let site = site("kwd");
    let long = format!("-{}", "9".repeat(25));
    let result = PostingResult {
        adjusted: u64::MAX,
        adjustment_minor: i128::MIN / 4,
        standard_value: text(&long),
        fifo_value: text(&long),
        accounts: (0..40)
            .map(|account| (format!("{}{account}", "W".repeat(126)), text(&long)))
            .collect(),
        ..PostingResult::default()
    };
    let take = posted(&take(&site), result);
    let options = PrintOptions::default();
    let mut receipt = TakeReceipt::new(&take, &site, &stamp(), &options).unwrap();
    let unposted = LineOutcome::Unposted {
        problem: LineProblem::BelowZero {
            on_hand: text("999999999999.999999"),
            change: text("-999999999999.999999"),
        },
    };
    for (number, outcome) in (1..).zip([LineOutcome::Adjusted, unposted, LineOutcome::Uncounted]) {
        let before = widest_line(number);
        let counted = Some(("123456789012.123456", "1234.123456"));
        let line = posted_line(&before, &site, counted, "-1.000001", outcome);
        receipt.add(&line).unwrap();
    }
    receipt.add_names([(super::samples::ANN, "W".repeat(255))].into());
    check(&read(&receipt.finish().unwrap()));

    let number = "W".repeat(64);
    let empty = order(&site, Some(&number), &"W".repeat(255));
    let (order, item) = ordered(&empty, widest(), 1_000_000, 9_999_999_999);
    let mut sheet = OrderSheet::new(&order, &site, &stamp(), &PrintOptions::default()).unwrap();
    sheet.add(&item).unwrap();
    check(&read(&sheet.finish().unwrap()));
}

/// What a label may be: any characters that one takes, among them such as no font has, marks without a letter, and
/// letters from right to left.
fn label() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[A-Za-z0-9 .,/-]{1,40}",
        "[α-ωА-яäöüÅéčž]{1,40}",
        "[א-ת0-9 ]{1,20}",
        "[ا-ي0-9 ]{1,20}",
        "[a-z\u{301}\u{323}\u{20dd}]{1,20}",
        "[aא\u{200b}-\u{200f}\u{61c}\u{ad}\u{fe0f}\u{301}]{1,12}",
        "\\PC{1,20}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 1..6)
        .prop_map(|parts| parts.concat().chars().take(255).collect::<String>())
        .prop_filter("a label", |text| Label::new(text).is_ok())
}

proptest! {
    #![proptest_config(certain(48))]

    #[test]
    fn any_texts_give_pages_or_the_letters_that_are_lacking(
        description in label(),
        names in prop::collection::vec((label(), label()), 1..12),
        which in 0_usize..4,
    ) {
        let options = options().swap_remove(which);
        let lines: Vec<_> = (1_u32..)
            .zip(&names)
            .map(|(number, (name, unit))| {
                let mut product = product(number, "SKU-1", name);
                product.unit = Some(Unit { id: UnitId::new(uuid::Uuid::nil()), name: text(unit), external_id: None });
                line(number.into(), product, |_| {})
            })
            .collect();
        match sheet(&description, &lines, &options) {
            Ok(pages) => check(&pages),
            Err(PrintError::Letters { letters, .. }) => {
                let all = names.iter().flat_map(|(name, unit)| [name, unit]).chain([&description]);
                let all: String = all.map(String::as_str).collect();
                let composed = unicode_normalization::UnicodeNormalization::nfc(all.chars()).collect::<String>();
                prop_assert!(!letters.is_empty());
                for letter in letters {
                    prop_assert!(composed.contains(letter), "{letter:?}");
                }
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
