//! The lines of one take, with the indexes that lists and totals go by.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::filters::{is_left_over, lets_through};
use super::groups::{Groups, Merged, Slot};
use super::sums::Sums;
use crate::domain::{
    BrandId, CategoryId, Code, CountEntry, Product, StockTakeItem, StockTakeItemId, SupplierId,
};
use crate::store::{StockTakeItemFilter, Version, Versioned};

/// A line as it is read.
pub(super) type Line = Versioned<Arc<StockTakeItem>>;

/// A line and its slot.
pub(super) type Slotted<'a> = (&'a Slot, &'a Line);

/// The lines of a take.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rows: BTreeMap<Slot, Line>,
    numbers: BTreeMap<StockTakeItemId, u64>,
    /// The last versions of lines that were deleted (R3).
    gone: BTreeMap<StockTakeItemId, Version>,
    /// Kept for good, also of lines that were deleted (R7).
    entries: BTreeMap<StockTakeItemId, Vec<Arc<CountEntry>>>,
    sums: Sums,
    brands: Groups<BrandId>,
    categories: Groups<CategoryId>,
    suppliers: Groups<SupplierId>,
    /// By article id; there are about as many articles as lines, so these have no totals.
    articles: BTreeSet<(Code, Slot)>,
    /// Lines that wait to be posted again or dismissed.
    left_over: BTreeSet<Slot>,
}

impl Lines {
    pub(super) fn get(&self, id: StockTakeItemId) -> Option<&Line> {
        let line = *self.numbers.get(&id)?;
        self.rows.get(&Slot { line, id })
    }

