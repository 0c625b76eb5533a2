//! The lines of one take, with the indexes that lists and totals go by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::merged::{Course, Merged, Walk};
use super::table::Row;
use crate::domain::{
    BrandId, CategoryId, Code, CountEntry, Product, StockTakeItem, StockTakeItemId, SupplierId,
};
use crate::store::{Mark, Position, StockTakeItemFilter, TakeSums, Tokens, Version, Versioned};

/// A line as it is read.
pub(super) type Line = Row<StockTakeItem>;

/// A line and its place.
pub(super) type Placed<'a> = (&'a Place, &'a Line);

/// Where a line stands in its take. Lines have numbers of their own; the id makes the order total whatever
/// is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    line: u64,
    id: StockTakeItemId,
}

impl Place {
    const FIRST: Self = Self {
        line: 0,
        id: StockTakeItemId::new(uuid::Uuid::nil()),
    };
    const LAST: Self = Self {
        line: u64::MAX,
        id: StockTakeItemId::new(uuid::Uuid::max()),
    };

    fn of(item: &StockTakeItem) -> Self {
        Self {
            line: item.line,
            id: item.id,
        }
    }
}

impl Position for Place {
    fn write(&self, mark: &mut Mark) {
        mark.plain(self.line);
        mark.plain(self.id);
    }

    fn read(tokens: &mut Tokens<'_>) -> Option<Self> {
        Some(Self {
            line: tokens.plain()?,
            id: tokens.plain()?,
        })
    }
}

/// The lines of a take.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    rows: BTreeMap<Place, Line>,
    numbers: HashMap<StockTakeItemId, u64>,
    /// The highest version that a line had when it was deleted: lines begin above it (R3).
    retired: Option<Version>,
    /// Kept for good, also of lines that were deleted (R7).
    entries: HashMap<StockTakeItemId, Vec<Arc<CountEntry>>>,
    sums: TakeSums,
    brands: Groups<BrandId>,
    categories: Groups<CategoryId>,
    suppliers: Groups<SupplierId>,
    /// By article id; there are about as many articles as lines, so these have no totals.
    articles: BTreeSet<(Code, Place)>,
    /// Lines that wait to be posted again or dismissed.
    left_over: BTreeSet<Place>,
    /// By the number of the commit that changed them last (R19).
    changed: BTreeSet<(u64, Place)>,
    changed_by: HashMap<StockTakeItemId, u64>,
}

/// Lines by something of their product.
#[derive(Clone, Debug)]
struct Groups<Id>(BTreeMap<Id, Group>);

#[derive(Clone, Debug, Default)]
struct Group {
    places: BTreeSet<Place>,
    sums: TakeSums,
}

impl<Id> Default for Groups<Id> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Id: Ord> Groups<Id> {
    fn add(&mut self, id: Id, place: Place, line: &Line) {
        let group = self.0.entry(id).or_default();
        if group.places.insert(place) {
            group.sums.add(line.version, &line.value);
        }
    }

    fn remove(&mut self, id: &Id, place: &Place, line: &Line) {
        let Some(group) = self.0.get_mut(id) else {
            return;
        };
        if group.places.remove(place) {
            group.sums.remove(line.version, &line.value);
        }
        if group.places.is_empty() {
            self.0.remove(id);
        }
    }

    fn replace(&mut self, id: &Id, before: &Line, after: &Line) {
        if let Some(group) = self.0.get_mut(id) {
            group.sums.remove(before.version, &before.value);
            group.sums.add(after.version, &after.value);
        }
    }

    fn of<'a>(&'a self, ids: &'a BTreeSet<Id>) -> impl Iterator<Item = &'a Group> {
        ids.iter().filter_map(|id| self.0.get(id))
    }

    fn sums(&self, ids: &BTreeSet<Id>) -> TakeSums {
        self.of(ids)
            .fold(TakeSums::default(), |sums, group| sums.and(&group.sums))
    }

