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
//! | R2 | **Expectations.** Guards and versions are evaluated at the commit, atomically with the writes. A conflict lists every part that was not as expected, in any order, and nothing is applied. Of two parts of one change set that exclude each other (two events with one id, one name for two records) the later one is told: in the order of writing, records in that of their keys. A line, or a count entry, needs its document, in the store or in the change set ([`Conflict::Missing`] of the document); nothing else needs another record |
//! | R3 | **Versions.** An insert demands that the record is absent; its version is [`Version::FIRST`]. An update or a delete demands the version it names; an update makes it one higher, also when nothing differs. Only records that a [`DeletableKey`] names are ever deleted, and nothing need be remembered of them: a key that comes back begins at [`Version::FIRST`] again. The lines of a stock take alone begin higher once an earlier commit has deleted some: [one above](#records-that-come-back) the highest version that any deleted line of the take had |
//! | R4 | **Isolation.** Commits are linearizable. A single read sees one committed snapshot |
//! | R5 | **Read your writes.** After a commit returned, every later read through any handle sees it |
//! | R6 | **Tenancy.** Every key is one of an organisation. Rows of another do not exist: reads give nothing, writes conflict as with an id that was never used |
//! | R7 | **Event keys.** Within an organisation an event's id is unique, and so is its sequence within its stock key. Events and entries are never changed or deleted, also not with the line that they belong to. Ids of entries are the caller's and say nothing to the store: it keeps every entry, in the order of commits and, within one, of writing. Sequences need not come in order; an event needs no level |
//! | R8 | **Epochs.** A commit guarded on a take's epoch (an inventory count's) and one that changes that epoch are serialised; afterwards no commit guarded on the old one applies. Commits guarded on the same epoch don't conflict with each other by it. The same holds of a guard on a site's version and a commit that changes the site |
//! | R9 | **Pages.** The order is total, and told [below](#the-order-of-lists). A cursor is exclusive and good only for its own list: the same method, organisation, parent, filter and sort (any other, and a text that is no cursor: [`StoreErrorKind::InvalidCursor`]). Rows that are there all the time, and don't change what they are sorted by, appear exactly once in a walk by cursors, whatever comes and goes. A page beyond the end is empty; the page that ends with the last row has no next one |
//! | R10 | **Positions.** Each event gets the next position of its site at its commit: 1, 2, 3 ... in the order of commits, gap-free once visible. Within a commit they go in the order of writing. A commit that is refused uses none up. Time has no influence on it |
//! | R11 | **Totals.** Totals are those of exactly the lines that the list gives for the same filter. They are right however many lines there are, each of the largest amount: a sum of 64-bit amounts is a 128-bit one, and no total fails because it is large |
//! | R12 | **Idempotency.** A command is remembered in its own commit, under its organisation and id. The same id with the same digest gives [`CommitOutcome::AlreadyApplied`] with the first outcome; with another digest [`CommitError::CommandReused`]. This is checked before anything else, then the size, then the leases of acks ([`CommitError::LeaseLost`]), then all the rest ([`CommitError::Conflict`]). A commit that fails remembers nothing. What was [purged](Purge) is forgotten: its id is new again |
//! | R13 | **Unknown outcomes.** A store that can't tell whether a commit landed says [`CommitError::OutcomeUnknown`], never that it failed. The same change set sent again, or [`Repository::settle`], answers for good, also while the first is in flight; after a *never* the first can't land any more, and whatever is sent under its id is [`CommitError::Voided`], until the never itself is purged: settling counts as handling, at the moment it is given |
//! | R14 | **Cancellation.** A dropped future leaves a commit applied or not, never partly, and no lock behind |
//! | R15 | **Size.** A change set of [`ChangeSet::MAX_SIZE`] parts is accepted; a larger one than the store takes is [`CommitError::TooLarge`] |
//! | R16 | **Values.** Every field of every record, event, entry, job and outcome comes back exactly, over the whole range of its type: texts code point by code point, neither folded, normalised nor trimmed; times to the microsecond, before 1970 and to the ends of the calendar. Counters (`u64`: lines, sequences, epochs, progress) go up to 2^63 - 1. Texts are compared byte by byte, but where a filter or a sort folds them |
//! | R17 | **Unique names.** Within an organisation a site's external id and a product's article id are unique ([`Conflict::Taken`]), as they are after the commit: two products may swap theirs, and one that is given up is free |
//! | R18 | **Durability.** What a durable store acknowledged survives the death of the process |
//! | R19 | **What changed since.** A [`ChangeToken`] stands between the commits of an organisation. [`stock_take_view`](Repository::stock_take_view) gives with each page the token of the snapshot that the page is of. Given a token, it lists the lines that were inserted or updated by any commit which the token's snapshot did not show, however long before that the commit was begun, and whichever handle wrote or reads. It may list others as well, and the same ones again; it never leaves one out. Tokens that are given out later are never lower. A token is good for all takes of its organisation; [`ChangeToken::BEGINNING`] lists every line, and so does a token that is ahead of the store. A line that was deleted is on no list, so it is not told; the totals of its take are without it. Further pages are asked for with the same token as the first one, and the first one's is the token to go on with. Finding which lines changed costs by what changed, not by the size of the take. [`articles`](Repository::articles) keeps the same for [`changed_since`](ArticleFilter::changed_since): an article is changed when its level or its product is. Its token is what [`change_token`](Repository::change_token) gave before it was asked |
//! | R20 | **Purging.** A purge forgets at most as many rows as it may, none whose time has not come, and none of another organisation; asked again and again it forgets all of them. Nothing else is ever forgotten |
//! | R21 | **What is kept beside.** What a store keeps beside records and events, for lists, totals and positions, follows from them in every committed state. [`Repository::unlike`] tells what does not, because somebody else changed it, and never what does. A store that keeps nothing of the kind has nothing to tell. [`Repository::unlike_events`] tells the same of events |
//! | R22 | **Mending.** [`Repository::mend`] makes what is kept beside some records follow from them, at one moment among the commits: none that lands meanwhile is lost or counted twice. It tells what it changed, and changes nothing else: no record, no version, no event, nothing of another organisation. Where all is as it should be it tells nothing |
//!
//! # Clauses of the queue
//!
//! | id | clause |
//! | --- | --- |
//! | Q1 | A job is born in a commit and is there exactly if the commit is |
//! | Q2 | Delivery is at least once; the effect is single because the ack is part of the effect's commit. `enqueue` is idempotent by the job's id. Job ids are unique within an organisation, in every state ([`Conflict::JobExists`]) |
//! | Q3 | At most one lease of a job is live |
//! | Q4 | A lease is told by its attempt, which grows with each lease, also when a dead job is queued again and the attempts that are counted against its limit begin anew. Ack, extend, fail and release with another attempt, or on a job that is not running, are [`LeaseError::Lost`] and change nothing. Clocks decide when a job may be leased, never whether a token is good |
//! | Q5 | A lease that has expired is leased again by `lease` itself. At the very moment that it was given until it has expired. Extending a lease never makes it shorter |
//! | Q6 | The attempt is counted when a job is leased, and no more when the lease is handed back (`release`): the token stays used up, the attempt is free again. A job whose attempts are spent ends dead, also when its worker died each time: then on the way of the next `lease` for which it would have been due, with the error of the last attempt that told one. One that may not be tried at all (`max_attempts` 0) ends dead in the same way |
//! | Q7 | A failed job is not leased before its time |
//! | Q8 | Due jobs are leased the longest due first (a job since its `run_at`, an expired lease since its end), of the same age the smaller id first; none is passed over for ever. Among workers that ask at the same time the order is open |
//! | Q9 | Progress only grows: with less done than is known nothing changes, else both numbers are taken. Dead jobs stay listed until they are queued again, the oldest first by when they were born, of the same age the smaller id first; a job that succeeded or was refused is over for good. Settling or refusing ends a job that is queued or running; one that has ended, or is nobody's, stays as it is. Progress of a job that is nobody's is ignored. The last error is cut to 2,000 bytes, between characters |
//! | Q10 | Jobs are read within their organisation only |
//! | Q11 | `lease` gives jobs of the kinds that it is asked for and changes no other: those wait for somebody who can do them, however long they are due. Asked for no kind it gives nothing. `unfinished` counts the jobs of one kind that are queued or running, and `open_jobs` lists those of all kinds. A job that has ended is listed by `dead_jobs` or by `over_jobs`, until it is queued again or purged |
//! | Q12 | Purging forgets jobs that ended before the moment it is told, at most as many as it may, of its organisation, and only such as it is asked for: those that are dead, or those that are over. Whatever waits or runs stays. The id of a job that was purged is new again |
//!
//! # The order of lists
//!
//! | list | in the order of |
//! | --- | --- |
//! | [`levels_page`](Repository::levels_page) | their keys ([`StockKey`](crate::domain::StockKey) says how keys compare) |
//! | [`stock_takes`](Repository::stock_takes), [`stock_adjustments`](Repository::stock_adjustments), [`inventory_orders`](Repository::inventory_orders) | when they were created, then their ids |
//! | [`inventory_counts`](Repository::inventory_counts) | when they were started, then their ids |
//! | [`inventory_count_items`](Repository::inventory_count_items) | when they were counted first, then their ids |
//! | [`inventory_order_items`](Repository::inventory_order_items) | their line, then their ids |
//! | [`stock_take_items`](Repository::stock_take_items), [`stock_take_view`](Repository::stock_take_view), [`articles`](Repository::articles) | the sort ([`ArticleColumn`]); rows that are equal in it by line and id, articles by key; descending is the exact reverse |
//! | [`open_jobs`](JobQueue::open_jobs), [`dead_jobs`](JobQueue::dead_jobs) | when they were born, then their ids |
//! | [`events_after`](Repository::events_after) | their keys, then their sequences |
//! | [`ledger`](Repository::ledger) | their positions |
//! | [`ledger_by_key`](Repository::ledger_by_key) | their keys, then their sequences |
//! | [`product_ids_after`](Repository::product_ids_after) | the ids |
//! | [`serial_marks`](Repository::serial_marks), [`serial_marks_after`](Repository::serial_marks_after) | their numbers, then their products, those of all products first |
//!
//! Any of these that comes in pages is turned round by [`PageRequest::reversed`]: its rows come in exactly the reverse order,
//! sorted lists with what they are equal in, and a cursor is good for the direction that it came from.
//!
//! Ids compare by their bytes. A document is listed at the site, and by the time, that it has now. A line that is sorted
//! by what changes by itself (on hand, reserved, counted) may be missed or seen again in a walk when that changes.
//! A removed take or order is on no list unless asked for by its state, but can be read by its id, with its lines.
//!
//! # What stays fast
//!
//! Whoever counts asks these again and again, on a take of a million lines as on one of a thousand. A store answers them along
//! an index, and looks through neither the take nor the catalogue. The suite does not measure time; the benchmarks of the
//! shipped stores do (`-- reads`).
//!
//! | read | what it must not grow with |
//! | --- | --- |
//! | records by their keys ([`get`](Repository::get)), [`counting_view`](Repository::counting_view), [`products_by_article`](Repository::products_by_article), [`products_by_barcode`](Repository::products_by_barcode) | anything |
//! | a page of a take's lines by [`Line`](ArticleColumn::Line), [`Article`](ArticleColumn::Article), [`Name`](ArticleColumn::Name) or [`StockPlace`](ArticleColumn::StockPlace), in either direction, after a cursor | the lines of the take |
//! | the lines of an article, a batch, a serial number or a stock place; those that are counted, not counted or left over | the other lines of the take |
//! | [`stock_take_totals`](Repository::stock_take_totals) of all lines, or by status | the lines of the take |
//! | a page of a site's [`articles`](Repository::articles) by [`Article`](ArticleColumn::Article) or [`Name`](ArticleColumn::Name) | the stock of the site |
//! | a page of any other list in its own order, after a cursor | the list |
//!
//! What grows, and is asked less often: the other columns, brands, categories and suppliers, a text that is looked for, the
//! total of what these leave, and pages by number, which count the rows before them.
//!
//! # Records that come back
//!
//! A version tells two states of a record apart, also across a deletion, where somebody may hold it from before. That is so
//! of the lines of a stock take only: whoever counts one may have seen its version days ago
//! ([`CountRequest::if_version`](crate::service::CountRequest::if_version)), and a line that was removed and added again
//! has the same id. So a store keeps one number for each take: the highest version that any of its lines had when it was deleted (R3).
//!
//! Of every other record that is deleted, the library never decides by the version alone. The same commit names the
//! version of something that nobody could delete and bring back the record without changing:
//!
//! | record | what is written with it |
//! | --- | --- |
//! | [`OpenCount`] | the inventory count that it names |
//! | [`SerialMark`] | the level of the key that holds the unit |
//! | a line of an order | no id of such a line is used twice |
//! | [`ImportChunk`], [`ExportChunk`] | the import, or the export |
//!
//! # What keeps a store honest
//!
//! The feature `conformance` is the suite that every store must pass, clause by clause, as a test each.

