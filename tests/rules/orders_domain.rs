//! An order's subtotal, item count and state always follow from its lines, whatever is done to them.

use std::sync::Arc;

use crate::certain::certain;
use crate::shop::{at, by, note, product, site, supplier};
use proptest::prelude::*;
use stocktake::domain::{
    InventoryOrder, InventoryOrderDetails, InventoryOrderId, InventoryOrderItem,
    InventoryOrderItemId, InventoryOrderState, MAX_ORDER_ITEMS, MAX_ORDERED, MAX_UNIT_PRICE_MINOR,
    OrderItemError, Ordered, Quantity, ReceiptPolicy, Supplier, TransitionError,
};
use uuid::Uuid;

fn order() -> InventoryOrder {
    let id = InventoryOrderId::new(Uuid::from_u128(6));
    let details = InventoryOrderDetails::default();
    InventoryOrder::create(id, &site(), &supplier(), details, &by(1, 0)).unwrap()
}

fn ordered(quantity: u32, unit_price_minor: i64) -> Ordered {
    Ordered {
        quantity: Quantity::from(quantity),
        unit_price_minor,
    }
}

fn item(order: &InventoryOrder, ordered: Ordered) -> Result<InventoryOrderItem, OrderItemError> {
    let id = InventoryOrderItemId::new(Uuid::from_u128(600 + u128::from(order.next_line())));
    InventoryOrderItem::new(id, order, product(), None, ordered, at(1))
}

/// The code of the rule that refused.
fn code<T: std::fmt::Debug>(result: Result<T, TransitionError>) -> &'static str {
    match result {
        Err(TransitionError::Rule { code, .. }) => code,
        other => panic!("not refused by a rule: {other:?}"),
    }
}

/// An order and its lines, kept side by side as a service keeps them.
#[derive(Clone, Debug)]
struct Kept {
    order: InventoryOrder,
    items: Vec<InventoryOrderItem>,
    policy: ReceiptPolicy,
}

#[derive(Clone, Debug)]
enum Step {
    Add(Ordered),
    Update(usize, Ordered),
    Delete(usize),
    Submit,
    Receive(Vec<(usize, Option<Quantity>)>),
    CloseShort,
}

impl Kept {
    fn new(policy: ReceiptPolicy) -> Self {
        Self {
            order: order(),
            items: Vec::new(),
            policy,
        }
    }

    fn pick(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.items.len())
    }

    /// Does a step as a whole, or not at all; tells which.
    fn take(&mut self, step: &Step) -> bool {
        self.after(step).map(|next| *self = next).is_some()
    }

    fn after(&self, step: &Step) -> Option<Self> {
        let stamp = by(1, 2);
        let mut next = self.clone();
        match step {
            Step::Add(ordered) => {
                let added = item(&self.order, *ordered).ok()?;
                next.order = self.order.add_item(&added, &stamp).ok()?;
                next.items.push(added);
            }
            Step::Update(number, ordered) => {
                let number = self.pick(*number)?;
                let after = self.items[number]
                    .update(*ordered, site().currency, stamp.at)
                    .ok()?;
                next.order = self
                    .order
                    .update_item(&self.items[number], &after, &stamp)
                    .ok()?;
                next.items[number] = after;
            }
            Step::Delete(number) => {
                let number = self.pick(*number)?;
                next.order = self.order.delete_item(&self.items[number], &stamp).ok()?;
                next.items.remove(number);
            }
            Step::Submit => next.order = self.order.submit(&stamp).ok()?,
            Step::Receive(lines) => {
                let mut receipts = Vec::new();
                for (number, quantity) in lines {
                    let number = self.pick(*number)?;
                    let currency = self.order.currency();
                    let receipt =
                        self.items[number].receive(*quantity, self.policy, currency, stamp.at);
                    receipts.push((number, receipt.ok()?));
                }
                let only: Vec<_> = receipts.iter().map(|(_, it)| it.clone()).collect();
                next.order = self.order.receive(&only, &stamp).ok()?;
                for (number, receipt) in receipts {
                    next.items[number] = receipt.after().clone();
                }
            }
            Step::CloseShort => next.order = self.order.close_short(None, &stamp).ok()?,
        }
        Some(next)
    }

    /// What always holds.
    fn check(&self) {
        let Self { order, items, .. } = self;
        let units = |item: &InventoryOrderItem| {
            i128::from(item.ordered().quantity.micros() / Quantity::ONE.micros())
        };
        let sum: i128 = items
            .iter()
            .map(|item| units(item) * i128::from(item.ordered().unit_price_minor))
            .sum();
        assert_eq!(order.subtotal_minor(), sum);
        assert_eq!(order.item_count(), items.len() as u64);
        let outstanding = |item: &&InventoryOrderItem| order.outstanding(item).is_positive();
        let count = items.iter().filter(outstanding).count() as u64;
        assert_eq!(order.outstanding_items(), count);
        let received = items.iter().any(|item| item.received().is_positive());
        assert_eq!(order.is_anything_received(), received);
        match order.state() {
            InventoryOrderState::Draft => assert!(!received),
            InventoryOrderState::Submitted => assert!(count > 0 && !items.is_empty()),
            InventoryOrderState::Received => {
                assert!(count == 0 && !items.is_empty() && order.received_at().is_some());
            }
            InventoryOrderState::Removed => unreachable!("nothing here removes it"),
        }
        for item in items {
            let most = item.ordered().quantity.micros();
            let percent = self.policy.over_receipt_percent.micros();
            let tolerated = i128::from(most) * i128::from(percent + 100_000_000);
            assert!(i128::from(item.received().micros()) * 100_000_000 <= tolerated);
        }
    }
}

