//! Statements on one connection.

use std::borrow::Borrow;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};
use uuid::Uuid;

use super::error::failed;
use crate::sql::{Cell, Dialect, Held, Parameter, Query, Row, Snapshot, Transaction};
use crate::store::{StoreError, StoreErrorKind};

/// A connection, and what is being done on it.
#[derive(Debug)]
pub(crate) struct Session<C> {
    pub(super) connection: C,
    pub(super) operation: &'static str,
    /// Whether the whole transaction is of one piece of work: then it needs no savepoint, for which SQLite would copy
    /// every page that it changes.
    pub(super) is_alone: bool,
}

impl<C: Borrow<Connection>> Session<C> {
    pub(super) const fn new(connection: C) -> Self {
        Self {
            connection,
            operation: "open",
            is_alone: false,
        }
    }

    /// Begins something that is undone by [`undo_part`](Self::undo_part), and otherwise ended by
    /// [`end_part`](Self::end_part).
    pub(super) fn begin_part(&self) -> Result<(), StoreError> {
        if self.is_alone {
            Ok(())
        } else {
            self.say("SAVEPOINT part")
        }
    }

    /// Undoes what was begun last; it is begun anew then. Nothing is left to undo when SQLite has undone everything by
    /// itself, as it does when the disk is full.
    pub(super) fn undo_part(&self) -> Result<(), StoreError> {
        if self.connection.borrow().is_autocommit() {
            return Ok(());
        }
        if self.is_alone {
            self.say("ROLLBACK")?;
            self.say("BEGIN IMMEDIATE")
        } else {
            self.say("ROLLBACK TO part")
        }
    }

    pub(super) fn end_part(&self) -> Result<(), StoreError> {
        if self.is_alone || self.connection.borrow().is_autocommit() {
            Ok(())
        } else {
            self.say("RELEASE part")
        }
    }

    /// Runs a statement without parameters.
    pub(super) fn say(&self, statement: &str) -> Result<(), StoreError> {
        let connection = self.connection.borrow();
        let run = || connection.prepare_cached(statement)?.execute([]);
        run().map_err(|error| failed(self.operation, error))?;
        Ok(())
    }

    fn all_rows(&self, query: &Query) -> Result<Vec<Row>, StoreError> {
        let read = || {
            let connection = self.connection.borrow();
            let mut statement = connection.prepare_cached(&query.text)?;
            let columns = statement.column_count();
            bind(&mut statement, &query.parameters)?;
            let mut rows = statement.raw_query();
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let mut cells = Vec::with_capacity(columns);
                for column in 0..columns {
                    let Some(cell) = cell(row.get_ref(column)?) else {
                        return Ok(None);
                    };
                    cells.push(cell);
                }
                found.push(Row::new(cells));
            }
            Ok(Some(found))
        };
        let rows = read().map_err(|error| failed(self.operation, error))?;
        rows.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, self.operation))
    }

    fn execute(&self, query: &Query) -> Result<u64, StoreError> {
        let run = || {
            let connection = self.connection.borrow();
            let mut statement = connection.prepare_cached(&query.text)?;
            bind(&mut statement, &query.parameters)?;
            statement.raw_execute()
        };
        let touched = run().map_err(|error| failed(self.operation, error))?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }
}

fn bind(
    statement: &mut rusqlite::Statement<'_>,
    parameters: &[Parameter],
) -> Result<(), rusqlite::Error> {
    for (nth, parameter) in (1..).zip(parameters) {
        match parameter {
            Parameter::One(cell) => statement.raw_bind_parameter(nth, Bound(cell))?,
            Parameter::Many(..) => return Err(rusqlite::Error::InvalidQuery),
        }
    }
    Ok(())
}

/// A cell as a parameter, without a copy.
struct Bound<'a>(&'a Cell);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Cell::Null => ValueRef::Null,
            Cell::Int(value) => ValueRef::Integer(*value),
            Cell::Text(value) => ValueRef::Text(value.as_bytes()),
            Cell::Uuid(value) => ValueRef::Blob(value.as_bytes()),
            Cell::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// A value as it was written; nothing else is ever stored.
fn cell(value: ValueRef<'_>) -> Option<Cell> {
    match value {
        ValueRef::Null => Some(Cell::Null),
        ValueRef::Integer(value) => Some(Cell::Int(value)),
        ValueRef::Real(_) => None,
        ValueRef::Text(value) => Some(Cell::Text(std::str::from_utf8(value).ok()?.to_owned())),
        ValueRef::Blob(value) => {
            Some(Uuid::from_slice(value).map_or_else(|_| Cell::Bytes(value.to_owned()), Cell::Uuid))
        }
    }
}

impl<C: Borrow<Connection>> Snapshot for Session<C> {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn rows(&mut self, query: &Query) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send {
        ready(self.all_rows(query))
    }
}

/// There is one writer at a time, so nothing has to be held.
impl<C: Borrow<Connection>> Transaction for Session<C> {
    const LOCK: &'static str = "";
    const SKIP_LOCKED: &'static str = "";
    const REWRITES_INDEXES: bool = true;
    const PARTS: u8 = 1;

    fn run(&mut self, query: &Query) -> impl Future<Output = Result<u64, StoreError>> + Send {
        ready(self.execute(query))
    }

    fn expect(
        &mut self,
        query: Query,
        rows: Option<u64>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        let touched = self.execute(&query);
        ready(touched.map(|touched| rows.is_none_or(|rows| rows == touched)))
    }

    fn hold(&mut self, _: Held) -> impl Future<Output = Result<(), StoreError>> + Send {
        ready(Ok(()))
    }
}

/// The end of a future that never waits: every statement on a session has run when its future is there.
pub(super) fn finished<T, F: From<StoreError>>(
    operation: &'static str,
    future: impl Future<Output = Result<T, F>>,
) -> Result<T, F> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(StoreError::new(StoreErrorKind::Corrupt, operation).into()),
    }
}
