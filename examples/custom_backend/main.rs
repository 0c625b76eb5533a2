//! A store of one's own, written from the documentation of `stocktake::store` alone: where to begin with a backend.
//!
//! It is about as small as a store that keeps every clause can be: maps behind one lock, and no index, so that reading
//! costs what there is. What a backend over a database does otherwise is told where it matters. Read it in this order:
//!
//! 1. `main.rs`: what is kept, and the harness that runs the suite over it;
//! 2. `commit.rs`: the one write;
//! 3. `repository.rs`: what is read;
//! 4. `queue.rs`: the jobs.
//!
//! ```sh
//! cargo test --features conformance --example custom_backend   # the contract, clause by clause, as a test each
//! cargo run --features conformance --example custom_backend    # a tiny take on it
//! ```

mod commit;
mod queue;
mod repository;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stocktake::domain::{
    InventoryCount, InventoryCountItem, InventoryOrder, InventoryOrderItem, JobId, LedgerEntry,
    MovementPolicy, OrganisationId, PostingOptions, Product, Site, SiteId, StockAdjustment,
    StockEventId, StockImport, StockKey, StockLevel, StockTake, StockTakeId, StockTakeItem,
    StockTakeItemId, Supplier, Timestamp,
};
use stocktake::service::{Caller, CountRequest, Movement, NewStockTake};
use stocktake::store::{
    Command, CommandId, Entry, Export, ExportChunk, ImportChunk, Job, OpenCount, Record, RecordKey,
    SerialMark, Version, Versioned,
};
use stocktake::testing::Shop;

/// The store. A clone is another handle of it, as another process has one of a database.
#[derive(Clone, Default)]
struct CustomStore(Arc<Mutex<State>>);

/// All that there is. Every key begins with the organisation: that is tenancy (R6). In SQL these are the tables, and
/// their keys the primary keys.
#[derive(Default)]
struct State {
    records: BTreeMap<(OrganisationId, RecordKey), Versioned<Record>>,
    /// The highest version that a line of a take had when it was deleted: lines begin above it (R3).
    retired: BTreeMap<(OrganisationId, StockTakeId), Version>,
    /// How many commits of an organisation there were, and which one wrote a line last (R19). In SQL that is a column of the
    /// line with an index after its take. Where several commit at once, a number that was drawn first may be seen last: let
    /// a token stand before all that are on their way.
    commits: BTreeMap<OrganisationId, u64>,
    changed: BTreeMap<(OrganisationId, RecordKey), u64>,
    /// The ledger by key and sequence, which is unique (R7). In SQL it has three unique indexes: this one, one of ids,
    /// and one of the positions of a site.
    events: BTreeMap<(OrganisationId, StockKey, u64), LedgerEntry>,
    /// The last position of each site (R10).
    positions: BTreeMap<(OrganisationId, SiteId), u64>,
    /// Where each event is, by its id (R7).
    places: BTreeMap<(OrganisationId, StockEventId), (StockKey, u64)>,
    /// Acts of counting, in the order of commits (R7).
    entries: Vec<(OrganisationId, Entry)>,
    commands: BTreeMap<(OrganisationId, CommandId), Handled>,
    jobs: BTreeMap<(OrganisationId, JobId), Kept>,
}

/// A command that was handled: applied, or settled as never applied (R13).
struct Handled {
    at: Timestamp,
    command: Option<Command>,
}

/// A job, and how often it was leased in all its lives: what a token is checked by (Q4).
struct Kept {
    job: Job,
    leases: u32,
}

impl CustomStore {
    /// The lock is what makes a commit atomic (R1), commits and reads linearizable (R4, R5), and guards good until
    /// the end of their commit (R8). Nothing waits while it is held, so a dropped future leaves nothing behind (R14).
    ///
    /// A database does the same in a transaction. Two things are easy to get wrong there, at any level of isolation
    /// below serializable: a guard must lock the row that it has read (shared, for counters don't disturb each
    /// other), and positions come from a row of the site that is locked until the end, not from a sequence (R10).
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not what it holds: that is other people's data.
impl fmt::Debug for CustomStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomStore").finish_non_exhaustive()
    }
}

