//! Queries and where they are asked.

use std::fmt::Write as _;
use std::future::Future;

use uuid::Uuid;

use super::cell::{Cell, Kind, Row, Unreadable};
use crate::domain::{OrganisationId, SearchText};
use crate::store::StoreError;

/// How engines differ in what they are told.
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres")),
    allow(dead_code, reason = "each engine is a feature")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Rows of parameters are `VALUES`, in blocks of a few sizes, so that statements are prepared once.
    Sqlite,
    /// Rows of parameters are arrays.
    Postgres,
}

/// A parameter of a query.
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "one engine reads it")
)]
#[derive(Clone, Debug)]
pub(crate) enum Parameter {
    One(Cell),
    /// A column of a [`Dialect::Postgres`] block.
    Many(Kind, Vec<Cell>),
}

/// A query that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    dialect: Dialect,
    pub(crate) text: String,
    pub(crate) parameters: Vec<Parameter>,
}

impl Query {
    pub(crate) fn new(dialect: Dialect, text: &str) -> Self {
        let mut query = Self {
            dialect,
            text: String::with_capacity(text.len().saturating_add(200)),
            parameters: Vec::new(),
        };
        query.push(text);
        query
    }

    /// Adds text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn parameter(&mut self, parameter: Parameter) {
        self.parameters.push(parameter);
        match self.dialect {
            Dialect::Sqlite => self.text.push('?'),
            Dialect::Postgres => {
                let written = write!(self.text, "${}", self.parameters.len());
                debug_assert!(written.is_ok(), "writing to a string does not fail");
            }
        }
    }

    /// Adds a parameter.
    pub(crate) fn bind(&mut self, value: impl Into<Cell>) -> &mut Self {
        let value = value.into();
        let cast = match (self.dialect, &value) {
            (Dialect::Sqlite, _) | (Dialect::Postgres, Cell::Null) => "",
            (Dialect::Postgres, Cell::Int(_)) => "::bigint",
            (Dialect::Postgres, Cell::Text(_)) => "::text",
            (Dialect::Postgres, Cell::Uuid(_)) => "::uuid",
            (Dialect::Postgres, Cell::Bytes(_)) => "::bytea",
        };
        self.parameter(Parameter::One(value));
        self.push(cast)
    }

    /// Adds parameters with commas between them.
    pub(crate) fn bind_all(&mut self, values: impl IntoIterator<Item = Cell>) -> &mut Self {
        for (nth, value) in values.into_iter().enumerate() {
            if nth > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self
    }

    fn array(&mut self, kind: Kind, values: Vec<Cell>) -> &mut Self {
        self.parameter(Parameter::Many(kind, values));
        self.push(match kind {
            Kind::Int => "::bigint[]",
            Kind::Text => "::text[]",
            Kind::Uuid => "::uuid[]",
            Kind::Bytes => "::bytea[]",
        })
    }

    /// Says, after a column, that it has one of some values. For [`Dialect::Postgres`] it is one statement however many
    /// these are.
    pub(crate) fn is_any_of(&mut self, kind: Kind, values: Vec<Cell>) -> &mut Self {
        match self.dialect {
            Dialect::Sqlite => self.push(" IN (").bind_all(values),
            Dialect::Postgres => self.push(" = ANY(").array(kind, values),
        };
        self.push(")")
    }

    /// Says that a text stands in a column of folded texts.
    pub(crate) fn contains(&mut self, column: &str, text: &SearchText) -> &mut Self {
        self.push(match self.dialect {
            Dialect::Sqlite => "instr(",
            Dialect::Postgres => "strpos(",
        });
        self.push(column).push(", ");
        self.bind(text.folded()).push(") > 0")
    }

    /// Adds a table that is looked into for each row before it; rows that find nothing are left out. `lock` is what keeps
    /// the rows of the table from changing.
    pub(crate) fn find(
        &mut self,
        organisation: OrganisationId,
        lookup: Lookup<'_>,
        lock: &str,
    ) -> &mut Self {
        self.look_up(false, organisation, lookup, (&[], lock))
    }

    /// Adds a table that is looked into for each row before it; rows that find nothing stay.
    pub(crate) fn look_beside(
        &mut self,
        organisation: OrganisationId,
        lookup: Lookup<'_>,
    ) -> &mut Self {
        self.look_up(true, organisation, lookup, (&[], ""))
    }

    /// As [`find`](Self::find), for rows that also have these values.
    pub(crate) fn find_with(
        &mut self,
        organisation: OrganisationId,
        lookup: Lookup<'_>,
        values: &[(&'static str, Cell)],
    ) -> &mut Self {
        self.look_up(false, organisation, lookup, (values, ""))
    }

    /// `PostgreSQL`, while it does not know what a table holds, takes two columns that are given for the whole key: it
    /// would read all lines of a take to find one, and go on so for as long as it keeps the statement's plan. It looks
    /// for each row by itself what stands before `OFFSET 0`. The organisation is a parameter there, so that no other
    /// one's part of the table is opened.
    fn look_up(
        &mut self,
        all_stay: bool,
        organisation: OrganisationId,
        Lookup { table, alias, key }: Lookup<'_>,
        (values, lock): (&[(&'static str, Cell)], &str),
    ) -> &mut Self {
        self.push(if all_stay { " LEFT" } else { " CROSS" });
        match self.dialect {
            Dialect::Sqlite => self.push(&format!(" JOIN {table} AS {alias} ON ")),
            Dialect::Postgres => self.push(&format!(
                " JOIN LATERAL (SELECT * FROM {table} AS {alias} WHERE "
            )),
        };
        self.push(alias).push(".organisation = ");
        self.bind(organisation.as_uuid());
        self.push(" AND ").push(key);
        for (column, value) in values {
            self.push(&format!(" AND {alias}.{column} = "));
            self.bind(value.clone());
        }
        match self.dialect {
            Dialect::Sqlite => self.push(lock),
            Dialect::Postgres => {
                let on = if all_stay { " ON true" } else { "" };
                self.push(&format!(" OFFSET 0{lock}) AS {alias}{on}"))
            }
        }
    }

    /// Adds rows of parameters as a table `w` with columns `column1`, `column2` ...
    pub(crate) fn table(&mut self, kinds: &[Kind], rows: Vec<Vec<Cell>>) -> &mut Self {
        match self.dialect {
            Dialect::Sqlite => {
                let mut one = String::from(",(?");
                one.extend(kinds.iter().skip(1).map(|_| ",?"));
                one.push(')');
                let all = one.repeat(rows.len());
                self.push("(VALUES ").push(all.get(1..).unwrap_or_default());
                self.push(") AS w");
                self.parameters
                    .reserve(rows.len().saturating_mul(kinds.len()));
                for row in rows {
                    self.parameters.extend(row.into_iter().map(Parameter::One));
                }
            }
            Dialect::Postgres => {
                let mut columns: Vec<Vec<Cell>> = kinds
                    .iter()
                    .map(|_| Vec::with_capacity(rows.len()))
                    .collect();
                for row in rows {
                    for (column, cell) in columns.iter_mut().zip(row) {
                        column.push(cell);
                    }
                }
                self.push("unnest(");
                for (nth, (kind, column)) in kinds.iter().zip(columns).enumerate() {
                    if nth > 0 {
                        self.push(", ");
                    }
                    self.array(*kind, column);
                }
                self.push(") AS w(");
                for nth in 1..=kinds.len() {
                    let comma = if nth > 1 { ", " } else { "" };
                    let written = write!(self.text, "{comma}column{nth}");
                    debug_assert!(written.is_ok(), "writing to a string does not fail");
                }
                self.push(")");
            }
        }
        self
    }
}

/// A table that is looked into once for each row of others, by the beginning of a key that ends with what these rows
/// tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup<'a> {
    pub(crate) table: &'a str,
    pub(crate) alias: &'a str,
    /// What the key is, after the organisation.
    pub(crate) key: &'a str,
}

/// A table that is read along an index. [`Dialect::Sqlite`] is told which: it knows nothing of what the table holds, and
/// would often go through all that one document has. [`Dialect::Postgres`] looks at its tables, and at which index the
/// query speaks of.
pub(crate) fn along(dialect: Dialect, table: &str, alias: &str, index: Option<&str>) -> String {
    match (dialect, index) {
        (Dialect::Sqlite, Some(index)) => format!("{table} AS {alias} INDEXED BY {index}"),
        (Dialect::Sqlite, None) | (Dialect::Postgres, _) => format!("{table} AS {alias}"),
    }
}

/// How many rows are few: they are sorted when they are read, rather than looked for along an index that leads past many more.
pub(crate) const FEW: usize = 1_000;

/// Rows in blocks of the sizes that a dialect takes at a time.
pub(crate) fn blocks<T>(dialect: Dialect, rows: Vec<T>) -> Vec<Vec<T>> {
    let sizes: &[usize] = match dialect {
        Dialect::Sqlite => &[100, 10, 1],
        Dialect::Postgres => &[10_000],
    };
    let mut blocks = Vec::new();
    let mut left = rows.len();
    let mut rows = rows.into_iter();
    for size in sizes {
        let is_last = sizes.last() == Some(size);
        while left >= *size || (is_last && left > 0) {
            let block: Vec<T> = rows.by_ref().take(*size).collect();
            left = left.saturating_sub(block.len());
            blocks.push(block);
        }
    }
    blocks
}

/// One committed state of the database, to be read.
pub(crate) trait Snapshot {
    const DIALECT: Dialect;

    /// What is being done, for errors.
    fn operation(&self) -> &'static str;

    /// The rows of a query.
    fn rows(&mut self, query: &Query) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// A query that begins so.
    fn query(&self, text: &str) -> Query {
        Query::new(Self::DIALECT, text)
    }
}

/// The decoded rows of a query.
pub(crate) async fn all<S: Snapshot, T>(
    s: &mut S,
    query: &Query,
    read: impl Fn(&mut Row) -> Result<T, Unreadable>,
) -> Result<Vec<T>, StoreError> {
    let rows = s.rows(query).await?;
    let operation = s.operation();
    rows.into_iter()
        .map(|mut row| read(&mut row).map_err(|cause| cause.during(operation)))
        .collect()
}

/// The decoded first row of a query.
pub(crate) async fn first<S: Snapshot, T>(
    s: &mut S,
    query: &Query,
    read: impl Fn(&mut Row) -> Result<T, Unreadable>,
) -> Result<Option<T>, StoreError> {
    Ok(all(s, query, read).await?.into_iter().next())
}

/// A transaction that writes.
pub(crate) trait Transaction: Snapshot {
    /// What a query of one table ends with that must keep its rows from changing.
    const LOCK: &'static str;

    /// What a query ends with that takes rows which nobody else holds.
    const SKIP_LOCKED: &'static str;

    /// Whether a column that is set to what it was already costs its indexes.
    const REWRITES_INDEXES: bool;

    /// In how many parts totals are kept.
    const PARTS: u8;

    /// Runs a statement, and tells how many rows it touched.
    fn run(&mut self, query: &Query) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Runs a statement that touches exactly so many rows, if that matters, and tells whether it did. A transaction may
    /// put it off and take it for granted: it fails later, or at its end, when it was not so.
    fn expect(
        &mut self,
        query: Query,
        rows: Option<u64>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Keeps what is shared from changing, and what is changed from being shared, until the end.
    fn hold(&mut self, held: Held) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a commit holds of an organisation's documents.
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "one engine reads it")
)]
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) organisation: OrganisationId,
    /// A number under [`Transaction::PARTS`], spread evenly over commits.
    pub(crate) part: i64,
    /// What it guards.
    pub(crate) shared: Vec<Uuid>,
    /// What it changes that others guard.
    pub(crate) changed: Vec<Uuid>,
}
