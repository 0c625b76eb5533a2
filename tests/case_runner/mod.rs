//! Plays acceptance cases: scenarios with numbers, in the vocabulary of the cases, on the public API.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `case` | one case: reading it, its words, playing it, the verdict |
//! | `report` | all cases of a folder, and what is said about them |
//! | `words` | reading fields, and noticing those that nobody reads |
//! | `trouble` | refused, unsupported, broken; the table of error codes |
//! | `world`, `calendar` | the library over an empty store; days and instants |
//! | `people` | who does it, and what they may do |
//! | `facts` | what is given |
//! | `steps`, `*_steps`, `count_opening`, `commands` | what is done, once or by several tasks at once |
//! | `checks`, `*_checks` | what is expected |
//! | `alternatives` | what the notes of a case allow instead |
//!
//! A word without a counterpart in the library makes a case unsupported, and so does a field that no step, fact or
//! check reads: nothing of a case is ever passed over.

mod adjustment_steps;
mod alternatives;
mod calendar;
mod case;
mod checks;
mod commands;
mod count_opening;
mod count_steps;
mod document_checks;
mod facts;
mod import_steps;
mod ledger_checks;
mod order_steps;
mod people;
mod report;
mod row_steps;
mod steps;
mod stock_checks;
mod stock_steps;
mod trouble;
mod words;
mod world;

pub(crate) use report::Report;
