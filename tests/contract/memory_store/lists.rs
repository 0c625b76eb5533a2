//! C32 to C36: pages, filters and totals, on small examples. The walks do it at random.

use std::collections::BTreeSet;
use std::sync::Arc;

use stocktake::domain::{
    CountStatus, Product, SearchText, SiteId, StockKey, StockTakeItem, StockTakeState,
};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ArticleColumn, ArticleFilter, ArticleSort, DeletableKey, LevelFilter, MAX_PAGE, PageRequest,
    PageStart, Repository, RepositoryExt, StockTakeFilter, StockTakeItemFilter,
};

use super::fixtures::*;

fn search(text: &str) -> SearchText {
    SearchText::new(text).unwrap()
}

type Filter = StockTakeItemFilter;

/// A filter with something set.
fn with<T: Default>(set: impl FnOnce(&mut T)) -> T {
    let mut filter = T::default();
    set(&mut filter);
    filter
}

/// A take whose lines have these names.
async fn named(names: &[&str]) -> MemoryStore {
    let store = shop(0).await;
    commit(&store, |it| {
        for (n, name) in (1..).zip(names) {
            it.insert(named_line(n, name));
        }
    })
    .await;
    store
}

fn named_line(n: u64, name: &str) -> StockTakeItem {
    let mut line = item(n);
    Arc::make_mut(&mut line.product).name = label(name);
    line
}

#[tokio::test]
async fn c33_page_bounds_and_clamp() {
    let store = shop(7).await;
    let all = StockTakeItemFilter::default();
    for sort in [
        ArticleSort::default(),
        ArticleSort {
            column: ArticleColumn::Active,
            descending: false,
        },
    ] {
        let page = async |start, limit| {
            let request = PageRequest {
                start,
                limit,
                with_total: true,
                reversed: false,
            };
            let page = store
                .stock_take_items(ORGANISATION, TAKE, &all, sort, &request)
                .await
                .unwrap();
            let lines: Vec<_> = page.items.iter().map(|row| row.item.value.line).collect();
            (lines, page.total, page.next.is_some())
        };
        let every = (vec![1, 2, 3, 4, 5, 6, 7], Some(7), false);
        for (start, limit, expected) in [
            (PageStart::First, 0, (vec![1], Some(7), true)),
            (PageStart::First, 1, (vec![1], Some(7), true)),
            (PageStart::First, 6, (vec![1, 2, 3, 4, 5, 6], Some(7), true)),
            (PageStart::First, 7, every.clone()),
            (PageStart::First, MAX_PAGE, every.clone()),
            (PageStart::First, MAX_PAGE + 1, every.clone()),
            (PageStart::First, u32::MAX, every.clone()),
            (PageStart::Skip(0), 9, every),
            (PageStart::Skip(6), 1, (vec![7], Some(7), false)),
            (PageStart::Skip(5), 1, (vec![6], Some(7), true)),
            (PageStart::Skip(7), 1, (vec![], Some(7), false)),
            (
                PageStart::Skip(u64::MAX),
                u32::MAX,
                (vec![], Some(7), false),
            ),
        ] {
            assert_eq!(
                page(start.clone(), limit).await,
                expected,
                "{start:?} {limit}"
            );
        }
        let numbered = PageRequest::numbered(u32::MAX, u32::MAX);
        assert!(page(numbered.start, numbered.limit).await.0.is_empty());
    }
    let uncounted = PageRequest::first(2);
    let sort = ArticleSort::default();
    let page = store
        .stock_take_items(ORGANISATION, TAKE, &all, sort, &uncounted)
        .await;
    assert_eq!(page.unwrap().total, None);
}

