//! Whatever brings a unit goes through the same gate.

use stocktake::domain::{
    Actor, AdjustmentType, ImportMode, InventoryOrderDetails, InventoryOrderId,
    InventoryOrderItemId, Ordered, Quantity, StockEventId, StockKey, Supplier, SupplierId,
};
use stocktake::service::{
    Caller, Error, Movement, NewCountItem, NewInventoryOrder, NewOrderItem, NewStockAdjustment,
    ReceiptLine, ReceiveRequest,
};
use uuid::Uuid;

use super::{World, applied, details, receipt, transfer};

/// What brings a unit to a key.
#[derive(Clone, Copy, Debug)]
enum Way {
    Receipt,
    Adjust,
    Reset,
    Transfer,
    CustomerReturn,
    Reversal,
    Adjustment,
    ApprovedAdjustment,
    Order,
    Import,
    StockTake,
    InventoryCount,
}

const WAYS: [Way; 12] = [
    Way::Receipt,
    Way::Adjust,
    Way::Reset,
    Way::Transfer,
    Way::CustomerReturn,
    Way::Reversal,
    Way::Adjustment,
    Way::ApprovedAdjustment,
    Way::Order,
    Way::Import,
    Way::StockTake,
    Way::InventoryCount,
];

/// The code of a refusal, that of its only line if it is of lines.
fn code(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.lines[0].problem.code().to_owned(),
        Error::CountRefused(refusal) => refusal.items[0].problem.code().to_owned(),
        other => other.code().to_owned(),
    }
}

impl World {
    /// Brings a unit to a key of the second site. `issued` is the event with which it left the key before.
    async fn bring(&self, way: Way, key: &StockKey, issued: StockEventId) -> Result<(), String> {
        let one = Quantity::ONE;
        let of = issued;
        let key = key.clone();
        let movement = match way {
            Way::Receipt => receipt(&key),
            Way::Adjust => Movement::Adjust {
                key,
                change: one,
                unit_cost: None,
            }
            .into(),
            Way::Reset => Movement::Reset {
                key,
                quantity: one,
                unit_cost: None,
                expected: None,
            }
            .into(),
            Way::Transfer => {
                // A unit that was mislabelled.
                let mislabelled = self.key(1, 0, "A", "Y");
                if self.on_hand(&mislabelled).await.is_zero() {
                    self.receive(&mislabelled).await.unwrap();
                }
                transfer(&mislabelled, &key)
            }
            Way::CustomerReturn => Movement::CustomerReturn {
                key,
                quantity: one,
                of,
            }
            .into(),
            Way::Reversal => Movement::Reversal { of }.into(),
            other => return self.bring_by_document(other, &key).await,
        };
        let recorded = self.record(&[movement]).await;
        recorded.map(drop).map_err(|error| code(&error))
    }

    /// An order of one unit of a key's product, submitted.
    async fn ordered(&self, key: &StockKey) -> (InventoryOrderId, InventoryOrderItemId) {
        let (caller, library, site) = (self.caller(), self.library(), &self.sites[1]);
        let supplier = Supplier {
            id: SupplierId::new(Uuid::from_u128(88)),
            site: site.id,
            ..self.shop.supplier.clone()
        };
        let mut product = self.products[0].clone();
        product.suppliers[0].id = supplier.id;
        let catalogue = library.catalogue();
        catalogue
            .put_products(&caller, vec![product])
            .await
            .unwrap();
        catalogue
            .put_supplier(&caller, supplier.clone())
            .await
            .unwrap();
        let orders = library.inventory_orders();
        let details = InventoryOrderDetails {
            purchase_order_number: None,
            supplier_email: None,
        };
        let new = NewInventoryOrder {
            site: site.id,
            supplier: supplier.id,
            details,
        };
        let order = orders.create(&caller, new).await.unwrap().id();
        let item = NewOrderItem {
            product: key.product,
            variant: None,
            ordered: Ordered {
                quantity: Quantity::ONE,
                unit_price_minor: 1_000,
            },
        };
        let item = orders.add_item(&caller, order, item).await.unwrap().id();
        orders.submit(&caller, order).await.unwrap();
        (order, item)
    }

