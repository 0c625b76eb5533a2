//! Reopening a finished take: its posting is taken back in chunks, resumable (S4.9, S6.9).

use crate::domain::{
    Cause, JobId, LineProblem, Note, Posting, Run, RunStage, Site, Stamp, StockEvent, StockLevel,
    StockTake, StockTakeId, StockTakeItem, StockTakeState, Terms,
};
use crate::store::{Cursor, Digest, Guard, JobTask, Outcome, Version, Versioned};

use super::access::Operation;
use super::call::Step;
use super::serial_marks::{Elsewhere, SerialMarks};
use super::stock_take_chunks::{Chunk, Line};
use super::stock_take_posting::refused;
use super::stock_takes::{StockTakes, job_of, step_in_delay};
use super::{Caller, Error, Pending, Stocktake};

impl StockTakes<'_> {
    /// Reopens a finished take (S4.9): its posting is reversed by new events, each dated where the reversed
    /// one is, its counts are kept, and it is being counted again. Finishing it again posts again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`], [`Error::Refused`] with the lines that
    /// can't be taken back (what was found has been sold): the take stays finished then, and nothing is
    /// reversed; failures of the store.
    #[inline(never)]
    pub fn reopen<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        reason: Option<Note>,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let library = self.library;
            let digest = Digest::of("reopen_stock_take")
                .field(id)
                .optional(reason.as_ref());
            let mut call = library.begin(caller, "reopen_stock_take", digest)?;
            let job = JobId::new(library.ids.next());
            let job = loop {
                let read = self.visible(&call.stamp, id).await?;
                call.require(Operation::ReopenStockTake)?;
                if let Some(job) = library.replay_job(&mut call, "reopen_stock_take").await? {
                    break job;
                }
                let next = read
                    .value
                    .begin_reopening(job, reason.clone(), &call.stamp)?;
                let task = JobTask::ReopenStockTake { take: id };
                let queued = job_of(&next, job, task, &call.stamp, step_in_delay());
                let step = library.commit(&mut call, Outcome::Job(job), |changes| {
                    changes.update(read.version, next);
                    changes.job(queued);
                });
                if let Step::Done(Outcome::Job(job)) = step.await? {
                    break job;
                }
            };
            let take = library.run_stock_take(&call.stamp, id).await?;
            match (take.state(), take.refusal()) {
                (StockTakeState::Finished, Some(refusal)) if refusal.job == job => {
                    Err(refused(refusal))
                }
                (_, _) => Ok(take),
            }
        })
    }
}

/// A line whose posting is taken back.
struct TakenBack {
    version: Version,
    item: StockTakeItem,
    level: Option<(Versioned<StockLevel>, StockLevel)>,
    events: Vec<StockEvent>,
}

impl Stocktake {
    /// Checks or takes back a chunk. Returns whether it was applied; if not, something moved: begin again.
    pub(super) async fn reverse_chunk(
        &self,
        stamp: &Stamp,
        site: &Versioned<Site>,
        read: &Versioned<StockTake>,
        run: &Run,
        chunk: &Chunk,
    ) -> Result<Step, Error> {
        let take = &read.value;
        let mut next_run = run.clone();
        let mut lines = Vec::with_capacity(chunk.lines.items.len());
        let mut serials = chunk.serials.clone();
        let alone = |line: &Line| {
            let marks = &mut SerialMarks::default();
            take_back(take, run, site, stamp, line, chunk, marks)
        };
        let brings = |line: &Line| alone(line).is_ok_and(|line| line.brings_unit());
        for (line, ahead) in chunk.in_order(brings) {
            if run.given_up {
                // It keeps what it posted.
                continue;
            }
            match take_back(take, run, site, stamp, line, chunk, &mut serials) {
                Ok(line) if ahead && !line.takes_unit_away() => {}
                Ok(line) => lines.push(line),
                Err(_) if ahead => {}
                // What can't be taken back any more keeps its posting; its count then posts nothing more.
                Err(problem) => next_run.refuse(&line.value, &problem),
            }
        }
        let looked_at = u64::try_from(chunk.lines.items.len()).unwrap_or(u64::MAX);
        next_run.done = run.done.saturating_add(looked_at);
        let progress = self.progress_of(take, &mut next_run).await?;
        let next = next_header(take, next_run, chunk.lines.next.as_ref(), stamp)?;
        let check = run.stage == RunStage::ReverseCheck;
        self.commit_chunk(stamp, read, run, (next, progress), |changes| {
            changes.guard(Guard::site(site));
            for line in lines.into_iter().filter(|_| !check) {
                if let Some((before, level)) = line.level {
                    changes.update(before.version, level);
                }
                for event in line.events {
                    changes.event(event);
                }
                changes.update(line.version, line.item);
            }
            if !check {
                serials.write(changes);
            }
        })
        .await
    }
}

impl TakenBack {
    /// Whether it brings the unit of a serial number to its key.
    fn brings_unit(&self) -> bool {
        self.on_hand() == (false, true)
    }

    /// Whether it takes the unit of a serial number from its key.
    fn takes_unit_away(&self) -> bool {
        self.on_hand() == (true, false)
    }

    /// Whether anything is on hand before, and after.
    fn on_hand(&self) -> (bool, bool) {
        let level = self.level.as_ref();
        level.map_or((false, false), |(before, after)| {
            let before = before.value.quantity();
            (before.is_positive(), after.quantity().is_positive())
        })
    }
}

fn take_back(
    take: &StockTake,
    run: &Run,
    site: &Site,
    stamp: &Stamp,
    line: &Line,
    chunk: &Chunk,
    serials: &mut SerialMarks,
) -> Result<TakenBack, LineProblem> {
    let item = &line.value;
    let reopened = StockTakeItem {
        posting: None,
        updated_at: stamp.at,
        ..(**item).clone()
    };
    let unposted = TakenBack {
        version: line.version,
        item: reopened,
        level: None,
        events: Vec::new(),
    };
    let Some(level) = chunk.levels.get(&item.key) else {
        return Ok(unposted);
    };
    let cause = Cause::StockTake {
        take: take.id(),
        item: item.id,
        round: take.round(),
    };
    let terms = Terms {
        site,
        standard: chunk.costs.standard(&item.product, site),
        elsewhere: None,
        at: stamp.at,
        by: run.by.id,
    };
    let events = chunk.later.get(&item.key).map_or(&[][..], Vec::as_slice);
    let posting = Posting::Count {
        cause,
        learned: item.posting.as_ref().and_then(|posting| posting.learned),
    };
    let (next, events) = level
        .value
        .take_back(&posting, events, run.reason.as_ref(), &terms)?;
    serials
        .moved(level.value.quantity(), &next, site.policy.serials)
        .map_err(Elsewhere::problem)?;
    let level = (next != level.value).then(|| (level.clone(), next));
    Ok(TakenBack {
        level,
        events,
        ..unposted
    })
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
    if !over {
        return Ok(take.advance(run, stamp.at)?);
    }
    if run.stage == RunStage::Reverse {
        return Ok(take.advance(run, stamp.at)?.complete_reopening(stamp.at)?);
    }
    if run.refused_total > 0 {
        return Ok(take.advance(run, stamp.at)?.abandon_reopening(stamp.at)?);
    }
    let run = Run {
        stage: RunStage::Reverse,
        done: 0,
        ..run
    };
    Ok(take.advance(run, stamp.at)?)
}
