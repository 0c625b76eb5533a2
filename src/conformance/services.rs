//! C15 to C17, C19, C20: the crate's own service over the store, from many sides at once.

use std::sync::Arc;

use super::checks::{Verdict, Wrong, ensure, same};
use super::harness::{Handle, Stage};
use super::races::{Race, rounds};
use crate::domain::{
    CountType, InventoryCount, InventoryCountDetails, LedgerEntry, MovementPolicy, PostingOptions,
    Quantity, StockEventKind, StockTakeId, StockTakeItemId, StockTakeState,
};
use crate::jobs::Worker;
use crate::service::{Caller, CountRequest, Error, ErrorKind, Movement, NewStockTake, Stocktake};
use crate::store::{ArticleSort, MAX_PAGE, PageRequest, StockTakeItemFilter};
use crate::testing::{ManualClock, SequentialIds, Shop};

/// A shop on a store, and the same library over another handle of it.
async fn open(stage: &Stage<'_>) -> Result<(Arc<Shop>, Stocktake), Wrong> {
    let store = stage.fresh().await?;
    let other = stage.second_handle(&store).await?;
    let clock = Arc::new(ManualClock::default());
    let ids = Arc::new(SequentialIds::default());
    let library = |store: Handle| Stocktake::with(store.clone(), store, clock.clone(), ids.clone());
    let shop = Shop::with(library(store), clock.clone());
    shop.open().await?;
    let second = library(other);
    Ok((Arc::new(shop), second))
}

/// A take that is being counted, with its first two lines.
async fn take(shop: &Shop) -> Result<(StockTakeId, [StockTakeItemId; 2]), Wrong> {
    let manager = Caller::of(&shop.manager);
    let takes = shop.stocktake.stock_takes();
    let new = NewStockTake {
        site: shop.site.id,
        description: super::samples::label("January"),
        movement_policy: MovementPolicy::KeepMovements,
    };
    let take = takes.create(&manager, new).await?;
    shop.run_jobs().await?;
    let lines = takes
        .items(
            &manager,
            take.id(),
            &StockTakeItemFilter::default(),
            ArticleSort::default(),
            &PageRequest::first(10),
        )
        .await?;
    let line_of = |number| {
        let key = shop.key(number);
        let row = lines.items.iter().find(|row| row.item.value.key == key);
        row.map(|row| row.item.value.id)
            .ok_or_else(|| Wrong::from("a line of a new take is not there"))
    };
    Ok((take.id(), [line_of(0)?, line_of(1)?]))
}

/// Whether an operation was done, or refused because something else was first.
fn done<T>(result: Result<T, Error>) -> Result<bool, Wrong> {
    match result {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::Conflict | ErrorKind::Invalid => Ok(false),
            _ => Err(error.into()),
        },
    }
}

/// That every level is what its events say, and every place is taken once.
async fn sound(shop: &Shop) -> Verdict {
    let manager = Caller::of(&shop.manager);
    let stock = shop.stocktake.stock();
    let found = stock.verify(&manager, shop.site.id).await?;
    ensure!(
        found.is_sound(),
        "the ledger is not sound: {:?}",
        found.differences
    );
    Ok(())
}

async fn variances(shop: &Shop) -> Result<usize, Wrong> {
    let manager = Caller::of(&shop.manager);
    let stock = shop.stocktake.stock();
    let entries = stock.ledger(&manager, shop.site.id, 0, MAX_PAGE).await?;
    let is_variance = |entry: &&LedgerEntry| entry.event.kind == StockEventKind::CountVariance;
    Ok(entries.iter().filter(is_variance).count())
}

fn quantity(number: u32) -> Quantity {
    Quantity::from(number)
}

/// Of many who post a take one does, and its variance is in the ledger once.
pub(super) async fn c15_concurrent_posts_exactly_one_wins(stage: &Stage<'_>) -> Verdict {
    for _ in 0..rounds().div_ceil(5) {
        let (shop, second) = open(stage).await?;
        let (id, [line, _]) = take(&shop).await?;
        let manager = Caller::of(&shop.manager);
        let takes = shop.stocktake.stock_takes();
        let request = CountRequest::set(quantity(38));
        takes.count(&manager, id, line, request).await?;
        let mut race = Race::new(4);
        for n in 0..4 {
            let library = if n % 2 == 0 {
                shop.stocktake.clone()
            } else {
                second.clone()
            };
            let manager = manager.clone();
            race.enter_service(async move {
                let takes = library.stock_takes();
                if n == 3 {
                    Worker::new(&library, "worker").run_all_due().await?;
                    return Ok(false);
                }
                done(takes.submit(&manager, id, PostingOptions::default()).await)
            });
        }
        let won = race.run().await?;
        let won = won.iter().filter(|won| **won).count();
        same(won, 1, "those of many who posted a take")?;
        same(variances(&shop).await?, 1, "variances in the ledger")?;
        same(
            shop.on_hand(&shop.key(0)).await?,
            quantity(38),
            "what is on hand",
        )?;
        let take = shop.stocktake.stock_takes().get(&manager, id).await?.take;
        let found = (take.state(), take.round());
        same(found, (StockTakeState::Finished, 1), "the take")?;
        sound(&shop).await?;
    }
    Ok(())
}

