//! What `PostgreSQL` reads for what is asked of the store, while it knows nothing of what is in its tables: it has not
//! looked at them yet, as on the day on which a shop begins, or has just added a large take.
#![cfg(all(feature = "postgres", feature = "conformance"))]

#[path = "postgres_server/mod.rs"]
mod postgres_server;

use std::sync::Arc;

use postgres_server::{Schemas, config, open, pool_of};
use stocktake::domain::{
    Code, Label, MovementPolicy, PostingOptions, Product, ProductId, Quantity, StockKey,
    StockTakeState,
};
use stocktake::jobs::Worker;
use stocktake::postgres::tokio_postgres::{Client, NoTls};
use stocktake::postgres::{PostgresOptions, PostgresStore};
use stocktake::service::{Caller, CountRequest, Movement, NewMovement, NewStockTake, Stocktake};
use stocktake::store::{ArticleSort, PageRequest, PageStart, StockTakeItemFilter};
use stocktake::testing::{ManualClock, Shop};
use uuid::Uuid;

const LINES: u32 = 3_000;
const COUNTS: usize = 20;
/// What is looked up for a line.
const BESIDE: [&str; 2] = ["stk_product_snapshot", "stk_stock_level"];

/// A store whose connections are told from all others.
async fn named(options: &PostgresOptions) -> Arc<PostgresStore> {
    let mut config = config();
    config.application_name(&options.schema);
    Arc::new(open(pool_of(config, 2), options.clone()).await)
}

/// How many rows of a table were read so far, once the connections of a store are closed: that is when the server adds
/// up what they did.
async fn rows_read(client: &Client, store: &PostgresStore, table: &str) -> i64 {
    let [read] = all_read(client, store, [table]).await;
    read
}

async fn all_read<const N: usize>(
    client: &Client,
    store: &PostgresStore,
    tables: [&str; N],
) -> [i64; N] {
    let schema = &store.options().schema;
    store.pool().close();
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    while client
        .query_one(open, &[schema])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {}
    let read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables \
                WHERE schemaname = $1 AND relname = $2";
    let mut rows = [0; N];
    for (rows, table) in rows.iter_mut().zip(tables) {
        let row = client.query_one(read, &[schema, &table]).await.unwrap();
        *rows = row.get(0);
    }
    rows
}

fn shop_on(store: &Arc<PostgresStore>) -> Shop {
    let clock = Arc::new(ManualClock::default());
    Shop::with(Stocktake::new(store.clone()), clock)
}

async fn stock_up(shop: &Shop) {
    let manager = Caller::of(&shop.manager);
    let organisation = shop.site.organisation;
    let id = |number: u32| ProductId::new(Uuid::from_u128(0xabc_0000 + u128::from(number)));
    for first in (0..LINES).step_by(1_000) {
        let numbers = first..first + 1_000;
        let products = numbers.clone().map(|number| {
            let article = Code::new(format!("P-{number}")).unwrap();
            let name = Label::new(format!("Product {number}")).unwrap();
            Product::new(id(number), organisation, article, name)
        });
        let catalogue = shop.stocktake.catalogue();
        let put = catalogue.put_products(&manager, products.collect());
        put.await.unwrap();
        let arrivals: Vec<NewMovement> = numbers
            .map(|number| {
                Movement::Receipt {
                    key: StockKey::plain(shop.site.id, id(number)),
                    quantity: Quantity::from(40),
                    unit_cost: Some("2.50".parse().unwrap()),
                }
                .into()
            })
            .collect();
        let stock = shop.stocktake.stock();
        let recorded = stock.record(&manager, shop.site.id, &arrivals);
        recorded.await.unwrap();
    }
}

/// A count reads its line, not all lines of the take; nor does posting read each line more than a few times. A page,
/// however deep, looks up what its own lines show.
#[tokio::test]
async fn what_is_read_does_not_grow_with_the_take() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    let (client, connection) = config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let store = named(&options).await;
    for table in ["stk_stock_take_item", BESIDE[0], BESIDE[1]] {
        let ignorant = format!(
            "ALTER TABLE {}.{table} SET (autovacuum_enabled = off)",
            options.schema
        );
        client.batch_execute(&ignorant).await.unwrap();
    }
    let shop = shop_on(&store);
    shop.open_empty().await.unwrap();
    stock_up(&shop).await;
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let new = NewStockTake {
        site: shop.site.id,
        description: "Everything".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager, new).await.unwrap().id();
    let worker = Worker::new(&shop.stocktake, "worker");
    worker.run_all_due().await.unwrap();
    let filter = StockTakeItemFilter::default();
    let page = PageRequest::first(1_000);
    let lines = takes
        .items(&manager, take, &filter, ArticleSort::default(), &page)
        .await
        .unwrap();
    let beside = all_read(&client, &store, BESIDE).await;

    let store = named(&options).await;
    let shop = shop_on(&store);
    let takes = shop.stocktake.stock_takes();
    let page = PageRequest {
        start: PageStart::Skip(u64::from(LINES) * 9 / 10),
        ..PageRequest::first(100)
    };
    let shown = takes
        .items(&manager, take, &filter, ArticleSort::default(), &page)
        .await
        .unwrap();
    assert_eq!(shown.items.len(), 100);
    let looked_up = all_read(&client, &store, BESIDE).await;
    for ((table, before), after) in BESIDE.iter().zip(beside).zip(looked_up) {
        let read = after - before;
        assert!(
            (100..=110).contains(&read),
            "a page of 100 reads {read} rows of {table}"
        );
    }
    let before = rows_read(&client, &store, "stk_stock_take_item").await;

    let store = named(&options).await;
    let shop = shop_on(&store);
    let takes = shop.stocktake.stock_takes();
    for line in lines.items.iter().take(COUNTS) {
        let counted = CountRequest::set(Quantity::from(39));
        let id = line.item.value.id;
        takes.count(&manager, take, id, counted).await.unwrap();
    }
    let counted = rows_read(&client, &store, "stk_stock_take_item").await;
    let each = (counted - before) / i64::try_from(COUNTS).unwrap();
    assert!(each <= 10, "a count reads {each} lines");

    let store = named(&options).await;
    let shop = shop_on(&store);
    let takes = shop.stocktake.stock_takes();
    let posted = takes.submit(&manager, take, PostingOptions::default());
    assert_eq!(posted.await.unwrap().state(), StockTakeState::Finished);
    let posted = rows_read(&client, &store, "stk_stock_take_item").await;
    let each = (posted - counted) / i64::from(LINES);
    assert!(each <= 10, "posting reads each line {each} times");
}
