//! Random takes, filters and sorts against a list that the test makes itself (R9, R11): C32, C34, C36.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::certain::certain;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use stocktake::domain::{
    Beginning, Code, CountStatus, LineOutcome, Price, Product, Quantity, SearchText, StockKey,
    StockLevel, StockTakeItem,
};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ArticleColumn, ArticleRow, ArticleSort, DeletableKey, PageRequest, PageStart, Repository,
    StockTakeItemFilter, StockTakeTotals, Version,
};

use super::fixtures::*;

/// What a future of this store gives: none of them ever waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn maybe_code(from: &'static [&'static str]) -> impl Strategy<Value = Option<Code>> {
    prop::option::of(select(from).prop_map(code))
}

fn products() -> impl Strategy<Value = Product> {
    let names = select(&["Soap", "soap", "B.~alm", "\u{c5}nga", "Comb 50%", "comb_"][..]);
    let of = (
        prop::option::of(0..4_u128),
        prop::option::of(0..3_u128),
        subsequence(vec![0_u128, 1, 2, 3], 0..=4),
    );
    let shown = (
        names,
        0..6_u128,
        prop::option::of(0..3_u32),
        any::<bool>(),
        -1..2_i32,
    );
    (of, shown).prop_map(
        |((in_brand, in_category, mut from), (name, article, price, flag, kind))| {
            let mut product = product(article);
            product.name = label(name);
            product.brand = in_brand.map(brand);
            product.category = in_category.map(category);
            if let Some(first) = from.first().copied()
                && flag
            {
                from.push(first); // named twice, it is still one supplier
            }
            product.suppliers = from.into_iter().map(sold_by).collect();
            product.barcodes = price
                .map(|n| barcode(&format!("50{n}")))
                .into_iter()
                .collect();
            product.price = price.map(|n| Price {
                amount: n.to_string().parse().unwrap(),
                currency: "gbp".parse().unwrap(),
            });
            product.stock_warning = price.map(Quantity::from);
            product.active = flag;
            product.article_type = kind;
            product
        },
    )
}

/// A line without its number, and the level of its key.
fn lines() -> impl Strategy<Value = (StockTakeItem, Option<StockLevel>)> {
    let key = (
        maybe_code(&["A", "a"]),
        prop::option::weighted(0.2, Just(code("L1"))),
        prop::option::weighted(0.1, Just(code("S"))),
    );
    let count = prop::option::of((0..5_u32, -500..500_i64));
    let posting = prop::option::of((0..3_u8, -500..500_i64, 0..4_u32));
    let stock = prop::option::of((0..4_u32, 0..3_u32));
    (products(), key, count, posting, 0..5_i64, stock).prop_map(
        |(product, (place, batch, serial), count, posting, changed, stock)| {
            let key = StockKey {
                place,
                batch,
                serial,
                ..StockKey::plain(SITE, product.id)
            };
            let mut line = StockTakeItem::new(
                TAKE,
                0,
                key.clone(),
                Arc::new(product),
                Beginning::default(),
                at(changed),
            );
            if let Some((how_many, minor)) = count {
                line = counted(line, &how_many.to_string(), minor);
            }
            if let Some((kind, minor, on_hand)) = posting {
                let outcome = match kind {
                    0 => LineOutcome::Adjusted,
                    1 => unposted(),
                    _ => LineOutcome::Dismissed,
                };
                line = posted(line, outcome, minor, &on_hand.to_string());
            }
            let most = if key.serial.is_some() { 1 } else { 3 };
            let stock = stock.map(|(on_hand, reserved)| {
                if on_hand == 3 {
                    return StockLevel::new(key.clone(), at(1)); // delisted
                }
                level(key.clone(), &on_hand.min(most).to_string())
                    .with_reserved(reserved.into(), at(1))
            });
            (line, stock)
        },
    )
}

fn search() -> impl Strategy<Value = Option<SearchText>> {
    let texts = select(&["soap", "\u{c5}NG", "%", "_", "50", "o"][..]);
    prop::option::weighted(0.2, texts.prop_map(|text| SearchText::new(text).unwrap()))
}

