//! The variance report of a stock take or an inventory count: its lines, read page by page, and what they come to.

use std::future::Future;

use crate::documents::{ReportHeading, ReportLine, ReportOptions, VarianceReport};
use crate::domain::{InventoryCountId, OrganisationId, Stamp, StockTakeId};
use crate::store::{ArticleSort, InventoryCountItemFilter, StockTakeItemFilter};

use super::each_row::each_row;
use super::inventory_counts::InventoryCounts;
use super::stock_takes::StockTakes;
use super::{Caller, Error, Pending, Stocktake};

/// How often a document may begin to be posted, or be reopened, while its lines are read.
const TRIES: u32 = 5;

impl StockTakes<'_> {
    /// The variance report of a take as a page of HTML that is complete in itself ([`VarianceReport`]): being counted,
    /// posted or reopened. Its lines are read once, page by page, and never held together. What is counted meanwhile may be
    /// in it or not; when the take goes from one state to another meanwhile, it is read again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Conflict`] when it changed its state again and again; failures of the store.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::documents::ReportOptions;
    /// use stocktake::domain::MovementPolicy;
    /// use stocktake::service::{Caller, NewStockTake};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let shop = stocktake::testing::shop();
    /// shop.open().await?;
    /// let (manager, takes) = (Caller::of(&shop.manager), shop.stocktake.stock_takes());
    /// let new = NewStockTake { site: shop.site.id, description: "January".parse()?, movement_policy: MovementPolicy::default() };
    /// let take = takes.create(&manager, new).await?;
    /// shop.run_jobs().await?;
    ///
    /// let page = takes.variance_report(&manager, take.id(), ReportOptions::default()).await?;
    /// assert!(page.starts_with("<!DOCTYPE html>") && page.contains("January"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(never)]
    pub fn variance_report<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        options: ReportOptions,
    ) -> Pending<'c, String> {
        Box::pin(async move {
            let stamp = &self.library.stamp(caller)?;
            let report = || self.reported(stamp, id, &options);
            let organisation = stamp.actor.organisation;
            self.library.finished_report(organisation, report).await
        })
    }

    /// What the lines come to; nothing when the take has changed its state meanwhile.
    async fn reported(
        &self,
        stamp: &Stamp,
        id: StockTakeId,
        options: &ReportOptions,
    ) -> Result<Option<VarianceReport>, Error> {
        let take = self.visible(stamp, id).await?.value;
        let (organisation, currency) = (stamp.actor.organisation, take.currency());
        let site = self.library.site(organisation, take.site()).await?.value;
        let heading = ReportHeading::of_stock_take(&take, &site);
        let mut report = VarianceReport::new(heading, stamp.at, options.clone());
        let (repository, all) = (&self.library.repository, &StockTakeItemFilter::default());
        let read = |page| async move {
            repository
                .stock_take_items(organisation, id, all, ArticleSort::default(), &page)
                .await
        };
        each_row(read, |line| {
            report.add(&ReportLine::of_stock_take(&line, currency));
            Ok(())
        })
        .await?;
        let now = self.visible(stamp, id).await?.value;
        Ok((now.epoch() == take.epoch()).then_some(report))
    }
}

impl InventoryCounts<'_> {
    /// The variance report of a count, as [that of a take](StockTakes::variance_report).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Conflict`] when it changed its state again and again; failures of the store.
    #[inline(never)]
    pub fn variance_report<'c>(
        &'c self,
        caller: &'c Caller,
        id: InventoryCountId,
        options: ReportOptions,
    ) -> Pending<'c, String> {
        Box::pin(async move {
            let stamp = &self.library.stamp(caller)?;
            let report = || self.reported(stamp, id, &options);
            let organisation = stamp.actor.organisation;
            self.library.finished_report(organisation, report).await
        })
    }

    /// What the lines come to; nothing when the count has changed its state meanwhile.
    async fn reported(
        &self,
        stamp: &Stamp,
        id: InventoryCountId,
        options: &ReportOptions,
    ) -> Result<Option<VarianceReport>, Error> {
        let count = self.visible(stamp, id).await?.value;
        let (organisation, currency) = (stamp.actor.organisation, count.currency());
        let site = self.library.site(organisation, count.site()).await?.value;
        let heading = ReportHeading::of_inventory_count(&count, &site);
        let mut report = VarianceReport::new(heading, stamp.at, options.clone());
        let repository = &self.library.repository;
        let all = &InventoryCountItemFilter::default();
        let read = |page| async move {
            repository
                .inventory_count_items(organisation, id, all, &page)
                .await
        };
        each_row(read, |line| {
            report.add(&ReportLine::of_inventory_count(&line.value, currency));
            Ok(())
        })
        .await?;
        let now = self.visible(stamp, id).await?.value;
        Ok((now.epoch() == count.epoch()).then_some(report))
    }
}

impl Stocktake {
    /// The page of a report, which is read again when its document went from one state to another meanwhile.
    async fn finished_report<F: Future<Output = Result<Option<VarianceReport>, Error>>>(
        &self,
        organisation: OrganisationId,
        report: impl Fn() -> F,
    ) -> Result<String, Error> {
        for _ in 0..TRIES {
            if let Some(mut report) = report().await? {
                report.add_names(self.names_of(organisation, &report.unnamed()).await?);
                return Ok(report.finish());
            }
        }
        Err(Error::Conflict)
    }
}
