//! The variance report: its figures against sums of our own, its texts against whoever writes them, its page against a
//! strict parser.

mod page;
mod samples;

use std::collections::BTreeMap;

use crate::certain::certain;
use base64::Engine as _;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use stocktake::documents::{ReportOptions, VARIANCE_REPORT_POLICY};
use stocktake::domain::{Cause, LineOutcome, LineProblem, Quantity, UnitCost, UserId};

use page::{Element, assert_tame, micros, minor, read};
use samples::{Given, HOUR, NOON, at, id, posted, report, report_of, site};

/// What lines come to, summed up here by the plainest rule.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    lines: [i128; 2],
    quantity: [i128; 2],
    minor: [i128; 2],
}

impl Sum {
    fn add(&mut self, given: &Given, digits: u32) {
        let Some(counted) = given.counted else { return };
        let off = i128::from(counted.micros()) - i128::from(given.book.micros());
        let cost = given.cost.map_or(0, |cost| i128::from(cost.micros()));
        // Millionths of millionths: half a minor unit away from zero.
        let unit = 10_i128.pow(12 - digits);
        let value = (off.abs() * cost + unit / 2) / unit;
        if off != 0 {
            let side = usize::from(off > 0);
            self.lines[side] += 1;
            self.quantity[side] += off.abs();
            self.minor[side] += value;
        }
    }
}

fn quantity() -> impl Strategy<Value = Quantity> {
    prop_oneof![
        3 => (0_i64..200).prop_map(|whole| Quantity::try_from(whole).unwrap()),
        1 => (0_i64..3_000_000).prop_map(|micros| Quantity::from_micros(micros).unwrap()),
    ]
}

fn name() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(vec!["Tea", "Mugs", "Candles"]).prop_map(str::to_owned))
}

prop_compose! {
    fn given()(
        category in name(), brand in name(), account in name(), book in quantity(),
        counted in prop::option::weighted(0.8, quantity()), is_right in prop::bool::weighted(0.4),
        cost in prop::option::weighted(0.9, 0_i64..20_000_000), counter in 1_usize..5, hours in 0_i64..200,
    ) -> Given {
        Given {
            name: "Tea".to_owned(),
            category, brand, account, book,
            counted: counted.map(|counted| if is_right { book } else { counted }),
            cost: cost.map(|micros| UnitCost::from_micros(micros).unwrap()),
            counter,
            after: hours * HOUR / 7,
        }
    }
}

/// Adds up the rows of a table of groups, and compares them with the row of all.
fn assert_adds_up(page: &Element, caption: &str, digits: usize) {
    let rows = page.rows(caption);
    let (all, rows) = rows.split_last().unwrap();
    assert_eq!(all[0].text(), "All");
    for column in 1..7 {
        let number = |cells: &Vec<&Element>| match column {
            1 | 2 => cells[column].exact().parse().unwrap(),
            _ => minor(&cells[column].exact(), digits),
        };
        // Each book value is rounded by itself.
        let near = if column == 3 { rows.len() as i128 } else { 0 };
        let sum: i128 = rows.iter().map(number).sum();
        assert!(
            (sum - number(all)).abs() <= near,
            "{caption}, column {column}"
        );
    }
}

