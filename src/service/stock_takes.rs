//! Stock takes: the header, from creation to removal.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::domain::{
    InitialState, JobId, Label, MovementPolicy, Population, PopulationSource, SiteId, Stamp,
    StockTake, StockTakeCommand, StockTakeDetails, StockTakeId, StockTakePlace, StockTakeState,
    Timestamp,
};
use crate::store::{
    ArticleSort, Digest, JobTask, NewJob, Outcome, Page, PageRequest, RepositoryExt,
    StockTakeFilter, StockTakeItemFilter, StockTakeTotals, Versioned,
};

use super::access::Operation;
use super::call::{Call, Once, Step};
use super::error::dated;
use super::{Caller, Edit, Error, Pending, Stocktake};

/// How often a job is tried before it ends dead.
pub(super) const JOB_ATTEMPTS: u32 = 10;
/// A job that only steps in when the call that does the work dies: it waits so long.
const STEP_IN_AFTER_MICROS: i64 = 5 * 1_000_000;

/// Stock takes (S1) and stocktake lists (S4). One thing: a take of S1 is counted from the moment it is
/// created while a job adds the site's stocked items; a list of S4 is put together first, then started.
#[derive(Clone, Copy, Debug)]
pub struct StockTakes<'a> {
    pub(super) library: &'a Stocktake,
}

/// A stock take to be counted at once (S1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStockTake {
    /// The site.
    pub site: SiteId,
    /// What it is about, 1 to 255 characters.
    pub description: Label,
    /// What it does about stock that moves while it is counted.
    pub movement_policy: MovementPolicy,
}

/// A stocktake list to be put together (S4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStockTakeList {
    /// The site.
    pub site: SiteId,
    /// Its name.
    pub name: Label,
    /// What it is about.
    pub description: Option<Label>,
    /// When it should be finished.
    pub due_at: Option<Timestamp>,
    /// The annual one: every stocked article is added at once.
    pub annual: bool,
    /// What it does about stock that moves while it is counted.
    pub movement_policy: MovementPolicy,
}

/// What is changed on a take; what is missing stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StockTakeAmendment {
    /// Its name.
    pub name: Option<Label>,
    /// What it is about; a take that has a name may be without.
    pub description: Edit<Label>,
    /// When it should be finished.
    pub due_at: Edit<Timestamp>,
    /// Whether it is the annual one. A new list that becomes it gets every stocked article, as one that is created so.
    pub annual: Option<bool>,
}

/// A take and the totals of all its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockTakeSummary {
    /// The take.
    pub take: StockTake,
    /// Its totals: lines, counted ones, the value of the adjustments.
    pub totals: StockTakeTotals,
}

