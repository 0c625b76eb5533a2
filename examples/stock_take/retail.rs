//! A month of a gift shop's paper trail, read from the `Online Retail` file format.
//!
//! The public originals are the *Online Retail* data set of Daqing Chen (UCI Machine Learning
//! Repository, DOI 10.24432/C5BW33, CC BY 4.0). With a directory, [`load`] reads `products.csv` and
//! `lines_2010-12.csv` from it; without one it reads the small sample beside this file, which was
//! written for this example and shares no line with the originals.
//!
//! What a line means is decided by three of its columns:
//!
//! | price | customer | quantity | meaning |
//! | --- | --- | --- | --- |
//! | above 0 | any | above 0 | goods sold |
//! | above 0 | any | below 0 | goods returned |
//! | 0 | named | above 0 | a free gift: goods out, as a sale |
//! | 0 | named | below 0 | a free gift returned |
//! | 0 | none | any | a stock correction by the staff: **the quantity is the change of stock** |
//!
//! So the same sign means opposite things on a sale and on a correction.
//!
//! Two things the files do not say are made up here, always by the same rule: what an article cost
//! (60 % of its median price) and what lay on the shelf when the month began (the least that works,
//! see [`Shop::opening`]). The files' times are local UK time, which in December is UTC.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use csv::ErrorKind;
use rust_decimal::{Decimal, RoundingStrategy};

/// The file that names the articles.
const PRODUCTS: &str = "products.csv";
/// The file with the month's sales, returns and corrections.
const LINES: &str = "lines_2010-12.csv";
/// The sample's articles.
const SAMPLE_PRODUCTS: &str = include_str!("sample/products.csv");
/// The sample's month.
const SAMPLE_LINES: &str = include_str!("sample/lines_2010-12.csv");
/// Where the sample lies, for messages.
const SAMPLE_DIR: &str = "examples/stock_take/sample";

/// An article's cost as a share of its median price.
const COST_SHARE: Decimal = Decimal::from_parts(6, 0, 0, false, 1);
/// The digits after the point that a cost keeps.
const COST_DIGITS: u32 = 6;
/// The cost of an article that was never sold at a price.
const FALLBACK_COST: Decimal = Decimal::from_parts(10, 0, 0, false, 2);
/// The highest price that is believed.
const HIGHEST_PRICE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
/// With fewer articles corrected while the take is counted, the whole month's corrections are used.
const ENOUGH_CORRECTED: usize = 10;
/// How many different notes of one article are kept when its corrections are merged.
const NOTES_KEPT: usize = 3;

/// An article that the month's lines mention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Article {
    /// The stock code: five digits, for a variant with letters behind them, always in capitals. (The
    /// web shop's till writes the letters small and its prices with tax; it sells the same goods.)
    pub(crate) code: String,
    /// The description, or `UNNAMED` and the code when the files have none.
    pub(crate) name: String,
    /// What kind of goods it is, told from the words of its name.
    pub(crate) category: &'static str,
    /// 60 % of the median price, to six digits; 0.10 where there is no price to take it from.
    pub(crate) unit_cost: Decimal,
    /// The median of the prices it was sold at; 0 when it never was.
    pub(crate) median_price: Decimal,
}

/// Why the staff corrected the stock, as far as their note tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// Broken, wet, rusty, thrown away.
    Damaged,
    /// A check or a count.
    Counted,
    /// Sold or booked under another code, or in other units.
    WrongCode,
    /// Sold through another channel, shown or given away.
    Sample,
    /// Turned up.
    Found,
    /// Not to be found.
    Missing,
    /// Came back.
    Returned,
    /// No note, a question mark, or words that tell no cause.
    Unexplained,
}

/// The beginnings of words that tell a cause, the stronger cause first.
const CAUSES: [(Reason, &str); 7] = [
    (
        Reason::Damaged,
        "damag dagam broken breakage smash crush crack fault wet rust mould throw unsale \
         destroy smudge",
    ),
    (Reason::Counted, "check count"),
    (
        Reason::WrongCode,
        "wrong incorrect adjust barcode code mark mix label sold set error oops",
    ),
    (
        Reason::Sample,
        "sample amazon dotcom ebay fba show display mailout given",
    ),
    (Reason::Found, "found"),
    (Reason::Missing, "missing lost mia find"),
    (Reason::Returned, "return"),
];

