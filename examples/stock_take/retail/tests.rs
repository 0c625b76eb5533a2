//! What the files are read as.

use super::category::category;
use super::*;

const HEADER: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
const LISTED: &str = "StockCode,Description,MedianUnitPrice\n\
    90001A,BLUE MUG,2.55\n90001a,BLUE MUG,5.1\n90002,,\n90003,CARD  HARE,0.000001\nPOST,POSTAGE,18\n";

/// Reads lines given as `invoice,code,text,quantity,day,price,customer`.
fn shop(lines: &[&str]) -> Result<Shop, RetailError> {
    let body: String = lines.iter().map(|line| expand(line)).collect();
    read(
        "a test".to_owned(),
        File::new("products.csv", LISTED),
        File::new("lines.csv", &format!("{HEADER}{body}")),
    )
}

fn expand(line: &str) -> String {
    let cells: Vec<&str> = line.split(',').collect();
    match cells[..] {
        [invoice, code, text, quantity, day, price, customer] => format!(
            "{invoice},{code},{text},{quantity},2010-12-{day} 09:00:00,{price},{customer},UK\n"
        ),
        _ => format!("{line}\n"),
    }
}

fn message(result: Result<Shop, RetailError>) -> String {
    result.map_or_else(|error| error.to_string(), |shop| format!("{shop:?}"))
}

/// Replays the month three ways and tells the lowest level of each article.
fn lowest(shop: &Shop) -> BTreeMap<&str, i64> {
    let found: BTreeMap<String, i64> = shop
        .corrections()
        .into_iter()
        .map(|correction| (correction.code, correction.delta))
        .collect();
    let opens_at = shop.split().opens_at;
    shop.opening
        .iter()
        .map(|(code, opening)| {
            let of_it = || shop.happenings.iter().filter(|h| h.code() == code);
            let sums = |keep: fn(&Happening) -> bool, start: i64| {
                let mut levels = vec![start];
                let mut level = start;
                for happening in of_it().filter(|h| keep(h)) {
                    level += happening.delta();
                    levels.push(level);
                }
                levels
            };
            let written = sums(|_| true, *opening);
            let traded = sums(|h| !h.is_correction(), *opening);
            let early = of_it()
                .filter(|h| !h.is_correction() && h.at() < opens_at)
                .count();
            let delta = found.get(code).copied().unwrap_or(0);
            let counted = traded.iter().skip(early).map(|level| level + delta);
            let all = written.iter().chain(&traded).copied().chain(counted);
            (code.as_str(), all.min().unwrap_or(i64::MIN))
        })
        .collect()
}

#[test]
fn a_sign_means_goods_out_on_a_sale_and_the_change_of_stock_on_a_correction()
-> Result<(), RetailError> {
    let shop = shop(&[
        "1,90001A,BLUE MUG,6,01,2.55,17",
        "2,90001A,BLUE MUG,2,01,2.55,",
        "C3,90001A,BLUE MUG,-1,02,2.55,17",
        "4,90001A,BLUE MUG,3,02,0.0,17",
        "C5,90001A,BLUE MUG,-3,02,0,17",
        "6,90001A,found,5,03,0.0,",
        "7,90001A,damages,-4,03,0.0,",
    ])?;
    let told: Vec<(&str, i64)> = shop
        .happenings
        .iter()
        .map(|happening| match happening {
            Happening::Sale { quantity, .. } => ("sale", *quantity),
            Happening::Return { quantity, .. } => ("return", *quantity),
            Happening::Correction { delta, .. } => ("correction", *delta),
        })
        .collect();
    assert_eq!(
        told,
        [
            ("sale", 6),
            ("sale", 2),
            ("return", 1),
            ("sale", 3),
            ("return", 3),
            ("correction", 5),
            ("correction", -4)
        ]
    );
    let deltas: Vec<i64> = shop.happenings.iter().map(Happening::delta).collect();
    assert_eq!(deltas, [-6, -2, 1, -3, 3, 5, -4]);
    Ok(())
}

#[test]
fn lines_that_move_no_goods_are_counted_by_their_reason() -> Result<(), RetailError> {
    let shop = shop(&[
        "1,90001A,BLUE MUG,1,01,2.55,17",
        "1,POST,POSTAGE,1,01,18,17",
        "2,gift_0001_40,VOUCHER,1,01,34,",
        "A3,B,Adjust bad debt,1,01,-11,",
        "4,90001A,BLUE MUG,0,01,2.55,17",
    ])?;
    assert_eq!(shop.happenings.len(), 1);
    assert_eq!(
        shop.skipped,
        BTreeMap::from([
            (Skip::NotGoods, 2),
            (Skip::BadDebt, 1),
            (Skip::NoMovement, 1)
        ])
    );
    Ok(())
}

