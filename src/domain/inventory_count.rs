//! An inventory count: one header, a line for each key that was counted.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use super::transition::{edge, named_states, step};
use super::{
    Currency, DecimalError, Edge, InventoryCountId, InventoryCountItemId, JobId, Label,
    LineProblem, Machine, MovementPolicy, Note, OrganisationId, Site, SiteId, Stamp, StockKey,
    Timestamp, TransitionError, UserSummary, Variance,
};

named_states! {
    /// What a count covers.
    CountType {
        /// Everything.
        Full = "FULL",
        /// A part, in turn.
        Cycle = "CYCLE",
        /// Here and there.
        Spot = "SPOT",
        /// Everything, for the year's accounts.
        Annual = "ANNUAL",
    }
}

named_states! {
    /// Where an inventory count stands.
    InventoryCountState {
        /// Being counted.
        InProgress = "IN_PROGRESS",
        /// Being added up, and its adjustments applied; locked against counting.
        Completing = "COMPLETING",
        /// Done.
        Completed = "COMPLETED",
        /// Given up; nothing was posted.
        Cancelled = "CANCELLED",
    }
}

named_states! {
    /// What can be asked of an inventory count.
    InventoryCountCommand {
        /// Count a key (S2.3). Guarded by the epoch; the header is not written.
        Count = "count",
        /// Lock it and begin to complete (S2.5).
        BeginCompleting = "complete",
        /// A chunk of lines is done with.
        Advance = "go on completing",
        /// Give up completing before anything was applied.
        AbandonCompleting = "abandon completing",
        /// All lines are done with.
        FinishCompleting = "finish completing",
        /// Give it up (S2.6).
        Cancel = "cancel",
    }
}

use InventoryCountCommand as Command;
use InventoryCountState as State;

/// What leads where. Everything else is refused.
pub const INVENTORY_COUNT_TRANSITIONS: &[Edge<InventoryCountState, InventoryCountCommand>] = &[
    edge(State::InProgress, Command::Count, State::InProgress),
    edge(
        State::InProgress,
        Command::BeginCompleting,
        State::Completing,
    ),
    edge(State::InProgress, Command::Cancel, State::Cancelled),
    edge(State::Completing, Command::Advance, State::Completing),
    edge(
        State::Completing,
        Command::AbandonCompleting,
        State::InProgress,
    ),
    edge(
        State::Completing,
        Command::FinishCompleting,
        State::Completed,
    ),
];

/// An inventory count. It changes only by its transitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryCount {
    id: InventoryCountId,
    organisation: OrganisationId,
    site: SiteId,
    currency: Currency,
    details: InventoryCountDetails,
    state: InventoryCountState,
    epoch: u64,
    round: u32,
    completion: Option<Completion>,
    refusal: Option<CountRefusal>,
    result: Option<CountResult>,
    started_by: UserSummary,
    started_at: Timestamp,
    updated_at: Timestamp,
    completed_by: Option<UserSummary>,
    completed_at: Option<Timestamp>,
    completion_notes: Option<Note>,
    cancelled_by: Option<UserSummary>,
    cancelled_at: Option<Timestamp>,
}

/// The words on a count, and how it posts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryCountDetails {
    /// Its name.
    pub name: Label,
    /// What it covers.
    pub kind: CountType,
    /// More about it.
    pub notes: Option<Note>,
    /// What it does about stock that moves while it is counted.
    pub movement_policy: MovementPolicy,
}

/// How a count is completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CompletionOptions {
    /// Makes the book match what was counted. Default: the count is only kept.
    pub apply_adjustments: bool,
    /// Leaves lines that can't be posted behind instead of refusing the whole completion.
    pub skip_unpostable: bool,
}

/// A completion that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// What it does now.
    pub stage: CompletionStage,
    /// The store's cursor behind the last line that it is done with; `None` at the beginning.
    pub after: Option<String>,
    /// How many lines it is done with.
    pub done: u64,
    /// How many lines there are; nothing before the first chunk.
    pub total: u64,
    /// The job that finishes it whatever happens.
    pub job: JobId,
    /// When it began.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: UserSummary,
    /// How it completes.
    pub options: CompletionOptions,
    /// What was said about it.
    pub notes: Option<Note>,
    /// What it has come to so far.
    pub tally: CountResult,
    /// Lines that can't be posted, found by the check: the first ones, at most
    /// [`REFUSED_LINES_TOLD`](super::REFUSED_LINES_TOLD).
    pub refused: Vec<RefusedCountItem>,
    /// How many lines can't be posted.
    pub refused_total: u64,
    /// Whether it was given up: lines that it has not come to yet are not posted.
    pub given_up: bool,
}