impl Reason {
    /// Tells the cause from a note. Where a note names two, damage goes before a count, a count
    /// before a wrong code, and so on in the order of the variants.
    fn of(note: &str) -> Self {
        let note = note.to_lowercase();
        CAUSES
            .into_iter()
            .find(|(_, starts)| {
                words(&note).any(|word| starts.split(' ').any(|s| word.starts_with(s)))
            })
            .map_or(Self::Unexplained, |(reason, _)| reason)
    }

    /// The reason in words, for a report.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Counted => "counted",
            Self::WrongCode => "wrong code or unit",
            Self::Sample => "other channel or sample",
            Self::Found => "found",
            Self::Missing => "missing",
            Self::Returned => "returned",
            Self::Unexplained => "unexplained",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// One line of the month that changed the stock of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// Goods went out to a customer.
    Sale {
        /// The article.
        code: String,
        /// How many, above 0.
        quantity: i64,
        /// When.
        at: DateTime<Utc>,
        /// The invoice's number.
        invoice: String,
    },
    /// Goods came back from a customer.
    Return {
        /// The article.
        code: String,
        /// How many, above 0.
        quantity: i64,
        /// When.
        at: DateTime<Utc>,
        /// The credit note's number.
        invoice: String,
    },
    /// The staff corrected the stock.
    Correction {
        /// The article.
        code: String,
        /// The change of stock as written, never 0.
        delta: i64,
        /// The staff's words; empty where they left the article's own name or nothing.
        note: String,
        /// The cause that the note tells.
        reason: Reason,
        /// When.
        at: DateTime<Utc>,
        /// The number it was booked under.
        invoice: String,
    },
}

impl Happening {
    /// The article.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Sale { code, .. } | Self::Return { code, .. } | Self::Correction { code, .. } => {
                code
            }
        }
    }

    /// When it happened.
    pub(crate) const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Sale { at, .. } | Self::Return { at, .. } | Self::Correction { at, .. } => *at,
        }
    }

    /// What it did to the stock: a sale takes, a return gives, a correction does what it says.
    pub(crate) const fn delta(&self) -> i64 {
        match self {
            Self::Sale { quantity, .. } => -*quantity,
            Self::Return { quantity, .. } => *quantity,
            Self::Correction { delta, .. } => *delta,
        }
    }

    /// Whether it is the staff's correction rather than trade with a customer.
    const fn is_correction(&self) -> bool {
        matches!(self, Self::Correction { .. })
    }
}

/// Why a line was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// Its code names no goods: postage, fees, discounts, vouchers.
    NotGoods,
    /// It books a bad debt (its invoice number begins with `A`).
    BadDebt,
    /// Its quantity is 0.
    NoMovement,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotGoods => "not goods",
            Self::BadDebt => "bad debt",
            Self::NoMovement => "quantity 0",
        })
    }
}

/// What the staff's corrections of one article come to: the variance a count of it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StaffCorrection {
    /// The article.
    pub(crate) code: String,
    /// The sum of the corrections, never 0.
    pub(crate) delta: i64,
    /// Their different notes in time order, three at most, joined by `; `; empty when there is none.
    pub(crate) note: String,
    /// The reason of the largest one that has a cause, the earlier of two alike.
    pub(crate) reason: Reason,
    /// When the last one was made.
    pub(crate) at: DateTime<Utc>,
}

/// The month cut where the stock take opens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split<'a> {
    /// When the take opens: the midnight before its first day of trade.
    pub(crate) opens_at: DateTime<Utc>,
    /// What happened before, to be replayed first.
    pub(crate) before: &'a [Happening],
    /// What goes on while the goods are counted: the last fifth of the days with sales.
    pub(crate) during: &'a [Happening],
}

/// A shop and its month.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    /// Which files this was read from, in words.
    pub(crate) source: String,
    /// The articles that the month mentions, by code.
    pub(crate) articles: Vec<Article>,
    /// What lay on the shelf of each article when the month began: the least with which no level
    /// falls below 0, whether the corrections are booked as they were written, or not at all, or,
    /// as [`Shop::corrections`] has them, at any time from the take's opening on.
    pub(crate) opening: BTreeMap<String, i64>,
    /// What changed the stock, in time order; lines of one minute in the order of the file.
    pub(crate) happenings: Vec<Happening>,
    /// How many lines were left out, and why.
    pub(crate) skipped: BTreeMap<Skip, usize>,
    /// When the take opens.
    opens_at: DateTime<Utc>,
}

