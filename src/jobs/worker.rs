//! One worker.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use super::order_mail::{NoAddress, order_mail};
#[cfg(feature = "pdf")]
use super::{Attachment, Mail};
use super::{Courier, MailError, Mailer, Timer};

use crate::domain::{InventoryOrderId, JobId, Stamp, StockTakeId, Timestamp};
use crate::service::{Error, ExportWork, Pace, Pending, Retention, Stocktake};
#[cfg(feature = "pdf")]
use crate::service::{OrderLetter, PrintedFile};
use crate::store::{Job, JobKind, JobTask, Lease, LeaseError, StoreError};

/// How long a lease lasts, unless told otherwise.
const LEASE: Duration = Duration::from_mins(1);
/// How often a lease is extended while it lasts: two extensions may fail before it is lost.
const BEATS: u32 = 3;
/// How many organisations are looked up at a time.
const ORGANISATIONS: u32 = 100;
/// How much is kept of why an order went out without its file, in bytes.
#[cfg(feature = "pdf")]
const MOST_TOLD: usize = 2_000;
/// The longest wait between two attempts.
const MAX_BACKOFF_SECONDS: i64 = 60 * 60;

/// Leases jobs and does them.
#[derive(Clone, Debug)]
pub struct Worker {
    stocktake: Stocktake,
    name: String,
    courier: Option<Arc<dyn Courier>>,
    mailer: Option<Arc<dyn Mailer>>,
    lease: Duration,
    timer: Option<Arc<dyn Timer>>,
    stopped: Arc<AtomicBool>,
    housekeeping: Option<Arc<Schedule>>,
}

/// When a worker and its clones keep house.
#[derive(Debug)]
struct Schedule {
    every: Duration,
    retention: Retention,
    /// When it is due again; at once, if nothing is said.
    due: Mutex<Option<Timestamp>>,
}

impl Schedule {
    /// Whether it is time; then it is not again for a while, whether or not it goes well.
    fn is_due(&self, now: Timestamp) -> bool {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.is_some_and(|due| now < due) {
            return false;
        }
        let every = i64::try_from(self.every.as_micros()).unwrap_or(i64::MAX);
        *due = Some(now.later_by(every));
        true
    }
}

/// What one turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// No job was due.
    Nothing,
    /// A job was done.
    Done(JobId),
    /// A job failed, and is tried again later.
    Failed(JobId),
    /// A job failed for good, and is listed as dead.
    Dead(JobId),
    /// Somebody else has the job by now.
    Lost(JobId),
    /// The worker was told to stop: the job is queued again, as far as it came, for whoever comes next.
    HandedBack(JobId),
}

impl Worker {
    /// A worker with a name, which is shown on the jobs it has.
    pub fn new(stocktake: &Stocktake, name: impl Into<String>) -> Self {
        Self {
            stocktake: stocktake.clone(),
            name: name.into(),
            courier: None,
            mailer: None,
            lease: LEASE,
            timer: None,
            stopped: Arc::default(),
            housekeeping: None,
        }
    }

    /// The same worker with somebody who brings orders to suppliers in the host's own way. A worker that has neither a
    /// courier nor a [mailer](Self::with_mailer) leaves orders alone: they wait for a worker that has one.
    #[must_use]
    pub fn with_courier(mut self, courier: Arc<dyn Courier>) -> Self {
        self.courier = Some(courier);
        self
    }

    /// The same worker with mail: it mails what is printed by jobs, and orders to their suppliers, unless it has a
    /// [courier](Self::with_courier). A worker without leaves what is to be mailed to others.
    #[must_use]
    pub fn with_mailer(mut self, mailer: Arc<dyn Mailer>) -> Self {
        self.mailer = Some(mailer);
        self
    }

