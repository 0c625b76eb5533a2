//! The rules without a store: state machines, approval, and the walls between the rooms of the crate.

#[path = "../shop/mod.rs"]
mod shop;

mod approval;
mod architecture;
mod barcodes;
mod counts_domain;
mod orders_domain;
mod transitions;