impl Shop {
    /// Cuts the month where the stock take opens.
    pub(crate) fn split(&self) -> Split<'_> {
        let cut = self
            .happenings
            .partition_point(|happening| happening.at() < self.opens_at);
        let (before, during) = self.happenings.split_at(cut);
        Split {
            opens_at: self.opens_at,
            before,
            during,
        }
    }

    /// What a count finds: the staff's corrections, one entry an article, by code.
    ///
    /// These are the corrections made while the take is counted or, when they touch fewer than ten
    /// articles, those of the whole month. They are meant to be counted and not to be booked as
    /// movements beside it: expected is the level without any correction, counted is the level plus
    /// the delta. Corrections of an article that cancel each other are no finding.
    pub(crate) fn corrections(&self) -> Vec<StaffCorrection> {
        let lately = merged(self.split().during);
        if lately.len() < ENOUGH_CORRECTED {
            merged(&self.happenings)
        } else {
            lately
        }
    }
}

/// Reads a shop from the files in `dir`, or the embedded sample when there is no `dir`.
pub(crate) fn load(dir: Option<&Path>) -> Result<Shop, RetailError> {
    let Some(dir) = dir else {
        return read(
            format!("the sample written for this example ({SAMPLE_DIR})"),
            File::new(&format!("{SAMPLE_DIR}/{PRODUCTS}"), SAMPLE_PRODUCTS),
            File::new(&format!("{SAMPLE_DIR}/{LINES}"), SAMPLE_LINES),
        );
    };
    let open = |name: &str| {
        let path = dir.join(name);
        let file = path.display().to_string();
        match fs::read(&path) {
            Ok(bytes) => Ok((file, bytes)),
            Err(cause) => Err(RetailError::Unreadable { file, cause }),
        }
    };
    let (products_file, products) = open(PRODUCTS)?;
    let (lines_file, lines) = open(LINES)?;
    read(
        format!("the files in {}", dir.display()),
        File::new(&products_file, &products),
        File::new(&lines_file, &lines),
    )
}

/// Why the files could not be read.
#[derive(Debug)]
pub(crate) enum RetailError {
    /// A file is missing or cannot be opened.
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The header row lacks a column.
    NoColumn {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
    },
    /// A row is not CSV, not UTF-8, or not as long as the header row.
    Malformed {
        /// The file.
        file: String,
        /// Where the row begins, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A cell does not hold what its column is for.
    Value {
        /// The file.
        file: String,
        /// Where the row begins, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What the cell holds.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The month has no sale, so there is nothing to take stock of.
    NoSales {
        /// The file.
        file: String,
    },
}

impl fmt::Display for RetailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, cause } => write!(f, "cannot read {file}: {cause}"),
            Self::NoColumn { file, column } => {
                write!(f, "{file}, line 1: there is no column {column}")
            }
            Self::Malformed {
                file,
                line,
                problem,
            } => write!(f, "{file}, line {line}: {problem}"),
            Self::Value {
                file,
                line,
                column,
                value,
                wanted,
            } => write!(
                f,
                "{file}, line {line}, column {column}: {value:?} is not {wanted}"
            ),
            Self::NoSales { file } => write!(f, "{file}: there is no sale in it"),
        }
    }
}

impl std::error::Error for RetailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { cause, .. } => Some(cause),
            Self::NoColumn { .. }
            | Self::Malformed { .. }
            | Self::Value { .. }
            | Self::NoSales { .. } => None,
        }
    }
}

/// A file's name and content.
#[derive(Clone, Copy)]
struct File<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

