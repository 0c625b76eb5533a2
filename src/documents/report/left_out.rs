//! Lines that are to be looked at by somebody: superseded, moved, not posted, not counted.

use chrono::FixedOffset;

use crate::domain::{Cause, LineOutcome, LineProblem, Move, Quantity, Timestamp, ValueSum};

use super::amount::{Figure, Pieces};
use super::line::ReportLine;
use super::ranking::{Ranking, Shown, whereabouts};

/// How many lines of each kind are told one by one.
const TOLD: usize = 10;

/// Why a line is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Superseded,
    Unposted,
    Dismissed,
    Moved,
    Zeroed,
    Uncounted,
}

impl Why {
    const ALL: [Self; 6] = [
        Self::Superseded,
        Self::Unposted,
        Self::Dismissed,
        Self::Moved,
        Self::Zeroed,
        Self::Uncounted,
    ];

    /// In a few words.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Superseded => "Superseded",
            Self::Unposted => "Not posted yet",
            Self::Dismissed => "Dismissed",
            Self::Moved => "Moved while counted",
            Self::Zeroed => "Counted as zero by finishing",
            Self::Uncounted => "Not counted",
        }
    }

    /// What it means.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Superseded => {
                "What is there became known later than the count. The count adjusted nothing, and is in no figure above."
            }
            Self::Unposted => {
                "The line can\u{2019}t be posted as things are: post it again or dismiss it. It is in no figure above."
            }
            Self::Dismissed => {
                "The line could not be posted, and somebody decided that it never will be. It is in no figure above."
            }
            Self::Moved => {
                "Stock moved after the line was counted. What moved is not taken for a variance; a line that moved between two parts of its count is worth counting again."
            }
            Self::Zeroed => "Nobody counted the line, and finishing took it for zero.",
            Self::Uncounted => {
                "Nobody counted the line. It is neither right nor wrong, and is left as it is."
            }
        }
    }

    /// What the value beside each line is.
    pub(super) const fn value(self) -> &'static str {
        match self {
            Self::Superseded | Self::Unposted | Self::Dismissed => "Value, as counted",
            Self::Moved | Self::Zeroed => "Value of variance",
            Self::Uncounted => "Book value",
        }
    }
}

/// Lines that are to be looked at, by why.
#[derive(Clone, Debug)]
pub(super) struct LeftOut {
    kinds: [Kind; Why::ALL.len()],
}

/// The lines of one kind.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) why: Why,
    pub(super) lines: u64,
    pub(super) first: Ranking,
}

impl LeftOut {
    pub(super) fn new() -> Self {
        let kind = |why| Kind {
            why,
            lines: 0,
            first: Ranking::of(TOLD),
        };
        Self {
            kinds: Why::ALL.map(kind),
        }
    }

    /// Those of which there are any.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(|kind| kind.lines > 0)
    }

    /// Adds a line, if it is to be looked at.
    pub(super) fn add(&mut self, line: &ReportLine<'_>, offset: FixedOffset) {
        let told = |at: Timestamp| super::page::moment(at, offset);
        let by_count = i128::from(line.minor_as_counted);
        match line.outcome {
            Some(LineOutcome::Superseded { known_at, by }) => {
                let remark = || format!("Known {} by {}", told(*known_at), cause(by));
                self.put(Why::Superseded, line, by_count, remark);
            }
            Some(LineOutcome::Unposted { problem }) => {
                self.put(Why::Unposted, line, by_count, || words(problem, told));
            }
            Some(LineOutcome::Dismissed) => {
                self.put(Why::Dismissed, line, by_count, String::new);
            }
            Some(LineOutcome::Adjusted | LineOutcome::Confirmed | LineOutcome::Uncounted)
            | None => {
                if line.counted.is_none() {
                    let book = line.unit_cost.map_or(ValueSum::ZERO, |cost| {
                        ValueSum::at_cost(line.expected, cost, line.currency)
                    });
                    let book = book.to_money(line.currency).minor();
                    self.put(Why::Uncounted, line, book, String::new);
                }
            }
        }
        if line.zeroed {
            self.put(Why::Zeroed, line, line.minor.into(), String::new);
        }
        if !line.moves.is_empty() {
            self.put(Why::Moved, line, line.minor.into(), || moved(line.moves));
        } else if let Some(by) = line.moved_since {
            let remark = || format!("{} since the count", Figure::quantity_off(by.into()).shown);
            self.put(Why::Moved, line, line.minor.into(), remark);
        }
    }

    fn put(
        &mut self,
        why: Why,
        line: &ReportLine<'_>,
        minor: i128,
        remark: impl FnOnce() -> String,
    ) {
        let Some(kind) = self.kinds.iter_mut().find(|kind| kind.why == why) else {
            return;
        };
        kind.lines = kind.lines.saturating_add(1);
        kind.first.add(minor.unsigned_abs(), line, || Shown {
            minor,
            remark: remark(),
            ..Shown::of(line)
        });
    }
}

/// What moved, in words.
fn moved(moves: &[Move]) -> String {
    let sum = moves
        .iter()
        .fold(Pieces::default(), |sum, it| sum.plus(it.change.into()));
    let by = Figure::quantity_off(sum).shown;
    let number = u64::try_from(moves.len()).unwrap_or(u64::MAX);
    let number = match number {
        1 => "1 move".to_owned(),
        _ => format!("{} moves", Figure::number(number).shown),
    };
    if moves.iter().any(|it| it.between_parts) {
        return format!("{by} in {number}, between parts of the count: count again");
    }
    format!("{by} in {number}")
}

/// What made the truth known.
const fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::Movement => "a movement",
        Cause::StockTake { .. } => "another stock take",
        Cause::InventoryCount(_) => "an inventory count",
        Cause::Adjustment(_) => "an adjustment",
        Cause::Order { .. } => "a receipt of an order",
        Cause::Import(_) => "an import",
        Cause::Policy => "a change of policy",
    }
}

/// Why a line can't be posted, for people: without ids.
fn words(problem: &LineProblem, told: impl Fn(Timestamp) -> String) -> String {
    let shown = |quantity: &Quantity| Figure::quantity((*quantity).into()).shown;
    match problem {
        LineProblem::BelowZero { on_hand, change } => format!(
            "Stock would fall below zero: {} on hand, change {}",
            shown(on_hand),
            Figure::quantity_off((*change).into()).shown
        ),
        LineProblem::Moved { moves } => format!("Stock moved after the count: {}", moved(moves)),
        LineProblem::Superseded { known_at, by } => {
            format!("Known {} by {}", told(*known_at), cause(by))
        }
        LineProblem::CostUnknown => "No cost is known for what was found".to_owned(),
        LineProblem::PeriodClosed { closed_until } => {
            format!(
                "The period of the count is closed until {}",
                told(*closed_until)
            )
        }
        LineProblem::SerialQuantity { quantity } => {
            format!("The serial number would be there {} times", shown(quantity))
        }
        LineProblem::SerialElsewhere { at } => {
            let mut told = "The serial number is on hand elsewhere".to_owned();
            for (what, code) in at.iter().flat_map(|key| whereabouts(key)) {
                if what != "serial" {
                    told.extend([", ", what, " ", &code]);
                }
            }
            told
        }
        LineProblem::OutOfRange => "The level would leave its range".to_owned(),
        LineProblem::GivenUp => "The posting was given up before it came to the line".to_owned(),
    }
}
