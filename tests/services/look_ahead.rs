//! Postings and imports read their next part while one is written. What moves in between is not lost: the part that was
//! read too early is refused, and read again.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use stocktake::domain::{
    Code, ImportMode, Label, MovementPolicy, PostingOptions, Product, ProductId, Quantity,
    RunStage, StockImportState, StockKey, StockTakeState, Timestamp,
};
use stocktake::jobs::Worker;
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, Clock, CountRequest, Movement, NewMovement, NewStockTake, Stocktake,
};
use stocktake::store::{ArticleSort, PageRequest, StockTakeItemFilter};
use stocktake::testing::{ManualClock, SequentialIds, Shop};
use uuid::Uuid;

/// Two parts, and some of a third.
const LINES: u32 = 2_100;

/// How often a worker looks at the clock for each part: for the part, and for its lease.
const A_PART: u32 = 2;

fn q(units: u32) -> Quantity {
    Quantity::from(units)
}

fn product_id(number: u32) -> ProductId {
    ProductId::new(Uuid::from_u128(0xabc_0000 + u128::from(number)))
}

/// What a store in memory answers is there at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory answers at once"),
    }
}

/// Something that is done as soon as its time has come; whether it had come.
type Event = Box<dyn Fn() -> bool + Send + Sync>;

/// A clock that stands still, and is looked at when each part begins: that is when something happens.
#[derive(Default)]
struct Eventful {
    event: OnceLock<Event>,
    is_over: AtomicBool,
    looked: AtomicU32,
}

impl fmt::Debug for Eventful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eventful").finish_non_exhaustive()
    }
}

impl Clock for Eventful {
    fn now(&self) -> Timestamp {
        self.looked.fetch_add(1, Ordering::SeqCst);
        if let Some(event) = self.event.get()
            && !self.is_over.swap(true, Ordering::SeqCst)
        {
            self.is_over.store(event(), Ordering::SeqCst);
        }
        ManualClock::default().now()
    }
}

/// A shop, and the same shop on a library whose clock is eventful.
struct World {
    shop: Shop,
    clock: Arc<Eventful>,
    worked: Stocktake,
}

async fn world() -> World {
    let store = Arc::new(MemoryStore::new());
    let shop = Shop::on(store.clone());
    let clock = Arc::new(Eventful::default());
    let ids = Arc::new(SequentialIds::default());
    let worked = Stocktake::with(store.clone(), store, clock.clone(), ids);
    shop.open_empty().await.unwrap();
    let manager = Caller::of(&shop.manager);
    let numbers: Vec<u32> = (0..LINES).collect();
    for numbers in numbers.chunks(1_000) {
        let products = numbers.iter().map(|number| {
            let article = Code::new(format!("P-{number:05}")).unwrap();
            let name = Label::new(format!("Product {number}")).unwrap();
            Product::new(product_id(*number), shop.site.organisation, article, name)
        });
        let catalogue = shop.stocktake.catalogue();
        let put = catalogue.put_products(&manager, products.collect());
        put.await.unwrap();
        let arrivals = numbers.iter().map(|number| {
            NewMovement::from(Movement::Receipt {
                key: StockKey::plain(shop.site.id, product_id(*number)),
                quantity: q(40),
                unit_cost: Some("2.50".parse().unwrap()),
            })
        });
        let arrivals: Vec<_> = arrivals.collect();
        let stock = shop.stocktake.stock();
        let recorded = stock.record(&manager, shop.site.id, &arrivals);
        recorded.await.unwrap();
    }
    World {
        shop,
        clock,
        worked,
    }
}

impl World {
    /// Sells three of a product when that is to happen.
    fn sell_when(&self, number: u32, is_time: impl Fn(&Stocktake) -> bool + Send + Sync + 'static) {
        let till = Caller::of(&self.shop.service);
        let (stocktake, site) = (self.shop.stocktake.clone(), self.shop.site.id);
        let sale = NewMovement::from(Movement::Issue {
            key: StockKey::plain(site, product_id(number)),
            quantity: q(3),
        });
        let event = move || {
            let has_come = is_time(&stocktake);
            if has_come {
                let stock = stocktake.stock();
                at_once(stock.record(&till, site, std::slice::from_ref(&sale))).unwrap();
            }
            has_come
        };
        assert!(self.clock.event.set(Box::new(event)).is_ok());
    }

