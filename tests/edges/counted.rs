//! Stocktake lists in the ready-made shop, on a store of any kind.

use std::ops::Range;

use stocktake::domain::{
    MovementPolicy, PostingOptions, Quantity, StockEventId, StockTake, StockTakeId, StockTakeItem,
    StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Error, Movement, NewMovement, NewStockTakeList, StockTakes,
};
use stocktake::store::IdempotencyKey;

use crate::shops::OwnShop;
use crate::stores::Kind;

pub(crate) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn keyed(caller: &Caller, key: &str) -> Caller {
    caller.clone().with_key(IdempotencyKey::new(key).unwrap())
}

/// The shop on a fresh store: forty of each of ten products on hand.
pub(crate) struct World {
    pub(crate) shop: OwnShop,
}

impl World {
    pub(crate) async fn open(kind: Kind) -> Self {
        let shop = OwnShop::on(kind).await;
        shop.open().await.unwrap();
        Self { shop }
    }

    pub(crate) fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    pub(crate) fn takes(&self) -> StockTakes<'_> {
        self.shop.stocktake.stock_takes()
    }

    /// Records a movement, and gives the id of its event.
    pub(crate) async fn record(&self, movement: impl Into<NewMovement>) -> StockEventId {
        let movements = [movement.into()];
        let site = self.shop.site.id;
        let stock = self.shop.stocktake.stock();
        let events = stock.record(&self.manager(), site, &movements).await;
        events.unwrap()[0].id
    }

    /// So many of a product come in.
    pub(crate) fn receipt(&self, number: usize, quantity: &str) -> NewMovement {
        self.shop.receipt(number, q(quantity))
    }

    /// So many of a product are sold.
    pub(crate) fn sale(&self, number: usize, quantity: &str) -> NewMovement {
        Movement::Issue {
            key: self.shop.key(number),
            quantity: q(quantity),
        }
        .into()
    }

    /// An absolute value of a product.
    pub(crate) fn reset(&self, number: usize, quantity: &str) -> NewMovement {
        Movement::Reset {
            key: self.shop.key(number),
            quantity: q(quantity),
            unit_cost: None,
            expected: None,
        }
        .into()
    }

    pub(crate) async fn on_hand(&self, number: usize) -> Quantity {
        self.shop.on_hand(&self.shop.key(number)).await.unwrap()
    }

    /// A list that is put together, without a line.
    pub(crate) async fn new_list(&self, movement_policy: MovementPolicy) -> StockTakeId {
        let new = NewStockTakeList {
            site: self.shop.site.id,
            name: "Shelves".parse().unwrap(),
            description: None,
            due_at: None,
            annual: false,
            movement_policy,
        };
        let made = self.takes().create_list(&self.manager(), new).await;
        made.unwrap().id()
    }

    /// A list of the first so many products that has just been started.
    pub(crate) async fn started(&self, policy: MovementPolicy, products: usize) -> StockTakeId {
        self.started_with(policy, 0..products).await
    }

    /// A list of some products that has just been started.
    pub(crate) async fn started_with(
        &self,
        policy: MovementPolicy,
        products: Range<usize>,
    ) -> StockTakeId {
        let take = self.new_list(policy).await;
        let articles: Vec<_> = self.shop.products[products]
            .iter()
            .map(|product| product.article_id.clone())
            .collect();
        let takes = self.takes();
        takes
            .add_articles(&self.manager(), take, &articles)
            .await
            .unwrap();
        takes.start(&self.manager(), take).await.unwrap();
        take
    }

    pub(crate) fn line(&self, take: StockTakeId, number: usize) -> StockTakeItemId {
        StockTakeItemId::for_key(take, &self.shop.key(number))
    }

    /// Counts a line.
    pub(crate) async fn count(&self, take: StockTakeId, number: usize, request: CountRequest) {
        let line = self.line(take, number);
        let (takes, manager) = (self.takes(), self.manager());
        let counted = takes.count(&manager, take, line, request).await;
        counted.unwrap();
    }

    pub(crate) async fn submit(
        &self,
        take: StockTakeId,
        options: PostingOptions,
    ) -> Result<StockTake, Error> {
        self.takes().submit(&self.manager(), take, options).await
    }

    pub(crate) async fn item(&self, take: StockTakeId, number: usize) -> StockTakeItem {
        let line = self.line(take, number);
        let view = self.takes().item(&self.manager(), take, line).await;
        (*view.unwrap().item.value).clone()
    }

    /// The position of the last event of the site's ledger.
    pub(crate) async fn last_position(&self) -> u64 {
        let stock = self.shop.stocktake.stock();
        let manager = self.manager();
        let ledger = stock.ledger(&manager, self.shop.site.id, 0, 1_000).await;
        ledger.unwrap().last().map_or(0, |it| it.position)
    }

    pub(crate) async fn assert_sound(&self) {
        let stock = self.shop.stocktake.stock();
        let verified = stock.verify(&self.manager(), self.shop.site.id).await;
        let verified = verified.unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
}