#[test]
fn happenings_are_in_time_order_and_of_one_minute_in_file_order() -> Result<(), RetailError> {
    let shop = shop(&[
        "2,90001A,BLUE MUG,1,02,2.55,17",
        "3,90003,CARD HARE,2,02,1,17",
        "1,90001A,BLUE MUG,3,01,2.55,17",
    ])?;
    let deltas: Vec<i64> = shop.happenings.iter().map(Happening::delta).collect();
    assert_eq!(deltas, [-3, -1, -2]);
    Ok(())
}

#[test]
fn opening_is_the_least_that_never_goes_negative() -> Result<(), RetailError> {
    let shop = shop(&[
        "1,90001A,BLUE MUG,6,01,2.55,17",
        "C2,90001A,BLUE MUG,-4,02,2.55,17",
        "3,90001A,BLUE MUG,3,03,2.55,17",
        "4,90003,found,9,01,0,",
        "5,90003,CARD HARE,5,02,1,17",
        "6,90002,lost,-7,01,0,",
    ])?;
    // The card's nine are found when it is counted, so its five sales need a stock before.
    let expected = [("90001A", 6), ("90002", 7), ("90003", 5)];
    assert_eq!(
        shop.opening,
        expected
            .map(|(code, level)| (code.to_owned(), level))
            .into()
    );
    assert!(lowest(&shop).values().all(|level| *level == 0));
    Ok(())
}

#[test]
fn what_is_counted_is_never_negative_even_after_the_last_sale() -> Result<(), RetailError> {
    let shop = shop(&[
        "1,90001A,BLUE MUG,6,01,2.55,17",
        "2,90001A,damages,-5,02,0,",
        "C3,90001A,BLUE MUG,-6,03,2.55,17",
        "4,90001A,BLUE MUG,2,04,2.55,17",
        "5,90003,CARD HARE,1,05,1,17",
    ])?;
    assert_eq!(shop.opening.get("90001A"), Some(&11));
    assert!(lowest(&shop).values().all(|level| *level == 0));
    Ok(())
}

#[test]
fn the_take_opens_before_the_last_fifth_of_the_days_with_sales() -> Result<(), RetailError> {
    let lines: Vec<String> = (1..=10)
        .map(|day| format!("{day},90001A,BLUE MUG,1,{day:02},2.55,17"))
        .chain(["11,90001A,damages,-1,12,0,".to_owned()])
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let shop = shop(&lines)?;
    let split = shop.split();
    assert_eq!(split.opens_at.to_rfc3339(), "2010-12-09T00:00:00+00:00");
    assert_eq!((split.before.len(), split.during.len()), (8, 3));
    Ok(())
}

#[test]
fn corrections_of_an_article_are_merged() -> Result<(), RetailError> {
    let shop = shop(&[
        "1,90001A,check,-2,01,0,",
        "2,90001A,BLUE  MUG,-9,02,0,",
        "3,90001a,found,5,03,0,",
        "4,90001A,check,-1,04,0,",
        "5,90001A,?,-1,05,0,",
        "6,90001A,lost,-1,06,0,",
        "7,90003,check,3,06,0,",
        "8,90003,check,-3,07,0,",
        "9,90001A,BLUE MUG,1,08,1,17",
    ])?;
    let corrections = shop.corrections();
    let expected = StaffCorrection {
        code: "90001A".to_owned(),
        delta: -9,
        note: "check; found; ?".to_owned(),
        reason: Reason::Found,
        at: shop
            .happenings
            .get(5)
            .map(Happening::at)
            .unwrap_or_default(),
    };
    assert_eq!(corrections, [expected]);
    Ok(())
}

#[test]
fn corrections_come_from_the_time_of_counting_when_there_are_enough() -> Result<(), RetailError> {
    let shop = load(None)?;
    let split = shop.split();
    let corrections = shop.corrections();
    assert!(corrections.len() >= ENOUGH_CORRECTED);
    assert!(corrections.iter().all(|found| found.at >= split.opens_at));
    assert!(split.before.iter().any(Happening::is_correction));
    Ok(())
}

#[test]
fn notes_tell_their_reason() {
    for (note, reason) in [
        ("damages", Reason::Damaged),
        ("Dagamed", Reason::Damaged),
        ("wet/rusty", Reason::Damaged),
        ("Unsaleable, destroyed.", Reason::Damaged),
        ("incorrectly made-thrown away.", Reason::Damaged),
        ("check?", Reason::Counted),
        ("stock check", Reason::Counted),
        ("wrong barcode (22467)", Reason::WrongCode),
        ("sold as set on dotcom", Reason::WrongCode),
        ("Amazon Adjustment", Reason::WrongCode),
        ("dotcomstock", Reason::Sample),
        ("Show Samples", Reason::Sample),
        ("Found in w/hse", Reason::Found),
        ("????missing", Reason::Missing),
        ("can't find", Reason::Missing),
        ("returned", Reason::Returned),
        ("", Reason::Unexplained),
        ("??", Reason::Unexplained),
        ("michel", Reason::Unexplained),
    ] {
        assert_eq!(Reason::of(note), reason, "{note}");
    }
    assert_eq!(format!("[{:>8}]", Reason::Found), "[   found]");
}

