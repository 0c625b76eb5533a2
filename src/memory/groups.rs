//! Lines by a group that they belong to (a brand, a category, a supplier), with totals of each.

use std::cmp::Reverse;
use std::collections::btree_set::Range;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;

use super::marks::{Mark, Position, Tokens};
use super::sums::Sums;
use crate::domain::{StockTakeItem, StockTakeItemId};

/// Where a line stands in its take. Lines have numbers of their own; the id makes the order total whatever
/// is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) line: u64,
    pub(super) id: StockTakeItemId,
}

impl Slot {
    pub(super) const FIRST: Self = Self {
        line: 0,
        id: StockTakeItemId::new(uuid::Uuid::nil()),
    };

    pub(super) fn of(item: &StockTakeItem) -> Self {
        Self {
            line: item.line,
            id: item.id,
        }
    }
}

impl Position for Slot {
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

/// Lines by something of their product.
#[derive(Debug)]
pub(super) struct Groups<Id>(BTreeMap<Id, Group>);

#[derive(Debug, Default)]
pub(super) struct Group {
    slots: BTreeSet<Slot>,
    sums: Sums,
}

impl<Id> Default for Groups<Id> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Id: Ord> Groups<Id> {
    pub(super) fn add(&mut self, id: Id, slot: Slot, item: &StockTakeItem) {
        let group = self.0.entry(id).or_default();
        if group.slots.insert(slot) {
            group.sums.add(item);
        }
    }

    pub(super) fn remove(&mut self, id: &Id, slot: &Slot, item: &StockTakeItem) {
        let Some(group) = self.0.get_mut(id) else {
            return;
        };
        if group.slots.remove(slot) {
            group.sums.remove(item);
        }
        if group.slots.is_empty() {
            self.0.remove(id);
        }
    }

    pub(super) fn replace(&mut self, id: &Id, before: &StockTakeItem, after: &StockTakeItem) {
        if let Some(group) = self.0.get_mut(id) {
            group.sums.replace(before, after);
        }
    }

    fn of<'a>(&'a self, ids: &'a BTreeSet<Id>) -> impl Iterator<Item = &'a Group> {
        ids.iter().filter_map(|id| self.0.get(id))
    }

    pub(super) fn sums(&self, ids: &BTreeSet<Id>) -> Sums {
        self.of(ids)
            .fold(Sums::default(), |sums, group| sums.and(&group.sums))
    }

    pub(super) fn narrowed<'a>(&'a self, ids: &'a BTreeSet<Id>) -> Option<Narrowed<'a>> {
        (!ids.is_empty()).then(|| Narrowed {
            lines: self.sums(ids).lines(),
            groups: self.of(ids).map(|group| &group.slots).collect(),
        })
    }
}

/// What a set of ids leaves to look at.
pub(super) struct Narrowed<'a> {
    pub(super) lines: u64,
    pub(super) groups: Vec<&'a BTreeSet<Slot>>,
}

/// Places of several groups in their order, each once.
pub(super) struct Merged<'a> {
    groups: Vec<Range<'a, Slot>>,
    /// The next slot of each group.
    heads: BinaryHeap<Reverse<(&'a Slot, usize)>>,
    last: Option<&'a Slot>,
}

impl<'a> Merged<'a> {
    pub(super) fn of(groups: Vec<&'a BTreeSet<Slot>>, begin: Bound<Slot>) -> Self {
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|slots| slots.range((begin, Bound::Unbounded)))
            .collect();
        let heads = groups
            .iter_mut()
            .enumerate()
            .filter_map(|(group, slots)| slots.next().map(|slot| Reverse((slot, group))))
            .collect();
        Self {
            groups,
            heads,
            last: None,
        }
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = &'a Slot;

    fn next(&mut self) -> Option<&'a Slot> {
        loop {
            let Reverse((slot, group)) = self.heads.pop()?;
            if let Some(next) = self.groups.get_mut(group).and_then(Iterator::next) {
                self.heads.push(Reverse((next, group)));
            }
            if self.last != Some(slot) {
                self.last = Some(slot);
                return Some(slot);
            }
        }
    }
}
