//! What is damaged is mended from the ledger: levels and marks of serial numbers, on every store, also while stock moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value as Json, json};
use stocktake::domain::{
    CostingMethod, Known, Quantity, StockEvent, StockEventId, StockKey, StockLevel,
};
use stocktake::service::{Difference, Mended, Movement, NewMovement, Rebuild, Verification};
use stocktake::store::{
    DeletableKey, LevelFilter, PageRequest, RepositoryExt, SerialMark, Versioned,
};
use stocktake::testing::Shop;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::shops::{commit_wrong, manager, shop_on};
use crate::stores::{Kind, Store, Stores};

/// How many random histories are damaged on each kind of store.
const HISTORIES: u64 = 6;
const STEPS: u64 = 40;

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

async fn levels(store: &Store, shop: &Shop) -> Vec<Versioned<StockLevel>> {
    let filter = LevelFilter {
        with_delisted: true,
        ..LevelFilter::default()
    };
    let page = PageRequest::first(500);
    let levels =
        store
            .repository
            .levels_page(shop.manager.organisation, shop.site.id, &filter, &page);
    levels.await.unwrap().items
}

async fn verify(shop: &Shop) -> Verification {
    let stock = shop.stocktake.stock();
    stock.verify(&manager(shop), shop.site.id).await.unwrap()
}

async fn rebuild(shop: &Shop) -> Rebuild {
    let stock = shop.stocktake.stock();
    stock.rebuild(&manager(shop), shop.site.id).await.unwrap()
}

/// A level that somebody has changed past the library: one of the kinds of damage that the audit knows.
fn damaged(level: &StockLevel, kind: u64) -> StockLevel {
    let mut form = serde_json::to_value(level).unwrap();
    let fresh = StockLevel::new(level.key().clone(), level.updated_at());
    let blank = serde_json::to_value(&fresh).unwrap();
    match kind {
        0 => form["quantity"] = json!("777"),
        1 => form["stocked"] = json!(!level.is_stocked()),
        2 => form["sequence"] = json!(level.sequence() + 3),
        3 => form["valuation"]["value"] = json!("12345.67"),
        4 => form["valuation"]["layers"] = Json::Array(Vec::new()),
        5 => form["valuation"]["fifo_value"] = json!("0.5"),
        6 => form["valuation"] = blank["valuation"].clone(),
        _ => form = blank,
    }
    serde_json::from_value(form).unwrap()
}

const DAMAGES: u64 = 8;

/// Movements of every kind, over a few keys of two products.
async fn history(shop: &Shop, dice: &mut Dice) {
    let stock = shop.stocktake.stock();
    let keys: Vec<StockKey> = (0..3)
        .flat_map(|number| {
            let key = shop.key(number);
            [key.clone(), key.at("bay".parse().unwrap())]
        })
        .collect();
    let mut taken_back: Vec<StockEventId> = Vec::new();
    for _ in 0..STEPS {
        shop.clock.advance_seconds(60);
        let key = keys[usize::try_from(dice.below(6)).unwrap()].clone();
        let to = keys[usize::try_from(dice.below(6)).unwrap()].clone();
        let quantity = Quantity::from(u32::try_from(1 + dice.below(9)).unwrap());
        let cost = Some(
            format!("{}.{:02}", dice.below(20), dice.below(100))
                .parse()
                .unwrap(),
        );
        let movement = match dice.below(9) {
            0..=2 => Movement::Receipt {
                key,
                quantity,
                unit_cost: cost,
            },
            3 | 4 => Movement::Issue { key, quantity },
            5 => Movement::Transfer {
                from: key,
                to,
                quantity,
            },
            6 => Movement::Reset {
                key,
                quantity,
                unit_cost: None,
                expected: None,
            },
            7 => Movement::Remove { key },
            _ => match taken_back.pop() {
                Some(of) => Movement::Reversal { of },
                None => Movement::Receipt {
                    key,
                    quantity,
                    unit_cost: cost,
                },
            },
        };
        let is_receipt = matches!(movement, Movement::Receipt { .. });
        // What is refused (more than there is, what was taken back before) is not in the history.
        let recorded = stock
            .record(&manager(shop), shop.site.id, &[NewMovement::from(movement)])
            .await;
        if let Ok(events) = recorded
            && is_receipt
        {
            taken_back.extend(events.last().map(|event| event.id));
        }
    }
}

