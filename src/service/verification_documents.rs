//! Verifying what is kept beside the products of an organisation and the documents of a site: names, columns, totals, subtotals (S6.10).

use crate::domain::{
    InventoryCountId, InventoryOrder, InventoryOrderState, Site, StockTakeId, StockTakeState,
};
use crate::store::{
    ArticleSort, Cursor, InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter,
    InventoryOrderItemFilter, PageRequest, RecordKey, RepositoryExt, StockAdjustmentFilter,
    StockTakeFilter, StockTakeItemFilter, Versioned,
};

use super::findings::{Difference, Findings, Mended};
use super::verification::LOOKS;
use super::{CHUNK, Error, Stocktake};

fn page_after(cursor: Option<Cursor>) -> PageRequest {
    cursor.map_or(PageRequest::first(CHUNK), |cursor| {
        PageRequest::after(cursor, CHUNK)
    })
}

impl Stocktake {
    /// Asks the store what it keeps beside some records that is unlike them, and has it mended where that is asked. Lines
    /// come before their documents, because totals are those of what is kept of lines.
    pub(super) async fn verify_beside(
        &self,
        site: &Site,
        keys: &[RecordKey],
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut found = self.repository.unlike(site.organisation, keys).await?;
        if let Some(rebuilding) = result.rebuilding().filter(|_| !found.is_empty()) {
            for mended in self.repository.mend(site.organisation, keys).await? {
                rebuilding.mended(Mended::Beside {
                    record: mended.record,
                    what: mended.what,
                    before: mended.kept,
                    after: mended.due,
                });
            }
            found = self.repository.unlike(site.organisation, keys).await?;
        }
        for unlike in found {
            result.tell(Difference::Beside {
                record: unlike.record,
                what: unlike.what,
                kept: unlike.kept,
                due: unlike.due,
            });
        }
        Ok(())
    }

