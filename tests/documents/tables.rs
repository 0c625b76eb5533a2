//! Tables as CSV and XLSX, read back by `csv` and `calamine`: what was permitted comes back as it was.

use std::io::Cursor;

use crate::certain::certain;
use calamine::{Data, Reader, Xlsx};
use proptest::prelude::*;
use rust_decimal::Decimal;
use stocktake::documents::{
    Cell, Column, ColumnKind, CsvTable, Facts, Line, MAX_CELL_CHARACTERS, MAX_SHEET_ROWS, Table,
    TableError, TableWriter, XlsxTable,
};
use stocktake::domain::{Currency, Quantity, Timestamp, UnitCost, Value};
use stocktake::store::{ColumnSum, ExportStyle};

const BOTH: [ExportStyle; 2] = [ExportStyle::Machines, ExportStyle::People];

/// A line with a cell of each kind.
#[derive(Clone, Debug)]
struct Row {
    text: String,
    code: String,
    quantity: Quantity,
    cost: UnitCost,
    money: i64,
    value: Value,
    at: Timestamp,
}

impl Line for Row {
    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::<Self>::new("text", "Text", ColumnKind::Text, |it| {
                Cell::words(Some(it.text.as_str()))
            }),
            Column::<Self>::new("code", "Code", ColumnKind::Code, |it| {
                Cell::code(Some(it.code.as_str()))
            }),
            Column::<Self>::new("quantity", "Quantity", ColumnKind::Quantity, |it| {
                Cell::Quantity(it.quantity)
            })
            .summed(),
            Column::<Self>::new("cost", "Cost", ColumnKind::UnitCost, |it| {
                Cell::UnitCost(it.cost)
            }),
            Column::<Self>::new("money", "Money", ColumnKind::Money, |it| {
                Cell::Money(it.money.into())
            })
            .summed(),
            Column::<Self>::new("value", "Value", ColumnKind::Money, |it| {
                Cell::Value(it.value)
            })
            .summed(),
            Column::<Self>::new("at", "At", ColumnKind::Moment, |it| Cell::Moment(it.at)),
            Column::<Self>::new("nothing", "Nothing", ColumnKind::Text, |_| Cell::Empty),
        ]
    }
}

fn row(text: &str) -> Row {
    Row {
        text: text.to_owned(),
        code: text.to_owned(),
        quantity: "12.5".parse().unwrap(),
        cost: "0.335".parse().unwrap(),
        money: -1_250,
        value: "3.333333".parse().unwrap(),
        at: "2026-01-05T10:20:30.123456Z"
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
            .into(),
    }
}

fn gbp() -> Currency {
    "gbp".parse().unwrap()
}

fn write(style: ExportStyle, rows: &[Row], out: &mut dyn TableWriter) {
    let table: Table<Row> = Table::new(style, gbp());
    let facts: Facts = vec![
        ("Take", Cell::Text("=January".into())),
        ("Site", Cell::Text("High Street".into())),
    ];
    let mut sums: Vec<ColumnSum> = Vec::new();
    table.begin(&facts, out).unwrap();
    for row in rows {
        table.line(row, &mut sums, out).unwrap();
    }
    table.end(&sums, out).unwrap();
}

fn csv(style: ExportStyle, rows: &[Row]) -> Vec<u8> {
    let mut out = CsvTable::new(style, gbp());
    write(style, rows, &mut out);
    out.into_bytes()
}

fn xlsx(style: ExportStyle, rows: &[Row]) -> Vec<u8> {
    let mut out = XlsxTable::new(style, gbp(), "Lines", Timestamp::EPOCH).unwrap();
    write(style, rows, &mut out);
    let mut bytes = Vec::new();
    out.save_to(&mut bytes).unwrap();
    bytes
}

/// The rows of a sheet; it must have no formula.
fn sheet(bytes: Vec<u8>) -> Vec<Vec<Data>> {
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    assert_eq!(book.sheet_names(), ["Lines"]);
    let formulas = book.worksheet_formula("Lines").unwrap();
    assert!(formulas.used_cells().next().is_none());
    let range = book.worksheet_range("Lines").unwrap();
    assert_eq!(range.start(), Some((0, 0)));
    range.rows().map(<[Data]>::to_vec).collect()
}

fn text_in(cell: &Data) -> String {
    match cell {
        Data::String(text) => text.clone(),
        Data::Empty => String::new(),
        other => panic!("not a text: {other:?}"),
    }
}

/// A number as it stands: a float, or a text where a float would round it.
fn number_in(cell: &Data) -> Decimal {
    match cell {
        Data::Float(float) => float.to_string().parse().unwrap(),
        Data::Int(whole) => (*whole).into(),
        Data::String(text) => text.parse().unwrap(),
        other => panic!("not a number: {other:?}"),
    }
}

