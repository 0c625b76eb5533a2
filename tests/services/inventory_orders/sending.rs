//! S3.5: submitting, and the job that sends the order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use stocktake::domain::{InventoryOrderItem, InventoryOrderState};
use stocktake::jobs::{Courier, Ran, Worker};
use stocktake::service::{ErrorKind, InventoryOrders, OrderItemUpdate, OrderLetter};
use stocktake::store::JobState;
use stocktake::testing::Shop;
use tokio::sync::Mutex;

use super::{add, draft, manager, opened, q};

#[derive(Debug, Default)]
struct Postman {
    is_ill: AtomicBool,
    sent: Mutex<Vec<OrderLetter>>,
}

#[async_trait]
impl Courier for Postman {
    async fn send_order(
        &self,
        letter: &OrderLetter,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.is_ill.load(Ordering::SeqCst) {
            return Err("the postman is ill".into());
        }
        self.sent.lock().await.push(letter.clone());
        Ok(())
    }
}

fn worker(shop: &Shop, postman: &Arc<Postman>) -> Worker {
    Worker::new(&shop.stocktake, "post").with_courier(postman.clone())
}

#[tokio::test]
async fn s3_5_submitting_sends_the_order_and_again_after_an_edit() {
    let shop = opened().await;
    let (orders, postman) = (
        shop.stocktake.inventory_orders(),
        Arc::new(Postman::default()),
    );
    let order = draft(&shop).await.id();
    let refused = orders.submit(&manager(&shop), order).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (ErrorKind::Conflict, "no_lines")
    );
    let item = add(&shop, order, 0).await;

    let first = orders.submit(&manager(&shop), order).await.unwrap();
    assert_eq!(first.state(), InventoryOrderState::Submitted);
    assert_eq!(first.submitted_at(), Some(shop.now()));
    assert_eq!(first.last_submitted_at(), Some(shop.now()));
    let again = orders.submit(&manager(&shop), order).await.unwrap_err();
    assert_eq!(again.code(), "nothing_changed");
    let job = InventoryOrders::sending_job(&first).unwrap();
    let state = async || {
        shop.stocktake
            .job(&manager(&shop), job)
            .await
            .unwrap()
            .state
    };
    assert_eq!(state().await, JobState::Queued);
    worker(&shop, &postman).run_all_due().await.unwrap();
    assert_eq!(state().await, JobState::Succeeded);

    shop.clock.advance_seconds(60);
    let update = OrderItemUpdate {
        quantity: Some(q("12")),
        unit_price_minor: None,
    };
    orders
        .update_item(&manager(&shop), order, item.id(), update)
        .await
        .unwrap();
    let second = orders.submit(&manager(&shop), order).await.unwrap();
    assert_eq!(second.submitted_at(), first.submitted_at(), "it stays");
    assert_eq!(second.last_submitted_at(), Some(shop.now()), "it moves");
    worker(&shop, &postman).run_all_due().await.unwrap();
    let sent = postman.sent.lock().await;
    let told: Vec<_> = sent
        .iter()
        .map(|letter| (letter.order.submissions(), letter.order.subtotal_minor()))
        .collect();
    assert_eq!(told, [(1, 2_000), (2, 2_400)]);
}

#[tokio::test]
async fn s3_5_a_letter_carries_every_line() {
    let shop = opened().await;
    let (orders, postman) = (
        shop.stocktake.inventory_orders(),
        Arc::new(Postman::default()),
    );
    let order = draft(&shop).await.id();
    for number in 0..1_203 {
        add(&shop, order, number % 10).await;
    }
    orders.submit(&manager(&shop), order).await.unwrap();
    worker(&shop, &postman).run_all_due().await.unwrap();
    let sent = postman.sent.lock().await;
    let numbers: Vec<u64> = sent[0].items.iter().map(InventoryOrderItem::line).collect();
    assert_eq!(numbers, (1..=1_203).collect::<Vec<u64>>());
}

#[tokio::test]
async fn s3_5_a_courier_that_fails_is_asked_again_later() {
    let shop = opened().await;
    let (orders, postman) = (
        shop.stocktake.inventory_orders(),
        Arc::new(Postman::default()),
    );
    let order = draft(&shop).await.id();
    add(&shop, order, 0).await;
    let submitted = orders.submit(&manager(&shop), order).await.unwrap();
    let job = InventoryOrders::sending_job(&submitted).unwrap();
    postman.is_ill.store(true, Ordering::SeqCst);
    let worker = worker(&shop, &postman);
    assert_eq!(worker.run_once().await.unwrap(), Ran::Failed(job));
    assert_eq!(
        worker.run_once().await.unwrap(),
        Ran::Nothing,
        "not before its time"
    );
    let told = shop
        .stocktake
        .job(&manager(&shop), job)
        .await
        .unwrap()
        .last_error
        .unwrap();
    assert!(told.contains("the postman is ill"), "{told}");
    postman.is_ill.store(false, Ordering::SeqCst);
    shop.clock.advance_seconds(60);
    assert_eq!(worker.run_once().await.unwrap(), Ran::Done(job));
    assert_eq!(postman.sent.lock().await.len(), 1);
}

#[tokio::test]
async fn s3_5_what_is_not_waited_for_any_more_is_not_sent() {
    let shop = opened().await;
    let (orders, postman) = (
        shop.stocktake.inventory_orders(),
        Arc::new(Postman::default()),
    );
    let [removed, closed, twice] = [
        draft(&shop).await.id(),
        draft(&shop).await.id(),
        draft(&shop).await.id(),
    ];
    let mut jobs = Vec::new();
    for order in [removed, closed, twice] {
        add(&shop, order, 0).await;
        let submitted = orders.submit(&manager(&shop), order).await.unwrap();
        jobs.extend(InventoryOrders::sending_job(&submitted));
    }
    orders.remove(&manager(&shop), removed).await.unwrap();
    orders
        .close_short(&manager(&shop), closed, Some("sold out".parse().unwrap()))
        .await
        .unwrap();
    add(&shop, twice, 1).await;
    let last = orders.submit(&manager(&shop), twice).await.unwrap();
    jobs.extend(InventoryOrders::sending_job(&last));
    worker(&shop, &postman).run_all_due().await.unwrap();
    for job in jobs {
        let job = shop.stocktake.job(&manager(&shop), job).await.unwrap();
        assert_eq!(job.state, JobState::Succeeded, "it ends quietly");
    }
    let sent = postman.sent.lock().await;
    assert_eq!(sent.len(), 1, "one letter, of the last submission");
    assert_eq!((sent[0].order.id(), sent[0].items.len()), (twice, 2));
}
