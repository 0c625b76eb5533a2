//! Time and ids under a test's control.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use uuid::Uuid;

use crate::domain::Timestamp;
use crate::service::{Clock, IdSource};

/// A clock that shows what it is told: it stands still until it is moved, forward or back.
///
/// # Example
///
/// ```
/// use stocktake::service::Clock;
/// use stocktake::testing::ManualClock;
///
/// let clock = ManualClock::default();
/// let before = clock.now();
/// clock.advance_seconds(90);
/// assert_eq!(clock.now(), before.later_by(90_000_000));
/// ```
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl Default for ManualClock {
    /// The fifth of January 2026, nine o'clock.
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(1_767_603_600_000_000),
        }
    }
}

impl ManualClock {
    /// Moves it, back with a negative number.
    pub fn advance_seconds(&self, seconds: i64) {
        self.advance_micros(seconds.saturating_mul(1_000_000));
    }

    /// Moves it by microseconds.
    pub fn advance_micros(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets it.
    pub fn set(&self, now: Timestamp) {
        self.micros.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst)).unwrap_or(Timestamp::EPOCH)
    }
}

/// Ids that count: the same in every run.
#[derive(Debug, Default)]
pub struct SequentialIds {
    last: AtomicU64,
}

impl IdSource for SequentialIds {
    fn next(&self) -> Uuid {
        let next = self.last.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        Uuid::from_u128((1_u128 << 64) | u128::from(next))
    }
}