#[tokio::test]
async fn what_is_damaged_is_named_and_mended_to_what_it_was() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        for seed in 0..HISTORIES {
            let store = stores.fresh().await;
            let mut shop = shop_on(&store);
            shop.site.policy.costing = match seed % 3 {
                0 => CostingMethod::Fifo,
                1 => CostingMethod::WeightedAverage,
                _ => CostingMethod::Standard,
            };
            shop.open().await.unwrap();
            let mut dice = Dice(seed + 1);
            history(&shop, &mut dice).await;
            let sound = verify(&shop).await;
            assert!(sound.is_sound(), "{} {seed}: {sound:?}", kind.name());
            let before = levels(&store, &shop).await;
            for damage in 0..DAMAGES {
                let now = levels(&store, &shop).await;
                let chosen = usize::try_from(dice.below(now.len().try_into().unwrap())).unwrap();
                let (version, whole) = (now[chosen].version, &now[chosen].value);
                let wrong = damaged(whole, damage);
                // Of a drained key, what nothing tells of (the last cost) may be all that is damaged.
                let told = |level: &StockLevel| {
                    let (sequence, valuation) = (level.sequence(), level.valuation());
                    let value = (valuation.value(), valuation.fifo_value());
                    let on_hand = (level.quantity(), level.is_stocked());
                    (sequence, on_hand, value, valuation.layers().to_vec())
                };
                if told(&wrong) == told(whole) {
                    continue;
                }
                commit_wrong(&store, &shop, |it| it.update(version, wrong.clone()))
                    .await
                    .unwrap();
                let what = format!("{} {seed} {damage} of {:?}", kind.name(), whole.key());
                let found = verify(&shop).await;
                assert!(!found.is_sound(), "{what}");
                let rebuilt = rebuild(&shop).await;
                assert_eq!(
                    (rebuilt.mended, rebuilt.left),
                    (1, 0),
                    "{what}: {rebuilt:?}"
                );
                let Mended::Level {
                    before,
                    after,
                    differences,
                } = &rebuilt.changes[0]
                else {
                    panic!("{what}: {rebuilt:?}");
                };
                assert_eq!(before.as_deref(), Some(&wrong), "{what}");
                assert!(!differences.is_empty(), "{what}");
                assert_eq!(after.quantity(), whole.quantity(), "{what}");
                let mended = verify(&shop).await;
                assert!(mended.is_sound(), "{what}: {mended:?}");
                assert_eq!(rebuild(&shop).await, Rebuild::default(), "{what}: again");
            }
            for (before, after) in before.iter().zip(levels(&store, &shop).await) {
                let (before, after) = (&before.value, &after.value);
                let told = |level: &StockLevel| {
                    let valuation = level.valuation();
                    let layers = valuation.layers().to_vec();
                    (
                        level.quantity(),
                        level.is_stocked(),
                        level.sequence(),
                        valuation.value(),
                        valuation.fifo_value(),
                        layers,
                        level.known().copied(),
                    )
                };
                assert_eq!(told(after), told(before), "{} {seed}", kind.name());
            }
        }
    }
}

#[tokio::test]
async fn events_that_contradict_each_other_are_told_and_left() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        let stock = shop.stocktake.stock();
        let event = stock
            .key_events(&manager(&shop), &shop.key(0), 0)
            .await
            .unwrap()
            .remove(0);
        // One that begins where none ended, and one behind a gap.
        let torn = StockEvent {
            id: Uuid::from_u128(1).into(),
            sequence: event.sequence + 1,
            ..event.clone()
        };
        let far = StockEvent {
            id: Uuid::from_u128(2).into(),
            key: shop.key(1),
            sequence: event.sequence + 5,
            ..event.clone()
        };
        commit_wrong(&store, &shop, |it| {
            it.event(torn);
            it.event(far);
        })
        .await
        .unwrap();
        let before = levels(&store, &shop).await;
        let rebuilt = rebuild(&shop).await;
        assert_eq!(rebuilt.mended, 0, "{}: {rebuilt:?}", kind.name());
        let chain = Difference::Chain {
            key: shop.key(0),
            at: 2,
        };
        let sequence = Difference::Sequence {
            key: shop.key(1),
            at: 2,
        };
        for difference in [chain, sequence] {
            assert!(
                rebuilt.differences.contains(&difference),
                "{}: {rebuilt:?}",
                kind.name()
            );
        }
        assert_eq!(levels(&store, &shop).await, before, "{}", kind.name());
    }
}

