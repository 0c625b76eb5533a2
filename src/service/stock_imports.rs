//! Stock imports (S5.1 to S5.6).

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::documents::{ImportBody, ImportLimits, ImportNumbers, read_import};
use crate::domain::{
    Code, ImportMode, JobId, NamePart, Note, SiteId, Stamp, StockImport, StockImportId,
};
use crate::store::{
    DeletableKey, Digest, ImportChunk, ImportRow, JobAck, JobTask, NewJob, Outcome, RepositoryExt,
    Versioned,
};

use super::access::Operation;
use super::call::{Call, Step};
use super::{CHUNK, Caller, Error, FieldError, Pending, Stocktake};

/// The most values that are looked at before an import is begun.
const LOOKED_AT_FIRST: usize = 1_000;
/// How often the job is tried.
const JOB_ATTEMPTS: u32 = 10;

/// Stock imports: many values from outside under one id, all or nothing unless skipping is asked.
#[derive(Clone, Copy, Debug)]
pub struct StockImports<'a> {
    pub(super) library: &'a Stocktake,
}

/// An import that is under way (S5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportStarted {
    /// The import; it tells how many values were parsed.
    pub import: StockImport,
    /// The job that takes it in.
    pub job: JobId,
}

impl ImportStarted {
    /// What the document answers: `Import of 2 stock value(s) initiated`.
    pub fn message(&self) -> String {
        format!(
            "Import of {} stock value(s) initiated",
            self.import.values()
        )
    }
}

impl<'a> StockImports<'a> {
    pub(super) const fn of(library: &'a Stocktake) -> Self {
        Self { library }
    }

