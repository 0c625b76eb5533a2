//! Sheets, receipts and orders as PDF.

mod barcodes;
mod drawn;
mod file;
mod layout;
mod samples;
mod scripts;
mod texts;
