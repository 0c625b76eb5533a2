//! Several processes on one `PostgreSQL` database, some of which die. A helper is this very test binary, asked for one of
//! its tests and told by its environment what to do; it says what it has done on its standard output, and goes on
//! when a line comes in. Nothing sleeps.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::postgres_server::{Schemas, config, empty, open, pool};
use stocktake::domain::{
    Code, JobId, Label, MovementPolicy, OrganisationId, PostingOptions, Product, ProductId,
    Quantity, StockKey, StockTakeId, StockTakeItemId, Timestamp,
};
use stocktake::jobs::Worker;
use stocktake::postgres::tokio_postgres::NoTls;
use stocktake::postgres::{PostgresOptions, PostgresStore};
use stocktake::service::{
    Caller, CountRequest, Error, ErrorKind, Movement, NewMovement, NewStockTake, Stocktake,
};
use stocktake::store::{
    ArticleSort, ChangeSet, Command, CommandId, CommitError, CommitOutcome, DeletableKey, Digest,
    IdempotencyKey, JobKind, JobQueue as _, JobState, LeaseError, LeaseToken, Outcome, PageRequest,
    Repository as _, RepositoryExt, StockTakeItemFilter, StoreErrorKind,
};
use stocktake::testing::{ManualClock, SequentialIds, Shop};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Lines of the take: one for each counter.
const LINES: u32 = 48;
const PROCESSES: u32 = 3;
const COUNTERS: u32 = 16;