/// Filters of which there are totals.
fn filters_by_one_group() -> impl Strategy<Value = StockTakeItemFilter> {
    let status = select(
        &[
            CountStatus::All,
            CountStatus::Counted,
            CountStatus::Uncounted,
        ][..],
    );
    (0..4_u8, subsequence(vec![0_u128, 1, 2, 3], 1..=2), status).prop_map(|(kind, ids, status)| {
        let mut filter = StockTakeItemFilter {
            status,
            ..StockTakeItemFilter::default()
        };
        match kind {
            0 => filter.brands = ids.into_iter().map(|n| brand(n).id).collect(),
            1 => filter.categories = ids.into_iter().map(|n| category(n).id).collect(),
            2 => filter.suppliers = ids.into_iter().map(|n| supplier(n).id).collect(),
            _ => {}
        }
        filter
    })
}

fn filters() -> impl Strategy<Value = StockTakeItemFilter> {
    prop_oneof![filters_by_one_group(), filters_of_all_kinds()]
}

fn filters_of_all_kinds() -> impl Strategy<Value = StockTakeItemFilter> {
    let status = select(
        &[
            CountStatus::All,
            CountStatus::Counted,
            CountStatus::Uncounted,
        ][..],
    );
    let few = |most: u128| {
        let ids: Vec<_> = (0..=most).collect();
        prop_oneof![
            3 => Just(Vec::new()),
            2 => subsequence(ids, 1..=usize::try_from(most).unwrap()),
        ]
    };
    let rarely =
        |from: &'static [&'static str]| prop::option::weighted(0.15, select(from).prop_map(code));
    (
        (few(4), few(3), few(4)),
        (search(), search()),
        (status, prop::bool::weighted(0.15)),
        (
            rarely(&["A", "B"]),
            rarely(&["SKU-0", "SKU-1", "SKU-2"]),
            rarely(&["L1"]),
            rarely(&["S"]),
        ),
    )
        .prop_map(
            |(
                (brands, categories, from),
                (name, name_or_barcode),
                (status, left_over),
                (place, article, batch, serial),
            )| StockTakeItemFilter {
                brands: brands.into_iter().map(|n| brand(n).id).collect(),
                categories: categories.into_iter().map(|n| category(n).id).collect(),
                suppliers: from.into_iter().map(|n| supplier(n).id).collect(),
                name,
                name_or_barcode,
                status,
                place,
                article,
                batch,
                serial,
                left_over,
            },
        )
}

fn sorts() -> impl Strategy<Value = ArticleSort> {
    let any_column = select(ArticleColumn::NAMES).prop_map(|(_, column)| column);
    let column = prop_oneof![Just(ArticleColumn::Line), any_column];
    (column, any::<bool>()).prop_map(|(column, descending)| ArticleSort { column, descending })
}

/// What the take holds, as the test knows it.
#[derive(Default)]
struct Model {
    lines: BTreeMap<stocktake::domain::StockTakeItemId, (Version, StockTakeItem)>,
    levels: BTreeMap<StockKey, StockLevel>,
}

impl Model {
    /// Written without a look at the store: every line is looked at, and all are sorted.
    fn list(&self, filter: &StockTakeItemFilter, sort: ArticleSort) -> Vec<&StockTakeItem> {
        let mut lines: Vec<_> = self
            .lines
            .values()
            .map(|(_, line)| line)
            .filter(|line| wanted(filter, line))
            .collect();
        lines.sort_by_key(|line| (line.line, line.id));
        let value = |line: &StockTakeItem| {
            let level = self
                .levels
                .get(&line.key)
                .filter(|level| level.is_stocked());
            let shown = match &line.posting {
                Some(posting) => Some((posting.on_hand, posting.reserved)),
                None => level.map(|level| (level.quantity(), level.reserved())),
            };
            sort.column.value(&ArticleRow {
                line: Some(line.line),
                product: &line.product,
                key: &line.key,
                on_hand: shown.map(|(on_hand, _)| on_hand),
                reserved: shown.map(|(_, reserved)| reserved),
                counted: line.count.is_some(),
            })
        };
        // The sort is stable, so rows that are equal keep the order of their lines.
        lines.sort_by_key(|line| value(line));
        if sort.descending {
            lines.reverse();
        }
        lines
    }
}

