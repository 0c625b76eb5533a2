//! What is done: rounds of receipts, a take that is counted while stock is sold, its posting, an import.
#![allow(
    dead_code,
    reason = "compiled into each test, and each uses its own part"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stocktake::domain::{
    Code, ImportMode, MovementPolicy, PostingOptions, Quantity, StockImportState, StockKey,
    StockTakeId, StockTakeItemId, StockTakeState,
};
use stocktake::jobs::{Ran, Worker};
use stocktake::service::{
    Caller, Clock as _, CountRequest, Error, IdSource, ImportStarted, Movement, NewMovement,
    NewStockTake, Stocktake,
};
use stocktake::store::{IdempotencyKey, JobQueue, Repository, StoreError, StoreErrorKind};
use stocktake::testing::{ManualClock, Shop};
use uuid::Uuid;

/// Commands of a round.
const ROUND: u64 = 13;
/// Rounds of a script: one that posts in the background, one that posts at once, reopens, and posts again.
const ROUNDS: u64 = 2;
/// Commands of a script.
pub(crate) const COMMANDS: u64 = ROUND * ROUNDS;
/// How many tills receive at once.
const TILLS: u64 = 8;
/// How often a job is taken up before the test gives up.
const PATIENCE: u32 = 100;

/// What a command is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Recording,
    Populating,
    Counting,
    Posting,
    Importing,
}

impl Phase {
    pub(crate) const ALL: [Self; 5] = [
        Self::Recording,
        Self::Populating,
        Self::Counting,
        Self::Posting,
        Self::Importing,
    ];
}

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// The shop.
    Small,
    /// More lines and values than a chunk takes.
    Large,
}

impl Size {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        if name == "large" {
            Self::Large
        } else {
            Self::Small
        }
    }

    /// Keys beside the shop's own, and values of an import.
    const fn more(self) -> u64 {
        match self {
            Self::Small => 2,
            Self::Large => 1_010,
        }
    }
}

/// A command of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Several tills receive at once.
    Receive,
    Create,
    /// A worker adds the lines.
    Populate,
    Count {
        product: usize,
    },
    CountMore {
        product: usize,
    },
    Sell {
        product: usize,
    },
    Post,
    /// A worker posts.
    WorkOffPosting,
    Submit,
    Reopen,
    SubmitAgain,
    Import,
    /// A worker takes the values in.
    WorkOffImport,
}

impl Command {
    pub(crate) fn of(number: u64) -> Self {
        let at_once = (number / ROUND) % 2 == 1;
        match number % ROUND {
            0 => Self::Receive,
            1 => Self::Create,
            2 => Self::Populate,
            3 => Self::Count { product: 1 },
            4 => Self::Sell { product: 1 },
            5 => Self::Count { product: 2 },
            6 => Self::CountMore { product: 2 },
            7 => Self::Count { product: 3 },
            8 if at_once => Self::Submit,
            8 => Self::Post,
            9 if at_once => Self::Reopen,
            9 => Self::WorkOffPosting,
            10 => Self::Import,
            11 => Self::WorkOffImport,
            _ if at_once => Self::SubmitAgain,
            _ => Self::Sell { product: 3 },
        }
    }

    pub(crate) const fn phase(self) -> Phase {
        match self {
            Self::Receive | Self::Sell { .. } => Phase::Recording,
            Self::Create | Self::Populate => Phase::Populating,
            Self::Count { .. } | Self::CountMore { .. } => Phase::Counting,
            Self::Post | Self::WorkOffPosting | Self::Submit | Self::Reopen | Self::SubmitAgain => {
                Phase::Posting
            }
            Self::Import | Self::WorkOffImport => Phase::Importing,
        }
    }

    /// Whether it takes several commits.
    pub(crate) fn is_long(self, size: Size) -> bool {
        match self {
            Self::Create
            | Self::Count { .. }
            | Self::CountMore { .. }
            | Self::Sell { .. }
            | Self::Post => false,
            Self::Import => size == Size::Large,
            Self::Receive
            | Self::Populate
            | Self::WorkOffPosting
            | Self::Submit
            | Self::Reopen
            | Self::SubmitAgain
            | Self::WorkOffImport => true,
        }
    }
}

/// Ids that no other process gives.
#[derive(Debug)]
struct Ids {
    life: u64,
    last: AtomicU64,
}

