//! What changed since, while transactions land in another order than they began in.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::postgres_server::{Schemas, config, open, pool};
use stocktake::domain::{MovementPolicy, Quantity, StockTakeId, StockTakeItemId, Timestamp};
use stocktake::postgres::PostgresStore;
use stocktake::postgres::tokio_postgres::NoTls;
use stocktake::service::{Caller, CountRequest, NewStockTake, Stocktake};
use stocktake::store::{
    ArticleFilter, ArticleSort, ChangeSet, ChangeToken, Command, CommandId, CountingView, Digest,
    Outcome, PageRequest, Repository as _, StockTakeItemFilter,
};
use stocktake::testing::{ManualClock, Shop};

async fn changed(
    store: &PostgresStore,
    shop: &Shop,
    take: StockTakeId,
    since: ChangeToken,
) -> (BTreeSet<StockTakeItemId>, ChangeToken) {
    let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    let page = PageRequest::first(100);
    let whose = shop.site.organisation;
    let view = store.stock_take_view(whose, take, &all, sort, Some(since), &page);
    let view = view.await.unwrap().unwrap();
    let lines = view.items.items.iter();
    (lines.map(|row| row.item.value.id).collect(), view.next)
}

/// A transaction of the host's that has counted a line and is not committed; others count meanwhile, and a reader asks
/// again and again. Whatever it was told by then, it is told that line once the transaction has landed.
#[tokio::test]
async fn fault_f_what_lands_late_is_told_when_it_has_landed() {
    let schemas = Schemas::new();
    let (options, _) = schemas.make();
    let store = open(pool(4), options).await;
    let library = Stocktake::new(Arc::new(store.clone()));
    let shop = Shop::with(library, Arc::new(ManualClock::default()));
    shop.open().await.unwrap();
    let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    let new = NewStockTake {
        site: shop.site.id,
        description: "January".parse().unwrap(),
        movement_policy: MovementPolicy::default(),
    };
    let take = takes.create(&manager, new).await.unwrap().id();
    shop.run_jobs().await.unwrap();
    let line = |number| StockTakeItemId::for_key(take, &shop.key(number));
    let (_, mut since) = changed(&store, &shop, take, ChangeToken::BEGINNING).await;

    let (mut client, connection) = config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let whose = shop.site.organisation;
    let view = store.counting_view(whose, take, &[line(1)]).await.unwrap();
    let (_, slow) = view.and_then(CountingView::into_line).unwrap();
    let level = slow.level.unwrap();
    let command = Command {
        id: CommandId::new("slow", take),
        digest: Digest::of("slow").finish(),
        outcome: Outcome::Done,
        at: Timestamp::EPOCH,
    };
    let mut changes = ChangeSet::new(whose, command);
    changes.update(slow.item.version, (*slow.item.value).clone());
    changes.update(level.version, (*level.value).clone());
    let transaction = client.transaction().await.unwrap();
    store.commit_in(&transaction, &changes).await.unwrap();

    for round in 1..=3_u32 {
        let counted = CountRequest::set(Quantity::from(round));
        takes.count(&manager, take, line(2), counted).await.unwrap();
        let (found, next) = changed(&store, &shop, take, since).await;
        assert!(found.contains(&line(2)), "what has landed is told at once");
        assert!(next >= since, "tokens never go down");
        since = next;
    }
    let articles = async || {
        let filter = ArticleFilter {
            changed_since: Some(since),
            ..ArticleFilter::default()
        };
        let (sort, page) = (ArticleSort::default(), PageRequest::first(100));
        let found = store.articles(whose, shop.site.id, &filter, sort, &page);
        let found = found.await.unwrap().items;
        found
            .iter()
            .any(|row| *row.level.value.key() == shop.key(1))
    };
    transaction.commit().await.unwrap();
    let (found, _) = changed(&store, &shop, take, since).await;
    assert!(found.contains(&line(1)), "what has landed late is told");
    assert!(articles().await, "so is an article");
}
