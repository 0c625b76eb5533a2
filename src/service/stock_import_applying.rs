//! Taking in an import in chunks, resumable (S5.1 to S5.4, S6.4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{
    Cause, Change, Code, ImportMode, ImportProblem, IncomingCost, Label, Note, Pick, Product,
    ProductId, Quantity, Site, SiteId, Stamp, StockError, StockEvent, StockEventId, StockEventKind,
    StockImport, StockImportId, StockImportState, StockKey, StockLevel, Terms, UnitCost,
};
use crate::store::{
    CommandId, DeletableKey, Guard, ImportChunk, ImportRow, JobAck, JobProgress, Outcome, Progress,
    StoreError, StoreErrorKind, Versioned,
};

use super::call::Step;
use super::look_ahead::{Ahead, both};
use super::serial_marks::SerialMarks;
use super::stock_imports::job_id;
use super::{CHUNK, Error, StockName, Stocktake};

/// What is known of the rows that come next.
pub(crate) type ImportAhead = Ahead<Rows>;

/// A chunk of rows, and what it needs to know.
#[derive(Debug)]
pub(crate) struct Rows {
    chunk: Option<Versioned<ImportChunk>>,
    around: Surroundings,
}

/// What a chunk of rows needs to know.
#[derive(Debug)]
struct Surroundings {
    sites: BTreeMap<SiteId, Versioned<Site>>,
    products: BTreeMap<Code, Arc<Product>>,
    created: BTreeSet<Code>,
    keys: Vec<Result<StockKey, Problem>>,
    levels: BTreeMap<StockKey, (Option<Versioned<StockLevel>>, StockLevel)>,
    serials: SerialMarks,
}

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
    /// One chunk of an import. Returns whether there is more.
    pub(crate) async fn step_stock_import(
        &self,
        stamp: &Stamp,
        id: StockImportId,
        ahead: &mut ImportAhead,
    ) -> Result<bool, Error> {
        let organisation = stamp.actor.organisation;
        let read = self.repository.stock_import(organisation, id).await?;
        let read = read.ok_or(Error::not_found("stock import"))?;
        let import = &read.value;
        if import.state() != StockImportState::Pending {
            return Ok(false);
        }
        let stamp = &Stamp {
            actor: stamp.actor.clone(),
            at: self.clock.now(),
        };
        let first = if import.is_checking() {
            import.checked()
        } else {
            import.done()
        };
        let number =
            u32::try_from(first.checked_div(u64::from(CHUNK)).unwrap_or(0)).unwrap_or(u32::MAX);
        let checking = import.is_checking();
        let Rows { chunk, mut around } = match ahead.take(read.version) {
            Some(rows) => rows,
            None => self.rows_of(import, number, stamp).await?,
        };
        let rows = chunk
            .as_ref()
            .map_or(&[][..], |chunk| chunk.value.rows.as_slice());
        if rows.is_empty() && first < import.values() {
            // It would be looked for again and again.
            return Err(StoreError::new(StoreErrorKind::Corrupt, "import_chunk").into());
        }
        let looked_at = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let next_rows = async {
            let is_last = first.saturating_add(looked_at) >= import.values();
            let rows = self.rows_of(import, number.saturating_add(1), stamp);
            if is_last { None } else { rows.await.ok() }
        };
        let written = async {
            let taken = around.take(import, rows, first, stamp);
            let (next, ack) = next_import(import, looked_at, &taken, stamp)?;
            let progress = Progress {
                done: next.done(),
                total: next.values(),
            };
            let command = CommandId::new("import", format_args!("{id}/{}", read.version));
            let mut call = Self::begin_derived(stamp.clone(), command);
            let step = self.commit(&mut call, Outcome::Done, |changes| {
                changes.update(read.version, next);
                changes.progress(JobProgress {
                    job: job_id(id),
                    progress,
                });
                if let Some(ack) = ack {
                    changes.ack(ack);
                }
                if checking {
                    return;
                }
                // What has been applied needs no keeping.
                if let Some(chunk) = &chunk {
                    changes.delete(chunk.version, DeletableKey::ImportChunk(id, number));
                }
                for site in around.sites.values() {
                    changes.guard(Guard::site(site));
                }
                around.write(taken.events, changes);
            });
            Ok::<_, Error>((step.await?, ack))
        };
        let (next_rows, written) = both(next_rows, written).await;
        match written? {
            (Step::Done(_), ack) => {
                ahead.keep(read.version, next_rows);
                Ok(ack.is_none())
            }
            (Step::Again(_), _) => Ok(true),
        }
    }

    /// A chunk of an import's rows, with what it needs to know.
    async fn rows_of(
        &self,
        import: &StockImport,
        number: u32,
        stamp: &Stamp,
    ) -> Result<Rows, Error> {
        let chunk = self
            .repository
            .import_chunk(import.organisation(), import.id(), number)
            .await?;
        let rows = chunk.as_ref();
        let rows = rows.map_or(&[][..], |chunk| chunk.value.rows.as_slice());
        let around = self.surroundings(import, rows, stamp).await?;
        Ok(Rows { chunk, around })
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
        let mut created = BTreeSet::new();
        for (article, found) in articles.into_iter().zip(found) {
            let product = if let Some(found) = found {
                found.value
            } else {
                created.insert(article.clone());
                Arc::new(new_product(import, &article)?)
            };
            products.insert(article, product);
        }
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
        let levels = wanted
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
        Ok(Surroundings {
            sites,
            products,
            created,
            keys,
            levels,
            serials,
        })
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
                ..StockName::of(product.id)
            };
            names.push((row.site, name));
            whose.push(product);
        }
        let meant = self.resolve_levels(import.organisation(), &names).await?;
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
        let message = Note::new(format!("{problems} values can't be applied; nothing was"))?;
        return Ok((next.reject(message, stamp.at)?, Some(JobAck::Refused(job))));
    }
    let next = import.advance(taken.applied, taken.problems.clone(), stamp.at)?;
    if next.done() < next.values() {
        return Ok((next, None));
    }
    Ok((next.apply(stamp.at)?, Some(JobAck::Settled(job))))
}

