//! Posting a take in chunks, resumable (S1.6, S1.7, S4.8, S6.4).
//!
//! Beginning to post is one commit: it locks the take and queues the job. The run then goes over the lines in
//! the order in which they were added, twice: the check looks for lines that can't be posted, and if there are any
//! and leaving them behind was not asked, the take is ongoing again and nothing was posted; then the lines are
//! posted. Each chunk is one commit on the header's version, which also tells how far the run is: whoever works on
//! it, and however often, each line is posted once.

use crate::domain::{
    JobId, LineOutcome, LinePosting, LineProblem, PostingOptions, REFUSED_LINES_TOLD, Refusal,
    RefusedLine, Run, RunStage, Site, Stamp, StockTake, StockTakeId, StockTakeItem,
    StockTakeItemId, StockTakeState,
};
use crate::store::{
    ChangeSet, CommandId, CountingView, Cursor, Digest, Guard, JobAck, JobProgress, JobTask,
    Outcome, Progress, StockTakeItemFilter, Versioned,
};

use super::access::Operation;
use super::call::Step;
use super::error::named;
use super::look_ahead::both;
use super::pace::Pace;
use super::serial_marks::SerialMarks;
use super::stock_take_chunks::{Chunk, Line};
use super::stock_take_lines::{decide, tally};
use super::stock_take_populating::is_populating;
use super::stock_takes::{StockTakes, job_of, step_in_delay};
use super::{CHUNK, Caller, Error, Pending, Stocktake};

