//! What is known of a database, once it is open.

use super::Locks;
use super::options::{Plans, PostgresOptions};

/// What is known of a database, once it is open.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) options: PostgresOptions,
    pub(super) locks: Locks,
    pub(super) begin_writing: String,
    pub(super) begin_reading: String,
}

impl Place {
    pub(super) fn new(options: PostgresOptions, locks: Locks, plans: Plans) -> Self {
        let begin_writing = options.begin_writing(plans);
        let begin_reading = options.begin_reading(plans);
        Self {
            options,
            locks,
            begin_writing,
            begin_reading,
        }
    }

    /// A statement with the schema before each table: what a connection searches is the host's to say.
    pub(super) fn qualified(&self, text: &str) -> String {
        text.replace("stk_", &format!("{}.stk_", self.options.schema))
    }
}
