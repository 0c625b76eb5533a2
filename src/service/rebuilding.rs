//! Mending what does not follow from the ledger (S6.10).

use std::collections::BTreeSet;

use crate::domain::{Costing, InventoryOrder, SerialScope, Site, Stamp, StockKey, StockLevel};
use crate::store::{CommandId, DeletableKey, Outcome, RepositoryExt, SerialMark, Versioned};

use super::call::{Call, Step};
use super::findings::{DIFFERENCES_TOLD, Difference, Findings, Mended, Rebuild, Rebuilding};
use super::replay::Replay;
use super::verification::{Ahead, LevelPages, LevelsToVerify, Walk, unlike_mark};
use super::{CHUNK, Error, Stocktake};

/// The keys that something is wrong with: the first of them, as many as are mended at a time.
#[derive(Default)]
struct KeysOff {
    keys: BTreeSet<StockKey>,
    /// Whether there are more behind the last.
    is_cut: bool,
}

impl Findings for KeysOff {
    fn tell(&mut self, difference: Difference) {
        let Some(key) = difference.key() else {
            return;
        };
        self.keys.insert(key.clone());
        if self.keys.len() > usize::try_from(CHUNK).unwrap_or(usize::MAX) {
            self.keys.pop_last();
            self.is_cut = true;
        }
    }

    fn looked_at(&mut self, _: u64) {}
}

/// The differences of one key.
#[derive(Default)]
struct OfKey(Vec<Difference>);

impl Findings for OfKey {
    fn tell(&mut self, difference: Difference) {
        if self.0.len() < DIFFERENCES_TOLD {
            self.0.push(difference);
        }
    }

    fn looked_at(&mut self, _: u64) {}
}

impl Stocktake {
    /// Rebuilds one site: a page of levels after another is verified, and what differs is decided again, key by key, each by
    /// a commit that conflicts with whatever has changed meanwhile.
    pub(super) async fn rebuild_site(&self, site: &Site, stamp: Stamp) -> Result<Rebuild, Error> {
        let mut rebuilding = Rebuilding {
            stamp,
            result: Rebuild::default(),
        };
        let mut pages = LevelPages::default();
        while let Some(page) = self.levels_to_verify(site, &mut pages).await? {
            self.rebuild_levels(site, &page, &mut rebuilding).await?;
            self.rebuild_serials(site, &page, &mut rebuilding).await?;
            self.verify_beside(site, &page.records, &mut rebuilding)
                .await?;
        }
        self.verify_marks(site, &mut rebuilding).await?;
        self.verify_products(site, &mut rebuilding).await?;
        self.verify_documents(site, &mut rebuilding).await?;
        self.verify_positions(site, &mut rebuilding).await?;
        Ok(rebuilding.result)
    }

    async fn rebuild_levels(
        &self,
        site: &Site,
        page: &LevelsToVerify,
        rebuilding: &mut Rebuilding,
    ) -> Result<(), Error> {
        let mut begin = page.begin.clone();
        let mut levels = page.levels.as_slice();
        loop {
            let mut off = KeysOff::default();
            let walk = Walk::after(begin);
            self.verify_levels(site, levels, (walk, page.until.as_ref()), &mut off)
                .await?;
            for key in &off.keys {
                self.rebuild_level(site, key, rebuilding).await?;
            }
            let Some(last) = off.keys.pop_last().filter(|_| off.is_cut) else {
                return Ok(());
            };
            let done = levels.partition_point(|level| *level.value.key() <= last);
            levels = levels.get(done..).unwrap_or_default();
            begin = Some((last, u64::MAX));
        }
    }