impl StockTakes<'_> {
    /// Posts a take in the background (S1.6): locks it at once, and gives the job that does it. Read the take for
    /// the progress, and the job.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`], [`Error::KeyReused`]; failures of
    /// the store.
    #[inline(never)]
    pub fn post<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        options: PostingOptions,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            self.begin_posting(caller, "post_stock_take", id, options, 0)
                .await
                .map(|(job, _)| job)
        })
    }

    /// Posts a take (S1.7, S4.8): done when it returns. A take with nothing counted posts nothing and is
    /// complete.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post), and [`Error::Refused`] with the lines that can't be posted; the take is
    /// ongoing again then, and nothing was posted.
    #[inline(never)]
    pub fn submit<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        options: PostingOptions,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let (job, stamp) = self
                .begin_posting(caller, "submit_stock_take", id, options, step_in_delay())
                .await?;
            let take = self.library.run_stock_take(&stamp, id).await?;
            match (take.state(), take.refusal()) {
                (StockTakeState::Ongoing, Some(refusal)) if refusal.job == job => {
                    Err(refused(refusal))
                }
                (_, _) => Ok(take),
            }
        })
    }

    async fn begin_posting(
        &self,
        caller: &Caller,
        operation: &'static str,
        id: StockTakeId,
        options: PostingOptions,
        delay_micros: i64,
    ) -> Result<(JobId, Stamp), Error> {
        let library = self.library;
        let digest = Digest::of(operation).field(id).request(&options);
        let mut call = library.begin(caller, operation, digest)?;
        let job = JobId::new(library.ids.next());
        loop {
            let seen = self.visible(&call.stamp, id).await;
            if matches!(seen, Err(Error::NotFound { .. }))
                && let Ok(Some(job)) = library.replay_job(&mut call, operation).await
            {
                // It was posted by this very command, and is gone since.
                return Ok((job, call.stamp));
            }
            let read = seen?;
            call.require(Operation::PostStockTake)?;
            if let Some(job) = library.replay_job(&mut call, operation).await? {
                return Ok((job, call.stamp));
            }
            let next = read.value.begin_posting(options, job, &call.stamp)?;
            let queued = job_of(
                &next,
                job,
                JobTask::PostStockTake { take: id },
                &call.stamp,
                delay_micros,
            );
            let step = library.commit(&mut call, Outcome::Job(job), |changes| {
                changes.update(read.version, next);
                changes.job(queued);
            });
            if let Step::Done(Outcome::Job(job)) = step.await? {
                return Ok((job, call.stamp));
            }
        }
    }

    /// Posts again the lines that could not be posted when the take was.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] when there are none; failures of the
    /// store.
    #[inline(never)]
    pub fn post_left_over<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let library = self.library;
            let mut call = library.begin(
                caller,
                "post_left_over",
                Digest::of("post_left_over").field(id),
            )?;
            let job = JobId::new(library.ids.next());
            loop {
                let read = self.visible(&call.stamp, id).await?;
                call.require(Operation::PostStockTake)?;
                if library.replay(&call).await?.is_some() {
                    break;
                }
                let next = read.value.begin_left_over(job, &call.stamp)?;
                let task = JobTask::PostStockTake { take: id };
                let queued = job_of(&next, job, task, &call.stamp, step_in_delay());
                let step = library.commit(&mut call, Outcome::Done, |changes| {
                    changes.update(read.version, next);
                    changes.job(queued);
                });
                if let Step::Done(_) = step.await? {
                    break;
                }
            }
            library.run_stock_take(&call.stamp, id).await
        })
    }

    /// Gives up what is under way on a take and can't go on, because its job is dead or for any other reason: lines that are
    /// being added (no more come), a posting or a reopening that has changed nothing yet (it has not begun), or one that has
    /// (it is done when this returns: a posting leaves the lines that it has not come to over, each with the problem
    /// `given_up`, and a reopening lets them keep what they posted). A posting goes before lines that are being added.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] when nothing is under way; failures of the
    /// store.
    #[inline(never)]
    pub fn give_up<'c>(&'c self, caller: &'c Caller, id: StockTakeId) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let library = self.library;
            let operation = "give_up_stock_take";
            let mut call = library.begin(caller, operation, Digest::of(operation).field(id))?;
            let job = JobId::new(library.ids.next());
            loop {
                let read = self.visible(&call.stamp, id).await?;
                call.require(Operation::PostStockTake)?;
                if library.replay(&call).await?.is_some() {
                    break;
                }
                let next = read.value.give_up(job, &call.stamp)?;
                let task = match next.run().map(|run| run.stage) {
                    Some(RunStage::ReverseCheck | RunStage::Reverse) => {
                        Some(JobTask::ReopenStockTake { take: id })
                    }
                    Some(RunStage::Check | RunStage::Apply | RunStage::LeftOver) => {
                        Some(JobTask::PostStockTake { take: id })
                    }
                    None => None,
                };
                let queued =
                    task.map(|task| job_of(&next, job, task, &call.stamp, step_in_delay()));
                let given_up = match (read.value.run(), read.value.population()) {
                    (Some(run), _) => Some(run.job),
                    (None, population) => population.map(|population| population.job),
                };
                let step = library.commit(&mut call, Outcome::Done, |changes| {
                    changes.update(read.version, next);
                    if let Some(given_up) = given_up {
                        changes.ack(JobAck::Refused(given_up));
                    }
                    if let Some(queued) = queued {
                        changes.job(queued);
                    }
                });
                if let Step::Done(_) = step.await? {
                    break;
                }
            }
            let take = self.visible(&call.stamp, id).await?.value;
            if take.run().is_some() {
                return library.run_stock_take(&call.stamp, id).await;
            }
            Ok(take)
        })
    }

    /// Gives up a line that could not be posted: it adjusts nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] when the line is not one of those;
    /// failures of the store.
    #[inline(never)]
    pub fn dismiss<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        item: StockTakeItemId,
    ) -> Pending<'c, ()> {
        Box::pin(async move {
            let library = self.library;
            let mut call = library.begin(
                caller,
                "dismiss",
                Digest::of("dismiss").field(id).field(item),
            )?;
            loop {
                let read = self.visible(&call.stamp, id).await?;
                let view = library
                    .repository
                    .counting_view(call.organisation(), id, &[item])
                    .await?;
                let (_, line) = view
                    .and_then(CountingView::into_line)
                    .ok_or(Error::not_found("stock take item"))?;
                let line = line.item;
                call.require(Operation::PostStockTake)?;
                if library.replay(&call).await?.is_some() {
                    return Ok(());
                }
                let next = read.value.dismiss_left_over(&call.stamp)?;
                let posting = line
                    .value
                    .posting
                    .as_ref()
                    .filter(|posting| posting.is_left_over());
                let posting = posting.ok_or(Error::not_found("left over line"))?;
                let dismissed = LinePosting {
                    outcome: LineOutcome::Dismissed,
                    ..posting.clone()
                };
                let item = StockTakeItem {
                    posting: Some(dismissed),
                    updated_at: call.stamp.at,
                    ..(*line.value).clone()
                };
                let step = library.commit(&mut call, Outcome::Done, |changes| {
                    changes.update(read.version, next);
                    changes.update(line.version, item);
                });
                if let Step::Done(_) = step.await? {
                    return Ok(());
                }
            }
        })
    }
}

