//! Taking in an import in chunks, resumable (S5.1 to S5.4, S6.4).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use crate::documents::pointer_to;
use crate::domain::{
    Cause, Change, Code, ImportMode, ImportProblem, IncomingCost, KeyError, Label, Note,
    OrganisationId, Pick, Product, ProductId, Quantity, Site, SiteId, Stamp, StockError,
    StockEvent, StockEventId, StockEventKind, StockImport, StockImportId, StockImportState,
    StockKey, StockLevel, Terms,
};
use crate::store::{
    CommandId, DeletableKey, Guard, ImportChunk, ImportRow, JobAck, JobProgress, Outcome, Progress,
    RepositoryExt, StoreError, StoreErrorKind, Version, Versioned,
};

use super::call::Step;
use super::look_ahead::both;
use super::pace::Pace;
use super::serial_marks::SerialMarks;
use super::site_costs::SiteCosts;
use super::stock_imports::job_id;
use super::stock_key_lookup::Empty;
use super::{CHUNK, Error, FieldError, StockName, Stocktake};

/// Rows that are taken in together, and what they need to know.
#[derive(Debug)]
pub(crate) struct Rows {
    chunk: Option<Versioned<ImportChunk>>,
    /// Which rows of the chunk.
    part: Range<usize>,
    around: Surroundings,
}

impl Rows {
    fn rows(&self) -> &[ImportRow] {
        let chunk = self.chunk.as_ref();
        let rows = chunk.and_then(|chunk| chunk.value.rows.get(self.part.clone()));
        rows.unwrap_or_default()
    }

    /// Whether they are the last of their chunk.
    fn end_chunk(&self) -> bool {
        let chunk = self.chunk.as_ref();
        chunk.is_none_or(|chunk| self.part.end >= chunk.value.rows.len())
    }
}

/// What a chunk of rows needs to know.
#[derive(Debug, Default)]
struct Surroundings {
    sites: BTreeMap<SiteId, Versioned<Site>>,
    products: BTreeMap<Code, Arc<Product>>,
    /// Articles that nobody has, and for each the known one that it is spelled like, if there is one.
    created: BTreeMap<Code, Option<Code>>,
    keys: Vec<Result<StockKey, Problem>>,
    levels: BTreeMap<StockKey, (Option<Versioned<StockLevel>>, StockLevel)>,
    serials: SerialMarks,
    costs: SiteCosts,
}

/// How many ids that follow from an article are looked at before one is taken that follows from nothing.
const MOST_NAMESAKES: u32 = 16;

/// Levels as they were read.
type Levels = BTreeMap<StockKey, Versioned<StockLevel>>;

/// Why a row can't be applied.
#[derive(Clone, Debug)]
struct Problem {
    code: &'static str,
    message: String,
}

/// What a chunk of rows comes to.
#[derive(Default)]
struct Taken {
    applied: u64,
    problems: Vec<ImportProblem>,
    events: Vec<StockEvent>,
}

impl Stocktake {
    /// One step of an import: the next rows of a chunk. Returns whether there is more.
    pub(crate) async fn step_stock_import(
        &self,
        stamp: &Stamp,
        id: StockImportId,
        pace: &mut Pace<Rows>,
    ) -> Result<bool, Error> {
        let organisation = stamp.actor.organisation;
        let read = self.repository.stock_import(organisation, id).await?;
        let read = read.ok_or(Error::not_found("stock import"))?;
        let import = &read.value;
        if import.state() != StockImportState::Pending {
            return Ok(false);
        }
        pace.begin(read.version)?;
        let stamp = &Stamp {
            actor: stamp.actor.clone(),
            at: self.clock.now(),
        };
        let checking = import.is_checking();
        let first = if checking {
            import.checked()
        } else {
            import.done()
        };
        let rows = match pace.take_ahead(read.version) {
            Some(rows) => rows,
            None => self.rows_of(import, first, pace.limit(), stamp).await?,
        };
        if rows.rows().is_empty() && first < import.values() {
            // It would be looked for again and again.
            return Err(StoreError::new(StoreErrorKind::Corrupt, "import_chunk").into());
        }
        let after = first.saturating_add(count(rows.rows().len()));
        let has_next = rows.end_chunk() && after < import.values();
        let next_rows = async {
            let next = self.rows_of(import, after, CHUNK, stamp);
            if has_next { next.await.ok() } else { None }
        };
        let written = self.write_rows(&read, first, rows, stamp);
        let (next_rows, written) = both(next_rows, written).await;
        let (step, is_over) = written?;
        pace.note(&step)?;
        if let Step::Again(_) = step {
            return Ok(true);
        }
        pace.keep_ahead(read.version, next_rows);
        Ok(!is_over)
    }

