//! The use cases through the public API, row by row of the documents, and what is refused.

#[path = "../certain/mod.rs"]
mod certain;
mod counting;
#[cfg(feature = "sqlite")]
mod damaged_rows;
#[cfg(feature = "sqlite")]
mod kept_requests;
#[path = "../stores/mod.rs"]
mod stores;

mod amendments;
mod bad_input;
mod content;
mod document_permissions;
mod every_operation;
#[cfg(feature = "xlsx")]
mod export_forms;
mod exports;
mod files;
mod found_stock;
#[cfg(all(feature = "pdf", feature = "xlsx"))]
mod hostile_files;
mod inventory_count_completing;
mod inventory_count_crashes;
mod inventory_counts;
mod inventory_orders;
mod ledger;
mod look_ahead;
mod precedence;
#[cfg(feature = "pdf")]
mod printing;
mod serial_numbers;
#[cfg(feature = "smtp")]
mod smtp;
mod stock_adjustments;
mod stock_imports;
mod stock_names;
mod stock_take_batches;
mod stock_take_lists;
mod stock_takes;
mod worker;