    /// Begins an import of a JSON body: absolute values, changes, or keys to remove. A job takes it in: it
    /// first looks at every value, and applies none if one can't be applied; with `skip_bad` those are left
    /// out instead. Up to 1,000 values are looked at before this returns, too, so that what can't be applied as stock
    /// stands now is told at once. A value means the stock that the product (and the variant, where one is named)
    /// means at its location ([`StockChoice`](super::StockChoice)). A product that does not exist is
    /// created; [`ImportReport`](crate::domain::ImportReport) names it, and the known one whose article id it resembles. The body has no costs: what comes in costs
    /// what is known; where nothing is, it is of unknown cost, worth nothing until a cost is stated
    /// ([`Movement::Revalue`](super::Movement::Revalue)), unless the site allows zero cost: then that is its cost.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Invalid`] with the path of every mistake in the body, unknown locations and, of up
    /// to 1,000 values, those that can't be applied among them (`nothing_asked` for a body without a value), [`Error::KeyReused`]; failures of the store. Nothing is applied then.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::ImportMode;
    /// use stocktake::service::Caller;
    /// use stocktake::testing::shop;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let shop = shop();
    /// shop.open().await?;
    /// let body = br#"{"store-1": {"SKU-0": 7, "SKU-1": 12.5}}"#;
    /// let imports = shop.stocktake.stock_imports();
    /// let started = imports.begin(&Caller::of(&shop.service), ImportMode::Absolute, body, false).await?;
    /// assert_eq!(started.message(), "Import of 2 stock value(s) initiated");
    /// shop.run_jobs().await?;
    /// assert_eq!(shop.on_hand(&shop.key(0)).await?, 7.into());
    /// # Ok::<(), stocktake::service::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(never)]
    pub fn begin<'c>(
        &'c self,
        caller: &'c Caller,
        mode: ImportMode,
        body: &'c [u8],
        skip_bad: bool,
    ) -> Pending<'c, ImportStarted> {
        self.begin_at(caller, mode, body, skip_bad, NamePart::Any)
    }

    /// Begins an import of what is at one stock place, as [`begin`](Self::begin): its body has no word for one, so that
    /// articles that are at several can't be told apart there. [`NamePart::Without`] is stock at no stock place.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{ImportMode, NamePart};
    /// use stocktake::service::Caller;
    /// use stocktake::testing::shop;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let shop = shop();
    /// shop.open().await?;
    /// let (imports, caller) = (shop.stocktake.stock_imports(), Caller::of(&shop.service));
    /// let window = NamePart::Is("WINDOW".parse()?);
    /// let body = br#"{"store-1": {"SKU-0": 7}}"#;
    /// imports.begin_at(&caller, ImportMode::Absolute, body, false, window).await?;
    /// shop.run_jobs().await?;
    /// assert_eq!(shop.on_hand(&shop.key(0).at("WINDOW".parse()?)).await?, 7.into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(never)]
    pub fn begin_at<'c>(
        &'c self,
        caller: &'c Caller,
        mode: ImportMode,
        body: &'c [u8],
        skip_bad: bool,
        place: NamePart,
    ) -> Pending<'c, ImportStarted> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            super::call::require(&stamp, Operation::ImportStock)?;
            let numbers = match mode {
                ImportMode::Absolute => ImportNumbers::Quantities,
                ImportMode::Adjustment => ImportNumbers::Changes,
                ImportMode::Remove => ImportNumbers::Ignored,
            };
            let body = read_import(body, ImportLimits::default(), numbers).map_err(|mistakes| {
                let told = |it: crate::documents::ImportBodyError| FieldError {
                    field: it.path.into(),
                    code: it.code,
                    message: it.message,
                };
                Error::Invalid(mistakes.into_iter().map(told).collect())
            })?;
            let request = digest(mode, skip_bad, &body, &place);
            let mut call = self.library.begin(caller, "import_stock", request)?;
            if let Some(outcome) = self.library.replay(&call).await? {
                return started(outcome);
            }
            let sites = self.sites(&call, &body).await?;
            if body.values.is_empty() {
                return Err(Error::nothing_asked(""));
            }
            let id = StockImportId::new(self.library.ids.next());
            let values = u64::try_from(body.values.len()).unwrap_or(u64::MAX);
            let import = StockImport::create(id, call.organisation(), mode, values, &call.stamp)
                .of_sites(sites.values().copied().collect());
            let import = if skip_bad {
                import.skipping_bad()
            } else {
                import
            };
            let rows: Vec<ImportRow> = body
                .values
                .into_iter()
                .filter_map(|value| {
                    let site = *sites.get(&value.location)?;
                    Some(ImportRow {
                        site,
                        article: value.product,
                        variant: value.variant,
                        value: value.value,
                        place: place.clone(),
                    })
                })
                .collect();
            if !skip_bad && rows.len() <= LOOKED_AT_FIRST {
                self.library
                    .check_import(&import, &rows, &call.stamp)
                    .await?;
            }
            // An import may be of several sites; its job is kept with the first.
            let first = sites.values().next().copied();
            let site = first.ok_or(Error::nothing_asked(""))?;
            loop {
                let outcome = Outcome::StockImport(import.clone().into());
                let job = job_of(&import, site, &call.stamp);
                let step = self.library.commit(&mut call, outcome, |changes| {
                    changes.insert(import.clone());
                    for (number, rows) in rows.chunks(CHUNK as usize).enumerate() {
                        let number = u32::try_from(number).unwrap_or(u32::MAX);
                        changes.insert(ImportChunk {
                            import: id,
                            number,
                            rows: rows.to_vec(),
                        });
                    }
                    changes.job(job);
                });
                if let Step::Done(outcome) = step.await? {
                    return started(outcome);
                }
            }
        })
    }

    /// The sites that the locations name; every location that names none is told.
    async fn sites(&self, call: &Call, body: &ImportBody) -> Result<BTreeMap<Code, SiteId>, Error> {
        let mut sites: BTreeMap<Code, SiteId> = BTreeMap::new();
        let mut unknown: Vec<FieldError> = Vec::new();
        for location in &body.locations {
            let found = self
                .library
                .repository
                .site_by_external_id(call.organisation(), location)
                .await?;
            match found.filter(|site| call.stamp.actor.sees(site.value.id)) {
                Some(site) => {
                    sites.insert(location.clone(), site.value.id);
                }
                None => unknown.push(FieldError {
                    field: format!("/{location}").into(),
                    code: "unknown_location",
                    message: format!("there is no location {location}"),
                }),
            }
        }
        if unknown.is_empty() {
            Ok(sites)
        } else {
            Err(Error::Invalid(unknown))
        }
    }

    /// Reads an import: where it stands, and its report.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for one that has values of a site that the actor can't see: its report would tell of the
    /// stock there; failures of the store.
    #[inline(never)]
    pub fn get<'c>(&'c self, caller: &'c Caller, id: StockImportId) -> Pending<'c, StockImport> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await.map(|read| read.value)
        })
    }

    /// Ends an import that is not to go on, or can't. As long as nothing has been applied, nothing is; otherwise the values
    /// that it has not come to are left out, and its report says how many were applied.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] when it is over; failures of the store.
    #[inline(never)]
    pub fn cancel<'c>(&'c self, caller: &'c Caller, id: StockImportId) -> Pending<'c, StockImport> {
        Box::pin(async move {
            let library = self.library;
            let operation = "cancel_stock_import";
            let mut call = library.begin(caller, operation, Digest::of(operation).field(id))?;
            loop {
                let read = self.visible(&call.stamp, id).await?;
                call.require(Operation::ImportStock)?;
                if let Some(outcome) = library.replay(&call).await? {
                    let import = outcome.stock_import().ok_or(Error::KeyReused)?;
                    return Ok(std::sync::Arc::unwrap_or_clone(import));
                }
                let (import, user) = (&read.value, &call.stamp.actor.user);
                let who = format!("{} {}", user.first_name, user.last_name);
                let (applied, values) = (import.report().applied, import.values());
                let message = if applied == 0 {
                    format!("cancelled by {who}; nothing was applied")
                } else {
                    format!("stopped by {who}; {applied} of {values} values were applied")
                };
                let message = Note::new(message).map_err(|error| Error::text("message", error))?;
                let next = import.reject(message, call.stamp.at)?;
                let left = library.chunks_left(import).await?;
                let outcome = Outcome::StockImport(next.clone().into());
                let step = library.commit(&mut call, outcome, |changes| {
                    changes.update(read.version, next);
                    changes.ack(JobAck::Refused(job_id(id)));
                    for (number, version) in left {
                        changes.delete(version, DeletableKey::ImportChunk(id, number));
                    }
                });
                if let Step::Done(outcome) = step.await? {
                    let import = outcome.stock_import().ok_or(Error::KeyReused)?;
                    return Ok(std::sync::Arc::unwrap_or_clone(import));
                }
            }
        })
    }

    /// An import that the actor can see.
    async fn visible(
        &self,
        stamp: &Stamp,
        id: StockImportId,
    ) -> Result<Versioned<StockImport>, Error> {
        let repository = &self.library.repository;
        let import = repository
            .stock_import(stamp.actor.organisation, id)
            .await?;
        import
            .filter(|import| import.value.is_shown_to(&stamp.actor))
            .ok_or(Error::not_found("stock import"))
    }
}

