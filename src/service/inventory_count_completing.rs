//! Completing an inventory count in chunks, resumable (S2.5, S6.4).
//!
//! Beginning to complete is one commit: it locks the count and queues the job. When adjustments are applied, the lines
//! are gone over twice: the check looks for lines that can't be posted, and if there are any and leaving them behind was
//! not asked, the count is in progress again and nothing was posted; then the lines are posted. Each chunk is one
//! commit on the header's version, which also tells how far it is: whoever works on it, and however often, each line
//! is posted once.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Completion, CompletionOptions, CompletionStage, CountResult, CountTotals, InventoryCount,
    InventoryCountId, InventoryCountItem, InventoryCountItemId, InventoryCountState, JobId, Note,
    Site, Stamp, StockEvent, StockKey, StockLevel, Terms,
};
use crate::store::{
    CommandId, Cursor, DeletableKey, Digest, Guard, InventoryCountItemFilter, JobAck, JobProgress,
    JobTask, NewJob, Outcome, Page, PageRequest, PageStart, Progress, RepositoryExt, Version,
    Versioned,
};

use super::access::Operation;
use super::call::Step;
use super::inventory_count_posting::{Decided, Lines};
use super::inventory_counts::{InventoryCountSummary, InventoryCounts};
use super::pace::Pace;
use super::serial_marks::SerialMarks;
use super::site_costs::SiteCosts;
use super::stock_takes::{JOB_ATTEMPTS, step_in_delay};
use super::{Caller, Error, Pending, Stocktake};

impl InventoryCounts<'_> {
    /// Completes a count (S2.5): done when it returns. Applied, the levels match what was counted, whatever was sold
    /// since stays sold ([`MovementPolicy`](crate::domain::MovementPolicy)), and each discrepancy has an approved
    /// adjustment record. Not applied, the count is only kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`], [`Error::KeyReused`],
    /// [`Error::CountRefused`] with the lines that can't be posted: it is in progress again then, and nothing was
    /// posted; failures of the store.
    #[inline(never)]
    pub fn complete<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
        options: CompletionOptions,
        notes: Option<Note>,
    ) -> Pending<'c, InventoryCountSummary> {
        Box::pin(async move {
            let operation = "complete_inventory_count";
            let (_, stamp) = self
                .begin_completing(caller, operation, id, options, notes, step_in_delay())
                .await?;
            let mut pace = Pace::default();
            while (self.library)
                .step_inventory_count(&stamp, id, &mut pace)
                .await?
            {}
            let count = self.visible(&stamp, id).await?.value;
            match (count.state(), count.refusal()) {
                (InventoryCountState::InProgress, Some(refusal)) => {
                    Err(Error::CountRefused(Box::new(refusal.clone())))
                }
                (_, _) => self.summary_of(count).await,
            }
        })
    }

    /// Completes a count in the background: locks it at once, and gives the job that does the rest. Read the count
    /// for what it came to, and the job.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`], [`Error::KeyReused`]; failures of the
    /// store.
    #[inline(never)]
    pub fn queue_completion<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
        options: CompletionOptions,
        notes: Option<Note>,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let operation = "queue_inventory_count_completion";
            self.begin_completing(caller, operation, id, options, notes, 0)
                .await
                .map(|(job, _)| job)
        })
    }

    /// Gives up a completion that can't go on, because its job is dead or for any other reason. One that has posted nothing
    /// yet: the count is in progress again, to be completed or cancelled. One that has: the lines that it has not come to
    /// are not posted, each with the problem `given_up`, and the count is completed when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] when none is under way; failures of the store.
    #[inline(never)]
    pub fn give_up<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
    ) -> Pending<'c, InventoryCountSummary> {
        Box::pin(async move {
            let library = self.library;
            let operation = "give_up_inventory_count";
            let mut call = library.begin(caller, operation, Digest::of(operation).field(id))?;
            let job = JobId::new(library.ids.next());
            loop {
                let read = self.visible(&call.stamp, id).await?;
                call.require(Operation::RunCount)?;
                if library.replay(&call).await?.is_some() {
                    break;
                }
                let next = read.value.give_up(job, &call.stamp)?;
                let queued = next.completion().map(|_| NewJob {
                    id: job,
                    site: next.site(),
                    task: JobTask::CompleteInventoryCount { count: id },
                    requested_by: call.stamp.actor.clone(),
                    run_at: call.stamp.at.later_by(step_in_delay()),
                    max_attempts: JOB_ATTEMPTS,
                });
                let given_up = read.value.completion().map(|completion| completion.job);
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
            let mut pace = Pace::default();
            while library
                .step_inventory_count(&call.stamp, id, &mut pace)
                .await?
            {}
            let count = self.visible(&call.stamp, id).await?.value;
            self.summary_of(count).await
        })
    }

    async fn begin_completing(
        &self,
        caller: &Caller,
        operation: &'static str,
        id: InventoryCountId,
        options: CompletionOptions,
        notes: Option<Note>,
        delay_micros: i64,
    ) -> Result<(JobId, Stamp), Error> {
        let library = self.library;
        let digest = Digest::of(operation)
            .field(id)
            .request(&options)
            .optional(notes.as_ref());
        let mut call = library.begin(caller, operation, digest)?;
        let job = JobId::new(library.ids.next());
        loop {
            let read = self.visible(&call.stamp, id).await?;
            call.require(if options.apply_adjustments {
                Operation::ApplyCount
            } else {
                Operation::RunCount
            })?;
            if let Some(job) = library.replay_job(&mut call, operation).await? {
                return Ok((job, call.stamp));
            }
            let next = read
                .value
                .begin_completing(options, notes.clone(), job, &call.stamp)?;
            let queued = NewJob {
                id: job,
                site: next.site(),
                task: JobTask::CompleteInventoryCount { count: id },
                requested_by: call.stamp.actor.clone(),
                run_at: call.stamp.at.later_by(delay_micros),
                max_attempts: JOB_ATTEMPTS,
            };
            let step = library.commit(&mut call, Outcome::Job(job), |changes| {
                changes.update(read.version, next);
                changes.job(queued);
            });
            if let Step::Done(Outcome::Job(job)) = step.await? {
                return Ok((job, call.stamp));
            }
        }
    }
}

