//! Statements on one connection.

use std::sync::Arc;

use tokio_postgres::GenericClient as _;

use super::error::{Meaning, failed};
use super::locks;
use super::place::Place;
use super::wire::{Answer, Asked, Wanted, Wire, ask, in_order, row, send};
use crate::sql::{Dialect, Held, Query, Row, Snapshot, Transaction};
use crate::store::{StoreError, StoreErrorKind};

/// Something to be sent with what comes next.
enum Queued {
    Say(String),
    /// With how many rows it must touch.
    Run(Query, Option<u64>),
}

/// What comes after everything that is sent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Commit,
}

/// A transaction on a connection.
pub(crate) struct Session<W: Wire> {
    wire: W,
    place: Arc<Place>,
    pub(super) operation: &'static str,
    queued: Vec<Queued>,
    /// Whether a transaction was begun here that has to be ended here.
    is_open: bool,
    /// Whether a commit was asked for.
    is_ending: bool,
    /// What the last failure meant.
    pub(super) meaning: Option<Meaning>,
}

impl<W: Wire> Session<W> {
    pub(super) fn new(wire: W, place: Arc<Place>, operation: &'static str) -> Self {
        Self {
            wire,
            place,
            operation,
            queued: Vec::new(),
            is_open: false,
            is_ending: false,
            meaning: None,
        }
    }

    /// Begins to write, with the first statement.
    pub(super) fn begin_writing(&mut self) {
        let begin = self.place.begin_writing.clone();
        self.queued.push(Queued::Say(begin));
    }

    /// Begins to read, with the first statement.
    pub(super) fn begin_reading(&mut self) {
        let begin = self.place.begin_reading.clone();
        self.queued.push(Queued::Say(begin));
    }

    /// Notes what went wrong.
    fn wrong(&mut self, error: &tokio_postgres::Error) -> StoreError {
        let meaning = Meaning::of(error);
        if meaning == Meaning::Stale {
            self.wire.forget();
        }
        self.meaning = Some(meaning);
        failed(self.operation, error)
    }

    /// Says something, after what is queued.
    pub(super) async fn say(&mut self, text: &str) -> Result<(), StoreError> {
        self.finish().await?;
        let said = self.wire.client().batch_execute(text).await;
        said.map_err(|error| self.wrong(&error))
    }

    /// Sends what is queued, and a last statement, in one round trip.
    /// What was to touch so many rows and did not is a surprise.
    async fn flush(&mut self, last: Option<(&Query, Wanted)>) -> Result<Answer, StoreError> {
        let queued = std::mem::take(&mut self.queued);
        self.sent(&queued, last, Then::GoOn).await
    }

