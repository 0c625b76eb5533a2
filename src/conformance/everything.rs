//! All that can be read of an organisation, to compare it.

use super::checks::{Verdict, Wrong};
use super::difference::in_short;
use super::filters::every_filter;
use super::harness::Store;
use super::questions::Question;
use super::records::{COUNT, count_line_id, line_id, read};
use super::samples::{SITE, TAKE, event_id, item, job_id, product_id, take_id};
use super::shelves::{ROWS, every_list, keys, serials};
use crate::domain::{OrganisationId, SiteId};
use crate::store::{CommandId, MAX_PAGE, PageRequest, RecordKey};

/// What is asked of.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) keys: Vec<RecordKey>,
    pub(super) lists: Vec<Question>,
    pub(super) sites: Vec<SiteId>,
    pub(super) commands: Vec<CommandId>,
}

impl Scope {
    /// What stands on the shelves.
    pub(super) fn shelves() -> Self {
        let mut lists = every_list();
        lists.extend(every_filter());
        Self {
            keys: keys(),
            lists,
            sites: vec![SITE],
            commands: Vec::new(),
        }
    }

    /// What stands in the small shop.
    pub(super) fn shop() -> Self {
        let mut scope = Self::shelves();
        let lines = (1..=9).map(|n| RecordKey::StockTakeItem(TAKE, item(n).id));
        scope.keys.extend(lines);
        scope
    }
}

/// What was read: what it is, and what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Everything(Vec<(String, String)>);

impl Everything {
    /// Reads it all.
    pub(super) async fn read(
        store: &dyn Store,
        whose: OrganisationId,
        scope: &Scope,
    ) -> Result<Self, Wrong> {
        let mut all = Vec::new();
        let mut tell = |what: String, found: String| all.push((what, found));
        for key in &scope.keys {
            let found = read(store, whose, key).await?;
            tell(in_short(key), format!("{found:?}"));
        }
        for list in &scope.lists {
            let found = list.walk(store, whose, MAX_PAGE).await?;
            tell(format!("{list}"), format!("{found:?}"));
            if let Question::StockTakeItems(take, filter, _) = list {
                let found = store.stock_take_totals(whose, *take, filter).await;
                let found = found.map_err(|error| error.kind());
                tell(format!("the totals of {list}"), format!("{found:?}"));
            }
            if let Question::StockTakeItems(take, filter, sort) = list {
                let page = PageRequest::first(MAX_PAGE).counted();
                let view = store.stock_take_view(whose, *take, filter, *sort, None, &page);
                // Every store has tokens of its own.
                let view = view.await.map_err(|error| error.kind());
                let found = view.map(|it| it.map(|it| (it.take, it.items, it.totals)));
                tell(format!("the view of {list}"), format!("{found:?}"));
            }
            if let Question::InventoryCountItems(count, _) = list {
                let found = store.inventory_count_totals(whose, *count).await;
                let found = found.map_err(|error| error.kind());
                tell(format!("the totals of {list}"), format!("{found:?}"));
            }
        }
        for site in &scope.sites {
            let found = store.ledger(whose, *site, 0, MAX_PAGE).await?;
            tell(format!("the ledger of {site}"), format!("{found:?}"));
        }
        for n in 1..=ROWS {
            let found = store.job(whose, job_id(n)).await?;
            tell(format!("job {n}"), format!("{found:?}"));
            let found = store.events(whose, &[event_id(n)]).await?;
            tell(format!("event {n}"), format!("{found:?}"));
            let found = store.count_entries(whose, TAKE, line_id(n)).await?;
            tell(format!("the entries of line {n}"), format!("{found:?}"));
            let line = count_line_id(n);
            let found = store.inventory_count_entries(whose, COUNT, line).await?;
            tell(
                format!("the entries of line {n} of a count"),
                format!("{found:?}"),
            );
        }
        for n in 1..=9 {
            let line = item(n).id;
            let found = store.count_entries(whose, TAKE, line).await?;
            tell(format!("the entries of line {line}"), format!("{found:?}"));
        }
        // In no order, some twice, and some that are not there.
        let lines = (1..=ROWS + 2)
            .rev()
            .flat_map(|n| [line_id(n), line_id(n / 2 + 1)]);
        let lines: Vec<_> = lines.chain((1..=9).map(|n| item(n).id)).collect();
        for take in [TAKE, take_id(1)] {
            let found = store.counting_view(whose, take, &lines).await?;
            tell(
                format!("the view of the lines of {take}"),
                format!("{found:?}"),
            );
        }
        for products in [vec![], vec![2], vec![9, 1]] {
            let products = products.into_iter().map(product_id).collect();
            let found = store.serial_marks(whose, &serials(), &products).await?;
            tell(format!("the marks of {products:?}"), format!("{found:?}"));
        }
        for id in &scope.commands {
            let found = store.command(whose, id).await?;
            tell(format!("command {id}"), format!("{found:?}"));
        }
        Ok(Self(all))
    }

    /// That it is the same as another reading of the same scope.
    pub(super) fn is(&self, expected: &Self, why: &str) -> Verdict {
        for ((what, found), (_, due)) in self.0.iter().zip(&expected.0) {
            if found != due {
                return Err(Wrong::unlike(&format!("{why}: {what}"), due, found));
            }
        }
        Ok(())
    }
}
