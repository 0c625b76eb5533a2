//! Stock takes, inventory counts, adjustments, orders and imports, over one exact, append-only ledger.
//!
//! An application embeds this crate to run its stock. It counts correctly while stock moves, posts exactly once
//! whatever is retried, raced or crashed, and keeps every quantity and every value to the last digit. Storage and
//! queue are traits ([`store`]): an in-memory reference ships with the crate, and behind features a store in a SQLite
//! file, one in a PostgreSQL database, and the suite that every other store must pass.
//!
//! # Quickstart
//!
//! ```
//! use std::sync::Arc;
//! use stocktake::domain::*;
//! use stocktake::jobs::Worker;
//! use stocktake::memory::MemoryStore;
//! use stocktake::service::*;
//! use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
//! use uuid::Uuid;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let stocktake = Stocktake::new(Arc::new(MemoryStore::new()));
//!
//! // The host says who acts; a manager may do everything.
//! let organisation = OrganisationId::new(Uuid::from_u128(1));
//! let user = UserSummary { id: UserId::new(Uuid::from_u128(2)), email: None, first_name: "Ann".into(), last_name: "Lee".into() };
//! let ann = Caller::of(&Actor { organisation, user, role: Role::Manager, sites: SiteAccess::All });
//!
//! // The host keeps its own tables and pushes what stock needs.
//! let shop = SiteId::new(Uuid::from_u128(3));
//! let tea = ProductId::new(Uuid::from_u128(4));
//! stocktake.catalogue().put_site(&ann, Site {
//!     id: shop, organisation, external_id: "store-1".parse()?, name: "High Street".parse()?,
//!     currency: "gbp".parse()?, policy: SitePolicy::default(),
//! }).await?;
//! stocktake.catalogue().put_products(&ann, vec![Product::new(tea, organisation, "TEA".parse()?, "Tea".parse()?)]).await?;
//!
//! // Forty come in at 2.50.
//! let shelf = StockKey::plain(shop, tea);
//! let unit_cost = Some("2.50".parse()?);
//! let arrival = Movement::Receipt { key: shelf.clone(), quantity: 40.into(), unit_cost };
//! stocktake.stock().record(&ann, shop, &[arrival.into()]).await?;
//!
//! // A take: a job adds the lines, somebody finds 38, meanwhile 5 are sold, and it is posted.
//! let takes = stocktake.stock_takes();
//! let new = NewStockTake { site: shop, description: "January".parse()?, movement_policy: MovementPolicy::default() };
//! let take = takes.create(&ann, new).await?;
//! Worker::new(&stocktake, "worker").run_all_due().await?;
//! let lines = takes.items(&ann, take.id(), &StockTakeItemFilter::default(), ArticleSort::default(), &PageRequest::first(25)).await?;
//! takes.count(&ann, take.id(), lines.items[0].item.value.id, CountRequest::set(38.into())).await?;
//! let sale = Movement::Issue { key: shelf.clone(), quantity: 5.into() };
//! stocktake.stock().record(&ann, shop, &[sale.into()]).await?;
//! takes.submit(&ann, take.id(), PostingOptions::default()).await?;
//!
//! // What was sold after the count stays sold: 38 - 5.
//! assert_eq!(stocktake.stock().level(&ann, &shelf).await?.quantity(), 33.into());
//! assert!(stocktake.stock().verify(&ann, shop).await?.is_sound());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How data flows
//!
//! ```text
//! command + Stamp { actor, at }
//!    │            load (Versioned<T>)
//!    ▼                 ▼
//! service ──► aggregate.transition(..)     pure, sync: no clock, no ids, no IO
//!    │                 ▼
//!    │        the next state; StockLevel also makes the ledger events
//!    ▼                 ▼
//! ChangeSet { command, guards, writes, events, entries, jobs, progress, acks }
//!    │
//!    ▼  Repository::commit(&ChangeSet)     one atomic write, all or nothing
//! records + ledger + jobs ──► JobQueue::lease ──► Worker ──► ChangeSet { .., acks }
//! ```
//!
//! A request goes down once and comes back once. Nothing below calls up.
//!
//! # The rooms
//!
//! | room | what is in it | who reads it |
//! | --- | --- | --- |
//! | [`service`] | the use cases: [`Stocktake`](service::Stocktake) and its parts | who adds the crate as a dependency |
//! | [`domain`] | the rules, pure: values, levels, layers, state machines | who wants to know why |
//! | [`store`] | the storage contract, clause by clause | who writes a backend |
//! | [`operations`] | what the library does: S1.1 to S6.22 | everybody, where such a number stands |
//! | [`documents`] | what comes in and goes out as a file | who reads or writes such files itself |
//! | [`files`] | places for the files of jobs beside the store | who keeps them in a folder or a bucket |
//! | [`memory`] | the reference backend | tests, small applications |
//! | [`jobs`] | the worker; the host owns the loop | who runs workers |
#![cfg_attr(
    feature = "sqlite",
    doc = "| [`sqlite`] | the embedded default: a store in one file | who adds the crate as a dependency |"
)]
#![cfg_attr(
    feature = "postgres",
    doc = "| [`postgres`] | a store in a PostgreSQL database | who runs many machines |"
)]
#![cfg_attr(
    feature = "testing",
    doc = "| [`testing`] | manual clock, sequential ids, a ready-made shop | who tests an application |"
)]
#![cfg_attr(
    feature = "conformance",
    doc = "| [`conformance`](mod@conformance) | the suite that every store must pass | who writes a backend |"
)]
//!
//! # What always holds
//!
//! 1. A level is the sum of its key's events, and each event's before is the last one's after.
//! 2. A take is posted at most once between reopenings.
//! 3. A count recorded while posting begins is in the posting or refused, never lost.
//! 4. What moved between counting and posting is not overwritten ([`domain::MovementPolicy`]).
//! 5. All of one operation lands together or not at all.
//! 6. Of two writers of one record one wins, and the other decides again or is told. Counters on different
//!    lines never conflict.
//! 7. The same idempotency key with the same request gives the first result ([`service::Caller::with_key`]).
//! 8. Nothing crosses an organisation.
//! 9. The ledger is append-only; a correction is a new event.
//! 10. Cost layers sum to the level, decreases take the oldest first, and value out plus value left is value in.
//! 11. A serial number is on hand at one key only, in its product or in all of them ([`domain::SerialScope`]).
//! 12. What moves within a site never changes the sum of its values; an event and its reversal sum to nothing, but for what
//!     the reversal names as gone ([`domain::StockEvent::difference`]).
//! 13. Every job ends, and every phase of a document has a way out.
//!
//! # The words
//!
//! A *stock key* is the smallest thing with a quantity: site, product and, where they apply, variant, stock place,
//! batch, serial ([`domain::StockKey`]). *Zero on hand* and *not stocked* differ: a delisted key enters no take.
//! *Uncounted* is never zero. *Expected* is what the book said when the line was counted. A *variance* is counted
//! minus expected; its value is variance times unit cost, rounded once. Quantities are exact, with up to six
//! fraction digits ([`domain::Quantity`]); values keep six digits beyond the currency's own
//! ([`domain::Value`]) and are rounded half away from zero where an amount leaves the library
//! ([`domain::Money`]). Times are UTC, to the microsecond ([`domain::Timestamp`]).
//!
//! # Decisions beside the design
//!
//! - A counted line keeps its key's *own sequence* as the ledger position, not the site's: the level and its
//!   sequence are one record, so a count reads both at once, and posting asks for the key's events after it.
//! - A transition returns the next state only. Ledger events come out of [`domain::StockLevel`], which alone
//!   knows before, after and cost; an aggregate would have nothing to put into a list of events.
//! - Removing a take hides it: one write, whatever its size, and its entries stay for whoever asks who counted what.
//! - The id of a line follows from take and key, that of a posted event from line and round, that of a reversal
//!   from the reversed event: nothing can be added, posted or taken back twice, on any store with unique ids.
//!
//! - What is recorded is guarded by the version of its site, so that closing a period, or forbidding stock below zero,
//!   holds for all that is recorded after it.
//! - Cost layers stand in the order in which goods were *received*, whenever that was told: goods that come back or
//!   from another key keep their place.
//! - A serial number that a take or a count finds where the book does not have it moves there when the same document
//!   counts it away from where the book has it. Otherwise the line can't be posted, and says where the number is:
//!   of two places that contradict each other neither is taken for the truth.
//! - A stock import states no costs: what it brings to a key whose cost nobody knows is worth nothing until a cost is stated
//!   ([`service::Movement::Revalue`]), and says so ([`domain::CostPart::cost_unknown`]).
//! - A count in parts (*add*) is posted at the moment of its last part, and judged from its first.
//! - A call of the service gives a boxed future ([`service::Pending`]) from a function that is never inlined, and so do the
//!   methods of the stores: the work behind it is compiled once, in the library, and not again in each program.
//! - The SQL stores share a room of their own: which tables there are, how records stand in them, and what a commit
//!   looks up, checks and writes is one text for both engines, so that they can't drift apart. A record is a row of the
//!   columns that lists, totals and checks need, and a body in a form that lasts (`store::codec`).
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | (none) | everything but the following; no server, no files, no runtime |
//! | `testing` | [`testing`](https://docs.rs/stocktake/latest/stocktake/testing/): for the tests of an embedding application |
//! | `conformance` | [`conformance`](https://docs.rs/stocktake/latest/stocktake/conformance/): the suite that every store must pass (takes in `testing`, and tokio) |
//! | `codec` | [`store::codec`](https://docs.rs/stocktake/latest/stocktake/store/codec/): all that a store keeps, as bytes, for whoever writes one over keys and bytes |
//! | `sqlite` | [`sqlite`](https://docs.rs/stocktake/latest/stocktake/sqlite/): a store in one file, SQLite built in; no runtime |
//! | `postgres` | [`postgres`](https://docs.rs/stocktake/latest/stocktake/postgres/): a store in a PostgreSQL database, over a deadpool (takes in tokio) |
//! | `object-store` | `files::ObjectFiles`: the files of jobs in S3, GCS, Azure or whatever an `object_store` is over |
//! | `smtp` | `jobs::SmtpMailer`: mail over SMTP, by lettre with rustls (takes in tokio) |
//! | `xlsx` | exports as workbooks of Excel beside CSV ([`service::Exports`]) |
//! | `pdf` | [`documents::pdf`](https://docs.rs/stocktake/latest/stocktake/documents/pdf/): count sheets, receipts and orders to print, with a font in the library |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod documents;
pub mod domain;
pub mod files;
pub mod jobs;
pub mod memory;
pub mod operations;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod service;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
