//! Exports (S1.12, S3.7): asking for one, and reading its file when it is whole.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{InventoryOrderId, JobId, OrganisationId, SiteId, Stamp, StockTakeId};
use crate::store::{
    Digest, DigestBuilder, Export, ExportSubject, InventoryOrderItemFilter, Job, JobTask, NewJob,
    Outcome, StockTakeItemFilter, list_digest,
};

use super::access::Operation;
use super::call::{Call, Step};
use super::{Caller, Error, Stocktake};

/// How often an export is tried before its job ends dead.
const EXPORT_ATTEMPTS: u32 = 10;

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
    /// filter gives the same job while no line has changed; one that ended dead is queued again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::KeyReused`]; failures of the store.
    pub async fn stock_take(
        &self,
        caller: &Caller,
        take: StockTakeId,
        filter: StockTakeItemFilter,
    ) -> Result<JobId, Error> {
        let library = self.library;
        let digest = Digest::of("export_stock_take").field(list_digest(take, &filter).as_uuid());
        let call = library.begin(caller, "export_stock_take", digest)?;
        let read = library.stock_takes().visible(&call.stamp, take).await?;
        call.require(Operation::Export)?;
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
        let subject = ExportSubject::StockTake { take, filter };
        self.queue(caller, call, header.site(), subject, version)
            .await
    }

    /// Asks for the lines of an order as a file (S3.7): the job that makes it. Asking again for the same order
    /// and filter gives the same job while the order has not changed; one that ended dead is queued again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::KeyReused`]; failures of the store.
    pub async fn inventory_order(
        &self,
        caller: &Caller,
        order: InventoryOrderId,
        filter: InventoryOrderItemFilter,
    ) -> Result<JobId, Error> {
        let library = self.library;
        let digest =
            Digest::of("export_inventory_order").field(list_digest(order, &filter).as_uuid());
        let call = library.begin(caller, "export_inventory_order", digest)?;
        let read = library
            .inventory_orders()
            .visible(&call.stamp, order)
            .await?;
        call.require(Operation::Export)?;
        let version = Digest::of("inventory order").field(read.version);
        let subject = ExportSubject::InventoryOrder { order, filter };
        self.queue(caller, call, read.value.site(), subject, version)
            .await
    }

    /// Queues an export, unless it is there: its id follows from what it is of.
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
        let id = job_id(organisation, &subject, version);
        let mut there = library.repository.export(organisation, id).await?.is_some();
        loop {
            if there {
                let now = call.stamp.at;
                library.queue.requeue(organisation, id, now).await?;
                if caller.key().is_none() {
                    return Ok(id);
                }
            }
            let (stamp, subject) = (call.stamp.clone(), subject.clone());
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
    /// [`Error::NotFound`] also for a job of another kind, or of a site that the actor can't see; failures of the
    /// store.
    pub async fn status(&self, caller: &Caller, job: JobId) -> Result<ExportStatus, Error> {
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
    }

    /// Reads an export and its whole file. For a large one, read its [parts](Self::file_chunk).
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn file(&self, caller: &Caller, job: JobId) -> Result<ExportFile, Error> {
        let status = self.status(caller, job).await?;
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
    }

    /// One part of the file of an export, the first is number 0: nothing behind the last, and as long as the
    /// file is not whole.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn file_chunk(
        &self,
        caller: &Caller,
        job: JobId,
        number: u32,
    ) -> Result<Option<Arc<str>>, Error> {
        let stamp = self.library.stamp(caller)?;
        let export = self.visible(&stamp, job).await?;
        if !export.complete || number >= export.chunks {
            return Ok(None);
        }
        let organisation = stamp.actor.organisation;
        self.chunk(organisation, job, number).await.map(Some)
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

    /// An export of a site that the actor can see.
    async fn visible(&self, stamp: &Stamp, job: JobId) -> Result<Export, Error> {
        let organisation = stamp.actor.organisation;
        let export = self.library.repository.export(organisation, job).await?;
        export
            .map(|read| read.value)
            .filter(|export| stamp.actor.sees(export.site))
            .ok_or(Error::not_found("export"))
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
