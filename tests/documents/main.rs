//! Files for people and machines, opened in the readers of the field.

#[path = "../certain/mod.rs"]
mod certain;

#[cfg(feature = "pdf")]
mod pdf;
mod report;
#[cfg(feature = "xlsx")]
mod tables;
