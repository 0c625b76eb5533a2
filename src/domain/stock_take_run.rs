//! The long work on a stock take: adding its lines, posting it, taking its posting back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Code, JobId, LineProblem, Note, Stamp, StockKey, StockTakeId, StockTakeItemId, Timestamp,
    UserSummary, ValueSum,
};

/// Lines on their way into a take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    /// Where they come from.
    pub source: PopulationSource,
    /// The job that adds them.
    pub job: JobId,
    /// The store's cursor behind the last that was looked at; `None` at the beginning.
    pub after: Option<String>,
    /// How many keys were looked at.
    pub done: u64,
    /// How many there were to look at when it began.
    pub total: u64,
}

impl Population {
    /// From the beginning of a source.
    pub const fn of(source: PopulationSource, job: JobId) -> Self {
        Self {
            source,
            job,
            after: None,
            done: 0,
            total: 0,
        }
    }
}

/// Where a take's lines come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PopulationSource {
    /// Every stocked key of the site.
    Stocked,
    /// Every stocked key of a stock place.
    StockPlace(Code),
    /// The keys of another take, as far as they are still stocked.
    CopyOf(StockTakeId),
}

/// A posting or a reversal that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What it does now.
    pub stage: RunStage,
    /// The store's cursor behind the last line that it is done with; `None` at the beginning.
    pub after: Option<String>,
    /// How many lines it is done with.
    pub done: u64,
    /// How many lines there are to be done with; nothing before the first chunk.
    pub total: u64,
    /// The job that finishes it whatever happens.
    pub job: JobId,
    /// When it began.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: UserSummary,
    /// How it posts.
    pub options: PostingOptions,
    /// Why (a reopening).
    pub reason: Option<Note>,
    /// What it has come to so far.
    pub tally: PostingResult,
    /// Lines that can't be posted, found by the check: the first ones.
    pub refused: Vec<RefusedLine>,
    /// How many lines can't be posted.
    pub refused_total: u64,
    /// Whether it was given up: what it has not come to yet is left as it is.
    pub given_up: bool,
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStage {
    /// Looks for lines that can't be posted; nothing is posted yet.
    Check,
    /// Posts.
    Apply,
    /// Posts the lines that were left over.
    LeftOver,
    /// Looks for lines that can't be taken back; nothing is reversed yet.
    ReverseCheck,
    /// Reverses.
    Reverse,
}

/// How a take is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PostingOptions {
    /// Counts what nobody counted as zero (S4.8). Default: it is left alone.
    pub zero_uncounted: bool,
    /// Leaves lines that can't be posted behind instead of refusing the whole posting.
    pub skip_unpostable: bool,
}

/// What a posting came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostingResult {
    /// Lines with a variance that was posted.
    pub adjusted: u64,
    /// Lines that were right.
    pub confirmed: u64,
    /// Lines that nobody counted.
    pub uncounted: u64,
    /// Lines that could not be posted and were given up.
    pub dismissed: u64,
    /// Lines whose count was older than what was known.
    pub superseded: u64,
    /// Lines that wait to be posted again or dismissed.
    pub unposted: u64,
    /// The sum of the lines' adjustments in the minor unit.
    pub adjustment_minor: i128,
    /// What the whole scope is worth at standard cost.
    pub standard_value: ValueSum,
    /// What the whole scope is worth by first in, first out.
    pub fifo_value: ValueSum,
    /// The same (first in, first out) by account; products without one are under the empty account.
    pub accounts: BTreeMap<String, ValueSum>,
}

/// A posting that was refused because of lines that can't be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The job of the posting that was refused.
    pub job: JobId,
    /// When.
    pub at: Timestamp,
    /// How many lines.
    pub total: u64,
    /// The first of them.
    pub lines: Vec<RefusedLine>,
    /// Who gave the posting up, if it was not refused because of lines.
    pub given_up_by: Option<UserSummary>,
}

/// How many refused lines are told one by one.
pub const REFUSED_LINES_TOLD: usize = 100;

/// A line that can't be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    /// The line.
    pub item: StockTakeItemId,
    /// Its key.
    pub key: StockKey,
    /// Why.
    pub problem: LineProblem,
    /// What it is of, for people: the article and what tells its stock apart. Empty where that was not kept yet.
    #[serde(default)]
    pub name: Box<str>,
}

impl Run {
    /// Whether it has changed nothing but its own progress yet.
    pub(super) const fn is_untouched(&self) -> bool {
        match self.stage {
            RunStage::Check | RunStage::ReverseCheck => true,
            RunStage::Apply => self.done == 0 && self.after.is_none(),
            RunStage::LeftOver | RunStage::Reverse => false,
        }
    }

    /// A run at its beginning.
    pub(super) fn begin(
        stage: RunStage,
        job: JobId,
        options: PostingOptions,
        reason: Option<Note>,
        stamp: &Stamp,
    ) -> Self {
        Self {
            stage,
            after: None,
            done: 0,
            total: 0,
            job,
            at: stamp.at,
            by: stamp.actor.user.clone(),
            options,
            reason,
            tally: PostingResult::default(),
            refused: Vec::new(),
            refused_total: 0,
            given_up: false,
        }
    }
}
