//! The page: what stands where.

use chrono::{FixedOffset, SecondsFormat};

use crate::domain::{Currency, Timestamp};

use super::VarianceReport;
use super::amount::{Figure, Pieces, percent};
use super::chart::{self, Bar, Scale};
use super::markup::Markup;
use super::sections;
use super::table::{Cell, Column, Table, number};
use super::tally::Tally;

/// The style of the page. It is all that the page has beside its texts and drawings.
const STYLE: &str = include_str!("style.css");

/// What a browser may do with a report's page, to be sent as its `Content-Security-Policy`: nothing but to show it in its
/// own style, which is named by its digest. The page carries the same, for whoever opens it as a file.
pub const VARIANCE_REPORT_POLICY: &str = "default-src 'none'; style-src 'sha256-ZGdEFQqLkNU9DcfKr+/W5QbqUSppZj8kd0r1yS2FgtM='; base-uri 'none'; form-action 'none'";

/// Makes the page.
pub(super) fn of(report: &VarianceReport) -> String {
    let mut page = Markup::new();
    let heading = &report.heading;
    let title = format!("{} \u{2013} variance report", heading.name);
    page.within("html", &[("lang", "en")], |page| {
        page.within("head", &[], |page| {
            page.void("meta", &[("charset", "utf-8")]);
            let policy = [
                ("http-equiv", "Content-Security-Policy"),
                ("content", VARIANCE_REPORT_POLICY),
            ];
            page.void("meta", &policy);
            let view = [
                ("name", "viewport"),
                ("content", "width=device-width, initial-scale=1"),
            ];
            page.void("meta", &view);
            page.void(
                "meta",
                &[("name", "color-scheme"), ("content", "light dark")],
            );
            page.leaf("title", &[], &title);
            page.style(STYLE);
        });
        page.within("body", &[], |page| {
            chart::patterns(page);
            head(page, report);
            page.within("main", &[], |page| {
                in_short(page, report);
                sections::worst(page, report);
                sections::by_group(page, report);
                sections::expected_and_counted(page, report);
                sections::progress(page, report);
                sections::left_out(page, report);
            });
            foot(page, report);
        });
    });
    page.into_page()
}

/// A moment as people read it.
pub(super) fn moment(at: Timestamp, offset: FixedOffset) -> String {
    let local = at.to_datetime().with_timezone(&offset);
    local.format("%-d %b %Y, %H:%M").to_string()
}

/// The time in which a report is told.
fn zone(offset: FixedOffset) -> String {
    if offset.local_minus_utc() == 0 {
        "UTC".to_owned()
    } else {
        format!("UTC{offset}")
    }
}

/// A moment for people and machines.
fn time(page: &mut Markup, at: Timestamp, offset: FixedOffset) {
    let local = at.to_datetime().with_timezone(&offset);
    let exact = local.to_rfc3339_opts(SecondsFormat::Secs, true);
    page.leaf("time", &[("datetime", &exact)], &moment(at, offset));
}

/// The name of a currency as it is printed.
pub(super) fn code(currency: Currency) -> String {
    currency.to_string().to_uppercase()
}

fn head(page: &mut Markup, report: &VarianceReport) {
    let (heading, offset) = (&report.heading, report.options.offset);
    page.within("header", &[], |page| {
        page.within("p", &[("class", "kind")], |page| {
            page.text("Variance report \u{b7} ");
            page.text(heading.kind);
        });
        page.within("h1", &[], |page| page.words(&heading.name));
        if let Some(about) = &heading.about {
            page.within("p", &[("class", "about")], |page| page.words(about));
        }
        page.within("dl", &[("class", "facts")], |page| {
            fact(page, "Site", |page| page.words(&heading.site));
            fact(page, "State", |page| {
                page.leaf("strong", &[], heading.state);
            });
            for (what, at, by) in &heading.happened {
                fact(page, what, |page| {
                    time(page, *at, offset);
                    if let Some(user) = by {
                        page.text(" by ");
                        page.words(&report.name_of(*user));
                    }
                });
            }
            fact(page, "Report made", |page| {
                time(page, report.made_at, offset);
            });
            fact(page, "Times, amounts", |page| {
                page.text(&format!("{}, {}", zone(offset), code(heading.currency)));
            });
        });
        if let Some(warning) = &heading.warning {
            page.leaf("p", &[("class", "warning")], warning);
        }
    });
}

fn fact(page: &mut Markup, name: &str, value: impl FnOnce(&mut Markup)) {
    page.within("div", &[], |page| {
        page.leaf("dt", &[], name);
        page.within("dd", &[], value);
    });
}