/// A count that is taken while posting begins is in the posting, or refused.
pub(super) async fn c16_post_vs_item_edit_never_edits_after_lock(stage: &Stage<'_>) -> Verdict {
    for round in 0..rounds().div_ceil(5) {
        let (shop, second) = open(stage).await?;
        let (id, [line, other]) = take(&shop).await?;
        let manager = Caller::of(&shop.manager);
        let takes = shop.stocktake.stock_takes();
        takes
            .count(&manager, id, line, CountRequest::set(quantity(38)))
            .await?;
        let mut race = Race::new(2);
        let (poster, caller) = (shop.stocktake.clone(), manager.clone());
        race.enter_service(async move {
            let takes = poster.stock_takes();
            done(takes.submit(&caller, id, PostingOptions::default()).await)
        });
        let caller = manager.clone();
        race.enter_service(async move {
            for _ in 0..round % 4 {
                tokio::task::yield_now().await;
            }
            let takes = second.stock_takes();
            done(
                takes
                    .count(&caller, id, other, CountRequest::set(quantity(30)))
                    .await,
            )
        });
        let told = race.run().await?;
        let (posted, was_counted) = (told.first() == Some(&true), told.last() == Some(&true));
        ensure!(
            posted,
            "a posting was refused for a count that came beside it"
        );
        let expected = if was_counted { 30 } else { 40 };
        let found = shop.on_hand(&shop.key(1)).await?;
        same(
            found,
            quantity(expected),
            "what is on hand of the line counted meanwhile",
        )?;
        let late = CountRequest::set(quantity(1));
        let late = takes.count(&manager, id, line, late).await;
        ensure!(!done(late)?, "a line of a posted take was counted");
        let entries = takes.count_entries(&manager, id, other).await?;
        same(
            entries.len(),
            usize::from(was_counted),
            "acts of counting that are kept",
        )?;
        same(
            variances(&shop).await?,
            1 + usize::from(was_counted),
            "variances",
        )?;
        sound(&shop).await?;
    }
    Ok(())
}

/// What is sold while a take is posted stays sold, and what was counted stays counted.
pub(super) async fn c17_post_vs_sale_keeps_both(stage: &Stage<'_>) -> Verdict {
    for _ in 0..rounds().div_ceil(5) {
        let (shop, second) = open(stage).await?;
        let (id, [line, _]) = take(&shop).await?;
        let manager = Caller::of(&shop.manager);
        let takes = shop.stocktake.stock_takes();
        takes
            .count(&manager, id, line, CountRequest::set(quantity(38)))
            .await?;
        let mut race = Race::new(2);
        let (poster, caller) = (shop.stocktake.clone(), manager.clone());
        race.enter_service(async move {
            let takes = poster.stock_takes();
            takes.submit(&caller, id, PostingOptions::default()).await?;
            Ok(())
        });
        let (till, site, key) = (Caller::of(&shop.service), shop.site.id, shop.key(0));
        race.enter_service(async move {
            for _ in 0..5 {
                let (key, quantity) = (key.clone(), Quantity::ONE);
                let sale = Movement::Issue { key, quantity };
                second.stock().record(&till, site, &[sale.into()]).await?;
            }
            Ok(())
        });
        race.run().await?;
        let found = shop.on_hand(&shop.key(0)).await?;
        same(
            found,
            quantity(33),
            "38 were counted, 5 sold: what is on hand",
        )?;
        sound(&shop).await?;
    }
    Ok(())
}

/// The last unit is sold once.
pub(super) async fn c19_two_sales_of_last_unit_one_wins(stage: &Stage<'_>) -> Verdict {
    let (shop, second) = open(stage).await?;
    let till = Caller::of(&shop.service);
    for _ in 0..rounds() {
        let (key, quantity) = (shop.key(0), shop.on_hand(&shop.key(0)).await?);
        let all_but_one = quantity.checked_sub(Quantity::ONE)?;
        if all_but_one.is_positive() {
            let sale = Movement::Issue {
                key: key.clone(),
                quantity: all_but_one,
            };
            let stock = shop.stocktake.stock();
            stock.record(&till, shop.site.id, &[sale.into()]).await?;
        }
        let mut race = Race::new(4);
        for n in 0..4 {
            let library = if n % 2 == 0 {
                shop.stocktake.clone()
            } else {
                second.clone()
            };
            let (till, key, site) = (till.clone(), key.clone(), shop.site.id);
            race.enter_service(async move {
                let quantity = Quantity::ONE;
                let sale = Movement::Issue { key, quantity };
                done(library.stock().record(&till, site, &[sale.into()]).await)
            });
        }
        let sold = race.run().await?;
        let sold = sold.iter().filter(|sold| **sold).count();
        same(sold, 1, "sales of the last unit")?;
        same(shop.on_hand(&key).await?, Quantity::ZERO, "what is on hand")?;
        let stock = shop.stocktake.stock();
        stock
            .record(&till, shop.site.id, &[shop.receipt(0, Quantity::from(2))])
            .await?;
    }
    sound(&shop).await
}

/// A site has one count in progress, however many are started at once.
pub(super) async fn c20_must_not_exist_race_one_open_count_per_site(stage: &Stage<'_>) -> Verdict {
    let (shop, second) = open(stage).await?;
    let manager = Caller::of(&shop.manager);
    for _ in 0..rounds() {
        let mut race = Race::new(4);
        for n in 0..4 {
            let library = if n % 2 == 0 {
                shop.stocktake.clone()
            } else {
                second.clone()
            };
            let (manager, site) = (manager.clone(), shop.site.id);
            race.enter_service(async move {
                let details = InventoryCountDetails {
                    name: super::samples::label("Aisle 3"),
                    kind: CountType::Cycle,
                    notes: None,
                    movement_policy: MovementPolicy::KeepMovements,
                };
                let counts = library.inventory_counts();
                let started = counts.start(&manager, site, details).await;
                let id = started.as_ref().ok().map(InventoryCount::id);
                done(started)?;
                Ok(id)
            });
        }
        let started: Vec<_> = race.run().await?.into_iter().flatten().collect();
        same(started.len(), 1, "counts that were started at once")?;
        for id in started {
            let counts = shop.stocktake.inventory_counts();
            counts.cancel(&manager, id).await?;
        }
    }
    Ok(())
}