/// What a helper is told.
const ROLE: &str = "STOCKTAKE_TEST_ROLE";
const SCHEMA: &str = "STOCKTAKE_TEST_SCHEMA";
const TAKE: &str = "STOCKTAKE_TEST_TAKE";
const NUMBER: &str = "STOCKTAKE_TEST_NUMBER";

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// A process that helps.
struct Helper {
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Helper {
    fn start(role: &str, options: &PostgresOptions, take: StockTakeId, number: u32) -> Self {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args([
                "processes::helper_process",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROLE, role)
            .env(SCHEMA, &options.schema)
            .env(TAKE, take.as_uuid().to_string())
            .env(NUMBER, number.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let reports = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut helper = Self {
            child,
            orders,
            reports,
        };
        assert_eq!(helper.report().as_deref(), Some("ready"));
        helper
    }

    fn go(&mut self) {
        writeln!(self.orders, "go").unwrap();
    }

    /// What it says next; what the test framework says is not for us.
    fn report(&mut self) -> Option<String> {
        loop {
            let line = self.reports.next()?.unwrap();
            if let Some((_, report)) = line.split_once("@ ") {
                return Some(report.to_owned());
            }
        }
    }

    fn end(mut self) {
        assert!(self.child.wait().unwrap().success(), "a helper failed");
    }

    /// Kills it (SIGKILL).
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn say(report: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@ {report}").unwrap();
    out.flush().unwrap();
}

fn wait_for_orders() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// What a helper does; nothing in the process that was started by hand.
#[test]
fn helper_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let told = |name: &str| std::env::var(name).unwrap();
    let mut options = PostgresOptions::default();
    options.schema = told(SCHEMA);
    let take = StockTakeId::new(told(TAKE).parse().unwrap());
    let number: u32 = told(NUMBER).parse().unwrap();
    on_a_runtime(async {
        let store = open(pool(8), options).await;
        match role.as_str() {
            "count" => count_until_refused(&store, take, number).await,
            "post" => {
                say("ready");
                wait_for_orders();
                let shop = shop(&store);
                let takes = shop.stocktake.stock_takes();
                let posted = takes
                    .submit(&caller(&shop), take, PostingOptions::default())
                    .await;
                say(if posted.is_ok() { "posted" } else { "refused" });
            }
            "hold_a_lease" => {
                let lease = store
                    .lease("doomed", JobKind::ALL, at(0), at(10))
                    .await
                    .unwrap()
                    .unwrap();
                say("ready");
                say(&format!(
                    "{} {}",
                    lease.token.job.as_uuid(),
                    lease.token.attempt
                ));
                wait_for_orders();
            }
            role => panic!("there is no role {role}"),
        }
    });
}

fn at(seconds: i64) -> Timestamp {
    // Long after any clock, so that everything that was queued is due.
    Timestamp::from_micros(4_000_000_000_000_000 + seconds * 1_000_000).unwrap()
}

fn shop(store: &PostgresStore) -> Shop {
    let stocktake = Stocktake::new(Arc::new(store.clone()));
    Shop::with(stocktake, Arc::new(ManualClock::default()))
}

fn caller(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

fn product(number: u32) -> ProductId {
    ProductId::new(Uuid::from_u128(0xabc_0000 + u128::from(number)))
}

fn key(shop: &Shop, number: u32) -> StockKey {
    StockKey::plain(shop.site.id, product(number))
}

fn receipt(key: StockKey, quantity: i64) -> NewMovement {
    let unit_cost = Some("2.50".parse().unwrap());
    let quantity = Quantity::from_micros(quantity * 1_000_000).unwrap();
    Movement::Receipt {
        key,
        quantity,
        unit_cost,
    }
    .into()
}

/// A shop with as many articles as there are counters, forty of each.
async fn opened(store: &PostgresStore) -> Shop {
    let shop = shop(store);
    shop.open_empty().await.unwrap();
    let organisation = shop.site.organisation;
    let products = (0..LINES).map(|number| {
        let article = Code::new(format!("P-{number}")).unwrap();
        let name = Label::new(format!("Product {number}")).unwrap();
        Product::new(product(number), organisation, article, name)
    });
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&caller(&shop), products.collect())
        .await
        .unwrap();
    let first: Vec<NewMovement> = (0..LINES)
        .map(|number| receipt(key(&shop, number), 40))
        .collect();
    let stock = shop.stocktake.stock();
    stock
        .record(&caller(&shop), shop.site.id, &first)
        .await
        .unwrap();
    shop
}

async fn new_take(shop: &Shop) -> StockTakeId {
    let new = NewStockTake {
        site: shop.site.id,
        description: "January".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let takes = shop.stocktake.stock_takes();
    takes.create(&caller(shop), new).await.unwrap().id()
}

/// The lines of a take, and what was counted of each.
async fn lines(
    shop: &Shop,
    take: StockTakeId,
) -> BTreeMap<ProductId, (StockTakeItemId, Option<i64>)> {
    let takes = shop.stocktake.stock_takes();
    let page = takes
        .items(
            &caller(shop),
            take,
            &StockTakeItemFilter::default(),
            ArticleSort::default(),
            &PageRequest::first(100),
        )
        .await
        .unwrap();
    let lines = page.items.into_iter().map(|view| {
        let item = view.item.value;
        let counted = item
            .count
            .as_ref()
            .map(|count| count.quantity.micros() / 1_000_000);
        (item.key.product, (item.id, counted))
    });
    lines.collect()
}

/// Sixteen counters, each of which adds one to its line again and again until the take is not to be counted any more.
async fn count_until_refused(store: &PostgresStore, take: StockTakeId, number: u32) {
    let shop = shop(store);
    let lines = lines(&shop, take).await;
    say("ready");
    wait_for_orders();
    let mut counters = Vec::new();
    for counter in 0..COUNTERS {
        let line = number * COUNTERS + counter;
        let (item, _) = lines[&product(line)];
        let (stocktake, caller) = (shop.stocktake.clone(), caller(&shop));
        counters.push(tokio::spawn(async move {
            let takes = stocktake.stock_takes();
            loop {
                let one = CountRequest::add(1.into());
                match takes.count(&caller, take, item, one).await {
                    Ok(_) => say(&format!("counted {line}")),
                    Err(Error::Conflict) => {}
                    Err(Error::Transition(_)) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    for counter in counters {
        counter.await.unwrap();
    }
    say("done");
}

/// How many events of postings each article has.
async fn events(store: &PostgresStore, shop: &Shop) -> BTreeMap<ProductId, usize> {
    let (organisation, site) = (shop.site.organisation, shop.site.id);
    let mut events = BTreeMap::new();
    let ledger = store.ledger(organisation, site, 0, 500).await.unwrap();
    for (position, entry) in (1..).zip(ledger) {
        assert_eq!(entry.position, position, "positions have no gaps");
        *events.entry(entry.event.key.product).or_default() += 1;
    }
    events
}

#[test]
fn what_processes_count_while_another_posts_is_posted_or_refused() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let store = open(pool(4), options.clone()).await;
        let shop = opened(&store).await;
        let take = new_take(&shop).await;
        Worker::new(&shop.stocktake, "worker")
            .run_all_due()
            .await
            .unwrap();
        let mut counters: Vec<Helper> = (0..PROCESSES)
            .map(|number| Helper::start("count", &options, take, number))
            .collect();
        let mut poster = Helper::start("post", &options, take, 0);
        for counter in &mut counters {
            counter.go();
        }
        let mut acknowledged: BTreeMap<ProductId, i64> = BTreeMap::new();
        let mut note = |report: &str| {
            let line = report.strip_prefix("counted ").unwrap().parse().unwrap();
            *acknowledged.entry(product(line)).or_default() += 1;
        };
        // Everybody is in the middle of it when the posting begins.
        for counter in &mut counters {
            for _ in 0..2 * COUNTERS {
                note(&counter.report().unwrap());
            }
        }
        poster.go();
        for mut counter in counters {
            loop {
                match counter.report().unwrap().as_str() {
                    "done" => break,
                    report => note(report),
                }
            }
            counter.end();
        }
        assert_eq!(poster.report().as_deref(), Some("posted"));
        poster.end();
        for (product, (_, counted)) in lines(&shop, take).await {
            let acknowledged = acknowledged.get(&product).copied();
            assert_eq!(
                counted, acknowledged,
                "what was acknowledged, and nothing else"
            );
            let key = StockKey::plain(shop.site.id, product);
            let level = shop.on_hand(&key).await.unwrap().micros() / 1_000_000;
            assert_eq!(level, acknowledged.unwrap_or(40));
        }
        let stock = shop.stocktake.stock();
        assert!(
            stock
                .verify(&caller(&shop), shop.site.id)
                .await
                .unwrap()
                .is_sound()
        );
    });
}

#[test]
fn of_two_processes_that_post_one_take_one_does() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let store = open(pool(4), options.clone()).await;
        let shop = opened(&store).await;
        for round in 1..=5 {
            let take = new_take(&shop).await;
            Worker::new(&shop.stocktake, "worker")
                .run_all_due()
                .await
                .unwrap();
            let takes = shop.stocktake.stock_takes();
            for (item, _) in lines(&shop, take).await.into_values() {
                let counted = CountRequest::set((40 - round).into());
                takes
                    .count(&caller(&shop), take, item, counted)
                    .await
                    .unwrap();
            }
            let mut posters = [0, 1].map(|number| Helper::start("post", &options, take, number));
            for poster in &mut posters {
                poster.go();
            }
            let mut posted = 0;
            for mut poster in posters {
                posted += usize::from(poster.report().as_deref() == Some("posted"));
                poster.end();
            }
            assert!(posted >= 1, "one of them posts it");
            let events = events(&store, &shop).await;
            for number in 0..LINES {
                let rounds = usize::try_from(round).unwrap();
                assert_eq!(events[&product(number)], 1 + rounds, "each line once");
                let level = shop.on_hand(&key(&shop, number)).await.unwrap();
                assert_eq!(level, (40 - round).into());
            }
        }
    });
}

#[test]
fn what_killed_workers_held_is_done_by_others() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let store = open(pool(4), options.clone()).await;
        let shop = opened(&store).await;
        let mut takes = Vec::new();
        for _ in 0..5 {
            takes.push(new_take(&shop).await);
        }
        let mut doomed = Vec::new();
        for number in 0..5 {
            doomed.push(Helper::start("hold_a_lease", &options, takes[0], number));
        }
        let mut dead: Vec<LeaseToken> = Vec::new();
        for mut worker in doomed {
            let report = worker.report().unwrap();
            let (job, attempt) = report.split_once(' ').unwrap();
            dead.push(LeaseToken {
                organisation: shop.site.organisation,
                job: JobId::new(job.parse().unwrap()),
                attempt: attempt.parse().unwrap(),
            });
            worker.kill();
        }
        assert!(
            store
                .lease("early", JobKind::ALL, at(1), at(5))
                .await
                .unwrap()
                .is_none()
        );
        // Their leases run out, and somebody does what they did not.
        let clock = Arc::new(ManualClock::default());
        clock.set(at(20));
        let queue = Arc::new(store.clone());
        let ids = Arc::new(SequentialIds::default());
        let later = Stocktake::with(queue.clone(), queue, clock, ids);
        assert_eq!(Worker::new(&later, "heir").run_all_due().await.unwrap(), 5);
        for take in takes {
            assert_eq!(
                lines(&shop, take).await.len(),
                usize::try_from(LINES).unwrap()
            );
        }
        for token in dead {
            let job = store
                .job(token.organisation, token.job)
                .await
                .unwrap()
                .unwrap();
            assert_eq!((job.state, job.attempts), (JobState::Succeeded, 2));
            let late = store.ack(token, at(30)).await;
            assert!(matches!(late, Err(LeaseError::Lost)));
        }
    });
}

/// What became of the commits of one task.
#[derive(Debug, Default)]
struct Told {
    unknown: u64,
    unavailable: u64,
    settled: u64,
}

fn product_change(organisation: OrganisationId, task: u32, number: u32) -> (ChangeSet, ProductId) {
    let id = ProductId::new(Uuid::from_u128(
        (u128::from(task + 1) << 64) | u128::from(number),
    ));
    let article = Code::new(format!("T-{task}-{number}")).unwrap();
    let product = Product::new(id, organisation, article, "Tea".parse().unwrap());
    let command = Command {
        id: CommandId::new("put", id),
        digest: Digest::of("put").field(id).finish(),
        outcome: Outcome::Done,
        at: at(0),
    };
    let mut changes = ChangeSet::new(organisation, command);
    changes.insert(Arc::new(product));
    (changes, id)
}

/// Commits one change set after another until it is enough, and finds out about each whether it is there.
async fn commit_all(
    store: PostgresStore,
    organisation: OrganisationId,
    task: u32,
    is_enough: Arc<AtomicBool>,
    progress: Arc<Semaphore>,
) -> Told {
    let mut told = Told::default();
    let mut number = 0;
    while !is_enough.load(Ordering::SeqCst) {
        number += 1;
        let (changes, id) = product_change(organisation, task, number);
        let command = CommandId::new("put", id);
        let mut may_be_there = false;
        let is_there = loop {
            match store.commit(&changes).await {
                Ok(CommitOutcome::Applied) => break true,
                Ok(CommitOutcome::AlreadyApplied(_)) => {
                    assert!(may_be_there, "what was not applied is not there");
                    break true;
                }
                Err(CommitError::OutcomeUnknown(_)) => {
                    told.unknown += 1;
                    may_be_there = true;
                    if number % 2 == 0 {
                        let settled = loop {
                            match store.settle(organisation, &command, at(1)).await {
                                Ok(settled) => break settled,
                                Err(error) => assert!(error.is_retryable(), "{error}"),
                            }
                        };
                        told.settled += 1;
                        break settled.is_some();
                    }
                }
                Err(CommitError::Store(error)) => {
                    assert!(error.is_retryable(), "{error}");
                    told.unavailable += u64::from(error.kind() == StoreErrorKind::Unavailable);
                }
                Err(error) => panic!("{error}"),
            }
        };
        let found = loop {
            match store.products(organisation, &[id]).await {
                Ok(found) => break found,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        };
        assert_eq!(found[0].is_some(), is_there, "what was told is so");
        progress.add_permits(1);
        if !is_there {
            let again = loop {
                match store.commit(&changes).await {
                    Err(CommitError::Store(error)) => assert!(error.is_retryable(), "{error}"),
                    // Nothing was to be committed: the answer was lost, not a commit.
                    Err(CommitError::OutcomeUnknown(_)) => {}
                    again => break again,
                }
            };
            assert!(matches!(again, Err(CommitError::Voided)));
        }
    }
    told
}

/// Receives one of an article again and again, each under a key, until it is enough.
async fn receive_all(
    shop: Arc<Shop>,
    number: u32,
    is_enough: Arc<AtomicBool>,
    (retried, progress): (Arc<AtomicU64>, Arc<Semaphore>),
) -> u64 {
    let mut received = 0;
    while !is_enough.load(Ordering::SeqCst) {
        received += 1;
        let once = IdempotencyKey::new(&format!("{number}-{received}")).unwrap();
        let caller = caller(&shop).with_key(once);
        let movements = [receipt(key(&shop, number), 1)];
        loop {
            let stock = shop.stocktake.stock();
            match stock.record(&caller, shop.site.id, &movements).await {
                Ok(_) => break,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    retried.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        progress.add_permits(1);
    }
    received
}

#[test]
fn connections_that_are_cut_lose_nothing_and_do_nothing_twice() {
    const CUTS: u32 = 200;
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let name = options.schema.clone();
        let to_cut = {
            let mut config = config();
            config.application_name(&name);
            crate::postgres_server::pool_of(config, 8)
        };
        let quiet = open(pool(2), options.clone()).await;
        let shop = opened(&quiet).await;
        let organisation = shop.site.organisation;
        let store = open(to_cut, options).await;
        let cut_shop = Arc::new(self::shop(&store));
        let is_enough = Arc::new(AtomicBool::new(false));
        let retried = Arc::new(AtomicU64::new(0));
        let progress = Arc::new(Semaphore::new(0));
        let committers: Vec<_> = (0..4)
            .map(|task| {
                let (is_enough, progress) = (is_enough.clone(), progress.clone());
                commit_all(store.clone(), organisation, task, is_enough, progress)
            })
            .map(tokio::spawn)
            .collect();
        let receivers: Vec<_> = (0..4)
            .map(|number| {
                let noted = (retried.clone(), progress.clone());
                receive_all(cut_shop.clone(), number, is_enough.clone(), noted)
            })
            .map(tokio::spawn)
            .collect();
        let (client, connection) = config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let cut = "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity \
                   WHERE application_name = $1 AND state <> 'idle' ORDER BY random() LIMIT 1) AS one";
        let mut cuts = 0;
        while cuts < CUTS {
            // Each cut comes after something was done, so that it meets something else.
            progress.acquire().await.unwrap().forget();
            for row in client.query(cut, &[&name]).await.unwrap() {
                cuts += u32::from(row.get::<_, bool>(0));
            }
        }
        is_enough.store(true, Ordering::SeqCst);
        let mut all = Told::default();
        for task in committers {
            let told = task.await.unwrap();
            all.unknown += told.unknown;
            all.unavailable += told.unavailable;
            all.settled += told.settled;
        }
        let mut received = Vec::new();
        for task in receivers {
            received.push(task.await.unwrap());
        }
        let retried = retried.load(Ordering::SeqCst);
        println!("{all:?}, {retried} receipts sent again, {received:?} received");
        assert!(all.unknown >= 1, "commits were cut in the middle: {all:?}");
        assert!(all.unavailable >= 1, "so was what comes before: {all:?}");
        assert!(
            all.unknown + all.unavailable + retried >= u64::from(CUTS) / 4,
            "cuts meet somebody at work: {all:?}, {retried}"
        );
        for (number, received) in (0..).zip(received) {
            let level = shop.on_hand(&key(&shop, number)).await.unwrap();
            let expected = i64::try_from(40 + received).unwrap() * 1_000_000;
            assert_eq!(level.micros(), expected, "each receipt once");
        }
        let stock = shop.stocktake.stock();
        assert!(
            stock
                .verify(&caller(&shop), shop.site.id)
                .await
                .unwrap()
                .is_sound()
        );
    });
}

#[test]
fn a_host_writes_in_the_same_transaction() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let store = open(pool(4), options.clone()).await;
        empty(store.pool(), &options.schema).await;
        let organisation = OrganisationId::new(Uuid::from_u128(1));
        let mut host = store.pool().get().await.unwrap();
        let opened = format!("{}.opened", options.schema);
        host.batch_execute(&format!("CREATE TABLE {opened} (number BIGINT)"))
            .await
            .unwrap();
        let note = format!("INSERT INTO {opened} VALUES (1)");
        let noted = format!("SELECT count(*) FROM {opened}");
        let (changes, id) = product_change(organisation, 0, 0);

        // Undone with the host's.
        let transaction = host.transaction().await.unwrap();
        let outcome = store.commit_in(&transaction, &changes).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Applied);
        transaction.rollback().await.unwrap();
        assert_eq!(
            store.products(organisation, &[id]).await.unwrap(),
            vec![None]
        );

