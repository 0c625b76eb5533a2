//! The example `server`, spoken to over HTTP: every row of the five documents. Each test is named by the row it shows,
//! and runs on every store that is built in.

#[path = "../../examples/server/app/mod.rs"]
mod app;

mod client;
mod common_rules;
mod described;
mod documents;
mod found;
mod idempotency;
mod jobs;
mod l_first_answers;
mod machines;
mod n_health;
mod n_limits;
mod n_streaming;
mod newest_first;
mod on_postgres;
mod plain_words;
mod precedence;
mod program;
mod reports;
mod restarts;
mod s1_items;
mod s1_takes;
mod s2_adjustments;
mod s2_counts;
mod s3_orders;
mod s3_receipts;
mod s4_articles;
mod s4_lists;
mod s4_printing;
mod s4_wire;
mod s5_imports;
mod shop;
mod smtp;
#[path = "../services/smtp/server.rs"]
#[expect(
    dead_code,
    reason = "what a mail server can do wrong is tried with the mailer alone"
)]
mod smtp_server;
mod stock_costs;
mod stock_names;
mod stopping;
mod who_may_ask;