impl<'a> File<'a> {
    fn new(name: &'a str, bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            name,
            bytes: bytes.as_ref(),
        }
    }

    /// Hands the named columns of each row to `row`.
    fn each<const N: usize>(
        self,
        columns: [&'static str; N],
        mut row: impl FnMut([Cell<'_>; N]) -> Result<(), RetailError>,
    ) -> Result<(), RetailError> {
        let malformed = |cause| self.malformed(&cause);
        let mut reader = csv::Reader::from_reader(self.bytes);
        let header = reader.headers().map_err(malformed)?;
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            *place =
                header
                    .iter()
                    .position(|name| name == column)
                    .ok_or(RetailError::NoColumn {
                        file: self.name.to_owned(),
                        column,
                    })?;
        }
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(malformed)? {
            let byte = record.position().map_or(0, csv::Position::byte);
            let mut cells = columns.map(|column| Cell {
                file: self,
                byte,
                column,
                text: "",
            });
            for (cell, place) in cells.iter_mut().zip(places) {
                cell.text = record.get(place).unwrap_or_default().trim();
            }
            row(cells)?;
        }
        Ok(())
    }

    /// The error that a row cannot be split into cells.
    fn malformed(self, cause: &csv::Error) -> RetailError {
        RetailError::Malformed {
            file: self.name.to_owned(),
            line: cause
                .position()
                .map_or(1, |position| self.line(position.byte())),
            problem: match cause.kind() {
                ErrorKind::UnequalLengths {
                    expected_len, len, ..
                } => format!("{len} cells where the header row has {expected_len}"),
                ErrorKind::Utf8 { err, .. } => err.to_string(),
                _ => cause.to_string(),
            },
        }
    }

    /// The line, from 1, of the row that the reader began at `byte`. The reader's own line number
    /// falls behind in files with CRLF, and it begins a row before the blank lines above it.
    fn line(self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let (above, below) = self.bytes.split_at(byte.min(self.bytes.len()));
        let blank = below.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
        let breaks = above.iter().chain(blank).filter(|b| **b == b'\n').count();
        u64::try_from(breaks).map_or(u64::MAX, |breaks| breaks.saturating_add(1))
    }
}

/// A cell, and where it stands.
#[derive(Clone, Copy)]
struct Cell<'a> {
    file: File<'a>,
    byte: u64,
    column: &'static str,
    text: &'a str,
}

impl Cell<'_> {
    /// The error that this cell is not what was wanted.
    fn not(self, wanted: &'static str) -> RetailError {
        RetailError::Value {
            file: self.file.name.to_owned(),
            line: self.file.line(self.byte),
            column: self.column,
            value: self.text.to_owned(),
            wanted,
        }
    }

    /// A price that is small enough to reckon with.
    fn price(self) -> Result<Decimal, RetailError> {
        match Decimal::from_str_exact(self.text) {
            Ok(price) if (Decimal::ZERO..=HIGHEST_PRICE).contains(&price) => Ok(price),
            _ => Err(self.not("a price from 0 to 1000000000")),
        }
    }

    /// A 32-bit number, so that no sum over a file overflows.
    fn quantity(self) -> Result<i64, RetailError> {
        self.text
            .parse::<i32>()
            .map(i64::from)
            .map_err(|_| self.not("a whole number"))
    }

    fn time(self) -> Result<DateTime<Utc>, RetailError> {
        NaiveDateTime::parse_from_str(self.text, "%Y-%m-%d %H:%M:%S")
            .map(|time| time.and_utc())
            .map_err(|_| self.not("a time like 2010-12-01 08:26:00"))
    }

    /// The code of goods in capitals; none for the codes of postage, fees and the like.
    fn goods(self) -> Option<String> {
        let (digits, letters) = self.text.split_at_checked(5)?;
        let goods = digits.bytes().all(|byte| byte.is_ascii_digit())
            && letters.len() <= 3
            && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
        goods.then(|| self.text.to_ascii_uppercase())
    }
}

/// An article's name and median price as `products.csv` has them.
struct Listed {
    name: String,
    price: Option<Decimal>,
}

/// A line of goods, before its note is told from the names its article goes by.
struct Line {
    invoice: String,
    code: String,
    text: String,
    quantity: i64,
    at: DateTime<Utc>,
    correction: bool,
}

