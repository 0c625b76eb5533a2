//! Movements, reservations and the catalogue.

use stocktake::domain::{Quantity, Supplier};
use stocktake::service::{Movement, NewMovement};

use super::shops::{issue, record};
use super::state::event_state;
use super::sweep::Sweep;
use super::world::{World, code, q};

#[test]
fn record_survives_a_crash_at_every_call() {
    Sweep::of(
        "record",
        || {
            let world = World::open();
            let issued = record(
                &world,
                &[issue(world.shop.key(7), "4"), issue(world.shop.key(8), "2")],
            );
            assert_eq!(issued.len(), 2);
            world
        },
        |world| {
            Box::pin(async move {
                let shop = &world.shop;
                let ledger = world.ledger();
                let issued = |number: usize| {
                    let key = shop.key(number);
                    let event = ledger
                        .iter()
                        .find(|event| event.key == key && event.change < Quantity::ZERO);
                    event.unwrap().id
                };
                let movements: Vec<NewMovement> = vec![
                    shop.receipt(0, q("5")),
                    issue(shop.key(1), "3").with_reference(code("till-1")),
                    Movement::Transfer {
                        from: shop.key(2),
                        to: shop.key(2).at(code("A-1")),
                        quantity: q("7"),
                    }
                    .into(),
                    Movement::CustomerReturn {
                        key: shop.key(7),
                        quantity: q("1"),
                        of: issued(7),
                    }
                    .into(),
                    Movement::Reversal { of: issued(8) }.into(),
                    Movement::Reset {
                        key: shop.key(3),
                        quantity: q("12"),
                        unit_cost: None,
                        expected: Some(q("40")),
                    }
                    .into(),
                    Movement::Adjust {
                        key: shop.key(4),
                        change: q("-2.5"),
                        unit_cost: None,
                    }
                    .into(),
                    Movement::Remove { key: shop.key(5) }.into(),
                    issue(shop.key(0), "45"),
                ];
                let events = shop
                    .stocktake
                    .stock()
                    .record(&world.keyed(), shop.site.id, &movements)
                    .await?;
                Ok(events
                    .iter()
                    .map(event_state)
                    .collect::<Vec<_>>()
                    .join("\n"))
            })
        },
    )
    .run();
    Sweep::of("reserve", World::open, |world| {
        Box::pin(async move {
            let stock = world.shop.stocktake.stock();
            stock
                .set_reserved(&world.keyed(), &world.shop.key(0), q("3"))
                .await?;
            Ok("reserved".to_owned())
        })
    })
    .run();
}

#[test]
fn the_catalogue_survives_a_crash_at_every_call() {
    Sweep::of("put products", World::open, |world| {
        Box::pin(async move {
            let mut products = world.shop.products.clone();
            for product in &mut products {
                product.name = "Renamed".parse().unwrap();
            }
            world
                .shop
                .stocktake
                .catalogue()
                .put_products(&world.keyed(), products)
                .await?;
            Ok("put".to_owned())
        })
    })
    .run();
    Sweep::of("put a site", World::open, |world| {
        Box::pin(async move {
            let mut site = world.shop.site.clone();
            site.name = "Low Street".parse().unwrap();
            world
                .shop
                .stocktake
                .catalogue()
                .put_site(&world.keyed(), site)
                .await?;
            Ok("put".to_owned())
        })
    })
    .run();
    Sweep::of("put a supplier", World::open, |world| {
        Box::pin(async move {
            let supplier = Supplier {
                name: "Somebody else".parse().unwrap(),
                ..world.shop.supplier.clone()
            };
            world
                .shop
                .stocktake
                .catalogue()
                .put_supplier(&world.keyed(), supplier)
                .await?;
            Ok("put".to_owned())
        })
    })
    .run();
}