fn any_ordered() -> impl Strategy<Value = Ordered> {
    let quantity = prop_oneof![8 => 1..=20_u32, 1 => Just(MAX_ORDERED), 1 => Just(0)];
    let price = prop_oneof![8 => 0..=5_000_i64, 1 => Just(9_000_000_000), 1 => Just(-1)];
    (quantity, price).prop_map(|(quantity, price)| ordered(quantity, price))
}

fn any_step() -> impl Strategy<Value = Step> {
    let received = prop_oneof![
        2 => Just(None),
        5 => (1..=20_000_000_i64).prop_map(|micros| Quantity::from_micros(micros).ok()),
        1 => Just(Some(Quantity::ZERO)),
    ];
    prop_oneof![
        4 => any_ordered().prop_map(Step::Add),
        3 => (any::<usize>(), any_ordered()).prop_map(|(n, to)| Step::Update(n, to)),
        2 => any::<usize>().prop_map(Step::Delete),
        3 => Just(Step::Submit),
        5 => prop::collection::vec((any::<usize>(), received), 1..4).prop_map(Step::Receive),
        1 => Just(Step::CloseShort),
    ]
}

proptest! {
    #![proptest_config(certain(256))]

    #[test]
    fn an_order_follows_from_its_lines(
        steps in prop::collection::vec(any_step(), 1..40),
        tolerated in prop_oneof![Just(0_u32), 1..=30_u32],
    ) {
        let policy = ReceiptPolicy { over_receipt_percent: Quantity::from(tolerated) };
        let mut kept = Kept::new(policy);
        for step in &steps {
            let before = kept.clone();
            if !kept.take(step) {
                prop_assert_eq!(&kept.order, &before.order);
            }
            kept.check();
        }
    }

    #[test]
    fn a_unit_price_is_the_same_amount_as_a_cost(price in 0..=MAX_UNIT_PRICE_MINOR) {
        for (currency, digits) in [("jpy", 0_u32), ("gbp", 2), ("kwd", 3), ("clf", 4)] {
            let cost = ordered(1, price).unit_cost(currency.parse().unwrap()).unwrap();
            prop_assert_eq!(cost.micros(), price * 10_i64.pow(6 - digits));
        }
    }
}

