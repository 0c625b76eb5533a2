//! Pages of lists, in their own order or by a sort value: what every store needs that hands out cursors.

use std::borrow::Borrow;
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
pub struct Ranked<P, R> {
    /// What it sorts by.
    pub value: SortValue,
    /// Its place among rows that are equal in that.
    pub position: P,
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

    /// What cursors of a request are sealed with: turned round, the list is another one.
    fn sealed_with(&self, request: &PageRequest) -> Digest {
        if request.reversed {
            Digest::of("reversed").field(self.digest.as_uuid()).finish()
        } else {
            self.digest
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
            let mut tokens = Tokens::of(cursor.open(self.sealed_with(request))?);
            let place = read(&mut tokens)?;
            tokens.end().map(|()| place)
        };
        open().map(Some).ok_or_else(|| self.invalid())
    }

    /// The place that the page begins after, for a list in its own order. `belongs` tells whether the list
    /// could have such a place at all: it refuses more of the cursors that somebody has made up, and may be `|_| true`.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::InvalidCursor`].
    pub fn after<P: Position>(
        &self,
        request: &PageRequest,
        belongs: impl FnOnce(&P) -> bool,
    ) -> Result<Option<P>, StoreError> {
        self.open(request, |tokens| P::read(tokens).filter(belongs))
    }

    /// A page of a list in its own order, or in the reverse of it if that is asked for. The rows come in that order, and
    /// begin after the place that [`after`](Self::after) gave.
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
            Cursor::seal(self.sealed_with(request), mark.as_str())
        });
        Page { items, total, next }
    }

    /// Begins a page of a sorted list, into which all of the list's rows are put, in any order.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::InvalidCursor`].
    pub fn sorting<Q: Position, P: Borrow<Q>, R>(
        &self,
        request: &PageRequest,
    ) -> Result<Sorting<Q, P, R>, StoreError> {
        let after = self.open(request, <(SortValue, Q)>::read)?;
        let skip = skipped(request);
        let end = skip.saturating_add(request.bounded_limit());
        Ok(Sorting {
            sealed_with: self.sealed_with(request),
            is_reversed: request.reversed,
            after,
            skip,
            end,
            with_total: request.with_total,
            all: 0,
            kept: Smallest::new(end.saturating_add(1)),
        })
    }
}

/// A page of a sorted list on its way. No more rows are kept than up to the end of the page, and only these
/// are sorted.
#[derive(Debug)]
pub struct Sorting<Q, P, R> {
    sealed_with: Digest,
    is_reversed: bool,
    after: Option<(SortValue, Q)>,
    skip: usize,
    end: usize,
    with_total: bool,
    all: u64,
    kept: Smallest<Ranked<P, R>>,
}

impl<Q: Position, P: Borrow<Q>, R> Sorting<Q, P, R> {
    /// Takes a row of the list.
    pub fn push(&mut self, row: Ranked<P, R>) {
        self.all = self.all.saturating_add(1);
        let is_reversed = self.is_reversed;
        let is_after = self.after.as_ref().is_none_or(|(value, position)| {
            let mark = (value, position);
            compare(is_reversed, (&row.value, row.position.borrow()), mark).is_gt()
        });
        if is_after {
            self.kept.push(row, by_rank(is_reversed));
        }
    }

    /// The page.
    pub fn page(self) -> Page<R> {
        let mut first = self.kept.sorted(by_rank(self.is_reversed));
        let is_more = first.len() > self.end;
        let last = self.end.checked_sub(1).and_then(|last| first.get(last));
        let next = last.filter(|_| is_more).map(|row| {
            let mut mark = Mark::default();
            mark.value(&row.value);
            row.position.borrow().write(&mut mark);
            Cursor::seal(self.sealed_with, mark.as_str())
        });
        first.truncate(self.end);
        let rows = first.into_iter().skip(self.skip);
        Page {
            items: rows.map(|row| row.row).collect(),
            total: self.with_total.then_some(self.all),
            next,
        }
    }
}

fn compare<Q: Ord>(is_reversed: bool, a: (&SortValue, &Q), b: (&SortValue, &Q)) -> Ordering {
    if is_reversed { b.cmp(&a) } else { a.cmp(&b) }
}

fn by_rank<Q: Ord, P: Borrow<Q>, R>(
    is_reversed: bool,
) -> impl Fn(&Ranked<P, R>, &Ranked<P, R>) -> Ordering {
    move |a, b| {
        let b = (&b.value, b.position.borrow());
        compare(is_reversed, (&a.value, a.position.borrow()), b)
    }
}

/// How many rows come before the page.
fn skipped(request: &PageRequest) -> usize {
    match &request.start {
        PageStart::First | PageStart::After(_) => 0,
        PageStart::Skip(rows) => usize::try_from(*rows).unwrap_or(usize::MAX),
    }
}

/// The smallest rows, so many of them. At most twice as many are held at a time.
#[derive(Debug)]
struct Smallest<R> {
    keep: usize,
    rows: Vec<R>,
    /// Once cut, the last row that is kept is the largest of the smallest so far.
    was_cut: bool,
}

impl<R> Smallest<R> {
    /// Below this, sorting now and then costs less than it saves.
    const LEAST: usize = 1_024;

    const fn new(keep: usize) -> Self {
        Self {
            keep,
            rows: Vec::new(),
            was_cut: false,
        }
    }

    fn push(&mut self, row: R, compare: impl Fn(&R, &R) -> Ordering) {
        let last = self.keep.saturating_sub(1);
        let most = self.rows.get(last).filter(|_| self.was_cut);
        if most.is_some_and(|most| compare(&row, most).is_ge()) {
            return;
        }
        self.rows.push(row);
        if self.rows.len() >= self.keep.saturating_mul(2).max(Self::LEAST) {
            self.rows.select_nth_unstable_by(last, compare);
            self.rows.truncate(self.keep);
            self.was_cut = true;
        }
    }

    fn sorted(mut self, compare: impl Fn(&R, &R) -> Ordering) -> Vec<R> {
        self.rows.sort_unstable_by(compare);
        self.rows.truncate(self.keep);
        self.rows
    }
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
            let mut smallest = Smallest::new(keep);
            for row in &rows {
                smallest.push(*row, Ord::cmp);
            }
            let found = smallest.sorted(Ord::cmp);
            assert!(found.iter().eq(sorted.iter().take(keep)), "{keep}");
        }
    }
}