    /// Does all jobs; how often the eventful clock was looked at meanwhile.
    async fn work(&self) -> u32 {
        let before = self.clock.looked.load(Ordering::SeqCst);
        let worker = Worker::new(&self.worked, "worker");
        worker.run_all_due().await.unwrap();
        self.clock.looked.load(Ordering::SeqCst) - before
    }

    async fn on_hand(&self, number: u32) -> Quantity {
        let key = StockKey::plain(self.shop.site.id, product_id(number));
        self.shop.on_hand(&key).await.unwrap()
    }

    async fn is_sound(&self) -> bool {
        let stock = self.shop.stocktake.stock();
        let manager = Caller::of(&self.shop.manager);
        let verified = stock.verify(&manager, self.shop.site.id);
        verified.await.unwrap().is_sound()
    }
}

/// Counts everything at 39, posts it, and sells something of a later part when the first part was applied, if it is to.
/// How often the clock was looked at.
async fn post(world: &World, is_sold: bool) -> u32 {
    let shop = &world.shop;
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let new = NewStockTake {
        site: shop.site.id,
        description: "Everything".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager, new).await.unwrap().id();
    shop.run_jobs().await.unwrap();
    let mut page = PageRequest::first(1_000);
    loop {
        let filter = StockTakeItemFilter::default();
        let lines = takes.items(&manager, take, &filter, ArticleSort::default(), &page);
        let lines = lines.await.unwrap();
        let counts: Vec<_> = lines
            .items
            .iter()
            .map(|line| (line.item.value.id, CountRequest::set(q(39))))
            .collect();
        takes.count_lines(&manager, take, &counts).await.unwrap();
        let Some(next) = lines.next else { break };
        page = PageRequest::after(next, 1_000);
    }
    takes
        .post(&manager, take, PostingOptions::default())
        .await
        .unwrap();
    if is_sold {
        let viewer = manager.clone();
        world.sell_when(1_500, move |stocktake| {
            let takes = stocktake.stock_takes();
            let read = at_once(takes.get(&viewer, take)).unwrap();
            let run = read.take.run();
            run.is_some_and(|run| run.stage == RunStage::Apply && run.done > 0)
        });
    }
    let looks = world.work().await;
    let posted = takes.get(&manager, take).await.unwrap();
    assert_eq!(posted.take.state(), StockTakeState::Finished);
    looks
}

#[tokio::test]
async fn what_is_sold_while_a_later_part_is_read_stays_sold() {
    let quiet = world().await;
    let looks = post(&quiet, false).await;
    let busy = world().await;
    let more_looks = post(&busy, true).await;
    assert_eq!(more_looks, looks + A_PART, "one part was read too early");
    for (number, left) in [(0, 39), (999, 39), (1_500, 36), (2_099, 39)] {
        assert_eq!(busy.on_hand(number).await, q(left), "of {number}");
    }
    assert!(busy.is_sound().await);
}

/// Sets everything to 41, and sells something of a later part when the first part was applied, if it is to. How often
/// the clock was looked at.
async fn import(world: &World, is_sold: bool) -> u32 {
    let shop = &world.shop;
    let (machine, imports) = (Caller::of(&shop.service), shop.stocktake.stock_imports());
    let values: Vec<String> = (0..LINES)
        .map(|number| format!("\"P-{number:05}\":41"))
        .collect();
    let body = format!("{{\"{}\":{{{}}}}}", shop.site.external_id, values.join(","));
    let begun = imports.begin(&machine, ImportMode::Absolute, body.as_bytes(), false);
    let id = begun.await.unwrap().import.id();
    if is_sold {
        let viewer = machine.clone();
        world.sell_when(1_500, move |stocktake| {
            let imports = stocktake.stock_imports();
            let import = at_once(imports.get(&viewer, id)).unwrap();
            !import.is_checking() && import.done() > 0
        });
    }
    let looks = world.work().await;
    let import = imports.get(&machine, id).await.unwrap();
    assert_eq!(import.state(), StockImportState::Applied);
    looks
}

#[tokio::test]
async fn an_import_sets_what_was_sold_while_a_later_part_was_read() {
    let quiet = world().await;
    let looks = import(&quiet, false).await;
    let busy = world().await;
    let more_looks = import(&busy, true).await;
    assert_eq!(more_looks, looks + A_PART, "one part was read too early");
    for number in [0, 999, 1_500, 2_099] {
        assert_eq!(busy.on_hand(number).await, q(41), "of {number}");
    }
    assert!(busy.is_sound().await);
}
