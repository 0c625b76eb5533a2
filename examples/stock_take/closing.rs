//! Closing the take: posting it through the queue, a late sales slip, reopening it, and posting it again.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use rust_decimal::Decimal;
use stocktake::domain::{
    CountStatus, JobId, Note, PostingOptions, PostingResult, Quantity, RunStage, StockEventKind,
    StockTake, StockTakeId, StockTakeItemId, StockTakeState, Timestamp,
};
use stocktake::jobs::Worker;
use stocktake::service::{CountRequest, Movement, NewMovement};
use stocktake::store::{Job, JobState, Progress, StockTakeTotals};

use crate::counting::{Counted, lines_of};
use crate::failure::{Checks, Failure};
use crate::report::Difference;
use crate::screen::grouped;
use crate::shop::{GiftShop, POSTINGS};

/// How often a job is looked after.
const LOOK: Duration = Duration::from_millis(1);
/// How long a worker that is not heard of keeps a job.
const LEASE_MICROS: i64 = 61 * 1_000_000;
/// How many leases to wait for before something must be wrong.
const PATIENCE: u32 = 100;
/// How many pieces stand on the late slip, if so many are missing.
const ON_THE_SLIP: i64 = 6;
/// The slip was written so long before the take was opened.
const SLIP_BEFORE_MICROS: i64 = 14 * 60 * 60 * 1_000_000;

/// What is seen of a posting while it runs.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The job when it was over.
    pub(crate) job: Job,
    /// What the take told on the way.
    pub(crate) seen: Vec<String>,
    /// Lines whose stock moved after they were counted.
    pub(crate) moved_lines: usize,
    /// By so many movements.
    pub(crate) moves: usize,
}

/// Lets a worker do what is queued, as a background process would.
pub(crate) async fn run_jobs(shop: &Arc<GiftShop>) -> Result<u64, Failure> {
    let worker = Worker::new(&shop.library, "worker-1");
    let jobs = tokio::spawn(async move { worker.run_all_due().await });
    Ok(jobs.await??)
}

/// Lets a worker do what is queued until a job is over. What the worker of an interrupted run had taken up is free
/// again when its lease has lapsed.
pub(crate) async fn run_until_over(shop: Arc<GiftShop>, job: JobId) -> Result<(), Failure> {
    for _ in 0..PATIENCE {
        run_jobs(&shop).await?;
        if shop
            .library
            .job(&shop.manager, job)
            .await?
            .finished_at
            .is_some()
        {
            break;
        }
        shop.clock.move_on_by(LEASE_MICROS);
    }
    Ok(())
}

/// Lets a worker add the lines of a take, whoever had begun with it.
pub(crate) async fn add_lines(
    shop: &Arc<GiftShop>,
    take: StockTakeId,
) -> Result<StockTake, Failure> {
    let takes = shop.library.stock_takes();
    let mut waits = 0;
    loop {
        run_jobs(shop).await?;
        let take = takes.get(&shop.manager, take).await?.take;
        if take.items_added() || waits == PATIENCE {
            return Ok(take);
        }
        waits += 1;
        shop.clock.move_on_by(LEASE_MICROS);
    }
}

/// Lets a worker post, and reads from the take how far it is.
pub(crate) async fn watch_posting(
    shop: &Arc<GiftShop>,
    take: StockTakeId,
    job: JobId,
    bar: &ProgressBar,
) -> Result<Watched, Failure> {
    let jobs = tokio::spawn(run_until_over(Arc::clone(shop), job));
    let mut seen: Vec<String> = Vec::new();
    while !jobs.is_finished() {
        let summary = shop.library.stock_takes().get(&shop.manager, take).await?;
        if let Some(run) = summary.take.run().filter(|run| run.done > 0) {
            let doing = if run.stage == RunStage::Check {
                "checked"
            } else {
                "posted"
            };
            let told = format!("{doing} {}", grouped(run.done));
            if seen.last() != Some(&told) {
                seen.push(told);
            }
            bar.set_position(run.done);
        }
        tokio::time::sleep(LOOK).await;
    }
    jobs.await??;
    bar.finish_and_clear();
    let job = shop.library.job(&shop.manager, job).await?;
    let moves: Vec<usize> = lines_of(shop, take, CountStatus::Counted)
        .await?
        .iter()
        .filter_map(|line| line.item.value.posting.as_ref())
        .map(|posting| posting.moves.len())
        .filter(|moves| *moves > 0)
        .collect();
    Ok(Watched {
        job,
        seen,
        moved_lines: moves.len(),
        moves: moves.into_iter().sum(),
    })
}

/// Checks that a posted take says what happened to each of its lines.
pub(crate) fn check_posted(take: &StockTake, totals: &StockTakeTotals, checks: &mut Checks) {
    let (lines, counted) = (totals.items, totals.counted);
    checks.hold(take.state() == StockTakeState::Finished, || {
        format!("the take is {:?} after posting", take.state())
    });
    let result = take.result().cloned().unwrap_or_default();
    let PostingResult {
        adjusted,
        confirmed,
        uncounted,
        superseded,
        unposted,
        ..
    } = result;
    checks.hold(adjusted + confirmed == counted, || {
        format!("{counted} lines are counted, {adjusted} adjusted and {confirmed} confirmed")
    });
    checks.hold(adjusted + confirmed + uncounted == lines, || {
        format!("{lines} lines, of which {uncounted} uncounted, don't add up")
    });
    checks.hold(superseded + unposted == 0, || {
        format!("{superseded} lines were superseded and {unposted} not posted")
    });
}