impl Stocktake {
    /// Goes on with a posting or a reversal until it is over. Whoever else does the same does no harm.
    pub(crate) async fn run_stock_take(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
    ) -> Result<StockTake, Error> {
        let mut pace = Pace::default();
        loop {
            if let Some(take) = self.step_stock_take(stamp, id, &mut pace).await? {
                return Ok(take);
            }
        }
    }

    /// One chunk of what is to be done on a take; the take when there is nothing more to do.
    pub(crate) async fn step_stock_take(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
        pace: &mut Pace<Chunk>,
    ) -> Result<Option<StockTake>, Error> {
        let stamp = &Stamp {
            actor: stamp.actor.clone(),
            at: self.clock.now(),
        };
        let read = self.step_population(stamp, id, pace).await?;
        if is_populating(&read.value) {
            // Posting waits until all items are there.
            return Ok(None);
        }
        let Some(run) = read.value.run().cloned() else {
            return Ok(Some(read.value));
        };
        let site = self
            .site(read.value.organisation(), read.value.site())
            .await?;
        let take = &read.value;
        let chunk = match pace.take_ahead(read.version) {
            Some(chunk) => chunk,
            None => self.read_chunk(&site, take, &run, pace.limit()).await?,
        };
        let next = self.read_ahead(&site, take, &run, &chunk);
        let step = async {
            match run.stage {
                RunStage::Check | RunStage::Apply | RunStage::LeftOver => {
                    self.post_chunk(stamp, &site, &read, &run, &chunk).await
                }
                RunStage::ReverseCheck | RunStage::Reverse => {
                    self.reverse_chunk(stamp, &site, &read, &run, &chunk).await
                }
            }
        };
        let (next, step) = both(next, step).await;
        let step = step?;
        let is_done = matches!(step, Step::Done(_));
        pace.keep_ahead(read.version, next.filter(|_| is_done));
        pace.note(&step)?;
        Ok(None)
    }

    /// The chunk after another, unless that moves units of serial numbers, which may be of lines of the next. What can't
    /// be read is read when its turn comes.
    async fn read_ahead(
        &self,
        site: &Site,
        take: &StockTake,
        run: &Run,
        chunk: &Chunk,
    ) -> Option<Chunk> {
        let next = chunk.lines.next.as_ref();
        let next = next.filter(|_| chunk.ahead.is_empty())?;
        let run = Run {
            after: Some(next.as_str().to_owned()),
            ..run.clone()
        };
        self.read_chunk(site, take, &run, CHUNK).await.ok()
    }

    /// Checks or posts a chunk. If something moved, begin again.
    async fn post_chunk(
        &self,
        stamp: &Stamp,
        site: &Versioned<Site>,
        read: &Versioned<StockTake>,
        run: &Run,
        chunk: &Chunk,
    ) -> Result<Step, Error> {
        let take = &read.value;
        let mut next_run = run.clone();
        let mut decided = Vec::with_capacity(chunk.lines.items.len());
        let mut serials = chunk.serials.clone();
        let alone = |line: &Line| {
            let marks = &mut SerialMarks::default();
            decide(take, run, site, stamp, &line.value, chunk, marks)
        };
        for (line, ahead) in chunk.in_order(|line| alone(line).brings_unit()) {
            if run.stage == RunStage::Apply && line.value.has_posted(take.round()) {
                // It was posted ahead of its turn.
                continue;
            }
            let posting = decide(take, run, site, stamp, &line.value, chunk, &mut serials);
            if ahead && !posting.takes_unit_away() {
                continue;
            }
            if let Some(LineOutcome::Unposted { problem }) =
                posting.item.posting.as_ref().map(|p| &p.outcome)
            {
                next_run.refuse(&posting.item, problem);
            }
            if run.stage != RunStage::Check {
                let before = line
                    .value
                    .posting
                    .as_ref()
                    .filter(|_| run.stage == RunStage::LeftOver);
                tally(&mut next_run.tally, &posting.item, before);
                decided.push((line.version, posting));
            }
        }
        let looked_at = u64::try_from(chunk.lines.items.len()).unwrap_or(u64::MAX);
        next_run.done = run.done.saturating_add(looked_at);
        let progress = self.progress_of(take, &mut next_run).await?;
        let next = next_header(take, next_run, chunk.lines.next.as_ref(), stamp)?;
        self.commit_chunk(stamp, read, run, (next, progress), |changes| {
            changes.guard(Guard::site(site));
            for (version, line) in decided {
                if let Some(level) = line.level {
                    changes.put(chunk.levels.get(&line.item.key), level);
                }
                for event in line.events {
                    changes.event(event);
                }
                changes.update(version, line.item);
            }
            if run.stage != RunStage::Check {
                serials.write(changes);
            }
        })
        .await
    }

