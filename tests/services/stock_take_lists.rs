//! Stocktake lists through the service, row by row of S4. Each test is named by the row it shows.

use stocktake::domain::{
    Entered, LineOutcome, MovementPolicy, NamePart, PostingOptions, Product, Quantity, SearchText,
    StockKey, StockTake, StockTakeState, Tracking,
};
use stocktake::service::{
    ArticleName, Caller, CountRequest, InventoryRequest, Movement, NewMovement, NewStockTakeList,
};
use stocktake::store::{
    ArticleColumn, ArticleFilter, ArticleSort, ChangeToken, IdempotencyKey, PageRequest,
    StockTakeItemFilter, StockTakeItemView,
};
use stocktake::testing::{Shop, shop};

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn manager(shop: &Shop) -> Caller {
    Caller::of(&shop.manager)
}

async fn opened() -> Shop {
    let shop = shop();
    shop.open().await.unwrap();
    shop
}

fn new_list(shop: &Shop, annual: bool) -> NewStockTakeList {
    NewStockTakeList {
        site: shop.site.id,
        name: "Shelves".parse().unwrap(),
        description: Some("All of them".parse().unwrap()),
        due_at: Some(shop.now()),
        annual,
        movement_policy: MovementPolicy::default(),
    }
}

async fn list(shop: &Shop, articles: &[&str]) -> StockTake {
    let takes = shop.stocktake.stock_takes();
    let take = takes
        .create_list(&manager(shop), new_list(shop, false))
        .await
        .unwrap();
    let articles: Vec<_> = articles
        .iter()
        .map(|article| article.parse().unwrap())
        .collect();
    takes
        .add_articles(&manager(shop), take.id(), &articles)
        .await
        .unwrap();
    take
}

async fn started(shop: &Shop, articles: &[&str]) -> StockTake {
    let take = list(shop, articles).await;
    shop.stocktake
        .stock_takes()
        .start(&manager(shop), take.id())
        .await
        .unwrap()
}

fn inventory(article: &str, amount: &str) -> InventoryRequest {
    InventoryRequest {
        article: ArticleName::of(article.parse().unwrap()),
        entered: Entered::Add(q(amount)),
        counted_at: None,
    }
}

async fn lines(shop: &Shop, take: &StockTake, sort: ArticleSort) -> Vec<StockTakeItemView> {
    let takes = shop.stocktake.stock_takes();
    let filter = StockTakeItemFilter::default();
    takes
        .items(
            &manager(shop),
            take.id(),
            &filter,
            sort,
            &PageRequest::numbered(0, 25),
        )
        .await
        .unwrap()
        .items
}

async fn move_stock(shop: &Shop, movements: &[NewMovement]) {
    shop.stocktake
        .stock()
        .record(&manager(shop), shop.site.id, movements)
        .await
        .unwrap();
}

#[tokio::test]
async fn s4_1_lists_are_found_by_state_with_items_total_and_left() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let new = list(&shop, &["SKU-0"]).await;
    let ongoing = started(&shop, &["SKU-0", "SKU-1"]).await;
    takes
        .inventory(&manager(&shop), ongoing.id(), inventory("SKU-0", "40"))
        .await
        .unwrap();
    let finished = started(&shop, &["SKU-2"]).await;
    takes
        .submit(&manager(&shop), finished.id(), PostingOptions::default())
        .await
        .unwrap();
    for (state, id, items, left) in [
        (StockTakeState::New, new.id(), 1, 1),
        (StockTakeState::Ongoing, ongoing.id(), 2, 1),
        (StockTakeState::Finished, finished.id(), 1, 1),
    ] {
        let page = PageRequest::numbered(0, 25);
        let found = takes
            .list(&manager(&shop), shop.site.id, &[state], &page)
            .await
            .unwrap();
        assert_eq!(found.items.len(), 1, "{state}");
        let summary = &found.items[0];
        assert_eq!(
            (
                summary.take.id(),
                summary.totals.items,
                summary.totals.uncounted()
            ),
            (id, items, left)
        );
    }
}

