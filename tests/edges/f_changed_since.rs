//! What changed since is told at least once, and never missed; and what one answer says is of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use stocktake::domain::{MovementPolicy, PostingOptions, Quantity, StockTakeId, StockTakeItemId};
use stocktake::service::{Caller, CountRequest, NewStockTake};
use stocktake::store::{
    ArticleFilter, ArticleSort, ChangeToken, PageRequest, StockTakeItemFilter, StockTakeView,
};
use stocktake::testing::Shop;

use crate::shops::shop_on;
use crate::stores::{Kind, Store, Stores};

const WRITERS: usize = 4;
const POLLERS: usize = 3;

/// How often each line is counted.
fn rounds() -> u32 {
    let rounds = std::env::var("STOCKTAKE_RACE_ROUNDS");
    rounds.ok().and_then(|it| it.parse().ok()).unwrap_or(20)
}

/// A shop with a take of its ten articles, on a store of a kind. Its clock stands still.
async fn opened(store: &Store) -> (Arc<Shop>, StockTakeId) {
    let shop = shop_on(store);
    shop.open().await.unwrap();
    let new = NewStockTake {
        site: shop.site.id,
        description: "January".parse().unwrap(),
        movement_policy: MovementPolicy::KeepMovements,
    };
    let takes = shop.stocktake.stock_takes();
    let take = takes.create(&Caller::of(&shop.manager), new).await.unwrap();
    shop.run_jobs().await.unwrap();
    (Arc::new(shop), take.id())
}

async fn view(shop: &Shop, take: StockTakeId, since: Option<ChangeToken>) -> StockTakeView {
    let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    let page = PageRequest::first(100).counted();
    let takes = shop.stocktake.stock_takes();
    let caller = Caller::of(&shop.viewer);
    let view = takes.view(&caller, take, &all, sort, since, &page).await;
    view.unwrap()
}

async fn count(shop: &Shop, take: StockTakeId, line: StockTakeItemId, counted: CountRequest) {
    let takes = shop.stocktake.stock_takes();
    let caller = Caller::of(&shop.counter);
    takes.count(&caller, take, line, counted).await.unwrap();
}

fn line(shop: &Shop, take: StockTakeId, number: usize) -> StockTakeItemId {
    StockTakeItemId::for_key(take, &shop.key(number))
}

/// What lines say that were told.
type Heard = BTreeMap<StockTakeItemId, Option<Quantity>>;

fn heard(view: &StockTakeView) -> Heard {
    let lines = view.items.items.iter().map(|row| &row.item.value);
    lines
        .map(|line| (line.id, line.count.as_ref().map(|it| it.quantity)))
        .collect()
}

/// That the totals are those of the rows beside them.
fn agrees(view: &StockTakeView) {
    let rows = || view.items.items.iter().map(|row| &row.item);
    let totals = view.totals.unwrap();
    let number = |count: usize| u64::try_from(count).unwrap();
    assert_eq!(totals.items, number(rows().count()));
    assert_eq!(view.items.total, Some(totals.items));
    let counted = rows().filter(|it| it.value.count.is_some());
    assert_eq!(totals.counted, number(counted.count()));
    let versions: u64 = rows().map(|it| it.version.get()).sum();
    assert_eq!(totals.versions, versions);
    let minor: i128 = rows()
        .map(|it| i128::from(it.value.adjustment_minor()))
        .sum();
    assert_eq!(totals.adjustment_minor, minor);
}

/// Asks again and again until nobody writes any more, and once more after that.
async fn poll(shop: Arc<Shop>, take: StockTakeId, writing: std::sync::Weak<()>) -> Heard {
    let first = view(&shop, take, None).await;
    let (mut since, mut all) = (first.next, heard(&first));
    loop {
        // Before it is asked: what was saved by then has to be told now.
        let is_over = writing.strong_count() == 0;
        let changed = view(&shop, take, Some(since)).await;
        agrees(&changed);
        assert!(changed.next >= since);
        since = changed.next;
        all.extend(heard(&changed));
        agrees(&view(&shop, take, None).await);
        if is_over {
            return all;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_f_who_polls_hears_every_count_of_many_counters() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, take) = opened(&store).await;
        let writers = Arc::new(());
        let pollers: Vec<_> = (0..POLLERS)
            .map(|_| tokio::spawn(poll(shop.clone(), take, Arc::downgrade(&writers))))
            .collect();
        let counters: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (shop, writing) = (shop.clone(), writers.clone());
                tokio::spawn(async move {
                    for round in 1..=rounds() {
                        for number in (writer..10).step_by(WRITERS) {
                            let line = line(&shop, take, number);
                            let counted = Quantity::from(round);
                            count(&shop, take, line, CountRequest::set(counted)).await;
                        }
                    }
                    // The last thing that happens to one line is that its count is taken back.
                    if writer == 0 {
                        count(&shop, take, line(&shop, take, 0), CountRequest::clear()).await;
                    }
                    drop(writing);
                })
            })
            .collect();
        drop(writers);
        for counter in counters {
            counter.await.unwrap();
        }
        let last = heard(&view(&shop, take, None).await);
        assert_eq!(last.get(&line(&shop, take, 0)), Some(&None));
        let counted = Some(Quantity::from(rounds()));
        assert_eq!(last.get(&line(&shop, take, 9)), Some(&counted));
        for poller in pollers {
            assert_eq!(poller.await.unwrap(), last, "{}", kind.name());
        }
    }
}