#[test]
fn articles_are_named_priced_and_sorted_into_categories() -> Result<(), RetailError> {
    let shop = shop(&[
        "1,90001a,BLUE MUG,1,01,5.1,",
        "2,90002,,1,01,0,",
        "3,90003,CARD HARE,1,01,1,17",
    ])?;
    let told: Vec<String> = shop
        .articles
        .iter()
        .map(|a| {
            format!(
                "{} {} {} {} {}",
                a.code, a.name, a.category, a.unit_cost, a.median_price
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "90001A BLUE MUG Kitchen and table 1.53 2.55",
            "90002 UNNAMED 90002 Other 0.10 0",
            "90003 CARD  HARE Cards and paper 0.000001 0.000001",
        ]
    );
    assert_eq!(category("WHITE T-LIGHT HOLDER"), "Candles");
    assert_eq!(category("ADVENT CANDLES"), "Christmas");
    Ok(())
}

#[test]
fn errors_name_file_line_and_column() {
    let good = "1,90001A,BLUE MUG,1,01,2.55,17";
    for (line, told) in [
        (
            "2,90001A,X,many,01,1,",
            "column Quantity: \"many\" is not a whole number",
        ),
        (
            "2,90001A,X,1.5,01,1,",
            "column Quantity: \"1.5\" is not a whole number",
        ),
        (
            "2,90001A,X,1,01,free,",
            "column UnitPrice: \"free\" is not a price from 0 to 1000000000",
        ),
        (
            "2,90001A,X,1,01,-1,",
            "column UnitPrice: \"-1\" is not a price from 0 to 1000000000",
        ),
        (
            "2,90009,X,1,01,1,",
            "column StockCode: \"90009\" is not an article of products.csv",
        ),
        (
            "2,90001A,X,1,32,1,",
            "column InvoiceDate: \"2010-12-32 09:00:00\" is not a time like 2010-12-01 08:26:00",
        ),
    ] {
        let error = message(shop(&[good, line]));
        let place = error.strip_prefix("lines.csv, line 3, ");
        assert_eq!(place, Some(told));
    }
    assert_eq!(
        message(shop(&[good, "2,90001A"])),
        "lines.csv, line 3: 2 cells where the header row has 8"
    );
    assert_eq!(message(shop(&[])), "lines.csv: there is no sale in it");
}

#[test]
fn errors_count_blank_and_quoted_lines_and_carriage_returns() {
    let bad = "2,90001A,X,many,2010-12-01 09:00:00,1,,UK\n";
    let two_lines = "1,90001A,\"BLUE\nMUG\",1,2010-12-01 09:00:00,1,,UK\n";
    for newline in ["\n", "\r\n"] {
        let body = format!("{HEADER}\n{two_lines}\n{bad}").replace('\n', newline);
        let error = message(read(
            "a test".to_owned(),
            File::new("products.csv", LISTED),
            File::new("lines.csv", &body),
        ));
        assert!(error.starts_with("lines.csv, line 6, "), "{error}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_an_error() {
    let latin = [HEADER.as_bytes(), b"1,90001A,CAF\xC9,1,x,1,,UK\n"].concat();
    let error = message(read(
        "a test".to_owned(),
        File::new("products.csv", LISTED),
        File::new("lines.csv", &latin),
    ));
    assert!(
        error.starts_with("lines.csv, line 2: invalid utf-8"),
        "{error}"
    );
}

#[test]
fn errors_of_the_list_of_articles() {
    let listed = |products: &str| {
        message(read(
            "a test".to_owned(),
            File::new("products.csv", products),
            File::new("lines.csv", HEADER),
        ))
    };
    assert_eq!(
        listed("StockCode,Description\n"),
        "products.csv, line 1: there is no column MedianUnitPrice"
    );
    assert_eq!(
        listed("StockCode,Description,MedianUnitPrice\n90001,A,1\n90001,A,1\n"),
        "products.csv, line 3, column StockCode: \"90001\" is not a code that is listed once"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = message(load(Some(Path::new("no/such/folder"))));
    let file = Path::new("no/such/folder").join(PRODUCTS);
    let start = format!("cannot read {}: ", file.display());
    assert!(error.starts_with(&start), "{error}");
}

#[test]
fn the_sample_is_whole() -> Result<(), RetailError> {
    let shop = load(None)?;
    assert!(shop.source.contains(SAMPLE_DIR));
    assert_eq!(shop.articles.len(), shop.opening.len());
    assert!(
        shop.articles
            .iter()
            .all(|article| article.category != "Other")
    );
    assert!(lowest(&shop).values().all(|level| *level == 0));
    let zero_priced: Vec<&str> = SAMPLE_LINES
        .lines()
        .filter(|line| line.contains(":00,0.0,") || line.starts_with("InvoiceNo"))
        .collect();
    let adjustments: Vec<&str> = include_str!("../sample/stock_adjustment_lines.csv")
        .lines()
        .collect();
    assert_eq!(zero_priced, adjustments);
    Ok(())
}
