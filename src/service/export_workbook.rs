//! Writing the file of an export as a workbook. It is one archive, so it can't go on in the middle: one worker reads all lines
//! in one go, page by page, packs them, and keeps the pieces. What is not whole is never readable, and is removed by the
//! next attempt before it writes anew.
//!
//! Every page and every piece is a step of its own, after which the worker keeps its lease, with or without a timer.

use uuid::Uuid;

use crate::documents::XlsxTable;
use crate::domain::{Site, Stamp};
use crate::store::{
    CommandId, DeletableKey, Export, ExportSubject, JobAck, Outcome, RepositoryExt, Versioned,
};

use super::call::{Call, Step};
use super::export_lines::Reading;
use super::pace::Pace;
use super::packing::{Pieces, packed};
use super::{Error, Stocktake};

/// A workbook on its way.
#[derive(Debug)]
pub(super) struct Workbook {
    /// Which attempt: its commands are nobody else's.
    attempt: Uuid,
    steps: u64,
    reading: Reading,
    stage: Stage,
    /// How many pieces are kept.
    kept: u32,
}

#[derive(Debug)]
enum Stage {
    /// Its lines are being read.
    Filling(Box<XlsxTable>),
    /// It is packed on a thread of its own.
    Packing(Pieces),
}

impl Stocktake {
    /// Does the next step of an export that is a workbook.
    pub(super) async fn step_workbook(
        &self,
        stamp: &Stamp,
        read: &Versioned<Export>,
        site: &Site,
        (pace, kept): (&mut Pace, &mut Option<Workbook>),
    ) -> Result<(), Error> {
        let Some(mut workbook) = kept.take() else {
            pace.begin(read.version)?;
            if read.value.chunks > 0 {
                let step = self.remove_last_chunk(stamp, read).await?;
                return pace.note(&step);
            }
            let export = &read.value;
            let name = sheet_name(&export.subject);
            let table = XlsxTable::new(export.form.style, site.currency, name, stamp.at)?;
            *kept = Some(Workbook {
                attempt: self.ids.next(),
                steps: 0,
                reading: Reading::default(),
                stage: Stage::Filling(Box::new(table)),
                kept: 0,
            });
            return Ok(());
        };
        if workbook.kept != read.value.chunks {
            // Somebody else has begun it anew.
            return Ok(());
        }
        workbook.steps = workbook.steps.saturating_add(1);
        let id = format!("{}/{}/{}", read.value.job, workbook.attempt, workbook.steps);
        let mut call = Self::begin_derived(stamp.clone(), CommandId::new("export", &id));
        *kept = match workbook.stage {
            Stage::Filling(table) => {
                let reading = &mut workbook.reading;
                let stage = self
                    .fill(&mut call, &read.value, site, reading, table)
                    .await?;
                stage.map(|stage| Workbook { stage, ..workbook })
            }
            Stage::Packing(pieces) => {
                let lines = workbook.reading.lines;
                let rest = self.keep_piece(&mut call, read, lines, pieces).await?;
                rest.map(|pieces| Workbook {
                    kept: workbook.kept.saturating_add(1),
                    stage: Stage::Packing(pieces),
                    ..workbook
                })
            }
        };
        Ok(())
    }

    /// Removes the last piece of what an attempt before has left behind.
    async fn remove_last_chunk(
        &self,
        stamp: &Stamp,
        read: &Versioned<Export>,
    ) -> Result<Step, Error> {
        let export = &read.value;
        let number = export.chunks.saturating_sub(1);
        let id = format!("{}/{}", export.job, read.version.get());
        let mut call = Self::begin_derived(stamp.clone(), CommandId::new("export", &id));
        let chunk = self
            .repository
            .export_chunk(call.organisation(), export.job, number)
            .await?;
        let next = Export {
            chunks: number,
            lines: 0,
            ..export.clone()
        };
        self.commit(&mut call, Outcome::Done, |changes| {
            if let Some(chunk) = chunk {
                let key = DeletableKey::ExportChunk(export.job, number);
                changes.delete(chunk.version, key);
            }
            changes.update(read.version, next);
        })
        .await
    }

    /// Puts the next page of lines into the workbook; nothing is left of it when there is nothing to export.
    async fn fill(
        &self,
        call: &mut Call,
        export: &Export,
        site: &Site,
        reading: &mut Reading,
        mut table: Box<XlsxTable>,
    ) -> Result<Option<Stage>, Error> {
        let there = self
            .write_lines(call.organisation(), export, site, reading, &mut *table)
            .await?;
        if !there || reading.lines > self.export_limits.lines {
            self.refuse_export(call, export).await?;
            return Ok(None);
        }
        if reading.is_over {
            return Ok(Some(Stage::Packing(packed(*table)?)));
        }
        let progress = self.export_progress(call, export.job, reading).await?;
        let step = self.commit(call, Outcome::Done, |changes| {
            changes.progress(progress);
        });
        step.await?;
        Ok(Some(Stage::Filling(table)))
    }

    /// Keeps the next piece, or says that there is none left.
    async fn keep_piece(
        &self,
        call: &mut Call,
        read: &Versioned<Export>,
        lines: u64,
        mut pieces: Pieces,
    ) -> Result<Option<Pieces>, Error> {
        let export = &read.value;
        let chunk = match pieces.next().await? {
            Some(piece) => {
                let organisation = call.organisation();
                let part = self.keep_part(organisation, export.job, export.chunks, piece.into());
                Some(part.await?)
            }
            None => None,
        };
        let is_whole = chunk.is_none();
        let next = Export {
            chunks: export.chunks.saturating_add(u32::from(!is_whole)),
            lines,
            complete: is_whole,
            ..export.clone()
        };
        let reading = Reading {
            lines,
            is_over: true,
            ..Reading::default()
        };
        let progress = self.export_progress(call, export.job, &reading).await?;
        let step = self.commit(call, Outcome::Done, |changes| {
            if let Some(chunk) = chunk {
                changes.insert(chunk);
            }
            changes.update(read.version, next);
            if is_whole {
                changes.progress(progress);
                changes.ack(JobAck::Settled(export.job));
            }
        });
        // Where somebody else has it by now, this attempt is over.
        let is_applied = matches!(step.await?, Step::Done(_));
        Ok((is_applied && !is_whole).then_some(pieces))
    }
}

/// What the sheet is called.
const fn sheet_name(subject: &ExportSubject) -> &'static str {
    match subject {
        ExportSubject::StockTake { .. } => "Stock take",
        ExportSubject::InventoryOrder { .. } => "Order",
        ExportSubject::InventoryCount { .. } => "Inventory count",
        ExportSubject::StockAdjustments { .. } => "Stock adjustments",
        ExportSubject::StockLevels { .. } => "Stock levels",
        ExportSubject::StockEvents { .. } => "Stock movements",
        ExportSubject::CountSheet { .. }
        | ExportSubject::TakeReceipt { .. }
        | ExportSubject::OrderSheet { .. } => "Lines",
    }
}
