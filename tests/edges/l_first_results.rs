//! A command that is sent again has its first result, also when what it was about is gone since.

use std::fmt::Debug;

use stocktake::domain::{
    InventoryOrderDetails, MovementPolicy, Ordered, StockKey, StockTakeId, StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Error, NewInventoryOrder, NewOrderItem, NewStockTake, NewStockTakeList,
    OrderItemUpdate, StockTakeAmendment,
};
use stocktake::store::IdempotencyKey;
use stocktake::testing::Shop;

use super::shops::{manager, shop_on};
use super::stores::{Kind, Stores};

/// Makes a call with a key, now and when its object is gone: the results are the same.
macro_rules! twice {
    ($first:ident, $name:literal, $caller:ident => $call:expr) => {{
        let $caller = keyed($caller, $name);
        $first.push(($name, told($call.await)));
    }};
}

fn keyed(caller: &Caller, key: &str) -> Caller {
    caller.clone().with_key(IdempotencyKey::new(key).unwrap())
}

fn told<T: Debug>(result: Result<T, Error>) -> String {
    format!("{:?}", result.map_err(|error| error.to_string()))
}

/// A list with one line, and its id.
async fn list(shop: &Shop, caller: &Caller) -> StockTakeId {
    let takes = shop.stocktake.stock_takes();
    let new = NewStockTakeList {
        site: shop.site.id,
        name: "a".parse().unwrap(),
        description: None,
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::default(),
    };
    let list = takes.create_list(caller, new).await.unwrap().id();
    let article = shop.products[0].article_id.clone();
    takes.add_articles(caller, list, &[article]).await.unwrap();
    list
}

/// Every call on a new list that has a key.
async fn on_a_list(shop: &Shop, caller: &Caller, list: StockTakeId) -> Vec<(&'static str, String)> {
    let (takes, mut first) = (shop.stocktake.stock_takes(), Vec::new());
    let article = |number: usize| shop.products[number].article_id.clone();
    let amendment = || StockTakeAmendment {
        name: Some("b".parse().unwrap()),
        ..StockTakeAmendment::default()
    };
    twice!(first, "amend", caller => takes.amend(&caller, list, amendment()));
    twice!(first, "add", caller => takes.add_articles(&caller, list, &[article(1)]));
    // Of a list that is gone it is not told any more how many lines were added: only which list it was.
    twice!(first, "add-all", caller => async {
        takes.add_all_articles(&caller, list).await.map(|take| take.id())
    });
    twice!(first, "remove-article", caller => takes.remove_article(&caller, list, article(1)));
    twice!(first, "start", caller => takes.start(&caller, list));
    first
}

/// Every call on a take that is counted which has a key.
async fn on_a_take(shop: &Shop, caller: &Caller, take: StockTakeId) -> Vec<(&'static str, String)> {
    let (takes, mut first) = (shop.stocktake.stock_takes(), Vec::new());
    let item = StockTakeItemId::for_key(take, &shop.key(0));
    let other = StockTakeItemId::for_key(take, &shop.key(2));
    let found = StockKey {
        place: Some("Z-9".parse().unwrap()),
        ..shop.key(3)
    };
    twice!(first, "count", caller => takes.count(&caller, take, item, CountRequest::set(7.into())));
    twice!(first, "found", caller => takes.add_found(&caller, take, &found));
    twice!(first, "delete", caller => takes.delete_item(&caller, take, other));
    twice!(first, "post", caller => takes.post(&caller, take, stocktake::domain::PostingOptions::default()));
    first
}

#[tokio::test]
async fn fault_l4_a_command_has_its_first_result_when_its_object_is_gone() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let shop = shop_on(&store);
        shop.open().await.unwrap();
        let caller = manager(&shop);
        let takes = shop.stocktake.stock_takes();
        let new = list(&shop, &caller).await;
        let first = on_a_list(&shop, &caller, new).await;
        takes.remove(&caller, new).await.unwrap();
        let again = on_a_list(&shop, &caller, new).await;
        assert_eq!(again, first, "{}", kind.name());
        let take = NewStockTake {
            site: shop.site.id,
            description: "a".parse().unwrap(),
            movement_policy: MovementPolicy::default(),
        };
        let take = takes.create(&caller, take).await.unwrap().id();
        shop.run_jobs().await.unwrap();
        let copying = keyed(&caller, "copy");
        let copy = takes.copy(&copying, take).await.unwrap();
        let first = on_a_take(&shop, &caller, take).await;
        shop.run_jobs().await.unwrap();
        takes.remove(&caller, take).await.unwrap();
        let again = on_a_take(&shop, &caller, take).await;
        assert_eq!(again, first, "{}", kind.name());
        assert_eq!(takes.copy(&copying, take).await.unwrap().id(), copy.id());
        // Without the key it is gone.
        let gone = takes.start(&caller, take).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
        orders(&shop, &caller).await;
    }
}

async fn orders(shop: &Shop, caller: &Caller) {
    let orders = shop.stocktake.inventory_orders();
    let new = NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails::default(),
    };
    let order = orders.create(caller, new).await.unwrap().id();
    let line = || NewOrderItem {
        product: shop.products[0].id,
        variant: None,
        ordered: Ordered {
            quantity: 2.into(),
            unit_price_minor: 5,
        },
    };
    let item = orders.add_item(caller, order, line()).await.unwrap().id();
    let mut told_first = Vec::new();
    for _ in 0..2 {
        let mut first = Vec::new();
        let update = OrderItemUpdate {
            quantity: Some(3.into()),
            unit_price_minor: None,
        };
        twice!(first, "add-line", caller => orders.add_item(&caller, order, line()));
        twice!(first, "update-line", caller => orders.update_item(&caller, order, item, update));
        twice!(first, "delete-line", caller => orders.delete_item(&caller, order, item));
        twice!(first, "submit", caller => orders.submit(&caller, order));
        twice!(first, "remove", caller => orders.remove(&caller, order));
        told_first.push(first);
    }
    assert_eq!(told_first[1], told_first[0]);
    assert!(
        told_first[0].iter().all(|(_, told)| told.starts_with("Ok")),
        "{told_first:?}"
    );
}