    /// Checks rows, or takes them in. Tells also whether that is all of the import, once it is done; if something moved, or
    /// an article that was to be created has been created meanwhile, begin again.
    async fn write_rows(
        &self,
        read: &Versioned<StockImport>,
        first: u64,
        mut rows: Rows,
        stamp: &Stamp,
    ) -> Result<(Step, bool), Error> {
        let (import, id) = (&read.value, read.value.id());
        let looked_at = count(rows.rows().len());
        let mut around = std::mem::take(&mut rows.around);
        let taken = around.take(import, rows.rows(), first, stamp);
        let (next, ack) = next_import(import, looked_at, &taken, stamp)?;
        let next = if import.is_checking() {
            next
        } else {
            next.having_created(around.created_by(&taken.events))
        };
        let progress = Progress {
            done: next.done(),
            total: next.values(),
        };
        let refused = match next.state() {
            StockImportState::Rejected => self.chunks_left(import).await?,
            StockImportState::Pending | StockImportState::Applied => Vec::new(),
        };
        let command = CommandId::new("import", format_args!("{id}/{}", read.version));
        let mut call = Self::begin_derived(stamp.clone(), command);
        let step = self.attempt(&mut call, Outcome::Done, |changes| {
            changes.update(read.version, next);
            changes.progress(JobProgress {
                job: job_id(id),
                progress,
            });
            if let Some(ack) = ack {
                changes.ack(ack);
            }
            for (number, version) in refused {
                changes.delete(version, DeletableKey::ImportChunk(id, number));
            }
            if import.is_checking() {
                return;
            }
            // What has been applied needs no keeping.
            if let Some(chunk) = rows.chunk.as_ref().filter(|_| rows.end_chunk()) {
                let key = DeletableKey::ImportChunk(id, chunk.value.number);
                changes.delete(chunk.version, key);
            }
            for site in around.sites.values() {
                changes.guard(Guard::site(site));
            }
            around.write(taken.events, changes);
        });
        Ok((step.await?, ack.is_some()))
    }

