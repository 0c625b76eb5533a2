//! Leases of the worker: how long, kept while work goes on, lost, handed back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::stores::{Kind, Store, Stores};
use async_trait::async_trait;
use stocktake::domain::{
    InventoryOrderDetails, JobId, MovementPolicy, Ordered, PostingOptions, Quantity, StockTakeId,
    StockTakeItemId, StockTakeState, Timestamp,
};
use stocktake::jobs::{Courier, Ran, Timer, Worker};
use stocktake::service::{
    Caller, Clock, CountRequest, InventoryOrders, NewInventoryOrder, NewOrderItem, NewStockTake,
    OrderLetter, Stocktake,
};
use stocktake::store::{JobKind, JobState};
use stocktake::testing::{ManualClock, SequentialIds, Shop};
use tokio::sync::Semaphore;

const LEASE: Duration = Duration::from_secs(6);
/// How often a test looks again before it gives up.
const MOST_LOOKS: u32 = 1_000_000;

/// A courier that is on the way until it may arrive.
#[derive(Debug)]
struct SlowCourier {
    left: Semaphore,
    may_arrive: Semaphore,
    arrived: AtomicU32,
}

impl SlowCourier {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            left: Semaphore::new(0),
            may_arrive: Semaphore::new(0),
            arrived: AtomicU32::new(0),
        })
    }

    async fn has_left(&self) {
        self.left.acquire().await.unwrap().forget();
    }

    fn arrive(&self) {
        self.may_arrive.add_permits(1);
    }

    fn arrived(&self) -> u32 {
        self.arrived.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Courier for SlowCourier {
    async fn send_order(
        &self,
        _: &OrderLetter,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.left.add_permits(1);
        self.may_arrive.acquire().await?.forget();
        self.arrived.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// A timer that goes on when a test says so.
#[derive(Debug)]
struct Metronome(Semaphore);

impl Metronome {
    fn new() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    fn beat(&self) {
        self.0.add_permits(1);
    }
}

#[async_trait]
impl Timer for Metronome {
    async fn wait(&self, time: Duration) {
        assert!(time < LEASE, "a lease is extended before it ends");
        self.0.acquire().await.unwrap().forget();
    }
}

/// A clock that tells a worker to stop when it was asked so many times.
#[derive(Debug)]
struct StoppingClock {
    clock: Arc<ManualClock>,
    asked: AtomicU32,
    stops: OnceLock<(u32, Worker)>,
}

impl Clock for StoppingClock {
    fn now(&self) -> Timestamp {
        if let Some((when, worker)) = self.stops.get()
            && self.asked.fetch_add(1, Ordering::SeqCst) == *when
        {
            worker.stop();
        }
        self.clock.now()
    }
}

async fn opened(store: &Store) -> (Shop, Arc<StoppingClock>) {
    let clock = Arc::new(ManualClock::default());
    let stopping = Arc::new(StoppingClock {
        clock: clock.clone(),
        asked: AtomicU32::new(0),
        stops: OnceLock::new(),
    });
    let library = Stocktake::with(
        store.repository.clone(),
        store.queue.clone(),
        stopping.clone(),
        Arc::new(SequentialIds::default()),
    );
    let shop = Shop::with(library, clock);
    shop.open().await.unwrap();
    (shop, stopping)
}

/// A job that sends an order.
async fn sending(shop: &Shop) -> JobId {
    let (orders, manager) = (shop.stocktake.inventory_orders(), Caller::of(&shop.manager));
    let new = NewInventoryOrder {
        site: shop.site.id,
        supplier: shop.supplier.id,
        details: InventoryOrderDetails {
            purchase_order_number: None,
            supplier_email: None,
        },
    };
    let order = orders.create(&manager, new).await.unwrap().id();
    let item = NewOrderItem {
        product: shop.products[0].id,
        variant: None,
        ordered: Ordered {
            quantity: Quantity::from(1),
            unit_price_minor: 100,
        },
    };
    orders.add_item(&manager, order, item).await.unwrap();
    let order = orders.submit(&manager, order).await.unwrap();
    InventoryOrders::sending_job(&order).unwrap()
}

fn worker(shop: &Shop, name: &str, courier: &Arc<SlowCourier>) -> Worker {
    Worker::new(&shop.stocktake, name)
        .with_courier(courier.clone())
        .with_lease(LEASE)
}

/// Begins a turn, up to where the courier has left.
async fn begun(
    worker: Worker,
    courier: &SlowCourier,
) -> tokio::task::JoinHandle<Result<Ran, stocktake::store::StoreError>> {
    let turn = tokio::spawn(async move { worker.run_once().await });
    courier.has_left().await;
    turn
}

async fn state(shop: &Shop, job: JobId) -> JobState {
    let manager = Caller::of(&shop.manager);
    shop.stocktake.job(&manager, job).await.unwrap().state
}

#[tokio::test]
async fn a_job_of_a_worker_that_died_waits_for_the_end_of_its_lease() {
    for kind in Kind::EMBEDDED {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, _) = opened(&store).await;
        let job = sending(&shop).await;
        let courier = SlowCourier::new();
        let turn = begun(worker(&shop, "mortal", &courier), &courier).await;
        turn.abort();
        assert!(turn.await.unwrap_err().is_cancelled());

        courier.arrive();
        let heir = worker(&shop, "heir", &courier);
        shop.clock.advance_micros(5_999_999);
        assert_eq!(heir.run_once().await.unwrap(), Ran::Nothing);
        shop.clock.advance_micros(1);
        assert_eq!(heir.run_once().await.unwrap(), Ran::Done(job));
        assert_eq!(courier.arrived(), 1);
    }
}

#[tokio::test]
async fn a_timer_keeps_the_lease_through_a_step_that_takes_longer() {
    for kind in Kind::EMBEDDED {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, _) = opened(&store).await;
        let job = sending(&shop).await;
        let (courier, metronome) = (SlowCourier::new(), Metronome::new());
        let slow = worker(&shop, "slow", &courier).with_timer(metronome.clone());
        let turn = begun(slow, &courier).await;
        let other = worker(&shop, "other", &courier);
        for _ in 0..5 {
            shop.clock.advance_seconds(4);
            metronome.beat();
            let kept = JobState::Running {
                worker: "slow".to_owned(),
                until: shop.now().later_by(6_000_000),
            };
            let mut looks = 0;
            while state(&shop, job).await != kept {
                looks += 1;
                assert!(looks < MOST_LOOKS, "the lease is not extended");
                tokio::task::yield_now().await;
            }
            assert_eq!(other.run_once().await.unwrap(), Ran::Nothing);
        }
        courier.arrive();
        assert_eq!(turn.await.unwrap().unwrap(), Ran::Done(job));
        assert_eq!(state(&shop, job).await, JobState::Succeeded);
        assert_eq!(courier.arrived(), 1);
    }
}

#[tokio::test]
async fn a_step_whose_lease_is_lost_is_given_up() {
    for kind in Kind::EMBEDDED {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, _) = opened(&store).await;
        let job = sending(&shop).await;
        let (first, second) = (SlowCourier::new(), SlowCourier::new());
        let metronome = Metronome::new();
        let late = worker(&shop, "late", &first).with_timer(metronome.clone());
        let late = begun(late, &first).await;
        shop.clock.advance_seconds(6);
        let next = begun(worker(&shop, "next", &second), &second).await;
        metronome.beat();
        assert_eq!(late.await.unwrap().unwrap(), Ran::Lost(job));
        second.arrive();
        assert_eq!(next.await.unwrap().unwrap(), Ran::Done(job));
        assert_eq!((first.arrived(), second.arrived()), (0, 1));
    }
}

