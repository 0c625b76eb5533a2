//! Pages of lists, in their own order or by a sort value: what every store needs that hands out cursors.

use std::cmp::Ordering;
use std::fmt::Display;

use super::{
    Cursor, Digest, Filter, Mark, Page, PageRequest, PageStart, Position, SortValue, StoreError,
    StoreErrorKind, Tokens, list_digest,
};

/// A list: what its cursors are good for.
#[derive(Clone, Copy, Debug)]
pub struct List {
    operation: &'static str,
    digest: Digest,
}

/// A row of a sorted list.
#[derive(Debug)]
pub struct Ranked<'a, P, R> {
    /// What it sorts by.
    pub value: SortValue,
    /// Its place among rows that are equal in that.
    pub position: &'a P,
    /// The row.
    pub row: R,
}

impl List {
    /// The list that an operation gives of a scope with a filter.
    pub fn new(operation: &'static str, scope: impl Display, filter: &impl Filter) -> Self {
        Self {
            operation,
            digest: list_digest(format_args!("{operation}/{scope}"), filter),
        }
    }

    fn invalid(&self) -> StoreError {
        StoreError::new(StoreErrorKind::InvalidCursor, self.operation)
    }

    fn open<T>(
        &self,
        request: &PageRequest,
        read: impl FnOnce(&mut Tokens<'_>) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let PageStart::After(cursor) = &request.start else {
            return Ok(None);
        };
        let open = || {
            let mut tokens = Tokens::of(cursor.open(self.digest)?);
            let place = read(&mut tokens)?;
            tokens.end().map(|()| place)
        };
        open().map(Some).ok_or_else(|| self.invalid())
    }

    /// The place that the page begins after, for a list in its own order. `belongs` tells whether the list
    /// could have such a place at all.
    pub fn after<P: Position>(
        &self,
        request: &PageRequest,
        belongs: impl FnOnce(&P) -> bool,
    ) -> Result<Option<P>, StoreError> {
        self.open(request, |tokens| P::read(tokens).filter(belongs))
    }

    /// A page of a list in its own order. The rows begin after the place that [`after`](Self::after) gave.
    pub fn page<'a, P: Position + 'a, R>(
        &self,
        request: &PageRequest,
        mut rows: impl Iterator<Item = (&'a P, R)>,
        total: Option<u64>,
    ) -> Page<R> {
        let limit = request.bounded_limit();
        let mut last = None;
        let items: Vec<R> = rows
            .by_ref()
            .skip(skipped(request))
            .take(limit)
            .map(|(position, row)| {
                last = Some(position);
                row
            })
            .collect();
        let more = items.len() == limit && rows.next().is_some();
        let next = last.filter(|_| more).map(|position| {
            let mut mark = Mark::default();
            position.write(&mut mark);
            Cursor::seal(self.digest, mark.as_str())
        });
        Page { items, total, next }
    }

    /// A page of a sorted list. The rows are all of the list's, in any order.
    ///
    /// No more rows are kept than up to the end of the page, and only these are sorted.
    pub fn sorted<'a, P: Position + 'a, R>(
        &self,
        request: &PageRequest,
        descending: bool,
        rows: impl Iterator<Item = Ranked<'a, P, R>>,
    ) -> Result<Page<R>, StoreError> {
        let after = self.open(request, |tokens| {
            let value = tokens.value()?;
            Some((value, P::read(tokens)?))
        })?;
        let compare = |a: (&SortValue, &P), b: (&SortValue, &P)| {
            let by_value = if descending {
                b.0.cmp(a.0)
            } else {
                a.0.cmp(b.0)
            };
            by_value.then_with(|| a.1.cmp(b.1))
        };
        let mut all: u64 = 0;
        let rows = rows.inspect(|_| all = all.saturating_add(1)).filter(|row| {
            after.as_ref().is_none_or(|(value, position)| {
                compare((&row.value, row.position), (value, position)).is_gt()
            })
        });
        let limit = request.bounded_limit();
        let skip = skipped(request);
        let end = skip.saturating_add(limit);
        let mut first = smallest(rows, end.saturating_add(1), |a, b| {
            compare((&a.value, a.position), (&b.value, b.position))
        });
        let next = first
            .len()
            .checked_sub(end)
            .filter(|beyond| *beyond > 0)
            .and_then(|_| first.get(end.saturating_sub(1)))
            .map(|row| {
                let mut mark = Mark::default();
                mark.value(&row.value);
                row.position.write(&mut mark);
                Cursor::seal(self.digest, mark.as_str())
            });
        first.truncate(end);
        let items = first.into_iter().skip(skip).map(|row| row.row).collect();
        let total = request.with_total.then_some(all);
        Ok(Page { items, total, next })
    }
}

/// How many rows come before the page.
fn skipped(request: &PageRequest) -> usize {
    match &request.start {
        PageStart::First | PageStart::After(_) => 0,
        PageStart::Skip(rows) => usize::try_from(*rows).unwrap_or(usize::MAX),
    }
}

/// The smallest rows, so many of them, in order. At most twice as many are held at a time.
fn smallest<R>(
    rows: impl Iterator<Item = R>,
    keep: usize,
    compare: impl Fn(&R, &R) -> Ordering,
) -> Vec<R> {
    /// Below this, sorting now and then costs less than it saves.
    const LEAST: usize = 1_024;
    let full = keep.saturating_mul(2).max(LEAST);
    let last = keep.saturating_sub(1);
    let mut kept: Vec<R> = Vec::new();
    // Once cut, the row at `last` is the largest of the smallest so far.
    let mut was_cut = false;
    for row in rows {
        let is_beyond = || {
            kept.get(last)
                .is_some_and(|most| compare(&row, most).is_ge())
        };
        if was_cut && is_beyond() {
            continue;
        }
        kept.push(row);
        if kept.len() >= full {
            kept.select_nth_unstable_by(last, &compare);
            kept.truncate(keep);
            was_cut = true;
        }
    }
    kept.sort_unstable_by(&compare);
    kept.truncate(keep);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_are_those_of_a_full_sort() {
        let mut seed: u64 = 7;
        let rows: Vec<u64> = (0..20_000)
            .map(|_| {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                seed >> 40
            })
            .collect();
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        for keep in [
            0,
            1,
            2,
            26,
            511,
            512,
            513,
            3_000,
            19_999,
            20_000,
            usize::MAX,
        ] {
            let found = smallest(rows.iter().copied(), keep, Ord::cmp);
            assert!(found.iter().eq(sorted.iter().take(keep)), "{keep}");
        }
    }
}
