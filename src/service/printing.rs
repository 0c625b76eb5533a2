//! Printing (S4.12): a PDF at once, or a job that mails it.

use crate::documents::pdf::{
    CountSheet, CountSheetOptions, OrderSheet, PrintError, PrintOptions, TakeReceipt,
    TakeReceiptOptions,
};
use crate::domain::{
    InventoryOrderId, JobId, SiteId, Stamp, StockTake, StockTakeId, TransitionError,
    is_email_address,
};
use crate::store::{
    ArticleColumn, ArticleSort, CommandId, CountSheetForm, Digest, DigestBuilder, Export,
    ExportForm, ExportFormat, ExportStyle, ExportSubject, JobAck, JobKind, JobProgress, JobTask,
    NewJob, Outcome, PageRequest, PageStart, Progress, StockTakeItemFilter, StockTakeItemView,
};

use super::access::Operation;
use super::call::{Call, Step};
use super::order_letter::OrderLetter;
use super::{CHUNK, Caller, Error, Pending, Stocktake};

/// How often printing is tried before its job ends dead.
const PRINT_ATTEMPTS: u32 = 10;
/// How many bytes of a file are kept in one part.
const PART: usize = 1 << 20;

/// How the library prints ([`Stocktake::with_print_policy`]).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrintPolicy {
    /// How many lines are printed while the caller waits: 1,000, unless told. What has more is printed by a job and mailed.
    pub at_once: u64,
    /// Paper, and fonts for letters that the library's own font lacks.
    pub print: PrintOptions,
}

impl Default for PrintPolicy {
    fn default() -> Self {
        Self {
            at_once: 1_000,
            print: PrintOptions::default(),
        }
    }
}

/// What printing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    /// The document itself.
    File(PrintedFile),
    /// It has more lines than are printed [at once](PrintPolicy::at_once): this job prints it and mails it. The file can be
    /// fetched by its id as that of an [export](super::Exports::file), also when it could not be mailed.
    Job(JobId),
}

/// A printed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedFile {
    /// A name for it, safe on every file system.
    pub name: String,
    /// The PDF.
    pub bytes: Vec<u8>,
}

/// Printing (S4.12): the count sheet of a take, the receipt of a finished one, an order as its supplier gets it, as PDF (feature
/// `pdf`).
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use stocktake::domain::MovementPolicy;
/// use stocktake::jobs::Worker;
/// use stocktake::service::{Caller, NewStockTake, PrintPolicy, Printed};
/// use stocktake::store::CountSheetForm;
/// use stocktake::testing::{RecordingMailer, shop};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let shop = shop();
/// shop.open().await?;
/// let manager = Caller::of(&shop.manager);
/// let new = NewStockTake { site: shop.site.id, description: "January".parse()?, movement_policy: MovementPolicy::default() };
/// let take = shop.stocktake.stock_takes().create(&manager, new).await?.id();
/// shop.run_jobs().await?;
///
/// let sheet = CountSheetForm::default();
/// let printed = shop.stocktake.printing().count_sheet(&manager, take, sheet, None).await?;
/// assert!(matches!(printed, Printed::File(file) if file.bytes.starts_with(b"%PDF")));
///
/// // What is large is mailed.
/// let mut policy = PrintPolicy::default();
/// policy.at_once = 5;
/// let stocktake = shop.stocktake.clone().with_print_policy(policy);
/// let to = Some("ann@example.com");
/// let printed = stocktake.printing().count_sheet(&manager, take, sheet, to).await?;
/// assert!(matches!(printed, Printed::Job(_)));
/// let mailer = Arc::new(RecordingMailer::default());
/// Worker::new(&stocktake, "worker").with_mailer(mailer.clone()).run_all_due().await?;
/// assert_eq!(mailer.sent()[0].to, "ann@example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Printing<'a> {
    library: &'a Stocktake,
}