#[test]
fn lines_have_bounds() {
    let order = order();
    let whole = |text: &str| Ordered {
        quantity: text.parse().unwrap(),
        unit_price_minor: 0,
    };
    for wrong in ["0", "-1", "1.5", "0.999999", "1000000001"] {
        let refused = item(&order, whole(wrong)).unwrap_err();
        assert_eq!(refused.code(), "invalid_quantity", "{wrong}");
    }
    assert!(item(&order, whole("1")).is_ok());
    assert!(item(&order, ordered(MAX_ORDERED, 0)).is_ok());
    for wrong in [-1, MAX_UNIT_PRICE_MINOR + 1] {
        let refused = item(&order, ordered(1, wrong)).unwrap_err();
        assert_eq!(refused.code(), "invalid_unit_price");
    }
    let dear = item(&order, ordered(1, MAX_UNIT_PRICE_MINOR)).unwrap();
    assert_eq!(dear.total_minor(), MAX_UNIT_PRICE_MINOR);
    // No line is worth more than the stock that it becomes may be.
    let (most, more) = (
        ordered(9_000_000, MAX_UNIT_PRICE_MINOR),
        ordered(9_000_001, MAX_UNIT_PRICE_MINOR),
    );
    assert!(item(&order, most).is_ok());
    for too_dear in [more, ordered(MAX_ORDERED, MAX_UNIT_PRICE_MINOR)] {
        assert_eq!(item(&order, too_dear), Err(OrderItemError::OutOfRange));
    }
}

#[test]
fn a_subtotal_of_lines_that_fit_fits() {
    let stamp = by(1, 1);
    let nearly = ordered(1_000_000_000, 9_000_000_000);
    let first = item(&order(), nearly).unwrap();
    let order = order().add_item(&first, &stamp).unwrap();
    assert_eq!(order.subtotal_minor(), 9_000_000_000_000_000_000);
    let second = item(&order, ordered(1_000_000_000, 223_372_037)).unwrap();
    let order = order.add_item(&second, &stamp).unwrap();
    assert_eq!(order.subtotal_minor(), i128::from(i64::MAX) + 145_224_193);
    let other = first.update(
        ordered(1_000_000_000, 8_999_999_999),
        site().currency,
        at(2),
    );
    let order = order.update_item(&first, &other.unwrap(), &stamp).unwrap();
    assert_eq!(order.subtotal_minor(), 9_223_372_036_000_000_000);
}

#[test]
fn only_products_of_the_supplier_are_ordered() {
    let mut other = (*product()).clone();
    other.suppliers.clear();
    let id = InventoryOrderItemId::new(Uuid::from_u128(1));
    let line = InventoryOrderItem::new(id, &order(), Arc::new(other), None, ordered(1, 1), at(1));
    assert_eq!(line, Err(OrderItemError::NotLinked));
    let elsewhere = Supplier {
        site: Uuid::from_u128(99).into(),
        ..supplier()
    };
    let details = InventoryOrderDetails::default();
    let id = InventoryOrderId::new(Uuid::from_u128(6));
    let made = InventoryOrder::create(id, &site(), &elsewhere, details, &by(1, 0));
    assert_eq!(code(made), "other_supplier");
}

#[test]
fn the_first_submission_is_remembered() {
    let mut kept = Kept::new(ReceiptPolicy::default());
    assert_eq!(
        kept.order.submit(&by(1, 1)),
        Err(TransitionError::NoLines {
            machine: stocktake::domain::Machine::InventoryOrder
        })
    );
    assert!(kept.take(&Step::Add(ordered(10, 200))));
    let sent = kept.order.submit(&by(1, 10)).unwrap();
    assert!(!sent.needs_submission());
    assert_eq!(sent.sent_at(), None);
    let known = sent
        .sent(1, at(11), Some("letters_missing".to_owned()))
        .unwrap();
    assert_eq!(known.sent_without(), Some("letters_missing"));
    assert_eq!(known.sent_at(), Some(at(11)));
    assert_eq!(known.sent(1, at(12), None), None, "it is known");
    assert_eq!(sent.sent(2, at(12), None), None, "another letter");
    // A letter can get lost: it is sent again, and nobody knows yet whether that one arrived.
    let lost = known.submit(&by(1, 11)).unwrap();
    assert_eq!((lost.submissions(), lost.sent_at()), (2, None));
    assert_eq!(lost.submitted_at(), Some(at(10)));
    assert_eq!(lost.last_submitted_at(), Some(at(11)));
    assert_eq!(lost.sent(1, at(12), None), None, "of the letter before");
    // The same again is no edit.
    let line = &kept.items[0];
    let same = line
        .update(line.ordered(), site().currency, at(12))
        .unwrap();
    assert_eq!(sent.update_item(line, &same, &by(1, 12)), Ok(sent.clone()));
    let more = line
        .update(ordered(12, 200), site().currency, at(12))
        .unwrap();
    let edited = sent.update_item(line, &more, &by(1, 12)).unwrap();
    assert!(edited.needs_submission());
    assert_eq!(edited.state(), InventoryOrderState::Submitted);
    let again = edited.submit(&by(1, 13)).unwrap();
    assert_eq!(again.submitted_at(), Some(at(10)));
    assert_eq!(again.last_submitted_at(), Some(at(13)));
    assert_eq!((again.submissions(), again.subtotal_minor()), (2, 2_400));
}

