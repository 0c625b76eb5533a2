//! Writing the file of an export (S1.12, S3.7): line by line as CSV, one chunk a commit, resumable; or whole, as a workbook.

use crate::documents::CsvTable;
use crate::domain::{JobId, Site, Stamp};
use crate::store::{
    CommandId, Export, ExportFormat, JobAck, JobProgress, Outcome, Progress, RepositoryExt,
    Versioned,
};

use super::call::{Call, Step};
use super::export_lines::Reading;
#[cfg(feature = "xlsx")]
use super::export_workbook::Workbook;
use super::pace::Pace;
use super::{Error, Stocktake};

/// What a worker keeps of an export from one step to the next.
#[derive(Debug, Default)]
pub(crate) struct ExportWork {
    pub(super) pace: Pace,
    #[cfg(feature = "xlsx")]
    pub(super) workbook: Option<Workbook>,
}

impl Stocktake {
    /// Does the next step of an export. Returns whether there was one to do: only what was read whole is whole, because
    /// somebody else may have written a part of it, and another one than this.
    pub(crate) async fn step_export(
        &self,
        stamp: &Stamp,
        id: JobId,
        work: &mut ExportWork,
    ) -> Result<bool, Error> {
        let organisation = stamp.actor.organisation;
        let read = self.repository.export(organisation, id).await?;
        let read = read.ok_or(Error::not_found("export"))?;
        if read.value.complete {
            return Ok(false);
        }
        let site = self.site(organisation, read.value.site).await?.value;
        match read.value.form.format {
            ExportFormat::Csv => {
                work.pace.begin(read.version)?;
                let step = self.write_csv(stamp, &read, &site).await?;
                work.pace.note(&step)?;
            }
            #[cfg(feature = "xlsx")]
            ExportFormat::Xlsx => {
                let kept = (&mut work.pace, &mut work.workbook);
                self.step_workbook(stamp, &read, &site, kept).await?;
            }
            #[cfg(not(feature = "xlsx"))]
            ExportFormat::Xlsx => return Err(super::exports::not_available(ExportFormat::Xlsx)),
            ExportFormat::Pdf => return Err(super::exports::not_available(ExportFormat::Pdf)),
        }
        Ok(true)
    }

    /// Writes the next chunk of a file that grows line by line.
    async fn write_csv(
        &self,
        stamp: &Stamp,
        read: &Versioned<Export>,
        site: &Site,
    ) -> Result<Step, Error> {
        let export = &read.value;
        let mut reading = Reading::of(export);
        let mut table = CsvTable::new(export.form.style, site.currency);
        let organisation = stamp.actor.organisation;
        let there = self
            .write_lines(organisation, export, site, &mut reading, &mut table)
            .await?;
        let mut call = Self::begin_derived(
            stamp.clone(),
            CommandId::new(
                "export",
                format_args!("{}/{}", export.job, read.version.get()),
            ),
        );
        if !there || reading.lines > self.export_limits.lines {
            return self.refuse_export(&mut call, export).await;
        }
        let bytes = table.into_bytes();
        // Of a long ledger there may be pages without a line that is wanted.
        let grows = !bytes.is_empty();
        let chunk = if grows {
            let part = self.keep_part(organisation, export.job, export.chunks, bytes.into());
            Some(part.await?)
        } else {
            None
        };
        let next = Export {
            chunks: export.chunks.saturating_add(u32::from(grows)),
            lines: reading.lines,
            complete: reading.is_over,
            after: reading.after.clone(),
            sums: reading.sums.clone(),
            ..export.clone()
        };
        let progress = self.export_progress(&call, export.job, &reading).await?;
        // Whoever else works on it: one of the two writes the chunk.
        self.commit(&mut call, Outcome::Done, |changes| {
            if let Some(chunk) = chunk {
                changes.insert(chunk);
            }
            changes.update(read.version, next);
            changes.progress(progress);
            if reading.is_over {
                changes.ack(JobAck::Settled(export.job));
            }
        })
        .await
    }

    /// Ends an export of which there is nothing, or too much: what has grown beyond the limit since it was asked for, and
    /// what is of a take or an order that was removed.
    pub(super) async fn refuse_export(
        &self,
        call: &mut Call,
        export: &Export,
    ) -> Result<Step, Error> {
        self.commit(call, Outcome::Done, |changes| {
            changes.ack(JobAck::Refused(export.job));
        })
        .await
    }

    /// How far an export is, of how much.
    pub(super) async fn export_progress(
        &self,
        call: &Call,
        job: JobId,
        reading: &Reading,
    ) -> Result<JobProgress, Error> {
        let known = if let Some(total) = reading.total {
            total
        } else {
            let job = self.queue.job(call.organisation(), job).await?;
            job.map_or(0, |job| job.progress.total)
        };
        // Progress only grows: lines that were deleted meanwhile count as done in the end.
        let total = known.max(reading.lines);
        let done = if reading.is_over {
            total
        } else {
            reading.lines
        };
        let progress = Progress { done, total };
        Ok(JobProgress { job, progress })
    }
}
