//! Writing what is printed (S4.12): a document from the lines of the store, at once or for a job that mails it.

use crate::documents::pdf::{CountSheet, CountSheetOptions, OrderSheet, PrintError, TakeReceipt};
use crate::domain::{InventoryOrderId, JobId, Stamp, StockTake, StockTakeId};
use crate::store::{
    ArticleColumn, ArticleSort, CommandId, CountSheetForm, Export, ExportSubject, JobAck,
    JobProgress, Outcome, Progress, RepositoryExt, StockTakeItemFilter, StockTakeItemView,
};

use super::call::Step;
use super::each_row::each_row;
use super::order_letter::OrderLetter;
use super::printing::{PrintedFile, not_finished};
use super::{Caller, Error, Stocktake};

/// How many bytes of a file are kept in one part.
const PART: usize = 1 << 20;

impl Stocktake {
    /// The document that an export prints and how many lines it has: nothing when it is gone since.
    pub(super) async fn print(
        &self,
        stamp: &Stamp,
        export: &Export,
    ) -> Result<Option<(Vec<u8>, u64)>, Error> {
        let printed = match &export.subject {
            ExportSubject::CountSheet { take, sheet } => {
                self.print_sheet(stamp, *take, *sheet).await
            }
            ExportSubject::TakeReceipt { take } => self.print_receipt(stamp, *take).await,
            ExportSubject::OrderSheet { order } => self.print_order(stamp, *order).await,
            ExportSubject::StockTake { .. }
            | ExportSubject::InventoryOrder { .. }
            | ExportSubject::InventoryCount { .. }
            | ExportSubject::StockAdjustments { .. }
            | ExportSubject::StockLevels { .. }
            | ExportSubject::StockEvents { .. } => return Ok(None),
        };
        match printed {
            Ok(printed) => Ok(Some(printed)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn print_sheet(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
        sheet: CountSheetForm,
    ) -> Result<(Vec<u8>, u64), Error> {
        let take = self.stock_takes().visible(stamp, id).await?.value;
        let site = self.site(stamp.actor.organisation, take.site()).await?;
        let by_place = matches!(
            sheet.sort.column,
            ArticleColumn::StockPlace | ArticleColumn::StockPlaceArticle
        );
        let options = CountSheetOptions {
            print: self.print_policy.print.clone(),
            expected: sheet.expected,
            by_place,
        };
        let mut printed = CountSheet::new(&take, &site.value, stamp, &options)?;
        let lines = self
            .each_line(&take, sheet.sort, |line| printed.add(line))
            .await?;
        Ok((printed.finish()?, lines))
    }

    async fn print_receipt(&self, stamp: &Stamp, id: StockTakeId) -> Result<(Vec<u8>, u64), Error> {
        let take = self.stock_takes().visible(stamp, id).await?.value;
        let organisation = stamp.actor.organisation;
        let site = self.site(organisation, take.site()).await?;
        let print = &self.print_policy.print;
        let mut printed = TakeReceipt::new(&take, &site.value, stamp, print)?;
        let lines = self
            .each_line(&take, ArticleSort::default(), |line| printed.add(line))
            .await?;
        printed.add_names(self.names_of(organisation, &printed.unnamed()).await?);
        Ok((printed.finish()?, lines))
    }

    /// An order as the actor may see it.
    async fn print_order(
        &self,
        stamp: &Stamp,
        id: InventoryOrderId,
    ) -> Result<(Vec<u8>, u64), Error> {
        let orders = self.inventory_orders();
        let order = orders.visible(stamp, id).await?.value;
        let site = self.site(order.organisation(), order.site()).await?.value;
        let items = orders.all_items(&order).await?;
        let order = super::inventory_orders::shown(order, stamp, &site);
        let mut printed = OrderSheet::new(&order, &site, stamp, &self.print_policy.print)?;
        let lines = u64::try_from(items.len()).unwrap_or(u64::MAX);
        for item in items {
            printed.add(&item.value)?;
        }
        Ok((printed.finish()?, lines))
    }

    /// The order of a letter as a file to go with it.
    pub(crate) fn print_letter(
        &self,
        letter: &OrderLetter,
        stamp: &Stamp,
    ) -> Result<PrintedFile, PrintError> {
        let print = &self.print_policy.print;
        // The same file whenever it is sent.
        let at = letter.order.last_submitted_at().unwrap_or(stamp.at);
        let printed = Stamp {
            at,
            actor: stamp.actor.clone(),
        };
        let mut printed = OrderSheet::new(&letter.order, &letter.site, &printed, print)?;
        for item in &letter.items {
            printed.add(item)?;
        }
        Ok(PrintedFile {
            name: format!("inventory-order-{}.pdf", letter.order.id()),
            bytes: printed.finish()?,
        })
    }

    /// Does something with each line of a take, in an order, and tells how many there are.
    async fn each_line(
        &self,
        take: &StockTake,
        sort: ArticleSort,
        mut add: impl FnMut(&StockTakeItemView) -> Result<(), PrintError>,
    ) -> Result<u64, Error> {
        let (repository, all) = (&self.repository, &StockTakeItemFilter::default());
        let (organisation, id) = (take.organisation(), take.id());
        let read = |page| async move {
            repository
                .stock_take_items(organisation, id, all, sort, &page)
                .await
        };
        each_row(read, |line| Ok(add(&line)?)).await
    }

    /// Makes the file of a job that prints, all of it in one commit; without its document there is nothing to print.
    pub(crate) async fn make_print(&self, stamp: &Stamp, job: JobId) -> Result<(), Error> {
        let organisation = stamp.actor.organisation;
        let read = self.repository.export(organisation, job).await?;
        let read = read.ok_or(Error::not_found("export"))?;
        if read.value.complete {
            return Ok(());
        }
        let id = CommandId::new("print", format_args!("{job}/{}", read.version.get()));
        let mut call = Self::begin_derived(stamp.clone(), id);
        let Some((bytes, lines)) = self.print(stamp, &read.value).await? else {
            let step = self.commit(&mut call, Outcome::Done, |changes| {
                changes.ack(JobAck::Refused(job));
            });
            return step.await.map(drop);
        };
        let mut chunks = Vec::new();
        for (number, part) in (0_u32..).zip(bytes.chunks(PART)) {
            chunks.push(
                self.keep_part(organisation, job, number, part.into())
                    .await?,
            );
        }
        let next = Export {
            chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
            lines,
            complete: true,
            ..read.value.clone()
        };
        let step = self.commit(&mut call, Outcome::Done, |changes| {
            for chunk in chunks {
                changes.insert(chunk);
            }
            changes.update(read.version, next);
            let (done, total) = (lines, lines);
            let progress = Progress { done, total };
            changes.progress(JobProgress { job, progress });
        });
        match step.await? {
            Step::Done(_) => Ok(()),
            // Somebody else made it, or it is thrown away by now: the next attempt tells.
            Step::Again(_) => Err(Error::Conflict),
        }
    }

    /// What a job that prints mails: nothing when its document is gone since, or the actor may not see it any more.
    pub(crate) async fn printed_mail(
        &self,
        stamp: &Stamp,
        job: JobId,
    ) -> Result<Option<PrintedMail>, Error> {
        let caller = Caller::of(&stamp.actor);
        let file = match self.exports().file(&caller, job).await {
            Ok(file) => file,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (Some(to), Some(bytes)) = (file.export.mail_to.clone(), file.bytes) else {
            return Ok(None);
        };
        let site = self
            .site(stamp.actor.organisation, file.export.site)
            .await?;
        let (what, of) = match &file.export.subject {
            ExportSubject::TakeReceipt { take } => ("Stock take receipt", Some(*take)),
            ExportSubject::CountSheet { take, .. } => ("Count sheet", Some(*take)),
            ExportSubject::OrderSheet { .. } | ExportSubject::InventoryOrder { .. } => {
                ("Purchase order", None)
            }
            ExportSubject::StockTake { take, .. } => ("Stock take", Some(*take)),
            ExportSubject::InventoryCount { .. } => ("Inventory count", None),
            ExportSubject::StockAdjustments { .. } => ("Stock adjustments", None),
            ExportSubject::StockLevels { .. } => ("Stock levels", None),
            ExportSubject::StockEvents { .. } => ("Stock events", None),
        };
        let subject = match of {
            Some(take) => {
                let take = self.stock_takes().visible(stamp, take).await?.value;
                format!("{what}: {}", take.details().title())
            }
            None => what.to_owned(),
        };
        Ok(Some(PrintedMail {
            to,
            text: format!("{subject}\n{}\n\nIt is attached.\n", site.value.name),
            subject,
            file: PrintedFile {
                name: file.export.file_name(),
                bytes,
            },
        }))
    }
}

/// A printed document on its way to somebody.
#[derive(Debug)]
pub(crate) struct PrintedMail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) file: PrintedFile,
}

impl From<PrintError> for Error {
    fn from(error: PrintError) -> Self {
        let code = match &error {
            PrintError::Letters { .. } => "letters_missing",
            PrintError::Room { .. } => "no_room",
            PrintError::Font { .. } => "font",
            PrintError::NotPosted => return not_finished(),
            PrintError::OtherDocument { .. } | PrintError::OutOfRange | PrintError::Pdf { .. } => {
                "not_printable"
            }
        };
        Self::invalid("print", code, error)
    }
}
