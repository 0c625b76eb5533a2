//! Doing queued work. The host owns the loop: it calls [`Worker::run_once`] from a thread, a task or a cron
//! job, from as many processes as it likes.
//!
//! ```no_run
//! # async fn example(stocktake: stocktake::service::Stocktake, pause: impl AsyncFn()) {
//! use stocktake::jobs::{Ran, Worker};
//!
//! let worker = Worker::new(&stocktake, "worker-1");
//! loop {
//!     match worker.run_once().await {
//!         Ok(Ran::Nothing) | Err(_) => pause().await,
//!         Ok(_) => {}
//!     }
//! }
//! # }
//! ```

mod worker;

pub use worker::{Courier, Ran, Worker};