#[test]
fn over_receipt_is_refused_beyond_the_tolerance() {
    let gbp = site().currency;
    let line = item(&order(), ordered(10, 250)).unwrap();
    let receive = |percent: &str, quantity: &str| {
        let policy = ReceiptPolicy {
            over_receipt_percent: percent.parse().unwrap(),
        };
        line.receive(Some(quantity.parse().unwrap()), policy, gbp, at(2))
    };
    let all = receive("0", "10").unwrap();
    assert_eq!(all.unit_cost(), "2.5".parse().unwrap());
    assert!(all.after().missing().is_zero());
    let refused = |percent, quantity| receive(percent, quantity).unwrap_err().code();
    assert_eq!(refused("0", "11"), "over_receipt");
    assert_eq!(refused("-5", "11"), "over_receipt");
    assert!(receive("-5", "10").is_ok());
    let over = receive("10", "11").unwrap();
    // A new price does not ask for the quantity again.
    assert!(
        over.after()
            .update(ordered(10, 300), site().currency, at(3))
            .is_ok()
    );
    assert_eq!(refused("10", "12"), "over_receipt");
    assert_eq!(refused("10", "10.5"), "invalid_quantity");
    assert_eq!(refused("0", "0"), "invalid_quantity");
    assert_eq!(refused("0", "-10"), "invalid_quantity");
    let nothing = all
        .after()
        .receive(None, ReceiptPolicy::default(), gbp, at(3));
    assert_eq!(nothing, Err(OrderItemError::NothingOutstanding));
}

#[test]
fn what_has_come_stays_ordered() {
    let mut kept = Kept::new(ReceiptPolicy::default());
    for _ in 0..2 {
        assert!(kept.take(&Step::Add(ordered(10, 1))));
    }
    assert!(kept.take(&Step::Submit));
    assert!(kept.take(&Step::Receive(vec![(0, Some(Quantity::from(5)))])));
    let fewer = kept.items[0]
        .update(ordered(4, 1), site().currency, at(3))
        .unwrap_err();
    assert_eq!(fewer.code(), "below_received");
    let stamp = by(1, 3);
    assert_eq!(code(kept.order.remove(&stamp)), "order_received");
    let delete = kept.order.delete_item(&kept.items[0], &stamp);
    assert_eq!(code(delete), "item_received");
    // Once what was ordered is what has come, and the other line is gone, nothing is outstanding.
    assert!(kept.take(&Step::Update(0, ordered(5, 1))));
    assert_eq!(kept.order.state(), InventoryOrderState::Submitted);
    assert!(kept.take(&Step::Delete(1)));
    assert_eq!(kept.order.state(), InventoryOrderState::Received);
    kept.check();
}

#[test]
fn the_rest_is_closed_short() {
    let mut kept = Kept::new(ReceiptPolicy::default());
    assert!(kept.take(&Step::Add(ordered(10, 1))));
    assert!(kept.take(&Step::Submit));
    assert!(kept.take(&Step::Receive(vec![(0, Some(Quantity::from(4)))])));
    let stamp = by(1, 9);
    let closed = kept.order.close_short(Some(note("discontinued")), &stamp);
    let closed = closed.unwrap();
    assert_eq!(closed.state(), InventoryOrderState::Received);
    assert_eq!(closed.received_at(), Some(at(9)));
    assert_eq!(closed.outstanding_items(), 0);
    assert!(closed.outstanding(&kept.items[0]).is_zero());
    assert_eq!(kept.items[0].missing(), Quantity::from(6));
    assert_eq!(closed.closed_short().unwrap().at, at(9));
}