/// What a chunk needs to know.
struct Chunk {
    lines: Page<Versioned<InventoryCountItem>>,
    /// Lines of other chunks: their keys hold units that lines of this one found. They are posted ahead of their turn
    /// if they let go of them, so that a unit that was found elsewhere moves.
    ahead: Vec<Versioned<InventoryCountItem>>,
    serials: SerialMarks,
    costs: SiteCosts,
    levels: BTreeMap<StockKey, Versioned<StockLevel>>,
    later: BTreeMap<StockKey, Vec<StockEvent>>,
}

/// What a chunk writes.
#[derive(Default)]
struct Posted {
    lines: Vec<(Version, Decided)>,
    serials: Option<SerialMarks>,
}

impl Chunk {
    /// Every line, and whether it is ahead of its turn. What `brings` the unit of a serial number to its key comes last:
    /// the unit has left its old key by then.
    fn in_order(
        &self,
        brings: impl Fn(&InventoryCountItem) -> bool,
    ) -> Vec<(&Versioned<InventoryCountItem>, bool)> {
        let ahead = self.ahead.iter().map(|line| (line, true));
        let lines = self.lines.items.iter().map(|line| (line, false));
        let mut all: Vec<(&Versioned<InventoryCountItem>, bool)> = ahead.chain(lines).collect();
        all.sort_by_cached_key(|(line, _)| line.key.serial.is_some() && brings(line));
        all
    }
}

impl Stocktake {
    /// One chunk of completing a count. Returns whether there is more. Whoever else does the same does no harm.
    pub(crate) async fn step_inventory_count(
        &self,
        stamp: &Stamp,
        id: InventoryCountId,
        pace: &mut Pace,
    ) -> Result<bool, Error> {
        let stamp = Stamp {
            actor: stamp.actor.clone(),
            at: self.clock.now(),
        };
        let read = self
            .repository
            .inventory_count(stamp.actor.organisation, id)
            .await?
            .ok_or(Error::not_found("inventory count"))?;
        let Some(completion) = read.value.completion().cloned() else {
            return Ok(false);
        };
        pace.begin(read.version)?;
        let step = if completion.options.apply_adjustments {
            self.post_count_chunk(&stamp, &read, completion, pace.limit())
                .await?
        } else {
            self.keep_count(&stamp, &read, completion).await?
        };
        pace.note(&step)?;
        Ok(true)
    }

    /// Completes a count that adjusts nothing. Its lines are locked, so their totals are what it came to.
    async fn keep_count(
        &self,
        stamp: &Stamp,
        read: &Versioned<InventoryCount>,
        completion: Completion,
    ) -> Result<Step, Error> {
        let totals = self.totals_of(&read.value).await?;
        let next = Completion {
            done: totals.items(),
            total: totals.items(),
            tally: CountResult {
                totals,
                ..CountResult::default()
            },
            ..completion
        };
        let site = self.site(read.organisation(), read.site()).await?;
        self.commit_count_chunk(
            stamp,
            read,
            &site,
            (next, None),
            Posted::default(),
            &BTreeMap::new(),
        )
        .await
    }

