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

mod category;
mod file;
mod happening;
mod opening;
mod reading;
mod reason;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use file::File;
use happening::merged;
use reading::read;

pub(crate) use file::RetailError;
pub(crate) use happening::{Happening, Skip, StaffCorrection};
pub(crate) use reason::Reason;

/// The file that names the articles.
const PRODUCTS: &str = "products.csv";
/// The file with the month's sales, returns and corrections.
const LINES: &str = "lines_2010-12.csv";
/// The sample's articles.
const SAMPLE_PRODUCTS: &str = include_str!("../sample/products.csv");
/// The sample's month.
const SAMPLE_LINES: &str = include_str!("../sample/lines_2010-12.csv");
/// Where the sample lies, for messages.
const SAMPLE_DIR: &str = "examples/stock_take/sample";
/// With fewer articles corrected while the take is counted, the whole month's corrections are used.
const ENOUGH_CORRECTED: usize = 10;

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
