//! What `PostgreSQL` reads for what is asked of the store, while it knows nothing of what is in its tables: it has not
//! looked at them yet, as on the day on which a shop begins, or has just added a large take.

use std::ops::Range;
use std::sync::Arc;

use crate::postgres_server::{Schemas, config, open, pool_of};
use stocktake::domain::{
    Code, Label, MovementPolicy, PostingOptions, Product, ProductId, Quantity, StockKey,
    StockTakeId, StockTakeItemId, StockTakeState,
};
use stocktake::postgres::PostgresStore;
use stocktake::postgres::tokio_postgres::{Client, NoTls};
use stocktake::service::{Caller, CountRequest, Movement, NewMovement, NewStockTake, Stocktake};
use stocktake::store::{ArticleSort, ChangeToken, PageRequest, PageStart, StockTakeItemFilter};
use stocktake::testing::{ManualClock, Shop};
use uuid::Uuid;

const LINES: u32 = 3_000;
const COUNTS: usize = 20;
const CONNECTIONS: usize = 2;
const ITEMS: &str = "stk_stock_take_item";
/// What is looked up for a line.
const BESIDE: [&str; 2] = ["stk_product_snapshot", "stk_stock_level"];

/// What the store has read so far.
struct Reads {
    client: Client,
    store: Arc<PostgresStore>,
}

impl Reads {
    /// A number that the server keeps of a table or an index. Every connection of the store tells it first what it did.
    async fn number(&self, what: &str, name: &str) -> i64 {
        let pool = self.store.pool();
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = pool.get().await.unwrap();
            let flush = "SELECT pg_stat_force_next_flush()";
            connection.batch_execute(flush).await.unwrap();
            held.push(connection);
        }
        let schema = &self.store.options().schema;
        let row = self.client.query_one(what, &[schema, &name]).await.unwrap();
        row.get(0)
    }

    async fn rows(&self, table: &str) -> i64 {
        let rows = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables \
                    WHERE schemaname = $1 AND relname = $2";
        self.number(rows, table).await
    }

    /// How often the lines of takes were gone through in their order.
    async fn walks(&self) -> i64 {
        let scans = "SELECT idx_scan FROM pg_stat_user_indexes \
                     WHERE schemaname = $1 AND indexrelname = $2";
        self.number(scans, "stk_stock_take_item_pkey").await
    }
}