    /// Looks at the rows of a small import before it is begun, by the rule that applies them.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with the path of every value that can't be applied; failures of the store.
    pub(super) async fn check_import(
        &self,
        import: &StockImport,
        rows: &[ImportRow],
        stamp: &Stamp,
    ) -> Result<(), Error> {
        let mut around = self.surroundings(import, rows, stamp).await?;
        let mut wrong = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let number = count(index);
            if let Err(problem) = around.take_row(import, row, index, number, stamp) {
                wrong.push(FieldError {
                    field: around.path_of(row).into(),
                    code: problem.code,
                    message: problem.message,
                });
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(wrong))
        }
    }

    /// The rows of an import from one on, as far as their chunk goes and at most so many, with what they need to know.
    async fn rows_of(
        &self,
        import: &StockImport,
        first: u64,
        limit: u32,
        stamp: &Stamp,
    ) -> Result<Rows, Error> {
        let chunk_size = u64::from(CHUNK);
        let number = first.checked_div(chunk_size).unwrap_or(0);
        let start = first.checked_rem(chunk_size).unwrap_or(0);
        let chunk = self
            .repository
            .import_chunk(
                import.organisation(),
                import.id(),
                u32::try_from(number).unwrap_or(u32::MAX),
            )
            .await?;
        let there = chunk.as_ref().map_or(0, |chunk| chunk.value.rows.len());
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(there);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let part = start..start.saturating_add(limit).min(there);
        let rows = chunk.as_ref();
        let rows = rows.and_then(|chunk| chunk.value.rows.get(part.clone()));
        let around = self
            .surroundings(import, rows.unwrap_or_default(), stamp)
            .await?;
        Ok(Rows {
            chunk,
            part,
            around,
        })
    }

    /// The chunks of an import that are still kept: nobody needs them once it is refused.
    pub(super) async fn chunks_left(
        &self,
        import: &StockImport,
    ) -> Result<Vec<(u32, Version)>, Error> {
        let mut left = Vec::new();
        let chunks = import.values().div_ceil(u64::from(CHUNK));
        for number in 0..u32::try_from(chunks).unwrap_or(u32::MAX) {
            let chunk = self
                .repository
                .import_chunk(import.organisation(), import.id(), number)
                .await?;
            left.extend(chunk.map(|chunk| (number, chunk.version)));
        }
        Ok(left)
    }

    /// Products for articles that nobody has. The id of one follows from its article, so that whoever makes it makes the
    /// same; where that is the id of another product by now (it was renamed since), the next one is taken that follows.
    async fn new_products(
        &self,
        import: &StockImport,
        articles: &[Code],
    ) -> Result<BTreeMap<Code, Arc<Product>>, Error> {
        let mut made = BTreeMap::new();
        let mut left: Vec<&Code> = articles.iter().collect();
        for namesake in 0..MOST_NAMESAKES {
            if left.is_empty() {
                break;
            }
            let id = |article: &&Code| new_product_id(import, article, namesake);
            let ids: Vec<ProductId> = left.iter().map(id).collect();
            let there = self
                .repository
                .products(import.organisation(), &ids)
                .await?;
            let mut taken = Vec::new();
            for ((article, id), there) in left.into_iter().zip(ids).zip(there) {
                if there.is_some() {
                    taken.push(article);
                } else {
                    made.insert(article.clone(), Arc::new(new_product(import, id, article)?));
                }
            }
            left = taken;
        }
        for article in left {
            let id = ProductId::new(self.ids.next());
            made.insert(article.clone(), Arc::new(new_product(import, id, article)?));
        }
        Ok(made)
    }

    /// The known article that each of some new ones is spelled like: of the catalogue, else one before it.
    async fn spelled_like(
        &self,
        organisation: OrganisationId,
        articles: Vec<Code>,
    ) -> Result<BTreeMap<Code, Option<Code>>, Error> {
        if articles.is_empty() {
            return Ok(BTreeMap::new());
        }
        let known = self.repository.articles_like(organisation, &articles);
        let known = known.await?;
        let mut new: BTreeMap<String, Code> = BTreeMap::new();
        let mut created = BTreeMap::new();
        for (article, known) in articles.into_iter().zip(known) {
            let first = new.entry(article.likeness());
            let first = first.or_insert_with(|| article.clone());
            let other = (*first != article).then(|| first.clone());
            created.insert(article, known.or(other));
        }
        Ok(created)
    }

    /// Reads sites, products, keys and levels of some rows: a fixed number of reads for each site.
    async fn surroundings(
        &self,
        import: &StockImport,
        rows: &[ImportRow],
        stamp: &Stamp,
    ) -> Result<Surroundings, Error> {
        let organisation = import.organisation();
        let mut sites = BTreeMap::new();
        for row in rows {
            if let std::collections::btree_map::Entry::Vacant(vacant) = sites.entry(row.site) {
                vacant.insert(self.site(organisation, row.site).await?);
            }
        }
        let articles: BTreeSet<Code> = rows.iter().map(|row| row.article.clone()).collect();
        let articles: Vec<Code> = articles.into_iter().collect();
        let found = self
            .repository
            .products_by_article(organisation, &articles)
            .await?;
        let mut products: BTreeMap<Code, Arc<Product>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (article, found) in articles.into_iter().zip(found) {
            if let Some(found) = found {
                products.insert(article, found.value);
            } else {
                unknown.push(article);
            }
        }
        products.extend(self.new_products(import, &unknown).await?);
        let created = self.spelled_like(organisation, unknown).await?;
        let (keys, mut levels) = self.keys_of(import, rows, &products).await?;
        let wanted: BTreeSet<StockKey> = keys.iter().flatten().cloned().collect();
        let wanted: Vec<StockKey> = wanted.into_iter().collect();
        // What is not stocked may have a level all the same.
        let others = wanted.iter().filter(|key| !levels.contains_key(*key));
        let others: Vec<StockKey> = others.cloned().collect();
        let read = self.repository.levels(organisation, &others).await?;
        levels.extend((others.into_iter().zip(read)).filter_map(|(key, read)| Some((key, read?))));
        let scopes = sites.values().map(|site| site.value.policy.serials);
        // The wider one also reads what the narrower one needs.
        let scope = scopes.max().unwrap_or_default();
        let serials = self.serial_marks(organisation, &wanted, scope).await?;
        let levels: BTreeMap<_, (Option<Versioned<StockLevel>>, StockLevel)> = wanted
            .into_iter()
            .map(|key| {
                let read = levels.remove(&key);
                let level = read.as_ref().map_or_else(
                    || StockLevel::new(key.clone(), stamp.at),
                    |read| read.value.clone(),
                );
                (key, (read, level))
            })
            .collect();
        let costs = self.costs_of(import, &sites, &levels).await?;
        Ok(Surroundings {
            sites,
            products,
            created,
            keys,
            levels,
            serials,
            costs,
        })
    }

    /// What products cost at their sites whose keys here know no cost.
    async fn costs_of(
        &self,
        import: &StockImport,
        sites: &BTreeMap<SiteId, Versioned<Site>>,
        levels: &BTreeMap<StockKey, (Option<Versioned<StockLevel>>, StockLevel)>,
    ) -> Result<SiteCosts, Error> {
        let mut costs = SiteCosts::default();
        if import.mode() == ImportMode::Remove {
            return Ok(costs);
        }
        let mut unknown: BTreeMap<SiteId, BTreeSet<ProductId>> = BTreeMap::new();
        for (key, (_, level)) in levels {
            if !level.knows_cost() {
                unknown.entry(key.site).or_default().insert(key.product);
            }
        }
        for (site, products) in unknown {
            if let Some(site) = sites.get(&site) {
                let place = (site.organisation, site.id);
                self.add_site_costs(&mut costs, place, products).await?;
            }
        }
        Ok(costs)
    }

    /// The key that each row means, and the levels that were seen on the way.
    async fn keys_of(
        &self,
        import: &StockImport,
        rows: &[ImportRow],
        products: &BTreeMap<Code, Arc<Product>>,
    ) -> Result<(Vec<Result<StockKey, Problem>>, Levels), Error> {
        let mut names: Vec<(SiteId, StockName)> = Vec::with_capacity(rows.len());
        let mut whose: Vec<&Product> = Vec::with_capacity(rows.len());
        for row in rows {
            let product = products.get(&row.article);
            let product = product.ok_or(Error::not_found("product"))?;
            let name = StockName {
                variant: row.variant.clone(),
                place: row.place.clone(),
                ..StockName::of(product.id)
            };
            names.push((row.site, name));
            whose.push(product);
        }
        let empty = match import.mode() {
            ImportMode::Absolute | ImportMode::Adjustment => Empty::GiveWay,
            ImportMode::Remove => Empty::Compete,
        };
        let meant = self.resolve_levels(import.organisation(), &names, empty);
        let meant = meant.await?;
        let mut levels = Levels::new();
        let keys = whose
            .into_iter()
            .zip(meant)
            .map(|(product, (meant, level))| {
                levels.extend(level.map(|level| (level.value.key().clone(), level)));
                meant.of(product).map_err(|unclear| Problem {
                    code: unclear.code(),
                    message: unclear.to_string(),
                })
            });
        Ok((keys.collect(), levels))
    }
}

