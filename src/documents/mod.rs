//! What comes in and goes out as a file: no storage, no service.

mod csv;
mod csv_table;
mod import_body;
mod json_number;
#[cfg(feature = "pdf")]
pub mod pdf;
mod report;
mod table;
mod tables;
#[cfg(feature = "xlsx")]
mod xlsx_table;

pub(crate) use import_body::pointer_to;

pub use csv::{CsvNumber, CsvWriter};
pub use csv_table::CsvTable;
pub use import_body::{
    ImportBody, ImportBodyError, ImportLimits, ImportNumbers, ImportValue, read_import,
};
pub use json_number::read_number;
pub use report::{
    ReportHeading, ReportLine, ReportOptions, VARIANCE_REPORT_POLICY, VarianceReport,
};
pub use table::{Cell, Column, ColumnKind, Facts, Line, Table, TableError, TableWriter};
pub use tables::{
    InventoryCountLine, InventoryOrderLine, StockAdjustmentLine, StockEventLine, StockLevelLine,
    StockTakeLine,
};
#[cfg(feature = "xlsx")]
pub use xlsx_table::{MAX_CELL_CHARACTERS, MAX_SHEET_ROWS, XlsxTable};
