//! Exports (S1.12, S3.7): asking for one, and reading its file when it is whole.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::{
    InventoryOrderId, JobId, OrganisationId, SiteId, Stamp, StockTakeId, Timestamp,
};
use crate::store::{
    Digest, DigestBuilder, Export, ExportSubject, InventoryOrderItemFilter, Job, JobKind, JobTask,
    NewJob, Outcome, StockTakeItemFilter, list_digest,
};

use super::access::Operation;
use super::call::{Call, Step};
use super::{Caller, Error, Pending, Stocktake};

/// How often an export is tried before its job ends dead.
const EXPORT_ATTEMPTS: u32 = 10;

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

    fn lifetime_micros(&self) -> i64 {
        i64::try_from(self.lifetime.as_micros()).unwrap_or(i64::MAX)
    }
}

/// Exports (S1.12, S3.7) of the lines of takes and orders, as comma-separated values.
///
/// # Example
///
/// ```
/// use stocktake::domain::MovementPolicy;
/// use stocktake::service::{Caller, NewStockTake};
/// use stocktake::store::StockTakeItemFilter;
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
/// let all = StockTakeItemFilter::default();
/// let job = exports.stock_take(&manager, take.id(), all.clone()).await?;
/// assert_eq!(exports.stock_take(&manager, take.id(), all).await?, job, "no line has changed");
/// assert!(exports.file(&manager, job).await?.text.is_none());
/// shop.run_jobs().await?;
///
/// let file = exports.file(&manager, job).await?;
/// assert_eq!(file.job.progress.done, 10);
/// assert!(file.text.is_some_and(|text| text.starts_with("article_id,product_name,")));
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

impl ExportStatus {
    /// A name for the file, safe on every file system.
    pub fn file_name(&self) -> String {
        match &self.export.subject {
            ExportSubject::StockTake { take, .. } => format!("stock-take-{take}.csv"),
            ExportSubject::InventoryOrder { order, .. } => format!("inventory-order-{order}.csv"),
        }
    }
}

/// An export and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Its job.
    pub job: Job,
    /// The file, UTF-8; nothing as long as it is not whole.
    pub text: Option<String>,
}