fn records(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        row.iter().map(str::to_owned).collect()
    });
    rows.collect()
}

/// Texts that spreadsheets like to change.
const NASTY: [&str; 16] = [
    "0017",
    "1E10",
    "12-5",
    "=1+1",
    "@SUM(A1)",
    "+44",
    "-5",
    "\tx",
    "TRUE",
    "1/2",
    "caf\u{e9} e\u{301}",
    "a\"b,c;d\r\ne",
    "_x0041_",
    " padded ",
    "\u{1f4e6}",
    "",
];

#[test]
fn machines_have_the_names_of_the_api_and_everything_as_it_is() {
    let found = records(&csv(ExportStyle::Machines, &[row("0017")]));
    assert_eq!(
        found,
        [
            [
                "text", "code", "quantity", "cost", "money", "value", "at", "nothing"
            ],
            [
                "0017",
                "0017",
                "12.5",
                "33.5",
                "-1250",
                "333.3333",
                "2026-01-05T10:20:30.123456Z",
                ""
            ],
        ]
    );
}

#[test]
fn people_have_words_major_units_what_it_is_of_and_totals() {
    let bytes = csv(ExportStyle::People, &[row("0017"), row("SKU-1")]);
    assert!(bytes.starts_with("\u{feff}".as_bytes()));
    let found = records(&bytes[3..]);
    let rows: Vec<Vec<&str>> = found
        .iter()
        .map(|row| row.iter().map(String::as_str).collect())
        .collect();
    assert_eq!(rows[0], ["Take", "'=January"]);
    assert_eq!(rows[1], ["Site", "High Street"]);
    assert_eq!(rows[2], [""]);
    assert_eq!(
        rows[3],
        [
            "Text",
            "Code",
            "Quantity",
            "Cost (gbp)",
            "Money (gbp)",
            "Value (gbp)",
            "At (UTC)",
            "Nothing"
        ]
    );
    let numbers = ["12.5", "0.335", "-12.50", "3.33", "2026-01-05 10:20:30", ""];
    assert_eq!(rows[4][..2], ["'0017", "'0017"]);
    assert_eq!(rows[4][2..], numbers);
    assert_eq!(rows[5][..2], ["SKU-1", "SKU-1"]);
    assert_eq!(rows[6], ["Total", "", "25", "", "-25.00", "6.66", "", ""]);
}

#[test]
fn a_workbook_has_numbers_texts_and_dates_of_their_kind() {
    let found = sheet(xlsx(ExportStyle::People, &[row("0017")]));
    assert_eq!(found[0][0], Data::String("Take".to_owned()));
    assert_eq!(found[0][1], Data::String("=January".to_owned()));
    assert_eq!(found[3][3], Data::String("Cost (gbp)".to_owned()));
    let line = &found[4];
    assert_eq!(line[0], Data::String("0017".to_owned()));
    assert_eq!(line[1], Data::String("0017".to_owned()));
    assert_eq!(line[2], Data::Float(12.5));
    assert_eq!(line[3], Data::Float(0.335));
    assert_eq!(line[4], Data::Float(-12.5));
    assert_eq!(line[5], Data::Float(3.33));
    let Data::DateTime(at) = &line[6] else {
        panic!("not a date: {:?}", line[6]);
    };
    let days = 20_458.0 + f64::from(10 * 3_600 + 20 * 60 + 30) / 86_400.0;
    assert!((at.as_f64() - 25_569.0 - days).abs() < 1e-9);
    let sums = &found[5];
    assert_eq!(sums[0], Data::String("Total".to_owned()));
    assert_eq!(
        (&sums[2], &sums[4]),
        (&Data::Float(12.5), &Data::Float(-12.5))
    );

    let found = sheet(xlsx(ExportStyle::Machines, &[row("0017")]));
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[1][6],
        Data::String("2026-01-05T10:20:30.123456Z".to_owned())
    );
    assert_eq!(found[1][3], Data::Float(33.5));
}

#[test]
fn nasty_texts_come_back() {
    let rows: Vec<Row> = NASTY.iter().map(|text| row(text)).collect();
    let found = sheet(xlsx(ExportStyle::Machines, &rows));
    for (row, found) in rows.iter().zip(&found[1..]) {
        assert_eq!(text_in(&found[0]), row.text);
        assert_eq!(text_in(&found[1]), row.code);
    }
}

#[test]
fn what_a_float_would_round_is_a_text() {
    for (quantity, is_float) in [
        ("1000000000000", true),
        ("0.000001", true),
        ("123456789.123456", true),
        ("999999999999.999999", false),
        ("-999999999999.999999", false),
    ] {
        let line = Row {
            quantity: quantity.parse().unwrap(),
            ..row("x")
        };
        let found = sheet(xlsx(ExportStyle::Machines, std::slice::from_ref(&line)));
        let cell = &found[1][2];
        assert_eq!(matches!(cell, Data::Float(_)), is_float, "{cell:?}");
        assert_eq!(number_in(cell), line.quantity.to_decimal());
    }
}

