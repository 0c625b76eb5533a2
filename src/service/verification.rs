//! Recomputing what is on hand from the ledger.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{SerialScope, Site, StockEvent, StockEventId, StockKey, StockLevel};
use crate::store::{LevelFilter, PageRequest, RecordKey, RepositoryExt, SerialMark, Versioned};

use super::findings::{Difference, Findings, Verification};
use super::replay::Replay;
use super::serial_marks::SerialMarks;
use super::{CHUNK, Error, Stocktake};

/// How often a key that is moved while it is looked at is looked at again.
pub(super) const LOOKS: u32 = 50;

/// Where the ledger is, in the order of keys.
pub(super) type Place = Option<(StockKey, u64)>;

/// The events of a site in the order of their keys, a page at a time.
pub(super) struct Walk {
    after: Place,
    read: VecDeque<StockEvent>,
    is_over: bool,
}

impl Walk {
    pub(super) const fn after(place: Place) -> Self {
        Self {
            after: place,
            read: VecDeque::new(),
            is_over: false,
        }
    }
}

/// How far the levels of a site have been read.
pub(super) struct LevelPages {
    next: Option<PageRequest>,
    begin: Place,
}

impl Default for LevelPages {
    fn default() -> Self {
        Self {
            next: Some(PageRequest::first(CHUNK)),
            begin: None,
        }
    }
}

/// Levels that follow each other.
pub(super) struct LevelsToVerify {
    pub(super) levels: Vec<Versioned<StockLevel>>,
    /// Where the ledger is to be read from.
    pub(super) begin: Place,
    /// The last of them, unless there are no more.
    pub(super) until: Option<StockKey>,
    /// They, as records.
    pub(super) records: Vec<RecordKey>,
}

/// Keys whose events were ahead of their levels when these were read: they have moved since, or the ledger has what no
/// level knows. Each with the highest sequence that was seen.
pub(super) type Ahead = BTreeMap<StockKey, u64>;

impl Stocktake {
    /// Verifies one site. Levels are read first and their events afterwards, so that all events of a level are there;
    /// what has been recorded since is told by its sequence, and left to the next time.
    pub(super) async fn verify_site(&self, site: &Site) -> Result<Verification, Error> {
        let mut result = Verification::default();
        let mut pages = LevelPages::default();
        while let Some(page) = self.levels_to_verify(site, &mut pages).await? {
            let walk = Walk::after(page.begin);
            self.verify_levels(site, &page.levels, (walk, page.until.as_ref()), &mut result)
                .await?;
            self.verify_serials(site, &page.levels, &mut result).await?;
            self.verify_beside(site, &page.records, &mut result).await?;
        }
        self.verify_marks(site, &mut result).await?;
        self.verify_products(site, &mut result).await?;
        self.verify_positions(site, &mut result).await?;
        self.verify_documents(site, &mut result).await?;
        Ok(result)
    }

    /// The next page of levels to verify, delisted ones among them.
    pub(super) async fn levels_to_verify(
        &self,
        site: &Site,
        pages: &mut LevelPages,
    ) -> Result<Option<LevelsToVerify>, Error> {
        let Some(page) = pages.next.take() else {
            return Ok(None);
        };
        let filter = LevelFilter {
            with_delisted: true,
            ..LevelFilter::default()
        };
        let levels = self
            .repository
            .levels_page(site.organisation, site.id, &filter, &page)
            .await?;
        let end = levels.items.last().map(|level| level.value.key().clone());
        let until = levels.next.is_some().then(|| end.clone()).flatten();
        let keys = levels.items.iter().map(|level| level.value.key().clone());
        let records = keys.map(RecordKey::StockLevel).collect();
        let begin = pages.begin.take();
        pages.begin = end.map(|key| (key, u64::MAX));
        pages.next = levels.next.map(|next| PageRequest::after(next, CHUNK));
        Ok(Some(LevelsToVerify {
            levels: levels.items,
            begin,
            until,
            records,
        }))
    }

