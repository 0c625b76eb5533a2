//! What the tests of an embedding application need: a clock that stands still, ids that count, and a shop.
//!
//! ```
//! use stocktake::domain::Quantity;
//! use stocktake::service::{Caller, Movement};
//! use stocktake::testing::shop;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let shop = shop();
//! shop.open().await?;
//! let key = shop.key(0);
//! let sold = Movement::Issue { key: key.clone(), quantity: Quantity::from(2) };
//! shop.stocktake.stock().record(&Caller::of(&shop.manager), shop.site.id, &[sold.into()]).await?;
//! assert_eq!(shop.on_hand(&key).await?, Quantity::from(38));
//! # Ok::<(), stocktake::service::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod faults;
mod mailer;
mod shop;

pub use clock::{ManualClock, SequentialIds};
pub use faults::{Fault, FaultStore};
pub use mailer::{MailFault, RecordingMailer};
pub use shop::{Shop, shop};
