//! Pages of lists.

use super::{Digest, Filter};

/// The largest page.
pub const MAX_PAGE: u32 = 10_000;

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Where it begins.
    pub start: PageStart,
    /// How many at most; 1 to [`MAX_PAGE`], more is cut.
    pub limit: u32,
    /// Whether the whole list is to be counted as well.
    pub with_total: bool,
    /// Whether the list is turned round: its last row comes first. A list of documents begins with the newest then.
    pub reversed: bool,
}

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PageStart {
    /// At the beginning.
    #[default]
    First,
    /// After the last row of another page: stable while rows come and go.
    After(Cursor),
    /// After so many rows: a convenience of numbered pages, which shift when rows come and go.
    Skip(u64),
}

impl PageRequest {
    /// The first page.
    pub const fn first(limit: u32) -> Self {
        Self {
            start: PageStart::First,
            limit,
            with_total: false,
            reversed: false,
        }
    }

    /// The page after a cursor.
    pub const fn after(cursor: Cursor, limit: u32) -> Self {
        Self {
            start: PageStart::After(cursor),
            limit,
            with_total: false,
            reversed: false,
        }
    }

    /// The numbered page; the first is 0. A page begins where the one before ended, so the limit is cut to
    /// its bounds here.
    pub fn numbered(page: u32, limit: u32) -> Self {
        let limit = limit.clamp(1, MAX_PAGE);
        let skip = u64::from(page).saturating_mul(u64::from(limit));
        Self {
            start: PageStart::Skip(skip),
            limit,
            with_total: true,
            reversed: false,
        }
    }

    /// The same, with the list counted.
    #[must_use]
    pub const fn counted(mut self) -> Self {
        self.with_total = true;
        self
    }

    /// The same of the list turned round; a cursor is one of the list in the direction that it came from.
    #[must_use]
    pub const fn reversed(mut self) -> Self {
        self.reversed = true;
        self
    }

    /// How many rows to give: what was asked for, within bounds.
    pub fn bounded_limit(&self) -> usize {
        usize::try_from(self.limit.clamp(1, MAX_PAGE)).unwrap_or(1)
    }
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows the whole list has, if that was asked for.
    pub total: Option<u64>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page of other rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            total: self.total,
            next: self.next,
        }
    }
}

/// A place in a list: opaque, and good only for the list that it came from (clause R9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// Makes a cursor for a list, which is told by the digest of its scope, filter and order.
    pub fn seal(list: Digest, mark: &str) -> Self {
        Self(format!("{}.{mark}", list.as_uuid().simple()))
    }

    /// The mark inside, if the cursor is one of this list.
    pub fn open(&self, list: Digest) -> Option<&str> {
        self.0
            .split_once('.')
            .filter(|(of, _)| *of == list.as_uuid().simple().to_string())
            .map(|(_, mark)| mark)
    }

    /// The text to hand out.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The digest that tells one list from another: what the list is of, and its filter and order.
pub fn list_digest(scope: impl std::fmt::Display, filter: &impl Filter) -> Digest {
    filter.describe(Digest::of("list").field(scope)).finish()
}

impl From<String> for Cursor {
    fn from(text: String) -> Self {
        Self(text)
    }
}