    /// The same worker with leases of another length: a minute, unless told; not more than a day. It is how
    /// long a job waits for another worker when this one dies. The lease is extended after each step of a job; where
    /// a step may take longer than a lease, give the worker a [timer](Self::with_timer) as well.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_millis(1), Duration::from_hours(24));
        self
    }

    /// The same worker with a timer: it extends its lease also in the middle of a step, and gives a step up
    /// whose lease is lost. Leases can be short then, however long a step or a courier takes.
    #[must_use]
    pub fn with_timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = Some(timer);
        self
    }

    /// The same worker, which also keeps house ([`Stocktake::housekeeping`]) for every organisation: when it finds nothing
    /// to do, and so much time has passed since it began the last time; the first time at once.
    #[must_use]
    pub fn with_housekeeping(mut self, every: Duration, retention: Retention) -> Self {
        self.housekeeping = Some(Arc::new(Schedule {
            every,
            retention,
            due: Mutex::new(None),
        }));
        self
    }

    /// Tells the worker and its clones to stop, for good: the job under way is handed back after its step, so that
    /// it waits for nobody's lease, and no other one is begun. A job that is handed back has used up none of its attempts.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Does the job that is due longest, if there is one. A job that is refused by its state or its object
    /// ends at once: trying again would not help. Other failures are tried again, later each time.
    ///
    /// # Errors
    ///
    /// Failures of the store while leasing.
    #[inline(never)]
    pub fn run_once(&self) -> Pending<'_, Ran, StoreError> {
        Box::pin(async move {
            if self.is_stopped() {
                return Ok(Ran::Nothing);
            }
            let now = self.stocktake.clock.now();
            let lease = self
                .stocktake
                .queue
                .lease(&self.name, &self.kinds(), now, self.lease_from(now))
                .await?;
            match lease {
                None => {
                    self.keep_house(now).await?;
                    Ok(Ran::Nothing)
                }
                Some(lease) => {
                    let result = self.run_kept(&lease).await;
                    self.end(&lease, result).await
                }
            }
        })
    }

    /// The kinds of jobs that it can do.
    fn kinds(&self) -> Vec<JobKind> {
        let sends = self.courier.is_some() || self.mailer.is_some();
        let prints = self.mailer.is_some() && cfg!(feature = "pdf");
        let can = |kind: &JobKind| match kind {
            JobKind::SendInventoryOrder => sends,
            JobKind::Print => prints,
            JobKind::PopulateStockTake
            | JobKind::PostStockTake
            | JobKind::ReopenStockTake
            | JobKind::CompleteInventoryCount
            | JobKind::ImportStock
            | JobKind::Export => true,
        };
        JobKind::ALL.iter().copied().filter(can).collect()
    }

    /// Throws away what has been kept long enough, if it is time for that.
    async fn keep_house(&self, now: Timestamp) -> Result<(), StoreError> {
        let Some(housekeeping) = &self.housekeeping else {
            return Ok(());
        };
        if !housekeeping.is_due(now) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let repository = &self.stocktake.repository;
            let organisations = repository.organisations(after, ORGANISATIONS).await?;
            for organisation in &organisations {
                if self.is_stopped() {
                    return Ok(());
                }
                let retention = &housekeeping.retention;
                (self.stocktake)
                    .keep_house(*organisation, retention, now)
                    .await?;
            }
            after = organisations.last().copied();
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn lease_from(&self, now: Timestamp) -> Timestamp {
        now.later_by(i64::try_from(self.lease.as_micros()).unwrap_or(i64::MAX))
    }

    /// Does a job, and keeps its lease meanwhile.
    async fn run_kept(&self, lease: &Lease) -> Result<(), Interrupted> {
        // On the heap: a future that holds every kind of work is large, and this one would hold it twice.
        let work = Box::pin(self.run(lease));
        let Some(timer) = &self.timer else {
            return work.await;
        };
        let pause = self.lease.checked_div(BEATS).unwrap_or(self.lease);
        let keeping = async {
            loop {
                timer.wait(pause).await;
                // A store that fails now may not at the next beat; and if it does, the work itself tells.
                if let Err(LeaseError::Lost) = self.extend(lease).await {
                    break;
                }
            }
            Err(Interrupted::Lost)
        };
        first_of(work, keeping).await
    }

    /// Does jobs until none is due.
    ///
    /// # Errors
    ///
    /// As [`run_once`](Self::run_once).
    #[inline(never)]
    pub fn run_all_due(&self) -> Pending<'_, u64, StoreError> {
        Box::pin(async move {
            let mut ran = 0_u64;
            while self.run_once().await? != Ran::Nothing {
                ran = ran.saturating_add(1);
            }
            Ok(ran)
        })
    }

    async fn run(&self, lease: &Lease) -> Result<(), Interrupted> {
        let stamp = Stamp {
            actor: lease.job.requested_by.clone(),
            at: self.stocktake.clock.now(),
        };
        match lease.job.task {
            JobTask::PopulateStockTake { take } => {
                let mut pace = Pace::default();
                while (self.stocktake)
                    .populate_step(&stamp, take, &mut pace)
                    .await?
                {
                    self.keep(lease).await?;
                }
            }
            JobTask::PostStockTake { take } | JobTask::ReopenStockTake { take } => {
                self.run_take(lease, &stamp, take).await?;
            }
            JobTask::CompleteInventoryCount { count } => {
                let mut pace = Pace::default();
                while (self.stocktake)
                    .step_inventory_count(&stamp, count, &mut pace)
                    .await?
                {
                    self.keep(lease).await?;
                }
            }
            JobTask::ImportStock { import } => {
                let mut pace = Pace::default();
                while (self.stocktake)
                    .step_stock_import(&stamp, import, &mut pace)
                    .await?
                {
                    self.keep(lease).await?;
                }
            }
            JobTask::Export => {
                let mut work = ExportWork::default();
                while (self.stocktake)
                    .step_export(&stamp, lease.job.id, &mut work)
                    .await?
                {
                    self.keep(lease).await?;
                }
            }
            JobTask::SendInventoryOrder { order } => {
                self.send_order(&stamp, order, lease.job.id).await?;
            }
            #[cfg(feature = "pdf")]
            JobTask::Print => self.print(lease, &stamp).await?,
            // It does not ask for such jobs.
            #[cfg(not(feature = "pdf"))]
            JobTask::Print => return Err(Interrupted::Stopped),
        }
        Ok(())
    }

    /// Hands an order to the courier or mails it, and keeps that it went out.
    async fn send_order(
        &self,
        stamp: &Stamp,
        order: InventoryOrderId,
        job: JobId,
    ) -> Result<(), Interrupted> {
        let organisation = stamp.actor.organisation;
        let letter = self
            .stocktake
            .order_letter(organisation, order, job)
            .await?;
        let Some(letter) = letter else {
            return Ok(());
        };
        let without = match (&self.courier, &self.mailer) {
            (Some(courier), _) => {
                courier.send_order(&letter).await.map_err(Failure::unsent)?;
                None
            }
            (None, Some(mailer)) => {
                let mail = order_mail(&letter, job)?;
                #[cfg(feature = "pdf")]
                let (mail, without) = self.with_order(mail, &letter, stamp);
                #[cfg(not(feature = "pdf"))]
                let without = None;
                mailer.send(&mail).await?;
                without
            }
            // It does not ask for such jobs.
            (None, None) => return Err(Interrupted::Stopped),
        };
        let stamp = Stamp {
            at: self.stocktake.clock.now(),
            ..stamp.clone()
        };
        // It has gone out: whatever keeps that from being told now, it is to be told later.
        let told = self.stocktake.order_sent(&stamp, order, job, without);
        let told = told.await;
        Ok(told.map_err(|error| Failure::of(error.code(), &error, true))?)
    }

    /// The mail with the order as a file, or why it goes without. Its text has every line, also in letters that no font has.
    #[cfg(feature = "pdf")]
    fn with_order(
        &self,
        mut mail: Mail,
        letter: &OrderLetter,
        stamp: &Stamp,
    ) -> (Mail, Option<String>) {
        match self.stocktake.print_letter(letter, stamp) {
            Ok(file) => {
                mail.attachments.push(attachment(file));
                (mail, None)
            }
            Err(error) => {
                let without: String = Failure::from(Error::from(error)).told;
                let kept = without.floor_char_boundary(MOST_TOLD);
                (mail, without.get(..kept).map(str::to_owned))
            }
        }
    }

    /// Prints what was asked for and mails it. The file is kept before it is mailed: a mail that is sent again is the same.
    #[cfg(feature = "pdf")]
    async fn print(&self, lease: &Lease, stamp: &Stamp) -> Result<(), Interrupted> {
        let job = lease.job.id;
        self.stocktake.make_print(stamp, job).await?;
        self.keep(lease).await?;
        let Some(printed) = self.stocktake.printed_mail(stamp, job).await? else {
            return Ok(());
        };
        let Some(mailer) = &self.mailer else {
            // It does not ask for such jobs.
            return Err(Interrupted::Stopped);
        };
        let mail = Mail {
            id: job.as_uuid(),
            to: printed.to,
            subject: printed.subject,
            text: printed.text,
            attachments: vec![attachment(printed.file)],
        };
        Ok(mailer.send(&mail).await?)
    }

    async fn run_take(
        &self,
        lease: &Lease,
        stamp: &Stamp,
        take: StockTakeId,
    ) -> Result<(), Interrupted> {
        let mut pace = Pace::default();
        while self
            .stocktake
            .step_stock_take(stamp, take, &mut pace)
            .await?
            .is_none()
        {
            self.keep(lease).await?;
        }
        Ok(())
    }

    /// Keeps the lease after a step, unless the work is to stop there.
    async fn keep(&self, lease: &Lease) -> Result<(), Interrupted> {
        if self.is_stopped() {
            return Err(Interrupted::Stopped);
        }
        match self.extend(lease).await {
            Ok(()) => Ok(()),
            // The last commit of the work ended the job, or somebody else has it: the next step tells.
            Err(LeaseError::Lost) => Err(Interrupted::Lost),
            Err(LeaseError::Store(error)) => Err(Error::Store(error).into()),
        }
    }

    async fn extend(&self, lease: &Lease) -> Result<(), LeaseError> {
        let until = self.lease_from(self.stocktake.clock.now());
        self.stocktake.queue.extend(lease.token, until).await
    }

    async fn end(&self, lease: &Lease, result: Result<(), Interrupted>) -> Result<Ran, StoreError> {
        let (id, now) = (lease.job.id, self.stocktake.clock.now());
        let (ended, ran) = match result {
            Ok(()) => (
                self.stocktake.queue.ack(lease.token, now).await,
                Ran::Done(id),
            ),
            Err(Interrupted::Lost) => (Err(LeaseError::Lost), Ran::Lost(id)),
            Err(Interrupted::Stopped) => {
                let released = self.stocktake.queue.release(lease.token, now).await;
                (released, Ran::HandedBack(id))
            }
            Err(Interrupted::Failed(failure)) => {
                let retry_at = retry_at(&lease.job, &failure, now);
                let ran = if retry_at.is_some() {
                    Ran::Failed(id)
                } else {
                    Ran::Dead(id)
                };
                (
                    self.stocktake
                        .queue
                        .fail(lease.token, &failure.told, now, retry_at)
                        .await,
                    ran,
                )
            }
        };
        match ended {
            Ok(()) => Ok(ran),
            Err(LeaseError::Lost) => self.lost(lease).await,
            Err(LeaseError::Store(error)) => Err(error),
        }
    }

    /// A lost lease is the normal end of work whose last commit ended its job.
    async fn lost(&self, lease: &Lease) -> Result<Ran, StoreError> {
        let job = self
            .stocktake
            .queue
            .job(lease.token.organisation, lease.job.id)
            .await?;
        let over = job.is_some_and(|job| job.finished_at.is_some());
        Ok(if over {
            Ran::Done(lease.job.id)
        } else {
            Ran::Lost(lease.job.id)
        })
    }
}

