//! Calls of the `PostgreSQL` store that are given up in the middle, or that the server fails because they are in the way
//! of others.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::postgres_server::{Schemas, config, open, pool_of};
use stocktake::domain::{Code, OrganisationId, Product, ProductId, Timestamp};
use stocktake::postgres::tokio_postgres::{Client, NoTls};
use stocktake::store::{
    ChangeSet, Command, CommandId, CommitError, CommitOutcome, Digest, Outcome, Repository as _,
    RepositoryExt, Version,
};
use uuid::Uuid;

const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(1));
/// More than any call is polled before it is done.
const POLLS: u32 = 40;

fn id(number: u32) -> ProductId {
    ProductId::new(Uuid::from_u128(u128::from(number) + 1))
}

fn product(number: u32) -> ChangeSet {
    let command = Command {
        id: CommandId::new("put", number),
        digest: Digest::of("put").field(number).finish(),
        outcome: Outcome::Done,
        at: Timestamp::EPOCH,
    };
    let mut changes = ChangeSet::new(ORGANISATION, command);
    let article = Code::new(format!("T-{number}")).unwrap();
    let name = "Tea".parse().unwrap();
    changes.insert(Arc::new(Product::new(
        id(number),
        ORGANISATION,
        article,
        name,
    )));
    changes
}

/// Polls a call so many times, each when there is something new, and gives up. Whether it was done by then.
async fn given_up_after(polls: u32, call: impl Future) -> bool {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Waits until nobody works on these connections any more.
async fn quiet(client: &Client, name: &str) {
    let busy =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle'";
    let mut looks = 0;
    while client
        .query_one(busy, &[&name])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        looks += 1;
        assert!(looks < 20_000, "a transaction is left open");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_leaves_no_transaction_open() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    let name = options.schema.clone();
    let mut named = config();
    named.application_name(&name);
    let store = open(pool_of(named, 2), options).await;
    let (client, connection) = config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let (mut given_up, mut done) = (0, 0);
    for polls in 0..POLLS {
        let changes = product(polls);
        for was_done in [
            given_up_after(polls, store.products(ORGANISATION, &[id(0)])).await,
            given_up_after(polls, store.commit(&changes)).await,
        ] {
            done += u32::from(was_done);
            given_up += u32::from(!was_done);
        }
        quiet(&client, &name).await;
        // The commit went on by itself, or never began: sending it again tells.
        let again = store.commit(&changes).await;
        let is_known = matches!(
            again,
            Ok(CommitOutcome::Applied | CommitOutcome::AlreadyApplied(Outcome::Done))
        );
        assert!(is_known, "after {polls} polls: {again:?}");
        let found = store.products(ORGANISATION, &[id(polls)]).await.unwrap();
        assert!(found[0].is_some(), "after {polls} polls");
    }
    assert!(given_up >= 4, "{given_up} calls were given up");
    assert!(done >= 4, "{done} calls were done");
    let last = CommandId::new("put", POLLS);
    let voided = store.settle(ORGANISATION, &last, Timestamp::EPOCH).await;
    assert_eq!(voided.unwrap(), None);
    let late = store.commit(&product(POLLS)).await;
    assert!(matches!(late, Err(CommitError::Voided)), "{late:?}");
}

/// A commit that the server chose to fail, so that another transaction can go on, is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_crossed_another_transaction_is_done_again() {
    let attempts = Arc::new(AtomicU32::new(0));
    let heard = Arc::clone(&attempts);
    let mut schemas = Schemas::new();
    schemas.options.lock_timeout = Duration::from_mins(1);
    schemas.options.statement_timeout = Duration::from_mins(2);
    schemas.options.idle_timeout = Duration::from_mins(2);
    schemas.options.on_statement = Some(Arc::new(move |text| {
        let begins = text.starts_with("INSERT INTO stk_command");
        heard.fetch_add(u32::from(begins), Ordering::SeqCst);
    }));
    let (options, _) = schemas.make();
    let table = format!("{}.stk_product", options.schema);
    // The commit looks for the circle, not the other.
    let mut looks = config();
    looks.options("-c deadlock_timeout=2s");
    let store = open(pool_of(looks, 2), options).await;
    for number in [0, 1] {
        store.commit(&product(number)).await.unwrap();
    }
    let command = Command {
        id: CommandId::new("rename", 0),
        digest: Digest::of("rename").finish(),
        outcome: Outcome::Done,
        at: Timestamp::EPOCH,
    };
    let mut both = ChangeSet::new(ORGANISATION, command);
    for number in [0, 1] {
        let article = Code::new(format!("T-{number}")).unwrap();
        let name = "Coffee".parse().unwrap();
        let product = Product::new(id(number), ORGANISATION, article, name);
        both.update(Version::FIRST, Arc::new(product));
    }

    let (mut host, connection) = config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    host.batch_execute("SET deadlock_timeout = '100s'")
        .await
        .unwrap();
    let transaction = host.transaction().await.unwrap();
    let lock = format!("SELECT 1 FROM {table} WHERE id = $1 FOR UPDATE");
    let (first, second) = (id(0).as_uuid(), id(1).as_uuid());
    transaction.query_one(&lock, &[&second]).await.unwrap();
    let before = attempts.load(Ordering::SeqCst);
    let committing = {
        let store = store.clone();
        tokio::spawn(async move { store.commit(&both).await })
    };
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted \
                 AND pg_backend_pid() = ANY(pg_blocking_pids(pid))";
    while transaction
        .query_one(waits, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {
        assert!(!committing.is_finished(), "the commit waits for the host");
    }
    // Now each waits for the other, until one of them is failed.
    transaction.query_one(&lock, &[&first]).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), CommitOutcome::Applied);
    // Done again at least once: the second attempt may be quicker than the host at what the first one let go.
    assert!(attempts.load(Ordering::SeqCst) - before >= 2);
    for found in store.products(ORGANISATION, &[id(0), id(1)]).await.unwrap() {
        assert_eq!(found.unwrap().value.name.as_str(), "Coffee");
    }
}