#[tokio::test]
async fn s4_1_a_finished_list_tells_its_values_by_account() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    // Forty at 1.50 and, later, ten at 3: one is missing.
    let receipt = Movement::Receipt {
        key: shop.key(0),
        quantity: q("10"),
        unit_cost: Some("3".parse().unwrap()),
    };
    move_stock(&shop, &[receipt.into()]).await;
    let take = started(&shop, &["SKU-0", "SKU-1"]).await;
    takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "49"))
        .await
        .unwrap();
    let finished = takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    let result = finished.result().unwrap();
    // SKU-0: 49 at standard 1.50; 39 at 1.50 and 10 at 3. SKU-1, uncounted, at book: 40 at 2.50.
    assert_eq!(result.standard_value.to_string(), "173.5");
    assert_eq!(result.fifo_value.to_string(), "188.5");
    assert_eq!(result.accounts["1460"].to_string(), "188.5");
    let line = lines(&shop, &take, ArticleSort::default())
        .await
        .remove(0)
        .item
        .value;
    let layers = &line.posting.as_ref().unwrap().layers;
    let told: Vec<(String, String)> = layers
        .iter()
        .map(|layer| {
            (
                layer.left.quantity.to_string(),
                layer.left.unit_cost.to_string(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("39".into(), "1.5".into()), ("10".into(), "3".into())]
    );
}

#[tokio::test]
async fn s4_2_an_annual_list_has_every_stocked_article() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    move_stock(&shop, &[Movement::Remove { key: shop.key(9) }.into()]).await;
    let take = takes
        .create_list(&manager(&shop), new_list(&shop, true))
        .await
        .unwrap();
    assert_eq!(
        (take.state(), take.items_added()),
        (StockTakeState::New, true)
    );
    assert_eq!(
        lines(&shop, &take, ArticleSort::default()).await.len(),
        9,
        "a delisted key is in no take"
    );
    let empty = takes
        .create_list(&manager(&shop), new_list(&shop, false))
        .await
        .unwrap();
    assert!(
        lines(&shop, &empty, ArticleSort::default())
            .await
            .is_empty()
    );
    assert_eq!(shop.run_jobs().await.unwrap(), 0);
}

#[tokio::test]
async fn s4_3_a_copy_has_the_words_and_the_scope_and_no_counts() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = started(&shop, &["SKU-0", "SKU-1", "SKU-2"]).await;
    takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "1"))
        .await
        .unwrap();
    takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    move_stock(&shop, &[Movement::Remove { key: shop.key(1) }.into()]).await;
    let copy = takes.copy(&manager(&shop), take.id()).await.unwrap();
    assert_eq!(
        (copy.state(), copy.details()),
        (StockTakeState::New, take.details())
    );
    let articles: Vec<String> = lines(&shop, &copy, ArticleSort::default())
        .await
        .iter()
        .map(|line| line.item.value.product.article_id.to_string())
        .collect();
    assert_eq!(
        articles,
        ["SKU-0", "SKU-2"],
        "what was delisted since is left out"
    );
    assert_eq!(
        takes
            .get(&manager(&shop), copy.id())
            .await
            .unwrap()
            .totals
            .counted,
        0
    );
}

#[tokio::test]
async fn s4_4_removing_a_finished_list_leaves_the_ledger() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = started(&shop, &["SKU-0"]).await;
    takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "39"))
        .await
        .unwrap();
    takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    takes.remove(&manager(&shop), take.id()).await.unwrap();
    assert_eq!(
        takes
            .get(&manager(&shop), take.id())
            .await
            .unwrap_err()
            .code(),
        "not_found"
    );
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("39"));
}

#[tokio::test]
async fn s4_5_articles_and_stock_places_come_and_go_while_new() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let shelf = shop.key(0).at("A-01".parse().unwrap());
    let transfer = Movement::Transfer {
        from: shop.key(0),
        to: shelf.clone(),
        quantity: q("5"),
    };
    move_stock(&shop, &[transfer.into()]).await;
    let take = list(&shop, &["SKU-0"]).await;
    let there = || async {
        takes
            .get(&manager(&shop), take.id())
            .await
            .unwrap()
            .totals
            .items
    };
    assert_eq!(there().await, 2, "at every key where it is stocked");
    let again = takes
        .add_articles(&manager(&shop), take.id(), &["SKU-0".parse().unwrap()])
        .await
        .unwrap();
    assert_eq!(again, 0);
    assert_eq!(
        takes
            .remove_article(&manager(&shop), take.id(), "SKU-0".parse().unwrap())
            .await
            .unwrap(),
        2
    );
    takes
        .add_stock_place(&manager(&shop), take.id(), "A-01".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(there().await, 1);
    takes
        .add_all_articles(&manager(&shop), take.id())
        .await
        .unwrap();
    assert_eq!(there().await, 11);
    assert_eq!(
        takes
            .remove_stock_place(&manager(&shop), take.id(), "A-01".parse().unwrap())
            .await
            .unwrap(),
        1
    );
    assert_eq!(there().await, 10);
    let unknown = takes
        .add_articles(&manager(&shop), take.id(), &["NOPE".parse().unwrap()])
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), "unknown_article");
    takes.start(&manager(&shop), take.id()).await.unwrap();
    let late = takes
        .remove_article(&manager(&shop), take.id(), "SKU-1".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(late.code(), "invalid_state");
}

