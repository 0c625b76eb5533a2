//! The `PostgreSQL` store against the suite. `STOCKTAKE_POSTGRES_URL` says where the server is.

use crate::postgres_server::Schemas;

stocktake::conformance!(Schemas::new());
