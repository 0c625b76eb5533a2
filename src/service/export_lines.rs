//! The lines of an export: read page by page from the store, and put into a table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::documents::{
    Cell, Facts, InventoryCountLine, InventoryOrderLine, Line, StockAdjustmentLine, StockEventLine,
    StockLevelLine, StockTakeLine, Table, TableError, TableWriter,
};
use crate::domain::{
    InventoryCountId, InventoryOrderId, InventoryOrderState, LedgerEntry, OrganisationId, Product,
    ProductId, Site, StockTakeId, StockTakeState, UserId, UserSummary,
};
use crate::store::{
    ArticleSort, ColumnSum, Cursor, Export, ExportStyle, ExportSubject, InventoryCountItemFilter,
    InventoryOrderItemFilter, LevelFilter, Page, PageRequest, PageStart, RepositoryExt,
    StockAdjustmentFilter, StockEventFilter, StockTakeItemFilter, StoreError, StoreErrorKind,
};

use super::{CHUNK, Error, Stocktake};

/// How many pages of the ledger are looked through at a time for lines that are wanted.
const LEDGER_PAGES: u32 = 20;

/// How far the lines of an export have been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Where to go on; `None` at the beginning.
    pub(super) after: Option<String>,
    /// How many lines so far.
    pub(super) lines: u64,
    /// The sums so far.
    pub(super) sums: Vec<ColumnSum>,
    /// How many lines there are, where the store tells.
    pub(super) total: Option<u64>,
    /// Whether that was all.
    pub(super) is_over: bool,
}

impl Reading {
    /// As far as an export that goes on has come.
    pub(super) fn of(export: &Export) -> Self {
        Self {
            after: export.after.clone(),
            lines: export.lines,
            sums: export.sums.clone(),
            total: None,
            is_over: false,
        }
    }
}

/// Where lines go.
type Out<'o> = &'o mut (dyn TableWriter + Send);

/// The next lines, before they are written.
struct Target<'t> {
    site: &'t Site,
    style: ExportStyle,
    organisation: OrganisationId,
    reading: &'t mut Reading,
    out: Out<'t>,
}

impl Stocktake {
    /// Reads the next page of an export's lines and writes it, with what comes before and after them all. Tells whether there
    /// is something to export at all: a take or an order may be removed by now.
    pub(super) async fn write_lines(
        &self,
        organisation: OrganisationId,
        export: &Export,
        site: &Site,
        reading: &mut Reading,
        out: Out<'_>,
    ) -> Result<bool, Error> {
        let mut target = Target {
            site,
            style: export.form.style,
            organisation,
            reading,
            out,
        };
        match &export.subject {
            ExportSubject::StockTake { take, filter } => {
                self.write_take(*take, filter, &mut target).await
            }
            ExportSubject::InventoryOrder { order, filter } => {
                self.write_order(*order, filter, &mut target).await
            }
            ExportSubject::InventoryCount { count, filter } => {
                self.write_count(*count, filter, &mut target).await
            }
            ExportSubject::StockAdjustments { filter } => {
                self.write_adjustments(filter, &mut target).await
            }
            ExportSubject::StockLevels { filter } => self.write_levels(filter, &mut target).await,
            ExportSubject::StockEvents { filter } => self.write_events(filter, &mut target).await,
            // These are printed: they have no lines for a table.
            ExportSubject::CountSheet { .. }
            | ExportSubject::TakeReceipt { .. }
            | ExportSubject::OrderSheet { .. } => Ok(false),
        }
    }

    async fn write_take(
        &self,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        target: &mut Target<'_>,
    ) -> Result<bool, Error> {
        let header = self
            .repository
            .stock_take(target.organisation, take)
            .await?;
        let Some(take) = header
            .map(|read| read.value)
            .filter(|take| take.state() != StockTakeState::Removed)
        else {
            return Ok(false);
        };
        let page = self
            .repository
            .stock_take_items(
                target.organisation,
                take.id(),
                filter,
                ArticleSort::default(),
                &target.page(),
            )
            .await?;
        let facts = target.facts(
            ("Stock take", &take.details().title()),
            &[
                ("Status", state(&take.state())),
                ("Created (UTC)", Cell::Moment(take.created_at())),
                ("Posted (UTC)", Cell::moment(take.posted_at())),
            ],
        );
        let counted = page
            .items
            .iter()
            .filter_map(|view| view.item.value.count.as_ref());
        let known = [Some(take.created_by()), take.posted_by()];
        let whose = (target.organisation, target.style);
        let people = self
            .people_shown(whose, known, counted.map(|count| count.by))
            .await?;
        target.put(&facts, &page, |view| StockTakeLine {
            take: &take,
            view,
            people: &people,
        })?;
        Ok(true)
    }