    pub(super) fn entries(&self, id: StockTakeItemId) -> &[Arc<CountEntry>] {
        self.entries.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn add_entry(&mut self, entry: &CountEntry) {
        self.entries
            .entry(entry.item)
            .or_default()
            .push(Arc::new(entry.clone()));
    }

    /// Creates or replaces a line.
    pub(super) fn put(&mut self, item: &StockTakeItem) {
        let slot = Slot::of(item);
        let item = Arc::new(item.clone());
        if let Some(row) = self.rows.get_mut(&slot)
            && is_grouped_alike(&row.value.product, &item.product)
        {
            row.version = row.version.next();
            let before = std::mem::replace(&mut row.value, Arc::clone(&item));
            self.recount(slot, &before, &item);
            return;
        }
        let before = self.take_out(item.id).map(|row| row.version);
        let version = before
            .or(self.gone.remove(&item.id))
            .map_or(Version::FIRST, Version::next);
        self.index(slot, &item);
        self.numbers.insert(item.id, item.line);
        self.rows.insert(
            slot,
            Versioned {
                version,
                value: item,
            },
        );
    }

    /// Deletes a line, and remembers its version.
    pub(super) fn delete(&mut self, id: StockTakeItemId) {
        if let Some(row) = self.take_out(id) {
            self.gone.insert(id, row.version);
        }
    }

    fn take_out(&mut self, id: StockTakeItemId) -> Option<Line> {
        let line = self.numbers.remove(&id)?;
        let slot = Slot { line, id };
        let row = self.rows.remove(&slot)?;
        let item = &row.value;
        self.sums.remove(item);
        let product = item.product.as_ref();
        if let Some(brand) = &product.brand {
            self.brands.remove(&brand.id, &slot, item);
        }
        if let Some(category) = &product.category {
            self.categories.remove(&category.id, &slot, item);
        }
        for supplier in suppliers(product) {
            self.suppliers.remove(&supplier, &slot, item);
        }
        self.articles.remove(&(product.article_id.clone(), slot));
        self.left_over.remove(&slot);
        Some(row)
    }

    fn index(&mut self, slot: Slot, item: &StockTakeItem) {
        self.sums.add(item);
        let product = item.product.as_ref();
        if let Some(brand) = &product.brand {
            self.brands.add(brand.id, slot, item);
        }
        if let Some(category) = &product.category {
            self.categories.add(category.id, slot, item);
        }
        for supplier in suppliers(product) {
            self.suppliers.add(supplier, slot, item);
        }
        self.articles.insert((product.article_id.clone(), slot));
        self.mark_left_over(slot, item);
    }

    /// A line changed, but not its slot or its product's groups.
    fn recount(&mut self, slot: Slot, before: &StockTakeItem, after: &StockTakeItem) {
        self.sums.replace(before, after);
        let product = after.product.as_ref();
        if let Some(brand) = &product.brand {
            self.brands.replace(&brand.id, before, after);
        }
        if let Some(category) = &product.category {
            self.categories.replace(&category.id, before, after);
        }
        for supplier in suppliers(product) {
            self.suppliers.replace(&supplier, before, after);
        }
        if is_left_over(before) != is_left_over(after) {
            self.mark_left_over(slot, after);
        }
    }

    fn mark_left_over(&mut self, slot: Slot, item: &StockTakeItem) {
        if is_left_over(item) {
            self.left_over.insert(slot);
        } else {
            self.left_over.remove(&slot);
        }
    }

    /// The lines that a filter lets through, after a slot, in the order of slots.
    pub(super) fn matching<'a>(
        &'a self,
        filter: &'a StockTakeItemFilter,
        after: Option<Slot>,
    ) -> impl Iterator<Item = Slotted<'a>> {
        self.candidates(filter, after)
            .filter(|(_, line)| lets_through(filter, &line.value))
    }

    /// The lines that the best index for a filter leaves to look at, in the order of slots.
    fn candidates<'a>(
        &'a self,
        filter: &'a StockTakeItemFilter,
        after: Option<Slot>,
    ) -> Box<dyn Iterator<Item = Slotted<'a>> + 'a> {
        let begin = after.map_or(Bound::Included(Slot::FIRST), Bound::Excluded);
        if let Some(article) = &filter.article {
            let begin = begin.map(|slot| (article.clone(), slot));
            let slots = self
                .articles
                .range((begin, Bound::Unbounded))
                .take_while(move |(code, _)| code == article)
                .map(|(_, slot)| slot);
            return Box::new(self.at(slots));
        }
        if filter.left_over {
            let slots = self.left_over.range((begin, Bound::Unbounded));
            return Box::new(self.at(slots));
        }
        let narrowed = [
            self.brands.narrowed(&filter.brands),
            self.categories.narrowed(&filter.categories),
            self.suppliers.narrowed(&filter.suppliers),
        ];
        let smallest = narrowed.into_iter().flatten().min_by_key(|it| it.lines);
        match smallest {
            Some(narrowed) => Box::new(self.at(Merged::of(narrowed.groups, begin))),
            None => Box::new(self.rows.range((begin, Bound::Unbounded))),
        }
    }

    fn at<'a>(
        &'a self,
        slots: impl Iterator<Item = &'a Slot> + 'a,
    ) -> impl Iterator<Item = Slotted<'a>> + 'a {
        slots.filter_map(|slot| self.rows.get_key_value(slot))
    }

    /// The totals of the lines that a filter lets through (R11).
    pub(super) fn sums(&self, filter: &StockTakeItemFilter) -> Sums {
        self.kept_sums(filter).unwrap_or_else(|| {
            let mut sums = Sums::default();
            for (_, line) in self.matching(filter, None) {
                sums.add(&line.value);
            }
            sums
        })
    }

    /// The totals that are kept for a filter: of all lines, or of groups that don't overlap.
    fn kept_sums(&self, filter: &StockTakeItemFilter) -> Option<Sums> {
        if filter.is_by_status_only() {
            return Some(self.sums.with(filter.status));
        }
        let StockTakeItemFilter {
            brands,
            categories,
            suppliers,
            name: None,
            name_or_barcode: None,
            status,
            changed_after: None,
            place: None,
            article: None,
            batch: None,
            serial: None,
            left_over: false,
        } = filter
        else {
            return None;
        };
        // A line has one brand and one category, but may have many suppliers.
        let sums = match (brands.len(), categories.len(), suppliers.len()) {
            (_, 0, 0) => self.brands.sums(brands),
            (0, _, 0) => self.categories.sums(categories),
            (0, 0, 1) => self.suppliers.sums(suppliers),
            (_, _, _) => return None,
        };
        Some(sums.with(*status))
    }
}

/// A product's suppliers, each once.
fn suppliers(product: &Product) -> impl Iterator<Item = SupplierId> {
    let all = &product.suppliers;
    all.iter().enumerate().filter_map(move |(nth, supplier)| {
        let is_first = all
            .iter()
            .take(nth)
            .all(|earlier| earlier.id != supplier.id);
        is_first.then_some(supplier.id)
    })
}

/// Whether two products belong to the same groups.
fn is_grouped_alike(a: &Arc<Product>, b: &Arc<Product>) -> bool {
    Arc::ptr_eq(a, b)
        || a.article_id == b.article_id
            && a.brand.as_ref().map(|brand| brand.id) == b.brand.as_ref().map(|brand| brand.id)
            && a.category.as_ref().map(|category| category.id)
                == b.category.as_ref().map(|category| category.id)
            && suppliers(a).eq(suppliers(b))
}
