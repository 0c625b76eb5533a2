//! The server that the `PostgreSQL` store is tested on: each test in schemas of its own, which go with it.

use std::sync::{Arc, Mutex};

use stocktake::conformance::Harness;
use stocktake::postgres::deadpool_postgres::{Manager, Pool};
use stocktake::postgres::tokio_postgres::{Config, Error, NoTls};
use stocktake::postgres::{Listener, PostgresOptions, PostgresStore};
use uuid::Uuid;

/// Connections of a pool: a test has a few pools, and tests run side by side.
const CONNECTIONS: usize = 8;

/// Where the server is.
pub(crate) fn config() -> Config {
    let url = std::env::var("STOCKTAKE_POSTGRES_URL")
        .unwrap_or_else(|_| "postgresql://postgres@127.0.0.1:5432/test".to_owned());
    url.parse()
        .expect("STOCKTAKE_POSTGRES_URL is the address of a PostgreSQL database")
}

/// A pool of a few connections.
pub(crate) fn pool(connections: usize) -> Pool {
    // Nothing here is about the death of the server's machine, so no commit waits for its disk.
    let mut config = config();
    config.options("-c synchronous_commit=off");
    pool_of(config, connections)
}

/// A pool of a few connections to a server.
pub(crate) fn pool_of(config: Config, connections: usize) -> Pool {
    Pool::builder(Manager::new(config, NoTls))
        .max_size(connections)
        .build()
        .expect("a pool needs no runtime to be made")
}

/// A store in a schema.
pub(crate) async fn open(pool: Pool, options: PostgresOptions) -> PostgresStore {
    PostgresStore::open(pool, options).await.expect(
        "no store can be opened: start a PostgreSQL server (15 or later) whose database `test` the user \
         `postgres` may make schemas in, on 127.0.0.1:5432, or name another with STOCKTAKE_POSTGRES_URL",
    )
}

/// Schemas that go with the test.
#[derive(Default)]
pub(crate) struct Schemas {
    pub(crate) options: PostgresOptions,
    /// What makes a schema, where the store itself is not to.
    pub(crate) made_by: Option<fn(&str) -> String>,
    made: Mutex<Vec<(String, Listener)>>,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The options of a schema that nobody else has, and whether it was used before: making one takes the server
    /// half a second, and some cases ask for a hundred.
    pub(crate) fn make(&self) -> (PostgresOptions, bool) {
        let mut made = self.made.lock().unwrap();
        let mut options = self.options.clone();
        // Every handle of a store, and every task of its, has the listener.
        let free = (made.iter()).find(|(_, listener)| Arc::strong_count(listener) == 1);
        if let Some((schema, listener)) = free {
            options.schema.clone_from(schema);
            options.on_statement = Some(Arc::clone(listener));
            return (options, true);
        }
        let asked = self.options.on_statement.clone();
        let listener: Listener = Arc::new(move |text: &str| {
            if let Some(asked) = &asked {
                asked(text);
            }
        });
        options.schema = format!("t_{}", Uuid::new_v4().simple());
        options.on_statement = Some(Arc::clone(&listener));
        made.push((options.schema.clone(), listener));
        (options, false)
    }
}

/// Empties every table.
pub(crate) async fn empty(pool: &Pool, schema: &str) {
    let client = pool.get().await.expect("the server that was just there");
    let tables = "SELECT string_agg('DELETE FROM ' || oid::regclass, ';') FROM pg_class \
                  WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') \
                  AND NOT relispartition AND relname <> 'stk_schema'";
    let row = client.query_one(tables, &[&schema]).await.unwrap();
    client.batch_execute(row.get(0)).await.unwrap();
}

impl Drop for Schemas {
    fn drop(&mut self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        if made.is_empty() {
            return;
        }
        let schemas = made.into_iter().map(|(schema, _)| schema).collect();
        // On a thread of its own: the test may be on a runtime, which must not begin another one.
        let dropped = std::thread::spawn(|| drop_all(schemas)).join();
        // A test that failed for want of a server has nothing to drop.
        if !std::thread::panicking() {
            dropped.unwrap().expect("a schema is dropped");
        }
    }
}

fn drop_all(schemas: Vec<String>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let (client, connection) = config().connect(NoTls).await?;
        tokio::spawn(connection);
        for schema in schemas {
            // The end of a read is left to a task of the runtime that waits for this.
            let hangs_on = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                            JOIN pg_namespace n ON n.oid = c.relnamespace \
                            WHERE n.nspname = $1 AND l.pid <> pg_backend_pid()";
            client.execute(hangs_on, &[&schema]).await?;
            client
                .batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))
                .await?;
        }
        Ok(())
    })
}

impl Harness for Schemas {
    type Store = PostgresStore;

    async fn fresh(&self) -> PostgresStore {
        let pool = pool(CONNECTIONS);
        let (options, was_used) = self.make();
        if was_used {
            empty(&pool, &options.schema).await;
        } else if let Some(made_by) = self.made_by {
            let client = pool.get().await.expect("a server, as told by `open`");
            client
                .batch_execute(&made_by(&options.schema))
                .await
                .unwrap();
        }
        open(pool, options).await
    }

    async fn second_handle(&self, store: &PostgresStore) -> PostgresStore {
        open(pool(CONNECTIONS), store.options().clone()).await
    }

    /// The server outlives its clients: what is left of a store is what connections of their own find.
    async fn crash_image(&self, store: &PostgresStore) -> Option<PostgresStore> {
        Some(open(pool(CONNECTIONS), store.options().clone()).await)
    }
}