    async fn write_order(
        &self,
        order: InventoryOrderId,
        filter: &InventoryOrderItemFilter,
        target: &mut Target<'_>,
    ) -> Result<bool, Error> {
        let header = self
            .repository
            .inventory_order(target.organisation, order)
            .await?;
        let Some(order) = header
            .map(|read| read.value)
            .filter(|order| order.state() != InventoryOrderState::Removed)
        else {
            return Ok(false);
        };
        let page = self
            .repository
            .inventory_order_items(target.organisation, order.id(), filter, &target.page())
            .await?;
        let number = order.purchase_order_number().map(ToString::to_string);
        let facts = target.facts(
            ("Order", &number.unwrap_or_default()),
            &[
                ("Supplier", words(&order.supplier().name)),
                ("Status", state(&order.state())),
                ("Created (UTC)", Cell::Moment(order.created_at())),
                ("Submitted (UTC)", Cell::moment(order.submitted_at())),
            ],
        );
        target.put(&facts, &page, |item| InventoryOrderLine {
            order: &order,
            item: &item.value,
        })?;
        Ok(true)
    }

    async fn write_count(
        &self,
        count: InventoryCountId,
        filter: &InventoryCountItemFilter,
        target: &mut Target<'_>,
    ) -> Result<bool, Error> {
        let header = self
            .repository
            .inventory_count(target.organisation, count)
            .await?;
        let Some(count) = header.map(|read| read.value) else {
            return Ok(false);
        };
        let page = self
            .repository
            .inventory_count_items(target.organisation, count.id(), filter, &target.page())
            .await?;
        let facts = target.facts(
            ("Inventory count", &count.details().name),
            &[
                ("Status", state(&count.state())),
                ("Started (UTC)", Cell::Moment(count.started_at())),
                ("Started by", words(&count.started_by().shown_name())),
                ("Completed (UTC)", Cell::moment(count.completed_at())),
            ],
        );
        let known = [Some(count.started_by()), count.completed_by()];
        let whose = (target.organisation, target.style);
        let counted = page.items.iter().map(|item| item.value.counted.by);
        let people = self.people_shown(whose, known, counted).await?;
        target.put(&facts, &page, |item| InventoryCountLine {
            count: &count,
            item: &item.value,
            people: &people,
        })?;
        Ok(true)
    }

    async fn write_adjustments(
        &self,
        filter: &StockAdjustmentFilter,
        target: &mut Target<'_>,
    ) -> Result<bool, Error> {
        let page = self
            .repository
            .stock_adjustments(target.organisation, target.site.id, filter, &target.page())
            .await?;
        let ids = page.items.iter().map(|read| read.value.key().product);
        let products = self.products_shown(target.organisation, ids).await?;
        let facts = target.facts(
            ("Stock adjustments", &target.site.name),
            &[
                ("From (UTC)", Cell::moment(filter.from)),
                ("To (UTC)", Cell::moment(filter.to)),
            ],
        );
        target.put(&facts, &page, |read| StockAdjustmentLine {
            adjustment: &read.value,
            product: products.get(&read.value.key().product).map(AsRef::as_ref),
        })?;
        Ok(true)
    }

    async fn write_levels(
        &self,
        filter: &LevelFilter,
        target: &mut Target<'_>,
    ) -> Result<bool, Error> {
        let page = self
            .repository
            .levels_page(target.organisation, target.site.id, filter, &target.page())
            .await?;
        let ids = page.items.iter().map(|read| read.value.key().product);
        let products = self.products_shown(target.organisation, ids).await?;
        let facts = target.facts(("Stock levels", &target.site.name), &[]);
        let currency = target.site.currency;
        target.put(&facts, &page, |read| StockLevelLine {
            level: &read.value,
            product: products.get(&read.value.key().product).map(AsRef::as_ref),
            currency,
        })?;
        Ok(true)
    }

    /// Looks through the ledger for events that are wanted.
    async fn write_events(
        &self,
        filter: &StockEventFilter,
        target: &mut Target<'_>,
    ) -> Result<bool, Error> {
        let begun = target.reading.after.clone();
        let begins = begun.is_none();
        let mut position: u64 = begun.and_then(|after| after.parse().ok()).unwrap_or(0);
        let mut found: Vec<LedgerEntry> = Vec::new();
        let mut is_over = false;
        for _ in 0..LEDGER_PAGES {
            let entries = self
                .repository
                .ledger(target.organisation, target.site.id, position, CHUNK)
                .await?;
            is_over = entries.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
            position = entries.last().map_or(position, |entry| entry.position);
            found.extend(entries.into_iter().filter(|it| filter.matches(&it.event)));
            if is_over || !found.is_empty() {
                break;
            }
        }
        let ids = found.iter().map(|entry| entry.event.key.product);
        let products = self.products_shown(target.organisation, ids).await?;
        let facts = target.facts(
            ("Stock movements", &target.site.name),
            &[
                ("From (UTC)", Cell::moment(filter.from)),
                ("To (UTC)", Cell::moment(filter.to)),
            ],
        );
        let whose = (target.organisation, target.style);
        let recorded = found.iter().map(|entry| entry.event.recorded_by);
        let people = self.people_shown(whose, [], recorded).await?;
        let currency = target.site.currency;
        let line = |entry| StockEventLine {
            entry,
            product: products.get(&entry.event.key.product).map(AsRef::as_ref),
            currency,
            people: &people,
        };
        let after = (!is_over).then(|| position.to_string());
        target.put_all(begins, &facts, &found, line, after)?;
        Ok(true)
    }