#[tokio::test]
async fn s4_6_a_list_starts_with_at_least_one_line() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = takes
        .create_list(&manager(&shop), new_list(&shop, false))
        .await
        .unwrap();
    assert_eq!(
        takes
            .start(&manager(&shop), take.id())
            .await
            .unwrap_err()
            .code(),
        "no_lines"
    );
    let refused = takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "1"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "not_found");
    takes
        .add_all_articles(&manager(&shop), take.id())
        .await
        .unwrap();
    let refused = takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "1"))
        .await
        .unwrap_err();
    assert_eq!(
        refused.code(),
        "invalid_state",
        "not counted before the start"
    );
    assert_eq!(
        takes
            .start(&manager(&shop), take.id())
            .await
            .unwrap()
            .state(),
        StockTakeState::Ongoing
    );
}

#[tokio::test]
async fn s4_7_an_article_is_counted_by_batch_and_serial_and_adds_by_default() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let tracked = Product {
        tracking: Tracking::Batch,
        ..shop.products[0].clone()
    };
    let catalogue = shop.stocktake.catalogue();
    catalogue
        .put_products(&manager(&shop), vec![tracked])
        .await
        .unwrap();
    let batches = ["B-1", "B-2"].map(|batch| shop.key(0).in_batch(batch.parse().unwrap()));
    let receipts = batches.clone().map(|key| {
        Movement::Receipt {
            key,
            quantity: q("7"),
            unit_cost: None,
        }
        .into()
    });
    move_stock(&shop, &receipts).await;
    let take = started(&shop, &["SKU-0", "SKU-1"]).await;
    let ambiguous = takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "6"))
        .await
        .unwrap_err();
    assert_eq!(ambiguous.code(), "ambiguous_article");
    let of_batch = |amount: &str, add_to_existing: bool| InventoryRequest {
        article: ArticleName {
            batch: NamePart::Is("B-1".parse().unwrap()),
            ..ArticleName::of("SKU-0".parse().unwrap())
        },
        entered: if add_to_existing {
            Entered::Add(q(amount))
        } else {
            Entered::Set(q(amount))
        },
        counted_at: None,
    };
    for (request, expected) in [
        (of_batch("6", true), "6"),
        (of_batch("3", true), "9"),
        (of_batch("5", false), "5"),
    ] {
        let line = takes
            .inventory(&Caller::of(&shop.counter), take.id(), request)
            .await
            .unwrap();
        assert_eq!(line.count.unwrap().quantity, q(expected));
    }
}

#[tokio::test]
async fn s4_7_an_article_at_several_stock_places_is_counted_at_the_one_that_is_named() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let at = |place: &str| StockKey {
        place: Some(place.parse().unwrap()),
        ..shop.key(0)
    };
    let receipts = ["A-01", "B-01"].map(|place| {
        Movement::Receipt {
            key: at(place),
            quantity: q("7"),
            unit_cost: None,
        }
        .into()
    });
    move_stock(&shop, &receipts).await;
    let take = started(&shop, &["SKU-0"]).await;
    let request = |place: Option<&str>| InventoryRequest {
        article: ArticleName {
            place: NamePart::from_text(place).unwrap(),
            ..ArticleName::of("SKU-0".parse().unwrap())
        },
        ..inventory("SKU-0", "6")
    };
    let ambiguous = takes
        .inventory(&manager(&shop), take.id(), request(None))
        .await
        .unwrap_err();
    assert_eq!(
        ambiguous.to_string(),
        "the request is not valid: article: one of: no stock place; stock place A-01; stock place B-01"
    );
    let line = takes
        .inventory(&manager(&shop), take.id(), request(Some("B-01")))
        .await
        .unwrap();
    assert_eq!(line.key, at("B-01"));
    assert_eq!(line.count.unwrap().quantity, q("6"));
    let nowhere = takes
        .inventory(&manager(&shop), take.id(), request(Some("C-01")))
        .await
        .unwrap_err();
    assert_eq!(nowhere.code(), "not_found");
}