async fn stock_up(shop: &Shop, numbers: Range<u32>) {
    let manager = Caller::of(&shop.manager);
    let organisation = shop.site.organisation;
    let id = |number: u32| ProductId::new(Uuid::from_u128(0xabc_0000 + u128::from(number)));
    let numbers: Vec<u32> = numbers.collect();
    for numbers in numbers.chunks(1_000) {
        let products = numbers.iter().map(|number| {
            let article = Code::new(format!("P-{number}")).unwrap();
            let name = Label::new(format!("Product {number}")).unwrap();
            Product::new(id(*number), organisation, article, name)
        });
        let catalogue = shop.stocktake.catalogue();
        let put = catalogue.put_products(&manager, products.collect());
        put.await.unwrap();
        let arrivals: Vec<NewMovement> = numbers
            .iter()
            .map(|number| {
                Movement::Receipt {
                    key: StockKey::plain(shop.site.id, id(*number)),
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

/// A take of everything, and its first lines.
async fn take_of(shop: &Shop) -> (StockTakeId, Vec<StockTakeItemId>) {
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let new = NewStockTake {
        site: shop.site.id,
        description: "Everything".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager, new).await.unwrap().id();
    shop.run_jobs().await.unwrap();
    let lines = page_of(shop, take, PageRequest::first(100)).await;
    (take, lines)
}

async fn page_of(shop: &Shop, take: StockTakeId, page: PageRequest) -> Vec<StockTakeItemId> {
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let filter = StockTakeItemFilter::default();
    let shown = takes.items(&manager, take, &filter, ArticleSort::default(), &page);
    let shown = shown.await.unwrap().items.into_iter();
    shown.map(|line| line.item.value.id).collect()
}

/// How many lines have changed since, and what to ask with next.
async fn changed_since(
    shop: &Shop,
    take: StockTakeId,
    since: Option<ChangeToken>,
) -> (usize, ChangeToken) {
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    let page = PageRequest::first(1_000);
    let view = takes.view(&manager, take, &all, sort, since, &page);
    let view = view.await.unwrap();
    (view.items.items.len(), view.next)
}

async fn count(shop: &Shop, take: StockTakeId, lines: &[StockTakeItemId]) {
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    for line in lines.iter().take(COUNTS) {
        let counted = CountRequest::set(Quantity::from(39));
        takes.count(&manager, take, *line, counted).await.unwrap();
    }
}

async fn post(shop: &Shop, take: StockTakeId) {
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let posted = takes.submit(&manager, take, PostingOptions::default());
    assert_eq!(posted.await.unwrap().state(), StockTakeState::Finished);
}

/// A count reads its line, not all lines of the take; nor does posting read each line more than a few times. A page,
/// however deep, looks up what its own lines show. So it is also for a connection that knows its statements from when
/// there was hardly anything.
#[tokio::test]
async fn what_is_read_does_not_grow_with_the_take() {
    for was_small in [false, true] {
        reads_are_few(was_small).await;
    }
}

async fn reads_are_few(was_small: bool) {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    let (client, connection) = config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let store = Arc::new(open(pool_of(config(), CONNECTIONS), options.clone()).await);
    let ignorant = "SELECT string_agg(format('ALTER TABLE %s SET (autovacuum_enabled = off)', oid::regclass), ';') \
                    FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'";
    let ignorant = client.query_one(ignorant, &[&options.schema]).await;
    let ignorant: String = ignorant.unwrap().get(0);
    client.batch_execute(&ignorant).await.unwrap();
    let reads = Reads {
        client,
        store: Arc::clone(&store),
    };
    let shop = Shop::with(Stocktake::new(store), Arc::new(ManualClock::default()));
    shop.open_empty().await.unwrap();
    stock_up(&shop, 0..1).await;
    if was_small {
        for _ in 0..CONNECTIONS * 2 {
            let (take, lines) = take_of(&shop).await;
            count(&shop, take, &lines).await;
            post(&shop, take).await;
        }
    }
    stock_up(&shop, 1..LINES).await;
    let (take, lines) = take_of(&shop).await;

    let mut before = Vec::new();
    for table in BESIDE {
        before.push(reads.rows(table).await);
    }
    let deep = PageRequest {
        start: PageStart::Skip(u64::from(LINES) * 9 / 10),
        ..PageRequest::first(100)
    };
    assert_eq!(page_of(&shop, take, deep).await.len(), 100);
    for (table, before) in BESIDE.into_iter().zip(before) {
        let read = reads.rows(table).await - before;
        assert!(
            (100..=110).contains(&read),
            "a page of 100 reads {read} rows of {table}"
        );
    }

    let (before, walked) = (reads.rows(ITEMS).await, reads.walks().await);
    count(&shop, take, &lines).await;
    let counted = reads.rows(ITEMS).await;
    let each = (counted - before) / i64::try_from(COUNTS).unwrap();
    assert!(each <= 10, "a count reads {each} lines");
    let walks = reads.walks().await - walked;
    assert_eq!(walks, 0, "a line is found by its key");

    let mut since = changed_since(&shop, take, None).await.1;
    let last = format!("SELECT max(changed) FROM {}.{ITEMS}", options.schema);
    let last: i64 = reads.client.query_one(&last, &[]).await.unwrap().get(0);
    // Until nobody else on this server is in a transaction that began before these lines were written.
    while since.get() <= u64::try_from(last).unwrap() {
        since = changed_since(&shop, take, None).await.1;
    }
    count(&shop, take, &lines).await;
    let (counted, walked) = (reads.rows(ITEMS).await, reads.walks().await);
    let (changed, _) = changed_since(&shop, take, Some(since)).await;
    assert_eq!(changed, COUNTS);
    let read = reads.rows(ITEMS).await - counted;
    let few = i64::try_from(COUNTS * 3).unwrap();
    assert!(
        read <= few,
        "{read} lines are read to find {COUNTS} that changed"
    );
    let walks = reads.walks().await - walked;
    assert_eq!(walks, 0, "what changed is found by when it was changed");

    let counted = reads.rows(ITEMS).await;
    post(&shop, take).await;
    let posted = reads.rows(ITEMS).await;
    let each = (posted - counted) / i64::from(LINES);
    assert!(each <= 10, "posting reads each line {each} times");
}