    /// Makes a level what its key's events leave. Events that contradict each other leave nothing that can be relied on: they
    /// are told, and the level stays.
    async fn rebuild_level(
        &self,
        site: &Site,
        key: &StockKey,
        rebuilding: &mut Rebuilding,
    ) -> Result<(), Error> {
        let mut call = self.call_to_mend(rebuilding);
        let mut so_far = Replay::of(key);
        let mut of_ledger = OfKey::default();
        let mut after = 0;
        loop {
            // The level first: an event that is recorded after it has changed it, and the commit finds that out.
            let kept = self.level_of(site, key).await?;
            // Only what has come since the last look is read: a key that is moved all the time is not read all over again.
            let mut walk = Walk::after(Some((key.clone(), after)));
            let mut ahead = Ahead::new();
            let all = (key, u64::MAX);
            self.replay_key(
                site,
                &mut so_far,
                all,
                (&mut walk, &mut ahead),
                &mut of_ledger,
            )
            .await?;
            after = so_far.sequence();
            let mut replay = so_far.clone();
            let mut of_end = OfKey::default();
            replay.end(site, &mut of_end);
            let mut of_level = OfKey::default();
            match &kept {
                Some(kept) => replay.compare(&kept.value, &mut of_level),
                None if replay.is_empty() => {}
                None => of_level.tell(Difference::NoLevel { key: key.clone() }),
            }
            if of_level.0.is_empty() || !replay.is_whole() {
                let left = of_ledger.0.into_iter().chain(of_end.0);
                left.chain(of_level.0).for_each(|it| rebuilding.tell(it));
                return Ok(());
            }
            let products = [key.product];
            let products = self
                .repository
                .products(site.organisation, &products)
                .await?;
            let product = products.into_iter().flatten().next();
            let costing = Costing {
                method: site.policy.costing,
                currency: site.currency,
                standard: product.and_then(|it| it.value.standard_cost(site.currency)),
            };
            let due = replay
                .into_level()
                .restored(kept.as_ref().map(|kept| &kept.value), costing);
            let after = Box::new(due.clone());
            let step = self.commit(&mut call, Outcome::Done, |changes| {
                changes.put(kept.as_ref(), due);
            });
            if let Step::Done(_) = step.await? {
                let left = of_ledger.0.into_iter().chain(of_end.0);
                left.for_each(|it| rebuilding.tell(it));
                rebuilding.mended(Mended::Level {
                    differences: of_level.0,
                    before: kept.map(|kept| Box::new(kept.value)),
                    after,
                });
                return Ok(());
            }
        }
    }

    async fn level_of(
        &self,
        site: &Site,
        key: &StockKey,
    ) -> Result<Option<Versioned<StockLevel>>, Error> {
        let keys = std::slice::from_ref(key);
        let levels = self.repository.levels(site.organisation, keys).await?;
        Ok(levels.into_iter().flatten().next())
    }

    fn call_to_mend(&self, rebuilding: &Rebuilding) -> Call {
        let id = CommandId::new("rebuild", self.ids.next());
        Self::begin_derived(rebuilding.stamp.clone(), id)
    }

    async fn rebuild_serials(
        &self,
        site: &Site,
        page: &LevelsToVerify,
        rebuilding: &mut Rebuilding,
    ) -> Result<(), Error> {
        let keys: Vec<StockKey> = page
            .levels
            .iter()
            .map(|level| level.value.key())
            .filter(|key| key.serial.is_some())
            .cloned()
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        let levels = self.repository.levels(site.organisation, &keys).await?;
        let levels: Vec<_> = levels.into_iter().flatten().collect();
        let mut off = KeysOff::default();
        self.verify_serials(site, &levels, &mut off).await?;
        for key in off.keys {
            self.rebuild_mark(site, &key, rebuilding).await?;
        }
        Ok(())
    }

