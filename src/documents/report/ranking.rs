//! The worst lines, kept while any number of lines goes by.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::{Quantity, StockKey, UnitCost, UserId};

use super::line::ReportLine;

/// What is shown of a line by itself.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) article: String,
    pub(super) name: String,
    /// Variant, stock place, batch and serial number, as far as there are any, and what it is counted in.
    pub(super) whereabouts: Vec<(&'static str, String)>,
    pub(super) expected: Quantity,
    pub(super) counted: Option<Quantity>,
    pub(super) variance: Option<Quantity>,
    pub(super) unit_cost: Option<UnitCost>,
    pub(super) minor: i128,
    pub(super) by: Option<UserId>,
    /// What is to be said of it.
    pub(super) remark: String,
}

impl Shown {
    pub(super) fn of(line: &ReportLine<'_>) -> Self {
        let mut whereabouts = whereabouts(line.key);
        if let Some(unit) = &line.product.unit {
            whereabouts.push(("in", unit.name.to_string()));
        }
        Self {
            article: line.product.article_id.to_string(),
            name: line.product.name.to_string(),
            whereabouts,
            expected: line.expected,
            counted: line.counted,
            variance: line.variance,
            unit_cost: line.unit_cost,
            minor: line.minor.into(),
            by: line.by.map(|(user, _)| user),
            remark: String::new(),
        }
    }
}

/// What tells a key from others of its product, in words.
pub(super) fn whereabouts(key: &StockKey) -> Vec<(&'static str, String)> {
    let parts = [
        ("variant", &key.variant),
        ("place", &key.place),
        ("batch", &key.batch),
        ("serial", &key.serial),
    ];
    let known = |(what, code): (&'static str, &Option<crate::domain::Code>)| {
        code.as_ref().map(|code| (what, code.to_string()))
    };
    parts.into_iter().filter_map(known).collect()
}

/// By how much; among equals by article and key, so that the order of adding decides nothing.
type Rank = (Reverse<u128>, String, String);

/// The lines of which something is most. There are never more of them than are shown.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    most: usize,
    lines: BTreeMap<Rank, Shown>,
}

impl Ranking {
    /// So many lines at most.
    pub(super) const fn of(most: usize) -> Self {
        Self {
            most,
            lines: BTreeMap::new(),
        }
    }

    /// Adds a line, if it is among them.
    pub(super) fn add(&mut self, size: u128, line: &ReportLine<'_>, shown: impl FnOnce() -> Shown) {
        let is_full = self.lines.len() >= self.most;
        let least = self.lines.last_key_value().map(|(rank, _)| rank.0);
        if is_full && least.is_none_or(|Reverse(least)| size < least) {
            return;
        }
        let article = line.product.article_id.to_string();
        self.lines
            .insert((Reverse(size), article, line.key.canonical()), shown());
        if self.lines.len() > self.most {
            self.lines.pop_last();
        }
    }

    /// The lines, the first one first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Shown> {
        self.lines.values()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}