    /// Checks or posts a chunk. If something moved, begin again.
    async fn post_count_chunk(
        &self,
        stamp: &Stamp,
        read: &Versioned<InventoryCount>,
        completion: Completion,
        limit: u32,
    ) -> Result<Step, Error> {
        let count = &read.value;
        let site = self.site(count.organisation(), count.site()).await?;
        let chunk = self
            .read_count_chunk(count, &site, &completion, limit)
            .await?;
        let mut next = completion;
        if next.total == 0 {
            next.total = self.totals_of(count).await?.items();
        }
        let decided_by = |serials: SerialMarks| Lines {
            count,
            terms: Terms {
                site: &site,
                standard: None,
                elsewhere: None,
                at: stamp.at,
                by: next.by.id,
            },
            levels: &chunk.levels,
            costs: &chunk.costs,
            later: &chunk.later,
            serials,
        };
        let brings = |line: &InventoryCountItem| {
            let alone = decided_by(SerialMarks::default()).decide(line);
            alone.is_ok_and(|line| line.brings_unit())
        };
        let order = chunk.in_order(brings);
        let mut lines = decided_by(chunk.serials.clone());
        let mut decided = Vec::with_capacity(chunk.lines.items.len());
        for (line, ahead) in order {
            if next.stage == CompletionStage::Apply && line.posting.is_some() {
                // It was posted ahead of its turn.
                continue;
            }
            let posted = if next.given_up {
                lines.given_up(&line.value)?
            } else {
                lines.decide(&line.value)?
            };
            if ahead && !posted.takes_unit_away() {
                continue;
            }
            if next.stage == CompletionStage::Check {
                posted.refused(&mut next);
            } else {
                next.tally = posted.tallied(next.tally);
                decided.push((line.version, posted));
            }
        }
        let looked_at = u64::try_from(chunk.lines.items.len()).unwrap_or(u64::MAX);
        next.done = next.done.saturating_add(looked_at);
        let after = chunk.lines.next.as_ref();
        let posted = Posted {
            serials: (next.stage != CompletionStage::Check).then_some(lines.serials),
            lines: decided,
        };
        self.commit_count_chunk(stamp, read, &site, (next, after), posted, &chunk.levels)
            .await
    }

    async fn totals_of(&self, count: &InventoryCount) -> Result<CountTotals, Error> {
        Ok(self
            .repository
            .inventory_count_totals(count.organisation(), count.id())
            .await?)
    }

    /// Reads the next lines, their levels, and what happened to their keys since they were counted: one query each.
    async fn read_count_chunk(
        &self,
        count: &InventoryCount,
        site: &Site,
        completion: &Completion,
        limit: u32,
    ) -> Result<Chunk, Error> {
        let organisation = count.organisation();
        let page = PageRequest {
            start: completion.after.clone().map_or(PageStart::First, |after| {
                PageStart::After(Cursor::from(after))
            }),
            limit,
            with_total: false,
            reversed: false,
        };
        let all = InventoryCountItemFilter::default();
        let lines = self
            .repository
            .inventory_count_items(organisation, count.id(), &all, &page)
            .await?;
        let keys = lines.items.iter().map(|line| &line.value.key);
        let scope = site.policy.serials;
        let marked = self.serial_marks(organisation, keys, scope).await?;
        let ahead = self
            .count_lines_ahead(count, completion.stage, &lines.items, &marked, site)
            .await?;
        let all = || lines.items.iter().chain(&ahead);
        let keys: Vec<StockKey> = all().map(|line| line.value.key.clone()).collect();
        let found = self.repository.levels(organisation, &keys).await?;
        let serials = self.serial_marks(organisation, &keys, scope).await?;
        let levels: BTreeMap<StockKey, Versioned<StockLevel>> = keys
            .into_iter()
            .zip(found)
            .filter_map(|(key, level)| level.map(|level| (key, level)))
            .collect();
        let knows = |line: &InventoryCountItem| {
            let level = levels.get(&line.key);
            level.is_some_and(|level| level.value.knows_cost())
        };
        let unknown = all().filter(|line| !knows(&line.value));
        let unknown = unknown.map(|line| line.value.key.product).collect();
        let keys = all().map(|line| &line.value.key);
        let costs = self.posting_costs(site, unknown, keys).await?;
        let since: Vec<(StockKey, u64)> = all()
            .filter_map(|line| {
                let counted = line.value.counted.known_from();
                let now = levels.get(&line.value.key)?.value.sequence();
                (now > counted).then(|| (line.value.key.clone(), counted))
            })
            .collect();
        let mut later: BTreeMap<StockKey, Vec<StockEvent>> = BTreeMap::new();
        if !since.is_empty() {
            for event in self.repository.events_after(organisation, &since).await? {
                later.entry(event.key.clone()).or_default().push(event);
            }
        }
        Ok(Chunk {
            lines,
            ahead,
            serials,
            costs,
            levels,
            later,
        })
    }

