//! What the lines of a take come to when it is posted, or reopened.

use std::collections::BTreeMap;

use stocktake::domain::{PostingOptions, Refusal, StockKey, StockTakeId, StockTakeItemId};

use super::super::stock::{Key, Knower};
use super::super::takes::{Elsewhere, Line, Take, Verdict};
use super::Case;

impl Case {
    /// What a line comes to when it is posted now. `after` is what lines before it will have made of their keys, and
    /// whether that is sure.
    pub(super) fn verdict(
        &self,
        (take, line): (&Take, &Line),
        options: PostingOptions,
        after: &BTreeMap<StockKey, (i64, bool)>,
    ) -> Verdict {
        let stock = &self.stock[take.site];
        let mut elsewhere = Elsewhere::No;
        for twin in stock.twins(&line.key) {
            let live = || (stock.key(twin).level(), true);
            let (level, sure) = after.get(twin).copied().unwrap_or_else(live);
            match (level > 0, sure) {
                (_, false) if elsewhere == Elsewhere::No => elsewhere = Elsewhere::Unsure,
                (true, true) => elsewhere = Elsewhere::Yes,
                (_, _) => {}
            }
        }
        if stock.is_abroad(&line.key) {
            elsewhere = Elsewhere::Yes;
        }
        let key = stock.key(&line.key);
        let policy = self.policy(take.site, &line.key);
        take.verdict(line, &key, &policy, options.zero_uncounted, elsewhere)
    }

    /// The lines that a posting goes over, in the order in which it decides them: what brings the unit of a serial number
    /// comes last.
    pub(super) fn due(
        &self,
        take: &Take,
        options: PostingOptions,
        left_over: bool,
    ) -> Vec<(StockTakeItemId, Line)> {
        let mut lines = take.in_order();
        lines.retain(|(_, line)| take.is_due(line, left_over));
        lines.sort_by_cached_key(|(_, line)| {
            let key = self.stock[take.site].key(&line.key);
            let policy = self.policy(take.site, &line.key);
            let zero = options.zero_uncounted;
            let alone = take.verdict(line, &key, &policy, zero, Elsewhere::No);
            line.key.serial.is_some() && key.level() <= 0 && after(&key, &alone).0 > 0
        });
        lines
    }

    /// What each line comes to when a take is posted now.
    pub(super) fn verdicts(
        &self,
        take: &Take,
        options: PostingOptions,
        left_over: bool,
    ) -> Vec<(StockTakeItemId, Line, Verdict)> {
        let mut changed = BTreeMap::new();
        let lines = self.due(take, options, left_over).into_iter();
        let decided = lines.map(|(item, line)| {
            let verdict = self.verdict((take, &line), options, &changed);
            if line.key.serial.is_some() {
                let key = self.stock[take.site].key(&line.key);
                changed.insert(line.key.clone(), after(&key, &verdict));
            }
            (item, line, verdict)
        });
        decided.collect()
    }

    /// How many lines can't be posted, and how many may not be postable.
    pub(super) fn unpostable(
        &self,
        take: &Take,
        options: PostingOptions,
        left_over: bool,
    ) -> (usize, usize) {
        let (mut must, mut may) = (0, 0);
        for (_, _, verdict) in self.verdicts(take, options, left_over) {
            match verdict {
                Verdict::Refused(_) => {
                    must += 1;
                    may += 1;
                }
                Verdict::Unsure { .. } => may += 1,
                Verdict::Known { .. } | Verdict::Superseded | Verdict::LeftAlone => {}
            }
        }
        (must, may)
    }

    /// Whether a posting can be taken back.
    pub(super) fn reopens(&self, take: &Take) -> bool {
        let mut changed: BTreeMap<StockKey, i64> = BTreeMap::new();
        self.taken_back(take).into_iter().all(|(_, line)| {
            let (before, after) = self.without_posting(take, &line);
            let key = self.stock[take.site].key(&line.key);
            let policy = self.policy(take.site, &line.key);
            let stock = &self.stock[take.site];
            let level = |key: &StockKey| {
                let changed = changed.get(key).copied();
                changed.unwrap_or_else(|| stock.key(key).level())
            };
            let comes = line.key.serial.is_some() && before <= 0 && after > 0;
            let mut twins = stock.twins(&line.key);
            let elsewhere = stock.is_abroad(&line.key) || twins.any(|twin| level(twin) > 0);
            changed.insert(line.key.clone(), after);
            key.refusals(&line.key, before, after, &policy).is_empty() && !(comes && elsewhere)
        })
    }

    /// What is on hand of a line's key, and what will be when its posting is taken back.
    pub(super) fn without_posting(&self, take: &Take, line: &Line) -> (i64, i64) {
        let before = self.stock[take.site].key(&line.key);
        let mut after = before.clone();
        if let Some(posting) = &line.posting {
            after.forget(Knower::Line(posting.cause));
        }
        (before.level(), after.level())
    }

    /// The lines of a take in the order in which their postings are taken back: what brings the unit of a serial number
    /// comes last.
    pub(super) fn taken_back(&self, take: &Take) -> Vec<(StockTakeItemId, Line)> {
        let mut lines = take.in_order();
        lines.sort_by_cached_key(|(_, line)| {
            let (before, after) = self.without_posting(take, line);
            line.key.serial.is_some() && before <= 0 && after > 0
        });
        lines
    }

    pub(super) fn check_refusal(
        &self,
        id: StockTakeId,
        options: PostingOptions,
        refusal: &Refusal,
    ) -> Result<(), String> {
        let take = &self.takes[&id];
        for (item, line, verdict) in self.verdicts(take, options, false) {
            let told = refusal.lines.iter().find(|line| line.item == item);
            match (&verdict, told) {
                (Verdict::Refused(codes), Some(told)) if codes.contains(&told.problem.code()) => {}
                (Verdict::Unsure { .. }, _)
                | (Verdict::Known { .. } | Verdict::Superseded | Verdict::LeftAlone, None) => {}
                (_, told) => {
                    let history = self.history(take.site, &line.key);
                    return Err(format!(
                        "{line:?} of a take of {:?}: {verdict:?}, refused: {told:?}\n{history}",
                        take.began_at
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What is on hand of a key after a line of it was posted, and whether that is sure.
pub(super) fn after(key: &Key, verdict: &Verdict) -> (i64, bool) {
    match verdict {
        Verdict::Known { moment, there } => (key.level_after(*moment, *there), true),
        Verdict::Unsure { moment, there } => {
            let after = key.level_after(*moment, *there);
            (after, after == key.level())
        }
        Verdict::Superseded | Verdict::LeftAlone | Verdict::Refused(_) => (key.level(), true),
    }
}