impl<'a> Printing<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Prints the sheet that people count a take with. Its lines stand under their stock place when they are sorted by it.
    ///
    /// Over the [limit](PrintPolicy::at_once) it is mailed to `mail_to`, or without that, to who asks.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Forbidden`], also for a counter who asks for what is expected; [`Error::Invalid`] for an
    /// address that is none (`invalid_email`), when it is to be mailed and there is none (`no_address`), or when it can't be
    /// printed (`letters_missing` and others: the message names the letters); [`Error::TooLarge`] and [`Error::TooMany`] beyond
    /// the [limits](super::ExportLimits) of exports; [`Error::KeyReused`]; failures of the store.
    #[inline(never)]
    pub fn count_sheet<'c>(
        &'c self,
        caller: &'c Caller,
        take: StockTakeId,
        sheet: CountSheetForm,
        mail_to: Option<&'c str>,
    ) -> Pending<'c, Printed> {
        Box::pin(async move {
            let digest = Digest::of("print_count_sheet")
                .field(take)
                .field(sheet.expected)
                .field(sheet.sort.column.name())
                .field(sheet.sort.descending);
            let call = self.begin(caller, "print_count_sheet", digest, mail_to)?;
            let read = self
                .library
                .stock_takes()
                .visible(&call.stamp, take)
                .await?;
            call.require(Operation::Print)?;
            if sheet.expected {
                call.require(Operation::PrintExpected)?;
            }
            let lines = self.lines_of(&call, take).await?;
            let subject = ExportSubject::CountSheet { take, sheet };
            self.print(call, (read.value.site(), subject), lines, mail_to)
                .await
        })
    }

    /// Prints the receipt of a finished take: its lines with their variances, what it was worth, who counted.
    ///
    /// Over the [limit](PrintPolicy::at_once) it is mailed as a [count sheet](Self::count_sheet) is.
    ///
    /// # Errors
    ///
    /// As [`count_sheet`](Self::count_sheet), and [`Error::Transition`] `not_finished` for a take that is not finished.
    #[inline(never)]
    pub fn receipt<'c>(
        &'c self,
        caller: &'c Caller,
        take: StockTakeId,
        mail_to: Option<&'c str>,
    ) -> Pending<'c, Printed> {
        Box::pin(async move {
            let digest = Digest::of("print_take_receipt").field(take);
            let call = self.begin(caller, "print_take_receipt", digest, mail_to)?;
            let read = self
                .library
                .stock_takes()
                .visible(&call.stamp, take)
                .await?;
            call.require(Operation::Print)?;
            if read.value.result().is_none() {
                return Err(not_finished());
            }
            let lines = self.lines_of(&call, take).await?;
            let subject = ExportSubject::TakeReceipt { take };
            self.print(call, (read.value.site(), subject), lines, mail_to)
                .await
        })
    }

    /// Prints an order as its supplier gets it.
    ///
    /// Over the [limit](PrintPolicy::at_once) it is mailed as a [count sheet](Self::count_sheet) is.
    ///
    /// # Errors
    ///
    /// As [`count_sheet`](Self::count_sheet).
    #[inline(never)]
    pub fn order<'c>(
        &'c self,
        caller: &'c Caller,
        order: InventoryOrderId,
        mail_to: Option<&'c str>,
    ) -> Pending<'c, Printed> {
        Box::pin(async move {
            let digest = Digest::of("print_inventory_order").field(order);
            let call = self.begin(caller, "print_inventory_order", digest, mail_to)?;
            let orders = self.library.inventory_orders();
            let read = orders.visible(&call.stamp, order).await?.value;
            call.require(Operation::Print)?;
            let subject = ExportSubject::OrderSheet { order };
            self.print(call, (read.site(), subject), read.item_count(), mail_to)
                .await
        })
    }

    fn begin(
        self,
        caller: &Caller,
        operation: &str,
        digest: DigestBuilder,
        mail_to: Option<&str>,
    ) -> Result<Call, Error> {
        let digest = digest.optional(mail_to);
        self.library.begin(caller, operation, digest)
    }

    async fn lines_of(&self, call: &Call, take: StockTakeId) -> Result<u64, Error> {
        let all = StockTakeItemFilter::default();
        let repository = &self.library.repository;
        let totals = repository.stock_take_totals(call.organisation(), take, &all);
        Ok(totals.await?.items)
    }

    /// Prints at once, or queues a job that does.
    async fn print(
        &self,
        mut call: Call,
        (site, subject): (SiteId, ExportSubject),
        lines: u64,
        mail_to: Option<&str>,
    ) -> Result<Printed, Error> {
        let library = self.library;
        if mail_to.is_some_and(|to| !is_email_address(to)) {
            return Err(Error::invalid(
                "email",
                "invalid_email",
                "not an e-mail address",
            ));
        }
        if lines <= library.print_policy.at_once {
            let export = printed_export(&call, JobId::new(library.ids.next()), site, subject);
            let printed = library.print(&call.stamp, &export).await?;
            let (bytes, _) = printed.ok_or(Error::not_found("document"))?;
            let name = export.file_name();
            return Ok(Printed::File(PrintedFile { name, bytes }));
        }
        if let Some(outcome) = library.replay(&call).await? {
            return outcome.job().map(Printed::Job).ok_or(Error::KeyReused);
        }
        if lines > library.export_limits.lines {
            let limit = usize::try_from(library.export_limits.lines).unwrap_or(usize::MAX);
            return Err(Error::TooLarge { limit });
        }
        let own = call.stamp.actor.user.email.as_deref();
        let Some(to) = mail_to.or(own.filter(|own| is_email_address(own))) else {
            return Err(Error::invalid(
                "email",
                "no_address",
                "it has so many lines that it is mailed: say to which address",
            ));
        };
        library
            .exports()
            .make_room(call.organisation(), JobKind::Print)
            .await?;
        let id = JobId::new(library.ids.next());
        let export = Export {
            mail_to: Some(to.to_owned()),
            expires_at: call
                .stamp
                .at
                .later_by(library.export_limits.lifetime_micros()),
            ..printed_export(&call, id, site, subject)
        };
        loop {
            let (stamp, export) = (call.stamp.clone(), export.clone());
            let step = library.commit(&mut call, Outcome::Job(id), |changes| {
                changes.insert(export);
                changes.job(NewJob {
                    id,
                    site,
                    task: JobTask::Print,
                    requested_by: stamp.actor,
                    run_at: stamp.at,
                    max_attempts: PRINT_ATTEMPTS,
                });
            });
            if let Step::Done(outcome) = step.await? {
                return outcome.job().map(Printed::Job).ok_or(Error::KeyReused);
            }
        }
    }
}

