//! Inventory counts and their lines.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::documents::{Document, Documents, Wanted, states_asked_for};
use super::merged::{Course, Walk};
use super::stock::count;
use super::table::{Row, Table};
use crate::domain::{
    CountTotals, InventoryCount, InventoryCountEntry, InventoryCountId, InventoryCountItem,
    InventoryCountItemId, InventoryCountState, OrganisationId, SiteId, Timestamp,
};
use crate::store::{
    InventoryCountFilter, InventoryCountItemFilter, List, OpenCount, Page, PageRequest, StoreError,
    StoreErrorKind,
};

/// The inventory counts of an organisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) headers: Documents<InventoryCount>,
    /// The mark of each site's count in progress.
    pub(super) open: Table<SiteId, OpenCount>,
    lines: HashMap<InventoryCountId, CountLines>,
}

/// The lines of a count. None is ever deleted.
#[derive(Clone, Debug, Default)]
struct CountLines {
    rows: Table<InventoryCountItemId, InventoryCountItem>,
    all: BTreeSet<Place>,
    /// Lines with a variance.
    discrepancies: BTreeSet<Place>,
    /// Lines that are flagged for review.
    significant: BTreeSet<Place>,
    sums: CountSums,
    /// Kept for good (R7).
    entries: HashMap<InventoryCountItemId, Vec<Arc<InventoryCountEntry>>>,
}

/// Where a line stands in its count: those that were counted first come first.
type Place = (Timestamp, InventoryCountItemId);

fn place(item: &InventoryCountItem) -> Place {
    (item.created_at, item.id)
}

/// Running totals of lines, wide enough for the sum of 2^64 of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CountSums {
    items: u64,
    discrepancies: u64,
    missing_minor: i128,
    excess_minor: i128,
}

impl Document for InventoryCount {
    type Id = InventoryCountId;
    type Scope = (SiteId, InventoryCountState);

    fn id(&self) -> InventoryCountId {
        Self::id(self)
    }

    fn began_at(&self) -> Timestamp {
        self.started_at()
    }

    fn scopes(&self) -> impl Iterator<Item = Self::Scope> {
        std::iter::once((self.site(), self.state()))
    }
}

impl Counts {
    /// A page of a site's counts.
    pub(super) fn of_site(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &InventoryCountFilter,
        request: &PageRequest,
    ) -> Result<Page<Row<InventoryCount>>, StoreError> {
        let scope = format_args!("{organisation}/{site}");
        let list = List::new("inventory_counts", scope, filter);
        let InventoryCountFilter { states, from, to } = filter;
        let states = states_asked_for(states, InventoryCountState::ALL, |_| false);
        let wanted = Wanted {
            scopes: states.into_iter().map(|state| (site, state)).collect(),
            from: *from,
            to: *to,
            keep: None,
        };
        self.headers.page(list, &wanted, request)
    }

    pub(super) fn line(
        &self,
        count: InventoryCountId,
        id: InventoryCountItemId,
    ) -> Option<&Row<InventoryCountItem>> {
        self.lines.get(&count)?.rows.get(id)
    }

    /// Creates or replaces a line.
    pub(super) fn put_line(&mut self, item: &InventoryCountItem) {
        self.lines.entry(item.count).or_default().put(item);
    }

    pub(super) fn add_entry(&mut self, entry: &InventoryCountEntry) {
        let lines = self.lines.entry(entry.count).or_default();
        let entries = lines.entries.entry(entry.item).or_default();
        entries.push(Arc::new(entry.clone()));
    }