/// A headline figure, and what it is made of.
struct Tile {
    name: &'static str,
    figure: String,
    exact: Option<String>,
    about: String,
}

impl Tile {
    fn share(name: &'static str, share: Option<String>, about: String) -> Self {
        Self {
            name,
            figure: share.unwrap_or_else(|| "\u{2013}".to_owned()),
            exact: None,
            about,
        }
    }

    fn amount(name: &'static str, figure: Figure, about: String) -> Self {
        Self {
            name,
            figure: figure.shown,
            exact: Some(figure.exact),
            about,
        }
    }
}

/// The figures that are read first.
fn in_short(page: &mut Markup, report: &VarianceReport) {
    let (all, currency) = (&report.all, report.heading.currency);
    page.within("section", &[("aria-labelledby", "in-short")], |page| {
        page.leaf("h2", &[("id", "in-short")], "In short");
        page.leaf("p", &[("class", "sentence")], &sentence(all, currency));
        page.within("dl", &[("class", "tiles")], |page| {
            for tile in tiles(report) {
                page.within("div", &[], |page| {
                    page.leaf("dt", &[], tile.name);
                    page.within("dd", &[("class", "figure")], |page| match &tile.exact {
                        Some(exact) => page.leaf("data", &[("value", exact)], &tile.figure),
                        None => page.text(&tile.figure),
                    });
                    page.leaf("dd", &[("class", "about")], &tile.about);
                });
            }
        });
        if all.off() > 0 {
            both_sides(page, all, currency);
        }
        balance_table(all, currency).write(page);
        if all.uncosted > 0 {
            let lines = lines(all.uncosted);
            let told = format!("{lines} with a variance have no known cost: in all values here they count as nothing.");
            page.leaf("p", &[("class", "note")], &told);
        }
    });
}

/// `1 line`, `2 lines`.
pub(super) fn lines(number: u64) -> String {
    let things = if number == 1 { "line" } else { "lines" };
    format!("{} {things}", Figure::number(number).shown)
}

/// What came of it, in a sentence.
fn sentence(all: &Tally, currency: Currency) -> String {
    if all.compared == 0 {
        return "No line has been counted and compared with the book yet.".to_owned();
    }
    let counted = format!("Of {}, {} counted.", lines(all.lines), were(all.counted));
    let compared = match all.counted.saturating_sub(all.compared) {
        0 => "Compared with the book,".to_owned(),
        out => format!("{} left out; of the others", were(out)),
    };
    let right = format!("{counted} {compared} {} right", are(all.right()));
    if all.off() == 0 {
        return format!("{right} and none is off.");
    }
    let money = |minor| {
        format!(
            "{} {}",
            code(currency),
            Figure::money(minor, currency).shown
        )
    };
    format!(
        "{right} and {} off: {} is missing, {} is too much.",
        are(all.off()),
        money(all.missing_minor),
        money(all.excess_minor)
    )
}

fn are(number: u64) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", Figure::number(number).shown)
}

fn were(number: u64) -> String {
    let verb = if number == 1 { "was" } else { "were" };
    format!("{} {verb}", Figure::number(number).shown)
}

fn tiles(report: &VarianceReport) -> Vec<Tile> {
    let (all, currency) = (&report.all, report.heading.currency);
    let count = |number: u64| Figure::number(number).shown;
    let book = all.book.to_money(currency).minor();
    let of_book = |minor: i128| {
        let share = percent(minor.saturating_abs(), book);
        share.map_or_else(
            || "the book value of what was counted is nothing".to_owned(),
            |share| format!("{share} of the book value of what was counted"),
        )
    };
    let gross = all.gross().millionths();
    let expected = all.expected.millionths();
    let accurate = (all.compared > 0).then(|| expected.saturating_sub(gross).max(0));
    let by_quantity = accurate.and_then(|accurate| percent(accurate, expected));
    let mut tiles = vec![
        Tile::amount(
            "Net variance",
            Figure::money_off(all.net_minor(), currency),
            of_book(all.net_minor()),
        ),
        Tile::amount(
            "Gross variance",
            Figure::money(all.gross_minor(), currency),
            of_book(all.gross_minor()),
        ),
        Tile::share(
            "Accuracy by lines",
            percent(all.right().into(), all.compared.into()),
            format!(
                "{} of {} are right",
                count(all.right()),
                lines(all.compared)
            ),
        ),
        Tile::share(
            "Accuracy by quantity",
            by_quantity,
            format!(
                "off by {} of {} expected, missing and too much together",
                Figure::quantity(all.gross()).shown,
                Figure::quantity(all.expected).shown
            ),
        ),
        Tile::share(
            "Lines counted",
            percent(all.counted.into(), all.lines.into()),
            format!("{} of {}", count(all.counted), lines(all.lines)),
        ),
    ];
    let amount = |minor| Figure::money(minor, currency);
    tiles.push(match report.heading.worth {
        Some((standard, fifo)) => Tile::amount(
            "Stock value after posting",
            amount(fifo.to_money(currency).minor()),
            format!(
                "first in, first out; {} at standard cost",
                amount(standard.to_money(currency).minor()).shown
            ),
        ),
        None => Tile::amount(
            "Book value",
            amount(book),
            "of what was counted, before it was counted".to_owned(),
        ),
    });
    tiles
}

