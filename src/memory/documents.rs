//! Documents, and lists of them by age.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::Arc;

use super::merged::{Course, Merged};
use super::stock::count;
use super::table::{Row, Table};
use crate::domain::Timestamp;
use crate::store::{List, Page, PageRequest, StoreError, Version};

/// A record that stands on lists, the oldest first.
pub(super) trait Document: Clone {
    /// What it is found under.
    type Id: Copy + Ord + Hash + Display + FromStr + From<uuid::Uuid>;
    /// A list that it can stand on: as narrow as the filters are.
    type Scope: Ord;

    fn id(&self) -> Self::Id;

    /// What it is ordered by, before its id.
    fn began_at(&self) -> Timestamp;

    /// The lists that it stands on.
    fn scopes(&self) -> impl Iterator<Item = Self::Scope>;
}

/// When a document began, and its id: where it stands on its lists.
type Age<T> = (Timestamp, <T as Document>::Id);

/// The documents of one kind, with the lists that they stand on.
#[derive(Clone, Debug)]
pub(super) struct Documents<T: Document> {
    rows: Table<T::Id, T>,
    lists: BTreeMap<T::Scope, BTreeSet<Age<T>>>,
}

/// What a list asks for.
pub(super) struct Wanted<'a, T: Document> {
    /// Documents that stand on any of these lists.
    pub(super) scopes: Vec<T::Scope>,
    /// That began at or after this moment.
    pub(super) from: Option<Timestamp>,
    /// That began before this moment.
    pub(super) to: Option<Timestamp>,
    /// And of which this holds, if anything has to.
    pub(super) keep: Option<&'a dyn Fn(&T) -> bool>,
}

impl<T: Document> Default for Documents<T> {
    fn default() -> Self {
        Self {
            rows: Table::default(),
            lists: BTreeMap::new(),
        }
    }
}

fn age<T: Document>(document: &T) -> Age<T> {
    (document.began_at(), document.id())
}

impl<T: Document> Documents<T> {
    pub(super) fn get(&self, id: T::Id) -> Option<&Row<T>> {
        self.rows.get(id)
    }

    pub(super) fn version(&self, id: T::Id) -> Option<Version> {
        self.rows.version(id)
    }

    /// Creates or replaces a document.
    pub(super) fn put(&mut self, document: &T) {
        let before = self.rows.put(document.id(), Arc::new(document.clone()));
        if let Some(before) = before {
            let is_where_it_was =
                age(before.as_ref()) == age(document) && before.scopes().eq(document.scopes());
            if is_where_it_was {
                return;
            }
            for scope in before.scopes() {
                if let Some(list) = self.lists.get_mut(&scope) {
                    list.remove(&age(before.as_ref()));
                }
            }
        }
        for scope in document.scopes() {
            self.lists.entry(scope).or_default().insert(age(document));
        }
    }

    /// A page of a list, the oldest first, or the newest.
    pub(super) fn page(
        &self,
        list: List,
        wanted: &Wanted<'_, T>,
        request: &PageRequest,
    ) -> Result<Page<Row<T>>, StoreError> {
        let after = list.after::<Age<T>>(request, |age| wanted.spans(age.0))?;
        let rows = |from: Course<Age<T>>| {
            Merged::of(self.wanted(wanted), &from)
                .take_while(|age| wanted.spans(age.0))
                .filter_map(|age| self.get(age.1).map(|row| (age, row)))
                .filter(|(_, row)| wanted.keep.is_none_or(|keep| keep(&row.value)))
        };
        let total = request.with_total.then(|| match wanted.keep {
            Some(_) => count(rows(Course::Up(wanted.begin()))),
            None => self.count(wanted),
        });
        let from = match (after, request.reversed) {
            (Some(after), reversed) => Course::after(Some(after), reversed),
            (None, false) => Course::Up(wanted.begin()),
            (None, true) => Course::Down(wanted.end()),
        };
        let page = list.page(request, rows(from), total);
        Ok(page.map(Clone::clone))
    }

    fn wanted<'a>(
        &'a self,
        wanted: &'a Wanted<'_, T>,
    ) -> impl Iterator<Item = &'a BTreeSet<Age<T>>> {
        wanted
            .scopes
            .iter()
            .filter_map(|scope| self.lists.get(scope))
    }

    /// How many documents the lists alone tell of. No document stands on two lists that are asked for together.
    fn count(&self, wanted: &Wanted<'_, T>) -> u64 {
        let of_list = |list: &BTreeSet<Age<T>>| match (wanted.from, wanted.to) {
            (None, None) => u64::try_from(list.len()).unwrap_or(u64::MAX),
            (Some(_), _) | (_, Some(_)) => count(
                list.range((wanted.begin(), Bound::Unbounded))
                    .take_while(|age| wanted.spans(age.0)),
            ),
        };
        self.wanted(wanted)
            .map(of_list)
            .fold(0, u64::saturating_add)
    }
}

impl<T: Document> Wanted<'_, T> {
    /// Whether what began then is meant.
    fn spans(&self, began_at: Timestamp) -> bool {
        self.from.is_none_or(|from| began_at >= from) && self.to.is_none_or(|to| began_at < to)
    }

    fn begin(&self) -> Bound<Age<T>> {
        self.from.map_or(Bound::Unbounded, |from| {
            Bound::Included((from, uuid::Uuid::nil().into()))
        })
    }

    fn end(&self) -> Bound<Age<T>> {
        self.to.map_or(Bound::Unbounded, |to| {
            Bound::Excluded((to, uuid::Uuid::nil().into()))
        })
    }
}

/// The states that a list asks for: those of the filter, or every one that is on lists at all.
pub(super) fn states_asked_for<S: Copy + Ord>(
    asked: &BTreeSet<S>,
    all: &[S],
    is_off_lists: impl Fn(S) -> bool,
) -> Vec<S> {
    if asked.is_empty() {
        let on_lists = |state: &S| !is_off_lists(*state);
        all.iter().copied().filter(on_lists).collect()
    } else {
        asked.iter().copied().collect()
    }
}