#[tokio::test]
async fn s4_8_unhandled_articles_are_left_alone_or_zeroed() {
    for (zero_uncounted, expected) in [(false, "40"), (true, "0")] {
        let shop = opened().await;
        let takes = shop.stocktake.stock_takes();
        let take = started(&shop, &["SKU-0", "SKU-1"]).await;
        takes
            .inventory(&manager(&shop), take.id(), inventory("SKU-0", "9"))
            .await
            .unwrap();
        let options = PostingOptions {
            zero_uncounted,
            ..PostingOptions::default()
        };
        let finished = takes
            .submit(&manager(&shop), take.id(), options)
            .await
            .unwrap();
        assert_eq!(finished.state(), StockTakeState::Finished);
        assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("9"));
        assert_eq!(shop.on_hand(&shop.key(1)).await.unwrap(), q(expected));
        let level = shop
            .stocktake
            .stock()
            .level(&manager(&shop), &shop.key(1))
            .await
            .unwrap();
        assert_eq!(
            level.valuation().value().is_zero(),
            zero_uncounted,
            "a drained key is worth nothing"
        );
    }
}

#[tokio::test]
async fn s4_9_reopening_takes_the_posting_back_and_finishing_posts_again() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = started(&shop, &["SKU-0", "SKU-1"]).await;
    takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "30"))
        .await
        .unwrap();
    let zero = PostingOptions {
        zero_uncounted: true,
        ..PostingOptions::default()
    };
    takes
        .submit(&manager(&shop), take.id(), zero)
        .await
        .unwrap();
    shop.clock.advance_seconds(60);
    let sale = Movement::Issue {
        key: shop.key(0),
        quantity: q("4"),
    };
    move_stock(&shop, &[sale.into()]).await;

    let reopened = takes
        .reopen(
            &manager(&shop),
            take.id(),
            Some("a shelf was missed".parse().unwrap()),
        )
        .await
        .unwrap();
    assert_eq!(reopened.state(), StockTakeState::Ongoing);
    assert_eq!((reopened.result(), reopened.posted_at()), (None, None));
    assert_eq!(
        shop.on_hand(&shop.key(0)).await.unwrap(),
        q("36"),
        "the sale stays"
    );
    assert_eq!(
        shop.on_hand(&shop.key(1)).await.unwrap(),
        q("40"),
        "what was zeroed is back"
    );
    let line = &lines(&shop, &take, ArticleSort::default()).await[0]
        .item
        .value
        .clone();
    assert_eq!(
        line.count.as_ref().unwrap().quantity,
        q("30"),
        "counts are kept"
    );

    takes
        .count(
            &manager(&shop),
            take.id(),
            line.id,
            CountRequest::set(q("35")),
        )
        .await
        .unwrap();
    takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("35"));
    let events = shop
        .stocktake
        .stock()
        .key_events(&manager(&shop), &shop.key(0), 0)
        .await
        .unwrap();
    let told: Vec<(&str, String)> = events
        .iter()
        .map(|e| (e.kind.as_str(), e.change.to_string()))
        .collect();
    assert_eq!(
        told,
        [
            ("receipt", "40".to_owned()),
            ("count_variance", "-10".to_owned()),
            ("issue", "-4".to_owned()),
            ("reversal", "10".to_owned()),
            ("count_variance", "-1".to_owned()),
        ]
    );
    let verified = shop
        .stocktake
        .stock()
        .verify(&manager(&shop), shop.site.id)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

#[tokio::test]
async fn s4_9_a_posting_whose_stock_was_used_can_not_be_taken_back() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = started(&shop, &["SKU-0"]).await;
    takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-0", "100"))
        .await
        .unwrap();
    takes
        .submit(&manager(&shop), take.id(), PostingOptions::default())
        .await
        .unwrap();
    let sale = Movement::Issue {
        key: shop.key(0),
        quantity: q("100"),
    };
    move_stock(&shop, &[sale.into()]).await;
    let refused = takes
        .reopen(&manager(&shop), take.id(), None)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "lines_refused");
    let take = takes.get(&manager(&shop), take.id()).await.unwrap().take;
    assert_eq!(take.state(), StockTakeState::Finished);
    assert_eq!(
        take.refusal().unwrap().lines[0].problem.code(),
        "would_go_negative"
    );
}