impl IdSource for Ids {
    fn next(&self) -> Uuid {
        let last = self.last.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128((u128::from(self.life) << 64) | u128::from(last))
    }
}

/// The library, and what it is asked to do.
pub(crate) struct Script {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) shop: Arc<Shop>,
    size: Size,
    life: u64,
}

/// What a till's receipt is known by in the ledger.
pub(crate) fn event_of_part(number: u64, till: u64) -> String {
    format!("R-{number}-{till}")
}

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

impl Script {
    /// Life 0 is not killed.
    pub(crate) fn on<S: Repository + JobQueue>(store: Arc<S>, size: Size, life: u64) -> Self {
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(Ids {
            life: life + 1,
            last: AtomicU64::new(1),
        });
        let library = Stocktake::with(store.clone(), store.clone(), clock.clone(), ids);
        Self {
            repository: store,
            shop: Arc::new(Shop::with(library, clock)),
            size,
            life,
        }
    }

    /// Puts in what the script begins with.
    pub(crate) async fn prepare(&self) {
        self.shop.open().await.unwrap();
        let receipts: Vec<NewMovement> = (0..self.size.more())
            .map(|number| {
                let product = usize::try_from(number % 10).unwrap();
                Movement::Receipt {
                    key: self
                        .shop
                        .key(product)
                        .at(code(&format!("P-{:04}", number / 10))),
                    quantity: Quantity::from(40),
                    unit_cost: self.shop.products[product].standard_cost(self.shop.site.currency),
                }
                .into()
            })
            .collect();
        let manager = Caller::of(&self.shop.manager);
        let stock = self.shop.stocktake.stock();
        stock
            .record(&manager, self.shop.site.id, &receipts)
            .await
            .unwrap();
    }

    /// Does a command, or finds that it is done: what it told. Each part of it that is acknowledged by itself is
    /// told at once.
    pub(crate) async fn run(
        &self,
        number: u64,
        part: &(dyn Fn(u64) + Sync),
    ) -> Result<String, Error> {
        let shop = &self.shop;
        // A process that comes later finds the leases of the dead lapsed.
        let seconds = number * 20_000 + self.life * 100;
        shop.clock.set(
            ManualClock::default()
                .now()
                .later_by(i64::try_from(seconds).unwrap() * 1_000_000),
        );
        let manager = self.keyed(number);
        let takes = shop.stocktake.stock_takes();
        let value = 30 + number * 7 % 20;
        let quantity = Quantity::from(u32::try_from(value).unwrap());
        Ok(match Command::of(number) {
            Command::Receive => self.receive(number, part).await?,
            Command::Create => {
                self.take(number).await?;
                "created".to_owned()
            }
            Command::Populate => {
                let take = self.take(number).await?;
                let lines = || async {
                    let take = takes.get(&manager, take).await?.take;
                    let lines = take.last_line();
                    Ok(take.items_added().then(|| format!("{lines} lines")))
                };
                self.work_until(lines).await?
            }
            Command::Count { product } => {
                let request = CountRequest::set(quantity);
                self.count(number, product, request).await?
            }
            Command::CountMore { product } => {
                let request = CountRequest::add(Quantity::ONE);
                self.count(number, product, request).await?
            }
            Command::Sell { product } => {
                let sale = Movement::Issue {
                    key: shop.key(product),
                    quantity: Quantity::from(2),
                };
                let (stock, site) = (shop.stocktake.stock(), shop.site.id);
                let sold = stock.record(&manager, site, &[sale.into()]).await?;
                format!("left {}", sold[0].after)
            }
            Command::Post => {
                let take = self.take(number).await?;
                takes
                    .post(&manager, take, PostingOptions::default())
                    .await?;
                "queued".to_owned()
            }
            Command::WorkOffPosting => {
                let take = self.take(number).await?;
                let result = || async {
                    let take = takes.get(&manager, take).await?.take;
                    let is_posted = take.state() == StockTakeState::Finished;
                    Ok(is_posted.then(|| format!("{:?}", take.result())))
                };
                self.work_until(result).await?
            }
            Command::Submit | Command::SubmitAgain => {
                let take = self.take(number).await?;
                let options = PostingOptions::default();
                let take = takes.submit(&manager, take, options).await?;
                format!("posted {}", take.result().is_some())
            }
            Command::Reopen => {
                let take = self.take(number).await?;
                let take = takes.reopen(&manager, take, None).await?;
                format!("reopened in round {}", take.round())
            }
            Command::Import => self.import(number).await?.message(),
            Command::WorkOffImport => {
                let import = self.import(number - 1).await?.import.id();
                let imports = shop.stocktake.stock_imports();
                let state = || async {
                    let state = imports.get(&manager, import).await?.state();
                    Ok((state != StockImportState::Pending).then(|| format!("{state:?}")))
                };
                self.work_until(state).await?
            }
        })
    }

