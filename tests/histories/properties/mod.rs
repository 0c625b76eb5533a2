//! What always holds, over random sequences of operations through the service, against a model that is written
//! from the rules, not from the code.
//!
//! A case is a seed: three sites (one for each way of costing, with random policies), every kind of actor, stock
//! that moves, takes that are made, counted, posted, reopened, copied and removed, jobs, retries, clocks that jump.
//! After each step, what it booked is compared with the model: levels, layers, ledger; and what it touched, on stores
//! that are slow after some of them: takes, lines, totals. After every two hundred steps, everything is, and the ledgers
//! are verified.
//!
//! The same cases run on every store that is built in, fewer of them on a slower one.
//! `STOCKTAKE_TEST_OPERATIONS` tells how many steps there are in all, `STOCKTAKE_SEED` plays one case again.

#![allow(
    clippy::too_many_lines,
    reason = "a model of an operation is one `match` over what can be asked, and reads best in one piece"
)]
#![allow(
    clippy::comparison_chain,
    clippy::needless_pass_by_value,
    clippy::similar_names,
    clippy::unused_self,
    reason = "the model's words, not its speed"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Leaves with a message when something does not hold.
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            return Err(format!($($message)*));
        }
    };
}

mod amounts;
mod case;
mod operation;
mod random;
mod shop;
mod stock;
mod takes;

use crate::stores::{Kind, Stores};
use case::Case;

/// How many steps a plain `cargo test` does in all, in memory.
const OPERATIONS: u64 = 20_000;
/// A store in a file does so many times fewer.
#[cfg(feature = "sqlite")]
const FEWER_IN_A_FILE: u64 = 10;
/// A store on a server does so many times fewer.
#[cfg(feature = "postgres")]
const FEWER_ON_A_SERVER: u64 = 50;
/// Such stores are slow: what a step touched is looked at after each of so many.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
const RARELY: u64 = 10;
/// How many steps a case has.
const STEPS: u64 = 1_000;

#[test]
fn what_always_holds() {
    hold_on(Kind::Memory, 1, 1);
}

#[cfg(feature = "sqlite")]
#[test]
fn what_always_holds_in_a_file() {
    hold_on(Kind::Sqlite, FEWER_IN_A_FILE, RARELY);
}

#[cfg(feature = "postgres")]
#[test]
fn what_always_holds_on_a_server() {
    hold_on(Kind::Postgres, FEWER_ON_A_SERVER, RARELY);
}

fn hold_on(kind: Kind, fewer: u64, rarely: u64) {
    let operations = number_from("STOCKTAKE_TEST_OPERATIONS").unwrap_or(OPERATIONS) / fewer;
    let (first, end) = match number_from("STOCKTAKE_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, operations.div_ceil(STEPS)),
    };
    let stores = Stores::of(kind);
    let next = AtomicU64::new(first);
    let stop = AtomicBool::new(false);
    let failed = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    if let Err(problem) = play(&stores, seed, rarely) {
                        stop.store(true, Ordering::Relaxed);
                        failed.lock().unwrap().push((seed, problem));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some((seed, problem)) = failed.into_iter().min() {
        panic!("STOCKTAKE_SEED={seed} fails.\n{problem}");
    }
}

/// Plays a case.
fn play(stores: &Stores, seed: u64, rarely: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut case = Case::begin(stores, seed, rarely).await?;
        for _ in 0..STEPS {
            case.step().await?;
        }
        case.end().await
    })
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap())
}
