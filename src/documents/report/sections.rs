//! The parts of the page below its headline.

use crate::domain::{Currency, UserId};

use super::VarianceReport;
use super::amount::{Figure, percent};
use super::chart::{self, Bar, Label, Scale};
use super::groups::{Groups, Whose};
use super::left_out::{Kind, Why};
use super::markup::Markup;
use super::page::{code, lines, moment};
use super::ranking::{Ranking, Shown};
use super::spread::Side;
use super::table::{Cell, Column, Table};
use super::tally::Tally;

/// How many brands, categories, accounts and counters are told one by one.
const NAMED: usize = 12;

fn section(page: &mut Markup, id: &'static str, title: &str, inner: impl FnOnce(&mut Markup)) {
    page.within("section", &[("aria-labelledby", id)], |page| {
        page.leaf("h2", &[("id", id)], title);
        inner(page);
    });
}

fn note(page: &mut Markup, text: &str) {
    page.leaf("p", &[("class", "note")], text);
}

/// What the bars of a table mean.
fn key(page: &mut Markup, of: &[(&'static str, &str)]) {
    page.within("p", &[("class", "key")], |page| {
        for (class, text) in of {
            page.within("span", &[], |page| {
                let attributes = [
                    ("class", "swatch"),
                    ("width", "18"),
                    ("height", "12"),
                    ("aria-hidden", "true"),
                ];
                page.within("svg", &attributes, |page| {
                    if *class == "net" {
                        let line = [
                            ("class", "net"),
                            ("x1", "9"),
                            ("x2", "9"),
                            ("y1", "0"),
                            ("y2", "12"),
                        ];
                        page.void("line", &line);
                    } else {
                        let all = [("class", *class), ("width", "18"), ("height", "12")];
                        page.void("rect", &all);
                    }
                });
                page.text(text);
            });
        }
    });
}

const MISSING_KEY: (&str, &str) = ("missing", "missing");
const EXCESS_KEY: (&str, &str) = ("excess", "too much");
const NET_KEY: (&str, &str) = ("net", "net, where there are both");

/// The lines that are off most.
pub(super) fn worst(page: &mut Markup, report: &VarianceReport) {
    section(page, "worst", "Worst lines", |page| {
        if report.all.off() == 0 {
            note(page, "No line that was compared is off.");
            return;
        }
        key(page, &[MISSING_KEY, EXCESS_KEY]);
        let of = lines(report.all.off());
        let by_value = format!(
            "By value: the worst {} of {of}",
            report.worst_by_value.len()
        );
        if report.worst_by_value.len() > 0 {
            worst_table(report, &report.worst_by_value, by_value, |shown| {
                shown.minor
            })
            .write(page);
        } else {
            note(
                page,
                "No variance is worth anything: no costs are known, or they are zero.",
            );
        }
        let by_quantity = format!(
            "By quantity: the worst {} of {of}",
            report.worst_by_quantity.len()
        );
        let off = |shown: &Shown| shown.variance.map_or(0, |off| i128::from(off.micros()));
        worst_table(report, &report.worst_by_quantity, by_quantity, off).write(page);
    });
}

fn worst_table(
    report: &VarianceReport,
    ranking: &Ranking,
    caption: String,
    size: impl Fn(&Shown) -> i128,
) -> Table {
    let currency = report.heading.currency;
    let scale = ranking.lines().fold(Scale::default(), |scale, shown| {
        let (missing, excess) = sides(size(shown));
        scale.with(missing, excess)
    });
    let row = |shown: &Shown| {
        let (missing, excess) = sides(size(shown));
        let value = Figure::money_off(shown.minor, currency);
        let off = shown.variance.map(|off| Figure::quantity_off(off.into()));
        let title = format!("{} is off by {}", shown.article, value.shown);
        let bar = Bar::Balance {
            missing,
            excess,
            scale,
        };
        vec![
            article(shown),
            Cell::Number(Figure::quantity(shown.expected.into())),
            Cell::Maybe(
                shown
                    .counted
                    .map(|counted| Figure::quantity(counted.into())),
            ),
            Cell::Maybe(off),
            Cell::Maybe(shown.unit_cost.map(|cost| Figure::cost(cost, currency))),
            Cell::Number(value),
            Cell::Drawn(bar, title),
            Cell::Words(
                shown
                    .by
                    .map_or_else(String::new, |user| report.name_of(user)),
            ),
        ]
    };
    Table {
        caption,
        columns: vec![
            Column::text("Article"),
            Column::number("Expected"),
            Column::number("Counted"),
            Column::number("Variance"),
            Column::number("Unit cost"),
            Column::number(format!("Value, {}", code(currency))),
            Column::bar("Missing or too much"),
            Column::text("Counted by"),
        ],
        rows: ranking.lines().map(row).collect(),
        foot: None,
    }
}

fn article(shown: &Shown) -> Cell {
    Cell::Article {
        id: shown.article.clone(),
        name: shown.name.clone(),
        whereabouts: shown.whereabouts.clone(),
    }
}

/// What is missing, and what is too much.
fn sides(difference: i128) -> (i128, i128) {
    (difference.saturating_neg().max(0), difference.max(0))
}

/// Values by category, brand and account.
pub(super) fn by_group(page: &mut Markup, report: &VarianceReport) {
    section(page, "groups", "By category, brand and account", |page| {
        key(page, &[MISSING_KEY, EXCESS_KEY, NET_KEY]);
        for (one, many, groups) in [
            ("category", "categories", &report.categories),
            ("brand", "brands", &report.brands),
            ("account", "accounts", &report.accounts),
        ] {
            if groups.is_named() {
                group_table(report, (one, many), groups).write(page);
            } else {
                note(
                    page,
                    &format!(
                        "No article of this {} has a known {one}.",
                        report.heading.kind.to_lowercase()
                    ),
                );
            }
        }
    });
}

/// A sum's name.
fn named<K>(whose: &Whose<K>, (one, many): (&str, &str), name: impl Fn(&K) -> String) -> Cell {
    match whose {
        Whose::Named(key) => Cell::Words(name(key)),
        Whose::Nobody => Cell::Text(format!("Without a {one}")),
        Whose::Others(Some(1)) => Cell::Text(format!("1 other {one}")),
        Whose::Others(Some(number)) => {
            let number = u64::try_from(*number).unwrap_or(u64::MAX);
            Cell::Text(format!("{} other {many}", Figure::number(number).shown))
        }
        Whose::Others(None) => Cell::Text(format!("All other {many}")),
    }
}

fn balance_scale<K>(rows: &[(Whose<K>, Tally)]) -> Scale {
    rows.iter().fold(Scale::default(), |scale, (_, sum)| {
        scale.with(sum.missing_minor, sum.excess_minor)
    })
}

fn balance(sum: &Tally, scale: Scale, currency: Currency) -> Cell {
    let money = |minor| Figure::money(minor, currency).shown;
    let title = format!(
        "{} missing, {} too much, net {}",
        money(sum.missing_minor),
        money(sum.excess_minor),
        Figure::money_off(sum.net_minor(), currency).shown
    );
    let bar = Bar::Balance {
        missing: sum.missing_minor,
        excess: sum.excess_minor,
        scale,
    };
    Cell::Drawn(bar, title)
}

fn group_table(report: &VarianceReport, what: (&str, &str), groups: &Groups<String>) -> Table {
    let currency = report.heading.currency;
    let is_posted = report.heading.worth.is_some();
    let rows = groups.rows(NAMED);
    let scale = balance_scale(&rows);
    let cells = |first: Cell, sum: &Tally, bar: Cell| {
        let worth = if is_posted { sum.stock } else { sum.book };
        vec![
            first,
            Cell::Number(Figure::number(sum.compared)),
            Cell::Number(Figure::number(sum.off())),
            Cell::Number(Figure::money(worth.to_money(currency).minor(), currency)),
            Cell::Number(Figure::money_off(
                sum.missing_minor.saturating_neg(),
                currency,
            )),
            Cell::Number(Figure::money_off(sum.excess_minor, currency)),
            Cell::Number(Figure::money_off(sum.net_minor(), currency)),
            bar,
        ]
    };
    let row = |(whose, sum): &(Whose<String>, Tally)| {
        cells(
            named(whose, what, Clone::clone),
            sum,
            balance(sum, scale, currency),
        )
    };
    let all = cells(
        Cell::Text("All".to_owned()),
        &report.all,
        Cell::Text(String::new()),
    );
    Table {
        caption: format!("Value by {}, {}", what.0, code(currency)),
        columns: vec![
            Column::text(capital(what.0)),
            Column::number("Compared"),
            Column::number("Off"),
            Column::number(if is_posted {
                "Value after posting"
            } else {
                "Book value"
            }),
            Column::number("Missing"),
            Column::number("Too much"),
            Column::number("Net"),
            Column::bar("Missing and too much"),
        ],
        rows: rows.iter().map(row).collect(),
        foot: Some(all),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// How far off the lines are, and what was expected and counted by category.
pub(super) fn expected_and_counted(page: &mut Markup, report: &VarianceReport) {
    section(page, "expected", "Expected against counted", |page| {
        if report.all.compared == 0 {
            note(page, "No line has been compared yet.");
            return;
        }
        spread_table(report).write(page);
        key(page, &[("expected", "expected"), ("counted", "counted")]);
        pairs_table(report).write(page);
    });
}

fn spread_table(report: &VarianceReport) -> Table {
    let currency = report.heading.currency;
    let steps: Vec<_> = report.spread.steps().collect();
    // What is right is most of all, and would leave no room for the rest.
    let off = steps.iter().filter(|(_, side, _)| *side != Side::Right);
    let most = off.map(|(_, _, step)| step.lines).max().unwrap_or(0);
    let rows = steps.into_iter().map(|(name, side, step)| {
        let share = percent(step.lines.into(), report.all.compared.into()).unwrap_or_default();
        let title = format!("{name}: {}, {share}", lines(step.lines));
        let bar = |class| {
            let (part, most) = (step.lines.into(), most.into());
            Cell::Drawn(Bar::Part { part, most, class }, title)
        };
        vec![
            Cell::Text(name.to_owned()),
            Cell::Number(Figure::number(step.lines)),
            Cell::Text(share),
            Cell::Number(Figure::money_off(step.net_minor, currency)),
            match side {
                Side::Missing => bar("missing"),
                Side::Right => Cell::Text(String::new()),
                Side::Excess => bar("excess"),
            },
        ]
    });
    Table {
        caption: "How far off lines are, of what was expected".to_owned(),
        columns: vec![
            Column::text("Counted"),
            Column::number("Lines"),
            Column::number("Share"),
            Column::number(format!("Value, {}", code(currency))),
            Column::bar("Lines that are off"),
        ],
        rows: rows.collect(),
        foot: None,
    }
}

fn pairs_table(report: &VarianceReport) -> Table {
    let mut rows = report.categories.rows(NAMED);
    rows.retain(|(_, sum)| sum.compared > 0);
    let sizes = rows.iter().map(|(_, sum)| sum.expected.max(sum.found));
    let most = sizes.max().unwrap_or_default().millionths();
    let cells = |first: Cell, sum: &Tally, last: Cell| {
        vec![
            first,
            Cell::Number(Figure::quantity(sum.expected)),
            Cell::Number(Figure::quantity(sum.found)),
            Cell::Number(Figure::quantity_off(sum.net())),
            Cell::Number(Figure::quantity(sum.gross())),
            last,
        ]
    };
    let row = |(whose, sum): &(Whose<String>, Tally)| {
        let title = format!(
            "{} expected, {} counted",
            Figure::quantity(sum.expected).shown,
            Figure::quantity(sum.found).shown
        );
        let bar = Bar::Pair {
            expected: sum.expected.millionths(),
            counted: sum.found.millionths(),
            most,
        };
        let name = named(whose, ("category", "categories"), Clone::clone);
        cells(name, sum, Cell::Drawn(bar, title))
    };
    let all = cells(
        Cell::Text("All".to_owned()),
        &report.all,
        Cell::Text(String::new()),
    );
    Table {
        caption: "Quantities by category".to_owned(),
        columns: vec![
            Column::text("Category"),
            Column::number("Expected"),
            Column::number("Counted"),
            Column::number("Net"),
            Column::number("Gross"),
            Column::bar("Expected and counted"),
        ],
        rows: rows.iter().map(row).collect(),
        foot: Some(all),
    }
}

/// When and by whom lines were counted.
pub(super) fn progress(page: &mut Markup, report: &VarianceReport) {
    section(page, "progress", "Progress", |page| {
        let columns = report.hours.columns();
        if columns.is_empty() {
            note(page, "Nobody has counted a line yet.");
            return;
        }
        hours(page, report);
        counters_table(report).write(page);
    });
}

/// How wide a column is, in words.
fn width(hours: i64) -> String {
    match hours {
        1 => "hour".to_owned(),
        24 => "day".to_owned(),
        hours if hours % 24 == 0 => format!("{} days", hours.checked_div(24).unwrap_or(hours)),
        hours => format!("{hours} hours"),
    }
}

fn hours(page: &mut Markup, report: &VarianceReport) {
    let (offset, is_by_time) = (report.options.offset, report.hours.width_hours() < 24);
    let columns = report.hours.columns();
    let by = width(report.hours.width_hours());
    let title = format!("Lines counted in each {by}");
    let told = |at| moment(at, offset);
    let busiest = columns
        .iter()
        .rev()
        .max_by_key(|(_, column)| column.lines)
        .map_or_else(String::new, |(at, _)| {
            format!(" The busiest {by} began {}.", told(*at))
        });
    let (first, last) = report
        .all
        .span
        .map_or_else(Default::default, |(first, last)| (told(first), told(last)));
    let description = format!("Counted from {first} to {last}.{busiest}");
    page.leaf("h3", &[], &title);
    key(page, &[("right", "right"), ("missing", "off")]);
    let drawn: Vec<_> = columns.iter().map(|(_, column)| *column).collect();
    let label = |index: usize| {
        let local = columns
            .get(index)
            .map(|(at, _)| at.to_datetime().with_timezone(&offset));
        let as_text = |form: &str| local.map_or_else(String::new, |at| at.format(form).to_string());
        Label {
            time: is_by_time.then(|| as_text("%H:%M")),
            day: as_text(if is_by_time { "%-d %b" } else { "%-d %b %Y" }),
        }
    };
    chart::columns(page, &title, &description, &drawn, label);
    note(page, &description);
    page.within("details", &[], |page| {
        page.leaf("summary", &[], "The same as a table");
        hours_table(report, &by).write(page);
    });
}

fn hours_table(report: &VarianceReport, by: &str) -> Table {
    let mut so_far = 0_u64;
    let mut rows = Vec::new();
    for (at, column) in report.hours.columns() {
        so_far = so_far.saturating_add(column.lines);
        if column.lines == 0 {
            continue;
        }
        let share = percent(so_far.into(), report.all.lines.into());
        rows.push(vec![
            Cell::Text(moment(at, report.options.offset)),
            Cell::Number(Figure::number(column.lines)),
            Cell::Number(Figure::number(column.off)),
            Cell::Number(Figure::number(so_far)),
            Cell::Text(share.unwrap_or_default()),
        ]);
    }
    Table {
        caption: format!("Lines counted in each {by}, and so far"),
        columns: vec![
            Column::text(format!("{} from", capital(by))),
            Column::number("Lines"),
            Column::number("Off"),
            Column::number("So far"),
            Column::number("Of all lines"),
        ],
        rows,
        foot: None,
    }
}

fn counters_table(report: &VarianceReport) -> Table {
    let (currency, offset) = (report.heading.currency, report.options.offset);
    let mut rows = report.counters.rows(NAMED);
    // Who has counted most comes first; what nobody counted, and the others, stay last.
    rows.sort_by_key(|(whose, sum)| match whose {
        Whose::Named(_) => (0, std::cmp::Reverse(sum.counted)),
        Whose::Nobody => (1, std::cmp::Reverse(0)),
        Whose::Others(_) => (2, std::cmp::Reverse(0)),
    });
    let most = rows.iter().map(|(_, sum)| sum.counted).max().unwrap_or(0);
    let row = |(whose, sum): &(Whose<UserId>, Tally)| {
        let name = match whose {
            Whose::Nobody => Cell::Text("Nobody: counted as zero by finishing".to_owned()),
            Whose::Named(_) | Whose::Others(_) => {
                named(whose, ("counter", "counters"), |user| report.name_of(*user))
            }
        };
        let when = sum.span.map_or_else(String::new, |(first, last)| {
            let (first, last) = (moment(first, offset), moment(last, offset));
            match (first.split_once(", "), last.split_once(", ")) {
                _ if first == last => first.clone(),
                (Some((day, from)), Some((same, to))) if day == same => {
                    format!("{day}, {from}\u{2013}{to}")
                }
                _ => format!("{first} \u{2013} {last}"),
            }
        });
        let bar = Bar::Part {
            part: sum.counted.into(),
            most: most.into(),
            class: "right",
        };
        vec![
            name,
            Cell::Number(Figure::number(sum.counted)),
            Cell::Drawn(bar, lines(sum.counted)),
            Cell::Number(Figure::number(sum.off())),
            Cell::Text(percent(sum.right().into(), sum.compared.into()).unwrap_or_default()),
            Cell::Number(Figure::money_off(
                sum.missing_minor.saturating_neg(),
                currency,
            )),
            Cell::Number(Figure::money_off(sum.excess_minor, currency)),
            Cell::Text(when),
        ]
    };
    Table {
        caption: "By counter: who counted a line last".to_owned(),
        columns: vec![
            Column::text("Counter"),
            Column::number("Lines"),
            Column::bar("Share"),
            Column::number("Off"),
            Column::number("Right"),
            Column::number("Missing"),
            Column::number("Too much"),
            Column::text("When"),
        ],
        rows: rows.iter().map(row).collect(),
        foot: None,
    }
}

/// Lines that somebody has to look at.
pub(super) fn left_out(page: &mut Markup, report: &VarianceReport) {
    section(page, "left-out", "Superseded, moved and left out", |page| {
        let mut any = false;
        for kind in report.left_out.kinds() {
            any = true;
            let title = format!("{}: {}", kind.why.title(), lines(kind.lines));
            page.leaf("h3", &[], &title);
            note(page, kind.why.meaning());
            left_out_table(report, kind).write(page);
        }
        if !any {
            note(
                page,
                "None: every line was counted, and every count stands.",
            );
        }
    });
}

fn left_out_table(report: &VarianceReport, kind: &Kind) -> Table {
    let currency = report.heading.currency;
    let has_remarks = kind.first.lines().any(|shown| !shown.remark.is_empty());
    let row = |shown: &Shown| {
        let value = Figure::money_off(shown.minor, currency);
        let value = if kind.why == Why::Uncounted {
            Figure::money(shown.minor, currency)
        } else {
            value
        };
        let mut cells = vec![
            article(shown),
            Cell::Number(Figure::quantity(shown.expected.into())),
            Cell::Maybe(
                shown
                    .counted
                    .map(|counted| Figure::quantity(counted.into())),
            ),
            Cell::Number(value),
        ];
        if has_remarks {
            cells.push(Cell::Words(shown.remark.clone()));
        }
        cells
    };
    let mut columns = vec![
        Column::text("Article"),
        Column::number("Expected"),
        Column::number("Counted"),
        Column::number(format!("{}, {}", kind.why.value(), code(currency))),
    ];
    if has_remarks {
        columns.push(Column::text("Why"));
    }
    let number = u64::try_from(kind.first.len()).unwrap_or(u64::MAX);
    let caption = if number < kind.lines {
        format!("The {} of most value", Figure::number(number).shown)
    } else {
        "All of them".to_owned()
    };
    Table {
        caption,
        columns,
        rows: kind.first.lines().map(row).collect(),
        foot: None,
    }
}