/// What a completion does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionStage {
    /// Looks for lines that can't be posted; nothing is posted yet.
    Check,
    /// Adds up and, where that was asked for, posts.
    Apply,
}

/// A completion that was refused because of lines that can't be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRefusal {
    /// When.
    pub at: Timestamp,
    /// How many lines.
    pub total: u64,
    /// The first of them.
    pub items: Vec<RefusedCountItem>,
    /// Who gave the completion up, if it was not refused because of lines.
    pub given_up_by: Option<UserSummary>,
}

/// A line that can't be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCountItem {
    /// The line.
    pub item: InventoryCountItemId,
    /// Its key.
    pub key: StockKey,
    /// Why.
    pub problem: LineProblem,
    /// What it is of, for people: the article and what tells its stock apart. Empty where that was not kept yet.
    #[serde(default)]
    pub name: Box<str>,
}

/// What a count came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountResult {
    /// What was counted, and what was off.
    pub totals: CountTotals,
    /// Lines whose discrepancy was posted, each with an adjustment.
    pub adjusted: u64,
    /// Lines whose count was older than what was known; they adjusted nothing.
    pub superseded: u64,
    /// Lines that could not be posted.
    pub unposted: u64,
}

/// The totals of counted lines: of a count, of a list of its lines, or of many counts (S2.7).
///
/// # Example
///
/// ```
/// use stocktake::domain::{CountTotals, Currency, Variance};
///
/// let usd: Currency = "usd".parse()?;
/// let mut totals = CountTotals::default();
/// for counted in ["8", "10", "11", "10"] {
///     let variance = Variance::of("10".parse()?, counted.parse()?, Some("2.50".parse()?), usd)?;
///     totals = totals.with(&variance);
/// }
/// assert_eq!((totals.items(), totals.discrepancies()), (4, 2));
/// assert_eq!((totals.missing_minor(), totals.excess_minor(), totals.net_minor()), (500, 250, -250));
/// assert_eq!(totals.accuracy().map(|it| it.to_string()), Some("0.5".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountTotals {
    items: u64,
    discrepancies: u64,
    missing_minor: i128,
    excess_minor: i128,
}

/// Fraction digits of an accuracy.
const ACCURACY_DIGITS: u32 = 6;

impl CountTotals {
    /// Takes totals that were added up elsewhere.
    ///
    /// # Errors
    ///
    /// [`DecimalError::OutOfRange`] for more discrepancies than lines, and for an amount that is negative or more than
    /// so many lines can have.
    pub fn new(
        items: u64,
        discrepancies: u64,
        missing_minor: i128,
        excess_minor: i128,
    ) -> Result<Self, DecimalError> {
        let most = i128::from(items).saturating_mul(i128::from(i64::MAX));
        let is_possible = |amount| (0..=most).contains(&amount);
        if discrepancies > items || !is_possible(missing_minor) || !is_possible(excess_minor) {
            return Err(DecimalError::OutOfRange);
        }
        Ok(Self {
            items,
            discrepancies,
            missing_minor,
            excess_minor,
        })
    }

    /// One line more.
    #[must_use]
    pub fn with(self, variance: &Variance) -> Self {
        self.and(Self {
            items: 1,
            discrepancies: u64::from(variance.is_discrepancy()),
            missing_minor: variance.missing_minor().into(),
            excess_minor: variance.excess_minor().into(),
        })
    }

