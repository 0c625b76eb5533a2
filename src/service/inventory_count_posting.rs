//! What a line of an inventory count posts (S2.5).

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::{
    Cause, Change, Completion, CountItemPosting, CountMoment, CountResult, IncomingCost,
    InventoryCount, InventoryCountItem, KeyHistory, LineOutcome, LineProblem, Move, Note, Now,
    Pick, Quantity, REFUSED_LINES_TOLD, RefusedCountItem, Settlement, StockAdjustment, StockEvent,
    StockEventId, StockEventKind, StockKey, StockLevel, Terms, settle, variance_minor,
};
use crate::store::Versioned;

use super::Error;
use super::error::named;
use super::serial_marks::SerialMarks;
use super::site_costs::SiteCosts;

/// One line, decided.
pub(super) struct Decided {
    pub(super) item: InventoryCountItem,
    pub(super) level: Option<StockLevel>,
    /// The variance comes last, after at most a revaluation.
    pub(super) events: Vec<StockEvent>,
    pub(super) adjustment: Option<StockAdjustment>,
}

/// What the lines of a chunk are decided by.
pub(super) struct Lines<'a> {
    /// Their count.
    pub(super) count: &'a InventoryCount,
    /// What it is recorded under; the standard cost is each line's own.
    pub(super) terms: Terms<'a>,
    /// The levels of their keys.
    pub(super) levels: &'a BTreeMap<StockKey, Versioned<StockLevel>>,
    /// What their products cost at the site, where keys know no cost.
    pub(super) costs: &'a SiteCosts,
    /// What happened to their keys since they were counted.
    pub(super) later: &'a BTreeMap<StockKey, Vec<StockEvent>>,
    /// The marks of their serial numbers, as the lines that were decided leave them.
    pub(super) serials: SerialMarks,
}

impl Lines<'_> {
    /// Decides what a line posts. Lines are to be decided in the order in which their serial numbers move.
    pub(super) fn decide(&mut self, item: &InventoryCountItem) -> Result<Decided, Error> {
        let policy = self.count.details().movement_policy;
        let level = self.level(item);
        let history = KeyHistory {
            level,
            later: self.later.get(&item.key).map_or(&[][..], Vec::as_slice),
            now: Now {
                at: self.terms.at,
                tolerance_millis: self.terms.site.policy.clock_tolerance_millis,
            },
        };
        match settle(&item.counted, &history, policy) {
            Ok(Settlement::Adjust {
                expected,
                change,
                moment,
                moves,
            }) => self.posted(item, (expected, change), moment, moves),
            Ok(Settlement::LeftAlone { outcome, expected }) => {
                self.left_alone(item, outcome, expected)
            }
            Err(_) => self.unposted(item, LineProblem::OutOfRange),
        }
    }

    /// A line that a completion did not come to before it was given up.
    pub(super) fn given_up(&self, item: &InventoryCountItem) -> Result<Decided, Error> {
        self.unposted(item, LineProblem::GivenUp)
    }

    fn level(&self, item: &InventoryCountItem) -> Option<&StockLevel> {
        let level = self.levels.get(&item.key);
        level.map(|level| &level.value)
    }

    fn posted(
        &mut self,
        item: &InventoryCountItem,
        (expected, quantity): (Quantity, Quantity),
        moment: CountMoment,
        moves: Vec<Move>,
    ) -> Result<Decided, Error> {
        let (level, currency) = (self.level(item), self.count.currency());
        let terms = Terms {
            standard: self.costs.standard(&item.product, self.terms.site),
            elsewhere: self.costs.unit_cost(item.key.site, item.key.product),
            ..self.terms
        };
        let blank = StockLevel::new(item.key.clone(), terms.at);
        let change = self.change(item, quantity);
        let settled = level.unwrap_or(&blank).settle(change, moment, &terms);
        let (level, events) = match settled {
            Ok(settled) => settled,
            Err(problem) => return self.unposted(item, problem.into()),
        };
        let Ok(adjustment_minor) = variance_minor(quantity, item.counted.unit_cost, currency)
        else {
            return self.unposted(item, LineProblem::OutOfRange);
        };
        let event = events.last();
        let adjustment = match event {
            Some(event) => Some(self.adjustment(item, event)?),
            None => None,
        };
        let outcome = match event {
            Some(_) => LineOutcome::Adjusted,
            None => LineOutcome::Confirmed,
        };
        let posting = CountItemPosting {
            outcome,
            expected,
            change: quantity,
            adjustment_minor,
            event: event.map(|event| event.id),
            adjustment: adjustment.as_ref().map(StockAdjustment::id),
            moves,
        };
        let Ok(next) = item.posted(posting, currency, terms.at) else {
            return self.unposted(item, LineProblem::OutOfRange);
        };
        let before = self
            .level(item)
            .map_or(Quantity::ZERO, StockLevel::quantity);
        let scope = self.terms.site.policy.serials;
        if let Err(elsewhere) = self.serials.moved(before, &level, scope) {
            return self.unposted(item, elsewhere.problem());
        }
        Ok(Decided {
            item: next,
            level: Some(level),
            events,
            adjustment,
        })
    }

    fn change(&self, item: &InventoryCountItem, quantity: Quantity) -> Change {
        let round = self.count.round().to_be_bytes();
        Change {
            id: StockEventId::new(Uuid::new_v5(&item.id.as_uuid(), &round)),
            kind: StockEventKind::CountVariance,
            quantity,
            cost: IncomingCost::Current,
            pick: Pick::Oldest,
            occurred_at: None,
            reason: item.reason.clone(),
            reference: None,
            cause: Cause::InventoryCount(self.count.id()),
            of: None,
            reverses: None,
        }
    }

    /// The approved record of what an event changed (S2.5).
    fn adjustment(
        &self,
        item: &InventoryCountItem,
        event: &StockEvent,
    ) -> Result<StockAdjustment, Error> {
        let reason = match &item.reason {
            Some(reason) => reason.clone(),
            None => Note::new(format!("inventory count: {}", self.count.details().name))
                .map_err(|error| Error::text("reason", error))?,
        };
        let at = self.terms.at;
        Ok(StockAdjustment::of_count(
            self.count, item, event, reason, at,
        )?)
    }

    fn unposted(&self, item: &InventoryCountItem, problem: LineProblem) -> Result<Decided, Error> {
        let book = item.counted.moment.book;
        self.left_alone(item, LineOutcome::Unposted { problem }, book)
    }

    fn left_alone(
        &self,
        item: &InventoryCountItem,
        outcome: LineOutcome,
        expected: Quantity,
    ) -> Result<Decided, Error> {
        let posting = CountItemPosting {
            outcome,
            expected,
            change: Quantity::ZERO,
            adjustment_minor: 0,
            event: None,
            adjustment: None,
            moves: Vec::new(),
        };
        let item = item.posted(posting, self.count.currency(), self.terms.at)?;
        Ok(Decided {
            item,
            level: None,
            events: Vec::new(),
            adjustment: None,
        })
    }
}