impl<'a> StockTakes<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Creates a take that is counted at once; a job adds the site's stocked items (S1.2).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site, [`Error::Forbidden`], [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn create<'c>(&'c self, caller: &'c Caller, new: NewStockTake) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let digest = Digest::of("create_stock_take")
                .field(new.site)
                .field(&new.description)
                .request(&new.movement_policy);
            let details = StockTakeDetails {
                name: None,
                description: Some(new.description),
                due_at: None,
                annual: false,
                movement_policy: new.movement_policy,
            };
            let mut call = self.library.begin(caller, "create_stock_take", digest)?;
            let source = Some(PopulationSource::Stocked);
            self.create_with(&mut call, new.site, details, InitialState::Ongoing, source)
                .await
        })
    }

    /// Creates a list to be put together; an annual one gets every stocked article (S4.2).
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and [`Error::Invalid`] for a due date that no list has (`date_out_of_range`).
    #[inline(never)]
    pub fn create_list<'c>(
        &'c self,
        caller: &'c Caller,
        new: NewStockTakeList,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let digest = Digest::of("create_stock_take_list")
                .field(new.site)
                .field(&new.name)
                .optional(new.description.as_ref())
                .optional(new.due_at)
                .field(new.annual)
                .request(&new.movement_policy);
            let source = new.annual.then_some(PopulationSource::Stocked);
            let details = StockTakeDetails {
                description: new.description,
                name: Some(new.name),
                due_at: new.due_at,
                annual: new.annual,
                movement_policy: new.movement_policy,
            };
            let mut call = self
                .library
                .begin(caller, "create_stock_take_list", digest)?;
            let take = self
                .create_with(&mut call, new.site, details, InitialState::New, source)
                .await?;
            self.populated(&call.stamp, take).await
        })
    }

    /// Copies a take, finished or not: the same words and scope, NEW, no counts (S4.3).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn copy<'c>(&'c self, caller: &'c Caller, id: StockTakeId) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let mut call = self.library.begin(
                caller,
                "copy_stock_take",
                Digest::of("copy_stock_take").field(id),
            )?;
            let (seen, copy) = (
                self.visible(&call.stamp, id).await,
                Operation::CopyStockTake,
            );
            let source = match self.library.once(&call, copy, seen).await? {
                Once::First(source) => source.value,
                Once::Again(outcome) => {
                    return self.populated(&call.stamp, take_of(outcome)?).await;
                }
            };
            let details = source.details().clone();
            let lines = Some(PopulationSource::CopyOf(id));
            let take = self
                .create_in(&mut call, &source, details, InitialState::New, lines)
                .await?;
            self.populated(&call.stamp, take).await
        })
    }

    async fn create_with(
        &self,
        call: &mut Call,
        site: SiteId,
        details: StockTakeDetails,
        state: InitialState,
        source: Option<PopulationSource>,
    ) -> Result<StockTake, Error> {
        let site = self.library.visible_site(&call.stamp, site).await?;
        call.require(Operation::CreateStockTake)?;
        let place = StockTakePlace {
            organisation: site.organisation,
            site: site.id,
            currency: site.currency,
        };
        self.insert(call, place, details, state, source).await
    }

    async fn create_in(
        &self,
        call: &mut Call,
        like: &StockTake,
        details: StockTakeDetails,
        state: InitialState,
        source: Option<PopulationSource>,
    ) -> Result<StockTake, Error> {
        let place = StockTakePlace {
            organisation: like.organisation(),
            site: like.site(),
            currency: like.currency(),
        };
        self.insert(call, place, details, state, source).await
    }

    async fn insert(
        &self,
        call: &mut Call,
        place: StockTakePlace,
        details: StockTakeDetails,
        state: InitialState,
        source: Option<PopulationSource>,
    ) -> Result<StockTake, Error> {
        if let Some(outcome) = self.library.replay(call).await? {
            return take_of(outcome);
        }
        dated("due_at", details.due_at)?;
        let id = StockTakeId::new(self.library.ids.next());
        let empty = StockTake::create(id, place, details, state, &call.stamp);
        let job = JobId::new(self.library.ids.next());
        // Nobody waits for a take that is counted at once; the lines of a list are added in this very call.
        let delay = match state {
            InitialState::Ongoing => 0,
            InitialState::New => STEP_IN_AFTER_MICROS,
        };
        let take = match source {
            Some(source) => {
                let population = Population::of(source, job);
                empty.begin_populating(StockTakeCommand::Populate, population, &call.stamp)?
            }
            None => empty,
        };
        let queued = take.population().map(|_| {
            job_of(
                &take,
                job,
                JobTask::PopulateStockTake { take: id },
                &call.stamp,
                delay,
            )
        });
        let outcome = Outcome::StockTake(Arc::new(take.clone()));
        loop {
            let step = self.library.commit(call, outcome.clone(), |changes| {
                changes.insert(take.clone());
                if let Some(job) = queued.clone() {
                    changes.job(job);
                }
            });
            if let Step::Done(outcome) = step.await? {
                return take_of(outcome);
            }
        }
    }

    /// Reads a take (S1.3, S4.1).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn get<'c>(&'c self, caller: &'c Caller, id: StockTakeId) -> Pending<'c, StockTakeSummary> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let take = self.visible(&stamp, id).await?.value;
            let summary = self.summary(take).await?;
            // It may have been removed since.
            if summary.take.state() == StockTakeState::Removed {
                return Err(Error::not_found("stock take"));
            }
            Ok(summary)
        })
    }

    /// A site's takes, the oldest first (S1.1); only those in some states (S4.1), when any are named.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the site; failures of the store.
    #[inline(never)]
    pub fn list<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        asked: &'c [StockTakeState],
        page: &'c PageRequest,
    ) -> Pending<'c, Page<StockTakeSummary>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.library.visible_site(&stamp, site).await?;
            let states: BTreeSet<_> = asked
                .iter()
                .copied()
                .filter(|s| *s != StockTakeState::Removed)
                .collect();
            if states.is_empty() && !asked.is_empty() {
                // Removed takes are on no list.
                return Ok(Page {
                    items: Vec::new(),
                    total: page.with_total.then_some(0),
                    next: None,
                });
            }
            let filter = StockTakeFilter { states };
            let found = self
                .library
                .repository
                .stock_takes(stamp.actor.organisation, site, &filter, page)
                .await?;
            let mut items = Vec::with_capacity(found.items.len());
            for take in found.items {
                let summary = self.summary(take.value).await?;
                // It may have left the list since.
                let state = summary.take.state();
                if state != StockTakeState::Removed
                    && (filter.states.is_empty() || filter.states.contains(&state))
                {
                    items.push(summary);
                }
            }
            Ok(Page {
                items,
                total: found.total,
                next: found.next,
            })
        })
    }

    /// A take as it is now with the totals of its lines, both of one snapshot.
    pub(super) async fn summary(&self, take: StockTake) -> Result<StockTakeSummary, Error> {
        let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let page = PageRequest::first(1).counted();
        let view = self
            .library
            .repository
            .stock_take_view(take.organisation(), take.id(), &all, sort, None, &page)
            .await?;
        let (take, totals) = match view {
            Some(view) => (Arc::unwrap_or_clone(view.take.value), view.totals),
            None => (take, None),
        };
        let totals = totals.unwrap_or_default();
        Ok(StockTakeSummary { take, totals })
    }

    /// Changes the words on a take (S1.4, S4.4), before posting begins.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for a due date that no take has (`date_out_of_range`),
    /// [`Error::Transition`]; failures of the store.
    #[inline(never)]
    pub fn update<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        details: StockTakeDetails,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let digest = Digest::of("update_stock_take").field(id).request(&details);
            let call = self.library.begin(caller, "update_stock_take", digest)?;
            self.change(call, id, Operation::UpdateStockTake, |take, stamp| {
                dated("due_at", details.due_at)?;
                Ok(take.update(details.clone(), stamp)?)
            })
            .await
        })
    }

    /// Changes some of the words on a take and leaves the others (S1.4, S4.4), before posting begins.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    #[inline(never)]
    pub fn amend<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        amendment: StockTakeAmendment,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let digest = Digest::of("amend_stock_take").field(id).request(&amendment);
            let call = self.library.begin(caller, "amend_stock_take", digest)?;
            let job = JobId::new(self.library.ids.next());
            let stamp = call.stamp.clone();
            let take = self
                .change_with(call, id, Operation::UpdateStockTake, |take, stamp| {
                    if let Edit::Set(due_at) = amendment.due_at {
                        dated("due_at", [due_at])?;
                    }
                    let next = take.update(amended(take.details(), &amendment), stamp)?;
                    let is_annual_now = next.details().annual && !take.details().annual;
                    if !is_annual_now || next.state() != StockTakeState::New {
                        return Ok((next, None));
                    }
                    let everything = Population::of(PopulationSource::Stocked, job);
                    let next =
                        next.begin_populating(StockTakeCommand::AddItems, everything, stamp)?;
                    let task = JobTask::PopulateStockTake { take: id };
                    let job = job_of(&next, job, task, stamp, STEP_IN_AFTER_MICROS);
                    Ok((next, Some(job)))
                })
                .await?;
            self.populated(&stamp, take).await
        })
    }

    /// Begins to count a list (S4.6).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] without a line; failures of the store.
    #[inline(never)]
    pub fn start<'c>(&'c self, caller: &'c Caller, id: StockTakeId) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let digest = Digest::of("start_stock_take").field(id);
            let mut call = self.library.begin(caller, "start_stock_take", digest)?;
            loop {
                let seen = self.visible(&call.stamp, id).await;
                let read = match self
                    .library
                    .once(&call, Operation::StartStockTake, seen)
                    .await?
                {
                    Once::First(read) => read,
                    Once::Again(outcome) => return take_of(outcome),
                };
                // The lines after the header: whoever removes one writes it.
                let lines = self.summary(read.value.clone()).await?.totals.items;
                let next = read.value.start(lines, &call.stamp)?;
                let outcome = Outcome::StockTake(Arc::new(next.clone()));
                let step = self.library.commit(&mut call, outcome, |changes| {
                    changes.update(read.version, next);
                });
                if let Step::Done(outcome) = step.await? {
                    return take_of(outcome);
                }
            }
        })
    }

    /// Removes a take, posted or not (S1.5, S4.4): it is on no list any more. Its entries and events stay.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] while it is posting; failures of the
    /// store.
    #[inline(never)]
    pub fn remove<'c>(&'c self, caller: &'c Caller, id: StockTakeId) -> Pending<'c, ()> {
        Box::pin(async move {
            let call = self.library.begin(
                caller,
                "remove_stock_take",
                Digest::of("remove_stock_take").field(id),
            )?;
            let removed = self
                .change(
                    call.clone(),
                    id,
                    Operation::RemoveStockTake,
                    |take, stamp| Ok(take.remove(stamp)?),
                )
                .await
                .map(drop);
            self.library.done_if_gone(&call, removed).await
        })
    }

    /// One transition of the header.
    pub(super) async fn change(
        &self,
        call: Call,
        id: StockTakeId,
        operation: Operation,
        transition: impl Fn(&StockTake, &Stamp) -> Result<StockTake, Error>,
    ) -> Result<StockTake, Error> {
        self.change_with(call, id, operation, |take, stamp| {
            Ok((transition(take, stamp)?, None))
        })
        .await
    }

    /// One transition of the header, and the job that goes with it.
    async fn change_with(
        &self,
        mut call: Call,
        id: StockTakeId,
        operation: Operation,
        transition: impl Fn(&StockTake, &Stamp) -> Result<(StockTake, Option<NewJob>), Error>,
    ) -> Result<StockTake, Error> {
        loop {
            let seen = self.visible(&call.stamp, id).await;
            let read = match self.library.once(&call, operation, seen).await? {
                Once::First(read) => read,
                Once::Again(outcome) => return take_of(outcome),
            };
            let (next, job) = transition(&read.value, &call.stamp)?;
            let outcome = Outcome::StockTake(Arc::new(next.clone()));
            let step = self.library.commit(&mut call, outcome, |changes| {
                changes.update(read.version, next);
                if let Some(job) = job {
                    changes.job(job);
                }
            });
            if let Step::Done(outcome) = step.await? {
                return take_of(outcome);
            }
        }
    }

    /// A take that the actor can see, removed or not: what was counted and posted stays readable.
    pub(super) async fn kept(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
    ) -> Result<Versioned<StockTake>, Error> {
        let organisation = stamp.actor.organisation;
        let take = self.library.repository.stock_take(organisation, id).await?;
        take.filter(|take| stamp.actor.sees(take.site()))
            .ok_or(Error::not_found("stock take"))
    }

    /// A take that the actor can see, and that is not removed.
    pub(super) async fn visible(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
    ) -> Result<Versioned<StockTake>, Error> {
        let take = self.kept(stamp, id).await?;
        Some(take)
            .filter(|take| is_visible(stamp, take))
            .ok_or(Error::not_found("stock take"))
    }
}

