//! A model of stock takes, from the rules: what each line comes to.

use std::collections::BTreeMap;

use stocktake::domain::{
    Cause, Entered, LineOutcome, MovementPolicy, PostingOptions, StockEventId, StockKey,
    StockTakeId, StockTakeItem, StockTakeItemId, StockTakeState, UnitCost,
};

use super::amounts::pence;
use super::stock::{Beginning, Codes, Key, Moment, Policy};

/// A take.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) id: StockTakeId,
    pub(crate) site: usize,
    pub(crate) state: StockTakeState,
    pub(crate) policy: MovementPolicy,
    pub(crate) lines: BTreeMap<StockTakeItemId, Line>,
    /// Whether a job is still to add its lines.
    pub(crate) coming: bool,
    /// How it was last posted.
    pub(crate) options: PostingOptions,
    /// The number of the line that was added last.
    pub(crate) last_line: u64,
    /// When counting began.
    pub(crate) began_at: Option<i64>,
}

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) key: StockKey,
    /// What the key had had when the line was added, or the take began.
    pub(crate) began: Beginning,
    pub(crate) count: Option<Counted>,
    pub(crate) posting: Option<Posted>,
}

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) there: i64,
    pub(crate) moment: Moment,
    /// That of its first part.
    pub(crate) first: Moment,
    pub(crate) book: i64,
    /// Whether its first part was set.
    pub(crate) was_set: bool,
    pub(crate) cost: Option<UnitCost>,
}

/// What posting made of a line.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) outcome: Outcome,
    /// Whether nobody counted it, and it reads as counted with nothing.
    pub(crate) zeroed: bool,
    pub(crate) change: i64,
    pub(crate) event: Option<StockEventId>,
    pub(crate) cause: Cause,
    pub(crate) minor: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Adjusted,
    Confirmed,
    Uncounted,
    Superseded,
    Unposted,
    Dismissed,
}

impl From<&LineOutcome> for Outcome {
    fn from(outcome: &LineOutcome) -> Self {
        match outcome {
            LineOutcome::Adjusted => Self::Adjusted,
            LineOutcome::Confirmed => Self::Confirmed,
            LineOutcome::Uncounted => Self::Uncounted,
            LineOutcome::Superseded { .. } => Self::Superseded,
            LineOutcome::Unposted { .. } => Self::Unposted,
            LineOutcome::Dismissed => Self::Dismissed,
        }
    }
}

/// Whether a serial number is on hand at another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    No,
    Yes,
    /// That depends on a line of which it is not sure whether it can be posted.
    Unsure,
}

/// What a line must come to.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// It is known from then on that so many were there then.
    Known {
        moment: Moment,
        there: i64,
    },
    /// The same, or refused because of movements that were taken back since.
    Unsure {
        moment: Moment,
        there: i64,
    },
    Superseded,
    LeftAlone,
    Refused(Codes),
}

impl Counted {
    /// Whether one of its moments is later than a stated one, by a clock that has not been put right since.
    fn is_later(moment: &Moment, stated: &Moment, now: i64) -> bool {
        let was_ahead = moment.told.is_none() && moment.is_ahead_of(now);
        stated.at < moment.at && !was_ahead
    }

    /// Whether something that is entered at a moment comes too late.
    pub(crate) fn refuses(&self, entered: Entered, moment: &Moment, now: i64) -> bool {
        let later = |than| Self::is_later(than, moment, now);
        let too_late = match entered {
            Entered::Add(_) => self.was_set && later(&self.first) && later(&self.moment),
            Entered::Set(_) | Entered::Clear => later(&self.moment),
        };
        moment.told.is_some() && too_late
    }

    /// With a part more, which was counted at a moment.
    pub(crate) fn with_part(self, part: Self, now: i64) -> Self {
        let there = self.there + part.there;
        let (first, was_set) = (self.first, self.was_set);
        if part.moment.told.is_none() || !Self::is_later(&self.moment, &part.moment, now) {
            return Self {
                there,
                first,
                was_set,
                ..part
            };
        }
        let first = if Self::is_later(&self.first, &part.moment, now) {
            part.moment
        } else {
            first
        };
        Self {
            there,
            first,
            cost: part.cost,
            ..self
        }
    }
}

impl Take {
    /// In the order of adding.
    pub(crate) fn in_order(&self) -> Vec<(StockTakeItemId, Line)> {
        let mut lines: Vec<_> = self
            .lines
            .iter()
            .map(|(id, line)| (*id, line.clone()))
            .collect();
        lines.sort_by_key(|(_, line)| line.number);
        lines
    }

    /// Adds lines for keys that have none, and tells how many.
    pub(crate) fn add(&mut self, keys: Vec<(StockKey, Beginning)>) -> u64 {
        let mut added = 0;
        for (key, began) in keys {
            let id = StockTakeItemId::for_key(self.id, &key);
            if self.lines.contains_key(&id) {
                continue;
            }
            added += 1;
            self.last_line += 1;
            let line = Line {
                number: self.last_line,
                key,
                began,
                count: None,
                posting: None,
            };
            self.lines.insert(id, line);
        }
        added
    }

    pub(crate) fn counted(&self) -> u64 {
        let counted = self.lines.values().filter(|line| line.is_counted());
        u64::try_from(counted.count()).unwrap()
    }

    pub(crate) fn adjustment(&self) -> i64 {
        self.lines.values().map(Line::adjustment).sum()
    }

    /// How many lines are left over.
    pub(crate) fn unposted(&self) -> usize {
        let lines = self.lines.values();
        lines.filter(|line| self.is_due(line, true)).count()
    }

