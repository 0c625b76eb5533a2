//! A stock import: many values from outside, under one id.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::transition::{edge, named_states, step};
use super::{
    Actor, Code, Edge, Machine, Note, OrganisationId, SiteId, Stamp, StockImportId, Timestamp,
    TransitionError, UserSummary,
};

named_states! {
    /// What the numbers of an import mean.
    ImportMode {
        /// The quantity that is there (S5.1).
        Absolute = "absolute",
        /// By how much the quantity changes (S5.2).
        Adjustment = "adjustment",
        /// Nothing: the keys are delisted (S5.3).
        Remove = "remove",
    }
}

named_states! {
    /// Where an import stands.
    StockImportState {
        /// Its job has not finished it.
        Pending = "pending",
        /// Every value was applied, or skipped where that was asked for.
        Applied = "applied",
        /// It was refused.
        Rejected = "rejected",
    }
}

named_states! {
    /// What can be asked of an import.
    StockImportCommand {
        /// Take in a chunk of values.
        Advance = "go on",
        /// All values are taken in.
        Apply = "apply",
        /// Refuse it.
        Reject = "reject",
    }
}

use StockImportCommand as Command;
use StockImportState as State;

/// What leads where. Everything else is refused.
pub const STOCK_IMPORT_TRANSITIONS: &[Edge<StockImportState, StockImportCommand>] = &[
    edge(State::Pending, Command::Advance, State::Pending),
    edge(State::Pending, Command::Apply, State::Applied),
    edge(State::Pending, Command::Reject, State::Rejected),
];

/// A stock import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockImport {
    id: StockImportId,
    organisation: OrganisationId,
    mode: ImportMode,
    values: u64,
    sites: BTreeSet<SiteId>,
    skip_bad: bool,
    checked: u64,
    state: StockImportState,
    report: ImportReport,
    created_by: UserSummary,
    created_at: Timestamp,
    updated_at: Timestamp,
    finished_at: Option<Timestamp>,
}

/// What an import has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Values that were applied.
    pub applied: u64,
    /// Values that were not.
    pub failed: u64,
    /// What there is to say about it.
    pub message: Option<Note>,
    /// Values that can't be applied: the first ones.
    pub problems: Vec<ImportProblem>,
    /// How many values can't be applied.
    pub problems_total: u64,
    /// Articles that it has created, because nobody knew them: the first ones.
    pub created: Vec<Code>,
    /// How many articles it has created.
    pub created_total: u64,
    /// Articles that it has created and that are spelled like one that was known: the first ones.
    pub similar: Vec<SimilarArticle>,
    /// How many of the created articles are spelled like one that was known.
    pub similar_total: u64,
}

/// The most problems, created articles and articles spelled like a known one that an import tells one by one.
pub const IMPORT_PROBLEMS_TOLD: usize = 100;

/// An article that an import has created, although one was known whose article id differs only by case, width or another
/// form of the same letters ([`Code::likeness`]): often somebody's slip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimilarArticle {
    /// The article id of the new one.
    pub created: Code,
    /// That of the known one, which it may have meant.
    pub known: Code,
}

/// A value that can't be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportProblem {
    /// Which value: the first of the body is 0.
    pub row: u64,
    /// Where it stands: site, article and variant.
    pub place: String,
    /// The stable code.
    pub code: String,
    /// The same in words.
    pub message: String,
}

impl ImportReport {
    /// The report with more problems.
    fn with(&self, problems: Vec<ImportProblem>) -> Self {
        let mut next = self.clone();
        next.problems_total = next
            .problems_total
            .saturating_add(u64::try_from(problems.len()).unwrap_or(u64::MAX));
        let room = IMPORT_PROBLEMS_TOLD.saturating_sub(next.problems.len());
        next.problems.extend(problems.into_iter().take(room));
        next
    }

    /// One more article was created, which is spelled like a known one or like none.
    fn create(&mut self, article: &Code, known: Option<&Code>) {
        self.created_total = self.created_total.saturating_add(1);
        if self.created.len() < IMPORT_PROBLEMS_TOLD {
            self.created.push(article.clone());
        }
        if let Some(known) = known {
            self.similar_total = self.similar_total.saturating_add(1);
            if self.similar.len() < IMPORT_PROBLEMS_TOLD {
                self.similar.push(SimilarArticle {
                    created: article.clone(),
                    known: known.clone(),
                });
            }
        }
    }
}

impl StockImport {
    /// A new import of so many values (S5.5).
    pub fn create(
        id: StockImportId,
        organisation: OrganisationId,
        mode: ImportMode,
        values: u64,
        stamp: &Stamp,
    ) -> Self {
        Self {
            id,
            organisation,
            mode,
            values,
            sites: BTreeSet::new(),
            skip_bad: false,
            checked: 0,
            state: State::Pending,
            report: ImportReport::default(),
            created_by: stamp.actor.user.clone(),
            created_at: stamp.at,
            updated_at: stamp.at,
            finished_at: None,
        }
    }

