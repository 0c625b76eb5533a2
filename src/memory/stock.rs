//! Levels and the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::table::Row;
use crate::domain::{
    LedgerEntry, OrganisationId, ProductId, SiteId, StockEvent, StockEventId, StockKey, StockLevel,
};
use crate::store::{LevelFilter, List, Page, PageRequest, StoreError, Version, Versioned};

/// A level as it is read.
pub(super) type Level = Row<StockLevel>;

/// The stock of an organisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Stock {
    /// By key; a site's keys stand together.
    keys: BTreeMap<StockKey, Kept>,
    /// By site; the event at index 0 has position 1.
    ledgers: BTreeMap<SiteId, Vec<Arc<StockEvent>>>,
    /// By id, with the position.
    events: HashMap<StockEventId, (u64, Arc<StockEvent>)>,
}

/// What is kept of a key.
#[derive(Clone, Debug, Default)]
struct Kept {
    level: Option<Level>,
    /// The number of the commit that wrote the level last (R19).
    changed: u64,
    /// In the order of their sequences.
    events: Vec<Arc<StockEvent>>,
}

impl Stock {
    pub(super) fn level(&self, key: &StockKey) -> Option<&Level> {
        self.keys.get(key)?.level.as_ref()
    }

    /// The number of the commit that wrote a level last.
    pub(super) fn level_changed(&self, key: &StockKey) -> u64 {
        self.keys.get(key).map_or(0, |kept| kept.changed)
    }

    /// The level of a key that is kept on stock.
    pub(super) fn stocked(&self, key: &StockKey) -> Option<&StockLevel> {
        self.level(key)
            .map(|level| level.value.as_ref())
            .filter(|level| level.is_stocked())
    }