    /// How far a run is. Its lines are locked, so they are counted once: what was deleted while the take was counted is
    /// none of them.
    pub(super) async fn progress_of(
        &self,
        take: &StockTake,
        run: &mut Run,
    ) -> Result<Progress, Error> {
        if run.total == 0 {
            let filter = StockTakeItemFilter {
                left_over: run.stage == RunStage::LeftOver,
                ..StockTakeItemFilter::default()
            };
            let (organisation, id) = (take.organisation(), take.id());
            let totals = self
                .repository
                .stock_take_totals(organisation, id, &filter)
                .await?;
            run.total = totals.items;
        }
        Ok(Progress {
            done: run.done,
            total: run.total,
        })
    }

    /// Commits a chunk of a run on the header's version.
    pub(super) async fn commit_chunk(
        &self,
        stamp: &Stamp,
        read: &Versioned<StockTake>,
        run: &Run,
        (next, progress): (StockTake, Progress),
        fill: impl FnOnce(&mut ChangeSet),
    ) -> Result<Step, Error> {
        let take = &read.value;
        let job = run.job;
        let ended = match (next.run(), next.refusal()) {
            (Some(_), _) => None,
            (None, Some(_)) => Some(JobAck::Refused(job)),
            (None, None) => Some(JobAck::Settled(job)),
        };
        let tells = matches!(
            run.stage,
            RunStage::Apply | RunStage::LeftOver | RunStage::Reverse
        );
        // The header's version makes the id: a chunk whose outcome is unknown is recognised when it is tried
        // again, and lands once.
        let id = CommandId::new("run", format_args!("{}/{}", take.id(), read.version));
        let mut call = Self::begin_derived(stamp.clone(), id);
        self.commit(&mut call, Outcome::Done, |changes| {
            changes.update(read.version, next);
            if tells {
                changes.progress(JobProgress { job, progress });
            }
            if let Some(ended) = ended {
                changes.ack(ended);
            }
            fill(changes);
        })
        .await
    }
}

/// The header after a chunk: further, in the next stage, or over.
fn next_header(
    take: &StockTake,
    run: Run,
    next: Option<&Cursor>,
    stamp: &Stamp,
) -> Result<StockTake, Error> {
    let over = next.is_none();
    let run = Run {
        after: next.map(|next| next.as_str().to_owned()),
        ..run
    };
    match run.stage {
        RunStage::Check if over && run.refused_total > 0 => {
            Ok(take.advance(run, stamp.at)?.abandon_posting(stamp.at)?)
        }
        RunStage::Check if over => {
            let run = Run {
                stage: RunStage::Apply,
                done: 0,
                ..run
            };
            Ok(take.advance(run, stamp.at)?)
        }
        RunStage::Apply | RunStage::LeftOver if over => {
            Ok(take.advance(run, stamp.at)?.complete_posting(stamp.at)?)
        }
        RunStage::Check
        | RunStage::Apply
        | RunStage::LeftOver
        | RunStage::ReverseCheck
        | RunStage::Reverse => Ok(take.advance(run, stamp.at)?),
    }
}

impl Run {
    /// Keeps a line that can't be posted; only the first ones are told one by one.
    pub(super) fn refuse(&mut self, item: &StockTakeItem, problem: &LineProblem) {
        self.refused_total = self.refused_total.saturating_add(1);
        if self.refused.len() < REFUSED_LINES_TOLD {
            let (key, problem) = (item.key.clone(), problem.clone());
            self.refused.push(RefusedLine {
                item: item.id,
                name: named(&key, Some(&item.product), None).into(),
                key,
                problem,
            });
        }
    }
}

/// What was refused, for a caller.
pub(super) fn refused(refusal: &Refusal) -> Error {
    Error::Refused(Box::new(refusal.clone()))
}