/// S6.3: what came of another posting, or of another reopening, is no answer to the first.
#[tokio::test]
async fn s4_9_a_key_gives_its_own_result_after_another_was_refused() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = started(&shop, &["SKU-0"]).await.id();
    let keyed = |key: &str| manager(&shop).with_key(IdempotencyKey::new(key).unwrap());
    let (post, back) = (keyed("post"), keyed("back"));
    let options = PostingOptions::default();
    takes
        .inventory(&manager(&shop), take, inventory("SKU-0", "100"))
        .await
        .unwrap();
    takes.submit(&post, take, options).await.unwrap();
    takes.reopen(&back, take, None).await.unwrap();
    // The second posting is refused, because its period is closed.
    let close = async |until| {
        let mut site = shop.site.clone();
        site.policy.closed_until = until;
        let catalogue = shop.stocktake.catalogue();
        catalogue.put_site(&manager(&shop), site).await.unwrap();
    };
    shop.clock.advance_seconds(60);
    close(Some(shop.now())).await;
    let refused = takes.submit(&keyed("again"), take, options).await;
    assert_eq!(refused.unwrap_err().code(), "lines_refused");
    let first = takes.submit(&post, take, options).await.unwrap();
    assert_eq!((first.id(), first.state()), (take, StockTakeState::Ongoing));
    // The second reopening is refused, because what was found is sold.
    close(None).await;
    takes
        .submit(&keyed("at-last"), take, options)
        .await
        .unwrap();
    let sale = Movement::Issue {
        key: shop.key(0),
        quantity: q("100"),
    };
    move_stock(&shop, &[sale.into()]).await;
    let refused = takes.reopen(&keyed("no"), take, None).await;
    assert_eq!(refused.unwrap_err().code(), "lines_refused");
    let first = takes.reopen(&back, take, None).await.unwrap();
    assert_eq!(
        (first.id(), first.state()),
        (take, StockTakeState::Finished)
    );
}

#[tokio::test]
async fn s4_10_every_sort_column_orders_the_lines_both_ways() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = takes
        .create_list(&manager(&shop), new_list(&shop, true))
        .await
        .unwrap();
    takes.start(&manager(&shop), take.id()).await.unwrap();
    takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-4", "1"))
        .await
        .unwrap();
    move_stock(
        &shop,
        &[Movement::Issue {
            key: shop.key(7),
            quantity: q("39"),
        }
        .into()],
    )
    .await;
    for (name, column) in ArticleColumn::NAMES {
        assert_eq!(ArticleColumn::from_name(name), Some(*column));
        let mut orders = Vec::new();
        for descending in [false, true] {
            let sorted = lines(
                &shop,
                &take,
                ArticleSort {
                    column: *column,
                    descending,
                },
            )
            .await;
            assert_eq!(sorted.len(), 10, "{name}");
            orders.push(
                sorted
                    .iter()
                    .map(|line| line.item.value.line)
                    .collect::<Vec<_>>(),
            );
        }
        for order in &orders {
            let mut all = order.clone();
            all.sort_unstable();
            assert_eq!(all, (1..=10).collect::<Vec<u64>>(), "{name}");
        }
        let first = |order: usize| orders[order][0];
        match name {
            &"art" | &"name" => assert_eq!((first(0), first(1)), (1, 10), "{name}"),
            &"stock" => assert_eq!((first(0), orders[1][9]), (8, 8), "{name}"),
            &"inventoried" | &"status" => assert_eq!(first(1), 5, "{name}"),
            _ => {}
        }
    }
    assert_eq!(ArticleColumn::from_name("nonsense"), None);
}

