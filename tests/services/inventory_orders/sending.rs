//! S3.5: submitting, and the job that sends the order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use stocktake::domain::{
    InventoryOrder, InventoryOrderId, InventoryOrderItem, InventoryOrderState,
};
use stocktake::jobs::{Courier, Ran, Worker};
use stocktake::service::{
    Caller, Edit, ErrorKind, InventoryOrderAmendment, InventoryOrders, OrderItemUpdate,
    OrderLetter, OrderSending,
};
use stocktake::store::JobState;
use stocktake::testing::{MailFault, RecordingMailer, Shop};
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

/// An order of one line, submitted, and the job that sends it.
async fn submitted(shop: &Shop) -> (InventoryOrder, stocktake::domain::JobId) {
    let order = draft(shop).await.id();
    add(shop, order, 0).await;
    let orders = shop.stocktake.inventory_orders();
    let order = orders.submit(&manager(shop), order).await.unwrap();
    let job = InventoryOrders::sending_job(&order).unwrap();
    (order, job)
}

async fn sending(shop: &Shop, caller: &Caller, order: InventoryOrderId) -> OrderSending {
    let orders = shop.stocktake.inventory_orders();
    orders.sending(caller, order).await.unwrap().unwrap()
}

#[tokio::test]
async fn s3_5_a_worker_with_mail_mails_the_order_and_the_order_tells() {
    let shop = opened().await;
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&shop.stocktake, "mail").with_mailer(mailer.clone());
    let order = draft(&shop).await.id();
    let orders = shop.stocktake.inventory_orders();
    assert_eq!(orders.sending(&manager(&shop), order).await.unwrap(), None);
    let (order, job) = submitted(&shop).await;
    let waiting = sending(&shop, &manager(&shop), order.id()).await;
    assert_eq!(
        (waiting.job, waiting.sent_at, waiting.problem),
        (job, None, None)
    );
    shop.clock.advance_seconds(5);
    assert_eq!(worker.run_once().await.unwrap(), Ran::Done(job));

    let sent = mailer.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].id, sent[0].to.as_str()),
        (job.as_uuid(), "orders@example.com")
    );
    for said in ["SKU-0 Product 0", "at 2.00: 20.00", "Total: 20.00 GBP"] {
        assert!(sent[0].text.contains(said), "{}", sent[0].text);
    }
    let told = sending(&shop, &manager(&shop), order.id()).await;
    assert_eq!((told.sent_at, told.problem), (Some(shop.now()), None));
    let read = orders.get(&manager(&shop), order.id()).await.unwrap();
    assert_eq!(read.sent_at(), Some(shop.now()));
    assert_eq!(read.updated_at(), order.updated_at(), "nobody edited it");

    // It got lost: it is sent again, as it is.
    let again = orders.submit(&manager(&shop), order.id()).await.unwrap();
    assert_eq!((again.submissions(), again.sent_at()), (2, None));
    worker.run_all_due().await.unwrap();
    let ids: Vec<_> = mailer.sent().iter().map(|mail| mail.id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1], "another mail");
}

#[tokio::test]
async fn s3_5_what_was_not_mailed_is_told_and_can_be_sent_again() {
    let shop = opened().await;
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&shop.stocktake, "mail").with_mailer(mailer.clone());
    let (order, job) = submitted(&shop).await;

    // The server is away: again later.
    mailer.fail_with(Some(MailFault::Away));
    assert_eq!(worker.run_once().await.unwrap(), Ran::Failed(job));
    let told = sending(&shop, &manager(&shop), order.id()).await;
    assert!(told.problem.unwrap().starts_with("mail_unavailable: "));
    shop.clock.advance_seconds(60);

    // The address is refused: trying again does not help.
    mailer.fail_with(Some(MailFault::Refuses));
    assert_eq!(worker.run_once().await.unwrap(), Ran::Dead(job));
    let told = sending(&shop, &manager(&shop), order.id()).await;
    assert_eq!(told.sent_at, None);
    assert!(told.problem.unwrap().contains("no such mailbox"));
    let counter = Caller::of(&shop.counter);
    let told = sending(&shop, &counter, order.id()).await;
    assert_eq!(told.problem.as_deref(), Some("mail_refused"));

    // Mended and submitted again, it goes out.
    mailer.fail_with(None);
    let orders = shop.stocktake.inventory_orders();
    let amendment = InventoryOrderAmendment {
        supplier_email: Edit::Set("right@example.com".parse().unwrap()),
        ..InventoryOrderAmendment::default()
    };
    orders
        .amend(&manager(&shop), order.id(), amendment)
        .await
        .unwrap();
    orders.submit(&manager(&shop), order.id()).await.unwrap();
    worker.run_all_due().await.unwrap();
    assert_eq!(mailer.sent()[0].to, "right@example.com");
    let told = sending(&shop, &manager(&shop), order.id()).await;
    assert_eq!((told.sent_at, told.problem), (Some(shop.now()), None));
}