proptest! {
    #![proptest_config(certain(32))]

    #[test]
    fn figures_are_the_sums_of_the_lines(
        given in prop::collection::vec(given(), 0..60),
        (currency, digits) in prop::sample::select(vec![("gbp", 2_usize), ("jpy", 0), ("kwd", 3)]),
    ) {
        let page = report(&given, currency);
        prop_assert_eq!(&page, &report(&given, currency), "the same lines give the same page");
        let page = read(&page);
        assert_tame(&page);
        let mut sum = Sum::default();
        for given in &given {
            sum.add(given, u32::try_from(digits).unwrap());
        }
        let rows = page.rows("Missing and too much, never netted");
        let told: Vec<(i128, i128, i128)> = rows.iter().map(|cells| (
            cells[1].exact().parse().unwrap(), micros(&cells[2].exact()), minor(&cells[3].exact(), digits),
        )).collect();
        let both = sum.lines[0] + sum.lines[1];
        prop_assert_eq!(told, [
            (sum.lines[0], -sum.quantity[0], -sum.minor[0]),
            (sum.lines[1], sum.quantity[1], sum.minor[1]),
            (both, sum.quantity[1] - sum.quantity[0], sum.minor[1] - sum.minor[0]),
            (both, sum.quantity[1] + sum.quantity[0], sum.minor[1] + sum.minor[0]),
        ]);
        for (what, is_there) in [
            ("Value by category", given.iter().any(|it| it.category.is_some())),
            ("Value by brand", given.iter().any(|it| it.brand.is_some())),
            ("Value by account", given.iter().any(|it| it.account.is_some())),
        ] {
            if is_there {
                assert_adds_up(&page, what, digits);
            }
        }
        let counted = given.iter().filter(|it| it.counted.is_some()).count();
        if counted > 0 {
            let off = page.rows("How far off lines are");
            let lines: usize = off.iter().map(|cells| cells[1].exact().parse::<usize>().unwrap()).sum();
            prop_assert_eq!(lines, counted);
            let hours = page.rows("Lines counted in each");
            let so_far = hours.last().unwrap()[3].exact();
            prop_assert_eq!(so_far, counted.to_string());
            let counters = page.rows("By counter");
            let lines: usize = counters.iter().map(|cells| cells[1].exact().parse::<usize>().unwrap()).sum();
            prop_assert_eq!(lines, counted);
        }
        if sum.minor != [0, 0] {
            let mut values: Vec<i128> = given.iter().enumerate().map(|(number, it)| {
                i128::from(it.line(number, currency.parse().unwrap()).item.adjustment_minor())
            }).filter(|minor| *minor != 0).collect();
            values.sort_by_key(|minor| -minor.abs());
            values.truncate(20);
            let worst = page.rows("By value: the worst");
            let told: Vec<i128> = worst.iter().map(|cells| minor(&cells[5].exact(), digits).abs()).collect();
            prop_assert_eq!(told, values.iter().map(|minor| minor.abs()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn whatever_people_write_stays_a_text(
        counter in any::<String>(),
        words in prop::collection::vec(prop::sample::select(vec![
            "<script>", "</script>", "</style>", "<!--", "]]>", "\"", "'", "&", "&lt;", "`", "onload=", "{{", "\u{200f}",
            "é", "𝕏", "a", " ", "=", "/>", "\u{5d0}", "javascript:", "<svg/onload=alert(1)>", "\u{fffe}", "\u{feff}",
        ]), 1..12),
    ) {
        let words: String = words.concat();
        prop_assume!(!words.trim().is_empty());
        let given = Given {
            name: words.clone(), category: Some(words.clone()), brand: Some(words.clone()),
            account: Some(format!("x{words}")), ..Given::of("40", "38", "2.50")
        };
        let site = site("gbp", &words);
        let line = given.line(0, site.currency);
        let mut report = report_of(&[line], &site, &words, &ReportOptions::default());
        let user = UserId::new(id(9, 1));
        prop_assert_eq!(report.unnamed(), [user].into());
        report.add_names([(user, counter.clone())].into());
        prop_assert_eq!(report.unnamed(), [].into());
        let page = read(&report.finish());
        assert_tame(&page);
        prop_assert_eq!(page.all("style").len(), 1);
        let shown = |text: &str| text.replace('\u{fffe}', "\u{fffd}").trim().to_owned();
        prop_assert_eq!(page.all("h1")[0].text(), shown(&words));
        prop_assert_eq!(page.rows("Value by category")[0][0].text(), shown(&words));
        let name = page.rows("By counter")[0][0].text();
        let deceptive = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        prop_assert!(!name.contains(deceptive));
        let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        prop_assert_eq!(plain(&name), plain(&counter));
    }
}

#[test]
fn accuracy_never_hides_what_is_off() {
    let given = [
        Given::of("40", "38", "2.50"),
        Given::of("10", "12", "2.50"),
        Given::of("50", "50", "1"),
        Given::uncounted("7", "3"),
    ];
    let page = read(&report(&given, "gbp"));
    let tiles: BTreeMap<String, String> = page
        .all("dl")
        .into_iter()
        .find(|list| list.attribute("class") == "tiles")
        .unwrap()
        .all("div")
        .into_iter()
        .map(|tile| (tile.all("dt")[0].text(), tile.all("dd")[0].text()))
        .collect();
    let told = |name: &str| tiles[name].as_str();
    assert_eq!(told("Net variance"), "0.00");
    assert_eq!(told("Gross variance"), "10.00");
    assert_eq!(told("Accuracy by lines"), "33.3 %");
    assert_eq!(told("Accuracy by quantity"), "96.0 %");
    assert_eq!(told("Lines counted"), "75.0 %");
    assert_eq!(told("Book value"), "175.00");
}

#[test]
fn a_report_of_nothing_is_a_page() {
    for given in [&[][..], &[Given::uncounted("7", "3")]] {
        let page = read(&report(given, "gbp"));
        assert_tame(&page);
        assert!(
            page.text()
                .contains("No line has been counted and compared with the book yet.")
        );
        let told = "values of variances are those of the moment of counting";
        assert!(page.text().contains(told));
    }
}

#[test]
fn the_largest_numbers_are_exact() {
    let most = Given {
        cost: Some(UnitCost::from_micros(50_000 * 1_000_000).unwrap()),
        ..Given::of("0", "1000000000000", "0")
    };
    let page = read(&report(&[most.clone(), most], "gbp"));
    let rows = page.rows("Missing and too much, never netted");
    assert_eq!(rows[1][2].exact(), "2000000000000");
    assert_eq!(rows[1][3].exact(), "100000000000000000.00");
    assert_eq!(rows[1][3].text(), "+100,000,000,000,000,000.00");
}

#[test]
fn a_page_grows_with_what_it_shows_and_not_with_its_lines() {
    let given = |number: usize| Given {
        category: Some(format!("Category {number}")),
        brand: Some(format!("Brand {number}")),
        counter: number + 1,
        after: i64::try_from(number).unwrap() * HOUR,
        ..Given::of(
            "40",
            if number.is_multiple_of(2) { "38" } else { "39" },
            "2.50",
        )
    };
    let few = report(&(0..100).map(given).collect::<Vec<_>>(), "gbp");
    let many = report(&(0..5_000).map(given).collect::<Vec<_>>(), "gbp");
    assert!(
        many.len() < few.len() * 5 / 4,
        "{} and {}",
        few.len(),
        many.len()
    );
    let many = read(&many);
    let categories = many.rows("Value by category");
    assert_eq!(categories.len(), 14);
    assert_eq!(categories[12][0].text(), "All other categories");
    assert_adds_up(&many, "Value by category", 2);
    let few = read(&few);
    assert_eq!(
        few.rows("Value by category")[12][0].text(),
        "88 other categories"
    );
    assert_adds_up(&few, "Value by category", 2);
}

#[test]
fn what_adjusts_nothing_is_told_and_in_no_figure() {
    let off = Given::of("40", "30", "2.50");
    let site = site("gbp", "High Street");
    let superseded = LineOutcome::Superseded {
        known_at: at(NOON + HOUR),
        by: Cause::Policy,
    };
    let unposted = LineOutcome::Unposted {
        problem: LineProblem::CostUnknown,
    };
    let lines = [
        posted(&off, 0, LineOutcome::Adjusted),
        posted(&off, 1, superseded),
        posted(&off, 2, unposted),
        posted(&off, 3, LineOutcome::Dismissed),
        posted(&Given::uncounted("7", "3"), 4, LineOutcome::Uncounted),
    ];
    let report = report_of(&lines, &site, "January", &ReportOptions::default());
    let page = read(&report.finish());
    let rows = page.rows("Missing and too much, never netted");
    assert_eq!(rows[0][1].exact(), "1");
    assert_eq!(rows[0][3].exact(), "-25.00");
    let titles: Vec<String> = page.all("h3").iter().map(|it| it.text()).collect();
    for title in [
        "Superseded: 1 line",
        "Not posted yet: 1 line",
        "Dismissed: 1 line",
        "Not counted: 1 line",
    ] {
        assert!(titles.contains(&title.to_owned()), "{titles:?}");
    }
    let text = page.text();
    assert!(text.contains("Known 5 Jan 2026, 13:00 by a change of policy"));
    assert!(text.contains("No cost is known for what was found"));
}

#[test]
fn times_are_told_in_the_asked_for_time() {
    let site = site("gbp", "High Street");
    let line = Given::of("40", "38", "2.50").line(0, site.currency);
    let east = chrono::FixedOffset::east_opt(5 * 3_600 + 1_800).unwrap();
    for (options, noon, zone) in [
        (ReportOptions::default(), "5 Jan 2026, 12:00", "UTC"),
        (
            ReportOptions::default().told_in(east),
            "5 Jan 2026, 17:30",
            "UTC+05:30",
        ),
    ] {
        let line = std::slice::from_ref(&line);
        let page = read(&report_of(line, &site, "January", &options).finish());
        assert_eq!(page.all("time")[0].text(), noon);
        let facts = page.all("dd");
        assert!(
            facts
                .iter()
                .any(|fact| fact.text() == format!("{zone}, GBP"))
        );
    }
}

/// Whoever edits the style writes the new digest into the policy: the message of this test has it.
#[test]
fn the_policy_names_the_style_of_the_page() {
    let page = report(&[], "gbp");
    let (_, rest) = page.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    assert!(
        VARIANCE_REPORT_POLICY.contains(&format!("'sha256-{digest}'")),
        "sha256-{digest}"
    );
    for outside in [
        "http:", "https:", "//", "@import", "url(http", "<script", "src=", "href=",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}