/// Checks that a job has ended well.
pub(crate) fn check_job(job: &Job, checks: &mut Checks) {
    let Progress { done, total } = job.progress;
    checks.hold(job.state == JobState::Succeeded && done == total, || {
        let error = job.last_error.as_deref().unwrap_or("no error");
        format!("the job is {:?} at {done} of {total}: {error}", job.state)
    });
}

/// Tries to count when it is too late. Tells the code of the refusal.
pub(crate) async fn count_too_late(
    shop: &GiftShop,
    take: StockTakeId,
    item: StockTakeItemId,
    checks: &mut Checks,
) -> Result<String, Failure> {
    let takes = shop.library.stock_takes();
    let counter = shop.counters.first().unwrap_or(&shop.manager);
    let request = CountRequest::set(Quantity::ONE);
    match takes.count(counter, take, item, request).await {
        Ok(_) => {
            checks.hold(false, || {
                "a count was taken after posting had begun".to_owned()
            });
            Ok("not refused".to_owned())
        }
        Err(error) if error.code() == "invalid_state" => Ok(format!(
            "{} ({}): {error}",
            error.code(),
            error.kind().status()
        )),
        Err(error) => Err(error.into()),
    }
}

/// A slip for a sale that everybody forgot: it happened before the take, and explains some of what is
/// missing.
#[derive(Debug)]
pub(crate) struct Slip {
    /// The number of the bay.
    pub(crate) bay: usize,
    /// How many were sold.
    pub(crate) pieces: i64,
    /// When.
    pub(crate) at: Timestamp,
    /// The variance that was posted without it.
    pub(crate) variance: Quantity,
}

/// The slip that turns up: of the counted article of which most is missing. The shelves tell, since the take does
/// not when this is continued after it was corrected.
pub(crate) fn slip(shop: &GiftShop, counted: &Counted) -> Option<Slip> {
    let loss = |number: &usize| {
        let bay = shop.bays.get(*number)?;
        let missing = Decimal::from(-bay.unknown_delta());
        (bay.unknown_delta() < 0).then(|| (missing * bay.article.unit_cost, *number))
    };
    let (_, number) = counted.lines.keys().filter_map(loss).max()?;
    let delta = shop.bays.get(number)?.unknown_delta();
    let opens_at = Timestamp::from(shop.month.split().opens_at);
    Some(Slip {
        bay: number,
        pieces: (-delta).min(ON_THE_SLIP),
        at: opens_at.later_by(-SLIP_BEFORE_MICROS),
        variance: Quantity::try_from(delta).ok()?,
    })
}

impl Slip {
    /// Records the sale at its own time, which is before the count: the ledger books it on its date, and
    /// the level stays, because the count knew already.
    pub(crate) async fn record(&self, shop: &GiftShop, checks: &mut Checks) -> Result<(), Failure> {
        let Some(bay) = shop.bays.get(self.bay) else {
            return Ok(());
        };
        let stock = shop.library.stock();
        let before = stock.level(&shop.manager, &bay.key).await?.quantity();
        let sale = Movement::Issue {
            key: bay.key.clone(),
            quantity: Quantity::try_from(self.pieces)?,
        };
        let sale = NewMovement::from(sale).at(self.at);
        let manager = shop.manager_with_key("late-slip")?;
        let events = stock.record(&manager, shop.site.id, &[sale]).await?;
        let after = stock.level(&shop.manager, &bay.key).await?.quantity();
        let kinds: Vec<StockEventKind> = events.iter().map(|event| event.kind).collect();
        let code = &bay.article.code;
        checks.hold(before == after, || {
            format!(
                "{code}: a sale that the count knew of moved the level from {before} to {after}"
            )
        });
        checks.hold(
            kinds == [StockEventKind::Issue, StockEventKind::Absorption],
            || format!("{code}: the late sale made {kinds:?}"),
        );
        Ok(())
    }

    /// Checks that the slip's sale has become part of what was expected. Tells the variance.
    pub(crate) fn check(
        &self,
        found: &[Difference],
        checks: &mut Checks,
    ) -> Result<Quantity, Failure> {
        let now = found
            .iter()
            .find(|found| found.bay == self.bay)
            .map_or(Quantity::ZERO, |found| found.variance);
        let due = self
            .variance
            .checked_add(Quantity::try_from(self.pieces)?)?;
        checks.hold(now == due, || {
            format!("with the slip the variance should be {due}, and is {now}")
        });
        Ok(now)
    }
}

/// Takes the posting back, counts the line with the mistake again, and posts at once.
pub(crate) async fn correct(
    shop: &GiftShop,
    take: StockTakeId,
    mistaken: Option<(usize, StockTakeItemId)>,
    checks: &mut Checks,
) -> Result<StockTake, Failure> {
    let takes = shop.library.stock_takes();
    let reason = Note::new("A sales slip was found, and a carton was counted twice")
        .map_err(|error| stocktake::service::Error::text("reason", error))?;
    // Asked again by a run that continues, it is past that.
    let round = takes.get(&shop.manager, take).await?.take.round();
    let manager = shop.manager_with_key("reopen")?;
    let reopened = takes.reopen(&manager, take, Some(reason)).await?;
    if round < POSTINGS {
        checks.hold(reopened.state() == StockTakeState::Ongoing, || {
            format!("the take is {:?} after reopening", reopened.state())
        });
    }
    if let Some((number, item)) = mistaken
        && let Some(bay) = shop.bays.get(number)
    {
        let there = Quantity::try_from(*bay.goods.lock().await)?;
        takes
            .count(
                &shop.manager_with_key("recount")?,
                take,
                item,
                CountRequest::set(there),
            )
            .await?;
    }
    Ok(takes
        .submit(
            &shop.manager_with_key("submit")?,
            take,
            PostingOptions::default(),
        )
        .await?)
}
