//! Inventory orders: put together, sent, received and closed.

use stocktake::domain::{InventoryOrderDetails, InventoryOrderId, InventoryOrderItemId, Ordered};
use stocktake::service::{
    Edit, Error, InventoryOrderAmendment, InventoryOrderUpdate, NewInventoryOrder, NewOrderItem,
    OrderItemUpdate, ReceiptLine, ReceiveRequest,
};

use super::poll::done;
use super::sweep::Sweep;
use super::world::{Work, World, known, q};

fn details(number: &str) -> InventoryOrderDetails {
    InventoryOrderDetails {
        purchase_order_number: Some(number.parse().unwrap()),
        supplier_email: None,
    }
}

fn new_order(world: &World) -> NewInventoryOrder {
    NewInventoryOrder {
        site: world.shop.site.id,
        supplier: world.shop.supplier.id,
        details: details("PO123"),
    }
}

fn new_line(world: &World, number: usize, quantity: &str) -> NewOrderItem {
    NewOrderItem {
        product: world.shop.products[number].id,
        variant: None,
        ordered: Ordered {
            quantity: q(quantity),
            unit_price_minor: 199,
        },
    }
}

pub(super) fn the_order(world: &World) -> InventoryOrderId {
    world.orders()[0].id()
}

fn the_line(world: &World, number: usize) -> InventoryOrderItemId {
    world.order_lines(the_order(world))[number].id()
}

/// Three lines, not yet sent.
fn draft() -> World {
    let world = World::open();
    let orders = world.shop.stocktake.inventory_orders();
    let order = done(orders.create(&world.manager(), new_order(&world))).unwrap();
    for (number, quantity) in [(0, "10"), (1, "4"), (2, "7")] {
        let line = new_line(&world, number, quantity);
        done(orders.add_item(&world.manager(), order.id(), line)).unwrap();
    }
    world.shop.clock.advance_seconds(60);
    world
}

/// The same, sent.
pub(super) fn sent() -> World {
    let world = draft();
    let orders = world.shop.stocktake.inventory_orders();
    done(orders.submit(&world.manager(), the_order(&world))).unwrap();
    done(world.worker("test").run_all_due()).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

/// The same, and a part has come.
fn partly_received() -> World {
    let world = sent();
    let orders = world.shop.stocktake.inventory_orders();
    let lines = vec![ReceiptLine::of(the_line(&world, 0), q("6"))];
    let request = ReceiveRequest::of(lines);
    done(orders.receive(&world.manager(), the_order(&world), request)).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

fn receive_rest(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let orders = world.shop.stocktake.inventory_orders();
        let order = orders
            .receive(&world.keyed(), the_order(world), ReceiveRequest::all())
            .await?;
        Ok(known(&order))
    })
}

fn submit_and_work(world: &World) -> Work<'_, Result<String, Error>> {
    Box::pin(async move {
        let orders = world.shop.stocktake.inventory_orders();
        let order = orders.submit(&world.keyed(), the_order(world)).await?;
        world.worker("test").run_all_due().await?;
        Ok(known(&order))
    })
}

#[test]
fn an_order_survives_a_crash_at_every_call() {
    Sweep::of("order", World::open, |world| {
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            let order = orders.create(&world.keyed(), new_order(world)).await?;
            Ok(known(&order))
        })
    })
    .run();
    Sweep::of("update an order", draft, |world| {
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            let update = InventoryOrderUpdate {
                supplier: None,
                details: details("PO124"),
            };
            let order = orders
                .update(&world.keyed(), the_order(world), update)
                .await?;
            Ok(known(&order))
        })
    })
    .run();
    Sweep::of("amend an order", draft, |world| {
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            let amendment = InventoryOrderAmendment {
                supplier_email: Edit::Set("sales@example.com".parse().unwrap()),
                ..InventoryOrderAmendment::default()
            };
            let order = orders
                .amend(&world.keyed(), the_order(world), amendment)
                .await?;
            Ok(known(&order))
        })
    })
    .run();
    Sweep::of("remove an order", draft, |world| {
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            orders.remove(&world.keyed(), the_order(world)).await?;
            Ok("removed".to_owned())
        })
    })
    .run();
}

#[test]
fn the_lines_of_an_order_survive_a_crash_at_every_call() {
    Sweep::of("add a line", draft, |world| {
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            let line = orders
                .add_item(&world.keyed(), the_order(world), new_line(world, 5, "3"))
                .await?;
            Ok(known(&line))
        })
    })
    .run();
    Sweep::of("update a line", draft, |world| {
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            let (order, line) = (the_order(world), the_line(world, 1));
            let update = OrderItemUpdate {
                quantity: Some(q("9")),
                unit_price_minor: None,
            };
            let line = orders
                .update_item(&world.keyed(), order, line, update)
                .await?;
            Ok(known(&line))
        })
    })
    .run();
    Sweep::of("delete a line", draft, |world| {
        // Asked for again, it is the same line, not the one that is the first by then.
        let line = world.meant.get_or_init(|| the_line(world, 0).as_uuid());
        let line = InventoryOrderItemId::new(*line);
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            orders
                .delete_item(&world.keyed(), the_order(world), line)
                .await?;
            Ok("deleted".to_owned())
        })
    })
    .run();
}

#[test]
fn sending_an_order_survives_a_crash_at_every_call() {
    Sweep::of("submit an order", draft, submit_and_work).run();
    Sweep::of("submit an order", draft, submit_and_work).run_abandoned();
    Sweep::of("close short", partly_received, |world| {
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            let reason = Some("no longer made".parse().unwrap());
            let order = orders
                .close_short(&world.keyed(), the_order(world), reason)
                .await?;
            Ok(known(&order))
        })
    })
    .run();
}

#[test]
fn receiving_survives_a_crash_at_every_call() {
    Sweep::of("receive a part", sent, |world| {
        let lines = [(0, "6"), (1, "4")]
            .map(|(line, quantity)| ReceiptLine::of(the_line(world, line), q(quantity)));
        Box::pin(async move {
            let orders = world.shop.stocktake.inventory_orders();
            let request = ReceiveRequest::of(lines.into());
            let order = orders
                .receive(&world.keyed(), the_order(world), request)
                .await?;
            Ok(known(&order))
        })
    })
    .run();
    Sweep::of("receive the rest", partly_received, receive_rest).run();
}

#[test]
fn receiving_survives_two_crashes() {
    Sweep::of("receive the rest", partly_received, receive_rest).run_pairs();
}
