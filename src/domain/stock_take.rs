//! A stock take: one header, many lines.

use serde::{Deserialize, Serialize};

use super::transition::{edge, named_states, step};
use super::{
    Currency, Edge, JobId, Label, Machine, MovementPolicy, Note, OrganisationId, Population,
    PostingOptions, PostingResult, Refusal, Run, RunStage, SiteId, Stamp, StockTakeId, Timestamp,
    TransitionError, UserSummary,
};

named_states! {
    /// Where a stock take stands.
    StockTakeState {
        /// Lines are put together; nothing is counted yet.
        New = "new",
        /// Being counted.
        Ongoing = "ongoing",
        /// Its variances are being posted; locked against edits.
        Posting = "posting",
        /// Posted.
        Finished = "finished",
        /// Its posting is being reversed.
        Reopening = "reopening",
        /// Removed: it is on no list, its entries and events stay.
        Removed = "removed",
    }
}

named_states! {
    /// What can be asked of a stock take.
    StockTakeCommand {
        /// Change the words on it.
        Update = "update",
        /// Add lines (S4.5).
        AddItems = "add items",
        /// Remove lines before the start (S4.5).
        RemoveItems = "remove items",
        /// Go on adding the lines that were asked for.
        Populate = "populate",
        /// Add a line for what was found while counting.
        AddFound = "add found item",
        /// Remove a line while counting (S1.11).
        DeleteItem = "delete item",
        /// Begin to count (S4.6).
        Start = "start",
        /// Count a line (S1.10, S4.7). Guarded by the epoch; the header is not written.
        Count = "count",
        /// Lock it and begin to post (S1.6, S1.7, S4.8).
        BeginPosting = "post",
        /// A chunk of lines is done with.
        Advance = "go on",
        /// Give up posting before anything was posted.
        AbandonPosting = "abandon posting",
        /// All lines are posted.
        CompletePosting = "complete posting",
        /// Post again the lines that could not be posted.
        PostLeftOver = "post left over lines",
        /// Give up the lines that could not be posted.
        DismissLeftOver = "dismiss left over lines",
        /// Begin to reverse the posting (S4.9).
        BeginReopening = "reopen",
        /// Give up reopening before anything was reversed.
        AbandonReopening = "abandon reopening",
        /// The posting is reversed.
        CompleteReopening = "complete reopening",
        /// Remove it (S1.5, S4.4).
        Remove = "remove",
    }
}

use StockTakeCommand as Command;
use StockTakeState as State;

/// What leads where. Everything else is refused.
pub const STOCK_TAKE_TRANSITIONS: &[Edge<StockTakeState, StockTakeCommand>] = &[
    edge(State::New, Command::Update, State::New),
    edge(State::New, Command::AddItems, State::New),
    edge(State::New, Command::RemoveItems, State::New),
    edge(State::New, Command::Populate, State::New),
    edge(State::New, Command::Start, State::Ongoing),
    edge(State::New, Command::Remove, State::Removed),
    edge(State::Ongoing, Command::Update, State::Ongoing),
    edge(State::Ongoing, Command::Populate, State::Ongoing),
    edge(State::Ongoing, Command::AddFound, State::Ongoing),
    edge(State::Ongoing, Command::DeleteItem, State::Ongoing),
    edge(State::Ongoing, Command::Count, State::Ongoing),
    edge(State::Ongoing, Command::BeginPosting, State::Posting),
    edge(State::Ongoing, Command::Remove, State::Removed),
    edge(State::Posting, Command::Populate, State::Posting),
    edge(State::Posting, Command::Advance, State::Posting),
    edge(State::Posting, Command::AbandonPosting, State::Ongoing),
    edge(State::Posting, Command::CompletePosting, State::Finished),
    edge(State::Finished, Command::PostLeftOver, State::Posting),
    edge(State::Finished, Command::DismissLeftOver, State::Finished),
    edge(State::Finished, Command::BeginReopening, State::Reopening),
    edge(State::Finished, Command::Remove, State::Removed),
    edge(State::Reopening, Command::Advance, State::Reopening),
    edge(State::Reopening, Command::AbandonReopening, State::Finished),
    edge(State::Reopening, Command::CompleteReopening, State::Ongoing),
];