/// A document to be printed, of which nothing is there yet.
fn printed_export(call: &Call, job: JobId, site: SiteId, subject: ExportSubject) -> Export {
    Export {
        job,
        site,
        subject,
        chunks: 0,
        after: None,
        lines: 0,
        complete: false,
        expires_at: call.stamp.at,
        form: ExportForm {
            format: ExportFormat::Pdf,
            style: ExportStyle::People,
        },
        mail_to: None,
        sums: Vec::new(),
    }
}

impl Stocktake {
    /// The same library with another way of printing.
    #[must_use]
    pub fn with_print_policy(mut self, policy: PrintPolicy) -> Self {
        self.print_policy = policy;
        self
    }

    /// Count sheets, receipts and orders to print (S4.12).
    pub const fn printing(&self) -> Printing<'_> {
        Printing::of(self)
    }

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
        let site = self.site(stamp.actor.organisation, take.site()).await?;
        let options = TakeReceiptOptions {
            print: self.print_policy.print.clone(),
            ..TakeReceiptOptions::default()
        };
        let mut printed = TakeReceipt::new(&take, &site.value, stamp, &options)?;
        let lines = self
            .each_line(&take, ArticleSort::default(), |line| printed.add(line))
            .await?;
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
        let all = StockTakeItemFilter::default();
        let (mut page, mut lines) = (PageRequest::first(CHUNK), 0_u64);
        page.with_total = false;
        loop {
            let read = self
                .repository
                .stock_take_items(take.organisation(), take.id(), &all, sort, &page)
                .await?;
            for line in &read.items {
                add(line)?;
                lines = lines.saturating_add(1);
            }
            match read.next {
                Some(next) => page.start = PageStart::After(next),
                None => return Ok(lines),
            }
        }
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

fn not_finished() -> Error {
    Error::Transition(TransitionError::Rule {
        code: "not_finished",
        message: "the stock take is not finished",
    })
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
