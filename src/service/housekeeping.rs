//! Throwing away what has been kept long enough.

use std::time::Duration;

use crate::domain::{OrganisationId, SiteAccess, Timestamp};
use crate::store::{EndedJobs, Purge, StoreError};

use super::access::Operation;
use super::call::require;
use super::{Caller, Error, Pending, Stocktake};

/// How many rows are thrown away in one step: each is a short write of the store.
const STEP: u32 = 1_000;
/// Longer than anything is kept: beyond it the calendar might end.
const MOST: Duration = Duration::from_hours(24 * 365 * 100);
/// Nothing that somebody may still ask for by its key, or look into, goes before that.
const LEAST: Duration = Duration::from_hours(24);

/// How long what is kept for a time only is kept. The ledger, documents and what was counted are kept for ever.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use stocktake::service::Retention;
///
/// let retention = Retention { dead_jobs: Duration::from_hours(24 * 365), ..Retention::default() };
/// assert_eq!(retention.commands, Duration::from_hours(24 * 7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long an idempotency key is remembered: a week, unless told; at least a day. No device may send a command again
    /// after that.
    pub commands: Duration,
    /// How long a job is kept that succeeded or was refused: thirty days, unless told; at least a day.
    pub finished_jobs: Duration,
    /// How long a dead job is kept, after which it can't be queued again: ninety days, unless told; at least a day.
    pub dead_jobs: Duration,
    /// How long the file of an export is kept after it has expired, so that who asks is told that it has: a day, unless
    /// told.
    pub expired_exports: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(days.saturating_mul(24));
        Self {
            commands: days(7),
            finished_jobs: days(30),
            dead_jobs: days(90),
            expired_exports: days(1),
        }
    }
}

/// What was thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThrownAway {
    /// Commands that were remembered.
    pub commands: u64,
    /// Jobs that succeeded or were refused.
    pub finished_jobs: u64,
    /// Jobs that were dead.
    pub dead_jobs: u64,
    /// Exports and the parts of their files.
    pub exports: u64,
    /// Files of jobs in a place of the host's ([`Stocktake::with_files`]).
    pub files: u64,
}

impl Stocktake {
    /// Throws away what has been kept long enough, of the caller's organisation: remembered commands, jobs that have
    /// ended, and files of exports. It works in small steps, so that nobody waits for it; one that was interrupted is continued by the next. A worker does it by itself
    /// ([`Worker::with_housekeeping`](crate::jobs::Worker::with_housekeeping)).
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for who may not manage jobs or does not see every site; failures of the store.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::{Actor, SiteAccess};
    /// use stocktake::service::{Caller, Retention};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let shop = stocktake::testing::shop();
    /// shop.open().await?;
    /// let host = Caller::of(&Actor { sites: SiteAccess::All, ..shop.manager.clone() });
    /// shop.clock.advance_seconds(8 * 24 * 60 * 60);
    /// let gone = shop.stocktake.housekeeping(&host, Retention::default()).await?;
    /// assert!(gone.commands > 0);
    /// # Ok::<(), stocktake::service::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(never)]
    pub fn housekeeping<'c>(
        &'c self,
        caller: &'c Caller,
        retention: Retention,
    ) -> Pending<'c, ThrownAway> {
        Box::pin(async move {
            let stamp = self.stamp(caller)?;
            let operation = Operation::ManageJobs;
            require(&stamp, operation)?;
            if stamp.actor.sites != SiteAccess::All {
                return Err(Error::Forbidden { operation });
            }
            let organisation = stamp.actor.organisation;
            Ok(self.keep_house(organisation, &retention, stamp.at).await?)
        })
    }

    /// Throws away what has been kept long enough.
    pub(crate) async fn keep_house(
        &self,
        organisation: OrganisationId,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<ThrownAway, StoreError> {
        let of = |kept: Duration| {
            let micros = i64::try_from(kept.min(MOST).as_micros()).unwrap_or(0);
            now.later_by(micros.saturating_neg())
        };
        let old = |kept: Duration| of(kept.max(LEAST));
        let purge = async |what, before| {
            let (mut gone, mut step) = (0_u64, u64::from(STEP));
            while step >= u64::from(STEP) {
                step = self
                    .repository
                    .purge(organisation, what, before, STEP)
                    .await?;
                gone = gone.saturating_add(step);
            }
            Ok::<u64, StoreError>(gone)
        };
        let purge_jobs = async |which, before| {
            let (mut gone, mut step) = (0_u64, u64::from(STEP));
            while step >= u64::from(STEP) {
                step = self
                    .queue
                    .purge_jobs(organisation, which, before, STEP)
                    .await?;
                gone = gone.saturating_add(step);
            }
            Ok::<u64, StoreError>(gone)
        };
        Ok(ThrownAway {
            commands: purge(Purge::Commands, old(retention.commands)).await?,
            finished_jobs: purge_jobs(EndedJobs::Over, old(retention.finished_jobs)).await?,
            dead_jobs: purge_jobs(EndedJobs::Dead, old(retention.dead_jobs)).await?,
            exports: purge(Purge::Exports, of(retention.expired_exports)).await?,
            // After the exports, whose files go with them.
            files: self.delete_left_files(organisation).await?,
        })
    }
}
