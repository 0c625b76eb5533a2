//! A shop on a store of any kind, and what these tests do in it, in few words.

use stocktake::domain::{
    Code, CostingMethod, PostingOptions, Quantity, StockEvent, StockEventId, StockKey, StockTakeId,
    StockTakeItemId, Value,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewMovement, NewStockTake, Verification,
};
use stocktake::testing::Shop;

use crate::shops::OwnShop;
use crate::stores::Kind;

/// An empty shop.
pub(crate) struct Room {
    pub(crate) shop: OwnShop,
    pub(crate) manager: Caller,
}

impl Room {
    /// One that values stock by a method.
    pub(crate) async fn of(kind: Kind, costing: CostingMethod) -> Self {
        Self::with(kind, |shop| shop.site.policy.costing = costing).await
    }

    pub(crate) async fn with(kind: Kind, prepare: impl FnOnce(&mut Shop)) -> Self {
        let mut shop = OwnShop::on(kind).await;
        prepare(&mut shop);
        shop.open_empty().await.expect("the shop opens");
        Self {
            manager: Caller::of(&shop.manager),
            shop,
        }
    }

    /// The key of a product.
    pub(crate) fn key(&self, product: usize) -> StockKey {
        self.shop.key(product)
    }

    pub(crate) async fn try_record(
        &self,
        movement: impl Into<NewMovement>,
    ) -> Result<Vec<StockEvent>, Error> {
        let stock = self.shop.stocktake.stock();
        stock
            .record(&self.manager, self.shop.site.id, &[movement.into()])
            .await
    }

    /// Records a movement: its events.
    pub(crate) async fn record(&self, movement: impl Into<NewMovement>) -> Vec<StockEvent> {
        let recorded = self.try_record(movement).await;
        recorded.expect("the movement is possible")
    }

    pub(crate) async fn receive(&self, key: &StockKey, quantity: &str, cost: &str) -> StockEvent {
        only(self.record(receipt(key, quantity, cost)).await)
    }

    pub(crate) async fn issue(&self, key: &StockKey, quantity: &str) -> StockEvent {
        only(self.record(issue(key, quantity)).await)
    }

    /// Takes an event back: the events of that.
    pub(crate) async fn reverse(&self, of: StockEventId) -> Vec<StockEvent> {
        self.record(Movement::Reversal { of }).await
    }

    /// What a key has on hand and is worth.
    pub(crate) async fn worth(&self, key: &StockKey) -> (String, String) {
        let level = self.shop.stocktake.stock().level(&self.manager, key).await;
        let level = level.expect("the key is on stock");
        (
            level.quantity().to_string(),
            level.valuation().value().to_string(),
        )
    }

    /// What the whole site is worth.
    pub(crate) async fn value(&self) -> Value {
        let page = stocktake::store::PageRequest::first(1_000);
        let stock = self.shop.stocktake.stock();
        let levels = stock
            .levels(&self.manager, self.shop.site.id, None, None, &page)
            .await;
        levels
            .expect("the levels can be read")
            .items
            .iter()
            .try_fold(Value::ZERO, |sum, level| {
                sum.checked_add(level.valuation().value())
            })
            .expect("the sum is in range")
    }

    pub(crate) async fn verify(&self) -> Verification {
        let stock = self.shop.stocktake.stock();
        let verified = stock.verify(&self.manager, self.shop.site.id).await;
        verified.expect("the site can be verified")
    }

    pub(crate) async fn assert_sound(&self) {
        let verified = self.verify().await;
        assert!(verified.is_sound(), "{:?}", verified.differences);
    }

    /// A take of the whole site in which one key is counted.
    pub(crate) async fn count(&self, key: &StockKey, quantity: &str) -> StockTakeId {
        let takes = self.shop.stocktake.stock_takes();
        let new = NewStockTake {
            site: self.shop.site.id,
            description: "Count".parse().expect("a description"),
            movement_policy: stocktake::domain::MovementPolicy::KeepMovements,
        };
        let take = takes.create(&self.manager, new).await.expect("a new take");
        self.shop.run_jobs().await.expect("the items are added");
        let item = StockTakeItemId::for_key(take.id(), key);
        let request = CountRequest::set(amount(quantity));
        let counted = takes.count(&self.manager, take.id(), item, request).await;
        counted.expect("the line is there");
        take.id()
    }

    pub(crate) async fn post(&self, take: StockTakeId) {
        let takes = self.shop.stocktake.stock_takes();
        let options = PostingOptions::default();
        let posted = takes.submit(&self.manager, take, options).await;
        posted.expect("the take is posted");
    }

    pub(crate) async fn reopen(&self, take: StockTakeId) {
        let takes = self.shop.stocktake.stock_takes();
        let reopened = takes.reopen(&self.manager, take, None).await;
        reopened.expect("the take is reopened");
    }
}

pub(crate) fn receipt(key: &StockKey, quantity: &str, cost: &str) -> Movement {
    Movement::Receipt {
        key: key.clone(),
        quantity: amount(quantity),
        unit_cost: Some(cost.parse().expect("a cost")),
    }
}

pub(crate) fn issue(key: &StockKey, quantity: &str) -> Movement {
    Movement::Issue {
        key: key.clone(),
        quantity: amount(quantity),
    }
}

pub(crate) fn reset(key: &StockKey, quantity: &str, cost: Option<&str>) -> Movement {
    Movement::Reset {
        key: key.clone(),
        quantity: amount(quantity),
        unit_cost: cost.map(|cost| cost.parse().expect("a cost")),
        expected: None,
    }
}

pub(crate) fn transfer(from: &StockKey, to: &StockKey, quantity: &str) -> Movement {
    Movement::Transfer {
        from: from.clone(),
        to: to.clone(),
        quantity: amount(quantity),
    }
}

pub(crate) fn amount(text: &str) -> Quantity {
    text.parse().expect("a quantity")
}

pub(crate) fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

/// The one event of a movement.
pub(crate) fn only(events: Vec<StockEvent>) -> StockEvent {
    let [event] = <[StockEvent; 1]>::try_from(events).expect("one event");
    event
}

/// A pair of texts, as [`Room::worth`] tells it.
pub(crate) fn worth(quantity: &str, value: &str) -> (String, String) {
    (quantity.to_owned(), value.to_owned())
}