/// A mail that went out though the server's answer was lost is sent again, and is the same mail.
#[tokio::test]
async fn s3_5_a_mail_whose_fate_is_unknown_is_sent_again_as_the_same() {
    let shop = opened().await;
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&shop.stocktake, "mail").with_mailer(mailer.clone());
    let (_, job) = submitted(&shop).await;
    mailer.fail_with(Some(MailFault::LosesAnswer));
    assert_eq!(worker.run_once().await.unwrap(), Ran::Failed(job));
    mailer.fail_with(None);
    shop.clock.advance_seconds(60);
    assert_eq!(worker.run_once().await.unwrap(), Ran::Done(job));
    let sent = mailer.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn s3_5_an_order_without_an_address_says_so_at_once() {
    let shop = opened().await;
    let mut supplier = shop.supplier.clone();
    supplier.email = None;
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_supplier(&manager(&shop), supplier)
        .await
        .unwrap();
    let (order, job) = submitted(&shop).await;
    let told = sending(&shop, &manager(&shop), order.id()).await;
    assert!(told.problem.unwrap().starts_with("no_address: "));
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&shop.stocktake, "mail").with_mailer(mailer.clone());
    assert_eq!(worker.run_once().await.unwrap(), Ran::Dead(job));
    assert!(mailer.sent().is_empty());
    // Whoever brings orders in another way needs no address.
    let postman = Arc::new(Postman::default());
    assert!(
        shop.stocktake
            .requeue_job(&manager(&shop), job)
            .await
            .unwrap()
    );
    let both = self::worker(&shop, &postman).with_mailer(mailer.clone());
    assert_eq!(both.run_once().await.unwrap(), Ran::Done(job));
    assert_eq!(postman.sent.lock().await.len(), 1);
    assert!(mailer.sent().is_empty(), "the courier goes before the mail");
    let told = sending(&shop, &manager(&shop), order.id()).await;
    assert_eq!((told.sent_at, told.problem), (Some(shop.now()), None));
}

/// Letters that no font has keep the order out of a file, not out of the mail: it goes as text, and that is told.
#[cfg(feature = "pdf")]
#[tokio::test]
async fn s3_5_an_order_that_no_font_can_print_goes_out_as_text_and_that_is_told() {
    let shop = opened().await;
    let mut tea = shop.products[0].clone();
    tea.name = "\u{62b9}\u{8336}".parse().unwrap();
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&manager(&shop), vec![tea])
        .await
        .unwrap();
    let (order, job) = submitted(&shop).await;
    let mailer = Arc::new(RecordingMailer::default());
    let worker = Worker::new(&shop.stocktake, "mail").with_mailer(mailer.clone());
    assert_eq!(worker.run_once().await.unwrap(), Ran::Done(job));
    let sent = mailer.sent();
    assert!(
        sent[0].text.contains("\u{62b9}\u{8336}"),
        "{}",
        sent[0].text
    );
    assert!(sent[0].attachments.is_empty());
    let told = sending(&shop, &manager(&shop), order.id()).await;
    assert_eq!(told.sent_at, Some(shop.now()));
    let problem = told.problem.unwrap();
    assert!(problem.starts_with("letters_missing: "), "{problem}");
    for letter in ["U+62B9", "U+8336", "article SKU-0"] {
        assert!(problem.contains(letter), "{problem}");
    }

    // Written in letters that there are, it goes out whole, and nothing is left to tell.
    catalogue
        .put_products(&manager(&shop), vec![shop.products[0].clone()])
        .await
        .unwrap();
    let whole = draft(&shop).await.id();
    add(&shop, whole, 0).await;
    let orders = shop.stocktake.inventory_orders();
    orders.submit(&manager(&shop), whole).await.unwrap();
    worker.run_all_due().await.unwrap();
    assert_eq!(mailer.sent()[1].attachments.len(), 1);
    let told = sending(&shop, &manager(&shop), whole).await;
    assert_eq!((told.sent_at, told.problem), (Some(shop.now()), None));
}
