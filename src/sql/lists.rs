//! Pages of lists.

use super::cell::{Cell, Kind, Row, Unreadable};
use super::query::{Lookup, Query, Snapshot, first};
use super::table::Column;
use crate::domain::{OrganisationId, SearchText};
use crate::store::{List, Page, PageRequest, PageStart, Position, StoreError};

/// How many rows are read at a time where each has to be looked at.
const BLOCK: usize = 1_000;

/// How a row and its place are read.
pub(super) type Read<'a, P, R> = &'a (dyn Fn(&mut Row) -> Result<(P, R), Unreadable> + Sync);

/// A list: what its rows are read from, and how they are ordered.
pub(super) struct Listing<'a, P, R> {
    pub(super) columns: &'a str,
    pub(super) from: &'a str,
    /// What its rows must be found in, and shows with them; and values that it must have there.
    pub(super) known_to: Option<(Lookup<'a>, &'a [(&'static str, Cell)])>,
    /// What is looked up for the rows that are shown, and what these are called there.
    pub(super) beside: Option<(&'a str, &'a [Lookup<'a>])>,
    /// The columns that make the order total.
    pub(super) order: &'a [&'a str],
    /// The cells of a place, in the order of these columns.
    pub(super) place: fn(&P) -> Vec<Cell>,
    pub(super) read: Read<'a, P, R>,
}

/// What a list is narrowed to by the database.
#[derive(Clone, Debug)]
pub(super) struct Narrowed {
    organisation: OrganisationId,
    /// Rows `w` that lead to the list's, instead of what it is read from.
    led_by: Option<(Vec<Kind>, Vec<Vec<Cell>>, Lookup<'static>)>,
    conditions: Vec<(String, Values)>,
}

/// What a condition ends with.
#[derive(Clone, Debug)]
enum Values {
    None,
    Containing(SearchText),
    One(Cell),
    Any(Kind, Vec<Cell>),
}

/// What it is narrowed to beside that, if anything.
pub(super) type Kept<'a, R> = Option<&'a (dyn Fn(&R) -> bool + Sync)>;

impl Narrowed {
    /// To an organisation's rows of a table.
    pub(super) fn of(table: &str, organisation: OrganisationId) -> Self {
        let all = Self {
            organisation,
            led_by: None,
            conditions: Vec::new(),
        };
        all.equal(&format!("{table}.organisation"), organisation.as_uuid())
    }

    /// To what some rows lead to, each to rows of its own.
    pub(super) fn led_by(
        mut self,
        kinds: Vec<Kind>,
        rows: Vec<Vec<Cell>>,
        lookup: Lookup<'static>,
    ) -> Self {
        self.led_by = Some((kinds, rows, lookup));
        self
    }

    /// To what a condition without a parameter says.
    pub(super) fn and(mut self, condition: &str) -> Self {
        self.conditions.push((condition.to_owned(), Values::None));
        self
    }

    /// To one value of a column.
    pub(super) fn equal(self, column: &str, value: impl Into<Cell>) -> Self {
        self.compare(column, "=", value)
    }

    /// To the values on one side of another.
    pub(super) fn compare(mut self, column: &str, sign: &str, value: impl Into<Cell>) -> Self {
        let condition = format!("{column} {sign} ");
        self.conditions.push((condition, Values::One(value.into())));
        self
    }

    /// To any of some values of a column; to nothing by none.
    pub(super) fn among(
        mut self,
        (column, kind): Column,
        values: impl Iterator<Item = Cell>,
    ) -> Self {
        let values = Values::Any(kind, values.collect());
        self.conditions.push((column.to_owned(), values));
        self
    }

    /// To what has a text in a column of folded texts.
    pub(super) fn containing(mut self, column: &str, text: &SearchText) -> Self {
        let text = Values::Containing(text.clone());
        self.conditions.push((column.to_owned(), text));
        self
    }

    fn write(&self, query: &mut Query) {
        for (nth, (condition, values)) in self.conditions.iter().enumerate() {
            query.push(if nth > 0 { " AND " } else { " WHERE " });
            if let Values::Containing(text) = values {
                query.contains(condition, text);
                continue;
            }
            query.push(condition);
            match values {
                Values::None | Values::Containing(_) => {}
                Values::One(value) => {
                    query.bind(value.clone());
                }
                Values::Any(kind, values) => {
                    query.is_any_of(*kind, values.clone());
                }
            }
        }
    }
}

impl<P: Send + Sync, R: Send> Listing<'_, P, R> {
    /// Adds what rows are taken from, and what they are narrowed to.
    fn write(&self, narrowed: &Narrowed, query: &mut Query) {
        if let Some((kinds, rows, lookup)) = &narrowed.led_by {
            query.table(kinds, rows.clone());
            query.find(narrowed.organisation, *lookup, "");
        } else {
            query.push(self.from);
        }
        if let Some((lookup, values)) = self.known_to {
            query.find_with(narrowed.organisation, lookup, values);
        }
        narrowed.write(query);
    }

    /// How many rows there are.
    async fn count<S: Snapshot>(&self, s: &mut S, narrowed: &Narrowed) -> Result<u64, StoreError> {
        let mut query = s.query("SELECT count(*) FROM ");
        self.write(narrowed, &mut query);
        let count = first(s, &query, Row::int).await?;
        Ok(count.unwrap_or_default())
    }

    /// Rows after a place, so many at most, in the list's order or in the reverse of it.
    async fn rows<S: Snapshot>(
        &self,
        s: &mut S,
        narrowed: &Narrowed,
        (after, is_reversed): (Option<&P>, bool),
        (skip, limit): (u64, usize),
    ) -> Result<Vec<(P, R)>, StoreError> {
        let asked = (after, is_reversed);
        let query = self.query(s, self.columns, narrowed, asked, (skip, limit));
        let mut read = Vec::new();
        for (nth, mut row) in s.rows(&query).await?.into_iter().enumerate() {
            match (self.read)(&mut row) {
                Ok(row) => read.push(row),
                Err(cause) => {
                    let places = self.order.join(", ");
                    let query = self.query(s, &places, narrowed, asked, (skip, limit));
                    let places = s.rows(&query).await?;
                    let what = self.named(places.into_iter().nth(nth));
                    return Err(cause.of_what(&what).during(s.operation()));
                }
            }
        }
        Ok(read)
    }

    /// What a row is, for who looks after the store: its table, and its place there.
    fn named(&self, place: Option<Row>) -> String {
        let table = self.from.split(' ').next().unwrap_or_default();
        let mut cells = Vec::new();
        if let Some(mut row) = place {
            while let Ok(cell) = row.cell() {
                cells.push(cell.to_string());
            }
        }
        format!("{table} ({})", cells.join(", "))
    }

    /// What asks for rows after a place.
    fn query<S: Snapshot>(
        &self,
        s: &S,
        columns: &str,
        narrowed: &Narrowed,
        (after, is_reversed): (Option<&P>, bool),
        (skip, limit): (u64, usize),
    ) -> Query {
        let mut query = s.query("SELECT ");
        query.push(columns).push(" FROM ");
        if self.beside.is_some() {
            query.push("(SELECT * FROM ");
        }
        self.write(narrowed, &mut query);
        let (sign, order) = if is_reversed {
            ("<", format!("{} DESC", self.order.join(" DESC, ")))
        } else {
            (">", self.order.join(", "))
        };
        if let Some(after) = after {
            let place = (self.place)(after);
            if let (Some(_), Some(column), Some(value)) =
                (self.known_to, self.order.first(), place.first())
            {
                // The order may go on into the other table: the index is told where to begin.
                query.push(&format!(" AND {column} {sign}= "));
                query.bind(value.clone());
            }
            query.push(&format!(" AND ({}) {sign} (", self.order.join(", ")));
            query.bind_all(place).push(")");
        }
        query.push(" ORDER BY ").push(&order).push(" LIMIT ");
        query.bind(limit);
        if skip > 0 {
            query.push(" OFFSET ").bind(skip);
        }
        if let Some((alias, tables)) = self.beside {
            query.push(") AS ").push(alias);
            for table in tables {
                query.look_beside(narrowed.organisation, *table);
            }
            query.push(" ORDER BY ").push(&order);
        }
        query
    }

    /// Looks at every row, a block at a time, until told to stop.
    pub(super) async fn walk<S: Snapshot>(
        &self,
        s: &mut S,
        narrowed: &Narrowed,
        look: impl FnMut(P, R) -> bool + Send,
    ) -> Result<(), StoreError>
    where
        P: Clone,
    {
        self.walk_on(s, narrowed, (None, false), look).await
    }

    /// Looks at every row after a place, in the list's order or in the reverse of it.
    async fn walk_on<S: Snapshot>(
        &self,
        s: &mut S,
        narrowed: &Narrowed,
        (after, is_reversed): (Option<P>, bool),
        mut look: impl FnMut(P, R) -> bool + Send,
    ) -> Result<(), StoreError>
    where
        P: Clone,
    {
        let mut after = after;
        loop {
            let from = (after.as_ref(), is_reversed);
            let rows = self.rows(s, narrowed, from, (0, BLOCK)).await?;
            let is_last = rows.len() < BLOCK;
            after = rows.last().map(|(place, _)| place.clone());
            for (place, row) in rows {
                if !look(place, row) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

impl<P: Position + Send + Sync, R: Send> Listing<'_, P, R> {
    /// A page of the list in its own order, or in the reverse of it.
    pub(super) async fn page<S: Snapshot>(
        &self,
        s: &mut S,
        list: List,
        (narrowed, kept): (&Narrowed, Kept<'_, R>),
        request: &PageRequest,
        after: Option<P>,
    ) -> Result<Page<R>, StoreError>
    where
        P: Clone,
    {
        let skip = match request.start {
            PageStart::First | PageStart::After(_) => 0,
            PageStart::Skip(rows) => rows,
        };
        let wanted = request.bounded_limit().saturating_add(1);
        let mut total = None;
        let mut rows = Vec::new();
        if let Some(kept) = kept {
            let mut left = skip;
            let look = |place: P, row: R| {
                if kept(&row) {
                    if left > 0 {
                        left = left.saturating_sub(1);
                    } else {
                        rows.push((place, row));
                    }
                }
                rows.len() < wanted
            };
            let from = (after, request.reversed);
            self.walk_on(s, narrowed, from, look).await?;
            if request.with_total {
                let mut all: u64 = 0;
                let look = |_: P, row: R| {
                    all = all.saturating_add(u64::from(kept(&row)));
                    true
                };
                self.walk(s, narrowed, look).await?;
                total = Some(all);
            }
        } else {
            let span = (skip, wanted);
            let from = (after.as_ref(), request.reversed);
            rows = self.rows(s, narrowed, from, span).await?;
            if request.with_total {
                total = Some(self.count(s, narrowed).await?);
            }
        }
        let request = PageRequest {
            start: PageStart::First,
            ..request.clone()
        };
        let places: Vec<P> = rows.iter().map(|(place, _)| place.clone()).collect();
        let rows = rows.into_iter().map(|(_, row)| row);
        Ok(list.page(&request, places.iter().zip(rows), total))
    }
}
