//! Why the staff corrected the stock.

use std::fmt;

use super::text::words;

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
    pub(super) fn of(note: &str) -> Self {
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