#[tokio::test]
async fn a_key_that_has_events_and_no_level_gets_one() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        let stock = shop.stocktake.stock();
        let event = stock
            .key_events(&manager(&shop), &shop.key(0), 0)
            .await
            .unwrap()
            .remove(0);
        let key = shop.key(0).at("nowhere".parse().unwrap());
        let nowhere = StockEvent {
            id: Uuid::from_u128(2).into(),
            key: key.clone(),
            ..event.clone()
        };
        commit_wrong(&store, &shop, |it| it.event(nowhere))
            .await
            .unwrap();
        let rebuilt = rebuild(&shop).await;
        assert_eq!(
            (rebuilt.mended, rebuilt.left),
            (1, 0),
            "{}: {rebuilt:?}",
            kind.name()
        );
        let level = stock.level(&manager(&shop), &key).await.unwrap();
        let like = stock.level(&manager(&shop), &shop.key(0)).await.unwrap();
        let of = |level: &StockLevel| {
            (
                level.quantity(),
                level.valuation().clone(),
                level.updated_at(),
            )
        };
        assert_eq!(of(&level), of(&like), "{}", kind.name());
        assert!(verify(&shop).await.is_sound(), "{}", kind.name());
    }
}

/// A unit of a serial number that came, and its key.
async fn unit(shop: &Shop, serial: &str) -> StockKey {
    let mut product = shop.products[2].clone();
    product.tracking = stocktake::domain::Tracking::Serial;
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&manager(shop), vec![product])
        .await
        .unwrap();
    let key = shop.key(2).with_serial(serial.parse().unwrap());
    let receipt = Movement::Receipt {
        key: key.clone(),
        quantity: Quantity::ONE,
        unit_cost: Some("5".parse().unwrap()),
    };
    let stock = shop.stocktake.stock();
    stock
        .record(&manager(shop), shop.site.id, &[receipt.into()])
        .await
        .unwrap();
    key
}