    /// Verifies what is kept beside the products of the organisation, on stock or not: they are every site's.
    pub(super) async fn verify_products(
        &self,
        site: &Site,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let ids = self
                .repository
                .product_ids_after(site.organisation, after, CHUNK)
                .await?;
            let keys: Vec<RecordKey> = ids.iter().copied().map(RecordKey::Product).collect();
            self.verify_beside(site, &keys, result).await?;
            // A store that tells the same again would keep this going for ever.
            let last = ids.last().copied();
            if last <= after {
                return Ok(());
            }
            after = last;
        }
    }

    /// Verifies a site's documents, removed ones among them, and their lines.
    pub(super) async fn verify_documents(
        &self,
        site: &Site,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        self.verify_beside(site, &[RecordKey::Site(site.id)], result)
            .await?;
        self.verify_takes(site, result).await?;
        self.verify_counts(site, result).await?;
        self.verify_adjustments(site, result).await?;
        self.verify_orders(site, result).await
    }

    async fn verify_takes(&self, site: &Site, result: &mut dyn Findings) -> Result<(), Error> {
        let filter = StockTakeFilter {
            states: StockTakeState::ALL.iter().copied().collect(),
        };
        let mut after = None;
        loop {
            let takes = self
                .repository
                .stock_takes(site.organisation, site.id, &filter, &page_after(after))
                .await?;
            for take in takes.items {
                let id = take.value.id();
                self.verify_take_lines(site, id, result).await?;
                self.verify_beside(site, &[RecordKey::StockTake(id)], result)
                    .await?;
            }
            after = takes.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_take_lines(
        &self,
        site: &Site,
        take: StockTakeId,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let mut after = None;
        loop {
            let page = page_after(after);
            let lines = self
                .repository
                .stock_take_items(site.organisation, take, &all, sort, &page)
                .await?;
            let key = |id| RecordKey::StockTakeItem(take, id);
            let lines_of = lines.items.iter().map(|line| key(line.item.value.id));
            let keys: Vec<RecordKey> = lines_of.collect();
            self.verify_beside(site, &keys, result).await?;
            after = lines.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_counts(&self, site: &Site, result: &mut dyn Findings) -> Result<(), Error> {
        let all = InventoryCountFilter::default();
        let mut after = None;
        loop {
            let counts = self
                .repository
                .inventory_counts(site.organisation, site.id, &all, &page_after(after))
                .await?;
            for count in counts.items {
                let id = count.value.id();
                self.verify_count_lines(site, id, result).await?;
                self.verify_beside(site, &[RecordKey::InventoryCount(id)], result)
                    .await?;
            }
            after = counts.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_count_lines(
        &self,
        site: &Site,
        count: InventoryCountId,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let all = InventoryCountItemFilter::default();
        let mut after = None;
        loop {
            let page = page_after(after);
            let lines = self
                .repository
                .inventory_count_items(site.organisation, count, &all, &page)
                .await?;
            let key = |id| RecordKey::InventoryCountItem(count, id);
            let keys: Vec<RecordKey> = lines.items.iter().map(|line| key(line.value.id)).collect();
            self.verify_beside(site, &keys, result).await?;
            after = lines.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_adjustments(
        &self,
        site: &Site,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let all = StockAdjustmentFilter::default();
        let mut after = None;
        loop {
            let page = page_after(after);
            let found = self
                .repository
                .stock_adjustments(site.organisation, site.id, &all, &page)
                .await?;
            let ids = found.items.iter().map(|found| found.value.id());
            let keys: Vec<RecordKey> = ids.map(RecordKey::StockAdjustment).collect();
            self.verify_beside(site, &keys, result).await?;
            after = found.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_orders(&self, site: &Site, result: &mut dyn Findings) -> Result<(), Error> {
        let filter = InventoryOrderFilter {
            states: InventoryOrderState::ALL.iter().copied().collect(),
            ..InventoryOrderFilter::default()
        };
        let mut after = None;
        loop {
            let page = page_after(after);
            let orders = self
                .repository
                .inventory_orders(site.organisation, site.id, &filter, &page)
                .await?;
            for order in orders.items {
                let id = order.value.id();
                self.verify_beside(site, &[RecordKey::InventoryOrder(id)], result)
                    .await?;
                self.verify_order(site, order, result).await?;
            }
            after = orders.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Verifies an order's lines and their sums. Lines land together with their order, so the sums are compared when the
    /// order has stood still while its lines were read.
    async fn verify_order(
        &self,
        site: &Site,
        order: Versioned<InventoryOrder>,
        result: &mut dyn Findings,
    ) -> Result<(), Error> {
        let mut order = order;
        for look in 0..LOOKS {
            let id = order.value.id();
            let mut read = Vec::new();
            let mut after = None;
            loop {
                let all = InventoryOrderItemFilter::default();
                let page = page_after(after);
                let lines = self
                    .repository
                    .inventory_order_items(site.organisation, id, &all, &page)
                    .await?;
                if look == 0 {
                    let key = |line| RecordKey::InventoryOrderItem(id, line);
                    let ids = lines.items.iter().map(|line| line.value.id());
                    let keys: Vec<RecordKey> = ids.map(key).collect();
                    self.verify_beside(site, &keys, result).await?;
                }
                read.extend(lines.items.into_iter().map(|line| line.value));
                after = lines.next;
                if after.is_none() {
                    break;
                }
            }
            let due = order.value.summed_up(&read);
            if order.value == due {
                return Ok(());
            }
            let again = self
                .repository
                .inventory_order(site.organisation, id)
                .await?;
            match again {
                Some(again) if again.version != order.version => order = again,
                Some(_) if result.rebuilding().is_none() => {
                    result.tell(Difference::Subtotal { order: id });
                    return Ok(());
                }
                Some(_) => match self.mend_order(&order, due, result).await? {
                    Some(again) => order = again,
                    None => return Ok(()),
                },
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
