//! Several ordered sets as one.

use std::cmp::Reverse;
use std::collections::btree_set::Range;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Bound;

/// The places of several groups in their order, each once.
pub(super) struct Merged<'a, P> {
    groups: Vec<Range<'a, P>>,
    /// The next place of each group.
    heads: BinaryHeap<Reverse<(&'a P, usize)>>,
    last: Option<&'a P>,
}

impl<'a, P: Ord> Merged<'a, P> {
    /// What begins at, or after, a place.
    pub(super) fn of(groups: impl IntoIterator<Item = &'a BTreeSet<P>>, begin: Bound<&P>) -> Self {
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|places| places.range((begin, Bound::Unbounded)))
            .collect();
        let heads = groups
            .iter_mut()
            .enumerate()
            .filter_map(|(group, places)| places.next().map(|place| Reverse((place, group))))
            .collect();
        Self {
            groups,
            heads,
            last: None,
        }
    }
}

impl<'a, P: Ord> Iterator for Merged<'a, P> {
    type Item = &'a P;

    fn next(&mut self) -> Option<&'a P> {
        loop {
            let Reverse((place, group)) = self.heads.pop()?;
            if let Some(next) = self.groups.get_mut(group).and_then(Iterator::next) {
                self.heads.push(Reverse((next, group)));
            }
            if self.last != Some(place) {
                self.last = Some(place);
                return Some(place);
            }
        }
    }
}