#[tokio::test]
async fn marks_of_serial_numbers_follow_from_levels() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        let key = unit(&shop, "S-1").await;
        let nowhere = shop
            .key(2)
            .at("nowhere".parse().unwrap())
            .with_serial("S-2".parse().unwrap());
        let mark = |key: &StockKey| SerialMark {
            serial: key.serial.clone().unwrap(),
            product: Some(key.product),
            key: key.clone(),
        };
        let marks = async || {
            let marks = store
                .repository
                .serial_marks_after(shop.manager.organisation, None, 9);
            marks.await.unwrap()
        };
        let version = marks().await[0].version;
        let gone = DeletableKey::SerialMark(key.serial.clone().unwrap(), Some(key.product));
        commit_wrong(&store, &shop, |it| {
            it.delete(version, gone);
            it.insert(mark(&nowhere));
        })
        .await
        .unwrap();
        let found = verify(&shop).await;
        let expected = [
            Difference::Serial {
                key: key.clone(),
                marked: None,
            },
            Difference::Serial {
                key: nowhere.clone(),
                marked: Some(nowhere.clone()),
            },
        ];
        assert_eq!(found.differences, expected, "{}", kind.name());
        let rebuilt = rebuild(&shop).await;
        let expected = [
            Mended::Serial {
                key: key.clone(),
                before: None,
                after: Some(key.clone()),
            },
            Mended::Serial {
                key: nowhere.clone(),
                before: Some(nowhere),
                after: None,
            },
        ];
        assert_eq!(rebuilt.changes, expected, "{}", kind.name());
        let left: Vec<SerialMark> = marks().await.into_iter().map(|mark| mark.value).collect();
        assert_eq!(left, [mark(&key)], "{}", kind.name());
        assert!(verify(&shop).await.is_sound(), "{}", kind.name());
        assert_eq!(rebuild(&shop).await, Rebuild::default(), "{}", kind.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_loses_a_movement_while_levels_are_mended() {
    const WRITERS: usize = 3;
    const REBUILDS: usize = 6;
    /// How many movements may be recorded while a damage is mended.
    const MEANWHILE: usize = 30;
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = Arc::new(shop_on(&store));
        shop.open().await.unwrap();
        let may_move = Arc::new(Semaphore::new(0));
        let recorded = Arc::new(AtomicU64::new(0));
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let (shop, may_move) = (shop.clone(), may_move.clone());
            let recorded = recorded.clone();
            writers.spawn(async move {
                while let Ok(permit) = may_move.acquire().await {
                    permit.forget();
                    let receipt = Movement::Receipt {
                        key: shop.key(0),
                        quantity: Quantity::from(5),
                        unit_cost: Some("2.50".parse().unwrap()),
                    };
                    let stock = shop.stocktake.stock();
                    let done = stock
                        .record(&manager(&shop), shop.site.id, &[receipt.into()])
                        .await;
                    recorded.fetch_add(u64::from(done.is_ok()), Ordering::AcqRel);
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut mended = 0;
        for _ in 0..REBUILDS {
            may_move.add_permits(MEANWHILE);
            // A key that moves all the time is taken off the lists, and one that stands still is worth nothing.
            for (key, damage) in [(shop.key(0), 1), (shop.key(1), 6)] {
                let wrong = async || {
                    let keys = [key.clone()];
                    let read = store.repository.levels(shop.manager.organisation, &keys);
                    let level = read.await.unwrap().remove(0).unwrap();
                    let wrong = damaged(&level.value, damage);
                    commit_wrong(&store, &shop, |it| it.update(level.version, wrong)).await
                };
                while wrong().await.is_err() {}
            }
            mended += rebuild(&shop).await.mended;
        }
        // However slow the writers are, one of them has moved something.
        while recorded.load(Ordering::Acquire) == 0 {
            may_move.add_permits(1);
            tokio::task::yield_now().await;
        }
        may_move.close();
        writers.join_all().await;
        let recorded = recorded.load(Ordering::Acquire);
        mended += rebuild(&shop).await.mended;
        let found = verify(&shop).await;
        assert!(found.is_sound(), "{}: {found:?}", kind.name());
        let least = u64::try_from(REBUILDS).unwrap();
        assert!(mended >= least, "{}: {mended}", kind.name());
        let stock = shop.stocktake.stock();
        let events = stock
            .key_events(&manager(&shop), &shop.key(0), 0)
            .await
            .unwrap();
        let events = u64::try_from(events.len()).unwrap();
        assert_eq!(events, recorded + 1, "{}", kind.name());
    }
}

/// Absolute values, sales and what is told late, while the clock jumps both ways.
async fn jumping_history(shop: &Shop, dice: &mut Dice) {
    let stock = shop.stocktake.stock();
    for _ in 0..STEPS {
        let jump = i64::try_from(dice.below(4_000)).unwrap();
        shop.clock.advance_seconds(jump - 1_900);
        let quantity = Quantity::from(u32::try_from(dice.below(9)).unwrap());
        let movement: NewMovement = if dice.below(3) == 0 {
            Movement::Reset {
                key: shop.key(0),
                quantity,
                unit_cost: None,
                expected: None,
            }
            .into()
        } else {
            let quantity = quantity.checked_add(Quantity::ONE).unwrap();
            let issue = Movement::Issue {
                key: shop.key(0),
                quantity,
            };
            let back = i64::try_from(dice.below(6_000)).unwrap() * 1_000_000;
            let at = shop.now().later_by(-back);
            NewMovement {
                occurred_at: (dice.below(2) == 0).then_some(at),
                ..issue.into()
            }
        };
        // What is refused is not in the history.
        let _ = stock
            .record(&manager(shop), shop.site.id, &[movement])
            .await;
    }
}

/// What a level knew of absolute values, and which of them a clock knew that was ahead, follows from its events.
#[tokio::test]
async fn a_level_that_is_made_anew_knows_which_clock_was_ahead() {
    let mut ahead = 0;
    for seed in 0..100 {
        let store = Stores::of(Kind::Memory).fresh().await;
        let mut shop = shop_on(&store);
        shop.site.policy.allow_negative = true;
        shop.site.policy.allow_zero_cost = true;
        shop.site.policy.clock_tolerance_millis = if seed % 2 == 0 { 0 } else { 600_000 };
        shop.open().await.unwrap();
        jumping_history(&shop, &mut Dice(seed)).await;
        let before = levels(&store, &shop).await;
        commit_wrong(&store, &shop, |changes| {
            for level in &before {
                changes.update(level.version, damaged(&level.value, DAMAGES));
            }
        })
        .await
        .unwrap();
        let rebuilt = rebuild(&shop).await;
        assert_eq!(rebuilt.left, 0, "{seed}: {rebuilt:?}");
        for (before, after) in before.iter().zip(levels(&store, &shop).await) {
            let (before, after) = (before.value.known(), after.value.known());
            assert_eq!(before, after, "{seed}");
            ahead += u32::from(before.is_some_and(Known::is_from_the_future));
        }
    }
    assert!(ahead > 20, "{ahead} clocks were ahead");
}