/// What is missing against what is too much.
fn both_sides(page: &mut Markup, all: &Tally, currency: Currency) {
    let money = |minor| Figure::money(minor, currency).shown;
    let (missing, excess) = (all.missing_minor, all.excess_minor);
    let net = Figure::money_off(all.net_minor(), currency).shown;
    let title = format!(
        "{} missing against {} too much, net {net}",
        money(missing),
        money(excess),
    );
    page.within("div", &[("class", "sides")], |page| {
        page.leaf("p", &[], &format!("\u{25c0} {} missing", money(missing)));
        page.leaf("p", &[], &format!("net {net}"));
        page.leaf("p", &[], &format!("{} too much \u{25b6}", money(excess)));
        let scale = Scale::default().with(missing, excess);
        let bar = Bar::Balance {
            missing,
            excess,
            scale,
        };
        page.within("div", &[("class", "drawing")], |page| {
            chart::bar(page, &bar, &title, 28);
        });
    });
}

/// Missing, too much, net and gross, by lines, quantity and value.
fn balance_table(all: &Tally, currency: Currency) -> Table {
    let row = |name: &str, lines: u64, quantity: Pieces, minor: i128, is_difference: bool| {
        let (quantity, value) = if is_difference {
            (
                Figure::quantity_off(quantity),
                Figure::money_off(minor, currency),
            )
        } else {
            (Figure::quantity(quantity), Figure::money(minor, currency))
        };
        vec![
            Cell::Text(name.to_owned()),
            Cell::Number(Figure::number(lines)),
            Cell::Number(quantity),
            Cell::Number(value),
        ]
    };
    let nothing = Pieces::default();
    let less = nothing.minus(all.missing);
    Table {
        caption: "Missing and too much, never netted against each other".to_owned(),
        columns: vec![
            Column::text("Variance"),
            Column::number("Lines"),
            Column::number("Quantity"),
            Column::number(format!("Value, {}", code(currency))),
        ],
        rows: vec![
            row(
                "Missing",
                all.short,
                less,
                all.missing_minor.saturating_neg(),
                true,
            ),
            row("Too much", all.over, all.excess, all.excess_minor, true),
            row(
                "Net (both, with their signs)",
                all.off(),
                all.net(),
                all.net_minor(),
                true,
            ),
            row(
                "Gross (both, without signs)",
                all.off(),
                all.gross(),
                all.gross_minor(),
                false,
            ),
        ],
        foot: None,
    }
}

fn foot(page: &mut Markup, report: &VarianceReport) {
    let told = [
        "A line is compared when it was counted and its count stands: superseded lines, and those that could not be posted, are in no accuracy and in no sum of variances.",
        "Expected is what the book said when the line was counted, with what was recorded later but had happened by then. A variance is counted less expected; its value is variance times unit cost, rounded once to the minor unit.",
        "Unit costs and values of variances are those of the moment of counting. What is posted goes into the ledger at the costs of the moment of posting, which differ where goods came or went, or costs changed, in between.",
        "Accuracy by quantity is what was expected less everything missing or too much, as a share of what was expected; below zero it is shown as zero. Quantities are added as they are, whatever their units.",
    ];
    page.within("footer", &[], |page| {
        page.leaf("h2", &[], "How to read it");
        for text in told {
            page.leaf("p", &[], text);
        }
        if !report.heading.is_posted {
            page.leaf("p", &[], "The figures are those of the moment at which the report was made. What is counted, or posted, afterwards changes them.");
        }
        page.within("p", &[], |page| {
            number(page, &Figure::number(report.all.lines));
            page.text(" lines were read for this report.");
        });
    });
}
