//! The last word: what the book says against what really lies on the shelves.

use std::collections::HashMap;

use stocktake::domain::{Quantity, StockKey};

use crate::counting::{CARTON, Counted};
use crate::failure::{Checks, Failure};
use crate::feed::Followed;
use crate::report::Difference;
use crate::shop::GiftShop;

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Levels that are what lies in their bay.
    pub(crate) counted: usize,
    /// Levels that nobody counted: they are what the book said, whatever lies there.
    pub(crate) uncounted: usize,
    /// Pieces in the counted bays.
    pub(crate) pieces: u64,
    /// Pieces that the book keeps of what nobody counted.
    pub(crate) kept: u64,
}

/// Checks that each counted line's variance is what had gone astray in its bay, and a carton more where
/// the counter made that mistake.
pub(crate) fn check_variances(
    shop: &GiftShop,
    counted: &Counted,
    found: &[Difference],
    checks: &mut Checks,
) -> Result<(), Failure> {
    let found: HashMap<usize, Quantity> = found
        .iter()
        .map(|found| (found.bay, found.variance))
        .collect();
    for number in counted.lines.keys() {
        let Some(bay) = shop.bays.get(*number) else {
            continue;
        };
        let mistake = counted.mistaken.filter(|(bay, _)| bay == number);
        let astray = Quantity::try_from(bay.unknown_delta() + mistake.map_or(0, |_| CARTON))?;
        let found = found.get(number).copied().unwrap_or_default();
        checks.hold(found == astray, || {
            let code = &bay.article.code;
            format!("{code}: {astray} went astray, the count found {found}")
        });
    }
    Ok(())
}

/// Checks every level: of a counted article it is what lies there now, of an uncounted one what the book
/// has come to without the count. Whoever only follows the feed must arrive at the same.
pub(crate) async fn check_levels(
    shop: &GiftShop,
    counted: &Counted,
    feed: &Followed,
    checks: &mut Checks,
) -> Result<Truth, Failure> {
    let levels: HashMap<StockKey, Quantity> = shop
        .levels()
        .await?
        .into_iter()
        .map(|level| (level.key().clone(), level.quantity()))
        .collect();
    checks.hold(levels == feed.sums, || {
        let (levels, sums) = (levels.len(), feed.sums.len());
        format!("the feed's changes of {sums} keys don't come to the {levels} levels")
    });
    let mut truth = Truth::default();
    for (number, bay) in shop.bays.iter().enumerate() {
        let there = *bay.goods.lock().await;
        let is_counted = counted.lines.contains_key(&number);
        let pieces = if is_counted {
            there
        } else {
            there - bay.unknown_delta()
        };
        let due = Quantity::try_from(pieces)?;
        let level = levels.get(&bay.key).copied();
        let code = &bay.article.code;
        checks.hold(level.unwrap_or_default() == due, || {
            format!("{code}: the level should be {due}, and is {level:?}")
        });
        if is_counted {
            truth.counted += 1;
            truth.pieces = truth.pieces.saturating_add(pieces.unsigned_abs());
        } else if level.is_some() {
            truth.uncounted += 1;
            truth.kept = truth.kept.saturating_add(pieces.unsigned_abs());
        }
    }
    let expected = truth.counted + truth.uncounted;
    checks.hold(levels.len() == expected, || {
        format!(
            "{} levels, of which {expected} are of an article",
            levels.len()
        )
    });
    Ok(truth)
}