/// A stock take. Everything but the words on it changes only by its transitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockTake {
    id: StockTakeId,
    organisation: OrganisationId,
    site: SiteId,
    currency: Currency,
    details: StockTakeDetails,
    state: StockTakeState,
    epoch: u64,
    round: u32,
    last_line: u64,
    population: Option<Population>,
    run: Option<Run>,
    result: Option<PostingResult>,
    refusal: Option<Refusal>,
    created_by: UserSummary,
    created_at: Timestamp,
    began_at: Option<Timestamp>,
    updated_at: Timestamp,
    posted_by: Option<UserSummary>,
    posted_at: Option<Timestamp>,
}

/// The words on a take, and how it posts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockTakeDetails {
    /// A short name (S4). S1 has none.
    pub name: Option<Label>,
    /// What it is about (S1's label). A take that has a name may be without.
    pub description: Option<Label>,
    /// When it should be finished.
    pub due_at: Option<Timestamp>,
    /// Whether it is the annual one.
    pub annual: bool,
    /// What it does about stock that moves while it is counted.
    pub movement_policy: MovementPolicy,
}

impl StockTakeDetails {
    /// The words to call it by in one line: the description, or the name of a take without one.
    pub fn title(&self) -> &str {
        let words = self.description.as_ref().or(self.name.as_ref());
        words.map_or("", Label::as_str)
    }
}

/// A new take's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockTakePlace {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The site.
    pub site: SiteId,
    /// The site's currency.
    pub currency: Currency,
}

impl StockTake {
    /// A new take: [`StockTakeState::New`] to be put together first (S4.2), or
    /// [`StockTakeState::Ongoing`] to be counted at once (S1.2).
    pub fn create(
        id: StockTakeId,
        place: StockTakePlace,
        details: StockTakeDetails,
        state: InitialState,
        stamp: &Stamp,
    ) -> Self {
        Self {
            id,
            organisation: place.organisation,
            site: place.site,
            currency: place.currency,
            details,
            state: match state {
                InitialState::New => State::New,
                InitialState::Ongoing => State::Ongoing,
            },
            epoch: 1,
            round: 0,
            last_line: 0,
            population: None,
            run: None,
            result: None,
            refusal: None,
            created_by: stamp.actor.user.clone(),
            created_at: stamp.at,
            began_at: match state {
                InitialState::New => None,
                InitialState::Ongoing => Some(stamp.at),
            },
            updated_at: stamp.at,
            posted_by: None,
            posted_at: None,
        }
    }

    /// Its id.
    pub const fn id(&self) -> StockTakeId {
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
    pub const fn details(&self) -> &StockTakeDetails {
        &self.details
    }

    /// Where it stands.
    pub const fn state(&self) -> StockTakeState {
        self.state
    }

    /// Changes only when the state does: what counting is guarded by.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many postings have begun.
    pub const fn round(&self) -> u32 {
        self.round
    }

    /// Whether all items have been added that were asked for (S1.2).
    pub const fn items_added(&self) -> bool {
        self.population.is_none()
    }

    /// The lines that are on their way.
    pub const fn population(&self) -> Option<&Population> {
        self.population.as_ref()
    }

    /// The line that was added last.
    pub const fn last_line(&self) -> u64 {
        self.last_line
    }

    /// The posting or reversal that is under way, with its progress.
    pub const fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// What the posting came to, once it is done.
    pub const fn result(&self) -> Option<&PostingResult> {
        self.result.as_ref()
    }

    /// Why the last posting was refused.
    pub const fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Who created it.
    pub const fn created_by(&self) -> &UserSummary {
        &self.created_by
    }

    /// When it was created.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When counting began: when it was created to be counted at once (S1.2), or started (S4.6). Reopening it begins
    /// nothing anew.
    pub const fn began_at(&self) -> Option<Timestamp> {
        self.began_at
    }

    /// When its header last changed.
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Who posted it, once that is done.
    pub const fn posted_by(&self) -> Option<&UserSummary> {
        self.posted_by.as_ref()
    }

    /// When it was posted.
    pub const fn posted_at(&self) -> Option<Timestamp> {
        self.posted_at
    }

    /// Whether the state allows a command.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`].
    pub fn allows(&self, command: StockTakeCommand) -> Result<StockTakeState, TransitionError> {
        step(
            STOCK_TAKE_TRANSITIONS,
            Machine::StockTake,
            self.state,
            command,
        )
    }

    fn take_step(&self, command: StockTakeCommand, at: Timestamp) -> Result<Self, TransitionError> {
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

    /// Changes the words on it (S1.4, S4.4).
    ///
    /// # Errors
    ///
    /// [`TransitionError`]; so for every transition. [`TransitionError::Rule`] `no_words` with neither a name nor a
    /// description.
    pub fn update(
        &self,
        details: StockTakeDetails,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Update, stamp.at)?;
        if details.title().is_empty() {
            return Err(TransitionError::Rule {
                code: "no_words",
                message: "a stock take has a description or a name",
            });
        }
        Ok(Self { details, ..next })
    }

    /// Begins to add lines from a source. `command` tells by which right: [`StockTakeCommand::AddItems`]
    /// for a take that is put together, [`StockTakeCommand::Populate`] for a new one that is counted at once.
    ///
    /// # Errors
    ///
    /// [`TransitionError::ItemsBeingAdded`] while other lines are on their way.
    pub fn begin_populating(
        &self,
        command: StockTakeCommand,
        population: Population,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(
            only(command, &[Command::AddItems, Command::Populate], self.state)?,
            stamp.at,
        )?;
        if self.population.is_some() {
            return Err(TransitionError::ItemsBeingAdded);
        }
        Ok(Self {
            population: Some(population),
            ..next
        })
    }

    /// A chunk of lines was added; without a population that is left, it was the last.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn populate(
        &self,
        left: Option<Population>,
        last_line: u64,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        Ok(Self {
            last_line,
            population: left,
            ..self.take_step(Command::Populate, at)?
        })
    }

