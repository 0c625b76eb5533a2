//! Reads a month from the two files.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::category::category;
use super::file::File;
use super::opening::{opening, opening_time};
use super::text::plain;
use super::{Article, Happening, Reason, RetailError, Shop, Skip};

/// An article's cost as a share of its median price.
const COST_SHARE: Decimal = Decimal::from_parts(6, 0, 0, false, 1);
/// The digits after the point that a cost keeps.
const COST_DIGITS: u32 = 6;
/// The cost of an article that was never sold at a price.
const FALLBACK_COST: Decimal = Decimal::from_parts(10, 0, 0, false, 2);

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

pub(super) fn read(
    source: String,
    products: File<'_>,
    lines: File<'_>,
) -> Result<Shop, RetailError> {
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