impl Decided {
    /// Whether it brings the unit of a serial number to its key.
    pub(super) fn brings_unit(&self) -> bool {
        let event = self.events.last();
        event.is_some_and(|event| !event.before.is_positive() && event.after.is_positive())
    }

    /// Whether it takes the unit of a serial number from its key.
    pub(super) fn takes_unit_away(&self) -> bool {
        let event = self.events.last();
        event.is_some_and(|event| event.before.is_positive() && !event.after.is_positive())
    }

    /// Adds the line to what the count comes to.
    pub(super) fn tallied(&self, result: CountResult) -> CountResult {
        let mut result = CountResult {
            totals: result.totals.with(&self.item.variance),
            ..result
        };
        let counter = match self.outcome() {
            Some(LineOutcome::Adjusted) => &mut result.adjusted,
            Some(LineOutcome::Superseded { .. }) => &mut result.superseded,
            Some(LineOutcome::Unposted { .. }) => &mut result.unposted,
            Some(LineOutcome::Confirmed | LineOutcome::Uncounted | LineOutcome::Dismissed)
            | None => return result,
        };
        *counter = counter.saturating_add(1);
        result
    }

    /// Tells a line that can't be posted; only the first ones are told one by one.
    pub(super) fn refused(&self, completion: &mut Completion) {
        let Some(LineOutcome::Unposted { problem }) = self.outcome() else {
            return;
        };
        completion.refused_total = completion.refused_total.saturating_add(1);
        if completion.refused.len() < REFUSED_LINES_TOLD {
            completion.refused.push(RefusedCountItem {
                item: self.item.id,
                key: self.item.key.clone(),
                problem: problem.clone(),
                name: named(&self.item.key, Some(&self.item.product), None).into(),
            });
        }
    }

    fn outcome(&self) -> Option<&LineOutcome> {
        self.item.posting.as_ref().map(|posting| &posting.outcome)
    }
}
