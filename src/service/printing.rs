//! Printing (S4.12): a PDF at once, or a job that mails it.

use crate::documents::pdf::PrintOptions;
use crate::domain::{
    InventoryOrderId, JobId, SiteId, StockTake, StockTakeId, TransitionError, is_email_address,
};
use crate::store::{
    CountSheetForm, Digest, DigestBuilder, ExportForm, ExportFormat, ExportStyle, ExportSubject,
    JobTask, StockTakeItemFilter, StockTakeTotals,
};

use super::access::Operation;
use super::call::Call;
use super::exports::{Asked, versioned};
use super::{Caller, Error, Pending, Stocktake};

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
    /// fetched by its id as that of an [export](super::Exports::file), also when it could not be mailed. Whoever asks again for
    /// the same to the same address, while no line has changed, gets the same job until it has mailed; one that ended dead
    /// is queued again. Who asks after that has it mailed again.
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
            let what = Digest::of("print_count_sheet")
                .field(take)
                .field(sheet.expected)
                .field(sheet.sort.column.name())
                .field(sheet.sort.descending);
            let call = self.begin(caller, "print_count_sheet", &what, mail_to)?;
            let (found, totals) = self.take(&call, take).await?;
            if sheet.expected {
                call.require(Operation::PrintExpected)?;
            }
            let subject = ExportSubject::CountSheet { take, sheet };
            let document = (found.site(), subject, totals.items);
            let version = versioned(what, &found, &totals);
            self.print(caller, call, document, version, mail_to).await
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
            let what = Digest::of("print_take_receipt").field(take);
            let call = self.begin(caller, "print_take_receipt", &what, mail_to)?;
            let (found, totals) = self.take(&call, take).await?;
            if found.result().is_none() {
                return Err(not_finished());
            }
            let subject = ExportSubject::TakeReceipt { take };
            let document = (found.site(), subject, totals.items);
            let version = versioned(what, &found, &totals);
            self.print(caller, call, document, version, mail_to).await
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
            let what = Digest::of("print_inventory_order").field(order);
            let call = self.begin(caller, "print_inventory_order", &what, mail_to)?;
            let orders = self.library.inventory_orders();
            let read = orders.visible(&call.stamp, order).await?;
            call.require(Operation::Print)?;
            let subject = ExportSubject::OrderSheet { order };
            let document = (read.value.site(), subject, read.value.item_count());
            let version = what.field(read.version);
            self.print(caller, call, document, version, mail_to).await
        })
    }

    fn begin(
        self,
        caller: &Caller,
        operation: &str,
        what: &DigestBuilder,
        mail_to: Option<&str>,
    ) -> Result<Call, Error> {
        let digest = what.clone().optional(mail_to);
        self.library.begin(caller, operation, digest)
    }

    /// A take to be printed, and how much there is of it.
    async fn take(
        &self,
        call: &Call,
        id: StockTakeId,
    ) -> Result<(StockTake, StockTakeTotals), Error> {
        let read = self.library.stock_takes().visible(&call.stamp, id).await?;
        call.require(Operation::Print)?;
        let all = StockTakeItemFilter::default();
        let repository = &self.library.repository;
        let totals = repository.stock_take_totals(call.organisation(), id, &all);
        Ok((read.value, totals.await?))
    }

    /// Prints a document of so many lines at once, or queues a job that does.
    async fn print(
        &self,
        caller: &Caller,
        call: Call,
        (site, subject, lines): (SiteId, ExportSubject, u64),
        version: DigestBuilder,
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
        let mut asked = Asked {
            site,
            subject,
            form: ExportForm {
                format: ExportFormat::Pdf,
                style: ExportStyle::People,
            },
            task: JobTask::Print,
            mail_to: None,
        };
        if lines <= library.print_policy.at_once {
            let export = asked.export(JobId::new(library.ids.next()), call.stamp.at);
            let printed = library.print(&call.stamp, &export).await?;
            let (bytes, _) = printed.ok_or(Error::not_found("document"))?;
            let name = export.file_name();
            return Ok(Printed::File(PrintedFile { name, bytes }));
        }
        if let Some(outcome) = library.replay(&call).await? {
            return outcome.job().map(Printed::Job).ok_or(Error::KeyReused);
        }
        let exports = library.exports();
        exports.few(lines)?;
        let user = &call.stamp.actor.user;
        let own = user.email.as_deref().filter(|own| is_email_address(own));
        let to = mail_to.or(own).ok_or_else(|| {
            Error::invalid(
                "email",
                "no_address",
                "it has so many lines that it is mailed: say to which address",
            )
        })?;
        asked.mail_to = Some(to.to_owned());
        // It says who has printed it.
        let version = version.field(to).field(user.id);
        let job = exports.queue(caller, call, asked, Some(version)).await?;
        Ok(Printed::Job(job))
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
}

/// The answer to who asks for the receipt of a take that has none.
pub(super) fn not_finished() -> Error {
    Error::Transition(TransitionError::Rule {
        code: "not_finished",
        message: "the stock take is not finished",
    })
}
