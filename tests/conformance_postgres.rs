//! The `PostgreSQL` store against the suite. `STOCKTAKE_POSTGRES_URL` says where the server is.
#![cfg(all(feature = "postgres", feature = "conformance"))]

#[path = "postgres_server/mod.rs"]
mod postgres_server;

use postgres_server::Schemas;

stocktake::conformance!(Schemas::new());