    fn narrowed<'a>(&'a self, ids: &'a BTreeSet<Id>) -> Option<Narrowed<'a>> {
        (!ids.is_empty()).then(|| Narrowed {
            lines: self.sums(ids).lines(),
            groups: self.of(ids).map(|group| &group.places).collect(),
        })
    }
}

/// What a set of ids leaves to look at.
struct Narrowed<'a> {
    lines: u64,
    groups: Vec<&'a BTreeSet<Place>>,
}

impl Lines {
    pub(super) fn get(&self, id: StockTakeItemId) -> Option<&Line> {
        let line = *self.numbers.get(&id)?;
        self.rows.get(&Place { line, id })
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

    /// Creates or replaces a line, in the commit of a number.
    pub(super) fn put(&mut self, commit: u64, item: &StockTakeItem) {
        let place = Place::of(item);
        self.forget_change(item.id);
        self.changed.insert((commit, place));
        self.changed_by.insert(item.id, commit);
        let item = Arc::new(item.clone());
        if let Some(row) = self.rows.get_mut(&place)
            && is_grouped_alike(&row.value.product, &item.product)
        {
            let after = Versioned {
                version: row.version.next(),
                value: item,
            };
            let before = std::mem::replace(row, after.clone());
            self.recount(place, &before, &after);
            return;
        }
        let before = self.take_out(item.id).map(|row| row.version);
        let version = before
            .or(self.retired)
            .map_or(Version::FIRST, Version::next);
        self.numbers.insert(item.id, item.line);
        let line = Versioned {
            version,
            value: item,
        };
        self.index(place, &line);
        self.rows.insert(place, line);
    }

    /// Deletes a line.
    pub(super) fn delete(&mut self, id: StockTakeItemId) {
        self.forget_change(id);
        if let Some(row) = self.take_out(id) {
            self.retired = self.retired.max(Some(row.version));
        }
    }

    /// The totals that are kept, and those of the lines, for people to read.
    pub(super) fn kept_and_due(&self) -> (String, String) {
        (format!("{:?}", self.sums), format!("{:?}", self.summed()))
    }

    /// Makes the totals of the lines anew.
    pub(super) fn sum_up(&mut self) {
        self.sums = self.summed();
    }

    fn summed(&self) -> TakeSums {
        let mut sums = TakeSums::default();
        for line in self.rows.values() {
            sums.add(line.version, &line.value);
        }
        sums
    }

    fn forget_change(&mut self, id: StockTakeItemId) {
        if let Some(commit) = self.changed_by.remove(&id)
            && let Some(line) = self.numbers.get(&id)
        {
            self.changed.remove(&(commit, Place { line: *line, id }));
        }
    }

    fn take_out(&mut self, id: StockTakeItemId) -> Option<Line> {
        let number = self.numbers.remove(&id)?;
        let place = Place { line: number, id };
        let line = self.rows.remove(&place)?;
        self.sums.remove(line.version, &line.value);
        let product = line.value.product.as_ref();
        if let Some(brand) = &product.brand {
            self.brands.remove(&brand.id, &place, &line);
        }
        if let Some(category) = &product.category {
            self.categories.remove(&category.id, &place, &line);
        }
        for supplier in suppliers(product) {
            self.suppliers.remove(&supplier, &place, &line);
        }
        self.articles.remove(&(product.article_id.clone(), place));
        self.left_over.remove(&place);
        Some(line)
    }

    fn index(&mut self, place: Place, line: &Line) {
        self.sums.add(line.version, &line.value);
        let product = line.value.product.as_ref();
        if let Some(brand) = &product.brand {
            self.brands.add(brand.id, place, line);
        }
        if let Some(category) = &product.category {
            self.categories.add(category.id, place, line);
        }
        for supplier in suppliers(product) {
            self.suppliers.add(supplier, place, line);
        }
        self.articles.insert((product.article_id.clone(), place));
        self.mark_left_over(place, &line.value);
    }

    /// A line changed, but not its place or its product's groups.
    fn recount(&mut self, place: Place, before: &Line, after: &Line) {
        self.sums.remove(before.version, &before.value);
        self.sums.add(after.version, &after.value);
        let product = after.value.product.as_ref();
        if let Some(brand) = &product.brand {
            self.brands.replace(&brand.id, before, after);
        }
        if let Some(category) = &product.category {
            self.categories.replace(&category.id, before, after);
        }
        for supplier in suppliers(product) {
            self.suppliers.replace(&supplier, before, after);
        }
        if before.value.is_left_over() != after.value.is_left_over() {
            self.mark_left_over(place, &after.value);
        }
    }

    fn mark_left_over(&mut self, place: Place, item: &StockTakeItem) {
        if item.is_left_over() {
            self.left_over.insert(place);
        } else {
            self.left_over.remove(&place);
        }
    }

    /// The lines that a filter lets through, from a place on.
    pub(super) fn matching<'a>(
        &'a self,
        filter: &'a StockTakeItemFilter,
        from: Course<Place>,
    ) -> impl Iterator<Item = Placed<'a>> {
        self.candidates(filter, from)
            .filter(|(_, line)| filter.matches(&line.value))
    }

    /// The lines that a filter lets through and that were changed by a commit of this number or a higher one, in no
    /// order.
    pub(super) fn changed<'a>(
        &'a self,
        filter: &'a StockTakeItemFilter,
        from: u64,
    ) -> impl Iterator<Item = Placed<'a>> {
        let changed = self.changed.range((from, Place::FIRST)..);
        self.at(changed.map(|(_, place)| place))
            .filter(|(_, line)| filter.matches(&line.value))
    }

    /// The lines that the best index for a filter leaves to look at, from a place on.
    fn candidates<'a>(
        &'a self,
        filter: &'a StockTakeItemFilter,
        from: Course<Place>,
    ) -> Box<dyn Iterator<Item = Placed<'a>> + 'a> {
        let from = match from {
            Course::Up(Bound::Unbounded) => Course::Up(Bound::Included(Place::FIRST)),
            Course::Down(Bound::Unbounded) => Course::Down(Bound::Included(Place::LAST)),
            from @ (Course::Up(_) | Course::Down(_)) => from,
        };
        if let Some(article) = &filter.article {
            let from = from.map(|place| (article.clone(), place));
            let places = Walk::of(&self.articles, &from)
                .take_while(move |(code, _)| code == article)
                .map(|(_, place)| place);
            return Box::new(self.at(places));
        }
        if filter.left_over {
            return Box::new(self.at(Walk::of(&self.left_over, &from)));
        }
        let narrowed = [
            self.brands.narrowed(&filter.brands),
            self.categories.narrowed(&filter.categories),
            self.suppliers.narrowed(&filter.suppliers),
        ];
        let smallest = narrowed.into_iter().flatten().min_by_key(|it| it.lines);
        match smallest {
            Some(narrowed) => Box::new(self.at(Merged::of(narrowed.groups, &from))),
            None => match from {
                Course::Up(begin) => Box::new(self.rows.range((begin, Bound::Unbounded))),
                Course::Down(end) => Box::new(self.rows.range((Bound::Unbounded, end)).rev()),
            },
        }
    }

    fn at<'a>(
        &'a self,
        places: impl Iterator<Item = &'a Place> + 'a,
    ) -> impl Iterator<Item = Placed<'a>> + 'a {
        places.filter_map(|place| self.rows.get_key_value(place))
    }

    /// The totals of the lines that a filter lets through (R11).
    pub(super) fn sums(&self, filter: &StockTakeItemFilter) -> TakeSums {
        self.kept_sums(filter).unwrap_or_else(|| {
            let mut sums = TakeSums::default();
            for (_, line) in self.matching(filter, Course::after(None, false)) {
                sums.add(line.version, &line.value);
            }
            sums
        })
    }

    /// The totals that are kept for a filter: of all lines, or of groups that don't overlap.
    fn kept_sums(&self, filter: &StockTakeItemFilter) -> Option<TakeSums> {
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