/// The import after a chunk, and how its job ends if it does.
fn next_import(
    import: &StockImport,
    looked_at: u64,
    taken: &Taken,
    stamp: &Stamp,
) -> Result<(StockImport, Option<JobAck>), Error> {
    let job = job_id(import.id());
    if import.is_checking() {
        let next = import.check(looked_at, taken.problems.clone(), stamp.at)?;
        let problems = next.report().problems_total;
        if next.is_checking() || problems == 0 {
            return Ok((next, None));
        }
        let message = Note::new(format!("{problems} values can't be applied; nothing was"));
        let message = message.map_err(|error| Error::text("message", error))?;
        return Ok((next.reject(message, stamp.at)?, Some(JobAck::Refused(job))));
    }
    let next = import.advance(taken.applied, taken.problems.clone(), stamp.at)?;
    if next.done() < next.values() {
        return Ok((next, None));
    }
    Ok((next.apply(stamp.at)?, Some(JobAck::Settled(job))))
}

/// The id of a product that an import makes: of the first of an article, or of one after another product has its id.
fn new_product_id(import: &StockImport, article: &Code, namesake: u32) -> ProductId {
    let first = Uuid::new_v5(
        &import.organisation().as_uuid(),
        article.as_str().as_bytes(),
    );
    ProductId::new(match namesake {
        0 => first,
        _ => Uuid::new_v5(&first, &namesake.to_be_bytes()),
    })
}

