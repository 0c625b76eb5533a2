//! Exports (S1.12, S3.7): asking for one, and reading its file when it is whole.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::{
    InventoryCountId, InventoryCountState, InventoryOrderId, JobId, OrganisationId, SiteId, Stamp,
    StockTake, StockTakeId, Timestamp,
};
use crate::store::{
    Digest, DigestBuilder, Export, ExportForm, ExportFormat, ExportSubject,
    InventoryCountItemFilter, InventoryOrderItemFilter, Job, JobKind, JobState, JobTask,
    LevelFilter, NewJob, Outcome, PageRequest, PageStart, RepositoryExt, StockAdjustmentFilter,
    StockEventFilter, StockTakeItemFilter, StockTakeTotals, list_digest,
};

use super::access::{Operation, allows, sees_supplier_email};
use super::call::{Call, Step};
use super::error::dated;
use super::{Caller, Error, Pending, Stocktake};

/// How often an export is tried before its job ends dead.
const EXPORT_ATTEMPTS: u32 = 10;
/// How often somebody has the same document mailed before each further request is a job of its own at once.
const MOST_MAILED_AGAIN: u32 = 100;

/// What exports may take of an organisation's room ([`Stocktake::with_export_limits`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportLimits {
    /// How long a file can be fetched after it was asked for: a day, unless told; at least a minute. Asking for it again
    /// after that makes a new one.
    pub lifetime: Duration,
    /// How many exports of an organisation may wait or run: 10, unless fewer are told. Where several are asked for at the very
    /// same moment a few more may get in.
    pub active: u64,
    /// How many lines one may have: 1,000,000, unless fewer are told.
    pub lines: u64,
}

impl Default for ExportLimits {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_hours(24),
            active: 10,
            lines: 1_000_000,
        }
    }
}

impl ExportLimits {
    /// The same within what is possible at all.
    pub(super) fn within_bounds(self) -> Self {
        let most = Self::default();
        Self {
            lifetime: (self.lifetime).clamp(Duration::from_mins(1), Duration::from_hours(24 * 365)),
            active: self.active.min(most.active),
            lines: self.lines.min(most.lines),
        }
    }

    pub(super) fn lifetime_micros(&self) -> i64 {
        i64::try_from(self.lifetime.as_micros()).unwrap_or(i64::MAX)
    }
}

/// Exports (S1.12, S3.7) of takes, counts, orders, adjustments, levels and the ledger, as comma-separated values or workbooks,
/// for machines or for people ([`ExportForm`]).
///
/// # Example
///
/// ```
/// use stocktake::domain::MovementPolicy;
/// use stocktake::service::{Caller, NewStockTake};
/// use stocktake::store::{ExportForm, StockTakeItemFilter};
/// use stocktake::testing::shop;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let shop = shop();
/// shop.open().await?;
/// let manager = Caller::of(&shop.manager);
/// let new = NewStockTake { site: shop.site.id, description: "January".parse()?, movement_policy: MovementPolicy::default() };
/// let take = shop.stocktake.stock_takes().create(&manager, new).await?;
/// shop.run_jobs().await?;
///
/// let exports = shop.stocktake.exports();
/// let (all, form) = (StockTakeItemFilter::default(), ExportForm::default());
/// let job = exports.stock_take(&manager, take.id(), all.clone(), form).await?;
/// assert_eq!(exports.stock_take(&manager, take.id(), all, form).await?, job, "no line has changed");
/// assert!(exports.file(&manager, job).await?.bytes.is_none());
/// shop.run_jobs().await?;
///
/// let file = exports.file(&manager, job).await?;
/// assert_eq!(file.job.progress.done, 10);
/// assert!(file.bytes.is_some_and(|bytes| bytes.starts_with(b"article_id,product_name,")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Exports<'a> {
    pub(super) library: &'a Stocktake,
}

/// Where an export stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportStatus {
    /// Its job: the state and the progress.
    pub job: Job,
    /// What it is of, and how much of the file is there.
    pub export: Export,
}

