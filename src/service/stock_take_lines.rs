//! What posting makes of a line of a take.

use crate::domain::{
    Cause, Change, CostLayer, CountMoment, IncomingCost, KeyHistory, LineOutcome, LinePosting,
    LineProblem, Move, Now, Pick, PostingResult, Product, Quantity, Run, Settlement, Site, Stamp,
    StockEvent, StockEventKind, StockLevel, StockTake, StockTakeItem, Terms, UnitCost, Value,
    ValueSum, settle, settle_uncounted, variance_minor,
};

use super::serial_marks::SerialMarks;
use super::stock_take_chunks::Chunk;

/// One line, decided.
pub(super) struct Decided {
    pub(super) item: StockTakeItem,
    pub(super) level: Option<StockLevel>,
    /// The variance comes last, after at most a revaluation.
    pub(super) events: Vec<StockEvent>,
}

/// Decides what a line posts. Lines are to be decided in the order in which their serial numbers move.
pub(super) fn decide(
    take: &StockTake,
    run: &Run,
    site: &Site,
    stamp: &Stamp,
    item: &StockTakeItem,
    chunk: &Chunk,
    serials: &mut SerialMarks,
) -> Decided {
    let level = chunk.levels.get(&item.key).map(|level| &level.value);
    let terms = Terms {
        site,
        standard: chunk.costs.standard(&item.product, site),
        elsewhere: chunk.costs.unit_cost(site.id, item.key.product),
        at: stamp.at,
        by: run.by.id,
    };
    let cause = Cause::StockTake {
        take: take.id(),
        item: item.id,
        round: take.round(),
    };
    let history = KeyHistory {
        level,
        later: chunk.later.get(&item.key).map_or(&[][..], Vec::as_slice),
        now: Now {
            at: stamp.at,
            tolerance_millis: site.policy.clock_tolerance_millis,
        },
    };
    let policy = take.details().movement_policy;
    let book = level.map_or(Quantity::ZERO, StockLevel::quantity);
    let mut line = Line {
        item,
        level,
        terms,
        cause,
        zeroed: item.count.is_none() && run.options.zero_uncounted,
        serials,
    };
    if run.given_up && (item.count.is_some() || line.zeroed) {
        let expected = item.count.as_ref().map_or(book, |count| count.moment.book);
        // One that was left over before keeps its own reason.
        let before = item.posting.as_ref().map(|posting| &posting.outcome);
        let problem = match before {
            Some(LineOutcome::Unposted { problem }) => problem.clone(),
            Some(_) | None => LineProblem::GivenUp,
        };
        return line.unposted(problem, expected);
    }
    let (settled, unit_cost) = match &item.count {
        Some(count) => (settle(count, &history, policy), count.unit_cost),
        None if line.zeroed => {
            let began_at = take.began_at().unwrap_or(take.created_at());
            let cost = level
                .and_then(|level| level.valuation().current_cost(book, terms.cost_otherwise()));
            let settled = settle_uncounted(&item.began, began_at, &history, policy);
            (settled, cost)
        }
        None => return line.left_alone(LineOutcome::Uncounted, book),
    };
    match settled {
        Ok(Settlement::Adjust {
            expected,
            change,
            moment,
            moves,
        }) => line.posted(expected, change, moment, unit_cost, moves),
        Ok(Settlement::LeftAlone { outcome, expected }) => line.left_alone(outcome, expected),
        Err(_) => line.unposted(LineProblem::OutOfRange, book),
    }
}

/// A line with what it is posted under.
struct Line<'a> {
    item: &'a StockTakeItem,
    level: Option<&'a StockLevel>,
    terms: Terms<'a>,
    cause: Cause,
    /// Whether finishing counts it as zero.
    zeroed: bool,
    serials: &'a mut SerialMarks,
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
}

