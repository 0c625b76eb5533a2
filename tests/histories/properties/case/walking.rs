//! Lists are walked by pages.

use stocktake::domain::{CountStatus, StockTakeId, StockTakeItemId, StockTakeState};
use stocktake::service::Caller;
use stocktake::store::{
    ArticleColumn, ArticleFilter, ArticleSort, Cursor, MAX_PAGE, Page, PageRequest,
    StockTakeItemFilter,
};

use super::{Case, told};

impl Case {
    /// Walks over a list by pages of some size: they make the whole list, once.
    pub(super) async fn walk(&mut self) -> Result<(), String> {
        let size = *self.random.pick(&[1, 2, 3, 7, 25]).unwrap_or(&1);
        let viewer = Caller::of(&self.premises.people.viewer);
        let library = self.premises.library.clone();
        let site = usize::try_from(self.random.below(3)).unwrap();
        let here = self.premises.sites[site].id;
        let ids: Vec<StockTakeId> = self
            .takes
            .values()
            .filter(|take| take.state != StockTakeState::Removed)
            .map(|take| take.id)
            .collect();
        let id = self.random.pick(&ids).copied();
        match (self.random.below(4), id) {
            (0, _) => {
                let list = async |page| library.stock_takes().list(&viewer, here, &[], &page).await;
                let (all, walked) = walk(size, list).await?;
                ensure!(all == walked, "takes: {walked:?} is not {all:?}");
            }
            (1, _) => {
                let list = async |page| {
                    library
                        .stock()
                        .levels(&viewer, here, None, None, &page)
                        .await
                };
                let (all, walked) = walk(size, list).await?;
                ensure!(all == walked, "levels: {walked:?} is not {all:?}");
            }
            (2, Some(id)) => {
                let sort = self.sort();
                let filter = ArticleFilter::default();
                let takes = library.stock_takes();
                let list = async |page| {
                    takes
                        .search_articles(&viewer, id, &filter, sort, &page)
                        .await
                        .map(|found| found.page)
                };
                let (all, walked) = walk(size, list).await?;
                ensure!(all == walked, "articles: {walked:?} is not {all:?}");
                let take = &self.takes[&id];
                for found in &all {
                    let item = StockTakeItemId::for_key(id, found.article.level.value.key());
                    ensure!(
                        found.included == take.lines.contains_key(&item),
                        "in the take or not: {found:?}"
                    );
                }
                let stocked = self.stocked(take.site).count();
                ensure!(
                    all.len() == stocked,
                    "{stocked} articles, not {}",
                    all.len()
                );
            }
            (_, Some(id)) => self.walk_items(id, size).await?,
            (_, None) => {}
        }
        Ok(())
    }

    fn sort(&mut self) -> ArticleSort {
        let columns = ArticleColumn::NAMES;
        let column = self.random.pick(columns).map(|(_, column)| *column);
        ArticleSort {
            column: column.unwrap_or_default(),
            descending: self.random.percent(50),
        }
    }

    async fn walk_items(&mut self, id: StockTakeId, size: u32) -> Result<(), String> {
        let sort = self.sort();
        let status = self.random.weighted(&[
            (2, CountStatus::All),
            (1, CountStatus::Counted),
            (1, CountStatus::Uncounted),
        ]);
        let mut filter = StockTakeItemFilter {
            status,
            ..StockTakeItemFilter::default()
        };
        let product = self.random.pick(&self.premises.products).cloned();
        if let Some(product) = product {
            match self.random.below(5) {
                0 => filter.brands.extend(product.brand.map(|brand| brand.id)),
                1 => filter
                    .categories
                    .extend(product.category.map(|category| category.id)),
                2 => filter.name = stocktake::domain::SearchText::new("duct 3").ok(),
                3 => filter.article = Some(product.article_id),
                _ => {}
            }
        }
        self.note(format!("walks over {id} by {size}, {sort:?}, {filter:?}"));
        let viewer = Caller::of(&self.premises.people.viewer);
        let library = self.premises.library.clone();
        let takes = library.stock_takes();
        let list = async |page| takes.items(&viewer, id, &filter, sort, &page).await;
        let (all, walked) = walk(size, list).await?;
        ensure!(all == walked, "lines: {walked:?} is not {all:?}");
        let totals = takes.totals(&viewer, id, &filter).await.map_err(told)?;
        let counted = all.iter().filter(|view| view.item.value.is_counted());
        let counted = u64::try_from(counted.count()).unwrap();
        let minor: i64 = all
            .iter()
            .map(|view| view.item.value.adjustment_minor())
            .sum();
        ensure!(
            totals.items == u64::try_from(all.len()).unwrap()
                && totals.counted == counted
                && totals.adjustment_minor == i128::from(minor),
            "the totals are not those of the lines: {totals:?}"
        );
        let wanted = self.takes[&id].lines.values().filter(|line| {
            let product = &self.products[&line.key.product];
            (match status {
                CountStatus::All => true,
                CountStatus::Counted => line.is_counted(),
                CountStatus::Uncounted => !line.is_counted(),
            }) && (filter.brands.is_empty()
                || product
                    .brand
                    .as_ref()
                    .is_some_and(|brand| filter.brands.contains(&brand.id)))
                && (filter.categories.is_empty()
                    || product
                        .category
                        .as_ref()
                        .is_some_and(|category| filter.categories.contains(&category.id)))
                && (filter.name.is_none() || product.name.as_str().contains("duct 3"))
                && (filter.article.is_none()
                    || filter.article.as_ref() == Some(&product.article_id))
        });
        let wanted = wanted.count();
        ensure!(all.len() == wanted, "{wanted} lines, not {}", all.len());
        Ok(())
    }
}

/// The whole list in one page, and by pages: first by cursors, then by numbers, which must agree.
async fn walk<T: Clone + PartialEq + std::fmt::Debug>(
    size: u32,
    list: impl AsyncFn(PageRequest) -> Result<Page<T>, stocktake::service::Error>,
) -> Result<(Vec<T>, Vec<T>), String> {
    let all = list(PageRequest::first(MAX_PAGE).counted()).await;
    let all = all.map_err(told)?;
    ensure!(all.next.is_none(), "there is more than all");
    let length = u64::try_from(all.items.len()).unwrap();
    ensure!(
        all.total == Some(length),
        "a total of {:?}, and {length} rows",
        all.total
    );
    let mut walked = Vec::new();
    let mut next: Option<Cursor> = None;
    loop {
        let request = match next.take() {
            None => PageRequest::first(size),
            Some(cursor) => PageRequest::after(cursor, size),
        };
        let page = list(request).await.map_err(told)?;
        ensure!(
            page.items.len() <= usize::try_from(size).unwrap(),
            "a page too long"
        );
        walked.extend(page.items);
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
    }
    for number in 0..3 {
        let page = list(PageRequest::numbered(number, size)).await;
        let page = page.map_err(told)?;
        let size = usize::try_from(size).unwrap();
        let first = usize::try_from(number).unwrap() * size;
        let rows = all.items.iter().skip(first).take(size);
        ensure!(
            page.items.iter().eq(rows),
            "page {number} of {size} rows is not that part of the list"
        );
    }
    Ok((all.items, walked))
}
