//! The library on a PostgreSQL database against the same work written by hand over `tokio-postgres`, in the same run:
//! populate, one count, sixteen counters over sixteen connections, counts in batches, post, import, a page deep in the
//! list, totals. Then how long a change of a take's phase waits while many count.
//!
//! `cargo bench --features postgres --bench postgres` runs takes of 1,000, 10,000 and 100,000 lines; a number as
//! argument leaves out larger ones. `-- memory 1000000` instead takes so many lines through populating, counting and
//! posting with the library alone, and tells how much memory each took at most. `-- reads` asks takes of these sizes, with
//! the library alone, what people ask while they count, and tells whether it takes longer as they grow.
//!
//! The server is the one of the tests (`STOCKTAKE_POSTGRES_URL`), as durable as it is set to be; each run is in schemas
//! of its own.

#[path = "../beside/mod.rs"]
mod beside;
mod opponent;
mod phase_change;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/postgres_server/mod.rs"]
mod postgres_server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use stocktake::postgres::deadpool_postgres::{Manager, Pool, QueueMode};
use stocktake::postgres::tokio_postgres::{Config, NoTls};
use stocktake::postgres::{PostgresOptions, PostgresStore};
use stocktake::testing::Shop;
use uuid::Uuid;

use beside::{
    CROWD, Done, Figures, SAMPLES, by_library, import_body, median, memory, print_table, reads,
    rounds, spread,
};
use opponent::Opponent;
use postgres_server::{Schemas, config, open};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// How many counts one commit has.
const BATCH: usize = 1_000;
/// As many as there are counters.
const CONNECTIONS: usize = 16;

fn main() -> Done<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let arguments: Vec<String> = std::env::args().collect();
    let asked = arguments.iter().find_map(|it| it.parse::<usize>().ok());
    if arguments.iter().any(|it| it == "memory") {
        let lines = asked.unwrap_or(1_000_000);
        let schemas = Schemas::new();
        return runtime.block_on(async {
            let store = store(schemas.make().0, CONNECTIONS).await;
            memory::run(&Shop::on(store), lines).await
        });
    }
    if arguments.iter().any(|it| it == "reads") {
        let mut rows = Vec::new();
        for lines in SIZES
            .into_iter()
            .filter(|lines| asked.is_none_or(|most| *lines <= most))
        {
            let schemas = Schemas::new();
            let answers = runtime.block_on(async {
                let store = store(schemas.make().0, CONNECTIONS).await;
                let (pool, schema) = (store.pool().clone(), store.options().schema.clone());
                let look = async || look(&pool, &schema).await;
                reads::measure(&Shop::on(store), lines, look).await
            })?;
            rows.push((lines, answers));
        }
        reads::print_table(&rows);
        return Ok(());
    }
    let mut rows = Vec::new();
    for lines in SIZES {
        if asked.is_some_and(|most| lines > most) {
            continue;
        }
        eprintln!("a take of {lines} lines ...");
        let schemas = Schemas::new();
        let (theirs, ours) = runtime.block_on(async {
            let opponents = schemas.make().0.schema;
            let opponent = opponent_in(&opponents).await?;
            let theirs = by_hand(opponent, &opponents, lines).await?;
            let store = store(schemas.make().0, CONNECTIONS).await;
            let shop = Arc::new(Shop::on(store.clone()));
            let ours = by_library(shop, (lines, BATCH), async || {
                look(store.pool(), &store.options().schema).await
            })
            .await?;
            Done::Ok((theirs, ours))
        })?;
        rows.push((lines, ours, theirs));
    }
    print_table(&rows, BATCH);
    let schemas = Schemas::new();
    runtime.block_on(async {
        let store = store(schemas.make().0, phase_change::COUNTERS + 8).await;
        phase_change::run(&Arc::new(Shop::on(store))).await
    })
}

async fn store(options: PostgresOptions, connections: usize) -> Arc<PostgresStore> {
    Arc::new(open(pool(config(), connections), options).await)
}

/// A pool that gives again what was given back last: a few connections do what there is to do, and know its statements.
fn pool(config: Config, connections: usize) -> Pool {
    Pool::builder(Manager::new(config, NoTls))
        .queue_mode(QueueMode::Lifo)
        .max_size(connections)
        .build()
        .expect("a pool needs no runtime to be made")
}

/// Lets the server look at its tables, as it does by itself some time after they have become large.
async fn look(pool: &Pool, schema: &str) -> Done<()> {
    let client = pool.get().await?;
    let tables = "SELECT string_agg('ANALYZE ' || oid::regclass, ';') FROM pg_class \
                  WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'";
    let row = client.query_one(tables, &[&schema]).await?;
    client.batch_execute(row.get(0)).await?;
    Ok(())
}

async fn opponent_in(schema: &str) -> Done<Opponent> {
    let (client, connection) = config().connect(NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute(&format!("CREATE SCHEMA {schema}"))
        .await?;
    let mut config = config();
    config.options(format!("-c search_path={schema}"));
    Opponent::open(pool(config, CONNECTIONS)).await
}

async fn by_hand(opponent: Opponent, schema: &str, lines: usize) -> Done<Figures> {
    let opponent = Arc::new(opponent);
    // What it knows of nothing, the server would read whole for each chunk.
    for numbers in [0..1_000, 1_000..i64::try_from(lines)?] {
        opponent.stock_up(numbers).await?;
        look(opponent.pool(), schema).await?;
    }
    let take = Uuid::from_u128(9);
    opponent.open_take(take).await?;
    let mut figures = Figures::default();
    let started = Instant::now();
    opponent.populate(take).await?;
    figures.populate = started.elapsed();
    look(opponent.pool(), schema).await?;

    let items = opponent.items(take).await?;
    assert_eq!(items.len(), lines);
    let mut samples = Vec::new();
    for item in spread(&items) {
        samples.push(timed(opponent.count(take, &[item], 39)).await?);
    }
    figures.count = median(samples);

    let items = Arc::new(items);
    let started = Instant::now();
    let mut counters = tokio::task::JoinSet::new();
    for worker in 0..16 {
        let (opponent, items) = (Arc::clone(&opponent), Arc::clone(&items));
        counters.spawn(async move {
            for nth in (worker..CROWD).step_by(16) {
                let item = items[nth * 7 % items.len()];
                opponent.count(take, &[item], 38).await?;
            }
            Done::Ok(())
        });
    }
    while let Some(counter) = counters.join_next().await {
        counter??;
    }
    figures.crowd = started.elapsed();

    let started = Instant::now();
    let rounds = rounds(items.len());
    let batches = (0..rounds).flat_map(|_| items.chunks(BATCH));
    for (number, batch) in batches.enumerate() {
        let quantity = if number % 2 == 0 { 40 } else { 39 };
        opponent.count(take, batch, quantity).await?;
    }
    figures.batch = started.elapsed() / rounds;

    let deep = i64::try_from(lines * 9 / 10)?;
    let (mut pages, mut totals) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        pages.push(timed(opponent.page(take, deep, 100)).await?);
    }
    for _ in 0..SAMPLES {
        totals.push(timed(opponent.totals(take)).await?);
    }
    (figures.page, figures.totals) = (median(pages), median(totals));

    figures.post = timed(opponent.post(take)).await?;
    let body = import_body(lines);
    figures.import = timed(opponent.import(body.as_bytes())).await?;
    Ok(figures)
}

async fn timed<T>(work: impl Future<Output = Done<T>>) -> Done<Duration> {
    let started = Instant::now();
    work.await?;
    Ok(started.elapsed())
}