impl Line<'_> {
    fn posted(
        &mut self,
        expected: Quantity,
        quantity: Quantity,
        moment: CountMoment,
        unit_cost: Option<UnitCost>,
        moves: Vec<Move>,
    ) -> Decided {
        let Cause::StockTake { round, .. } = self.cause else {
            return self.unposted(LineProblem::OutOfRange, expected);
        };
        let change = Change {
            id: self.item.variance_id(round),
            kind: StockEventKind::CountVariance,
            quantity,
            cost: IncomingCost::Current,
            pick: Pick::Oldest,
            occurred_at: None,
            reason: None,
            reference: None,
            cause: self.cause,
            of: None,
            reverses: None,
        };
        let blank = StockLevel::new(self.item.key.clone(), self.terms.at);
        let (level, events) = match self
            .level
            .unwrap_or(&blank)
            .settle(change, moment, &self.terms)
        {
            Ok(settled) => settled,
            Err(problem) => return self.unposted(problem.into(), expected),
        };
        let Ok(adjustment_minor) = variance_minor(quantity, unit_cost, self.terms.site.currency)
        else {
            return self.unposted(LineProblem::OutOfRange, expected);
        };
        let before = self.level.map_or(Quantity::ZERO, StockLevel::quantity);
        let scope = self.terms.site.policy.serials;
        if let Err(elsewhere) = self.serials.moved(before, &level, scope) {
            return self.unposted(elsewhere.problem(), expected);
        }
        let outcome = if quantity.is_zero() {
            LineOutcome::Confirmed
        } else {
            LineOutcome::Adjusted
        };
        let posting = LinePosting {
            change: quantity,
            adjustment_minor,
            event: events.last().map(|event| event.id),
            learned: level.learned_since(self.level, &self.terms),
            moves,
            ..self.after(outcome, expected, Some(&level))
        };
        self.with(posting, Some(level), events)
    }

    fn left_alone(&self, outcome: LineOutcome, expected: Quantity) -> Decided {
        self.with(self.after(outcome, expected, self.level), None, Vec::new())
    }

    fn unposted(&self, problem: LineProblem, expected: Quantity) -> Decided {
        self.left_alone(LineOutcome::Unposted { problem }, expected)
    }

    fn with(
        &self,
        posting: LinePosting,
        level: Option<StockLevel>,
        events: Vec<StockEvent>,
    ) -> Decided {
        let item = StockTakeItem {
            posting: Some(posting),
            updated_at: self.terms.at,
            ..self.item.clone()
        };
        Decided {
            item,
            level,
            events,
        }
    }

    /// What a line keeps of the level after posting.
    fn after(
        &self,
        outcome: LineOutcome,
        expected: Quantity,
        level: Option<&StockLevel>,
    ) -> LinePosting {
        let on_hand = level.map_or(Quantity::ZERO, StockLevel::quantity);
        LinePosting {
            outcome,
            zeroed: self.zeroed,
            expected,
            change: Quantity::ZERO,
            adjustment_minor: 0,
            event: None,
            learned: None,
            moves: Vec::new(),
            sequence: self.level.map_or(0, StockLevel::sequence),
            on_hand,
            reserved: level.map_or(Quantity::ZERO, StockLevel::reserved),
            layers: level.map_or_else(Vec::<CostLayer>::new, |level| {
                level.valuation().layers().to_vec()
            }),
            standard_value: standard_value(&self.item.product, on_hand, self.terms.site),
            fifo_value: level.map_or(Value::ZERO, |level| level.valuation().fifo_value()),
        }
    }
}

fn standard_value(product: &Product, on_hand: Quantity, site: &Site) -> ValueSum {
    let cost = product
        .standard_cost(site.currency)
        .unwrap_or(UnitCost::ZERO);
    ValueSum::at_cost(on_hand, cost, site.currency)
}

/// Adds a line to what the posting comes to; of a line that was left over, its earlier values are in it
/// already.
pub(super) fn tally(
    result: &mut PostingResult,
    item: &StockTakeItem,
    before: Option<&LinePosting>,
) {
    let Some(posting) = &item.posting else {
        return;
    };
    let counter = match posting.outcome {
        LineOutcome::Adjusted => &mut result.adjusted,
        LineOutcome::Confirmed => &mut result.confirmed,
        LineOutcome::Uncounted => &mut result.uncounted,
        LineOutcome::Dismissed => &mut result.dismissed,
        LineOutcome::Superseded { .. } => &mut result.superseded,
        LineOutcome::Unposted { .. } => &mut result.unposted,
    };
    *counter = counter.saturating_add(1);
    result.adjustment_minor = result
        .adjustment_minor
        .saturating_add(posting.adjustment_minor.into());
    let (was_standard, was_fifo) = before.map_or((ValueSum::ZERO, Value::ZERO), |before| {
        (before.standard_value, before.fifo_value)
    });
    let tallied = |sum: ValueSum| sum.plus(posting.fifo_value).minus(was_fifo);
    result.standard_value = result
        .standard_value
        .plus(posting.standard_value)
        .minus(was_standard);
    result.fifo_value = tallied(result.fifo_value);
    let account = item
        .product
        .account
        .as_ref()
        .map_or("", |account| account.as_str());
    let sum = result.accounts.entry(account.to_owned()).or_default();
    *sum = tallied(*sum);
}
