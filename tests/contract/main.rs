//! The contract of a store: the suite on every store that is built in, the stores with a defect that the suite must
//! catch, and what is peculiar to the store in memory and to the one that fails on demand.

#[path = "../certain/mod.rs"]
mod certain;
mod documents;
#[cfg(feature = "postgres")]
#[path = "../postgres_server/mod.rs"]
mod postgres_server;
#[path = "../shop/mod.rs"]
mod shop;

mod broken_stores;
mod case_list;
mod faults;
mod memory;
mod memory_document_lists;
mod memory_documents;
mod memory_store;
#[cfg(feature = "postgres")]
mod postgres;
mod record_keys;
#[cfg(feature = "sqlite")]
mod sqlite;