/// An export and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Its job.
    pub job: Job,
    /// What it is of, and in which form.
    pub export: Export,
    /// The file; nothing as long as it is not whole.
    pub bytes: Option<Vec<u8>>,
}

/// What is to be made by a job.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) site: SiteId,
    pub(super) subject: ExportSubject,
    pub(super) form: ExportForm,
    pub(super) task: JobTask,
    pub(super) mail_to: Option<String>,
}

impl Asked {
    /// Lines as a file.
    const fn lines(site: SiteId, subject: ExportSubject, form: ExportForm) -> Self {
        Self {
            site,
            subject,
            form,
            task: JobTask::Export,
            mail_to: None,
        }
    }

    /// How many of one version there are in the time that a file can be fetched: what was mailed is made and mailed again
    /// for who asks again.
    const fn most_of_one_period(&self) -> u32 {
        if matches!(self.task, JobTask::Print) {
            MOST_MAILED_AGAIN
        } else {
            1
        }
    }

    /// An export of which nothing is there yet.
    pub(super) fn export(&self, job: JobId, expires_at: Timestamp) -> Export {
        Export {
            job,
            site: self.site,
            subject: self.subject.clone(),
            chunks: 0,
            after: None,
            lines: 0,
            complete: false,
            expires_at,
            form: self.form,
            mail_to: self.mail_to.clone(),
            sums: Vec::new(),
        }
    }
}

