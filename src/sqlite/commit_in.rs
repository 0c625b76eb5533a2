//! Change sets in a transaction of the host's.

use std::path::PathBuf;

use rusqlite::{Connection, Transaction};

use super::error::OpenError;
use super::schema;
use super::session::{Session, finished};
use crate::sql::{Care, Refused, commit};
use crate::store::{ChangeSet, CommitError, CommitOutcome, StoreError, StoreErrorKind};

/// Makes the library's tables on a host's own connection, or brings them to the latest version.
/// [`SqliteStore::open`](super::SqliteStore::open) does so by itself.
///
/// # Errors
///
/// [`OpenError::Newer`], [`OpenError::Store`].
pub fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let path = connection.path().map_or_else(PathBuf::new, PathBuf::from);
    schema::migrate(connection, &path)
}

/// Applies a change set inside a transaction of the host's, with everything that
/// [`Repository::commit`](crate::store::Repository::commit) promises. What the host writes in the same transaction
/// is written with it or not at all. When this fails, nothing of the change set is left in the transaction, and
/// the host may go on with it.
///
/// Begin the transaction with [`TransactionBehavior::Immediate`](rusqlite::TransactionBehavior::Immediate): one
/// that begins by reading may fail as busy when it comes to write. `Applied` holds once the host's transaction is
/// committed.
///
/// # Errors
///
/// As [`Repository::commit`](crate::store::Repository::commit), but never `OutcomeUnknown`: that is for the host's
/// own commit to tell.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Code, Label, OrganisationId, Site, SiteId, SitePolicy, Timestamp};
/// use stocktake::sqlite::{self, rusqlite};
/// use stocktake::store::{ChangeSet, Command, CommandId, CommitOutcome, Digest, Outcome};
/// use uuid::Uuid;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut connection = rusqlite::Connection::open_in_memory()?;
/// sqlite::migrate(&mut connection)?;
/// connection.execute_batch("CREATE TABLE opened (site TEXT)")?;
///
/// let organisation = OrganisationId::new(Uuid::from_u128(1));
/// let site = Site {
///     id: SiteId::new(Uuid::from_u128(2)),
///     organisation,
///     external_id: Code::new("S-1")?,
///     name: Label::new("Harbour Street")?,
///     currency: "gbp".parse()?,
///     policy: SitePolicy::default(),
/// };
/// let mut changes = ChangeSet::new(
///     organisation,
///     Command {
///         id: CommandId::new("put_site", site.id),
///         digest: Digest::of("put_site").field(&site.name).finish(),
///         outcome: Outcome::Done,
///         at: Timestamp::EPOCH,
///     },
/// );
/// changes.insert(site);
///
/// let transaction =
///     connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
/// transaction.execute("INSERT INTO opened VALUES ('S-1')", [])?;
/// assert_eq!(sqlite::commit_in(&transaction, &changes)?, CommitOutcome::Applied);
/// transaction.commit()?;
/// # Ok(())
/// # }
/// ```
pub fn commit_in(
    transaction: &Transaction<'_>,
    changes: &ChangeSet,
) -> Result<CommitOutcome, CommitError> {
    let connection: &Connection = transaction;
    let mut session = Session::new(connection);
    applied(&mut session, changes)
}

/// Applies a change set on a savepoint; when that fails, nothing of it is left.
pub(super) fn applied<C: std::borrow::Borrow<Connection>>(
    session: &mut Session<C>,
    changes: &ChangeSet,
) -> Result<CommitOutcome, CommitError> {
    session.operation = "commit";
    let mut attempt = |care| -> Result<_, CommitError> {
        session.begin_part()?;
        let result = finished("commit", commit(session, changes, care));
        if result.is_err() {
            session.undo_part()?;
        }
        session.end_part()?;
        Ok(result)
    };
    match attempt(Care::Hopeful)? {
        Ok(outcome) => return Ok(outcome),
        Err(Refused::Surprised | Refused::For(CommitError::Conflict(_))) => {}
        Err(Refused::For(error)) => return Err(error),
    }
    match attempt(Care::Thorough)? {
        Ok(outcome) => Ok(outcome),
        Err(Refused::For(error)) => Err(error),
        // Nobody else writes: a unique key that nobody knows of does not agree with the rows.
        Err(Refused::Surprised) => {
            let error = StoreError::new(StoreErrorKind::Corrupt, "commit");
            Err(error.because(Astray).into())
        }
    }
}

/// Something stands in the way of a commit that is none of the records it names: nobody else writes meanwhile.
#[derive(Debug, thiserror::Error)]
#[error(
    "what is kept beside records (a name, the end of a ledger) does not follow from them: rebuild the stock of the site"
)]
struct Astray;