    /// The sum: what is missing in one never hides what is too much in the other. It always fits: amounts are wide
    /// enough for as many lines as can be numbered, each of the largest amount.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            items: self.items.saturating_add(other.items),
            discrepancies: self.discrepancies.saturating_add(other.discrepancies),
            missing_minor: self.missing_minor.saturating_add(other.missing_minor),
            excess_minor: self.excess_minor.saturating_add(other.excess_minor),
        }
    }

    /// Lines.
    pub const fn items(self) -> u64 {
        self.items
    }

    /// Lines whose count differs from the book.
    pub const fn discrepancies(self) -> u64 {
        self.discrepancies
    }

    /// What is missing, in the minor unit; zero or more.
    pub const fn missing_minor(self) -> i128 {
        self.missing_minor
    }

    /// What is there beyond the book, in the minor unit; zero or more.
    pub const fn excess_minor(self) -> i128 {
        self.excess_minor
    }

    /// Excess minus missing.
    pub const fn net_minor(self) -> i128 {
        // Neither is negative, so the difference of the two always fits.
        self.excess_minor.saturating_sub(self.missing_minor)
    }

    /// The fraction of lines without a discrepancy, rounded to six digits; `None` without a line.
    pub fn accuracy(self) -> Option<Decimal> {
        let right = self.items.saturating_sub(self.discrepancies);
        Decimal::from(right)
            .checked_div(Decimal::from(self.items))
            .map(|fraction| {
                fraction
                    .round_dp_with_strategy(ACCURACY_DIGITS, RoundingStrategy::MidpointAwayFromZero)
                    .normalize()
            })
    }
}

impl InventoryCount {
    /// A new count, in progress (S2.2).
    pub fn start(
        id: InventoryCountId,
        site: &Site,
        details: InventoryCountDetails,
        stamp: &Stamp,
    ) -> Self {
        Self {
            id,
            organisation: site.organisation,
            site: site.id,
            currency: site.currency,
            details,
            state: State::InProgress,
            epoch: 1,
            round: 0,
            completion: None,
            refusal: None,
            result: None,
            started_by: stamp.actor.user.clone(),
            started_at: stamp.at,
            updated_at: stamp.at,
            completed_by: None,
            completed_at: None,
            completion_notes: None,
            cancelled_by: None,
            cancelled_at: None,
        }
    }

    /// Its id.
    pub const fn id(&self) -> InventoryCountId {
        self.id
    }

    /// Its organisation.
    pub const fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// Its site.
    pub const fn site(&self) -> SiteId {
        self.site
    }

    /// The currency of its values.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The words on it.
    pub const fn details(&self) -> &InventoryCountDetails {
        &self.details
    }

    /// Where it stands.
    pub const fn state(&self) -> InventoryCountState {
        self.state
    }

    /// Changes only when the state does: what counting is guarded by.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many completions have begun.
    pub const fn round(&self) -> u32 {
        self.round
    }

    /// The completion that is under way, with its progress.
    pub const fn completion(&self) -> Option<&Completion> {
        self.completion.as_ref()
    }

    /// Why the last completion was refused.
    pub const fn refusal(&self) -> Option<&CountRefusal> {
        self.refusal.as_ref()
    }

    /// What it came to, once it is completed. Before, its lines tell.
    pub const fn result(&self) -> Option<&CountResult> {
        self.result.as_ref()
    }

    /// Who started it.
    pub const fn started_by(&self) -> &UserSummary {
        &self.started_by
    }

    /// When it was started.
    pub const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// When its header last changed.
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Who completed it.
    pub const fn completed_by(&self) -> Option<&UserSummary> {
        self.completed_by.as_ref()
    }

    /// When it was completed.
    pub const fn completed_at(&self) -> Option<Timestamp> {
        self.completed_at
    }

    /// What was said about its completion.
    pub const fn completion_notes(&self) -> Option<&Note> {
        self.completion_notes.as_ref()
    }

    /// Who cancelled it.
    pub const fn cancelled_by(&self) -> Option<&UserSummary> {
        self.cancelled_by.as_ref()
    }

    /// When it was cancelled.
    pub const fn cancelled_at(&self) -> Option<Timestamp> {
        self.cancelled_at
    }

    /// Whether the state allows a command.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`].
    pub fn allows(
        &self,
        command: InventoryCountCommand,
    ) -> Result<InventoryCountState, TransitionError> {
        step(
            INVENTORY_COUNT_TRANSITIONS,
            Machine::InventoryCount,
            self.state,
            command,
        )
    }

    fn take_step(
        &self,
        command: InventoryCountCommand,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        let to = self.allows(command)?;
        let epoch = if to == self.state {
            self.epoch
        } else {
            self.epoch.saturating_add(1)
        };
        Ok(Self {
            state: to,
            epoch,
            updated_at: self.updated_at.max(at),
            ..self.clone()
        })
    }

