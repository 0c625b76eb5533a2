//! Serial numbers that come to several places.

use std::sync::Arc;

use stocktake::domain::{
    MovementPolicy, Quantity, Site, SiteId, StockKey, StockTakeItemId, Tracking,
};
use stocktake::service::{Caller, CountRequest, Movement, NewStockTake};

use super::callers::{record_one, submit};
use super::race::{Race, Task, assert_one, caller, done, how_many};
use super::world::{World, code, issue, new_take, q, record, sum};

/// The key of the one serial number of a shop, at a place of a site.
fn serial_key(world: &World, site: SiteId, place: &str) -> StockKey {
    StockKey::plain(site, world.shop.products[9].id)
        .at(code(place))
        .with_serial(code("X"))
}

/// A second site, and a product that is told apart by serial numbers.
fn with_serials() -> Arc<World> {
    let world = World::open();
    let catalogue = world.shop.stocktake.catalogue();
    let mut product = world.shop.products[9].clone();
    product.tracking = Tracking::Serial;
    done(catalogue.put_products(&world.manager(), vec![product])).unwrap();
    let site = Site {
        id: other_site(),
        external_id: code("store-2"),
        ..world.shop.site.clone()
    };
    let there = Caller::of(&world.shop.elsewhere);
    done(catalogue.put_site(&there, site)).unwrap();
    world
}

/// The site that `elsewhere` sees.
fn other_site() -> SiteId {
    SiteId::new(uuid::Uuid::from_u128((2 << 96) | 2))
}

/// Receives the serial number at a place of a site, by somebody who sees that site.
fn receive_serial(world: &Arc<World>, site: SiteId, place: &'static str) -> Task {
    caller(world, move |world| async move {
        let actor = if site == other_site() {
            &world.shop.elsewhere
        } else {
            &world.shop.manager
        };
        let receipt = Movement::Receipt {
            key: serial_key(&world, site, place),
            quantity: q("1"),
            unit_cost: None,
        };
        let stock = world.shop.stocktake.stock();
        stock
            .record(&Caller::of(actor), site, &[receipt.into()])
            .await?;
        Ok(format!("received at {place}"))
    })
}

/// Where the serial number is: at one key, whatever happened.
fn assert_at_one_key(world: &World) {
    let here = world.shop.site.id;
    let keys = [(here, "A"), (here, "B"), (other_site(), "A")];
    let keys = keys.map(|(site, place)| serial_key(world, site, place));
    assert_eq!(sum(keys.iter().map(|key| world.on_hand(key))), q("1"));
    let there = Caller::of(&world.shop.elsewhere);
    let stock = world.shop.stocktake.stock();
    let verified = done(stock.verify(&there, other_site())).unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

#[test]
fn one_serial_number_comes_to_one_of_two_places() {
    Race {
        prepare: with_serials,
        callers: |world| {
            let here = world.shop.site.id;
            vec![
                receive_serial(world, here, "A"),
                receive_serial(world, here, "B"),
            ]
        },
        check: |world, told| {
            assert_one(told, "received", &["error serial_elsewhere"]);
            assert_at_one_key(world);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn one_serial_number_comes_to_one_of_two_sites() {
    Race {
        prepare: with_serials,
        callers: |world| {
            vec![
                receive_serial(world, world.shop.site.id, "A"),
                receive_serial(world, other_site(), "A"),
            ]
        },
        check: |world, told| {
            assert_one(told, "received", &["error serial_elsewhere"]);
            assert_at_one_key(world);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn a_serial_number_that_moves_is_never_at_two_keys() {
    Race {
        prepare: || {
            let world = with_serials();
            let key = serial_key(&world, world.shop.site.id, "A");
            let receipt = Movement::Receipt {
                key,
                quantity: q("1"),
                unit_cost: None,
            };
            record(&world, &[receipt.into()]);
            world
        },
        callers: |world| {
            let here = world.shop.site.id;
            let [from, to] = ["A", "B"].map(|place| serial_key(world, here, place));
            let transfer = Movement::Transfer {
                from: from.clone(),
                to,
                quantity: q("1"),
            };
            vec![
                record_one(world, transfer.into(), "transfer"),
                record_one(world, issue(from, "1"), "issue"),
                receive_serial(world, other_site(), "A"),
            ]
        },
        check: |world, told| {
            // Moved, or sold from where it was; sold, it may have come back at the other site.
            let gone = how_many(&told[1..2], "recorded") == 1;
            assert_eq!(how_many(&told[..1], "recorded"), usize::from(!gone));
            let back = how_many(&told[2..], "received") == 1;
            assert!(gone || !back, "{told:?}");
            if !gone || back {
                assert_at_one_key(world);
            }
        },
        preemptions: 2,
    }
    .run();
}

/// A take that makes the level match the count, and a unit that comes in meanwhile.
#[test]
fn a_serial_number_that_comes_while_a_take_misses_it_leaves_no_trace() {
    Race {
        prepare: || {
            let world = with_serials();
            let key = serial_key(&world, world.shop.site.id, "A");
            let receipt = Movement::Receipt {
                key: key.clone(),
                quantity: q("1"),
                unit_cost: None,
            };
            record(&world, &[receipt.into(), issue(key.clone(), "1")]);
            let takes = world.shop.stocktake.stock_takes();
            let new = NewStockTake {
                movement_policy: MovementPolicy::MatchCount,
                ..new_take(&world)
            };
            done(takes.create(&world.manager(), new)).unwrap();
            done(world.shop.run_jobs()).unwrap();
            let item = StockTakeItemId::for_key(world.id(), &key);
            let nothing = CountRequest::set(Quantity::ZERO);
            done(takes.count(&world.manager(), world.id(), item, nothing)).unwrap();
            world
        },
        callers: |world| {
            let here = world.shop.site.id;
            vec![submit(world, "submit"), receive_serial(world, here, "A")]
        },
        // That the marks agree with the levels is looked at after each race.
        check: |world, told| {
            assert_eq!(how_many(&told[1..], "received"), 1);
            let key = serial_key(world, world.shop.site.id, "A");
            assert!(world.on_hand(&key) <= q("1"));
        },
        preemptions: 3,
    }
    .run();
}
