//! The rules without a store: state machines, approval, and the walls between the rooms of the crate.

#[path = "../certain/mod.rs"]
mod certain;
#[path = "../shop/mod.rs"]
mod shop;

mod approval;
mod architecture;
mod barcodes;
mod circles;
mod counts_domain;
mod faults;
mod operations;
mod orders_domain;
mod sources;
mod transitions;