    async fn bring_by_document(&self, way: Way, key: &StockKey) -> Result<(), String> {
        let (caller, library, site) = (self.caller(), self.library(), &self.sites[1]);
        let one = Quantity::ONE;
        let told = |error: Error| code(&error);
        match way {
            Way::Adjustment | Way::ApprovedAdjustment => {
                let adjustments = library.stock_adjustments();
                // So dear that somebody else must look.
                let dear = matches!(way, Way::ApprovedAdjustment).then(|| "501".parse().unwrap());
                let reason = "it was there".parse().unwrap();
                let new = NewStockAdjustment {
                    unit_cost: dear,
                    ..NewStockAdjustment::of(key.clone(), AdjustmentType::Found, one, reason)
                };
                let asked = adjustments
                    .create(&caller, site.id, new)
                    .await
                    .map_err(told)?;
                if asked.requires_approval() {
                    let other = Actor {
                        user: self.shop.elsewhere.user.clone(),
                        ..self.manager.clone()
                    };
                    let other = Caller::of(&other);
                    let approved = adjustments.approve(&other, asked.id(), None);
                    approved.await.map_err(told)?;
                }
            }
            Way::Order => {
                let (order, item) = self.ordered(key).await;
                let orders = library.inventory_orders();
                let line = ReceiptLine::of(item, one).to(key.clone());
                let request = ReceiveRequest::of(vec![line]);
                orders
                    .receive(&caller, order, request)
                    .await
                    .map_err(told)?;
            }
            Way::Import => {
                let body = br#"{"store-2": {"PA": 1}}"#;
                let imports = library.stock_imports();
                let started = imports.begin(&caller, ImportMode::Absolute, body, false);
                let import = started.await.map_err(told)?.import.id();
                self.shop.run_jobs().await.unwrap();
                let import = imports.get(&caller, import).await.unwrap();
                if let [problem] = import.report().problems.as_slice() {
                    return Err(problem.code.clone());
                }
                assert_eq!(import.report().applied, 1);
            }
            Way::StockTake => {
                let take = self.take(1).await;
                self.count(take, key, 1).await;
                self.submit(take).await.map_err(told)?;
            }
            Way::InventoryCount => {
                let counts = library.inventory_counts();
                let count = counts
                    .start(&caller, site.id, details())
                    .await
                    .unwrap()
                    .id();
                let found = NewCountItem::of(key.clone(), one);
                counts.count(&caller, count, found).await.unwrap();
                let completed = counts.complete(&caller, count, applied(), None).await;
                if completed.is_err() {
                    counts.cancel(&caller, count).await.unwrap();
                }
                completed.map_err(told)?;
            }
            other => panic!("{other:?} is no document"),
        }
        Ok(())
    }
}

#[tokio::test]
async fn whatever_brings_a_number_is_refused_while_it_is_elsewhere() {
    for way in WAYS {
        for holder in [(0, "A"), (1, "B")] {
            if matches!((way, holder), (Way::Import, (1, _))) {
                // An import names no key, so there must be only one at its site.
                continue;
            }
            let world = World::open().await;
            let key = world.key(1, 0, "A", "X");
            world.receive(&key).await.unwrap();
            let issued = world.issue(&key).await;
            let elsewhere = world.key(holder.0, 0, holder.1, "X");
            world.receive(&elsewhere).await.unwrap();

            let refused = world.bring(way, &key, issued).await;
            assert_eq!(
                refused,
                Err("serial_elsewhere".into()),
                "{way:?} {holder:?}"
            );
            assert_eq!(world.on_hand(&key).await, Quantity::ZERO, "{way:?}");
            world.assert_sound().await;

            // Once it is gone from there, nothing stands in its way.
            world.issue(&elsewhere).await;
            assert_eq!(
                world.bring(way, &key, issued).await,
                Ok(()),
                "{way:?} {holder:?}"
            );
            assert_eq!(world.on_hand(&key).await, Quantity::ONE, "{way:?}");
            world.assert_sound().await;
            let back = world.receive(&elsewhere).await;
            assert_eq!(back.unwrap_err().code(), "serial_elsewhere", "{way:?}");
        }
    }
}
