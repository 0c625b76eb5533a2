//! What is there, without ids and times: the same after the same commands, whoever did them.
#![allow(
    clippy::too_many_lines,
    reason = "everything that is kept, read from the top to the bottom"
)]
#![allow(
    dead_code,
    reason = "compiled into each test, and each uses its own part"
)]

use std::collections::{BTreeMap, BTreeSet};

use stocktake::domain::{ProductId, StockKey};
use stocktake::service::Caller;
use stocktake::store::{
    ArticleSort, LevelFilter, MAX_PAGE, PageRequest, RepositoryExt, StockTakeFilter,
    StockTakeItemFilter,
};

use super::script::Script;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    takes: Vec<String>,
    lines: BTreeSet<String>,
    levels: BTreeSet<String>,
    events: BTreeSet<String>,
}

/// Every item of a list, page by page.
macro_rules! all {
    ($page:ident => $read:expr) => {{
        let mut all = Vec::new();
        let mut $page = PageRequest::first(MAX_PAGE);
        loop {
            let read = $read.await.unwrap();
            all.extend(read.items);
            match read.next {
                Some(next) => $page = PageRequest::after(next, MAX_PAGE),
                None => break all,
            }
        }
    }};
}

impl State {
    /// Reads everything, and checks that the ledger agrees with it.
    pub(crate) async fn of(script: &Script) -> Self {
        let (shop, store) = (&script.shop, &script.repository);
        let (organisation, site) = (shop.site.organisation, shop.site.id);
        let stock = shop.stocktake.stock();
        let verified = stock
            .verify(&Caller::of(&shop.manager), site)
            .await
            .unwrap();
        assert!(verified.is_sound(), "{verified:?}");

        let with_delisted = LevelFilter {
            with_delisted: true,
            ..LevelFilter::default()
        };
        let levels = all!(page => store.levels_page(organisation, site, &with_delisted, &page));
        let ids: BTreeSet<ProductId> = levels
            .iter()
            .map(|level| level.value.key().product)
            .collect();
        let ids: Vec<ProductId> = ids.into_iter().collect();
        let mut articles = BTreeMap::new();
        for ids in ids.chunks(500) {
            for product in store.products(organisation, ids).await.unwrap() {
                let product = product.unwrap().value;
                articles.insert(product.id, product.article_id.to_string());
            }
        }
        let named = |key: &StockKey| {
            let place = key.place.as_ref().map(ToString::to_string);
            format!("{} {place:?}", articles[&key.product])
        };

        let (all_takes, all_lines) = (StockTakeFilter::default(), StockTakeItemFilter::default());
        let mut takes = Vec::new();
        let mut lines = BTreeSet::new();
        for take in all!(page => store.stock_takes(organisation, site, &all_takes, &page)) {
            let take = take.value;
            let totals = store
                .stock_take_totals(organisation, take.id(), &all_lines)
                .await;
            takes.push(format!(
                "{} {:?} round {} lines {} populating {} running {} {:?} {:?}",
                take.details().title(),
                take.state(),
                take.round(),
                take.last_line(),
                take.population().is_some(),
                take.run().is_some(),
                take.result(),
                totals.unwrap(),
            ));
            let sort = ArticleSort::default();
            let items = all!(page => store.stock_take_items(organisation, take.id(), &all_lines, sort, &page));
            for item in items {
                let item = &item.item.value;
                let entries = store
                    .count_entries(organisation, item.take, item.id)
                    .await
                    .unwrap();
                let inserted = lines.insert(format!(
                    "{} {} #{}: {:?} of {:?}, worth {}, posted {}, {} entries",
                    take.details().title(),
                    named(&item.key),
                    item.line,
                    item.count.as_ref().map(|count| count.quantity),
                    item.expected(),
                    item.adjustment_minor(),
                    item.posting.is_some(),
                    entries.len(),
                ));
                assert!(inserted, "a line is there twice");
            }
        }
        takes.sort();

        let entries = store.ledger(organisation, site, 0, u32::MAX).await.unwrap();
        let is_gap_free = (1..)
            .zip(&entries)
            .all(|(position, entry)| entry.position == position);
        assert!(is_gap_free, "positions of the ledger");
        let events = entries.iter().map(|entry| {
            let event = &entry.event;
            format!(
                "{} #{}: {:?} {} to {} ({:?}) [{}]",
                named(&event.key),
                event.sequence,
                event.kind,
                event.change,
                event.after,
                event.value_change,
                event
                    .reference
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )
        });
        Self {
            takes,
            lines,
            events: events.collect(),
            levels: levels
                .iter()
                .map(|level| {
                    let level = &level.value;
                    let value = level.valuation().value();
                    format!(
                        "{} {} {:?} #{} {}",
                        named(level.key()),
                        level.quantity(),
                        value,
                        level.sequence(),
                        level.is_stocked()
                    )
                })
                .collect(),
        }
    }

    /// Whether the ledger has an event with a reference.
    pub(crate) fn has_event_of(&self, reference: &str) -> bool {
        let told = format!("[{reference}]");
        self.events.iter().any(|event| event.ends_with(&told))
    }

    /// Everything of before is still there, and nothing that is not there after.
    pub(crate) fn assert_between(&self, before: &Self, after: &Self) {
        let lost: Vec<_> = before.events.difference(&self.events).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let invented: Vec<_> = self.events.difference(&after.events).collect();
        assert!(invented.is_empty(), "not to be: {invented:?}");
    }

    /// The first few things that are different.
    pub(crate) fn difference(&self, expected: &Self) -> String {
        let sets = [
            (&self.lines, &expected.lines),
            (&self.levels, &expected.levels),
            (&self.events, &expected.events),
        ];
        let mut told = vec![format!("{:?} instead of {:?}", self.takes, expected.takes)];
        for (is, should) in sets {
            told.extend(is.difference(should).take(3).map(|it| format!("+ {it}")));
            told.extend(should.difference(is).take(3).map(|it| format!("- {it}")));
        }
        told.join("\n")
    }
}