/// A take with one line counted, and the job that posts it.
async fn posting(shop: &Shop) -> (StockTakeId, JobId) {
    let (takes, manager) = (shop.stocktake.stock_takes(), Caller::of(&shop.manager));
    let new = NewStockTake {
        site: shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager, new).await.unwrap().id();
    shop.run_jobs().await.unwrap();
    let line = StockTakeItemId::for_key(take, &shop.key(3));
    let count = CountRequest::set(Quantity::from(38));
    takes.count(&manager, take, line, count).await.unwrap();
    let options = PostingOptions::default();
    let job = takes.post(&manager, take, options).await.unwrap();
    (take, job)
}

async fn take_state(shop: &Shop, take: StockTakeId) -> StockTakeState {
    let takes = shop.stocktake.stock_takes();
    let found = takes.get(&Caller::of(&shop.manager), take).await.unwrap();
    found.take.state()
}

/// A turn asks for the time when it leases, and then at the beginning of the first step: there it is told.
const IN_THE_FIRST_STEP: u32 = 1;

#[tokio::test]
async fn a_worker_that_is_told_to_stop_hands_its_job_back_after_the_step() {
    for kind in Kind::EMBEDDED {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, clock) = opened(&store).await;
        let (take, job) = posting(&shop).await;
        let worker = Worker::new(&shop.stocktake, "leaving");
        clock
            .stops
            .set((IN_THE_FIRST_STEP, worker.clone()))
            .unwrap();
        assert_eq!(worker.run_once().await.unwrap(), Ran::HandedBack(job));
        assert_eq!(state(&shop, job).await, JobState::Queued);
        assert_eq!(take_state(&shop, take).await, StockTakeState::Posting);
        assert_eq!(worker.run_once().await.unwrap(), Ran::Nothing);

        // No time has passed.
        let next = Worker::new(&shop.stocktake, "next");
        assert_eq!(next.run_once().await.unwrap(), Ran::Done(job));
        assert_eq!(take_state(&shop, take).await, StockTakeState::Finished);
        let key = shop.key(3);
        assert_eq!(shop.on_hand(&key).await.unwrap(), Quantity::from(38));
        let (stock, manager) = (shop.stocktake.stock(), Caller::of(&shop.manager));
        let events = stock.key_events(&manager, &key, 0).await.unwrap();
        assert_eq!(events.len(), 2, "the first stock, and the variance");
    }
}

#[tokio::test]
async fn a_job_that_is_handed_back_in_its_last_attempt_has_that_attempt_left() {
    for kind in Kind::EMBEDDED {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, clock) = opened(&store).await;
        let (_, job) = posting(&shop).await;
        let manager = Caller::of(&shop.manager);
        let queued = shop.stocktake.job(&manager, job).await.unwrap();
        for _ in 1..queued.max_attempts {
            let lease =
                store
                    .queue
                    .lease("mortal", JobKind::ALL, shop.now(), shop.now().later_by(1));
            assert!(lease.await.unwrap().is_some());
            shop.clock.advance_micros(1);
        }
        let worker = Worker::new(&shop.stocktake, "leaving");
        clock
            .stops
            .set((IN_THE_FIRST_STEP, worker.clone()))
            .unwrap();
        assert_eq!(worker.run_once().await.unwrap(), Ran::HandedBack(job));
        assert_eq!(state(&shop, job).await, JobState::Queued);
        let next = Worker::new(&shop.stocktake, "next");
        assert_eq!(next.run_once().await.unwrap(), Ran::Done(job));
    }
}
