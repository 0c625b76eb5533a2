//! A chunk of a thousand lines is a few statements, never one for each line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, TransactionBehavior};
use stocktake::memory::MemoryStore;
use stocktake::sqlite::{self, rusqlite};
use stocktake::store::{
    ArticleSort, ChangeSet, Command, CommandId, CommitOutcome, Digest, LevelFilter, MAX_PAGE,
    Outcome, PageRequest, StockTakeFilter, StockTakeItemFilter,
};

use super::Timestamp;
use super::script::{Script, Size};

/// The statements of the last commits.
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

#[allow(
    clippy::needless_pass_by_value,
    reason = "what rusqlite calls takes it so"
)]
fn traced(event: TraceEvent<'_>) {
    if matches!(event, TraceEvent::Stmt(..)) {
        STATEMENTS.fetch_add(1, Ordering::SeqCst);
    }
}

/// How many statements a change set takes on an own connection.
fn statements(connection: &mut Connection, changes: &ChangeSet) -> u64 {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    STATEMENTS.store(0, Ordering::SeqCst);
    let outcome = sqlite::commit_in(&transaction, changes);
    let statements = STATEMENTS.load(Ordering::SeqCst);
    assert_eq!(outcome.unwrap(), CommitOutcome::Applied);
    transaction.commit().unwrap();
    statements
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_do_not_grow_with_the_lines() {
    let script = Script::on(Arc::new(MemoryStore::new()), Size::Large, 0);
    script.prepare().await;
    for number in 0..3 {
        script.run(number, &|_| {}).await.unwrap();
    }
    let (organisation, site) = (script.shop.site.organisation, script.shop.site.id);
    let (store, page) = (&script.repository, PageRequest::first(MAX_PAGE));
    let all = StockTakeFilter::default();
    let takes = store
        .stock_takes(organisation, site, &all, &page)
        .await
        .unwrap();
    let take = takes.items[0].value.clone();
    let (lines, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    let lines = store
        .stock_take_items(organisation, take.id(), &lines, sort, &page)
        .await;
    let lines = lines.unwrap().items;
    let all = LevelFilter::default();
    let levels = store
        .levels_page(organisation, site, &all, &page)
        .await
        .unwrap()
        .items;
    let events = store.ledger(organisation, site, 0, u32::MAX).await.unwrap();
    assert!(lines.len() >= 1_000 && levels.len() >= 1_000 && events.len() >= 1_000);

    let mut connection = Connection::open_in_memory().unwrap();
    sqlite::migrate(&mut connection).unwrap();
    connection
        .trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(traced))
        .unwrap();
    let command = |name: &str| {
        let command = Command {
            id: CommandId::new(name, site),
            digest: Digest::of(name).finish(),
            outcome: Outcome::Done,
            at: Timestamp::EPOCH,
        };
        ChangeSet::new(organisation, command)
    };
    let mut catalogue = command("catalogue");
    catalogue.insert(script.shop.site.clone());
    for product in &script.shop.products {
        catalogue.insert(Arc::new(product.clone()));
    }
    catalogue.insert(take);
    statements(&mut connection, &catalogue);

    // Of keys that have nothing before, of each kind of row, a few and a thousand.
    let mut used = 0;
    let mut measured = Vec::new();
    for count in [10, 990] {
        let mut changes = command(&format!("{count} lines"));
        for line in &lines[used..used + count] {
            changes.insert(line.item.value.as_ref().clone());
        }
        let of_lines = statements(&mut connection, &changes);
        let mut changes = command(&format!("{count} levels"));
        for level in &levels[used..used + count] {
            let key = level.value.key();
            changes.insert(level.value.clone());
            for entry in events.iter().filter(|entry| entry.event.key == *key) {
                changes.event(entry.event.clone());
            }
        }
        let of_levels = statements(&mut connection, &changes);
        used += count;
        measured.push((of_lines, of_levels));
    }
    let [few, many] = measured[..] else {
        panic!("{measured:?}")
    };
    // Large blocks are cut where a statement would have too many parameters.
    assert!(
        (1..20).contains(&few.0) && many.0 < 60,
        "lines: {measured:?}"
    );
    assert!(
        (1..20).contains(&few.1) && many.1 < 60,
        "levels and events: {measured:?}"
    );
}