/// A kind of record.
trait Kind: Clone + 'static {
    fn of(record: &Record) -> Option<&Self>;
}

macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {$(
        impl Kind for $kind {
            fn of(record: &Record) -> Option<&Self> {
                match record {
                    Record::$kind(value) => Some(value),
                    _ => None,
                }
            }
        }
    )+};
}

kinds!(
    Site,
    Product,
    Supplier,
    StockTake,
    StockTakeItem,
    InventoryCount,
    OpenCount,
    InventoryCountItem,
    StockAdjustment,
    InventoryOrder,
    InventoryOrderItem,
    StockImport,
    ImportChunk,
    Export,
    ExportChunk,
    StockLevel,
    SerialMark,
);

impl State {
    /// A record by its key.
    fn record<T: Kind>(
        &self,
        organisation: OrganisationId,
        key: RecordKey,
    ) -> Option<Versioned<T>> {
        let record = self.records.get(&(organisation, key))?;
        let value = T::of(&record.value)?.clone();
        Some(Versioned {
            version: record.version,
            value,
        })
    }

    /// A record of any kind by its key.
    fn get(&self, organisation: OrganisationId, key: &RecordKey) -> Option<Versioned<Record>> {
        self.records.get(&(organisation, key.clone())).cloned()
    }

    /// All records of a kind, in no order that anybody may rely on.
    fn all<T: Kind>(&self, organisation: OrganisationId) -> impl Iterator<Item = Versioned<&T>> {
        let records = self.records.iter();
        let ours = records.filter(move |((whose, _), _)| *whose == organisation);
        ours.filter_map(|(_, record)| {
            let value = T::of(&record.value)?;
            Some(Versioned {
                version: record.version,
                value,
            })
        })
    }
}

/// A shop opens on the store, counts two of its lines and posts them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let shop = Shop::on(Arc::new(CustomStore::default()));
    shop.open().await?;
    let (manager, counter) = (Caller::of(&shop.manager), Caller::of(&shop.counter));
    let takes = shop.stocktake.stock_takes();
    let new = NewStockTake {
        site: shop.site.id,
        description: "January".parse()?,
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager, new).await?.id();
    shop.run_jobs().await?;

    let line = |number: usize| StockTakeItemId::for_key(take, &shop.key(number));
    let counts = [
        (line(0), CountRequest::set(38.into())),
        (line(1), CountRequest::set(41.into())),
    ];
    takes.count_lines(&counter, take, &counts).await?;
    let sale = Movement::Issue {
        key: shop.key(0),
        quantity: 5.into(),
    };
    let stock = shop.stocktake.stock();
    stock.record(&manager, shop.site.id, &[sale.into()]).await?;
    takes
        .submit(&manager, take, PostingOptions::default())
        .await?;

    for number in 0..3 {
        let on_hand = shop.on_hand(&shop.key(number)).await?;
        println!("{}: {on_hand} on hand", shop.products[number].name);
    }
    let is_sound = stock.verify(&manager, shop.site.id).await?.is_sound();
    println!("the levels are those of the ledger: {is_sound}");
    Ok(())
}

#[cfg(test)]
mod suite {
    use stocktake::conformance::Harness;

    use super::CustomStore;

    struct Custom;

    impl Harness for Custom {
        type Store = CustomStore;

        async fn fresh(&self) -> CustomStore {
            CustomStore::default()
        }

        async fn second_handle(&self, store: &CustomStore) -> CustomStore {
            store.clone()
        }

        /// What it holds is gone with its process: it promises no durability (R18).
        async fn crash_image(&self, _: &CustomStore) -> Option<CustomStore> {
            None
        }
    }

    stocktake::conformance!(Custom);
}