    /// The same import, which leaves values out that can't be applied instead of refusing all of them.
    #[must_use]
    pub fn skipping_bad(mut self) -> Self {
        self.skip_bad = true;
        self
    }

    /// The same import, of values of these sites.
    #[must_use]
    pub fn of_sites(mut self, sites: BTreeSet<SiteId>) -> Self {
        self.sites = sites;
        self
    }

    /// The sites that its values are of; none, if it has no values.
    pub const fn sites(&self) -> &BTreeSet<SiteId> {
        &self.sites
    }

    /// Whether an actor may see it: its report tells of the stock of all of its sites. One of no site is shown to who sent
    /// it.
    pub fn is_shown_to(&self, actor: &Actor) -> bool {
        if self.sites.is_empty() {
            return actor.user.id == self.created_by.id;
        }
        self.sites.iter().all(|site| actor.sees(*site))
    }

    /// The same import, which has created these articles; each with the known one that it is spelled like, if there is one.
    #[must_use]
    pub fn having_created<'c>(
        mut self,
        articles: impl IntoIterator<Item = (&'c Code, Option<&'c Code>)>,
    ) -> Self {
        for (article, known) in articles {
            self.report.create(article, known);
        }
        self
    }

    /// Whether values that can't be applied are left out; otherwise they refuse the whole import.
    pub const fn skips_bad(&self) -> bool {
        self.skip_bad
    }

    /// How many values have been looked at before anything is applied.
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// Whether values are still looked at: an import that is all or nothing looks at all of them first.
    pub const fn is_checking(&self) -> bool {
        !self.skip_bad && self.checked < self.values
    }

    /// How many values have been applied or left out.
    pub const fn done(&self) -> u64 {
        self.report.applied.saturating_add(self.report.failed)
    }

    /// A chunk of values has been looked at.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn check(
        &self,
        values: u64,
        problems: Vec<ImportProblem>,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Advance, at)?;
        let checked = self.checked.saturating_add(values);
        Ok(Self {
            checked,
            report: self.report.with(problems),
            ..next
        })
    }

    /// Its id.
    pub const fn id(&self) -> StockImportId {
        self.id
    }

    /// Its organisation.
    pub const fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// What its numbers mean.
    pub const fn mode(&self) -> ImportMode {
        self.mode
    }

    /// How many values were parsed.
    pub const fn values(&self) -> u64 {
        self.values
    }

    /// Where it stands.
    pub const fn state(&self) -> StockImportState {
        self.state
    }

    /// What it has come to so far.
    pub const fn report(&self) -> &ImportReport {
        &self.report
    }

    /// Who sent it.
    pub const fn created_by(&self) -> &UserSummary {
        &self.created_by
    }

    /// When it came.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it last changed.
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// When it was applied or refused.
    pub const fn finished_at(&self) -> Option<Timestamp> {
        self.finished_at
    }

    /// Whether the state allows a command.
    ///
    /// # Errors
    ///
    /// [`TransitionError::State`].
    pub fn allows(&self, command: StockImportCommand) -> Result<StockImportState, TransitionError> {
        step(
            STOCK_IMPORT_TRANSITIONS,
            Machine::StockImport,
            self.state,
            command,
        )
    }

    fn take_step(
        &self,
        command: StockImportCommand,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        Ok(Self {
            state: self.allows(command)?,
            updated_at: self.updated_at.max(at),
            ..self.clone()
        })
    }

    /// A chunk of values is taken in: so many more were applied, and these were not.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `too_many_values` when there are not so many.
    pub fn advance(
        &self,
        applied: u64,
        problems: Vec<ImportProblem>,
        at: Timestamp,
    ) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Advance, at)?;
        let failed = u64::try_from(problems.len()).unwrap_or(u64::MAX);
        let report = ImportReport {
            applied: self.report.applied.saturating_add(applied),
            failed: self.report.failed.saturating_add(failed),
            ..self.report.with(problems)
        };
        if report.applied.saturating_add(report.failed) > self.values {
            return Err(TransitionError::Rule {
                code: "too_many_values",
                message: "the import has fewer values",
            });
        }
        Ok(Self { report, ..next })
    }

    /// All values are taken in.
    ///
    /// # Errors
    ///
    /// [`TransitionError::Rule`] `values_left` when they are not.
    pub fn apply(&self, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Apply, at)?;
        if self.report.applied.saturating_add(self.report.failed) != self.values {
            return Err(TransitionError::Rule {
                code: "values_left",
                message: "values of the import are left",
            });
        }
        Ok(Self {
            finished_at: Some(at),
            ..next
        })
    }

    /// Refuses it. Every value that was not applied has failed.
    ///
    /// # Errors
    ///
    /// [`TransitionError`].
    pub fn reject(&self, message: Note, at: Timestamp) -> Result<Self, TransitionError> {
        let next = self.take_step(Command::Reject, at)?;
        let report = ImportReport {
            applied: self.report.applied,
            failed: self.values.saturating_sub(self.report.applied),
            message: Some(message),
            ..self.report.clone()
        };
        Ok(Self {
            report,
            finished_at: Some(at),
            ..next
        })
    }
}