fn read(source: String, products: File<'_>, lines: File<'_>) -> Result<Shop, RetailError> {
    let listed = read_products(products)?;
    let (mut rows, skipped) = read_lines(lines, &listed)?;
    rows.sort_by_key(|line| line.at);

    let mut names: BTreeSet<(String, String)> = listed
        .iter()
        .map(|(code, article)| (code.clone(), plain(&article.name)))
        .collect();
    let traded = rows.iter().filter(|line| !line.correction);
    names.extend(traded.map(|line| (line.code.clone(), plain(&line.text))));
    let happenings: Vec<Happening> = rows
        .into_iter()
        .map(|line| happening(line, &names))
        .collect();

    let opens_at = opening_time(&happenings).ok_or_else(|| RetailError::NoSales {
        file: lines.name.to_owned(),
    })?;
    let mentioned: BTreeSet<&str> = happenings.iter().map(Happening::code).collect();
    let articles = listed
        .into_iter()
        .filter(|(code, _)| mentioned.contains(code.as_str()))
        .map(|(code, listed)| article(code, listed))
        .collect();
    let mut shop = Shop {
        source,
        articles,
        opening: BTreeMap::new(),
        happenings,
        skipped,
        opens_at,
    };
    shop.opening = opening(shop.split(), &shop.corrections());
    Ok(shop)
}

/// Reads the list of articles. Where a code stands there in capitals and in small letters, the row
/// in capitals counts, and the other one fills what it leaves blank.
fn read_products(file: File<'_>) -> Result<BTreeMap<String, Listed>, RetailError> {
    let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    file.each(
        ["StockCode", "Description", "MedianUnitPrice"],
        |[code, name, price]| {
            let Some(goods) = code.goods() else {
                return Ok(());
            };
            if !seen.insert(code.text.to_owned()) {
                return Err(code.not("a code that is listed once"));
            }
            let row = Listed {
                name: name.text.to_owned(),
                price: (!price.text.is_empty())
                    .then(|| price.price())
                    .transpose()?,
            };
            let in_capitals = goods == code.text;
            let row = match listed.remove(&goods) {
                None => row,
                Some(other) if in_capitals => row.or(other),
                Some(other) => other.or(row),
            };
            listed.insert(goods, row);
            Ok(())
        },
    )?;
    Ok(listed)
}

impl Listed {
    /// This row, its blanks filled from the other.
    fn or(self, other: Self) -> Self {
        Self {
            name: if self.name.is_empty() {
                other.name
            } else {
                self.name
            },
            price: self.price.or(other.price),
        }
    }
}

/// Reads the lines that moved goods, and counts the others.
fn read_lines(
    file: File<'_>,
    listed: &BTreeMap<String, Listed>,
) -> Result<(Vec<Line>, BTreeMap<Skip, usize>), RetailError> {
    let mut lines = Vec::new();
    let mut skipped = BTreeMap::new();
    file.each(
        [
            "InvoiceNo",
            "StockCode",
            "Description",
            "Quantity",
            "InvoiceDate",
            "UnitPrice",
            "CustomerID",
        ],
        |[invoice, code, text, quantity, at, price, customer]| {
            let mut skip = |why| {
                *skipped.entry(why).or_insert(0) += 1;
                Ok(())
            };
            if invoice.text.starts_with('A') {
                return skip(Skip::BadDebt);
            }
            let Some(goods) = code.goods() else {
                return skip(Skip::NotGoods);
            };
            let (quantity, at, price) = (quantity.quantity()?, at.time()?, price.price()?);
            if quantity == 0 {
                return skip(Skip::NoMovement);
            }
            if !listed.contains_key(&goods) {
                return Err(code.not("an article of products.csv"));
            }
            lines.push(Line {
                invoice: invoice.text.to_owned(),
                code: goods,
                text: text.text.to_owned(),
                quantity,
                at,
                correction: price.is_zero() && customer.text.is_empty(),
            });
            Ok(())
        },
    )?;
    Ok((lines, skipped))
}

/// A line with its sign and its note understood.
fn happening(line: Line, names: &BTreeSet<(String, String)>) -> Happening {
    let Line {
        invoice,
        code,
        text,
        quantity,
        at,
        correction,
    } = line;
    if correction {
        let key = (code, plain(&text));
        let note = if names.contains(&key) {
            String::new()
        } else {
            text
        };
        Happening::Correction {
            code: key.0,
            delta: quantity,
            reason: Reason::of(&note),
            note,
            at,
            invoice,
        }
    } else if quantity > 0 {
        Happening::Sale {
            code,
            quantity,
            at,
            invoice,
        }
    } else {
        Happening::Return {
            code,
            quantity: -quantity,
            at,
            invoice,
        }
    }
}