mod article_sort;
mod change_set;
mod change_token;
mod check;
#[cfg(feature = "codec")]
pub mod codec;
mod command;
mod error;
mod export;
mod file_store;
mod filter;
mod job;
mod job_queue;
mod list;
mod mark;
mod page;
mod record;
mod record_key_bytes;
mod repository;
mod repository_ext;
mod said;
mod sums;
mod version;

pub use article_sort::{ArticleColumn, ArticleRow, ArticleSort, SortValue};
pub use change_set::{ChangeSet, ChangeSetParts, Entry, Guard};
pub use change_token::ChangeToken;
pub use check::{Facts, check};
pub use command::{Command, CommandId, Digest, DigestBuilder, IdempotencyKey, InvalidKey, Outcome};
pub use error::{CommitError, Conflict, LeaseError, StoreError, StoreErrorKind};
pub use export::{
    ColumnSum, CountSheetForm, Export, ExportChunk, ExportForm, ExportFormat, ExportStyle,
    ExportSubject,
};
pub use file_store::{FilePart, FileStore};
pub use filter::{
    ArticleFilter, Filter, InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter,
    InventoryOrderItemFilter, LevelFilter, MAX_FILTER_IDS, StockAdjustmentFilter, StockEventFilter,
    StockTakeFilter, StockTakeItemFilter, TooManyIds,
};
pub use job::{
    EndedJobs, Job, JobAck, JobKind, JobProgress, JobState, JobTask, Lease, LeaseToken, NewJob,
    Progress,
};
pub use job_queue::JobQueue;
pub use list::{List, Ranked, Sorting};
pub use mark::{Altered, Mark, Position, Tokens};
pub use page::{Cursor, MAX_PAGE, Page, PageRequest, PageStart, list_digest};
pub(crate) use record::SummedDocument;
pub use record::{
    DeletableKey, ImportChunk, ImportRow, OpenCount, Record, RecordKey, SerialMark, UniqueName,
    Write,
};
pub use record_key_bytes::InvalidRecordKey;
pub use repository::{
    ArticleView, CommitOutcome, CountedLine, CountingView, Purge, Repository, StockTakeItemView,
    StockTakeTotals, StockTakeView, Unlike, UnlikeEvent,
};
pub use repository_ext::RepositoryExt;
pub use sums::TakeSums;
pub use version::{Version, Versioned};
