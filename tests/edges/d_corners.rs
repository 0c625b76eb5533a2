//! Whatever is let in can leave through every door: goods of the highest worth that each currency permits are counted,
//! zeroed, adjusted, imported, ordered and taken back.

use stocktake::domain::{
    AdjustmentType, CompletionOptions, CostingMethod, CountType, Currency, ImportMode,
    InventoryCountDetails, InventoryOrderDetails, MovementPolicy, Ordered, PostingOptions,
    StockImportState, StockTakeItemId, StockTakeState, UnitCosts,
};
use stocktake::service::{
    CountRequest, Error, Movement, NewCountItem, NewInventoryOrder, NewOrderItem,
    NewStockAdjustment, NewStockTake, OrderItemUpdate, ReceiveRequest, StockChoice,
};

use crate::room::{Room, amount, issue, receipt};
use crate::stores::Kind;

/// No, two, three and four digits between the major and the minor unit.
const CURRENCIES: [&str; 4] = ["jpy", "gbp", "kwd", "clf"];

/// Quantities and costs, around every bound that an amount has: 10^17 major units, 2^63 minor ones.
const CORNERS: [(&str, &str); 12] = [
    ("1000000000000", "100000"),
    ("1000000000000", "92233.720368"),
    ("1000000000000", "92233.720369"),
    ("1000000000000", "90000"),
    ("1000000000000", "9223.372036"),
    ("1000000000000", "9223.372037"),
    ("1000000000000", "922.337203"),
    ("1000000000000", "922.337204"),
    ("1000000000000", "0.000001"),
    ("100000", "1000000000000"),
    ("90000", "1000000000000"),
    ("0.000001", "1000000000000"),
];

/// An empty shop whose products cost so much, if that is said.
async fn room(kind: Kind, currency: &str, method: CostingMethod, standard: Option<&str>) -> Room {
    let currency: Currency = currency.parse().unwrap();
    let costs = standard.map_or_else(UnitCosts::default, |cost| {
        UnitCosts::of(currency, cost.parse().unwrap())
    });
    Room::with(kind, |shop| {
        shop.site.currency = currency;
        shop.site.policy.costing = method;
        for product in &mut shop.products {
            product.unit_costs = costs.clone();
        }
    })
    .await
}