#[test]
fn an_order_has_a_last_line() {
    let stamp = by(1, 1);
    let mut order = order();
    for _ in 0..MAX_ORDER_ITEMS {
        let line = item(&order, ordered(1, 1)).unwrap();
        order = order.add_item(&line, &stamp).unwrap();
    }
    let line = item(&order, ordered(1, 1)).unwrap();
    assert_eq!(code(order.add_item(&line, &stamp)), "too_many_lines");
}

#[test]
fn a_receipt_names_each_line_once() {
    let mut kept = Kept::new(ReceiptPolicy::default());
    assert!(kept.take(&Step::Add(ordered(10, 1))));
    assert!(kept.take(&Step::Submit));
    let gbp = site().currency;
    let half = kept.items[0]
        .receive(Some(Quantity::from(5)), kept.policy, gbp, at(3))
        .unwrap();
    let twice = kept.order.receive(&[half.clone(), half], &by(1, 3));
    assert_eq!(code(twice), "other_line");
    assert_eq!(
        code(kept.order.receive(&[], &by(1, 3))),
        "nothing_to_receive"
    );
}

#[test]
fn lines_of_something_else_are_refused() {
    let stamp = by(1, 3);
    let mut kept = Kept::new(ReceiptPolicy::default());
    assert!(kept.take(&Step::Add(ordered(10, 1))));
    assert!(kept.take(&Step::Add(ordered(10, 1))));
    assert!(kept.take(&Step::Submit));
    let (order, first) = (&kept.order, &kept.items[0]);
    let gbp = order.currency();
    let some = |item: &InventoryOrderItem| {
        let quantity = Some(Quantity::ONE);
        item.receive(quantity, kept.policy, gbp, at(3)).unwrap()
    };

    let other = InventoryOrder::create(
        InventoryOrderId::new(Uuid::from_u128(66)),
        &site(),
        &supplier(),
        InventoryOrderDetails::default(),
        &stamp,
    );
    let foreign = item(&other.unwrap(), ordered(10, 1)).unwrap();
    assert_eq!(code(order.add_item(&foreign, &stamp)), "other_order");
    let swapped = order.update_item(&foreign, first, &stamp);
    assert_eq!(code(swapped), "other_order");
    let swapped = order.update_item(first, &foreign, &stamp);
    assert_eq!(code(swapped), "other_order");
    assert_eq!(code(order.delete_item(&foreign, &stamp)), "other_order");
    let receipts = [some(&foreign)];
    assert_eq!(code(order.receive(&receipts, &stamp)), "other_order");

    // A line is added once, in its turn; an edit never changes which line it is, nor what has come.
    assert_eq!(code(order.add_item(first, &stamp)), "other_line");
    let swapped = order.update_item(first, &kept.items[1], &stamp);
    assert_eq!(code(swapped), "other_line");
    let unreceived = order.update_item(first, some(first).after(), &stamp);
    assert_eq!(code(unreceived), "other_line");
}

#[test]
fn the_supplier_stays_while_there_are_lines() {
    let stamp = by(1, 3);
    let another = Supplier {
        id: Uuid::from_u128(33).into(),
        email: None,
        ..supplier()
    };
    let details = InventoryOrderDetails {
        purchase_order_number: Some("PO-1".parse().unwrap()),
        supplier_email: None,
    };
    let moved = order().update(&another, details.clone(), &stamp).unwrap();
    assert_eq!(
        (moved.supplier().id, &moved.supplier().email),
        (another.id, &None)
    );
    let mut kept = Kept::new(ReceiptPolicy::default());
    assert!(kept.take(&Step::Add(ordered(10, 1))));
    assert!(kept.take(&Step::Submit));
    let refused = kept.order.update(&another, details.clone(), &stamp);
    assert_eq!(code(refused), "supplier_has_lines");
    let elsewhere = Supplier {
        site: Uuid::from_u128(99).into(),
        ..supplier()
    };
    let refused = kept.order.update(&elsewhere, details.clone(), &stamp);
    assert_eq!(code(refused), "other_supplier");
    // Other words make an edit; the same words don't.
    let edited = kept.order.update(&supplier(), details.clone(), &stamp);
    let edited = edited.unwrap();
    assert!(edited.needs_submission());
    assert_eq!(edited.supplier().email, supplier().email);
    let sent = edited.submit(&stamp).unwrap();
    assert_eq!(
        sent.update(&supplier(), details, &by(1, 9)),
        Ok(sent.clone())
    );
}