    fn keyed(&self, number: u64) -> Caller {
        let key = IdempotencyKey::new(&format!("command-{number}")).unwrap();
        Caller::of(&self.shop.manager).with_key(key)
    }

    async fn receive(&self, number: u64, part: &(dyn Fn(u64) + Sync)) -> Result<String, Error> {
        let mut tills = tokio::task::JoinSet::new();
        for till in 0..TILLS {
            let shop = Arc::clone(&self.shop);
            let key = event_of_part(number, till);
            let caller = Caller::of(&shop.manager).with_key(IdempotencyKey::new(&key).unwrap());
            tills.spawn(async move {
                let receipt = shop
                    .receipt(usize::try_from(till).unwrap(), Quantity::from(5))
                    .with_reference(code(&key));
                let stock = shop.stocktake.stock();
                let received = stock.record(&caller, shop.site.id, &[receipt]).await;
                received.map(|_| till)
            });
        }
        // All of them have ended, whichever failed.
        let mut failed = None;
        while let Some(till) = tills.join_next().await {
            match till.unwrap() {
                Ok(till) => part(till),
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        Ok("received".to_owned())
    }

    /// Creates the take of a command's round, or is told which one it was.
    async fn take(&self, number: u64) -> Result<StockTakeId, Error> {
        let number = number / ROUND * ROUND + 1;
        let takes = self.shop.stocktake.stock_takes();
        let new = NewStockTake {
            site: self.shop.site.id,
            description: format!("Take {number}").parse().unwrap(),
            movement_policy: MovementPolicy::default(),
        };
        let take = takes.create(&self.keyed(number), new).await?;
        Ok(take.id())
    }

    async fn count(
        &self,
        number: u64,
        product: usize,
        request: CountRequest,
    ) -> Result<String, Error> {
        let take = self.take(number).await?;
        let key: StockKey = self.shop.key(product);
        let item = StockTakeItemId::for_key(take, &key);
        let takes = self.shop.stocktake.stock_takes();
        let item = takes
            .count(&self.keyed(number), take, item, request)
            .await?;
        let counted = item.count.map(|count| count.quantity);
        Ok(format!("counted {counted:?}"))
    }

    async fn import(&self, number: u64) -> Result<ImportStarted, Error> {
        let values: Vec<String> = (0..self.size.more())
            .map(|value| format!("\"NEW-{number}-{value}\": {}", value % 7))
            .chain(["\"SKU-1\": 33".to_owned(), "\"SKU-4\": 12.5".to_owned()])
            .collect();
        let body = format!("{{\"store-1\": {{{}}}}}", values.join(", "));
        let imports = self.shop.stocktake.stock_imports();
        let (caller, mode) = (self.keyed(number), ImportMode::Absolute);
        imports.begin(&caller, mode, body.as_bytes(), true).await
    }

    /// Does jobs until there is an answer. What a dead worker had leased is due once its lease has lapsed. A job
    /// that fails ends it: it is tried again by whoever sends the command again.
    async fn work_until<F>(&self, answer: impl Fn() -> F) -> Result<String, Error>
    where
        F: Future<Output = Result<Option<String>, Error>>,
    {
        for _ in 0..PATIENCE {
            if let Some(answer) = answer().await? {
                return Ok(answer);
            }
            let worker = Worker::new(&self.shop.stocktake, "worker");
            loop {
                match worker.run_once().await? {
                    Ran::Nothing => break,
                    Ran::Done(_) | Ran::Lost(_) | Ran::HandedBack(_) => {}
                    Ran::Failed(_) | Ran::Dead(_) => {
                        let kind = StoreErrorKind::Unavailable;
                        return Err(StoreError::new(kind, "the job failed").into());
                    }
                }
            }
            self.shop.clock.advance_seconds(61);
        }
        panic!("the job does not end");
    }
}
