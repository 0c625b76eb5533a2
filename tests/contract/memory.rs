//! The in-memory store against the suite.

use std::collections::BTreeSet;

use stocktake::conformance::{Case, Harness, cases};
use stocktake::memory::MemoryStore;

struct InMemory;

impl Harness for InMemory {
    type Store = MemoryStore;

    async fn fresh(&self) -> MemoryStore {
        MemoryStore::new()
    }

    async fn second_handle(&self, store: &MemoryStore) -> MemoryStore {
        store.clone()
    }

    async fn crash_image(&self, _: &MemoryStore) -> Option<MemoryStore> {
        None
    }
}

stocktake::conformance!(InMemory);

/// No clause of the contract goes without a case, and no case of the programme is missing.
#[test]
fn every_clause_and_every_number_has_a_case() {
    let clauses: BTreeSet<_> = cases()
        .iter()
        .flat_map(Case::clauses)
        .map(str::to_owned)
        .collect();
    let repository = (1..=22).map(|n| format!("R{n}"));
    let queue = (1..=12).map(|n| format!("Q{n}"));
    assert_eq!(clauses, repository.chain(queue).collect());
    let numbers: BTreeSet<_> = cases()
        .iter()
        .filter_map(|case| case.name().split_once('_'))
        .map(|(number, _)| number.to_owned())
        .filter(|number| number.starts_with('c'))
        .collect();
    assert_eq!(numbers, (1..=64).map(|n| format!("c{n:02}")).collect());
    let names: BTreeSet<_> = cases().iter().map(Case::name).collect();
    assert_eq!(names.len(), cases().len());
}