    /// The next event of a walk. More are read when all that were have been looked at.
    async fn peek<'w>(
        &self,
        site: &Site,
        walk: &'w mut Walk,
    ) -> Result<Option<&'w StockEvent>, Error> {
        if walk.read.is_empty() && !walk.is_over {
            let after = walk.after.clone();
            let read = self
                .repository
                .ledger_by_key(site.organisation, site.id, after, CHUNK)
                .await?;
            let goes_on = |event: &StockEvent| {
                walk.after
                    .as_ref()
                    .is_none_or(|(key, sequence)| (&event.key, event.sequence) > (key, *sequence))
            };
            // A store that tells the same again would keep this going for ever.
            walk.is_over = !read.last().is_some_and(goes_on);
            if let Some(last) = read.last() {
                walk.after = Some((last.key.clone(), last.sequence));
            }
            walk.read = read.into();
        }
        Ok(walk.read.front())
    }

    /// Verifies levels that follow each other. The walk begins behind the level before them, and ends with the last, or
    /// with the ledger.
    pub(super) async fn verify_levels(
        &self,
        site: &Site,
        levels: &[Versioned<StockLevel>],
        (mut walk, until): (Walk, Option<&StockKey>),
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let mut ahead = Ahead::new();
        for level in levels {
            self.skip_to(site, &mut walk, Some(level.value.key()), &mut ahead, result)
                .await?;
            self.verify_level(site, &level.value, &mut walk, &mut ahead, result)
                .await?;
        }
        if until.is_none() {
            self.skip_to(site, &mut walk, None, &mut ahead, result)
                .await?;
        }
        self.verify_ahead(site, &mut ahead, result).await
    }

    /// Passes over the events of keys before one that have no level.
    async fn skip_to(
        &self,
        site: &Site,
        walk: &mut Walk,
        key: Option<&StockKey>,
        ahead: &mut Ahead,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        while let Some(event) = self.peek(site, walk).await? {
            if key.is_some_and(|key| event.key >= *key) {
                break;
            }
            note(ahead, event);
            walk.read.pop_front();
            if ahead.len() >= usize::try_from(CHUNK).unwrap_or(usize::MAX) {
                self.verify_ahead(site, ahead, result).await?;
            }
        }
        Ok(())
    }

    /// Verifies one level; the walk is at its events.
    async fn verify_level(
        &self,
        site: &Site,
        level: &StockLevel,
        walk: &mut Walk,
        ahead: &mut Ahead,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let mut replay = Replay::of(level.key());
        let until = level.sequence();
        self.replay_key(
            site,
            &mut replay,
            (level.key(), until),
            (walk, ahead),
            result,
        )
        .await?;
        replay.end(site, result);
        replay.compare(level, result);
        Ok(())
    }

    /// Plays the events of a key up to a sequence; the walk is at the first one.
    pub(super) async fn replay_key(
        &self,
        site: &Site,
        replay: &mut Replay,
        (key, until): (&StockKey, u64),
        (walk, ahead): (&mut Walk, &mut Ahead),
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        loop {
            // A part of the walk, as it was read, with the earlier events that its reversals take back.
            let mut part = Vec::new();
            if self.peek(site, walk).await?.is_some() {
                while walk.read.front().is_some_and(|it| it.key == *key) {
                    let Some(event) = walk.read.pop_front() else {
                        break;
                    };
                    if event.sequence > until {
                        note(ahead, &event);
                    } else {
                        part.push(event);
                    }
                }
            }
            let is_over = !walk.read.is_empty() || walk.is_over;
            let reversed = self.reversed_by(site, &part).await?;
            replay.play(part, &reversed, site, result);
            if is_over {
                break;
            }
        }
        Ok(())
    }

    /// The events that some events take back.
    async fn reversed_by(
        &self,
        site: &Site,
        events: &[StockEvent],
    ) -> Result<BTreeMap<StockEventId, StockEvent>, Error> {
        let ids: Vec<StockEventId> = events
            .iter()
            .filter_map(|event| event.reverses)
            .map(|link| link.event)
            .collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.repository.events(site.organisation, &ids).await?;
        let found = found.into_iter().flatten();
        Ok(found.map(|entry| (entry.event.id, entry.event)).collect())
    }

    /// Looks again at keys whose events were ahead of their levels.
    async fn verify_ahead(
        &self,
        site: &Site,
        ahead: &mut Ahead,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let ahead = std::mem::take(ahead);
        if ahead.is_empty() {
            return Ok(());
        }
        let keys: Vec<StockKey> = ahead.keys().cloned().collect();
        let levels = self.repository.levels(site.organisation, &keys).await?;
        for ((key, seen), level) in ahead.into_iter().zip(levels) {
            match level {
                // An event and its level land together, so by now the level knows it.
                Some(level) if level.value.sequence() >= seen => {}
                Some(level) => result.tell(Difference::Sequence {
                    key,
                    at: level.value.sequence().saturating_add(1),
                }),
                None => result.tell(Difference::NoLevel { key }),
            }
        }
        Ok(())
    }

    /// Compares levels with the marks of their serial numbers.
    pub(super) async fn verify_serials(
        &self,
        site: &Site,
        levels: &[Versioned<StockLevel>],
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let keys = levels.iter().map(|level| level.value.key());
        let marks = self
            .serial_marks(site.organisation, keys, SerialScope::Product)
            .await?;
        for level in levels {
            if unlike_mark(&level.value, &marks).is_some()
                && let Some(difference) = self.settled_mark(site, level).await?
            {
                result.tell(difference);
            }
        }
        Ok(())
    }

    /// What a level and its mark differ in, if they still do when the level stands still between two looks: whatever
    /// changes a mark changes the level of its key.
    async fn settled_mark(
        &self,
        site: &Site,
        level: &Versioned<StockLevel>,
    ) -> Result<Option<Difference>, Error> {
        let mut level = level.clone();
        for _ in 0..LOOKS {
            let key = level.value.key().clone();
            let marks = self
                .serial_marks(site.organisation, [&key], SerialScope::Product)
                .await?;
            let Some(difference) = unlike_mark(&level.value, &marks) else {
                return Ok(None);
            };
            let again = self.repository.levels(site.organisation, &[key]).await?;
            match again.into_iter().flatten().next() {
                Some(again) if again.version != level.version => level = again,
                Some(_) | None => return Ok(Some(difference)),
            }
        }
        Ok(None)
    }

    /// Looks for marks of serial numbers at keys of the site that have no unit, or no level at all.
    pub(super) async fn verify_marks(
        &self,
        site: &Site,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let marks = self
                .repository
                .serial_marks_after(site.organisation, after, CHUNK)
                .await?;
            let Some(last) = marks.last() else {
                return Ok(());
            };
            after = Some((last.value.serial.clone(), last.value.product));
            let of_site: Vec<Versioned<SerialMark>> = marks
                .into_iter()
                .filter(|mark| mark.value.key.site == site.id)
                .collect();
            for mark in self.astray(site, of_site).await? {
                let key = mark.value.key.clone();
                if result.rebuilding().is_some() {
                    self.mend_stray_mark(site, mark, result).await?;
                } else {
                    let marked = Some(key.clone());
                    result.tell(Difference::Serial { key, marked });
                }
            }
        }
    }

    /// The marks of some that name a key without a level: a unit and its mark come in one commit, so the level of a mark
    /// that was read is there when it is looked for afterwards. Those of keys that have a level are compared with it.
    async fn astray(
        &self,
        site: &Site,
        marks: Vec<Versioned<SerialMark>>,
    ) -> Result<Vec<Versioned<SerialMark>>, Error> {
        let keys: Vec<StockKey> = marks.iter().map(|mark| mark.value.key.clone()).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let levels = self.repository.levels(site.organisation, &keys).await?;
        let marks = marks.into_iter().zip(levels);
        let astray = marks.filter(|(mark, level)| {
            level.is_none() || mark.value.key.serial.as_ref() != Some(&mark.value.serial)
        });
        Ok(astray.map(|(mark, _)| mark).collect())
    }

    /// Looks at the positions of the ledger, and at what the store keeps beside its events.
    pub(super) async fn verify_positions(
        &self,
        site: &Site,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let mut last = 0_u64;
        loop {
            let entries = self
                .repository
                .ledger(site.organisation, site.id, last, CHUNK)
                .await?;
            if entries.is_empty() {
                return Ok(());
            }
            let beside = self
                .repository
                .unlike_events(site.organisation, site.id, last, CHUNK)
                .await?;
            for unlike in beside {
                result.tell(Difference::BesideEvent {
                    position: unlike.position,
                    what: unlike.what,
                    kept: unlike.kept,
                    due: unlike.due,
                });
            }
            for entry in entries {
                let next = last.saturating_add(1);
                if entry.position != next {
                    result.tell(Difference::Positions { missing: next });
                }
                if entry.position <= last {
                    // A ledger that does not go on has no end either.
                    return Ok(());
                }
                last = entry.position;
            }
        }
    }
}

fn note(ahead: &mut Ahead, event: &StockEvent) {
    let seen = ahead.entry(event.key.clone()).or_default();
    *seen = event.sequence.max(*seen);
}

/// What a level and the mark of its serial number differ in.
pub(super) fn unlike_mark(level: &StockLevel, marks: &SerialMarks) -> Option<Difference> {
    let key = level.key();
    let serial = key.serial.as_ref()?;
    let marked = marks.holder(serial, key.product);
    let agrees = if level.quantity().is_positive() {
        marked == Some(key)
    } else {
        !marks.names(key)
    };
    (!agrees).then(|| Difference::Serial {
        key: key.clone(),
        marked: marked.cloned(),
    })
}
