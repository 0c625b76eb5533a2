//! What each case makes of each store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use stocktake::conformance::{Case, cases, run};
use tokio::runtime::{Builder, Runtime};

use super::broken::{Broken, Sound};
use super::{MUTANTS, Mutant};

/// How often a defect must be caught, and nothing found where nothing is wrong: twice, or 20 times if
/// `STOCKTAKE_MATRIX=full`.
fn times() -> usize {
    if is_full() { 20 } else { 2 }
}

/// Whether everything is asked of every store: minutes of work.
fn is_full() -> bool {
    std::env::var("STOCKTAKE_MATRIX").is_ok_and(|how| how == "full")
}

/// Cases that take longer than all others together: they are asked of the stores that they are named for, and of
/// every store if `STOCKTAKE_MATRIX=full`.
const LONG: [&str; 2] = [
    "r15_the_largest_change_set_is_accepted",
    "r16_random_commands_give_what_the_reference_gives",
];

/// For stores with a defect. One thread: who goes first is the same each time, so that what is caught once is caught
/// always.
fn one_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// For the store without a defect, which holds on threads that really race.
fn threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap()
}

/// What went wrong with a store in a case.
fn played(runtime: &Runtime, case: &Case, store: &Broken) -> Option<String> {
    let verdict = runtime.block_on(run(case, store));
    verdict.err().map(|failure| failure.to_string())
}

impl Mutant {
    /// Whether a case must catch it.
    fn is_named_for(&self, case: &Case) -> bool {
        self.caught_by
            .iter()
            .any(|begin| case.name().starts_with(begin))
    }
}

/// Whether the text of a failure names its clause first, says more than that, and fits on a screen.
fn is_readable(text: &str, case: &Case) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.starts_with(&format!("{} is broken", case.clause()))
        && first.contains(case.name())
        && (2..=8).contains(&text.lines().count())
        && text.chars().count() < 1_000
}

/// Does something with each of some things, on as many threads as are worth it here.
fn each<T: Sync, U: Send>(
    things: &[T],
    runtime: fn() -> Runtime,
    work: impl Fn(&Runtime, &T) -> U + Sync,
) -> Vec<U> {
    let next = Mutex::new(things.iter().enumerate());
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = runtime();
                while let Some((place, thing)) = { next.lock().unwrap().next() } {
                    let came = work(&runtime, thing);
                    done.lock().unwrap().insert(place, came);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let reference = Broken(|| std::sync::Arc::new(Sound::default()));
    let found = each(cases(), threads, |runtime, case| {
        let times = if LONG.contains(&case.name()) {
            1
        } else {
            times()
        };
        (0..times).find_map(|_| played(runtime, case, &reference))
    });
    let found: Vec<_> = found.into_iter().flatten().collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Which stores are asked: all, or those whose ids `STOCKTAKE_MUTANTS` names (`M01,M17`).
fn is_asked(mutant: &Mutant) -> bool {
    let only = std::env::var("STOCKTAKE_MUTANTS");
    only.is_err() || only.is_ok_and(|only| only.split(',').any(|id| id == mutant.id))
}

#[test]
fn each_defect_is_caught_every_time_by_the_case_that_is_named_for_it() {
    let missed = each(MUTANTS, one_thread, |runtime, mutant| {
        if !is_asked(mutant) {
            return Vec::new();
        }
        println!("{} {}", mutant.id, mutant.name);
        let named: Vec<_> = cases()
            .iter()
            .filter(|case| mutant.is_named_for(case))
            .collect();
        let mut missed = Vec::new();
        if named.len() < mutant.caught_by.len() {
            missed.push(format!("{}: a case is not there", mutant.id));
        }
        for case in named {
            let (id, name) = (mutant.id, mutant.name);
            let told: Vec<_> = (0..times())
                .filter_map(|_| played(runtime, case, &mutant.store))
                .collect();
            if told.len() < times() {
                let (caught, case) = (told.len(), case.name());
                missed.push(format!("{id} {name} is caught {caught} times by {case}"));
            }
            let unreadable = told.iter().find(|text| !is_readable(text, case));
            missed.extend(unreadable.map(|text| format!("{id} {name}: {text}")));
        }
        missed
    });
    let missed: Vec<_> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Each case is asked of the stores that it is named for, then of the others, until it catches one.
#[test]
fn each_case_catches_a_defect() {
    let caught = each(cases(), one_thread, |runtime, case| {
        let named = MUTANTS.iter().filter(|mutant| mutant.is_named_for(case));
        let others = MUTANTS.iter().filter(|mutant| !mutant.is_named_for(case));
        let mut asked = named.chain(others);
        let catch = asked.find(|mutant| played(runtime, case, &mutant.store).is_some());
        catch.map(|mutant| format!("{} {}", mutant.id, mutant.name))
    });
    let mut idle = BTreeSet::new();
    for (case, catch) in cases().iter().zip(&caught) {
        println!("{} | {}", case.name(), catch.as_deref().unwrap_or("-"));
        if catch.is_none() {
            idle.insert(case.name());
        }
    }
    assert!(idle.is_empty(), "cases that catch nothing: {idle:?}");
}

/// Every store against every case: minutes of work, for which `STOCKTAKE_MATRIX=full` asks.
#[test]
fn the_matrix_is_written() {
    let full = is_full();
    let stores = if full { MUTANTS } else { &MUTANTS[..2] };
    let matrix = each(stores, one_thread, |runtime, mutant| {
        let asked = cases().iter().map(|case| {
            let asked = full || mutant.is_named_for(case);
            asked.then(|| played(runtime, case, &mutant.store).is_some())
        });
        asked.collect::<Vec<_>>()
    });
    let text = written(&matrix);
    std::fs::write(target().join("conformance-matrix.md"), &text).unwrap();
    println!("{text}");
    assert!(matrix.iter().all(|row| row.contains(&Some(true))), "{text}");
}

/// The target directory: the test binary is in it.
fn target() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let target = binary
        .ancestors()
        .find(|it| it.join("CACHEDIR.TAG").exists());
    target.unwrap_or(binary.parent().unwrap()).to_owned()
}

/// The matrix as a table: a line a store, and the cases that catch it.
fn written(matrix: &[Vec<Option<bool>>]) -> String {
    let mut text = String::from(
        "# What the suite catches\n\n\
         | store | named for it | caught by | the cases |\n| --- | --- | --- | --- |\n",
    );
    for (mutant, row) in MUTANTS.iter().zip(matrix) {
        let caught: Vec<_> = cases()
            .iter()
            .zip(row)
            .filter(|(_, caught)| **caught == Some(true))
            .map(|(case, _)| case.name())
            .collect();
        let named = mutant.caught_by.join(", ");
        let (id, name, count) = (mutant.id, mutant.name, caught.len());
        writeln!(
            text,
            "| {id} {name} | {named} | {count} | {} |",
            caught.join(", ")
        )
        .unwrap();
    }
    text.push_str("\n| case | clause | stores caught |\n| --- | --- | --- |\n");
    for (at, case) in cases().iter().enumerate() {
        let caught = matrix.iter().filter(|row| row[at] == Some(true)).count();
        writeln!(text, "| {} | {} | {caught} |", case.name(), case.clause()).unwrap();
    }
    text
}