fn article(code: String, listed: Listed) -> Article {
    let name = if listed.name.is_empty() {
        format!("UNNAMED {code}")
    } else {
        listed.name
    };
    let median_price = listed.price.unwrap_or_default();
    let cost = (median_price * COST_SHARE)
        .round_dp_with_strategy(COST_DIGITS, RoundingStrategy::MidpointAwayFromZero)
        .normalize();
    Article {
        category: category(&name),
        unit_cost: if cost.is_zero() { FALLBACK_COST } else { cost },
        code,
        name,
        median_price,
    }
}

/// The midnight before the last fifth, rounded, of the days with sales; one day at least.
fn opening_time(happenings: &[Happening]) -> Option<DateTime<Utc>> {
    let days: BTreeSet<NaiveDate> = happenings
        .iter()
        .filter(|happening| matches!(happening, Happening::Sale { .. }))
        .map(|sale| sale.at().date_naive())
        .collect();
    let last = ((days.len() + 2) / 5).max(1);
    let first_counted = days.iter().nth_back(last - 1)?;
    Some(first_counted.and_time(NaiveTime::MIN).and_utc())
}

/// The least opening levels, see [`Shop::opening`].
fn opening(split: Split<'_>, corrections: &[StaffCorrection]) -> BTreeMap<String, i64> {
    /// An article's levels over a month that opened at 0.
    #[derive(Default)]
    struct Level {
        /// With the corrections as written.
        written: i64,
        /// With trade alone.
        traded: i64,
        /// The lowest of all levels.
        lowest: i64,
    }
    impl Level {
        fn apply(&mut self, happening: &Happening, found: i64) {
            self.written += happening.delta();
            if !happening.is_correction() {
                self.traded += happening.delta();
            }
            self.low(self.written);
            self.low(self.traded);
            self.low(self.traded + found);
        }
        fn low(&mut self, level: i64) {
            self.lowest = self.lowest.min(level);
        }
    }

    let mut levels: BTreeMap<&str, Level> = BTreeMap::new();
    for happening in split.before {
        levels
            .entry(happening.code())
            .or_default()
            .apply(happening, 0);
    }
    let mut found = BTreeMap::new();
    for correction in corrections {
        let level = levels.entry(&correction.code).or_default();
        level.low(level.traded + correction.delta);
        found.insert(correction.code.as_str(), correction.delta);
    }
    for happening in split.during {
        let code = happening.code();
        let found = found.get(code).copied().unwrap_or(0);
        levels.entry(code).or_default().apply(happening, found);
    }
    levels
        .into_iter()
        .map(|(code, level)| (code.to_owned(), -level.lowest))
        .collect()
}

/// The corrections among the happenings, one entry an article.
fn merged(happenings: &[Happening]) -> Vec<StaffCorrection> {
    /// What is known of an article's corrections so far.
    struct Sum<'a> {
        delta: i64,
        notes: Vec<&'a str>,
        reason: Reason,
        weight: i64,
        at: DateTime<Utc>,
    }

    let mut sums: BTreeMap<&str, Sum<'_>> = BTreeMap::new();
    for happening in happenings {
        let Happening::Correction {
            code,
            delta,
            note,
            reason,
            at,
            ..
        } = happening
        else {
            continue;
        };
        let sum = sums.entry(code).or_insert(Sum {
            delta: 0,
            notes: Vec::new(),
            reason: Reason::Unexplained,
            weight: 0,
            at: *at,
        });
        sum.delta += delta;
        sum.at = *at;
        if !note.is_empty() && sum.notes.len() < NOTES_KEPT && !sum.notes.contains(&note.as_str()) {
            sum.notes.push(note);
        }
        if *reason != Reason::Unexplained && delta.abs() > sum.weight {
            sum.weight = delta.abs();
            sum.reason = *reason;
        }
    }
    sums.into_iter()
        .filter(|(_, sum)| sum.delta != 0)
        .map(|(code, sum)| StaffCorrection {
            code: code.to_owned(),
            delta: sum.delta,
            note: sum.notes.join("; "),
            reason: sum.reason,
            at: sum.at,
        })
        .collect()
}