/// The words on a take after an amendment.
fn amended(details: &StockTakeDetails, asked: &StockTakeAmendment) -> StockTakeDetails {
    let (asked, details) = (asked.clone(), details.clone());
    StockTakeDetails {
        name: asked.name.or(details.name),
        description: asked.description.applied_to(details.description),
        due_at: asked.due_at.applied_to(details.due_at),
        annual: asked.annual.unwrap_or(details.annual),
        movement_policy: details.movement_policy,
    }
}

/// Whether the actor can see a take, and it is not removed.
pub(super) fn is_visible(stamp: &Stamp, take: &StockTake) -> bool {
    stamp.actor.sees(take.site()) && take.state() != StockTakeState::Removed
}

pub(super) fn take_of(outcome: Outcome) -> Result<StockTake, Error> {
    outcome
        .stock_take()
        .map(Arc::unwrap_or_clone)
        .ok_or(Error::KeyReused)
}

/// A job of a take. A step-in job waits for the call that does the work itself.
pub(super) fn job_of(
    take: &StockTake,
    id: JobId,
    task: JobTask,
    stamp: &Stamp,
    delay_micros: i64,
) -> NewJob {
    NewJob {
        id,
        site: take.site(),
        task,
        requested_by: stamp.actor.clone(),
        run_at: stamp.at.later_by(delay_micros),
        max_attempts: JOB_ATTEMPTS,
    }
}

/// When a step-in job begins.
pub(super) const fn step_in_delay() -> i64 {
    STEP_IN_AFTER_MICROS
}
