//! Sums by brand, category, account or counter, in bounded memory.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::tally::Tally;

/// So many names have a sum of their own; what comes after them is summed up as one.
const MOST_KEPT: usize = 2_000;

/// Sums by name.
#[derive(Clone, Debug)]
pub(super) struct Groups<K> {
    named: BTreeMap<K, Tally>,
    /// Lines without a name.
    without: Tally,
    /// Lines of names beyond the bound.
    beyond: Tally,
}

/// Whose sum it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose<K> {
    /// Of this name.
    Named(K),
    /// Of the lines that have none.
    Nobody,
    /// Of all other names together; how many these are is known unless there are more than are kept.
    Others(Option<usize>),
}

impl<K: Ord + Clone> Groups<K> {
    pub(super) fn new() -> Self {
        Self {
            named: BTreeMap::new(),
            without: Tally::default(),
            beyond: Tally::default(),
        }
    }

    /// The sum of a name.
    pub(super) fn of<Q>(&mut self, name: Option<&Q>) -> &mut Tally
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        let Some(name) = name else {
            return &mut self.without;
        };
        if self.named.contains_key(name) || self.named.len() < MOST_KEPT {
            return self.named.entry(name.to_owned()).or_default();
        }
        &mut self.beyond
    }

    /// The names that have a sum of their own.
    pub(super) fn names(&self) -> impl Iterator<Item = &K> {
        self.named.keys()
    }

    /// Whether any line has a name.
    pub(super) fn is_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// At most so many sums, those with the largest differences first, then what has no name, then the others.
    pub(super) fn rows(&self, most: usize) -> Vec<(Whose<K>, Tally)> {
        let mut named: Vec<(&K, &Tally)> = self.named.iter().collect();
        named.sort_by_key(|(name, sum)| {
            (Reverse((sum.gross_minor(), sum.gross(), sum.lines)), *name)
        });
        let shown = named.iter().take(most);
        let mut rows: Vec<(Whose<K>, Tally)> = shown
            .map(|(name, sum)| (Whose::Named((*name).clone()), (*sum).clone()))
            .collect();
        if self.without.lines > 0 {
            rows.push((Whose::Nobody, self.without.clone()));
        }
        let others = named.iter().skip(most);
        let rest = others.fold(self.beyond.clone(), |sum, (_, more)| sum.and(more));
        if rest.lines > 0 {
            let number = named.len().saturating_sub(most);
            let known = (self.beyond.lines == 0).then_some(number);
            rows.push((Whose::Others(known), rest));
        }
        rows
    }
}