    pub(super) fn entries(
        &self,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> &[Arc<InventoryCountEntry>] {
        let lines = self.lines.get(&count);
        lines
            .and_then(|lines| lines.entries.get(&item))
            .map_or(&[], Vec::as_slice)
    }

    /// A page of a count's lines; none of a count that is not there.
    pub(super) fn lines_page(
        &self,
        organisation: OrganisationId,
        id: InventoryCountId,
        filter: InventoryCountItemFilter,
        request: &PageRequest,
    ) -> Result<Page<Row<InventoryCountItem>>, StoreError> {
        let scope = format_args!("{organisation}/{id}");
        let list = List::new("inventory_count_items", scope, &filter);
        let after = list.after::<Place>(request, |_| true)?;
        let none = CountLines::default();
        let lines = self.lines.get(&id).unwrap_or(&none);
        let from = Course::after(after, request.reversed);
        let rows = lines
            .matching(filter, &from)
            .filter_map(|place| lines.rows.get(place.1).map(|row| (place, row.clone())));
        let total = request.with_total.then(|| lines.count(filter));
        Ok(list.page(request, rows, total))
    }

    /// The totals that are kept of a count's lines, and theirs, for people to read.
    pub(super) fn kept_and_due(&self, id: InventoryCountId) -> Option<(String, String)> {
        let lines = self.lines.get(&id)?;
        Some((format!("{:?}", lines.sums), format!("{:?}", lines.summed())))
    }

    /// Makes the totals of a count's lines anew.
    pub(super) fn sum_up(&mut self, id: InventoryCountId) {
        if let Some(lines) = self.lines.get_mut(&id) {
            lines.sums = lines.summed();
        }
    }

    /// The totals of a count's lines (R11).
    pub(super) fn totals(&self, id: InventoryCountId) -> Result<CountTotals, StoreError> {
        let lines = self.lines.get(&id);
        lines.map_or_else(|| Ok(CountTotals::default()), |lines| lines.sums.totals())
    }
}

impl CountLines {
    fn summed(&self) -> CountSums {
        let mut sums = CountSums::default();
        for row in self.all.iter().filter_map(|place| self.rows.get(place.1)) {
            sums.add(&row.value);
        }
        sums
    }

    fn put(&mut self, item: &InventoryCountItem) {
        if let Some(before) = self.rows.put(item.id, Arc::new(item.clone())) {
            self.sums.remove(&before);
            let was_at = place(&before);
            for places in [
                &mut self.all,
                &mut self.discrepancies,
                &mut self.significant,
            ] {
                places.remove(&was_at);
            }
        }
        self.sums.add(item);
        self.all.insert(place(item));
        if item.variance.is_discrepancy() {
            self.discrepancies.insert(place(item));
        }
        if item.significant {
            self.significant.insert(place(item));
        }
    }

    /// The smallest set that a filter leaves to look at, and the one that its places must be in as well.
    fn candidates(
        &self,
        filter: InventoryCountItemFilter,
    ) -> (&BTreeSet<Place>, Option<&BTreeSet<Place>>) {
        let InventoryCountItemFilter {
            discrepancies,
            significant,
        } = filter;
        match (discrepancies, significant) {
            (false, false) => (&self.all, None),
            (true, false) => (&self.discrepancies, None),
            (false, true) => (&self.significant, None),
            (true, true) if self.discrepancies.len() < self.significant.len() => {
                (&self.discrepancies, Some(&self.significant))
            }
            (true, true) => (&self.significant, Some(&self.discrepancies)),
        }
    }

    fn matching(
        &self,
        filter: InventoryCountItemFilter,
        from: &Course<Place>,
    ) -> impl Iterator<Item = &Place> + use<'_> {
        let (places, others) = self.candidates(filter);
        Walk::of(places, from)
            .filter(move |place| others.is_none_or(|others| others.contains(place)))
    }

    fn count(&self, filter: InventoryCountItemFilter) -> u64 {
        match self.candidates(filter) {
            (places, None) => u64::try_from(places.len()).unwrap_or(u64::MAX),
            (_, Some(_)) => count(self.matching(filter, &Course::after(None, false))),
        }
    }
}

impl CountSums {
    fn add(&mut self, item: &InventoryCountItem) {
        let variance = &item.variance;
        let Self {
            items,
            discrepancies,
            missing_minor,
            excess_minor,
        } = self;
        *items = items.saturating_add(1);
        *discrepancies = discrepancies.saturating_add(u64::from(variance.is_discrepancy()));
        *missing_minor = missing_minor.saturating_add(i128::from(variance.missing_minor()));
        *excess_minor = excess_minor.saturating_add(i128::from(variance.excess_minor()));
    }

    fn remove(&mut self, item: &InventoryCountItem) {
        let variance = &item.variance;
        let Self {
            items,
            discrepancies,
            missing_minor,
            excess_minor,
        } = self;
        *items = items.saturating_sub(1);
        *discrepancies = discrepancies.saturating_sub(u64::from(variance.is_discrepancy()));
        *missing_minor = missing_minor.saturating_sub(i128::from(variance.missing_minor()));
        *excess_minor = excess_minor.saturating_sub(i128::from(variance.excess_minor()));
    }

    /// The totals to hand out.
    fn totals(&self) -> Result<CountTotals, StoreError> {
        let corrupt = || StoreError::new(StoreErrorKind::Corrupt, "inventory_count_totals");
        CountTotals::new(
            self.items,
            self.discrepancies,
            self.missing_minor,
            self.excess_minor,
        )
        .map_err(|cause| corrupt().because(cause))
    }
}
