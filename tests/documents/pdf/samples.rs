//! Takes, lines and orders to print.

use std::sync::Arc;

use stocktake::domain::{
    Actor, Barcode, Beginning, Count, CountMoment, InitialState, InventoryOrder,
    InventoryOrderDetails, InventoryOrderId, InventoryOrderItem, InventoryOrderItemId, JobId,
    LineOutcome, LinePosting, MovementPolicy, Named, Ordered, OrganisationId, PostingOptions,
    PostingResult, Product, ProductId, Quantity, Role, Run, Site, SiteAccess, SiteId, SitePolicy,
    Stamp, StockKey, StockTake, StockTakeDetails, StockTakeId, StockTakeItem, StockTakePlace,
    Supplier, SupplierId, Timestamp, Unit, UnitCost, UnitId, UserId, UserSummary, Value, ValueSum,
    variance_minor,
};
use stocktake::store::{StockTakeItemView, Version, Versioned};
use uuid::Uuid;

pub(super) const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(1));
const SITE: SiteId = SiteId::new(Uuid::from_u128(2));
pub(super) const ANN: UserId = UserId::new(Uuid::from_u128(3));
const TAKE: StockTakeId =
    StockTakeId::new(Uuid::from_u128(0x0190_d5f0_3a2b_7c41_9e57_12ab_34cd_56ef));

pub(super) fn text<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Monday 5 January 2026, 12:00 UTC.
pub(super) fn stamp() -> Stamp {
    Stamp {
        actor: Actor {
            organisation: ORGANISATION,
            user: UserSummary {
                id: ANN,
                email: Some("ann@example.com".to_owned()),
                first_name: "Ann".to_owned(),
                last_name: "Lee".to_owned(),
            },
            role: Role::Manager,
            sites: SiteAccess::All,
        },
        at: Timestamp::from_micros(1_767_614_400_000_000).unwrap(),
    }
}

pub(super) fn site(currency: &str) -> Site {
    Site {
        id: SITE,
        organisation: ORGANISATION,
        external_id: text("store-1"),
        name: text("High Street"),
        currency: text(currency),
        policy: SitePolicy::default(),
    }
}

pub(super) fn take_called(site: &Site, description: &str) -> StockTake {
    let place = StockTakePlace {
        organisation: ORGANISATION,
        site: site.id,
        currency: site.currency,
    };
    let details = StockTakeDetails {
        name: Some(text("Annual count")),
        description: Some(text(description)),
        due_at: Some(stamp().at.later_by(86_400_000_000)),
        annual: true,
        movement_policy: MovementPolicy::default(),
    };
    StockTake::create(TAKE, place, details, InitialState::Ongoing, &stamp())
}

pub(super) fn take(site: &Site) -> StockTake {
    take_called(site, "January 2026, whole shop")
}

/// The take with what its posting came to.
pub(super) fn posted(take: &StockTake, result: PostingResult) -> StockTake {
    let posting = take
        .begin_posting(
            PostingOptions::default(),
            JobId::new(Uuid::from_u128(9)),
            &stamp(),
        )
        .unwrap();
    let run = Run {
        tally: result,
        ..posting.run().unwrap().clone()
    };
    let at = stamp().at.later_by(3_600_000_000);
    posting
        .advance(run, at)
        .unwrap()
        .complete_posting(at)
        .unwrap()
}

pub(super) fn barcode(value: &str, symbology: &str) -> Barcode {
    Barcode {
        value: text(value),
        symbology: text(symbology),
    }
}

pub(super) fn product(number: u32, article: &str, name: &str) -> Product {
    Product {
        unit: Some(Unit {
            id: UnitId::new(Uuid::from_u128(8)),
            name: text("pcs"),
            external_id: None,
        }),
        suppliers: vec![Named {
            id: SupplierId::new(Uuid::from_u128(4)),
            name: text("Elemis"),
        }],
        ..Product::new(
            ProductId::new(Uuid::from_u128(1_000 + u128::from(number))),
            ORGANISATION,
            text(article),
            text(name),
        )
    }
}