/// A product that an import makes: its article id is all that is known of it.
fn new_product(import: &StockImport, article: &Code) -> Result<Product, Error> {
    let id = ProductId::new(Uuid::new_v5(
        &import.organisation().as_uuid(),
        article.as_str().as_bytes(),
    ));
    let name = Label::new(article.as_str())?;
    Ok(Product::new(
        id,
        import.organisation(),
        article.clone(),
        name,
    ))
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

    fn told(&self, row: &ImportRow, number: u64, problem: Problem) -> ImportProblem {
        let location = self
            .sites
            .get(&row.site)
            .map_or("", |site| site.external_id.as_str());
        let variant = row
            .variant
            .as_ref()
            .map_or_else(String::new, |variant| format!("/{variant}"));
        ImportProblem {
            row: number,
            place: format!("/{location}/{}{variant}", row.article),
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
            standard: product.unit_cost,
            at: stamp.at,
            by: stamp.actor.user.id,
        };
        let known = level
            .valuation()
            .current_cost(level.quantity(), product.unit_cost);
        let change = Change {
            id: StockEventId::new(Uuid::new_v5(&import.id().as_uuid(), &number.to_be_bytes())),
            kind: match import.mode() {
                ImportMode::Absolute => StockEventKind::ExternalReset,
                ImportMode::Adjustment => StockEventKind::ExternalAdjustment,
                ImportMode::Remove => StockEventKind::Removed,
            },
            quantity: row.value,
            // The body has no costs: what is new to the books comes in at none.
            cost: known.map_or(IncomingCost::PerUnit(UnitCost::ZERO), |_| {
                IncomingCost::Current
            }),
            pick: Pick::Oldest,
            occurred_at: None,
            reason: None,
            reference: None,
            cause: Cause::Import(import.id()),
            reverses: None,
        };
        let (next, events) = match import.mode() {
            ImportMode::Absolute => level
                .reset(change, row.value, &terms)
                .map(|(next, event)| (next, vec![event])),
            ImportMode::Adjustment => level.apply(change, &terms),
            // What is not kept on stock needs no removing.
            ImportMode::Remove if !level.is_stocked() => return Ok(Vec::new()),
            ImportMode::Remove => level
                .delist(
                    Change {
                        quantity: Quantity::ZERO,
                        ..change
                    },
                    &terms,
                )
                .map(|(next, event)| (next, vec![event])),
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
        *level = next;
        Ok(events)
    }

    /// Puts what changed into a change set.
    fn write(self, events: Vec<StockEvent>, changes: &mut crate::store::ChangeSet) {
        let moved: BTreeSet<&StockKey> = events.iter().map(|event| &event.key).collect();
        let touched: BTreeSet<ProductId> = moved.iter().map(|key| key.product).collect();
        for article in &self.created {
            if let Some(product) = self
                .products
                .get(article)
                .filter(|product| touched.contains(&product.id))
            {
                changes.insert(product.clone());
            }
        }
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
