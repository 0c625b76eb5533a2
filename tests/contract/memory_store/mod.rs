//! The reference store against the clauses of the contract.
//!
//! Cases are named after those of the conformance programme (C01 ..) and say which clause they hold. Nothing
//! sleeps and nothing reads a clock.

#![allow(
    clippy::too_many_lines,
    reason = "a case is one story, or a table and the walk over it"
)]

mod commits;
mod fixtures;
mod idempotency;
mod jobs;
mod ledger;
mod lists;
mod races;
mod tenancy;
mod walks;