    /// Who completes it now.
    pub(super) fn completing_by(&self) -> Result<&UserSummary, TransitionError> {
        self.allows(Command::FinishCompleting)?;
        self.completion
            .as_ref()
            .map(|completion| &completion.by)
            .ok_or(TransitionError::Rule {
                code: "nothing_under_way",
                message: "no completion is under way",
            })
    }

    /// Locks it and begins to complete (S2.5). What is posted is looked at first, unless lines may be left
    /// behind.
    ///
    /// # Errors
    ///
    /// [`TransitionError`]; so for every transition.
    pub fn begin_completing(
        &self,
        options: CompletionOptions,
        notes: Option<Note>,
        job: JobId,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::BeginCompleting, stamp.at)?;
        let stage = if options.apply_adjustments && !options.skip_unpostable {
            CompletionStage::Check
        } else {
            CompletionStage::Apply
        };
        Ok(Self {
            round: self.round.saturating_add(1),
            completion: Some(Completion {
                stage,
                after: None,
                done: 0,
                total: 0,
                job,
                at: stamp.at,
                by: stamp.actor.user.clone(),
                options,
                notes,
                tally: CountResult::default(),
                refused: Vec::new(),
                refused_total: 0,
                given_up: false,
            }),
            refusal: None,
            ..next
        })
    }

    /// A chunk of lines is done with.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn advance(&self, completion: Completion, at: Timestamp) -> Result<Self, TransitionError> {
        Ok(Self {
            completion: Some(completion),
            ..self.take_step(Command::Advance, at)?
        })
    }

    /// Gives up a completion that has not posted anything: it is in progress again, and the lines that can't
    /// be posted are kept.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `run_has_begun` when the check is over.
    pub fn abandon_completing(&self, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::AbandonCompleting, at)?;
        let refusal = self
            .completion
            .as_ref()
            .filter(|completion| completion.stage == CompletionStage::Check)
            .map(|completion| CountRefusal {
                at,
                total: completion.refused_total,
                items: completion.refused.clone(),
                given_up_by: None,
            })
            .ok_or(TransitionError::Rule {
                code: "run_has_begun",
                message: "lines have been changed already",
            })?;
        Ok(Self {
            completion: None,
            refusal: Some(refusal),
            ..next
        })
    }

    /// Gives up a completion that can't go on. One that has changed nothing yet: the count is in progress again. One that
    /// has: it goes on under another job, and posts nothing more.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`] when none is under way.
    pub fn give_up(&self, job: JobId, stamp: &Stamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::AbandonCompleting, stamp.at)?;
        let completion = self.completion.clone().ok_or(TransitionError::Rule {
            code: "nothing_under_way",
            message: "no completion is under way",
        })?;
        let is_untouched = match completion.stage {
            CompletionStage::Check => true,
            CompletionStage::Apply => completion.done == 0 && completion.after.is_none(),
        };
        if !is_untouched {
            let completion = Completion {
                given_up: true,
                job,
                ..completion
            };
            return self.advance(completion, stamp.at);
        }
        Ok(Self {
            completion: None,
            refusal: Some(CountRefusal {
                at: stamp.at,
                total: completion.refused_total,
                items: completion.refused,
                given_up_by: Some(stamp.actor.user.clone()),
            }),
            ..next
        })
    }

    /// All lines are done with.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `posting_not_begun` while the check goes on.
    pub fn finish_completing(&self, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::FinishCompleting, at)?;
        let completion = self
            .completion
            .clone()
            .filter(|completion| completion.stage == CompletionStage::Apply)
            .ok_or(TransitionError::Rule {
                code: "posting_not_begun",
                message: "the lines are still being checked",
            })?;
        Ok(Self {
            completion: None,
            result: Some(completion.tally),
            completed_by: Some(completion.by),
            completed_at: Some(at),
            completion_notes: completion.notes,
            ..next
        })
    }

    /// Gives it up (S2.6): nothing is posted, and the site may start another.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn cancel(&self, stamp: &Stamp) -> Result<Self, TransitionError> {
        Ok(Self {
            cancelled_by: Some(stamp.actor.user.clone()),
            cancelled_at: Some(stamp.at),
            ..self.take_step(Command::Cancel, stamp.at)?
        })
    }
}
