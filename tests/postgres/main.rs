//! What is peculiar to the store in PostgreSQL: how it is opened, the plans of its statements, calls that are given up,
//! processes that die, tables that are spread. `STOCKTAKE_POSTGRES_URL` says where the server is.
#![cfg(all(feature = "postgres", feature = "conformance"))]

#[path = "../postgres_server/mod.rs"]
mod postgres_server;

mod interrupted;
mod opening;
mod plans;
mod processes;
mod since;
mod spread;