    /// Marks the key that holds a serial number, or takes the mark from one that does not. The level is written as it is, so
    /// that the commit conflicts with one that moves the unit. Two keys that hold it both are told and left.
    async fn rebuild_mark(
        &self,
        site: &Site,
        key: &StockKey,
        rebuilding: &mut Rebuilding,
    ) -> Result<(), Error> {
        let mut call = self.call_to_mend(rebuilding);
        let at = call.stamp.at;
        loop {
            let Some(level) = self.level_of(site, key).await? else {
                return Ok(());
            };
            let mut marks = self
                .serial_marks(site.organisation, [key], SerialScope::Product)
                .await?;
            let Some(difference) = unlike_mark(&level.value, &marks) else {
                return Ok(());
            };
            let serial = key.serial.as_ref();
            let holder = serial
                .and_then(|serial| marks.holder(serial, key.product))
                .cloned();
            let is_held = level.value.quantity().is_positive();
            let mut theirs = None;
            if is_held && let Some(other) = holder.as_ref().filter(|holder| *holder != key) {
                let level = self.level_of(site, other).await?;
                if let Some(level) = &level
                    && level.value.quantity().is_positive()
                {
                    rebuilding.tell(difference);
                    return Ok(());
                }
                // Read once more, after the level: who deletes this mark from now on changes the level, and is found out.
                marks = self
                    .serial_marks(site.organisation, [key], SerialScope::Product)
                    .await?;
                let again = serial.and_then(|serial| marks.holder(serial, key.product));
                if again != Some(other) {
                    continue;
                }
                marks.unmark(other);
                theirs = Some((other.clone(), level));
            }
            if is_held {
                marks.mark(key, site.policy.serials);
            } else {
                marks.unmark(key);
            }
            let after = serial
                .and_then(|serial| marks.holder(serial, key.product))
                .cloned();
            let step = self.commit(&mut call, Outcome::Done, |changes| {
                changes.update(level.version, level.value.clone());
                // The unit may be on its way to the key that the mark is taken from: then this conflicts.
                match theirs {
                    Some((_, Some(level))) => changes.update(level.version, level.value),
                    Some((other, None)) => changes.insert(StockLevel::new(other, at)),
                    None => {}
                }
                marks.write(changes);
            });
            if let Step::Done(_) = step.await? {
                rebuilding.mended(Mended::Serial {
                    key: key.clone(),
                    before: holder,
                    after,
                });
                return Ok(());
            }
        }
    }

    /// Takes back the mark of a serial number at a key that has no level. The level that it would need is made, empty and not
    /// on stock, so that the commit conflicts with one that brings the unit.
    pub(super) async fn mend_stray_mark(
        &self,
        site: &Site,
        mark: Versioned<SerialMark>,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let Some(rebuilding) = result.rebuilding() else {
            return Ok(());
        };
        let SerialMark {
            serial,
            product,
            key,
        } = mark.value;
        let level = self.level_of(site, &key).await?;
        let mut call = self.call_to_mend(rebuilding);
        let at = call.stamp.at;
        let step = self.commit(&mut call, Outcome::Done, |changes| {
            match level {
                Some(level) => changes.update(level.version, level.value),
                None => changes.insert(StockLevel::new(key.clone(), at)),
            }
            changes.delete(mark.version, DeletableKey::SerialMark(serial, product));
        });
        // Whoever was faster has moved the unit, and its mark with it.
        if let Step::Done(_) = step.await? {
            rebuilding.mended(Mended::Serial {
                key: key.clone(),
                before: Some(key),
                after: None,
            });
        }
        Ok(())
    }

    /// Gives an order the sums of its lines, or reads it again when somebody else has changed it.
    pub(super) async fn mend_order(
        &self,
        order: &Versioned<InventoryOrder>,
        due: InventoryOrder,
        result: &mut dyn Findings,
    ) -> Result<Option<Versioned<InventoryOrder>>, Error> {
        let Some(rebuilding) = result.rebuilding() else {
            return Ok(None);
        };
        let sums = |order: &InventoryOrder| (order.item_count(), order.subtotal_minor());
        let mended = Mended::Order {
            order: due.id(),
            before: sums(&order.value),
            after: sums(&due),
        };
        let organisation = due.organisation();
        let mut call = self.call_to_mend(rebuilding);
        let step = self.commit(&mut call, Outcome::Done, |changes| {
            changes.update(order.version, due);
        });
        if let Step::Done(_) = step.await? {
            rebuilding.mended(mended);
            return Ok(None);
        }
        let id = order.value.id();
        Ok(self.repository.inventory_order(organisation, id).await?)
    }
}
