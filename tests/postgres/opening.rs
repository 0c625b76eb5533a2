//! How the `PostgreSQL` store is opened, and what it says when it can't go on.

use std::sync::Arc;
use std::time::Duration;

use crate::postgres_server::{Schemas, config, empty, open, pool, pool_of};
use stocktake::conformance::{cases, run};
use stocktake::domain::{Code, OrganisationId, Product, ProductId, Timestamp};
use stocktake::postgres::{Locks, OpenError, PostgresOptions, PostgresStore};
use stocktake::store::{
    ChangeSet, Command, CommandId, CommitError, CommitOutcome, Digest, Outcome, Repository as _,
    RepositoryExt, StoreError, StoreErrorKind,
};
use uuid::Uuid;

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(1));

fn put() -> CommandId {
    CommandId::new("put", 1)
}

fn a_product() -> (ChangeSet, ProductId) {
    let id = ProductId::new(Uuid::from_u128(2));
    let command = Command {
        id: put(),
        digest: Digest::of("put").finish(),
        outcome: Outcome::Done,
        at: Timestamp::EPOCH,
    };
    let mut changes = ChangeSet::new(ORGANISATION, command);
    let article = Code::new("T-1").unwrap();
    changes.insert(Arc::new(Product::new(
        id,
        ORGANISATION,
        article,
        "Tea".parse().unwrap(),
    )));
    (changes, id)
}

#[test]
fn many_open_a_new_schema_at_once_and_lock_alike() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let opening = (0..8).map(|_| tokio::spawn(open(pool(2), options.clone())));
        for opened in opening.collect::<Vec<_>>() {
            opened.await.unwrap();
        }
        let mut rows = options.clone();
        rows.locks = Some(Locks::Rows);
        let refused = PostgresStore::open(pool(2), rows).await;
        assert!(
            matches!(refused, Err(OpenError::OtherLocks)),
            "the check sees advisory locks"
        );
        let client = pool(1).get().await.unwrap();
        let later = format!("UPDATE {}.stk_schema SET version = 1000", options.schema);
        client.batch_execute(&later).await.unwrap();
        let refused = PostgresStore::open(pool(2), options.clone()).await;
        assert!(matches!(refused, Err(OpenError::Newer { found: 1000, .. })));
    });
}

#[test]
fn where_it_can_not_be_told_rows_are_locked() {
    let schemas = Schemas::new();
    let (mut options, _) = schemas.make();
    on_a_runtime(async {
        let store = open(pool(1), options.clone()).await;
        let (changes, id) = a_product();
        assert_eq!(
            store.commit(&changes).await.unwrap(),
            CommitOutcome::Applied
        );
        assert!(store.products(ORGANISATION, &[id]).await.unwrap()[0].is_some());
        options.locks = Some(Locks::Advisory);
        let refused = PostgresStore::open(pool(2), options.clone()).await;
        assert!(matches!(refused, Err(OpenError::OtherLocks)));
        empty(store.pool(), &options.schema).await;
    });
}

#[test]
fn a_schema_is_named_plainly() {
    on_a_runtime(async {
        for name in ["", "1a", "a b", "a\"b", "Stock", "a;b", &"a".repeat(41)] {
            let mut options = PostgresOptions::default();
            options.schema = name.to_owned();
            let refused = PostgresStore::open(pool(1), options).await;
            assert!(matches!(refused, Err(OpenError::InvalidSchema)), "{name}");
        }
    });
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    on_a_runtime(async {
        let mut nowhere = stocktake::postgres::tokio_postgres::Config::new();
        nowhere.host("127.0.0.1").port(1).user("nobody");
        let refused = PostgresStore::open(pool_of(nowhere, 2), PostgresOptions::default()).await;
        let Err(OpenError::Store(error)) = refused else {
            panic!("nobody listens there");
        };
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    });
}

/// What is missing in the database, and that asking again will not help; nothing of the statement.
#[track_caller]
fn is_of_configuration(error: &StoreError, meaning: &str) {
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(!error.is_retryable());
    let cause = std::error::Error::source(error).unwrap().to_string();
    assert!(cause.starts_with(meaning), "{cause}");
    assert!(!cause.contains("stk_"), "{cause}");
}