impl<'a> Exports<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Asks for the lines of a take as a file (S1.12): the job that makes it. Asking again for the same take and
    /// filter gives the same job while no line has changed and its file can be fetched; one that ended dead is queued
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
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let library = self.library;
            let digest =
                Digest::of("export_stock_take").field(list_digest(take, &filter).as_uuid());
            let call = library.begin(caller, "export_stock_take", digest)?;
            let read = library.stock_takes().visible(&call.stamp, take).await?;
            call.require(Operation::Export)?;
            filter.check()?;
            let header = &read.value;
            let all = StockTakeItemFilter::default();
            let totals = library
                .repository
                .stock_take_totals(call.organisation(), take, &all)
                .await?;
            let version = Digest::of("stock take")
                .field(header.state())
                .field(header.last_line())
                .field(totals.items)
                .field(totals.versions);
            let most = library.export_limits.lines;
            if totals.items > most {
                // A filter may leave few enough.
                let totals = library
                    .repository
                    .stock_take_totals(call.organisation(), take, &filter)
                    .await?;
                if totals.items > most {
                    let limit = usize::try_from(most).unwrap_or(usize::MAX);
                    return Err(Error::TooLarge { limit });
                }
            }
            let subject = ExportSubject::StockTake { take, filter };
            self.queue(caller, call, header.site(), subject, version)
                .await
        })
    }

    /// Asks for the lines of an order as a file (S3.7): the job that makes it. Asking again for the same order
    /// and filter gives the same job while the order has not changed and its file can be fetched; one that ended dead is
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
    ) -> Pending<'c, JobId> {
        Box::pin(async move {
            let library = self.library;
            let digest =
                Digest::of("export_inventory_order").field(list_digest(order, &filter).as_uuid());
            let call = library.begin(caller, "export_inventory_order", digest)?;
            let read = library
                .inventory_orders()
                .visible(&call.stamp, order)
                .await?;
            call.require(Operation::Export)?;
            filter.check()?;
            let version = Digest::of("inventory order").field(read.version);
            let subject = ExportSubject::InventoryOrder { order, filter };
            self.queue(caller, call, read.value.site(), subject, version)
                .await
        })
    }

    /// The export that is there already and can still be fetched, and the id of the one that is made otherwise. The ids
    /// follow from what it is of and from the time, counted in lifetimes: of the last two, one is enough.
    async fn current(
        &self,
        organisation: OrganisationId,
        subject: &ExportSubject,
        version: &DigestBuilder,
        now: Timestamp,
    ) -> Result<(JobId, bool), Error> {
        let lifetime = self.library.export_limits.lifetime_micros();
        let period = now.micros().checked_div_euclid(lifetime).unwrap_or(0);
        let id = |period: i64| job_id(organisation, subject, version.clone().field(period));
        let mut last = id(period);
        for period in [period, period.saturating_sub(1)] {
            let job = id(period);
            let found = self.library.repository.export(organisation, job).await?;
            if found.is_some_and(|export| export.value.expires_at > now) {
                last = job;
                return Ok((last, true));
            }
        }
        Ok((last, false))
    }

    /// Refuses one export more than may be under way.
    async fn make_room(&self, organisation: OrganisationId) -> Result<(), Error> {
        let limit = self.library.export_limits.active;
        let queue = &self.library.queue;
        if queue.unfinished(organisation, JobKind::Export).await? < limit {
            return Ok(());
        }
        let what = "exports under way";
        Err(Error::TooMany { what, limit })
    }

    /// Queues an export, unless it is there.
    async fn queue(
        &self,
        caller: &Caller,
        mut call: Call,
        site: SiteId,
        subject: ExportSubject,
        version: DigestBuilder,
    ) -> Result<JobId, Error> {
        let library = self.library;
        if let Some(outcome) = library.replay(&call).await? {
            return outcome.job().ok_or(Error::KeyReused);
        }
        let organisation = call.organisation();
        let now = call.stamp.at;
        let (id, mut there) = self.current(organisation, &subject, &version, now).await?;
        loop {
            if there {
                library.queue.requeue(organisation, id, now).await?;
                if caller.key().is_none() {
                    return Ok(id);
                }
            }
            if !there {
                self.make_room(organisation).await?;
            }
            let (stamp, subject) = (call.stamp.clone(), subject.clone());
            let lifetime = library.export_limits.lifetime_micros();
            let step = library.commit(&mut call, Outcome::Job(id), |changes| {
                // With a key that is to be remembered, also when the job is there.
                if there {
                    return;
                }
                changes.insert(Export {
                    job: id,
                    site,
                    subject,
                    chunks: 0,
                    after: None,
                    lines: 0,
                    complete: false,
                    expires_at: stamp.at.later_by(lifetime),
                });
                changes.job(NewJob {
                    id,
                    site,
                    task: JobTask::Export,
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
            let text = if status.export.complete {
                let mut text = String::new();
                for number in 0..status.export.chunks {
                    text.push_str(&self.chunk(status.job.organisation, job, number).await?);
                }
                Some(text)
            } else {
                None
            };
            Ok(ExportFile {
                job: status.job,
                text,
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
    ) -> Pending<'c, Option<Arc<str>>> {
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
    ) -> Result<Arc<str>, Error> {
        let repository = &self.library.repository;
        let chunk = repository.export_chunk(organisation, job, number).await?;
        chunk
            .map(|chunk| chunk.text)
            .ok_or(Error::not_found("export"))
    }

    fn not_expired(self, export: &Export) -> Result<(), Error> {
        if export.expires_at > self.library.clock.now() {
            return Ok(());
        }
        Err(Error::Expired { what: "export" })
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
            ExportSubject::StockTake { take, .. } => {
                let takes = self.library.stock_takes();
                takes.visible(stamp, *take).await.map(drop)
            }
            ExportSubject::InventoryOrder { order, .. } => {
                let orders = self.library.inventory_orders();
                orders.visible(stamp, *order).await.map(drop)
            }
        };
        match subject {
            Ok(()) => Ok(export),
            Err(Error::NotFound { .. }) => Err(Error::not_found("export")),
            Err(error) => Err(error),
        }
    }
}

/// The id of an export's job: the same for the same lines of the same thing in the same version.
fn job_id(organisation: OrganisationId, subject: &ExportSubject, version: DigestBuilder) -> JobId {
    let list = match subject {
        ExportSubject::StockTake { take, filter } => list_digest(take, filter),
        ExportSubject::InventoryOrder { order, filter } => list_digest(order, filter),
    };
    let digest = version.field(list.as_uuid()).finish();
    JobId::new(Uuid::new_v5(
        &organisation.as_uuid(),
        format!("export/1/{}", digest.as_uuid()).as_bytes(),
    ))
}