        // Kept with the host's.
        let transaction = host.transaction().await.unwrap();
        transaction.execute(&note, &[]).await.unwrap();
        store.commit_in(&transaction, &changes).await.unwrap();
        assert_eq!(
            store.products(organisation, &[id]).await.unwrap(),
            vec![None]
        );
        transaction.commit().await.unwrap();
        assert!(store.products(organisation, &[id]).await.unwrap()[0].is_some());

        // Refused, and the host goes on.
        let transaction = host.transaction().await.unwrap();
        transaction.execute(&note, &[]).await.unwrap();
        let again = store.commit_in(&transaction, &changes).await.unwrap();
        assert_eq!(again, CommitOutcome::AlreadyApplied(Outcome::Done));
        let command = Command {
            id: CommandId::new("put", "other"),
            digest: Digest::of("put").finish(),
            outcome: Outcome::Done,
            at: at(0),
        };
        let mut other = ChangeSet::new(organisation, command);
        let article = Code::new("T-0-0").unwrap();
        let taken = ProductId::new(Uuid::from_u128(77));
        other.insert(Arc::new(Product::new(
            taken,
            organisation,
            article,
            "Tea".parse().unwrap(),
        )));
        let refused = store.commit_in(&transaction, &other).await;
        assert!(
            matches!(refused, Err(CommitError::Conflict(_))),
            "{refused:?}"
        );
        transaction.execute(&note, &[]).await.unwrap();
        transaction.commit().await.unwrap();
        let row = host.query_one(&noted, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 3);
        let put = CommandId::new("put", "other");
        assert_eq!(store.command(organisation, &put).await.unwrap(), None);
    });
}