fn wanted(filter: &StockTakeItemFilter, line: &StockTakeItem) -> bool {
    let product = &line.product;
    let mut conditions = vec![
        filter.brands.is_empty()
            || product
                .brand
                .as_ref()
                .is_some_and(|it| filter.brands.contains(&it.id)),
        filter.categories.is_empty()
            || product
                .category
                .as_ref()
                .is_some_and(|it| filter.categories.contains(&it.id)),
        filter.suppliers.is_empty()
            || product
                .suppliers
                .iter()
                .any(|it| filter.suppliers.contains(&it.id)),
        filter.status == CountStatus::All
            || (filter.status == CountStatus::Counted) == line.count.is_some(),
    ];
    if let Some(text) = &filter.name {
        conditions.push(text.is_in(product.name.as_str()));
    }
    if let Some(text) = &filter.name_or_barcode {
        let mut texts = vec![product.name.as_str()];
        texts.extend(product.barcodes.iter().map(|it| it.value.as_str()));
        conditions.push(texts.into_iter().any(|it| text.is_in(it)));
    }
    if let Some(article) = &filter.article {
        conditions.push(product.article_id == *article);
    }
    for (wanted, actual) in [
        (&filter.place, &line.key.place),
        (&filter.batch, &line.key.batch),
        (&filter.serial, &line.key.serial),
    ] {
        conditions.push(wanted.is_none() || wanted == actual);
    }
    if filter.left_over {
        let outcome = line.posting.as_ref().map(|posting| &posting.outcome);
        conditions.push(matches!(outcome, Some(LineOutcome::Unposted { .. })));
    }
    conditions.into_iter().all(|it| it)
}

/// A take that was written in several commits: lines come, change, go and come back.
fn build(rounds: Vec<Vec<(StockTakeItem, Option<StockLevel>)>>) -> (MemoryStore, Model) {
    let store = MemoryStore::new();
    let mut model = Model::default();
    let mut number = 0;
    now(commit(&store, |it| it.insert(take(TAKE, 1))));
    for round in rounds {
        let mut changes = changes();
        let mut written = std::collections::BTreeSet::new();
        for (mut line, level) in round {
            if !written.insert(line.id) {
                continue;
            }
            number += 1;
            line.line = number;
            match model.lines.get(&line.id) {
                // Every third line that is there already goes, the others change.
                Some((version, _)) if number % 3 == 0 => {
                    changes.delete(*version, DeletableKey::StockTakeItem(TAKE, line.id));
                    model.lines.remove(&line.id);
                }
                Some((version, before)) => {
                    if number % 2 == 0 {
                        line.line = before.line;
                    }
                    if number % 5 < 3 {
                        line.product = Arc::clone(&before.product);
                    }
                    changes.update(*version, line.clone());
                    model.lines.insert(line.id, (version.next(), line.clone()));
                }
                None => {
                    changes.insert(line.clone());
                    model.lines.insert(line.id, (Version::FIRST, line.clone()));
                }
            }
            if let Some(level) = level
                && !model.levels.contains_key(&line.key)
            {
                changes.insert(level.clone());
                model.levels.insert(line.key, level);
            }
        }
        now(store.commit(&changes)).unwrap();
        // What came back has a higher version than we think: ask.
        for (id, (version, _)) in &mut model.lines {
            let view = now(store.counting_view(ORGANISATION, TAKE, &[*id])).unwrap();
            let read = view.unwrap().into_line().unwrap().1.item.version;
            assert!(read >= *version);
            *version = read;
        }
    }
    (store, model)
}

fn takes() -> impl Strategy<Value = Vec<Vec<(StockTakeItem, Option<StockLevel>)>>> {
    prop::collection::vec(prop::collection::vec(lines(), 0..25), 1..7)
}