impl<'a> Exports<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Asks for the lines of a take as a file (S1.12): the job that makes it. Asking again for the same take, filter and
    /// form gives the same job while no line has changed and its file can be fetched; one that ended dead is queued
    /// again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::KeyReused`], [`Error::TooLarge`] and [`Error::TooMany`] beyond the
    /// [limits](ExportLimits); failures of the store.
    #[inline(never)]
    pub fn stock_take<'c>(
        &'c self,
        caller: &'c Caller,
        take: StockTakeId,
        filter: StockTakeItemFilter,
        form: ExportForm,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let library = self.library;
            let digest = asked("export_stock_take", list_digest(take, &filter), form);
            let call = library.begin(caller, "export_stock_take", digest)?;
            let read = library.stock_takes().visible(&call.stamp, take).await?;
            call.require(Operation::Export)?;
            filter.check()?;
            can_be_written(form)?;
            let header = &read.value;
            let all = StockTakeItemFilter::default();
            let totals = library
                .repository
                .stock_take_totals(call.organisation(), take, &all)
                .await?;
            let version = asked("stock take", list_digest(take, &filter), form);
            let version = versioned(version, header, &totals);
            let most = library.export_limits.lines;
            if totals.items > most {
                // A filter may leave few enough.
                let totals = library
                    .repository
                    .stock_take_totals(call.organisation(), take, &filter)
                    .await?;
                self.few(totals.items)?;
            }
            let subject = ExportSubject::StockTake { take, filter };
            let asked = Asked::lines(header.site(), subject, form);
            self.queue(caller, call, asked, Some(version)).await
        })
    }

    /// Asks for the lines of an order as a file (S3.7): the job that makes it. Asking again for the same order, filter
    /// and form gives the same job while the order has not changed and its file can be fetched; one that ended dead is
    /// queued again.
    ///
    /// # Errors
    ///
    /// As [`stock_take`](Self::stock_take).
    #[inline(never)]
    pub fn inventory_order<'c>(
        &'c self,
        caller: &'c Caller,
        order: InventoryOrderId,
        filter: InventoryOrderItemFilter,
        form: ExportForm,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let library = self.library;
            let digest = asked("export_inventory_order", list_digest(order, &filter), form);
            let call = library.begin(caller, "export_inventory_order", digest)?;
            let read = library
                .inventory_orders()
                .visible(&call.stamp, order)
                .await?;
            call.require(Operation::Export)?;
            filter.check()?;
            can_be_written(form)?;
            let version =
                asked("inventory order", list_digest(order, &filter), form).field(read.version);
            let subject = ExportSubject::InventoryOrder { order, filter };
            let asked = Asked::lines(read.value.site(), subject, form);
            self.queue(caller, call, asked, Some(version)).await
        })
    }

    /// Asks for the lines of an inventory count as a file: the job that makes it. Asking again gives the same job once the
    /// count is over, as long as its file can be fetched; before that each asking makes a new one, as somebody may have
    /// counted meanwhile.
    ///
    /// # Errors
    ///
    /// As [`stock_take`](Self::stock_take).
    #[inline(never)]
    pub fn inventory_count<'c>(
        &'c self,
        caller: &'c Caller,
        count: InventoryCountId,
        filter: InventoryCountItemFilter,
        form: ExportForm,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let library = self.library;
            let list = list_digest(count, &filter);
            let digest = asked("export_inventory_count", list, form);
            let call = library.begin(caller, "export_inventory_count", digest)?;
            let counts = library.inventory_counts();
            let read = counts.visible(&call.stamp, count).await?;
            call.require(Operation::Export)?;
            can_be_written(form)?;
            let totals = library
                .repository
                .inventory_count_totals(call.organisation(), count)
                .await?;
            self.few(totals.items())?;
            let is_over = matches!(
                read.value.state(),
                InventoryCountState::Completed | InventoryCountState::Cancelled
            );
            let version = asked("inventory count", list, form).field(read.version);
            let subject = ExportSubject::InventoryCount { count, filter };
            let asked = Asked::lines(read.value.site(), subject, form);
            let version = is_over.then_some(version);
            self.queue(caller, call, asked, version).await
        })
    }

    /// Asks for the stock adjustments of a site as a file: a new job each time, as there is nothing that tells whether one
    /// of them has changed. A repeated request with its idempotency key has its first job.
    ///
    /// # Errors
    ///
    /// As [`stock_take`](Self::stock_take), and [`Error::Invalid`] (`date_out_of_range`).
    #[inline(never)]
    pub fn stock_adjustments<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        filter: StockAdjustmentFilter,
        form: ExportForm,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let library = self.library;
            let list = list_digest(site, &filter);
            let call = self.begin_of_site(caller, site, "export_stock_adjustments", list, form);
            let call = call.await?;
            dated("from", filter.from)?;
            dated("to", filter.to)?;
            let counted = library
                .repository
                .stock_adjustments(call.organisation(), site, &filter, &counting())
                .await?;
            self.few(counted.total.unwrap_or(0))?;
            let subject = ExportSubject::StockAdjustments { filter };
            let asked = Asked::lines(site, subject, form);
            self.queue(caller, call, asked, None).await
        })
    }

    /// Asks for the stock levels of a site as a file: a new job each time, as for
    /// [`stock_adjustments`](Self::stock_adjustments).
    ///
    /// # Errors
    ///
    /// As [`stock_take`](Self::stock_take).
    #[inline(never)]
    pub fn stock_levels<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        filter: LevelFilter,
        form: ExportForm,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let library = self.library;
            let list = list_digest(site, &filter);
            let call = self.begin_of_site(caller, site, "export_stock_levels", list, form);
            let call = call.await?;
            filter.check()?;
            let counted = library
                .repository
                .levels_page(call.organisation(), site, &filter, &counting())
                .await?;
            self.few(counted.total.unwrap_or(0))?;
            let subject = ExportSubject::StockLevels { filter };
            let asked = Asked::lines(site, subject, form);
            self.queue(caller, call, asked, None).await
        })
    }

    /// Asks for the ledger of a site as a file, in its order: a new job each time, as for
    /// [`stock_adjustments`](Self::stock_adjustments). How many events there are is found out when they are read: an export
    /// of more than the limit is refused then.
    ///
    /// # Errors
    ///
    /// As [`stock_adjustments`](Self::stock_adjustments), without [`Error::TooLarge`].
    #[inline(never)]
    pub fn stock_events<'c>(
        &'c self,
        caller: &'c Caller,
        site: SiteId,
        filter: StockEventFilter,
        form: ExportForm,
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let list = list_digest(site, &filter);
            let call = self.begin_of_site(caller, site, "export_stock_events", list, form);
            let call = call.await?;
            dated("from", filter.from)?;
            dated("to", filter.to)?;
            let subject = ExportSubject::StockEvents { filter };
            let asked = Asked::lines(site, subject, form);
            self.queue(caller, call, asked, None).await
        })
    }

    /// Begins to ask for what is of a site.
    async fn begin_of_site(
        &self,
        caller: &Caller,
        site: SiteId,
        operation: &'static str,
        list: Digest,
        form: ExportForm,
    ) -> Result<Call, Error> {
        let library = self.library;
        let call = library.begin(caller, operation, asked(operation, list, form))?;
        library.visible_site(&call.stamp, site).await?;
        call.require(Operation::Export)?;
        can_be_written(form)?;
        Ok(call)
    }

    /// Refuses more lines than an export may have.
    pub(super) fn few(self, lines: u64) -> Result<(), Error> {
        let most = self.library.export_limits.lines;
        if lines > most {
            let limit = usize::try_from(most).unwrap_or(usize::MAX);
            return Err(Error::TooLarge { limit });
        }
        Ok(())
    }

    /// The export that is there already, can still be fetched and is good for who asks now, and the id of the one that is made
    /// otherwise. The ids follow from what it is of and from the time, counted in lifetimes: of the last two, one is enough.
    async fn current(
        &self,
        organisation: OrganisationId,
        (asked, version): (&Asked, &DigestBuilder),
        now: Timestamp,
    ) -> Result<(JobId, bool), Error> {
        let lifetime = self.library.export_limits.lifetime_micros();
        let period = now.micros().checked_div_euclid(lifetime).unwrap_or(0);
        let mut free = JobId::new(self.library.ids.next());
        for period in [period.saturating_sub(1), period] {
            let version = version.clone().field(period);
            for nth in 0..asked.most_of_one_period() {
                let job = job_id(organisation, version.clone().field(nth));
                let found = self.library.repository.export(organisation, job).await?;
                if found.is_none_or(|export| export.value.expires_at <= now) {
                    free = job;
                    break;
                }
                if asked.task == JobTask::Export || self.is_to_be_mailed(organisation, job).await? {
                    return Ok((job, true));
                }
            }
        }
        Ok((free, false))
    }

    /// Whether a job that mails has not done so yet.
    async fn is_to_be_mailed(
        &self,
        organisation: OrganisationId,
        job: JobId,
    ) -> Result<bool, Error> {
        let job = self.library.queue.job(organisation, job).await?;
        Ok(job.is_some_and(|job| !matches!(job.state, JobState::Succeeded | JobState::Refused)))
    }

    /// Refuses one export more than may be under way.
    async fn make_room(&self, organisation: OrganisationId, kind: JobKind) -> Result<(), Error> {
        let limit = self.library.export_limits.active;
        let queue = &self.library.queue;
        if queue.unfinished(organisation, kind).await? < limit {
            return Ok(());
        }
        let what = "exports under way";
        Err(Error::TooMany { what, limit })
    }

    /// Queues an export, unless it is there: what has no version that tells whether it has changed is always made anew.
    pub(super) async fn queue(
        &self,
        caller: &Caller,
        mut call: Call,
        asked: Asked,
        version: Option<DigestBuilder>,
    ) -> Result<JobId, Error> {
        let library = self.library;
        if let Some(outcome) = library.replay(&call).await? {
            return outcome.job().ok_or(Error::KeyReused);
        }
        let organisation = call.organisation();
        let now = call.stamp.at;
        let (id, mut there) = match version {
            Some(version) => self.current(organisation, (&asked, &version), now).await?,
            None => (JobId::new(library.ids.next()), false),
        };
        loop {
            if there {
                library.queue.requeue(organisation, id, now).await?;
                if caller.key().is_none() {
                    return Ok(id);
                }
            }
            if !there {
                self.make_room(organisation, asked.task.kind()).await?;
            }
            let stamp = call.stamp.clone();
            let lifetime = library.export_limits.lifetime_micros();
            let step = library.commit(&mut call, Outcome::Job(id), |changes| {
                // With a key that is to be remembered, also when the job is there.
                if there {
                    return;
                }
                changes.insert(asked.export(id, stamp.at.later_by(lifetime)));
                changes.job(NewJob {
                    id,
                    site: asked.site,
                    task: asked.task,
                    requested_by: stamp.actor,
                    run_at: stamp.at,
                    max_attempts: EXPORT_ATTEMPTS,
                });
            });
            match step.await? {
                Step::Done(outcome) => return outcome.job().ok_or(Error::KeyReused),
                // Whether it is the export that was in the way, the store tells: what is said to be there and is not
                // would be a job that nobody does.
                Step::Again(_) => {
                    there = library.repository.export(organisation, id).await?.is_some();
                }
            }
        }
    }

    /// Reads where an export stands: its job, and how much of the file is there.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a job of another kind, of a take or an order that was removed since, or of a site that
    /// the actor can't see (any more); failures of the store.
    #[inline(never)]
    pub fn status<'c>(&'c self, caller: &'c Caller, job: JobId) -> Pending<'c, ExportStatus> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let export = self.visible(&stamp, job).await?;
            let job = self
                .library
                .queue
                .job(stamp.actor.organisation, job)
                .await?;
            Ok(ExportStatus {
                job: job.ok_or(Error::not_found("export"))?,
                export,
            })
        })
    }

    /// Reads an export and its whole file. For a large one, read its [parts](Self::file_chunk).
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status), and [`Error::Expired`]: ask for it again.
    #[inline(never)]
    pub fn file<'c>(&'c self, caller: &'c Caller, job: JobId) -> Pending<'c, ExportFile> {
        Box::pin(async move {
            let status = self.status(caller, job).await?;
            self.not_expired(&status.export)?;
            let ExportStatus { job: found, export } = status;
            let bytes = if export.complete {
                let mut bytes = Vec::new();
                for number in 0..export.chunks {
                    bytes.extend_from_slice(&self.chunk(found.organisation, job, number).await?);
                }
                Some(bytes)
            } else {
                None
            };
            Ok(ExportFile {
                job: found,
                export,
                bytes,
            })
        })
    }

    /// One part of the file of an export, the first is number 0: nothing behind the last, and as long as the
    /// file is not whole.
    ///
    /// # Errors
    ///
    /// As [`file`](Self::file).
    #[inline(never)]
    pub fn file_chunk<'c>(
        &'c self,
        caller: &'c Caller,
        job: JobId,
        number: u32,
    ) -> Pending<'c, Option<Arc<[u8]>>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let export = self.visible(&stamp, job).await?;
            self.not_expired(&export)?;
            if !export.complete || number >= export.chunks {
                return Ok(None);
            }
            let organisation = stamp.actor.organisation;
            self.chunk(organisation, job, number).await.map(Some)
        })
    }

    async fn chunk(
        &self,
        organisation: OrganisationId,
        job: JobId,
        number: u32,
    ) -> Result<Arc<[u8]>, Error> {
        let repository = &self.library.repository;
        let chunk = repository.export_chunk(organisation, job, number).await?;
        let chunk = chunk.ok_or(Error::not_found("export"))?;
        self.library.read_part(organisation, chunk.value).await
    }

    fn not_expired(self, export: &Export) -> Result<(), Error> {
        if export.expires_at > self.library.clock.now() {
            return Ok(());
        }
        Err(Error::Expired { what: "export" })
    }

    /// Refuses what tells the address of a supplier to who is not shown it.
    async fn shows_email(&self, stamp: &Stamp, site: SiteId) -> Result<(), Error> {
        let site = self.library.site(stamp.actor.organisation, site).await?;
        if sees_supplier_email(stamp.actor.role, &site.value.policy) {
            return Ok(());
        }
        Err(Error::not_found("export"))
    }

    /// An export that the actor can see: who does not see its take or order (any more, or because that was removed) does
    /// not see what was written of it.
    async fn visible(&self, stamp: &Stamp, job: JobId) -> Result<Export, Error> {
        let organisation = stamp.actor.organisation;
        let export = self.library.repository.export(organisation, job).await?;
        let export = export
            .map(|read| read.value)
            .filter(|export| stamp.actor.sees(export.site))
            .ok_or(Error::not_found("export"))?;
        let subject = match &export.subject {
            ExportSubject::CountSheet { sheet, .. }
                if sheet.expected && !allows(stamp.actor.role, Operation::PrintExpected) =>
            {
                Err(Error::not_found("export"))
            }
            ExportSubject::StockTake { take, .. }
            | ExportSubject::CountSheet { take, .. }
            | ExportSubject::TakeReceipt { take } => {
                let takes = self.library.stock_takes();
                takes.visible(stamp, *take).await.map(drop)
            }
            ExportSubject::InventoryOrder { order, .. } => {
                let orders = self.library.inventory_orders();
                orders.visible(stamp, *order).await.map(drop)
            }
            ExportSubject::OrderSheet { order } => {
                let orders = self.library.inventory_orders();
                match orders.visible(stamp, *order).await {
                    Ok(order) => self.shows_email(stamp, order.value.site()).await,
                    Err(error) => Err(error),
                }
            }
            ExportSubject::InventoryCount { count, .. } => {
                let counts = self.library.inventory_counts();
                counts.visible(stamp, *count).await.map(drop)
            }
            ExportSubject::StockAdjustments { .. }
            | ExportSubject::StockLevels { .. }
            | ExportSubject::StockEvents { .. } => Ok(()),
        };
        match subject {
            Ok(()) => Ok(export),
            Err(Error::NotFound { .. }) => Err(Error::not_found("export")),
            Err(error) => Err(error),
        }
    }
}