    /// A site's levels in the order of their keys: all, or those of some products.
    pub(super) fn levels_of<'a>(
        &'a self,
        site: SiteId,
        products: &'a BTreeSet<ProductId>,
        after: Option<StockKey>,
    ) -> impl Iterator<Item = (&'a StockKey, &'a Level)> {
        let first = ProductId::new(uuid::Uuid::nil());
        let begin = after.as_ref().map_or(first, |after| after.product);
        let all = products.is_empty().then_some(None);
        let some = products.range(begin..).copied().map(Some);
        all.into_iter().chain(some).flat_map(move |product| {
            let begin = StockKey::plain(site, product.unwrap_or(first));
            let begin = match &after {
                Some(after) if *after >= begin => Bound::Excluded(after.clone()),
                Some(_) | None => Bound::Included(begin),
            };
            self.keys
                .range((begin, Bound::Unbounded))
                .take_while(move |(key, _)| {
                    key.site == site && product.is_none_or(|product| key.product == product)
                })
                .filter_map(|(key, kept)| kept.level.as_ref().map(|level| (key, level)))
        })
    }

    pub(super) fn levels_page(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &LevelFilter,
        request: &PageRequest,
    ) -> Result<Page<Level>, StoreError> {
        let list = List::new("levels_page", format_args!("{organisation}/{site}"), filter);
        let after = list.after::<StockKey>(request, |key| key.site == site)?;
        let rows = |after: Option<StockKey>| {
            self.levels_of(site, &filter.products, after)
                .filter(|(_, level)| filter.matches(&level.value))
        };
        let total = request.with_total.then(|| count(rows(None)));
        let page = if request.reversed {
            // Nobody asks for levels so but to look at the end of a short list.
            let before = |it: &(&StockKey, &Level)| after.as_ref().is_none_or(|after| it.0 < after);
            let mut found: Vec<_> = rows(None).take_while(before).collect();
            found.reverse();
            list.page(request, found.into_iter(), total)
        } else {
            list.page(request, rows(after), total)
        };
        Ok(page.map(Clone::clone))
    }

    /// The events of some keys, each after a sequence, by key and sequence.
    pub(super) fn events_after(&self, keys: &[(StockKey, u64)]) -> Vec<Arc<StockEvent>> {
        let mut wanted: Vec<&(StockKey, u64)> = keys.iter().collect();
        wanted.sort_unstable();
        // Of a key that is asked for twice, the longer answer holds the shorter one.
        wanted.dedup_by(|later, earlier| later.0 == earlier.0);
        wanted
            .into_iter()
            .filter_map(|(key, sequence)| {
                let events = &self.keys.get(key)?.events;
                events.get(events.partition_point(|event| event.sequence <= *sequence)..)
            })
            .flatten()
            .cloned()
            .collect()
    }

    pub(super) fn event(&self, id: StockEventId) -> Option<LedgerEntry> {
        self.events.get(&id).map(|(position, event)| LedgerEntry {
            position: *position,
            event: StockEvent::clone(event),
        })
    }

    pub(super) fn has_event(&self, id: StockEventId) -> bool {
        self.events.contains_key(&id)
    }

    /// Whether a key has an event with this sequence.
    pub(super) fn has_sequence(&self, key: &StockKey, sequence: u64) -> bool {
        self.keys.get(key).is_some_and(|kept| {
            kept.events
                .binary_search_by_key(&sequence, |event| event.sequence)
                .is_ok()
        })
    }

    /// A site's events after a position, with their positions.
    pub(super) fn ledger(
        &self,
        site: SiteId,
        after: u64,
        limit: u32,
    ) -> Vec<(u64, Arc<StockEvent>)> {
        let begin = usize::try_from(after).unwrap_or(usize::MAX);
        let limit = PageRequest::first(limit).bounded_limit();
        self.ledgers
            .get(&site)
            .and_then(|ledger| ledger.get(begin..))
            .unwrap_or_default()
            .iter()
            .take(limit)
            .zip(after.saturating_add(1)..)
            .map(|(event, position)| (position, Arc::clone(event)))
            .collect()
    }

    /// A site's events before a position, with their positions, the last ones first.
    pub(super) fn ledger_back(
        &self,
        site: SiteId,
        before: Option<u64>,
        limit: u32,
    ) -> Vec<(u64, Arc<StockEvent>)> {
        let ledger = self.ledgers.get(&site).map_or(&[][..], Vec::as_slice);
        let end = before.map_or(ledger.len(), |before| {
            let end = usize::try_from(before.saturating_sub(1)).unwrap_or(usize::MAX);
            end.min(ledger.len())
        });
        let begin = end.saturating_sub(PageRequest::first(limit).bounded_limit());
        let entries = ledger.get(begin..end).unwrap_or_default().iter();
        let first = u64::try_from(begin).unwrap_or(u64::MAX).saturating_add(1);
        let mut entries: Vec<_> = entries
            .zip(first..)
            .map(|(event, position)| (position, Arc::clone(event)))
            .collect();
        entries.reverse();
        entries
    }

    /// A site's events in the order of their keys, after one of them.
    pub(super) fn ledger_by_key(
        &self,
        site: SiteId,
        after: Option<&(StockKey, u64)>,
        limit: u32,
    ) -> Vec<Arc<StockEvent>> {
        let first = StockKey::plain(site, ProductId::new(uuid::Uuid::nil()));
        let begin = after.map_or(&first, |(key, _)| key).max(&first);
        self.keys
            .range(begin..)
            .take_while(|(key, _)| key.site == site)
            .flat_map(|(key, kept)| {
                let gone = after.filter(|(last, _)| last == key).map(|it| it.1);
                let begin = gone.map_or(0, |gone| {
                    kept.events.partition_point(|event| event.sequence <= gone)
                });
                kept.events.get(begin..).unwrap_or_default()
            })
            .take(PageRequest::first(limit).bounded_limit())
            .cloned()
            .collect()
    }

    /// Creates or replaces a level, in the commit of a number.
    pub(super) fn put_level(&mut self, commit: u64, level: &StockLevel) {
        let kept = self.keys.entry(level.key().clone()).or_default();
        kept.changed = commit;
        let version = kept
            .level
            .as_ref()
            .map_or(Version::FIRST, |level| level.version.next());
        kept.level = Some(Versioned {
            version,
            value: Arc::new(level.clone()),
        });
    }

    /// Appends to the ledger of the key's site.
    pub(super) fn append(&mut self, event: &StockEvent) {
        let event = Arc::new(event.clone());
        let ledger = self.ledgers.entry(event.key.site).or_default();
        ledger.push(Arc::clone(&event));
        let position = u64::try_from(ledger.len()).unwrap_or(u64::MAX);
        let events = match self.keys.get_mut(&event.key) {
            Some(kept) => &mut kept.events,
            None => &mut self.keys.entry(event.key.clone()).or_default().events,
        };
        let place = events.partition_point(|earlier| earlier.sequence < event.sequence);
        events.insert(place, Arc::clone(&event));
        self.events.insert(event.id, (position, event));
    }
}

/// How many rows.
pub(super) fn count<T>(rows: impl Iterator<Item = T>) -> u64 {
    u64::try_from(rows.count()).unwrap_or(u64::MAX)
}