    async fn sent(
        &mut self,
        queued: &[Queued],
        last: Option<(&Query, Wanted)>,
        then: Then,
    ) -> Result<Answer, StoreError> {
        match self.send_all(queued, last, then).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                self.meaning = Some(Meaning::Surprise);
                Err(StoreError::new(StoreErrorKind::Busy, self.operation))
            }
            Err(error) => Err(self.wrong(&error)),
        }
    }

    /// Waits for everything that was put off.
    pub(super) async fn finish(&mut self) -> Result<(), StoreError> {
        if self.queued.is_empty() {
            return Ok(());
        }
        self.flush(None).await.map(drop)
    }

    async fn send_all(
        &mut self,
        queued: &[Queued],
        last: Option<(&Query, Wanted)>,
        then: Then,
    ) -> Result<Option<Answer>, tokio_postgres::Error> {
        let mut ready = Vec::new();
        let queued_queries = queued.iter().map(|it| match it {
            Queued::Say(text) => Err(text),
            Queued::Run(query, _) => Ok((query, Wanted::Count)),
        });
        for step in queued_queries.chain(last.map(Ok)) {
            ready.push(match step {
                Err(text) => Err(text),
                Ok((query, wanted)) => {
                    if let Some(listener) = &self.place.options.on_statement {
                        listener(&query.text);
                    }
                    let text = self.place.qualified(&query.text);
                    let statement = self.wire.prepared(&text).await?;
                    Ok((text, statement, query, wanted))
                }
            });
        }
        let client = self.wire.client();
        let mut asked: Vec<Asked<'_>> = Vec::with_capacity(ready.len());
        for step in &ready {
            asked.push(match step {
                Err(text) => {
                    self.is_open = true;
                    Box::pin(async move {
                        client.batch_execute(text).await?;
                        Ok(Answer::default())
                    })
                }
                Ok((text, statement, query, wanted)) => Box::pin(ask(
                    client,
                    text,
                    statement.as_ref(),
                    &query.parameters,
                    *wanted,
                )),
            });
        }
        if then == Then::Commit {
            asked.push(Box::pin(async move {
                client.batch_execute("COMMIT").await?;
                Ok(Answer::default())
            }));
            self.is_open = false;
            self.is_ending = true;
        }
        let mut answer = Answer::default();
        let mut is_expected = true;
        let mut expected = queued.iter().map(|it| match it {
            Queued::Say(_) => None,
            Queued::Run(_, rows) => *rows,
        });
        for result in in_order(asked).await {
            answer = result?;
            let rows = expected.next().flatten();
            is_expected &= rows.is_none_or(|rows| rows == answer.touched);
        }
        Ok(is_expected.then_some(answer))
    }

    /// Undoes what was done since a savepoint, and forgets what was queued.
    pub(super) async fn undo_to(&mut self, text: &str) -> Result<(), StoreError> {
        self.queued.clear();
        self.say(text).await
    }

    /// Ends a transaction that only read. Nobody waits for it.
    pub(super) fn end_reading(&mut self) {
        self.queued.clear();
        if std::mem::take(&mut self.is_open) {
            send(self.wire.client(), "COMMIT");
        }
    }

    /// Undoes everything, and waits until what was locked is free. A connection that is lost has undone it.
    pub(super) async fn undo(&mut self) {
        self.queued.clear();
        if std::mem::take(&mut self.is_open) {
            let undone = self.wire.client().batch_execute("ROLLBACK").await;
            debug_assert!(
                undone.is_ok() || undone.is_err_and(|it| Meaning::of(&it) == Meaning::Lost),
                "a transaction can be rolled back"
            );
        }
    }

    /// Commits, with what was put off, in one round trip: when one of those fails, the server rolls back instead.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        // It would not fail for what touches another number of rows than it should.
        let is_counted = |it: &Queued| matches!(it, Queued::Run(_, Some(_)));
        if self.queued.iter().any(is_counted) {
            self.finish().await?;
        }
        if !self.is_open && self.queued.is_empty() {
            return Ok(());
        }
        let queued = std::mem::take(&mut self.queued);
        self.sent(&queued, None, Then::Commit).await.map(drop)
    }

    /// Whether the transaction may have been committed although nobody said so: the connection was lost after that was
    /// asked for.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_ending && self.meaning == Some(Meaning::Lost)
    }
}

impl<W: Wire> Drop for Session<W> {
    /// Whoever gave up in the middle leaves nothing open on a connection that goes back to the pool.
    fn drop(&mut self) {
        if self.is_open {
            send(self.wire.client(), "ROLLBACK");
        }
    }
}

impl<W: Wire> Snapshot for Session<W> {
    const DIALECT: Dialect = Dialect::Postgres;

    fn operation(&self) -> &'static str {
        self.operation
    }

    async fn rows(&mut self, query: &Query) -> Result<Vec<Row>, StoreError> {
        let answer = self.flush(Some((query, Wanted::Rows))).await?;
        let rows: Option<Vec<Row>> = answer.rows.iter().map(row).collect();
        rows.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, self.operation))
    }
}

impl<W: Wire> Transaction for Session<W> {
    const LOCK: &'static str = " FOR UPDATE";
    const SKIP_LOCKED: &'static str = " FOR UPDATE OF t SKIP LOCKED";
    const REWRITES_INDEXES: bool = false;
    const PARTS: u8 = 16;

    async fn run(&mut self, query: &Query) -> Result<u64, StoreError> {
        let answer = self.flush(Some((query, Wanted::Count))).await?;
        Ok(answer.touched)
    }

    async fn expect(&mut self, mut query: Query, rows: Option<u64>) -> Result<bool, StoreError> {
        // What must be new may as well fail when it is not: then nothing has to be counted before the commit.
        if rows.is_some()
            && let Some(plain) = query.text.strip_suffix(" ON CONFLICT DO NOTHING")
        {
            query.text.truncate(plain.len());
            self.queued.push(Queued::Run(query, None));
            return Ok(true);
        }
        self.queued.push(Queued::Run(query, rows));
        Ok(true)
    }

    async fn hold(&mut self, held: Held) -> Result<(), StoreError> {
        for query in locks::hold(&self.place, Self::PARTS, held) {
            self.queued.push(Queued::Run(query, None));
        }
        Ok(())
    }
}
