//! Stock that moves while it is counted (S6.2), through the service, over random histories of one key: overlapping takes
//! that are posted in any order, absolute values, and movements that are recorded in time, late, or after everything.
//!
//! Histories in which what was posted is taken back ([`reopened`]) end at the truth:
//!
//! - where something is known (by a posted count that was not superseded, or by an absolute value, that was not
//!   taken back) the level is the truth;
//! - where nothing is, or no longer, the level is what the movements alone make of the first book.
//!
//! Histories in which counts are told late, have parts, or are of any policy ([`told_late`]) are compared with a brute-force
//! model of the truth after each step.
//!
//! Histories in which the clock is ahead for a while ([`clocks`]) are at the truth wherever it is known.
//!
//! `STOCKTAKE_TEST_HISTORIES` tells how many histories there are, `STOCKTAKE_SEED` plays one of them again. A
//! history that fails is told in its shortest form that still fails.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stocktake::domain::{Quantity, StockKey};
use stocktake::service::{Caller, Error, Movement, NewMovement};
use stocktake::testing::{Shop, shop};

mod clocks;
mod reopened;
mod told_late;
mod truth;

use clocks::Mended;
use reopened::{Kind, Reopened};
use told_late::ToldLate;

/// How many histories a plain `cargo test` plays of each kind.
const HISTORIES: u64 = 2_000;
/// Verifying replays the ledger, which costs: one history in so many does it.
const VERIFIED: u64 = 50;

#[test]
fn the_level_ends_at_the_truth() {
    play_all(|seed| Reopened::of(Kind::Counting, seed));
}

#[test]
fn what_is_taken_back_is_known_no_longer() {
    play_all(|seed| Reopened::of(Kind::TakingBack, seed));
}

#[test]
fn counts_that_are_told_late_are_of_their_own_time() {
    play_all(ToldLate::of);
}

#[test]
fn a_clock_that_was_ahead_spoils_nothing_for_good() {
    play_all(Mended::of);
}

/// A random history.
trait History: Clone + fmt::Display {
    /// How many steps it has.
    fn len(&self) -> usize;

    /// The same, but for a step.
    fn without(&self, index: usize) -> Self;

    /// Plays it.
    fn play(&self, verify: bool) -> Result<(), String>;

    /// The shortest history that still fails: steps are left out as long as that is so.
    fn shortest_failing(&self, verify: bool) -> Self {
        let mut shortest = self.clone();
        let mut index = 0;
        while index < shortest.len() {
            let shorter = shortest.without(index);
            if shorter.play(verify).is_err() {
                shortest = shorter;
                index = 0;
            } else {
                index += 1;
            }
        }
        shortest
    }
}

/// Plays as many histories as are asked for, on all cores.
fn play_all<H: History>(of: impl Fn(u64) -> H + Sync) {
    let (first, end) = match number_from("STOCKTAKE_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (
            0,
            number_from("STOCKTAKE_TEST_HISTORIES").unwrap_or(HISTORIES),
        ),
    };
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
                    let played = of(seed).play(seed.is_multiple_of(VERIFIED));
                    if played.is_err() {
                        stop.store(true, Ordering::Relaxed);
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some(seed) = failed.into_iter().min() {
        let verify = seed.is_multiple_of(VERIFIED);
        let history = of(seed).shortest_failing(verify);
        let problem = history.play(verify).err().unwrap_or_default();
        panic!("STOCKTAKE_SEED={seed} fails. The shortest form of it:\n{history}{problem}");
    }
}

/// Runs to the end.
fn run(history: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .map_err(|error| error.to_string())?
        .block_on(history)
}

/// A shop whose book has so many of its first product, at one key.
async fn opened(book: i64) -> Result<(Shop, Caller), String> {
    let mut shop = shop();
    shop.site.policy.allow_negative = true;
    shop.site.policy.allow_zero_cost = true;
    let manager = Caller::of(&shop.manager);
    let catalogue = shop.stocktake.catalogue();
    let put = catalogue.put_site(&manager, shop.site.clone()).await;
    put.map_err(told)?;
    let products = vec![shop.products[0].clone()];
    let put = catalogue.put_products(&manager, products).await;
    put.map_err(told)?;
    let first = [shop.receipt(0, quantity(book))];
    let stock = shop.stocktake.stock();
    let recorded = stock.record(&manager, shop.site.id, &first).await;
    recorded.map_err(told)?;
    Ok((shop, manager))
}

/// The movement that changes the stock by so many, in one of its forms.
fn movement(shop: &Shop, change: i64, how: u64) -> NewMovement {
    let key = shop.key(0);
    let unit_cost = how
        .is_multiple_of(2)
        .then(|| shop.products[0].standard_cost(shop.site.currency))
        .flatten();
    let amount = quantity(change.abs());
    let movement = match (how % 3, change > 0) {
        (0, _) => Movement::Adjust {
            key,
            change: quantity(change),
            unit_cost,
        },
        (_, true) => Movement::Receipt {
            key,
            quantity: amount,
            unit_cost,
        },
        (_, false) => Movement::Issue {
            key,
            quantity: amount,
        },
    };
    movement.into()
}

/// The events of a key, for people.
async fn key_history(shop: &Shop, manager: &Caller, key: &StockKey) -> Result<String, String> {
    let stock = shop.stocktake.stock();
    let events = stock.key_events(manager, key, 0).await.map_err(told)?;
    let lines = events.iter().map(|event| {
        let (kind, change) = (event.kind.as_str(), event.change);
        let (sequence, occurred_at, timed) = (event.sequence, event.occurred_at, event.timed);
        format!("{sequence:>4}: {kind} {change} of {occurred_at} (timed: {timed})")
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// So many thousandths of so many.
fn share_of(all: usize, share: u64) -> usize {
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    (share * (all + 1) / 1_001).min(all)
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap())
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn told(error: Error) -> String {
    format!("{}: {error}", error.code())
}

fn quantity(whole: i64) -> Quantity {
    Quantity::try_from(whole).unwrap()
}

/// One of them, if there is any.
fn pick<T>(of: impl Iterator<Item = T>, which: u64) -> Option<T> {
    let mut all: Vec<T> = of.collect();
    if all.is_empty() {
        return None;
    }
    let index = usize::try_from(which >> 8).unwrap() % all.len();
    Some(all.swap_remove(index))
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Zero or more, less than the bound.
    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % bound.unsigned_abs()).unwrap()
    }

    fn percent(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let bound = i64::try_from(last).unwrap() + 1;
            all.swap(last, usize::try_from(self.below(bound)).unwrap());
        }
    }
}