/// R9: the rows that are there all the time are seen once, also when the cursor's own row goes.
#[tokio::test]
async fn c34_cursor_walk_stable_under_insert_and_delete() {
    for sort in [
        ArticleSort::default(),
        ArticleSort {
            column: ArticleColumn::Name,
            descending: false,
        },
        ArticleSort {
            column: ArticleColumn::Name,
            descending: true,
        },
        ArticleSort {
            column: ArticleColumn::StockPlaceArticle,
            descending: true,
        },
    ] {
        let names = ["d", "a", "d", "\u{c5}ngstr\u{f6}m", "b", "D", "c d.~", "a"];
        let store = named(&names).await;
        let all = StockTakeItemFilter::default();
        let lines = (1..).zip(names);
        let mut stays: BTreeSet<u64> = lines.map(|(n, _)| n).collect();
        let mut seen = Vec::new();
        let mut request = PageRequest::first(2);
        let mut fresh = 100;
        loop {
            let page = store
                .stock_take_items(ORGANISATION, TAKE, &all, sort, &request)
                .await
                .unwrap();
            seen.extend(page.items.iter().map(|row| row.item.value.line));
            let Some(next) = page.next else { break };
            // The last row goes, and others come on both sides of it.
            let last = &page.items.last().unwrap().item;
            commit(&store, |it| {
                let key = DeletableKey::StockTakeItem(TAKE, last.value.id);
                it.delete(last.version, key);
                for name in ["A", "d", "z"] {
                    fresh += 1;
                    it.insert(named_line(fresh, name));
                }
            })
            .await;
            stays.remove(&last.value.line);
            if seen.len() > 60 {
                break; // what comes behind the cursor is walked as well
            }
            request = PageRequest::after(next, 2);
        }
        for line in stays {
            let times = seen.iter().filter(|it| **it == line).count();
            assert_eq!(times, 1, "line {line} of {seen:?}, by {sort:?}");
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(
            distinct.len(),
            seen.len(),
            "nothing is seen twice: {seen:?}"
        );
    }
}

#[tokio::test]
async fn c35_search_is_literal_and_filters_are_or_within_and_across() {
    let store = shop(0).await;
    let lines = [
        ("Soap 50%", 1, 1, vec![1]),
        ("soap_x", 1, 2, vec![1, 2]),
        ("SOAP'S \\ best", 2, 1, vec![2]),
        ("\u{c5}nga", 2, 2, vec![]),
    ];
    commit(&store, |it| {
        for (n, (name, in_brand, in_category, from)) in (1..).zip(&lines) {
            let mut line = named_line(n, name);
            let product = Arc::make_mut(&mut line.product);
            product.brand = Some(brand(*in_brand));
            product.category = Some(category(*in_category));
            product.suppliers = from.iter().map(|n| sold_by(*n)).collect();
            product.barcodes = vec![barcode(&format!("50{n}0"))];
            line.key = line.key.at(code(if n < 3 { "A" } else { "B" }));
            if n == 4 {
                line.key = line.key.in_batch(code("L")).with_serial(code("S"));
                line.updated_at = at(50);
                line = posted(line, unposted(), 0, "1");
            }
            it.insert(line);
        }
    })
    .await;
    let brands = |ids: &[u128]| ids.iter().map(|n| brand(*n).id).collect::<BTreeSet<_>>();
    let from = |ids: &[u128]| ids.iter().map(|n| supplier(*n).id).collect::<BTreeSet<_>>();
    for (filter, expected) in [
        (Filter::default(), &[1, 2, 3, 4][..]),
        (with(|it: &mut Filter| it.name = Some(search("%"))), &[1]),
        (with(|it: &mut Filter| it.name = Some(search("_"))), &[2]),
        (with(|it: &mut Filter| it.name = Some(search("\\"))), &[3]),
        (with(|it: &mut Filter| it.name = Some(search("'"))), &[3]),
        (
            with(|it: &mut Filter| it.name = Some(search("sOaP"))),
            &[1, 2, 3],
        ),
        (
            with(|it: &mut Filter| it.name = Some(search("\u{e5}NG"))),
            &[4],
        ),
        (with(|it: &mut Filter| it.name = Some(search("5010"))), &[]),
        (
            with(|it: &mut Filter| it.name_or_barcode = Some(search("5010"))),
            &[1],
        ),
        (
            with(|it: &mut Filter| it.name_or_barcode = Some(search("50"))),
            &[1, 2, 3, 4],
        ),
        (
            with(|it: &mut Filter| it.brands = brands(&[1, 2, 9])),
            &[1, 2, 3, 4],
        ),
        (with(|it: &mut Filter| it.brands = brands(&[2])), &[3, 4]),
        (with(|it: &mut Filter| it.brands = brands(&[9])), &[]),
        (
            with(|it: &mut Filter| it.suppliers = from(&[1, 2])),
            &[1, 2, 3],
        ),
        (with(|it: &mut Filter| it.suppliers = from(&[2])), &[2, 3]),
        (
            with(|it: &mut Filter| (it.brands, it.suppliers) = (brands(&[1]), from(&[2]))),
            &[2],
        ),
        (
            with(|it: &mut Filter| {
                it.brands = brands(&[2]);
                it.categories = [category(1).id].into();
            }),
            &[3],
        ),
        (with(|it: &mut Filter| it.place = Some(code("A"))), &[1, 2]),
        (
            with(|it: &mut Filter| it.article = Some(code("SKU-2"))),
            &[2],
        ),
        (
            with(|it: &mut Filter| {
                it.article = Some(code("SKU-2"));
                it.brands = brands(&[2]);
            }),
            &[],
        ),
        (with(|it: &mut Filter| it.batch = Some(code("L"))), &[4]),
        (with(|it: &mut Filter| it.serial = Some(code("S"))), &[4]),
        (with(|it: &mut Filter| it.serial = Some(code("L"))), &[]),
        (with(|it: &mut Filter| it.left_over = true), &[4]),
    ] {
        assert_eq!(line_numbers(&store, &filter).await, expected, "{filter:?}");
    }
}

/// The product that a line shows is the caller's: the indexes follow it.
#[tokio::test]
async fn c35_a_line_whose_product_changes_is_found_by_the_new_one() {
    let store = shop(2).await;
    let shows = async |change: fn(&mut Product), version| {
        let mut line = item(1);
        change(Arc::make_mut(&mut line.product));
        commit(&store, |it| it.update(version, line)).await;
    };
    let found = async |filter: Filter| line_numbers(&store, &filter).await;
    let article = |name| with(|it: &mut Filter| it.article = Some(code(name)));
    let seller = |n| with(|it: &mut Filter| it.suppliers = [supplier(n).id].into());
    shows(|it| it.article_id = code("NEW"), V1).await;
    assert_eq!(found(article("NEW")).await, [1]);
    assert_eq!(found(article("SKU-1")).await, [0; 0]);
    shows(|it| it.suppliers = vec![sold_by(1), sold_by(2)], V1.next()).await;
    assert_eq!(found(article("NEW")).await, [0; 0]);
    assert_eq!(found(article("SKU-1")).await, [1]);
    assert_eq!(found(seller(2)).await, [1]);
    shows(|it| it.suppliers = vec![sold_by(1)], V1.next().next()).await;
    assert_eq!(found(seller(1)).await, [1]);
    assert_eq!(found(seller(2)).await, [0; 0]);
    let totals = async |n| {
        let filter = seller(n);
        let totals = store.stock_take_totals(ORGANISATION, TAKE, &filter).await;
        totals.unwrap().items
    };
    assert_eq!((totals(1).await, totals(2).await), (1, 0));
}

/// R11, at the edges; the walks do the rest.
#[tokio::test]
async fn c36_totals_match_filtered_items() {
    let store = shop(4).await;
    commit(&store, |it| {
        it.update(V1, counted(item(1), "0", -100));
        it.update(V1, counted(item(2), "3", 250));
        // Posted without a count: its adjustment counts, but it stays uncounted.
        it.update(
            V1,
            posted(item(3), stocktake::domain::LineOutcome::Adjusted, -7, "0"),
        );
    })
    .await;
    for (status, expected) in [
        (CountStatus::All, (4, 2, 143)),
        (CountStatus::Counted, (2, 2, 150)),
        (CountStatus::Uncounted, (2, 0, -7)),
    ] {
        for searching in [None, Some(search("Product"))] {
            let filter = StockTakeItemFilter {
                status,
                name: searching,
                ..Default::default()
            };
            let found = store
                .stock_take_totals(ORGANISATION, TAKE, &filter)
                .await
                .unwrap();
            let found = (found.items, found.counted, found.adjustment_minor);
            assert_eq!(found, expected, "{filter:?}");
        }
    }
    let nowhere = StockTakeItemFilter::default();
    let found = store
        .stock_take_totals(ORGANISATION, take_id(9), &nowhere)
        .await;
    assert_eq!(found.unwrap().items, 0);
}

/// A sum beyond 64 bits is given as it is, and so is a part of it.
#[tokio::test]
async fn c36_totals_are_wide() {
    let store = shop(3).await;
    commit(&store, |it| {
        it.update(V1, counted(item(1), "1", i64::MAX));
        it.update(V1, counted(item(2), "1", 1));
    })
    .await;
    let most = i128::from(i64::MAX);
    assert_eq!(totals(&store).await.adjustment_minor, most + 1);
    let one = StockTakeItemFilter {
        article: Some(code("SKU-1")),
        ..Default::default()
    };
    let found = store
        .stock_take_totals(ORGANISATION, TAKE, &one)
        .await
        .unwrap();
    assert_eq!(found.adjustment_minor, most);
    commit(&store, |it| it.update(V1, counted(item(3), "1", -1))).await;
    assert_eq!(totals(&store).await.adjustment_minor, most);
}

/// Line numbers are the caller's: two of the same are two lines still.
#[tokio::test]
async fn c32_equal_line_numbers_are_walked_once_each() {
    let store = shop(0).await;
    commit(&store, |it| {
        for n in 1..=9 {
            let mut line = item(n);
            line.line = n / 5;
            it.insert(line);
        }
    })
    .await;
    let all = StockTakeItemFilter::default();
    let mut seen = BTreeSet::new();
    let mut request = PageRequest::first(2);
    let mut rows = 0;
    loop {
        let page = store
            .stock_take_items(ORGANISATION, TAKE, &all, ArticleSort::default(), &request)
            .await
            .unwrap();
        rows += page.items.len();
        seen.extend(page.items.iter().map(|row| row.item.value.id));
        let Some(next) = page.next else { break };
        request = PageRequest::after(next, 2);
    }
    assert_eq!((rows, seen.len()), (9, 9));
}

#[tokio::test]
async fn stock_takes_are_listed_by_age_and_state() {
    let store = shop(0).await;
    commit(&store, |it| {
        // Two of the same moment go by their ids.
        for (n, second) in [(9, 0), (3, 5), (2, 5), (4, 7)] {
            it.insert(take(take_id(n), second));
        }
        let mut elsewhere = take(take_id(8), 3);
        elsewhere = elsewhere.remove(&stamp(4)).unwrap();
        it.insert(elsewhere);
    })
    .await;
    let list = async |filter: &StockTakeFilter| {
        let mut seen = Vec::new();
        let mut request = PageRequest::first(2).counted();
        loop {
            let page = store
                .stock_takes(ORGANISATION, SITE, filter, &request)
                .await
                .unwrap();
            let ids = page
                .items
                .iter()
                .map(|take| take.value.id().as_uuid().as_u128());
            seen.extend(ids);
            let Some(next) = page.next else {
                break (seen, page.total);
            };
            request = PageRequest::after(next, 2).counted();
        }
    };
    let of = |states: &[StockTakeState]| StockTakeFilter {
        states: states.iter().copied().collect(),
    };
    let own = TAKE.as_uuid().as_u128();
    assert_eq!(list(&of(&[])).await, (vec![9, own, 2, 3, 4], Some(5)));
    assert_eq!(
        list(&of(&[StockTakeState::Removed])).await,
        (vec![8], Some(1))
    );
    assert_eq!(
        list(&of(&[StockTakeState::Finished])).await,
        (vec![], Some(0))
    );
    // A header that was corrected moves.
    commit(&store, |it| it.update(V1, take(TAKE, 9))).await;
    assert_eq!(list(&of(&[])).await, (vec![9, 2, 3, 4, own], Some(5)));
    // By its id a removed take can still be read; whether it is shown is not the store's business.
    let removed = store.stock_take(ORGANISATION, take_id(8)).await.unwrap();
    assert_eq!(removed.unwrap().value.state(), StockTakeState::Removed);
}

#[tokio::test]
async fn levels_are_listed_by_key() {
    let store = shop(0).await;
    let mut keys = Vec::new();
    for n in [3, 1, 2] {
        keys.push(key(n));
        keys.push(key(n).at(code("A 1.~")));
        keys.push(key(n).at(code("B")).in_batch(code("\u{c5}")));
    }
    // There are neighbours on both sides.
    let neighbours = [1, u128::MAX].map(|site| StockKey {
        site: SiteId::new(uuid::Uuid::from_u128(site)),
        ..key(1)
    });
    commit(&store, |it| {
        for key in keys.iter().chain(&neighbours) {
            it.insert(level(key.clone(), "1"));
        }
        it.event(event(1, key(7), 1)); // events alone are no level
    })
    .await;
    keys.sort();
    let any = LevelFilter::default;
    let some = |ids: &[u128]| ids.iter().map(|n| product_id(*n)).collect::<BTreeSet<_>>();
    for filter in [
        any(),
        LevelFilter {
            place: Some(code("B")),
            ..any()
        },
        LevelFilter {
            products: some(&[2]),
            ..any()
        },
        LevelFilter {
            products: some(&[3, 1, 9]),
            ..any()
        },
        LevelFilter {
            products: some(&[1, 3]),
            place: Some(code("B")),
            ..any()
        },
        LevelFilter {
            products: some(&[9]),
            with_delisted: true,
            ..any()
        },
    ] {
        let expected: Vec<_> = keys
            .iter()
            .filter(|key| filter.products.is_empty() || filter.products.contains(&key.product))
            .filter(|key| filter.place.is_none() || key.place == filter.place)
            .cloned()
            .collect();
        for limit in 1..=10 {
            let mut seen = Vec::new();
            let mut request = PageRequest::first(limit).counted();
            loop {
                let page = store
                    .levels_page(ORGANISATION, SITE, &filter, &request)
                    .await
                    .unwrap();
                let total = u64::try_from(expected.len()).unwrap();
                assert_eq!(page.total, Some(total));
                seen.extend(page.items.iter().map(|level| level.value.key().clone()));
                let Some(next) = page.next else { break };
                request = PageRequest::after(next, limit).counted();
            }
            assert_eq!(seen, expected, "{filter:?} by {limit}");
        }
    }
}

/// S4.11.
#[tokio::test]
async fn articles_are_stocked_keys_with_their_products() {
    let store = shop(0).await;
    commit(&store, |it| {
        for (n, name) in [(1, "Soap"), (2, "balm"), (3, "Comb"), (4, "Soap")] {
            let mut product = product(n);
            product.name = label(name);
            product.suppliers = vec![sold_by(n % 2)];
            product.barcodes = vec![barcode(&format!("77{n}"))];
            it.insert(Arc::new(product));
            let on_hand = (10 - n).to_string();
            let changed = at(i64::try_from(n).unwrap());
            let level = level(key(n), &on_hand).with_reserved(quantity("1"), changed);
            it.insert(level);
        }
        it.insert(level(key(1).at(code("B")), "2"));
        it.insert(level(key(9), "2")); // nobody knows the product
        it.insert(stocktake::domain::StockLevel::new(
            key(4).at(code("B")),
            at(1),
        ));
    })
    .await;
    let any = ArticleFilter::default;
    let by = |column, descending| ArticleSort { column, descending };
    let place = ArticleSort::default();
    for (filter, sort, expected) in [
        (any(), place, &["1", "1B", "2", "3", "4"][..]),
        (
            any(),
            by(ArticleColumn::Line, true),
            &["4", "3", "2", "1B", "1"],
        ),
        (
            any(),
            by(ArticleColumn::Name, false),
            &["2", "3", "1", "1B", "4"],
        ),
        (
            any(),
            by(ArticleColumn::Name, true),
            &["4", "1B", "1", "3", "2"],
        ),
        (
            any(),
            by(ArticleColumn::Stock, false),
            &["1B", "4", "3", "2", "1"],
        ),
        (
            any(),
            by(ArticleColumn::StockPlace, true),
            &["1B", "4", "3", "2", "1"],
        ),
        (
            ArticleFilter {
                supplier: Some(supplier(0).id),
                ..any()
            },
            place,
            &["2", "4"],
        ),
        (
            ArticleFilter {
                name_or_barcode: Some(search("SOAP")),
                ..any()
            },
            place,
            &["1", "1B", "4"],
        ),
        (
            ArticleFilter {
                name_or_barcode: Some(search("772")),
                ..any()
            },
            place,
            &["2"],
        ),
    ] {
        for limit in 1..=6 {
            let mut seen = Vec::new();
            let mut request = PageRequest::first(limit).counted();
            loop {
                let page = store
                    .articles(ORGANISATION, SITE, &filter, sort, &request)
                    .await
                    .unwrap();
                let total = u64::try_from(expected.len()).unwrap();
                assert_eq!(page.total, Some(total), "{filter:?}");
                seen.extend(page.items.iter().map(|row| {
                    let key = row.level.value.key();
                    assert_eq!(key.product, row.product.id);
                    let place = key.place.as_ref().map_or("", |place| place.as_str());
                    format!("{}{place}", key.product.as_uuid().as_u128())
                }));
                let Some(next) = page.next else { break };
                request = PageRequest::after(next, limit).counted();
            }
            assert_eq!(seen, expected, "{filter:?} {sort:?} by {limit}");
        }
    }
}