/// A product that an import makes: its article id is all that is known of it.
fn new_product(import: &StockImport, id: ProductId, article: &Code) -> Result<Product, Error> {
    let name = Label::new(article.as_str());
    let name = name.map_err(|error| Error::text("article_id", error))?;
    Ok(Product::new(
        id,
        import.organisation(),
        article.clone(),
        name,
    ))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Surroundings {
    /// Applies the rows to the levels; what can't be applied is told.
    fn take(
        &mut self,
        import: &StockImport,
        rows: &[ImportRow],
        first: u64,
        stamp: &Stamp,
    ) -> Taken {
        let mut taken = Taken::default();
        for (index, row) in rows.iter().enumerate() {
            let number = first.saturating_add(u64::try_from(index).unwrap_or(u64::MAX));
            match self.take_row(import, row, index, number, stamp) {
                Ok(events) => {
                    taken.applied = taken.applied.saturating_add(1);
                    taken.events.extend(events);
                }
                Err(problem) => taken.problems.push(self.told(row, number, problem)),
            }
        }
        taken
    }

    /// Where a row stands in the body: a JSON pointer.
    fn path_of(&self, row: &ImportRow) -> String {
        let location = self.sites.get(&row.site).map(|site| &site.external_id);
        let (location, article) = (location.map(Code::as_str), row.article.as_str());
        let names = [location, Some(article), row.variant.as_text()];
        names.into_iter().flatten().map(pointer_to).collect()
    }

    fn told(&self, row: &ImportRow, number: u64, problem: Problem) -> ImportProblem {
        ImportProblem {
            row: number,
            place: self.path_of(row),
            code: problem.code.to_owned(),
            message: problem.message,
        }
    }

    fn take_row(
        &mut self,
        import: &StockImport,
        row: &ImportRow,
        index: usize,
        number: u64,
        stamp: &Stamp,
    ) -> Result<Vec<StockEvent>, Problem> {
        let missing = || Problem {
            code: "not_found",
            message: "it is not there any more".to_owned(),
        };
        let key = self.keys.get(index).ok_or_else(missing)?.clone()?;
        let site = self.sites.get(&row.site).ok_or_else(missing)?;
        let product = self.products.get(&row.article).ok_or_else(missing)?;
        let (_, level) = self.levels.get_mut(&key).ok_or_else(missing)?;
        let terms = Terms {
            site,
            standard: product.standard_cost(site.currency),
            elsewhere: self.costs.unit_cost(key.site, key.product),
            at: stamp.at,
            by: stamp.actor.user.id,
        };
        // The body has no costs: what no cost is known of comes in as of unknown cost, unless zero is its cost.
        let cost = match level.unit_cost(&terms) {
            None if !site.policy.allow_zero_cost => IncomingCost::Unknown,
            Some(_) | None => IncomingCost::Current,
        };
        let change = Change {
            id: StockEventId::new(Uuid::new_v5(&import.id().as_uuid(), &number.to_be_bytes())),
            kind: match import.mode() {
                ImportMode::Absolute => StockEventKind::ExternalReset,
                ImportMode::Adjustment => StockEventKind::ExternalAdjustment,
                ImportMode::Remove => StockEventKind::Removed,
            },
            quantity: row.value,
            cost,
            pick: Pick::Oldest,
            occurred_at: None,
            reason: None,
            reference: None,
            cause: Cause::Import(import.id()),
            of: None,
            reverses: None,
        };
        let (next, events) = match import.mode() {
            ImportMode::Absolute => level.reset(change, row.value, &terms),
            ImportMode::Adjustment => level.apply(change, &terms),
            // What is not kept on stock needs no removing.
            ImportMode::Remove if !level.is_stocked() => return Ok(Vec::new()),
            ImportMode::Remove => level.delist(
                Change {
                    quantity: Quantity::ZERO,
                    ..change
                },
                &terms,
            ),
        }
        .map_err(|error: StockError| problem_of(&error))?;
        self.serials
            .moved(level.quantity(), &next, site.policy.serials)
            .map_err(|elsewhere| {
                let problem = elsewhere.problem();
                Problem {
                    code: problem.code(),
                    message: problem.to_string(),
                }
            })?;
        let told = |problem: KeyError| Problem {
            code: problem.code(),
            message: problem.to_string(),
        };
        let before = (level.is_stocked(), level.quantity());
        key.check_change(product, before, next.quantity())
            .map_err(told)?;
        self.costs.changed(level, &next);
        *level = next;
        Ok(events)
    }

    /// The new articles that some events are of: only these are created. Each with the known one that it is spelled like.
    fn created_by(&self, events: &[StockEvent]) -> Vec<(&Code, Option<&Code>)> {
        let touched: BTreeSet<ProductId> = events.iter().map(|event| event.key.product).collect();
        let is_touched = |article: &Code| {
            let product = self.products.get(article);
            product.is_some_and(|product| touched.contains(&product.id))
        };
        let created = self.created.iter();
        created
            .filter(|(article, _)| is_touched(article))
            .map(|(article, known)| (article, known.as_ref()))
            .collect()
    }

    /// Puts what changed into a change set.
    fn write(self, events: Vec<StockEvent>, changes: &mut crate::store::ChangeSet) {
        for (article, _) in self.created_by(&events) {
            if let Some(product) = self.products.get(article) {
                changes.insert(product.clone());
            }
        }
        let moved: BTreeSet<&StockKey> = events.iter().map(|event| &event.key).collect();
        for key in moved {
            if let Some((read, level)) = self.levels.get(key) {
                changes.put(read.as_ref(), level.clone());
            }
        }
        for event in events {
            changes.event(event);
        }
        self.serials.write(changes);
    }
}

fn problem_of(error: &StockError) -> Problem {
    let code = match error {
        StockError::BelowZero { .. } => "would_go_negative",
        StockError::CostUnknown => "cost_unknown",
        StockError::SerialQuantity { .. } => "serial_conflict",
        StockError::PeriodClosed { .. } => "period_closed",
        StockError::FutureDated { .. } => "future_dated",
        StockError::OutOfRange => "out_of_range",
    };
    Problem {
        code,
        message: error.to_string(),
    }
}
