//! The clock on the shop's wall.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use stocktake::domain::Timestamp;
use stocktake::service::Clock;

/// Shows the time of what was replayed last, and never goes back.
#[derive(Debug)]
pub(crate) struct ShopClock {
    micros: AtomicI64,
}

impl ShopClock {
    /// A clock that is set.
    pub(crate) const fn at(time: DateTime<Utc>) -> Self {
        Self {
            micros: AtomicI64::new(time.timestamp_micros()),
        }
    }

    /// Moves it on by so long.
    pub(crate) fn move_on_by(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Moves it on to a time, unless it is past that already.
    pub(crate) fn move_on_to(&self, time: DateTime<Utc>) {
        self.micros
            .fetch_max(time.timestamp_micros(), Ordering::SeqCst);
    }
}

impl Clock for ShopClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst)).unwrap_or(Timestamp::EPOCH)
    }
}
