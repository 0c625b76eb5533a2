//! Files for people and machines, opened in the readers of the field.

#[cfg(feature = "pdf")]
mod pdf;
mod report;
#[cfg(feature = "xlsx")]
mod tables;