/// What is asked for: so much of a list in a form.
fn asked(operation: &str, list: Digest, form: ExportForm) -> DigestBuilder {
    Digest::of(operation)
        .field(list.as_uuid())
        .field(form.format.as_str())
        .field(form.style.as_str())
}

/// What changes with any line of a take.
pub(super) fn versioned(
    digest: DigestBuilder,
    take: &StockTake,
    totals: &StockTakeTotals,
) -> DigestBuilder {
    digest
        .field(take.state())
        .field(take.last_line())
        .field(totals.items)
        .field(totals.versions)
}

/// Refuses a form that this build has no writer for.
fn can_be_written(form: ExportForm) -> Result<(), Error> {
    match form.format {
        ExportFormat::Csv => Ok(()),
        ExportFormat::Pdf => Err(Error::invalid(
            "format",
            "format_not_available",
            "lines are no document to print",
        )),
        ExportFormat::Xlsx if cfg!(feature = "xlsx") => Ok(()),
        format @ ExportFormat::Xlsx => Err(not_available(format)),
    }
}

/// The answer to who asks for files that this build can't write.
pub(super) fn not_available(format: ExportFormat) -> Error {
    let message = format!("files in {} are not built in", format.as_str());
    Error::invalid("format", "format_not_available", message)
}

/// A page that is asked for its total only.
const fn counting() -> PageRequest {
    PageRequest {
        start: PageStart::First,
        limit: 1,
        with_total: true,
        reversed: false,
    }
}

/// The id of an export's job: the same for the same lines of the same thing in the same version and form.
fn job_id(organisation: OrganisationId, version: DigestBuilder) -> JobId {
    let digest = version.finish();
    JobId::new(Uuid::new_v5(
        &organisation.as_uuid(),
        format!("export/2/{}", digest.as_uuid()).as_bytes(),
    ))
}
