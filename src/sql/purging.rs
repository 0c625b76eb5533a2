//! Forgetting what is kept for a time only.

use super::query::{Transaction, first};
use crate::domain::{JobId, OrganisationId, Timestamp};
use crate::store::{MAX_PAGE, Purge, StoreError};

/// Forgets at most so many rows whose time was before a moment.
pub(crate) async fn purge<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    what: Purge,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let limit = u64::from(limit.clamp(1, MAX_PAGE));
    match what {
        Purge::Commands => commands(t, organisation, before, limit).await,
        Purge::Exports => exports(t, organisation, before, limit).await,
    }
}

async fn commands<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    before: Timestamp,
    limit: u64,
) -> Result<u64, StoreError> {
    // The time is said twice: a row that was written again meanwhile is no longer meant.
    let mut query = t.query("DELETE FROM stk_command WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND at < ").bind(before.micros());
    query.push(" AND id IN (SELECT id FROM stk_command WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND at < ").bind(before.micros());
    query.push(" ORDER BY at LIMIT ").bind(limit).push(")");
    t.run(&query).await
}

/// Deletes exports that have expired, the parts of each before it.
async fn exports<T: Transaction>(
    t: &mut T,
    organisation: OrganisationId,
    before: Timestamp,
    limit: u64,
) -> Result<u64, StoreError> {
    let mut left = limit;
    while left > 0 {
        let mut query = t.query("SELECT t.job FROM stk_export AS t WHERE t.organisation = ");
        query.bind(organisation.as_uuid());
        query.push(" AND t.expires_at < ").bind(before.micros());
        query
            .push(" ORDER BY t.expires_at, t.job LIMIT 1")
            .push(T::LOCK);
        let Some(job) = first(t, &query, super::cell::Row::id::<JobId>).await? else {
            break;
        };
        let mut query = t.query("DELETE FROM stk_export_chunk WHERE organisation = ");
        query.bind(organisation.as_uuid());
        query.push(" AND job = ").bind(job.as_uuid());
        query.push(" AND number IN (SELECT number FROM stk_export_chunk WHERE organisation = ");
        query.bind(organisation.as_uuid());
        query.push(" AND job = ").bind(job.as_uuid());
        query.push(" LIMIT ").bind(left).push(")");
        left = left.saturating_sub(t.run(&query).await?);
        if left == 0 {
            break;
        }
        let mut query = t.query("DELETE FROM stk_export WHERE organisation = ");
        query.bind(organisation.as_uuid());
        query.push(" AND job = ").bind(job.as_uuid());
        left = left.saturating_sub(t.run(&query).await?);
    }
    Ok(limit.saturating_sub(left))
}