#[test]
fn what_is_too_long_for_a_cell_is_cut_and_says_so() {
    let fits = "\u{1f4e6}".repeat(MAX_CELL_CHARACTERS / 2) + "x";
    let long = format!("{fits}y");
    let found = sheet(xlsx(ExportStyle::Machines, &[row(&fits), row(&long)]));
    assert_eq!(text_in(&found[1][0]), fits);
    let cut = text_in(&found[2][0]);
    assert!(cut.ends_with(" [cut]"));
    assert!(cut.encode_utf16().count() <= MAX_CELL_CHARACTERS);
    assert!(cut.encode_utf16().count() >= MAX_CELL_CHARACTERS - 1);
}

#[test]
fn a_sheet_takes_so_many_rows_and_no_more() {
    let mut out = XlsxTable::new(ExportStyle::Machines, gbp(), "Lines", Timestamp::EPOCH).unwrap();
    for _ in 0..MAX_SHEET_ROWS {
        out.row(&mut std::iter::empty()).unwrap();
    }
    let refused = out.row(&mut std::iter::empty()).unwrap_err();
    assert_eq!(
        refused,
        TableError::TooManyRows {
            limit: MAX_SHEET_ROWS
        }
    );
    assert_eq!(refused.to_string(), "a sheet has at most 1048576 rows");
}

prop_compose! {
    fn any_row()(
        text in prop_oneof![any::<String>(), "[\\x00-\\x1f\\ufffe\\uffff_x0-9A-F]{0,12}", proptest::sample::select(&NASTY[..]).prop_map(str::to_owned)],
        code in "[0-9A-Za-z./+=@ -]{0,12}",
        micros in -1_000_000_000_000_000_000_i64..=1_000_000_000_000_000_000,
        cost in 0_i64..=1_000_000_000_000_000_000,
        money in any::<i64>(),
        value in -1_000_000_000_000_000_000_i64..=1_000_000_000_000_000_000,
        at in -2_000_000_000_000_000_i64..7_000_000_000_000_000,
    ) -> Row {
        Row {
            text,
            code,
            quantity: Quantity::from_micros(micros).unwrap(),
            cost: UnitCost::from_micros(cost).unwrap(),
            money,
            value: Value::from_decimal(Decimal::new(value, 6)).unwrap(),
            at: Timestamp::from_micros(at).unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(certain(64))]

    #[test]
    fn everything_comes_back_from_a_workbook(rows in proptest::collection::vec(any_row(), 1..4)) {
        for style in BOTH {
            let found = sheet(xlsx(style, &rows));
            let skipped = if style == ExportStyle::People { 4 } else { 1 };
            for (row, found) in rows.iter().zip(&found[skipped..]) {
                prop_assert_eq!(&text_in(&found[0]), &row.text);
                prop_assert_eq!(&text_in(&found[1]), &row.code);
                prop_assert_eq!(number_in(&found[2]), row.quantity.to_decimal());
                let (cost, money) = match style {
                    ExportStyle::Machines => (row.cost.in_minor_units(gbp()), Decimal::from(row.money)),
                    ExportStyle::People => (row.cost.to_decimal(), Decimal::new(row.money, 2)),
                };
                prop_assert_eq!(number_in(&found[3]), cost);
                prop_assert_eq!(number_in(&found[4]), money);
                if style == ExportStyle::Machines {
                    let minor = row.value.to_decimal() * Decimal::ONE_HUNDRED;
                    prop_assert_eq!(number_in(&found[5]), minor);
                    prop_assert_eq!(text_in(&found[6]), row.at.to_string());
                }
            }
        }
    }

    #[test]
    fn everything_comes_back_from_csv(rows in proptest::collection::vec(any_row(), 1..4)) {
        for style in BOTH {
            let bytes = csv(style, &rows);
            let found = records(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes));
            let skipped = if style == ExportStyle::People { 4 } else { 1 };
            for (row, found) in rows.iter().zip(&found[skipped..]) {
                for (text, found) in [(&row.text, &found[0]), (&row.code, &found[1])] {
                    let is_same = found == text || found.strip_prefix('\'') == Some(text.as_str());
                    prop_assert!(is_same, "{:?} for {:?}", found, text);
                    // Nothing runs, whoever opens it.
                    let begins = found.trim_start().chars().next();
                    prop_assert!(!begins.is_some_and(|c| "=+-@".contains(c)), "{:?}", found);
                }
                prop_assert_eq!(found[2].parse::<Decimal>().unwrap(), row.quantity.to_decimal());
            }
        }
    }
}