/// The job of an import follows from it.
pub(super) fn job_id(import: StockImportId) -> JobId {
    JobId::new(Uuid::new_v5(&import.as_uuid(), b"job"))
}

fn started(outcome: Outcome) -> Result<ImportStarted, Error> {
    let import = outcome.stock_import().ok_or(Error::KeyReused)?;
    Ok(ImportStarted {
        job: job_id(import.id()),
        import: std::sync::Arc::unwrap_or_clone(import),
    })
}

fn job_of(import: &StockImport, site: SiteId, stamp: &Stamp) -> NewJob {
    NewJob {
        id: job_id(import.id()),
        site,
        task: JobTask::ImportStock {
            import: import.id(),
        },
        requested_by: stamp.actor.clone(),
        run_at: stamp.at,
        max_attempts: JOB_ATTEMPTS,
    }
}

/// The parsed body, whatever its white space and the order of its keys: it is the same request.
fn digest(
    mode: ImportMode,
    skip_bad: bool,
    body: &ImportBody,
    place: &NamePart,
) -> crate::store::DigestBuilder {
    let request = Digest::of("import_stock").field(mode).field(skip_bad);
    let mut values: Vec<_> = body.values.iter().collect();
    values.sort_unstable_by_key(|value| (&value.location, &value.product, &value.variant));
    let request = values.into_iter().fold(request, |digest, value| {
        digest
            .field(&value.location)
            .field(&value.product)
            .optional(value.variant.as_text())
            .field(value.value)
    });
    match place.as_text() {
        None => request,
        Some(place) => request.field("at").field(place),
    }
}
