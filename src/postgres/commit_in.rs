//! Change sets in a transaction of the host's.

use std::sync::Arc;

use tokio_postgres::Transaction;

use super::session::Session;
use super::store::{Patience, PostgresStore, finished, next};
use super::wire::Hosted;
use crate::sql::Care;
use crate::store::{ChangeSet, CommitError, CommitOutcome};

impl PostgresStore {
    /// Applies a change set inside a transaction of the host's, on any connection to the same database, with
    /// everything that [`Repository::commit`](crate::store::Repository::commit) promises. What the host writes in the
    /// same transaction is written with it or not at all. When this fails as
    /// [`Conflict`](CommitError::Conflict), [`CommandReused`](CommitError::CommandReused),
    /// [`Voided`](CommitError::Voided), [`TooLarge`](CommitError::TooLarge) or
    /// [`LeaseLost`](CommitError::LeaseLost), nothing of the change set is left in the transaction, and the host may go
    /// on with it. After [`Store`](CommitError::Store), and when the future is dropped, roll it back.
    ///
    /// Begin the transaction at `READ COMMITTED`: at a stricter level it fails as busy whenever others were
    /// faster. `Applied` holds once the host's transaction is committed, and until then what it locks stays
    /// locked: keep it short, and change nothing else of the library's in another transaction meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Repository::commit`](crate::store::Repository::commit), but never `OutcomeUnknown`: that is for the host's
    /// own commit to tell.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # use stocktake::postgres::{PostgresStore, tokio_postgres};
    /// # use stocktake::store::ChangeSet;
    /// # async fn both(
    /// #     store: &PostgresStore,
    /// #     client: &mut tokio_postgres::Client,
    /// #     changes: &ChangeSet,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let transaction = client.transaction().await?;
    /// transaction.execute("INSERT INTO opened VALUES ('S-1')", &[]).await?;
    /// store.commit_in(&transaction, changes).await?;
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn commit_in(
        &self,
        transaction: &Transaction<'_>,
        changes: &ChangeSet,
    ) -> Result<CommitOutcome, CommitError> {
        let mut patience = Patience::new();
        let mut care = Care::Hopeful;
        loop {
            let wire = Hosted(transaction);
            let mut session = Session::new(wire, Arc::clone(&self.place), "commit");
            session.say("SAVEPOINT stk_changes").await?;
            let result = finished(&mut session, changes, care).await;
            let meaning = session.meaning;
            match result {
                Ok(outcome) => {
                    session.say("RELEASE SAVEPOINT stk_changes").await?;
                    return Ok(outcome);
                }
                Err(refused) => {
                    let undo = "ROLLBACK TO SAVEPOINT stk_changes; RELEASE SAVEPOINT stk_changes";
                    let undone = session.undo_to(undo).await;
                    care = next(refused, meaning, care, &mut patience)?;
                    undone?;
                }
            }
        }
    }
}