#[tokio::test]
async fn s4_10_lines_are_found_by_name_or_barcode_and_by_what_changed() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = takes
        .create_list(&manager(&shop), new_list(&shop, true))
        .await
        .unwrap();
    takes.start(&manager(&shop), take.id()).await.unwrap();
    let lines = |filter: StockTakeItemFilter, since: Option<ChangeToken>| {
        let (shop, takes, id) = (&shop, &takes, take.id());
        async move {
            let page = PageRequest::numbered(0, 25);
            let sort = ArticleSort::default();
            let caller = manager(shop);
            let view = takes.view(&caller, id, &filter, sort, since, &page);
            view.await.unwrap()
        }
    };
    let since = lines(StockTakeItemFilter::default(), None).await.next;
    // In the same instant, as far as the clock knows.
    takes
        .inventory(&manager(&shop), take.id(), inventory("SKU-4", "1"))
        .await
        .unwrap();
    let found = async |filter: StockTakeItemFilter| lines(filter, None).await.items.total;
    let text = |text: &str| StockTakeItemFilter {
        name_or_barcode: Some(SearchText::new(text).unwrap()),
        ..StockTakeItemFilter::default()
    };
    assert_eq!(found(text("4006381333937")).await, Some(1));
    assert_eq!(found(text("product")).await, Some(10));
    let changed = lines(StockTakeItemFilter::default(), Some(since)).await;
    assert_eq!(changed.items.total, Some(1));
    assert_eq!(
        changed.totals.map(|it| (it.items, it.counted)),
        Some((1, 1))
    );
    assert_eq!(
        changed.items.items[0].item.value.product.article_id,
        "SKU-4".parse().unwrap()
    );
    let later = lines(StockTakeItemFilter::default(), Some(changed.next)).await;
    assert_eq!(later.items.items, []);
    let one = takes
        .article(
            &manager(&shop),
            take.id(),
            ArticleName::of("SKU-4".parse().unwrap()),
        )
        .await
        .unwrap();
    assert_eq!((one.len(), one[0].on_hand), (1, Some(q("40"))));
    let missing = takes
        .article(
            &manager(&shop),
            take.id(),
            ArticleName::of("SKU-X".parse().unwrap()),
        )
        .await
        .unwrap_err();
    assert_eq!(missing.code(), "not_found");
}

#[tokio::test]
async fn s4_11_the_search_tells_what_is_in_the_take() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let take = list(&shop, &["SKU-3"]).await;
    let filter = ArticleFilter {
        supplier: Some(shop.supplier.id),
        ..ArticleFilter::default()
    };
    let sort = ArticleSort {
        column: ArticleColumn::Article,
        descending: true,
    };
    let page = PageRequest::numbered(0, 4);
    let found = takes
        .search_articles(&manager(&shop), take.id(), &filter, sort, &page)
        .await
        .unwrap();
    assert_eq!(found.page.total, Some(10));
    let page = PageRequest::numbered(1, 4);
    let found = takes
        .search_articles(&manager(&shop), take.id(), &filter, sort, &page)
        .await
        .unwrap();
    let told: Vec<(String, bool)> = found
        .page
        .items
        .iter()
        .map(|found| (found.article.product.article_id.to_string(), found.included))
        .collect();
    let expected = [
        ("SKU-5", false),
        ("SKU-4", false),
        ("SKU-3", true),
        ("SKU-2", false),
    ];
    assert_eq!(
        told,
        expected.map(|(article, included)| (article.to_owned(), included))
    );
    let other = ArticleFilter {
        supplier: Some(stocktake::domain::SupplierId::new(uuid::Uuid::nil())),
        ..ArticleFilter::default()
    };
    let page = PageRequest::numbered(0, 4);
    let none = takes
        .search_articles(&manager(&shop), take.id(), &other, sort, &page)
        .await
        .unwrap();
    assert!(none.page.items.is_empty());
}

#[tokio::test]
async fn a_count_older_than_what_is_known_adjusts_nothing_and_says_so() {
    let shop = opened().await;
    let takes = shop.stocktake.stock_takes();
    let (first, second) = (
        started(&shop, &["SKU-0"]).await,
        started(&shop, &["SKU-0"]).await,
    );
    takes
        .inventory(&manager(&shop), first.id(), inventory("SKU-0", "38"))
        .await
        .unwrap();
    shop.clock.advance_seconds(60);
    takes
        .inventory(&manager(&shop), second.id(), inventory("SKU-0", "37"))
        .await
        .unwrap();
    takes
        .submit(&manager(&shop), second.id(), PostingOptions::default())
        .await
        .unwrap();
    let late = takes
        .submit(&manager(&shop), first.id(), PostingOptions::default())
        .await
        .unwrap();
    assert_eq!(late.result().unwrap().superseded, 1);
    assert_eq!(shop.on_hand(&shop.key(0)).await.unwrap(), q("37"));
    let line = lines(&shop, &first, ArticleSort::default())
        .await
        .remove(0)
        .item
        .value;
    assert!(matches!(
        line.posting.as_ref().unwrap().outcome,
        LineOutcome::Superseded { .. }
    ));
}
