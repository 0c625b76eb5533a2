//! What happened to keys lately: what a count that is told late, and a line that is added late, must know.

use std::collections::BTreeMap;

use crate::domain::{
    Beginning, CountError, CountMoment, CountPeriod, FUTURE_TOLERANCE_MICROS, OrganisationId,
    SiteId, Stamp, StockEvent, StockKey, StockLevel, StockTake, Timestamp,
};

use super::{Error, Stocktake};

/// What counts must know that state their own time.
#[derive(Debug)]
pub(super) struct ToldLate {
    period: CountPeriod,
    /// What happened to their keys since.
    recent: BTreeMap<StockKey, Vec<StockEvent>>,
}

impl ToldLate {
    /// The moment of a count of a key, which is now unless it says when.
    pub(super) fn moment(
        &self,
        level: Option<&StockLevel>,
        counted_at: Option<Timestamp>,
    ) -> Result<CountMoment, CountError> {
        let Some(at) = counted_at else {
            return Ok(CountMoment::of(level, self.period.now));
        };
        self.period.check(at)?;
        let recent = level.and_then(|level| self.recent.get(level.key()));
        let recent = recent.map_or(&[][..], Vec::as_slice);
        Ok(CountMoment::stated(level, recent, at)?)
    }
}

/// So many of a key's last events are read first; where that is not far enough back, so many times more.
const FIRST_EVENTS: u64 = 64;
const MORE_EVENTS: u64 = 16;

impl Stocktake {
    /// The last events of keys, each as far back as any that happened after a moment: one query for all of them, and
    /// another only for keys that have moved very often since. Nothing of a key that has not changed since.
    pub(super) async fn events_since<'l>(
        &self,
        organisation: OrganisationId,
        levels: impl Iterator<Item = (&'l StockLevel, Timestamp)>,
    ) -> Result<BTreeMap<StockKey, Vec<StockEvent>>, Error> {
        let mut open: BTreeMap<&StockKey, (u64, Timestamp)> = BTreeMap::new();
        for (level, at) in levels {
            // Nothing is dated further ahead than this of the moment at which it is recorded.
            let recorded = at.later_by(FUTURE_TOLERANCE_MICROS.saturating_neg());
            if level.updated_at() >= recorded {
                let wanted = (level.sequence(), recorded);
                let (_, earliest) = open.entry(level.key()).or_insert(wanted);
                *earliest = recorded.min(*earliest);
            }
        }
        let mut found: BTreeMap<StockKey, Vec<StockEvent>> = BTreeMap::new();
        let mut reach = FIRST_EVENTS;
        while !open.is_empty() {
            let since = |sequence: u64| sequence.saturating_sub(reach);
            let after: Vec<(StockKey, u64)> = open
                .iter()
                .map(|(key, (sequence, _))| ((*key).clone(), since(*sequence)))
                .collect();
            let mut read: BTreeMap<StockKey, Vec<StockEvent>> = BTreeMap::new();
            for event in self.repository.events_after(organisation, &after).await? {
                read.entry(event.key.clone()).or_default().push(event);
            }
            open.retain(|key, (sequence, recorded)| {
                let oldest = read.get(*key).and_then(|events| events.first());
                since(*sequence) > 0 && oldest.is_some_and(|it| it.recorded_at >= *recorded)
            });
            found.extend(read);
            reach = reach.saturating_mul(MORE_EVENTS);
        }
        Ok(found)
    }

    /// What the book said of keys when a take began; for a take that has not begun, what it says now.
    pub(super) async fn beginnings(
        &self,
        take: &StockTake,
        levels: &[StockLevel],
        stamp: &Stamp,
    ) -> Result<BTreeMap<StockKey, Beginning>, Error> {
        let Some(began_at) = take.began_at() else {
            let began =
                |level: &StockLevel| (level.key().clone(), Beginning::now(Some(level), stamp.at));
            return Ok(levels.iter().map(began).collect());
        };
        let moved = levels.iter().filter(|level| level.updated_at() > began_at);
        let moved = moved.map(|level| (level, began_at));
        let recent = self.events_since(take.organisation(), moved).await?;
        let began = |level: &StockLevel| {
            let recent = recent.get(level.key()).map_or(&[][..], Vec::as_slice);
            let began = Beginning::at(Some(level), recent, began_at, stamp.at);
            (level.key().clone(), began)
        };
        Ok(levels.iter().map(began).collect())
    }

    /// Reads what counts must know that state their own time; nothing where none does.
    pub(super) async fn late_counts<'l>(
        &self,
        (organisation, site): (OrganisationId, SiteId),
        began_at: Timestamp,
        stated: impl Iterator<Item = (Option<&'l StockLevel>, Timestamp)>,
        stamp: &Stamp,
    ) -> Result<ToldLate, Error> {
        let stated: Vec<_> = stated.collect();
        let mut period = CountPeriod {
            began_at,
            closed_until: None,
            now: stamp.at,
        };
        if stated.is_empty() {
            let recent = BTreeMap::new();
            return Ok(ToldLate { period, recent });
        }
        period.closed_until = self.site(organisation, site).await?.policy.closed_until;
        let levels = stated.into_iter();
        let levels = levels.filter_map(|(level, at)| level.map(|level| (level, at)));
        let recent = self.events_since(organisation, levels).await?;
        Ok(ToldLate { period, recent })
    }
}
