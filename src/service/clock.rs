//! Where time and ids come from.

use std::fmt::Debug;
use std::time::SystemTime;

use uuid::Uuid;

use crate::domain::Timestamp;

/// Tells the time. Nothing in the library depends on it going forward.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).into()
    }
}

/// Makes ids that nobody else makes.
pub trait IdSource: Debug + Send + Sync + 'static {
    /// A new id.
    fn next(&self) -> Uuid;
}

/// Ids of UUID version 7: they grow with time, and are no secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeOrderedIds;

impl IdSource for TimeOrderedIds {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}
