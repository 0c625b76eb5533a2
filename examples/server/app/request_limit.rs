//! How often a store may be asked (S4.14): never more than 200 times in any minute, unless
//! told otherwise.
//!
//! The times of the last requests are kept. A bucket that fills up again by and by would let nearly twice as many
//! through in the first minute.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use stocktake::domain::SiteId;

/// Requests in a minute, as the document has it.
pub(super) const MOST: usize = 200;
const MINUTE: Duration = Duration::from_mins(1);

/// The requests of the last minute, by store.
#[derive(Debug)]
pub(super) struct RequestLimit {
    most: usize,
    stores: Mutex<HashMap<SiteId, VecDeque<Instant>>>,
}

impl RequestLimit {
    /// So many requests in a minute.
    pub(super) fn of(most: usize) -> Self {
        Self {
            most,
            stores: Mutex::default(),
        }
    }

    /// Admits a request.
    ///
    /// # Errors
    ///
    /// How many seconds to wait, one or more.
    pub(super) fn admit(&self, store: SiteId, now: Instant) -> Result<(), u64> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let times = stores.entry(store).or_default();
        while times
            .front()
            .is_some_and(|first| now.duration_since(*first) >= MINUTE)
        {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= self.most => {
                let left = MINUTE.saturating_sub(now.duration_since(*first));
                Err(left.as_secs().saturating_add(1).min(MINUTE.as_secs()))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_than_the_limit_wherever_it_begins() {
        let (limit, store) = (RequestLimit::of(3), SiteId::new(uuid::Uuid::nil()));
        let began = Instant::now();
        let ask = |millis| limit.admit(store, began + Duration::from_millis(millis));
        for (millis, expected) in [
            (0, Ok(())),
            (20_000, Ok(())),
            (59_000, Ok(())),
            (59_500, Err(1)),
            (59_999, Err(1)),
            // The first is a minute old: one more, and no more than one.
            (60_000, Ok(())),
            (60_001, Err(20)),
            (79_999, Err(1)),
            (80_000, Ok(())),
            (118_500, Err(1)),
            (119_000, Ok(())),
        ] {
            assert_eq!(ask(millis), expected, "{millis}");
        }
    }
}