    /// The lines, of other chunks, of the keys that hold what lines of this one found.
    async fn count_lines_ahead(
        &self,
        count: &InventoryCount,
        stage: CompletionStage,
        lines: &[Versioned<InventoryCountItem>],
        serials: &SerialMarks,
        site: &Site,
    ) -> Result<Vec<Versioned<InventoryCountItem>>, Error> {
        let here: BTreeSet<InventoryCountItemId> = lines.iter().map(|line| line.id).collect();
        let wanted: BTreeSet<InventoryCountItemId> = lines
            .iter()
            .filter_map(|line| serials.elsewhere(&line.key, site.policy.serials))
            .filter(|at| at.site == site.id)
            .map(|at| InventoryCountItemId::for_key(count.id(), at))
            .filter(|id| !here.contains(id))
            .collect();
        let mut ahead = Vec::new();
        for id in wanted {
            let line = self
                .repository
                .inventory_count_item(count.organisation(), count.id(), id)
                .await?;
            ahead.extend(
                line.filter(|line| stage == CompletionStage::Check || line.posting.is_none()),
            );
        }
        Ok(ahead)
    }

    /// Commits a chunk on the header's version.
    async fn commit_count_chunk(
        &self,
        stamp: &Stamp,
        read: &Versioned<InventoryCount>,
        site: &Versioned<Site>,
        (completion, after): (Completion, Option<&Cursor>),
        posted: Posted,
        levels: &BTreeMap<StockKey, Versioned<StockLevel>>,
    ) -> Result<Step, Error> {
        let (job, stage) = (completion.job, completion.stage);
        let progress = Progress {
            done: completion.done,
            total: completion.total,
        };
        let next = next_header(&read.value, completion, after, stamp)?;
        let ended = match next.state() {
            InventoryCountState::Completed => Some(JobAck::Settled(job)),
            InventoryCountState::InProgress => Some(JobAck::Refused(job)),
            InventoryCountState::Completing | InventoryCountState::Cancelled => None,
        };
        let open = if next.state() == InventoryCountState::Completed {
            self.open_mark(&next).await?
        } else {
            None
        };
        // The header's version makes the id: a chunk whose outcome is unknown is recognised when it is tried
        // again, and lands once.
        let id = CommandId::new(
            "complete_count",
            format_args!("{}/{}", next.id(), read.version),
        );
        let mut call = Self::begin_derived(stamp.clone(), id);
        let step = self.commit(&mut call, Outcome::Done, |changes| {
            if stage == CompletionStage::Apply {
                changes.progress(JobProgress { job, progress });
            }
            if let Some(ended) = ended {
                changes.ack(ended);
            }
            if let Some(open) = open {
                changes.delete(open.version, DeletableKey::OpenCount(next.site()));
            }
            changes.guard(Guard::site(site));
            changes.update(read.version, next);
            for (version, line) in posted.lines {
                if let Some(level) = line.level {
                    changes.put(levels.get(&line.item.key), level);
                }
                for event in line.events {
                    changes.event(event);
                }
                if let Some(adjustment) = line.adjustment {
                    changes.insert(adjustment);
                }
                changes.update(version, line.item);
            }
            if let Some(serials) = posted.serials {
                serials.write(changes);
            }
        });
        step.await
    }
}

/// The header after a chunk: further, in the next stage, or over.
fn next_header(
    count: &InventoryCount,
    completion: Completion,
    after: Option<&Cursor>,
    stamp: &Stamp,
) -> Result<InventoryCount, Error> {
    let over = after.is_none();
    let completion = Completion {
        after: after.map(|after| after.as_str().to_owned()),
        ..completion
    };
    let next = match completion.stage {
        CompletionStage::Check if over && completion.refused_total > 0 => count
            .advance(completion, stamp.at)?
            .abandon_completing(stamp.at)?,
        CompletionStage::Check if over => {
            let apply = Completion {
                stage: CompletionStage::Apply,
                done: 0,
                ..completion
            };
            count.advance(apply, stamp.at)?
        }
        CompletionStage::Apply if over => count
            .advance(completion, stamp.at)?
            .finish_completing(stamp.at)?,
        CompletionStage::Check | CompletionStage::Apply => count.advance(completion, stamp.at)?,
    };
    Ok(next)
}
