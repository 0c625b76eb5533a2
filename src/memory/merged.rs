//! Several ordered sets as one.

use std::cmp::Ordering;
use std::collections::btree_set::Range;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Bound;

/// From where on, and in which direction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Course<P> {
    /// Up from here.
    Up(Bound<P>),
    /// Down from here.
    Down(Bound<P>),
}

impl<P> Course<P> {
    /// After a place, if there is one, else from an end on.
    pub(super) fn after(place: Option<P>, reversed: bool) -> Self {
        let bound = place.map_or(Bound::Unbounded, Bound::Excluded);
        if reversed {
            Self::Down(bound)
        } else {
            Self::Up(bound)
        }
    }

    pub(super) fn map<Q>(self, f: impl FnOnce(P) -> Q) -> Course<Q> {
        match self {
            Self::Up(bound) => Course::Up(bound.map(f)),
            Self::Down(bound) => Course::Down(bound.map(f)),
        }
    }
}

/// The places of a set from one on, in a direction.
pub(super) struct Walk<'a, P> {
    places: Range<'a, P>,
    down: bool,
}

impl<'a, P: Ord> Walk<'a, P> {
    pub(super) fn of(places: &'a BTreeSet<P>, from: &Course<P>) -> Self {
        match from {
            Course::Up(bound) => Self {
                places: places.range((bound.as_ref(), Bound::Unbounded)),
                down: false,
            },
            Course::Down(bound) => Self {
                places: places.range((Bound::Unbounded, bound.as_ref())),
                down: true,
            },
        }
    }
}

impl<'a, P: Ord> Iterator for Walk<'a, P> {
    type Item = &'a P;

    fn next(&mut self) -> Option<&'a P> {
        if self.down {
            self.places.next_back()
        } else {
            self.places.next()
        }
    }
}

/// The places of several groups in their order, or the reverse of it, each once.
pub(super) struct Merged<'a, P> {
    groups: Vec<Walk<'a, P>>,
    /// The next place of each group.
    heads: BinaryHeap<Head<'a, P>>,
    last: Option<&'a P>,
}

/// The next place of a group; the largest of them comes next.
#[derive(PartialEq, Eq)]
struct Head<'a, P> {
    place: &'a P,
    group: usize,
    down: bool,
}

impl<P: Ord> Ord for Head<'_, P> {
    fn cmp(&self, other: &Self) -> Ordering {
        let up = self.place.cmp(other.place);
        let by_place = if self.down { up } else { up.reverse() };
        by_place.then_with(|| other.group.cmp(&self.group))
    }
}

impl<P: Ord> PartialOrd for Head<'_, P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a, P: Ord> Merged<'a, P> {
    /// What comes from a place on.
    pub(super) fn of(groups: impl IntoIterator<Item = &'a BTreeSet<P>>, from: &Course<P>) -> Self {
        let groups = groups.into_iter().map(|places| Walk::of(places, from));
        let mut groups: Vec<Walk<'a, P>> = groups.collect();
        let heads = groups
            .iter_mut()
            .enumerate()
            .filter_map(|(group, places)| head(group, places))
            .collect();
        Self {
            groups,
            heads,
            last: None,
        }
    }
}

fn head<'a, P: Ord>(group: usize, places: &mut Walk<'a, P>) -> Option<Head<'a, P>> {
    let down = places.down;
    places.next().map(|place| Head { place, group, down })
}

impl<'a, P: Ord> Iterator for Merged<'a, P> {
    type Item = &'a P;

    fn next(&mut self) -> Option<&'a P> {
        loop {
            let Head { place, group, .. } = self.heads.pop()?;
            let next = self.groups.get_mut(group);
            self.heads
                .extend(next.and_then(|places| head(group, places)));
            if self.last != Some(place) {
                self.last = Some(place);
                return Some(place);
            }
        }
    }
}