/// A line that nobody has counted, of which 40 are on hand.
pub(super) fn line(
    number: u64,
    product: Product,
    change: impl FnOnce(&mut StockKey),
) -> StockTakeItemView {
    let mut key = StockKey::plain(SITE, product.id);
    change(&mut key);
    let item = StockTakeItem::new(
        TAKE,
        number,
        key,
        Arc::new(product),
        Beginning::default(),
        stamp().at,
    );
    view(item)
}

fn view(item: StockTakeItem) -> StockTakeItemView {
    StockTakeItemView {
        item: Versioned {
            version: Version::FIRST,
            value: Arc::new(item),
        },
        on_hand: Some(40.into()),
        reserved: None,
    }
}

/// The line as counted and posted.
pub(super) fn posted_line(
    before: &StockTakeItemView,
    site: &Site,
    counted: Option<(&str, &str)>,
    expected: &str,
    outcome: LineOutcome,
) -> StockTakeItemView {
    let mut item = (*before.item.value).clone();
    let expected: Quantity = text(expected);
    let at = stamp().at.later_by(600_000_000);
    item.count = counted.map(|(quantity, cost)| {
        let quantity: Quantity = text(quantity);
        let cost: UnitCost = text(cost);
        let moment = CountMoment {
            at,
            clock: at,
            known: 0,
            ahead: false,
            stated: false,
            sequence: 1,
            told: 1,
            book: expected,
        };
        Count {
            quantity,
            moment,
            first: moment,
            was_set: true,
            unit_cost: Some(cost),
            adjustment_minor: variance_minor(
                quantity.checked_sub(expected).unwrap(),
                Some(cost),
                site.currency,
            )
            .unwrap(),
            by: ANN,
        }
    });
    let adjusts = matches!(outcome, LineOutcome::Adjusted);
    let count = item.count.as_ref().filter(|_| adjusts);
    item.posting = Some(LinePosting {
        outcome,
        zeroed: false,
        expected,
        change: count.map_or(Quantity::ZERO, |count| {
            count.quantity.checked_sub(expected).unwrap()
        }),
        adjustment_minor: count.map_or(0, |count| count.adjustment_minor),
        event: None,
        learned: None,
        moves: Vec::new(),
        sequence: 1,
        on_hand: expected,
        reserved: Quantity::ZERO,
        layers: Vec::new(),
        standard_value: ValueSum::ZERO,
        fifo_value: Value::ZERO,
    });
    view(item)
}

pub(super) fn order(site: &Site, number: Option<&str>, supplier: &str) -> InventoryOrder {
    let supplier = Supplier {
        id: SupplierId::new(Uuid::from_u128(4)),
        organisation: ORGANISATION,
        site: site.id,
        name: text(supplier),
        email: Some(text("orders@example.com")),
    };
    let details = InventoryOrderDetails {
        purchase_order_number: number.map(text),
        supplier_email: None,
    };
    let id = InventoryOrderId::new(Uuid::from_u128(0x77));
    InventoryOrder::create(id, site, &supplier, details, &stamp()).unwrap()
}

/// The order with one more line, and the line.
pub(super) fn ordered(
    order: &InventoryOrder,
    product: Product,
    quantity: u32,
    unit_price_minor: i64,
) -> (InventoryOrder, InventoryOrderItem) {
    let line = order.next_line();
    let item = InventoryOrderItem::new(
        InventoryOrderItemId::new(Uuid::from_u128(500 + u128::from(line))),
        order,
        Arc::new(product),
        None,
        Ordered {
            quantity: quantity.into(),
            unit_price_minor,
        },
        stamp().at,
    )
    .unwrap();
    (order.add_item(&item, &stamp()).unwrap(), item)
}
