//! Writing the file of an export (S1.12, S3.7), one chunk a commit, resumable.

use crate::documents::{
    CsvWriter, inventory_order_header, inventory_order_row, stock_take_header, stock_take_row,
};
use crate::domain::{
    InventoryOrderId, InventoryOrderState, JobId, OrganisationId, Stamp, StockTakeId,
    StockTakeState,
};
use crate::store::{
    ArticleSort, CommandId, Cursor, Export, ExportSubject, InventoryOrderItemFilter, JobAck,
    JobProgress, Outcome, Page, PageRequest, PageStart, Progress, StockTakeItemFilter, Versioned,
};

use super::call::Call;
use super::pace::Pace;
use super::{CHUNK, Error, Stocktake};

/// A chunk of a file, and what comes after it.
struct Written {
    bytes: Vec<u8>,
    lines: usize,
    total: Option<u64>,
    next: Option<Cursor>,
}

impl Stocktake {
    /// Writes the next chunk of an export. Returns whether there was one to write: only what was read whole is
    /// whole, because somebody else may have written this chunk, and another one than this.
    pub(crate) async fn step_export(
        &self,
        stamp: &Stamp,
        id: JobId,
        pace: &mut Pace,
    ) -> Result<bool, Error> {
        let organisation = stamp.actor.organisation;
        let read = self.repository.export(organisation, id).await?;
        let read = read.ok_or(Error::not_found("export"))?;
        let export = &read.value;
        if export.complete {
            return Ok(false);
        }
        pace.begin(read.version)?;
        let asked = PageRequest {
            start: export.after.clone().map_or(PageStart::First, |after| {
                PageStart::After(Cursor::from(after))
            }),
            limit: CHUNK,
            with_total: export.after.is_none(),
            reversed: false,
        };
        let written = match &export.subject {
            ExportSubject::StockTake { take, filter } => {
                self.write_take_lines(organisation, *take, filter, &asked)
                    .await?
            }
            ExportSubject::InventoryOrder { order, filter } => {
                self.write_order_lines(organisation, *order, filter, &asked)
                    .await?
            }
            // Nothing asks for these yet.
            ExportSubject::InventoryCount { .. }
            | ExportSubject::StockAdjustments { .. }
            | ExportSubject::StockLevels { .. }
            | ExportSubject::StockEvents { .. } => None,
            // These are printed.
            ExportSubject::CountSheet { .. }
            | ExportSubject::TakeReceipt { .. }
            | ExportSubject::OrderSheet { .. } => None,
        };
        // What has grown beyond the limit since it was asked for is refused.
        let most = self.export_limits.lines;
        let written = written.filter(|written| {
            let added = u64::try_from(written.lines).unwrap_or(u64::MAX);
            export.lines.saturating_add(added) <= most
        });
        let call = Self::begin_derived(
            stamp.clone(),
            CommandId::new("export", format_args!("{id}/{}", read.version.get())),
        );
        self.keep_chunk(call, &read, written).await?;
        Ok(true)
    }

    /// Keeps a chunk, tells how far the job is, and ends it with the last one; without its take or order there is
    /// nothing to export.
    async fn keep_chunk(
        &self,
        mut call: Call,
        read: &Versioned<Export>,
        written: Option<Written>,
    ) -> Result<(), Error> {
        let export = &read.value;
        let Some(written) = written else {
            let step = self.commit(&mut call, Outcome::Done, |changes| {
                changes.ack(JobAck::Refused(export.job));
            });
            return step.await.map(drop);
        };
        let added = u64::try_from(written.lines).unwrap_or(u64::MAX);
        let complete = written.next.is_none();
        let next = Export {
            chunks: export.chunks.saturating_add(1),
            lines: export.lines.saturating_add(added),
            complete,
            after: written.next.map(|next| next.as_str().to_owned()),
            ..export.clone()
        };
        let known = match written.total {
            Some(total) => total,
            None => self.total_of(&call, export.job).await?,
        };
        // Progress only grows: lines that were deleted meanwhile count as done in the end.
        let total = known.max(next.lines);
        let done = if complete { total } else { next.lines };
        let progress = Progress { done, total };
        let organisation = call.organisation();
        let chunk = self
            .keep_part(
                organisation,
                export.job,
                export.chunks,
                written.bytes.into(),
            )
            .await?;
        // Whoever else works on it: one of the two writes the chunk.
        let step = self.commit(&mut call, Outcome::Done, |changes| {
            changes.insert(chunk);
            changes.update(read.version, next);
            changes.progress(JobProgress {
                job: export.job,
                progress,
            });
            if complete {
                changes.ack(JobAck::Settled(export.job));
            }
        });
        step.await.map(drop)
    }

    /// How many lines there were when the export began.
    async fn total_of(&self, call: &Call, job: JobId) -> Result<u64, Error> {
        let job = self.queue.job(call.organisation(), job).await?;
        Ok(job.map_or(0, |job| job.progress.total))
    }

    async fn write_take_lines(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        page: &PageRequest,
    ) -> Result<Option<Written>, Error> {
        let header = self.repository.stock_take(organisation, take).await?;
        let Some(header) = header
            .map(|read| read.value)
            .filter(|take| take.state() != StockTakeState::Removed)
        else {
            return Ok(None);
        };
        let sort = ArticleSort::default();
        let lines = self
            .repository
            .stock_take_items(organisation, take, filter, sort, page)
            .await?;
        Ok(Some(write(page, lines, stock_take_header, |csv, line| {
            stock_take_row(csv, &header, line);
        })))
    }

    async fn write_order_lines(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        page: &PageRequest,
    ) -> Result<Option<Written>, Error> {
        let header = self.repository.inventory_order(organisation, order).await?;
        let Some(header) = header
            .map(|read| read.value)
            .filter(|order| order.state() != InventoryOrderState::Removed)
        else {
            return Ok(None);
        };
        let lines = self
            .repository
            .inventory_order_items(organisation, order, filter, page)
            .await?;
        Ok(Some(write(
            page,
            lines,
            inventory_order_header,
            |csv, line| inventory_order_row(csv, &header, &line.value),
        )))
    }
}

/// Writes a page of lines, the first one with the names of the columns.
fn write<T>(
    page: &PageRequest,
    lines: Page<T>,
    header: impl FnOnce(&mut CsvWriter),
    row: impl Fn(&mut CsvWriter, &T),
) -> Written {
    let mut csv = CsvWriter::new();
    if page.start == PageStart::First {
        header(&mut csv);
    }
    for line in &lines.items {
        row(&mut csv, line);
    }
    Written {
        bytes: csv.into_text().into_bytes(),
        lines: lines.items.len(),
        total: lines.total,
        next: lines.next,
    }
}
