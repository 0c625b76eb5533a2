//! Sheets, receipts and orders as PDF.

mod samples;
mod texts;
