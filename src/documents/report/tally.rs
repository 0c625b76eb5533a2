//! What some lines come to together.

use crate::domain::{Timestamp, ValueSum};

use super::amount::Pieces;
use super::line::ReportLine;

/// Sums over lines. What is missing and what is too much are kept apart, so that neither hides the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Lines.
    pub(super) lines: u64,
    /// Of these, counted.
    pub(super) counted: u64,
    /// Of these, compared with the book: they are right or off.
    pub(super) compared: u64,
    /// Of these, off: with less than expected.
    pub(super) short: u64,
    /// Of these, off: with more than expected.
    pub(super) over: u64,
    /// What was expected on the lines that were compared.
    pub(super) expected: Pieces,
    /// What was counted on them.
    pub(super) found: Pieces,
    /// What is missing, zero or more.
    pub(super) missing: Pieces,
    /// What is too much, zero or more.
    pub(super) excess: Pieces,
    /// The value of what is missing, in the minor unit, zero or more.
    pub(super) missing_minor: i128,
    /// The value of what is too much, in the minor unit, zero or more.
    pub(super) excess_minor: i128,
    /// What was expected on the lines that were compared, at the unit costs of the count.
    pub(super) book: ValueSum,
    /// What is on hand after posting, by first in, first out.
    pub(super) stock: ValueSum,
    /// Lines that are off and have no known cost: they are worth nothing here.
    pub(super) uncosted: u64,
    /// When the first and the last of them were counted.
    pub(super) span: Option<(Timestamp, Timestamp)>,
}

impl Tally {
    /// Adds a line.
    pub(super) fn add(&mut self, line: &ReportLine<'_>) {
        self.lines = self.lines.saturating_add(1);
        self.counted = self
            .counted
            .saturating_add(u64::from(line.counted.is_some()));
        if let Some((_, at)) = line.by {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
        }
        if let Some(posting) = line.posting {
            self.stock = self.stock.plus(posting.fifo_value);
        }
        let (Some(counted), Some(variance)) = (line.counted, line.variance) else {
            return;
        };
        self.compared = self.compared.saturating_add(1);
        self.expected = self.expected.plus(line.expected.into());
        self.found = self.found.plus(counted.into());
        if let Some(cost) = line.unit_cost {
            let book = ValueSum::at_cost(line.expected, cost, line.currency);
            self.book = self.book.plus(book);
        } else if !variance.is_zero() {
            self.uncosted = self.uncosted.saturating_add(1);
        }
        let minor = i128::from(line.minor);
        if variance.is_negative() {
            self.short = self.short.saturating_add(1);
            self.missing = self.missing.minus(variance.into());
            self.missing_minor = self.missing_minor.saturating_sub(minor);
        } else if variance.is_positive() {
            self.over = self.over.saturating_add(1);
            self.excess = self.excess.plus(variance.into());
            self.excess_minor = self.excess_minor.saturating_add(minor);
        }
    }

    /// These lines and those.
    #[must_use]
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (sum, more) in [
            (&mut self.lines, other.lines),
            (&mut self.counted, other.counted),
            (&mut self.compared, other.compared),
            (&mut self.short, other.short),
            (&mut self.over, other.over),
            (&mut self.uncosted, other.uncosted),
        ] {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in [
            (&mut self.expected, other.expected),
            (&mut self.found, other.found),
            (&mut self.missing, other.missing),
            (&mut self.excess, other.excess),
        ] {
            *sum = sum.plus(more);
        }
        self.missing_minor = self.missing_minor.saturating_add(other.missing_minor);
        self.excess_minor = self.excess_minor.saturating_add(other.excess_minor);
        self.book = self.book.plus(other.book);
        self.stock = self.stock.plus(other.stock);
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((other_first, other_last))) => {
                Some((first.min(other_first), last.max(other_last)))
            }
            (one, other) => one.or(other),
        };
        self
    }

    /// Lines that are off.
    pub(super) const fn off(&self) -> u64 {
        self.short.saturating_add(self.over)
    }

    /// Lines that are right.
    pub(super) const fn right(&self) -> u64 {
        self.compared.saturating_sub(self.off())
    }

    /// What is too much less what is missing, in the minor unit.
    pub(super) const fn net_minor(&self) -> i128 {
        self.excess_minor.saturating_sub(self.missing_minor)
    }

    /// What is too much and what is missing, in the minor unit.
    pub(super) const fn gross_minor(&self) -> i128 {
        self.excess_minor.saturating_add(self.missing_minor)
    }

    /// What is too much less what is missing.
    pub(super) const fn net(&self) -> Pieces {
        self.excess.minus(self.missing)
    }

    /// What is too much and what is missing.
    pub(super) const fn gross(&self) -> Pieces {
        self.excess.plus(self.missing)
    }
}
