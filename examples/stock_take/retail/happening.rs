//! What moved the stock of an article, and what the staff corrected.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::Reason;

/// How many different notes of one article are kept when its corrections are merged.
const NOTES_KEPT: usize = 3;

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
    pub(super) const fn is_correction(&self) -> bool {
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

/// The corrections among the happenings, one entry an article.
pub(super) fn merged(happenings: &[Happening]) -> Vec<StaffCorrection> {
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