    /// Whether a posting goes over a line: of those that are left over, only over these.
    pub(crate) fn is_due(&self, line: &Line, left_over: bool) -> bool {
        !left_over
            || line
                .posting
                .as_ref()
                .is_some_and(|posting| posting.outcome == Outcome::Unposted)
    }

    /// What a line comes to that newer knowledge supersedes.
    fn superseded(&self) -> Verdict {
        match self.policy {
            MovementPolicy::KeepMovements | MovementPolicy::MatchCount => Verdict::Superseded,
            MovementPolicy::RefuseMoved => Verdict::Refused(vec!["superseded"]),
        }
    }

    /// What a line comes to when it is posted now.
    pub(crate) fn verdict(
        &self,
        line: &Line,
        key: &Key,
        policy: &Policy<'_>,
        zero_uncounted: bool,
        elsewhere: Elsewhere,
    ) -> Verdict {
        let level = key.level();
        let now = key.counted_now(policy.now);
        let counted = line.count.as_ref();
        let counted = counted.map(|count| (count, key.in_hindsight(&count.moment, policy.now)));
        let (moment, there, unsure) = match counted {
            Some((_, moment)) if key.supersedes(&moment, policy.now) => {
                return self.superseded();
            }
            Some((count, moment)) => match self.policy {
                MovementPolicy::KeepMovements => (moment, count.there, false),
                MovementPolicy::MatchCount => (now, count.there, false),
                MovementPolicy::RefuseMoved => {
                    let first = key.in_hindsight(&count.first, policy.now);
                    // By the time that a device states, something may be later that an earlier part had seen.
                    if key.moved_since(&first) || key.moved_since(&moment) {
                        return Verdict::Refused(vec!["moved_since_count"]);
                    }
                    let unsure = key.stirred_since(&first);
                    (moment, count.there, unsure)
                }
            },
            None if zero_uncounted => {
                let began_at = self.began_at.unwrap();
                let began = key.began(line.began, began_at, policy.now);
                match self.policy {
                    _ if key.supersedes_beginning(line.began, &began, policy.now) => {
                        return self.superseded();
                    }
                    MovementPolicy::KeepMovements => (began, key.had_left(&began), false),
                    MovementPolicy::MatchCount => (now, 0, false),
                    MovementPolicy::RefuseMoved if key.moved_since(&began) => {
                        return Verdict::Refused(vec!["moved_since_count"]);
                    }
                    MovementPolicy::RefuseMoved => {
                        (began, key.had_left(&began), key.stirred_since(&began))
                    }
                }
            }
            None => return Verdict::LeftAlone,
        };
        let after = key.level_after(moment, there);
        let mut codes = Codes::new();
        if after != level {
            if policy.is_closed(moment.at) {
                codes.push("period_closed");
            }
            let refused = key.refusals(&line.key, level, after, policy);
            codes.extend(refused.into_iter().map(|code| match code {
                "insufficient_stock" => "would_go_negative",
                other => other,
            }));
        }
        let asks = after > level || (after < level && after < 0);
        if asks && !key.has_cost(level, policy) {
            codes.push("cost_unknown");
        }
        let comes = line.key.serial.is_some() && level <= 0 && after > 0;
        let unsure = unsure || (comes && elsewhere == Elsewhere::Unsure);
        if comes && elsewhere == Elsewhere::Yes {
            codes.push("serial_elsewhere");
        }
        if unsure && !codes.is_empty() {
            codes.extend(["moved_since_count", "serial_elsewhere"]);
        }
        match (codes.is_empty(), unsure) {
            (false, _) => Verdict::Refused(codes),
            (true, true) => Verdict::Unsure { moment, there },
            (true, false) => Verdict::Known { moment, there },
        }
    }
}

impl Line {
    /// Whether it reads as counted.
    pub(crate) fn is_counted(&self) -> bool {
        let zeroed = self.posting.as_ref().is_some_and(|posting| posting.zeroed);
        self.count.is_some() || zeroed
    }

    fn adjustment(&self) -> i64 {
        match (&self.posting, &self.count) {
            (Some(posting), _) => posting.minor,
            (None, Some(count)) => pence(count.there - count.book, count.cost),
            (None, None) => 0,
        }
    }

    /// Whether the library's line is this one.
    pub(crate) fn check(&self, item: &StockTakeItem) -> Result<(), String> {
        ensure!(item.key == self.key, "another key: {item:?}");
        ensure!(item.line == self.number, "not line {}", self.number);
        match (&self.count, &item.count) {
            (None, None) => {}
            (Some(model), Some(count)) => {
                let same = count.quantity.micros() == model.there
                    && count.moment.at.micros() == model.moment.at
                    && count.moment.sequence == model.moment.sequence
                    && count.moment.book.micros() == model.book
                    && count.first.at.micros() == model.first.at
                    && count.first.sequence == model.first.sequence
                    && count.adjustment_minor == pence(model.there - model.book, model.cost);
                ensure!(same, "counted {model:?}, not {count:?}");
            }
            (model, count) => return Err(format!("counted {model:?}, not {count:?}")),
        }
        match (&self.posting, &item.posting) {
            (None, None) => {}
            (Some(model), Some(posting)) => {
                let same = Outcome::from(&posting.outcome) == model.outcome
                    && posting.zeroed == model.zeroed
                    && posting.change.micros() == model.change
                    && posting.event == model.event
                    && posting.adjustment_minor == model.minor;
                ensure!(same, "posted as {model:?}, not {posting:?}");
            }
            (model, posting) => return Err(format!("posted as {model:?}, not {posting:?}")),
        }
        ensure!(
            item.is_counted() == self.is_counted(),
            "counted: {}, not {item:?}",
            self.is_counted()
        );
        ensure!(
            item.adjustment_minor() == self.adjustment(),
            "the adjustment is not {}",
            self.adjustment()
        );
        Ok(())
    }
}
