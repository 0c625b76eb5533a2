//! Reading the lines of takes (S1.8, S1.9, S4.10) and searching a site's articles (S4.11).

use std::collections::BTreeSet;

use crate::domain::{SiteId, StockTakeId, StockTakeItemId};
use crate::store::{
    ArticleFilter, ArticleSort, ArticleView, ChangeToken, CountingView, Page, PageRequest,
    StockTakeItemFilter, StockTakeItemView, StockTakeTotals, StockTakeView,
};

use super::stock_takes::{StockTakes, is_visible};
use super::{ArticleName, Caller, Error, Pending};

/// A stocked article, and whether a take has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundArticle {
    /// The level and the product.
    pub article: ArticleView,
    /// Whether its key is a line of the take.
    pub included: bool,
}

/// A page of articles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundArticles {
    /// The page.
    pub page: Page<FoundArticle>,
    /// What to ask with next for what changes after this.
    pub next: ChangeToken,
}

impl StockTakes<'_> {
    /// The lines of a take (S1.8, S4.10): filtered, sorted, paged. Without a sort column they come in the order
    /// in which they were added.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store, an invalid cursor among them.
    #[inline(never)]
    pub fn items<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        filter: &'c StockTakeItemFilter,
        sort: ArticleSort,
        page: &'c PageRequest,
    ) -> Pending<'c, Page<StockTakeItemView>> {
        Box::pin(async move {
            let view = self.view(caller, id, filter, sort, None, page).await?;
            Ok(view.items)
        })
    }

    /// A take and a page of its lines, with the totals of all that are listed (S1.9) when the page is to be counted: all of
    /// one moment. Given a token from an earlier answer, only the lines that were changed since (S4.10), whatever the
    /// clocks say: added, counted, cleared, posted, or reopened; a product that is renamed changes no line. Ask for further
    /// pages with the same token, and go on with the first page's [`next`](StockTakeView::next).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store, an invalid cursor among them.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::store::{ArticleSort, ChangeToken, PageRequest, StockTakeItemFilter};
    /// # use stocktake::domain::StockTakeId;
    /// # use stocktake::service::{Caller, Error, Stocktake};
    ///
    /// /// Reads what has changed in a take since it was read last.
    /// async fn refresh(
    ///     stocktake: &Stocktake,
    ///     caller: &Caller,
    ///     take: StockTakeId,
    ///     since: ChangeToken,
    /// ) -> Result<ChangeToken, Error> {
    ///     let takes = stocktake.stock_takes();
    ///     let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
    ///     let mut page = PageRequest::first(100);
    ///     let mut next = None;
    ///     loop {
    ///         let view = takes.view(caller, take, &all, sort, Some(since), &page).await?;
    ///         for line in view.items.items {
    ///             println!("{}: {:?}", line.item.product.name, line.item.count);
    ///         }
    ///         let next = *next.get_or_insert(view.next);
    ///         match view.items.next {
    ///             Some(cursor) => page = PageRequest::after(cursor, 100),
    ///             None => return Ok(next),
    ///         }
    ///     }
    /// }
    /// ```
    #[inline(never)]
    pub fn view<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        filter: &'c StockTakeItemFilter,
        sort: ArticleSort,
        since: Option<ChangeToken>,
        page: &'c PageRequest,
    ) -> Pending<'c, StockTakeView> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let checked = filter.check();
            if checked.is_err() {
                // Whoever can't see the take does not learn from a bad filter that it is there.
                self.visible(&stamp, id).await?;
            }
            checked?;
            let repository = &self.library.repository;
            let organisation = stamp.actor.organisation;
            let view = repository
                .stock_take_view(organisation, id, filter, sort, since, page)
                .await;
            if view.is_err() {
                // Nor from a bad cursor.
                self.visible(&stamp, id).await?;
            }
            view?
                .filter(|view| is_visible(&stamp, &view.take))
                .ok_or(Error::not_found("stock take"))
        })
    }

    /// The totals of the filtered lines (S1.9).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn totals<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        filter: &'c StockTakeItemFilter,
    ) -> Pending<'c, StockTakeTotals> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            filter.check()?;
            Ok(self
                .library
                .repository
                .stock_take_totals(stamp.actor.organisation, id, filter)
                .await?)
        })
    }

    /// One line by its id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for a line of another take; failures of the store.
    #[inline(never)]
    pub fn item<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        item: StockTakeItemId,
    ) -> Pending<'c, StockTakeItemView> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let view = self
                .library
                .repository
                .counting_view(stamp.actor.organisation, id, &[item])
                .await?;
            let (_, line) = view
                .and_then(CountingView::into_line)
                .filter(|(take, _)| is_visible(&stamp, take))
                .ok_or(Error::not_found("stock take item"))?;
            let level = line.level.filter(|level| level.value.is_stocked());
            Ok(StockTakeItemView {
                item: line.item,
                on_hand: level.as_ref().map(|level| level.value.quantity()),
                reserved: level.as_ref().map(|level| level.value.reserved()),
            })
        })
    }

    /// The lines of one article of a take (S4.10), by its article id or any barcode: more than one when it is at several
    /// stock places, or in several batches that were not named.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also when the take does not have it; failures of the store.
    #[inline(never)]
    pub fn article<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        article: ArticleName,
    ) -> Pending<'c, Vec<StockTakeItemView>> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            self.visible(&stamp, id).await?;
            let organisation = stamp.actor.organisation;
            let lines = self.library.lines_named(organisation, id, &article).await?;
            if lines.is_empty() {
                return Err(Error::not_found("stock take item"));
            }
            Ok(lines)
        })
    }

    /// The stocked articles of the take's site, each with a flag: is it in this take? (S4.11) What changes afterwards, on hand
    /// or in the catalogue, is found with [`changed_since`](ArticleFilter::changed_since) and the first page's
    /// [`next`](FoundArticles::next).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn search_articles<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        filter: &'c ArticleFilter,
        sort: ArticleSort,
        page: &'c PageRequest,
    ) -> Pending<'c, FoundArticles> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let take = self.visible(&stamp, id).await?.value;
            let (organisation, site): (_, SiteId) = (stamp.actor.organisation, take.site());
            // Before the articles: what is committed in between may be told twice, and is not missed.
            let next = self.library.repository.change_token(organisation).await?;
            let found = self
                .library
                .repository
                .articles(organisation, site, filter, sort, page)
                .await?;
            let lines: Vec<StockTakeItemId> = found
                .items
                .iter()
                .map(|article| StockTakeItemId::for_key(id, article.level.value.key()))
                .collect();
            let there = self
                .library
                .repository
                .stock_take_item_ids(organisation, id, &lines)
                .await?;
            let there: BTreeSet<StockTakeItemId> = there.into_iter().collect();
            let page = found.map(|article| FoundArticle {
                included: there.contains(&StockTakeItemId::for_key(id, article.level.value.key())),
                article,
            });
            Ok(FoundArticles { page, next })
        })
    }
}
