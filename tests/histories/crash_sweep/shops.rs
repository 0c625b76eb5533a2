//! Shops up to the command that is tested.

use stocktake::domain::{MovementPolicy, PostingOptions, Quantity, StockEvent, StockKey};
use stocktake::service::{CountRequest, Movement, NewMovement, NewStockTake, NewStockTakeList};

use super::poll::done;
use super::world::{World, code, q};

pub(super) fn new_take(world: &World) -> NewStockTake {
    NewStockTake {
        site: world.shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::KeepMovements,
    }
}

pub(super) fn new_list(world: &World, annual: bool) -> NewStockTakeList {
    NewStockTakeList {
        site: world.shop.site.id,
        name: "Annual".parse().unwrap(),
        description: None,
        due_at: None,
        annual,
        movement_policy: MovementPolicy::KeepMovements,
    }
}

pub(super) fn record(world: &World, movements: &[NewMovement]) -> Vec<StockEvent> {
    let site = world.shop.site.id;
    done(
        world
            .shop
            .stocktake
            .stock()
            .record(&world.manager(), site, movements),
    )
    .unwrap()
}

pub(super) fn issue(key: StockKey, quantity: &str) -> NewMovement {
    Movement::Issue {
        key,
        quantity: q(quantity),
    }
    .into()
}

/// A take with ten lines, nothing counted.
pub(super) fn populated() -> World {
    let world = World::open();
    done(
        world
            .shop
            .stocktake
            .stock_takes()
            .create(&world.manager(), new_take(&world)),
    )
    .unwrap();
    done(world.shop.run_jobs()).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

pub(super) fn count(world: &World, number: usize, quantity: &str) {
    let takes = world.shop.stocktake.stock_takes();
    let request = CountRequest::set(q(quantity));
    let (take, item) = (world.take(), world.item(number));
    done(takes.count(&world.manager(), take, item, request)).unwrap();
    world.shop.clock.advance_seconds(1);
}

/// A take that was counted while stock moved: less, more, right, zero, moved after, recorded late, superseded.
pub(super) fn counted() -> World {
    let world = populated();
    for (number, quantity) in [
        (0, "38"),
        (1, "43.5"),
        (2, "40"),
        (3, "0"),
        (4, "39"),
        (5, "40"),
    ] {
        count(&world, number, quantity);
    }
    world.shop.clock.advance_seconds(10);
    let late = world.shop.now().later_by(-60_000_000);
    let reset = Movement::Reset {
        key: world.shop.key(5),
        quantity: q("7"),
        unit_cost: None,
        expected: None,
    };
    let moved = [
        issue(world.shop.key(0), "5"),
        issue(world.shop.key(4), "1").at(late),
        reset.into(),
    ];
    record(&world, &moved);
    world.shop.clock.advance_seconds(60);
    world
}

pub(super) fn submitted() -> World {
    let world = counted();
    let takes = world.shop.stocktake.stock_takes();
    done(takes.submit(&world.manager(), world.take(), PostingOptions::default())).unwrap();
    // Sold since, and recorded late: absorbed by what the posting knew.
    let late = world.shop.now().later_by(-600_000_000);
    let moved = [
        issue(world.shop.key(0), "1"),
        issue(world.shop.key(1), "2").at(late),
    ];
    record(&world, &moved);
    world.shop.clock.advance_seconds(60);
    world
}

/// A take that was posted and left a line behind: it would have fallen below zero.
pub(super) fn left_over() -> World {
    let world = populated();
    count(&world, 0, "10");
    count(&world, 1, "41");
    record(&world, &[issue(world.shop.key(0), "39")]);
    let options = PostingOptions {
        skip_unpostable: true,
        ..PostingOptions::default()
    };
    let takes = world.shop.stocktake.stock_takes();
    let take = done(takes.submit(&world.manager(), world.take(), options)).unwrap();
    assert_eq!(take.result().unwrap().unposted, 1);
    world
}

/// The same, and now there is enough.
pub(super) fn left_over_with_stock() -> World {
    let world = left_over();
    record(&world, &[world.shop.receipt(0, q("50"))]);
    world
}

pub(super) fn listed() -> World {
    let world = World::open();
    let takes = world.shop.stocktake.stock_takes();
    let list = done(takes.create_list(&world.manager(), new_list(&world, false))).unwrap();
    let articles = ["SKU-1", "SKU-2", "SKU-3"].map(code);
    done(takes.add_articles(&world.manager(), list.id(), &articles)).unwrap();
    let places: Vec<NewMovement> = ["A-1", "A-2"]
        .map(|place| Movement::Receipt {
            key: world.shop.key(1).at(code(place)),
            quantity: q("3"),
            unit_cost: None,
        })
        .map(NewMovement::from)
        .into();
    record(&world, &places);
    world
}

/// Posting has been asked for before all lines are there.
pub(super) fn counted_before_items_are_added() -> World {
    let world = World::open();
    let takes = world.shop.stocktake.stock_takes();
    let take = done(takes.create(&world.manager(), new_take(&world)))
        .unwrap()
        .id();
    done(takes.add_found(&world.manager(), take, &world.shop.key(3))).unwrap();
    count(&world, 3, "39");
    world
}

/// More lines than two chunks take, and more than one takes.
pub(super) const THREE_CHUNKS: u32 = 2_010;
pub(super) const TWO_CHUNKS: u32 = 1_005;

/// A shop with so many keys: each product at many stock places.
pub(super) fn large(keys: u32) -> World {
    let world = World::new();
    done(world.shop.open_empty()).unwrap();
    let receipts: Vec<NewMovement> = (0..keys)
        .map(|number| {
            let product = usize::try_from(number % 10).unwrap();
            let place = code(&format!("P-{:04}", number / 10));
            Movement::Receipt {
                key: world.shop.key(product).at(place),
                quantity: q("40"),
                unit_cost: world.shop.products[product].standard_cost(world.shop.site.currency),
            }
            .into()
        })
        .collect();
    record(&world, &receipts);
    world
}

/// The same with a take, of which a line in fifty is counted, some of them right.
pub(super) fn large_counted(keys: u32) -> World {
    let world = large(keys);
    let takes = world.shop.stocktake.stock_takes();
    done(takes.create(&world.manager(), new_take(&world))).unwrap();
    done(world.shop.run_jobs()).unwrap();
    let lines = world.lines(world.take());
    for (line, more) in lines.iter().step_by(50).zip((0..5).cycle()) {
        let (line, request) = (&line.value, CountRequest::set(Quantity::from(38 + more)));
        done(takes.count(&world.manager(), line.take, line.id, request)).unwrap();
    }
    world.shop.clock.advance_seconds(60);
    world
}

pub(super) fn large_submitted(keys: u32) -> World {
    let world = large_counted(keys);
    let takes = world.shop.stocktake.stock_takes();
    let options = PostingOptions::default();
    done(takes.submit(&world.manager(), world.take(), options)).unwrap();
    world
}
