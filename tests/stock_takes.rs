//! Stock takes through the service, operation by operation (S1, S4).

use stocktake::domain::{MovementPolicy, PostingOptions, Quantity, StockTakeState};
use stocktake::service::{Caller, CountRequest, Movement, NewStockTake};
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::{Shop, shop};

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

async fn opened() -> Shop {
    let shop = shop();
    shop.open().await.unwrap();
    shop
}

fn new_take(shop: &Shop) -> NewStockTake {
    NewStockTake {
        site: shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    }
}

#[tokio::test]
async fn s1_2_a_take_is_populated_counted_and_posted() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = takes
        .create(&manager(&shop), new_take(&shop))
        .await
        .unwrap();
    assert!(!take.items_added());
    shop.run_jobs().await.unwrap();
    let summary = takes.get(&manager(&shop), take.id()).await.unwrap();
    assert!(summary.take.items_added());
    assert_eq!(summary.totals.items, 10);

    let filter = StockTakeItemFilter::default();
    let lines = takes
        .items(
            &manager(&shop),
            take.id(),
            &filter,
            ArticleSort::default(),
            &PageRequest::first(25).counted(),
        )
        .await
        .unwrap();
    assert_eq!(lines.total, Some(10));
    let first = &lines.items[0];
    let counter = Caller::of(&shop.counter);
    let counted = takes
        .count(
            &counter,
            take.id(),
            first.item.value.id,
            CountRequest::set(q("38")),
        )
        .await
        .unwrap();
    assert_eq!(counted.variance().unwrap(), Some(q("-2")));
    assert_eq!(counted.adjustment_minor(), -300);

    shop.clock.advance_seconds(60);
    let key = first.item.value.key.clone();
    let sale = Movement::Issue {
        key: key.clone(),
        quantity: q("5"),
    };
    shop.stocktake
        .stock()
        .record(&manager(&shop), shop.site.id, &[sale.into()])
        .await
        .unwrap();

    let posted = takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(posted.state(), StockTakeState::Finished);
    assert_eq!(posted.result().unwrap().adjusted, 1);
    assert_eq!(shop.on_hand(&key).await.unwrap(), q("33"));
    assert_eq!(shop.run_jobs().await.unwrap(), 0);

    let reopened = takes
        .reopen(&manager(&shop), take.id(), None)
        .await
        .unwrap();
    assert_eq!(reopened.state(), StockTakeState::Ongoing);
    assert_eq!(shop.on_hand(&key).await.unwrap(), q("35"));
    let again = takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(again.state(), StockTakeState::Finished);
    assert_eq!(shop.on_hand(&key).await.unwrap(), q("33"));
    let verified = shop
        .stocktake
        .stock()
        .verify(&manager(&shop), shop.site.id)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{verified:?}");
    assert_eq!(verified.levels, 10);
}