/// What a step changed, by the numbers of articles: who asked before it is told of these at least.
#[tokio::test]
async fn fault_f_every_kind_of_change_is_told_whatever_the_clock_says() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, take) = opened(&store).await;
        let takes = shop.stocktake.stock_takes();
        let manager = Caller::of(&shop.manager);
        let mut tokens = vec![view(&shop, take, None).await.next];
        let mut changed: Vec<Vec<usize>> = Vec::new();
        let told = async |tokens: &mut Vec<ChangeToken>, changed: &[Vec<usize>], what: &str| {
            for (token, later) in tokens.iter().zip((0..changed.len()).map(|n| &changed[n..])) {
                let found = heard(&view(&shop, take, Some(*token)).await);
                for number in later.iter().flatten() {
                    let line = line(&shop, take, *number);
                    let is_told = found.contains_key(&line);
                    assert!(is_told, "{}: {what}, article {number}", kind.name());
                }
            }
            tokens.push(view(&shop, take, tokens.last().copied()).await.next);
        };
        let three = || CountRequest::set(Quantity::from(3));
        count(&shop, take, line(&shop, take, 1), three()).await;
        changed.push(vec![1]);
        told(&mut tokens, &changed, "counted").await;
        count(&shop, take, line(&shop, take, 1), CountRequest::clear()).await;
        changed.push(vec![1]);
        told(&mut tokens, &changed, "taken back").await;
        count(&shop, take, line(&shop, take, 2), three()).await;
        changed.push(vec![2]);
        told(&mut tokens, &changed, "another").await;
        takes
            .delete_item(&manager, take, line(&shop, take, 5))
            .await
            .unwrap();
        let gone = view(&shop, take, tokens.last().copied()).await;
        assert!(!heard(&gone).contains_key(&line(&shop, take, 5)));
        let whole = view(&shop, take, None).await;
        assert_eq!(
            whole.totals.unwrap().items,
            9,
            "what is gone is in no total"
        );
        takes.add_found(&manager, take, &shop.key(5)).await.unwrap();
        changed.push(vec![5]);
        told(&mut tokens, &changed, "added").await;
        takes
            .submit(&manager, take, PostingOptions::default())
            .await
            .unwrap();
        changed.push(vec![2]);
        told(&mut tokens, &changed, "posted").await;
        takes.reopen(&manager, take, None).await.unwrap();
        shop.run_jobs().await.unwrap();
        changed.push(vec![2]);
        told(&mut tokens, &changed, "reopened").await;
        takes
            .submit(&manager, take, PostingOptions::default())
            .await
            .unwrap();
        changed.push(vec![2]);
        told(&mut tokens, &changed, "posted again").await;
        // The first token, and a moment of somebody's clock.
        for all in [0, 1_764_460_800_000] {
            let all = view(&shop, take, Some(ChangeToken::new(all))).await;
            assert_eq!(all.items.items.len(), 10, "{}", kind.name());
        }
    }
}

#[tokio::test]
async fn fault_f_what_moves_and_what_is_renamed_changes_the_search() {
    for kind in Kind::ALL {
        let stores = Stores::of(*kind);
        let store = stores.fresh().await;
        let (shop, take) = opened(&store).await;
        let manager = Caller::of(&shop.manager);
        let takes = shop.stocktake.stock_takes();
        let found = async |since: Option<ChangeToken>| {
            let filter = ArticleFilter {
                changed_since: since,
                ..ArticleFilter::default()
            };
            let (sort, page) = (ArticleSort::default(), PageRequest::first(100));
            let found = takes
                .search_articles(&manager, take, &filter, sort, &page)
                .await;
            let found = found.unwrap();
            let keys = found.page.items.iter();
            let keys = keys.map(|it| it.article.level.value.key().clone());
            (keys.collect::<Vec<_>>(), found.next)
        };
        let (all, since) = found(None).await;
        assert_eq!(all.len(), 10);
        let movement = shop.receipt(3, Quantity::from(1));
        let stock = shop.stocktake.stock();
        stock
            .record(&manager, shop.site.id, &[movement])
            .await
            .unwrap();
        let (moved, later) = found(Some(since)).await;
        assert!(moved.contains(&shop.key(3)), "{}: {moved:?}", kind.name());
        let mut product = shop.products[7].clone();
        product.name = "Renamed".parse().unwrap();
        let catalogue = shop.stocktake.catalogue();
        catalogue
            .put_products(&manager, vec![product])
            .await
            .unwrap();
        let (renamed, _) = found(Some(later)).await;
        assert!(
            renamed.contains(&shop.key(7)),
            "{}: {renamed:?}",
            kind.name()
        );
        let (both, _) = found(Some(since)).await;
        let is_both = [3, 7]
            .iter()
            .all(|number| both.contains(&shop.key(*number)));
        assert!(is_both, "{}: {both:?}", kind.name());
    }
}