proptest! {
    #![proptest_config(certain(192))]

    #[test]
    fn pages_and_totals_are_those_of_the_plain_list(
        rounds in takes(),
        questions in prop::collection::vec((filters(), sorts()), 1..8),
    ) {
        let (store, model) = build(rounds);
        for (filter, sort) in questions {
            let expected = model.list(&filter, sort);
            let count = u64::try_from(expected.len()).unwrap();
            let page = |start: PageStart, limit, with_total| {
                let request = PageRequest { start, limit, with_total, reversed: false };
                now(store.stock_take_items(ORGANISATION, TAKE, &filter, sort, &request)).unwrap()
            };
            for limit in [1, 2, 3, 7, 100] {
                let mut start = PageStart::First;
                let mut seen = Vec::new();
                let mut is_first = true;
                loop {
                    let found = page(start, limit, is_first);
                    prop_assert_eq!(found.total, is_first.then_some(count));
                    prop_assert!(found.items.len() <= usize::try_from(limit).unwrap());
                    seen.extend(found.items.iter().map(|row| Arc::clone(&row.item.value)));
                    prop_assert!(seen.len() <= expected.len(), "{:?} {:?} goes on and on", filter, sort);
                    let Some(next) = found.next else { break };
                    prop_assert_eq!(found.items.len(), usize::try_from(limit).unwrap());
                    start = PageStart::After(next);
                    is_first = false;
                }
                let seen: Vec<&StockTakeItem> = seen.iter().map(AsRef::as_ref).collect();
                prop_assert_eq!(&seen, &expected, "{:?} {:?} by {}", filter, sort, limit);
            }
            for (skip, limit) in [(0, 3), (1, 1), (4, 5), (expected.len(), 2), (9_999, 1)] {
                let found = page(PageStart::Skip(u64::try_from(skip).unwrap()), limit, true);
                let seen: Vec<&StockTakeItem> = found.items.iter().map(|row| &*row.item.value).collect();
                let limit = usize::try_from(limit).unwrap();
                let slice: Vec<_> = expected.iter().skip(skip).take(limit).copied().collect();
                prop_assert_eq!(&seen, &slice);
                prop_assert_eq!(found.total, Some(count));
                prop_assert_eq!(found.next.is_some(), skip + limit < expected.len());
            }
            let totals = now(store.stock_take_totals(ORGANISATION, TAKE, &filter)).unwrap();
            let counted = expected.iter().filter(|line| line.count.is_some()).count();
            prop_assert_eq!(totals, StockTakeTotals {
                items: count,
                counted: u64::try_from(counted).unwrap(),
                adjustment_minor: expected.iter().map(|line| i128::from(line.adjustment_minor())).sum(),
                // The model does not count versions; `memory_document_lists.rs` does.
                versions: totals.versions,
            });
        }
    }

    /// R9: whatever comes and goes between the pages, a row that is there all the time is seen once.
    #[test]
    fn a_walk_meets_every_row_that_stays_once(
        rounds in takes(),
        mut arrivals in prop::collection::vec(lines(), 0..20),
        sort in sorts(),
        limit in 1..4_u32,
    ) {
        // Columns that change under a row are the exception that the store's documentation names.
        let (store, model) = build(rounds);
        let filter = StockTakeItemFilter::default();
        let mut stays = model.lines.clone();
        let mut seen = Vec::new();
        let mut start = PageStart::First;
        let mut number = 10_000;
        loop {
            let request = PageRequest { start, limit, with_total: false, reversed: false };
            let page = now(store.stock_take_items(ORGANISATION, TAKE, &filter, sort, &request)).unwrap();
            seen.extend(page.items.iter().map(|row| row.item.value.id));
            let Some(next) = page.next else { break };
            let mut changes = changes();
            let last = &page.items.last().unwrap().item;
            changes.delete(last.version, DeletableKey::StockTakeItem(TAKE, last.value.id));
            stays.remove(&last.value.id);
            if let Some((mut line, _)) = arrivals.pop()
                && !model.lines.contains_key(&line.id)
                && !seen.contains(&line.id)
            {
                number += 1;
                line.line = number;
                let known = now(store.stock_take_item_ids(ORGANISATION, TAKE, &[line.id])).unwrap();
                if known.is_empty() {
                    changes.insert(line);
                }
            }
            now(store.commit(&changes)).unwrap();
            start = PageStart::After(next);
        }
        for id in stays.keys() {
            prop_assert_eq!(seen.iter().filter(|it| *it == id).count(), 1);
        }
        let mut distinct = seen.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), seen.len());
    }
}