/// A printed document as it goes with a mail.
#[cfg(feature = "pdf")]
fn attachment(file: PrintedFile) -> Attachment {
    Attachment {
        name: file.name,
        content_type: "application/pdf".to_owned(),
        bytes: file.bytes.into(),
    }
}

/// Runs two futures until one of them is over; the other one is dropped. What is begun first goes first.
async fn first_of<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => other.as_mut().poll(context),
    })
    .await
}

/// Why work stopped.
enum Interrupted {
    Lost,
    Stopped,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Interrupted {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What went wrong in a job.
struct Failure {
    /// A code, and what is told to who looks after jobs.
    told: String,
    /// Whether trying again may help.
    is_retryable: bool,
}

impl Failure {
    fn of(code: &str, error: &dyn StdError, is_retryable: bool) -> Self {
        let mut told = format!("{code}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            told.push_str(": ");
            told.push_str(&cause.to_string());
            source = cause.source();
        }
        Self { told, is_retryable }
    }

    /// A courier failed, nobody knows how: it is asked again.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it stands where errors are mapped"
    )]
    fn unsent(error: Box<dyn StdError + Send + Sync>) -> Self {
        Self::of("not_sent", &*error, true)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(error.code(), &error, error.is_retryable())
    }
}

impl From<MailError> for Failure {
    fn from(error: MailError) -> Self {
        Self::of(error.code(), &error, error.is_retryable())
    }
}

impl From<NoAddress> for Failure {
    fn from(NoAddress(told): NoAddress) -> Self {
        Self {
            told: told.to_owned(),
            is_retryable: false,
        }
    }
}

/// When a failed job is tried again: never when it would fail again for the same reason.
fn retry_at(job: &Job, failure: &Failure, now: Timestamp) -> Option<Timestamp> {
    if !failure.is_retryable || job.attempts >= job.max_attempts {
        return None;
    }
    let seconds = 2_i64.saturating_pow(job.attempts).min(MAX_BACKOFF_SECONDS);
    // A fifth more or less, by the job: workers that failed together don't come back together.
    let spread = i64::from(job.id.as_uuid().as_bytes().first().copied().unwrap_or(0));
    let micros = seconds.saturating_mul(800_000_i64.saturating_add(spread.saturating_mul(1_568)));
    Some(now.later_by(micros))
}