/// Lets goods in, if they may come in, and books them out again by each way, on a fresh key each.
async fn through_every_door(room: &Room, quantity: &str, cost: &str) -> Result<bool, Error> {
    let key = |number| room.key(number);
    let first = room.try_record(receipt(&key(0), quantity, cost)).await;
    if let Err(error) = &first {
        assert_eq!(error.code(), "out_of_range", "{error}");
        return Ok(false);
    }
    let first = first?.pop().unwrap();
    room.try_record(Movement::Reversal { of: first.id }).await?;
    for number in 1..6 {
        room.try_record(receipt(&key(number), quantity, cost))
            .await?;
    }
    room.try_record(issue(&key(1), quantity)).await?;
    let (library, manager) = (&room.shop.stocktake, &room.manager);

    // A take: one line counted as nothing, the others zeroed; and back.
    let takes = library.stock_takes();
    let new = NewStockTake {
        site: room.shop.site.id,
        description: "All".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(manager, new).await?.id();
    room.shop.run_jobs().await?;
    let line = StockTakeItemId::for_key(take, &key(2));
    takes
        .count(manager, take, line, CountRequest::set(amount("0")))
        .await?;
    takes.get(manager, take).await?;
    let options = PostingOptions {
        zero_uncounted: true,
        skip_unpostable: false,
    };
    let posted = takes.submit(manager, take, options).await?;
    assert_eq!(posted.state(), StockTakeState::Finished);
    takes.get(manager, take).await?;
    takes.reopen(manager, take, None).await?;

    // An inventory count.
    let counts = library.inventory_counts();
    let details = InventoryCountDetails {
        name: "All".parse().unwrap(),
        kind: CountType::Spot,
        notes: None,
        movement_policy: MovementPolicy::default(),
    };
    let count = counts
        .start(manager, room.shop.site.id, details)
        .await?
        .id();
    let product = |number: usize| room.shop.products[number].id;
    counts
        .count(manager, count, NewCountItem::of(product(2), amount("0")))
        .await?;
    let options = CompletionOptions {
        apply_adjustments: true,
        skip_unpostable: false,
    };
    counts.complete(manager, count, options, None).await?;

    // An adjustment.
    let new = NewStockAdjustment {
        stock: StockChoice::from(product(3)),
        kind: AdjustmentType::Correction,
        change: amount(quantity).negated(),
        reason: "All of it".parse().unwrap(),
        notes: None,
        reference: None,
        unit_cost: None,
    };
    library
        .stock_adjustments()
        .create(manager, room.shop.site.id, new)
        .await?;

    // An import.
    let body = br#"{"store-1": {"SKU-4": 0}}"#;
    let imports = library.stock_imports();
    let started = imports
        .begin(manager, ImportMode::Absolute, body, false)
        .await?;
    room.shop.run_jobs().await?;
    let import = imports.get(manager, started.import.id()).await?;
    assert_eq!(import.state(), StockImportState::Applied, "{import:?}");

    room.try_record(Movement::Remove { key: key(5) }).await?;
    room.assert_sound().await;
    Ok(true)
}

#[tokio::test]
async fn fault_d_whatever_is_let_in_can_leave_through_every_door() {
    let mut let_in = 0;
    for method in [
        CostingMethod::Fifo,
        CostingMethod::WeightedAverage,
        CostingMethod::Standard,
    ] {
        for currency in CURRENCIES {
            for (quantity, cost) in CORNERS {
                let standard = (method == CostingMethod::Standard).then_some(cost);
                let room = room(Kind::Memory, currency, method, standard).await;
                let told = format!("{quantity} at {cost} {currency}, {method:?}");
                match through_every_door(&room, quantity, cost).await {
                    Ok(is_in) => let_in += usize::from(is_in),
                    Err(error) => panic!("{told}: {error} ({error:?})"),
                }
            }
        }
    }
    assert_eq!(let_in, 3 * 26);
}

/// What an order of one line is refused with, or what comes of receiving it in one go.
async fn ordered(room: &Room, ordered: Ordered) -> Result<(), Error> {
    let (orders, manager) = (room.shop.stocktake.inventory_orders(), &room.manager);
    let new = NewInventoryOrder {
        site: room.shop.site.id,
        supplier: room.shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: None,
            supplier_email: None,
        },
    };
    let order = orders.create(manager, new).await?.id();
    let line = |unit_price_minor| NewOrderItem {
        product: room.shop.products[0].id,
        variant: None,
        ordered: Ordered {
            unit_price_minor,
            ..ordered
        },
    };
    let added = orders
        .add_item(manager, order, line(ordered.unit_price_minor))
        .await;
    // An update is refused as what is new is.
    let cheap = orders.add_item(manager, order, line(0)).await?.id();
    let update = OrderItemUpdate {
        quantity: None,
        unit_price_minor: Some(ordered.unit_price_minor),
    };
    let updated = orders.update_item(manager, order, cheap, update).await;
    assert_eq!(added.is_ok(), updated.is_ok());
    added?;
    orders.delete_item(manager, order, cheap).await?;
    orders.submit(manager, order).await?;
    let received = orders.receive(manager, order, ReceiveRequest::all()).await;
    received.expect("what may be ordered can be received in one go");
    Ok(())
}

#[tokio::test]
async fn fault_d_what_may_be_ordered_can_be_received_in_one_go() {
    // The most pieces of the highest price that may be ordered.
    for (currency, most) in [
        ("jpy", 90_000_u32),
        ("gbp", 9_000_000),
        ("kwd", 9_000_000),
        ("clf", 9_000_000),
    ] {
        for kind in Kind::ALL {
            for (more, is_taken) in [(0, true), (most / 3, false)] {
                let room = room(*kind, currency, CostingMethod::Fifo, None).await;
                let line = Ordered {
                    quantity: (most + more).into(),
                    unit_price_minor: stocktake::domain::MAX_UNIT_PRICE_MINOR,
                };
                let done = ordered(&room, line).await;
                let told = format!("{currency}, {}: {done:?}", kind.name());
                assert_eq!(done.is_ok(), is_taken, "{told}");
                if let Err(error) = done {
                    assert_eq!(error.code(), "out_of_range", "{told}");
                    assert!(error.to_string().contains("quantity"), "{told}");
                }
            }
        }
    }
}