fn mark_change(number: u32, organisation: OrganisationId) -> ChangeSet {
    let command = Command {
        id: CommandId::new("mark", number),
        digest: Digest::of("mark").field(number).finish(),
        outcome: Outcome::Done,
        at: at(0),
    };
    ChangeSet::new(organisation, command)
}

/// A line that is inserted while it is being deleted waits, and did not know of the deletion when it began: it begins above the
/// version that was deleted all the same (R3).
#[test]
fn what_is_inserted_while_it_is_being_deleted_has_a_later_version() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let store = open(pool(4), options).await;
        let shop = Shop::on(Arc::new(store.clone()));
        shop.open().await.unwrap();
        let (organisation, takes) = (shop.site.organisation, shop.stocktake.stock_takes());
        let new = NewStockTake {
            site: shop.site.id,
            description: "Everything".parse().unwrap(),
            movement_policy: MovementPolicy::default(),
        };
        let manager = Caller::of(&shop.manager);
        let take = takes.create(&manager, new).await.unwrap().id();
        let worker = Worker::new(&shop.stocktake, "worker");
        worker.run_all_due().await.unwrap();
        let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let first = PageRequest::first(1);
        let lines = store.stock_take_items(organisation, take, &all, sort, &first);
        let line = lines.await.unwrap().items.remove(0).item;
        let mut deletion = mark_change(2, organisation);
        deletion.delete(
            line.version,
            DeletableKey::StockTakeItem(take, line.value.id),
        );
        let mut again = mark_change(3, organisation);
        again.insert((*line.value).clone());

        let mut host = store.pool().get().await.unwrap();
        let transaction = host.transaction().await.unwrap();
        store.commit_in(&transaction, &deletion).await.unwrap();
        let inserting = {
            let store = store.clone();
            tokio::spawn(async move { store.commit(&again).await })
        };
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid' \
                     AND pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        while transaction
            .query_one(waits, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            assert!(
                !inserting.is_finished(),
                "the insert waits for the deletion"
            );
        }
        transaction.commit().await.unwrap();
        assert_eq!(inserting.await.unwrap().unwrap(), CommitOutcome::Applied);
        let ids = [line.value.id];
        let view = store.counting_view(organisation, take, &ids).await;
        let (_, found) = view.unwrap().unwrap().into_line().unwrap();
        assert_eq!(found.item.version, line.version.next());
    });
}