    /// What people are called, for lines that name them: those that the document names, then those whom the host names.
    async fn people_shown<'u>(
        &self,
        (organisation, style): (OrganisationId, ExportStyle),
        known: impl IntoIterator<Item = Option<&'u UserSummary>>,
        users: impl Iterator<Item = UserId>,
    ) -> Result<BTreeMap<UserId, String>, Error> {
        if style == ExportStyle::Machines {
            return Ok(BTreeMap::new());
        }
        let known = known.into_iter().flatten();
        let mut people: BTreeMap<UserId, String> =
            known.map(|user| (user.id, user.shown_name())).collect();
        let unknown = users.filter(|user| !people.contains_key(user)).collect();
        people.extend(self.names_of(organisation, &unknown).await?);
        Ok(people)
    }

    /// The products of some lines.
    async fn products_shown(
        &self,
        organisation: OrganisationId,
        ids: impl Iterator<Item = ProductId>,
    ) -> Result<HashMap<ProductId, Arc<Product>>, Error> {
        let ids: BTreeSet<ProductId> = ids.collect();
        let ids: Vec<ProductId> = ids.into_iter().collect();
        let read = self.repository.products(organisation, &ids).await?;
        let known = read.into_iter().flatten();
        Ok(known.map(|read| (read.value.id, read.value)).collect())
    }
}

impl Target<'_> {
    /// The page that comes next.
    fn page(&self) -> PageRequest {
        let after = self.reading.after.clone();
        PageRequest {
            start: after.map_or(PageStart::First, |after| {
                PageStart::After(Cursor::from(after))
            }),
            limit: CHUNK,
            with_total: self.reading.after.is_none(),
            reversed: false,
        }
    }

    /// What stands above a table for people.
    fn facts(
        &self,
        (title, name): (&'static str, &impl ToString),
        more: &[(&'static str, Cell<'static>)],
    ) -> Facts {
        let currency = self.site.currency.to_string().to_uppercase();
        let mut facts = vec![
            (title, words(name)),
            ("Site", words(&self.site.name)),
            ("Currency", words(&currency)),
        ];
        let known = more.iter().filter(|(_, fact)| *fact != Cell::Empty);
        facts.extend(known.cloned());
        facts
    }

    /// Writes a page of a list.
    fn put<'p, T, L: Line>(
        &mut self,
        facts: &Facts,
        page: &'p Page<T>,
        line: impl Fn(&'p T) -> L,
    ) -> Result<(), Error> {
        let begins = self.reading.after.is_none();
        if begins {
            self.reading.total = page.total;
        }
        let next = page.next.as_ref().map(|next| next.as_str().to_owned());
        self.put_all(begins, facts, &page.items, line, next)
    }

    /// Writes lines, the first ones with what comes before, the last ones with what comes after.
    fn put_all<'p, T, L: Line>(
        &mut self,
        begins: bool,
        facts: &Facts,
        lines: &'p [T],
        line: impl Fn(&'p T) -> L,
        after: Option<String>,
    ) -> Result<(), Error> {
        let table = Table::new(self.style, self.site.currency);
        let Self { reading, out, .. } = self;
        if begins {
            table.begin(facts, *out)?;
        }
        for it in lines {
            table.line(&line(it), &mut reading.sums, *out)?;
        }
        let added = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        reading.lines = reading.lines.saturating_add(added);
        reading.is_over = after.is_none();
        if reading.is_over {
            table.end(&reading.sums, *out)?;
        }
        reading.after = after;
        Ok(())
    }
}

/// Where a document stands, in the words of people instead of those of the wire.
fn state(state: &impl ToString) -> Cell<'static> {
    words(&state.to_string().to_lowercase().replace('_', " "))
}

/// A fact in words.
fn words(fact: &impl ToString) -> Cell<'static> {
    Cell::Text(fact.to_string().into())
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        match error {
            TableError::TooManyRows { limit } => Self::TooLarge {
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
            },
            TableError::Unwritable(_) => Self::Store(
                StoreError::new(StoreErrorKind::Unavailable, "write_file").because(error),
            ),
        }
    }
}
