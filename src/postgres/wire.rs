//! Connections, and how values go over them.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use deadpool_postgres::Object;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, GenericClient, Statement, Transaction};

use crate::sql::{Cell, Kind, Parameter, Row};

/// The most statements that a connection keeps prepared: filters make ever new ones.
const STATEMENTS: usize = 400;

/// Something that statements can be sent over.
pub(crate) trait Wire: Send + Sync {
    type Client: GenericClient + Send + Sync;

    fn client(&self) -> &Self::Client;

    /// The statement prepared, if it is to be.
    fn prepared(&self, text: &str)
    -> impl Future<Output = Result<Option<Statement>, Error>> + Send;

    /// Forgets what was prepared.
    fn forget(&self);
}

/// A connection of the pool.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(super) connection: Object,
    pub(super) keep_prepared: bool,
}

impl Wire for Pooled {
    type Client = Client;

    fn client(&self) -> &Client {
        &self.connection
    }

    async fn prepared(&self, text: &str) -> Result<Option<Statement>, Error> {
        if !self.keep_prepared {
            return Ok(None);
        }
        if self.connection.statement_cache.size() > STATEMENTS {
            self.forget();
        }
        self.connection.prepare_cached(text).await.map(Some)
    }

    fn forget(&self) {
        self.connection.statement_cache.clear();
    }
}

/// A transaction of the host's: nothing is kept on its connection.
pub(super) struct Hosted<'a, 'c>(pub(super) &'a Transaction<'c>);

impl<'c> Wire for Hosted<'_, 'c> {
    type Client = Transaction<'c>;

    fn client(&self) -> &Transaction<'c> {
        self.0
    }

    async fn prepared(&self, _: &str) -> Result<Option<Statement>, Error> {
        Ok(None)
    }

    fn forget(&self) {}
}

/// What a statement came to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<tokio_postgres::Row>,
    pub(super) touched: u64,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Rows,
    Count,
}

/// Sends a statement, and waits for what it comes to. It is sent when this is first polled.
pub(super) async fn ask(
    client: &(impl GenericClient + Sync),
    text: &str,
    statement: Option<&Statement>,
    parameters: &[Parameter],
    wanted: Wanted,
) -> Result<Answer, Error> {
    let bound: Vec<Bound<'_>> = parameters.iter().map(Bound).collect();
    let mut answer = Answer::default();
    if let Some(statement) = statement {
        let parameters: Vec<&(dyn ToSql + Sync)> =
            bound.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
        match wanted {
            Wanted::Rows => answer.rows = client.query(statement, &parameters).await?,
            Wanted::Count => answer.touched = client.execute(statement, &parameters).await?,
        }
    } else {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = bound
            .iter()
            .map(|it| (it as &(dyn ToSql + Sync), it.kind()))
            .collect();
        match wanted {
            Wanted::Rows => answer.rows = client.query_typed(text, &parameters).await?,
            Wanted::Count => answer.touched = client.execute_typed(text, &parameters).await?,
        }
    }
    Ok(answer)
}

/// A parameter on its way.
#[derive(Debug)]
struct Bound<'a>(&'a Parameter);

impl Bound<'_> {
    fn kind(&self) -> Type {
        match self.0 {
            Parameter::One(Cell::Null) => Type::UNKNOWN,
            Parameter::One(Cell::Int(_)) => Type::INT8,
            Parameter::One(Cell::Text(_)) => Type::TEXT,
            Parameter::One(Cell::Uuid(_)) => Type::UUID,
            Parameter::One(Cell::Bytes(_)) => Type::BYTEA,
            Parameter::Many(Kind::Int, _) => Type::INT8_ARRAY,
            Parameter::Many(Kind::Text, _) => Type::TEXT_ARRAY,
            Parameter::Many(Kind::Uuid, _) => Type::UUID_ARRAY,
            Parameter::Many(Kind::Bytes, _) => Type::BYTEA_ARRAY,
        }
    }
}

type Encoded = Result<IsNull, Box<dyn StdError + Sync + Send>>;

impl ToSql for Bound<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        match self.0 {
            Parameter::One(cell) => cell.to_sql(kind, out),
            Parameter::Many(_, cells) => cells.to_sql(kind, out),
        }
    }

    /// Every parameter is cast in its statement.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl ToSql for Cell {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(kind, out),
            // Only what a worker is called, or why a job failed, can have it; a text in the database can't.
            Self::Text(value) if value.contains('\0') => {
                value.replace('\0', "\u{fffd}").to_sql(kind, out)
            }
            Self::Text(value) => value.to_sql(kind, out),
            Self::Uuid(value) => value.to_sql(kind, out),
            Self::Bytes(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row as it was written; nothing else is ever stored.
pub(super) fn row(row: &tokio_postgres::Row) -> Option<Row> {
    let mut cells = Vec::with_capacity(row.len());
    for (nth, column) in row.columns().iter().enumerate() {
        cells.push(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(nth).ok()?.into(),
            Type::INT4 => {
                let value = row.try_get::<_, Option<i32>>(nth).ok()?;
                value.map(i64::from).into()
            }
            Type::TEXT => row.try_get::<_, Option<String>>(nth).ok()?.into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(nth).ok()?.into(),
            Type::UUID => row.try_get::<_, Option<uuid::Uuid>>(nth).ok()?.into(),
            _ => return None,
        });
    }
    Some(Row::new(cells))
}

/// A question on its way.
pub(super) type Asked<'a> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>>;

/// Sends all in their order before it waits for any: one round trip for all of them.
pub(super) async fn in_order(mut asked: Vec<Asked<'_>>) -> Vec<Result<Answer, Error>> {
    let mut answers: Vec<Option<Result<Answer, Error>>> = asked.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_ready = true;
        for (asked, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match asked.as_mut().poll(context) {
                    Poll::Ready(result) => *answer = Some(result),
                    Poll::Pending => is_ready = false,
                }
            }
        }
        if is_ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// Sends something whose answer nobody waits for. What is sent later comes after it.
pub(super) fn send(client: &(impl GenericClient + Sync), text: &str) {
    let said = pin!(client.batch_execute(text));
    // A connection that is gone has nothing open any more.
    if let Poll::Ready(Err(_)) = said.poll(&mut Context::from_waker(Waker::noop())) {}
}