    /// Lines were removed before the start.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn remove_lines(&self, stamp: &Stamp) -> Result<Self, TransitionError> {
        self.take_step(Command::RemoveItems, stamp.at)
    }

    /// Lines were added one by one: by hand before the start, or found while counting.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn add_lines(
        &self,
        command: StockTakeCommand,
        last_line: u64,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        Ok(Self {
            last_line,
            ..self.take_step(
                only(command, &[Command::AddItems, Command::AddFound], self.state)?,
                stamp.at,
            )?
        })
    }

    /// Begins to count (S4.6).
    ///
    /// # Errors
    ///
    /// [`TransitionError::NoLines`] without a line, [`TransitionError::ItemsBeingAdded`] when the first is
    /// still on its way.
    pub fn start(&self, lines: u64, stamp: &Stamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Start, stamp.at)?;
        match (lines, &self.population) {
            (0, Some(_)) => Err(TransitionError::ItemsBeingAdded),
            (0, None) => Err(TransitionError::NoLines {
                machine: Machine::StockTake,
            }),
            (_, _) => Ok(Self {
                began_at: Some(stamp.at),
                ..next
            }),
        }
    }

    /// Locks it and begins to post (S1.6, S1.7, S4.8).
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn begin_posting(
        &self,
        options: PostingOptions,
        job: JobId,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::BeginPosting, stamp.at)?;
        // A posting that may leave lines behind has nothing to look for first.
        let stage = if options.skip_unpostable {
            RunStage::Apply
        } else {
            RunStage::Check
        };
        let round = self.round.saturating_add(1);
        Ok(Self {
            round,
            run: Some(Run::begin(stage, job, options, None, stamp)),
            refusal: None,
            ..next
        })
    }

    /// Gives up a posting that has not posted anything: the lines that can't be posted are kept.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn abandon_posting(&self, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::AbandonPosting, at)?;
        Ok(Self {
            run: None,
            refusal: Some(self.refused(RunStage::Check, at)?),
            ..next
        })
    }

    /// Gives up what is under way, because it can't go on. Lines that are being added: those that are there stay, and no more
    /// come. A posting or a reopening that has changed nothing yet: it is as if it had not begun. One that has: it goes on
    /// under another job, and leaves all that it has not come to as it is; a posting leaves such lines over, to be posted
    /// or dismissed later, and a reopening lets them keep what they posted.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `nothing_under_way`.
    pub fn give_up(&self, job: JobId, stamp: &Stamp) -> Result<Self, TransitionError> {
        let at = stamp.at;
        let Some(run) = self.run.as_ref() else {
            if self.population.is_none() {
                return Err(TransitionError::Rule {
                    code: "nothing_under_way",
                    message: "nothing is under way",
                });
            }
            return self.populate(None, self.last_line, at);
        };
        if !run.is_untouched() {
            let run = Run {
                given_up: true,
                job,
                ..run.clone()
            };
            return self.advance(run, at);
        }
        let command = match run.stage {
            RunStage::ReverseCheck | RunStage::Reverse => Command::AbandonReopening,
            RunStage::Check | RunStage::Apply | RunStage::LeftOver => Command::AbandonPosting,
        };
        Ok(Self {
            run: None,
            refusal: Some(Refusal {
                job: run.job,
                at,
                total: run.refused_total,
                lines: run.refused.clone(),
                given_up_by: Some(stamp.actor.user.clone()),
            }),
            ..self.take_step(command, at)?
        })
    }

    /// What the check of a run found.
    fn refused(&self, stage: RunStage, at: Timestamp) -> Result<Refusal, TransitionError> {
        self.run
            .as_ref()
            .filter(|run| run.stage == stage)
            .map(|run| Refusal {
                job: run.job,
                at,
                total: run.refused_total,
                lines: run.refused.clone(),
                given_up_by: None,
            })
            .ok_or(TransitionError::Rule {
                code: "run_has_begun",
                message: "lines have been changed already",
            })
    }

    /// A chunk of lines is done with.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn advance(&self, run: Run, at: Timestamp) -> Result<Self, TransitionError> {
        Ok(Self {
            run: Some(run),
            ..self.take_step(Command::Advance, at)?
        })
    }

    /// All lines are posted. A repeated completion of left over lines keeps who posted first.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn complete_posting(&self, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::CompletePosting, at)?;
        let Some(run) = self.run.clone() else {
            return Err(TransitionError::Rule {
                code: "nothing_under_way",
                message: "no posting is under way",
            });
        };
        Ok(Self {
            run: None,
            posted_by: self.posted_by.clone().or(Some(run.by)),
            posted_at: self.posted_at.or(Some(at)),
            result: Some(run.tally),
            refusal: None,
            ..next
        })
    }

    /// Begins to post again the lines that could not be posted.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] when there are none.
    pub fn begin_left_over(&self, job: JobId, stamp: &Stamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::PostLeftOver, stamp.at)?;
        let result = self.left_over()?;
        let options = PostingOptions {
            zero_uncounted: true,
            skip_unpostable: true,
        };
        let mut run = Run::begin(RunStage::LeftOver, job, options, None, stamp);
        run.tally = PostingResult {
            unposted: 0,
            ..result.clone()
        };
        Ok(Self {
            run: Some(run),
            ..next
        })
    }

    /// One line that could not be posted is given up.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] when there are none.
    pub fn dismiss_left_over(&self, stamp: &Stamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::DismissLeftOver, stamp.at)?;
        let result = self.left_over()?;
        let unposted = result.unposted.saturating_sub(1);
        let dismissed = result.dismissed.saturating_add(1);
        Ok(Self {
            result: Some(PostingResult {
                dismissed,
                unposted,
                ..result.clone()
            }),
            ..next
        })
    }

    fn left_over(&self) -> Result<&PostingResult, TransitionError> {
        self.result
            .as_ref()
            .filter(|result| result.unposted > 0)
            .ok_or(TransitionError::Rule {
                code: "nothing_left_over",
                message: "every line has been posted or dismissed",
            })
    }

    /// Begins to reverse the posting (S4.9).
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn begin_reopening(
        &self,
        job: JobId,
        reason: Option<Note>,
        stamp: &Stamp,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::BeginReopening, stamp.at)?;
        let run = Run::begin(
            RunStage::ReverseCheck,
            job,
            PostingOptions::default(),
            reason,
            stamp,
        );
        Ok(Self {
            run: Some(run),
            refusal: None,
            ..next
        })
    }

    /// Gives up a reopening that has not reversed anything: the lines that can't be taken back are kept.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn abandon_reopening(&self, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::AbandonReopening, at)?;
        Ok(Self {
            run: None,
            refusal: Some(self.refused(RunStage::ReverseCheck, at)?),
            ..next
        })
    }

    /// The posting is reversed: it is ongoing again, with its counts.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn complete_reopening(&self, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::CompleteReopening, at)?;
        Ok(Self {
            run: None,
            result: None,
            refusal: None,
            posted_by: None,
            posted_at: None,
            ..next
        })
    }

    /// Removes it (S1.5, S4.4). The ledger is never touched.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn remove(&self, stamp: &Stamp) -> Result<Self, TransitionError> {
        self.take_step(Command::Remove, stamp.at)
    }
}

/// Lets only some commands through: the right by which lines are added.
fn only(command: Command, allowed: &[Command], state: State) -> Result<Command, TransitionError> {
    if allowed.contains(&command) {
        return Ok(command);
    }
    let (machine, state, command) = (Machine::StockTake, state.as_str(), command.as_str());
    Err(TransitionError::State {
        machine,
        state,
        command,
    })
}

/// How a new take begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InitialState {
    /// It is put together first (S4).
    New,
    /// It is counted at once (S1).
    Ongoing,
}
