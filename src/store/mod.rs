//! The storage contract: what a backend implements, clause by clause.
//!
//! A backend implements [`Repository`] (records and the ledger) and [`JobQueue`] (queued work), usually over
//! the same tables, so that a job can be leased the moment the commit lands that it is born in. There is one
//! write, [`Repository::commit`], and it takes one value, the [`ChangeSet`]: no transaction object, so that
//! every run is a sequence of atomic calls.
//!
//! # Clauses of the repository
//!
//! | id | clause |
//! | --- | --- |
//! | R1 | **Atomicity.** A commit applies every part of its change set or none: records, events, entries, jobs, progress, acks, and the command's own record |
//! | R2 | **Expectations.** Guards and versions are evaluated at the commit, atomically with the writes. A conflict lists every part that was not as expected, and nothing is applied |
//! | R3 | **Versions.** An insert demands that the record is absent; its version is higher than any the key ever had. An update or a delete demands the version it names; an update makes it one higher |
//! | R4 | **Isolation.** Commits are linearizable. A single read sees one committed snapshot |
//! | R5 | **Read your writes.** After a commit returned, every later read through any handle sees it |
//! | R6 | **Tenancy.** Every key is one of an organisation. Rows of another do not exist: reads give nothing, writes conflict as with an id that was never used |
//! | R7 | **Event keys.** Within an organisation an event's id is unique, and so is its sequence within its stock key. Events and entries are never changed or deleted |
//! | R8 | **Epochs.** A commit guarded on a take's epoch (an inventory count's) and one that changes that epoch are serialised; afterwards no commit guarded on the old one applies. Commits guarded on the same epoch don't conflict with each other by it. The same holds of a guard on a site's version and a commit that changes the site |
//! | R9 | **Pages.** The order is total and does not change under a row. A cursor is exclusive and good only for its own list (another: [`StoreErrorKind::InvalidCursor`]). Rows that are there all the time appear exactly once in a walk by cursors, whatever comes and goes. A page beyond the end is empty |
//! | R10 | **Positions.** Each event gets the next position of its site at its commit: 1, 2, 3 ... in the order of commits, gap-free once visible. Time has no influence on it |
//! | R11 | **Totals.** Totals are those of exactly the lines that the list gives for the same filter |
//! | R12 | **Idempotency.** A command is remembered in its own commit, under its organisation and id. The same id with the same digest gives [`CommitOutcome::AlreadyApplied`] with the first outcome; with another digest [`CommitError::CommandReused`]. This is checked before anything else. A commit that fails remembers nothing |
//! | R13 | **Unknown outcomes.** A store that can't tell whether a commit landed says [`CommitError::OutcomeUnknown`], never that it failed. The same change set sent again, or [`Repository::settle`], answers for good, also while the first is in flight; after a *never* the first can't land any more |
//! | R14 | **Cancellation.** A dropped future leaves a commit applied or not, never partly, and no lock behind |
//! | R15 | **Size.** A change set of [`ChangeSet::MAX_SIZE`] parts is accepted; a larger one than the store takes is [`CommitError::TooLarge`] |
//! | R16 | **Values.** Quantities, values, texts and times come back exactly; times to the microsecond |
//! | R17 | **Unique names.** Within an organisation a site's external id and a product's article id are unique ([`Conflict::Taken`]) |
//! | R18 | **Durability.** What a durable store acknowledged survives the death of the process |
//!
//! # Clauses of the queue
//!
//! | id | clause |
//! | --- | --- |
//! | Q1 | A job is born in a commit and is there exactly if the commit is |
//! | Q2 | Delivery is at least once; the effect is single because the ack is part of the effect's commit. `enqueue` is idempotent by the job's id |
//! | Q3 | At most one lease of a job is live |
//! | Q4 | A lease is told by its attempt, which grows with each lease, also when a dead job is queued again and the attempts that are counted against its limit begin anew. Ack, extend and fail with another attempt, or on a job that is not running, are [`LeaseError::Lost`] and change nothing. Clocks decide when a job may be leased, never whether a token is good |
//! | Q5 | A lease that has expired is leased again by `lease` itself |
//! | Q6 | The attempt is counted when a job is leased. A job whose attempts are spent ends dead, also when its worker died each time |
//! | Q7 | A failed job is not leased before its time |
//! | Q8 | Due jobs are leased the longest due first; none is passed over for ever |
//! | Q9 | Progress only grows. Dead jobs stay listed until they are queued again; a job that succeeded or was refused is over for good |
//! | Q10 | Jobs are read within their organisation only |

mod article_sort;
mod change_set;
mod check;
mod command;
mod error;
mod filter;
mod job;
mod job_queue;
mod list;
mod mark;
mod page;
mod record;
mod repository;
mod sums;
mod version;

pub use article_sort::{ArticleColumn, ArticleRow, ArticleSort, SortValue};
pub use change_set::{ChangeSet, ChangeSetParts, Entry, Guard};
pub use check::{Facts, check};
pub use command::{Command, CommandId, Digest, DigestBuilder, IdempotencyKey, InvalidKey, Outcome};
pub use error::{CommitError, Conflict, LeaseError, StoreError, StoreErrorKind};
pub use filter::{
    ArticleFilter, Filter, InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter,
    InventoryOrderItemFilter, LevelFilter, StockAdjustmentFilter, StockTakeFilter,
    StockTakeItemFilter,
};
pub use job::{Job, JobAck, JobProgress, JobState, JobTask, Lease, LeaseToken, NewJob, Progress};
pub use job_queue::JobQueue;
pub use list::{List, Ranked};
pub use mark::{Altered, Mark, Position, Tokens};
pub use page::{Cursor, MAX_PAGE, Page, PageRequest, PageStart, list_digest};
pub use record::{
    Export, ExportChunk, ExportSubject, ImportChunk, ImportRow, OpenCount, Record, RecordKey,
    UniqueName, Write,
};
pub use repository::{
    ArticleView, CommitOutcome, CountingView, Repository, StockTakeItemView, StockTakeTotals,
};
pub use sums::TakeSums;
pub use version::{Version, Versioned};