/// Words that tell a category, without their plural `S`; the first category with a word of the name
/// has it.
const CATEGORIES: [(&str, &str); 12] = [
    (
        "Christmas",
        "CHRISTMAS XMAS ADVENT BAUBLE CRACKER REINDEER SANTA SNOWMAN NATIVITY WREATH \
         TINSEL",
    ),
    (
        "Jewellery",
        "NECKLACE BRACELET EARRING RING BANGLE BROOCH CHARM HAIR BEAD NECKL PENDANT \
         BRACLET",
    ),
    (
        "Candles",
        "CANDLE TLIGHT TEALIGHT INCENSE CHAMBERSTICK CANDLEHOLDER BURNER CANDLESTICK",
    ),
    ("Lights", "LIGHT LAMP LANTERN LAMPSHADE TORCH CHANDELIER"),
    (
        "Bags",
        "BAG SHOPPER PURSE HANDBAG BACKPACK RUCKSACK SUITCASE LUGGAGE HOLDALL WALLET",
    ),
    (
        "Kitchen and table",
        "MUG CUP TEACUP TEAPOT TEA COFFEE KITCHEN BOWL PLATE CAKE BAKING CUTLERY JAR DISH \
         LUNCH SPOON TEASPOON FORK KNIFE CAKESTAND CAKESTANDS BISCUIT COOKIE PAN JUG TRAY \
         COASTER EGG ROLLING CHEESE RECIPE COLANDER JELLY JAM PLACEMAT GLASSES TUMBLER \
         GOBLET TIMER BREAD POPCORN SNACK SPICE",
    ),
    (
        "Cards and paper",
        "CARD PAPER WRAP NOTEBOOK NOTE POSTCARD PENCIL PEN STICKER TISSUE NAPKIN RIBBON \
         TAPE DOILY DOILEY DOILIES BOOK NOTEPAD CALENDAR ERASER TAG STATIONERY ENVELOPE \
         JOURNAL DIARY CHALK ORGANISER RULER",
    ),
    (
        "Textiles",
        "CUSHION TEXTILE TOWEL APRON THROW QUILT COVER RUG LINEN GLOVE SCARF CURTAIN \
         BUNTING HAMMOCK UMBRELLA PARASOL SLIPPER FELT DOORMAT MAT BLANKET HAT PONCHO \
         BOTTLE SEWING RAINCOAT",
    ),
    (
        "Toys",
        "TOY GAME JIGSAW PUZZLE DOLL DOLLY SKITTLE DOMINOES PLAYING SKIPPING KAZOO \
         STACKING BALLOON SPINNING INFLATABLE BINGO LUDO TEDDY CHILDREN CHILDRENS CHILD \
         MAGIC SOLDIER PARTY PLANE DINOSAUR GLIDER YOYO MARBLE HARMONICA",
    ),
    (
        "Garden",
        "GARDEN PLANT PLANTER WATERING SEED HERB BIRD FLOWER TROWEL BIRDHOUSE LAWN PICNIC \
         OUTDOOR",
    ),
    (
        "Boxes and storage",
        "BOX BOXES TIN STORAGE BASKET DRAWER CABINET RACK BANK BUCKET CRATE SHELF CHEST \
         HOLDER POT CASE",
    ),
    (
        "Home decoration",
        "SIGN FRAME MIRROR CLOCK HOOK HANGING DECORATION HEART WALL ART GARLAND MAGNET \
         DOOR DOORSTOP KNOB HANGER ORNAMENT VASE CHAIN METAL STAND CUPID LETTER TABLE \
         CHAIR PHOTO PICTURE STAR BELL TILE KEY WOODEN CERAMIC GLASS FAIRY BATHROOM",
    ),
];

/// What kind of goods a name tells of.
fn category(name: &str) -> &'static str {
    let name = name.to_uppercase().replace("T-LIGHT", "TLIGHT");
    CATEGORIES
        .into_iter()
        .find(|(_, told_by)| {
            words(&name).any(|word| {
                let singular = word.strip_suffix('S').unwrap_or(word);
                told_by
                    .split(' ')
                    .any(|told| told == word || told == singular)
            })
        })
        .map_or("Other", |(category, _)| category)
}

/// The runs of letters and digits in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// A name in capitals with single spaces, to compare it.
fn plain(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").to_uppercase()
}

#[cfg(test)]
mod tests {
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
    fn corrections_come_from_the_time_of_counting_when_there_are_enough() -> Result<(), RetailError>
    {
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
        let adjustments: Vec<&str> = include_str!("sample/stock_adjustment_lines.csv")
            .lines()
            .collect();
        assert_eq!(zero_priced, adjustments);
        Ok(())
    }
}
