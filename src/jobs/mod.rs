//! Doing queued work. The host owns the loop: it calls [`Worker::run_once`] from a thread, a task or a cron
//! job, from as many processes as it likes.
//!
//! A job is leased for a while, and the lease is extended while the work goes on; when a process dies, the next worker
//! has to wait until the lease has run out, and continues where the last commit was. [`Worker::with_lease`] says how
//! long that is, [`Worker::with_timer`] keeps short leases alive during long steps, and [`Worker::stop`] hands the job
//! back before a process ends by itself.
//!
//! What goes out to people goes by mail: a worker with a [`Mailer`] ([`Worker::with_mailer`]) sends orders to their suppliers
//! and what is printed to whoever asked for it. A host that brings orders to its suppliers in another way gives a worker its
//! own [`Courier`], which then goes before the mail. A job that goes out is done once it is sent; a process that dies between
//! the two sends it again, with the same [id](Mail::id).
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

mod courier;
mod mailer;
mod order_mail;
#[cfg(feature = "smtp")]
mod smtp;
mod timer;
mod worker;

pub use courier::Courier;
pub use mailer::{Attachment, Mail, MailError, Mailer};
#[cfg(feature = "smtp")]
pub use smtp::{InvalidSmtp, SmtpMailer, SmtpOptions, SmtpTls};
pub use timer::Timer;
pub use worker::{Ran, Worker};
