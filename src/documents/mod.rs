//! What comes in and goes out as a file: no storage, no service.

mod csv;
mod import_body;
mod json_number;
mod line_tables;
#[cfg(feature = "pdf")]
pub mod pdf;
mod report;

pub(crate) use import_body::pointer_to;

pub use csv::{CsvNumber, CsvWriter};
pub use import_body::{
    ImportBody, ImportBodyError, ImportLimits, ImportNumbers, ImportValue, read_import,
};
pub use json_number::read_number;
pub use line_tables::{
    inventory_order_header, inventory_order_row, stock_take_header, stock_take_row,
};
pub use report::{
    ReportHeading, ReportLine, ReportOptions, VARIANCE_REPORT_POLICY, VarianceReport,
};