#[track_caller]
fn of_the_store<T: std::fmt::Debug>(done: Result<T, CommitError>) -> StoreError {
    match done {
        Err(CommitError::Store(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fault_o_a_table_that_is_missing_is_a_matter_of_configuration() {
    for (change, meaning) in [
        ("stk_product RENAME TO stk_gone", "a table is missing: "),
        (
            "stk_product RENAME COLUMN body TO gone",
            "a column of a table is missing: ",
        ),
    ] {
        let schemas = Schemas::new();
        let (options, _) = schemas.make();
        on_a_runtime(async {
            let store = open(pool(2), options.clone()).await;
            let (changes, id) = a_product();
            // Also where a connection has used the table before.
            store.products(ORGANISATION, &[id]).await.unwrap();
            let host = store.pool().get().await.unwrap();
            let change = format!("ALTER TABLE {}.{change}", options.schema);
            host.batch_execute(&change).await.unwrap();
            let read = store.products(ORGANISATION, &[id]).await;
            is_of_configuration(&read.unwrap_err(), meaning);
            let error = of_the_store(store.commit(&changes).await);
            is_of_configuration(&error, meaning);
        });
    }
}

#[test]
fn fault_o_a_right_that_is_missing_is_a_matter_of_configuration() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    on_a_runtime(async {
        let store = open(pool(2), options.clone()).await;
        let (changes, id) = a_product();
        let (schema, role) = (&options.schema, format!("r_{}", Uuid::new_v4().simple()));
        let host = store.pool().get().await.unwrap();
        host.batch_execute(&format!("CREATE ROLE {role}"))
            .await
            .unwrap();
        let mut by_role = config();
        by_role.options(format!("-c role={role}"));
        let by_role = || pool_of(by_role.clone(), 2);
        // It may not even look into the schema, nor make one of its own.
        let refused = PostgresStore::open(by_role(), options.clone()).await;
        let mut another = options.clone();
        another.schema = format!("{schema}_2");
        let not_made = PostgresStore::open(by_role(), another).await;
        let reading = format!(
            "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
        );
        host.batch_execute(&reading).await.unwrap();
        let reader = PostgresStore::open(by_role(), options.clone()).await;
        let (mut read, mut written) = (None, None);
        if let Ok(reader) = &reader {
            read = Some(reader.products(ORGANISATION, &[id]).await);
            written = Some(reader.commit(&changes).await);
            reader.pool().close();
        }
        let gone = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        host.batch_execute(&gone).await.unwrap();
        for refused in [refused, not_made] {
            let Err(OpenError::Store(error)) = refused else {
                panic!("{refused:?}");
            };
            is_of_configuration(&error, "permission denied: ");
        }
        assert_eq!(read.unwrap().unwrap(), vec![None]);
        let error = of_the_store(written.unwrap());
        is_of_configuration(&error, "permission denied: ");
    });
}

/// R13: a second attempt, and settling, wait for the first one, so long as the options say.
#[test]
fn who_waits_too_long_for_another_attempt_is_told_busy() {
    let schemas = Schemas::new();
    let (mut options, _) = schemas.make();
    options.lock_timeout = Duration::from_millis(20);
    on_a_runtime(async {
        let store = open(pool(4), options).await;
        let (changes, id) = a_product();
        let mut host = store.pool().get().await.unwrap();
        let transaction = host.transaction().await.unwrap();
        store.commit_in(&transaction, &changes).await.unwrap();
        let Err(CommitError::Store(error)) = store.commit(&changes).await else {
            panic!("the first attempt is still on its way");
        };
        assert_eq!(error.kind(), StoreErrorKind::Busy);
        assert_eq!(error.to_string(), "the store is busy (commit)");
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "the database said 55P03");
        let settled = store.settle(ORGANISATION, &put(), Timestamp::EPOCH).await;
        assert_eq!(settled.unwrap_err().kind(), StoreErrorKind::Busy);
        transaction.rollback().await.unwrap();
        let settled = store.settle(ORGANISATION, &put(), Timestamp::EPOCH).await;
        assert_eq!(settled.unwrap(), None);
        let voided = store.commit(&changes).await;
        assert!(matches!(voided, Err(CommitError::Voided)), "{voided:?}");
        assert_eq!(
            store.products(ORGANISATION, &[id]).await.unwrap(),
            vec![None]
        );
    });
}

/// Without prepared statements, as behind a pooler: what the suite asks of commands, names and ends of jobs.
#[test]
fn nothing_has_to_be_prepared() {
    let mut schemas = Schemas::new();
    schemas.options.keep_prepared = false;
    on_a_runtime(async {
        let held = ["R12", "R13", "R17", "Q9"];
        let cases = cases().iter().filter(|case| held.contains(&case.clause()));
        let mut played = 0;
        for case in cases {
            if let Err(failure) = run(case, &schemas).await {
                panic!("{failure}");
            }
            played += 1;
        }
        assert!(played >= 6, "{played} cases were played");
    });
}

/// A connection plans what it keeps once, and leaves its own way of planning as it was; unless it is told otherwise.
#[test]
fn statements_are_planned_once_or_for_their_values() {
    let schemas = Schemas::new();
    for plan_once in [true, false] {
        let (mut options, _) = schemas.make();
        options.plan_once = plan_once;
        on_a_runtime(async {
            let store = open(pool(2), options).await;
            let (changes, id) = a_product();
            store.commit(&changes).await.unwrap();
            for _ in 0..4 {
                store.products(ORGANISATION, &[id]).await.unwrap();
            }
            let (mut once, mut anew) = (0, 0);
            let first = store.pool().get().await.unwrap();
            let second = store.pool().get().await.unwrap();
            for connection in [first, second] {
                let plans = "SELECT COALESCE(sum(generic_plans), 0)::bigint, COALESCE(sum(custom_plans), 0)::bigint, \
                             current_setting('plan_cache_mode') FROM pg_prepared_statements \
                             WHERE statement LIKE '%.stk\\_%'";
                let row = connection.query_one(plans, &[]).await.unwrap();
                once += row.get::<_, i64>(0);
                anew += row.get::<_, i64>(1);
                assert_eq!(row.get::<_, String>(2), "auto");
            }
            let (kept, other) = if plan_once {
                (once, anew)
            } else {
                (anew, once)
            };
            assert!(kept > 4, "{kept} times");
            assert_eq!(other, 0);
        });
    }
}
